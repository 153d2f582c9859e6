/* SPDX-License-Identifier: Apache-2.0 */
/* body_files.c - see body_files.h. One queue of jobs to the thread, one of completions back. */
#define _GNU_SOURCE /* pthread_setname_np */
#include "body_files.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "ballast.h"
#include "body_disk.h"
#include "libtocsin/file.h"

#define PATH_SIZE 1024
/* Partial bodies without a job whose running hash is kept; others are read again to be finished. */
#define IDLE_BLOBS 64

/* A blob that has jobs, or had some lately. Without one, the disk alone knows. */
typedef struct blob {
    struct blob *next; /* the one used last is first */
    tcn_body_file file;
    uint64_t size; /* with what is queued */
    size_t jobs;   /* that point here */
    size_t live;   /* of these, not yet done and not failed */
    bool is_running;
    bool is_removed; /* while a job runs: the thread removes the file after it */
} blob;

typedef struct job {
    struct job *next;
    blob *blob;
    tcn_blob_done done;
    uint64_t size;
    tcn_hash expected;
    tcn_err failed;
    size_t len;
    uint8_t bytes[];
} job;

typedef struct {
    job *first, **end;
} job_list;

struct tcn_body_files {
    char path[PATH_SIZE];
    int dir_fd, event_fd;
    pthread_t thread;
    bool is_started;
    uint64_t queue_bytes;
    /* Under lock: */
    pthread_mutex_t lock;
    pthread_cond_t wake;
    bool is_stopping;
    blob *blobs;
    job_list queued, done;
    uint64_t charged_bytes; /* by jobs and by completions not taken */
};

static void push(job_list *list, job *j)
{
    j->next = NULL;
    *list->end = j;
    list->end = &j->next;
}

static job *pop(job_list *list)
{
    job *j = list->first;
    if (j) {
        list->first = j->next;
        if (!list->first) {
            list->end = &list->first;
        }
    }
    return j;
}

static void drop_all(job_list *list)
{
    job *j;
    while ((j = pop(list))) {
        free(j);
    }
}

static blob *find(const tcn_body_files *f, const tcn_id *id)
{
    for (blob *b = f->blobs; b; b = b->next) {
        if (tcn_id_equal(&b->file.id, id)) {
            return b;
        }
    }
    return NULL;
}

static tcn_body_file nothing(const tcn_id *id)
{
    tcn_body_file file = {.id = *id, .is_hashed = true};
    crypto_hash_sha256_init(&file.hash);
    return file;
}

/* What is found, or what the disk has, which must be worth to be remembered. */
static tcn_err find_or_look(tcn_body_files *f, const tcn_id *id, blob **ret_blob)
{
    blob *b = find(f, id);
    if (b) {
        *ret_blob = b;
        return TCN_OK;
    }
    b = calloc(1, sizeof *b);
    if (!b) {
        return TCN_NO_MEMORY;
    }
    tcn_err err = tcn_body_file_look(f->dir_fd, id, &b->file);
    if (err != TCN_OK) {
        free(b);
        return err;
    }
    b->size = b->file.bytes;
    b->next = f->blobs;
    f->blobs = b;
    *ret_blob = b;
    return TCN_OK;
}

/* Forgets what the disk knows as well, and the longest unused of the rest. */
static void tidy(tcn_body_files *f)
{
    size_t idle = 0;
    for (blob **at = &f->blobs; *at;) {
        blob *b = *at;
        bool is_partial = b->file.is_there && !b->file.is_whole;
        if (b->jobs == 0 && (!is_partial || ++idle > IDLE_BLOBS)) {
            *at = b->next;
            free(b);
        } else {
            at = &b->next;
        }
    }
}

static void move_to_front(tcn_body_files *f, blob *b)
{
    blob **at = &f->blobs;
    while (*at != b) {
        at = &(*at)->next;
    }
    *at = b->next;
    b->next = f->blobs;
    f->blobs = b;
}

static void fail_queued(tcn_body_files *f, blob *b, tcn_err err)
{
    for (job *j = f->queued.first; j; j = j->next) {
        if (j->blob == b && j->failed == TCN_OK) {
            j->failed = err;
        }
    }
    b->live = 0;
    b->size = b->file.bytes;
}

static tcn_err run(const tcn_body_files *f, const job *j, tcn_body_file *file)
{
    if (j->done.step == TCN_BLOB_APPENDED) {
        return tcn_body_file_append(f->dir_fd, file, tcn_bytes_of(j->bytes, j->len));
    }
    return tcn_body_file_finish(f->dir_fd, file, j->size, &j->expected);
}

/* Called with the lock, which is open while the disk works. */
static tcn_err run_unlocked(tcn_body_files *f, const job *j)
{
    blob *b = j->blob;
    if (j->failed != TCN_OK) {
        return j->failed;
    }
    tcn_body_file file = b->file;
    b->is_running = true;
    (void)pthread_mutex_unlock(&f->lock);
    tcn_err err = run(f, j, &file);
    (void)pthread_mutex_lock(&f->lock);
    b->is_running = false;
    if (b->is_removed) {
        b->is_removed = false;
        tcn_body_file_remove(f->dir_fd, &file.id);
        return TCN_NOT_FOUND;
    }
    b->file = file;
    b->live--;
    if (err != TCN_OK) {
        fail_queued(f, b, err);
    }
    return err;
}

