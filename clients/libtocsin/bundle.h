/* SPDX-License-Identifier: Apache-2.0 */
/* bundle.h - the trust bundle: issuers, brokers and policy that every member needs, signed by the
 * authority (docs/protocol.md §3). It names no node. */
#ifndef TCN_BUNDLE_H
#define TCN_BUNDLE_H

#include "card.h"

typedef struct {
    char name[TCN_MAX_NAME_CHARS + 1];
    unsigned roles; /* publisher, approver, broker */
    unsigned keys;
    struct {
        tcn_sign_public public_key;
        tcn_id kid;
        tcn_wall from, until;
    } key[TCN_MAX_KEYS_PER_MEMBER];
    unsigned publishes;
    char (*publish)[TCN_MAX_TOPIC_CHARS + 1]; /* malloc'd rows */
    tcn_tlp max_tlp;
    bool emergency;
    tcn_member_state state;
    tcn_wall since;
} tcn_issuer;

#define TCN_ENDPOINT_CHARS 255
#define TCN_ENDPOINTS 4

typedef struct {
    char name[TCN_MAX_NAME_CHARS + 1];
    tcn_box_public server_key;
    unsigned sessions, emergencies;
    char session[TCN_ENDPOINTS][TCN_ENDPOINT_CHARS + 1]; /* "host:port", "[::1]:port" */
    char emergency[TCN_ENDPOINTS][TCN_ENDPOINT_CHARS + 1];
} tcn_broker_entry;

typedef struct {
    unsigned approvals;       /* distinct approvers for an actual emergency; 1..8, default 2 */
    uint64_t max_validity_ms; /* default 366 days */
    uint64_t grace_ms;        /* default 30 days */
    uint64_t max_body_bytes;  /* decoded; default BODY_BYTES */
    uint64_t lifetime_ms;     /* of cards, roster and bundle when signed; default 366 days */
} tcn_policy;

void tcn_policy_default(tcn_policy *ret_policy);

/* Where a kid is found. */
typedef struct {
    tcn_id kid;
    uint32_t issuer, key;
} tcn_bundle_kid;

/* A value that owns what it holds. */
typedef struct {
    tcn_id program;
    char program_name[TCN_MAX_NAME_CHARS + 1];
    uint64_t version;
    tcn_wall issued, expires;
    size_t issuers;
    tcn_issuer *issuer; /* malloc'd, by name */
    unsigned brokers;
    tcn_broker_entry *broker; /* malloc'd */
    tcn_policy policy;
    size_t kids;
    tcn_bundle_kid *kid; /* malloc'd, ascending; made by decoding, NULL in a bundle made by hand */
} tcn_bundle;

void tcn_bundle_fini(tcn_bundle *bundle);
/* *ret_payload is malloc'd. */
TCN_CHECKED tcn_err tcn_bundle_encode(const tcn_bundle *bundle, uint8_t **ret_payload,
                                      size_t *ret_len, tcn_fault *fault);
TCN_CHECKED tcn_err tcn_bundle_decode(tcn_bytes payload, tcn_bundle *ret_bundle, tcn_fault *fault);
/* Decodes an envelope and verifies the authority's signature and the program. */
TCN_CHECKED tcn_err tcn_bundle_open(tcn_bytes envelope, const tcn_sign_public *authority,
                                    tcn_bundle *ret_bundle, tcn_fault *fault);
const tcn_issuer *tcn_bundle_issuer(const tcn_bundle *bundle, tcn_bytes name);
/* The issuer and key index for a kid; NULL if unknown. */
const tcn_issuer *tcn_bundle_signer(const tcn_bundle *bundle, const tcn_id *kid, unsigned *ret_key);

/* The time at which cards and keys are to be judged: now, but while the bundle has expired and its
 * grace lasts, the last moment of its validity. So what was valid when the authority fell silent
 * stays so for emergencies (DESIGN §5), and only for those: bulk is the caller's to refuse. */
tcn_wall tcn_bundle_trust_time(const tcn_bundle *bundle, tcn_wall now);
/* Expired, whether or not the grace lasts. */
bool tcn_bundle_is_stale(const tcn_bundle *bundle, tcn_wall now);

#endif
