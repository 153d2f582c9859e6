/* SPDX-License-Identifier: Apache-2.0 */
/* client_link.c - addresses in turn, each on a socket of its own, watched by a monitor. */
#include "client_link.h"

#include <tocsin/types.h>

#include <string.h>

enum {
    ADDRESS_MS = 1500, /* the least time for an address while others are left */
    SILENT_MS = 500    /* before HANDSHAKE_MS: then it was libzmq's timer, not the peer */
};

/* The farther an address came, the more its failure tells. */
static void remember(tcn_link *link, int32_t stage, const tcn_fault *why)
{
    if (link->why.err != TCN_OK && stage < link->stage)
        return;
    link->stage = stage;
    link->why = *why;
}

void tcn_link_fail(tcn_link *link, int32_t stage, const tcn_fault *why)
{
    link->stage = stage;
    link->why = *why;
    link->state = TCN_LINK_FAILED;
}

static void drop_socket(tcn_link *link)
{
    if (link->has_in)
        (void)zmq_msg_close(&link->in);
    link->has_in = false;
    tcn_monitor_close(&link->monitor);
    tcn_curve_close(&link->socket);
    tcn_socks_close(&link->way);
}

void tcn_link_stop(tcn_link *link)
{
    drop_socket(link);
    tcn_buf_fini(&link->hello);
    link->state = TCN_LINK_IDLE;
}

static tcn_err connect_address(tcn_link *link, const tcn_address *address, tcn_mono now,
                               tcn_fault *fault)
{
    tcn_err err = tcn_curve_client(link->context, &link->options, &link->socket, fault);
    if (err == TCN_OK)
        err = tcn_monitor_open(link->context, link->socket, &link->monitor, fault);
    if (err != TCN_OK)
        return err;
    link->sockets++;
    err = tcn_socks_connect(link->socket, link->options.socks_proxy, address, &link->way, fault);
    if (err != TCN_OK)
        return err;
    if (link->hello.len == 0)
        return TCN_OK;
    /* Waits in the socket for the handshake. */
    err = tcn_link_send(link, tcn_buf_bytes(&link->hello), now);
    return err == TCN_OK ? TCN_OK
                         : tcn_fault_set(fault, err, "%s: HELLO not queued", address->text);
}

/* Goes to the next address; FAILED with what was remembered when there is none. */
static void next_address(tcn_link *link, tcn_mono now)
{
    drop_socket(link);
    while (link->next < link->addresses && now.ms < link->until.ms) {
        uint64_t left = link->until.ms - now.ms;
        uint64_t share = left / (link->addresses - link->next);
        if (share < ADDRESS_MS)
            share = left < ADDRESS_MS ? left : ADDRESS_MS;
        link->tcp_up = false;
        link->address_since = now;
        link->address_until = (tcn_mono){now.ms + share};
        tcn_fault fault = {.err = TCN_OK};
        if (connect_address(link, &link->address[link->next++], now, &fault) == TCN_OK) {
            link->state = TCN_LINK_OPENING;
            return;
        }
        remember(link, TOCSIN_STAGE_CONNECT, &fault);
        drop_socket(link);
    }
    link->state = TCN_LINK_FAILED;
}

static tcn_err resolve(tcn_link *link, const tcn_link_options *options, tcn_fault *fault)
{
    bool emergency = options->endpoint == TCN_LANE_EMERGENCY;
    const tcn_broker_entry *broker = options->broker;
    unsigned count = emergency ? broker->emergencies : broker->sessions;
    bool proxy = options->socks_proxy != NULL && options->socks_proxy[0] != '\0';
    tcn_err err = TCN_UNREACHABLE;
    link->addresses = link->next = 0;
    (void)tcn_fault_set(fault, err, "the trust bundle names no %s endpoint of broker %s",
                        emergency ? "emergency" : "session", broker->name);
    for (unsigned i = 0; i < count && link->addresses < TCN_ADDRESSES; i++) {
        const char *endpoint = emergency ? broker->emergency[i] : broker->session[i];
        tcn_address found[TCN_ADDRESSES];
        size_t n = 1;
        err = proxy ? tcn_curve_unresolved(endpoint, &found[0], fault)
                    : tcn_curve_resolve(endpoint, found, &n, fault);
        for (size_t j = 0; err == TCN_OK && j < n && link->addresses < TCN_ADDRESSES; j++)
            link->address[link->addresses++] = found[j];
    }
    return link->addresses > 0 ? TCN_OK : err;
}

tcn_err tcn_link_start(tcn_link *link, const tcn_link_options *options, tcn_mono now)
{
    tcn_link_stop(link);
    memset(&link->why, 0, sizeof(link->why));
    link->stage = TOCSIN_STAGE_LOCAL;
    link->context = options->context;
    link->server_key = options->broker->server_key;
    link->options = (tcn_curve_client_options){
        .secret = options->secret,
        .server_key = &link->server_key,
        .socks_proxy = options->socks_proxy,
        .queue_while_waiting = true,
    };
    link->until = (tcn_mono){now.ms + options->timeout_ms};
    link->sent_at = link->heard_at = now;
    tcn_buf_init(&link->hello, TCN_MAX_FRAME_BYTES);
    tcn_fault fault = {.err = TCN_OK};
    tcn_err err = tcn_buf_append(&link->hello, options->hello);
    if (err != TCN_OK) {
        (void)tcn_fault_set(&fault, err, "out of memory");
        tcn_link_fail(link, TOCSIN_STAGE_LOCAL, &fault);
        return err;
    }
    err = resolve(link, options, &fault);
    if (err != TCN_OK) {
        tcn_link_fail(link, TOCSIN_STAGE_RESOLVE, &fault);
        return err;
    }
    next_address(link, now);
    return link->state == TCN_LINK_FAILED ? link->why.err : TCN_OK;
}

