/* SPDX-License-Identifier: Apache-2.0 */
/* client_item.h - reading the maps of which lists are made (docs/protocol.md §6), and writing the
 * arguments of their questions. */
#ifndef TCN_CLIENT_ITEM_H
#define TCN_CLIENT_ITEM_H

#include "client_query.h"

enum { TCN_ITEM_FREE_KEY = 64 /* unknown keys from here on are skipped */ };
#define TCN_ITEM_KEY(n) (UINT64_C(1) << (n))

/* Sets the member for a key; false for a key that it does not know. */
typedef bool tcn_item_set(uint64_t key, tcn_cbor_reader *r, tcn_arena *arena, void *item);
/* Reads a map whose keys from 1 to 63 are known to set and those in required are there. */
void tcn_item_fields(tcn_cbor_reader *r, tcn_arena *arena, void *item, tcn_item_set *set,
                     uint64_t required);
const char *tcn_item_text(tcn_cbor_reader *r, tcn_arena *arena);
const char *const *tcn_item_texts(tcn_cbor_reader *r, tcn_arena *arena, uint32_t *ret_count);
uint32_t tcn_item_u32(tcn_cbor_reader *r);
int64_t tcn_item_ms(tcn_cbor_reader *r);
int64_t tcn_item_ms_or_null(tcn_cbor_reader *r); /* null is 0 */
void tcn_item_id(tcn_cbor_reader *r, tocsin_id *ret_id);

/* For tcn_query_args: { 1: id } from a tocsin_id; { 1: text } from a string, {} from NULL. */
void tcn_put_id_arg(tcn_cbor_writer *w, const void *from);
void tcn_put_text_arg(tcn_cbor_writer *w, const void *from);
/* Opens a list that has no argument but, perhaps, "also what is past". */
TCN_CHECKED int32_t tcn_items_open_plain(tocsin_client *client, tcn_query what, bool with_past,
                                         tocsin_items **ret_items, tocsin_error *error);

#endif
