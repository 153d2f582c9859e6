/* SPDX-License-Identifier: Apache-2.0 */
/* test_ack.c - a node's answer: sealed, opened against its card, and whose it is not. */
#include "libtocsin/ack.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "libtocsin/cbor.h"
#include "tests/support/mem.h"
#include "tests/support/world.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define TEXT(text) tcn_bytes_of(text, sizeof(text) - 1)
#define NOW INT64_C(1790000000000)

static const tcn_wall now = {NOW};

static int setup(void **state)
{
    world *w = world_new(now);
    world_member_set(w, &(world_member){.name = "node-a", .roles = TCN_ROLE_NODE});
    world_member_set(w, &(world_member){.name = "node-b", .roles = TCN_ROLE_NODE});
    world_member_set(w, &(world_member){.name = "pub", .roles = TCN_ROLE_PUBLISHER});
    world_sign(w);
    *state = w;
    return 0;
}

static int teardown(void **state)
{
    world_free((world **)state);
    return 0;
}

static tcn_ack sample(void)
{
    return (tcn_ack){.alert = {{1, 2}},
                     .payload_hash = {{3, 4}},
                     .member = TEXT("node-a"),
                     .counter = UINT64_MAX,
                     .answer = TCN_ANSWER_NOT_APPLICABLE,
                     .by = TEXT("Zoë"),
                     .note = TEXT("we run none of these"),
                     .at = now,
                     .by_rule = true};
}

static tcn_bytes seal(const world *w, const tcn_ack *ack, const char *signer, uint8_t *envelope)
{
    size_t len = 0;
    assert_int_equal(
        tcn_ack_seal(ack, world_program(w), &world_secrets(w, signer)->sign, envelope, 2048, &len),
        TCN_OK);
    return tcn_bytes_of(envelope, len);
}

static tcn_err open_at(const tcn_card *card, tcn_bytes envelope, int64_t at, tcn_ack *ret_ack)
{
    tcn_fault fault = {.err = TCN_OK};
    tcn_err err = tcn_ack_open(envelope, card, (tcn_wall){at}, ret_ack, &fault);
    assert_int_equal(fault.err, err);
    assert_true(err == TCN_OK || fault.text[0] != '\0');
    return err;
}

static const tcn_card *card_of(const world *w, const char *name)
{
    const tcn_roster *roster = world_roster(w);
    return tcn_roster_member(roster, tcn_roster_find(roster, name));
}

static void test_round_trip(void **state)
{
    world *w = *state;
    tcn_ack before = sample(), opened, peeked;
    uint8_t envelope[2048];
    tcn_bytes sealed = seal(w, &before, "node-a", envelope);
    assert_int_equal(open_at(card_of(w, "node-a"), sealed, NOW, &opened), TCN_OK);
    assert_int_equal(tcn_ack_peek(sealed, &peeked), TCN_OK);
    const tcn_ack *both[] = {&opened, &peeked};
    for (size_t i = 0; i < 2; i++) {
        assert_true(tcn_id_equal(&both[i]->alert, &before.alert));
        assert_true(tcn_hash_equal(&both[i]->payload_hash, &before.payload_hash));
        assert_true(tcn_bytes_equal(both[i]->member, before.member));
        assert_true(both[i]->counter == UINT64_MAX);
        assert_int_equal(both[i]->answer, TCN_ANSWER_NOT_APPLICABLE);
        assert_true(tcn_bytes_equal(both[i]->by, before.by));
        assert_true(tcn_bytes_equal(both[i]->note, before.note));
        assert_int_equal(both[i]->at.unix_ms, NOW);
        assert_true(both[i]->by_rule);
    }
    /* The least that can be said. */
    tcn_ack least = {.member = TEXT("node-a"), .at = now, .counter = 1};
    sealed = seal(w, &least, "node-a", envelope);
    assert_int_equal(open_at(card_of(w, "node-a"), sealed, NOW, &opened), TCN_OK);
    assert_int_equal(opened.by.len + opened.note.len, 0);
    assert_int_equal(opened.answer, TCN_ANSWER_SEEN);
}

