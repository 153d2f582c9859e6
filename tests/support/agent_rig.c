/* SPDX-License-Identifier: Apache-2.0 */
#include "agent_rig.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PIECE TCN_MAX_CHUNK_BYTES

static void expect(bool is_so, const char *what)
{
    if (is_so)
        return;
    (void)fprintf(stderr, "agent_rig: %s\n", what);
    abort();
}

/* ---- the world and the agent ---- */

void rig_init(agent_rig *rig, uint64_t seed)
{
    static const world_member members[] = {
        {.name = "pub",
         .roles = TCN_ROLE_PUBLISHER | TCN_ROLE_APPROVER,
         .clearance = TCN_TLP_RED,
         .publish = {"advisory.>"},
         .emergency = true},
        {.name = "pub-two",
         .roles = TCN_ROLE_PUBLISHER,
         .clearance = TCN_TLP_RED,
         .publish = {"advisory.>"}},
        {.name = "app-a", .roles = TCN_ROLE_APPROVER, .clearance = TCN_TLP_RED},
        {.name = "node-a", .roles = TCN_ROLE_NODE, .receive = {">"}, .clearance = TCN_TLP_RED},
        {.name = "node-b", .roles = TCN_ROLE_NODE, .receive = {">"}, .clearance = TCN_TLP_RED},
    };
    memset(rig, 0, sizeof *rig);
    mem_ports_init(&rig->ports, seed);
    rig->w = world_new(rig->ports.wall);
    for (size_t i = 0; i < sizeof members / sizeof members[0]; i++)
        world_member_set(rig->w, &members[i]);
    world_sign(rig->w);
    rig->epoch.b[0] = 1;
    rig->generation = 1;
    rig->config = (tcn_agent_config){.version = "tocsin test", .keep_ms = WORLD_DAY_MS};
}

void rig_fini(agent_rig *rig)
{
    tcn_agent_destroy(&rig->agent);
    mem_ports_fini(&rig->ports);
    world_free(&rig->w);
}

tcn_err rig_try_start(agent_rig *rig, tcn_fault *fault)
{
    tcn_ports ports = mem_ports_all(&rig->ports);
    tcn_agent_identity identity = {.member = "node-a",
                                   .authority = *world_authority(rig->w),
                                   .secrets = *world_secrets(rig->w, "node-a"),
                                   .bundle = world_bundle_envelope(rig->w),
                                   .card = world_card_envelope(rig->w, "node-a")};
    return tcn_agent_new(&ports, &rig->config, &identity, &rig->agent, fault);
}

void rig_start(agent_rig *rig)
{
    tcn_fault fault = {.err = TCN_OK};
    if (rig_try_start(rig, &fault) != TCN_OK)
        expect(false, fault.text);
}

void rig_restart(agent_rig *rig)
{
    tcn_agent_destroy(&rig->agent);
    mem_ports_crash(&rig->ports);
    rig_start(rig);
}

/* ---- inputs ---- */

void rig_input(agent_rig *rig, const tcn_agent_input *input)
{
    expect(tcn_agent_turn(rig->agent, input, 1) == TCN_OK, "a turn failed");
    expect(!mem_store_is_open(rig->ports.store), "a transaction was left open");
    expect(mem_net_held_frames(rig->ports.net) == 0, "a frame was not released");
}

void rig_up(agent_rig *rig, tcn_peer link)
{
    tcn_agent_input input = {.kind = TCN_AGENT_LINK_UP, .peer = link};
    rig_input(rig, &input);
}

void rig_down(agent_rig *rig, tcn_peer link)
{
    tcn_agent_input input = {.kind = TCN_AGENT_LINK_DOWN, .peer = link, .text = "gone"};
    rig_input(rig, &input);
}

