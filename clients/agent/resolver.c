/* SPDX-License-Identifier: Apache-2.0 */
/* resolver.c - a queue of open jobs and one of done ones under one lock. getaddrinfo cannot be
 * cancelled and may take minutes: on destroy the thread is left alone and cleans up last. */
#include "resolver.h"

#include <arpa/inet.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum { QUEUE = 64, STACK_BYTES = 262144 };

/* One lookup: a question, and then its answer. */
typedef struct {
    char host_port[TCN_ADDRESS_SIZE];
    tcn_resolver_answer answer;
} job;

typedef struct {
    size_t count;
    job *job[QUEUE];
} queue;

struct tcn_resolver {
    pthread_mutex_t lock;
    pthread_cond_t asked;
    int fd; /* an eventfd, the owner's */
    bool has_thread, abandoned;
    bool at_work; /* the thread has one that is in neither queue */
    uint64_t lookups;
    queue open, done;
};

/* There is always room: ask bounds what is in both queues and at work. */
static void push(queue *to, job *one)
{
    to->job[to->count++] = one;
}

static job *pop(queue *from)
{
    if (from->count == 0)
        return NULL;
    job *one = from->job[0];
    from->count--;
    memmove(from->job, from->job + 1, from->count * sizeof(from->job[0]));
    return one;
}

tcn_err tcn_resolver_new(tcn_resolver **ret_resolver, tcn_fault *fault)
{
    tcn_resolver *resolver = calloc(1, sizeof(*resolver));
    if (resolver == NULL)
        return tcn_fault_set(fault, TCN_NO_MEMORY, "out of memory");
    resolver->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (resolver->fd < 0) {
        free(resolver);
        return tcn_fault_set(fault, TCN_IO, "no eventfd for the resolver");
    }
    (void)pthread_mutex_init(&resolver->lock, NULL);
    (void)pthread_cond_init(&resolver->asked, NULL);
    *ret_resolver = resolver;
    return TCN_OK;
}

static void free_all(tcn_resolver *resolver)
{
    job *one;
    while ((one = pop(&resolver->open)) != NULL)
        free(one);
    while ((one = pop(&resolver->done)) != NULL)
        free(one);
    (void)pthread_cond_destroy(&resolver->asked);
    (void)pthread_mutex_destroy(&resolver->lock);
    free(resolver);
}

static void look_up(job *one)
{
    tcn_fault fault = {.err = TCN_OK};
    tcn_resolver_answer *answer = &one->answer;
    if (tcn_curve_resolve(one->host_port, answer->address, &answer->addresses, &fault) != TCN_OK)
        answer->addresses = 0;
    (void)snprintf(answer->why, sizeof(answer->why), "%.*s", (int)sizeof(answer->why) - 1,
                   fault.text);
}

/* The next job; NULL: the owner is gone. */
static job *wait_job(tcn_resolver *resolver)
{
    (void)pthread_mutex_lock(&resolver->lock);
    while (resolver->open.count == 0 && !resolver->abandoned)
        (void)pthread_cond_wait(&resolver->asked, &resolver->lock);
    job *one = resolver->abandoned ? NULL : pop(&resolver->open);
    resolver->at_work = one != NULL;
    (void)pthread_mutex_unlock(&resolver->lock);
    return one;
}

static void hand_over(tcn_resolver *resolver, job *one)
{
    (void)pthread_mutex_lock(&resolver->lock);
    resolver->at_work = false;
    push(&resolver->done, one);
    if (!resolver->abandoned) {
        uint64_t more = 1;
        ssize_t written = write(resolver->fd, &more, sizeof(more));
        (void)written; /* an eventfd that is full is as readable */
    }
    (void)pthread_mutex_unlock(&resolver->lock);
}

static void *work(void *arg)
{
    tcn_resolver *resolver = arg;
    job *one;
    while ((one = wait_job(resolver)) != NULL) {
        look_up(one);
        hand_over(resolver, one);
    }
    free_all(resolver);
    return NULL;
}

static bool start_thread(tcn_resolver *resolver)
{
    if (resolver->has_thread)
        return true;
    sigset_t all, before;
    pthread_t thread;
    pthread_attr_t attr;
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before); /* signals are the loop's */
    (void)pthread_attr_init(&attr);
    (void)pthread_attr_setstacksize(&attr, STACK_BYTES);
    (void)pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
    resolver->has_thread = pthread_create(&thread, &attr, work, resolver) == 0;
    (void)pthread_attr_destroy(&attr);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    return resolver->has_thread;
}

tcn_err tcn_resolver_ask(tcn_resolver *resolver, const char *host_port, uint64_t *ret_lookup)
{
    job *one = calloc(1, sizeof(*one));
    if (one == NULL)
        return TCN_NO_MEMORY;
    (void)snprintf(one->host_port, sizeof(one->host_port), "%s", host_port);
    tcn_err err = start_thread(resolver) ? TCN_BUSY : TCN_IO;
    (void)pthread_mutex_lock(&resolver->lock);
    size_t under_way = resolver->open.count + resolver->done.count + (resolver->at_work ? 1 : 0);
    if (err == TCN_BUSY && under_way < QUEUE) {
        one->answer.lookup = *ret_lookup = ++resolver->lookups;
        push(&resolver->open, one);
        (void)pthread_cond_signal(&resolver->asked);
        err = TCN_OK;
    }
    (void)pthread_mutex_unlock(&resolver->lock);
    if (err != TCN_OK)
        free(one);
    return err;
}

int tcn_resolver_fd(const tcn_resolver *resolver)
{
    return resolver->fd;
}

tcn_err tcn_resolver_next(tcn_resolver *resolver, tcn_resolver_answer *ret_answer)
{
    (void)pthread_mutex_lock(&resolver->lock);
    job *one = pop(&resolver->done);
    if (one == NULL) {
        uint64_t count;
        ssize_t got = read(resolver->fd, &count, sizeof(count));
        (void)got; /* nothing to reset is fine */
    }
    (void)pthread_mutex_unlock(&resolver->lock);
    if (one == NULL)
        return TCN_NOT_FOUND;
    *ret_answer = one->answer;
    free(one);
    return TCN_OK;
}

void tcn_resolver_destroy(tcn_resolver **resolver_ref)
{
    tcn_resolver *resolver = *resolver_ref;
    if (resolver == NULL)
        return;
    (void)pthread_mutex_lock(&resolver->lock);
    (void)close(resolver->fd);
    resolver->fd = -1;
    resolver->abandoned = true;
    (void)pthread_cond_signal(&resolver->asked);
    bool has_thread = resolver->has_thread;
    (void)pthread_mutex_unlock(&resolver->lock);
    if (!has_thread)
        free_all(resolver);
    *resolver_ref = NULL;
}

bool tcn_resolver_is_numeric(const char *host_port)
{
    tcn_host_port target;
    struct in6_addr v6;
    struct in_addr v4;
    return tcn_host_port_parse(host_port, &target, NULL) == TCN_OK &&
           (inet_pton(AF_INET, target.host, &v4) == 1 ||
            inet_pton(AF_INET6, target.host, &v6) == 1);
}
