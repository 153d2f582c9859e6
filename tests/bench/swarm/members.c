/* SPDX-License-Identifier: Apache-2.0 */
/* members.c - sessions of nodes and publishers: HELLO with what is held, ALERTS, receipts. */
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "swarm.h"

enum { FRAMES = 512, FRAME_ALERTS = 256, RETRY_MS = 20, PING_S = 10, ALL = 512, FEW = 16 };

/* Nodes of a class get the same bytes: what a frame says is worked out once. */
typedef struct {
    uint8_t *bytes;
    size_t len, cap;
    tcn_lane lane;
    tcn_mark to;
    unsigned alerts;
    uint64_t seq[FRAME_ALERTS];
    uint32_t number[FRAME_ALERTS];
} known_frame;

static known_frame known[FRAMES];

static const known_frame *understand(swarm *s, tcn_bytes frame)
{
    uint64_t hash = frame.len;
    for (size_t i = 0; i < 48 && i < frame.len; i++)
        hash = (hash ^ frame.ptr[i]) * UINT64_C(0x100000001b3);
    known_frame *k = &known[(hash >> 7) % FRAMES];
    if (k->len == frame.len && memcmp(k->bytes, frame.ptr, frame.len) == 0)
        return k;
    tcn_wire wire;
    tcn_cbor_reader r;
    if (tcn_wire_decode(frame, &wire) != TCN_OK || wire.op != TCN_OP_ALERTS ||
        wire.alerts.alerts.count > FRAME_ALERTS)
        return NULL;
    if (frame.len > k->cap) {
        free(k->bytes);
        k->bytes = malloc(frame.len);
        k->cap = frame.len;
        if (k->bytes == NULL)
            bench_die("frame", "out of memory");
    }
    memcpy(k->bytes, frame.ptr, frame.len);
    k->len = frame.len;
    k->lane = wire.alerts.lane;
    k->to = wire.alerts.complete_to;
    k->alerts = 0;
    tcn_cbor_reader_init(&r, wire.alerts.alerts.raw);
    for (size_t i = 0; i < wire.alerts.alerts.count; i++) {
        uint64_t seq;
        tcn_bytes envelope = tcn_wire_get_alert(&r, &seq);
        k->seq[k->alerts] = seq;
        k->number[k->alerts++] = swarm_recognise(s, envelope);
    }
    return k;
}

static void take_alerts(swarm *s, swarm_member *node, tcn_bytes frame)
{
    const known_frame *k = understand(s, frame);
    if (k == NULL)
        bench_die("alerts", "a frame is malformed");
    uint64_t now = bench_now_ns();
    for (unsigned i = 0; i < k->alerts; i++) {
        if (k->seq[i] <= node->mark[k->lane].seq || k->number[i] == UINT32_MAX)
            continue;
        swarm_arrived(s, k->number[i], now);
        /* Of the last copy of all: the PONG follows the commit of this node's receipt. */
        if (k->number[i] + 1 == s->published && s->alert[k->number[i]].copies == s->audience)
            node->pings = true;
    }
    if (k->to.seq > node->mark[k->lane].seq)
        node->mark[k->lane] = k->to;
    node->owes_receipt[k->lane] = true;
    s->frames++;
}

static void take_welcome(swarm *s, swarm_member *m, tcn_lane endpoint, const tcn_wire_welcome *w)
{
    if (!tcn_id_equal(&s->epoch, &w->epoch)) {
        s->epoch = w->epoch;
        for (unsigned i = 0; i < s->options.nodes; i++)
            memset(s->node[i].mark, 0, sizeof(s->node[i].mark));
    }
    m->generation = w->generation;
    s->connecting--;
    m->welcome[endpoint] = true;
    if (m->welcome[0] && m->welcome[1]) {
        s->open += m->kind == SWARM_NODE;
        s->publishers_open += m->kind == SWARM_PUBLISHER;
    }
}

static void on_frame(void *arg, bench_link *link, tcn_bytes frame)
{
    swarm *s = arg;
    swarm_member *m = link->owner;
    tcn_wire wire;
    /* [35, …: the short way for what comes by the million */
    if (frame.len > 3 && frame.ptr[1] == 0x18 && frame.ptr[2] == TCN_OP_ALERTS) {
        take_alerts(s, m, frame);
        return;
    }
    if (tcn_wire_decode(frame, &wire) != TCN_OK)
        bench_die("frame", "malformed");
    switch (wire.op) {
    case TCN_OP_WELCOME: take_welcome(s, m, (tcn_lane)link->tag, &wire.welcome); break;
    case TCN_OP_ANSWER: swarm_answered(s, m, &wire.answer); break;
    case TCN_OP_RESULT: swarm_board_page(s, &wire); break;
    case TCN_OP_PONG:
        if (m->pings) {
            m->pings = false;
            s->pong_ns = bench_now_ns();
        }
        break;
    case TCN_OP_ERROR: bench_die("the broker says", tcn_err_text(wire.error.error)); break;
    default: break;
    }
}

static void on_batch(void *arg, bench_link *link)
{
    swarm *s = arg;
    swarm_member *m = link->owner;
    tcn_lane lane = (tcn_lane)link->tag;
    if (!m->owes_receipt[lane])
        return;
    m->owes_receipt[lane] = false;
    tcn_wire wire = {.op = TCN_OP_RECEIPT};
    wire.receipt.lane = lane;
    wire.receipt.epoch = s->epoch;
    wire.receipt.at = m->mark[lane];
    swarm_say(m, lane, &wire);
    s->receipts++;
    if (m->pings)
        swarm_say(m, lane, &(tcn_wire){.op = TCN_OP_PING});
}

