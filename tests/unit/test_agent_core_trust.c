/* SPDX-License-Identifier: Apache-2.0 */
/* Trust at the agent: what waits for a newer bundle, what is adopted, and wrong clocks. */
#define _GNU_SOURCE /* memmem */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "tests/support/agent_rig.h"

#define TEN_YEARS_MS (INT64_C(3653) * WORLD_DAY_MS)

static int setup(void **state)
{
    static agent_rig rig;
    rig_init(&rig, 2);
    *state = &rig;
    return 0;
}

static int teardown(void **state)
{
    rig_fini(*state);
    return 0;
}

static world_alert simple(agent_rig *rig, const char *publisher)
{
    return world_alert_make(rig->w, &(world_options){.publisher = publisher});
}

static world_alert emergency(agent_rig *rig)
{
    return world_alert_make(
        rig->w,
        &(world_options){.publisher = "pub", .lane = TCN_LANE_EMERGENCY, .approvers = {"app-a"}});
}

/* A publisher that only the next trust version knows. */
static void add_publisher(agent_rig *rig)
{
    world_member_set(rig->w, &(world_member){.name = "pub-new",
                                             .roles = TCN_ROLE_PUBLISHER,
                                             .clearance = TCN_TLP_RED,
                                             .publish = {"advisory.>"}});
    world_sign(rig->w);
}

static void send(agent_rig *rig, uint64_t need, uint64_t seq, const world_alert *alert)
{
    rig_alerts(rig,
               &(rig_batch){.need = need, .seq = seq, .count = 1, .envelopes = &alert->envelope});
}

/* ---- parked ---- */

static void test_what_needs_newer_trust_waits_without_receipt(void **state)
{
    agent_rig *rig = *state;
    tcn_wire wire;
    rig_start(rig);
    rig_serve(rig);
    world_alert before = simple(rig, "pub");
    rig_alert(rig, 3, &before, TCN_LANE_BULK);
    rig_expect(rig, RIG_SESSION, TCN_OP_RECEIPT, &wire);
    add_publisher(rig);
    world_alert first = simple(rig, "pub-new"), second = simple(rig, "pub");
    send(rig, 2, 4, &first);
    send(rig, 1, 5, &second); /* could be verified, but it is behind the first */
    assert_false(rig_take(rig, RIG_SESSION, TCN_OP_RECEIPT, &wire));
    tcn_local_reply reply = rig_status(rig);
    assert_int_equal(rig_number(&reply, 0, 9), 2);
    assert_int_equal(rig_number(&reply, 0, 6), 1);

    rig_trust(rig, RIG_SESSION);
    rig_expect(rig, RIG_SESSION, TCN_OP_RECEIPT, &wire);
    assert_int_equal(wire.receipt.at.seq, 5);
    reply = rig_status(rig);
    assert_int_equal(rig_number(&reply, 0, 9), 0);
    assert_int_equal(rig_number(&reply, 0, 11), 0);
    reply = rig_inbox(rig, true);
    assert_int_equal(reply.items, 3);
    assert_true(tcn_bytes_equal(rig_value(&reply, 1, 9), tcn_bytes_str("pub-new")));
}

static void test_the_cursor_does_not_pass_what_is_parked(void **state)
{
    agent_rig *rig = *state;
    tcn_wire wire;
    rig_start(rig);
    rig_serve(rig);
    world_alert before = simple(rig, "pub");
    rig_alert(rig, 3, &before, TCN_LANE_BULK);
    add_publisher(rig);
    world_alert first = simple(rig, "pub-new"), second = simple(rig, "pub");
    send(rig, 2, 4, &first);
    send(rig, 1, 5, &second);
    tcn_agent_destroy(&rig->agent);
    mem_ports_crash(&rig->ports);
    rig_start(rig); /* with the home's bundle, which is version 2 now */
    rig_up(rig, RIG_SESSION);
    rig_expect(rig, RIG_SESSION, TCN_OP_HELLO, &wire);
    assert_int_equal(wire.hello.trust_version, 2);
    assert_int_equal(wire.hello.cursor[TCN_LANE_BULK].seq, 3);
}

static void test_a_lost_link_takes_its_parked_frames_along(void **state)
{
    agent_rig *rig = *state;
    tcn_wire wire;
    rig_start(rig);
    rig_serve(rig);
    add_publisher(rig);
    world_alert alert = simple(rig, "pub-new");
    send(rig, 2, 4, &alert);
    rig_down(rig, RIG_SESSION);
    tcn_local_reply reply = rig_status(rig);
    assert_int_equal(rig_number(&reply, 0, 9), 0);
    rig_open(rig, RIG_SESSION);
    rig_trust(rig, RIG_SESSION);
    assert_false(rig_take(rig, RIG_SESSION, TCN_OP_RECEIPT, &wire));
    send(rig, 2, 4, &alert);
    rig_expect(rig, RIG_SESSION, TCN_OP_RECEIPT, &wire);
}

