/* SPDX-License-Identifier: Apache-2.0 */
#include "members.h"

#include <stdio.h>
#include <string.h>

const char *const sim_topics[SIM_TOPICS] = {
    "advisory.vendor.microsoft", "advisory.vendor.cisco", "advisory.ics.siemens", "advisory.misc",
    "alert.flood.north",         "alert.cyber",           "news.weekly",          "news.daily.eu"};

const char *const sim_patterns[SIM_PATTERNS] = {
    ">",         "advisory.>",  "advisory.vendor.*", "advisory.*.siemens", "alert.>",
    "*.flood.*", "alert.cyber", "news.weekly",       "news.*.eu",          "news.>"};

const char *const sim_communities[SIM_COMMUNITIES] = {"energy", "gov", "health"};

void sim_strings(const char *const *table, unsigned set, const char **ret_list)
{
    for (unsigned i = 0; set >> i != 0; i++)
        if (set >> i & 1)
            *ret_list++ = table[i];
    *ret_list = NULL;
}

unsigned sim_member_find(const sim *s, const char *name)
{
    for (unsigned i = 0; i < s->members; i++)
        if (strcmp(s->draft[i].name, name) == 0)
            return i;
    return SIM_MEMBERS;
}

const sim_card *sim_card_at(const sim *s, uint64_t version, unsigned member)
{
    TCN_REQUIRE(version >= 1 && version <= s->versions && member < s->members);
    return &s->version[version].card[member];
}

void sim_member_put(sim *s, unsigned member)
{
    const sim_card *card = &s->draft[member];
    world_member as = {.name = card->name,
                       .roles = card->roles,
                       .clearance = card->clearance,
                       .emergency = card->emergency};
    sim_strings(sim_patterns, card->receive, as.receive);
    sim_strings(sim_patterns, card->publish, as.publish);
    sim_strings(sim_communities, card->communities, as.communities);
    world_member_set(s->w, &as);
    tcn_card *made = world_card_edit(s->w, card->name);
    made->state = card->state;
    made->since.unix_ms = card->since;
    s->draft_changed = true;
}

bool sim_members_sign(sim *s)
{
    if (s->versions == SIM_VERSIONS)
        return false;
    world_set_now(s->w, (tcn_wall){SIM_START + (int64_t)s->now});
    world_sign(s->w);
    sim_version *version = &s->version[++s->versions];
    memcpy(version->card, s->draft, sizeof version->card);
    version->roster = tcn_roster_ref(world_roster(s->w));
    s->draft_changed = false;
    sim_trace(s, "authority signs trust version %llu", (unsigned long long)s->versions);
    return true;
}

void sim_members_free(sim *s)
{
    for (uint64_t i = 1; i <= s->versions; i++)
        tcn_roster_unref(&s->version[i].roster);
}

/* ---- the first cast ---- */

static unsigned add(sim *s, const sim_card *card)
{
    TCN_REQUIRE(s->members < SIM_MEMBERS);
    unsigned at = s->members++;
    s->draft[at] = *card;
    sim_member_put(s, at);
    return at;
}

static unsigned some_patterns(sim *s)
{
    if (sim_once_in(&s->work, 3))
        return SIM_ALL_TOPICS;
    unsigned set = 1u << sim_between(&s->work, 1, SIM_PATTERNS - 1);
    while (!sim_once_in(&s->work, 3))
        set |= 1u << sim_between(&s->work, 1, SIM_PATTERNS - 1);
    return set;
}

static unsigned some_communities(sim *s)
{
    return (unsigned)sim_below(&s->work, 1u << SIM_COMMUNITIES);
}

static void trace_card(sim *s, unsigned member, const char *what)
{
    const sim_card *card = &s->draft[member];
    sim_trace(s, "card of %s: %s: tlp %d receive %x communities %x", card->name, what,
              (int)card->clearance, card->receive, card->communities);
}

static void add_node(sim *s, const char *name, unsigned more_roles)
{
    sim_card card = {.name = name, .roles = TCN_ROLE_NODE | more_roles};
    card.clearance = (tcn_tlp)sim_between(&s->work, TCN_TLP_CLEAR, TCN_TLP_RED);
    card.receive = some_patterns(s);
    card.communities = some_communities(s);
    if (more_roles & TCN_ROLE_PUBLISHER) {
        card.publish = SIM_ALL_TOPICS;
        card.clearance = TCN_TLP_RED;
    }
    (void)add(s, &card);
}

