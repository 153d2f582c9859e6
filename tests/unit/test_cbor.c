/* SPDX-License-Identifier: Apache-2.0 */
#include "libtocsin/cbor.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "libtocsin/limits.h"
#include "tests/support/hex.h"
#include "tests/support/shared_data.h"

#define DEPTH 64
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static tcn_cbor_reader reading(tcn_bytes input)
{
    tcn_cbor_reader r;
    tcn_cbor_reader_init(&r, input);
    return r;
}

/* ---- RFC 8949 appendix A ---- */

/* Reads one item with the typed getters and writes it again; false for what they do not know. */
static bool rewrite(tcn_cbor_reader *r, tcn_cbor_writer *w)
{
    size_t count;
    switch (tcn_cbor_peek(r)) {
    case TCN_CBOR_UINT: tcn_cbor_put_uint(w, tcn_cbor_get_uint(r)); return true;
    case TCN_CBOR_NEGATIVE: tcn_cbor_put_int(w, tcn_cbor_get_int(r)); return true;
    case TCN_CBOR_BYTES: tcn_cbor_put_bytes(w, tcn_cbor_get_bytes(r, SIZE_MAX)); return true;
    case TCN_CBOR_TEXT: tcn_cbor_put_text_bytes(w, tcn_cbor_get_text(r, SIZE_MAX)); return true;
    case TCN_CBOR_ARRAY:
    case TCN_CBOR_MAP:
        if (tcn_cbor_peek(r) == TCN_CBOR_MAP) {
            count = tcn_cbor_get_map(r, SIZE_MAX);
            tcn_cbor_put_map(w, count);
            count *= 2;
        } else {
            count = tcn_cbor_get_array(r, SIZE_MAX);
            tcn_cbor_put_array(w, count);
        }
        for (; count > 0; count--)
            if (!rewrite(r, w))
                return false;
        return true;
    case TCN_CBOR_TAG: tcn_cbor_put_tag(w, tcn_cbor_get_tag(r)); return rewrite(r, w);
    case TCN_CBOR_BOOL: tcn_cbor_put_bool(w, tcn_cbor_get_bool(r)); return true;
    case TCN_CBOR_NULL:
        tcn_cbor_get_null(r);
        tcn_cbor_put_null(w);
        return true;
    case TCN_CBOR_OTHER:
    case TCN_CBOR_END: return false;
    }
    return false;
}

/* Does reading and writing give the same bytes? False also for floats and the like. */
static bool rewrites(tcn_bytes item)
{
    uint8_t memory[256];
    tcn_bytes written = {NULL, 0};
    tcn_cbor_reader r = reading(item);
    tcn_cbor_writer w;
    tcn_cbor_writer_init(&w, memory, sizeof(memory));
    return rewrite(&r, &w) && tcn_cbor_reader_done(&r) == TCN_OK &&
           tcn_cbor_writer_done(&w, &written) == TCN_OK && tcn_bytes_equal(item, written);
}

/* The vectors' idea of the value, for integers and texts. */
static void check_value(tcn_bytes item, const json_t *decoded)
{
    tcn_cbor_reader r = reading(item);
    if (json_is_string(decoded)) {
        tcn_bytes text = tcn_cbor_get_text(&r, 100);
        assert_int_equal(text.len, json_string_length(decoded));
        assert_memory_equal(text.ptr, json_string_value(decoded), text.len);
    } else if (json_is_boolean(decoded)) {
        assert_int_equal(tcn_cbor_get_bool(&r), json_is_true(decoded));
    } else if (json_is_integer(decoded)) {
        assert_true(tcn_cbor_get_int(&r) == json_integer_value(decoded));
    } else if (json_is_array(decoded)) {
        assert_int_equal(tcn_cbor_get_array(&r, 100), json_array_size(decoded));
        return; /* its items are other vectors */
    } else {
        return;
    }
    assert_int_equal(tcn_cbor_reader_done(&r), TCN_OK);
}

/* What appendix A marks roundtrip is deterministic, but for f818: RFC 7049 allowed the long form
 * of simple(24), RFC 8949 §3.3 says that it is not well-formed. */
