/* SPDX-License-Identifier: Apache-2.0 */
/* test_golden.c - the golden vectors of docs/protocol.md, made by an independent implementation
 * (tests/interop/golden.py): everything is read here, and written again to the same bytes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "cli/invite.h"
#include "libtocsin/ack.h"
#include "libtocsin/authority.h"
#include "libtocsin/roster.h"
#include "libtocsin/trust.h"
#include "libtocsin/wire.h"
#include "tests/support/hex.h"

#define NOW INT64_C(1767225600000) /* 2026-01-01T00:00:00Z */
#define MAX_BYTES 8192             /* the largest vector */
#define MAX_VECTORS 256

static json_t *document;
static uint8_t memory[MAX_VECTORS][MAX_BYTES];
static size_t used;

static int load(void **state)
{
    (void)state;
    json_error_t error;
    document =
        json_load_file(TOCSIN_TEST_DATA "/golden/vectors.json", JSON_REJECT_DUPLICATES, &error);
    if (document == NULL)
        print_error("%s:%d: %s\n", error.source, error.line, error.text);
    return document == NULL || tcn_keys_init() != TCN_OK ? -1 : 0;
}

static int unload(void **state)
{
    (void)state;
    json_decref(document);
    return 0;
}

/* A vector's bytes live until the test is over. */
static int forget(void **state)
{
    (void)state;
    used = 0;
    return 0;
}

static tcn_bytes bytes_of(const json_t *hex)
{
    assert_non_null(json_string_value(hex));
    assert_true(used < MAX_VECTORS);
    return hex_bytes(json_string_value(hex), memory[used++], MAX_BYTES);
}

static tcn_bytes golden(const char *section, const char *name)
{
    const json_t *hex = json_object_get(json_object_get(document, section), name);
    if (hex == NULL)
        fail_msg("there is no vector %s of %s", name, section);
    return bytes_of(hex);
}

static tcn_bytes object(const char *name)
{
    return golden("objects", name);
}

static tcn_bytes part(const char *name)
{
    return golden("parts", name);
}

static tcn_bytes key(const char *member, const char *what)
{
    return bytes_of(
        json_object_get(json_object_get(json_object_get(document, "keys"), member), what));
}

static void assert_bytes(tcn_bytes actual, tcn_bytes expected)
{
    assert_int_equal(actual.len, expected.len);
    assert_memory_equal(actual.ptr, expected.ptr, expected.len);
}

static void assert_id(tcn_id actual, tcn_bytes expected)
{
    assert_bytes(tcn_bytes_of(actual.b, sizeof(actual.b)), expected);
}

static tcn_sign_secret secret_of(const char *member)
{
    tcn_sign_secret secret;
    tcn_sign_from_seed(key(member, "seed").ptr, &secret);
    return secret;
}

static tcn_sign_public authority(void)
{
    tcn_sign_public public;
    memcpy(public.b, key("authority", "public").ptr, sizeof(public.b));
    return public;
}

static tcn_id program(void)
{
    tcn_sign_public public = authority();
    return tcn_kid(&public);
}

static void assert_ok(tcn_err err, const tcn_fault *fault)
{
    if (err != TCN_OK)
        fail_msg("%s: %s", tcn_err_text(err), fault->text);
}

/* ---- keys and parts ---- */

static void test_keys(void **state)
{
    (void)state;
    const char *member;
    json_t *unused;
    json_object_foreach(json_object_get(document, "keys"), member, unused)
    {
        tcn_secrets secrets = {.sign = secret_of(member)};
        tcn_publics publics;
        tcn_bytes transport = key(member, "transport");
        memcpy(secrets.transport.b, transport.ptr, sizeof(secrets.transport.b));
        tcn_secrets_publics(&secrets, &publics);
        assert_bytes(tcn_bytes_of(publics.sign.b, 32), key(member, "public"));
        assert_bytes(tcn_bytes_of(publics.transport.b, 32), key(member, "transport-public"));
        assert_id(tcn_kid(&publics.sign), key(member, "kid"));
    }
    assert_id(program(), part("kid"));
}

static void test_audience_mark(void **state)
{
    (void)state;
    tcn_fault fault = {.err = TCN_OK};
    tcn_card card;
    tcn_alert alert;
    tcn_sign_public pinned = authority();
    assert_ok(tcn_card_open(object("card"), &pinned, &card, &fault), &fault);
    assert_ok(tcn_alert_decode(object("alert-bulk-payload"), &alert, &fault), &fault);
    tcn_id mark = tcn_audience_mark(&alert.meta.id, &card.audience_id);
    assert_id(mark, part("audience-mark"));
    assert_true(tcn_alert_has_audience_mark(&alert.meta, &mark));
    tcn_card_fini(&card);
}

