/* SPDX-License-Identifier: Apache-2.0 */
/* Rosters in motion: who was widened is served anew, who was narrowed is cut, everybody hears. */
#include "tests/support/broker_test.h"

static void member_set(broker_rig *rig, const char *name, tcn_tlp clearance, const char *receive,
                       const char *community)
{
    world_member_set(rig->w, &(world_member){.name = name,
                                             .roles = TCN_ROLE_NODE,
                                             .clearance = clearance,
                                             .receive = {receive},
                                             .communities = {community}});
}

static world_alert alert_tlp(broker_rig *rig, tcn_tlp tlp)
{
    return world_alert_make(rig->w, &(world_options){.publisher = "pub", .tlp = tlp});
}

static void test_trust_and_card_before_alerts_that_need_them(void **state)
{
    broker_rig *rig = *state;
    tcn_wire wire;
    brig_alerts got;
    tcn_peer pub = brig_client(rig, "pub");
    tcn_peer node = brig_node(rig, &(brig_hello){.member = "node-a"}, NULL);
    uint64_t version = world_bundle(rig->w)->version;
    member_set(rig, "node-a", TCN_TLP_RED, ">", "banks"); /* wider, and a new card */
    brig_trust(rig);
    brig_expect(rig, node, TCN_OP_TRUST, &wire);
    assert_int_equal(wire.trust.version, version + 1);
    assert_int_equal(wire.trust.total, world_bundle_envelope(rig->w).len);
    brig_expect(rig, node, TCN_OP_CARD, &wire);
    brig_expect(rig, pub, TCN_OP_TRUST, &wire);
    assert_false(brig_take(rig, pub, TCN_OP_CARD, &wire)); /* its card is as it was */
    world_alert alert = alert_tlp(rig, TCN_TLP_CLEAR);
    (void)brig_submit(rig, pub, &alert);
    assert_true(brig_take_alerts(rig, node, TCN_LANE_BULK, &got));
    assert_int_equal(got.need, version + 1);
}

static void test_hello_with_old_trust_gets_the_newer(void **state)
{
    broker_rig *rig = *state;
    tcn_wire wire;
    brig_hello hello = {.member = "node-a", .trust_version = 1};
    world_card_edit(rig->w, "node-b");
    brig_trust(rig);
    tcn_peer node = brig_node(rig, &hello, NULL);
    brig_expect(rig, node, TCN_OP_TRUST, &wire);
    assert_memory_equal(wire.trust.bytes.ptr, world_bundle_envelope(rig->w).ptr,
                        wire.trust.bytes.len);
    assert_false(brig_take(rig, node, TCN_OP_CARD, &wire));

    wire = (tcn_wire){.op = TCN_OP_TRUST_GET};
    wire.trust_get.version = 2;
    wire.trust_get.offset = 10;
    brig_say(rig, node, &wire);
    brig_expect(rig, node, TCN_OP_TRUST, &wire);
    assert_int_equal(wire.trust.offset, 10);
}

static void test_an_older_roster_is_ignored(void **state)
{
    broker_rig *rig = *state;
    tcn_roster *first = world_roster(rig->w);
    world_card_edit(rig->w, "node-b");
    brig_trust(rig);
    tcn_broker_input in = {.kind = TCN_IN_TRUST, .roster = first};
    brig_queue_input(rig, &in);
    brig_turn(rig);
    assert_int_equal(tcn_roster_version(tcn_broker_roster(rig->broker)), 2);
    assert_int_equal(mem_ports_line_count(&rig->ports, "trust-old"), 1);
}

