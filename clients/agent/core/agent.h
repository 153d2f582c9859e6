/* SPDX-License-Identifier: Apache-2.0 */
/* agent.h - the agent's functional core: frames, local requests and ticks in; a durable cache,
 * receipts, acknowledgments and answers out. Works in turns like the broker's core (DESIGN §2).
 * Owns:    everything in the store it is given. Threads: one; the world only through ports.
 * Peers:   two per broker, tcn_agent_link_peer(broker index, endpoint); local clients are any
 *          number from TCN_LOCAL_PEER_FIRST up. */
#ifndef TCN_AGENT_H
#define TCN_AGENT_H

#include "libtocsin/bundle.h"
#include "libtocsin/ports.h"

typedef struct tcn_agent tcn_agent;

#define TCN_LOCAL_PEER_FIRST 1000

static inline tcn_peer tcn_agent_link_peer(unsigned broker, tcn_lane endpoint)
{
    return (tcn_peer)broker * TCN_LANES + (tcn_peer)endpoint;
}

typedef struct {
    const char *version; /* software version, static */
    unsigned subscriptions;
    char (*subscribe)[TCN_MAX_TOPIC_CHARS + 1]; /* 0: everything granted */
    uint64_t keep_ms;                           /* alerts are removed so long after they expired */
    uint64_t fetch_reserve_bytes;               /* disk to leave free when fetching bodies */
    unsigned outbox;                            /* acks that may wait; 0: OUTBOX */
} tcn_agent_config;

/* The identity: who we are and whom we trust. Secrets are copied and wiped at destroy. */
typedef struct {
    char member[TCN_MAX_NAME_CHARS + 1];
    tcn_sign_public authority;
    tcn_secrets secrets;
    tcn_bytes bundle, card; /* envelopes from the home, adopted if newer than the store's */
} tcn_agent_identity;

typedef enum {
    TCN_AGENT_FRAME,     /* from a broker's link */
    TCN_AGENT_LINK_UP,   /* a link's handshake succeeded: say HELLO */
    TCN_AGENT_LINK_DOWN, /* with a reason for people in text */
    TCN_AGENT_LOCAL,     /* a local request (docs/protocol.md §8), without its length */
    TCN_AGENT_LOCAL_GONE,
    TCN_AGENT_BLOB,
    TCN_AGENT_DISK, /* the disk may have more room than before: look again */
    TCN_AGENT_TICK
} tcn_agent_input_kind;

typedef struct {
    tcn_agent_input_kind kind;
    tcn_peer peer;
    tcn_bytes frame; /* FRAME, LOCAL */
    tcn_blob_done blob;
    const char *text;
} tcn_agent_input;

/* Recovers from the store, or founds it. TCN_EXPIRED and the like: no usable bundle; TCN_CONFLICT:
 * the store belongs to another member or program. */
TCN_CHECKED tcn_err tcn_agent_new(const tcn_ports *ports, const tcn_agent_config *config,
                                  const tcn_agent_identity *identity, tcn_agent **ret_agent,
                                  tcn_fault *fault);
void tcn_agent_destroy(tcn_agent **agent);

/* As tcn_broker_turn: commit, then speak; replay singly; TCN_IO means exit. */
TCN_CHECKED tcn_err tcn_agent_turn(tcn_agent *agent, const tcn_agent_input *inputs, size_t count);
tcn_mono tcn_agent_deadline(const tcn_agent *agent);

/* The bundle in force: endpoints for the shell's links. It changes only within a turn; the version
 * tells. Lives until the next turn. */
const tcn_bundle *tcn_agent_bundle(const tcn_agent *agent);
/* Asks the shell to cut and redo a link (heartbeat lost): true once per request. */
bool tcn_agent_take_reconnect(tcn_agent *agent, tcn_peer *ret_peer);
void tcn_agent_digest(tcn_agent *agent, tcn_hash *ret_digest);

#endif
