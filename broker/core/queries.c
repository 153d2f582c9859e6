/* SPDX-License-Identifier: Apache-2.0 */
/* queries.c - pages and arguments, and the questions about the broker itself. */
#include "queries.h"

#include <string.h>

#include "nodes.h"
#include "who.h"

/* ---- pages ---- */

void tcn_page_item(tcn_page *page, uint64_t pairs)
{
    page->mark = page->w.len;
    tcn_cbor_put_map(&page->w, pairs);
}

static void stop_at(tcn_page *page, tcn_bytes at)
{
    page->next.len = at.len < sizeof(page->next.b) ? at.len : 0;
    if (page->next.len > 0)
        memcpy(page->next.b, at.ptr, page->next.len);
}

bool tcn_page_keep(tcn_page *page, tcn_bytes at)
{
    if (page->w.err != TCN_OK || page->items >= page->max) {
        page->w.len = page->mark;
        page->w.err = TCN_OK;
        stop_at(page, at);
        return false;
    }
    page->items++;
    return true;
}

bool tcn_page_scan(tcn_page *page, tcn_bytes at)
{
    if (page->scanned >= TCN_MAX_PAGE_ITEMS) {
        stop_at(page, at);
        return false;
    }
    page->scanned++;
    return true;
}

bool tcn_page_name(const tcn_page *page, char ret_name[static TCN_MAX_NAME_CHARS + 1])
{
    if (page->text.len == 0 || page->text.len > TCN_MAX_NAME_CHARS)
        return false;
    memcpy(ret_name, page->text.ptr, page->text.len);
    ret_name[page->text.len] = '\0';
    return true;
}

bool tcn_page_is_author(const tcn_page *page, const tcn_index *index)
{
    const char *member = page->call->session->member;
    return strcmp(index->publisher, member) == 0 || strcmp(index->author, member) == 0;
}

/* ---- arguments ---- */

/* Which argument is what: 'i' id, 't' text, 'b' bytes, 'f' flag, by their keys 1 and 2. */
static const struct {
    uint64_t what;
    tcn_query_fn *fn;
    char first, second;
} questions[] = {
    {TCN_QUERY_STATUS, tcn_query_status, 0, 0},
    {TCN_QUERY_PENDING, tcn_query_pending, 0, 0},
    {TCN_QUERY_ENVELOPE, tcn_query_envelope, 'i', 0},
    {TCN_QUERY_ALERTS, tcn_query_alerts, 'f', 0},
    {TCN_QUERY_BOARD, tcn_query_board, 'i', 0},
    {TCN_QUERY_EXPLAIN, tcn_query_explain, 'i', 't'},
    {TCN_QUERY_METRICS, tcn_query_metrics, 't', 0},
    {TCN_QUERY_DIRECTORY, tcn_query_directory, 0, 0},
    {TCN_QUERY_COUNT, tcn_query_count, 'b', 0},
    {TCN_QUERY_RESOLVE, tcn_query_resolve, 't', 0},
};

static void get_arg(tcn_page *page, tcn_cbor_reader *r, char kind)
{
    switch (kind) {
    case 'i':
        page->id = tcn_cbor_get_id(r);
        page->has_id = true;
        break;
    case 't': page->text = tcn_cbor_get_text(r, TCN_MAX_NAME_CHARS); break;
    case 'b': page->text = tcn_cbor_get_bytes(r, TCN_MAX_META_BYTES); break;
    case 'f':
        /* "1: 1", and a bool says the same. */
        page->all =
            tcn_cbor_peek(r) == TCN_CBOR_BOOL ? tcn_cbor_get_bool(r) : tcn_cbor_get_uint(r) != 0;
        break;
    default: (void)tcn_cbor_get_item(r); /* of a newer version */
    }
}

