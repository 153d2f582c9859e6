/* SPDX-License-Identifier: Apache-2.0 */
/* digest.c - one number for everything that decides what happens next: the store, then the memory,
 * in a fixed order. The simulator compares two runs by it. */
#include <sodium.h>

#include "state.h"

typedef crypto_hash_sha256_state hasher;

static void add_u64(hasher *h, uint64_t value)
{
    uint8_t bytes[8];
    for (size_t i = 0; i < sizeof(bytes); i++)
        bytes[i] = (uint8_t)(value >> (56 - 8 * i));
    crypto_hash_sha256_update(h, bytes, sizeof(bytes));
}

static void add_bytes(hasher *h, tcn_bytes bytes)
{
    add_u64(h, bytes.len);
    crypto_hash_sha256_update(h, bytes.ptr, bytes.len);
}

static void add_store(tcn_broker *b, hasher *h)
{
    const tcn_store *store = &b->ports.store;
    if (store->ops->begin(store->self, TCN_TXN_READ) == TCN_OK) {
        for (char prefix = 'A'; prefix <= 'z'; prefix++) {
            tcn_key all = tcn_key_plain(prefix), from = all;
            tcn_bytes key, value;
            while (tcn_db_seek(b, &all, &from, &key, &value) == TCN_OK) {
                add_bytes(h, key);
                add_bytes(h, value);
                from = tcn_key_after(key);
            }
        }
    }
    store->ops->abort(store->self);
}

static void add_node(hasher *h, const tcn_node *node)
{
    add_bytes(h, tcn_bytes_str(node->name));
    add_u64(h, node->generation);
    add_u64(h, node->has_past);
    add_bytes(h, tcn_bytes_of(node->class->encoded, node->class->encoded_len));
    add_bytes(h, tcn_bytes_of(node->metrics, node->metrics_len));
    for (int i = 0; i < TCN_LANES; i++) {
        const tcn_link *link = node->link[i];
        add_u64(h, link != NULL && link->session != NULL);
        if (link == NULL)
            continue;
        add_u64(h, link->sent);
        add_u64(h, link->framed);
        add_u64(h, link->acked.seq);
        add_u64(h, link->in_flight);
        add_u64(h, link->full);
        for (unsigned k = 0; k < link->checkpoints; k++)
            add_u64(h, link->checkpoint[k].seq);
    }
}

void tcn_broker_digest(tcn_broker *b, tcn_hash *ret_digest)
{
    hasher h;
    crypto_hash_sha256_init(&h);
    add_store(b, &h);
    add_u64(&h, tcn_roster_version(b->roster));
    add_u64(&h, b->held);
    for (int i = 0; i < TCN_LANES; i++)
        add_u64(&h, b->lane[i].head);
    for (const tcn_session *s = b->sessions; s != NULL; s = s->next) {
        add_u64(&h, s->peer);
        add_bytes(&h, tcn_bytes_str(s->member));
        add_u64(&h, (uint64_t)s->mode);
        add_u64(&h, s->lanes);
        add_u64(&h, s->heard.ms);
        add_u64(&h, s->trust_version);
    }
    for (size_t i = 0; i < b->nodes; i++)
        add_node(&h, b->node[i]);
    for (unsigned i = 0; i < b->alarms; i++)
        add_bytes(&h, tcn_bytes_str(b->alarm[i]));
    crypto_hash_sha256_final(&h, ret_digest->b);
}
