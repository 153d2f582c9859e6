/* SPDX-License-Identifier: Apache-2.0 */
/* metrics.h - METRICS: the health that a node tells, kept in memory as it came until its next one
 * (docs/protocol.md §7). Answered by the query metrics. */
#ifndef TCN_BROKER_METRICS_H
#define TCN_BROKER_METRICS_H

#include "call.h"

TCN_CHECKED tcn_err tcn_metrics_take(tcn_call *call);

#endif
