/* SPDX-License-Identifier: Apache-2.0 */
/* net_rig.h - the broker's net port on real sockets: a world, the ZAP handler, both endpoints on
 * loopback ports, and clients. All in one thread; waiting is polling with a limit, after which the
 * test ends with a word. */
#ifndef TOCSIN_TEST_NET_RIG_H
#define TOCSIN_TEST_NET_RIG_H

#include "broker/auth/zap.h"
#include "broker/net.h"
#include "libtocsin/curve.h"
#include "tests/support/mem_ports.h"
#include "tests/support/world.h"

#define NET_RIG_CLIENTS 8

typedef struct {
    void *socket;
    tcn_monitor *monitor;
} net_client;

typedef struct {
    world *world;
    mem_ports ports;
    tcn_ports all;
    void *server_context, *client_context;
    tcn_zap *zap;
    tcn_broker_net *net;
    tcn_net port;
    char address[TCN_LANES][TCN_ADDRESS_SIZE]; /* for zmq_connect */
    net_client client[NET_RIG_CLIENTS];
    size_t clients;
    /* What the net said, kept until net_rig_forget. */
    struct {
        tcn_peer peer;
        tcn_lane endpoint;
        char member[64];
        size_t len;
        uint8_t first; /* byte; 0 of an empty frame */
    } frame[4096];
    size_t frames;
    tcn_peer gone[64];
    size_t gones;
} net_rig;

/* Members "alice" and "bob", nodes. Not listening yet; no ZAP handler yet. */
net_rig *net_rig_new(void);
void net_rig_listen(net_rig *rig); /* starts ZAP first */
void net_rig_free(net_rig **rig);

/* A DEALER with this member's key, connected; the rig closes it. */
net_client *net_rig_client(net_rig *rig, const char *member, tcn_lane endpoint);
/* The same to another address. */
net_client *net_rig_client_to(net_rig *rig, const char *member, const char *address);
/* Watches and connects any socket of the client context. */
net_client *net_rig_adopt(net_rig *rig, void *socket, const char *address);
void net_client_close(net_client *client);
void net_client_send(const net_client *client, const void *bytes, size_t len);

/* One turn: reads all there is and notes it. Waits at most so long for something. */
void net_rig_turn(net_rig *rig, int wait_ms);
/* Turns until the net has said that many frames, or that many gones. */
void net_rig_wait_frames(net_rig *rig, size_t frames);
void net_rig_wait_gones(net_rig *rig, size_t gones);
void net_rig_forget(net_rig *rig);
/* Connects a client that says "hello" and gives its number. */
net_client *net_rig_peer(net_rig *rig, const char *member, tcn_lane endpoint, tcn_peer *ret_peer);

/* The next event of a client, and the next of this kind; the net takes its turns meanwhile. */
tcn_monitor_event net_rig_event(net_rig *rig, net_client *client, tcn_monitor_kind kind);
/* The next frame of a client as text. */
void net_rig_expect(net_rig *rig, net_client *client, const char *text);

#endif
