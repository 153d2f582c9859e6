/* SPDX-License-Identifier: Apache-2.0 */
#include "watch.h"

#include <string.h>

#include "host.h"
#include "libtocsin/card.h"
#include "libtocsin/cose.h"
#include "members.h"
#include "model.h"

static int64_t broker_wall(const sim *s)
{
    return s->broker.proc.ports.wall.unix_ms;
}

/* The version that the broker judges by while it speaks. */
static uint64_t judged_by(const sim *s)
{
    return tcn_roster_version(tcn_broker_roster(s->broker.core));
}

/* ---- to the broker ---- */

static unsigned pattern_of(tcn_bytes text)
{
    for (unsigned i = 0; i < SIM_PATTERNS; i++)
        if (tcn_bytes_equal(text, tcn_bytes_str(sim_patterns[i])))
            return 1u << i;
    return 0;
}

static void heard_hello(sim *s, sim_conn *c, const tcn_wire_hello *hello)
{
    unsigned subscribe = 0;
    for (unsigned i = 0; i < hello->subscriptions; i++)
        subscribe |= pattern_of(hello->subscription[i]);
    if (c->hellos == sizeof c->hello_subscribe / sizeof c->hello_subscribe[0]) {
        sim_fail(s, "peer %llu: HELLO after HELLO without an answer", (unsigned long long)c->peer);
        return;
    }
    c->is_node = hello->mode == TCN_MODE_NODE;
    c->lanes = hello->lanes;
    c->hello_subscribe[c->hellos++] = subscribe;
    if (c->is_node) {
        sim_note_entitled(s);
        s->told_subscribe[c->member] = subscribe;
        sim_note_entitled(s);
    }
}

static void heard_submit(sim *s, tcn_bytes envelope)
{
    sim_alert *a = sim_alert_of(s, envelope);
    if (a == NULL)
        return;
    if (!a->handed_in || broker_wall(s) < a->handed_at)
        a->handed_at = broker_wall(s);
    a->handed_in = true;
}

void sim_watch_up(sim *s, sim_conn *c, tcn_bytes frame)
{
    tcn_wire wire;
    s->frames++;
    sim_mix(s, frame.ptr, frame.len);
    if (tcn_wire_decode(frame, &wire) != TCN_OK) {
        sim_fail(s, "a frame of %s is malformed", s->draft[c->member].name);
        return;
    }
    sim_trace(s, "  %s/%d#%llu > %s", s->draft[c->member].name, (int)c->endpoint,
              (unsigned long long)c->peer, tcn_op_word(wire.op));
    if (wire.op == TCN_OP_HELLO)
        heard_hello(s, c, &wire.hello);
    else if (wire.op == TCN_OP_SUBMIT)
        heard_submit(s, wire.submit.envelope);
}

/* ---- from the broker ---- */

static void said_welcome(sim *s, sim_conn *c, const tcn_wire_welcome *welcome)
{
    (void)welcome;
    if (c->hellos == 0) {
        sim_fail(s, "WELCOME to peer %llu, which did not ask", (unsigned long long)c->peer);
        return;
    }
    if (c->is_node) {
        s->left_subscribe[c->member] = s->heard_subscribe[c->member];
        s->left_at[c->member] = s->turns;
        s->heard_subscribe[c->member] = c->hello_subscribe[0];
    }
    c->hellos--;
    memmove(c->hello_subscribe, c->hello_subscribe + 1, c->hellos * sizeof c->hello_subscribe[0]);
    c->is_welcomed = true;
    for (unsigned lane = 0; lane < TCN_LANES; lane++)
        c->complete_to[lane] = 0;
    sim_note_entitled(s);
}

void sim_learn_seq(sim *s, sim_alert *a, uint64_t seq, const char *from)
{
    unsigned at = sim_alert_index(s, a);
    if (seq == 0)
        return;
    if (a->seq != 0 && a->seq != seq)
        sim_fail(s, "[1] a%u has seq %llu by %s, and had %llu", at, (unsigned long long)seq, from,
                 (unsigned long long)a->seq);
    if (a->seq == 0) {
        if (!sim_could_go_out(s, a))
            sim_fail(s, "[8] a%u is accepted, though it must not be", at);
        sim_trace(s, "  a%u has seq %llu", at, (unsigned long long)seq);
        for (unsigned i = 0; i < s->alerts; i++)
            if (s->alert[i].lane == a->lane && s->alert[i].seq == seq)
                sim_fail(s, "[1] a%u and a%u have the same seq", i, at);
        sim_note_entitled(s);
    }
    a->seq = seq;
}

