/* SPDX-License-Identifier: Apache-2.0 */
#include "libtocsin/tlp.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static const tcn_tlp all[] = {TCN_TLP_CLEAR, TCN_TLP_GREEN, TCN_TLP_AMBER, TCN_TLP_AMBER_STRICT,
                              TCN_TLP_RED};

static void test_both_ways(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
        tcn_tlp tlp = TCN_TLP_CLEAR;
        assert_int_equal(tcn_tlp_parse(tcn_tlp_text(all[i]), &tlp), TCN_OK);
        assert_int_equal(tlp, all[i]);
        assert_int_equal(tcn_tlp_parse(tcn_tlp_label(all[i]), &tlp), TCN_OK);
        assert_int_equal(tlp, all[i]);
    }
    assert_string_equal(tcn_tlp_text(TCN_TLP_AMBER_STRICT), "amber+strict");
    assert_string_equal(tcn_tlp_label(TCN_TLP_AMBER_STRICT), "TLP:AMBER+STRICT");
}

/* Entitlement compares them: clearance ≥ TLP. */
static void test_they_ascend(void **state)
{
    (void)state;
    for (size_t i = 1; i < sizeof(all) / sizeof(all[0]); i++)
        assert_true(all[i - 1] < all[i]);
}

static void test_other_spellings(void **state)
{
    (void)state;
    const struct {
        const char *text;
        tcn_tlp tlp;
    } good[] = {{"RED", TCN_TLP_RED},         {"TLP:AMBER+STRICT", TCN_TLP_AMBER_STRICT},
                {"tlp:green", TCN_TLP_GREEN}, {"Tlp:Clear", TCN_TLP_CLEAR},
                {"WHITE", TCN_TLP_CLEAR},     {"TLP:WHITE", TCN_TLP_CLEAR}};
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        tcn_tlp tlp = TCN_TLP_AMBER;
        assert_int_equal(tcn_tlp_parse(good[i].text, &tlp), TCN_OK);
        assert_int_equal(tlp, good[i].tlp);
    }
}

static void test_refused(void **state)
{
    (void)state;
    const char *bad[] = {"",       " red",         "red ",        "re",       "redd",
                         "TLP:",   "TLP",          "TLP:TLP:RED", "TLP: RED", "amber strict",
                         "amber+", "amber-strict", "whites",      "4",        "black"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        tcn_tlp tlp = TCN_TLP_AMBER;
        assert_int_equal(tcn_tlp_parse(bad[i], &tlp), TCN_INVALID);
        assert_int_equal(tlp, TCN_TLP_AMBER);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_both_ways),
        cmocka_unit_test(test_they_ascend),
        cmocka_unit_test(test_other_spellings),
        cmocka_unit_test(test_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
