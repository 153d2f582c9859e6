/* SPDX-License-Identifier: Apache-2.0 */
/* local.c - messages of the agent's local socket, and a blocking client for it.
 *
 *   length  4 bytes, big endian: bytes of CBOR that follow, at most LOCAL_FRAME_BYTES
 *   CBOR    [op, req, {...}]                          request
 *           [req, error, [{...}, ...], more, text]    reply */
#include "local.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "file.h"
#include "home.h"

#define LENGTH_BYTES 4u
#define READ_BYTES 65536u

tcn_err tcn_local_request_decode(tcn_bytes message, tcn_local_request *ret_request)
{
    tcn_cbor_reader r;
    tcn_local_request request;
    tcn_cbor_reader_init(&r, message);
    if (tcn_cbor_get_array(&r, 3) != 3)
        tcn_cbor_fail(&r, TCN_MALFORMED);
    request.op = tcn_cbor_get_uint(&r);
    request.req = tcn_cbor_get_uint(&r);
    if (tcn_cbor_peek(&r) != TCN_CBOR_MAP)
        tcn_cbor_fail(&r, TCN_MALFORMED);
    request.args = tcn_cbor_get_item(&r);
    tcn_err err = tcn_cbor_reader_done(&r);
    if (err == TCN_OK)
        *ret_request = request;
    return err;
}

tcn_err tcn_local_request_encode(const tcn_local_request *request, uint8_t *ret_message, size_t cap,
                                 size_t *ret_len)
{
    tcn_cbor_writer w;
    tcn_bytes written;
    tcn_cbor_writer_init(&w, ret_message,
                         cap < TCN_MAX_LOCAL_FRAME_BYTES ? cap : (size_t)TCN_MAX_LOCAL_FRAME_BYTES);
    tcn_cbor_put_array(&w, 3);
    tcn_cbor_put_uint(&w, request->op);
    tcn_cbor_put_uint(&w, request->req);
    if (request->args.len == 0)
        tcn_cbor_put_map(&w, 0);
    else
        tcn_cbor_put_raw(&w, request->args);
    tcn_err err = tcn_cbor_writer_done(&w, &written);
    if (err == TCN_OK)
        *ret_len = written.len;
    return err;
}

tcn_err tcn_local_reply_decode(tcn_bytes message, tcn_local_reply *ret_reply)
{
    tcn_cbor_reader r;
    tcn_local_reply reply;
    tcn_cbor_reader_init(&r, message);
    if (tcn_cbor_get_array(&r, 5) != 5)
        tcn_cbor_fail(&r, TCN_MALFORMED);
    reply.req = tcn_cbor_get_uint(&r);
    reply.error = tcn_err_from_wire(tcn_cbor_get_uint(&r));
    reply.items = tcn_cbor_get_array(&r, message.len);
    size_t first = r.pos;
    for (size_t i = 0; i < reply.items; i++) {
        if (tcn_cbor_peek(&r) != TCN_CBOR_MAP)
            tcn_cbor_fail(&r, TCN_MALFORMED);
        (void)tcn_cbor_get_item(&r);
    }
    reply.raw =
        r.err == TCN_OK ? tcn_bytes_of(message.ptr + first, r.pos - first) : tcn_bytes_of(NULL, 0);
    reply.more = tcn_cbor_get_bool(&r);
    reply.text = tcn_cbor_get_text(&r, TCN_MAX_NOTE_BYTES);
    tcn_err err = tcn_cbor_reader_done(&r);
    if (err == TCN_OK)
        *ret_reply = reply;
    return err;
}

tcn_err tcn_local_reply_encode(const tcn_local_reply *reply, uint8_t *ret_message, size_t cap,
                               size_t *ret_len)
{
    tcn_cbor_writer w;
    tcn_bytes written;
    if (reply->text.len > TCN_MAX_NOTE_BYTES)
        return TCN_TOO_LARGE; /* the reader would refuse it */
    tcn_cbor_writer_init(&w, ret_message,
                         cap < TCN_MAX_LOCAL_FRAME_BYTES ? cap : (size_t)TCN_MAX_LOCAL_FRAME_BYTES);
    tcn_cbor_put_array(&w, 5);
    tcn_cbor_put_uint(&w, reply->req);
    tcn_cbor_put_uint(&w, (uint64_t)reply->error);
    tcn_cbor_put_array(&w, reply->items);
    tcn_cbor_put_raw(&w, reply->raw);
    tcn_cbor_put_bool(&w, reply->more);
    tcn_cbor_put_text_bytes(&w, reply->text);
    tcn_err err = tcn_cbor_writer_done(&w, &written);
    if (err == TCN_OK)
        *ret_len = written.len;
    return err;
}

