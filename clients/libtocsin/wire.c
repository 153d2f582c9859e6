/* SPDX-License-Identifier: Apache-2.0 */
/* wire.c - every frame is an array [op, field...]: the tables below are the frames, one decode and
 * one encode walk them. */
#include "wire.h"

#include "fields.h"
#include "topic.h"

const char *tcn_op_word(unsigned op)
{
    switch (op) {
#define X(name, number, word)                                                                      \
    case number: return word;
        TCN_OP_TABLE(X)
#undef X
    default: return "unknown";
    }
}

/* ---- kinds of this module ---- */

static void get_error(const tcn_field_in *in)
{
    /* A number from a newer peer is still an error, only one without a name of its own. */
    *(tcn_err *)in->value = tcn_err_from_wire(tcn_cbor_get_uint(in->r));
}

static void put_error(const tcn_field_out *out)
{
    tcn_cbor_put_uint(out->w, *(const tcn_err *)out->value);
}

/* A list stays encoded; pass reads one item and fails the reader if it is not what it should be. */
static void get_list(const tcn_field_in *in, size_t least, void (*pass)(tcn_cbor_reader *r))
{
    size_t count = tcn_cbor_get_array(in->r, (size_t)in->field->max), from = in->r->pos;
    for (size_t i = 0; i < count && in->r->err == TCN_OK; i++)
        pass(in->r);
    if (count < least)
        tcn_cbor_fail(in->r, TCN_MALFORMED);
    if (in->r->err == TCN_OK)
        *(tcn_list *)in->value =
            (tcn_list){.count = count, .raw = tcn_bytes_of(in->r->ptr + from, in->r->pos - from)};
}

static void put_list(const tcn_field_out *out)
{
    const tcn_list *list = out->value;
    tcn_cbor_put_array(out->w, list->count);
    tcn_cbor_put_raw(out->w, list->raw);
}

static void pass_id(tcn_cbor_reader *r)
{
    (void)tcn_cbor_get_id(r);
}

static void pass_rejected(tcn_cbor_reader *r)
{
    tcn_fields_get_tuple(r, 2);
    (void)tcn_cbor_get_id(r);
    (void)tcn_cbor_get_uint(r);
}

tcn_bytes tcn_wire_get_alert(tcn_cbor_reader *r, uint64_t *ret_seq)
{
    tcn_fields_get_tuple(r, 2);
    *ret_seq = tcn_cbor_get_uint(r);
    return tcn_cbor_get_bytes(r, TCN_MAX_ENVELOPE_BYTES);
}

void tcn_wire_put_alert(tcn_cbor_writer *w, uint64_t seq, tcn_bytes envelope)
{
    tcn_cbor_put_array(w, 2);
    tcn_cbor_put_uint(w, seq);
    tcn_cbor_put_bytes(w, envelope);
}

static void pass_alert(tcn_cbor_reader *r)
{
    uint64_t seq;
    (void)tcn_wire_get_alert(r, &seq);
}

/* { * uint => any } */
static void pass_map(tcn_cbor_reader *r)
{
    if (tcn_cbor_peek(r) != TCN_CBOR_MAP)
        tcn_cbor_fail(r, TCN_MALFORMED);
    tcn_cbor_reader inside;
    tcn_cbor_reader_init(&inside, tcn_cbor_get_item(r));
    size_t pairs = r->err == TCN_OK ? tcn_cbor_get_map(&inside, SIZE_MAX) : 0;
    uint64_t previous = UINT64_MAX;
    for (size_t i = 0; i < pairs && inside.err == TCN_OK; i++) {
        (void)tcn_cbor_get_key(&inside, &previous);
        (void)tcn_cbor_get_item(&inside);
    }
    if (r->err == TCN_OK && tcn_cbor_reader_done(&inside) != TCN_OK)
        tcn_cbor_fail(r, TCN_MALFORMED);
}

static void get_ids(const tcn_field_in *in)
{
    get_list(in, 1, pass_id);
}

static void get_rejected(const tcn_field_in *in)
{
    get_list(in, 1, pass_rejected);
}

static void get_alerts(const tcn_field_in *in)
{
    get_list(in, 0, pass_alert);
}

static void get_maps(const tcn_field_in *in)
{
    get_list(in, 0, pass_map);
}

