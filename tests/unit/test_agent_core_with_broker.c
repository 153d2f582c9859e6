/* SPDX-License-Identifier: Apache-2.0 */
/* The agent's core and the broker's, joined in memory, while links drop, processes die, disks fill
 * and trust changes: in the end the node has every alert once, with its body, and the broker every
 * answer. The seed tells the whole story; a failure prints it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/support/agent_rig.h"
#include "tests/support/broker_rig.h"

#define SEEDS 24
#define STEPS 300
#define MOST_ALERTS 120

typedef struct {
    broker_rig broker;
    agent_rig agent;
    tcn_bytes bundle, card; /* the home's, of the first day */
    tcn_peer at[TCN_LANES]; /* the broker's number of each link; 0: down */
    tcn_peer publisher;     /* 0: not connected */
    uint64_t random, seed;
    unsigned alerts;
    world_alert alert[MOST_ALERTS];
    bool is_accepted[MOST_ALERTS], is_external[MOST_ALERTS];
    unsigned target[MOST_ALERTS]; /* of an update, counted from 1 */
    unsigned publishers;
} story;

static uint64_t draw(story *s, uint64_t below)
{
    s->random = s->random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (s->random >> 33) % below;
}

static void agent_input(story *s, const tcn_agent_input *input)
{
    rig_input(&s->agent, input);
}

static void start_agent(story *s)
{
    tcn_fault fault = {.err = TCN_OK};
    tcn_ports ports = mem_ports_all(&s->agent.ports);
    tcn_agent_identity identity = {.member = "node-a",
                                   .authority = *world_authority(s->broker.w),
                                   .secrets = *world_secrets(s->broker.w, "node-a"),
                                   .bundle = s->bundle,
                                   .card = s->card};
    tcn_agent_config config = {.version = "test", .keep_ms = WORLD_DAY_MS};
    assert_int_equal(tcn_agent_new(&ports, &config, &identity, &s->agent.agent, &fault), TCN_OK);
}

static void begin(story *s, uint64_t seed)
{
    memset(s, 0, sizeof *s);
    s->seed = s->random = seed;
    brig_init(&s->broker, seed);
    brig_start(&s->broker);
    mem_ports_init(&s->agent.ports, seed + 1000);
    s->agent.w = s->broker.w;
    s->bundle = world_bundle_envelope(s->broker.w);
    s->card = world_card_envelope(s->broker.w, "node-a");
    start_agent(s);
}

static void end(story *s)
{
    tcn_agent_destroy(&s->agent.agent);
    mem_ports_fini(&s->agent.ports);
    brig_fini(&s->broker);
}

/* ---- the network ---- */

static void link_up(story *s, tcn_lane lane)
{
    if (s->at[lane] != 0 || s->broker.peers + 2 >= BRIG_PEERS)
        return;
    s->at[lane] = brig_connect(&s->broker, "node-a", lane);
    tcn_agent_input input = {.kind = TCN_AGENT_LINK_UP, .peer = lane};
    agent_input(s, &input);
}

/* What was on its way is lost. */
static void link_down(story *s, tcn_lane lane, bool is_told)
{
    tcn_peer peer = s->at[lane];
    tcn_bytes frame;
    if (peer == 0)
        return;
    s->at[lane] = 0;
    while (mem_net_take_for(s->agent.ports.net, lane, &frame))
        continue;
    while (mem_net_take_for(s->broker.ports.net, peer, &frame))
        continue;
    if (is_told)
        brig_gone(&s->broker, peer);
    tcn_agent_input input = {.kind = TCN_AGENT_LINK_DOWN, .peer = lane, .text = "cut"};
    agent_input(s, &input);
}

