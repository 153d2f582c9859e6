/* SPDX-License-Identifier: Apache-2.0 */
#include "faults.h"

#include "host.h"
#include "members.h"
#include "people.h"
#include "proc.h"

/* ---- lines ---- */

static sim_conn *random_conn(sim *s)
{
    unsigned count = 0;
    for (sim_conn *c = s->conns; c; c = c->next)
        count++;
    unsigned skip = (unsigned)sim_below(&s->faults, count);
    sim_conn *c = s->conns;
    for (; c && skip > 0; skip--)
        c = c->next;
    return c;
}

static void fault_line(sim *s)
{
    sim_conn *c = random_conn(s);
    if (c == NULL)
        return;
    uint64_t dice = sim_below(&s->faults, 5);
    const char *what = "stalls";
    if (dice == 0) {
        what = "is cut";
        sim_conn_cut(s, c, sim_once_in(&s->faults, 2) ? 500 : 90000);
    } else if (dice == 1) {
        what = "is deaf to the broker";
        sim_conn_deafen(s, c, &c->deaf_up);
    } else if (dice == 2) {
        what = "is deaf to the peer";
        sim_conn_deafen(s, c, &c->deaf_down);
    } else if (dice == 3) {
        what = "is slow";
        c->latency_ms = sim_between(&s->faults, 200, 5000);
    } else {
        c->stalled_until = s->now + sim_between(&s->faults, 500, 40000);
    }
    sim_trace(s, "line %s/%d#%llu %s", s->draft[c->member].name, (int)c->endpoint,
              (unsigned long long)c->peer, what);
}

static sim_agent *random_agent(sim *s)
{
    return &s->agent[sim_below(&s->faults, s->agents)];
}

static void fault_block(sim *s)
{
    sim_agent *agent = random_agent(s);
    unsigned lanes = (unsigned)sim_between(&s->faults, 1, 3);
    uint64_t for_ms = sim_between(&s->faults, 1000, 120000);
    sim_trace(s, "%s cannot reach endpoints %u for %llu ms", agent->proc.name, lanes,
              (unsigned long long)for_ms);
    for (unsigned lane = 0; lane < TCN_LANES; lane++) {
        if (!(lanes >> lane & 1))
            continue;
        agent->link[lane].blocked_until = s->now + for_ms;
        if (agent->link[lane].conn != NULL)
            sim_conn_cut(s, agent->link[lane].conn, 60000);
    }
}

/* ---- processes ---- */

static uint64_t down_time(sim *s)
{
    return sim_once_in(&s->faults, 3) ? sim_between(&s->faults, 10000, 200000)
                                      : sim_between(&s->faults, 50, 3000);
}

static void fault_crash(sim *s)
{
    if (sim_once_in(&s->faults, 3)) {
        sim_trace(s, "broker crashes");
        sim_broker_crash(s, down_time(s));
        return;
    }
    sim_agent *agent = random_agent(s);
    sim_trace(s, "%s crashes", agent->proc.name);
    sim_agent_crash(agent, down_time(s));
    if (sim_once_in(&s->faults, 3)) { /* somebody edited its config */
        agent->subscribe = 0;
        for (unsigned i = (unsigned)sim_below(&s->faults, 3); i > 0; i--)
            agent->subscribe |= 1u << sim_below(&s->faults, SIM_PATTERNS);
    }
    /* or put the newest bundle there */
    if (sim_once_in(&s->faults, 3)) /* which the broker may not have yet */
        agent->home_version = s->versions;
}

static sim_proc *random_proc(sim *s)
{
    return sim_once_in(&s->faults, 3) ? &s->broker.proc : &random_agent(s)->proc;
}

static void fault_die(sim *s)
{
    sim_proc *p = random_proc(s);
    p->dies_in = (unsigned)sim_between(&s->faults, 1, 10);
}

/* ---- disks ---- */

