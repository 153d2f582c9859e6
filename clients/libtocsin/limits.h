/* SPDX-License-Identifier: Apache-2.0 */
/* limits.h - every limit a peer can push against: name, value, unit, reason. One table; it makes
 * the constants, `tocsin version --limits` and the table in docs/operations.md. Each has a test. */
#ifndef TCN_LIMITS_H
#define TCN_LIMITS_H

#include <stdint.h>

/* X(NAME, value, unit, reason) */
#define TCN_LIMITS_TABLE(X)                                                                        \
    X(FRAME_BYTES, 65536, "bytes",                                                                 \
      "one ZeroMQ frame; an unauthenticated peer can make us hold one")                            \
    X(BATCH_BYTES, 49152, "bytes", "envelopes in one ALERTS frame")                                \
    X(ENVELOPE_BYTES, 48000, "bytes", "one signed alert with its inline body; fits a batch")       \
    X(META_BYTES, 12288, "bytes", "an alert's metadata")                                           \
    X(INLINE_BODY_BYTES, 32768, "bytes", "a body inside its envelope, after compression")          \
    X(BODY_BYTES, 33554432, "bytes", "a body by default; policy may raise it to BODY_BYTES_MAX")   \
    X(BODY_BYTES_MAX, 157286400, "bytes", "the most that policy can allow")                        \
    X(BODY_RATIO, 512, "times", "decoded size to encoded size: a decompression bomb")              \
    X(ZSTD_WINDOW_LOG, 20, "log2 bytes", "memory that decoding may take")                          \
    X(CHUNK_BYTES, 49152, "bytes", "one piece of a body, bundle or card list")                     \
    X(FETCH_WINDOW, 16, "chunks", "body chunks under way to one node")                             \
    X(UPLOAD_WINDOW, 16, "chunks", "body chunks under way from one publisher")                     \
    X(OPEN_UPLOADS, 4, "per publisher", "unfinished bodies take disk")                             \
    X(HELD_PER_PUBLISHER, 256, "alerts", "alerts waiting for approval, body or embargo")           \
    X(HELD_DAYS, 30, "days", "then a held alert lapses")                                           \
    X(CBOR_DEPTH, 8, "levels", "nesting in any Tocsin object")                                     \
    X(MEMBERS, 100000, "members", "roster entries")                                                \
    X(NAME_CHARS, 63, "bytes", "a member's name: a DNS label")                                     \
    X(PATTERNS, 64, "patterns", "receive, publish and subscription lists")                         \
    X(TOPIC_CHARS, 128, "bytes", "a topic or pattern")                                             \
    X(TOPIC_TOKENS, 16, "tokens", "a topic or pattern")                                            \
    X(COMMUNITIES, 16, "names", "on a card or an alert")                                           \
    X(KEYS_PER_MEMBER, 8, "keys", "rotation needs two of each use")                                \
    X(AUDIENCE, 256, "nodes", "named recipients of one alert")                                     \
    X(REFERENCES, 16, "ids", "alerts that one update or cancel refers to")                         \
    X(LANGUAGES, 8, "texts", "titles and summaries of one alert")                                  \
    X(TITLE_BYTES, 256, "bytes", "one title; longer ones are cut by people's screens")             \
    X(SUMMARY_BYTES, 2048, "bytes", "one summary")                                                 \
    X(ASK_BYTES, 512, "bytes", "the requested action")                                             \
    X(NOTE_BYTES, 512, "bytes", "a person's note on an acknowledgment, a reason, an error text")   \
    X(HANDLE_CHARS, 32, "bytes", "spoken on the phone")                                            \
    X(CONTENT_TYPE_CHARS, 127, "bytes", "RFC 6838 type and subtype")                               \
    X(SIGNATURES, 8, "signatures", "on one object")                                                \
    X(PARKED, 512, "alerts", "at an agent, waiting for newer trust")                               \
    X(OUTBOX, 10000, "acks", "at an agent, waiting for a broker")                                  \
    X(SESSIONS_PER_MEMBER, 16, "sessions", "clients of one key beside its node session")           \
    X(SESSIONS, 20000, "sessions", "of all members at one broker")                                 \
    X(WINDOW_BYTES, 262144, "bytes", "alerts sent to a node in one lane and not yet receipted")    \
    X(PEER_BYTES, 2097152, "bytes", "sent to a peer and not yet read by it: then it is behind")    \
    X(PAGE_ITEMS, 256, "items", "records in one read transaction or one query answer")             \
    X(TURN_FRAMES, 512, "frames", "drained from one endpoint before a commit")                     \
    X(BUNDLE_BYTES, 4194304, "bytes", "a trust bundle")                                            \
    X(ROSTER_BYTES, 67108864, "bytes", "a roster file with all cards")                             \
    X(CARD_BYTES, 16384, "bytes", "one signed member card")                                        \
    X(BROKERS, 8, "brokers", "endpoints in a trust bundle")                                        \
    X(LOCAL_FRAME_BYTES, 1048576, "bytes", "one message on the agent's local socket")              \
    X(LOCAL_CLIENTS, 32, "connections", "on the agent's local socket")                             \
    X(EXPIRES_DAYS, 366, "days", "the longest an alert may stay in force")                         \
    X(HANDSHAKE_MS, 4000, "ms", "a connection that does not finish CURVE is closed")               \
    X(HEARTBEAT_MS, 15000, "ms", "PING on session when nothing else was said")                     \
    X(DEAD_MS, 45000, "ms", "silence after which a peer is given up")                              \
    X(MUTE_MS, 30000, "ms", "from accept to HELLO; the handshake alone may take HANDSHAKE_MS")     \
    X(METRICS_MS, 30000, "ms", "between an agent's health messages")                               \
    X(METRICS_BYTES, 1024, "bytes", "one health message; a larger one is dropped")

enum {
#define X(name, value, unit, reason) TCN_MAX_##name = value,
    TCN_LIMITS_TABLE(X)
#undef X
};

typedef struct {
    const char *name;
    uint64_t value;
    const char *unit, *reason;
} tcn_limit;

/* The table, for programs that print it; *ret_count rows, static. */
const tcn_limit *tcn_limits(unsigned *ret_count);

#endif
