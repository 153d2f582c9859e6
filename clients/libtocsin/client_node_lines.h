/* SPDX-License-Identifier: Apache-2.0 */
/* client_node_lines.h - a node's two connections: made, kept alive, made again, and read. */
#ifndef TCN_CLIENT_NODE_LINES_H
#define TCN_CLIENT_NODE_LINES_H

#include "client_node.h"

/* Connects and says HELLO; tells what failed, and tries it again later. */
TCN_CHECKED tcn_err tcn_node_tend(tocsin_node *node, tcn_mono now);
/* Heartbeat and metrics; gives up what is silent. Only when all that came in was read. True if it
 * did anything: then look at the links again. */
bool tcn_node_beat(tocsin_node *node, tcn_mono now);
/* When tend or beat has something to do. */
tcn_mono tcn_node_due(const tocsin_node *node);
/* Takes one frame, unless the line's queue must be given out first. *ret_got: something was read.
 * *ret_made: it became node->event. */
TCN_CHECKED tcn_err tcn_node_read(tocsin_node *node, tcn_node_line *line, bool *ret_got,
                                  bool *ret_made);
void tcn_node_line_stop(tocsin_node *node, tcn_node_line *line);

#endif
