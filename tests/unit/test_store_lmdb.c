/* SPDX-License-Identifier: Apache-2.0 */
#include "libtocsin/os/store_lmdb.h"

#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "libtocsin/limits.h"
#include "libtocsin/os/ballast.h"
#include "tests/support/broken_disk.h"
#include "tests/support/mem_store.h"
#include "tests/support/temp_dir.h"

static uint8_t big[TCN_MAX_FRAME_BYTES + 1];

static tcn_bytes str(const char *text)
{
    return tcn_bytes_str(text);
}

static tcn_store_lmdb *open_with(const temp_dir *dir, uint64_t map_bytes, uint64_t ballast_bytes)
{
    const tcn_store_lmdb_options options = {dir->path, map_bytes, ballast_bytes, 0};
    tcn_store_lmdb *store = NULL;
    tcn_fault fault = {0};
    if (tcn_store_lmdb_open(&options, &store, &fault) != TCN_OK) {
        fail_msg("%s", fault.text);
    }
    return store;
}

static void begin(const tcn_store *s)
{
    assert_int_equal(s->ops->begin(s->self, TCN_TXN_WRITE), TCN_OK);
}

static void put(const tcn_store *s, const char *key, const char *value)
{
    assert_int_equal(s->ops->put(s->self, str(key), str(value)), TCN_OK);
}

static void assert_entry(const tcn_store *s, const char *key, const char *value)
{
    tcn_bytes found;
    if (!value) {
        assert_int_equal(s->ops->get(s->self, str(key), &found), TCN_NOT_FOUND);
        return;
    }
    assert_int_equal(s->ops->get(s->self, str(key), &found), TCN_OK);
    assert_true(tcn_bytes_equal(found, str(value)));
}

/* What one read transaction finds. */
static void assert_durable(const tcn_store *s, const char *key, const char *value)
{
    assert_int_equal(s->ops->begin(s->self, TCN_TXN_READ), TCN_OK);
    assert_entry(s, key, value);
    assert_int_equal(s->ops->commit(s->self), TCN_OK);
}

static void test_commit_abort_reopen(void **state)
{
    tcn_store_lmdb *store = open_with(*state, 1 << 20, 0);
    tcn_store s = tcn_store_lmdb_port(store);
    begin(&s);
    put(&s, "a", "1");
    put(&s, "b", "2");
    put(&s, "e", "");
    assert_int_equal(s.ops->commit(s.self), TCN_OK);
    begin(&s);
    put(&s, "a", "3");
    assert_int_equal(s.ops->del(s.self, str("b")), TCN_OK);
    assert_int_equal(s.ops->del(s.self, str("none")), TCN_OK);
    assert_entry(&s, "a", "3");
    assert_entry(&s, "b", NULL);
    s.ops->abort(s.self);
    s.ops->abort(s.self); /* fine without begin */
    assert_durable(&s, "a", "1");
    begin(&s);
    put(&s, "c", "lost");
    tcn_store_lmdb_destroy(&store); /* aborts */
    assert_null(store);
    tcn_store_lmdb_destroy(&store);
    store = open_with(*state, 1 << 20, 0);
    s = tcn_store_lmdb_port(store);
    assert_durable(&s, "a", "1");
    assert_durable(&s, "b", "2");
    assert_durable(&s, "e", "");
    assert_durable(&s, "c", NULL);
    tcn_store_lmdb_destroy(&store);
}

static void test_files_are_private(void **state)
{
    const temp_dir *above = *state;
    temp_dir dir = {{0}};
    struct stat st;
    int len = snprintf(dir.path, sizeof dir.path, "%s/state", TEMP_PATH(above, "."));
    assert_in_range(len, 1, sizeof dir.path - 1);
    mode_t old = umask(0);
    tcn_store_lmdb *store = open_with(&dir, 1 << 20, 65536);
    (void)umask(old);
    assert_int_equal(stat(dir.path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0700);
    static const char *const names[] = {"data.mdb", "lock.mdb", "ballast"};
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(stat(TEMP_PATH(&dir, names[i]), &st), 0);
        assert_int_equal(st.st_mode & 0777, 0600);
    }
    tcn_store_lmdb_destroy(&store);
}

