/* SPDX-License-Identifier: Apache-2.0 */
/* curve.h - the one place that makes a CURVE socket, hardened (DESIGN §4). Every option is checked:
 * a socket that is not as it should be is not made. What happens to its connections: monitor.h.
 * Threads: a socket belongs to the thread that made it; resolve blocks for the name service. */
#ifndef TCN_CURVE_H
#define TCN_CURVE_H

#include "keys.h"
#include "monitor.h"

/* ZAP domain of a broker's sockets; its handler answers for no other. */
#define TCN_ZAP_DOMAIN "tocsin"
#define TCN_ZAP_ENDPOINT "inproc://zeromq.zap.01"

/* A context with so many I/O threads whose termination never waits for unsent frames. End it with
 * zmq_ctx_term once its sockets are closed. */
TCN_CHECKED tcn_err tcn_curve_context(int io_threads, void **ret_context, tcn_fault *fault);

/* ---- addresses ---- */

#define TCN_HOST_CHARS 253
#define TCN_ADDRESSES 16 /* of one name; the rest is left out */

typedef struct {
    char host[TCN_HOST_CHARS + 1]; /* a name or a numeric address, without brackets */
    unsigned port;                 /* 0: to bind, any free one */
} tcn_host_port;

/* "name:7700", "192.0.2.1:7700", "[2001:db8::1]:7700", "*:7700". TCN_INVALID otherwise. */
TCN_CHECKED tcn_err tcn_host_port_parse(const char *text, tcn_host_port *ret_host_port,
                                        tcn_fault *fault);

typedef struct {
    char text[TCN_ADDRESS_SIZE]; /* what zmq_connect takes: "tcp://[2001:db8::1]:7700" */
} tcn_address;

/* All addresses of "host:port", IPv6 and IPv4 taking turns (libzmq would try only the first one).
 * Blocks for the name service. TCN_UNREACHABLE: the name has none; TCN_INVALID: not host:port. */
TCN_CHECKED tcn_err tcn_curve_resolve(const char *host_port, tcn_address ret_address[TCN_ADDRESSES],
                                      size_t *ret_count, tcn_fault *fault);
/* The address as it is, for a proxy that resolves by itself. */
TCN_CHECKED tcn_err tcn_curve_unresolved(const char *host_port, tcn_address *ret_address,
                                         tcn_fault *fault);

/* ---- sockets ---- */

typedef struct {
    const tcn_box_secret *secret; /* ours; libzmq keeps a copy */
    int queue_frames;             /* each way and connection; 0: 256 */
} tcn_curve_server_options;

/* A ROUTER that demands CURVE and ZAP (domain TCN_ZAP_DOMAIN, enforced) and whose sends say when
 * the peer is gone. Bind the ZAP handler first, then this one with tcn_curve_bind. */
TCN_CHECKED tcn_err tcn_curve_server(void *context, const tcn_curve_server_options *options,
                                     void **ret_socket, tcn_fault *fault);
/* Binds to "host:port"; refuses (TCN_DENIED) while no ZAP handler is bound in the context.
 * *ret_bound is the address in force as "host:port", with the port that 0 became.
 * TCN_IN_USE, TCN_PERMISSIONS, TCN_INVALID. */
TCN_CHECKED tcn_err tcn_curve_bind(void *context, void *socket, const char *host_port,
                                   char ret_bound[static TCN_ADDRESS_SIZE], tcn_fault *fault);

typedef struct {
    const tcn_box_secret *secret;
    const tcn_box_public *server_key;
    const char *socks_proxy; /* of tcn_socks_connect: the handshake may take longer; or NULL, "" */
    int queue_frames;        /* 0: 256 */
    int reconnect_ms;        /* 0: a socket is one connection, and the owner makes the next */
    int reconnect_max_ms;    /* with reconnect_ms */
    /* Frames sent before the handshake wait for it. false: they are refused, and frames that came
     * and were not read yet are lost when the connection ends. */
    bool queue_while_waiting;
} tcn_curve_client_options;

/* A DEALER, not yet connected: tcn_socks_connect, or zmq_connect(socket, address.text). */
TCN_CHECKED tcn_err tcn_curve_client(void *context, const tcn_curve_client_options *options,
                                     void **ret_socket, tcn_fault *fault);

/* Closes a socket at once, unsent frames are dropped; NULL is fine. */
void tcn_curve_close(void **socket);

/* errno of a libzmq call as an error of ours. */
tcn_err tcn_zmq_error(int zmq_errno);

#endif
