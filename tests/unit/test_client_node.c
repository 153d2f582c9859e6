/* SPDX-License-Identifier: Apache-2.0 */
/* test_client_node.c - the public node API against a scripted broker on real CURVE sockets. */
#include <tocsin/node.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <poll.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "libtocsin/ack.h"
#include "tests/support/scripted.h"
#include "tests/support/temp_dir.h"

enum { NEXT_MS = 15000, PIECE = 1000 };

typedef struct {
    temp_dir dir;
    scripted *broker;
    tocsin_node *node;
    tocsin_error error;
    char home[2 * TEMP_DIR_SIZE];
    /* the script: what is sent after a session's WELCOME, in this order */
    uint64_t trust_version, need;
    tcn_bytes envelope[4], bundle;
    unsigned envelopes;
    tcn_lane lane;
    bool cut_after_alerts, cut_on_fetch, spoil_body;
    const uint8_t *body;
    size_t body_len;
    /* what was seen, by the broker's thread; read after scripted_await */
    tcn_wire_hello hello[8]; /* views in here are dead */
    unsigned hellos, receipts, fetches, rejections, acks, kept;
    tcn_mark receipt;
    tcn_err rejection;
    uint8_t ack[2048];
    size_t ack_len;
} rig;

static void send_alerts(scripted *s, const scripted_frame *frame, const rig *r)
{
    for (unsigned i = 0; i < r->envelopes; i++)
        scripted_alert(s, frame->peer, r->lane, r->need, (tcn_mark){10 + i, 100 + i},
                       r->envelope[i]);
}

static void take_hello(scripted *s, const scripted_frame *frame, rig *r)
{
    bool first = r->hellos == 0;
    if (r->hellos < 8)
        r->hello[r->hellos++] = frame->wire.hello;
    scripted_welcome(s, frame, r->trust_version);
    if (frame->endpoint != TCN_LANE_BULK || (!first && r->cut_after_alerts))
        return;
    send_alerts(s, frame, r);
    /* The trust that the alerts need, behind them. */
    if (r->bundle.len > 0)
        scripted_trust(s, frame->peer, r->bundle, r->trust_version, 0, 500);
}

static void take_fetch(scripted *s, const scripted_frame *frame, rig *r)
{
    uint64_t offset = frame->wire.fetch.offset;
    uint8_t piece[PIECE];
    r->fetches++;
    if (r->cut_on_fetch && offset >= 5 * PIECE) {
        r->cut_on_fetch = false;
        scripted_cut(s, frame->peer);
        return;
    }
    if (offset > r->body_len)
        return;
    size_t len = r->body_len - (size_t)offset < PIECE ? r->body_len - (size_t)offset : PIECE;
    memcpy(piece, r->body + offset, len);
    if (r->spoil_body && offset == 2 * PIECE)
        piece[0] ^= 1;
    const tcn_wire wire = {.op = TCN_OP_BODY,
                           .body = {.id = frame->wire.fetch.id,
                                    .offset = offset,
                                    .total = r->body_len,
                                    .bytes = tcn_bytes_of(piece, len)}};
    scripted_say(s, frame->peer, &wire);
}

static void take_ack(scripted *s, const scripted_frame *frame, rig *r)
{
    tcn_ack ack;
    r->acks++;
    r->ack_len = frame->wire.envelope.len;
    memcpy(r->ack, frame->wire.envelope.ptr, r->ack_len);
    if (tcn_ack_peek(frame->wire.envelope, &ack) != TCN_OK)
        return;
    const tcn_wire wire = {.op = TCN_OP_ACK_OK,
                           .ack_ok = {.id = ack.alert, .counter = ack.counter}};
    scripted_say(s, frame->peer, &wire);
}