static bool is_deterministic(const json_t *vector)
{
    return json_is_true(json_object_get(vector, "roundtrip")) &&
           strcmp(json_string_value(json_object_get(vector, "hex")), "f818") != 0;
}

static void test_appendix_a(void **state)
{
    (void)state;
    SHARED_DATA_OR_SKIP();
    uint8_t *text;
    size_t len, index, passed = 0, refused = 0, rewritten = 0;
    json_t *vector;
    char *path = shared_data_path("cbor/appendix_a.json");
    assert_true(shared_data_read(path, &text, &len));
    free(path);
    /* Two vectors are integers beyond 64 bits: as reals they are only not compared. */
    json_t *vectors = json_loadb((char *)text, len, JSON_DECODE_INT_AS_REAL, NULL);
    json_t *exact = NULL;
    free(text);
    assert_non_null(vectors);
    json_array_foreach(vectors, index, vector)
    {
        uint8_t memory[128];
        const char *hex = json_string_value(json_object_get(vector, "hex"));
        tcn_bytes item = hex_bytes(hex, memory, sizeof(memory));
        json_t *decoded = json_object_get(vector, "decoded");
        bool good = is_deterministic(vector);
        if ((tcn_cbor_check(item, DEPTH) == TCN_OK) != good)
            fail_msg("%s: check says the opposite", hex);
        passed += good;
        refused += !good;
        rewritten += good && rewrites(item);
        if (good && json_is_real(decoded) && item.ptr[0] >> 5 < 2 &&
            fabs(json_real_value(decoded)) < 9e15)
            exact = json_integer((json_int_t)json_real_value(decoded));
        if (good)
            check_value(item, exact != NULL ? exact : decoded);
        json_decref(exact);
        exact = NULL;
    }
    json_decref(vectors);
    assert_int_equal(passed, 64);
    assert_int_equal(refused, 18);
    /* All but 17 floats (one in a tag), undefined, two simple values, and -2^64. */
    assert_int_equal(rewritten, 64 - 21);
}

/* ---- bounds ---- */

static void test_giant_counts(void **state)
{
    (void)state;
    const char *giants[] = {"5b ffffffffffffffff", "7b ffffffffffffffff", "9b ffffffffffffffff",
                            "bb ffffffffffffffff", "5b 8000000000000000", "bb 8000000000000000",
                            "bb 8000000000000001", "9a ffffffff 00",      "ba 80000000 00 00",
                            "84 00 00 00",         "a2 00 00 01",         "45 00"};
    for (size_t i = 0; i < COUNT(giants); i++) {
        uint8_t memory[16];
        tcn_bytes item = hex_bytes(giants[i], memory, sizeof(memory));
        assert_int_equal(tcn_cbor_check(item, DEPTH), TCN_MALFORMED);
        tcn_cbor_reader r = reading(item);
        switch (tcn_cbor_peek(&r)) {
        case TCN_CBOR_ARRAY: assert_int_equal(tcn_cbor_get_array(&r, SIZE_MAX), 0); break;
        case TCN_CBOR_MAP: assert_int_equal(tcn_cbor_get_map(&r, SIZE_MAX), 0); break;
        case TCN_CBOR_TEXT: assert_null(tcn_cbor_get_text(&r, SIZE_MAX).ptr); break;
        default: assert_null(tcn_cbor_get_bytes(&r, SIZE_MAX).ptr);
        }
        assert_int_equal(r.err, TCN_MALFORMED);
    }
}

