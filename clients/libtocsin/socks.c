/* SPDX-License-Identifier: Apache-2.0 */
/* socks.c - see socks.h. The thread: accept → dial the proxy → ask it → carry. */
#define _GNU_SOURCE /* accept4, struct ucred */
#include "socks.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sodium.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include <zmq.h>

enum {
    VERSION = 5,
    NO_LOGIN = 0,
    CONNECT = 1,
    BY_IPV4 = 1,
    BY_NAME = 3,
    BY_IPV6 = 4,
    ADDRESS_MS = 3000, /* for one address of the proxy while others are left */
    PIECE_BYTES = 65536
};

struct tcn_socks {
    pthread_mutex_t lock; /* of why and refs */
    char why[TCN_SOCKS_WHY_SIZE];
    unsigned refs; /* the owner and the thread */
    int listener;
    int ended; /* an eventfd: readable when the owner is gone */
    char proxy[TCN_ADDRESS_SIZE];
    tcn_host_port at, target;
    char endpoint[TCN_SOCKS_ENDPOINT_SIZE];
};

static void unref(tcn_socks *s)
{
    (void)pthread_mutex_lock(&s->lock);
    bool last = --s->refs == 0;
    (void)pthread_mutex_unlock(&s->lock);
    if (!last)
        return;
    if (s->listener >= 0)
        (void)close(s->listener);
    if (s->ended >= 0)
        (void)close(s->ended);
    (void)pthread_mutex_destroy(&s->lock);
    free(s);
}

static void say(tcn_socks *s, const char *text)
{
    (void)pthread_mutex_lock(&s->lock);
    if (text == NULL)
        s->why[0] = '\0';
    else
        (void)snprintf(s->why, sizeof(s->why), "the proxy %s %s", s->proxy, text);
    (void)pthread_mutex_unlock(&s->lock);
}

/* ---- the thread: waiting ---- */

/* Waits until fd is ready. False: the owner is gone, or timeout_ms (-1: none) are over. */
static bool wait_for(const tcn_socks *s, int fd, short events, int timeout_ms)
{
    struct pollfd set[2] = {{.fd = s->ended, .events = POLLIN}, {.fd = fd, .events = events}};
    int ready;
    do
        ready = poll(set, 2, timeout_ms);
    while (ready < 0 && errno == EINTR);
    return ready > 0 && set[0].revents == 0;
}

static bool would_wait(void)
{
    return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR;
}

static bool write_exactly(const tcn_socks *s, int fd, const uint8_t *bytes, size_t len)
{
    while (len > 0) {
        ssize_t n = send(fd, bytes, len, MSG_NOSIGNAL);
        if (n < 0 && (!would_wait() || !wait_for(s, fd, POLLOUT, -1)))
            return false;
        if (n > 0) {
            bytes += n;
            len -= (size_t)n;
        }
    }
    return true;
}

static bool read_exactly(const tcn_socks *s, int fd, uint8_t *bytes, size_t len)
{
    while (len > 0) {
        ssize_t n = recv(fd, bytes, len, 0);
        if (n == 0 || (n < 0 && (!would_wait() || !wait_for(s, fd, POLLIN, -1))))
            return false;
        if (n > 0) {
            bytes += n;
            len -= (size_t)n;
        }
    }
    return true;
}

/* libzmq's connection: the first one that is of this process. */
static int accept_ours(const tcn_socks *s)
{
    while (wait_for(s, s->listener, POLLIN, -1)) {
        struct ucred who = {.pid = 0};
        socklen_t size = sizeof(who);
        int fd = accept4(s->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (fd < 0)
            continue;
        if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &size) == 0 && who.pid == getpid())
            return fd;
        (void)close(fd);
    }
    return -1;
}

/* ---- the thread: to the proxy ---- */

/* Connects to one address; -1 with errno. */
static int dial_one(const tcn_socks *s, const struct addrinfo *to)
{
    int why = 0, on = 1;
    socklen_t size = sizeof(why);
    int fd = socket(to->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return -1;
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    (void)setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
    if (connect(fd, to->ai_addr, to->ai_addrlen) == 0)
        return fd;
    if (errno != EINPROGRESS)
        why = errno;
    else if (!wait_for(s, fd, POLLOUT, to->ai_next != NULL ? ADDRESS_MS : -1))
        why = ETIMEDOUT;
    else if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &why, &size) != 0)
        why = errno;
    if (why == 0)
        return fd;
    (void)close(fd);
    errno = why;
    return -1;
}

/* Connects to the proxy; -1, and why is said. */
static int dial(tcn_socks *s)
{
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV};
    struct addrinfo *list = NULL;
    char port[8], text[160];
    int fd = -1;
    (void)snprintf(port, sizeof(port), "%u", s->at.port);
    int failed = getaddrinfo(s->at.host, port, &hints, &list);
    if (failed != 0) {
        (void)snprintf(text, sizeof(text), "cannot be found: %s", gai_strerror(failed));
        say(s, text);
        return -1;
    }
    for (const struct addrinfo *one = list; one != NULL && fd < 0; one = one->ai_next)
        fd = dial_one(s, one);
    if (fd < 0) {
        (void)snprintf(text, sizeof(text), "cannot be reached: %s", strerror(errno));
        say(s, text);
    }
    freeaddrinfo(list);
    return fd;
}

