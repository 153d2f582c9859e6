/* SPDX-License-Identifier: Apache-2.0 */
/* From ALERTS to the inbox: verified, once, with a cursor that never says more than the disk. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "tests/support/agent_rig.h"

static int setup(void **state)
{
    static agent_rig rig;
    rig_init(&rig, 1);
    rig_start(&rig);
    *state = &rig;
    return 0;
}

static int teardown(void **state)
{
    rig_fini(*state);
    return 0;
}

static world_alert simple(agent_rig *rig, const char *title)
{
    return world_alert_make(rig->w, &(world_options){.publisher = "pub", .title = title});
}

static world_alert emergency(agent_rig *rig)
{
    return world_alert_make(
        rig->w,
        &(world_options){.publisher = "pub", .lane = TCN_LANE_EMERGENCY, .approvers = {"app-a"}});
}

static void test_an_alert_is_stored_then_receipted(void **state)
{
    agent_rig *rig = *state;
    tcn_wire wire;
    rig_serve(rig);
    world_alert alert = simple(rig, "A flaw");
    rig_alert(rig, 5, &alert, TCN_LANE_BULK);
    rig_expect(rig, RIG_SESSION, TCN_OP_RECEIPT, &wire);
    assert_int_equal(wire.receipt.lane, TCN_LANE_BULK);
    assert_int_equal(wire.receipt.at.seq, 5);
    assert_int_equal(wire.receipt.at.tag, 36);
    assert_true(tcn_id_equal(&wire.receipt.epoch, &rig->epoch));

    tcn_local_reply reply = rig_inbox(rig, false);
    assert_int_equal(reply.items, 1);
    assert_true(tcn_bytes_equal(rig_value(&reply, 0, 8), tcn_bytes_str("A flaw")));
    assert_true(tcn_bytes_equal(rig_value(&reply, 0, 9), tcn_bytes_str("pub")));
    assert_true(tcn_bytes_equal(rig_value(&reply, 0, 23), tcn_bytes_str("broker")));
    assert_int_equal(rig_number(&reply, 0, 3), 5);
    assert_int_equal(rig_number(&reply, 0, 12), 0);
    assert_int_equal(rig_number(&reply, 0, 15), 0);
    reply = rig_show(rig, &alert.id);
    assert_true(tcn_bytes_equal(rig_value(&reply, 0, 16), alert.envelope));
}

static void test_an_emergency_goes_by_its_own_link(void **state)
{
    agent_rig *rig = *state;
    tcn_wire wire;
    rig_serve(rig);
    world_alert alert = emergency(rig);
    rig_alert(rig, 9, &alert, TCN_LANE_EMERGENCY);
    rig_expect(rig, RIG_EMERGENCY, TCN_OP_RECEIPT, &wire);
    assert_int_equal(wire.receipt.lane, TCN_LANE_EMERGENCY);
    assert_int_equal(wire.receipt.at.seq, 9);
    assert_int_equal(rig_inbox(rig, false).items, 1);
}

static void test_the_cursor_survives_a_restart_and_nothing_is_twice(void **state)
{
    agent_rig *rig = *state;
    tcn_wire hello;
    rig_serve(rig);
    world_alert first = simple(rig, "one"), second = simple(rig, "two");
    rig_alert(rig, 5, &first, TCN_LANE_BULK);
    rig_restart(rig);
    rig_up(rig, RIG_SESSION);
    rig_expect(rig, RIG_SESSION, TCN_OP_HELLO, &hello);
    assert_true(hello.hello.has_cursor[TCN_LANE_BULK]);
    assert_false(hello.hello.has_cursor[TCN_LANE_EMERGENCY]);
    assert_int_equal(hello.hello.cursor[TCN_LANE_BULK].seq, 5);
    assert_int_equal(hello.hello.cursor[TCN_LANE_BULK].tag, 36);
    assert_true(tcn_id_equal(&hello.hello.epoch, &rig->epoch));
    assert_int_equal(hello.hello.generation, 1);
    rig_welcome(rig, RIG_SESSION);
    tcn_bytes both[] = {first.envelope, second.envelope};
    rig_alerts(rig, &(rig_batch){.seq = 6, .count = 2, .envelopes = both});
    tcn_local_reply reply = rig_inbox(rig, true);
    assert_int_equal(reply.items, 2);
    assert_true(tcn_bytes_equal(rig_value(&reply, 1, 8), tcn_bytes_str("two")));
}

static void test_the_instance_is_kept(void **state)
{
    agent_rig *rig = *state;
    tcn_wire hello;
    rig_up(rig, RIG_SESSION);
    rig_expect(rig, RIG_SESSION, TCN_OP_HELLO, &hello);
    tcn_id instance = hello.hello.instance;
    rig_restart(rig);
    rig_up(rig, RIG_SESSION);
    rig_expect(rig, RIG_SESSION, TCN_OP_HELLO, &hello);
    assert_true(tcn_id_equal(&instance, &hello.hello.instance));
    assert_false(tcn_id_is_zero(&instance));
}

/* The first id of a REJECTED frame and its error. */
static tcn_id rejected_id(const tcn_wire *wire, tcn_err *ret_err)
{
    tcn_cbor_reader r;
    tcn_cbor_reader_init(&r, wire->rejected.raw);
    (void)tcn_cbor_get_array(&r, 2);
    tcn_id id = tcn_cbor_get_id(&r);
    *ret_err = tcn_err_from_wire(tcn_cbor_get_uint(&r));
    return id;
}

