/* SPDX-License-Identifier: Apache-2.0 */
/* ingest.c - see ingest.h. The order of the checks: known already? signed by whom it must be? by
 * who hands it in? is there room? does it refer to what it may? */
#include "ingest.h"

#include <string.h>

#include "alerts.h"
#include "answer.h"
#include "bodies.h"
#include "fanout.h"
#include "held.h"
#include "who.h"

bool tcn_ingest_is_emergency(const tcn_wire *wire)
{
    tcn_cose cose;
    tcn_alert alert;
    if (wire->op == TCN_OP_APPROVE)
        return true;
    return wire->op == TCN_OP_SUBMIT &&
           tcn_cose_decode(wire->submit.envelope, TCN_OBJECT_ALERT, &cose) == TCN_OK &&
           tcn_alert_decode(cose.payload, &alert, NULL) == TCN_OK &&
           alert.meta.lane == TCN_LANE_EMERGENCY;
}

/* ---- known already ---- */

static tcn_err conflict(tcn_call *call, const tcn_id *id, tcn_fault *fault)
{
    char text[TCN_ID_TEXT_SIZE];
    tcn_id_text(id, text);
    tcn_err err = tcn_audit(call->b, "%s submitted other content under the known id %s",
                            call->session->member, text);
    if (tcn_spoils(err))
        return err;
    return tcn_fault_set(fault, TCN_CONFLICT,
                         "id %s is taken by other content: publish under a new id", text);
}

/* The sender's own, sent before. TCN_NOT_FOUND: it is not. TCN_OK: the same again, answered. */
static tcn_err known(tcn_call *call, const tcn_alert *alert, const tcn_hash *hash, tcn_fault *fault)
{
    tcn_broker *b = call->b;
    const tcn_id *id = &alert->meta.id;
    tcn_index index;
    tcn_err err = tcn_db_index(b, id, &index);
    if (err == TCN_OK) {
        if (strcmp(index.author, call->session->member) != 0)
            return TCN_NOT_FOUND; /* whose it is, is said once this one is verified */
        if (!tcn_hash_equal(&index.payload_hash, hash))
            return conflict(call, id, fault);
        err = tcn_body_resume(b, id, &index);
        if (err == TCN_OK)
            err = tcn_db_index(b, id, &index);
        return err == TCN_OK ? tcn_answer_alert(call, call->wire->submit.req, id, &index) : err;
    }
    if (err == TCN_MALFORMED)
        return tcn_fault_set(fault, TCN_IO, "the broker's record of this id is damaged");
    return err;
}

/* Somebody else's id, or one that was pruned. Only who may publish, and has signed this, learns
 * that there is such an alert, and leaves a row in the audit. */
static tcn_err check_taken(tcn_call *call, const tcn_verified *v, tcn_fault *fault)
{
    tcn_broker *b = call->b;
    const tcn_id *id = &v->alert.meta.id;
    tcn_index index;
    tcn_bytes buried;
    tcn_key tombstone = tcn_key_id('X', id);
    tcn_err err = tcn_db_index(b, id, &index);
    if (err == TCN_NOT_FOUND)
        err = tcn_db_raw(b, &tombstone, &buried);
    if (err == TCN_NOT_FOUND)
        return TCN_OK;
    return tcn_spoils(err) ? err : conflict(call, id, fault);
}

/* ---- checks ---- */

static tcn_err check_author(tcn_call *call, const tcn_verified *v, tcn_fault *fault)
{
    const char *member = call->session->member;
    const tcn_bundle *bundle = tcn_roster_bundle(call->b->roster);
    if (tcn_bytes_equal(v->alert.meta.publisher, tcn_bytes_str(member)))
        return TCN_OK;
    unsigned key;
    for (unsigned i = 0; v->alert.meta.kind == TCN_KIND_CANCEL && i < v->cose.signers; i++) {
        const tcn_issuer *issuer = tcn_bundle_signer(bundle, &v->cose.signer[i].kid, &key);
        if (issuer != NULL && v->cose.signer[i].role == TCN_ROLE_APPROVER &&
            strcmp(issuer->name, member) == 0)
            return TCN_OK;
    }
    return tcn_fault_set(fault, TCN_DENIED,
                         "%s is not the author: an alert is submitted by who "
                         "signed it as its publisher",
                         member);
}

/* The reserve is for actual emergencies, which two people answer for: one publisher's exercises and
 * tests must not use it up. */
