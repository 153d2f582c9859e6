/* SPDX-License-Identifier: Apache-2.0 */
/* link.c - the life of a link: docs/decisions/0003-agent-core.md has its state machine. */
#include "link.h"

#include <string.h>

#include "alerts.h"
#include "fetch.h"
#include "metrics.h"
#include "outbox.h"
#include "park.h"
#include "trust_keep.h"

#define RETRY_SEND_MS 100u /* a transport that was full is tried again */
#define FALLBACK_MS 5000u  /* without the emergency endpoint, then session takes its lane */
#define FOREIGN_MS 2000u   /* on another epoch or generation than the other link, then HELLO */
#define REFUSED_MS 60000u  /* a broker that cannot serve us is tried again */
#define HEARTBEAT_LEAST_MS 1000u
#define BULK_BIT 1u
#define EMERGENCY_BIT 2u

static bool is_session(unsigned link)
{
    return link % TCN_LANES == TCN_LANE_BULK;
}

static void set_state(tcn_agent *a, tcn_agent_link *link, tcn_agent_link_state state)
{
    link->state = state;
    link->since = a->mono;
}

void tcn_agent_link_gap(tcn_agent *a, unsigned link, tcn_lane lane, uint64_t delay_ms)
{
    tcn_agent_link *l = &a->next.link[link];
    l->gap[lane] = true;
    if (l->cut_at.ms == 0)
        l->cut_at.ms = a->mono.ms + delay_ms;
}

void tcn_agent_link_cut_now(tcn_agent *a, unsigned link)
{
    tcn_agent_link *l = &a->next.link[link];
    if (l->state != TCN_LINK_DOWN && l->cut_at.ms == 0)
        l->cut_at = a->mono;
}

/* Nothing more is taken from it; it is redone after delay_ms. */
static void give_up(tcn_agent *a, unsigned link, uint64_t delay_ms)
{
    tcn_agent_link *l = &a->next.link[link];
    set_state(a, l, TCN_LINK_UP);
    l->hello_due = false;
    l->gap[TCN_LANE_BULK] = l->gap[TCN_LANE_EMERGENCY] = true;
    l->cut_at.ms = a->mono.ms + delay_ms;
}

/* ---- inputs ---- */

static tcn_err reset(tcn_agent *a, unsigned link)
{
    memset(&a->next.link[link], 0, sizeof a->next.link[link]);
    set_state(a, &a->next.link[link], TCN_LINK_DOWN);
    tcn_err err = tcn_agent_park_drop(a, link);
    return err == TCN_OK ? tcn_agent_fetch_link_lost(a, link) : err;
}

tcn_err tcn_agent_link_up(tcn_agent *a, unsigned link)
{
    tcn_err err = reset(a, link);
    if (err != TCN_OK)
        return err;
    tcn_agent_link *l = &a->next.link[link];
    tcn_agent_link *session = &a->next.link[tcn_agent_session(link)];
    set_state(a, l, TCN_LINK_UP);
    l->heard = l->said = a->mono;
    l->hello_due = true;
    if (is_session(link)) {
        l->lanes = BULK_BIT;
        if (tcn_agent_trust(a)->broker[tcn_agent_link_broker(link)].emergencies == 0)
            l->lanes |= EMERGENCY_BIT;
        return TCN_OK;
    }
    l->lanes = EMERGENCY_BIT;
    /* The broker closes the connection that had the lane before: it must be given back first. */
    if (session->state != TCN_LINK_DOWN && (session->lanes & EMERGENCY_BIT)) {
        session->lanes = BULK_BIT;
        session->hello_due = true;
        l->hello_due = false;
        l->waits = true;
    }
    return TCN_OK;
}

static void stop_waiting(tcn_agent *a, unsigned session)
{
    tcn_agent_link *emergency = &a->next.link[tcn_agent_emergency(session)];
    if (emergency->waits) {
        emergency->waits = false;
        emergency->hello_due = true;
    }
}

