/* SPDX-License-Identifier: Apache-2.0 */
/* net.h - the broker's net port over two ROUTERs: frames in with the member that ZAP said they are
 * from, frames out without ever waiting, connections cut.
 * Owns:    the sockets it made, their monitors, and the numbers of the peers.
 * Threads: one, that of the loop. */
#ifndef TCN_BROKER_NET_H
#define TCN_BROKER_NET_H

#include "libtocsin/alert.h"
#include "libtocsin/keys.h"
#include "libtocsin/monitor.h"
#include "libtocsin/ports.h"

typedef struct tcn_broker_net tcn_broker_net;

/* Makes both sockets with the broker's transport key. They listen to nothing yet. context, clock
 * and log must outlive it. */
TCN_CHECKED tcn_err tcn_broker_net_new(void *context, const tcn_box_secret *secret,
                                       const tcn_clock *clock, const tcn_log *log,
                                       tcn_broker_net **ret_net, tcn_fault *fault);
void tcn_broker_net_destroy(tcn_broker_net **net);

/* Listens at "host:port", also several times. TCN_DENIED without a ZAP handler (curve.h). */
TCN_CHECKED tcn_err tcn_broker_net_listen(tcn_broker_net *net, tcn_lane endpoint,
                                          const char *host_port,
                                          char ret_bound[static TCN_ADDRESS_SIZE],
                                          tcn_fault *fault);

/* The port. It lives as long as net. */
tcn_net tcn_broker_net_port(tcn_broker_net *net);

/* For zmq_poll: sockets readable when frames or events wait. */
#define TCN_BROKER_NET_SOCKETS 4
void tcn_broker_net_sockets(tcn_broker_net *net, void *ret_socket[static TCN_BROKER_NET_SOCKETS]);

typedef struct {
    tcn_peer peer;
    tcn_lane endpoint;
    const char *member;
    tcn_bytes frame;
} tcn_broker_net_frame;

/* At most so many frames of each endpoint from the next read on; TURN_FRAMES at first, and most. */
void tcn_broker_net_pace(tcn_broker_net *net, size_t frames);
/* A turn's input: up to that many frames of each endpoint, emergency first. What they view lives
 * until the next call. *ret_more: there is more, do not wait for the sockets. */
size_t tcn_broker_net_read(tcn_broker_net *net, const tcn_broker_net_frame **ret_frames,
                           bool *ret_more);
/* What came meanwhile, behind what the last read gave and within its bounds; that stays, and is
 * part of what is returned. */
size_t tcn_broker_net_read_on(tcn_broker_net *net, const tcn_broker_net_frame **ret_frames,
                              bool *ret_more);
/* Up to cap peers that are gone and whose last frame has been read; each is told once. */
size_t tcn_broker_net_gone(tcn_broker_net *net, tcn_peer *ret_peers, size_t cap);
/* Cuts connections that have not said anything since they were accepted; call about each second. */
void tcn_broker_net_sweep(tcn_broker_net *net);
/* Cuts those that spoke, but have no session so long after: a member must not hold descriptors for
 * nothing. has_session says who is the core's. */
void tcn_broker_net_cut_strangers(tcn_broker_net *net,
                                  bool (*has_session)(void *arg, tcn_peer peer), void *arg);

/* X(name, meaning) */
#define TCN_BROKER_NET_COUNTERS(X)                                                                 \
    X(frames_in, "frames handed to the core")                                                      \
    X(frames_out, "frames sent")                                                                   \
    X(full, "sends refused because the peer is behind")                                            \
    X(anonymous, "messages without User-Id, dropped")                                              \
    X(malformed, "messages that are not one frame, dropped")                                       \
    X(late, "frames of connections already cut, dropped")                                          \
    X(impostors, "connections cut because they chose their own routing id")                        \
    X(mute, "connections cut because they said nothing")                                           \
    X(strangers, "connections cut because they opened no session")                                 \
    X(cuts, "connections cut by the core")                                                         \
    X(accepted, "connections accepted, before any handshake")                                      \
    X(disconnected, "connections ended, also those that never finished their handshake")

typedef struct {
#define X(name, meaning) uint64_t name;
    TCN_BROKER_NET_COUNTERS(X)
#undef X
    uint64_t peers; /* now */
} tcn_broker_net_stats;

void tcn_broker_net_stats_get(const tcn_broker_net *net, tcn_broker_net_stats *ret_stats);

#endif
