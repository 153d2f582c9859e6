/* SPDX-License-Identifier: Apache-2.0 */
/* test_limits_objects.c - objects with one of something more than limits.h allows. Our encoders
 * cannot write them, another's can: the list grows in the encoded bytes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "libtocsin/bundle.h"
#include "libtocsin/card.h"
#include "libtocsin/roster.h"
#include "tests/support/mem.h"
#include "tests/support/world.h"

#define NOW INT64_C(1790000000000)

static world *make_world(void)
{
    world *w = world_new((tcn_wall){NOW});
    world_member_set(w, &(world_member){.name = "pub",
                                        .roles = TCN_ROLE_PUBLISHER,
                                        .clearance = TCN_TLP_RED,
                                        .publish = {">"}});
    return w;
}

/* The encoded value of a key in an encoded map. */
static tcn_bytes value_of(tcn_bytes map, uint64_t key)
{
    tcn_cbor_reader r;
    uint64_t previous = UINT64_MAX;
    tcn_cbor_reader_init(&r, map);
    size_t pairs = tcn_cbor_get_map(&r, SIZE_MAX);
    for (size_t i = 0; i < pairs; i++) {
        uint64_t found = tcn_cbor_get_key(&r, &previous);
        tcn_bytes item = tcn_cbor_get_item(&r);
        if (found == key)
            return item;
    }
    fail_msg("no key %u", (unsigned)key);
    return map;
}

/* The nth item of an encoded list. */
static tcn_bytes item_of(tcn_bytes list, size_t n)
{
    tcn_cbor_reader r;
    tcn_bytes item = {NULL, 0};
    tcn_cbor_reader_init(&r, list);
    assert_true(n < tcn_cbor_get_array(&r, SIZE_MAX));
    for (size_t i = 0; i <= n; i++)
        item = tcn_cbor_get_item(&r);
    assert_int_equal(r.err, TCN_OK);
    return item;
}

/* whole, in which list (a view into it, of fewer than 23 items) has this item, too. */
static tcn_bytes grown(tcn_bytes whole, tcn_bytes list, tcn_bytes item)
{
    uint8_t *bytes = mem_zeroed(whole.len + item.len);
    size_t from = (size_t)(list.ptr - whole.ptr), to = from + list.len;
    assert_true(from < whole.len && to <= whole.len && (list.ptr[0] & 0x1f) < 23);
    memcpy(bytes, whole.ptr, to);
    bytes[from]++;
    memcpy(bytes + to, item.ptr, item.len);
    memcpy(bytes + to + item.len, whole.ptr + to, whole.len - to);
    return tcn_bytes_of(bytes, whole.len + item.len);
}

/* Its copy with one byte changed. */
static tcn_bytes changed(tcn_bytes item, size_t at)
{
    uint8_t *bytes = mem_zeroed(item.len);
    assert_true(at < item.len);
    memcpy(bytes, item.ptr, item.len);
    bytes[at]++;
    return tcn_bytes_of(bytes, item.len);
}

static void drop(tcn_bytes bytes)
{
    free((void *)(uintptr_t)bytes.ptr);
}

/* ---- alerts ---- */

