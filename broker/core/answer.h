/* SPDX-License-Identifier: Apache-2.0 */
/* answer.h - ANSWER: what became of an alert, to whoever submitted, approved or uploads it. */
#ifndef TCN_BROKER_ANSWER_H
#define TCN_BROKER_ANSWER_H

#include "call.h"

/* What an ANSWER says of an alert; views into index. In the open transaction. */
TCN_CHECKED tcn_err tcn_answer_fill(tcn_broker *b, const tcn_id *id, const tcn_index *index,
                                    tcn_wire_answer *ret_answer);
/* Queues an ANSWER that tells what became of an alert. */
TCN_CHECKED tcn_err tcn_answer_alert(tcn_call *call, uint64_t req, const tcn_id *id,
                                     const tcn_index *index);

#endif
