/* SPDX-License-Identifier: Apache-2.0 */
/* timers.h - what is due: durable timers (key T), and the lazy work of memory. */
#ifndef TCN_BROKER_TIMERS_H
#define TCN_BROKER_TIMERS_H

#include "state.h"

/* TCN_IN_TICK: a bounded part of everything that is due. */
TCN_CHECKED tcn_err tcn_timers_tick(tcn_broker *b);
/* A tick failed alone: not again at once. */
void tcn_timers_back_off(tcn_broker *b);
/* After a turn: looks up the first durable timer if it may have changed. */
void tcn_timers_load(tcn_broker *b);
tcn_mono tcn_timers_deadline(const tcn_broker *b);

#endif
