/* SPDX-License-Identifier: Apache-2.0 */
/* The broker's sockets as others see them: who gets in, and which messages come through. */
#include "broker/net.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <zmq.h>

#include <cmocka.h>

#include "libtocsin/limits.h"
#include "tests/support/net_rig.h"

static int setup(void **state)
{
    net_rig *rig = net_rig_new();
    net_rig_listen(rig);
    *state = rig;
    return 0;
}

static int teardown(void **state)
{
    net_rig *rig = *state;
    net_rig_free(&rig);
    return 0;
}

static tcn_broker_net_stats stats_of(const net_rig *rig)
{
    tcn_broker_net_stats stats;
    tcn_broker_net_stats_get(rig->net, &stats);
    return stats;
}

/* ---- who gets in ---- */

static void test_no_handler_no_listening(void **state)
{
    (void)state;
    net_rig *rig = net_rig_new();
    char bound[TCN_ADDRESS_SIZE];
    tcn_fault fault;
    assert_int_equal(tcn_broker_net_listen(rig->net, TCN_LANE_BULK, "127.0.0.1:0", bound, &fault),
                     TCN_DENIED);
    assert_non_null(strstr(fault.text, "ZAP"));
    net_rig_listen(rig);
    net_rig_free(&rig);
}

static void test_without_its_handler_nobody_gets_in(void **state)
{
    net_rig *rig = *state;
    tcn_zap_stop(&rig->zap);
    net_client *client = net_rig_client(rig, "alice", TCN_LANE_BULK);
    net_client_send(client, "hello", 5);
    (void)net_rig_event(rig, client, TCN_MONITOR_HANDSHAKE);
    assert_int_equal(rig->frames, 0);
}

static void test_frames_carry_member_and_endpoint(void **state)
{
    net_rig *rig = *state;
    tcn_peer peer[3];
    (void)net_rig_peer(rig, "alice", TCN_LANE_BULK, &peer[0]);
    (void)net_rig_peer(rig, "alice", TCN_LANE_EMERGENCY, &peer[1]);
    (void)net_rig_peer(rig, "bob", TCN_LANE_BULK, &peer[2]);
    assert_string_equal(rig->frame[0].member, "alice");
    assert_string_equal(rig->frame[1].member, "alice");
    assert_string_equal(rig->frame[2].member, "bob");
    assert_int_equal(rig->frame[0].endpoint, TCN_LANE_BULK);
    assert_int_equal(rig->frame[1].endpoint, TCN_LANE_EMERGENCY);
    assert_int_equal(rig->frame[0].len, 5);
    assert_true(peer[0] != peer[1] && peer[1] != peer[2] && peer[0] != peer[2]);
    assert_int_equal(stats_of(rig).peers, 3);
}

static void expect_locked_out(net_rig *rig, void *socket)
{
    net_client *client = net_rig_adopt(rig, socket, rig->address[TCN_LANE_EMERGENCY]);
    (void)zmq_send(client->socket, "hello", 5, ZMQ_DONTWAIT);
    (void)net_rig_event(rig, client, TCN_MONITOR_HANDSHAKE);
    /* Somebody who may speak is heard, and nothing else was. */
    tcn_peer peer;
    (void)net_rig_peer(rig, "alice", TCN_LANE_EMERGENCY, &peer);
    assert_int_equal(rig->frames, 1);
    assert_string_equal(rig->frame[0].member, "alice");
}

static void test_null_client_is_refused(void **state)
{
    net_rig *rig = *state;
    expect_locked_out(rig, zmq_socket(rig->client_context, ZMQ_DEALER));
}

static void test_plain_client_is_refused(void **state)
{
    net_rig *rig = *state;
    void *socket = zmq_socket(rig->client_context, ZMQ_DEALER);
    assert_int_equal(zmq_setsockopt(socket, ZMQ_PLAIN_USERNAME, "alice", 5), 0);
    assert_int_equal(zmq_setsockopt(socket, ZMQ_PLAIN_PASSWORD, "x", 1), 0);
    expect_locked_out(rig, socket);
}

