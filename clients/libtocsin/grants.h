/* SPDX-License-Identifier: Apache-2.0 */
/* grants.h - what a card and an issuer say in the same way: lists of patterns, and a state.
 * Internal to libtocsin's object modules. */
#ifndef TCN_GRANTS_H
#define TCN_GRANTS_H

#include "card.h"
#include "fields.h"

typedef char tcn_pattern_row[TCN_MAX_TOPIC_CHARS + 1];

/* At most PATTERNS patterns into malloc'd rows (NULL when none). TCN_NO_MEMORY fails the reader. */
void tcn_patterns_get(tcn_cbor_reader *r, unsigned *ret_count, tcn_pattern_row **ret_rows);
void tcn_patterns_put(tcn_cbor_writer *w, unsigned count, const tcn_pattern_row *rows);
TCN_CHECKED tcn_err tcn_patterns_copy(unsigned count, const tcn_pattern_row *rows,
                                      tcn_pattern_row **ret_rows);
/* Is the topic in any of them? */
bool tcn_patterns_match(unsigned count, const tcn_pattern_row *rows, tcn_bytes topic);

/* [0] or [1..3, since]. */
void tcn_state_get(tcn_cbor_reader *r, tcn_member_state *ret_state, tcn_wall *ret_since);
void tcn_state_put(tcn_cbor_writer *w, tcn_member_state state, tcn_wall since);

/* from ms, until ms: until after from. */
void tcn_validity_get(tcn_cbor_reader *r, tcn_wall *ret_from, tcn_wall *ret_until);
void tcn_validity_put(tcn_cbor_writer *w, tcn_wall from, tcn_wall until);
bool tcn_validity_has(tcn_wall from, tcn_wall until, tcn_wall at);

#endif