static void script(scripted *s, const scripted_frame *frame, void *arg)
{
    rig *r = arg;
    switch (frame->wire.op) {
    case TCN_OP_HELLO: take_hello(s, frame, r); break;
    case TCN_OP_TRUST_GET:
        scripted_trust(s, frame->peer, r->bundle, r->trust_version,
                       (size_t)frame->wire.trust_get.offset, 500);
        break;
    case TCN_OP_RECEIPT:
        r->receipts++;
        r->receipt = frame->wire.receipt.at;
        scripted_notify(s);
        if (r->cut_after_alerts)
            scripted_cut(s, frame->peer);
        break;
    case TCN_OP_REJECTED: {
        tcn_cbor_reader reader;
        tcn_cbor_reader_init(&reader, frame->wire.rejected.raw);
        (void)tcn_cbor_get_array(&reader, 2);
        (void)tcn_cbor_get_id(&reader);
        r->rejection = tcn_err_from_wire(tcn_cbor_get_uint(&reader));
        r->rejections++;
        scripted_notify(s);
        break;
    }
    case TCN_OP_FETCH: take_fetch(s, frame, r); break;
    case TCN_OP_BODIES:
        r->kept++;
        scripted_say(s, frame->peer, &(tcn_wire){.op = TCN_OP_BODIES_OK, .ids = frame->wire.ids});
        break;
    case TCN_OP_ACK: take_ack(s, frame, r); break;
    default: break;
    }
}

static int setup(void **state)
{
    rig *r = calloc(1, sizeof(*r));
    if (r == NULL)
        return -1;
    temp_dir_init(&r->dir);
    r->broker = scripted_start(script, r);
    r->trust_version = r->need = world_bundle(scripted_world(r->broker))->version;
    (void)temp_dir_join(&r->dir, "home", r->home);
    *state = r;
    return 0;
}

static int teardown(void **state)
{
    rig *r = *state;
    tocsin_node_close(&r->node);
    if (r->broker != NULL)
        scripted_stop(&r->broker);
    temp_dir_fini(&r->dir);
    free(r);
    return 0;
}

#define RIG_TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

/* ---- driving ---- */

static tocsin_node_options node_options(const rig *r)
{
    tocsin_node_options options;
    tocsin_node_options_init(&options);
    options.home = r->home;
    return options;
}

static void open_with(rig *r, const tocsin_node_options *options)
{
    assert_int_equal(tocsin_node_open(options, &r->node, &r->error), TOCSIN_OK);
}

static void open_node(rig *r)
{
    scripted_home(r->broker, "north", r->home);
    const tocsin_node_options options = node_options(r);
    open_with(r, &options);
}

/* The next event of this kind; connecting and disconnecting may come before it. */
static const tocsin_event *next(rig *r, uint32_t kind)
{
    const tocsin_event *event = NULL;
    for (;;) {
        int32_t code = tocsin_node_next(r->node, NEXT_MS, &event, &r->error);
        if (code != TOCSIN_OK)
            fail_msg("waiting for event %u: %s", kind, r->error.text);
        if (event->kind == kind)
            return event;
        if (event->kind > TOCSIN_EVENT_DISCONNECTED)
            fail_msg("event %u instead of %u", event->kind, kind);
    }
}

static world_alert make_alert(rig *r, const world_options *options)
{
    return world_alert_make(scripted_world(r->broker), options);
}

/* ---- receiving ---- */

static void test_alert_and_receipt(void **state)
{
    rig *r = *state;
    world_alert alert = make_alert(
        r, &(world_options){.publisher = "vendor", .title = "A title", .body = "the body\n"});
    uint8_t *body = NULL;
    r->envelope[0] = alert.envelope;
    r->envelopes = 1;
    open_node(r);
    const tocsin_event *event = next(r, TOCSIN_EVENT_ALERT);
    assert_memory_equal(event->alert->id.bytes, alert.id.b, 16);
    assert_memory_equal(event->alert->payload_hash, alert.payload_hash.b, 32);
    assert_string_equal(event->alert->texts[0].title, "A title");
    assert_string_equal(event->alert->publisher, "vendor");
    assert_string_equal(event->alert->signers[0].member, "vendor");
    assert_int_equal(event->alert->marks, 0);
    assert_int_equal(tocsin_body_decode(event->alert, event->alert->body,
                                        event->alert->encoded_size, &body, &r->error),
                     TOCSIN_OK);
    assert_memory_equal(body, "the body\n", 9);
    tocsin_free(body);
    event = next(r, TOCSIN_EVENT_CURSOR);
    assert_int_equal(tocsin_node_confirm(r->node, &event->cursor, &r->error), TOCSIN_OK);
    scripted_await(r->broker, 1);
    assert_int_equal(r->receipt.seq, 10);
    assert_int_equal(r->receipt.tag, 100);
}

