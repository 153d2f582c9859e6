/* SPDX-License-Identifier: Apache-2.0 */
/* ingest.h - SUBMIT: a frame in, a verified and checked submission out, or a refusal with cause and
 * remedy. What is accepted is held.h's. */
#ifndef TCN_BROKER_INGEST_H
#define TCN_BROKER_INGEST_H

#include "call.h"

TCN_CHECKED tcn_err tcn_ingest_submit(tcn_call *call);
/* Is this frame an emergency, whatever endpoint it came in on? */
bool tcn_ingest_is_emergency(const tcn_wire *wire);

#endif
