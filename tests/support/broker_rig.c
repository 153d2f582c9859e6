/* SPDX-License-Identifier: Apache-2.0 */
/* broker_rig.c - see broker_rig.h. */
#include "tests/support/broker_rig.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/mem.h"

static void require(bool holds, const char *what)
{
    if (holds)
        return;
    fprintf(stderr, "broker rig: %s\n", what);
    abort();
}

/* ---- life ---- */

static void add_members(world *w)
{
    const world_member members[] = {
        {.name = "pub",
         .roles = TCN_ROLE_PUBLISHER | TCN_ROLE_APPROVER,
         .clearance = TCN_TLP_RED,
         .publish = {">"},
         .emergency = true},
        {.name = "pub-2", .roles = TCN_ROLE_PUBLISHER, .clearance = TCN_TLP_RED, .publish = {">"}},
        {.name = "app", .roles = TCN_ROLE_APPROVER, .clearance = TCN_TLP_RED},
        {.name = "app-2", .roles = TCN_ROLE_APPROVER, .clearance = TCN_TLP_RED},
        {.name = "op", .roles = TCN_ROLE_OPERATOR},
        {.name = "node-a", .roles = TCN_ROLE_NODE, .clearance = TCN_TLP_RED, .receive = {">"}},
        {.name = "node-b", .roles = TCN_ROLE_NODE, .clearance = TCN_TLP_RED, .receive = {">"}},
        {.name = "node-c", .roles = TCN_ROLE_NODE, .clearance = TCN_TLP_RED, .receive = {">"}},
    };
    for (size_t i = 0; i < sizeof(members) / sizeof(members[0]); i++)
        world_member_set(w, &members[i]);
}

void brig_init(broker_rig *rig, uint64_t seed)
{
    memset(rig, 0, sizeof(*rig));
    mem_ports_init(&rig->ports, seed);
    rig->w = world_new(rig->ports.wall);
    add_members(rig->w);
    world_sign(rig->w);
    tcn_broker_config_default(&rig->config);
    memcpy(rig->config.name, "broker", sizeof("broker"));
    rig->config.version = "test";
}

void brig_fini(broker_rig *rig)
{
    for (size_t i = 0; i < rig->inputs; i++)
        free((void *)(uintptr_t)rig->input[i].frame.ptr);
    tcn_broker_destroy(&rig->broker);
    mem_ports_fini(&rig->ports);
    world_free(&rig->w);
}

tcn_err brig_try_start(broker_rig *rig, tcn_fault *fault)
{
    tcn_ports ports = mem_ports_all(&rig->ports);
    return tcn_broker_new(&ports, &rig->config, world_roster(rig->w), &rig->broker, fault);
}

void brig_start(broker_rig *rig)
{
    tcn_fault fault = {.text = ""};
    tcn_err err = brig_try_start(rig, &fault);
    require(err == TCN_OK, fault.text);
}

void brig_restart(broker_rig *rig)
{
    tcn_broker_destroy(&rig->broker);
    mem_ports_crash(&rig->ports);
    rig->peers = 0;
    brig_start(rig);
}

void brig_trust(broker_rig *rig)
{
    world_set_now(rig->w, rig->ports.wall);
    world_sign(rig->w);
    tcn_broker_input in = {.kind = TCN_IN_TRUST, .roster = world_roster(rig->w)};
    brig_queue_input(rig, &in);
    brig_turn(rig);
}

/* ---- inputs ---- */

tcn_peer brig_connect(broker_rig *rig, const char *member, tcn_lane endpoint)
{
    require(rig->peers + 1 < BRIG_PEERS, "too many peers");
    tcn_peer peer = ++rig->peers;
    snprintf(rig->member[peer], sizeof(rig->member[peer]), "%s", member);
    rig->endpoint[peer] = endpoint;
    return peer;
}

