/* SPDX-License-Identifier: Apache-2.0 */
/* call.c - see call.h. */
#include "call.h"

#include "nodes.h"

tcn_err tcn_refuse(tcn_call *call, uint64_t req, const tcn_fault *fault)
{
    tcn_broker *b = call->b;
    tcn_wire wire = {.op = TCN_OP_ANSWER};
    wire.answer = (tcn_wire_answer){.req = req,
                                    .error = fault->err,
                                    .broker = tcn_bytes_str(b->config.name),
                                    .text = tcn_bytes_str(fault->text)};
    tcn_log_line(b, TCN_EVENT_REFUSED, "%s of %s: %s: %s", tcn_op_word(call->wire->op),
                 call->session != NULL ? call->session->member : "?", tcn_err_word(fault->err),
                 fault->text);
    b->stats.refused++;
    return tcn_say(b, call->rank, call->in->peer, &wire);
}

bool tcn_call_has_role(const tcn_call *call, unsigned roles)
{
    return (call->session->card->roles & roles) != 0 &&
           tcn_card_counts(call->b, call->session->card);
}

tcn_node *tcn_node_of(const tcn_call *call)
{
    if (call->session->node != NULL)
        return call->session->node;
    return tcn_node_find(call->b, call->session->member);
}