static void check_alert(sim *s, const sim_conn *c, tcn_bytes envelope, uint64_t seq)
{
    sim_alert *a = sim_alert_of(s, envelope);
    const char *name = s->draft[c->member].name;
    uint64_t version = judged_by(s);
    if (a == NULL) {
        sim_fail(s, "[8] %s is sent an alert that nobody made", name);
        return;
    }
    unsigned at = sim_alert_index(s, a);
    sim_learn_seq(s, a, seq, "ALERTS");
    sim_trace(s, "  %s/%d#%llu < a%u", name, (int)c->endpoint, (unsigned long long)c->peer, at);
    if (!sim_could_go_out(s, a))
        sim_fail(s, "[8] %s is sent a%u, which must not go out", name, at);
    if (!sim_may_have(s, version, c->member, a))
        sim_fail(s, "[3] %s is sent a%u, which it may not have (trust %llu)", name, at,
                 (unsigned long long)version);
    if (sim_is_voided(s, version, a))
        sim_fail(s, "[8] %s is sent a%u, which is voided", name, at);
    if (broker_wall(s) >= sim_until(s, a))
        sim_fail(s, "[3] %s is sent a%u, which is over", name, at);
    const sim_alert *cancel = sim_cancel_of(s, a);
    /* An update goes out all the same: what it refers to is superseded. */
    if (cancel != NULL && a->kind != TCN_KIND_UPDATE)
        sim_fail(s, "[3] %s is sent a%u, which a%u cancelled", name, at,
                 sim_alert_index(s, cancel));
    if (a->external && !sim_broker_has_body(s, &a->made.id))
        sim_fail(s, "[8] %s is sent a%u, whose body is not whole", name, at);
    a->sent |= 1u << c->member;
}

static void said_alerts(sim *s, sim_conn *c, const tcn_wire *wire)
{
    tcn_cbor_reader r;
    const char *name = s->draft[c->member].name;
    uint64_t to = wire->alerts.complete_to.seq;
    uint64_t *before = &c->complete_to[wire->alerts.lane];
    if (!c->is_welcomed || !c->is_node)
        sim_fail(s, "[3] ALERTS to %s, which has no node session there", name);
    if (to <= *before)
        sim_fail(s, "[5] ALERTS to %s complete to %llu after %llu", name, (unsigned long long)to,
                 (unsigned long long)*before);
    *before = to;
    tcn_cbor_reader_init(&r, wire->alerts.alerts.raw);
    for (size_t i = 0; i < wire->alerts.alerts.count; i++) {
        uint64_t seq = 0;
        tcn_bytes envelope = tcn_wire_get_alert(&r, &seq);
        if (seq == 0 || seq > to)
            sim_fail(s, "[1] ALERTS to %s has seq %llu, complete to %llu", name,
                     (unsigned long long)seq, (unsigned long long)to);
        check_alert(s, c, envelope, seq);
    }
}

static void said_answer(sim *s, const sim_conn *c, const tcn_wire_answer *answer)
{
    sim_alert *a = answer->has_id ? sim_alert_find(s, &answer->id) : NULL;
    sim_trace(s, "  %s#%llu < answer %llu: %s%s %.*s", s->draft[c->member].name,
              (unsigned long long)c->peer, (unsigned long long)answer->req,
              tcn_err_word(answer->error),
              !answer->has_state ? ""
              : answer->accepted ? " accepted"
                                 : " pending",
              (int)answer->text.len, (const char *)answer->text.ptr);
    if (a == NULL || answer->error != TCN_OK)
        return;
    if (answer->has_seq)
        sim_learn_seq(s, a, answer->seq, "an answer");
    else if (a->seq != 0 && answer->has_missing)
        sim_fail(s, "[1] a%u is pending, and had seq %llu", sim_alert_index(s, a),
                 (unsigned long long)a->seq);
}

