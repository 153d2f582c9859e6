/* SPDX-License-Identifier: Apache-2.0 */
/* lmdb_seek.h - the store port's seek on an LMDB cursor: forward and backward within a prefix. */
#ifndef TCN_OS_LMDB_SEEK_H
#define TCN_OS_LMDB_SEEK_H

#include <lmdb.h>

#include "libtocsin/bytes.h"

#define TCN_LMDB_KEY_BYTES 511

/* An LMDB code; MDB_NOTFOUND as ports.h says. The values live as LMDB's do. */
int tcn_lmdb_seek(MDB_cursor *cursor, tcn_bytes prefix, tcn_bytes from, bool backward,
                  MDB_val *ret_key, MDB_val *ret_value);

#endif