static void get_map(const tcn_field_in *in)
{
    size_t from = in->r->pos;
    pass_map(in->r);
    if (in->r->err == TCN_OK)
        *(tcn_bytes *)in->value = tcn_bytes_of(in->r->ptr + from, in->r->pos - from);
}

static void put_map(const tcn_field_out *out)
{
    const tcn_bytes *map = out->value;
    if (map->len > 0)
        tcn_cbor_put_raw(out->w, *map);
    else
        tcn_cbor_put_map(out->w, 0);
}

/* { * uint => int / tstr } */
static void get_metrics(const tcn_field_in *in)
{
    get_map(in);
    if (in->r->err != TCN_OK)
        return;
    tcn_cbor_reader inside;
    tcn_cbor_reader_init(&inside, *(tcn_bytes *)in->value);
    uint64_t previous = UINT64_MAX;
    for (size_t left = tcn_cbor_get_map(&inside, SIZE_MAX); left > 0; left--) {
        (void)tcn_cbor_get_key(&inside, &previous);
        if (tcn_cbor_peek(&inside) == TCN_CBOR_TEXT)
            (void)tcn_cbor_get_text(&inside, TCN_MAX_NOTE_BYTES);
        else
            (void)tcn_cbor_get_int(&inside);
    }
    if (tcn_cbor_reader_done(&inside) != TCN_OK)
        tcn_cbor_fail(in->r, TCN_MALFORMED);
}

/* A page's place: bytes, or null for none. */
static void get_place(const tcn_field_in *in)
{
    tcn_bytes *place = in->value;
    if (tcn_cbor_take_null(in->r))
        return;
    *place = tcn_cbor_get_bytes(in->r, (size_t)in->field->max);
    if (place->len == 0)
        tcn_cbor_fail(in->r, TCN_MALFORMED);
}

static void put_place(const tcn_field_out *out)
{
    const tcn_bytes *place = out->value;
    if (place->len > 0)
        tcn_cbor_put_bytes(out->w, *place);
    else
        tcn_cbor_put_null(out->w);
}

static void get_versions(const tcn_field_in *in)
{
    tcn_wire_hello *hello = in->value;
    hello->versions = (unsigned)tcn_cbor_get_array(in->r, in->field->max);
    for (unsigned i = 0; i < hello->versions; i++)
        hello->version[i] = tcn_cbor_get_uint(in->r);
    if (hello->versions == 0)
        tcn_cbor_fail(in->r, TCN_MALFORMED);
}

static void put_versions(const tcn_field_out *out)
{
    const tcn_wire_hello *hello = out->value;
    tcn_cbor_put_array(out->w, hello->versions);
    for (unsigned i = 0; i < hello->versions; i++)
        tcn_cbor_put_uint(out->w, hello->version[i]);
}

static void get_subscriptions(const tcn_field_in *in)
{
    tcn_wire_hello *hello = in->value;
    hello->subscriptions = (unsigned)tcn_cbor_get_array(in->r, in->field->max);
    for (unsigned i = 0; i < hello->subscriptions; i++) {
        hello->subscription[i] = tcn_cbor_get_text(in->r, TCN_MAX_TOPIC_CHARS);
        if (tcn_pattern_check(hello->subscription[i]) != TCN_OK)
            tcn_cbor_fail(in->r, TCN_MALFORMED);
    }
}

static void put_subscriptions(const tcn_field_out *out)
{
    const tcn_wire_hello *hello = out->value;
    tcn_cbor_put_array(out->w, hello->subscriptions);
    for (unsigned i = 0; i < hello->subscriptions; i++)
        tcn_cbor_put_text_bytes(out->w, hello->subscription[i]);
}

/* The lane that begins a cursor; each lane at most once. */
static unsigned get_lane_once(tcn_cbor_reader *r, bool has[static TCN_LANES])
{
    unsigned lane = (unsigned)tcn_cbor_get_uint_max(r, TCN_LANES - 1);
    if (has[lane])
        tcn_cbor_fail(r, TCN_MALFORMED);
    has[lane] = true;
    return lane;
}

static void get_cursors(const tcn_field_in *in)
{
    tcn_wire_hello *hello = in->value;
    for (size_t left = tcn_cbor_get_array(in->r, TCN_LANES); left > 0; left--) {
        tcn_fields_get_tuple(in->r, 3);
        unsigned lane = get_lane_once(in->r, hello->has_cursor);
        hello->cursor[lane].seq = tcn_cbor_get_uint(in->r);
        hello->cursor[lane].tag = tcn_cbor_get_uint(in->r);
    }
}