static bool get_args(tcn_page *page, char first, char second)
{
    tcn_cbor_reader r;
    uint64_t previous = UINT64_MAX;
    tcn_cbor_reader_init(&r, page->call->wire->query.args);
    size_t pairs = tcn_cbor_get_map(&r, 16);
    for (size_t i = 0; i < pairs; i++) {
        uint64_t key = tcn_cbor_get_key(&r, &previous);
        get_arg(page, &r, key == 1 ? first : key == 2 ? second : '\0');
    }
    return tcn_cbor_reader_done(&r) == TCN_OK;
}

static tcn_err run(tcn_page *page)
{
    uint64_t what = page->call->wire->query.what;
    for (size_t i = 0; i < sizeof(questions) / sizeof(questions[0]); i++) {
        if (questions[i].what != what)
            continue;
        if (!get_args(page, questions[i].first, questions[i].second))
            return tcn_fault_set(&page->fault, TCN_MALFORMED, "the arguments are malformed");
        if (questions[i].first == 'i' && !page->has_id)
            return tcn_fault_set(&page->fault, TCN_INVALID, "the question needs an id");
        return questions[i].fn(page);
    }
    return tcn_fault_set(&page->fault, TCN_INVALID, "this broker does not know question %llu",
                         (unsigned long long)what);
}

tcn_err tcn_query_answer(tcn_call *call)
{
    tcn_broker *b = call->b;
    uint64_t max = call->wire->query.max;
    tcn_page page = {.call = call,
                     .b = b,
                     .max = max == 0 || max > TCN_MAX_PAGE_ITEMS ? TCN_MAX_PAGE_ITEMS : (size_t)max,
                     .after = call->wire->query.after};
    tcn_wire wire = {.op = TCN_OP_RESULT};
    tcn_cbor_writer_init(&page.w, b->items, TCN_PAGE_BYTES);
    tcn_err err = page.after.len < sizeof(page.next.b)
                      ? run(&page)
                      : tcn_fault_set(&page.fault, TCN_MALFORMED, "no page begins there");
    if (page.fault.err == TCN_OK && tcn_spoils(err))
        return err;
    wire.result.req = call->wire->query.req;
    wire.result.error = err;
    if (err != TCN_OK) {
        wire.result.text =
            tcn_bytes_str(page.fault.err != TCN_OK ? page.fault.text : tcn_err_text(err));
    } else {
        wire.result.items =
            (tcn_list){.count = page.items, .raw = tcn_bytes_of(page.w.ptr, page.w.len)};
        wire.result.next = tcn_key_bytes(&page.next);
    }
    return tcn_say(b, TCN_RANK_SPEECH, call->in->peer, &wire);
}

/* ---- status ---- */

tcn_err tcn_query_status(tcn_page *page)
{
    tcn_broker *b = page->b;
    tcn_cbor_writer *w = &page->w;
    uint64_t free_bytes = 0, total = 0, nodes = 0;
    b->ports.store.ops->space(b->ports.store.self, &free_bytes, &total);
    for (size_t i = 0; i < b->nodes; i++)
        nodes += tcn_node_is_valid(b, b->node[i]);
    tcn_page_item(page, 14);
    tcn_cbor_put_uint(w, 1), tcn_cbor_put_text(w, b->config.name);
    tcn_cbor_put_uint(w, 2), tcn_cbor_put_text(w, b->config.version);
    tcn_cbor_put_uint(w, 3), tcn_cbor_put_uint(w, tcn_roster_version(b->roster));
    tcn_cbor_put_uint(w, 4), tcn_cbor_put_uint(w, (uint64_t)tcn_roster_expires(b->roster).unix_ms);
    tcn_cbor_put_uint(w, 5), tcn_cbor_put_id(w, &b->epoch);
    tcn_cbor_put_uint(w, 6), tcn_cbor_put_uint(w, tcn_nodes_connected(b));
    tcn_cbor_put_uint(w, 7), tcn_cbor_put_uint(w, nodes);
    tcn_cbor_put_uint(w, 8), tcn_cbor_put_array(w, TCN_LANES);
    for (int lane = 0; lane < TCN_LANES; lane++)
        tcn_cbor_put_uint(w, b->lane[lane].head);
    tcn_cbor_put_uint(w, 9), tcn_cbor_put_uint(w, b->held);
    tcn_cbor_put_uint(w, 10), tcn_cbor_put_uint(w, free_bytes);
    tcn_cbor_put_uint(w, 11), tcn_cbor_put_uint(w, total);
    tcn_cbor_put_uint(w, 12), tcn_cbor_put_uint(w, b->mono.ms - b->started.ms);
    tcn_cbor_put_uint(w, 13), tcn_cbor_put_array(w, b->alarms);
    for (unsigned i = 0; i < b->alarms; i++)
        tcn_cbor_put_text(w, b->alarm[i]);
    tcn_cbor_put_uint(w, 14), tcn_cbor_put_uint(w, b->session_count - b->node_sessions);
    (void)tcn_page_keep(page, TCN_NO_TAIL);
    return TCN_OK;
}

