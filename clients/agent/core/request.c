/* SPDX-License-Identifier: Apache-2.0 */
/* request.c - see request.h. One table says what each operation may be asked. */
#include "request.h"

#include <stdlib.h>
#include <string.h>

#include "agent_time.h"
#include "fetch.h"
#include "inbox.h"
#include "libtocsin/topic.h"
#include "metrics.h"
#include "outbox.h"
#include "reader.h"
#include "resolve.h"

#define REFERENCE_CHARS 128u /* what a person writes for an alert */
#define BY_BYTES 256u

/* The arguments of all operations; what is not given is zero. */
typedef struct {
    bool all, unacked, follow, by_rule;
    tcn_bytes which, topic, by, note;
    tcn_id id;
    uint64_t since, offset, max, answer;
} args;

static void read_inbox(tcn_cbor_reader *r, uint64_t key, args *ret)
{
    switch (key) {
    case 1: ret->all = tcn_cbor_get_bool(r); break;
    case 2: ret->unacked = tcn_cbor_get_bool(r); break;
    case 3:
        ret->topic = tcn_cbor_get_text(r, TCN_MAX_TOPIC_CHARS);
        if (tcn_pattern_check(ret->topic) != TCN_OK)
            tcn_cbor_fail(r, TCN_INVALID);
        break;
    case 4: ret->since = tcn_cbor_get_uint_max(r, INT64_MAX); break;
    case 5: ret->follow = tcn_cbor_get_bool(r); break;
    default: tcn_cbor_fail(r, TCN_MALFORMED);
    }
}

static void read_which(tcn_cbor_reader *r, uint64_t key, args *ret)
{
    if (key == 1)
        ret->which = tcn_cbor_get_text(r, REFERENCE_CHARS);
    else
        tcn_cbor_fail(r, TCN_MALFORMED);
}

static void read_body_args(tcn_cbor_reader *r, uint64_t key, args *ret)
{
    switch (key) {
    case 1: ret->id = tcn_cbor_get_id(r); break;
    case 2: ret->offset = tcn_cbor_get_uint(r); break;
    case 3: ret->max = tcn_cbor_get_uint(r); break;
    default: tcn_cbor_fail(r, TCN_MALFORMED);
    }
}

static void read_ack(tcn_cbor_reader *r, uint64_t key, args *ret)
{
    switch (key) {
    case 1: ret->which = tcn_cbor_get_text(r, REFERENCE_CHARS); break;
    case 2: ret->answer = tcn_cbor_get_uint_max(r, TCN_ANSWER_HELP); break;
    case 3: ret->by = tcn_cbor_get_text(r, BY_BYTES); break;
    case 4: ret->note = tcn_cbor_get_text(r, TCN_MAX_NOTE_BYTES); break;
    case 5: ret->by_rule = tcn_cbor_get_bool(r); break;
    default: tcn_cbor_fail(r, TCN_MALFORMED);
    }
}

static void read_none(tcn_cbor_reader *r, uint64_t key, args *ret)
{
    (void)key;
    (void)ret;
    tcn_cbor_fail(r, TCN_MALFORMED);
}

/* By operation: how its arguments are read, and which must be there (bit per key). */
static const struct {
    void (*read)(tcn_cbor_reader *r, uint64_t key, args *ret);
    unsigned required;
} operations[] = {
    [TCN_LOCAL_STATUS] = {read_none, 0},
    [TCN_LOCAL_INBOX] = {read_inbox, 0},
    [TCN_LOCAL_SHOW] = {read_which, 1u << 1},
    [TCN_LOCAL_BODY] = {read_body_args, 0xe},
    [TCN_LOCAL_ACK] = {read_ack, 1u << 1 | 1u << 2},
    [TCN_LOCAL_RESOLVE] = {read_which, 1u << 1},
};

static tcn_err read_args(const tcn_local_request *request, args *ret_args, tcn_fault *fault)
{
    if (request->op == 0 || request->op >= sizeof operations / sizeof operations[0])
        return tcn_fault_set(fault, TCN_INVALID, "this agent knows no such request");
    args parsed = {.all = false};
    tcn_cbor_reader r;
    tcn_cbor_reader_init(&r, request->args);
    uint64_t previous = UINT64_MAX;
    unsigned seen = 0;
    for (size_t left = tcn_cbor_get_map(&r, 64); left > 0 && r.err == TCN_OK; left--) {
        uint64_t key = tcn_cbor_get_key(&r, &previous);
        if (key >= 64) {
            (void)tcn_cbor_get_item(&r);
            continue;
        }
        seen |= key < 32 ? 1u << key : 0;
        operations[request->op].read(&r, key, &parsed);
    }
    tcn_err err = tcn_cbor_reader_done(&r);
    if (err == TCN_OK &&
        (seen & operations[request->op].required) != operations[request->op].required)
        err = TCN_MALFORMED;
    if (err != TCN_OK)
        return tcn_fault_set(fault, err, "the request's arguments are not acceptable");
    *ret_args = parsed;
    return TCN_OK;
}

