/* SPDX-License-Identifier: Apache-2.0 */
/* deliver.h - an alert becomes deliverable: it takes its place in the journal, and what it cancels
 * or supersedes is marked. */
#ifndef TCN_BROKER_DELIVER_H
#define TCN_BROKER_DELIVER_H

#include "held.h"

/* Logs it, with its effect on what it refers to. A cancel of what was only held is not logged:
 * nobody has it. */
TCN_CHECKED tcn_err tcn_deliver(tcn_broker *b, tcn_submission *s);

#endif
