/* SPDX-License-Identifier: Apache-2.0 */
/* held.c - see held.h. */
#include "held.h"

#include <string.h>

#include "alerts.h"
#include "answer.h"
#include "bodies.h"
#include "deliver.h"
#include "prune.h"

tcn_trust_view tcn_view(const tcn_broker *b)
{
    return (tcn_trust_view){
        .bundle = tcn_roster_bundle(b->roster), .now = b->now, .accepting = true};
}

unsigned tcn_held_waits(const tcn_broker *b, const tcn_index *index, unsigned approvals)
{
    unsigned waits = 0;
    if (approvals < index->needed)
        waits |= TCN_WAITS_APPROVALS;
    if ((index->flags & TCN_FLAG_EXTERNAL) != 0 && (index->flags & TCN_FLAG_BODY) == 0)
        waits |= TCN_WAITS_BODY;
    if (index->not_before.unix_ms > b->now.unix_ms)
        waits |= TCN_WAITS_NOT_BEFORE;
    return waits;
}

static void held_effect(tcn_broker *b, const void *data, tcn_bytes tail)
{
    int64_t change;
    (void)tail;
    memcpy(&change, data, sizeof(change));
    b->held = (uint64_t)((int64_t)b->held + change);
    b->timers_known = false;
}

static tcn_err held_changed(tcn_broker *b, int64_t change)
{
    return tcn_effect_add(b, TCN_RANK_MEMORY, held_effect, TCN_EFFECT_DATA(change), TCN_NO_TAIL);
}

/* ---- the records ---- */

static tcn_err waiting_put(tcn_broker *b, const tcn_submission *s, unsigned waits)
{
    tcn_key key = tcn_key_waiting(s->index.author, &s->id);
    uint8_t byte = (uint8_t)waits;
    return tcn_db_put(b, &key, tcn_bytes_of(&byte, 1));
}

static tcn_wall lapse_at(const tcn_index *index)
{
    tcn_wall at = {index->accepted.unix_ms + TCN_MAX_HELD_DAYS * TCN_DAY_MS};
    return at.unix_ms < index->expires.unix_ms ? at : index->expires;
}

/* Again at each review: the clock may have gone back since then. */
static tcn_err embargo_timer(tcn_broker *b, const tcn_submission *s, unsigned waits)
{
    tcn_key key = tcn_key_timer(s->index.not_before, TCN_TIMER_NOT_BEFORE, &s->id);
    return (waits & TCN_WAITS_NOT_BEFORE) != 0 ? tcn_db_mark(b, &key) : TCN_OK;
}

static tcn_err hold(tcn_broker *b, const tcn_submission *s, unsigned waits)
{
    tcn_key key = tcn_key_id('H', &s->id);
    tcn_err err = tcn_db_put_raw(b, &key, s->verified->envelope);
    if (err == TCN_OK)
        err = waiting_put(b, s, waits);
    key = tcn_key_timer(lapse_at(&s->index), TCN_TIMER_LAPSE, &s->id);
    if (err == TCN_OK)
        err = tcn_db_mark(b, &key);
    if (err == TCN_OK)
        err = embargo_timer(b, s, waits);
    if (err == TCN_OK)
        err = tcn_alert_list(b, &s->id, &s->index);
    return err == TCN_OK ? held_changed(b, 1) : err;
}

static tcn_err unhold(tcn_broker *b, const tcn_id *id, const tcn_index *index)
{
    tcn_key keys[] = {
        tcn_key_id('H', id),
        tcn_key_waiting(index->author, id),
        tcn_key_timer(lapse_at(index), TCN_TIMER_LAPSE, id),
        tcn_key_timer(index->not_before, TCN_TIMER_NOT_BEFORE, id),
    };
    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
        tcn_err err = tcn_db_del(b, &keys[i]);
        if (err != TCN_OK)
            return err;
    }
    return held_changed(b, -1);
}

tcn_err tcn_held_envelope(tcn_broker *b, const tcn_id *id, tcn_bytes *ret_envelope)
{
    tcn_key key = tcn_key_id('H', id);
    return tcn_db_raw(b, &key, ret_envelope);
}

tcn_err tcn_held_count(tcn_broker *b, const char *author, unsigned *ret_held, unsigned *ret_bodies)
{
    tcn_key prefix = tcn_key_name0('W', author), from = prefix;
    tcn_bytes key, value;
    *ret_held = *ret_bodies = 0;
    tcn_err err;
    while ((err = tcn_db_seek(b, &prefix, &from, &key, &value)) == TCN_OK &&
           *ret_held < TCN_MAX_HELD_PER_PUBLISHER) {
        (*ret_held)++;
        *ret_bodies += value.len > 0 && (value.ptr[0] & TCN_WAITS_BODY) != 0;
        from = tcn_key_after(key);
    }
    return err == TCN_NOT_FOUND ? TCN_OK : err;
}