/* A member raised in clearance gets, once, what it could not have before. */
static void test_widening_is_a_new_generation_and_backfills_once(void **state)
{
    broker_rig *rig = *state;
    tcn_wire wire;
    tcn_wire_welcome welcome;
    brig_alerts got;
    member_set(rig, "node-a", TCN_TLP_GREEN, ">", NULL);
    brig_trust(rig);
    tcn_peer pub = brig_client(rig, "pub");
    tcn_peer node = brig_node(rig, &(brig_hello){.member = "node-a"}, &welcome);
    world_alert green = alert_tlp(rig, TCN_TLP_GREEN), amber = alert_tlp(rig, TCN_TLP_AMBER);
    (void)brig_submit(rig, pub, &green);
    (void)brig_submit(rig, pub, &amber);
    assert_int_equal(receive_all(rig, node, TCN_LANE_BULK, &welcome.epoch, &got), 1);

    member_set(rig, "node-a", TCN_TLP_AMBER, ">", NULL);
    brig_trust(rig);
    brig_expect(rig, node, TCN_OP_GENERATION, &wire);
    assert_int_equal(wire.generation, welcome.generation + 1);
    assert_int_equal(receive_all(rig, node, TCN_LANE_BULK, &welcome.epoch, &got), 2);
    assert_true(has_alert(&got, &green) && has_alert(&got, &amber));
    assert_false(mem_net_is_closed(rig->ports.net, node));

    /* Nothing changed for it by the next one. */
    world_card_edit(rig->w, "node-b");
    brig_trust(rig);
    assert_false(brig_take(rig, node, TCN_OP_GENERATION, &wire));
    assert_false(brig_take_alerts(rig, node, TCN_LANE_BULK, &got));

    /* And it is durable: the old generation does not count any more. */
    brig_restart(rig);
    (void)brig_node(rig,
                    &(brig_hello){.member = "node-a",
                                  .epoch = welcome.epoch,
                                  .generation = welcome.generation,
                                  .cursor = {[TCN_LANE_BULK] = got.at}},
                    &welcome);
    assert_int_equal(welcome.start[TCN_LANE_BULK], 0);
}

/* A receipt of what was sent before must not speak for what is sent anew. */
static void test_a_new_generation_waits_for_what_is_in_flight(void **state)
{
    broker_rig *rig = *state;
    tcn_wire wire;
    tcn_wire_welcome welcome;
    brig_alerts got;
    member_set(rig, "node-a", TCN_TLP_GREEN, ">", NULL);
    brig_trust(rig);
    tcn_peer pub = brig_client(rig, "pub");
    tcn_peer node = brig_node(rig, &(brig_hello){.member = "node-a"}, &welcome);
    world_alert amber = alert_tlp(rig, TCN_TLP_AMBER), green = alert_tlp(rig, TCN_TLP_GREEN);
    (void)brig_submit(rig, pub, &amber);
    (void)brig_submit(rig, pub, &green);
    assert_true(brig_take_alerts(rig, node, TCN_LANE_BULK, &got));
    member_set(rig, "node-a", TCN_TLP_AMBER, ">", NULL);
    brig_trust(rig);
    assert_false(brig_take(rig, node, TCN_OP_GENERATION, &wire));
    brig_receipt(rig, node, TCN_LANE_BULK, got.at, &welcome.epoch);
    brig_expect(rig, node, TCN_OP_GENERATION, &wire);
    assert_int_equal(receive_all(rig, node, TCN_LANE_BULK, &welcome.epoch, &got), 2);
    assert_true(has_alert(&got, &amber));
}

/* What was in flight can also end with the lane passing to another connection. */
static void test_a_new_generation_survives_a_lane_that_moves(void **state)
{
    broker_rig *rig = *state;
    tcn_wire_welcome welcome;
    brig_alerts got;
    member_set(rig, "node-a", TCN_TLP_GREEN, ">", NULL);
    brig_trust(rig);
    tcn_peer pub = brig_client(rig, "pub");
    (void)brig_node(rig, &(brig_hello){.member = "node-a"}, &welcome);
    world_alert green = alert_tlp(rig, TCN_TLP_GREEN), amber = alert_tlp(rig, TCN_TLP_AMBER);
    (void)brig_submit(rig, pub, &green);
    (void)brig_submit(rig, pub, &amber);
    member_set(rig, "node-a", TCN_TLP_AMBER, ">", NULL);
    brig_trust(rig);
    tcn_peer moved = brig_node(rig, &(brig_hello){.member = "node-a", .lanes = 1}, &welcome);
    assert_int_equal(welcome.start[TCN_LANE_BULK], 0);
    assert_int_equal(receive_all(rig, moved, TCN_LANE_BULK, &welcome.epoch, &got), 2);
}

