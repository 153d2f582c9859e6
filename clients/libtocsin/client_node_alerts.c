/* SPDX-License-Identifier: Apache-2.0 */
/* client_node_alerts.c - from ALERTS frames to verified alerts and cursors, one event at a time.
 * A cursor as the caller keeps it, 48 bytes:
 *   0 version 1 | 1 lane | 2..17 epoch | 18..25 generation | 26..33 seq | 34..41 tag | .. zero */
#include <stdlib.h>
#include <string.h>

#include "client_node.h"

enum { CURSOR_VERSION = 1, AT_EPOCH = 2, AT_GENERATION = 18, AT_SEQ = 26, AT_TAG = 34 };

/* ---- cursors ---- */

static void put_u64(uint8_t *at, uint64_t value)
{
    for (unsigned i = 0; i < 8; i++)
        at[i] = (uint8_t)(value >> (56 - 8 * i));
}

static uint64_t get_u64(const uint8_t *at)
{
    uint64_t value = 0;
    for (unsigned i = 0; i < 8; i++)
        value = value << 8 | at[i];
    return value;
}

void tcn_cursor_write(const tcn_node_frame *frame, tocsin_cursor *ret_cursor)
{
    uint8_t *bytes = ret_cursor->bytes;
    memset(ret_cursor, 0, sizeof(*ret_cursor));
    bytes[0] = CURSOR_VERSION;
    bytes[1] = (uint8_t)frame->lane;
    memcpy(bytes + AT_EPOCH, frame->epoch.b, sizeof(frame->epoch.b));
    put_u64(bytes + AT_GENERATION, frame->generation);
    put_u64(bytes + AT_SEQ, frame->complete_to.seq);
    put_u64(bytes + AT_TAG, frame->complete_to.tag);
}

tcn_err tcn_cursor_read(const tocsin_cursor *cursor, tcn_cursor_view *ret_view)
{
    const uint8_t *bytes = cursor->bytes;
    if (bytes[0] != CURSOR_VERSION || bytes[1] >= TCN_LANES)
        return TCN_INVALID;
    ret_view->lane = (tcn_lane)bytes[1];
    memcpy(ret_view->epoch.b, bytes + AT_EPOCH, sizeof(ret_view->epoch.b));
    ret_view->generation = get_u64(bytes + AT_GENERATION);
    ret_view->at = (tcn_mark){get_u64(bytes + AT_SEQ), get_u64(bytes + AT_TAG)};
    return TCN_OK;
}

int32_t tocsin_node_confirm(tocsin_node *node, const tocsin_cursor *cursor, tocsin_error *error)
{
    tcn_cursor_view view;
    if (tcn_cursor_read(cursor, &view) != TCN_OK)
        return tcn_error_say(error, TOCSIN_STAGE_LOCAL, TCN_INVALID,
                             "that is not a cursor that the library gave");
    /* Of a history or a generation that is over: what it stands for comes again. */
    if (!tcn_id_equal(&view.epoch, &node->epoch) || view.generation != node->generation)
        return TOCSIN_OK;
    if (view.at.seq > node->cursor[view.lane].seq)
        node->cursor[view.lane] = view.at;
    const tcn_wire receipt = {
        .op = TCN_OP_RECEIPT,
        .receipt = {.lane = view.lane, .epoch = node->epoch, .at = node->cursor[view.lane]}};
    tcn_node_say(node, tcn_node_line_for(node, view.lane), &receipt);
    tcn_node_wake(node);
    return TOCSIN_OK;
}

/* ---- the queue ---- */

tcn_err tcn_node_take_alerts(tocsin_node *node, tcn_node_line *line, const tcn_wire *wire)
{
    tcn_bytes raw = wire->alerts.alerts.raw;
    if (line->queued >= TCN_NODE_QUEUE) {
        tcn_fault fault;
        (void)tcn_fault_set(&fault, TCN_TOO_LARGE,
                            "the broker sends alerts that need newer trust, and not the trust");
        tcn_link_fail(&line->link, TOCSIN_STAGE_ANSWER, &fault);
        return TCN_OK;
    }
    tcn_node_frame *frame = malloc(sizeof(*frame) + raw.len);
    if (frame == NULL)
        return TCN_NO_MEMORY;
    *frame = (tcn_node_frame){.lane = wire->alerts.lane,
                              .need = wire->alerts.need,
                              .generation = node->generation,
                              .epoch = node->epoch,
                              .complete_to = wire->alerts.complete_to,
                              .left = wire->alerts.alerts.count,
                              .len = raw.len};
    if (raw.len > 0)
        memcpy(frame->bytes, raw.ptr, raw.len);
    if (line->last != NULL)
        line->last->next = frame;
    else
        line->first = frame;
    line->last = frame;
    line->queued++;
    return TCN_OK;
}

static void drop_first(tcn_node_line *line)
{
    tcn_node_frame *frame = line->first;
    line->first = frame->next;
    if (line->first == NULL)
        line->last = NULL;
    line->queued--;
    free(frame);
}

void tcn_node_drop_queue(tcn_node_line *line)
{
    while (line->first != NULL)
        drop_first(line);
    line->blocked_at = 0;
}

