/* SPDX-License-Identifier: Apache-2.0 */
/* broker.c - the core as a whole: founded or recovered, one turn after the other, and what a frame
 * means. */
#include "broker.h"

#include <stdlib.h>
#include <string.h>

#include "bodies.h"
#include "fanout.h"
#include "held.h"
#include "ingest.h"
#include "ledger.h"
#include "libtocsin/turn.h"
#include "link.h"
#include "metrics.h"
#include "nodes.h"
#include "queries.h"
#include "roster_put.h"
#include "session.h"
#include "timers.h"
#include "trust.h"

void tcn_broker_config_default(tcn_broker_config *ret_config)
{
    *ret_config = (tcn_broker_config){
        .name = "broker",
        .version = "0",
        .reserve_bytes = UINT64_C(64) << 20,
        .body_reserve_bytes = UINT64_C(256) << 20,
        .window_bytes = TCN_MAX_WINDOW_BYTES,
        .keep_ms = 30 * TCN_DAY_MS,
    };
}

/* ---- one input ---- */

static tcn_err pong(tcn_call *call)
{
    tcn_wire wire = {.op = TCN_OP_PONG};
    return tcn_say(call->b, TCN_RANK_SPEECH, call->in->peer, &wire);
}

static tcn_err dispatch(tcn_call *call)
{
    switch (call->wire->op) {
    case TCN_OP_PING: return pong(call);
    case TCN_OP_SUBMIT: return tcn_ingest_submit(call);
    case TCN_OP_APPROVE: return tcn_held_approve(call);
    case TCN_OP_UPLOAD: return tcn_body_upload(call);
    case TCN_OP_RECEIPT: return tcn_ledger_receipt(call);
    case TCN_OP_BODIES: return tcn_ledger_bodies(call);
    case TCN_OP_REJECTED: return tcn_ledger_rejected(call);
    case TCN_OP_ACK: return tcn_ledger_ack(call);
    case TCN_OP_FETCH: return tcn_body_fetch(call);
    case TCN_OP_METRICS: return tcn_metrics_take(call);
    case TCN_OP_QUERY: return tcn_query_answer(call);
    case TCN_OP_TRUST_GET: return tcn_trust_get(call);
    case TCN_OP_ROSTER_PUT: return tcn_roster_put(call);
    default: /* what only a broker says */
        return tcn_say_error(call->b, call->in->peer, TCN_MALFORMED,
                             "this frame is for a broker to send");
    }
}

/* A peer that was full may take more now that it speaks again. */
static void wake_full(tcn_broker *b, const tcn_session *session)
{
    for (int i = 0; session->node != NULL && i < TCN_LANES; i++) {
        tcn_link *link = session->node->link[i];
        if (link != NULL && link->session == session && link->full) {
            link->full = false;
            tcn_link_wake(b, link);
        }
    }
}

static tcn_err apply_frame(tcn_broker *b, const tcn_broker_input *in)
{
    tcn_wire wire;
    tcn_call call = {.b = b, .in = in, .wire = &wire};
    call.rank = in->endpoint == TCN_LANE_EMERGENCY ? TCN_RANK_URGENT : TCN_RANK_SPEECH;
    call.session = tcn_session_find(b, in->peer);
    if (in->member == NULL || tcn_session_is_doomed(b, in->peer))
        return TCN_OK;
    if (tcn_wire_decode(in->frame, &wire) != TCN_OK) {
        tcn_log_line(b, TCN_EVENT_MALFORMED, "a frame of %s, %zu bytes", in->member, in->frame.len);
        return tcn_say_error(b, in->peer, TCN_MALFORMED, "a frame was malformed");
    }
    if (wire.op == TCN_OP_HELLO)
        return tcn_session_hello(&call);
    if (call.session == NULL)
        return TCN_OK;
    if (strcmp(call.session->member, in->member) != 0 || !tcn_card_counts(b, call.session->card))
        return tcn_say_error(b, in->peer, TCN_REVOKED, "the member's card is not valid any more");
    call.session->heard = b->mono;
    wake_full(b, call.session);
    if (wire.op == TCN_OP_SUBMIT && tcn_ingest_is_emergency(&wire))
        call.rank = TCN_RANK_URGENT;
    return dispatch(&call);
}

static void gone_effect(tcn_broker *b, const void *data, tcn_bytes tail)
{
    tcn_peer peer;
    (void)tail;
    memcpy(&peer, data, sizeof(peer));
    tcn_session_end(b, peer);
}

static tcn_err apply(void *core, size_t i)
{
    tcn_broker *b = core;
    const tcn_broker_input *in = &b->turn.inputs[i];
    switch (in->kind) {
    case TCN_IN_FRAME: return apply_frame(b, in);
    case TCN_IN_GONE:
        return tcn_effect_add(b, TCN_RANK_MEMORY, gone_effect, TCN_EFFECT_DATA(in->peer),
                              TCN_NO_TAIL);
    case TCN_IN_TRUST: return tcn_trust_apply(b, in->roster);
    case TCN_IN_BLOB: return tcn_body_done(b, &in->blob);
    case TCN_IN_TICK: return tcn_timers_tick(b);
    }
    return TCN_OK;
}

/* ---- the turn ---- */

static void turn_over(tcn_broker *b)
{
    tcn_effects_clear(&b->effects);
    tcn_classes_sweep(b);
    b->turn.tag = 0;
}

