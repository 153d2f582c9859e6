/* SPDX-License-Identifier: Apache-2.0 */
/* recover.c - the core's beginning and end: a store is founded or recovered from. */
#include <stdlib.h>

#include "bodies.h"
#include "fanout.h"
#include "journal.h"
#include "nodes.h"
#include "session.h"
#include "timers.h"
#include "trust.h"

/* ---- founding and recovering ---- */

static tcn_err found(tcn_broker *b, const tcn_roster *roster, tcn_meta *ret_meta)
{
    *ret_meta = (tcn_meta){.layout = TCN_STORE_LAYOUT,
                           .program = tcn_roster_bundle(roster)->program,
                           .trust_version = tcn_roster_version(roster),
                           .founded = b->now};
    b->ports.random.fill(b->ports.random.self, ret_meta->epoch.b, sizeof(ret_meta->epoch.b));
    return tcn_db_put_meta(b, ret_meta);
}

static tcn_err load_meta(tcn_broker *b, const tcn_roster *roster, tcn_fault *fault)
{
    tcn_meta meta;
    tcn_err err = tcn_db_meta(b, &meta);
    if (err == TCN_NOT_FOUND)
        err = found(b, roster, &meta);
    if (err == TCN_VERSION)
        return tcn_fault_set(fault, err, "the store is of a newer version: update tocsin-broker");
    if (err != TCN_OK)
        return tcn_fault_set(fault, err, "the store cannot be read: %s", tcn_err_text(err));
    if (!tcn_id_equal(&meta.program, &tcn_roster_bundle(roster)->program))
        return tcn_fault_set(fault, TCN_WRONG_PROGRAM, "the store is that of another program");
    if (meta.trust_version > tcn_roster_version(roster))
        return tcn_fault_set(fault, TCN_STALE,
                             "the store has seen trust version %llu, the trust file has %llu: "
                             "import the newer roster",
                             (unsigned long long)meta.trust_version,
                             (unsigned long long)tcn_roster_version(roster));
    b->epoch = meta.epoch;
    return TCN_OK;
}

static tcn_err load_heads(tcn_broker *b)
{
    for (int i = 0; i < TCN_LANES; i++) {
        tcn_key key = tcn_key_head((tcn_lane)i);
        tcn_err err = tcn_db_u64s(b, &key, &b->lane[i].head, 1);
        if (err != TCN_OK && err != TCN_NOT_FOUND)
            return err;
    }
    return TCN_OK;
}

/* Counts what is held, and goes on with bodies that were interrupted. */
static tcn_err load_held(tcn_broker *b)
{
    tcn_key prefix = tcn_key_plain('H'), from = prefix;
    tcn_bytes key, value;
    tcn_err err;
    while ((err = tcn_db_seek(b, &prefix, &from, &key, &value)) == TCN_OK) {
        tcn_id id;
        tcn_index index;
        from = tcn_key_after(key);
        b->held++;
        if (!tcn_key_id_at(key, 1, &id) || tcn_db_index(b, &id, &index) != TCN_OK)
            continue;
        err = tcn_body_resume(b, &id, &index);
        if (err != TCN_OK)
            return err;
    }
    return err == TCN_NOT_FOUND ? TCN_OK : err;
}

static void adopt_effect(tcn_broker *b, const void *data, tcn_bytes tail)
{
    (void)data;
    (void)tail;
    tcn_trust_adopt(b);
}

static tcn_err recover(tcn_broker *b, tcn_roster *roster, tcn_fault *fault)
{
    tcn_err err = load_meta(b, roster, fault);
    if (err != TCN_OK)
        return err;
    err = load_heads(b);
    if (err == TCN_OK)
        err = tcn_trust_prepare(b, roster);
    if (err == TCN_OK)
        err = tcn_effect_add(b, TCN_RANK_MEMORY, adopt_effect, TCN_NO_TAIL, TCN_NO_TAIL);
    if (err != TCN_OK)
        return tcn_fault_set(fault, err, "the store cannot be read: %s", tcn_err_text(err));
    return TCN_OK;
}

