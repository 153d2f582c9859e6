/* SPDX-License-Identifier: Apache-2.0 */
/* test_bundle.c - what a trust bundle may say, and who is found in it. */
#include "libtocsin/bundle.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/support/mem.h"
#include "tests/support/world.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define NOW INT64_C(1790000000000)

/* A bundle made by hand: two issuers, one broker. */
static tcn_bundle by_hand(void)
{
    tcn_bundle b = {.program = {{1}},
                    .program_name = "Programm Süd",
                    .version = 3,
                    .issued = {NOW},
                    .expires = {NOW + 1},
                    .issuers = 2,
                    .brokers = 1};
    tcn_policy_default(&b.policy);
    b.issuer = mem_zeroed(2 * sizeof(*b.issuer));
    b.broker = mem_zeroed(2 * sizeof(*b.broker));
    strcpy(b.issuer[0].name, "app");
    strcpy(b.issuer[1].name, "pub");
    for (uint8_t i = 0; i < 2; i++) {
        tcn_issuer *issuer = &b.issuer[i];
        issuer->roles = i == 0 ? TCN_ROLE_APPROVER : TCN_ROLE_PUBLISHER;
        issuer->keys = 2;
        for (uint8_t k = 0; k < 2; k++) {
            issuer->key[k].public_key.b[0] = (uint8_t)(10 * i + k);
            issuer->key[k].kid = tcn_kid(&issuer->key[k].public_key);
            issuer->key[k].from.unix_ms = NOW;
            issuer->key[k].until.unix_ms = NOW + 1;
        }
    }
    b.issuer[1].publishes = 1;
    b.issuer[1].publish = mem_zeroed(sizeof(*b.issuer[1].publish));
    strcpy(b.issuer[1].publish[0], "advisory.>");
    b.issuer[1].max_tlp = TCN_TLP_AMBER;
    b.issuer[1].emergency = true;
    b.issuer[1].state = TCN_MEMBER_COMPROMISED;
    b.issuer[1].since.unix_ms = NOW - 7;
    strcpy(b.broker[0].name, "broker");
    b.broker[0].sessions = b.broker[0].emergencies = 2;
    strcpy(b.broker[0].session[0], "broker.example.org:7001");
    strcpy(b.broker[0].session[1], "[2001:db8::1]:7001");
    strcpy(b.broker[0].emergency[0], "192.0.2.1:65535");
    strcpy(b.broker[0].emergency[1], "b:1");
    return b;
}

static tcn_err encode(const tcn_bundle *bundle, uint8_t **payload, size_t *len)
{
    tcn_fault fault = {.err = TCN_OK};
    tcn_err err = tcn_bundle_encode(bundle, payload, len, &fault);
    assert_int_equal(fault.err, err);
    return err;
}

static void test_round_trip(void **state)
{
    (void)state;
    tcn_bundle before = by_hand(), after;
    uint8_t *payload, *again;
    size_t len, again_len;
    assert_int_equal(encode(&before, &payload, &len), TCN_OK);
    assert_int_equal(tcn_bundle_decode(tcn_bytes_of(payload, len), &after, NULL), TCN_OK);
    assert_string_equal(after.program_name, "Programm Süd");
    assert_int_equal(after.issuers, 2);
    assert_string_equal(after.issuer[1].publish[0], "advisory.>");
    assert_int_equal(after.issuer[1].state, TCN_MEMBER_COMPROMISED);
    assert_int_equal(after.issuer[1].since.unix_ms, NOW - 7);
    assert_int_equal(after.issuer[1].max_tlp, TCN_TLP_AMBER);
    assert_true(after.issuer[1].emergency && !after.issuer[0].emergency);
    assert_int_equal(after.broker[0].sessions, 2);
    assert_string_equal(after.broker[0].session[1], "[2001:db8::1]:7001");
    assert_int_equal(after.policy.approvals, 2);
    assert_true(after.policy.max_body_bytes == TCN_MAX_BODY_BYTES);
    assert_int_equal(encode(&after, &again, &again_len), TCN_OK);
    assert_int_equal(again_len, len);
    assert_memory_equal(again, payload, len);
    free(payload);
    free(again);
    tcn_bundle_fini(&before);
    tcn_bundle_fini(&after);
    tcn_bundle_fini(&after);
}

