/* SPDX-License-Identifier: Apache-2.0 */
/* client_submit.c - hands an alert over, and its body in a window of pieces. */
#include <stdio.h>
#include <string.h>

#include "client_answer.h"
#include "client_prepare.h"
#include "client_query.h"

enum {
    FRUITLESS = 5, /* rounds of an upload that brought not one byte */
    BUSY_WAIT_MS = 100
};

/* Says no, but may say yes to the same bytes later. */
static bool is_passing(tcn_err err)
{
    return err == TCN_BUSY || err == TCN_FULL || err == TCN_IO || err == TCN_NO_MEMORY ||
           err == TCN_STALE;
}

/* ---- bodies ---- */

typedef struct {
    const tocsin_prepared *prepared;
    tocsin_progress_fn *progress;
    void *progress_arg;
    uint64_t have, sent;        /* at the broker; handed to the connection */
    uint64_t first_req;         /* of this round */
    unsigned under_way, pieces; /* of this round */
    bool rewind;                /* a piece was not taken: ask where to go on */
} upload;

static void tell(const upload *up)
{
    if (up->progress != NULL)
        up->progress(up->progress_arg, up->have, up->prepared->body_len);
}

static tcn_err send_piece(tocsin_client *client, tcn_link *link, upload *up)
{
    uint64_t left = up->prepared->body_len - up->sent;
    size_t len = left < TCN_MAX_CHUNK_BYTES ? (size_t)left : TCN_MAX_CHUNK_BYTES;
    tcn_wire wire = {.op = TCN_OP_UPLOAD,
                     .upload = {.req = ++client->req,
                                .offset = up->sent,
                                .bytes = tcn_bytes_of(up->prepared->body + up->sent, len)}};
    memcpy(wire.upload.id.b, up->prepared->alert->id.bytes, sizeof(wire.upload.id.b));
    tcn_err err =
        tcn_client_send(client, link, &wire, tcn_client_until(client->request_timeout_ms));
    if (err != TCN_OK)
        return err;
    up->sent += len;
    up->under_way++;
    up->pieces++;
    return TCN_OK;
}

/* One answer to a piece. TCN_OK also for a piece that was not taken now. */
static tcn_err take_answer(upload *up, const tcn_wire *wire)
{
    up->under_way--;
    if (wire->answer.error == TCN_BUSY || wire->answer.error == TCN_CONFLICT)
        up->rewind = true;
    else if (wire->answer.error != TCN_OK)
        return wire->answer.error;
    uint64_t have = wire->answer.has_offset ? wire->answer.offset : up->prepared->body_len;
    if (wire->answer.error == TCN_OK && have > up->have && have <= up->prepared->body_len) {
        up->have = have;
        tell(up);
    }
    return TCN_OK;
}

/* Sends from up->have on until all is answered. *ret_last is the last answer. TCN_OK with
 * up->have short of the size: submit again to learn where to go on. Other errors with *ret_refused:
 * the broker says no; without: the link. */
static tcn_err upload_round(tocsin_client *client, tcn_link *link, upload *up, tcn_wire *ret_last,
                            bool *ret_refused)
{
    uint64_t size = up->prepared->body_len;
    up->sent = up->have;
    up->under_way = up->pieces = 0;
    up->rewind = false;
    up->first_req = client->req + 1;
    *ret_refused = false;
    while (up->under_way > 0 || (up->sent < size && !up->rewind)) {
        tcn_err err = TCN_OK;
        while (err == TCN_OK && !up->rewind && up->sent < size &&
               up->under_way < TCN_MAX_UPLOAD_WINDOW)
            err = send_piece(client, link, up);
        if (err == TCN_OK)
            err = tcn_client_receive(client, link, tcn_client_until(client->request_timeout_ms),
                                     ret_last);
        if (err != TCN_OK)
            return err;
        if (ret_last->op != TCN_OP_ANSWER || ret_last->answer.req < up->first_req ||
            ret_last->answer.req >= up->first_req + up->pieces)
            continue;
        err = take_answer(up, ret_last);
        if (err != TCN_OK) {
            *ret_refused = true;
            return err;
        }
    }
    return TCN_OK;
}

/* Lets time pass for a broker that is behind, still listening. */
static void pause_for(tocsin_client *client, tcn_link *link)
{
    tcn_wire wire;
    tcn_mono until = tcn_client_until(BUSY_WAIT_MS);
    while (tcn_client_receive(client, link, until, &wire) == TCN_OK) {
    }
}

/* ---- submit ---- */

static int32_t submit_once(tocsin_client *client, const tocsin_prepared *prepared,
                           tcn_wire *ret_reply, tocsin_error *error)
{
    const tocsin_alert *alert = prepared->alert;
    tcn_wire request = {
        .op = TCN_OP_SUBMIT,
        .submit = {.envelope = tcn_bytes_of(alert->envelope, (size_t)alert->envelope_size)}};
    int32_t code = tcn_client_ask(client, (tcn_lane)alert->lane, &request, ret_reply, error);
    if (code != TOCSIN_OK)
        return code;
    if (ret_reply->op != TCN_OP_ANSWER)
        return tcn_answer_none(client, error);
    if (ret_reply->answer.error != TCN_OK)
        return tcn_client_refused(client, ret_reply, error);
    return TOCSIN_OK;
}

