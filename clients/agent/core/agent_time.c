/* SPDX-License-Identifier: Apache-2.0 */
/* agent_time.c - see agent_time.h. Each broker tells its time in WELCOME; it goes on with our
 * monotonic clock. */
#include "agent_time.h"

/* The broker's time that is nearest to the wall clock: one honest broker is enough. */
static bool nearest_broker(const tcn_agent *a, tcn_wall *ret_time, int64_t *ret_offset)
{
    bool found = false;
    int64_t best = 0;
    for (unsigned i = 0; i < TCN_MAX_BROKERS; i++) {
        const tcn_agent_broker *broker = &a->next.broker[i];
        if (broker->name[0] == '\0' || !broker->has_time)
            continue;
        int64_t time = broker->time_ms + (int64_t)a->mono.ms, offset = a->wall.unix_ms - time;
        int64_t size = offset < 0 ? -offset : offset;
        if (found && size >= best)
            continue;
        found = true;
        best = size;
        ret_time->unix_ms = time;
        *ret_offset = offset;
    }
    return found;
}

static bool is_far(int64_t offset_ms)
{
    return offset_ms > TCN_AGENT_CLOCK_SLACK_MS || offset_ms < -TCN_AGENT_CLOCK_SLACK_MS;
}

static int64_t issued(const tcn_agent *a)
{
    const tcn_bundle *bundle = tcn_agent_trust(a);
    return bundle ? bundle->issued.unix_ms : 0;
}

tcn_wall tcn_agent_time(const tcn_agent *a)
{
    tcn_wall time = a->wall, broker;
    int64_t offset;
    if (nearest_broker(a, &broker, &offset) && is_far(offset))
        time = broker;
    if (time.unix_ms < issued(a))
        time.unix_ms = issued(a);
    return time;
}

bool tcn_agent_clock_is_suspect(const tcn_agent *a)
{
    tcn_wall broker;
    int64_t offset;
    if (nearest_broker(a, &broker, &offset))
        return is_far(offset);
    return a->wall.unix_ms < issued(a) - TCN_AGENT_CLOCK_SLACK_MS;
}

bool tcn_agent_settled_time(const tcn_agent *a, tcn_wall *ret_time)
{
    tcn_wall broker;
    int64_t offset;
    if (!nearest_broker(a, &broker, &offset))
        return false;
    *ret_time = broker;
    /* A wall clock before the bundle was issued is certainly wrong; any other may be right. */
    if (a->wall.unix_ms < broker.unix_ms && a->wall.unix_ms >= issued(a))
        *ret_time = a->wall;
    return true;
}

int64_t tcn_agent_clock_offset(const tcn_agent *a)
{
    tcn_wall broker;
    int64_t offset;
    return nearest_broker(a, &broker, &offset) ? offset : 0;
}
