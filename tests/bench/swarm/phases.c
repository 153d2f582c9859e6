/* SPDX-License-Identifier: Apache-2.0 */
/* phases.c - what is measured, one after the other; each prints one member of the JSON object. */
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "swarm.h"

enum {
    PATIENCE_S = 60,
    WARM_UP = 5,
    AUTHORS = 4,
    DEPTH = 32,
    SETTLE_MS = 1000,
    STALLED = 10,
    MIXED_BULK = 100
};

static double ms(uint64_t ns)
{
    return (double)ns / 1e6;
}

static bool late(uint64_t begin_ns)
{
    return bench_now_ns() - begin_ns > PATIENCE_S * UINT64_C(1000000000);
}

static void rest(swarm *s, unsigned for_ms)
{
    uint64_t begin = bench_now_ns();
    while (bench_now_ns() - begin < for_ms * UINT64_C(1000000))
        swarm_pump(s, for_ms < 10 ? 1 : 10);
}

static void begin_member(const char *name)
{
    (void)printf(",\n \"%s\":{", name);
}

/* ---- join ---- */

static void wait_open(swarm *s, unsigned nodes, const char *what)
{
    uint64_t begin = bench_now_ns();
    while (s->open < nodes || s->publishers_open < s->options.publishers) {
        swarm_pump(s, 10);
        if (late(begin))
            bench_die(what, "not everybody got in");
    }
}

void swarm_join(swarm *s)
{
    for (unsigned i = 0; i < s->options.publishers; i++)
        for (int lane = 0; lane < TCN_LANES; lane++)
            swarm_connect(s, &s->publisher[i], (tcn_lane)lane);
    wait_open(s, 0, "publishers");
    rest(s, SETTLE_MS);
    long before = bench_status_kib(s->server.pid, "VmRSS:");
    s->anon_before_kib = bench_status_kib(s->server.pid, "RssAnon:");
    double other;
    bench_span span = bench_span_begin(s->server.pid);
    for (unsigned i = 0; i < s->options.nodes; i++) {
        for (int lane = 0; lane < TCN_LANES; lane++)
            swarm_connect(s, &s->node[i], (tcn_lane)lane);
        while (s->connecting >= s->options.handshakes)
            swarm_pump(s, 10);
    }
    wait_open(s, s->options.nodes, "join");
    span = bench_span_end(&span, &other);
    rest(s, SETTLE_MS);
    long after = bench_status_kib(s->server.pid, "VmRSS:");
    unsigned nodes = s->options.nodes > 0 ? s->options.nodes : 1;
    begin_member("join");
    (void)printf("\"nodes\":%u,\"ms\":%.0f,\"broker_cpu_ms_per_node\":%.3f,"
                 "\"client_cpu_ms_per_node\":%.3f,\"other\":%.2f,"
                 "\"rss_before_kib\":%ld,\"rss_after_kib\":%ld,\"rss_per_node_kib\":%.1f}",
                 s->options.nodes, ms(span.at_ns), ms(span.broker_ns) / nodes,
                 ms(span.self_ns) / nodes, other, before, after, (double)(after - before) / nodes);
    (void)fflush(stdout);
}

/* ---- one at a time ---- */

static void wait_done(swarm *s)
{
    uint64_t begin = bench_now_ns();
    while (s->done < s->published) {
        swarm_pump(s, 100);
        if (late(begin))
            bench_die("an alert", "did not arrive everywhere");
    }
}

typedef struct {
    bench_column last, accept, receipts, board;
    unsigned board_missing;
} singles;

/* One alert to everybody; its PONG says that the last receipt is recorded. */
static void publish_one(swarm *s, singles *out)
{
    uint64_t begin = bench_now_ns();
    s->pong_ns = 0;
    (void)swarm_publish(s, true);
    wait_done(s);
    while (s->audience > 0 && s->pong_ns == 0 && !late(begin))
        swarm_pump(s, 100);
    const swarm_alert *alert = &s->alert[s->published - 1];
    if (s->measuring == 0)
        return;
    bench_column_add(&out->last, alert->last_ns - alert->at_ns);
    bench_column_add(&out->accept, alert->answered_ns - alert->at_ns);
    bench_column_add(&out->receipts, s->pong_ns - alert->at_ns);
}

static void read_boards(swarm *s, singles *out, size_t from)
{
    size_t step = (s->published - from) / 10 + 1;
    for (size_t i = from; i < s->published; i += step) {
        unsigned received;
        double last = swarm_board(s, &s->alert[i], &received);
        bench_column_add(&out->board, (uint64_t)(last * 1e6));
        out->board_missing += s->options.nodes - received;
    }
}

