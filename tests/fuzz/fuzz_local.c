/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes on the agent's local socket, cut into pieces by the first byte: every message that
 * comes out is taken as a request and as a reply, and what decodes encodes to the same bytes. */
#include <stdlib.h>

#include "libtocsin/local.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_request(tcn_bytes message, uint8_t *memory)
{
    tcn_local_request request;
    size_t len;
    if (tcn_local_request_decode(message, &request) != TCN_OK)
        return;
    if (tcn_local_request_encode(&request, memory, message.len, &len) != TCN_OK ||
        !tcn_bytes_equal(tcn_bytes_of(memory, len), message))
        abort();
}

static void check_reply(tcn_bytes message, uint8_t *memory)
{
    tcn_local_reply reply;
    size_t len;
    if (tcn_local_reply_decode(message, &reply) != TCN_OK)
        return;
    /* An error number that we do not know reads as another one. */
    if (tcn_local_reply_encode(&reply, memory, message.len, &len) == TCN_OK && len == message.len &&
        reply.error != TCN_MALFORMED && !tcn_bytes_equal(tcn_bytes_of(memory, len), message))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    tcn_local_stream stream;
    tcn_err err = TCN_OK;
    if (size == 0)
        return 0;
    uint8_t *memory = malloc(size);
    if (memory == NULL)
        return 0;
    tcn_local_stream_init(&stream);
    for (size_t step = (size_t)data[0] + 1, at = 1; at < size && err != TCN_TOO_LARGE; at += step) {
        tcn_bytes message;
        size_t n = size - at < step ? size - at : step;
        if (tcn_local_stream_feed(&stream, tcn_bytes_of(data + at, n)) != TCN_OK)
            abort();
        while ((err = tcn_local_stream_next(&stream, &message)) == TCN_OK) {
            check_request(message, memory);
            check_reply(message, memory);
        }
    }
    tcn_local_stream_fini(&stream);
    free(memory);
    return 0;
}