void tcn_local_stream_init(tcn_local_stream *stream)
{
    tcn_buf_init(&stream->buf, 2 * (LENGTH_BYTES + (size_t)TCN_MAX_LOCAL_FRAME_BYTES));
    stream->taken = 0;
}

void tcn_local_stream_fini(tcn_local_stream *stream)
{
    tcn_buf_fini(&stream->buf);
    stream->taken = 0;
}

tcn_err tcn_local_stream_feed(tcn_local_stream *stream, tcn_bytes bytes)
{
    if (stream->taken > 0) {
        stream->buf.len -= stream->taken;
        memmove(stream->buf.ptr, stream->buf.ptr + stream->taken, stream->buf.len);
        stream->taken = 0;
    }
    return tcn_buf_append(&stream->buf, bytes);
}

tcn_err tcn_local_stream_next(tcn_local_stream *stream, tcn_bytes *ret_message)
{
    size_t have = stream->buf.len - stream->taken;
    if (have < LENGTH_BYTES)
        return TCN_NOT_FOUND;
    const uint8_t *at = stream->buf.ptr + stream->taken;
    size_t len = (size_t)at[0] << 24 | (size_t)at[1] << 16 | (size_t)at[2] << 8 | (size_t)at[3];
    if (len > TCN_MAX_LOCAL_FRAME_BYTES)
        return TCN_TOO_LARGE;
    if (have - LENGTH_BYTES < len)
        return TCN_NOT_FOUND;
    *ret_message = tcn_bytes_of(at + LENGTH_BYTES, len);
    stream->taken += LENGTH_BYTES + len;
    return TCN_OK;
}

/* ---- the client ---- */

struct tcn_local {
    int fd;
    uint64_t req; /* of the last request */
    tcn_local_stream stream;
    uint8_t chunk[READ_BYTES];
};

static tcn_err open_socket(const char *path, int *ret_fd, tcn_fault *fault)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    size_t len = strlen(path);
    if (len >= sizeof(address.sun_path))
        return tcn_fault_set(fault, TCN_INVALID,
                             "a socket's path has at most %zu bytes; move the home to a shorter "
                             "path than %s",
                             sizeof(address.sun_path) - 1, path);
    memcpy(address.sun_path, path, len + 1);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return tcn_fault_set(fault, TCN_IO, "no socket: %s", strerror(errno));
    if (connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0) {
        *ret_fd = fd;
        return TCN_OK;
    }
    int why = errno;
    close(fd);
    if (why == EACCES || why == EPERM)
        return tcn_fault_set(fault, TCN_PERMISSIONS,
                             "%s: not allowed for this user; use the agent's user, or join the "
                             "group that its configuration names",
                             path);
    size_t below = strlen(TCN_HOME_SOCKET) + 1; /* path is HOME/run/agent.sock */
    return tcn_fault_set(fault, TCN_UNREACHABLE,
                         "no agent answers at %s (%s); start it: tocsin-agent --home %.*s", path,
                         strerror(why), (int)(len > below ? len - below : len), path);
}

tcn_err tcn_local_connect(const char *home, tcn_local **ret_local, tcn_fault *fault)
{
    char path[TCN_HOME_PATH_SIZE];
    tcn_err err = tcn_path_join(home, TCN_HOME_SOCKET, path, sizeof(path));
    if (err != TCN_OK)
        return tcn_fault_set(fault, err, "%s: the path is too long", home);
    tcn_local *local = calloc(1, sizeof(*local));
    if (local == NULL)
        return tcn_fault_set(fault, TCN_NO_MEMORY, "out of memory");
    tcn_local_stream_init(&local->stream);
    local->fd = -1;
    err = open_socket(path, &local->fd, fault);
    if (err != TCN_OK) {
        tcn_local_close(&local);
        return err;
    }
    *ret_local = local;
    return TCN_OK;
}

