/* SPDX-License-Identifier: Apache-2.0 */
#include "libtocsin/os/body_files.h"

#include <dirent.h>
#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "libtocsin/limits.h"
#include "tests/support/broken_disk.h"
#include "tests/support/temp_dir.h"

#define PATIENCE_MS 30000
#define ONE_NAME "01000000000000000000000000000000"

static const tcn_id one = {{1}}, two = {{2}};

static tcn_bytes str(const char *text)
{
    return tcn_bytes_str(text);
}

static tcn_body_files *open_files(const temp_dir *dir, uint64_t queue_bytes)
{
    tcn_body_files *files = NULL;
    tcn_fault fault = {0};
    if (tcn_body_files_open(dir->path, queue_bytes, &files, &fault) != TCN_OK) {
        fail_msg("%s", fault.text);
    }
    return files;
}

/* Waits for the event, then takes. */
static tcn_blob_done take(tcn_body_files *files)
{
    tcn_blob_done done = {.err = TCN_TIMEOUT};
    struct pollfd wait = {tcn_body_files_fd(files), POLLIN, 0};
    assert_int_equal(poll(&wait, 1, PATIENCE_MS), 1);
    assert_true(tcn_body_files_take(files, &done));
    return done;
}

static void assert_take(tcn_body_files *files, const tcn_id *id, tcn_blob_step step, tcn_err err,
                        uint64_t bytes)
{
    tcn_blob_done done = take(files);
    assert_true(tcn_id_equal(&done.id, id));
    assert_int_equal(done.step, step);
    assert_int_equal(done.err, err);
    assert_int_equal(done.bytes, bytes);
}

static void assert_none_waits(tcn_body_files *files)
{
    tcn_blob_done done;
    struct pollfd wait = {tcn_body_files_fd(files), POLLIN, 0};
    assert_false(tcn_body_files_take(files, &done));
    assert_int_equal(poll(&wait, 1, 0), 0);
}

static void append(const tcn_blob *b, const tcn_id *id, uint64_t offset, const char *text)
{
    assert_int_equal(b->append(b->self, id, offset, str(text)), TCN_OK);
}

static void finish(const tcn_blob *b, const tcn_id *id, const char *whole)
{
    tcn_hash hash = tcn_hash_of(str(whole));
    assert_int_equal(b->finish(b->self, id, strlen(whole), &hash), TCN_OK);
}

static void assert_blob(const tcn_blob *b, const tcn_id *id, tcn_blob_state expected, uint64_t size)
{
    uint64_t bytes = 99;
    assert_int_equal(b->state(b->self, id, &bytes), expected);
    assert_int_equal(bytes, size);
}

static void assert_content(const tcn_blob *b, const tcn_id *id, const char *whole)
{
    uint8_t read[64];
    size_t len;
    assert_int_equal(b->read(b->self, id, 0, read, sizeof read, &len), TCN_OK);
    assert_true(tcn_bytes_equal(tcn_bytes_of(read, len), str(whole)));
}

static bool is_file(const temp_dir *dir, const char *name, mode_t mode)
{
    struct stat st;
    return stat(TEMP_PATH(dir, name), &st) == 0 && (st.st_mode & 0777) == mode;
}