void rig_frame(agent_rig *rig, tcn_peer link, const tcn_wire *wire)
{
    /* On its own memory: views into it die with the turn, and the sanitizers see it. */
    uint8_t *frame = malloc(TCN_MAX_FRAME_BYTES);
    size_t len = 0;
    expect(frame && tcn_wire_encode(wire, frame, TCN_MAX_FRAME_BYTES, &len) == TCN_OK,
           "a frame cannot be written");
    tcn_agent_input input = {
        .kind = TCN_AGENT_FRAME, .peer = link, .frame = tcn_bytes_of(frame, len)};
    rig_input(rig, &input);
    free(frame);
}

void rig_pass(agent_rig *rig, uint64_t ms)
{
    uint64_t end = rig->ports.mono.ms + ms;
    for (unsigned steps = 0;; steps++) {
        expect(steps < 100000, "the core's deadline does not move");
        tcn_mono deadline = tcn_agent_deadline(rig->agent);
        uint64_t now = rig->ports.mono.ms;
        uint64_t to = deadline.ms > end ? end : deadline.ms < now ? now : deadline.ms;
        mem_ports_pass(&rig->ports, to - now);
        tcn_agent_input tick = {.kind = TCN_AGENT_TICK};
        rig_input(rig, &tick);
        if (to == end && tcn_agent_deadline(rig->agent).ms > end)
            return;
    }
}

/* ---- the broker ---- */

bool rig_take(agent_rig *rig, tcn_peer link, tcn_op op, tcn_wire *ret_wire)
{
    tcn_bytes frame;
    while (mem_net_take_for(rig->ports.net, link, &frame)) {
        expect(frame.len <= sizeof rig->frame, "a frame is too long");
        memcpy(rig->frame, frame.ptr, frame.len);
        expect(tcn_wire_decode(tcn_bytes_of(rig->frame, frame.len), ret_wire) == TCN_OK,
               "the agent sent a malformed frame");
        if (ret_wire->op == op)
            return true;
    }
    return false;
}

void rig_expect(agent_rig *rig, tcn_peer link, tcn_op op, tcn_wire *ret_wire)
{
    if (!rig_take(rig, link, op, ret_wire))
        expect(false, tcn_op_word(op));
}

void rig_forget(agent_rig *rig)
{
    mem_net_drop(rig->ports.net);
}

bool rig_reconnect(agent_rig *rig, tcn_peer *ret_link)
{
    return tcn_agent_take_reconnect(rig->agent, ret_link);
}

void rig_welcome(agent_rig *rig, tcn_peer link)
{
    int64_t true_ms = rig->ports.wall.unix_ms - rig->wall_ahead_ms;
    const tcn_bundle *bundle = tcn_agent_bundle(rig->agent);
    tcn_wire wire = {.op = TCN_OP_WELCOME,
                     .welcome = {.version = 1,
                                 .epoch = rig->epoch,
                                 .generation = rig->generation,
                                 .trust_version = world_bundle(rig->w)->version,
                                 .time = {true_ms + rig->broker_ahead_ms},
                                 .broker = tcn_bytes_str(bundle->broker[link / TCN_LANES].name),
                                 .heartbeat_ms = TCN_MAX_HEARTBEAT_MS,
                                 .max_body_bytes = TCN_MAX_BODY_BYTES,
                                 .window_bytes = TCN_MAX_WINDOW_BYTES}};
    rig_frame(rig, link, &wire);
}

void rig_open(agent_rig *rig, tcn_peer link)
{
    tcn_wire hello;
    rig_up(rig, link);
    rig_expect(rig, link, TCN_OP_HELLO, &hello);
    rig_welcome(rig, link);
}

void rig_serve(agent_rig *rig)
{
    rig_open(rig, RIG_SESSION);
    rig_open(rig, RIG_EMERGENCY);
}

