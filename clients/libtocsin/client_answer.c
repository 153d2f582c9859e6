/* SPDX-License-Identifier: Apache-2.0 */
/* client_answer.c - see client_answer.h. */
#include "client_answer.h"

#include <stdio.h>
#include <string.h>

void tcn_answer_show(const tcn_wire_answer *answer, const tocsin_client *client,
                     tocsin_answer *ret_answer)
{
    *ret_answer = (tocsin_answer){
        .accepted = answer->has_state && answer->accepted,
        .seq_known = answer->has_seq,
        .seq = answer->seq,
        .entitled_known = answer->has_entitled,
        .entitled = answer->entitled,
        .missing = answer->has_missing ? (uint32_t)answer->missing : 0,
    };
    memcpy(ret_answer->id.bytes, answer->id.b, sizeof(answer->id.b));
    (void)snprintf(ret_answer->handle, sizeof(ret_answer->handle), "%.*s", (int)answer->handle.len,
                   (const char *)answer->handle.ptr);
    if (answer->broker.len > 0)
        (void)snprintf(ret_answer->broker, sizeof(ret_answer->broker), "%.*s",
                       (int)answer->broker.len, (const char *)answer->broker.ptr);
    else
        (void)snprintf(ret_answer->broker, sizeof(ret_answer->broker), "%s", client->broker);
}

int32_t tcn_answer_none(const tocsin_client *client, tocsin_error *error)
{
    return tcn_error_say(error, TOCSIN_STAGE_ANSWER, TCN_MALFORMED,
                         "broker %s answered with something else", client->broker);
}
