/* SPDX-License-Identifier: Apache-2.0 */
/* net.h - connections: an ordered queue of frames each way, each frame with its delay. One can be
 * cut (each side hears of it in its own time, or never), be deaf in a direction, or stall. */
#ifndef TOCSIN_SIM_NET_H
#define TOCSIN_SIM_NET_H

#include "sim.h"

#define SIM_NEVER UINT64_MAX
#define SIM_NOBODY 99u

typedef struct sim_packet {
    struct sim_packet *next;
    uint64_t due;
    size_t len;
    uint8_t bytes[]; /* its end is that of the block: the sanitizers see one byte too far */
} sim_packet;

typedef struct {
    sim_packet *first, *last;
    size_t count;
} sim_queue;

struct sim_conn {
    sim_conn *next;
    tcn_peer peer; /* at the broker */
    tcn_lane endpoint;
    unsigned member;
    unsigned agent, person; /* whose it is; SIM_NOBODY */
    sim_queue up, down;     /* up: to the broker */
    uint64_t latency_ms;
    bool peer_open, broker_open;             /* does this side believe in it? */
    bool dead;                               /* nothing arrives any more */
    bool deaf_up, deaf_down;                 /* what is sent this way is lost */
    uint64_t stalled_until;                  /* down */
    uint64_t peer_hears_at, broker_hears_at; /* of the end; SIM_NEVER: not by the transport */
    bool cut_by_broker;
    /* what the model keeps of it */
    unsigned hellos, hello_subscribe[8]; /* not yet welcomed */
    bool is_node, is_welcomed;
    unsigned lanes;
    uint64_t complete_to[TCN_LANES];
};

/* NULL: nobody answers there, or it is not let in. */
sim_conn *sim_conn_open(sim *s, unsigned member, tcn_lane endpoint);
sim_conn *sim_conn_find(const sim *s, tcn_peer peer);
/* The peer sends; TCN_SEND_FULL, TCN_SEND_GONE as the port says. */
tcn_send_result sim_conn_send_up(sim *s, sim_conn *c, tcn_bytes frame);
tcn_send_result sim_conn_send_down(sim *s, sim_conn *c, tcn_bytes frame);
/* The next frame that has arrived; the caller frees it. NULL: none. */
sim_packet *sim_conn_take_up(sim *s, sim_conn *c);
sim_packet *sim_conn_take_down(sim *s, sim_conn *c);
sim_packet *sim_conn_take_now(sim_conn *c); /* down, not waiting for its delay */
/* When something is to be read or heard there; SIM_NEVER. */
uint64_t sim_conn_up_due(const sim_conn *c);
uint64_t sim_conn_down_due(const sim_conn *c);

/* The network breaks it: each side hears of it after at most so long. */
void sim_conn_cut(sim *s, sim_conn *c, uint64_t most_ms);
/* What is sent in one direction (deaf_up, deaf_down) is lost; TCP gives up after some minutes. */
void sim_conn_deafen(sim *s, sim_conn *c, bool *is_deaf);
/* One side lets go of it. */
void sim_conn_peer_close(sim *s, sim_conn *c);
void sim_conn_broker_close(sim *s, sim_conn *c);
/* One side's process died. */
void sim_conns_broker_died(sim *s);

void sim_conns_sweep(sim *s); /* frees those that nobody believes in */
void sim_conns_free(sim *s);

#endif
