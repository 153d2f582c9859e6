/* SPDX-License-Identifier: Apache-2.0 */
/* measure.h - clocks, what processes used, quantiles, and what the machine itself takes. */
#ifndef BENCH_MEASURE_H
#define BENCH_MEASURE_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

uint64_t bench_now_ns(void);       /* monotonic */
uint64_t bench_cpu_ns(pid_t pid);  /* all its threads, user and system; 0: this process */
double bench_machine_busy_s(void); /* of all processors since boot */
long bench_status_kib(pid_t pid, const char *key); /* "VmRSS:" of /proc/PID/status */

/* A column of durations, in ns. Grows; exits the process when memory is short. */
typedef struct {
    uint64_t *at;
    size_t count, cap;
} bench_column;

void bench_column_add(bench_column *column, uint64_t ns);
void bench_column_fini(bench_column *column);
/* Sorts. 0 for an empty column. */
double bench_quantile_ms(bench_column *column, double q);

/* From begin to end of a phase: what the broker, this process and the rest of the machine took. */
typedef struct {
    pid_t pid;
    uint64_t at_ns, broker_ns, self_ns;
    double busy_s;
} bench_span;

bench_span bench_span_begin(pid_t pid);
/* The difference; at_ns is the time between. other: processors busy with anything else. */
bench_span bench_span_end(const bench_span *begin, double *ret_other);

/* One append of 4 KiB and fdatasync to a file that has its blocks already: what a durable commit
 * takes at least. fd from bench_sync_open; < 0: the file could not be made. */
int bench_sync_open(const char *dir);
uint64_t bench_sync_ns(int fd);
/* One send() of 1 KiB to a loopback TCP connection, mean of many. */
double bench_send_us(void);

_Noreturn void bench_die(const char *what, const char *why);

#endif
