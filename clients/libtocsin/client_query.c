/* SPDX-License-Identifier: Apache-2.0 */
/* client_query.c - questions with pages of items (docs/protocol.md §6), and the iterator under
 * every list of the public API. What an item holds is in client_items.c. */
#include "client_query.h"

#include <stdlib.h>
#include <string.h>

enum { ARGS_BYTES = TCN_MAX_META_BYTES + 32, NEXT_BYTES = 1024, PAGES_MAX = 100000 };

struct tocsin_items {
    tocsin_client *client;
    tcn_query what;
    uint8_t *args;
    size_t args_len;
    uint8_t *page; /* encoded items of the page */
    size_t page_len, left;
    tcn_cbor_reader reader;
    uint8_t next[NEXT_BYTES];
    size_t next_len;
    bool last;
    unsigned pages;
    tcn_arena arena; /* of the current item */
};

static tcn_wire make_query(tcn_query what, tcn_bytes args, tcn_bytes after)
{
    return (tcn_wire){
        .op = TCN_OP_QUERY,
        .query = {.what = what, .args = args, .after = after, .max = TCN_MAX_PAGE_ITEMS}};
}

int32_t tcn_query_once(tocsin_client *client, tcn_query what, tcn_bytes args, tcn_wire *ret_result,
                       tocsin_error *error)
{
    tcn_wire request = make_query(what, args, tcn_bytes_of(NULL, 0));
    int32_t code = tcn_client_ask(client, TCN_LANE_BULK, &request, ret_result, error);
    if (code != TOCSIN_OK)
        return code;
    if (ret_result->op != TCN_OP_RESULT)
        return tcn_error_say(error, TOCSIN_STAGE_ANSWER, TCN_MALFORMED,
                             "broker %s answered a query with something else", client->broker);
    if (ret_result->result.error != TCN_OK)
        return tcn_client_refused(client, ret_result, error);
    return TOCSIN_OK;
}

tcn_bytes tcn_query_args(uint8_t *memory, size_t size, void (*put)(tcn_cbor_writer *, const void *),
                         const void *from)
{
    tcn_cbor_writer w;
    tcn_bytes args;
    tcn_cbor_writer_init(&w, memory, size);
    put(&w, from);
    /* Too large for the caller's memory: an argument that no broker knows gives a clean refusal. */
    return tcn_cbor_writer_done(&w, &args) == TCN_OK ? args : tcn_bytes_of("\xa0", 1);
}

int32_t tcn_items_open(tocsin_client *client, tcn_query what, tcn_bytes args,
                       tocsin_items **ret_items, tocsin_error *error)
{
    tocsin_items *items = calloc(1, sizeof(*items));
    if (items == NULL || tcn_bytes_copy(args, &items->args) != TCN_OK) {
        free(items);
        return tcn_error_set(error, TOCSIN_STAGE_LOCAL, TCN_NO_MEMORY, NULL);
    }
    items->client = client;
    items->what = what;
    items->args_len = args.len;
    /* The first page now: a refusal is told by the call that asks. */
    int32_t code = tcn_items_fill(items, error);
    if (code != TOCSIN_OK) {
        tocsin_items_close(&items);
        return code;
    }
    *ret_items = items;
    return TOCSIN_OK;
}

void tocsin_items_close(tocsin_items **items)
{
    if (*items == NULL)
        return;
    tcn_arena_fini(&(*items)->arena);
    free((*items)->args);
    free((*items)->page);
    free(*items);
    *items = NULL;
}

static int32_t keep_page(tocsin_items *items, const tcn_wire *wire, tocsin_error *error)
{
    free(items->page);
    items->page = NULL;
    tcn_bytes raw = wire->result.items.raw;
    if (wire->result.next.len > sizeof(items->next) || ++items->pages > PAGES_MAX)
        return tcn_error_say(error, TOCSIN_STAGE_ANSWER, TCN_MALFORMED,
                             "broker %s: pages without an end", items->client->broker);
    if (tcn_bytes_copy(raw, &items->page) != TCN_OK)
        return tcn_error_set(error, TOCSIN_STAGE_LOCAL, TCN_NO_MEMORY, NULL);
    items->page_len = raw.len;
    items->left = wire->result.items.count;
    tcn_cbor_reader_init(&items->reader, tcn_bytes_of(items->page, raw.len));
    items->next_len = wire->result.next.len;
    if (items->next_len > 0)
        memcpy(items->next, wire->result.next.ptr, items->next_len);
    items->last = items->next_len == 0;
    return TOCSIN_OK;
}

int32_t tcn_items_fill(tocsin_items *items, tocsin_error *error)
{
    tcn_wire reply, request = make_query(items->what, tcn_bytes_of(items->args, items->args_len),
                                         tcn_bytes_of(items->next, items->next_len));
    int32_t code = tcn_client_ask(items->client, TCN_LANE_BULK, &request, &reply, error);
    if (code != TOCSIN_OK)
        return code;
    if (reply.op != TCN_OP_RESULT)
        return tcn_error_say(error, TOCSIN_STAGE_ANSWER, TCN_MALFORMED,
                             "broker %s answered a query with something else",
                             items->client->broker);
    if (reply.result.error != TCN_OK)
        return tcn_client_refused(items->client, &reply, error);
    return keep_page(items, &reply, error);
}

int32_t tcn_items_next(tocsin_items *items, tcn_item_decode *decode, void *ret_item, bool *ret_end,
                       tocsin_error *error)
{
    tcn_arena_fini(&items->arena);
    while (items->left == 0) {
        *ret_end = items->last;
        if (items->last)
            return TOCSIN_OK;
        int32_t code = tcn_items_fill(items, error);
        if (code != TOCSIN_OK)
            return code;
    }
    *ret_end = false;
    items->left--;
    tcn_bytes encoded = tcn_cbor_get_item(&items->reader);
    tcn_cbor_reader r;
    tcn_cbor_reader_init(&r, encoded);
    decode(&r, &items->arena, ret_item);
    if (items->reader.err != TCN_OK || tcn_cbor_reader_done(&r) != TCN_OK) {
        items->left = 0;
        items->last = true;
        return tcn_error_say(error, TOCSIN_STAGE_ANSWER, TCN_MALFORMED,
                             "broker %s: an item of \"%s\" is not what it should be",
                             items->client->broker, tcn_query_word(items->what));
    }
    if (items->arena.failed)
        return tcn_error_set(error, TOCSIN_STAGE_LOCAL, TCN_NO_MEMORY, NULL);
    return TOCSIN_OK;
}

tcn_arena *tcn_items_arena(tocsin_items *items)
{
    return &items->arena;
}

tocsin_client *tcn_items_client(tocsin_items *items)
{
    return items->client;
}

const char *tcn_query_word(tcn_query what)
{
    switch (what) {
#define X(name, number, word)                                                                      \
    case TCN_QUERY_##name: return word;
        TCN_QUERY_TABLE(X)
#undef X
    }
    return "unknown";
}
