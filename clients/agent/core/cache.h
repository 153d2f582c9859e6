/* SPDX-License-Identifier: Apache-2.0 */
/* cache.h - the alerts this node holds: stored once verified, marked by later updates and cancels,
 * removed some time after they expired. All calls want an open transaction. */
#ifndef TCN_AGENT_CACHE_H
#define TCN_AGENT_CACHE_H

#include "state.h"

typedef struct {
    unsigned link;
    uint64_t seq; /* what the frame that brought it was complete to */
} tcn_agent_origin;

/* Stores a verified alert; one already held is fine and changes nothing. *ret_refused tells with
 * fault why it must be rejected instead (TCN_CONFLICT, TCN_DENIED); errors are the store's. */
TCN_CHECKED tcn_err tcn_agent_cache_add(tcn_agent *a, const tcn_trust_view *view,
                                        const tcn_verified *verified,
                                        const tcn_agent_origin *origin, tcn_err *ret_refused,
                                        tcn_fault *fault);

/* TCN_NOT_FOUND: not held. */
TCN_CHECKED tcn_err tcn_agent_record_load(tcn_agent *a, const tcn_id *id,
                                          tcn_agent_record *ret_record);
/* Writes what became of before (NULL: it is new) and counts it. */
TCN_CHECKED tcn_err tcn_agent_record_save(tcn_agent *a, const tcn_id *id,
                                          const tcn_agent_record *before,
                                          const tcn_agent_record *after);

/* In force as far as the record tells, no cancel, and not acknowledged. */
bool tcn_agent_is_unacked(const tcn_agent_record *record);

/* A held alert with its envelope decoded; views die with the next change or the transaction. */
typedef struct {
    tcn_id id;
    tcn_agent_record record;
    tcn_bytes envelope;
    tcn_alert alert;
} tcn_agent_item;

TCN_CHECKED tcn_err tcn_agent_item_load(tcn_agent *a, const tcn_id *id, tcn_agent_item *ret_item);

/* The body is whole on disk: off the fetch list, and the brokers that have it are to be told. */
TCN_CHECKED tcn_err tcn_agent_cache_body_here(tcn_agent *a, const tcn_id *id);

/* Its validity is over by a clock that a broker confirmed. */
TCN_CHECKED tcn_err tcn_agent_cache_expire(tcn_agent *a, const tcn_id *id);
/* It leaves the store with its body; a tombstone stays. */
TCN_CHECKED tcn_err tcn_agent_cache_remove(tcn_agent *a, const tcn_id *id);

#endif
