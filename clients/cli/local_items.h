/* SPDX-License-Identifier: Apache-2.0 */
/* local_items.h - what the agent answers on its local socket (docs/protocol.md §8), read. */
#ifndef TCN_CLI_LOCAL_ITEMS_H
#define TCN_CLI_LOCAL_ITEMS_H

#include "libtocsin/ack.h"
#include "libtocsin/local.h"
#include "libtocsin/states.h"
#include "out.h"

#define TCN_LOCAL_TIMEOUT_MS 10000

/* Views into the reply. */
typedef struct {
    tcn_id id;
    tcn_bytes handle, topic, title, publisher, content_type, ask, broker;
    uint64_t seq, body_size;
    tcn_lane lane;
    tcn_tlp tlp;
    tcn_status status;
    tcn_kind kind;
    tcn_urgency urgency;
    tcn_inbox_state state;
    tcn_wall created, received, expires, ack_by; /* ack_by 0: none */
    bool answered, confirmed;
    tcn_answer answer;
    unsigned marks;     /* TCN_MARK_* */
    tcn_bytes envelope; /* empty: not asked for */
} tcn_inbox_item;

/* The next item of a reply; on failure the reader says why. */
void tcn_inbox_item_get(tcn_cbor_reader *r, tcn_inbox_item *ret_item);
/* The contract's keys, and more. */
json_t *tcn_inbox_item_json(const tcn_inbox_item *item);

typedef struct {
    const char *word, *meaning; /* for JSON, for people */
} tcn_mark_text;

/* Each mark that is set: start with *at = 0; NULL at the end. */
const tcn_mark_text *tcn_marks_next(unsigned marks, unsigned *at);
json_t *tcn_marks_json(unsigned marks);

/* Connects to the agent of this run's home. Tells what is wrong and gives the exit code. */
TCN_CHECKED int tcn_agent_connect(const tcn_cli *cli, tcn_local **ret_local);
/* Sends one request and takes its first reply. args: an encoded map; empty: {}. */
TCN_CHECKED tcn_err tcn_agent_ask(tcn_local *local, tcn_local_op op, tcn_bytes args,
                                  tcn_local_reply *ret_reply, tcn_fault *fault);

#endif
