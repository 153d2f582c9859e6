/* SPDX-License-Identifier: Apache-2.0 */
/* local_server.h - the agent's local socket (docs/protocol.md §8): Unix stream connections as peers
 * from TCN_LOCAL_PEER_FIRST up, each a number never used again.
 * Who may: the agent's user, root, and members of one configured group (SO_PEERCRED).
 * Threads: one, that of the loop; nothing here waits. A reader that takes nothing for SLOW_MS while
 * much waits for it is dropped. */
#ifndef TCN_LOCAL_SERVER_H
#define TCN_LOCAL_SERVER_H

#include <poll.h>

#include "core/agent.h"
#include "libtocsin/limits.h"

typedef struct tcn_local_server tcn_local_server;

/* Makes path's directory (0700, or 0750 for the group) and listens. A socket file that is left over
 * is replaced: the caller holds the home's lock. group NULL or "": none. clock must outlive it. */
TCN_CHECKED tcn_err tcn_local_server_new(const char *path, const char *group,
                                         const tcn_clock *clock, tcn_local_server **ret_server,
                                         tcn_fault *fault);
/* Closes all and removes the socket file. */
void tcn_local_server_destroy(tcn_local_server **server);

/* As tcn_net.send: one message, without its length. FULL while much waits for that reader. */
tcn_send_result tcn_local_server_send(tcn_local_server *server, tcn_peer peer, tcn_bytes message);
/* Hangs up once what was sent is out. */
void tcn_local_server_close(tcn_local_server *server, tcn_peer peer);

#define TCN_LOCAL_SERVER_FDS (1 + TCN_MAX_LOCAL_CLIENTS)
/* What to wait for. Changes with each read and send. */
size_t tcn_local_server_fds(const tcn_local_server *server,
                            struct pollfd ret_fd[static TCN_LOCAL_SERVER_FDS]);
/* When a slow reader will be dropped. */
tcn_mono tcn_local_server_deadline(const tcn_local_server *server);

/* LOCAL and LOCAL_GONE, in order for each peer; what they view lives until the next call. Bounded;
 * *ret_more: there is more, do not wait. Also sends on what waits. */
size_t tcn_local_server_read(tcn_local_server *server, const tcn_agent_input **ret_inputs,
                             bool *ret_more);

/* Refused since the start: wrong user, too many. */
uint64_t tcn_local_server_refused(const tcn_local_server *server);

#endif
