/* SPDX-License-Identifier: Apache-2.0 */
/* Members that turn hostile: what each tried, and what it must not get or spoil. */
#include "tests/support/broker_test.h"

#define MINUTE_MS UINT64_C(60000)

/* ---- learning of what is not theirs ---- */

static void test_a_submit_does_not_tell_who_may_not_publish_that_an_id_is_taken(void **state)
{
    broker_rig *rig = *state;
    tcn_peer pub = brig_client(rig, "pub"), node = brig_client(rig, "node-a");
    world_alert secret = world_alert_make(rig->w, &(world_options){.publisher = "pub"});
    assert_int_equal(brig_submit(rig, pub, &secret).error, TCN_OK);
    world_options claim = {.publisher = "node-a", .id = secret.id, .title = "guess"};
    world_alert known = world_alert_make(rig->w, &claim);
    claim.id = (tcn_id){{0}};
    world_alert unknown = world_alert_make(rig->w, &claim);
    tcn_wire_answer first = brig_submit(rig, node, &known);
    char text[TCN_MAX_NOTE_BYTES + 1] = "";
    assert_true(first.text.len < sizeof(text));
    memcpy(text, first.text.ptr, first.text.len);
    tcn_err error = first.error;
    tcn_wire_answer second = brig_submit(rig, node, &unknown);
    assert_int_not_equal(error, TCN_OK);
    assert_int_equal(error, second.error);
    if (strstr(text, "id ") != NULL || strstr(text, "taken") != NULL)
        fail_msg("%s", text);
}

static void test_another_publishers_id_is_taken(void **state)
{
    broker_rig *rig = *state;
    brig_alerts got;
    tcn_peer pub = brig_client(rig, "pub"), other = brig_client(rig, "pub-2");
    tcn_peer node = brig_node(rig, &(brig_hello){.member = "node-a"}, NULL);
    world_alert first = world_alert_make(rig->w, &(world_options){.publisher = "pub"});
    world_alert second = world_alert_make(
        rig->w, &(world_options){.publisher = "pub-2", .id = first.id, .title = "Other"});
    assert_int_equal(brig_submit(rig, pub, &first).error, TCN_OK);
    assert_true(brig_take_alerts(rig, node, TCN_LANE_BULK, &got));
    assert_int_equal(brig_submit(rig, other, &second).error, TCN_CONFLICT);
    assert_int_equal(brig_submit(rig, other, &first).error, TCN_DENIED); /* a replay */
    assert_false(brig_take_alerts(rig, node, TCN_LANE_BULK, &got));
}

/* ---- ringing the bell alone ---- */

static world_alert cancel_of(broker_rig *rig, const char *by, const world_alert *target)
{
    return world_alert_make(rig->w, &(world_options){.publisher = by,
                                                     .lane = TCN_LANE_EMERGENCY,
                                                     .kind = TCN_KIND_CANCEL,
                                                     .author_role = TCN_ROLE_APPROVER,
                                                     .references = {&target->id}});
}

static void test_one_person_cancels_an_emergency_once(void **state)
{
    broker_rig *rig = *state;
    tcn_peer pub = brig_client(rig, "pub"), app = brig_client(rig, "app");
    world_alert alert =
        world_alert_make(rig->w, &(world_options){.publisher = "pub", .lane = TCN_LANE_EMERGENCY});
    (void)brig_submit(rig, pub, &alert);
    assert_true(brig_approve(rig, app, "app", &alert).accepted);
    world_alert first = cancel_of(rig, "app", &alert), again = cancel_of(rig, "app", &alert);
    assert_int_equal(brig_submit(rig, app, &first).error, TCN_OK);
    assert_int_equal(brig_submit(rig, app, &again).error, TCN_CONFLICT);
    assert_int_equal(brig_submit(rig, app, &first).error, TCN_OK); /* the same is idempotent */
    tcn_broker_stats stats;
    tcn_broker_stats_get(rig->broker, &stats);
    assert_int_equal(stats.seq[TCN_LANE_EMERGENCY], 2);
}

/* A cancel by somebody who turns out to be the attacker does not keep an honest one out. */
static void test_a_voided_cancel_can_be_made_good(void **state)
{
    broker_rig *rig = *state;
    tcn_peer pub = brig_client(rig, "pub"), app = brig_client(rig, "app");
    world_alert alert =
        world_alert_make(rig->w, &(world_options){.publisher = "pub", .lane = TCN_LANE_EMERGENCY});
    (void)brig_submit(rig, pub, &alert);
    assert_true(brig_approve(rig, app, "app", &alert).accepted);
    world_alert first = cancel_of(rig, "app", &alert);
    assert_int_equal(brig_submit(rig, app, &first).error, TCN_OK);
    world_member_revoke(rig->w, "app", TCN_MEMBER_COMPROMISED, world_now(rig->w));
    brig_trust(rig);
    tcn_peer other = brig_client(rig, "app-2");
    world_alert honest = cancel_of(rig, "app-2", &alert);
    assert_int_equal(brig_submit(rig, other, &honest).error, TCN_OK);
}

/* ---- burying what matters ---- */

static bool has_alarm(broker_rig *rig, const char *event)
{
    tcn_peer op = brig_client(rig, "op");
    brig_result result = brig_query(rig, op, TCN_QUERY_STATUS, tcn_bytes_of(NULL, 0));
    size_t len = strlen(event);
    assert_int_equal(result.error, TCN_OK);
    for (size_t i = 0; i + len <= result.items.len; i++)
        if (memcmp(result.items.ptr + i, event, len) == 0)
            return true;
    return false;
}

static void test_a_node_cannot_push_out_other_alarms(void **state)
{
    broker_rig *rig = *state;
    uint8_t row[64];
    tcn_bytes rows;
    tcn_wire_welcome welcome;
    tcn_peer pub = brig_client(rig, "pub");
    (void)brig_node(rig, &(brig_hello){.member = "node-b"}, &welcome);
    (void)brig_node(rig,
                    &(brig_hello){.member = "node-b",
                                  .epoch = welcome.epoch,
                                  .generation = welcome.generation,
                                  .cursor = {[TCN_LANE_BULK] = {.seq = 9, .tag = 1}}},
                    NULL);
    assert_true(has_alarm(rig, "restored-from-backup"));
    tcn_peer node = brig_node(rig, &(brig_hello){.member = "node-a"}, NULL);
    for (unsigned i = 1; i < 40; i++) {
        world_alert alert = world_alert_make(rig->w, &(world_options){.publisher = "pub"});
        (void)brig_submit(rig, pub, &alert);
        tcn_cbor_writer w;
        tcn_cbor_writer_init(&w, row, sizeof(row));
        tcn_cbor_put_array(&w, 2);
        tcn_cbor_put_id(&w, &alert.id);
        tcn_cbor_put_uint(&w, TCN_BAD_SIGNATURE);
        assert_int_equal(tcn_cbor_writer_done(&w, &rows), TCN_OK);
        tcn_wire wire = {.op = TCN_OP_REJECTED, .rejected = {.count = 1, .raw = rows}};
        brig_say(rig, node, &wire);
    }
    assert_true(has_alarm(rig, "rejected"));
    assert_true(has_alarm(rig, "restored-from-backup"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        RIG_TEST(test_a_submit_does_not_tell_who_may_not_publish_that_an_id_is_taken),
        RIG_TEST(test_another_publishers_id_is_taken),
        RIG_TEST(test_one_person_cancels_an_emergency_once),
        RIG_TEST(test_a_voided_cancel_can_be_made_good),
        RIG_TEST(test_a_node_cannot_push_out_other_alarms),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
