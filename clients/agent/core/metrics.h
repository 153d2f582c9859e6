/* SPDX-License-Identifier: Apache-2.0 */
/* metrics.h - the agent's health as METRICS carries it (docs/protocol.md §7). */
#ifndef TCN_AGENT_METRICS_H
#define TCN_AGENT_METRICS_H

#include "state.h"

/* False: the transport is full. */
bool tcn_agent_metrics_send(tcn_agent *a, unsigned link);
/* TCN_MARK_STALE_TRUST and TCN_MARK_CLOCK_SUSPECT as they are at the moment. */
unsigned tcn_agent_marks(const tcn_agent *a);

#endif
