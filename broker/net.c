/* SPDX-License-Identifier: Apache-2.0 */
/* net.c - ROUTER messages are [routing id, body]. User-Id, Peer-Address and the descriptor come
 * with the body (DESIGN §4.4). A connection's end is a monitor event with its descriptor; it comes
 * after its last frame is in our queue: a peer is gone once the queue was read to its end after. */
#include "net.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zmq.h>

#include "core/log_events.h"
#include "libtocsin/curve.h"
#include "libtocsin/limits.h"
#include "peers.h"

enum {
    FRAMES = TCN_LANES * TCN_MAX_TURN_FRAMES,
    ASK_BYTES = 262144,  /* sent between two looks at what was acknowledged */
    FRAME_OVERHEAD = 32, /* at least, of ZMTP and CURVE */
    TEXT_BYTES = 200
};

/* A connection that has not said anything yet. */
typedef struct {
    tcn_conn conn;
    uint64_t since_ms;
    bool waits;
} newcomer;

struct tcn_broker_net {
    void *context;
    const tcn_clock *clock;
    const tcn_log *log;
    void *socket[TCN_LANES];
    tcn_monitor *monitor[TCN_LANES];
    tcn_peers *peers;
    zmq_msg_t msg[FRAMES];
    tcn_broker_net_frame frame[FRAMES];
    size_t frames;
    size_t pace;                 /* frames of an endpoint in one read */
    size_t left[TCN_LANES];      /* of them in this one */
    uint64_t reads;              /* count of calls of read */
    uint64_t drained[TCN_LANES]; /* the last of them that came to the end of the queue */
    size_t dying;
    newcomer *by_fd;
    size_t fds;
    tcn_broker_net_stats stats;
};

struct tcn_frame {
    zmq_msg_t msg;
};

/* The first time, and then ever more rarely: a peer must not fill our disk with log lines. */
static void complain(const tcn_broker_net *net, uint64_t count, tcn_event event, const char *member,
                     const char *what)
{
    if ((count & (count - 1)) != 0)
        return;
    char text[TEXT_BYTES];
    (void)snprintf(text, sizeof(text), "%s%s%s (%" PRIu64 " so far)", member == NULL ? "" : member,
                   member == NULL ? "" : ": ", what, count);
    tcn_log_event_write(net->log, tcn_event_of(event), text);
}

/* ---- connections that come and go ---- */

/* From then on it is gone once its queue was read to the end in read number at, or later. */
static void mark_dying(tcn_broker_net *net, tcn_peer_entry *entry, uint64_t at)
{
    if (entry == NULL || entry->dying)
        return;
    entry->dying = true;
    entry->dying_at = at;
    net->dying++;
}

static newcomer *newcomer_at(tcn_broker_net *net, int fd)
{
    return fd >= 0 && (size_t)fd < net->fds ? &net->by_fd[fd] : NULL;
}

/* Out of memory: it is not watched, which costs little. */
static void watch_newcomer(tcn_broker_net *net, int fd)
{
    if (fd < 0)
        return;
    if ((size_t)fd >= net->fds) {
        size_t fds = (size_t)fd * 2 + 64;
        newcomer *by_fd = realloc(net->by_fd, fds * sizeof(*by_fd));
        if (by_fd == NULL)
            return;
        memset(by_fd + net->fds, 0, (fds - net->fds) * sizeof(*by_fd));
        net->by_fd = by_fd;
        net->fds = fds;
    }
    newcomer *new = &net->by_fd[fd];
    const tcn_peer_entry *known = tcn_peers_by_fd(net->peers, fd);
    new->waits = tcn_conn_of(fd, NULL, &new->conn);
    if (known != NULL && known->conn.inode == new->conn.inode)
        new->waits = false; /* on a busy machine its first frame can be here before this event */
    new->since_ms = net->clock->mono(net->clock->self).ms;
}

