/* SPDX-License-Identifier: Apache-2.0 */
/* inbox.c - see inbox.h. */
#include "inbox.h"

#include <stdlib.h>
#include <string.h>

#include "agent_time.h"
#include "libtocsin/topic.h"
#include "reader.h"

#define PAGE_BYTES 60000u
#define ITEM_BYTES 4096u /* the largest item without its envelope is well below */
#define RETRY_MS 100u

/* ---- items ---- */

tcn_inbox_state tcn_agent_item_state(const tcn_agent *a, const tcn_agent_item *item,
                                     unsigned *ret_marks)
{
    const tcn_agent_record *record = &item->record;
    const tcn_issuer *issuer = tcn_bundle_issuer(a->bundle, item->alert.meta.publisher);
    tcn_wall settled;
    unsigned marks = record->marks;
    bool is_over =
        tcn_agent_settled_time(a, &settled) && record->expires.unix_ms <= settled.unix_ms;
    bool is_void = issuer && issuer->state == TCN_MEMBER_COMPROMISED &&
                   record->created.unix_ms >= issuer->since.unix_ms;
    is_over = is_over || (record->flags & TCN_RECORD_EXPIRED);
    if (record->expires.unix_ms <= a->wall.unix_ms)
        marks |= TCN_MARK_EXPIRED_BY_OUR_CLOCK;
    if (issuer && issuer->state == TCN_MEMBER_COMPROMISED)
        marks |= TCN_MARK_PUBLISHER_COMPROMISED;
    *ret_marks = marks;
    if (is_void)
        return TCN_INBOX_VOIDED;
    if (record->flags & TCN_RECORD_CANCELLED)
        return TCN_INBOX_CANCELLED;
    if (record->flags & TCN_RECORD_SUPERSEDED)
        return TCN_INBOX_SUPERSEDED;
    return is_over ? TCN_INBOX_EXPIRED : TCN_INBOX_IN_FORCE;
}

static void put_number(tcn_cbor_writer *w, uint64_t key, uint64_t value)
{
    tcn_cbor_put_uint(w, key);
    tcn_cbor_put_uint(w, value);
}

static void put_text(tcn_cbor_writer *w, uint64_t key, tcn_bytes text)
{
    tcn_cbor_put_uint(w, key);
    tcn_cbor_put_text_bytes(w, text);
}

static uint64_t ms_of(tcn_wall at)
{
    return at.unix_ms < 0 ? 0 : (uint64_t)at.unix_ms;
}

void tcn_agent_item_put(const tcn_agent *a, const tcn_agent_item *item, bool with_envelope,
                        tcn_cbor_writer *w)
{
    const tcn_agent_record *record = &item->record;
    const tcn_alert_meta *meta = &item->alert.meta;
    bool has_ack_by = meta->ack_by.unix_ms != 0;
    unsigned marks;
    tcn_inbox_state state = tcn_agent_item_state(a, item, &marks);
    tcn_cbor_put_map(w, 21u + with_envelope + has_ack_by);
    tcn_cbor_put_uint(w, 1);
    tcn_cbor_put_id(w, &item->id);
    put_text(w, 2, meta->handle);
    put_number(w, 3, record->seq);
    put_number(w, 4, meta->lane);
    put_text(w, 5, meta->topic);
    put_number(w, 6, meta->tlp);
    put_number(w, 7, meta->status);
    put_text(w, 8, meta->text[0].title);
    put_text(w, 9, meta->publisher);
    put_number(w, 10, ms_of(meta->created));
    put_number(w, 11, ms_of(record->received));
    put_number(w, 12, state);
    put_number(w, 13, meta->kind);
    tcn_cbor_put_uint(w, 14);
    tcn_cbor_put_array(w, 2);
    if (record->answer == TCN_NO_ANSWER)
        tcn_cbor_put_null(w);
    else
        tcn_cbor_put_uint(w, record->answer);
    tcn_cbor_put_bool(w, (record->flags & TCN_RECORD_CONFIRMED) != 0);
    put_number(w, 15, marks);
    if (with_envelope) {
        tcn_cbor_put_uint(w, 16);
        tcn_cbor_put_bytes(w, item->envelope);
    }
    put_number(w, 17, ms_of(meta->expires));
    put_number(w, 18, meta->decoded_size);
    put_text(w, 19, meta->content_type);
    if (has_ack_by)
        put_number(w, 20, ms_of(meta->ack_by));
    put_number(w, 21, meta->urgency);
    put_text(w, 22, meta->ask);
    put_text(w, 23, tcn_bytes_str(record->broker));
}

