/* SPDX-License-Identifier: Apache-2.0 */
/* state.h - what the broker's core has in memory, shared by its modules.
 * Memory follows the store: it changes only in effects (effects.h), after the commit. What is
 * decided within a turn reads the open transaction. Two exceptions, neither derived from a
 * transaction: the time a peer was last heard, and alarms. */
#ifndef TCN_BROKER_STATE_H
#define TCN_BROKER_STATE_H

#include "broker.h"
#include "claims.h"
#include "db.h"
#include "effects.h"
#include "entitlement.h"
#include "keys.h"
#include "libtocsin/wire.h"
#include "tell.h"

typedef struct tcn_class tcn_class;
typedef struct tcn_node tcn_node;
typedef struct tcn_session tcn_session;
typedef struct tcn_link tcn_link;
typedef struct tcn_entry tcn_entry;
typedef struct tcn_batch tcn_batch;
typedef struct tcn_upload tcn_upload;

#define TCN_RETRY_MS 100u    /* a peer that took no more is tried again */
#define TCN_FLUSH_MS 1000u   /* receipted places are written at the latest */
#define TCN_SWEEP_MS 1000u   /* sessions and cards are looked over */
#define TCN_CLONE_MS 600000u /* two instances taking turns within this are clones */
#define TCN_DOOM_MS 1000u
#define TCN_DOOMED 64     /* peers; the oldest is cut at once when there are more */
#define TCN_IN_FLIGHT 64  /* frames on the way to a node in a lane */
#define TCN_CHECKPOINTS 8 /* receipts of a node and lane between two flushes */
#define TCN_PAST_TERMS 32 /* kept for a node: some years of changes, for an alert lives for one */
#define TCN_AUDIT_ROWS 4096
#define TCN_ALARMS 16
#define TCN_ALARMS_A_KIND 4 /* so that what a member can raise does not push out the others */
#define TCN_ALARM_CHARS 160
#define TCN_TAIL_BYTES (4u << 20)  /* newest journal entries in memory, a lane */
#define TCN_CACHE_BYTES (8u << 20) /* of frames kept from turn to turn */
#define TCN_SESSION_BUCKETS 8192
#define TCN_CLASS_BUCKETS 4096

/* Nodes with equal terms. Interned: equal terms are the same class. */
struct tcn_class {
    uint64_t hash;
    size_t nodes; /* that point here */
    uint8_t *encoded;
    size_t encoded_len;
    tcn_terms terms;                /* views into encoded */
    uint64_t memo;                  /* stamp of the question asked last */
    bool memo_entitled;             /* and its answer */
    tcn_batch *batch[TCN_LANES][2]; /* frames made for it last; newest first */
    tcn_class *next;                /* in its bucket */
};

/* A place that was receipted, and when; not yet in the store. */
typedef struct {
    uint64_t seq;
    tcn_wall at;
} tcn_checkpoint;

/* The way of one lane to one node, from its HELLO until its session ends. */
struct tcn_link {
    tcn_node *node;
    tcn_lane lane;
    tcn_session *session; /* NULL: not connected */
    uint64_t sent;        /* looked at and sent, or not entitled, to here */
    uint64_t framed;      /* the last frame's complete-to */
    tcn_mark acked;
    uint64_t in_flight; /* bytes */
    unsigned first, frames;
    struct {
        uint64_t to, bytes;
        tcn_batch *batch; /* NULL: nothing tracked is in it */
    } flight[TCN_IN_FLIGHT];
    bool full;             /* the transport took no more */
    bool saves, hurry;     /* waits for more to put into its next frame; did so long enough */
    bool waiting;          /* in the lane's list of links with work */
    tcn_link *next_work;   /* there */
    tcn_link *prev, *next; /* connected links of the lane */
    bool dirty;            /* acked or checkpoints not yet in the store */
    bool rows_due; /* receipts could not be written, and are made up for with the next flush */
    unsigned checkpoints;
    tcn_checkpoint checkpoint[TCN_CHECKPOINTS];
    tcn_link *next_dirty;
};

/* A member with role node, connected or not. */
struct tcn_node {
    char name[TCN_MAX_NAME_CHARS + 1];
    size_t member; /* in the roster in force */
    const tcn_card *card;
    tcn_class *class;
    uint64_t generation; /* 0: never seen */
    bool has_past;       /* terms it once had are in the store */
    bool regenerate;     /* tell it of its new generation once nothing is in flight to it */
    tcn_id instance, instance_before;
    tcn_mono instance_since, before_since;
    tcn_link *link[TCN_LANES]; /* NULL before its first session of this lane */
    tcn_wall metrics_at;       /* 0: none */
    uint8_t *metrics;          /* the encoded map */
    size_t metrics_len;
    unsigned mark; /* scratch of one pass */
    uint64_t seen; /* scratch of a board: the question that found a checkpoint */
    tcn_wall seen_at;
};