static tcn_alert full_alert(void)
{
    static const char names[TCN_MAX_COMMUNITIES][4] = {"c00", "c01", "c02", "c03", "c04", "c05",
                                                       "c06", "c07", "c08", "c09", "c10", "c11",
                                                       "c12", "c13", "c14", "c15"};
    static char type[TCN_MAX_CONTENT_TYPE_CHARS + 1];
    tcn_alert a = {.meta = {.id = tcn_alert_id_make((tcn_wall){NOW}, (const uint8_t[10]){1}),
                            .handle = tcn_bytes_str("H-1"),
                            .program = {{1}},
                            .publisher = tcn_bytes_str("pub"),
                            .topic = tcn_bytes_str("a.b"),
                            .kind = TCN_KIND_UPDATE,
                            .references = TCN_MAX_REFERENCES,
                            .texts = 1,
                            .text = {{tcn_bytes_str("en"), tcn_bytes_str("T"), {NULL, 0}}},
                            .created = {NOW},
                            .expires = {NOW + 1},
                            .communities = TCN_MAX_COMMUNITIES,
                            .decoded_size = 4},
                   .body = tcn_bytes_str("body")};
    for (uint8_t i = 0; i < TCN_MAX_REFERENCES; i++)
        a.meta.reference[i] =
            tcn_alert_id_make((tcn_wall){NOW}, (const uint8_t[10]){[8] = 2, [9] = i});
    for (size_t i = 0; i < TCN_MAX_COMMUNITIES; i++)
        a.meta.community[i] = tcn_bytes_str(names[i]);
    memset(type, 'x', sizeof(type) - 1);
    type[5] = '/';
    a.meta.content_type = tcn_bytes_str(type);
    return a;
}

static void test_an_alert_with_one_too_many(void **state)
{
    (void)state;
    static uint8_t payload[TCN_MAX_ENVELOPE_BYTES];
    size_t len = 0;
    tcn_fault fault;
    tcn_alert a = full_alert(), back;
    tcn_alert_meta meta;
    assert_int_equal(tcn_alert_encode(&a, payload, sizeof(payload), &len, &fault), TCN_OK);
    assert_int_equal(tcn_alert_decode(tcn_bytes_of(payload, len), &back, &fault), TCN_OK);
    assert_int_equal(back.meta.references, TCN_MAX_REFERENCES);
    const uint64_t lists[] = {11, 19}; /* references, communities */
    for (size_t i = 0; i < 2; i++) {
        tcn_bytes list = value_of(back.meta_bytes, lists[i]);
        tcn_bytes last = item_of(list, 15), next = changed(last, last.len - 1);
        tcn_bytes more = grown(back.meta_bytes, list, next);
        assert_int_equal(tcn_alert_meta_decode(more, &meta, &fault), TCN_TOO_LARGE);
        drop(next);
        drop(more);
    }
}

static void test_a_content_type_too_long(void **state)
{
    (void)state;
    static uint8_t payload[TCN_MAX_ENVELOPE_BYTES];
    char type[TCN_MAX_CONTENT_TYPE_CHARS + 2];
    size_t len = 0;
    tcn_fault fault;
    tcn_alert a = full_alert();
    memset(type, 'x', sizeof(type) - 1);
    type[sizeof(type) - 1] = '\0';
    type[5] = '/';
    a.meta.content_type = tcn_bytes_str(type);
    assert_int_equal(tcn_alert_encode(&a, payload, sizeof(payload), &len, &fault), TCN_TOO_LARGE);
}

/* ---- cards ---- */

static void test_a_card_with_one_too_many(void **state)
{
    (void)state;
    static uint8_t payload[TCN_MAX_CARD_BYTES];
    size_t len = 0;
    tcn_fault fault;
    tcn_card back;
    world *w = make_world();
    tcn_card *card = world_card_edit(w, "pub");
    while (card->keys < TCN_MAX_KEYS_PER_MEMBER) {
        card->key[card->keys] = card->key[0];
        card->key[card->keys].public_bytes[0] = (uint8_t)card->keys;
        card->keys++;
    }
    card->communities = TCN_MAX_COMMUNITIES;
    for (unsigned i = 0; i < TCN_MAX_COMMUNITIES; i++)
        (void)snprintf(card->community[i], sizeof(card->community[i]), "c%02u", i);
    assert_int_equal(tcn_card_encode(card, payload, sizeof(payload), &len, &fault), TCN_OK);
    tcn_bytes whole = tcn_bytes_of(payload, len);
    assert_int_equal(tcn_card_decode(whole, &back, &fault), TCN_OK);
    tcn_card_fini(&back);
    const struct {
        uint64_t key;
        size_t last, change; /* place of a byte to change in the last item */
    } lists[] = {{5, TCN_MAX_KEYS_PER_MEMBER - 1, 10}, {10, TCN_MAX_COMMUNITIES - 1, 3}};
    for (size_t i = 0; i < 2; i++) {
        tcn_bytes list = value_of(whole, lists[i].key);
        tcn_bytes next = changed(item_of(list, lists[i].last), lists[i].change);
        tcn_bytes more = grown(whole, list, next);
        assert_int_equal(tcn_card_decode(more, &back, &fault), TCN_TOO_LARGE);
        drop(next);
        drop(more);
    }
    world_free(&w);
}

