/* SPDX-License-Identifier: Apache-2.0 */
/* alerts.h - the alerts that the store knows, held or logged: in the order of their acceptance, and
 * each with its metadata. Owns: the keys O and P. In the open transaction. */
#ifndef TCN_BROKER_ALERTS_H
#define TCN_BROKER_ALERTS_H

#include "state.h"

/* The lists by acceptance, of all and of the publisher. */
TCN_CHECKED tcn_err tcn_alert_list(tcn_broker *b, const tcn_id *id, const tcn_index *index);
TCN_CHECKED tcn_err tcn_alert_unlist(tcn_broker *b, const tcn_id *id, const tcn_index *index);
/* The metadata of an alert; views into the store. TCN_NOT_FOUND: only its record is left. */
TCN_CHECKED tcn_err tcn_alert_load(tcn_broker *b, const tcn_id *id, const tcn_index *index,
                                   tcn_alert *ret_alert);

#endif
