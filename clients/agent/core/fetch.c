/* SPDX-License-Identifier: Apache-2.0 */
/* fetch.c - a body under way: docs/decisions/0003-agent-core.md has its state machine. A piece
 * that is not the next one is dropped and asked for again: only the disk's queue buffers. */
#include "fetch.h"

#include <string.h>

#include "cache.h"
#include "link.h"
#include "outbox.h"

#define BUSY_MS 100u      /* the disk's queue is full */
#define STALLED_MS 30000u /* no progress: another broker, and ask again */
#define DISK_MS 30000u    /* no room on the disk, or it failed */
#define IDLE_MS 10000u    /* nothing in the list can be fetched now */
#define BACKOFF_MS 10000u /* doubled with each try */
#define BACKOFF_MOST_MS 3600000u
#define TRIES_BEFORE_REPORT 4u
#define SEARCH 64u /* entries of the list looked at in one turn */

static tcn_agent_body *find(tcn_agent *a, const tcn_id *id)
{
    for (unsigned i = 0; i < TCN_AGENT_BODIES; i++)
        if (a->body[i].is_used && tcn_id_equal(&a->body[i].id, id))
            return &a->body[i];
    return NULL;
}

uint64_t tcn_agent_fetch_received(const tcn_agent *a)
{
    uint64_t bytes = 0;
    for (unsigned i = 0; i < TCN_AGENT_BODIES; i++)
        if (a->body[i].is_used)
            bytes += a->body[i].received;
    return bytes;
}

/* Everything asked for and not here is forgotten; what the disk has is where it goes on. */
static void restart(tcn_agent *a, tcn_agent_body *body)
{
    body->asked = body->received;
    body->progress = a->mono;
}

static void pause_all(tcn_agent *a, uint64_t ms)
{
    a->fetch_at.ms = a->mono.ms + ms;
}

/* ---- effects ---- */

static void take_piece(tcn_agent *a, tcn_agent_effect *effect)
{
    tcn_agent_body *body = find(a, &effect->id);
    tcn_bytes bytes = effect->view;
    if (!body || !body->has_link || body->link != effect->link ||
        effect->number != body->received || body->received >= body->size)
        return;
    if (effect->total != body->size || bytes.len == 0 || bytes.len > body->size - body->received) {
        tcn_agent_job job = {.kind = TCN_JOB_BODY_FAILED, .id = body->id, .err = TCN_HASH_MISMATCH};
        if (tcn_agent_job_add(a, &job))
            body->is_used = false;
        return;
    }
    tcn_err err = a->ports.blob.append(a->ports.blob.self, &body->id, body->received, bytes);
    if (err != TCN_OK) {
        restart(a, body);
        pause_all(a, err == TCN_BUSY || err == TCN_CONFLICT ? BUSY_MS : DISK_MS);
        if (err == TCN_CONFLICT) /* the disk has something else: begin again from what it has */
            body->is_used = false;
        return;
    }
    body->received += bytes.len;
    body->progress = a->mono;
    if (body->received < body->size && bytes.len != body->step) {
        body->step = bytes.len; /* a broker with smaller pieces: what was asked ahead misses */
        body->asked = body->received;
    }
}

static void drop(tcn_agent *a, tcn_agent_effect *effect)
{
    tcn_agent_body *body = find(a, &effect->id);
    if (body)
        body->is_used = false;
    if (effect->number > 0)
        pause_all(a, effect->number);
}

static void take_append(tcn_agent *a, tcn_agent_effect *effect)
{
    tcn_agent_body *body = find(a, &effect->id);
    if (!body || effect->blob.step != TCN_BLOB_APPENDED)
        return;
    if (effect->blob.err != TCN_OK) {
        body->is_used = false;
        a->disk_low = true;
        pause_all(a, DISK_MS);
        return;
    }
    body->appended = effect->blob.bytes;
    body->progress = a->mono;
    if (a->fetch_at.ms <= a->mono.ms + BUSY_MS) /* it waited for the disk only */
        a->fetch_at = a->mono;
}

static void lose_link(tcn_agent *a, tcn_agent_effect *effect)
{
    for (unsigned i = 0; i < TCN_AGENT_BODIES; i++)
        if (a->body[i].is_used && a->body[i].has_link && a->body[i].link == effect->link) {
            a->body[i].has_link = false;
            restart(a, &a->body[i]);
        }
}

/* ---- inputs ---- */

