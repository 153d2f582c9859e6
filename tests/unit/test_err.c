/* SPDX-License-Identifier: Apache-2.0 */
#include "libtocsin/err.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "libtocsin/cbor.h"

static const tcn_err all[] = {
#define X(name, number, word, sentence) TCN_##name,
    TCN_ERR_TABLE(X)
#undef X
};
#define COUNT (sizeof(all) / sizeof(all[0]))

static void test_words_are_unique_and_lower_case(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT; i++) {
        const char *word = tcn_err_word(all[i]);
        assert_int_equal(strspn(word, "abcdefghijklmnopqrstuvwxyz-"), strlen(word));
        assert_true(strlen(tcn_err_text(all[i])) > 3);
        for (size_t j = 0; j < i; j++)
            assert_string_not_equal(word, tcn_err_word(all[j]));
    }
    assert_string_equal(tcn_err_word(TCN_OK), "ok");
    assert_string_equal(tcn_err_word(TCN_BAD_SIGNATURE), "bad-signature");
}

static void test_outside_of_the_table(void **state)
{
    (void)state;
    assert_string_equal(tcn_err_word((tcn_err)12345), "unknown-error");
    assert_non_null(tcn_err_text((tcn_err)12345));
    assert_int_equal(tcn_err_from_wire(12345), TCN_MALFORMED);
    assert_int_equal(tcn_err_from_wire(UINT64_MAX), TCN_MALFORMED);
    /* 2^32 + 4 must not be taken for 4. */
    assert_int_equal(tcn_err_from_wire(0x100000004u), TCN_MALFORMED);
}

static void test_wire_numbers(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT; i++)
        assert_int_equal(tcn_err_from_wire((uint64_t)all[i]), all[i]);
    /* What is on the wire stays: numbers are never reused. */
    assert_int_equal(TCN_DENIED, 4);
    assert_int_equal(TCN_NOBODY, 31);
}

static void test_fault_formats_and_returns(void **state)
{
    (void)state;
    tcn_fault fault = {0};
    assert_int_equal(tcn_fault_set(&fault, TCN_DENIED, "%s may not: %d", "cert-fi", 7), TCN_DENIED);
    assert_int_equal(fault.err, TCN_DENIED);
    assert_string_equal(fault.text, "cert-fi may not: 7");
    assert_int_equal(tcn_fault_set(NULL, TCN_IO, "%s", "nobody listens"), TCN_IO);
}

static void test_fault_is_one_harmless_line(void **state)
{
    (void)state;
    tcn_fault fault;
    (void)tcn_fault_set(&fault, TCN_INVALID, "a\nb\x1b[31mred\xe2\x80\xae");
    assert_string_equal(fault.text, "a b\xef\xbf\xbd[31mred\xef\xbf\xbd");
}

static void test_fault_is_cut_at_a_character(void **state)
{
    (void)state;
    tcn_fault fault;
    for (size_t lead = 0; lead < 4; lead++) {
        /* Three-byte characters, shifted so that every place of the cut is met. */
        char text[1024] = "xxx";
        size_t len = lead;
        for (; len + 3 < sizeof(text); len += 3)
            memcpy(text + len, "\xe2\x82\xac", 3);
        text[len] = '\0';
        (void)tcn_fault_set(&fault, TCN_INVALID, "%s", text);
        size_t shown = strlen(fault.text);
        assert_true(shown < sizeof(fault.text) && shown + 3 >= sizeof(fault.text) - 1);
        assert_true(tcn_utf8_is_valid(tcn_bytes_str(fault.text)));
        assert_null(strstr(fault.text, "\xef\xbf\xbd"));
    }
}

static void test_require_ends_the_process(void **state)
{
    (void)state;
    TCN_REQUIRE(COUNT > 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        struct rlimit no_core = {0, 0};
        (void)setrlimit(RLIMIT_CORE, &no_core);
        (void)signal(SIGABRT, SIG_DFL);
        (void)close(STDERR_FILENO);
        TCN_REQUIRE(COUNT == 0);
        _exit(0);
    }
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGABRT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_words_are_unique_and_lower_case),
        cmocka_unit_test(test_outside_of_the_table),
        cmocka_unit_test(test_wire_numbers),
        cmocka_unit_test(test_fault_formats_and_returns),
        cmocka_unit_test(test_fault_is_one_harmless_line),
        cmocka_unit_test(test_fault_is_cut_at_a_character),
        cmocka_unit_test(test_require_ends_the_process),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