static void print_singles(swarm *s, singles *out, const bench_span *span, double other)
{
    double copies = s->arrival.count > 0 ? (double)s->arrival.count : 1;
    (void)printf("\"alerts\":%zu,\"receive_ms\":{\"p50\":%.2f,\"p99\":%.2f,\"max\":%.2f},",
                 out->last.count, bench_quantile_ms(&s->arrival, .5),
                 bench_quantile_ms(&s->arrival, .99), bench_quantile_ms(&s->arrival, 1));
    (void)printf("\"last_ms\":{\"p50\":%.2f,\"p90\":%.2f,\"max\":%.2f},",
                 bench_quantile_ms(&out->last, .5), bench_quantile_ms(&out->last, .9),
                 bench_quantile_ms(&out->last, 1));
    (void)printf("\"receipts_ms\":{\"p50\":%.2f,\"p90\":%.2f,\"max\":%.2f},"
                 "\"accept_ms\":{\"p50\":%.2f,\"p99\":%.2f},",
                 bench_quantile_ms(&out->receipts, .5), bench_quantile_ms(&out->receipts, .9),
                 bench_quantile_ms(&out->receipts, 1), bench_quantile_ms(&out->accept, .5),
                 bench_quantile_ms(&out->accept, .99));
    (void)printf("\"board_last_ms\":%.0f,\"board_missing\":%u,"
                 "\"broker_cpu_us\":%.2f,\"client_cpu_us\":%.2f,\"other\":%.2f",
                 bench_quantile_ms(&out->board, 1), out->board_missing,
                 (double)span->broker_ns / 1e3 / copies, (double)span->self_ns / 1e3 / copies,
                 other);
    bench_column_fini(&out->last);
    bench_column_fini(&out->accept);
    bench_column_fini(&out->receipts);
    bench_column_fini(&out->board);
}

static void one_at_a_time(swarm *s, const char *name, tcn_lane lane)
{
    singles out = {.board_missing = 0};
    double other = 0;
    bench_span span = {.pid = 0};
    bench_column_fini(&s->arrival);
    swarm_make_alerts(s, lane, s->options.count + WARM_UP, 1);
    size_t from = s->published + WARM_UP;
    for (unsigned i = 0; i < s->options.count + WARM_UP; i++) {
        if (i == WARM_UP) {
            s->measuring = ~0u;
            span = bench_span_begin(s->server.pid);
        }
        publish_one(s, &out);
        rest(s, s->options.gap_ms);
    }
    s->measuring = 0;
    span = bench_span_end(&span, &other);
    if (lane == TCN_LANE_EMERGENCY)
        read_boards(s, &out, from);
    begin_member(name);
    print_singles(s, &out, &span, other);
    (void)printf(",\"rss_kib\":%ld}", bench_status_kib(s->server.pid, "VmRSS:"));
}

/* ---- closed loop ---- */

static void fill_window(swarm *s, unsigned window)
{
    if (s->published - s->done > window / 2)
        return;
    while (s->published - s->done < window && swarm_publish(s, false)) {
    }
    for (unsigned i = 0; i < AUTHORS && i < s->options.publishers; i++)
        for (int lane = 0; lane < TCN_LANES; lane++)
            bench_link_flush(&s->publisher[i].link[lane]);
}

#define WARM_UP_NS 500000000u

typedef struct {
    double other;
    bench_span span;
    uint64_t deliveries, frames;
    size_t published;
} loop_result;

static loop_result count_from(const swarm *s)
{
    return (loop_result){.span = bench_span_begin(s->server.pid),
                         .deliveries = s->deliveries,
                         .frames = s->frames,
                         .published = s->published};
}

/* Publishes what was made ahead, `window` of it under way, and counts after half a second. */
static loop_result closed_loop(swarm *s)
{
    bool warm = false;
    uint64_t begin = bench_now_ns();
    loop_result from = {.other = 0};
    while (s->published < s->made) {
        if (!warm && bench_now_ns() - begin > WARM_UP_NS) {
            warm = true;
            from = count_from(s);
        }
        fill_window(s, s->options.window);
        if (warm && bench_now_ns() - from.span.at_ns > s->options.seconds * UINT64_C(1000000000))
            break;
        swarm_pump(s, 20);
    }
    if (!warm)
        bench_die("flood", "too few alerts were made");
    loop_result r = {.deliveries = s->deliveries - from.deliveries,
                     .frames = s->frames - from.frames,
                     .published = s->published - from.published};
    r.span = bench_span_end(&from.span, &r.other);
    return r;
}

