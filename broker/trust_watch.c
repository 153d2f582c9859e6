/* SPDX-License-Identifier: Apache-2.0 */
/* trust_watch.c - the thread waits for inotify or a word from the loop, verifies, and leaves the
 * newest result for the loop to take. */
#include "trust_watch.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "libtocsin/file.h"
#include "libtocsin/os/watch.h"

enum { LOST_LOOK_MS = 5000 };

struct tcn_trust_watch {
    const tcn_broker_home *home;
    tcn_watch *watch;
    int asked_fd, told_fd; /* eventfds: to the thread, to the loop */
    bool has_thread;
    pthread_t thread;
    pthread_mutex_t lock; /* of what follows */
    bool stop;
    uint64_t version;   /* the newest that was handed over or waits */
    tcn_roster *roster; /* waits to be taken */
    tcn_fault refused;  /* likewise, unless TCN_OK */
    uint8_t *import;    /* a file to be imported, malloc'd */
    size_t import_len;
    bool has_imported;
    tcn_fault imported; /* how it went */
};

static void ring(int fd)
{
    uint64_t one = 1;
    ssize_t written = write(fd, &one, sizeof(one));
    (void)written; /* an eventfd that is full is as readable */
}

static void hush(int fd)
{
    uint64_t count;
    ssize_t got = read(fd, &count, sizeof(count));
    (void)got; /* nothing there is fine */
}

/* Keeps a newer roster, remembers why another was refused, and drops one that is held already. */
static void hand_over(tcn_trust_watch *w, tcn_roster *roster, const tcn_fault *fault)
{
    (void)pthread_mutex_lock(&w->lock);
    if (roster == NULL) {
        w->refused = *fault;
        if (w->refused.err == TCN_NOT_FOUND) /* take says that when nothing is new */
            w->refused.err = TCN_IO;
    } else if (tcn_roster_version(roster) > w->version) {
        tcn_roster_unref(&w->roster);
        w->roster = tcn_roster_ref(roster);
        w->version = tcn_roster_version(roster);
        w->refused.err = TCN_OK; /* it was of an earlier file */
    } else if (tcn_roster_version(roster) < w->version) {
        (void)tcn_fault_set(&w->refused, TCN_STALE,
                            "%s/%s is of version %" PRIu64 ", older than %" PRIu64
                            " that is in force; sign the program anew",
                            w->home->path, TCN_HOME_TRUST, tcn_roster_version(roster), w->version);
    }
    bool tell = w->roster != NULL || w->refused.err != TCN_OK;
    (void)pthread_mutex_unlock(&w->lock);
    if (tell)
        ring(w->told_fd);
}

static void load(tcn_trust_watch *w)
{
    tcn_roster *roster = NULL;
    tcn_fault fault = {.err = TCN_OK};
    if (tcn_broker_home_reload(w->home, &roster, &fault) != TCN_OK)
        roster = NULL;
    hand_over(w, roster, &fault);
    tcn_roster_unref(&roster);
}

/* TCN_OK also if the same version is in force already. */
static tcn_err import_file(tcn_trust_watch *w, tcn_bytes file, tcn_fault *fault)
{
    char path[TCN_HOME_PATH_SIZE];
    tcn_roster *roster = NULL;
    tcn_err err = tcn_path_join(w->home->path, TCN_HOME_TRUST, path, sizeof(path));
    if (err == TCN_OK)
        err = tcn_roster_open(file, &w->home->authority, &roster, fault);
    if (err != TCN_OK)
        return err;
    (void)pthread_mutex_lock(&w->lock);
    uint64_t held = w->version;
    (void)pthread_mutex_unlock(&w->lock);
    if (tcn_roster_version(roster) < held)
        err = tcn_fault_set(fault, TCN_STALE,
                            "the file is of trust version %" PRIu64 ", older than %" PRIu64
                            " that is in force",
                            tcn_roster_version(roster), held);
    if (err == TCN_OK && tcn_roster_version(roster) > held) {
        err = tcn_file_write(path, file, 0600, fault);
        if (err == TCN_OK)
            hand_over(w, roster, fault);
    }
    tcn_roster_unref(&roster);
    return err;
}

static void import_if_asked(tcn_trust_watch *w)
{
    (void)pthread_mutex_lock(&w->lock);
    uint8_t *file = w->import;
    size_t len = w->import_len;
    w->import = NULL;
    (void)pthread_mutex_unlock(&w->lock);
    if (file == NULL)
        return;
    tcn_fault fault = {.err = TCN_OK, .text = ""};
    fault.err = import_file(w, tcn_bytes_of(file, len), &fault);
    free(file);
    (void)pthread_mutex_lock(&w->lock);
    w->imported = fault;
    w->has_imported = true;
    (void)pthread_mutex_unlock(&w->lock);
    ring(w->told_fd);
}

static bool is_stopped(tcn_trust_watch *w)
{
    (void)pthread_mutex_lock(&w->lock);
    bool stop = w->stop;
    (void)pthread_mutex_unlock(&w->lock);
    return stop;
}

