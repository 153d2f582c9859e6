/* SPDX-License-Identifier: Apache-2.0 */
/* test_trust.c - who may have signed what: each refusal by its own cause; the two-person rule.
 * Approvals one by one, and references, are in test_trust_approval.c. */
#include "libtocsin/trust.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "tests/support/world.h"

#define NOW INT64_C(1790000000000)
#define HOUR_MS INT64_C(3600000)

static const tcn_wall now = {NOW};

static world *small_world(void)
{
    static const world_member members[] = {
        {.name = "pub",
         .roles = TCN_ROLE_PUBLISHER,
         .clearance = TCN_TLP_AMBER,
         .publish = {"advisory.>"},
         .emergency = true},
        {.name = "pub-two",
         .roles = TCN_ROLE_PUBLISHER | TCN_ROLE_APPROVER,
         .clearance = TCN_TLP_RED,
         .publish = {"advisory.>"},
         .emergency = true},
        {.name = "meek", .roles = TCN_ROLE_PUBLISHER, .publish = {"advisory.test"}},
        {.name = "app-a", .roles = TCN_ROLE_APPROVER, .clearance = TCN_TLP_AMBER},
        {.name = "app-b", .roles = TCN_ROLE_APPROVER, .clearance = TCN_TLP_AMBER},
        {.name = "node-a", .roles = TCN_ROLE_NODE, .receive = {">"}},
    };
    world *w = world_new(now);
    for (size_t i = 0; i < sizeof(members) / sizeof(members[0]); i++)
        world_member_set(w, &members[i]);
    world_sign(w);
    return w;
}

static int setup(void **state)
{
    *state = small_world();
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
    tcn_err err = tcn_trust_verify_alert(&view, envelope, ret, &fault);
    /* Whoever is refused is told why. */
    assert_int_equal(fault.err, err);
    assert_true(err == TCN_OK || fault.text[0] != '\0');
    return err;
}

/* Both a broker and an agent say this. */
static void refused(const world *w, tcn_bytes envelope, tcn_err expected)
{
    tcn_verified verified;
    assert_int_equal(verify(w, true, envelope, &verified), expected);
    assert_int_equal(verify(w, false, envelope, &verified), expected);
}

static tcn_verified accepted(const world *w, tcn_bytes envelope)
{
    tcn_verified broker, agent;
    assert_int_equal(verify(w, true, envelope, &broker), TCN_OK);
    assert_int_equal(verify(w, false, envelope, &agent), TCN_OK);
    assert_int_equal(broker.approvals, agent.approvals);
    assert_int_equal(broker.approvals_needed, agent.approvals_needed);
    assert_int_equal(broker.marks, 0);
    assert_int_equal(agent.marks, 0);
    return broker;
}

static void test_plain(void **state)
{
    world *w = *state;
    world_alert a = world_alert_make(w, &(world_options){.publisher = "pub"});
    tcn_verified v = accepted(w, a.envelope);
    assert_true(tcn_hash_equal(&v.payload_hash, &a.payload_hash));
    assert_true(tcn_id_equal(&v.alert.meta.id, &a.id));
    assert_int_equal(v.approvals_needed, 0);
    assert_int_equal(v.cose.signers, 1);
    assert_true(v.envelope.ptr == a.envelope.ptr);
}

static void test_truncated_and_overlong(void **state)
{
    world *w = *state;
    tcn_verified v;
    world_alert a = world_alert_make(w, &(world_options){.publisher = "pub"});
    for (size_t len = 0; len < a.envelope.len; len++)
        assert_int_equal(verify(w, false, tcn_bytes_of(a.envelope.ptr, len), &v), TCN_MALFORMED);
    static uint8_t longer[TCN_MAX_ENVELOPE_BYTES + 1];
    memcpy(longer, a.envelope.ptr, a.envelope.len);
    assert_int_equal(verify(w, true, tcn_bytes_of(longer, a.envelope.len + 1), &v), TCN_MALFORMED);
    assert_int_equal(verify(w, true, tcn_bytes_of(longer, sizeof(longer)), &v), TCN_TOO_LARGE);
}

