/* SPDX-License-Identifier: Apache-2.0 */
/* check.h - tocsin-broker --check: everything that start would trip over, each problem with its
 * remedy, changing nothing. */
#ifndef TCN_BROKER_CHECK_H
#define TCN_BROKER_CHECK_H

#include <stdio.h>

/* Prints one line for each finding; the number of those that are problems. */
unsigned tcn_broker_check(const char *home, FILE *out);

#endif
