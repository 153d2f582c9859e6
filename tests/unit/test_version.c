/* SPDX-License-Identifier: Apache-2.0 */
/* The version is written twice, in CMakeLists.txt and in the installed header: they must agree. */
#include "tocsin/version.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

static void test_header_agrees_with_cmake(void **state)
{
    (void)state;
    assert_string_equal(TOCSIN_VERSION, TOCSIN_CMAKE_VERSION);
}

static void test_numbers_agree_with_text(void **state)
{
    char text[32];
    (void)state;
    (void)snprintf(text, sizeof text, "%d.%d.%d", TOCSIN_VERSION_MAJOR, TOCSIN_VERSION_MINOR,
                   TOCSIN_VERSION_PATCH);
    assert_string_equal(text, TOCSIN_VERSION);
}

static void test_library_says_the_same(void **state)
{
    (void)state;
    assert_string_equal(tocsin_version(), TOCSIN_VERSION);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_header_agrees_with_cmake),
        cmocka_unit_test(test_numbers_agree_with_text),
        cmocka_unit_test(test_library_says_the_same),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
