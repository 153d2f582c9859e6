/* SPDX-License-Identifier: Apache-2.0 */
#include "ask.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host.h"
#include "members.h"
#include "model.h"
#include "proc.h"
#include "tests/support/mem.h"
#include "watch.h"

/* ---- maps ---- */

/* The encoded value at a key of the map that comes next; the reader is behind the map then. */
typedef struct {
    tcn_bytes value[32];
} map;

static map get_map(tcn_cbor_reader *r)
{
    map m = {.value = {{NULL, 0}}};
    uint64_t previous = UINT64_MAX;
    for (size_t left = tcn_cbor_get_map(r, 64); left > 0 && r->err == TCN_OK; left--) {
        uint64_t key = tcn_cbor_get_key(r, &previous);
        tcn_bytes value = tcn_cbor_get_item(r);
        if (key < sizeof m.value / sizeof m.value[0])
            m.value[key] = value;
    }
    return m;
}

static uint64_t number(const map *m, unsigned key)
{
    tcn_cbor_reader r;
    if (m->value[key].len == 0)
        return 0;
    tcn_cbor_reader_init(&r, m->value[key]);
    return tcn_cbor_take_null(&r) ? 0 : tcn_cbor_get_uint(&r);
}

static tcn_id id_at(const map *m, unsigned key)
{
    tcn_cbor_reader r;
    tcn_cbor_reader_init(&r, m->value[key]);
    return tcn_cbor_get_id(&r);
}

static void text_at(const map *m, unsigned key, char *ret_text, size_t size)
{
    tcn_cbor_reader r;
    tcn_cbor_reader_init(&r, m->value[key]);
    ret_text[0] = '\0';
    if (m->value[key].len > 0)
        tcn_cbor_get_str(&r, ret_text, size);
}

/* ---- the local socket ---- */

/* The next reply to the last request; false: none is there. */
static bool take_reply(sim_agent *agent, size_t *at, tcn_local_reply *ret_reply)
{
    tcn_bytes all = tcn_buf_bytes(&agent->replies);
    while (all.len - *at >= 4) {
        const uint8_t *head = all.ptr + *at;
        size_t len = (size_t)head[0] << 24 | (size_t)head[1] << 16 | (size_t)head[2] << 8 | head[3];
        *at += 4 + len;
        if (tcn_local_reply_decode(tcn_bytes_of(head + 4, len), ret_reply) != TCN_OK) {
            sim_fail(agent->proc.s, "%s gives a malformed reply", agent->proc.name);
            return false;
        }
        if (ret_reply->req == agent->req)
            return true;
    }
    return false;
}

static bool ask(sim_agent *agent, tcn_local_op op, const tcn_cbor_writer *args)
{
    tcn_buf_clear(&agent->replies);
    agent->local_full = false;
    return sim_agent_ask(agent, op, args);
}

static void read_item(sim_agent *agent, tcn_cbor_reader *r, sim_item *ret_item)
{
    tcn_cbor_reader answer;
    map m = get_map(r);
    *ret_item = (sim_item){.id = id_at(&m, 1),
                           .seq = number(&m, 3),
                           .state = number(&m, 12),
                           .kind = number(&m, 13),
                           .marks = number(&m, 15),
                           .answer = TCN_ANSWER_HELP + 1};
    text_at(&m, 23, ret_item->broker, sizeof ret_item->broker);
    tcn_cbor_reader_init(&answer, m.value[14]);
    (void)tcn_cbor_get_array(&answer, 2);
    if (!tcn_cbor_take_null(&answer))
        ret_item->answer = tcn_cbor_get_uint(&answer);
    ret_item->confirmed = tcn_cbor_get_bool(&answer);
    if (tcn_cbor_reader_done(&answer) != TCN_OK)
        sim_fail(agent->proc.s, "%s gives a malformed inbox item", agent->proc.name);
}

