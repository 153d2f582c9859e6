/* SPDX-License-Identifier: Apache-2.0 */
/* test_roster.c - trust files: signed, carried over, opened, and put together wrongly. */
#include "libtocsin/roster.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "libtocsin/cbor.h"
#include "tests/support/mem.h"
#include "tests/support/world.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define NOW INT64_C(1790000000000)

static const tcn_wall now = {NOW};

static int setup(void **state)
{
    world *w = world_new(now);
    world_member_set(w, &(world_member){.name = "pub",
                                        .roles = TCN_ROLE_PUBLISHER | TCN_ROLE_NODE,
                                        .clearance = TCN_TLP_AMBER,
                                        .publish = {"advisory.>"},
                                        .emergency = true});
    world_member_set(w, &(world_member){.name = "app", .roles = TCN_ROLE_APPROVER});
    world_member_set(w, &(world_member){.name = "node-b", .roles = TCN_ROLE_NODE});
    world_member_set(w, &(world_member){.name = "node-a", .roles = TCN_ROLE_NODE});
    world_member_set(w, &(world_member){.name = "op", .roles = TCN_ROLE_OPERATOR});
    world_sign(w);
    *state = w;
    return 0;
}

static int teardown(void **state)
{
    world_free((world **)state);
    return 0;
}

static tcn_err open_file(const world *w, tcn_bytes file, tcn_fault *fault)
{
    tcn_roster *roster = NULL;
    *fault = (tcn_fault){.err = TCN_OK};
    tcn_err err = tcn_roster_open(file, world_authority(w), &roster, fault);
    assert_int_equal(fault->err, err);
    assert_int_equal(roster != NULL, err == TCN_OK);
    tcn_roster_unref(&roster);
    return err;
}

/* ---- a file taken apart and put together again ---- */

typedef struct {
    tcn_bytes roster, bundle;
    size_t cards;
    tcn_bytes card[16];
} parts;

static parts take_apart(tcn_bytes file)
{
    parts p;
    tcn_cbor_reader r;
    tcn_cbor_reader_init(&r, file);
    assert_int_equal(tcn_cbor_get_array(&r, 3), 3);
    p.roster = tcn_cbor_get_bytes(&r, SIZE_MAX);
    p.bundle = tcn_cbor_get_bytes(&r, SIZE_MAX);
    p.cards = tcn_cbor_get_array(&r, COUNT(p.card));
    for (size_t i = 0; i < p.cards; i++)
        p.card[i] = tcn_cbor_get_bytes(&r, SIZE_MAX);
    assert_int_equal(tcn_cbor_reader_done(&r), TCN_OK);
    return p;
}

/* Into memory of 65536 bytes. */
static tcn_bytes put_together(const parts *p, uint8_t *file)
{
    tcn_bytes whole;
    tcn_cbor_writer out;
    tcn_cbor_writer_init(&out, file, 65536);
    tcn_cbor_put_array(&out, 3);
    tcn_cbor_put_bytes(&out, p->roster);
    tcn_cbor_put_bytes(&out, p->bundle);
    tcn_cbor_put_array(&out, p->cards);
    for (size_t i = 0; i < p->cards; i++)
        tcn_cbor_put_bytes(&out, p->card[i]);
    assert_int_equal(tcn_cbor_writer_done(&out, &whole), TCN_OK);
    return whole;
}

static tcn_err open_parts(const world *w, const parts *p)
{
    static uint8_t file[65536];
    tcn_fault fault;
    return open_file(w, put_together(p, file), &fault);
}

