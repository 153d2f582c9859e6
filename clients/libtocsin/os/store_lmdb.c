/* SPDX-License-Identifier: Apache-2.0 */
/* store_lmdb.c - see store_lmdb.h. */
#include "store_lmdb.h"

#include <errno.h>
#include <lmdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ballast.h"
#include "libtocsin/file.h"
#include "libtocsin/limits.h"
#include "lmdb_seek.h"

#define KEY_BYTES TCN_LMDB_KEY_BYTES
#define MAX_READERS 16
#define PROBE_BYTES 1048576u
#define SPACE_EVERY_COMMITS 16
#define PAGE_WASTE 2u            /* pages are not filled to the brim */
#define DATABASE_OF_FREE_PAGES 0 /* LMDB's own: transaction number -> count and page numbers */

struct tcn_store_lmdb {
    MDB_env *env;
    MDB_dbi dbi;
    MDB_txn *txn;
    MDB_cursor *cursor; /* of txn, opened by the first seek */
    bool is_open;       /* begun and neither committed nor aborted, even if txn is gone */
    tcn_txn_kind kind;
    tcn_err poison;
    tcn_fault fault;
    char dir[TCN_BALLAST_PATH_SIZE], data_path[TCN_BALLAST_PATH_SIZE];
    tcn_ballast ballast;
    bool was_released;
    uint64_t put_bytes;   /* by the open transaction */
    uint64_t since_bytes; /* by those committed since free pages were counted */
    unsigned since_commits;
    uint64_t counted_map_free, counted_file_free;
    bool is_counted;
    /* Arguments may be views into pages that the put itself moves. */
    uint8_t key[KEY_BYTES], value[TCN_MAX_FRAME_BYTES];
};

static tcn_err translated(int code)
{
    switch (code) {
    case MDB_SUCCESS: return TCN_OK;
    case MDB_NOTFOUND: return TCN_NOT_FOUND;
    case MDB_MAP_FULL:
    case MDB_TXN_FULL:
    case ENOSPC:
    case EDQUOT:
    case EFBIG: return TCN_FULL;
    case ENOMEM: return TCN_NO_MEMORY;
    case EACCES:
    case EPERM:
    case EROFS: return TCN_PERMISSIONS;
    default: return TCN_IO;
    }
}

static const char *remedy(int code)
{
    switch (code) {
    case MDB_MAP_FULL: return "raise the store's size in the config, or let old alerts lapse";
    case MDB_TXN_FULL: return "too much in one transaction";
    case ENOSPC:
    case EDQUOT:
    case EFBIG: return "free some room on that disk";
    case EACCES:
    case EPERM:
    case EROFS: return "make it ours and writable";
    case ENOMEM: return "give the process more memory, or the store a smaller size";
    case MDB_CORRUPTED:
    case MDB_PAGE_NOTFOUND:
    case MDB_INVALID:
    case MDB_VERSION_MISMATCH: return "restore it from a backup";
    default: return "check the disk, then start again";
    }
}

/* The one place where LMDB's codes become ours; a real failure is remembered for the log. */
static tcn_err told(tcn_store_lmdb *s, const char *doing, int code)
{
    tcn_err err = translated(code);
    if (err != TCN_OK && err != TCN_NOT_FOUND) {
        err = err == TCN_PERMISSIONS && s->is_open ? TCN_IO : err;
        (void)tcn_fault_set(&s->fault, err, "%s: %s: %s: %s", s->data_path, doing,
                            mdb_strerror(code), remedy(code));
    }
    return err;
}

/* In a transaction a failure also poisons it. */
static tcn_err checked(tcn_store_lmdb *s, const char *doing, int code)
{
    tcn_err err = told(s, doing, code);
    if (err != TCN_OK && err != TCN_NOT_FOUND) {
        s->poison = err;
    }
    return err;
}

static MDB_val val_of(tcn_bytes bytes)
{
    return (MDB_val){bytes.len, (void *)(uintptr_t)bytes.ptr};
}

static tcn_bytes bytes_of(MDB_val val)
{
    return tcn_bytes_of(val.mv_data, val.mv_size);
}

static tcn_err store_begin(void *self, tcn_txn_kind kind)
{
    tcn_store_lmdb *s = self;
    TCN_REQUIRE(!s->is_open);
    tcn_err err = told(s, "begin",
                       mdb_txn_begin(s->env, NULL, kind == TCN_TXN_READ ? MDB_RDONLY : 0, &s->txn));
    if (err != TCN_OK) {
        s->txn = NULL;
        return err;
    }
    s->is_open = true;
    s->kind = kind;
    s->poison = TCN_OK;
    s->put_bytes = 0;
    return TCN_OK;
}

