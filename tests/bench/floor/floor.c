/* SPDX-License-Identifier: Apache-2.0 */
/* floor.c - tocsin-floor: what is beneath Tocsin on this machine, for comparison in the same run.
 * A bare libzmq ROUTER with CURVE in a process of its own, without any application, sends what a
 * publisher gives it to N peers (the lean links of tocsin-swarm) and counts their receipts; and
 * one fdatasync, one send() over loopback. Prints one JSON object. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>
#include <zmq.h>

#include "../parts/link.h"
#include "../parts/measure.h"

enum {
    QUEUE = 256,
    SNDBUF = 131072,
    BACKLOG = 4096,
    RECEIPT_BYTES = 40,
    ID_BYTES = 5,
    SYNCS = 100,
    ALL = 512
};
/* The first byte of a frame: a peer says hello, publishes, gives a receipt; all are back. */
enum { HELLO = 'H', PUBLISH = 'P', RECEIPT = 'R', BACK = 'B' };
#define PATIENCE_NS UINT64_C(60000000000)

/* ---- the server ---- */

static void option(void *socket, int name, int value)
{
    if (zmq_setsockopt(socket, name, &value, sizeof(value)) != 0)
        bench_die("zmq_setsockopt", zmq_strerror(zmq_errno()));
}

static void *listening(void *context, const uint8_t secret[static 32], int tell)
{
    void *socket = zmq_socket(context, ZMQ_ROUTER);
    char bound[64];
    size_t size = sizeof(bound);
    option(socket, ZMQ_ROUTER_MANDATORY, 1);
    option(socket, ZMQ_SNDHWM, QUEUE);
    option(socket, ZMQ_RCVHWM, QUEUE);
    option(socket, ZMQ_SNDBUF, SNDBUF);
    option(socket, ZMQ_BACKLOG, BACKLOG);
    option(socket, ZMQ_CURVE_SERVER, 1);
    if (zmq_setsockopt(socket, ZMQ_CURVE_SECRETKEY, secret, 32) != 0 ||
        zmq_bind(socket, "tcp://127.0.0.1:*") != 0 ||
        zmq_getsockopt(socket, ZMQ_LAST_ENDPOINT, bound, &size) != 0)
        bench_die("zmq_bind", zmq_strerror(zmq_errno()));
    unsigned port = (unsigned)strtoul(strrchr(bound, ':') + 1, NULL, 10);
    if (write(tell, &port, sizeof(port)) != (ssize_t)sizeof(port))
        bench_die("pipe", strerror(errno));
    return socket;
}

static void send_to(void *socket, const uint8_t id[static ID_BYTES], zmq_msg_t *frame)
{
    zmq_msg_t copy;
    (void)zmq_msg_init(&copy);
    (void)zmq_msg_copy(&copy, frame);
    /* Waits where an application would keep account: a floor loses nothing either. */
    if (zmq_send(socket, id, ID_BYTES, ZMQ_SNDMORE) < 0 || zmq_msg_send(&copy, socket, 0) < 0)
        (void)zmq_msg_close(&copy);
}

static _Noreturn void serve(const uint8_t secret[static 32], int tell, unsigned nodes, int threads)
{
    void *context = zmq_ctx_new();
    (void)zmq_ctx_set(context, ZMQ_IO_THREADS, threads);
    void *socket = listening(context, secret, tell);
    uint8_t(*peer)[ID_BYTES] = calloc(nodes + 1, sizeof(*peer));
    uint8_t publisher[ID_BYTES] = {0}, id[ID_BYTES];
    unsigned peers = 0, receipts = 0;
    zmq_msg_t frame;
    if (peer == NULL)
        bench_die("floor", "out of memory");
    for (;;) {
        if (zmq_recv(socket, id, sizeof(id), 0) < 0)
            bench_die("zmq_recv", zmq_strerror(zmq_errno()));
        (void)zmq_msg_init(&frame);
        if (zmq_msg_recv(&frame, socket, 0) < 1)
            bench_die("zmq_recv", "an empty frame");
        uint8_t word = *(const uint8_t *)zmq_msg_data(&frame);
        if (word == HELLO && peers < nodes) {
            memcpy(peer[peers++], id, ID_BYTES);
            send_to(socket, id, &frame);
        } else if (word == PUBLISH) {
            memcpy(publisher, id, ID_BYTES);
            for (unsigned i = 0; i < peers; i++)
                send_to(socket, peer[i], &frame);
        } else if (word == RECEIPT && ++receipts % peers == 0) {
            (void)zmq_msg_close(&frame);
            (void)zmq_msg_init_size(&frame, RECEIPT_BYTES);
            memset(zmq_msg_data(&frame), BACK, RECEIPT_BYTES);
            send_to(socket, publisher, &frame);
        }
        (void)zmq_msg_close(&frame);
    }
}

/* ---- the peers ---- */

typedef struct {
    unsigned nodes, count, gap_ms, seconds, size, batch, window;
    int threads;
    const char *dir;
} floor_options;

