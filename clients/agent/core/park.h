/* SPDX-License-Identifier: Apache-2.0 */
/* park.h - ALERTS frames that cannot be verified before newer trust arrives, in memory and in
 * order. They were not receipted, so a lost link or a restart brings them again: nothing is lost
 * by dropping them. */
#ifndef TCN_AGENT_PARK_H
#define TCN_AGENT_PARK_H

#include "state.h"

#define TCN_AGENT_PARKED_BYTES (2u * TCN_MAX_WINDOW_BYTES)

/* Parks a copy of the frame until trust version need is held; beyond the bounds it is dropped, and
 * the link is redone later. TCN_NO_MEMORY. */
TCN_CHECKED tcn_err tcn_agent_park(tcn_agent *a, unsigned link, const tcn_wire *wire, uint64_t need,
                                   tcn_bytes frame);
/* The link is gone: so are its frames. */
TCN_CHECKED tcn_err tcn_agent_park_drop(tcn_agent *a, unsigned link);
/* Adds a job for each frame that need wait no longer; false: there was none. */
bool tcn_agent_park_jobs(tcn_agent *a);
/* The job: takes the frame up again. */
TCN_CHECKED tcn_err tcn_agent_park_retry(tcn_agent *a, tcn_agent_effect *parked);
/* After effects have run: the totals are those of the list. */
void tcn_agent_park_recount(tcn_agent *a);
/* The job failed alone: the frame waits until its link is redone. */
void tcn_agent_park_refuse(tcn_agent *a, tcn_agent_effect *parked);
void tcn_agent_park_fini(tcn_agent *a);

#endif
