/* SPDX-License-Identifier: Apache-2.0 */
#include "libtocsin/os/sys_clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include <cmocka.h>

static int64_t ms_of(clockid_t id)
{
    struct timespec now;
    assert_int_equal(clock_gettime(id, &now), 0);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void test_wall(void **state)
{
    (void)state;
    tcn_clock clock = tcn_sys_clock();
    int64_t before = ms_of(CLOCK_REALTIME);
    int64_t at = clock.wall(clock.self).unix_ms;
    assert_in_range(at, before, ms_of(CLOCK_REALTIME));
}

static void test_mono(void **state)
{
    (void)state;
    tcn_clock clock = tcn_sys_clock();
    int64_t before = ms_of(CLOCK_BOOTTIME);
    uint64_t at = clock.mono(clock.self).ms;
    assert_in_range(at, before, ms_of(CLOCK_BOOTTIME));
    while (clock.mono(clock.self).ms == at) { /* it moves */
    }
    assert_true(clock.mono(clock.self).ms > at);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_wall), cmocka_unit_test(test_mono)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
