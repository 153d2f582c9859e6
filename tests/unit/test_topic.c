/* SPDX-License-Identifier: Apache-2.0 */
#include "libtocsin/topic.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "libtocsin/limits.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static tcn_bytes text(const char *nul_terminated)
{
    return tcn_bytes_str(nul_terminated);
}

static void test_topics(void **state)
{
    (void)state;
    const char *good[] = {"a", "0", "advisory.vendor.microsoft", "a-b_c.9", "-", "_", "a.b.c.d"};
    const char *bad[] = {"",  ".",   "a.",  ".a",  "a..b", "A",        "a b", "a.*", "*",
                         ">", "a.>", "a/b", "a.B", "a\n",  "\xc3\xa4", "a,b", "a*",  "#"};
    for (size_t i = 0; i < COUNT(good); i++)
        assert_int_equal(tcn_topic_check(text(good[i])), TCN_OK);
    for (size_t i = 0; i < COUNT(bad); i++)
        if (tcn_topic_check(text(bad[i])) != TCN_INVALID)
            fail_msg("accepted: %s", bad[i]);
    assert_int_equal(tcn_topic_check((tcn_bytes){NULL, 0}), TCN_INVALID);
    assert_int_equal(tcn_topic_check(tcn_bytes_of("a\0b", 3)), TCN_INVALID);
}

static void test_patterns(void **state)
{
    (void)state;
    const char *good[] = {"a", "*", ">", "a.*", "a.>", "*.b.*", "*.>", "a.*.>", "*.*"};
    const char *bad[] = {"",   ".",    ">.a", "a.>.b", "**", ">>", "a*",
                         "*a", "a.*b", "a>",  "a.",    ".>", "*.", "A.>"};
    for (size_t i = 0; i < COUNT(good); i++)
        assert_int_equal(tcn_pattern_check(text(good[i])), TCN_OK);
    for (size_t i = 0; i < COUNT(bad); i++)
        if (tcn_pattern_check(text(bad[i])) != TCN_INVALID)
            fail_msg("accepted: %s", bad[i]);
}

static void test_sizes(void **state)
{
    (void)state;
    char many[2 * TCN_MAX_TOPIC_TOKENS + 2], chars[TCN_MAX_TOPIC_CHARS + 1];
    memset(chars, 'a', sizeof(chars));
    assert_int_equal(tcn_topic_check(tcn_bytes_of(chars, sizeof(chars) - 1)), TCN_OK);
    assert_int_equal(tcn_topic_check(tcn_bytes_of(chars, sizeof(chars))), TCN_TOO_LARGE);
    assert_int_equal(tcn_pattern_check(tcn_bytes_of(chars, sizeof(chars))), TCN_TOO_LARGE);
    for (size_t i = 0; i < sizeof(many); i++)
        many[i] = i % 2 == 0 ? 'a' : '.';
    size_t most = 2 * TCN_MAX_TOPIC_TOKENS - 1;
    assert_int_equal(tcn_topic_check(tcn_bytes_of(many, most)), TCN_OK);
    assert_int_equal(tcn_topic_check(tcn_bytes_of(many, most + 2)), TCN_TOO_LARGE);
    assert_int_equal(tcn_pattern_check(tcn_bytes_of(many, most + 2)), TCN_TOO_LARGE);
}

static void test_matching(void **state)
{
    (void)state;
    const struct {
        const char *pattern, *topic;
        bool matches;
    } cases[] = {
        {"a.b", "a.b", true},     {"a.b", "a", false},       {"a.b", "a.b.c", false},
        {"a.b", "a.bb", false},   {"a.bb", "a.b", false},    {"*", "a", true},
        {"*", "a.b", false},      {"*.b", "a.b", true},      {"*.b", "b", false},
        {"a.*", "a.b", true},     {"a.*", "a", false},       {"a.*", "a.b.c", false},
        {">", "a", true},         {">", "a.b.c", true},      {"a.>", "a", false},
        {"a.>", "a.b", true},     {"a.>", "a.b.c.d", true},  {"a.>", "b.c", false},
        {"a.>", "ab.c", false},   {"*.>", "a", false},       {"*.>", "a.b", true},
        {"a.*.c", "a.b.c", true}, {"a.*.c", "a.b.d", false}, {"*.*", "a.b", true},
    };
    for (size_t i = 0; i < COUNT(cases); i++)
        if (tcn_pattern_matches(text(cases[i].pattern), text(cases[i].topic)) != cases[i].matches)
            fail_msg("%s and %s", cases[i].pattern, cases[i].topic);
}

/* All of up to three tokens out of a few words; what covering means is then only counted. */
static unsigned every(const char *const *words, unsigned count, char ret[][16])
{
    unsigned made = 0;
    for (unsigned a = 0; a < count; a++) {
        (void)strcpy(ret[made++], words[a]);
        for (unsigned b = 0; b < count; b++) {
            (void)strcat(strcat(strcpy(ret[made++], words[a]), "."), words[b]);
            for (unsigned c = 0; c < count; c++) {
                (void)strcat(strcat(strcpy(ret[made], words[a]), "."), words[b]);
                (void)strcat(strcat(ret[made++], "."), words[c]);
            }
        }
    }
    return made;
}

static void test_covering_is_matching_all_that_the_other_matches(void **state)
{
    (void)state;
    static const char *const topic_words[] = {"a", "b", "c"}, *const pattern_words[] = {"a", "b",
                                                                                        "*", ">"};
    static char topics[39 + 81][16], patterns[84][16];
    unsigned topic_count = every(topic_words, 3, topics),
             pattern_count = every(pattern_words, 4, patterns);
    assert_int_equal(topic_count, 39);
    assert_int_equal(pattern_count, 84);
    /* Longer topics, so that '>' is more than "up to three": x.y.z and one more. */
    for (unsigned i = 0; i < 39; i++) {
        if (strlen(topics[i]) != 5)
            continue;
        for (unsigned w = 0; w < 3; w++)
            (void)strcat(strcat(strcpy(topics[topic_count++], topics[i]), "."), topic_words[w]);
    }
    unsigned covered = 0;
    for (unsigned o = 0; o < pattern_count; o++) {
        for (unsigned i = 0; i < pattern_count; i++) {
            tcn_bytes outer = text(patterns[o]), inner = text(patterns[i]);
            if (tcn_pattern_check(outer) != TCN_OK || tcn_pattern_check(inner) != TCN_OK)
                continue;
            bool all = true;
            for (unsigned t = 0; t < topic_count && all; t++)
                all = !tcn_pattern_matches(inner, text(topics[t])) ||
                      tcn_pattern_matches(outer, text(topics[t]));
            if (tcn_pattern_covers(outer, inner) != all)
                fail_msg("%s should %scover %s", patterns[o], all ? "" : "not ", patterns[i]);
            covered += all;
        }
    }
    assert_true(covered > 100);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_topics),
        cmocka_unit_test(test_patterns),
        cmocka_unit_test(test_sizes),
        cmocka_unit_test(test_matching),
        cmocka_unit_test(test_covering_is_matching_all_that_the_other_matches),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
