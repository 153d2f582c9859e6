/* SPDX-License-Identifier: Apache-2.0 */
/* Held alerts: approvals, embargoes, bodies, limits, lapse. */
#include "tests/support/broker_test.h"

#define DAY_MS (UINT64_C(24) * 3600 * 1000)

static world_alert emergency(broker_rig *rig)
{
    return world_alert_make(rig->w,
                            &(world_options){.publisher = "pub", .lane = TCN_LANE_EMERGENCY});
}

static void test_an_emergency_waits_for_the_second_approver(void **state)
{
    broker_rig *rig = *state;
    brig_alerts got;
    tcn_peer pub = brig_client(rig, "pub"), app = brig_client(rig, "app");
    tcn_peer node = brig_node(rig, &(brig_hello){.member = "node-a"}, NULL);
    world_alert alert = emergency(rig);
    tcn_wire_answer answer = brig_submit(rig, pub, &alert);
    assert_int_equal(answer.error, TCN_OK);
    assert_false(answer.accepted || answer.has_seq);
    assert_int_equal(answer.missing, 1); /* pub approves, too */
    assert_false(brig_take_alerts(rig, node, TCN_LANE_EMERGENCY, &got));

    brig_restart(rig);
    pub = brig_client(rig, "pub");
    app = brig_client(rig, "app");
    node = brig_node(rig, &(brig_hello){.member = "node-a"}, NULL);
    answer = brig_submit(rig, pub, &alert);
    assert_int_equal(answer.missing, 1);
    answer = brig_approve(rig, app, "app", &alert);
    assert_int_equal(answer.error, TCN_OK);
    assert_true(answer.accepted && answer.seq == 1 && answer.missing == 0);
    assert_true(brig_take_alerts(rig, node, TCN_LANE_EMERGENCY, &got));
    assert_true(same_id(&got.id[0], &alert));
    answer = brig_approve(rig, app, "app", &alert); /* late, and again */
    assert_true(answer.error == TCN_OK && answer.accepted && answer.seq == 1);
    tcn_broker_stats stats;
    tcn_broker_stats_get(rig->broker, &stats);
    assert_int_equal(stats.held, 0);
}

static void test_who_may_approve(void **state)
{
    broker_rig *rig = *state;
    tcn_peer pub = brig_client(rig, "pub"), app = brig_client(rig, "app"),
             other = brig_client(rig, "pub-2");
    world_alert alert = emergency(rig), unknown = emergency(rig);
    (void)brig_submit(rig, pub, &alert);
    assert_int_equal(brig_approve(rig, other, "app", &alert).error, TCN_WRONG_ROLE);
    assert_int_equal(brig_approve(rig, app, "app-2", &alert).error, TCN_DENIED);
    assert_int_equal(brig_approve(rig, app, "app", &unknown).error, TCN_NOT_FOUND);
    world_alert changed = alert;
    changed.payload_hash.b[0] ^= 1;
    assert_int_equal(brig_approve(rig, app, "app", &changed).error, TCN_CONFLICT);
    tcn_wire_answer again = brig_approve(rig, pub, "pub", &alert); /* it signed already */
    assert_true(again.error == TCN_OK && !again.accepted && again.missing == 1);
}

static void test_an_embargo_ends_by_itself(void **state)
{
    broker_rig *rig = *state;
    brig_alerts got;
    tcn_peer pub = brig_client(rig, "pub");
    world_alert alert =
        world_alert_make(rig->w, &(world_options){.publisher = "pub",
                                                  .not_before = {rig->ports.wall.unix_ms + 5000}});
    tcn_wire_answer answer = brig_submit(rig, pub, &alert);
    assert_false(answer.accepted);
    assert_int_equal(answer.missing, 0);
    brig_restart(rig);
    tcn_peer node = brig_node(rig, &(brig_hello){.member = "node-a"}, NULL);
    brig_pass(rig, 4999);
    assert_false(brig_take_alerts(rig, node, TCN_LANE_BULK, &got));
    brig_pass(rig, 1);
    assert_true(brig_take_alerts(rig, node, TCN_LANE_BULK, &got));
}

