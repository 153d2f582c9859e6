/* SPDX-License-Identifier: Apache-2.0 */
/* test_alert.c - what an alert's payload may say, field by field and between fields. */
#include "libtocsin/alert.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/support/hex.h"
#include "tests/support/mem.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define TEXT(text) tcn_bytes_of(text, sizeof(text) - 1)
#define NOW INT64_C(1790000000000)

static tcn_id alert_id(uint8_t n)
{
    return tcn_alert_id_make((tcn_wall){NOW}, (const uint8_t[10]){[9] = n});
}

/* The least that an alert must have. */
static tcn_alert plain(void)
{
    return (tcn_alert){
        .meta = {.id = alert_id(1),
                 .handle = TEXT("MSRC-2026-014"),
                 .program = {{1}},
                 .publisher = TEXT("msrc"),
                 .topic = TEXT("advisory.vendor.microsoft"),
                 .texts = 1,
                 .text = {{TEXT("en"), TEXT("Title"), TEXT("")}},
                 .created = {NOW},
                 .expires = {NOW + 1},
                 .content_type = TEXT("application/csaf+json"),
                 .decoded_size = 4},
        .body = TEXT("body"),
    };
}

static uint8_t marks[17 * (TCN_MAX_AUDIENCE + 1)];

static void set_audience(tcn_alert *a, unsigned count)
{
    tcn_id id[TCN_MAX_AUDIENCE + 1];
    assert_true(count <= COUNT(id));
    for (unsigned i = 0; i < count; i++)
        id[i] = (tcn_id){{(uint8_t)((count - i) >> 8), (uint8_t)(count - i)}};
    tcn_audience_encode(id, count, marks);
    a->meta.audiences = count;
    a->meta.audience = tcn_bytes_of(marks, (size_t)17 * count);
}

/* Everything that can be there at once. */
static tcn_alert full(void)
{
    tcn_alert a = plain();
    a.meta.lane = TCN_LANE_EMERGENCY;
    a.meta.urgency = TCN_URGENCY_IMMEDIATE;
    a.meta.tlp = TCN_TLP_RED;
    a.meta.status = TCN_STATUS_EXERCISE;
    a.meta.kind = TCN_KIND_CANCEL;
    a.meta.references = 2;
    a.meta.reference[0] = alert_id(3);
    a.meta.reference[1] = alert_id(2);
    a.meta.reason = TCN_REASON_ALL_CLEAR;
    a.meta.texts = 2;
    a.meta.text[1] = (tcn_alert_text){TEXT("de-CH"), TEXT("Titel"), TEXT("Zusammenfassung")};
    a.meta.ask = TEXT("Nothing more");
    a.meta.not_before = (tcn_wall){NOW - 5};
    a.meta.expires = (tcn_wall){NOW + 1000};
    a.meta.ack_by = (tcn_wall){NOW + 500};
    a.meta.communities = 2;
    a.meta.community[0] = TEXT("energy");
    a.meta.community[1] = TEXT("water");
    set_audience(&a, 3);
    a.meta.reason_text = TEXT("It is over");
    return a;
}

static uint8_t payload_memory[TCN_MAX_ENVELOPE_BYTES];

static tcn_err encode(const tcn_alert *a, tcn_bytes *ret_payload)
{
    size_t len = 0;
    tcn_fault fault = {.err = TCN_OK};
    tcn_err err = tcn_alert_encode(a, payload_memory, sizeof(payload_memory), &len, &fault);
    assert_int_equal(fault.err, err);
    assert_true(err == TCN_OK || fault.text[0] != '\0');
    *ret_payload = tcn_bytes_of(payload_memory, len);
    return err;
}

static void test_round_trip(void **state)
{
    (void)state;
    tcn_alert both[] = {plain(), full()};
    for (size_t i = 0; i < COUNT(both); i++) {
        tcn_bytes payload;
        tcn_alert a;
        tcn_fault fault;
        uint8_t again[4096];
        size_t len;
        assert_int_equal(encode(&both[i], &payload), TCN_OK);
        assert_int_equal(tcn_alert_decode(payload, &a, &fault), TCN_OK);
        assert_int_equal(tcn_alert_encode(&a, again, sizeof(again), &len, &fault), TCN_OK);
        assert_true(tcn_bytes_equal(payload, tcn_bytes_of(again, len)));
        tcn_alert_meta meta;
        assert_int_equal(tcn_alert_meta_decode(a.meta_bytes, &meta, &fault), TCN_OK);
        assert_true(tcn_id_equal(&meta.id, &both[i].meta.id));
    }
}

