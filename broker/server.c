/* SPDX-License-Identifier: Apache-2.0 */
/* server.c - see server.h. */
#include "server.h"

#include <errno.h>
#include <inttypes.h>
#include <malloc.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <zmq.h>

#include "auth/zap.h"
#include "core/log_events.h"
#include "libtocsin/curve.h"
#include "libtocsin/file.h"
#include "libtocsin/home.h"
#include "libtocsin/os/body_files.h"
#include "libtocsin/os/log_limit.h"
#include "libtocsin/os/process.h"
#include "libtocsin/os/store_lmdb.h"
#include "libtocsin/os/sys_clock.h"
#include "libtocsin/os/sys_random.h"
#include "libtocsin/wire.h"
#include "net.h"
#include "pace.h"
#include "tocsin/version.h"
#include "trust_watch.h"

enum {
    FRAMES = TCN_LANES * TCN_MAX_TURN_FRAMES,
    GONES = 256,
    BLOBS = 64,
    INPUTS = FRAMES + GONES + BLOBS + 2, /* trust and tick */
    TRIM_FRAMES = 10000,
    QUIET_PEERS = 4, /* a second, one frame for so many */
    GATHER_STEPS = 6,
    GATHER_STEP_NS = 500000,
    TEND_MS = 1000, /* sweep, refusals, watchdog */
    STATUS_TENDS = 5,
    STORE_TENDS = 60
};

enum { ITEM_SIGNAL = TCN_BROKER_NET_SOCKETS, ITEM_ZAP, ITEM_TRUST, ITEM_BODIES, ITEMS };

struct tcn_broker_server {
    tcn_broker_server_options options;
    tcn_log_limit log_limit;
    tcn_log log;
    tcn_clock clock;
    tcn_random random;
    tcn_broker_home home;
    bool has_home;
    tcn_store_lmdb *store;
    tcn_body_files *bodies;
    void *context;
    tcn_zap *zap;
    tcn_broker_net *net;
    tcn_trust_watch *trust;
    tcn_broker *core;
    uint64_t trust_version; /* that ZAP has */
    bool importing;         /* a trust file that an operator sent is being verified */
    char bound[TCN_LANES][TCN_ADDRESS_SIZE];
    tcn_broker_input input[INPUTS];
    tcn_peer gone[GONES];
    tcn_pace pace;
    uint64_t tend_at_ms, tends;
    uint64_t frames_out, frames_since_trim; /* counted at each tend */
    bool stop, more;
};

static uint64_t now_ms(const tcn_broker_server *s)
{
    return s->clock.mono(s->clock.self).ms;
}