static void test_widening_while_the_broker_was_off(void **state)
{
    broker_rig *rig = *state;
    tcn_wire_welcome welcome, again;
    brig_alerts got;
    member_set(rig, "node-a", TCN_TLP_GREEN, ">", NULL);
    brig_trust(rig);
    tcn_peer pub = brig_client(rig, "pub");
    tcn_peer node = brig_node(rig, &(brig_hello){.member = "node-a"}, &welcome);
    world_alert amber = alert_tlp(rig, TCN_TLP_AMBER), green = alert_tlp(rig, TCN_TLP_GREEN);
    (void)brig_submit(rig, pub, &amber);
    (void)brig_submit(rig, pub, &green);
    (void)receive_all(rig, node, TCN_LANE_BULK, &welcome.epoch, &got);
    member_set(rig, "node-a", TCN_TLP_AMBER, ">", NULL);
    world_sign(rig->w);
    brig_restart(rig);
    node = brig_node(rig,
                     &(brig_hello){.member = "node-a",
                                   .epoch = welcome.epoch,
                                   .generation = welcome.generation,
                                   .cursor = {[TCN_LANE_BULK] = got.at}},
                     &again);
    assert_int_equal(again.generation, welcome.generation + 1);
    assert_int_equal(receive_all(rig, node, TCN_LANE_BULK, &again.epoch, &got), 2);
}

static void test_wider_subscriptions_are_a_new_generation(void **state)
{
    broker_rig *rig = *state;
    tcn_wire_welcome welcome, again;
    brig_alerts got;
    tcn_peer pub = brig_client(rig, "pub");
    brig_hello hello = {.member = "node-a", .subscribe = {"weather.>"}};
    tcn_peer node = brig_node(rig, &hello, &welcome);
    world_alert alert = alert_tlp(rig, TCN_TLP_CLEAR);
    (void)brig_submit(rig, pub, &alert);
    assert_int_equal(receive_all(rig, node, TCN_LANE_BULK, &welcome.epoch, &got), 0);
    hello.subscribe[1] = "advisory.>";
    hello.epoch = welcome.epoch;
    hello.generation = welcome.generation;
    node = brig_node(rig, &hello, &again);
    assert_int_equal(again.generation, welcome.generation + 1);
    assert_int_equal(receive_all(rig, node, TCN_LANE_BULK, &again.epoch, &got), 1);
    /* Fewer are one, too: what an update superseded that it does not get now. */
    hello.subscribe[0] = "advisory.>";
    hello.subscribe[1] = NULL;
    (void)brig_node(rig, &hello, &welcome);
    assert_int_equal(welcome.generation, again.generation + 1);
    (void)brig_node(rig, &hello, &again);
    assert_int_equal(welcome.generation, again.generation);
}

static void test_narrowing_cuts_every_connection_of_the_member(void **state)
{
    broker_rig *rig = *state;
    brig_alerts got;
    tcn_peer pub = brig_client(rig, "pub");
    tcn_peer session = brig_node(rig, &(brig_hello){.member = "node-a", .lanes = 1}, NULL);
    tcn_peer emergency = brig_node(rig, &(brig_hello){.member = "node-a", .lanes = 2}, NULL);
    tcn_peer other = brig_node(rig, &(brig_hello){.member = "node-b"}, NULL);
    member_set(rig, "node-a", TCN_TLP_GREEN, ">", NULL);
    brig_trust(rig);
    assert_true(mem_net_is_closed(rig->ports.net, session));
    assert_true(mem_net_is_closed(rig->ports.net, emergency));
    assert_false(mem_net_is_closed(rig->ports.net, other));
    brig_forget(rig);
    world_alert alert = alert_tlp(rig, TCN_TLP_AMBER);
    assert_int_equal(brig_submit(rig, pub, &alert).entitled, 2);
    assert_true(brig_take_alerts(rig, other, TCN_LANE_BULK, &got));
    assert_int_equal(mem_net_pending_for(rig->ports.net, session), 0);
    tcn_peer back = brig_node(rig, &(brig_hello){.member = "node-a"}, NULL);
    assert_false(brig_take_alerts(rig, back, TCN_LANE_BULK, &got));
}

