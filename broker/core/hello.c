/* SPDX-License-Identifier: Apache-2.0 */
/* hello.c - HELLO: who speaks, which lanes of a node, and where its sending starts. */
#include <string.h>

#include "fanout.h"
#include "journal.h"
#include "ledger.h"
#include "link.h"
#include "node_record.h"
#include "nodes.h"
#include "session.h"
#include "trust.h"

/* What settle makes of a HELLO. */
typedef struct {
    tcn_session *session;
    tcn_class *class; /* node: its class with these subscriptions */
    tcn_node_changed changed;
    tcn_mark start[TCN_LANES];
    bool new_epoch;
    tcn_id epoch;
} opened;

/* ---- refusals ---- */

typedef struct {
    char member[TCN_MAX_NAME_CHARS + 1];
    uint64_t version;
} claimed;

static void stale_effect(tcn_broker *b, const void *data, tcn_bytes tail)
{
    const claimed *claim = data;
    (void)tail;
    tcn_alarm(b, TCN_EVENT_TRUST_BEHIND,
              "%s holds trust version %llu, ours is %llu: import the newer roster", claim->member,
              (unsigned long long)claim->version,
              (unsigned long long)tcn_roster_version(b->roster));
    tcn_claims_add(&b->stale, claim->member, claim->version);
}

static tcn_err refuse_stale(tcn_call *call)
{
    tcn_broker *b = call->b;
    const tcn_wire_hello *hello = &call->wire->hello;
    tcn_err err = TCN_OK;
    if (hello->trust_version > tcn_roster_version(b->roster)) {
        claimed claim = {.version = hello->trust_version};
        memcpy(claim.member, call->in->member, strlen(call->in->member) + 1);
        err = tcn_effect_add(b, TCN_RANK_MEMORY, stale_effect, TCN_EFFECT_DATA(claim), TCN_NO_TAIL);
    }
    return err == TCN_OK ? tcn_say_error(b, call->in->peer, TCN_STALE,
                                         "the broker holds older trust than its members: its "
                                         "operator must import the newer roster")
                         : err;
}

/* Why this HELLO is refused; TCN_OK: it is not. */
static tcn_err admit(tcn_call *call, const tcn_card *card, const char **ret_text)
{
    const tcn_broker *b = call->b;
    const tcn_wire_hello *hello = &call->wire->hello;
    bool spoken = false;
    for (unsigned i = 0; i < hello->versions; i++)
        spoken |= hello->version[i] == TCN_PROTOCOL_VERSION;
    if (!spoken) {
        *ret_text = "this broker speaks protocol version 1 only: update the other side";
        return TCN_VERSION;
    }
    if (card == NULL || !tcn_card_counts(b, card)) {
        *ret_text = "the member's card is unknown, expired or revoked: ask the authority";
        return TCN_REVOKED;
    }
    if (hello->mode == TCN_MODE_NODE && (card->roles & TCN_ROLE_NODE) == 0) {
        *ret_text = "the member does not have the role node: ask the authority";
        return TCN_WRONG_ROLE;
    }
    if (b->session_count + b->turn.openings >= TCN_MAX_SESSIONS) {
        *ret_text = "the broker has as many sessions as it takes: try again later";
        return TCN_FULL;
    }
    return TCN_OK;
}

/* ---- where a node starts ---- */

static void place_floor(tcn_mark *ret_start)
{
    *ret_start = (tcn_mark){0, 0};
}

/* *ret_wrong: the cursor is of our epoch, but not of our history. */
static tcn_err place_lane(tcn_call *call, tcn_lane lane, uint64_t generation, tcn_mark *ret_start,
                          bool *ret_wrong)
{
    tcn_broker *b = call->b;
    const tcn_wire_hello *hello = &call->wire->hello;
    tcn_mark cursor = hello->cursor[lane];
    tcn_key head_key = tcn_key_head(lane);
    uint64_t head = 0, tag = 0;
    place_floor(ret_start);
    if (!hello->has_cursor[lane] || cursor.seq == 0 || hello->generation != generation ||
        !tcn_id_equal(&hello->epoch, &b->epoch))
        return TCN_OK;
    tcn_err err = tcn_db_u64s(b, &head_key, &head, 1);
    if (err != TCN_OK && err != TCN_NOT_FOUND)
        return err;
    if (cursor.seq > head) {
        *ret_wrong = true;
        return TCN_OK;
    }
    err = tcn_journal_tag(b, lane, cursor.seq, &tag);
    if (tcn_spoils(err))
        return err;
    if (err == TCN_OK && tag != cursor.tag)
        *ret_wrong = true;
    else
        *ret_start = cursor; /* pruned or damaged: nothing there to compare it with */
    return TCN_OK;
}

static void lost_effect(tcn_broker *b, const void *data, tcn_bytes tail)
{
    const claimed *claim = data;
    (void)tail;
    tcn_claims_add(&b->lost, claim->member, claim->version);
}

/* A node knows a history of this epoch that we do not: our store is older than it should be, or the
 * node lies. It starts anew, alone; all do once a part of them says so, and once in a process. */
