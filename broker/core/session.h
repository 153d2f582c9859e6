/* SPDX-License-Identifier: Apache-2.0 */
/* session.h - who is connected: HELLO binds a peer to a member, a mode and its lanes.
 *
 *   (none) ── HELLO ok ──▶ open ── HELLO again ──▶ open, anew
 *     ▲ frames dropped      │ gone · silent · replaced · narrowed · send gone
 *     └─────────────────────┘ links let go, connection closed unless it is gone
 *
 * A HELLO opens its session in the overlay of the turn, so that later frames of the same batch find
 * it; settle makes it the peer's session. */
#ifndef TCN_BROKER_SESSION_H
#define TCN_BROKER_SESSION_H

#include "call.h"

/* The session of a peer, those opening in this turn included; NULL: none. */
tcn_session *tcn_session_find(tcn_broker *b, tcn_peer peer);

TCN_CHECKED tcn_err tcn_session_hello(tcn_call *call);
/* An empty session in the overlay; the turn owns it until the effect of its HELLO inserts it. */
TCN_CHECKED tcn_err tcn_session_open(tcn_broker *b, tcn_session **ret_session);
void tcn_session_insert(tcn_broker *b, tcn_session *session); /* settle */

/* Only in settle: forgets the session, lets go of its links. The connection is the caller's. */
void tcn_session_end(tcn_broker *b, tcn_peer peer);
/* Only in settle: cuts the connection and forgets the session. */
void tcn_session_close(tcn_broker *b, tcn_session *session, const char *why);
/* Only in settle: forgets the session, and cuts the connection a little later. */
void tcn_session_doom(tcn_broker *b, tcn_peer peer);
bool tcn_session_is_doomed(const tcn_broker *b, tcn_peer peer);
/* Only in settle: lets those go whose session endpoint was silent too long, or whose card ended. */
void tcn_sessions_sweep(tcn_broker *b);
void tcn_sessions_adopt(tcn_broker *b);  /* settle: nothing is opening any more */
void tcn_sessions_forget(tcn_broker *b); /* discard: HELLOs of this turn never were */
void tcn_sessions_free(tcn_broker *b);

#endif
