/* SPDX-License-Identifier: Apache-2.0 */
#include "host.h"

#include <stdlib.h>
#include <string.h>

#include "members.h"
#include "model.h"
#include "proc.h"
#include "tests/support/mem.h"
#include "watch.h"

enum { INPUTS = 64 };

/* ---- the net port ---- */

struct tcn_frame {
    size_t len;
    uint8_t bytes[];
};

static tcn_send_result broker_send(void *self, tcn_peer peer, tcn_bytes frame)
{
    sim *s = self;
    tcn_wire wire;
    sim_conn *c = sim_conn_find(s, peer);
    if (!sim_proc_acts(&s->broker.proc))
        return TCN_SENT;
    if (c != NULL && c->cut_by_broker && tcn_wire_decode(frame, &wire) == TCN_OK &&
        wire.op == TCN_OP_ALERTS)
        sim_fail(s, "[3] ALERTS to a connection of %s that was cut", s->draft[c->member].name);
    tcn_send_result result = c != NULL ? sim_conn_send_down(s, c, frame) : TCN_SEND_GONE;
    if (result == TCN_SENT)
        sim_watch_down(s, c, frame);
    else
        sim_trace(s, "  #%llu %s", (unsigned long long)peer,
                  result == TCN_SEND_FULL ? "takes no more" : "is gone");
    return result;
}

static tcn_frame *broker_frame_new(void *self, tcn_bytes bytes)
{
    sim *s = self;
    tcn_frame *frame = mem_zeroed(sizeof *frame + bytes.len);
    frame->len = bytes.len;
    memcpy(frame->bytes, bytes.ptr, bytes.len);
    s->broker.held_frames++;
    return frame;
}

static tcn_send_result broker_send_frame(void *self, tcn_peer peer, tcn_frame *frame)
{
    return broker_send(self, peer, tcn_bytes_of(frame->bytes, frame->len));
}

static void broker_frame_release(void *self, tcn_frame *frame)
{
    sim *s = self;
    if (frame != NULL)
        s->broker.held_frames--;
    free(frame);
}

static void broker_close(void *self, tcn_peer peer)
{
    sim *s = self;
    sim_conn *c = sim_conn_find(s, peer);
    if (!sim_proc_acts(&s->broker.proc) || c == NULL || !c->broker_open)
        return;
    sim_trace(s, "  broker cuts %s/%d#%llu", s->draft[c->member].name, (int)c->endpoint,
              (unsigned long long)peer);
    sim_conn_broker_close(s, c);
}

/* ---- life ---- */

void sim_broker_init(sim *s)
{
    sim_broker *b = &s->broker;
    sim_proc_init(&b->proc, s, "broker", s->options.seed * 1000);
    b->version = 1;
    tcn_broker_config_default(&b->config);
    b->config.reserve_bytes = 262144;
    b->config.body_reserve_bytes = 1u << 20;
    b->config.window_bytes = sim_once_in(&s->order, 2) ? 8192 : TCN_MAX_WINDOW_BYTES;
    b->config.keep_ms = sim_once_in(&s->order, 2) ? 600000 : WORLD_DAY_MS;
}

static void start(sim *s)
{
    sim_broker *b = &s->broker;
    tcn_fault fault = {.err = TCN_OK};
    tcn_ports ports = sim_proc_ports(&b->proc);
    ports.net = (tcn_net){broker_send,          broker_frame_new, broker_send_frame,
                          broker_frame_release, broker_close,     s};
    sim_note_entitled(s); /* it may have died in the turn that took what it has in its home */
    if (b->next_version > b->version) {
        b->version = b->next_version;
        b->next_version = 0;
    }
    sim_proc_tell_time(&b->proc);
    tcn_err err =
        tcn_broker_new(&ports, &b->config, s->version[b->version].roster, &b->core, &fault);
    if (err != TCN_OK) {
        sim_trace(s, "broker does not start: %s", fault.text);
        if (!b->proc.disk_trouble)
            sim_fail(s, "the broker does not start: %s", fault.text);
        sim_proc_crash(&b->proc, 5000);
        return;
    }
    b->proc.up = true;
    b->proc.idle_until = s->now;
    sim_trace(s, "broker starts with trust version %llu", (unsigned long long)b->version);
    sim_note_entitled(s);
}