static void test_other_server_key_is_refused(void **state)
{
    net_rig *rig = *state;
    tcn_publics other = world_publics(rig->world, "bob");
    void *socket;
    tcn_fault fault;
    const tcn_curve_client_options options = {.secret =
                                                  &world_secrets(rig->world, "alice")->transport,
                                              .server_key = &other.transport,
                                              .queue_while_waiting = true};
    assert_int_equal(tcn_curve_client(rig->client_context, &options, &socket, &fault), TCN_OK);
    expect_locked_out(rig, socket);
}

static void test_unknown_key_is_refused(void **state)
{
    net_rig *rig = *state;
    tcn_secrets stranger;
    tcn_secrets_generate(&stranger);
    tcn_publics server = world_publics(rig->world, "broker");
    void *socket;
    tcn_fault fault;
    const tcn_curve_client_options options = {.secret = &stranger.transport,
                                              .server_key = &server.transport,
                                              .queue_while_waiting = true};
    assert_int_equal(tcn_curve_client(rig->client_context, &options, &socket, &fault), TCN_OK);
    net_client *client = net_rig_adopt(rig, socket, rig->address[TCN_LANE_BULK]);
    net_client_send(client, "hello", 5);
    tcn_monitor_event event = net_rig_event(rig, client, TCN_MONITOR_REFUSED);
    assert_int_equal(event.value, 400);
    assert_int_equal(rig->frames, 0);
    tcn_zap_refusals refusals;
    tcn_zap_take_refusals(rig->zap, &refusals);
    assert_int_equal(refusals.count, 1);
    tcn_secrets_fini(&stranger);
}

static void test_revoked_member_does_not_come_back(void **state)
{
    net_rig *rig = *state;
    tcn_peer peer;
    net_client *client = net_rig_peer(rig, "alice", TCN_LANE_BULK, &peer);
    world_member_revoke(rig->world, "alice", TCN_MEMBER_SUSPENDED, world_now(rig->world));
    world_sign(rig->world);
    tcn_zap_set_roster(rig->zap, world_roster(rig->world));
    rig->port.close(rig->port.self, peer);
    (void)net_rig_event(rig, client, TCN_MONITOR_DOWN);
    net_client *again = net_rig_client(rig, "alice", TCN_LANE_BULK);
    net_client_send(again, "hello", 5);
    assert_int_equal(net_rig_event(rig, again, TCN_MONITOR_REFUSED).value, 400);
    assert_int_equal(rig->frames, 1);
}

/* ---- which messages come through ---- */

static void test_the_largest_frame_passes(void **state)
{
    net_rig *rig = *state;
    uint8_t *bytes = test_calloc(1, TCN_MAX_FRAME_BYTES);
    bytes[0] = 7;
    net_client *client = net_rig_client(rig, "alice", TCN_LANE_BULK);
    net_client_send(client, bytes, TCN_MAX_FRAME_BYTES);
    net_rig_wait_frames(rig, 1);
    assert_int_equal(rig->frame[0].len, TCN_MAX_FRAME_BYTES);
    assert_int_equal(rig->frame[0].first, 7);
    test_free(bytes);
}

static void test_a_frame_too_large_drops_the_connection(void **state)
{
    net_rig *rig = *state;
    uint8_t *bytes = test_calloc(1, TCN_MAX_FRAME_BYTES + 1);
    tcn_peer peer;
    net_client *client = net_rig_peer(rig, "alice", TCN_LANE_BULK, &peer);
    net_client_send(client, bytes, TCN_MAX_FRAME_BYTES + 1);
    (void)net_rig_event(rig, client, TCN_MONITOR_DOWN);
    net_rig_wait_gones(rig, 1);
    assert_int_equal(rig->gone[0], peer);
    assert_int_equal(rig->frames, 1);
    test_free(bytes);
}

