/* SPDX-License-Identifier: Apache-2.0 */
/* alerts.h - ALERTS: each envelope verified and cached, the cursor moved with them in one commit;
 * or the whole frame parked. */
#ifndef TCN_AGENT_ALERTS_H
#define TCN_AGENT_ALERTS_H

#include "state.h"

#define TCN_AGENT_FULL_MS 10000u /* no room: the broker sends again after this */

TCN_CHECKED tcn_err tcn_agent_alerts_take(tcn_agent *a, unsigned link, const tcn_wire *wire,
                                          tcn_bytes frame);
/* The same for a frame that was parked, and is the first of its lane. TCN_CANNOT_YET: not before
 * trust version *ret_need. */
TCN_CHECKED tcn_err tcn_agent_alerts_again(tcn_agent *a, unsigned link, const tcn_wire *wire,
                                           uint64_t *ret_need);

#endif
