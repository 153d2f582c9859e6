/* SPDX-License-Identifier: Apache-2.0 */
/* swarm_nodes.c - many nodes in one process and one thread, on the public API.
 * stdout, a line for each event:
 *   ready N                        all N sessions are open, on both endpoints unless --session-only
 *   all ID HANDLE N MS             N nodes (--need, default all) have it and confirmed it; MS since
 *                                  its creation
 *   rejected NODE ID WORD          one verified false
 *   got ID HANDLE N                at the end: how many had it
 *   traffic NODE LANE FIN BIN FOUT BOUT    at the end: frames and bytes each way
 * Ends when --alerts K alerts were "all" or when stdin closes (--until-eof); with exit 1 after
 * --timeout seconds. Without any of these it runs until it is killed. */
#include <tocsin/node.h>

#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

enum { ALERTS_MAX = 4096 };

typedef struct {
    tocsin_node *node;
    const char *home;
    unsigned open; /* bits of lanes */
    uint8_t *seen; /* of the alerts table */
    uint64_t fetch_from;
    bool fetching;
    tocsin_id fetching_id;
} member;

typedef struct {
    tocsin_id id;
    char handle[40];
    int64_t created;
    unsigned holders; /* confirmed */
    bool told;
} known_alert;

static struct {
    member *nodes;
    unsigned count, open, need, want_alerts, complete, timeout_s;
    bool session_only, bodies, until_eof, ready_told;
    int answer;
    known_alert alert[ALERTS_MAX];
    unsigned alerts;
} swarm = {.answer = -1};