/* ---- clients ---- */

static tcn_agent_client *client_of(tcn_agent *a, tcn_peer peer)
{
    for (unsigned i = 0; i < a->clients; i++)
        if (a->client[i]->peer == peer)
            return a->client[i];
    if (a->clients == TCN_MAX_LOCAL_CLIENTS)
        return NULL;
    tcn_agent_client *client = calloc(1, sizeof *client);
    if (!client)
        return NULL;
    client->peer = peer;
    a->client[a->clients++] = client;
    return client;
}

void tcn_agent_client_gone(tcn_agent *a, tcn_peer peer)
{
    for (unsigned i = 0; i < a->clients; i++) {
        if (a->client[i]->peer != peer)
            continue;
        free(a->client[i]->waiting);
        free(a->client[i]);
        a->clients--;
        memmove(&a->client[i], &a->client[i + 1], (a->clients - i) * sizeof a->client[0]);
        break;
    }
    tcn_agent_reader_gone(a, peer);
}

void tcn_agent_inbox_fini(tcn_agent *a)
{
    while (a->clients > 0)
        tcn_agent_client_gone(a, a->client[0]->peer);
}

static void hang_up(tcn_agent *a, tcn_peer peer)
{
    a->ports.net.close(a->ports.net.self, peer);
    tcn_agent_client_gone(a, peer);
}

void tcn_agent_send_message(tcn_agent *a, tcn_peer peer, tcn_bytes message)
{
    tcn_agent_client *client = client_of(a, peer);
    if (!client || client->waiting) { /* too many, or it asks without reading */
        hang_up(a, peer);
        return;
    }
    switch (a->ports.net.send(a->ports.net.self, peer, message)) {
    case TCN_SENT: return;
    case TCN_SEND_GONE: tcn_agent_client_gone(a, peer); return;
    case TCN_SEND_FULL: break;
    }
    if (tcn_bytes_copy(message, &client->waiting) != TCN_OK) {
        client->waiting = NULL;
        hang_up(a, peer);
        return;
    }
    client->waiting_len = message.len;
    tcn_agent_wake_in(a, RETRY_MS);
}

void tcn_agent_reply(tcn_agent *a, tcn_peer peer, const tcn_local_reply *reply)
{
    size_t len;
    if (tcn_local_reply_encode(reply, a->scratch, TCN_MAX_FRAME_BYTES, &len) != TCN_OK) {
        hang_up(a, peer);
        return;
    }
    tcn_agent_send_message(a, peer, tcn_bytes_of(a->scratch, len));
}

void tcn_agent_reply_error(tcn_agent *a, tcn_peer peer, uint64_t req, const tcn_fault *fault)
{
    tcn_local_reply reply = {.req = req, .error = fault->err, .text = tcn_bytes_str(fault->text)};
    tcn_agent_reply(a, peer, &reply);
}

void tcn_agent_inbox_list(tcn_agent *a, tcn_peer peer, uint64_t req, const tcn_agent_inbox_ask *ask)
{
    tcn_agent_client *client = client_of(a, peer);
    if (!client) {
        hang_up(a, peer);
        return;
    }
    client->scans = true;
    client->follows = ask->follows;
    client->all = ask->all;
    client->unacked = ask->unacked;
    client->is_live = client->is_answered = false;
    client->has_topic = ask->topic.len > 0;
    if (client->has_topic)
        memcpy(client->topic, ask->topic.ptr, ask->topic.len);
    client->topic[ask->topic.len] = '\0';
    client->since = ask->since;
    client->req = req;
    client->seen = 0;
}

/* ---- pages ---- */

