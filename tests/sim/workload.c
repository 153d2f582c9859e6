/* SPDX-License-Identifier: Apache-2.0 */
#include "workload.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ask.h"
#include "host.h"
#include "members.h"
#include "model.h"
#include "people.h"
#include "tests/support/mem.h"

#define MINUTE_MS INT64_C(60000)

static int64_t true_wall(const sim *s)
{
    return SIM_START + (int64_t)s->now;
}

/* ---- what an alert is ---- */

static const unsigned audience_topic = 3; /* any will do */

static unsigned random_publisher(sim *s)
{
    unsigned set = 0;
    for (unsigned m = 0; m < s->members; m++)
        set |= s->draft[m].roles & TCN_ROLE_PUBLISHER ? 1u << m : 0;
    return (unsigned)__builtin_ctz(sim_bit_of(&s->work, set));
}

static unsigned some_nodes(sim *s)
{
    unsigned set = 0;
    for (unsigned m = 0; m < s->members; m++)
        if (s->draft[m].roles & TCN_ROLE_NODE && sim_once_in(&s->work, 2))
            set |= 1u << m;
    return set;
}

static int64_t some_validity(sim *s)
{
    switch (sim_below(&s->work, 4)) {
    case 0: return (int64_t)sim_between(&s->work, 1, 10) * MINUTE_MS;
    case 1: return (int64_t)sim_between(&s->work, 1, 10) * 60 * MINUTE_MS;
    default: return (int64_t)sim_between(&s->work, 2, 30) * 1440 * MINUTE_MS;
    }
}

static void choose(sim *s, sim_alert *a)
{
    a->publisher = a->author = random_publisher(s);
    const sim_card *card = &s->draft[a->publisher];
    a->lane = card->emergency && sim_once_in(&s->work, 3) ? TCN_LANE_EMERGENCY : TCN_LANE_BULK;
    a->tlp = (tcn_tlp)sim_between(&s->work, TCN_TLP_CLEAR, TCN_TLP_RED);
    if (a->tlp == TCN_TLP_RED && !sim_once_in(&s->work, 3))
        a->tlp = TCN_TLP_GREEN;
    a->status = sim_once_in(&s->work, 6) ? TCN_STATUS_EXERCISE : TCN_STATUS_ACTUAL;
    a->topic = (unsigned)sim_below(&s->work, SIM_TOPICS);
    if (sim_once_in(&s->work, 4))
        a->communities = (unsigned)sim_between(&s->work, 1, (1u << SIM_COMMUNITIES) - 1);
    if (a->tlp == TCN_TLP_RED || sim_once_in(&s->work, 8))
        a->audience = some_nodes(s);
    if (a->tlp == TCN_TLP_RED && a->audience == 0) {
        a->tlp = TCN_TLP_AMBER;
        a->topic = audience_topic;
    }
    a->created = true_wall(s) - (int64_t)sim_below(&s->work, 2000);
    a->expires = a->created + some_validity(s);
    if (sim_once_in(&s->work, 6))
        a->not_before = a->created + (int64_t)sim_between(&s->work, 1, 59000);
    a->external = a->lane == TCN_LANE_BULK && sim_once_in(&s->work, 3);
}

/* Something about it that must keep it from everybody. */
static void spoil(sim *s, sim_alert *a, world_options *o)
{
    a->worth = SIM_BAD;
    switch (sim_below(&s->work, 3)) {
    case 0: o->no_author = true, o->approvers[0] = "app-1", o->approvers[1] = NULL; break;
    case 1: /* over already, unless the broker's clock is behind */
        a->worth = SIM_MAYBE;
        a->expires = a->created + 1;
        a->not_before = 0;
        break;
    default:
        a->publisher = a->author = sim_member_find(s, "app-1"); /* no publisher at all */
        o->author_role = TCN_ROLE_PUBLISHER;
        o->approvers[0] = NULL;
        break;
    }
}

static void write_body(sim *s, sim_alert *a)
{
    sim_rng bytes = {sim_next(&s->work)};
    a->body_len = sim_between(&s->work, 1, a->external ? SIM_BODY_MOST : 3000);
    a->body = mem_zeroed(a->body_len + 1);
    for (size_t i = 0; i < a->body_len; i++)
        a->body[i] = (char)('a' + sim_next(&bytes) % 26);
}

