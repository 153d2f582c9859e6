/* SPDX-License-Identifier: Apache-2.0 */
/* effects.h - what a turn will do once its transaction is committed: change memory, then speak.
 * Queued by apply, run by settle, forgotten by discard. Owns copies of all it is given. */
#ifndef TCN_BROKER_EFFECTS_H
#define TCN_BROKER_EFFECTS_H

#include "libtocsin/bytes.h"
#include "libtocsin/ports.h"
#include "libtocsin/wire.h"

typedef struct tcn_broker tcn_broker;

/* The order in settle. Between URGENT and SPEECH fan-out serves the emergency lane. */
typedef enum {
    TCN_RANK_FLUSH,  /* forget what was just written; before anything adds to it */
    TCN_RANK_MEMORY, /* what is remembered */
    TCN_RANK_URGENT, /* frames about emergencies, and those that open a session */
    TCN_RANK_SPEECH, /* all other frames */
    TCN_RANKS
} tcn_rank;

/* data: the struct that was queued, aligned for anything; tail: the bytes that came with it. */
typedef void tcn_effect_fn(tcn_broker *b, const void *data, tcn_bytes tail);

typedef struct {
    uint8_t *arena;
    size_t len, cap;
    unsigned count[TCN_RANKS];
} tcn_effects;

void tcn_effects_fini(tcn_effects *effects);
void tcn_effects_clear(tcn_effects *effects);
/* TCN_NO_MEMORY. */
TCN_CHECKED tcn_err tcn_effect_add(tcn_broker *b, tcn_rank rank, tcn_effect_fn *fn, tcn_bytes data,
                                   tcn_bytes tail);
void tcn_effects_run(tcn_broker *b, tcn_rank rank);

/* Queues one frame to a peer. A frame that cannot be encoded is TCN_TOO_LARGE: the caller's limits
 * are wrong, and nobody is told. A peer that cannot take it is closed: it lost the thread. */
TCN_CHECKED tcn_err tcn_say(tcn_broker *b, tcn_rank rank, tcn_peer peer, const tcn_wire *wire);
/* The same at once; only in settle. False: the peer is gone or was closed. */
bool tcn_say_now(tcn_broker *b, tcn_peer peer, const tcn_wire *wire);
/* Queues ERROR, and dooms the connection: it is cut once the peer had the time to read it. */
TCN_CHECKED tcn_err tcn_say_error(tcn_broker *b, tcn_peer peer, tcn_err err, const char *text);
TCN_CHECKED tcn_err tcn_hang_up(tcn_broker *b, tcn_peer peer);

#define TCN_EFFECT_DATA(value) tcn_bytes_of(&(value), sizeof(value))
#define TCN_NO_TAIL tcn_bytes_of(NULL, 0)

#endif
