/* SPDX-License-Identifier: Apache-2.0 */
/* link.h - a lean CURVE client (ZMTP 3.0, RFC 23; CurveZMQ, RFC 26) over a socket that does not
 * block: no thread and no queue of its own, so that thousands of them measure the broker and not
 * themselves. Only for load: it trusts its server to be on this machine. */
#ifndef BENCH_LINK_H
#define BENCH_LINK_H

#include "libtocsin/keys.h"

typedef struct bench_link bench_link;

/* What happens on links; arg is the hub's. */
typedef struct {
    void (*up)(void *arg, bench_link *link);
    void (*frame)(void *arg, bench_link *link, tcn_bytes frame); /* lives for the call */
    void (*batch)(void *arg, bench_link *link); /* all that was there to read has been given */
    void (*down)(void *arg, bench_link *link);
} bench_link_ops;

typedef struct {
    int epoll;
    tcn_box_public server; /* its key */
    const bench_link_ops *ops;
    void *arg;
} bench_hub;

typedef enum {
    BENCH_LINK_IDLE,
    BENCH_LINK_GREETING,
    BENCH_LINK_WELCOME,
    BENCH_LINK_READY,
    BENCH_LINK_UP
} bench_link_state;

/* tag and owner are the user's. Zero-initialised is IDLE. */
struct bench_link {
    bench_hub *hub;
    const tcn_box_secret *secret;
    void *owner;
    unsigned tag;
    bench_link_state state;
    int fd;
    bool waits_to_write, stalled;
    uint64_t nonce, peer_nonce;
    uint8_t key[32];                          /* shared; during the handshake of the server's */
    uint8_t ephemeral[32], ephemeral_pub[32]; /* during the handshake */
    uint8_t *in, *out;                        /* what is not whole, not written */
    size_t in_len, in_cap, out_len, out_at, out_cap;
};

void bench_hub_init(bench_hub *hub, const bench_link_ops *ops, void *arg);
/* Begins to connect; up follows, or down. */
void bench_link_start(bench_link *link, bench_hub *hub, unsigned port,
                      const tcn_box_secret *secret);
/* Puts a message into the link's output; flushed by the pump or bench_link_flush. */
void bench_link_send(bench_link *link, tcn_bytes frame);
void bench_link_flush(bench_link *link);
void bench_link_stop(bench_link *link); /* no event follows */
/* Does not read any more, or again. */
void bench_link_stall(bench_link *link, bool stalled);
/* Waits for events at most so long, and handles them, at most so many. */
void bench_hub_pump(bench_hub *hub, int timeout_ms, int most);
/* Events of the one wake who waits for the other; they are not handled by that. */
void bench_hub_wakes(bench_hub *hub, bench_hub *other);

#endif
