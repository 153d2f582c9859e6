/* SPDX-License-Identifier: Apache-2.0 */
/* nodes.h - the members with role node, by name, and their classes. */
#ifndef TCN_BROKER_NODES_H
#define TCN_BROKER_NODES_H

#include "state.h"

/* NULL if there is no such node in the roster in force. */
tcn_node *tcn_node_find(const tcn_broker *b, const char *name);
size_t tcn_nodes_connected(const tcn_broker *b);
/* The node's link of this lane, made if need be; NULL: no memory. */
tcn_link *tcn_node_link(tcn_node *node, tcn_lane lane);
void tcn_node_free(tcn_broker *b, tcn_node *node);

/* The class with these terms; NULL: no memory. It stays while nodes point to it. */
tcn_class *tcn_class_of(tcn_broker *b, const tcn_terms *terms);
/* Points the node to another class (NULL: to none). Only in settle. */
void tcn_node_set_class(tcn_broker *b, tcn_node *node, tcn_class *class);
/* Frees classes that nobody points to. Only in settle and discard. */
void tcn_classes_sweep(tcn_broker *b);

#endif
