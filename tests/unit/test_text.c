/* SPDX-License-Identifier: Apache-2.0 */
#include "libtocsin/text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "libtocsin/cbor.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define FFFD "\xef\xbf\xbd"

static void check_line(const char *text, const char *expected)
{
    char shown[256];
    size_t len = tcn_text_line(tcn_bytes_str(text), shown, sizeof(shown));
    assert_string_equal(shown, expected);
    assert_int_equal(len, strlen(expected));
}

static void test_plain_text_stays(void **state)
{
    (void)state;
    const char *plain[] = {
        "",
        "a",
        "Patch CVE-2026-1234 now (CVSS 9.8) ~!@#$%^&*",
        "Gr\xc3\xbc\xc3\x9f",
        "\xe6\xb0\xb4\xe5\xae\xb3",                                          /* Chinese */
        "\xd7\xa9\xd7\x9c\xd7\x95\xd7\x9d \xd8\xb3\xd9\x84\xd8\xa7\xd9\x85", /* Hebrew, Arabic */
        "\xf0\x9f\x9a\xa8",                                                  /* an emoji */
        "e\xcc\x81", /* e, combining acute */
        FFFD,
        "\xef\xbc\xa1", /* fullwidth A */
    };
    for (size_t i = 0; i < COUNT(plain); i++)
        check_line(plain[i], plain[i]);
}

static void test_terminal_controls(void **state)
{
    (void)state;
    check_line("\x1b[31mred\x1b[0m", FFFD "[31mred" FFFD "[0m");
    check_line("\x1b]0;title\x07", FFFD "]0;title" FFFD);
    check_line("a\bb\x7f", "a" FFFD "b" FFFD);
    check_line("\xc2\x9b"
               "31m",
               FFFD "31m"); /* CSI as one C1 character */
    check_line("\xc2\x85\xc2\x80\xc2\x9f", FFFD FFFD FFFD);
    check_line("\xc2\xa0", "\xc2\xa0"); /* the next after C1 is a no-break space */
    char shown[16];
    assert_int_equal(tcn_text_line(tcn_bytes_of("a\0b", 3), shown, sizeof(shown)), 5);
    assert_string_equal(shown, "a" FFFD "b");
}

static void test_bidi_and_invisible(void **state)
{
    (void)state;
    /* U+202A..202E, 2066..2069, 200E, 200F, 061C, 2028, 2029, 200B, 2060, FEFF, 00AD, E0041 */
    const char *hostile[] = {"\xe2\x80\xaa", "\xe2\x80\xab", "\xe2\x80\xac",     "\xe2\x80\xad",
                             "\xe2\x80\xae", "\xe2\x81\xa6", "\xe2\x81\xa7",     "\xe2\x81\xa8",
                             "\xe2\x81\xa9", "\xe2\x80\x8e", "\xe2\x80\x8f",     "\xd8\x9c",
                             "\xe2\x80\xa8", "\xe2\x80\xa9", "\xe2\x80\x8b",     "\xe2\x81\xa0",
                             "\xef\xbb\xbf", "\xc2\xad",     "\xf3\xa0\x81\x81", "\xef\xbf\xbe",
                             "\xe2\x80\x8c", "\xe2\x80\x8d" /* joiners after a Latin letter */};
    for (size_t i = 0; i < COUNT(hostile); i++) {
        char text[16] = "a";
        (void)strcat(strcat(text, hostile[i]), "b");
        check_line(text, "a" FFFD "b");
    }
    /* The neighbours of the ranges stay. */
    check_line("\xe2\x80\x8a\xe2\x80\x90\xe2\x80\xa7\xe2\x80\xaf",
               "\xe2\x80\x8a\xe2\x80\x90\xe2\x80\xa7\xe2\x80\xaf");
}

/* Where a writing system needs joiners they stay, or names and sentences would be misspelt. */
static void test_joiners_that_belong(void **state)
{
    (void)state;
    const char *words[] = {
        "\xd9\x85\xdb\x8c\xe2\x80\x8c\xd8\xae\xd9\x88\xd8\xa7\xd9\x87\xd9\x85", /* Persian, ZWNJ */
        "\xe0\xb7\x81\xe0\xb7\x8a\xe2\x80\x8d\xe0\xb6\xbb\xe0\xb7\x93",         /* Sinhala, ZWJ */
        "\xf0\x9f\x91\xa8\xe2\x80\x8d\xf0\x9f\x9a\x92",                         /* firefighter */
    };
    for (size_t i = 0; i < COUNT(words); i++)
        check_line(words[i], words[i]);
    /* But not one after the other, and not at the start. */
    check_line("\xe2\x80\x8d\xd9\x85", FFFD "\xd9\x85");
    check_line("\xd8\x9c\xe2\x80\x8d", FFFD FFFD); /* nor after what was replaced */
    check_line("\xd9\x85\xe2\x80\x8d\xe2\x80\x8d", "\xd9\x85\xe2\x80\x8d" FFFD);
}

static void test_bad_utf8(void **state)
{
    (void)state;
    const struct {
        const char *text, *shown;
    } cases[] = {
        {"\xff", FFFD},
        {"a\x80z", "a" FFFD "z"},
        {"\xc3", FFFD},
        {"\xc3(", FFFD "("}, /* the good character after it is not eaten */
        {"\xe2\x82", FFFD},  /* one per maximal subpart */
        {"\xe2\x82x", FFFD "x"},
        {"\xf0\x9f\x9a", FFFD},
        {"\xc0\x80", FFFD FFFD},          /* overlong NUL */
        {"\xe0\x80\x9b", FFFD FFFD FFFD}, /* overlong ESC */
        {"\xed\xa0\x80", FFFD FFFD FFFD}, /* surrogate */
        {"\xf4\x90\x80\x80", FFFD FFFD FFFD FFFD},
    };
    for (size_t i = 0; i < COUNT(cases); i++)
        check_line(cases[i].text, cases[i].shown);
}

