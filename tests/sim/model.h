/* SPDX-License-Identifier: Apache-2.0 */
/* model.h - what the program promises, written simply and without the product's entitlement code:
 * who may have which alert by the cards of a trust version, the subscriptions that the broker
 * heard, and what is known of the alert. */
#ifndef TOCSIN_SIM_MODEL_H
#define TOCSIN_SIM_MODEL_H

#include "sim.h"

bool sim_topic_matches(const char *pattern, const char *topic);
/* All terms of DESIGN §6, by that version's cards and the subscriptions the broker heard last. */
bool sim_is_entitled(const sim *s, uint64_t version, unsigned member, const sim_alert *a);
/* Entitled, or it is a cancel of what the member was once entitled to. */
bool sim_may_have(const sim *s, uint64_t version, unsigned member, const sim_alert *a);
/* The author was compromised before the alert was created or certainly before it was accepted. */
bool sim_is_voided(const sim *s, uint64_t version, const sim_alert *a);
/* Could any version so far say so, or doubt its author? Then nobody can demand that it arrives. */
bool sim_is_doubtful(const sim *s, const sim_alert *a);
/* Was anybody who signed it ever not active? Then the broker may have refused it. */
bool sim_was_revoked(const sim *s, const sim_alert *a);
/* When it ends: a cancel not before what it cancels. */
int64_t sim_until(const sim *s, const sim_alert *a);
/* An accepted cancel of it; NULL: none. */
const sim_alert *sim_cancel_of(const sim *s, const sim_alert *a);
/* Must the member's node hold it as in force, at this time of the broker's clock? */
bool sim_must_hold(const sim *s, unsigned member, const sim_alert *a, int64_t wall);
/* All that it needs was there: approvals, body, time. */
bool sim_could_go_out(const sim *s, const sim_alert *a);
/* Remembers who is entitled to what at this moment. */
void sim_note_entitled(sim *s);

sim_alert *sim_alert_find(sim *s, const tcn_id *id);
/* The alert with exactly this payload; NULL: none. */
sim_alert *sim_alert_of(sim *s, tcn_bytes envelope);
unsigned sim_alert_index(const sim *s, const sim_alert *a);

#endif
