/* SPDX-License-Identifier: Apache-2.0 */
/* Peers that do not read, do not stop or do not speak, and what is left of one after it was cut.
 * Such a peer sits behind a relay, which sees each byte that the kernel lets it have. */
#include "broker/net.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>
#include <zmq.h>

#include <cmocka.h>

#include "broker/conn.h"

#include "libtocsin/limits.h"
#include "tests/support/net_rig.h"

enum { LIMIT_MS = 20000, FRAME = 16384 };

/* ---- a relay for one connection ---- */

typedef struct {
    int listener, client, server;
    bool stalled; /* reads nothing from the server any more */
    char address[64];
    uint8_t up[65536];
    size_t up_len;
} relay;

static void nonblocking(int fd)
{
    assert_int_equal(fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK), 0);
}

static void relay_open(relay *r)
{
    *r = (relay){.client = -1, .server = -1};
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof(at);
    r->listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(r->listener, (struct sockaddr *)&at, size), 0);
    assert_int_equal(listen(r->listener, 1), 0);
    assert_int_equal(getsockname(r->listener, (struct sockaddr *)&at, &size), 0);
    snprintf(r->address, sizeof(r->address), "tcp://127.0.0.1:%u", ntohs(at.sin_port));
}

static void relay_close(relay *r)
{
    const int fds[] = {r->listener, r->client, r->server};
    for (size_t i = 0; i < 3; i++)
        if (fds[i] >= 0)
            (void)close(fds[i]);
}

static void relay_accept(relay *r, const char *server)
{
    r->client = accept(r->listener, NULL, NULL);
    if (r->client < 0)
        return;
    nonblocking(r->client);
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    to.sin_port = htons((uint16_t)strtoul(strrchr(server, ':') + 1, NULL, 10));
    r->server = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int small = 16384; /* what a stalled peer's kernel takes */
    assert_int_equal(setsockopt(r->server, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small)), 0);
    assert_int_equal(connect(r->server, (struct sockaddr *)&to, sizeof(to)), 0);
    nonblocking(r->server);
}

/* Moves what can be moved, both ways. */
static void relay_pump(relay *r, const char *server)
{
    if (r->client < 0)
        relay_accept(r, server);
    if (r->client < 0)
        return;
    if (r->up_len == 0) {
        ssize_t got = recv(r->client, r->up, sizeof(r->up), 0);
        r->up_len = got > 0 ? (size_t)got : 0;
    }
    if (r->up_len > 0) {
        ssize_t sent = send(r->server, r->up, r->up_len, MSG_NOSIGNAL);
        if (sent > 0) {
            r->up_len -= (size_t)sent;
            memmove(r->up, r->up + sent, r->up_len);
        }
    }
    uint8_t down[4096];
    ssize_t got = r->stalled ? -1 : recv(r->server, down, sizeof(down), 0);
    if (got > 0)
        assert_int_equal(send(r->client, down, (size_t)got, MSG_NOSIGNAL), got);
}

static uint64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* A peer behind the relay that has said hello and then reads no more. */
static tcn_peer stalled_peer(net_rig *rig, relay *r, net_client **ret_client)
{
    relay_open(r);
    net_client *client = net_rig_client_to(rig, "alice", r->address);
    net_client_send(client, "hello", 5);
    for (uint64_t end = now_ms() + LIMIT_MS; rig->frames == 0;) {
        assert_true(now_ms() < end);
        relay_pump(r, rig->address[TCN_LANE_BULK]);
        net_rig_turn(rig, 1);
    }
    r->stalled = true;
    *ret_client = client;
    return rig->frame[0].peer;
}

static tcn_send_result send_one(net_rig *rig, tcn_peer peer)
{
    static const uint8_t bytes[FRAME];
    return rig->port.send(rig->port.self, peer, tcn_bytes_of(bytes, sizeof(bytes)));
}

/* Sends until the peer is full; the count of frames that were taken. */
static size_t fill(net_rig *rig, tcn_peer peer)
{
    size_t sent = 0;
    while (send_one(rig, peer) == TCN_SENT)
        assert_true(++sent < 100000);
    return sent;
}

/* Fills until the kernel takes nothing more either: then no byte is on its way. */
static void fill_to_the_brim(net_rig *rig, tcn_peer peer, const relay *r)
{
    int before = -1, waiting = 0;
    for (uint64_t end = now_ms() + LIMIT_MS; before != waiting || waiting == 0;) {
        assert_true(now_ms() < end);
        before = waiting;
        (void)fill(rig, peer);
        struct pollfd nothing = {.fd = r->listener, .events = 0};
        assert_int_equal(poll(&nothing, 1, 300), 0); /* longer than a delayed ACK */
        assert_int_equal(ioctl(r->server, FIONREAD, &waiting), 0);
    }
}