static void confirm(agent_rig *rig, tcn_op op, const tcn_id *id)
{
    uint8_t raw[32];
    tcn_cbor_writer w;
    tcn_bytes written;
    tcn_cbor_writer_init(&w, raw, sizeof raw);
    tcn_cbor_put_id(&w, id);
    assert_int_equal(tcn_cbor_writer_done(&w, &written), TCN_OK);
    rig_frame(rig, RIG_SESSION, &(tcn_wire){.op = op, .ids = {.count = 1, .raw = written}});
}

static void test_an_id_with_other_content_is_a_conflict(void **state)
{
    agent_rig *rig = *state;
    tcn_wire wire;
    tcn_err err;
    rig_serve(rig);
    world_alert first = simple(rig, "one");
    world_alert other = world_alert_make(
        rig->w, &(world_options){.publisher = "pub", .title = "another", .id = first.id});
    rig_alert(rig, 1, &first, TCN_LANE_BULK);
    rig_forget(rig);
    rig_alert(rig, 2, &other, TCN_LANE_BULK);
    rig_expect(rig, RIG_SESSION, TCN_OP_RECEIPT, &wire);
    assert_int_equal(wire.receipt.at.seq, 2); /* it is decided: the cursor goes on */
    rig_expect(rig, RIG_SESSION, TCN_OP_REJECTED, &wire);
    tcn_id id = rejected_id(&wire, &err);
    assert_true(tcn_id_equal(&id, &first.id));
    assert_int_equal(err, TCN_CONFLICT);
    tcn_local_reply reply = rig_show(rig, &first.id);
    assert_true(tcn_bytes_equal(rig_value(&reply, 0, 8), tcn_bytes_str("one")));
}

static void test_a_false_alert_is_reported_until_the_broker_knows(void **state)
{
    agent_rig *rig = *state;
    tcn_wire wire;
    tcn_err err;
    rig_serve(rig);
    /* One signature where the program wants two. */
    world_alert alert =
        world_alert_make(rig->w, &(world_options){.publisher = "pub", .lane = TCN_LANE_EMERGENCY});
    rig_alert(rig, 3, &alert, TCN_LANE_EMERGENCY);
    assert_int_equal(rig_inbox(rig, true).items, 0);
    rig_expect(rig, RIG_SESSION, TCN_OP_REJECTED, &wire);
    tcn_id id = rejected_id(&wire, &err);
    assert_true(tcn_id_equal(&id, &alert.id));
    assert_int_equal(err, TCN_NOT_DELIVERABLE);
    rig_restart(rig);
    rig_serve(rig);
    rig_expect(rig, RIG_SESSION, TCN_OP_REJECTED, &wire);
    rig_forget(rig);
    rig_pass(rig, TCN_MAX_METRICS_MS + 1);
    rig_expect(rig, RIG_SESSION, TCN_OP_REJECTED, &wire);
    confirm(rig, TCN_OP_REJECTED_OK, &alert.id);
    rig_forget(rig);
    rig_frame(rig, RIG_SESSION, &(tcn_wire){.op = TCN_OP_PONG});
    rig_pass(rig, TCN_MAX_METRICS_MS + 1);
    assert_false(rig_take(rig, RIG_SESSION, TCN_OP_REJECTED, &wire));
    tcn_local_reply reply = rig_status(rig);
    assert_int_equal(rig_number(&reply, 0, 11), 1);
}

