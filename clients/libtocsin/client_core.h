/* SPDX-License-Identifier: Apache-2.0 */
/* client_core.h - a client from the inside: its links, and one question and its answer over them.
 * Not for anyone but clients/libtocsin/client*.c. */
#ifndef TCN_CLIENT_CORE_H
#define TCN_CLIENT_CORE_H

#include <tocsin/client.h>

#include "client_error.h"
#include "client_link.h"
#include "client_trust.h"

struct tocsin_client {
    tcn_member_home home;
    bool has_home;
    void *context;
    char software[128], proxy[TCN_ADDRESS_SIZE];
    uint32_t connect_timeout_ms, request_timeout_ms;
    tcn_id instance;
    tcn_link link[TCN_LANES];
    bool is_open[TCN_LANES];     /* WELCOME came on the link as it is now */
    tcn_mono no_emergency_until; /* that endpoint could not be reached */
    tcn_trust_feed feed;
    char broker[TCN_MAX_NAME_CHARS + 1]; /* of the last WELCOME */
    int64_t clock_offset_ms;
    uint64_t max_body_bytes; /* encoded; 0: no WELCOME yet */
    uint64_t req;
    bool brings_trust; /* HELLO claims none: a broker behind us must let in who brings it newer */
    char notice[320];
    uint8_t *out; /* FRAME_BYTES */
};

/* A link in session for this lane: opened if needed; session instead of emergency if that endpoint
 * cannot be reached. */
TCN_CHECKED int32_t tcn_client_ready(tocsin_client *client, tcn_lane lane, tcn_link **ret_link,
                                     tocsin_error *error);
/* Ends the sessions; the next request opens them anew. */
void tcn_client_hang_up(tocsin_client *client);
/* Sends within until. TCN_TIMEOUT, or why the link failed (link->why, link->stage). */
TCN_CHECKED tcn_err tcn_client_send(tocsin_client *client, tcn_link *link, const tcn_wire *wire,
                                    tcn_mono until);
/* The next frame that is not trust, card or a heartbeat; a view until the next call. Errors as
 * tcn_client_send; an ERROR frame is a failed link. */
TCN_CHECKED tcn_err tcn_client_receive(tocsin_client *client, tcn_link *link, tcn_mono until,
                                       tcn_wire *ret_wire);
tcn_mono tcn_client_until(uint32_t timeout_ms);

/* Sends a request with a new req and gives its ANSWER or RESULT, also one that says no; again on a
 * new connection when the old one breaks. The view lives until the next call on the client. */
TCN_CHECKED int32_t tcn_client_ask(tocsin_client *client, tcn_lane lane, tcn_wire *request,
                                   tcn_wire *ret_reply, tocsin_error *error);
/* Sets error from a refusal in ANSWER or RESULT and returns its code. */
int32_t tcn_client_refused(const tocsin_client *client, const tcn_wire *reply, tocsin_error *error);
/* Sets error from a link that failed or timed out. sent: a request may have arrived. */
int32_t tcn_client_lost(const tcn_link *link, tcn_err err, bool sent, tocsin_error *error);

/* Verifier's time. */
tcn_wall tcn_client_time(const tocsin_client *client, bool *ret_suspect);

#endif
