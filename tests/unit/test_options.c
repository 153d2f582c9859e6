/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/options.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const tcn_option options[] = {
    {.name = "clearance", .arg = "TLP", .help = "h"},
    {.name = "emergency", .help = "h"},
    {.name = "to", .arg = "NODE", .help = "h", .flags = TCN_OPTION_MANY},
    {.name = "name", .arg = "NAME", .help = "the name", .flags = TCN_OPTION_REQUIRED},
    {0}};

static const tcn_option globals[] = {{.name = "home", .arg = "DIR", .help = "h", .letter = 'H'},
                                     {.name = "help", .help = "h", .letter = 'h'},
                                     {0}};

#define WORDS(...) ((const char *[]){__VA_ARGS__, NULL})

static tcn_err parse_to(const char **words, bool stop, tcn_args *ret_args, tcn_fault *fault)
{
    int count = 0;
    while (words[count] != NULL)
        count++;
    return tcn_args_parse(count, (char **)words, options, globals, stop, ret_args, fault);
}

static void test_values_flags_and_operands_in_any_order(void **state)
{
    (void)state;
    tcn_args args;
    assert_int_equal(parse_to(WORDS("one", "--clearance", "red", "two", "--emergency", "--name=n=m",
                                    "-H", "here", "three"),
                              false, &args, NULL),
                     TCN_OK);
    assert_string_equal(tcn_args_get(&args, "clearance"), "red");
    assert_true(tcn_args_has(&args, "emergency"));
    assert_string_equal(tcn_args_get(&args, "name"), "n=m");
    assert_string_equal(tcn_args_get(&args, "home"), "here");
    assert_false(tcn_args_has(&args, "help"));
    assert_null(tcn_args_get(&args, "to"));
    assert_int_equal(args.operands, 3);
    assert_string_equal(args.operand[0], "one");
    assert_string_equal(args.operand[1], "two");
    assert_string_equal(args.operand[2], "three");
    assert_null(args.operand[3]);
    tcn_args_fini(&args);
}

static void test_letters_joined_and_apart(void **state)
{
    (void)state;
    tcn_args args;
    assert_int_equal(parse_to(WORDS("-Hhere", "-h"), false, &args, NULL), TCN_OK);
    assert_string_equal(tcn_args_get(&args, "home"), "here");
    assert_true(tcn_args_has(&args, "help"));
    tcn_args_fini(&args);
}

static void test_many_keep_their_order(void **state)
{
    (void)state;
    tcn_args args;
    unsigned at = 0;
    assert_int_equal(parse_to(WORDS("--to", "b", "--to=a", "--to", ""), false, &args, NULL),
                     TCN_OK);
    assert_string_equal(tcn_args_next(&args, "to", &at), "b");
    assert_string_equal(tcn_args_next(&args, "to", &at), "a");
    assert_string_equal(tcn_args_next(&args, "to", &at), "");
    assert_null(tcn_args_next(&args, "to", &at));
    assert_string_equal(tcn_args_get(&args, "to"), "");
    tcn_args_fini(&args);
}

static void test_two_dashes_end_the_options(void **state)
{
    (void)state;
    tcn_args args;
    assert_int_equal(
        parse_to(WORDS("--emergency", "--", "--clearance", "-H", "--"), false, &args, NULL),
        TCN_OK);
    assert_int_equal(args.operands, 3);
    assert_string_equal(args.operand[0], "--clearance");
    assert_string_equal(args.operand[2], "--");
    tcn_args_fini(&args);
}

static void test_stopping_at_the_first_operand(void **state)
{
    (void)state;
    tcn_args args;
    assert_int_equal(parse_to(WORDS("-H", "d", "publish", "--unknown", "-x"), true, &args, NULL),
                     TCN_OK);
    assert_int_equal(args.operands, 3);
    assert_string_equal(args.operand[1], "--unknown");
    tcn_args_fini(&args);
}

/* "-" alone is a file's name: standard input. */
static void test_one_dash_is_an_operand(void **state)
{
    (void)state;
    tcn_args args;
    assert_int_equal(parse_to(WORDS("-"), false, &args, NULL), TCN_OK);
    assert_int_equal(args.operands, 1);
    tcn_args_fini(&args);
}

