/* SPDX-License-Identifier: Apache-2.0 */
/* fanout.c - see fanout.h. Work on a lane: each link that may be owed something is served until it
 * has everything, its window is full, or its transport is. */
#include "fanout.h"

#include <stdlib.h>
#include <string.h>

#include "link.h"
#include "session.h"
#include "who.h"

enum {
    RECORDS = 256,       /* looked at for one frame at most */
    ITEM_BYTES = 15,     /* around an envelope in ALERTS: array, seq, head */
    RECORDS_A_RUN = 4096 /* read from the store in one run at most; the rest in the next turn */
};

typedef struct {
    tcn_broker *b;
    tcn_lane lane;
    bool reading;     /* a read transaction is open */
    bool broken;      /* the store could not be read, or memory is short: try again later */
    unsigned records; /* read from the store */
} run;

bool tcn_is_serving(const tcn_broker *b)
{
    return !tcn_claims_suffice(&b->stale, b->nodes);
}

/* ---- batches ---- */

void tcn_batch_unref(tcn_broker *b, tcn_batch *batch)
{
    if (batch == NULL || --batch->refs > 0)
        return;
    b->cached_bytes -= batch->len;
    free(batch->bytes);
    free(batch->track);
    free(batch);
}

static bool is_current(const tcn_broker *b, const tcn_batch *batch, uint64_t from)
{
    return batch != NULL && batch->from == from && batch->revision == b->revision &&
           b->now.unix_ms < batch->until.unix_ms;
}

static tcn_batch *cache_find(const tcn_broker *b, tcn_batch **slot, size_t slots, uint64_t from)
{
    for (size_t i = 0; i < slots; i++)
        if (is_current(b, slot[i], from))
            return slot[i];
    return NULL;
}

static void cache_add(tcn_broker *b, tcn_batch **slot, size_t slots, tcn_batch *batch)
{
    tcn_batch_unref(b, slot[slots - 1]);
    memmove(slot + 1, slot, (slots - 1) * sizeof(slot[0]));
    slot[0] = batch;
}

static void cache_clear(tcn_broker *b, tcn_batch **slot, size_t slots)
{
    for (size_t i = 0; i < slots; i++) {
        tcn_batch_unref(b, slot[i]);
        slot[i] = NULL;
    }
}

#define SLOTS(array) (array), sizeof(array) / sizeof((array)[0])

/* What is gathered for one frame. */
typedef struct {
    tcn_cbor_writer items;
    size_t count;
    uint64_t need;
    tcn_tracked track[RECORDS];
    unsigned tracked;
} gather;

static void gather_add(gather *g, const tcn_entry *e, tcn_batch *batch)
{
    tcn_wire_put_alert(&g->items, e->seq, e->envelope);
    g->count++;
    if (e->trust_version > g->need)
        g->need = e->trust_version;
    if (e->until.unix_ms < batch->until.unix_ms)
        batch->until = e->until;
    if ((e->flags & TCN_FLAG_TRACKED) != 0 && g->tracked < RECORDS)
        g->track[g->tracked++] =
            (tcn_tracked){.id = e->alert.meta.id, .external = (e->flags & TCN_FLAG_EXTERNAL) != 0};
}

/* Encodes the frame. False: no memory. */
static bool gather_finish(run *r, gather *g, tcn_batch *batch)
{
    tcn_broker *b = r->b;
    tcn_bytes items;
    size_t len = 0;
    if (g->count == 0)
        return true;
    tcn_wire wire = {.op = TCN_OP_ALERTS};
    wire.alerts.lane = r->lane;
    wire.alerts.need = g->need;
    wire.alerts.complete_to = (tcn_mark){.seq = batch->to, .tag = batch->tag};
    if (tcn_cbor_writer_done(&g->items, &items) != TCN_OK)
        return false;
    wire.alerts.alerts = (tcn_list){.count = g->count, .raw = items};
    if (tcn_wire_encode(&wire, b->frame, sizeof(b->frame), &len) != TCN_OK)
        return false;
    batch->bytes = malloc(len);
    if (batch->bytes == NULL)
        return false;
    memcpy(batch->bytes, b->frame, len);
    batch->len = len;
    b->cached_bytes += len;
    if (g->tracked > 0) {
        batch->track = malloc(g->tracked * sizeof(*batch->track));
        if (batch->track == NULL)
            return false;
        memcpy(batch->track, g->track, g->tracked * sizeof(*batch->track));
        batch->tracked = g->tracked;
    }
    return true;
}

static bool read_begin(run *r)
{
    if (!r->reading && !r->broken)
        r->reading = r->b->ports.store.ops->begin(r->b->ports.store.self, TCN_TXN_READ) == TCN_OK;
    r->broken |= !r->reading;
    return r->reading;
}

static tcn_batch *batch_new(run *r, uint64_t from)
{
    tcn_batch *batch = calloc(1, sizeof(*batch));
    if (batch == NULL)
        return NULL;
    batch->refs = 1; /* the cache's */
    batch->from = batch->to = from;
    batch->revision = r->b->revision;
    batch->until = (tcn_wall){INT64_MAX};
    return batch;
}

