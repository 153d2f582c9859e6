/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/out.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <unistd.h>

/* ---- what was printed: stdout goes into a file for a while ---- */

static char printed[65536];
static int real_stdout;
static FILE *captured;

static void capture_begin(void)
{
    (void)fflush(stdout);
    captured = tmpfile();
    real_stdout = dup(STDOUT_FILENO);
    assert_non_null(captured);
    assert_true(real_stdout >= 0 && dup2(fileno(captured), STDOUT_FILENO) >= 0);
}

static const char *capture_end(void)
{
    (void)fflush(stdout);
    assert_true(dup2(real_stdout, STDOUT_FILENO) >= 0);
    (void)close(real_stdout);
    rewind(captured);
    size_t len = fread(printed, 1, sizeof(printed) - 1, captured);
    printed[len] = '\0';
    (void)fclose(captured);
    return printed;
}

static const tcn_cli people = {.json = false}, programs = {.json = true},
                     terminal = {.colour = true};

static const tcn_column columns[] = {
    {"NAME", false, false}, {"COUNT", true, false}, {"TITLE", false, true}};

static tcn_table *example(void)
{
    tcn_table *table = tcn_table_new(columns, 3);
    tcn_table_cell(table, TCN_PLAIN, "a");
    tcn_table_cell(table, TCN_PLAIN, "%d", 7);
    tcn_table_cell(table, TCN_PLAIN, "first");
    tcn_table_cell(table, TCN_PLAIN, "東京"); /* two characters, four columns */
    tcn_table_cell(table, TCN_PLAIN, "%d", 12345678);
    tcn_table_cell(table, TCN_BAD, "second");
    return table;
}

static void test_columns_are_as_wide_as_people_see(void **state)
{
    (void)state;
    tcn_table *table = example();
    capture_begin();
    tcn_err err = tcn_table_print(&people, &table, "none");
    const char *text = capture_end();
    assert_int_equal(err, TCN_OK);
    assert_null(table);
    assert_string_equal(text, "NAME     COUNT  TITLE\n"
                              "a            7  first\n"
                              "東京  12345678  second\n");
}

static void test_an_empty_table_says_so(void **state)
{
    (void)state;
    tcn_table *table = tcn_table_new(columns, 3);
    capture_begin();
    assert_int_equal(tcn_table_print(&people, &table, "no members"), TCN_OK);
    assert_string_equal(capture_end(), "no members\n");
}

static void test_programs_get_nothing_but_json(void **state)
{
    (void)state;
    tcn_table *table = example();
    capture_begin();
    tcn_out_say(&programs, "hello");
    tcn_field(&programs, "label", TCN_PLAIN, "text");
    assert_int_equal(tcn_table_print(&programs, &table, "none"), TCN_OK);
    assert_int_equal(tcn_json_out(&programs, json_pack("{s:i}", "a", 1)), TCN_OK);
    assert_string_equal(capture_end(), "{\"a\": 1}\n");
}

static void test_people_get_no_json(void **state)
{
    (void)state;
    capture_begin();
    assert_int_equal(tcn_json_out(&people, json_pack("{s:i}", "a", 1)), TCN_OK);
    tcn_out_say(&people, "hello %s", "you");
    tcn_field(&people, "label", TCN_BAD, "text");
    assert_string_equal(capture_end(), "hello you\n  label           text\n");
}

static void test_colour_only_where_it_was_asked_for(void **state)
{
    (void)state;
    tcn_table *table = example();
    capture_begin();
    assert_int_equal(tcn_table_print(&terminal, &table, ""), TCN_OK);
    assert_non_null(strstr(capture_end(), "\033[31msecond\033[0m\n"));
}

static void test_wire_text_in_json_is_harmless(void **state)
{
    (void)state;
    json_t *text = tcn_json_text(tcn_bytes_str("a\033[31m\xe2\x80\xae"
                                               "b"));
    assert_non_null(text);
    assert_string_equal(json_string_value(text), "a\xef\xbf\xbd[31m\xef\xbf\xbd"
                                                 "b");
    json_decref(text);
    text = tcn_json_text(tcn_bytes_of("\xff", 1));
    assert_string_equal(json_string_value(text), "\xef\xbf\xbd");
    json_decref(text);
    text = tcn_json_text(tcn_bytes_of("", 0));
    assert_string_equal(json_string_value(text), "");
    json_decref(text);
    text = tcn_json_text(tcn_bytes_of(NULL, 0));
    assert_true(json_is_null(text));
    json_decref(text);
}

static void test_times_in_json_are_utc(void **state)
{
    (void)state;
    json_t *at = tcn_json_wall((tcn_wall){INT64_C(1767225600123)});
    assert_string_equal(json_string_value(at), "2026-01-01T00:00:00.123Z");
    json_decref(at);
    at = tcn_json_wall((tcn_wall){0});
    assert_true(json_is_null(at));
    json_decref(at);
}

static void test_out_of_memory_is_an_error_and_not_an_empty_answer(void **state)
{
    (void)state;
    tcn_table *none = NULL;
    assert_int_equal(tcn_json_out(&programs, NULL), TCN_NO_MEMORY);
    tcn_table_cell(none, TCN_PLAIN, "x");
    assert_int_equal(tcn_table_print(&people, &none, "none"), TCN_NO_MEMORY);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_columns_are_as_wide_as_people_see),
        cmocka_unit_test(test_an_empty_table_says_so),
        cmocka_unit_test(test_programs_get_nothing_but_json),
        cmocka_unit_test(test_people_get_no_json),
        cmocka_unit_test(test_colour_only_where_it_was_asked_for),
        cmocka_unit_test(test_wire_text_in_json_is_harmless),
        cmocka_unit_test(test_times_in_json_are_utc),
        cmocka_unit_test(test_out_of_memory_is_an_error_and_not_an_empty_answer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
