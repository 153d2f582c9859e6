/* SPDX-License-Identifier: Apache-2.0 */
/* alert_queries.c - the questions about alerts: pending, alerts, envelope, resolve. */
#include <string.h>

#include "held.h"
#include "journal.h"
#include "queries.h"
#include "who.h"

/* ---- an alert as an item ---- */

/* What the alert is now; the clock and the roster say more than its record. */
static tcn_state state_now(tcn_broker *b, const tcn_index *index)
{
    if (index->state != TCN_STATE_IN_FORCE && index->state != TCN_STATE_SUPERSEDED)
        return index->state;
    if (tcn_is_voided(b, index->author, index->created, index->accepted))
        return TCN_STATE_VOIDED;
    return index->state == TCN_STATE_IN_FORCE && b->now.unix_ms >= index->until.unix_ms
               ? TCN_STATE_EXPIRED
               : index->state;
}

static tcn_err envelope_of(tcn_broker *b, const tcn_id *id, const tcn_index *index,
                           tcn_entry *scratch, tcn_bytes *ret_envelope)
{
    const tcn_entry *e;
    if (index->seq == 0)
        return tcn_held_envelope(b, id, ret_envelope);
    tcn_err err = tcn_journal_at(b, index->lane, index->seq, scratch, &e);
    if (err == TCN_OK)
        *ret_envelope = e->envelope;
    return err;
}

/* 15, 16, 17: needed, who approved, what is missing. */
static void put_approvals(tcn_page *page, const tcn_index *index, tcn_bytes envelope)
{
    tcn_broker *b = page->b;
    tcn_cbor_writer *w = &page->w;
    tcn_cose cose;
    unsigned key, count = 0, kid;
    const tcn_issuer *approver[TCN_MAX_SIGNATURES];
    const tcn_bundle *bundle = tcn_roster_bundle(b->roster);
    if (tcn_cose_decode(envelope, TCN_OBJECT_ALERT, &cose) != TCN_OK)
        cose.signers = 0;
    for (kid = 0; kid < cose.signers; kid++) {
        const tcn_issuer *issuer = tcn_bundle_signer(bundle, &cose.signer[kid].kid, &key);
        if (issuer != NULL && (issuer->roles & TCN_ROLE_APPROVER) != 0)
            approver[count++] = issuer;
    }
    tcn_cbor_put_uint(w, 15), tcn_cbor_put_uint(w, index->needed);
    tcn_cbor_put_uint(w, 16), tcn_cbor_put_array(w, count);
    for (unsigned i = 0; i < count; i++)
        tcn_cbor_put_text(w, approver[i]->name);
    unsigned waits = index->state == TCN_STATE_HELD ? tcn_held_waits(b, index, count) : 0;
    tcn_cbor_put_uint(w, 17), tcn_cbor_put_uint(w, waits);
}

static uint64_t body_have(tcn_broker *b, const tcn_id *id, const tcn_index *index)
{
    uint64_t bytes = 0;
    if ((index->flags & TCN_FLAG_EXTERNAL) == 0 || (index->flags & TCN_FLAG_BODY) != 0)
        return index->body_size;
    (void)b->ports.blob.state(b->ports.blob.self, id, &bytes);
    return bytes;
}

static void put_wall(tcn_cbor_writer *w, uint64_t key, tcn_wall at)
{
    tcn_cbor_put_uint(w, key);
    tcn_cbor_put_uint(w, (uint64_t)at.unix_ms);
}

/* Writes the item; what is left of an alert that never went out has no topic and title any more. */
static void put_alert(tcn_page *page, const tcn_id *id, const tcn_index *index)
{
    tcn_broker *b = page->b;
    tcn_cbor_writer *w = &page->w;
    tcn_entry scratch;
    tcn_alert alert;
    tcn_bytes envelope = {NULL, 0}, topic = {NULL, 0}, title = {NULL, 0};
    if (envelope_of(b, id, index, &scratch, &envelope) == TCN_OK &&
        tcn_envelope_alert(envelope, &alert) == TCN_OK) {
        topic = alert.meta.topic;
        title = tcn_alert_title(&alert.meta, "");
    }
    tcn_page_item(page, 21);
    tcn_cbor_put_uint(w, 1), tcn_cbor_put_id(w, id);
    tcn_cbor_put_uint(w, 2), tcn_cbor_put_text(w, index->handle);
    tcn_cbor_put_uint(w, 3);
    if (index->seq > 0)
        tcn_cbor_put_uint(w, index->seq);
    else
        tcn_cbor_put_null(w);
    tcn_cbor_put_uint(w, 4), tcn_cbor_put_uint(w, index->lane);
    tcn_cbor_put_uint(w, 5), tcn_cbor_put_text_bytes(w, topic);
    tcn_cbor_put_uint(w, 6), tcn_cbor_put_uint(w, index->tlp);
    tcn_cbor_put_uint(w, 7), tcn_cbor_put_uint(w, index->status);
    tcn_cbor_put_uint(w, 8), tcn_cbor_put_text_bytes(w, title);
    tcn_cbor_put_uint(w, 9), tcn_cbor_put_text(w, index->publisher);
    put_wall(w, 10, index->created);
    tcn_cbor_put_uint(w, 11), tcn_cbor_put_uint(w, state_now(b, index));
    tcn_cbor_put_uint(w, 12), tcn_cbor_put_uint(w, index->kind);
    put_wall(w, 13, index->accepted);
    put_wall(w, 14, index->expires);
    put_approvals(page, index, envelope);
    tcn_cbor_put_uint(w, 18);
    if (index->not_before.unix_ms != 0)
        tcn_cbor_put_uint(w, (uint64_t)index->not_before.unix_ms);
    else
        tcn_cbor_put_null(w);
    tcn_cbor_put_uint(w, 19), tcn_cbor_put_uint(w, body_have(b, id, index));
    tcn_cbor_put_uint(w, 20), tcn_cbor_put_uint(w, index->body_size);
    tcn_cbor_put_uint(w, 21), tcn_cbor_put_hash(w, &index->payload_hash);
}