static void test_only_single_frames_pass(void **state)
{
    net_rig *rig = *state;
    net_client *client = net_rig_client(rig, "alice", TCN_LANE_BULK);
    for (int parts = 2; parts <= 5; parts++)
        for (int i = 1; i <= parts; i++)
            assert_int_equal(zmq_send(client->socket, "x", 1, i < parts ? ZMQ_SNDMORE : 0), 1);
    net_client_send(client, "one", 3);
    net_client_send(client, "", 0);
    net_rig_wait_frames(rig, 2);
    assert_int_equal(rig->frame[0].first, 'o');
    assert_int_equal(rig->frame[1].len, 0);
    assert_int_equal(stats_of(rig).malformed, 4);
    assert_true(mem_ports_line_count(&rig->ports, "malformed-message") > 0);
}

/* inproc passes every security mechanism by: its messages carry no User-Id, as would all if libzmq
 * ever let somebody in without asking. */
static void test_a_message_without_member_is_dropped(void **state)
{
    net_rig *rig = *state;
    void *socket[TCN_BROKER_NET_SOCKETS];
    tcn_broker_net_sockets(rig->net, socket);
    assert_int_equal(zmq_bind(socket[0], "inproc://side-door"), 0);
    void *nobody = zmq_socket(rig->server_context, ZMQ_DEALER);
    assert_non_null(nobody);
    assert_int_equal(zmq_connect(nobody, "inproc://side-door"), 0);
    assert_int_equal(zmq_send(nobody, "hello", 5, 0), 5);
    for (int turns = 0; stats_of(rig).anonymous == 0; turns++) {
        assert_true(turns < 1000);
        net_rig_turn(rig, 100);
    }
    assert_int_equal(rig->frames, 0);
    assert_int_equal(zmq_close(nobody), 0);
}

static void test_a_chosen_routing_id_is_cut(void **state)
{
    net_rig *rig = *state;
    static const struct {
        const char *id;
        size_t len;
    } cases[] = {{"alice", 5}, {"x", 1}, {"\0\0\0\0\1\2", 6}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        tcn_publics server = world_publics(rig->world, "broker");
        const tcn_curve_client_options options = {
            .secret = &world_secrets(rig->world, "alice")->transport,
            .server_key = &server.transport,
            .queue_while_waiting = true};
        void *socket;
        tcn_fault fault;
        assert_int_equal(tcn_curve_client(rig->client_context, &options, &socket, &fault), TCN_OK);
        /* libzmq refuses to choose one that begins with zero; others need not. */
        if (zmq_setsockopt(socket, ZMQ_ROUTING_ID, cases[i].id, cases[i].len) != 0) {
            tcn_curve_close(&socket);
            continue;
        }
        net_client *client = net_rig_adopt(rig, socket, rig->address[TCN_LANE_BULK]);
        net_client_send(client, "hello", 5);
        (void)net_rig_event(rig, client, TCN_MONITOR_DOWN);
        assert_int_equal(stats_of(rig).impostors, i + 1);
    }
    assert_int_equal(rig->frames, 0);
    assert_int_equal(stats_of(rig).peers, 0);
}

/* ---- what is sent ---- */

static void test_sends_find_their_peer(void **state)
{
    net_rig *rig = *state;
    tcn_peer alice, bob;
    net_client *a = net_rig_peer(rig, "alice", TCN_LANE_BULK, &alice);
    net_client *b = net_rig_peer(rig, "bob", TCN_LANE_EMERGENCY, &bob);
    assert_int_equal(rig->port.send(rig->port.self, bob, tcn_bytes_str("for bob")), TCN_SENT);
    assert_int_equal(rig->port.send(rig->port.self, alice, tcn_bytes_str("for alice")), TCN_SENT);
    net_rig_expect(rig, a, "for alice");
    net_rig_expect(rig, b, "for bob");
}