static void test_every_flipped_bit(void **state)
{
    world *w = *state;
    world_alert a = world_alert_make(
        w, &(world_options){.publisher = "pub", .approvers = {"app-a"}, .topic = "advisory.x"});
    uint8_t bytes[2048];
    assert_true(a.envelope.len <= sizeof(bytes));
    for (size_t bit = 0; bit < a.envelope.len * 8; bit++) {
        tcn_verified v;
        memcpy(bytes, a.envelope.ptr, a.envelope.len);
        bytes[bit / 8] ^= (uint8_t)(1U << bit % 8);
        assert_int_not_equal(verify(w, false, tcn_bytes_of(bytes, a.envelope.len), &v), TCN_OK);
    }
}

static void test_forged_and_foreign_signatures(void **state)
{
    world *w = *state;
    world_alert a = world_alert_make(w, &(world_options){.publisher = "pub"});
    /* Another member's name on it: the header's kid is the signer's own, so it is a wrong role. */
    refused(w,
            world_sign_alert(w, a.payload, (const char *[]){"pub-two"},
                             (tcn_role[]){TCN_ROLE_PUBLISHER}, 1),
            TCN_WRONG_ROLE);
    /* The publisher's header over another member's signature. */
    tcn_cose cose;
    uint8_t header[64], envelope[4096];
    size_t len;
    assert_int_equal(tcn_cose_decode(a.envelope, TCN_OBJECT_ALERT, &cose), TCN_OK);
    tcn_cose_signer other;
    tcn_cose_sign(TCN_OBJECT_ALERT, world_program(w), a.payload, TCN_ROLE_PUBLISHER,
                  &world_secrets(w, "pub-two")->sign, &other, header);
    cose.signer[0].signature = other.signature;
    assert_int_equal(tcn_cose_encode(TCN_OBJECT_ALERT, a.payload, cose.signer, 1, envelope,
                                     sizeof(envelope), &len),
                     TCN_OK);
    refused(w, tcn_bytes_of(envelope, len), TCN_BAD_SIGNATURE);
    /* A signature of the same key for another program does not count here. */
    tcn_id elsewhere = {{1}};
    tcn_cose_sign(TCN_OBJECT_ALERT, &elsewhere, a.payload, TCN_ROLE_PUBLISHER,
                  &world_secrets(w, "pub")->sign, &other, header);
    assert_int_equal(
        tcn_cose_encode(TCN_OBJECT_ALERT, a.payload, &other, 1, envelope, sizeof(envelope), &len),
        TCN_OK);
    refused(w, tcn_bytes_of(envelope, len), TCN_BAD_SIGNATURE);
}

static void test_unknown_key(void **state)
{
    world *w = *state;
    tcn_sign_secret stranger;
    tcn_verified v;
    uint8_t envelope[4096];
    size_t len;
    world_alert a = world_alert_make(w, &(world_options){.publisher = "pub"});
    tcn_sign_from_seed((const uint8_t[32]){7}, &stranger);
    assert_int_equal(tcn_cose_seal(TCN_OBJECT_ALERT, world_program(w), a.payload,
                                   TCN_ROLE_PUBLISHER, &stranger, envelope, sizeof(envelope), &len),
                     TCN_OK);
    assert_int_equal(verify(w, true, tcn_bytes_of(envelope, len), &v), TCN_UNKNOWN_KEY);
    assert_int_equal(verify(w, false, tcn_bytes_of(envelope, len), &v), TCN_CANNOT_YET);
    /* A node's key is in no bundle. */
    assert_int_equal(
        verify(w, true,
               world_sign_alert(w, a.payload, (const char *[]){"pub", "node-a"},
                                (tcn_role[]){TCN_ROLE_PUBLISHER, TCN_ROLE_APPROVER}, 2),
               &v),
        TCN_UNKNOWN_KEY);
}