static void test_sizes(void **state)
{
    tcn_store_lmdb *store = open_with(*state, 1 << 20, 0);
    tcn_store s = tcn_store_lmdb_port(store);
    tcn_bytes found;
    memset(big, 'x', sizeof big);
    begin(&s);
    assert_int_equal(s.ops->put(s.self, str(""), str("v")), TCN_INVALID);
    assert_int_equal(s.ops->get(s.self, str(""), &found), TCN_INVALID);
    assert_int_equal(s.ops->del(s.self, tcn_bytes_of(big, 512)), TCN_INVALID);
    assert_int_equal(s.ops->put(s.self, tcn_bytes_of(big, 512), str("v")), TCN_INVALID);
    assert_int_equal(s.ops->put(s.self, tcn_bytes_of(big, 511), str("v")), TCN_OK);
    assert_int_equal(s.ops->put(s.self, str("k"), tcn_bytes_of(big, sizeof big)), TCN_TOO_LARGE);
    assert_int_equal(s.ops->put(s.self, str("k"), tcn_bytes_of(big, sizeof big - 1)), TCN_OK);
    /* A view may be the next put's argument. */
    assert_int_equal(s.ops->get(s.self, str("k"), &found), TCN_OK);
    assert_int_equal(s.ops->put(s.self, str("k2"), found), TCN_OK);
    assert_int_equal(s.ops->get(s.self, str("k2"), &found), TCN_OK);
    assert_int_equal(s.ops->put(s.self, str("k2"), tcn_bytes_of(found.ptr + 1, 65000)), TCN_OK);
    assert_int_equal(s.ops->commit(s.self), TCN_OK); /* a refused argument does not poison */
    begin(&s);
    assert_int_equal(s.ops->get(s.self, str("k2"), &found), TCN_OK);
    assert_true(tcn_bytes_equal(found, tcn_bytes_of(big, 65000)));
    s.ops->abort(s.self);
    tcn_store_lmdb_destroy(&store);
}

static const char *const seek_keys[] = {"a", "b1", "b2", "b22", "b3", "c", "\xff", "\xff\xff"};
static const char *const seek_from[] = {"",   "a",  "a1", "b",    "b1",       "b2",          "b21",
                                        "b3", "b4", "z",  "\xff", "\xff\xff", "\xff\xff\xff"};
static const char *const seek_prefix[] = {"", "a", "b", "b2", "b22", "d", "\xff", "\xff\xff\xff"};

static void assert_same_seek(const tcn_store *s, const tcn_store *model, tcn_bytes prefix,
                             tcn_bytes from, bool backward)
{
    tcn_bytes key = {0}, value = {0}, model_key = {0}, model_value = {0};
    tcn_err err = s->ops->seek(s->self, prefix, from, backward, &key, &value);
    tcn_err expected =
        model->ops->seek(model->self, prefix, from, backward, &model_key, &model_value);
    assert_int_equal(err, expected);
    assert_true(tcn_bytes_equal(key, model_key));
    assert_true(tcn_bytes_equal(value, model_value));
}

/* Every prefix from every place, both ways, finds what the store in memory finds. */
static void test_seek_as_model(void **state)
{
    tcn_store_lmdb *store = open_with(*state, 1 << 20, 0);
    mem_store *model = mem_store_new();
    tcn_store s = tcn_store_lmdb_port(store), m = mem_store_port(model);
    begin(&s);
    begin(&m);
    assert_same_seek(&s, &m, str(""), str(""), false);
    assert_same_seek(&s, &m, str(""), str("z"), true);
    for (size_t i = 0; i < sizeof seek_keys / sizeof *seek_keys; i++) {
        put(&s, seek_keys[i], seek_keys[i]);
        put(&m, seek_keys[i], seek_keys[i]);
    }
    for (size_t p = 0; p < sizeof seek_prefix / sizeof *seek_prefix; p++) {
        for (size_t f = 0; f < sizeof seek_from / sizeof *seek_from; f++) {
            assert_same_seek(&s, &m, str(seek_prefix[p]), str(seek_from[f]), false);
            assert_same_seek(&s, &m, str(seek_prefix[p]), str(seek_from[f]), true);
        }
    }
    /* The longest key, and a place just behind it: "call again with the key plus a zero byte". */
    memset(big, 'm', 511);
    big[511] = 0;
    assert_int_equal(s.ops->put(s.self, tcn_bytes_of(big, 511), str("long")), TCN_OK);
    assert_int_equal(m.ops->put(m.self, tcn_bytes_of(big, 511), str("long")), TCN_OK);
    for (size_t len = 510; len <= 512; len++) {
        assert_same_seek(&s, &m, str("m"), tcn_bytes_of(big, len), false);
        assert_same_seek(&s, &m, str("m"), tcn_bytes_of(big, len), true);
        assert_same_seek(&s, &m, str(""), tcn_bytes_of(big, len), false);
        assert_same_seek(&s, &m, tcn_bytes_of(big, len), str("a"), false);
    }
    s.ops->abort(s.self);
    m.ops->abort(m.self);
    mem_store_destroy(&model);
    tcn_store_lmdb_destroy(&store);
}

