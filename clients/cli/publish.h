/* SPDX-License-Identifier: Apache-2.0 */
/* publish.h - sending what was prepared; publish and the cancels share it. */
#ifndef TCN_CLI_PUBLISH_H
#define TCN_CLI_PUBLISH_H

#include "net.h"

/* Prints the id, submits with a progress bar, tells the answer; returns the exit code. */
int tcn_publish_send(const tcn_cli *cli, tocsin_client *client, const tocsin_prepared *prepared);

#endif
