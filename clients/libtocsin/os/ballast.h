/* SPDX-License-Identifier: Apache-2.0 */
/* ballast.h - a file that only takes up room, to be given up when the disk is full. */
#ifndef TCN_OS_BALLAST_H
#define TCN_OS_BALLAST_H

#include "libtocsin/bytes.h"

#define TCN_BALLAST_PATH_SIZE 1024

typedef struct {
    char path[TCN_BALLAST_PATH_SIZE];
    uint64_t bytes; /* 0: none is wanted */
    bool is_there;
} tcn_ballast;

/* path is copied. Makes it if there is room; TCN_TOO_LARGE if the path is too long. */
TCN_CHECKED tcn_err tcn_ballast_init(tcn_ballast *ballast, const char *path, uint64_t bytes);
/* Makes it, with real blocks, unless it is there already or less than four times its size is free.
 * Whether it worked is in is_there. */
void tcn_ballast_make(tcn_ballast *ballast);
/* Gives the room back to the file system. False if there was none to give. */
bool tcn_ballast_release(tcn_ballast *ballast);

/* Is there no room for bytes more in folder? Found out by asking for it, so quotas count, too. */
bool tcn_disk_is_full(const char *folder, uint64_t bytes);

/* What an unprivileged process can still write at path (a file or directory); 0 if unknown. */
uint64_t tcn_disk_free(const char *path);

#endif
