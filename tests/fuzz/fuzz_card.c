/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_card.c - any bytes as a card's payload, and as its envelope. */
#include <stdlib.h>

#include "libtocsin/card.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const tcn_sign_public authority = {{1}};
    static uint8_t payload[TCN_MAX_CARD_BYTES];
    tcn_card card;
    size_t len;
    if (tcn_keys_init() != TCN_OK ||
        tcn_card_open(tcn_bytes_of(data, size), &authority, &card, NULL) == TCN_OK)
        abort(); /* nobody has that key */
    if (tcn_card_decode(tcn_bytes_of(data, size), &card, NULL) != TCN_OK)
        return 0;
    if (tcn_cbor_check(tcn_bytes_of(data, size), 64) != TCN_OK ||
        tcn_card_encode(&card, payload, sizeof(payload), &len, NULL) != TCN_OK)
        abort();
    tcn_card_fini(&card);
    return 0;
}
