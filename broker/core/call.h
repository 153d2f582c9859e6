/* SPDX-License-Identifier: Apache-2.0 */
/* call.h - one frame of a peer on its way through the core. */
#ifndef TCN_BROKER_CALL_H
#define TCN_BROKER_CALL_H

#include "state.h"

typedef struct {
    tcn_broker *b;
    const tcn_broker_input *in;
    tcn_session *session; /* NULL for HELLO only */
    const tcn_wire *wire;
    tcn_rank rank; /* of what is answered */
} tcn_call;

/* Queues an ANSWER with an error and its text. */
TCN_CHECKED tcn_err tcn_refuse(tcn_call *call, uint64_t req, const tcn_fault *fault);
/* The node that the session's member is, in whatever mode it is here; NULL: none. */
tcn_node *tcn_node_of(const tcn_call *call);
/* Has the member this role in a valid card? */
bool tcn_call_has_role(const tcn_call *call, unsigned roles);

#endif