static void test_contents(void **state)
{
    world *w = *state;
    const tcn_roster *roster = world_roster(w);
    static const char *const names[] = {"app", "broker", "node-a", "node-b", "op", "pub"};
    assert_int_equal(tcn_roster_version(roster), 1);
    assert_int_equal(tcn_roster_issued(roster).unix_ms, NOW);
    assert_true(tcn_roster_expires(roster).unix_ms > NOW);
    assert_int_equal(tcn_roster_members(roster), COUNT(names));
    for (size_t i = 0; i < COUNT(names); i++) {
        tcn_card card;
        assert_string_equal(tcn_roster_member(roster, i)->name, names[i]);
        assert_int_equal(tcn_roster_find(roster, names[i]), i);
        assert_int_equal(
            tcn_card_open(tcn_roster_card_envelope(roster, i), world_authority(w), &card, NULL),
            TCN_OK);
        assert_string_equal(card.name, names[i]);
        tcn_card_fini(&card);
    }
    assert_true(tcn_roster_find(roster, "nobody") == SIZE_MAX);
    assert_true(tcn_roster_find(roster, "") == SIZE_MAX);
}

static void test_bundle_from_cards(void **state)
{
    world *w = *state;
    const tcn_bundle *bundle = world_bundle(w);
    /* It names who may issue something, and nobody else. */
    assert_int_equal(bundle->issuers, 3);
    assert_string_equal(bundle->issuer[0].name, "app");
    assert_string_equal(bundle->issuer[1].name, "broker");
    assert_string_equal(bundle->issuer[2].name, "pub");
    const tcn_issuer *pub = &bundle->issuer[2];
    assert_int_equal(pub->roles,
                     TCN_ROLE_PUBLISHER); /* that it is a node, too, is its own affair */
    assert_int_equal(pub->keys, 1);
    assert_memory_equal(pub->key[0].public_key.b, world_publics(w, "pub").sign.b, 32);
    assert_int_equal(pub->max_tlp, TCN_TLP_AMBER);
    assert_true(pub->emergency);
    assert_string_equal(pub->publish[0], "advisory.>");
    assert_int_equal(bundle->brokers, 1);
    assert_memory_equal(bundle->broker[0].server_key.b, world_publics(w, "broker").transport.b, 32);
    assert_string_equal(bundle->program_name, "test");
    /* Who is revoked stays, with its state, so that what it signed before verifies. */
    world_member_revoke(w, "pub", TCN_MEMBER_RETIRED, (tcn_wall){NOW - 1});
    world_sign(w);
    bundle = world_bundle(w);
    assert_int_equal(bundle->issuers, 3);
    assert_int_equal(bundle->issuer[2].state, TCN_MEMBER_RETIRED);
    assert_int_equal(bundle->issuer[2].since.unix_ms, NOW - 1);
    assert_int_equal(bundle->version, 2);
}

static void test_unchanged_cards_keep_their_bytes(void **state)
{
    world *w = *state;
    parts before = take_apart(world_trust_file(w));
    world_set_now(w, (tcn_wall){NOW + 1000});
    world_card_edit(w, "node-a")->clearance = TCN_TLP_GREEN;
    world_sign(w);
    parts after = take_apart(world_trust_file(w));
    assert_int_equal(after.cards, before.cards);
    for (size_t i = 0; i < after.cards; i++)
        assert_int_equal(tcn_bytes_equal(before.card[i], after.card[i]), i != 2);
    assert_false(tcn_bytes_equal(before.bundle, after.bundle));
    assert_int_equal(tcn_roster_member(world_roster(w), 2)->clearance, TCN_TLP_GREEN);
}

/* What is wrong in a draft; the fault is the caller's to show. */
static tcn_err sign(const world *w, const tcn_card *cards, size_t count, const tcn_roster *previous,
                    const char *name)
{
    const tcn_bundle *bundle = world_bundle(w);
    tcn_roster_draft draft = {.program_name = name,
                              .version = 9,
                              .issued = now,
                              .expires = {NOW + 1},
                              .policy = bundle->policy,
                              .brokers = bundle->brokers,
                              .broker = bundle->broker,
                              .cards = count,
                              .card = cards};
    uint8_t *file = NULL;
    size_t len;
    tcn_fault fault = {.err = TCN_OK};
    tcn_err err = tcn_roster_sign(&draft, world_authority_secret(w), previous, &file, &len, &fault);
    assert_int_equal(fault.err, err);
    assert_true(err == TCN_OK || fault.text[0] != '\0');
    assert_int_equal(file != NULL, err == TCN_OK);
    free(file);
    return err;
}

