/* SPDX-License-Identifier: Apache-2.0 */
/* prune.c - see prune.h. */
#include "prune.h"

#include "alerts.h"
#include "bodies.h"

enum { ROWS = 256, TOMBSTONE_DAYS = 366 };

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
        tcn_key key = tcn_key_of(found);
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
    tcn_key forget = tcn_key_timer((tcn_wall){b->now.unix_ms + TOMBSTONE_DAYS * TCN_DAY_MS},
                                   TCN_TIMER_FORGET, id);
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
    unsigned left = ROWS;
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
