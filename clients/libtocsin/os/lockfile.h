/* SPDX-License-Identifier: Apache-2.0 */
/* lockfile.h - one process per home: an exclusive lock on HOME/run/lock, which holds our pid.
 * The kernel gives it back when the process ends, however it ends. A child that is forked while it
 * is held keeps it too: take it after forking helpers. */
#ifndef TCN_OS_LOCKFILE_H
#define TCN_OS_LOCKFILE_H

#include "libtocsin/err.h"

typedef struct {
    int fd;
} tcn_lockfile;

/* Makes HOME/run (0700) if it is not there. TCN_IN_USE: fault says which process has it;
 * TCN_PERMISSIONS, TCN_FULL, TCN_IO. */
TCN_CHECKED tcn_err tcn_lockfile_take(const char *home, tcn_lockfile *ret_lock, tcn_fault *fault);
/* Gives it back; the file stays. Twice is fine. */
void tcn_lockfile_fini(tcn_lockfile *lock);

#endif
