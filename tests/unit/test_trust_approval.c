/* SPDX-License-Identifier: Apache-2.0 */
/* test_trust_approval.c - approvals as APPROVE carries them, one member twice, and what an update
 * or a cancel may refer to. */
#include "libtocsin/trust.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "tests/support/world.h"

#define NOW INT64_C(1790000000000)
#define HOUR_MS INT64_C(3600000)

static int setup(void **state)
{
    static const world_member members[] = {
        {.name = "pub", .roles = TCN_ROLE_PUBLISHER, .publish = {"advisory.>"}, .emergency = true},
        {.name = "pub-two",
         .roles = TCN_ROLE_PUBLISHER | TCN_ROLE_APPROVER,
         .publish = {"advisory.>"},
         .emergency = true},
        {.name = "meek", .roles = TCN_ROLE_PUBLISHER, .publish = {"advisory.test"}},
        {.name = "app-a", .roles = TCN_ROLE_APPROVER},
        {.name = "app-b", .roles = TCN_ROLE_APPROVER},
        {.name = "node-a", .roles = TCN_ROLE_NODE, .receive = {">"}},
    };
    world *w = world_new((tcn_wall){NOW});
    for (size_t i = 0; i < sizeof(members) / sizeof(members[0]); i++)
        world_member_set(w, &members[i]);
    world_sign(w);
    *state = w;
    return 0;
}

static int teardown(void **state)
{
    world_free((world **)state);
    return 0;
}

static tcn_err verify(const world *w, bool accepting, tcn_bytes envelope, tcn_verified *ret)
{
    tcn_trust_view view = world_view(w, accepting);
    tcn_fault fault = {.err = TCN_OK};
    return tcn_trust_verify_alert(&view, envelope, ret, &fault);
}

/* By a broker and by an agent alike. */
static tcn_verified accepted(const world *w, tcn_bytes envelope)
{
    tcn_verified broker, agent;
    assert_int_equal(verify(w, true, envelope, &broker), TCN_OK);
    assert_int_equal(verify(w, false, envelope, &agent), TCN_OK);
    assert_int_equal(broker.approvals, agent.approvals);
    return broker;
}

static void set_sign_key(world *w, const char *name, int64_t from, int64_t until)
{
    tcn_card *card = world_card_edit(w, name);
    card->key[1].from.unix_ms = from;
    card->key[1].until.unix_ms = until;
    world_sign(w);
}

static void test_same_member_twice(void **state)
{
    world *w = *state;
    tcn_sign_secret second;
    tcn_sign_public second_public;
    tcn_cose_signer signer[3];
    uint8_t header[3][64], envelope[4096];
    size_t len;
    tcn_sign_from_seed((const uint8_t[32]){9}, &second);
    tcn_sign_public_of(&second, &second_public);
    tcn_card *card = world_card_edit(w, "app-a");
    tcn_card_key *key = &card->key[card->keys++];
    *key = card->key[1];
    memcpy(key->public_bytes, second_public.b, sizeof(key->public_bytes));
    world_sign(w);
    world_alert a =
        world_alert_make(w, &(world_options){.publisher = "pub", .lane = TCN_LANE_EMERGENCY});
    tcn_cose_sign(TCN_OBJECT_ALERT, world_program(w), a.payload, TCN_ROLE_PUBLISHER,
                  &world_secrets(w, "pub")->sign, &signer[0], header[0]);
    tcn_cose_sign(TCN_OBJECT_ALERT, world_program(w), a.payload, TCN_ROLE_APPROVER,
                  &world_secrets(w, "app-a")->sign, &signer[1], header[1]);
    tcn_cose_sign(TCN_OBJECT_ALERT, world_program(w), a.payload, TCN_ROLE_APPROVER, &second,
                  &signer[2], header[2]);
    assert_int_equal(
        tcn_cose_encode(TCN_OBJECT_ALERT, a.payload, signer, 3, envelope, sizeof(envelope), &len),
        TCN_OK);
    tcn_verified v;
    assert_int_equal(verify(w, true, tcn_bytes_of(envelope, len), &v), TCN_MALFORMED);
    assert_int_equal(verify(w, false, tcn_bytes_of(envelope, len), &v), TCN_MALFORMED);
    /* The second key alone is as good as the first. */
    assert_int_equal(tcn_cose_encode(TCN_OBJECT_ALERT, a.payload,
                                     (tcn_cose_signer[]){signer[0], signer[2]}, 2, envelope,
                                     sizeof(envelope), &len),
                     TCN_OK);
    assert_int_equal(accepted(w, tcn_bytes_of(envelope, len)).approvals, 1);
    /* And as an approval through the broker it is refused, too. */
    uint8_t approval[256];
    tcn_trust_view view = world_view(w, true);
    tcn_fault fault;
    assert_int_equal(
        tcn_trust_approve(world_program(w), a.payload, &second, approval, sizeof(approval), &len),
        TCN_OK);
    assert_int_equal(tcn_trust_verify_approval(&view, world_approved(w, a.envelope, "app-a"),
                                               tcn_bytes_of(approval, len), &signer[0], &fault),
                     TCN_CONFLICT);
}

