/* SPDX-License-Identifier: Apache-2.0 */
/* proc.h - what every simulated process has: a disk, clocks, and ways to die. One that dies within
 * a turn has committed what it committed; what it does afterwards nobody sees. */
#ifndef TOCSIN_SIM_PROC_H
#define TOCSIN_SIM_PROC_H

#include "sim.h"

void sim_proc_init(sim_proc *p, sim *s, const char *name, uint64_t seed);
void sim_proc_fini(sim_proc *p);
/* All but net. They borrow p. */
tcn_ports sim_proc_ports(sim_proc *p);
void sim_proc_tell_time(sim_proc *p); /* before each call into its core */
/* Something that the world can see is about to happen; false: it died before. */
bool sim_proc_acts(sim_proc *p);
/* It stops; its disk keeps what was durable, and it starts again at start_at. */
void sim_proc_crash(sim_proc *p, uint64_t down_ms);

/* The next completion of its body files, if it is due. */
bool sim_proc_take_blob(sim_proc *p, tcn_blob_done *ret_done);
uint64_t sim_proc_blob_due(sim_proc *p);

/* Faults of its disk. */
void sim_proc_fill(sim_proc *p, uint64_t left_bytes, uint64_t for_ms);
void sim_proc_heal(sim_proc *p); /* all of them, now */
void sim_proc_tend(sim_proc *p); /* those whose time is over */
uint64_t sim_proc_free_bytes(sim_proc *p);

/* A core that wants to be called again and again without time passing is broken. */
void sim_proc_watch_spin(sim_proc *p);

#endif
