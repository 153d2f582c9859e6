/* SPDX-License-Identifier: Apache-2.0 */
/* keys.h - every key of the broker's store, and how a record is sealed (records: records.h).
 * Integers are big-endian, so that memcmp orders them. A name or handle holds no zero byte.
 *
 *   M                          meta                       tcn_meta
 *   S lane                     head of a lane             seq u64
 *   J lane seq8                journal entry              tcn_journal_head ‖ envelope
 *   Q lane seq8                tracked entry: receipts    id16
 *   A id16                     what became of an alert    tcn_index
 *   H id16                     held alert                 envelope
 *   P publisher 0 acc8 id16    a publisher's alerts       (one zero byte)
 *   O acc8 id16                all alerts, as accepted    (one zero byte)
 *   W author 0 id16            an author's held alerts    waiting u8
 *   I handle 0 publisher       handle in use              id16
 *   T due8 kind id16           timer                      (one zero byte)
 *   X id16                     tombstone                  payload hash32
 *   D node                     node                       tcn_node_record
 *   d node 0 n8                terms a node once had      through[2] u64, narrowed u64 ‖ terms
 *   C node 0 lane              a node's receipted place   seq u64, tag u64, generation u64
 *   B lane seq8 node 0 gen8    checkpoint of a generation received u64 ms
 *   R id16 node                receipt                    received u64 ms
 *   E id16 node                rejection                  error u16, at u64
 *   K id16 node                acknowledgment             tcn_ack_record
 *   U n8                       audit                      at u64, text
 *   V member                   its alerts are voided      since u64, done u64
 *
 * Every value but those "one zero byte" begins with 4 bytes of checksum over the rest. */
#ifndef TCN_BROKER_KEYS_H
#define TCN_BROKER_KEYS_H

#include "libtocsin/alert.h"
#include "libtocsin/ports.h"

typedef struct {
    uint8_t b[160];
    size_t len;
} tcn_key;

typedef enum {
    TCN_TIMER_NOT_BEFORE = 1, /* a held alert may go out */
    TCN_TIMER_LAPSE = 2,      /* a held alert was held too long */
    TCN_TIMER_PRUNE = 3,      /* an alert's records go, its tombstone stays */
    TCN_TIMER_FORGET = 4      /* its tombstone goes */
} tcn_timer_kind;

tcn_bytes tcn_key_bytes(const tcn_key *key);
tcn_key tcn_key_plain(char prefix); /* M; and the prefix of all others */
tcn_key tcn_key_head(tcn_lane lane);
tcn_key tcn_key_lane(char prefix, tcn_lane lane); /* prefix of J, Q, B */
tcn_key tcn_key_seq(char prefix, tcn_lane lane, uint64_t seq);
tcn_key tcn_key_id(char prefix, const tcn_id *id);
tcn_key tcn_key_id_name(char prefix, const tcn_id *id, const char *name);
tcn_key tcn_key_name(char prefix, const char *name);  /* D, V */
tcn_key tcn_key_name0(char prefix, const char *name); /* prefix of d, P, W */
tcn_key tcn_key_name_lane(char prefix, const char *name, tcn_lane lane);
tcn_key tcn_key_checkpoint(tcn_lane lane, uint64_t seq, const char *node, uint64_t generation);
/* The node of a checkpoint's key; false if it has none. */
bool tcn_key_checkpoint_node(tcn_bytes key, char ret_node[static TCN_MAX_NAME_CHARS + 1]);
tcn_key tcn_key_past(const char *node, uint64_t n);
tcn_key tcn_key_of_publisher(const char *publisher, tcn_wall accepted, const tcn_id *id);
tcn_key tcn_key_accepted(tcn_wall accepted, const tcn_id *id);
tcn_key tcn_key_waiting(const char *author, const tcn_id *id);
tcn_key tcn_key_handle(tcn_bytes handle, const char *publisher);
tcn_key tcn_key_timer(tcn_wall due, tcn_timer_kind kind, const tcn_id *id);
tcn_key tcn_key_number(char prefix, uint64_t n); /* U */

/* A key that was read; one that is longer than any of ours is cut. */
tcn_key tcn_key_of(tcn_bytes key);
/* The key behind this one in memcmp order: key and a zero byte. key may be the longest. */
tcn_key tcn_key_after(tcn_bytes key);
uint64_t tcn_key_u64_at(tcn_bytes key, size_t offset); /* 0 if it is not there */
bool tcn_key_id_at(tcn_bytes key, size_t offset, tcn_id *ret_id);

#endif
