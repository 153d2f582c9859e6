/* SPDX-License-Identifier: Apache-2.0 */
#include "model.h"

#include <string.h>

#include "libtocsin/cose.h"
#include "members.h"

/* ---- entitlement ---- */

static const char *token_end(const char *text)
{
    return text + strcspn(text, ".");
}

bool sim_topic_matches(const char *pattern, const char *topic)
{
    const char *pattern_end = token_end(pattern), *topic_end = token_end(topic);
    size_t pattern_len = (size_t)(pattern_end - pattern), topic_len = (size_t)(topic_end - topic);
    if (strcmp(pattern, ">") == 0)
        return topic_len > 0;
    bool is_any = pattern_len == 1 && pattern[0] == '*';
    if (!is_any && (pattern_len != topic_len || memcmp(pattern, topic, topic_len) != 0))
        return false;
    if (*pattern_end == '\0' || *topic_end == '\0')
        return *pattern_end == *topic_end;
    return sim_topic_matches(pattern_end + 1, topic_end + 1);
}

static bool any_matches(unsigned patterns, unsigned topic)
{
    for (unsigned i = 0; i < SIM_PATTERNS; i++)
        if (patterns >> i & 1 && sim_topic_matches(sim_patterns[i], sim_topics[topic]))
            return true;
    return false;
}

static bool is_entitled(const sim_card *card, unsigned member, unsigned subscribed,
                        const sim_alert *a)
{
    return card->name != NULL && (card->roles & TCN_ROLE_NODE) &&
           card->state == TCN_MEMBER_ACTIVE && card->clearance >= a->tlp &&
           any_matches(card->receive, a->topic) &&
           (subscribed == 0 || any_matches(subscribed, a->topic)) &&
           (a->communities == 0 || (a->communities & card->communities)) &&
           (a->audience == 0 || a->audience >> member & 1);
}

bool sim_is_entitled(const sim *s, uint64_t version, unsigned member, const sim_alert *a)
{
    return is_entitled(sim_card_at(s, version, member), member, s->heard_subscribe[member], a);
}

bool sim_may_have(const sim *s, uint64_t version, unsigned member, const sim_alert *a)
{
    if (sim_is_entitled(s, version, member, a))
        return true;
    const sim_card *card = sim_card_at(s, version, member);
    if (a->kind != TCN_KIND_CANCEL || !(card->roles & TCN_ROLE_NODE) ||
        card->state != TCN_MEMBER_ACTIVE)
        return false;
    for (unsigned i = 0; i < a->references; i++)
        if (s->alert[a->reference[i]].entitled_once >> member & 1 ||
            sim_is_entitled(s, version, member, &s->alert[a->reference[i]]))
            return true;
    return false;
}

void sim_note_entitled(sim *s)
{
    for (unsigned i = 0; i < s->alerts; i++)
        for (unsigned m = 0; m < s->members && s->alert[i].handed_in; m++) {
            const sim_card *card = sim_card_at(s, s->broker.version, m);
            if (is_entitled(card, m, s->heard_subscribe[m], &s->alert[i]) ||
                is_entitled(card, m, s->told_subscribe[m], &s->alert[i]))
                s->alert[i].entitled_once |= 1u << m;
        }
}

/* ---- revocation ---- */

bool sim_is_voided(const sim *s, uint64_t version, const sim_alert *a)
{
    const sim_card *author = sim_card_at(s, version, a->author);
    return author->state == TCN_MEMBER_COMPROMISED &&
           (a->created >= author->since || a->handed_at >= author->since);
}

bool sim_was_revoked(const sim *s, const sim_alert *a)
{
    unsigned signers = 1u << a->author | 1u << a->publisher | a->approvals;
    for (uint64_t version = 1; version <= s->versions; version++)
        for (unsigned m = 0; m < s->members; m++)
            if (signers >> m & 1 && sim_card_at(s, version, m)->state != TCN_MEMBER_ACTIVE)
                return true;
    return false;
}

