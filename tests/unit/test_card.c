/* SPDX-License-Identifier: Apache-2.0 */
/* test_card.c - what a card may say, who may have signed it, and what it allows. */
#include "libtocsin/card.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/support/mem.h"
#include "tests/support/world.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define TEXT(text) tcn_bytes_of(text, sizeof(text) - 1)
#define NOW INT64_C(1790000000000)

static const tcn_wall now = {NOW};

static int setup(void **state)
{
    world *w = world_new(now);
    world_member_set(w, &(world_member){.name = "node-a",
                                        .roles = TCN_ROLE_NODE | TCN_ROLE_APPROVER,
                                        .clearance = TCN_TLP_AMBER_STRICT,
                                        .receive = {"advisory.>", "incident.*.eu"},
                                        .publish = {"report.x"},
                                        .emergency = true,
                                        .communities = {"water", "energy"}});
    world_sign(w);
    *state = w;
    return 0;
}

static int teardown(void **state)
{
    world_free((world **)state);
    return 0;
}

static tcn_err encode(const tcn_card *card, uint8_t *payload, size_t *len)
{
    tcn_fault fault = {.err = TCN_OK};
    tcn_err err = tcn_card_encode(card, payload, TCN_MAX_CARD_BYTES, len, &fault);
    assert_int_equal(fault.err, err);
    return err;
}

static void test_round_trip(void **state)
{
    world *w = *state;
    const tcn_card *card = world_card_edit(w, "node-a");
    uint8_t payload[TCN_MAX_CARD_BYTES], again[TCN_MAX_CARD_BYTES];
    size_t len, again_len;
    tcn_card decoded, copy;
    assert_int_equal(encode(card, payload, &len), TCN_OK);
    assert_int_equal(tcn_card_decode(tcn_bytes_of(payload, len), &decoded, NULL), TCN_OK);
    assert_string_equal(decoded.name, "node-a");
    assert_int_equal(decoded.version, card->version);
    assert_int_equal(decoded.roles, TCN_ROLE_NODE | TCN_ROLE_APPROVER);
    assert_int_equal(decoded.clearance, TCN_TLP_AMBER_STRICT);
    assert_int_equal(decoded.receives, 2);
    assert_string_equal(decoded.receive[1], "incident.*.eu");
    assert_string_equal(decoded.community[0], "energy");
    assert_int_equal(decoded.keys, 3);
    assert_memory_equal(&decoded.audience_id, &card->audience_id, sizeof(tcn_id));
    assert_int_equal(tcn_card_copy(&decoded, &copy), TCN_OK);
    tcn_card_fini(&decoded); /* the copy owns its own */
    assert_int_equal(encode(&copy, again, &again_len), TCN_OK);
    assert_int_equal(again_len, len);
    assert_memory_equal(again, payload, len);
    tcn_card_fini(&copy);
    tcn_card_fini(&copy);
}

static void test_states_round_trip(void **state)
{
    world *w = *state;
    static const char *const words[] = {"active", "suspended", "retired", "compromised"};
    for (unsigned i = 0; i < COUNT(words); i++) {
        uint8_t payload[TCN_MAX_CARD_BYTES];
        size_t len;
        tcn_card *card = world_card_edit(w, "node-a"), decoded;
        card->state = (tcn_member_state)i;
        card->since = (tcn_wall){i == 0 ? 0 : NOW - 5};
        assert_int_equal(encode(card, payload, &len), TCN_OK);
        assert_int_equal(tcn_card_decode(tcn_bytes_of(payload, len), &decoded, NULL), TCN_OK);
        assert_int_equal(decoded.state, i);
        assert_int_equal(decoded.since.unix_ms, card->since.unix_ms);
        assert_string_equal(tcn_member_state_text(decoded.state), words[i]);
        assert_int_equal(tcn_card_is_valid(&decoded, now), i == 0);
        tcn_card_fini(&decoded);
    }
    assert_string_equal(tcn_member_state_text((tcn_member_state)4), "unknown");
}

#define WRONG(name, ...)                                                                           \
    static void name(tcn_card *c)                                                                  \
    {                                                                                              \
        __VA_ARGS__;                                                                               \
    }
WRONG(name_upper, strcpy(c->name, "Node"))
WRONG(name_empty, c->name[0] = '\0')
WRONG(role_authority, c->roles = TCN_ROLE_AUTHORITY)
WRONG(no_keys, c->keys = 0)
WRONG(key_use_0, c->key[0].use = (tcn_key_use)0)
WRONG(key_use_4, c->key[0].use = (tcn_key_use)4)
WRONG(key_twice, c->key[2] = c->key[1])
WRONG(key_public_twice, memcpy(c->key[2].public_bytes, c->key[0].public_bytes, 32))
WRONG(key_until_from, c->key[0].until = c->key[0].from)
WRONG(key_from_negative, c->key[0].from.unix_ms = -1)
WRONG(clearance_5, c->clearance = (tcn_tlp)5)
WRONG(receive_topic, strcpy(c->receive[0], "Advisory"))
WRONG(publish_inner, strcpy(c->publish[0], "a.>.b"))
WRONG(communities_order, strcpy(c->community[0], "zoo"))
WRONG(community_twice, strcpy(c->community[0], c->community[1]))
WRONG(expires_issued, c->expires = c->issued)
WRONG(state_4, c->state = (tcn_member_state)4)
#undef WRONG