sim_item *sim_ask_inbox(sim_agent *agent, bool all, unsigned *ret_count)
{
    uint8_t memory[16];
    tcn_cbor_writer w;
    tcn_local_reply reply = {.more = true};
    sim_item *items = NULL;
    size_t at = 0;
    *ret_count = 0;
    tcn_cbor_writer_init(&w, memory, sizeof memory);
    tcn_cbor_put_map(&w, 1);
    tcn_cbor_put_uint(&w, 1);
    tcn_cbor_put_bool(&w, all);
    if (!ask(agent, TCN_LOCAL_INBOX, &w))
        return NULL;
    while (reply.more) {
        if (!take_reply(agent, &at, &reply)) {
            if (!sim_agent_tick(agent))
                break;
            if (!take_reply(agent, &at, &reply)) {
                sim_fail(agent->proc.s, "%s does not answer", agent->proc.name);
                break;
            }
        }
        tcn_cbor_reader r;
        tcn_cbor_reader_init(&r, reply.raw);
        items = mem_grown(items, (*ret_count + reply.items + 1) * sizeof *items);
        for (size_t i = 0; i < reply.items; i++)
            read_item(agent, &r, &items[(*ret_count)++]);
    }
    return items;
}

void sim_ask_ack(sim_agent *agent, sim_alert *a, tcn_answer answer)
{
    sim *s = agent->proc.s;
    uint8_t memory[256];
    char which[TCN_ID_TEXT_SIZE], note[16];
    tcn_cbor_writer w;
    tcn_local_reply reply;
    size_t at = 0;
    unsigned nr = ++s->notes;
    tcn_id_text(&a->made.id, which);
    (void)snprintf(note, sizeof note, "n%u", nr);
    tcn_cbor_writer_init(&w, memory, sizeof memory);
    tcn_cbor_put_map(&w, 4);
    tcn_cbor_put_uint(&w, 1), tcn_cbor_put_text(&w, which);
    tcn_cbor_put_uint(&w, 2), tcn_cbor_put_uint(&w, answer);
    tcn_cbor_put_uint(&w, 3), tcn_cbor_put_text(&w, "Ada");
    tcn_cbor_put_uint(&w, 4), tcn_cbor_put_text(&w, note);
    sim_trace(s, "%s acknowledges a%u (%s)", agent->proc.name, sim_alert_index(s, a), note);
    if (!ask(agent, TCN_LOCAL_ACK, &w) || !take_reply(agent, &at, &reply))
        return;
    if (reply.error != TCN_OK) {
        sim_trace(s, "  refused: %.*s", (int)reply.text.len, (const char *)reply.text.ptr);
        if (!agent->proc.disk_trouble)
            sim_fail(s, "%s refuses to acknowledge a%u", agent->proc.name, sim_alert_index(s, a));
        return;
    }
    tcn_cbor_reader r;
    tcn_cbor_reader_init(&r, reply.raw);
    map m = get_map(&r);
    uint64_t counter = number(&m, 2);
    if (counter <= a->answer[agent->member].counter)
        sim_fail(s, "[7] %s: the counter of a%u does not rise", agent->proc.name,
                 sim_alert_index(s, a));
    a->answer[agent->member] = (sim_answer){.counter = counter, .note = nr};
}

/* The part of the decoded body from offset; empty if there is none. */
static tcn_bytes ask_body(sim_agent *agent, const tcn_id *id, uint64_t offset)
{
    uint8_t memory[64];
    tcn_cbor_writer w;
    tcn_local_reply reply;
    size_t at = 0;
    tcn_cbor_writer_init(&w, memory, sizeof memory);
    tcn_cbor_put_map(&w, 3);
    tcn_cbor_put_uint(&w, 1), tcn_cbor_put_id(&w, id);
    tcn_cbor_put_uint(&w, 2), tcn_cbor_put_uint(&w, offset);
    tcn_cbor_put_uint(&w, 3), tcn_cbor_put_uint(&w, 0);
    if (!ask(agent, TCN_LOCAL_BODY, &w) || !take_reply(agent, &at, &reply) || reply.error != TCN_OK)
        return tcn_bytes_of(NULL, 0);
    tcn_cbor_reader r;
    tcn_cbor_reader_init(&r, reply.raw);
    map m = get_map(&r);
    tcn_cbor_reader_init(&r, m.value[1]);
    return tcn_cbor_get_bytes(&r, TCN_MAX_CHUNK_BYTES);
}