/* One frame each way on a link; false: there was none. */
static bool carry(story *s, tcn_lane lane)
{
    tcn_bytes frame;
    bool any = false;
    tcn_peer peer = s->at[lane];
    if (peer == 0)
        return false;
    if (mem_net_is_closed(s->broker.ports.net, peer)) {
        link_down(s, lane, true);
        return true;
    }
    if (mem_net_take_for(s->agent.ports.net, lane, &frame)) {
        brig_queue_raw(&s->broker, peer, frame);
        brig_turn(&s->broker);
        any = true;
    }
    if (mem_net_take_for(s->broker.ports.net, peer, &frame)) {
        uint8_t *copy = malloc(frame.len);
        assert_non_null(copy);
        memcpy(copy, frame.ptr, frame.len);
        tcn_agent_input input = {
            .kind = TCN_AGENT_FRAME, .peer = lane, .frame = tcn_bytes_of(copy, frame.len)};
        agent_input(s, &input);
        free(copy);
        any = true;
    }
    tcn_peer cut;
    while (tcn_agent_take_reconnect(s->agent.agent, &cut))
        link_down(s, (tcn_lane)cut, true);
    return any;
}

static void settle(story *s)
{
    bool any = true;
    for (unsigned i = 0; any; i++) {
        if (i > 20000)
            fail_msg("seed %llu: it never rests", (unsigned long long)s->seed);
        any = carry(s, TCN_LANE_EMERGENCY);
        any = carry(s, TCN_LANE_BULK) || any;
        if (mem_blob_queued(s->agent.ports.blob) > 0) {
            rig_blobs(&s->agent);
            any = true;
        }
        brig_blobs(&s->broker);
    }
}

static void pass(story *s, uint64_t ms)
{
    brig_pass(&s->broker, ms);
    rig_pass(&s->agent, ms);
    s->publisher = 0; /* silent for too long, perhaps */
    world_set_now(s->broker.w, s->broker.ports.wall);
}

/* ---- the publisher ---- */

static void upload(story *s, const world_alert *alert, uint64_t offset)
{
    while (offset < alert->body.len) {
        size_t len = alert->body.len - (size_t)offset;
        len = len < TCN_MAX_CHUNK_BYTES ? len : TCN_MAX_CHUNK_BYTES;
        tcn_wire wire = {.op = TCN_OP_UPLOAD,
                         .upload = {.req = 7,
                                    .id = alert->id,
                                    .offset = offset,
                                    .bytes = tcn_bytes_of(alert->body.ptr + offset, len)}};
        brig_say(&s->broker, s->publisher, &wire);
        brig_blobs(&s->broker);
        offset += len;
    }
}

static void submit(story *s, unsigned i)
{
    const world_alert *alert = &s->alert[i];
    if (s->publisher == 0) {
        if (s->broker.peers + 1 >= BRIG_PEERS)
            return;
        s->publisher = brig_client(&s->broker, "pub");
    }
    tcn_wire_answer answer = brig_submit(&s->broker, s->publisher, alert);
    if (answer.error != TCN_OK)
        return; /* full: again later */
    if (s->is_external[i] && !answer.accepted) {
        upload(s, alert, answer.has_offset ? answer.offset : 0);
        answer = brig_submit(&s->broker, s->publisher, alert);
    }
    s->is_accepted[i] = answer.error == TCN_OK && answer.accepted;
}

static void publish(story *s)
{
    static char body[150001];
    if (s->alerts == MOST_ALERTS)
        return;
    unsigned i = s->alerts++;
    world_options options = {.publisher = "pub"};
    switch (draw(s, 4)) {
    case 0:
        options.lane = TCN_LANE_EMERGENCY;
        options.approvers[0] = "app";
        break;
    case 1:
        for (size_t j = 0; j < sizeof body - 1; j++)
            body[j] = (char)('a' + draw(s, 26));
        options.external = s->is_external[i] = true;
        options.body = body;
        options.body_bytes = 1 + draw(s, sizeof body - 1);
        break;
    case 2:
        if (i > 0 && !s->is_external[i - 1]) {
            options.kind = TCN_KIND_UPDATE;
            s->target[i] = 1 + (unsigned)draw(s, i);
            options.references[0] = &s->alert[s->target[i] - 1].id;
        }
        break;
    default: break;
    }
    s->alert[i] = world_alert_make(s->broker.w, &options);
    submit(s, i);
}

