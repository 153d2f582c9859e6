/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as an envelope: what decodes, encodes to the same bytes, is deterministic CBOR, and is
 * of one type only. */
#include <stdlib.h>

#include "libtocsin/cbor.h"
#include "libtocsin/cose.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_good(tcn_bytes envelope, const tcn_cose *cose)
{
    static const tcn_id program = {{1}};
    static const tcn_sign_public key = {{2}};
    size_t len = 0;
    uint8_t *again = malloc(envelope.len);
    if (again == NULL)
        return;
    if (tcn_cose_encode(cose->type, cose->payload, cose->signer, cose->signers, again, envelope.len,
                        &len) != TCN_OK ||
        !tcn_bytes_equal(envelope, tcn_bytes_of(again, len)))
        abort();
    free(again);
    if (tcn_cbor_check(envelope, 8) != TCN_OK)
        abort();
    for (unsigned i = 0; i < cose->signers; i++)
        (void)tcn_cose_verify(cose, i, &program, &key);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    tcn_bytes envelope = tcn_bytes_of(data, size);
    tcn_object type;
    tcn_cose cose;
    if (tcn_cose_type(envelope, &type) != TCN_OK)
        return 0;
    if (tcn_cose_decode(envelope, type, &cose) != TCN_OK)
        abort();
    check_good(envelope, &cose);
    tcn_object other = type == TCN_OBJECT_ALERT ? TCN_OBJECT_ACK : TCN_OBJECT_ALERT;
    if (tcn_cose_decode(envelope, other, &cose) != TCN_WRONG_TYPE)
        abort();
    return 0;
}
