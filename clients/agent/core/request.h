/* SPDX-License-Identifier: Apache-2.0 */
/* request.h - requests of the local socket (docs/protocol.md §8): read, done, answered. */
#ifndef TCN_AGENT_REQUEST_H
#define TCN_AGENT_REQUEST_H

#include "state.h"

/* An ack is applied to the open transaction and answered after the commit; everything else reads,
 * after the commit. */
TCN_CHECKED tcn_err tcn_agent_request_take(tcn_agent *a, tcn_peer peer, tcn_bytes message);
/* It could not be stored. */
void tcn_agent_request_refuse(tcn_agent *a, tcn_peer peer, tcn_bytes message, tcn_err err);
TCN_CHECKED tcn_err tcn_agent_request_gone(tcn_agent *a, tcn_peer peer);

#endif
