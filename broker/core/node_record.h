/* SPDX-License-Identifier: Apache-2.0 */
/* node_record.h - what the store knows of a node: its generation, its terms, and the terms it once
 * had. Owns: the keys D and d. All calls want an open transaction. */
#ifndef TCN_BROKER_NODE_RECORD_H
#define TCN_BROKER_NODE_RECORD_H

#include "state.h"

typedef struct {
    const char *name;
    bool active;
    const tcn_terms *terms;
    const tcn_id *instance; /* NULL: as it was */
    bool found;             /* make the record if there is none */
} tcn_node_change;

typedef struct {
    uint64_t generation; /* 0: there is no record */
    bool widened; /* there may be something for it that it was not sent: narrowed does that, too */
    bool narrowed;
} tcn_node_changed;

/* Writes what a node's terms are now; raises its generation if there may be something that it has
 * now and had not, and keeps the old ones if they changed (tcn_past). */
TCN_CHECKED tcn_err tcn_node_record_change(tcn_broker *b, const tcn_node_change *change,
                                           tcn_node_changed *ret_changed);

/* Terms that a node once had, for what was sent up to a place. Views into the store. */
typedef struct {
    uint64_t through[TCN_LANES];
    bool narrowed; /* it had more then than afterwards */
    tcn_terms terms;
} tcn_past;

/* From the oldest on: begin with an empty key. False: no more. */
bool tcn_past_next(tcn_broker *b, const char *name, tcn_key *from, tcn_past *ret_past);
/* The subscriptions that the node's record has; views into the store. TCN_NOT_FOUND. */
TCN_CHECKED tcn_err tcn_node_record_terms(tcn_broker *b, const char *name, tcn_terms *ret_terms);

#endif
