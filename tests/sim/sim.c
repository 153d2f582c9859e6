/* SPDX-License-Identifier: Apache-2.0 */
#include "sim.h"

#include <stdlib.h>

#include "check.h"
#include "faults.h"
#include "host.h"
#include "members.h"
#include "net.h"
#include "people.h"
#include "proc.h"
#include "tests/support/mem.h"
#include "workload.h"

#define LOOK_MS 30000u
#define SETTLE_MS (3u * 3600000u)

/* ---- beginning and end ---- */

sim *sim_new(const sim_options *options)
{
    sim *s = mem_zeroed(sizeof *s);
    s->options = *options;
    sim_rng seed = {options->seed};
    s->work.state = sim_next(&seed);
    s->faults.state = sim_next(&seed);
    s->wires.state = sim_next(&seed);
    s->order.state = sim_next(&seed);
    s->digest = 0xCBF29CE484222325u;
    s->w = world_new((tcn_wall){SIM_START});
    s->evil = !options->calm && sim_once_in(&s->faults, 4);
    sim_members_found(s);
    sim_broker_init(s);
    for (unsigned m = 0; m < s->members; m++)
        if (s->draft[m].roles & TCN_ROLE_NODE)
            sim_agent_init(s, m, false);
    sim_people_init(s);
    return s;
}

void sim_free(sim **taken)
{
    sim *s = *taken;
    *taken = NULL;
    if (s == NULL)
        return;
    tcn_broker_destroy(&s->broker.core);
    for (unsigned i = 0; i < s->agents; i++) {
        tcn_agent_destroy(&s->agent[i].core);
        tcn_buf_fini(&s->agent[i].replies);
        sim_proc_fini(&s->agent[i].proc);
    }
    sim_proc_fini(&s->broker.proc);
    sim_conns_free(s);
    sim_members_free(s);
    for (unsigned i = 0; i < s->alerts; i++)
        free(s->alert[i].body);
    world_free(&s->w);
    sim_trace_free(s);
    free(s);
}

/* ---- time ---- */

static uint64_t sooner(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static uint64_t next_event(sim *s)
{
    uint64_t at = sim_broker_due(s);
    for (unsigned i = 0; i < s->agents; i++)
        at = sooner(at, sim_agent_due(&s->agent[i]));
    for (unsigned i = 0; i < s->people; i++)
        at = sooner(at, sim_person_due(s, &s->person[i]));
    return at;
}

static void serve(sim *s)
{
    unsigned first = (unsigned)sim_below(&s->order, s->agents);
    for (unsigned i = 0; i < s->people; i++)
        if (sim_person_due(s, &s->person[i]) <= s->now)
            sim_person_act(s, &s->person[i]);
    if (sim_broker_due(s) <= s->now)
        sim_broker_turn(s);
    for (unsigned i = 0; i < s->agents && !s->failed; i++) {
        sim_agent *agent = &s->agent[(first + i) % s->agents];
        if (sim_agent_due(agent) <= s->now)
            sim_agent_turn(agent);
        sim_proc_tend(&agent->proc);
    }
    sim_proc_tend(&s->broker.proc);
    sim_conns_sweep(s);
}

/* Lets everything happen that is due up to then. */
static void pass_until(sim *s, uint64_t until)
{
    while (!s->failed) {
        uint64_t at = next_event(s);
        if (at > until)
            break;
        if (at > s->now)
            s->now = at;
        serve(s);
    }
    if (!s->failed && s->now < until)
        s->now = until;
}

/* ---- phases ---- */

static void be_active(sim *s)
{
    uint64_t pace = sim_once_in(&s->work, 2) ? 4000 : 30000;
    unsigned actions = (unsigned)sim_between(&s->work, 5, 40);
    s->quiet = false;
    s->work_at = s->now + sim_below(&s->work, pace);
    s->fault_at = s->options.calm ? SIM_NEVER : s->now + sim_below(&s->faults, pace * 2);
    while (actions > 0 && !s->failed) {
        pass_until(s, sooner(s->work_at, s->fault_at));
        if (s->failed)
            break;
        if (s->now >= s->work_at) {
            sim_work(s);
            actions--;
            s->work_at = s->now + sim_below(&s->work, pace);
        }
        if (s->now >= s->fault_at) {
            sim_fault(s);
            s->fault_at = s->now + sim_below(&s->faults, pace * 2);
        }
    }
}

static void settle_down(sim *s)
{
    uint64_t until = s->now + SETTLE_MS;
    if (s->failed)
        return;
    sim_heal(s);
    while (!s->failed && s->now < until) {
        pass_until(s, s->now + LOOK_MS);
        if (!s->failed && sim_check(s, false))
            break;
    }
    if (!s->failed)
        (void)sim_check(s, true);
}

static void mix_states(sim *s)
{
    tcn_hash hash;
    if (s->broker.proc.up) {
        tcn_broker_digest(s->broker.core, &hash);
        sim_mix(s, hash.b, sizeof hash.b);
    }
    for (unsigned i = 0; i < s->agents; i++) {
        if (!s->agent[i].proc.up)
            continue;
        tcn_agent_digest(s->agent[i].core, &hash);
        sim_mix(s, hash.b, sizeof hash.b);
    }
}

void sim_run(sim *s)
{
    unsigned phases = s->options.phases;
    if (phases == 0)
        phases = (unsigned)sim_between(&s->work, 1, 3);
    for (unsigned i = 0; i < phases && !s->failed; i++) {
        be_active(s);
        settle_down(s);
        if (!s->failed)
            mix_states(s);
    }
}
