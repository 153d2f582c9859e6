/* SPDX-License-Identifier: Apache-2.0 */
/* watch.c - see watch.h. */
#include "watch.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

#define PATH_SIZE 1024

struct tcn_watch {
    int fd, number; /* number -1: lost */
    char dir[PATH_SIZE], name[NAME_MAX + 1];
};

static int watch_dir(tcn_watch *w)
{
    w->number = inotify_add_watch(
        w->fd, w->dir, IN_CLOSE_WRITE | IN_MOVED_TO | IN_MOVE_SELF | IN_DELETE_SELF | IN_ONLYDIR);
    return w->number < 0 ? errno : 0;
}

static tcn_err failed(const char *dir, int code, tcn_fault *fault)
{
    switch (code) {
    case ENOENT:
    case ENOTDIR: return tcn_fault_set(fault, TCN_NOT_FOUND, "%s: no such directory: make it", dir);
    case EACCES:
        return tcn_fault_set(fault, TCN_PERMISSIONS, "%s: %s: make it ours", dir, strerror(code));
    case ENOSPC:
        return tcn_fault_set(fault, TCN_IO,
                             "%s: no more watches: raise fs.inotify.max_user_watches", dir);
    case EMFILE:
        return tcn_fault_set(fault, TCN_IO,
                             "%s: no more watches: raise fs.inotify.max_user_instances", dir);
    default: return tcn_fault_set(fault, TCN_IO, "%s: cannot be watched: %s", dir, strerror(code));
    }
}

tcn_err tcn_watch_open(const char *dir, const char *name, tcn_watch **ret_watch, tcn_fault *fault)
{
    if (strlen(dir) >= PATH_SIZE || strlen(name) > NAME_MAX) {
        return tcn_fault_set(fault, TCN_TOO_LARGE, "%.100s…: the path is too long", dir);
    }
    tcn_watch *w = calloc(1, sizeof *w);
    if (!w) {
        return tcn_fault_set(fault, TCN_NO_MEMORY, "out of memory");
    }
    (void)snprintf(w->dir, sizeof w->dir, "%s", dir);
    (void)snprintf(w->name, sizeof w->name, "%s", name);
    w->fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
    int code = w->fd < 0 ? errno : watch_dir(w);
    if (code != 0) {
        tcn_watch_destroy(&w);
        return failed(dir, code, fault);
    }
    *ret_watch = w;
    return TCN_OK;
}

void tcn_watch_destroy(tcn_watch **watch)
{
    tcn_watch *w = *watch;
    *watch = NULL;
    if (w) {
        if (w->fd >= 0) {
            (void)close(w->fd);
        }
        free(w);
    }
}

int tcn_watch_fd(const tcn_watch *watch)
{
    return watch->fd;
}

/* Does the event say that the file changed? Notes when the directory is gone. */
static bool judge(tcn_watch *w, const struct inotify_event *event)
{
    if (event->mask & IN_Q_OVERFLOW) {
        return true;
    }
    if (event->wd != w->number) {
        return false; /* of the directory that was watched before */
    }
    if (event->mask & (IN_MOVE_SELF | IN_DELETE_SELF | IN_IGNORED)) {
        (void)inotify_rm_watch(w->fd, w->number);
        w->number = -1;
        return true;
    }
    return event->len > 0 && strcmp(event->name, w->name) == 0;
}

bool tcn_watch_take(tcn_watch *watch)
{
    _Alignas(struct inotify_event) char events[4096];
    bool has_changed = false;
    ssize_t len;
    while ((len = read(watch->fd, events, sizeof events)) > 0) {
        for (char *at = events; at < events + len;) {
            const struct inotify_event *event = (const void *)at;
            has_changed = judge(watch, event) || has_changed;
            at += sizeof *event + event->len;
        }
    }
    if (watch->number < 0 && watch_dir(watch) == 0) {
        has_changed = true; /* the file may be another there */
    }
    return has_changed;
}

bool tcn_watch_is_lost(const tcn_watch *watch)
{
    return watch->number < 0;
}
