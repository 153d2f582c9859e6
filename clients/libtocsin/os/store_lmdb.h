/* SPDX-License-Identifier: Apache-2.0 */
/* store_lmdb.h - the store port on LMDB: one unnamed database in DIR/data.mdb, fully synced.
 * Owns:    DIR/data.mdb, DIR/lock.mdb and DIR/ballast, a file of real blocks that is given up when
 *          the disk is full, so that emergencies still have room.
 * Threads: one. LMDB survives no fork: open after it.
 * Does not: lock DIR against another process (lockfile.h), nor know what the records mean. */
#ifndef TCN_OS_STORE_LMDB_H
#define TCN_OS_STORE_LMDB_H

#include "libtocsin/ports.h"

typedef struct tcn_store_lmdb tcn_store_lmdb;

typedef struct {
    const char *dir;        /* made with 0700 if it is not there */
    uint64_t map_bytes;     /* the most that the data file may grow to */
    uint64_t ballast_bytes; /* 0: none */
    unsigned mode;          /* of the files; 0 means 0600 */
} tcn_store_lmdb_options;

#define TCN_STORE_BALLAST_BYTES 8388608u

/* TCN_IO (the file is damaged, or of another LMDB: fault tells), TCN_PERMISSIONS, TCN_FULL,
 * TCN_INVALID (options), TCN_NO_MEMORY. A missing ballast is not an error: see has_ballast. */
TCN_CHECKED tcn_err tcn_store_lmdb_open(const tcn_store_lmdb_options *options,
                                        tcn_store_lmdb **ret_store, tcn_fault *fault);
/* Aborts what is open. */
void tcn_store_lmdb_destroy(tcn_store_lmdb **store);

/* The port; it borrows store. space counts what deleted records left, and the disk's free space
 * where the file has to grow; free pages are counted anew every 16 commits at least, and the
 * answer errs on the low side between. */
tcn_store tcn_store_lmdb_port(tcn_store_lmdb *store);

/* To be called each minute, outside of a transaction: clears readers that died, and makes the
 * ballast again once four times its size is free. */
void tcn_store_lmdb_tend(tcn_store_lmdb *store);

bool tcn_store_lmdb_has_ballast(const tcn_store_lmdb *store);
/* True once after the ballast was given up: a commit met a full disk and failed with TCN_FULL; the
 * next has room again. */
bool tcn_store_lmdb_take_ballast_released(tcn_store_lmdb *store);

/* The cause of the last TCN_IO or TCN_FULL, for the log; text is empty before the first. */
const tcn_fault *tcn_store_lmdb_fault(const tcn_store_lmdb *store);

#endif