static void test_callers_limits(void **state)
{
    (void)state;
    tcn_cbor_reader r = reading(HEX("43 010203"));
    assert_int_equal(tcn_cbor_get_bytes(&r, 3).len, 3);
    r = reading(HEX("43 010203"));
    assert_null(tcn_cbor_get_bytes(&r, 2).ptr);
    assert_int_equal(r.err, TCN_TOO_LARGE);
    r = reading(HEX("63 616263"));
    assert_null(tcn_cbor_get_text(&r, 2).ptr);
    assert_int_equal(r.err, TCN_TOO_LARGE);
    r = reading(HEX("83 00 00 00"));
    assert_int_equal(tcn_cbor_get_array(&r, 2), 0);
    assert_int_equal(r.err, TCN_TOO_LARGE);
    r = reading(HEX("a2 00 00 01 00"));
    assert_int_equal(tcn_cbor_get_map(&r, 1), 0);
    assert_int_equal(r.err, TCN_TOO_LARGE);
    r = reading(HEX("18 64"));
    assert_int_equal(tcn_cbor_get_uint_max(&r, 99), 0);
    assert_int_equal(r.err, TCN_MALFORMED);
    r = reading(HEX("18 64"));
    assert_int_equal(tcn_cbor_get_uint_max(&r, 100), 100);
    assert_int_equal(tcn_cbor_reader_done(&r), TCN_OK);
}

/* ---- the reader, getter by getter ---- */

static void test_integers_at_their_edges(void **state)
{
    (void)state;
    const int64_t edges[] = {
        0,         23, 24,  255, 256,  65535, 65536,  UINT32_MAX, (int64_t)UINT32_MAX + 1,
        INT64_MAX, -1, -24, -25, -256, -257,  -65536, -65537,     INT64_MIN};
    const size_t sizes[] = {1, 1, 2, 2, 3, 3, 5, 5, 9, 9, 1, 1, 2, 2, 3, 3, 5, 9};
    for (size_t i = 0; i < COUNT(edges); i++) {
        uint8_t memory[9];
        tcn_bytes item;
        tcn_cbor_writer w;
        tcn_cbor_writer_init(&w, memory, sizeof(memory));
        tcn_cbor_put_int(&w, edges[i]);
        assert_int_equal(tcn_cbor_writer_done(&w, &item), TCN_OK);
        assert_int_equal(item.len, sizes[i]);
        assert_int_equal(tcn_cbor_check(item, 0), TCN_OK);
        tcn_cbor_reader r = reading(item);
        assert_true(tcn_cbor_get_int(&r) == edges[i]);
        assert_int_equal(tcn_cbor_reader_done(&r), TCN_OK);
    }
    const char *beyond[] = {"1b 8000000000000000", "3b 8000000000000000", "3b ffffffffffffffff"};
    for (size_t i = 0; i < COUNT(beyond); i++) {
        uint8_t memory[9];
        tcn_cbor_reader r = reading(hex_bytes(beyond[i], memory, sizeof(memory)));
        assert_int_equal(tcn_cbor_get_int(&r), 0);
        assert_int_equal(r.err, TCN_MALFORMED);
    }
    tcn_cbor_reader r = reading(HEX("1b ffffffffffffffff"));
    assert_true(tcn_cbor_get_uint(&r) == UINT64_MAX);
    assert_int_equal(tcn_cbor_head_size(UINT64_MAX), 9);
    assert_int_equal(tcn_cbor_head_size(23), 1);
    assert_int_equal(tcn_cbor_head_size(24), 2);
}