void brig_queue_input(broker_rig *rig, const tcn_broker_input *input)
{
    require(rig->inputs < BRIG_INPUTS, "too many inputs");
    rig->input[rig->inputs++] = *input;
}

void brig_queue_raw(broker_rig *rig, tcn_peer peer, tcn_bytes frame)
{
    tcn_broker_input in = {.kind = TCN_IN_FRAME,
                           .endpoint = rig->endpoint[peer],
                           .peer = peer,
                           .member = rig->member[peer],
                           .frame = tcn_bytes_of(mem_copy(frame), frame.len)};
    brig_queue_input(rig, &in);
}

void brig_queue(broker_rig *rig, tcn_peer peer, const tcn_wire *wire)
{
    uint8_t frame[TCN_MAX_FRAME_BYTES];
    size_t len = 0;
    require(tcn_wire_encode(wire, frame, sizeof(frame), &len) == TCN_OK, "a frame is no frame");
    brig_queue_raw(rig, peer, tcn_bytes_of(frame, len));
}

tcn_err brig_try_turn(broker_rig *rig)
{
    tcn_err err = tcn_broker_turn(rig->broker, rig->input, rig->inputs);
    for (size_t i = 0; i < rig->inputs; i++)
        free((void *)(uintptr_t)rig->input[i].frame.ptr);
    rig->inputs = 0;
    require(mem_net_held_frames(rig->ports.net) == 0, "a turn kept frames of the net port");
    require(!mem_store_is_open(rig->ports.store), "a turn left a transaction open");
    return err;
}

void brig_turn(broker_rig *rig)
{
    require(brig_try_turn(rig) == TCN_OK, "the turn failed");
}

void brig_say(broker_rig *rig, tcn_peer peer, const tcn_wire *wire)
{
    brig_queue(rig, peer, wire);
    brig_turn(rig);
}

void brig_gone(broker_rig *rig, tcn_peer peer)
{
    tcn_broker_input in = {.kind = TCN_IN_GONE, .peer = peer};
    mem_net_set_peer(rig->ports.net, peer, MEM_PEER_GONE);
    brig_queue_input(rig, &in);
    brig_turn(rig);
}

static void tick(broker_rig *rig)
{
    tcn_broker_input in = {.kind = TCN_IN_TICK};
    brig_queue_input(rig, &in);
    brig_turn(rig);
}

void brig_pass(broker_rig *rig, uint64_t ms)
{
    uint64_t end = rig->ports.mono.ms + ms;
    for (unsigned idle = 0; rig->ports.mono.ms < end;) {
        uint64_t due = tcn_broker_deadline(rig->broker).ms;
        uint64_t step = due > rig->ports.mono.ms ? due - rig->ports.mono.ms : 0;
        if (step > end - rig->ports.mono.ms)
            step = end - rig->ports.mono.ms;
        idle = step == 0 ? idle + 1 : 0;
        require(idle < 1000, "the deadline does not move");
        mem_ports_pass(&rig->ports, step);
        tick(rig);
    }
    world_set_now(rig->w, rig->ports.wall);
}

void brig_blobs(broker_rig *rig)
{
    while (mem_blob_queued(rig->ports.blob) > 0) {
        tcn_broker_input in = {.kind = TCN_IN_BLOB};
        while (mem_blob_take(rig->ports.blob, &in.blob))
            brig_queue_input(rig, &in);
        brig_turn(rig);
    }
}

/* ---- frames ---- */

bool brig_take(broker_rig *rig, tcn_peer peer, tcn_op op, tcn_wire *ret_wire)
{
    tcn_bytes frame;
    while (mem_net_take_for(rig->ports.net, peer, &frame)) {
        memcpy(rig->frame, frame.ptr, frame.len);
        require(tcn_wire_decode(tcn_bytes_of(rig->frame, frame.len), ret_wire) == TCN_OK,
                "the broker sent a malformed frame");
        if (ret_wire->op == op)
            return true;
    }
    return false;
}