/* Reads what the relay's kernel still gives until the connection ends; the count of bytes. */
static size_t read_to_the_end(const relay *r)
{
    static uint8_t bytes[65536];
    size_t total = 0;
    for (uint64_t end = now_ms() + LIMIT_MS; now_ms() < end;) {
        struct pollfd item = {.fd = r->server, .events = POLLIN};
        assert_true(poll(&item, 1, 1000) >= 0);
        ssize_t got = recv(r->server, bytes, sizeof(bytes), 0);
        if (got > 0)
            total += (size_t)got;
        else if (got == 0 || (errno != EAGAIN && errno != EINTR))
            return total;
    }
    fail_msg("the connection did not end");
    return 0;
}

static int setup(void **state)
{
    net_rig *rig = net_rig_new();
    net_rig_listen(rig);
    *state = rig;
    return 0;
}

static int teardown(void **state)
{
    net_rig *rig = *state;
    net_rig_free(&rig);
    return 0;
}

/* ---- tests ---- */

static void test_a_stalled_peer_blocks_nobody(void **state)
{
    net_rig *rig = *state;
    relay r;
    net_client *slow;
    tcn_peer stalled = stalled_peer(rig, &r, &slow);
    tcn_peer peer;
    net_client *other = net_rig_peer(rig, "bob", TCN_LANE_BULK, &peer);
    size_t sent = fill(rig, stalled);
    assert_true(sent >= 16);
    assert_int_equal(rig->port.send(rig->port.self, peer, tcn_bytes_str("still here")), TCN_SENT);
    net_rig_expect(rig, other, "still here");
    assert_int_equal(send_one(rig, stalled), TCN_SEND_FULL);
    /* It reads again, and gets on. */
    r.stalled = false;
    for (uint64_t end = now_ms() + LIMIT_MS;;) {
        assert_true(now_ms() < end);
        relay_pump(&r, rig->address[TCN_LANE_BULK]);
        zmq_msg_t msg;
        zmq_msg_init(&msg);
        (void)zmq_msg_recv(&msg, slow->socket, ZMQ_DONTWAIT);
        zmq_msg_close(&msg);
        if (send_one(rig, stalled) == TCN_SENT)
            break;
    }
    relay_close(&r);
}

/* Who asks for much and reads nothing does not get to fill our memory. */
static void test_what_waits_for_a_peer_is_bounded(void **state)
{
    net_rig *rig = *state;
    relay r;
    net_client *slow;
    tcn_peer stalled = stalled_peer(rig, &r, &slow);
    fill_to_the_brim(rig, stalled, &r);
    tcn_broker_net_stats stats;
    tcn_broker_net_stats_get(rig->net, &stats);
    int arrived = 0;
    assert_int_equal(ioctl(r.server, FIONREAD, &arrived), 0);
    uint64_t sent = stats.frames_out * FRAME;
    assert_true(sent <= TCN_MAX_PEER_BYTES + (uint64_t)arrived);
    assert_true(sent >= TCN_MAX_PEER_BYTES / 2);
    relay_close(&r);
}

/* Who reads gets any amount, and what we count does not drift. */
static void test_a_peer_that_reads_is_never_behind(void **state)
{
    net_rig *rig = *state;
    tcn_peer peer;
    static const uint8_t bytes[FRAME];
    net_client *reader = net_rig_peer(rig, "bob", TCN_LANE_BULK, &peer);
    const size_t size[] = {sizeof(bytes), 1}, times[] = {1000, 20000};
    for (size_t i = 0; i < 2; i++) {
        for (size_t n = 0; n < times[i]; n++) {
            assert_int_equal(rig->port.send(rig->port.self, peer, tcn_bytes_of(bytes, size[i])),
                             TCN_SENT);
            zmq_msg_t msg;
            zmq_msg_init(&msg);
            assert_true(zmq_msg_recv(&msg, reader->socket, 0) >= 0);
            zmq_msg_close(&msg);
        }
    }
}

static void test_after_a_cut_not_one_more_byte(void **state)
{
    net_rig *rig = *state;
    relay r;
    net_client *client;
    tcn_peer peer = stalled_peer(rig, &r, &client);
    fill_to_the_brim(rig, peer, &r);
    int arrived = 0;
    assert_int_equal(ioctl(r.server, FIONREAD, &arrived), 0);
    rig->port.close(rig->port.self, peer);
    size_t read = read_to_the_end(&r);
    assert_true(read <= (size_t)arrived);
    assert_int_equal(rig->port.send(rig->port.self, peer, tcn_bytes_str("x")), TCN_SEND_GONE);
    relay_close(&r);
}

/* A peer whose frames fill our queue while the loop is busy: libzmq does not read from it, so it
 * does not notice the end of the connection either. */
