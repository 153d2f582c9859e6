/* SPDX-License-Identifier: Apache-2.0 */
/* bytes.c - comparing, naming in hex, hashing and growing bytes. Threads: no shared state. */
#include "bytes.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

tcn_bytes tcn_bytes_of(const void *ptr, size_t len)
{
    return (tcn_bytes){ptr, len};
}

tcn_bytes tcn_bytes_str(const char *nul_terminated)
{
    return (tcn_bytes){(const uint8_t *)nul_terminated, strlen(nul_terminated)};
}

bool tcn_bytes_equal(tcn_bytes a, tcn_bytes b)
{
    /* memcmp may not be given NULL, not even for nothing. */
    return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}

int tcn_bytes_compare(tcn_bytes a, tcn_bytes b)
{
    size_t common = a.len < b.len ? a.len : b.len;
    int order = common == 0 ? 0 : memcmp(a.ptr, b.ptr, common);
    if (order != 0)
        return order;
    return (a.len > b.len) - (a.len < b.len);
}

bool tcn_id_equal(const tcn_id *a, const tcn_id *b)
{
    return memcmp(a->b, b->b, sizeof(a->b)) == 0;
}

bool tcn_id_is_zero(const tcn_id *id)
{
    static const tcn_id zero;
    return tcn_id_equal(id, &zero);
}

bool tcn_hash_equal(const tcn_hash *a, const tcn_hash *b)
{
    return memcmp(a->b, b->b, sizeof(a->b)) == 0;
}

tcn_hash tcn_hash_of(tcn_bytes bytes)
{
    tcn_hash hash;
    crypto_hash_sha256(hash.b, bytes.ptr, bytes.len);
    return hash;
}

/* ---- hex ---- */

void tcn_hex(const uint8_t *bytes, size_t len, char *ret_text)
{
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < len; i++) {
        *ret_text++ = digits[bytes[i] >> 4];
        *ret_text++ = digits[bytes[i] & 15];
    }
    *ret_text = '\0';
}

static int hex_value(char digit)
{
    if (digit >= '0' && digit <= '9')
        return digit - '0';
    if (digit >= 'a' && digit <= 'f')
        return digit - 'a' + 10;
    if (digit >= 'A' && digit <= 'F')
        return digit - 'A' + 10;
    return -1;
}

/* Reads len bytes from digits that need not be NUL-terminated; stops at the first non-digit. */
static bool unhex_some(const char *text, uint8_t *ret_bytes, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        int high = hex_value(text[2 * i]);
        if (high < 0)
            return false;
        int low = hex_value(text[2 * i + 1]);
        if (low < 0)
            return false;
        ret_bytes[i] = (uint8_t)(high * 16 + low);
    }
    return true;
}

tcn_err tcn_unhex(const char *text, uint8_t *ret_bytes, size_t len)
{
    /* All of it is looked at first: nothing is written unless everything can be. */
    if (strnlen(text, 2 * len + 1) != 2 * len || strspn(text, "0123456789abcdefABCDEF") != 2 * len)
        return TCN_MALFORMED;
    return unhex_some(text, ret_bytes, len) ? TCN_OK : TCN_MALFORMED;
}

void tcn_hash_text(const tcn_hash *hash, char ret_text[static TCN_HASH_TEXT_SIZE])
{
    tcn_hex(hash->b, sizeof(hash->b), ret_text);
}

/* Bytes per group of a UUID's text (RFC 9562 §4). */
static const uint8_t uuid_groups[] = {4, 2, 2, 2, 6};

void tcn_id_text(const tcn_id *id, char ret_text[static TCN_ID_TEXT_SIZE])
{
    const uint8_t *from = id->b;
    char *to = ret_text;
    for (size_t g = 0; g < sizeof(uuid_groups); g++) {
        if (g > 0)
            *to++ = '-';
        tcn_hex(from, uuid_groups[g], to);
        from += uuid_groups[g];
        to += 2 * uuid_groups[g];
    }
}

