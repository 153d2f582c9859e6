/* SPDX-License-Identifier: Apache-2.0 */
/* check.h - tocsin-agent --check: everything that start would trip over, each problem with its
 * remedy, changing nothing. */
#ifndef TCN_AGENT_CHECK_H
#define TCN_AGENT_CHECK_H

#include <stdio.h>

/* Prints one line for each finding; the number of those that are problems. */
unsigned tcn_agent_check(const char *home, FILE *out);

#endif
