/* SPDX-License-Identifier: Apache-2.0 */
/* bodies.c - see bodies.h. An upload in memory is the list of requests that wait for their answer;
 * what of the body is there, the blob port knows. */
#include "bodies.h"

#include <stdlib.h>
#include <string.h>

#include "answer.h"
#include "held.h"
#include "journal.h"
#include "who.h"

typedef struct {
    tcn_peer peer;
    uint64_t req;
} waiter;

struct tcn_upload {
    tcn_id id;
    bool finishing;
    unsigned count;
    waiter waiting[TCN_MAX_UPLOAD_WINDOW]; /* in the order of their pieces */
    tcn_upload *next;
};

static tcn_upload **find(tcn_broker *b, const tcn_id *id)
{
    tcn_upload **at = &b->uploads;
    while (*at != NULL && !tcn_id_equal(&(*at)->id, id))
        at = &(*at)->next;
    return at;
}

static void forget(tcn_upload **at)
{
    tcn_upload *gone = *at;
    if (gone == NULL)
        return;
    *at = gone->next;
    free(gone);
}

void tcn_bodies_free(tcn_broker *b)
{
    while (b->uploads != NULL)
        forget(&b->uploads);
}

static uint64_t size_so_far(tcn_broker *b, const tcn_id *id)
{
    uint64_t bytes = 0;
    return b->ports.blob.state(b->ports.blob.self, id, &bytes) == TCN_BLOB_NONE ? 0 : bytes;
}

/* ---- answers ---- */

static void answer_now(tcn_broker *b, const waiter *to, const tcn_id *id, tcn_err error)
{
    tcn_wire wire = {.op = TCN_OP_ANSWER};
    wire.answer = (tcn_wire_answer){.req = to->req,
                                    .error = error,
                                    .has_id = true,
                                    .id = *id,
                                    .has_offset = true,
                                    .offset = size_so_far(b, id),
                                    .broker = tcn_bytes_str(b->config.name)};
    if (error == TCN_OK) {
        wire.answer.has_state = true; /* pending: the body is not whole yet */
    } else {
        wire.answer.text = tcn_bytes_str(error == TCN_BUSY       ? "too much is under way: repeat"
                                         : error == TCN_CONFLICT ? "upload goes on at the offset"
                                                                 : tcn_err_text(error));
    }
    (void)tcn_say_now(b, to->peer, &wire);
}

static void answer_all(tcn_broker *b, const tcn_id *id, tcn_err error)
{
    tcn_upload **at = find(b, id);
    if (*at == NULL)
        return;
    tcn_upload gone = **at;
    forget(at);
    for (unsigned i = 0; i < gone.count; i++)
        answer_now(b, &gone.waiting[i], id, error);
}

/* ---- upload ---- */

typedef struct {
    tcn_id id;
    uint64_t offset, size;
    tcn_hash hash;
    waiter from;
} piece;

static tcn_upload *upload_of(tcn_broker *b, const tcn_id *id)
{
    tcn_upload **at = find(b, id);
    if (*at == NULL) {
        *at = calloc(1, sizeof(**at));
        if (*at != NULL)
            (*at)->id = *id;
    }
    return *at;
}

static void piece_effect(tcn_broker *b, const void *data, tcn_bytes tail)
{
    const piece *p = data;
    tcn_blob *blob = &b->ports.blob;
    tcn_upload *upload = upload_of(b, &p->id);
    tcn_err err = upload == NULL ? TCN_NO_MEMORY : TCN_OK;
    if (err == TCN_OK && (upload->count == TCN_MAX_UPLOAD_WINDOW || upload->finishing))
        err = TCN_BUSY;
    if (err == TCN_OK && tail.len > 0)
        err = blob->append(blob->self, &p->id, p->offset, tail);
    else if (err == TCN_OK && p->offset != size_so_far(b, &p->id))
        err = TCN_CONFLICT;
    /* The last piece is answered once the whole was checked. */
    if (err == TCN_OK && size_so_far(b, &p->id) == p->size) {
        err = blob->finish(blob->self, &p->id, p->size, &p->hash);
        upload->finishing = err == TCN_OK;
    }
    if (err == TCN_OK) {
        upload->waiting[upload->count++] = p->from;
        return;
    }
    answer_now(b, &p->from, &p->id, err);
    if (upload != NULL && upload->count == 0 && !upload->finishing)
        forget(find(b, &p->id));
}