void sim_members_found(sim *s)
{
    static const char *const nodes[] = {"node-1", "node-2", "node-3", "node-4", "node-5", "node-6"};
    const sim_card all = {.clearance = TCN_TLP_RED, .publish = SIM_ALL_TOPICS};
    sim_card card = {.name = "broker", .roles = TCN_ROLE_BROKER};
    (void)add(s, &card);
    card = (sim_card){.name = "op", .roles = TCN_ROLE_OPERATOR};
    (void)add(s, &card);
    card = all;
    card.name = "pub-1";
    card.roles = TCN_ROLE_PUBLISHER | TCN_ROLE_APPROVER;
    card.emergency = true;
    (void)add(s, &card);
    card.name = "pub-2";
    card.roles = TCN_ROLE_PUBLISHER;
    (void)add(s, &card);
    card.name = "pub-3";
    card.emergency = sim_once_in(&s->work, 2);
    (void)add(s, &card);
    card = (sim_card){.name = "app-1", .roles = TCN_ROLE_APPROVER, .clearance = TCN_TLP_RED};
    (void)add(s, &card);
    card.name = "app-2";
    (void)add(s, &card);
    unsigned count = (unsigned)sim_between(&s->work, 2, sizeof nodes / sizeof nodes[0]);
    for (unsigned i = 0; i < count; i++) {
        add_node(s, nodes[i], i == 1 && sim_once_in(&s->work, 3) ? TCN_ROLE_PUBLISHER : 0);
        trace_card(s, s->members - 1, "added");
    }
    (void)sim_members_sign(s);
}

/* ---- changes ---- */

static unsigned random_node(sim *s)
{
    unsigned nodes = 0;
    for (unsigned i = 0; i < s->members; i++)
        nodes |= s->draft[i].roles & TCN_ROLE_NODE ? 1u << i : 0;
    return (unsigned)__builtin_ctz(sim_bit_of(&s->work, nodes));
}

static void change_terms(sim *s, sim_card *card)
{
    switch (sim_below(&s->work, 4)) {
    case 0: card->clearance = (tcn_tlp)sim_between(&s->work, TCN_TLP_CLEAR, TCN_TLP_RED); break;
    case 1: card->receive = some_patterns(s); break;
    case 2: card->receive |= 1u << sim_below(&s->work, SIM_PATTERNS); break;
    default: card->communities = some_communities(s); break;
    }
}

static void change_node(sim *s)
{
    unsigned at = random_node(s);
    sim_card *card = &s->draft[at];
    const char *what = "terms";
    if (card->state != TCN_MEMBER_ACTIVE && sim_once_in(&s->work, 2)) {
        card->state = TCN_MEMBER_ACTIVE;
        card->since = 0;
        what = "resumed";
    } else if (card->state == TCN_MEMBER_ACTIVE && sim_once_in(&s->work, 8)) {
        card->state = sim_once_in(&s->work, 2) ? TCN_MEMBER_SUSPENDED : TCN_MEMBER_RETIRED;
        card->since = SIM_START + (int64_t)s->now;
        what = "revoked";
    } else {
        change_terms(s, card);
    }
    trace_card(s, at, what);
    sim_member_put(s, at);
}

/* pub-1, app-1 and app-2 stay, so that there is always somebody to publish and to approve. */
static void change_issuer(sim *s)
{
    unsigned at = sim_member_find(s, sim_once_in(&s->work, 2) ? "pub-2" : "pub-3");
    sim_card *card = &s->draft[at];
    if (card->state == TCN_MEMBER_COMPROMISED)
        return;
    int64_t now = SIM_START + (int64_t)s->now;
    if (card->state == TCN_MEMBER_SUSPENDED) {
        card->state = TCN_MEMBER_ACTIVE;
        card->since = 0;
    } else if (sim_once_in(&s->work, 2)) {
        card->state = TCN_MEMBER_COMPROMISED;
        card->since = now - (int64_t)sim_below(&s->work, 300000);
    } else {
        card->state = TCN_MEMBER_SUSPENDED;
        card->since = now;
    }
    sim_trace(s, "card of %s: state %d since %lld", card->name, (int)card->state,
              (long long)(card->since - SIM_START));
    sim_member_put(s, at);
}

void sim_members_change(sim *s)
{
    if (s->versions == SIM_VERSIONS)
        return;
    for (unsigned i = 0; i == 0 || sim_once_in(&s->work, 3); i++) {
        if (sim_once_in(&s->work, 6))
            change_issuer(s);
        else
            change_node(s);
    }
    (void)sim_members_sign(s);
}
