/* SPDX-License-Identifier: Apache-2.0 */
/* conn.c - identity of a TCP connection, and its end. */
#define _GNU_SOURCE /* F_DUPFD_CLOEXEC */
#include "conn.h"

#include <fcntl.h>
#include <linux/tcp.h> /* the C library's has no tcpi_bytes_acked */
#include <netdb.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

static bool look(int fd, tcn_conn *ret_conn)
{
    struct stat info;
    tcn_conn conn = {.fd = fd};
    socklen_t size = sizeof(conn.peer);
    if (fstat(fd, &info) != 0 || !S_ISSOCK(info.st_mode) ||
        getpeername(fd, &conn.peer.any, &size) != 0 || size > sizeof(conn.peer))
        return false;
    if (conn.peer.any.sa_family != AF_INET && conn.peer.any.sa_family != AF_INET6)
        return false;
    conn.inode = info.st_ino;
    *ret_conn = conn;
    return true;
}

static bool same_peer(const tcn_conn *a, const tcn_conn *b)
{
    if (a->peer.any.sa_family != b->peer.any.sa_family)
        return false;
    if (a->peer.any.sa_family == AF_INET)
        return a->peer.v4.sin_port == b->peer.v4.sin_port &&
               a->peer.v4.sin_addr.s_addr == b->peer.v4.sin_addr.s_addr;
    return a->peer.v6.sin6_port == b->peer.v6.sin6_port &&
           memcmp(&a->peer.v6.sin6_addr, &b->peer.v6.sin6_addr, sizeof(struct in6_addr)) == 0;
}

bool tcn_conn_of(int fd, const char *address, tcn_conn *ret_conn)
{
    tcn_conn conn = {.fd = -1};
    bool found = look(fd, &conn);
    if (found && address != NULL) {
        char text[NI_MAXHOST];
        socklen_t size =
            conn.peer.any.sa_family == AF_INET ? sizeof(conn.peer.v4) : sizeof(conn.peer.v6);
        found =
            getnameinfo(&conn.peer.any, size, text, sizeof(text), NULL, 0, NI_NUMERICHOST) == 0 &&
            strcmp(text, address) == 0;
    }
    if (!found)
        conn.fd = -1;
    *ret_conn = conn;
    return found;
}

bool tcn_conn_acked(const tcn_conn *conn, uint64_t *ret_bytes)
{
    tcn_conn now;
    struct tcp_info info;
    socklen_t size = sizeof(info);
    if (conn->fd < 0 || !look(conn->fd, &now) || now.inode != conn->inode ||
        getsockopt(conn->fd, IPPROTO_TCP, TCP_INFO, &info, &size) != 0 ||
        size < offsetof(struct tcp_info, tcpi_bytes_acked) + sizeof(info.tcpi_bytes_acked))
        return false;
    *ret_bytes = info.tcpi_bytes_acked;
    return true;
}

bool tcn_conn_cut(const tcn_conn *conn)
{
    if (conn->fd < 0)
        return false;
    /* A duplicate first: libzmq may close the descriptor at any moment, and it may become another's
     * between the check and the cut. The duplicate stays what was checked. */
    int fd = fcntl(conn->fd, F_DUPFD_CLOEXEC, 0);
    if (fd < 0)
        return false;
    tcn_conn now;
    bool same = look(fd, &now) && now.inode == conn->inode && same_peer(&now, conn);
    if (same) {
        struct linger none = {.l_onoff = 1, .l_linger = 0};
        struct sockaddr nobody = {.sa_family = AF_UNSPEC};
        /* Dissolving the association drops the kernel's queues, resets the peer and wakes libzmq,
         * even if that does not read because its own queue from this peer is full. The other two
         * are for a kernel that refuses: without the linger, close would still send what is queued.
         */
        (void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &none, sizeof(none));
        (void)connect(fd, &nobody, sizeof(nobody));
        (void)shutdown(fd, SHUT_RDWR);
    }
    (void)close(fd);
    return same;
}