static void test_narrowed_and_widened_at_once_is_cut_and_starts_anew(void **state)
{
    broker_rig *rig = *state;
    tcn_wire_welcome welcome, again;
    member_set(rig, "node-a", TCN_TLP_AMBER, "advisory.>", NULL);
    brig_trust(rig);
    tcn_peer node = brig_node(rig, &(brig_hello){.member = "node-a"}, &welcome);
    member_set(rig, "node-a", TCN_TLP_AMBER, "weather.>", NULL);
    brig_trust(rig);
    assert_true(mem_net_is_closed(rig->ports.net, node));
    (void)brig_node(
        rig,
        &(brig_hello){.member = "node-a", .epoch = welcome.epoch, .generation = welcome.generation},
        &again);
    assert_int_equal(again.generation, welcome.generation + 1);
}

static void test_revoked_members_are_cut_and_not_let_in(void **state)
{
    broker_rig *rig = *state;
    tcn_wire wire;
    brig_alerts got;
    tcn_peer pub = brig_client(rig, "pub"), gone = brig_client(rig, "pub-2");
    tcn_peer node = brig_node(rig, &(brig_hello){.member = "node-a"}, NULL);
    world_member_revoke(rig->w, "node-a", TCN_MEMBER_RETIRED, rig->ports.wall);
    world_member_revoke(rig->w, "pub-2", TCN_MEMBER_SUSPENDED, rig->ports.wall);
    brig_trust(rig);
    assert_true(mem_net_is_closed(rig->ports.net, node));
    assert_true(mem_net_is_closed(rig->ports.net, gone));
    world_alert alert = alert_tlp(rig, TCN_TLP_CLEAR);
    assert_int_equal(brig_submit(rig, pub, &alert).entitled, 2);
    tcn_peer again = brig_connect(rig, "node-a", TCN_LANE_BULK);
    tcn_wire hello;
    brig_hello_wire(rig, &(brig_hello){.member = "node-a"}, &hello);
    brig_say(rig, again, &hello);
    brig_expect(rig, again, TCN_OP_ERROR, &wire);
    assert_int_equal(wire.error.error, TCN_REVOKED);
    brig_say(rig, again, &hello);
    assert_false(brig_take_alerts(rig, again, TCN_LANE_BULK, &got));
    assert_int_equal(mem_net_pending_for(rig->ports.net, again), 0);
    brig_pass(rig, 2000);
    assert_true(mem_net_is_closed(rig->ports.net, again));
}

static void test_a_changed_transport_key_cuts_the_old_connection(void **state)
{
    broker_rig *rig = *state;
    tcn_peer node = brig_node(rig, &(brig_hello){.member = "node-a"}, NULL);
    tcn_card *card = world_card_edit(rig->w, "node-a");
    for (unsigned i = 0; i < card->keys; i++)
        if (card->key[i].use == TCN_KEY_TRANSPORT)
            card->key[i].public_bytes[5] ^= 1;
    brig_trust(rig);
    assert_true(mem_net_is_closed(rig->ports.net, node));
}

static void test_a_card_that_expires_ends_its_sessions(void **state)
{
    broker_rig *rig = *state;
    tcn_wire ping = {.op = TCN_OP_PING}, wire;
    tcn_card *card = world_card_edit(rig->w, "node-a");
    card->expires = (tcn_wall){rig->ports.wall.unix_ms + 20000};
    brig_trust(rig);
    tcn_peer node = brig_node(rig, &(brig_hello){.member = "node-a"}, NULL);
    brig_pass(rig, 19000);
    brig_say(rig, node, &ping);
    brig_expect(rig, node, TCN_OP_PONG, &wire);
    brig_pass(rig, 2000);
    assert_true(mem_net_is_closed(rig->ports.net, node));
}

