/* SPDX-License-Identifier: Apache-2.0 */
/* session.c - the table of sessions: found by peer, listed in order of their HELLO, ended. What
 * HELLO decides is in hello.c. */
#include "session.h"

#include <stdlib.h>
#include <string.h>

#include "fanout.h"
#include "link.h"

static tcn_session **bucket_of(tcn_broker *b, tcn_peer peer)
{
    uint64_t mixed = (peer + 1) * UINT64_C(0x9e3779b97f4a7c15);
    return &b->bucket[(mixed >> 32) % TCN_SESSION_BUCKETS];
}

tcn_session *tcn_session_find(tcn_broker *b, tcn_peer peer)
{
    for (size_t i = b->turn.openings; i > 0; i--)
        if (b->turn.opening[i - 1]->peer == peer)
            return b->turn.opening[i - 1];
    tcn_session *s = *bucket_of(b, peer);
    while (s != NULL && s->peer != peer)
        s = s->next_in_bucket;
    return s;
}

static tcn_session *settled(tcn_broker *b, tcn_peer peer)
{
    tcn_session *s = *bucket_of(b, peer);
    while (s != NULL && s->peer != peer)
        s = s->next_in_bucket;
    return s;
}

/* Without anybody there is nothing to look over. */
static void sweep_later(tcn_broker *b)
{
    if (b->sweep_at.ms == 0)
        b->sweep_at.ms = b->mono.ms + TCN_SWEEP_MS;
}

void tcn_session_insert(tcn_broker *b, tcn_session *session)
{
    tcn_session **bucket = bucket_of(b, session->peer);
    session->next_in_bucket = *bucket;
    *bucket = session;
    session->prev = b->last_session;
    session->next = NULL;
    if (session->prev != NULL)
        session->prev->next = session;
    else
        b->sessions = session;
    b->last_session = session;
    b->session_count++;
    sweep_later(b);
    b->node_sessions += session->mode == TCN_MODE_NODE;
}

static void take_out(tcn_broker *b, tcn_session *session)
{
    tcn_session **at = bucket_of(b, session->peer);
    while (*at != session)
        at = &(*at)->next_in_bucket;
    *at = session->next_in_bucket;
    if (session->prev != NULL)
        session->prev->next = session->next;
    else
        b->sessions = session->next;
    if (session->next != NULL)
        session->next->prev = session->prev;
    else
        b->last_session = session->prev;
    b->session_count--;
    b->node_sessions -= session->mode == TCN_MODE_NODE;
}

void tcn_session_end(tcn_broker *b, tcn_peer peer)
{
    tcn_session *session = settled(b, peer);
    if (session == NULL)
        return;
    tcn_node *node = session->node;
    for (int i = 0; node != NULL && i < TCN_LANES; i++)
        if (node->link[i] != NULL && node->link[i]->session == session)
            tcn_link_close(b, node->link[i]);
    take_out(b, session);
    if (node != NULL && node->regenerate)
        tcn_node_regenerate(b, node); /* its other lane need not wait for this one */
    if (b->roster_put.peer == peer && !b->roster_put.whole)
        tcn_buf_clear(&b->roster_put.bytes);
    free(session);
}

void tcn_session_close(tcn_broker *b, tcn_session *session, const char *why)
{
    tcn_peer peer = session->peer;
    tcn_log_line(b, TCN_EVENT_SESSION_CLOSED, "%s, peer %llu: %s", session->member,
                 (unsigned long long)peer, why);
    b->ports.net.close(b->ports.net.self, peer);
    tcn_session_end(b, peer);
}

/* ---- doomed ---- */

static void cut_oldest(tcn_broker *b)
{
    tcn_peer peer = b->doomed[0].peer;
    b->doomed_count--;
    memmove(b->doomed, b->doomed + 1, b->doomed_count * sizeof(b->doomed[0]));
    b->ports.net.close(b->ports.net.self, peer);
}

bool tcn_session_is_doomed(const tcn_broker *b, tcn_peer peer)
{
    for (size_t i = 0; i < b->doomed_count; i++)
        if (b->doomed[i].peer == peer)
            return true;
    return false;
}

void tcn_session_doom(tcn_broker *b, tcn_peer peer)
{
    tcn_session_end(b, peer);
    if (tcn_session_is_doomed(b, peer))
        return;
    if (b->doomed_count == TCN_DOOMED)
        cut_oldest(b);
    b->doomed[b->doomed_count++] = (tcn_doomed){.peer = peer, .at = {b->mono.ms + TCN_DOOM_MS}};
}

/* ---- the overlay of the turn ---- */

tcn_err tcn_session_open(tcn_broker *b, tcn_session **ret_session)
{
    tcn_turn *turn = &b->turn;
    if (turn->openings == turn->opening_cap) {
        size_t cap = turn->opening_cap == 0 ? 16 : turn->opening_cap * 2;
        tcn_session **grown = realloc(turn->opening, cap * sizeof(tcn_session *));
        if (grown == NULL)
            return TCN_NO_MEMORY;
        turn->opening = grown;
        turn->opening_cap = cap;
    }
    tcn_session *session = calloc(1, sizeof(*session));
    if (session == NULL)
        return TCN_NO_MEMORY;
    turn->opening[turn->openings++] = session;
    *ret_session = session;
    return TCN_OK;
}

void tcn_sessions_adopt(tcn_broker *b)
{
    b->turn.openings = 0; /* each was inserted, or freed, by the effect of its HELLO */
}

void tcn_sessions_forget(tcn_broker *b)
{
    for (size_t i = 0; i < b->turn.openings; i++)
        free(b->turn.opening[i]);
    b->turn.openings = 0;
}

/* ---- sweep ---- */

void tcn_sessions_sweep(tcn_broker *b)
{
    while (b->doomed_count > 0 && b->doomed[0].at.ms <= b->mono.ms)
        cut_oldest(b);
    for (tcn_session *next, *s = b->sessions; s != NULL; s = next) {
        next = s->next;
        if (!tcn_card_counts(b, s->card))
            tcn_session_close(b, s, "its card is not valid any more: renew it");
        else if (s->endpoint == TCN_LANE_BULK && b->mono.ms - s->heard.ms > TCN_MAX_DEAD_MS)
            tcn_session_close(b, s, "silent for too long");
    }
    b->sweep_at.ms = 0;
    if (b->sessions != NULL || b->doomed_count > 0)
        sweep_later(b);
}

void tcn_sessions_free(tcn_broker *b)
{
    while (b->sessions != NULL)
        tcn_session_end(b, b->sessions->peer);
    tcn_sessions_forget(b);
    free(b->turn.opening);
    b->turn.opening = NULL;
}
