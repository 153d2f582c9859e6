/* SPDX-License-Identifier: Apache-2.0 */
#include "mem_ports.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mem.h"

static tcn_wall clock_wall(void *self)
{
    const mem_ports *m = self;
    return m->wall;
}

static tcn_mono clock_mono(void *self)
{
    const mem_ports *m = self;
    return m->mono;
}

static uint64_t rotated(uint64_t x, unsigned bits)
{
    return (x << bits) | (x >> (64 - bits));
}

/* xoshiro256**, by Blackman and Vigna. */
static uint64_t draw(uint64_t s[4])
{
    uint64_t drawn = rotated(s[1] * 5, 7) * 9, t = s[1] << 17;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = rotated(s[3], 45);
    return drawn;
}

static void random_fill(void *self, void *ret_bytes, size_t len)
{
    mem_ports *m = self;
    uint8_t *to = ret_bytes;
    while (len > 0) {
        uint64_t drawn = draw(m->random);
        for (size_t i = 0; i < 8 && len > 0; i++, len--) {
            *to++ = (uint8_t)(drawn >> (8 * i));
        }
    }
}

static void log_line(void *self, tcn_level level, const char *event, const char *text)
{
    mem_ports *m = self;
    if (m->line_count == m->line_cap) {
        m->line_cap = m->line_cap ? 2 * m->line_cap : 64;
        m->lines = mem_grown(m->lines, m->line_cap * sizeof *m->lines);
    }
    m->lines[m->line_count++] = (mem_log_line){level, mem_text(event), mem_text(text)};
    if (getenv("TOCSIN_TEST_LOG")) {
        (void)fprintf(stderr, "%lld %d %s %s\n", (long long)m->wall.unix_ms, (int)level, event,
                      text);
    }
}

void mem_ports_init(mem_ports *m, uint64_t seed)
{
    *m = (mem_ports){.wall = {MEM_WALL_START_MS}, .mono = {MEM_MONO_START_MS}};
    for (size_t i = 0; i < 4; i++) { /* splitmix64, as the authors of xoshiro advise */
        uint64_t z = (seed += 0x9E3779B97F4A7C15u);
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
        z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
        m->random[i] = z ^ (z >> 31);
    }
    m->store = mem_store_new();
    m->blob = mem_blob_new();
    m->net = mem_net_new();
}

void mem_ports_fini(mem_ports *m)
{
    mem_ports_forget_lines(m);
    free(m->lines);
    m->lines = NULL;
    m->line_cap = 0;
    mem_store_destroy(&m->store);
    mem_blob_destroy(&m->blob);
    mem_net_destroy(&m->net);
}

tcn_ports mem_ports_all(mem_ports *m)
{
    return (tcn_ports){
        .clock = {clock_wall, clock_mono, m},
        .random = {random_fill, m},
        .store = mem_store_port(m->store),
        .blob = mem_blob_port(m->blob),
        .net = mem_net_port(m->net),
        .log = {log_line, m},
    };
}

void mem_ports_crash(mem_ports *m)
{
    mem_store_crash(m->store);
    mem_blob_crash(m->blob);
    mem_net_reset(m->net);
}

void mem_ports_pass(mem_ports *m, uint64_t ms)
{
    m->wall.unix_ms += (int64_t)ms;
    m->mono.ms += ms;
}

const mem_log_line *mem_ports_line(const mem_ports *m, const char *event, size_t nth)
{
    for (size_t i = 0; i < m->line_count; i++) {
        if ((!event || strcmp(m->lines[i].event, event) == 0) && nth-- == 0) {
            return &m->lines[i];
        }
    }
    return NULL;
}

size_t mem_ports_line_count(const mem_ports *m, const char *event)
{
    size_t count = 0;
    for (size_t i = 0; i < m->line_count; i++) {
        count += !event || strcmp(m->lines[i].event, event) == 0;
    }
    return count;
}

void mem_ports_forget_lines(mem_ports *m)
{
    for (size_t i = 0; i < m->line_count; i++) {
        free(m->lines[i].event);
        free(m->lines[i].text);
    }
    m->line_count = 0;
}
