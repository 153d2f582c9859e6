/* SPDX-License-Identifier: Apache-2.0 */
/* net_rig.c - see net_rig.h. */
#include "tests/support/net_rig.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <zmq.h>

#include "tests/support/mem.h"

enum { LIMIT_MS = 20000, STEP_MS = 20 };

static void expect(bool good, const char *what)
{
    if (good)
        return;
    fprintf(stderr, "net rig: %s\n", what);
    abort();
}

static void expect_ok(tcn_err err, const tcn_fault *fault)
{
    expect(err == TCN_OK, fault->text);
}

static uint64_t real_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

net_rig *net_rig_new(void)
{
    net_rig *rig = mem_zeroed(sizeof(*rig));
    tcn_fault fault;
    mem_ports_init(&rig->ports, 1);
    rig->all = mem_ports_all(&rig->ports);
    rig->world = world_new(rig->ports.wall);
    world_member_set(rig->world, &(world_member){.name = "alice", .roles = TCN_ROLE_NODE});
    world_member_set(rig->world, &(world_member){.name = "bob", .roles = TCN_ROLE_NODE});
    world_sign(rig->world);
    expect_ok(tcn_curve_context(1, &rig->server_context, &fault), &fault);
    rig->client_context = zmq_ctx_new();
    expect_ok(tcn_broker_net_new(rig->server_context,
                                 &world_secrets(rig->world, "broker")->transport, &rig->all.clock,
                                 &rig->all.log, &rig->net, &fault),
              &fault);
    rig->port = tcn_broker_net_port(rig->net);
    return rig;
}

void net_rig_listen(net_rig *rig)
{
    tcn_fault fault;
    expect_ok(tcn_zap_start(rig->server_context, world_roster(rig->world), &rig->all.clock,
                            &rig->zap, &fault),
              &fault);
    for (int i = 0; i < TCN_LANES; i++) {
        char bound[TCN_ADDRESS_SIZE];
        expect_ok(tcn_broker_net_listen(rig->net, (tcn_lane)i, "127.0.0.1:0", bound, &fault),
                  &fault);
        expect(snprintf(rig->address[i], TCN_ADDRESS_SIZE, "tcp://%.250s", bound) > 0, "address");
    }
}

void net_rig_free(net_rig **ref)
{
    net_rig *rig = *ref;
    for (size_t i = 0; i < rig->clients; i++)
        net_client_close(&rig->client[i]);
    zmq_ctx_term(rig->client_context);
    tcn_broker_net_destroy(&rig->net);
    tcn_broker_net_destroy(&rig->net);
    tcn_zap_stop(&rig->zap);
    zmq_ctx_term(rig->server_context);
    world_free(&rig->world);
    mem_ports_fini(&rig->ports);
    free(rig);
    *ref = NULL;
}

/* ---- clients ---- */

net_client *net_rig_adopt(net_rig *rig, void *socket, const char *address)
{
    tcn_fault fault;
    expect(rig->clients < NET_RIG_CLIENTS, "too many clients");
    net_client *client = &rig->client[rig->clients++];
    client->socket = socket;
    int none = 0, limit_ms = LIMIT_MS;
    expect(zmq_setsockopt(socket, ZMQ_LINGER, &none, sizeof(none)) == 0, "linger");
    expect(zmq_setsockopt(socket, ZMQ_SNDTIMEO, &limit_ms, sizeof(limit_ms)) == 0, "limit");
    expect_ok(tcn_monitor_open(rig->client_context, socket, &client->monitor, &fault), &fault);
    expect(zmq_connect(socket, address) == 0, "connect");
    return client;
}

net_client *net_rig_client_to(net_rig *rig, const char *member, const char *address)
{
    tcn_fault fault;
    tcn_publics server = world_publics(rig->world, "broker");
    void *socket;
    expect_ok(tcn_curve_client(rig->client_context,
                               &(tcn_curve_client_options){
                                   .secret = &world_secrets(rig->world, member)->transport,
                                   .server_key = &server.transport,
                                   .queue_while_waiting = true},
                               &socket, &fault),
              &fault);
    return net_rig_adopt(rig, socket, address);
}

net_client *net_rig_client(net_rig *rig, const char *member, tcn_lane endpoint)
{
    return net_rig_client_to(rig, member, rig->address[endpoint]);
}

