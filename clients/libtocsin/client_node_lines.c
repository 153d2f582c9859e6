/* SPDX-License-Identifier: Apache-2.0 */
/* client_node_lines.c - see client_node_lines.h. The session line carries the bulk lane, and both
 * while the emergency endpoint cannot be reached. */
#include "client_node_lines.h"

#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>

#include "text.h"

enum {
    RETRY_FIRST_MS = 200,
    RETRY_MOST_MS = 30000,
    EMERGENCY_RETRY_MS = 15000 /* while session does both */
};

static tcn_lane endpoint_of(const tocsin_node *node, const tcn_node_line *line)
{
    return line == &node->line[TCN_LANE_EMERGENCY] ? TCN_LANE_EMERGENCY : TCN_LANE_BULK;
}

tcn_node_line *tcn_node_line_for(tocsin_node *node, tcn_lane lane)
{
    if (node->line[lane].open)
        return &node->line[lane];
    return node->line[TCN_LANE_BULK].open ? &node->line[TCN_LANE_BULK] : NULL;
}

void tcn_node_say(tocsin_node *node, tcn_node_line *line, const tcn_wire *wire)
{
    size_t len = 0;
    if (line == NULL || tcn_wire_encode(wire, node->out, TCN_MAX_FRAME_BYTES, &len) != TCN_OK)
        return;
    if (tcn_link_send(&line->link, tcn_bytes_of(node->out, len), tcn_now_mono()) != TCN_OK)
        return;
}

/* ---- descriptors of a line in the node's own ---- */

static void watch(const tocsin_node *node, void *socket, int operation)
{
    int fd = -1;
    size_t size = sizeof(fd);
    struct epoll_event event = {.events = EPOLLIN};
    if (socket != NULL && zmq_getsockopt(socket, ZMQ_FD, &fd, &size) == 0)
        (void)epoll_ctl(node->epoll, operation, fd, &event);
}

static void watch_line(const tocsin_node *node, const tcn_node_line *line, int operation)
{
    watch(node, line->link.socket, operation);
    if (line->link.monitor != NULL)
        watch(node, tcn_monitor_socket(line->link.monitor), operation);
}

/* Sockets of the next address are other ones. Their old descriptors leave epoll when libzmq closes
 * them; what stays readable until then wakes us a few times in vain. */
static void turn_link(const tocsin_node *node, tcn_node_line *line, tcn_mono now)
{
    unsigned before = line->link.sockets;
    tcn_link_turn(&line->link, now);
    if (line->link.sockets != before && line->link.socket != NULL)
        watch_line(node, line, EPOLL_CTL_ADD);
}

void tcn_node_line_stop(tocsin_node *node, tcn_node_line *line)
{
    watch_line(node, line, EPOLL_CTL_DEL);
    tcn_link_stop(&line->link);
    line->open = false;
}

/* ---- HELLO ---- */

static tcn_err encode_hello(tocsin_node *node, tcn_lane endpoint, size_t *ret_len)
{
    tcn_wire hello = {.op = TCN_OP_HELLO,
                      .hello = {.versions = 1,
                                .version = {TCN_PROTOCOL_VERSION},
                                .mode = TCN_MODE_NODE,
                                .instance = node->instance,
                                .trust_version = node->home.bundle.version,
                                .epoch = node->epoch,
                                .generation = node->generation,
                                .software = tcn_bytes_str(node->software)}};
    hello.hello.has_subscriptions = node->subscribe != NULL;
    hello.hello.subscriptions = node->subscriptions;
    for (unsigned i = 0; i < node->subscriptions; i++)
        hello.hello.subscription[i] = tcn_bytes_str(node->subscribe[i]);
    for (unsigned lane = 0; lane < TCN_LANES; lane++) {
        hello.hello.has_cursor[lane] = node->cursor[lane].seq > 0;
        hello.hello.cursor[lane] = node->cursor[lane];
    }
    bool both = endpoint == TCN_LANE_BULK && node->session_has_all;
    hello.hello.lanes = both ? 3 : 1u << endpoint;
    return tcn_wire_encode(&hello, node->out, TCN_MAX_FRAME_BYTES, ret_len);
}

static void hello_again(tocsin_node *node, tcn_node_line *line)
{
    size_t len = 0;
    if (line->open && encode_hello(node, endpoint_of(node, line), &len) == TCN_OK &&
        tcn_link_send(&line->link, tcn_bytes_of(node->out, len), tcn_now_mono()) != TCN_OK)
        return; /* the line is going; the next one says it */
}

