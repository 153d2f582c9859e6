/* SPDX-License-Identifier: Apache-2.0 */
/* deliver.c - see deliver.h. */
#include "deliver.h"

#include "alerts.h"
#include "journal.h"
#include "prune.h"

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