bool sim_ask_body_is_right(sim_agent *agent, const sim_alert *a)
{
    size_t at = 0;
    while (at < a->body_len) {
        tcn_bytes part = ask_body(agent, &a->made.id, at);
        if (part.len == 0 || part.len > a->body_len - at ||
            memcmp(a->body + at, part.ptr, part.len) != 0)
            return false;
        at += part.len;
    }
    return true;
}

/* ---- the operator ---- */

typedef void result_fn(sim *s, tcn_cbor_reader *r, void *arg);

static sim_conn *operator_conn(sim *s)
{
    tcn_wire wire = {.op = TCN_OP_HELLO};
    uint8_t frame[512];
    size_t len = 0;
    sim_conn *c = sim_conn_open(s, sim_member_find(s, "op"), TCN_LANE_BULK);
    if (c == NULL)
        return NULL;
    c->hellos = 1;
    wire.hello = (tcn_wire_hello){.versions = 1,
                                  .version = {TCN_PROTOCOL_VERSION},
                                  .mode = TCN_MODE_CLIENT,
                                  .instance = {{1}},
                                  .software = tcn_bytes_str("sim")};
    TCN_REQUIRE(tcn_wire_encode(&wire, frame, sizeof frame, &len) == TCN_OK);
    uint8_t *copy = mem_copy(tcn_bytes_of(frame, len));
    tcn_broker_input input = {.kind = TCN_IN_FRAME,
                              .endpoint = TCN_LANE_BULK,
                              .peer = c->peer,
                              .member = "op",
                              .frame = tcn_bytes_of(copy, len)};
    bool alive = sim_broker_give(s, &input);
    free(copy);
    return alive ? c : NULL;
}

/* One page; its RESULT's items go to fn. False: refused, or it is down. *ret_next: where the next
 * page begins. */
static bool query_page(sim *s, sim_conn *c, const tcn_wire *query, result_fn *fn, void *arg,
                       tcn_buf *next)
{
    uint8_t frame[512];
    size_t len = 0;
    bool answered = false;
    TCN_REQUIRE(tcn_wire_encode(query, frame, sizeof frame, &len) == TCN_OK);
    uint8_t *copy = mem_copy(tcn_bytes_of(frame, len));
    tcn_broker_input input = {.kind = TCN_IN_FRAME,
                              .endpoint = TCN_LANE_BULK,
                              .peer = c->peer,
                              .member = "op",
                              .frame = tcn_bytes_of(copy, len)};
    bool alive = sim_broker_give(s, &input);
    free(copy);
    tcn_buf_clear(next);
    while (alive && c->down.first != NULL) {
        tcn_wire wire;
        sim_packet *packet = sim_conn_take_now(c);
        if (tcn_wire_decode(tcn_bytes_of(packet->bytes, packet->len), &wire) == TCN_OK &&
            wire.op == TCN_OP_RESULT) {
            tcn_cbor_reader r;
            tcn_cbor_reader_init(&r, wire.result.items.raw);
            answered = wire.result.error == TCN_OK;
            for (size_t i = 0; i < wire.result.items.count; i++)
                fn(s, &r, arg);
            TCN_REQUIRE(tcn_buf_append(next, wire.result.next) == TCN_OK);
        }
        free(packet);
    }
    return answered;
}