/* ---- replies ---- */

/* One item with these bytes. */
static void reply_item(tcn_agent *a, tcn_peer peer, uint64_t req, const tcn_cbor_writer *w)
{
    tcn_bytes raw;
    tcn_fault fault;
    if (tcn_cbor_writer_done(w, &raw) != TCN_OK) {
        (void)tcn_fault_set(&fault, TCN_TOO_LARGE, "the answer is too large");
        tcn_agent_reply_error(a, peer, req, &fault);
        return;
    }
    tcn_local_reply reply = {.req = req, .items = 1, .raw = raw};
    tcn_agent_reply(a, peer, &reply);
}

static void put_number(tcn_cbor_writer *w, uint64_t key, uint64_t value)
{
    tcn_cbor_put_uint(w, key);
    tcn_cbor_put_uint(w, value);
}

static void put_text(tcn_cbor_writer *w, uint64_t key, const char *text)
{
    tcn_cbor_put_uint(w, key);
    tcn_cbor_put_text(w, text);
}

static void put_flag(tcn_cbor_writer *w, uint64_t key, bool flag)
{
    tcn_cbor_put_uint(w, key);
    tcn_cbor_put_bool(w, flag);
}

static uint64_t ms_of(tcn_wall at)
{
    return at.unix_ms < 0 ? 0 : (uint64_t)at.unix_ms;
}

static void put_brokers(const tcn_agent *a, tcn_cbor_writer *w)
{
    uint64_t count = 0;
    for (unsigned b = 0; b < TCN_MAX_BROKERS; b++)
        count += a->now.broker[b].name[0] != '\0';
    tcn_cbor_put_uint(w, 5);
    tcn_cbor_put_array(w, count);
    for (unsigned b = 0; b < TCN_MAX_BROKERS; b++) {
        const tcn_agent_broker *broker = &a->now.broker[b];
        if (broker->name[0] == '\0')
            continue;
        tcn_cbor_put_map(w, 7);
        put_text(w, 1, broker->name);
        put_flag(w, 2, a->now.link[b * TCN_LANES + TCN_LANE_BULK].state == TCN_LINK_SERVED);
        put_flag(w, 3, a->now.link[b * TCN_LANES + TCN_LANE_EMERGENCY].state == TCN_LINK_SERVED);
        put_number(w, 4, ms_of(broker->heard));
        put_text(w, 5, broker->error[0] != '\0' ? broker->error : a->now.error);
        put_number(w, 6, broker->place.cursor[TCN_LANE_BULK].seq);
        put_number(w, 7, broker->place.cursor[TCN_LANE_EMERGENCY].seq);
    }
}

static void reply_status(tcn_agent *a, tcn_peer peer, uint64_t req)
{
    const tcn_agent_counts *counts = &a->now.counts;
    uint8_t memory[8192];
    uint64_t disk, received = tcn_agent_fetch_received(a);
    tcn_cbor_writer w;
    a->ports.blob.space(a->ports.blob.self, &disk);
    tcn_cbor_writer_init(&w, memory, sizeof memory);
    tcn_cbor_put_map(&w, 17);
    put_text(&w, 1, a->member);
    put_text(&w, 2, a->config.version);
    put_number(&w, 3, a->bundle->version);
    put_number(&w, 4, ms_of(a->bundle->expires));
    put_brokers(a, &w);
    put_number(&w, 6, counts->held);
    put_number(&w, 7, counts->unacked);
    put_number(&w, 8, counts->to_fetch);
    put_number(&w, 9, a->now.parked_alerts);
    put_number(&w, 10, counts->outbox);
    put_number(&w, 11, counts->rejected);
    tcn_cbor_put_uint(&w, 12);
    tcn_cbor_put_int(&w, tcn_agent_clock_offset(a));
    put_number(&w, 13, tcn_agent_marks(a));
    put_number(&w, 14, disk);
    put_number(&w, 15, a->mono.ms - a->started.ms);
    put_text(&w, 16, a->bundle->program_name);
    put_number(&w, 17, counts->fetch_bytes > received ? counts->fetch_bytes - received : 0);
    reply_item(a, peer, req, &w);
}