/* What an approver signs, from the headers to the signature. */
static void test_approval(void **state)
{
    (void)state;
    tcn_cose cose;
    uint8_t bytes[MAX_BYTES];
    size_t len;
    tcn_id id = program();
    tcn_sign_secret secret = secret_of("vendor");
    tcn_bytes payload = object("alert-emergency-payload"), aad = part("external-aad-approval");
    tcn_hash hash = tcn_hash_of(payload);
    assert_bytes(tcn_bytes_of(hash.b, sizeof(hash.b)), part("payload-hash"));

    assert_int_equal(tcn_cose_decode(object("alert-emergency"), TCN_OBJECT_ALERT, &cose), TCN_OK);
    assert_bytes(cose.protected_header, part("body-header"));
    unsigned approver = cose.signer[0].role == TCN_ROLE_APPROVER ? 0 : 1;
    assert_bytes(cose.signer[approver].protected_header, part("signer-header"));
    assert_int_equal(tcn_cose_tbs(cose.protected_header, cose.signer[approver].protected_header,
                                  aad, payload, bytes, sizeof(bytes), &len),
                     TCN_OK);
    assert_bytes(tcn_bytes_of(bytes, len), part("sig-structure"));
    tcn_signature signature;
    tcn_sign(&secret, part("sig-structure"), &signature);
    assert_memory_equal(signature.b, cose.signer[approver].signature.b, sizeof(signature.b));

    assert_int_equal(tcn_trust_approve(&id, payload, &secret, bytes, sizeof(bytes), &len), TCN_OK);
    assert_bytes(tcn_bytes_of(bytes, len), part("approval-signature"));
    tcn_bytes tail = tcn_bytes_of(aad.ptr + aad.len - sizeof(id.b), sizeof(id.b));
    assert_id(id, tail);
}

/* ---- membership ---- */

static void test_card(void **state)
{
    (void)state;
    tcn_fault fault = {.err = TCN_OK};
    tcn_card card;
    uint8_t payload[TCN_MAX_CARD_BYTES];
    size_t len;
    tcn_sign_public pinned = authority();
    assert_ok(tcn_card_open(object("card"), &pinned, &card, &fault), &fault);
    assert_string_equal(card.name, "north");
    assert_int_equal(card.version, 7);
    assert_int_equal(card.roles, TCN_ROLE_NODE);
    assert_int_equal(card.communities, 2);
    assert_ok(tcn_card_encode(&card, payload, sizeof(payload), &len, &fault), &fault);
    assert_bytes(tcn_bytes_of(payload, len), object("card-payload"));
    tcn_card_fini(&card);
}

static void test_bundle(void **state)
{
    (void)state;
    tcn_fault fault = {.err = TCN_OK};
    tcn_bundle bundle;
    uint8_t *payload;
    size_t len;
    tcn_sign_public pinned = authority();
    assert_ok(tcn_bundle_open(object("bundle"), &pinned, &bundle, &fault), &fault);
    assert_int_equal(bundle.issuers, 3);
    assert_string_equal(bundle.broker[0].emergency[1], "[2001:db8::1]:7701");
    assert_ok(tcn_bundle_encode(&bundle, &payload, &len, &fault), &fault);
    assert_bytes(tcn_bytes_of(payload, len), object("bundle-payload"));
    free(payload);
    tcn_bundle_fini(&bundle);
}

/* Signed anew from its cards alone, the trust file comes out the same: cards, roster, bundle. */
static void test_trust_file(void **state)
{
    (void)state;
    tcn_fault fault = {.err = TCN_OK};
    tcn_roster *roster;
    tcn_card card[4];
    uint8_t *file;
    size_t len;
    tcn_sign_public pinned = authority();
    tcn_sign_secret secret = secret_of("authority");
    assert_ok(tcn_roster_open(object("trust-file"), &pinned, &roster, &fault), &fault);
    assert_int_equal(tcn_roster_members(roster), 4);
    for (size_t i = 0; i < 4; i++)
        card[i] = *tcn_roster_member(roster, i);
    const tcn_bundle *bundle = tcn_roster_bundle(roster);
    const tcn_roster_draft draft = {.program_name = bundle->program_name,
                                    .version = tcn_roster_version(roster),
                                    .issued = tcn_roster_issued(roster),
                                    .expires = tcn_roster_expires(roster),
                                    .policy = bundle->policy,
                                    .brokers = bundle->brokers,
                                    .broker = bundle->broker,
                                    .cards = 4,
                                    .card = card};
    assert_ok(tcn_roster_sign(&draft, &secret, NULL, &file, &len, &fault), &fault);
    assert_bytes(tcn_bytes_of(file, len), object("trust-file"));
    tcn_bytes payload;
    assert_ok(tcn_authority_open(TCN_OBJECT_ROSTER, object("roster"), TCN_MAX_ROSTER_BYTES, &pinned,
                                 &payload, &fault),
              &fault);
    assert_bytes(payload, object("roster-payload"));
    free(file);
    tcn_roster_unref(&roster);
}

