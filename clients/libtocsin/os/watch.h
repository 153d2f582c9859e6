/* SPDX-License-Identifier: Apache-2.0 */
/* watch.h - tells when a named file in a directory was replaced or written to its end (inotify).
 * A file that is being written, or one beside it, says nothing. */
#ifndef TCN_OS_WATCH_H
#define TCN_OS_WATCH_H

#include <stdbool.h>

#include "libtocsin/err.h"

typedef struct tcn_watch tcn_watch;

/* The file need not be there yet. TCN_NOT_FOUND (the directory), TCN_PERMISSIONS, TCN_IO (the
 * system's limit of watches: fault tells), TCN_NO_MEMORY. */
TCN_CHECKED tcn_err tcn_watch_open(const char *dir, const char *name, tcn_watch **ret_watch,
                                   tcn_fault *fault);
void tcn_watch_destroy(tcn_watch **watch);

int tcn_watch_fd(const tcn_watch *watch); /* readable when something may have happened */
/* True if the file changed since the last take, however often, or if that cannot be told. Never
 * waits. */
bool tcn_watch_take(tcn_watch *watch);
/* The directory was moved or removed and could not be watched again: look now and then instead.
 * take tries again. */
bool tcn_watch_is_lost(const tcn_watch *watch);

#endif
