/* SPDX-License-Identifier: Apache-2.0 */
/* A node says a receipt once: a store that is full for a moment must not make it forgotten. */
#include "tests/support/broker_test.h"

enum { PENDING, RECEIVED };

/* An alert that counts receipts node by node (a test, so that one signature suffices). */
static world_alert urgent(broker_rig *rig, tcn_tlp tlp)
{
    return world_alert_make(rig->w, &(world_options){.publisher = "pub",
                                                     .lane = TCN_LANE_EMERGENCY,
                                                     .tlp = tlp,
                                                     .status = TCN_STATUS_TEST});
}

/* What the board says of node-a. */
static uint64_t standing(broker_rig *rig, const world_alert *alert)
{
    tcn_peer op = brig_client(rig, "op");
    brig_result result = brig_query(rig, op, TCN_QUERY_BOARD, brig_args_id(&alert->id, NULL));
    tcn_cbor_reader r;
    assert_int_equal(result.error, TCN_OK);
    assert_true(result.count > 0);
    tcn_cbor_reader_init(&r, result.items);
    uint64_t previous = UINT64_MAX;
    assert_true(tcn_cbor_get_map(&r, 16) > 1);
    assert_int_equal(tcn_cbor_get_key(&r, &previous), 1);
    assert_true(tcn_bytes_equal(tcn_cbor_get_text(&r, 63), tcn_bytes_str("node-a")));
    assert_int_equal(tcn_cbor_get_key(&r, &previous), 2);
    return tcn_cbor_get_uint(&r);
}

/* The receipt of all that is on its way, while the store takes nothing. */
static void receipt_while_full(broker_rig *rig, tcn_peer node, const tcn_id *epoch)
{
    brig_alerts got;
    assert_true(brig_take_alerts(rig, node, TCN_LANE_EMERGENCY, &got));
    mem_store_fail_commit(rig->ports.store, 1, TCN_FULL, false);
    brig_receipt(rig, node, TCN_LANE_EMERGENCY, got.at, epoch);
}

static void test_a_receipt_that_could_not_be_stored_counts_later(void **state)
{
    broker_rig *rig = *state;
    tcn_wire_welcome welcome;
    tcn_peer pub = brig_client(rig, "pub");
    tcn_peer node = brig_node(rig, &(brig_hello){.member = "node-a"}, &welcome);
    world_alert alert = urgent(rig, TCN_TLP_CLEAR);
    (void)brig_submit(rig, pub, &alert);
    receipt_while_full(rig, node, &welcome.epoch);
    brig_pass(rig, 3000);
    assert_int_equal(standing(rig, &alert), RECEIVED);
    brig_restart(rig); /* and it is durable */
    assert_int_equal(standing(rig, &alert), RECEIVED);
}

/* What waits for the way to be empty goes on. */
static void test_a_new_generation_does_not_wait_for_it(void **state)
{
    broker_rig *rig = *state;
    tcn_wire wire;
    tcn_wire_welcome welcome;
    world_member member = {.name = "node-a", .roles = TCN_ROLE_NODE, .receive = {">"}};
    world_member_set(rig->w, &member);
    brig_trust(rig);
    tcn_peer pub = brig_client(rig, "pub");
    tcn_peer node = brig_node(rig, &(brig_hello){.member = "node-a"}, &welcome);
    world_alert green = urgent(rig, TCN_TLP_GREEN), clear = urgent(rig, TCN_TLP_CLEAR);
    (void)brig_submit(rig, pub, &green);
    (void)brig_submit(rig, pub, &clear);
    member.clearance = TCN_TLP_GREEN;
    world_member_set(rig->w, &member);
    brig_trust(rig);
    receipt_while_full(rig, node, &welcome.epoch);
    brig_pass(rig, 3000);
    brig_expect(rig, node, TCN_OP_GENERATION, &wire);
    assert_int_equal(standing(rig, &green), PENDING);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        RIG_TEST(test_a_receipt_that_could_not_be_stored_counts_later),
        RIG_TEST(test_a_new_generation_does_not_wait_for_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