static void test_a_broken_envelope_stops_nothing(void **state)
{
    agent_rig *rig = *state;
    tcn_wire wire;
    rig_serve(rig);
    world_alert good = simple(rig, "good"), bad = simple(rig, "bad");
    uint8_t changed[4096];
    assert_true(bad.envelope.len <= sizeof changed);
    memcpy(changed, bad.envelope.ptr, bad.envelope.len);
    changed[bad.envelope.len - 1] ^= 1;
    tcn_bytes both[] = {tcn_bytes_of(changed, bad.envelope.len), good.envelope};
    rig_alerts(rig, &(rig_batch){.seq = 4, .count = 2, .envelopes = both});
    rig_expect(rig, RIG_SESSION, TCN_OP_RECEIPT, &wire);
    tcn_local_reply reply = rig_inbox(rig, true);
    assert_int_equal(reply.items, 1);
    assert_true(tcn_bytes_equal(rig_value(&reply, 0, 8), tcn_bytes_str("good")));
}

/* ---- updates and cancels ---- */

static world_alert cancel_of(agent_rig *rig, const tcn_id *target, const char *publisher,
                             tcn_reason reason)
{
    return world_alert_make(rig->w, &(world_options){.publisher = publisher,
                                                     .kind = TCN_KIND_CANCEL,
                                                     .reason = reason,
                                                     .references = {target}});
}

static void test_a_cancel_and_an_update_take_the_alert_out_of_force(void **state)
{
    agent_rig *rig = *state;
    rig_serve(rig);
    world_alert one = simple(rig, "one"), two = simple(rig, "two");
    world_alert cancel = cancel_of(rig, &one.id, "pub", TCN_REASON_ALL_CLEAR);
    world_alert update = world_alert_make(
        rig->w,
        &(world_options){.publisher = "pub", .kind = TCN_KIND_UPDATE, .references = {&two.id}});
    rig_alert(rig, 1, &one, TCN_LANE_BULK);
    rig_alert(rig, 2, &two, TCN_LANE_BULK);
    tcn_local_reply reply = rig_status(rig);
    assert_int_equal(rig_number(&reply, 0, 7), 2);
    rig_alert(rig, 3, &cancel, TCN_LANE_BULK);
    rig_alert(rig, 4, &update, TCN_LANE_BULK);
    reply = rig_show(rig, &one.id);
    assert_int_equal(rig_number(&reply, 0, 12), 1);
    assert_int_equal(rig_number(&reply, 0, 15), TCN_MARK_ALL_CLEAR);
    reply = rig_show(rig, &two.id);
    assert_int_equal(rig_number(&reply, 0, 12), 2);
    reply = rig_inbox(rig, false);
    assert_int_equal(reply.items, 1);
    assert_int_equal(rig_number(&reply, 0, 13), TCN_KIND_UPDATE);
    assert_int_equal(rig_inbox(rig, true).items, 4);
    reply = rig_status(rig);
    assert_int_equal(rig_number(&reply, 0, 7), 1);
    assert_int_equal(rig_number(&reply, 0, 6), 4);
}

static void test_a_cancel_that_comes_first_waits_for_its_target(void **state)
{
    agent_rig *rig = *state;
    rig_serve(rig);
    world_alert target = simple(rig, "target");
    world_alert other = simple(rig, "other");
    /* Who may neither publish it nor approve says nothing about it. */
    world_alert foreign = cancel_of(rig, &other.id, "pub-two", TCN_REASON_RETRACT);
    rig_alert(rig, 1, &foreign, TCN_LANE_BULK);
    world_alert by_approver =
        world_alert_make(rig->w, &(world_options){.publisher = "app-a",
                                                  .author_role = TCN_ROLE_APPROVER,
                                                  .kind = TCN_KIND_CANCEL,
                                                  .references = {&target.id}});
    rig_alert(rig, 2, &by_approver, TCN_LANE_BULK);
    rig_restart(rig);
    rig_serve(rig);
    rig_alert(rig, 3, &target, TCN_LANE_BULK);
    rig_alert(rig, 4, &other, TCN_LANE_BULK);
    tcn_local_reply reply = rig_show(rig, &target.id);
    assert_int_equal(rig_number(&reply, 0, 12), 1);
    reply = rig_show(rig, &other.id);
    assert_int_equal(rig_number(&reply, 0, 12), 0);
}