static void test_whose_it_is(void **state)
{
    world *w = *state;
    tcn_ack ack = sample(), opened;
    uint8_t envelope[2048];
    /* Signed by another node, against either card. */
    tcn_bytes forged = seal(w, &ack, "node-b", envelope);
    assert_int_equal(open_at(card_of(w, "node-a"), forged, NOW, &opened), TCN_UNKNOWN_KEY);
    assert_int_equal(open_at(card_of(w, "node-b"), forged, NOW, &opened), TCN_DENIED);
    /* A member that is no node. */
    ack.member = TEXT("pub");
    assert_int_equal(open_at(card_of(w, "pub"), seal(w, &ack, "pub", envelope), NOW, &opened),
                     TCN_WRONG_ROLE);
    /* For another program. */
    ack = sample();
    tcn_id elsewhere = {{9}};
    size_t len;
    assert_int_equal(tcn_ack_seal(&ack, &elsewhere, &world_secrets(w, "node-a")->sign, envelope,
                                  sizeof(envelope), &len),
                     TCN_OK);
    assert_int_equal(open_at(card_of(w, "node-a"), tcn_bytes_of(envelope, len), NOW, &opened),
                     TCN_BAD_SIGNATURE);
}

static void test_other_objects(void **state)
{
    world *w = *state;
    tcn_ack ack = sample(), opened;
    uint8_t envelope[2048], other[2048];
    size_t len;
    tcn_cose cose;
    const tcn_sign_secret *secret = &world_secrets(w, "node-a")->sign;
    assert_int_equal(tcn_cose_decode(seal(w, &ack, "node-a", envelope), TCN_OBJECT_ACK, &cose),
                     TCN_OK);
    static const struct {
        tcn_object type;
        tcn_role role;
        tcn_err expected;
    } row[] = {{TCN_OBJECT_ACK, TCN_ROLE_NODE, TCN_OK},
               {TCN_OBJECT_ACK, TCN_ROLE_OPERATOR, TCN_WRONG_ROLE},
               {TCN_OBJECT_REPORT, TCN_ROLE_NODE, TCN_WRONG_TYPE}};
    for (size_t i = 0; i < COUNT(row); i++) {
        assert_int_equal(tcn_cose_seal(row[i].type, world_program(w), cose.payload, row[i].role,
                                       secret, other, sizeof(other), &len),
                         TCN_OK);
        assert_int_equal(open_at(card_of(w, "node-a"), tcn_bytes_of(other, len), NOW, &opened),
                         row[i].expected);
    }
    assert_int_equal(tcn_ack_peek(world_card_envelope(w, "node-a"), &opened), TCN_WRONG_TYPE);
}

static void test_member_and_key_in_time(void **state)
{
    world *w = *state;
    tcn_ack ack = sample(), opened;
    uint8_t envelope[2048];
    tcn_bytes sealed = seal(w, &ack, "node-a", envelope);
    tcn_card *card = world_card_edit(w, "node-a");
    for (unsigned s = TCN_MEMBER_SUSPENDED; s <= TCN_MEMBER_COMPROMISED; s++) {
        card->state = (tcn_member_state)s;
        assert_int_equal(open_at(card, sealed, NOW, &opened), TCN_REVOKED);
    }
    card->state = TCN_MEMBER_ACTIVE;
    assert_int_equal(open_at(card, sealed, card->expires.unix_ms, &opened), TCN_EXPIRED);
    /* Answered while the key was valid, heard after it was replaced. */
    card->key[1].from.unix_ms = NOW - 10;
    card->key[1].until.unix_ms = NOW + 10;
    assert_int_equal(open_at(card, sealed, NOW + 1000, &opened), TCN_OK);
    /* From a node whose clock is wrong, heard while the key is valid. */
    ack.at.unix_ms = 5;
    sealed = seal(w, &ack, "node-a", envelope);
    assert_int_equal(open_at(card, sealed, NOW, &opened), TCN_OK);
    assert_int_equal(open_at(card, sealed, NOW + 1000, &opened), TCN_EXPIRED);
    /* The key is on the card, but not to sign with. */
    card->key[1].use = TCN_KEY_SEAL;
    assert_int_equal(open_at(card, sealed, NOW, &opened), TCN_UNKNOWN_KEY);
}