/* ---- giving out ---- */

/* Does this error say that the alert is false, rather than that we cannot tell? */
static bool is_false(const tocsin_node *node, const tcn_node_frame *frame, tcn_err err)
{
    if (err == TCN_CANNOT_YET)
        return node->home.bundle.version >= frame->need;
    return err != TCN_STALE && err != TCN_NO_MEMORY;
}

static tcn_id id_of(tcn_bytes envelope)
{
    tcn_cose cose;
    tcn_alert alert;
    tcn_fault fault;
    if (tcn_cose_decode(envelope, TCN_OBJECT_ALERT, &cose) == TCN_OK &&
        tcn_alert_decode(cose.payload, &alert, &fault) == TCN_OK)
        return alert.meta.id;
    return (tcn_id){{0}};
}

static void reject(tocsin_node *node, tcn_node_line *line, tcn_bytes envelope, tcn_err err,
                   const tcn_fault *fault)
{
    uint8_t memory[64];
    tcn_cbor_writer w;
    tcn_bytes raw;
    tcn_id id = id_of(envelope);
    tcn_err why = err == TCN_CANNOT_YET ? TCN_UNKNOWN_KEY : err;
    node->rejected++;
    node->event = (tocsin_event){.kind = TOCSIN_EVENT_REJECTED, .code = (int32_t)why};
    memcpy(node->event.id.bytes, id.b, sizeof(id.b));
    memcpy(node->text, fault->text, sizeof(node->text));
    node->event.text = node->text;
    if (tcn_id_is_zero(&id))
        return; /* nothing to name it by */
    tcn_cbor_writer_init(&w, memory, sizeof(memory));
    tcn_cbor_put_array(&w, 2);
    tcn_cbor_put_id(&w, &id);
    tcn_cbor_put_uint(&w, (uint64_t)why);
    if (tcn_cbor_writer_done(&w, &raw) == TCN_OK)
        tcn_node_say(node, line,
                     &(tcn_wire){.op = TCN_OP_REJECTED, .rejected = {.count = 1, .raw = raw}});
}

static tcn_err verify(tocsin_node *node, tcn_bytes envelope, tcn_fault *fault)
{
    tcn_verified verified;
    bool suspect;
    const tcn_trust_view view = {.bundle = &node->home.bundle,
                                 .now =
                                     tcn_trust_time(&node->home, node->clock_offset_ms, &suspect),
                                 .accepting = false};
    tcn_err err = tcn_trust_verify_alert(&view, envelope, &verified, fault);
    if (err == TCN_OK && verified.approvals < verified.approvals_needed)
        err = tcn_fault_set(fault, TCN_NOT_DELIVERABLE, "alert: %u of %u approvals",
                            verified.approvals, verified.approvals_needed);
    if (err != TCN_OK)
        return err;
    verified.marks |= suspect ? TCN_MARK_CLOCK_SUSPECT : 0;
    verified.marks |= verified.alert.external ? TCN_MARK_BODY_TO_COME : 0;
    return tcn_alert_view_new(&verified, &node->home.bundle, &node->alert);
}

/* The first frame waits: for the trust that it needs, or for any newer one. */
static void block(tocsin_node *node, tcn_node_line *line)
{
    line->blocked_at = node->home.bundle.version;
}

static tcn_err give_alert(tocsin_node *node, tcn_node_line *line, bool *ret_made)
{
    tcn_node_frame *frame = line->first;
    tcn_fault fault = {.err = TCN_OK};
    tcn_cbor_reader r;
    tcn_cbor_reader_init(&r, tcn_bytes_of(frame->bytes + frame->at, frame->len - frame->at));
    uint64_t seq;
    tcn_bytes envelope = tcn_wire_get_alert(&r, &seq);
    tcn_err err = verify(node, envelope, &fault);
    if (err == TCN_NO_MEMORY)
        return err;
    if (err != TCN_OK && !is_false(node, frame, err)) {
        block(node, line);
        return TCN_OK;
    }
    frame->at += r.pos;
    frame->left--;
    *ret_made = true;
    if (err != TCN_OK) {
        reject(node, line, envelope, err, &fault);
        return TCN_OK;
    }
    node->event = (tocsin_event){.kind = TOCSIN_EVENT_ALERT,
                                 .seq = seq,
                                 .lane = frame->lane,
                                 .alert = node->alert,
                                 .id = node->alert->id,
                                 .text = ""};
    return TCN_OK;
}

tcn_err tcn_node_give(tocsin_node *node, tcn_node_line *line, bool *ret_made)
{
    tcn_node_frame *frame = line->first;
    if (frame == NULL || line->blocked_at == node->home.bundle.version)
        return TCN_OK;
    line->blocked_at = 0;
    if (frame->need > node->home.bundle.version) {
        block(node, line);
        return TCN_OK;
    }
    if (frame->left > 0)
        return give_alert(node, line, ret_made);
    node->event = (tocsin_event){.kind = TOCSIN_EVENT_CURSOR, .lane = frame->lane, .text = ""};
    tcn_cursor_write(frame, &node->event.cursor);
    drop_first(line);
    *ret_made = true;
    return TCN_OK;
}
