/* SPDX-License-Identifier: Apache-2.0 */
/* wire.h - the frames of a session (docs/protocol.md §5), one struct each; encode into memory of
 * the caller (FRAME_BYTES always suffices), decode as views into the frame. */
#ifndef TCN_WIRE_H
#define TCN_WIRE_H

#include "alert.h"

/* X(NAME, number, word) */
#define TCN_OP_TABLE(X)                                                                            \
    X(HELLO, 1, "hello")                                                                           \
    X(PING, 2, "ping")                                                                             \
    X(SUBMIT, 3, "submit")                                                                         \
    X(APPROVE, 4, "approve")                                                                       \
    X(UPLOAD, 5, "upload")                                                                         \
    X(RECEIPT, 6, "receipt")                                                                       \
    X(BODIES, 7, "bodies")                                                                         \
    X(REJECTED, 8, "rejected")                                                                     \
    X(ACK, 9, "ack")                                                                               \
    X(FETCH, 10, "fetch")                                                                          \
    X(METRICS, 11, "metrics")                                                                      \
    X(QUERY, 12, "query")                                                                          \
    X(TRUST_GET, 13, "trust-get")                                                                  \
    X(ROSTER_PUT, 14, "roster-put")                                                                \
    X(WELCOME, 32, "welcome")                                                                      \
    X(TRUST, 33, "trust")                                                                          \
    X(CARD, 34, "card")                                                                            \
    X(ALERTS, 35, "alerts")                                                                        \
    X(ANSWER, 36, "answer")                                                                        \
    X(BODIES_OK, 37, "bodies-ok")                                                                  \
    X(ACK_OK, 38, "ack-ok")                                                                        \
    X(BODY, 39, "body")                                                                            \
    X(BODY_GONE, 40, "body-gone")                                                                  \
    X(RESULT, 41, "result")                                                                        \
    X(PONG, 42, "pong")                                                                            \
    X(GENERATION, 43, "generation")                                                                \
    X(ERROR, 44, "error")                                                                          \
    X(REJECTED_OK, 45, "rejected-ok")

typedef enum {
#define X(name, number, word) TCN_OP_##name = number,
    TCN_OP_TABLE(X)
#undef X
} tcn_op;

const char *tcn_op_word(unsigned op); /* "unknown" outside of the table */

/* Queries: X(NAME, number, word) */
#define TCN_QUERY_TABLE(X)                                                                         \
    X(STATUS, 1, "status")                                                                         \
    X(PENDING, 2, "pending")                                                                       \
    X(ENVELOPE, 3, "envelope")                                                                     \
    X(ALERTS, 4, "alerts")                                                                         \
    X(BOARD, 5, "board")                                                                           \
    X(EXPLAIN, 6, "explain")                                                                       \
    X(METRICS, 7, "metrics")                                                                       \
    X(DIRECTORY, 8, "directory")                                                                   \
    X(COUNT, 9, "count")                                                                           \
    X(RESOLVE, 10, "resolve")

typedef enum {
#define X(name, number, word) TCN_QUERY_##name = number,
    TCN_QUERY_TABLE(X)
#undef X
} tcn_query;

#define TCN_PROTOCOL_VERSION 1
typedef enum { TCN_MODE_CLIENT = 0, TCN_MODE_NODE = 1 } tcn_mode;

/* A list left encoded: count items, each read with a reader over raw. */
typedef struct {
    size_t count;
    tcn_bytes raw; /* the items, without the array's head */
} tcn_list;

typedef struct {
    uint64_t seq, tag;
} tcn_mark; /* a place in a lane */

typedef struct {
    unsigned versions;
    uint64_t version[8];
    tcn_mode mode;
    tcn_id instance;
    uint64_t trust_version;
    bool has_subscriptions;
    unsigned subscriptions;
    tcn_bytes subscription[TCN_MAX_PATTERNS];
    tcn_id epoch; /* zero: none */
    uint64_t generation;
    bool has_cursor[TCN_LANES];
    tcn_mark cursor[TCN_LANES];
    unsigned lanes; /* 0: the endpoint's own; else 1 bulk + 2 emergency */
    tcn_bytes software;
} tcn_wire_hello;

