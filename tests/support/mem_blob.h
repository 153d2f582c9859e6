/* SPDX-License-Identifier: Apache-2.0 */
/* mem_blob.h - the blob port in memory, with faults.
 * What append and finish queue happens when the test takes the completions, one job each time, in
 * the order of the calls. Deterministic. One thread. */
#ifndef TOCSIN_TEST_MEM_BLOB_H
#define TOCSIN_TEST_MEM_BLOB_H

#include "libtocsin/ports.h"

typedef struct mem_blob mem_blob;

mem_blob *mem_blob_new(void); /* never NULL; capacity 1 GiB, queue 4 MiB */
void mem_blob_destroy(mem_blob **blob);
tcn_blob mem_blob_port(mem_blob *blob); /* it borrows blob */

/* Does the oldest queued job and gives its completion; false if nothing is queued. */
bool mem_blob_take(mem_blob *blob, tcn_blob_done *ret_done);
size_t mem_blob_queued(const mem_blob *blob);

void mem_blob_set_capacity(mem_blob *blob, uint64_t bytes); /* of all blobs; beyond is TCN_FULL */
void mem_blob_set_queue(mem_blob *blob, uint64_t bytes);    /* beyond is TCN_BUSY */
/* The nth append (finish) that is done from now fails with err; 0 takes it back. Happens once. */
void mem_blob_fail_append(mem_blob *blob, uint64_t nth, tcn_err err);
void mem_blob_fail_finish(mem_blob *blob, uint64_t nth, tcn_err err);
/* Changes one byte of a blob, as a bad disk does. False if there is no such byte. */
bool mem_blob_corrupt(mem_blob *blob, const tcn_id *id, uint64_t offset);

/* The disk now has all that jobs wrote so far (finish does this for its blob). */
void mem_blob_sync(mem_blob *blob);
/* Power loss: queued jobs, faults and whatever of partial blobs was not synced are gone. */
void mem_blob_crash(mem_blob *blob);
/* Makes *to hold the blobs of from as a crash would leave them: backup and restore. */
void mem_blob_copy(mem_blob *to, const mem_blob *from);

size_t mem_blob_count(const mem_blob *blob);
/* Over ids, states and bytes, ordered by id: equal exactly if what was done so far is. */
tcn_hash mem_blob_digest(const mem_blob *blob);

#endif
