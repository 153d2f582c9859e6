/* SPDX-License-Identifier: Apache-2.0 */
/* local_server.c - accept, read, write; all non-blocking. */
#define _GNU_SOURCE /* accept4, struct ucred */
#include "local_server.h"

#include <errno.h>
#include <grp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "libtocsin/file.h"
#include "libtocsin/local.h"

enum {
    REQUESTS_PER_CLIENT = 8, /* in one turn */
    INPUTS = TCN_MAX_LOCAL_CLIENTS * (REQUESTS_PER_CLIENT + 1),
    READ_BYTES = 16384,
    LENGTH_BYTES = 4,
    OUT_BYTES = 2 * TCN_MAX_LOCAL_FRAME_BYTES, /* waiting for one reader, then FULL */
    OUT_BYTES_MAX = OUT_BYTES + TCN_MAX_LOCAL_FRAME_BYTES + LENGTH_BYTES,
    SLOW_MS = 30000,
    GROUPS = 1024
};

typedef struct {
    int fd; /* -1: a free place, or gone and not yet told */
    tcn_peer peer;
    tcn_local_stream in;
    tcn_buf out;
    size_t sent;          /* of out */
    uint64_t progress_ms; /* when something was last taken, or there was nothing to take */
    bool used;
    bool more_in; /* whole requests are left in the stream */
    bool closing; /* hang up once all is out */
    bool told;    /* the core knows that it is gone */
} client;

struct tcn_local_server {
    char path[sizeof(((struct sockaddr_un *)NULL)->sun_path)];
    const tcn_clock *clock;
    int fd;
    bool has_group;
    gid_t group;
    uint64_t refused;
    tcn_peer next_peer;
    client client[TCN_MAX_LOCAL_CLIENTS];
    tcn_agent_input input[INPUTS];
    size_t inputs;
    uint8_t chunk[READ_BYTES];
};

static uint64_t now_ms(const tcn_local_server *server)
{
    return server->clock->mono(server->clock->self).ms;
}

/* ---- who may ---- */

static bool in_group(int fd, gid_t primary, gid_t group)
{
    if (primary == group)
        return true;
    gid_t groups[GROUPS];
    socklen_t size = sizeof(groups);
    if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups, &size) != 0)
        return false;
    for (size_t i = 0; i < size / sizeof(groups[0]); i++)
        if (groups[i] == group)
            return true;
    return false;
}

static bool may_connect(const tcn_local_server *server, int fd)
{
    struct ucred peer;
    socklen_t size = sizeof(peer);
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0 || size != sizeof(peer))
        return false;
    return peer.uid == 0 || peer.uid == geteuid() ||
           (server->has_group && in_group(fd, peer.gid, server->group));
}

/* ---- clients ---- */

/* The peer is told as gone with the next read. */
static void hang_up(client *one)
{
    if (one->fd >= 0)
        (void)close(one->fd);
    one->fd = -1;
}

static void forget(client *one)
{
    hang_up(one);
    tcn_local_stream_fini(&one->in);
    tcn_buf_fini(&one->out);
    *one = (client){.fd = -1};
}

static client *by_peer(tcn_local_server *server, tcn_peer peer)
{
    for (size_t i = 0; i < TCN_MAX_LOCAL_CLIENTS; i++)
        if (server->client[i].used && server->client[i].peer == peer)
            return &server->client[i];
    return NULL;
}

static client *free_place(tcn_local_server *server)
{
    for (size_t i = 0; i < TCN_MAX_LOCAL_CLIENTS; i++)
        if (!server->client[i].used)
            return &server->client[i];
    return NULL;
}