static void test_an_embargo_beyond_the_limit_is_refused(void **state)
{
    broker_rig *rig = *state;
    tcn_peer pub = brig_client(rig, "pub");
    int64_t now = rig->ports.wall.unix_ms;
    world_alert alert =
        world_alert_make(rig->w, &(world_options){.publisher = "pub",
                                                  .not_before = {now + 31 * (int64_t)DAY_MS},
                                                  .expires = {now + 60 * (int64_t)DAY_MS}});
    assert_int_equal(brig_submit(rig, pub, &alert).error, TCN_INVALID);
}

static void test_a_held_alert_lapses(void **state)
{
    broker_rig *rig = *state;
    tcn_peer pub = brig_client(rig, "pub");
    world_alert alert = emergency(rig); /* expires in a day */
    (void)brig_submit(rig, pub, &alert);
    brig_pass(rig, DAY_MS + 1000);
    tcn_broker_stats stats;
    tcn_broker_stats_get(rig->broker, &stats);
    assert_int_equal(stats.held, 0);
    pub = brig_client(rig, "pub");
    tcn_wire_answer answer = brig_submit(rig, pub, &alert);
    assert_int_equal(answer.error, TCN_NOT_DELIVERABLE);
    assert_false(answer.has_seq);
}

static void test_a_held_alert_of_a_member_that_is_revoked_does_not_go_out(void **state)
{
    broker_rig *rig = *state;
    brig_alerts got;
    tcn_peer pub = brig_client(rig, "pub");
    world_alert alert =
        world_alert_make(rig->w, &(world_options){.publisher = "pub",
                                                  .not_before = {rig->ports.wall.unix_ms + 5000}});
    (void)brig_submit(rig, pub, &alert);
    brig_pass(rig, 1000);
    world_member_revoke(rig->w, "pub", TCN_MEMBER_COMPROMISED,
                        (tcn_wall){rig->ports.wall.unix_ms - 2000});
    brig_trust(rig);
    tcn_peer node = brig_node(rig, &(brig_hello){.member = "node-a"}, NULL);
    brig_pass(rig, 10000);
    assert_false(brig_take_alerts(rig, node, TCN_LANE_BULK, &got));
    tcn_broker_stats stats;
    tcn_broker_stats_get(rig->broker, &stats);
    assert_int_equal(stats.held, 0);
    assert_int_equal(stats.seq[TCN_LANE_BULK], 0);
}

static void test_held_alerts_of_a_publisher_are_limited(void **state)
{
    broker_rig *rig = *state;
    tcn_peer pub = brig_client(rig, "pub"), other = brig_client(rig, "pub-2");
    tcn_wall later = {rig->ports.wall.unix_ms + 5000};
    for (unsigned i = 0; i < TCN_MAX_HELD_PER_PUBLISHER; i++) {
        world_alert alert =
            world_alert_make(rig->w, &(world_options){.publisher = "pub", .not_before = later});
        brig_queue_submit(rig, pub, alert.envelope);
    }
    brig_turn(rig);
    brig_forget(rig);
    world_alert more =
        world_alert_make(rig->w, &(world_options){.publisher = "pub", .not_before = later});
    world_alert theirs =
        world_alert_make(rig->w, &(world_options){.publisher = "pub-2", .not_before = later});
    world_alert at_once = world_alert_make(rig->w, &(world_options){.publisher = "pub"});
    assert_int_equal(brig_submit(rig, pub, &more).error, TCN_FULL);
    assert_int_equal(brig_submit(rig, other, &theirs).error, TCN_OK);
    assert_int_equal(brig_submit(rig, pub, &at_once).error, TCN_OK);
    brig_pass(rig, 10000); /* more of them than one tick handles */
    tcn_broker_stats stats;
    tcn_broker_stats_get(rig->broker, &stats);
    assert_int_equal(stats.held, 0);
    assert_int_equal(stats.seq[TCN_LANE_BULK], TCN_MAX_HELD_PER_PUBLISHER + 2);
}

