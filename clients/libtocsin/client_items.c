/* SPDX-License-Identifier: Apache-2.0 */
/* client_items.c - the items of each list (docs/protocol.md §6) as structs of the public API. */
#include <stdlib.h>
#include <string.h>

#include "client_query.h"

enum { TEXT_BYTES = 4096, LIST_ITEMS = 256, METRICS_MAX = 64, FREE_KEY = 64 };

/* Sets the member for a key; false for a key that it does not know. */
typedef bool set_fn(uint64_t key, tcn_cbor_reader *r, tcn_arena *arena, void *item);

#define KEY(n) (UINT64_C(1) << (n))

/* Reads a map whose keys from 1 to 63 are known to set and those in required are there. */
static void get_fields(tcn_cbor_reader *r, tcn_arena *arena, void *item, set_fn *set,
                       uint64_t required)
{
    uint64_t previous = UINT64_MAX, seen = 0;
    for (size_t left = tcn_cbor_get_map(r, FREE_KEY * 2); left > 0; left--) {
        uint64_t key = tcn_cbor_get_key(r, &previous);
        if (key >= FREE_KEY)
            (void)tcn_cbor_get_item(r);
        else if (set(key, r, arena, item))
            seen |= KEY(key);
        else
            tcn_cbor_fail(r, TCN_MALFORMED);
    }
    if ((seen & required) != required)
        tcn_cbor_fail(r, TCN_MALFORMED);
}

static const char *get_text(tcn_cbor_reader *r, tcn_arena *arena)
{
    return tcn_arena_text(arena, tcn_cbor_get_text(r, TEXT_BYTES));
}

static uint32_t get_u32(tcn_cbor_reader *r)
{
    return (uint32_t)tcn_cbor_get_uint_max(r, UINT32_MAX);
}

static int64_t get_ms(tcn_cbor_reader *r)
{
    return (int64_t)tcn_cbor_get_uint_max(r, INT64_MAX);
}

/* null is 0 */
static int64_t get_ms_or_null(tcn_cbor_reader *r)
{
    return tcn_cbor_take_null(r) ? 0 : get_ms(r);
}

static void get_id(tcn_cbor_reader *r, tocsin_id *ret_id)
{
    tcn_id id = tcn_cbor_get_id(r);
    memcpy(ret_id->bytes, id.b, sizeof(id.b));
}

static const char *const *get_texts(tcn_cbor_reader *r, tcn_arena *arena, uint32_t *ret_count)
{
    size_t count = tcn_cbor_get_array(r, LIST_ITEMS);
    const char **texts = tcn_arena_take(arena, (count + 1) * sizeof(*texts));
    for (size_t i = 0; i < count; i++) {
        const char *text = get_text(r, arena);
        if (texts != NULL)
            texts[i] = text;
    }
    *ret_count = texts != NULL ? (uint32_t)count : 0;
    return texts;
}

/* ---- alerts and pending ---- */

static bool set_alert(uint64_t key, tcn_cbor_reader *r, tcn_arena *arena, void *to)
{
    tocsin_alert_item *item = to;
    tcn_hash hash;
    switch (key) {
    case 1: get_id(r, &item->id); return true;
    case 2: item->handle = get_text(r, arena); return true;
    case 3:
        item->seq_known = !tcn_cbor_take_null(r);
        if (item->seq_known)
            item->seq = tcn_cbor_get_uint(r);
        return true;
    case 4: item->lane = get_u32(r); return true;
    case 5: item->topic = get_text(r, arena); return true;
    case 6: item->tlp = get_u32(r); return true;
    case 7: item->status = get_u32(r); return true;
    case 8: item->title = get_text(r, arena); return true;
    case 9: item->publisher = get_text(r, arena); return true;
    case 10: item->created = get_ms(r); return true;
    case 11: item->state = get_u32(r); return true;
    case 12: item->kind = get_u32(r); return true;
    case 13: item->accepted = get_ms(r); return true;
    case 14: item->expires = get_ms(r); return true;
    case 15: item->approvals_needed = get_u32(r); return true;
    case 16: item->approvers = get_texts(r, arena, &item->approver_count); return true;
    case 17: item->waiting = get_u32(r); return true;
    case 18: item->not_before = get_ms_or_null(r); return true;
    case 19: item->body_have = tcn_cbor_get_uint(r); return true;
    case 20: item->body_size = tcn_cbor_get_uint(r); return true;
    case 21:
        hash = tcn_cbor_get_hash(r);
        memcpy(item->payload_hash, hash.b, sizeof(hash.b));
        return true;
    default: return false;
    }
}

static void decode_alert(tcn_cbor_reader *r, tcn_arena *arena, void *item)
{
    get_fields(r, arena, item, set_alert, KEY(22) - KEY(1));
}

static int32_t open_plain(tocsin_client *client, tcn_query what, bool with_past,
                          tocsin_items **ret_items, tocsin_error *error)
{
    static const uint8_t none[] = {0xa0}, past[] = {0xa1, 0x01, 0x01};
    tcn_bytes args = with_past ? tcn_bytes_of(past, sizeof(past)) : tcn_bytes_of(none, 1);
    return tcn_items_open(client, what, args, ret_items, error);
}

