/* SPDX-License-Identifier: Apache-2.0 */
/* sys_clock.c - see sys_clock.h. */
#include "sys_clock.h"

#include <time.h>

static struct timespec read_clock(clockid_t id)
{
    struct timespec now = {0};
    /* Both clocks are there on every kernel that we run on; CLOCK_MONOTONIC for the others. */
    if (clock_gettime(id, &now) != 0) {
        TCN_REQUIRE(clock_gettime(CLOCK_MONOTONIC, &now) == 0);
    }
    return now;
}

static tcn_wall wall(void *self)
{
    (void)self;
    struct timespec now = read_clock(CLOCK_REALTIME);
    return (tcn_wall){(int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000};
}

static tcn_mono mono(void *self)
{
    (void)self;
    struct timespec now = read_clock(CLOCK_BOOTTIME);
    return (tcn_mono){(uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000};
}

tcn_clock tcn_sys_clock(void)
{
    return (tcn_clock){wall, mono, NULL};
}