/* ---- bodies ---- */

enum { BODY_BYTES = 120000 };

static world_alert external(broker_rig *rig, uint8_t seed)
{
    static uint8_t body[BODY_BYTES];
    for (size_t i = 0; i < sizeof(body); i++)
        body[i] = (uint8_t)(i * 7 + i / 251 + seed);
    return world_alert_make(rig->w, &(world_options){.publisher = "pub",
                                                     .external = true,
                                                     .body = (const char *)body,
                                                     .body_bytes = sizeof(body)});
}

static void queue_upload(broker_rig *rig, tcn_peer peer, const world_alert *alert, uint64_t offset,
                         size_t len)
{
    tcn_wire wire = {.op = TCN_OP_UPLOAD};
    wire.upload.req = ++rig->req;
    wire.upload.id = alert->id;
    wire.upload.offset = offset;
    wire.upload.bytes = tcn_bytes_of(alert->body.ptr + offset, len);
    brig_queue(rig, peer, &wire);
}

static tcn_wire_answer next_answer(broker_rig *rig, tcn_peer peer)
{
    tcn_wire wire;
    brig_expect(rig, peer, TCN_OP_ANSWER, &wire);
    return wire.answer;
}

static void upload_rest(broker_rig *rig, tcn_peer peer, const world_alert *alert, size_t from)
{
    for (size_t at = from; at < alert->body.len; at += TCN_MAX_CHUNK_BYTES) {
        size_t left = alert->body.len - at;
        queue_upload(rig, peer, alert, at,
                     left < TCN_MAX_CHUNK_BYTES ? left : (size_t)TCN_MAX_CHUNK_BYTES);
    }
    brig_turn(rig);
    brig_blobs(rig);
}

static void test_a_body_is_uploaded_and_fetched(void **state)
{
    broker_rig *rig = *state;
    tcn_wire wire;
    brig_alerts got;
    tcn_peer pub = brig_client(rig, "pub");
    tcn_peer node = brig_node(rig, &(brig_hello){.member = "node-a"}, NULL);
    world_alert alert = external(rig, 1);
    tcn_wire_answer answer = brig_submit(rig, pub, &alert);
    assert_false(answer.accepted);
    assert_true(answer.has_offset && answer.offset == 0);
    upload_rest(rig, pub, &alert, 0);
    answer = next_answer(rig, pub);
    assert_true(answer.error == TCN_OK && !answer.accepted && answer.offset >= TCN_MAX_CHUNK_BYTES);
    (void)next_answer(rig, pub);
    answer = next_answer(rig, pub); /* the third piece: the whole */
    assert_int_equal(answer.error, TCN_OK);
    assert_int_equal(answer.req, rig->req);
    assert_true(answer.accepted && answer.seq == 1 && answer.offset == BODY_BYTES);
    assert_true(brig_take_alerts(rig, node, TCN_LANE_BULK, &got));

    wire = (tcn_wire){.op = TCN_OP_FETCH};
    wire.fetch.id = alert.id;
    wire.fetch.offset = 2 * TCN_MAX_CHUNK_BYTES;
    brig_say(rig, node, &wire);
    brig_expect(rig, node, TCN_OP_BODY, &wire);
    assert_int_equal(wire.body.total, BODY_BYTES);
    assert_int_equal(wire.body.bytes.len, BODY_BYTES - 2 * TCN_MAX_CHUNK_BYTES);
    assert_memory_equal(wire.body.bytes.ptr, alert.body.ptr + 2 * TCN_MAX_CHUNK_BYTES,
                        wire.body.bytes.len);
}

static tcn_err fetch_error(broker_rig *rig, tcn_peer peer, const tcn_id *id)
{
    tcn_wire wire = {.op = TCN_OP_FETCH};
    wire.fetch.id = *id;
    brig_say(rig, peer, &wire);
    brig_expect(rig, peer, TCN_OP_BODY_GONE, &wire);
    return wire.body_gone.error;
}