static void test_missing_author(void **state)
{
    world *w = *state;
    refused(w,
            world_alert_make(w, &(world_options){.publisher = "pub",
                                                 .no_author = true,
                                                 .approvers = {"app-a", "app-b"}})
                .envelope,
            TCN_BAD_SIGNATURE);
    /* An approval can never pass for the publisher's signature, even by the publisher. */
    refused(w,
            world_alert_make(
                w, &(world_options){.publisher = "pub-two", .author_role = TCN_ROLE_APPROVER})
                .envelope,
            TCN_WRONG_ROLE);
}

static void test_wrong_type_and_program(void **state)
{
    world *w = *state;
    uint8_t envelope[4096];
    size_t len;
    world_alert a = world_alert_make(w, &(world_options){.publisher = "pub"});
    assert_int_equal(tcn_cose_seal(TCN_OBJECT_REPORT, world_program(w), a.payload,
                                   TCN_ROLE_PUBLISHER, &world_secrets(w, "pub")->sign, envelope,
                                   sizeof(envelope), &len),
                     TCN_OK);
    refused(w, tcn_bytes_of(envelope, len), TCN_WRONG_TYPE);

    tcn_alert alert;
    tcn_fault fault;
    uint8_t payload[4096];
    assert_int_equal(tcn_alert_decode(a.payload, &alert, &fault), TCN_OK);
    alert.meta.program.b[0] ^= 1;
    assert_int_equal(tcn_alert_encode(&alert, payload, sizeof(payload), &len, &fault), TCN_OK);
    refused(w,
            world_sign_alert(w, tcn_bytes_of(payload, len), (const char *[]){"pub"},
                             (tcn_role[]){TCN_ROLE_PUBLISHER}, 1),
            TCN_WRONG_PROGRAM);
}

static void test_grants(void **state)
{
    world *w = *state;
    refused(w,
            world_alert_make(w, &(world_options){.publisher = "meek", .topic = "advisory.other"})
                .envelope,
            TCN_TOPIC_DENIED);
    refused(
        w,
        world_alert_make(w, &(world_options){.publisher = "meek", .tlp = TCN_TLP_GREEN}).envelope,
        TCN_TLP_DENIED);
    refused(w,
            world_alert_make(w, &(world_options){.publisher = "meek",
                                                 .lane = TCN_LANE_EMERGENCY,
                                                 .status = TCN_STATUS_TEST})
                .envelope,
            TCN_DENIED);
    refused(w, world_alert_make(w, &(world_options){.publisher = "app-a"}).envelope,
            TCN_WRONG_ROLE);
    refused(
        w,
        world_alert_make(w, &(world_options){.publisher = "pub", .approvers = {"meek"}}).envelope,
        TCN_WRONG_ROLE);
    accepted(w, world_alert_make(w, &(world_options){.publisher = "meek"}).envelope);
    /* What the authority took away later, a node refuses with the bundle that says so. */
    world_alert a = world_alert_make(w, &(world_options){.publisher = "pub"});
    world_member_set(
        w, &(world_member){.name = "pub", .roles = TCN_ROLE_PUBLISHER, .publish = {"incident.>"}});
    world_sign(w);
    refused(w, a.envelope, TCN_TOPIC_DENIED);
}

static void test_two_person_rule(void **state)
{
    world *w = *state;
    const struct {
        world_options options;
        unsigned approvals, needed;
    } row[] = {
        {{.publisher = "pub"}, 0, 2},
        {{.publisher = "pub", .approvers = {"app-a"}}, 1, 2},
        {{.publisher = "pub", .approvers = {"app-a", "app-b"}}, 2, 2},
        /* The author counts if it is an approver itself. */
        {{.publisher = "pub-two"}, 1, 2},
        {{.publisher = "pub-two", .approvers = {"app-a"}}, 2, 2},
        {{.publisher = "pub", .status = TCN_STATUS_TEST}, 0, 0},
        {{.publisher = "pub", .status = TCN_STATUS_EXERCISE}, 0, 0},
    };
    for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
        world_options options = row[i].options;
        options.lane = TCN_LANE_EMERGENCY;
        tcn_verified v = accepted(w, world_alert_make(w, &options).envelope);
        assert_int_equal(v.approvals, row[i].approvals);
        assert_int_equal(v.approvals_needed, row[i].needed);
        options.lane = TCN_LANE_BULK;
        assert_int_equal(accepted(w, world_alert_make(w, &options).envelope).approvals_needed, 0);
    }
    world_policy(w)->approvals = 3;
    world_sign(w);
    world_options options = {.publisher = "pub", .lane = TCN_LANE_EMERGENCY};
    assert_int_equal(accepted(w, world_alert_make(w, &options).envelope).approvals_needed, 3);
}

