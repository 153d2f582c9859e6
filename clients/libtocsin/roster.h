/* SPDX-License-Identifier: Apache-2.0 */
/* roster.h - the roster, and the trust file [roster, bundle, cards] that brokers and operators
 * hold whole: an immutable snapshot, verified on opening, indexed by name and transport key.
 * Threads: a snapshot never changes; _ref and _unref are atomic, so ZAP and the loop share it. */
#ifndef TCN_ROSTER_H
#define TCN_ROSTER_H

#include "bundle.h"

typedef struct tcn_roster tcn_roster;

/* Verifies all signatures, that every card is in the roster with its hash and none is missing,
 * that roster and bundle have one version, program and name, and that no two members share a name
 * or a key. Copies file. Expiry is not judged here. */
TCN_CHECKED tcn_err tcn_roster_open(tcn_bytes file, const tcn_sign_public *authority,
                                    tcn_roster **ret_roster, tcn_fault *fault);
/* As tcn_roster_open, but a card counts by its hash in the signed roster; its own signature is not
 * checked. For the authority's own file, opened at every change of thousands of members. */
TCN_CHECKED tcn_err tcn_roster_open_own(tcn_bytes file, const tcn_sign_public *authority,
                                        tcn_roster **ret_roster, tcn_fault *fault);
tcn_roster *tcn_roster_ref(tcn_roster *roster);
void tcn_roster_unref(tcn_roster **roster);

uint64_t tcn_roster_version(const tcn_roster *roster);
tcn_wall tcn_roster_issued(const tcn_roster *roster);
tcn_wall tcn_roster_expires(const tcn_roster *roster);
const tcn_bundle *tcn_roster_bundle(const tcn_roster *roster);
tcn_bytes tcn_roster_bundle_envelope(const tcn_roster *roster);
size_t tcn_roster_members(const tcn_roster *roster);
const tcn_card *tcn_roster_member(const tcn_roster *roster, size_t index); /* by name, ascending */
tcn_bytes tcn_roster_card_envelope(const tcn_roster *roster, size_t index);
/* SIZE_MAX if there is none. */
size_t tcn_roster_find(const tcn_roster *roster, const char *name);
/* The member with this transport key, valid at that time in an active card; SIZE_MAX if none. */
size_t tcn_roster_find_transport(const tcn_roster *roster, const tcn_box_public *key, tcn_wall at);

/* What the authority keeps and signs anew at each change. Cards are borrowed. */
typedef struct {
    const char *program_name;
    uint64_t version;
    tcn_wall issued, expires;
    tcn_policy policy;
    unsigned brokers;
    const tcn_broker_entry *broker;
    size_t cards;
    const tcn_card *card; /* any order; each with its final version */
} tcn_roster_draft;

/* Signs cards, roster and bundle and writes the trust file; *ret_file is malloc'd. Cards whose
 * entry in previous (may be NULL) has the same version are carried over as they were signed. */
TCN_CHECKED tcn_err tcn_roster_sign(const tcn_roster_draft *draft, const tcn_sign_secret *authority,
                                    const tcn_roster *previous, uint8_t **ret_file, size_t *ret_len,
                                    tcn_fault *fault);

#endif