static void test_references(void **state)
{
    world *w = *state;
    tcn_trust_view view = world_view(w, true);
    tcn_alert_meta target = {.program = *world_program(w),
                             .publisher = tcn_bytes_str("pub"),
                             .lane = TCN_LANE_EMERGENCY};
    const struct {
        const char *author;
        tcn_kind kind, target_kind;
        tcn_lane lane;
        tcn_status status;
        uint8_t program;
        tcn_err expected;
    } row[] = {
        {"pub", TCN_KIND_UPDATE, 0, 1, 0, 0, TCN_OK},
        {"pub", TCN_KIND_CANCEL, 0, 1, 0, 0, TCN_OK},
        {"pub", TCN_KIND_CANCEL, TCN_KIND_UPDATE, 1, 0, 0, TCN_OK},
        {"app-a", TCN_KIND_CANCEL, 0, 1, 0, 0, TCN_OK},
        {"pub-two", TCN_KIND_CANCEL, 0, 1, 0, 0, TCN_OK},
        {"app-a", TCN_KIND_UPDATE, 0, 1, 0, 0, TCN_DENIED},
        {"pub-two", TCN_KIND_UPDATE, 0, 1, 0, 0, TCN_DENIED},
        {"meek", TCN_KIND_CANCEL, 0, 1, 0, 0, TCN_DENIED},
        {"nobody", TCN_KIND_CANCEL, 0, 1, 0, 0, TCN_DENIED},
        {"pub", TCN_KIND_ALERT, 0, 1, 0, 0, TCN_DENIED},
        {"pub", TCN_KIND_CANCEL, TCN_KIND_CANCEL, 1, 0, 0, TCN_DENIED},
        {"pub", TCN_KIND_CANCEL, 0, 0, 0, 0, TCN_DENIED},
        {"pub", TCN_KIND_CANCEL, 0, 1, TCN_STATUS_TEST, 0, TCN_DENIED},
        {"pub", TCN_KIND_CANCEL, 0, 1, 0, 1, TCN_DENIED},
    };
    for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
        tcn_alert_meta alert = {.program = *world_program(w),
                                .publisher = tcn_bytes_str(row[i].author),
                                .kind = row[i].kind,
                                .lane = row[i].lane,
                                .status = row[i].status};
        alert.program.b[0] ^= row[i].program;
        target.kind = row[i].target_kind;
        tcn_fault fault = {.err = TCN_OK};
        assert_int_equal(tcn_trust_check_reference(&view, &alert, &target, &fault),
                         row[i].expected);
        assert_int_equal(fault.err, row[i].expected);
    }
}

static tcn_err approve(const world *w, tcn_bytes envelope, tcn_bytes signature)
{
    tcn_trust_view view = world_view(w, true);
    tcn_cose_signer signer;
    tcn_fault fault = {.err = TCN_OK};
    tcn_err err = tcn_trust_verify_approval(&view, envelope, signature, &signer, &fault);
    assert_int_equal(fault.err, err);
    return err;
}