/* An alert's item, or its id alone. */
static void reply_alert(tcn_agent *a, tcn_peer peer, const tcn_local_request *request,
                        tcn_bytes which)
{
    tcn_fault fault;
    tcn_agent_item item;
    tcn_cbor_writer w;
    tcn_id id;
    uint8_t *memory = malloc(TCN_MAX_FRAME_BYTES);
    tcn_err err = memory ? tcn_agent_begin_read(a) : TCN_NO_MEMORY;
    if (err != TCN_OK) {
        (void)tcn_fault_set(&fault, err, "the store cannot be read");
        tcn_agent_reply_error(a, peer, request->req, &fault);
        free(memory);
        return;
    }
    tcn_cbor_writer_init(&w, memory, TCN_MAX_FRAME_BYTES);
    err = tcn_agent_resolve(a, which, &id, &fault);
    if (err == TCN_OK && request->op == TCN_LOCAL_SHOW) {
        err = tcn_agent_item_load(a, &id, &item);
        if (err == TCN_OK)
            tcn_agent_item_put(a, &item, true, &w);
        else
            err = tcn_fault_set(&fault, err, "the alert cannot be read from the store");
    } else if (err == TCN_OK) {
        tcn_cbor_put_map(&w, 1);
        tcn_cbor_put_uint(&w, 1);
        tcn_cbor_put_id(&w, &id);
    }
    tcn_agent_end_read(a);
    if (err == TCN_OK)
        reply_item(a, peer, request->req, &w);
    else
        tcn_agent_reply_error(a, peer, request->req, &fault);
    free(memory);
}

static void reply_body(tcn_agent *a, tcn_peer peer, uint64_t req, const args *arguments)
{
    tcn_fault fault;
    tcn_agent_ask ask = {
        .peer = peer, .id = arguments->id, .offset = arguments->offset, .max = arguments->max};
    tcn_agent_part part = {.len = 0};
    size_t cap = TCN_MAX_CHUNK_BYTES + 64;
    uint8_t *memory = malloc(TCN_MAX_CHUNK_BYTES + cap);
    tcn_err err = memory ? tcn_agent_read_body(a, &ask, memory, &part, &fault)
                         : tcn_fault_set(&fault, TCN_NO_MEMORY, "out of memory");
    if (err != TCN_OK) {
        tcn_agent_reply_error(a, peer, req, &fault);
        free(memory);
        return;
    }
    tcn_cbor_writer w;
    tcn_cbor_writer_init(&w, memory + TCN_MAX_CHUNK_BYTES, cap);
    tcn_cbor_put_map(&w, 2);
    tcn_cbor_put_uint(&w, 1);
    tcn_cbor_put_bytes(&w, tcn_bytes_of(memory, part.len));
    put_number(&w, 2, part.total);
    reply_item(a, peer, req, &w);
    free(memory);
}

/* ---- after the commit ---- */

static void answer(tcn_agent *a, tcn_agent_effect *effect)
{
    tcn_local_request request;
    args arguments;
    tcn_fault fault;
    if (tcn_local_request_decode(effect->view, &request) != TCN_OK)
        return;
    if (read_args(&request, &arguments, &fault) != TCN_OK) {
        tcn_agent_reply_error(a, effect->peer, request.req, &fault);
        return;
    }
    tcn_agent_inbox_ask ask = {.follows = arguments.follow,
                               .all = arguments.all,
                               .unacked = arguments.unacked,
                               .topic = arguments.topic,
                               .since = {(int64_t)arguments.since}};
    switch ((tcn_local_op)request.op) {
    case TCN_LOCAL_STATUS: reply_status(a, effect->peer, request.req); break;
    case TCN_LOCAL_INBOX: tcn_agent_inbox_list(a, effect->peer, request.req, &ask); break;
    case TCN_LOCAL_SHOW:
    case TCN_LOCAL_RESOLVE: reply_alert(a, effect->peer, &request, arguments.which); break;
    case TCN_LOCAL_BODY: reply_body(a, effect->peer, request.req, &arguments); break;
    case TCN_LOCAL_ACK: break; /* take_ack's */
    }
}

static void send_message(tcn_agent *a, tcn_agent_effect *effect)
{
    tcn_agent_send_message(a, effect->peer, tcn_bytes_of(effect->bytes, effect->len));
}

static void hang_up(tcn_agent *a, tcn_agent_effect *effect)
{
    a->ports.net.close(a->ports.net.self, effect->peer);
    tcn_agent_client_gone(a, effect->peer);
}

static void forget(tcn_agent *a, tcn_agent_effect *effect)
{
    tcn_agent_client_gone(a, effect->peer);
}

