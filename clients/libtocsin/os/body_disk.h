/* SPDX-License-Identifier: Apache-2.0 */
/* body_disk.h - one body file in its directory: ID.part while it grows, ID once it is whole.
 * Knows nothing of threads and queues: body_files.h calls it from its thread. */
#ifndef TCN_OS_BODY_DISK_H
#define TCN_OS_BODY_DISK_H

#include <sodium.h>

#include "libtocsin/ports.h"

typedef struct {
    tcn_id id;
    uint64_t bytes; /* size of the file */
    bool is_there, is_whole;
    bool is_hashed; /* hash covers all bytes: we wrote them all, in order */
    crypto_hash_sha256_state hash;
} tcn_body_file;

/* What lies there of this id; a whole one is taken before a part. TCN_IO. */
TCN_CHECKED tcn_err tcn_body_file_look(int dir_fd, const tcn_id *id, tcn_body_file *ret_file);
/* At the end of the part. An error leaves the size as it was (or tells the new one in bytes). */
TCN_CHECKED tcn_err tcn_body_file_append(int dir_fd, tcn_body_file *file, tcn_bytes bytes);
/* Checks size and SHA-256, then fsync, rename, fsync of the directory. A whole file is only
 * checked. Any error removes the file: after a failed fsync nobody knows what the disk has. */
TCN_CHECKED tcn_err tcn_body_file_finish(int dir_fd, tcn_body_file *file, uint64_t size,
                                         const tcn_hash *expected);
TCN_CHECKED tcn_err tcn_body_file_read(int dir_fd, const tcn_id *id, uint64_t offset,
                                       uint8_t *ret_bytes, size_t cap, size_t *ret_len);
void tcn_body_file_remove(int dir_fd, const tcn_id *id);

/* Is name one of ours, and of which id? */
bool tcn_body_file_name_parse(const char *name, tcn_id *ret_id, bool *ret_is_whole);

#endif
