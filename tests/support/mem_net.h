/* SPDX-License-Identifier: Apache-2.0 */
/* mem_net.h - the net port in memory: what was sent lies here until the test takes it.
 * A peer nobody spoke of is open. Deterministic. One thread. */
#ifndef TOCSIN_TEST_MEM_NET_H
#define TOCSIN_TEST_MEM_NET_H

#include "libtocsin/ports.h"

typedef struct mem_net mem_net;

mem_net *mem_net_new(void); /* never NULL */
void mem_net_destroy(mem_net **net);
tcn_net mem_net_port(mem_net *net); /* it borrows net */
/* The process of the core died: peers, frames and faults are forgotten. The port stays usable. */
void mem_net_reset(mem_net *net);

typedef enum {
    MEM_PEER_OPEN,
    MEM_PEER_FULL, /* sends are TCN_SEND_FULL */
    MEM_PEER_GONE  /* sends are TCN_SEND_GONE; what it did not take is dropped */
} mem_peer_mode;

void mem_net_set_peer(mem_net *net, tcn_peer peer, mem_peer_mode mode);
/* Frames that may lie untaken for each peer before sends are TCN_SEND_FULL; 0: no bound. */
void mem_net_set_high_water(mem_net *net, size_t frames);

/* The oldest frame sent to anyone, or to one peer, and not yet taken. False: there is none. The
 * view lives until the next take or mem_net_destroy. */
bool mem_net_take(mem_net *net, tcn_peer *ret_peer, tcn_bytes *ret_frame);
bool mem_net_take_for(mem_net *net, tcn_peer peer, tcn_bytes *ret_frame);
size_t mem_net_pending(const mem_net *net);
size_t mem_net_pending_for(const mem_net *net, tcn_peer peer);
uint64_t mem_net_sent(const mem_net *net); /* frames accepted since the start */
void mem_net_drop(mem_net *net);           /* forgets all that was not taken */

/* Has the core closed it? A closed peer is gone, and reads nothing more. */
bool mem_net_is_closed(const mem_net *net, tcn_peer peer);
/* The nth peer that was closed, counted from 0, in order; false beyond the last. */
bool mem_net_closed(const mem_net *net, size_t nth, tcn_peer *ret_peer);

/* Frames of frame_new that the core has not released; 0 after each turn, or there is a leak. */
size_t mem_net_held_frames(const mem_net *net);
/* The nth frame_new from now gives NULL; 0 takes it back. Happens once. */
void mem_net_fail_frame(mem_net *net, uint64_t nth);

#endif