static tcn_err usable(const tcn_store_lmdb *s, tcn_bytes key)
{
    TCN_REQUIRE(s->is_open);
    if (s->poison != TCN_OK) {
        return s->poison;
    }
    return key.len >= 1 && key.len <= KEY_BYTES ? TCN_OK : TCN_INVALID;
}

static tcn_err store_get(void *self, tcn_bytes key, tcn_bytes *ret_value)
{
    tcn_store_lmdb *s = self;
    tcn_err err = usable(s, key);
    if (err != TCN_OK) {
        return err;
    }
    MDB_val k = val_of(key), v;
    err = checked(s, "get", mdb_get(s->txn, s->dbi, &k, &v));
    if (err == TCN_OK) {
        *ret_value = bytes_of(v);
    }
    return err;
}

static tcn_err store_put(void *self, tcn_bytes key, tcn_bytes value)
{
    tcn_store_lmdb *s = self;
    tcn_err err = usable(s, key);
    if (err != TCN_OK) {
        return err;
    }
    TCN_REQUIRE(s->kind == TCN_TXN_WRITE);
    if (value.len > sizeof s->value) {
        return TCN_TOO_LARGE;
    }
    memcpy(s->key, key.ptr, key.len);
    if (value.len) {
        memcpy(s->value, value.ptr, value.len);
    }
    MDB_val k = {key.len, s->key}, v = {value.len, s->value};
    s->put_bytes += key.len + value.len;
    return checked(s, "put", mdb_put(s->txn, s->dbi, &k, &v, 0));
}

static tcn_err store_del(void *self, tcn_bytes key)
{
    tcn_store_lmdb *s = self;
    tcn_err err = usable(s, key);
    if (err != TCN_OK) {
        return err;
    }
    TCN_REQUIRE(s->kind == TCN_TXN_WRITE);
    memcpy(s->key, key.ptr, key.len);
    MDB_val k = {key.len, s->key};
    err = checked(s, "delete", mdb_del(s->txn, s->dbi, &k, NULL));
    return err == TCN_NOT_FOUND ? TCN_OK : err;
}

static tcn_err store_seek(void *self, tcn_bytes prefix, tcn_bytes from, bool backward,
                          tcn_bytes *ret_key, tcn_bytes *ret_value)
{
    tcn_store_lmdb *s = self;
    MDB_val k, v;
    TCN_REQUIRE(s->is_open);
    if (s->poison != TCN_OK) {
        return s->poison;
    }
    if (!s->cursor) {
        tcn_err err = checked(s, "cursor", mdb_cursor_open(s->txn, s->dbi, &s->cursor));
        if (err != TCN_OK) {
            s->cursor = NULL;
            return err;
        }
    }
    int code = tcn_lmdb_seek(s->cursor, prefix, from, backward, &k, &v);
    tcn_err err = checked(s, "seek", code);
    if (err != TCN_OK) {
        return err;
    }
    *ret_key = bytes_of(k);
    *ret_value = bytes_of(v);
    return TCN_OK;
}

static void close_cursor(tcn_store_lmdb *s)
{
    if (s->cursor) {
        mdb_cursor_close(s->cursor);
        s->cursor = NULL;
    }
}

static void store_abort(void *self)
{
    tcn_store_lmdb *s = self;
    close_cursor(s);
    if (s->txn) {
        mdb_txn_abort(s->txn);
        s->txn = NULL;
    }
    s->is_open = false;
}

/* What a failed commit was about. LMDB says EIO for the short write with which a disk fills up, and
 * after ENOSPC on the page that makes a commit valid it refuses everything (MDB_PANIC). */
static int commit_cause(tcn_store_lmdb *s, int code)
{
    MDB_txn *txn;
    if (code == EIO && tcn_disk_is_full(s->dir, 4 * s->put_bytes + PROBE_BYTES)) {
        code = ENOSPC;
    }
    if (code == ENOSPC || code == EDQUOT) {
        s->was_released = tcn_ballast_release(&s->ballast) || s->was_released;
    }
    int after = mdb_txn_begin(s->env, NULL, MDB_RDONLY, &txn);
    if (after == MDB_SUCCESS) {
        mdb_txn_abort(txn);
    }
    return after == MDB_PANIC ? MDB_PANIC : code;
}

static tcn_err store_commit(void *self)
{
    tcn_store_lmdb *s = self;
    TCN_REQUIRE(s->is_open);
    if (s->poison != TCN_OK) {
        return s->poison;
    }
    if (s->kind == TCN_TXN_READ) {
        store_abort(s);
        return TCN_OK;
    }
    close_cursor(s);
    int code = mdb_txn_commit(s->txn);
    s->txn = NULL; /* LMDB has freed it, whatever came out */
    if (code != MDB_SUCCESS) {
        return checked(s, "commit", commit_cause(s, code));
    }
    s->is_open = false;
    s->since_bytes += s->put_bytes;
    s->since_commits++;
    return TCN_OK;
}