static void test_unknown_and_not_entitled_are_one_answer(void **state)
{
    broker_rig *rig = *state;
    tcn_peer pub = brig_client(rig, "pub"), other = brig_client(rig, "app");
    tcn_peer node =
        brig_node(rig, &(brig_hello){.member = "node-a", .subscribe = {"weather.>"}}, NULL);
    world_alert alert = external(rig, 1), unknown = external(rig, 2);
    (void)brig_submit(rig, pub, &alert);
    upload_rest(rig, pub, &alert, 0);
    assert_int_equal(fetch_error(rig, node, &alert.id), TCN_NOT_FOUND);
    assert_int_equal(fetch_error(rig, node, &unknown.id), TCN_NOT_FOUND);
    assert_int_equal(fetch_error(rig, other, &alert.id), TCN_NOT_FOUND);
}

static void test_an_upload_goes_on_after_a_crash(void **state)
{
    broker_rig *rig = *state;
    tcn_peer pub = brig_client(rig, "pub");
    world_alert alert = external(rig, 1);
    (void)brig_submit(rig, pub, &alert);
    queue_upload(rig, pub, &alert, 0, TCN_MAX_CHUNK_BYTES);
    brig_turn(rig);
    brig_blobs(rig);
    mem_blob_sync(rig->ports.blob);
    brig_restart(rig);
    pub = brig_client(rig, "pub");
    tcn_wire_answer answer = brig_submit(rig, pub, &alert);
    assert_true(answer.has_offset && answer.offset == TCN_MAX_CHUNK_BYTES);
    upload_rest(rig, pub, &alert, TCN_MAX_CHUNK_BYTES);
    (void)next_answer(rig, pub);
    assert_true(next_answer(rig, pub).accepted);
}

static void test_a_body_that_was_whole_at_the_crash_is_checked_at_start(void **state)
{
    broker_rig *rig = *state;
    brig_alerts got;
    tcn_peer pub = brig_client(rig, "pub");
    world_alert alert = external(rig, 1);
    (void)brig_submit(rig, pub, &alert);
    for (size_t at = 0; at < 2 * TCN_MAX_CHUNK_BYTES; at += TCN_MAX_CHUNK_BYTES)
        queue_upload(rig, pub, &alert, at, TCN_MAX_CHUNK_BYTES);
    queue_upload(rig, pub, &alert, 2 * TCN_MAX_CHUNK_BYTES, BODY_BYTES - 2 * TCN_MAX_CHUNK_BYTES);
    brig_turn(rig);
    tcn_blob_done done; /* three pieces are written; the check is not done any more */
    for (unsigned i = 0; i < 3; i++)
        assert_true(mem_blob_take(rig->ports.blob, &done));
    mem_blob_sync(rig->ports.blob);
    brig_restart(rig);
    brig_blobs(rig);
    tcn_peer node = brig_node(rig, &(brig_hello){.member = "node-a"}, NULL);
    assert_true(brig_take_alerts(rig, node, TCN_LANE_BULK, &got));
}

static void test_a_body_with_another_hash_drops_the_alert(void **state)
{
    broker_rig *rig = *state;
    tcn_peer pub = brig_client(rig, "pub");
    world_alert alert = external(rig, 1), good = alert;
    (void)brig_submit(rig, pub, &alert);
    world_alert wrong = external(rig, 9);
    alert.body = wrong.body;
    upload_rest(rig, pub, &alert, 0);
    (void)next_answer(rig, pub);
    (void)next_answer(rig, pub);
    assert_int_equal(next_answer(rig, pub).error, TCN_HASH_MISMATCH);
    tcn_broker_stats stats;
    tcn_broker_stats_get(rig->broker, &stats);
    assert_int_equal(stats.held, 0);
    assert_int_equal(brig_submit(rig, pub, &good).error, TCN_OK); /* the id is free again */
    upload_rest(rig, pub, &good, 0);
    tcn_broker_stats_get(rig->broker, &stats);
    assert_int_equal(stats.seq[TCN_LANE_BULK], 1);
}

