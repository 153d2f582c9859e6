/* SPDX-License-Identifier: Apache-2.0 */
/* Terms that a node once had: a cancel reaches those who got the alert, and only them. */
#include "tests/support/broker_test.h"

static void card_set(broker_rig *rig, const char *receive, tcn_member_state state)
{
    world_member_set(rig->w, &(world_member){.name = "node-a",
                                             .roles = TCN_ROLE_NODE,
                                             .clearance = TCN_TLP_RED,
                                             .receive = {receive}});
    tcn_card *card = world_card_edit(rig->w, "node-a");
    card->state = state;
    card->since.unix_ms = state == TCN_MEMBER_ACTIVE ? 0 : rig->ports.wall.unix_ms;
    brig_trust(rig);
}

static world_alert publish(broker_rig *rig, tcn_peer pub, const char *topic)
{
    world_alert alert =
        world_alert_make(rig->w, &(world_options){.publisher = "pub", .topic = topic});
    (void)brig_submit(rig, pub, &alert);
    return alert;
}

static world_alert cancel(broker_rig *rig, tcn_peer pub, const world_alert *target)
{
    world_alert alert = world_alert_make(rig->w, &(world_options){.publisher = "pub",
                                                                  .topic = "advisory.cancelled",
                                                                  .kind = TCN_KIND_CANCEL,
                                                                  .references = {&target->id}});
    (void)brig_submit(rig, pub, &alert);
    return alert;
}

/* Wider terms that came while the card was suspended, and went before it was resumed, never
 * counted. */
static void test_terms_of_a_suspended_card_never_counted(void **state)
{
    broker_rig *rig = *state;
    brig_alerts got;
    tcn_wire_welcome welcome;
    tcn_peer pub = brig_client(rig, "pub");
    card_set(rig, "advisory.vendor", TCN_MEMBER_ACTIVE);
    (void)brig_node(rig, &(brig_hello){.member = "node-a"}, &welcome);
    card_set(rig, "advisory.>", TCN_MEMBER_SUSPENDED);
    world_alert alert = publish(rig, pub, "advisory.other");
    card_set(rig, "advisory.vendor", TCN_MEMBER_ACTIVE);
    world_alert cancelled = cancel(rig, pub, &alert);
    tcn_peer node = brig_node(rig, &(brig_hello){.member = "node-a"}, &welcome);
    assert_int_equal(receive_all(rig, node, TCN_LANE_BULK, &welcome.epoch, &got), 0);
    assert_false(has_alert(&got, &cancelled));
}

/* What it had before it was suspended, it had. */
static void test_a_suspension_does_not_hide_what_was_sent_before(void **state)
{
    broker_rig *rig = *state;
    brig_alerts got;
    tcn_wire_welcome welcome;
    tcn_peer pub = brig_client(rig, "pub");
    card_set(rig, "advisory.>", TCN_MEMBER_ACTIVE);
    tcn_peer node = brig_node(rig, &(brig_hello){.member = "node-a"}, &welcome);
    world_alert alert = publish(rig, pub, "advisory.other");
    assert_int_equal(receive_all(rig, node, TCN_LANE_BULK, &welcome.epoch, &got), 1);
    card_set(rig, "advisory.>", TCN_MEMBER_SUSPENDED);
    card_set(rig, "advisory.vendor", TCN_MEMBER_SUSPENDED);
    card_set(rig, "advisory.vendor", TCN_MEMBER_ACTIVE);
    brig_restart(rig);
    pub = brig_client(rig, "pub");
    world_alert cancelled = cancel(rig, pub, &alert);
    node = brig_node(rig, &(brig_hello){.member = "node-a"}, &welcome);
    assert_int_equal(receive_all(rig, node, TCN_LANE_BULK, &welcome.epoch, &got), 1);
    assert_true(has_alert(&got, &cancelled));
}

/* Two instances with other subscriptions take turns: the same few terms again and again do not
 * push out those under which the alert was sent. */
static void test_flapping_subscriptions_keep_what_was_sent(void **state)
{
    static const char *const asked[] = {"advisory.vendor", "advisory.ics", "news.>"};
    broker_rig *rig = *state;
    brig_alerts got;
    tcn_wire_welcome welcome;
    tcn_peer pub = brig_client(rig, "pub");
    tcn_peer node = brig_node(
        rig, &(brig_hello){.member = "node-a", .subscribe = {"advisory.other"}}, &welcome);
    world_alert alert = publish(rig, pub, "advisory.other");
    assert_int_equal(receive_all(rig, node, TCN_LANE_BULK, &welcome.epoch, &got), 1);
    for (unsigned i = 0; i < 30; i++)
        node = brig_node(rig, &(brig_hello){.member = "node-a", .subscribe = {asked[i % 3]}},
                         &welcome);
    world_alert cancelled = cancel(rig, pub, &alert);
    assert_int_equal(receive_all(rig, node, TCN_LANE_BULK, &welcome.epoch, &got), 1);
    assert_true(has_alert(&got, &cancelled));
}

/* An update that the node may not have any more, and never got, does not hide what it updates. */
static void test_narrowing_brings_back_what_was_superseded(void **state)
{
    broker_rig *rig = *state;
    brig_alerts got;
    tcn_wire_welcome welcome;
    brig_hello hello = {.member = "node-a"};
    tcn_peer pub = brig_client(rig, "pub");
    card_set(rig, "advisory.>", TCN_MEMBER_ACTIVE);
    (void)brig_node(rig, &hello, &welcome);
    world_alert alert = publish(rig, pub, "advisory.vendor");
    world_alert update = world_alert_make(rig->w, &(world_options){.publisher = "pub",
                                                                   .topic = "advisory.other",
                                                                   .kind = TCN_KIND_UPDATE,
                                                                   .references = {&alert.id}});
    (void)brig_submit(rig, pub, &update);
    /* It comes back when both are there: only the update is for it; but that does not arrive. */
    tcn_peer node = brig_node(rig, &hello, &welcome);
    assert_true(brig_take_alerts(rig, node, TCN_LANE_BULK, &got));
    card_set(rig, "advisory.vendor", TCN_MEMBER_ACTIVE);
    hello.epoch = welcome.epoch;
    hello.generation = welcome.generation;
    hello.cursor[TCN_LANE_BULK] = got.at;
    node = brig_node(rig, &hello, &welcome);
    assert_int_equal(receive_all(rig, node, TCN_LANE_BULK, &welcome.epoch, &got), 1);
    assert_true(has_alert(&got, &alert));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        RIG_TEST(test_terms_of_a_suspended_card_never_counted),
        RIG_TEST(test_a_suspension_does_not_hide_what_was_sent_before),
        RIG_TEST(test_flapping_subscriptions_keep_what_was_sent),
        RIG_TEST(test_narrowing_brings_back_what_was_superseded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
