/* SPDX-License-Identifier: Apache-2.0 */
/* broker_status.h - the state of the broker that a home belongs to, asked over the network. */
#ifndef TCN_CLI_BROKER_STATUS_H
#define TCN_CLI_BROKER_STATUS_H

#include "net.h"

/* Asks and prints; returns the exit code. args must have the rows of TCN_NET_OPTIONS. */
int tcn_broker_status(const tcn_cli *cli, const tcn_args *args);

#endif
