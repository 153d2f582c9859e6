/* SPDX-License-Identifier: Apache-2.0 */
/* ledger.c - see ledger.h. */
#include "ledger.h"

#include <string.h>

#include "fanout.h"
#include "link.h"
#include "who.h"

enum {
    FLUSH_LINKS = 512,    /* written in one transaction */
    THIN_OUT_ROWS = 1024, /* of each lane, deleted in the same */
    CATCH_UP_ROWS = 1024  /* receipts made up for at one HELLO */
};

/* ---- receipts ---- */

typedef struct {
    tcn_link *link;
    tcn_peer peer;
    tcn_mark at;
    bool rows_due; /* could not be written */
} landed;

static void checkpoint_add(tcn_link *link, uint64_t seq, tcn_wall at)
{
    /* Full before the next flush: the last one speaks for what it replaces, a little late. */
    if (link->checkpoints == TCN_CHECKPOINTS)
        link->checkpoints--;
    link->checkpoint[link->checkpoints++] = (tcn_checkpoint){.seq = seq, .at = at};
}

static void list_dirty(tcn_broker *b, tcn_link *link)
{
    if (link->dirty)
        return;
    link->dirty = true;
    link->next_dirty = NULL;
    if (b->last_dirty != NULL)
        b->last_dirty->next_dirty = link;
    else
        b->dirty = link;
    b->last_dirty = link;
    b->dirty_count++;
    if (b->flush_at.ms == 0)
        b->flush_at.ms = b->mono.ms + TCN_FLUSH_MS;
}

static void landed_effect(tcn_broker *b, const void *data, tcn_bytes tail)
{
    const landed *l = data;
    (void)tail;
    b->stats.receipts++;
    /* An effect before this one may have ended the session, or begun the link anew. */
    if (l->link->session == NULL || l->link->session->peer != l->peer ||
        l->at.seq > l->link->framed || l->at.seq <= l->link->acked.seq)
        return;
    l->link->rows_due |= l->rows_due;
    checkpoint_add(l->link, l->at.seq, b->now);
    list_dirty(b, l->link);
    tcn_link_landed(b, l->link, l->at);
}

/* The first receipt counts. */
static tcn_err row_put(tcn_broker *b, const tcn_id *id, const char *node)
{
    tcn_key key = tcn_key_id_name('R', id, node);
    tcn_bytes value;
    tcn_err err = tcn_db_get(b, &key, &value);
    if (err != TCN_NOT_FOUND)
        return err;
    uint64_t now = (uint64_t)b->now.unix_ms;
    return tcn_db_put_u64s(b, &key, &now, 1);
}

static tcn_err batch_rows(tcn_broker *b, const tcn_node *node, const tcn_batch *batch)
{
    for (unsigned i = 0; batch != NULL && i < batch->tracked; i++) {
        if (batch->track[i].external)
            continue;
        tcn_err err = row_put(b, &batch->track[i].id, node->name);
        if (err != TCN_OK)
            return err;
    }
    return TCN_OK;
}

/* The link that a receipt speaks of; NULL: nothing of ours, or nothing new. */
static tcn_link *receipted(const tcn_call *call)
{
    tcn_broker *b = call->b;
    tcn_mark at = call->wire->receipt.at;
    tcn_node *node = call->session->node;
    tcn_link *link = node != NULL ? node->link[call->wire->receipt.lane] : NULL;
    if (link == NULL || link->session != call->session ||
        !tcn_id_equal(&call->wire->receipt.epoch, &b->epoch) || at.seq <= link->acked.seq)
        return NULL;
    if (at.seq > link->framed) {
        tcn_log_line(b, TCN_EVENT_RECEIPT_AHEAD, "%s receipts %llu of %s, sent is %llu", node->name,
                     (unsigned long long)at.seq, tcn_lane_text(link->lane),
                     (unsigned long long)link->framed);
        return NULL;
    }
    return link;
}

static tcn_err land(const tcn_call *call, tcn_link *link, bool rows_due)
{
    landed l = {
        .link = link, .peer = call->in->peer, .at = call->wire->receipt.at, .rows_due = rows_due};
    return tcn_effect_add(call->b, TCN_RANK_MEMORY, landed_effect, TCN_EFFECT_DATA(l), TCN_NO_TAIL);
}

