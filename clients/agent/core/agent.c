/* SPDX-License-Identifier: Apache-2.0 */
/* agent.c - founding and recovering, and one turn: apply, commit, settle, jobs, pump.
 * docs/decisions/0003-agent-core.md draws it. */
#include <stdlib.h>
#include <string.h>

#include "agent_time.h"
#include "alerts.h"
#include "cache.h"
#include "fetch.h"
#include "inbox.h"
#include "libtocsin/turn.h"
#include "link.h"
#include "park.h"
#include "request.h"
#include "retain.h"
#include "state.h"
#include "trust_keep.h"

#define IDLE_MS 60000u /* a tick at least this often */
#define ROUNDS 64u     /* of jobs in one turn; what is left waits for the next */
#define REFUSED_MS 30000u
#define KEEP_MOST_MS (100 * 366 * (uint64_t)TCN_DAY_MS)

/* ---- the store's own records ---- */

#define COUNTS (sizeof(tcn_agent_counts) / sizeof(uint64_t))

static tcn_err save_counts(tcn_agent *a)
{
    uint8_t bytes[COUNTS * 8];
    size_t at = 0;
#define X(name)                                                                                    \
    tcn_agent_put_u64(bytes + at, a->next.counts.name);                                            \
    at += 8;
    TCN_AGENT_COUNTS(X)
#undef X
    tcn_agent_key key = tcn_agent_key_of('n');
    return tcn_agent_put(a, &key, tcn_bytes_of(bytes, at));
}

/* What one entry adds to the counts. */
static void count_entry(tcn_agent_counts *counts, char table, tcn_bytes value)
{
    tcn_agent_record record;
    tcn_agent_fetch fetch;
    switch (table) {
    case 'A':
        counts->held++;
        if (tcn_agent_record_decode(value, &record) == TCN_OK && tcn_agent_is_unacked(&record))
            counts->unacked++;
        break;
    case 'F':
        counts->to_fetch++;
        if (tcn_agent_fetch_decode(value, &fetch) == TCN_OK)
            counts->fetch_bytes += fetch.size;
        break;
    case 'O': counts->outbox++; break;
    case 'J': counts->reports++; break;
    default: break;
    }
}

/* The counts of a store whose record of them is lost. */
static tcn_err recount(tcn_agent *a)
{
    tcn_agent_counts *counts = &a->next.counts;
    for (const char *table = "AFOJI"; *table != '\0'; table++) {
        tcn_agent_key prefix = tcn_agent_key_of(*table), key;
        tcn_bytes value;
        tcn_err err = tcn_agent_first(a, &prefix, NULL, &key, &value);
        for (; err == TCN_OK; err = tcn_agent_first(a, &prefix, &key, &key, &value)) {
            count_entry(counts, *table, value);
            if (*table == 'I' && key.len == 9)
                counts->serial = tcn_agent_get_u64(key.b + 1);
            if (*table == 'O' && key.len == 9)
                counts->outbox_serial = tcn_agent_get_u64(key.b + 1);
        }
        if (err != TCN_NOT_FOUND)
            return err;
    }
    return save_counts(a);
}

static tcn_err load_counts(tcn_agent *a)
{
    tcn_agent_key key = tcn_agent_key_of('n');
    tcn_bytes value;
    tcn_err err = tcn_agent_get(a, &key, &value);
    if (err == TCN_NOT_FOUND || (err == TCN_OK && value.len != COUNTS * 8))
        return recount(a);
    if (err != TCN_OK)
        return err;
    const uint8_t *at = value.ptr;
#define X(name)                                                                                    \
    a->next.counts.name = tcn_agent_get_u64(at);                                                   \
    at += 8;
    TCN_AGENT_COUNTS(X)
#undef X
    return TCN_OK;
}