typedef struct {
    floor_options options;
    bench_hub hub;
    bench_link *link; /* the last is the publisher */
    unsigned up, welcome, connecting, under_way;
    uint64_t at_ns, copies, last_ns, back_ns, backs, measured;
    bool measuring;
    bench_column arrival;
} floor_run;

static void on_up(void *arg, bench_link *link)
{
    floor_run *f = arg;
    const uint8_t hello = HELLO;
    f->up++;
    if (link->tag == 0) {
        bench_link_send(link, tcn_bytes_of(&hello, 1));
    } else {
        f->connecting--;
    }
}

static void on_frame(void *arg, bench_link *link, tcn_bytes frame)
{
    floor_run *f = arg;
    uint8_t receipt[RECEIPT_BYTES] = {RECEIPT};
    if (frame.ptr[0] == HELLO) {
        f->welcome++;
        f->connecting--;
    } else if (frame.ptr[0] == BACK) {
        f->back_ns = bench_now_ns();
        f->backs++;
    } else {
        f->last_ns = bench_now_ns();
        f->copies++;
        if (f->measuring)
            bench_column_add(&f->arrival, f->last_ns - f->at_ns);
        bench_link_send(link, tcn_bytes_of(receipt, sizeof(receipt)));
    }
}

static void on_batch(void *arg, bench_link *link)
{
    (void)arg;
    (void)link;
}

static void on_down(void *arg, bench_link *link)
{
    (void)arg;
    (void)link;
    bench_die("a connection", "was closed");
}

static const bench_link_ops ops = {
    .up = on_up, .frame = on_frame, .batch = on_batch, .down = on_down};

static void join(floor_run *f, unsigned port, const tcn_box_secret *secret)
{
    f->link = calloc(f->options.nodes + 1, sizeof(*f->link));
    if (f->link == NULL)
        bench_die("floor", "out of memory");
    for (unsigned i = 0; i <= f->options.nodes; i++) {
        f->link[i].tag = i == f->options.nodes;
        f->connecting++;
        bench_link_start(&f->link[i], &f->hub, port, secret);
        while (f->connecting >= 256)
            bench_hub_pump(&f->hub, 10, ALL);
    }
    uint64_t begin = bench_now_ns();
    while (f->welcome < f->options.nodes || f->up <= f->options.nodes) {
        bench_hub_pump(&f->hub, 10, ALL);
        if (bench_now_ns() - begin > PATIENCE_NS)
            bench_die("floor", "not everybody got in");
    }
}

static void publish(floor_run *f, size_t size)
{
    static uint8_t bytes[65536];
    bytes[0] = PUBLISH;
    bench_link_send(&f->link[f->options.nodes], tcn_bytes_of(bytes, size));
    bench_link_flush(&f->link[f->options.nodes]);
}

static void rest(floor_run *f, unsigned ms)
{
    uint64_t begin = bench_now_ns();
    while (bench_now_ns() - begin < ms * UINT64_C(1000000))
        bench_hub_pump(&f->hub, 1, ALL);
}

static void wait_back(floor_run *f, uint64_t backs)
{
    uint64_t begin = bench_now_ns();
    while (f->backs < backs) {
        bench_hub_pump(&f->hub, 100, ALL);
        if (bench_now_ns() - begin > PATIENCE_NS)
            bench_die("floor", "not all came back");
    }
}

static void latency(floor_run *f, pid_t pid)
{
    bench_column last = {.at = NULL}, back = {.at = NULL};
    bench_span span = {.pid = pid};
    double other = 0;
    for (unsigned i = 0; i < f->options.count + 5; i++) {
        if (i == 5) {
            f->measuring = true;
            span = bench_span_begin(pid);
        }
        f->at_ns = bench_now_ns();
        publish(f, f->options.size);
        wait_back(f, f->backs + 1);
        if (f->measuring) {
            bench_column_add(&last, f->last_ns - f->at_ns);
            bench_column_add(&back, f->back_ns - f->at_ns);
        }
        rest(f, f->options.gap_ms);
    }
    f->measuring = false;
    span = bench_span_end(&span, &other);
    double copies = (double)f->arrival.count;
    (void)printf(",\n \"single\":{\"receive_ms\":{\"p50\":%.2f,\"p99\":%.2f,\"max\":%.2f},"
                 "\"last_ms\":{\"p50\":%.2f,\"p90\":%.2f,\"max\":%.2f},",
                 bench_quantile_ms(&f->arrival, .5), bench_quantile_ms(&f->arrival, .99),
                 bench_quantile_ms(&f->arrival, 1), bench_quantile_ms(&last, .5),
                 bench_quantile_ms(&last, .9), bench_quantile_ms(&last, 1));
    (void)printf("\"receipts_ms\":{\"p50\":%.2f,\"p90\":%.2f,\"max\":%.2f},"
                 "\"broker_cpu_us\":%.2f,\"client_cpu_us\":%.2f,\"other\":%.2f}",
                 bench_quantile_ms(&back, .5), bench_quantile_ms(&back, .9),
                 bench_quantile_ms(&back, 1), (double)span.broker_ns / 1e3 / copies,
                 (double)span.self_ns / 1e3 / copies, other);
    bench_column_fini(&last);
    bench_column_fini(&back);
}