/* The map fills up within a transaction: nothing of it stays, and its inputs fit one at a time
 * until there is truly no room. What is deleted makes room again. */
static void test_map_full_then_singly(void **state)
{
    tcn_store_lmdb *store = open_with(*state, 1 << 20, 0);
    tcn_store s = tcn_store_lmdb_port(store);
    tcn_err err = TCN_OK;
    char key[8];
    unsigned in_batch = 0, singly = 0;
    tcn_bytes found;
    begin(&s);
    for (; err == TCN_OK; in_batch++) {
        (void)snprintf(key, sizeof key, "%u", in_batch);
        err = s.ops->put(s.self, str(key), tcn_bytes_of(big, 40000));
    }
    assert_int_equal(err, TCN_FULL);
    assert_true(in_batch > 10);
    assert_int_equal(s.ops->put(s.self, str("x"), str("small")), TCN_FULL); /* poisoned */
    assert_int_equal(s.ops->get(s.self, str("0"), &found), TCN_FULL);
    assert_int_equal(s.ops->commit(s.self), TCN_FULL);
    s.ops->abort(s.self);
    assert_int_equal(tcn_store_lmdb_fault(store)->err, TCN_FULL);
    assert_non_null(strstr(tcn_store_lmdb_fault(store)->text, "data.mdb: put: "));
    assert_durable(&s, "0", NULL);
    for (err = TCN_OK; err == TCN_OK; singly++) {
        (void)snprintf(key, sizeof key, "%u", singly);
        begin(&s);
        err = s.ops->put(s.self, str(key), tcn_bytes_of(big, 40000));
        if (err == TCN_OK) {
            err = s.ops->commit(s.self);
        }
        s.ops->abort(s.self);
    }
    assert_int_equal(err, TCN_FULL);
    assert_true(singly > 10);
    assert_false(tcn_store_lmdb_take_ballast_released(store)); /* a full map is no full disk */
    begin(&s);
    assert_int_equal(s.ops->del(s.self, str("0")), TCN_OK);
    assert_int_equal(s.ops->del(s.self, str("1")), TCN_OK);
    assert_int_equal(s.ops->commit(s.self), TCN_OK);
    for (unsigned i = 0; i < 2; i++) { /* pages are free again for the transaction after the next */
        begin(&s);
        put(&s, "room", i ? "yes" : "made");
        assert_int_equal(s.ops->commit(s.self), TCN_OK);
    }
    begin(&s);
    assert_int_equal(s.ops->put(s.self, str("again"), tcn_bytes_of(big, 40000)), TCN_OK);
    assert_int_equal(s.ops->commit(s.self), TCN_OK);
    tcn_store_lmdb_destroy(&store);
}