void brig_expect(broker_rig *rig, tcn_peer peer, tcn_op op, tcn_wire *ret_wire)
{
    char what[80];
    snprintf(what, sizeof(what), "%s did not get %s", rig->member[peer], tcn_op_word(op));
    require(brig_take(rig, peer, op, ret_wire), what);
}

void brig_forget(broker_rig *rig)
{
    mem_net_drop(rig->ports.net);
}

/* ---- sessions ---- */

static void hello_base(const broker_rig *rig, tcn_wire *ret_wire)
{
    *ret_wire = (tcn_wire){.op = TCN_OP_HELLO};
    ret_wire->hello.versions = 1;
    ret_wire->hello.version[0] = TCN_PROTOCOL_VERSION;
    ret_wire->hello.instance.b[0] = 1;
    ret_wire->hello.trust_version = world_bundle(rig->w)->version;
    ret_wire->hello.software = tcn_bytes_str("test");
}

tcn_peer brig_client(broker_rig *rig, const char *member)
{
    tcn_wire wire;
    tcn_peer peer = brig_connect(rig, member, TCN_LANE_BULK);
    hello_base(rig, &wire);
    brig_say(rig, peer, &wire);
    brig_expect(rig, peer, TCN_OP_WELCOME, &wire);
    return peer;
}

void brig_hello_wire(const broker_rig *rig, const brig_hello *hello, tcn_wire *ret_wire)
{
    tcn_wire_hello *h = &ret_wire->hello;
    hello_base(rig, ret_wire);
    h->mode = TCN_MODE_NODE;
    h->lanes = hello->lanes != 0 ? hello->lanes : 3;
    h->instance.b[0] = hello->instance != 0 ? hello->instance : 1;
    if (hello->trust_version != 0)
        h->trust_version = hello->trust_version;
    for (; hello->subscribe[h->subscriptions] != NULL; h->subscriptions++)
        h->subscription[h->subscriptions] = tcn_bytes_str(hello->subscribe[h->subscriptions]);
    h->has_subscriptions = h->subscriptions > 0 || hello->subscribe_nothing;
    h->epoch = hello->epoch;
    h->generation = hello->generation;
    for (int lane = 0; lane < TCN_LANES; lane++) {
        h->has_cursor[lane] = hello->cursor[lane].seq > 0;
        h->cursor[lane] = hello->cursor[lane];
    }
}

tcn_peer brig_node(broker_rig *rig, const brig_hello *hello, tcn_wire_welcome *ret_welcome)
{
    tcn_wire wire;
    tcn_peer peer =
        hello->again != 0 ? hello->again : brig_connect(rig, hello->member, TCN_LANE_BULK);
    brig_hello_wire(rig, hello, &wire);
    brig_say(rig, peer, &wire);
    brig_expect(rig, peer, TCN_OP_WELCOME, &wire);
    if (ret_welcome != NULL)
        *ret_welcome = wire.welcome;
    return peer;
}

/* ---- what members do ---- */

void brig_queue_submit(broker_rig *rig, tcn_peer peer, tcn_bytes envelope)
{
    tcn_wire wire = {.op = TCN_OP_SUBMIT};
    wire.submit.req = ++rig->req;
    wire.submit.envelope = envelope;
    brig_queue(rig, peer, &wire);
}

static tcn_wire_answer answer_to(broker_rig *rig, tcn_peer peer)
{
    tcn_wire wire;
    do
        brig_expect(rig, peer, TCN_OP_ANSWER, &wire);
    while (wire.answer.req != rig->req);
    return wire.answer;
}

tcn_wire_answer brig_submit(broker_rig *rig, tcn_peer peer, const world_alert *alert)
{
    brig_queue_submit(rig, peer, alert->envelope);
    brig_turn(rig);
    return answer_to(rig, peer);
}