static int64_t wall_ms(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void die(const char *what, const tocsin_error *error)
{
    (void)fprintf(stderr, "swarm_nodes: %s: %s\n", what, error->text);
    exit(1);
}

/* ---- alerts ---- */

static unsigned index_of(const tocsin_alert *alert)
{
    for (unsigned i = swarm.alerts; i > 0; i--)
        if (memcmp(swarm.alert[i - 1].id.bytes, alert->id.bytes, 16) == 0)
            return i - 1;
    if (swarm.alerts == ALERTS_MAX) {
        (void)fprintf(stderr, "swarm_nodes: more than %d alerts\n", ALERTS_MAX);
        exit(1);
    }
    known_alert *fresh = &swarm.alert[swarm.alerts];
    *fresh = (known_alert){.id = alert->id, .created = alert->created};
    (void)snprintf(fresh->handle, sizeof(fresh->handle), "%s", alert->handle);
    return swarm.alerts++;
}

/* seen: 0 never, 1 given, 2 confirmed */
static void given(member *m, const tocsin_alert *alert)
{
    unsigned i = index_of(alert);
    tocsin_error error;
    if (m->seen[i] != 0)
        return; /* at least once: this is one of the other times */
    m->seen[i] = 1;
    if (swarm.answer >= 0) {
        tocsin_ack ack;
        tocsin_ack_init(alert, (uint32_t)swarm.answer, &ack);
        if (tocsin_node_ack(m->node, &ack, NULL, &error) != TOCSIN_OK)
            die("ack", &error);
    }
    if (swarm.bodies && alert->external && !m->fetching) {
        m->fetching = true;
        if (tocsin_node_fetch(m->node, alert, 0, &error) != TOCSIN_OK)
            die("fetch", &error);
    }
}

static void confirmed(member *m)
{
    for (unsigned i = 0; i < swarm.alerts; i++) {
        known_alert *a = &swarm.alert[i];
        if (m->seen[i] != 1)
            continue;
        m->seen[i] = 2;
        a->holders++;
        if (a->holders >= swarm.need && !a->told) {
            char id[TOCSIN_ID_TEXT_SIZE];
            tocsin_id_text(&a->id, id);
            a->told = true;
            swarm.complete++;
            (void)printf("all %s %s %u %lld\n", id, a->handle, a->holders,
                         (long long)(wall_ms() - a->created));
        }
    }
}

static void line_changed(member *m, uint32_t lane, bool up)
{
    unsigned all = swarm.session_only ? 1 : 3;
    bool was = (m->open & all) == all;
    m->open = up ? m->open | 1u << lane : m->open & ~(1u << lane);
    bool is = (m->open & all) == all;
    swarm.open += (unsigned)is - (unsigned)was;
    if (swarm.open == swarm.count && !swarm.ready_told) {
        swarm.ready_told = true;
        (void)printf("ready %u\n", swarm.count);
    }
}

static void take(member *m, const tocsin_event *event)
{
    tocsin_error error;
    char id[TOCSIN_ID_TEXT_SIZE];
    switch (event->kind) {
    case TOCSIN_EVENT_CONNECTED: line_changed(m, event->lane, true); break;
    case TOCSIN_EVENT_DISCONNECTED:
        line_changed(m, event->lane, false);
        (void)fprintf(stderr, "%s: lane %u: %s\n", m->home, event->lane, event->text);
        break;
    case TOCSIN_EVENT_ALERT: given(m, event->alert); break;
    case TOCSIN_EVENT_CURSOR:
        if (tocsin_node_confirm(m->node, &event->cursor, &error) != TOCSIN_OK)
            die("confirm", &error);
        confirmed(m);
        break;
    case TOCSIN_EVENT_BODY_DONE:
        m->fetching = false;
        if (event->code != TOCSIN_OK)
            (void)printf("body-failed %s %s\n", m->home, tocsin_error_word(event->code));
        else if (tocsin_node_body_stored(m->node, &event->id, &error) != TOCSIN_OK)
            die("stored", &error);
        break;
    case TOCSIN_EVENT_BODIES_KEPT:
        tocsin_id_text(&event->id, id);
        (void)printf("body-kept %s %s\n", m->home, id);
        break;
    case TOCSIN_EVENT_REJECTED:
        tocsin_id_text(&event->id, id);
        (void)printf("rejected %s %s %s\n", m->home, id, tocsin_error_word(event->code));
        break;
    default: break;
    }
}

static void drain(member *m)
{
    const tocsin_event *event = NULL;
    tocsin_error error;
    int32_t code;
    while ((code = tocsin_node_next(m->node, 0, &event, &error)) == TOCSIN_OK)
        take(m, event);
    if (code != TOCSIN_E_TIMEOUT)
        die(m->home, &error);
}

/* ---- life ---- */

static void open_nodes(char **homes)
{
    swarm.nodes = calloc(swarm.count, sizeof(*swarm.nodes));
    for (unsigned i = 0; i < swarm.count; i++) {
        tocsin_node_options options;
        tocsin_error error;
        tocsin_node_options_init(&options);
        options.home = homes[i];
        options.software = "swarm_nodes";
        options.session_only = swarm.session_only ? 1 : 0;
        swarm.nodes[i].home = homes[i];
        swarm.nodes[i].seen = calloc(ALERTS_MAX, 1);
        if (tocsin_node_open(&options, &swarm.nodes[i].node, &error) != TOCSIN_OK)
            die(homes[i], &error);
    }
}

static void report(void)
{
    for (unsigned i = 0; i < swarm.alerts; i++) {
        char id[TOCSIN_ID_TEXT_SIZE];
        tocsin_id_text(&swarm.alert[i].id, id);
        (void)printf("got %s %s %u\n", id, swarm.alert[i].handle, swarm.alert[i].holders);
    }
    for (unsigned i = 0; i < swarm.count; i++) {
        for (uint32_t lane = 0; lane < 2; lane++) {
            tocsin_traffic t;
            tocsin_node_traffic(swarm.nodes[i].node, lane, &t);
            (void)printf("traffic %s %u %llu %llu %llu %llu\n", swarm.nodes[i].home, lane,
                         (unsigned long long)t.frames_in, (unsigned long long)t.bytes_in,
                         (unsigned long long)t.frames_out, (unsigned long long)t.bytes_out);
        }
        tocsin_node_close(&swarm.nodes[i].node);
        free(swarm.nodes[i].seen);
    }
    free(swarm.nodes);
}

static bool is_done(void)
{
    return swarm.want_alerts > 0 && swarm.complete >= swarm.want_alerts;
}

static int run(void)
{
    struct pollfd *fds = calloc(swarm.count + 1, sizeof(*fds));
    int64_t until = swarm.timeout_s > 0 ? wall_ms() + (int64_t)swarm.timeout_s * 1000 : INT64_MAX;
    bool ended = false;
    for (unsigned i = 0; i < swarm.count; i++)
        fds[i] = (struct pollfd){.fd = tocsin_node_fd(swarm.nodes[i].node), .events = POLLIN};
    fds[swarm.count] = (struct pollfd){.fd = swarm.until_eof ? 0 : -1, .events = POLLIN};
    while (!is_done() && !ended && wall_ms() < until) {
        (void)fflush(stdout);
        int64_t left = until - wall_ms();
        (void)poll(fds, swarm.count + 1, left > 60000 ? 60000 : (int)left);
        for (unsigned i = 0; i < swarm.count; i++)
            if (fds[i].revents != 0)
                drain(&swarm.nodes[i]);
        char byte;
        ended = fds[swarm.count].revents != 0 && read(0, &byte, 1) <= 0;
    }
    /* What was confirmed last leaves before the sockets close. */
    bool done = is_done() || ended;
    for (unsigned i = 0; i < swarm.count; i++)
        drain(&swarm.nodes[i]);
    free(fds);
    return done ? 0 : 1;
}

static const char usage[] =
    "usage: swarm_nodes [--alerts K] [--need N] [--session-only] [--bodies] [--ack NUMBER]\n"
    "                   [--until-eof] [--timeout SECONDS] HOME...\n";

static unsigned number(const char *text)
{
    return text != NULL ? (unsigned)strtoul(text, NULL, 10) : 0;
}

int main(int argc, char **argv)
{
    int at = 1;
    for (; at < argc && strncmp(argv[at], "--", 2) == 0; at++) {
        if (strcmp(argv[at], "--session-only") == 0)
            swarm.session_only = true;
        else if (strcmp(argv[at], "--bodies") == 0)
            swarm.bodies = true;
        else if (strcmp(argv[at], "--until-eof") == 0)
            swarm.until_eof = true;
        else if (strcmp(argv[at], "--alerts") == 0)
            swarm.want_alerts = number(argv[++at]);
        else if (strcmp(argv[at], "--need") == 0)
            swarm.need = number(argv[++at]);
        else if (strcmp(argv[at], "--timeout") == 0)
            swarm.timeout_s = number(argv[++at]);
        else if (strcmp(argv[at], "--ack") == 0)
            swarm.answer = (int)number(argv[++at]);
        else
            break;
    }
    if (at >= argc || argv[at][0] == '-') {
        (void)fputs(usage, stderr);
        return 2;
    }
    struct rlimit files = {0};
    if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
        files.rlim_cur = files.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &files);
    }
    swarm.count = (unsigned)(argc - at);
    if (swarm.need == 0)
        swarm.need = swarm.count;
    open_nodes(argv + at);
    int code = run();
    report();
    return code;
}