static void test_a_cancel_by_somebody_else_is_rejected(void **state)
{
    agent_rig *rig = *state;
    tcn_wire wire;
    tcn_err err;
    rig_serve(rig);
    world_alert target = simple(rig, "target");
    world_alert cancel = cancel_of(rig, &target.id, "pub-two", TCN_REASON_RETRACT);
    rig_alert(rig, 1, &target, TCN_LANE_BULK);
    rig_alert(rig, 2, &cancel, TCN_LANE_BULK);
    rig_expect(rig, RIG_SESSION, TCN_OP_REJECTED, &wire);
    tcn_id id = rejected_id(&wire, &err);
    assert_true(tcn_id_equal(&id, &cancel.id));
    assert_int_equal(err, TCN_DENIED);
    tcn_local_reply reply = rig_show(rig, &target.id);
    assert_int_equal(rig_number(&reply, 0, 12), 0);
    assert_int_equal(rig_inbox(rig, true).items, 1);
}

/* ---- cursors ---- */

static void test_a_new_generation_begins_from_nothing(void **state)
{
    agent_rig *rig = *state;
    tcn_wire wire;
    rig_serve(rig);
    world_alert alert = simple(rig, "one"), late = emergency(rig);
    rig_alert(rig, 5, &alert, TCN_LANE_BULK);
    rig_forget(rig);
    rig_frame(rig, RIG_SESSION, &(tcn_wire){.op = TCN_OP_GENERATION, .generation = 2});
    /* What is still on its way on the other link was sent before it, and says nothing of now. */
    rig_alert(rig, 8, &late, TCN_LANE_EMERGENCY);
    assert_false(rig_take(rig, RIG_EMERGENCY, TCN_OP_RECEIPT, &wire));
    assert_int_equal(rig_inbox(rig, true).items, 2);
    rig_restart(rig);
    rig_up(rig, RIG_SESSION);
    rig_expect(rig, RIG_SESSION, TCN_OP_HELLO, &wire);
    assert_int_equal(wire.hello.generation, 2);
    assert_false(wire.hello.has_cursor[TCN_LANE_BULK]);
    assert_false(wire.hello.has_cursor[TCN_LANE_EMERGENCY]);
}

static void test_a_link_that_is_not_told_of_the_generation_asks(void **state)
{
    agent_rig *rig = *state;
    tcn_wire wire;
    rig_serve(rig);
    rig_forget(rig);
    rig_frame(rig, RIG_SESSION, &(tcn_wire){.op = TCN_OP_GENERATION, .generation = 2});
    rig->generation = 2;
    rig_pass(rig, 3000);
    rig_expect(rig, RIG_EMERGENCY, TCN_OP_HELLO, &wire);
    rig_welcome(rig, RIG_EMERGENCY);
    world_alert alert = emergency(rig);
    rig_alert(rig, 8, &alert, TCN_LANE_EMERGENCY);
    rig_expect(rig, RIG_EMERGENCY, TCN_OP_RECEIPT, &wire);
    assert_int_equal(wire.receipt.at.seq, 8);
}

static void test_a_new_epoch_resets_the_cursors(void **state)
{
    agent_rig *rig = *state;
    tcn_wire wire;
    rig_serve(rig);
    world_alert alert = simple(rig, "one");
    rig_alert(rig, 5, &alert, TCN_LANE_BULK);
    rig_down(rig, RIG_SESSION);
    rig->epoch.b[0] = 2;
    rig_open(rig, RIG_SESSION);
    rig_forget(rig);
    rig_alert(rig, 2, &alert, TCN_LANE_BULK);
    rig_expect(rig, RIG_SESSION, TCN_OP_RECEIPT, &wire);
    assert_int_equal(wire.receipt.at.seq, 2);
    assert_true(tcn_id_equal(&wire.receipt.epoch, &rig->epoch));
    assert_int_equal(rig_inbox(rig, true).items, 1);
}