static const char *where(const tcn_link *link)
{
    return link->address[link->next > 0 ? link->next - 1 : 0].text;
}

/* What a failed attempt means, in the order of how much we know. */
static void address_failed(tcn_link *link, const tcn_monitor_event *event, tcn_mono now)
{
    tcn_fault fault;
    bool silent = now.ms - link->address_since.ms + SILENT_MS >= TCN_MAX_HANDSHAKE_MS;
    int32_t stage = TOCSIN_STAGE_HANDSHAKE;
    char proxy[TCN_SOCKS_WHY_SIZE];
    tcn_socks_why(link->way, proxy);
    if (proxy[0] != '\0') {
        stage = TOCSIN_STAGE_CONNECT;
        (void)tcn_fault_set(&fault, TCN_UNREACHABLE, "cannot reach %s: %s", where(link), proxy);
    } else if (event != NULL && event->kind == TCN_MONITOR_REFUSED) {
        (void)tcn_fault_set(&fault, TCN_UNKNOWN_KEY, "%s: %s", where(link),
                            tcn_monitor_text(event));
    } else if (link->tcp_up && (event == NULL || silent)) {
        (void)tcn_fault_set(&fault, TCN_TIMEOUT,
                            "%s accepts connections but says nothing; the broker may be stopped or "
                            "overloaded",
                            where(link));
    } else if (link->tcp_up) {
        const tcn_monitor_event failed = {.kind = TCN_MONITOR_HANDSHAKE};
        (void)tcn_fault_set(&fault, TCN_UNREACHABLE, "%s: %s", where(link),
                            tcn_monitor_text(&failed));
    } else {
        const tcn_monitor_event failed = {.kind = TCN_MONITOR_CONNECT_FAILED};
        stage = TOCSIN_STAGE_CONNECT;
        (void)tcn_fault_set(&fault, TCN_UNREACHABLE, "cannot reach %s: %s", where(link),
                            tcn_monitor_text(&failed));
    }
    remember(link, stage, &fault);
    next_address(link, now);
}

static void went_down(tcn_link *link)
{
    tcn_fault fault;
    (void)tcn_fault_set(&fault, TCN_UNREACHABLE, "%s: the broker closed the connection",
                        where(link));
    tcn_link_fail(link, TOCSIN_STAGE_ANSWER, &fault);
}

static void see_event(tcn_link *link, const tcn_monitor_event *event, tcn_mono now)
{
    switch (event->kind) {
    case TCN_MONITOR_CONNECTED: link->tcp_up = true; break;
    case TCN_MONITOR_UP:
        link->state = TCN_LINK_UP;
        link->heard_at = now;
        break;
    case TCN_MONITOR_DOWN:
        if (link->state == TCN_LINK_UP) {
            went_down(link);
            break;
        }
        address_failed(link, event, now);
        break;
    case TCN_MONITOR_CONNECT_FAILED:
    case TCN_MONITOR_REFUSED:
    case TCN_MONITOR_HANDSHAKE:
        if (link->state == TCN_LINK_OPENING)
            address_failed(link, event, now);
        break;
    case TCN_MONITOR_ACCEPTED:
    case TCN_MONITOR_RETRY:
    case TCN_MONITOR_OTHER: break;
    }
}

void tcn_link_turn(tcn_link *link, tcn_mono now)
{
    tcn_monitor_event event;
    /* see_event may replace the monitor by that of the next address. */
    while ((link->state == TCN_LINK_OPENING || link->state == TCN_LINK_UP) &&
           tcn_monitor_next(link->monitor, &event) == TCN_OK)
        see_event(link, &event, now);
    if (link->state == TCN_LINK_OPENING && now.ms >= link->address_until.ms)
        address_failed(link, NULL, now);
}

tcn_mono tcn_link_deadline(const tcn_link *link)
{
    return link->state == TCN_LINK_OPENING ? link->address_until : (tcn_mono){UINT64_MAX};
}

tcn_err tcn_link_send(tcn_link *link, tcn_bytes frame, tcn_mono now)
{
    if (link->socket == NULL)
        return TCN_BUSY;
    if (zmq_send(link->socket, frame.ptr, frame.len, ZMQ_DONTWAIT) < 0)
        return tcn_zmq_error(zmq_errno());
    link->sent_at = now;
    link->traffic.frames_out++;
    link->traffic.bytes_out += frame.len;
    return TCN_OK;
}

/* Frames come alone: what has more is not from a broker. */
static tcn_err refuse_parts(tcn_link *link)
{
    tcn_fault fault;
    (void)tcn_fault_set(&fault, TCN_MALFORMED, "%s sent a message of several parts", where(link));
    tcn_link_fail(link, TOCSIN_STAGE_ANSWER, &fault);
    return TCN_MALFORMED;
}

tcn_err tcn_link_receive(tcn_link *link, tcn_bytes *ret_frame, tcn_mono now)
{
    if (link->socket == NULL)
        return TCN_NOT_FOUND;
    if (link->has_in)
        (void)zmq_msg_close(&link->in);
    link->has_in = false;
    (void)zmq_msg_init(&link->in);
    if (zmq_msg_recv(&link->in, link->socket, ZMQ_DONTWAIT) < 0) {
        (void)zmq_msg_close(&link->in);
        return TCN_NOT_FOUND;
    }
    link->has_in = true;
    link->heard_at = now;
    link->traffic.frames_in++;
    link->traffic.bytes_in += zmq_msg_size(&link->in);
    if (zmq_msg_more(&link->in) != 0)
        return refuse_parts(link);
    *ret_frame = tcn_bytes_of(zmq_msg_data(&link->in), zmq_msg_size(&link->in));
    return TCN_OK;
}