static tcn_err later(tcn_agent *a, tcn_agent_effect_fn *fn, tcn_peer peer, tcn_bytes view)
{
    tcn_agent_effect *effect = tcn_agent_later(a, fn, tcn_bytes_of(NULL, 0));
    if (!effect)
        return TCN_NO_MEMORY;
    effect->peer = peer;
    effect->view = view;
    return TCN_OK;
}

static tcn_err message_later(tcn_agent *a, tcn_peer peer, const tcn_local_reply *reply)
{
    uint8_t message[1024];
    size_t len;
    tcn_err err = tcn_local_reply_encode(reply, message, sizeof message, &len);
    if (err != TCN_OK)
        return later(a, hang_up, peer, tcn_bytes_of(NULL, 0));
    tcn_agent_effect *effect = tcn_agent_later(a, send_message, tcn_bytes_of(message, len));
    if (!effect)
        return TCN_NO_MEMORY;
    effect->peer = peer;
    return TCN_OK;
}

static tcn_err refuse(tcn_agent *a, tcn_peer peer, uint64_t req, const tcn_fault *fault)
{
    tcn_local_reply reply = {.req = req, .error = fault->err, .text = tcn_bytes_str(fault->text)};
    return message_later(a, peer, &reply);
}

static bool is_stores(tcn_err err)
{
    return err == TCN_FULL || err == TCN_IO || err == TCN_NO_MEMORY;
}

static tcn_err take_ack(tcn_agent *a, tcn_peer peer, const tcn_local_request *request)
{
    args arguments;
    tcn_fault fault;
    tcn_id id;
    tcn_err refused = TCN_OK;
    tcn_agent_item item;
    if (read_args(request, &arguments, &fault) != TCN_OK)
        return refuse(a, peer, request->req, &fault);
    tcn_err err = tcn_agent_resolve(a, arguments.which, &id, &fault);
    if (err == TCN_OK && (err = tcn_agent_item_load(a, &id, &item)) == TCN_NOT_FOUND)
        (void)tcn_fault_set(&fault, err, "the alert cannot be read from the store");
    if (is_stores(err))
        return err;
    if (err != TCN_OK)
        return refuse(a, peer, request->req, &fault);
    uint8_t raw[128];
    tcn_cbor_writer w;
    tcn_bytes written;
    tcn_ack ack = {.answer = (tcn_answer)arguments.answer,
                   .by = arguments.by,
                   .note = arguments.note,
                   .by_rule = arguments.by_rule};
    tcn_cbor_writer_init(&w, raw, sizeof raw);
    char handle[TCN_MAX_HANDLE_CHARS + 1];
    size_t handle_len = item.alert.meta.handle.len;
    memcpy(handle, item.alert.meta.handle.ptr, handle_len); /* the view dies with the next put */
    handle[handle_len] = '\0';
    err = tcn_agent_outbox_ack(a, &id, &ack, &refused, &fault);
    if (err != TCN_OK)
        return err;
    if (refused != TCN_OK)
        return refuse(a, peer, request->req, &fault);
    tcn_cbor_put_map(&w, 3);
    tcn_cbor_put_uint(&w, 1);
    tcn_cbor_put_id(&w, &id);
    put_number(&w, 2, ack.counter);
    put_text(&w, 3, handle);
    err = tcn_cbor_writer_done(&w, &written);
    tcn_local_reply reply = {.req = request->req, .items = 1, .raw = written};
    return err == TCN_OK ? message_later(a, peer, &reply) : err;
}

tcn_err tcn_agent_request_take(tcn_agent *a, tcn_peer peer, tcn_bytes message)
{
    tcn_local_request request;
    if (tcn_local_request_decode(message, &request) != TCN_OK)
        return later(a, hang_up, peer, tcn_bytes_of(NULL, 0));
    if (request.op == TCN_LOCAL_ACK)
        return take_ack(a, peer, &request);
    return later(a, answer, peer, message);
}

void tcn_agent_request_refuse(tcn_agent *a, tcn_peer peer, tcn_bytes message, tcn_err err)
{
    tcn_local_request request;
    tcn_fault fault;
    if (tcn_local_request_decode(message, &request) != TCN_OK)
        return;
    (void)tcn_fault_set(&fault, err, "nothing was stored: %s", tcn_err_text(err));
    if (refuse(a, peer, request.req, &fault) != TCN_OK)
        return; /* out of memory: the client times out */
}

tcn_err tcn_agent_request_gone(tcn_agent *a, tcn_peer peer)
{
    return later(a, forget, peer, tcn_bytes_of(NULL, 0));
}
