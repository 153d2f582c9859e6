/* SPDX-License-Identifier: Apache-2.0 */
/* client_query.h - one question, or one page after the other, as the lists of the public API use
 * them. */
#ifndef TCN_CLIENT_QUERY_H
#define TCN_CLIENT_QUERY_H

#include "client_arena.h"
#include "client_core.h"

const char *tcn_query_word(tcn_query what);

/* Writes arguments into the caller's memory. */
tcn_bytes tcn_query_args(uint8_t *memory, size_t size, void (*put)(tcn_cbor_writer *, const void *),
                         const void *from);
/* A question whose answer is one page; *ret_result is a view until the next call on the client. */
TCN_CHECKED int32_t tcn_query_once(tocsin_client *client, tcn_query what, tcn_bytes args,
                                   tcn_wire *ret_result, tocsin_error *error);

/* Opens a list and reads its first page. */
TCN_CHECKED int32_t tcn_items_open(tocsin_client *client, tcn_query what, tcn_bytes args,
                                   tocsin_items **ret_items, tocsin_error *error);
TCN_CHECKED int32_t tcn_items_fill(tocsin_items *items, tocsin_error *error);

/* Reads one item; fails the reader if it is none. */
typedef void tcn_item_decode(tcn_cbor_reader *r, tcn_arena *arena, void *ret_item);
/* The next item; its strings live in the items' arena until the next call. *ret_end: there was
 * none. */
TCN_CHECKED int32_t tcn_items_next(tocsin_items *items, tcn_item_decode *decode, void *ret_item,
                                   bool *ret_end, tocsin_error *error);
tcn_arena *tcn_items_arena(tocsin_items *items);
tocsin_client *tcn_items_client(tocsin_items *items);

/* The next card of an open directory, verified; the caller ends it with tcn_card_fini. */
TCN_CHECKED int32_t tcn_next_directory_card(tocsin_items *items, tcn_card *ret_card, bool *ret_end,
                                            tocsin_error *error);
/* {1: bytes} as a view. */
void tcn_item_decode_envelope(tcn_cbor_reader *r, tcn_arena *arena, void *ret_bytes);
/* An alert's envelope, not verified; a view until the next call on the client. */
TCN_CHECKED int32_t tcn_query_envelope(tocsin_client *client, const tocsin_id *id,
                                       tcn_bytes *ret_envelope, tocsin_error *error);

#endif