static void accept_all(tcn_local_server *server)
{
    for (;;) {
        int fd = accept4(server->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (fd < 0 && errno == ECONNABORTED)
            continue;
        if (fd < 0)
            return; /* none waits, or no descriptor is free: later */
        client *one = free_place(server);
        if (one == NULL || !may_connect(server, fd)) {
            server->refused++;
            (void)close(fd);
            continue;
        }
        *one = (client){
            .fd = fd, .peer = server->next_peer++, .used = true, .progress_ms = now_ms(server)};
        tcn_local_stream_init(&one->in);
        tcn_buf_init(&one->out, OUT_BYTES_MAX);
    }
}

static void write_out(tcn_local_server *server, client *one)
{
    while (one->fd >= 0 && one->sent < one->out.len) {
        ssize_t sent = send(one->fd, one->out.ptr + one->sent, one->out.len - one->sent,
                            MSG_NOSIGNAL | MSG_DONTWAIT);
        if (sent < 0 && errno == EINTR)
            continue;
        if (sent < 0) {
            if (errno != EAGAIN && errno != EWOULDBLOCK)
                hang_up(one);
            break;
        }
        one->sent += (size_t)sent;
        one->progress_ms = now_ms(server);
    }
    if (one->sent == one->out.len) {
        /* A large answer's memory is not kept for a client that only listens. */
        if (one->out.cap > READ_BYTES)
            tcn_buf_fini(&one->out);
        tcn_buf_clear(&one->out);
        one->out.max_bytes = OUT_BYTES_MAX;
        one->sent = 0;
    } else if (one->sent > OUT_BYTES / 2) {
        one->out.len -= one->sent;
        memmove(one->out.ptr, one->out.ptr + one->sent, one->out.len);
        one->sent = 0;
    }
}

static void put_input(tcn_local_server *server, const client *one, tcn_agent_input_kind kind,
                      tcn_bytes frame)
{
    server->input[server->inputs++] =
        (tcn_agent_input){.kind = kind, .peer = one->peer, .frame = frame};
}

/* Whole requests that are there already; true: there may be more. */
static bool take_requests(tcn_local_server *server, client *one)
{
    for (size_t i = 0; i < REQUESTS_PER_CLIENT; i++) {
        tcn_bytes message;
        tcn_err err = tcn_local_stream_next(&one->in, &message);
        if (err == TCN_NOT_FOUND)
            return false;
        if (err != TCN_OK) {
            hang_up(one);
            return false;
        }
        put_input(server, one, TCN_AGENT_LOCAL, message);
    }
    return true;
}

/* Requests view the stream until it is fed again: so those that are left come first. */
static void read_client(tcn_local_server *server, client *one)
{
    if (!one->more_in) {
        ssize_t got = recv(one->fd, server->chunk, sizeof(server->chunk), MSG_DONTWAIT);
        if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR))
            return;
        tcn_bytes bytes = tcn_bytes_of(server->chunk, got > 0 ? (size_t)got : 0);
        if (got <= 0 || tcn_local_stream_feed(&one->in, bytes) != TCN_OK) {
            hang_up(one);
            return;
        }
    }
    one->more_in = take_requests(server, one);
}

static bool is_slow(const tcn_local_server *server, const client *one)
{
    return one->sent < one->out.len && now_ms(server) - one->progress_ms >= SLOW_MS;
}

static void serve(tcn_local_server *server, client *one)
{
    if (one->fd >= 0)
        write_out(server, one);
    if (one->fd >= 0 && (is_slow(server, one) || (one->closing && one->out.len == 0)))
        hang_up(one);
    if (one->fd >= 0 && !one->closing)
        read_client(server, one);
    if (one->fd < 0) {
        put_input(server, one, TCN_AGENT_LOCAL_GONE, tcn_bytes_of(NULL, 0));
        one->told = true; /* its requests of this turn are still viewed: forgotten with the next */
    }
}

size_t tcn_local_server_read(tcn_local_server *server, const tcn_agent_input **ret_inputs,
                             bool *ret_more)
{
    server->inputs = 0;
    *ret_more = false;
    for (size_t i = 0; i < TCN_MAX_LOCAL_CLIENTS; i++)
        if (server->client[i].used && server->client[i].told)
            forget(&server->client[i]);
    accept_all(server);
    for (size_t i = 0; i < TCN_MAX_LOCAL_CLIENTS; i++) {
        client *one = &server->client[i];
        if (!one->used)
            continue;
        serve(server, one);
        *ret_more = *ret_more || one->more_in;
    }
    *ret_inputs = server->input;
    return server->inputs;
}

/* ---- waiting ---- */

size_t tcn_local_server_fds(const tcn_local_server *server,
                            struct pollfd ret_fd[static TCN_LOCAL_SERVER_FDS])
{
    size_t count = 0;

    for (size_t i = 0; i < TCN_MAX_LOCAL_CLIENTS; i++) {
        const client *one = &server->client[i];

        if (!one->used || one->fd < 0)
            continue;
        short events = one->closing ? 0 : POLLIN;
        if (one->sent < one->out.len)
            events |= POLLOUT;
        ret_fd[count++] = (struct pollfd){.fd = one->fd, .events = events};
    }
    /* Also when all places are taken: those who come then are turned away. */
    ret_fd[count++] = (struct pollfd){.fd = server->fd, .events = POLLIN};
    return count;
}

tcn_mono tcn_local_server_deadline(const tcn_local_server *server)
{
    tcn_mono deadline = {.ms = UINT64_MAX};
    for (size_t i = 0; i < TCN_MAX_LOCAL_CLIENTS; i++) {
        const client *one = &server->client[i];
        if (!one->used)
            continue;
        if ((one->fd < 0 && !one->told) || (one->closing && one->out.len == 0))
            deadline.ms = 0;
        else if (one->sent < one->out.len && one->progress_ms + SLOW_MS < deadline.ms)
            deadline.ms = one->progress_ms + SLOW_MS;
    }
    return deadline;
}

uint64_t tcn_local_server_refused(const tcn_local_server *server)
{
    return server->refused;
}

/* ---- sending ---- */