static void on_up(void *arg, bench_link *link)
{
    swarm *s = arg;
    swarm_member *m = link->owner;
    tcn_wire wire = {.op = TCN_OP_HELLO};
    wire.hello = (tcn_wire_hello){.versions = 1,
                                  .version = {TCN_PROTOCOL_VERSION},
                                  .mode = m->kind == SWARM_NODE ? TCN_MODE_NODE : TCN_MODE_CLIENT,
                                  .instance = m->instance,
                                  .trust_version = tcn_roster_version(s->cast.roster),
                                  .software = tcn_bytes_str("tocsin-swarm")};
    if (m->kind == SWARM_NODE && !tcn_id_is_zero(&s->epoch)) {
        wire.hello.epoch = s->epoch;
        wire.hello.generation = m->generation;
        wire.hello.has_cursor[link->tag] = m->mark[link->tag].seq > 0;
        wire.hello.cursor[link->tag] = m->mark[link->tag];
    }
    swarm_say(m, (tcn_lane)link->tag, &wire);
}

static void on_down(void *arg, bench_link *link)
{
    swarm *s = arg;
    swarm_member *m = link->owner;
    if (m->welcome[0] && m->welcome[1]) {
        s->open -= m->kind == SWARM_NODE;
        s->publishers_open -= m->kind == SWARM_PUBLISHER;
    }
    s->connecting -= !m->welcome[link->tag];
    m->welcome[link->tag] = false;
    m->owes_receipt[link->tag] = m->pings = false;
    s->cuts++;
    if (!s->lively)
        bench_die("a connection", "was closed");
    m->retry_at_ns[link->tag] =
        bench_now_ns() + (RETRY_MS + randombytes_uniform(RETRY_MS)) * UINT64_C(1000000);
}

const bench_link_ops swarm_ops = {
    .up = on_up, .frame = on_frame, .batch = on_batch, .down = on_down};

void swarm_say(swarm_member *member, tcn_lane endpoint, const tcn_wire *wire)
{
    static uint8_t frame[TCN_MAX_FRAME_BYTES];
    size_t len = 0;
    if (tcn_wire_encode(wire, frame, sizeof(frame), &len) != TCN_OK)
        bench_die("encode", tcn_op_word(wire->op));
    bench_link_send(&member->link[endpoint], tcn_bytes_of(frame, len));
}

void swarm_connect(swarm *s, swarm_member *member, tcn_lane endpoint)
{
    bench_link *link = &member->link[endpoint];
    link->owner = member;
    link->tag = endpoint;
    member->retry_at_ns[endpoint] = 0;
    s->connecting++;
    bench_link_start(link, &s->hub[endpoint],
                     endpoint == TCN_LANE_BULK ? s->server.session : s->server.emergency,
                     &member->transport);
}

static swarm_member *members(const swarm *s, swarm_kind kind, unsigned count)
{
    swarm_member *list = calloc(count + 1, sizeof(*list));
    if (list == NULL)
        bench_die("members", "out of memory");
    for (unsigned i = 0; i < count; i++) {
        char name[TCN_MAX_NAME_CHARS + 1];
        tcn_secrets secrets;
        list[i].kind = kind;
        list[i].index = i;
        if (kind == SWARM_NODE)
            bench_cast_node_name(i, name);
        else
            bench_cast_publisher_name(i, name);
        bench_cast_secrets(&s->cast, name, &secrets);
        list[i].transport = secrets.transport;
        randombytes_buf(list[i].instance.b, sizeof(list[i].instance.b));
    }
    return list;
}

void swarm_members_make(swarm *s)
{
    s->node = members(s, SWARM_NODE, s->options.nodes);
    s->publisher = members(s, SWARM_PUBLISHER, s->options.publishers);
}

static void come_back(swarm *s, swarm_member *m, uint64_t now)
{
    for (int i = 0; i < TCN_LANES && s->connecting < s->options.handshakes; i++)
        if (m->retry_at_ns[i] != 0 && m->retry_at_ns[i] <= now)
            swarm_connect(s, m, (tcn_lane)i);
}

static void ping_some(swarm *s, uint64_t now)
{
    unsigned all = s->options.nodes + s->options.publishers;
    uint64_t each_ns = UINT64_C(1000000000) * PING_S / (all > 0 ? all : 1);
    while (s->ping_at_ns + each_ns <= now) {
        s->ping_at_ns = now - s->ping_at_ns > UINT64_C(1000000000) ? now : s->ping_at_ns + each_ns;
        s->pinged = (s->pinged + 1) % all;
        swarm_member *m = s->pinged < s->options.nodes
                              ? &s->node[s->pinged]
                              : &s->publisher[s->pinged - s->options.nodes];
        if (!m->welcome[TCN_LANE_BULK] || m->link[TCN_LANE_BULK].stalled)
            continue;
        swarm_say(m, TCN_LANE_BULK, &(tcn_wire){.op = TCN_OP_PING});
        bench_link_flush(&m->link[TCN_LANE_BULK]);
    }
}

void swarm_pump(swarm *s, int timeout_ms)
{
    /* Real nodes read an emergency each for itself: here it must not wait for others' bulk. */
    bench_hub_pump(&s->hub[TCN_LANE_EMERGENCY], 0, ALL);
    bench_hub_pump(&s->hub[TCN_LANE_BULK], timeout_ms, FEW);
    uint64_t now = bench_now_ns();
    if (s->lively) {
        for (unsigned i = 0; i < s->options.nodes; i++)
            come_back(s, &s->node[i], now);
        for (unsigned i = 0; i < s->options.publishers; i++)
            come_back(s, &s->publisher[i], now);
    }
    ping_some(s, now);
}