static tcn_err renew_epoch(tcn_broker *b, const char *node, opened *ret_opened)
{
    tcn_meta meta;
    tcn_alarm(b, TCN_EVENT_RESTORED_FROM_BACKUP, "%s has a cursor that this store never wrote",
              node);
    if (b->epoch_renewed)
        return TCN_OK;
    if (!tcn_claims_suffice_with(&b->lost, node, b->nodes)) {
        claimed claim = {.version = 0};
        memcpy(claim.member, node, strlen(node) + 1);
        return tcn_effect_add(b, TCN_RANK_MEMORY, lost_effect, TCN_EFFECT_DATA(claim), TCN_NO_TAIL);
    }
    tcn_err err = tcn_db_meta(b, &meta);
    if (err != TCN_OK)
        return err;
    b->ports.random.fill(b->ports.random.self, meta.epoch.b, sizeof(meta.epoch.b));
    meta.founded = b->now;
    ret_opened->new_epoch = true;
    ret_opened->epoch = meta.epoch;
    return tcn_db_put_meta(b, &meta);
}

static tcn_err place_node(tcn_call *call, const tcn_node *node, opened *ret_opened)
{
    tcn_broker *b = call->b;
    bool wrong = false;
    for (int lane = 0; lane < TCN_LANES; lane++) {
        tcn_err err = place_lane(call, (tcn_lane)lane, ret_opened->changed.generation,
                                 &ret_opened->start[lane], &wrong);
        if (err == TCN_OK && ret_opened->start[lane].seq > 0)
            err = tcn_ledger_catch_up(b, node, (tcn_lane)lane, ret_opened->start[lane].seq,
                                      ret_opened->changed.generation);
        if (err != TCN_OK)
            return err;
    }
    if (!wrong)
        return TCN_OK;
    place_floor(&ret_opened->start[TCN_LANE_BULK]);
    place_floor(&ret_opened->start[TCN_LANE_EMERGENCY]);
    return renew_epoch(b, node->name, ret_opened);
}

/* Subscriptions are terms like the card's: wider ones are a new generation. */
static tcn_err open_node(tcn_call *call, const tcn_card *card, opened *ret_opened)
{
    tcn_broker *b = call->b;
    const tcn_wire_hello *hello = &call->wire->hello;
    tcn_node *node = tcn_node_find(b, card->name);
    tcn_terms asked, terms;
    if (node == NULL)
        return TCN_NOT_FOUND; /* cannot be: every card with role node has one */
    asked.has_subscriptions = hello->has_subscriptions;
    asked.subscriptions = hello->subscriptions;
    memcpy(asked.subscription, hello->subscription, sizeof(asked.subscription));
    tcn_terms_of_card(card, &asked, &terms);
    ret_opened->class = tcn_class_of(b, &terms);
    if (ret_opened->class == NULL)
        return TCN_NO_MEMORY;
    tcn_node_change change = {.name = card->name,
                              .active = true,
                              .terms = &terms,
                              .instance = &hello->instance,
                              .found = true};
    tcn_err err = tcn_node_record_change(b, &change, &ret_opened->changed);
    ret_opened->session->node = node;
    return err == TCN_OK ? place_node(call, node, ret_opened) : err;
}

/* ---- settle ---- */

/* At most so many client sessions of a member: the one that was silent longest goes. */
static void limit_clients(tcn_broker *b, const tcn_session *new)
{
    unsigned count = 0;
    tcn_session *oldest = NULL;
    for (tcn_session *s = b->sessions; s != NULL; s = s->next) {
        if (s == new || s->mode != TCN_MODE_CLIENT || strcmp(s->member, new->member) != 0)
            continue;
        count++;
        if (oldest == NULL || s->heard.ms < oldest->heard.ms)
            oldest = s;
    }
    if (count >= TCN_MAX_SESSIONS_PER_MEMBER)
        tcn_session_close(b, oldest, "its member opened more sessions than it may have");
}

static void watch_instance(tcn_broker *b, tcn_node *node, const tcn_id *instance)
{
    if (tcn_id_equal(&node->instance, instance))
        return;
    if (tcn_id_equal(&node->instance_before, instance) && !tcn_id_is_zero(instance) &&
        b->mono.ms - node->before_since.ms < TCN_CLONE_MS)
        tcn_alarm(b, TCN_EVENT_CLONE_SUSPECTED,
                  "two instances of %s take turns: is its key used twice?", node->name);
    node->instance_before = node->instance;
    node->before_since = b->mono;
    node->instance = *instance;
}

/* The lanes pass to the new session; an older one that has none left, or is another instance's, is
 * closed. */
