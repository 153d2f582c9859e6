/* SPDX-License-Identifier: Apache-2.0 */
/* Sessions: who is let in, who replaces whom, who is given up. */
#include "tests/support/broker_test.h"

static tcn_broker_stats stats_of(const broker_rig *rig)
{
    tcn_broker_stats stats;
    tcn_broker_stats_get(rig->broker, &stats);
    return stats;
}

static void ping(broker_rig *rig, tcn_peer peer)
{
    tcn_wire wire = {.op = TCN_OP_PING};
    brig_say(rig, peer, &wire);
}

static tcn_err refused(broker_rig *rig, tcn_peer peer, const tcn_wire *wire)
{
    tcn_wire answer;
    brig_say(rig, peer, wire);
    brig_expect(rig, peer, TCN_OP_ERROR, &answer);
    return answer.error.error;
}

static void test_frames_before_hello_are_dropped(void **state)
{
    broker_rig *rig = *state;
    tcn_peer peer = brig_connect(rig, "node-a", TCN_LANE_BULK);
    ping(rig, peer);
    assert_int_equal(mem_net_pending_for(rig->ports.net, peer), 0);
}

static void test_hello_and_what_follows_in_one_batch(void **state)
{
    broker_rig *rig = *state;
    tcn_wire hello, wire = {.op = TCN_OP_PING};
    tcn_peer peer = brig_connect(rig, "node-a", TCN_LANE_BULK);
    brig_hello_wire(rig, &(brig_hello){.member = "node-a"}, &hello);
    brig_queue(rig, peer, &hello);
    brig_queue(rig, peer, &wire);
    brig_turn(rig);
    brig_expect(rig, peer, TCN_OP_WELCOME, &wire);
    brig_expect(rig, peer, TCN_OP_PONG, &wire);
}

static void test_who_is_not_let_in(void **state)
{
    broker_rig *rig = *state;
    tcn_wire hello;
    brig_hello_wire(rig, &(brig_hello){.member = "node-a"}, &hello);
    hello.hello.version[0] = 9;
    tcn_peer peer = brig_connect(rig, "node-a", TCN_LANE_BULK);
    assert_int_equal(refused(rig, peer, &hello), TCN_VERSION);
    brig_hello_wire(rig, &(brig_hello){.member = "pub"}, &hello);
    peer = brig_connect(rig, "pub", TCN_LANE_BULK);
    assert_int_equal(refused(rig, peer, &hello), TCN_WRONG_ROLE);
    peer = brig_connect(rig, "nobody", TCN_LANE_BULK);
    assert_int_equal(refused(rig, peer, &hello), TCN_REVOKED);
    assert_int_equal(stats_of(rig).sessions, 0);
}

static void test_a_malformed_frame_ends_the_session(void **state)
{
    broker_rig *rig = *state;
    tcn_wire wire;
    tcn_peer peer = brig_client(rig, "pub");
    brig_queue_raw(rig, peer, tcn_bytes_str("not a frame"));
    brig_turn(rig);
    brig_expect(rig, peer, TCN_OP_ERROR, &wire);
    assert_int_equal(wire.error.error, TCN_MALFORMED);
    assert_int_equal(stats_of(rig).sessions, 0);
    ping(rig, peer);
    assert_int_equal(mem_net_pending_for(rig->ports.net, peer), 0);
    brig_pass(rig, 2000);
    assert_true(mem_net_is_closed(rig->ports.net, peer));
    /* What only a broker says is no better. */
    peer = brig_client(rig, "pub");
    wire = (tcn_wire){.op = TCN_OP_PONG};
    assert_int_equal(refused(rig, peer, &wire), TCN_MALFORMED);
}

