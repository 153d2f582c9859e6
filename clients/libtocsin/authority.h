/* SPDX-License-Identifier: Apache-2.0 */
/* authority.h - what cards, rosters and bundles have in common: one signature, the authority's, in
 * role authority, and the program that is the authority's own. Internal to libtocsin. */
#ifndef TCN_AUTHORITY_H
#define TCN_AUTHORITY_H

#include "cose.h"

/* Opens an object of this type. *ret_payload views envelope; it is signed, not yet decoded.
 * TCN_TOO_LARGE above max_bytes, TCN_MALFORMED, TCN_WRONG_TYPE, TCN_WRONG_ROLE, TCN_UNKNOWN_KEY
 * (another authority's), TCN_BAD_SIGNATURE. */
TCN_CHECKED tcn_err tcn_authority_open(tcn_object type, tcn_bytes envelope, size_t max_bytes,
                                       const tcn_sign_public *authority, tcn_bytes *ret_payload,
                                       tcn_fault *fault);
/* TCN_WRONG_PROGRAM unless program is the kid of the authority's key. */
TCN_CHECKED tcn_err tcn_authority_check_program(const tcn_id *program,
                                                const tcn_sign_public *authority,
                                                const char *object, tcn_fault *fault);
/* Signs payload; *ret_envelope is malloc'd. TCN_NO_MEMORY, TCN_TOO_LARGE above max_bytes. */
TCN_CHECKED tcn_err tcn_authority_seal(tcn_object type, tcn_bytes payload, size_t max_bytes,
                                       const tcn_sign_secret *authority, uint8_t **ret_envelope,
                                       size_t *ret_len);

#endif
