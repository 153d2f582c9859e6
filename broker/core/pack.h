/* SPDX-License-Identifier: Apache-2.0 */
/* pack.h - the bytes of a store record: big-endian integers, strings with a length, and in front a
 * checksum of 4 bytes over the rest (SipHash-2-4 under a zero key, cut). A reader that fails stays
 * failed and gives zeros, so a record is read whole and asked once. */
#ifndef TCN_BROKER_PACK_H
#define TCN_BROKER_PACK_H

#include "libtocsin/bytes.h"

#define TCN_PACK_CHECKSUM 4

typedef struct {
    uint8_t *ptr;
    size_t cap, len;
    bool full; /* something did not fit */
} tcn_pack;

void tcn_pack_init(tcn_pack *p, uint8_t *ptr, size_t cap);
void tcn_pack_u8(tcn_pack *p, unsigned value);
void tcn_pack_u16(tcn_pack *p, unsigned value);
void tcn_pack_u64(tcn_pack *p, uint64_t value);
void tcn_pack_id(tcn_pack *p, const tcn_id *id);
void tcn_pack_hash(tcn_pack *p, const tcn_hash *hash);
void tcn_pack_str(tcn_pack *p, tcn_bytes text);  /* u16 length first */
void tcn_pack_raw(tcn_pack *p, tcn_bytes bytes); /* to the end of the record */
/* Writes the checksum. TCN_TOO_LARGE if something did not fit. */
TCN_CHECKED tcn_err tcn_pack_seal(tcn_pack *p, tcn_bytes *ret_record);

typedef struct {
    const uint8_t *ptr;
    size_t len, pos;
    bool bad;
} tcn_unpack;

/* False, and a failed reader, if the checksum is not that of the rest. */
bool tcn_unpack_open(tcn_unpack *u, tcn_bytes record);
unsigned tcn_unpack_u8(tcn_unpack *u);
unsigned tcn_unpack_u16(tcn_unpack *u);
uint64_t tcn_unpack_u64(tcn_unpack *u);
tcn_id tcn_unpack_id(tcn_unpack *u);
tcn_hash tcn_unpack_hash(tcn_unpack *u);
tcn_bytes tcn_unpack_str(tcn_unpack *u);
void tcn_unpack_name(tcn_unpack *u, char *ret_text, size_t size); /* NUL-terminated */
tcn_bytes tcn_unpack_rest(tcn_unpack *u);

/* A hash for tables in memory. */
uint64_t tcn_table_hash(const uint8_t seed[static 16], tcn_bytes bytes);

#endif
