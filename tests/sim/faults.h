/* SPDX-License-Identifier: Apache-2.0 */
/* faults.h - what goes wrong: lines, disks, processes, clocks, keys used twice. */
#ifndef TOCSIN_SIM_FAULTS_H
#define TOCSIN_SIM_FAULTS_H

#include "sim.h"

void sim_fault(sim *s); /* one, at random */
void sim_heal(sim *s);  /* everything works again and whatever is down starts; clocks stay wrong */

#endif
