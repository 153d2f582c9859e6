/* SPDX-License-Identifier: Apache-2.0 */
/* cbor.c - the deterministic CBOR reader, writer and checker. No allocation, no recursion.
 *
 *   head:  initial byte  bits 7..5 major type, bits 4..0 info
 *          info 0..23    the value itself          24  next byte, at least 24
 *          info 25/26/27 next 2/4/8 bytes, big-endian, more than fits the shorter form
 *          info 28..31   reserved and indefinite: never accepted */
#include "cbor.h"

#include <string.h>

#include "limits.h"

enum {
    MAJOR_UINT = 0,
    MAJOR_NEGATIVE = 1,
    MAJOR_BYTES = 2,
    MAJOR_TEXT = 3,
    MAJOR_ARRAY = 4,
    MAJOR_MAP = 5,
    MAJOR_TAG = 6,
    MAJOR_SIMPLE = 7
};

enum { SIMPLE_FALSE = 20, SIMPLE_TRUE = 21, SIMPLE_NULL = 22 };

#define CHECK_DEPTH 64 /* what tcn_cbor_check can keep track of, whatever its caller allows */

/* ---- writing ---- */

void tcn_cbor_writer_init(tcn_cbor_writer *w, uint8_t *ptr, size_t cap)
{
    *w = (tcn_cbor_writer){.ptr = ptr, .cap = cap, .err = TCN_OK};
}

size_t tcn_cbor_head_size(uint64_t value)
{
    if (value < 24)
        return 1;
    if (value <= UINT8_MAX)
        return 2;
    if (value <= UINT16_MAX)
        return 3;
    return value <= UINT32_MAX ? 5 : 9;
}

static void put_encoded(tcn_cbor_writer *w, tcn_bytes encoded)
{
    if (w->err != TCN_OK)
        return;
    if (encoded.len > w->cap - w->len) {
        w->err = TCN_TOO_LARGE;
        return;
    }
    if (encoded.len > 0)
        memcpy(w->ptr + w->len, encoded.ptr, encoded.len);
    w->len += encoded.len;
}

static void put_head(tcn_cbor_writer *w, unsigned major, uint64_t value)
{
    uint8_t head[9];
    size_t size = tcn_cbor_head_size(value);
    static const uint8_t info_of_size[] = {[2] = 24, [3] = 25, [5] = 26, [9] = 27};
    head[0] = (uint8_t)(major << 5 | (size == 1 ? value : info_of_size[size]));
    for (size_t i = size - 1; i > 0; i--) {
        head[i] = (uint8_t)value;
        value >>= 8;
    }
    put_encoded(w, tcn_bytes_of(head, size));
}

void tcn_cbor_put_uint(tcn_cbor_writer *w, uint64_t value)
{
    put_head(w, MAJOR_UINT, value);
}

void tcn_cbor_put_int(tcn_cbor_writer *w, int64_t value)
{
    if (value >= 0)
        put_head(w, MAJOR_UINT, (uint64_t)value);
    else
        put_head(w, MAJOR_NEGATIVE, ~(uint64_t)value); /* -1 - value, which never overflows */
}

void tcn_cbor_put_bytes(tcn_cbor_writer *w, tcn_bytes bytes)
{
    put_head(w, MAJOR_BYTES, bytes.len);
    put_encoded(w, bytes);
}

void tcn_cbor_put_text(tcn_cbor_writer *w, const char *text)
{
    tcn_cbor_put_text_bytes(w, tcn_bytes_str(text));
}

static bool has_nul(tcn_bytes text)
{
    return text.len > 0 && memchr(text.ptr, 0, text.len) != NULL;
}

void tcn_cbor_put_text_bytes(tcn_cbor_writer *w, tcn_bytes utf8)
{
    /* Never write what the reader refuses. */
    if (w->err == TCN_OK && (has_nul(utf8) || !tcn_utf8_is_valid(utf8)))
        w->err = TCN_INVALID;
    put_head(w, MAJOR_TEXT, utf8.len);
    put_encoded(w, utf8);
}

void tcn_cbor_put_array(tcn_cbor_writer *w, uint64_t items)
{
    put_head(w, MAJOR_ARRAY, items);
}

void tcn_cbor_put_map(tcn_cbor_writer *w, uint64_t pairs)
{
    put_head(w, MAJOR_MAP, pairs);
}

void tcn_cbor_put_tag(tcn_cbor_writer *w, uint64_t tag)
{
    put_head(w, MAJOR_TAG, tag);
}

