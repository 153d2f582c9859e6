/* SPDX-License-Identifier: Apache-2.0 */
/* main.c - tocsin-swarm: makes a program, starts its broker, joins it with nodes and publishers,
 * measures, and prints one JSON object. */
#include <getopt.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "swarm.h"

static const char usage[] =
    "usage: tocsin-swarm --dir DIR --broker PROGRAM [options]\n"
    "\n"
    "  --dir DIR          made anew: seed, the broker's home and log\n"
    "  --broker PROGRAM   tocsin-broker\n"
    "  --nodes N          (100)\n"
    "  --publishers N     (2)\n"
    "  --classes N        kinds of nodes by what they may receive (1)\n"
    "  --phases LIST      of emergency, bulk, flood, submit, lone, mixed, settle, restart\n"
    "                     (emergency,flood)\n"
    "  --size BYTES       of a body (1024)\n"
    "  --count N          alerts of a phase that sends one at a time (100)\n"
    "  --gap MS           between them (10)\n"
    "  --window N         alerts of a flood under way (256)\n"
    "  --seconds N        of a flood or of submits (4)\n"
    "  --handshakes N     at a time while joining (256)\n"
    "  --settings TEXT    lines for broker.conf\n";

static unsigned number(const char *text)
{
    char *end = NULL;
    unsigned long value = strtoul(text, &end, 10);
    if (end == text || *end != '\0' || value > 10000000)
        bench_die(text, "is not a number");
    return (unsigned)value;
}

static swarm_options read_options(int argc, char **argv)
{
    enum {
        DIR = 1,
        BROKER,
        NODES,
        PUBLISHERS,
        CLASSES,
        PHASES,
        SIZE,
        COUNT,
        GAP,
        WINDOW,
        SECONDS,
        HANDSHAKES,
        SETTINGS
    };
    static const struct option names[] = {
        {"dir", 1, NULL, DIR},           {"broker", 1, NULL, BROKER},
        {"nodes", 1, NULL, NODES},       {"publishers", 1, NULL, PUBLISHERS},
        {"classes", 1, NULL, CLASSES},   {"phases", 1, NULL, PHASES},
        {"size", 1, NULL, SIZE},         {"count", 1, NULL, COUNT},
        {"gap", 1, NULL, GAP},           {"window", 1, NULL, WINDOW},
        {"seconds", 1, NULL, SECONDS},   {"handshakes", 1, NULL, HANDSHAKES},
        {"settings", 1, NULL, SETTINGS}, {NULL, 0, NULL, 0}};
    swarm_options o = {.phases = "emergency,flood",
                       .nodes = 100,
                       .publishers = 2,
                       .classes = 1,
                       .body_bytes = 1024,
                       .count = 100,
                       .gap_ms = 10,
                       .window = 256,
                       .seconds = 4,
                       .handshakes = 256};
    int option;
    while ((option = getopt_long(argc, argv, "", names, NULL)) != -1) {
        switch (option) {
        case DIR: o.dir = optarg; break;
        case BROKER: o.broker = optarg; break;
        case NODES: o.nodes = number(optarg); break;
        case PUBLISHERS: o.publishers = number(optarg); break;
        case CLASSES: o.classes = number(optarg); break;
        case PHASES: o.phases = optarg; break;
        case SIZE: o.body_bytes = number(optarg); break;
        case COUNT: o.count = number(optarg); break;
        case GAP: o.gap_ms = number(optarg); break;
        case WINDOW: o.window = number(optarg); break;
        case SECONDS: o.seconds = number(optarg); break;
        case HANDSHAKES: o.handshakes = number(optarg); break;
        case SETTINGS: o.settings = optarg; break;
        default: (void)fputs(usage, stderr); exit(2);
        }
    }
    if (o.dir == NULL || o.broker == NULL || o.publishers < 2 || optind != argc) {
        (void)fputs(usage, stderr);
        exit(2);
    }
    return o;
}

int main(int argc, char **argv)
{
    static swarm s;
    s.options = read_options(argc, argv);
    (void)signal(SIGPIPE, SIG_IGN);
    if (tcn_keys_init() != TCN_OK)
        bench_die("libsodium", "does not start");
    uint64_t begin = bench_now_ns();
    const bench_cast_options cast = {.nodes = s.options.nodes,
                                     .publishers = s.options.publishers,
                                     .classes = s.options.classes,
                                     .settings = s.options.settings};
    bench_cast_make(s.options.dir, &cast, &s.cast);
    s.audience = s.options.nodes;
    tcn_buf_init(&s.board_next, TCN_MAX_FRAME_BYTES);
    for (int i = 0; i < TCN_LANES; i++) {
        bench_hub_init(&s.hub[i], &swarm_ops, &s);
        s.hub[i].server = s.cast.broker_key;
    }
    bench_hub_wakes(&s.hub[TCN_LANE_EMERGENCY], &s.hub[TCN_LANE_BULK]);
    swarm_members_make(&s);
    (void)printf("{\"nodes\":%u,\"body_bytes\":%u,\"classes\":%u,\"members_made_ms\":%.0f",
                 s.options.nodes, s.options.body_bytes, s.options.classes,
                 (double)(bench_now_ns() - begin) / 1e6);
    swarm_phase(&s, "start");
    swarm_join(&s);
    char *list = strdup(s.options.phases), *save = NULL;
    for (char *name = list != NULL ? strtok_r(list, ",", &save) : NULL; name != NULL;
         name = strtok_r(NULL, ",", &save))
        swarm_phase(&s, name);
    (void)printf(",\n \"rss_end_kib\":%ld,\"cuts\":%llu}\n",
                 bench_status_kib(s.server.pid, "VmRSS:"), (unsigned long long)s.cuts);
    free(list);
    bench_server_stop(&s.server, SIGTERM);
    bench_cast_fini(&s.cast);
    return 0;
}
