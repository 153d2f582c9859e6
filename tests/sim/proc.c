/* SPDX-License-Identifier: Apache-2.0 */
#include "proc.h"

#include <stdio.h>
#include <string.h>

#include "net.h"

#define STORE_BYTES (16u << 20)
#define SPINS 2000u

/* ---- ports ---- */

bool sim_proc_acts(sim_proc *p)
{
    if (p->dying)
        return false;
    if (p->dies_in > 0 && --p->dies_in == 0) {
        p->dying = true;
        /* Later transactions of this turn never happened. */
        mem_store_fail_commit(p->ports.store, 1, TCN_IO, false);
        sim_trace(p->s, "%s dies within a turn", p->name);
    }
    return !p->dying;
}

static tcn_blob_state blob_state(void *self, const tcn_id *id, uint64_t *ret_bytes)
{
    const tcn_blob blob = mem_blob_port(((sim_proc *)self)->ports.blob);
    return blob.state(blob.self, id, ret_bytes);
}

static tcn_err blob_append(void *self, const tcn_id *id, uint64_t offset, tcn_bytes bytes)
{
    sim_proc *p = self;
    const tcn_blob blob = mem_blob_port(p->ports.blob);
    return sim_proc_acts(p) ? blob.append(blob.self, id, offset, bytes) : TCN_OK;
}

static tcn_err blob_finish(void *self, const tcn_id *id, uint64_t size, const tcn_hash *expected)
{
    sim_proc *p = self;
    const tcn_blob blob = mem_blob_port(p->ports.blob);
    return sim_proc_acts(p) ? blob.finish(blob.self, id, size, expected) : TCN_OK;
}

static tcn_err blob_read(void *self, const tcn_id *id, uint64_t offset, uint8_t *ret_bytes,
                         size_t cap, size_t *ret_len)
{
    const tcn_blob blob = mem_blob_port(((sim_proc *)self)->ports.blob);
    return blob.read(blob.self, id, offset, ret_bytes, cap, ret_len);
}

static void blob_remove(void *self, const tcn_id *id)
{
    sim_proc *p = self;
    const tcn_blob blob = mem_blob_port(p->ports.blob);
    if (sim_proc_acts(p))
        blob.remove(blob.self, id);
}

static void blob_space(void *self, uint64_t *ret_free_bytes)
{
    const tcn_blob blob = mem_blob_port(((sim_proc *)self)->ports.blob);
    blob.space(blob.self, ret_free_bytes);
}

static void log_line(void *self, tcn_level level, const char *event, const char *text)
{
    sim_proc *p = self;
    (void)level;
    if (!p->dying)
        sim_trace(p->s, "  %s: %s: %s", p->name, event, text);
}

tcn_ports sim_proc_ports(sim_proc *p)
{
    tcn_ports ports = mem_ports_all(&p->ports);
    ports.blob =
        (tcn_blob){blob_state, blob_append, blob_finish, blob_read, blob_remove, blob_space, p};
    ports.log = (tcn_log){log_line, p};
    return ports;
}

/* ---- life ---- */

void sim_proc_init(sim_proc *p, sim *s, const char *name, uint64_t seed)
{
    p->s = s;
    (void)snprintf(p->name, sizeof p->name, "%s", name);
    mem_ports_init(&p->ports, seed);
    mem_store_set_capacity(p->ports.store, STORE_BYTES);
}

void sim_proc_fini(sim_proc *p)
{
    if (p->s != NULL)
        mem_ports_fini(&p->ports);
}

void sim_proc_tell_time(sim_proc *p)
{
    p->ports.wall.unix_ms = SIM_START + (int64_t)p->s->now + p->wall_ahead_ms;
    p->ports.mono.ms = MEM_MONO_START_MS + p->s->now;
}

void sim_proc_crash(sim_proc *p, uint64_t down_ms)
{
    mem_ports_crash(&p->ports);
    p->up = p->dying = false;
    p->dies_in = 0;
    p->blob_at = 0;
    p->start_at = p->s->now + down_ms;
    sim_trace(p->s, "%s is down for %llu ms", p->name, (unsigned long long)down_ms);
}

/* ---- body files ---- */

uint64_t sim_proc_blob_due(sim_proc *p)
{
    if (!p->up || mem_blob_queued(p->ports.blob) == 0)
        return SIM_NEVER;
    if (p->blob_at == 0)
        p->blob_at = p->s->now + sim_between(&p->s->order, 1, 60);
    return p->blob_at;
}

bool sim_proc_take_blob(sim_proc *p, tcn_blob_done *ret_done)
{
    if (sim_proc_blob_due(p) > p->s->now || !mem_blob_take(p->ports.blob, ret_done))
        return false;
    p->blob_at = 0;
    return true;
}

/* ---- disk ---- */

uint64_t sim_proc_free_bytes(sim_proc *p)
{
    uint64_t free_bytes = 0, total = 0;
    tcn_store store = mem_store_port(p->ports.store);
    store.ops->space(store.self, &free_bytes, &total);
    return free_bytes;
}

void sim_proc_fill(sim_proc *p, uint64_t left_bytes, uint64_t for_ms)
{
    uint64_t used = STORE_BYTES - sim_proc_free_bytes(p);
    if (p->full_until != 0)
        return;
    mem_store_set_capacity(p->ports.store, used + left_bytes);
    p->full_until = p->s->now + for_ms;
    p->disk_trouble = true;
    sim_trace(p->s, "store of %s has %llu bytes left", p->name, (unsigned long long)left_bytes);
}

void sim_proc_heal(sim_proc *p)
{
    mem_store_set_capacity(p->ports.store, STORE_BYTES);
    mem_store_fail_write(p->ports.store, 0, TCN_OK);
    mem_store_fail_commit(p->ports.store, 0, TCN_OK, false);
    mem_blob_set_capacity(p->ports.blob, 1u << 30);
    mem_blob_fail_append(p->ports.blob, 0, TCN_OK);
    mem_blob_fail_finish(p->ports.blob, 0, TCN_OK);
    p->full_until = 0;
    p->disk_trouble = false;
    p->dies_in = 0;
}

void sim_proc_tend(sim_proc *p)
{
    if (p->full_until != 0 && p->s->now >= p->full_until) {
        mem_store_set_capacity(p->ports.store, STORE_BYTES);
        mem_blob_set_capacity(p->ports.blob, 1u << 30);
        p->full_until = 0;
        sim_trace(p->s, "store of %s has room again", p->name);
    }
}

void sim_proc_watch_spin(sim_proc *p)
{
    if (p->spin_at != p->s->now) {
        p->spin_at = p->s->now;
        p->spins = 0;
    } else if (++p->spins == SPINS) {
        sim_fail(p->s, "%s: %u turns without time passing", p->name, SPINS);
    }
}
