/* SPDX-License-Identifier: Apache-2.0 */
#include "libtocsin/os/process.h"

#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#if defined(__SANITIZE_ADDRESS__)
#define STAYS_DUMPABLE 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define STAYS_DUMPABLE 1
#endif
#endif
#ifndef STAYS_DUMPABLE
#define STAYS_DUMPABLE 0
#endif

/* Runs fn in a child, whose exit code is the number of the first check that failed. */
static void in_child(int (*fn)(void))
{
    int status;
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        _exit(fn());
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

static int hardened(void)
{
    struct rlimit limit = {64, 0};
    tcn_fault fault;
    struct rlimit before;
    if (getrlimit(RLIMIT_NOFILE, &before) != 0) {
        return 1;
    }
    limit.rlim_max = before.rlim_max;
    if (setrlimit(RLIMIT_NOFILE, &limit) != 0 || tcn_process_harden(&fault) != TCN_OK) {
        return 2;
    }
    if (prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) != STAYS_DUMPABLE) {
        return 3;
    }
    if (getrlimit(RLIMIT_CORE, &limit) != 0 || limit.rlim_cur != 0 || limit.rlim_max != 0) {
        return 4;
    }
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur != before.rlim_max) {
        return 5;
    }
    if (umask(0) != 077) {
        return 6;
    }
    int fd[2];
    if (pipe(fd) != 0 || close(fd[0]) != 0 || write(fd[1], "x", 1) != -1) {
        return 7; /* SIGPIPE would have ended us */
    }
    return 0;
}

static void test_harden(void **state)
{
    (void)state;
    in_child(hardened);
}

static int takes_signals(void)
{
    static const int all[] = {SIGTERM, SIGINT, SIGHUP};
    struct pollfd wait = {.events = POLLIN};
    if (tcn_process_signals(&wait.fd, NULL) != TCN_OK || tcn_process_take_signal(wait.fd) != 0) {
        return 1;
    }
    for (int i = 0; i < 3; i++) {
        if (raise(all[i]) != 0 || poll(&wait, 1, 0) != 1 ||
            tcn_process_take_signal(wait.fd) != all[i]) {
            return 2 + i;
        }
    }
    return tcn_process_take_signal(wait.fd) == 0 && poll(&wait, 1, 0) == 0 ? 0 : 9;
}

static void test_signals(void **state)
{
    (void)state;
    in_child(takes_signals);
}

static int unblocks(void)
{
    int fd;
    if (tcn_process_harden(NULL) != TCN_OK || tcn_process_signals(&fd, NULL) != TCN_OK) {
        return 1;
    }
    tcn_process_unblock();
    sigset_t set;
    struct sigaction pipe_action;
    if (sigprocmask(SIG_BLOCK, NULL, &set) != 0 || sigismember(&set, SIGTERM)) {
        return 2;
    }
    return sigaction(SIGPIPE, NULL, &pipe_action) == 0 && pipe_action.sa_handler == SIG_DFL ? 0 : 3;
}

static void test_unblock(void **state)
{
    (void)state;
    in_child(unblocks);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_harden),
                                       cmocka_unit_test(test_signals),
                                       cmocka_unit_test(test_unblock)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