static void print_loop(swarm *s, const loop_result *r)
{
    double seconds = (double)r->span.at_ns / 1e9;
    double copies = r->deliveries > 0 ? (double)r->deliveries : 1;
    double frames = r->frames > 0 ? (double)r->frames : 1;
    (void)printf("\"seconds\":%.2f,\"window\":%u,\"alerts_per_s\":%.0f,\"deliveries_per_s\":%.0f,"
                 "\"alerts_per_frame\":%.1f,\"broker_cpu_us\":%.3f,\"client_cpu_us\":%.3f,",
                 seconds, s->options.window, (double)r->published / seconds, copies / seconds,
                 copies / frames, (double)r->span.broker_ns / 1e3 / copies,
                 (double)r->span.self_ns / 1e3 / copies);
    (void)printf("\"broker_util\":%.2f,\"client_util\":%.2f,\"other\":%.2f,\"rss_kib\":%ld",
                 (double)r->span.broker_ns / (double)r->span.at_ns,
                 (double)r->span.self_ns / (double)r->span.at_ns, r->other,
                 bench_status_kib(s->server.pid, "VmRSS:"));
}

static unsigned authors(const swarm *s)
{
    return s->options.publishers < AUTHORS ? s->options.publishers : AUTHORS;
}

/* So many that no broker gets them all out within the time, and not more than memory is for. */
static size_t flood_alerts(const swarm *s)
{
    size_t nodes = s->options.nodes > 0 ? s->options.nodes : 1;
    size_t count = (s->options.seconds + 1) * (1200000 / nodes + 600);
    return count < 60000 ? count : 60000;
}

static void flood(swarm *s, const char *name)
{
    swarm_make_alerts(s, TCN_LANE_BULK, flood_alerts(s), authors(s));
    loop_result r = closed_loop(s);
    swarm_drop_unpublished(s);
    wait_done(s);
    begin_member(name);
    print_loop(s, &r);
    (void)printf("}");
}

/* Emergencies in the middle of a flood, while a tenth of the nodes do not read. */
static void mixed(swarm *s, const char *name)
{
    unsigned stalled = s->options.nodes / STALLED;
    for (unsigned i = 0; i < stalled; i++)
        for (int lane = 0; lane < TCN_LANES; lane++)
            bench_link_stall(&s->node[i].link[lane], true);
    s->audience = s->options.nodes - stalled;
    for (size_t left = flood_alerts(s); left > MIXED_BULK; left -= MIXED_BULK) {
        swarm_make_alerts(s, TCN_LANE_BULK, MIXED_BULK, authors(s));
        swarm_make_alerts(s, TCN_LANE_EMERGENCY, 1, 1);
    }
    bench_column_fini(&s->arrival);
    s->measuring = 1u << TCN_LANE_EMERGENCY;
    loop_result r = closed_loop(s);
    swarm_drop_unpublished(s);
    wait_done(s);
    s->measuring = 0;
    begin_member(name);
    (void)printf("\"stalled\":%u,\"emergency_ms\":{\"p50\":%.2f,\"p99\":%.2f,\"max\":%.2f},",
                 stalled, bench_quantile_ms(&s->arrival, .5), bench_quantile_ms(&s->arrival, .99),
                 bench_quantile_ms(&s->arrival, 1));
    print_loop(s, &r);
    (void)printf("}");
    for (unsigned i = 0; i < stalled; i++)
        for (int lane = 0; lane < TCN_LANES; lane++)
            bench_link_stall(&s->node[i].link[lane], false);
    s->audience = s->options.nodes;
    rest(s, SETTLE_MS);
}

/* All publishers, each with DEPTH submits on the way; what counts is the ANSWER. */
static void submit(swarm *s, const char *name)
{
    double other = 0;
    swarm_make_alerts(s, TCN_LANE_BULK, (size_t)s->options.seconds * 15000, s->options.publishers);
    bench_span span = bench_span_begin(s->server.pid);
    uint64_t answers = s->answers, begin = bench_now_ns();
    size_t first = s->published;
    while (bench_now_ns() - begin < s->options.seconds * UINT64_C(1000000000) &&
           s->published < s->made) {
        /* They take turns: the next alert's author may be busy, then all wait for it. */
        while (s->published < s->made &&
               s->publisher[s->alert[s->published].publisher].under_way < DEPTH)
            (void)swarm_publish(s, false);
        for (unsigned i = 0; i < s->options.publishers; i++)
            bench_link_flush(&s->publisher[i].link[TCN_LANE_BULK]);
        swarm_pump(s, 20);
    }
    answers = s->answers - answers;
    span = bench_span_end(&span, &other);
    swarm_drop_unpublished(s);
    wait_done(s);
    bench_column accept = {.at = NULL};
    for (size_t i = first; i < s->published; i++)
        bench_column_add(&accept, s->alert[i].answered_ns - s->alert[i].at_ns);
    begin_member(name);
    (void)printf("\"publishers\":%u,\"accepted_per_s\":%.0f,\"accept_ms\":{\"p50\":%.2f,"
                 "\"p99\":%.2f},\"broker_cpu_us\":%.1f,\"broker_util\":%.2f,\"other\":%.2f}",
                 s->options.publishers, (double)answers / ((double)span.at_ns / 1e9),
                 bench_quantile_ms(&accept, .5), bench_quantile_ms(&accept, .99),
                 (double)span.broker_ns / 1e3 / (double)(answers > 0 ? answers : 1),
                 (double)span.broker_ns / (double)span.at_ns, other);
    bench_column_fini(&accept);
}

