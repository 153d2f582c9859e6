/* SPDX-License-Identifier: Apache-2.0 */
/* Links: HELLO and WELCOME, heartbeats, the emergency endpoint that stays away, bad brokers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "tests/support/agent_rig.h"

static int setup(void **state)
{
    static agent_rig rig;
    rig_init(&rig, 4);
    *state = &rig;
    return 0;
}

static int teardown(void **state)
{
    rig_fini(*state);
    return 0;
}

static void test_hello_says_who_we_are(void **state)
{
    agent_rig *rig = *state;
    tcn_wire wire;
    char patterns[2][TCN_MAX_TOPIC_CHARS + 1] = {"advisory.>", "test.*"};
    rig->config.subscriptions = 2;
    rig->config.subscribe = patterns;
    rig_start(rig);
    memset(patterns, 0, sizeof patterns); /* the core has copied them */
    rig_up(rig, RIG_SESSION);
    rig_expect(rig, RIG_SESSION, TCN_OP_HELLO, &wire);
    assert_int_equal(wire.hello.mode, TCN_MODE_NODE);
    assert_int_equal(wire.hello.versions, 1);
    assert_int_equal(wire.hello.version[0], 1);
    assert_int_equal(wire.hello.trust_version, 1);
    assert_int_equal(wire.hello.lanes, 1);
    assert_true(wire.hello.has_subscriptions);
    assert_int_equal(wire.hello.subscriptions, 2);
    assert_true(tcn_bytes_equal(wire.hello.subscription[1], tcn_bytes_str("test.*")));
    assert_true(tcn_bytes_equal(wire.hello.software, tcn_bytes_str("tocsin test")));
    assert_true(tcn_id_is_zero(&wire.hello.epoch));
    rig_up(rig, RIG_EMERGENCY);
    rig_expect(rig, RIG_EMERGENCY, TCN_OP_HELLO, &wire);
    assert_int_equal(wire.hello.lanes, 2);
}

static void test_nothing_counts_before_welcome(void **state)
{
    agent_rig *rig = *state;
    tcn_wire wire;
    rig_start(rig);
    rig_up(rig, RIG_SESSION);
    world_alert alert = world_alert_make(rig->w, &(world_options){.publisher = "pub"});
    rig_alert(rig, 1, &alert, TCN_LANE_BULK);
    assert_int_equal(rig_inbox(rig, true).items, 0);
    rig_welcome(rig, RIG_SESSION);
    rig_alert(rig, 1, &alert, TCN_LANE_BULK);
    rig_expect(rig, RIG_SESSION, TCN_OP_RECEIPT, &wire);
    assert_int_equal(rig_inbox(rig, true).items, 1);
}

static void test_silence_is_broken_by_ping(void **state)
{
    agent_rig *rig = *state;
    tcn_wire wire;
    tcn_peer link;
    rig_start(rig);
    rig_serve(rig);
    rig_forget(rig);
    rig_pass(rig, TCN_MAX_HEARTBEAT_MS - 1);
    assert_false(rig_take(rig, RIG_SESSION, TCN_OP_PING, &wire));
    rig_pass(rig, 1);
    rig_expect(rig, RIG_SESSION, TCN_OP_PING, &wire);
    assert_false(rig_take(rig, RIG_EMERGENCY, TCN_OP_PING, &wire));
    rig_frame(rig, RIG_SESSION, &(tcn_wire){.op = TCN_OP_PONG});
    rig_pass(rig, TCN_MAX_DEAD_MS - 1);
    assert_false(rig_reconnect(rig, &link));
    rig_pass(rig, 1);
    assert_true(rig_reconnect(rig, &link));
    assert_int_equal(link, RIG_SESSION);
    assert_false(rig_reconnect(rig, &link)); /* the emergency link has no heartbeat */
    /* Asked once; it works again when it is up again. */
    rig_pass(rig, 2 * TCN_MAX_DEAD_MS);
    assert_false(rig_reconnect(rig, &link));
    rig_down(rig, RIG_SESSION);
    rig_open(rig, RIG_SESSION);
    tcn_local_reply reply = rig_status(rig);
    assert_int_equal(reply.error, TCN_OK);
}

