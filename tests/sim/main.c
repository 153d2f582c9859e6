/* SPDX-License-Identifier: Apache-2.0 */
/* main.c - runs seeds. One that fails is run again, which gives the same, and told with its last
 * events. */
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "sim.h"

static sim *current;

static void usage(void)
{
    (void)fprintf(stderr, "usage: sim [--seeds A..B | --seed N] [--trace] [--calm] [--phases N]\n"
                          "           [--twice N] [--keep-going] [--last LINES]\n");
}

/* Aborted within a run: say where. The process ends anyway. */
static void tell(int number)
{
    if (current != NULL) {
        sim_trace_print(current, 40);
        (void)fprintf(stderr, "not ok seed %llu died of signal %d\n",
                      (unsigned long long)current->options.seed, number);
    }
    (void)signal(number, SIG_DFL);
    (void)raise(number);
}

static double seconds(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

typedef struct {
    uint64_t digest, turns;
    bool failed;
} outcome;

/* last: lines to print of a run that fails; 0: nothing. */
static outcome run_one(const sim_options *options, size_t last)
{
    sim *s = sim_new(options);
    current = s;
    sim_run(s);
    outcome o = {.digest = s->digest, .turns = s->turns, .failed = s->failed};
    if (s->failed && last > 0) {
        if (!options->trace)
            sim_trace_print(s, last);
        (void)printf("not ok seed %llu: %s\n", (unsigned long long)options->seed, s->why);
        (void)fflush(stdout);
    }
    current = NULL;
    sim_free(&s);
    return o;
}

/* Quietly; if it fails, again with all its words. The same seed must give the same run: else no
 * failure could be looked at. */
static outcome run_seed(const sim_options *options, size_t lines, bool twice)
{
    sim_options again = *options;
    outcome o = run_one(options, options->trace ? lines : 0);
    if ((!o.failed || options->trace) && !twice)
        return o;
    again.keep_lines = o.failed && !options->trace;
    outcome second = run_one(&again, again.keep_lines ? lines : 0);
    if (second.digest != o.digest) {
        (void)printf("not ok seed %llu: two runs of it differ\n",
                     (unsigned long long)options->seed);
        o.failed = true;
    }
    return o;
}

static bool parse_seeds(const char *text, uint64_t *ret_first, uint64_t *ret_last)
{
    char *end = NULL;
    *ret_first = strtoull(text, &end, 10);
    *ret_last = *ret_first;
    if (end == text)
        return false;
    if (strncmp(end, "..", 2) == 0)
        *ret_last = strtoull(end + 2, &end, 10);
    return *end == '\0' && *ret_last >= *ret_first;
}

int main(int argc, char **argv)
{
    static const struct option options[] = {
        {"seeds", 1, NULL, 's'},      {"seed", 1, NULL, 's'},   {"trace", 0, NULL, 't'},
        {"calm", 0, NULL, 'c'},       {"phases", 1, NULL, 'p'}, {"twice", 1, NULL, '2'},
        {"keep-going", 0, NULL, 'k'}, {"last", 1, NULL, 'l'},   {NULL, 0, NULL, 0}};
    sim_options chosen = {.seed = 1};
    uint64_t first = 1, last = 20, twice = 10, failures = 0, turns = 0, digest = 0;
    size_t lines = 60;
    bool keep_going = false;
    for (int c; (c = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        switch (c) {
        case 's':
            if (!parse_seeds(optarg, &first, &last)) {
                usage();
                return 2;
            }
            break;
        case 't': chosen.trace = true; break;
        case 'c': chosen.calm = true; break;
        case 'p': chosen.phases = (unsigned)strtoul(optarg, NULL, 10); break;
        case '2': twice = strtoull(optarg, NULL, 10); break;
        case 'k': keep_going = true; break;
        case 'l': lines = strtoul(optarg, NULL, 10); break;
        default: usage(); return 2;
        }
    }
    (void)signal(SIGABRT, tell);
    (void)signal(SIGSEGV, tell);
    double begin = seconds();
    uint64_t seeds = 0;
    for (uint64_t seed = first; seed <= last; seed++) {
        chosen.seed = seed;
        outcome o = run_seed(&chosen, lines, twice > 0 && seed % twice == 0);
        seeds++;
        turns += o.turns;
        failures += o.failed;
        digest ^= o.digest;
        if (failures > 0 && !keep_going)
            break;
    }
    double took = seconds() - begin;
    (void)printf("%s %llu seeds, %llu failed, %llu turns, %.1f seeds/s, digest %016llx\n",
                 failures == 0 ? "ok" : "not ok", (unsigned long long)seeds,
                 (unsigned long long)failures, (unsigned long long)turns, (double)seeds / took,
                 (unsigned long long)digest);
    return failures == 0 ? 0 : 1;
}
