/* SPDX-License-Identifier: Apache-2.0 */
/* body_files.h - the blob port on files in DIR/bodies: written, hashed and synced on a thread.
 * Owns:    DIR/bodies, 0700.
 * Threads: the port, take and each from one thread; the other is inside, with all signals blocked.
 * Durable: a body whose finish answered TCN_OK survives power loss; a partial one may be shorter.
 * Does not: know which bodies are wanted; the owner removes the others at start, with each. */
#ifndef TCN_OS_BODY_FILES_H
#define TCN_OS_BODY_FILES_H

#include "libtocsin/ports.h"

typedef struct tcn_body_files tcn_body_files;

#define TCN_BODY_QUEUE_BYTES 4194304u /* chunks that wait for the disk; beyond: TCN_BUSY */

/* TCN_PERMISSIONS, TCN_IO, TCN_FULL, TCN_NO_MEMORY, with fault. */
TCN_CHECKED tcn_err tcn_body_files_open(const char *dir, uint64_t queue_bytes,
                                        tcn_body_files **ret_files, tcn_fault *fault);
/* Waits for the job under way; those queued are dropped and do not answer. */
void tcn_body_files_destroy(tcn_body_files **files);

tcn_blob tcn_body_files_port(tcn_body_files *files); /* it borrows files */

/* Readable while a completion waits: for the loop. Not to be read or closed by others. */
int tcn_body_files_fd(const tcn_body_files *files);
/* The next completion; false if there is none (yet). */
bool tcn_body_files_take(tcn_body_files *files, tcn_blob_done *ret_done);

/* Each blob on disk, in no order. fn may remove it. TCN_IO if the directory cannot be read. */
typedef void tcn_body_files_fn(void *arg, const tcn_id *id, tcn_blob_state state, uint64_t bytes);
TCN_CHECKED tcn_err tcn_body_files_each(tcn_body_files *files, tcn_body_files_fn *fn, void *arg);

#endif