static tcn_err later(tcn_agent *a, tcn_agent_effect_fn *fn, const tcn_id *id,
                     tcn_agent_effect **ret_effect)
{
    tcn_agent_effect *effect = tcn_agent_later(a, fn, tcn_bytes_of(NULL, 0));
    if (!effect)
        return TCN_NO_MEMORY;
    if (id)
        effect->id = *id;
    if (ret_effect)
        *ret_effect = effect;
    return TCN_OK;
}

tcn_err tcn_agent_fetch_piece(tcn_agent *a, unsigned link, const tcn_wire *wire)
{
    tcn_agent_effect *effect;
    tcn_err err = later(a, take_piece, &wire->body.id, &effect);
    if (err != TCN_OK)
        return err;
    effect->link = link;
    effect->number = wire->body.offset;
    effect->total = wire->body.total;
    effect->view = wire->body.bytes;
    return TCN_OK;
}

tcn_err tcn_agent_fetch_link_lost(tcn_agent *a, unsigned link)
{
    tcn_agent_effect *effect;
    tcn_err err = later(a, lose_link, NULL, &effect);
    if (err == TCN_OK)
        effect->link = link;
    return err;
}

static tcn_err load(tcn_agent *a, const tcn_id *id, tcn_agent_fetch *ret_fetch)
{
    tcn_agent_key key = tcn_agent_key_id('F', id);
    tcn_bytes value;
    tcn_err err = tcn_agent_get(a, &key, &value);
    if (err == TCN_OK && tcn_agent_fetch_decode(value, ret_fetch) != TCN_OK)
        err = TCN_NOT_FOUND;
    return err;
}

/* Brokers that should have it learn that this node does not get it. */
static tcn_err report(tcn_agent *a, const tcn_id *id, tcn_err error)
{
    tcn_err err = TCN_OK;
    for (unsigned b = 0; b < TCN_MAX_BROKERS && err == TCN_OK; b++) {
        const char *broker = a->next.broker[b].name;
        tcn_agent_key key = tcn_agent_key_at_broker('S', broker, id);
        tcn_bytes value;
        if (broker[0] == '\0')
            continue;
        err = tcn_agent_get(a, &key, &value);
        if (err == TCN_OK)
            err = tcn_agent_outbox_reject(a, broker, id, error);
        else if (err == TCN_NOT_FOUND)
            err = TCN_OK;
    }
    return err;
}

tcn_err tcn_agent_fetch_failed(tcn_agent *a, const tcn_id *id, tcn_err error)
{
    tcn_agent_fetch fetch;
    tcn_err err = load(a, id, &fetch);
    if (err != TCN_OK)
        return err == TCN_NOT_FOUND ? TCN_OK : err;
    char text[TCN_ID_TEXT_SIZE];
    tcn_id_text(id, text);
    uint64_t wait = fetch.tries < 9 ? (uint64_t)BACKOFF_MS << fetch.tries : BACKOFF_MOST_MS;
    if (fetch.tries < UINT8_MAX)
        fetch.tries++;
    fetch.retry_at.unix_ms =
        a->wall.unix_ms + (int64_t)(wait < BACKOFF_MOST_MS ? wait : BACKOFF_MOST_MS);
    tcn_agent_log(a, TCN_AGENT_EVENT_BODY_MISSING, "%s: %s, try %u", text, tcn_err_word(error),
                  fetch.tries);
    if (fetch.tries == TRIES_BEFORE_REPORT && (err = report(a, id, error)) != TCN_OK)
        return err;
    uint8_t bytes[TCN_AGENT_FETCH_SIZE];
    tcn_agent_fetch_encode(&fetch, bytes);
    tcn_agent_key key = tcn_agent_key_id('F', id);
    return tcn_agent_put(a, &key, tcn_bytes_of(bytes, sizeof bytes));
}

/* Not under way any more; pause_ms for all of them. */
static tcn_err drop_later(tcn_agent *a, const tcn_id *id, uint64_t pause_ms)
{
    tcn_agent_effect *effect;
    tcn_err err = later(a, drop, id, &effect);
    if (err == TCN_OK)
        effect->number = pause_ms;
    return err;
}

tcn_err tcn_agent_fetch_gone(tcn_agent *a, unsigned link, const tcn_id *id, tcn_err error)
{
    const tcn_agent_body *body = find(a, id);
    if (!body || !body->has_link || body->link != link)
        return TCN_OK;
    tcn_err err = tcn_agent_fetch_failed(a, id, error);
    return err == TCN_OK ? drop_later(a, id, 0) : err;
}

