/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/fingerprint.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static const tcn_id kid = {{0x9a, 0xf5, 0x90, 0xc2, 0x80, 0x0d, 0xdf, 0x73, 0xa2, 0x7c, 0xf7, 0xde,
                            0x2d, 0x0c, 0x8e, 0xad}};

static void test_text(void **state)
{
    (void)state;
    char text[TCN_FINGERPRINT_SIZE];
    tcn_fingerprint(&kid, text);
    assert_string_equal(text, "9af5 90c2 800d df73 a27c f7de 2d0c 8ead");
    assert_int_equal(strlen(text) + 1, sizeof(text));
}

static void test_typed_by_a_person(void **state)
{
    (void)state;
    assert_true(tcn_fingerprint_is(&kid, "9af5 90c2 800d df73 a27c f7de 2d0c 8ead"));
    assert_true(tcn_fingerprint_is(&kid, "9AF590C2800DDF73A27CF7DE2D0C8EAD"));
    assert_true(tcn_fingerprint_is(&kid, "9af590c2-800d-df73-a27c-f7de2d0c8ead"));
    assert_true(tcn_fingerprint_is(&kid, " 9a:f5:90:c2:80:0d:df:73:a2:7c:f7:de:2d:0c:8e:ad"));
}

static void test_never_by_a_part(void **state)
{
    (void)state;
    assert_false(tcn_fingerprint_is(&kid, ""));
    assert_false(tcn_fingerprint_is(&kid, "9af5"));
    assert_false(tcn_fingerprint_is(&kid, "9af5 90c2 800d df73 a27c f7de 2d0c 8ea"));
    assert_false(tcn_fingerprint_is(&kid, "9af5 90c2 800d df73 a27c f7de 2d0c 8ead0"));
    assert_false(tcn_fingerprint_is(&kid, "9af5 90c2 800d df73 a27c f7de 2d0c 8eae"));
    assert_false(tcn_fingerprint_is(&kid, "9af5.90c2.800d.df73.a27c.f7de.2d0c.8ead"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_text),
        cmocka_unit_test(test_typed_by_a_person),
        cmocka_unit_test(test_never_by_a_part),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