static void fault_disk(sim *s)
{
    sim_proc *p = random_proc(s);
    mem_store *store = p->ports.store;
    mem_blob *blob = p->ports.blob;
    p->disk_trouble = true;
    uint64_t nth = sim_between(&s->faults, 1, 30);
    tcn_err err = sim_once_in(&s->faults, 3) ? TCN_IO : TCN_FULL;
    uint64_t dice = sim_below(&s->faults, 8), for_ms = sim_below(&s->faults, 60000);
    sim_trace(s, "disk of %s: fault %llu, %s, in %llu", p->name, (unsigned long long)dice,
              tcn_err_word(err), (unsigned long long)nth);
    switch (dice) {
    case 0: mem_store_fail_write(store, nth, err); break;
    case 1: mem_store_fail_commit(store, 1 + nth / 8, err, false); break;
    case 2: mem_store_fail_commit(store, 1 + nth / 8, TCN_IO, true); break;
    case 3: mem_blob_fail_append(blob, 1 + nth / 8, err); break;
    case 4: mem_blob_fail_finish(blob, 1 + nth / 8, err); break;
    case 5: mem_blob_sync(blob); break;
    case 6: sim_proc_fill(p, nth * 100, for_ms); break;
    default: sim_proc_fill(p, 200000, for_ms); break;
    }
}

/* ---- clocks, clones ---- */

static void fault_clock(sim *s)
{
    static const int64_t jumps[] = {
        -3600000, 3600000, -86400000, 172800000, -365 * 86400000LL, 600000, 10 * 365 * 86400000LL,
        0};
    if (sim_once_in(&s->faults, 4)) {
        s->broker.proc.wall_ahead_ms = (int64_t)sim_below(&s->faults, 1200000) - 600000;
        sim_trace(s, "clock of the broker is ahead by %lld ms",
                  (long long)s->broker.proc.wall_ahead_ms);
        return;
    }
    sim_agent *agent = random_agent(s);
    agent->proc.wall_ahead_ms = jumps[sim_below(&s->faults, sizeof jumps / sizeof jumps[0])];
    sim_trace(s, "clock of %s is ahead by %lld ms", agent->proc.name,
              (long long)agent->proc.wall_ahead_ms);
}

static void fault_clone(sim *s)
{
    const sim_agent *agent = random_agent(s);
    if (s->agents < SIM_AGENTS && !agent->is_clone) {
        sim_trace(s, "%s is copied", agent->proc.name);
        sim_agent_init(s, agent->member, true);
    }
}

void sim_fault(sim *s)
{
    uint64_t dice = sim_below(&s->faults, 100);
    if (dice < 35)
        fault_line(s);
    else if (dice < 45)
        fault_block(s);
    else if (dice < 60)
        fault_crash(s);
    else if (dice < 75)
        fault_die(s);
    else if (dice < 90)
        fault_disk(s);
    else if (dice < 95)
        fault_clock(s);
    else if (dice < 98)
        random_agent(s)->local_full = sim_once_in(&s->faults, 2);
    else
        fault_clone(s);
}

/* ---- healing ---- */

static void heal_agent(sim *s, sim_agent *agent)
{
    sim_proc_heal(&agent->proc);
    agent->local_full = false;
    for (unsigned lane = 0; lane < TCN_LANES; lane++)
        agent->link[lane].blocked_until = 0;
    if (agent->is_clone) {
        sim_agent_crash(agent, 0);
        agent->proc.start_at = SIM_NEVER;
    } else if (!agent->proc.up && agent->proc.start_at > s->now + 1000) {
        agent->proc.start_at = s->now + 1000;
    }
}

void sim_heal(sim *s)
{
    sim_trace(s, "everything heals");
    s->quiet = true;
    sim_proc_heal(&s->broker.proc);
    s->broker.proc.wall_ahead_ms = 0;
    if (!s->broker.proc.up && s->broker.proc.start_at > s->now + 1000)
        s->broker.proc.start_at = s->now + 1000;
    for (unsigned i = 0; i < s->agents; i++)
        heal_agent(s, &s->agent[i]);
    for (sim_conn *c = s->conns; c; c = c->next) {
        c->stalled_until = 0;
        c->latency_ms = c->latency_ms < 200 ? c->latency_ms : 200;
    }
    sim_broker_hand_trust(s, 1000);
}