static void test_line_breaks_in_a_line(void **state)
{
    (void)state;
    check_line("a\nb", "a b");
    check_line("a\r\nb\tc", "a b c");
    check_line("a\n\n\t\r\nb", "a b");
    check_line("\n", " ");
    check_line("a \n b", "a   b");
}

static void test_block_keeps_its_lines(void **state)
{
    (void)state;
    char shown[64];
    (void)tcn_text_block(tcn_bytes_str("a\n\n\tb\r\nc\rd\x1b"), shown, sizeof(shown));
    assert_string_equal(shown, "a\n\n\tb\nc\nd" FFFD);
    (void)tcn_text_block(tcn_bytes_str("a\r\rb\r\n\r\nc"), shown, sizeof(shown));
    assert_string_equal(shown, "a\n\nb\n\nc");
}

static void test_cut_at_a_character(void **state)
{
    (void)state;
    const char *text = "a\xe2\x82\xac\xf0\x9f\x9a\xa8z\x1b";
    const size_t ends[] = {0, 1, 4, 8, 9, 12}; /* of the characters as they are shown */
    for (size_t size = 4; size < 16; size++) {
        char *shown = malloc(size); /* of its own size: the sanitizer sees a write beyond it */
        size_t expected = 0;
        assert_non_null(shown);
        for (size_t i = 0; i < COUNT(ends); i++)
            if (ends[i] < size)
                expected = ends[i];
        assert_int_equal(tcn_text_line(tcn_bytes_str(text), shown, size), expected);
        assert_int_equal(strlen(shown), expected);
        free(shown);
    }
}

/* Whatever comes in: valid UTF-8 goes out, of one line, and it stays as it is a second time. */
static void test_any_bytes(void **state)
{
    (void)state;
    uint64_t x = 88172645463325252u;
    for (unsigned round = 0; round < 20000; round++) {
        uint8_t noise[24];
        char shown[80], again[80];
        for (size_t i = 0; i < sizeof(noise); i++) {
            x ^= x << 13;
            x ^= x >> 7;
            x ^= x << 17;
            /* Half of the time bytes that make up the interesting characters. */
            noise[i] = x & 0x100 ? (uint8_t)x : (uint8_t) "\xe2\x80\x8d\x0d\x0a\xd9\x85\x1b"[x & 7];
        }
        size_t len = tcn_text_line(tcn_bytes_of(noise, sizeof(noise)), shown, sizeof(shown));
        assert_true(tcn_utf8_is_valid(tcn_bytes_of(shown, len)));
        for (size_t i = 0; i < len; i++)
            assert_true((uint8_t)shown[i] >= 0x20 && shown[i] != 0x7f);
        (void)tcn_text_line(tcn_bytes_of(shown, len), again, sizeof(again));
        assert_string_equal(again, shown);
    }
}

static void test_width(void **state)
{
    (void)state;
    const struct {
        const char *text;
        size_t columns;
    } cases[] = {{"", 0},
                 {"abc", 3},
                 {"Gr\xc3\xbc\xc3\x9f", 4},
                 {"\xe6\xb0\xb4\xe5\xae\xb3", 4},
                 {"e\xcc\x81", 1},
                 {"\xed\x95\x9c", 2},
                 {"\xef\xbc\xa1", 2},
                 {"\xf0\x9f\x9a\xa8", 2},
                 {"\xd8\xb3\xd9\x84\xd8\xa7\xd9\x85", 4},
                 {FFFD, 1},
                 {"\xe3\x81\x82", 2},
                 {"\xef\xbd\xb1", 1},
                 {"\xf0\xa0\x80\x80", 2}};
    for (size_t i = 0; i < COUNT(cases); i++)
        if (tcn_text_width(cases[i].text) != cases[i].columns)
            fail_msg("%s: %zu", cases[i].text, tcn_text_width(cases[i].text));
}

static void test_names(void **state)
{
    (void)state;
    const char *good[] = {"a",
                          "0",
                          "cert-fi",
                          "a-b-c",
                          "9",
                          "a--b",
                          "abcdefghijklmnopqrstuvwxyz0123456789abcdefghijklmnopqrstuvwxyz0"};
    const char *bad[] = {
        "",    "-",    "-a",
        "a-",  "A",    "a_b",
        "a.b", "a b",  "\xc3\xa4",
        "a\n", "../x", "abcdefghijklmnopqrstuvwxyz0123456789abcdefghijklmnopqrstuvwxyz01"};
    for (size_t i = 0; i < COUNT(good); i++)
        assert_true(tcn_name_is_valid(tcn_bytes_str(good[i])));
    for (size_t i = 0; i < COUNT(bad); i++)
        if (tcn_name_is_valid(tcn_bytes_str(bad[i])))
            fail_msg("accepted: %s", bad[i]);
    assert_false(tcn_name_is_valid((tcn_bytes){NULL, 0}));
    assert_false(tcn_name_is_valid(tcn_bytes_of("a\0b", 3)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_plain_text_stays),
        cmocka_unit_test(test_terminal_controls),
        cmocka_unit_test(test_bidi_and_invisible),
        cmocka_unit_test(test_joiners_that_belong),
        cmocka_unit_test(test_bad_utf8),
        cmocka_unit_test(test_line_breaks_in_a_line),
        cmocka_unit_test(test_block_keeps_its_lines),
        cmocka_unit_test(test_cut_at_a_character),
        cmocka_unit_test(test_any_bytes),
        cmocka_unit_test(test_width),
        cmocka_unit_test(test_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
