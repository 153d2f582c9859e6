/* SPDX-License-Identifier: Apache-2.0 */
/* evil.h - a broker's machine that is broken into: it can send nodes what it likes, but has no key
 * of anybody. What it slips in must never reach an inbox. */
#ifndef TOCSIN_SIM_EVIL_H
#define TOCSIN_SIM_EVIL_H

#include "net.h"
#include "sim.h"

/* The frame that a node is about to be given, or another in its place; packet is consumed. */
sim_packet *sim_evil_touch(sim *s, sim_packet *packet);

#endif
