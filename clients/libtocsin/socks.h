/* SPDX-License-Identifier: Apache-2.0 */
/* socks.h - one connection's way through a SOCKS5 proxy (RFC 1928, no login). libzmq connects to a
 * local socket here, and a thread carries bytes between that and the proxy; all it sees is CURVE.
 * libzmq 4.3.4's own client ends the process when a socket is closed after its proxy failed.
 * Threads: all calls by the owner; none of them waits. */
#ifndef TCN_SOCKS_H
#define TCN_SOCKS_H

#include "curve.h"

#define TCN_SOCKS_ENDPOINT_SIZE 64
#define TCN_SOCKS_WHY_SIZE 384

typedef struct tcn_socks tcn_socks;

/* proxy and target are "host:port"; the proxy resolves the target's name. The way is made when
 * libzmq connects to the endpoint, and serves one connection, of this process only.
 * TCN_INVALID: not host:port. TCN_IO, TCN_NO_MEMORY. */
TCN_CHECKED tcn_err tcn_socks_open(const char *proxy, const char *target, tcn_socks **ret_socks,
                                   tcn_fault *fault);
/* Connects a ZeroMQ socket to "tcp://host:port": straight without a proxy (NULL or "", *ret_way is
 * then NULL), else by a way that the caller closes after the socket. TCN_UNREACHABLE: at once. */
TCN_CHECKED tcn_err tcn_socks_connect(void *socket, const char *proxy, const tcn_address *address,
                                      tcn_socks **ret_way, tcn_fault *fault);
/* For zmq_connect; lives as long as the way. */
const char *tcn_socks_endpoint(const tcn_socks *socks);
/* What keeps the way from being there, for people; "" once the proxy said yes, and for NULL. */
void tcn_socks_why(tcn_socks *socks, char ret_why[static TCN_SOCKS_WHY_SIZE]);
/* Ends it; close the ZeroMQ socket first. Does not wait for a name service: then the thread frees
 * what is left when it ends. NULL is fine. */
void tcn_socks_close(tcn_socks **socks);

#endif
