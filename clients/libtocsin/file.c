/* SPDX-License-Identifier: Apache-2.0 */
/* file.c - whole files through open, fsync, rename and link; the one place where their errno
 * becomes a tcn_err. Durable: once a write returns TCN_OK, its content survives power loss. */
#include "file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define TEMPORARY_TRIES 100

static tcn_err of_errno(int error)
{
    switch (error) {
    case ENOENT:
    case ENOTDIR: return TCN_NOT_FOUND;
    case EACCES:
    case EPERM:
    case EROFS: return TCN_PERMISSIONS;
    case ENOSPC:
    case EDQUOT: return TCN_FULL;
    case ENOMEM: return TCN_NO_MEMORY;
    case EEXIST: return TCN_CONFLICT;
    case ENAMETOOLONG: return TCN_TOO_LARGE;
    default: return TCN_IO;
    }
}

static tcn_err fail(tcn_fault *fault, const char *what, const char *path, int error)
{
    return tcn_fault_set(fault, of_errno(error), "cannot %s %s: %s", what, path, strerror(error));
}

/* ---- reading ---- */

/* Reads an open file whose size was st_size; the byte for the NUL tells if it grew meanwhile. */
static tcn_err read_all(int fd, size_t size, uint8_t *ret_bytes, size_t *ret_len)
{
    size_t len = 0;
    while (len <= size) {
        ssize_t n = read(fd, ret_bytes + len, size + 1 - len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return TCN_IO;
        if (n == 0) {
            ret_bytes[len] = '\0';
            *ret_len = len;
            return TCN_OK;
        }
        len += (size_t)n;
    }
    errno = EAGAIN; /* it grew: whoever writes is not done */
    return TCN_IO;
}

static tcn_err read_open(int fd, const char *path, size_t max_bytes, tcn_bytes *ret_content,
                         tcn_fault *fault)
{
    struct stat st;
    if (fstat(fd, &st) != 0)
        return fail(fault, "read", path, errno);
    if (!S_ISREG(st.st_mode))
        return tcn_fault_set(fault, TCN_INVALID, "%s is not a regular file", path);
    if ((uintmax_t)st.st_size > max_bytes)
        return tcn_fault_set(fault, TCN_TOO_LARGE, "%s has %jd bytes; at most %zu are read", path,
                             (intmax_t)st.st_size, max_bytes);
    size_t size = (size_t)st.st_size, len;
    uint8_t *bytes = malloc(size + 1);
    if (bytes == NULL)
        return fail(fault, "read", path, ENOMEM);
    if (read_all(fd, size, bytes, &len) != TCN_OK) {
        int error = errno;
        explicit_bzero(bytes, size + 1); /* it may be a secret */
        free(bytes);
        return tcn_fault_set(fault, TCN_IO, "cannot read %s: %s", path,
                             error == EAGAIN ? "it changed meanwhile, try again" : strerror(error));
    }
    *ret_content = tcn_bytes_of(bytes, len);
    return TCN_OK;
}

/* NONBLOCK: a FIFO must not hang us before it is seen to be none of ours. */
#define READ_FLAGS (O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK)

tcn_err tcn_file_read(const char *path, size_t max_bytes, uint8_t **ret_ptr, size_t *ret_len,
                      tcn_fault *fault)
{
    int fd = open(path, READ_FLAGS);
    if (fd < 0)
        return fail(fault, "read", path, errno);
    tcn_bytes content;
    tcn_err err = read_open(fd, path, max_bytes, &content, fault);
    (void)close(fd);
    if (err == TCN_OK) {
        *ret_ptr = (uint8_t *)content.ptr;
        *ret_len = content.len;
    }
    return err;
}

/* Is this open file as private as a secret must be? Asked of the descriptor, so that no one can
 * put another file in its place between question and reading. */
static tcn_err check_private(int fd, const char *path, tcn_fault *fault)
{
    struct stat st;
    if (fstat(fd, &st) != 0)
        return fail(fault, "read", path, errno);
    if (st.st_uid != geteuid())
        return tcn_fault_set(
            fault, TCN_PERMISSIONS, "%s belongs to user %ju and we are %ju: run chown %ju %s", path,
            (uintmax_t)st.st_uid, (uintmax_t)geteuid(), (uintmax_t)geteuid(), path);
    if ((st.st_mode & (S_IRWXG | S_IRWXO)) != 0)
        return tcn_fault_set(fault, TCN_PERMISSIONS,
                             "%s is open to others (mode %04o): run chmod 600 %s", path,
                             (unsigned)(st.st_mode & 07777), path);
    return TCN_OK;
}

tcn_err tcn_file_read_secret(const char *path, size_t max_bytes, uint8_t **ret_ptr, size_t *ret_len,
                             tcn_fault *fault)
{
    int fd = open(path, READ_FLAGS | O_NOFOLLOW);
    if (fd < 0 && errno == ELOOP)
        return tcn_fault_set(fault, TCN_PERMISSIONS,
                             "%s is a symbolic link: put the secret file itself there", path);
    if (fd < 0)
        return fail(fault, "read", path, errno);
    tcn_bytes content;
    tcn_err err = check_private(fd, path, fault);
    if (err == TCN_OK)
        err = read_open(fd, path, max_bytes, &content, fault);
    (void)close(fd);
    if (err == TCN_OK) {
        *ret_ptr = (uint8_t *)content.ptr;
        *ret_len = content.len;
    }
    return err;
}

/* ---- writing ---- */

/* A file on its way to its name. All steps go through the open directory: that it is renamed
 * meanwhile does no harm. */
typedef struct {
    int dir_fd, fd;
    const char *name; /* within the directory */
    char temporary[64];
} draft;

static int open_dir_of(const char *path)
{
    const char *slash = strrchr(path, '/');
    char dir[PATH_MAX];
    size_t len = slash == NULL ? 0 : slash == path ? 1 : (size_t)(slash - path);
    if (len >= sizeof(dir)) {
        errno = ENAMETOOLONG;
        return -1;
    }
    memcpy(dir, path, len);
    dir[len] = '\0';
    return open(len > 0 ? dir : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
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

/* Closes what is open, and removes the temporary name unless it became the file. */
static void draft_fini(draft *d, bool remove)
{
    int error = errno;
    if (d->fd >= 0) {
        (void)close(d->fd);
        if (remove)
            (void)unlinkat(d->dir_fd, d->temporary, 0);
    }
    if (d->dir_fd >= 0)
        (void)close(d->dir_fd);
    errno = error;
}

/* A synced temporary file with this content beside path. 0, or -1 with errno and nothing left. */
static int draft_make(draft *d, const char *path, tcn_bytes content, unsigned mode)
{
    static atomic_uint counter;
    const char *slash = strrchr(path, '/');
    *d = (draft){.fd = -1, .name = slash == NULL ? path : slash + 1};
    d->dir_fd = open_dir_of(path);
    /* A name of fixed length: path's own may be as long as the file system allows. Left behind by
     * a crash it is in nobody's way, since a name that is taken is passed over. */
    for (int i = 0; d->dir_fd >= 0 && d->fd < 0 && i < TEMPORARY_TRIES; i++) {
        (void)snprintf(d->temporary, sizeof(d->temporary), ".tocsin-%jd-%u", (intmax_t)getpid(),
                       atomic_fetch_add(&counter, 1));
        d->fd = openat(d->dir_fd, d->temporary,
                       O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
        if (d->fd < 0 && errno != EEXIST)
            break;
    }
    if (d->fd >= 0 && write_all(d->fd, content) == 0 && fchmod(d->fd, (mode_t)mode) == 0 &&
        fsync(d->fd) == 0)
        return 0;
    draft_fini(d, true);
    return -1;
}

tcn_err tcn_file_write(const char *path, tcn_bytes content, unsigned mode, tcn_fault *fault)
{
    draft d;
    if (draft_make(&d, path, content, mode) != 0)
        return fail(fault, "write", path, errno);
    bool renamed = renameat(d.dir_fd, d.temporary, d.dir_fd, d.name) == 0;
    bool done = renamed && fsync(d.dir_fd) == 0;
    draft_fini(&d, !renamed);
    return done ? TCN_OK : fail(fault, "write", path, errno);
}

tcn_err tcn_file_create(const char *path, tcn_bytes content, unsigned mode, tcn_fault *fault)
{
    draft d;
    if (draft_make(&d, path, content, mode) != 0)
        return fail(fault, "write", path, errno);
    /* link, unlike rename, fails if the name is taken. */
    bool done = linkat(d.dir_fd, d.temporary, d.dir_fd, d.name, 0) == 0;
    int error = errno;
    (void)unlinkat(d.dir_fd, d.temporary, 0);
    if (done && fsync(d.dir_fd) != 0) {
        done = false;
        error = errno;
    }
    draft_fini(&d, false);
    if (!done && error == EEXIST)
        return tcn_fault_set(fault, TCN_CONFLICT, "%s exists and is not overwritten", path);
    return done ? TCN_OK : fail(fault, "write", path, error);
}

/* ---- directories and paths ---- */

static void sync_dir_of(const char *path)
{
    int fd = open_dir_of(path);
    if (fd >= 0) {
        (void)fsync(fd);
        (void)close(fd);
    }
}

static tcn_err make_one(const char *path, unsigned mode, bool exact, tcn_fault *fault)
{
    struct stat st;
    if (mkdir(path, (mode_t)mode) == 0) {
        if (exact && chmod(path, (mode_t)mode) != 0)
            return fail(fault, "make directory", path, errno);
        sync_dir_of(path);
        return TCN_OK;
    }
    int error = errno;
    /* It is there already, perhaps on a read-only file system or where we may not write. */
    if (stat(path, &st) != 0)
        return fail(fault, "make directory", path, error);
    if (!S_ISDIR(st.st_mode))
        return tcn_fault_set(fault, TCN_CONFLICT, "%s is there, but is not a directory", path);
    return TCN_OK;
}

tcn_err tcn_dir_make(const char *path, unsigned mode, tcn_fault *fault)
{
    char part[PATH_MAX];
    size_t len = strlen(path);
    while (len > 1 && path[len - 1] == '/')
        len--;
    if (len == 0)
        return tcn_fault_set(fault, TCN_INVALID, "a directory without a name cannot be made");
    if (len >= sizeof(part))
        return fail(fault, "make directory", path, ENAMETOOLONG);
    memcpy(part, path, len);
    part[len] = '\0';
    for (size_t i = 1; i < len; i++) {
        if (part[i] != '/' || part[i - 1] == '/')
            continue;
        part[i] = '\0';
        tcn_err err = make_one(part, 0777, false, fault);
        if (err != TCN_OK)
            return err;
        part[i] = '/';
    }
    return make_one(part, mode, true, fault);
}

tcn_err tcn_path_join(const char *a, const char *b, char *ret_path, size_t size)
{
    size_t a_len = strlen(a), b_len = strlen(b);
    bool slash = a_len > 0; /* "" is here, and not the root */
    while (a_len > 0 && a[a_len - 1] == '/')
        a_len--;
    if (a_len + slash + b_len >= size)
        return TCN_TOO_LARGE;
    memcpy(ret_path, a, a_len);
    if (slash)
        ret_path[a_len++] = '/';
    memcpy(ret_path + a_len, b, b_len + 1);
    return TCN_OK;
}
