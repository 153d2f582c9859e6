/* SPDX-License-Identifier: Apache-2.0 */
/* digest.c - one number for everything that decides what happens next: the store, then the memory,
 * in a fixed order. The simulator compares two runs by it. */
#include <stdlib.h>
#include <string.h>

#include "inbox.h"
#include "state.h"

static void mix(tcn_hash *hash, tcn_bytes bytes)
{
    size_t head = sizeof hash->b + 8;
    uint8_t *memory = malloc(head + bytes.len);
    if (!memory) { /* the digest will differ, which is what a test should then see */
        memset(hash->b, 0xff, sizeof hash->b);
        return;
    }
    memcpy(memory, hash->b, sizeof hash->b);
    tcn_agent_put_u64(memory + sizeof hash->b, bytes.len);
    if (bytes.len > 0)
        memcpy(memory + head, bytes.ptr, bytes.len);
    *hash = tcn_hash_of(tcn_bytes_of(memory, head + bytes.len));
    free(memory);
}

static void mix_numbers(tcn_hash *hash, const uint64_t *numbers, size_t count)
{
    uint8_t bytes[64 * 8];
    for (size_t i = 0; i < count && i < 64; i++)
        tcn_agent_put_u64(bytes + i * 8, numbers[i]);
    mix(hash, tcn_bytes_of(bytes, count * 8));
}

#define MIX(hash, ...)                                                                             \
    do {                                                                                           \
        const uint64_t mix_list[] = {__VA_ARGS__};                                                 \
        mix_numbers(hash, mix_list, sizeof mix_list / sizeof mix_list[0]);                         \
    } while (0)

static void mix_store(tcn_agent *a, tcn_hash *hash)
{
    tcn_agent_key all = {.len = 0}, key;
    tcn_bytes value;
    if (tcn_agent_begin_read(a) != TCN_OK)
        return;
    tcn_agent_key from = tcn_agent_key_of('\0');
    tcn_err err = tcn_agent_first(a, &all, &from, &key, &value);
    for (; err == TCN_OK; err = tcn_agent_first(a, &all, &key, &key, &value)) {
        mix(hash, tcn_agent_key_bytes(&key));
        mix(hash, value);
    }
    tcn_agent_end_read(a);
}

static void mix_link(tcn_hash *hash, const tcn_agent_link *l)
{
    uint64_t flags = 0, bit = 0;
    const bool list[] = {l->hello_due,  l->waits,        l->receipt_due[0], l->receipt_due[1],
                         l->bodies_due, l->rejected_due, l->ping_due,       l->metrics_due,
                         l->gap[0],     l->gap[1],       l->wants_cut,      l->stuck[0],
                         l->stuck[1]};
    for (size_t i = 0; i < sizeof list / sizeof list[0]; i++)
        flags |= (uint64_t)list[i] << bit++;
    MIX(hash, l->state, l->lanes, l->hellos, flags, l->cut_at.ms, l->since.ms, l->heard.ms,
        l->said.ms, l->metrics_at.ms, l->acks_at.ms, l->foreign_since.ms, l->generation,
        l->heartbeat_ms, l->ack_sent, l->parked[0], l->parked[1]);
    mix(hash, tcn_bytes_of(l->epoch.b, sizeof l->epoch.b));
    uint8_t told[TCN_AGENT_PLACE_SIZE];
    tcn_agent_place_encode(&l->told, told);
    mix(hash, tcn_bytes_of(told, sizeof told));
}

static void mix_broker(tcn_hash *hash, const tcn_agent_broker *broker)
{
    uint8_t place[TCN_AGENT_PLACE_SIZE];
    tcn_agent_place_encode(&broker->place, place);
    mix(hash, tcn_bytes_str(broker->name));
    mix(hash, tcn_bytes_of(place, sizeof place));
    mix(hash, tcn_bytes_str(broker->error));
    MIX(hash, broker->has_time, (uint64_t)broker->time_ms, (uint64_t)broker->heard.unix_ms);
}

static void mix_body(tcn_hash *hash, const tcn_agent_body *body)
{
    MIX(hash, body->is_used);
    if (!body->is_used)
        return;
    mix(hash, tcn_bytes_of(body->id.b, sizeof body->id.b));
    MIX(hash, body->has_link, body->is_finishing, body->size, body->asked, body->received,
        body->appended, body->step, body->link, body->sources, body->progress.ms);
}

static void mix_client(tcn_hash *hash, const tcn_agent_client *client)
{
    MIX(hash, client->peer, client->scans, client->follows, client->all, client->unacked,
        client->is_live, client->is_answered, (uint64_t)client->since.unix_ms, client->req,
        client->seen);
    mix(hash, tcn_bytes_str(client->topic));
    mix(hash, tcn_bytes_of(client->waiting, client->waiting ? client->waiting_len : 0));
}

void tcn_agent_digest(tcn_agent *agent, tcn_hash *ret_digest)
{
    tcn_agent *a = agent;
    tcn_hash hash = {.b = {0}};
    mix_store(a, &hash);
#define X(name) a->now.counts.name,
    MIX(&hash, TCN_AGENT_COUNTS(X) a->now.card_version, a->now.retain_at.ms, a->now.pieces.version,
        a->now.pieces.total, a->now.pieces.len, a->now.pieces.link, a->now.pieces.ask,
        a->now.pieces.asked.ms, a->bundle->version, a->wake.ms);
#undef X
    mix(&hash, tcn_bytes_of(a->pieces, a->now.pieces.len));
    mix(&hash, tcn_bytes_str(a->now.error));
    for (unsigned i = 0; i < TCN_MAX_BROKERS; i++)
        mix_broker(&hash, &a->now.broker[i]);
    for (unsigned i = 0; i < TCN_AGENT_LINKS; i++)
        mix_link(&hash, &a->now.link[i]);
    for (const tcn_agent_effect *parked = a->parked; parked; parked = parked->next) {
        MIX(&hash, parked->link, parked->lane, parked->number);
        mix(&hash, tcn_bytes_of(parked->bytes, parked->len));
    }
    for (unsigned i = 0; i < TCN_AGENT_BODIES; i++)
        mix_body(&hash, &a->body[i]);
    mix(&hash, tcn_bytes_of(a->fetch_after.b, sizeof a->fetch_after.b));
    MIX(&hash, a->fetch_at.ms, a->fetch_search_at.ms, a->disk_low, a->clients);
    for (unsigned i = 0; i < a->clients; i++)
        mix_client(&hash, a->client[i]);
    *ret_digest = hash;
}
