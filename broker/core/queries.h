/* SPDX-License-Identifier: Apache-2.0 */
/* queries.h - QUERY: what the broker knows, in pages, to whom it may be told (docs/protocol.md §6).
 * Reads the open transaction and memory; changes nothing. Unknown and not yours are one answer. */
#ifndef TCN_BROKER_QUERIES_H
#define TCN_BROKER_QUERIES_H

#include "call.h"

#define TCN_PAGE_BYTES 60000 /* of items in one answer */

/* One page on its way. Each item is written into w, then kept or, if it did not fit, taken back. */
typedef struct {
    tcn_call *call;
    tcn_broker *b;
    tcn_cbor_writer w;
    size_t items, max, mark;
    unsigned scanned; /* store records looked at */
    tcn_bytes after;  /* where to begin; empty: at the start */
    tcn_key next;     /* where the next page begins; empty: this was the last */
    tcn_fault fault;
    /* Arguments that were given. */
    bool has_id, all;
    tcn_id id;
    tcn_bytes text; /* a name, an id prefix, metadata */
} tcn_page;

TCN_CHECKED tcn_err tcn_query_answer(tcn_call *call);

/* Begins an item of so many pairs. */
void tcn_page_item(tcn_page *page, uint64_t pairs);
/* Keeps it. False: the page is full; the item was taken back, and `at` is where the next begins. */
bool tcn_page_keep(tcn_page *page, tcn_bytes at);
/* Counts a record looked at; false: enough for one page, the next begins at `at`. */
bool tcn_page_scan(tcn_page *page, tcn_bytes at);
/* The name as text, NUL-terminated; false if it is none. */
bool tcn_page_name(const tcn_page *page, char ret_name[static TCN_MAX_NAME_CHARS + 1]);

/* Is the asker the alert's publisher or author? */
bool tcn_page_is_author(const tcn_page *page, const tcn_index *index);

/* The queries; an error that is not the transaction's is the answer, with its text in fault. */
typedef tcn_err tcn_query_fn(tcn_page *page);
tcn_query_fn tcn_query_status, tcn_query_pending, tcn_query_envelope, tcn_query_alerts,
    tcn_query_board, tcn_query_explain, tcn_query_metrics, tcn_query_directory, tcn_query_count,
    tcn_query_resolve;

#endif
