/* SPDX-License-Identifier: Apache-2.0 */
/* A store that is full or fails: nothing is said that is not on disk, and it recovers. */
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
    rig_init(&rig, 6);
    rig_start(&rig);
    rig_serve(&rig);
    *state = &rig;
    return 0;
}

static int teardown(void **state)
{
    rig_fini(*state);
    return 0;
}

static world_alert simple(agent_rig *rig)
{
    return world_alert_make(rig->w, &(world_options){.publisher = "pub"});
}

static world_alert emergency(agent_rig *rig)
{
    return world_alert_make(
        rig->w,
        &(world_options){.publisher = "pub", .lane = TCN_LANE_EMERGENCY, .approvers = {"app-a"}});
}

static void test_a_full_store_takes_nothing_and_recovers(void **state)
{
    agent_rig *rig = *state;
    tcn_wire wire;
    tcn_peer link;
    world_alert first = simple(rig), second = simple(rig), third = simple(rig);
    rig_alert(rig, 1, &first, TCN_LANE_BULK);
    rig_forget(rig);
    mem_store_fail_write(rig->ports.store, 3, TCN_FULL);
    rig_alert(rig, 2, &second, TCN_LANE_BULK);
    assert_false(rig_take(rig, RIG_SESSION, TCN_OP_RECEIPT, &wire));
    assert_int_equal(rig_inbox(rig, true).items, 1);
    /* There is room again, but what was refused is missing: this one moves no cursor. */
    rig_alert(rig, 3, &third, TCN_LANE_BULK);
    assert_false(rig_take(rig, RIG_SESSION, TCN_OP_RECEIPT, &wire));
    tcn_local_reply reply = rig_status(rig);
    tcn_bytes brokers = rig_value(&reply, 0, 5);
    bool says = false;
    for (size_t i = 0; i + 17 <= brokers.len; i++)
        says = says || memcmp(brokers.ptr + i, "the store is full", 17) == 0;
    assert_true(says);
    assert_false(rig_reconnect(rig, &link));
    rig_pass(rig, 10000);
    assert_true(rig_reconnect(rig, &link));
    assert_int_equal(link, RIG_SESSION);
    rig_down(rig, RIG_SESSION);
    rig_up(rig, RIG_SESSION);
    rig_expect(rig, RIG_SESSION, TCN_OP_HELLO, &wire);
    assert_int_equal(wire.hello.cursor[TCN_LANE_BULK].seq, 1);
    rig_welcome(rig, RIG_SESSION);
    rig_alert(rig, 2, &second, TCN_LANE_BULK);
    rig_alert(rig, 3, &third, TCN_LANE_BULK);
    rig_expect(rig, RIG_SESSION, TCN_OP_RECEIPT, &wire);
    rig_expect(rig, RIG_SESSION, TCN_OP_RECEIPT, &wire);
    assert_int_equal(wire.receipt.at.seq, 3);
    assert_int_equal(rig_inbox(rig, true).items, 3);
}

static void test_emergencies_have_a_reserve(void **state)
{
    agent_rig *rig = *state;
    tcn_wire wire;
    mem_store_set_capacity(rig->ports.store, 60000);
    uint64_t seq = 0;
    for (bool is_taken = true; is_taken && seq < 200;) {
        world_alert alert = simple(rig);
        rig_forget(rig);
        rig_alert(rig, ++seq, &alert, TCN_LANE_BULK);
        is_taken = rig_take(rig, RIG_SESSION, TCN_OP_RECEIPT, &wire);
    }
    assert_true(seq > 5 && seq < 200);
    world_alert urgent = emergency(rig);
    rig_alert(rig, 1, &urgent, TCN_LANE_EMERGENCY);
    rig_expect(rig, RIG_EMERGENCY, TCN_OP_RECEIPT, &wire);
    tcn_local_reply reply = rig_show(rig, &urgent.id);
    assert_int_equal(reply.error, TCN_OK);
}