static void test_values_survive(void **state)
{
    (void)state;
    tcn_alert before = full(), a;
    tcn_bytes payload;
    assert_int_equal(encode(&before, &payload), TCN_OK);
    assert_int_equal(tcn_alert_decode(payload, &a, NULL), TCN_OK);
    assert_int_equal(a.meta.lane, TCN_LANE_EMERGENCY);
    assert_int_equal(a.meta.urgency, TCN_URGENCY_IMMEDIATE);
    assert_int_equal(a.meta.tlp, TCN_TLP_RED);
    assert_int_equal(a.meta.status, TCN_STATUS_EXERCISE);
    assert_int_equal(a.meta.kind, TCN_KIND_CANCEL);
    assert_int_equal(a.meta.reason, TCN_REASON_ALL_CLEAR);
    assert_int_equal(a.meta.references, 2);
    assert_true(tcn_id_equal(&a.meta.reference[0], &before.meta.reference[0]));
    assert_true(tcn_bytes_equal(a.meta.handle, TEXT("MSRC-2026-014")));
    assert_true(tcn_bytes_equal(a.meta.text[1].summary, TEXT("Zusammenfassung")));
    assert_true(tcn_bytes_equal(a.meta.ask, TEXT("Nothing more")));
    assert_true(tcn_bytes_equal(a.meta.reason_text, TEXT("It is over")));
    assert_int_equal(a.meta.not_before.unix_ms, NOW - 5);
    assert_int_equal(a.meta.ack_by.unix_ms, NOW + 500);
    assert_int_equal(a.meta.communities, 2);
    assert_int_equal(a.meta.audiences, 3);
    assert_false(a.external);
    assert_int_equal(a.body_size, 4);
    assert_true(tcn_bytes_equal(a.body, TEXT("body")));
    assert_true(a.meta_bytes.ptr == payload.ptr + 1); /* views, no copies */
}

static void test_external_body(void **state)
{
    (void)state;
    tcn_alert before = plain(), a;
    tcn_bytes payload;
    before.external = true;
    before.body_hash = tcn_hash_of(TEXT("body"));
    before.body_size = before.meta.decoded_size = TCN_MAX_BODY_BYTES_MAX;
    assert_int_equal(encode(&before, &payload), TCN_OK);
    assert_int_equal(tcn_alert_decode(payload, &a, NULL), TCN_OK);
    assert_true(a.external);
    assert_true(a.body_size == TCN_MAX_BODY_BYTES_MAX);
    assert_true(tcn_hash_equal(&a.body_hash, &before.body_hash));
    before.body_size = before.meta.decoded_size = TCN_MAX_BODY_BYTES_MAX + UINT64_C(1);
    assert_int_equal(encode(&before, &payload), TCN_TOO_LARGE);
    before.body_size = before.meta.decoded_size = 1000;
    before.meta.lane = TCN_LANE_EMERGENCY;
    assert_int_equal(encode(&before, &payload), TCN_MALFORMED);
}

/* One thing wrong at a time: each of these is refused, by an alert that is otherwise good. */
#define WRONG(name, ...)                                                                           \
    static void name(tcn_alert *a)                                                                 \
    {                                                                                              \
        __VA_ARGS__;                                                                               \
    }
