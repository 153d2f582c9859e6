/* SPDX-License-Identifier: Apache-2.0 */
/* client_asks.c - the directory, the broker's status, names of alerts, envelopes. */
#include <stdlib.h>
#include <string.h>

#include "client_item.h"

/* ---- directory ---- */

static bool set_envelope(uint64_t key, tcn_cbor_reader *r, tcn_arena *arena, void *to)
{
    (void)arena;
    if (key == 1)
        *(tcn_bytes *)to = tcn_cbor_get_bytes(r, TCN_MAX_FRAME_BYTES);
    return key == 1;
}

void tcn_item_decode_envelope(tcn_cbor_reader *r, tcn_arena *arena, void *ret_bytes)
{
    tcn_item_fields(r, arena, ret_bytes, set_envelope, TCN_ITEM_KEY(1));
}

static void show_card(const tcn_card *card, tcn_arena *arena, tocsin_directory_item *item)
{
    const char **communities = tcn_arena_take(arena, (card->communities + 1) * sizeof(char *));
    const char **patterns = tcn_arena_take(arena, (card->receives + 1) * sizeof(char *));
    item->node = tcn_arena_text(arena, tcn_bytes_str(card->name));
    item->tlp = card->clearance;
    if (communities == NULL || patterns == NULL)
        return;
    for (unsigned i = 0; i < card->communities; i++)
        communities[i] = tcn_arena_text(arena, tcn_bytes_str(card->community[i]));
    for (unsigned i = 0; i < card->receives; i++)
        patterns[i] = tcn_arena_text(arena, tcn_bytes_str(card->receive[i]));
    item->communities = communities;
    item->community_count = card->communities;
    item->patterns = patterns;
    item->pattern_count = card->receives;
}

int32_t tocsin_list_directory(tocsin_client *client, tocsin_items **ret_items, tocsin_error *error)
{
    return tcn_items_open_plain(client, TCN_QUERY_DIRECTORY, false, ret_items, error);
}

int32_t tcn_next_directory_card(tocsin_items *items, tcn_card *ret_card, bool *ret_end,
                                tocsin_error *error)
{
    tcn_bytes envelope = tcn_bytes_of(NULL, 0);
    const tocsin_client *client = tcn_items_client(items);
    int32_t code = tcn_items_next(items, tcn_item_decode_envelope, &envelope, ret_end, error);
    if (code != TOCSIN_OK || *ret_end)
        return code;
    tcn_fault fault = {.err = TCN_OK};
    tcn_err err = tcn_card_open(envelope, &client->home.authority, ret_card, &fault);
    if (err != TCN_OK)
        return tcn_error_say(error, TOCSIN_STAGE_ANSWER, err,
                             "broker %s sent a member card that does not verify: %s",
                             client->broker, fault.text);
    return TOCSIN_OK;
}

int32_t tocsin_next_directory_item(tocsin_items *items, const tocsin_directory_item **ret_item,
                                   tocsin_error *error)
{
    tcn_card card;
    bool end;
    *ret_item = NULL;
    int32_t code = tcn_next_directory_card(items, &card, &end, error);
    if (code != TOCSIN_OK || end)
        return code;
    tcn_arena *arena = tcn_items_arena(items);
    tocsin_directory_item *item = tcn_arena_take(arena, sizeof(*item));
    if (item != NULL)
        show_card(&card, arena, item);
    tcn_card_fini(&card);
    if (arena->failed)
        return tcn_error_set(error, TOCSIN_STAGE_LOCAL, TCN_NO_MEMORY, NULL);
    *ret_item = item;
    return TOCSIN_OK;
}

/* ---- status ---- */

static bool set_status(uint64_t key, tcn_cbor_reader *r, tcn_arena *arena, void *to)
{
    tocsin_status *item = to;
    switch (key) {
    case 1: item->broker = tcn_item_text(r, arena); return true;
    case 2: item->version = tcn_item_text(r, arena); return true;
    case 3: item->trust_version = tcn_cbor_get_uint(r); return true;
    case 4: item->trust_expires = tcn_item_ms(r); return true;
    case 5: tcn_item_id(r, &item->epoch); return true;
    case 6: item->nodes_connected = tcn_cbor_get_uint(r); return true;
    case 7: item->nodes = tcn_cbor_get_uint(r); return true;
    case 8:
        if (tcn_cbor_get_array(r, 2) != 2)
            tcn_cbor_fail(r, TCN_MALFORMED);
        item->bulk_seq = tcn_cbor_get_uint(r);
        item->emergency_seq = tcn_cbor_get_uint(r);
        return true;
    case 9: item->held = tcn_cbor_get_uint(r); return true;
    case 10: item->store_free = tcn_cbor_get_uint(r); return true;
    case 11: item->store_total = tcn_cbor_get_uint(r); return true;
    case 12: item->uptime_ms = tcn_cbor_get_uint(r); return true;
    case 13: item->alarms = tcn_item_texts(r, arena, &item->alarm_count); return true;
    case 14: item->clients = tcn_cbor_get_uint(r); return true;
    default: return false;
    }
}

