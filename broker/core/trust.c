/* SPDX-License-Identifier: Apache-2.0 */
/* trust.c - see trust.h. */
#include "trust.h"

#include <stdlib.h>
#include <string.h>

#include "fanout.h"
#include "link.h"
#include "node_record.h"
#include "nodes.h"
#include "session.h"

/* ---- telling ---- */

static void trust_wire(tcn_broker *b, uint64_t offset, tcn_wire *ret_wire)
{
    tcn_bytes bundle = tcn_roster_bundle_envelope(b->roster);
    size_t left = bundle.len - (size_t)offset;
    *ret_wire = (tcn_wire){.op = TCN_OP_TRUST};
    ret_wire->trust.version = tcn_roster_version(b->roster);
    ret_wire->trust.total = bundle.len;
    ret_wire->trust.offset = offset;
    ret_wire->trust.bytes =
        tcn_bytes_of(bundle.ptr + offset, left < TCN_MAX_CHUNK_BYTES ? left : TCN_MAX_CHUNK_BYTES);
}

static bool card_wire(tcn_broker *b, const tcn_session *session, tcn_wire *ret_wire)
{
    size_t at = tcn_roster_find(b->roster, session->member);
    if (at == SIZE_MAX || tcn_roster_member(b->roster, at)->version <= session->trust_version)
        return false;
    *ret_wire = (tcn_wire){.op = TCN_OP_CARD};
    ret_wire->envelope = tcn_roster_card_envelope(b->roster, at);
    return true;
}

tcn_err tcn_trust_greet(tcn_broker *b, const tcn_session *session)
{
    tcn_wire wire;
    tcn_err err = TCN_OK;
    if (tcn_roster_version(b->roster) > session->trust_version) {
        trust_wire(b, 0, &wire);
        err = tcn_say(b, TCN_RANK_URGENT, session->peer, &wire);
    }
    if (err == TCN_OK && card_wire(b, session, &wire))
        err = tcn_say(b, TCN_RANK_URGENT, session->peer, &wire);
    return err;
}

tcn_err tcn_trust_get(tcn_call *call)
{
    tcn_broker *b = call->b;
    tcn_wire wire;
    uint64_t offset = call->wire->trust_get.offset;
    if (call->wire->trust_get.version != tcn_roster_version(b->roster) ||
        offset >= tcn_roster_bundle_envelope(b->roster).len)
        offset = 0; /* there is a newer one: from its start */
    trust_wire(b, offset, &wire);
    return tcn_say(b, TCN_RANK_URGENT, call->in->peer, &wire);
}

static void push(tcn_broker *b)
{
    tcn_wire wire;
    for (tcn_session *next, *s = b->sessions; s != NULL; s = next) {
        next = s->next;
        uint64_t held = s->trust_version;
        trust_wire(b, 0, &wire);
        if (tcn_roster_version(b->roster) <= held || !tcn_say_now(b, s->peer, &wire))
            continue;
        if (card_wire(b, s, &wire) && !tcn_say_now(b, s->peer, &wire))
            continue;
        s->trust_version = tcn_roster_version(b->roster);
    }
}

/* ---- preparing: all that needs memory, before the commit ---- */

static tcn_err prepare_row(tcn_broker *b, const tcn_card *card, size_t member)
{
    tcn_next_roster *next = &b->turn.next;
    tcn_node_row *row = &next->row[next->rows];
    tcn_terms stored, terms;
    const tcn_terms *subscriptions = NULL;
    *row = (tcn_node_row){.member = member, .node = tcn_node_find(b, card->name)};
    if (row->node != NULL) {
        subscriptions = &row->node->class->terms;
    } else {
        tcn_err err = tcn_node_record_terms(b, card->name, &stored);
        if (tcn_spoils(err))
            return err;
        if (err == TCN_OK)
            subscriptions = &stored;
    }
    tcn_terms_of_card(card, subscriptions, &terms);
    row->class = tcn_class_of(b, &terms);
    if (row->class == NULL)
        return TCN_NO_MEMORY;
    if (row->node == NULL) {
        row->node = calloc(1, sizeof(*row->node));
        if (row->node == NULL)
            return TCN_NO_MEMORY;
        row->is_new = true;
        memcpy(row->node->name, card->name, sizeof(row->node->name));
        tcn_key from = {.len = 0};
        tcn_past past;
        while (tcn_past_next(b, card->name, &from, &past))
            row->node->has_past |= past.narrowed;
    }
    next->rows++;
    return TCN_OK;
}