static void test_what_is_not_signed(void **state)
{
    world *w = *state;
    const tcn_roster *roster = world_roster(w);
    tcn_card cards[2];
    char long_name[TCN_MAX_NAME_CHARS + 2];
    memset(long_name, 'x', sizeof(long_name) - 1);
    long_name[sizeof(long_name) - 1] = '\0';
    /* Shallow copies: nothing here changes what they share. */
    cards[0] = *tcn_roster_member(roster, tcn_roster_find(roster, "node-a"));
    cards[1] = *tcn_roster_member(roster, tcn_roster_find(roster, "app"));
    assert_int_equal(sign(w, cards, 2, NULL, "test"), TCN_OK);
    assert_int_equal(sign(w, cards, 2, roster, "test"), TCN_OK);
    assert_int_equal(sign(w, cards, 0, roster, "test"), TCN_OK);
    assert_int_equal(sign(w, cards, 2, NULL, ""), TCN_MALFORMED);
    assert_int_equal(sign(w, cards, 2, NULL, long_name), TCN_TOO_LARGE);

    cards[0].clearance = TCN_TLP_RED; /* changed, version not */
    assert_int_equal(sign(w, cards, 2, roster, "test"), TCN_CONFLICT);
    assert_int_equal(sign(w, cards, 2, NULL, "test"), TCN_OK);
    cards[0].version++;
    assert_int_equal(sign(w, cards, 2, roster, "test"), TCN_OK);

    strcpy(cards[0].name, "app"); /* the same name twice */
    assert_int_equal(sign(w, cards, 2, NULL, "test"), TCN_CONFLICT);
    strcpy(cards[0].name, "node-a");
    cards[0].key[2] = cards[1].key[0]; /* the same key at two members */
    assert_int_equal(sign(w, cards, 2, NULL, "test"), TCN_CONFLICT);
    cards[0] = *tcn_roster_member(roster, tcn_roster_find(roster, "node-a"));
    cards[0].program.b[3] ^= 1;
    assert_int_equal(sign(w, cards, 2, NULL, "test"), TCN_WRONG_PROGRAM);
    cards[0].program.b[3] ^= 1;
    cards[1].key[1].use = TCN_KEY_SEAL; /* an approver without a key to sign with */
    assert_int_equal(sign(w, cards, 2, NULL, "test"), TCN_INVALID);
    cards[1].key[1].use = TCN_KEY_SIGN;
    cards[1].expires = cards[1].issued;
    assert_int_equal(sign(w, cards, 2, NULL, "test"), TCN_MALFORMED);
}

static void test_parts_that_do_not_belong_together(void **state)
{
    world *w = *state;
    parts old = take_apart(world_trust_file(w));
    assert_int_equal(open_parts(w, &old), TCN_OK);
    world_card_edit(w, "node-a")->clearance = TCN_TLP_GREEN;
    world_sign(w);
    const parts good = take_apart(world_trust_file(w));
    parts bad = good;
    assert_int_equal(open_parts(w, &bad), TCN_OK);
    bad.card[2] = old.card[2]; /* yesterday's card, well signed */
    assert_int_equal(open_parts(w, &bad), TCN_HASH_MISMATCH);
    bad = good;
    bad.card[1] = good.card[2];
    bad.card[2] = good.card[1];
    assert_int_equal(open_parts(w, &bad), TCN_MALFORMED);
    bad = good;
    bad.cards--;
    assert_int_equal(open_parts(w, &bad), TCN_MALFORMED);
    bad = good;
    bad.card[bad.cards++] = good.card[0];
    assert_int_equal(open_parts(w, &bad), TCN_MALFORMED);
    bad = good;
    bad.bundle = old.bundle;
    assert_int_equal(open_parts(w, &bad), TCN_MALFORMED);
    bad = good;
    bad.bundle = good.roster;
    assert_int_equal(open_parts(w, &bad), TCN_WRONG_TYPE);
    bad = good;
    bad.roster = good.card[0];
    assert_int_equal(open_parts(w, &bad), TCN_WRONG_TYPE);
}

