/* SPDX-License-Identifier: Apache-2.0 */
/* trace.c - the last events as text, and a digest over all that happened. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim.h"
#include "tests/support/mem.h"

#define LINES 4000u
#define LINE_BYTES 400u

static void keep(sim *s, const char *text)
{
    if (s->line == NULL)
        s->line = mem_zeroed(LINES * sizeof *s->line);
    char **at = &s->line[s->lines++ % LINES];
    free(*at);
    *at = mem_text(text);
    if (s->options.trace)
        (void)fprintf(stderr, "%s\n", text);
}

static void format_line(const sim *s, const char *format, va_list args, char *ret_line)
    __attribute__((format(printf, 2, 0)));

static void format_line(const sim *s, const char *format, va_list args, char *ret_line)
{
    int at = snprintf(ret_line, LINE_BYTES, "%6llu.%03llu ", (unsigned long long)s->now / 1000,
                      (unsigned long long)s->now % 1000);
    (void)vsnprintf(ret_line + at, LINE_BYTES - (size_t)at, format, args);
}

void sim_trace(sim *s, const char *format, ...)
{
    char line[LINE_BYTES];
    va_list args;
    if (!s->options.trace && !s->options.keep_lines)
        return;
    va_start(args, format);
    format_line(s, format, args, line);
    va_end(args);
    keep(s, line);
}

void sim_fail(sim *s, const char *format, ...)
{
    char line[LINE_BYTES];
    va_list args;
    va_start(args, format);
    format_line(s, format, args, line);
    va_end(args);
    if (!s->failed)
        (void)snprintf(s->why, sizeof s->why, "%s", line);
    s->failed = true;
    keep(s, "!!! what follows must not be");
    keep(s, line);
}

void sim_trace_print(const sim *s, size_t last)
{
    size_t kept = s->line == NULL ? 0 : s->lines < LINES ? s->lines : LINES;
    size_t from = s->lines - (kept < last ? kept : last);
    for (size_t i = from; i < s->lines; i++)
        (void)fprintf(stderr, "%s\n", s->line[i % LINES]);
}

void sim_trace_free(sim *s)
{
    for (size_t i = 0; s->line != NULL && i < LINES; i++)
        free(s->line[i]);
    free(s->line);
    s->line = NULL;
}

/* FNV-1a, 64 bits. */
void sim_mix(sim *s, const void *bytes, size_t len)
{
    const uint8_t *at = bytes;
    for (size_t i = 0; i < len; i++)
        s->digest = (s->digest ^ at[i]) * 0x100000001B3u;
}

void sim_mix_u64(sim *s, uint64_t value)
{
    for (unsigned i = 0; i < 8; i++) {
        uint8_t byte = (uint8_t)(value >> (8 * i));
        sim_mix(s, &byte, 1);
    }
}
