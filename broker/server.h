/* SPDX-License-Identifier: Apache-2.0 */
/* server.h - the broker's loop: sockets, files, signals and time around the core. Each turn drains
 * what is there (emergency first), gives it to the core and sleeps until the next.
 * Owns:    everything it opens in the home; the home's lock is the caller's.
 * Threads: one calls; inside are libzmq's, ZAP's, the body files' and the trust file's. */
#ifndef TCN_BROKER_SERVER_H
#define TCN_BROKER_SERVER_H

#include "config.h"
#include "libtocsin/os/log.h"
#include "libtocsin/os/notify.h"

typedef struct {
    const char *home;
    const tcn_broker_settings *settings; /* must outlive the server */
    tcn_log_out *log;
    const tcn_notify *notify;
    int signal_fd;
} tcn_broker_server_options;

typedef struct tcn_broker_server tcn_broker_server;

/* Opens the home, recovers the state, listens. */
TCN_CHECKED tcn_err tcn_broker_server_new(const tcn_broker_server_options *options,
                                          tcn_broker_server **ret_server, tcn_fault *fault);
/* Until SIGTERM or SIGINT: TCN_OK. Anything else: the process must end, fault says why. */
TCN_CHECKED tcn_err tcn_broker_server_run(tcn_broker_server *server, tcn_fault *fault);
void tcn_broker_server_destroy(tcn_broker_server **server);

#endif