/* The authority's own file: its cards count by their hashes, their signatures are not looked at. */
static void test_own_file(void **state)
{
    world *w = *state;
    parts old = take_apart(world_trust_file(w));
    world_card_edit(w, "node-a")->clearance = TCN_TLP_GREEN;
    world_sign(w);
    const parts good = take_apart(world_trust_file(w));
    parts bad = good;
    tcn_fault fault;
    static uint8_t file[65536];
    tcn_roster *roster = NULL;
    assert_int_equal(tcn_roster_open_own(world_trust_file(w), world_authority(w), &roster, &fault),
                     TCN_OK);
    assert_int_equal(tcn_roster_find(roster, "node-a"), 2);
    tcn_roster_unref(&roster);
    bad.card[2] = old.card[2];
    assert_int_equal(
        tcn_roster_open_own(put_together(&bad, file), world_authority(w), &roster, &fault),
        TCN_HASH_MISMATCH);
    /* A signature that does not verify: only the thorough way sees it. */
    uint8_t *envelope = mem_copy(good.card[2]);
    envelope[good.card[2].len - 1] ^= 1;
    bad.card[2] = tcn_bytes_of(envelope, good.card[2].len);
    assert_int_equal(
        tcn_roster_open_own(put_together(&bad, file), world_authority(w), &roster, &fault), TCN_OK);
    tcn_roster_unref(&roster);
    assert_int_equal(open_parts(w, &bad), TCN_BAD_SIGNATURE);
    bad.card[2] = good.bundle;
    assert_int_equal(
        tcn_roster_open_own(put_together(&bad, file), world_authority(w), &roster, &fault),
        TCN_WRONG_TYPE);
    free(envelope);
}

/* Rosters that the authority signed, but that say nonsense. */
static void test_roster_payloads(void **state)
{
    world *w = *state;
    const struct {
        uint64_t version, issued, expires;
        bool ours;
        const char *names[2];
        tcn_err expected;
    } row[] = {
        {1, 5, 6, true, {NULL, NULL}, TCN_MALFORMED}, /* good, but the cards are missing */
        {0, 5, 6, true, {NULL, NULL}, TCN_MALFORMED},
        {1, 6, 6, true, {NULL, NULL}, TCN_MALFORMED},
        {1, 5, 6, false, {NULL, NULL}, TCN_WRONG_PROGRAM},
        {1, 5, 6, true, {"b", "a"}, TCN_MALFORMED},
        {1, 5, 6, true, {"a", "a"}, TCN_MALFORMED},
        {1, 5, 6, true, {"A", "b"}, TCN_MALFORMED},
    };
    static const char *const said[] = {"",        "versions begin", "expires", "another program",
                                       "members", "members",        "members"};
    for (size_t i = 0; i < COUNT(row); i++) {
        static uint8_t file[65536];
        uint8_t payload[512], envelope[1024];
        tcn_bytes bytes;
        size_t len;
        tcn_cbor_writer out;
        tcn_id program = row[i].ours ? *world_program(w) : (tcn_id){{1}};
        tcn_cbor_writer_init(&out, payload, sizeof(payload));
        tcn_cbor_put_map(&out, 6);
        tcn_cbor_put_uint(&out, 1);
        tcn_cbor_put_id(&out, &program);
        tcn_cbor_put_uint(&out, 2);
        tcn_cbor_put_text(&out, "test");
        tcn_cbor_put_uint(&out, 3);
        tcn_cbor_put_uint(&out, row[i].version);
        tcn_cbor_put_uint(&out, 4);
        tcn_cbor_put_uint(&out, row[i].issued);
        tcn_cbor_put_uint(&out, 5);
        tcn_cbor_put_uint(&out, row[i].expires);
        tcn_cbor_put_uint(&out, 6);
        tcn_cbor_put_array(&out, row[i].names[0] != NULL ? 2 : 0);
        for (size_t n = 0; n < 2 && row[i].names[0] != NULL; n++) {
            tcn_cbor_put_array(&out, 2);
            tcn_cbor_put_text(&out, row[i].names[n]);
            tcn_cbor_put_hash(&out, &(tcn_hash){{1}});
        }
        assert_int_equal(tcn_cbor_writer_done(&out, &bytes), TCN_OK);
        assert_int_equal(tcn_cose_seal(TCN_OBJECT_ROSTER, world_program(w), bytes,
                                       TCN_ROLE_AUTHORITY, world_authority_secret(w), envelope,
                                       sizeof(envelope), &len),
                         TCN_OK);
        parts p = take_apart(world_trust_file(w));
        p.roster = tcn_bytes_of(envelope, len);
        tcn_fault fault;
        assert_int_equal(open_file(w, put_together(&p, file), &fault), row[i].expected);
        assert_non_null(strstr(fault.text, said[i]));
    }
}

