/* SPDX-License-Identifier: Apache-2.0 */
/* client_node_answers.c - what a node says beside receipts: bodies fetched and stored, answers to
 * alerts, metrics. What the broker has not confirmed is said again after each HELLO. */
#include <stdlib.h>
#include <string.h>

#include "ack.h"
#include "client_node.h"

/* ---- bodies ---- */

static void ask_pieces(tocsin_node *node)
{
    tcn_node_fetch *f = &node->fetch;
    tcn_node_line *session = &node->line[TCN_LANE_BULK];
    /* One first, to learn how long a piece is; then a window of them. */
    unsigned window = f->piece == 0 ? 1 : TCN_MAX_FETCH_WINDOW;
    while (f->active && session->open && f->under_way < window && f->asked < f->size) {
        tcn_wire wire = {.op = TCN_OP_FETCH, .fetch = {.id = f->id, .offset = f->asked}};
        tcn_node_say(node, session, &wire);
        f->asked += f->piece > 0 ? f->piece : f->size;
        f->under_way++;
    }
}

int32_t tocsin_node_fetch(tocsin_node *node, const tocsin_alert *alert, uint64_t offset,
                          tocsin_error *error)
{
    if (node->fetch.active)
        return tcn_error_say(error, TOCSIN_STAGE_LOCAL, TCN_BUSY, "another body is being fetched");
    if (!alert->external || offset > alert->encoded_size)
        return tcn_error_say(error, TOCSIN_STAGE_LOCAL, TCN_INVALID,
                             "the alert has its body inline, or the offset is behind its end");
    tcn_node_fetch *f = &node->fetch;
    *f = (tcn_node_fetch){.active = true,
                          .hashed = offset == 0,
                          .size = alert->encoded_size,
                          .want = offset,
                          .asked = offset};
    memcpy(f->id.b, alert->id.bytes, sizeof(f->id.b));
    memcpy(f->hash, alert->body_hash, sizeof(f->hash));
    (void)crypto_hash_sha256_init(&f->state);
    ask_pieces(node);
    tcn_node_wake(node);
    return TOCSIN_OK;
}

static tcn_err end_fetch(tocsin_node *node, tcn_err err)
{
    tocsin_event event = {
        .kind = TOCSIN_EVENT_BODY_DONE, .code = (int32_t)err, .total = node->fetch.size};
    memcpy(event.id.bytes, node->fetch.id.b, sizeof(event.id.bytes));
    node->fetch.active = false;
    return tcn_node_tell(node, &event, NULL);
}

static tcn_err check_whole(tocsin_node *node)
{
    uint8_t hash[crypto_hash_sha256_BYTES];
    if (!node->fetch.hashed)
        return TCN_OK;
    (void)crypto_hash_sha256_final(&node->fetch.state, hash);
    return memcmp(hash, node->fetch.hash, sizeof(hash)) == 0 ? TCN_OK : TCN_HASH_MISMATCH;
}

tcn_err tcn_node_take_body(tocsin_node *node, const tcn_wire *wire, bool *ret_made)
{
    tcn_node_fetch *f = &node->fetch;
    bool gone = wire->op == TCN_OP_BODY_GONE;
    const tcn_id *id = gone ? &wire->body_gone.id : &wire->body.id;
    if (!f->active || !tcn_id_equal(id, &f->id))
        return TCN_OK;
    if (gone)
        return end_fetch(node,
                         wire->body_gone.error == TCN_OK ? TCN_NOT_FOUND : wire->body_gone.error);
    if (f->under_way > 0)
        f->under_way--;
    tcn_bytes bytes = wire->body.bytes;
    if (wire->body.total != f->size || bytes.len > f->size - f->want ||
        (bytes.len == 0 && f->want < f->size))
        return end_fetch(node, TCN_HASH_MISMATCH);
    if (wire->body.offset != f->want) {
        /* The broker gives shorter pieces than before: go on behind what we have. */
        if (f->under_way == 0) {
            f->piece = 0;
            f->asked = f->want;
            ask_pieces(node);
        }
        return TCN_OK;
    }
    if (f->piece == 0) {
        f->piece = bytes.len;
        f->asked = f->want + bytes.len;
    }
    node->event = (tocsin_event){.kind = TOCSIN_EVENT_BODY,
                                 .offset = f->want,
                                 .total = f->size,
                                 .bytes = bytes.ptr,
                                 .size = bytes.len,
                                 .text = ""};
    memcpy(node->event.id.bytes, f->id.b, sizeof(f->id.b));
    *ret_made = true;
    f->want += bytes.len;
    if (f->hashed)
        (void)crypto_hash_sha256_update(&f->state, bytes.ptr, bytes.len);
    if (f->want == f->size)
        return end_fetch(node, check_whole(node));
    ask_pieces(node);
    return TCN_OK;
}

