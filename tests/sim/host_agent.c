/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "evil.h"
#include "host.h"
#include "members.h"
#include "proc.h"
#include "tests/support/mem.h"
#include "watch.h"

enum { INPUTS = 48 };

/* ---- the net port ---- */

static void keep_reply(sim_agent *agent, tcn_bytes message)
{
    uint8_t head[4] = {(uint8_t)(message.len >> 24), (uint8_t)(message.len >> 16),
                       (uint8_t)(message.len >> 8), (uint8_t)message.len};
    TCN_REQUIRE(tcn_buf_append(&agent->replies, tcn_bytes_of(head, sizeof head)) == TCN_OK);
    TCN_REQUIRE(tcn_buf_append(&agent->replies, message) == TCN_OK);
}

static tcn_send_result agent_send(void *self, tcn_peer peer, tcn_bytes frame)
{
    sim_agent *agent = self;
    sim *s = agent->proc.s;
    if (!sim_proc_acts(&agent->proc))
        return TCN_SENT;
    if (peer >= TCN_LOCAL_PEER_FIRST) {
        if (agent->local_full && sim_once_in(&s->wires, 2))
            return TCN_SEND_FULL;
        keep_reply(agent, frame);
        return TCN_SENT;
    }
    if (peer >= TCN_LANES || agent->link[peer].conn == NULL)
        return TCN_SEND_GONE;
    sim_watch_said(s, agent, frame);
    return sim_conn_send_up(s, agent->link[peer].conn, frame);
}

static tcn_frame *agent_frame_new(void *self, tcn_bytes bytes)
{
    (void)self;
    (void)bytes;
    return NULL; /* an agent has nobody to share with */
}

static tcn_send_result agent_send_frame(void *self, tcn_peer peer, tcn_frame *frame)
{
    (void)self;
    (void)peer;
    (void)frame;
    return TCN_SEND_GONE;
}

static void agent_frame_release(void *self, tcn_frame *frame)
{
    (void)self;
    (void)frame;
}

static void agent_close(void *self, tcn_peer peer)
{
    sim_agent *agent = self;
    if (sim_proc_acts(&agent->proc))
        sim_trace(agent->proc.s, "  %s hangs up on %llu", agent->proc.name,
                  (unsigned long long)peer);
}

/* ---- life ---- */

void sim_agent_init(sim *s, unsigned member, bool is_clone)
{
    TCN_REQUIRE(s->agents < SIM_AGENTS);
    unsigned at = s->agents++;
    sim_agent *agent = &s->agent[at];
    char name[24];
    (void)snprintf(name, sizeof name, "%s%s", s->draft[member].name, is_clone ? "'" : "");
    memset(agent, 0, sizeof *agent);
    sim_proc_init(&agent->proc, s, name, s->options.seed * 1000 + 1 + at);
    agent->member = member;
    agent->is_clone = is_clone;
    agent->home_version = s->broker.version;
    agent->proc.start_at = s->now + sim_below(&s->order, 3000);
    if (sim_once_in(&s->work, 3))
        agent->subscribe = 1u << sim_below(&s->work, SIM_PATTERNS);
    tcn_buf_init(&agent->replies, 64u << 20);
}

static void start(sim_agent *agent)
{
    sim *s = agent->proc.s;
    tcn_fault fault = {.err = TCN_OK};
    tcn_ports ports = sim_proc_ports(&agent->proc);
    char rows[SIM_PATTERNS][TCN_MAX_TOPIC_CHARS + 1];
    const char *list[SIM_PATTERNS + 1];
    const char *name = s->draft[agent->member].name;
    tcn_roster *roster = s->version[agent->home_version].roster;
    tcn_agent_config config = {.version = "sim", .subscribe = rows, .keep_ms = 900000};
    tcn_agent_identity identity = {
        .authority = *world_authority(s->w),
        .secrets = *world_secrets(s->w, name),
        .bundle = tcn_roster_bundle_envelope(roster),
        .card = tcn_roster_card_envelope(roster, tcn_roster_find(roster, name))};
    (void)snprintf(identity.member, sizeof identity.member, "%s", name);
    sim_strings(sim_patterns, agent->subscribe, list);
    for (; list[config.subscriptions] != NULL; config.subscriptions++)
        (void)snprintf(rows[config.subscriptions], sizeof rows[0], "%s",
                       list[config.subscriptions]);
    ports.net = (tcn_net){agent_send,          agent_frame_new, agent_send_frame,
                          agent_frame_release, agent_close,     agent};
    sim_proc_tell_time(&agent->proc);
    tcn_err err = tcn_agent_new(&ports, &config, &identity, &agent->core, &fault);
    tcn_secrets_fini(&identity.secrets);
    if (err != TCN_OK) {
        sim_trace(s, "%s does not start: %s", agent->proc.name, fault.text);
        if (!agent->proc.disk_trouble)
            sim_fail(s, "%s does not start: %s", agent->proc.name, fault.text);
        sim_proc_crash(&agent->proc, 5000);
        return;
    }
    agent->proc.up = true;
    agent->proc.idle_until = s->now;
    for (unsigned lane = 0; lane < TCN_LANES; lane++)
        agent->link[lane].attempt_at = s->now + sim_below(&s->order, 100);
    sim_trace(s, "%s starts, subscribed %x, trust %llu at home", agent->proc.name, agent->subscribe,
              (unsigned long long)agent->home_version);
}