static void test_space(void **state)
{
    tcn_store_lmdb *store = open_with(*state, 4 << 20, 0);
    tcn_store s = tcn_store_lmdb_port(store);
    uint64_t at_first, left, total;
    char key[8];
    s.ops->space(s.self, &at_first, &total);
    assert_int_equal(total, 4 << 20);
    assert_in_range(at_first, (4 << 20) - 65536, 4 << 20);
    begin(&s);
    for (unsigned i = 0; i < 20; i++) {
        (void)snprintf(key, sizeof key, "%u", i);
        assert_int_equal(s.ops->put(s.self, str(key), tcn_bytes_of(big, 60000)), TCN_OK);
    }
    s.ops->space(s.self, &left, &total); /* what the open transaction put counts at once */
    assert_in_range(left, at_first - 2 * 20 * 60100, at_first - 20 * 60000);
    assert_int_equal(s.ops->commit(s.self), TCN_OK);
    s.ops->space(s.self, &left, &total);
    assert_in_range(left, at_first - 2 * 20 * 60100, at_first - 20 * 60000);
    for (unsigned i = 0; i < 20; i++) {
        (void)snprintf(key, sizeof key, "%u", i);
        begin(&s);
        assert_int_equal(s.ops->del(s.self, str(key)), TCN_OK);
        assert_int_equal(s.ops->commit(s.self), TCN_OK);
    }
    s.ops->space(s.self, &left, &total); /* counted anew: what was deleted is free */
    assert_in_range(left, at_first - 300000, at_first);
    tcn_store_lmdb_destroy(&store);
}

/* The child dies by SIGKILL between put and commit, and after a commit. */
static void test_killed(void **state)
{
    const temp_dir *dir = *state;
    int pipe_fd[2];
    char byte;
    assert_int_equal(pipe(pipe_fd), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        tcn_store_lmdb *store = open_with(dir, 1 << 20, 0);
        tcn_store s = tcn_store_lmdb_port(store);
        begin(&s);
        put(&s, "committed", "yes");
        put(&s, "changed", "old");
        assert_int_equal(s.ops->commit(s.self), TCN_OK);
        begin(&s);
        put(&s, "uncommitted", "no");
        put(&s, "changed", "new");
        (void)!write(pipe_fd[1], "x", 1);
        for (;;) {
            (void)pause();
        }
    }
    assert_int_equal(read(pipe_fd[0], &byte, 1), 1);
    assert_int_equal(kill(child, SIGKILL), 0);
    assert_int_equal(waitpid(child, NULL, 0), child);
    (void)close(pipe_fd[0]);
    (void)close(pipe_fd[1]);
    tcn_store_lmdb *store = open_with(dir, 1 << 20, 0);
    tcn_store s = tcn_store_lmdb_port(store);
    assert_durable(&s, "committed", "yes");
    assert_durable(&s, "changed", "old");
    assert_durable(&s, "uncommitted", NULL);
    begin(&s); /* the writer's lock went with the child */
    put(&s, "after", "fine");
    assert_int_equal(s.ops->commit(s.self), TCN_OK);
    tcn_store_lmdb_destroy(&store);
}

static void test_full_disk_releases_ballast(void **state)
{
    const temp_dir *dir = *state;
    struct stat st;
    tcn_store_lmdb *store = open_with(dir, 4 << 20, 262144);
    tcn_store s = tcn_store_lmdb_port(store);
    assert_true(tcn_store_lmdb_has_ballast(store));
    assert_int_equal(stat(TEMP_PATH(dir, "ballast"), &st), 0);
    assert_true(st.st_blocks * 512 >= 262144);
    begin(&s);
    put(&s, "before", "1");
    assert_int_equal(s.ops->commit(s.self), TCN_OK);

    broken_disk_fail(DISK_WRITE, 1, 1, ENOSPC); /* LMDB's first write: its pages */
    begin(&s);
    put(&s, "a", "1");
    assert_int_equal(s.ops->commit(s.self), TCN_FULL);
    s.ops->abort(s.self);
    assert_int_equal(tcn_store_lmdb_fault(store)->err, TCN_FULL);
    assert_false(tcn_store_lmdb_has_ballast(store));
    assert_true(tcn_store_lmdb_take_ballast_released(store));
    assert_false(tcn_store_lmdb_take_ballast_released(store));
    assert_int_equal(stat(TEMP_PATH(dir, "ballast"), &st), 0);
    assert_int_equal(st.st_blocks, 0);

    /* With the room that it gave, the same transaction goes through. */
    begin(&s);
    put(&s, "a", "1");
    assert_int_equal(s.ops->commit(s.self), TCN_OK);
    assert_durable(&s, "before", "1");
    assert_durable(&s, "a", "1");
    tcn_store_lmdb_tend(store);
    assert_true(tcn_store_lmdb_has_ballast(store));
    tcn_store_lmdb_destroy(&store);
}