static void test_whole(void **state)
{
    const temp_dir *dir = *state;
    tcn_body_files *files = open_files(dir, TCN_BODY_QUEUE_BYTES);
    tcn_blob b = tcn_body_files_port(files);
    tcn_hash hash = tcn_hash_of(str("hello world"));
    uint8_t read[6];
    size_t len;
    assert_none_waits(files);
    assert_blob(&b, &one, TCN_BLOB_NONE, 0);
    assert_int_equal(b.read(b.self, &one, 0, read, sizeof read, &len), TCN_NOT_FOUND);
    assert_int_equal(b.append(b.self, &one, 1, str("x")), TCN_CONFLICT);
    append(&b, &one, 0, "hello ");
    assert_blob(&b, &one, TCN_BLOB_PARTIAL, 6);
    append(&b, &one, 6, "world");
    assert_int_equal(b.append(b.self, &one, 6, str("world")), TCN_CONFLICT);
    assert_take(files, &one, TCN_BLOB_APPENDED, TCN_OK, 6);
    assert_take(files, &one, TCN_BLOB_APPENDED, TCN_OK, 11);
    assert_none_waits(files);
    assert_true(is_file(dir, "bodies", 0700));
    assert_true(is_file(dir, "bodies/" ONE_NAME ".part", 0600));
    assert_int_equal(b.read(b.self, &one, 0, read, sizeof read, &len), TCN_NOT_FOUND);
    assert_int_equal(b.finish(b.self, &one, 10, &hash), TCN_CONFLICT);
    finish(&b, &one, "hello world");
    assert_take(files, &one, TCN_BLOB_FINISHED, TCN_OK, 11);
    assert_blob(&b, &one, TCN_BLOB_WHOLE, 11);
    assert_true(is_file(dir, "bodies/" ONE_NAME, 0600));
    assert_false(is_file(dir, "bodies/" ONE_NAME ".part", 0600));
    assert_int_equal(b.append(b.self, &one, 11, str("x")), TCN_CONFLICT);
    assert_int_equal(b.read(b.self, &one, 4, read, sizeof read, &len), TCN_OK);
    assert_true(tcn_bytes_equal(tcn_bytes_of(read, len), str("o worl")));
    assert_int_equal(b.read(b.self, &one, 11, read, sizeof read, &len), TCN_OK);
    assert_int_equal(len, 0);
    b.remove(b.self, &one);
    b.remove(b.self, &one);
    assert_blob(&b, &one, TCN_BLOB_NONE, 0);
    tcn_body_files_destroy(&files);
    assert_null(files);
    tcn_body_files_destroy(&files);
}

static void test_empty_body(void **state)
{
    tcn_body_files *files = open_files(*state, TCN_BODY_QUEUE_BYTES);
    tcn_blob b = tcn_body_files_port(files);
    finish(&b, &one, "");
    assert_take(files, &one, TCN_BLOB_FINISHED, TCN_OK, 0);
    assert_blob(&b, &one, TCN_BLOB_WHOLE, 0);
    assert_content(&b, &one, "");
    tcn_body_files_destroy(&files);
}

/* After a restart a partial body has what the disk has, and goes on from there. */
static void test_resume(void **state)
{
    const temp_dir *dir = *state;
    tcn_body_files *files = open_files(dir, TCN_BODY_QUEUE_BYTES);
    tcn_blob b = tcn_body_files_port(files);
    append(&b, &one, 0, "hello world");
    assert_take(files, &one, TCN_BLOB_APPENDED, TCN_OK, 11);
    append(&b, &two, 0, "two");
    finish(&b, &two, "two");
    assert_take(files, &two, TCN_BLOB_APPENDED, TCN_OK, 3);
    assert_take(files, &two, TCN_BLOB_FINISHED, TCN_OK, 3);
    tcn_body_files_destroy(&files);
    assert_int_equal(truncate(TEMP_PATH(dir, "bodies/" ONE_NAME ".part"), 6), 0);
    files = open_files(dir, TCN_BODY_QUEUE_BYTES);
    b = tcn_body_files_port(files);
    assert_blob(&b, &two, TCN_BLOB_WHOLE, 3);
    assert_content(&b, &two, "two");
    assert_blob(&b, &one, TCN_BLOB_PARTIAL, 6);
    append(&b, &one, 6, "again");
    finish(&b, &one, "hello again");
    assert_take(files, &one, TCN_BLOB_APPENDED, TCN_OK, 11);
    assert_take(files, &one, TCN_BLOB_FINISHED, TCN_OK, 11);
    assert_content(&b, &one, "hello again");
    finish(&b, &one, "hello again"); /* checked once more */
    assert_take(files, &one, TCN_BLOB_FINISHED, TCN_OK, 11);
    tcn_body_files_destroy(&files);
}