static void put_cursors(const tcn_field_out *out)
{
    const tcn_wire_hello *hello = out->value;
    tcn_cbor_put_array(out->w, (uint64_t)hello->has_cursor[0] + hello->has_cursor[1]);
    for (unsigned lane = 0; lane < TCN_LANES; lane++) {
        if (!hello->has_cursor[lane])
            continue;
        tcn_cbor_put_array(out->w, 3);
        tcn_cbor_put_uint(out->w, lane);
        tcn_cbor_put_uint(out->w, hello->cursor[lane].seq);
        tcn_cbor_put_uint(out->w, hello->cursor[lane].tag);
    }
}

static bool cursors_are_absent(const void *value)
{
    const tcn_wire_hello *hello = value;
    return !hello->has_cursor[0] && !hello->has_cursor[1];
}

static void get_starts(const tcn_field_in *in)
{
    tcn_wire_welcome *welcome = in->value;
    for (size_t left = tcn_cbor_get_array(in->r, TCN_LANES); left > 0; left--) {
        tcn_fields_get_tuple(in->r, 2);
        unsigned lane = get_lane_once(in->r, welcome->has_start);
        welcome->start[lane] = tcn_cbor_get_uint(in->r);
    }
}

static void put_starts(const tcn_field_out *out)
{
    const tcn_wire_welcome *welcome = out->value;
    tcn_cbor_put_array(out->w, (uint64_t)welcome->has_start[0] + welcome->has_start[1]);
    for (unsigned lane = 0; lane < TCN_LANES; lane++) {
        if (!welcome->has_start[lane])
            continue;
        tcn_cbor_put_array(out->w, 2);
        tcn_cbor_put_uint(out->w, lane);
        tcn_cbor_put_uint(out->w, welcome->start[lane]);
    }
}

/* 0..1 as a bool: the state of a submit. */
static void get_state(const tcn_field_in *in)
{
    *(bool *)in->value = tcn_cbor_get_uint_max(in->r, 1) == 1;
}

static void put_state(const tcn_field_out *out)
{
    tcn_cbor_put_uint(out->w, *(const bool *)out->value);
}

static const tcn_field_kind kind_error = {get_error, put_error, NULL, "an error number"};
static const tcn_field_kind kind_ids = {get_ids, put_list, NULL, "ids"};
static const tcn_field_kind kind_rejected = {get_rejected, put_list, NULL, "[id, error] pairs"};
static const tcn_field_kind kind_alerts = {get_alerts, put_list, NULL, "[seq, envelope] pairs"};
static const tcn_field_kind kind_maps = {get_maps, put_list, NULL, "maps"};
static const tcn_field_kind kind_map = {get_map, put_map, NULL, "a map with unsigned keys"};
static const tcn_field_kind kind_metrics = {get_metrics, put_map, NULL, "a map of metrics"};
static const tcn_field_kind kind_place = {get_place, put_place, NULL, "bytes or null"};
static const tcn_field_kind kind_versions = {get_versions, put_versions, NULL, "versions"};
static const tcn_field_kind kind_subscriptions = {get_subscriptions, put_subscriptions, NULL,
                                                  "patterns"};
static const tcn_field_kind kind_cursors = {get_cursors, put_cursors, cursors_are_absent,
                                            "a cursor for each lane"};
static const tcn_field_kind kind_starts = {get_starts, put_starts, NULL, "a start for each lane"};
static const tcn_field_kind kind_state = {get_state, put_state, NULL, "0 or 1"};

/* ---- the maps inside of frames ---- */

#define H(key, name, need, kind, member, max)                                                      \
    TCN_FIELD(tcn_wire_hello, key, name, need, kind, member, max)