/* Everything behind from that the class is owed, until the frame is full, the bound is reached or
 * an entry must be decided node by node. */
static bool gather_class(run *r, const tcn_class *class, gather *g, tcn_batch *batch)
{
    tcn_broker *b = r->b;
    tcn_whom whom = {.class = class};
    tcn_entry scratch;
    const tcn_entry *e;
    for (unsigned i = 0; i < RECORDS; i++) {
        r->records += !tcn_journal_in_tail(b, r->lane, batch->to + 1);
        tcn_err err = tcn_journal_next(b, r->lane, batch->to + 1, &scratch, &e);
        if (err == TCN_NOT_FOUND && batch->to == batch->from)
            batch->to = b->lane[r->lane].head; /* all behind it was pruned */
        if (err == TCN_NOT_FOUND)
            return true;
        if (err != TCN_OK)
            return false;
        if (tcn_entry_is_individual(b, e))
            return true;
        b->stats.evaluations++;
        if (tcn_who_gets(b, &whom, e) && !tcn_entry_is_skipped(b, &whom, e)) {
            if (g->items.len + e->envelope.len + ITEM_BYTES > TCN_MAX_BATCH_BYTES)
                return true;
            gather_add(g, e, batch);
        }
        batch->to = e->seq;
        batch->tag = e->tag;
        if (e->seq == b->lane[r->lane].head)
            return true;
    }
    return true;
}

static void gather_init(run *r, gather *g)
{
    g->count = 0;
    g->need = 0;
    g->tracked = 0;
    tcn_cbor_writer_init(&g->items, r->b->items, sizeof(r->b->items));
}

/* The class's batch behind from; NULL: broken, or too much was read in this run. */
static tcn_batch *class_batch(run *r, tcn_class *class, uint64_t from)
{
    tcn_batch *batch = cache_find(r->b, SLOTS(class->batch[r->lane]), from);
    if (batch != NULL)
        return batch;
    if (r->records >= RECORDS_A_RUN || !read_begin(r))
        return NULL;
    gather g;
    gather_init(r, &g);
    batch = batch_new(r, from);
    if (batch == NULL || !gather_class(r, class, &g, batch) || !gather_finish(r, &g, batch)) {
        tcn_batch_unref(r->b, batch);
        r->broken = true;
        return NULL;
    }
    cache_add(r->b, SLOTS(class->batch[r->lane]), batch);
    return batch;
}

/* The batch of one entry; NULL: no memory. */
static tcn_batch *single_batch(run *r, const tcn_entry *e)
{
    tcn_lane_state *lane = &r->b->lane[r->lane];
    tcn_batch *batch = cache_find(r->b, SLOTS(lane->single), e->seq - 1);
    if (batch != NULL)
        return batch;
    gather g;
    gather_init(r, &g);
    batch = batch_new(r, e->seq - 1);
    if (batch != NULL) {
        batch->to = e->seq;
        batch->tag = e->tag;
        gather_add(&g, e, batch);
    }
    if (batch == NULL || !gather_finish(r, &g, batch)) {
        tcn_batch_unref(r->b, batch);
        return NULL;
    }
    cache_add(r->b, SLOTS(lane->single), batch);
    return batch;
}

/* ---- one link ---- */

static bool window_takes(const tcn_broker *b, const tcn_link *link, size_t len)
{
    if (link->frames == TCN_IN_FLIGHT)
        return false;
    return link->in_flight == 0 || link->in_flight + len <= b->config.window_bytes;
}

typedef enum { SENT, BLOCKED, FULL, ENDED } outcome;

static outcome send_batch(run *r, tcn_link *link, tcn_batch *batch)
{
    tcn_broker *b = r->b;
    tcn_net *net = &b->ports.net;
    if (!window_takes(b, link, batch->len))
        return BLOCKED;
    if (batch->frame == NULL) {
        batch->frame = net->frame_new(net->self, tcn_bytes_of(batch->bytes, batch->len));
        if (batch->frame == NULL)
            return FULL;
        batch->refs++;
        batch->next_framed = b->framed;
        b->framed = batch;
    }
    tcn_peer peer = link->session->peer;
    tcn_send_result result = net->send_frame(net->self, peer, batch->frame);
    if (result == TCN_SEND_GONE) {
        tcn_session_end(b, peer);
        return ENDED;
    }
    if (result != TCN_SENT)
        return FULL;
    unsigned slot = (link->first + link->frames) % TCN_IN_FLIGHT;
    link->flight[slot].to = batch->to;
    link->flight[slot].bytes = batch->len;
    link->flight[slot].batch = batch->tracked > 0 ? batch : NULL;
    if (batch->tracked > 0)
        batch->refs++;
    link->frames++;
    link->in_flight += batch->len;
    link->framed = batch->to;
    b->stats.deliveries++;
    return SENT;
}

