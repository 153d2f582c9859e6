/* SPDX-License-Identifier: Apache-2.0 */
/* roster_put.h - the authority's export handed to a broker over the network, by an operator. */
#ifndef TCN_CLI_ROSTER_PUT_H
#define TCN_CLI_ROSTER_PUT_H

#include "net.h"

/* Sends the file, which was read and verified; returns the exit code. args must have the rows of
 * TCN_NET_OPTIONS. */
int tcn_roster_put(const tcn_cli *cli, const tcn_args *args);

#endif