/* Is there more of the body to bring? */
static bool wants_body(const tocsin_prepared *prepared, const tcn_wire_answer *answer)
{
    return prepared->body != NULL && answer->has_offset &&
           !(answer->has_state && answer->accepted) && answer->offset < prepared->body_len;
}

/* Submits, uploads, and again where that broke off, as long as there is progress. */
static int32_t submit_all(tocsin_client *client, const tocsin_prepared *prepared, upload *up,
                          tocsin_answer *ret_answer, tocsin_error *error)
{
    unsigned fruitless = 0;
    for (;;) {
        tcn_wire reply;
        int32_t code = submit_once(client, prepared, &reply, error);
        if (code != TOCSIN_OK)
            return code;
        tcn_answer_show(&reply.answer, client, ret_answer);
        if (!wants_body(prepared, &reply.answer))
            return TOCSIN_OK;
        fruitless = reply.answer.offset > up->have ? 0 : fruitless + 1;
        uint64_t before = up->have = reply.answer.offset;
        tell(up);
        tcn_link *link = NULL;
        code = tcn_client_ready(client, TCN_LANE_BULK, &link, error);
        if (code != TOCSIN_OK)
            return code;
        bool refused;
        tcn_err err = upload_round(client, link, up, &reply, &refused);
        if (up->have > before)
            fruitless = 0;
        if (refused)
            return tcn_client_refused(client, &reply, error);
        if (err == TCN_OK && up->have == prepared->body_len) {
            tcn_answer_show(&reply.answer, client, ret_answer);
            return TOCSIN_OK;
        }
        if ((err != TCN_OK && err != TCN_UNREACHABLE) || fruitless >= FRUITLESS)
            return tcn_client_lost(link, err == TCN_OK ? TCN_BUSY : err, true, error);
        if (err == TCN_OK)
            pause_for(client, link);
    }
}

int32_t tocsin_submit(tocsin_client *client, const tocsin_prepared *prepared,
                      tocsin_progress_fn *progress, void *progress_arg, tocsin_answer *ret_answer,
                      tocsin_error *error)
{
    tocsin_error why;
    tocsin_answer answer;
    tcn_fault fault = {.err = TCN_OK};
    /* A full disk here must not keep an emergency back. */
    if (tcn_outgoing_save(client, prepared, &fault) != TCN_OK)
        (void)snprintf(client->notice, sizeof(client->notice), "not saved for a second try: %s",
                       fault.text);
    upload up = {.prepared = prepared, .progress = progress, .progress_arg = progress_arg};
    int32_t code = submit_all(client, prepared, &up, &answer, &why);
    bool final = code == TOCSIN_OK || (why.stage == TOCSIN_STAGE_ANSWER &&
                                       code != TOCSIN_E_TIMEOUT && code != TOCSIN_E_UNREACHABLE &&
                                       code != TOCSIN_E_MALFORMED && !is_passing((tcn_err)code));
    if (final)
        tcn_outgoing_remove(client, &prepared->alert->id);
    if (code == TOCSIN_OK) {
        *ret_answer = answer;
        if (answer.handle[0] == '\0') /* to an upload */
            (void)snprintf(ret_answer->handle, sizeof(ret_answer->handle), "%s",
                           prepared->alert->handle);
    } else if (error != NULL)
        *error = why;
    return code;
}

/* ---- count ---- */

static void put_meta(tcn_cbor_writer *w, const void *from)
{
    tcn_cbor_put_map(w, 1);
    tcn_cbor_put_uint(w, 1);
    tcn_cbor_put_bytes(w, *(const tcn_bytes *)from);
}

static bool set_count(tcn_bytes raw, uint64_t *ret_nodes)
{
    tcn_cbor_reader r;
    uint64_t key = UINT64_MAX;
    tcn_cbor_reader_init(&r, raw);
    bool one = tcn_cbor_get_map(&r, 1) == 1 && tcn_cbor_get_key(&r, &key) == 1;
    uint64_t nodes = tcn_cbor_get_uint(&r);
    if (!one || tcn_cbor_reader_done(&r) != TCN_OK)
        return false;
    *ret_nodes = nodes;
    return true;
}

int32_t tocsin_count_entitled(tocsin_client *client, const tocsin_prepared *prepared,
                              uint64_t *ret_nodes, tocsin_error *error)
{
    uint8_t memory[TCN_MAX_META_BYTES + 16];
    tcn_cose cose;
    tcn_alert alert;
    tcn_wire wire;
    tcn_fault fault = {.err = TCN_OK};
    const tocsin_alert *shown = prepared->alert;
    tcn_err err = tcn_cose_decode(tcn_bytes_of(shown->envelope, (size_t)shown->envelope_size),
                                  TCN_OBJECT_ALERT, &cose);
    if (err == TCN_OK)
        err = tcn_alert_decode(cose.payload, &alert, &fault);
    if (err != TCN_OK)
        return tcn_error_set(error, TOCSIN_STAGE_LOCAL, err, &fault);
    tcn_bytes args = tcn_query_args(memory, sizeof(memory), put_meta, &alert.meta_bytes);
    int32_t code = tcn_query_once(client, TCN_QUERY_COUNT, args, &wire, error);
    if (code != TOCSIN_OK)
        return code;
    return set_count(wire.result.items.raw, ret_nodes) ? TOCSIN_OK : tcn_answer_none(client, error);
}