static void test_pieces_that_do_not_fit(void **state)
{
    broker_rig *rig = *state;
    tcn_peer pub = brig_client(rig, "pub"), other = brig_client(rig, "pub-2");
    world_alert alert = external(rig, 1);
    (void)brig_submit(rig, pub, &alert);
    queue_upload(rig, pub, &alert, 1000, 1000);
    brig_turn(rig);
    tcn_wire_answer answer = next_answer(rig, pub);
    assert_int_equal(answer.error, TCN_CONFLICT);
    assert_true(answer.has_offset && answer.offset == 0);
    queue_upload(rig, other, &alert, 0, 1000);
    brig_turn(rig);
    assert_int_equal(next_answer(rig, other).error, TCN_NOT_FOUND);
    tcn_wire beyond = {.op = TCN_OP_UPLOAD};
    beyond.upload.id = alert.id;
    beyond.upload.offset = BODY_BYTES - 10;
    beyond.upload.bytes = tcn_bytes_of(alert.body.ptr, 11);
    brig_say(rig, pub, &beyond);
    assert_int_equal(next_answer(rig, pub).error, TCN_TOO_LARGE);
    mem_blob_set_queue(rig->ports.blob, 100);
    queue_upload(rig, pub, &alert, 0, 1000);
    brig_turn(rig);
    assert_int_equal(next_answer(rig, pub).error, TCN_BUSY);
    mem_blob_set_capacity(rig->ports.blob, 0);
    queue_upload(rig, pub, &alert, 0, 1000);
    brig_turn(rig);
    assert_int_equal(next_answer(rig, pub).error, TCN_FULL);
}

static void test_a_disk_that_fails_in_an_upload_is_told(void **state)
{
    broker_rig *rig = *state;
    tcn_peer pub = brig_client(rig, "pub");
    world_alert alert = external(rig, 1);
    (void)brig_submit(rig, pub, &alert);
    mem_blob_fail_append(rig->ports.blob, 1, TCN_FULL);
    queue_upload(rig, pub, &alert, 0, 1000);
    queue_upload(rig, pub, &alert, 1000, 1000);
    brig_turn(rig);
    brig_blobs(rig);
    assert_int_equal(next_answer(rig, pub).error, TCN_FULL);
    assert_int_equal(next_answer(rig, pub).error, TCN_FULL);
    upload_rest(rig, pub, &alert, 0);
    tcn_broker_stats stats;
    tcn_broker_stats_get(rig->broker, &stats);
    assert_int_equal(stats.seq[TCN_LANE_BULK], 1);
}

static void test_open_uploads_are_limited(void **state)
{
    broker_rig *rig = *state;
    tcn_peer pub = brig_client(rig, "pub");
    for (uint8_t i = 0; i < TCN_MAX_OPEN_UPLOADS; i++) {
        world_alert alert = external(rig, i);
        assert_int_equal(brig_submit(rig, pub, &alert).error, TCN_OK);
    }
    world_alert more = external(rig, 99);
    assert_int_equal(brig_submit(rig, pub, &more).error, TCN_BUSY);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        RIG_TEST(test_an_emergency_waits_for_the_second_approver),
        RIG_TEST(test_who_may_approve),
        RIG_TEST(test_an_embargo_ends_by_itself),
        RIG_TEST(test_an_embargo_beyond_the_limit_is_refused),
        RIG_TEST(test_a_held_alert_lapses),
        RIG_TEST(test_a_held_alert_of_a_member_that_is_revoked_does_not_go_out),
        RIG_TEST(test_held_alerts_of_a_publisher_are_limited),
        RIG_TEST(test_a_body_is_uploaded_and_fetched),
        RIG_TEST(test_unknown_and_not_entitled_are_one_answer),
        RIG_TEST(test_an_upload_goes_on_after_a_crash),
        RIG_TEST(test_a_body_that_was_whole_at_the_crash_is_checked_at_start),
        RIG_TEST(test_a_body_with_another_hash_drops_the_alert),
        RIG_TEST(test_pieces_that_do_not_fit),
        RIG_TEST(test_a_disk_that_fails_in_an_upload_is_told),
        RIG_TEST(test_open_uploads_are_limited),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
