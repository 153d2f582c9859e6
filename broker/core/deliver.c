/* SPDX-License-Identifier: Apache-2.0 */
/* deliver.c - see deliver.h. */
#include "deliver.h"

#include "bodies.h"
#include "journal.h"

enum { PRUNE_ROWS = 256 };
#define TOMBSTONE_MS (INT64_C(366) * 86400000)

/* ---- lists ---- */

tcn_err tcn_alert_list(tcn_broker *b, const tcn_id *id, const tcn_index *index)
{
    tcn_key all = tcn_key_accepted(index->accepted, id);
    tcn_key own = tcn_key_of_publisher(index->publisher, index->accepted, id);
    tcn_err err = tcn_db_mark(b, &all);
    return err == TCN_OK ? tcn_db_mark(b, &own) : err;
}

tcn_err tcn_alert_unlist(tcn_broker *b, const tcn_id *id, const tcn_index *index)
{
    tcn_key all = tcn_key_accepted(index->accepted, id);
    tcn_key own = tcn_key_of_publisher(index->publisher, index->accepted, id);
    tcn_err err = tcn_db_del(b, &all);
    return err == TCN_OK ? tcn_db_del(b, &own) : err;
}

tcn_err tcn_alert_load(tcn_broker *b, const tcn_id *id, const tcn_index *index,
                       tcn_alert *ret_alert)
{
    tcn_bytes held;
    tcn_entry scratch;
    const tcn_entry *e;
    if (index->seq > 0) {
        tcn_err err = tcn_journal_at(b, index->lane, index->seq, &scratch, &e);
        if (err == TCN_OK)
            *ret_alert = e->alert;
        return err;
    }
    tcn_err err = tcn_held_envelope(b, id, &held);
    return err == TCN_OK ? tcn_envelope_alert(held, ret_alert) : err;
}

/* ---- what it refers to ---- */

static tcn_err touch_target(tcn_broker *b, const tcn_submission *s, const tcn_id *target)
{
    tcn_index index;
    bool cancel = s->index.kind == TCN_KIND_CANCEL;
    tcn_err err = tcn_db_index(b, target, &index);
    if (err != TCN_OK)
        return tcn_spoils(err) ? err : TCN_OK; /* pruned while this was held */
    if (cancel && index.state == TCN_STATE_HELD) {
        index.cancelled_by = s->id;
        return tcn_held_drop(b, target, &index, TCN_STATE_CANCELLED);
    }
    if (index.seq == 0 || index.state == TCN_STATE_CANCELLED || index.state == TCN_STATE_VOIDED)
        return TCN_OK;
    index.state = cancel ? TCN_STATE_CANCELLED : TCN_STATE_SUPERSEDED;
    if (cancel) {
        index.cancelled_by = s->id;
    } else {
        index.superseded_by = s->id;
        index.superseded_at = s->index.seq;
    }
    err = tcn_db_put_index(b, target, &index);
    return err == TCN_OK ? tcn_journal_mark(b, index.lane, index.seq, cancel ? 0 : s->index.seq)
                         : err;
}

/* A cancel lasts as long as what it cancels, and is decided node by node if that was.
 * *ret_logged: is any of it in the journal? */
static tcn_err inherit(tcn_broker *b, tcn_submission *s, const tcn_alert_meta *meta,
                       bool *ret_logged)
{
    *ret_logged = false;
    for (unsigned i = 0; i < meta->references; i++) {
        tcn_index target;
        tcn_err err = tcn_db_index(b, &meta->reference[i], &target);
        if (err != TCN_OK) {
            if (tcn_spoils(err))
                return err;
            continue;
        }
        if (target.seq == 0)
            continue;
        *ret_logged = true;
        if (target.until.unix_ms > s->index.until.unix_ms)
            s->index.until = target.until;
        s->index.flags |= target.flags & TCN_FLAG_AUDIENCE;
    }
    return TCN_OK;
}

static void accepted_effect(tcn_broker *b, const void *data, tcn_bytes tail)
{
    (void)data;
    (void)tail;
    b->stats.accepted++;
    b->timers_known = false;
}

