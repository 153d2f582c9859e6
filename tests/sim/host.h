/* SPDX-License-Identifier: Apache-2.0 */
/* host.h - what tocsin-broker and tocsin-agent are around their cores: they gather what is ready,
 * give it as one turn, carry out what the core asks for, and start again after a crash. */
#ifndef TOCSIN_SIM_HOST_H
#define TOCSIN_SIM_HOST_H

#include "net.h"
#include "sim.h"

/* ---- host_broker.c ---- */
void sim_broker_init(sim *s);
uint64_t sim_broker_due(sim *s);
/* Starts it, or gives it one turn with what is due. */
void sim_broker_turn(sim *s);
void sim_broker_crash(sim *s, uint64_t down_ms);
/* One input at once, in a turn of its own; false: it died of it. */
bool sim_broker_give(sim *s, const tcn_broker_input *input);
bool sim_broker_has_body(sim *s, const tcn_id *id);
/* The newest signed version goes to the broker after delay_ms. */
void sim_broker_hand_trust(sim *s, uint64_t delay_ms);

/* ---- host_agent.c ---- */
void sim_agent_init(sim *s, unsigned member, bool is_clone);
uint64_t sim_agent_due(sim_agent *agent);
void sim_agent_turn(sim_agent *agent);
void sim_agent_crash(sim_agent *agent, uint64_t down_ms);
/* A local request in a turn of its own; the replies are in agent->replies. False: it is down. */
bool sim_agent_ask(sim_agent *agent, tcn_local_op op, const tcn_cbor_writer *args);
bool sim_agent_tick(sim_agent *agent); /* a turn with a TICK; false: it is down */
/* The shell cuts a link, and dials again later. */
void sim_link_drop(sim_agent *agent, unsigned lane, uint64_t pause_ms);

#endif
