/* SPDX-License-Identifier: Apache-2.0 */
/* body_disk.c - see body_disk.h. */
#include "body_disk.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define HEX_CHARS 32
#define NAME_SIZE (HEX_CHARS + sizeof ".part")
#define FILE_MODE 0600
#define READ_BYTES 65536

static void name_of(const tcn_id *id, bool is_whole, char ret_name[static NAME_SIZE])
{
    tcn_hex(id->b, sizeof id->b, ret_name);
    (void)snprintf(ret_name + HEX_CHARS, NAME_SIZE - HEX_CHARS, "%s", is_whole ? "" : ".part");
}

bool tcn_body_file_name_parse(const char *name, tcn_id *ret_id, bool *ret_is_whole)
{
    char hex[HEX_CHARS + 1];
    size_t len = strlen(name);
    bool is_whole = len == HEX_CHARS;
    if (!is_whole && (len != NAME_SIZE - 1 || strcmp(name + HEX_CHARS, ".part") != 0)) {
        return false;
    }
    memcpy(hex, name, HEX_CHARS);
    hex[HEX_CHARS] = '\0';
    tcn_id id;
    if (tcn_unhex(hex, id.b, sizeof id.b) != TCN_OK) {
        return false;
    }
    *ret_id = id;
    *ret_is_whole = is_whole;
    return true;
}

static tcn_err translated(int code)
{
    switch (code) {
    case ENOSPC:
    case EDQUOT:
    case EFBIG: return TCN_FULL;
    case ENOENT: return TCN_NOT_FOUND;
    case ENOMEM: return TCN_NO_MEMORY;
    default: return TCN_IO;
    }
}

tcn_err tcn_body_file_look(int dir_fd, const tcn_id *id, tcn_body_file *ret_file)
{
    tcn_body_file file = {.id = *id};
    for (int is_whole = 1; is_whole >= 0 && !file.is_there; is_whole--) {
        char name[NAME_SIZE];
        struct stat st;
        name_of(id, is_whole, name);
        if (fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0) {
            if (!S_ISREG(st.st_mode)) {
                return TCN_IO;
            }
            file.is_there = true;
            file.is_whole = is_whole;
            file.bytes = (uint64_t)st.st_size;
        } else if (errno != ENOENT) {
            return TCN_IO;
        }
    }
    file.is_hashed = file.bytes == 0;
    crypto_hash_sha256_init(&file.hash);
    *ret_file = file;
    return TCN_OK;
}

static int open_file(int dir_fd, const tcn_body_file *file, int flags)
{
    char name[NAME_SIZE];
    name_of(&file->id, file->is_whole, name);
    return openat(dir_fd, name, flags | O_CLOEXEC | O_NOFOLLOW, FILE_MODE);
}

static int write_all(int fd, tcn_bytes bytes, uint64_t offset)
{
    while (bytes.len > 0) {
        ssize_t wrote = pwrite(fd, bytes.ptr, bytes.len, (off_t)offset);
        if (wrote < 0 && errno == EINTR) {
            continue;
        }
        if (wrote <= 0) {
            return wrote == 0 ? EIO : errno;
        }
        bytes = tcn_bytes_of(bytes.ptr + wrote, bytes.len - (size_t)wrote);
        offset += (uint64_t)wrote;
    }
    return 0;
}

/* Takes away what a failed write left behind the old end. */
static void cut_back(int fd, tcn_body_file *file)
{
    struct stat st;
    if (ftruncate(fd, (off_t)file->bytes) != 0 && fstat(fd, &st) == 0) {
        file->is_hashed = file->is_hashed && file->bytes == (uint64_t)st.st_size;
        file->bytes = (uint64_t)st.st_size;
    }
}

tcn_err tcn_body_file_append(int dir_fd, tcn_body_file *file, tcn_bytes bytes)
{
    int fd = open_file(dir_fd, file, O_WRONLY | O_CREAT);
    if (fd < 0) {
        return translated(errno);
    }
    file->is_there = true;
    int code = write_all(fd, bytes, file->bytes);
    if (code != 0) {
        cut_back(fd, file);
    } else {
        file->bytes += bytes.len;
        crypto_hash_sha256_update(&file->hash, bytes.ptr, bytes.len);
    }
    if (close(fd) != 0 && code == 0) {
        code = errno; /* NFS and quotas tell late; finish would find out, too */
        file->is_hashed = false;
    }
    return code == 0 ? TCN_OK : translated(code);
}