void tcn_cbor_put_bool(tcn_cbor_writer *w, bool value)
{
    put_head(w, MAJOR_SIMPLE, value ? SIMPLE_TRUE : SIMPLE_FALSE);
}

void tcn_cbor_put_null(tcn_cbor_writer *w)
{
    put_head(w, MAJOR_SIMPLE, SIMPLE_NULL);
}

void tcn_cbor_put_id(tcn_cbor_writer *w, const tcn_id *id)
{
    tcn_cbor_put_bytes(w, tcn_bytes_of(id->b, sizeof(id->b)));
}

void tcn_cbor_put_hash(tcn_cbor_writer *w, const tcn_hash *hash)
{
    tcn_cbor_put_bytes(w, tcn_bytes_of(hash->b, sizeof(hash->b)));
}

void tcn_cbor_put_raw(tcn_cbor_writer *w, tcn_bytes encoded)
{
    put_encoded(w, encoded);
}

tcn_err tcn_cbor_writer_done(const tcn_cbor_writer *w, tcn_bytes *ret_bytes)
{
    if (w->err == TCN_OK)
        *ret_bytes = tcn_bytes_of(w->ptr, w->len);
    return w->err;
}

/* ---- heads ---- */

typedef struct {
    unsigned major, info;
    uint64_t value; /* for floats the bits */
    size_t size;    /* of the head itself */
} head;

/* Reads the head at input's start: well-formed, definite, and the shortest for its value. */
static bool head_read(tcn_bytes input, head *ret_head)
{
    if (input.len == 0)
        return false;
    head h = {.major = input.ptr[0] >> 5, .info = input.ptr[0] & 31, .size = 1};
    h.value = h.info;
    if (h.info >= 28)
        return false;
    if (h.info >= 24) {
        h.size = 1 + ((size_t)1 << (h.info - 24));
        if (input.len < h.size)
            return false;
        h.value = 0;
        for (size_t i = 1; i < h.size; i++)
            h.value = h.value << 8 | input.ptr[i];
    }
    if (h.major != MAJOR_SIMPLE && h.size != tcn_cbor_head_size(h.value))
        return false;
    /* RFC 8949 §3.3: simple values below 32 have no two-byte form. */
    if (h.major == MAJOR_SIMPLE && h.info == 24 && h.value < 32)
        return false;
    *ret_head = h;
    return true;
}

/* ---- reading ---- */

void tcn_cbor_reader_init(tcn_cbor_reader *r, tcn_bytes input)
{
    *r = (tcn_cbor_reader){.ptr = input.ptr, .len = input.len, .err = TCN_OK};
}

static tcn_bytes rest(const tcn_cbor_reader *r)
{
    return r->pos < r->len ? tcn_bytes_of(r->ptr + r->pos, r->len - r->pos) : (tcn_bytes){NULL, 0};
}

void tcn_cbor_fail(tcn_cbor_reader *r, tcn_err err)
{
    if (r->err == TCN_OK)
        r->err = err;
}

tcn_cbor_type tcn_cbor_peek(const tcn_cbor_reader *r)
{
    static const tcn_cbor_type of_major[] = {TCN_CBOR_UINT, TCN_CBOR_NEGATIVE, TCN_CBOR_BYTES,
                                             TCN_CBOR_TEXT, TCN_CBOR_ARRAY,    TCN_CBOR_MAP,
                                             TCN_CBOR_TAG};
    if (r->err != TCN_OK || r->pos >= r->len)
        return TCN_CBOR_END;
    uint8_t initial = r->ptr[r->pos];
    if (initial >> 5 != MAJOR_SIMPLE)
        return of_major[initial >> 5];
    switch (initial & 31) {
    case SIMPLE_FALSE:
    case SIMPLE_TRUE: return TCN_CBOR_BOOL;
    case SIMPLE_NULL: return TCN_CBOR_NULL;
    default: return TCN_CBOR_OTHER;
    }
}

/* Consumes a head of this major type; its value, or 0 and failed. */
static uint64_t get_head(tcn_cbor_reader *r, unsigned major)
{
    head h;
    if (r->err != TCN_OK)
        return 0;
    if (!head_read(rest(r), &h) || h.major != major) {
        tcn_cbor_fail(r, TCN_MALFORMED);
        return 0;
    }
    r->pos += h.size;
    return h.value;
}

uint64_t tcn_cbor_get_uint(tcn_cbor_reader *r)
{
    return get_head(r, MAJOR_UINT);
}