/* By the subscriptions that a HELLO of the same turn replaced: what was asked before it. */
static bool might_have(sim *s, unsigned member, const sim_alert *a)
{
    unsigned now = s->heard_subscribe[member];
    if (s->left_at[member] != s->turns)
        return false;
    s->heard_subscribe[member] = s->left_subscribe[member];
    bool might = sim_may_have(s, judged_by(s), member, a);
    s->heard_subscribe[member] = now;
    return might;
}

static void said_body(sim *s, const sim_conn *c, const tcn_id *id)
{
    const sim_alert *a = sim_alert_find(s, id);
    const char *name = s->draft[c->member].name;
    if (a == NULL)
        sim_fail(s, "[3] %s is sent a body that nobody made", name);
    else if (a->author != c->member && !sim_may_have(s, judged_by(s), c->member, a) &&
             !might_have(s, c->member, a))
        sim_fail(s, "[3] %s is sent a part of the body of a%u, which it may not have", name,
                 sim_alert_index(s, a));
}

static void said_card(sim *s, const sim_conn *c, tcn_bytes envelope)
{
    tcn_card card;
    if (tcn_card_open(envelope, world_authority(s->w), &card, NULL) != TCN_OK) {
        sim_fail(s, "[3] a CARD that does not open");
        return;
    }
    if (strcmp(card.name, s->draft[c->member].name) != 0)
        sim_fail(s, "[3] %s is sent the card of %s", s->draft[c->member].name, card.name);
    tcn_card_fini(&card);
}

void sim_watch_down(sim *s, sim_conn *c, tcn_bytes frame)
{
    tcn_wire wire;
    s->frames++;
    sim_mix(s, frame.ptr, frame.len);
    if (tcn_wire_decode(frame, &wire) != TCN_OK) {
        sim_fail(s, "a frame of the broker is malformed");
        return;
    }
    if (wire.op != TCN_OP_ANSWER)
        sim_trace(s, "  %s/%d#%llu < %s", s->draft[c->member].name, (int)c->endpoint,
                  (unsigned long long)c->peer, tcn_op_word(wire.op));
    switch (wire.op) {
    case TCN_OP_WELCOME: said_welcome(s, c, &wire.welcome); break;
    case TCN_OP_ALERTS: said_alerts(s, c, &wire); break;
    case TCN_OP_GENERATION: c->complete_to[0] = c->complete_to[1] = 0; break;
    case TCN_OP_ANSWER: said_answer(s, c, &wire.answer); break;
    case TCN_OP_BODY: said_body(s, c, &wire.body.id); break;
    case TCN_OP_CARD: said_card(s, c, wire.envelope); break;
    default: break;
    }
}

/* ---- from an agent ---- */

static void check_hello(sim *s, sim_agent *agent, const tcn_wire_hello *hello)
{
    const char *name = agent->proc.name;
    if (hello->trust_version < agent->trust_version)
        sim_fail(s, "[5] %s goes back to trust version %llu", name,
                 (unsigned long long)hello->trust_version);
    agent->trust_version = hello->trust_version;
    bool is_same =
        tcn_id_equal(&hello->epoch, &agent->epoch) && hello->generation == agent->generation;
    for (unsigned lane = 0; lane < TCN_LANES; lane++) {
        uint64_t seq = hello->has_cursor[lane] ? hello->cursor[lane].seq : 0;
        if (is_same && seq < agent->cursor[lane])
            sim_fail(s, "[5] %s goes back from %llu to %llu in lane %u", name,
                     (unsigned long long)agent->cursor[lane], (unsigned long long)seq, lane);
        agent->cursor[lane] = seq;
    }
    if (!is_same && hello->generation < agent->generation &&
        tcn_id_equal(&hello->epoch, &agent->epoch))
        sim_fail(s, "[5] %s goes back to generation %llu", name,
                 (unsigned long long)hello->generation);
    agent->epoch = hello->epoch;
    agent->generation = hello->generation;
}

void sim_watch_said(sim *s, sim_agent *agent, tcn_bytes frame)
{
    tcn_wire wire;
    if (tcn_wire_decode(frame, &wire) != TCN_OK) {
        sim_fail(s, "%s says a malformed frame", agent->proc.name);
        return;
    }
    if (wire.op == TCN_OP_HELLO)
        check_hello(s, agent, &wire.hello);
}