#define WRONG(name, ...)                                                                           \
    static void name(tcn_bundle *b)                                                                \
    {                                                                                              \
        __VA_ARGS__;                                                                               \
    }
WRONG(version_0, b->version = 0)
WRONG(program_name_empty, b->program_name[0] = '\0')
WRONG(expires_issued, b->expires = b->issued)
WRONG(issuer_name, strcpy(b->issuer[0].name, "-a"))
WRONG(issuers_order, strcpy(b->issuer[0].name, "zz"))
WRONG(issuer_twice, strcpy(b->issuer[0].name, "pub"))
WRONG(issuer_is_node, b->issuer[0].roles = TCN_ROLE_NODE)
WRONG(issuer_also_node, b->issuer[0].roles |= TCN_ROLE_OPERATOR)
WRONG(issuer_no_role, b->issuer[0].roles = 0)
WRONG(issuer_no_key, b->issuer[0].keys = 0)
WRONG(key_twice, b->issuer[0].key[1].public_key = b->issuer[0].key[0].public_key)
WRONG(key_of_another, b->issuer[0].key[1].public_key = b->issuer[1].key[1].public_key)
WRONG(key_until_from, b->issuer[0].key[1].until = b->issuer[0].key[1].from)
WRONG(pattern, strcpy(b->issuer[1].publish[0], "a..b"))
WRONG(tlp_5, b->issuer[0].max_tlp = (tcn_tlp)5)
WRONG(state_4, b->issuer[0].state = (tcn_member_state)4)
WRONG(no_broker, b->brokers = 0)
WRONG(broker_twice, b->broker[1] = b->broker[0]; b->brokers = 2)
WRONG(no_session, b->broker[0].sessions = 0)
WRONG(no_emergency, b->broker[0].emergencies = 0)
WRONG(approvals_0, b->policy.approvals = 0)
WRONG(approvals_9, b->policy.approvals = 9)
WRONG(validity_0, b->policy.max_validity_ms = 0)
WRONG(validity_367_days, b->policy.max_validity_ms = UINT64_C(367) * 86400000)
WRONG(body_max, b->policy.max_body_bytes = TCN_MAX_BODY_BYTES_MAX + UINT64_C(1))
WRONG(grace_endless, b->policy.grace_ms = UINT64_MAX)
WRONG(lifetime_0, b->policy.lifetime_ms = 0)
#undef WRONG

typedef void damage(tcn_bundle *b);

static void test_each_rule(void **state)
{
    (void)state;
    static damage *const damages[] = {
        version_0,     program_name_empty, expires_issued,   issuer_name,       issuers_order,
        issuer_twice,  issuer_is_node,     issuer_also_node, issuer_no_role,    issuer_no_key,
        key_twice,     key_of_another,     key_until_from,   pattern,           tlp_5,
        state_4,       no_broker,          broker_twice,     no_session,        no_emergency,
        approvals_0,   approvals_9,        validity_0,       validity_367_days, body_max,
        grace_endless, lifetime_0,
    };
    for (size_t i = 0; i < COUNT(damages); i++) {
        tcn_bundle b = by_hand();
        uint8_t *payload = NULL;
        size_t len;
        damages[i](&b);
        if (encode(&b, &payload, &len) != TCN_MALFORMED)
            fail_msg("damage %zu is not refused as it should be", i);
        assert_null(payload);
        tcn_bundle_fini(&b);
    }
}

static void test_endpoints(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "host",        "host:",   ":1",      "host:0",    "host:01", "host:65536", "host:99999",
        "host:123456", "host:1a", "ho st:1", "tcp://h:1", "[::1]",   "[]:1",       "[::1:1",
        "[::1]x:1",    "::1:80/", "h/x:1",   "[host]:1",  "a:b:1"};
    for (size_t i = 0; i < COUNT(bad); i++) {
        tcn_bundle b = by_hand();
        uint8_t *payload;
        size_t len;
        strcpy(b.broker[0].emergency[1], bad[i]);
        if (encode(&b, &payload, &len) != TCN_MALFORMED)
            fail_msg("%s is taken for an endpoint", bad[i]);
        tcn_bundle_fini(&b);
    }
}