static void test_an_unanswered_hello_is_given_up(void **state)
{
    agent_rig *rig = *state;
    tcn_peer link;
    rig_start(rig);
    rig_up(rig, RIG_EMERGENCY);
    rig_pass(rig, TCN_MAX_DEAD_MS);
    assert_true(rig_reconnect(rig, &link));
    assert_int_equal(link, RIG_EMERGENCY);
}

static void test_session_takes_the_lane_of_a_missing_endpoint(void **state)
{
    agent_rig *rig = *state;
    tcn_wire wire;
    rig_start(rig);
    rig_open(rig, RIG_SESSION);
    rig_forget(rig);
    rig_pass(rig, 6000);
    rig_expect(rig, RIG_SESSION, TCN_OP_HELLO, &wire);
    assert_int_equal(wire.hello.lanes, 3);
    rig_welcome(rig, RIG_SESSION);
    world_alert alert = world_alert_make(
        rig->w,
        &(world_options){.publisher = "pub", .lane = TCN_LANE_EMERGENCY, .approvers = {"app-a"}});
    rig_alerts(rig, &(rig_batch){.link = RIG_SESSION,
                                 .lane = TCN_LANE_EMERGENCY,
                                 .seq = 1,
                                 .count = 1,
                                 .envelopes = &alert.envelope});
    rig_expect(rig, RIG_SESSION, TCN_OP_RECEIPT, &wire);
    assert_int_equal(wire.receipt.lane, TCN_LANE_EMERGENCY);
    tcn_local_reply reply = rig_status(rig);
    tcn_bytes brokers = rig_value(&reply, 0, 5);
    bool says_so = false;
    for (size_t i = 0; i + 21 <= brokers.len; i++)
        says_so = says_so || memcmp(brokers.ptr + i, "no emergency endpoint", 21) == 0;
    assert_true(says_so);

    /* It comes back: session gives the lane back first, for the broker closes who had it. */
    rig_forget(rig);
    rig_up(rig, RIG_EMERGENCY);
    assert_false(rig_take(rig, RIG_EMERGENCY, TCN_OP_HELLO, &wire));
    rig_expect(rig, RIG_SESSION, TCN_OP_HELLO, &wire);
    assert_int_equal(wire.hello.lanes, 1);
    rig_welcome(rig, RIG_SESSION);
    rig_expect(rig, RIG_EMERGENCY, TCN_OP_HELLO, &wire);
    assert_int_equal(wire.hello.lanes, 2);
    assert_int_equal(wire.hello.cursor[TCN_LANE_EMERGENCY].seq, 1);
    rig_welcome(rig, RIG_EMERGENCY);
    rig_forget(rig);
    rig_pass(rig, 10000);
    assert_false(rig_take(rig, RIG_SESSION, TCN_OP_HELLO, &wire));
}

static void test_a_waiting_emergency_link_goes_on_without_session(void **state)
{
    agent_rig *rig = *state;
    tcn_wire wire;
    rig_start(rig);
    rig_open(rig, RIG_SESSION);
    rig_pass(rig, 6000);
    rig_welcome(rig, RIG_SESSION);
    rig_forget(rig);
    rig_up(rig, RIG_EMERGENCY);
    rig_down(rig, RIG_SESSION);
    rig_expect(rig, RIG_EMERGENCY, TCN_OP_HELLO, &wire);
    assert_int_equal(wire.hello.lanes, 2);
}

