/* SPDX-License-Identifier: Apache-2.0 */
/* notify.h - tells systemd how we are (sd_notify(3)), without libsystemd; silent elsewhere.
 * Never waits. */
#ifndef TCN_OS_NOTIFY_H
#define TCN_OS_NOTIFY_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/un.h>

typedef struct {
    int fd; /* -1: nobody wants to know */
    struct sockaddr_un address;
    socklen_t address_len;
    uint64_t watchdog_ms; /* be heard twice in this time; 0: no watchdog */
} tcn_notify;

/* Reads $NOTIFY_SOCKET, $WATCHDOG_USEC and $WATCHDOG_PID and takes them out of the environment, so
 * that no child speaks for us. Before the first thread. */
void tcn_notify_init(tcn_notify *notify);
void tcn_notify_fini(tcn_notify *notify);

/* Each is true if it was sent. status is one line for `systemctl status`; NULL leaves it. */
bool tcn_notify_ready(const tcn_notify *notify, const char *status);
bool tcn_notify_status(const tcn_notify *notify, const char *status);
bool tcn_notify_reloading(const tcn_notify *notify); /* then ready again */
bool tcn_notify_stopping(const tcn_notify *notify);
bool tcn_notify_watchdog(const tcn_notify *notify);

#endif