int32_t tocsin_list_pending(tocsin_client *client, tocsin_items **ret_items, tocsin_error *error)
{
    return open_plain(client, TCN_QUERY_PENDING, false, ret_items, error);
}

int32_t tocsin_list_alerts(tocsin_client *client, uint32_t with_past, tocsin_items **ret_items,
                           tocsin_error *error)
{
    return open_plain(client, TCN_QUERY_ALERTS, with_past != 0, ret_items, error);
}

/* The item lives in the arena beside its strings. */
static int32_t next_item(tocsin_items *items, tcn_item_decode *decode, void *memory, size_t size,
                         const void **ret_item, tocsin_error *error)
{
    bool end;
    *ret_item = NULL;
    memset(memory, 0, size);
    int32_t code = tcn_items_next(items, decode, memory, &end, error);
    if (code != TOCSIN_OK || end)
        return code;
    void *kept = tcn_arena_take(tcn_items_arena(items), size);
    if (kept == NULL)
        return tcn_error_set(error, TOCSIN_STAGE_LOCAL, TCN_NO_MEMORY, NULL);
    memcpy(kept, memory, size);
    *ret_item = kept;
    return TOCSIN_OK;
}

#define NEXT(type, decode)                                                                         \
    type item;                                                                                     \
    const void *kept = NULL;                                                                       \
    int32_t code = next_item(items, decode, &item, sizeof(item), &kept, error);                    \
    *ret_item = kept;                                                                              \
    return code

int32_t tocsin_next_alert_item(tocsin_items *items, const tocsin_alert_item **ret_item,
                               tocsin_error *error)
{
    NEXT(tocsin_alert_item, decode_alert);
}

/* ---- board ---- */

static bool set_board(uint64_t key, tcn_cbor_reader *r, tcn_arena *arena, void *to)
{
    tocsin_board_item *item = to;
    switch (key) {
    case 1: item->node = get_text(r, arena); return true;
    case 2: item->state = get_u32(r); return true;
    case 3: item->received = get_ms(r); return true;
    case 4:
        item->latency_ms = tcn_cbor_get_uint(r);
        item->latency_known = 1;
        return true;
    case 5:
        item->answer = get_u32(r);
        item->ack_known = 1;
        return true;
    case 6: item->acked = get_ms(r); return true;
    case 7: item->ack_by = get_text(r, arena); return true;
    case 8: item->note = get_text(r, arena); return true;
    case 9:
        item->rejected = (int32_t)tcn_err_from_wire(tcn_cbor_get_uint(r));
        item->rejected_known = 1;
        return true;
    case 10: item->by_rule = tcn_cbor_get_bool(r); return true;
    default: return false;
    }
}

static void decode_board(tcn_cbor_reader *r, tcn_arena *arena, void *to)
{
    tocsin_board_item *item = to;
    item->ack_by = item->note = "";
    get_fields(r, arena, item, set_board, KEY(1) | KEY(2));
}

static void put_id_arg(tcn_cbor_writer *w, const void *from)
{
    const tocsin_id *id = from;
    tcn_cbor_put_map(w, 1);
    tcn_cbor_put_uint(w, 1);
    tcn_cbor_put_bytes(w, tcn_bytes_of(id->bytes, sizeof(id->bytes)));
}

int32_t tocsin_list_board(tocsin_client *client, const tocsin_id *id, tocsin_items **ret_items,
                          tocsin_error *error)
{
    uint8_t memory[32];
    return tcn_items_open(client, TCN_QUERY_BOARD,
                          tcn_query_args(memory, sizeof(memory), put_id_arg, id), ret_items, error);
}

int32_t tocsin_next_board_item(tocsin_items *items, const tocsin_board_item **ret_item,
                               tocsin_error *error)
{
    NEXT(tocsin_board_item, decode_board);
}

/* ---- explain ---- */

static bool set_explain(uint64_t key, tcn_cbor_reader *r, tcn_arena *arena, void *to)
{
    tocsin_explain_item *item = to;
    switch (key) {
    case 1: item->term = get_text(r, arena); return true;
    case 2: item->holds = tcn_cbor_get_bool(r); return true;
    case 3: item->why = get_text(r, arena); return true;
    default: return false;
    }
}

static void decode_explain(tcn_cbor_reader *r, tcn_arena *arena, void *item)
{
    get_fields(r, arena, item, set_explain, KEY(1) | KEY(2) | KEY(3));
}

typedef struct {
    const tocsin_id *id;
    const char *node;
} explain_args;

static void put_explain_args(tcn_cbor_writer *w, const void *from)
{
    const explain_args *args = from;
    tcn_cbor_put_map(w, 2);
    tcn_cbor_put_uint(w, 1);
    tcn_cbor_put_bytes(w, tcn_bytes_of(args->id->bytes, sizeof(args->id->bytes)));
    tcn_cbor_put_uint(w, 2);
    tcn_cbor_put_text(w, args->node);
}

