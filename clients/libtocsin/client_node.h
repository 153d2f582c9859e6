/* SPDX-License-Identifier: Apache-2.0 */
/* client_node.h - a node of the public API from the inside. Not for anyone but client_node*.c.
 *
 *   link ─▶ frame ─▶ queue (per link, in order; waits for trust) ─▶ event, one per call
 *
 * While a queue has a frame that can be given, nothing more is read from its link: the broker's
 * window bounds what piles up behind one that waits for trust. */
#ifndef TCN_CLIENT_NODE_H
#define TCN_CLIENT_NODE_H

#include <tocsin/node.h>

#include <sodium.h>

#include "client_alert.h"
#include "client_error.h"
#include "client_link.h"
#include "client_trust.h"

enum {
    TCN_NODE_ACKS = 256,    /* waiting for ACK_OK */
    TCN_NODE_STORED = 1024, /* waiting for BODIES_OK; one BODIES frame */
    TCN_NODE_QUEUE = 64     /* ALERTS frames behind one that waits for trust */
};

/* An ALERTS frame that is being given out. */
typedef struct tcn_node_frame {
    struct tcn_node_frame *next;
    tcn_lane lane;
    uint64_t need, generation;
    tcn_id epoch;
    tcn_mark complete_to;
    size_t left, at; /* envelopes left; place in bytes */
    size_t len;
    uint8_t bytes[]; /* the list, without the array's head */
} tcn_node_frame;

typedef struct {
    tcn_link link;
    bool open, told; /* WELCOME came; its failure was told */
    tcn_mono retry_at, welcome_until;
    unsigned failures; /* since it was last open */
    tcn_trust_feed feed;
    tcn_node_frame *first, *last;
    unsigned queued;
    uint64_t blocked_at; /* trust version that does not suffice for the first; 0: not blocked */
} tcn_node_line;

typedef struct {
    tcn_id id;
    uint64_t counter;
    tcn_lane lane;
    size_t len;
    uint8_t envelope[2048];
} tcn_node_ack_kept;

/* The one body that is being fetched. */
typedef struct {
    bool active, hashed; /* hashed: from offset 0 */
    tcn_id id;
    uint64_t size, want, asked; /* next to give; next to ask for */
    size_t piece;               /* what the broker gives at a time; 0: not known yet */
    unsigned under_way;
    uint8_t hash[32];
    crypto_hash_sha256_state state;
} tcn_node_fetch;

struct tocsin_node {
    tcn_member_home home;
    bool has_home, session_only;
    void *context;
    char software[128], proxy[TCN_ADDRESS_SIZE];
    uint32_t connect_timeout_ms;
    tcn_id instance;
    unsigned subscriptions;
    char (*subscribe)[TCN_MAX_TOPIC_CHARS + 1];
    tcn_node_line line[TCN_LANES];
    unsigned broker; /* in the bundle */
    char broker_name[TCN_MAX_NAME_CHARS + 1];
    bool session_has_all; /* session's HELLO asked for both lanes */
    tcn_id epoch;
    uint64_t generation;
    tcn_mark cursor[TCN_LANES]; /* confirmed; seq 0: from the beginning */
    int64_t clock_offset_ms;
    tcn_mono begun, metrics_at;
    uint64_t rejected;
    tcn_node_fetch fetch;
    tcn_id *stored;
    unsigned stored_count;
    tcn_node_ack_kept **acks;
    unsigned ack_count;
    int epoll, timer;
    tocsin_event event; /* the current one */
    tocsin_alert *alert;
    char text[256];
    tocsin_event *small; /* events without bytes of their own, waiting */
    tcn_fault *small_text;
    size_t small_at, small_count, small_cap;
    uint8_t *out; /* FRAME_BYTES */
};

/* The line for a lane: its own if open, else session's; NULL if that is not open, either. */
tcn_node_line *tcn_node_line_for(tocsin_node *node, tcn_lane lane);
/* Sends; a full queue or a lost connection is not an error: what counts is repeated after HELLO. */
void tcn_node_say(tocsin_node *node, tcn_node_line *line, const tcn_wire *wire);
/* Queues a small event; text may be NULL. */
TCN_CHECKED tcn_err tcn_node_tell(tocsin_node *node, const tocsin_event *event,
                                  const tcn_fault *text);
/* Makes the descriptor readable now: something was sent outside of tocsin_node_next. */
void tcn_node_wake(tocsin_node *node);

/* ---- client_node_alerts.c ---- */

/* Takes an ALERTS frame into its line's queue. */
TCN_CHECKED tcn_err tcn_node_take_alerts(tocsin_node *node, tcn_node_line *line,
                                         const tcn_wire *wire);
/* Makes node->event from a queue. *ret_made false: nothing can be given now. */
TCN_CHECKED tcn_err tcn_node_give(tocsin_node *node, tcn_node_line *line, bool *ret_made);
void tcn_node_drop_queue(tcn_node_line *line);
void tcn_cursor_write(const tcn_node_frame *frame, tocsin_cursor *ret_cursor);
typedef struct {
    tcn_lane lane;
    tcn_id epoch;
    uint64_t generation;
    tcn_mark at;
} tcn_cursor_view;
/* TCN_INVALID: not written by us. */
TCN_CHECKED tcn_err tcn_cursor_read(const tocsin_cursor *cursor, tcn_cursor_view *ret_view);

/* ---- client_node_answers.c ---- */

/* A piece or the end of the body that is being fetched; may set node->event. */
TCN_CHECKED tcn_err tcn_node_take_body(tocsin_node *node, const tcn_wire *wire, bool *ret_made);
TCN_CHECKED tcn_err tcn_node_take_ack_ok(tocsin_node *node, const tcn_wire *wire);
TCN_CHECKED tcn_err tcn_node_take_bodies_ok(tocsin_node *node, const tcn_wire *wire);
/* After a WELCOME: says again what the broker has not confirmed. */
void tcn_node_repeat(tocsin_node *node, tcn_lane endpoint);
void tcn_node_send_metrics(tocsin_node *node, tcn_mono now);

#endif