tcn_err tcn_trust_prepare(tcn_broker *b, tcn_roster *roster)
{
    tcn_next_roster *next = &b->turn.next;
    size_t members = tcn_roster_members(roster);
    *next = (tcn_next_roster){.row = calloc(members + 1, sizeof(*next->row))};
    if (next->row == NULL)
        return TCN_NO_MEMORY;
    next->roster = tcn_roster_ref(roster);
    for (size_t i = 0; i < members; i++) {
        const tcn_card *card = tcn_roster_member(roster, i);
        if ((card->roles & TCN_ROLE_NODE) == 0)
            continue;
        tcn_err err = prepare_row(b, card, i);
        if (err != TCN_OK)
            return err;
    }
    return TCN_OK;
}

void tcn_trust_forget(tcn_broker *b)
{
    tcn_next_roster *next = &b->turn.next;
    for (size_t i = 0; i < next->rows; i++)
        if (next->row[i].is_new)
            free(next->row[i].node);
    free(next->row);
    tcn_roster_unref(&next->roster);
    *next = (tcn_next_roster){.roster = NULL};
}

/* ---- adopting ---- */

static bool has_transport(const tcn_card *card, const uint8_t key[static 32], tcn_wall now)
{
    for (unsigned i = 0; i < card->keys; i++) {
        const tcn_card_key *k = &card->key[i];
        if (k->use == TCN_KEY_TRANSPORT && now.unix_ms < k->until.unix_ms &&
            memcmp(k->public_bytes, key, sizeof(k->public_bytes)) == 0)
            return true;
    }
    return false;
}

static bool same_transport(const tcn_card *old, const tcn_card *new, tcn_wall now)
{
    const tcn_card_key *was = tcn_card_key_at(old, TCN_KEY_TRANSPORT, now);
    return was == NULL || has_transport(new, was->public_bytes, now);
}

/* Why a member's connections must be cut; NULL: they may stay. */
static const char *narrowed(tcn_broker *b, const tcn_session *session, const tcn_card *new)
{
    const tcn_card *old = session->card;
    tcn_terms before, after;
    if (new == NULL)
        return "not in the roster any more";
    if (!tcn_card_counts(b, new))
        return "its card is not valid any more";
    if (!same_transport(old, new, tcn_trust_now(b)))
        return "its transport key changed";
    if ((old->roles & ~new->roles) != 0)
        return "it lost a role";
    if (session->mode != TCN_MODE_NODE)
        return NULL;
    tcn_terms_of_card(old, NULL, &before);
    tcn_terms_of_card(new, NULL, &after);
    return tcn_terms_exceed(&before, &after) ? "it may have less than before" : NULL;
}

static void cut_narrowed(tcn_broker *b, tcn_roster *roster)
{
    for (tcn_session *next, *s = b->sessions; s != NULL; s = next) {
        next = s->next;
        size_t at = tcn_roster_find(roster, s->member);
        const tcn_card *card = at != SIZE_MAX ? tcn_roster_member(roster, at) : NULL;
        const char *why = narrowed(b, s, card);
        if (why != NULL)
            tcn_session_close(b, s, why);
        else
            s->card = card;
    }
}

static void adopt_rows(tcn_broker *b, tcn_next_roster *next, tcn_node **table)
{
    for (size_t i = 0; i < b->nodes; i++)
        b->node[i]->mark = 0;
    for (size_t i = 0; i < next->rows; i++) {
        tcn_node *node = next->row[i].node;
        node->mark = 1;
        node->member = next->row[i].member;
        node->card = tcn_roster_member(next->roster, node->member);
        tcn_node_set_class(b, node, next->row[i].class);
        table[i] = node;
    }
    for (size_t i = 0; i < b->nodes; i++)
        if (b->node[i]->mark == 0)
            tcn_node_free(b, b->node[i]);
    free(b->node);
    b->node = table;
    b->nodes = next->rows;
    b->nodes_with_past = 0;
    for (size_t i = 0; i < b->nodes; i++)
        b->nodes_with_past += b->node[i]->has_past;
}