static void test_invite(void **state)
{
    (void)state;
    tcn_fault fault = {.err = TCN_OK};
    tcn_invite invite;
    bool is_one = false;
    assert_ok(tcn_invite_open(object("invite"), &invite, &is_one, &fault), &fault);
    assert_true(is_one);
    assert_bytes(invite.bundle_envelope, object("bundle"));
    assert_bytes(invite.card_envelope, object("card"));
    tcn_invite_fini(&invite);
}

/* ---- alerts ---- */

typedef struct {
    const char *member;
    tcn_role role;
} signer;

/* The payload written again, and the envelope sealed again by these signers. */
static void check_rewritten(const char *name, tcn_bytes envelope, const tcn_alert *alert,
                            const signer *signers, unsigned count)
{
    tcn_fault fault = {.err = TCN_OK};
    char payload_name[64];
    uint8_t bytes[MAX_BYTES], header[2][64];
    tcn_cose_signer made[2];
    size_t len;
    tcn_id id = program();
    (void)snprintf(payload_name, sizeof(payload_name), "%s-payload", name);
    tcn_bytes payload = object(payload_name);
    assert_ok(tcn_alert_encode(alert, bytes, sizeof(bytes), &len, &fault), &fault);
    assert_bytes(tcn_bytes_of(bytes, len), payload);
    for (unsigned i = 0; i < count; i++) {
        tcn_sign_secret secret = secret_of(signers[i].member);
        tcn_cose_sign(TCN_OBJECT_ALERT, &id, payload, signers[i].role, &secret, &made[i],
                      header[i]);
    }
    assert_int_equal(
        tcn_cose_encode(TCN_OBJECT_ALERT, payload, made, count, bytes, sizeof(bytes), &len),
        TCN_OK);
    assert_bytes(tcn_bytes_of(bytes, len), envelope);
}

static tcn_verified check_alert(const char *name, const signer *signers, unsigned count)
{
    tcn_fault fault = {.err = TCN_OK};
    tcn_bundle bundle;
    tcn_verified verified;
    tcn_sign_public pinned = authority();
    tcn_bytes envelope = object(name);
    assert_ok(tcn_bundle_open(object("bundle"), &pinned, &bundle, &fault), &fault);
    tcn_trust_view view = {.bundle = &bundle, .now = {NOW}, .accepting = true};
    assert_ok(tcn_trust_verify_alert(&view, envelope, &verified, &fault), &fault);
    assert_true(verified.approvals >= verified.approvals_needed);
    check_rewritten(name, envelope, &verified.alert, signers, count);
    tcn_bundle_fini(&bundle);
    return verified;
}

static void test_alert_bulk(void **state)
{
    (void)state;
    const signer author = {"vendor", TCN_ROLE_PUBLISHER};
    tcn_verified v = check_alert("alert-bulk", &author, 1);
    assert_int_equal(v.alert.meta.tlp, TCN_TLP_RED);
    assert_int_equal(v.alert.meta.texts, 2);
    assert_int_equal(v.alert.meta.not_before.unix_ms, NOW + 3600000);
    assert_bytes(v.alert.body, tcn_bytes_str("X before 1.2 lets anybody in.\n"));
}

static void test_alert_external(void **state)
{
    (void)state;
    const signer author = {"vendor", TCN_ROLE_PUBLISHER};
    tcn_verified v = check_alert("alert-external", &author, 1);
    assert_true(v.alert.external);
    assert_int_equal(v.alert.body_size, 100000);
}

static void test_alert_emergency(void **state)
{
    (void)state;
    const signer signers[] = {{"vendor", TCN_ROLE_APPROVER}, {"cert", TCN_ROLE_PUBLISHER}};
    tcn_verified v = check_alert("alert-emergency", signers, 2);
    assert_int_equal(v.approvals_needed, 2);
    assert_int_equal(v.alert.meta.lane, TCN_LANE_EMERGENCY);
}

static void test_cancel(void **state)
{
    (void)state;
    const signer author = {"cert", TCN_ROLE_PUBLISHER};
    tcn_verified v = check_alert("cancel", &author, 1);
    assert_int_equal(v.approvals_needed, 1);
    assert_int_equal(v.marks, TCN_MARK_ALL_CLEAR);
    assert_int_equal(v.alert.meta.references, 1);
}

