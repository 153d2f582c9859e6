/* SPDX-License-Identifier: Apache-2.0 */
/* retain.h - what ends with time: validity, then the alert, then its tombstone. Only by a time that
 * a broker confirmed (agent_time.h), a bounded number per turn. */
#ifndef TCN_AGENT_RETAIN_H
#define TCN_AGENT_RETAIN_H

#include "state.h"

/* In a turn's transaction; does nothing before it is due. */
TCN_CHECKED tcn_err tcn_agent_retain(tcn_agent *a);

#endif
