/* SPDX-License-Identifier: Apache-2.0 */
/* client_alert.h - a verified alert as the public API shows it. */
#ifndef TCN_CLIENT_ALERT_H
#define TCN_CLIENT_ALERT_H

#include <tocsin/types.h>

#include "client_arena.h"
#include "trust.h"

/* Copies what was verified; bundle gives the signers' names. Destroy with tcn_alert_view_free. */
TCN_CHECKED tcn_err tcn_alert_view_new(const tcn_verified *verified, const tcn_bundle *bundle,
                                       tocsin_alert **ret_alert);
void tcn_alert_view_free(tocsin_alert *alert);

#endif
