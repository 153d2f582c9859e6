/* SPDX-License-Identifier: Apache-2.0 */
/* db.h - records in the open transaction: by their keys (keys.h), as values (records.h). A record
 * that does not have its checksum raises the alarm and is TCN_MALFORMED. Views die with the next
 * put or del. */
#ifndef TCN_BROKER_DB_H
#define TCN_BROKER_DB_H

#include "keys.h"
#include "records.h"

typedef struct tcn_broker tcn_broker;

TCN_CHECKED tcn_err tcn_db_get(tcn_broker *b, const tcn_key *key, tcn_bytes *ret_value);
TCN_CHECKED tcn_err tcn_db_put(tcn_broker *b, const tcn_key *key, tcn_bytes value);
TCN_CHECKED tcn_err tcn_db_mark(tcn_broker *b, const tcn_key *key); /* one zero byte */
TCN_CHECKED tcn_err tcn_db_del(tcn_broker *b, const tcn_key *key);
/* First entry from `from` with this prefix; backward: the last up to it. */
TCN_CHECKED tcn_err tcn_db_seek(tcn_broker *b, const tcn_key *prefix, const tcn_key *from,
                                tcn_bytes *ret_key, tcn_bytes *ret_value);
TCN_CHECKED tcn_err tcn_db_seek_back(tcn_broker *b, const tcn_key *prefix, const tcn_key *from,
                                     tcn_bytes *ret_key, tcn_bytes *ret_value);
/* Raises the alarm about a record that does not have its checksum; gives TCN_MALFORMED. */
tcn_err tcn_db_damaged(tcn_broker *b, const tcn_key *key);

TCN_CHECKED tcn_err tcn_db_meta(tcn_broker *b, tcn_meta *ret_meta);
TCN_CHECKED tcn_err tcn_db_put_meta(tcn_broker *b, const tcn_meta *meta);
TCN_CHECKED tcn_err tcn_db_index(tcn_broker *b, const tcn_id *id, tcn_index *ret_index);
TCN_CHECKED tcn_err tcn_db_put_index(tcn_broker *b, const tcn_id *id, const tcn_index *index);
/* So many numbers: S has one, C three; 0 and TCN_NOT_FOUND if absent. */
TCN_CHECKED tcn_err tcn_db_u64s(tcn_broker *b, const tcn_key *key, uint64_t *ret_values,
                                unsigned count);
TCN_CHECKED tcn_err tcn_db_put_u64s(tcn_broker *b, const tcn_key *key, const uint64_t *values,
                                    unsigned count);
/* Bytes with their checksum in front. Reading: a view; TCN_MALFORMED if damaged. */
TCN_CHECKED tcn_err tcn_db_raw(tcn_broker *b, const tcn_key *key, tcn_bytes *ret_bytes);
TCN_CHECKED tcn_err tcn_db_put_raw(tcn_broker *b, const tcn_key *key, tcn_bytes bytes);
TCN_CHECKED tcn_err tcn_db_id(tcn_broker *b, const tcn_key *key, tcn_id *ret_id);

#endif
