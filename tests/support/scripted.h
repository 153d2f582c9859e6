/* SPDX-License-Identifier: Apache-2.0 */
/* scripted.h - a broker that only follows a script: the real sockets, CURVE and ZAP, on a thread of
 * its own, and a function of the test that is called with each frame. And homes for its members.
 * The function runs on that thread: it notes, answers and cuts, and asserts nothing. */
#ifndef TOCSIN_TEST_SCRIPTED_H
#define TOCSIN_TEST_SCRIPTED_H

#include "libtocsin/ports.h"
#include "libtocsin/wire.h"
#include "tests/support/world.h"

typedef struct scripted scripted;

typedef struct {
    tcn_peer peer;
    tcn_lane endpoint;
    const char *member;
    tcn_wire wire;
    uint64_t number; /* of this kind of op so far, from 1 */
} scripted_frame;

typedef void scripted_fn(scripted *s, const scripted_frame *frame, void *arg);

/* A world at the real time: "broker", which listens on loopback, "vendor" and "cert" (publishers
 * and approvers of everything), "watch" (operator), and nodes "north" and "south"; signed. */
scripted *scripted_start(scripted_fn *fn, void *arg);
void scripted_stop(scripted **s);
world *scripted_world(scripted *s);
/* From the next connection on only members of this roster get in. */
void scripted_let_in(scripted *s, tcn_roster *roster);

/* Writes the member's home with the trust that was signed last. */
void scripted_home(scripted *s, const char *member, const char *path);

/* On the broker's thread only. */
void scripted_say(scripted *s, tcn_peer peer, const tcn_wire *wire);
/* WELCOME as a broker with that trust version would. */
void scripted_welcome(scripted *s, const scripted_frame *hello, uint64_t trust_version);
/* TRUST in pieces of so many bytes: the one at offset. */
void scripted_trust(scripted *s, tcn_peer peer, tcn_bytes bundle, uint64_t version, size_t offset,
                    size_t piece);
/* ALERTS with one envelope, or none for {NULL, 0}. */
void scripted_alert(scripted *s, tcn_peer peer, tcn_lane lane, uint64_t need, tcn_mark at,
                    tcn_bytes envelope);
void scripted_cut(scripted *s, tcn_peer peer);

/* Waits, at most 20 s, until the script has notified that many times. */
void scripted_notify(scripted *s);
void scripted_await(scripted *s, unsigned notifications);

/* A port of loopback on which nobody listens. */
unsigned scripted_closed_port(void);

#endif
