/* SPDX-License-Identifier: Apache-2.0 */
/* server.c - see server.h. */
#define _GNU_SOURCE
#include "server.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "measure.h"

static unsigned port_after(const char *line, const char *word)
{
    const char *at = strstr(line, word);
    at = at != NULL ? at + strlen(word) : "";
    const char *end = at + strcspn(at, " \n");
    while (end > at && end[-1] >= '0' && end[-1] <= '9')
        end--;
    return (unsigned)strtoul(end, NULL, 10);
}

static void note(bench_server *server, const char *line)
{
    (void)pthread_mutex_lock(&server->lock);
    if (line == NULL) {
        server->ended = true;
    } else if (strncmp(line, "ready ", 6) == 0) {
        server->session = port_after(line, "session=");
        server->emergency = port_after(line, "emergency=");
        server->ready = true;
    }
    (void)pthread_cond_broadcast(&server->changed);
    (void)pthread_mutex_unlock(&server->lock);
}

static void *read_lines(void *arg)
{
    bench_server *server = arg;
    FILE *from = fdopen(server->pipe, "r");
    char line[1024];
    while (from != NULL && fgets(line, sizeof(line), from) != NULL) {
        (void)fputs(line, server->log);
        (void)fflush(server->log);
        note(server, line);
    }
    note(server, NULL);
    if (from != NULL)
        (void)fclose(from);
    return NULL;
}

static void become(char *const argv[], const int ends[static 2])
{
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    (void)dup2(ends[1], STDERR_FILENO);
    (void)dup2(ends[1], STDOUT_FILENO);
    (void)execv(argv[0], argv);
    (void)fprintf(stderr, "%s: %s\n", argv[0], strerror(errno));
    _exit(127);
}

void bench_server_start(bench_server *server, char *const argv[], const char *log)
{
    int ends[2];
    *server = (bench_server){.log = fopen(log, "ae")};
    if (server->log == NULL || pipe2(ends, O_CLOEXEC) != 0)
        bench_die(log, strerror(errno));
    (void)pthread_mutex_init(&server->lock, NULL);
    (void)pthread_cond_init(&server->changed, NULL);
    server->pipe = ends[0];
    server->pid = fork();
    if (server->pid == 0)
        become(argv, ends);
    (void)close(ends[1]);
    if (server->pid < 0 || pthread_create(&server->reader, NULL, read_lines, server) != 0)
        bench_die(argv[0], strerror(errno));
    (void)pthread_mutex_lock(&server->lock);
    while (!server->ready && !server->ended)
        (void)pthread_cond_wait(&server->changed, &server->lock);
    bool ready = server->ready;
    (void)pthread_mutex_unlock(&server->lock);
    if (!ready)
        bench_die(argv[0], log);
}

void bench_server_stop(bench_server *server, int signal)
{
    if (server->pid <= 0)
        return;
    (void)kill(server->pid, signal);
    (void)waitpid(server->pid, NULL, 0);
    (void)pthread_join(server->reader, NULL);
    (void)fclose(server->log);
    (void)pthread_cond_destroy(&server->changed);
    (void)pthread_mutex_destroy(&server->lock);
    server->pid = 0;
}
