/* SPDX-License-Identifier: Apache-2.0 */
/* conn.h - one TCP connection that libzmq owns, and cutting it (DESIGN §4.5). libzmq tells only the
 * descriptor, which it may have closed and the kernel given to somebody else meanwhile: so a
 * connection is remembered with its inode and peer, and compared before it is touched. */
#ifndef TCN_CONN_H
#define TCN_CONN_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>

typedef struct {
    int fd; /* -1: none */
    uint64_t inode;
    union {
        struct sockaddr any;
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
    } peer;
} tcn_conn;

/* Remembers what fd is now. False, and ret_conn->fd -1, if it is no TCP connection any more, or not
 * one from address (as libzmq's "Peer-Address" says it; NULL: any). */
bool tcn_conn_of(int fd, const char *address, tcn_conn *ret_conn);
/* Bytes that the other side's kernel has acknowledged since the connection began. False if it is
 * gone or the kernel does not say. */
bool tcn_conn_acked(const tcn_conn *conn, uint64_t *ret_bytes);
/* Cuts it so that the peer reads not one more byte: what the kernel holds for it is dropped and a
 * reset is sent. libzmq notices and closes the descriptor. False if it was gone already. */
bool tcn_conn_cut(const tcn_conn *conn);

#endif