tcn_err tcn_agent_link_down(tcn_agent *a, unsigned link, const char *text)
{
    tcn_agent_broker *broker = &a->next.broker[tcn_agent_link_broker(link)];
    tcn_agent_link_state before = a->next.link[link].state;
    tcn_err err = reset(a, link);
    if (err != TCN_OK)
        return err;
    if (is_session(link))
        stop_waiting(a, link);
    else if (before == TCN_LINK_SERVED) /* emergencies' acks that were sent here go by session */
        a->next.link[tcn_agent_session(link)].ack_sent = 0;
    if (text && text[0] != '\0')
        tcn_agent_note(broker->error, "%s: %s", is_session(link) ? "session" : "emergency", text);
    if (before != TCN_LINK_DOWN)
        tcn_agent_log(a, TCN_AGENT_EVENT_LINK_DOWN, "%s %s: %s", broker->name,
                      is_session(link) ? "session" : "emergency", text ? text : "");
    return TCN_OK;
}

tcn_err tcn_agent_place_save(tcn_agent *a, unsigned broker)
{
    uint8_t bytes[TCN_AGENT_PLACE_SIZE];
    tcn_agent_key key = tcn_agent_key_broker(a->next.broker[broker].name);
    tcn_agent_place_encode(&a->next.broker[broker].place, bytes);
    return tcn_agent_put(a, &key, tcn_bytes_of(bytes, sizeof bytes));
}

static void forget_cursor(tcn_agent_place *place, unsigned lane)
{
    place->has_cursor[lane] = false;
    place->cursor[lane] = (tcn_mark){.seq = 0};
}

static bool is_same_past(const tcn_agent_place *place, const tcn_id *epoch, uint64_t generation)
{
    return tcn_id_equal(&place->epoch, epoch) && place->generation == generation;
}

/* Does the broker begin below what the last HELLO said that we have? What came since then is not
 * in its answer. */
static bool begins_below(const tcn_agent_link *l, const tcn_wire_welcome *welcome, unsigned lane)
{
    return l->hellos == 0 && welcome->has_start[lane] &&
           welcome->start[lane] < l->told.cursor[lane].seq;
}

/* Where the broker begins below what we have, its past is another one now. */
static tcn_err take_place(tcn_agent *a, unsigned link, const tcn_wire_welcome *welcome)
{
    unsigned b = tcn_agent_link_broker(link);
    tcn_agent_link *l = &a->next.link[link];
    tcn_agent_place *place = &a->next.broker[b].place, before = *place;
    bool is_other = !is_same_past(place, &welcome->epoch, welcome->generation);
    bool is_of_place = is_same_past(place, &l->told.epoch, l->told.generation);
    l->epoch = welcome->epoch;
    l->generation = welcome->generation;
    if (is_other && !is_of_place) /* the other link brought a newer answer: HELLO again (join) */
        return TCN_OK;
    place->epoch = welcome->epoch;
    place->generation = welcome->generation;
    for (unsigned lane = 0; lane < TCN_LANES; lane++)
        if (is_other || (is_of_place && begins_below(l, welcome, lane)))
            forget_cursor(place, lane);
    uint8_t was[TCN_AGENT_PLACE_SIZE], is[TCN_AGENT_PLACE_SIZE];
    tcn_agent_place_encode(&before, was);
    tcn_agent_place_encode(place, is);
    return memcmp(was, is, sizeof is) == 0 ? TCN_OK : tcn_agent_place_save(a, b);
}

static tcn_err take_welcome(tcn_agent *a, unsigned link, const tcn_wire_welcome *welcome)
{
    tcn_agent_link *l = &a->next.link[link];
    tcn_agent_broker *broker = &a->next.broker[tcn_agent_link_broker(link)];
    if (welcome->version != TCN_PROTOCOL_VERSION || l->hellos == 0 ||
        !tcn_bytes_equal(welcome->broker, tcn_bytes_str(broker->name))) {
        tcn_agent_note(broker->error, "its WELCOME is not one for us");
        tcn_agent_log(a, TCN_AGENT_EVENT_WELCOME_REFUSED, "%s answers with another name or version",
                      broker->name);
        give_up(a, link, REFUSED_MS);
        return TCN_OK;
    }
    l->hellos--;
    tcn_err err = take_place(a, link, welcome);
    if (err != TCN_OK)
        return err;
    broker->has_time = true;
    broker->time_ms = welcome->time.unix_ms - (int64_t)a->mono.ms;
    l->heartbeat_ms = welcome->heartbeat_ms < HEARTBEAT_LEAST_MS     ? HEARTBEAT_LEAST_MS
                      : welcome->heartbeat_ms > TCN_MAX_HEARTBEAT_MS ? TCN_MAX_HEARTBEAT_MS
                                                                     : welcome->heartbeat_ms;
    if (l->state != TCN_LINK_SERVED)
        tcn_agent_log(a, TCN_AGENT_EVENT_LINK_UP, "%s %s", broker->name,
                      is_session(link) ? "session" : "emergency");
    set_state(a, l, TCN_LINK_SERVED);
    l->ack_sent = 0;
    l->rejected_due = l->bodies_due = true;
    l->metrics_due = is_session(link);
    if (is_session(link) && l->hellos == 0 && l->lanes == BULK_BIT)
        stop_waiting(a, link);
    if (l->lanes & EMERGENCY_BIT && is_session(link))
        tcn_agent_note(broker->error, "no emergency endpoint: emergencies come by session");
    else if (a->next.link[tcn_agent_session(link)].state == TCN_LINK_SERVED)
        broker->error[0] = '\0';
    return TCN_OK;
}

