/* SPDX-License-Identifier: Apache-2.0 */
/* What is over goes, a bounded number at a time; what is in force never does, and an id is never
 * free again for other content. */
#include "tests/support/broker_test.h"

#define DAY_MS (UINT64_C(24) * 3600 * 1000)

typedef struct {
    uint8_t prefix;
    size_t count;
} counting;

static bool count_key(void *arg, tcn_bytes key, tcn_bytes value)
{
    counting *c = arg;
    (void)value;
    c->count += key.ptr[0] == c->prefix;
    return true;
}

static size_t keys_with(const broker_rig *rig, char prefix)
{
    counting c = {.prefix = (uint8_t)prefix};
    mem_store_each(rig->ports.store, count_key, &c);
    return c.count;
}

static void test_an_expired_alert_leaves_a_tombstone(void **state)
{
    broker_rig *rig = *state;
    tcn_wire_welcome welcome;
    brig_alerts got;
    tcn_peer pub = brig_client(rig, "pub");
    tcn_peer node = brig_node(rig, &(brig_hello){.member = "node-a"}, &welcome);
    world_alert brief = world_alert_make(rig->w, &(world_options){.publisher = "pub",
                                                                  .lane = TCN_LANE_EMERGENCY,
                                                                  .status = TCN_STATUS_TEST});
    world_alert lasting = world_alert_make(
        rig->w, &(world_options){.publisher = "pub",
                                 .expires = {rig->ports.wall.unix_ms + 300 * (int64_t)DAY_MS}});
    (void)brig_submit(rig, pub, &brief);
    (void)brig_submit(rig, pub, &lasting);
    (void)receive_all(rig, node, TCN_LANE_EMERGENCY, &welcome.epoch, &got);
    assert_int_equal(keys_with(rig, 'R'), 1);
    brig_pass(rig, DAY_MS + rig->config.keep_ms - 5000);
    assert_int_equal(keys_with(rig, 'J'), 2);
    brig_pass(rig, 10000);
    assert_int_equal(keys_with(rig, 'J'), 1);
    assert_int_equal(keys_with(rig, 'A'), 1);
    assert_int_equal(keys_with(rig, 'R'), 0);
    assert_int_equal(keys_with(rig, 'Q'), 0);
    assert_int_equal(keys_with(rig, 'X'), 1);
    assert_int_equal(keys_with(rig, 'I'), 1);

    pub = brig_client(rig, "pub");
    assert_int_equal(brig_submit(rig, pub, &brief).error, TCN_EXPIRED);
    world_alert other = world_alert_make(
        rig->w, &(world_options){.publisher = "pub", .id = brief.id, .body = "another\n"});
    assert_int_equal(brig_submit(rig, pub, &other).error, TCN_CONFLICT);
    /* The number is not given again, and who returns gets what is in force. */
    world_alert next = world_alert_make(rig->w, &(world_options){.publisher = "pub",
                                                                 .lane = TCN_LANE_EMERGENCY,
                                                                 .status = TCN_STATUS_TEST});
    assert_int_equal(brig_submit(rig, pub, &next).seq, 2);
    brig_restart(rig);
    node = brig_node(rig, &(brig_hello){.member = "node-b", .lanes = 1}, &welcome);
    assert_int_equal(receive_all(rig, node, TCN_LANE_BULK, &welcome.epoch, &got), 1);
    node = brig_node(rig, &(brig_hello){.member = "node-b", .lanes = 2}, &welcome);
    assert_int_equal(receive_all(rig, node, TCN_LANE_EMERGENCY, &welcome.epoch, &got), 1);
}

