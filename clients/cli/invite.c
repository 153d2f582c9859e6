/* SPDX-License-Identifier: Apache-2.0 */
/* invite.c - reads and verifies an invite. */
#include "invite.h"

#include <stdlib.h>
#include <string.h>

#include "libtocsin/file.h"

#define FILE_BYTES (TCN_MAX_BUNDLE_BYTES + TCN_MAX_CARD_BYTES + 256)

static bool looks_like(tcn_bytes bytes, tcn_invite *ret_invite)
{
    tcn_cbor_reader r;
    tcn_cbor_reader_init(&r, bytes);
    if (tcn_cbor_get_array(&r, 3) != 3)
        return false;
    tcn_hash key = tcn_cbor_get_hash(&r);
    memcpy(ret_invite->authority.b, key.b, sizeof(ret_invite->authority.b));
    ret_invite->bundle_envelope = tcn_cbor_get_bytes(&r, TCN_MAX_BUNDLE_BYTES);
    ret_invite->card_envelope = tcn_cbor_get_bytes(&r, TCN_MAX_CARD_BYTES);
    return tcn_cbor_reader_done(&r) == TCN_OK;
}

tcn_err tcn_invite_open(tcn_bytes bytes, tcn_invite *ret_invite, bool *ret_is, tcn_fault *fault)
{
    tcn_invite invite = {0};
    *ret_is = looks_like(bytes, &invite);
    if (!*ret_is)
        return tcn_fault_set(fault, TCN_MALFORMED, "this is no invite");
    tcn_err err = tcn_bytes_copy(bytes, &invite.file);
    if (err != TCN_OK)
        return tcn_fault_set(fault, err, "out of memory");
    (void)looks_like(tcn_bytes_of(invite.file, bytes.len), &invite);
    err = tcn_bundle_open(invite.bundle_envelope, &invite.authority, &invite.bundle, fault);
    if (err == TCN_OK)
        err = tcn_card_open(invite.card_envelope, &invite.authority, &invite.card, fault);
    if (err != TCN_OK) {
        tcn_invite_fini(&invite);
        return err;
    }
    *ret_invite = invite;
    return TCN_OK;
}

tcn_err tcn_invite_read(const char *path, tcn_invite *ret_invite, tcn_fault *fault)
{
    uint8_t *bytes = NULL;
    size_t len = 0;
    bool is_invite;
    tcn_fault inner = {0};
    tcn_err err = tcn_file_read(path, FILE_BYTES, &bytes, &len, fault);
    if (err != TCN_OK)
        return err;
    err = tcn_invite_open(tcn_bytes_of(bytes, len), ret_invite, &is_invite, &inner);
    free(bytes);
    return err == TCN_OK ? TCN_OK : tcn_fault_set(fault, err, "%s: %s", path, inner.text);
}

void tcn_invite_fini(tcn_invite *invite)
{
    tcn_bundle_fini(&invite->bundle);
    tcn_card_fini(&invite->card);
    free(invite->file);
    memset(invite, 0, sizeof(*invite));
}