static void speak(tcn_broker *b)
{
    for (int rank = 0; rank < TCN_RANKS; rank++)
        tcn_effects_run(b, (tcn_rank)rank);
    tcn_effects_clear(&b->effects);
    tcn_classes_sweep(b);
}

/* A part that needs room in the store; without it the broker runs all the same. */
static tcn_err second_part(tcn_broker *b, tcn_err (*part)(tcn_broker *), bool *ret_full)
{
    const tcn_store *store = &b->ports.store;
    tcn_err err = store->ops->begin(store->self, TCN_TXN_WRITE);
    if (err == TCN_OK)
        err = part(b);
    if (err == TCN_OK)
        err = store->ops->commit(store->self);
    if (err != TCN_OK) {
        store->ops->abort(store->self);
        tcn_effects_clear(&b->effects);
    }
    *ret_full = err == TCN_FULL;
    if (err == TCN_OK)
        speak(b);
    return err == TCN_FULL ? TCN_OK : err;
}

static tcn_err begin(tcn_broker *b, tcn_roster *roster, tcn_fault *fault)
{
    const tcn_store *store = &b->ports.store;
    bool full = false;
    b->ports.random.fill(b->ports.random.self, b->seed, sizeof(b->seed));
    tcn_err err = store->ops->begin(store->self, TCN_TXN_WRITE);
    if (err != TCN_OK)
        return tcn_fault_set(fault, err, "the store does not open: %s", tcn_err_text(err));
    err = recover(b, roster, fault);
    if (err == TCN_OK) {
        err = store->ops->commit(store->self);
        if (err != TCN_OK)
            (void)tcn_fault_set(fault, err, "the store takes nothing: %s", tcn_err_text(err));
    }
    if (err != TCN_OK) {
        store->ops->abort(store->self);
        return err;
    }
    speak(b);
    if (b->roster == NULL)
        return tcn_fault_set(fault, TCN_NO_MEMORY, "out of memory for the roster");
    err = second_part(b, tcn_trust_reconcile, &full);
    b->reconcile_due = full;
    if (err == TCN_OK)
        err = second_part(b, load_held, &full);
    if (err != TCN_OK)
        return tcn_fault_set(fault, err, "the store cannot be used: %s", tcn_err_text(err));
    tcn_timers_load(b);
    return TCN_OK;
}

tcn_err tcn_broker_new(const tcn_ports *ports, const tcn_broker_config *config, tcn_roster *roster,
                       tcn_broker **ret_broker, tcn_fault *fault)
{
    tcn_broker *b = calloc(1, sizeof(*b));
    if (b == NULL)
        return tcn_fault_set(fault, TCN_NO_MEMORY, "out of memory");
    b->ports = *ports;
    b->config = *config;
    b->now = ports->clock.wall(ports->clock.self);
    b->started = b->mono = ports->clock.mono(ports->clock.self);
    tcn_buf_init(&b->roster_put.bytes, TCN_MAX_ROSTER_BYTES);
    tcn_err err = begin(b, roster, fault);
    if (err != TCN_OK) {
        tcn_broker_destroy(&b);
        return err;
    }
    *ret_broker = b;
    return TCN_OK;
}

void tcn_broker_destroy(tcn_broker **broker)
{
    tcn_broker *b = *broker;
    *broker = NULL;
    if (b == NULL)
        return;
    tcn_sessions_free(b);
    tcn_trust_forget(b);
    tcn_fanout_free(b);
    for (size_t i = 0; i < b->nodes; i++)
        tcn_node_free(b, b->node[i]);
    free(b->node);
    tcn_classes_sweep(b);
    tcn_journal_free(b);
    tcn_bodies_free(b);
    tcn_effects_fini(&b->effects);
    tcn_buf_fini(&b->roster_put.bytes);
    tcn_roster_unref(&b->roster);
    free(b);
}