static tcn_err connect_line(tocsin_node *node, tcn_node_line *line, tcn_mono now)
{
    tcn_lane endpoint = endpoint_of(node, line);
    const tcn_bundle *bundle = &node->home.bundle;
    size_t len = 0;
    if (bundle->brokers == 0)
        return TCN_NOT_FOUND;
    node->broker %= bundle->brokers;
    if (endpoint == TCN_LANE_BULK)
        node->session_has_all = node->session_only || !node->line[TCN_LANE_EMERGENCY].open ||
                                bundle->broker[node->broker].emergencies == 0;
    tcn_err err = encode_hello(node, endpoint, &len);
    if (err != TCN_OK)
        return err;
    const tcn_link_options options = {
        .context = node->context,
        .broker = &bundle->broker[node->broker],
        .endpoint = endpoint,
        .secret = &node->home.keys.secrets.transport,
        .socks_proxy = node->proxy[0] != '\0' ? node->proxy : NULL,
        .hello = tcn_bytes_of(node->out, len),
        .timeout_ms = node->connect_timeout_ms,
    };
    line->open = false;
    line->welcome_until = (tcn_mono){now.ms + node->connect_timeout_ms};
    tcn_trust_feed_reset(&line->feed);
    err = tcn_link_start(&line->link, &options, now);
    watch_line(node, line, EPOLL_CTL_ADD);
    /* A failure is the link's state, and told from there. */
    return err == TCN_NO_MEMORY ? err : TCN_OK;
}

/* ---- failing ---- */

static uint64_t retry_in(const tocsin_node *node, const tcn_node_line *line)
{
    uint64_t most = RETRY_MOST_MS, wait = RETRY_FIRST_MS;
    for (unsigned i = 0; i < line->failures && wait < most; i++)
        wait *= 2;
    if (line == &node->line[TCN_LANE_EMERGENCY] && line->failures > 1)
        wait = wait < EMERGENCY_RETRY_MS ? EMERGENCY_RETRY_MS : wait;
    wait = wait < most ? wait : most;
    /* Half of it is chance: nodes that lost the same broker do not come back at once. */
    return wait / 2 + randombytes_uniform((uint32_t)wait / 2 + 1);
}

static void fail_line(tcn_node_line *line, tcn_err err, const char *text)
{
    tcn_fault fault;
    (void)tcn_fault_set(&fault, err, "%s", text);
    tcn_link_fail(&line->link, TOCSIN_STAGE_ANSWER, &fault);
}

static void take_error(tcn_node_line *line, const tcn_wire *wire)
{
    char text[200], whole[400];
    (void)tcn_text_line(wire->error.text, text, sizeof(text));
    (void)snprintf(whole, sizeof(whole), "the broker says: %s%s%s", tcn_err_text(wire->error.error),
                   text[0] != '\0' ? ": " : "", text);
    fail_line(line, wire->error.error, whole);
}

/* What the broker said before it closed tells more than that it did. */
static void hear_last_words(tcn_node_line *line)
{
    tcn_bytes frame;
    tcn_wire wire;
    while (line->link.socket != NULL &&
           tcn_link_receive(&line->link, &frame, tcn_now_mono()) == TCN_OK)
        if (tcn_wire_decode(frame, &wire) == TCN_OK && wire.op == TCN_OP_ERROR)
            take_error(line, &wire);
}

static tcn_err line_failed(tocsin_node *node, tcn_node_line *line, tcn_mono now)
{
    tcn_lane endpoint = endpoint_of(node, line);
    hear_last_words(line);
    const tocsin_event event = {
        .kind = TOCSIN_EVENT_DISCONNECTED, .lane = endpoint, .code = (int32_t)line->link.why.err};
    bool was_open = line->open;
    tcn_err err = TCN_OK;
    if (was_open || !line->told)
        err = tcn_node_tell(node, &event, &line->link.why);
    line->told = true;
    line->failures = was_open ? 0 : line->failures + 1;
    line->retry_at = (tcn_mono){now.ms + retry_in(node, line)};
    tcn_node_line_stop(node, line);
    tcn_node_drop_queue(line);
    if (endpoint == TCN_LANE_EMERGENCY) {
        tcn_node_line *session = &node->line[TCN_LANE_BULK];
        if (session->open && !node->session_has_all) {
            node->session_has_all = true;
            hello_again(node, session);
        }
    } else if (!was_open && node->home.bundle.brokers > 1) {
        node->broker++;
        node->line[TCN_LANE_EMERGENCY].retry_at = line->retry_at;
        if (!node->line[TCN_LANE_EMERGENCY].open)
            tcn_node_line_stop(node, &node->line[TCN_LANE_EMERGENCY]);
    }
    return err;
}

/* ---- tending ---- */

/* Emergency waits for session, unless that fails: the later HELLO has its lanes, and session's asks
 * for both as long as emergency is not open. */
