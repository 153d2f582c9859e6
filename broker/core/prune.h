/* SPDX-License-Identifier: Apache-2.0 */
/* prune.h - what is over goes: keep_ms after its end an alert's records, a bounded number at a
 * time, and its body; only a tombstone stays, so that its id is never taken anew. Owns: key X. */
#ifndef TCN_BROKER_PRUNE_H
#define TCN_BROKER_PRUNE_H

#include "state.h"

/* Sets the timer that prunes the alert, keep_ms after it is over. */
TCN_CHECKED tcn_err tcn_alert_prune_later(tcn_broker *b, const tcn_id *id, const tcn_index *index);
/* That timer: a bounded number of rows goes; when all are gone only the tombstone stays.
 * *ret_more: the timer must stay. */
TCN_CHECKED tcn_err tcn_alert_prune(tcn_broker *b, const tcn_id *id, bool *ret_more);

#endif
