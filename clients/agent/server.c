/* SPDX-License-Identifier: Apache-2.0 */
/* server.c - see server.h. */
#include "server.h"

#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zmq.h>

#include "core/log_events.h"
#include "libtocsin/curve.h"
#include "libtocsin/file.h"
#include "libtocsin/home.h"
#include "libtocsin/limits.h"
#include "libtocsin/os/body_files.h"
#include "libtocsin/os/log_limit.h"
#include "libtocsin/os/process.h"
#include "libtocsin/os/store_lmdb.h"
#include "libtocsin/os/sys_clock.h"
#include "libtocsin/os/sys_random.h"
#include "links.h"
#include "local_server.h"
#include "tocsin/version.h"

enum {
    BLOBS = 32,
    INPUTS = 2048, /* checked below against what links and local socket give at most */
    BODY_QUEUE_BYTES = 1048576,
    TEND_MS = 5000, /* status, watchdog */
    STORE_TENDS = 12,
    DISK_TENDS = 6
};

enum {
    ITEM_SIGNAL,
    ITEM_BODIES,
    ITEM_RESOLVER,
    FIXED_ITEMS,
    ITEMS = FIXED_ITEMS + TCN_LINKS_SOCKETS + TCN_LOCAL_SERVER_FDS
};

struct tcn_agent_server {
    tcn_agent_server_options options;
    tcn_log_limit log_limit;
    tcn_log log;
    tcn_clock clock;
    tcn_random random;
    tcn_member_home home;
    bool has_home;
    tcn_store_lmdb *store;
    tcn_body_files *bodies;
    void *context;
    tcn_links *links;
    tcn_local_server *local;
    tcn_agent *core;
    char (*subscriptions)[TCN_MAX_TOPIC_CHARS + 1];
    uint64_t trust_version; /* that the links follow */
    tcn_agent_input input[INPUTS];
    uint64_t tend_at_ms, tends;
    bool stop, more;
};

static uint64_t now_ms(const tcn_agent_server *s)
{
    return s->clock.mono(s->clock.self).ms;
}

