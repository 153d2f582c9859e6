/* SPDX-License-Identifier: Apache-2.0 */
#include "mem_net.h"

#include <stdlib.h>

#include "mem.h"

/* Shared by the core that made it and by each send of it that lies here. */
typedef struct {
    size_t refs, held; /* held: of refs, those of the core */
    uint8_t *bytes;
    size_t len;
} frame;

typedef struct sent {
    struct sent *before, *after; /* of all */
    struct sent *later;          /* to the same peer */
    tcn_peer peer;
    frame *frame;
} sent;

typedef struct {
    tcn_peer peer;
    mem_peer_mode mode;
    bool is_closed;
    sent *oldest, *newest;
    size_t pending;
} peer_row;

struct mem_net {
    peer_row *rows; /* in order of peer */
    size_t row_count, row_cap;
    sent *oldest, *newest;
    size_t pending, high_water, held;
    uint64_t sent_count, frame_fails_in;
    tcn_peer *closed;
    size_t closed_count;
    frame *taken; /* what the last take showed */
};

static size_t place_of(const mem_net *n, tcn_peer peer)
{
    size_t low = 0, high = n->row_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (n->rows[middle].peer < peer) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

static const peer_row *find(const mem_net *n, tcn_peer peer)
{
    size_t at = place_of(n, peer);
    return at < n->row_count && n->rows[at].peer == peer ? &n->rows[at] : NULL;
}

static peer_row *row_of(mem_net *n, tcn_peer peer)
{
    size_t at = place_of(n, peer);
    if (at < n->row_count && n->rows[at].peer == peer) {
        return &n->rows[at];
    }
    if (n->row_count == n->row_cap) {
        n->row_cap = n->row_cap ? 2 * n->row_cap : 16;
        n->rows = mem_grown(n->rows, n->row_cap * sizeof *n->rows);
    }
    for (size_t i = n->row_count++; i > at; i--) {
        n->rows[i] = n->rows[i - 1];
    }
    n->rows[at] = (peer_row){.peer = peer};
    return &n->rows[at];
}

static frame *frame_of(tcn_bytes bytes)
{
    frame *f = mem_zeroed(sizeof *f);
    f->bytes = mem_copy(bytes);
    f->len = bytes.len;
    f->refs = 1;
    return f;
}

static void unref(frame *f)
{
    if (f && --f->refs == 0) {
        free(f->bytes);
        free(f);
    }
}

/* Takes the oldest of a row out of both lists. */
static frame *unlink_oldest(mem_net *n, peer_row *row)
{
    sent *s = row->oldest;
    frame *f = s->frame;
    row->oldest = s->later;
    if (!row->oldest) {
        row->newest = NULL;
    }
    row->pending--;
    if (s->before) {
        s->before->after = s->after;
    } else {
        n->oldest = s->after;
    }
    if (s->after) {
        s->after->before = s->before;
    } else {
        n->newest = s->before;
    }
    n->pending--;
    free(s);
    return f;
}

static void drop_row(mem_net *n, peer_row *row)
{
    while (row->oldest) {
        unref(unlink_oldest(n, row));
    }
}

static tcn_send_result may_send(const mem_net *n, const peer_row *row)
{
    if (row->is_closed || row->mode == MEM_PEER_GONE) {
        return TCN_SEND_GONE;
    }
    if (row->mode == MEM_PEER_FULL || (n->high_water > 0 && row->pending >= n->high_water)) {
        return TCN_SEND_FULL;
    }
    return TCN_SENT;
}

/* Takes the reference to f. */
static void link_newest(mem_net *n, peer_row *row, frame *f)
{
    sent *s = mem_zeroed(sizeof *s);
    s->peer = row->peer;
    s->frame = f;
    s->before = n->newest;
    if (n->newest) {
        n->newest->after = s;
    } else {
        n->oldest = s;
    }
    n->newest = s;
    if (row->newest) {
        row->newest->later = s;
    } else {
        row->oldest = s;
    }
    row->newest = s;
    row->pending++;
    n->pending++;
    n->sent_count++;
}

static tcn_send_result net_send(void *self, tcn_peer peer, tcn_bytes bytes)
{
    mem_net *n = self;
    peer_row *row = row_of(n, peer);
    tcn_send_result result = may_send(n, row);
    if (result == TCN_SENT) {
        link_newest(n, row, frame_of(bytes));
    }
    return result;
}

static tcn_frame *net_frame_new(void *self, tcn_bytes bytes)
{
    mem_net *n = self;
    if (n->frame_fails_in > 0 && --n->frame_fails_in == 0) {
        return NULL;
    }
    frame *f = frame_of(bytes);
    f->held = 1;
    n->held++;
    return (tcn_frame *)f;
}

static tcn_send_result net_send_frame(void *self, tcn_peer peer, tcn_frame *shared)
{
    mem_net *n = self;
    frame *f = (frame *)shared;
    TCN_REQUIRE(f->held == 1); /* the core must still have it */
    peer_row *row = row_of(n, peer);
    tcn_send_result result = may_send(n, row);
    if (result == TCN_SENT) {
        f->refs++;
        link_newest(n, row, f);
    }
    return result;
}

static void net_frame_release(void *self, tcn_frame *shared)
{
    mem_net *n = self;
    frame *f = (frame *)shared;
    if (f) {
        TCN_REQUIRE(f->held == 1 && n->held > 0);
        f->held = 0;
        n->held--;
        unref(f);
    }
}

static void net_close(void *self, tcn_peer peer)
{
    mem_net *n = self;
    peer_row *row = row_of(n, peer);
    if (!row->is_closed) {
        row->is_closed = true;
        drop_row(n, row);
        n->closed = mem_grown(n->closed, (n->closed_count + 1) * sizeof *n->closed);
        n->closed[n->closed_count++] = peer;
    }
}

mem_net *mem_net_new(void)
{
    return mem_zeroed(sizeof(mem_net));
}

void mem_net_destroy(mem_net **net)
{
    mem_net *n = *net;
    *net = NULL;
    if (n) {
        mem_net_reset(n);
        free(n);
    }
}

void mem_net_reset(mem_net *net)
{
    mem_net_drop(net);
    unref(net->taken);
    free(net->closed);
    free(net->rows);
    *net = (mem_net){.high_water = net->high_water};
}

tcn_net mem_net_port(mem_net *net)
{
    return (tcn_net){net_send, net_frame_new, net_send_frame, net_frame_release, net_close, net};
}

void mem_net_set_peer(mem_net *net, tcn_peer peer, mem_peer_mode mode)
{
    peer_row *row = row_of(net, peer);
    row->mode = mode;
    if (mode == MEM_PEER_GONE) {
        drop_row(net, row);
    }
}

void mem_net_set_high_water(mem_net *net, size_t frames)
{
    net->high_water = frames;
}

static void show(mem_net *n, peer_row *row, tcn_bytes *ret_frame)
{
    frame *f = unlink_oldest(n, row);
    unref(n->taken);
    n->taken = f;
    *ret_frame = tcn_bytes_of(f->bytes, f->len);
}

bool mem_net_take(mem_net *net, tcn_peer *ret_peer, tcn_bytes *ret_frame)
{
    if (!net->oldest) {
        return false;
    }
    /* The oldest of all is the oldest of its peer. */
    *ret_peer = net->oldest->peer;
    show(net, row_of(net, *ret_peer), ret_frame);
    return true;
}

bool mem_net_take_for(mem_net *net, tcn_peer peer, tcn_bytes *ret_frame)
{
    peer_row *row = row_of(net, peer);
    if (!row->oldest) {
        return false;
    }
    show(net, row, ret_frame);
    return true;
}

size_t mem_net_pending(const mem_net *net)
{
    return net->pending;
}

size_t mem_net_pending_for(const mem_net *net, tcn_peer peer)
{
    const peer_row *row = find(net, peer);
    return row ? row->pending : 0;
}

uint64_t mem_net_sent(const mem_net *net)
{
    return net->sent_count;
}

void mem_net_drop(mem_net *net)
{
    for (size_t i = 0; i < net->row_count; i++) {
        drop_row(net, &net->rows[i]);
    }
}

bool mem_net_is_closed(const mem_net *net, tcn_peer peer)
{
    const peer_row *row = find(net, peer);
    return row && row->is_closed;
}

bool mem_net_closed(const mem_net *net, size_t nth, tcn_peer *ret_peer)
{
    if (nth >= net->closed_count) {
        return false;
    }
    *ret_peer = net->closed[nth];
    return true;
}

size_t mem_net_held_frames(const mem_net *net)
{
    return net->held;
}

void mem_net_fail_frame(mem_net *net, uint64_t nth)
{
    net->frame_fails_in = nth;
}
