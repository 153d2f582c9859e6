/* SPDX-License-Identifier: Apache-2.0 */
/* client_link.h - one connection to one endpoint of one broker: its addresses one after the other,
 * the handshake, frames out and in. A link that failed is not mended but started anew, so that no
 * frame of an old session reaches a new one.
 * Threads: the owner's. start blocks for the name service, nothing else blocks. */
#ifndef TCN_CLIENT_LINK_H
#define TCN_CLIENT_LINK_H

#include <zmq.h>

#include "bundle.h"
#include "socks.h"

typedef enum {
    TCN_LINK_IDLE,    /* never started, or stopped */
    TCN_LINK_OPENING, /* on the way to a handshake; HELLO waits in the socket */
    TCN_LINK_UP,      /* the handshake succeeded */
    TCN_LINK_FAILED   /* why and stage tell */
} tcn_link_state;

typedef struct {
    uint64_t frames_in, bytes_in, frames_out, bytes_out;
} tcn_link_traffic;

typedef struct {
    tcn_link_state state;
    tcn_fault why;
    int32_t stage; /* of the public API */
    void *context, *socket;
    unsigned sockets; /* made so far: says when there is another one */
    tcn_monitor *monitor;
    tcn_socks *way;                   /* through the proxy; NULL without one */
    tcn_curve_client_options options; /* proxy and keys point to the owner's */
    tcn_box_public server_key;
    tcn_buf hello;
    size_t addresses, next;
    tcn_address address[TCN_ADDRESSES];
    bool tcp_up;
    tcn_mono address_since, address_until, until; /* while opening */
    tcn_mono sent_at, heard_at;
    tcn_link_traffic traffic;
    zmq_msg_t in; /* the last frame received */
    bool has_in;
} tcn_link;

typedef struct {
    void *context;
    const tcn_broker_entry *broker; /* copied as far as needed */
    tcn_lane endpoint;
    const tcn_box_secret *secret; /* outlives the link */
    const char *socks_proxy;      /* likewise; NULL: none */
    tcn_bytes hello;              /* sent first on whatever address answers; copied; may be empty */
    uint64_t timeout_ms;          /* over all addresses, until UP */
} tcn_link_options;

/* Drops what there is and begins anew. TCN_UNREACHABLE and others: FAILED at once. */
TCN_CHECKED tcn_err tcn_link_start(tcn_link *link, const tcn_link_options *options, tcn_mono now);
void tcn_link_stop(tcn_link *link); /* to IDLE; traffic is kept */
/* Looks at events and clocks; call before using what state says. */
void tcn_link_turn(tcn_link *link, tcn_mono now);
/* Marks it failed, for an owner that knows why. */
void tcn_link_fail(tcn_link *link, int32_t stage, const tcn_fault *why);
/* Queues a frame. TCN_BUSY: the queue is full, or the connection just went. */
TCN_CHECKED tcn_err tcn_link_send(tcn_link *link, tcn_bytes frame, tcn_mono now);
/* The next frame, a view until the next call. TCN_NOT_FOUND: none; TCN_MALFORMED: the link failed
 * over what it received. */
TCN_CHECKED tcn_err tcn_link_receive(tcn_link *link, tcn_bytes *ret_frame, tcn_mono now);
/* When turn has something to do without any event; UINT64_MAX ms: never. */
tcn_mono tcn_link_deadline(const tcn_link *link);

/* One libzmq context for all clients and nodes of the process, made with the first of them. */
TCN_CHECKED tcn_err tcn_client_context_ref(void **ret_context, tcn_fault *fault);
void tcn_client_context_unref(void **context);

#endif
