/* SPDX-License-Identifier: Apache-2.0 */
/* swarm.h - thousands of nodes and their publishers in one process and one thread, speaking the
 * session protocol. Every copy of an alert is compared with what was published; its signatures
 * are verified once, by whoever gets it first: a thousand agents on one core would measure
 * Ed25519. The disk of a node is left out, its receipt is not. */
#ifndef SWARM_H
#define SWARM_H

#include "../parts/cast.h"
#include "../parts/link.h"
#include "../parts/measure.h"
#include "../parts/server.h"
#include "libtocsin/trust.h"
#include "libtocsin/wire.h"

typedef struct {
    const char *dir, *phases, *settings;
    char *broker;
    unsigned nodes, publishers, classes, body_bytes;
    unsigned count, gap_ms;   /* one at a time */
    unsigned window, seconds; /* closed loop */
    unsigned handshakes;      /* under way at most while joining */
} swarm_options;

typedef enum { SWARM_NODE, SWARM_PUBLISHER } swarm_kind;

/* A member with its two connections. */
typedef struct {
    swarm_kind kind;
    unsigned index;
    bench_link link[TCN_LANES]; /* by endpoint */
    tcn_box_secret transport;
    tcn_id instance;
    bool welcome[TCN_LANES];
    uint64_t generation, retry_at_ns[TCN_LANES];
    tcn_mark mark[TCN_LANES];
    bool owes_receipt[TCN_LANES], pings; /* after its receipt */
    unsigned under_way;                  /* submits without answer */
} swarm_member;

typedef struct {
    tcn_bytes envelope;
    tcn_lane lane;
    unsigned publisher;
    bool verified, answered;
    uint64_t at_ns, answered_ns, last_ns;
    int64_t at_unix_ms;
    tcn_id id;
    unsigned copies;
} swarm_alert;

typedef struct {
    swarm_options options;
    bench_cast cast;
    bench_server server;
    bench_hub hub[TCN_LANES]; /* by endpoint */
    swarm_member *node, *publisher;
    unsigned open, publishers_open, connecting; /* members with both sessions; handshakes */
    bool lively;                                /* who is cut off connects again */
    tcn_id epoch;
    swarm_alert *alert;
    size_t made, published, done, alert_cap; /* done: all before it have arrived everywhere */
    unsigned audience;                       /* nodes that are to get each */
    uint64_t deliveries, receipts, answers, refusals, cuts, frames;
    unsigned measuring;   /* bits of lanes */
    bench_column arrival; /* publish to receive, every measured copy */
    uint64_t pong_ns;     /* when the last PONG to a node came */
    unsigned board_rows, board_received;
    int64_t board_last_ms;
    tcn_buf board_next;
    bool board_more, board_answered;
    unsigned pinged;
    long anon_before_kib;
    uint64_t ping_at_ns;
} swarm;

extern const bench_link_ops swarm_ops;

/* ---- members.c: sessions, frames ---- */
void swarm_members_make(swarm *s);
void swarm_connect(swarm *s, swarm_member *member, tcn_lane endpoint);
void swarm_say(swarm_member *member, tcn_lane endpoint, const tcn_wire *wire);
/* One turn of the loop: events, those who come back, pings. */
void swarm_pump(swarm *s, int timeout_ms);

/* ---- publish.c ---- */
/* Signs so many alerts ahead, in turn by the first `publishers`. */
void swarm_make_alerts(swarm *s, tcn_lane lane, size_t count, unsigned publishers);
/* Forgets what was made too much. */
void swarm_drop_unpublished(swarm *s);
/* Submits the next one made; false: none is left. */
bool swarm_publish(swarm *s, bool flush);
void swarm_answered(swarm *s, swarm_member *publisher, const tcn_wire_answer *answer);
void swarm_arrived(swarm *s, uint32_t number, uint64_t at_ns);
/* The alert that this envelope is; checked the first time. UINT32_MAX: it is none of ours. */
uint32_t swarm_recognise(swarm *s, tcn_bytes envelope);
void swarm_board_page(swarm *s, const tcn_wire *result);
/* Reads the board of an alert: ms from publishing to its last receipt; *ret_received of nodes. */
double swarm_board(swarm *s, const swarm_alert *alert, unsigned *ret_received);

/* ---- phases.c: each prints one member of the JSON object ---- */
void swarm_join(swarm *s);
void swarm_phase(swarm *s, const char *name);

#endif
