/* SPDX-License-Identifier: Apache-2.0 */
/* broker_rig.h - the broker's core on ports in memory, with the test as everybody who connects.
 * Members: pub and pub-2 (publishers; pub approves, too), app and app-2 (approvers), op (operator),
 * node-a, node-b, node-c (nodes: all topics, red). What must not fail ends the test. */
#ifndef TOCSIN_TEST_BROKER_RIG_H
#define TOCSIN_TEST_BROKER_RIG_H

#include "broker/core/broker.h"
#include "libtocsin/wire.h"
#include "tests/support/mem_ports.h"
#include "tests/support/world.h"

enum { BRIG_PEERS = 128, BRIG_INPUTS = 600 };

typedef struct {
    world *w;
    mem_ports ports;
    tcn_broker *broker;
    tcn_broker_config config;
    char member[BRIG_PEERS][TCN_MAX_NAME_CHARS + 1]; /* of each peer, from 1 */
    tcn_lane endpoint[BRIG_PEERS];
    tcn_peer peers;
    tcn_broker_input input[BRIG_INPUTS]; /* queued for the next turn */
    size_t inputs;
    uint64_t req;
    uint8_t frame[TCN_MAX_FRAME_BYTES]; /* of brig_take */
} broker_rig;

void brig_init(broker_rig *rig, uint64_t seed); /* the world is signed, nothing runs */
void brig_fini(broker_rig *rig);
tcn_err brig_try_start(broker_rig *rig, tcn_fault *fault);
void brig_start(broker_rig *rig);
/* Power loss and a new process; peers are gone. */
void brig_restart(broker_rig *rig);
/* Signs the world's draft and gives it as TCN_IN_TRUST, in a turn. */
void brig_trust(broker_rig *rig);

/* A new connection of this member. */
tcn_peer brig_connect(broker_rig *rig, const char *member, tcn_lane endpoint);
void brig_queue(broker_rig *rig, tcn_peer peer, const tcn_wire *wire);
void brig_queue_raw(broker_rig *rig, tcn_peer peer, tcn_bytes frame);
void brig_queue_input(broker_rig *rig, const tcn_broker_input *input);
tcn_err brig_try_turn(broker_rig *rig); /* all that is queued; checks that no frame leaked */
void brig_turn(broker_rig *rig);
void brig_say(broker_rig *rig, tcn_peer peer, const tcn_wire *wire); /* queue and turn */
void brig_gone(broker_rig *rig, tcn_peer peer);
/* Lets time pass, with a TICK at each deadline on the way and at the end. */
void brig_pass(broker_rig *rig, uint64_t ms);
/* Body files: does all jobs, and gives the completions in one turn; repeats until none is left. */
void brig_blobs(broker_rig *rig);

/* The next frame with this op to this peer; others before it are dropped. False: there is none.
 * Views live until the next take. */
bool brig_take(broker_rig *rig, tcn_peer peer, tcn_op op, tcn_wire *ret_wire);
void brig_expect(broker_rig *rig, tcn_peer peer, tcn_op op, tcn_wire *ret_wire);
void brig_forget(broker_rig *rig); /* drops all frames that were sent */

/* HELLO, WELCOME taken. */
tcn_peer brig_client(broker_rig *rig, const char *member);
typedef struct {
    const char *member;
    unsigned lanes;   /* 0: both, on the session endpoint */
    uint8_t instance; /* first byte of the instance id; 0: 1 */
    const char *subscribe[WORLD_LIST];
    bool subscribe_nothing;
    tcn_id epoch;
    uint64_t generation;
    tcn_mark cursor[TCN_LANES]; /* seq 0: none */
    uint64_t trust_version;     /* 0: the world's */
    tcn_peer again;             /* on this connection */
} brig_hello;
tcn_peer brig_node(broker_rig *rig, const brig_hello *hello, tcn_wire_welcome *ret_welcome);
void brig_hello_wire(const broker_rig *rig, const brig_hello *hello, tcn_wire *ret_wire);

/* SUBMIT in a turn of its own, and its ANSWER. */
tcn_wire_answer brig_submit(broker_rig *rig, tcn_peer peer, const world_alert *alert);
void brig_queue_submit(broker_rig *rig, tcn_peer peer, tcn_bytes envelope);
tcn_wire_answer brig_approve(broker_rig *rig, tcn_peer peer, const char *approver,
                             const world_alert *alert);
void brig_receipt(broker_rig *rig, tcn_peer peer, tcn_lane lane, tcn_mark at, const tcn_id *epoch);
/* The next ALERTS of a lane to this peer: its mark and the ids in it. False: there is none. */
typedef struct {
    tcn_mark at;
    uint64_t need;
    size_t count;
    tcn_id id[64];
    uint64_t seq[64];
} brig_alerts;
bool brig_take_alerts(broker_rig *rig, tcn_peer peer, tcn_lane lane, brig_alerts *ret_alerts);
/* QUERY with these encoded arguments; all pages' items are counted, the first kept. */
typedef struct {
    tcn_err error;
    size_t count, pages;
    tcn_bytes items; /* of the last page that had any, encoded maps */
    char text[TCN_MAX_NOTE_BYTES + 1];
} brig_result;
brig_result brig_query(broker_rig *rig, tcn_peer peer, tcn_query what, tcn_bytes args);
/* {1: id} and {1: id, 2: text}, in static memory. */
tcn_bytes brig_args_id(const tcn_id *id, const char *text);

#endif
