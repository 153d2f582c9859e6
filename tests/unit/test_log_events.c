/* SPDX-License-Identifier: Apache-2.0 */
/* The tables of what the daemons log: words that can be searched for, and for errors and alarms
 * what to do. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "agent/core/log_events.h"
#include "broker/core/log_events.h"

static void check_rows(const tcn_log_event *rows, size_t count)
{
    assert_true(count > 10);
    for (size_t i = 0; i < count; i++) {
        assert_true(strlen(rows[i].word) > 3);
        assert_int_equal(strspn(rows[i].word, "abcdefghijklmnopqrstuvwxyz-"), strlen(rows[i].word));
        assert_true(strlen(rows[i].means) > 10);
        if (rows[i].is_alarm || rows[i].level == TCN_LOG_ERROR)
            assert_true(strlen(rows[i].to_do) > 3);
        /* They are printed with tabs between, and become rows of a table. */
        assert_null(strpbrk(rows[i].means, "\t\n|"));
        assert_null(strpbrk(rows[i].to_do, "\t\n|"));
        for (size_t j = 0; j < i; j++) /* one word may have two levels */
            assert_true(strcmp(rows[i].word, rows[j].word) != 0 || rows[i].level != rows[j].level);
    }
}

static void test_rows_are_complete_and_unique(void **state)
{
    (void)state;
    size_t count = 0;
    const tcn_log_event *rows = tcn_events(&count);
    check_rows(rows, count);
    rows = tcn_agent_events(&count);
    check_rows(rows, count);
}

static void note_line(void *self, tcn_level level, const char *event, const char *text)
{
    const tcn_log_event *expected = self;
    assert_int_equal(level, expected->level);
    assert_string_equal(event, expected->word);
    assert_string_equal(text, "why");
}

static void test_a_line_has_its_row_s_word_and_level(void **state)
{
    (void)state;
    tcn_log_event expected = {.word = "trust-behind", .level = TCN_LOG_WARNING};
    const tcn_log log = {.line = note_line, .self = &expected};
    tcn_log_event_write(&log, tcn_event_of(TCN_EVENT_TRUST_BEHIND), "why");
    assert_true(tcn_event_of(TCN_EVENT_TRUST_BEHIND)->is_alarm);
    assert_false(tcn_event_of(TCN_EVENT_REFUSED)->is_alarm);
    expected = (tcn_log_event){.word = "alert-cached", .level = TCN_LOG_NOTICE};
    tcn_log_event_write(&log, tcn_agent_event_of(TCN_AGENT_EVENT_EMERGENCY_CACHED), "why");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows_are_complete_and_unique),
        cmocka_unit_test(test_a_line_has_its_row_s_word_and_level),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
