/* SPDX-License-Identifier: Apache-2.0 */
/* log.c - see log.h. */
#include "log.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "libtocsin/text.h"

/* Below PIPE_BUF: a pipe that is ready takes it whole. */
#define LINE_SIZE 2048

static const struct {
    const char *word, *shown;
    int priority; /* RFC 5424 */
} levels[] = {
    [TCN_LOG_ERROR] = {"error", "ERROR", 3},    [TCN_LOG_WARNING] = {"warning", "WARNING", 4},
    [TCN_LOG_NOTICE] = {"notice", "NOTICE", 5}, [TCN_LOG_INFO] = {"info", "INFO", 6},
    [TCN_LOG_DEBUG] = {"debug", "DEBUG", 7},
};

#define LEVELS (sizeof levels / sizeof *levels)

static bool is_the_journal(const struct stat *st)
{
    unsigned long long device, inode;
    const char *stream = getenv("JOURNAL_STREAM");
    char end;
    return stream && sscanf(stream, "%llu:%llu%c", &device, &inode, &end) == 2 &&
           device == (unsigned long long)st->st_dev && inode == (unsigned long long)st->st_ino;
}

void tcn_log_out_init(tcn_log_out *out, int fd, tcn_level least)
{
    struct stat st;
    bool is_known = fstat(fd, &st) == 0;
    out->fd = fd;
    out->least = least;
    out->is_socket = is_known && S_ISSOCK(st.st_mode);
    out->is_journal = is_known && is_the_journal(&st);
    atomic_init(&out->dropped, 0);
    atomic_init(&out->is_cut, false);
}

/* Bytes that fd took without waiting; -1 if none. */
static ssize_t offer(const tcn_log_out *out, const char *line, size_t len)
{
    if (out->is_socket) {
        return send(out->fd, line, len, MSG_DONTWAIT | MSG_NOSIGNAL);
    }
    struct pollfd ready = {out->fd, POLLOUT, 0};
    if (poll(&ready, 1, 0) != 1 || !(ready.revents & POLLOUT)) {
        return -1;
    }
    return write(out->fd, line, len);
}

static bool put(tcn_log_out *out, const char *line, size_t len)
{
    ssize_t took = offer(out, line, len);
    if (took > 0 && (size_t)took < len) {
        atomic_store(&out->is_cut, true);
    }
    return took > 0;
}

/* What is written before event, without the space. */
static void mark_of(const tcn_log_out *out, tcn_level level, char ret_mark[static 16])
{
    if (out->is_journal) {
        (void)snprintf(ret_mark, 16, "<%d>", levels[level].priority);
    } else {
        (void)snprintf(ret_mark, 16, "%s ", levels[level].shown);
    }
}

static void log_line(void *self, tcn_level level, const char *event, const char *text)
{
    tcn_log_out *out = self;
    char mark[16], neutral[LINE_SIZE - 128], line[LINE_SIZE];
    if ((unsigned)level >= LEVELS || level > out->least) {
        return;
    }
    if (atomic_exchange(&out->is_cut, false)) {
        (void)put(out, "\n", 1);
    }
    unsigned dropped = atomic_exchange(&out->dropped, 0);
    if (dropped > 0) {
        mark_of(out, TCN_LOG_WARNING, mark);
        int len = snprintf(line, sizeof line, "%slog-dropped %u lines: nobody read them\n", mark,
                           dropped);
        if (!put(out, line, (size_t)len)) {
            (void)atomic_fetch_add(&out->dropped, dropped);
        }
    }
    (void)tcn_text_line(tcn_bytes_str(text), neutral, sizeof neutral);
    mark_of(out, level, mark);
    int len =
        snprintf(line, sizeof line, "%s%.64s%s%s\n", mark, event, *neutral ? " " : "", neutral);
    if (!put(out, line, (size_t)len)) {
        (void)atomic_fetch_add(&out->dropped, 1);
    }
}

tcn_log tcn_log_out_port(tcn_log_out *out)
{
    return (tcn_log){log_line, out};
}

tcn_err tcn_level_parse(const char *word, tcn_level *ret_level)
{
    for (size_t i = 0; i < LEVELS; i++) {
        if (strcmp(word, levels[i].word) == 0) {
            *ret_level = (tcn_level)i;
            return TCN_OK;
        }
    }
    return TCN_INVALID;
}

const char *tcn_level_word(tcn_level level)
{
    return (unsigned)level < LEVELS ? levels[level].word : "unknown";
}

void tcn_log_events_print(FILE *out, const tcn_log_event *events, size_t count)
{
    for (size_t i = 0; i < count; i++)
        (void)fprintf(out, "%s\t%s\t%s\t%s\n",
                      events[i].is_alarm ? "alarm" : tcn_level_word(events[i].level),
                      events[i].word, events[i].means, events[i].to_do);
}
