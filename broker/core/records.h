/* SPDX-License-Identifier: Apache-2.0 */
/* records.h - the store's records as values, each with its layout (pack.h: every record begins with
 * 4 bytes of checksum; str = u16 length and bytes; integers big-endian). */
#ifndef TCN_BROKER_RECORDS_H
#define TCN_BROKER_RECORDS_H

#include "libtocsin/ack.h"
#include "libtocsin/states.h"
#include "pack.h"

/* M: layout u16 · program id16 · epoch id16 · highest trust version u64 · audit rows ever u64 ·
 *    epoch founded u64 ms */
#define TCN_STORE_LAYOUT 1
typedef struct {
    unsigned layout;
    tcn_id program, epoch;
    uint64_t trust_version, audits;
    tcn_wall founded;
} tcn_meta;

enum {
    TCN_FLAG_EXTERNAL = 1, /* the body is a file */
    TCN_FLAG_TRACKED = 2,  /* emergency, or wants an acknowledgment: a receipt row for each node */
    TCN_FLAG_AUDIENCE = 4, /* evaluated node by node */
    TCN_FLAG_BODY = 8      /* the file is whole */
};

/* A: state u8 · lane u8 · kind u8 · status u8 · tlp u8 · flags u8 · needed u8 · seq u64 ·
 *    payload hash32 · created · accepted · not before · expires · until u64 each · body size u64 ·
 *    body hash32 · cancelled by id16 · superseded by id16 · superseded at u64 · publisher str ·
 *    author str · handle str */
typedef struct {
    tcn_state state;
    tcn_lane lane;
    tcn_kind kind;
    tcn_status status;
    tcn_tlp tlp;
    unsigned flags, needed; /* approvals needed */
    uint64_t seq;           /* 0: none */
    tcn_hash payload_hash;
    tcn_wall created, accepted, not_before, expires;
    tcn_wall until; /* expires, and for a cancel not before its targets' */
    uint64_t body_size;
    tcn_hash body_hash;
    tcn_id cancelled_by, superseded_by;
    uint64_t superseded_at; /* the successor's seq */
    char publisher[TCN_MAX_NAME_CHARS + 1];
    char author[TCN_MAX_NAME_CHARS + 1]; /* who signed as author: an approver can, for a cancel */
    char handle[TCN_MAX_HANDLE_CHARS + 1];
} tcn_index;
#define TCN_INDEX_BYTES 512

/* J: tag u64 · accepted u64 · until u64 · trust version u64 · flags u8 · author str · envelope */
typedef struct {
    uint64_t tag;
    tcn_wall accepted, until;
    uint64_t trust_version; /* in force when it was accepted: a node needs at least that */
    unsigned flags;
    char author[TCN_MAX_NAME_CHARS + 1];
    tcn_bytes envelope;
} tcn_journal_record;
#define TCN_JOURNAL_BYTES (TCN_MAX_ENVELOPE_BYTES + 128)

/* D: generation u64 · active u8 · instance id16 · terms (entitlement.h) */
typedef struct {
    uint64_t generation;
    bool active; /* had role and a valid card when last looked at */
    tcn_id instance;
    tcn_bytes terms;
} tcn_node_record;

/* K: counter u64 · answer u8 · by rule u8 · at u64 · by str · note str · envelope */
typedef struct {
    uint64_t counter;
    tcn_answer answer;
    bool by_rule;
    tcn_wall at;
    tcn_bytes by, note, envelope;
} tcn_ack_record;

/* Writing: into memory of the caller, TCN_TOO_LARGE. Reading: TCN_MALFORMED if the record is
 * damaged; views into record. */
TCN_CHECKED tcn_err tcn_meta_pack(const tcn_meta *meta, tcn_pack *p, tcn_bytes *ret_record);
TCN_CHECKED tcn_err tcn_meta_unpack(tcn_bytes record, tcn_meta *ret_meta);
TCN_CHECKED tcn_err tcn_index_pack(const tcn_index *index, tcn_pack *p, tcn_bytes *ret_record);
TCN_CHECKED tcn_err tcn_index_unpack(tcn_bytes record, tcn_index *ret_index);
TCN_CHECKED tcn_err tcn_journal_pack(const tcn_journal_record *entry, tcn_pack *p,
                                     tcn_bytes *ret_record);
TCN_CHECKED tcn_err tcn_journal_unpack(tcn_bytes record, tcn_journal_record *ret_entry);
TCN_CHECKED tcn_err tcn_node_pack(const tcn_node_record *node, tcn_pack *p, tcn_bytes *ret_record);
TCN_CHECKED tcn_err tcn_node_unpack(tcn_bytes record, tcn_node_record *ret_node);
TCN_CHECKED tcn_err tcn_ack_pack(const tcn_ack_record *ack, tcn_pack *p, tcn_bytes *ret_record);
TCN_CHECKED tcn_err tcn_ack_unpack(tcn_bytes record, tcn_ack_record *ret_ack);

#endif
