/* SPDX-License-Identifier: Apache-2.0 */
/* server.h - the agent's loop: links, the local socket, files, signals and time around the core.
 * Owns:    everything it opens in the home; the home's lock is the caller's.
 * Threads: one calls; inside are libzmq's, the body files' and the resolver's. */
#ifndef TCN_AGENT_SERVER_H
#define TCN_AGENT_SERVER_H

#include "config.h"
#include "libtocsin/os/log.h"
#include "libtocsin/os/notify.h"

typedef struct {
    const char *home;
    const tcn_agent_settings *settings; /* must outlive the server */
    tcn_log_out *log;
    const tcn_notify *notify;
    int signal_fd;
} tcn_agent_server_options;

typedef struct tcn_agent_server tcn_agent_server;

/* Opens the home, recovers the state, opens the local socket. */
TCN_CHECKED tcn_err tcn_agent_server_new(const tcn_agent_server_options *options,
                                         tcn_agent_server **ret_server, tcn_fault *fault);
/* Until SIGTERM or SIGINT: TCN_OK. Anything else: the process must end, fault says why. */
TCN_CHECKED tcn_err tcn_agent_server_run(tcn_agent_server *server, tcn_fault *fault);
void tcn_agent_server_destroy(tcn_agent_server **server);

#endif