/* layout u8, program 16, instance 16, n+member */
static tcn_err found(tcn_agent *a)
{
    uint8_t bytes[34 + TCN_MAX_NAME_CHARS] = {TCN_AGENT_LAYOUT};
    size_t len = strlen(a->member);
    a->ports.random.fill(a->ports.random.self, a->instance.b, sizeof a->instance.b);
    memcpy(bytes + 1, a->program.b, 16);
    memcpy(bytes + 17, a->instance.b, 16);
    bytes[33] = (uint8_t)len;
    memcpy(bytes + 34, a->member, len);
    tcn_agent_key key = tcn_agent_key_of('m');
    return tcn_agent_put(a, &key, tcn_bytes_of(bytes, 34 + len));
}

static tcn_err check_owner(tcn_agent *a, tcn_fault *fault)
{
    tcn_agent_key key = tcn_agent_key_of('m');
    tcn_bytes value;
    tcn_err err = tcn_agent_get(a, &key, &value);
    if (err == TCN_NOT_FOUND && a->is_damaged)
        return tcn_fault_set(fault, TCN_MALFORMED, "the store's first record is damaged");
    if (err == TCN_NOT_FOUND)
        err = found(a);
    else if (err == TCN_OK && (value.len < 34 || value.len != 34u + value.ptr[33]))
        return tcn_fault_set(fault, TCN_MALFORMED, "the store's first record is damaged");
    else if (err == TCN_OK && value.ptr[0] != TCN_AGENT_LAYOUT)
        return tcn_fault_set(fault, TCN_VERSION, "the store is of another version (layout %u)",
                             value.ptr[0]);
    else if (err == TCN_OK && (memcmp(value.ptr + 1, a->program.b, 16) != 0 ||
                               !tcn_bytes_equal(tcn_bytes_of(value.ptr + 34, value.ptr[33]),
                                                tcn_bytes_str(a->member))))
        return tcn_fault_set(fault, TCN_CONFLICT,
                             "the store belongs to another member or program; use another home");
    else if (err == TCN_OK)
        memcpy(a->instance.b, value.ptr + 17, 16);
    return err == TCN_OK
               ? TCN_OK
               : tcn_fault_set(fault, err, "the store cannot be used: %s", tcn_err_text(err));
}

/* ---- new, destroy ---- */

static tcn_err copy_config(tcn_agent *a, const tcn_agent_config *config,
                           const tcn_agent_identity *identity, tcn_fault *fault)
{
    a->config = *config;
    a->config.subscribe = NULL;
    if (config->subscriptions > TCN_MAX_PATTERNS)
        return tcn_fault_set(fault, TCN_INVALID, "more than %u subscriptions", TCN_MAX_PATTERNS);
    if (a->config.keep_ms > KEEP_MOST_MS)
        a->config.keep_ms = KEEP_MOST_MS;
    memcpy(a->member, identity->member, sizeof a->member);
    a->member[sizeof a->member - 1] = '\0';
    a->authority = identity->authority;
    a->program = tcn_kid(&identity->authority);
    a->secrets = identity->secrets;
    a->scratch = malloc(TCN_MAX_FRAME_BYTES);
    if (config->subscriptions > 0) {
        size_t size = config->subscriptions * sizeof *config->subscribe;
        a->config.subscribe = malloc(size);
        if (a->config.subscribe)
            memcpy(a->config.subscribe, config->subscribe, size);
    }
    if (!a->scratch || (config->subscriptions > 0 && !a->config.subscribe))
        return tcn_fault_set(fault, TCN_NO_MEMORY, "out of memory");
    return TCN_OK;
}

static tcn_err recover(tcn_agent *a, const tcn_agent_identity *identity, tcn_fault *fault)
{
    const tcn_store *store = &a->ports.store;
    tcn_err err = store->ops->begin(store->self, TCN_TXN_WRITE);
    if (err != TCN_OK)
        return tcn_fault_set(fault, err, "the store cannot be opened: %s", tcn_err_text(err));
    err = check_owner(a, fault);
    if (err == TCN_OK && (err = load_counts(a)) != TCN_OK)
        (void)tcn_fault_set(fault, err, "the store cannot be read");
    if (err == TCN_OK)
        err = tcn_agent_trust_load(a, identity, fault);
    if (err == TCN_OK && (err = store->ops->commit(store->self)) != TCN_OK)
        (void)tcn_fault_set(fault, err, "the store cannot be written: %s", tcn_err_text(err));
    if (err != TCN_OK)
        store->ops->abort(store->self);
    return err;
}