static void test_each_getter_refuses_other_types(void **state)
{
    (void)state;
    const char *items[] = {"01",    "20", "41 00", "61 61", "80", "a0",
                           "c1 00", "f5", "f6",    "f7",    "ff"};
    for (size_t i = 0; i < COUNT(items); i++) {
        uint8_t memory[4];
        uint64_t previous = UINT64_MAX;
        char text[4];
        tcn_bytes item = hex_bytes(items[i], memory, sizeof(memory));
#define REFUSED(type, call)                                                                        \
    do {                                                                                           \
        tcn_cbor_reader r = reading(item);                                                         \
        if (tcn_cbor_peek(&r) == (type))                                                           \
            break;                                                                                 \
        (void)call;                                                                                \
        assert_int_equal(r.err, TCN_MALFORMED);                                                    \
        assert_int_equal(tcn_cbor_peek(&r), TCN_CBOR_END);                                         \
    } while (0)
        REFUSED(TCN_CBOR_UINT, tcn_cbor_get_uint(&r));
        REFUSED(TCN_CBOR_UINT, tcn_cbor_get_key(&r, &previous));
        REFUSED(TCN_CBOR_BYTES, tcn_cbor_get_bytes(&r, 9));
        REFUSED(TCN_CBOR_TEXT, tcn_cbor_get_text(&r, 9));
        REFUSED(TCN_CBOR_TEXT, tcn_cbor_get_str(&r, text, sizeof(text)));
        REFUSED(TCN_CBOR_ARRAY, tcn_cbor_get_array(&r, 9));
        REFUSED(TCN_CBOR_MAP, tcn_cbor_get_map(&r, 9));
        REFUSED(TCN_CBOR_TAG, tcn_cbor_get_tag(&r));
        REFUSED(TCN_CBOR_BOOL, tcn_cbor_get_bool(&r));
        REFUSED(TCN_CBOR_NULL, tcn_cbor_get_null(&r));
        REFUSED(TCN_CBOR_END, tcn_cbor_get_id(&r));
        REFUSED(TCN_CBOR_END, tcn_cbor_get_hash(&r));
#undef REFUSED
    }
}

static void test_peek_names_every_type(void **state)
{
    (void)state;
    const struct {
        const char *hex;
        tcn_cbor_type type;
    } items[] = {{"00", TCN_CBOR_UINT},   {"20", TCN_CBOR_NEGATIVE}, {"40", TCN_CBOR_BYTES},
                 {"60", TCN_CBOR_TEXT},   {"80", TCN_CBOR_ARRAY},    {"a0", TCN_CBOR_MAP},
                 {"c0 00", TCN_CBOR_TAG}, {"f4", TCN_CBOR_BOOL},     {"f5", TCN_CBOR_BOOL},
                 {"f6", TCN_CBOR_NULL},   {"f7", TCN_CBOR_OTHER},    {"f9 0000", TCN_CBOR_OTHER},
                 {"e0", TCN_CBOR_OTHER},  {"", TCN_CBOR_END}};
    for (size_t i = 0; i < COUNT(items); i++) {
        uint8_t memory[4];
        tcn_cbor_reader r = reading(hex_bytes(items[i].hex, memory, sizeof(memory)));
        assert_int_equal(tcn_cbor_peek(&r), items[i].type);
    }
}

static void test_errors_stick(void **state)
{
    (void)state;
    tcn_cbor_reader r = reading(HEX("01 02 03"));
    assert_int_equal(tcn_cbor_get_uint(&r), 1);
    tcn_cbor_fail(&r, TCN_EXPIRED);
    tcn_cbor_fail(&r, TCN_MALFORMED); /* the first one stays */
    assert_int_equal(tcn_cbor_get_uint(&r), 0);
    assert_int_equal(tcn_cbor_get_int(&r), 0);
    assert_int_equal(tcn_cbor_get_tag(&r), 0);
    assert_int_equal(tcn_cbor_get_array(&r, 9), 0);
    assert_false(tcn_cbor_get_bool(&r));
    assert_false(tcn_cbor_take_null(&r));
    assert_null(tcn_cbor_get_item(&r).ptr);
    tcn_id id = tcn_cbor_get_id(&r);
    assert_true(tcn_id_is_zero(&id));
    assert_int_equal(r.pos, 1);
    assert_int_equal(tcn_cbor_reader_done(&r), TCN_EXPIRED);
}

static void test_trailing_bytes(void **state)
{
    (void)state;
    tcn_cbor_reader r = reading(HEX("01 02"));
    assert_int_equal(tcn_cbor_get_uint(&r), 1);
    assert_int_equal(tcn_cbor_reader_done(&r), TCN_MALFORMED);
    assert_int_equal(r.err, TCN_OK);
    assert_int_equal(tcn_cbor_get_uint(&r), 2);
    assert_int_equal(tcn_cbor_reader_done(&r), TCN_OK);
}

