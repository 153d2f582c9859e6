/* SPDX-License-Identifier: Apache-2.0 */
/* mem_store.h - the store port in memory, with faults.
 * Strict where LMDB is lenient: each view is a copy of its own that is freed at the next put, del,
 * commit or abort, so that the sanitizers see a use after its life; misuse (nested begin, put in a
 * read transaction) ends the test program. Deterministic. One thread. */
#ifndef TOCSIN_TEST_MEM_STORE_H
#define TOCSIN_TEST_MEM_STORE_H

#include "libtocsin/ports.h"

typedef struct mem_store mem_store;

/* Never NULL: test support ends the program when out of memory. Capacity 1 GiB. */
mem_store *mem_store_new(void);
void mem_store_destroy(mem_store **store);
/* The port; it borrows store. */
tcn_store mem_store_port(mem_store *store);

/* Keys, values and MEM_STORE_ENTRY_BYTES per entry count; a put beyond is TCN_FULL. */
#define MEM_STORE_ENTRY_BYTES 32u
void mem_store_set_capacity(mem_store *store, uint64_t bytes);

/* The nth put or del from now (1 is the next) fails with err (TCN_FULL or TCN_IO) and poisons its
 * transaction; 0 takes the fault back. Happens once. */
void mem_store_fail_write(mem_store *store, uint64_t nth, tcn_err err);
/* The nth commit of a write transaction from now fails with err. If lands, the disk has it all the
 * same, as a later mem_store_crash shows: an owner that goes on after a failed commit is wrong. */
void mem_store_fail_commit(mem_store *store, uint64_t nth, tcn_err err, bool lands);

/* The process died: what was not committed is gone, faults too. The port stays usable. */
void mem_store_crash(mem_store *store);
/* Makes *to hold what from has committed: backup and restore. No transaction may be open in to. */
void mem_store_copy(mem_store *to, const mem_store *from);

/* Committed and, within a transaction, uncommitted entries in key order. Views die when fn
 * returns; fn must not write. Stops when fn gives false. */
typedef bool mem_store_fn(void *arg, tcn_bytes key, tcn_bytes value);
void mem_store_each(const mem_store *store, mem_store_fn *fn, void *arg);
size_t mem_store_count(const mem_store *store);
/* Over lengths, keys and values in order: equal exactly if the content is. */
tcn_hash mem_store_digest(const mem_store *store);
uint64_t mem_store_commits(const mem_store *store); /* write transactions committed so far */
bool mem_store_is_open(const mem_store *store);     /* is a transaction open? */

#endif