static void read_events(tcn_broker_net *net, tcn_lane endpoint, uint64_t at)
{
    tcn_monitor_event event;
    while (tcn_monitor_next(net->monitor[endpoint], &event) == TCN_OK) {
        int fd = event.value <= INT32_MAX ? (int)event.value : -1;
        if (event.kind == TCN_MONITOR_ACCEPTED) {
            net->stats.accepted++;
            watch_newcomer(net, fd);
        } else if (event.kind == TCN_MONITOR_DOWN) {
            newcomer *new = newcomer_at(net, fd);
            if (new != NULL)
                new->waits = false;
            net->stats.disconnected++;
            mark_dying(net, tcn_peers_by_fd(net->peers, fd), at);
        }
    }
}

static void read_all_events(tcn_broker_net *net, uint64_t at)
{
    read_events(net, TCN_LANE_EMERGENCY, at);
    read_events(net, TCN_LANE_BULK, at);
}

void tcn_broker_net_sweep(tcn_broker_net *net)
{
    uint64_t now_ms = net->clock->mono(net->clock->self).ms;
    for (size_t fd = 0; fd < net->fds; fd++) {
        newcomer *new = &net->by_fd[fd];
        if (!new->waits || now_ms - new->since_ms < TCN_MAX_MUTE_MS)
            continue;
        new->waits = false;
        if (tcn_conn_cut(&new->conn))
            complain(net, ++net->stats.mute, TCN_EVENT_MUTE_CONNECTION, NULL,
                     "cut a connection that said nothing since it was accepted");
    }
}

/* ---- reading ---- */

static void cut_by_message(zmq_msg_t *body)
{
    tcn_conn conn;
    if (tcn_conn_of(zmq_msg_get(body, ZMQ_SRCFD), zmq_msg_gets(body, "Peer-Address"), &conn))
        (void)tcn_conn_cut(&conn);
}

/* The entry of a message's sender, made if this is its first. NULL: drop the message. */
static tcn_peer_entry *sender(tcn_broker_net *net, tcn_lane endpoint, uint32_t routing,
                              zmq_msg_t *body)
{
    tcn_peer_entry *entry = tcn_peers_by_routing(net->peers, endpoint, routing);
    if (entry != NULL)
        return entry;
    /* The ends of earlier connections with this descriptor come first: they are not its end. */
    read_all_events(net, net->reads + 1);
    tcn_conn conn;
    bool alive =
        tcn_conn_of(zmq_msg_get(body, ZMQ_SRCFD), zmq_msg_gets(body, "Peer-Address"), &conn);
    newcomer *new = newcomer_at(net, conn.fd);
    if (new != NULL)
        new->waits = false;
    tcn_peer peer, displaced;
    if (tcn_peers_add(net->peers, endpoint, routing, &conn, &peer, &displaced) != TCN_OK) {
        (void)tcn_conn_cut(&conn);
        return NULL;
    }
    mark_dying(net, tcn_peers_by_number(net->peers, displaced), net->reads + 1);
    entry = tcn_peers_by_number(net->peers, peer);
    entry->since_ms = net->clock->mono(net->clock->self).ms;
    if (!alive)
        mark_dying(net, entry, net->reads + 1);
    return entry;
}

static bool routing_of(zmq_msg_t *identity, uint32_t *ret_routing)
{
    const uint8_t *id = zmq_msg_data(identity);
    if (zmq_msg_size(identity) != TCN_ROUTING_ID_BYTES || id[0] != 0)
        return false;
    *ret_routing = (uint32_t)id[1] << 24 | (uint32_t)id[2] << 16 | (uint32_t)id[3] << 8 | id[4];
    return true;
}

