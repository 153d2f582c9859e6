/* SPDX-License-Identifier: Apache-2.0 */
/* keyfile.h - key files and requests: small text files, one "word value" a line, '#' comments.
 *   member.keys      0600   tocsin-keys 1 / name / sign / transport / seal   (secret seeds, hex)
 *   authority.key    0600   tocsin-authority 1 / sign
 *   authority.pub           tocsin-authority-public 1 / sign
 *   NAME.request            tocsin-request 1 / name / sign / transport / seal / proof
 * proof: Ed25519 over "tocsin/1/request" ‖ name ‖ the three public keys: possession of the key.
 * Files are written to a temporary name, fsynced, renamed; a secret file that exists is never
 * overwritten (TCN_CONFLICT). Reading refuses a secret file that group or others can read, that
 * is not ours or is a symbolic link (TCN_PERMISSIONS), unknown or repeated words and trailing
 * garbage (TCN_MALFORMED, with the line in the fault). */
#ifndef TCN_KEYFILE_H
#define TCN_KEYFILE_H

#include "keys.h"
#include "limits.h"

typedef struct {
    char name[TCN_MAX_NAME_CHARS + 1];
    tcn_secrets secrets;
} tcn_member_keys;

typedef struct {
    char name[TCN_MAX_NAME_CHARS + 1];
    tcn_publics publics;
} tcn_request;

TCN_CHECKED tcn_err tcn_member_keys_write(const char *path, const tcn_member_keys *keys,
                                          tcn_fault *fault);
TCN_CHECKED tcn_err tcn_member_keys_read(const char *path, tcn_member_keys *ret_keys,
                                         tcn_fault *fault);
void tcn_member_keys_fini(tcn_member_keys *keys);

TCN_CHECKED tcn_err tcn_authority_write(const char *path, const tcn_sign_secret *secret,
                                        tcn_fault *fault);
TCN_CHECKED tcn_err tcn_authority_read(const char *path, tcn_sign_secret *ret_secret,
                                       tcn_fault *fault);
TCN_CHECKED tcn_err tcn_authority_public_write(const char *path, const tcn_sign_public *key,
                                               tcn_fault *fault);
TCN_CHECKED tcn_err tcn_authority_public_read(const char *path, tcn_sign_public *ret_key,
                                              tcn_fault *fault);

TCN_CHECKED tcn_err tcn_request_write(const char *path, const tcn_member_keys *keys,
                                      tcn_fault *fault);
/* Verifies the proof: TCN_BAD_SIGNATURE. */
TCN_CHECKED tcn_err tcn_request_read(const char *path, tcn_request *ret_request, tcn_fault *fault);

#endif