void tcn_trust_adopt(tcn_broker *b)
{
    tcn_next_roster *next = &b->turn.next;
    if (next->roster == NULL)
        return;
    cut_narrowed(b, next->roster);
    /* The rows become the table: a node pointer is never larger than a row. */
    tcn_node **table = calloc(next->rows + 1, sizeof(tcn_node *));
    if (table == NULL) {
        /* What was narrowed is cut already; the shell hears that the version did not change. */
        tcn_alarm(b, TCN_EVENT_TRUST_NOT_ADOPTED,
                  "out of memory for roster %llu: restart the broker",
                  (unsigned long long)tcn_roster_version(next->roster));
        while (b->sessions != NULL)
            tcn_session_close(b, b->sessions, "no memory for the new roster");
        tcn_trust_forget(b);
        return;
    }
    adopt_rows(b, next, table);
    free(next->row);
    tcn_roster_unref(&b->roster);
    b->roster = next->roster;
    *next = (tcn_next_roster){.roster = NULL};
    b->revision++;
    b->compromised = false;
    for (size_t i = 0; i < tcn_roster_members(b->roster); i++)
        b->compromised |= tcn_roster_member(b->roster, i)->state == TCN_MEMBER_COMPROMISED;
    tcn_claims_drop(&b->stale, tcn_roster_version(b->roster));
    tcn_log_line(b, TCN_EVENT_TRUST, "version %llu in force, %zu members, %zu nodes",
                 (unsigned long long)tcn_roster_version(b->roster), tcn_roster_members(b->roster),
                 b->nodes);
    push(b);
    for (int i = 0; i < TCN_LANES; i++)
        b->lane[i].grew = true; /* look at everybody again */
}

/* ---- reconciling ---- */

typedef struct {
    char name[TCN_MAX_NAME_CHARS + 1];
    tcn_node_changed changed;
} reconciled;

/* Behind adopt: the node of that name is the new roster's. */
static void reconciled_effect(tcn_broker *b, const void *data, tcn_bytes tail)
{
    const reconciled *r = data;
    tcn_node *node = tcn_node_find(b, r->name);
    (void)tail;
    if (node == NULL)
        return;
    node->generation = r->changed.generation;
    if (r->changed.narrowed && !node->has_past) {
        node->has_past = true;
        b->nodes_with_past++;
    }
    if (!r->changed.widened)
        return;
    node->regenerate = true;
    tcn_node_regenerate(b, node);
}

static tcn_err reconcile_node(tcn_broker *b, const tcn_card *card, const tcn_class *class)
{
    tcn_node_change change = {
        .name = card->name, .active = tcn_card_counts(b, card), .terms = &class->terms};
    reconciled r = {.name = ""};
    tcn_err err = tcn_node_record_change(b, &change, &r.changed);
    if (err != TCN_OK || r.changed.generation == 0)
        return tcn_spoils(err) ? err : TCN_OK;
    memcpy(r.name, card->name, sizeof(r.name));
    return tcn_effect_add(b, TCN_RANK_MEMORY, reconciled_effect, TCN_EFFECT_DATA(r), TCN_NO_TAIL);
}

static void void_effect(tcn_broker *b, const void *data, tcn_bytes tail)
{
    (void)data;
    (void)tail;
    b->voiding = true;
}

/* Every newly compromised member's alerts are to be marked. V: since u64, done u64. */
static tcn_err reconcile_compromised(tcn_broker *b, const tcn_card *card)
{
    uint64_t row[2];
    tcn_key key = tcn_key_name('V', card->name);
    if (card->state != TCN_MEMBER_COMPROMISED)
        return TCN_OK;
    tcn_err err = tcn_db_u64s(b, &key, row, 2);
    if (tcn_spoils(err))
        return err;
    if (err != TCN_OK || row[0] != (uint64_t)card->since.unix_ms) {
        row[0] = (uint64_t)card->since.unix_ms;
        row[1] = 0;
        err = tcn_db_put_u64s(b, &key, row, 2);
        if (err != TCN_OK)
            return err;
    }
    return row[1] == 0 ? tcn_effect_add(b, TCN_RANK_MEMORY, void_effect, TCN_NO_TAIL, TCN_NO_TAIL)
                       : TCN_OK;
}

