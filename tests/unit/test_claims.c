/* SPDX-License-Identifier: Apache-2.0 */
#include "broker/core/claims.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static void test_more_than_an_eighth_and_two_at_least(void **state)
{
    (void)state;
    assert_int_equal(tcn_claims_needed(0), 2);
    assert_int_equal(tcn_claims_needed(15), 2);
    assert_int_equal(tcn_claims_needed(16), 3);
    assert_int_equal(tcn_claims_needed(200), 26);
    assert_int_equal(tcn_claims_needed(100000), TCN_CLAIMS);
}

static void test_each_member_counts_once(void **state)
{
    tcn_claims claims = {.count = 0};
    (void)state;
    for (int i = 0; i < 5; i++)
        tcn_claims_add(&claims, "liar", 9);
    assert_false(tcn_claims_suffice(&claims, 3));
    assert_false(tcn_claims_suffice_with(&claims, "liar", 3));
    assert_true(tcn_claims_suffice_with(&claims, "other", 3));
    tcn_claims_add(&claims, "other", 7);
    assert_true(tcn_claims_suffice(&claims, 3));
    assert_false(tcn_claims_suffice(&claims, 200));
}

/* A version that never comes must not be held against every later roster. */
static void test_a_newer_roster_settles_what_was_claimed_up_to_it(void **state)
{
    tcn_claims claims = {.count = 0};
    (void)state;
    tcn_claims_add(&claims, "liar", UINT64_MAX);
    tcn_claims_add(&claims, "honest", 7);
    tcn_claims_drop(&claims, 7);
    assert_int_equal(claims.count, 1);
    assert_string_equal(claims.claim[0].member, "liar");
}

static void test_the_table_is_bounded(void **state)
{
    tcn_claims claims = {.count = 0};
    (void)state;
    for (int i = 0; i < 3 * TCN_CLAIMS; i++) {
        char name[16];
        (void)snprintf(name, sizeof(name), "m%d", i);
        tcn_claims_add(&claims, name, 1);
    }
    assert_int_equal(claims.count, TCN_CLAIMS);
    assert_true(tcn_claims_suffice(&claims, 100000));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_more_than_an_eighth_and_two_at_least),
        cmocka_unit_test(test_each_member_counts_once),
        cmocka_unit_test(test_a_newer_roster_settles_what_was_claimed_up_to_it),
        cmocka_unit_test(test_the_table_is_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
