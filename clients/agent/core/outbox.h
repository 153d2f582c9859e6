/* SPDX-License-Identifier: Apache-2.0 */
/* outbox.h - what this node says and keeps until a broker confirms it durably: acks, the news that
 * bodies are here, and alerts that verified false. */
#ifndef TCN_AGENT_OUTBOX_H
#define TCN_AGENT_OUTBOX_H

#include "libtocsin/ack.h"
#include "state.h"

/* Signs the answer and puts it into the outbox, instead of an earlier one for this alert. The
 * member's fields, hash and counter of ack are filled here. TCN_FULL as a refusal: the outbox is
 * full (fault says so); with fault untouched, the store's. */
TCN_CHECKED tcn_err tcn_agent_outbox_ack(tcn_agent *a, const tcn_id *alert, tcn_ack *ack,
                                         tcn_err *ret_refused, tcn_fault *fault);
TCN_CHECKED tcn_err tcn_agent_outbox_reject(tcn_agent *a, const char *broker, const tcn_id *id,
                                            tcn_err error);

/* Confirmations, applied. */
TCN_CHECKED tcn_err tcn_agent_outbox_ack_ok(tcn_agent *a, unsigned link, const tcn_id *id,
                                            uint64_t counter, tcn_err error);
TCN_CHECKED tcn_err tcn_agent_outbox_bodies_ok(tcn_agent *a, unsigned link, const tcn_list *ids);
TCN_CHECKED tcn_err tcn_agent_outbox_rejected_ok(tcn_agent *a, unsigned link, const tcn_list *ids);

/* Says what is due on this link; false: the transport is full. */
bool tcn_agent_outbox_pump(tcn_agent *a, unsigned link);

#endif