static void test_mismatch(void **state)
{
    const temp_dir *dir = *state;
    tcn_body_files *files = open_files(dir, TCN_BODY_QUEUE_BYTES);
    tcn_blob b = tcn_body_files_port(files);
    append(&b, &one, 0, "abc");
    finish(&b, &one, "abd");
    assert_take(files, &one, TCN_BLOB_APPENDED, TCN_OK, 3);
    assert_take(files, &one, TCN_BLOB_FINISHED, TCN_HASH_MISMATCH, 0);
    assert_blob(&b, &one, TCN_BLOB_NONE, 0);
    assert_false(is_file(dir, "bodies/" ONE_NAME ".part", 0600));
    append(&b, &one, 0, "abd");
    finish(&b, &one, "abd");
    assert_take(files, &one, TCN_BLOB_APPENDED, TCN_OK, 3);
    assert_take(files, &one, TCN_BLOB_FINISHED, TCN_OK, 3);
    FILE *rot = fopen(TEMP_PATH(dir, "bodies/" ONE_NAME), "r+");
    assert_non_null(rot);
    assert_int_equal(fputc('X', rot), 'X');
    assert_int_equal(fclose(rot), 0);
    finish(&b, &one, "abd"); /* finds out what became of it */
    assert_take(files, &one, TCN_BLOB_FINISHED, TCN_HASH_MISMATCH, 0);
    assert_blob(&b, &one, TCN_BLOB_NONE, 0);
    tcn_body_files_destroy(&files);
}

/* A write that gets half of its bytes to a full disk leaves nothing behind; those queued after it
 * fail alike, and later the body goes on. */
static void test_full_disk(void **state)
{
    tcn_body_files *files = open_files(*state, TCN_BODY_QUEUE_BYTES);
    tcn_blob b = tcn_body_files_port(files);
    append(&b, &one, 0, "abc");
    assert_take(files, &one, TCN_BLOB_APPENDED, TCN_OK, 3);
    broken_disk_fill(ENOSPC);
    append(&b, &one, 3, "defghi");
    assert_take(files, &one, TCN_BLOB_APPENDED, TCN_FULL, 3);
    assert_blob(&b, &one, TCN_BLOB_PARTIAL, 3);
    broken_disk_mend();
    append(&b, &one, 3, "xyz");
    finish(&b, &one, "abcxyz");
    assert_take(files, &one, TCN_BLOB_APPENDED, TCN_OK, 6);
    assert_take(files, &one, TCN_BLOB_FINISHED, TCN_OK, 6);
    assert_content(&b, &one, "abcxyz");
    tcn_body_files_destroy(&files);
}

static void test_failures_queue_up(void **state)
{
    tcn_body_files *files = open_files(*state, TCN_BODY_QUEUE_BYTES);
    tcn_blob b = tcn_body_files_port(files);
    broken_disk_fail(DISK_WRITE, 1, 1, EIO);
    append(&b, &one, 0, "abc");
    /* Depending on the thread these are queued behind the failure, or refused after it. */
    tcn_err second = b.append(b.self, &one, 3, str("de"));
    assert_true(second == TCN_OK || second == TCN_CONFLICT);
    append(&b, &two, 0, "fine");
    assert_take(files, &one, TCN_BLOB_APPENDED, TCN_IO, 0);
    if (second == TCN_OK) {
        assert_take(files, &one, TCN_BLOB_APPENDED, TCN_IO, 0);
    }
    assert_take(files, &two, TCN_BLOB_APPENDED, TCN_OK, 4);
    append(&b, &one, 0, "abc");
    assert_take(files, &one, TCN_BLOB_APPENDED, TCN_OK, 3);
    tcn_body_files_destroy(&files);
}

