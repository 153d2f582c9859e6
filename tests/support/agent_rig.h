/* SPDX-License-Identifier: Apache-2.0 */
/* agent_rig.h - the agent's core on ports in memory, with the test as its broker and as its local
 * client. The member is "node-a"; members that publish and approve are in agent_rig.c. One turn per
 * call unless it says otherwise; what must not fail ends the test. */
#ifndef TOCSIN_TEST_AGENT_RIG_H
#define TOCSIN_TEST_AGENT_RIG_H

#include "clients/agent/core/agent.h"
#include "libtocsin/local.h"
#include "libtocsin/wire.h"
#include "tests/support/mem_ports.h"
#include "tests/support/world.h"

#define RIG_SESSION 0u /* peers: broker 0's links */
#define RIG_EMERGENCY 1u
#define RIG_CLIENT TCN_LOCAL_PEER_FIRST

typedef struct {
    world *w;
    mem_ports ports;
    tcn_agent *agent;
    tcn_agent_config config;
    tcn_id epoch; /* what WELCOME says */
    uint64_t generation, trust_version;
    int64_t broker_ahead_ms; /* broker's clock minus true time */
    int64_t wall_ahead_ms;   /* the agent's clock minus true time */
    uint8_t frame[TCN_MAX_FRAME_BYTES], reply[TCN_MAX_LOCAL_FRAME_BYTES];
    size_t frame_len;
    uint64_t req;
} agent_rig;

void rig_init(agent_rig *rig, uint64_t seed);
void rig_fini(agent_rig *rig);
/* What tcn_agent_new says with the world's last bundle and card. */
tcn_err rig_try_start(agent_rig *rig, tcn_fault *fault);
void rig_start(agent_rig *rig);
/* Power loss and a new process. */
void rig_restart(agent_rig *rig);

void rig_input(agent_rig *rig, const tcn_agent_input *input);
void rig_up(agent_rig *rig, tcn_peer link);
void rig_down(agent_rig *rig, tcn_peer link);
void rig_frame(agent_rig *rig, tcn_peer link, const tcn_wire *wire);
/* Lets time pass, in steps that end at the core's deadlines, with a TICK each. */
void rig_pass(agent_rig *rig, uint64_t ms);

/* The next frame with this op to this link; others before it are dropped. False: there is none.
 * Views live until the next rig_take. */
bool rig_take(agent_rig *rig, tcn_peer link, tcn_op op, tcn_wire *ret_wire);
void rig_expect(agent_rig *rig, tcn_peer link, tcn_op op, tcn_wire *ret_wire);
void rig_forget(agent_rig *rig); /* drops all frames that were sent */
bool rig_reconnect(agent_rig *rig, tcn_peer *ret_link);

/* WELCOME for the HELLO that link sent. */
void rig_welcome(agent_rig *rig, tcn_peer link);
/* Link up, HELLO taken, WELCOME given; _serve does it for both links of broker 0. */
void rig_open(agent_rig *rig, tcn_peer link);
void rig_serve(agent_rig *rig);

/* ALERTS by the link of its lane: need is the world's trust version unless given. */
typedef struct {
    tcn_peer link;
    tcn_lane lane;
    uint64_t need; /* 0: the version that the world signed last */
    uint64_t seq;
    unsigned count;
    const tcn_bytes *envelopes;
} rig_batch;
void rig_alerts(agent_rig *rig, const rig_batch *batch);
/* One alert, by its lane's link of broker 0. */
void rig_alert(agent_rig *rig, uint64_t seq, const world_alert *alert, tcn_lane lane);
void rig_trust(agent_rig *rig, tcn_peer link); /* the world's last bundle, whole */

/* A local request; args may be NULL. Views live until the next request. */
tcn_local_reply rig_ask(agent_rig *rig, tcn_local_op op, const tcn_cbor_writer *args);
tcn_local_reply rig_ask_text(agent_rig *rig, tcn_local_op op, const char *text);
bool rig_take_reply(agent_rig *rig, tcn_peer client, tcn_local_reply *ret_reply);
/* The number, or the text, at a key of a reply's nth item. */
uint64_t rig_number(const tcn_local_reply *reply, size_t nth, uint64_t key);
tcn_bytes rig_value(const tcn_local_reply *reply, size_t nth, uint64_t key);
/* Items of the inbox, all or in force. */
tcn_local_reply rig_inbox(agent_rig *rig, bool all);
/* The item of show; error of the reply otherwise. */
tcn_local_reply rig_show(agent_rig *rig, const tcn_id *id);
tcn_local_reply rig_ack(agent_rig *rig, const char *which, tcn_answer answer);
tcn_local_reply rig_status(agent_rig *rig);

/* Gives every blob completion that is due. */
void rig_blobs(agent_rig *rig);
/* Answers FETCH for this body by pieces, at most pieces of them (0: all), with the blobs' work
 * between; gives the bytes that were sent. */
uint64_t rig_send_body(agent_rig *rig, tcn_peer link, const world_alert *alert, unsigned pieces);

#endif
