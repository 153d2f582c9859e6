/* SPDX-License-Identifier: Apache-2.0 */
#include "libtocsin/os/sys_random.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void test_fill(void **state)
{
    (void)state;
    tcn_random random;
    uint8_t a[34], b[34];
    assert_int_equal(tcn_sys_random(&random), TCN_OK);
    memset(a, 0x5a, sizeof a);
    memset(b, 0x5a, sizeof b);
    random.fill(random.self, a, 32);
    random.fill(random.self, b, 32);
    assert_memory_not_equal(a, b, 32); /* equal by chance: once in 2^256 */
    assert_int_equal(a[32], 0x5a);
    assert_int_equal(a[33], 0x5a);
    random.fill(random.self, a, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_fill)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
