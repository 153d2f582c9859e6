/* SPDX-License-Identifier: Apache-2.0 */
/* ballast.c - see ballast.h. */
#include "ballast.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#define ROOM_FACTOR 4u

uint64_t tcn_disk_free(const char *path)
{
    struct statvfs vfs;
    if (statvfs(path, &vfs) != 0) {
        return 0;
    }
    return (uint64_t)vfs.f_bavail * vfs.f_frsize;
}

bool tcn_disk_is_full(const char *folder, uint64_t bytes)
{
    char path[TCN_BALLAST_PATH_SIZE];
    int len = snprintf(path, sizeof path, "%s/probe", folder);
    if (len < 0 || (size_t)len >= sizeof path) {
        return false;
    }
    int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    int code = fd >= 0 ? posix_fallocate(fd, 0, (off_t)bytes) : errno;
    if (fd >= 0) {
        (void)unlink(path);
        (void)close(fd);
    }
    return code == ENOSPC || code == EDQUOT;
}

static uint64_t free_around(const char *path)
{
    char folder[TCN_BALLAST_PATH_SIZE];
    (void)snprintf(folder, sizeof folder, "%s", path);
    char *slash = strrchr(folder, '/');
    if (!slash) {
        return tcn_disk_free(".");
    }
    slash[slash == folder] = '\0';
    return tcn_disk_free(folder);
}

/* Blocks count, not the size: a sparse file would hold no room. */
static bool is_complete(const char *path, uint64_t bytes)
{
    struct stat st;
    return stat(path, &st) == 0 && (uint64_t)st.st_size >= bytes &&
           (uint64_t)st.st_blocks * 512 >= bytes;
}

tcn_err tcn_ballast_init(tcn_ballast *ballast, const char *path, uint64_t bytes)
{
    *ballast = (tcn_ballast){.bytes = bytes};
    if (strlen(path) >= sizeof ballast->path) {
        return TCN_TOO_LARGE;
    }
    (void)snprintf(ballast->path, sizeof ballast->path, "%s", path);
    tcn_ballast_make(ballast);
    return TCN_OK;
}

void tcn_ballast_make(tcn_ballast *ballast)
{
    if (ballast->bytes == 0 || ballast->is_there) {
        return;
    }
    if (is_complete(ballast->path, ballast->bytes)) {
        ballast->is_there = true;
        return;
    }
    if (free_around(ballast->path) / ROOM_FACTOR < ballast->bytes) {
        return;
    }
    int fd = open(ballast->path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0) {
        return;
    }
    ballast->is_there = posix_fallocate(fd, 0, (off_t)ballast->bytes) == 0;
    if (!ballast->is_there && ftruncate(fd, 0) != 0) {
        (void)unlink(ballast->path); /* half a ballast helps nobody */
    }
    (void)close(fd);
}

bool tcn_ballast_release(tcn_ballast *ballast)
{
    if (!ballast->is_there) {
        return false;
    }
    ballast->is_there = false;
    /* Some file systems need room to unlink, others to truncate. */
    return truncate(ballast->path, 0) == 0 || unlink(ballast->path) == 0;
}