static void test_too_many_parked_are_asked_for_again_later(void **state)
{
    agent_rig *rig = *state;
    tcn_wire wire;
    tcn_peer link;
    rig_start(rig);
    rig_serve(rig);
    add_publisher(rig);
    world_alert alert = simple(rig, "pub-new");
    for (uint64_t seq = 1; seq <= TCN_MAX_PARKED + 2; seq++)
        send(rig, 2, seq, &alert);
    tcn_local_reply reply = rig_status(rig);
    assert_int_equal(rig_number(&reply, 0, 9), TCN_MAX_PARKED);
    assert_false(rig_reconnect(rig, &link));
    rig_trust(rig, RIG_SESSION);
    rig_expect(rig, RIG_SESSION, TCN_OP_RECEIPT, &wire);
    assert_int_equal(wire.receipt.at.seq, TCN_MAX_PARKED);
    /* There is a gap now: what comes behind it says nothing. */
    send(rig, 2, TCN_MAX_PARKED + 3, &alert);
    assert_false(rig_take(rig, RIG_SESSION, TCN_OP_RECEIPT, &wire));
    rig_pass(rig, 61000);
    assert_true(rig_reconnect(rig, &link));
    assert_int_equal(link, RIG_SESSION);
    assert_false(rig_reconnect(rig, &link));
}

static void test_false_under_a_sufficient_bundle_is_rejected(void **state)
{
    agent_rig *rig = *state;
    tcn_wire wire;
    rig_start(rig);
    rig_serve(rig);
    add_publisher(rig);
    world_alert alert = simple(rig, "pub-new");
    send(rig, 1, 4, &alert); /* the broker says that version 1 is enough */
    rig_expect(rig, RIG_SESSION, TCN_OP_RECEIPT, &wire);
    rig_expect(rig, RIG_SESSION, TCN_OP_REJECTED, &wire);
    tcn_cbor_reader r;
    tcn_cbor_reader_init(&r, wire.rejected.raw);
    (void)tcn_cbor_get_array(&r, 2);
    (void)tcn_cbor_get_id(&r);
    assert_int_equal(tcn_cbor_get_uint(&r), TCN_UNKNOWN_KEY);
}

static void test_trust_that_does_not_come_is_asked_for(void **state)
{
    agent_rig *rig = *state;
    tcn_wire wire;
    rig_start(rig);
    rig_serve(rig);
    add_publisher(rig);
    world_alert alert = simple(rig, "pub-new");
    send(rig, 2, 4, &alert);
    rig_forget(rig);
    rig_pass(rig, 4000);
    assert_false(rig_take(rig, RIG_SESSION, TCN_OP_TRUST_GET, &wire));
    rig_pass(rig, 2000);
    rig_expect(rig, RIG_SESSION, TCN_OP_TRUST_GET, &wire);
    assert_int_equal(wire.trust_get.version, 2);
    assert_int_equal(wire.trust_get.offset, 0);
    /* What comes is no use: no storm of asking. */
    rig_frame(rig, RIG_SESSION,
              &(tcn_wire){.op = TCN_OP_TRUST,
                          .trust = {.version = 2, .total = 7, .bytes = tcn_bytes_str("o trust")}});
    rig_pass(rig, 20000);
    assert_false(rig_take(rig, RIG_SESSION, TCN_OP_TRUST_GET, &wire));
    rig_trust(rig, RIG_SESSION);
    rig_expect(rig, RIG_SESSION, TCN_OP_RECEIPT, &wire);
    rig_frame(rig, RIG_SESSION, &(tcn_wire){.op = TCN_OP_PONG});
    rig_pass(rig, 40000);
    assert_false(rig_take(rig, RIG_SESSION, TCN_OP_TRUST_GET, &wire));
}

/* ---- adopting ---- */

static uint64_t version(const agent_rig *rig)
{
    return tcn_agent_bundle(rig->agent)->version;
}

static void give_bundle(agent_rig *rig, uint64_t number, tcn_bytes bundle)
{
    rig_frame(rig, RIG_SESSION,
              &(tcn_wire){.op = TCN_OP_TRUST,
                          .trust = {.version = number, .total = bundle.len, .bytes = bundle}});
}