static void seal(sim *s, sim_alert *a, world_options *o)
{
    const char *names[SIM_MEMBERS];
    for (unsigned m = 0; m < s->members; m++)
        names[m] = s->draft[m].name;
    o->publisher = names[a->publisher];
    o->topic = sim_topics[a->topic];
    o->lane = a->lane;
    o->tlp = a->tlp;
    o->status = a->status;
    o->kind = a->kind;
    o->created.unix_ms = a->created;
    o->not_before.unix_ms = a->not_before;
    o->expires.unix_ms = a->expires;
    sim_strings(sim_communities, a->communities, o->communities);
    sim_strings(names, a->audience, o->to);
    for (unsigned i = 0; i < a->references; i++)
        o->references[i] = &s->alert[a->reference[i]].made.id;
    if (a->expires > a->created + MINUTE_MS && sim_once_in(&s->work, 6))
        o->ack_by.unix_ms = a->expires - 1;
    a->tracked = a->lane == TCN_LANE_EMERGENCY || o->ack_by.unix_ms != 0;
    o->external = a->external;
    o->zstd = sim_once_in(&s->work, 2);
    write_body(s, a);
    o->body = a->body;
    o->body_bytes = a->body_len;
    a->made = world_alert_make(s->w, o);
}

static void count_approvals(sim *s, sim_alert *a, const world_options *o)
{
    if (a->lane == TCN_LANE_EMERGENCY && a->status == TCN_STATUS_ACTUAL)
        a->needed = a->kind == TCN_KIND_CANCEL ? 1 : 2;
    if (!o->no_author && s->draft[a->author].roles & TCN_ROLE_APPROVER)
        a->approvals |= 1u << a->author;
    for (unsigned i = 0; o->approvers[i] != NULL; i++)
        a->approvals |= 1u << sim_member_find(s, o->approvers[i]);
    a->approved = a->approvals;
}

static void hand_in(sim *s, unsigned at)
{
    sim_alert *a = &s->alert[at];
    sim_person *author = sim_person_of(s, a->author);
    if (author == NULL || !sim_person_add(s, author, SIM_SUBMIT, at, s->now))
        return;
    if (sim_once_in(&s->work, 8)) /* twice, for good measure */
        (void)sim_person_add(s, author, SIM_SUBMIT, at, s->now + sim_below(&s->work, 5000));
}

static void ask_approvals(sim *s, unsigned at)
{
    static const char *const approvers[] = {"pub-1", "app-1", "app-2"};
    for (size_t i = 0; i < sizeof approvers / sizeof approvers[0]; i++) {
        unsigned member = sim_member_find(s, approvers[i]);
        if (member != s->alert[at].author && !sim_once_in(&s->work, 3))
            (void)sim_person_add(s, sim_person_of(s, member), SIM_APPROVE, at,
                                 s->now + sim_between(&s->work, 10, 60000));
    }
}

static const char *kind_word(const sim_alert *a)
{
    return a->kind == TCN_KIND_ALERT ? "alert" : a->kind == TCN_KIND_UPDATE ? "update" : "cancel";
}

static void publish(sim *s, sim_alert *a, world_options *o)
{
    unsigned at = s->alerts++;
    char text[TCN_ID_TEXT_SIZE];
    seal(s, a, o);
    count_approvals(s, a, o);
    tcn_id_text(&a->made.id, text);
    sim_trace(s, "%s publishes a%u %s%s (%s, lane %d, tlp %d, %s, communities %x, audience %x%s%s)",
              s->draft[a->author].name, at, kind_word(a),
              a->worth == SIM_BAD ? ", which is bad" : "", text, (int)a->lane, (int)a->tlp,
              sim_topics[a->topic], a->communities, a->audience, a->external ? ", external" : "",
              a->not_before ? ", embargo" : "");
    for (unsigned i = 0; i < a->references; i++)
        sim_trace(s, "  it refers to a%u", a->reference[i]);
    hand_in(s, at);
    if (a->needed > 0)
        ask_approvals(s, at);
}

static void add_approvers(sim *s, const sim_alert *a, world_options *o)
{
    unsigned count = 0;
    if (a->lane != TCN_LANE_EMERGENCY || !sim_once_in(&s->work, 2))
        return;
    o->approvers[count++] = "app-1";
    if (sim_once_in(&s->work, 2))
        o->approvers[count++] = "app-2";
    o->approvers[count] = NULL;
}

static void work_publish(sim *s)
{
    sim_alert *a = &s->alert[s->alerts];
    world_options o = {.publisher = NULL};
    choose(s, a);
    add_approvers(s, a, &o);
    if (sim_once_in(&s->work, 10))
        spoil(s, a, &o);
    publish(s, a, &o);
}