static void due_effect(tcn_broker *b, const void *data, tcn_bytes tail)
{
    (void)tail;
    memcpy(&b->reconcile_due, data, sizeof(b->reconcile_due));
}

/* roster with its rows: those prepared, or those in force. */
static tcn_err reconcile(tcn_broker *b, const tcn_roster *roster)
{
    const tcn_next_roster *next = &b->turn.next;
    size_t nodes = next->roster != NULL ? next->rows : b->nodes;
    tcn_meta meta;
    tcn_err err = tcn_db_meta(b, &meta);
    for (size_t i = 0; err == TCN_OK && i < nodes; i++) {
        const tcn_node_row *row = next->roster != NULL ? &next->row[i] : NULL;
        size_t member = row != NULL ? row->member : b->node[i]->member;
        err = reconcile_node(b, tcn_roster_member(roster, member),
                             row != NULL ? row->class : b->node[i]->class);
    }
    for (size_t i = 0; err == TCN_OK && i < tcn_roster_members(roster); i++)
        err = reconcile_compromised(b, tcn_roster_member(roster, i));
    if (err == TCN_OK && meta.trust_version < tcn_roster_version(roster)) {
        meta.trust_version = tcn_roster_version(roster);
        err = tcn_db_put_meta(b, &meta);
    }
    bool due = false;
    return err == TCN_OK
               ? tcn_effect_add(b, TCN_RANK_MEMORY, due_effect, TCN_EFFECT_DATA(due), TCN_NO_TAIL)
               : err;
}

tcn_err tcn_trust_reconcile(tcn_broker *b)
{
    return reconcile(b, b->roster);
}

static void adopt_effect(tcn_broker *b, const void *data, tcn_bytes tail)
{
    (void)data;
    (void)tail;
    tcn_trust_adopt(b);
}

tcn_err tcn_trust_apply(tcn_broker *b, tcn_roster *roster)
{
    if (tcn_roster_version(roster) <= tcn_roster_version(b->roster)) {
        tcn_log_line(b, TCN_EVENT_TRUST_OLD, "version %llu is not above %llu: ignored",
                     (unsigned long long)tcn_roster_version(roster),
                     (unsigned long long)tcn_roster_version(b->roster));
        return TCN_OK;
    }
    tcn_err err = tcn_trust_prepare(b, roster);
    if (err == TCN_OK)
        err = tcn_effect_add(b, TCN_RANK_MEMORY, adopt_effect, TCN_NO_TAIL, TCN_NO_TAIL);
    return err == TCN_OK ? reconcile(b, roster) : err;
}

void tcn_trust_refused(tcn_broker *b, tcn_roster *roster)
{
    bool due = true;
    const tcn_store *store = &b->ports.store;
    tcn_err err = store->ops->begin(store->self, TCN_TXN_READ);
    if (err == TCN_OK)
        err = tcn_trust_prepare(b, roster);
    store->ops->abort(store->self);
    if (err == TCN_OK)
        err = tcn_effect_add(b, TCN_RANK_MEMORY, adopt_effect, TCN_NO_TAIL, TCN_NO_TAIL);
    if (err == TCN_OK)
        err = tcn_effect_add(b, TCN_RANK_MEMORY, due_effect, TCN_EFFECT_DATA(due), TCN_NO_TAIL);
    if (err != TCN_OK) {
        tcn_trust_forget(b);
        tcn_alarm(b, TCN_EVENT_TRUST_NOT_ADOPTED, "roster %llu: %s: restart the broker",
                  (unsigned long long)tcn_roster_version(roster), tcn_err_text(err));
        return;
    }
    tcn_alarm(b, TCN_EVENT_TRUST_NOT_STORED,
              "roster %llu is in force, but the store is full: free disk",
              (unsigned long long)tcn_roster_version(roster));
}
