/* SPDX-License-Identifier: Apache-2.0 */
/* alert.c - the table of the metadata (docs/protocol.md §2) and the rules between its fields.
 * Bodies are in alert_body.c. */
#include "alert.h"

#include <stdlib.h>
#include <string.h>

#include "fields.h"
#include "topic.h"

#define MARK_BYTES 17     /* a bstr of 16 with its head */
#define MAX_LANG_CHARS 35 /* RFC 5646 §4.4.1 */

/* ---- words ---- */

static const char *const lane_words[] = {"bulk", "emergency"};
static const char *const urgency_words[] = {"unknown", "immediate", "expected", "future", "past"};
static const char *const status_words[] = {"actual", "exercise", "test"};
static const char *const kind_words[] = {"alert", "update", "cancel"};

static const char *word_of(const char *const *words, size_t count, unsigned number)
{
    return number < count ? words[number] : "unknown";
}

static tcn_err parse_word(const char *const *words, size_t count, const char *text,
                          unsigned *ret_number)
{
    for (unsigned i = 0; i < count; i++) {
        if (strcmp(words[i], text) == 0) {
            *ret_number = i;
            return TCN_OK;
        }
    }
    return TCN_INVALID;
}

const char *tcn_lane_text(tcn_lane lane)
{
    return word_of(lane_words, TCN_COUNT_OF(lane_words), lane);
}

const char *tcn_urgency_text(tcn_urgency urgency)
{
    return word_of(urgency_words, TCN_COUNT_OF(urgency_words), urgency);
}

const char *tcn_status_text(tcn_status status)
{
    return word_of(status_words, TCN_COUNT_OF(status_words), status);
}

const char *tcn_kind_text(tcn_kind kind)
{
    return word_of(kind_words, TCN_COUNT_OF(kind_words), kind);
}

tcn_err tcn_urgency_parse(const char *text, tcn_urgency *ret_urgency)
{
    return parse_word(urgency_words, TCN_COUNT_OF(urgency_words), text, ret_urgency);
}

tcn_err tcn_status_parse(const char *text, tcn_status *ret_status)
{
    return parse_word(status_words, TCN_COUNT_OF(status_words), text, ret_status);
}

/* ---- kinds of this module ---- */

