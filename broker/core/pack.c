/* SPDX-License-Identifier: Apache-2.0 */
/* pack.c - see pack.h. */
#include "pack.h"

#include <sodium.h>
#include <string.h>

static void checksum(tcn_bytes rest, uint8_t ret_sum[static TCN_PACK_CHECKSUM])
{
    static const uint8_t key[crypto_shorthash_KEYBYTES];
    uint8_t hash[crypto_shorthash_BYTES];
    crypto_shorthash(hash, rest.ptr, rest.len, key);
    memcpy(ret_sum, hash, TCN_PACK_CHECKSUM);
}

uint64_t tcn_table_hash(const uint8_t seed[static 16], tcn_bytes bytes)
{
    uint8_t hash[crypto_shorthash_BYTES];
    uint64_t value = 0;
    crypto_shorthash(hash, bytes.ptr, bytes.len, seed);
    for (size_t i = 0; i < sizeof(hash); i++)
        value = value << 8 | hash[i];
    return value;
}

/* ---- writing ---- */

static void add(tcn_pack *p, const void *bytes, size_t len)
{
    if (len > p->cap - p->len) {
        p->full = true;
        return;
    }
    if (len > 0)
        memcpy(p->ptr + p->len, bytes, len);
    p->len += len;
}

void tcn_pack_init(tcn_pack *p, uint8_t *ptr, size_t cap)
{
    static const uint8_t none[TCN_PACK_CHECKSUM];
    *p = (tcn_pack){.ptr = ptr, .cap = cap};
    add(p, none, sizeof(none));
}

void tcn_pack_u8(tcn_pack *p, unsigned value)
{
    uint8_t byte = (uint8_t)value;
    add(p, &byte, 1);
}

void tcn_pack_u16(tcn_pack *p, unsigned value)
{
    uint8_t bytes[2] = {(uint8_t)(value >> 8), (uint8_t)value};
    add(p, bytes, sizeof(bytes));
}

void tcn_pack_u64(tcn_pack *p, uint64_t value)
{
    uint8_t bytes[8];
    for (size_t i = 0; i < 8; i++)
        bytes[i] = (uint8_t)(value >> (56 - 8 * i));
    add(p, bytes, sizeof(bytes));
}

void tcn_pack_id(tcn_pack *p, const tcn_id *id)
{
    add(p, id->b, sizeof(id->b));
}

void tcn_pack_hash(tcn_pack *p, const tcn_hash *hash)
{
    add(p, hash->b, sizeof(hash->b));
}

void tcn_pack_str(tcn_pack *p, tcn_bytes text)
{
    if (text.len > UINT16_MAX) {
        p->full = true;
        return;
    }
    tcn_pack_u16(p, (unsigned)text.len);
    add(p, text.ptr, text.len);
}

void tcn_pack_raw(tcn_pack *p, tcn_bytes bytes)
{
    add(p, bytes.ptr, bytes.len);
}

tcn_err tcn_pack_seal(tcn_pack *p, tcn_bytes *ret_record)
{
    if (p->full)
        return TCN_TOO_LARGE;
    checksum(tcn_bytes_of(p->ptr + TCN_PACK_CHECKSUM, p->len - TCN_PACK_CHECKSUM), p->ptr);
    *ret_record = tcn_bytes_of(p->ptr, p->len);
    return TCN_OK;
}

/* ---- reading ---- */

bool tcn_unpack_open(tcn_unpack *u, tcn_bytes record)
{
    uint8_t sum[TCN_PACK_CHECKSUM];
    *u = (tcn_unpack){.ptr = record.ptr, .len = record.len, .pos = TCN_PACK_CHECKSUM, .bad = true};
    if (record.len < TCN_PACK_CHECKSUM)
        return false;
    checksum(tcn_bytes_of(record.ptr + TCN_PACK_CHECKSUM, record.len - TCN_PACK_CHECKSUM), sum);
    u->bad = memcmp(sum, record.ptr, sizeof(sum)) != 0;
    return !u->bad;
}

static const uint8_t *take(tcn_unpack *u, size_t len)
{
    if (u->bad || len > u->len - u->pos) {
        u->bad = true;
        return NULL;
    }
    const uint8_t *at = u->ptr + u->pos;
    u->pos += len;
    return at;
}

unsigned tcn_unpack_u8(tcn_unpack *u)
{
    const uint8_t *at = take(u, 1);
    return at != NULL ? at[0] : 0;
}

unsigned tcn_unpack_u16(tcn_unpack *u)
{
    const uint8_t *at = take(u, 2);
    return at != NULL ? (unsigned)at[0] << 8 | at[1] : 0;
}

uint64_t tcn_unpack_u64(tcn_unpack *u)
{
    const uint8_t *at = take(u, 8);
    uint64_t value = 0;
    for (size_t i = 0; at != NULL && i < 8; i++)
        value = value << 8 | at[i];
    return value;
}

tcn_id tcn_unpack_id(tcn_unpack *u)
{
    tcn_id id = {{0}};
    const uint8_t *at = take(u, sizeof(id.b));
    if (at != NULL)
        memcpy(id.b, at, sizeof(id.b));
    return id;
}

tcn_hash tcn_unpack_hash(tcn_unpack *u)
{
    tcn_hash hash = {{0}};
    const uint8_t *at = take(u, sizeof(hash.b));
    if (at != NULL)
        memcpy(hash.b, at, sizeof(hash.b));
    return hash;
}

tcn_bytes tcn_unpack_str(tcn_unpack *u)
{
    size_t len = tcn_unpack_u16(u);
    const uint8_t *at = take(u, len);
    return at != NULL ? tcn_bytes_of(at, len) : tcn_bytes_of(NULL, 0);
}

void tcn_unpack_name(tcn_unpack *u, char *ret_text, size_t size)
{
    tcn_bytes text = tcn_unpack_str(u);
    if (text.len >= size) {
        u->bad = true;
        text.len = 0;
    }
    if (text.len > 0)
        memcpy(ret_text, text.ptr, text.len);
    ret_text[text.len] = '\0';
}

tcn_bytes tcn_unpack_rest(tcn_unpack *u)
{
    size_t len = u->bad ? 0 : u->len - u->pos;
    const uint8_t *at = take(u, len);
    return tcn_bytes_of(at, at != NULL ? len : 0);
}