static void test_a_second_broker_has_a_cursor_of_its_own(void **state)
{
    agent_rig *rig = *state;
    tcn_wire wire;
    world_member_set(rig->w, &(world_member){.name = "broker-two", .roles = TCN_ROLE_BROKER});
    world_sign(rig->w);
    rig_serve(rig);
    rig_trust(rig, RIG_SESSION);
    assert_int_equal(tcn_agent_bundle(rig->agent)->brokers, 2);
    tcn_peer other = tcn_agent_link_peer(1, TCN_LANE_BULK);
    rig_open(rig, other);
    world_alert alert = simple(rig, "one");
    rig_alert(rig, 5, &alert, TCN_LANE_BULK);
    rig_forget(rig);
    rig_alerts(rig,
               &(rig_batch){.link = other, .seq = 70, .count = 1, .envelopes = &alert.envelope});
    rig_expect(rig, other, TCN_OP_RECEIPT, &wire);
    assert_int_equal(wire.receipt.at.seq, 70);
    assert_int_equal(rig_inbox(rig, true).items, 1);
    rig_restart(rig);
    rig_up(rig, other);
    rig_expect(rig, other, TCN_OP_HELLO, &wire);
    assert_int_equal(wire.hello.cursor[TCN_LANE_BULK].seq, 70);
    rig_up(rig, RIG_SESSION);
    rig_expect(rig, RIG_SESSION, TCN_OP_HELLO, &wire);
    assert_int_equal(wire.hello.cursor[TCN_LANE_BULK].seq, 5);
}

/* ---- retention ---- */

static void test_an_alert_leaves_some_time_after_it_expired(void **state)
{
    agent_rig *rig = *state;
    tcn_wall expires = {rig->ports.wall.unix_ms + 3600000};
    world_alert alert =
        world_alert_make(rig->w, &(world_options){.publisher = "pub", .expires = expires});
    rig_serve(rig);
    rig_alert(rig, 1, &alert, TCN_LANE_BULK);
    assert_int_equal(rig_inbox(rig, false).items, 1);
    mem_ports_pass(&rig->ports, 3600001);
    rig_serve(rig);
    rig_pass(rig, 1);
    assert_int_equal(rig_inbox(rig, false).items, 0);
    tcn_local_reply reply = rig_show(rig, &alert.id);
    assert_int_equal(rig_number(&reply, 0, 12), 3);
    reply = rig_status(rig);
    assert_int_equal(rig_number(&reply, 0, 7), 0);
    mem_ports_pass(&rig->ports, WORLD_DAY_MS);
    rig_serve(rig);
    rig_pass(rig, 1);
    reply = rig_show(rig, &alert.id);
    assert_int_equal(reply.error, TCN_NOT_FOUND);
    reply = rig_status(rig);
    assert_int_equal(rig_number(&reply, 0, 6), 0);
    /* Its tombstone keeps it from coming back. */
    rig_alert(rig, 2, &alert, TCN_LANE_BULK);
    assert_int_equal(rig_inbox(rig, true).items, 0);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(test_an_alert_is_stored_then_receipted),
        T(test_an_emergency_goes_by_its_own_link),
        T(test_the_cursor_survives_a_restart_and_nothing_is_twice),
        T(test_the_instance_is_kept),
        T(test_an_id_with_other_content_is_a_conflict),
        T(test_a_false_alert_is_reported_until_the_broker_knows),
        T(test_a_broken_envelope_stops_nothing),
        T(test_a_cancel_and_an_update_take_the_alert_out_of_force),
        T(test_a_cancel_that_comes_first_waits_for_its_target),
        T(test_a_cancel_by_somebody_else_is_rejected),
        T(test_a_new_generation_begins_from_nothing),
        T(test_a_link_that_is_not_told_of_the_generation_asks),
        T(test_a_new_epoch_resets_the_cursors),
        T(test_a_second_broker_has_a_cursor_of_its_own),
        T(test_an_alert_leaves_some_time_after_it_expired),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