/* Each endpoint has its HELLO, for its lane; nothing is polled for in between. */
static void test_two_endpoints_on_one_descriptor(void **state)
{
    rig *r = *state;
    const tocsin_event *event = NULL;
    unsigned open = 0;
    open_node(r);
    while (open != 3) {
        struct pollfd fd = {.fd = tocsin_node_fd(r->node), .events = POLLIN};
        assert_int_equal(poll(&fd, 1, NEXT_MS), 1);
        while (tocsin_node_next(r->node, 0, &event, &r->error) == TOCSIN_OK)
            if (event->kind == TOCSIN_EVENT_CONNECTED)
                open |= 1u << event->lane;
        assert_int_equal(r->error.code, TOCSIN_E_TIMEOUT);
    }
    assert_int_equal(r->hellos, 2);
    assert_int_equal(r->hello[1].lanes, 2);
}

/* An alert by a member that only the newer trust knows waits for it, and so do those behind it. */
static void test_trust_before_alerts(void **state)
{
    rig *r = *state;
    world *w = scripted_world(r->broker);
    scripted_home(r->broker, "north", r->home);
    world_member_set(w, &(world_member){.name = "fresh",
                                        .roles = TCN_ROLE_PUBLISHER,
                                        .clearance = TCN_TLP_RED,
                                        .publish = {">"}});
    world_sign(w);
    r->trust_version = r->need = world_bundle(w)->version;
    r->bundle = world_bundle_envelope(w);
    r->envelope[0] = make_alert(r, &(world_options){.publisher = "fresh"}).envelope;
    r->envelope[1] = make_alert(r, &(world_options){.publisher = "vendor"}).envelope;
    r->envelopes = 2;
    const tocsin_node_options options = node_options(r);
    open_with(r, &options);
    const tocsin_event *event = next(r, TOCSIN_EVENT_TRUST);
    assert_int_equal(event->total, r->trust_version);
    assert_string_equal(next(r, TOCSIN_EVENT_ALERT)->alert->publisher, "fresh");
    (void)next(r, TOCSIN_EVENT_CURSOR);
    assert_string_equal(next(r, TOCSIN_EVENT_ALERT)->alert->publisher, "vendor");
    (void)next(r, TOCSIN_EVENT_CURSOR);
    assert_int_equal(r->rejections, 0);
}

static void test_forged_alert_is_reported(void **state)
{
    rig *r = *state;
    world_alert alert = make_alert(r, &(world_options){.publisher = "vendor"});
    uint8_t *forged = malloc(alert.envelope.len);
    assert_non_null(forged);
    memcpy(forged, alert.envelope.ptr, alert.envelope.len);
    forged[alert.envelope.len - 1] ^= 1; /* in the signature */
    r->envelope[0] = tcn_bytes_of(forged, alert.envelope.len);
    r->envelopes = 1;
    open_node(r);
    const tocsin_event *event = next(r, TOCSIN_EVENT_REJECTED);
    assert_int_equal(event->code, TOCSIN_E_BAD_SIGNATURE);
    assert_memory_equal(event->id.bytes, alert.id.b, 16);
    scripted_await(r->broker, 1);
    assert_int_equal(r->rejection, TCN_BAD_SIGNATURE);
    (void)next(r, TOCSIN_EVENT_CURSOR); /* it does not hold up what follows */
    free(forged);
}

static void test_emergency_without_its_approvals(void **state)
{
    rig *r = *state;
    r->envelope[0] =
        make_alert(r, &(world_options){.publisher = "vendor", .lane = TCN_LANE_EMERGENCY}).envelope;
    r->envelope[1] = make_alert(r, &(world_options){.publisher = "vendor",
                                                    .lane = TCN_LANE_EMERGENCY,
                                                    .approvers = {"cert"}})
                         .envelope;
    r->envelopes = 2;
    r->lane = TCN_LANE_EMERGENCY;
    open_node(r);
    assert_int_equal(next(r, TOCSIN_EVENT_REJECTED)->code, TOCSIN_E_NOT_DELIVERABLE);
    (void)next(r, TOCSIN_EVENT_CURSOR);
    const tocsin_event *event = next(r, TOCSIN_EVENT_ALERT);
    assert_int_equal(event->alert->approvals, 2);
    assert_int_equal(event->alert->signer_count, 2);
}

/* After a cut the node says where it is, from what was confirmed; a cursor that was kept does the
 * same for the next process. */
