/* SPDX-License-Identifier: Apache-2.0 */
/* progress.c - draws the bar. */
#include "progress.h"

#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define AFTER_MS 300
#define EVERY_MS 100
#define BAR_COLUMNS 30

static int64_t mono_ms(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

void tcn_progress_begin(const tcn_cli *cli, tcn_progress *ret_progress, const char *label,
                        uint64_t total)
{
    *ret_progress = (tcn_progress){.label = label,
                                   .total = total,
                                   .begun_ms = mono_ms(),
                                   .wanted = !cli->json && isatty(STDERR_FILENO)};
}

static void draw(const tcn_progress *progress, uint64_t done)
{
    char bar[BAR_COLUMNS + 1];
    double mib = (double)done / 1048576.0;
    if (progress->total == 0) {
        (void)fprintf(stderr, "\r%s  %.1f MiB\033[K", progress->label, mib);
    } else {
        double part = (double)done / (double)progress->total;
        part = part > 1.0 ? 1.0 : part;
        size_t filled = (size_t)(part * BAR_COLUMNS);
        memset(bar, '.', BAR_COLUMNS);
        memset(bar, '#', filled);
        bar[BAR_COLUMNS] = '\0';
        (void)fprintf(stderr, "\r%s  [%s] %3d %%  %.1f of %.1f MiB\033[K", progress->label, bar,
                      (int)(part * 100.0), mib, (double)progress->total / 1048576.0);
    }
    (void)fflush(stderr);
}

void tcn_progress_at(tcn_progress *progress, uint64_t done)
{
    if (!progress->wanted)
        return;
    int64_t now = mono_ms();
    if (now - progress->begun_ms < AFTER_MS || now - progress->shown_ms < EVERY_MS)
        return;
    progress->shown_ms = now;
    progress->shown = true;
    draw(progress, done);
}

void tcn_progress_end(tcn_progress *progress)
{
    if (progress->shown)
        (void)fputs("\r\033[K", stderr);
    progress->shown = false;
}