/* Half of a commit's pages are written when the disk is full: the old state stays, in this process
 * and in the next. */
static void test_disk_fills_within_commit(void **state)
{
    const temp_dir *dir = *state;
    char key[8];
    tcn_store_lmdb *store = open_with(dir, 4 << 20, 65536);
    tcn_store s = tcn_store_lmdb_port(store);
    begin(&s);
    for (unsigned i = 0; i < 200; i++) {
        (void)snprintf(key, sizeof key, "%u", i);
        put(&s, key, "old");
    }
    assert_int_equal(s.ops->commit(s.self), TCN_OK);
    broken_disk_fill(EDQUOT);
    begin(&s);
    for (unsigned i = 0; i < 200; i++) {
        (void)snprintf(key, sizeof key, "%u", i);
        assert_int_equal(s.ops->put(s.self, str(key), tcn_bytes_of(big, 3000)), TCN_OK);
    }
    assert_int_equal(s.ops->commit(s.self), TCN_FULL);
    s.ops->abort(s.self);
    assert_true(tcn_store_lmdb_take_ballast_released(store));
    broken_disk_mend();
    assert_durable(&s, "0", "old");
    assert_durable(&s, "199", "old");
    begin(&s);
    put(&s, "0", "new");
    assert_int_equal(s.ops->commit(s.self), TCN_OK);
    tcn_store_lmdb_destroy(&store);
    store = open_with(dir, 4 << 20, 0);
    s = tcn_store_lmdb_port(store);
    assert_durable(&s, "0", "new");
    assert_durable(&s, "199", "old");
    tcn_store_lmdb_destroy(&store);
}

/* The last write of a commit is the page that makes it valid. LMDB gives up if that fails, and so
 * do we, but with the room that the next start needs. */
static void test_full_disk_at_the_last_page(void **state)
{
    const temp_dir *dir = *state;
    tcn_store_lmdb *store = open_with(dir, 4 << 20, 65536);
    tcn_store s = tcn_store_lmdb_port(store);
    unsigned before = broken_disk_calls(DISK_WRITE);
    begin(&s);
    put(&s, "a", "1");
    assert_int_equal(s.ops->commit(s.self), TCN_OK);
    unsigned writes = broken_disk_calls(DISK_WRITE) - before;
    broken_disk_fail(DISK_WRITE, writes, 1, ENOSPC);
    begin(&s);
    put(&s, "a", "2");
    assert_int_equal(s.ops->commit(s.self), TCN_IO);
    s.ops->abort(s.self);
    assert_true(tcn_store_lmdb_take_ballast_released(store));
    assert_int_equal(s.ops->begin(s.self, TCN_TXN_WRITE), TCN_IO);
    tcn_store_lmdb_destroy(&store);
    store = open_with(dir, 4 << 20, 65536);
    s = tcn_store_lmdb_port(store);
    assert_durable(&s, "a", "1");
    tcn_store_lmdb_destroy(&store);
}

static void test_io_errors(void **state)
{
    const temp_dir *dir = *state;
    static const disk_call calls[] = {DISK_WRITE, DISK_SYNC};
    for (size_t i = 0; i < 2; i++) {
        tcn_store_lmdb *store = open_with(dir, 4 << 20, 65536);
        tcn_store s = tcn_store_lmdb_port(store);
        begin(&s);
        put(&s, "kept", "yes");
        assert_int_equal(s.ops->commit(s.self), TCN_OK);
        broken_disk_fail(calls[i], 1, 1, EIO);
        begin(&s);
        put(&s, "a", "1");
        assert_int_equal(s.ops->commit(s.self), TCN_IO);
        s.ops->abort(s.self);
        assert_int_equal(tcn_store_lmdb_fault(store)->err, TCN_IO);
        assert_true(tcn_store_lmdb_has_ballast(store));
        tcn_store_lmdb_destroy(&store);
        store = open_with(dir, 4 << 20, 65536);
        s = tcn_store_lmdb_port(store);
        assert_durable(&s, "kept", "yes");
        assert_durable(&s, "a", NULL);
        tcn_store_lmdb_destroy(&store);
    }
}

