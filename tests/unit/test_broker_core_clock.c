/* SPDX-License-Identifier: Apache-2.0 */
/* The broker's clock is set back while an alert is held. */
#include "tests/support/broker_test.h"

static void test_an_embargo_counts_again_when_the_clock_goes_back(void **state)
{
    broker_rig *rig = *state;
    brig_alerts got;
    tcn_wire_welcome welcome;
    tcn_wall now = rig->ports.wall;
    tcn_peer pub = brig_client(rig, "pub"), app = brig_client(rig, "app");
    world_alert alert =
        world_alert_make(rig->w, &(world_options){.publisher = "pub",
                                                  .lane = TCN_LANE_EMERGENCY,
                                                  .not_before = {now.unix_ms + 60000}});
    rig->ports.wall.unix_ms += 300000; /* it is handed in while the clock is ahead */
    assert_false(brig_submit(rig, pub, &alert).accepted);
    rig->ports.wall = now;
    assert_false(brig_approve(rig, app, "app", &alert).accepted);
    brig_pass(rig, 30000);
    tcn_peer node = brig_node(rig, &(brig_hello){.member = "node-a"}, &welcome);
    assert_false(brig_take_alerts(rig, node, TCN_LANE_EMERGENCY, &got));
    brig_pass(rig, 35000);
    assert_true(brig_take_alerts(rig, node, TCN_LANE_EMERGENCY, &got));
    assert_true(has_alert(&got, &alert));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        RIG_TEST(test_an_embargo_counts_again_when_the_clock_goes_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