/* ---- pending ---- */

static bool may_see_pending(const tcn_page *page, const tcn_index *index)
{
    if (tcn_call_has_role(page->call, TCN_ROLE_OPERATOR) || tcn_page_is_author(page, index))
        return true;
    return index->lane == TCN_LANE_EMERGENCY && tcn_call_has_role(page->call, TCN_ROLE_APPROVER);
}

static tcn_key start_of(const tcn_page *page, const tcn_key *prefix)
{
    return page->after.len > 0 ? tcn_key_of(page->after) : *prefix;
}

tcn_err tcn_query_pending(tcn_page *page)
{
    tcn_broker *b = page->b;
    tcn_key prefix = tcn_key_plain('H'), from = start_of(page, &prefix);
    tcn_bytes key, value;
    tcn_err err;
    if (!tcn_call_has_role(page->call, TCN_ROLE_PUBLISHER | TCN_ROLE_APPROVER | TCN_ROLE_OPERATOR))
        return tcn_fault_set(&page->fault, TCN_DENIED,
                             "pending is for publishers, approvers and operators");
    while ((err = tcn_db_seek(b, &prefix, &from, &key, &value)) == TCN_OK) {
        tcn_id id;
        tcn_index index;
        if (!tcn_page_scan(page, key))
            break;
        from = tcn_key_after(key);
        if (!tcn_key_id_at(key, 1, &id) || tcn_db_index(b, &id, &index) != TCN_OK ||
            !may_see_pending(page, &index))
            continue;
        put_alert(page, &id, &index);
        if (!tcn_page_keep(page, key))
            break;
    }
    return err == TCN_NOT_FOUND ? TCN_OK : err;
}

/* ---- alerts, newest first ---- */

/* The greatest key that is still below the one given. */
static tcn_key before(tcn_bytes bytes)
{
    tcn_key key = tcn_key_of(bytes);
    for (size_t i = key.len; i > 0; i--)
        if (key.b[i - 1]-- != 0)
            break;
    return key;
}

tcn_err tcn_query_alerts(tcn_page *page)
{
    tcn_broker *b = page->b;
    bool is_operator = tcn_call_has_role(page->call, TCN_ROLE_OPERATOR);
    tcn_bytes key, value;
    tcn_err err;
    if (!is_operator && !tcn_call_has_role(page->call, TCN_ROLE_PUBLISHER))
        return tcn_fault_set(&page->fault, TCN_DENIED, "alerts is for publishers and operators");
    tcn_key prefix =
        is_operator ? tcn_key_plain('O') : tcn_key_name0('P', page->call->session->member);
    tcn_key from = start_of(page, &prefix);
    if (page->after.len == 0) {
        memset(from.b + from.len, 0xff, 24); /* time and id: beyond the last */
        from.len += 24;
    }
    while ((err = tcn_db_seek_back(b, &prefix, &from, &key, &value)) == TCN_OK) {
        tcn_id id;
        tcn_index index;
        if (!tcn_page_scan(page, key))
            break;
        tcn_key here = tcn_key_of(key);
        from = before(key);
        if (!tcn_key_id_at(key, prefix.len + 8, &id) || tcn_db_index(b, &id, &index) != TCN_OK)
            continue;
        tcn_state state = state_now(b, &index);
        if (!page->all && state != TCN_STATE_IN_FORCE && state != TCN_STATE_HELD)
            continue;
        put_alert(page, &id, &index);
        if (!tcn_page_keep(page, tcn_key_bytes(&here)))
            break;
    }
    return err == TCN_NOT_FOUND ? TCN_OK : err;
}

/* ---- envelope ---- */

