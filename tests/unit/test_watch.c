/* SPDX-License-Identifier: Apache-2.0 */
#include "libtocsin/os/watch.h"

#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "libtocsin/file.h"
#include "tests/support/temp_dir.h"

static tcn_watch *open_watch(const char *dir)
{
    tcn_watch *watch = NULL;
    tcn_fault fault = {0};
    if (tcn_watch_open(dir, "trust", &watch, &fault) != TCN_OK) {
        fail_msg("%s", fault.text);
    }
    return watch;
}

static bool is_readable(const tcn_watch *watch)
{
    struct pollfd wait = {tcn_watch_fd(watch), POLLIN, 0};
    return poll(&wait, 1, 0) == 1;
}

static void replace(const char *path)
{
    assert_int_equal(tcn_file_write(path, tcn_bytes_str("new"), 0600, NULL), TCN_OK);
}

static void test_changes(void **state)
{
    const temp_dir *dir = *state;
    tcn_watch *watch = open_watch(dir->path);
    assert_false(is_readable(watch));
    assert_false(tcn_watch_take(watch));
    replace(TEMP_PATH(dir, "trust"));
    assert_true(is_readable(watch));
    assert_true(tcn_watch_take(watch));
    assert_false(is_readable(watch));
    assert_false(tcn_watch_take(watch));

    replace(TEMP_PATH(dir, "other"));
    replace(TEMP_PATH(dir, "trust.old"));
    assert_false(tcn_watch_take(watch)); /* its neighbours do not matter */

    for (unsigned i = 0; i < 300; i++) { /* often is once */
        replace(TEMP_PATH(dir, "trust"));
    }
    assert_true(tcn_watch_take(watch));
    assert_false(tcn_watch_take(watch));

    FILE *file = fopen(TEMP_PATH(dir, "trust"), "w");
    assert_non_null(file);
    assert_int_equal(fputs("half", file) >= 0 && fflush(file) == 0, 1);
    assert_false(tcn_watch_take(watch)); /* it is still being written */
    assert_int_equal(fclose(file), 0);
    assert_true(tcn_watch_take(watch));

    assert_int_equal(unlink(TEMP_PATH(dir, "trust")), 0);
    assert_false(tcn_watch_take(watch));
    assert_false(tcn_watch_is_lost(watch));
    tcn_watch_destroy(&watch);
    assert_null(watch);
    tcn_watch_destroy(&watch);
}

/* The directory is exchanged for another, as a restored home is. */
static void test_directory_replaced(void **state)
{
    const temp_dir *dir = *state;
    assert_int_equal(mkdir(TEMP_PATH(dir, "home"), 0700), 0);
    tcn_watch *watch = open_watch(TEMP_PATH(dir, "home"));
    assert_int_equal(rename(TEMP_PATH(dir, "home"), TEMP_PATH(dir, "old")), 0);
    assert_true(tcn_watch_take(watch));
    assert_true(tcn_watch_is_lost(watch));
    replace(TEMP_PATH(dir, "old/trust"));
    assert_false(tcn_watch_take(watch)); /* not ours any more */
    assert_int_equal(mkdir(TEMP_PATH(dir, "home"), 0700), 0);
    assert_true(tcn_watch_take(watch));
    assert_false(tcn_watch_is_lost(watch));
    assert_false(tcn_watch_take(watch));
    replace(TEMP_PATH(dir, "home/trust"));
    assert_true(tcn_watch_take(watch));
    assert_int_equal(unlink(TEMP_PATH(dir, "home/trust")), 0);
    assert_int_equal(rmdir(TEMP_PATH(dir, "home")), 0);
    assert_true(tcn_watch_take(watch));
    assert_true(tcn_watch_is_lost(watch));
    tcn_watch_destroy(&watch);
}

static void test_refused(void **state)
{
    const temp_dir *dir = *state;
    tcn_watch *watch = NULL;
    tcn_fault fault;
    assert_int_equal(tcn_watch_open(TEMP_PATH(dir, "none"), "trust", &watch, &fault),
                     TCN_NOT_FOUND);
    assert_non_null(strstr(fault.text, "none: "));
    replace(TEMP_PATH(dir, "file"));
    assert_int_equal(tcn_watch_open(TEMP_PATH(dir, "file"), "trust", &watch, NULL), TCN_NOT_FOUND);
    assert_null(watch);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEMP_DIR_TEST(test_changes),
        TEMP_DIR_TEST(test_directory_replaced),
        TEMP_DIR_TEST(test_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