static void test_texts(void **state)
{
    (void)state;
    char small[4] = "xyz", fits[5];
    tcn_cbor_reader r = reading(HEX("64 63657274"));
    tcn_cbor_get_str(&r, fits, sizeof(fits));
    assert_string_equal(fits, "cert");
    assert_int_equal(tcn_cbor_reader_done(&r), TCN_OK);
    r = reading(HEX("64 63657274"));
    tcn_cbor_get_str(&r, small, sizeof(small));
    assert_string_equal(small, "");
    assert_int_equal(r.err, TCN_TOO_LARGE);
    r = reading(HEX("62 6100")); /* a NUL inside */
    assert_null(tcn_cbor_get_text(&r, 9).ptr);
    assert_int_equal(r.err, TCN_MALFORMED);
    r = reading(HEX("62 c328"));
    assert_null(tcn_cbor_get_text(&r, 9).ptr);
    assert_int_equal(r.err, TCN_MALFORMED);
    r = reading(HEX("60"));
    tcn_cbor_get_str(&r, small, sizeof(small));
    assert_string_equal(small, "");
    assert_int_equal(tcn_cbor_reader_done(&r), TCN_OK);
}

static void test_ids_and_hashes_have_their_size(void **state)
{
    (void)state;
    uint8_t item[40] = {0x50, 1};
    tcn_cbor_reader r = reading(tcn_bytes_of(item, 17));
    tcn_id id = tcn_cbor_get_id(&r);
    assert_int_equal(tcn_cbor_reader_done(&r), TCN_OK);
    assert_int_equal(id.b[0], 1);
    item[0] = 0x4f;
    r = reading(tcn_bytes_of(item, 16));
    id = tcn_cbor_get_id(&r);
    assert_true(tcn_id_is_zero(&id));
    assert_int_equal(r.err, TCN_MALFORMED);
    item[0] = 0x51;
    r = reading(tcn_bytes_of(item, 18));
    id = tcn_cbor_get_id(&r);
    assert_true(tcn_id_is_zero(&id));
    assert_int_equal(r.err, TCN_MALFORMED);
    item[0] = 0x58;
    item[1] = 32;
    item[2] = 7;
    r = reading(tcn_bytes_of(item, 34));
    assert_int_equal(tcn_cbor_get_hash(&r).b[0], 7);
    assert_int_equal(tcn_cbor_reader_done(&r), TCN_OK);
    item[1] = 33;
    r = reading(tcn_bytes_of(item, 35));
    assert_int_equal(tcn_cbor_get_hash(&r).b[0], 0);
    assert_int_equal(r.err, TCN_MALFORMED);
}

static void test_keys_ascend(void **state)
{
    (void)state;
    const struct {
        const char *hex;
        unsigned good;
    } keys[] = {
        {"00 01 18 64", 3},
        {"01 01", 1},
        {"02 01", 1},
        {"00 00", 1},
        {"1b fffffffffffffffe", 1},
        {"1b ffffffffffffffff", 0}, /* it would mean "none yet", and everything could come again */
        {"05 20", 1},
        {"05 61 61", 1}};
    for (size_t i = 0; i < COUNT(keys); i++) {
        uint8_t memory[16];
        uint64_t previous = UINT64_MAX;
        unsigned good = 0;
        tcn_cbor_reader r = reading(hex_bytes(keys[i].hex, memory, sizeof(memory)));
        while (tcn_cbor_peek(&r) != TCN_CBOR_END) {
            (void)tcn_cbor_get_key(&r, &previous);
            good += r.err == TCN_OK;
        }
        assert_int_equal(good, keys[i].good);
        assert_int_equal(tcn_cbor_reader_done(&r) == TCN_OK, i == 0 || i == 4);
    }
}

static void test_take_null_leaves_others(void **state)
{
    (void)state;
    tcn_cbor_reader r = reading(HEX("f6 05"));
    assert_true(tcn_cbor_take_null(&r));
    assert_false(tcn_cbor_take_null(&r));
    assert_int_equal(tcn_cbor_get_uint(&r), 5);
    assert_int_equal(tcn_cbor_reader_done(&r), TCN_OK);
}

