/* SPDX-License-Identifier: Apache-2.0 */
/* trust.h - rosters: taking a newer one into force, telling everybody, and what it widened or
 * narrowed for whom. Owns: the keys D, d and V.
 *
 *   adopt      memory: cards, classes; connections of whoever was narrowed are cut first
 *   push       TRUST and CARD to every session, before any ALERTS that needs them
 *   reconcile  store: a new generation for a node that may have more now, the old terms kept for
 *              cancels where it may have less; also at start, for what changed while we were off */
#ifndef TCN_BROKER_TRUST_H
#define TCN_BROKER_TRUST_H

#include "call.h"

/* TCN_IN_TRUST. */
TCN_CHECKED tcn_err tcn_trust_apply(tcn_broker *b, tcn_roster *roster);
/* The same where the store has no room: in force in memory at once, reconciled later. */
void tcn_trust_refused(tcn_broker *b, tcn_roster *roster);
/* At start and after a refusal: brings the store up to the roster in force. */
TCN_CHECKED tcn_err tcn_trust_reconcile(tcn_broker *b);
/* At start: the nodes of the roster. */
TCN_CHECKED tcn_err tcn_trust_prepare(tcn_broker *b, tcn_roster *roster);
void tcn_trust_adopt(tcn_broker *b);  /* settle: what was prepared */
void tcn_trust_forget(tcn_broker *b); /* discard */

/* Marks the alerts of compromised members, a bounded number. */
TCN_CHECKED tcn_err tcn_trust_void_some(tcn_broker *b);

TCN_CHECKED tcn_err tcn_trust_get(tcn_call *call);
TCN_CHECKED tcn_err tcn_trust_roster_put(tcn_call *call);
/* Queues TRUST and CARD if they are newer than what the peer holds. */
TCN_CHECKED tcn_err tcn_trust_greet(tcn_broker *b, const tcn_session *session);

/* Writes what a node's terms are now; raises its generation if they became wider and keeps the old
 * ones if they became narrower. */
typedef struct {
    const char *name;
    bool active;
    const tcn_terms *terms;
    const tcn_id *instance; /* NULL: as it was */
    bool found;             /* make the record if there is none */
} tcn_node_change;
typedef struct {
    uint64_t generation; /* 0: there is no record */
    bool widened, narrowed;
} tcn_node_changed;
TCN_CHECKED tcn_err tcn_trust_node_change(tcn_broker *b, const tcn_node_change *change,
                                          tcn_node_changed *ret_changed);
/* Terms that a node once had, for what was sent up to a place. From the oldest on: begin with an
 * empty key. Views into the store. False: no more. */
typedef struct {
    uint64_t through[TCN_LANES];
    bool narrowed; /* it had more then than afterwards */
    tcn_terms terms;
} tcn_past;
bool tcn_past_next(tcn_broker *b, const char *name, tcn_key *from, tcn_past *ret_past);
/* The subscriptions that the node's record has; views into the store. TCN_NOT_FOUND. */
TCN_CHECKED tcn_err tcn_trust_node_terms(tcn_broker *b, const char *name, tcn_terms *ret_terms);

#endif