void tcn_local_close(tcn_local **local)
{
    if (*local == NULL)
        return;
    if ((*local)->fd >= 0)
        close((*local)->fd);
    tcn_local_stream_fini(&(*local)->stream);
    free(*local);
    *local = NULL;
}

static tcn_err write_all(int fd, const uint8_t *bytes, size_t len, tcn_fault *fault)
{
    while (len > 0) {
        ssize_t sent = send(fd, bytes, len, MSG_NOSIGNAL);
        if (sent < 0 && errno == EINTR)
            continue;
        if (sent < 0)
            return tcn_fault_set(fault, TCN_UNREACHABLE, "the agent hung up: %s", strerror(errno));
        bytes += sent;
        len -= (size_t)sent;
    }
    return TCN_OK;
}

tcn_err tcn_local_send(tcn_local *local, tcn_local_op op, tcn_bytes args, tcn_fault *fault)
{
    tcn_local_request request = {.op = op, .req = local->req + 1, .args = args};
    size_t cap = args.len + 32, len = 0; /* three heads of at most 9 bytes */
    uint8_t *message = malloc(LENGTH_BYTES + cap);
    if (message == NULL)
        return tcn_fault_set(fault, TCN_NO_MEMORY, "out of memory");
    tcn_err err = tcn_local_request_encode(&request, message + LENGTH_BYTES, cap, &len);
    if (err != TCN_OK) {
        tcn_fault_set(fault, err, "the request does not fit: %s", tcn_err_text(err));
    } else {
        for (unsigned i = 0; i < LENGTH_BYTES; i++)
            message[i] = (uint8_t)(len >> (8 * (LENGTH_BYTES - 1 - i)));
        err = write_all(local->fd, message, LENGTH_BYTES + len, fault);
        local->req++;
    }
    free(message);
    return err;
}

/* Waits for bytes and feeds them. */
static tcn_err read_more(tcn_local *local, int timeout_ms, tcn_fault *fault)
{
    struct pollfd ready = {.fd = local->fd, .events = POLLIN};
    int count = poll(&ready, 1, timeout_ms < 0 ? -1 : timeout_ms);
    if (count == 0)
        return tcn_fault_set(fault, TCN_TIMEOUT, "the agent said nothing for %d ms", timeout_ms);
    if (count < 0)
        return errno == EINTR ? TCN_BUSY
                              : tcn_fault_set(fault, TCN_IO, "poll: %s", strerror(errno));
    ssize_t got = read(local->fd, local->chunk, sizeof(local->chunk));
    if (got < 0 && (errno == EINTR || errno == EAGAIN))
        return TCN_BUSY;
    if (got <= 0)
        return tcn_fault_set(fault, TCN_UNREACHABLE, "the agent hung up%s%s", got < 0 ? ": " : "",
                             got < 0 ? strerror(errno) : "");
    tcn_err err = tcn_local_stream_feed(&local->stream, tcn_bytes_of(local->chunk, (size_t)got));
    if (err != TCN_OK)
        tcn_fault_set(fault, err, "the agent's answer: %s", tcn_err_text(err));
    return err;
}

tcn_err tcn_local_receive(tcn_local *local, int timeout_ms, tcn_local_reply *ret_reply,
                          tcn_fault *fault)
{
    for (;;) {
        tcn_bytes message;
        tcn_local_reply reply;
        tcn_err err = tcn_local_stream_next(&local->stream, &message);
        if (err == TCN_NOT_FOUND) {
            err = read_more(local, timeout_ms, fault);
            if (err == TCN_OK)
                continue;
            /* A signal: the caller's handler may want to end the wait. */
            return err == TCN_BUSY ? tcn_fault_set(fault, TCN_BUSY, "interrupted") : err;
        }
        if (err == TCN_OK)
            err = tcn_local_reply_decode(message, &reply);
        if (err != TCN_OK)
            return tcn_fault_set(fault, err, "the agent's answer: %s", tcn_err_text(err));
        if (reply.req != local->req)
            continue; /* to an earlier request that the caller gave up */
        if (reply.error != TCN_OK) {
            tcn_bytes text =
                reply.text.len > 0 ? reply.text : tcn_bytes_str(tcn_err_text(reply.error));
            return tcn_fault_set(fault, reply.error, "%.*s", (int)text.len, (const char *)text.ptr);
        }
        *ret_reply = reply;
        return TCN_OK;
    }
}