/* Compromised since T: what came after is never sent, whatever the marks in the store say yet. */
static void test_compromised_authors_are_voided(void **state)
{
    broker_rig *rig = *state;
    tcn_wire_welcome welcome;
    brig_alerts got;
    tcn_peer pub = brig_client(rig, "pub-2"), good = brig_client(rig, "pub");
    world_alert before = world_alert_make(rig->w, &(world_options){.publisher = "pub-2"});
    (void)brig_submit(rig, pub, &before);
    brig_pass(rig, 60000);
    tcn_wall since = rig->ports.wall;
    brig_pass(rig, 60000);
    pub = brig_client(rig, "pub-2");
    good = brig_client(rig, "pub");
    world_alert after = world_alert_make(rig->w, &(world_options){.publisher = "pub-2"});
    world_alert fine = alert_tlp(rig, TCN_TLP_CLEAR);
    (void)brig_submit(rig, pub, &after);
    (void)brig_submit(rig, good, &fine);
    world_member_revoke(rig->w, "pub-2", TCN_MEMBER_COMPROMISED, since);
    brig_trust(rig);
    tcn_peer node = brig_node(rig, &(brig_hello){.member = "node-a"}, &welcome);
    assert_int_equal(receive_all(rig, node, TCN_LANE_BULK, &welcome.epoch, &got), 2);
    assert_true(has_alert(&got, &before) && has_alert(&got, &fine));
    assert_int_equal(mem_ports_line_count(&rig->ports, "voided"), 0);
    brig_pass(rig, 1000); /* and then they do */
    assert_int_equal(mem_ports_line_count(&rig->ports, "voided"), 1);
    brig_restart(rig);
    brig_pass(rig, 3000);
    assert_int_equal(mem_ports_line_count(&rig->ports, "voided"), 1);
}

static tcn_err hello_error(broker_rig *rig, const char *member, uint64_t version)
{
    tcn_wire hello, wire;
    brig_hello_wire(rig, &(brig_hello){.member = member, .trust_version = version}, &hello);
    tcn_peer peer = brig_connect(rig, member, TCN_LANE_BULK);
    brig_say(rig, peer, &hello);
    return brig_take(rig, peer, TCN_OP_ERROR, &wire) ? wire.error.error : TCN_OK;
}

/* Members with newer trust: nobody whom we would serve by the old one. One alone may lie. */
static void test_a_broker_behind_its_members_serves_nothing(void **state)
{
    broker_rig *rig = *state;
    brig_alerts got;
    tcn_peer pub = brig_client(rig, "pub");
    tcn_peer served = brig_node(rig, &(brig_hello){.member = "node-c"}, NULL);
    assert_int_equal(hello_error(rig, "node-a", 2), TCN_STALE);
    assert_int_equal(mem_ports_line_count(&rig->ports, "trust-behind"), 1);
    world_alert first = alert_tlp(rig, TCN_TLP_CLEAR), second = alert_tlp(rig, TCN_TLP_CLEAR);
    assert_int_equal(brig_submit(rig, pub, &first).error, TCN_OK);
    assert_true(brig_take_alerts(rig, served, TCN_LANE_BULK, &got));
    assert_int_equal(hello_error(rig, "node-a", 2), TCN_STALE); /* the same one again */
    assert_int_equal(hello_error(rig, "node-b", 1), TCN_OK);

    assert_int_equal(hello_error(rig, "node-b", 2), TCN_STALE);
    assert_int_equal(brig_submit(rig, pub, &second).error, TCN_STALE);
    assert_int_equal(hello_error(rig, "node-c", 1), TCN_STALE);
    world_card_edit(rig->w, "node-b");
    brig_trust(rig);
    assert_int_equal(hello_error(rig, "node-a", 2), TCN_OK);
    assert_int_equal(brig_submit(rig, pub, &second).error, TCN_OK);
}