void sim_agent_crash(sim_agent *agent, uint64_t down_ms)
{
    sim *s = agent->proc.s;
    if (!agent->proc.up)
        return;
    tcn_agent_destroy(&agent->core);
    sim_proc_crash(&agent->proc, down_ms);
    tcn_buf_clear(&agent->replies);
    for (unsigned lane = 0; lane < TCN_LANES; lane++) {
        sim_link *link = &agent->link[lane];
        if (link->conn != NULL) {
            link->conn->dead |= sim_once_in(&s->faults, 3); /* the power failed */
            sim_conn_peer_close(s, link->conn);
        }
        *link = (sim_link){.blocked_until = link->blocked_until};
    }
}

/* ---- links ---- */

void sim_link_drop(sim_agent *agent, unsigned lane, uint64_t pause_ms)
{
    sim_link *link = &agent->link[lane];
    if (link->conn == NULL)
        return;
    sim_trace(agent->proc.s, "  %s/%u#%llu ends", agent->proc.name, lane,
              (unsigned long long)link->conn->peer);
    sim_conn_peer_close(agent->proc.s, link->conn);
    link->conn = NULL;
    link->tell_down = true;
    link->attempt_at = agent->proc.s->now + pause_ms;
}

static void dial(sim_agent *agent, unsigned lane)
{
    sim *s = agent->proc.s;
    sim_link *link = &agent->link[lane];
    if (link->conn != NULL || link->attempt_at > s->now || link->tell_down)
        return; /* its end is told before its next beginning */
    if (link->blocked_until <= s->now)
        link->conn = sim_conn_open(s, agent->member, (tcn_lane)lane);
    if (link->conn != NULL) {
        link->conn->agent = (unsigned)(agent - s->agent);
        link->tell_up = true;
        link->rounds = 0;
        sim_trace(s, "  %s/%u#%llu is up", agent->proc.name, lane,
                  (unsigned long long)link->conn->peer);
        return;
    }
    uint64_t pause = (uint64_t)250 << (link->rounds < 6 ? link->rounds : 6);
    link->rounds++;
    link->tell_down = true;
    link->attempt_at = s->now + pause / 2 + sim_below(&s->wires, pause / 2);
}

/* ---- a turn ---- */

typedef struct {
    tcn_agent_input input[INPUTS];
    sim_packet *packet[INPUTS];
    size_t count;
} batch;

static void put(batch *t, tcn_agent_input input, sim_packet *packet)
{
    t->packet[t->count] = packet;
    t->input[t->count++] = input;
}

/* As the shell does: up, then frames, then down. */
static void gather_link(sim_agent *agent, unsigned lane, batch *t)
{
    sim *s = agent->proc.s;
    sim_link *link = &agent->link[lane];
    tcn_peer peer = tcn_agent_link_peer(0, (tcn_lane)lane);
    sim_packet *packet = NULL;
    if (link->tell_up)
        put(t, (tcn_agent_input){.kind = TCN_AGENT_LINK_UP, .peer = peer}, NULL);
    link->tell_up = false;
    size_t most = t->count + sim_between(&s->order, 1, 16);
    while (t->count < most && link->conn != NULL &&
           (packet = sim_conn_take_down(s, link->conn)) != NULL) {
        if (s->evil)
            packet = sim_evil_touch(s, packet);
        put(t,
            (tcn_agent_input){.kind = TCN_AGENT_FRAME,
                              .peer = peer,
                              .frame = tcn_bytes_of(packet->bytes, packet->len)},
            packet);
    }
    if (link->conn != NULL && packet == NULL && link->conn->peer_hears_at <= s->now)
        sim_link_drop(agent, lane, sim_below(&s->wires, 1000));
    if (link->tell_down)
        put(t, (tcn_agent_input){.kind = TCN_AGENT_LINK_DOWN, .peer = peer, .text = "gone"}, NULL);
    link->tell_down = false;
}