WRONG(id_not_uuid7, a->meta.id.b[6] = 0x41)
WRONG(id_wrong_variant, a->meta.id.b[8] = 0x01)
WRONG(handle_empty, a->meta.handle = TEXT(""))
WRONG(handle_space, a->meta.handle = TEXT("A B"))
WRONG(publisher_upper, a->meta.publisher = TEXT("MSRC"))
WRONG(publisher_hyphen, a->meta.publisher = TEXT("msrc-"))
WRONG(topic_pattern, a->meta.topic = TEXT("advisory.*"))
WRONG(topic_empty, a->meta.topic = TEXT(""))
WRONG(lane_2, a->meta.lane = (tcn_lane)2)
WRONG(urgency_5, a->meta.urgency = (tcn_urgency)5)
WRONG(tlp_5, a->meta.tlp = (tcn_tlp)5)
WRONG(status_3, a->meta.status = (tcn_status)3)
WRONG(kind_3, a->meta.kind = (tcn_kind)3)
WRONG(reference_in_alert, a->meta.references = 1; a->meta.reference[0] = alert_id(2))
WRONG(update_without_reference, a->meta.kind = TCN_KIND_UPDATE)
WRONG(cancel_without_reference, a->meta.kind = TCN_KIND_CANCEL)
WRONG(reference_to_itself, a->meta.kind = TCN_KIND_UPDATE; a->meta.references = 1;
      a->meta.reference[0] = a->meta.id)
WRONG(reference_twice, a->meta.kind = TCN_KIND_UPDATE; a->meta.references = 2;
      a->meta.reference[0] = a->meta.reference[1] = alert_id(2))
WRONG(reference_not_uuid7, a->meta.kind = TCN_KIND_UPDATE; a->meta.references = 1)
WRONG(reason_2, a->meta.kind = TCN_KIND_CANCEL; a->meta.references = 1;
      a->meta.reference[0] = alert_id(2); a->meta.reason = (tcn_reason)2)
WRONG(reason_words_in_alert, a->meta.reason_text = TEXT("because"))
WRONG(no_text, a->meta.texts = 0)
WRONG(no_title, a->meta.text[0].title = TEXT(""))
WRONG(lang_empty, a->meta.text[0].lang = TEXT(""))
WRONG(lang_digits_first, a->meta.text[0].lang = TEXT("1a"))
WRONG(lang_hyphen_last, a->meta.text[0].lang = TEXT("de-"))
WRONG(lang_long_subtag, a->meta.text[0].lang = TEXT("de-abcdefghi"))
WRONG(lang_underscore, a->meta.text[0].lang = TEXT("de_CH"))
WRONG(lang_twice, a->meta.texts = 2;
      a->meta.text[1] = (tcn_alert_text){TEXT("EN"), TEXT("Title"), TEXT("")})
WRONG(expires_at_created, a->meta.expires = a->meta.created)
WRONG(created_negative, a->meta.created.unix_ms = -1)
WRONG(expires_after_9999, a->meta.expires.unix_ms = INT64_C(253402300800000))
WRONG(not_before_too_late, a->meta.not_before = a->meta.expires)
WRONG(ack_by_too_early, a->meta.ack_by = a->meta.created)
WRONG(communities_descending, a->meta.communities = 2; a->meta.community[0] = TEXT("b");
      a->meta.community[1] = TEXT("a"))
WRONG(community_twice, a->meta.communities = 2; a->meta.community[0] = TEXT("a");
      a->meta.community[1] = TEXT("a"))
WRONG(community_no_name, a->meta.communities = 1; a->meta.community[0] = TEXT("A b"))
WRONG(red_without_audience, a->meta.tlp = TCN_TLP_RED)
WRONG(audience_descending, set_audience(a, 2); marks[1] = 0xff)
WRONG(audience_twice, set_audience(a, 2); memcpy(marks + 18, marks + 1, 16))
WRONG(content_type_bare, a->meta.content_type = TEXT("json"))
WRONG(content_type_parameter, a->meta.content_type = TEXT("text/plain; charset=utf-8"))
WRONG(content_type_empty_part, a->meta.content_type = TEXT("text/"))
WRONG(content_type_two_slashes, a->meta.content_type = TEXT("a/b/c"))
WRONG(encoding_2, a->meta.encoding = (tcn_encoding)2)
WRONG(size_larger, a->meta.decoded_size = 5)
WRONG(size_smaller, a->meta.decoded_size = 3)
WRONG(zstd_of_nothing, a->meta.encoding = TCN_ENCODING_ZSTD; a->body = TEXT("");
      a->meta.decoded_size = 0)
#undef WRONG

typedef void damage(tcn_alert *a);

