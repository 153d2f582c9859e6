/* SPDX-License-Identifier: Apache-2.0 */
/* log.h - the log port on stderr: one line per event, neutralised, in one write.
 * Never waits: a reader of stderr that hangs must not hold up an emergency. Lines that it does not
 * take are dropped, and the next one says how many. Threads: any. */
#ifndef TCN_OS_LOG_H
#define TCN_OS_LOG_H

#include <stdatomic.h>
#include <stdio.h>

#include "libtocsin/log_event.h"

typedef struct {
    int fd;
    tcn_level least;
    bool is_journal, is_socket;
    atomic_uint dropped;
    atomic_bool is_cut; /* the last line lacks its end */
} tcn_log_out;

/* Lines of a less important level than least are left out. If fd is the systemd journal (which
 * $JOURNAL_STREAM tells, systemd.exec(5)) a line is `<N>event text`, else `LEVEL event text`. */
void tcn_log_out_init(tcn_log_out *out, int fd, tcn_level least);
tcn_log tcn_log_out_port(tcn_log_out *out); /* it borrows out, which must not move */

/* "error", "warning", "notice", "info", "debug"; TCN_INVALID otherwise. */
TCN_CHECKED tcn_err tcn_level_parse(const char *word, tcn_level *ret_level);
const char *tcn_level_word(tcn_level level);

/* A line for each: level ("alarm" for those that are), word, meaning and what to do, with a tab
 * between. */
void tcn_log_events_print(FILE *out, const tcn_log_event *events, size_t count);

#endif