static void test_metrics_are_sent_regularly(void **state)
{
    agent_rig *rig = *state;
    tcn_wire wire;
    rig_start(rig);
    rig_serve(rig);
    rig_expect(rig, RIG_SESSION, TCN_OP_METRICS, &wire);
    tcn_cbor_reader r;
    tcn_cbor_reader_init(&r, wire.map);
    uint64_t previous = UINT64_MAX, keys = 0;
    size_t pairs = tcn_cbor_get_map(&r, 64);
    for (size_t i = 0; i < pairs; i++) {
        uint64_t key = tcn_cbor_get_key(&r, &previous);
        keys |= 1u << key;
        if (key == 6)
            assert_true(tcn_bytes_equal(tcn_cbor_get_text(&r, 64), tcn_bytes_str("tocsin test")));
        else if (key == 11)
            assert_int_equal(tcn_cbor_get_uint(&r), 1);
        else
            (void)tcn_cbor_get_int(&r);
    }
    assert_int_equal(tcn_cbor_reader_done(&r), TCN_OK);
    assert_int_equal(keys, 0x7ffe);
    rig_forget(rig);
    rig_pass(rig, TCN_MAX_METRICS_MS);
    rig_expect(rig, RIG_SESSION, TCN_OP_METRICS, &wire);
    assert_false(rig_take(rig, RIG_EMERGENCY, TCN_OP_METRICS, &wire));
}

static void test_a_full_transport_is_tried_again(void **state)
{
    agent_rig *rig = *state;
    tcn_wire wire;
    rig_start(rig);
    mem_net_set_peer(rig->ports.net, RIG_SESSION, MEM_PEER_FULL);
    rig_up(rig, RIG_SESSION);
    assert_int_equal(mem_net_pending(rig->ports.net), 0);
    mem_net_set_peer(rig->ports.net, RIG_SESSION, MEM_PEER_OPEN);
    rig_pass(rig, 200);
    rig_expect(rig, RIG_SESSION, TCN_OP_HELLO, &wire);
    assert_false(rig_take(rig, RIG_SESSION, TCN_OP_HELLO, &wire));
    rig_welcome(rig, RIG_SESSION);
    mem_net_set_peer(rig->ports.net, RIG_SESSION, MEM_PEER_FULL);
    world_alert alert = world_alert_make(rig->w, &(world_options){.publisher = "pub"});
    rig_alert(rig, 1, &alert, TCN_LANE_BULK);
    mem_net_set_peer(rig->ports.net, RIG_SESSION, MEM_PEER_OPEN);
    rig_forget(rig);
    rig_pass(rig, 200);
    rig_expect(rig, RIG_SESSION, TCN_OP_RECEIPT, &wire);
}

static void test_a_broker_with_another_name_is_not_served(void **state)
{
    agent_rig *rig = *state;
    tcn_wire wire;
    tcn_peer link;
    rig_start(rig);
    rig_up(rig, RIG_SESSION);
    rig_frame(rig, RIG_SESSION,
              &(tcn_wire){.op = TCN_OP_WELCOME,
                          .welcome = {.version = 1,
                                      .epoch = rig->epoch,
                                      .time = rig->ports.wall,
                                      .broker = tcn_bytes_str("somebody"),
                                      .heartbeat_ms = 1000}});
    world_alert alert = world_alert_make(rig->w, &(world_options){.publisher = "pub"});
    rig_alert(rig, 1, &alert, TCN_LANE_BULK);
    assert_false(rig_take(rig, RIG_SESSION, TCN_OP_RECEIPT, &wire));
    assert_false(rig_reconnect(rig, &link)); /* not at once: no storm */
    rig_pass(rig, 60000);
    assert_true(rig_reconnect(rig, &link));
}

static void test_a_stale_broker_is_tried_again_later(void **state)
{
    agent_rig *rig = *state;
    tcn_peer link;
    rig_start(rig);
    rig_up(rig, RIG_SESSION);
    rig_frame(rig, RIG_SESSION,
              &(tcn_wire){.op = TCN_OP_ERROR,
                          .error = {.error = TCN_STALE, .text = tcn_bytes_str("behind\x1b[2J")}});
    tcn_local_reply reply = rig_status(rig);
    tcn_bytes brokers = rig_value(&reply, 0, 5);
    bool has_escape = false, says = false;
    for (size_t i = 0; i + 13 <= brokers.len; i++) {
        says = says || memcmp(brokers.ptr + i, "stale: behind", 13) == 0;
        has_escape = has_escape || memcmp(brokers.ptr + i, "\x1b[2J", 4) == 0;
    }
    assert_true(says);
    assert_false(has_escape);
    assert_false(rig_reconnect(rig, &link));
    rig_pass(rig, 60000);
    assert_true(rig_reconnect(rig, &link));
}