static damage *const damages[] = {
    id_not_uuid7,
    id_wrong_variant,
    handle_empty,
    handle_space,
    publisher_upper,
    publisher_hyphen,
    topic_pattern,
    topic_empty,
    lane_2,
    urgency_5,
    tlp_5,
    status_3,
    kind_3,
    reference_in_alert,
    update_without_reference,
    cancel_without_reference,
    reference_to_itself,
    reference_twice,
    reference_not_uuid7,
    reason_2,
    reason_words_in_alert,
    no_text,
    no_title,
    lang_empty,
    lang_digits_first,
    lang_hyphen_last,
    lang_long_subtag,
    lang_underscore,
    lang_twice,
    expires_at_created,
    created_negative,
    expires_after_9999,
    not_before_too_late,
    ack_by_too_early,
    communities_descending,
    community_twice,
    community_no_name,
    red_without_audience,
    audience_descending,
    audience_twice,
    content_type_bare,
    content_type_parameter,
    content_type_empty_part,
    content_type_two_slashes,
    encoding_2,
    size_larger,
    size_smaller,
    zstd_of_nothing,
};

static void test_each_rule(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(damages); i++) {
        tcn_alert a = plain();
        tcn_bytes payload;
        assert_int_equal(encode(&a, &payload), TCN_OK);
        damages[i](&a);
        if (encode(&a, &payload) != TCN_MALFORMED)
            fail_msg("damage %zu is not refused as it should be", i);
    }
}

static void test_too_large(void **state)
{
    (void)state;
    static char text[TCN_MAX_INLINE_BODY_BYTES + 1];
    tcn_bytes payload;
    memset(text, 'x', sizeof(text));
    struct {
        size_t offset, most;
    } const row[] = {
        {offsetof(tcn_alert_meta, handle), TCN_MAX_HANDLE_CHARS},
        {offsetof(tcn_alert_meta, publisher), TCN_MAX_NAME_CHARS},
        {offsetof(tcn_alert_meta, topic), TCN_MAX_TOPIC_CHARS},
        {offsetof(tcn_alert_meta, text[0].title), TCN_MAX_TITLE_BYTES},
        {offsetof(tcn_alert_meta, text[0].summary), TCN_MAX_SUMMARY_BYTES},
        {offsetof(tcn_alert_meta, ask), TCN_MAX_ASK_BYTES},
    };
    for (size_t i = 0; i < COUNT(row); i++) {
        tcn_alert a = plain();
        *(tcn_bytes *)((uint8_t *)&a.meta + row[i].offset) = tcn_bytes_of(text, row[i].most);
        assert_int_equal(encode(&a, &payload), TCN_OK);
        *(tcn_bytes *)((uint8_t *)&a.meta + row[i].offset) = tcn_bytes_of(text, row[i].most + 1);
        assert_int_equal(encode(&a, &payload), TCN_TOO_LARGE);
    }
    tcn_alert a = plain();
    a.body = tcn_bytes_of(text, a.meta.decoded_size = TCN_MAX_INLINE_BODY_BYTES);
    assert_int_equal(encode(&a, &payload), TCN_OK);
    a.body = tcn_bytes_of(text, a.meta.decoded_size = TCN_MAX_INLINE_BODY_BYTES + 1);
    assert_int_equal(encode(&a, &payload), TCN_TOO_LARGE);
    /* Languages, each within its limits, that are too much together. */
    a = plain();
    a.meta.texts = TCN_MAX_LANGUAGES;
    static const char *const langs[] = {"aa", "bb", "cc", "dd", "ee", "ff", "gg", "hh"};
    for (unsigned i = 0; i < TCN_MAX_LANGUAGES; i++)
        a.meta.text[i] = (tcn_alert_text){tcn_bytes_str(langs[i]), TEXT("Title"),
                                          tcn_bytes_of(text, TCN_MAX_SUMMARY_BYTES)};
    assert_int_equal(encode(&a, &payload), TCN_TOO_LARGE);
    set_audience(&a, TCN_MAX_AUDIENCE);
    a.meta.texts = 1;
    assert_int_equal(encode(&a, &payload), TCN_OK);
    set_audience(&a, TCN_MAX_AUDIENCE + 1);
    assert_int_equal(encode(&a, &payload), TCN_TOO_LARGE);
}

