/* SPDX-License-Identifier: Apache-2.0 */
/* config_scan.h - what libconfuse 3.3 lets pass and a strict config must not, found before it sees
 * the text: it drops characters that it does not know, takes the second of two equal names, takes
 * a section or comment that does not end, and miscounts lines after a comment. */
#ifndef TCN_OS_CONFIG_SCAN_H
#define TCN_OS_CONFIG_SCAN_H

#include "libtocsin/bytes.h"

typedef struct {
    int line;         /* from 1 */
    const char *what; /* what is wrong, and after a colon what to do; static */
    char name[64];    /* to be put in the place of the %s of what, if it has one */
} tcn_config_trouble;

/* Looks through text, which ends with a NUL, and overwrites its comments with spaces. False: *ret
 * tells the first trouble. */
bool tcn_config_scan(char *text, tcn_config_trouble *ret);

#endif
