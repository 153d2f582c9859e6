/* SPDX-License-Identifier: Apache-2.0 */
/* resolve.h - which held alert a person means. */
#ifndef TCN_AGENT_RESOLVE_H
#define TCN_AGENT_RESOLVE_H

#include "state.h"

/* A handle, an id, a prefix of at least 4 of an id's hex digits (with or without dashes), or "last"
 * (the newest that is no cancel). In an open transaction. TCN_NOT_FOUND; TCN_INVALID: none of
 * these, or it is ambiguous, with the candidates in fault. */
TCN_CHECKED tcn_err tcn_agent_resolve(tcn_agent *a, tcn_bytes text, tcn_id *ret_id,
                                      tcn_fault *fault);

#endif
