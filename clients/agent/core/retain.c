/* SPDX-License-Identifier: Apache-2.0 */
/* retain.c - see retain.h. */
#include "retain.h"

#include "agent_time.h"
#include "cache.h"

#define PER_TURN 64u
#define EVERY_MS 10000u

static tcn_err take_due(tcn_agent *a, tcn_agent_due kind, const tcn_id *id, const tcn_id *second)
{
    tcn_agent_key key;
    switch (kind) {
    case TCN_DUE_EXPIRE: return tcn_agent_cache_expire(a, id);
    case TCN_DUE_REMOVE: return tcn_agent_cache_remove(a, id);
    case TCN_DUE_FORGET: key = tcn_agent_key_id('G', id); return tcn_agent_del(a, &key);
    case TCN_DUE_MENTION: break;
    }
    key = tcn_agent_key_mention(id, second);
    return tcn_agent_del(a, &key);
}

tcn_err tcn_agent_retain(tcn_agent *a)
{
    tcn_wall now, at;
    if (a->mono.ms < a->next.retain_at.ms || !tcn_agent_settled_time(a, &now))
        return TCN_OK;
    a->next.retain_at.ms = a->mono.ms + EVERY_MS;
    tcn_agent_key table = tcn_agent_key_of('E'), key;
    tcn_bytes value;
    tcn_err err = TCN_OK;
    for (unsigned i = 0; i < PER_TURN; i++) {
        tcn_agent_due kind;
        tcn_id id, second;
        err = tcn_agent_first(a, &table, NULL, &key, &value);
        if (err != TCN_OK)
            return err == TCN_NOT_FOUND ? TCN_OK : err;
        bool is_read = tcn_agent_key_due_read(tcn_agent_key_bytes(&key), &at, &kind, &id, &second);
        if (is_read && at.unix_ms > now.unix_ms)
            return TCN_OK;
        err = tcn_agent_del(a, &key);
        if (err == TCN_OK && is_read)
            err = take_due(a, kind, &id, &second);
        if (err != TCN_OK)
            return err;
    }
    a->next.retain_at = a->mono; /* more is due: with the next turn */
    return TCN_OK;
}
