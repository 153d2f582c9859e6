/* SPDX-License-Identifier: Apache-2.0 */
/* deliver.h - an alert becomes deliverable: it takes its place in the journal, and what it cancels
 * or supersedes is marked; much later its records are pruned. */
#ifndef TCN_BROKER_DELIVER_H
#define TCN_BROKER_DELIVER_H

#include "held.h"

/* Logs it, with its effect on what it refers to. A cancel of what was only held is not logged:
 * nobody has it. */
TCN_CHECKED tcn_err tcn_deliver(tcn_broker *b, tcn_submission *s);

/* The lists by acceptance, of all and of the publisher. */
TCN_CHECKED tcn_err tcn_alert_list(tcn_broker *b, const tcn_id *id, const tcn_index *index);
TCN_CHECKED tcn_err tcn_alert_unlist(tcn_broker *b, const tcn_id *id, const tcn_index *index);

/* Sets the timer that prunes the alert, keep_ms after it is over. */
TCN_CHECKED tcn_err tcn_alert_prune_later(tcn_broker *b, const tcn_id *id, const tcn_index *index);
/* That timer: a bounded number of rows goes; when all are gone only the tombstone stays.
 * *ret_more: the timer must stay. */
TCN_CHECKED tcn_err tcn_alert_prune(tcn_broker *b, const tcn_id *id, bool *ret_more);
/* The metadata of an alert that the broker knows, held or logged; views into the store. */
TCN_CHECKED tcn_err tcn_alert_load(tcn_broker *b, const tcn_id *id, const tcn_index *index,
                                   tcn_alert *ret_alert);

#endif