static void test_get_item(void **state)
{
    (void)state;
    tcn_bytes input = HEX("82 a1 01 82 02 03 f9 3c00");
    tcn_cbor_reader r = reading(input);
    assert_int_equal(tcn_cbor_get_array(&r, 2), 2);
    tcn_bytes item = tcn_cbor_get_item(&r);
    assert_ptr_equal(item.ptr, input.ptr + 1);
    assert_int_equal(item.len, 5);
    assert_int_equal(tcn_cbor_get_item(&r).len, 3);
    assert_int_equal(tcn_cbor_reader_done(&r), TCN_OK);
    r = reading(HEX("a2 01 00 01 00"));
    assert_null(tcn_cbor_get_item(&r).ptr);
    assert_int_equal(r.err, TCN_MALFORMED);
    uint8_t deep[TCN_MAX_CBOR_DEPTH + 2];
    memset(deep, 0x81, sizeof(deep));
    deep[sizeof(deep) - 1] = 0;
    r = reading(tcn_bytes_of(deep, sizeof(deep)));
    assert_null(tcn_cbor_get_item(&r).ptr);
    assert_int_equal(r.err, TCN_TOO_LARGE);
    r = reading(tcn_bytes_of(deep + 1, sizeof(deep) - 1));
    assert_int_equal(tcn_cbor_get_item(&r).len, sizeof(deep) - 1);
    r = reading((tcn_bytes){NULL, 0});
    assert_null(tcn_cbor_get_item(&r).ptr);
    assert_int_equal(r.err, TCN_MALFORMED);
}

/* ---- the writer ---- */

static tcn_bytes sample(uint8_t *memory, size_t size, tcn_err *ret_err)
{
    tcn_id id = {{1}};
    tcn_hash hash = {{2}};
    tcn_bytes item = {NULL, 0};
    tcn_cbor_writer w;
    tcn_cbor_writer_init(&w, memory, size);
    tcn_cbor_put_tag(&w, 98);
    tcn_cbor_put_map(&w, 4);
    tcn_cbor_put_uint(&w, 1);
    tcn_cbor_put_array(&w, 5);
    tcn_cbor_put_bool(&w, true);
    tcn_cbor_put_bool(&w, false);
    tcn_cbor_put_null(&w);
    tcn_cbor_put_int(&w, -1000);
    tcn_cbor_put_bytes(&w, (tcn_bytes){NULL, 0});
    tcn_cbor_put_uint(&w, 2);
    tcn_cbor_put_id(&w, &id);
    tcn_cbor_put_uint(&w, 3);
    tcn_cbor_put_hash(&w, &hash);
    tcn_cbor_put_uint(&w, 300);
    tcn_cbor_put_text(&w, "s\xc3\xbc\xc3\x9f");
    *ret_err = tcn_cbor_writer_done(&w, &item);
    return item;
}

static void test_written_bytes(void **state)
{
    (void)state;
    uint8_t memory[128];
    tcn_err err;
    tcn_bytes item = sample(memory, sizeof(memory), &err);
    assert_int_equal(err, TCN_OK);
    assert_true(tcn_bytes_equal(
        item, HEX("d862 a4 01 85 f5 f4 f6 3903e7 40 02 50 01000000000000000000000000000000"
                  "03 5820 0200000000000000000000000000000000000000000000000000000000000000"
                  "19012c 65 73c3bcc39f")));
    assert_int_equal(tcn_cbor_check(item, 3), TCN_OK);
    assert_true(rewrites(item));
}

static void test_writer_is_full_at_every_byte(void **state)
{
    (void)state;
    uint8_t memory[128];
    tcn_err err;
    size_t whole = sample(memory, sizeof(memory), &err).len;
    for (size_t cap = 0; cap < whole; cap++) {
        memset(memory, 0xee, sizeof(memory));
        (void)sample(memory, cap, &err);
        assert_int_equal(err, TCN_TOO_LARGE);
        for (size_t i = cap; i < sizeof(memory); i++)
            assert_int_equal(memory[i], 0xee);
    }
    (void)sample(memory, whole, &err);
    assert_int_equal(err, TCN_OK);
}