static bool is_wanted(const tocsin_node *node, const tcn_node_line *line)
{
    const tcn_node_line *session = &node->line[TCN_LANE_BULK];
    if (line == session)
        return true;
    const tcn_bundle *bundle = &node->home.bundle;
    return !node->session_only && (session->open || session->failures > 0) && bundle->brokers > 0 &&
           bundle->broker[node->broker % bundle->brokers].emergencies > 0;
}

bool tcn_node_beat(tocsin_node *node, tcn_mono now)
{
    bool acted = false;
    for (unsigned lane = 0; lane < TCN_LANES; lane++) {
        tcn_node_line *line = &node->line[lane];
        const tcn_link *link = &line->link;
        if (link->state != TCN_LINK_UP)
            continue;
        bool session = line->open && lane == TCN_LANE_BULK; /* heartbeats are on session only */
        bool silent = session && now.ms - link->heard_at.ms >= TCN_MAX_DEAD_MS;
        bool quiet = session && now.ms - link->sent_at.ms >= TCN_MAX_HEARTBEAT_MS;
        bool late = !line->open && now.ms >= line->welcome_until.ms;
        if (late)
            fail_line(line, TCN_TIMEOUT, "the broker opened no session in time");
        else if (silent)
            fail_line(line, TCN_TIMEOUT, "the broker has been silent for too long");
        else if (quiet)
            tcn_node_say(node, line, &(tcn_wire){.op = TCN_OP_PING});
        acted = acted || late || silent || quiet;
    }
    if (now.ms >= node->metrics_at.ms && node->line[TCN_LANE_BULK].open) {
        tcn_node_send_metrics(node, now);
        acted = true;
    }
    return acted;
}

tcn_err tcn_node_tend(tocsin_node *node, tcn_mono now)
{
    for (unsigned lane = 0; lane < TCN_LANES; lane++) {
        tcn_node_line *line = &node->line[lane];
        tcn_err err = TCN_OK;
        turn_link(node, line, now);
        if (line->link.state == TCN_LINK_FAILED)
            err = line_failed(node, line, now);
        if (err == TCN_OK && line->link.state == TCN_LINK_IDLE && is_wanted(node, line) &&
            now.ms >= line->retry_at.ms)
            err = connect_line(node, line, now);
        if (err != TCN_OK)
            return err;
    }
    return TCN_OK;
}

static void sooner(tcn_mono *due, uint64_t ms)
{
    if (ms < due->ms)
        due->ms = ms;
}

tcn_mono tcn_node_due(const tocsin_node *node)
{
    tcn_mono due = {tcn_now_mono().ms + TCN_MAX_METRICS_MS};
    for (unsigned lane = 0; lane < TCN_LANES; lane++) {
        const tcn_node_line *line = &node->line[lane];
        const tcn_link *link = &line->link;
        switch (link->state) {
        case TCN_LINK_IDLE:
            if (is_wanted(node, line))
                sooner(&due, line->retry_at.ms);
            break;
        case TCN_LINK_OPENING: sooner(&due, tcn_link_deadline(link).ms); break;
        case TCN_LINK_UP:
            if (!line->open) {
                sooner(&due, line->welcome_until.ms);
            } else if (lane == TCN_LANE_BULK) {
                sooner(&due, link->sent_at.ms + TCN_MAX_HEARTBEAT_MS);
                sooner(&due, link->heard_at.ms + TCN_MAX_DEAD_MS);
                sooner(&due, node->metrics_at.ms);
            }
            break;
        case TCN_LINK_FAILED: sooner(&due, 0); break;
        }
    }
    return due;
}

/* ---- frames ---- */

static tcn_err replay(tocsin_node *node, uint64_t generation)
{
    const tocsin_event event = {.kind = TOCSIN_EVENT_REPLAY};
    bool told =
        node->generation == generation && node->cursor[0].seq == 0 && node->cursor[1].seq == 0;
    node->generation = generation;
    memset(node->cursor, 0, sizeof(node->cursor));
    return told ? TCN_OK : tcn_node_tell(node, &event, NULL);
}