static void test_a_newer_bundle_is_adopted_and_kept(void **state)
{
    agent_rig *rig = *state;
    tcn_bytes first = world_bundle_envelope(rig->w);
    rig_start(rig);
    rig_serve(rig);
    assert_int_equal(version(rig), 1);
    world_sign(rig->w);
    rig_trust(rig, RIG_SESSION);
    assert_int_equal(version(rig), 2);
    give_bundle(rig, 3, first); /* called newer, but is not */
    assert_int_equal(version(rig), 2);
    give_bundle(rig, 1, first);
    assert_int_equal(version(rig), 2);
    rig_restart(rig);
    assert_int_equal(version(rig), 2);
}

static void test_an_expired_bundle_is_not_adopted(void **state)
{
    agent_rig *rig = *state;
    world_policy(rig->w)->lifetime_ms = (uint64_t)WORLD_DAY_MS;
    rig_start(rig);
    world_sign(rig->w); /* valid for a day only */
    mem_ports_pass(&rig->ports, 2 * (uint64_t)WORLD_DAY_MS);
    rig_serve(rig);
    rig_trust(rig, RIG_SESSION);
    assert_int_equal(version(rig), 1);
    assert_non_null(mem_ports_line(&rig->ports, "trust-refused", 0));
    tcn_local_reply reply = rig_status(rig);
    tcn_bytes brokers = rig_value(&reply, 0, 5);
    assert_true(brokers.len > 0 && memmem(brokers.ptr, brokers.len, "expired", 7) != NULL);
}

static void test_a_bundle_of_another_authority_is_not_adopted(void **state)
{
    agent_rig *rig = *state;
    rig_start(rig);
    rig_serve(rig);
    world_sign(rig->w);
    tcn_bytes bundle = world_bundle_envelope(rig->w);
    uint8_t forged[16384];
    assert_true(bundle.len <= sizeof forged);
    memcpy(forged, bundle.ptr, bundle.len);
    forged[bundle.len - 1] ^= 1;
    give_bundle(rig, 2, tcn_bytes_of(forged, bundle.len));
    assert_int_equal(version(rig), 1);
}

static void test_a_bundle_comes_in_pieces(void **state)
{
    agent_rig *rig = *state;
    tcn_wire wire;
    rig_start(rig);
    rig_serve(rig);
    world_sign(rig->w);
    tcn_bytes bundle = world_bundle_envelope(rig->w);
    size_t at = 0, step = bundle.len / 3 + 1;
    rig_frame(
        rig, RIG_EMERGENCY,
        &(tcn_wire){
            .op = TCN_OP_TRUST,
            .trust = {.version = 2, .total = bundle.len, .bytes = tcn_bytes_of(bundle.ptr, step)}});
    for (at = step; at < bundle.len; at += step) {
        rig_expect(rig, RIG_EMERGENCY, TCN_OP_TRUST_GET, &wire);
        assert_int_equal(wire.trust_get.version, 2);
        assert_int_equal(wire.trust_get.offset, at);
        size_t len = bundle.len - at < step ? bundle.len - at : step;
        rig_frame(rig, RIG_EMERGENCY,
                  &(tcn_wire){.op = TCN_OP_TRUST,
                              .trust = {.version = 2,
                                        .total = bundle.len,
                                        .offset = at,
                                        .bytes = tcn_bytes_of(bundle.ptr + at, len)}});
    }
    assert_int_equal(version(rig), 2);
    assert_false(rig_take(rig, RIG_EMERGENCY, TCN_OP_TRUST_GET, &wire));
}

static void test_a_piece_that_stays_away_is_asked_for_elsewhere(void **state)
{
    agent_rig *rig = *state;
    tcn_wire wire;
    rig_start(rig);
    rig_serve(rig);
    world_sign(rig->w);
    tcn_bytes bundle = world_bundle_envelope(rig->w);
    rig_frame(
        rig, RIG_EMERGENCY,
        &(tcn_wire){
            .op = TCN_OP_TRUST,
            .trust = {.version = 2, .total = bundle.len, .bytes = tcn_bytes_of(bundle.ptr, 100)}});
    rig_down(rig, RIG_EMERGENCY);
    rig_forget(rig);
    rig_pass(rig, 6000);
    rig_expect(rig, RIG_SESSION, TCN_OP_TRUST_GET, &wire);
    assert_int_equal(wire.trust_get.offset, 100);
}