static void test_cursors(void **state)
{
    rig *r = *state;
    r->envelope[0] = make_alert(r, &(world_options){.publisher = "vendor"}).envelope;
    r->envelopes = 1;
    r->cut_after_alerts = true;
    open_node(r);
    (void)next(r, TOCSIN_EVENT_ALERT);
    tocsin_cursor cursor = next(r, TOCSIN_EVENT_CURSOR)->cursor;
    assert_int_equal(tocsin_node_confirm(r->node, &cursor, &r->error), TOCSIN_OK);
    scripted_await(r->broker, 1);
    assert_int_equal(next(r, TOCSIN_EVENT_DISCONNECTED)->lane, TOCSIN_LANE_BULK);
    while (next(r, TOCSIN_EVENT_CONNECTED)->lane != TOCSIN_LANE_BULK) {
    }
    const tcn_wire_hello *again = &r->hello[r->hellos - 1];
    assert_true(again->has_cursor[TCN_LANE_BULK]);
    assert_int_equal(again->cursor[TCN_LANE_BULK].seq, 10);
    assert_int_equal(again->cursor[TCN_LANE_BULK].tag, 100);
    assert_int_equal(again->generation, 1);

    tocsin_node_close(&r->node);
    r->hellos = 0;
    tocsin_node_options options = node_options(r);
    options.bulk = &cursor;
    open_with(r, &options);
    (void)next(r, TOCSIN_EVENT_CONNECTED);
    assert_int_equal(r->hello[0].cursor[TCN_LANE_BULK].seq, 10);
    assert_int_equal(r->hello[0].epoch.b[0], 7);
    tocsin_node_close(&r->node);

    options.emergency = &cursor; /* of the other lane */
    options.bulk = NULL;
    assert_int_equal(tocsin_node_open(&options, &r->node, &r->error), TOCSIN_E_INVALID);
}

static void test_not_a_node(void **state)
{
    rig *r = *state;
    scripted_home(r->broker, "vendor", r->home);
    const tocsin_node_options options = node_options(r);
    assert_int_equal(tocsin_node_open(&options, &r->node, &r->error), TOCSIN_E_WRONG_ROLE);
    assert_null(r->node);
}

/* ---- bodies ---- */

typedef struct {
    uint8_t bytes[60000];
    uint64_t got;
    int32_t result;
} fetched;

static world_alert serve_body(rig *r, uint8_t *body, size_t len)
{
    randombytes_buf(body, len);
    world_alert alert = make_alert(r, &(world_options){.publisher = "vendor",
                                                       .external = true,
                                                       .body = (const char *)body,
                                                       .body_bytes = len});
    r->envelope[0] = alert.envelope;
    r->envelopes = 1;
    r->body = alert.body.ptr;
    r->body_len = alert.body.len;
    return alert;
}

static void fetch(rig *r, const tocsin_alert *alert, uint64_t offset, fetched *f)
{
    const tocsin_event *event = NULL;
    f->got = offset;
    assert_int_equal(tocsin_node_fetch(r->node, alert, offset, &r->error), TOCSIN_OK);
    for (;;) {
        assert_int_equal(tocsin_node_next(r->node, NEXT_MS, &event, &r->error), TOCSIN_OK);
        if (event->kind == TOCSIN_EVENT_BODY_DONE)
            break;
        if (event->kind != TOCSIN_EVENT_BODY)
            continue;
        assert_int_equal(event->offset, f->got);
        assert_true(f->got + event->size <= sizeof(f->bytes));
        memcpy(f->bytes + f->got, event->bytes, (size_t)event->size);
        f->got += event->size;
    }
    f->result = event->code;
}

/* Keeps what an alert event shows of the body beyond the event. */
static tocsin_alert body_of(const tocsin_alert *alert)
{
    tocsin_alert kept = *alert;
    assert_int_equal(kept.external, 1);
    return kept;
}

