/* SPDX-License-Identifier: Apache-2.0 */
#include "check.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "ask.h"
#include "libtocsin/trust.h"
#include "members.h"
#include "model.h"
#include "proc.h"

/* States of inbox items, docs/protocol.md §8; of alerts, §6; of board items, §6. */
enum { IN_FORCE, CANCELLED, SUPERSEDED, EXPIRED, VOIDED };
enum { LISTED_HELD = 0, LISTED_VOIDED = 5, LISTED_LAPSED = 6 };
enum { BOARD_PENDING, BOARD_RECEIVED, BOARD_ACKED, BOARD_REJECTED, BOARD_REVOKED };

/* Clocks differ by as much as a frame travels; nothing is said of what ends about now. */
#define MARGIN_MS 120000

typedef struct {
    sim *s;
    bool strict, holds;
    int64_t wall; /* the broker's */
} check;

/* Not yet; or, if strict, wrong. */
static void lacks(check *c, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void lacks(check *c, const char *format, ...)
{
    char text[256];
    va_list args;
    c->holds = false;
    va_start(args, format);
    (void)vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (c->strict)
        sim_fail(c->s, "%s", text);
    else
        sim_trace(c->s, "not yet: %s", text);
}

static bool ends_about_now(const check *c, const sim_alert *a)
{
    int64_t until = sim_until(c->s, a);
    return until > c->wall - MARGIN_MS && until < c->wall + MARGIN_MS;
}

static bool is_node(const sim *s, const sim_agent *agent)
{
    const sim_card *card = sim_card_at(s, s->broker.version, agent->member);
    return !agent->is_clone && card->state == TCN_MEMBER_ACTIVE;
}

/* Will the broker take its answer? Not that to a cancel which it has only because it got what was
 * cancelled, once that is pruned. */
static bool may_answer(const sim *s, unsigned member, const sim_alert *a)
{
    return sim_card_at(s, s->broker.version, member)->state == TCN_MEMBER_ACTIVE &&
           (a->kind != TCN_KIND_CANCEL || sim_is_entitled(s, s->broker.version, member, a));
}

/* ---- inboxes ---- */

static const sim_item *find_item(const sim_item *items, unsigned count, const sim_alert *a)
{
    for (unsigned i = 0; i < count; i++)
        if (tcn_id_equal(&items[i].id, &a->made.id))
            return &items[i];
    return NULL;
}

/* What may never be in an inbox, whatever happened. */
static void check_item(sim *s, const sim_agent *agent, const sim_item *items, unsigned nth)
{
    const sim_item *item = &items[nth];
    const sim_alert *a = sim_alert_find(s, &item->id);
    if (a == NULL) {
        sim_fail(s, "[8] %s holds an alert that nobody made", agent->proc.name);
        return;
    }
    unsigned at = sim_alert_index(s, a);
    for (unsigned i = 0; i < nth; i++)
        if (tcn_id_equal(&items[i].id, &item->id))
            sim_fail(s, "[4] %s holds a%u twice", agent->proc.name, at);
    if (item->seq != a->seq)
        sim_fail(s, "[1] %s holds a%u with seq %llu, and it has %llu", agent->proc.name, at,
                 (unsigned long long)item->seq, (unsigned long long)a->seq);
    if (!(a->sent >> agent->member & 1))
        sim_fail(s, "[3] %s holds a%u, which it was never sent", agent->proc.name, at);
    if (!sim_could_go_out(s, a))
        sim_fail(s, "[8] %s holds a%u, which must not go out", agent->proc.name, at);
}

/* A cancel or an update that it has, has done its work. */
static void check_references(check *c, const sim_agent *agent, const sim_alert *a,
                             const sim_item *item, const sim_item *items, unsigned count)
{
    sim *s = c->s;
    for (unsigned i = 0; i < s->alerts; i++) {
        const sim_alert *by = &s->alert[i];
        bool refers = false;
        for (unsigned k = 0; k < by->references; k++)
            refers |= &s->alert[by->reference[k]] == a;
        if (!refers || find_item(items, count, by) == NULL || item->state == VOIDED)
            continue;
        if (by->kind == TCN_KIND_CANCEL && item->state != CANCELLED)
            lacks(c, "[8] %s holds a%u in state %d, and a%u which cancels it", agent->proc.name,
                  sim_alert_index(s, a), (int)item->state, i);
        if (by->kind == TCN_KIND_UPDATE && item->state == IN_FORCE)
            lacks(c, "[8] %s holds a%u in force, and a%u which updates it", agent->proc.name,
                  sim_alert_index(s, a), i);
    }
}

static void check_held(check *c, sim_agent *agent, const sim_alert *a, const sim_item *item)
{
    sim *s = c->s;
    unsigned at = sim_alert_index(s, a);
    const sim_alert *cancel = sim_cancel_of(s, a);
    /* A cancel always reaches those who got the alert. */
    if (cancel != NULL && item->state == IN_FORCE && !sim_is_doubtful(s, cancel) &&
        c->wall < sim_until(s, cancel) - MARGIN_MS)
        lacks(c, "[2] %s holds a%u in force, which a%u cancelled", agent->proc.name, at,
              sim_alert_index(s, cancel));
    if (item->state == CANCELLED && cancel == NULL)
        sim_fail(s, "[8] %s holds a%u as cancelled, and nobody cancelled it", agent->proc.name, at);
    if (!sim_must_hold(s, agent->member, a, c->wall))
        return;
    if (item->state != IN_FORCE)
        lacks(c, "[2] %s holds a%u in state %d, and it is in force", agent->proc.name, at,
              (int)item->state);
    if (item->marks & TCN_MARK_BODY_TO_COME)
        lacks(c, "[2] %s misses the body of a%u", agent->proc.name, at);
    else if (c->strict && !sim_ask_body_is_right(agent, a))
        sim_fail(s, "[2] %s has another body of a%u", agent->proc.name, at);
}

static void check_inbox(check *c, sim_agent *agent)
{
    sim *s = c->s;
    unsigned count = 0;
    sim_item *items = sim_ask_inbox(agent, true, &count);
    for (unsigned i = 0; i < count; i++)
        check_item(s, agent, items, i);
    for (unsigned i = 0; i < s->alerts && !s->failed; i++) {
        const sim_alert *a = &s->alert[i];
        const sim_item *item = find_item(items, count, a);
        if (a->same_id || ends_about_now(c, a) || !is_node(s, agent))
            continue;
        if (item == NULL && sim_must_hold(s, agent->member, a, c->wall))
            lacks(c, "[2] %s does not hold a%u", agent->proc.name, i);
        if (item == NULL)
            continue;
        check_held(c, agent, a, item);
        check_references(c, agent, a, item, items, count);
        if (may_answer(s, agent->member, a) && a->answer[agent->member].counter > 0 &&
            !item->confirmed && c->wall < a->expires)
            lacks(c, "[7] %s: the answer to a%u is not confirmed", agent->proc.name, i);
    }
    free(items);
}

/* ---- the broker ---- */

static void check_listed(check *c, const sim_alert *a)
{
    sim *s = c->s;
    unsigned at = sim_alert_index(s, a);
    int64_t keep = (int64_t)s->broker.config.keep_ms;
    if (!a->is_listed) {
        if (a->seq > 0 && s->broker.wall_most < sim_until(s, a) + keep - MARGIN_MS)
            sim_fail(s, "[1] a%u had seq %llu and is not listed", at, (unsigned long long)a->seq);
        return;
    }
    if (a->worth == SIM_BAD && a->listed_state != LISTED_LAPSED && a->listed_state != LISTED_VOIDED)
        sim_fail(s, "[8] a%u is listed with state %u", at, a->listed_state);
    if (a->listed_state != LISTED_HELD)
        return;
    bool approved = (unsigned)__builtin_popcount(a->approved) >= a->needed;
    bool has_body = !a->external || a->body_whole;
    if (approved && has_body && a->not_before < c->wall - MARGIN_MS && !sim_is_doubtful(s, a))
        lacks(c, "[1] a%u is held (waits %u), and nothing is missing", at, a->listed_waits);
}

static void check_board_row(check *c, sim_alert *a, const sim_board_row *row)
{
    sim *s = c->s;
    unsigned at = sim_alert_index(s, a);
    const char *name = s->draft[row->member].name;
    const sim_answer *answer = &a->answer[row->member];
    if (row->note < a->board_note[row->member])
        sim_fail(s, "[7] the board of a%u had answer n%u of %s, and has n%u", at,
                 a->board_note[row->member], name, row->note);
    a->board_note[row->member] = row->note;
    if (row->note < answer->note && may_answer(s, row->member, a))
        lacks(c, "[7] the board of a%u has n%u of %s, which confirmed n%u", at, row->note, name,
              answer->note);
    /* A node that may not have its body any more says that it does not get it. */
    bool may_miss = a->external && row->error == TCN_NOT_FOUND;
    if (row->rejected && !sim_is_doubtful(s, a) && !may_miss)
        sim_fail(s, "[2] %s rejected a%u: %s", name, at,
                 tcn_err_word(tcn_err_from_wire(row->error)));
}

static void check_board(check *c, sim_alert *a)
{
    sim *s = c->s;
    sim_board_row rows[SIM_MEMBERS];
    unsigned count = 0, seen = 0;
    if (!a->is_listed || !sim_ask_board(s, a, rows, &count))
        return;
    for (unsigned i = 0; i < count; i++) {
        seen |= 1u << rows[i].member;
        check_board_row(c, a, &rows[i]);
    }
    for (unsigned i = 0; i < s->agents; i++) {
        unsigned m = s->agent[i].member;
        if (!is_node(s, &s->agent[i]) || !sim_must_hold(s, m, a, c->wall))
            continue;
        if (!(seen >> m & 1))
            lacks(c, "[7] the board of a%u lacks %s", sim_alert_index(s, a), s->draft[m].name);
        for (unsigned k = 0; k < count; k++)
            if (rows[k].member == m && rows[k].state == BOARD_PENDING)
                lacks(c, "[7] the board of a%u does not know that %s has it", sim_alert_index(s, a),
                      s->draft[m].name);
    }
}

static void check_broker(check *c)
{
    sim *s = c->s;
    if (!sim_ask_alerts(s)) {
        lacks(c, "the broker does not list its alerts");
        return;
    }
    for (unsigned i = 0; i < s->alerts && !s->failed; i++) {
        if (ends_about_now(c, &s->alert[i]))
            continue;
        check_listed(c, &s->alert[i]);
        check_board(c, &s->alert[i]);
    }
}

/* ---- refusals ---- */

static bool is_withdrawn(const sim *s, const sim_alert *a)
{
    for (unsigned i = 0; i < s->alerts; i++)
        for (unsigned k = 0; k < s->alert[i].references; k++)
            if (s->alert[i].kind == TCN_KIND_CANCEL && &s->alert[s->alert[i].reference[k]] == a)
                return true;
    return false;
}

/* May the broker have refused this for good? */
static bool is_refusal_right(const sim *s, const sim_alert *a)
{
    switch (a->refused) {
    case TCN_REVOKED:
    case TCN_TLP_DENIED:
    case TCN_VOIDED: return sim_was_revoked(s, a) || sim_is_doubtful(s, a);
    case TCN_EXPIRED:
    case TCN_CONFLICT:        /* pruned meanwhile */
    case TCN_NOT_DELIVERABLE: /* dropped while it was held */
        return sim_was_revoked(s, a) || sim_is_doubtful(s, a) || is_withdrawn(s, a) ||
               a->expires <= s->broker.wall_most;
    default: return false;
    }
}

static void check_people(check *c)
{
    sim *s = c->s;
    for (unsigned i = 0; i < s->people; i++)
        if (s->person[i].ops > 0 &&
            sim_card_at(s, s->broker.version, s->person[i].member)->state == TCN_MEMBER_ACTIVE)
            lacks(c, "%s still waits for an answer about a%u", s->draft[s->person[i].member].name,
                  s->person[i].op[0].alert);
    for (unsigned i = 0; i < s->alerts; i++) {
        const sim_alert *a = &s->alert[i];
        if (a->worth == SIM_BAD && a->promised)
            sim_fail(s, "[8] a%u was taken in, and must not be", i);
        if (a->worth == SIM_VALID && a->refused != TCN_OK && !is_refusal_right(s, a))
            sim_fail(s, "[1] a%u was refused: %s", i, tcn_err_word(a->refused));
    }
}

bool sim_check(sim *s, bool strict)
{
    check c = {.s = s, .strict = strict, .holds = true};
    s->checks++;
    if (!s->broker.proc.up || s->broker.next_version != 0) {
        lacks(&c, "the broker is not up, or waits for trust");
        return false;
    }
    sim_proc_tell_time(&s->broker.proc);
    c.wall = s->broker.proc.ports.wall.unix_ms;
    check_people(&c);
    if (c.holds || strict)
        check_broker(&c);
    for (unsigned i = 0; i < s->agents && (c.holds || strict) && !s->failed; i++) {
        if (!s->agent[i].proc.up && !s->agent[i].is_clone)
            lacks(&c, "%s is not up", s->agent[i].proc.name);
        else if (s->agent[i].proc.up)
            check_inbox(&c, &s->agent[i]);
    }
    return c.holds && !s->failed;
}
