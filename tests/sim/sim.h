/* SPDX-License-Identifier: Apache-2.0 */
/* sim.h - one simulated program in one thread: the real cores of a broker and of several agents,
 * scripted publishers and approvers, a network and disks that fail, and a model of what must hold.
 * Everything follows from the seed. tests/sim/README.md tells how to read a failure. */
#ifndef TOCSIN_SIM_H
#define TOCSIN_SIM_H

#include "broker/core/broker.h"
#include "clients/agent/core/agent.h"
#include "libtocsin/local.h"
#include "libtocsin/wire.h"
#include "rng.h"
#include "tests/support/mem_ports.h"
#include "tests/support/world.h"

typedef struct sim sim;

enum {
    SIM_MEMBERS = 20,
    SIM_AGENTS = 9, /* nodes, and clones of nodes */
    SIM_PEOPLE = 8, /* publishers, approvers */
    SIM_OPS = 48,   /* of one person at a time */
    SIM_ALERTS = 160,
    SIM_VERSIONS = 96, /* of trust */
    SIM_BODY_MOST = 600000
};

typedef struct {
    uint64_t seed;
    bool trace;      /* print each event as it happens */
    bool keep_lines; /* for sim_trace_print; slower */
    bool calm;       /* no faults */
    unsigned phases; /* active, then quiet and checked; 0: by the seed */
} sim_options;

/* ---- members: the model's own cards ---- */

/* Sets are bits into sim_patterns and sim_communities. */
typedef struct {
    const char *name;
    unsigned roles;
    tcn_tlp clearance;
    unsigned receive, publish, communities;
    bool emergency;
    tcn_member_state state;
    int64_t since;
} sim_card;

typedef struct {
    sim_card card[SIM_MEMBERS];
    tcn_roster *roster;
} sim_version;

/* ---- processes ---- */

/* What a broker and an agent have in common: disk, clocks, and how they end. */
typedef struct {
    sim *s;
    char name[24];
    mem_ports ports; /* store, blobs, random; its net is not used */
    bool up;
    int64_t wall_ahead_ms;
    uint64_t start_at, idle_until, blob_at; /* the next completion; 0: none is under way */
    unsigned dies_in;  /* effects until it dies within a turn; 0: it does not */
    bool dying;        /* dead already, though the turn still runs */
    bool disk_trouble; /* its store or blobs may fail it */
    uint64_t full_until, spins, spin_at;
} sim_proc;

typedef struct sim_conn sim_conn;

typedef struct {
    sim_proc proc;
    tcn_broker *core;
    tcn_broker_config config;
    uint64_t version;      /* given to it last; in its home */
    uint64_t next_version; /* to be given; 0: none */
    uint64_t next_at;      /* then */
    uint64_t held_frames;  /* of frame_new, not released */
    int64_t wall_most;     /* the latest time that its clock ever showed */
} sim_broker;

typedef struct {
    sim_conn *conn;
    uint64_t attempt_at, blocked_until;
    unsigned rounds;
    bool tell_up, tell_down;
} sim_link;

typedef struct {
    sim_proc proc;
    tcn_agent *core;
    unsigned member;
    bool is_clone;
    unsigned subscribe; /* bits of sim_patterns; 0: all that is granted */
    uint64_t home_version;
    sim_link link[TCN_LANES];
    tcn_buf replies; /* of its local socket: length u32, bytes */
    bool local_full;
    uint64_t req;
    /* seen on the wire, across restarts */
    tcn_id epoch;
    uint64_t generation, trust_version, cursor[TCN_LANES];
} sim_agent;

/* ---- people ---- */

typedef enum { SIM_SUBMIT, SIM_APPROVE } sim_op_kind;

typedef struct {
    sim_op_kind kind;
    unsigned alert;
    uint64_t due;
    uint64_t req; /* of what is under way; 0: nothing */
    bool uploading;
    uint64_t offset; /* upload goes on here */
    uint64_t give_up_at;
    unsigned tries;
} sim_op;

typedef struct {
    unsigned member;
    sim_conn *conn;
    bool greeted, welcomed;
    uint64_t attempt_at, patience_at;
    uint64_t trust_version;
    sim_op op[SIM_OPS];
    unsigned ops;
} sim_person;

