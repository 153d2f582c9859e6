/* SPDX-License-Identifier: Apache-2.0 */
/* broker.h - the broker's functional core: inputs in, durable decisions and frames out.
 * One turn = apply a batch of inputs to one write transaction, commit, then speak (DESIGN §2).
 * Owns:    everything in the store it is given, and all session state.
 * Threads: one; it never blocks and never reads a clock, a file or a socket but through ports. */
#ifndef TCN_BROKER_H
#define TCN_BROKER_H

#include "libtocsin/ports.h"
#include "libtocsin/roster.h"

typedef struct tcn_broker tcn_broker;

typedef struct {
    char name[TCN_MAX_NAME_CHARS + 1]; /* our own member name */
    const char *version;               /* software version, static */
    uint64_t reserve_bytes;      /* of the store, kept for emergencies: bulk is refused below */
    uint64_t body_reserve_bytes; /* of the body file system, likewise */
    uint64_t window_bytes;       /* per node and lane in flight */
    uint64_t keep_ms;            /* journal entries are pruned so long after they expired */
} tcn_broker_config;

void tcn_broker_config_default(tcn_broker_config *ret_config);

typedef enum {
    TCN_IN_FRAME, /* a peer's frame */
    TCN_IN_GONE,  /* the transport says that a peer is gone */
    TCN_IN_TRUST, /* a new roster snapshot; the core takes its own reference */
    TCN_IN_BLOB,  /* a body file step is done */
    TCN_IN_TICK   /* the deadline passed */
} tcn_input_kind;

typedef struct {
    tcn_input_kind kind;
    tcn_lane endpoint;  /* FRAME: the endpoint it came in on (session counts as bulk) */
    tcn_peer peer;      /* FRAME, GONE */
    const char *member; /* FRAME: the authenticated User-Id; lives for the turn */
    tcn_bytes frame;    /* FRAME; lives for the turn */
    tcn_roster *roster; /* TRUST */
    tcn_blob_done blob; /* BLOB */
} tcn_broker_input;

/* Recovers from the store, or founds an empty one with a new epoch. TCN_STALE: the store has seen
 * a newer trust version than this roster's. TCN_VERSION: the store is of a newer layout. */
TCN_CHECKED tcn_err tcn_broker_new(const tcn_ports *ports, const tcn_broker_config *config,
                                   tcn_roster *roster, tcn_broker **ret_broker, tcn_fault *fault);
void tcn_broker_destroy(tcn_broker **broker);

/* One turn over count inputs (emergency first is the caller's order). If the transaction fails it
 * is aborted, everything derived from it is dropped, and the inputs are replayed one at a time,
 * emergencies first; an input that alone fails is refused to its sender. After the commit the
 * frames are sent and fan-out goes as far as windows allow.
 * TCN_IO: the disk is broken; nothing of this turn was said; the caller must exit. */
TCN_CHECKED tcn_err tcn_broker_turn(tcn_broker *broker, const tcn_broker_input *inputs,
                                    size_t count);

/* When a TICK is due at the latest. */
tcn_mono tcn_broker_deadline(const tcn_broker *broker);

/* The roster in force, e.g. for ZAP; lives until the next turn. */
tcn_roster *tcn_broker_roster(const tcn_broker *broker);

/* A trust file that an operator handed over by ROSTER_PUT, whole; false: there is none. The view
 * lives until done. The caller, which pins the authority, verifies and saves it, says how that went
 * (the operator gets err and text as ANSWER), and gives the roster as TCN_IN_TRUST. Between turns
 * only. */
bool tcn_broker_take_roster_put(tcn_broker *broker, tcn_bytes *ret_file);
void tcn_broker_roster_put_done(tcn_broker *broker, tcn_err err, const char *text);

/* Has this peer a session, or is it being told why not? Between turns only. */
bool tcn_broker_has_session(tcn_broker *broker, tcn_peer peer);

/* SHA-256 over all committed state and session state, in a fixed order: two runs with the same
 * inputs have the same digest (the simulator compares them). */
void tcn_broker_digest(tcn_broker *broker, tcn_hash *ret_digest);

typedef struct {
    uint64_t sessions, nodes_connected, clients_connected;
    uint64_t seq[TCN_LANES];
    uint64_t held, turns, replays, commits, accepted, refused, deliveries, receipts, evaluations;
    uint64_t alarms;
} tcn_broker_stats;

void tcn_broker_stats_get(const tcn_broker *broker, tcn_broker_stats *ret_stats);

#endif
