/* SPDX-License-Identifier: Apache-2.0 */
/* log_limit.h - a log port that lets each event be said so often a minute, and then how often it
 * was left out. A peer decides how often it is refused; it must not fill a disk with that, nor bury
 * what matters. Errors always pass. Threads: any. */
#ifndef TCN_OS_LOG_LIMIT_H
#define TCN_OS_LOG_LIMIT_H

#include <pthread.h>

#include "libtocsin/ports.h"

enum { TCN_LOG_LIMIT_EVENTS = 64, TCN_LOG_LIMIT_LINES = 200, TCN_LOG_LIMIT_MS = 60000 };

typedef struct {
    tcn_log inner;
    tcn_clock clock;
    pthread_mutex_t lock; /* of what follows */
    struct {
        char event[32]; /* the last place: all that found none of their own */
        uint64_t since_ms;
        unsigned lines, left_out;
    } seen[TCN_LOG_LIMIT_EVENTS];
    unsigned events;
} tcn_log_limit;

/* Borrows what inner and clock borrow. The limit must not move. */
void tcn_log_limit_init(tcn_log_limit *limit, tcn_log inner, tcn_clock clock);
void tcn_log_limit_fini(tcn_log_limit *limit);
tcn_log tcn_log_limit_port(tcn_log_limit *limit);

#endif