tcn_err tcn_deliver(tcn_broker *b, tcn_submission *s)
{
    const tcn_alert_meta *meta = &s->verified->alert.meta;
    bool logged = true;
    tcn_err err = TCN_OK;
    s->index.state = TCN_STATE_IN_FORCE;
    s->index.accepted = b->now;
    s->index.until = s->index.expires;
    if (meta->kind == TCN_KIND_CANCEL)
        err = inherit(b, s, meta, &logged);
    if (err == TCN_OK && logged)
        err = tcn_journal_append(b, &s->id, &s->index, s->verified->envelope);
    for (unsigned i = 0; err == TCN_OK && i < meta->references; i++)
        err = touch_target(b, s, &meta->reference[i]);
    if (err == TCN_OK)
        err = tcn_db_put_index(b, &s->id, &s->index);
    if (err == TCN_OK)
        err = tcn_alert_list(b, &s->id, &s->index);
    if (err == TCN_OK)
        err = tcn_alert_prune_later(b, &s->id, &s->index);
    return err == TCN_OK
               ? tcn_effect_add(b, TCN_RANK_MEMORY, accepted_effect, TCN_NO_TAIL, TCN_NO_TAIL)
               : err;
}

/* ---- pruning ---- */

static tcn_wall prune_at(const tcn_broker *b, const tcn_index *index)
{
    return (tcn_wall){index->until.unix_ms + (int64_t)b->config.keep_ms};
}

tcn_err tcn_alert_prune_later(tcn_broker *b, const tcn_id *id, const tcn_index *index)
{
    tcn_key key = tcn_key_timer(prune_at(b, index), TCN_TIMER_PRUNE, id);
    return tcn_db_mark(b, &key);
}

/* Deletes rows with this prefix, at most *left of them. */
static tcn_err delete_some(tcn_broker *b, const tcn_key *prefix, unsigned *left)
{
    tcn_bytes found, value;
    tcn_err err = TCN_OK;
    while (*left > 0) {
        err = tcn_db_seek(b, prefix, prefix, &found, &value);
        if (err != TCN_OK)
            break;
        tcn_key key = {.len = found.len < sizeof(key.b) ? found.len : sizeof(key.b)};
        for (size_t i = 0; i < key.len; i++)
            key.b[i] = found.ptr[i];
        err = tcn_db_del(b, &key);
        if (err != TCN_OK)
            break;
        (*left)--;
    }
    return err == TCN_NOT_FOUND ? TCN_OK : err;
}

static tcn_err bury(tcn_broker *b, const tcn_id *id, const tcn_index *index)
{
    tcn_key tombstone = tcn_key_id('X', id);
    tcn_key forget = tcn_key_timer((tcn_wall){b->now.unix_ms + TOMBSTONE_MS}, TCN_TIMER_FORGET, id);
    tcn_key gone[] = {
        tcn_key_id('A', id), tcn_key_handle(tcn_bytes_str(index->handle), index->publisher),
        tcn_key_seq('J', index->lane, index->seq), tcn_key_seq('Q', index->lane, index->seq)};
    tcn_err err = tcn_alert_unlist(b, id, index);
    for (size_t i = 0; err == TCN_OK && i < sizeof(gone) / sizeof(gone[0]); i++)
        err = tcn_db_del(b, &gone[i]);
    if (err == TCN_OK)
        err = tcn_db_put_raw(b, &tombstone,
                             tcn_bytes_of(index->payload_hash.b, sizeof(index->payload_hash.b)));
    if (err == TCN_OK)
        err = tcn_db_mark(b, &forget);
    if (err == TCN_OK && (index->flags & TCN_FLAG_EXTERNAL) != 0)
        err = tcn_body_remove(b, id);
    return err;
}

tcn_err tcn_alert_prune(tcn_broker *b, const tcn_id *id, bool *ret_more)
{
    tcn_index index;
    unsigned left = PRUNE_ROWS;
    *ret_more = false;
    tcn_err err = tcn_db_index(b, id, &index);
    if (err != TCN_OK)
        return tcn_spoils(err) ? err : TCN_OK;
    /* A cancel that came later may have made it last longer; the timer was set for the first. */
    if (prune_at(b, &index).unix_ms > b->now.unix_ms)
        return tcn_alert_prune_later(b, id, &index);
    const char rows[] = {'R', 'E', 'K'};
    for (size_t i = 0; i < sizeof(rows); i++) {
        tcn_key prefix = tcn_key_id(rows[i], id);
        err = delete_some(b, &prefix, &left);
        if (err != TCN_OK)
            return err;
    }
    *ret_more = left == 0;
    return *ret_more ? TCN_OK : bury(b, id, &index);
}
