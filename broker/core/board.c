/* SPDX-License-Identifier: Apache-2.0 */
/* board.c - who has an alert and what they said (board), why a node gets it or not (explain). */
#include <stdio.h>
#include <string.h>

#include "journal.h"
#include "nodes.h"
#include "queries.h"
#include "who.h"

/* ---- board ---- */

/* Checkpoints looked at for one page: in step, a thousand nodes have a thousand of each frame. */
enum { CHECKPOINTS = 8192 };

typedef struct {
    tcn_page *page;
    uint64_t question; /* marks nodes whose checkpoint was found */
    tcn_index index;
    const tcn_entry *entry; /* NULL: held */
    tcn_entry scratch;
} board;

typedef struct {
    bool received, acked, rejected;
    tcn_wall received_at; /* 0: not known */
    tcn_ack_record ack;
    uint64_t rejection[2];
} standing;

/* Notes for every node when it receipted the alert's place, from the checkpoints behind it. One of
 * an earlier generation counts for what the node was entitled to then. */
static void scan_checkpoints(board *bd)
{
    tcn_broker *b = bd->page->b;
    tcn_key prefix = tcn_key_lane('B', bd->index.lane);
    tcn_key from = tcn_key_seq('B', bd->index.lane, bd->index.seq);
    tcn_bytes key, value;
    size_t found = 0;
    bd->question = ++b->question;
    for (unsigned i = 0; i < CHECKPOINTS && found < b->nodes; i++) {
        char name[TCN_MAX_NAME_CHARS + 1];
        uint64_t at = 0;
        if (tcn_db_seek(b, &prefix, &from, &key, &value) != TCN_OK)
            return;
        uint64_t generation = tcn_key_u64_at(key, key.len - 8);
        tcn_key row = tcn_key_of(key);
        from = tcn_key_after(key);
        tcn_node *node = tcn_key_checkpoint_node(key, name) ? tcn_node_find(b, name) : NULL;
        if (node == NULL || node->seen == bd->question ||
            (generation != node->generation && !tcn_who_had(b, node, bd->entry)) ||
            tcn_db_u64s(b, &row, &at, 1) != TCN_OK)
            continue;
        node->seen = bd->question;
        node->seen_at = (tcn_wall){(int64_t)at};
        found++;
    }
}

/* When did the node receipt this place? */
static void by_place(const board *bd, const tcn_node *node, standing *st)
{
    const tcn_link *link = node->link[bd->index.lane];
    uint64_t seq = bd->index.seq, place[3];
    if (node->seen == bd->question) {
        st->received = true;
        st->received_at = node->seen_at;
        return;
    }
    for (unsigned i = 0; link != NULL && i < link->checkpoints; i++) {
        if (link->checkpoint[i].seq < seq)
            continue;
        st->received = true;
        st->received_at = link->checkpoint[i].at;
        return;
    }
    /* A HELLO said so, or it was long after: when it was is not known here. */
    tcn_key place_key = tcn_key_name_lane('C', node->name, bd->index.lane);
    bool stored = link == NULL && tcn_db_u64s(bd->page->b, &place_key, place, 3) == TCN_OK &&
                  place[0] >= seq && place[2] == node->generation;
    st->received |= stored || (link != NULL && link->acked.seq >= seq);
}

static void look_up(const board *bd, const char *name, const tcn_node *node, standing *st)
{
    tcn_broker *b = bd->page->b;
    const tcn_id *id = &bd->page->id;
    uint64_t at = 0;
    tcn_bytes value;
    tcn_key row = tcn_key_id_name('R', id, name);
    st->received = tcn_db_u64s(b, &row, &at, 1) == TCN_OK;
    st->received_at = (tcn_wall){(int64_t)at};
    bool rows = (bd->index.flags & (TCN_FLAG_TRACKED | TCN_FLAG_EXTERNAL)) != 0;
    tcn_whom whom = {.node = NULL};
    if (node != NULL)
        whom = tcn_whom_node(node);
    if (!st->received && !rows && node != NULL && bd->entry != NULL &&
        (tcn_who_gets(b, &whom, bd->entry) || tcn_who_had(b, node, bd->entry)))
        by_place(bd, node, st);
    row = tcn_key_id_name('E', id, name);
    st->rejected = tcn_db_u64s(b, &row, st->rejection, 2) == TCN_OK;
    row = tcn_key_id_name('K', id, name);
    st->acked = tcn_db_get(b, &row, &value) == TCN_OK && tcn_ack_unpack(value, &st->ack) == TCN_OK;
}

