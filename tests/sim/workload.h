/* SPDX-License-Identifier: Apache-2.0 */
/* workload.h - what people do: publish, approve, update, cancel, say it again, acknowledge, and the
 * authority's changes of the roster. */
#ifndef TOCSIN_SIM_WORKLOAD_H
#define TOCSIN_SIM_WORKLOAD_H

#include "sim.h"

/* One random action. */
void sim_work(sim *s);

#endif
