/* SPDX-License-Identifier: Apache-2.0 */
/* held.h - where a submit waits until it is deliverable, and what happens when it is.
 * Owns: the keys H and W. States: docs/decisions/0002-broker-core.md. */
#ifndef TCN_BROKER_HELD_H
#define TCN_BROKER_HELD_H

#include "call.h"
#include "libtocsin/trust.h"

/* What a held alert waits for; the numbers are those of alert-item 17. */
enum { TCN_WAITS_APPROVALS = 1, TCN_WAITS_BODY = 2, TCN_WAITS_NOT_BEFORE = 4 };

/* A verified alert on its way through one function to the next. */
typedef struct {
    tcn_id id;
    tcn_index index;
    const tcn_verified *verified;
} tcn_submission;

tcn_trust_view tcn_view(const tcn_broker *b); /* what a broker accepts by */
unsigned tcn_held_waits(const tcn_broker *b, const tcn_index *index, unsigned approvals);

/* Accepts what was verified and checked: logged if nothing is missing, else held. */
TCN_CHECKED tcn_err tcn_held_accept(tcn_broker *b, tcn_submission *s);
/* How many alerts of this author are held, and how many of those wait for their body. */
TCN_CHECKED tcn_err tcn_held_count(tcn_broker *b, const char *author, unsigned *ret_held,
                                   unsigned *ret_bodies);
/* The envelope of a held alert; a view into the store. */
TCN_CHECKED tcn_err tcn_held_envelope(tcn_broker *b, const tcn_id *id, tcn_bytes *ret_envelope);
/* Looks at a held alert again: logs it if nothing is missing any more, drops it if it cannot be
 * accepted any more. *ret_index is what it is then. */
TCN_CHECKED tcn_err tcn_held_review(tcn_broker *b, const tcn_id *id, tcn_index *ret_index);
/* Lets go of a held alert; state says why: cancelled, lapsed, voided. */
TCN_CHECKED tcn_err tcn_held_drop(tcn_broker *b, const tcn_id *id, tcn_index *index,
                                  tcn_state state);
/* As if it had never been submitted: the author may use the id again. */
TCN_CHECKED tcn_err tcn_held_forget(tcn_broker *b, const tcn_id *id, const tcn_index *index);

TCN_CHECKED tcn_err tcn_held_approve(tcn_call *call);
TCN_CHECKED tcn_err tcn_held_timer(tcn_broker *b, const tcn_id *id, tcn_timer_kind kind);

#endif