/* Why a piece is not taken. */
static tcn_err judge(tcn_call *call, tcn_index *index, tcn_fault *fault)
{
    tcn_broker *b = call->b;
    uint64_t offset = call->wire->upload.offset, free_bytes = 0;
    size_t len = call->wire->upload.bytes.len;
    tcn_err err = tcn_db_index(b, &call->wire->upload.id, index);
    if (tcn_spoils(err))
        return err;
    if (err != TCN_OK || strcmp(index->author, call->session->member) != 0)
        return tcn_fault_set(fault, TCN_NOT_FOUND, "no alert of yours waits for this body");
    if (index->state != TCN_STATE_HELD || (index->flags & TCN_FLAG_BODY) != 0)
        return TCN_OK; /* there already: the answer says so */
    if ((index->flags & TCN_FLAG_EXTERNAL) == 0)
        return tcn_fault_set(fault, TCN_INVALID, "this alert has its body inside");
    if (offset > index->body_size || len > index->body_size - offset)
        return tcn_fault_set(fault, TCN_TOO_LARGE, "the body is %llu bytes: this is beyond its end",
                             (unsigned long long)index->body_size);
    b->ports.blob.space(b->ports.blob.self, &free_bytes);
    if (free_bytes < b->config.body_reserve_bytes + len)
        return tcn_fault_set(fault, TCN_FULL, "the broker's disk for bodies is full: free disk");
    return TCN_OK;
}

tcn_err tcn_body_upload(tcn_call *call)
{
    tcn_broker *b = call->b;
    tcn_fault fault = {.err = TCN_OK};
    tcn_index index;
    const tcn_id *id = &call->wire->upload.id;
    uint64_t req = call->wire->upload.req;
    tcn_err err = judge(call, &index, &fault);
    if (fault.err != TCN_OK)
        return tcn_refuse(call, req, &fault);
    if (err != TCN_OK)
        return err;
    if (index.state != TCN_STATE_HELD || (index.flags & TCN_FLAG_BODY) != 0)
        return tcn_answer_alert(call, req, id, &index);
    piece p = {.id = *id,
               .offset = call->wire->upload.offset,
               .size = index.body_size,
               .hash = index.body_hash,
               .from = {.peer = call->in->peer, .req = req}};
    return tcn_effect_add(b, TCN_RANK_SPEECH, piece_effect, TCN_EFFECT_DATA(p),
                          call->wire->upload.bytes);
}

/* ---- completions ---- */

static void appended_effect(tcn_broker *b, const void *data, tcn_bytes tail)
{
    const tcn_blob_done *done = data;
    tcn_upload **at = find(b, &done->id);
    (void)tail;
    if (done->err != TCN_OK) {
        answer_all(b, &done->id, done->err);
        return;
    }
    if (*at == NULL || (*at)->count == 0 || ((*at)->finishing && (*at)->count == 1))
        return; /* the last one is answered by the whole */
    waiter first = (*at)->waiting[0];
    memmove((*at)->waiting, (*at)->waiting + 1, ((*at)->count - 1) * sizeof(first));
    (*at)->count--;
    if ((*at)->count == 0)
        forget(at);
    answer_now(b, &first, &done->id, TCN_OK);
}

typedef struct {
    tcn_id id;
    tcn_err err;
} finished;

static void unfinished_effect(tcn_broker *b, const void *data, tcn_bytes tail)
{
    const finished *f = data;
    (void)tail;
    answer_all(b, &f->id, f->err);
}

void tcn_body_failed(tcn_broker *b, const tcn_id *id, tcn_err err)
{
    answer_all(b, id, err);
}

