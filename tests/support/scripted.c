/* SPDX-License-Identifier: Apache-2.0 */
/* scripted.c - see scripted.h. */
#include "tests/support/scripted.h"

#include <arpa/inet.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>
#include <zmq.h>

#include "broker/auth/zap.h"
#include "broker/net.h"
#include "libtocsin/curve.h"
#include "libtocsin/file.h"
#include "libtocsin/home.h"
#include "tests/support/mem.h"

enum { OPS = 64, WAIT_S = 20 };

struct scripted {
    world *world;
    scripted_fn *fn;
    void *arg;
    void *context, *stop_send, *stop_receive;
    tcn_zap *zap;
    tcn_broker_net *net;
    tcn_net port;
    uint64_t count[OPS];
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    unsigned notifications;
};

static void expect(bool good, const char *what)
{
    if (good)
        return;
    fprintf(stderr, "scripted broker: %s\n", what);
    abort();
}

static tcn_wall wall(void *self)
{
    struct timespec now;
    (void)self;
    clock_gettime(CLOCK_REALTIME, &now);
    return (tcn_wall){(int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000};
}

static tcn_mono mono(void *self)
{
    struct timespec now;
    (void)self;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (tcn_mono){(uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000};
}

static void no_log(void *self, tcn_level level, const char *event, const char *text)
{
    (void)self;
    (void)level;
    (void)event;
    (void)text;
}

static const tcn_clock real_clock = {.wall = wall, .mono = mono};
static const tcn_log quiet = {.line = no_log};

/* ---- the thread ---- */

static void hand_over(scripted *s, const tcn_broker_net_frame *from)
{
    scripted_frame frame = {.peer = from->peer, .endpoint = from->endpoint, .member = from->member};
    if (tcn_wire_decode(from->frame, &frame.wire) != TCN_OK)
        return;
    frame.number = ++s->count[(unsigned)frame.wire.op % OPS];
    s->fn(s, &frame, s->arg);
}

static void *run(void *arg)
{
    scripted *s = arg;
    for (;;) {
        void *socket[TCN_BROKER_NET_SOCKETS];
        zmq_pollitem_t items[TCN_BROKER_NET_SOCKETS + 1];
        tcn_broker_net_sockets(s->net, socket);
        for (int i = 0; i < TCN_BROKER_NET_SOCKETS; i++)
            items[i] = (zmq_pollitem_t){.socket = socket[i], .events = ZMQ_POLLIN};
        items[TCN_BROKER_NET_SOCKETS] =
            (zmq_pollitem_t){.socket = s->stop_receive, .events = ZMQ_POLLIN};
        if (zmq_poll(items, TCN_BROKER_NET_SOCKETS + 1, -1) < 0)
            continue;
        if (items[TCN_BROKER_NET_SOCKETS].revents != 0)
            return NULL;
        bool more = true;
        while (more) {
            const tcn_broker_net_frame *frames;
            tcn_peer gone[16];
            size_t count = tcn_broker_net_read(s->net, &frames, &more);
            for (size_t i = 0; i < count; i++)
                hand_over(s, &frames[i]);
            while (tcn_broker_net_gone(s->net, gone, 16) > 0) {
            }
        }
    }
}

/* ---- life ---- */

static void listen_at(scripted *s, tcn_lane endpoint, char *ret_endpoint)
{
    char bound[TCN_ADDRESS_SIZE];
    tcn_fault fault;
    expect(tcn_broker_net_listen(s->net, endpoint, "127.0.0.1:0", bound, &fault) == TCN_OK,
           "listen");
    const char *colon = strrchr(bound, ':');
    snprintf(ret_endpoint, TCN_ENDPOINT_CHARS + 1, "127.0.0.1%.10s", colon);
}

static void add_members(world *w)
{
    static const char *const publishers[] = {"vendor", "cert"}, *const nodes[] = {"north", "south"};
    for (int i = 0; i < 2; i++)
        world_member_set(w, &(world_member){.name = publishers[i],
                                            .roles = TCN_ROLE_PUBLISHER | TCN_ROLE_APPROVER,
                                            .clearance = TCN_TLP_RED,
                                            .publish = {">"},
                                            .emergency = true});
    world_member_set(w, &(world_member){.name = "watch", .roles = TCN_ROLE_OPERATOR});
    for (int i = 0; i < 2; i++)
        world_member_set(w, &(world_member){.name = nodes[i],
                                            .roles = TCN_ROLE_NODE,
                                            .clearance = TCN_TLP_RED,
                                            .receive = {">"}});
}

scripted *scripted_start(scripted_fn *fn, void *arg)
{
    scripted *s = mem_zeroed(sizeof(*s));
    tcn_fault fault;
    s->fn = fn;
    s->arg = arg;
    pthread_mutex_init(&s->lock, NULL);
    pthread_cond_init(&s->changed, NULL);
    s->world = world_new(wall(NULL));
    add_members(s->world);
    world_sign(s->world);
    expect(tcn_curve_context(1, &s->context, &fault) == TCN_OK, "context");
    expect(tcn_zap_start(s->context, world_roster(s->world), &real_clock, &s->zap, &fault) ==
               TCN_OK,
           "zap");
    expect(tcn_broker_net_new(s->context, &world_secrets(s->world, "broker")->transport,
                              &real_clock, &quiet, &s->net, &fault) == TCN_OK,
           "net");
    s->port = tcn_broker_net_port(s->net);
    tcn_broker_entry *entry = world_broker_edit(s->world, "broker");
    listen_at(s, TCN_LANE_BULK, entry->session[0]);
    listen_at(s, TCN_LANE_EMERGENCY, entry->emergency[0]);
    world_sign(s->world);
    s->stop_send = zmq_socket(s->context, ZMQ_PAIR);
    s->stop_receive = zmq_socket(s->context, ZMQ_PAIR);
    expect(zmq_bind(s->stop_receive, "inproc://stop") == 0 &&
               zmq_connect(s->stop_send, "inproc://stop") == 0,
           "stop");
    expect(pthread_create(&s->thread, NULL, run, s) == 0, "thread");
    return s;
}

void scripted_stop(scripted **taken)
{
    scripted *s = *taken;
    *taken = NULL;
    expect(zmq_send(s->stop_send, "", 0, 0) == 0, "stop");
    pthread_join(s->thread, NULL);
    tcn_curve_close(&s->stop_send);
    tcn_curve_close(&s->stop_receive);
    tcn_broker_net_destroy(&s->net);
    tcn_zap_stop(&s->zap);
    zmq_ctx_term(s->context);
    world_free(&s->world);
    pthread_cond_destroy(&s->changed);
    pthread_mutex_destroy(&s->lock);
    free(s);
}

world *scripted_world(scripted *s)
{
    return s->world;
}

void scripted_let_in(scripted *s, tcn_roster *roster)
{
    tcn_zap_set_roster(s->zap, roster);
}

/* ---- homes ---- */

static void write_file(const char *folder, const char *name, tcn_bytes content)
{
    char path[TCN_HOME_PATH_SIZE];
    tcn_fault fault = {.err = TCN_OK};
    expect(tcn_path_join(folder, name, path, sizeof(path)) == TCN_OK &&
               tcn_file_write(path, content, 0600, &fault) == TCN_OK,
           fault.text);
}

void scripted_home(scripted *s, const char *member, const char *path)
{
    char file[TCN_HOME_PATH_SIZE];
    tcn_fault fault = {.err = TCN_OK};
    tcn_member_keys keys = {.secrets = *world_secrets(s->world, member)};
    snprintf(keys.name, sizeof(keys.name), "%s", member);
    expect(tcn_dir_make(path, 0700, &fault) == TCN_OK, fault.text);
    expect(tcn_path_join(path, TCN_HOME_MEMBER_KEYS, file, sizeof(file)) == TCN_OK &&
               tcn_member_keys_write(file, &keys, &fault) == TCN_OK,
           fault.text);
    expect(tcn_path_join(path, TCN_HOME_AUTHORITY_PUB, file, sizeof(file)) == TCN_OK &&
               tcn_authority_public_write(file, world_authority(s->world), &fault) == TCN_OK,
           fault.text);
    write_file(path, TCN_HOME_BUNDLE, world_bundle_envelope(s->world));
    write_file(path, TCN_HOME_CARD, world_card_envelope(s->world, member));
}

/* ---- what a script says ---- */

void scripted_say(scripted *s, tcn_peer peer, const tcn_wire *wire)
{
    uint8_t *frame = malloc(TCN_MAX_FRAME_BYTES);
    size_t len = 0;
    expect(frame != NULL && tcn_wire_encode(wire, frame, TCN_MAX_FRAME_BYTES, &len) == TCN_OK,
           tcn_op_word(wire->op));
    (void)s->port.send(s->port.self, peer, tcn_bytes_of(frame, len));
    free(frame);
}

void scripted_welcome(scripted *s, const scripted_frame *hello, uint64_t trust_version)
{
    tcn_wire wire = {.op = TCN_OP_WELCOME};
    wire.welcome = (tcn_wire_welcome){.version = TCN_PROTOCOL_VERSION,
                                      .epoch = {{7}},
                                      .generation = 1,
                                      .trust_version = trust_version,
                                      .time = wall(NULL),
                                      .broker = tcn_bytes_str("broker"),
                                      .heartbeat_ms = TCN_MAX_HEARTBEAT_MS,
                                      .max_body_bytes = TCN_MAX_BODY_BYTES,
                                      .window_bytes = TCN_MAX_WINDOW_BYTES};
    for (unsigned lane = 0; lane < TCN_LANES; lane++)
        if ((hello->wire.hello.lanes & 1u << lane) != 0) {
            wire.welcome.has_start[lane] = true;
            wire.welcome.start[lane] = hello->wire.hello.cursor[lane].seq;
        }
    scripted_say(s, hello->peer, &wire);
}

void scripted_trust(scripted *s, tcn_peer peer, tcn_bytes bundle, uint64_t version, size_t offset,
                    size_t piece)
{
    size_t left = bundle.len - offset;
    const tcn_wire wire = {
        .op = TCN_OP_TRUST,
        .trust = {.version = version,
                  .total = bundle.len,
                  .offset = offset,
                  .bytes = tcn_bytes_of(bundle.ptr + offset, left < piece ? left : piece)}};
    scripted_say(s, peer, &wire);
}

void scripted_alert(scripted *s, tcn_peer peer, tcn_lane lane, uint64_t need, tcn_mark at,
                    tcn_bytes envelope)
{
    static uint8_t memory[TCN_MAX_FRAME_BYTES];
    tcn_cbor_writer w;
    tcn_bytes raw = tcn_bytes_of(NULL, 0);
    tcn_cbor_writer_init(&w, memory, sizeof(memory));
    if (envelope.len > 0) {
        tcn_wire_put_alert(&w, at.seq, envelope);
        expect(tcn_cbor_writer_done(&w, &raw) == TCN_OK, "envelope");
    }
    const tcn_wire wire = {.op = TCN_OP_ALERTS,
                           .alerts = {.lane = lane,
                                      .need = need,
                                      .complete_to = at,
                                      .alerts = {.count = envelope.len > 0, .raw = raw}}};
    scripted_say(s, peer, &wire);
}

void scripted_cut(scripted *s, tcn_peer peer)
{
    s->port.close(s->port.self, peer);
}

void scripted_notify(scripted *s)
{
    pthread_mutex_lock(&s->lock);
    s->notifications++;
    pthread_cond_broadcast(&s->changed);
    pthread_mutex_unlock(&s->lock);
}

void scripted_await(scripted *s, unsigned notifications)
{
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += WAIT_S;
    pthread_mutex_lock(&s->lock);
    int rc = 0;
    while (s->notifications < notifications && rc == 0)
        rc = pthread_cond_timedwait(&s->changed, &s->lock, &until);
    pthread_mutex_unlock(&s->lock);
    expect(rc == 0, "what the test waits for did not come");
}

unsigned scripted_closed_port(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof(address);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    expect(fd >= 0 && bind(fd, (struct sockaddr *)&address, sizeof(address)) == 0 &&
               getsockname(fd, (struct sockaddr *)&address, &size) == 0,
           "a port");
    close(fd);
    return ntohs(address.sin_port);
}
