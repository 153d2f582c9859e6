/* SPDX-License-Identifier: Apache-2.0 */
/* lockfile.c - see lockfile.h. */
#include "lockfile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "libtocsin/file.h"

#define PATH_SIZE 1024
#define PID_SIZE 24

static tcn_err failed(const char *path, int code, tcn_fault *fault)
{
    tcn_err err = TCN_IO;
    const char *remedy = "check the disk";
    if (code == EACCES || code == EPERM || code == EROFS || code == ELOOP) {
        err = TCN_PERMISSIONS;
        remedy = "make it ours and writable";
    } else if (code == ENOSPC || code == EDQUOT) {
        err = TCN_FULL;
        remedy = "free some room";
    }
    return tcn_fault_set(fault, err, "%s: %s: %s", path, strerror(code), remedy);
}

static tcn_err in_use(int fd, const char *path, tcn_fault *fault)
{
    char text[PID_SIZE] = {0};
    ssize_t len = pread(fd, text, sizeof text - 1, 0);
    long pid = len > 0 ? strtol(text, NULL, 10) : 0;
    if (pid <= 0) { /* it has the lock, but not yet written */
        return tcn_fault_set(fault, TCN_IN_USE, "%s: another process has this home: stop it first",
                             path);
    }
    return tcn_fault_set(fault, TCN_IN_USE, "%s: process %ld has this home: stop it first", path,
                         pid);
}

static int write_pid(int fd)
{
    char text[PID_SIZE];
    int len = snprintf(text, sizeof text, "%ld\n", (long)getpid());
    if (ftruncate(fd, 0) != 0) {
        return errno;
    }
    ssize_t wrote = pwrite(fd, text, (size_t)len, 0);
    return wrote == len ? 0 : wrote < 0 ? errno : ENOSPC;
}

tcn_err tcn_lockfile_take(const char *home, tcn_lockfile *ret_lock, tcn_fault *fault)
{
    char run[PATH_SIZE], path[PATH_SIZE];
    if (tcn_path_join(home, "run", run, sizeof run) != TCN_OK ||
        tcn_path_join(run, "lock", path, sizeof path) != TCN_OK) {
        return tcn_fault_set(fault, TCN_TOO_LARGE, "%.100s…: the path is too long", home);
    }
    tcn_err err = tcn_dir_make(run, 0700, fault);
    if (err != TCN_OK) {
        return err;
    }
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0) {
        return failed(path, errno, fault);
    }
    if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
        err = errno == EWOULDBLOCK ? in_use(fd, path, fault) : failed(path, errno, fault);
    } else {
        int code = write_pid(fd);
        err = code == 0 ? TCN_OK : failed(path, code, fault);
    }
    if (err != TCN_OK) {
        (void)close(fd);
        return err;
    }
    ret_lock->fd = fd;
    return TCN_OK;
}

void tcn_lockfile_fini(tcn_lockfile *lock)
{
    if (lock->fd >= 0) {
        /* Not removed: another process may already have it open and wait for this very file. */
        (void)!ftruncate(lock->fd, 0);
        (void)close(lock->fd);
        lock->fd = -1;
    }
}
