/* SPDX-License-Identifier: Apache-2.0 */
/* fingerprint.h - a key as people compare it, on the phone or on paper: the 32 hex digits of its
 * kid in groups of four. An authority's is its program's id. */
#ifndef TCN_CLI_FINGERPRINT_H
#define TCN_CLI_FINGERPRINT_H

#include <stdbool.h>

#include "libtocsin/keys.h"

#define TCN_FINGERPRINT_SIZE 40 /* "1a2b 3c4d ..." and NUL */

void tcn_fingerprint(const tcn_id *kid, char ret_text[static TCN_FINGERPRINT_SIZE]);
/* Is typed this fingerprint? Spaces, colons, hyphens and case do not count; all digits do. */
bool tcn_fingerprint_is(const tcn_id *kid, const char *typed);

#endif