static void test_refusals_say_why(void **state)
{
    (void)state;
    static const struct {
        const char *word, *second, *why;
    } cases[] = {
        {"--clearence", "red", "did you mean --clearance?"},
        {"--clear", "red", "did you mean --clearance?"}, /* and never taken as it */
        {"--xyzzy", NULL, "unknown option --xyzzy"},
        {"--xyzzy=1", NULL, "unknown option --xyzzy"},
        {"-x", NULL, "unknown option -x"},
        {"--emergency=yes", NULL, "takes no value"},
        {"--clearance", NULL, "--clearance TLP"},
        {"-H", NULL, "--home DIR"},
        {"--clearance=a", "--clearance=b", "given twice"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        tcn_args args = {.operands = 99};
        tcn_fault fault = {0};
        const char *words[] = {cases[i].word, cases[i].second, NULL};
        assert_int_equal(parse_to(words, false, &args, &fault), TCN_INVALID);
        assert_non_null(strstr(fault.text, cases[i].why));
        assert_int_equal(args.operands, 99);
    }
}

static void test_an_unlikely_word_has_no_guess(void **state)
{
    (void)state;
    tcn_args args;
    tcn_fault fault = {0};
    assert_int_equal(parse_to(WORDS("--xyzzy"), false, &args, &fault), TCN_INVALID);
    assert_null(strstr(fault.text, "did you mean"));
}

static void test_required_options(void **state)
{
    (void)state;
    tcn_args args;
    tcn_fault fault = {0};
    assert_int_equal(parse_to(WORDS("x"), false, &args, NULL), TCN_OK);
    assert_int_equal(tcn_args_check_required(&args, &fault), TCN_INVALID);
    assert_non_null(strstr(fault.text, "--name NAME"));
    tcn_args_fini(&args);
    assert_int_equal(parse_to(WORDS("--name", ""), false, &args, NULL), TCN_OK);
    assert_int_equal(tcn_args_check_required(&args, &fault), TCN_OK);
    tcn_args_fini(&args);
    tcn_args_fini(&args); /* twice is fine */
}

static void test_closest(void **state)
{
    (void)state;
    static const char *const words[] = {"seen", "acting", "done", "not-applicable"};
    assert_string_equal(tcn_closest("sen", words, 4), "seen");
    assert_string_equal(tcn_closest("actng", words, 4), "acting");
    assert_string_equal(tcn_closest("not", words, 4), "not-applicable");
    assert_string_equal(tcn_closest("done", words, 4), "done");
    assert_null(tcn_closest("zzz", words, 4));
    assert_null(tcn_closest("", words, 4));
    char long_word[300];
    memset(long_word, 'a', sizeof(long_word) - 1);
    long_word[sizeof(long_word) - 1] = '\0';
    assert_null(tcn_closest(long_word, words, 4));
}

static void test_lists(void **state)
{
    (void)state;
    char **list;
    unsigned count;
    assert_int_equal(tcn_list_split(" a, b.> ,c", &list, &count), TCN_OK);
    assert_int_equal(count, 3);
    assert_string_equal(list[0], "a");
    assert_string_equal(list[1], "b.>");
    assert_string_equal(list[2], "c");
    assert_null(list[3]);
    free(list);
    assert_int_equal(tcn_list_split("", &list, &count), TCN_OK);
    assert_int_equal(count, 0);
    assert_null(list[0]);
    free(list);
    assert_int_equal(tcn_list_split("a,,b", &list, &count), TCN_INVALID);
    assert_int_equal(tcn_list_split("a,", &list, &count), TCN_INVALID);
    assert_int_equal(tcn_list_split(",", &list, &count), TCN_INVALID);
    assert_int_equal(tcn_list_split("  ", &list, &count), TCN_INVALID);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_values_flags_and_operands_in_any_order),
        cmocka_unit_test(test_letters_joined_and_apart),
        cmocka_unit_test(test_many_keep_their_order),
        cmocka_unit_test(test_two_dashes_end_the_options),
        cmocka_unit_test(test_stopping_at_the_first_operand),
        cmocka_unit_test(test_one_dash_is_an_operand),
        cmocka_unit_test(test_refusals_say_why),
        cmocka_unit_test(test_an_unlikely_word_has_no_guess),
        cmocka_unit_test(test_required_options),
        cmocka_unit_test(test_closest),
        cmocka_unit_test(test_lists),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