/* ASCII, whatever the locale says. */
static bool is_letter(uint8_t c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_alnum(uint8_t c)
{
    return is_letter(c) || (c >= '0' && c <= '9');
}

/* RFC 9562 §5.7: version 7, variant 10. */
static bool is_uuid7(const tcn_id *id)
{
    return id->b[6] >> 4 == 7 && id->b[8] >> 6 == 2;
}

static void get_alert_id(const tcn_field_in *in)
{
    tcn_id *id = in->value;
    *id = tcn_cbor_get_id(in->r);
    if (!is_uuid7(id))
        tcn_cbor_fail(in->r, TCN_MALFORMED);
}

static void put_alert_id(const tcn_field_out *out)
{
    tcn_cbor_put_id(out->w, out->value);
}

static bool is_handle(tcn_bytes text)
{
    for (size_t i = 0; i < text.len; i++)
        if (!is_alnum(text.ptr[i]) && strchr("-._", text.ptr[i]) == NULL)
            return false;
    return text.len > 0;
}

static void get_handle(const tcn_field_in *in)
{
    tcn_bytes *handle = in->value;
    *handle = tcn_cbor_get_text(in->r, TCN_MAX_HANDLE_CHARS);
    if (!is_handle(*handle))
        tcn_cbor_fail(in->r, TCN_MALFORMED);
}

static void put_text(const tcn_field_out *out)
{
    tcn_cbor_put_text_bytes(out->w, *(const tcn_bytes *)out->value);
}

static void get_topic(const tcn_field_in *in)
{
    tcn_bytes *topic = in->value;
    *topic = tcn_cbor_get_text(in->r, TCN_MAX_TOPIC_CHARS);
    if (tcn_topic_check(*topic) != TCN_OK)
        tcn_cbor_fail(in->r, TCN_MALFORMED);
}

/* RFC 6838 §4.2: two restricted names with a slash between. */
static bool is_content_type(tcn_bytes text)
{
    bool slash = false, first = true;
    for (size_t i = 0; i < text.len; i++) {
        uint8_t c = text.ptr[i];
        if (c == '/' && !slash && !first) {
            slash = first = true;
            continue;
        }
        if (!is_alnum(c) && (first || strchr("!#$&-^_.+", c) == NULL))
            return false;
        first = false;
    }
    return slash && !first;
}

static void get_content_type(const tcn_field_in *in)
{
    tcn_bytes *type = in->value;
    *type = tcn_cbor_get_text(in->r, TCN_MAX_CONTENT_TYPE_CHARS);
    if (!is_content_type(*type))
        tcn_cbor_fail(in->r, TCN_MALFORMED);
}

static void get_references(const tcn_field_in *in)
{
    tcn_alert_meta *meta = in->value;
    meta->references = (unsigned)tcn_cbor_get_array(in->r, TCN_MAX_REFERENCES);
    for (unsigned i = 0; i < meta->references; i++) {
        meta->reference[i] = tcn_cbor_get_id(in->r);
        bool fits = is_uuid7(&meta->reference[i]) && !tcn_id_equal(&meta->reference[i], &meta->id);
        for (unsigned j = 0; j < i; j++)
            fits = fits && !tcn_id_equal(&meta->reference[i], &meta->reference[j]);
        if (!fits)
            tcn_cbor_fail(in->r, TCN_MALFORMED);
    }
}

static void put_references(const tcn_field_out *out)
{
    const tcn_alert_meta *meta = out->value;
    tcn_cbor_put_array(out->w, meta->references);
    for (unsigned i = 0; i < meta->references; i++)
        tcn_cbor_put_id(out->w, &meta->reference[i]);
}

static bool references_are_absent(const void *value)
{
    return ((const tcn_alert_meta *)value)->references == 0;
}

static void get_reason(const tcn_field_in *in)
{
    ((tcn_alert_meta *)in->value)->reason =
        (tcn_reason)tcn_cbor_get_uint_max(in->r, in->field->max);
}

static void put_reason(const tcn_field_out *out)
{
    tcn_cbor_put_uint(out->w, ((const tcn_alert_meta *)out->value)->reason);
}

static bool reason_is_absent(const void *value)
{
    return ((const tcn_alert_meta *)value)->kind != TCN_KIND_CANCEL;
}

/* BCP 47 as far as shape goes: subtags of 1 to 8 letters and digits, the first of letters. */
static bool is_language_tag(tcn_bytes tag)
{
    size_t subtag = 0, subtags = 0;
    for (size_t i = 0; i < tag.len; i++) {
        uint8_t c = tag.ptr[i];
        if (c == '-' && subtag > 0) {
            subtags++;
            subtag = 0;
        } else if ((subtags == 0 ? is_letter(c) : is_alnum(c)) && subtag < 8) {
            subtag++;
        } else {
            return false;
        }
    }
    return subtag > 0;
}

static bool same_tag(tcn_bytes a, tcn_bytes b)
{
    for (size_t i = 0; a.len == b.len && i < a.len; i++) {
        /* Case does not count; in shape, only letters differ in this bit alone. */
        bool letters = is_letter(a.ptr[i]) && is_letter(b.ptr[i]);
        if (a.ptr[i] != b.ptr[i] && !(letters && (a.ptr[i] | 0x20) == (b.ptr[i] | 0x20)))
            return false;
    }
    return a.len == b.len;
}

static void get_texts(const tcn_field_in *in)
{
    tcn_alert_meta *meta = in->value;
    meta->texts = (unsigned)tcn_cbor_get_array(in->r, TCN_MAX_LANGUAGES);
    for (unsigned i = 0; i < meta->texts && in->r->err == TCN_OK; i++) {
        tcn_alert_text *text = &meta->text[i];
        tcn_fields_get_tuple(in->r, 3);
        text->lang = tcn_cbor_get_text(in->r, MAX_LANG_CHARS);
        text->title = tcn_cbor_get_text(in->r, TCN_MAX_TITLE_BYTES);
        text->summary = tcn_cbor_get_text(in->r, TCN_MAX_SUMMARY_BYTES);
        bool fits = is_language_tag(text->lang) && text->title.len > 0;
        for (unsigned j = 0; j < i; j++)
            fits = fits && !same_tag(text->lang, meta->text[j].lang);
        if (!fits)
            tcn_cbor_fail(in->r, TCN_MALFORMED);
    }
    if (meta->texts == 0)
        tcn_cbor_fail(in->r, TCN_MALFORMED);
}

static void put_texts(const tcn_field_out *out)
{
    const tcn_alert_meta *meta = out->value;
    tcn_cbor_put_array(out->w, meta->texts);
    for (unsigned i = 0; i < meta->texts; i++) {
        tcn_cbor_put_array(out->w, 3);
        tcn_cbor_put_text_bytes(out->w, meta->text[i].lang);
        tcn_cbor_put_text_bytes(out->w, meta->text[i].title);
        tcn_cbor_put_text_bytes(out->w, meta->text[i].summary);
    }
}

static void get_communities(const tcn_field_in *in)
{
    tcn_alert_meta *meta = in->value;
    tcn_bytes previous = {NULL, 0};
    meta->communities = (unsigned)tcn_cbor_get_array(in->r, TCN_MAX_COMMUNITIES);
    for (unsigned i = 0; i < meta->communities; i++)
        meta->community[i] = tcn_fields_get_name(in->r, &previous);
}

static void put_communities(const tcn_field_out *out)
{
    const tcn_alert_meta *meta = out->value;
    tcn_cbor_put_array(out->w, meta->communities);
    for (unsigned i = 0; i < meta->communities; i++)
        tcn_cbor_put_text_bytes(out->w, meta->community[i]);
}

static bool communities_are_absent(const void *value)
{
    return ((const tcn_alert_meta *)value)->communities == 0;
}

static void get_audience(const tcn_field_in *in)
{
    tcn_alert_meta *meta = in->value;
    meta->audiences = (unsigned)tcn_cbor_get_array(in->r, TCN_MAX_AUDIENCE);
    size_t from = in->r->pos;
    tcn_id previous, mark;
    for (unsigned i = 0; i < meta->audiences; i++, previous = mark) {
        mark = tcn_cbor_get_id(in->r);
        if (i > 0 && memcmp(previous.b, mark.b, sizeof(mark.b)) >= 0)
            tcn_cbor_fail(in->r, TCN_MALFORMED);
    }
    if (in->r->err == TCN_OK)
        meta->audience = tcn_bytes_of(in->r->ptr + from, in->r->pos - from);
}

static void put_audience(const tcn_field_out *out)
{
    const tcn_alert_meta *meta = out->value;
    tcn_cbor_put_array(out->w, meta->audiences);
    tcn_cbor_put_raw(out->w, meta->audience);
}

static bool audience_is_absent(const void *value)
{
    return ((const tcn_alert_meta *)value)->audiences == 0;
}

static const tcn_field_kind kind_alert_id = {get_alert_id, put_alert_id, NULL, "a UUIDv7"};
static const tcn_field_kind kind_handle = {get_handle, put_text, NULL,
                                           "1 to 32 letters, digits, hyphens, dots or underscores"};
static const tcn_field_kind kind_topic = {get_topic, put_text, NULL,
                                          "tokens of a-z, 0-9, _ and - with dots between"};
static const tcn_field_kind kind_references = {
    get_references, put_references, references_are_absent, "1 to 16 other alerts' ids, each once"};
static const tcn_field_kind kind_reason = {get_reason, put_reason, reason_is_absent,
                                           "0 for retract, 1 for all-clear"};
static const tcn_field_kind kind_texts = {
    get_texts, put_texts, NULL,
    "1 to 8 [language tag, title of 1 to 256 bytes, summary to 2048 bytes], each language once"};
static const tcn_field_kind kind_communities = {get_communities, put_communities,
                                                communities_are_absent, "1 to 16 names, ascending"};
static const tcn_field_kind kind_audience = {get_audience, put_audience, audience_is_absent,
                                             "1 to 256 marks of 16 bytes, ascending"};
static const tcn_field_kind kind_content_type = {get_content_type, put_text, NULL,
                                                 "a media type like text/plain, no parameters"};

/* ---- metadata ---- */

#define M(key, name, kind, member, max)                                                            \
    TCN_FIELD(tcn_alert_meta, key, name, TCN_REQUIRED, kind, member, max)
#define M_OPT(key, name, kind, member, max)                                                        \
    TCN_FIELD(tcn_alert_meta, key, name, TCN_OPTIONAL, kind, member, max)

static const tcn_field meta_table[] = {
    M(1, "id", kind_alert_id, id, 0),
    M(2, "handle", kind_handle, handle, 0),
    M(3, "program", tcn_as_id, program, 0),
    M(4, "publisher", tcn_as_name, publisher, 0),
    M(5, "topic", kind_topic, topic, 0),
    M(6, "lane", tcn_as_choice, lane, TCN_LANE_EMERGENCY),
    M(7, "urgency", tcn_as_choice, urgency, TCN_URGENCY_PAST),
    M(8, "TLP", tcn_as_choice, tlp, TCN_TLP_RED),
    M(9, "status", tcn_as_choice, status, TCN_STATUS_TEST),
    M(10, "kind", tcn_as_choice, kind, TCN_KIND_CANCEL),
    TCN_FIELD_ALL(11, "references", TCN_OPTIONAL, kind_references, 0),
    TCN_FIELD_ALL(12, "reason", TCN_OPTIONAL, kind_reason, TCN_REASON_ALL_CLEAR),
    TCN_FIELD_ALL(13, "texts", TCN_REQUIRED, kind_texts, 0),
    M_OPT(14, "requested action", tcn_as_text, ask, TCN_MAX_ASK_BYTES),
    M(15, "created", tcn_as_wall, created, 0),
    M_OPT(16, "not-before", tcn_as_wall, not_before, 0),
    M(17, "expires", tcn_as_wall, expires, 0),
    M_OPT(18, "ack-by", tcn_as_wall, ack_by, 0),
    TCN_FIELD_ALL(19, "communities", TCN_OPTIONAL, kind_communities, 0),
    TCN_FIELD_ALL(20, "audience", TCN_OPTIONAL, kind_audience, 0),
    M(21, "content type", kind_content_type, content_type, 0),
    M(22, "encoding", tcn_as_choice, encoding, TCN_ENCODING_ZSTD),
    M(23, "decoded size", tcn_as_uint, decoded_size, UINT64_MAX),
    M_OPT(24, "reason in words", tcn_as_text, reason_text, TCN_MAX_NOTE_BYTES),
};

static const tcn_fields meta_fields = TCN_FIELDS("alert", meta_table);

typedef struct {
    bool broken;
    tcn_err err;
    const char *text;
} rule;

static tcn_err check(const rule *rules, size_t count, tcn_fault *fault)
{
    for (size_t i = 0; i < count; i++)
        if (rules[i].broken)
            return tcn_fault_set(fault, rules[i].err, "alert: %s", rules[i].text);
    return TCN_OK;
}

static tcn_err check_meta(const tcn_alert_meta *m, tcn_fault *fault)
{
    int64_t created = m->created.unix_ms, expires = m->expires.unix_ms;
    const rule rules[] = {
        {m->kind == TCN_KIND_ALERT && m->references > 0, TCN_MALFORMED,
         "references belong to updates and cancels only"},
        {m->kind != TCN_KIND_ALERT && m->references == 0, TCN_MALFORMED,
         "references are missing: say which alerts it updates or cancels"},
        {m->kind != TCN_KIND_CANCEL && m->reason_text.len > 0, TCN_MALFORMED,
         "a reason in words belongs to cancels only"},
        {m->tlp == TCN_TLP_RED && m->audiences == 0, TCN_MALFORMED,
         "audience is missing: TLP:RED must name its recipients"},
        {expires <= created, TCN_MALFORMED, "expires must be after created"},
        {m->not_before.unix_ms >= expires, TCN_MALFORMED, "not-before must be before expires"},
        {m->ack_by.unix_ms != 0 && m->ack_by.unix_ms <= created, TCN_MALFORMED,
         "ack-by must be after created"},
        {m->decoded_size > TCN_MAX_BODY_BYTES_MAX, TCN_TOO_LARGE,
         "the body is larger than any policy allows"},
    };
    return check(rules, TCN_COUNT_OF(rules), fault);
}

tcn_err tcn_alert_meta_decode(tcn_bytes meta_bytes, tcn_alert_meta *ret_meta, tcn_fault *fault)
{
    tcn_alert_meta meta = {.references = 0};
    tcn_cbor_reader r;
    tcn_fields_begin(&r, meta_bytes, fault);
    if (meta_bytes.len > TCN_MAX_META_BYTES)
        return tcn_fault_set(fault, TCN_TOO_LARGE, "alert: the metadata is over %d bytes",
                             TCN_MAX_META_BYTES);
    tcn_fields_get_map(&r, &meta_fields, &meta, fault);
    tcn_err err = tcn_fields_done(&r, "alert's metadata", fault);
    if (err == TCN_OK)
        err = check_meta(&meta, fault);
    if (err == TCN_OK)
        *ret_meta = meta;
    return err;
}

/* ---- payload ---- */

static void get_body(tcn_cbor_reader *r, tcn_alert *alert, tcn_fault *fault)
{
    alert->external = tcn_cbor_peek(r) == TCN_CBOR_ARRAY;
    if (alert->external) {
        tcn_fields_get_tuple(r, 2);
        alert->body_hash = tcn_cbor_get_hash(r);
        alert->body_size = tcn_cbor_get_uint(r);
    } else {
        alert->body = tcn_cbor_get_bytes(r, TCN_MAX_INLINE_BODY_BYTES);
        alert->body_size = alert->body.len;
    }
    if (r->err != TCN_OK && fault != NULL && fault->err == TCN_OK)
        tcn_fault_set(fault, r->err, "alert: body wants at most %d bytes, or [hash, size]",
                      TCN_MAX_INLINE_BODY_BYTES);
}

static tcn_err check_body(const tcn_alert *alert, tcn_fault *fault)
{
    const tcn_alert_meta *m = &alert->meta;
    bool zstd = m->encoding == TCN_ENCODING_ZSTD;
    const rule rules[] = {
        {alert->external && m->lane == TCN_LANE_EMERGENCY, TCN_MALFORMED,
         "an emergency carries its body inside"},
        {alert->body_size > TCN_MAX_BODY_BYTES_MAX, TCN_TOO_LARGE,
         "the body is larger than any policy allows"},
        {!zstd && m->decoded_size != alert->body_size, TCN_MALFORMED,
         "decoded size must be the body's own: it is not compressed"},
        {zstd && alert->body_size == 0, TCN_MALFORMED, "a compressed body is never empty"},
        {zstd && m->decoded_size > TCN_MAX_BODY_RATIO * alert->body_size, TCN_TOO_LARGE,
         "the body would decode to more than 512 times its size"},
    };
    return check(rules, TCN_COUNT_OF(rules), fault);
}

tcn_err tcn_alert_decode(tcn_bytes payload, tcn_alert *ret_alert, tcn_fault *fault)
{
    tcn_alert alert = {.external = false};
    tcn_cbor_reader r;
    tcn_fields_begin(&r, payload, fault);
    if (payload.len > TCN_MAX_ENVELOPE_BYTES)
        return tcn_fault_set(fault, TCN_TOO_LARGE, "alert: the payload is over %d bytes",
                             TCN_MAX_ENVELOPE_BYTES);
    tcn_fields_get_tuple(&r, 2);
    alert.meta_bytes = tcn_cbor_get_item(&r);
    if (r.err == TCN_OK) {
        tcn_err err = tcn_alert_meta_decode(alert.meta_bytes, &alert.meta, fault);
        if (err != TCN_OK)
            return err;
    }
    get_body(&r, &alert, fault);
    tcn_err err = tcn_fields_done(&r, "alert's payload", fault);
    if (err == TCN_OK)
        err = check_body(&alert, fault);
    if (err == TCN_OK)
        *ret_alert = alert;
    return err;
}

tcn_err tcn_alert_encode(const tcn_alert *alert, uint8_t *ret_payload, size_t cap, size_t *ret_len,
                         tcn_fault *fault)
{
    tcn_cbor_writer w;
    tcn_cbor_writer_init(&w, ret_payload, cap);
    tcn_cbor_put_array(&w, 2);
    tcn_fields_put_map(&w, &meta_fields, &alert->meta);
    if (alert->external) {
        tcn_cbor_put_array(&w, 2);
        tcn_cbor_put_hash(&w, &alert->body_hash);
        tcn_cbor_put_uint(&w, alert->body_size);
    } else {
        tcn_cbor_put_bytes(&w, alert->body);
    }
    tcn_bytes payload;
    tcn_err err = tcn_cbor_writer_done(&w, &payload);
    if (err == TCN_INVALID)
        return tcn_fault_set(fault, err, "alert: a text is not UTF-8 or holds a zero byte");
    if (err != TCN_OK)
        return tcn_fault_set(fault, err, "alert: metadata and body do not fit into %zu bytes", cap);
    tcn_alert again;
    err = tcn_alert_decode(payload, &again, fault);
    if (err == TCN_OK)
        *ret_len = payload.len;
    return err;
}

/* ---- audience, communities, titles, ids ---- */

static int compare_ids(const void *a, const void *b)
{
    return memcmp(a, b, sizeof(tcn_id));
}

void tcn_audience_encode(tcn_id *marks, unsigned count, uint8_t *ret_bytes)
{
    if (count == 0)
        return;
    qsort(marks, count, sizeof(*marks), compare_ids);
    tcn_cbor_writer w;
    tcn_cbor_writer_init(&w, ret_bytes, (size_t)MARK_BYTES * count);
    for (unsigned i = 0; i < count; i++)
        tcn_cbor_put_id(&w, &marks[i]);
}

static int compare_mark(const void *mark, const void *record)
{
    return memcmp(mark, (const uint8_t *)record + 1, sizeof(tcn_id));
}

bool tcn_alert_has_audience_mark(const tcn_alert_meta *meta, const tcn_id *mark)
{
    return meta->audiences > 0 &&
           bsearch(mark, meta->audience.ptr, meta->audiences, MARK_BYTES, compare_mark) != NULL;
}

bool tcn_alert_has_community(const tcn_alert_meta *meta, tcn_bytes community)
{
    for (unsigned i = 0; i < meta->communities; i++)
        if (tcn_bytes_equal(meta->community[i], community))
            return true;
    return false;
}

tcn_bytes tcn_alert_title(const tcn_alert_meta *meta, const char *lang)
{
    /* RFC 4647 §3.4: "de-CH" finds "de-CH", else "de", else the default. */
    for (size_t len = strlen(lang); len > 0;) {
        for (unsigned i = 0; i < meta->texts; i++)
            if (same_tag(meta->text[i].lang, tcn_bytes_of(lang, len)))
                return meta->text[i].title;
        do
            len--;
        while (len > 0 && lang[len] != '-');
    }
    return meta->text[0].title;
}

tcn_id tcn_alert_id_make(tcn_wall at, const uint8_t random[static 10])
{
    tcn_id id;
    uint64_t ms = at.unix_ms > 0 ? (uint64_t)at.unix_ms : 0;
    for (int i = 5; i >= 0; i--, ms >>= 8)
        id.b[i] = (uint8_t)ms;
    memcpy(id.b + 6, random, 10);
    id.b[6] = (uint8_t)(0x70 | (id.b[6] & 0x0f));
    id.b[8] = (uint8_t)(0x80 | (id.b[8] & 0x3f));
    return id;
}
