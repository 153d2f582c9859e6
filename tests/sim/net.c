/* SPDX-License-Identifier: Apache-2.0 */
#include "net.h"

#include <stdlib.h>
#include <string.h>

#include "members.h"
#include "tests/support/mem.h"

#define HIGH_WATER 40u /* frames that wait in one direction */
#define KEEPALIVE_MS 120000u
#define RETRANSMIT_MS 900000u

/* ---- queues ---- */

static void push(sim_queue *q, uint64_t due, tcn_bytes frame)
{
    sim_packet *p = mem_zeroed(sizeof *p + frame.len);
    p->due = due;
    p->len = frame.len;
    memcpy(p->bytes, frame.ptr, frame.len);
    if (q->last)
        q->last->next = p;
    else
        q->first = p;
    q->last = p;
    q->count++;
}

static sim_packet *pop(sim_queue *q)
{
    sim_packet *p = q->first;
    if (!p)
        return NULL;
    q->first = p->next;
    if (!q->first)
        q->last = NULL;
    q->count--;
    p->next = NULL;
    return p;
}

static void drop_all(sim_queue *q)
{
    sim_packet *p;
    while ((p = pop(q)) != NULL)
        free(p);
}

/* ---- opening ---- */

static bool is_let_in(const sim *s, unsigned member)
{
    return sim_card_at(s, s->broker.version, member)->state == TCN_MEMBER_ACTIVE;
}

sim_conn *sim_conn_open(sim *s, unsigned member, tcn_lane endpoint)
{
    if (!s->broker.proc.up || !is_let_in(s, member))
        return NULL;
    sim_conn *c = mem_zeroed(sizeof *c);
    c->peer = ++s->last_peer;
    c->endpoint = endpoint;
    c->member = member;
    c->agent = c->person = SIM_NOBODY;
    c->latency_ms = sim_between(&s->wires, 1, s->quiet || !sim_once_in(&s->wires, 5) ? 40 : 800);
    c->peer_open = c->broker_open = true;
    c->peer_hears_at = c->broker_hears_at = SIM_NEVER;
    c->next = s->conns;
    s->conns = c;
    return c;
}

sim_conn *sim_conn_find(const sim *s, tcn_peer peer)
{
    sim_conn *c = s->conns;
    while (c && c->peer != peer)
        c = c->next;
    return c;
}

/* ---- sending ---- */

static uint64_t arrival(sim *s, const sim_queue *q, const sim_conn *c)
{
    uint64_t due = s->now + c->latency_ms + sim_below(&s->wires, c->latency_ms + 1);
    return q->last && q->last->due > due ? q->last->due : due;
}

tcn_send_result sim_conn_send_up(sim *s, sim_conn *c, tcn_bytes frame)
{
    if (!c->peer_open)
        return TCN_SEND_GONE;
    if (c->up.count >= HIGH_WATER)
        return TCN_SEND_FULL;
    if (!c->deaf_up || c->dead) /* what waits for a dead line fills it */
        push(&c->up, arrival(s, &c->up, c), frame);
    return TCN_SENT;
}

tcn_send_result sim_conn_send_down(sim *s, sim_conn *c, tcn_bytes frame)
{
    if (!c->broker_open)
        return TCN_SEND_GONE;
    if (c->down.count >= HIGH_WATER)
        return TCN_SEND_FULL;
    if (!c->deaf_down || c->dead)
        push(&c->down, arrival(s, &c->down, c), frame);
    return TCN_SENT;
}

/* ---- receiving ---- */

uint64_t sim_conn_up_due(const sim_conn *c)
{
    uint64_t due = c->broker_hears_at;
    if (!c->broker_open)
        return SIM_NEVER;
    if (!c->dead && c->up.first && c->up.first->due < due)
        due = c->up.first->due;
    return due;
}

uint64_t sim_conn_down_due(const sim_conn *c)
{
    uint64_t due = c->peer_hears_at;
    if (!c->peer_open)
        return SIM_NEVER;
    if (!c->dead && c->down.first) {
        uint64_t at = c->down.first->due;
        if (at < c->stalled_until)
            at = c->stalled_until;
        due = at < due ? at : due;
    }
    return due;
}

sim_packet *sim_conn_take_up(sim *s, sim_conn *c)
{
    if (!c->broker_open || c->dead || !c->up.first || c->up.first->due > s->now)
        return NULL;
    return pop(&c->up);
}

sim_packet *sim_conn_take_down(sim *s, sim_conn *c)
{
    if (!c->peer_open || c->dead || !c->down.first || c->down.first->due > s->now ||
        c->stalled_until > s->now)
        return NULL;
    return pop(&c->down);
}

sim_packet *sim_conn_take_now(sim_conn *c)
{
    return pop(&c->down);
}

/* ---- ending ---- */

static void sooner(uint64_t *at, uint64_t than)
{
    if (than < *at)
        *at = than;
}

void sim_conn_cut(sim *s, sim_conn *c, uint64_t most_ms)
{
    c->dead = true;
    sooner(&c->peer_hears_at, s->now + sim_below(&s->wires, most_ms));
    sooner(&c->broker_hears_at, s->now + sim_below(&s->wires, most_ms));
}

void sim_conn_deafen(sim *s, sim_conn *c, bool *is_deaf)
{
    *is_deaf = true;
    sooner(&c->peer_hears_at, s->now + sim_between(&s->wires, KEEPALIVE_MS, RETRANSMIT_MS));
    sooner(&c->broker_hears_at, s->now + sim_between(&s->wires, KEEPALIVE_MS, RETRANSMIT_MS));
}

/* The other side hears of an orderly end soon, unless the line is dead. */
static uint64_t hears_at(sim *s, const sim_conn *c, bool is_deaf)
{
    return s->now + (c->dead || is_deaf ? KEEPALIVE_MS : c->latency_ms);
}

void sim_conn_peer_close(sim *s, sim_conn *c)
{
    c->peer_open = false;
    drop_all(&c->down);
    if (c->dead || c->deaf_up)
        drop_all(&c->up);
    /* What is under way still arrives, and the end behind it. */
    uint64_t at = hears_at(s, c, c->deaf_up);
    if (c->up.last && c->up.last->due > at)
        at = c->up.last->due;
    sooner(&c->broker_hears_at, at);
}

void sim_conn_broker_close(sim *s, sim_conn *c)
{
    c->broker_open = false;
    c->cut_by_broker = true;
    drop_all(&c->up);
    drop_all(&c->down); /* not one more byte of it is read */
    sooner(&c->peer_hears_at, hears_at(s, c, c->deaf_down));
}

void sim_conns_broker_died(sim *s)
{
    bool is_power_loss = sim_once_in(&s->faults, 3);
    for (sim_conn *c = s->conns; c; c = c->next) {
        if (!c->broker_open)
            continue;
        c->broker_open = false;
        drop_all(&c->up);
        if (is_power_loss) {
            c->dead = true;
            sooner(&c->peer_hears_at, s->now + KEEPALIVE_MS);
        } else {
            sooner(&c->peer_hears_at, s->now + c->latency_ms);
        }
    }
}

void sim_conns_sweep(sim *s)
{
    for (sim_conn **at = &s->conns; *at;) {
        sim_conn *c = *at;
        if (c->peer_open || c->broker_open) {
            at = &c->next;
            continue;
        }
        *at = c->next;
        drop_all(&c->up);
        drop_all(&c->down);
        free(c);
    }
}

void sim_conns_free(sim *s)
{
    for (sim_conn *c = s->conns; c; c = c->next)
        c->peer_open = c->broker_open = false;
    sim_conns_sweep(s);
}
