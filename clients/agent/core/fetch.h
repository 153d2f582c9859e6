/* SPDX-License-Identifier: Apache-2.0 */
/* fetch.h - external bodies: a durable list of what is missing, a few under way at a time, pieces
 * windowed over session links, resumed from what is on disk. */
#ifndef TCN_AGENT_FETCH_H
#define TCN_AGENT_FETCH_H

#include "state.h"

/* Inputs, applied; what they do to bodies under way happens after the commit. */
TCN_CHECKED tcn_err tcn_agent_fetch_piece(tcn_agent *a, unsigned link, const tcn_wire *wire);
TCN_CHECKED tcn_err tcn_agent_fetch_gone(tcn_agent *a, unsigned link, const tcn_id *id,
                                         tcn_err error);
TCN_CHECKED tcn_err tcn_agent_fetch_blob(tcn_agent *a, const tcn_blob_done *done);
TCN_CHECKED tcn_err tcn_agent_fetch_link_lost(tcn_agent *a, unsigned link);

/* More room may be free: what waited for it is tried again. */
void tcn_agent_fetch_disk(tcn_agent *a);
/* What came of this body could not be stored: found again from the disk later. */
void tcn_agent_fetch_refuse(tcn_agent *a, const tcn_id *id);
/* A try failed (a job or part of one): tried again later, reported after a few. */
TCN_CHECKED tcn_err tcn_agent_fetch_failed(tcn_agent *a, const tcn_id *id, tcn_err error);

/* Begins bodies, asks for pieces. After the commit. */
void tcn_agent_fetch_pump(tcn_agent *a);
/* Bytes of bodies under way that are here already. */
uint64_t tcn_agent_fetch_received(const tcn_agent *a);

#endif
