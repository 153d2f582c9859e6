/* SPDX-License-Identifier: Apache-2.0 */
/* ask.h - questions asked at once, past the simulated network: a node's person at the agent's local
 * socket, an operator at the broker. */
#ifndef TOCSIN_SIM_ASK_H
#define TOCSIN_SIM_ASK_H

#include "sim.h"

/* inbox-item of docs/protocol.md §8. */
typedef struct {
    tcn_id id;
    uint64_t seq, state, kind, marks, answer; /* answer: TCN_ANSWER_HELP + 1: none */
    bool confirmed;
    char broker[TCN_MAX_NAME_CHARS + 1];
} sim_item;

/* malloc'd; NULL and 0 if the agent is down. */
sim_item *sim_ask_inbox(sim_agent *agent, bool all, unsigned *ret_count);
/* Acknowledges, and remembers what was confirmed. */
void sim_ask_ack(sim_agent *agent, sim_alert *a, tcn_answer answer);
/* Is the decoded body of a held alert exactly what was published? */
bool sim_ask_body_is_right(sim_agent *agent, const sim_alert *a);

/* What the broker lists of all alerts, into the model's alerts. False: it is down. */
bool sim_ask_alerts(sim *s);
/* board-item of docs/protocol.md §6. */
typedef struct {
    unsigned member;
    uint64_t state;
    unsigned note; /* 0: none */
    bool acked, rejected;
    uint64_t error;
} sim_board_row;
/* Rows of the board; false: it has none. */
bool sim_ask_board(sim *s, const sim_alert *a, sim_board_row *ret_rows, unsigned *ret_count);

#endif
