/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_alert.c - any bytes as an alert's payload, and an inline body as zstd. */
#include <stdlib.h>

#include "libtocsin/alert.h"

#define MOST_BYTES ((uint64_t)1 << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void decode_body(tcn_bytes encoded, tcn_encoding encoding, uint64_t decoded_size)
{
    uint8_t *bytes = NULL;
    if (tcn_body_decode(encoded, encoding, decoded_size, MOST_BYTES, &bytes) == TCN_OK &&
        decoded_size > MOST_BYTES)
        abort();
    free(bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static uint8_t payload[TCN_MAX_ENVELOPE_BYTES];
    tcn_alert alert;
    size_t len;
    /* Any bytes as a body, too: the payload's rules leave few of them. */
    if (size > 3)
        decode_body(tcn_bytes_of(data + 3, size - 3), TCN_ENCODING_ZSTD,
                    (uint64_t)data[0] << 16 | (uint64_t)data[1] << 8 | data[2]);
    if (tcn_alert_decode(tcn_bytes_of(data, size), &alert, NULL) != TCN_OK)
        return 0;
    if (tcn_cbor_check(tcn_bytes_of(data, size), 64) != TCN_OK ||
        tcn_alert_encode(&alert, payload, sizeof(payload), &len, NULL) != TCN_OK)
        abort();
    if (!alert.external)
        decode_body(alert.body, alert.meta.encoding, alert.meta.decoded_size);
    return 0;
}