/* What we may have has widened: everything comes again. The other link tells so itself, or is
 * told to begin anew. */
static tcn_err take_generation(tcn_agent *a, unsigned link, uint64_t generation)
{
    unsigned b = tcn_agent_link_broker(link);
    tcn_agent_place *place = &a->next.broker[b].place;
    a->next.link[link].generation = generation;
    /* A running broker's generations rise: a lower one was longer on its way than the other. */
    if (tcn_id_equal(&a->next.link[link].epoch, &place->epoch) && generation <= place->generation)
        return TCN_OK;
    place->generation = generation;
    for (unsigned lane = 0; lane < TCN_LANES; lane++)
        forget_cursor(place, lane);
    tcn_agent_log(a, TCN_AGENT_EVENT_GENERATION, "%s sends everything again",
                  a->next.broker[b].name);
    return tcn_agent_place_save(a, b);
}

static void take_error(tcn_agent *a, unsigned link, tcn_err error, tcn_bytes text)
{
    tcn_agent_broker *broker = &a->next.broker[tcn_agent_link_broker(link)];
    tcn_agent_note(broker->error, "%s: %.*s", tcn_err_word(error), (int)text.len,
                   (const char *)text.ptr);
    tcn_agent_log(a, TCN_AGENT_EVENT_BROKER_ERROR, "%s: %s", broker->name, broker->error);
    if (a->next.link[link].state != TCN_LINK_SERVED)
        give_up(a, link, REFUSED_MS);
}

static void refuse_frame(tcn_agent *a, unsigned link)
{
    tcn_agent_broker *broker = &a->next.broker[tcn_agent_link_broker(link)];
    tcn_agent_note(broker->error, "it sent a frame that is none");
    tcn_agent_log(a, TCN_AGENT_EVENT_FRAME_REFUSED, "%s sent a frame that is none", broker->name);
    give_up(a, link, REFUSED_MS);
}

static tcn_err take_frame(tcn_agent *a, unsigned link, const tcn_wire *wire, tcn_bytes frame)
{
    bool is_served = a->next.link[link].state == TCN_LINK_SERVED;
    switch (wire->op) {
    case TCN_OP_WELCOME: return take_welcome(a, link, &wire->welcome);
    case TCN_OP_TRUST: return tcn_agent_trust_piece(a, link, wire);
    case TCN_OP_CARD: return tcn_agent_card_take(a, wire->envelope);
    case TCN_OP_ERROR: take_error(a, link, wire->error.error, wire->error.text); return TCN_OK;
    case TCN_OP_PONG: return TCN_OK;
    case TCN_OP_ALERTS: return is_served ? tcn_agent_alerts_take(a, link, wire, frame) : TCN_OK;
    case TCN_OP_GENERATION: return is_served ? take_generation(a, link, wire->generation) : TCN_OK;
    case TCN_OP_BODY: return tcn_agent_fetch_piece(a, link, wire);
    case TCN_OP_BODY_GONE:
        return tcn_agent_fetch_gone(a, link, &wire->body_gone.id, wire->body_gone.error);
    case TCN_OP_BODIES_OK: return tcn_agent_outbox_bodies_ok(a, link, &wire->ids);
    case TCN_OP_REJECTED_OK: return tcn_agent_outbox_rejected_ok(a, link, &wire->ids);
    case TCN_OP_ACK_OK:
        return tcn_agent_outbox_ack_ok(a, link, &wire->ack_ok.id, wire->ack_ok.counter,
                                       wire->ack_ok.error);
    default: refuse_frame(a, link); return TCN_OK;
    }
}