static void test_finding(void **state)
{
    (void)state;
    tcn_bundle hand = by_hand(), decoded;
    uint8_t *payload;
    size_t len;
    assert_int_equal(encode(&hand, &payload, &len), TCN_OK);
    assert_int_equal(tcn_bundle_decode(tcn_bytes_of(payload, len), &decoded, NULL), TCN_OK);
    free(payload);
    assert_null(hand.kid); /* found by looking at all */
    assert_int_equal(decoded.kids, 4);
    const tcn_bundle *both[] = {&hand, &decoded};
    for (size_t i = 0; i < 2; i++) {
        const tcn_bundle *b = both[i];
        tcn_id nobody = {{1, 2, 3}};
        unsigned key;
        for (size_t n = 0; n < 2; n++) {
            assert_ptr_equal(tcn_bundle_issuer(b, tcn_bytes_str(b->issuer[n].name)), &b->issuer[n]);
            for (unsigned k = 0; k < 2; k++) {
                key = 99;
                assert_ptr_equal(tcn_bundle_signer(b, &b->issuer[n].key[k].kid, &key),
                                 &b->issuer[n]);
                assert_int_equal(key, k);
            }
        }
        assert_null(tcn_bundle_signer(b, &nobody, &key));
        assert_null(tcn_bundle_issuer(b, tcn_bytes_str("ap")));
        assert_null(tcn_bundle_issuer(b, tcn_bytes_str("")));
    }
    tcn_bundle_fini(&hand);
    tcn_bundle_fini(&decoded);
    tcn_bundle none = {.issuers = 0};
    assert_null(tcn_bundle_issuer(&none, tcn_bytes_str("pub")));
}

static void test_default_policy(void **state)
{
    (void)state;
    tcn_policy policy;
    tcn_policy_default(&policy);
    assert_int_equal(policy.approvals, 2);
    assert_true(policy.max_validity_ms == UINT64_C(366) * 86400000);
    assert_true(policy.grace_ms == UINT64_C(30) * 86400000);
    assert_true(policy.lifetime_ms == UINT64_C(366) * 86400000);
}

static tcn_err open_bundle(const world *w, tcn_bytes envelope)
{
    tcn_bundle bundle;
    tcn_fault fault = {.err = TCN_OK};
    tcn_err err = tcn_bundle_open(envelope, world_authority(w), &bundle, &fault);
    assert_int_equal(fault.err, err);
    if (err == TCN_OK)
        tcn_bundle_fini(&bundle);
    return err;
}

static void test_opening(void **state)
{
    (void)state;
    world *w = world_new((tcn_wall){NOW});
    world_sign(w);
    tcn_bytes envelope = world_bundle_envelope(w);
    assert_int_equal(open_bundle(w, envelope), TCN_OK);
    uint8_t *bytes = mem_copy(envelope);
    for (size_t i = 0; i < envelope.len; i++) {
        assert_int_equal(open_bundle(w, tcn_bytes_of(bytes, i)), TCN_MALFORMED);
        bytes[i] ^= 0x20;
        assert_int_not_equal(open_bundle(w, tcn_bytes_of(bytes, envelope.len)), TCN_OK);
        bytes[i] ^= 0x20;
    }
    free(bytes);
    assert_int_equal(open_bundle(w, world_card_envelope(w, "broker")), TCN_WRONG_TYPE);
    /* Another program's bundle, though signed with our authority's key. */
    tcn_bundle foreign = by_hand();
    uint8_t *payload, sealed[4096];
    size_t len;
    assert_int_equal(encode(&foreign, &payload, &len), TCN_OK);
    assert_int_equal(tcn_cose_seal(TCN_OBJECT_BUNDLE, world_program(w), tcn_bytes_of(payload, len),
                                   TCN_ROLE_AUTHORITY, world_authority_secret(w), sealed,
                                   sizeof(sealed), &len),
                     TCN_OK);
    assert_int_equal(open_bundle(w, tcn_bytes_of(sealed, len)), TCN_WRONG_PROGRAM);
    free(payload);
    tcn_bundle_fini(&foreign);
    world_free(&w);
}