/* A new publisher, whom nobody without the new trust knows. */
static void change_trust(story *s)
{
    char name[16];
    (void)snprintf(name, sizeof name, "new-%u", s->publishers++);
    world_member_set(s->broker.w, &(world_member){.name = name,
                                                  .roles = TCN_ROLE_PUBLISHER,
                                                  .clearance = TCN_TLP_RED,
                                                  .publish = {">"}});
    brig_trust(&s->broker);
    if (s->alerts == MOST_ALERTS)
        return;
    unsigned i = s->alerts++;
    s->alert[i] = world_alert_make(s->broker.w, &(world_options){.publisher = name});
    if (s->broker.peers + 1 >= BRIG_PEERS)
        return;
    tcn_peer peer = brig_client(&s->broker, name);
    s->is_accepted[i] = brig_submit(&s->broker, peer, &s->alert[i]).error == TCN_OK;
}

/* Wider clearance: a new generation. */
static void widen(story *s)
{
    tcn_card *card = world_card_edit(s->broker.w, "node-a");
    card->clearance = card->clearance == TCN_TLP_RED ? TCN_TLP_AMBER : TCN_TLP_RED;
    brig_trust(&s->broker);
}

/* ---- the story ---- */

static void crash_agent(story *s)
{
    link_down(s, TCN_LANE_EMERGENCY, draw(s, 2) == 0);
    link_down(s, TCN_LANE_BULK, draw(s, 2) == 0);
    tcn_agent_destroy(&s->agent.agent);
    mem_ports_crash(&s->agent.ports);
    start_agent(s);
}

static void crash_broker(story *s)
{
    link_down(s, TCN_LANE_EMERGENCY, false);
    link_down(s, TCN_LANE_BULK, false);
    brig_restart(&s->broker);
    s->publisher = 0;
}

static void answer_last(story *s)
{
    if (rig_status(&s->agent).error == TCN_OK)
        (void)rig_ack(&s->agent, "last", (tcn_answer)draw(s, 6));
}

static void step(story *s)
{
    switch (draw(s, 24)) {
    case 0:
    case 1:
    case 2: publish(s); break;
    case 3: link_down(s, (tcn_lane)draw(s, 2), draw(s, 2) == 0); break;
    case 4:
    case 5: link_up(s, (tcn_lane)draw(s, 2)); break;
    case 6: answer_last(s); break;
    case 7: pass(s, draw(s, 20000)); break;
    case 8:
        if (draw(s, 3) == 0)
            crash_agent(s);
        break;
    case 9:
        if (draw(s, 4) == 0)
            crash_broker(s);
        break;
    case 10: mem_store_fail_write(s->agent.ports.store, 1 + draw(s, 40), TCN_FULL); break;
    case 11:
        if (draw(s, 3) == 0)
            change_trust(s);
        break;
    case 12:
        if (draw(s, 4) == 0)
            widen(s);
        break;
    case 13: mem_blob_fail_append(s->agent.ports.blob, 1 + draw(s, 4), TCN_FULL); break;
    case 14: mem_blob_sync(s->agent.ports.blob); break;
    case 15: rig_blobs(&s->agent); break;
    case 16: settle(s); break;
    default:
        for (uint64_t frames = draw(s, 8); frames > 0; frames--)
            (void)carry(s, (tcn_lane)draw(s, 2));
        break;
    }
}

