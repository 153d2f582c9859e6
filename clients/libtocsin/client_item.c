/* SPDX-License-Identifier: Apache-2.0 */
/* client_item.c - see client_item.h. */
#include "client_item.h"

#include <string.h>

enum { TEXT_BYTES = 4096, LIST_ITEMS = 256 };

void tcn_item_fields(tcn_cbor_reader *r, tcn_arena *arena, void *item, tcn_item_set *set,
                     uint64_t required)
{
    uint64_t previous = UINT64_MAX, seen = 0;
    for (size_t left = tcn_cbor_get_map(r, TCN_ITEM_FREE_KEY * 2); left > 0; left--) {
        uint64_t key = tcn_cbor_get_key(r, &previous);
        if (key >= TCN_ITEM_FREE_KEY)
            (void)tcn_cbor_get_item(r);
        else if (set(key, r, arena, item))
            seen |= TCN_ITEM_KEY(key);
        else
            tcn_cbor_fail(r, TCN_MALFORMED);
    }
    if ((seen & required) != required)
        tcn_cbor_fail(r, TCN_MALFORMED);
}

const char *tcn_item_text(tcn_cbor_reader *r, tcn_arena *arena)
{
    return tcn_arena_text(arena, tcn_cbor_get_text(r, TEXT_BYTES));
}

uint32_t tcn_item_u32(tcn_cbor_reader *r)
{
    return (uint32_t)tcn_cbor_get_uint_max(r, UINT32_MAX);
}

int64_t tcn_item_ms(tcn_cbor_reader *r)
{
    return (int64_t)tcn_cbor_get_uint_max(r, INT64_MAX);
}

int64_t tcn_item_ms_or_null(tcn_cbor_reader *r)
{
    return tcn_cbor_take_null(r) ? 0 : tcn_item_ms(r);
}

void tcn_item_id(tcn_cbor_reader *r, tocsin_id *ret_id)
{
    tcn_id id = tcn_cbor_get_id(r);
    memcpy(ret_id->bytes, id.b, sizeof(id.b));
}

const char *const *tcn_item_texts(tcn_cbor_reader *r, tcn_arena *arena, uint32_t *ret_count)
{
    size_t count = tcn_cbor_get_array(r, LIST_ITEMS);
    const char **texts = tcn_arena_take(arena, (count + 1) * sizeof(*texts));
    for (size_t i = 0; i < count; i++) {
        const char *text = tcn_item_text(r, arena);
        if (texts != NULL)
            texts[i] = text;
    }
    *ret_count = texts != NULL ? (uint32_t)count : 0;
    return texts;
}

/* ---- questions ---- */

void tcn_put_id_arg(tcn_cbor_writer *w, const void *from)
{
    const tocsin_id *id = from;
    tcn_cbor_put_map(w, 1);
    tcn_cbor_put_uint(w, 1);
    tcn_cbor_put_bytes(w, tcn_bytes_of(id->bytes, sizeof(id->bytes)));
}

void tcn_put_text_arg(tcn_cbor_writer *w, const void *from)
{
    tcn_cbor_put_map(w, from != NULL ? 1 : 0);
    if (from == NULL)
        return;
    tcn_cbor_put_uint(w, 1);
    tcn_cbor_put_text(w, from);
}

int32_t tcn_items_open_plain(tocsin_client *client, tcn_query what, bool with_past,
                             tocsin_items **ret_items, tocsin_error *error)
{
    static const uint8_t none[] = {0xa0}, past[] = {0xa1, 0x01, 0x01};
    tcn_bytes args = with_past ? tcn_bytes_of(past, sizeof(past)) : tcn_bytes_of(none, 1);
    return tcn_items_open(client, what, args, ret_items, error);
}
