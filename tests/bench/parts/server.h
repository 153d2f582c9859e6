/* SPDX-License-Identifier: Apache-2.0 */
/* server.h - a program under measurement: started, awaited until its ready line, ended. A thread
 * writes what it says to a log. */
#ifndef BENCH_SERVER_H
#define BENCH_SERVER_H

#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/types.h>

typedef struct {
    pid_t pid;
    unsigned session, emergency; /* its ports, from "ready session=A:P emergency=A:P" */
    int pipe;
    bool ready, ended;
    FILE *log;
    pthread_t reader;
    pthread_mutex_t lock;
    pthread_cond_t changed;
} bench_server;

/* Ends this process, with the log's name, if that one does not become ready. */
void bench_server_start(bench_server *server, char *const argv[], const char *log);
/* Sends the signal and waits until the process is gone. */
void bench_server_stop(bench_server *server, int signal);

#endif