tcn_err tcn_agent_link_frame(tcn_agent *a, unsigned link, tcn_bytes frame)
{
    tcn_agent_link *l = &a->next.link[link];
    if (l->state == TCN_LINK_DOWN || l->state == TCN_LINK_CUT)
        return TCN_OK;
    l->heard = a->mono;
    a->next.broker[tcn_agent_link_broker(link)].heard = a->wall;
    tcn_wire wire;
    if (tcn_wire_decode(frame, &wire) != TCN_OK) {
        refuse_frame(a, link);
        return TCN_OK;
    }
    return take_frame(a, link, &wire, frame);
}

/* ---- after the commit ---- */

bool tcn_agent_link_send(tcn_agent *a, unsigned link, const tcn_wire *wire)
{
    size_t len;
    if (tcn_wire_encode(wire, a->scratch, TCN_MAX_FRAME_BYTES, &len) != TCN_OK)
        return false;
    tcn_peer peer = tcn_agent_link_peer(tcn_agent_link_broker(link), (tcn_lane)(link % TCN_LANES));
    switch (a->ports.net.send(a->ports.net.self, peer, tcn_bytes_of(a->scratch, len))) {
    case TCN_SENT: a->now.link[link].said = a->mono; return true;
    case TCN_SEND_FULL: tcn_agent_wake_in(a, RETRY_SEND_MS); return false;
    case TCN_SEND_GONE: break; /* LINK_DOWN follows */
    }
    return false;
}

bool tcn_agent_link_carries(const tcn_agent *a, unsigned link, tcn_lane lane)
{
    if (a->now.link[link].state != TCN_LINK_SERVED)
        return false;
    bool has_emergency = a->now.link[tcn_agent_emergency(link)].state == TCN_LINK_SERVED;
    return is_session(link) ? lane == TCN_LANE_BULK || !has_emergency : lane == TCN_LANE_EMERGENCY;
}

bool tcn_agent_has_emergency_endpoint(const tcn_agent *a)
{
    for (unsigned link = 0; link < TCN_AGENT_LINKS; link++)
        if (is_session(link) && a->now.link[link].state == TCN_LINK_SERVED &&
            a->now.link[tcn_agent_emergency(link)].state != TCN_LINK_SERVED)
            return false;
    return true;
}

static bool is_due(tcn_agent *a, tcn_mono from, uint64_t ms)
{
    if (a->mono.ms >= from.ms + ms)
        return true;
    tcn_agent_wake_at(a, (tcn_mono){from.ms + ms});
    return false;
}

static void ask_cut(tcn_agent *a, tcn_agent_link *l)
{
    set_state(a, l, TCN_LINK_CUT);
    l->wants_cut = true;
    l->cut_at.ms = 0;
}

/* An endpoint that stays away: session takes the emergency lane, too. */
static void fall_back(tcn_agent *a, unsigned link, tcn_agent_link *session)
{
    const tcn_agent_link *emergency = &a->now.link[tcn_agent_emergency(link)];
    if (session->state != TCN_LINK_SERVED || emergency->state == TCN_LINK_SERVED ||
        emergency->waits || (session->lanes & EMERGENCY_BIT))
        return;
    tcn_mono from = emergency->since.ms > session->since.ms ? emergency->since : session->since;
    if (is_due(a, from, FALLBACK_MS)) {
        session->lanes = BULK_BIT | EMERGENCY_BIT;
        session->hello_due = true;
    }
}

/* The other link is in another epoch or generation: what comes here moves no cursor until this
 * one is told, too. The broker tells by itself; if it does not, a HELLO asks. */
static void join(tcn_agent *a, unsigned link, tcn_agent_link *l)
{
    const tcn_agent_place *place = &a->now.broker[tcn_agent_link_broker(link)].place;
    if (tcn_id_equal(&l->epoch, &place->epoch) && l->generation == place->generation) {
        l->foreign_since.ms = 0;
        return;
    }
    if (l->foreign_since.ms == 0)
        l->foreign_since = a->mono;
    if (is_due(a, l->foreign_since, FOREIGN_MS)) {
        l->hello_due = true;
        l->foreign_since = a->mono;
    }
}

