/* SPDX-License-Identifier: Apache-2.0 */
/* ack.h - a node's signed answer to an alert (docs/protocol.md §3, ack-payload). */
#ifndef TCN_ACK_H
#define TCN_ACK_H

#include "card.h"

/* X(NAME, number, word) */
#define TCN_ANSWER_TABLE(X)                                                                        \
    X(SEEN, 0, "seen")                                                                             \
    X(ACTING, 1, "acting")                                                                         \
    X(DONE, 2, "done")                                                                             \
    X(NOT_APPLICABLE, 3, "not-applicable")                                                         \
    X(DECLINED, 4, "declined")                                                                     \
    X(HELP, 5, "help")

typedef enum {
#define X(name, number, word) TCN_ANSWER_##name = number,
    TCN_ANSWER_TABLE(X)
#undef X
} tcn_answer;

const char *tcn_answer_text(tcn_answer answer);
TCN_CHECKED tcn_err tcn_answer_parse(const char *word, tcn_answer *ret_answer);

typedef struct {
    tcn_id alert;
    tcn_hash payload_hash;
    tcn_bytes member;
    uint64_t counter;
    tcn_answer answer;
    tcn_bytes by, note; /* empty: absent */
    tcn_wall at;
    bool by_rule;
} tcn_ack;

/* Signs and writes the envelope (2048 bytes suffice). */
TCN_CHECKED tcn_err tcn_ack_seal(const tcn_ack *ack, const tcn_id *program,
                                 const tcn_sign_secret *secret, uint8_t *ret_envelope, size_t cap,
                                 size_t *ret_len);
/* Decodes and verifies against the member's card: role node, key, name. Views into envelope. */
TCN_CHECKED tcn_err tcn_ack_open(tcn_bytes envelope, const tcn_card *card, tcn_wall now,
                                 tcn_ack *ret_ack, tcn_fault *fault);
/* Decodes without verifying (the agent reading its own outbox). */
TCN_CHECKED tcn_err tcn_ack_peek(tcn_bytes envelope, tcn_ack *ret_ack);

#endif