static bool is_doubted_by(const sim *s, uint64_t version, const sim_alert *a)
{
    /* An approver that was compromised takes its approvals with it, at agents. */
    unsigned signers = 1u << a->author | 1u << a->publisher | a->approvals;
    for (unsigned m = 0; m < s->members; m++) {
        const sim_card *card = sim_card_at(s, version, m);
        if (signers >> m & 1 && card->name != NULL && card->state != TCN_MEMBER_ACTIVE &&
            (card->state == TCN_MEMBER_COMPROMISED || a->created >= card->since))
            return true;
    }
    /* So does a publisher whose own clearance or grants became less. */
    const sim_card *publisher = sim_card_at(s, version, a->publisher);
    return publisher->clearance < a->tlp ||
           (publisher->publish != 0 && !any_matches(publisher->publish, a->topic));
}

bool sim_is_doubtful(const sim *s, const sim_alert *a)
{
    for (uint64_t version = 1; version <= s->versions; version++)
        if (is_doubted_by(s, version, a))
            return true;
    return false;
}

/* ---- what became of it ---- */

int64_t sim_until(const sim *s, const sim_alert *a)
{
    int64_t until = a->expires;
    for (unsigned i = 0; a->kind == TCN_KIND_CANCEL && i < a->references; i++)
        if (s->alert[a->reference[i]].expires > until)
            until = s->alert[a->reference[i]].expires;
    return until;
}

/* Accepted, as far as anybody has heard. */
static bool is_out(const sim_alert *a)
{
    return a->seq > 0 || a->sent != 0;
}

static bool refers_to(const sim *s, const sim_alert *a, const sim_alert *target)
{
    for (unsigned i = 0; i < a->references; i++)
        if (&s->alert[a->reference[i]] == target)
            return true;
    return false;
}

const sim_alert *sim_cancel_of(const sim *s, const sim_alert *a)
{
    for (unsigned i = 0; i < s->alerts; i++) {
        const sim_alert *by = &s->alert[i];
        if (by->kind == TCN_KIND_CANCEL && is_out(by) && refers_to(s, by, a))
            return by;
    }
    return NULL;
}

/* Superseded for this member: by an update that it is entitled to. */
static bool is_superseded(const sim *s, unsigned member, const sim_alert *a)
{
    for (unsigned i = 0; i < s->alerts; i++) {
        const sim_alert *by = &s->alert[i];
        if (by->kind == TCN_KIND_UPDATE && is_out(by) && refers_to(s, by, a) &&
            (sim_is_entitled(s, s->broker.version, member, by) || by->sent >> member & 1))
            return true;
    }
    return false;
}

bool sim_must_hold(const sim *s, unsigned member, const sim_alert *a, int64_t wall)
{
    /* What was once over by the broker's clock may stay so when that goes back. */
    return is_out(a) && a->kind != TCN_KIND_CANCEL && wall < a->expires &&
           s->broker.wall_most < a->expires && sim_is_entitled(s, s->broker.version, member, a) &&
           !sim_is_doubtful(s, a) && sim_cancel_of(s, a) == NULL && !is_superseded(s, member, a);
}

bool sim_could_go_out(const sim *s, const sim_alert *a)
{
    return a->worth != SIM_BAD && a->handed_in &&
           (unsigned)__builtin_popcount(a->approvals) >= a->needed &&
           a->not_before <= s->broker.wall_most;
}

/* ---- finding ---- */

sim_alert *sim_alert_find(sim *s, const tcn_id *id)
{
    for (unsigned i = 0; i < s->alerts; i++)
        if (tcn_id_equal(&s->alert[i].made.id, id))
            return &s->alert[i];
    return NULL;
}

sim_alert *sim_alert_of(sim *s, tcn_bytes envelope)
{
    tcn_cose cose;
    if (tcn_cose_decode(envelope, TCN_OBJECT_ALERT, &cose) != TCN_OK)
        return NULL;
    for (unsigned i = 0; i < s->alerts; i++)
        if (tcn_bytes_equal(s->alert[i].made.payload, cose.payload))
            return &s->alert[i];
    return NULL;
}

unsigned sim_alert_index(const sim *s, const sim_alert *a)
{
    return (unsigned)(a - s->alert);
}
