/* SPDX-License-Identifier: Apache-2.0 */
#include "libtocsin/os/log_limit.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

typedef struct {
    tcn_log_limit limit;
    tcn_log log;
    uint64_t now_ms;
    unsigned lines;
    char last[2][200];
} heard;

static void hear(void *self, tcn_level level, const char *event, const char *text)
{
    heard *h = self;
    (void)level;
    memcpy(h->last[0], h->last[1], sizeof(h->last[0]));
    (void)snprintf(h->last[1], sizeof(h->last[1]), "%s %s", event, text);
    h->lines++;
}

static tcn_mono mono(void *self)
{
    return (tcn_mono){((heard *)self)->now_ms};
}

static int begin(void **state)
{
    heard *h = calloc(1, sizeof(*h));
    assert_non_null(h);
    tcn_log_limit_init(&h->limit, (tcn_log){hear, h}, (tcn_clock){.mono = mono, .self = h});
    h->log = tcn_log_limit_port(&h->limit);
    *state = h;
    return 0;
}

static int end(void **state)
{
    heard *h = *state;
    tcn_log_limit_fini(&h->limit);
    free(h);
    return 0;
}

static void say(heard *h, tcn_level level, const char *event, unsigned times)
{
    for (unsigned i = 0; i < times; i++)
        h->log.line(h->log.self, level, event, "x");
}

static void test_a_flood_is_cut_and_counted(void **state)
{
    heard *h = *state;
    say(h, TCN_LOG_NOTICE, "refused", 10 * TCN_LOG_LIMIT_LINES);
    assert_int_equal(h->lines, TCN_LOG_LIMIT_LINES);
    say(h, TCN_LOG_NOTICE, "trust", 1); /* others are heard */
    assert_int_equal(h->lines, TCN_LOG_LIMIT_LINES + 1);
    h->now_ms += TCN_LOG_LIMIT_MS;
    say(h, TCN_LOG_NOTICE, "refused", 1);
    assert_string_equal(h->last[0], "log-limited 1800 lines of refused were left out");
    assert_string_equal(h->last[1], "refused x");
}

static void test_errors_always_pass(void **state)
{
    heard *h = *state;
    say(h, TCN_LOG_ERROR, "disk-failed", 10 * TCN_LOG_LIMIT_LINES);
    assert_int_equal(h->lines, 10 * TCN_LOG_LIMIT_LINES);
}

static void test_more_events_than_places_share_one(void **state)
{
    heard *h = *state;
    for (unsigned i = 0; i < 1000; i++) {
        char event[16];
        (void)snprintf(event, sizeof(event), "e%u", i);
        say(h, TCN_LOG_INFO, event, 1);
    }
    assert_int_equal(h->lines, TCN_LOG_LIMIT_EVENTS - 1 + TCN_LOG_LIMIT_LINES);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_a_flood_is_cut_and_counted, begin, end),
        cmocka_unit_test_setup_teardown(test_errors_always_pass, begin, end),
        cmocka_unit_test_setup_teardown(test_more_events_than_places_share_one, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
