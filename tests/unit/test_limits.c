/* SPDX-License-Identifier: Apache-2.0 */
/* The rows, and what the limits must be to each other. That each one is enforced is tested where
 * it is enforced. */
#include "libtocsin/limits.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void test_rows_are_complete_and_unique(void **state)
{
    (void)state;
    unsigned count = 0;
    const tcn_limit *rows = tcn_limits(&count);
    assert_true(count > 40);
    for (unsigned i = 0; i < count; i++) {
        assert_int_equal(strspn(rows[i].name, "ABCDEFGHIJKLMNOPQRSTUVWXYZ_"), strlen(rows[i].name));
        assert_true(rows[i].value > 0);
        assert_true(strlen(rows[i].unit) > 0 && strlen(rows[i].reason) > 0);
        for (unsigned j = 0; j < i; j++)
            assert_string_not_equal(rows[i].name, rows[j].name);
    }
}

static void test_a_row_is_the_constant(void **state)
{
    (void)state;
    unsigned count = 0, seen = 0;
    const tcn_limit *rows = tcn_limits(&count);
    for (unsigned i = 0; i < count; i++) {
        if (strcmp(rows[i].name, "FRAME_BYTES") == 0) {
            assert_int_equal(rows[i].value, TCN_MAX_FRAME_BYTES);
            assert_string_equal(rows[i].unit, "bytes");
            seen++;
        }
    }
    assert_int_equal(seen, 1);
}

static void test_limits_fit_each_other(void **state)
{
    (void)state;
    /* An envelope fits a batch, a batch and a chunk fit a frame with room for what is around. */
    assert_true(TCN_MAX_ENVELOPE_BYTES < TCN_MAX_BATCH_BYTES);
    assert_true(TCN_MAX_BATCH_BYTES + 4096 <= TCN_MAX_FRAME_BYTES);
    assert_true(TCN_MAX_CHUNK_BYTES + 4096 <= TCN_MAX_FRAME_BYTES);
    /* The largest metadata, an inline body and all signatures (128 bytes each) fit an envelope. */
    assert_true(TCN_MAX_META_BYTES + TCN_MAX_INLINE_BODY_BYTES + 128 * (TCN_MAX_SIGNATURES + 1) <=
                TCN_MAX_ENVELOPE_BYTES);
    assert_true(TCN_MAX_BODY_BYTES <= TCN_MAX_BODY_BYTES_MAX);
    assert_true(TCN_MAX_WINDOW_BYTES >= 2 * TCN_MAX_BATCH_BYTES);
    assert_true(TCN_MAX_HEARTBEAT_MS * 2 < TCN_MAX_DEAD_MS);
    assert_true(TCN_MAX_CARD_BYTES < TCN_MAX_FRAME_BYTES);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows_are_complete_and_unique),
        cmocka_unit_test(test_a_row_is_the_constant),
        cmocka_unit_test(test_limits_fit_each_other),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
