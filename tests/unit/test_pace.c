/* SPDX-License-Identifier: Apache-2.0 */
#include "broker/pace.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

/* Turns until the queue of frames that cost so much each is read; the dearest of them. */
static uint64_t dearest(tcn_pace *pace, size_t queue, uint64_t frame_us, size_t *ret_turns)
{
    uint64_t most = 0;
    *ret_turns = 0;
    while (queue > 0) {
        size_t frames = queue < pace->frames ? queue : pace->frames;
        uint64_t cpu_us = frames * frame_us;
        queue -= frames;
        most = cpu_us > most ? cpu_us : most;
        tcn_pace_turn(pace, frames, cpu_us, queue > 0);
        (*ret_turns)++;
    }
    return most;
}

static void test_cheap_frames_are_read_by_the_hundred(void **state)
{
    (void)state;
    tcn_pace pace;
    size_t turns;
    tcn_pace_init(&pace);
    (void)dearest(&pace, 100000, 15, &turns);
    assert_true(turns <= 100000 / TCN_MAX_TURN_FRAMES + 3);
}

/* A flood of frames of 5 ms each: the first turn is dear, all others keep near the budget. */
static void test_dear_frames_are_read_by_the_few(void **state)
{
    (void)state;
    tcn_pace pace;
    size_t turns;
    tcn_pace_init(&pace);
    assert_true(dearest(&pace, 600, 5000, &turns) <= TCN_PACE_FIRST * UINT64_C(5000));
    assert_true(pace.frames <= 2 * TCN_PACE_LEAST);
    assert_true(dearest(&pace, 600, 5000, &turns) <= 2 * TCN_PACE_BUDGET_US);
}

static void test_after_a_quiet_time_it_begins_anew(void **state)
{
    (void)state;
    tcn_pace pace = {.frames = TCN_MAX_TURN_FRAMES};
    for (int i = 0; i < 10; i++)
        tcn_pace_turn(&pace, 1, 20, false);
    assert_int_equal(pace.frames, TCN_PACE_FIRST);
    pace.frames = TCN_PACE_LEAST;
    for (int i = 0; i < 10; i++)
        tcn_pace_turn(&pace, 1, 20, false);
    assert_int_equal(pace.frames, TCN_PACE_FIRST);
}

/* One emergency to thousands of nodes takes its time, too: their receipts must not crawl in. */
static void test_one_dear_turn_costs_half(void **state)
{
    (void)state;
    tcn_pace pace = {.frames = TCN_MAX_TURN_FRAMES};
    tcn_pace_turn(&pace, 1, 900000, false);
    assert_int_equal(pace.frames, TCN_MAX_TURN_FRAMES / 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cheap_frames_are_read_by_the_hundred),
        cmocka_unit_test(test_dear_frames_are_read_by_the_few),
        cmocka_unit_test(test_after_a_quiet_time_it_begins_anew),
        cmocka_unit_test(test_one_dear_turn_costs_half),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