static void test_a_lane_has_one_session_and_the_newest_wins(void **state)
{
    broker_rig *rig = *state;
    tcn_peer first = brig_node(rig, &(brig_hello){.member = "node-a"}, NULL);
    tcn_peer second = brig_node(rig, &(brig_hello){.member = "node-a", .instance = 2}, NULL);
    assert_true(mem_net_is_closed(rig->ports.net, first));
    assert_int_equal(stats_of(rig).sessions, 1);
    /* The same instance takes the emergency lane to its own endpoint: both stay. */
    tcn_peer third = brig_connect(rig, "node-a", TCN_LANE_EMERGENCY);
    (void)brig_node(
        rig, &(brig_hello){.member = "node-a", .instance = 2, .lanes = 2, .again = third}, NULL);
    assert_false(mem_net_is_closed(rig->ports.net, second));
    assert_int_equal(stats_of(rig).sessions, 2);
    assert_int_equal(stats_of(rig).nodes_connected, 1);
    world_alert bulk = world_alert_make(rig->w, &(world_options){.publisher = "pub"});
    world_alert test = world_alert_make(rig->w, &(world_options){.publisher = "pub",
                                                                 .lane = TCN_LANE_EMERGENCY,
                                                                 .status = TCN_STATUS_TEST});
    brig_alerts got;
    tcn_peer pub = brig_client(rig, "pub");
    (void)brig_submit(rig, pub, &bulk);
    (void)brig_submit(rig, pub, &test);
    assert_true(brig_take_alerts(rig, second, TCN_LANE_BULK, &got));
    assert_true(brig_take_alerts(rig, third, TCN_LANE_EMERGENCY, &got));
    assert_int_equal(mem_net_pending_for(rig->ports.net, second), 0);
}

static void test_a_repeated_hello_replaces_the_first(void **state)
{
    broker_rig *rig = *state;
    brig_alerts got;
    tcn_peer pub = brig_client(rig, "pub");
    tcn_peer node = brig_node(rig, &(brig_hello){.member = "node-a"}, NULL);
    (void)brig_node(
        rig, &(brig_hello){.member = "node-a", .subscribe = {"weather.>"}, .again = node}, NULL);
    assert_int_equal(stats_of(rig).sessions, 2);
    world_alert alert = world_alert_make(rig->w, &(world_options){.publisher = "pub"});
    assert_int_equal(brig_submit(rig, pub, &alert).entitled, 2);
    assert_false(brig_take_alerts(rig, node, TCN_LANE_BULK, &got));
    assert_false(mem_net_is_closed(rig->ports.net, node));
}

static void test_two_instances_taking_turns_are_clones(void **state)
{
    broker_rig *rig = *state;
    (void)brig_node(rig, &(brig_hello){.member = "node-a", .instance = 1}, NULL);
    (void)brig_node(rig, &(brig_hello){.member = "node-a", .instance = 2}, NULL);
    assert_int_equal(mem_ports_line_count(&rig->ports, "clone-suspected"), 0); /* reinstalled */
    (void)brig_node(rig, &(brig_hello){.member = "node-a", .instance = 1}, NULL);
    assert_int_equal(mem_ports_line_count(&rig->ports, "clone-suspected"), 1);
    (void)brig_node(rig, &(brig_hello){.member = "node-b", .instance = 1}, NULL);
    (void)brig_node(rig, &(brig_hello){.member = "node-b", .instance = 2}, NULL);
    mem_ports_pass(&rig->ports, 700000);
    (void)brig_node(rig, &(brig_hello){.member = "node-b", .instance = 1}, NULL);
    assert_int_equal(mem_ports_line_count(&rig->ports, "clone-suspected"), 1);
}

static void test_a_member_has_so_many_client_sessions(void **state)
{
    broker_rig *rig = *state;
    tcn_peer first = brig_client(rig, "pub"), second = brig_client(rig, "pub");
    mem_ports_pass(&rig->ports, 10);
    ping(rig, first);
    for (unsigned i = 2; i < TCN_MAX_SESSIONS_PER_MEMBER; i++)
        (void)brig_client(rig, "pub");
    assert_int_equal(stats_of(rig).sessions, TCN_MAX_SESSIONS_PER_MEMBER);
    (void)brig_client(rig, "pub");
    (void)brig_client(rig, "pub-2");
    assert_int_equal(stats_of(rig).sessions, TCN_MAX_SESSIONS_PER_MEMBER + 1);
    assert_true(mem_net_is_closed(rig->ports.net, second)); /* silent longest */
    assert_false(mem_net_is_closed(rig->ports.net, first));
}