/* Pages that deleted records left and that LMDB uses again. */
static int count_free_pages(MDB_txn *txn, uint64_t *ret_pages)
{
    MDB_cursor *cursor;
    MDB_val k, v;
    uint64_t pages = 0;
    int code = mdb_cursor_open(txn, DATABASE_OF_FREE_PAGES, &cursor);
    if (code != MDB_SUCCESS) {
        return code;
    }
    while ((code = mdb_cursor_get(cursor, &k, &v, MDB_NEXT)) == MDB_SUCCESS) {
        size_t count = 0;
        if (v.mv_size >= sizeof count) {
            memcpy(&count, v.mv_data, sizeof count);
        }
        pages += count;
    }
    mdb_cursor_close(cursor);
    *ret_pages = pages;
    return code == MDB_NOTFOUND ? MDB_SUCCESS : code;
}

static void count_space(tcn_store_lmdb *s)
{
    MDB_txn *txn;
    MDB_stat pages;
    MDB_envinfo info;
    struct stat st;
    uint64_t free_pages = 0;
    if (mdb_txn_begin(s->env, NULL, MDB_RDONLY, &txn) != MDB_SUCCESS) {
        return;
    }
    int code = count_free_pages(txn, &free_pages);
    mdb_txn_abort(txn);
    if (code != MDB_SUCCESS || mdb_env_stat(s->env, &pages) != MDB_SUCCESS ||
        mdb_env_info(s->env, &info) != MDB_SUCCESS) {
        return; /* what was counted before stays */
    }
    uint64_t used = ((uint64_t)info.me_last_pgno + 1) * pages.ms_psize;
    uint64_t left = free_pages * pages.ms_psize;
    uint64_t file = stat(s->data_path, &st) == 0 ? (uint64_t)st.st_size : 0;
    s->counted_map_free = left + (info.me_mapsize > used ? info.me_mapsize - used : 0);
    s->counted_file_free = left + (file > used ? file - used : 0);
    s->since_bytes = 0;
    s->since_commits = 0;
    s->is_counted = true;
}

static uint64_t less(uint64_t from, uint64_t bytes)
{
    return from > bytes ? from - bytes : 0;
}

/* From what was last counted, less what was committed since; the disk's part is measured now. */
static uint64_t estimate(const tcn_store_lmdb *s)
{
    uint64_t taken = PAGE_WASTE * s->since_bytes;
    uint64_t map = less(s->counted_map_free, taken);
    /* Where the ballast was given up, its room is for emergencies and not to be counted on. */
    uint64_t ballast = s->ballast.is_there ? 0 : s->ballast.bytes;
    uint64_t disk = less(tcn_disk_free(s->data_path), ballast) + less(s->counted_file_free, taken);
    return disk < map ? disk : map;
}

static void store_space(void *self, uint64_t *ret_free_bytes, uint64_t *ret_total_bytes)
{
    tcn_store_lmdb *s = self;
    MDB_envinfo info = {0};
    uint64_t left = estimate(s);
    if (!s->is_counted || s->since_commits >= SPACE_EVERY_COMMITS ||
        (s->since_commits > 0 && left < PAGE_WASTE * s->since_bytes)) {
        count_space(s);
        left = estimate(s);
    }
    (void)mdb_env_info(s->env, &info);
    *ret_free_bytes = less(left, s->is_open ? PAGE_WASTE * s->put_bytes : 0);
    *ret_total_bytes = info.me_mapsize;
}

/* Makes the file as long as LMDB believes it is. Pages that a damaged file lost then read as
 * zeros, which LMDB refuses, where they would end the process with SIGBUS. */
static int lengthen(MDB_env *env)
{
    MDB_envinfo info;
    MDB_stat pages;
    struct stat st;
    int fd, code = mdb_env_info(env, &info);
    if (code == MDB_SUCCESS) {
        code = mdb_env_stat(env, &pages);
    }
    if (code == MDB_SUCCESS) {
        code = mdb_env_get_fd(env, &fd);
    }
    if (code != MDB_SUCCESS) {
        return code;
    }
    off_t needed = (off_t)(((uint64_t)info.me_last_pgno + 1) * pages.ms_psize);
    if (fstat(fd, &st) != 0 || (st.st_size < needed && ftruncate(fd, needed) != 0)) {
        return errno;
    }
    return MDB_SUCCESS;
}