static void run_timers(tcn_agent *a, unsigned link)
{
    tcn_agent_link *l = &a->now.link[link];
    if (l->state == TCN_LINK_DOWN || l->state == TCN_LINK_CUT)
        return;
    bool must_answer = is_session(link) || (l->state == TCN_LINK_UP && !l->waits);
    if ((l->cut_at.ms != 0 && is_due(a, l->cut_at, 0)) ||
        (l->cut_at.ms == 0 && must_answer && is_due(a, l->heard, TCN_MAX_DEAD_MS))) {
        ask_cut(a, l);
        return;
    }
    if (l->state != TCN_LINK_SERVED)
        return;
    join(a, link, l);
    if (!is_session(link))
        return;
    fall_back(a, link, l);
    if (is_due(a, l->metrics_at, TCN_MAX_METRICS_MS)) {
        l->metrics_due = true;
        l->rejected_due = l->bodies_due = true; /* what was not confirmed is said again */
        l->metrics_at = a->mono;
        tcn_agent_wake_in(a, TCN_MAX_METRICS_MS);
    }
    if (is_due(a, l->said, l->heartbeat_ms))
        l->ping_due = true;
}

static bool say_hello(tcn_agent *a, unsigned link)
{
    const tcn_agent_broker *broker = &a->now.broker[tcn_agent_link_broker(link)];
    tcn_wire wire = {.op = TCN_OP_HELLO};
    tcn_wire_hello *hello = &wire.hello;
    hello->versions = 1;
    hello->version[0] = TCN_PROTOCOL_VERSION;
    hello->mode = TCN_MODE_NODE;
    hello->instance = a->instance;
    hello->trust_version = a->bundle->version;
    hello->has_subscriptions = a->config.subscriptions > 0;
    hello->subscriptions = a->config.subscriptions;
    for (unsigned i = 0; i < a->config.subscriptions; i++)
        hello->subscription[i] = tcn_bytes_str(a->config.subscribe[i]);
    hello->epoch = broker->place.epoch;
    hello->generation = broker->place.generation;
    memcpy(hello->has_cursor, broker->place.has_cursor, sizeof hello->has_cursor);
    memcpy(hello->cursor, broker->place.cursor, sizeof hello->cursor);
    hello->lanes = a->now.link[link].lanes;
    hello->software = tcn_bytes_str(a->config.version);
    if (!tcn_agent_link_send(a, link, &wire))
        return false;
    a->now.link[link].told = broker->place;
    a->now.link[link].hellos++;
    a->now.link[link].hello_due = false;
    return true;
}

static bool say_receipt(tcn_agent *a, unsigned link, tcn_lane lane)
{
    const tcn_agent_place *place = &a->now.broker[tcn_agent_link_broker(link)].place;
    tcn_wire wire = {.op = TCN_OP_RECEIPT,
                     .receipt = {.lane = lane, .epoch = place->epoch, .at = place->cursor[lane]}};
    if (!tcn_agent_link_send(a, link, &wire))
        return false;
    a->now.link[link].receipt_due[lane] = false;
    return true;
}

static void pump(tcn_agent *a, unsigned link)
{
    tcn_agent_link *l = &a->now.link[link];
    if ((l->state != TCN_LINK_UP && l->state != TCN_LINK_SERVED) ||
        (l->hello_due && !say_hello(a, link)) || l->state != TCN_LINK_SERVED)
        return;
    for (int lane = TCN_LANE_EMERGENCY; lane >= 0; lane--)
        if (l->receipt_due[lane] && !say_receipt(a, link, (tcn_lane)lane))
            return;
    if (!tcn_agent_outbox_pump(a, link) || !is_session(link))
        return;
    if (l->metrics_due)
        l->metrics_due = !tcn_agent_metrics_send(a, link);
    tcn_wire ping = {.op = TCN_OP_PING};
    if (l->ping_due && is_due(a, l->said, l->heartbeat_ms))
        (void)tcn_agent_link_send(a, link, &ping);
    l->ping_due = false;
    (void)is_due(a, l->said, l->heartbeat_ms);
}

void tcn_agent_links_pump(tcn_agent *a)
{
    for (unsigned link = 0; link < TCN_AGENT_LINKS; link++)
        run_timers(a, link);
    for (int lane = TCN_LANE_EMERGENCY; lane >= 0; lane--)
        for (unsigned link = (unsigned)lane; link < TCN_AGENT_LINKS; link += TCN_LANES)
            pump(a, link);
}
