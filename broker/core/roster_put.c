/* SPDX-License-Identifier: Apache-2.0 */
/* roster_put.c - see roster_put.h. */
#include "roster_put.h"

typedef struct {
    tcn_peer peer;
    uint64_t req, total, offset;
} piece;

static void answer(tcn_broker *b, tcn_peer peer, uint64_t req, tcn_err error, const char *text)
{
    tcn_wire wire = {.op = TCN_OP_ANSWER};
    wire.answer = (tcn_wire_answer){.req = req,
                                    .error = error,
                                    .has_offset = true,
                                    .offset = b->roster_put.bytes.len,
                                    .broker = tcn_bytes_str(b->config.name),
                                    .text = tcn_bytes_str(text)};
    (void)tcn_say_now(b, peer, &wire);
}

static void piece_effect(tcn_broker *b, const void *data, tcn_bytes tail)
{
    const piece *p = data;
    tcn_roster_upload *put = &b->roster_put;
    if (put->whole) {
        answer(b, p->peer, p->req, TCN_BUSY, "another roster is being checked: try again");
        return;
    }
    if (p->offset == 0) {
        tcn_buf_clear(&put->bytes);
        put->peer = p->peer;
        put->total = p->total;
    }
    if (put->peer != p->peer || put->total != p->total || p->offset != put->bytes.len ||
        tail.len > p->total - p->offset) {
        answer(b, p->peer, p->req, TCN_CONFLICT, "the pieces do not fit: send it from the start");
        return;
    }
    tcn_err err = tcn_buf_append(&put->bytes, tail);
    if (err != TCN_OK) {
        tcn_buf_clear(&put->bytes);
        answer(b, p->peer, p->req, err, tcn_err_text(err));
        return;
    }
    put->req = p->req;
    put->whole = put->bytes.len == p->total;
    if (!put->whole)
        answer(b, p->peer, p->req, TCN_OK, "");
}

tcn_err tcn_roster_put(tcn_call *call)
{
    tcn_fault fault = {.err = TCN_OK};
    piece p = {.peer = call->in->peer,
               .req = call->wire->roster_put.req,
               .total = call->wire->roster_put.total,
               .offset = call->wire->roster_put.offset};
    if (!tcn_call_has_role(call, TCN_ROLE_OPERATOR))
        (void)tcn_fault_set(&fault, TCN_WRONG_ROLE, "only an operator hands over a roster");
    else if (p.total == 0 || p.total > TCN_MAX_ROSTER_BYTES || p.offset > p.total)
        (void)tcn_fault_set(&fault, TCN_TOO_LARGE, "a trust file has 1 to %d bytes",
                            TCN_MAX_ROSTER_BYTES);
    if (fault.err != TCN_OK)
        return tcn_refuse(call, p.req, &fault);
    return tcn_effect_add(call->b, TCN_RANK_SPEECH, piece_effect, TCN_EFFECT_DATA(p),
                          call->wire->roster_put.bytes);
}

bool tcn_broker_take_roster_put(tcn_broker *b, tcn_bytes *ret_file)
{
    if (!b->roster_put.whole)
        return false;
    *ret_file = tcn_buf_bytes(&b->roster_put.bytes);
    return true;
}

void tcn_broker_roster_put_done(tcn_broker *b, tcn_err err, const char *text)
{
    if (!b->roster_put.whole)
        return;
    b->roster_put.whole = false;
    answer(b, b->roster_put.peer, b->roster_put.req, err, text);
    tcn_buf_fini(&b->roster_put.bytes);
    tcn_buf_init(&b->roster_put.bytes, TCN_MAX_ROSTER_BYTES);
}
