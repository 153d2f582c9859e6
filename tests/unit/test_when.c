/* SPDX-License-Identifier: Apache-2.0 */
#include "libtocsin/when.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define FIRST_MS INT64_C(-62135596800000)
#define LAST_MS INT64_C(253402300799999)

static tcn_wall wall(int64_t unix_ms)
{
    return (tcn_wall){unix_ms};
}

static void test_utc_text(void **state)
{
    (void)state;
    const struct {
        int64_t unix_ms;
        const char *text;
    } cases[] = {
        {0, "1970-01-01T00:00:00.000Z"},
        {1, "1970-01-01T00:00:00.001Z"},
        {-1, "1969-12-31T23:59:59.999Z"},
        {951782399999, "2000-02-28T23:59:59.999Z"},
        {951782400000, "2000-02-29T00:00:00.000Z"},
        {1769860800000, "2026-01-31T12:00:00.000Z"},
        {4107542400000, "2100-03-01T00:00:00.000Z"},
        {FIRST_MS, "0001-01-01T00:00:00.000Z"},
        {LAST_MS, "9999-12-31T23:59:59.999Z"},
        {FIRST_MS - 1, "0001-01-01T00:00:00.000Z"},
        {LAST_MS + 1, "9999-12-31T23:59:59.999Z"},
        {INT64_MIN, "0001-01-01T00:00:00.000Z"},
        {INT64_MAX, "9999-12-31T23:59:59.999Z"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        char text[TCN_WALL_TEXT_SIZE];
        tcn_wall_utc(wall(cases[i].unix_ms), text);
        assert_string_equal(text, cases[i].text);
    }
}

/* Each day of ten thousand years against the C library, and back. */
static void test_every_day(void **state)
{
    (void)state;
    for (int64_t ms = FIRST_MS + 43200123; ms < LAST_MS; ms += 86400000) {
        char text[TCN_WALL_TEXT_SIZE], expected[96];
        time_t seconds = (time_t)((ms - 123) / 1000);
        struct tm tm;
        tcn_wall at;
        assert_non_null(gmtime_r(&seconds, &tm));
        (void)snprintf(expected, sizeof(expected), "%04d-%02d-%02dT%02d:%02d:%02d.123Z",
                       tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min,
                       tm.tm_sec);
        tcn_wall_utc(wall(ms), text);
        assert_string_equal(text, expected);
        assert_int_equal(tcn_wall_parse(text, &at), TCN_OK);
        assert_true(at.unix_ms == ms);
    }
}

static void test_parse(void **state)
{
    (void)state;
    const struct {
        const char *text;
        int64_t unix_ms;
    } good[] = {
        {"1970-01-01T00:00:00Z", 0},
        {"1970-01-01t00:00:00z", 0},
        {"1970-01-01 00:00:00Z", 0},
        {"1970-01-01T00:00:00.1Z", 100},
        {"1970-01-01T00:00:00.12Z", 120},
        {"1970-01-01T00:00:00.1239999999Z", 123},
        {"1970-01-01T01:00:00+01:00", 0},
        {"1969-12-31T19:00:00-05:00", 0},
        {"1970-01-01T05:45:00+05:45", 0},
        {"1970-01-01T00:00:00-00:00", 0}, /* RFC 3339 §4.3: UTC, local offset not known */
        {"1970-01-01T23:59:00+23:59", 0},
        {"1996-12-19T16:39:57-08:00", 851042397000}, /* RFC 3339 §5.8 */
        {"1985-04-12T23:20:50.52Z", 482196050520},
        {"1990-12-31T23:59:60Z", 662687999999}, /* a leap second */
        {"1990-12-31T15:59:60-08:00", 662687999999},
        {"1990-12-31T23:59:60.5Z", 662687999999},
        {"2000-02-29T00:00:00Z", 951782400000},
        {"0001-01-01T00:00:00Z", FIRST_MS},
        {"9999-12-31T23:59:59.999Z", LAST_MS},
    };
    for (size_t i = 0; i < COUNT(good); i++) {
        tcn_wall at = {42};
        if (tcn_wall_parse(good[i].text, &at) != TCN_OK || at.unix_ms != good[i].unix_ms)
            fail_msg("%s is not %lld", good[i].text, (long long)at.unix_ms);
    }
}

static void test_parse_refuses(void **state)
{
    (void)state;
    const char *bad[] = {
        "", "2026", "2026-01-31", "2026-01-31T12:00Z", "12:00:00Z", "now",
        /* without a zone */
        "2026-01-31T12:00:00", "2026-01-31T12:00:00.000", "2026-01-31 12:00:00",
        /* zones that are none */
        "2026-01-31T12:00:00 Z", "2026-01-31T12:00:00+1", "2026-01-31T12:00:00+01",
        "2026-01-31T12:00:00+0100", "2026-01-31T12:00:00+01:0", "2026-01-31T12:00:00+24:00",
        "2026-01-31T12:00:00+01:60", "2026-01-31T12:00:00CET", "2026-01-31T12:00:00 +01:00",
        /* out of range */
        "2026-00-31T12:00:00Z", "2026-13-31T12:00:00Z", "2026-01-00T12:00:00Z",
        "2026-01-32T12:00:00Z", "2026-02-29T12:00:00Z", "1900-02-29T12:00:00Z",
        "2026-04-31T12:00:00Z", "2026-01-31T24:00:00Z", "2026-01-31T12:60:00Z",
        "2026-01-31T12:00:61Z", "2026-01-31T12:00:60Z", "2026-01-31T22:59:60Z",
        "1990-12-31T23:59:60+01:00",
        /* out of the years 0001 to 9999 */
        "0000-12-31T23:59:59Z", "0001-01-01T00:00:00+00:01", "9999-12-31T23:59:59-00:01",
        "10000-01-01T00:00:00Z", "-2026-01-31T12:00:00Z", "+2026-01-31T12:00:00Z",
        /* shapes */
        "2026-1-31T12:00:00Z", "2026-01-31T12:00:00.Z", "2026-01-31T12:00:00,5Z",
        "2026/01/31T12:00:00Z", "2026-01-31_12:00:00Z", " 2026-01-31T12:00:00Z",
        "2026-01-31T12:00:00Z ", "2026-01-31T12:00:00ZZ", "20260131T120000Z",
        "2026-01-31T12:00:0 Z", "2026-01-31T12:00:-1Z"};
    for (size_t i = 0; i < COUNT(bad); i++) {
        tcn_wall at = {42};
        if (tcn_wall_parse(bad[i], &at) != TCN_INVALID || at.unix_ms != 42)
            fail_msg("accepted: %s", bad[i]);
    }
}

static void set_zone(const char *zone)
{
    assert_int_equal(setenv("TZ", zone, 1), 0);
}

static void test_local_text(void **state)
{
    (void)state;
    /* Zones by their rule, so that the test needs no zone files. */
    const struct {
        const char *zone;
        int64_t unix_ms;
        const char *text;
    } cases[] = {
        {"UTC0", 1769860800000, "2026-01-31 12:00:00+00:00"},
        {"CET-1CEST,M3.5.0,M10.5.0/3", 1769860800000, "2026-01-31 13:00:00+01:00"},
        {"CET-1CEST,M3.5.0,M10.5.0/3", 1785499200999, "2026-07-31 14:00:00+02:00"},
        {"EST5EDT,M3.2.0,M11.1.0", 1769860800000, "2026-01-31 07:00:00-05:00"},
        {"NPT-5:45", 1769860800000, "2026-01-31 17:45:00+05:45"},
        {"NST3:30", 1769860800000, "2026-01-31 08:30:00-03:30"},
        {"UTC0", -1, "1969-12-31 23:59:59+00:00"},
        {"CET-1", -1, "1970-01-01 00:59:59+01:00"},
        {"EST5", INT64_MIN, "0001-01-01 00:00:00-05:00"},
        {"CET-1", INT64_MAX, "9999-12-31 23:59:59+01:00"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        char text[TCN_WALL_TEXT_SIZE];
        set_zone(cases[i].zone);
        tcn_wall_local(wall(cases[i].unix_ms), text);
        assert_string_equal(text, cases[i].text);
    }
}

/* What people read can be given back as input. */
static void test_local_text_parses(void **state)
{
    (void)state;
    char text[TCN_WALL_TEXT_SIZE];
    tcn_wall at;
    set_zone("NPT-5:45");
    tcn_wall_local(wall(1769860800000), text);
    assert_int_equal(tcn_wall_parse(text, &at), TCN_OK);
    assert_true(at.unix_ms == 1769860800000);
}

static void test_durations(void **state)
{
    (void)state;
    const struct {
        const char *text;
        int64_t ms;
    } good[] = {{"90s", 90000}, {"15m", 900000}, {"24h", 86400000}, {"7d", 604800000},
                {"500ms", 500}, {"0s", 0},       {"007s", 7000},    {"366d", 31622400000}};
    for (size_t i = 0; i < COUNT(good); i++) {
        int64_t ms = -1;
        assert_int_equal(tcn_duration_parse(good[i].text, &ms), TCN_OK);
        assert_true(ms == good[i].ms);
    }
    const char *bad[] = {"",
                         "s",
                         "5",
                         "-5s",
                         "+5s",
                         " 5s",
                         "5 s",
                         "5s ",
                         "1.5h",
                         "5M",
                         "5min",
                         "5w",
                         "1h30m",
                         "0x5s",
                         "99999999999999999999s",
                         "9223372036854775807d",
                         "3652060d"};
    for (size_t i = 0; i < COUNT(bad); i++) {
        int64_t ms = 42;
        if (tcn_duration_parse(bad[i], &ms) != TCN_INVALID || ms != 42)
            fail_msg("accepted: %s", bad[i]);
    }
}

static void test_deadlines(void **state)
{
    (void)state;
    tcn_wall at, now = {1769860800000};
    assert_int_equal(tcn_deadline_parse("15m", now, &at), TCN_OK);
    assert_true(at.unix_ms == now.unix_ms + 900000);
    assert_int_equal(tcn_deadline_parse("1970-01-01T00:00:01Z", now, &at), TCN_OK);
    assert_true(at.unix_ms == 1000);
    assert_int_equal(tcn_deadline_parse("1970-01-01T00:00:01", now, &at), TCN_INVALID);
    assert_int_equal(tcn_deadline_parse("3652058d", now, &at), TCN_INVALID); /* after 9999 */
    assert_int_equal(tcn_deadline_parse("1s", wall(LAST_MS), &at), TCN_INVALID);
    assert_int_equal(tcn_deadline_parse("0s", wall(LAST_MS), &at), TCN_OK);
    assert_int_equal(tcn_deadline_parse("soon", now, &at), TCN_INVALID);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_utc_text),   cmocka_unit_test(test_every_day),
        cmocka_unit_test(test_parse),      cmocka_unit_test(test_parse_refuses),
        cmocka_unit_test(test_local_text), cmocka_unit_test(test_local_text_parses),
        cmocka_unit_test(test_durations),  cmocka_unit_test(test_deadlines),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
