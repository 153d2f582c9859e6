/* SPDX-License-Identifier: Apache-2.0 */
/* roster_put.h - ROSTER_PUT: an operator hands over a trust file in pieces, one at a time. It is
 * gathered in memory and given to the shell, which alone can verify and keep it (broker.h). */
#ifndef TCN_BROKER_ROSTER_PUT_H
#define TCN_BROKER_ROSTER_PUT_H

#include "call.h"

TCN_CHECKED tcn_err tcn_roster_put(tcn_call *call);

#endif