/* ---- updates and cancels ---- */

static sim_alert *some_target(sim *s)
{
    for (unsigned tries = 0; tries < 8 && s->alerts > 0; tries++) {
        sim_alert *a = &s->alert[sim_below(&s->work, s->alerts)];
        if (a->kind != TCN_KIND_CANCEL && a->worth != SIM_BAD && a->refused == TCN_OK &&
            true_wall(s) < a->expires - MINUTE_MS)
            return a;
    }
    return NULL;
}

static void work_refer(sim *s, tcn_kind kind)
{
    sim_alert *target = some_target(s), *a = &s->alert[s->alerts];
    world_options o = {.publisher = NULL};
    if (target == NULL)
        return;
    choose(s, a);
    a->kind = kind;
    a->worth = SIM_MAYBE;
    a->publisher = a->author = target->publisher;
    a->lane = target->lane;
    a->status = target->status;
    a->references = 1;
    a->reference[0] = sim_alert_index(s, target);
    const sim_alert *second = sim_once_in(&s->work, 3) ? some_target(s) : NULL;
    if (second != NULL && second != target && second->publisher == target->publisher &&
        second->lane == target->lane && second->status == target->status)
        a->reference[a->references++] = sim_alert_index(s, second);
    if (sim_once_in(&s->work, 2))
        a->topic = target->topic;
    a->external = a->external && a->lane == TCN_LANE_BULK;
    if (kind == TCN_KIND_CANCEL) {
        o.reason = sim_once_in(&s->work, 2) ? TCN_REASON_ALL_CLEAR : TCN_REASON_RETRACT;
        a->not_before = 0;
        if (sim_once_in(&s->work, 4)) {
            a->publisher = a->author = sim_member_find(s, "app-2");
            o.author_role = TCN_ROLE_APPROVER;
        }
    }
    add_approvers(s, a, &o);
    if (a->author == sim_member_find(s, "app-2") && o.approvers[0] != NULL)
        o.approvers[1] = NULL; /* not twice by app-2 */
    publish(s, a, &o);
}

/* ---- again ---- */

static void work_again(sim *s)
{
    unsigned at = (unsigned)sim_below(&s->work, s->alerts);
    if (s->alerts > 0 && !s->alert[at].forged)
        hand_in(s, at);
}

/* Other content under an id that is taken. */
static void work_conflict(sim *s)
{
    sim_alert *a = &s->alert[s->alerts];
    world_options o = {.publisher = NULL};
    if (s->alerts == 0)
        return;
    const sim_alert *first = &s->alert[sim_below(&s->work, s->alerts)];
    if (!first->promised || first->worth == SIM_BAD)
        return;
    choose(s, a);
    a->publisher = a->author = first->publisher;
    a->lane = TCN_LANE_BULK;
    a->worth = SIM_BAD;
    a->same_id = true;
    o.id = first->made.id;
    publish(s, a, &o);
}

/* ---- nodes ---- */

static void work_ack(sim *s)
{
    sim_agent *agent = &s->agent[sim_below(&s->work, s->agents)];
    unsigned count = 0;
    if (!agent->proc.up || agent->is_clone)
        return;
    sim_item *items = sim_ask_inbox(agent, true, &count);
    if (count > 0) {
        const sim_item *item = &items[sim_below(&s->work, count)];
        sim_alert *a = sim_alert_find(s, &item->id);
        for (unsigned i = 0; a != NULL && (i == 0 || sim_once_in(&s->work, 3)); i++)
            sim_ask_ack(agent, a, (tcn_answer)sim_below(&s->work, TCN_ANSWER_HELP + 1));
    }
    free(items);
}

static void work_roster(sim *s)
{
    sim_members_change(s);
    sim_broker_hand_trust(s, sim_once_in(&s->work, 4) ? sim_below(&s->work, 60000)
                                                      : sim_below(&s->work, 500));
}

void sim_work(sim *s)
{
    uint64_t dice = sim_below(&s->work, 100);
    if (s->alerts >= SIM_ALERTS - 1)
        return;
    memset(&s->alert[s->alerts], 0, sizeof s->alert[0]);
    if (dice < 45)
        work_publish(s);
    else if (dice < 53)
        work_refer(s, TCN_KIND_UPDATE);
    else if (dice < 63)
        work_refer(s, TCN_KIND_CANCEL);
    else if (dice < 68)
        work_again(s);
    else if (dice < 70)
        work_conflict(s);
    else if (dice < 86)
        work_ack(s);
    else
        work_roster(s);
}
