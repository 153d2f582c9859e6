/* SPDX-License-Identifier: Apache-2.0 */
/* bytes.h - borrowed bytes, sized ids, and a growable buffer with a named maximum.
 * A tcn_bytes owns nothing: the function that returns one says when it dies. */
#ifndef TCN_BYTES_H
#define TCN_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "err.h"

typedef struct {
    const uint8_t *ptr; /* may be NULL only when len is 0 */
    size_t len;
} tcn_bytes;

/* 16-byte names: alert id (UUIDv7), program id, kid, instance, epoch. */
typedef struct {
    uint8_t b[16];
} tcn_id;

/* SHA-256 of something. */
typedef struct {
    uint8_t b[32];
} tcn_hash;

#define TCN_ID_TEXT_SIZE 37   /* 8-4-4-4-12 hex and NUL */
#define TCN_HASH_TEXT_SIZE 65 /* 64 hex and NUL */

tcn_bytes tcn_bytes_of(const void *ptr, size_t len);
tcn_bytes tcn_bytes_str(const char *nul_terminated);
bool tcn_bytes_equal(tcn_bytes a, tcn_bytes b);  /* not constant-time: never for secrets */
int tcn_bytes_compare(tcn_bytes a, tcn_bytes b); /* memcmp order, shorter first on a tie */

bool tcn_id_equal(const tcn_id *a, const tcn_id *b);
bool tcn_id_is_zero(const tcn_id *id);
bool tcn_hash_equal(const tcn_hash *a, const tcn_hash *b);
/* SHA-256 (FIPS 180-4). */
tcn_hash tcn_hash_of(tcn_bytes bytes);

/* Lower-case hex in UUID grouping. */
void tcn_id_text(const tcn_id *id, char ret_text[static TCN_ID_TEXT_SIZE]);
/* Accepts exactly what tcn_id_text writes, in either case. TCN_MALFORMED otherwise. */
TCN_CHECKED tcn_err tcn_id_parse(const char *text, tcn_id *ret_id);

/* The start of an id as a person writes it. */
typedef struct {
    tcn_id id;       /* the digits, then zeros */
    unsigned digits; /* 1 to 32 */
} tcn_id_prefix;

#define TCN_ID_PREFIX_LEAST 4 /* digits that a person must give */

/* Hex digits in either case, dashes anywhere. TCN_MALFORMED: anything else, none, or too many. */
TCN_CHECKED tcn_err tcn_id_prefix_parse(tcn_bytes text, tcn_id_prefix *ret_prefix);
bool tcn_id_has_prefix(const tcn_id *id, const tcn_id_prefix *prefix);

void tcn_hash_text(const tcn_hash *hash, char ret_text[static TCN_HASH_TEXT_SIZE]);
/* Lower-case hex of len bytes and NUL: ret_text holds 2*len+1. */
void tcn_hex(const uint8_t *bytes, size_t len, char *ret_text);
/* Exactly len bytes from 2*len hex digits. TCN_MALFORMED otherwise. */
TCN_CHECKED tcn_err tcn_unhex(const char *text, uint8_t *ret_bytes, size_t len);

/* A buffer that grows up to max_bytes, then says TCN_TOO_LARGE. Zero-initialise with
 * tcn_buf_init; a failed append leaves the content as it was. */
typedef struct {
    uint8_t *ptr;
    size_t len, cap, max_bytes;
} tcn_buf;

void tcn_buf_init(tcn_buf *buf, size_t max_bytes);
void tcn_buf_fini(tcn_buf *buf);  /* frees; NULL and twice are fine */
void tcn_buf_clear(tcn_buf *buf); /* length 0, memory kept */
TCN_CHECKED tcn_err tcn_buf_append(tcn_buf *buf, tcn_bytes bytes);
/* Makes room for at least more bytes beyond len. */
TCN_CHECKED tcn_err tcn_buf_reserve(tcn_buf *buf, size_t more);
/* Valid until the buffer next changes. */
tcn_bytes tcn_buf_bytes(const tcn_buf *buf);

/* A malloc'd copy, or {NULL,0} with TCN_NO_MEMORY. An empty input gives a non-NULL pointer. */
TCN_CHECKED tcn_err tcn_bytes_copy(tcn_bytes bytes, uint8_t **ret_ptr);

#endif
