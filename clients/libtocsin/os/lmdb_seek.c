/* SPDX-License-Identifier: Apache-2.0 */
/* lmdb_seek.c - see lmdb_seek.h. */
#include "lmdb_seek.h"

#include <string.h>

static tcn_bytes bytes_of(MDB_val val)
{
    return tcn_bytes_of(val.mv_data, val.mv_size);
}

static bool has_prefix(tcn_bytes key, tcn_bytes prefix)
{
    return key.len >= prefix.len &&
           (prefix.len == 0 || memcmp(key.ptr, prefix.ptr, prefix.len) == 0);
}

/* The first entry with key >= from. */
static int at_or_after(MDB_cursor *cursor, tcn_bytes from, MDB_val *k, MDB_val *v)
{
    if (from.len == 0) {
        return mdb_cursor_get(cursor, k, v, MDB_FIRST);
    }
    /* No key is longer than TCN_LMDB_KEY_BYTES: one that equals a cut from is before it. */
    k->mv_data = (void *)(uintptr_t)from.ptr;
    k->mv_size = from.len <= TCN_LMDB_KEY_BYTES ? from.len : TCN_LMDB_KEY_BYTES;
    int code = mdb_cursor_get(cursor, k, v, MDB_SET_RANGE);
    if (code == MDB_SUCCESS && tcn_bytes_compare(bytes_of(*k), from) < 0) {
        code = mdb_cursor_get(cursor, k, v, MDB_NEXT);
    }
    return code;
}

/* The last entry with key < until, or the very last if until is NULL. */
static int before(MDB_cursor *cursor, const tcn_bytes *until, MDB_val *k, MDB_val *v)
{
    if (!until) {
        return mdb_cursor_get(cursor, k, v, MDB_LAST);
    }
    int code = at_or_after(cursor, *until, k, v);
    if (code != MDB_SUCCESS && code != MDB_NOTFOUND) {
        return code;
    }
    return mdb_cursor_get(cursor, k, v, code == MDB_NOTFOUND ? MDB_LAST : MDB_PREV);
}

/* The last entry that has the prefix, or one that has not. */
static int last_with(MDB_cursor *cursor, tcn_bytes prefix, MDB_val *k, MDB_val *v)
{
    uint8_t after[TCN_LMDB_KEY_BYTES];
    size_t len = prefix.len;
    memcpy(after, prefix.ptr, len);
    while (len > 0 && after[len - 1] == 0xff) {
        len--;
    }
    if (len == 0) {
        return before(cursor, NULL, k, v);
    }
    after[len - 1]++;
    const tcn_bytes until = tcn_bytes_of(after, len);
    return before(cursor, &until, k, v);
}

static int at_or_before(MDB_cursor *cursor, tcn_bytes prefix, tcn_bytes from, MDB_val *k,
                        MDB_val *v)
{
    if (!has_prefix(from, prefix) && tcn_bytes_compare(from, prefix) > 0) {
        return last_with(cursor, prefix, k, v);
    }
    int code = at_or_after(cursor, from, k, v);
    if (code == MDB_SUCCESS && tcn_bytes_equal(bytes_of(*k), from)) {
        return code;
    }
    return code == MDB_SUCCESS || code == MDB_NOTFOUND ? before(cursor, &from, k, v) : code;
}

int tcn_lmdb_seek(MDB_cursor *cursor, tcn_bytes prefix, tcn_bytes from, bool backward,
                  MDB_val *ret_key, MDB_val *ret_value)
{
    MDB_val k, v;
    if (prefix.len > TCN_LMDB_KEY_BYTES) {
        return MDB_NOTFOUND;
    }
    tcn_bytes start = tcn_bytes_compare(from, prefix) < 0 ? prefix : from;
    int code =
        backward ? at_or_before(cursor, prefix, from, &k, &v) : at_or_after(cursor, start, &k, &v);
    if (code != MDB_SUCCESS) {
        return code;
    }
    if (!has_prefix(bytes_of(k), prefix)) {
        return MDB_NOTFOUND;
    }
    *ret_key = k;
    *ret_value = v;
    return MDB_SUCCESS;
}
