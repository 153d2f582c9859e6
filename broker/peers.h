/* SPDX-License-Identifier: Apache-2.0 */
/* peers.h - who is who: ROUTER's routing id of a connection to the number that the core knows, and
 * back. Numbers are never reused; routing ids neither (libzmq counts them up).
 * Owns: its memory only. No sockets, no clock. */
#ifndef TCN_PEERS_H
#define TCN_PEERS_H

#include "conn.h"
#include "libtocsin/ports.h"
#include "libtocsin/wire.h"

#define TCN_ROUTING_ID_BYTES 5 /* a zero byte and four that libzmq counts up */

typedef struct {
    tcn_peer peer; /* 0: a free place */
    uint32_t routing;
    tcn_lane endpoint;
    tcn_conn conn;
    uint64_t since_ms;    /* its first frame, by the owner's clock */
    uint64_t sent_bytes;  /* to it, about: see net.c */
    uint64_t acked_bytes; /* of those, when last asked, at sent_bytes of asked_at */
    uint64_t asked_at;
    bool closed;       /* cut by us: what it still says is dropped, and nothing is sent */
    bool dying;        /* the transport says that it is gone; frames may still wait */
    uint64_t dying_at; /* the owner's count when that was */
    uint32_t next;     /* in its bucket, or the free list */
} tcn_peer_entry;

typedef struct tcn_peers tcn_peers;

TCN_CHECKED tcn_err tcn_peers_new(tcn_peers **ret_peers);
void tcn_peers_destroy(tcn_peers **peers);

/* Entries are lent until the next add. NULL: unknown. */
tcn_peer_entry *tcn_peers_by_number(tcn_peers *peers, tcn_peer peer);
tcn_peer_entry *tcn_peers_by_routing(tcn_peers *peers, tcn_lane endpoint, uint32_t routing);
tcn_peer_entry *tcn_peers_by_fd(tcn_peers *peers, int fd);
/* A new peer. The routing id must not be known. If another entry still has conn's descriptor, that
 * one loses it (its connection must be gone) and is given in *ret_displaced, else 0.
 * TCN_FULL: there are too many. */
TCN_CHECKED tcn_err tcn_peers_add(tcn_peers *peers, tcn_lane endpoint, uint32_t routing,
                                  const tcn_conn *conn, tcn_peer *ret_peer,
                                  tcn_peer *ret_displaced);
void tcn_peers_remove(tcn_peers *peers, tcn_peer peer);
size_t tcn_peers_count(const tcn_peers *peers);
/* Walks all: index from 0 to tcn_peers_places; NULL for a free place. */
size_t tcn_peers_places(const tcn_peers *peers);
tcn_peer_entry *tcn_peers_at(tcn_peers *peers, size_t index);

#endif