static tcn_err check_room(tcn_call *call, const tcn_alert *alert, tcn_fault *fault)
{
    tcn_broker *b = call->b;
    uint64_t free_bytes = 0, total = 0;
    if (alert->meta.lane == TCN_LANE_EMERGENCY && alert->meta.status == TCN_STATUS_ACTUAL)
        return TCN_OK;
    b->ports.store.ops->space(b->ports.store.self, &free_bytes, &total);
    if (free_bytes < b->config.reserve_bytes)
        return tcn_fault_set(fault, TCN_FULL,
                             "the broker's store is full: only actual emergencies still pass; "
                             "free disk or raise store-size");
    if (!alert->external)
        return TCN_OK;
    b->ports.blob.space(b->ports.blob.self, &free_bytes);
    if (free_bytes < b->config.body_reserve_bytes + alert->body_size)
        return tcn_fault_set(fault, TCN_FULL,
                             "the broker's disk has no room for a body of %llu bytes: free disk",
                             (unsigned long long)alert->body_size);
    return TCN_OK;
}

static tcn_err check_held(tcn_call *call, const tcn_submission *s, tcn_fault *fault)
{
    tcn_broker *b = call->b;
    unsigned held = 0, bodies = 0;
    unsigned waits = tcn_held_waits(b, &s->index, s->verified->approvals);
    if (waits == 0)
        return TCN_OK;
    if (s->index.not_before.unix_ms > b->now.unix_ms + TCN_MAX_HELD_DAYS * TCN_DAY_MS)
        return tcn_fault_set(fault, TCN_INVALID,
                             "not-before is more than %d days away: submit it later",
                             TCN_MAX_HELD_DAYS);
    tcn_err err = tcn_held_count(b, s->index.author, &held, &bodies);
    if (err != TCN_OK)
        return err;
    if (held >= TCN_MAX_HELD_PER_PUBLISHER)
        return tcn_fault_set(fault, TCN_FULL, "%u alerts of yours are held: withdraw some", held);
    if ((waits & TCN_WAITS_BODY) != 0 && bodies >= TCN_MAX_OPEN_UPLOADS)
        return tcn_fault_set(fault, TCN_BUSY, "%u bodies are being uploaded: finish one first",
                             bodies);
    return TCN_OK;
}

static tcn_err check_handle(tcn_call *call, const tcn_submission *s, tcn_fault *fault)
{
    char text[TCN_ID_TEXT_SIZE];
    tcn_id other;
    tcn_key key = tcn_key_handle(tcn_bytes_str(s->index.handle), s->index.publisher);
    tcn_err err = tcn_db_id(call->b, &key, &other);
    if (err == TCN_NOT_FOUND || err == TCN_MALFORMED)
        return TCN_OK;
    if (err != TCN_OK)
        return err;
    tcn_id_text(&other, text);
    return tcn_fault_set(fault, TCN_CONFLICT, "handle %s is that of alert %s: choose another",
                         s->index.handle, text);
}

/* A cancel of what is cancelled already tells nobody anything: a single person could ring everybody
 * with it again and again. */
static tcn_err is_spent(tcn_broker *b, const tcn_index *target, bool *ret_spent)
{
    tcn_index by;
    *ret_spent = target->state == TCN_STATE_CANCELLED;
    if (target->state != TCN_STATE_CANCELLED)
        return TCN_OK;
    tcn_err err = tcn_db_index(b, &target->cancelled_by, &by);
    if (err == TCN_OK)
        *ret_spent = !tcn_is_voided(b, by.author, by.created, by.accepted);
    return tcn_spoils(err) ? err : TCN_OK;
}

static tcn_err check_references(tcn_call *call, const tcn_alert_meta *meta, tcn_fault *fault)
{
    tcn_broker *b = call->b;
    tcn_trust_view view = tcn_view(b);
    bool useful = meta->kind != TCN_KIND_CANCEL;
    for (unsigned i = 0; i < meta->references; i++) {
        char text[TCN_ID_TEXT_SIZE];
        tcn_index index;
        tcn_alert target;
        tcn_id_text(&meta->reference[i], text);
        tcn_err err = tcn_db_index(b, &meta->reference[i], &index);
        if (err == TCN_OK)
            err = tcn_alert_load(b, &meta->reference[i], &index, &target);
        if (tcn_spoils(err))
            return err;
        if (err != TCN_OK)
            return tcn_fault_set(fault, TCN_NOT_FOUND, "it refers to %s, which is not known here",
                                 text);
        err = tcn_trust_check_reference(&view, meta, &target.meta, fault);
        if (err != TCN_OK)
            return err;
        if (meta->kind == TCN_KIND_UPDATE && index.state == TCN_STATE_HELD)
            return tcn_fault_set(fault, TCN_NOT_DELIVERABLE,
                                 "it updates %s, which is still held: withdraw that one", text);
        if (meta->kind == TCN_KIND_UPDATE && index.state != TCN_STATE_IN_FORCE &&
            index.state != TCN_STATE_SUPERSEDED)
            return tcn_fault_set(fault, TCN_CONFLICT, "%s is not in force: publish a new alert",
                                 text);
        bool spent = false;
        err = is_spent(b, &index, &spent);
        if (err != TCN_OK)
            return err;
        useful |= !spent;
    }
    return useful ? TCN_OK
                  : tcn_fault_set(fault, TCN_CONFLICT, "what it cancels is cancelled already");
}

