/* SPDX-License-Identifier: Apache-2.0 */
/* The straight way: a submit, its answer after the commit, ALERTS, receipts, cursors, restarts. */
#include "tests/support/broker_rig.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const tcn_id none;

static int setup(void **state)
{
    broker_rig *rig = malloc(sizeof(*rig));
    assert_non_null(rig);
    brig_init(rig, 1);
    brig_start(rig);
    *state = rig;
    return 0;
}

static int teardown(void **state)
{
    broker_rig *rig = *state;
    brig_fini(rig);
    free(rig);
    return 0;
}

static world_alert bulk(broker_rig *rig)
{
    return world_alert_make(rig->w, &(world_options){.publisher = "pub"});
}

static void assert_alert(const brig_alerts *got, size_t at, const world_alert *alert)
{
    assert_true(at < got->count);
    assert_memory_equal(got->id[at].b, alert->id.b, sizeof(alert->id.b));
}

static void test_submit_to_receipt(void **state)
{
    broker_rig *rig = *state;
    tcn_wire_welcome welcome;
    brig_alerts got;
    tcn_peer pub = brig_client(rig, "pub");
    tcn_peer node = brig_node(rig, &(brig_hello){.member = "node-a"}, &welcome);
    assert_int_equal(welcome.generation, 1);
    assert_true(welcome.has_start[TCN_LANE_BULK] && welcome.has_start[TCN_LANE_EMERGENCY]);

    world_alert alert = bulk(rig);
    tcn_wire_answer answer = brig_submit(rig, pub, &alert);
    assert_int_equal(answer.error, TCN_OK);
    assert_true(answer.accepted && answer.has_seq);
    assert_int_equal(answer.seq, 1);
    assert_int_equal(answer.entitled, 3);
    assert_true(brig_take_alerts(rig, node, TCN_LANE_BULK, &got));
    assert_int_equal(got.count, 1);
    assert_int_equal(got.at.seq, 1);
    assert_alert(&got, 0, &alert);
    brig_receipt(rig, node, TCN_LANE_BULK, got.at, &welcome.epoch);

    tcn_broker_stats stats;
    tcn_broker_stats_get(rig->broker, &stats);
    assert_int_equal(stats.receipts, 1);
    assert_int_equal(stats.deliveries, 1);
    assert_int_equal(stats.nodes_connected, 1);
    assert_int_equal(stats.clients_connected, 1);
    assert_false(brig_take_alerts(rig, node, TCN_LANE_BULK, &got));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_submit_to_receipt, setup, teardown),
    };
    (void)none;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
