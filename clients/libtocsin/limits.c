/* SPDX-License-Identifier: Apache-2.0 */
/* limits.c - the table of limits.h as rows that a program can print. */
#include "limits.h"

static const tcn_limit limits[] = {
#define X(name, value, unit, reason) {#name, value, unit, reason},
    TCN_LIMITS_TABLE(X)
#undef X
};

const tcn_limit *tcn_limits(unsigned *ret_count)
{
    *ret_count = (unsigned)(sizeof(limits) / sizeof(limits[0]));
    return limits;
}
