/* SPDX-License-Identifier: Apache-2.0 */
/* process.c - see process.h. */
#include "process.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <unistd.h>

#if defined(__SANITIZE_ADDRESS__)
#define HAS_LEAK_CHECKER 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define HAS_LEAK_CHECKER 1
#endif
#endif
#ifndef HAS_LEAK_CHECKER
#define HAS_LEAK_CHECKER 0
#endif

static tcn_err refused(const char *what, tcn_fault *fault)
{
    return tcn_fault_set(fault, TCN_IO, "the system refused %s: %s", what, strerror(errno));
}

tcn_err tcn_process_harden(tcn_fault *fault)
{
    struct rlimit limit = {0, 0};
    (void)umask(077);
    if (!HAS_LEAK_CHECKER && prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0) {
        return refused("to make our memory private", fault);
    }
    if (setrlimit(RLIMIT_CORE, &limit) != 0) {
        return refused("to do without core files", fault);
    }
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0) {
        return refused("to tell the limit of descriptors", fault);
    }
    limit.rlim_cur = limit.rlim_max;
    if (setrlimit(RLIMIT_NOFILE, &limit) != 0) {
        return refused("more descriptors", fault);
    }
    if (signal(SIGPIPE, SIG_IGN) == SIG_ERR) {
        return refused("to ignore SIGPIPE", fault);
    }
    return TCN_OK;
}

tcn_err tcn_process_signals(int *ret_fd, tcn_fault *fault)
{
    sigset_t set;
    (void)sigemptyset(&set);
    (void)sigaddset(&set, SIGTERM);
    (void)sigaddset(&set, SIGINT);
    (void)sigaddset(&set, SIGHUP);
    int code = pthread_sigmask(SIG_BLOCK, &set, NULL);
    if (code != 0) {
        errno = code;
        return refused("to block signals", fault);
    }
    int fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    if (fd < 0) {
        return refused("a descriptor for signals", fault);
    }
    *ret_fd = fd;
    return TCN_OK;
}

int tcn_process_take_signal(int fd)
{
    struct signalfd_siginfo info;
    return read(fd, &info, sizeof info) == (ssize_t)sizeof info ? (int)info.ssi_signo : 0;
}

void tcn_process_unblock(void)
{
    sigset_t none;
    (void)sigemptyset(&none);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
    (void)signal(SIGPIPE, SIG_DFL);
}