/* One publisher, one submit at a time, in turn with one fdatasync of our own. */
static void lone(swarm *s, const char *name)
{
    bench_column accept = {.at = NULL}, sync = {.at = NULL};
    int fd = bench_sync_open(s->cast.home);
    swarm_make_alerts(s, TCN_LANE_BULK, s->options.count + WARM_UP, 1);
    for (unsigned i = 0; i < s->options.count + WARM_UP; i++) {
        (void)swarm_publish(s, true);
        wait_done(s);
        rest(s, 2);
        const swarm_alert *alert = &s->alert[s->published - 1];
        uint64_t synced = bench_sync_ns(fd);
        if (i < WARM_UP)
            continue;
        bench_column_add(&accept, alert->answered_ns - alert->at_ns);
        bench_column_add(&sync, synced);
    }
    double a = bench_quantile_ms(&accept, .5), f = bench_quantile_ms(&sync, .5);
    begin_member(name);
    (void)printf("\"accept_ms\":{\"p50\":%.3f,\"p90\":%.3f},\"fsync_ms\":{\"p50\":%.3f,"
                 "\"p90\":%.3f},\"ratio\":%.2f}",
                 a, bench_quantile_ms(&accept, .9), f, bench_quantile_ms(&sync, .9),
                 f > 0 ? a / f : 0);
    bench_column_fini(&accept);
    bench_column_fini(&sync);
}

/* ---- restart ---- */

static void start_broker(swarm *s)
{
    char log[1100];
    char home[] = "--home";
    char *argv[] = {s->options.broker, home, s->cast.home, NULL};
    (void)snprintf(log, sizeof(log), "%s/broker.log", s->cast.dir);
    bench_server_start(&s->server, argv, log);
}

/* The broker is killed and started again; everybody comes back, and one emergency proves it. */
static void restart(swarm *s, const char *name)
{
    singles out = {.board_missing = 0};
    s->lively = true;
    uint64_t begin = bench_now_ns();
    bench_server_stop(&s->server, SIGKILL);
    start_broker(s);
    uint64_t up = bench_now_ns();
    while (s->open == s->options.nodes && s->options.nodes > 0 && !late(begin))
        swarm_pump(s, 10);
    wait_open(s, s->options.nodes, "restart");
    uint64_t back = bench_now_ns();
    s->lively = false;
    swarm_make_alerts(s, TCN_LANE_EMERGENCY, 1, 1);
    publish_one(s, &out);
    begin_member(name);
    (void)printf("\"broker_up_ms\":%.0f,\"all_back_ms\":%.0f,\"then_one_emergency_ms\":%.1f}",
                 ms(up - begin), ms(back - begin), ms(bench_now_ns() - back));
}

/* What stays when it is quiet again. A node's share is of anonymous memory: pages of the store that
 * are in memory count to the journal, and can be dropped at any time. */
static void settle(swarm *s, const char *name)
{
    rest(s, 3 * SETTLE_MS);
    long now = bench_status_kib(s->server.pid, "VmRSS:");
    long anon = bench_status_kib(s->server.pid, "RssAnon:");
    begin_member(name);
    (void)printf("\"rss_kib\":%ld,\"rss_per_node_kib\":%.1f}", now,
                 (double)(anon - s->anon_before_kib) /
                     (s->options.nodes > 0 ? s->options.nodes : 1));
}

void swarm_phase(swarm *s, const char *name)
{
    if (strcmp(name, "start") == 0)
        start_broker(s);
    else if (strcmp(name, "join") == 0)
        swarm_join(s);
    else if (strcmp(name, "emergency") == 0)
        one_at_a_time(s, name, TCN_LANE_EMERGENCY);
    else if (strcmp(name, "bulk") == 0)
        one_at_a_time(s, name, TCN_LANE_BULK);
    else if (strcmp(name, "flood") == 0)
        flood(s, name);
    else if (strcmp(name, "submit") == 0)
        submit(s, name);
    else if (strcmp(name, "lone") == 0)
        lone(s, name);
    else if (strcmp(name, "settle") == 0)
        settle(s, name);
    else if (strcmp(name, "mixed") == 0)
        mixed(s, name);
    else if (strcmp(name, "restart") == 0)
        restart(s, name);
    else
        bench_die(name, "there is no such phase");
    (void)fflush(stdout);
}
