/* SPDX-License-Identifier: Apache-2.0 */
/* place.h - puts a file into a home that may belong to another user (a daemon's): the new file is
 * that user's from its first byte, and old or new is there at any moment. For roots that hand trust
 * to a service's home; tcn_file_write keeps the caller as owner. */
#ifndef TCN_CLI_PLACE_H
#define TCN_CLI_PLACE_H

#include <stdbool.h>

#include "libtocsin/bytes.h"

/* Writes dir/name with this mode, owned as dir is (when we are root), and renames it into place.
 * The content is fsynced first if sync is true; without it, for many files, call tcn_place_sync
 * after all. TCN_NOT_FOUND: no dir. */
TCN_CHECKED tcn_err tcn_place(const char *dir, const char *name, tcn_bytes content, unsigned mode,
                              bool sync, tcn_fault *fault);
/* Makes dir/name a link to an existing file on the same file system, replacing what is there.
 * TCN_BUSY: this needs a copy instead (too many links, another file system, another owner). */
TCN_CHECKED tcn_err tcn_place_link(const char *existing, const char *dir, const char *name);
/* What was written to the file system of dir is durable. */
TCN_CHECKED tcn_err tcn_place_sync(const char *dir, tcn_fault *fault);

#endif
