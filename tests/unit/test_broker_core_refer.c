/* SPDX-License-Identifier: Apache-2.0 */
/* Updates, cancels, expiry, audiences: what is still sent, and to whom. */
#include "tests/support/broker_test.h"

static world_alert refer(broker_rig *rig, tcn_kind kind, const world_alert *target)
{
    return world_alert_make(
        rig->w, &(world_options){.publisher = "pub", .kind = kind, .references = {&target->id}});
}

static world_alert plain(broker_rig *rig)
{
    return world_alert_make(rig->w, &(world_options){.publisher = "pub"});
}

static size_t catch_up(broker_rig *rig, const char *member, brig_alerts *ret_got)
{
    tcn_wire_welcome welcome;
    tcn_peer node = brig_node(rig, &(brig_hello){.member = member}, &welcome);
    return receive_all(rig, node, TCN_LANE_BULK, &welcome.epoch, ret_got);
}

static void test_catch_up_skips_what_is_over(void **state)
{
    broker_rig *rig = *state;
    brig_alerts got;
    tcn_peer pub = brig_client(rig, "pub");
    world_alert cancelled = plain(rig), updated = plain(rig), good = plain(rig);
    world_alert cancel = refer(rig, TCN_KIND_CANCEL, &cancelled);
    world_alert update = refer(rig, TCN_KIND_UPDATE, &updated);
    world_alert brief = world_alert_make(
        rig->w, &(world_options){.publisher = "pub", .expires = {rig->ports.wall.unix_ms + 1000}});
    const world_alert *all[] = {&cancelled, &updated, &good, &cancel, &update, &brief};
    for (size_t i = 0; i < 6; i++)
        assert_int_equal(brig_submit(rig, pub, all[i]).error, TCN_OK);
    brig_pass(rig, 1000);
    assert_int_equal(catch_up(rig, "node-a", &got), 3);
    assert_true(same_id(&got.id[0], &good) && same_id(&got.id[1], &cancel) &&
                same_id(&got.id[2], &update));
    brig_restart(rig); /* the same, from the store */
    assert_int_equal(catch_up(rig, "node-b", &got), 3);
    assert_true(has_alert(&got, &good) && has_alert(&got, &cancel) && has_alert(&got, &update));
}

static void test_an_update_supersedes_only_for_those_who_get_it(void **state)
{
    broker_rig *rig = *state;
    brig_alerts got;
    world_member_set(rig->w, &(world_member){.name = "node-b",
                                             .roles = TCN_ROLE_NODE,
                                             .clearance = TCN_TLP_GREEN,
                                             .receive = {">"}});
    brig_trust(rig);
    tcn_peer pub = brig_client(rig, "pub");
    world_alert first = plain(rig);
    world_alert secret = world_alert_make(rig->w, &(world_options){.publisher = "pub",
                                                                   .kind = TCN_KIND_UPDATE,
                                                                   .tlp = TCN_TLP_AMBER,
                                                                   .references = {&first.id}});
    (void)brig_submit(rig, pub, &first);
    assert_int_equal(brig_submit(rig, pub, &secret).error, TCN_OK);
    assert_int_equal(catch_up(rig, "node-a", &got), 1);
    assert_true(same_id(&got.id[0], &secret));
    assert_int_equal(catch_up(rig, "node-b", &got), 1);
    assert_true(same_id(&got.id[0], &first));
}

static void test_what_may_be_referred_to(void **state)
{
    broker_rig *rig = *state;
    tcn_peer pub = brig_client(rig, "pub"), other = brig_client(rig, "pub-2");
    world_alert first = plain(rig), unknown = plain(rig);
    (void)brig_submit(rig, pub, &first);
    world_alert to_unknown = refer(rig, TCN_KIND_UPDATE, &unknown);
    assert_int_equal(brig_submit(rig, pub, &to_unknown).error, TCN_NOT_FOUND);
    world_alert theirs = world_alert_make(
        rig->w,
        &(world_options){.publisher = "pub-2", .kind = TCN_KIND_CANCEL, .references = {&first.id}});
    assert_int_equal(brig_submit(rig, other, &theirs).error, TCN_DENIED);
    world_alert cancel = refer(rig, TCN_KIND_CANCEL, &first);
    assert_int_equal(brig_submit(rig, pub, &cancel).error, TCN_OK);
    world_alert late = refer(rig, TCN_KIND_UPDATE, &first);
    assert_int_equal(brig_submit(rig, pub, &late).error, TCN_CONFLICT);
}

