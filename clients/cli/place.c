/* SPDX-License-Identifier: Apache-2.0 */
/* place.c - all steps go through the open directory, so that its owner cannot turn them elsewhere
 * with a symbolic link. */
#define _GNU_SOURCE /* syncfs */
#include "place.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define TEMPORARY ".tocsin-new"

static tcn_err fail(tcn_fault *fault, const char *what, const char *dir, const char *name)
{
    int why = errno;
    tcn_err err = why == ENOENT || why == ENOTDIR                 ? TCN_NOT_FOUND
                  : why == EACCES || why == EPERM || why == EROFS ? TCN_PERMISSIONS
                  : why == ENOSPC || why == EDQUOT                ? TCN_FULL
                                                                  : TCN_IO;
    return tcn_fault_set(fault, err, "cannot %s %s%s%s: %s", what, dir, name[0] != '\0' ? "/" : "",
                         name, strerror(why));
}

static int open_dir(const char *dir)
{
    return open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

static int write_all(int fd, tcn_bytes content)
{
    while (content.len > 0) {
        ssize_t n = write(fd, content.ptr, content.len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -1;
        content = tcn_bytes_of(content.ptr + n, content.len - (size_t)n);
    }
    return 0;
}

/* The temporary file, complete; 0 or -1 with errno. */
static int write_temporary(int dir_fd, tcn_bytes content, unsigned mode, bool sync)
{
    struct stat owner;
    (void)unlinkat(dir_fd, TEMPORARY, 0); /* of a run that was killed */
    int fd = openat(dir_fd, TEMPORARY, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0)
        return -1;
    bool good = fstat(dir_fd, &owner) == 0;
    if (good && geteuid() == 0 && owner.st_uid != 0)
        good = fchown(fd, owner.st_uid, owner.st_gid) == 0;
    good =
        good && fchmod(fd, mode) == 0 && write_all(fd, content) == 0 && (!sync || fsync(fd) == 0);
    int why = errno;
    if (close(fd) != 0 && good) {
        why = errno;
        good = false;
    }
    if (!good)
        (void)unlinkat(dir_fd, TEMPORARY, 0);
    errno = why;
    return good ? 0 : -1;
}

tcn_err tcn_place(const char *dir, const char *name, tcn_bytes content, unsigned mode, bool sync,
                  tcn_fault *fault)
{
    int dir_fd = open_dir(dir);
    if (dir_fd < 0)
        return fail(fault, "open", dir, "");
    tcn_err err = TCN_OK;
    if (write_temporary(dir_fd, content, mode, sync) != 0) {
        err = fail(fault, "write", dir, name);
    } else if (renameat(dir_fd, TEMPORARY, dir_fd, name) != 0) {
        err = fail(fault, "write", dir, name);
        (void)unlinkat(dir_fd, TEMPORARY, 0);
    }
    (void)close(dir_fd);
    return err;
}

tcn_err tcn_place_link(const char *existing, const char *dir, const char *name)
{
    struct stat owner;
    int dir_fd = open_dir(dir);
    if (dir_fd < 0)
        return TCN_NOT_FOUND;
    tcn_err err = TCN_BUSY;
    if (fstat(dir_fd, &owner) == 0 && owner.st_uid == geteuid()) {
        (void)unlinkat(dir_fd, TEMPORARY, 0);
        if (linkat(AT_FDCWD, existing, dir_fd, TEMPORARY, 0) == 0) {
            if (renameat(dir_fd, TEMPORARY, dir_fd, name) == 0)
                err = TCN_OK;
            /* Also after a rename onto a link to the same file, which does nothing. */
            (void)unlinkat(dir_fd, TEMPORARY, 0);
        }
    }
    (void)close(dir_fd);
    return err;
}

tcn_err tcn_place_sync(const char *dir, tcn_fault *fault)
{
    int dir_fd = open_dir(dir);
    if (dir_fd < 0)
        return fail(fault, "open", dir, "");
    tcn_err err = syncfs(dir_fd) == 0 ? TCN_OK : fail(fault, "write", dir, "");
    (void)close(dir_fd);
    return err;
}