tcn_err tcn_ledger_receipt(tcn_call *call)
{
    tcn_link *link = receipted(call);
    if (link == NULL)
        return TCN_OK;
    for (unsigned i = 0; i < link->frames; i++) {
        unsigned slot = (link->first + i) % TCN_IN_FLIGHT;
        if (link->flight[slot].to > call->wire->receipt.at.seq)
            break;
        tcn_err err = batch_rows(call->b, link->node, link->flight[slot].batch);
        if (err != TCN_OK)
            return err;
    }
    return land(call, link, false);
}

void tcn_ledger_receipt_refused(tcn_call *call)
{
    tcn_link *link = call->session != NULL ? receipted(call) : NULL;
    if (link != NULL)
        (void)!land(call, link, true);
}

tcn_err tcn_ledger_catch_up(tcn_broker *b, const tcn_node *node, tcn_lane lane, uint64_t to,
                            uint64_t generation)
{
    uint64_t stored[3];
    tcn_key place = tcn_key_name_lane('C', node->name, lane);
    tcn_err err = tcn_db_u64s(b, &place, stored, 3);
    if (err != TCN_OK && err != TCN_NOT_FOUND && err != TCN_MALFORMED)
        return err;
    if (stored[2] != generation)
        stored[0] = 0; /* what it held of an earlier one says nothing of this */
    tcn_whom whom = tcn_whom_node(node);
    tcn_key prefix = tcn_key_lane('Q', lane), from = tcn_key_seq('Q', lane, stored[0] + 1);
    for (unsigned i = 0; i < CATCH_UP_ROWS; i++) {
        tcn_bytes key, value;
        tcn_entry scratch;
        const tcn_entry *e;
        err = tcn_db_seek(b, &prefix, &from, &key, &value);
        uint64_t seq = err == TCN_OK ? tcn_key_u64_at(key, 2) : 0;
        if (err != TCN_OK || seq > to)
            break;
        from = tcn_key_seq('Q', lane, seq + 1);
        err = tcn_journal_at(b, lane, seq, &scratch, &e);
        if (err != TCN_OK || (e->flags & TCN_FLAG_EXTERNAL) != 0 ||
            tcn_entry_is_skipped(b, &whom, e) || !tcn_who_gets(b, &whom, e))
            continue;
        tcn_id id = e->alert.meta.id;
        err = row_put(b, &id, node->name);
        if (err != TCN_OK)
            return err;
    }
    return tcn_spoils(err) ? err : TCN_OK;
}

/* ---- flush ---- */

/* The first `links` of the list were written. */
static void flushed_effect(tcn_broker *b, const void *data, tcn_bytes tail)
{
    size_t links;
    (void)tail;
    memcpy(&links, data, sizeof(links));
    for (; links > 0 && b->dirty != NULL; links--) {
        tcn_link *link = b->dirty;
        b->dirty = link->next_dirty;
        if (b->dirty == NULL)
            b->last_dirty = NULL;
        link->dirty = link->rows_due = false;
        link->checkpoints = 0;
        b->dirty_count--;
    }
    b->flush_at.ms = b->dirty != NULL ? b->mono.ms : 0;
}

static tcn_err flush_link(tcn_broker *b, const tcn_link *link)
{
    uint64_t place[3] = {link->acked.seq, link->acked.tag, link->node->generation};
    tcn_key key = tcn_key_name_lane('C', link->node->name, link->lane);
    tcn_err err = TCN_OK;
    if (link->rows_due) /* before the place, from which it starts */
        err =
            tcn_ledger_catch_up(b, link->node, link->lane, link->acked.seq, link->node->generation);
    if (err == TCN_OK)
        err = tcn_db_put_u64s(b, &key, place, 3);
    for (unsigned i = 0; err == TCN_OK && i < link->checkpoints; i++) {
        uint64_t at = (uint64_t)link->checkpoint[i].at.unix_ms;
        key = tcn_key_checkpoint(link->lane, link->checkpoint[i].seq, link->node->name,
                                 link->node->generation);
        err = tcn_db_put_u64s(b, &key, &at, 1);
    }
    return err;
}

