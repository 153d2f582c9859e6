/* SPDX-License-Identifier: Apache-2.0 */
/* ports.h - the interfaces through which the broker's and the agent's cores reach the world.
 * The shell implements them with libzmq, LMDB and the OS (os/), the simulator in memory with
 * faults. All calls come from the core's one thread; none blocks for the network.
 * A core file includes neither zmq.h, lmdb.h, time.h nor unistd.h. */
#ifndef TCN_PORTS_H
#define TCN_PORTS_H

#include "bytes.h"
#include "when.h"

/* ---- clock: read once per turn by the core ---- */
typedef struct {
    tcn_wall (*wall)(void *self);
    tcn_mono (*mono)(void *self);
    void *self;
} tcn_clock;

/* ---- random: ids, tags, epochs, jitter ---- */
typedef struct {
    void (*fill)(void *self, void *ret_bytes, size_t len);
    void *self;
} tcn_random;

/* ---- store: one ordered key-value space with one writer ----
 * Keys are 1..511 bytes (else TCN_INVALID), ordered by memcmp; values up to FRAME_BYTES (else
 * TCN_TOO_LARGE). All within begin..commit or begin..abort; begin never nests. Errors:
 *   TCN_NOT_FOUND  from get and seek only
 *   TCN_FULL       map or disk full: the transaction is poisoned, only abort is allowed
 *   TCN_IO         the disk failed: poisoned; after a failed commit the owner stops and exits
 * Views returned by get and seek live until the next put, del, commit or abort. */
typedef struct tcn_store_ops tcn_store_ops;
typedef struct {
    const tcn_store_ops *ops;
    void *self;
} tcn_store;

typedef enum { TCN_TXN_READ, TCN_TXN_WRITE } tcn_txn_kind;

struct tcn_store_ops {
    tcn_err (*begin)(void *self, tcn_txn_kind kind);
    tcn_err (*get)(void *self, tcn_bytes key, tcn_bytes *ret_value);
    tcn_err (*put)(void *self, tcn_bytes key, tcn_bytes value);
    tcn_err (*del)(void *self, tcn_bytes key); /* TCN_OK also if it was not there */
    /* First entry with key >= from (forward), or last with key <= from (backward), and whose key
     * starts with prefix. TCN_NOT_FOUND when there is none. To go on forward, call again with
     * the key that was returned and a zero byte behind it. */
    tcn_err (*seek)(void *self, tcn_bytes prefix, tcn_bytes from, bool backward, tcn_bytes *ret_key,
                    tcn_bytes *ret_value);
    tcn_err (*commit)(void *self); /* durable when TCN_OK (a write transaction) */
    void (*abort)(void *self);     /* also after TCN_FULL and TCN_IO; fine without begin */
    /* Bytes that can still be put, roughly, before TCN_FULL; and the size of the whole. */
    void (*space)(void *self, uint64_t *ret_free_bytes, uint64_t *ret_total_bytes);
};

/* ---- blob: body files, named by alert id ----
 * A blob is "partial" while it grows and "whole" once finish has checked its hash, fsynced and
 * renamed it. append and finish run on another thread; each answers later with one completion
 * carrying the same id (in order per id). When one fails, those queued behind it for the same id
 * fail alike; after an append the blob keeps the size it had, after a finish it is removed. A crash
 * keeps of a partial blob only what was synced: size tells. */
typedef enum { TCN_BLOB_NONE, TCN_BLOB_PARTIAL, TCN_BLOB_WHOLE } tcn_blob_state;

typedef enum { TCN_BLOB_APPENDED, TCN_BLOB_FINISHED } tcn_blob_step;

typedef struct {
    tcn_id id;
    tcn_blob_step step;
    /* TCN_OK, TCN_FULL, TCN_IO, TCN_NO_MEMORY, TCN_HASH_MISMATCH, TCN_NOT_FOUND (it was removed
     * meanwhile) */
    tcn_err err;
    uint64_t bytes; /* size of the blob now */
} tcn_blob_done;

typedef struct {
    /* *ret_bytes: the size so far with what is queued, where the next append goes on; 0 if NONE. */
    tcn_blob_state (*state)(void *self, const tcn_id *id, uint64_t *ret_bytes);
    /* Bytes are copied. offset must equal the size so far (else TCN_CONFLICT, nothing queued).
     * TCN_BUSY: the queue is full; the sender repeats later. */
    tcn_err (*append)(void *self, const tcn_id *id, uint64_t offset, tcn_bytes bytes);
    /* expected: SHA-256 of the whole; size likewise, else TCN_CONFLICT and nothing is queued. A
     * whole blob is checked again. TCN_BUSY as above. */
    tcn_err (*finish)(void *self, const tcn_id *id, uint64_t size, const tcn_hash *expected);
    /* Up to cap bytes from offset of a whole blob; none at its end. TCN_NOT_FOUND, TCN_IO. */
    tcn_err (*read)(void *self, const tcn_id *id, uint64_t offset, uint8_t *ret_bytes, size_t cap,
                    size_t *ret_len);
    void (*remove)(void *self, const tcn_id *id); /* partial or whole; fine if not there */
    void (*space)(void *self, uint64_t *ret_free_bytes);
    void *self;
} tcn_blob;

/* ---- net: frames to peers ----
 * A peer is a number that the shell gives a connection. At the broker, and for local clients of the
 * agent, it is never used again; at the agent each link to a broker has its own for good. */
typedef uint64_t tcn_peer;

typedef enum { TCN_SENT, TCN_SEND_FULL, TCN_SEND_GONE } tcn_send_result;

/* A frame shared by many sends: made once, sent refcounted. What is in it is the net port's. */
typedef struct tcn_frame tcn_frame;

typedef struct {
    /* Sends a copy of frame. FULL: not sent, try later; GONE: the peer is not there any more. */
    tcn_send_result (*send)(void *self, tcn_peer peer, tcn_bytes frame);
    /* A frame that can be sent to many without copying; NULL when out of memory. The core drops
     * its reference with frame_release; the transport keeps its own until the bytes are out. */
    tcn_frame *(*frame_new)(void *self, tcn_bytes bytes);
    tcn_send_result (*send_frame)(void *self, tcn_peer peer, tcn_frame *frame);
    void (*frame_release)(void *self, tcn_frame *frame);
    /* Cuts the connection so that not one more byte of it is read (DESIGN §4.5). */
    void (*close)(void *self, tcn_peer peer);
    void *self;
} tcn_net;

/* ---- log: one line per event, with ids; the shell decides where it goes ---- */
typedef enum {
    TCN_LOG_ERROR,
    TCN_LOG_WARNING,
    TCN_LOG_NOTICE,
    TCN_LOG_INFO,
    TCN_LOG_DEBUG
} tcn_level;

typedef struct {
    /* event is a fixed word ("submit-refused"), text is one neutralised line. */
    void (*line)(void *self, tcn_level level, const char *event, const char *text);
    void *self;
} tcn_log;

typedef struct {
    tcn_clock clock;
    tcn_random random;
    tcn_store store;
    tcn_blob blob;
    tcn_net net;
    tcn_log log;
} tcn_ports;

#endif
