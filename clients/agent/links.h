/* SPDX-License-Identifier: Apache-2.0 */
/* links.h - the agent's connections to its brokers: one DEALER per broker and endpoint of the trust
 * bundle. A socket is one connection; when it ends, the next address is tried, and after all of
 * them a growing, jittered pause. So a frame never outlives the connection it was written for.
 * Threads: one, that of the loop. It never waits: names are resolved elsewhere (resolver.h). */
#ifndef TCN_LINKS_H
#define TCN_LINKS_H

#include "core/agent.h"

typedef struct {
    const tcn_box_secret *secret;
    const char *socks_proxy; /* "host:port", or NULL */
    const tcn_clock *clock;
    const tcn_random *random;
} tcn_links_config;

typedef struct tcn_links tcn_links;

/* config's pointers must outlive it. */
TCN_CHECKED tcn_err tcn_links_new(void *context, const tcn_links_config *config,
                                  tcn_links **ret_links, tcn_fault *fault);
void tcn_links_destroy(tcn_links **links);

/* Connects to the brokers of the bundle (copied). Links whose broker, key and addresses are as
 * before stay; others are cut and made anew. */
void tcn_links_follow(tcn_links *links, const tcn_bundle *bundle);
/* Cuts a link and connects again; LINK_DOWN with why comes with the next read. */
void tcn_links_redo(tcn_links *links, tcn_peer peer, const char *why);

/* Sends a copy; as tcn_net.send. */
tcn_send_result tcn_links_send(tcn_links *links, tcn_peer peer, tcn_bytes frame);
/* Links that are up now, and links that are wanted. */
void tcn_links_count(const tcn_links *links, unsigned *ret_up, unsigned *ret_wanted);

#define TCN_LINKS_SOCKETS (2 * TCN_LANES * TCN_MAX_BROKERS)
/* For zmq_poll: sockets to wait for, and a descriptor. Both change with each read. */
size_t tcn_links_sockets(const tcn_links *links, void *ret_socket[static TCN_LINKS_SOCKETS]);
int tcn_links_fd(const tcn_links *links);
/* When read is due even if nothing is readable. */
tcn_mono tcn_links_deadline(const tcn_links *links);

/* What happened: LINK_UP, FRAME (up to TURN_FRAMES of each endpoint, emergency first) and
 * LINK_DOWN, in the order it happened to each link. All that they view lives until the next call.
 * *ret_more: there is more, do not wait. */
size_t tcn_links_read(tcn_links *links, const tcn_agent_input **ret_inputs, bool *ret_more);

#endif