static void say(const tcn_broker_server *s, tcn_event event, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static void say(const tcn_broker_server *s, tcn_event event, const char *format, ...)
{
    char text[512];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    tcn_log_event_write(&s->log, tcn_event_of(event), text);
}

/* ---- opening ---- */

static tcn_err open_state(tcn_broker_server *s, tcn_fault *fault)
{
    const tcn_broker_settings *settings = s->options.settings;
    char state[TCN_HOME_PATH_SIZE];
    if (tcn_path_join(s->options.home, TCN_HOME_STATE, state, sizeof(state)) != TCN_OK)
        return tcn_fault_set(fault, TCN_TOO_LARGE, "%s: the path is too long", s->options.home);
    const tcn_store_lmdb_options options = {
        .dir = state, .map_bytes = settings->store_bytes, .ballast_bytes = settings->ballast_bytes};
    tcn_err err = tcn_store_lmdb_open(&options, &s->store, fault);
    if (err == TCN_OK)
        err = tcn_body_files_open(state, TCN_BODY_QUEUE_BYTES, &s->bodies, fault);
    if (err == TCN_OK && !tcn_store_lmdb_has_ballast(s->store) && settings->ballast_bytes > 0)
        say(s, TCN_EVENT_NO_BALLAST, "the disk has no room for the ballast: free some");
    return err;
}

static tcn_err open_network(tcn_broker_server *s, tcn_fault *fault)
{
    tcn_err err = tcn_curve_context((int)s->options.settings->io_threads, &s->context, fault);
    if (err == TCN_OK)
        err = tcn_zap_start(s->context, s->home.roster, &s->clock, &s->zap, fault);
    if (err == TCN_OK)
        err = tcn_broker_net_new(s->context, &s->home.keys.secrets.transport, &s->clock, &s->log,
                                 &s->net, fault);
    s->trust_version = tcn_roster_version(s->home.roster);
    return err;
}

static tcn_err open_core(tcn_broker_server *s, tcn_fault *fault)
{
    const tcn_ports ports = {.clock = s->clock,
                             .random = s->random,
                             .store = tcn_store_lmdb_port(s->store),
                             .blob = tcn_body_files_port(s->bodies),
                             .net = tcn_broker_net_port(s->net),
                             .log = s->log};
    tcn_broker_config config;
    tcn_broker_settings_core(s->options.settings, &config);
    (void)snprintf(config.name, sizeof(config.name), "%s", s->home.keys.name);
    config.version = TOCSIN_VERSION;
    return tcn_broker_new(&ports, &config, s->home.roster, &s->core, fault);
}

static tcn_err listen_all(tcn_broker_server *s, tcn_lane endpoint, const tcn_config_list *places,
                          tcn_fault *fault)
{
    tcn_err err = TCN_OK;
    for (size_t i = places->count; i-- > 0 && err == TCN_OK;) /* the first one's text stays */
        err = tcn_broker_net_listen(s->net, endpoint, places->items[i], s->bound[endpoint], fault);
    return err;
}

static tcn_err open_all(tcn_broker_server *s, tcn_fault *fault)
{
    tcn_err err = tcn_sys_random(&s->random);
    if (err != TCN_OK)
        return tcn_fault_set(fault, err, "the system has no random numbers to be trusted");
    err = tcn_broker_home_open(s->options.home, &s->home, fault);
    if (err != TCN_OK)
        return err;
    s->has_home = true;
    err = open_state(s, fault);
    if (err == TCN_OK)
        err = open_network(s, fault);
    if (err == TCN_OK)
        err = open_core(s, fault);
    if (err == TCN_OK)
        err = tcn_trust_watch_open(&s->home, s->trust_version, &s->trust, fault);
    /* Only now may anybody come: the handler is there, the state is whole. */
    if (err == TCN_OK)
        err = listen_all(s, TCN_LANE_EMERGENCY, &s->options.settings->listen_emergency, fault);
    if (err == TCN_OK)
        err = listen_all(s, TCN_LANE_BULK, &s->options.settings->listen_session, fault);
    return err;
}

tcn_err tcn_broker_server_new(const tcn_broker_server_options *options,
                              tcn_broker_server **ret_server, tcn_fault *fault)
{
    tcn_broker_server *s = calloc(1, sizeof(*s));
    if (s == NULL)
        return tcn_fault_set(fault, TCN_NO_MEMORY, "out of memory");
    s->options = *options;
    s->clock = tcn_sys_clock();
    tcn_log_limit_init(&s->log_limit, tcn_log_out_port(options->log), s->clock);
    s->log = tcn_log_limit_port(&s->log_limit);
    tcn_pace_init(&s->pace);
    tcn_err err = open_all(s, fault);
    if (err != TCN_OK) {
        tcn_broker_server_destroy(&s);
        return err;
    }
    *ret_server = s;
    return TCN_OK;
}

void tcn_broker_server_destroy(tcn_broker_server **server)
{
    tcn_broker_server *s = *server;
    if (s == NULL)
        return;
    tcn_broker_destroy(&s->core);
    tcn_trust_watch_close(&s->trust);
    tcn_broker_net_destroy(&s->net);
    tcn_zap_stop(&s->zap);
    if (s->context != NULL)
        (void)zmq_ctx_term(s->context);
    tcn_body_files_destroy(&s->bodies);
    tcn_store_lmdb_destroy(&s->store);
    if (s->has_home)
        tcn_broker_home_fini(&s->home);
    tcn_log_limit_fini(&s->log_limit);
    free(s);
    *server = NULL;
}

/* ---- a turn ---- */

/* Processor time of this thread; 0 if the system does not say. */
static uint64_t cpu_us(void)
{
    struct timespec used = {0, 0};
    (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &used);
    return (uint64_t)used.tv_sec * 1000000 + (uint64_t)used.tv_nsec / 1000;
}

static bool is_receipt(tcn_bytes frame)
{
    return frame.len > 1 && frame.ptr[0] == 0x85 && frame.ptr[1] == TCN_OP_RECEIPT;
}

/* Nobody waits for what a receipt does: while there are only receipts, those of the next moment may
 * share their commit. Whatever else comes ends that within a step. */
static size_t gather_receipts(tcn_broker_server *s, const tcn_broker_net_frame **frames,
                              size_t count)
{
    const struct timespec step = {.tv_nsec = GATHER_STEP_NS};
    size_t looked = 0, before = 0;
    for (int i = 0; i < GATHER_STEPS && count > before && !s->more; i++) {
        while (looked < count && is_receipt((*frames)[looked].frame))
            looked++;
        if (looked < count)
            break;
        before = count;
        (void)nanosleep(&step, NULL);
        count = tcn_broker_net_read_on(s->net, frames, &s->more);
    }
    return count;
}

static size_t take_frames(tcn_broker_server *s, size_t at)
{
    const tcn_broker_net_frame *frames;
    tcn_broker_net_pace(s->net, s->pace.frames);
    size_t count = tcn_broker_net_read(s->net, &frames, &s->more);
    count = gather_receipts(s, &frames, count);
    for (size_t i = 0; i < count; i++)
        s->input[at++] = (tcn_broker_input){.kind = TCN_IN_FRAME,
                                            .endpoint = frames[i].endpoint,
                                            .peer = frames[i].peer,
                                            .member = frames[i].member,
                                            .frame = frames[i].frame};
    return at;
}

static size_t take_gones(tcn_broker_server *s, size_t at)
{
    size_t count = tcn_broker_net_gone(s->net, s->gone, GONES);
    s->more = s->more || count == GONES;
    for (size_t i = 0; i < count; i++)
        s->input[at++] = (tcn_broker_input){.kind = TCN_IN_GONE, .peer = s->gone[i]};
    return at;
}

static size_t take_blobs(tcn_broker_server *s, size_t at)
{
    tcn_blob_done done;
    size_t count = 0;
    for (; count < BLOBS && tcn_body_files_take(s->bodies, &done); count++)
        s->input[at++] = (tcn_broker_input){.kind = TCN_IN_BLOB, .blob = done};
    s->more = s->more || count == BLOBS;
    return at;
}

/* A newer roster goes to ZAP first: who is cut in this turn must not get in again. */
static size_t take_trust(tcn_broker_server *s, size_t at, tcn_roster **ret_roster)
{
    tcn_fault fault = {.err = TCN_OK};
    tcn_err err = tcn_trust_watch_take(s->trust, ret_roster, &fault);
    if (err == TCN_OK) {
        s->trust_version = tcn_roster_version(*ret_roster);
        tcn_zap_set_roster(s->zap, *ret_roster);
        s->input[at++] = (tcn_broker_input){.kind = TCN_IN_TRUST, .roster = *ret_roster};
    } else if (err != TCN_NOT_FOUND) {
        say(s, TCN_EVENT_TRUST_REFUSED, "%s; the trust of version %" PRIu64 " stays in force",
            fault.text, s->trust_version);
    }
    return at;
}

/* Trust that an operator sent goes the way of a file put into the home. Before a turn: how that
 * went; after it: begin, so that nobody waits for the next event. */
static void end_import(tcn_broker_server *s)
{
    tcn_fault fault = {.err = TCN_OK, .text = ""};
    if (!s->importing || !tcn_trust_watch_take_import(s->trust, &fault))
        return;
    s->importing = false;
    tcn_broker_roster_put_done(s->core, fault.err, fault.text);
}

static void begin_import(tcn_broker_server *s)
{
    tcn_bytes file;
    if (s->importing || !tcn_broker_take_roster_put(s->core, &file))
        return;
    tcn_err err = tcn_trust_watch_import(s->trust, file);
    if (err != TCN_OK)
        tcn_broker_roster_put_done(s->core, err, tcn_err_text(err));
    s->importing = err == TCN_OK;
}

static tcn_err turn(tcn_broker_server *s, tcn_fault *fault)
{
    tcn_roster *roster = NULL;
    uint64_t begun_us = cpu_us();
    end_import(s);
    size_t count = take_frames(s, 0), frames = count;
    bool left = s->more;
    count = take_gones(s, count);
    count = take_blobs(s, count);
    count = take_trust(s, count, &roster);
    if (tcn_broker_deadline(s->core).ms <= now_ms(s))
        s->input[count++] = (tcn_broker_input){.kind = TCN_IN_TICK};
    tcn_err err = count > 0 ? tcn_broker_turn(s->core, s->input, count) : TCN_OK;
    tcn_roster_unref(&roster);
    begin_import(s);
    tcn_pace_turn(&s->pace, frames, cpu_us() - begun_us, left);
    if (err == TCN_OK)
        return TCN_OK;
    const tcn_fault *cause = tcn_store_lmdb_fault(s->store);
    return tcn_fault_set(fault, err, "the store failed, nothing of this turn was said: %s",
                         cause->text[0] != '\0' ? cause->text : tcn_err_text(err));
}

/* ---- now and then ---- */

static void report_refusals(tcn_broker_server *s)
{
    tcn_zap_refusals refusals;
    tcn_zap_take_refusals(s->zap, &refusals);
    if (refusals.count == 0)
        return;
    char key[2 * sizeof(refusals.key.b) + 1] = "";
    if (refusals.has_key)
        tcn_hex(refusals.key.b, sizeof(refusals.key.b), key);
    say(s, TCN_EVENT_CONNECTION_REFUSED,
        "%" PRIu64 " refused, the last from %s: %s%s%s (%" PRIu64 " so far)", refusals.count,
        refusals.address, refusals.why, refusals.has_key ? ", key " : "", key, refusals.total);
}

static void report_status(const tcn_broker_server *s)
{
    tcn_broker_stats stats;
    char text[256];
    tcn_broker_stats_get(s->core, &stats);
    (void)snprintf(text, sizeof(text),
                   "%" PRIu64 " nodes and %" PRIu64 " clients connected; seq %" PRIu64
                   " bulk, %" PRIu64 " emergency; %" PRIu64 " held; trust version %" PRIu64,
                   stats.nodes_connected, stats.clients_connected, stats.seq[TCN_LANE_BULK],
                   stats.seq[TCN_LANE_EMERGENCY], stats.held, s->trust_version);
    (void)tcn_notify_status(s->options.notify, text);
}

static bool has_session(void *arg, tcn_peer peer)
{
    return tcn_broker_has_session(arg, peer);
}

/* A flood leaves the heap as large as its window for all nodes was. What is free of it goes back to
 * the system in the first quiet second, once: it took 3 ms for 100 nodes, 31 for 1,000. */
static void give_memory_back(tcn_broker_server *s)
{
#ifdef __GLIBC__
    tcn_broker_net_stats stats;
    tcn_broker_net_stats_get(s->net, &stats);
    uint64_t sent = stats.frames_out - s->frames_out;
    s->frames_out = stats.frames_out;
    s->frames_since_trim += sent;
    bool quiet = sent <= stats.peers / QUIET_PEERS + 1; /* heartbeats are answered always */
    if (!quiet || s->frames_since_trim < TRIM_FRAMES)
        return;
    s->frames_since_trim = 0;
    (void)malloc_trim(0);
#endif
}

static void tend(tcn_broker_server *s)
{
    if (now_ms(s) < s->tend_at_ms)
        return;
    s->tend_at_ms = now_ms(s) + TEND_MS;
    tcn_broker_net_sweep(s->net);
    tcn_broker_net_cut_strangers(s->net, has_session, s->core);
    report_refusals(s);
    give_memory_back(s);
    if (tcn_store_lmdb_take_ballast_released(s->store))
        say(s, TCN_EVENT_BALLAST_RELEASED,
            "the disk is full: the ballast was given up, so that emergencies still have room; "
            "free some space");
    if (s->tends % STORE_TENDS == 0)
        tcn_store_lmdb_tend(s->store);
    if (s->tends % STATUS_TENDS == 0)
        report_status(s);
    s->tends++;
    (void)tcn_notify_watchdog(s->options.notify);
}

/* What can change in a running broker: the log level. */
static void reload(tcn_broker_server *s)
{
    tcn_broker_settings settings;
    tcn_fault fault;
    (void)tcn_notify_reloading(s->options.notify);
    if (tcn_broker_settings_read(s->options.home, &settings, &fault) == TCN_OK) {
        s->options.log->least = (tcn_level)settings.log_level;
        tcn_broker_settings_fini(&settings);
        say(s, TCN_EVENT_CONFIG_READ, "log-level is in force; the rest needs a restart");
    } else {
        say(s, TCN_EVENT_CONFIG_REFUSED, "%s; the settings stay as they are", fault.text);
    }
    tcn_trust_watch_look(s->trust);
    (void)tcn_notify_ready(s->options.notify, NULL);
}

static void take_signals(tcn_broker_server *s)
{
    int number;
    while ((number = tcn_process_take_signal(s->options.signal_fd)) != 0) {
        if (number == SIGHUP)
            reload(s);
        else
            s->stop = true;
    }
}

/* ---- the loop ---- */

static long time_to_wait(const tcn_broker_server *s)
{
    uint64_t deadline_ms = tcn_broker_deadline(s->core).ms;
    uint64_t now = now_ms(s);
    if (s->tend_at_ms < deadline_ms)
        deadline_ms = s->tend_at_ms;
    if (s->more || deadline_ms <= now)
        return 0;
    return (long)(deadline_ms - now); /* TEND_MS at most */
}

static void watch_for(tcn_broker_server *s, zmq_pollitem_t items[static ITEMS])
{
    void *socket[TCN_BROKER_NET_SOCKETS];
    tcn_broker_net_sockets(s->net, socket);
    for (int i = 0; i < TCN_BROKER_NET_SOCKETS; i++)
        items[i] = (zmq_pollitem_t){.socket = socket[i], .events = ZMQ_POLLIN};
    items[ITEM_SIGNAL] = (zmq_pollitem_t){.fd = s->options.signal_fd, .events = ZMQ_POLLIN};
    items[ITEM_ZAP] = (zmq_pollitem_t){.fd = tcn_zap_fd(s->zap), .events = ZMQ_POLLIN};
    items[ITEM_TRUST] = (zmq_pollitem_t){.fd = tcn_trust_watch_fd(s->trust), .events = ZMQ_POLLIN};
    items[ITEM_BODIES] = (zmq_pollitem_t){.fd = tcn_body_files_fd(s->bodies), .events = ZMQ_POLLIN};
}

tcn_err tcn_broker_server_run(tcn_broker_server *s, tcn_fault *fault)
{
    zmq_pollitem_t items[ITEMS];
    watch_for(s, items);
    (void)fprintf(stderr, "ready session=%s emergency=%s\n", s->bound[TCN_LANE_BULK],
                  s->bound[TCN_LANE_EMERGENCY]);
    (void)tcn_notify_ready(s->options.notify, "listening");
    while (!s->stop) {
        if (zmq_poll(items, ITEMS, time_to_wait(s)) < 0 && zmq_errno() != EINTR)
            return tcn_fault_set(fault, TCN_IO, "zmq_poll: %s", zmq_strerror(zmq_errno()));
        if (items[ITEM_ZAP].revents != 0)
            return tcn_fault_set(fault, TCN_IO, "the ZAP handler ended: nobody could get in");
        take_signals(s);
        tcn_err err = s->stop ? TCN_OK : turn(s, fault);
        if (err != TCN_OK)
            return err;
        tend(s);
    }
    (void)tcn_notify_stopping(s->options.notify);
    return TCN_OK;
}