static void test_cancels(void **state)
{
    world *w = *state;
    world_alert target = world_alert_make(w, &(world_options){.publisher = "pub",
                                                              .lane = TCN_LANE_EMERGENCY,
                                                              .approvers = {"app-a", "app-b"}});
    world_options cancel = {.publisher = "app-a",
                            .author_role = TCN_ROLE_APPROVER,
                            .lane = TCN_LANE_EMERGENCY,
                            .kind = TCN_KIND_CANCEL,
                            .references = {&target.id}};
    /* An approver alone, without grants to publish or to submit emergencies. */
    tcn_verified v = accepted(w, world_alert_make(w, &cancel).envelope);
    assert_int_equal(v.approvals, 1);
    assert_int_equal(v.approvals_needed, 1);
    cancel.lane = TCN_LANE_BULK;
    assert_int_equal(accepted(w, world_alert_make(w, &cancel).envelope).approvals_needed, 0);
    cancel.tlp = TCN_TLP_RED;
    cancel.to[0] = "node-a";
    refused(w, world_alert_make(w, &cancel).envelope, TCN_TLP_DENIED);
    /* An update is not for approvers. */
    cancel.tlp = TCN_TLP_CLEAR;
    cancel.kind = TCN_KIND_UPDATE;
    refused(w, world_alert_make(w, &cancel).envelope, TCN_WRONG_ROLE);
    /* Not in a role that the member does not have. */
    cancel.kind = TCN_KIND_CANCEL;
    cancel.publisher = "meek";
    refused(w, world_alert_make(w, &cancel).envelope, TCN_WRONG_ROLE);

    world_options own = {.publisher = "pub",
                         .lane = TCN_LANE_EMERGENCY,
                         .kind = TCN_KIND_CANCEL,
                         .references = {&target.id}};
    v = accepted(w, world_alert_make(w, &own).envelope);
    assert_int_equal(v.approvals, 0);
    assert_int_equal(v.approvals_needed, 1);
    own.approvers[0] = "app-b";
    assert_int_equal(accepted(w, world_alert_make(w, &own).envelope).approvals, 1);
    own.reason = TCN_REASON_ALL_CLEAR;
    tcn_verified clear;
    assert_int_equal(verify(w, false, world_alert_make(w, &own).envelope, &clear), TCN_OK);
    assert_int_equal(clear.marks, TCN_MARK_ALL_CLEAR);
}

static void test_revocation(void **state)
{
    static const struct {
        tcn_member_state state;
        int64_t since_after; /* of created */
        tcn_err agent;
        unsigned marks;
    } row[] = {
        {TCN_MEMBER_SUSPENDED, 0, TCN_REVOKED, 0},
        {TCN_MEMBER_SUSPENDED, 1, TCN_OK, 0},
        {TCN_MEMBER_RETIRED, 0, TCN_REVOKED, 0},
        {TCN_MEMBER_RETIRED, 1, TCN_OK, 0},
        {TCN_MEMBER_COMPROMISED, -1, TCN_VOIDED, 0},
        {TCN_MEMBER_COMPROMISED, 0, TCN_VOIDED, 0},
        {TCN_MEMBER_COMPROMISED, 1, TCN_OK, TCN_MARK_PUBLISHER_COMPROMISED},
    };
    world *w = *state;
    static const char *const who[] = {"pub", "app-a"}; /* author or approver alike */
    world_alert a =
        world_alert_make(w, &(world_options){.publisher = "pub", .approvers = {"app-a"}});
    for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
        for (size_t j = 0; j < 2; j++) {
            tcn_verified v;
            world_member_revoke(w, who[j], row[i].state, (tcn_wall){NOW + row[i].since_after});
            world_sign(w);
            assert_int_equal(verify(w, true, a.envelope, &v), TCN_REVOKED);
            assert_int_equal(verify(w, false, a.envelope, &v), row[i].agent);
            if (row[i].agent == TCN_OK)
                assert_int_equal(v.marks, row[i].marks);
            world_member_revoke(w, who[j], TCN_MEMBER_ACTIVE, (tcn_wall){0});
        }
    }
}

