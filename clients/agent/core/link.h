/* SPDX-License-Identifier: Apache-2.0 */
/* link.h - two connections per broker: HELLO, WELCOME, heartbeats, and what to do when one is lost
 * or the emergency endpoint cannot be reached. */
#ifndef TCN_AGENT_LINK_H
#define TCN_AGENT_LINK_H

#include "state.h"

static inline unsigned tcn_agent_link_broker(unsigned link)
{
    return link / TCN_LANES;
}

static inline unsigned tcn_agent_session(unsigned link)
{
    return link / TCN_LANES * TCN_LANES + TCN_LANE_BULK;
}

static inline unsigned tcn_agent_emergency(unsigned link)
{
    return link / TCN_LANES * TCN_LANES + TCN_LANE_EMERGENCY;
}

/* Inputs, applied. */
TCN_CHECKED tcn_err tcn_agent_link_up(tcn_agent *a, unsigned link);
TCN_CHECKED tcn_err tcn_agent_link_down(tcn_agent *a, unsigned link, const char *text);
TCN_CHECKED tcn_err tcn_agent_link_frame(tcn_agent *a, unsigned link, tcn_bytes frame);

/* A frame of this lane was not taken: what follows on this link moves no cursor, and the link is
 * redone after delay_ms. */
void tcn_agent_link_gap(tcn_agent *a, unsigned link, tcn_lane lane, uint64_t delay_ms);
void tcn_agent_link_cut_now(tcn_agent *a, unsigned link);
/* Writes a broker's place to the store. */
TCN_CHECKED tcn_err tcn_agent_place_save(tcn_agent *a, unsigned broker);

/* Timers, then what is due on each link. After the commit. */
void tcn_agent_links_pump(tcn_agent *a);
/* Sends one frame; false: not now (a wake-up is set) or never. */
bool tcn_agent_link_send(tcn_agent *a, unsigned link, const tcn_wire *wire);
/* Which lanes' frames can this link carry at the moment? An emergency's answer goes by the
 * emergency link while that is served. */
bool tcn_agent_link_carries(const tcn_agent *a, unsigned link, tcn_lane lane);
bool tcn_agent_has_emergency_endpoint(const tcn_agent *a);

#endif