/* Checkpoints below everything that is still in the lane go, faster than they come. */
static tcn_err thin_out(tcn_broker *b, tcn_lane lane)
{
    tcn_key prefix = tcn_key_lane('J', lane);
    tcn_bytes found, value;
    tcn_err err = tcn_db_seek(b, &prefix, &prefix, &found, &value);
    uint64_t floor = err == TCN_OK ? tcn_key_u64_at(found, prefix.len) : b->lane[lane].head;
    prefix = tcn_key_lane('B', lane);
    for (unsigned i = 0; !tcn_spoils(err) && i < THIN_OUT_ROWS; i++) {
        err = tcn_db_seek(b, &prefix, &prefix, &found, &value);
        if (err != TCN_OK || tcn_key_u64_at(found, prefix.len) >= floor)
            break;
        tcn_key key = tcn_key_of(found);
        err = tcn_db_del(b, &key);
    }
    return err == TCN_NOT_FOUND ? TCN_OK : err;
}

tcn_err tcn_ledger_flush(tcn_broker *b)
{
    size_t links = 0;
    for (const tcn_link *link = b->dirty; link != NULL && links < FLUSH_LINKS;
         link = link->next_dirty, links++) {
        tcn_err err = flush_link(b, link);
        if (err != TCN_OK)
            return err;
    }
    for (int i = 0; links > 0 && i < TCN_LANES; i++) {
        tcn_err err = thin_out(b, (tcn_lane)i);
        if (err != TCN_OK)
            return err;
    }
    if (links == 0)
        return TCN_OK;
    return tcn_effect_add(b, TCN_RANK_FLUSH, flushed_effect, TCN_EFFECT_DATA(links), TCN_NO_TAIL);
}

void tcn_ledger_unlist(tcn_broker *b, tcn_link *link)
{
    tcn_link *before = NULL;
    if (!link->dirty)
        return;
    for (tcn_link *at = b->dirty; at != NULL; before = at, at = at->next_dirty) {
        if (at != link)
            continue;
        if (before != NULL)
            before->next_dirty = at->next_dirty;
        else
            b->dirty = at->next_dirty;
        if (b->last_dirty == at)
            b->last_dirty = before;
        b->dirty_count--;
        return;
    }
}

/* ---- bodies and rejections ---- */

/* The entry of an alert that this node got; TCN_NOT_FOUND else. */
static tcn_err entry_got(tcn_call *call, const tcn_id *id, tcn_index *ret_index)
{
    tcn_entry scratch;
    const tcn_entry *e;
    tcn_node *node = tcn_node_of(call);
    if (node == NULL)
        return TCN_NOT_FOUND;
    tcn_err err = tcn_db_index(call->b, id, ret_index);
    if (err == TCN_OK)
        err = tcn_journal_at(call->b, ret_index->lane, ret_index->seq, &scratch, &e);
    if (err == TCN_OK && !tcn_who_got(call->b, node, e))
        err = TCN_NOT_FOUND;
    return err;
}

tcn_err tcn_ledger_bodies(tcn_call *call)
{
    tcn_cbor_reader r;
    tcn_list ids = call->wire->ids;
    tcn_cbor_reader_init(&r, ids.raw);
    for (size_t i = 0; i < ids.count; i++) {
        tcn_id id = tcn_cbor_get_id(&r);
        tcn_index index;
        tcn_err err = entry_got(call, &id, &index);
        if (err == TCN_OK && (index.flags & TCN_FLAG_EXTERNAL) != 0)
            err = row_put(call->b, &id, call->session->member);
        if (tcn_spoils(err))
            return err;
    }
    /* Also what nobody knows any more: the agent may forget it. */
    tcn_wire ok = {.op = TCN_OP_BODIES_OK, .ids = ids};
    return tcn_say(call->b, call->rank, call->in->peer, &ok);
}