static void settle(void *core)
{
    tcn_broker *b = core;
    tcn_effects_run(b, TCN_RANK_FLUSH);
    tcn_effects_run(b, TCN_RANK_MEMORY);
    tcn_sessions_adopt(b);
    tcn_effects_run(b, TCN_RANK_URGENT);
    tcn_fanout_run(b, TCN_LANE_EMERGENCY);
    tcn_effects_run(b, TCN_RANK_SPEECH);
    tcn_fanout_run(b, TCN_LANE_BULK);
    tcn_fanout_release(b);
    b->stats.commits++;
    turn_over(b);
}

static void discard(void *core)
{
    tcn_broker *b = core;
    tcn_sessions_forget(b);
    tcn_trust_forget(b);
    turn_over(b);
}

static void refuse_frame(tcn_broker *b, const tcn_broker_input *in, tcn_err err)
{
    tcn_wire wire;
    tcn_fault fault;
    uint64_t req = 0;
    tcn_call call = {.b = b, .in = in, .wire = &wire, .rank = TCN_RANK_URGENT};
    call.session = tcn_session_find(b, in->peer);
    if (tcn_wire_decode(in->frame, &wire) != TCN_OK)
        return;
    switch (wire.op) {
    case TCN_OP_SUBMIT: req = wire.submit.req; break;
    case TCN_OP_APPROVE: req = wire.approve.req; break;
    case TCN_OP_UPLOAD: req = wire.upload.req; break;
    case TCN_OP_HELLO:
        (void)!tcn_say_error(b, in->peer, err, "the broker cannot take this session: try later");
        return;
    case TCN_OP_RECEIPT: tcn_ledger_receipt_refused(&call); return;
    default: return; /* it is repeated until it is confirmed */
    }
    (void)tcn_fault_set(&fault, err, "%s",
                        err == TCN_FULL
                            ? "the broker's store is full: free disk or raise store-size"
                            : tcn_err_text(err));
    (void)!tcn_refuse(&call, req, &fault);
}

static void refuse(void *core, size_t i, tcn_err err)
{
    tcn_broker *b = core;
    const tcn_broker_input *in = &b->turn.inputs[i];
    tcn_log_line(b, TCN_EVENT_INPUT_FAILED, "kind %d: %s", (int)in->kind, tcn_err_text(err));
    switch (in->kind) {
    case TCN_IN_FRAME: refuse_frame(b, in, err); break;
    case TCN_IN_GONE: tcn_session_end(b, in->peer); break;
    case TCN_IN_TRUST: tcn_trust_refused(b, in->roster); break;
    case TCN_IN_BLOB: tcn_body_failed(b, &in->blob.id, err); break;
    case TCN_IN_TICK: tcn_timers_back_off(b); break;
    }
}

static bool is_urgent(void *core, size_t i)
{
    tcn_broker *b = core;
    const tcn_broker_input *in = &b->turn.inputs[i];
    tcn_wire wire;
    if (in->kind != TCN_IN_FRAME)
        return in->kind == TCN_IN_GONE;
    return in->endpoint == TCN_LANE_EMERGENCY ||
           (tcn_wire_decode(in->frame, &wire) == TCN_OK && tcn_ingest_is_emergency(&wire));
}

static tcn_err run(tcn_broker *b, const tcn_broker_input *inputs, size_t count)
{
    static const tcn_turn_ops ops = {.apply = apply,
                                     .settle = settle,
                                     .discard = discard,
                                     .refuse = refuse,
                                     .is_urgent = is_urgent};
    bool replayed = false;
    b->turn.inputs = inputs;
    b->turn.count = count;
    tcn_err err = tcn_turn_run(&ops, b, &b->ports.store, count, &replayed);
    b->stats.replays += replayed;
    b->turn.inputs = NULL;
    b->turn.count = 0;
    return err;
}

tcn_err tcn_broker_turn(tcn_broker *b, const tcn_broker_input *inputs, size_t count)
{
    b->now = b->ports.clock.wall(b->ports.clock.self);
    b->mono = b->ports.clock.mono(b->ports.clock.self);
    b->again = false;
    b->stats.turns++;
    tcn_err err = TCN_OK;
    size_t done = 0;
    /* A roster is a turn of its own: what comes after it in the batch is judged by it. */
    do {
        size_t part = 0;
        while (done + part < count && inputs[done + part].kind != TCN_IN_TRUST)
            part++;
        if (part == 0 && done < count)
            part = 1;
        err = run(b, inputs + done, part);
        done += part;
    } while (err == TCN_OK && done < count);
    tcn_timers_load(b);
    return err;
}

bool tcn_broker_has_session(tcn_broker *b, tcn_peer peer)
{
    return tcn_session_find(b, peer) != NULL || tcn_session_is_doomed(b, peer);
}

tcn_mono tcn_broker_deadline(const tcn_broker *b)
{
    return tcn_timers_deadline(b);
}

tcn_roster *tcn_broker_roster(const tcn_broker *b)
{
    return b->roster;
}

void tcn_broker_stats_get(const tcn_broker *b, tcn_broker_stats *ret_stats)
{
    *ret_stats = b->stats;
    ret_stats->sessions = b->session_count;
    ret_stats->clients_connected = b->session_count - b->node_sessions;
    ret_stats->nodes_connected = tcn_nodes_connected(b);
    ret_stats->held = b->held;
    for (int i = 0; i < TCN_LANES; i++)
        ret_stats->seq[i] = b->lane[i].head;
}
