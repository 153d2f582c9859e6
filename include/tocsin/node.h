/* SPDX-License-Identifier: Apache-2.0 */
/* node.h - receive alerts, say that they are on disk, answer them: a node in a program of yours.
 * (The ready-made node is tocsin-agent, which keeps a cache, a store and an inbox.)
 * The contract: every alert is given at least once. The library keeps nothing on disk: store what
 * you were given and the cursor together, then confirm the cursor; what you did not confirm comes
 * again, so look at ids. One member has one node session at a time: do not run the agent, too.
 * Threads: a node belongs to one thread at a time; any number of nodes share a thread. */
#ifndef TOCSIN_NODE_H
#define TOCSIN_NODE_H

#include "types.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct tocsin_node tocsin_node;

/* A place in a lane, opaque: keep the newest one of each lane, bytes as they are. */
typedef struct tocsin_cursor {
    uint8_t bytes[48];
} tocsin_cursor;

typedef struct tocsin_node_options {
    uint32_t struct_size;        /* set by tocsin_node_options_init */
    uint32_t connect_timeout_ms; /* until a session is open, then the next broker; default 10000 */
    const char *home;            /* a member's home; NULL: $TOCSIN_HOME, else ~/.config/tocsin */
    const char *software;        /* "my-gateway 1.2"; NULL: "libtocsin VERSION" */
    const char *socks_proxy;     /* "host:port" of a SOCKS5 proxy; NULL: none */
    const char *const *subscriptions; /* topic patterns; NULL: everything granted */
    uint32_t subscription_count;
    uint32_t session_only;          /* 1: everything on the session endpoint */
    const tocsin_cursor *bulk;      /* where you were; NULL: from the beginning */
    const tocsin_cursor *emergency; /* likewise */
    uint8_t instance[16];           /* random, kept by an installation; zero: random each time */
} tocsin_node_options;

TOCSIN_API void tocsin_node_options_init(tocsin_node_options *ret_options);

/* Reads the home and begins to connect; tocsin_node_next does the rest. Options are copied. */
TOCSIN_API int32_t tocsin_node_open(const tocsin_node_options *options, tocsin_node **ret_node,
                                    tocsin_error *error);
TOCSIN_API void tocsin_node_close(tocsin_node **node);

enum {
    TOCSIN_EVENT_CONNECTED = 1,    /* lane; text: the broker's name */
    TOCSIN_EVENT_DISCONNECTED = 2, /* lane; code and text: why. It is tried again by itself */
    TOCSIN_EVENT_ALERT = 3,        /* alert: verified; look at its marks */
    TOCSIN_EVENT_CURSOR = 4,       /* lane, cursor: with what was given you have all up to here */
    TOCSIN_EVENT_REJECTED = 5,     /* id (zero: unreadable), code, text: verified false, reported */
    TOCSIN_EVENT_BODY = 6,         /* id, offset, bytes, size, total: the next piece of a body */
    TOCSIN_EVENT_BODY_DONE = 7,    /* id, total; code TOCSIN_OK, or why there is no body */
    TOCSIN_EVENT_BODIES_KEPT = 8,  /* id: the broker knows that we have this body */
    TOCSIN_EVENT_ACK_KEPT = 9,     /* id, counter; code TOCSIN_OK: durable; else refused, why */
    TOCSIN_EVENT_TRUST = 10,       /* total: the version of the newer trust that was adopted */
    TOCSIN_EVENT_REPLAY = 11 /* what we may have has widened: alerts come again, with others */
};

/* Lives, with all that it points to, until the next call on the node. */
typedef struct tocsin_event {
    uint32_t kind; /* TOCSIN_EVENT_... */
    uint32_t lane;
    int32_t code;
    uint32_t reserved;
    const char *text; /* safe to print; "" for none */
    const tocsin_alert *alert;
    tocsin_cursor cursor;
    tocsin_id id;
    uint64_t counter;
    uint64_t offset, total;
    const uint8_t *bytes;
    uint64_t size;
    uint64_t seq; /* ALERT: its place in the lane */
} tocsin_event;

/* The next event. timeout_ms: 0 does not wait, < 0 waits for ever. TOCSIN_E_TIMEOUT: none came in
 * that time. Other errors: the node cannot go on (out of memory, home unusable). */
TOCSIN_API int32_t tocsin_node_next(tocsin_node *node, int32_t timeout_ms,
                                    const tocsin_event **ret_event, tocsin_error *error);

/* A descriptor to poll for reading, for many nodes in one loop: when it is readable, call
 * tocsin_node_next with timeout 0 until TOCSIN_E_TIMEOUT. Timers are included. It is the node's. */
TOCSIN_API int tocsin_node_fd(const tocsin_node *node);

/* All alerts given up to this cursor (of TOCSIN_EVENT_CURSOR) are on our disk, inline bodies with
 * them: tells the broker, and where to go on after a reconnect. */
TOCSIN_API int32_t tocsin_node_confirm(tocsin_node *node, const tocsin_cursor *cursor,
                                       tocsin_error *error);

/* Fetches an external body from offset on as TOCSIN_EVENT_BODY pieces in order, several under way,
 * across reconnects. From offset 0 the hash is checked at the end (BODY_DONE with
 * TOCSIN_E_HASH_MISMATCH: drop the pieces); from further on it is yours to check the whole with
 * tocsin_body_decode. One body at a time: TOCSIN_E_BUSY. */
TOCSIN_API int32_t tocsin_node_fetch(tocsin_node *node, const tocsin_alert *alert, uint64_t offset,
                                     tocsin_error *error);
/* The body of this alert is on our disk: says so until the broker has noted it. */
TOCSIN_API int32_t tocsin_node_body_stored(tocsin_node *node, const tocsin_id *id,
                                           tocsin_error *error);

typedef struct tocsin_ack {
    uint32_t struct_size; /* set by tocsin_ack_init */
    uint32_t answer;      /* TOCSIN_ANSWER_... */
    tocsin_id id;
    uint8_t payload_hash[32];
    const char *by;   /* a person's name; NULL: none */
    const char *note; /* NULL: none */
    uint32_t by_rule; /* 1: a rule answered, not a person */
    uint32_t lane;    /* of the alert */
    uint64_t counter; /* the highest for an alert wins; 0: the time in ms */
} tocsin_ack;

/* The answer to this alert; the rest is for the caller to fill. */
TOCSIN_API void tocsin_ack_init(const tocsin_alert *alert, uint32_t answer, tocsin_ack *ret_ack);
/* Signs and sends an answer, again after a reconnect, until TOCSIN_EVENT_ACK_KEPT; it is kept in
 * memory only. *ret_counter (may be NULL) is what counter became. TOCSIN_E_FULL: 256 wait. */
TOCSIN_API int32_t tocsin_node_ack(tocsin_node *node, const tocsin_ack *ack, uint64_t *ret_counter,
                                   tocsin_error *error);

/* What went over the connections so far, as frames inside of CURVE. */
typedef struct tocsin_traffic {
    uint64_t frames_in, bytes_in, frames_out, bytes_out;
} tocsin_traffic;
/* lane: 0 the session endpoint, 1 the emergency endpoint. */
TOCSIN_API void tocsin_node_traffic(const tocsin_node *node, uint32_t lane,
                                    tocsin_traffic *ret_traffic);

#ifdef __cplusplus
}
#endif

#endif
