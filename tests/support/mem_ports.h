/* SPDX-License-Identifier: Apache-2.0 */
/* mem_ports.h - every port in memory, for the tests of a core and for the simulator: store, blobs
 * and net with faults (see their headers), a clock that the test moves, random numbers from a
 * seed, and a log that is kept. Equal seeds and equal inputs give equal outputs. One thread. */
#ifndef TOCSIN_TEST_MEM_PORTS_H
#define TOCSIN_TEST_MEM_PORTS_H

#include "mem_blob.h"
#include "mem_net.h"
#include "mem_store.h"

#define MEM_WALL_START_MS 1767225600000 /* 2026-01-01T00:00:00Z */
#define MEM_MONO_START_MS 1000000u

typedef struct {
    tcn_level level;
    char *event, *text;
} mem_log_line;

typedef struct {
    tcn_wall wall; /* the test may set both */
    tcn_mono mono;
    uint64_t random[4];
    mem_log_line *lines;
    size_t line_count, line_cap;
    mem_store *store;
    mem_blob *blob;
    mem_net *net;
} mem_ports;

void mem_ports_init(mem_ports *m, uint64_t seed);
void mem_ports_fini(mem_ports *m);
/* The ports; they borrow m, which must not move. */
tcn_ports mem_ports_all(mem_ports *m);
/* Power loss: only what is durable stays; all peers are gone and peer numbers begin anew. The
 * clocks, the random numbers and the log go on. */
void mem_ports_crash(mem_ports *m);

/* Moves both clocks. */
void mem_ports_pass(mem_ports *m, uint64_t ms);

/* The nth line (from 0) with this event (NULL: any); NULL if there are fewer. Dies with the next
 * line. With $TOCSIN_TEST_LOG set, lines go to stderr, too. */
const mem_log_line *mem_ports_line(const mem_ports *m, const char *event, size_t nth);
size_t mem_ports_line_count(const mem_ports *m, const char *event);
void mem_ports_forget_lines(mem_ports *m);

#endif
