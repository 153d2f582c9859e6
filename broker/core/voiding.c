/* SPDX-License-Identifier: Apache-2.0 */
/* voiding.c - see voiding.h. */
#include "voiding.h"

#include <string.h>

#include "held.h"

enum { ALERTS_A_TICK = 256 };

typedef struct {
    bool voiding;
    tcn_key from; /* empty: from the start of the next member */
} progress;

static void progress_effect(tcn_broker *b, const void *data, tcn_bytes tail)
{
    const progress *p = data;
    (void)tail;
    b->voiding = p->voiding;
    b->void_from = p->from;
}

static tcn_err void_one(tcn_broker *b, const tcn_id *id, const char *member, tcn_wall since)
{
    tcn_index index;
    tcn_err err = tcn_db_index(b, id, &index);
    if (err != TCN_OK)
        return tcn_spoils(err) ? err : TCN_OK;
    if (strcmp(index.author, member) != 0 || index.state == TCN_STATE_VOIDED ||
        (index.created.unix_ms < since.unix_ms && index.accepted.unix_ms < since.unix_ms))
        return TCN_OK;
    tcn_log_line(b, TCN_EVENT_VOIDED, "%s of %s: its author was compromised", index.handle,
                 index.publisher);
    if (index.state == TCN_STATE_HELD)
        return tcn_held_drop(b, id, &index, TCN_STATE_VOIDED);
    index.state = TCN_STATE_VOIDED;
    return tcn_db_put_index(b, id, &index);
}

/* The next member whose alerts are not all marked. TCN_NOT_FOUND: done. */
static tcn_err next_member(tcn_broker *b, char ret_name[static TCN_MAX_NAME_CHARS + 1],
                           tcn_wall *ret_since)
{
    tcn_key prefix = tcn_key_plain('V'), from = prefix;
    tcn_bytes key, value;
    tcn_err err;
    while ((err = tcn_db_seek(b, &prefix, &from, &key, &value)) == TCN_OK) {
        uint64_t row[2];
        tcn_key row_key = tcn_key_of(key);
        from = tcn_key_after(key);
        if (tcn_db_u64s(b, &row_key, row, 2) != TCN_OK || row[1] != 0 ||
            row_key.len - 1 > TCN_MAX_NAME_CHARS)
            continue;
        memcpy(ret_name, row_key.b + 1, row_key.len - 1);
        ret_name[row_key.len - 1] = '\0';
        *ret_since = (tcn_wall){(int64_t)row[0]};
        return TCN_OK;
    }
    return err;
}

tcn_err tcn_void_some(tcn_broker *b)
{
    char name[TCN_MAX_NAME_CHARS + 1];
    tcn_wall since;
    progress p = {.voiding = true};
    tcn_err err = next_member(b, name, &since);
    if (err == TCN_NOT_FOUND) {
        p.voiding = false;
        return tcn_effect_add(b, TCN_RANK_MEMORY, progress_effect, TCN_EFFECT_DATA(p), TCN_NO_TAIL);
    }
    if (err != TCN_OK)
        return err;
    tcn_key prefix = tcn_key_name0('P', name);
    p.from = b->void_from.len > 0 ? b->void_from : prefix;
    for (unsigned i = 0; err == TCN_OK && i < ALERTS_A_TICK; i++) {
        tcn_bytes key, value;
        tcn_id id;
        err = tcn_db_seek(b, &prefix, &p.from, &key, &value);
        if (err != TCN_OK)
            break;
        p.from = tcn_key_after(key);
        if (tcn_key_id_at(key, prefix.len + 8, &id))
            err = void_one(b, &id, name, since);
    }
    if (err == TCN_NOT_FOUND) {
        uint64_t done[2] = {(uint64_t)since.unix_ms, 1};
        tcn_key row = tcn_key_name('V', name);
        p.from.len = 0;
        err = tcn_db_put_u64s(b, &row, done, 2);
    }
    return err == TCN_OK ? tcn_effect_add(b, TCN_RANK_MEMORY, progress_effect, TCN_EFFECT_DATA(p),
                                          TCN_NO_TAIL)
                         : err;
}