static void write_file(const char *path, const void *bytes, size_t len)
{
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, len, file), len);
    assert_int_equal(fclose(file), 0);
}

static void test_refuses_what_it_cannot_open(void **state)
{
    const temp_dir *dir = *state;
    tcn_store_lmdb_options options = {dir->path, 1 << 20, 0, 0};
    tcn_store_lmdb *store = NULL;
    tcn_fault fault;
    memset(big, 'x', sizeof big);
    write_file(TEMP_PATH(dir, "data.mdb"), big, 20000);
    assert_int_equal(tcn_store_lmdb_open(&options, &store, &fault), TCN_IO);
    assert_non_null(strstr(fault.text, "restore it from a backup"));
    assert_null(store);
    options.map_bytes = 4096;
    assert_int_equal(tcn_store_lmdb_open(&options, &store, &fault), TCN_INVALID);
    options.map_bytes = 1 << 20;
    options.dir = TEMP_PATH(dir, "data.mdb");
    assert_int_equal(tcn_store_lmdb_open(&options, &store, &fault), TCN_CONFLICT);
    char path[TCN_BALLAST_PATH_SIZE];
    memset(path, 'p', sizeof path - 1);
    path[sizeof path - 1] = '\0';
    options.dir = path;
    assert_int_equal(tcn_store_lmdb_open(&options, &store, NULL), TCN_TOO_LARGE);
}

/* A copy that lost its second half answers with an error, not with SIGBUS. */
static void test_truncated_file(void **state)
{
    const temp_dir *dir = *state;
    char key[8];
    struct stat st;
    unsigned refused = 0;
    memset(big, 'x', sizeof big);
    tcn_store_lmdb *store = open_with(dir, 8 << 20, 0);
    tcn_store s = tcn_store_lmdb_port(store);
    begin(&s);
    for (unsigned i = 0; i < 1000; i++) {
        (void)snprintf(key, sizeof key, "%u", i);
        assert_int_equal(s.ops->put(s.self, str(key), tcn_bytes_of(big, 1500)), TCN_OK);
    }
    assert_int_equal(s.ops->commit(s.self), TCN_OK);
    tcn_store_lmdb_destroy(&store);
    assert_int_equal(stat(TEMP_PATH(dir, "data.mdb"), &st), 0);
    assert_int_equal(truncate(TEMP_PATH(dir, "data.mdb"), st.st_size / 2), 0);
    const tcn_store_lmdb_options options = {dir->path, 8 << 20, 0, 0};
    tcn_err err = tcn_store_lmdb_open(&options, &store, NULL);
    if (err == TCN_OK) {
        s = tcn_store_lmdb_port(store);
        for (unsigned i = 0; i < 1000; i++) {
            tcn_bytes found;
            (void)snprintf(key, sizeof key, "%u", i);
            assert_int_equal(s.ops->begin(s.self, TCN_TXN_READ), TCN_OK);
            refused += s.ops->get(s.self, str(key), &found) == TCN_IO;
            s.ops->abort(s.self);
        }
        assert_true(refused > 0);
        tcn_store_lmdb_destroy(&store);
    } else {
        assert_int_equal(err, TCN_IO);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEMP_DIR_TEST(test_commit_abort_reopen),
        TEMP_DIR_TEST(test_files_are_private),
        TEMP_DIR_TEST(test_sizes),
        TEMP_DIR_TEST(test_seek_as_model),
        TEMP_DIR_TEST(test_map_full_then_singly),
        TEMP_DIR_TEST(test_space),
        TEMP_DIR_TEST(test_killed),
        TEMP_DIR_TEST(test_full_disk_releases_ballast),
        TEMP_DIR_TEST(test_disk_fills_within_commit),
        TEMP_DIR_TEST(test_full_disk_at_the_last_page),
        TEMP_DIR_TEST(test_io_errors),
        TEMP_DIR_TEST(test_refuses_what_it_cannot_open),
        TEMP_DIR_TEST(test_truncated_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
