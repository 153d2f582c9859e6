/* SPDX-License-Identifier: Apache-2.0 */
/* trust.h - who may have signed what: an envelope in, a verified alert out. The broker checks a
 * submit and every agent checks again with the same code and its own bundle (DESIGN §5). */
#ifndef TCN_TRUST_H
#define TCN_TRUST_H

#include "bundle.h"

/* Marks that travel with a verified alert; numbers as in docs/protocol.md §8, key 15. */
enum {
    TCN_MARK_STALE_TRUST = 1,
    TCN_MARK_CLOCK_SUSPECT = 2,
    TCN_MARK_BODY_TO_COME = 4,
    TCN_MARK_PUBLISHER_COMPROMISED = 8,
    TCN_MARK_EXPIRED_BY_OUR_CLOCK = 16,
    TCN_MARK_ALL_CLEAR = 32,
    TCN_MARK_TOO_EARLY = 64
};

typedef struct {
    const tcn_bundle *bundle;
    tcn_wall now;   /* the verifier's best time; its own clock alone never discards */
    bool accepting; /* a broker deciding on a new submit: expiry, validity and created (at most a
                            day ahead, not expired) count strictly. false: marks instead */
} tcn_trust_view;

/* Only this module makes one. The views point into the envelope. */
typedef struct {
    tcn_bytes envelope;
    tcn_cose cose;
    tcn_alert alert;
    tcn_hash payload_hash;
    unsigned approvals;        /* distinct approvers so far, the author included if it is one */
    unsigned approvals_needed; /* 0 for what needs none */
    unsigned marks;
} tcn_verified;

/* Everything that can be said of an alert without its references: structure, program, author,
 * grants (topic, TLP, emergency), every signature, the two-person rule as counts.
 * TCN_NOT_DELIVERABLE is never returned for missing approvals: compare the two counts.
 * TCN_CANNOT_YET: a kid that the bundle does not know, and accepting is false: the caller parks it
 * if the frame's need is above the bundle's version, and else rejects it as TCN_UNKNOWN_KEY, which
 * is what accepting gets. TCN_STALE: the bundle expired (bulk), or its grace is over (emergency).
 * TCN_VOIDED: created after a signer was compromised; TCN_REVOKED: suspended or retired then, or,
 * accepting, not active now. Others: TCN_MALFORMED, TCN_WRONG_TYPE, TCN_BAD_SIGNATURE,
 * TCN_WRONG_ROLE, TCN_TOPIC_DENIED, TCN_TLP_DENIED, TCN_DENIED (emergency not granted),
 * TCN_EXPIRED, TCN_TOO_EARLY, TCN_WRONG_PROGRAM, TCN_TOO_LARGE. fault tells cause and remedy.
 * Marks that can be set: stale-trust, publisher-compromised (any signer), expired-by-our-clock,
 * too-early, and all-clear on the cancel that says so; the others are the agent's own. */
TCN_CHECKED tcn_err tcn_trust_verify_alert(const tcn_trust_view *view, tcn_bytes envelope,
                                           tcn_verified *ret_verified, tcn_fault *fault);

/* May `alert` (update or cancel) refer to `target`? Program, lane, status, author (or approver for
 * a cancel). TCN_DENIED with the reason. */
TCN_CHECKED tcn_err tcn_trust_check_reference(const tcn_trust_view *view,
                                              const tcn_alert_meta *alert,
                                              const tcn_alert_meta *target, tcn_fault *fault);

/* Verifies one approver's signature on a held payload: role, state, validity, not yet among the
 * signers of the envelope (TCN_CONFLICT), room for one more (TCN_FULL). Always judged as accepting:
 * an approval happens now. *ret_signer views signature. */
TCN_CHECKED tcn_err tcn_trust_verify_approval(const tcn_trust_view *view, tcn_bytes envelope,
                                              tcn_bytes signature, tcn_cose_signer *ret_signer,
                                              tcn_fault *fault);
/* The envelope with one more signer; into the caller's memory (ENVELOPE_BYTES). */
TCN_CHECKED tcn_err tcn_trust_add_signer(tcn_bytes envelope, const tcn_cose_signer *signer,
                                         uint8_t *ret_envelope, size_t cap, size_t *ret_len);
/* An approver's signature on payload as APPROVE carries it (bstr .cbor signature's content). */
TCN_CHECKED tcn_err tcn_trust_approve(const tcn_id *program, tcn_bytes payload,
                                      const tcn_sign_secret *secret, uint8_t *ret_signature,
                                      size_t cap, size_t *ret_len);

#endif