/* A turn of both lanes in one transaction that fails: each is tried alone, emergency first. */
static void test_one_that_cannot_be_stored_stops_no_other(void **state)
{
    agent_rig *rig = *state;
    tcn_wire wire;
    world_alert bulk = simple(rig), urgent = emergency(rig);
    uint8_t frame[2][8192], raw[2][8192];
    tcn_agent_input inputs[2];
    const world_alert *alerts[2] = {&bulk, &urgent};
    for (unsigned i = 0; i < 2; i++) {
        tcn_cbor_writer w;
        tcn_bytes written;
        size_t len;
        tcn_cbor_writer_init(&w, raw[i], sizeof raw[i]);
        tcn_wire_put_alert(&w, 1, alerts[i]->envelope);
        assert_int_equal(tcn_cbor_writer_done(&w, &written), TCN_OK);
        tcn_wire alert = {.op = TCN_OP_ALERTS,
                          .alerts = {.lane = (tcn_lane)i,
                                     .need = 1,
                                     .complete_to = {.seq = 1, .tag = 2},
                                     .alerts = {.count = 1, .raw = written}}};
        assert_int_equal(tcn_wire_encode(&alert, frame[i], sizeof frame[i], &len), TCN_OK);
        inputs[i] = (tcn_agent_input){
            .kind = TCN_AGENT_FRAME, .peer = i, .frame = tcn_bytes_of(frame[i], len)};
    }
    rig_forget(rig);
    mem_store_fail_commit(rig->ports.store, 1, TCN_FULL, false);
    assert_int_equal(tcn_agent_turn(rig->agent, inputs, 2), TCN_OK);
    rig_expect(rig, RIG_EMERGENCY, TCN_OP_RECEIPT, &wire);
    rig_expect(rig, RIG_SESSION, TCN_OP_RECEIPT, &wire);
    tcn_local_reply reply = rig_inbox(rig, true);
    assert_int_equal(reply.items, 2);
    assert_int_equal(rig_number(&reply, 0, 4), TCN_LANE_EMERGENCY);
}

static void test_a_broken_disk_ends_the_turn_unsaid(void **state)
{
    agent_rig *rig = *state;
    world_alert alert = simple(rig);
    for (int lands = 0; lands < 2; lands++) {
        rig_forget(rig);
        uint8_t raw[8192], frame[8192];
        tcn_cbor_writer w;
        tcn_bytes written;
        size_t len;
        tcn_cbor_writer_init(&w, raw, sizeof raw);
        tcn_wire_put_alert(&w, 1, alert.envelope);
        assert_int_equal(tcn_cbor_writer_done(&w, &written), TCN_OK);
        tcn_wire wire = {.op = TCN_OP_ALERTS,
                         .alerts = {.need = 1,
                                    .complete_to = {.seq = 1, .tag = 2},
                                    .alerts = {.count = 1, .raw = written}}};
        assert_int_equal(tcn_wire_encode(&wire, frame, sizeof frame, &len), TCN_OK);
        tcn_agent_input input = {
            .kind = TCN_AGENT_FRAME, .peer = RIG_SESSION, .frame = tcn_bytes_of(frame, len)};
        mem_store_fail_commit(rig->ports.store, 1, TCN_IO, lands != 0);
        assert_int_equal(tcn_agent_turn(rig->agent, &input, 1), TCN_IO);
        assert_int_equal(mem_net_pending(rig->ports.net), 0);
        rig_restart(rig); /* whether it is there or not, it goes on */
        rig_serve(rig);
        assert_int_equal(rig_inbox(rig, true).items, lands);
    }
    rig_alert(rig, 1, &alert, TCN_LANE_BULK);
    assert_int_equal(rig_inbox(rig, true).items, 1);
}

/* Every write of a whole story fails once: whatever was said, the disk has. */
static void test_any_write_may_fail(void **state)
{
    agent_rig *rig = *state;
    for (uint64_t nth = 1; nth < 60; nth++) {
        rig_fini(rig);
        rig_init(rig, nth);
        rig_start(rig);
        rig_serve(rig);
        tcn_wire wire;
        world_alert one = simple(rig), two = emergency(rig);
        world_alert far = world_alert_make(
            rig->w, &(world_options){.publisher = "pub", .external = true, .body = "far"});
        rig_forget(rig);
        mem_store_fail_write(rig->ports.store, nth, TCN_FULL);
        rig_alert(rig, 1, &one, TCN_LANE_BULK);
        rig_alert(rig, 1, &two, TCN_LANE_EMERGENCY);
        bool is_acked = rig_ack(rig, "last", TCN_ANSWER_SEEN).error == TCN_OK;
        rig_alert(rig, 2, &far, TCN_LANE_BULK);
        uint64_t said = 0;
        while (rig_take(rig, RIG_SESSION, TCN_OP_RECEIPT, &wire))
            said = wire.receipt.at.seq;
        bool is_rung = rig_take(rig, RIG_EMERGENCY, TCN_OP_RECEIPT, &wire);
        tcn_local_reply reply = rig_status(rig);
        uint64_t held = rig_number(&reply, 0, 6), outbox = rig_number(&reply, 0, 10);
        rig_restart(rig);
        reply = rig_status(rig);
        assert_int_equal(rig_number(&reply, 0, 6), held);
        assert_int_equal(rig_number(&reply, 0, 10), outbox);
        assert_int_equal(held, said + is_rung);
        assert_true(!is_acked || outbox == 1);
        assert_int_equal(rig_inbox(rig, true).items, held);
        /* Nobody is stuck: the broker sends again, and all is there. */
        rig_serve(rig);
        rig_alert(rig, 1, &one, TCN_LANE_BULK);
        rig_alert(rig, 1, &two, TCN_LANE_EMERGENCY);
        rig_alert(rig, 2, &far, TCN_LANE_BULK);
        assert_int_equal(rig_inbox(rig, true).items, 3);
    }
}

