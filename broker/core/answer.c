/* SPDX-License-Identifier: Apache-2.0 */
/* answer.c - see answer.h. */
#include "answer.h"

#include "alerts.h"
#include "held.h"
#include "who.h"

static unsigned approvals_of(tcn_broker *b, const tcn_id *id)
{
    tcn_bytes held;
    tcn_verified verified;
    tcn_trust_view view = tcn_view(b);
    view.accepting = false;
    if (tcn_held_envelope(b, id, &held) != TCN_OK ||
        tcn_trust_verify_alert(&view, held, &verified, NULL) != TCN_OK)
        return 0;
    return verified.approvals;
}

tcn_err tcn_answer_fill(tcn_broker *b, const tcn_id *id, const tcn_index *index,
                        tcn_wire_answer *ret_answer)
{
    tcn_alert alert;
    bool held = index->state == TCN_STATE_HELD;
    tcn_wire_answer a = {.has_id = true,
                         .id = *id,
                         .has_state = true,
                         .accepted = !held,
                         .has_seq = index->seq > 0,
                         .seq = index->seq,
                         .handle = tcn_bytes_str(index->handle),
                         .broker = tcn_bytes_str(b->config.name)};
    tcn_err err = tcn_alert_load(b, id, index, &alert);
    if (tcn_spoils(err))
        return err;
    a.has_entitled = err == TCN_OK;
    if (err == TCN_OK)
        a.entitled = tcn_who_count(b, &alert.meta);
    unsigned approvals = held ? approvals_of(b, id) : index->needed;
    a.has_missing = true;
    a.missing = approvals < index->needed ? index->needed - approvals : 0;
    a.has_offset = (index->flags & TCN_FLAG_EXTERNAL) != 0;
    if (a.has_offset && (index->flags & TCN_FLAG_BODY) != 0)
        a.offset = index->body_size;
    else if (a.has_offset)
        (void)b->ports.blob.state(b->ports.blob.self, id, &a.offset);
    if (index->state == TCN_STATE_LAPSED || index->state == TCN_STATE_VOIDED ||
        (index->state == TCN_STATE_CANCELLED && index->seq == 0)) {
        a.error = index->state == TCN_STATE_VOIDED ? TCN_VOIDED : TCN_NOT_DELIVERABLE;
        a.text = tcn_bytes_str("it never went out: it lapsed, or was withdrawn or voided, while it "
                               "was held; publish it anew");
    }
    *ret_answer = a;
    return TCN_OK;
}

tcn_err tcn_answer_alert(tcn_call *call, uint64_t req, const tcn_id *id, const tcn_index *index)
{
    tcn_wire wire = {.op = TCN_OP_ANSWER};
    tcn_err err = tcn_answer_fill(call->b, id, index, &wire.answer);
    wire.answer.req = req;
    return err == TCN_OK ? tcn_say(call->b, call->rank, call->in->peer, &wire) : err;
}