static void test_a_bundle_too_large_is_refused(void **state)
{
    agent_rig *rig = *state;
    tcn_wire wire;
    rig_start(rig);
    rig_serve(rig);
    rig_frame(rig, RIG_SESSION,
              &(tcn_wire){.op = TCN_OP_TRUST,
                          .trust = {.version = 2,
                                    .total = (uint64_t)TCN_MAX_BUNDLE_BYTES + 1,
                                    .bytes = tcn_bytes_str("piece")}});
    assert_false(rig_take(rig, RIG_SESSION, TCN_OP_TRUST_GET, &wire));
    assert_non_null(mem_ports_line(&rig->ports, "trust-refused", 0));
}

static void test_a_newer_card_is_kept(void **state)
{
    agent_rig *rig = *state;
    rig_start(rig);
    rig_serve(rig);
    world_card_edit(rig->w, "node-a")->clearance = TCN_TLP_GREEN;
    world_sign(rig->w);
    tcn_bytes card = world_card_envelope(rig->w, "node-a");
    rig_frame(rig, RIG_SESSION, &(tcn_wire){.op = TCN_OP_CARD, .envelope = card});
    assert_int_equal(mem_ports_line_count(&rig->ports, "card-adopted"), 1);
    rig_frame(rig, RIG_SESSION, &(tcn_wire){.op = TCN_OP_CARD, .envelope = card});
    assert_int_equal(mem_ports_line_count(&rig->ports, "card-adopted"), 1);
    tcn_bytes other = world_card_envelope(rig->w, "node-b");
    rig_frame(rig, RIG_SESSION, &(tcn_wire){.op = TCN_OP_CARD, .envelope = other});
    assert_int_equal(mem_ports_line_count(&rig->ports, "card-refused"), 1);
}

static void test_the_store_of_another_member_is_refused(void **state)
{
    agent_rig *rig = *state;
    tcn_fault fault;
    rig_start(rig);
    tcn_agent_destroy(&rig->agent);
    tcn_ports ports = mem_ports_all(&rig->ports);
    tcn_agent_identity identity = {.member = "node-b",
                                   .authority = *world_authority(rig->w),
                                   .secrets = *world_secrets(rig->w, "node-b"),
                                   .bundle = world_bundle_envelope(rig->w),
                                   .card = world_card_envelope(rig->w, "node-b")};
    assert_int_equal(tcn_agent_new(&ports, &rig->config, &identity, &rig->agent, &fault),
                     TCN_CONFLICT);
    assert_null(rig->agent);
    assert_false(mem_store_is_open(rig->ports.store));
}

static void test_a_bundle_that_does_not_verify_starts_nothing(void **state)
{
    agent_rig *rig = *state;
    tcn_fault fault;
    tcn_ports ports = mem_ports_all(&rig->ports);
    tcn_agent_identity identity = {.member = "node-a",
                                   .authority = *world_authority(rig->w),
                                   .secrets = *world_secrets(rig->w, "node-a"),
                                   .bundle = world_card_envelope(rig->w, "node-a"),
                                   .card = world_card_envelope(rig->w, "node-a")};
    assert_int_not_equal(tcn_agent_new(&ports, &rig->config, &identity, &rig->agent, &fault),
                         TCN_OK);
    assert_int_equal(mem_store_count(rig->ports.store), 0);
}

/* ---- time ---- */

static void set_clock(agent_rig *rig, int64_t ahead_ms)
{
    rig->ports.wall.unix_ms += ahead_ms - rig->wall_ahead_ms;
    rig->wall_ahead_ms = ahead_ms;
}

/* An emergency comes to an agent with this clock. */
static void check_wrong_clock(agent_rig *rig, int64_t ahead_ms)
{
    set_clock(rig, ahead_ms);
    rig_start(rig);
    rig_serve(rig);
    world_alert alert = emergency(rig);
    rig_alert(rig, 1, &alert, TCN_LANE_EMERGENCY);
    rig_pass(rig, 20000);
    tcn_local_reply reply = rig_inbox(rig, false);
    assert_int_equal(reply.items, 1);
    assert_int_equal(rig_number(&reply, 0, 12), 0);
    assert_true(rig_number(&reply, 0, 15) & TCN_MARK_CLOCK_SUSPECT);
    reply = rig_status(rig);
    assert_true(rig_number(&reply, 0, 13) & TCN_MARK_CLOCK_SUSPECT);
    /* Trust goes on, too. */
    world_sign(rig->w);
    rig_trust(rig, RIG_SESSION);
    assert_int_equal(version(rig), 2);
    /* Without a broker that says what time it is, nothing is discarded either. */
    rig_restart(rig);
    rig_pass(rig, 120000);
    assert_int_equal(rig_inbox(rig, false).items, 1);
}