static void test_ratio(void **state)
{
    (void)state;
    tcn_alert a = plain();
    tcn_bytes payload;
    a.meta.encoding = TCN_ENCODING_ZSTD;
    a.meta.decoded_size = 4 * TCN_MAX_BODY_RATIO;
    assert_int_equal(encode(&a, &payload), TCN_OK);
    a.meta.decoded_size++;
    assert_int_equal(encode(&a, &payload), TCN_TOO_LARGE);
    a.meta.decoded_size = UINT64_MAX;
    assert_int_equal(encode(&a, &payload), TCN_TOO_LARGE);
}

static void test_does_not_fit(void **state)
{
    (void)state;
    tcn_alert a = plain();
    uint8_t small[100];
    size_t len;
    tcn_fault fault;
    assert_int_equal(tcn_alert_encode(&a, small, sizeof(small), &len, &fault), TCN_TOO_LARGE);
    static uint8_t large[TCN_MAX_ENVELOPE_BYTES + 1];
    assert_int_equal(tcn_alert_decode(tcn_bytes_of(large, sizeof(large)), &a, &fault),
                     TCN_TOO_LARGE);
    a.meta.text[0].title = TEXT("\xff");
    assert_int_equal(tcn_alert_encode(&a, payload_memory, sizeof(payload_memory), &len, &fault),
                     TCN_INVALID);
}

static void test_faults_name_the_field(void **state)
{
    (void)state;
    tcn_alert a = plain();
    tcn_fault fault;
    size_t len;
    a.meta.topic = TEXT("Advisory");
    assert_int_equal(tcn_alert_encode(&a, payload_memory, sizeof(payload_memory), &len, &fault),
                     TCN_MALFORMED);
    assert_non_null(strstr(fault.text, "topic"));
    assert_int_equal(tcn_alert_meta_decode(HEX("a1 182a 01"), &a.meta, &fault), TCN_MALFORMED);
    assert_non_null(strstr(fault.text, "42"));
    assert_int_equal(tcn_alert_meta_decode(HEX("a0"), &a.meta, &fault), TCN_MALFORMED);
    assert_string_equal(fault.text, "alert: id is missing");
}

/* Key 64 may come from a newer peer, key 63 may not; an optional text must not be empty. */
static void test_keys(void **state)
{
    (void)state;
    tcn_alert before = plain(), a;
    tcn_bytes payload;
    uint8_t longer[1024];
    assert_int_equal(encode(&before, &payload), TCN_OK);
    assert_int_equal(tcn_alert_decode(payload, &a, NULL), TCN_OK);
    static const struct {
        const char *more;
        tcn_err expected;
    } row[] = {{"1840 83010203", TCN_OK},
               {"1840 9f01ff", TCN_MALFORMED},
               {"183f 01", TCN_MALFORMED},
               {"1818 60", TCN_MALFORMED},
               {"1818 6178", TCN_MALFORMED}};
    for (size_t i = 0; i < COUNT(row); i++) {
        tcn_bytes more = hex_bytes(row[i].more, (uint8_t[32]){0}, 32);
        memcpy(longer, a.meta_bytes.ptr, a.meta_bytes.len);
        longer[0]++; /* one pair more */
        memcpy(longer + a.meta_bytes.len, more.ptr, more.len);
        tcn_alert_meta meta;
        assert_int_equal(
            tcn_alert_meta_decode(tcn_bytes_of(longer, a.meta_bytes.len + more.len), &meta, NULL),
            row[i].expected);
    }
}

static void test_truncated_and_mutated(void **state)
{
    (void)state;
    tcn_alert before = full();
    tcn_bytes payload;
    uint32_t seed = 7;
    assert_int_equal(encode(&before, &payload), TCN_OK);
    for (size_t len = 0; len < payload.len; len++) {
        tcn_alert a;
        uint8_t *copy = mem_copy(tcn_bytes_of(payload.ptr, len));
        assert_int_equal(tcn_alert_decode(tcn_bytes_of(copy, len), &a, NULL), TCN_MALFORMED);
        free(copy);
    }
    for (unsigned round = 0; round < 30000; round++) {
        tcn_alert a;
        uint8_t *copy = mem_copy(payload);
        seed = seed * 1664525U + 1013904223U;
        copy[(seed >> 8) % payload.len] = (uint8_t)(seed >> 3);
        if (tcn_alert_decode(tcn_bytes_of(copy, payload.len), &a, NULL) == TCN_OK)
            assert_int_equal(tcn_cbor_check(tcn_bytes_of(copy, payload.len), 64), TCN_OK);
        free(copy);
    }
}