static const tcn_field hello_table[] = {
    TCN_FIELD_ALL(1, "versions", TCN_REQUIRED, kind_versions, 8),
    H(2, "mode", TCN_REQUIRED, tcn_as_choice, mode, TCN_MODE_NODE),
    H(3, "instance", TCN_REQUIRED, tcn_as_id, instance, 0),
    H(4, "trust version", TCN_REQUIRED, tcn_as_uint, trust_version, UINT64_MAX),
    TCN_FIELD_ALL_IF(tcn_wire_hello, 5, "subscriptions", has_subscriptions, kind_subscriptions,
                     TCN_MAX_PATTERNS),
    H(6, "epoch", TCN_LENIENT, tcn_as_id, epoch, 0),
    H(7, "generation", TCN_LENIENT, tcn_as_uint, generation, UINT64_MAX),
    TCN_FIELD_ALL(8, "cursors", TCN_LENIENT, kind_cursors, 0),
    H(9, "lanes", TCN_LENIENT, tcn_as_choice, lanes, 3),
    H(10, "software", TCN_REQUIRED, tcn_as_text, software, TCN_MAX_NOTE_BYTES),
};

#define W(key, name, kind, member, max)                                                            \
    TCN_FIELD(tcn_wire_welcome, key, name, TCN_REQUIRED, kind, member, max)
static const tcn_field welcome_table[] = {
    W(1, "version", tcn_as_uint, version, UINT64_MAX),
    W(2, "epoch", tcn_as_id, epoch, 0),
    W(3, "generation", tcn_as_uint, generation, UINT64_MAX),
    W(4, "trust version", tcn_as_uint, trust_version, UINT64_MAX),
    W(5, "time", tcn_as_wall, time, 0),
    W(6, "broker", tcn_as_name, broker, 0),
    W(7, "heartbeat", tcn_as_uint, heartbeat_ms, UINT64_MAX),
    TCN_FIELD_ALL(8, "starts", TCN_REQUIRED, kind_starts, 0),
    W(9, "largest body", tcn_as_uint, max_body_bytes, UINT64_MAX),
    W(10, "window", tcn_as_uint, window_bytes, UINT64_MAX),
};

#define A(key, name, flag, kind, member, max)                                                      \
    TCN_FIELD_IF(tcn_wire_answer, key, name, flag, kind, member, max)
static const tcn_field answer_table[] = {
    A(1, "id", has_id, tcn_as_id, id, 0),
    A(2, "state", has_state, kind_state, accepted, 0),
    A(3, "seq", has_seq, tcn_as_uint, seq, UINT64_MAX),
    TCN_FIELD(tcn_wire_answer, 4, "handle", TCN_LENIENT, tcn_as_text, handle, TCN_MAX_HANDLE_CHARS),
    A(5, "entitled", has_entitled, tcn_as_uint, entitled, UINT64_MAX),
    A(6, "missing", has_missing, tcn_as_uint, missing, UINT64_MAX),
    A(7, "offset", has_offset, tcn_as_uint, offset, UINT64_MAX),
    TCN_FIELD(tcn_wire_answer, 8, "broker", TCN_LENIENT, tcn_as_name, broker, 0),
    TCN_FIELD(tcn_wire_answer, 9, "text", TCN_LENIENT, tcn_as_text, text, TCN_MAX_NOTE_BYTES),
};

static const tcn_fields hello_fields = TCN_FIELDS("hello", hello_table);
static const tcn_fields welcome_fields = TCN_FIELDS("welcome", welcome_table);
static const tcn_fields answer_fields = TCN_FIELDS("answer", answer_table);

static void get_hello(const tcn_field_in *in)
{
    tcn_fields_get_map(in->r, &hello_fields, in->value, in->fault);
}

static void put_hello(const tcn_field_out *out)
{
    tcn_fields_put_map(out->w, &hello_fields, out->value);
}

static void get_welcome(const tcn_field_in *in)
{
    tcn_fields_get_map(in->r, &welcome_fields, in->value, in->fault);
}

static void put_welcome(const tcn_field_out *out)
{
    tcn_fields_put_map(out->w, &welcome_fields, out->value);
}

static void get_answer(const tcn_field_in *in)
{
    tcn_fields_get_map(in->r, &answer_fields, in->value, in->fault);
}

static void put_answer(const tcn_field_out *out)
{
    tcn_fields_put_map(out->w, &answer_fields, out->value);
}

static const tcn_field_kind kind_hello = {get_hello, put_hello, NULL, "a hello"};
static const tcn_field_kind kind_welcome = {get_welcome, put_welcome, NULL, "a welcome"};
static const tcn_field_kind kind_answer = {get_answer, put_answer, NULL, "an answer"};

/* ---- the frames, docs/protocol.md §5: what follows the op, in order ---- */