tcn_err tcn_agent_new(const tcn_ports *ports, const tcn_agent_config *config,
                      const tcn_agent_identity *identity, tcn_agent **ret_agent, tcn_fault *fault)
{
    tcn_agent *a = calloc(1, sizeof *a);
    if (!a)
        return tcn_fault_set(fault, TCN_NO_MEMORY, "out of memory");
    a->ports = *ports;
    a->effects_end = &a->effects;
    a->parked_end = &a->parked;
    a->wall = ports->clock.wall(ports->clock.self);
    a->mono = a->started = a->wake = ports->clock.mono(ports->clock.self);
    tcn_err err = copy_config(a, config, identity, fault);
    if (err == TCN_OK)
        err = recover(a, identity, fault);
    if (err != TCN_OK) {
        tcn_agent_destroy(&a);
        return err;
    }
    a->now = a->next;
    tcn_agent_effects_run(a);
    *ret_agent = a;
    return TCN_OK;
}

void tcn_agent_destroy(tcn_agent **agent)
{
    tcn_agent *a = *agent;
    if (!a)
        return;
    tcn_agent_inbox_fini(a);
    tcn_agent_effects_drop(a);
    tcn_agent_park_fini(a);
    tcn_agent_bundle_drop(&a->bundle);
    tcn_agent_bundle_drop(&a->bundle_next);
    tcn_secrets_fini(&a->secrets);
    free(a->decoded);
    free(a->pieces);
    free(a->config.subscribe);
    free(a->scratch);
    free(a);
    *agent = NULL;
}

/* ---- the turn ---- */

static bool is_link(const tcn_agent *a, tcn_peer peer)
{
    return peer < TCN_AGENT_LINKS && a->next.broker[peer / TCN_LANES].name[0] != '\0';
}

static tcn_err apply_input(tcn_agent *a, const tcn_agent_input *input)
{
    unsigned link = is_link(a, input->peer) ? (unsigned)input->peer : TCN_AGENT_LINKS;
    bool has_link = link < TCN_AGENT_LINKS;
    switch (input->kind) {
    case TCN_AGENT_FRAME: return has_link ? tcn_agent_link_frame(a, link, input->frame) : TCN_OK;
    case TCN_AGENT_LINK_UP: return has_link ? tcn_agent_link_up(a, link) : TCN_OK;
    case TCN_AGENT_LINK_DOWN: return has_link ? tcn_agent_link_down(a, link, input->text) : TCN_OK;
    case TCN_AGENT_LOCAL: return tcn_agent_request_take(a, input->peer, input->frame);
    case TCN_AGENT_LOCAL_GONE: return tcn_agent_request_gone(a, input->peer);
    case TCN_AGENT_BLOB: return tcn_agent_fetch_blob(a, &input->blob);
    case TCN_AGENT_DISK: tcn_agent_fetch_disk(a); return TCN_OK;
    case TCN_AGENT_TICK: return tcn_agent_retain(a);
    }
    return TCN_OK;
}

static tcn_err apply_job(tcn_agent *a, const tcn_agent_job *job)
{
    switch (job->kind) {
    case TCN_JOB_PARKED: return tcn_agent_park_retry(a, job->parked);
    case TCN_JOB_BODY_WHOLE: return tcn_agent_cache_body_here(a, &job->id);
    case TCN_JOB_BODY_FAILED: return tcn_agent_fetch_failed(a, &job->id, job->err);
    }
    return TCN_OK;
}