static void test_an_agent_in_1970_still_rings(void **state)
{
    agent_rig *rig = *state;
    check_wrong_clock(rig, -rig->ports.wall.unix_ms + 5000);
}

static void test_an_agent_ten_years_ahead_still_rings(void **state)
{
    check_wrong_clock(*state, TEN_YEARS_MS);
}

static void test_a_right_clock_is_not_suspect(void **state)
{
    agent_rig *rig = *state;
    rig_start(rig);
    rig->broker_ahead_ms = WORLD_DAY_MS / 2;
    rig_serve(rig);
    world_alert alert = emergency(rig);
    rig_alert(rig, 1, &alert, TCN_LANE_EMERGENCY);
    tcn_local_reply reply = rig_inbox(rig, false);
    assert_int_equal(rig_number(&reply, 0, 15), 0);
}

static void test_an_expired_bundle_still_verifies_emergencies(void **state)
{
    agent_rig *rig = *state;
    tcn_wire wire;
    world_policy(rig->w)->lifetime_ms = (uint64_t)WORLD_DAY_MS;
    world_sign(rig->w);
    rig_start(rig);
    mem_ports_pass(&rig->ports, 2 * (uint64_t)WORLD_DAY_MS);
    world_set_now(rig->w, rig->ports.wall);
    rig_serve(rig);
    world_alert urgent = emergency(rig), bulk = simple(rig, "pub");
    rig_alert(rig, 1, &urgent, TCN_LANE_EMERGENCY);
    tcn_local_reply reply = rig_inbox(rig, false);
    assert_int_equal(reply.items, 1);
    assert_true(rig_number(&reply, 0, 15) & TCN_MARK_STALE_TRUST);
    rig_alert(rig, 1, &bulk, TCN_LANE_BULK);
    assert_false(rig_take(rig, RIG_SESSION, TCN_OP_RECEIPT, &wire));
    reply = rig_status(rig);
    assert_true(rig_number(&reply, 0, 13) & TCN_MARK_STALE_TRUST);

    world_sign(rig->w);
    world_alert renewed = simple(rig, "pub");
    rig_trust(rig, RIG_SESSION);
    rig_expect(rig, RIG_SESSION, TCN_OP_RECEIPT, &wire);
    assert_int_equal(wire.receipt.at.seq, 1);
    rig_alert(rig, 2, &renewed, TCN_LANE_BULK);
    rig_expect(rig, RIG_SESSION, TCN_OP_RECEIPT, &wire);
    assert_int_equal(wire.receipt.at.seq, 2);
}

static void test_what_a_compromised_publisher_wrote_is_voided(void **state)
{
    agent_rig *rig = *state;
    rig_start(rig);
    rig_serve(rig);
    world_alert alert = simple(rig, "pub-two");
    rig_alert(rig, 1, &alert, TCN_LANE_BULK);
    assert_int_equal(rig_inbox(rig, false).items, 1);
    world_member_revoke(rig->w, "pub-two", TCN_MEMBER_COMPROMISED, world_now(rig->w));
    world_sign(rig->w);
    rig_trust(rig, RIG_SESSION);
    assert_int_equal(rig_inbox(rig, false).items, 0);
    tcn_local_reply reply = rig_show(rig, &alert.id);
    assert_int_equal(rig_number(&reply, 0, 12), 4);
    assert_true(rig_number(&reply, 0, 15) & TCN_MARK_PUBLISHER_COMPROMISED);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(test_what_needs_newer_trust_waits_without_receipt),
        T(test_the_cursor_does_not_pass_what_is_parked),
        T(test_a_lost_link_takes_its_parked_frames_along),
        T(test_too_many_parked_are_asked_for_again_later),
        T(test_false_under_a_sufficient_bundle_is_rejected),
        T(test_trust_that_does_not_come_is_asked_for),
        T(test_a_newer_bundle_is_adopted_and_kept),
        T(test_an_expired_bundle_is_not_adopted),
        T(test_a_bundle_of_another_authority_is_not_adopted),
        T(test_a_bundle_comes_in_pieces),
        T(test_a_piece_that_stays_away_is_asked_for_elsewhere),
        T(test_a_bundle_too_large_is_refused),
        T(test_a_newer_card_is_kept),
        T(test_the_store_of_another_member_is_refused),
        T(test_a_bundle_that_does_not_verify_starts_nothing),
        T(test_an_agent_in_1970_still_rings),
        T(test_an_agent_ten_years_ahead_still_rings),
        T(test_a_right_clock_is_not_suspect),
        T(test_an_expired_bundle_still_verifies_emergencies),
        T(test_what_a_compromised_publisher_wrote_is_voided),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
