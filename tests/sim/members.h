/* SPDX-License-Identifier: Apache-2.0 */
/* members.h - who is in the program: random cards, how they change, and the trust versions that the
 * authority signed, each with the model's own copy of the cards. */
#ifndef TOCSIN_SIM_MEMBERS_H
#define TOCSIN_SIM_MEMBERS_H

#include "sim.h"

#define SIM_TOPICS 8
#define SIM_PATTERNS 10
#define SIM_COMMUNITIES 3
extern const char *const sim_topics[SIM_TOPICS];
extern const char *const sim_patterns[SIM_PATTERNS];
extern const char *const sim_communities[SIM_COMMUNITIES];
#define SIM_ALL_TOPICS 1u /* the pattern ">" */

/* The first cast, and trust version 1. */
void sim_members_found(sim *s);
void sim_members_free(sim *s);
unsigned sim_member_find(const sim *s, const char *name);
/* Puts the draft's card of this member into the world's draft; sim_members_sign makes it count. */
void sim_member_put(sim *s, unsigned member);
/* A new trust version; false: there are too many. */
bool sim_members_sign(sim *s);
const sim_card *sim_card_at(const sim *s, uint64_t version, unsigned member);
/* A random change of the draft, signed. */
void sim_members_change(sim *s);

/* The strings of a set, NULL at the end. */
void sim_strings(const char *const *table, unsigned set, const char **ret_list);

#endif