static void test_finish_fails(void **state)
{
    static const struct {
        disk_call call;
        unsigned nth;
        int code;
        tcn_err err;
    } cases[] = {{DISK_SYNC, 1, EIO, TCN_IO},
                 {DISK_SYNC, 1, ENOSPC, TCN_FULL},
                 {DISK_RENAME, 1, EIO, TCN_IO},
                 {DISK_SYNC, 2, EIO, TCN_IO}}; /* of the directory */
    tcn_body_files *files = open_files(*state, TCN_BODY_QUEUE_BYTES);
    tcn_blob b = tcn_body_files_port(files);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        append(&b, &one, 0, "abc");
        assert_take(files, &one, TCN_BLOB_APPENDED, TCN_OK, 3);
        broken_disk_fail(cases[i].call, cases[i].nth, 1, cases[i].code);
        finish(&b, &one, "abc");
        assert_take(files, &one, TCN_BLOB_FINISHED, cases[i].err, 0);
        broken_disk_mend();
        assert_blob(&b, &one, TCN_BLOB_NONE, 0);
        assert_false(is_file(*state, "bodies/" ONE_NAME, 0600));
        assert_false(is_file(*state, "bodies/" ONE_NAME ".part", 0600));
    }
    tcn_body_files_destroy(&files);
}

/* What waits for the disk, or to be taken, is bounded; the room comes back. */
static void test_busy(void **state)
{
    static uint8_t chunk[TCN_MAX_CHUNK_BYTES];
    tcn_body_files *files = open_files(*state, 4 * TCN_MAX_CHUNK_BYTES);
    tcn_blob b = tcn_body_files_port(files);
    tcn_bytes bytes = tcn_bytes_of(chunk, sizeof chunk);
    uint64_t at = 0;
    unsigned queued = 0;
    while (b.append(b.self, &one, at, bytes) == TCN_OK) {
        at += sizeof chunk;
        queued++;
    }
    assert_int_equal(queued, 3); /* each has a little overhead */
    assert_int_equal(b.append(b.self, &one, at, bytes), TCN_BUSY);
    assert_blob(&b, &one, TCN_BLOB_PARTIAL, at);
    assert_take(files, &one, TCN_BLOB_APPENDED, TCN_OK, sizeof chunk);
    assert_int_equal(b.append(b.self, &one, at, bytes), TCN_OK);
    tcn_body_files_destroy(&files); /* with jobs and completions in it */
    files = open_files(*state, 16);
    b = tcn_body_files_port(files);
    append(&b, &two, 0, "longer than the queue, but alone");
    assert_int_equal(b.append(b.self, &two, 32, str("x")), TCN_BUSY);
    assert_take(files, &two, TCN_BLOB_APPENDED, TCN_OK, 32);
    tcn_body_files_destroy(&files);
}

/* Removed at any moment, also within a job: each job answers once, and a new body of the same id
 * is not touched by the old one's jobs. */
static void test_remove_races(void **state)
{
    tcn_body_files *files = open_files(*state, TCN_BODY_QUEUE_BYTES);
    tcn_blob b = tcn_body_files_port(files);
    for (unsigned round = 0; round < 300; round++) {
        append(&b, &one, 0, "old");
        finish(&b, &one, "old");
        if (round % 3 == 1) {
            (void)take(files);
        } else if (round % 3 == 2) {
            uint64_t bytes; /* a few looks, so that the thread is somewhere else each time */
            for (unsigned i = 0; i < round; i++) {
                (void)b.state(b.self, &one, &bytes);
            }
        }
        b.remove(b.self, &one);
        assert_blob(&b, &one, TCN_BLOB_NONE, 0);
        append(&b, &one, 0, "newer");
        finish(&b, &one, "newer");
        for (unsigned i = round % 3 == 1 ? 1 : 0; i < 2; i++) {
            tcn_blob_done done = take(files);
            assert_true(done.err == TCN_OK || done.err == TCN_NOT_FOUND);
        }
        assert_take(files, &one, TCN_BLOB_APPENDED, TCN_OK, 5);
        assert_take(files, &one, TCN_BLOB_FINISHED, TCN_OK, 5);
        assert_none_waits(files);
        assert_content(&b, &one, "newer");
        assert_false(is_file(*state, "bodies/" ONE_NAME ".part", 0600));
        b.remove(b.self, &one);
    }
    tcn_body_files_destroy(&files);
}