static void test_silence_on_session_ends_it_and_a_ping_keeps_it(void **state)
{
    broker_rig *rig = *state;
    tcn_wire wire;
    tcn_peer silent = brig_client(rig, "pub"), alive = brig_client(rig, "pub-2");
    tcn_peer urgent = brig_connect(rig, "node-a", TCN_LANE_EMERGENCY);
    (void)brig_node(rig, &(brig_hello){.member = "node-a", .lanes = 2, .again = urgent}, NULL);
    for (unsigned i = 0; i < 4; i++) {
        brig_pass(rig, TCN_MAX_HEARTBEAT_MS);
        ping(rig, alive);
        brig_expect(rig, alive, TCN_OP_PONG, &wire);
    }
    assert_true(mem_net_is_closed(rig->ports.net, silent));
    assert_false(mem_net_is_closed(rig->ports.net, alive));
    assert_false(mem_net_is_closed(rig->ports.net, urgent)); /* no heartbeats there */
    assert_int_equal(stats_of(rig).sessions, 2);
}

static void test_gone_forgets_and_frames_after_it_are_dropped(void **state)
{
    broker_rig *rig = *state;
    tcn_peer node = brig_node(rig, &(brig_hello){.member = "node-a"}, NULL);
    brig_gone(rig, node);
    assert_int_equal(stats_of(rig).sessions, 0);
    ping(rig, node);
    assert_int_equal(mem_net_pending_for(rig->ports.net, node), 0);
}

static void test_an_operator_hands_over_a_roster(void **state)
{
    broker_rig *rig = *state;
    tcn_bytes file, taken;
    tcn_peer op = brig_client(rig, "op"), pub = brig_client(rig, "pub");
    world_card_edit(rig->w, "node-a");
    world_sign(rig->w);
    file = world_trust_file(rig->w);
    tcn_wire wire = {.op = TCN_OP_ROSTER_PUT}, answer;
    size_t half = file.len / 2;
    wire.roster_put.req = 1;
    wire.roster_put.total = file.len;
    wire.roster_put.bytes = tcn_bytes_of(file.ptr, half);
    brig_say(rig, pub, &wire);
    brig_expect(rig, pub, TCN_OP_ANSWER, &answer);
    assert_int_equal(answer.answer.error, TCN_WRONG_ROLE);
    brig_say(rig, op, &wire);
    brig_expect(rig, op, TCN_OP_ANSWER, &answer);
    assert_int_equal(answer.answer.error, TCN_OK);
    assert_int_equal(answer.answer.offset, half);
    assert_false(tcn_broker_take_roster_put(rig->broker, &taken));
    wire.roster_put.req = 2;
    wire.roster_put.offset = half + 1;
    wire.roster_put.bytes = tcn_bytes_of(file.ptr + half + 1, 1);
    brig_say(rig, op, &wire);
    brig_expect(rig, op, TCN_OP_ANSWER, &answer);
    assert_int_equal(answer.answer.error, TCN_CONFLICT);
    wire.roster_put.offset = half;
    wire.roster_put.bytes = tcn_bytes_of(file.ptr + half, file.len - half);
    brig_say(rig, op, &wire);
    assert_false(brig_take(rig, op, TCN_OP_ANSWER, &answer)); /* the shell says how it went */
    assert_true(tcn_broker_take_roster_put(rig->broker, &taken));
    assert_int_equal(taken.len, file.len);
    assert_memory_equal(taken.ptr, file.ptr, file.len);
    tcn_broker_roster_put_done(rig->broker, TCN_OK, "");
    brig_expect(rig, op, TCN_OP_ANSWER, &answer);
    assert_int_equal(answer.answer.req, 2);
    assert_false(tcn_broker_take_roster_put(rig->broker, &taken));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        RIG_TEST(test_frames_before_hello_are_dropped),
        RIG_TEST(test_hello_and_what_follows_in_one_batch),
        RIG_TEST(test_who_is_not_let_in),
        RIG_TEST(test_a_malformed_frame_ends_the_session),
        RIG_TEST(test_a_lane_has_one_session_and_the_newest_wins),
        RIG_TEST(test_a_repeated_hello_replaces_the_first),
        RIG_TEST(test_two_instances_taking_turns_are_clones),
        RIG_TEST(test_a_member_has_so_many_client_sessions),
        RIG_TEST(test_silence_on_session_ends_it_and_a_ping_keeps_it),
        RIG_TEST(test_gone_forgets_and_frames_after_it_are_dropped),
        RIG_TEST(test_an_operator_hands_over_a_roster),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
