/* SPDX-License-Identifier: Apache-2.0 */
/* layout.h - every key and record in the agent's store, as byte tables. Numbers are big-endian;
 * n+text is one length byte and that many bytes. Nothing else writes or reads these bytes.
 * Before each value stand 4 bytes of checksum (state.c).
 *
 *   key                          value
 *   'm'                          meta: layout u8 = 1, program 16, instance 16, n+member
 *   'n'                          counts: one u64 each, in the order of tcn_agent_counts
 *   'b'                          bundle: version u64, size u32; 'B' piece u16: the envelope's bytes
 *   'c'                          own card's envelope
 *   'k' broker                   epoch 16, generation u64, and each lane's has u8, seq u64, tag u64
 *   'A' id                       tcn_agent_record (layout.c); 'V' id: the alert's envelope
 *   'I' serial u64               id: the inbox in order of arrival
 *   'H' handle 0 id              1 byte: finds an alert by its handle
 *   'E' time u64 kind u8 id      1 byte: what falls due, kinds of tcn_agent_due
 *   'T' target by                what a cancel or update that came first says of target
 *   'G' id                       payload hash 32: had it, removed
 *   'F' id                       body to fetch: size u64, hash 32, tries u8, retry at u64
 *   'S' broker 0 id              1 byte: broker has the body that we still miss
 *   'D' broker 0 id              1 byte: body is here, broker has not confirmed to know
 *   'J' broker 0 id              error u8: rejected, broker has not confirmed to know
 *   'O' serial u64               ack to send: id, counter u64, lane u8, envelope */
#ifndef TCN_AGENT_LAYOUT_H
#define TCN_AGENT_LAYOUT_H

#include "libtocsin/alert.h"
#include "libtocsin/wire.h"

#define TCN_AGENT_LAYOUT 1

typedef struct {
    uint8_t b[96];
    size_t len;
} tcn_agent_key;

tcn_bytes tcn_agent_key_bytes(const tcn_agent_key *key);
tcn_agent_key tcn_agent_key_of(char table);
tcn_agent_key tcn_agent_key_id(char table, const tcn_id *id);
tcn_agent_key tcn_agent_key_number(char table, uint64_t number);
tcn_agent_key tcn_agent_key_broker(const char *broker);
/* id NULL: the prefix of all of this broker (or handle). */
tcn_agent_key tcn_agent_key_at_broker(char table, const char *broker, const tcn_id *id);
tcn_agent_key tcn_agent_key_handle(tcn_bytes handle, const tcn_id *id);
tcn_agent_key tcn_agent_key_mention(const tcn_id *target, const tcn_id *by); /* by may be NULL */

/* The id that ends a key; false if the key is too short. */
bool tcn_agent_key_last_id(tcn_bytes key, tcn_id *ret_id);

typedef enum {
    TCN_DUE_EXPIRE = 0, /* id's validity ends */
    TCN_DUE_REMOVE = 1, /* id leaves the store */
    TCN_DUE_FORGET = 2, /* its tombstone goes */
    TCN_DUE_MENTION = 3 /* id's mention of a target that never came goes: two ids in the key */
} tcn_agent_due;

tcn_agent_key tcn_agent_key_due(tcn_wall at, tcn_agent_due kind, const tcn_id *id,
                                const tcn_id *second);
bool tcn_agent_key_due_read(tcn_bytes key, tcn_wall *ret_at, tcn_agent_due *ret_kind,
                            tcn_id *ret_id, tcn_id *ret_second);

enum { /* tcn_agent_record.flags */
       TCN_RECORD_CANCELLED = 1,
       TCN_RECORD_SUPERSEDED = 2,
       TCN_RECORD_EXPIRED = 4, /* by a clock that a broker confirmed */
       TCN_RECORD_EXTERNAL = 8,
       TCN_RECORD_CONFIRMED = 16, /* a broker has the ack */
       TCN_RECORD_REFUSED = 32    /* the broker refused the ack */
};

#define TCN_NO_ANSWER 255

/* What changes about a held alert, and what lists filter by. */
typedef struct {
    unsigned flags, marks;
    tcn_lane lane;
    tcn_kind kind;
    unsigned answer; /* tcn_answer or TCN_NO_ANSWER */
    uint64_t serial, seq;
    uint64_t counter; /* of the last ack */
    uint64_t outbox;  /* serial of the ack in the outbox; 0: none */
    uint64_t body_size;
    tcn_wall received, created, expires;
    tcn_hash payload_hash;
    char broker[TCN_MAX_NAME_CHARS + 1];
} tcn_agent_record;

#define TCN_AGENT_RECORD_SIZE (8 + 5 * 8 + 3 * 8 + 32 + 1 + TCN_MAX_NAME_CHARS)

size_t tcn_agent_record_encode(const tcn_agent_record *record,
                               uint8_t ret_bytes[static TCN_AGENT_RECORD_SIZE]);
/* TCN_MALFORMED: the disk changed it. */
TCN_CHECKED tcn_err tcn_agent_record_decode(tcn_bytes bytes, tcn_agent_record *ret_record);

/* What an update or a cancel said of an alert that was not there. */
typedef struct {
    tcn_lane lane;
    tcn_status status;
    tcn_kind kind;
    tcn_reason reason;
    char publisher[TCN_MAX_NAME_CHARS + 1];
} tcn_agent_mention;

#define TCN_AGENT_MENTION_SIZE (5 + TCN_MAX_NAME_CHARS)
size_t tcn_agent_mention_encode(const tcn_agent_mention *mention,
                                uint8_t ret_bytes[static TCN_AGENT_MENTION_SIZE]);
TCN_CHECKED tcn_err tcn_agent_mention_decode(tcn_bytes bytes, tcn_agent_mention *ret_mention);

typedef struct {
    uint64_t size;
    tcn_hash hash;
    unsigned tries;
    tcn_wall retry_at;
} tcn_agent_fetch;

#define TCN_AGENT_FETCH_SIZE 49
void tcn_agent_fetch_encode(const tcn_agent_fetch *fetch,
                            uint8_t ret_bytes[static TCN_AGENT_FETCH_SIZE]);
TCN_CHECKED tcn_err tcn_agent_fetch_decode(tcn_bytes bytes, tcn_agent_fetch *ret_fetch);

typedef struct {
    tcn_id epoch;
    uint64_t generation;
    bool has_cursor[TCN_LANES];
    tcn_mark cursor[TCN_LANES];
} tcn_agent_place;

#define TCN_AGENT_PLACE_SIZE (24 + TCN_LANES * 17)
void tcn_agent_place_encode(const tcn_agent_place *place,
                            uint8_t ret_bytes[static TCN_AGENT_PLACE_SIZE]);
TCN_CHECKED tcn_err tcn_agent_place_decode(tcn_bytes bytes, tcn_agent_place *ret_place);

#define TCN_AGENT_ACK_HEAD 25 /* id, counter, lane; the envelope follows */

void tcn_agent_put_u64(uint8_t *ret_bytes, uint64_t value);
uint64_t tcn_agent_get_u64(const uint8_t *bytes);

#endif