uint64_t tcn_cbor_get_uint_max(tcn_cbor_reader *r, uint64_t max)
{
    uint64_t value = get_head(r, MAJOR_UINT);
    if (value <= max)
        return value;
    tcn_cbor_fail(r, TCN_MALFORMED);
    return 0;
}

int64_t tcn_cbor_get_int(tcn_cbor_reader *r)
{
    bool negative = tcn_cbor_peek(r) == TCN_CBOR_NEGATIVE;
    uint64_t value = get_head(r, negative ? MAJOR_NEGATIVE : MAJOR_UINT);
    if (value > INT64_MAX) {
        tcn_cbor_fail(r, TCN_MALFORMED);
        return 0;
    }
    if (r->err != TCN_OK)
        return 0;
    return negative ? -1 - (int64_t)value : (int64_t)value;
}

static tcn_bytes get_string(tcn_cbor_reader *r, unsigned major, size_t max_bytes)
{
    uint64_t len = get_head(r, major);
    if (r->err != TCN_OK)
        return (tcn_bytes){NULL, 0};
    if (len > r->len - r->pos || len > max_bytes) {
        /* A size that the input does not even have is nonsense rather than large. */
        tcn_cbor_fail(r, len > r->len - r->pos ? TCN_MALFORMED : TCN_TOO_LARGE);
        return (tcn_bytes){NULL, 0};
    }
    tcn_bytes string = tcn_bytes_of(r->ptr + r->pos, (size_t)len);
    r->pos += (size_t)len;
    return string;
}

tcn_bytes tcn_cbor_get_bytes(tcn_cbor_reader *r, size_t max_bytes)
{
    return get_string(r, MAJOR_BYTES, max_bytes);
}

tcn_bytes tcn_cbor_get_text(tcn_cbor_reader *r, size_t max_bytes)
{
    tcn_bytes text = get_string(r, MAJOR_TEXT, max_bytes);
    if (!has_nul(text) && tcn_utf8_is_valid(text))
        return text;
    tcn_cbor_fail(r, TCN_MALFORMED);
    return (tcn_bytes){NULL, 0};
}

/* Every item takes at least one byte, a pair two. */
static size_t get_count(tcn_cbor_reader *r, unsigned major, size_t item_bytes, size_t max)
{
    uint64_t count = get_head(r, major);
    bool fits = count <= (r->len - r->pos) / item_bytes;
    if (fits && count <= max)
        return (size_t)count;
    tcn_cbor_fail(r, fits ? TCN_TOO_LARGE : TCN_MALFORMED);
    return 0;
}

size_t tcn_cbor_get_array(tcn_cbor_reader *r, size_t max_items)
{
    return get_count(r, MAJOR_ARRAY, 1, max_items);
}

size_t tcn_cbor_get_map(tcn_cbor_reader *r, size_t max_pairs)
{
    return get_count(r, MAJOR_MAP, 2, max_pairs);
}

uint64_t tcn_cbor_get_tag(tcn_cbor_reader *r)
{
    return get_head(r, MAJOR_TAG);
}

bool tcn_cbor_get_bool(tcn_cbor_reader *r)
{
    if (tcn_cbor_peek(r) != TCN_CBOR_BOOL) {
        tcn_cbor_fail(r, TCN_MALFORMED);
        return false;
    }
    return (r->ptr[r->pos++] & 31) == SIMPLE_TRUE;
}

void tcn_cbor_get_null(tcn_cbor_reader *r)
{
    if (!tcn_cbor_take_null(r))
        tcn_cbor_fail(r, TCN_MALFORMED);
}

bool tcn_cbor_take_null(tcn_cbor_reader *r)
{
    if (tcn_cbor_peek(r) != TCN_CBOR_NULL)
        return false;
    r->pos++;
    return true;
}

/* A byte string of exactly size bytes; all zero on failure. */
static void get_fixed(tcn_cbor_reader *r, uint8_t *ret_bytes, size_t size)
{
    tcn_bytes bytes = get_string(r, MAJOR_BYTES, SIZE_MAX);
    if (bytes.len == size && r->err == TCN_OK) {
        memcpy(ret_bytes, bytes.ptr, size);
    } else {
        tcn_cbor_fail(r, TCN_MALFORMED);
        memset(ret_bytes, 0, size);
    }
}

tcn_id tcn_cbor_get_id(tcn_cbor_reader *r)
{
    tcn_id id;
    get_fixed(r, id.b, sizeof(id.b));
    return id;
}

tcn_hash tcn_cbor_get_hash(tcn_cbor_reader *r)
{
    tcn_hash hash;
    get_fixed(r, hash.b, sizeof(hash.b));
    return hash;
}