void net_client_close(net_client *client)
{
    tcn_monitor_close(&client->monitor);
    tcn_curve_close(&client->socket);
}

void net_client_send(const net_client *client, const void *bytes, size_t len)
{
    expect(zmq_send(client->socket, bytes, len, 0) == (int)len, "a client cannot send");
}

/* ---- turns ---- */

static void note(net_rig *rig, const tcn_broker_net_frame *frame)
{
    expect(rig->frames < sizeof(rig->frame) / sizeof(rig->frame[0]), "too many frames");
    size_t at = rig->frames++;
    rig->frame[at].peer = frame->peer;
    rig->frame[at].endpoint = frame->endpoint;
    snprintf(rig->frame[at].member, sizeof(rig->frame[at].member), "%.60s", frame->member);
    rig->frame[at].len = frame->frame.len;
    rig->frame[at].first = frame->frame.len > 0 ? frame->frame.ptr[0] : 0;
}

void net_rig_turn(net_rig *rig, int wait_ms)
{
    void *socket[TCN_BROKER_NET_SOCKETS];
    zmq_pollitem_t items[TCN_BROKER_NET_SOCKETS];
    tcn_broker_net_sockets(rig->net, socket);
    for (int i = 0; i < TCN_BROKER_NET_SOCKETS; i++)
        items[i] = (zmq_pollitem_t){.socket = socket[i], .events = ZMQ_POLLIN};
    expect(zmq_poll(items, TCN_BROKER_NET_SOCKETS, wait_ms) >= 0, "poll");
    const tcn_broker_net_frame *frames;
    bool more = true;
    while (more) {
        size_t count = tcn_broker_net_read(rig->net, &frames, &more);
        for (size_t i = 0; i < count; i++)
            note(rig, &frames[i]);
        rig->gones += tcn_broker_net_gone(rig->net, rig->gone + rig->gones,
                                          sizeof(rig->gone) / sizeof(rig->gone[0]) - rig->gones);
    }
}

void net_rig_wait_frames(net_rig *rig, size_t frames)
{
    for (uint64_t end = real_ms() + LIMIT_MS; rig->frames < frames;) {
        expect(real_ms() < end, "the frames did not come");
        net_rig_turn(rig, STEP_MS);
    }
}

void net_rig_wait_gones(net_rig *rig, size_t gones)
{
    for (uint64_t end = real_ms() + LIMIT_MS; rig->gones < gones;) {
        expect(real_ms() < end, "nobody was told to be gone");
        net_rig_turn(rig, STEP_MS);
    }
}

void net_rig_forget(net_rig *rig)
{
    rig->frames = rig->gones = 0;
}

net_client *net_rig_peer(net_rig *rig, const char *member, tcn_lane endpoint, tcn_peer *ret_peer)
{
    net_client *client = net_rig_client(rig, member, endpoint);
    size_t before = rig->frames;
    net_client_send(client, "hello", 5);
    net_rig_wait_frames(rig, before + 1);
    *ret_peer = rig->frame[before].peer;
    return client;
}

tcn_monitor_event net_rig_event(net_rig *rig, net_client *client, tcn_monitor_kind kind)
{
    for (uint64_t end = real_ms() + LIMIT_MS; real_ms() < end;) {
        tcn_monitor_event event;
        while (tcn_monitor_next(client->monitor, &event) == TCN_OK)
            if (event.kind == kind)
                return event;
        zmq_pollitem_t item = {.socket = tcn_monitor_socket(client->monitor), .events = ZMQ_POLLIN};
        expect(zmq_poll(&item, 1, STEP_MS) >= 0, "poll");
        net_rig_turn(rig, 0);
    }
    expect(false, "the client's event did not come");
    abort();
}

void net_rig_expect(net_rig *rig, net_client *client, const char *text)
{
    zmq_pollitem_t item = {.socket = client->socket, .events = ZMQ_POLLIN};
    for (uint64_t end = real_ms() + LIMIT_MS; real_ms() < end;) {
        expect(zmq_poll(&item, 1, STEP_MS) >= 0, "poll");
        net_rig_turn(rig, 0);
        if (item.revents != 0) {
            char bytes[256];
            int len = zmq_recv(client->socket, bytes, sizeof(bytes), 0);
            expect(len == (int)strlen(text) && memcmp(bytes, text, strlen(text)) == 0, text);
            return;
        }
    }
    expect(false, "the client's frame did not come");
}
