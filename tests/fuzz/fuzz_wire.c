/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_wire.c - any bytes as a frame. What decodes is deterministic and can be written again. */
#include <stdlib.h>

#include "libtocsin/cbor.h"
#include "libtocsin/wire.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static uint8_t frame[TCN_MAX_FRAME_BYTES];
    tcn_wire wire, again;
    size_t len;
    if (tcn_wire_decode(tcn_bytes_of(data, size), &wire) != TCN_OK)
        return 0;
    if (tcn_cbor_check(tcn_bytes_of(data, size), 64) != TCN_OK ||
        tcn_wire_encode(&wire, frame, sizeof(frame), &len) != TCN_OK ||
        tcn_wire_decode(tcn_bytes_of(frame, len), &again) != TCN_OK || again.op != wire.op)
        abort();
    return 0;
}