int32_t tocsin_list_explain(tocsin_client *client, const tocsin_id *id, const char *node,
                            tocsin_items **ret_items, tocsin_error *error)
{
    uint8_t memory[128];
    const explain_args args = {id, node};
    if (strlen(node) > TCN_MAX_NAME_CHARS)
        return tcn_error_say(error, TOCSIN_STAGE_LOCAL, TCN_INVALID, "\"%s\" is not a node's name",
                             node);
    return tcn_items_open(client, TCN_QUERY_EXPLAIN,
                          tcn_query_args(memory, sizeof(memory), put_explain_args, &args),
                          ret_items, error);
}

int32_t tocsin_next_explain_item(tocsin_items *items, const tocsin_explain_item **ret_item,
                                 tocsin_error *error)
{
    NEXT(tocsin_explain_item, decode_explain);
}

/* ---- metrics ---- */

static const char *const metric_names[] = {
    NULL,           "bulk-cursor", "emergency-cursor", "bodies-to-fetch", "disk-free",
    "clock-offset", "version",     "rejected",         "parked",          "outbox",
    "uptime",       "trust",       "alerts",           "store-bytes",     "flags"};

const char *tocsin_metric_name(uint32_t key)
{
    return key < sizeof(metric_names) / sizeof(metric_names[0]) ? metric_names[key] : NULL;
}

static void get_metrics(tcn_cbor_reader *r, tcn_arena *arena, tocsin_metrics_item *item)
{
    uint64_t previous = UINT64_MAX;
    size_t count = tcn_cbor_get_map(r, METRICS_MAX);
    tocsin_metric *metrics = tcn_arena_take(arena, (count + 1) * sizeof(*metrics));
    uint32_t kept = 0;
    for (size_t i = 0; i < count; i++) {
        tocsin_metric metric = {.text = NULL};
        uint64_t key = tcn_cbor_get_key(r, &previous);
        if (tcn_cbor_peek(r) == TCN_CBOR_TEXT)
            metric.text = get_text(r, arena);
        else
            metric.number = tcn_cbor_get_int(r);
        metric.key = (uint32_t)key;
        if (metrics != NULL && key <= UINT32_MAX)
            metrics[kept++] = metric;
    }
    item->metrics = metrics;
    item->metric_count = kept;
}

static bool set_metrics(uint64_t key, tcn_cbor_reader *r, tcn_arena *arena, void *to)
{
    tocsin_metrics_item *item = to;
    switch (key) {
    case 1: item->node = get_text(r, arena); return true;
    case 2: item->at = get_ms(r); return true;
    case 3: get_metrics(r, arena, item); return true;
    default: return false;
    }
}

static void decode_metrics(tcn_cbor_reader *r, tcn_arena *arena, void *item)
{
    get_fields(r, arena, item, set_metrics, KEY(1) | KEY(2) | KEY(3));
}

static void put_text_arg(tcn_cbor_writer *w, const void *from)
{
    tcn_cbor_put_map(w, from != NULL ? 1 : 0);
    if (from == NULL)
        return;
    tcn_cbor_put_uint(w, 1);
    tcn_cbor_put_text(w, from);
}

int32_t tocsin_list_metrics(tocsin_client *client, const char *node, tocsin_items **ret_items,
                            tocsin_error *error)
{
    uint8_t memory[128];
    return tcn_items_open(client, TCN_QUERY_METRICS,
                          tcn_query_args(memory, sizeof(memory), put_text_arg, node), ret_items,
                          error);
}

int32_t tocsin_next_metrics_item(tocsin_items *items, const tocsin_metrics_item **ret_item,
                                 tocsin_error *error)
{
    NEXT(tocsin_metrics_item, decode_metrics);
}

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
    get_fields(r, arena, ret_bytes, set_envelope, KEY(1));
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
    return open_plain(client, TCN_QUERY_DIRECTORY, false, ret_items, error);
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
    case 1: item->broker = get_text(r, arena); return true;
    case 2: item->version = get_text(r, arena); return true;
    case 3: item->trust_version = tcn_cbor_get_uint(r); return true;
    case 4: item->trust_expires = get_ms(r); return true;
    case 5: get_id(r, &item->epoch); return true;
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
    case 13: item->alarms = get_texts(r, arena, &item->alarm_count); return true;
    case 14: item->clients = tcn_cbor_get_uint(r); return true;
    default: return false;
    }
}

static void decode_status(tcn_cbor_reader *r, tcn_arena *arena, void *item)
{
    get_fields(r, arena, item, set_status, KEY(14) - KEY(1));
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
    int32_t code = open_plain(client, TCN_QUERY_STATUS, false, &items, error);
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
    int32_t code =
        tcn_query_once(client, TCN_QUERY_RESOLVE,
                       tcn_query_args(memory, sizeof(memory), put_text_arg, name), &wire, error);
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
                       tcn_query_args(memory, sizeof(memory), put_id_arg, id), &wire, error);
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
