/* SPDX-License-Identifier: Apache-2.0 */
/* local.h - the agent's local socket (docs/protocol.md §8): operations, framing (4-byte big-endian
 * length, then CBOR), and a small blocking client for the CLI. */
#ifndef TCN_LOCAL_H
#define TCN_LOCAL_H

#include "cbor.h"
#include "limits.h"

typedef enum {
    TCN_LOCAL_STATUS = 1,
    TCN_LOCAL_INBOX = 2,
    TCN_LOCAL_SHOW = 3,
    TCN_LOCAL_BODY = 4,
    TCN_LOCAL_ACK = 5,
    TCN_LOCAL_RESOLVE = 6
} tcn_local_op;

typedef struct {
    uint64_t op, req;
    tcn_bytes args; /* the encoded map */
} tcn_local_request;

typedef struct {
    uint64_t req;
    tcn_err error;
    size_t items;
    tcn_bytes raw; /* items maps, encoded */
    bool more;
    tcn_bytes text;
} tcn_local_reply;

TCN_CHECKED tcn_err tcn_local_request_decode(tcn_bytes message, tcn_local_request *ret_request);
TCN_CHECKED tcn_err tcn_local_request_encode(const tcn_local_request *request, uint8_t *ret_message,
                                             size_t cap, size_t *ret_len);
TCN_CHECKED tcn_err tcn_local_reply_decode(tcn_bytes message, tcn_local_reply *ret_reply);
TCN_CHECKED tcn_err tcn_local_reply_encode(const tcn_local_reply *reply, uint8_t *ret_message,
                                           size_t cap, size_t *ret_len);

/* Collects a stream into messages. Feed bytes as they come, at most LOCAL_FRAME_BYTES at a time,
 * and take all messages before the next feed; next gives each whole message as a view until then.
 * TCN_TOO_LARGE: the length is above LOCAL_FRAME_BYTES: hang up. */
typedef struct {
    tcn_buf buf;
    size_t taken;
} tcn_local_stream;

void tcn_local_stream_init(tcn_local_stream *stream);
void tcn_local_stream_fini(tcn_local_stream *stream);
TCN_CHECKED tcn_err tcn_local_stream_feed(tcn_local_stream *stream, tcn_bytes bytes);
/* TCN_NOT_FOUND: no whole message yet. */
TCN_CHECKED tcn_err tcn_local_stream_next(tcn_local_stream *stream, tcn_bytes *ret_message);

/* Blocking client: connects to HOME/run/agent.sock. TCN_UNREACHABLE: no agent runs there, with the
 * remedy in fault. */
typedef struct tcn_local tcn_local;
TCN_CHECKED tcn_err tcn_local_connect(const char *home, tcn_local **ret_local, tcn_fault *fault);
void tcn_local_close(tcn_local **local);
TCN_CHECKED tcn_err tcn_local_send(tcn_local *local, tcn_local_op op, tcn_bytes args,
                                   tcn_fault *fault);
/* The next reply to the last request; its views live until the next call. timeout_ms: the longest
 * silence; < 0: wait forever. An error that the agent answered is returned, with its text in
 * fault. TCN_UNREACHABLE: it hung up. TCN_BUSY: a signal came; call again to go on waiting. */
TCN_CHECKED tcn_err tcn_local_receive(tcn_local *local, int timeout_ms, tcn_local_reply *ret_reply,
                                      tcn_fault *fault);

#endif