void sim_broker_crash(sim *s, uint64_t down_ms)
{
    if (!s->broker.proc.up)
        return;
    tcn_broker_destroy(&s->broker.core);
    if (s->broker.held_frames != 0)
        sim_fail(s, "the broker kept %llu frames", (unsigned long long)s->broker.held_frames);
    sim_proc_crash(&s->broker.proc, down_ms);
    sim_conns_broker_died(s);
}

bool sim_broker_has_body(sim *s, const tcn_id *id)
{
    uint64_t bytes;
    tcn_blob blob = mem_blob_port(s->broker.proc.ports.blob);
    return blob.state(blob.self, id, &bytes) == TCN_BLOB_WHOLE;
}

void sim_broker_hand_trust(sim *s, uint64_t delay_ms)
{
    if (s->versions > s->broker.version) {
        s->broker.next_version = s->versions;
        s->broker.next_at = s->now + delay_ms;
    }
}

/* ---- a turn ---- */

typedef struct {
    tcn_broker_input input[INPUTS];
    sim_packet *packet[INPUTS]; /* whose bytes the frames are */
    size_t count;
} batch;

static void put(batch *t, tcn_broker_input input, sim_packet *packet)
{
    t->packet[t->count] = packet;
    t->input[t->count++] = input;
}

static size_t ready_conns(sim *s, tcn_lane endpoint, sim_conn **ret_conns, size_t cap)
{
    size_t count = 0;
    for (sim_conn *c = s->conns; c && count < cap; c = c->next)
        if (c->endpoint == endpoint && c->broker_open && !c->dead && c->up.first &&
            c->up.first->due <= s->now)
            ret_conns[count++] = c;
    return count;
}

/* Frames of one endpoint: connections in any order, each in its own. */
static void gather_frames(sim *s, tcn_lane endpoint, size_t most, batch *t)
{
    sim_conn *conns[32];
    for (size_t count; t->count < most &&
                       (count = ready_conns(s, endpoint, conns, sizeof conns / sizeof conns[0]));) {
        sim_conn *c = conns[sim_below(&s->order, count)];
        sim_packet *packet = sim_conn_take_up(s, c);
        tcn_broker_input input = {.kind = TCN_IN_FRAME,
                                  .endpoint = endpoint,
                                  .peer = c->peer,
                                  .member = s->draft[c->member].name,
                                  .frame = tcn_bytes_of(packet->bytes, packet->len)};
        sim_watch_up(s, c, input.frame);
        put(t, input, packet);
    }
}

static void gather_gones(sim *s, batch *t)
{
    for (sim_conn *c = s->conns; c && t->count < INPUTS - 4; c = c->next) {
        bool has_more = !c->dead && c->up.first && c->up.first->due <= s->now;
        if (!c->broker_open || c->broker_hears_at > s->now || has_more)
            continue;
        c->broker_open = false;
        sim_trace(s, "  broker hears that %s/%d#%llu is gone", s->draft[c->member].name,
                  (int)c->endpoint, (unsigned long long)c->peer);
        put(t, (tcn_broker_input){.kind = TCN_IN_GONE, .peer = c->peer}, NULL);
    }
}

static void gather_trust(sim *s, batch *t)
{
    sim_broker *b = &s->broker;
    if (b->next_version == 0 || b->next_at > s->now)
        return;
    sim_note_entitled(s);
    b->version = b->next_version;
    b->next_version = 0;
    put(t, (tcn_broker_input){.kind = TCN_IN_TRUST, .roster = s->version[b->version].roster}, NULL);
    sim_trace(s, "  broker is given trust version %llu", (unsigned long long)b->version);
}

static void gather(sim *s, batch *t)
{
    sim_proc *p = &s->broker.proc;
    size_t most = sim_between(&s->order, 1, INPUTS - 8);
    t->count = 0;
    gather_frames(s, TCN_LANE_EMERGENCY, most, t);
    gather_frames(s, TCN_LANE_BULK, most, t);
    gather_gones(s, t);
    tcn_broker_input blob = {.kind = TCN_IN_BLOB};
    if (sim_proc_take_blob(p, &blob.blob))
        put(t, blob, NULL);
    gather_trust(s, t);
    if (tcn_broker_deadline(s->broker.core).ms <= p->ports.mono.ms)
        put(t, (tcn_broker_input){.kind = TCN_IN_TICK}, NULL);
}