static void set_sign_key(world *w, const char *name, int64_t from, int64_t until)
{
    tcn_card *card = world_card_edit(w, name);
    card->key[1].from.unix_ms = from;
    card->key[1].until.unix_ms = until;
    world_sign(w);
}

static void test_key_validity(void **state)
{
    world *w = *state;
    tcn_verified v;
    world_alert a =
        world_alert_make(w, &(world_options){.publisher = "pub", .approvers = {"app-a"}});
    set_sign_key(w, "pub", NOW, NOW + 1);
    accepted(w, a.envelope);
    set_sign_key(w, "pub", NOW - 10, NOW);
    refused(w, a.envelope, TCN_EXPIRED);
    set_sign_key(w, "pub", NOW + 1, NOW + HOUR_MS);
    refused(w, a.envelope, TCN_TOO_EARLY);
    /* Valid when created, over now: a broker takes nothing new, an agent keeps what was. */
    set_sign_key(w, "pub", NOW - 10, NOW + 10);
    world_set_now(w, (tcn_wall){NOW + 10});
    assert_int_equal(verify(w, true, a.envelope, &v), TCN_EXPIRED);
    assert_int_equal(verify(w, false, a.envelope, &v), TCN_OK);
    /* An approver's new key may be younger than the alert. */
    set_sign_key(w, "pub", NOW - 10, NOW + HOUR_MS);
    set_sign_key(w, "app-a", NOW + 5, NOW + HOUR_MS);
    accepted(w, a.envelope);
    set_sign_key(w, "app-a", NOW + 11, NOW + HOUR_MS);
    assert_int_equal(verify(w, true, a.envelope, &v), TCN_TOO_EARLY);
    set_sign_key(w, "app-a", NOW + WORLD_DAY_MS, NOW + 2 * WORLD_DAY_MS);
    refused(w, a.envelope, TCN_TOO_EARLY);
    set_sign_key(w, "app-a", NOW - 10, NOW);
    refused(w, a.envelope, TCN_EXPIRED);
}

static void test_times(void **state)
{
    world *w = *state;
    tcn_verified v;
    world_alert a = world_alert_make(w, &(world_options){.publisher = "pub"});
    world_set_now(w, (tcn_wall){NOW + WORLD_DAY_MS - 1});
    accepted(w, a.envelope);
    world_set_now(w, (tcn_wall){NOW + WORLD_DAY_MS});
    assert_int_equal(verify(w, true, a.envelope, &v), TCN_EXPIRED);
    assert_int_equal(verify(w, false, a.envelope, &v), TCN_OK);
    assert_int_equal(v.marks, TCN_MARK_EXPIRED_BY_OUR_CLOCK);
    /* A publisher's clock a day ahead is let pass, more is not; an agent marks. */
    world_set_now(w, (tcn_wall){NOW - WORLD_DAY_MS});
    accepted(w, a.envelope);
    world_set_now(w, (tcn_wall){NOW - WORLD_DAY_MS - 1});
    assert_int_equal(verify(w, false, a.envelope, &v), TCN_OK);
    assert_int_equal(v.marks, TCN_MARK_TOO_EARLY);
    set_sign_key(w, "pub", NOW - 2 * WORLD_DAY_MS, NOW + WORLD_DAY_MS);
    assert_int_equal(verify(w, true, a.envelope, &v), TCN_TOO_EARLY);
}