static void gather(sim_agent *agent, batch *t)
{
    t->count = 0;
    for (unsigned lane = TCN_LANES; lane-- > 0;) {
        dial(agent, lane);
        gather_link(agent, lane, t);
    }
    tcn_agent_input blob = {.kind = TCN_AGENT_BLOB};
    if (sim_proc_take_blob(&agent->proc, &blob.blob))
        put(t, blob, NULL);
    if (tcn_agent_deadline(agent->core).ms <= agent->proc.ports.mono.ms)
        put(t, (tcn_agent_input){.kind = TCN_AGENT_TICK}, NULL);
}

static void take_turn(sim_agent *agent, batch *t)
{
    sim *s = agent->proc.s;
    tcn_peer cut;
    tcn_err err = tcn_agent_turn(agent->core, t->input, t->count);
    s->turns++;
    for (size_t i = 0; i < t->count; i++)
        free(t->packet[i]);
    agent->proc.idle_until = s->now + sim_below(&s->order, 4);
    if (err != TCN_OK && err != TCN_IO)
        sim_fail(s, "%s: its turn gave %s", agent->proc.name, tcn_err_word(err));
    if (err == TCN_IO && !agent->proc.disk_trouble && !agent->proc.dying)
        sim_fail(s, "%s says that its disk failed", agent->proc.name);
    if (mem_store_is_open(agent->proc.ports.store))
        sim_fail(s, "%s left a transaction open", agent->proc.name);
    if (err != TCN_OK || agent->proc.dying) {
        sim_agent_crash(agent, sim_between(&s->faults, 100, 20000));
        return;
    }
    while (tcn_agent_take_reconnect(agent->core, &cut))
        if (cut < TCN_LANES)
            sim_link_drop(agent, (unsigned)cut, sim_below(&s->wires, 1000));
}

bool sim_agent_ask(sim_agent *agent, tcn_local_op op, const tcn_cbor_writer *args)
{
    uint8_t message[1024];
    size_t len = 0;
    batch t = {.count = 0};
    tcn_local_request request = {.op = op, .req = ++agent->req};
    if (!agent->proc.up)
        return false;
    if (args != NULL)
        TCN_REQUIRE(tcn_cbor_writer_done(args, &request.args) == TCN_OK);
    TCN_REQUIRE(tcn_local_request_encode(&request, message, sizeof message, &len) == TCN_OK);
    sim_proc_tell_time(&agent->proc);
    sim_packet *packet = mem_zeroed(sizeof *packet + len);
    memcpy(packet->bytes, message, len);
    put(&t,
        (tcn_agent_input){.kind = TCN_AGENT_LOCAL,
                          .peer = TCN_LOCAL_PEER_FIRST,
                          .frame = tcn_bytes_of(packet->bytes, len)},
        packet);
    take_turn(agent, &t);
    return agent->proc.up;
}

bool sim_agent_tick(sim_agent *agent)
{
    batch t = {.count = 0};
    if (!agent->proc.up)
        return false;
    sim_proc_tell_time(&agent->proc);
    put(&t, (tcn_agent_input){.kind = TCN_AGENT_TICK}, NULL);
    take_turn(agent, &t);
    return agent->proc.up;
}

uint64_t sim_agent_due(sim_agent *agent)
{
    sim_proc *p = &agent->proc;
    if (!p->up)
        return p->start_at;
    uint64_t due = sim_proc_blob_due(p);
    uint64_t tick = tcn_agent_deadline(agent->core).ms;
    tick = tick > MEM_MONO_START_MS ? tick - MEM_MONO_START_MS : 0;
    due = tick < due ? tick : due;
    for (unsigned lane = 0; lane < TCN_LANES; lane++) {
        const sim_link *link = &agent->link[lane];
        uint64_t at = link->conn != NULL ? sim_conn_down_due(link->conn) : link->attempt_at;
        if (link->tell_up || link->tell_down)
            at = p->s->now;
        due = at < due ? at : due;
    }
    return due > p->idle_until ? due : p->idle_until;
}

void sim_agent_turn(sim_agent *agent)
{
    batch t;
    if (!agent->proc.up) {
        start(agent);
        return;
    }
    sim_proc_tell_time(&agent->proc);
    sim_proc_watch_spin(&agent->proc);
    gather(agent, &t);
    if (t.count > 0)
        take_turn(agent, &t);
}