#define F(kind, member, max) TCN_FIELD(tcn_wire, 0, #member, TCN_REQUIRED, kind, member, max)
#define UINT(member) F(tcn_as_uint, member, UINT64_MAX)
#define ID(member) F(tcn_as_id, member, 0)
#define LANE(member) F(tcn_as_choice, member, TCN_LANE_EMERGENCY)

static const tcn_field hello[] = {F(kind_hello, hello, 0)};
static const tcn_field submit[] = {UINT(submit.req),
                                   F(tcn_as_bytes, submit.envelope, TCN_MAX_ENVELOPE_BYTES)};
static const tcn_field approve[] = {UINT(approve.req), ID(approve.id),
                                    F(tcn_as_hash, approve.payload_hash, 0),
                                    F(tcn_as_bytes, approve.signature, TCN_MAX_NOTE_BYTES)};
static const tcn_field upload[] = {UINT(upload.req), ID(upload.id), UINT(upload.offset),
                                   F(tcn_as_bytes, upload.bytes, TCN_MAX_CHUNK_BYTES)};
static const tcn_field receipt[] = {LANE(receipt.lane), ID(receipt.epoch), UINT(receipt.at.seq),
                                    UINT(receipt.at.tag)};
static const tcn_field ids_1024[] = {F(kind_ids, ids, 1024)};
static const tcn_field ids_256[] = {F(kind_ids, ids, 256)};
static const tcn_field rejected[] = {F(kind_rejected, rejected, 256)};
static const tcn_field ack[] = {F(tcn_as_bytes, envelope, TCN_MAX_ENVELOPE_BYTES)};
static const tcn_field fetch[] = {ID(fetch.id), UINT(fetch.offset)};
static const tcn_field metrics[] = {F(kind_metrics, map, 0)};
static const tcn_field query[] = {UINT(query.req), UINT(query.what), F(kind_map, query.args, 0),
                                  F(kind_place, query.after, TCN_MAX_NOTE_BYTES), UINT(query.max)};
static const tcn_field trust_get[] = {UINT(trust_get.version), UINT(trust_get.offset)};
static const tcn_field roster_put[] = {UINT(roster_put.req), UINT(roster_put.total),
                                       UINT(roster_put.offset),
                                       F(tcn_as_bytes, roster_put.bytes, TCN_MAX_CHUNK_BYTES)};
static const tcn_field welcome[] = {F(kind_welcome, welcome, 0)};
static const tcn_field trust[] = {UINT(trust.version), UINT(trust.total), UINT(trust.offset),
                                  F(tcn_as_bytes, trust.bytes, TCN_MAX_FRAME_BYTES)};
static const tcn_field card[] = {F(tcn_as_bytes, envelope, TCN_MAX_CARD_BYTES)};
static const tcn_field alerts[] = {LANE(alerts.lane), UINT(alerts.need),
                                   UINT(alerts.complete_to.seq), UINT(alerts.complete_to.tag),
                                   F(kind_alerts, alerts.alerts, SIZE_MAX)};
static const tcn_field answer[] = {UINT(answer.req), F(kind_error, answer.error, 0),
                                   F(kind_answer, answer, 0)};
static const tcn_field ack_ok[] = {ID(ack_ok.id), UINT(ack_ok.counter),
                                   F(kind_error, ack_ok.error, 0)};
static const tcn_field body[] = {ID(body.id), UINT(body.offset), UINT(body.total),
                                 F(tcn_as_bytes, body.bytes, TCN_MAX_CHUNK_BYTES)};
static const tcn_field body_gone[] = {ID(body_gone.id), F(kind_error, body_gone.error, 0)};
static const tcn_field result[] = {UINT(result.req), F(kind_error, result.error, 0),
                                   F(kind_maps, result.items, TCN_MAX_PAGE_ITEMS),
                                   F(kind_place, result.next, TCN_MAX_NOTE_BYTES),
                                   F(tcn_as_text, result.text, TCN_MAX_NOTE_BYTES)};
static const tcn_field generation[] = {UINT(generation)};
static const tcn_field error[] = {F(kind_error, error.error, 0),
                                  F(tcn_as_text, error.text, TCN_MAX_NOTE_BYTES)};