static bool is_wanted(const tcn_agent *a, const tcn_agent_client *client,
                      const tcn_agent_item *item)
{
    const tcn_agent_record *record = &item->record;
    unsigned marks;
    if (record->received.unix_ms < client->since.unix_ms)
        return false;
    if (client->has_topic &&
        !tcn_pattern_matches(tcn_bytes_str(client->topic), item->alert.meta.topic))
        return false;
    if (client->unacked && (record->answer != TCN_NO_ANSWER || record->kind == TCN_KIND_CANCEL))
        return false;
    /* Who follows is told that something is over; a list says only what is not. */
    if (client->all || (client->is_live && record->kind == TCN_KIND_CANCEL))
        return true;
    return record->kind != TCN_KIND_CANCEL &&
           tcn_agent_item_state(a, item, &marks) == TCN_INBOX_IN_FORCE;
}

typedef struct {
    tcn_cbor_writer w;
    size_t items;
    uint64_t seen;
    bool is_end;
} page;

static void collect(tcn_agent *a, const tcn_agent_client *client, page *p)
{
    tcn_agent_key table = tcn_agent_key_of('I'), key = tcn_agent_key_number('I', client->seen);
    tcn_bytes value;
    tcn_agent_item item;
    tcn_err err = TCN_OK;
    for (unsigned i = 0; i < TCN_MAX_PAGE_ITEMS && p->w.len + ITEM_BYTES <= p->w.cap; i++) {
        tcn_id id;
        err = tcn_agent_first(a, &table, &key, &key, &value);
        if (err != TCN_OK || key.len != 9)
            break;
        p->seen = tcn_agent_get_u64(key.b + 1);
        if (value.len != sizeof id.b)
            continue;
        memcpy(id.b, value.ptr, sizeof id.b);
        if (tcn_agent_item_load(a, &id, &item) == TCN_OK && is_wanted(a, client, &item)) {
            tcn_agent_item_put(a, &item, false, &p->w);
            p->items++;
        }
    }
    p->is_end = err == TCN_NOT_FOUND;
}

/* One page of at most PAGE_ITEMS records; true: there is more to do at once. */
static bool give_page(tcn_agent *a, tcn_agent_client *client, uint8_t *memory)
{
    page p = {.seen = client->seen};
    tcn_bytes raw;
    tcn_cbor_writer_init(&p.w, memory, PAGE_BYTES);
    if (tcn_agent_begin_read(a) != TCN_OK)
        return true;
    collect(a, client, &p);
    tcn_agent_end_read(a);
    if (tcn_cbor_writer_done(&p.w, &raw) != TCN_OK)
        return false;
    bool is_last = p.is_end && !client->follows;
    client->seen = p.seen;
    client->scans = !is_last;
    bool says = p.items > 0 || is_last || (p.is_end && !client->is_answered);
    client->is_answered = true;
    client->is_live = client->is_live || p.is_end;
    tcn_local_reply reply = {.req = client->req, .items = p.items, .raw = raw, .more = !is_last};
    if (says)
        tcn_agent_reply(a, client->peer, &reply); /* the client may be gone after this */
    return !p.is_end;
}

static bool resend(tcn_agent *a, tcn_agent_client *client)
{
    tcn_bytes message = tcn_bytes_of(client->waiting, client->waiting_len);
    tcn_send_result sent = a->ports.net.send(a->ports.net.self, client->peer, message);
    if (sent == TCN_SEND_FULL) {
        tcn_agent_wake_in(a, RETRY_MS);
        return false;
    }
    free(client->waiting);
    client->waiting = NULL;
    if (sent == TCN_SEND_GONE)
        tcn_agent_client_gone(a, client->peer);
    return sent == TCN_SENT;
}

/* Is there anything behind what it has seen? */
static bool is_behind(const tcn_agent *a, const tcn_agent_client *client)
{
    return client->scans && (!client->is_live || client->seen < a->now.counts.serial);
}

void tcn_agent_inbox_pump(tcn_agent *a)
{
    uint8_t *memory = NULL;
    /* Backwards: a client that is gone moves only those behind it. */
    for (unsigned i = a->clients; i-- > 0;) {
        tcn_agent_client *client = a->client[i];
        if (client->waiting && !resend(a, client))
            continue;
        if (!is_behind(a, client))
            continue;
        if (!memory && !(memory = malloc(PAGE_BYTES))) {
            tcn_agent_wake_in(a, RETRY_MS);
            break;
        }
        if (give_page(a, client, memory))
            tcn_agent_wake_at(a, a->mono);
    }
    free(memory);
}
