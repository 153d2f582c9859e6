/* SPDX-License-Identifier: Apache-2.0 */
/* invite.h - an invite (docs/protocol.md §3): [authority's key, bundle, card], for a new member. It
 * is verified against the key that it brings: whether that is the right one, a person decides. */
#ifndef TCN_CLI_INVITE_H
#define TCN_CLI_INVITE_H

#include "libtocsin/bundle.h"

typedef struct {
    uint8_t *file; /* malloc'd; the envelopes view it */
    tcn_sign_public authority;
    tcn_bytes bundle_envelope, card_envelope;
    tcn_bundle bundle;
    tcn_card card;
} tcn_invite;

/* TCN_NOT_FOUND, TCN_MALFORMED, TCN_BAD_SIGNATURE, each with the file in fault. */
TCN_CHECKED tcn_err tcn_invite_read(const char *path, tcn_invite *ret_invite, tcn_fault *fault);
void tcn_invite_fini(tcn_invite *invite);
/* The same from bytes; false in *ret_is: they do not look like an invite at all. Copies. */
TCN_CHECKED tcn_err tcn_invite_open(tcn_bytes bytes, tcn_invite *ret_invite, bool *ret_is,
                                    tcn_fault *fault);

#endif