static void test_mutated(void **state)
{
    (void)state;
    tcn_bundle b = by_hand();
    uint8_t *payload;
    uint32_t seed = 4;
    size_t len;
    assert_int_equal(encode(&b, &payload, &len), TCN_OK);
    for (unsigned round = 0; round < 20000; round++) {
        tcn_bundle decoded;
        uint8_t *copy = mem_copy(tcn_bytes_of(payload, len));
        seed = seed * 1664525U + 1013904223U;
        copy[(seed >> 8) % len] = (uint8_t)(seed >> 3);
        if (tcn_bundle_decode(tcn_bytes_of(copy, len), &decoded, NULL) == TCN_OK) {
            assert_int_equal(tcn_cbor_check(tcn_bytes_of(copy, len), 64), TCN_OK);
            tcn_bundle_fini(&decoded);
        }
        free(copy);
    }
    free(payload);
    tcn_bundle_fini(&b);
}

static void test_too_large(void **state)
{
    (void)state;
    tcn_bundle b;
    size_t size = (size_t)TCN_MAX_BUNDLE_BYTES + 1;
    uint8_t *large = mem_zeroed(size);
    assert_int_equal(tcn_bundle_decode(tcn_bytes_of(large, size), &b, NULL), TCN_TOO_LARGE);
    free(large);
    /* Issuers by the thousand, each at its limits, that do not fit together. */
    b = by_hand();
    uint8_t *payload = NULL;
    size_t len, many = 600;
    tcn_issuer model = b.issuer[0];
    free(b.issuer[1].publish);
    b.issuer = mem_grown(b.issuer, many * sizeof(*b.issuer));
    for (size_t i = 0; i < many; i++) {
        b.issuer[i] = model;
        b.issuer[i].publishes = TCN_MAX_PATTERNS;
        b.issuer[i].publish = mem_zeroed(TCN_MAX_PATTERNS * sizeof(*model.publish));
        for (unsigned p = 0; p < TCN_MAX_PATTERNS; p++)
            memset(b.issuer[i].publish[p], 'x', TCN_MAX_TOPIC_CHARS);
    }
    b.issuers = many;
    assert_int_equal(encode(&b, &payload, &len), TCN_TOO_LARGE);
    assert_null(payload);
    tcn_bundle_fini(&b);
}

/* More issuers than a frame holds; in order of name, each found by its key. */
static void test_many_issuers(void **state)
{
    (void)state;
    tcn_bundle b = by_hand(), decoded;
    uint8_t *payload;
    size_t len, many = 2000;
    tcn_issuer model = b.issuer[0];
    free(b.issuer[1].publish);
    b.issuer = mem_grown(b.issuer, many * sizeof(*b.issuer));
    for (size_t i = 0; i < many; i++) {
        b.issuer[i] = model;
        snprintf(b.issuer[i].name, sizeof(b.issuer[i].name), "m%05zu", i);
        b.issuer[i].keys = 1;
        memcpy(b.issuer[i].key[0].public_key.b, &i, sizeof(i));
    }
    b.issuers = many;
    assert_int_equal(encode(&b, &payload, &len), TCN_OK);
    assert_int_equal(tcn_bundle_decode(tcn_bytes_of(payload, len), &decoded, NULL), TCN_OK);
    for (size_t i = 0; i < many; i++) {
        unsigned key;
        assert_ptr_equal(tcn_bundle_signer(&decoded, &decoded.issuer[i].key[0].kid, &key),
                         &decoded.issuer[i]);
    }
    free(payload);
    tcn_bundle_fini(&b);
    tcn_bundle_fini(&decoded);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip),     cmocka_unit_test(test_each_rule),
        cmocka_unit_test(test_endpoints),      cmocka_unit_test(test_finding),
        cmocka_unit_test(test_default_policy), cmocka_unit_test(test_opening),
        cmocka_unit_test(test_mutated),        cmocka_unit_test(test_too_large),
        cmocka_unit_test(test_many_issuers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