tcn_err tcn_id_parse(const char *text, tcn_id *ret_id)
{
    if (strnlen(text, TCN_ID_TEXT_SIZE) != TCN_ID_TEXT_SIZE - 1)
        return TCN_MALFORMED;
    tcn_id id;
    uint8_t *to = id.b;
    for (size_t g = 0; g < sizeof(uuid_groups); g++) {
        if (g > 0 && *text++ != '-')
            return TCN_MALFORMED;
        if (!unhex_some(text, to, uuid_groups[g]))
            return TCN_MALFORMED;
        to += uuid_groups[g];
        text += 2 * uuid_groups[g];
    }
    *ret_id = id;
    return TCN_OK;
}

tcn_err tcn_id_prefix_parse(tcn_bytes text, tcn_id_prefix *ret_prefix)
{
    tcn_id_prefix prefix = {.digits = 0};
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] == '-')
            continue;
        int value = hex_value((char)text.ptr[i]);
        if (value < 0 || prefix.digits == 2 * sizeof(prefix.id.b))
            return TCN_MALFORMED;
        prefix.id.b[prefix.digits / 2] |= (uint8_t)(prefix.digits % 2 == 0 ? value << 4 : value);
        prefix.digits++;
    }
    if (prefix.digits == 0)
        return TCN_MALFORMED;
    *ret_prefix = prefix;
    return TCN_OK;
}

bool tcn_id_has_prefix(const tcn_id *id, const tcn_id_prefix *prefix)
{
    size_t whole = prefix->digits / 2;
    if (memcmp(id->b, prefix->id.b, whole) != 0)
        return false;
    return prefix->digits % 2 == 0 || id->b[whole] >> 4 == prefix->id.b[whole] >> 4;
}

/* ---- growing ---- */

void tcn_buf_init(tcn_buf *buf, size_t max_bytes)
{
    *buf = (tcn_buf){.max_bytes = max_bytes};
}

void tcn_buf_fini(tcn_buf *buf)
{
    if (buf == NULL)
        return;
    free(buf->ptr);
    *buf = (tcn_buf){.max_bytes = buf->max_bytes};
}

void tcn_buf_clear(tcn_buf *buf)
{
    buf->len = 0;
}

tcn_err tcn_buf_reserve(tcn_buf *buf, size_t more)
{
    if (more > buf->max_bytes - buf->len)
        return TCN_TOO_LARGE;
    size_t needed = buf->len + more;
    if (needed <= buf->cap)
        return TCN_OK;
    /* Doubling, but never past the maximum: what is reserved is also bounded. */
    size_t cap = buf->cap < 128 ? 256 : buf->cap;
    while (cap < needed)
        cap = cap > buf->max_bytes / 2 ? buf->max_bytes : cap * 2;
    if (cap > buf->max_bytes)
        cap = buf->max_bytes;
    uint8_t *grown = realloc(buf->ptr, cap);
    if (grown == NULL)
        return TCN_NO_MEMORY;
    buf->ptr = grown;
    buf->cap = cap;
    return TCN_OK;
}

tcn_err tcn_buf_append(tcn_buf *buf, tcn_bytes bytes)
{
    tcn_err err = tcn_buf_reserve(buf, bytes.len);
    if (err != TCN_OK)
        return err;
    if (bytes.len > 0)
        memcpy(buf->ptr + buf->len, bytes.ptr, bytes.len);
    buf->len += bytes.len;
    return TCN_OK;
}

tcn_bytes tcn_buf_bytes(const tcn_buf *buf)
{
    return (tcn_bytes){buf->ptr, buf->len};
}

tcn_err tcn_bytes_copy(tcn_bytes bytes, uint8_t **ret_ptr)
{
    uint8_t *copy = malloc(bytes.len > 0 ? bytes.len : 1);
    if (copy == NULL)
        return TCN_NO_MEMORY;
    if (bytes.len > 0)
        memcpy(copy, bytes.ptr, bytes.len);
    *ret_ptr = copy;
    return TCN_OK;
}