tcn_wire_answer brig_approve(broker_rig *rig, tcn_peer peer, const char *approver,
                             const world_alert *alert)
{
    tcn_wire wire = {.op = TCN_OP_APPROVE};
    wire.approve.req = ++rig->req;
    wire.approve.id = alert->id;
    wire.approve.payload_hash = alert->payload_hash;
    wire.approve.signature = world_approval(rig->w, alert->payload, approver);
    brig_say(rig, peer, &wire);
    return answer_to(rig, peer);
}

void brig_receipt(broker_rig *rig, tcn_peer peer, tcn_lane lane, tcn_mark at, const tcn_id *epoch)
{
    tcn_wire wire = {.op = TCN_OP_RECEIPT};
    wire.receipt.lane = lane;
    wire.receipt.epoch = *epoch;
    wire.receipt.at = at;
    brig_say(rig, peer, &wire);
}

bool brig_take_alerts(broker_rig *rig, tcn_peer peer, tcn_lane lane, brig_alerts *ret_alerts)
{
    tcn_wire wire;
    while (brig_take(rig, peer, TCN_OP_ALERTS, &wire)) {
        if (wire.alerts.lane != lane)
            continue;
        tcn_cbor_reader r;
        tcn_cbor_reader_init(&r, wire.alerts.alerts.raw);
        *ret_alerts = (brig_alerts){.at = wire.alerts.complete_to,
                                    .need = wire.alerts.need,
                                    .count = wire.alerts.alerts.count};
        for (size_t i = 0; i < ret_alerts->count && i < 64; i++) {
            tcn_cose cose;
            tcn_alert alert;
            tcn_bytes envelope = tcn_wire_get_alert(&r, &ret_alerts->seq[i]);
            require(tcn_cose_decode(envelope, TCN_OBJECT_ALERT, &cose) == TCN_OK &&
                        tcn_alert_decode(cose.payload, &alert, NULL) == TCN_OK,
                    "ALERTS holds something else");
            ret_alerts->id[i] = alert.meta.id;
        }
        return true;
    }
    return false;
}

brig_result brig_query(broker_rig *rig, tcn_peer peer, tcn_query what, tcn_bytes args)
{
    brig_result result = {.count = 0};
    uint8_t after[256];
    tcn_wire wire = {.op = TCN_OP_QUERY}, page;
    wire.query.what = what;
    wire.query.args = args.len > 0 ? args : tcn_bytes_of("\xa0", 1);
    wire.query.max = TCN_MAX_PAGE_ITEMS;
    do {
        wire.query.req = ++rig->req;
        brig_say(rig, peer, &wire);
        brig_expect(rig, peer, TCN_OP_RESULT, &page);
        require(page.result.req == rig->req, "RESULT of another query");
        require(++result.pages < 1000, "pages without an end");
        result.error = page.result.error;
        result.count += page.result.items.count;
        if (page.result.items.count > 0)
            result.items = page.result.items.raw;
        snprintf(result.text, sizeof(result.text), "%.*s", (int)page.result.text.len,
                 (const char *)page.result.text.ptr);
        require(page.result.next.len <= sizeof(after), "a long next");
        if (page.result.next.len > 0)
            memcpy(after, page.result.next.ptr, page.result.next.len);
        wire.query.after = tcn_bytes_of(after, page.result.next.len);
    } while (wire.query.after.len > 0);
    return result;
}

tcn_bytes brig_args_id(const tcn_id *id, const char *text)
{
    static uint8_t memory[128];
    tcn_cbor_writer w;
    tcn_bytes args;
    tcn_cbor_writer_init(&w, memory, sizeof(memory));
    tcn_cbor_put_map(&w, text != NULL ? 2 : 1);
    tcn_cbor_put_uint(&w, 1);
    tcn_cbor_put_id(&w, id);
    if (text != NULL) {
        tcn_cbor_put_uint(&w, 2);
        tcn_cbor_put_text(&w, text);
    }
    require(tcn_cbor_writer_done(&w, &args) == TCN_OK, "long arguments");
    return args;
}