/* ---- alerts, as the model knows them ---- */

typedef enum {
    SIM_VALID = 0, /* must be accepted once all it needs is there */
    SIM_BAD,       /* must never reach anybody */
    SIM_MAYBE      /* a race decides: e.g. an update of what may be cancelled */
} sim_worth;

/* What a node's person answered, confirmed by its agent. */
typedef struct {
    uint64_t counter;
    unsigned note;
} sim_answer;

typedef struct {
    world_alert made;
    sim_worth worth;
    bool forged;                /* not by its author, who knows nothing of it */
    unsigned publisher, author; /* members */
    tcn_lane lane;
    tcn_tlp tlp;
    tcn_status status;
    tcn_kind kind;
    unsigned topic;                 /* index into sim_topics */
    unsigned communities, audience; /* bits; audience: of members */
    unsigned references, reference[4];
    int64_t created, not_before, expires;
    bool external, tracked;
    char *body; /* decoded; malloc'd */
    size_t body_len;
    unsigned needed;    /* approvals */
    unsigned approvals; /* members that approved, or may have: bits */
    unsigned approved;  /* of these, those whose APPROVE was answered with ok */
    /* what became of it */
    bool handed_in;               /* a SUBMIT of it reached the broker */
    int64_t handed_at;            /* the broker's clock then */
    tcn_err refused;              /* its last SUBMIT was refused for good */
    bool promised;                /* an ANSWER to its SUBMIT said ok */
    uint64_t seq;                 /* 0: not known to be accepted */
    bool withdrawn;               /* cancelled while it was held */
    bool body_whole;              /* the broker said that it has it */
    unsigned sent, entitled_once; /* members; bits */
    sim_answer answer[SIM_MEMBERS];
    unsigned board_note[SIM_MEMBERS]; /* the newest note that the board ever showed */
    /* what the broker said of it at the last check */
    bool same_id; /* as another, which came first */
    bool is_listed;
    unsigned listed_state;
    int64_t listed_accepted;
    unsigned listed_waits;
} sim_alert;

/* ---- the whole ---- */

struct sim {
    sim_options options;
    sim_rng work, faults, wires, order;
    uint64_t now; /* ms since the beginning; the true time is SIM_START + now */
    world *w;
    unsigned members;
    sim_card draft[SIM_MEMBERS];
    bool draft_changed;
    uint64_t versions;
    sim_version version[SIM_VERSIONS + 1];

    sim_broker broker;
    unsigned agents;
    sim_agent agent[SIM_AGENTS];
    unsigned people;
    sim_person person[SIM_PEOPLE];
    sim_conn *conns;
    tcn_peer last_peer;
    uint64_t req;

    unsigned alerts;
    sim_alert alert[SIM_ALERTS];
    unsigned heard_subscribe[SIM_MEMBERS]; /* of the node's last HELLO that was welcomed */
    unsigned left_subscribe[SIM_MEMBERS];  /* what that HELLO replaced, in which turn */
    uint64_t left_at[SIM_MEMBERS];
    unsigned told_subscribe[SIM_MEMBERS]; /* of its last HELLO, which may have been committed */
    unsigned notes;

    unsigned active_left; /* workload actions */
    uint64_t work_at, fault_at;
    bool quiet; /* healed: no new faults */
    bool evil;  /* the broker's machine is broken into: forged alerts are slipped in */

    char **line;
    size_t lines;
    uint64_t digest;
    uint64_t turns, frames, checks;
    bool failed;
    char why[1024];
};

#define SIM_START MEM_WALL_START_MS

sim *sim_new(const sim_options *options);
void sim_free(sim **s);
/* Runs to the end, or to the first thing that must not be. */
void sim_run(sim *s);

/* ---- trace.c ---- */
void sim_trace(sim *s, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* What must hold did not: the first is kept, and the run ends. */
void sim_fail(sim *s, const char *format, ...) __attribute__((format(printf, 2, 3)));
void sim_trace_print(const sim *s, size_t last);
void sim_trace_free(sim *s);
void sim_mix(sim *s, const void *bytes, size_t len); /* into the digest */
void sim_mix_u64(sim *s, uint64_t value);

#endif