static void test_garbage_from_a_broker_harms_nobody(void **state)
{
    agent_rig *rig = *state;
    tcn_peer link;
    rig_start(rig);
    rig_serve(rig);
    uint8_t bytes[64];
    for (unsigned i = 0; i < 200; i++) {
        for (size_t j = 0; j < sizeof bytes; j++)
            bytes[j] = (uint8_t)(i * 31 + j * j);
        tcn_agent_input input = {.kind = TCN_AGENT_FRAME,
                                 .peer = i % 20,
                                 .frame = tcn_bytes_of(bytes, i % sizeof bytes)};
        rig_input(rig, &input);
    }
    rig_pass(rig, 60000);
    assert_true(rig_reconnect(rig, &link));
    assert_int_equal(rig_status(rig).error, TCN_OK);
}

static void test_brokers_that_change_places_are_redone(void **state)
{
    agent_rig *rig = *state;
    tcn_peer link;
    rig_start(rig);
    rig_serve(rig);
    world_member_set(rig->w, &(world_member){.name = "a-broker", .roles = TCN_ROLE_BROKER});
    world_sign(rig->w);
    const tcn_bundle *bundle = world_bundle(rig->w);
    bool is_moved = strcmp(bundle->broker[0].name, "broker") != 0;
    rig_trust(rig, RIG_SESSION);
    assert_int_equal(rig_reconnect(rig, &link), is_moved);
    assert_int_equal(tcn_agent_bundle(rig->agent)->brokers, 2);
}

/* ---- determinism ---- */

static tcn_hash play(agent_rig *rig, uint64_t seed, bool differs)
{
    rig_init(rig, seed);
    rig_start(rig);
    rig_serve(rig);
    world_alert one = world_alert_make(rig->w, &(world_options){.publisher = "pub"});
    world_alert two = world_alert_make(
        rig->w, &(world_options){.publisher = "pub-two", .external = true, .body = "far away"});
    rig_alert(rig, 1, &one, TCN_LANE_BULK);
    rig_alert(rig, 2, &two, TCN_LANE_BULK);
    (void)rig_ack(rig, "last", TCN_ANSWER_SEEN);
    rig_alerts(rig, &(rig_batch){.need = 7, .seq = 3, .count = 1, .envelopes = &one.envelope});
    rig_pass(rig, differs ? 20000 : 5000);
    tcn_hash digest;
    tcn_agent_digest(rig->agent, &digest);
    rig_fini(rig);
    return digest;
}

static void test_equal_runs_have_equal_digests(void **state)
{
    agent_rig *rig = *state;
    rig_fini(rig);
    tcn_hash first = play(rig, 11, false), second = play(rig, 11, false);
    tcn_hash other_seed = play(rig, 12, false), later = play(rig, 11, true);
    assert_true(tcn_hash_equal(&first, &second));
    assert_false(tcn_hash_equal(&first, &other_seed));
    assert_false(tcn_hash_equal(&first, &later));
    rig_init(rig, 1);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(test_hello_says_who_we_are),
        T(test_nothing_counts_before_welcome),
        T(test_silence_is_broken_by_ping),
        T(test_an_unanswered_hello_is_given_up),
        T(test_session_takes_the_lane_of_a_missing_endpoint),
        T(test_a_waiting_emergency_link_goes_on_without_session),
        T(test_metrics_are_sent_regularly),
        T(test_a_full_transport_is_tried_again),
        T(test_a_broker_with_another_name_is_not_served),
        T(test_a_stale_broker_is_tried_again_later),
        T(test_garbage_from_a_broker_harms_nobody),
        T(test_brokers_that_change_places_are_redone),
        T(test_equal_runs_have_equal_digests),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
