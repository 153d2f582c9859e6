/* SPDX-License-Identifier: Apache-2.0 */
#include "broken_disk.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

#define EXPORTED __attribute__((visibility("default")))

static atomic_uint calls[DISK_CALLS], first[DISK_CALLS], until[DISK_CALLS];
static atomic_int codes[DISK_CALLS], fill_code;
static atomic_bool is_filling;

void broken_disk_fail(disk_call call, unsigned nth, unsigned times, int code)
{
    unsigned now = atomic_load(&calls[call]);
    atomic_store(&codes[call], code);
    atomic_store(&first[call], now + nth);
    atomic_store(&until[call], now + nth + times);
}

void broken_disk_fill(int code)
{
    atomic_store(&fill_code, code);
    atomic_store(&is_filling, true);
}

void broken_disk_mend(void)
{
    for (int i = 0; i < DISK_CALLS; i++) {
        atomic_store(&until[i], 0);
    }
    atomic_store(&is_filling, false);
    atomic_store(&fill_code, 0);
}

unsigned broken_disk_calls(disk_call call)
{
    return atomic_load(&calls[call]);
}

static bool fails(disk_call call)
{
    unsigned number = atomic_fetch_add(&calls[call], 1) + 1;
    if (number >= atomic_load(&first[call]) && number < atomic_load(&until[call])) {
        errno = atomic_load(&codes[call]);
        return true;
    }
    return false;
}

/* A write that is still allowed: only half of it when the disk fills up right now. */
static bool fills_up(void)
{
    if (!atomic_exchange(&is_filling, false)) {
        return false;
    }
    broken_disk_fail(DISK_WRITE, 1, 1000000, atomic_load(&fill_code));
    return true;
}

EXPORTED ssize_t pwrite(int fd, const void *bytes, size_t len, off_t offset)
{
    if (fails(DISK_WRITE)) {
        return -1;
    }
    len = fills_up() ? len / 2 : len;
    return (ssize_t)syscall(SYS_pwrite64, fd, bytes, len, offset);
}

EXPORTED ssize_t writev(int fd, const struct iovec *parts, int count)
{
    if (fails(DISK_WRITE)) {
        return -1;
    }
    count = fills_up() ? count / 2 : count;
    return (ssize_t)syscall(SYS_writev, fd, parts, count);
}

EXPORTED int posix_fallocate(int fd, off_t offset, off_t len)
{
    int code = atomic_load(&fill_code);
    if (code != 0) {
        return code;
    }
    return syscall(SYS_fallocate, fd, 0, offset, len) == 0 ? 0 : errno;
}

EXPORTED int fsync(int fd)
{
    return fails(DISK_SYNC) ? -1 : (int)syscall(SYS_fsync, fd);
}

EXPORTED int fdatasync(int fd)
{
    return fails(DISK_SYNC) ? -1 : (int)syscall(SYS_fdatasync, fd);
}

EXPORTED int renameat(int from_dir, const char *from, int to_dir, const char *to)
{
    return fails(DISK_RENAME) ? -1 : (int)syscall(SYS_renameat, from_dir, from, to_dir, to);
}