static void test_an_approver_cancels(void **state)
{
    broker_rig *rig = *state;
    brig_alerts got;
    tcn_peer pub = brig_client(rig, "pub"), app = brig_client(rig, "app");
    world_alert first = plain(rig);
    (void)brig_submit(rig, pub, &first);
    world_alert cancel = world_alert_make(rig->w, &(world_options){.publisher = "app",
                                                                   .kind = TCN_KIND_CANCEL,
                                                                   .author_role = TCN_ROLE_APPROVER,
                                                                   .references = {&first.id}});
    tcn_wire_answer answer = brig_submit(rig, app, &cancel);
    assert_int_equal(answer.error, TCN_OK);
    assert_int_equal(catch_up(rig, "node-a", &got), 1);
    assert_true(same_id(&got.id[0], &cancel));
}

/* A cancel reaches who got the alert, also one that may have less by now; never a revoked one. */
static void test_a_cancel_follows_the_alert(void **state)
{
    broker_rig *rig = *state;
    brig_alerts got;
    tcn_wire_welcome welcome;
    tcn_peer pub = brig_client(rig, "pub");
    tcn_peer node = brig_node(rig, &(brig_hello){.member = "node-a"}, &welcome);
    world_alert amber =
        world_alert_make(rig->w, &(world_options){.publisher = "pub", .tlp = TCN_TLP_AMBER});
    (void)brig_submit(rig, pub, &amber);
    assert_int_equal(receive_all(rig, node, TCN_LANE_BULK, &welcome.epoch, &got), 1);
    world_member_set(rig->w, &(world_member){.name = "node-a",
                                             .roles = TCN_ROLE_NODE,
                                             .clearance = TCN_TLP_GREEN,
                                             .receive = {">"}});
    world_member_set(rig->w, &(world_member){.name = "node-b",
                                             .roles = TCN_ROLE_NODE,
                                             .clearance = TCN_TLP_GREEN,
                                             .receive = {">"}});
    brig_trust(rig);
    brig_hello hello = {.member = "node-a",
                        .epoch = welcome.epoch,
                        .generation = welcome.generation,
                        .cursor = {[TCN_LANE_BULK] = got.at}};
    node = brig_node(rig, &hello, NULL);
    tcn_peer never = brig_node(rig, &(brig_hello){.member = "node-b"}, NULL);
    world_alert after =
        world_alert_make(rig->w, &(world_options){.publisher = "pub", .tlp = TCN_TLP_AMBER});
    (void)brig_submit(rig, pub, &after);
    world_alert cancel = world_alert_make(rig->w, &(world_options){.publisher = "pub",
                                                                   .kind = TCN_KIND_CANCEL,
                                                                   .tlp = TCN_TLP_AMBER,
                                                                   .references = {&amber.id}});
    world_alert other = world_alert_make(rig->w, &(world_options){.publisher = "pub",
                                                                  .kind = TCN_KIND_CANCEL,
                                                                  .tlp = TCN_TLP_AMBER,
                                                                  .references = {&after.id}});
    assert_int_equal(brig_submit(rig, pub, &cancel).error, TCN_OK);
    assert_int_equal(brig_submit(rig, pub, &other).error, TCN_OK);
    assert_int_equal(receive_all(rig, node, TCN_LANE_BULK, &welcome.epoch, &got), 1);
    assert_true(same_id(&got.id[0], &cancel));
    assert_false(brig_take_alerts(rig, never, TCN_LANE_BULK, &got));

    /* The same after a restart, from its cursor; and nothing for a revoked one. */
    brig_restart(rig);
    node = brig_node(rig, &hello, &welcome);
    assert_int_equal(receive_all(rig, node, TCN_LANE_BULK, &welcome.epoch, &got), 1);
    assert_true(same_id(&got.id[0], &cancel));
}

/* A cancel with a shorter life than its target is owed as long as the target. */
static void test_a_cancel_lasts_as_long_as_what_it_cancels(void **state)
{
    broker_rig *rig = *state;
    brig_alerts got;
    tcn_peer pub = brig_client(rig, "pub");
    world_alert first = plain(rig);
    world_alert cancel =
        world_alert_make(rig->w, &(world_options){.publisher = "pub",
                                                  .kind = TCN_KIND_CANCEL,
                                                  .references = {&first.id},
                                                  .expires = {rig->ports.wall.unix_ms + 1000}});
    (void)brig_submit(rig, pub, &first);
    (void)brig_submit(rig, pub, &cancel);
    brig_pass(rig, 5000);
    assert_int_equal(catch_up(rig, "node-a", &got), 1);
    assert_true(same_id(&got.id[0], &cancel));
}