static const struct {
    tcn_op op;
    tcn_fields fields;
} frames[] = {
    {TCN_OP_HELLO, TCN_FIELDS("hello", hello)},
    {TCN_OP_PING, {"ping", NULL, 0}},
    {TCN_OP_SUBMIT, TCN_FIELDS("submit", submit)},
    {TCN_OP_APPROVE, TCN_FIELDS("approve", approve)},
    {TCN_OP_UPLOAD, TCN_FIELDS("upload", upload)},
    {TCN_OP_RECEIPT, TCN_FIELDS("receipt", receipt)},
    {TCN_OP_BODIES, TCN_FIELDS("bodies", ids_1024)},
    {TCN_OP_REJECTED, TCN_FIELDS("rejected", rejected)},
    {TCN_OP_ACK, TCN_FIELDS("ack", ack)},
    {TCN_OP_FETCH, TCN_FIELDS("fetch", fetch)},
    {TCN_OP_METRICS, TCN_FIELDS("metrics", metrics)},
    {TCN_OP_QUERY, TCN_FIELDS("query", query)},
    {TCN_OP_TRUST_GET, TCN_FIELDS("trust-get", trust_get)},
    {TCN_OP_ROSTER_PUT, TCN_FIELDS("roster-put", roster_put)},
    {TCN_OP_WELCOME, TCN_FIELDS("welcome", welcome)},
    {TCN_OP_TRUST, TCN_FIELDS("trust", trust)},
    {TCN_OP_CARD, TCN_FIELDS("card", card)},
    {TCN_OP_ALERTS, TCN_FIELDS("alerts", alerts)},
    {TCN_OP_ANSWER, TCN_FIELDS("answer", answer)},
    {TCN_OP_BODIES_OK, TCN_FIELDS("bodies-ok", ids_1024)},
    {TCN_OP_ACK_OK, TCN_FIELDS("ack-ok", ack_ok)},
    {TCN_OP_BODY, TCN_FIELDS("body", body)},
    {TCN_OP_BODY_GONE, TCN_FIELDS("body-gone", body_gone)},
    {TCN_OP_RESULT, TCN_FIELDS("result", result)},
    {TCN_OP_PONG, {"pong", NULL, 0}},
    {TCN_OP_GENERATION, TCN_FIELDS("generation", generation)},
    {TCN_OP_ERROR, TCN_FIELDS("error", error)},
    {TCN_OP_REJECTED_OK, TCN_FIELDS("rejected-ok", ids_256)},
};

static const tcn_fields *fields_of(uint64_t op)
{
    for (size_t i = 0; i < TCN_COUNT_OF(frames); i++)
        if (frames[i].op == op)
            return &frames[i].fields;
    return NULL;
}

tcn_err tcn_wire_decode(tcn_bytes frame, tcn_wire *ret_wire)
{
    tcn_wire wire = {.op = TCN_OP_PING};
    tcn_cbor_reader r;
    tcn_cbor_reader_init(&r, frame);
    size_t items = tcn_cbor_get_array(&r, 16);
    uint64_t op = tcn_cbor_get_uint(&r);
    const tcn_fields *fields = fields_of(op);
    if (frame.len > TCN_MAX_FRAME_BYTES || r.err != TCN_OK || fields == NULL ||
        items != 1 + fields->count)
        return TCN_MALFORMED;
    wire.op = (tcn_op)op;
    tcn_fields_get_items(&r, fields, &wire, NULL);
    if (tcn_cbor_reader_done(&r) != TCN_OK)
        return TCN_MALFORMED;
    *ret_wire = wire;
    return TCN_OK;
}

tcn_err tcn_wire_encode(const tcn_wire *wire, uint8_t *ret_frame, size_t cap, size_t *ret_len)
{
    tcn_cbor_writer w;
    const tcn_fields *fields = fields_of(wire->op);
    if (fields == NULL)
        return TCN_INVALID;
    tcn_cbor_writer_init(&w, ret_frame, cap < TCN_MAX_FRAME_BYTES ? cap : TCN_MAX_FRAME_BYTES);
    tcn_cbor_put_array(&w, 1 + (uint64_t)fields->count);
    tcn_cbor_put_uint(&w, wire->op);
    tcn_fields_put_items(&w, fields, wire);
    tcn_bytes frame;
    tcn_err err = tcn_cbor_writer_done(&w, &frame);
    if (err == TCN_OK)
        *ret_len = frame.len;
    return err;
}
