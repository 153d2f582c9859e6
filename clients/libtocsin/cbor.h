/* SPDX-License-Identifier: Apache-2.0 */
/* cbor.h - deterministic CBOR (RFC 8949 §4.2.1), read and written without allocation.
 * Strict: shortest heads, definite lengths, map keys ascending bytewise and unique, text is valid
 * UTF-8, depth bounded, nothing trailing. Tocsin's own objects use unsigned integer map keys, no
 * floats and no tags but 98; tcn_cbor_check also knows the rest, for foreign documents. */
#ifndef TCN_CBOR_H
#define TCN_CBOR_H

#include "bytes.h"

/* ---- writing: into memory the caller owns; the first error sticks ---- */

typedef struct {
    uint8_t *ptr;
    size_t cap, len;
    tcn_err err; /* TCN_OK, TCN_TOO_LARGE, or TCN_INVALID (text that the reader would refuse) */
} tcn_cbor_writer;

void tcn_cbor_writer_init(tcn_cbor_writer *w, uint8_t *ptr, size_t cap);
void tcn_cbor_put_uint(tcn_cbor_writer *w, uint64_t value);
void tcn_cbor_put_int(tcn_cbor_writer *w, int64_t value);
void tcn_cbor_put_bytes(tcn_cbor_writer *w, tcn_bytes bytes);
/* NUL-terminated UTF-8; TCN_INVALID sticks for what is not UTF-8 or, below, holds a NUL byte. */
void tcn_cbor_put_text(tcn_cbor_writer *w, const char *text);
void tcn_cbor_put_text_bytes(tcn_cbor_writer *w, tcn_bytes utf8);
void tcn_cbor_put_array(tcn_cbor_writer *w, uint64_t items);
void tcn_cbor_put_map(tcn_cbor_writer *w, uint64_t pairs); /* the caller writes keys ascending */
void tcn_cbor_put_tag(tcn_cbor_writer *w, uint64_t tag);
void tcn_cbor_put_bool(tcn_cbor_writer *w, bool value);
void tcn_cbor_put_null(tcn_cbor_writer *w);
void tcn_cbor_put_id(tcn_cbor_writer *w, const tcn_id *id);
void tcn_cbor_put_hash(tcn_cbor_writer *w, const tcn_hash *hash);
/* Already-encoded bytes, as they are. */
void tcn_cbor_put_raw(tcn_cbor_writer *w, tcn_bytes encoded);
/* What was written, or the error that stuck. The view lives as long as the caller's memory. */
TCN_CHECKED tcn_err tcn_cbor_writer_done(const tcn_cbor_writer *w, tcn_bytes *ret_bytes);
/* Bytes that the head of a value/length takes: 1, 2, 3, 5 or 9. */
size_t tcn_cbor_head_size(uint64_t value);

/* ---- reading: a cursor over borrowed bytes; the first error sticks ----
 * After an error every getter returns zero values and the reader stays failed, so a decoder can
 * read a whole structure and check once with tcn_cbor_reader_done. Borrowed views live as long as
 * the input. Counts from arrays and maps are bounded by the bytes left, so loops over them end. */

typedef enum {
    TCN_CBOR_UINT,
    TCN_CBOR_NEGATIVE,
    TCN_CBOR_BYTES,
    TCN_CBOR_TEXT,
    TCN_CBOR_ARRAY,
    TCN_CBOR_MAP,
    TCN_CBOR_TAG,
    TCN_CBOR_BOOL,
    TCN_CBOR_NULL,
    TCN_CBOR_OTHER, /* float, undefined, simple */
    TCN_CBOR_END    /* nothing left, or the reader has failed */
} tcn_cbor_type;

typedef struct {
    const uint8_t *ptr;
    size_t len, pos;
    tcn_err err; /* TCN_OK, TCN_MALFORMED, TCN_TOO_LARGE, or what tcn_cbor_fail was given */
} tcn_cbor_reader;

void tcn_cbor_reader_init(tcn_cbor_reader *r, tcn_bytes input);
tcn_cbor_type tcn_cbor_peek(const tcn_cbor_reader *r);
uint64_t tcn_cbor_get_uint(tcn_cbor_reader *r);
/* TCN_MALFORMED above max. */
uint64_t tcn_cbor_get_uint_max(tcn_cbor_reader *r, uint64_t max);
int64_t tcn_cbor_get_int(tcn_cbor_reader *r);
tcn_bytes tcn_cbor_get_bytes(tcn_cbor_reader *r, size_t max_bytes);
tcn_bytes tcn_cbor_get_text(tcn_cbor_reader *r, size_t max_bytes); /* UTF-8 checked, no NUL byte */
size_t tcn_cbor_get_array(tcn_cbor_reader *r, size_t max_items);
size_t tcn_cbor_get_map(tcn_cbor_reader *r, size_t max_pairs);
uint64_t tcn_cbor_get_tag(tcn_cbor_reader *r);
bool tcn_cbor_get_bool(tcn_cbor_reader *r);
void tcn_cbor_get_null(tcn_cbor_reader *r);
/* True and consumed if the next item is null. */
bool tcn_cbor_take_null(tcn_cbor_reader *r);
tcn_id tcn_cbor_get_id(tcn_cbor_reader *r);     /* bstr of exactly 16 */
tcn_hash tcn_cbor_get_hash(tcn_cbor_reader *r); /* bstr of exactly 32 */
/* Copies a text into fixed memory with NUL; TCN_TOO_LARGE if it does not fit. */
void tcn_cbor_get_str(tcn_cbor_reader *r, char *ret_text, size_t size);
/* An unsigned map key, which must be greater than *previous (start with UINT64_MAX meaning none);
 * updates *previous. The key UINT64_MAX itself is TCN_MALFORMED. */
uint64_t tcn_cbor_get_key(tcn_cbor_reader *r, uint64_t *previous);
/* The next whole item, checked as tcn_cbor_check does to CBOR_DEPTH, as a view of its encoding. */
tcn_bytes tcn_cbor_get_item(tcn_cbor_reader *r);
/* Marks the reader failed (e.g. an unknown key, a value out of range). */
void tcn_cbor_fail(tcn_cbor_reader *r, tcn_err err);
/* TCN_OK only if nothing failed and every byte was consumed. */
TCN_CHECKED tcn_err tcn_cbor_reader_done(const tcn_cbor_reader *r);

/* Checks that input is exactly one deterministic item of any kind, at most max_depth deep and
 * never more than 64 (arrays, maps and tags count one each). Floats are the shortest that keep the
 * value, NaN is f97e00, bignums (tags 2 and 3) have no leading zeros and do not fit an integer.
 * Iterative: depth costs no C stack beyond a fixed array.
 * TCN_MALFORMED, or TCN_TOO_LARGE for depth. */
TCN_CHECKED tcn_err tcn_cbor_check(tcn_bytes input, unsigned max_depth);

/* Is this valid UTF-8 (RFC 3629: no surrogates, no overlong forms)? */
bool tcn_utf8_is_valid(tcn_bytes text);

#endif