static void test_body(void **state)
{
    rig *r = *state;
    static uint8_t body[50000];
    static fetched f;
    world_alert alert = serve_body(r, body, sizeof(body));
    open_node(r);
    const tocsin_alert shown = body_of(next(r, TOCSIN_EVENT_ALERT)->alert);
    fetch(r, &shown, 0, &f);
    assert_int_equal(f.result, TOCSIN_OK);
    assert_int_equal(f.got, sizeof(body));
    assert_memory_equal(f.bytes, body, sizeof(body));
    assert_int_equal(r->fetches, sizeof(body) / PIECE); /* each piece asked for once */
    assert_int_equal(tocsin_node_body_stored(r->node, &shown.id, &r->error), TOCSIN_OK);
    (void)alert;
    const tocsin_event *event = NULL;
    do
        assert_int_equal(tocsin_node_next(r->node, NEXT_MS, &event, &r->error), TOCSIN_OK);
    while (event->kind != TOCSIN_EVENT_BODIES_KEPT);
    assert_memory_equal(event->id.bytes, shown.id.bytes, 16);
}

static void test_body_goes_on_after_a_cut_and_from_an_offset(void **state)
{
    rig *r = *state;
    static uint8_t body[50000];
    static fetched f;
    (void)serve_body(r, body, sizeof(body));
    r->cut_on_fetch = true;
    open_node(r);
    const tocsin_alert shown = body_of(next(r, TOCSIN_EVENT_ALERT)->alert);
    fetch(r, &shown, 0, &f);
    assert_int_equal(f.result, TOCSIN_OK);
    assert_memory_equal(f.bytes, body, sizeof(body));
    memset(f.bytes + 20000, 0, sizeof(body) - 20000);
    fetch(r, &shown, 20000, &f);
    assert_int_equal(f.result, TOCSIN_OK);
    assert_memory_equal(f.bytes, body, sizeof(body));
}

static void test_spoiled_body(void **state)
{
    rig *r = *state;
    static uint8_t body[50000];
    static fetched f;
    (void)serve_body(r, body, sizeof(body));
    r->spoil_body = true;
    open_node(r);
    const tocsin_alert shown = body_of(next(r, TOCSIN_EVENT_ALERT)->alert);
    fetch(r, &shown, 0, &f);
    assert_int_equal(f.result, TOCSIN_E_HASH_MISMATCH);
}

/* ---- answers ---- */

static void test_ack(void **state)
{
    rig *r = *state;
    world *w = scripted_world(r->broker);
    world_alert alert = make_alert(r, &(world_options){.publisher = "vendor"});
    tocsin_ack answer;
    uint64_t counter = 0;
    r->envelope[0] = alert.envelope;
    r->envelopes = 1;
    open_node(r);
    tocsin_ack_init(next(r, TOCSIN_EVENT_ALERT)->alert, TOCSIN_ANSWER_ACTING, &answer);
    answer.by = "Duty officer";
    assert_int_equal(tocsin_node_ack(r->node, &answer, &counter, &r->error), TOCSIN_OK);
    const tocsin_event *event = NULL;
    do
        assert_int_equal(tocsin_node_next(r->node, NEXT_MS, &event, &r->error), TOCSIN_OK);
    while (event->kind != TOCSIN_EVENT_ACK_KEPT);
    assert_int_equal(event->code, TOCSIN_OK);
    assert_int_equal(event->counter, counter);
    tcn_card card;
    tcn_ack opened;
    tcn_fault fault = {.err = TCN_OK};
    assert_int_equal(
        tcn_card_open(world_card_envelope(w, "north"), world_authority(w), &card, &fault), TCN_OK);
    assert_int_equal(
        tcn_ack_open(tcn_bytes_of(r->ack, r->ack_len), &card, world_now(w), &opened, &fault),
        TCN_OK);
    assert_int_equal(opened.answer, TCN_ANSWER_ACTING);
    assert_true(tcn_bytes_equal(opened.by, tcn_bytes_str("Duty officer")));
    assert_true(tcn_hash_equal(&opened.payload_hash, &alert.payload_hash));
    tcn_card_fini(&card);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        RIG_TEST(test_alert_and_receipt),
        RIG_TEST(test_two_endpoints_on_one_descriptor),
        RIG_TEST(test_trust_before_alerts),
        RIG_TEST(test_forged_alert_is_reported),
        RIG_TEST(test_emergency_without_its_approvals),
        RIG_TEST(test_cursors),
        RIG_TEST(test_not_a_node),
        RIG_TEST(test_body),
        RIG_TEST(test_body_goes_on_after_a_cut_and_from_an_offset),
        RIG_TEST(test_spoiled_body),
        RIG_TEST(test_ack),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
