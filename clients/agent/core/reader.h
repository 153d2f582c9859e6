/* SPDX-License-Identifier: Apache-2.0 */
/* reader.h - bodies as people read them: decoded, in pieces. One decoded body is kept at a time,
 * for the client that reads it. */
#ifndef TCN_AGENT_READER_H
#define TCN_AGENT_READER_H

#include "state.h"

typedef struct {
    tcn_peer peer;
    tcn_id id;
    uint64_t offset, max; /* max 0: as much as fits one reply */
} tcn_agent_ask;

typedef struct {
    size_t len;
    uint64_t total; /* of the decoded body */
} tcn_agent_part;

/* After the commit: a part of a body, into ret_bytes (CHUNK_BYTES). TCN_NOT_FOUND,
 * TCN_CANNOT_YET: it is still being fetched; TCN_MALFORMED, TCN_TOO_LARGE: it does not decode
 * within the limits. fault is told each. */
TCN_CHECKED tcn_err tcn_agent_read_body(tcn_agent *a, const tcn_agent_ask *ask, uint8_t *ret_bytes,
                                        tcn_agent_part *ret_part, tcn_fault *fault);
/* This client reads no longer. */
void tcn_agent_reader_gone(tcn_agent *a, tcn_peer peer);

#endif
