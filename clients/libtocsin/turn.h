/* SPDX-License-Identifier: Apache-2.0 */
/* turn.h - commit, then speak: one transaction over a batch of inputs, replayed singly if it fails
 * (DESIGN §2). Both cores run on this; it knows nothing of what an input is. */
#ifndef TCN_TURN_H
#define TCN_TURN_H

#include "ports.h"

typedef struct {
    /* Applies input i to the open transaction and queues what is to be said and remembered.
     * A refusal of the input is not an error here: it is queued as an answer and TCN_OK returned.
     * TCN_FULL, TCN_IO, TCN_NO_MEMORY: the transaction is spoiled. */
    tcn_err (*apply)(void *core, size_t i);
    /* After a commit: do what was queued (change memory, send). */
    void (*settle)(void *core);
    /* After an abort: drop what was queued. Memory is as it was before the turn. */
    void (*discard)(void *core);
    /* Input i failed alone with err: queue a refusal to its sender (nothing durable). */
    void (*refuse)(void *core, size_t i, tcn_err err);
    /* Is input i an emergency? Those are replayed first. */
    bool (*is_urgent)(void *core, size_t i);
} tcn_turn_ops;

/* Runs one turn. TCN_OK also if inputs were refused. TCN_IO: store broken, nothing was said.
 * *ret_replayed is true if the batch had to be replayed singly. */
TCN_CHECKED tcn_err tcn_turn_run(const tcn_turn_ops *ops, void *core, const tcn_store *store,
                                 size_t count, bool *ret_replayed);

#endif
