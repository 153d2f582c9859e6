/* SPDX-License-Identifier: Apache-2.0 */
/* turn.c - one transaction over a batch; where it fails, one over each input, so that what cannot
 * be stored takes nothing else down with it. */
#include "turn.h"

/* Applies one input or the whole batch in one transaction. But for TCN_OK nothing happened. */
static tcn_err attempt(const tcn_turn_ops *ops, void *core, const tcn_store *store, size_t first,
                       size_t count)
{
    tcn_err err = store->ops->begin(store->self, TCN_TXN_WRITE);
    for (size_t i = first; err == TCN_OK && i < first + count; i++)
        err = ops->apply(core, i);
    if (err == TCN_OK)
        err = store->ops->commit(store->self);
    if (err != TCN_OK) {
        store->ops->abort(store->self);
        ops->discard(core);
        return err;
    }
    ops->settle(core);
    return TCN_OK;
}

/* TCN_IO only: every other failure is this input's own and is told to its sender. */
static tcn_err replay_one(const tcn_turn_ops *ops, void *core, const tcn_store *store, size_t i)
{
    tcn_err err = attempt(ops, core, store, i, 1);
    if (err == TCN_OK || err == TCN_IO)
        return err;
    ops->refuse(core, i, err);
    ops->settle(core);
    return TCN_OK;
}

tcn_err tcn_turn_run(const tcn_turn_ops *ops, void *core, const tcn_store *store, size_t count,
                     bool *ret_replayed)
{
    *ret_replayed = false;
    if (count == 0) {
        ops->settle(core);
        return TCN_OK;
    }
    tcn_err err = attempt(ops, core, store, 0, count);
    if (err == TCN_OK || err == TCN_IO)
        return err;
    /* Alone already: a second try would meet the same store. But one that failed for want of room
     * may have made some for emergencies (the ballast). */
    if (count == 1 && !(err == TCN_FULL && ops->is_urgent(core, 0))) {
        ops->refuse(core, 0, err);
        ops->settle(core);
        return TCN_OK;
    }

    *ret_replayed = true;
    for (int pass = 0; pass < 2; pass++) {
        for (size_t i = 0; i < count; i++) {
            if (ops->is_urgent(core, i) != (pass == 0))
                continue;
            err = replay_one(ops, core, store, i);
            if (err != TCN_OK)
                return err;
        }
    }
    return TCN_OK;
}
