/* SPDX-License-Identifier: Apache-2.0 */
/* alert_json.h - an alert in a list, as JSON; pending and alerts share it. */
#ifndef TCN_CLI_ALERT_JSON_H
#define TCN_CLI_ALERT_JSON_H

#include "net.h"

/* NULL: out of memory. */
json_t *tcn_alert_item_json(const tocsin_alert_item *item);

#endif