/* Everything works again, for some minutes. */
static void heal(story *s)
{
    mem_store_fail_write(s->agent.ports.store, 0, TCN_OK);
    mem_blob_fail_append(s->agent.ports.blob, 0, TCN_OK);
    world_card_edit(s->broker.w, "node-a")->clearance = TCN_TLP_RED;
    crash_broker(s); /* its numbers of peers begin anew */
    brig_trust(&s->broker);
    for (unsigned i = 0; i < s->alerts; i++)
        if (!s->is_accepted[i])
            submit(s, i);
    for (unsigned i = 0; i < 60; i++) {
        link_up(s, TCN_LANE_BULK);
        link_up(s, TCN_LANE_EMERGENCY);
        settle(s);
        pass(s, 5000);
        settle(s);
    }
}

/* Who comes late is not sent such a one, unless it is an update itself. */
static bool is_superseded(const story *s, unsigned i)
{
    for (unsigned j = i + 1; j < s->alerts; j++)
        if (s->is_accepted[j] && s->target[j] == i + 1)
            return true;
    return false;
}

static void check(story *s)
{
    tcn_local_reply reply = rig_status(&s->agent);
    unsigned long long seed = s->seed;
    if (rig_number(&reply, 0, 10) != 0)
        fail_msg("seed %llu: an ack is not confirmed", seed);
    if (rig_number(&reply, 0, 8) != 0)
        fail_msg("seed %llu: a body is missing", seed);
    if (rig_number(&reply, 0, 9) != 0)
        fail_msg("seed %llu: something is parked", seed);
    if (rig_number(&reply, 0, 11) != 0)
        fail_msg("seed %llu: something was rejected", seed);
    unsigned accepted = 0, held = 0;
    for (unsigned i = 0; i < s->alerts; i++) {
        if (!s->is_accepted[i])
            continue;
        accepted++;
        reply = rig_show(&s->agent, &s->alert[i].id);
        if (reply.error == TCN_OK)
            held++;
        else if (!is_superseded(s, i) || s->target[i] != 0)
            fail_msg("seed %llu: alert %u is lost", seed, i);
        else
            continue;
        assert_int_equal(rig_number(&reply, 0, 15) & TCN_MARK_BODY_TO_COME, 0);
        uint64_t state = rig_number(&reply, 0, 12);
        if ((state == 2) != is_superseded(s, i))
            fail_msg("seed %llu: alert %u is in state %llu", seed, i, (unsigned long long)state);
    }
    reply = rig_status(&s->agent);
    assert_int_equal(rig_number(&reply, 0, 6), held);
    assert_true(accepted > 5);
}

static void test_everything_arrives_whatever_happens(void **state)
{
    static story s;
    (void)state;
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        begin(&s, seed);
        link_up(&s, TCN_LANE_BULK);
        link_up(&s, TCN_LANE_EMERGENCY);
        for (unsigned i = 0; i < STEPS; i++)
            step(&s);
        heal(&s);
        check(&s);
        end(&s);
    }
}

static void test_an_alert_goes_the_whole_way(void **state)
{
    static story s;
    (void)state;
    begin(&s, 1);
    link_up(&s, TCN_LANE_BULK);
    link_up(&s, TCN_LANE_EMERGENCY);
    settle(&s);
    s.alert[0] = world_alert_make(
        s.broker.w,
        &(world_options){.publisher = "pub", .lane = TCN_LANE_EMERGENCY, .approvers = {"app"}});
    s.alerts = 1;
    submit(&s, 0);
    assert_true(s.is_accepted[0]);
    settle(&s);
    tcn_broker_stats stats;
    tcn_broker_stats_get(s.broker.broker, &stats);
    assert_int_equal(stats.receipts, 1);
    tcn_local_reply reply = rig_inbox(&s.agent, false);
    assert_int_equal(reply.items, 1);
    assert_int_equal(rig_number(&reply, 0, 3), 1);
    (void)rig_ack(&s.agent, "last", TCN_ANSWER_DONE);
    settle(&s);
    reply = rig_status(&s.agent);
    assert_int_equal(rig_number(&reply, 0, 10), 0);
    end(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_an_alert_goes_the_whole_way),
        cmocka_unit_test(test_everything_arrives_whatever_happens),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