tcn_err tcn_agent_fetch_blob(tcn_agent *a, const tcn_blob_done *done)
{
    tcn_agent_effect *effect;
    tcn_err err;
    if (done->step == TCN_BLOB_APPENDED) {
        err = later(a, take_append, &done->id, &effect);
        if (err == TCN_OK)
            effect->blob = *done;
        return err;
    }
    char text[TCN_ID_TEXT_SIZE];
    tcn_id_text(&done->id, text);
    switch (done->err) {
    case TCN_OK:
        tcn_agent_log(a, TCN_AGENT_EVENT_BODY_CACHED, "%s", text);
        err = tcn_agent_cache_body_here(a, &done->id);
        break;
    case TCN_HASH_MISMATCH: err = tcn_agent_fetch_failed(a, &done->id, done->err); break;
    default:
        tcn_agent_note(a->next.error, "a body cannot be written: %s", tcn_err_text(done->err));
        return drop_later(a, &done->id, DISK_MS);
    }
    return err == TCN_OK ? drop_later(a, &done->id, 0) : err;
}

void tcn_agent_fetch_disk(tcn_agent *a)
{
    if (a->disk_low)
        a->fetch_at = a->mono;
}

void tcn_agent_fetch_refuse(tcn_agent *a, const tcn_id *id)
{
    tcn_agent_body *body = find(a, id);
    if (body)
        body->is_used = false;
    pause_all(a, DISK_MS);
}

/* ---- beginning a body ---- */

static unsigned sources_of(tcn_agent *a, const tcn_id *id)
{
    unsigned sources = 0;
    for (unsigned b = 0; b < TCN_MAX_BROKERS; b++) {
        const char *broker = a->now.broker[b].name;
        tcn_agent_key key = tcn_agent_key_at_broker('S', broker, id);
        tcn_bytes value;
        if (broker[0] != '\0' && tcn_agent_get(a, &key, &value) == TCN_OK)
            sources |= 1u << b;
    }
    return sources;
}

/* A session that is served, of a broker that has it; another than the one before if possible. In a
 * read transaction. */
static void choose_link(tcn_agent *a, tcn_agent_body *body)
{
    unsigned first = body->has_link ? tcn_agent_link_broker(body->link) + 1 : 0;
    body->sources = sources_of(a, &body->id);
    body->has_link = false;
    for (unsigned i = 0; i < TCN_MAX_BROKERS && !body->has_link; i++) {
        unsigned b = (first + i) % TCN_MAX_BROKERS;
        if ((body->sources >> b & 1) && a->now.link[b * TCN_LANES].state == TCN_LINK_SERVED) {
            body->has_link = true;
            body->link = b * TCN_LANES;
        }
    }
    restart(a, body);
}

static bool has_room(tcn_agent *a, uint64_t bytes)
{
    uint64_t left;
    a->ports.blob.space(a->ports.blob.self, &left);
    bool is_low =
        left < a->config.fetch_reserve_bytes || left - a->config.fetch_reserve_bytes < bytes;
    a->disk_low = is_low;
    return !is_low;
}

/* Into body, if it can be fetched now. */
static void begin(tcn_agent *a, tcn_agent_body *body, const tcn_id *id,
                  const tcn_agent_fetch *fetch)
{
    tcn_agent_body fresh = {
        .id = *id, .hash = fetch->hash, .size = fetch->size, .step = TCN_MAX_CHUNK_BYTES};
    uint64_t have = 0;
    switch (a->ports.blob.state(a->ports.blob.self, id, &have)) {
    case TCN_BLOB_NONE: break;
    case TCN_BLOB_WHOLE: { /* it stopped between the file and the record of it */
        tcn_agent_job job = {.kind = TCN_JOB_BODY_WHOLE, .id = *id};
        (void)tcn_agent_job_add(a, &job);
        return;
    }
    case TCN_BLOB_PARTIAL:
        if (have <= fetch->size) {
            fresh.received = fresh.appended = fresh.asked = have;
            break;
        }
        a->ports.blob.remove(a->ports.blob.self, id);
        break;
    }
    if (!has_room(a, fetch->size - fresh.received)) {
        pause_all(a, DISK_MS);
        return;
    }
    choose_link(a, &fresh);
    fresh.is_used = fresh.has_link;
    if (fresh.has_link)
        *body = fresh;
}

static tcn_agent_body *free_body(tcn_agent *a)
{
    for (unsigned i = 0; i < TCN_AGENT_BODIES; i++)
        if (!a->body[i].is_used)
            return &a->body[i];
    return NULL;
}