static void *work(void *arg)
{
    tcn_body_files *f = arg;
    const uint64_t one = 1;
    (void)pthread_mutex_lock(&f->lock);
    while (!f->is_stopping) {
        job *j = pop(&f->queued);
        if (!j) {
            (void)pthread_cond_wait(&f->wake, &f->lock);
            continue;
        }
        j->done.err = run_unlocked(f, j);
        j->done.bytes = j->blob->file.bytes;
        j->blob->jobs--;
        tidy(f);
        push(&f->done, j);
        (void)!write(f->event_fd, &one, sizeof one);
    }
    (void)pthread_mutex_unlock(&f->lock);
    return NULL;
}

bool tcn_body_files_take(tcn_body_files *files, tcn_blob_done *ret_done)
{
    uint64_t count;
    (void)pthread_mutex_lock(&files->lock);
    job *j = pop(&files->done);
    if (j) {
        files->charged_bytes -= sizeof *j + j->len;
    }
    if (!files->done.first) {
        (void)!read(files->event_fd, &count, sizeof count);
    }
    (void)pthread_mutex_unlock(&files->lock);
    if (!j) {
        return false;
    }
    *ret_done = j->done;
    free(j);
    return true;
}

/* Queues j, or frees it with an error. */
static tcn_err enqueue(tcn_body_files *f, job *j, uint64_t size_before)
{
    blob *b = NULL;
    (void)pthread_mutex_lock(&f->lock);
    tcn_err err = find_or_look(f, &j->done.id, &b);
    if (err == TCN_OK &&
        (b->size != size_before || (b->file.is_whole && j->done.step == TCN_BLOB_APPENDED))) {
        err = TCN_CONFLICT;
    }
    /* A single job always fits, or a small queue could never take it. */
    if (err == TCN_OK && f->charged_bytes > 0 &&
        f->charged_bytes + sizeof *j + j->len > f->queue_bytes) {
        err = TCN_BUSY;
    }
    if (err == TCN_OK) {
        j->blob = b;
        b->jobs++;
        b->live++;
        b->size += j->len;
        move_to_front(f, b);
        f->charged_bytes += sizeof *j + j->len;
        push(&f->queued, j);
        (void)pthread_cond_signal(&f->wake);
    } else {
        free(j);
        tidy(f);
    }
    (void)pthread_mutex_unlock(&f->lock);
    return err;
}

static tcn_err blob_append(void *self, const tcn_id *id, uint64_t offset, tcn_bytes bytes)
{
    job *j = calloc(1, sizeof *j + bytes.len);
    if (!j) {
        return TCN_NO_MEMORY;
    }
    j->done = (tcn_blob_done){.id = *id, .step = TCN_BLOB_APPENDED};
    j->len = bytes.len;
    if (bytes.len) {
        memcpy(j->bytes, bytes.ptr, bytes.len);
    }
    return enqueue(self, j, offset);
}

static tcn_err blob_finish(void *self, const tcn_id *id, uint64_t size, const tcn_hash *expected)
{
    job *j = calloc(1, sizeof *j);
    if (!j) {
        return TCN_NO_MEMORY;
    }
    j->done = (tcn_blob_done){.id = *id, .step = TCN_BLOB_FINISHED};
    j->size = size;
    j->expected = *expected;
    return enqueue(self, j, size);
}

static tcn_blob_state blob_state(void *self, const tcn_id *id, uint64_t *ret_bytes)
{
    tcn_body_files *f = self;
    blob found = {.file = nothing(id)};
    (void)pthread_mutex_lock(&f->lock);
    const blob *b = find(f, id);
    if (b) {
        found = *b;
    } else if (tcn_body_file_look(f->dir_fd, id, &found.file) == TCN_OK) {
        found.size = found.file.bytes;
    }
    (void)pthread_mutex_unlock(&f->lock);
    *ret_bytes = found.size;
    if (found.file.is_whole) {
        return TCN_BLOB_WHOLE;
    }
    return found.file.is_there || found.live > 0 ? TCN_BLOB_PARTIAL : TCN_BLOB_NONE;
}

static tcn_err blob_read(void *self, const tcn_id *id, uint64_t offset, uint8_t *ret_bytes,
                         size_t cap, size_t *ret_len)
{
    tcn_body_files *f = self;
    (void)pthread_mutex_lock(&f->lock);
    const blob *b = find(f, id);
    bool may_be_whole = !b || b->file.is_whole;
    (void)pthread_mutex_unlock(&f->lock);
    return may_be_whole ? tcn_body_file_read(f->dir_fd, id, offset, ret_bytes, cap, ret_len)
                        : TCN_NOT_FOUND;
}