static void test_ack(void **state)
{
    (void)state;
    tcn_fault fault = {.err = TCN_OK};
    tcn_card card;
    tcn_ack ack;
    uint8_t bytes[2048];
    size_t len;
    tcn_cose cose;
    tcn_id id = program();
    tcn_sign_public pinned = authority();
    tcn_sign_secret secret = secret_of("north");
    tcn_bytes envelope = object("ack");
    assert_ok(tcn_card_open(object("card"), &pinned, &card, &fault), &fault);
    assert_ok(tcn_ack_open(envelope, &card, (tcn_wall){NOW}, &ack, &fault), &fault);
    assert_int_equal(ack.answer, TCN_ANSWER_ACTING);
    assert_bytes(ack.by, tcn_bytes_str("Ann Duty"));
    assert_int_equal(tcn_ack_seal(&ack, &id, &secret, bytes, sizeof(bytes), &len), TCN_OK);
    assert_bytes(tcn_bytes_of(bytes, len), envelope);
    assert_int_equal(tcn_cose_decode(envelope, TCN_OBJECT_ACK, &cose), TCN_OK);
    assert_bytes(cose.payload, object("ack-payload"));
    tcn_card_fini(&card);
}

/* ---- frames ---- */

static tcn_wire frame(const char *op)
{
    tcn_wire wire;
    assert_int_equal(tcn_wire_decode(golden("frames", op), &wire), TCN_OK);
    return wire;
}

static void test_every_frame(void **state)
{
    (void)state;
    static const struct {
        tcn_op op;
        const char *word;
    } ops[] = {
#define X(name, number, word) {TCN_OP_##name, word},
        TCN_OP_TABLE(X)
#undef X
    };
    uint8_t bytes[TCN_MAX_FRAME_BYTES];
    size_t len, count = sizeof(ops) / sizeof(ops[0]);
    assert_int_equal(json_object_size(json_object_get(document, "frames")), count);
    for (size_t i = 0; i < count; i++) {
        tcn_wire wire = frame(ops[i].word);
        assert_int_equal(wire.op, ops[i].op);
        assert_int_equal(tcn_wire_encode(&wire, bytes, sizeof(bytes), &len), TCN_OK);
        assert_bytes(tcn_bytes_of(bytes, len), golden("frames", ops[i].word));
        used = 0;
    }
}

static void test_frame_fields(void **state)
{
    (void)state;
    tcn_wire w = frame("hello");
    assert_int_equal(w.hello.mode, TCN_MODE_NODE);
    assert_int_equal(w.hello.subscriptions, 2);
    assert_int_equal(w.hello.cursor[TCN_LANE_BULK].seq, 41);
    assert_true(w.hello.cursor[TCN_LANE_BULK].tag == (UINT64_C(1) << 63) + 1);
    assert_int_equal(w.hello.lanes, 3);
    w = frame("welcome");
    assert_int_equal(w.welcome.time.unix_ms, NOW);
    assert_int_equal(w.welcome.start[TCN_LANE_EMERGENCY], 5);
    assert_int_equal(w.welcome.window_bytes, 262144);
    w = frame("receipt");
    assert_int_equal(w.receipt.lane, TCN_LANE_EMERGENCY);
    assert_int_equal(w.receipt.at.seq, 6);
    assert_true(w.receipt.at.tag == UINT64_MAX);
    w = frame("answer");
    assert_true(w.answer.has_state && w.answer.accepted && w.answer.has_seq);
    assert_int_equal(w.answer.seq, 42);
    assert_false(w.answer.has_missing || w.answer.has_offset);
    w = frame("submit");
    assert_bytes(w.submit.envelope, object("alert-bulk"));
    w = frame("alerts");
    assert_int_equal(w.alerts.need, 7);
    assert_int_equal(w.alerts.alerts.count, 2);
    w = frame("query");
    assert_int_equal(w.query.what, TCN_QUERY_EXPLAIN);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_keys, forget),
        cmocka_unit_test_teardown(test_audience_mark, forget),
        cmocka_unit_test_teardown(test_approval, forget),
        cmocka_unit_test_teardown(test_card, forget),
        cmocka_unit_test_teardown(test_bundle, forget),
        cmocka_unit_test_teardown(test_trust_file, forget),
        cmocka_unit_test_teardown(test_invite, forget),
        cmocka_unit_test_teardown(test_alert_bulk, forget),
        cmocka_unit_test_teardown(test_alert_external, forget),
        cmocka_unit_test_teardown(test_alert_emergency, forget),
        cmocka_unit_test_teardown(test_cancel, forget),
        cmocka_unit_test_teardown(test_ack, forget),
        cmocka_unit_test_teardown(test_every_frame, forget),
        cmocka_unit_test_teardown(test_frame_fields, forget),
    };
    return cmocka_run_group_tests(tests, load, unload);
}
