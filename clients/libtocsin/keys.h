/* SPDX-License-Identifier: Apache-2.0 */
/* keys.h - sized key types and what is done with them (libsodium). Secrets are wiped in _fini,
 * compared in constant time, and no print function takes them.
 * Call tcn_keys_init once per process before anything else here. */
#ifndef TCN_KEYS_H
#define TCN_KEYS_H

#include "bytes.h"

typedef struct {
    uint8_t b[32]; /* Ed25519 public key (RFC 8032) */
} tcn_sign_public;

typedef struct {
    uint8_t b[64]; /* seed ‖ public key, as libsodium keeps it */
} tcn_sign_secret;

typedef struct {
    uint8_t b[64];
} tcn_signature;

typedef struct {
    uint8_t b[32]; /* Curve25519, for CURVE (ZeroMQ RFC 26) or for sealing */
} tcn_box_public;

typedef struct {
    uint8_t b[32];
} tcn_box_secret;

/* Everything one member keeps to itself. */
typedef struct {
    tcn_sign_secret sign;
    tcn_box_secret transport, seal;
} tcn_secrets;

/* The public halves. */
typedef struct {
    tcn_sign_public sign;
    tcn_box_public transport, seal;
} tcn_publics;

TCN_CHECKED tcn_err tcn_keys_init(void);
void tcn_secrets_generate(tcn_secrets *ret_secrets);
void tcn_secrets_fini(tcn_secrets *secrets);
void tcn_secrets_publics(const tcn_secrets *secrets, tcn_publics *ret_publics);
void tcn_sign_generate(tcn_sign_secret *ret_secret);
/* The key pair of an RFC 8032 private key (the 32 bytes that key files keep). */
void tcn_sign_from_seed(const uint8_t seed[static 32], tcn_sign_secret *ret_secret);
void tcn_sign_fini(tcn_sign_secret *secret);
void tcn_sign_public_of(const tcn_sign_secret *secret, tcn_sign_public *ret_public);

/* kid = SHA-256(public key)[0..16] (DESIGN §5). A program's id is that of its authority's key. */
tcn_id tcn_kid(const tcn_sign_public *key);
void tcn_sign(const tcn_sign_secret *secret, tcn_bytes message, tcn_signature *ret_signature);
/* RFC 8032 §5.1.7 without the cofactor, and stricter, as libsodium does it: S beyond the order, and
 * A or R of small order or not canonical, are refused (test_keys.c names each edge case). */
bool tcn_verify(const tcn_sign_public *key, tcn_bytes message, const tcn_signature *signature);

/* False for the few public keys that agree on the same secret with everyone (small order). */
bool tcn_box_public_is_usable(const tcn_box_public *key);

/* BLAKE2b-128(alert id ‖ audience id): how signed metadata names a recipient (DESIGN §5). */
tcn_id tcn_audience_mark(const tcn_id *alert, const tcn_id *audience_id);

/* Z85 (ZeroMQ RFC 32), for CURVE options: 40 characters and NUL. */
void tcn_z85(const tcn_box_public *key, char ret_text[static 41]);

#endif
