/* SPDX-License-Identifier: Apache-2.0 */
/* state.h - what the agent's core remembers between turns, shared by the files of this folder.
 * Two copies of the small flat part: apply works on next, settle makes it now, discard takes it
 * back; so memory is never ahead of the disk. What owns memory (bundle, parked frames, clients,
 * bodies under way) changes in effects only, which settle runs after the commit. */
#ifndef TCN_AGENT_STATE_H
#define TCN_AGENT_STATE_H

#include "agent.h"
#include "layout.h"
#include "libtocsin/trust.h"
#include "log_events.h"

#define TCN_AGENT_LINKS (TCN_MAX_BROKERS * TCN_LANES)
#define TCN_AGENT_BODIES 4 /* bodies under way at a time */
#define TCN_AGENT_TEXT 160

/* Durable, under key 'n'. X(name) */
#define TCN_AGENT_COUNTS(X)                                                                        \
    X(serial)        /* last place given in the inbox */                                           \
    X(outbox_serial) /* last place given in the outbox */                                          \
    X(held)          /* alerts in the store */                                                     \
    X(unacked)       /* of these: in force, no cancels, without an ack */                          \
    X(to_fetch)      /* bodies */                                                                  \
    X(fetch_bytes)                                                                                 \
    X(outbox)   /* acks that no broker has confirmed */                                            \
    X(rejected) /* ever */                                                                         \
    X(reports)  /* rejected, not yet confirmed by the broker */

typedef struct {
#define X(name) uint64_t name;
    TCN_AGENT_COUNTS(X)
#undef X
} tcn_agent_counts;

typedef struct {
    char name[TCN_MAX_NAME_CHARS + 1]; /* empty: no such broker */
    tcn_agent_place place;             /* durable */
    bool has_time;
    int64_t time_ms;            /* broker's wall clock minus our monotonic one */
    tcn_wall heard;             /* 0: never */
    char error[TCN_AGENT_TEXT]; /* the last thing that went wrong; empty: nothing */
} tcn_agent_broker;

typedef enum {
    TCN_LINK_DOWN,
    TCN_LINK_UP,     /* HELLO is due or not answered yet */
    TCN_LINK_SERVED, /* WELCOME came */
    TCN_LINK_CUT     /* the shell was asked to cut it; what still comes is ignored */
} tcn_agent_link_state;

typedef struct {
    tcn_agent_link_state state;
    unsigned lanes;       /* asked for in the last HELLO: 1 bulk + 2 emergency */
    unsigned hellos;      /* not yet answered */
    tcn_agent_place told; /* by the last HELLO */
    bool hello_due;
    bool waits; /* emergency: session must give the lane back first */
    bool receipt_due[TCN_LANES], bodies_due, rejected_due, ping_due, metrics_due;
    bool gap[TCN_LANES]; /* a frame was not taken: what follows must not move the cursor */
    bool wants_cut;
    tcn_mono cut_at; /* 0: not */
    tcn_mono since;  /* of state */
    tcn_mono heard, said, metrics_at, acks_at, foreign_since;
    tcn_id epoch; /* of what is sent on this link */
    uint64_t generation, heartbeat_ms;
    uint64_t ack_sent; /* outbox up to here was sent on this link */
    size_t parked[TCN_LANES];
    bool stuck[TCN_LANES]; /* within one round of parked frames: one of this lane must wait */
} tcn_agent_link;

/* A bundle that arrives in pieces. */
typedef struct {
    uint64_t version; /* 0: none */
    size_t total, len;
    unsigned link;
    bool ask;
    tcn_mono asked;
} tcn_agent_pieces;

typedef struct {
    tcn_agent_counts counts;
    tcn_agent_broker broker[TCN_MAX_BROKERS];
    tcn_agent_link link[TCN_AGENT_LINKS];
    tcn_agent_pieces pieces;
    uint64_t card_version;
    size_t parked_alerts, parked_bytes;
    tcn_mono retain_at;
    char error[TCN_AGENT_TEXT]; /* of our own: disk, trust */
} tcn_agent_state;

/* What settle does after the commit. It belongs to the queue and is freed when it has run, unless
 * fn keeps it (parked frames are kept effects). */
typedef struct tcn_agent_effect tcn_agent_effect;
typedef void tcn_agent_effect_fn(tcn_agent *a, tcn_agent_effect *effect);
struct tcn_agent_effect {
    tcn_agent_effect *next;
    tcn_agent_effect_fn *fn;
    bool is_kept;
    tcn_peer peer;
    unsigned link;
    tcn_lane lane;
    size_t alerts;
    tcn_id id;
    uint64_t number, total;
    tcn_err err;
    tcn_agent_effect *other;
    tcn_bytes view; /* into the turn's input; dies with the turn */
    tcn_blob_done blob;
    size_t len;
    uint8_t bytes[];
};