/* VER CMD RSV ATYP DST.ADDR DST.PORT; returns the length. */
static size_t put_request(const tcn_host_port *target, uint8_t request[static 7 + TCN_HOST_CHARS])
{
    size_t len = strlen(target->host), at = 4;
    const uint8_t head[] = {VERSION, CONNECT, 0};
    memcpy(request, head, sizeof(head));
    if (inet_pton(AF_INET, target->host, request + at) == 1) {
        request[3] = BY_IPV4;
        at += 4;
    } else if (inet_pton(AF_INET6, target->host, request + at) == 1) {
        request[3] = BY_IPV6;
        at += 16;
    } else {
        request[3] = BY_NAME;
        request[at++] = (uint8_t)len;
        memcpy(request + at, target->host, len);
        at += len;
    }
    request[at++] = (uint8_t)(target->port >> 8);
    request[at++] = (uint8_t)target->port;
    return at;
}

static const char *refusal_text(uint8_t code)
{
    static const char *const texts[] = {
        [1] = "says: general failure",
        [2] = "does not allow the connection",
        [3] = "says: network unreachable",
        [4] = "says: host unreachable, or no such name",
        [5] = "says: connection refused; check that the broker runs and that the port is open",
        [6] = "says: the time to live is over",
        [7] = "does not support CONNECT",
        [8] = "does not support this kind of address",
    };
    return code > 0 && code < sizeof(texts) / sizeof(texts[0]) ? texts[code]
                                                               : "says no, for no known reason";
}

/* The rest of the reply after VER REP RSV ATYP: an address and a port, of no interest. */
static bool skip_bound(const tcn_socks *s, int fd, uint8_t kind)
{
    uint8_t rest[256 + 2], len = 0;
    if (kind == BY_NAME && !read_exactly(s, fd, &len, 1))
        return false;
    if (kind != BY_NAME && kind != BY_IPV4 && kind != BY_IPV6)
        return false;
    size_t address = kind == BY_NAME ? len : kind == BY_IPV4 ? 4 : 16;
    return read_exactly(s, fd, rest, address + 2);
}

/* Asks for the way; NULL, or what the proxy did. */
static const char *ask(const tcn_socks *s, int fd)
{
    static const char gone[] = "closed the connection";
    const uint8_t greeting[] = {VERSION, 1, NO_LOGIN};
    uint8_t request[7 + TCN_HOST_CHARS], answer[4];
    if (!write_exactly(s, fd, greeting, sizeof(greeting)) || !read_exactly(s, fd, answer, 2))
        return gone;
    if (answer[0] != VERSION)
        return "does not speak SOCKS5";
    if (answer[1] != NO_LOGIN)
        return "demands a login, which Tocsin has none for";
    if (!write_exactly(s, fd, request, put_request(&s->target, request)) ||
        !read_exactly(s, fd, answer, 4))
        return gone;
    if (answer[0] != VERSION)
        return "does not speak SOCKS5";
    if (answer[1] != 0)
        return refusal_text(answer[1]);
    return skip_bound(s, fd, answer[3]) ? NULL : "does not speak SOCKS5";
}

/* ---- the thread: carrying ---- */

/* One direction: what was read and not yet written. */
typedef struct {
    uint8_t bytes[PIECE_BYTES];
    size_t at, len;
    bool over; /* nothing more will come */
} direction;

static bool take(direction *d, int from)
{
    ssize_t n = recv(from, d->bytes, sizeof(d->bytes), 0);
    if (n < 0)
        return would_wait();
    d->over = n == 0;
    d->at = 0;
    d->len = (size_t)n;
    return true;
}

static bool give(direction *d, int to)
{
    ssize_t n = send(to, d->bytes + d->at, d->len, MSG_NOSIGNAL);
    if (n < 0)
        return would_wait();
    d->at += (size_t)n;
    d->len -= (size_t)n;
    return true;
}

/* Both ways until one end is gone and what it had sent is delivered. */
static void carry(const tcn_socks *s, const int fd[2])
{
    direction *way = calloc(2, sizeof(*way)); /* way[i] comes from fd[i] */
    while (way != NULL) {
        struct pollfd set[3] = {[2] = {.fd = s->ended, .events = POLLIN}};
        for (int i = 0; i < 2; i++) {
            bool wants = way[i].len == 0 && !way[i].over, has = way[1 - i].len > 0;
            set[i].events = (short)((wants ? POLLIN : 0) | (has ? POLLOUT : 0));
            /* Not watched for nothing: a hang-up would be told over and over. */
            set[i].fd = set[i].events != 0 ? fd[i] : -1;
        }
        if (poll(set, 3, -1) < 0 && errno != EINTR)
            break;
        bool good = set[2].revents == 0;
        for (int i = 0; i < 2 && good; i++) {
            if (way[1 - i].len > 0 && (set[i].revents & (POLLOUT | POLLERR | POLLHUP)) != 0)
                good = give(&way[1 - i], fd[i]);
            if (good && way[i].len == 0 && !way[i].over &&
                (set[i].revents & (POLLIN | POLLERR | POLLHUP)) != 0)
                good = take(&way[i], fd[i]);
        }
        if (!good || (way[0].over && way[0].len == 0) || (way[1].over && way[1].len == 0))
            break;
    }
    free(way);
}