struct tcn_session {
    tcn_peer peer;
    tcn_lane endpoint;
    tcn_mode mode;
    unsigned lanes; /* node: bits 1 bulk, 2 emergency */
    char member[TCN_MAX_NAME_CHARS + 1];
    const tcn_card *card; /* of the roster in force */
    tcn_node *node;       /* node mode */
    tcn_id instance;
    tcn_mono heard;
    uint64_t trust_version; /* what it holds or was sent */
    tcn_session *next_in_bucket;
    tcn_session *prev, *next; /* all, in order of their HELLO */
};

/* One lane: its head and the newest entries. */
typedef struct {
    uint64_t head;
    bool grew;        /* since fan-out last looked at every link */
    tcn_entry **tail; /* ring: seq s is at s % tail_cap, for head - tail_len < s <= head */
    size_t tail_len, tail_cap, tail_bytes;
    uint64_t end;                /* bytes of envelopes that went through the tail */
    tcn_link *links, *last_link; /* connected */
    tcn_link *work, *last_work;  /* that have something to do */
    tcn_batch *single[8];        /* frames of entries that are decided node by node; newest first */
} tcn_lane_state;

/* The nodes of a roster, by name; made before it is adopted. */
typedef struct {
    tcn_node *node;
    tcn_class *class;
    size_t member;
    bool is_new;
} tcn_node_row;

typedef struct {
    tcn_roster *roster; /* a reference; NULL: none waits */
    tcn_node_row *row;
    size_t rows;
} tcn_next_roster;

/* A peer that was told ERROR: nothing more is said or heard, and it is cut when it had the time to
 * read why. */
typedef struct {
    tcn_peer peer;
    tcn_mono at;
} tcn_doomed;

/* What only lives within a turn. */
typedef struct {
    const tcn_broker_input *inputs;
    size_t count;
    uint64_t tag;          /* of this commit; 0: not drawn yet */
    tcn_session **opening; /* HELLOs of this turn */
    size_t openings, opening_cap;
    tcn_next_roster next;
} tcn_turn;

/* A trust file that an operator sends in pieces. */
typedef struct {
    tcn_peer peer;
    uint64_t req, total;
    tcn_buf bytes;
    bool whole;
} tcn_roster_upload;

struct tcn_broker {
    tcn_ports ports;
    tcn_broker_config config;
    tcn_roster *roster;
    tcn_id epoch;
    uint8_t seed[16];
    tcn_wall now;
    tcn_mono mono, started;
    tcn_turn turn;
    tcn_effects effects;

    tcn_node **node; /* by name */
    size_t nodes, nodes_with_past;
    tcn_class *class_bucket[TCN_CLASS_BUCKETS];
    tcn_session *bucket[TCN_SESSION_BUCKETS];
    tcn_session *sessions, *last_session;
    tcn_doomed doomed[TCN_DOOMED];
    size_t doomed_count;
    size_t session_count, node_sessions;
    tcn_lane_state lane[TCN_LANES];
    tcn_batch *framed;   /* batches that have a frame of the net port */
    size_t cached_bytes; /* of all batches */
    uint64_t revision;   /* rises with whatever can change what a cached frame should hold */
    uint64_t question;   /* stamps class memos */
    tcn_link *dirty, *last_dirty;
    size_t dirty_count;
    tcn_upload *uploads;
    tcn_roster_upload roster_put;

    tcn_claims stale;   /* who says that it holds newer trust */
    tcn_claims lost;    /* who has a cursor that this store never wrote */
    bool epoch_renewed; /* wrong tags already founded one in this process */
    bool reconcile_due; /* a roster is in force, but not yet in the store */
    bool voiding;
    tcn_key void_from;
    bool classes_loose; /* some may have no node any more */
    bool compromised;   /* somebody in the roster is */
    bool timers_known;
    tcn_wall timer;                          /* the first due; 0: none */
    tcn_mono flush_at, sweep_at, retry_at;   /* 0: nothing waits */
    tcn_mono hold_off;                       /* a tick failed: none for the store before this */
    bool again;                              /* fan-out stopped at its bound */
    char alarm[TCN_ALARMS][TCN_ALARM_CHARS]; /* newest last */
    unsigned alarms;
    uint64_t held;
    tcn_broker_stats stats;
    /* Scratch, each for the function that names it; nothing in it outlives a call. */
    uint8_t frame[TCN_MAX_FRAME_BYTES], items[TCN_MAX_FRAME_BYTES], record[TCN_MAX_FRAME_BYTES];
};

/* ---- what everybody does ---- */

/* Errors after which the transaction is spoiled; others concern one input. */
static inline bool tcn_spoils(tcn_err err)
{
    return err == TCN_FULL || err == TCN_IO || err == TCN_NO_MEMORY;
}

/* The time by which cards and keys are judged (bundle.h): stands still in the grace of expired
 * trust. A roster that is being adopted counts before it is in force. */
static inline tcn_wall tcn_trust_now(const tcn_broker *b)
{
    const tcn_roster *roster = b->turn.next.roster != NULL ? b->turn.next.roster : b->roster;
    return tcn_bundle_trust_time(tcn_roster_bundle(roster), b->now);
}

static inline bool tcn_card_counts(const tcn_broker *b, const tcn_card *card)
{
    return tcn_card_is_valid(card, tcn_trust_now(b));
}

#endif
