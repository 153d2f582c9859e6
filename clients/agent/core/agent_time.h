/* SPDX-License-Identifier: Apache-2.0 */
/* agent_time.h - what time it is for a gateway whose clock may be wrong (docs/protocol.md §3). */
#ifndef TCN_AGENT_TIME_H
#define TCN_AGENT_TIME_H

#include "state.h"

/* The wall clock and a broker differ by more than this: the wall clock is not believed. */
#define TCN_AGENT_CLOCK_SLACK_MS TCN_DAY_MS

/* max(wall clock, the held bundle's issued time), the broker's time instead of the wall clock when
 * they differ by more than a day. */
tcn_wall tcn_agent_time(const tcn_agent *a);
/* Does a broker contradict the wall clock, or is it before the bundle was issued? */
bool tcn_agent_clock_is_suspect(const tcn_agent *a);
/* The time by which alerts may end: only one that a broker confirmed, and of the two the earlier
 * if both are possible, for our own clock marks and never discards. False: none is known. */
bool tcn_agent_settled_time(const tcn_agent *a, tcn_wall *ret_time);
/* Our wall clock minus the broker's that is nearest; 0 if none is known. */
int64_t tcn_agent_clock_offset(const tcn_agent *a);

#endif