/* More bodies at once than running hashes are kept for. */
static void test_many(void **state)
{
    enum { MANY = 100 };
    tcn_body_files *files = open_files(*state, TCN_BODY_QUEUE_BYTES);
    tcn_blob b = tcn_body_files_port(files);
    static const char *const parts[] = {"first ", "second ", "third"};
    uint64_t at = 0;
    for (unsigned part = 0; part < 3; part++) {
        for (unsigned i = 0; i < MANY; i++) {
            const tcn_id id = {{3, (uint8_t)i}};
            append(&b, &id, at, parts[part]);
        }
        at += strlen(parts[part]);
        for (unsigned i = 0; i < MANY; i++) {
            const tcn_id id = {{3, (uint8_t)i}};
            assert_take(files, &id, TCN_BLOB_APPENDED, TCN_OK, at);
        }
    }
    for (unsigned i = 0; i < MANY; i++) {
        const tcn_id id = {{3, (uint8_t)i}};
        finish(&b, &id, "first second third");
        assert_take(files, &id, TCN_BLOB_FINISHED, TCN_OK, at);
        assert_content(&b, &id, "first second third");
    }
    tcn_body_files_destroy(&files);
}

/* A large body, pushed as fast as it goes, read back in other pieces. */
static void test_large(void **state)
{
    static uint8_t body[8 << 20], read[100000];
    tcn_body_files *files = open_files(*state, 1 << 20);
    tcn_blob b = tcn_body_files_port(files);
    size_t appended = 0, chunks = 0, taken = 0, len;
    for (size_t i = 0; i < sizeof body; i++) {
        body[i] = (uint8_t)(i * 2654435761u >> 24);
    }
    tcn_hash hash = tcn_hash_of(tcn_bytes_of(body, sizeof body));
    while (appended < sizeof body) {
        len = sizeof body - appended < TCN_MAX_CHUNK_BYTES ? sizeof body - appended
                                                           : TCN_MAX_CHUNK_BYTES;
        tcn_err err = b.append(b.self, &one, appended, tcn_bytes_of(body + appended, len));
        if (err == TCN_OK) {
            appended += len;
            chunks++;
        } else {
            assert_int_equal(err, TCN_BUSY);
            assert_int_equal(take(files).err, TCN_OK);
            taken++;
        }
    }
    for (; taken < chunks; taken++) {
        assert_int_equal(take(files).err, TCN_OK);
    }
    assert_int_equal(b.finish(b.self, &one, sizeof body, &hash), TCN_OK);
    assert_take(files, &one, TCN_BLOB_FINISHED, TCN_OK, sizeof body);
    for (size_t at = 0; at < sizeof body; at += len) {
        assert_int_equal(b.read(b.self, &one, at, read, sizeof read, &len), TCN_OK);
        assert_true(len > 0);
        assert_memory_equal(read, body + at, len);
    }
    tcn_body_files_destroy(&files);
}

typedef struct {
    tcn_blob blob;
    unsigned partial, whole;
} seen;

static void see(void *arg, const tcn_id *id, tcn_blob_state state, uint64_t bytes)
{
    seen *s = arg;
    s->partial += state == TCN_BLOB_PARTIAL && bytes == 5 && tcn_id_equal(id, &one);
    s->whole += state == TCN_BLOB_WHOLE && bytes == 3 && tcn_id_equal(id, &two);
    s->blob.remove(s->blob.self, id);
}

