/* SPDX-License-Identifier: Apache-2.0 */
/* park.c - see park.h. A parked frame is an effect that is kept; a job takes it up again. */
#include "park.h"

#include <inttypes.h>
#include <stdlib.h>

#include "alerts.h"
#include "link.h"

#define OVERFLOW_MS 60000u /* then the link is redone, and the broker sends again */

static void keep(tcn_agent *a, tcn_agent_effect *effect)
{
    effect->is_kept = true;
    *a->parked_end = effect;
    a->parked_end = &effect->next;
}

tcn_err tcn_agent_park(tcn_agent *a, unsigned link, const tcn_wire *wire, uint64_t need,
                       tcn_bytes frame)
{
    tcn_agent_state *s = &a->next;
    size_t alerts = wire->alerts.alerts.count;
    if (s->parked_alerts + alerts > TCN_MAX_PARKED ||
        s->parked_bytes + frame.len > TCN_AGENT_PARKED_BYTES) {
        tcn_agent_log(a, TCN_AGENT_EVENT_PARK_FULL, "alerts wait for trust version %" PRIu64, need);
        tcn_agent_link_gap(a, link, wire->alerts.lane, OVERFLOW_MS);
        return TCN_OK;
    }
    tcn_agent_effect *effect = tcn_agent_later(a, keep, frame);
    if (!effect)
        return TCN_NO_MEMORY;
    effect->link = link;
    effect->lane = wire->alerts.lane;
    effect->alerts = alerts;
    effect->number = need;
    effect->total = a->mono.ms; /* since when */
    s->parked_alerts += alerts;
    s->parked_bytes += frame.len;
    s->link[link].parked[effect->lane]++;
    return TCN_OK;
}

/* Takes one out of the list. */
static void unlink_parked(tcn_agent *a, const tcn_agent_effect *parked)
{
    tcn_agent_effect **at = &a->parked;
    while (*at && *at != parked)
        at = &(*at)->next;
    if (!*at)
        return;
    tcn_agent_effect *gone = *at;
    *at = gone->next;
    if (!*at)
        a->parked_end = at;
    free(gone);
}

static void drop_link(tcn_agent *a, tcn_agent_effect *effect)
{
    tcn_agent_effect *parked = a->parked;
    while (parked) {
        tcn_agent_effect *next = parked->next;
        if (parked->link == effect->link)
            unlink_parked(a, parked);
        parked = next;
    }
}

tcn_err tcn_agent_park_drop(tcn_agent *a, unsigned link)
{
    tcn_agent_effect *effect = tcn_agent_later(a, drop_link, tcn_bytes_of(NULL, 0));
    if (!effect)
        return TCN_NO_MEMORY;
    effect->link = link;
    return TCN_OK;
}

void tcn_agent_park_recount(tcn_agent *a)
{
    size_t alerts = 0, bytes = 0;
    for (const tcn_agent_effect *parked = a->parked; parked; parked = parked->next) {
        alerts += parked->alerts;
        bytes += parked->len;
    }
    a->now.parked_alerts = a->next.parked_alerts = alerts;
    a->now.parked_bytes = a->next.parked_bytes = bytes;
}

bool tcn_agent_park_jobs(tcn_agent *a)
{
    bool blocked[TCN_AGENT_LINKS][TCN_LANES] = {{false}};
    bool found = false;
    for (tcn_agent_effect *parked = a->parked; parked; parked = parked->next) {
        bool *is_blocked = &blocked[parked->link][parked->lane];
        if (!*is_blocked && parked->number <= a->bundle->version) {
            tcn_agent_job job = {.kind = TCN_JOB_PARKED, .parked = parked};
            a->next.link[parked->link].stuck[parked->lane] = false;
            if (!tcn_agent_job_add(a, &job))
                return true;
            found = true;
        } else {
            *is_blocked = true;
        }
    }
    return found;
}

static void release(tcn_agent *a, tcn_agent_effect *effect)
{
    unlink_parked(a, effect->other);
}

static void wait_longer(tcn_agent *a, tcn_agent_effect *effect)
{
    (void)a;
    effect->other->number = effect->number;
}

/* It stays where it is, and so do those behind it. */
static tcn_err stay(tcn_agent *a, tcn_agent_effect *parked, uint64_t need)
{
    tcn_agent_effect *effect = tcn_agent_later(a, wait_longer, tcn_bytes_of(NULL, 0));
    if (!effect)
        return TCN_NO_MEMORY;
    effect->other = parked;
    effect->number = need;
    a->next.link[parked->link].stuck[parked->lane] = true;
    return TCN_OK;
}

tcn_err tcn_agent_park_retry(tcn_agent *a, tcn_agent_effect *parked)
{
    tcn_agent_link *l = &a->next.link[parked->link];
    if (l->stuck[parked->lane])
        return TCN_OK;
    tcn_wire wire;
    uint64_t need = 0;
    tcn_err err = TCN_OK;
    if (l->state == TCN_LINK_SERVED &&
        tcn_wire_decode(tcn_bytes_of(parked->bytes, parked->len), &wire) == TCN_OK)
        err = tcn_agent_alerts_again(a, parked->link, &wire, &need);
    if (err == TCN_CANNOT_YET)
        return stay(a, parked, need);
    if (err != TCN_OK)
        return err;
    tcn_agent_effect *effect = tcn_agent_later(a, release, tcn_bytes_of(NULL, 0));
    if (!effect)
        return TCN_NO_MEMORY;
    effect->other = parked;
    l->parked[parked->lane]--;
    return TCN_OK;
}

void tcn_agent_park_refuse(tcn_agent *a, tcn_agent_effect *parked)
{
    /* Out of memory as well: tried again with the next turn. */
    if (stay(a, parked, UINT64_MAX) == TCN_OK)
        tcn_agent_link_gap(a, parked->link, parked->lane, TCN_AGENT_FULL_MS);
}

void tcn_agent_park_fini(tcn_agent *a)
{
    while (a->parked)
        unlink_parked(a, a->parked);
}