static void test_names_must_agree(void **state)
{
    world *w = *state;
    const parts good = take_apart(world_trust_file(w));
    parts bad = good;
    const tcn_bundle *bundle = world_bundle(w);
    tcn_bundle renamed = *bundle; /* shares what it does not change */
    uint8_t *payload, envelope[8192];
    size_t len;
    strcpy(renamed.program_name, "other");
    assert_int_equal(tcn_bundle_encode(&renamed, &payload, &len, NULL), TCN_OK);
    assert_int_equal(tcn_cose_seal(TCN_OBJECT_BUNDLE, world_program(w), tcn_bytes_of(payload, len),
                                   TCN_ROLE_AUTHORITY, world_authority_secret(w), envelope,
                                   sizeof(envelope), &len),
                     TCN_OK);
    free(payload);
    bad.bundle = tcn_bytes_of(envelope, len);
    assert_int_equal(open_parts(w, &bad), TCN_MALFORMED);
}

static void test_damaged_files(void **state)
{
    world *w = *state;
    tcn_bytes file = world_trust_file(w);
    tcn_fault fault;
    for (size_t len = 0; len < file.len; len += len < 600 ? 1 : 37) {
        uint8_t *copy = mem_copy(tcn_bytes_of(file.ptr, len));
        assert_int_equal(open_file(w, tcn_bytes_of(copy, len), &fault), TCN_MALFORMED);
        free(copy);
    }
    uint8_t *bytes = mem_copy(file);
    for (size_t i = 0; i < file.len; i += 3) {
        bytes[i] ^= 0x04;
        assert_int_not_equal(open_file(w, tcn_bytes_of(bytes, file.len), &fault), TCN_OK);
        bytes[i] ^= 0x04;
    }
    assert_int_equal(open_file(w, tcn_bytes_of(bytes, (size_t)TCN_MAX_ROSTER_BYTES + 1), &fault),
                     TCN_TOO_LARGE);
    free(bytes);
    /* Another authority's. */
    tcn_sign_secret secret;
    tcn_sign_public other;
    tcn_roster *roster = NULL;
    tcn_sign_from_seed((const uint8_t[32]){8}, &secret);
    tcn_sign_public_of(&secret, &other);
    assert_int_equal(tcn_roster_open(file, &other, &roster, &fault), TCN_UNKNOWN_KEY);
    assert_null(roster);
}

static size_t by_key(const world *w, const char *name, int64_t at)
{
    tcn_publics publics = world_publics(w, name);
    return tcn_roster_find_transport(world_roster(w), &publics.transport, (tcn_wall){at});
}

