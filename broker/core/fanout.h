/* SPDX-License-Identifier: Apache-2.0 */
/* fanout.h - sends what the journal holds to whom it is owed, as far as windows allow.
 * Runs in settle only. A frame is made once for a class and a place, and shared; what must be
 * decided node by node travels in frames of its own. A node that lags costs only itself. */
#ifndef TCN_BROKER_FANOUT_H
#define TCN_BROKER_FANOUT_H

#include "state.h"

/* What a tracked alert needs when it is receipted. */
typedef struct {
    tcn_id id;
    bool external; /* its receipt waits for the body */
} tcn_tracked;

/* What a class is owed of the entries behind `from` up to `to`, or one entry that is decided node
 * by node. Counted references: of caches, of what is in flight, of the list of framed ones. */
struct tcn_batch {
    unsigned refs;
    uint64_t from, to, tag, revision;
    tcn_wall until; /* the first expiry within: then it is made anew */
    uint8_t *bytes; /* the frame; NULL: nothing in the range is owed */
    size_t len;
    tcn_frame *frame; /* of the net port; only within one settle */
    tcn_batch *next_framed;
    unsigned tracked;
    tcn_tracked *track;
};

void tcn_batch_unref(tcn_broker *b, tcn_batch *batch);

/* Serves one lane. */
void tcn_fanout_run(tcn_broker *b, tcn_lane lane);
/* The transport may take more again: every link that was full. */
void tcn_fanout_retry(tcn_broker *b);
/* At the end of settle: frames shared within the turn go back to the net port. */
void tcn_fanout_release(tcn_broker *b);
void tcn_fanout_forget_class(tcn_broker *b, tcn_class *class);
void tcn_fanout_free(tcn_broker *b);

/* Is ALERTS sent and SUBMIT taken at all? Not while members hold newer trust than we. */
bool tcn_is_serving(const tcn_broker *b);

#endif
