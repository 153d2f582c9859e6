/* SPDX-License-Identifier: Apache-2.0 */
/* who.h - entitlement (entitlement.h) applied to the broker's nodes, classes and journal entries:
 * who gets this entry now, and is the entry still worth sending to them? Reads the store where an
 * entry refers to another: a transaction must be open. */
#ifndef TCN_BROKER_WHO_H
#define TCN_BROKER_WHO_H

#include "journal.h"
#include "state.h"

/* node NULL: any node of the class. */
typedef struct {
    const tcn_class *class;
    const tcn_node *node;
} tcn_whom;

tcn_whom tcn_whom_node(const tcn_node *node);
tcn_subject tcn_whom_subject(tcn_broker *b, const tcn_whom *whom);

/* Entitled to the entry, or, for a cancel, to what it cancels when that was sent. States of the
 * entry do not matter here. */
bool tcn_who_gets(tcn_broker *b, const tcn_whom *whom, const tcn_entry *entry);
/* Was the node entitled to the entry by terms that it once had, when it was sent? */
bool tcn_who_had(tcn_broker *b, const tcn_node *node, const tcn_entry *entry);
/* Was it, or may it have been, sent to this node: by its terms of now or of then, or as a receipt
 * shows? Its card does not matter: what it got it has. */
bool tcn_who_got(tcn_broker *b, const tcn_node *node, const tcn_entry *entry);
/* Must it be decided node by node? */
bool tcn_entry_is_individual(tcn_broker *b, const tcn_entry *entry);
/* Voided: its author was compromised before it was created or accepted. */
bool tcn_is_voided(tcn_broker *b, const char *author, tcn_wall created, tcn_wall accepted);
/* Expired, cancelled, voided, or superseded by something this whom gets. */
bool tcn_entry_is_over(tcn_broker *b, const tcn_whom *whom, const tcn_entry *entry);
/* Over, and nobody who was away needs it: an update goes out until it expires even when it was
 * superseded or cancelled itself, for it alone says that what it refers to is superseded. */
bool tcn_entry_is_skipped(tcn_broker *b, const tcn_whom *whom, const tcn_entry *entry);
/* Nodes of the roster in force that are entitled to an alert with this metadata now. */
uint64_t tcn_who_count(tcn_broker *b, const tcn_alert_meta *meta);

/* Has a node role and a valid card now? */
bool tcn_node_is_valid(const tcn_broker *b, const tcn_node *node);

#endif