static void blob_remove(void *self, const tcn_id *id)
{
    tcn_body_files *f = self;
    (void)pthread_mutex_lock(&f->lock);
    blob *b = find(f, id);
    if (b) {
        b->file = nothing(id);
        fail_queued(f, b, TCN_NOT_FOUND);
        b->is_removed = b->is_running;
    }
    if (!b || !b->is_running) {
        tcn_body_file_remove(f->dir_fd, id);
    }
    tidy(f);
    (void)pthread_mutex_unlock(&f->lock);
}

static void blob_space(void *self, uint64_t *ret_free_bytes)
{
    tcn_body_files *f = self;
    uint64_t left = tcn_disk_free(f->path);
    (void)pthread_mutex_lock(&f->lock);
    uint64_t charged = f->charged_bytes;
    (void)pthread_mutex_unlock(&f->lock);
    *ret_free_bytes = left > charged ? left - charged : 0;
}

tcn_blob tcn_body_files_port(tcn_body_files *files)
{
    return (tcn_blob){blob_state,  blob_append, blob_finish, blob_read,
                      blob_remove, blob_space,  files};
}

int tcn_body_files_fd(const tcn_body_files *files)
{
    return files->event_fd;
}

tcn_err tcn_body_files_each(tcn_body_files *files, tcn_body_files_fn *fn, void *arg)
{
    DIR *dir = opendir(files->path);
    if (!dir) {
        return TCN_IO;
    }
    const struct dirent *entry;
    while ((errno = 0, entry = readdir(dir))) {
        tcn_id id;
        bool is_whole;
        uint64_t bytes;
        if (tcn_body_file_name_parse(entry->d_name, &id, &is_whole)) {
            tcn_blob_state state = blob_state(files, &id, &bytes);
            if (state != TCN_BLOB_NONE) {
                fn(arg, &id, state, bytes);
            }
        }
    }
    tcn_err err = errno == 0 ? TCN_OK : TCN_IO;
    (void)closedir(dir);
    return err;
}

static int start(tcn_body_files *f)
{
    sigset_t all, old;
    (void)sigfillset(&all);
    int code = pthread_sigmask(SIG_SETMASK, &all, &old);
    if (code != 0) {
        return code;
    }
    code = pthread_create(&f->thread, NULL, work, f);
    (void)pthread_sigmask(SIG_SETMASK, &old, NULL);
    if (code == 0) {
        f->is_started = true;
        (void)pthread_setname_np(f->thread, "bodies");
    }
    return code;
}

tcn_err tcn_body_files_open(const char *dir, uint64_t queue_bytes, tcn_body_files **ret_files,
                            tcn_fault *fault)
{
    tcn_body_files *f = calloc(1, sizeof *f);
    if (!f) {
        return tcn_fault_set(fault, TCN_NO_MEMORY, "out of memory");
    }
    f->dir_fd = f->event_fd = -1;
    f->queue_bytes = queue_bytes;
    f->queued.end = &f->queued.first;
    f->done.end = &f->done.first;
    (void)pthread_mutex_init(&f->lock, NULL);
    (void)pthread_cond_init(&f->wake, NULL);
    tcn_err err = tcn_path_join(dir, "bodies", f->path, sizeof f->path);
    if (err != TCN_OK) {
        (void)tcn_fault_set(fault, err, "%.100s…: the path is too long", dir);
        goto out;
    }
    err = tcn_dir_make(f->path, 0700, fault);
    if (err != TCN_OK) {
        goto out;
    }
    f->dir_fd = open(f->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (f->dir_fd < 0) {
        err = tcn_fault_set(fault, errno == EACCES ? TCN_PERMISSIONS : TCN_IO,
                            "%s: %s: make it ours, 0700", f->path, strerror(errno));
        goto out;
    }
    f->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    int code = f->event_fd < 0 ? errno : start(f);
    if (code != 0) {
        err =
            tcn_fault_set(fault, TCN_IO, "a thread for bodies: %s: raise the limits of the process",
                          strerror(code));
        goto out;
    }
    *ret_files = f;
    f = NULL;
out:
    tcn_body_files_destroy(&f);
    return err;
}

void tcn_body_files_destroy(tcn_body_files **files)
{
    tcn_body_files *f = *files;
    *files = NULL;
    if (!f) {
        return;
    }
    if (f->is_started) {
        (void)pthread_mutex_lock(&f->lock);
        f->is_stopping = true;
        (void)pthread_cond_signal(&f->wake);
        (void)pthread_mutex_unlock(&f->lock);
        (void)pthread_join(f->thread, NULL);
    }
    drop_all(&f->queued);
    drop_all(&f->done);
    while (f->blobs) {
        blob *b = f->blobs;
        f->blobs = b->next;
        free(b);
    }
    if (f->event_fd >= 0) {
        (void)close(f->event_fd);
    }
    if (f->dir_fd >= 0) {
        (void)close(f->dir_fd);
    }
    (void)pthread_cond_destroy(&f->wake);
    (void)pthread_mutex_destroy(&f->lock);
    free(f);
}
