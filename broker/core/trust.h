/* SPDX-License-Identifier: Apache-2.0 */
/* trust.h - rosters: taking a newer one into force, telling everybody, and what it widened or
 * narrowed for whom. Owns: the key V (with voiding.h).
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

TCN_CHECKED tcn_err tcn_trust_get(tcn_call *call);
/* Queues TRUST and CARD if they are newer than what the peer holds. */
TCN_CHECKED tcn_err tcn_trust_greet(tcn_broker *b, const tcn_session *session);

#endif