/* What a turn found out that needs a transaction of its own. */
typedef struct {
    enum { TCN_JOB_PARKED, TCN_JOB_BODY_WHOLE, TCN_JOB_BODY_FAILED } kind;
    tcn_agent_effect *parked;
    tcn_id id;
    tcn_err err;
} tcn_agent_job;

#define TCN_AGENT_JOBS 32

/* A body under way; memory only, the fetch list and the blob's size say the rest. */
typedef struct {
    bool is_used, has_link, is_finishing;
    tcn_id id;
    tcn_hash hash;
    uint64_t size;
    uint64_t asked, received, appended; /* appended ≤ received ≤ asked */
    uint64_t step;                      /* bytes the broker gives at a time */
    unsigned link, sources;             /* bit per broker that is known to have it */
    tcn_mono progress;
} tcn_agent_body;

typedef struct tcn_agent_client tcn_agent_client; /* inbox.h */

struct tcn_agent {
    tcn_ports ports;
    tcn_agent_config config;
    char member[TCN_MAX_NAME_CHARS + 1];
    tcn_sign_public authority;
    tcn_id program, instance;
    tcn_secrets secrets;

    tcn_wall wall; /* read once per turn */
    tcn_mono mono, started;
    tcn_agent_state now, next;
    tcn_bundle *bundle, *bundle_next; /* in force; adopted in this turn */
    uint8_t *pieces;                  /* of the bundle that arrives */
    size_t pieces_cap;

    const tcn_agent_input *inputs;
    unsigned urgent_links; /* a bit for each that had the emergency lane when the turn began */
    bool in_jobs;
    size_t jobs;
    tcn_agent_job job[TCN_AGENT_JOBS];
    tcn_agent_effect *effects, **effects_end;
    tcn_agent_effect *parked, **parked_end;

    tcn_agent_body body[TCN_AGENT_BODIES];
    tcn_id fetch_after;       /* the search of the fetch list goes on behind this */
    tcn_mono fetch_at;        /* nothing is fetched before: the disk */
    tcn_mono fetch_search_at; /* nothing is looked for before: nothing can be fetched */
    bool disk_low;

    unsigned clients;
    tcn_agent_client *client[TCN_MAX_LOCAL_CLIENTS];
    uint8_t *decoded; /* one body, for the reader that has it open */
    size_t decoded_len;
    tcn_id decoded_id;
    tcn_peer decoded_for;

    bool is_damaged;  /* a record did not have its checksum */
    tcn_mono wake;    /* the deadline */
    uint8_t *scratch; /* FRAME_BYTES: the frame being written */
};

/* Queues fn with a copy of bytes; NULL: out of memory. */
tcn_agent_effect *tcn_agent_later(tcn_agent *a, tcn_agent_effect_fn *fn, tcn_bytes bytes);
void tcn_agent_effects_run(tcn_agent *a);
void tcn_agent_effects_drop(tcn_agent *a);
/* A job for after this turn; false: no room, it will be found again. */
bool tcn_agent_job_add(tcn_agent *a, const tcn_agent_job *job);

/* Lowers the deadline. */
void tcn_agent_wake_at(tcn_agent *a, tcn_mono at);
void tcn_agent_wake_in(tcn_agent *a, uint64_t ms);

/* The bundle that counts within a turn. */
const tcn_bundle *tcn_agent_trust(const tcn_agent *a);

/* ---- the store; errors as in ports.h ----
 * A value that the disk has changed is not found by get, and empty for first and last; is_damaged
 * tells. */
TCN_CHECKED tcn_err tcn_agent_get(tcn_agent *a, const tcn_agent_key *key, tcn_bytes *ret_value);
TCN_CHECKED tcn_err tcn_agent_put(tcn_agent *a, const tcn_agent_key *key, tcn_bytes value);
TCN_CHECKED tcn_err tcn_agent_del(tcn_agent *a, const tcn_agent_key *key);
/* The first entry with this prefix behind after (NULL: from the start); the key is copied. */
TCN_CHECKED tcn_err tcn_agent_first(tcn_agent *a, const tcn_agent_key *prefix,
                                    const tcn_agent_key *after, tcn_agent_key *ret_key,
                                    tcn_bytes *ret_value);
/* The last entry with this prefix at or before from (NULL: of all). */
TCN_CHECKED tcn_err tcn_agent_last(tcn_agent *a, const tcn_agent_key *prefix,
                                   const tcn_agent_key *from, tcn_agent_key *ret_key,
                                   tcn_bytes *ret_value);
TCN_CHECKED tcn_err tcn_agent_begin_read(tcn_agent *a);
void tcn_agent_end_read(tcn_agent *a);

/* Remembers what went wrong for status, neutralised and cut. */
void tcn_agent_note(char ret_text[static TCN_AGENT_TEXT], const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* One line in the log once the turn is committed. */
void tcn_agent_log(tcn_agent *a, tcn_agent_event event, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