static void *work(void *arg)
{
    tcn_trust_watch *w = arg;
    while (!is_stopped(w)) {
        struct pollfd fds[2] = {{.fd = w->asked_fd, .events = POLLIN},
                                {.fd = tcn_watch_fd(w->watch), .events = POLLIN}};
        bool lost = tcn_watch_is_lost(w->watch);
        int ready = poll(fds, 2, lost ? LOST_LOOK_MS : -1);
        if (is_stopped(w) || (ready < 0 && errno != EINTR))
            break;
        bool asked = fds[0].revents != 0;
        if (asked)
            hush(w->asked_fd);
        import_if_asked(w);
        bool changed = tcn_watch_take(w->watch);
        if (asked || changed || (lost && ready == 0))
            load(w);
    }
    return NULL;
}

static tcn_err start(tcn_trust_watch *w, tcn_fault *fault)
{
    w->asked_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    w->told_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (w->asked_fd < 0 || w->told_fd < 0)
        return tcn_fault_set(fault, TCN_IO, "no eventfd: %s", strerror(errno));
    tcn_err err = tcn_watch_open(w->home->path, TCN_HOME_TRUST, &w->watch, fault);
    if (err != TCN_OK)
        return err;
    /* What changed between the first reading of the file and the watch. */
    ring(w->asked_fd);
    sigset_t all, before;
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before); /* signals are the loop's */
    int rc = pthread_create(&w->thread, NULL, work, w);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (rc != 0)
        return tcn_fault_set(fault, TCN_NO_MEMORY, "no thread to watch the trust file: %s",
                             strerror(rc));
    w->has_thread = true;
    return TCN_OK;
}

tcn_err tcn_trust_watch_open(const tcn_broker_home *home, uint64_t version,
                             tcn_trust_watch **ret_watch, tcn_fault *fault)
{
    tcn_trust_watch *w = calloc(1, sizeof(*w));
    if (w == NULL)
        return tcn_fault_set(fault, TCN_NO_MEMORY, "out of memory");
    w->home = home;
    w->version = version;
    w->asked_fd = w->told_fd = -1;
    (void)pthread_mutex_init(&w->lock, NULL);
    tcn_err err = start(w, fault);
    if (err != TCN_OK) {
        tcn_trust_watch_close(&w);
        return err;
    }
    *ret_watch = w;
    return TCN_OK;
}

void tcn_trust_watch_close(tcn_trust_watch **watch)
{
    tcn_trust_watch *w = *watch;
    if (w == NULL)
        return;
    if (w->has_thread) {
        (void)pthread_mutex_lock(&w->lock);
        w->stop = true;
        (void)pthread_mutex_unlock(&w->lock);
        ring(w->asked_fd);
        (void)pthread_join(w->thread, NULL);
    }
    tcn_watch_destroy(&w->watch);
    if (w->asked_fd >= 0)
        (void)close(w->asked_fd);
    if (w->told_fd >= 0)
        (void)close(w->told_fd);
    tcn_roster_unref(&w->roster);
    free(w->import);
    (void)pthread_mutex_destroy(&w->lock);
    free(w);
    *watch = NULL;
}

int tcn_trust_watch_fd(const tcn_trust_watch *watch)
{
    return watch->told_fd;
}

tcn_err tcn_trust_watch_take(tcn_trust_watch *watch, tcn_roster **ret_roster, tcn_fault *fault)
{
    (void)pthread_mutex_lock(&watch->lock);
    tcn_err err = TCN_NOT_FOUND;
    if (watch->refused.err != TCN_OK) {
        err = watch->refused.err;
        *fault = watch->refused;
        watch->refused.err = TCN_OK;
    } else if (watch->roster != NULL) {
        err = TCN_OK;
        *ret_roster = watch->roster;
        watch->roster = NULL;
    } else {
        hush(watch->told_fd);
    }
    (void)pthread_mutex_unlock(&watch->lock);
    return err;
}

tcn_err tcn_trust_watch_import(tcn_trust_watch *watch, tcn_bytes file)
{
    uint8_t *copy;
    tcn_err err = tcn_bytes_copy(file, &copy);
    if (err != TCN_OK)
        return err;
    (void)pthread_mutex_lock(&watch->lock);
    free(watch->import);
    watch->import = copy;
    watch->import_len = file.len;
    watch->has_imported = false;
    (void)pthread_mutex_unlock(&watch->lock);
    ring(watch->asked_fd);
    return TCN_OK;
}

bool tcn_trust_watch_take_import(tcn_trust_watch *watch, tcn_fault *ret_fault)
{
    (void)pthread_mutex_lock(&watch->lock);
    bool has = watch->has_imported;
    if (has)
        *ret_fault = watch->imported;
    watch->has_imported = false;
    (void)pthread_mutex_unlock(&watch->lock);
    return has;
}

void tcn_trust_watch_look(tcn_trust_watch *watch)
{
    ring(watch->asked_fd);
}