static tcn_err take_welcome(tocsin_node *node, tcn_node_line *line, const tcn_wire_welcome *welcome)
{
    tcn_lane endpoint = endpoint_of(node, line);
    bool first = tcn_id_is_zero(&node->epoch), was_open = line->open;
    tcn_err err = TCN_OK;
    node->clock_offset_ms = tcn_now_wall().unix_ms - welcome->time.unix_ms;
    (void)snprintf(node->broker_name, sizeof(node->broker_name), "%.*s", (int)welcome->broker.len,
                   (const char *)welcome->broker.ptr);
    bool other =
        !tcn_id_equal(&node->epoch, &welcome->epoch) || node->generation != welcome->generation;
    node->epoch = welcome->epoch;
    if (first)
        node->generation = welcome->generation;
    else if (other)
        err = replay(node, welcome->generation);
    for (unsigned lane = 0; lane < TCN_LANES && err == TCN_OK; lane++)
        if (welcome->has_start[lane] && welcome->start[lane] < node->cursor[lane].seq)
            err = replay(node, node->generation);
    line->open = true;
    line->told = false;
    line->failures = 0;
    if (endpoint == TCN_LANE_EMERGENCY)
        node->session_has_all = false; /* the broker moved the lane over here */
    if (err == TCN_OK && !was_open) {
        tcn_fault name;
        (void)tcn_fault_set(&name, TCN_OK, "%s", node->broker_name);
        err = tcn_node_tell(node, &(tocsin_event){.kind = TOCSIN_EVENT_CONNECTED, .lane = endpoint},
                            &name);
    }
    tcn_node_repeat(node, endpoint);
    return err;
}

static tcn_err take_trust(tocsin_node *node, tcn_node_line *line, const tcn_wire *wire)
{
    tcn_fault fault = {.err = TCN_OK};
    tcn_fed fed;
    bool suspect;
    tcn_wall now = tcn_trust_time(&node->home, node->clock_offset_ms, &suspect);
    tcn_err err = tcn_trust_feed_take(&line->feed, &node->home, wire, now, &fed, &fault);
    if (err == TCN_NO_MEMORY)
        return err;
    if (err != TCN_OK) { /* what we hold stays in force; what needs the newer one waits */
        const tocsin_event event = {
            .kind = TOCSIN_EVENT_TRUST, .code = (int32_t)err, .total = node->home.bundle.version};
        return tcn_node_tell(node, &event, &fault);
    }
    if (fed == TCN_FED_MORE)
        tcn_node_say(node, line,
                     &(tcn_wire){.op = TCN_OP_TRUST_GET,
                                 .trust_get = {.version = line->feed.version,
                                               .offset = line->feed.buf.len}});
    if (fed != TCN_FED_ADOPTED)
        return TCN_OK;
    if (tcn_trust_home_save_bundle(&node->home, &fault) == TCN_OK)
        fault.text[0] = '\0';
    const tocsin_event event = {.kind = TOCSIN_EVENT_TRUST, .total = node->home.bundle.version};
    return tcn_node_tell(node, &event, &fault);
}

static void take_card(tocsin_node *node, tcn_bytes envelope)
{
    tcn_fault fault;
    uint64_t held = node->home.card.version;
    if (tcn_trust_take_card(&node->home, envelope, &fault) != TCN_OK ||
        node->home.card.version == held)
        return;
    if (tcn_trust_home_save_card(&node->home, &fault) != TCN_OK)
        return; /* it comes again after the next HELLO */
}

static tcn_err take_frame(tocsin_node *node, tcn_node_line *line, const tcn_wire *wire,
                          bool *ret_made)
{
    switch (wire->op) {
    case TCN_OP_WELCOME: return take_welcome(node, line, &wire->welcome);
    case TCN_OP_TRUST: return take_trust(node, line, wire);
    case TCN_OP_CARD: take_card(node, wire->envelope); return TCN_OK;
    case TCN_OP_ALERTS: return tcn_node_take_alerts(node, line, wire);
    case TCN_OP_GENERATION: return replay(node, wire->generation);
    case TCN_OP_BODY:
    case TCN_OP_BODY_GONE: return tcn_node_take_body(node, wire, ret_made);
    case TCN_OP_BODIES_OK: return tcn_node_take_bodies_ok(node, wire);
    case TCN_OP_ACK_OK: return tcn_node_take_ack_ok(node, wire);
    case TCN_OP_ERROR: take_error(line, wire); return TCN_OK;
    default: return TCN_OK; /* PONG, REJECTED_OK, and what is for clients */
    }
}

tcn_err tcn_node_read(tocsin_node *node, tcn_node_line *line, bool *ret_got, bool *ret_made)
{
    tcn_bytes frame;
    tcn_wire wire;
    *ret_got = false;
    if (line->link.socket == NULL || (line->first != NULL && line->blocked_at == 0))
        return TCN_OK;
    tcn_err err = tcn_link_receive(&line->link, &frame, tcn_now_mono());
    if (err == TCN_NOT_FOUND)
        return TCN_OK;
    *ret_got = true;
    if (err == TCN_OK && tcn_wire_decode(frame, &wire) == TCN_OK)
        return take_frame(node, line, &wire, ret_made);
    if (line->link.state != TCN_LINK_FAILED)
        fail_line(line, TCN_MALFORMED, "the broker sent a frame that is not of this protocol");
    return TCN_OK;
}
