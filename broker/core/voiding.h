/* SPDX-License-Identifier: Apache-2.0 */
/* voiding.h - marks the alerts of members that were compromised. Fan-out does not wait for this: it
 * asks the roster (who.h); the marks are for people, and for what is held. */
#ifndef TCN_BROKER_VOIDING_H
#define TCN_BROKER_VOIDING_H

#include "state.h"

/* Goes on with what key V says is to be done, a bounded number of alerts. */
TCN_CHECKED tcn_err tcn_void_some(tcn_broker *b);

#endif
