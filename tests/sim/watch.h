/* SPDX-License-Identifier: Apache-2.0 */
/* watch.h - looks at every frame where it is handed over, and says what must not be: an alert to
 * somebody who may not have it, a cursor that goes back, a promise that changes. */
#ifndef TOCSIN_SIM_WATCH_H
#define TOCSIN_SIM_WATCH_H

#include "net.h"
#include "sim.h"

/* The broker is about to be given this. */
void sim_watch_up(sim *s, sim_conn *c, tcn_bytes frame);
/* The broker hands this to its net port. */
void sim_watch_down(sim *s, sim_conn *c, tcn_bytes frame);
/* The agent hands this to its net port. */
void sim_watch_said(sim *s, sim_agent *agent, tcn_bytes frame);
/* An alert's seq, learned from any mouth: it never changes. */
void sim_learn_seq(sim *s, sim_alert *a, uint64_t seq, const char *from);

#endif