/* The entry behind the link's place must be decided for this node alone. */
static outcome step_individual(run *r, tcn_link *link, const tcn_entry *e)
{
    tcn_broker *b = r->b;
    tcn_whom whom = tcn_whom_node(link->node);
    b->stats.evaluations++;
    if (!tcn_who_gets(b, &whom, e) || tcn_entry_is_skipped(b, &whom, e)) {
        link->sent = e->seq;
        return SENT;
    }
    tcn_batch *batch = single_batch(r, e);
    if (batch == NULL)
        return FULL;
    outcome result = send_batch(r, link, batch);
    if (result == SENT)
        link->sent = e->seq;
    return result;
}

static outcome step(run *r, tcn_link *link)
{
    tcn_batch *batch = class_batch(r, link->node->class, link->sent);
    if (batch == NULL)
        return FULL;
    if (batch->to > batch->from) {
        outcome result = batch->bytes != NULL ? send_batch(r, link, batch) : SENT;
        if (result == SENT)
            link->sent = batch->to;
        return result;
    }
    tcn_entry scratch;
    const tcn_entry *e;
    if (!read_begin(r) || tcn_journal_next(r->b, r->lane, link->sent + 1, &scratch, &e) != TCN_OK)
        return FULL;
    return step_individual(r, link, e);
}

/* A frame costs as much as a dozen alerts in it. While a node has bulk of earlier turns to receipt,
 * what is new waits for that or for a full frame; not for long, and never an emergency. */
static bool may_save(const run *r, const tcn_link *link)
{
    return r->lane == TCN_LANE_BULK && link->frames > 0 && !link->hurry;
}

static bool fills_a_frame(const run *r, const tcn_link *link)
{
    return tcn_journal_bytes_behind(r->b, r->lane, link->sent) >= TCN_MAX_BATCH_BYTES;
}

static void retry_later(tcn_broker *b)
{
    if (b->retry_at.ms == 0)
        b->retry_at.ms = b->mono.ms + TCN_RETRY_MS;
}

static void serve(run *r, tcn_link *link)
{
    tcn_broker *b = r->b;
    outcome result = SENT;
    bool saves = may_save(r, link);
    link->saves = link->hurry = false;
    if (link->session == NULL || link->full || link->node->regenerate ||
        !tcn_node_is_valid(b, link->node))
        return;
    while (result == SENT && link->sent < b->lane[r->lane].head) {
        if (saves && !fills_a_frame(r, link)) {
            link->saves = true;
            retry_later(b);
            return;
        }
        result = step(r, link);
    }
    if (result != FULL)
        return;
    if (r->records >= RECORDS_A_RUN && !r->broken) {
        b->again = true; /* only our own bound: go on in the next turn */
        tcn_link_wake(b, link);
        return;
    }
    link->full = true;
    retry_later(b);
}

/* ---- the lane ---- */

void tcn_fanout_run(tcn_broker *b, tcn_lane which)
{
    tcn_lane_state *lane = &b->lane[which];
    run r = {.b = b, .lane = which};
    if (!tcn_is_serving(b))
        return;
    if (lane->grew) {
        for (tcn_link *link = lane->links; link != NULL; link = link->next)
            tcn_link_wake(b, link);
        lane->grew = false;
    }
    tcn_link *link = lane->work;
    lane->work = lane->last_work = NULL; /* what wakes from here on is for the next turn */
    while (link != NULL) {
        tcn_link *next = link->next_work;
        link->waiting = false;
        link->next_work = NULL;
        serve(&r, link);
        link = next;
    }
    if (r.reading)
        b->ports.store.ops->abort(b->ports.store.self);
}

void tcn_fanout_retry(tcn_broker *b)
{
    b->retry_at.ms = 0;
    for (int i = 0; i < TCN_LANES; i++) {
        for (tcn_link *link = b->lane[i].links; link != NULL; link = link->next) {
            if (!link->full && !link->saves)
                continue;
            link->full = false;
            link->hurry = true;
            tcn_link_wake(b, link);
        }
    }
}

void tcn_fanout_release(tcn_broker *b)
{
    while (b->framed != NULL) {
        tcn_batch *batch = b->framed;
        b->framed = batch->next_framed;
        b->ports.net.frame_release(b->ports.net.self, batch->frame);
        batch->frame = NULL;
        tcn_batch_unref(b, batch);
    }
    if (b->cached_bytes <= TCN_CACHE_BYTES)
        return;
    for (size_t i = 0; i < TCN_CLASS_BUCKETS; i++)
        for (tcn_class *class = b->class_bucket[i]; class != NULL; class = class->next)
            tcn_fanout_forget_class(b, class);
}

void tcn_fanout_forget_class(tcn_broker *b, tcn_class *class)
{
    for (int i = 0; i < TCN_LANES; i++)
        cache_clear(b, SLOTS(class->batch[i]));
}

void tcn_fanout_free(tcn_broker *b)
{
    tcn_fanout_release(b);
    for (int i = 0; i < TCN_LANES; i++)
        cache_clear(b, SLOTS(b->lane[i].single));
}