static void test_a_store_that_saw_newer_trust_refuses_to_start(void **state)
{
    broker_rig *rig = *state;
    tcn_fault fault;
    tcn_broker *second = NULL;
    tcn_roster *first = world_roster(rig->w);
    world_card_edit(rig->w, "node-b");
    brig_trust(rig);
    tcn_broker_destroy(&rig->broker);
    mem_ports_crash(&rig->ports);
    tcn_ports ports = mem_ports_all(&rig->ports);
    assert_int_equal(tcn_broker_new(&ports, &rig->config, first, &second, &fault), TCN_STALE);
    assert_null(second);
    brig_start(rig);
}

/* A revocation takes effect even where the store has no room for it. */
static void test_trust_with_a_full_store_is_in_force_and_stored_later(void **state)
{
    broker_rig *rig = *state;
    tcn_wire wire;
    member_set(rig, "node-b", TCN_TLP_GREEN, ">", NULL);
    brig_trust(rig);
    tcn_peer narrowed = brig_node(rig, &(brig_hello){.member = "node-a"}, NULL);
    tcn_peer widened = brig_node(rig, &(brig_hello){.member = "node-b"}, NULL);
    member_set(rig, "node-a", TCN_TLP_GREEN, ">", NULL);
    member_set(rig, "node-b", TCN_TLP_AMBER, ">", NULL);
    mem_store_fail_write(rig->ports.store, 1, TCN_FULL);
    brig_trust(rig);
    assert_int_equal(tcn_roster_version(tcn_broker_roster(rig->broker)), 3);
    assert_true(mem_net_is_closed(rig->ports.net, narrowed));
    brig_expect(rig, widened, TCN_OP_TRUST, &wire);
    assert_false(brig_take(rig, widened, TCN_OP_GENERATION, &wire));
    assert_int_equal(mem_ports_line_count(&rig->ports, "trust-not-stored"), 1);
    brig_pass(rig, 2000);
    brig_expect(rig, widened, TCN_OP_GENERATION, &wire);
}

static void test_a_submit_behind_a_roster_is_judged_by_it(void **state)
{
    broker_rig *rig = *state;
    tcn_wire wire;
    tcn_peer pub = brig_client(rig, "pub-2");
    world_alert alert = world_alert_make(rig->w, &(world_options){.publisher = "pub-2"});
    world_member_revoke(rig->w, "pub-2", TCN_MEMBER_RETIRED, rig->ports.wall);
    world_sign(rig->w);
    tcn_broker_input in = {.kind = TCN_IN_TRUST, .roster = world_roster(rig->w)};
    brig_queue_input(rig, &in);
    brig_queue_submit(rig, pub, alert.envelope);
    brig_turn(rig);
    assert_false(brig_take(rig, pub, TCN_OP_ANSWER, &wire));
    tcn_broker_stats stats;
    tcn_broker_stats_get(rig->broker, &stats);
    assert_int_equal(stats.seq[TCN_LANE_BULK], 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        RIG_TEST(test_trust_and_card_before_alerts_that_need_them),
        RIG_TEST(test_hello_with_old_trust_gets_the_newer),
        RIG_TEST(test_an_older_roster_is_ignored),
        RIG_TEST(test_widening_is_a_new_generation_and_backfills_once),
        RIG_TEST(test_a_new_generation_waits_for_what_is_in_flight),
        RIG_TEST(test_a_new_generation_survives_a_lane_that_moves),
        RIG_TEST(test_widening_while_the_broker_was_off),
        RIG_TEST(test_wider_subscriptions_are_a_new_generation),
        RIG_TEST(test_narrowing_cuts_every_connection_of_the_member),
        RIG_TEST(test_narrowed_and_widened_at_once_is_cut_and_starts_anew),
        RIG_TEST(test_revoked_members_are_cut_and_not_let_in),
        RIG_TEST(test_a_changed_transport_key_cuts_the_old_connection),
        RIG_TEST(test_a_card_that_expires_ends_its_sessions),
        RIG_TEST(test_compromised_authors_are_voided),
        RIG_TEST(test_a_broker_behind_its_members_serves_nothing),
        RIG_TEST(test_a_store_that_saw_newer_trust_refuses_to_start),
        RIG_TEST(test_trust_with_a_full_store_is_in_force_and_stored_later),
        RIG_TEST(test_a_submit_behind_a_roster_is_judged_by_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