/* The whole is there: those that wait hear what became of the alert. */
static void whole_effect(tcn_broker *b, const void *data, tcn_bytes tail)
{
    const tcn_wire_answer *answer = data;
    tcn_upload **at = find(b, &answer->id);
    (void)tail;
    if (*at == NULL)
        return;
    tcn_upload gone = **at;
    forget(at);
    for (unsigned i = 0; i < gone.count; i++) {
        tcn_wire wire = {.op = TCN_OP_ANSWER, .answer = *answer};
        wire.answer.req = gone.waiting[i].req;
        wire.answer.broker = tcn_bytes_str(b->config.name);
        (void)tcn_say_now(b, gone.waiting[i].peer, &wire);
    }
}

static tcn_err body_whole(tcn_broker *b, const tcn_id *id, tcn_index *index)
{
    index->flags |= TCN_FLAG_BODY;
    tcn_err err = tcn_db_put_index(b, id, index);
    if (err == TCN_OK)
        err = tcn_held_review(b, id, index);
    if (err != TCN_OK)
        return err;
    tcn_wire_answer answer;
    err = tcn_answer_fill(b, id, index, &answer);
    answer.handle = answer.text = answer.broker = tcn_bytes_of(NULL, 0); /* views do not last */
    return err == TCN_OK ? tcn_effect_add(b, TCN_RANK_SPEECH, whole_effect, TCN_EFFECT_DATA(answer),
                                          TCN_NO_TAIL)
                         : err;
}

tcn_err tcn_body_done(tcn_broker *b, const tcn_blob_done *done)
{
    tcn_index index;
    finished f = {.id = done->id, .err = done->err};
    if (done->step == TCN_BLOB_APPENDED)
        return tcn_effect_add(b, TCN_RANK_SPEECH, appended_effect, TCN_EFFECT_DATA(*done),
                              TCN_NO_TAIL);
    tcn_err err = tcn_db_index(b, &done->id, &index);
    if (tcn_spoils(err))
        return err;
    bool waits = err == TCN_OK && index.state == TCN_STATE_HELD;
    if (waits && done->err == TCN_OK)
        return body_whole(b, &done->id, &index);
    if (waits && done->err == TCN_HASH_MISMATCH) {
        err = tcn_audit(b, "the body of %s of %s does not have its hash: dropped, publish it again",
                        index.handle, index.publisher);
        if (err == TCN_OK)
            err = tcn_held_forget(b, &done->id, &index);
        if (err != TCN_OK)
            return err;
    }
    if (!waits)
        f.err = TCN_NOT_FOUND;
    return tcn_effect_add(b, TCN_RANK_SPEECH, unfinished_effect, TCN_EFFECT_DATA(f), TCN_NO_TAIL);
}

static void finish_effect(tcn_broker *b, const void *data, tcn_bytes tail)
{
    const piece *p = data;
    tcn_blob *blob = &b->ports.blob;
    tcn_upload *upload = upload_of(b, &p->id);
    (void)tail;
    if (upload == NULL || upload->finishing || upload->count > 0)
        return;
    upload->finishing = blob->finish(blob->self, &p->id, p->size, &p->hash) == TCN_OK;
    if (!upload->finishing)
        forget(find(b, &p->id));
}

tcn_err tcn_body_resume(tcn_broker *b, const tcn_id *id, const tcn_index *index)
{
    uint64_t bytes = 0;
    tcn_index held = *index;
    tcn_blob_state state = b->ports.blob.state(b->ports.blob.self, id, &bytes);
    if (index->state != TCN_STATE_HELD || (index->flags & TCN_FLAG_EXTERNAL) == 0 ||
        (index->flags & TCN_FLAG_BODY) != 0)
        return TCN_OK;
    if (state == TCN_BLOB_WHOLE)
        return body_whole(b, id, &held);
    if (state != TCN_BLOB_PARTIAL || bytes != index->body_size)
        return TCN_OK;
    piece p = {.id = *id, .size = index->body_size, .hash = index->body_hash};
    return tcn_effect_add(b, TCN_RANK_SPEECH, finish_effect, TCN_EFFECT_DATA(p), TCN_NO_TAIL);
}