static void test_truncation_at_every_byte(void **state)
{
    (void)state;
    uint8_t memory[128];
    tcn_err err;
    tcn_bytes item = sample(memory, sizeof(memory), &err);
    for (size_t len = 0; len < item.len; len++) {
        /* A copy of its own size: the sanitizer sees a read beyond it. */
        uint8_t *copy;
        assert_int_equal(tcn_bytes_copy(tcn_bytes_of(item.ptr, len), &copy), TCN_OK);
        assert_int_equal(tcn_cbor_check(tcn_bytes_of(copy, len), DEPTH), TCN_MALFORMED);
        assert_false(rewrites(tcn_bytes_of(copy, len)));
        free(copy);
    }
    assert_int_equal(tcn_cbor_check(item, DEPTH), TCN_OK);
    assert_int_equal(tcn_cbor_check(tcn_bytes_of(memory, item.len + 1), DEPTH), TCN_MALFORMED);
}

/* No other bytes of this length are read as the same thing: each bit counts. */
static void test_no_bit_is_free(void **state)
{
    (void)state;
    uint8_t memory[128], again[128];
    tcn_err err;
    tcn_bytes item = sample(memory, sizeof(memory), &err);
    for (size_t bit = 0; bit < 8 * item.len; bit++) {
        memory[bit / 8] ^= (uint8_t)(1u << bit % 8);
        tcn_cbor_reader r = reading(item);
        tcn_cbor_writer w;
        tcn_bytes written;
        tcn_cbor_writer_init(&w, again, sizeof(again));
        if (rewrite(&r, &w) && tcn_cbor_reader_done(&r) == TCN_OK) {
            assert_int_equal(tcn_cbor_writer_done(&w, &written), TCN_OK);
            assert_true(tcn_bytes_equal(item, written));
        }
        memory[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
}

static void test_writer_refuses_bad_text(void **state)
{
    (void)state;
    const tcn_bytes bad[] = {HEX("c328"), HEX("610062"), HEX("ff")};
    for (size_t i = 0; i < COUNT(bad); i++) {
        uint8_t memory[16];
        tcn_bytes item;
        tcn_cbor_writer w;
        tcn_cbor_writer_init(&w, memory, sizeof(memory));
        tcn_cbor_put_text_bytes(&w, bad[i]);
        tcn_cbor_put_uint(&w, 1);
        assert_int_equal(tcn_cbor_writer_done(&w, &item), TCN_INVALID);
        assert_int_equal(w.len, 0);
    }
}

static void test_put_raw(void **state)
{
    (void)state;
    uint8_t memory[4];
    tcn_bytes item;
    tcn_cbor_writer w;
    tcn_cbor_writer_init(&w, memory, sizeof(memory));
    tcn_cbor_put_array(&w, 1);
    tcn_cbor_put_raw(&w, HEX("820102"));
    assert_int_equal(tcn_cbor_writer_done(&w, &item), TCN_OK);
    assert_true(tcn_bytes_equal(item, HEX("81820102")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_appendix_a),
        cmocka_unit_test(test_giant_counts),
        cmocka_unit_test(test_callers_limits),
        cmocka_unit_test(test_integers_at_their_edges),
        cmocka_unit_test(test_each_getter_refuses_other_types),
        cmocka_unit_test(test_peek_names_every_type),
        cmocka_unit_test(test_errors_stick),
        cmocka_unit_test(test_trailing_bytes),
        cmocka_unit_test(test_texts),
        cmocka_unit_test(test_ids_and_hashes_have_their_size),
        cmocka_unit_test(test_keys_ascend),
        cmocka_unit_test(test_take_null_leaves_others),
        cmocka_unit_test(test_get_item),
        cmocka_unit_test(test_written_bytes),
        cmocka_unit_test(test_writer_is_full_at_every_byte),
        cmocka_unit_test(test_truncation_at_every_byte),
        cmocka_unit_test(test_no_bit_is_free),
        cmocka_unit_test(test_writer_refuses_bad_text),
        cmocka_unit_test(test_put_raw),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
