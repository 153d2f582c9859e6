/* SPDX-License-Identifier: Apache-2.0 */
/* states.h - what becomes of an alert, as numbers of the protocol and as the words of JSON and of
 * people: at the broker, for a node on the board, in a node's inbox. */
#ifndef TCN_STATES_H
#define TCN_STATES_H

#include <stdint.h>

/* At the broker: alert-item 11 (docs/protocol.md §6), and its records. X(NAME, number, word) */
#define TCN_STATE_TABLE(X)                                                                         \
    X(HELD, 0, "held")                                                                             \
    X(IN_FORCE, 1, "in-force")                                                                     \
    X(CANCELLED, 2, "cancelled")                                                                   \
    X(SUPERSEDED, 3, "superseded")                                                                 \
    X(EXPIRED, 4, "expired") /* never stored: by the clock */                                      \
    X(VOIDED, 5, "voided")                                                                         \
    X(LAPSED, 6, "lapsed") /* was held, and never went out */

typedef enum {
#define X(name, number, word) TCN_STATE_##name = number,
    TCN_STATE_TABLE(X)
#undef X
} tcn_state;

/* For a node: board-item 2 (docs/protocol.md §6). X(NAME, number, word) */
#define TCN_NODE_STATE_TABLE(X)                                                                    \
    X(PENDING, 0, "pending")                                                                       \
    X(RECEIVED, 1, "received")                                                                     \
    X(ACKED, 2, "acked")                                                                           \
    X(REJECTED, 3, "rejected")                                                                     \
    X(REVOKED, 4, "revoked")

typedef enum {
#define X(name, number, word) TCN_NODE_STATE_##name = number,
    TCN_NODE_STATE_TABLE(X)
#undef X
} tcn_node_state;

/* In an inbox: inbox-item 12 (docs/protocol.md §8). X(NAME, number, word) */
#define TCN_INBOX_STATE_TABLE(X)                                                                   \
    X(IN_FORCE, 0, "in-force")                                                                     \
    X(CANCELLED, 1, "cancelled")                                                                   \
    X(SUPERSEDED, 2, "superseded")                                                                 \
    X(EXPIRED, 3, "expired")                                                                       \
    X(VOIDED, 4, "voided")

typedef enum {
#define X(name, number, word) TCN_INBOX_##name = number,
    TCN_INBOX_STATE_TABLE(X)
#undef X
} tcn_inbox_state;

/* "unknown" for a number that a newer program may know. */
const char *tcn_state_text(uint64_t state);
const char *tcn_node_state_text(uint64_t state);
const char *tcn_inbox_state_text(uint64_t state);

#endif