static bool is_too_early(const tcn_agent *a, const tcn_agent_fetch *fetch)
{
    int64_t wait = fetch->retry_at.unix_ms - a->wall.unix_ms;
    return wait > 0 && wait <= (int64_t)BACKOFF_MOST_MS; /* longer: the clock has jumped */
}

/* Looks through the list, on from where it was, for bodies to begin. */
static void search(tcn_agent *a)
{
    tcn_agent_key table = tcn_agent_key_of('F'), key = tcn_agent_key_id('F', &a->fetch_after);
    tcn_bytes value;
    tcn_agent_body *body;
    bool wrapped = false;
    for (unsigned i = 0; i < SEARCH && (body = free_body(a)) != NULL; i++) {
        tcn_agent_fetch fetch;
        tcn_err err = tcn_agent_first(a, &table, &key, &key, &value);
        if (err == TCN_NOT_FOUND && !wrapped) {
            wrapped = true;
            key = table;
            continue;
        }
        if (err != TCN_OK) {
            memset(&a->fetch_after, 0, sizeof a->fetch_after);
            break;
        }
        tcn_id id;
        if (!tcn_agent_key_last_id(tcn_agent_key_bytes(&key), &id))
            continue;
        a->fetch_after = id;
        if (tcn_agent_fetch_decode(value, &fetch) != TCN_OK || find(a, &id) ||
            is_too_early(a, &fetch))
            continue;
        begin(a, body, &id, &fetch);
        if (a->fetch_at.ms > a->mono.ms)
            return;
    }
    if (free_body(a)) {
        a->fetch_search_at.ms = a->mono.ms + IDLE_MS;
        tcn_agent_wake_in(a, IDLE_MS);
    }
}

/* ---- asking ---- */

static unsigned under_way(const tcn_agent *a)
{
    uint64_t pieces = 0;
    for (unsigned i = 0; i < TCN_AGENT_BODIES; i++) {
        const tcn_agent_body *body = &a->body[i];
        if (body->is_used && body->asked > body->appended)
            pieces += (body->asked - body->appended + body->step - 1) / body->step;
    }
    return pieces < UINT32_MAX ? (unsigned)pieces : UINT32_MAX;
}

/* One piece; false: nothing to ask, or not now. */
static bool ask(tcn_agent *a, tcn_agent_body *body)
{
    if (!body->is_used || !body->has_link || body->asked >= body->size)
        return false;
    tcn_wire wire = {.op = TCN_OP_FETCH, .fetch = {.id = body->id, .offset = body->asked}};
    if (!tcn_agent_link_send(a, body->link, &wire))
        return false;
    uint64_t left = body->size - body->asked;
    body->asked += left < body->step ? left : body->step;
    return true;
}

/* In a read transaction. */
static void advance(tcn_agent *a, tcn_agent_body *body)
{
    if (!body->is_used)
        return;
    if (body->received == body->size && !body->is_finishing) {
        if (a->ports.blob.finish(a->ports.blob.self, &body->id, body->size, &body->hash) ==
            TCN_OK) {
            body->is_finishing = true;
            body->progress = a->mono;
        } else {
            tcn_agent_wake_in(a, BUSY_MS);
        }
    }
    if (body->is_finishing)
        return;
    if (!body->has_link || a->mono.ms >= body->progress.ms + STALLED_MS)
        choose_link(a, body);
    if (!body->has_link)
        body->is_used = false; /* another may be fetched meanwhile */
    else
        tcn_agent_wake_at(a, (tcn_mono){body->progress.ms + STALLED_MS});
}

void tcn_agent_fetch_pump(tcn_agent *a)
{
    if (a->now.counts.to_fetch == 0)
        return;
    if (a->mono.ms < a->fetch_at.ms) {
        tcn_agent_wake_at(a, a->fetch_at);
        return;
    }
    if (tcn_agent_begin_read(a) != TCN_OK)
        return;
    for (unsigned i = 0; i < TCN_AGENT_BODIES; i++)
        advance(a, &a->body[i]);
    if (free_body(a) && a->mono.ms >= a->fetch_search_at.ms)
        search(a);
    tcn_agent_end_read(a);
    bool any = true;
    while (any) {
        any = false;
        for (unsigned i = 0; i < TCN_AGENT_BODIES; i++)
            if (under_way(a) < TCN_MAX_FETCH_WINDOW && ask(a, &a->body[i]))
                any = true;
    }
}
