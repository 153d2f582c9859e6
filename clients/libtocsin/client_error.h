/* SPDX-License-Identifier: Apache-2.0 */
/* client_error.h - faults of the library as tocsin_error of the public API, and the clocks that the
 * client modules share. */
#ifndef TCN_CLIENT_ERROR_H
#define TCN_CLIENT_ERROR_H

#include <tocsin/types.h>

#include "when.h"

/* Fills error (may be NULL) from err and, if it has one, fault's text; returns err as a code. */
int32_t tcn_error_set(tocsin_error *error, int32_t stage, tcn_err err, const tcn_fault *fault);
/* The same with a text of one's own. */
int32_t tcn_error_say(tocsin_error *error, int32_t stage, tcn_err err, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

tcn_wall tcn_now_wall(void);
tcn_mono tcn_now_mono(void);

#endif