static void *run(void *arg)
{
    tcn_socks *s = arg;
    int fd[2] = {accept_ours(s), -1};
    if (fd[0] >= 0)
        fd[1] = dial(s);
    if (fd[1] >= 0) {
        const char *why = ask(s, fd[1]);
        say(s, why);
        if (why == NULL)
            carry(s, fd);
    }
    for (int i = 0; i < 2; i++)
        if (fd[i] >= 0)
            (void)close(fd[i]);
    unref(s);
    return NULL;
}

/* ---- the owner ---- */

/* An abstract name that nobody guesses; who finds it all the same is not of this process. */
static bool listen_here(tcn_socks *s)
{
    struct sockaddr_un here = {.sun_family = AF_UNIX};
    unsigned char random[16];
    char name[40] = "@tocsin-";
    size_t len = strlen(name);
    randombytes_buf(random, sizeof(random) - 1);
    (void)sodium_bin2hex(name + len, sizeof(name) - len, random, sizeof(random) - 1);
    (void)snprintf(s->endpoint, sizeof(s->endpoint), "ipc://%s", name);
    len = strlen(name);
    memcpy(here.sun_path + 1, name + 1, len - 1);
    s->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    return s->listener >= 0 &&
           bind(s->listener, (const struct sockaddr *)&here,
                (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len)) == 0 &&
           listen(s->listener, 4) == 0;
}

/* Detached, and no signal of the program is handled on it. */
static bool start(tcn_socks *s)
{
    pthread_t thread;
    sigset_t all, before;
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    s->refs = 2;
    int failed = pthread_create(&thread, NULL, run, s);
    if (failed == 0)
        (void)pthread_detach(thread);
    else
        s->refs = 1;
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    errno = failed;
    return failed == 0;
}

tcn_err tcn_socks_open(const char *proxy, const char *target, tcn_socks **ret_socks,
                       tcn_fault *fault)
{
    tcn_socks *s = calloc(1, sizeof(*s));
    if (s == NULL)
        return tcn_fault_set(fault, TCN_NO_MEMORY, "out of memory");
    s->refs = 1;
    s->listener = -1;
    s->ended = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    (void)pthread_mutex_init(&s->lock, NULL);
    (void)snprintf(s->proxy, sizeof(s->proxy), "%s", proxy);
    say(s, "does not answer");
    tcn_err err = tcn_host_port_parse(proxy, &s->at, fault);
    if (err == TCN_OK)
        err = tcn_host_port_parse(target, &s->target, fault);
    if (err == TCN_OK && (s->ended < 0 || !listen_here(s) || !start(s)))
        err = tcn_fault_set(fault, TCN_IO, "no way through a proxy: %s", strerror(errno));
    if (err != TCN_OK) {
        unref(s);
        return err;
    }
    *ret_socks = s;
    return TCN_OK;
}

tcn_err tcn_socks_connect(void *socket, const char *proxy, const tcn_address *address,
                          tcn_socks **ret_way, tcn_fault *fault)
{
    static const char scheme[] = "tcp://";
    const char *endpoint = address->text, *target = address->text;
    tcn_err err = TCN_OK;
    *ret_way = NULL;
    if (strncmp(target, scheme, strlen(scheme)) == 0)
        target += strlen(scheme);
    if (proxy != NULL && proxy[0] != '\0')
        err = tcn_socks_open(proxy, target, ret_way, fault);
    if (err == TCN_OK && *ret_way != NULL)
        endpoint = (*ret_way)->endpoint;
    if (err == TCN_OK && zmq_connect(socket, endpoint) != 0)
        err = tcn_fault_set(fault, TCN_UNREACHABLE, "cannot connect to %s: %s", address->text,
                            zmq_strerror(zmq_errno()));
    return err;
}

const char *tcn_socks_endpoint(const tcn_socks *socks)
{
    return socks->endpoint;
}

void tcn_socks_why(tcn_socks *socks, char ret_why[static TCN_SOCKS_WHY_SIZE])
{
    ret_why[0] = '\0';
    if (socks == NULL)
        return;
    (void)pthread_mutex_lock(&socks->lock);
    memcpy(ret_why, socks->why, TCN_SOCKS_WHY_SIZE);
    (void)pthread_mutex_unlock(&socks->lock);
}

void tcn_socks_close(tcn_socks **socks)
{
    tcn_socks *s = *socks;
    if (s == NULL)
        return;
    (void)eventfd_write(s->ended, 1);
    unref(s);
    *socks = NULL;
}
