/* SPDX-License-Identifier: Apache-2.0 */
/* ledger.h - who durably has what, and what they answered: receipts, rejections, acknowledgments.
 * Owns: the keys R, E, K, B, C. Receipts of tracked alerts (emergencies, those that want an
 * acknowledgment) and of external bodies are rows, written at once; of everything else the place
 * in the lane, with the time of each receipt, written within a second. */
#ifndef TCN_BROKER_LEDGER_H
#define TCN_BROKER_LEDGER_H

#include "call.h"

TCN_CHECKED tcn_err tcn_ledger_receipt(tcn_call *call);
/* It could not be stored, and a node says it only once: it counts in memory, and its rows are
 * written once there is room. Only between transactions. */
void tcn_ledger_receipt_refused(tcn_call *call);
TCN_CHECKED tcn_err tcn_ledger_bodies(tcn_call *call);
TCN_CHECKED tcn_err tcn_ledger_rejected(tcn_call *call);
TCN_CHECKED tcn_err tcn_ledger_ack(tcn_call *call);

/* HELLO says that a node holds a lane of this generation up to `to`: makes up for lost receipts. */
TCN_CHECKED tcn_err tcn_ledger_catch_up(tcn_broker *b, const tcn_node *node, tcn_lane lane,
                                        uint64_t to, uint64_t generation);
/* Writes what receipts left in memory, a bounded number of links. */
TCN_CHECKED tcn_err tcn_ledger_flush(tcn_broker *b);
/* Only in settle: the link is going away. */
void tcn_ledger_unlist(tcn_broker *b, tcn_link *link);

#endif