void rig_alerts(agent_rig *rig, const rig_batch *batch)
{
    uint8_t *raw = malloc(TCN_MAX_FRAME_BYTES);
    tcn_cbor_writer w;
    tcn_bytes written;
    expect(raw != NULL, "out of memory");
    tcn_cbor_writer_init(&w, raw, TCN_MAX_FRAME_BYTES);
    for (unsigned i = 0; i < batch->count; i++)
        tcn_wire_put_alert(&w, batch->seq + 1 + i - batch->count, batch->envelopes[i]);
    expect(tcn_cbor_writer_done(&w, &written) == TCN_OK, "the envelopes do not fit");
    uint64_t need = batch->need > 0 ? batch->need : world_bundle(rig->w)->version;
    tcn_wire wire = {.op = TCN_OP_ALERTS,
                     .alerts = {.lane = batch->lane,
                                .need = need,
                                .complete_to = {.seq = batch->seq, .tag = batch->seq * 7 + 1},
                                .alerts = {.count = batch->count, .raw = written}}};
    rig_frame(rig, batch->link, &wire);
    free(raw);
}

void rig_alert(agent_rig *rig, uint64_t seq, const world_alert *alert, tcn_lane lane)
{
    rig_batch batch = {.link = lane == TCN_LANE_EMERGENCY ? RIG_EMERGENCY : RIG_SESSION,
                       .lane = lane,
                       .seq = seq,
                       .count = 1,
                       .envelopes = &alert->envelope};
    rig_alerts(rig, &batch);
}

void rig_trust(agent_rig *rig, tcn_peer link)
{
    tcn_bytes bundle = world_bundle_envelope(rig->w);
    tcn_wire wire = {.op = TCN_OP_TRUST,
                     .trust = {.version = world_bundle(rig->w)->version,
                               .total = bundle.len,
                               .offset = 0,
                               .bytes = bundle}};
    rig_frame(rig, link, &wire);
}

/* ---- the local client ---- */

bool rig_take_reply(agent_rig *rig, tcn_peer client, tcn_local_reply *ret_reply)
{
    tcn_bytes message;
    if (!mem_net_take_for(rig->ports.net, client, &message))
        return false;
    expect(message.len <= sizeof rig->reply, "a reply is too long");
    memcpy(rig->reply, message.ptr, message.len);
    expect(tcn_local_reply_decode(tcn_bytes_of(rig->reply, message.len), ret_reply) == TCN_OK,
           "the agent sent a malformed reply");
    return true;
}

tcn_local_reply rig_ask(agent_rig *rig, tcn_local_op op, const tcn_cbor_writer *args)
{
    uint8_t memory[4096];
    size_t len = 0;
    tcn_local_request request = {.op = op, .req = ++rig->req};
    tcn_local_reply reply;
    if (args)
        expect(tcn_cbor_writer_done(args, &request.args) == TCN_OK, "the arguments do not fit");
    expect(tcn_local_request_encode(&request, memory, sizeof memory, &len) == TCN_OK,
           "a request cannot be written");
    tcn_agent_input input = {
        .kind = TCN_AGENT_LOCAL, .peer = RIG_CLIENT, .frame = tcn_bytes_of(memory, len)};
    rig_input(rig, &input);
    expect(rig_take_reply(rig, RIG_CLIENT, &reply), "a request was not answered");
    expect(reply.req == rig->req, "another request was answered");
    return reply;
}

tcn_local_reply rig_ask_text(agent_rig *rig, tcn_local_op op, const char *text)
{
    uint8_t memory[256];
    tcn_cbor_writer w;
    tcn_cbor_writer_init(&w, memory, sizeof memory);
    tcn_cbor_put_map(&w, 1);
    tcn_cbor_put_uint(&w, 1);
    tcn_cbor_put_text(&w, text);
    return rig_ask(rig, op, &w);
}

/* The encoded value at a key. */
static tcn_bytes encoded_value(const tcn_local_reply *reply, size_t nth, uint64_t key)
{
    tcn_cbor_reader r;
    tcn_cbor_reader_init(&r, reply->raw);
    expect(nth < reply->items, "there is no such item");
    for (size_t i = 0; i < nth; i++)
        (void)tcn_cbor_get_item(&r);
    uint64_t previous = UINT64_MAX;
    for (size_t left = tcn_cbor_get_map(&r, 64); left > 0; left--) {
        uint64_t found = tcn_cbor_get_key(&r, &previous);
        tcn_bytes value = tcn_cbor_get_item(&r);
        if (found == key && r.err == TCN_OK)
            return value;
    }
    return tcn_bytes_of(NULL, 0);
}

