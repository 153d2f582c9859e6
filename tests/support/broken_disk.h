/* SPDX-License-Identifier: Apache-2.0 */
/* broken_disk.h - makes the disk fail where real ones do.
 * A test program that uses this has its own pwrite, writev, fsync, fdatasync, renameat and
 * posix_fallocate, which libraries that it loads (LMDB) call, too; they do the system call unless
 * told to fail. Any thread. */
#ifndef TOCSIN_TEST_BROKEN_DISK_H
#define TOCSIN_TEST_BROKEN_DISK_H

typedef enum { DISK_WRITE, DISK_SYNC, DISK_RENAME, DISK_CALLS } disk_call;

/* The nth such call from now (1 is the next) and the times-1 after it fail with code. */
void broken_disk_fail(disk_call call, unsigned nth, unsigned times, int code);
/* A disk that fills up: the next write is short, those after it fail with code (ENOSPC, EDQUOT),
 * and so does posix_fallocate. Until broken_disk_mend. */
void broken_disk_fill(int code);
void broken_disk_mend(void);
/* Such calls since the start, also those that failed. */
unsigned broken_disk_calls(disk_call call);

#endif