static void test_policy(void **state)
{
    world *w = *state;
    tcn_verified v;
    world_alert a = world_alert_make(w, &(world_options){.publisher = "pub"});
    world_policy(w)->max_validity_ms = (uint64_t)WORLD_DAY_MS;
    world_policy(w)->max_body_bytes = 5;
    world_sign(w);
    accepted(w, a.envelope);
    world_policy(w)->max_validity_ms = (uint64_t)WORLD_DAY_MS - 1;
    world_sign(w);
    assert_int_equal(verify(w, true, a.envelope, &v), TCN_TOO_LARGE);
    assert_int_equal(verify(w, false, a.envelope, &v), TCN_OK);
    world_policy(w)->max_validity_ms = (uint64_t)WORLD_DAY_MS;
    world_policy(w)->max_body_bytes = 4;
    world_sign(w);
    assert_int_equal(verify(w, true, a.envelope, &v), TCN_TOO_LARGE);
    assert_int_equal(verify(w, false, a.envelope, &v), TCN_OK);
}

static void test_stale_trust(void **state)
{
    world *w = *state;
    world_policy(w)->lifetime_ms = (uint64_t)HOUR_MS;
    world_policy(w)->grace_ms = (uint64_t)HOUR_MS;
    world_sign(w);
    world_alert bulk = world_alert_make(w, &(world_options){.publisher = "pub"});
    world_alert emergency =
        world_alert_make(w, &(world_options){.publisher = "pub", .lane = TCN_LANE_EMERGENCY});
    world_set_now(w, (tcn_wall){NOW + HOUR_MS - 1});
    accepted(w, bulk.envelope);
    for (int64_t at = NOW + HOUR_MS; at <= NOW + 2 * HOUR_MS; at += HOUR_MS) {
        tcn_verified v;
        world_set_now(w, (tcn_wall){at});
        refused(w, bulk.envelope, TCN_STALE);
        assert_int_equal(verify(w, true, emergency.envelope, &v), TCN_OK);
        assert_int_equal(v.marks, TCN_MARK_STALE_TRUST);
        assert_int_equal(verify(w, false, emergency.envelope, &v), TCN_OK);
        assert_int_equal(v.marks, TCN_MARK_STALE_TRUST);
    }
    world_set_now(w, (tcn_wall){NOW + 2 * HOUR_MS + 1});
    refused(w, emergency.envelope, TCN_STALE);
}

/* What ended together with the bundle lasts as long as its grace, for emergencies. */
static void test_keys_last_through_the_grace(void **state)
{
    world *w = *state;
    world_policy(w)->lifetime_ms = (uint64_t)HOUR_MS;
    world_policy(w)->grace_ms = (uint64_t)HOUR_MS;
    tcn_card *card = world_card_edit(w, "pub");
    for (unsigned i = 0; i < card->keys; i++)
        card->key[i].until = (tcn_wall){NOW + HOUR_MS};
    world_sign(w);
    world_set_now(w, (tcn_wall){NOW + HOUR_MS + HOUR_MS / 2});
    world_alert bulk = world_alert_make(w, &(world_options){.publisher = "pub"});
    world_alert emergency =
        world_alert_make(w, &(world_options){.publisher = "pub", .lane = TCN_LANE_EMERGENCY});
    tcn_verified v;
    /* Its keys are over in this bundle, but that is no last word: newer trust decides. */
    refused(w, bulk.envelope, TCN_STALE);
    for (int accepting = 0; accepting <= 1; accepting++) {
        assert_int_equal(verify(w, accepting, emergency.envelope, &v), TCN_OK);
        assert_int_equal(v.marks, TCN_MARK_STALE_TRUST);
    }
    world_set_now(w, (tcn_wall){NOW + 2 * HOUR_MS + 1});
    refused(w, emergency.envelope, TCN_STALE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
        T(test_plain),
        T(test_truncated_and_overlong),
        T(test_every_flipped_bit),
        T(test_forged_and_foreign_signatures),
        T(test_unknown_key),
        T(test_missing_author),
        T(test_wrong_type_and_program),
        T(test_grants),
        T(test_two_person_rule),
        T(test_cancels),
        T(test_revocation),
        T(test_key_validity),
        T(test_times),
        T(test_policy),
        T(test_stale_trust),
        T(test_keys_last_through_the_grace),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