static void say_stored(tocsin_node *node)
{
    static const uint8_t head = 0x50; /* bstr of 16 */
    tcn_buf raw;
    tcn_buf_init(&raw, TCN_NODE_STORED * 17);
    tcn_err err = TCN_OK;
    for (unsigned i = 0; i < node->stored_count && err == TCN_OK; i++) {
        err = tcn_buf_append(&raw, tcn_bytes_of(&head, 1));
        if (err == TCN_OK)
            err = tcn_buf_append(&raw, tcn_bytes_of(node->stored[i].b, 16));
    }
    if (err == TCN_OK && node->stored_count > 0)
        tcn_node_say(node, node->line[TCN_LANE_BULK].open ? &node->line[TCN_LANE_BULK] : NULL,
                     &(tcn_wire){.op = TCN_OP_BODIES,
                                 .ids = {.count = node->stored_count, .raw = tcn_buf_bytes(&raw)}});
    tcn_buf_fini(&raw);
}

int32_t tocsin_node_body_stored(tocsin_node *node, const tocsin_id *id, tocsin_error *error)
{
    if (node->stored_count == TCN_NODE_STORED)
        return tcn_error_say(error, TOCSIN_STAGE_LOCAL, TCN_FULL,
                             "the broker has not yet noted %d bodies; go on when it has",
                             TCN_NODE_STORED);
    memcpy(node->stored[node->stored_count++].b, id->bytes, sizeof(id->bytes));
    say_stored(node);
    tcn_node_wake(node);
    return TOCSIN_OK;
}

tcn_err tcn_node_take_bodies_ok(tocsin_node *node, const tcn_wire *wire)
{
    tcn_cbor_reader r;
    tcn_err err = TCN_OK;
    tcn_cbor_reader_init(&r, wire->ids.raw);
    for (size_t left = wire->ids.count; left > 0 && err == TCN_OK; left--) {
        tcn_id id = tcn_cbor_get_id(&r);
        for (unsigned i = 0; i < node->stored_count; i++) {
            if (!tcn_id_equal(&node->stored[i], &id))
                continue;
            node->stored[i] = node->stored[--node->stored_count];
            tocsin_event event = {.kind = TOCSIN_EVENT_BODIES_KEPT};
            memcpy(event.id.bytes, id.b, sizeof(id.b));
            err = tcn_node_tell(node, &event, NULL);
            break;
        }
    }
    return err;
}

/* ---- answers ---- */

void tocsin_ack_init(const tocsin_alert *alert, uint32_t answer, tocsin_ack *ret_ack)
{
    *ret_ack = (tocsin_ack){
        .struct_size = sizeof(*ret_ack), .answer = answer, .id = alert->id, .lane = alert->lane};
    memcpy(ret_ack->payload_hash, alert->payload_hash, sizeof(ret_ack->payload_hash));
}

static tcn_bytes text_or_none(const char *text)
{
    return text != NULL ? tcn_bytes_str(text) : tcn_bytes_of(NULL, 0);
}

static tcn_err seal(const tocsin_node *node, const tocsin_ack *ack, tcn_node_ack_kept *kept)
{
    bool suspect;
    tcn_ack inner = {.member = tcn_bytes_str(node->home.card.name),
                     .counter = kept->counter,
                     .answer = (tcn_answer)ack->answer,
                     .by = text_or_none(ack->by),
                     .note = text_or_none(ack->note),
                     .at = tcn_trust_time(&node->home, node->clock_offset_ms, &suspect),
                     .by_rule = ack->by_rule != 0};
    memcpy(inner.alert.b, ack->id.bytes, sizeof(inner.alert.b));
    memcpy(inner.payload_hash.b, ack->payload_hash, sizeof(inner.payload_hash.b));
    return tcn_ack_seal(&inner, &node->home.program, &node->home.keys.secrets.sign, kept->envelope,
                        sizeof(kept->envelope), &kept->len);
}

static void say_ack(tocsin_node *node, const tcn_node_ack_kept *kept, tcn_node_line *line)
{
    tcn_node_say(
        node, line,
        &(tcn_wire){.op = TCN_OP_ACK, .envelope = tcn_bytes_of(kept->envelope, kept->len)});
}