static void test_limits(void **state)
{
    world *w = *state;
    char text[TCN_MAX_NOTE_BYTES + 1];
    uint8_t envelope[2048];
    size_t len;
    const tcn_sign_secret *secret = &world_secrets(w, "node-a")->sign;
    memset(text, 'x', sizeof(text));
    tcn_ack ack = sample(), opened;
    ack.by = tcn_bytes_of(text, TCN_MAX_TITLE_BYTES);
    ack.note = tcn_bytes_of(text, TCN_MAX_NOTE_BYTES);
    tcn_bytes largest = seal(w, &ack, "node-a", envelope);
    assert_int_equal(open_at(card_of(w, "node-a"), largest, NOW, &opened), TCN_OK);
    ack.note.len++;
    assert_int_equal(tcn_ack_seal(&ack, world_program(w), secret, envelope, sizeof(envelope), &len),
                     TCN_TOO_LARGE);
    ack = sample();
    ack.by = tcn_bytes_of(text, TCN_MAX_TITLE_BYTES + 1);
    assert_int_equal(tcn_ack_seal(&ack, world_program(w), secret, envelope, sizeof(envelope), &len),
                     TCN_TOO_LARGE);
    ack = sample();
    ack.answer = (tcn_answer)6;
    assert_int_equal(tcn_ack_seal(&ack, world_program(w), secret, envelope, sizeof(envelope), &len),
                     TCN_MALFORMED);
    ack = sample();
    ack.member = TEXT("Node A");
    assert_int_equal(tcn_ack_seal(&ack, world_program(w), secret, envelope, sizeof(envelope), &len),
                     TCN_MALFORMED);
    ack = sample();
    assert_int_equal(tcn_ack_seal(&ack, world_program(w), secret, envelope, 100, &len),
                     TCN_TOO_LARGE);
}

/* Signed by the node, but no ack; and one that a newer peer's keys make too large. */
static void test_payloads(void **state)
{
    world *w = *state;
    tcn_ack opened;
    uint8_t payload[1600] = {0xa0}, envelope[2048];
    size_t len;
    for (size_t size = 1; size <= sizeof(payload); size += sizeof(payload) - 1) {
        assert_int_equal(tcn_cose_seal(TCN_OBJECT_ACK, world_program(w),
                                       tcn_bytes_of(payload, size), TCN_ROLE_NODE,
                                       &world_secrets(w, "node-a")->sign, envelope,
                                       sizeof(envelope), &len),
                         TCN_OK);
        assert_int_equal(open_at(card_of(w, "node-a"), tcn_bytes_of(envelope, len), NOW, &opened),
                         size == 1 ? TCN_MALFORMED : TCN_TOO_LARGE);
    }
}

static void test_damaged(void **state)
{
    world *w = *state;
    tcn_ack ack = sample(), opened;
    uint8_t envelope[2048];
    tcn_bytes sealed = seal(w, &ack, "node-a", envelope);
    for (size_t i = 0; i < sealed.len; i++) {
        uint8_t *copy = mem_copy(tcn_bytes_of(sealed.ptr, i));
        assert_int_equal(open_at(card_of(w, "node-a"), tcn_bytes_of(copy, i), NOW, &opened),
                         TCN_MALFORMED);
        assert_int_equal(tcn_ack_peek(tcn_bytes_of(copy, i), &opened), TCN_MALFORMED);
        free(copy);
        envelope[i] ^= 0x08;
        assert_int_not_equal(open_at(card_of(w, "node-a"), sealed, NOW, &opened), TCN_OK);
        envelope[i] ^= 0x08;
    }
}

static void test_words(void **state)
{
    (void)state;
    tcn_answer answer;
#define X(name, number, word)                                                                      \
    assert_string_equal(tcn_answer_text(TCN_ANSWER_##name), word);                                 \
    assert_int_equal(tcn_answer_parse(word, &answer), TCN_OK);                                     \
    assert_int_equal(answer, number);
    TCN_ANSWER_TABLE(X)
#undef X
    assert_int_equal(tcn_answer_parse("maybe", &answer), TCN_INVALID);
    assert_string_equal(tcn_answer_text((tcn_answer)6), "unknown");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
        T(test_round_trip),    T(test_whose_it_is),
        T(test_other_objects), T(test_member_and_key_in_time),
        T(test_limits),        T(test_payloads),
        T(test_damaged),       cmocka_unit_test(test_words),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