static void test_a_flood_does_not_delay_the_cut(void **state)
{
    net_rig *rig = *state;
    relay r;
    net_client *client;
    tcn_peer peer = stalled_peer(rig, &r, &client);
    static const uint8_t bytes[1024];
    size_t before = r.up_len;
    for (int idle = 0; idle < 200;) {
        int sent = zmq_send(client->socket, bytes, sizeof(bytes), ZMQ_DONTWAIT);
        before = r.up_len;
        relay_pump(&r, rig->address[TCN_LANE_BULK]);
        bool stuck = sent < 0 && r.up_len > 0 && r.up_len == before;
        idle = stuck ? idle + 1 : 0;
        struct pollfd room = {.fd = r.server, .events = POLLOUT};
        if (stuck)
            assert_true(poll(&room, 1, 5) >= 0);
    }
    fill_to_the_brim(rig, peer, &r);
    int arrived = 0;
    assert_int_equal(ioctl(r.server, FIONREAD, &arrived), 0);
    rig->port.close(rig->port.self, peer);
    assert_true(read_to_the_end(&r) <= (size_t)arrived);
    net_rig_forget(rig);
    net_rig_turn(rig, 0);
    assert_int_equal(rig->frames, 0);
    tcn_broker_net_stats stats;
    tcn_broker_net_stats_get(rig->net, &stats);
    assert_true(stats.late > 0);
    relay_close(&r);
}

static void test_a_cut_peer_is_heard_no_more(void **state)
{
    net_rig *rig = *state;
    tcn_peer peer;
    net_client *client = net_rig_peer(rig, "alice", TCN_LANE_BULK, &peer);
    net_client_send(client, "late", 4);
    rig->port.close(rig->port.self, peer);
    rig->port.close(rig->port.self, peer);
    (void)net_rig_event(rig, client, TCN_MONITOR_DOWN);
    net_rig_turn(rig, 0);
    assert_int_equal(rig->frames, 1);
    assert_int_equal(rig->gones, 0);
    tcn_broker_net_stats stats;
    tcn_broker_net_stats_get(rig->net, &stats);
    assert_int_equal(stats.cuts, 1);
    /* The key is still good. */
    (void)net_rig_peer(rig, "alice", TCN_LANE_BULK, &peer);
    assert_int_equal(rig->frames, 2);
}

static void test_a_cut_hits_no_other_connection(void **state)
{
    net_rig *rig = *state;
    tcn_peer first, second;
    net_client *client = net_rig_peer(rig, "alice", TCN_LANE_BULK, &first);
    tcn_conn before = {.fd = -1};
    /* Its descriptor becomes another's, as far as the net can know. */
    net_client_close(client);
    net_rig_wait_gones(rig, 1);
    net_client *other = net_rig_peer(rig, "bob", TCN_LANE_BULK, &second);
    rig->port.close(rig->port.self, first);
    assert_false(tcn_conn_cut(&before));
    assert_int_equal(rig->port.send(rig->port.self, second, tcn_bytes_str("alive")), TCN_SENT);
    net_rig_expect(rig, other, "alive");
}

static void test_a_mute_connection_is_cut(void **state)
{
    net_rig *rig = *state;
    tcn_peer peer;
    net_client *mute = net_rig_client(rig, "alice", TCN_LANE_EMERGENCY);
    (void)net_rig_event(rig, mute, TCN_MONITOR_UP);
    net_client *speaker = net_rig_peer(rig, "bob", TCN_LANE_EMERGENCY, &peer);
    tcn_broker_net_sweep(rig->net);
    mem_ports_pass(&rig->ports, TCN_MAX_MUTE_MS - 1);
    tcn_broker_net_sweep(rig->net);
    tcn_broker_net_stats stats;
    tcn_broker_net_stats_get(rig->net, &stats);
    assert_int_equal(stats.mute, 0);
    mem_ports_pass(&rig->ports, 1);
    tcn_broker_net_sweep(rig->net);
    (void)net_rig_event(rig, mute, TCN_MONITOR_DOWN);
    tcn_broker_net_stats_get(rig->net, &stats);
    assert_int_equal(stats.mute, 1);
    assert_int_equal(rig->port.send(rig->port.self, peer, tcn_bytes_str("stay")), TCN_SENT);
    net_rig_expect(rig, speaker, "stay");
}

static bool is_peer(void *arg, tcn_peer peer)
{
    return peer == *(const tcn_peer *)arg;
}

