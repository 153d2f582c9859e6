/* SPDX-License-Identifier: Apache-2.0 */
#include "libtocsin/os/lockfile.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/support/temp_dir.h"

static void test_one_holder(void **state)
{
    const temp_dir *home = *state;
    tcn_lockfile lock = {-1}, second = {-1};
    tcn_fault fault;
    struct stat st;
    char pid[40];
    assert_int_equal(tcn_lockfile_take(home->path, &lock, &fault), TCN_OK);
    assert_int_equal(stat(TEMP_PATH(home, "run"), &st), 0);
    assert_int_equal(st.st_mode & 0777, 0700);
    assert_int_equal(stat(TEMP_PATH(home, "run/lock"), &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    assert_int_equal(tcn_lockfile_take(home->path, &second, &fault), TCN_IN_USE);
    (void)snprintf(pid, sizeof pid, "process %ld has this home", (long)getpid());
    assert_non_null(strstr(fault.text, pid));
    assert_non_null(strstr(fault.text, "run/lock: "));
    assert_int_equal(second.fd, -1);
    tcn_lockfile_fini(&lock);
    tcn_lockfile_fini(&lock);
    assert_int_equal(tcn_lockfile_take(home->path, &second, NULL), TCN_OK);
    tcn_lockfile_fini(&second);
}

/* A process that is killed leaves the file, but not the lock. */
static void test_killed_holder(void **state)
{
    const temp_dir *home = *state;
    tcn_lockfile lock = {-1};
    tcn_fault fault;
    int ready[2];
    char byte, expected[40];
    assert_int_equal(pipe(ready), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        char answer = tcn_lockfile_take(home->path, &lock, NULL) == TCN_OK ? 'y' : 'n';
        (void)!write(ready[1], &answer, 1);
        for (;;) {
            (void)pause();
        }
    }
    assert_int_equal(read(ready[0], &byte, 1), 1);
    assert_int_equal(byte, 'y');
    assert_int_equal(tcn_lockfile_take(home->path, &lock, &fault), TCN_IN_USE);
    (void)snprintf(expected, sizeof expected, "process %ld has", (long)child);
    assert_non_null(strstr(fault.text, expected));
    assert_int_equal(kill(child, SIGKILL), 0);
    assert_int_equal(waitpid(child, NULL, 0), child);
    assert_int_equal(tcn_lockfile_take(home->path, &lock, &fault), TCN_OK);
    tcn_lockfile_fini(&lock);
    (void)close(ready[0]);
    (void)close(ready[1]);
}

static void test_refused(void **state)
{
    const temp_dir *home = *state;
    tcn_lockfile lock = {-1};
    tcn_fault fault;
    char path[2000];
    assert_int_equal(mkdir(TEMP_PATH(home, "run"), 0700), 0);
    assert_int_equal(symlink("elsewhere", TEMP_PATH(home, "run/lock")), 0);
    assert_int_equal(tcn_lockfile_take(home->path, &lock, &fault), TCN_PERMISSIONS);
    assert_int_not_equal(access(TEMP_PATH(home, "run/elsewhere"), F_OK), 0);
    assert_int_equal(unlink(TEMP_PATH(home, "run/lock")), 0);
    assert_int_equal(mkdir(TEMP_PATH(home, "run/lock"), 0700), 0);
    assert_int_equal(tcn_lockfile_take(home->path, &lock, &fault), TCN_IO);
    memset(path, 'p', sizeof path - 1);
    path[sizeof path - 1] = '\0';
    assert_int_equal(tcn_lockfile_take(path, &lock, &fault), TCN_TOO_LARGE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEMP_DIR_TEST(test_one_holder),
        TEMP_DIR_TEST(test_killed_holder),
        TEMP_DIR_TEST(test_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
