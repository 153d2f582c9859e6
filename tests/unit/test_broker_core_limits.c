/* SPDX-License-Identifier: Apache-2.0 */
/* Limits of the broker's core that members push against, each reached and then passed by one. */
#include "tests/support/broker_test.h"

#define DAY_MS (UINT64_C(24) * 3600 * 1000)

/* ---- sessions ---- */

/* In one turn, so that no member's own limit closes some of them meanwhile. */
static void test_a_broker_has_so_many_sessions(void **state)
{
    broker_rig *rig = *state;
    uint8_t frame[512];
    size_t len = 0;
    tcn_wire wire = {.op = TCN_OP_HELLO};
    wire.hello = (tcn_wire_hello){.versions = 1,
                                  .version = {TCN_PROTOCOL_VERSION},
                                  .trust_version = 1,
                                  .software = tcn_bytes_str("test")};
    assert_int_equal(tcn_wire_encode(&wire, frame, sizeof(frame), &len), TCN_OK);
    tcn_broker_input *input = calloc(TCN_MAX_SESSIONS + 1, sizeof(*input));
    assert_non_null(input);
    for (size_t i = 0; i <= TCN_MAX_SESSIONS; i++)
        input[i] = (tcn_broker_input){.kind = TCN_IN_FRAME,
                                      .peer = 1000 + i,
                                      .member = "pub",
                                      .frame = tcn_bytes_of(frame, len)};
    input[TCN_MAX_SESSIONS - 1].peer = brig_connect(rig, "pub", TCN_LANE_BULK);
    input[TCN_MAX_SESSIONS].peer = brig_connect(rig, "pub", TCN_LANE_BULK);
    assert_int_equal(tcn_broker_turn(rig->broker, input, TCN_MAX_SESSIONS + 1), TCN_OK);
    brig_expect(rig, input[TCN_MAX_SESSIONS - 1].peer, TCN_OP_WELCOME, &wire);
    brig_expect(rig, input[TCN_MAX_SESSIONS].peer, TCN_OP_ERROR, &wire);
    assert_int_equal(wire.error.error, TCN_FULL);
    free(input);
}

/* ---- held ---- */

static void test_a_held_alert_lapses_after_so_many_days(void **state)
{
    broker_rig *rig = *state;
    tcn_broker_stats stats;
    tcn_peer pub = brig_client(rig, "pub");
    world_alert alert = world_alert_make(
        rig->w, &(world_options){.publisher = "pub",
                                 .lane = TCN_LANE_EMERGENCY,
                                 .expires = {rig->ports.wall.unix_ms +
                                             2 * TCN_MAX_HELD_DAYS * (int64_t)DAY_MS}});
    assert_int_equal(brig_submit(rig, pub, &alert).error, TCN_OK);
    brig_pass(rig, TCN_MAX_HELD_DAYS * DAY_MS - 2000);
    tcn_broker_stats_get(rig->broker, &stats);
    assert_int_equal(stats.held, 1);
    brig_pass(rig, 4000);
    tcn_broker_stats_get(rig->broker, &stats);
    assert_int_equal(stats.held, 0);
}

/* ---- uploads ---- */

static void test_so_many_pieces_of_a_body_are_under_way(void **state)
{
    broker_rig *rig = *state;
    static uint8_t body[TCN_MAX_UPLOAD_WINDOW + 2];
    tcn_peer pub = brig_client(rig, "pub");
    world_alert alert = world_alert_make(rig->w, &(world_options){.publisher = "pub",
                                                                  .external = true,
                                                                  .body = (const char *)body,
                                                                  .body_bytes = sizeof(body)});
    assert_int_equal(brig_submit(rig, pub, &alert).error, TCN_OK);
    for (size_t at = 0; at <= TCN_MAX_UPLOAD_WINDOW; at++) {
        tcn_wire piece = {.op = TCN_OP_UPLOAD};
        piece.upload.req = at;
        piece.upload.id = alert.id;
        piece.upload.offset = at;
        piece.upload.bytes = tcn_bytes_of(alert.body.ptr + at, 1);
        brig_queue(rig, pub, &piece);
    }
    brig_turn(rig); /* the disk has done nothing yet */
    tcn_wire wire;
    brig_expect(rig, pub, TCN_OP_ANSWER, &wire);
    assert_int_equal(wire.answer.req, TCN_MAX_UPLOAD_WINDOW);
    assert_int_equal(wire.answer.error, TCN_BUSY);
    brig_blobs(rig);
    for (uint64_t at = 0; at < TCN_MAX_UPLOAD_WINDOW; at++) {
        brig_expect(rig, pub, TCN_OP_ANSWER, &wire);
        assert_true(wire.answer.req == at && wire.answer.error == TCN_OK);
    }
}

/* ---- frames ---- */

static void test_a_frame_of_alerts_is_bounded(void **state)
{
    broker_rig *rig = *state;
    static uint8_t body[TCN_MAX_INLINE_BODY_BYTES];
    tcn_wire wire;
    tcn_wire_welcome welcome;
    tcn_peer pub = brig_client(rig, "pub");
    for (size_t i = 0; i < 40; i++) {
        for (size_t k = 0; k < sizeof(body); k++)
            body[k] = (uint8_t)(k * 31 + i + k / 255);
        world_alert alert = world_alert_make(
            rig->w, &(world_options){.publisher = "pub",
                                     .body = (const char *)body,
                                     .body_bytes = i % 3 == 0 ? sizeof(body) : 400 * i});
        assert_int_equal(brig_submit(rig, pub, &alert).error, TCN_OK);
    }
    tcn_peer node = brig_node(rig, &(brig_hello){.member = "node-a"}, &welcome);
    size_t alerts = 0, frames = 0;
    while (brig_take(rig, node, TCN_OP_ALERTS, &wire)) {
        assert_true(wire.alerts.alerts.raw.len <= TCN_MAX_BATCH_BYTES);
        alerts += wire.alerts.alerts.count;
        frames++;
        brig_receipt(rig, node, TCN_LANE_BULK, wire.alerts.complete_to, &welcome.epoch);
    }
    assert_int_equal(alerts, 40);
    assert_true(frames > 40 * 20000 / TCN_MAX_BATCH_BYTES);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        RIG_TEST(test_a_broker_has_so_many_sessions),
        RIG_TEST(test_a_held_alert_lapses_after_so_many_days),
        RIG_TEST(test_so_many_pieces_of_a_body_are_under_way),
        RIG_TEST(test_a_frame_of_alerts_is_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