static tcn_err reject_row(tcn_call *call, const tcn_id *id, tcn_err error)
{
    tcn_index index;
    tcn_err err = entry_got(call, id, &index);
    if (err != TCN_OK)
        return tcn_spoils(err) ? err : TCN_OK;
    tcn_key key = tcn_key_id_name('E', id, call->session->member);
    uint64_t row[2] = {error, (uint64_t)call->b->now.unix_ms};
    tcn_alarm(call->b, TCN_EVENT_REJECTED, "%s refuses %s of %s: %s", call->session->member,
              index.handle, index.publisher, tcn_err_word(error));
    return tcn_db_put_u64s(call->b, &key, row, 2);
}

tcn_err tcn_ledger_rejected(tcn_call *call)
{
    tcn_broker *b = call->b;
    tcn_cbor_reader r;
    tcn_cbor_writer w;
    tcn_bytes ids;
    tcn_list rows = call->wire->rejected;
    tcn_cbor_reader_init(&r, rows.raw);
    tcn_cbor_writer_init(&w, b->items, sizeof(b->items));
    for (size_t i = 0; i < rows.count; i++) {
        (void)tcn_cbor_get_array(&r, 2);
        tcn_id id = tcn_cbor_get_id(&r);
        tcn_err error = tcn_err_from_wire(tcn_cbor_get_uint(&r));
        tcn_cbor_put_id(&w, &id);
        tcn_err err = reject_row(call, &id, error);
        if (err != TCN_OK)
            return err;
    }
    tcn_wire ok = {.op = TCN_OP_REJECTED_OK};
    tcn_err err = tcn_cbor_writer_done(&w, &ids);
    ok.ids = (tcn_list){.count = rows.count, .raw = ids};
    return err == TCN_OK ? tcn_say(b, call->rank, call->in->peer, &ok) : TCN_OK;
}

/* ---- acknowledgments ---- */

static tcn_err ack_store(tcn_broker *b, const tcn_ack *ack, const char *node, tcn_bytes envelope)
{
    tcn_key key = tcn_key_id_name('K', &ack->alert, node);
    tcn_bytes value, record;
    tcn_ack_record row;
    tcn_pack p;
    tcn_err err = tcn_db_get(b, &key, &value);
    if (err == TCN_OK && tcn_ack_unpack(value, &row) == TCN_OK && row.counter >= ack->counter)
        return TCN_OK; /* heard already, or overtaken */
    if (tcn_spoils(err))
        return err;
    row = (tcn_ack_record){.counter = ack->counter,
                           .answer = ack->answer,
                           .by_rule = ack->by_rule,
                           .at = ack->at,
                           .by = ack->by,
                           .note = ack->note,
                           .envelope = envelope};
    tcn_pack_init(&p, b->record, sizeof(b->record));
    err = tcn_ack_pack(&row, &p, &record);
    return err == TCN_OK ? tcn_db_put(b, &key, record) : err;
}

tcn_err tcn_ledger_ack(tcn_call *call)
{
    tcn_broker *b = call->b;
    tcn_bytes envelope = call->wire->envelope;
    tcn_ack peeked, ack;
    tcn_index index;
    tcn_fault fault = {.err = TCN_OK};
    if (tcn_ack_peek(envelope, &peeked) != TCN_OK)
        return tcn_say_error(b, call->in->peer, TCN_MALFORMED, "the acknowledgment is malformed");
    tcn_err verdict = tcn_ack_open(envelope, call->session->card, tcn_trust_now(b), &ack, &fault);
    if (verdict == TCN_OK)
        verdict = entry_got(call, &peeked.alert, &index);
    if (verdict == TCN_OK && !tcn_hash_equal(&index.payload_hash, &ack.payload_hash))
        verdict = TCN_HASH_MISMATCH;
    if (verdict == TCN_OK)
        verdict = ack_store(b, &ack, call->session->member, envelope);
    if (tcn_spoils(verdict))
        return verdict;
    if (verdict != TCN_OK)
        tcn_log_line(b, TCN_EVENT_ACK_REFUSED, "%s: %s %s", call->session->member,
                     tcn_err_text(verdict), fault.text);
    tcn_wire ok = {.op = TCN_OP_ACK_OK};
    ok.ack_ok.id = peeked.alert;
    ok.ack_ok.counter = peeked.counter;
    ok.ack_ok.error = verdict;
    return tcn_say(b, call->rank, call->in->peer, &ok);
}