void tcn_cbor_get_str(tcn_cbor_reader *r, char *ret_text, size_t size)
{
    TCN_REQUIRE(size > 0);
    tcn_bytes text = tcn_cbor_get_text(r, size - 1);
    if (text.len > 0)
        memcpy(ret_text, text.ptr, text.len);
    ret_text[text.len] = '\0';
}

uint64_t tcn_cbor_get_key(tcn_cbor_reader *r, uint64_t *previous)
{
    uint64_t key = get_head(r, MAJOR_UINT);
    if (r->err != TCN_OK)
        return 0;
    /* UINT64_MAX means "none yet": as a key it would let every key come again. */
    if (key == UINT64_MAX || (*previous != UINT64_MAX && key <= *previous)) {
        tcn_cbor_fail(r, TCN_MALFORMED);
        return 0;
    }
    *previous = key;
    return key;
}

tcn_err tcn_cbor_reader_done(const tcn_cbor_reader *r)
{
    if (r->err != TCN_OK)
        return r->err;
    return r->pos == r->len ? TCN_OK : TCN_MALFORMED;
}

/* ---- checking ---- */

/* What is open around the item being read. */
typedef struct {
    uint64_t items_left; /* a map counts keys and values */
    bool is_map, is_bignum;
    size_t item_at;     /* where the item being read began */
    tcn_bytes last_key; /* of a map */
} level;

typedef struct {
    tcn_bytes input;
    size_t pos;
    unsigned depth, max_depth;
    level open[CHECK_DEPTH];
} checker;

/* Has this float a shorter form? An IEEE 754 number of the given exponent and mantissa widths
 * fits a narrower one if what the narrower one has no room for is zero. */
static bool float_fits(uint64_t bits, int exponent_bits, int mantissa_bits, int to_exponent_bits,
                       int to_mantissa_bits)
{
    uint64_t mantissa = bits & (((uint64_t)1 << mantissa_bits) - 1);
    int biased = (int)(bits >> mantissa_bits & (((uint64_t)1 << exponent_bits) - 1));
    if (biased == (1 << exponent_bits) - 1)
        return true; /* infinity; NaN has one form only, the two-byte 7e00 */
    if (biased == 0)
        return mantissa == 0; /* a zero; subnormals are too small for any narrower form */
    int exponent = biased - ((1 << (exponent_bits - 1)) - 1);
    int most = (1 << (to_exponent_bits - 1)) - 1, least = 1 - most;
    if (exponent > most || exponent < least - to_mantissa_bits)
        return false;
    /* Below the least normal exponent every step costs one bit of the narrow mantissa. */
    int kept = exponent >= least ? to_mantissa_bits : to_mantissa_bits - (least - exponent);
    int dropped = mantissa_bits - kept;
    return (mantissa & (((uint64_t)1 << dropped) - 1)) == 0;
}

static bool simple_is_shortest(const head *h)
{
    switch (h->info) {
    case 25: /* half: every value but a NaN that is not the canonical one */
        return (h->value & 0x7c00) != 0x7c00 || (h->value & 0x3ff) == 0 || h->value == 0x7e00;
    case 26: return !float_fits(h->value, 8, 23, 5, 10);
    case 27: return !float_fits(h->value, 11, 52, 8, 23);
    default: return true; /* head_read has seen to one-byte and two-byte simple values */
    }
}

/* RFC 8949 §3.4.3: a bignum has no leading zeros and does not fit a plain integer. */
static bool bignum_is_shortest(tcn_bytes digits)
{
    return digits.len > 8 && digits.ptr[0] != 0;
}

/* Passes over the content of a string. */
static bool string_pass(checker *c, const head *h)
{
    if (h->value > c->input.len - c->pos)
        return false;
    tcn_bytes content = tcn_bytes_of(c->input.ptr + c->pos, (size_t)h->value);
    c->pos += content.len;
    if (h->major == MAJOR_TEXT)
        return tcn_utf8_is_valid(content);
    bool digits = c->depth > 0 && c->open[c->depth - 1].is_bignum;
    return !digits || bignum_is_shortest(content);
}

/* Opens an array, map or tag. An empty one is opened, too: item_end closes it. */
static tcn_err open_level(checker *c, const head *h)
{
    size_t left = c->input.len - c->pos;
    if (h->major == MAJOR_TAG ? left == 0 : h->value > left / (h->major == MAJOR_MAP ? 2 : 1))
        return TCN_MALFORMED;
    if (c->depth == c->max_depth)
        return TCN_TOO_LARGE;
    c->open[c->depth++] = (level){
        .items_left = h->major == MAJOR_TAG   ? 1
                      : h->major == MAJOR_MAP ? 2 * h->value
                                              : h->value,
        .is_map = h->major == MAJOR_MAP,
        .is_bignum = h->major == MAJOR_TAG && (h->value == 2 || h->value == 3),
    };
    return TCN_OK;
}