/* batch of the size in one frame each, window of such frames on the way. */
static void flood(floor_run *f, pid_t pid)
{
    double other = 0;
    bench_span span = bench_span_begin(pid);
    uint64_t copies = f->copies, sent = f->backs;
    while (bench_now_ns() - span.at_ns < f->options.seconds * UINT64_C(1000000000)) {
        while (sent - f->backs < f->options.window) {
            publish(f, (size_t)f->options.size * f->options.batch);
            sent++;
        }
        bench_hub_pump(&f->hub, 20, ALL);
    }
    copies = (f->copies - copies) * f->options.batch;
    span = bench_span_end(&span, &other);
    wait_back(f, sent);
    (void)printf(",\n \"flood\":{\"per_frame\":%u,\"deliveries_per_s\":%.0f,"
                 "\"broker_cpu_us\":%.3f,\"client_cpu_us\":%.3f,\"other\":%.2f}",
                 f->options.batch, (double)copies / ((double)span.at_ns / 1e9),
                 (double)span.broker_ns / 1e3 / (double)copies,
                 (double)span.self_ns / 1e3 / (double)copies, other);
}

static void machine(const char *dir)
{
    bench_column sync = {.at = NULL};
    int fd = bench_sync_open(dir);
    if (fd < 0)
        bench_die(dir, "cannot write a file there");
    for (int i = 0; i < SYNCS; i++)
        bench_column_add(&sync, bench_sync_ns(fd));
    (void)close(fd);
    (void)printf("{\"fsync_ms\":{\"p50\":%.3f,\"p90\":%.3f},\"send_1k_us\":%.2f",
                 bench_quantile_ms(&sync, .5), bench_quantile_ms(&sync, .9), bench_send_us());
    bench_column_fini(&sync);
}

static unsigned number(const char *text)
{
    char *end = NULL;
    unsigned long value = strtoul(text, &end, 10);
    if (end == text || *end != '\0' || value > 1000000)
        bench_die(text, "is not a number");
    return (unsigned)value;
}

static floor_options read_options(int argc, char **argv)
{
    static const struct option names[] = {
        {"nodes", 1, NULL, 'n'}, {"count", 1, NULL, 'c'},   {"gap", 1, NULL, 'g'},
        {"size", 1, NULL, 's'},  {"seconds", 1, NULL, 't'}, {"batch", 1, NULL, 'b'},
        {"dir", 1, NULL, 'd'},   {"threads", 1, NULL, 'T'}, {NULL, 0, NULL, 0}};
    floor_options o = {.nodes = 100,
                       .count = 100,
                       .gap_ms = 10,
                       .seconds = 3,
                       .size = 1400,
                       .batch = 32,
                       .window = 4,
                       .threads = 2,
                       .dir = "."};
    int found;
    while ((found = getopt_long(argc, argv, "", names, NULL)) != -1) {
        switch (found) {
        case 'n': o.nodes = number(optarg); break;
        case 'c': o.count = number(optarg); break;
        case 'g': o.gap_ms = number(optarg); break;
        case 's': o.size = number(optarg); break;
        case 't': o.seconds = number(optarg); break;
        case 'b': o.batch = number(optarg); break;
        case 'd': o.dir = optarg; break;
        case 'T': o.threads = (int)number(optarg); break;
        default:
            (void)fputs("usage: tocsin-floor [--nodes N] [--count N] [--gap MS] [--size BYTES]\n"
                        "           [--seconds N] [--batch N] [--threads N] [--dir DIR]\n",
                        stderr);
            exit(2);
        }
    }
    if (o.nodes == 0 || (size_t)o.size * o.batch > 60000)
        bench_die("floor", "a frame holds 60000 bytes, and somebody must get it");
    return o;
}

int main(int argc, char **argv)
{
    static floor_run f;
    f.options = read_options(argc, argv);
    uint8_t public_key[32];
    tcn_box_secret server, client;
    int tell[2];
    unsigned port = 0;
    if (tcn_keys_init() != TCN_OK || pipe2(tell, O_CLOEXEC) != 0)
        bench_die("floor", "cannot start");
    (void)crypto_box_keypair(public_key, server.b);
    (void)crypto_box_keypair(f.hub.server.b, client.b);
    machine(f.options.dir);
    (void)fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) {
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        serve(server.b, tell[1], f.options.nodes, f.options.threads);
    }
    if (pid < 0 || read(tell[0], &port, sizeof(port)) != (ssize_t)sizeof(port))
        bench_die("floor", "the server does not start");
    bench_hub_init(&f.hub, &ops, &f);
    memcpy(f.hub.server.b, public_key, sizeof(public_key));
    (void)printf(",\"nodes\":%u", f.options.nodes);
    join(&f, port, &client);
    latency(&f, pid);
    flood(&f, pid);
    (void)printf("}\n");
    (void)kill(pid, SIGKILL);
    (void)waitpid(pid, NULL, 0);
    return 0;
}