static void test_each(void **state)
{
    const temp_dir *dir = *state;
    tcn_body_files *files = open_files(dir, TCN_BODY_QUEUE_BYTES);
    seen s = {.blob = tcn_body_files_port(files)};
    append(&s.blob, &one, 0, "parts");
    append(&s.blob, &two, 0, "two");
    finish(&s.blob, &two, "two");
    for (unsigned i = 0; i < 3; i++) {
        assert_int_equal(take(files).err, TCN_OK);
    }
    FILE *other = fopen(TEMP_PATH(dir, "bodies/README"), "w");
    assert_non_null(other);
    assert_int_equal(fclose(other), 0);
    assert_int_equal(tcn_body_files_each(files, see, &s), TCN_OK);
    assert_int_equal(s.partial, 1);
    assert_int_equal(s.whole, 1);
    assert_blob(&s.blob, &one, TCN_BLOB_NONE, 0);
    assert_blob(&s.blob, &two, TCN_BLOB_NONE, 0);
    assert_int_equal(access(TEMP_PATH(dir, "bodies/README"), F_OK), 0);
    tcn_body_files_destroy(&files);
}

/* The signal mask of the thread named so; 0 if there is none. */
static unsigned long long blocked_in(const char *thread)
{
    unsigned long long mask = 0;
    DIR *tasks = opendir("/proc/self/task");
    assert_non_null(tasks);
    const struct dirent *task;
    while ((task = readdir(tasks))) {
        char path[300], line[200];
        bool is_named = false;
        (void)snprintf(path, sizeof path, "/proc/self/task/%s/status", task->d_name);
        FILE *status = task->d_name[0] == '.' ? NULL : fopen(path, "r");
        while (status && fgets(line, sizeof line, status)) {
            if (strncmp(line, "Name:", 5) == 0) {
                is_named = strstr(line, thread) != NULL;
            } else if (is_named && strncmp(line, "SigBlk:", 7) == 0) {
                mask = strtoull(line + 7, NULL, 16);
            }
        }
        if (status) {
            (void)fclose(status);
        }
    }
    (void)closedir(tasks);
    return mask;
}

static void test_thread_blocks_signals(void **state)
{
    tcn_body_files *files = open_files(*state, TCN_BODY_QUEUE_BYTES);
    static const int signals[] = {SIGTERM, SIGINT, SIGHUP, SIGUSR1, SIGCHLD, SIGALRM};
    unsigned long long mask = blocked_in("bodies");
    for (size_t i = 0; i < sizeof signals / sizeof *signals; i++) {
        assert_true(mask & 1ull << (signals[i] - 1));
    }
    sigset_t ours;
    assert_int_equal(sigprocmask(SIG_BLOCK, NULL, &ours), 0);
    assert_false(sigismember(&ours, SIGTERM));
    tcn_body_files_destroy(&files);
}

static void test_cannot_open(void **state)
{
    const temp_dir *dir = *state;
    tcn_body_files *files = NULL;
    tcn_fault fault;
    FILE *file = fopen(TEMP_PATH(dir, "bodies"), "w");
    assert_non_null(file);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(tcn_body_files_open(dir->path, 1, &files, &fault), TCN_CONFLICT);
    assert_non_null(strstr(fault.text, "bodies"));
    assert_null(files);
    uint64_t left;
    assert_int_equal(unlink(TEMP_PATH(dir, "bodies")), 0);
    files = open_files(dir, 1);
    tcn_blob b = tcn_body_files_port(files);
    b.space(b.self, &left);
    assert_true(left > 0);
    tcn_body_files_destroy(&files);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEMP_DIR_TEST(test_whole),
        TEMP_DIR_TEST(test_empty_body),
        TEMP_DIR_TEST(test_resume),
        TEMP_DIR_TEST(test_mismatch),
        TEMP_DIR_TEST(test_full_disk),
        TEMP_DIR_TEST(test_failures_queue_up),
        TEMP_DIR_TEST(test_finish_fails),
        TEMP_DIR_TEST(test_busy),
        TEMP_DIR_TEST(test_remove_races),
        TEMP_DIR_TEST(test_many),
        TEMP_DIR_TEST(test_large),
        TEMP_DIR_TEST(test_each),
        TEMP_DIR_TEST(test_thread_blocks_signals),
        TEMP_DIR_TEST(test_cannot_open),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