static void test_audience_and_community(void **state)
{
    (void)state;
    tcn_alert a = plain();
    tcn_id none = {{0, 99}};
    assert_false(tcn_alert_has_audience_mark(&a.meta, &none));
    set_audience(&a, TCN_MAX_AUDIENCE);
    for (unsigned i = 1; i <= TCN_MAX_AUDIENCE; i++) {
        tcn_id mark = {{(uint8_t)(i >> 8), (uint8_t)i}};
        assert_true(tcn_alert_has_audience_mark(&a.meta, &mark));
    }
    none.b[5] = 1;
    assert_false(tcn_alert_has_audience_mark(&a.meta, &none));
    a = full();
    assert_true(tcn_alert_has_community(&a.meta, TEXT("water")));
    assert_false(tcn_alert_has_community(&a.meta, TEXT("wate")));
}

static void test_titles(void **state)
{
    (void)state;
    tcn_alert a = full();
    static const struct {
        const char *lang, *title;
    } row[] = {{"en", "Title"}, {"EN", "Title"},    {"de-ch", "Titel"}, {"de-CH-1901", "Titel"},
               {"de", "Title"}, {"en-GB", "Title"}, {"fr", "Title"},    {"", "Title"}};
    for (size_t i = 0; i < COUNT(row); i++)
        assert_true(
            tcn_bytes_equal(tcn_alert_title(&a.meta, row[i].lang), tcn_bytes_str(row[i].title)));
}

/* The example of RFC 9562 §A.6. */
static void test_uuid7(void **state)
{
    (void)state;
    static const uint8_t random[10] = {0x0c, 0xc3, 0x18, 0xc4, 0xdc, 0x0c, 0x0c, 0x07, 0x39, 0x8f};
    char text[TCN_ID_TEXT_SIZE];
    tcn_id id = tcn_alert_id_make((tcn_wall){0x017F22E279B0}, random);
    tcn_id_text(&id, text);
    assert_string_equal(text, "017f22e2-79b0-7cc3-98c4-dc0c0c07398f");
}

static void test_words(void **state)
{
    (void)state;
    tcn_urgency urgency;
    tcn_status status;
    assert_string_equal(tcn_lane_text(TCN_LANE_EMERGENCY), "emergency");
    assert_string_equal(tcn_kind_text(TCN_KIND_CANCEL), "cancel");
    for (unsigned i = 0; i <= TCN_URGENCY_PAST; i++) {
        assert_int_equal(tcn_urgency_parse(tcn_urgency_text((tcn_urgency)i), &urgency), TCN_OK);
        assert_int_equal(urgency, i);
    }
    for (unsigned i = 0; i <= TCN_STATUS_TEST; i++) {
        assert_int_equal(tcn_status_parse(tcn_status_text((tcn_status)i), &status), TCN_OK);
        assert_int_equal(status, i);
    }
    assert_int_equal(tcn_urgency_parse("soon", &urgency), TCN_INVALID);
    assert_int_equal(tcn_status_parse("", &status), TCN_INVALID);
    assert_string_equal(tcn_status_text((tcn_status)9), "unknown");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_values_survive),
        cmocka_unit_test(test_external_body),
        cmocka_unit_test(test_each_rule),
        cmocka_unit_test(test_too_large),
        cmocka_unit_test(test_ratio),
        cmocka_unit_test(test_does_not_fit),
        cmocka_unit_test(test_faults_name_the_field),
        cmocka_unit_test(test_keys),
        cmocka_unit_test(test_truncated_and_mutated),
        cmocka_unit_test(test_audience_and_community),
        cmocka_unit_test(test_titles),
        cmocka_unit_test(test_uuid7),
        cmocka_unit_test(test_words),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