static void say(const tcn_agent_server *s, tcn_agent_event event, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static void say(const tcn_agent_server *s, tcn_agent_event event, const char *format, ...)
{
    char text[512];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    tcn_log_event_write(&s->log, tcn_agent_event_of(event), text);
}

/* ---- the net port: links and local clients, told apart by their numbers ---- */

struct tcn_frame {
    size_t len;
    uint8_t bytes[];
};

static tcn_send_result port_send(void *self, tcn_peer peer, tcn_bytes frame)
{
    tcn_agent_server *s = self;
    return peer < TCN_LOCAL_PEER_FIRST ? tcn_links_send(s->links, peer, frame)
                                       : tcn_local_server_send(s->local, peer, frame);
}

static tcn_frame *port_frame_new(void *self, tcn_bytes bytes)
{
    (void)self;
    tcn_frame *frame = malloc(sizeof(*frame) + bytes.len);
    if (frame == NULL)
        return NULL;
    frame->len = bytes.len;
    if (bytes.len > 0)
        memcpy(frame->bytes, bytes.ptr, bytes.len);
    return frame;
}

static tcn_send_result port_send_frame(void *self, tcn_peer peer, tcn_frame *frame)
{
    return port_send(self, peer, tcn_bytes_of(frame->bytes, frame->len));
}

static void port_frame_release(void *self, tcn_frame *frame)
{
    (void)self;
    free(frame);
}

static void port_close(void *self, tcn_peer peer)
{
    tcn_agent_server *s = self;
    if (peer < TCN_LOCAL_PEER_FIRST)
        tcn_links_redo(s->links, peer, "closed by us");
    else
        tcn_local_server_close(s->local, peer);
}

/* ---- opening ---- */

static tcn_err open_state(tcn_agent_server *s, tcn_fault *fault)
{
    const tcn_agent_settings *settings = s->options.settings;
    char state[TCN_HOME_PATH_SIZE];
    if (tcn_path_join(s->options.home, TCN_HOME_STATE, state, sizeof(state)) != TCN_OK)
        return tcn_fault_set(fault, TCN_TOO_LARGE, "%s: the path is too long", s->options.home);
    const tcn_store_lmdb_options options = {
        .dir = state, .map_bytes = settings->store_bytes, .ballast_bytes = settings->ballast_bytes};
    tcn_err err = tcn_store_lmdb_open(&options, &s->store, fault);
    if (err == TCN_OK)
        err = tcn_body_files_open(state, BODY_QUEUE_BYTES, &s->bodies, fault);
    if (err == TCN_OK && !tcn_store_lmdb_has_ballast(s->store) && settings->ballast_bytes > 0)
        say(s, TCN_AGENT_EVENT_NO_BALLAST, "the disk has no room for the ballast: free some");
    return err;
}

static tcn_err open_network(tcn_agent_server *s, tcn_fault *fault)
{
    char path[TCN_HOME_PATH_SIZE];
    const tcn_links_config config = {.secret = &s->home.keys.secrets.transport,
                                     .socks_proxy = s->options.settings->socks_proxy,
                                     .clock = &s->clock,
                                     .random = &s->random};
    if (tcn_path_join(s->options.home, TCN_HOME_SOCKET, path, sizeof(path)) != TCN_OK)
        return tcn_fault_set(fault, TCN_TOO_LARGE, "%s: the path is too long", s->options.home);
    tcn_err err = tcn_curve_context(1, &s->context, fault);
    if (err == TCN_OK)
        err = tcn_links_new(s->context, &config, &s->links, fault);
    if (err == TCN_OK)
        err = tcn_local_server_new(path, s->options.settings->local_group, &s->clock, &s->local,
                                   fault);
    return err;
}

static tcn_err open_core(tcn_agent_server *s, tcn_fault *fault)
{
    const tcn_ports ports = {.clock = s->clock,
                             .random = s->random,
                             .store = tcn_store_lmdb_port(s->store),
                             .blob = tcn_body_files_port(s->bodies),
                             .net = {.send = port_send,
                                     .frame_new = port_frame_new,
                                     .send_frame = port_send_frame,
                                     .frame_release = port_frame_release,
                                     .close = port_close,
                                     .self = s},
                             .log = s->log};
    tcn_agent_config config = {.version = TOCSIN_VERSION};
    tcn_err err = tcn_agent_settings_core(s->options.settings, &config, &s->subscriptions);
    if (err != TCN_OK)
        return tcn_fault_set(fault, err, "out of memory");
    tcn_agent_identity identity = {.authority = s->home.authority,
                                   .secrets = s->home.keys.secrets,
                                   .bundle =
                                       tcn_bytes_of(s->home.bundle_envelope, s->home.bundle_len),
                                   .card = tcn_bytes_of(s->home.card_envelope, s->home.card_len)};
    (void)snprintf(identity.member, sizeof(identity.member), "%s", s->home.keys.name);
    err = tcn_agent_new(&ports, &config, &identity, &s->core, fault);
    tcn_secrets_fini(&identity.secrets);
    return err;
}

static tcn_err open_all(tcn_agent_server *s, tcn_fault *fault)
{
    tcn_err err = tcn_sys_random(&s->random);
    if (err != TCN_OK)
        return tcn_fault_set(fault, err, "the system has no random numbers to be trusted");
    err = tcn_member_home_open(s->options.home, &s->home, fault);
    if (err != TCN_OK)
        return err;
    s->has_home = true;
    err = open_state(s, fault);
    if (err == TCN_OK)
        err = open_network(s, fault);
    if (err == TCN_OK)
        err = open_core(s, fault);
    return err;
}

tcn_err tcn_agent_server_new(const tcn_agent_server_options *options, tcn_agent_server **ret_server,
                             tcn_fault *fault)
{
    tcn_agent_server *s = calloc(1, sizeof(*s));
    if (s == NULL)
        return tcn_fault_set(fault, TCN_NO_MEMORY, "out of memory");
    s->options = *options;
    s->clock = tcn_sys_clock();
    tcn_log_limit_init(&s->log_limit, tcn_log_out_port(options->log), s->clock);
    s->log = tcn_log_limit_port(&s->log_limit);
    tcn_err err = open_all(s, fault);
    if (err != TCN_OK) {
        tcn_agent_server_destroy(&s);
        return err;
    }
    *ret_server = s;
    return TCN_OK;
}

void tcn_agent_server_destroy(tcn_agent_server **server)
{
    tcn_agent_server *s = *server;
    if (s == NULL)
        return;
    tcn_agent_destroy(&s->core);
    free(s->subscriptions);
    tcn_local_server_destroy(&s->local);
    tcn_links_destroy(&s->links);
    if (s->context != NULL)
        (void)zmq_ctx_term(s->context);
    tcn_body_files_destroy(&s->bodies);
    tcn_store_lmdb_destroy(&s->store);
    if (s->has_home)
        tcn_member_home_fini(&s->home);
    tcn_log_limit_fini(&s->log_limit);
    free(s);
    *server = NULL;
}

/* ---- a turn ---- */

static size_t take(tcn_agent_server *s, size_t at, const tcn_agent_input *inputs, size_t count)
{
    _Static_assert(INPUTS >= TCN_LANES * TCN_MAX_TURN_FRAMES + 2 * TCN_MAX_BROKERS * TCN_LANES +
                                 9 * TCN_MAX_LOCAL_CLIENTS + BLOBS + 2,
                   "an input of each that can come in one turn");
    memcpy(&s->input[at], inputs, count * sizeof(inputs[0]));
    return at + count;
}

static size_t take_blobs(tcn_agent_server *s, size_t at)
{
    tcn_blob_done done;
    size_t count = 0;
    for (; count < BLOBS && tcn_body_files_take(s->bodies, &done); count++)
        s->input[at++] = (tcn_agent_input){.kind = TCN_AGENT_BLOB, .blob = done};
    s->more = s->more || count == BLOBS;
    return at;
}

static void put_route(const tcn_config_list *places, unsigned *ret_count,
                      char ret_place[static TCN_ENDPOINTS][TCN_ENDPOINT_CHARS + 1])
{
    if (places->count == 0)
        return;
    *ret_count = (unsigned)places->count;
    for (unsigned i = 0; i < *ret_count; i++)
        (void)snprintf(ret_place[i], TCN_ENDPOINT_CHARS + 1, "%s", places->items[i]);
}

/* The links follow the bundle in force; agent.conf may know another way to a broker. */
static void follow_bundle(tcn_agent_server *s)
{
    const tcn_bundle *bundle = tcn_agent_bundle(s->core);
    if (bundle->version == s->trust_version)
        return;
    tcn_broker_entry routed[TCN_MAX_BROKERS];
    tcn_bundle view = *bundle;
    for (unsigned i = 0; i < bundle->brokers && i < TCN_MAX_BROKERS; i++) {
        routed[i] = bundle->broker[i];
        const tcn_agent_route *route =
            tcn_agent_settings_route(s->options.settings, routed[i].name);
        if (route == NULL)
            continue;
        put_route(&route->session, &routed[i].sessions, routed[i].session);
        put_route(&route->emergency, &routed[i].emergencies, routed[i].emergency);
    }
    view.broker = routed;
    tcn_links_follow(s->links, &view);
    s->trust_version = bundle->version;
}

static tcn_err turn(tcn_agent_server *s, tcn_fault *fault)
{
    const tcn_agent_input *inputs;
    bool more_frames, more_requests;
    size_t given = tcn_links_read(s->links, &inputs, &more_frames);
    size_t count = take(s, 0, inputs, given);
    given = tcn_local_server_read(s->local, &inputs, &more_requests);
    count = take(s, count, inputs, given);
    s->more = more_frames || more_requests;
    count = take_blobs(s, count);
    if (s->tends % DISK_TENDS == 0 && s->tend_at_ms <= now_ms(s))
        s->input[count++] = (tcn_agent_input){.kind = TCN_AGENT_DISK};
    if (tcn_agent_deadline(s->core).ms <= now_ms(s))
        s->input[count++] = (tcn_agent_input){.kind = TCN_AGENT_TICK};
    tcn_err err = count > 0 ? tcn_agent_turn(s->core, s->input, count) : TCN_OK;
    if (err != TCN_OK) {
        const tcn_fault *cause = tcn_store_lmdb_fault(s->store);
        return tcn_fault_set(fault, err, "the store failed, nothing of this turn was said: %s",
                             cause->text[0] != '\0' ? cause->text : tcn_err_text(err));
    }
    tcn_peer peer;
    while (tcn_agent_take_reconnect(s->core, &peer))
        tcn_links_redo(s->links, peer, "given up: connecting again");
    follow_bundle(s);
    return TCN_OK;
}

/* ---- now and then ---- */

static void tend(tcn_agent_server *s)
{
    if (now_ms(s) < s->tend_at_ms)
        return;
    uint64_t every_ms = TEND_MS;
    if (s->options.notify->watchdog_ms > 0 && s->options.notify->watchdog_ms / 2 < every_ms)
        every_ms = s->options.notify->watchdog_ms / 2;
    s->tend_at_ms = now_ms(s) + every_ms;
    if (tcn_store_lmdb_take_ballast_released(s->store))
        say(s, TCN_AGENT_EVENT_BALLAST_RELEASED,
            "the disk is full: the ballast was given up, so that emergencies still have room; "
            "free some space");
    if (s->tends % STORE_TENDS == 0)
        tcn_store_lmdb_tend(s->store);
    s->tends++;
    unsigned up, wanted;
    char text[128];
    tcn_links_count(s->links, &up, &wanted);
    (void)snprintf(text, sizeof(text), "%u of %u connections up, trust version %llu", up, wanted,
                   (unsigned long long)s->trust_version);
    (void)tcn_notify_status(s->options.notify, text);
    (void)tcn_notify_watchdog(s->options.notify);
}

/* What can change in a running agent: the log level. */
static void reload(tcn_agent_server *s)
{
    tcn_agent_settings settings;
    tcn_fault fault;
    (void)tcn_notify_reloading(s->options.notify);
    if (tcn_agent_settings_read(s->options.home, &settings, &fault) == TCN_OK) {
        s->options.log->least = (tcn_level)settings.log_level;
        tcn_agent_settings_fini(&settings);
        say(s, TCN_AGENT_EVENT_CONFIG_READ, "log-level is in force; the rest needs a restart");
    } else {
        say(s, TCN_AGENT_EVENT_CONFIG_REFUSED, "%s; the settings stay as they are", fault.text);
    }
    (void)tcn_notify_ready(s->options.notify, NULL);
}

static void take_signals(tcn_agent_server *s)
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

static long time_to_wait(const tcn_agent_server *s)
{
    const uint64_t deadlines[] = {tcn_agent_deadline(s->core).ms, tcn_links_deadline(s->links).ms,
                                  tcn_local_server_deadline(s->local).ms};
    uint64_t first_ms = s->tend_at_ms, now = now_ms(s);
    for (size_t i = 0; i < sizeof(deadlines) / sizeof(deadlines[0]); i++)
        if (deadlines[i] < first_ms)
            first_ms = deadlines[i];
    if (s->more || first_ms <= now)
        return 0;
    return (long)(first_ms - now); /* TEND_MS at most */
}

static int watch_for(const tcn_agent_server *s, zmq_pollitem_t items[static ITEMS])
{
    void *socket[TCN_LINKS_SOCKETS];
    struct pollfd fd[TCN_LOCAL_SERVER_FDS];
    int count = FIXED_ITEMS;
    items[ITEM_SIGNAL] = (zmq_pollitem_t){.fd = s->options.signal_fd, .events = ZMQ_POLLIN};
    items[ITEM_BODIES] = (zmq_pollitem_t){.fd = tcn_body_files_fd(s->bodies), .events = ZMQ_POLLIN};
    items[ITEM_RESOLVER] = (zmq_pollitem_t){.fd = tcn_links_fd(s->links), .events = ZMQ_POLLIN};
    size_t sockets = tcn_links_sockets(s->links, socket);
    for (size_t i = 0; i < sockets; i++)
        items[count++] = (zmq_pollitem_t){.socket = socket[i], .events = ZMQ_POLLIN};
    size_t fds = tcn_local_server_fds(s->local, fd);
    for (size_t i = 0; i < fds; i++) {
        short events = (fd[i].events & POLLIN) != 0 ? ZMQ_POLLIN : 0;
        if ((fd[i].events & POLLOUT) != 0)
            events = (short)(events | ZMQ_POLLOUT);
        items[count++] = (zmq_pollitem_t){.fd = fd[i].fd, .events = events};
    }
    return count;
}

tcn_err tcn_agent_server_run(tcn_agent_server *s, tcn_fault *fault)
{
    zmq_pollitem_t items[ITEMS];
    follow_bundle(s);
    (void)fprintf(stderr, "ready member=%s\n", s->home.keys.name);
    (void)tcn_notify_ready(s->options.notify, "connecting");
    while (!s->stop) {
        int count = watch_for(s, items);
        if (zmq_poll(items, count, time_to_wait(s)) < 0 && zmq_errno() != EINTR)
            return tcn_fault_set(fault, TCN_IO, "zmq_poll: %s", zmq_strerror(zmq_errno()));
        take_signals(s);
        tcn_err err = s->stop ? TCN_OK : turn(s, fault);
        if (err != TCN_OK)
            return err;
        tend(s);
    }
    (void)tcn_notify_stopping(s->options.notify);
    return TCN_OK;
}
