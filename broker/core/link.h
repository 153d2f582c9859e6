/* SPDX-License-Identifier: Apache-2.0 */
/* link.h - one lane to one node: its place, what is in flight, and the lists it stands in. Only in
 * settle. */
#ifndef TCN_BROKER_LINK_H
#define TCN_BROKER_LINK_H

#include "state.h"

/* A session begins to serve a link from start. */
void tcn_link_open(tcn_broker *b, tcn_link *link, tcn_session *session, tcn_mark start);
void tcn_link_close(tcn_broker *b, tcn_link *link);
/* A node that waits for it hears of its new generation and starts anew from the floor, once nothing
 * is in flight to it: a receipt of what was sent before must not pass for one of what follows. */
void tcn_node_regenerate(tcn_broker *b, tcn_node *node);
/* A receipt to seq: what was sent up to there is not in flight any more. */
void tcn_link_landed(tcn_broker *b, tcn_link *link, tcn_mark at);
/* There may be something to do for this link. */
void tcn_link_wake(tcn_broker *b, tcn_link *link);

#endif
