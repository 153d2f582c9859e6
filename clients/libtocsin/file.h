/* SPDX-License-Identifier: Apache-2.0 */
/* file.h - whole small files, read bounded and written so that a crash leaves old or new. */
#ifndef TCN_FILE_H
#define TCN_FILE_H

#include "bytes.h"

/* Reads a regular file of at most max_bytes; *ret_ptr is malloc'd (never NULL) with a NUL after
 * its last byte. TCN_NOT_FOUND, TCN_PERMISSIONS, TCN_TOO_LARGE, TCN_IO, TCN_INVALID (not a regular
 * file), TCN_NO_MEMORY, each told in fault. */
TCN_CHECKED tcn_err tcn_file_read(const char *path, size_t max_bytes, uint8_t **ret_ptr,
                                  size_t *ret_len, tcn_fault *fault);
/* The same for a secret, checked on the open file: TCN_PERMISSIONS, with the remedy in fault, if it
 * is a symbolic link, not ours, or open to group or others. Wipe what is returned before free. */
TCN_CHECKED tcn_err tcn_file_read_secret(const char *path, size_t max_bytes, uint8_t **ret_ptr,
                                         size_t *ret_len, tcn_fault *fault);
/* Temporary name in the same directory, fsync, rename, fsync of the directory. mode as chmod, exact
 * whatever the umask. TCN_FULL for a full disk, and the errors of reading. */
TCN_CHECKED tcn_err tcn_file_write(const char *path, tcn_bytes content, unsigned mode,
                                   tcn_fault *fault);
/* The same, but TCN_CONFLICT if path exists (link(2), no race). */
TCN_CHECKED tcn_err tcn_file_create(const char *path, tcn_bytes content, unsigned mode,
                                    tcn_fault *fault);
/* mkdir -p with mode, exact, for the last, and the umask for those above; fine if it is there.
 * TCN_CONFLICT if something is there that is not a directory. */
TCN_CHECKED tcn_err tcn_dir_make(const char *path, unsigned mode, tcn_fault *fault);
/* "a/b" into fixed memory; TCN_TOO_LARGE. */
TCN_CHECKED tcn_err tcn_path_join(const char *a, const char *b, char *ret_path, size_t size);

#endif