static void test_a_cancel_of_a_held_alert_withdraws_it(void **state)
{
    broker_rig *rig = *state;
    brig_alerts got;
    tcn_peer pub = brig_client(rig, "pub"), app = brig_client(rig, "app");
    tcn_peer node = brig_node(rig, &(brig_hello){.member = "node-a"}, NULL);
    world_alert held =
        world_alert_make(rig->w, &(world_options){.publisher = "pub", .lane = TCN_LANE_EMERGENCY});
    (void)brig_submit(rig, pub, &held);
    world_alert cancel = world_alert_make(rig->w, &(world_options){.publisher = "pub",
                                                                   .lane = TCN_LANE_EMERGENCY,
                                                                   .kind = TCN_KIND_CANCEL,
                                                                   .references = {&held.id}});
    tcn_wire_answer answer = brig_submit(rig, pub, &cancel);
    assert_int_equal(answer.error, TCN_OK);
    assert_true(answer.accepted && !answer.has_seq); /* nobody has what it cancels */
    answer = brig_approve(rig, app, "app", &held);
    assert_false(answer.has_seq);
    assert_int_equal(answer.error, TCN_NOT_DELIVERABLE);
    assert_false(brig_take_alerts(rig, node, TCN_LANE_EMERGENCY, &got));
    tcn_broker_stats stats;
    tcn_broker_stats_get(rig->broker, &stats);
    assert_int_equal(stats.held, 0);
}

static void test_an_audience_is_decided_node_by_node(void **state)
{
    broker_rig *rig = *state;
    brig_alerts got;
    tcn_peer pub = brig_client(rig, "pub");
    tcn_peer a = brig_node(rig, &(brig_hello){.member = "node-a"}, NULL);
    tcn_peer b = brig_node(rig, &(brig_hello){.member = "node-b"}, NULL);
    tcn_peer c = brig_node(rig, &(brig_hello){.member = "node-c"}, NULL);
    world_alert before = plain(rig), after = plain(rig);
    world_alert named = world_alert_make(
        rig->w,
        &(world_options){.publisher = "pub", .tlp = TCN_TLP_RED, .to = {"node-a", "node-c"}});
    brig_queue_submit(rig, pub, before.envelope);
    brig_queue_submit(rig, pub, named.envelope);
    brig_queue_submit(rig, pub, after.envelope);
    brig_turn(rig);
    tcn_peer with[] = {a, c};
    for (size_t i = 0; i < 2; i++) {
        assert_true(brig_take_alerts(rig, with[i], TCN_LANE_BULK, &got));
        assert_true(got.count == 1 && same_id(&got.id[0], &before));
        assert_true(brig_take_alerts(rig, with[i], TCN_LANE_BULK, &got));
        assert_true(got.count == 1 && same_id(&got.id[0], &named)); /* a frame of its own */
        assert_true(brig_take_alerts(rig, with[i], TCN_LANE_BULK, &got));
        assert_true(got.count == 1 && same_id(&got.id[0], &after));
    }
    assert_true(brig_take_alerts(rig, b, TCN_LANE_BULK, &got));
    assert_true(got.count == 1 && same_id(&got.id[0], &before));
    assert_true(brig_take_alerts(rig, b, TCN_LANE_BULK, &got));
    assert_true(got.count == 1 && same_id(&got.id[0], &after));
    assert_int_equal(got.at.seq, 3);

    /* Its cancel goes to those it named, though itself it names only another. */
    world_alert cancel = world_alert_make(rig->w, &(world_options){.publisher = "pub",
                                                                   .kind = TCN_KIND_CANCEL,
                                                                   .tlp = TCN_TLP_RED,
                                                                   .to = {"node-c"},
                                                                   .references = {&named.id}});
    assert_int_equal(brig_submit(rig, pub, &cancel).error, TCN_OK);
    brig_pass(rig, 100); /* nobody gave a receipt for the first three */
    assert_true(brig_take_alerts(rig, a, TCN_LANE_BULK, &got));
    assert_true(same_id(&got.id[0], &cancel));
    assert_true(brig_take_alerts(rig, c, TCN_LANE_BULK, &got));
    assert_false(brig_take_alerts(rig, b, TCN_LANE_BULK, &got));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        RIG_TEST(test_catch_up_skips_what_is_over),
        RIG_TEST(test_an_update_supersedes_only_for_those_who_get_it),
        RIG_TEST(test_what_may_be_referred_to),
        RIG_TEST(test_an_approver_cancels),
        RIG_TEST(test_a_cancel_follows_the_alert),
        RIG_TEST(test_a_cancel_lasts_as_long_as_what_it_cancels),
        RIG_TEST(test_a_cancel_of_a_held_alert_withdraws_it),
        RIG_TEST(test_an_audience_is_decided_node_by_node),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