tcn_send_result tcn_local_server_send(tcn_local_server *server, tcn_peer peer, tcn_bytes message)
{
    client *one = by_peer(server, peer);
    if (one == NULL || one->fd < 0 || one->closing)
        return TCN_SEND_GONE;
    if (message.len > TCN_MAX_LOCAL_FRAME_BYTES)
        return TCN_SEND_GONE; /* it could never be sent: a core that tries again would not end */
    if (one->out.len - one->sent > OUT_BYTES)
        return TCN_SEND_FULL;
    const uint8_t head[LENGTH_BYTES] = {(uint8_t)(message.len >> 24), (uint8_t)(message.len >> 16),
                                        (uint8_t)(message.len >> 8), (uint8_t)message.len};
    if (one->out.len == 0)
        one->progress_ms = now_ms(server);
    /* Both or nothing: half a message would garble all that follow. */
    if (tcn_buf_reserve(&one->out, LENGTH_BYTES + message.len) != TCN_OK ||
        tcn_buf_append(&one->out, tcn_bytes_of(head, sizeof(head))) != TCN_OK)
        return TCN_SEND_FULL;
    if (tcn_buf_append(&one->out, message) != TCN_OK) {
        one->out.len -= LENGTH_BYTES;
        return TCN_SEND_FULL;
    }
    write_out(server, one);
    return one->fd < 0 ? TCN_SEND_GONE : TCN_SENT;
}

void tcn_local_server_close(tcn_local_server *server, tcn_peer peer)
{
    client *one = by_peer(server, peer);
    if (one != NULL)
        one->closing = true;
}

/* ---- life ---- */

static tcn_err find_group(tcn_local_server *server, const char *name, tcn_fault *fault)
{
    if (name == NULL || name[0] == '\0')
        return TCN_OK;
    const struct group *group = getgrnam(name);
    if (group == NULL)
        return tcn_fault_set(fault, TCN_NOT_FOUND,
                             "there is no group \"%s\"; make it, or take local-group out of the "
                             "configuration",
                             name);
    server->has_group = true;
    server->group = group->gr_gid;
    return TCN_OK;
}

static tcn_err make_directory(const tcn_local_server *server, tcn_fault *fault)
{
    char directory[sizeof(server->path)];
    (void)snprintf(directory, sizeof(directory), "%s", server->path);
    char *slash = strrchr(directory, '/');
    if (slash == NULL)
        return tcn_fault_set(fault, TCN_INVALID, "%s: not in a directory", server->path);
    *slash = '\0';
    tcn_err err = tcn_dir_make(directory, 0700, fault);
    if (err != TCN_OK)
        return err;
    mode_t mode = server->has_group ? 0750 : 0700;
    if ((server->has_group && chown(directory, (uid_t)-1, server->group) != 0) ||
        chmod(directory, mode) != 0)
        return tcn_fault_set(fault, TCN_PERMISSIONS, "%s: %s", directory, strerror(errno));
    return TCN_OK;
}

static tcn_err listen_at(tcn_local_server *server, tcn_fault *fault)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    memcpy(address.sun_path, server->path, sizeof(address.sun_path));
    server->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (server->fd < 0 || (unlink(server->path) != 0 && errno != ENOENT) ||
        bind(server->fd, (struct sockaddr *)&address, sizeof(address)) != 0)
        return tcn_fault_set(fault, TCN_IO, "%s: %s", server->path, strerror(errno));
    if ((server->has_group && chown(server->path, (uid_t)-1, server->group) != 0) ||
        chmod(server->path, server->has_group ? 0660 : 0600) != 0 ||
        listen(server->fd, TCN_MAX_LOCAL_CLIENTS) != 0)
        return tcn_fault_set(fault, TCN_IO, "%s: %s", server->path, strerror(errno));
    return TCN_OK;
}

tcn_err tcn_local_server_new(const char *path, const char *group, const tcn_clock *clock,
                             tcn_local_server **ret_server, tcn_fault *fault)
{
    if (strlen(path) >= sizeof(((tcn_local_server *)NULL)->path))
        return tcn_fault_set(fault, TCN_INVALID,
                             "a socket's path has at most %zu bytes; move the home to a shorter "
                             "path than %s",
                             sizeof(((tcn_local_server *)NULL)->path) - 1, path);
    tcn_local_server *server = calloc(1, sizeof(*server));
    if (server == NULL)
        return tcn_fault_set(fault, TCN_NO_MEMORY, "out of memory");
    (void)snprintf(server->path, sizeof(server->path), "%s", path);
    server->clock = clock;
    server->fd = -1;
    server->next_peer = TCN_LOCAL_PEER_FIRST;
    for (size_t i = 0; i < TCN_MAX_LOCAL_CLIENTS; i++)
        server->client[i].fd = -1;
    tcn_err err = find_group(server, group, fault);
    if (err == TCN_OK)
        err = make_directory(server, fault);
    if (err == TCN_OK)
        err = listen_at(server, fault);
    if (err != TCN_OK) {
        tcn_local_server_destroy(&server);
        return err;
    }
    *ret_server = server;
    return TCN_OK;
}

void tcn_local_server_destroy(tcn_local_server **server_ref)
{
    tcn_local_server *server = *server_ref;
    if (server == NULL)
        return;
    for (size_t i = 0; i < TCN_MAX_LOCAL_CLIENTS; i++)
        if (server->client[i].used)
            forget(&server->client[i]);
    if (server->fd >= 0) {
        (void)close(server->fd);
        (void)unlink(server->path);
    }
    free(server);
    *server_ref = NULL;
}