static tcn_err apply(void *core, size_t i)
{
    tcn_agent *a = core;
    tcn_agent_counts before = a->next.counts;
    tcn_err err = a->in_jobs ? apply_job(a, &a->job[i]) : apply_input(a, &a->inputs[i]);
    if (err == TCN_OK && memcmp(&before, &a->next.counts, sizeof before) != 0)
        err = save_counts(a);
    return err;
}

/* Something that can be fetched may have come, or somebody to fetch it from. */
static bool may_fetch(const tcn_agent *a)
{
    if (a->next.counts.to_fetch > a->now.counts.to_fetch)
        return true;
    for (unsigned link = 0; link < TCN_AGENT_LINKS; link += TCN_LANES)
        if (a->next.link[link].state == TCN_LINK_SERVED &&
            a->now.link[link].state != TCN_LINK_SERVED)
            return true;
    return false;
}

static void settle(void *core)
{
    tcn_agent *a = core;
    if (may_fetch(a))
        a->fetch_search_at.ms = 0;
    if (a->bundle_next) {
        tcn_agent_bundle_drop(&a->bundle);
        a->bundle = a->bundle_next;
        a->bundle_next = NULL;
    }
    a->now = a->next;
    tcn_agent_effects_run(a);
    tcn_agent_park_recount(a);
    a->next = a->now;
}

static void discard(void *core)
{
    tcn_agent *a = core;
    tcn_agent_effects_drop(a);
    tcn_agent_bundle_drop(&a->bundle_next);
    a->next = a->now;
}

/* What was in a frame that could not be stored must come again. */
static void refuse_frame(tcn_agent *a, unsigned link, tcn_bytes frame)
{
    tcn_wire wire;
    if (tcn_wire_decode(frame, &wire) != TCN_OK)
        return;
    switch (wire.op) {
    case TCN_OP_ALERTS: tcn_agent_link_gap(a, link, wire.alerts.lane, TCN_AGENT_FULL_MS); break;
    case TCN_OP_WELCOME:
    case TCN_OP_GENERATION:
    case TCN_OP_TRUST:
        tcn_agent_link_gap(a, link, TCN_LANE_BULK, TCN_AGENT_FULL_MS);
        tcn_agent_link_gap(a, link, TCN_LANE_EMERGENCY, TCN_AGENT_FULL_MS);
        break;
    default: break; /* a confirmation: what it confirms is said again */
    }
}

static void refuse_input(tcn_agent *a, const tcn_agent_input *input, tcn_err err)
{
    bool has_link = is_link(a, input->peer);
    switch (input->kind) {
    case TCN_AGENT_FRAME:
        if (has_link)
            refuse_frame(a, (unsigned)input->peer, input->frame);
        break;
    case TCN_AGENT_LINK_UP: /* it is up all the same, and nobody will say so again */
        if (has_link)
            a->next.link[input->peer].wants_cut = true;
        break;
    case TCN_AGENT_LINK_DOWN:
        if (has_link)
            tcn_agent_link_cut_now(a, (unsigned)input->peer);
        break;
    case TCN_AGENT_LOCAL: tcn_agent_request_refuse(a, input->peer, input->frame, err); break;
    case TCN_AGENT_BLOB: tcn_agent_fetch_refuse(a, &input->blob.id); break;
    case TCN_AGENT_TICK: a->next.retain_at.ms = a->mono.ms + REFUSED_MS; break;
    case TCN_AGENT_LOCAL_GONE:
    case TCN_AGENT_DISK: break;
    }
}

static void refuse(void *core, size_t i, tcn_err err)
{
    tcn_agent *a = core;
    tcn_agent_note(a->next.error, err == TCN_FULL ? "the store is full: alerts wait at the broker"
                                                  : "nothing can be stored: out of memory");
    tcn_agent_log(a, TCN_AGENT_EVENT_NOT_STORED, "%s", tcn_err_text(err));
    if (!a->in_jobs)
        refuse_input(a, &a->inputs[i], err);
    else if (a->job[i].kind == TCN_JOB_PARKED)
        tcn_agent_park_refuse(a, a->job[i].parked);
    else
        tcn_agent_fetch_refuse(a, &a->job[i].id);
}