static tcn_err nothing(tcn_page *page)
{
    return tcn_fault_set(&page->fault, TCN_NOT_FOUND, "no such alert, or it is not yours to see");
}

static bool may_see(const tcn_page *page, const tcn_index *index)
{
    return tcn_page_is_author(page, index) ||
           tcn_call_has_role(page->call, TCN_ROLE_OPERATOR | TCN_ROLE_APPROVER);
}

tcn_err tcn_query_envelope(tcn_page *page)
{
    tcn_broker *b = page->b;
    tcn_index index;
    tcn_entry scratch;
    tcn_bytes envelope;
    tcn_err err = tcn_db_index(b, &page->id, &index);
    if (err == TCN_OK && !may_see(page, &index))
        err = TCN_NOT_FOUND;
    if (err == TCN_OK)
        err = envelope_of(b, &page->id, &index, &scratch, &envelope);
    if (err != TCN_OK)
        return tcn_spoils(err) ? err : nothing(page);
    tcn_page_item(page, 1);
    tcn_cbor_put_uint(&page->w, 1), tcn_cbor_put_bytes(&page->w, envelope);
    (void)tcn_page_keep(page, TCN_NO_TAIL);
    return TCN_OK;
}

/* ---- resolve ---- */

static bool add_id(tcn_page *page, const tcn_id *id)
{
    tcn_index index;
    if (tcn_db_index(page->b, id, &index) != TCN_OK || !may_see(page, &index))
        return true;
    tcn_page_item(page, 1);
    tcn_cbor_put_uint(&page->w, 1), tcn_cbor_put_id(&page->w, id);
    return tcn_page_keep(page, TCN_NO_TAIL);
}

static tcn_err resolve_last(tcn_page *page)
{
    bool all = tcn_call_has_role(page->call, TCN_ROLE_OPERATOR | TCN_ROLE_APPROVER);
    tcn_key prefix = all ? tcn_key_plain('O') : tcn_key_name0('P', page->call->session->member);
    tcn_key from = prefix;
    tcn_bytes key, value;
    tcn_id id;
    memset(from.b + from.len, 0xff, 24);
    from.len += 24;
    tcn_err err = tcn_db_seek_back(page->b, &prefix, &from, &key, &value);
    if (err == TCN_OK && tcn_key_id_at(key, prefix.len + 8, &id))
        (void)add_id(page, &id);
    return err == TCN_NOT_FOUND ? TCN_OK : err;
}

static tcn_err resolve_prefix(tcn_page *page, const tcn_id_prefix *prefix)
{
    tcn_key all = tcn_key_plain('A'), from = all;
    tcn_bytes key, value;
    tcn_err err;
    memcpy(from.b + from.len, prefix->id.b, sizeof(prefix->id.b));
    from.len += sizeof(prefix->id.b);
    while ((err = tcn_db_seek(page->b, &all, &from, &key, &value)) == TCN_OK) {
        tcn_id id;
        if (!tcn_page_scan(page, key) || !tcn_key_id_at(key, 1, &id) ||
            !tcn_id_has_prefix(&id, prefix))
            break;
        from = tcn_key_after(key);
        if (!add_id(page, &id))
            break;
    }
    page->next.len = 0; /* a prefix that so many share is none */
    return err == TCN_NOT_FOUND ? TCN_OK : err;
}

static tcn_err resolve_handle(tcn_page *page)
{
    tcn_broker *b = page->b;
    tcn_key prefix = tcn_key_handle(page->text, ""), from = prefix;
    tcn_bytes key, value;
    tcn_err err;
    while ((err = tcn_db_seek(b, &prefix, &from, &key, &value)) == TCN_OK) {
        tcn_id id;
        tcn_key here = tcn_key_of(key);
        from = tcn_key_after(key);
        if (!tcn_page_scan(page, key))
            break;
        if (tcn_db_id(b, &here, &id) == TCN_OK && !add_id(page, &id))
            break;
    }
    page->next.len = 0;
    return err == TCN_NOT_FOUND ? TCN_OK : err;
}

tcn_err tcn_query_resolve(tcn_page *page)
{
    tcn_id_prefix prefix;
    tcn_err err = TCN_OK;
    if (page->text.len == 0)
        return tcn_fault_set(&page->fault, TCN_INVALID, "what is to be found?");
    if (tcn_bytes_equal(page->text, tcn_bytes_str("last"))) {
        err = resolve_last(page);
    } else {
        if (page->text.len <= TCN_MAX_HANDLE_CHARS)
            err = resolve_handle(page);
        if (err == TCN_OK && page->items == 0 &&
            tcn_id_prefix_parse(page->text, &prefix) == TCN_OK &&
            prefix.digits >= TCN_ID_PREFIX_LEAST)
            err = resolve_prefix(page, &prefix);
    }
    return err == TCN_OK && page->items == 0 ? nothing(page) : err;
}