/* ---- bundles ---- */

static void test_a_bundle_with_one_too_many(void **state)
{
    (void)state;
    uint8_t *payload = NULL;
    size_t len = 0;
    tcn_fault fault;
    tcn_bundle back;
    world *w = make_world();
    for (unsigned i = 1; i < TCN_MAX_BROKERS; i++) { /* one is there */
        char name[16];
        (void)snprintf(name, sizeof(name), "c%u", i);
        world_member_set(w, &(world_member){.name = name, .roles = TCN_ROLE_BROKER});
    }
    world_sign(w);
    assert_int_equal(world_bundle(w)->brokers, TCN_MAX_BROKERS);
    assert_int_equal(tcn_bundle_encode(world_bundle(w), &payload, &len, &fault), TCN_OK);
    tcn_bytes whole = tcn_bytes_of(payload, len), list = value_of(whole, 7);
    tcn_bytes next = changed(item_of(list, TCN_MAX_BROKERS - 1), 4); /* c7 is c8 */
    tcn_bytes more = grown(whole, list, next);
    assert_int_equal(tcn_bundle_decode(more, &back, &fault), TCN_TOO_LARGE);
    drop(next);
    drop(more);

    /* Keys of an issuer. */
    tcn_bytes keys = value_of(item_of(value_of(whole, 6), 0), 3), now = whole;
    for (unsigned i = 1; i <= TCN_MAX_KEYS_PER_MEMBER; i++) {
        bool fits = i < TCN_MAX_KEYS_PER_MEMBER;
        next = changed(item_of(keys, i - 1), 5);
        more = grown(now, keys, next);
        tcn_err err = tcn_bundle_decode(more, &back, &fault);
        assert_int_equal(err, fits ? TCN_OK : TCN_TOO_LARGE);
        if (err == TCN_OK)
            tcn_bundle_fini(&back);
        drop(next);
        if (now.ptr != whole.ptr)
            drop(now);
        now = more;
        keys = fits ? value_of(item_of(value_of(now, 6), 0), 3) : keys;
    }
    drop(now);
    free(payload);
    world_free(&w);
}

static void test_a_policy_beyond_the_limits(void **state)
{
    (void)state;
    world *w = make_world();
    uint8_t *payload = NULL;
    size_t len = 0;
    tcn_fault fault;
    world_sign(w);
    tcn_bundle bundle = *world_bundle(w);
    bundle.policy.max_validity_ms = TCN_MAX_EXPIRES_DAYS * UINT64_C(86400000);
    bundle.policy.max_body_bytes = TCN_MAX_BODY_BYTES_MAX;
    bundle.policy.approvals = TCN_MAX_SIGNATURES;
    assert_int_equal(tcn_bundle_encode(&bundle, &payload, &len, &fault), TCN_OK);
    free(payload);
    const tcn_policy at_most = bundle.policy;
    for (unsigned i = 0; i < 3; i++) {
        bundle.policy = at_most;
        bundle.policy.max_validity_ms += i == 0;
        bundle.policy.max_body_bytes += i == 1;
        bundle.policy.approvals += i == 2;
        payload = NULL;
        assert_int_not_equal(tcn_bundle_encode(&bundle, &payload, &len, &fault), TCN_OK);
        free(payload);
    }
    world_free(&w);
}