/* ---- metrics and directory: members by name ---- */

static size_t first_node(const tcn_page *page)
{
    size_t i = 0;
    while (i < page->b->nodes &&
           tcn_bytes_compare(tcn_bytes_str(page->b->node[i]->name), page->after) < 0)
        i++;
    return i;
}

tcn_err tcn_query_metrics(tcn_page *page)
{
    tcn_broker *b = page->b;
    if (!tcn_call_has_role(page->call, TCN_ROLE_OPERATOR))
        return tcn_fault_set(&page->fault, TCN_DENIED, "metrics are for operators");
    for (size_t i = first_node(page); i < b->nodes; i++) {
        const tcn_node *node = b->node[i];
        tcn_bytes name = tcn_bytes_str(node->name);
        if (node->metrics == NULL || (page->text.len > 0 && !tcn_bytes_equal(name, page->text)))
            continue;
        tcn_page_item(page, 3);
        tcn_cbor_put_uint(&page->w, 1), tcn_cbor_put_text(&page->w, node->name);
        tcn_cbor_put_uint(&page->w, 2);
        tcn_cbor_put_uint(&page->w, (uint64_t)node->metrics_at.unix_ms);
        tcn_cbor_put_uint(&page->w, 3);
        tcn_cbor_put_raw(&page->w, tcn_bytes_of(node->metrics, node->metrics_len));
        if (!tcn_page_keep(page, name))
            break;
    }
    return TCN_OK;
}

static bool shares_community(const tcn_card *a, const tcn_card *b)
{
    for (unsigned i = 0; i < a->communities; i++)
        if (tcn_card_has_community(b, tcn_bytes_str(a->community[i])))
            return true;
    return a->communities == 0;
}

tcn_err tcn_query_directory(tcn_page *page)
{
    tcn_broker *b = page->b;
    if (!tcn_call_has_role(page->call, TCN_ROLE_PUBLISHER))
        return tcn_fault_set(&page->fault, TCN_DENIED, "the directory is for publishers");
    for (size_t i = first_node(page); i < b->nodes; i++) {
        const tcn_node *node = b->node[i];
        if (!tcn_node_is_valid(b, node) || !shares_community(page->call->session->card, node->card))
            continue;
        tcn_page_item(page, 1);
        tcn_cbor_put_uint(&page->w, 1);
        tcn_cbor_put_bytes(&page->w, tcn_roster_card_envelope(b->roster, node->member));
        if (!tcn_page_keep(page, tcn_bytes_str(node->name)))
            break;
    }
    return TCN_OK;
}

tcn_err tcn_query_count(tcn_page *page)
{
    tcn_alert_meta meta;
    if (!tcn_call_has_role(page->call, TCN_ROLE_PUBLISHER))
        return tcn_fault_set(&page->fault, TCN_DENIED, "counting is for publishers");
    tcn_err err = tcn_alert_meta_decode(page->text, &meta, &page->fault);
    if (err != TCN_OK)
        return err;
    tcn_page_item(page, 1);
    tcn_cbor_put_uint(&page->w, 1), tcn_cbor_put_uint(&page->w, tcn_who_count(page->b, &meta));
    (void)tcn_page_keep(page, TCN_NO_TAIL);
    return TCN_OK;
}