typedef struct {
    uint64_t version;
    tcn_id epoch;
    uint64_t generation, trust_version;
    tcn_wall time;
    tcn_bytes broker;
    uint64_t heartbeat_ms;
    bool has_start[TCN_LANES];
    uint64_t start[TCN_LANES];
    uint64_t max_body_bytes, window_bytes;
} tcn_wire_welcome;

typedef struct {
    uint64_t req;
    tcn_err error;
    bool has_id;
    tcn_id id;
    bool has_state, accepted;
    bool has_seq;
    uint64_t seq;
    tcn_bytes handle; /* empty: absent */
    bool has_entitled;
    uint64_t entitled;
    bool has_missing;
    uint64_t missing;
    bool has_offset;
    uint64_t offset;
    tcn_bytes broker, text; /* empty: absent */
} tcn_wire_answer;

/* One decoded frame. Which member of the union counts is told by op. */
typedef struct {
    tcn_op op;
    union {
        tcn_wire_hello hello;
        struct {
            uint64_t req;
            tcn_bytes envelope;
        } submit;
        struct {
            uint64_t req;
            tcn_id id;
            tcn_hash payload_hash;
            tcn_bytes signature;
        } approve;
        struct {
            uint64_t req;
            tcn_id id;
            uint64_t offset;
            tcn_bytes bytes;
        } upload;
        struct {
            tcn_lane lane;
            tcn_id epoch;
            tcn_mark at;
        } receipt;
        tcn_list ids;       /* BODIES, BODIES_OK, REJECTED_OK: bstr16 each */
        tcn_list rejected;  /* [id, error] each */
        tcn_bytes envelope; /* ACK, CARD */
        struct {
            tcn_id id;
            uint64_t offset;
        } fetch;
        tcn_bytes map; /* METRICS: the encoded map */
        struct {
            uint64_t req, what;
            tcn_bytes args;  /* the encoded map */
            tcn_bytes after; /* empty: from the start */
            uint64_t max;
        } query;
        struct {
            uint64_t version, offset;
        } trust_get;
        struct {
            uint64_t req, total, offset;
            tcn_bytes bytes;
        } roster_put;
        tcn_wire_welcome welcome;
        struct {
            uint64_t version, total, offset;
            tcn_bytes bytes;
        } trust;
        struct {
            tcn_lane lane;
            uint64_t need;
            tcn_mark complete_to;
            tcn_list alerts; /* [seq, envelope] each: tcn_wire_get_alert */
        } alerts;
        tcn_wire_answer answer;
        struct {
            tcn_id id;
            uint64_t counter;
            tcn_err error;
        } ack_ok;
        struct {
            tcn_id id;
            uint64_t offset, total;
            tcn_bytes bytes;
        } body;
        struct {
            tcn_id id;
            tcn_err error;
        } body_gone;
        struct {
            uint64_t req;
            tcn_err error;
            tcn_list items; /* maps */
            tcn_bytes next; /* empty: last page */
            tcn_bytes text;
        } result;
        uint64_t generation;
        struct {
            tcn_err error;
            tcn_bytes text;
        } error;
    };
} tcn_wire;

/* One item of ALERTS: its place in the lane, and the envelope as a view. */
tcn_bytes tcn_wire_get_alert(tcn_cbor_reader *r, uint64_t *ret_seq);
void tcn_wire_put_alert(tcn_cbor_writer *w, uint64_t seq, tcn_bytes envelope);

/* TCN_MALFORMED for anything that is not exactly one known frame. Views point into frame. */
TCN_CHECKED tcn_err tcn_wire_decode(tcn_bytes frame, tcn_wire *ret_wire);
/* Encodes any of them. For list members raw must hold count encoded items. */
TCN_CHECKED tcn_err tcn_wire_encode(const tcn_wire *wire, uint8_t *ret_frame, size_t cap,
                                    size_t *ret_len);

#endif
