/* SPDX-License-Identifier: Apache-2.0 */
/* log_event.c - see log_event.h. */
#include "log_event.h"

void tcn_log_event_write(const tcn_log *log, const tcn_log_event *event, const char *text)
{
    log->line(log->self, event->level, event->word, text);
}