static void put_standing(const board *bd, const char *name, tcn_node_state state,
                         const standing *st)
{
    tcn_page *page = bd->page;
    tcn_cbor_writer *w = &page->w;
    bool timed = st->received && st->received_at.unix_ms != 0;
    bool latent = timed && st->received_at.unix_ms >= bd->index.accepted.unix_ms;
    bool by = st->acked && st->ack.by.len > 0, note = st->acked && st->ack.note.len > 0;
    uint64_t pairs = 2u + timed + latent + 3u * st->acked + by + note + st->rejected;
    tcn_page_item(page, pairs);
    tcn_cbor_put_uint(w, 1), tcn_cbor_put_text(w, name);
    tcn_cbor_put_uint(w, 2), tcn_cbor_put_uint(w, state);
    if (timed)
        tcn_cbor_put_uint(w, 3), tcn_cbor_put_uint(w, (uint64_t)st->received_at.unix_ms);
    if (latent) {
        tcn_cbor_put_uint(w, 4);
        tcn_cbor_put_uint(w, (uint64_t)(st->received_at.unix_ms - bd->index.accepted.unix_ms));
    }
    if (st->acked) {
        tcn_cbor_put_uint(w, 5), tcn_cbor_put_uint(w, st->ack.answer);
        tcn_cbor_put_uint(w, 6), tcn_cbor_put_uint(w, (uint64_t)st->ack.at.unix_ms);
    }
    if (by)
        tcn_cbor_put_uint(w, 7), tcn_cbor_put_text_bytes(w, st->ack.by);
    if (note)
        tcn_cbor_put_uint(w, 8), tcn_cbor_put_text_bytes(w, st->ack.note);
    if (st->rejected)
        tcn_cbor_put_uint(w, 9), tcn_cbor_put_uint(w, st->rejection[0]);
    if (st->acked)
        tcn_cbor_put_uint(w, 10), tcn_cbor_put_bool(w, st->ack.by_rule);
}

/* One name, if it belongs on the board. False: the page is full. */
static bool board_line(const board *bd, const char *name)
{
    tcn_broker *b = bd->page->b;
    const tcn_node *node = tcn_node_find(b, name);
    standing st = {.received = false};
    tcn_bytes at = tcn_bytes_str(name);
    if (!tcn_page_scan(bd->page, at))
        return false;
    bool valid = node != NULL && tcn_node_is_valid(b, node);
    look_up(bd, name, node, &st);
    if (!st.received && !st.acked && !st.rejected) {
        tcn_whom whom = {.node = NULL};
        if (valid)
            whom = tcn_whom_node(node);
        if (!valid || bd->entry == NULL || !tcn_who_gets(b, &whom, bd->entry))
            return true;
    }
    tcn_node_state state = !valid        ? TCN_NODE_STATE_REVOKED
                           : st.acked    ? TCN_NODE_STATE_ACKED
                           : st.rejected ? TCN_NODE_STATE_REJECTED
                           : st.received ? TCN_NODE_STATE_RECEIVED
                                         : TCN_NODE_STATE_PENDING;
    put_standing(bd, name, state, &st);
    return tcn_page_keep(bd->page, at);
}

/* The least name, not below from, that has a row of this alert under prefix and is below *name. */
static void least_row(const board *bd, char prefix, tcn_bytes from,
                      char name[static TCN_MAX_NAME_CHARS + 1])
{
    tcn_key all = tcn_key_id(prefix, &bd->page->id), at = all;
    tcn_bytes key, value;
    memcpy(at.b + at.len, from.ptr, from.len);
    at.len += from.len;
    if (tcn_db_seek(bd->page->b, &all, &at, &key, &value) != TCN_OK)
        return;
    tcn_bytes found = tcn_bytes_of(key.ptr + all.len, key.len - all.len);
    if (found.len == 0 || found.len > TCN_MAX_NAME_CHARS ||
        (name[0] != '\0' && tcn_bytes_compare(found, tcn_bytes_str(name)) >= 0))
        return;
    memcpy(name, found.ptr, found.len);
    name[found.len] = '\0';
}