/* ---- rosters ---- */

/* A trust file with this many entries in its roster, and no cards. */
static tcn_err open_roster_of(world *w, size_t members)
{
    size_t cap = members * 48 + 4096, len = 0;
    uint8_t *memory[3] = {mem_zeroed(cap), mem_zeroed(cap), mem_zeroed(cap + 65536)};
    tcn_bytes payload, file;
    tcn_cbor_writer out;
    tcn_cbor_writer_init(&out, memory[0], cap);
    tcn_cbor_put_map(&out, 6);
    tcn_cbor_put_uint(&out, 1), tcn_cbor_put_id(&out, world_program(w));
    tcn_cbor_put_uint(&out, 2), tcn_cbor_put_text(&out, "test");
    tcn_cbor_put_uint(&out, 3), tcn_cbor_put_uint(&out, 1);
    tcn_cbor_put_uint(&out, 4), tcn_cbor_put_uint(&out, NOW);
    tcn_cbor_put_uint(&out, 5), tcn_cbor_put_uint(&out, NOW + 1000);
    tcn_cbor_put_uint(&out, 6), tcn_cbor_put_array(&out, members);
    for (size_t i = 0; i < members; i++) {
        char name[32];
        (void)snprintf(name, sizeof(name), "m%06zu", i);
        tcn_cbor_put_array(&out, 2);
        tcn_cbor_put_text(&out, name);
        tcn_cbor_put_hash(&out, &(tcn_hash){{1}});
    }
    assert_int_equal(tcn_cbor_writer_done(&out, &payload), TCN_OK);
    assert_int_equal(tcn_cose_seal(TCN_OBJECT_ROSTER, world_program(w), payload, TCN_ROLE_AUTHORITY,
                                   world_authority_secret(w), memory[1], cap, &len),
                     TCN_OK);
    tcn_cbor_writer_init(&out, memory[2], cap + 65536);
    tcn_cbor_put_array(&out, 3);
    tcn_cbor_put_bytes(&out, tcn_bytes_of(memory[1], len));
    tcn_cbor_put_bytes(&out, world_bundle_envelope(w));
    tcn_cbor_put_array(&out, 0);
    assert_int_equal(tcn_cbor_writer_done(&out, &file), TCN_OK);
    tcn_roster *roster = NULL;
    tcn_fault fault;
    tcn_err err = tcn_roster_open(file, world_authority(w), &roster, &fault);
    assert_null(roster);
    for (size_t i = 0; i < 3; i++)
        free(memory[i]);
    return err;
}

static void test_a_roster_with_one_member_too_many(void **state)
{
    (void)state;
    world *w = make_world();
    world_sign(w);
    assert_int_equal(open_roster_of(w, TCN_MAX_MEMBERS), TCN_MALFORMED); /* its cards lack */
    assert_int_equal(open_roster_of(w, TCN_MAX_MEMBERS + 1), TCN_TOO_LARGE);

    tcn_card none;
    uint8_t *file = NULL;
    size_t len = 0;
    tcn_fault fault;
    memset(&none, 0, sizeof(none));
    const tcn_roster_draft draft = {.card = &none, .cards = TCN_MAX_MEMBERS + 1};
    assert_int_equal(tcn_roster_sign(&draft, world_authority_secret(w), NULL, &file, &len, &fault),
                     TCN_TOO_LARGE);
    assert_null(file);
    world_free(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_an_alert_with_one_too_many),
        cmocka_unit_test(test_a_content_type_too_long),
        cmocka_unit_test(test_a_card_with_one_too_many),
        cmocka_unit_test(test_a_bundle_with_one_too_many),
        cmocka_unit_test(test_a_policy_beyond_the_limits),
        cmocka_unit_test(test_a_roster_with_one_member_too_many),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
