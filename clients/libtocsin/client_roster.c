/* SPDX-License-Identifier: Apache-2.0 */
/* client_roster.c - an operator hands a broker newer trust, piece by piece. */
#include "client_answer.h"

enum { RESTARTS = 5 };

static int32_t put_pieces(tocsin_client *client, tcn_bytes file, tocsin_progress_fn *progress,
                          void *progress_arg, tocsin_error *error)
{
    size_t offset = 0;
    for (unsigned restarts = 0; offset < file.len;) {
        size_t left = file.len - offset;
        size_t len = left < TCN_MAX_CHUNK_BYTES ? left : TCN_MAX_CHUNK_BYTES;
        tcn_wire reply, request = {.op = TCN_OP_ROSTER_PUT,
                                   .roster_put = {.total = file.len,
                                                  .offset = offset,
                                                  .bytes = tcn_bytes_of(file.ptr + offset, len)}};
        int32_t code = tcn_client_ask(client, TCN_LANE_BULK, &request, &reply, error);
        if (code != TOCSIN_OK)
            return code;
        if (reply.op != TCN_OP_ANSWER)
            return tcn_answer_none(client, error);
        /* On a new connection the broker has nothing of it: begin again. */
        if (reply.answer.error == TCN_CONFLICT && offset > 0 && restarts++ < RESTARTS) {
            offset = 0;
            continue;
        }
        if (reply.answer.error != TCN_OK)
            return tcn_client_refused(client, &reply, error);
        offset += len;
        if (progress != NULL)
            progress(progress_arg, offset, file.len);
    }
    return TOCSIN_OK;
}

int32_t tocsin_put_roster(tocsin_client *client, const void *file, uint64_t size,
                          tocsin_progress_fn *progress, void *progress_arg, tocsin_error *error)
{
    if (size == 0 || size > TCN_MAX_ROSTER_BYTES)
        return tcn_error_say(error, TOCSIN_STAGE_LOCAL, TCN_TOO_LARGE,
                             "a trust file has at most %d bytes", TCN_MAX_ROSTER_BYTES);
    /* Our own bundle is often the newer one already, and the broker refuses who knows better. */
    tcn_client_hang_up(client);
    client->brings_trust = true;
    int32_t code =
        put_pieces(client, tcn_bytes_of(file, (size_t)size), progress, progress_arg, error);
    client->brings_trust = false;
    tcn_client_hang_up(client);
    return code;
}