static void test_a_damaged_record_is_not_fatal(void **state)
{
    agent_rig *rig = *state;
    world_alert one = simple(rig), two = simple(rig);
    rig_alert(rig, 1, &one, TCN_LANE_BULK);
    rig_alert(rig, 2, &two, TCN_LANE_BULK);
    tcn_store store = mem_store_port(rig->ports.store);
    uint8_t key[17] = {'V'};
    memcpy(key + 1, one.id.b, sizeof one.id.b);
    assert_int_equal(store.ops->begin(store.self, TCN_TXN_WRITE), TCN_OK);
    assert_int_equal(
        store.ops->put(store.self, tcn_bytes_of(key, sizeof key), tcn_bytes_str("rubbish")),
        TCN_OK);
    assert_int_equal(store.ops->commit(store.self), TCN_OK);
    tcn_local_reply reply = rig_inbox(rig, true);
    assert_int_equal(reply.items, 1);
    reply = rig_show(rig, &one.id);
    assert_int_equal(reply.error, TCN_NOT_FOUND);
    rig_restart(rig);
    assert_int_equal(rig_inbox(rig, true).items, 1);
}

static void damage(agent_rig *rig, char table)
{
    tcn_store store = mem_store_port(rig->ports.store);
    tcn_bytes key = tcn_bytes_of(&table, 1);
    assert_int_equal(store.ops->begin(store.self, TCN_TXN_WRITE), TCN_OK);
    assert_int_equal(store.ops->put(store.self, key, tcn_bytes_str("rubbish")), TCN_OK);
    assert_int_equal(store.ops->commit(store.self), TCN_OK);
}

static void test_lost_counts_are_counted_anew(void **state)
{
    agent_rig *rig = *state;
    world_alert one = simple(rig), two = simple(rig);
    world_alert far = world_alert_make(
        rig->w, &(world_options){.publisher = "pub", .external = true, .body = "far"});
    rig_alert(rig, 1, &one, TCN_LANE_BULK);
    (void)rig_ack(rig, "last", TCN_ANSWER_SEEN);
    rig_alert(rig, 2, &far, TCN_LANE_BULK);
    damage(rig, 'n');
    rig_restart(rig);
    tcn_local_reply reply = rig_status(rig);
    assert_int_equal(rig_number(&reply, 0, 6), 2);
    assert_int_equal(rig_number(&reply, 0, 7), 1);
    assert_int_equal(rig_number(&reply, 0, 8), 1);
    assert_int_equal(rig_number(&reply, 0, 10), 1);
    rig_serve(rig);
    rig_alert(rig, 3, &two, TCN_LANE_BULK);
    assert_int_equal(rig_inbox(rig, true).items, 3);
    assert_non_null(mem_ports_line(&rig->ports, "record-damaged", 0));
}

static void test_a_damaged_place_begins_from_nothing(void **state)
{
    agent_rig *rig = *state;
    tcn_wire wire;
    world_alert one = simple(rig);
    rig_alert(rig, 1, &one, TCN_LANE_BULK);
    tcn_store store = mem_store_port(rig->ports.store);
    assert_int_equal(store.ops->begin(store.self, TCN_TXN_WRITE), TCN_OK);
    assert_int_equal(store.ops->put(store.self, tcn_bytes_str("kbroker"), tcn_bytes_str("rubbish")),
                     TCN_OK);
    assert_int_equal(store.ops->commit(store.self), TCN_OK);
    rig_restart(rig);
    rig_up(rig, RIG_SESSION);
    rig_expect(rig, RIG_SESSION, TCN_OP_HELLO, &wire);
    assert_false(wire.hello.has_cursor[TCN_LANE_BULK]);
    assert_true(tcn_id_is_zero(&wire.hello.epoch));
}

static void test_a_damaged_bundle_is_the_homes_again(void **state)
{
    agent_rig *rig = *state;
    damage(rig, 'b');
    rig_restart(rig);
    assert_int_equal(tcn_agent_bundle(rig->agent)->version, 1);
}

static void test_a_store_without_its_owner_is_refused(void **state)
{
    agent_rig *rig = *state;
    tcn_fault fault;
    damage(rig, 'm');
    tcn_agent_destroy(&rig->agent);
    mem_ports_crash(&rig->ports);
    assert_int_equal(rig_try_start(rig, &fault), TCN_MALFORMED);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(test_a_full_store_takes_nothing_and_recovers),
        T(test_emergencies_have_a_reserve),
        T(test_one_that_cannot_be_stored_stops_no_other),
        T(test_a_broken_disk_ends_the_turn_unsaid),
        T(test_any_write_may_fail),
        T(test_a_damaged_record_is_not_fatal),
        T(test_lost_counts_are_counted_anew),
        T(test_a_damaged_place_begins_from_nothing),
        T(test_a_damaged_bundle_is_the_homes_again),
        T(test_a_store_without_its_owner_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
