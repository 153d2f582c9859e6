/* SPDX-License-Identifier: Apache-2.0 */
/* monitor.c - zmq_socket_monitor's two-frame events (event u16 and value u32 in host order, then
 * the address), read with their sizes checked. */
#include "monitor.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zmq.h>

#include "curve.h"

struct tcn_monitor {
    void *watched, *events;
};

enum {
    WATCHED = ZMQ_EVENT_CONNECTED | ZMQ_EVENT_ACCEPTED | ZMQ_EVENT_HANDSHAKE_SUCCEEDED |
              ZMQ_EVENT_DISCONNECTED | ZMQ_EVENT_CLOSED | ZMQ_EVENT_CONNECT_RETRIED |
              ZMQ_EVENT_HANDSHAKE_FAILED_AUTH | ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL |
              ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL
};

static tcn_err open_events(tcn_monitor *monitor, void *context, void *socket)
{
    static _Atomic unsigned serial;
    char address[64];
    (void)snprintf(address, sizeof(address), "inproc://tcn-monitor-%u",
                   atomic_fetch_add(&serial, 1u));
    if (zmq_socket_monitor(socket, address, WATCHED) != 0)
        return tcn_zmq_error(zmq_errno());
    monitor->watched = socket;
    monitor->events = zmq_socket(context, ZMQ_PAIR);
    /* No high-water mark: libzmq's I/O thread would block on a full queue. The owner drains it each
     * turn. */
    int none = 0;
    if (monitor->events == NULL ||
        zmq_setsockopt(monitor->events, ZMQ_RCVHWM, &none, sizeof(none)) != 0 ||
        zmq_setsockopt(monitor->events, ZMQ_LINGER, &none, sizeof(none)) != 0 ||
        zmq_connect(monitor->events, address) != 0)
        return tcn_zmq_error(zmq_errno());
    return TCN_OK;
}

tcn_err tcn_monitor_open(void *context, void *socket, tcn_monitor **ret_monitor, tcn_fault *fault)
{
    tcn_monitor *monitor = calloc(1, sizeof(*monitor));
    if (monitor == NULL)
        return tcn_fault_set(fault, TCN_NO_MEMORY, "out of memory");
    tcn_err err = open_events(monitor, context, socket);
    if (err != TCN_OK) {
        tcn_monitor_close(&monitor);
        return tcn_fault_set(fault, err, "watching a socket: %s", tcn_err_text(err));
    }
    *ret_monitor = monitor;
    return TCN_OK;
}

void tcn_monitor_close(tcn_monitor **monitor)
{
    if (*monitor == NULL)
        return;
    if ((*monitor)->watched != NULL)
        (void)zmq_socket_monitor((*monitor)->watched, NULL, 0);
    tcn_curve_close(&(*monitor)->events);
    free(*monitor);
    *monitor = NULL;
}

void *tcn_monitor_socket(const tcn_monitor *monitor)
{
    return monitor->events;
}

static tcn_monitor_kind kind_of(unsigned event)
{
    switch (event) {
    case ZMQ_EVENT_CONNECTED: return TCN_MONITOR_CONNECTED;
    case ZMQ_EVENT_HANDSHAKE_SUCCEEDED: return TCN_MONITOR_UP;
    case ZMQ_EVENT_ACCEPTED: return TCN_MONITOR_ACCEPTED;
    case ZMQ_EVENT_DISCONNECTED: return TCN_MONITOR_DOWN;
    case ZMQ_EVENT_CLOSED: return TCN_MONITOR_CONNECT_FAILED;
    case ZMQ_EVENT_CONNECT_RETRIED: return TCN_MONITOR_RETRY;
    case ZMQ_EVENT_HANDSHAKE_FAILED_AUTH: return TCN_MONITOR_REFUSED;
    case ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL:
    case ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL: return TCN_MONITOR_HANDSHAKE;
    default: return TCN_MONITOR_OTHER;
    }
}

/* One frame of an event, never waiting. */
static tcn_err next_frame(tcn_monitor *monitor, zmq_msg_t *ret_frame)
{
    (void)zmq_msg_init(ret_frame);
    if (zmq_msg_recv(ret_frame, monitor->events, ZMQ_DONTWAIT) >= 0)
        return TCN_OK;
    int err = zmq_errno();
    (void)zmq_msg_close(ret_frame);
    return err == EAGAIN ? TCN_NOT_FOUND : TCN_IO;
}

tcn_err tcn_monitor_next(tcn_monitor *monitor, tcn_monitor_event *ret_event)
{
    zmq_msg_t head, address;
    tcn_err err = next_frame(monitor, &head);
    if (err != TCN_OK)
        return err;
    tcn_monitor_event event = {.kind = TCN_MONITOR_OTHER};
    uint16_t number = 0;
    if (zmq_msg_size(&head) == sizeof(number) + sizeof(event.value)) {
        const uint8_t *bytes = zmq_msg_data(&head);
        memcpy(&number, bytes, sizeof(number));
        memcpy(&event.value, bytes + sizeof(number), sizeof(event.value));
        event.kind = kind_of(number);
    }
    bool more = zmq_msg_more(&head) != 0;
    (void)zmq_msg_close(&head);
    while (more && next_frame(monitor, &address) == TCN_OK) {
        size_t len = zmq_msg_size(&address);
        if (len >= sizeof(event.address))
            len = sizeof(event.address) - 1;
        memcpy(event.address, zmq_msg_data(&address), len);
        event.address[len] = '\0';
        more = zmq_msg_more(&address) != 0;
        (void)zmq_msg_close(&address);
    }
    if (number == ZMQ_EVENT_MONITOR_STOPPED)
        return TCN_IO;
    *ret_event = event;
    return TCN_OK;
}

const char *tcn_monitor_text(const tcn_monitor_event *event)
{
    switch (event->kind) {
    case TCN_MONITOR_CONNECTED: return "somebody is there";
    case TCN_MONITOR_UP: return "connected";
    case TCN_MONITOR_DOWN: return "the connection was closed";
    case TCN_MONITOR_CONNECT_FAILED:
    case TCN_MONITOR_RETRY:
        return "nobody answers there; check that the broker runs and that the port is open";
    case TCN_MONITOR_REFUSED:
        if (event->value >= 500)
            return "the broker could not check our key; see its log";
        return "the broker does not accept our key; it may not have our card yet, or it is "
               "suspended, revoked or expired";
    case TCN_MONITOR_HANDSHAKE:
        return "the handshake failed: it is not a Tocsin broker, or not the one of our trust "
               "bundle";
    case TCN_MONITOR_ACCEPTED:
    case TCN_MONITOR_OTHER: break;
    }
    return "connection event";
}