/* Judges a whole message; true: body is now net->msg[net->frames] and the frame is noted. */
static bool take(tcn_broker_net *net, tcn_lane endpoint, zmq_msg_t *identity, zmq_msg_t *body,
                 bool single)
{
    const char *member = zmq_msg_gets(body, "User-Id");
    if (member == NULL || member[0] == '\0') {
        complain(net, ++net->stats.anonymous, TCN_EVENT_ANONYMOUS_MESSAGE, NULL,
                 "cut a connection whose messages carry no member");
        cut_by_message(body);
        return false;
    }
    uint32_t routing;
    if (!routing_of(identity, &routing)) {
        complain(net, ++net->stats.impostors, TCN_EVENT_CHOSEN_ROUTING_ID, member,
                 "cut a connection that chose its own routing id");
        cut_by_message(body);
        return false;
    }
    const tcn_peer_entry *entry = sender(net, endpoint, routing, body);
    if (entry == NULL || entry->closed) {
        net->stats.late++;
        return false;
    }
    if (!single) {
        complain(net, ++net->stats.malformed, TCN_EVENT_MALFORMED_MESSAGE, member,
                 "dropped a message that is not one frame");
        return false;
    }
    zmq_msg_t *kept = &net->msg[net->frames];
    (void)zmq_msg_init(kept);
    (void)zmq_msg_move(kept, body);
    net->frame[net->frames++] = (tcn_broker_net_frame){
        .peer = entry->peer,
        .endpoint = endpoint,
        .member = zmq_msg_gets(kept, "User-Id"),
        .frame = tcn_bytes_of(zmq_msg_data(kept), zmq_msg_size(kept)),
    };
    net->stats.frames_in++;
    return true;
}

/* Receives into an initialised message; false: nothing there. */
static bool receive(void *socket, zmq_msg_t *msg)
{
    return zmq_msg_recv(msg, socket, ZMQ_DONTWAIT) >= 0;
}

/* One message; false: none waits. */
static bool read_message(tcn_broker_net *net, tcn_lane endpoint)
{
    void *socket = net->socket[endpoint];
    zmq_msg_t identity, body, rest;
    (void)zmq_msg_init(&identity);
    (void)zmq_msg_init(&body);
    (void)zmq_msg_init(&rest);
    bool any = receive(socket, &identity);
    bool has_body = any && zmq_msg_more(&identity) != 0 && receive(socket, &body);
    bool single = has_body && zmq_msg_more(&body) == 0;
    bool more = has_body && !single;
    while (more && receive(socket, &rest))
        more = zmq_msg_more(&rest) != 0;
    if (has_body)
        (void)take(net, endpoint, &identity, &body, single);
    (void)zmq_msg_close(&identity);
    (void)zmq_msg_close(&body);
    (void)zmq_msg_close(&rest);
    return any;
}

static void release_frames(tcn_broker_net *net)
{
    for (size_t i = 0; i < net->frames; i++)
        (void)zmq_msg_close(&net->msg[i]);
    net->frames = 0;
}

void tcn_broker_net_pace(tcn_broker_net *net, size_t frames)
{
    net->pace = frames < TCN_MAX_TURN_FRAMES ? frames : TCN_MAX_TURN_FRAMES;
}

size_t tcn_broker_net_read(tcn_broker_net *net, const tcn_broker_net_frame **ret_frames,
                           bool *ret_more)
{
    release_frames(net);
    net->reads++;
    read_all_events(net, net->reads);
    for (size_t i = 0; i < TCN_LANES; i++)
        net->left[i] = net->pace;
    return tcn_broker_net_read_on(net, ret_frames, ret_more);
}

size_t tcn_broker_net_read_on(tcn_broker_net *net, const tcn_broker_net_frame **ret_frames,
                              bool *ret_more)
{
    static const tcn_lane order[TCN_LANES] = {TCN_LANE_EMERGENCY, TCN_LANE_BULK};
    *ret_more = false;
    for (size_t i = 0; i < TCN_LANES; i++) {
        size_t *left = &net->left[order[i]];
        while (*left > 0 && read_message(net, order[i]))
            (*left)--;
        if (*left > 0)
            net->drained[order[i]] = net->reads;
        else
            *ret_more = true;
    }
    *ret_frames = net->frame;
    return net->frames;
}

size_t tcn_broker_net_gone(tcn_broker_net *net, tcn_peer *ret_peers, size_t cap)
{
    size_t count = 0;
    size_t places = net->dying == 0 ? 0 : tcn_peers_places(net->peers);
    for (size_t i = 0; i < places && count < cap && net->dying > 0; i++) {
        tcn_peer_entry *entry = tcn_peers_at(net->peers, i);
        if (entry == NULL || !entry->dying || net->drained[entry->endpoint] < entry->dying_at)
            continue;
        if (!entry->closed)
            ret_peers[count++] = entry->peer;
        tcn_peers_remove(net->peers, entry->peer);
        net->dying--;
    }
    return count;
}

