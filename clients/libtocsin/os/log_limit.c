/* SPDX-License-Identifier: Apache-2.0 */
/* log_limit.c - see log_limit.h. */
#include "log_limit.h"

#include <stdio.h>
#include <string.h>

/* The place of an event; the last one is everybody's. Locked. */
static unsigned place_of(tcn_log_limit *limit, const char *event)
{
    unsigned i = 0;
    while (i < limit->events && strncmp(limit->seen[i].event, event, 31) != 0)
        i++;
    if (i < limit->events)
        return i;
    if (limit->events == TCN_LOG_LIMIT_EVENTS)
        return TCN_LOG_LIMIT_EVENTS - 1;
    limit->events++;
    (void)snprintf(limit->seen[i].event, sizeof(limit->seen[i].event), "%s",
                   i + 1 < TCN_LOG_LIMIT_EVENTS ? event : "others");
    return i;
}

/* May it be said? *ret_left_out: say first that so many were not. */
static bool pass(tcn_log_limit *limit, const char *event, unsigned *ret_left_out)
{
    uint64_t now_ms = limit->clock.mono(limit->clock.self).ms;
    *ret_left_out = 0;
    (void)pthread_mutex_lock(&limit->lock);
    unsigned at = place_of(limit, event);
    if (limit->seen[at].lines == 0 || now_ms - limit->seen[at].since_ms >= TCN_LOG_LIMIT_MS) {
        *ret_left_out = limit->seen[at].left_out;
        limit->seen[at].since_ms = now_ms;
        limit->seen[at].lines = limit->seen[at].left_out = 0;
    }
    bool passes = limit->seen[at].lines < TCN_LOG_LIMIT_LINES;
    if (passes)
        limit->seen[at].lines++;
    else
        limit->seen[at].left_out++;
    (void)pthread_mutex_unlock(&limit->lock);
    return passes;
}

static void limited_line(void *self, tcn_level level, const char *event, const char *text)
{
    tcn_log_limit *limit = self;
    unsigned left_out = 0;
    bool passes = level == TCN_LOG_ERROR || pass(limit, event, &left_out);
    if (left_out > 0) {
        char said[80];
        (void)snprintf(said, sizeof(said), "%u lines of %.31s were left out", left_out, event);
        limit->inner.line(limit->inner.self, TCN_LOG_WARNING, "log-limited", said);
    }
    if (passes)
        limit->inner.line(limit->inner.self, level, event, text);
}

void tcn_log_limit_init(tcn_log_limit *limit, tcn_log inner, tcn_clock clock)
{
    limit->inner = inner;
    limit->clock = clock;
    limit->events = 0;
    memset(limit->seen, 0, sizeof(limit->seen));
    (void)pthread_mutex_init(&limit->lock, NULL);
}

void tcn_log_limit_fini(tcn_log_limit *limit)
{
    (void)pthread_mutex_destroy(&limit->lock);
}

tcn_log tcn_log_limit_port(tcn_log_limit *limit)
{
    return (tcn_log){limited_line, limit};
}