/* ---- accepting ---- */

tcn_err tcn_held_accept(tcn_broker *b, tcn_submission *s)
{
    unsigned waits = tcn_held_waits(b, &s->index, s->verified->approvals);
    tcn_key handle = tcn_key_handle(tcn_bytes_str(s->index.handle), s->index.publisher);
    tcn_err err = tcn_db_put_raw(b, &handle, tcn_bytes_of(s->id.b, sizeof(s->id.b)));
    if (err != TCN_OK)
        return err;
    if (waits == 0)
        return tcn_deliver(b, s);
    s->index.state = TCN_STATE_HELD;
    err = tcn_db_put_index(b, &s->id, &s->index);
    return err == TCN_OK ? hold(b, s, waits) : err;
}

tcn_err tcn_held_review(tcn_broker *b, const tcn_id *id, tcn_index *ret_index)
{
    tcn_submission s = {.id = *id};
    tcn_verified verified;
    tcn_bytes held;
    tcn_fault fault = {.err = TCN_OK};
    tcn_trust_view view = tcn_view(b);
    tcn_err err = tcn_db_index(b, id, &s.index);
    if (err == TCN_OK && s.index.state != TCN_STATE_HELD) {
        *ret_index = s.index;
        return TCN_OK;
    }
    if (err == TCN_OK)
        err = tcn_held_envelope(b, id, &held);
    if (err != TCN_OK)
        return err;
    /* The view dies with the first put. */
    memcpy(b->items, held.ptr, held.len);
    err = tcn_trust_verify_alert(&view, tcn_bytes_of(b->items, held.len), &verified, &fault);
    if (tcn_spoils(err))
        return err;
    if (err != TCN_OK) {
        err = tcn_audit(b, "held alert %s of %s cannot be accepted any more: %s", s.index.handle,
                        s.index.publisher, fault.text);
        if (err == TCN_OK)
            err = tcn_held_drop(b, id, &s.index,
                                fault.err == TCN_VOIDED ? TCN_STATE_VOIDED : TCN_STATE_LAPSED);
        *ret_index = s.index;
        return err;
    }
    s.verified = &verified;
    s.index.needed = verified.approvals_needed;
    unsigned waits = tcn_held_waits(b, &s.index, verified.approvals);
    if (waits != 0) {
        err = waiting_put(b, &s, waits);
        if (err == TCN_OK)
            err = embargo_timer(b, &s, waits);
    } else {
        err = unhold(b, id, &s.index);
        if (err == TCN_OK)
            err = tcn_alert_unlist(b, id, &s.index);
        if (err == TCN_OK)
            err = tcn_deliver(b, &s);
    }
    *ret_index = s.index;
    return err;
}

/* ---- letting go ---- */

tcn_err tcn_held_drop(tcn_broker *b, const tcn_id *id, tcn_index *index, tcn_state state)
{
    tcn_err err = unhold(b, id, index);
    index->state = state;
    index->until = b->now;
    if (err == TCN_OK)
        err = tcn_db_put_index(b, id, index);
    if (err == TCN_OK)
        err = tcn_alert_prune_later(b, id, index);
    if (err == TCN_OK && (index->flags & TCN_FLAG_EXTERNAL) != 0)
        err = tcn_body_remove(b, id);
    return err;
}

tcn_err tcn_held_forget(tcn_broker *b, const tcn_id *id, const tcn_index *index)
{
    tcn_key keys[] = {tcn_key_id('A', id),
                      tcn_key_handle(tcn_bytes_str(index->handle), index->publisher)};
    tcn_err err = unhold(b, id, index);
    for (size_t i = 0; err == TCN_OK && i < sizeof(keys) / sizeof(keys[0]); i++)
        err = tcn_db_del(b, &keys[i]);
    if (err == TCN_OK)
        err = tcn_alert_unlist(b, id, index);
    if (err == TCN_OK && (index->flags & TCN_FLAG_EXTERNAL) != 0)
        err = tcn_body_remove(b, id);
    return err;
}