uint64_t rig_number(const tcn_local_reply *reply, size_t nth, uint64_t key)
{
    tcn_cbor_reader r;
    tcn_cbor_reader_init(&r, encoded_value(reply, nth, key));
    uint64_t number = tcn_cbor_get_uint(&r);
    expect(tcn_cbor_reader_done(&r) == TCN_OK, "there is no number at that key");
    return number;
}

tcn_bytes rig_value(const tcn_local_reply *reply, size_t nth, uint64_t key)
{
    tcn_bytes encoded = encoded_value(reply, nth, key);
    tcn_cbor_reader r;
    tcn_cbor_reader_init(&r, encoded);
    switch (tcn_cbor_peek(&r)) {
    case TCN_CBOR_TEXT: return tcn_cbor_get_text(&r, SIZE_MAX);
    case TCN_CBOR_BYTES: return tcn_cbor_get_bytes(&r, SIZE_MAX);
    default: return encoded;
    }
}

tcn_local_reply rig_inbox(agent_rig *rig, bool all)
{
    uint8_t memory[16];
    tcn_cbor_writer w;
    tcn_cbor_writer_init(&w, memory, sizeof memory);
    tcn_cbor_put_map(&w, 1);
    tcn_cbor_put_uint(&w, 1);
    tcn_cbor_put_bool(&w, all);
    return rig_ask(rig, TCN_LOCAL_INBOX, &w);
}

tcn_local_reply rig_show(agent_rig *rig, const tcn_id *id)
{
    char text[TCN_ID_TEXT_SIZE];
    tcn_id_text(id, text);
    return rig_ask_text(rig, TCN_LOCAL_SHOW, text);
}

tcn_local_reply rig_ack(agent_rig *rig, const char *which, tcn_answer answer)
{
    uint8_t memory[256];
    tcn_cbor_writer w;
    tcn_cbor_writer_init(&w, memory, sizeof memory);
    tcn_cbor_put_map(&w, 3);
    tcn_cbor_put_uint(&w, 1);
    tcn_cbor_put_text(&w, which);
    tcn_cbor_put_uint(&w, 2);
    tcn_cbor_put_uint(&w, answer);
    tcn_cbor_put_uint(&w, 3);
    tcn_cbor_put_text(&w, "Ada");
    return rig_ask(rig, TCN_LOCAL_ACK, &w);
}

tcn_local_reply rig_status(agent_rig *rig)
{
    return rig_ask(rig, TCN_LOCAL_STATUS, NULL);
}

/* ---- bodies ---- */

void rig_blobs(agent_rig *rig)
{
    tcn_agent_input input = {.kind = TCN_AGENT_BLOB};
    while (mem_blob_take(rig->ports.blob, &input.blob))
        rig_input(rig, &input);
}

uint64_t rig_send_body(agent_rig *rig, tcn_peer link, const world_alert *alert, unsigned pieces)
{
    uint64_t sent = 0;
    tcn_wire fetch;
    for (unsigned i = 0; pieces == 0 || i < pieces; i++) {
        if (!rig_take(rig, link, TCN_OP_FETCH, &fetch))
            break;
        expect(tcn_id_equal(&fetch.fetch.id, &alert->id), "another body was fetched");
        uint64_t offset = fetch.fetch.offset;
        expect(offset < alert->body.len, "a piece beyond the end was fetched");
        size_t len = alert->body.len - (size_t)offset;
        len = len < PIECE ? len : PIECE;
        tcn_wire wire = {.op = TCN_OP_BODY,
                         .body = {.id = alert->id,
                                  .offset = offset,
                                  .total = alert->body.len,
                                  .bytes = tcn_bytes_of(alert->body.ptr + offset, len)}};
        rig_frame(rig, link, &wire);
        rig_blobs(rig);
        sent += len;
    }
    return sent;
}
