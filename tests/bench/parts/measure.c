/* SPDX-License-Identifier: Apache-2.0 */
/* measure.c - see measure.h. */
#define _GNU_SOURCE
#include "measure.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { SYNC_BYTES = 4096, SYNC_BLOCKS = 256, SENDS = 20000 };

_Noreturn void bench_die(const char *what, const char *why)
{
    (void)fprintf(stderr, "bench: %s: %s\n", what, why);
    exit(2);
}

static uint64_t ns_of(clockid_t clock)
{
    struct timespec t = {0};
    (void)clock_gettime(clock, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

uint64_t bench_now_ns(void)
{
    return ns_of(CLOCK_MONOTONIC);
}

uint64_t bench_cpu_ns(pid_t pid)
{
    clockid_t clock = CLOCK_PROCESS_CPUTIME_ID;
    if (pid != 0 && clock_getcpuclockid(pid, &clock) != 0)
        return 0;
    return ns_of(clock);
}

double bench_machine_busy_s(void)
{
    FILE *file = fopen("/proc/stat", "r");
    unsigned long long v[8] = {0};
    if (file == NULL)
        return 0;
    int n = fscanf(file, "cpu %llu %llu %llu %llu %llu %llu %llu %llu", &v[0], &v[1], &v[2], &v[3],
                   &v[4], &v[5], &v[6], &v[7]);
    (void)fclose(file);
    if (n != 8)
        return 0;
    return (double)(v[0] + v[1] + v[2] + v[5] + v[6] + v[7]) / (double)sysconf(_SC_CLK_TCK);
}

long bench_status_kib(pid_t pid, const char *key)
{
    char path[64], line[256];
    long value = 0;
    (void)snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
    FILE *file = fopen(path, "r");
    while (file != NULL && fgets(line, sizeof(line), file) != NULL)
        if (strncmp(line, key, strlen(key)) == 0)
            value = strtol(line + strlen(key), NULL, 10);
    if (file != NULL)
        (void)fclose(file);
    return value;
}

/* ---- columns ---- */

void bench_column_add(bench_column *column, uint64_t ns)
{
    if (column->count == column->cap) {
        size_t cap = column->cap == 0 ? 4096 : column->cap * 2;
        uint64_t *at = realloc(column->at, cap * sizeof(*at));
        if (at == NULL)
            bench_die("column", "out of memory");
        column->at = at;
        column->cap = cap;
    }
    column->at[column->count++] = ns;
}

void bench_column_fini(bench_column *column)
{
    free(column->at);
    *column = (bench_column){.at = NULL};
}

static int compare(const void *a, const void *b)
{
    const uint64_t *x = a, *y = b;
    return (*x > *y) - (*x < *y);
}

double bench_quantile_ms(bench_column *column, double q)
{
    if (column->count == 0)
        return 0;
    qsort(column->at, column->count, sizeof(column->at[0]), compare);
    return (double)column->at[(size_t)(q * (double)(column->count - 1) + 0.5)] / 1e6;
}

/* ---- spans ---- */

bench_span bench_span_begin(pid_t pid)
{
    return (bench_span){.pid = pid,
                        .at_ns = bench_now_ns(),
                        .broker_ns = bench_cpu_ns(pid),
                        .self_ns = bench_cpu_ns(0),
                        .busy_s = bench_machine_busy_s()};
}

bench_span bench_span_end(const bench_span *begin, double *ret_other)
{
    bench_span span = bench_span_begin(begin->pid);
    span.at_ns -= begin->at_ns;
    span.broker_ns -= begin->broker_ns;
    span.self_ns -= begin->self_ns;
    span.busy_s -= begin->busy_s;
    *ret_other = span.at_ns == 0 ? 0
                                 : (span.busy_s - (double)(span.broker_ns + span.self_ns) / 1e9) /
                                       ((double)span.at_ns / 1e9);
    return span;
}

/* ---- the machine ---- */

int bench_sync_open(const char *dir)
{
    char path[1024];
    static const uint8_t zeros[SYNC_BYTES];
    (void)snprintf(path, sizeof(path), "%s/sync", dir);
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    for (int i = 0; fd >= 0 && i < SYNC_BLOCKS; i++)
        if (write(fd, zeros, sizeof(zeros)) != (ssize_t)sizeof(zeros))
            return -1;
    return fd >= 0 && fsync(fd) == 0 ? fd : -1;
}

uint64_t bench_sync_ns(int fd)
{
    static unsigned calls;
    uint8_t block[SYNC_BYTES];
    memset(block, (int)(++calls & 0xff), sizeof(block));
    uint64_t begin = bench_now_ns();
    if (pwrite(fd, block, sizeof(block), (off_t)(calls % SYNC_BLOCKS) * SYNC_BYTES) < 0 ||
        fdatasync(fd) != 0)
        bench_die("fdatasync", "failed");
    return bench_now_ns() - begin;
}

double bench_send_us(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_addr = {.s_addr = htonl(INADDR_LOOPBACK)}};
    socklen_t size = sizeof(address);
    static uint8_t bytes[1024];
    uint64_t spent = 0;
    int server = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (bind(server, (struct sockaddr *)&address, size) != 0 || listen(server, 1) != 0 ||
        getsockname(server, (struct sockaddr *)&address, &size) != 0 ||
        connect(client, (struct sockaddr *)&address, size) != 0)
        bench_die("loopback", "no connection");
    int end = accept(server, NULL, NULL);
    for (int i = 0; i < SENDS; i++) {
        uint64_t begin = bench_now_ns();
        ssize_t sent = send(client, bytes, sizeof(bytes), MSG_NOSIGNAL);
        spent += bench_now_ns() - begin;
        for (ssize_t got = 0, n; got < sent; got += n)
            if ((n = recv(end, bytes, sizeof(bytes), 0)) <= 0)
                bench_die("loopback", "the connection ended");
    }
    (void)close(end);
    (void)close(client);
    (void)close(server);
    return (double)spent / 1e3 / SENDS;
}