static void decode_status(tcn_cbor_reader *r, tcn_arena *arena, void *item)
{
    tcn_item_fields(r, arena, item, set_status, TCN_ITEM_KEY(14) - TCN_ITEM_KEY(1));
}

/* One block: the struct, the pointers to its alarms, and all text behind them. */
static tocsin_status *copy_status(const tocsin_status *status)
{
    const char *const fixed[] = {status->broker, status->version};
    size_t size = sizeof(*status) + status->alarm_count * sizeof(char *);
    for (uint32_t i = 0; i < 2 + status->alarm_count; i++)
        size += strlen(i < 2 ? fixed[i] : status->alarms[i - 2]) + 1;
    tocsin_status *copy = calloc(1, size);
    if (copy == NULL)
        return NULL;
    *copy = *status;
    const char **alarms = (const char **)(copy + 1);
    char *text = (char *)(alarms + status->alarm_count);
    for (uint32_t i = 0; i < 2 + status->alarm_count; i++) {
        const char *from = i < 2 ? fixed[i] : status->alarms[i - 2];
        size_t len = strlen(from) + 1;
        memcpy(text, from, len);
        if (i >= 2)
            alarms[i - 2] = text;
        else
            *(i == 0 ? &copy->broker : &copy->version) = text;
        text += len;
    }
    copy->alarms = alarms;
    return copy;
}

int32_t tocsin_get_status(tocsin_client *client, tocsin_status **ret_status, tocsin_error *error)
{
    tocsin_items *items = NULL;
    tocsin_status status = {.alarm_count = 0};
    bool end = false;
    int32_t code = tcn_items_open_plain(client, TCN_QUERY_STATUS, false, &items, error);
    if (code == TOCSIN_OK)
        code = tcn_items_next(items, decode_status, &status, &end, error);
    if (code == TOCSIN_OK && end)
        code = tcn_error_say(error, TOCSIN_STAGE_ANSWER, TCN_MALFORMED, "broker %s has no status",
                             client->broker);
    tocsin_status *copy = code == TOCSIN_OK ? copy_status(&status) : NULL;
    if (code == TOCSIN_OK && copy == NULL)
        code = tcn_error_set(error, TOCSIN_STAGE_LOCAL, TCN_NO_MEMORY, NULL);
    if (code == TOCSIN_OK)
        *ret_status = copy;
    tocsin_items_close(&items);
    return code;
}

/* ---- resolve, envelope ---- */

int32_t tocsin_resolve(tocsin_client *client, const char *name, tocsin_id *ret_id,
                       tocsin_error *error)
{
    /* A whole id needs nobody's help. */
    if (tocsin_id_parse(name, ret_id) == TOCSIN_OK)
        return TOCSIN_OK;
    uint8_t memory[256];
    if (name[0] == '\0' || strlen(name) > 128)
        return tcn_error_say(error, TOCSIN_STAGE_LOCAL, TCN_INVALID,
                             "an alert is named by its id, a prefix of it, its handle, or last");
    tcn_wire wire;
    int32_t code = tcn_query_once(client, TCN_QUERY_RESOLVE,
                                  tcn_query_args(memory, sizeof(memory), tcn_put_text_arg, name),
                                  &wire, error);
    if (code != TOCSIN_OK)
        return code;
    tcn_cbor_reader r;
    tcn_bytes id = tcn_bytes_of(NULL, 0);
    tcn_cbor_reader_init(&r, wire.result.items.raw);
    tcn_item_decode_envelope(&r, NULL, &id);
    if (tcn_cbor_reader_done(&r) != TCN_OK || id.len != sizeof(ret_id->bytes))
        return tcn_error_say(error, TOCSIN_STAGE_ANSWER, TCN_MALFORMED, "broker %s: not an id",
                             client->broker);
    memcpy(ret_id->bytes, id.ptr, sizeof(ret_id->bytes));
    return TOCSIN_OK;
}

int32_t tcn_query_envelope(tocsin_client *client, const tocsin_id *id, tcn_bytes *ret_envelope,
                           tocsin_error *error)
{
    uint8_t memory[32];
    tcn_wire wire;
    int32_t code =
        tcn_query_once(client, TCN_QUERY_ENVELOPE,
                       tcn_query_args(memory, sizeof(memory), tcn_put_id_arg, id), &wire, error);
    if (code != TOCSIN_OK)
        return code;
    tcn_cbor_reader r;
    tcn_cbor_reader_init(&r, wire.result.items.raw);
    *ret_envelope = tcn_bytes_of(NULL, 0);
    tcn_item_decode_envelope(&r, NULL, ret_envelope);
    if (tcn_cbor_reader_done(&r) != TCN_OK)
        return tcn_error_say(error, TOCSIN_STAGE_ANSWER, TCN_MALFORMED,
                             "broker %s: not an envelope", client->broker);
    return TOCSIN_OK;
}
