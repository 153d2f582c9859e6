/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE /* F_SETPIPE_SZ */
#include "libtocsin/os/log.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

typedef struct {
    int fd[2]; /* 0 reads what was logged to 1 */
    tcn_log_out out;
    tcn_log log;
} logged;

static logged *begin(tcn_level least, bool is_socket)
{
    logged *l = calloc(1, sizeof *l);
    assert_non_null(l);
    assert_int_equal(is_socket ? socketpair(AF_UNIX, SOCK_STREAM, 0, l->fd) : pipe(l->fd), 0);
    assert_int_equal(fcntl(l->fd[0], F_SETFL, O_NONBLOCK), 0);
    tcn_log_out_init(&l->out, l->fd[1], least);
    l->log = tcn_log_out_port(&l->out);
    return l;
}

static void end(logged *l)
{
    (void)close(l->fd[0]);
    (void)close(l->fd[1]);
    free(l);
}

static void assert_logged(logged *l, const char *expected)
{
    char text[8192];
    ssize_t len = read(l->fd[0], text, sizeof text - 1);
    text[len > 0 ? len : 0] = '\0';
    assert_string_equal(text, expected);
}

static void say(logged *l, tcn_level level, const char *event, const char *text)
{
    l->log.line(l->log.self, level, event, text);
}

static void test_lines_and_filter(void **state)
{
    (void)state;
    logged *l = begin(TCN_LOG_NOTICE, false);
    say(l, TCN_LOG_ERROR, "disk-failed", "data.mdb: broken");
    say(l, TCN_LOG_NOTICE, "ready", "");
    say(l, TCN_LOG_INFO, "left-out", "x");
    say(l, TCN_LOG_DEBUG, "left-out", "x");
    say(l, TCN_LOG_WARNING, "odd", "a\x1b[31mred\nsecond line");
    assert_logged(l, "ERROR disk-failed data.mdb: broken\n"
                     "NOTICE ready\n"
                     "WARNING odd a\xef\xbf\xbd[31mred second line\n");
    end(l);
}

static void test_long_text_is_one_line(void **state)
{
    (void)state;
    logged *l = begin(TCN_LOG_DEBUG, false);
    static char text[10000], got[8192];
    memset(text, 'x', sizeof text - 1);
    say(l, TCN_LOG_DEBUG, "long", text);
    ssize_t len = read(l->fd[0], got, sizeof got - 1);
    assert_in_range(len, 1000, 2048);
    assert_int_equal(got[len - 1], '\n');
    assert_ptr_equal(memchr(got, '\n', (size_t)len), got + len - 1);
    end(l);
}

static void test_journal_marks(void **state)
{
    (void)state;
    static const struct {
        tcn_level level;
        const char *line;
    } marks[] = {{TCN_LOG_ERROR, "<3>e t\n"},
                 {TCN_LOG_WARNING, "<4>e t\n"},
                 {TCN_LOG_NOTICE, "<5>e t\n"},
                 {TCN_LOG_INFO, "<6>e t\n"},
                 {TCN_LOG_DEBUG, "<7>e t\n"}};
    struct stat st;
    char stream[64];
    logged *l = begin(TCN_LOG_DEBUG, true);
    assert_int_equal(fstat(l->fd[1], &st), 0);
    (void)snprintf(stream, sizeof stream, "%llu:%llu", (unsigned long long)st.st_dev,
                   (unsigned long long)st.st_ino);
    assert_int_equal(setenv("JOURNAL_STREAM", stream, 1), 0);
    tcn_log_out_init(&l->out, l->fd[1], TCN_LOG_DEBUG);
    for (size_t i = 0; i < sizeof marks / sizeof *marks; i++) {
        say(l, marks[i].level, "e", "t");
        assert_logged(l, marks[i].line);
    }
    /* stderr was given to something else: the variable is about another file. */
    (void)snprintf(stream, sizeof stream, "%llu:%llu", (unsigned long long)st.st_dev,
                   (unsigned long long)st.st_ino + 1);
    assert_int_equal(setenv("JOURNAL_STREAM", stream, 1), 0);
    tcn_log_out_init(&l->out, l->fd[1], TCN_LOG_DEBUG);
    say(l, TCN_LOG_INFO, "e", "t");
    assert_logged(l, "INFO e t\n");
    assert_int_equal(setenv("JOURNAL_STREAM", "nonsense", 1), 0);
    tcn_log_out_init(&l->out, l->fd[1], TCN_LOG_DEBUG);
    say(l, TCN_LOG_INFO, "e", "t");
    assert_logged(l, "INFO e t\n");
    assert_int_equal(unsetenv("JOURNAL_STREAM"), 0);
    end(l);
}

/* A reader that hangs: nothing waits, and the loss is told once there is room. */
static void hangs(bool is_socket)
{
    static char text[1500], got[1 << 20];
    memset(text, 'x', sizeof text - 1);
    logged *l = begin(TCN_LOG_INFO, is_socket);
    for (unsigned i = 0; i < 2000; i++) {
        say(l, TCN_LOG_INFO, "flood", text);
    }
    unsigned dropped = atomic_load(&l->out.dropped);
    assert_in_range(dropped, 1, 1999);
    size_t len = 0;
    for (ssize_t part; (part = read(l->fd[0], got + len, sizeof got - 1 - len)) > 0;) {
        len += (size_t)part;
    }
    got[len] = '\0';
    bool was_cut = got[len - 1] != '\n';
    say(l, TCN_LOG_INFO, "after", "all");
    char expected[200];
    (void)snprintf(expected, sizeof expected,
                   "%sWARNING log-dropped %u lines: nobody read them\nINFO after all\n",
                   was_cut ? "\n" : "", dropped);
    assert_logged(l, expected);
    say(l, TCN_LOG_INFO, "after", "that");
    assert_logged(l, "INFO after that\n");
    end(l);
}

static void test_pipe_hangs(void **state)
{
    (void)state;
    hangs(false);
}

static void test_socket_hangs(void **state)
{
    (void)state;
    hangs(true);
}

static void test_level_words(void **state)
{
    (void)state;
    tcn_level level;
    for (int i = TCN_LOG_ERROR; i <= TCN_LOG_DEBUG; i++) {
        assert_int_equal(tcn_level_parse(tcn_level_word((tcn_level)i), &level), TCN_OK);
        assert_int_equal(level, i);
    }
    assert_int_equal(tcn_level_parse("loud", &level), TCN_INVALID);
    assert_int_equal(tcn_level_parse("", &level), TCN_INVALID);
    assert_string_equal(tcn_level_word((tcn_level)17), "unknown");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lines_and_filter), cmocka_unit_test(test_long_text_is_one_line),
        cmocka_unit_test(test_journal_marks),    cmocka_unit_test(test_pipe_hangs),
        cmocka_unit_test(test_socket_hangs),     cmocka_unit_test(test_level_words),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