/* ---- submit ---- */

static void copy_name(char *ret_text, size_t size, tcn_bytes name)
{
    size_t len = name.len < size ? name.len : size - 1;
    if (len > 0)
        memcpy(ret_text, name.ptr, len);
    ret_text[len] = '\0';
}

static void index_fill(tcn_call *call, const tcn_verified *v, tcn_index *ret_index)
{
    const tcn_alert_meta *meta = &v->alert.meta;
    *ret_index = (tcn_index){
        .lane = meta->lane,
        .kind = meta->kind,
        .status = meta->status,
        .tlp = meta->tlp,
        .needed = v->approvals_needed,
        .payload_hash = v->payload_hash,
        .created = meta->created,
        .accepted = call->b->now,
        .not_before = meta->not_before,
        .expires = meta->expires,
        .until = meta->expires,
        .body_size = v->alert.body_size,
    };
    if (v->alert.external) {
        ret_index->flags |= TCN_FLAG_EXTERNAL;
        ret_index->body_hash = v->alert.body_hash;
    }
    if (meta->lane == TCN_LANE_EMERGENCY || meta->ack_by.unix_ms != 0)
        ret_index->flags |= TCN_FLAG_TRACKED;
    if (meta->audiences > 0)
        ret_index->flags |= TCN_FLAG_AUDIENCE;
    copy_name(ret_index->publisher, sizeof(ret_index->publisher), meta->publisher);
    copy_name(ret_index->handle, sizeof(ret_index->handle), meta->handle);
    copy_name(ret_index->author, sizeof(ret_index->author), tcn_bytes_str(call->session->member));
}

static tcn_err take(tcn_call *call, const tcn_verified *v, tcn_fault *fault)
{
    tcn_broker *b = call->b;
    tcn_submission s = {.id = v->alert.meta.id, .verified = v};
    index_fill(call, v, &s.index);
    tcn_err err = check_author(call, v, fault);
    if (err == TCN_OK)
        err = check_taken(call, v, fault);
    if (err == TCN_OK)
        err = check_room(call, &v->alert, fault);
    if (err == TCN_OK)
        err = check_handle(call, &s, fault);
    if (err == TCN_OK)
        err = check_references(call, &v->alert.meta, fault);
    if (err == TCN_OK)
        err = check_held(call, &s, fault);
    if (err == TCN_OK)
        err = tcn_held_accept(b, &s);
    return err == TCN_OK ? tcn_answer_alert(call, call->wire->submit.req, &s.id, &s.index) : err;
}

tcn_err tcn_ingest_submit(tcn_call *call)
{
    tcn_broker *b = call->b;
    tcn_bytes envelope = call->wire->submit.envelope;
    tcn_fault fault = {.err = TCN_OK};
    tcn_trust_view view = tcn_view(b);
    tcn_verified verified;
    tcn_cose cose;
    tcn_alert alert;
    tcn_err err = TCN_OK;
    if (!tcn_is_serving(b))
        err = tcn_fault_set(&fault, TCN_STALE,
                            "the broker holds older trust than its members: its "
                            "operator must import the newer roster");
    if (err == TCN_OK)
        err = tcn_cose_decode(envelope, TCN_OBJECT_ALERT, &cose);
    if (err == TCN_OK)
        err = tcn_alert_decode(cose.payload, &alert, &fault);
    if (err == TCN_OK) {
        tcn_hash hash = tcn_hash_of(cose.payload);
        err = known(call, &alert, &hash, &fault);
        if (err == TCN_OK)
            return TCN_OK;
        if (err == TCN_NOT_FOUND && fault.err == TCN_OK)
            err = tcn_trust_verify_alert(&view, envelope, &verified, &fault);
        if (err == TCN_OK)
            err = take(call, &verified, &fault);
    }
    if (err == TCN_OK)
        return TCN_OK;
    /* A refusal that speaks of room is the sender's; one without words is the transaction's. */
    if (fault.err == TCN_OK && tcn_spoils(err))
        return err;
    if (fault.err == TCN_OK)
        (void)tcn_fault_set(&fault, err, "not an alert: %s", tcn_err_text(err));
    return tcn_refuse(call, call->wire->submit.req, &fault);
}