typedef void damage(tcn_card *c);

static void test_each_rule(void **state)
{
    world *w = *state;
    static damage *const damages[] = {
        name_upper,     name_empty,    role_authority,   no_keys,           key_use_0,
        key_use_4,      key_twice,     key_public_twice, key_until_from,    key_from_negative,
        clearance_5,    receive_topic, publish_inner,    communities_order, community_twice,
        expires_issued, state_4,
    };
    for (size_t i = 0; i < COUNT(damages); i++) {
        uint8_t payload[TCN_MAX_CARD_BYTES];
        size_t len;
        tcn_card card;
        assert_int_equal(tcn_card_copy(world_card_edit(w, "node-a"), &card), TCN_OK);
        assert_int_equal(encode(&card, payload, &len), TCN_OK);
        damages[i](&card);
        if (encode(&card, payload, &len) != TCN_MALFORMED)
            fail_msg("damage %zu is not refused as it should be", i);
        tcn_card_fini(&card);
    }
}

static void test_most_of_everything(void **state)
{
    world *w = *state;
    uint8_t payload[TCN_MAX_CARD_BYTES];
    size_t len;
    tcn_card *c = world_card_edit(w, "node-a");
    free(c->receive);
    free(c->publish);
    c->receives = c->publishes = TCN_MAX_PATTERNS;
    c->receive = mem_zeroed(TCN_MAX_PATTERNS * sizeof(*c->receive));
    c->publish = mem_zeroed((TCN_MAX_PATTERNS + 1) * sizeof(*c->publish));
    for (unsigned i = 0; i < TCN_MAX_PATTERNS; i++) {
        memset(c->receive[i], 'x', TCN_MAX_TOPIC_CHARS / 2);
        memset(c->publish[i], 'x', TCN_MAX_TOPIC_CHARS / 2);
    }
    assert_int_equal(encode(c, payload, &len), TCN_OK);
    /* One pattern more than the limit; then within each limit, but too large together. */
    c->publishes++;
    strcpy(c->publish[TCN_MAX_PATTERNS], "x");
    assert_int_equal(encode(c, payload, &len), TCN_TOO_LARGE);
    c->publishes--;
    for (unsigned i = 0; i < TCN_MAX_PATTERNS; i++) {
        memset(c->receive[i], 'x', TCN_MAX_TOPIC_CHARS);
        memset(c->publish[i], 'x', TCN_MAX_TOPIC_CHARS);
    }
    assert_int_equal(encode(c, payload, &len), TCN_TOO_LARGE);
}

static tcn_err open_card(const world *w, tcn_bytes envelope)
{
    tcn_card card;
    tcn_fault fault = {.err = TCN_OK};
    tcn_err err = tcn_card_open(envelope, world_authority(w), &card, &fault);
    assert_int_equal(fault.err, err);
    if (err == TCN_OK)
        tcn_card_fini(&card);
    return err;
}

static tcn_err open_sealed(const world *w, tcn_bytes payload, tcn_object type, tcn_role role,
                           const tcn_sign_secret *secret)
{
    uint8_t envelope[TCN_MAX_CARD_BYTES];
    size_t len;
    assert_int_equal(tcn_cose_seal(type, world_program(w), payload, role, secret, envelope,
                                   sizeof(envelope), &len),
                     TCN_OK);
    return open_card(w, tcn_bytes_of(envelope, len));
}

static void test_only_the_authority_signs(void **state)
{
    world *w = *state;
    tcn_bytes envelope = world_card_envelope(w, "node-a");
    tcn_cose cose;
    assert_int_equal(tcn_cose_decode(envelope, TCN_OBJECT_CARD, &cose), TCN_OK);
    const tcn_sign_secret *authority = world_authority_secret(w);
    const tcn_sign_secret *node = &world_secrets(w, "node-a")->sign;
    assert_int_equal(open_card(w, envelope), TCN_OK);
    assert_int_equal(open_sealed(w, cose.payload, TCN_OBJECT_CARD, TCN_ROLE_AUTHORITY, authority),
                     TCN_OK);
    assert_int_equal(open_sealed(w, cose.payload, TCN_OBJECT_CARD, TCN_ROLE_AUTHORITY, node),
                     TCN_UNKNOWN_KEY);
    assert_int_equal(open_sealed(w, cose.payload, TCN_OBJECT_CARD, TCN_ROLE_NODE, authority),
                     TCN_WRONG_ROLE);
    assert_int_equal(open_sealed(w, cose.payload, TCN_OBJECT_BUNDLE, TCN_ROLE_AUTHORITY, authority),
                     TCN_WRONG_TYPE);
    assert_int_equal(open_sealed(w, TEXT("\xa0"), TCN_OBJECT_CARD, TCN_ROLE_AUTHORITY, authority),
                     TCN_MALFORMED);
    /* Signed by the right key, for another program. */
    uint8_t payload[TCN_MAX_CARD_BYTES];
    size_t len;
    tcn_card *card = world_card_edit(w, "node-a");
    card->program.b[0] ^= 1;
    assert_int_equal(encode(card, payload, &len), TCN_OK);
    assert_int_equal(
        open_sealed(w, tcn_bytes_of(payload, len), TCN_OBJECT_CARD, TCN_ROLE_AUTHORITY, authority),
        TCN_WRONG_PROGRAM);
}