/* The hash of what the file has now. */
static tcn_err hash_file(int fd, tcn_body_file *file)
{
    uint8_t part[READ_BYTES];
    ssize_t len;
    crypto_hash_sha256_init(&file->hash);
    for (off_t at = 0; (len = pread(fd, part, sizeof part, at)) != 0; at += len) {
        if (len < 0) {
            return translated(errno);
        }
        crypto_hash_sha256_update(&file->hash, part, (unsigned long long)len);
    }
    file->is_hashed = true;
    return TCN_OK;
}

static tcn_err check(int fd, tcn_body_file *file, uint64_t size, const tcn_hash *expected)
{
    struct stat st;
    if (fstat(fd, &st) != 0) {
        return TCN_IO;
    }
    if ((uint64_t)st.st_size != size || file->bytes != size) {
        return TCN_HASH_MISMATCH;
    }
    if (!file->is_hashed || file->is_whole) {
        tcn_err err = hash_file(fd, file);
        if (err != TCN_OK) {
            return err;
        }
    }
    tcn_hash hash;
    crypto_hash_sha256_final(&file->hash, hash.b);
    file->is_hashed = false; /* final used it up */
    return tcn_hash_equal(&hash, expected) ? TCN_OK : TCN_HASH_MISMATCH;
}

static tcn_err make_durable(int dir_fd, int fd, const tcn_body_file *file)
{
    char part[NAME_SIZE], whole[NAME_SIZE];
    name_of(&file->id, false, part);
    name_of(&file->id, true, whole);
    if (fsync(fd) != 0) {
        return translated(errno);
    }
    if (!file->is_whole && renameat(dir_fd, part, dir_fd, whole) != 0) {
        return translated(errno);
    }
    return fsync(dir_fd) == 0 ? TCN_OK : translated(errno);
}

tcn_err tcn_body_file_finish(int dir_fd, tcn_body_file *file, uint64_t size,
                             const tcn_hash *expected)
{
    const tcn_id id = file->id;
    int fd = open_file(dir_fd, file, O_RDWR | (size == 0 ? O_CREAT : 0));
    tcn_err err = fd < 0 ? translated(errno) : TCN_OK;
    if (err == TCN_OK) {
        err = check(fd, file, size, expected);
    }
    if (err == TCN_OK) {
        err = make_durable(dir_fd, fd, file);
    }
    if (fd >= 0 && close(fd) != 0 && err == TCN_OK) {
        err = translated(errno);
    }
    if (err == TCN_OK) {
        file->is_there = true;
        file->is_whole = true;
        return TCN_OK;
    }
    tcn_body_file_remove(dir_fd, &id);
    *file = (tcn_body_file){.id = id, .is_hashed = true};
    crypto_hash_sha256_init(&file->hash);
    return err == TCN_NOT_FOUND ? TCN_IO : err; /* our file was taken away */
}

tcn_err tcn_body_file_read(int dir_fd, const tcn_id *id, uint64_t offset, uint8_t *ret_bytes,
                           size_t cap, size_t *ret_len)
{
    const tcn_body_file file = {.id = *id, .is_whole = true};
    int fd = open_file(dir_fd, &file, O_RDONLY);
    if (fd < 0) {
        return translated(errno);
    }
    size_t len = 0;
    ssize_t got = 1;
    while (len < cap && got > 0) {
        got = pread(fd, ret_bytes + len, cap - len, (off_t)(offset + len));
        len += got > 0 ? (size_t)got : 0;
    }
    tcn_err err = got < 0 ? TCN_IO : TCN_OK;
    (void)close(fd);
    if (err == TCN_OK) {
        *ret_len = len;
    }
    return err;
}

void tcn_body_file_remove(int dir_fd, const tcn_id *id)
{
    char name[NAME_SIZE];
    for (int is_whole = 0; is_whole <= 1; is_whole++) {
        name_of(id, is_whole, name);
        (void)unlinkat(dir_fd, name, 0);
    }
}