/* Members that speak but open no session do not keep their descriptors. */
static void test_a_stranger_is_cut(void **state)
{
    net_rig *rig = *state;
    tcn_peer known, stranger;
    net_client *speaker = net_rig_peer(rig, "bob", TCN_LANE_EMERGENCY, &known);
    net_client *idle = net_rig_peer(rig, "alice", TCN_LANE_EMERGENCY, &stranger);
    mem_ports_pass(&rig->ports, TCN_MAX_MUTE_MS - 1);
    tcn_broker_net_cut_strangers(rig->net, is_peer, &known);
    assert_int_equal(rig->port.send(rig->port.self, stranger, tcn_bytes_str("wait")), TCN_SENT);
    net_rig_expect(rig, idle, "wait");
    mem_ports_pass(&rig->ports, 1);
    tcn_broker_net_cut_strangers(rig->net, is_peer, &known);
    (void)net_rig_event(rig, idle, TCN_MONITOR_DOWN);
    tcn_broker_net_stats stats;
    tcn_broker_net_stats_get(rig->net, &stats);
    assert_int_equal(stats.strangers, 1);
    assert_int_equal(rig->port.send(rig->port.self, known, tcn_bytes_str("stay")), TCN_SENT);
    net_rig_expect(rig, speaker, "stay");
}

static void test_a_read_takes_no_more_than_its_pace(void **state)
{
    net_rig *rig = *state;
    tcn_peer peer;
    const tcn_broker_net_frame *frames;
    bool more = false;
    net_client *speaker = net_rig_peer(rig, "bob", TCN_LANE_BULK, &peer);
    net_rig_forget(rig);
    for (int i = 0; i < 20; i++)
        net_client_send(speaker, "x", 1);
    net_rig_wait_frames(rig, 1); /* they are on their way */
    tcn_broker_net_pace(rig->net, 3);
    for (size_t got = rig->frames, count; got < 20; got += count) {
        count = tcn_broker_net_read(rig->net, &frames, &more);
        assert_true(count <= 3);
    }
}

/* ---- conn.h alone ---- */

static void test_a_descriptor_reused_is_left_alone(void **state)
{
    (void)state;
    relay r;
    relay_open(&r);
    struct sockaddr_in at;
    socklen_t size = sizeof(at);
    assert_int_equal(getsockname(r.listener, (struct sockaddr *)&at, &size), 0);
    int ours[2], theirs[2];
    tcn_conn conn;
    ours[0] = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(connect(ours[0], (struct sockaddr *)&at, sizeof(at)), 0);
    assert_false(tcn_conn_of(ours[0], "192.0.2.1", &conn));
    assert_int_equal(conn.fd, -1);
    assert_true(tcn_conn_of(ours[0], "127.0.0.1", &conn));
    theirs[0] = accept(r.listener, NULL, NULL);
    int number = ours[0];
    (void)close(ours[0]);
    ours[1] = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(ours[1], number);
    assert_int_equal(connect(ours[1], (struct sockaddr *)&at, sizeof(at)), 0);
    theirs[1] = accept(r.listener, NULL, NULL);
    assert_false(tcn_conn_cut(&conn));
    assert_int_equal(send(ours[1], "x", 1, MSG_NOSIGNAL), 1);
    assert_true(tcn_conn_of(ours[1], NULL, &conn));
    assert_true(tcn_conn_cut(&conn));
    char byte;
    struct pollfd item = {.fd = theirs[1], .events = POLLIN};
    assert_int_equal(poll(&item, 1, LIMIT_MS), 1);
    (void)recv(theirs[1], &byte, 1, 0);
    assert_int_equal(recv(theirs[1], &byte, 1, 0), -1);
    assert_int_equal(errno, ECONNRESET);
    for (int i = 0; i < 2; i++)
        (void)close(theirs[i]);
    (void)close(ours[1]);
    relay_close(&r);
}

static void test_what_is_no_connection_is_none(void **state)
{
    (void)state;
    tcn_conn conn;
    assert_false(tcn_conn_of(-1, NULL, &conn));
    int pair[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    assert_false(tcn_conn_of(pair[0], NULL, &conn));
    assert_false(tcn_conn_cut(&conn));
    (void)close(pair[0]);
    (void)close(pair[1]);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_a_stalled_peer_blocks_nobody),
        TEST(test_what_waits_for_a_peer_is_bounded),
        TEST(test_a_peer_that_reads_is_never_behind),
        TEST(test_after_a_cut_not_one_more_byte),
        TEST(test_a_flood_does_not_delay_the_cut),
        TEST(test_a_cut_peer_is_heard_no_more),
        TEST(test_a_cut_hits_no_other_connection),
        TEST(test_a_mute_connection_is_cut),
        TEST(test_a_stranger_is_cut),
        TEST(test_a_read_takes_no_more_than_its_pace),
        cmocka_unit_test(test_a_descriptor_reused_is_left_alone),
        cmocka_unit_test(test_what_is_no_connection_is_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
