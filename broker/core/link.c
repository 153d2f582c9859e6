/* SPDX-License-Identifier: Apache-2.0 */
/* link.c - see link.h. */
#include "link.h"

#include "fanout.h"

void tcn_link_wake(tcn_broker *b, tcn_link *link)
{
    tcn_lane_state *lane = &b->lane[link->lane];
    if (link->waiting || link->session == NULL)
        return;
    link->waiting = true;
    link->next_work = NULL;
    if (lane->last_work != NULL)
        lane->last_work->next_work = link;
    else
        lane->work = link;
    lane->last_work = link;
}

static void flight_clear(tcn_broker *b, tcn_link *link)
{
    for (unsigned i = 0; i < link->frames; i++)
        tcn_batch_unref(b, link->flight[(link->first + i) % TCN_IN_FLIGHT].batch);
    link->frames = 0;
    link->in_flight = 0;
}

void tcn_link_open(tcn_broker *b, tcn_link *link, tcn_session *session, tcn_mark start)
{
    tcn_lane_state *lane = &b->lane[link->lane];
    if (link->session == NULL) {
        link->prev = lane->last_link;
        link->next = NULL;
        if (link->prev != NULL)
            link->prev->next = link;
        else
            lane->links = link;
        lane->last_link = link;
    }
    link->session = session;
    flight_clear(b, link);
    link->sent = link->framed = start.seq;
    link->acked = start;
    link->full = false;
    tcn_link_wake(b, link);
}

void tcn_link_close(tcn_broker *b, tcn_link *link)
{
    tcn_lane_state *lane = &b->lane[link->lane];
    if (link->session == NULL)
        return;
    if (link->prev != NULL)
        link->prev->next = link->next;
    else
        lane->links = link->next;
    if (link->next != NULL)
        link->next->prev = link->prev;
    else
        lane->last_link = link->prev;
    link->prev = link->next = NULL;
    link->session = NULL;
    link->full = false;
    flight_clear(b, link);
}

static void restart(tcn_broker *b, tcn_link *link)
{
    flight_clear(b, link);
    link->sent = link->framed = 0;
    link->acked = (tcn_mark){0, 0};
    tcn_link_wake(b, link);
}

void tcn_node_regenerate(tcn_broker *b, tcn_node *node)
{
    tcn_session *told = NULL;
    for (int i = 0; i < TCN_LANES; i++)
        if (node->link[i] != NULL && node->link[i]->frames > 0)
            return;
    node->regenerate = false;
    tcn_wire wire = {.op = TCN_OP_GENERATION, .generation = node->generation};
    for (int i = 0; i < TCN_LANES; i++) {
        tcn_session *session = node->link[i] != NULL ? node->link[i]->session : NULL;
        if (session == NULL)
            continue;
        if (session != told && !tcn_say_now(b, session->peer, &wire))
            continue;
        told = session;
        restart(b, node->link[i]);
    }
}

void tcn_link_landed(tcn_broker *b, tcn_link *link, tcn_mark at)
{
    while (link->frames > 0 && link->flight[link->first].to <= at.seq) {
        link->in_flight -= link->flight[link->first].bytes;
        tcn_batch_unref(b, link->flight[link->first].batch);
        link->first = (link->first + 1) % TCN_IN_FLIGHT;
        link->frames--;
    }
    link->acked = at;
    if (link->node->regenerate)
        tcn_node_regenerate(b, link->node);
    tcn_link_wake(b, link);
}
