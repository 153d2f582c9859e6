/* SPDX-License-Identifier: Apache-2.0 */
/* check.h - what must hold once everything works again and there was time. */
#ifndef TOCSIN_SIM_CHECK_H
#define TOCSIN_SIM_CHECK_H

#include "sim.h"

/* Is everything where it must be? strict: what is not is told by sim_fail. What may never be is
 * told either way. */
bool sim_check(sim *s, bool strict);

#endif