/* A cursor at a pruned entry is good; so is a head whose entry is gone. */
static void test_a_cursor_at_what_was_pruned(void **state)
{
    broker_rig *rig = *state;
    tcn_wire_welcome welcome;
    brig_alerts got;
    tcn_peer pub = brig_client(rig, "pub");
    tcn_peer node = brig_node(rig, &(brig_hello){.member = "node-a"}, &welcome);
    world_alert brief = world_alert_make(rig->w, &(world_options){.publisher = "pub"});
    (void)brig_submit(rig, pub, &brief);
    (void)receive_all(rig, node, TCN_LANE_BULK, &welcome.epoch, &got);
    brig_pass(rig, DAY_MS + rig->config.keep_ms + 5000);
    assert_int_equal(keys_with(rig, 'J'), 0);
    brig_restart(rig);
    brig_hello hello = {.member = "node-a",
                        .epoch = welcome.epoch,
                        .generation = welcome.generation,
                        .cursor = {[TCN_LANE_BULK] = got.at}};
    node = brig_node(rig, &hello, &welcome);
    assert_int_equal(welcome.start[TCN_LANE_BULK], 1);
    assert_memory_equal(welcome.epoch.b, hello.epoch.b, sizeof(welcome.epoch.b));
    tcn_peer fresh = brig_node(rig, &(brig_hello){.member = "node-b"}, NULL);
    pub = brig_client(rig, "pub");
    world_alert next = world_alert_make(rig->w, &(world_options){.publisher = "pub"});
    assert_int_equal(brig_submit(rig, pub, &next).seq, 2);
    assert_true(brig_take_alerts(rig, node, TCN_LANE_BULK, &got));
    assert_true(brig_take_alerts(rig, fresh, TCN_LANE_BULK, &got));
}

static void test_checkpoints_do_not_pile_up(void **state)
{
    broker_rig *rig = *state;
    tcn_wire_welcome welcome;
    brig_alerts got;
    tcn_peer pub = brig_client(rig, "pub");
    tcn_peer node = brig_node(rig, &(brig_hello){.member = "node-a"}, &welcome);
    for (unsigned i = 0; i < 20; i++) {
        world_alert alert = world_alert_make(rig->w, &(world_options){.publisher = "pub"});
        (void)brig_submit(rig, pub, &alert);
        (void)receive_all(rig, node, TCN_LANE_BULK, &welcome.epoch, &got);
        brig_pass(rig, 1000);
    }
    assert_true(keys_with(rig, 'B') >= 20);
    brig_pass(rig, DAY_MS + rig->config.keep_ms + 60000);
    pub = brig_client(rig, "pub");
    node = brig_node(rig,
                     &(brig_hello){.member = "node-a",
                                   .epoch = welcome.epoch,
                                   .generation = welcome.generation,
                                   .cursor = {[TCN_LANE_BULK] = got.at}},
                     &welcome);
    for (unsigned i = 0; i < 3; i++) {
        world_alert alert = world_alert_make(rig->w, &(world_options){.publisher = "pub"});
        (void)brig_submit(rig, pub, &alert);
        (void)receive_all(rig, node, TCN_LANE_BULK, &welcome.epoch, &got);
        brig_pass(rig, 1000);
    }
    assert_true(keys_with(rig, 'B') <= 4);
}

static void test_audit_rows_are_bounded(void **state)
{
    broker_rig *rig = *state;
    tcn_peer pub = brig_client(rig, "pub");
    world_alert alert = world_alert_make(rig->w, &(world_options){.publisher = "pub"});
    world_alert other = world_alert_make(
        rig->w, &(world_options){.publisher = "pub", .id = alert.id, .body = "another\n"});
    (void)brig_submit(rig, pub, &alert);
    for (unsigned i = 0; i < 4200; i++) {
        brig_queue_submit(rig, pub, other.envelope);
        if (rig->inputs == 500 || i == 4199) {
            brig_turn(rig);
            brig_forget(rig);
        }
    }
    assert_int_equal(keys_with(rig, 'U'), 4096);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        RIG_TEST(test_an_expired_alert_leaves_a_tombstone),
        RIG_TEST(test_a_cursor_at_what_was_pruned),
        RIG_TEST(test_checkpoints_do_not_pile_up),
        RIG_TEST(test_audit_rows_are_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