int32_t tocsin_node_ack(tocsin_node *node, const tocsin_ack *ack, uint64_t *ret_counter,
                        tocsin_error *error)
{
    tocsin_ack known = {.struct_size = sizeof(known)};
    if (ack->struct_size < sizeof(ack->struct_size) || ack->struct_size > sizeof(known))
        return tcn_error_say(error, TOCSIN_STAGE_LOCAL, TCN_INVALID,
                             "the answer is not of this library: use tocsin_ack_init");
    memcpy(&known, ack, ack->struct_size);
    if (known.answer > TOCSIN_ANSWER_HELP || known.lane >= TCN_LANES)
        return tcn_error_say(error, TOCSIN_STAGE_LOCAL, TCN_INVALID, "there is no such answer");
    if (node->ack_count == TCN_NODE_ACKS)
        return tcn_error_say(error, TOCSIN_STAGE_LOCAL, TCN_FULL, "%d answers wait for the broker",
                             TCN_NODE_ACKS);
    tcn_node_ack_kept *kept = calloc(1, sizeof(*kept));
    if (kept == NULL)
        return tcn_error_set(error, TOCSIN_STAGE_LOCAL, TCN_NO_MEMORY, NULL);
    memcpy(kept->id.b, known.id.bytes, sizeof(kept->id.b));
    kept->lane = (tcn_lane)known.lane;
    kept->counter = known.counter > 0 ? known.counter : (uint64_t)tcn_now_wall().unix_ms;
    tcn_err err = seal(node, &known, kept);
    if (err != TCN_OK) {
        free(kept);
        return tcn_error_say(error, TOCSIN_STAGE_LOCAL, err == TCN_MALFORMED ? TCN_INVALID : err,
                             "name and note are at most %d bytes of text", TCN_MAX_NOTE_BYTES);
    }
    node->acks[node->ack_count++] = kept;
    say_ack(node, kept, tcn_node_line_for(node, kept->lane));
    tcn_node_wake(node);
    if (ret_counter != NULL)
        *ret_counter = kept->counter;
    return TOCSIN_OK;
}

tcn_err tcn_node_take_ack_ok(tocsin_node *node, const tcn_wire *wire)
{
    for (unsigned i = 0; i < node->ack_count; i++) {
        tcn_node_ack_kept *kept = node->acks[i];
        if (!tcn_id_equal(&kept->id, &wire->ack_ok.id) || kept->counter != wire->ack_ok.counter)
            continue;
        tocsin_event event = {.kind = TOCSIN_EVENT_ACK_KEPT,
                              .lane = kept->lane,
                              .code = (int32_t)wire->ack_ok.error,
                              .counter = kept->counter};
        memcpy(event.id.bytes, kept->id.b, sizeof(event.id.bytes));
        free(kept);
        node->acks[i] = node->acks[--node->ack_count];
        return tcn_node_tell(node, &event, NULL);
    }
    return TCN_OK;
}

void tcn_node_repeat(tocsin_node *node, tcn_lane endpoint)
{
    tcn_node_line *line = &node->line[endpoint];
    for (unsigned i = 0; i < node->ack_count; i++)
        if (tcn_node_line_for(node, node->acks[i]->lane) == line)
            say_ack(node, node->acks[i], line);
    if (endpoint != TCN_LANE_BULK)
        return;
    say_stored(node);
    node->fetch.asked = node->fetch.want;
    node->fetch.under_way = 0;
    node->fetch.piece = 0;
    ask_pieces(node);
}

/* ---- metrics (docs/protocol.md §7) ---- */

void tcn_node_send_metrics(tocsin_node *node, tcn_mono now)
{
    uint8_t memory[512];
    tcn_cbor_writer w;
    tcn_bytes map;
    bool suspect;
    bool stale = tcn_trust_time(&node->home, node->clock_offset_ms, &suspect).unix_ms >=
                 node->home.bundle.expires.unix_ms;
    bool no_emergency = !node->line[TCN_LANE_EMERGENCY].open;
    node->metrics_at = (tcn_mono){now.ms + TCN_MAX_METRICS_MS};
    const struct {
        uint64_t key, value;
    } rows[] = {
        {1, node->cursor[TCN_LANE_BULK].seq},
        {2, node->cursor[TCN_LANE_EMERGENCY].seq},
        {3, node->fetch.active ? 1 : 0},
        {7, node->rejected},
        {8, (uint64_t)node->line[0].queued + node->line[1].queued},
        {9, node->ack_count},
        {10, now.ms - node->begun.ms},
        {11, node->home.bundle.version},
        {14, (suspect ? 1U : 0U) | (stale ? 2U : 0U) | (no_emergency ? 4U : 0U)},
    };
    tcn_cbor_writer_init(&w, memory, sizeof(memory));
    tcn_cbor_put_map(&w, sizeof(rows) / sizeof(rows[0]) + 2);
    for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (rows[i].key == 7) { /* keys ascend */
            tcn_cbor_put_uint(&w, 5);
            tcn_cbor_put_int(&w, node->clock_offset_ms);
            tcn_cbor_put_uint(&w, 6);
            tcn_cbor_put_text(&w, node->software);
        }
        tcn_cbor_put_uint(&w, rows[i].key);
        tcn_cbor_put_uint(&w, rows[i].value);
    }
    if (tcn_cbor_writer_done(&w, &map) == TCN_OK)
        tcn_node_say(node, &node->line[TCN_LANE_BULK],
                     &(tcn_wire){.op = TCN_OP_METRICS, .map = map});
}
