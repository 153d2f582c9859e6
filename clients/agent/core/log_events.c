/* SPDX-License-Identifier: Apache-2.0 */
/* log_events.c - the table of log_events.h as rows. */
#include "log_events.h"

static const tcn_log_event events[] = {
#define X(name, level, word, means, to_do) {word, TCN_LOG_##level, false, means, to_do},
    TCN_AGENT_EVENT_TABLE(X)
#undef X
};

const tcn_log_event *tcn_agent_event_of(tcn_agent_event event)
{
    return &events[event];
}

const tcn_log_event *tcn_agent_events(size_t *ret_count)
{
    *ret_count = sizeof(events) / sizeof(events[0]);
    return events;
}