/* ---- the port ---- */

/* libzmq bounds a queue by frames, 256 of them: 12 MiB of bodies for one connection that asks and
 * does not read. So what is on the way is counted in bytes, too. That we count a little less than
 * goes out evens out whenever the kernel is asked. */
static bool is_behind(tcn_peer_entry *entry, size_t len)
{
    uint64_t more = len + FRAME_OVERHEAD, acked = 0;
    uint64_t on_the_way = entry->sent_bytes + more - entry->acked_bytes;
    if (on_the_way <= TCN_MAX_PEER_BYTES && entry->sent_bytes - entry->asked_at < ASK_BYTES)
        return false;
    if (!tcn_conn_acked(&entry->conn, &acked))
        acked = entry->sent_bytes; /* not known: libzmq's bound alone */
    entry->acked_bytes = acked;
    if (entry->sent_bytes < acked)
        entry->sent_bytes = acked;
    entry->asked_at = entry->sent_bytes;
    return entry->sent_bytes + more - acked > TCN_MAX_PEER_BYTES;
}

static tcn_send_result send_message(tcn_broker_net *net, tcn_peer peer, zmq_msg_t *body)
{
    tcn_peer_entry *entry = tcn_peers_by_number(net->peers, peer);
    tcn_send_result result = TCN_SEND_GONE;
    size_t len = zmq_msg_size(body);
    if (entry != NULL && !entry->closed && is_behind(entry, len)) {
        net->stats.full++;
        result = TCN_SEND_FULL;
    } else if (entry != NULL && !entry->closed) {
        uint32_t r = entry->routing;
        const uint8_t id[TCN_ROUTING_ID_BYTES] = {0, (uint8_t)(r >> 24), (uint8_t)(r >> 16),
                                                  (uint8_t)(r >> 8), (uint8_t)r};
        void *socket = net->socket[entry->endpoint];
        if (zmq_send(socket, id, sizeof(id), ZMQ_SNDMORE | ZMQ_DONTWAIT) >= 0 &&
            zmq_msg_send(body, socket, ZMQ_DONTWAIT) >= 0) {
            entry->sent_bytes += len + FRAME_OVERHEAD;
            net->stats.frames_out++;
            return TCN_SENT;
        }
        if (zmq_errno() == EHOSTUNREACH) {
            mark_dying(net, entry, net->reads + 1);
        } else {
            net->stats.full++;
            result = TCN_SEND_FULL;
        }
    }
    (void)zmq_msg_close(body);
    return result;
}

static bool message_of(tcn_bytes bytes, zmq_msg_t *ret_msg)
{
    if (zmq_msg_init_size(ret_msg, bytes.len) != 0)
        return false;
    if (bytes.len > 0)
        memcpy(zmq_msg_data(ret_msg), bytes.ptr, bytes.len);
    return true;
}

static tcn_send_result port_send(void *self, tcn_peer peer, tcn_bytes frame)
{
    zmq_msg_t body;
    if (!message_of(frame, &body))
        return TCN_SEND_FULL;
    return send_message(self, peer, &body);
}

static tcn_frame *port_frame_new(void *self, tcn_bytes bytes)
{
    (void)self;
    tcn_frame *frame = malloc(sizeof(*frame));
    if (frame != NULL && !message_of(bytes, &frame->msg)) {
        free(frame);
        frame = NULL;
    }
    return frame;
}

static tcn_send_result port_send_frame(void *self, tcn_peer peer, tcn_frame *frame)
{
    zmq_msg_t body;
    (void)zmq_msg_init(&body);
    if (zmq_msg_copy(&body, &frame->msg) != 0) {
        (void)zmq_msg_close(&body);
        return TCN_SEND_FULL;
    }
    return send_message(self, peer, &body);
}

static void port_frame_release(void *self, tcn_frame *frame)
{
    (void)self;
    if (frame == NULL)
        return;
    (void)zmq_msg_close(&frame->msg);
    free(frame);
}

