/* SPDX-License-Identifier: Apache-2.0 */
/* authority.c - see authority.h. */
#include "authority.h"

#include <stdlib.h>

#define ENVELOPE_OVERHEAD 256 /* headers and one signature */

tcn_err tcn_authority_open(tcn_object type, tcn_bytes envelope, size_t max_bytes,
                           const tcn_sign_public *authority, tcn_bytes *ret_payload,
                           tcn_fault *fault)
{
    const char *word = tcn_object_word(type);
    tcn_cose cose;
    if (envelope.len > max_bytes)
        return tcn_fault_set(fault, TCN_TOO_LARGE, "%s: over %zu bytes", word, max_bytes);
    tcn_err err = tcn_cose_decode(envelope, type, &cose);
    if (err != TCN_OK)
        return tcn_fault_set(fault, err, "%s: not a signed %s: %s", word, word, tcn_err_text(err));
    tcn_id kid = tcn_kid(authority); /* and the program's id */
    if (cose.signers != 1 || cose.signer[0].role != TCN_ROLE_AUTHORITY)
        return tcn_fault_set(fault, TCN_WRONG_ROLE, "%s: wants one signature, the authority's",
                             word);
    if (!tcn_id_equal(&cose.signer[0].kid, &kid))
        return tcn_fault_set(fault, TCN_UNKNOWN_KEY,
                             "%s: signed by another authority than the one that is pinned", word);
    err = tcn_cose_check(&cose, 0, &kid, authority);
    if (err == TCN_BAD_SIGNATURE)
        return tcn_fault_set(fault, err,
                             "%s: the authority's signature does not verify; fetch it again", word);
    if (err != TCN_OK)
        return tcn_fault_set(fault, err, "%s: %s", word, tcn_err_text(err));
    *ret_payload = cose.payload;
    return TCN_OK;
}

tcn_err tcn_authority_check_program(const tcn_id *program, const tcn_sign_public *authority,
                                    const char *object, tcn_fault *fault)
{
    tcn_id kid = tcn_kid(authority);
    if (!tcn_id_equal(program, &kid))
        return tcn_fault_set(fault, TCN_WRONG_PROGRAM, "%s: belongs to another program", object);
    return TCN_OK;
}

tcn_err tcn_authority_seal(tcn_object type, tcn_bytes payload, size_t max_bytes,
                           const tcn_sign_secret *authority, uint8_t **ret_envelope,
                           size_t *ret_len)
{
    tcn_sign_public public_key;
    tcn_sign_public_of(authority, &public_key);
    tcn_id program = tcn_kid(&public_key);
    if (payload.len > max_bytes)
        return TCN_TOO_LARGE;
    size_t cap = payload.len + ENVELOPE_OVERHEAD;
    uint8_t *envelope = malloc(cap);
    if (envelope == NULL)
        return TCN_NO_MEMORY;
    tcn_err err = tcn_cose_seal(type, &program, payload, TCN_ROLE_AUTHORITY, authority, envelope,
                                cap, ret_len);
    if (err == TCN_OK && *ret_len > max_bytes)
        err = TCN_TOO_LARGE;
    if (err != TCN_OK) {
        free(envelope);
        return err;
    }
    *ret_envelope = envelope;
    return TCN_OK;
}