static int open_database(tcn_store_lmdb *s)
{
    MDB_txn *txn;
    int code = mdb_txn_begin(s->env, NULL, 0, &txn);
    if (code != MDB_SUCCESS) {
        return code;
    }
    code = mdb_dbi_open(txn, NULL, 0, &s->dbi);
    if (code != MDB_SUCCESS) {
        mdb_txn_abort(txn);
        return code;
    }
    return mdb_txn_commit(txn);
}

static int open_env(tcn_store_lmdb *s, const tcn_store_lmdb_options *options)
{
    int dead;
    int code = mdb_env_create(&s->env);
    if (code != MDB_SUCCESS) {
        s->env = NULL;
        return code;
    }
    code = mdb_env_set_mapsize(s->env, (size_t)options->map_bytes);
    if (code == MDB_SUCCESS) {
        code = mdb_env_set_maxreaders(s->env, MAX_READERS);
    }
    if (code == MDB_SUCCESS) {
        /* No flag that would weaken a commit. NOTLS: space reads beside an open transaction. */
        code = mdb_env_open(s->env, options->dir, MDB_NOTLS, options->mode ? options->mode : 0600);
    }
    if (code == MDB_SUCCESS) {
        code = mdb_reader_check(s->env, &dead);
    }
    if (code == MDB_SUCCESS) {
        code = lengthen(s->env);
    }
    return code == MDB_SUCCESS ? open_database(s) : code;
}

tcn_err tcn_store_lmdb_open(const tcn_store_lmdb_options *options, tcn_store_lmdb **ret_store,
                            tcn_fault *fault)
{
    char ballast[TCN_BALLAST_PATH_SIZE];
    long page = sysconf(_SC_PAGESIZE);
    tcn_store_lmdb_options rounded = *options;
    rounded.map_bytes -= rounded.map_bytes % (uint64_t)page;
    if (rounded.map_bytes < 16 * (uint64_t)page || rounded.map_bytes > SIZE_MAX) {
        return tcn_fault_set(fault, TCN_INVALID, "a store of %llu bytes: choose another size",
                             (unsigned long long)options->map_bytes);
    }
    tcn_store_lmdb *s = calloc(1, sizeof *s);
    if (!s) {
        return tcn_fault_set(fault, TCN_NO_MEMORY, "out of memory");
    }
    tcn_err err = tcn_path_join(options->dir, "data.mdb", s->data_path, sizeof s->data_path);
    if (err == TCN_OK) {
        err = tcn_path_join(options->dir, "ballast", ballast, sizeof ballast);
        (void)snprintf(s->dir, sizeof s->dir, "%s", options->dir);
    }
    if (err != TCN_OK) {
        (void)tcn_fault_set(fault, err, "%.100s…: the path is too long", options->dir);
        goto out;
    }
    err = tcn_dir_make(options->dir, 0700, fault);
    if (err != TCN_OK) {
        goto out;
    }
    err = told(s, "open", open_env(s, &rounded));
    if (err != TCN_OK) {
        err = err == TCN_NOT_FOUND ? TCN_IO : err;
        if (fault) {
            *fault = s->fault;
        }
        goto out;
    }
    err = tcn_ballast_init(&s->ballast, ballast, options->ballast_bytes);
    if (err != TCN_OK) {
        goto out;
    }
    *ret_store = s;
    s = NULL;
out:
    tcn_store_lmdb_destroy(&s);
    return err;
}

void tcn_store_lmdb_destroy(tcn_store_lmdb **store)
{
    tcn_store_lmdb *s = *store;
    *store = NULL;
    if (s) {
        store_abort(s);
        if (s->env) {
            mdb_env_close(s->env);
        }
        free(s);
    }
}

static const tcn_store_ops ops = {store_begin, store_get,    store_put,   store_del,
                                  store_seek,  store_commit, store_abort, store_space};

tcn_store tcn_store_lmdb_port(tcn_store_lmdb *store)
{
    return (tcn_store){&ops, store};
}

void tcn_store_lmdb_tend(tcn_store_lmdb *store)
{
    int dead;
    TCN_REQUIRE(!store->is_open);
    (void)told(store, "reader check", mdb_reader_check(store->env, &dead));
    tcn_ballast_make(&store->ballast);
}

bool tcn_store_lmdb_has_ballast(const tcn_store_lmdb *store)
{
    return store->ballast.is_there;
}

bool tcn_store_lmdb_take_ballast_released(tcn_store_lmdb *store)
{
    bool was = store->was_released;
    store->was_released = false;
    return was;
}

const tcn_fault *tcn_store_lmdb_fault(const tcn_store_lmdb *store)
{
    return &store->fault;
}
