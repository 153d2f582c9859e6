/* SPDX-License-Identifier: Apache-2.0 */
/* inbox.h - local clients and what they list: the inbox in pages, and what comes after for those
 * that follow. Memory only. */
#ifndef TCN_AGENT_INBOX_H
#define TCN_AGENT_INBOX_H

#include "cache.h"
#include "libtocsin/local.h"
#include "libtocsin/states.h"
#include "state.h"

struct tcn_agent_client {
    tcn_peer peer;
    uint8_t *waiting; /* a reply that the transport had no room for */
    size_t waiting_len;
    bool scans; /* an inbox request is being answered */
    bool follows, all, unacked;
    bool is_live; /* follows, and has seen what was there */
    bool is_answered;
    bool has_topic;
    char topic[TCN_MAX_TOPIC_CHARS + 1];
    tcn_wall since;
    uint64_t req, seen; /* serial */
};

typedef struct {
    bool follows, all, unacked;
    tcn_bytes topic; /* a pattern that was checked; empty: any */
    tcn_wall since;
} tcn_agent_inbox_ask;

tcn_inbox_state tcn_agent_item_state(const tcn_agent *a, const tcn_agent_item *item,
                                     unsigned *ret_marks);
/* One inbox-item of docs/protocol.md §8. */
void tcn_agent_item_put(const tcn_agent *a, const tcn_agent_item *item, bool with_envelope,
                        tcn_cbor_writer *w);

/* ---- after the commit ---- */

/* Makes or replaces the list this client is given. */
void tcn_agent_inbox_list(tcn_agent *a, tcn_peer peer, uint64_t req,
                          const tcn_agent_inbox_ask *ask);
/* Sends one message to a client; kept until the transport has room. */
void tcn_agent_reply(tcn_agent *a, tcn_peer peer, const tcn_local_reply *reply);
void tcn_agent_reply_error(tcn_agent *a, tcn_peer peer, uint64_t req, const tcn_fault *fault);
void tcn_agent_send_message(tcn_agent *a, tcn_peer peer, tcn_bytes message);
void tcn_agent_client_gone(tcn_agent *a, tcn_peer peer);
/* Gives every client its next page. */
void tcn_agent_inbox_pump(tcn_agent *a);
void tcn_agent_inbox_fini(tcn_agent *a);

#endif