tcn_err tcn_held_timer(tcn_broker *b, const tcn_id *id, tcn_timer_kind kind)
{
    tcn_index index;
    tcn_err err = tcn_db_index(b, id, &index);
    if (err != TCN_OK || index.state != TCN_STATE_HELD)
        return tcn_spoils(err) ? err : TCN_OK;
    if (kind == TCN_TIMER_NOT_BEFORE)
        return tcn_held_review(b, id, &index);
    err = tcn_audit(b, "held alert %s of %s lapsed: it was not complete in time", index.handle,
                    index.publisher);
    return err == TCN_OK ? tcn_held_drop(b, id, &index, TCN_STATE_LAPSED) : err;
}

/* ---- approvals ---- */

/* The held envelope with the approver's signature, in b->items. */
static tcn_err add_approval(tcn_call *call, tcn_bytes held, size_t *ret_len, tcn_fault *fault)
{
    tcn_broker *b = call->b;
    tcn_cose_signer signer;
    tcn_trust_view view = tcn_view(b);
    unsigned key;
    tcn_err err =
        tcn_trust_verify_approval(&view, held, call->wire->approve.signature, &signer, fault);
    if (err != TCN_OK)
        return err;
    const tcn_issuer *issuer = tcn_bundle_signer(view.bundle, &signer.kid, &key);
    if (issuer == NULL || strcmp(issuer->name, call->session->member) != 0)
        return tcn_fault_set(fault, TCN_DENIED, "an approval is handed in by who signed it");
    err = tcn_trust_add_signer(held, &signer, b->items, sizeof(b->items), ret_len);
    if (err != TCN_OK)
        return tcn_fault_set(fault, err, "the approval cannot be added: %s", tcn_err_text(err));
    return TCN_OK;
}

/* Approved by this member before? Then the answer is the same as now. */
static bool has_approved(tcn_call *call, tcn_bytes held)
{
    tcn_cose cose;
    unsigned key;
    const tcn_bundle *bundle = tcn_roster_bundle(call->b->roster);
    if (tcn_cose_decode(held, TCN_OBJECT_ALERT, &cose) != TCN_OK)
        return false;
    for (unsigned i = 0; i < cose.signers; i++) {
        const tcn_issuer *issuer = tcn_bundle_signer(bundle, &cose.signer[i].kid, &key);
        if (issuer != NULL && strcmp(issuer->name, call->session->member) == 0)
            return true;
    }
    return false;
}

static tcn_err approve_held(tcn_call *call, tcn_index *index, tcn_fault *fault)
{
    tcn_broker *b = call->b;
    const tcn_id *id = &call->wire->approve.id;
    tcn_bytes held;
    size_t len = 0;
    tcn_err err = tcn_held_envelope(b, id, &held);
    if (err != TCN_OK)
        return tcn_fault_set(fault, err, "the held alert cannot be read: %s", tcn_err_text(err));
    if (has_approved(call, held))
        return TCN_OK;
    err = add_approval(call, held, &len, fault);
    if (err != TCN_OK)
        return err;
    tcn_key key = tcn_key_id('H', id);
    err = tcn_db_put_raw(b, &key, tcn_bytes_of(b->items, len));
    if (err == TCN_OK)
        err = tcn_audit(b, "%s approved %s of %s", call->session->member, index->handle,
                        index->publisher);
    return err == TCN_OK ? tcn_held_review(b, id, index) : err;
}

tcn_err tcn_held_approve(tcn_call *call)
{
    tcn_broker *b = call->b;
    const tcn_id *id = &call->wire->approve.id;
    tcn_fault fault = {.err = TCN_OK};
    tcn_index index;
    tcn_err err = TCN_OK;
    if (!tcn_call_has_role(call, TCN_ROLE_APPROVER))
        err =
            tcn_fault_set(&fault, TCN_WRONG_ROLE, "only a member with the role approver approves");
    if (err == TCN_OK)
        err = tcn_db_index(b, id, &index);
    if (err != TCN_OK && fault.err == TCN_OK)
        (void)tcn_fault_set(&fault, err, "no such alert waits here: %s", tcn_err_text(err));
    if (err == TCN_OK && !tcn_hash_equal(&index.payload_hash, &call->wire->approve.payload_hash))
        err = tcn_fault_set(&fault, TCN_CONFLICT,
                            "what is held under this id is not what was approved: look again");
    if (err == TCN_OK && index.state == TCN_STATE_HELD)
        err = approve_held(call, &index, &fault);
    if (tcn_spoils(err))
        return err;
    if (err != TCN_OK)
        return tcn_refuse(call, call->wire->approve.req, &fault);
    return tcn_answer_alert(call, call->wire->approve.req, id, &index);
}
