/* SPDX-License-Identifier: Apache-2.0 */
/* journal.h - the ordered, durable record of deliverable alerts, one sequence a lane.
 * Owns: the keys J, S, Q and the tails in memory. A seq is given when an alert becomes deliverable,
 * starts at 1, and is never given again, not even after its entry was pruned. */
#ifndef TCN_BROKER_JOURNAL_H
#define TCN_BROKER_JOURNAL_H

#include "state.h"

/* One entry, read. Views live as long as the memory it was read from: a tail entry until the next
 * settle, one from the store until the transaction changes or ends. */
struct tcn_entry {
    uint64_t seq, tag;
    tcn_wall accepted, until;
    uint64_t trust_version;
    unsigned flags;
    bool cancelled;
    uint64_t superseded_at; /* the successor's seq; 0: none */
    char author[TCN_MAX_NAME_CHARS + 1];
    tcn_bytes envelope;
    tcn_alert alert;
    uint64_t end; /* in the tail: bytes of envelopes that went through it, to this one's last */
};

/* Gives the alert its seq (index->seq), and queues its entry for memory. */
TCN_CHECKED tcn_err tcn_journal_append(tcn_broker *b, const tcn_id *id, tcn_index *index,
                                       tcn_bytes envelope);
/* Remembers, in settle, that what is at seq was cancelled (by 0) or superseded by another. */
TCN_CHECKED tcn_err tcn_journal_mark(tcn_broker *b, tcn_lane lane, uint64_t seq,
                                     uint64_t superseded_at);

/* The first entry from seq on, from the tail or the open transaction (read into scratch). Damaged
 * ones raise the alarm and are passed over. TCN_NOT_FOUND beyond the head. */
TCN_CHECKED tcn_err tcn_journal_next(tcn_broker *b, tcn_lane lane, uint64_t seq, tcn_entry *scratch,
                                     const tcn_entry **ret_entry);
/* Exactly that one: TCN_NOT_FOUND if it was pruned. */
TCN_CHECKED tcn_err tcn_journal_at(tcn_broker *b, tcn_lane lane, uint64_t seq, tcn_entry *scratch,
                                   const tcn_entry **ret_entry);
/* Is the entry at seq in memory? */
bool tcn_journal_in_tail(const tcn_broker *b, tcn_lane lane, uint64_t seq);
/* Bytes of the envelopes behind seq `behind`; UINT64_MAX if some are not in memory. */
uint64_t tcn_journal_bytes_behind(const tcn_broker *b, tcn_lane lane, uint64_t behind);
/* The tag of the entry at seq: TCN_NOT_FOUND if it was pruned. */
TCN_CHECKED tcn_err tcn_journal_tag(tcn_broker *b, tcn_lane lane, uint64_t seq, uint64_t *ret_tag);
/* Reads an envelope into its alert. TCN_MALFORMED. */
TCN_CHECKED tcn_err tcn_envelope_alert(tcn_bytes envelope, tcn_alert *ret_alert);

void tcn_journal_free(tcn_broker *b);

#endif
