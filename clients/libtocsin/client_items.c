/* SPDX-License-Identifier: Apache-2.0 */
/* client_items.c - alerts, boards, explanations and metrics as items of the public API. */
#include <string.h>

#include "client_item.h"
#include "states.h"

/* The public numbers are those of the wire. */
#define SAME(public, ours) _Static_assert((int)(public) == (int)(ours), #public)
SAME(TOCSIN_ALERT_HELD, TCN_STATE_HELD);
SAME(TOCSIN_ALERT_IN_FORCE, TCN_STATE_IN_FORCE);
SAME(TOCSIN_ALERT_CANCELLED, TCN_STATE_CANCELLED);
SAME(TOCSIN_ALERT_SUPERSEDED, TCN_STATE_SUPERSEDED);
SAME(TOCSIN_ALERT_EXPIRED, TCN_STATE_EXPIRED);
SAME(TOCSIN_ALERT_VOIDED, TCN_STATE_VOIDED);
SAME(TOCSIN_ALERT_LAPSED, TCN_STATE_LAPSED);
SAME(TOCSIN_NODE_PENDING, TCN_NODE_STATE_PENDING);
SAME(TOCSIN_NODE_RECEIVED, TCN_NODE_STATE_RECEIVED);
SAME(TOCSIN_NODE_ACKED, TCN_NODE_STATE_ACKED);
SAME(TOCSIN_NODE_REJECTED, TCN_NODE_STATE_REJECTED);
SAME(TOCSIN_NODE_REVOKED, TCN_NODE_STATE_REVOKED);

enum { METRICS_MAX = 64 };

/* ---- alerts and pending ---- */

static bool set_alert(uint64_t key, tcn_cbor_reader *r, tcn_arena *arena, void *to)
{
    tocsin_alert_item *item = to;
    tcn_hash hash;
    switch (key) {
    case 1: tcn_item_id(r, &item->id); return true;
    case 2: item->handle = tcn_item_text(r, arena); return true;
    case 3:
        item->seq_known = !tcn_cbor_take_null(r);
        if (item->seq_known)
            item->seq = tcn_cbor_get_uint(r);
        return true;
    case 4: item->lane = tcn_item_u32(r); return true;
    case 5: item->topic = tcn_item_text(r, arena); return true;
    case 6: item->tlp = tcn_item_u32(r); return true;
    case 7: item->status = tcn_item_u32(r); return true;
    case 8: item->title = tcn_item_text(r, arena); return true;
    case 9: item->publisher = tcn_item_text(r, arena); return true;
    case 10: item->created = tcn_item_ms(r); return true;
    case 11: item->state = tcn_item_u32(r); return true;
    case 12: item->kind = tcn_item_u32(r); return true;
    case 13: item->accepted = tcn_item_ms(r); return true;
    case 14: item->expires = tcn_item_ms(r); return true;
    case 15: item->approvals_needed = tcn_item_u32(r); return true;
    case 16: item->approvers = tcn_item_texts(r, arena, &item->approver_count); return true;
    case 17: item->waiting = tcn_item_u32(r); return true;
    case 18: item->not_before = tcn_item_ms_or_null(r); return true;
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
    tcn_item_fields(r, arena, item, set_alert, TCN_ITEM_KEY(22) - TCN_ITEM_KEY(1));
}

int32_t tocsin_list_pending(tocsin_client *client, tocsin_items **ret_items, tocsin_error *error)
{
    return tcn_items_open_plain(client, TCN_QUERY_PENDING, false, ret_items, error);
}

int32_t tocsin_list_alerts(tocsin_client *client, uint32_t with_past, tocsin_items **ret_items,
                           tocsin_error *error)
{
    return tcn_items_open_plain(client, TCN_QUERY_ALERTS, with_past != 0, ret_items, error);
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
    case 1: item->node = tcn_item_text(r, arena); return true;
    case 2: item->state = tcn_item_u32(r); return true;
    case 3: item->received = tcn_item_ms(r); return true;
    case 4:
        item->latency_ms = tcn_cbor_get_uint(r);
        item->latency_known = 1;
        return true;
    case 5:
        item->answer = tcn_item_u32(r);
        item->ack_known = 1;
        return true;
    case 6: item->acked = tcn_item_ms(r); return true;
    case 7: item->ack_by = tcn_item_text(r, arena); return true;
    case 8: item->note = tcn_item_text(r, arena); return true;
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
    tcn_item_fields(r, arena, item, set_board, TCN_ITEM_KEY(1) | TCN_ITEM_KEY(2));
}

int32_t tocsin_list_board(tocsin_client *client, const tocsin_id *id, tocsin_items **ret_items,
                          tocsin_error *error)
{
    uint8_t memory[32];
    return tcn_items_open(client, TCN_QUERY_BOARD,
                          tcn_query_args(memory, sizeof(memory), tcn_put_id_arg, id), ret_items,
                          error);
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
    case 1: item->term = tcn_item_text(r, arena); return true;
    case 2: item->holds = tcn_cbor_get_bool(r); return true;
    case 3: item->why = tcn_item_text(r, arena); return true;
    default: return false;
    }
}

static void decode_explain(tcn_cbor_reader *r, tcn_arena *arena, void *item)
{
    tcn_item_fields(r, arena, item, set_explain,
                    TCN_ITEM_KEY(1) | TCN_ITEM_KEY(2) | TCN_ITEM_KEY(3));
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
            metric.text = tcn_item_text(r, arena);
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
    case 1: item->node = tcn_item_text(r, arena); return true;
    case 2: item->at = tcn_item_ms(r); return true;
    case 3: get_metrics(r, arena, item); return true;
    default: return false;
    }
}

static void decode_metrics(tcn_cbor_reader *r, tcn_arena *arena, void *item)
{
    tcn_item_fields(r, arena, item, set_metrics,
                    TCN_ITEM_KEY(1) | TCN_ITEM_KEY(2) | TCN_ITEM_KEY(3));
}

int32_t tocsin_list_metrics(tocsin_client *client, const char *node, tocsin_items **ret_items,
                            tocsin_error *error)
{
    uint8_t memory[128];
    return tcn_items_open(client, TCN_QUERY_METRICS,
                          tcn_query_args(memory, sizeof(memory), tcn_put_text_arg, node), ret_items,
                          error);
}

int32_t tocsin_next_metrics_item(tocsin_items *items, const tocsin_metrics_item **ret_item,
                                 tocsin_error *error)
{
    NEXT(tocsin_metrics_item, decode_metrics);
}