static void remove_effect(tcn_broker *b, const void *data, tcn_bytes tail)
{
    tcn_id id;
    (void)tail;
    memcpy(&id, data, sizeof(id));
    b->ports.blob.remove(b->ports.blob.self, &id);
}

tcn_err tcn_body_remove(tcn_broker *b, const tcn_id *id)
{
    return tcn_effect_add(b, TCN_RANK_MEMORY, remove_effect, TCN_EFFECT_DATA(*id), TCN_NO_TAIL);
}

/* ---- fetch ---- */

typedef struct {
    tcn_peer peer;
    tcn_id id;
    uint64_t offset, total;
} wanted;

static void body_effect(tcn_broker *b, const void *data, tcn_bytes tail)
{
    const wanted *w = data;
    size_t len = 0;
    tcn_wire wire = {.op = TCN_OP_BODY};
    (void)tail;
    tcn_err err = b->ports.blob.read(b->ports.blob.self, &w->id, w->offset, b->items,
                                     TCN_MAX_CHUNK_BYTES, &len);
    if (err != TCN_OK) {
        char id[TCN_ID_TEXT_SIZE];
        tcn_id_text(&w->id, id);
        tcn_alarm(b, TCN_EVENT_BODY_UNREADABLE, "%s: %s: restore it from a backup", id,
                  tcn_err_text(err));
        wire.op = TCN_OP_BODY_GONE;
        wire.body_gone.id = w->id;
        wire.body_gone.error = err;
    } else {
        wire.body.id = w->id;
        wire.body.offset = w->offset;
        wire.body.total = w->total;
        wire.body.bytes = tcn_bytes_of(b->items, len);
    }
    (void)tcn_say_now(b, w->peer, &wire);
}

/* Unknown and not entitled are the same answer. */
static tcn_err may_fetch(tcn_call *call, const tcn_id *id, tcn_index *index)
{
    tcn_broker *b = call->b;
    tcn_entry scratch;
    const tcn_entry *e;
    const tcn_node *node = tcn_node_of(call);
    tcn_err err = tcn_db_index(b, id, index);
    if (err != TCN_OK)
        return err;
    if ((index->flags & TCN_FLAG_EXTERNAL) == 0 || (index->flags & TCN_FLAG_BODY) == 0 ||
        index->seq == 0)
        return TCN_NOT_FOUND;
    if (strcmp(index->author, call->session->member) == 0)
        return TCN_OK;
    if (node == NULL)
        return TCN_NOT_FOUND;
    err = tcn_journal_at(b, index->lane, index->seq, &scratch, &e);
    if (err != TCN_OK)
        return err;
    tcn_whom whom = tcn_whom_node(node);
    bool voided = tcn_is_voided(b, index->author, index->created, index->accepted);
    return !voided && tcn_who_gets(b, &whom, e) ? TCN_OK : TCN_NOT_FOUND;
}

tcn_err tcn_body_fetch(tcn_call *call)
{
    tcn_broker *b = call->b;
    tcn_index index;
    const tcn_id *id = &call->wire->fetch.id;
    tcn_err err = may_fetch(call, id, &index);
    if (tcn_spoils(err))
        return err;
    if (err == TCN_OK && call->wire->fetch.offset < index.body_size) {
        wanted w = {.peer = call->in->peer,
                    .id = *id,
                    .offset = call->wire->fetch.offset,
                    .total = index.body_size};
        return tcn_effect_add(b, TCN_RANK_SPEECH, body_effect, TCN_EFFECT_DATA(w), TCN_NO_TAIL);
    }
    tcn_wire gone = {.op = TCN_OP_BODY_GONE};
    gone.body_gone.id = *id;
    gone.body_gone.error = TCN_NOT_FOUND;
    return tcn_say(b, TCN_RANK_SPEECH, call->in->peer, &gone);
}
