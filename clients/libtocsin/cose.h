/* SPDX-License-Identifier: Apache-2.0 */
/* cose.h - COSE_Sign (RFC 9052 §4.1, tag 98) with EdDSA (RFC 9053 §2.2), as Tocsin profiles it.
 *
 *   98([ bstr .cbor {2: [16], 3: "application/cbor", 16: "tocsin/TYPE"},   body protected
 *        {},                                                              unprotected, empty
 *        payload bstr,
 *        [+ [ bstr .cbor {1: -8, 2: [-65537], 4: kid bstr16, -65537: role uint}, {}, sig bstr64]]])
 *
 * Label 16 is typ (RFC 9596), critical; -65537 is Tocsin's signer role, critical. Signatures are
 * sorted by kid, ascending, unique. external_aad = "tocsin/1/" ‖ TYPE' ‖ program id (16 bytes),
 * where TYPE' is the object's type, except that a signer in role approver on an alert signs
 * TYPE' = "approval": an approval is a signature on the alert's own payload that can never pass
 * for its publisher's.
 * This module parses, builds and hands out what is to be verified; who may sign is trust.h's. */
#ifndef TCN_COSE_H
#define TCN_COSE_H

#include "keys.h"
#include "limits.h"

/* X(NAME, number, word): object types. The word stands in typ and in external_aad. */
#define TCN_OBJECT_TABLE(X)                                                                        \
    X(ALERT, 1, "alert")                                                                           \
    X(APPROVAL, 2, "approval")                                                                     \
    X(ACK, 3, "ack")                                                                               \
    X(REPORT, 4, "report")                                                                         \
    X(CARD, 5, "card")                                                                             \
    X(ROSTER, 6, "roster")                                                                         \
    X(BUNDLE, 7, "bundle")                                                                         \
    X(INVITE, 8, "invite")                                                                         \
    X(HEAD, 9, "head")                                                                             \
    X(SUCCESSOR, 10, "successor")                                                                  \
    X(KEY_RELEASE, 11, "key-release")

typedef enum {
#define X(name, number, word) TCN_OBJECT_##name = number,
    TCN_OBJECT_TABLE(X)
#undef X
} tcn_object;

const char *tcn_object_word(tcn_object type);

/* Roles are bits on a card; a signature carries exactly one. X(NAME, bit, word) */
#define TCN_ROLE_TABLE(X)                                                                          \
    X(PUBLISHER, 1, "publisher")                                                                   \
    X(APPROVER, 2, "approver")                                                                     \
    X(NODE, 4, "node")                                                                             \
    X(OPERATOR, 8, "operator")                                                                     \
    X(BROKER, 16, "broker")                                                                        \
    X(AUTHORITY, 32, "authority")

typedef enum {
#define X(name, bit, word) TCN_ROLE_##name = bit,
    TCN_ROLE_TABLE(X)
#undef X
} tcn_role;

/* "publisher"; NULL for a number that is not exactly one role. */
const char *tcn_role_word(unsigned role);
/* "publisher,approver" → bits. TCN_INVALID for an unknown or empty word. */
TCN_CHECKED tcn_err tcn_roles_parse(const char *list, unsigned *ret_roles);
/* Bits → "publisher,approver" into fixed memory (64 bytes always suffice). */
void tcn_roles_text(unsigned roles, char *ret_text, size_t size);

typedef struct {
    tcn_id kid;
    tcn_role role;
    tcn_bytes protected_header; /* the signer's, as encoded */
    tcn_signature signature;
} tcn_cose_signer;

/* Views into the bytes that were decoded; they die with them. */
typedef struct {
    tcn_object type;
    tcn_bytes protected_header; /* the body's, as encoded */
    tcn_bytes payload;
    unsigned signers;
    tcn_cose_signer signer[TCN_MAX_SIGNATURES];
} tcn_cose;

/* Parses one envelope strictly: everything the profile above does not allow is TCN_MALFORMED;
 * another type than expected is TCN_WRONG_TYPE; more than SIGNATURES is TCN_TOO_LARGE. */
TCN_CHECKED tcn_err tcn_cose_decode(tcn_bytes envelope, tcn_object expected, tcn_cose *ret_cose);

/* The type of an envelope that decodes, for `tocsin verify`; errors as tcn_cose_decode. */
TCN_CHECKED tcn_err tcn_cose_type(tcn_bytes envelope, tcn_object *ret_type);

/* TCN_OK if signer i's signature verifies under key, for this program; TCN_BAD_SIGNATURE if not.
 * TCN_NO_MEMORY, which says nothing about the signature, only for a payload above ENVELOPE_BYTES.
 * Does not ask who may sign. */
TCN_CHECKED tcn_err tcn_cose_check(const tcn_cose *cose, unsigned i, const tcn_id *program,
                                   const tcn_sign_public *key);

/* Is tcn_cose_check TCN_OK? For payloads up to ENVELOPE_BYTES, where there is no third answer. */
bool tcn_cose_verify(const tcn_cose *cose, unsigned i, const tcn_id *program,
                     const tcn_sign_public *key);

/* Makes a signature over payload for an object of this type. ret_signer borrows ret_protected. For
 * payloads up to ENVELOPE_BYTES; a larger one needs memory, use tcn_cose_seal, which can say so. */
void tcn_cose_sign(tcn_object type, const tcn_id *program, tcn_bytes payload, tcn_role role,
                   const tcn_sign_secret *secret, tcn_cose_signer *ret_signer,
                   uint8_t ret_protected[static 64]);

/* Encodes an envelope with these signers, sorting them by kid. TCN_CONFLICT if two share a kid,
 * TCN_TOO_LARGE if it does not fit cap or limits, TCN_INVALID without signers or with one whose
 * protected header is not that of its kid and role. */
TCN_CHECKED tcn_err tcn_cose_encode(tcn_object type, tcn_bytes payload,
                                    const tcn_cose_signer *signers, unsigned count,
                                    uint8_t *ret_envelope, size_t cap, size_t *ret_len);

/* One signer, the common case: sign and encode. TCN_NO_MEMORY as tcn_cose_check. */
TCN_CHECKED tcn_err tcn_cose_seal(tcn_object type, const tcn_id *program, tcn_bytes payload,
                                  tcn_role role, const tcn_sign_secret *secret,
                                  uint8_t *ret_envelope, size_t cap, size_t *ret_len);

/* One signer on its own, [protected, {}, signature], as APPROVE carries it: the same rules as in an
 * envelope. ret_signer views encoded. TCN_MALFORMED. */
TCN_CHECKED tcn_err tcn_cose_signer_decode(tcn_bytes encoded, tcn_cose_signer *ret_signer);
/* TCN_INVALID for a signer that would not read back as it is, TCN_TOO_LARGE if > cap. */
TCN_CHECKED tcn_err tcn_cose_signer_encode(const tcn_cose_signer *signer, uint8_t *ret_encoded,
                                           size_t cap, size_t *ret_len);

/* The Sig_structure (RFC 9052 §4.4) for other implementers' vectors; TCN_TOO_LARGE if > cap. */
TCN_CHECKED tcn_err tcn_cose_tbs(tcn_bytes body_protected, tcn_bytes sign_protected, tcn_bytes aad,
                                 tcn_bytes payload, uint8_t *ret_tbs, size_t cap, size_t *ret_len);

#endif