/* What comes on one link stays in its order: links are urgent as a whole. */
static bool is_urgent(void *core, size_t i)
{
    const tcn_agent *a = core;
    if (a->in_jobs)
        return a->job[i].kind == TCN_JOB_PARKED && a->job[i].parked->lane == TCN_LANE_EMERGENCY;
    const tcn_agent_input *input = &a->inputs[i];
    switch (input->kind) {
    case TCN_AGENT_FRAME:
    case TCN_AGENT_LINK_UP:
    case TCN_AGENT_LINK_DOWN:
        return input->peer < TCN_AGENT_LINKS && (a->urgent_links >> input->peer & 1) != 0;
    default: return false;
    }
}

static const tcn_turn_ops turn_ops = {
    .apply = apply, .settle = settle, .discard = discard, .refuse = refuse, .is_urgent = is_urgent};

/* As the turn begins: within it the answer must not change, or an input were replayed twice. */
static unsigned urgent_links(const tcn_agent *a)
{
    unsigned links = 0;
    for (unsigned link = 0; link < TCN_AGENT_LINKS; link++)
        if (a->now.link[link].lanes & 1u << TCN_LANE_EMERGENCY)
            links |= 1u << link;
    return links;
}

static void pump(tcn_agent *a)
{
    tcn_agent_links_pump(a);
    tcn_agent_trust_pump(a);
    tcn_agent_fetch_pump(a);
    tcn_agent_inbox_pump(a);
    tcn_wall settled;
    if (a->is_damaged) {
        tcn_agent_note(a->now.error, "the store has damaged records");
        tcn_log_event_write(&a->ports.log, tcn_agent_event_of(TCN_AGENT_EVENT_RECORD_DAMAGED),
                            a->now.error);
        a->is_damaged = false;
    }
    a->next = a->now;
    if (tcn_agent_settled_time(a, &settled))
        tcn_agent_wake_at(a, a->now.retain_at);
}

static tcn_err run_jobs(tcn_agent *a)
{
    bool replayed;
    size_t count = a->jobs;
    a->in_jobs = true;
    tcn_err err = tcn_turn_run(&turn_ops, a, &a->ports.store, count, &replayed);
    a->in_jobs = false;
    a->jobs -= count;
    memmove(a->job, a->job + count, a->jobs * sizeof a->job[0]);
    return err;
}

tcn_err tcn_agent_turn(tcn_agent *agent, const tcn_agent_input *inputs, size_t count)
{
    tcn_agent *a = agent;
    bool replayed;
    a->wall = a->ports.clock.wall(a->ports.clock.self);
    a->mono = a->ports.clock.mono(a->ports.clock.self);
    a->wake.ms = a->mono.ms + IDLE_MS;
    a->next = a->now;
    a->urgent_links = urgent_links(a);
    a->inputs = inputs;
    tcn_err err = tcn_turn_run(&turn_ops, a, &a->ports.store, count, &replayed);
    a->inputs = NULL;
    for (unsigned round = 0; err == TCN_OK; round++) {
        (void)tcn_agent_park_jobs(a);
        if (a->jobs == 0 || round == ROUNDS)
            pump(a);
        if (a->jobs == 0)
            break;
        if (round == ROUNDS) {
            tcn_agent_wake_at(a, a->mono);
            a->jobs = 0;
            break;
        }
        err = run_jobs(a);
    }
    return err;
}

tcn_mono tcn_agent_deadline(const tcn_agent *agent)
{
    return agent->wake;
}

const tcn_bundle *tcn_agent_bundle(const tcn_agent *agent)
{
    return agent->bundle;
}

bool tcn_agent_take_reconnect(tcn_agent *agent, tcn_peer *ret_peer)
{
    for (unsigned link = 0; link < TCN_AGENT_LINKS; link++)
        if (agent->now.link[link].wants_cut) {
            agent->now.link[link].wants_cut = false;
            *ret_peer = link;
            return true;
        }
    return false;
}