/* Narrowed: both connections must be cut in the turn that takes the roster. */
static void check_narrowed(sim *s, uint64_t before)
{
    for (sim_conn *c = s->conns; c; c = c->next) {
        const sim_card *old = sim_card_at(s, before, c->member);
        const sim_card *new = sim_card_at(s, s->broker.version, c->member);
        bool is_less = new->state != TCN_MEMBER_ACTIVE || new->clearance < old->clearance ||
                       (old->communities & ~new->communities) != 0;
        if (c->broker_open && c->is_node && c->is_welcomed && is_less)
            sim_fail(s, "[3] %s was narrowed by trust %llu, and its connection #%llu was not cut",
                     new->name, (unsigned long long)s->broker.version, (unsigned long long)c->peer);
    }
}

static void check_after(sim *s, uint64_t before)
{
    sim_broker *b = &s->broker;
    tcn_broker_stats stats;
    if (mem_store_is_open(b->proc.ports.store))
        sim_fail(s, "the broker left a transaction open");
    if (b->held_frames != 0)
        sim_fail(s, "the broker did not release %llu frames", (unsigned long long)b->held_frames);
    if (tcn_roster_version(tcn_broker_roster(b->core)) != b->version)
        sim_fail(s, "[5] the broker was given trust %llu and has %llu",
                 (unsigned long long)b->version,
                 (unsigned long long)tcn_roster_version(tcn_broker_roster(b->core)));
    if (before != b->version) {
        check_narrowed(s, before);
        sim_note_entitled(s);
    }
    tcn_broker_stats_get(b->core, &stats);
    if (stats.held > s->alerts)
        sim_fail(s, "the broker holds %llu alerts", (unsigned long long)stats.held);
}

static void take_turn(sim *s, batch *t)
{
    sim_broker *b = &s->broker;
    uint64_t before = tcn_roster_version(tcn_broker_roster(b->core));
    if (b->proc.ports.wall.unix_ms > b->wall_most)
        b->wall_most = b->proc.ports.wall.unix_ms;
    tcn_err err = tcn_broker_turn(b->core, t->input, t->count);
    s->turns++;
    for (size_t i = 0; i < t->count; i++)
        free(t->packet[i]);
    b->proc.idle_until = s->now + sim_below(&s->order, 4);
    if (err != TCN_OK && err != TCN_IO)
        sim_fail(s, "the broker's turn gave %s", tcn_err_word(err));
    if (err == TCN_IO && !b->proc.disk_trouble && !b->proc.dying)
        sim_fail(s, "the broker says that its disk failed");
    if (err != TCN_OK || b->proc.dying)
        sim_broker_crash(s, sim_between(&s->faults, 100, 20000));
    else
        check_after(s, before);
}

bool sim_broker_give(sim *s, const tcn_broker_input *input)
{
    batch t = {.count = 0};
    if (!s->broker.proc.up)
        return false;
    sim_proc_tell_time(&s->broker.proc);
    put(&t, *input, NULL);
    take_turn(s, &t);
    return s->broker.proc.up;
}

uint64_t sim_broker_due(sim *s)
{
    sim_broker *b = &s->broker;
    if (!b->proc.up)
        return b->proc.start_at;
    uint64_t due = sim_proc_blob_due(&b->proc);
    uint64_t tick = tcn_broker_deadline(b->core).ms;
    tick = tick > MEM_MONO_START_MS ? tick - MEM_MONO_START_MS : 0;
    due = tick < due ? tick : due;
    for (const sim_conn *c = s->conns; c; c = c->next) {
        uint64_t at = sim_conn_up_due(c);
        due = at < due ? at : due;
    }
    if (b->next_version != 0 && b->next_at < due)
        due = b->next_at;
    return due > b->proc.idle_until ? due : b->proc.idle_until;
}

void sim_broker_turn(sim *s)
{
    batch t;
    if (!s->broker.proc.up) {
        start(s);
        return;
    }
    sim_proc_tell_time(&s->broker.proc);
    sim_proc_watch_spin(&s->broker.proc);
    gather(s, &t);
    if (t.count > 0)
        take_turn(s, &t);
}
