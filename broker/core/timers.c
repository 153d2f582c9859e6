/* SPDX-License-Identifier: Apache-2.0 */
/* timers.c - see timers.h. */
#include "timers.h"

#include "fanout.h"
#include "held.h"
#include "ledger.h"
#include "prune.h"
#include "session.h"
#include "trust.h"
#include "voiding.h"

enum { TIMERS_A_TICK = 64 };

/* ---- durable timers ---- */

static tcn_err fire(tcn_broker *b, tcn_timer_kind kind, const tcn_id *id, bool *ret_more)
{
    tcn_key tombstone;
    switch (kind) {
    case TCN_TIMER_NOT_BEFORE:
    case TCN_TIMER_LAPSE: return tcn_held_timer(b, id, kind);
    case TCN_TIMER_PRUNE: return tcn_alert_prune(b, id, ret_more);
    case TCN_TIMER_FORGET: tombstone = tcn_key_id('X', id); return tcn_db_del(b, &tombstone);
    }
    return TCN_OK; /* of a newer version */
}

static tcn_err fire_due(tcn_broker *b)
{
    tcn_key prefix = tcn_key_plain('T');
    for (unsigned i = 0; i < TIMERS_A_TICK; i++) {
        tcn_bytes found, value;
        tcn_id id;
        bool more = false;
        tcn_err err = tcn_db_seek(b, &prefix, &prefix, &found, &value);
        if (err == TCN_NOT_FOUND)
            return TCN_OK;
        if (err != TCN_OK)
            return err;
        tcn_wall due = {(int64_t)tcn_key_u64_at(found, 1)};
        if (due.unix_ms > b->now.unix_ms || !tcn_key_id_at(found, 10, &id))
            return TCN_OK;
        tcn_timer_kind kind = (tcn_timer_kind)found.ptr[9];
        tcn_key key = tcn_key_timer(due, kind, &id);
        err = tcn_db_del(b, &key);
        if (err == TCN_OK)
            err = fire(b, kind, &id, &more);
        if (tcn_spoils(err))
            return err;
        if (more)
            return tcn_db_mark(b, &key); /* the rest in the next tick */
    }
    return TCN_OK;
}

void tcn_timers_load(tcn_broker *b)
{
    const tcn_store *store = &b->ports.store;
    tcn_key prefix = tcn_key_plain('T');
    tcn_bytes found, value;
    if (b->timers_known)
        return;
    tcn_err err = store->ops->begin(store->self, TCN_TXN_READ);
    if (err == TCN_OK) {
        err = tcn_db_seek(b, &prefix, &prefix, &found, &value);
        b->timer.unix_ms = err == TCN_OK ? (int64_t)tcn_key_u64_at(found, 1) : 0;
        b->timers_known = err == TCN_OK || err == TCN_NOT_FOUND;
    }
    store->ops->abort(store->self);
}

/* ---- the tick ---- */

static bool is_due(tcn_mono at, tcn_mono now)
{
    return at.ms != 0 && at.ms <= now.ms;
}

static void tick_effect(tcn_broker *b, const void *data, tcn_bytes tail)
{
    (void)data;
    (void)tail;
    b->timers_known = false;
    b->hold_off.ms = 0;
    if (is_due(b->retry_at, b->mono))
        tcn_fanout_retry(b);
    if (is_due(b->sweep_at, b->mono))
        tcn_sessions_sweep(b);
}

tcn_err tcn_timers_tick(tcn_broker *b)
{
    tcn_err err = fire_due(b);
    if (err == TCN_OK && b->reconcile_due)
        err = tcn_trust_reconcile(b);
    if (err == TCN_OK && b->voiding)
        err = tcn_void_some(b);
    if (err == TCN_OK && is_due(b->flush_at, b->mono))
        err = tcn_ledger_flush(b);
    return err == TCN_OK ? tcn_effect_add(b, TCN_RANK_MEMORY, tick_effect, TCN_NO_TAIL, TCN_NO_TAIL)
                         : err;
}

void tcn_timers_back_off(tcn_broker *b)
{
    b->hold_off.ms = b->mono.ms + TCN_SWEEP_MS;
    /* What needs no store must not wait for room in it. */
    if (is_due(b->retry_at, b->mono))
        tcn_fanout_retry(b);
    tcn_sessions_sweep(b);
}

static void sooner(uint64_t *least, uint64_t at)
{
    if (at < *least)
        *least = at;
}

tcn_mono tcn_timers_deadline(const tcn_broker *b)
{
    uint64_t least = UINT64_MAX, work = UINT64_MAX;
    if (b->again)
        return b->mono;
    if (b->sweep_at.ms != 0)
        sooner(&least, b->sweep_at.ms);
    if (b->retry_at.ms != 0)
        sooner(&least, b->retry_at.ms);
    if (b->flush_at.ms != 0)
        sooner(&work, b->flush_at.ms);
    if (b->voiding)
        sooner(&work, b->mono.ms);
    if (b->reconcile_due)
        sooner(&work, b->mono.ms + TCN_SWEEP_MS);
    if (b->timer.unix_ms != 0) {
        int64_t wait = b->timer.unix_ms - b->now.unix_ms;
        sooner(&work, wait > 0 ? b->mono.ms + (uint64_t)wait : b->mono.ms);
    }
    if (work < b->hold_off.ms)
        work = b->hold_off.ms;
    sooner(&least, work);
    return (tcn_mono){least};
}
