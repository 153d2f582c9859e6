/* SPDX-License-Identifier: Apache-2.0 */
/* trust_keep.h - the bundle and the own card: verified, adopted if newer, kept in the store. */
#ifndef TCN_AGENT_TRUST_KEEP_H
#define TCN_AGENT_TRUST_KEEP_H

#include "state.h"

/* In the open transaction of tcn_agent_new: what the store holds, or what the home has if that is
 * newer. The home's bundle counts as held where the store has none, whatever its expiry. */
TCN_CHECKED tcn_err tcn_agent_trust_load(tcn_agent *a, const tcn_agent_identity *identity,
                                         tcn_fault *fault);

/* TRUST: one piece; adopts the bundle when it is whole, newer and not expired. */
TCN_CHECKED tcn_err tcn_agent_trust_piece(tcn_agent *a, unsigned link, const tcn_wire *wire);
/* CARD: ours, if newer. */
TCN_CHECKED tcn_err tcn_agent_card_take(tcn_agent *a, tcn_bytes envelope);
/* Asks for the pieces that are missing. */
void tcn_agent_trust_pump(tcn_agent *a);
void tcn_agent_bundle_drop(tcn_bundle **bundle);

#endif
