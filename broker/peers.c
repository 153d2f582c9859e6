/* SPDX-License-Identifier: Apache-2.0 */
/* peers.c - a growing array of entries with free places, buckets over routing ids, and an array
 * over descriptors. A number is the count of peers so far, shifted, and the entry's place. */
#include "peers.h"

#include <stdlib.h>
#include <string.h>

enum {
    PLACE_BITS = 18,
    PLACES_MAX = 1 << PLACE_BITS,
    BUCKETS = 16384, /* routing ids are counted up: they spread evenly by themselves */
    FDS_MAX = 1 << 22
};

#define NOWHERE UINT32_MAX

struct tcn_peers {
    tcn_peer_entry *entry;
    uint32_t places, free_list;
    size_t count;
    uint64_t serial;
    uint32_t bucket[BUCKETS];
    uint32_t *by_fd; /* place, or NOWHERE */
    size_t fds;
};

tcn_err tcn_peers_new(tcn_peers **ret_peers)
{
    tcn_peers *peers = calloc(1, sizeof(*peers));
    if (peers == NULL)
        return TCN_NO_MEMORY;
    peers->free_list = NOWHERE;
    memset(peers->bucket, 0xff, sizeof(peers->bucket));
    *ret_peers = peers;
    return TCN_OK;
}

void tcn_peers_destroy(tcn_peers **peers)
{
    if (*peers == NULL)
        return;
    free((*peers)->entry);
    free((*peers)->by_fd);
    free(*peers);
    *peers = NULL;
}

static uint32_t *bucket_of(tcn_peers *peers, tcn_lane endpoint, uint32_t routing)
{
    return &peers->bucket[(routing * TCN_LANES + (uint32_t)endpoint) % BUCKETS];
}

tcn_peer_entry *tcn_peers_by_number(tcn_peers *peers, tcn_peer peer)
{
    uint32_t place = (uint32_t)(peer % PLACES_MAX);
    if (peer == 0 || place >= peers->places || peers->entry[place].peer != peer)
        return NULL;
    return &peers->entry[place];
}

tcn_peer_entry *tcn_peers_by_routing(tcn_peers *peers, tcn_lane endpoint, uint32_t routing)
{
    for (uint32_t at = *bucket_of(peers, endpoint, routing); at != NOWHERE;
         at = peers->entry[at].next) {
        tcn_peer_entry *entry = &peers->entry[at];
        if (entry->routing == routing && entry->endpoint == endpoint)
            return entry;
    }
    return NULL;
}

tcn_peer_entry *tcn_peers_by_fd(tcn_peers *peers, int fd)
{
    if (fd < 0 || (size_t)fd >= peers->fds || peers->by_fd[fd] == NOWHERE)
        return NULL;
    return &peers->entry[peers->by_fd[fd]];
}

/* Makes a place free to take. */
static tcn_err grow(tcn_peers *peers)
{
    if (peers->free_list != NOWHERE)
        return TCN_OK;
    if (peers->places >= PLACES_MAX)
        return TCN_FULL;
    uint32_t places = peers->places == 0 ? 64 : peers->places * 2;
    tcn_peer_entry *entry = realloc(peers->entry, places * sizeof(*entry));
    if (entry == NULL)
        return TCN_NO_MEMORY;
    for (uint32_t at = places; at-- > peers->places;) {
        entry[at] = (tcn_peer_entry){.next = peers->free_list};
        peers->free_list = at;
    }
    peers->entry = entry;
    peers->places = places;
    return TCN_OK;
}

static tcn_err grow_fds(tcn_peers *peers, int fd)
{
    if (fd < 0 || (size_t)fd < peers->fds)
        return TCN_OK;
    if (fd >= FDS_MAX)
        return TCN_FULL;
    size_t fds = ((size_t)fd + 256) / 256 * 256 * 2;
    uint32_t *by_fd = realloc(peers->by_fd, fds * sizeof(*by_fd));
    if (by_fd == NULL)
        return TCN_NO_MEMORY;
    for (size_t i = peers->fds; i < fds; i++)
        by_fd[i] = NOWHERE;
    peers->by_fd = by_fd;
    peers->fds = fds;
    return TCN_OK;
}

static void forget_fd(tcn_peers *peers, tcn_peer_entry *entry)
{
    if (tcn_peers_by_fd(peers, entry->conn.fd) == entry)
        peers->by_fd[entry->conn.fd] = NOWHERE;
    entry->conn.fd = -1;
}

tcn_err tcn_peers_add(tcn_peers *peers, tcn_lane endpoint, uint32_t routing, const tcn_conn *conn,
                      tcn_peer *ret_peer, tcn_peer *ret_displaced)
{
    tcn_err err = grow(peers);
    if (err == TCN_OK)
        err = grow_fds(peers, conn->fd);
    if (err != TCN_OK)
        return err;
    *ret_displaced = 0;
    tcn_peer_entry *before = tcn_peers_by_fd(peers, conn->fd);
    if (before != NULL) {
        *ret_displaced = before->peer;
        forget_fd(peers, before);
    }
    uint32_t place = peers->free_list;
    tcn_peer_entry *entry = &peers->entry[place];
    peers->free_list = entry->next;
    uint32_t *bucket = bucket_of(peers, endpoint, routing);
    *entry = (tcn_peer_entry){.peer = ++peers->serial * PLACES_MAX + place,
                              .routing = routing,
                              .endpoint = endpoint,
                              .conn = *conn,
                              .next = *bucket};
    *bucket = place;
    if (conn->fd >= 0)
        peers->by_fd[conn->fd] = place;
    peers->count++;
    *ret_peer = entry->peer;
    return TCN_OK;
}

void tcn_peers_remove(tcn_peers *peers, tcn_peer peer)
{
    tcn_peer_entry *entry = tcn_peers_by_number(peers, peer);
    if (entry == NULL)
        return;
    uint32_t place = (uint32_t)(entry - peers->entry);
    uint32_t *link = bucket_of(peers, entry->endpoint, entry->routing);
    while (*link != place)
        link = &peers->entry[*link].next;
    *link = entry->next;
    forget_fd(peers, entry);
    *entry = (tcn_peer_entry){.next = peers->free_list};
    peers->free_list = place;
    peers->count--;
}

size_t tcn_peers_count(const tcn_peers *peers)
{
    return peers->count;
}

size_t tcn_peers_places(const tcn_peers *peers)
{
    return peers->places;
}

tcn_peer_entry *tcn_peers_at(tcn_peers *peers, size_t index)
{
    return peers->entry[index].peer == 0 ? NULL : &peers->entry[index];
}