static bool take_lanes(tcn_broker *b, const opened *o)
{
    tcn_session *session = o->session;
    tcn_node *node = session->node;
    for (int i = 0; i < TCN_LANES; i++) {
        if ((session->lanes & 1u << i) == 0)
            continue;
        tcn_link *link = tcn_node_link(node, (tcn_lane)i);
        if (link == NULL)
            return false;
        tcn_session *old = link->session;
        if (old != NULL && old != session) {
            old->lanes &= ~(1u << i);
            tcn_link_close(b, link);
            if (old->lanes == 0 || !tcn_id_equal(&old->instance, &session->instance))
                tcn_session_close(b, old, "replaced by a newer session of the node");
        }
        tcn_link_open(b, link, session, o->start[i]);
    }
    return true;
}

static void adopt_epoch(tcn_broker *b, const opened *o)
{
    b->epoch = o->epoch;
    b->epoch_renewed = true;
    for (tcn_session *next, *s = b->sessions; s != NULL; s = next) {
        next = s->next;
        if (s->mode == TCN_MODE_NODE && s != o->session)
            tcn_session_close(b, s, "the epoch changed");
    }
}

static void opened_effect(tcn_broker *b, const void *data, tcn_bytes tail)
{
    opened o = *(const opened *)data;
    tcn_session *session = o.session;
    tcn_node *node = session->node;
    (void)tail;
    tcn_session_end(b, session->peer); /* a repeated HELLO */
    if (session->mode == TCN_MODE_CLIENT)
        limit_clients(b, session);
    tcn_session_insert(b, session);
    if (o.new_epoch)
        adopt_epoch(b, &o);
    if (node == NULL)
        return;
    watch_instance(b, node, &session->instance);
    tcn_node_set_class(b, node, o.class);
    node->generation = o.changed.generation;
    if (o.changed.narrowed && !node->has_past) {
        node->has_past = true;
        b->nodes_with_past++;
    }
    if (!take_lanes(b, &o)) {
        tcn_session_close(b, session, "out of memory");
        return;
    }
    if (node->regenerate) /* a lane that moved here has nothing in flight any more */
        tcn_node_regenerate(b, node);
    if (o.changed.widened) {
        /* This session was told in WELCOME; the node's other one was not. */
        for (int i = 0; i < TCN_LANES; i++) {
            tcn_link *link = node->link[i];
            if (link != NULL && link->session != NULL && link->session != session)
                tcn_session_close(b, link->session, "its node's subscriptions changed");
        }
    }
}

/* ---- answer ---- */

static tcn_err welcome(tcn_call *call, const opened *o)
{
    tcn_broker *b = call->b;
    tcn_wire wire = {.op = TCN_OP_WELCOME};
    wire.welcome = (tcn_wire_welcome){
        .version = TCN_PROTOCOL_VERSION,
        .epoch = o->new_epoch ? o->epoch : b->epoch,
        .generation = o->changed.generation,
        .trust_version = tcn_roster_version(b->roster),
        .time = b->now,
        .broker = tcn_bytes_str(b->config.name),
        .heartbeat_ms = TCN_MAX_HEARTBEAT_MS,
        .max_body_bytes = tcn_roster_bundle(b->roster)->policy.max_body_bytes,
        .window_bytes = b->config.window_bytes,
    };
    for (int i = 0; i < TCN_LANES; i++) {
        wire.welcome.has_start[i] = (o->session->lanes & 1u << i) != 0;
        wire.welcome.start[i] = o->start[i].seq;
    }
    tcn_err err = tcn_say(b, TCN_RANK_URGENT, call->in->peer, &wire);
    if (err == TCN_OK)
        err = tcn_trust_greet(b, o->session);
    if (o->session->trust_version < tcn_roster_version(b->roster))
        o->session->trust_version = tcn_roster_version(b->roster);
    return err;
}

tcn_err tcn_session_hello(tcn_call *call)
{
    tcn_broker *b = call->b;
    const tcn_wire_hello *hello = &call->wire->hello;
    const char *text = NULL;
    size_t at = tcn_roster_find(b->roster, call->in->member);
    const tcn_card *card = at != SIZE_MAX ? tcn_roster_member(b->roster, at) : NULL;
    tcn_err err = admit(call, card, &text);
    if (err != TCN_OK)
        return tcn_say_error(b, call->in->peer, err, text);
    if (hello->trust_version > tcn_roster_version(b->roster) || !tcn_is_serving(b))
        return refuse_stale(call);

    opened o = {.session = NULL};
    err = tcn_session_open(b, &o.session);
    if (err != TCN_OK)
        return err;
    tcn_session *s = o.session;
    s->peer = call->in->peer;
    s->endpoint = call->in->endpoint;
    s->mode = hello->mode;
    s->card = card;
    s->instance = hello->instance;
    s->heard = b->mono;
    s->trust_version = hello->trust_version;
    memcpy(s->member, card->name, sizeof(s->member));
    if (s->mode == TCN_MODE_NODE) {
        s->lanes = hello->lanes != 0 ? hello->lanes : 1u << s->endpoint;
        err = open_node(call, card, &o);
        if (err != TCN_OK)
            return err;
    }
    err = tcn_effect_add(b, TCN_RANK_MEMORY, opened_effect, TCN_EFFECT_DATA(o), TCN_NO_TAIL);
    return err == TCN_OK ? welcome(call, &o) : err;
}