static void test_damaged_envelopes(void **state)
{
    world *w = *state;
    tcn_bytes envelope = world_card_envelope(w, "node-a");
    uint8_t *bytes = mem_copy(envelope);
    for (size_t len = 0; len < envelope.len; len++)
        assert_int_equal(open_card(w, tcn_bytes_of(bytes, len)), TCN_MALFORMED);
    for (size_t i = 0; i < envelope.len; i++) {
        bytes[i] ^= 0x10;
        assert_int_not_equal(open_card(w, tcn_bytes_of(bytes, envelope.len)), TCN_OK);
        bytes[i] ^= 0x10;
    }
    free(bytes);
    static uint8_t large[TCN_MAX_CARD_BYTES + 1];
    tcn_card card;
    assert_int_equal(open_card(w, tcn_bytes_of(large, sizeof(large))), TCN_TOO_LARGE);
    assert_int_equal(tcn_card_decode(tcn_bytes_of(large, sizeof(large)), &card, NULL),
                     TCN_TOO_LARGE);
}

static void test_mutated_payloads(void **state)
{
    world *w = *state;
    tcn_cose cose;
    uint32_t seed = 2;
    assert_int_equal(tcn_cose_decode(world_card_envelope(w, "node-a"), TCN_OBJECT_CARD, &cose),
                     TCN_OK);
    for (unsigned round = 0; round < 20000; round++) {
        tcn_card card;
        uint8_t *copy = mem_copy(cose.payload);
        seed = seed * 1664525U + 1013904223U;
        copy[(seed >> 8) % cose.payload.len] = (uint8_t)(seed >> 3);
        tcn_bytes mutant = tcn_bytes_of(copy, cose.payload.len);
        if (tcn_card_decode(mutant, &card, NULL) == TCN_OK) {
            assert_int_equal(tcn_cbor_check(mutant, 64), TCN_OK);
            tcn_card_fini(&card);
        }
        free(copy);
    }
}

static void test_what_it_allows(void **state)
{
    world *w = *state;
    tcn_card *card = world_card_edit(w, "node-a");
    assert_true(tcn_card_may_receive(card, TEXT("advisory.vendor")));
    assert_true(tcn_card_may_receive(card, TEXT("incident.power.eu")));
    assert_false(tcn_card_may_receive(card, TEXT("incident.power.us")));
    assert_false(tcn_card_may_receive(card, TEXT("report.x")));
    assert_true(tcn_card_may_publish(card, TEXT("report.x")));
    assert_false(tcn_card_may_publish(card, TEXT("report.y")));
    assert_true(tcn_card_has_community(card, TEXT("water")));
    assert_false(tcn_card_has_community(card, TEXT("fire")));
    assert_true(tcn_card_is_valid(card, (tcn_wall){card->expires.unix_ms - 1}));
    assert_false(tcn_card_is_valid(card, card->expires));
}

static void test_key_at(void **state)
{
    world *w = *state;
    tcn_card *card = world_card_edit(w, "node-a");
    card->key[3] = card->key[1]; /* a second key to sign with, overlapping */
    card->key[3].public_bytes[0] ^= 1;
    card->keys = 4;
    card->key[1].from.unix_ms = NOW;
    card->key[1].until.unix_ms = NOW + 100;
    card->key[3].from.unix_ms = NOW + 50;
    card->key[3].until.unix_ms = NOW + 150;
    const struct {
        int64_t at;
        const tcn_card_key *key;
    } row[] = {{NOW - 1, NULL},           {NOW, &card->key[1]},       {NOW + 49, &card->key[1]},
               {NOW + 50, &card->key[3]}, {NOW + 149, &card->key[3]}, {NOW + 150, NULL}};
    for (size_t i = 0; i < COUNT(row); i++)
        assert_ptr_equal(tcn_card_key_at(card, TCN_KEY_SIGN, (tcn_wall){row[i].at}), row[i].key);
    assert_ptr_equal(tcn_card_key_at(card, TCN_KEY_TRANSPORT, now), &card->key[0]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
        T(test_round_trip),         T(test_states_round_trip),        T(test_each_rule),
        T(test_most_of_everything), T(test_only_the_authority_signs), T(test_damaged_envelopes),
        T(test_mutated_payloads),   T(test_what_it_allows),           T(test_key_at),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