static void test_approvals(void **state)
{
    world *w = *state;
    world_alert a =
        world_alert_make(w, &(world_options){.publisher = "pub-two", .lane = TCN_LANE_EMERGENCY});
    world_alert b =
        world_alert_make(w, &(world_options){.publisher = "pub-two", .lane = TCN_LANE_EMERGENCY});
    tcn_bytes good = world_approval(w, a.payload, "app-a");
    assert_int_equal(approve(w, a.envelope, good), TCN_OK);
    assert_int_equal(approve(w, b.envelope, good), TCN_BAD_SIGNATURE);
    assert_int_equal(approve(w, a.envelope, world_approval(w, a.payload, "pub-two")), TCN_CONFLICT);
    assert_int_equal(approve(w, a.envelope, world_approval(w, a.payload, "meek")), TCN_WRONG_ROLE);
    assert_int_equal(approve(w, a.envelope, world_approval(w, a.payload, "node-a")),
                     TCN_UNKNOWN_KEY);
    for (size_t len = 0; len < good.len; len++)
        assert_int_equal(approve(w, a.envelope, tcn_bytes_of(good.ptr, len)), TCN_MALFORMED);

    tcn_bytes once = world_approved(w, a.envelope, "app-a");
    assert_int_equal(approve(w, once, good), TCN_CONFLICT);
    tcn_verified v = accepted(w, once);
    assert_int_equal(v.approvals, 2);
    assert_true(tcn_hash_equal(&v.payload_hash, &a.payload_hash));

    world_member_revoke(w, "app-a", TCN_MEMBER_SUSPENDED, (tcn_wall){NOW + HOUR_MS});
    set_sign_key(w, "app-b", NOW - 10, NOW);
    assert_int_equal(approve(w, a.envelope, good), TCN_REVOKED);
    assert_int_equal(approve(w, a.envelope, world_approval(w, a.payload, "app-b")), TCN_EXPIRED);
}

static void test_signature_as_publisher_is_no_approval(void **state)
{
    world *w = *state;
    world_alert a = world_alert_make(w, &(world_options){.publisher = "pub"});
    tcn_cose_signer signer;
    uint8_t header[64], encoded[256];
    size_t len;
    tcn_cose_sign(TCN_OBJECT_ALERT, world_program(w), a.payload, TCN_ROLE_PUBLISHER,
                  &world_secrets(w, "pub-two")->sign, &signer, header);
    assert_int_equal(tcn_cose_signer_encode(&signer, encoded, sizeof(encoded), &len), TCN_OK);
    assert_int_equal(approve(w, a.envelope, tcn_bytes_of(encoded, len)), TCN_WRONG_ROLE);
}

static void test_room_for_signatures(void **state)
{
    world *w = *state;
    static const char *const more[] = {"m1", "m2", "m3", "m4", "m5", "m6", "m7", "m8"};
    for (size_t i = 0; i < 8; i++)
        world_member_set(w, &(world_member){.name = more[i], .roles = TCN_ROLE_APPROVER});
    world_sign(w);
    tcn_bytes envelope = world_alert_make(w, &(world_options){.publisher = "pub"}).envelope;
    for (size_t i = 0; i < 7; i++)
        envelope = world_approved(w, envelope, more[i]);
    tcn_verified v = accepted(w, envelope);
    assert_int_equal(v.approvals, 7);
    tcn_bytes last = world_approval(w, v.cose.payload, more[7]);
    assert_int_equal(approve(w, envelope, last), TCN_FULL);
    tcn_cose_signer signer;
    uint8_t larger[TCN_MAX_ENVELOPE_BYTES];
    size_t len;
    assert_int_equal(tcn_cose_signer_decode(last, &signer), TCN_OK);
    assert_int_equal(tcn_trust_add_signer(envelope, &signer, larger, sizeof(larger), &len),
                     TCN_FULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
        T(test_same_member_twice),   T(test_references),
        T(test_approvals),           T(test_signature_as_publisher_is_no_approval),
        T(test_room_for_signatures),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