static void test_find_transport(void **state)
{
    world *w = *state;
    assert_int_equal(by_key(w, "node-a", NOW), 2);
    assert_int_equal(by_key(w, "pub", NOW), 5);
    const tcn_card *card = tcn_roster_member(world_roster(w), 2);
    assert_true(by_key(w, "node-a", card->key[0].from.unix_ms - 1) == SIZE_MAX);
    assert_true(by_key(w, "node-a", card->expires.unix_ms) == SIZE_MAX);
    tcn_box_public stranger = {{1, 2, 3}};
    assert_true(tcn_roster_find_transport(world_roster(w), &stranger, now) == SIZE_MAX);
    /* A key to sign or seal with opens no connection. */
    tcn_publics publics = world_publics(w, "node-a");
    assert_true(tcn_roster_find_transport(world_roster(w), &publics.seal, now) == SIZE_MAX);
    memcpy(stranger.b, publics.sign.b, sizeof(stranger.b));
    assert_true(tcn_roster_find_transport(world_roster(w), &stranger, now) == SIZE_MAX);
    /* Nor does one of a member that is not active. */
    for (unsigned s = TCN_MEMBER_SUSPENDED; s <= TCN_MEMBER_COMPROMISED; s++) {
        world_member_revoke(w, "node-a", (tcn_member_state)s, now);
        world_sign(w);
        assert_true(by_key(w, "node-a", NOW) == SIZE_MAX);
        assert_int_equal(by_key(w, "node-b", NOW), 3);
    }
}

static void *hold_and_drop(void *arg)
{
    tcn_roster *mine = arg;
    for (unsigned i = 0; i < 20000; i++) {
        tcn_roster *another = tcn_roster_ref(mine);
        if (tcn_roster_members(another) != 6)
            return arg;
        tcn_roster_unref(&another);
    }
    tcn_roster_unref(&mine);
    return NULL;
}

static void test_shared_by_threads(void **state)
{
    world *w = *state;
    tcn_roster *roster = NULL;
    pthread_t thread[4];
    tcn_bytes file = world_trust_file(w);
    assert_int_equal(tcn_roster_open(file, world_authority(w), &roster, NULL), TCN_OK);
    for (size_t i = 0; i < COUNT(thread); i++)
        assert_int_equal(pthread_create(&thread[i], NULL, hold_and_drop, tcn_roster_ref(roster)),
                         0);
    tcn_roster_unref(&roster); /* the threads' references keep it */
    assert_null(roster);
    tcn_roster_unref(&roster);
    for (size_t i = 0; i < COUNT(thread); i++) {
        void *failed;
        assert_int_equal(pthread_join(thread[i], &failed), 0);
        assert_null(failed);
    }
}

/* Enough members to fill the index of keys, in no order. */
static void test_many_members(void **state)
{
    (void)state;
    world *w = world_new(now);
    const unsigned many = 700;
    char name[16];
    for (unsigned i = 0; i < many; i++) {
        snprintf(name, sizeof(name), "n%03u", i * 263 % many);
        world_member_set(w, &(world_member){.name = name, .roles = TCN_ROLE_NODE});
    }
    world_sign(w);
    assert_int_equal(tcn_roster_members(world_roster(w)), many + 1);
    for (unsigned i = 0; i < many; i++) {
        snprintf(name, sizeof(name), "n%03u", i);
        size_t at = by_key(w, name, NOW);
        assert_int_equal(at, tcn_roster_find(world_roster(w), name));
        assert_string_equal(tcn_roster_member(world_roster(w), at)->name, name);
    }
    world_free(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
        T(test_contents),
        T(test_bundle_from_cards),
        T(test_unchanged_cards_keep_their_bytes),
        T(test_what_is_not_signed),
        T(test_parts_that_do_not_belong_together),
        T(test_own_file),
        T(test_roster_payloads),
        T(test_names_must_agree),
        T(test_damaged_files),
        T(test_find_transport),
        T(test_shared_by_threads),
        cmocka_unit_test(test_many_members),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
