/* SPDX-License-Identifier: Apache-2.0 */
/* client_trust.h - what a broker hands down before anything else: TRUST in pieces and our own CARD,
 * verified against the home's pinned authority, used at once and kept in the home. */
#ifndef TCN_CLIENT_TRUST_H
#define TCN_CLIENT_TRUST_H

#include "home.h"
#include "wire.h"

/* Opens a member's home, or a broker's (its own card and the bundle from its trust file), as
 * tcn_home_resolve finds it. */
TCN_CHECKED tcn_err tcn_trust_home_open(const char *given, tcn_member_home *ret_home,
                                        tcn_fault *fault);
/* Keeps what was adopted in the home; a broker's home gets its trust in other ways. */
TCN_CHECKED tcn_err tcn_trust_home_save_bundle(const tcn_member_home *home, tcn_fault *fault);
TCN_CHECKED tcn_err tcn_trust_home_save_card(const tcn_member_home *home, tcn_fault *fault);

/* A bundle on its way. */
typedef struct {
    tcn_buf buf;
    uint64_t version, total;
} tcn_trust_feed;

void tcn_trust_feed_init(tcn_trust_feed *feed);
void tcn_trust_feed_fini(tcn_trust_feed *feed);
/* Forgets a half bundle (the connection went). */
void tcn_trust_feed_reset(tcn_trust_feed *feed);

typedef enum {
    TCN_FED_NOTHING, /* not newer than what the home has */
    TCN_FED_MORE,    /* ask for version from offset buf.len with TRUST_GET */
    TCN_FED_ADOPTED  /* home has it now, in memory */
} tcn_fed;

/* Takes one TRUST frame. now: the verifier's time. TCN_EXPIRED, TCN_BAD_SIGNATURE, ... : refused,
 * and the home is as before. */
TCN_CHECKED tcn_err tcn_trust_feed_take(tcn_trust_feed *feed, tcn_member_home *home,
                                        const tcn_wire *trust, tcn_wall now, tcn_fed *ret_fed,
                                        tcn_fault *fault);
/* Takes a CARD frame's envelope: a newer card of ours replaces the home's. */
TCN_CHECKED tcn_err tcn_trust_take_card(tcn_member_home *home, tcn_bytes envelope,
                                        tcn_fault *fault);

/* The time by which trust is judged: the wall clock, but never before the bundle was issued, and
 * the broker's where the two are more than a day apart. broker_offset_ms: ours minus theirs. */
tcn_wall tcn_trust_time(const tcn_member_home *home, int64_t broker_offset_ms, bool *ret_suspect);

#endif
