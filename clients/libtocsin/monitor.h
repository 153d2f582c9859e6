/* SPDX-License-Identifier: Apache-2.0 */
/* monitor.h - what happens to the connections of a ZeroMQ socket, as events to poll for.
 * Threads: a monitor belongs to the thread that owns its socket. */
#ifndef TCN_MONITOR_H
#define TCN_MONITOR_H

#include "bytes.h"

#define TCN_ADDRESS_SIZE 280 /* "tcp://", a host in brackets, ":65535" and NUL */

typedef enum {
    TCN_MONITOR_UP,             /* the handshake succeeded: frames can flow */
    TCN_MONITOR_DOWN,           /* disconnected, before or after the handshake */
    TCN_MONITOR_CONNECT_FAILED, /* nobody there, or no answer in time */
    TCN_MONITOR_RETRY,          /* libzmq will try again (reconnect_ms) */
    TCN_MONITOR_REFUSED,        /* the peer refused our key; value: the ZAP status, e.g. 400 */
    TCN_MONITOR_HANDSHAKE,      /* the handshake failed: not CURVE, another server key, too slow */
    TCN_MONITOR_ACCEPTED,       /* a server's: the handshake comes next; value: descriptor */
    TCN_MONITOR_OTHER,
    TCN_MONITOR_CONNECTED /* TCP is there; the handshake begins */
} tcn_monitor_kind;

typedef struct {
    tcn_monitor_kind kind;
    uint32_t value;                 /* UP, DOWN: descriptor; REFUSED: status; else of libzmq */
    char address[TCN_ADDRESS_SIZE]; /* of the endpoint, cut if longer */
} tcn_monitor_event;

typedef struct tcn_monitor tcn_monitor;

/* Watch socket from now on; close the monitor before the socket. */
TCN_CHECKED tcn_err tcn_monitor_open(void *context, void *socket, tcn_monitor **ret_monitor,
                                     tcn_fault *fault);
void tcn_monitor_close(tcn_monitor **monitor);
/* For zmq_poll: readable while events wait. */
void *tcn_monitor_socket(const tcn_monitor *monitor);
/* The next event, never waiting. TCN_NOT_FOUND: none. TCN_IO: the monitored socket is gone. */
TCN_CHECKED tcn_err tcn_monitor_next(tcn_monitor *monitor, tcn_monitor_event *ret_event);
/* What an event means and what to do, for people; static. */
const char *tcn_monitor_text(const tcn_monitor_event *event);

#endif