static void board_lines(const board *bd)
{
    tcn_broker *b = bd->page->b;
    uint8_t from[TCN_MAX_NAME_CHARS + 2];
    size_t len = bd->page->after.len <= TCN_MAX_NAME_CHARS ? bd->page->after.len : 0, i = 0;
    if (len > 0)
        memcpy(from, bd->page->after.ptr, len);
    for (;;) {
        char name[TCN_MAX_NAME_CHARS + 1] = "";
        tcn_bytes at = tcn_bytes_of(from, len);
        while (i < b->nodes && tcn_bytes_compare(tcn_bytes_str(b->node[i]->name), at) < 0)
            i++;
        if (i < b->nodes)
            memcpy(name, b->node[i]->name, sizeof(name));
        const char rows[] = {'R', 'E', 'K'};
        for (size_t k = 0; k < sizeof(rows); k++)
            least_row(bd, rows[k], at, name);
        if (name[0] == '\0' || !board_line(bd, name))
            return;
        len = strlen(name);
        memcpy(from, name, len);
        from[len++] = 0; /* behind this name */
    }
}

static tcn_err open_board(tcn_page *page, board *bd)
{
    tcn_err err = tcn_db_index(page->b, &page->id, &bd->index);
    bd->page = page;
    bd->entry = NULL;
    if (err == TCN_OK && !tcn_page_is_author(page, &bd->index) &&
        !tcn_call_has_role(page->call, TCN_ROLE_OPERATOR))
        err = TCN_NOT_FOUND;
    if (err == TCN_OK && bd->index.seq > 0)
        err = tcn_journal_at(page->b, bd->index.lane, bd->index.seq, &bd->scratch, &bd->entry);
    if (err != TCN_OK && !tcn_spoils(err))
        err =
            tcn_fault_set(&page->fault, TCN_NOT_FOUND, "no such alert, or it is not yours to see");
    return err;
}

tcn_err tcn_query_board(tcn_page *page)
{
    board bd;
    tcn_err err = open_board(page, &bd);
    if (err != TCN_OK)
        return err;
    bd.question = 0;
    if (bd.entry != NULL && (bd.index.flags & (TCN_FLAG_TRACKED | TCN_FLAG_EXTERNAL)) == 0)
        scan_checkpoints(&bd);
    board_lines(&bd);
    return TCN_OK;
}

/* ---- explain ---- */

static void term(tcn_page *page, const char *word, bool holds, const char *why)
{
    tcn_page_item(page, 3);
    tcn_cbor_put_uint(&page->w, 1), tcn_cbor_put_text(&page->w, word);
    tcn_cbor_put_uint(&page->w, 2), tcn_cbor_put_bool(&page->w, holds);
    tcn_cbor_put_uint(&page->w, 3), tcn_cbor_put_text(&page->w, why);
    (void)tcn_page_keep(page, TCN_NO_TAIL);
}

static const char *words_of(unsigned bit, bool holds)
{
    switch (bit) {
    case TCN_TERM_ROLE: return holds ? "the member has the role node" : "it is not a node";
    case TCN_TERM_CARD:
        return holds ? "its card is active and not expired"
                     : "its card is expired, suspended or revoked: renew or resume it";
    case TCN_TERM_SUBSCRIPTION:
        return holds ? "it subscribes to the topic, or to all that is granted"
                     : "it does not subscribe to the topic: change its agent's subscriptions";
    case TCN_TERM_GRANT:
        return holds ? "its card grants the topic"
                     : "its card does not grant the topic: widen its receive patterns";
    case TCN_TERM_CLEARANCE: return holds ? "which covers" : "which is below";
    case TCN_TERM_COMMUNITY:
        return holds ? "the alert names no community, or one of its own"
                     : "it is in none of the alert's communities";
    default:
        return holds ? "the alert names no recipients, or this one"
                     : "the alert names its recipients, and not this one";
    }
}

