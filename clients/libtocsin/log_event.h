/* SPDX-License-Identifier: Apache-2.0 */
/* log_event.h - one kind of line in a log: its word and level, what it means and what to do. Each
 * daemon has one table of them (log_events.h in its core), which makes the words that it logs,
 * `--print-events` and the tables in docs/operations.md. */
#ifndef TCN_LOG_EVENT_H
#define TCN_LOG_EVENT_H

#include "ports.h"

typedef struct {
    const char *word; /* "session-closed" */
    tcn_level level;
    bool is_alarm;             /* stands in `tocsin status` until the broker starts anew */
    const char *means, *to_do; /* for people; to_do is empty where nothing is to be done */
} tcn_log_event;

/* text is one neutralised line. */
void tcn_log_event_write(const tcn_log *log, const tcn_log_event *event, const char *text);

#endif
