/* SPDX-License-Identifier: Apache-2.0 */
/* tell.h - what the broker tells its operator: log lines, alarms, the audit trail (key U). */
#ifndef TCN_BROKER_TELL_H
#define TCN_BROKER_TELL_H

#include "log_events.h"

typedef struct tcn_broker tcn_broker;

void tcn_log_line(tcn_broker *b, tcn_event event, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* Logs it and keeps it for STATUS; the same text once. event: one of TCN_ALARM_TABLE. Needs no
 * transaction. */
void tcn_alarm(tcn_broker *b, tcn_event event, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* Appends to the bounded audit trail, in the open transaction, and logs. */
TCN_CHECKED tcn_err tcn_audit(tcn_broker *b, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

#endif