/* One item of the innermost level has ended at pos. False if it was a key out of order. */
static bool item_end(checker *c)
{
    level *l = &c->open[c->depth - 1];
    bool was_key = l->is_map && l->items_left % 2 == 0;
    l->items_left--;
    if (!was_key)
        return true;
    tcn_bytes key = tcn_bytes_of(c->input.ptr + l->item_at, c->pos - l->item_at);
    bool ascending = l->last_key.ptr == NULL || tcn_bytes_compare(l->last_key, key) < 0;
    l->last_key = key;
    return ascending;
}

/* Reads one item, checking; *ret_len bytes of input belong to it. */
static tcn_err item_check(tcn_bytes input, unsigned max_depth, size_t *ret_len)
{
    if (input.len == 0)
        return TCN_MALFORMED;
    checker c = {.input = input, .max_depth = max_depth < CHECK_DEPTH ? max_depth : CHECK_DEPTH};
    do {
        if (c.depth > 0)
            c.open[c.depth - 1].item_at = c.pos;
        head h;
        if (!head_read(tcn_bytes_of(input.ptr + c.pos, input.len - c.pos), &h))
            return TCN_MALFORMED;
        c.pos += h.size;
        bool opened = h.major == MAJOR_ARRAY || h.major == MAJOR_MAP || h.major == MAJOR_TAG;
        if (opened) {
            tcn_err err = open_level(&c, &h);
            if (err != TCN_OK)
                return err;
        } else if (h.major == MAJOR_BYTES || h.major == MAJOR_TEXT) {
            if (!string_pass(&c, &h))
                return TCN_MALFORMED;
        } else if (h.major == MAJOR_SIMPLE && !simple_is_shortest(&h)) {
            return TCN_MALFORMED;
        }
        if (!opened && c.depth > 0 && !item_end(&c))
            return TCN_MALFORMED;
        /* What is complete is itself an item of what is around it. */
        while (c.depth > 0 && c.open[c.depth - 1].items_left == 0)
            if (--c.depth > 0 && !item_end(&c))
                return TCN_MALFORMED;
    } while (c.depth > 0);
    *ret_len = c.pos;
    return TCN_OK;
}

tcn_err tcn_cbor_check(tcn_bytes input, unsigned max_depth)
{
    size_t len;
    tcn_err err = item_check(input, max_depth, &len);
    if (err != TCN_OK)
        return err;
    return len == input.len ? TCN_OK : TCN_MALFORMED;
}

tcn_bytes tcn_cbor_get_item(tcn_cbor_reader *r)
{
    size_t len;
    if (r->err != TCN_OK)
        return (tcn_bytes){NULL, 0};
    tcn_err err = item_check(rest(r), TCN_MAX_CBOR_DEPTH, &len);
    if (err != TCN_OK) {
        tcn_cbor_fail(r, err);
        return (tcn_bytes){NULL, 0};
    }
    tcn_bytes item = tcn_bytes_of(r->ptr + r->pos, len);
    r->pos += len;
    return item;
}

/* ---- UTF-8 ---- */

bool tcn_utf8_is_valid(tcn_bytes text)
{
    if (text.len == 0)
        return true; /* ptr may be NULL, to which not even 0 may be added */
    const uint8_t *p = text.ptr, *end = text.ptr + text.len;
    while (p < end) {
        uint8_t lead = *p++;
        if (lead < 0x80)
            continue;
        if (lead < 0xc2 || lead > 0xf4)
            return false;
        size_t more = lead < 0xe0 ? 1 : lead < 0xf0 ? 2 : 3;
        if ((size_t)(end - p) < more)
            return false;
        /* RFC 3629 §4: the second byte rules out overlong forms, surrogates, beyond U+10FFFF. */
        uint8_t low = lead == 0xe0 ? 0xa0 : lead == 0xf0 ? 0x90 : 0x80;
        uint8_t high = lead == 0xed ? 0x9f : lead == 0xf4 ? 0x8f : 0xbf;
        if (*p < low || *p > high)
            return false;
        for (size_t i = 1; i < more; i++)
            if ((p[i] & 0xc0) != 0x80)
                return false;
        p += more;
    }
    return true;
}