/* One term of entitlement, with what was compared where that is short enough to say. */
static void term_of(tcn_page *page, unsigned bit, bool holds, const tcn_subject *subject,
                    const tcn_alert_meta *meta)
{
    char why[256];
    const char *word = "";
    switch (bit) {
#define X(name, bit, text)                                                                         \
    case TCN_TERM_##name: word = text; break;
        TCN_TERM_TABLE(X)
#undef X
    default: break;
    }
    if (bit == TCN_TERM_CLEARANCE)
        (void)snprintf(why, sizeof(why), "its clearance is %s, %s the alert's %s",
                       tcn_tlp_label(subject->terms->clearance), words_of(bit, holds),
                       tcn_tlp_label(meta->tlp));
    else if (bit == TCN_TERM_GRANT || bit == TCN_TERM_SUBSCRIPTION)
        (void)snprintf(why, sizeof(why), "%s (%.*s)", words_of(bit, holds), (int)meta->topic.len,
                       (const char *)meta->topic.ptr);
    else
        (void)snprintf(why, sizeof(why), "%s", words_of(bit, holds));
    term(page, word, holds, why);
}

static const char *force_of(tcn_broker *b, const board *bd)
{
    const tcn_index *index = &bd->index;
    if (index->state == TCN_STATE_HELD)
        return "it is held: see pending";
    if (index->state == TCN_STATE_CANCELLED)
        return "it was cancelled";
    if (tcn_is_voided(b, index->author, index->created, index->accepted))
        return "it is voided: its author was compromised";
    if (b->now.unix_ms >= index->until.unix_ms)
        return "it expired";
    return "it was superseded by an update that the node gets";
}

static void explain_all(tcn_page *page, board *bd, const tcn_node *node, const tcn_alert_meta *meta)
{
    tcn_broker *b = page->b;
    tcn_whom whom = tcn_whom_node(node);
    tcn_subject subject = tcn_whom_subject(b, &whom);
    unsigned held = tcn_entitlement_explain(&subject, meta);
    for (unsigned bit = 1; bit < TCN_TERMS_ALL; bit <<= 1)
        term_of(page, bit, (held & bit) != 0, &subject, meta);
    bool in_force = bd->entry != NULL && !tcn_entry_is_over(b, &whom, bd->entry);
    term(page, "in-force", in_force, in_force ? "it is in force" : force_of(b, bd));
    bool gets = bd->entry != NULL ? tcn_who_gets(b, &whom, bd->entry) : held == TCN_TERMS_ALL;
    term(page, "verdict", gets && in_force,
         !gets                   ? "it does not get this alert"
         : held != TCN_TERMS_ALL ? "it gets this: it was sent what this cancels"
         : in_force              ? "it gets this alert"
         : bd->entry == NULL     ? "it will get this alert once it is not held any more"
                                 : "it may have got this alert; it is not sent any more");
}

tcn_err tcn_query_explain(tcn_page *page)
{
    board bd;
    char name[TCN_MAX_NAME_CHARS + 1];
    tcn_alert alert;
    tcn_err err = open_board(page, &bd);
    if (err != TCN_OK)
        return err;
    const tcn_node *node = tcn_page_name(page, name) ? tcn_node_find(page->b, name) : NULL;
    if (node == NULL)
        return tcn_fault_set(&page->fault, TCN_NOT_FOUND, "no node has this name");
    if (bd.entry != NULL) {
        alert = bd.entry->alert;
    } else {
        tcn_key key = tcn_key_id('H', &page->id);
        tcn_bytes held;
        err = tcn_db_raw(page->b, &key, &held);
        if (err == TCN_OK)
            err = tcn_envelope_alert(held, &alert);
        if (err != TCN_OK)
            return tcn_spoils(err)
                       ? err
                       : tcn_fault_set(&page->fault, TCN_NOT_FOUND, "this alert never went out");
    }
    explain_all(page, &bd, node, &alert.meta);
    return TCN_OK;
}
