/* SPDX-License-Identifier: Apache-2.0 */
/* client_approve.c - fetches an alert, verifies it ourselves, and signs exactly that. */
#include <string.h>

#include "client_answer.h"
#include "client_prepare.h"
#include "client_query.h"

int32_t tocsin_fetch_alert(tocsin_client *client, const tocsin_id *id, tocsin_alert **ret_alert,
                           tocsin_error *error)
{
    tcn_bytes envelope;
    tocsin_alert *alert = NULL;
    int32_t code = tcn_query_envelope(client, id, &envelope, error);
    if (code == TOCSIN_OK)
        code = tcn_client_verify(client, envelope, false, &alert, error);
    if (code == TOCSIN_OK && memcmp(alert->id.bytes, id->bytes, sizeof(id->bytes)) != 0) {
        tcn_alert_view_free(alert);
        code = tcn_error_say(error, TOCSIN_STAGE_ANSWER, TCN_MALFORMED,
                             "broker %s sent another alert than was asked for", client->broker);
    }
    if (code == TOCSIN_OK)
        *ret_alert = alert;
    return code;
}

void tocsin_alert_destroy(tocsin_alert **alert)
{
    tcn_alert_view_free(*alert);
    *alert = NULL;
}

static int32_t sign_approval(tocsin_client *client, const tocsin_alert *alert,
                             uint8_t *ret_signature, size_t cap, tcn_bytes *ret_bytes,
                             tocsin_error *error)
{
    tcn_fault fault = {.err = TCN_OK};
    tcn_cose cose;
    tcn_cose_signer signer;
    size_t len = 0;
    bool suspect;
    tcn_bytes envelope = tcn_bytes_of(alert->envelope, (size_t)alert->envelope_size);
    if ((client->home.card.roles & TCN_ROLE_APPROVER) == 0)
        return tcn_error_say(error, TOCSIN_STAGE_LOCAL, TCN_WRONG_ROLE,
                             "%s does not have the role approver; the authority can grant it",
                             client->home.card.name);
    tcn_err err = tcn_cose_decode(envelope, TCN_OBJECT_ALERT, &cose);
    if (err == TCN_OK)
        err = tcn_trust_approve(&client->home.program, cose.payload,
                                &client->home.keys.secrets.sign, ret_signature, cap, &len);
    *ret_bytes = tcn_bytes_of(ret_signature, len);
    const tcn_trust_view view = {.bundle = &client->home.bundle,
                                 .now = tcn_client_time(client, &suspect),
                                 .accepting = true};
    if (err == TCN_OK)
        err = tcn_trust_verify_approval(&view, envelope, *ret_bytes, &signer, &fault);
    return err == TCN_OK ? TOCSIN_OK : tcn_error_set(error, TOCSIN_STAGE_LOCAL, err, &fault);
}

int32_t tocsin_approve(tocsin_client *client, const tocsin_alert *alert, tocsin_answer *ret_answer,
                       tocsin_error *error)
{
    uint8_t signature[256];
    tcn_bytes bytes;
    tcn_wire reply;
    int32_t code = sign_approval(client, alert, signature, sizeof(signature), &bytes, error);
    if (code != TOCSIN_OK)
        return code;
    tcn_wire request = {.op = TCN_OP_APPROVE, .approve = {.signature = bytes}};
    memcpy(request.approve.id.b, alert->id.bytes, sizeof(request.approve.id.b));
    memcpy(request.approve.payload_hash.b, alert->payload_hash, sizeof(alert->payload_hash));
    code = tcn_client_ask(client, (tcn_lane)alert->lane, &request, &reply, error);
    if (code != TOCSIN_OK)
        return code;
    if (reply.op != TCN_OP_ANSWER)
        return tcn_answer_none(client, error);
    if (reply.answer.error != TCN_OK)
        return tcn_client_refused(client, &reply, error);
    tcn_answer_show(&reply.answer, client, ret_answer);
    return TOCSIN_OK;
}
