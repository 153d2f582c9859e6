/* SPDX-License-Identifier: Apache-2.0 */
/* who.c - see who.h. */
#include "who.h"

#include "node_record.h"
#include "trust.h"

bool tcn_node_is_valid(const tcn_broker *b, const tcn_node *node)
{
    return (node->card->roles & TCN_ROLE_NODE) != 0 && tcn_card_counts(b, node->card);
}

tcn_whom tcn_whom_node(const tcn_node *node)
{
    return (tcn_whom){.class = node->class, .node = node};
}

tcn_subject tcn_whom_subject(tcn_broker *b, const tcn_whom *whom)
{
    const tcn_node *node = whom->node;
    return (tcn_subject){
        .terms = &whom->class->terms,
        .has_role = node == NULL || (node->card->roles & TCN_ROLE_NODE) != 0,
        .card_valid = node == NULL || tcn_card_counts(b, node->card),
        .audience_id = node == NULL ? NULL : &node->card->audience_id,
    };
}

/* ---- cancels: those who were sent the target ---- */

bool tcn_who_had(tcn_broker *b, const tcn_node *node, const tcn_entry *entry)
{
    tcn_whom whom = tcn_whom_node(node);
    tcn_subject subject = tcn_whom_subject(b, &whom);
    tcn_key from = {.len = 0};
    tcn_past past;
    subject.has_role = subject.card_valid = true;
    subject.terms = &past.terms;
    while (tcn_past_next(b, node->name, &from, &past))
        if (entry->seq <= past.through[entry->alert.meta.lane] &&
            tcn_entitlement_holds(&subject, &entry->alert.meta))
            return true;
    return false;
}

static bool target_gets(tcn_broker *b, const tcn_whom *whom, const tcn_id *id)
{
    tcn_index index;
    tcn_entry scratch;
    const tcn_entry *target;
    if (tcn_db_index(b, id, &index) != TCN_OK || index.seq == 0 ||
        tcn_journal_at(b, index.lane, index.seq, &scratch, &target) != TCN_OK)
        return false;
    tcn_subject subject = tcn_whom_subject(b, whom);
    if (tcn_entitlement_holds(&subject, &target->alert.meta))
        return true;
    return whom->node != NULL && whom->node->has_past && tcn_who_had(b, whom->node, target);
}

bool tcn_who_gets(tcn_broker *b, const tcn_whom *whom, const tcn_entry *entry)
{
    const tcn_alert_meta *meta = &entry->alert.meta;
    tcn_subject subject = tcn_whom_subject(b, whom);
    if (tcn_entitlement_holds(&subject, meta))
        return true;
    if (meta->kind != TCN_KIND_CANCEL || !subject.has_role || !subject.card_valid)
        return false;
    for (unsigned i = 0; i < meta->references; i++)
        if (target_gets(b, whom, &meta->reference[i]))
            return true;
    return false;
}

bool tcn_who_got(tcn_broker *b, const tcn_node *node, const tcn_entry *entry)
{
    tcn_whom whom = tcn_whom_node(node);
    tcn_subject subject = tcn_whom_subject(b, &whom);
    tcn_bytes value;
    subject.has_role = subject.card_valid = true;
    if (tcn_entitlement_holds(&subject, &entry->alert.meta) || tcn_who_had(b, node, entry))
        return true;
    tcn_key row = tcn_key_id_name('R', &entry->alert.meta.id, node->name);
    return tcn_db_get(b, &row, &value) == TCN_OK || tcn_who_gets(b, &whom, entry);
}

bool tcn_entry_is_individual(tcn_broker *b, const tcn_entry *entry)
{
    if ((entry->flags & TCN_FLAG_AUDIENCE) != 0)
        return true;
    return entry->alert.meta.kind == TCN_KIND_CANCEL && b->nodes_with_past > 0;
}

/* ---- is it over? ---- */

bool tcn_is_voided(tcn_broker *b, const char *author, tcn_wall created, tcn_wall accepted)
{
    size_t at = b->compromised ? tcn_roster_find(b->roster, author) : SIZE_MAX;
    if (at == SIZE_MAX)
        return false;
    const tcn_card *card = tcn_roster_member(b->roster, at);
    return card->state == TCN_MEMBER_COMPROMISED &&
           (created.unix_ms >= card->since.unix_ms || accepted.unix_ms >= card->since.unix_ms);
}

static bool successor_gets(tcn_broker *b, const tcn_whom *whom, const tcn_entry *entry)
{
    tcn_entry scratch;
    const tcn_entry *successor;
    if (tcn_journal_at(b, entry->alert.meta.lane, entry->superseded_at, &scratch, &successor) !=
        TCN_OK)
        return false;
    return !tcn_is_voided(b, successor->author, successor->alert.meta.created,
                          successor->accepted) &&
           tcn_who_gets(b, whom, successor);
}

static bool is_dead(tcn_broker *b, const tcn_entry *entry)
{
    return b->now.unix_ms >= entry->until.unix_ms ||
           tcn_is_voided(b, entry->author, entry->alert.meta.created, entry->accepted);
}

bool tcn_entry_is_over(tcn_broker *b, const tcn_whom *whom, const tcn_entry *entry)
{
    return entry->cancelled || is_dead(b, entry) ||
           (entry->superseded_at > 0 && successor_gets(b, whom, entry));
}

bool tcn_entry_is_skipped(tcn_broker *b, const tcn_whom *whom, const tcn_entry *entry)
{
    if (entry->alert.meta.kind == TCN_KIND_UPDATE)
        return is_dead(b, entry);
    return tcn_entry_is_over(b, whom, entry);
}

/* ---- counting ---- */

uint64_t tcn_who_count(tcn_broker *b, const tcn_alert_meta *meta)
{
    uint64_t count = 0, question = ++b->question;
    for (size_t i = 0; i < b->nodes; i++) {
        tcn_node *node = b->node[i];
        tcn_class *class = node->class;
        tcn_whom whom = {.class = class, .node = meta->audiences > 0 ? node : NULL};
        if (!tcn_node_is_valid(b, node))
            continue;
        if (meta->audiences > 0 || class->memo != question) {
            tcn_subject subject = tcn_whom_subject(b, &whom);
            class->memo = question;
            class->memo_entitled = tcn_entitlement_holds(&subject, meta);
            b->stats.evaluations++;
        }
        count += class->memo_entitled;
    }
    return count;
}