static void port_close(void *self, tcn_peer peer)
{
    tcn_broker_net *net = self;
    tcn_peer_entry *entry = tcn_peers_by_number(net->peers, peer);
    if (entry == NULL || entry->closed)
        return;
    entry->closed = true;
    net->stats.cuts++;
    (void)tcn_conn_cut(&entry->conn);
}

tcn_net tcn_broker_net_port(tcn_broker_net *net)
{
    return (tcn_net){.send = port_send,
                     .frame_new = port_frame_new,
                     .send_frame = port_send_frame,
                     .frame_release = port_frame_release,
                     .close = port_close,
                     .self = net};
}

void tcn_broker_net_cut_strangers(tcn_broker_net *net,
                                  bool (*has_session)(void *arg, tcn_peer peer), void *arg)
{
    uint64_t now_ms = net->clock->mono(net->clock->self).ms;
    for (size_t i = 0; i < tcn_peers_places(net->peers); i++) {
        const tcn_peer_entry *entry = tcn_peers_at(net->peers, i);
        if (entry == NULL || entry->closed || entry->dying ||
            now_ms - entry->since_ms < TCN_MAX_MUTE_MS || has_session(arg, entry->peer))
            continue;
        complain(net, ++net->stats.strangers, TCN_EVENT_NO_SESSION, NULL,
                 "cut a connection that opened no session");
        port_close(net, entry->peer);
    }
}

/* ---- life ---- */

tcn_err tcn_broker_net_new(void *context, const tcn_box_secret *secret, const tcn_clock *clock,
                           const tcn_log *log, tcn_broker_net **ret_net, tcn_fault *fault)
{
    tcn_broker_net *net = calloc(1, sizeof(*net));
    if (net == NULL || tcn_peers_new(&net->peers) != TCN_OK) {
        tcn_broker_net_destroy(&net);
        return tcn_fault_set(fault, TCN_NO_MEMORY, "out of memory");
    }
    net->context = context;
    net->clock = clock;
    net->log = log;
    net->pace = TCN_MAX_TURN_FRAMES;
    const tcn_curve_server_options options = {.secret = secret};
    tcn_err err = TCN_OK;
    for (size_t i = 0; i < TCN_LANES && err == TCN_OK; i++) {
        err = tcn_curve_server(context, &options, &net->socket[i], fault);
        if (err == TCN_OK)
            err = tcn_monitor_open(context, net->socket[i], &net->monitor[i], fault);
    }
    if (err != TCN_OK) {
        tcn_broker_net_destroy(&net);
        return err;
    }
    *ret_net = net;
    return TCN_OK;
}

void tcn_broker_net_destroy(tcn_broker_net **net_ref)
{
    tcn_broker_net *net = *net_ref;
    if (net == NULL)
        return;
    release_frames(net);
    for (size_t i = 0; i < TCN_LANES; i++) {
        tcn_monitor_close(&net->monitor[i]);
        tcn_curve_close(&net->socket[i]);
    }
    tcn_peers_destroy(&net->peers);
    free(net->by_fd);
    free(net);
    *net_ref = NULL;
}

tcn_err tcn_broker_net_listen(tcn_broker_net *net, tcn_lane endpoint, const char *host_port,
                              char ret_bound[static TCN_ADDRESS_SIZE], tcn_fault *fault)
{
    return tcn_curve_bind(net->context, net->socket[endpoint], host_port, ret_bound, fault);
}

void tcn_broker_net_sockets(tcn_broker_net *net, void *ret_socket[static TCN_BROKER_NET_SOCKETS])
{
    ret_socket[0] = net->socket[TCN_LANE_EMERGENCY];
    ret_socket[1] = net->socket[TCN_LANE_BULK];
    ret_socket[2] = tcn_monitor_socket(net->monitor[TCN_LANE_EMERGENCY]);
    ret_socket[3] = tcn_monitor_socket(net->monitor[TCN_LANE_BULK]);
}

void tcn_broker_net_stats_get(const tcn_broker_net *net, tcn_broker_net_stats *ret_stats)
{
    *ret_stats = net->stats;
    ret_stats->peers = tcn_peers_count(net->peers);
}