static void test_a_shared_frame_reaches_all(void **state)
{
    net_rig *rig = *state;
    static const char text[] =
        "one frame that is long enough to be shared and not copied by libzmq";
    net_client *client[4];
    tcn_peer peer[4];
    for (size_t i = 0; i < 4; i++)
        client[i] = net_rig_peer(rig, i % 2 ? "alice" : "bob", (tcn_lane)(i / 2), &peer[i]);
    tcn_frame *frame = rig->port.frame_new(rig->port.self, tcn_bytes_str(text));
    assert_non_null(frame);
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(rig->port.send_frame(rig->port.self, peer[i], frame), TCN_SENT);
    rig->port.frame_release(rig->port.self, frame);
    for (size_t i = 0; i < 4; i++)
        net_rig_expect(rig, client[i], text);
}

static void test_nobody_and_the_gone_are_gone(void **state)
{
    net_rig *rig = *state;
    tcn_peer peer;
    assert_int_equal(rig->port.send(rig->port.self, 0, tcn_bytes_str("x")), TCN_SEND_GONE);
    assert_int_equal(rig->port.send(rig->port.self, 12345, tcn_bytes_str("x")), TCN_SEND_GONE);
    net_client *client = net_rig_peer(rig, "alice", TCN_LANE_BULK, &peer);
    net_client_close(client);
    net_rig_wait_gones(rig, 1);
    assert_int_equal(rig->gone[0], peer);
    assert_int_equal(rig->port.send(rig->port.self, peer, tcn_bytes_str("x")), TCN_SEND_GONE);
    rig->port.close(rig->port.self, peer);
    assert_int_equal(stats_of(rig).peers, 0);
    net_rig_turn(rig, 0);
    assert_int_equal(rig->gones, 1);
}

static void test_numbers_are_not_used_again(void **state)
{
    net_rig *rig = *state;
    tcn_peer before = 0;
    for (size_t i = 0; i < 4; i++) {
        tcn_peer peer;
        net_client *client = net_rig_peer(rig, "alice", TCN_LANE_BULK, &peer);
        assert_true(peer > before);
        before = peer;
        net_client_close(client);
        net_rig_wait_gones(rig, i + 1);
    }
}

static void test_the_last_frames_come_before_gone(void **state)
{
    net_rig *rig = *state;
    tcn_peer peer;
    net_client *client = net_rig_peer(rig, "alice", TCN_LANE_BULK, &peer);
    enum { FRAMES = 100 };
    uint8_t byte;
    for (byte = 0; byte < FRAMES; byte++)
        net_client_send(client, &byte, 1);
    /* All are out once the last is answered; the answer is not read, so that the end of the
     * connection and the frames wait together. */
    int linger_ms = 10000;
    assert_int_equal(zmq_setsockopt(client->socket, ZMQ_LINGER, &linger_ms, sizeof(linger_ms)), 0);
    net_client_close(client);
    net_rig_wait_gones(rig, 1);
    assert_int_equal(rig->frames, 1 + FRAMES);
    for (size_t i = 0; i < FRAMES; i++)
        assert_int_equal(rig->frame[1 + i].first, i);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_no_handler_no_listening),
        TEST(test_without_its_handler_nobody_gets_in),
        TEST(test_frames_carry_member_and_endpoint),
        TEST(test_null_client_is_refused),
        TEST(test_plain_client_is_refused),
        TEST(test_other_server_key_is_refused),
        TEST(test_unknown_key_is_refused),
        TEST(test_revoked_member_does_not_come_back),
        TEST(test_the_largest_frame_passes),
        TEST(test_a_frame_too_large_drops_the_connection),
        TEST(test_only_single_frames_pass),
        TEST(test_a_message_without_member_is_dropped),
        TEST(test_a_chosen_routing_id_is_cut),
        TEST(test_sends_find_their_peer),
        TEST(test_a_shared_frame_reaches_all),
        TEST(test_nobody_and_the_gone_are_gone),
        TEST(test_numbers_are_not_used_again),
        TEST(test_the_last_frames_come_before_gone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