static bool query(sim *s, tcn_query what, tcn_bytes args, result_fn *fn, void *arg)
{
    sim_conn *c = operator_conn(s);
    tcn_buf next;
    bool ok = c != NULL;
    tcn_buf_init(&next, 1024);
    for (unsigned page = 0; ok && (page == 0 || next.len > 0); page++) {
        uint8_t after[256];
        tcn_wire wire = {.op = TCN_OP_QUERY};
        TCN_REQUIRE(next.len <= sizeof after && page < 1000);
        if (next.len > 0)
            memcpy(after, next.ptr, next.len);
        wire.query.req = ++s->req;
        wire.query.what = what;
        wire.query.args = args;
        wire.query.after = tcn_bytes_of(after, next.len);
        wire.query.max = sim_between(&s->order, 1, 50);
        ok = query_page(s, c, &wire, fn, arg, &next);
    }
    tcn_buf_fini(&next);
    if (c != NULL && s->broker.proc.up) {
        sim_conn_peer_close(s, c);
        c->broker_open = false;
        (void)sim_broker_give(s, &(tcn_broker_input){.kind = TCN_IN_GONE, .peer = c->peer});
    }
    return ok;
}

static void take_alert(sim *s, tcn_cbor_reader *r, void *arg)
{
    map m = get_map(r);
    tcn_id id = id_at(&m, 1);
    sim_alert *a = sim_alert_find(s, &id);
    (void)arg;
    if (a == NULL) {
        sim_fail(s, "the broker lists an alert that nobody made");
        return;
    }
    if (a->is_listed)
        sim_fail(s, "the broker lists a%u twice", sim_alert_index(s, a));
    a->is_listed = true;
    a->listed_state = (unsigned)number(&m, 11);
    a->listed_accepted = (int64_t)number(&m, 13);
    a->listed_waits = (unsigned)number(&m, 17);
    sim_learn_seq(s, a, number(&m, 3), "the list");
    if (a->seq != number(&m, 3))
        sim_fail(s, "[1] a%u had seq %llu and is listed without", sim_alert_index(s, a),
                 (unsigned long long)a->seq);
}

bool sim_ask_alerts(sim *s)
{
    static const uint8_t all[] = {0xa1, 0x01, 0x01}; /* {1: 1} */
    for (unsigned i = 0; i < s->alerts; i++)
        s->alert[i].is_listed = false;
    return query(s, TCN_QUERY_ALERTS, tcn_bytes_of(all, sizeof all), take_alert, NULL);
}

typedef struct {
    sim_board_row *rows;
    unsigned count;
} board;

static void take_row(sim *s, tcn_cbor_reader *r, void *arg)
{
    board *b = arg;
    char text[TCN_MAX_NOTE_BYTES + 1];
    map m = get_map(r);
    sim_board_row *row = &b->rows[b->count++];
    TCN_REQUIRE(b->count <= SIM_MEMBERS);
    text_at(&m, 1, text, sizeof text);
    *row = (sim_board_row){.member = sim_member_find(s, text),
                           .state = number(&m, 2),
                           .acked = m.value[5].len > 0,
                           .rejected = m.value[9].len > 0,
                           .error = number(&m, 9)};
    text_at(&m, 8, text, sizeof text);
    if (text[0] == 'n')
        row->note = (unsigned)atoi(text + 1);
    if (row->member == SIM_MEMBERS)
        sim_fail(s, "a board has a node that does not exist");
}

bool sim_ask_board(sim *s, const sim_alert *a, sim_board_row *ret_rows, unsigned *ret_count)
{
    uint8_t memory[32];
    tcn_cbor_writer w;
    tcn_bytes args;
    board b = {.rows = ret_rows};
    tcn_cbor_writer_init(&w, memory, sizeof memory);
    tcn_cbor_put_map(&w, 1);
    tcn_cbor_put_uint(&w, 1), tcn_cbor_put_id(&w, &a->made.id);
    TCN_REQUIRE(tcn_cbor_writer_done(&w, &args) == TCN_OK);
    bool ok = query(s, TCN_QUERY_BOARD, args, take_row, &b);
    *ret_count = b.count;
    return ok;
}
