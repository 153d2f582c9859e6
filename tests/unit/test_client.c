/* SPDX-License-Identifier: Apache-2.0 */
/* test_client.c - the public client API against a scripted broker on real CURVE sockets. */
#include <tocsin/client.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "libtocsin/bundle.h"
#include "tests/support/scripted.h"
#include "tests/support/temp_dir.h"

/* What a script does, and what it saw. */
typedef struct {
    temp_dir dir;
    scripted *broker;
    tocsin_client *client;
    tocsin_error error;
    char home[2 * TEMP_DIR_SIZE];
    /* the script */
    bool mute;        /* says nothing to HELLO */
    bool mute_submit; /* says nothing to SUBMIT */
    tcn_err hello_error, submit_error;
    bool cut_first_submit;
    uint64_t trust_version;
    tcn_bytes bundle, card;
    size_t piece;
    /* uploads */
    uint8_t *body;
    size_t body_len, have, cut_at, busy_at;
    /* what was seen */
    tcn_lane submit_endpoint;
    unsigned hellos, submits, uploads, late_pieces;
} rig;

static void answer(scripted *s, const scripted_frame *frame, uint64_t req, tcn_err err, rig *r)
{
    tcn_wire wire = {.op = TCN_OP_ANSWER};
    wire.answer = (tcn_wire_answer){.req = req, .error = err};
    if (err != TCN_OK) {
        wire.answer.text = tcn_bytes_str("no \x1b[31mway");
        scripted_say(s, frame->peer, &wire);
        return;
    }
    bool whole = r->body == NULL || r->have == r->body_len;
    wire.answer.has_id = wire.answer.has_state = true;
    wire.answer.accepted = whole;
    wire.answer.has_seq = whole;
    wire.answer.seq = 42;
    wire.answer.has_entitled = true;
    wire.answer.entitled = 3;
    wire.answer.has_offset = r->body != NULL;
    wire.answer.offset = r->have;
    wire.answer.handle = tcn_bytes_str("VENDOR-1");
    wire.answer.broker = tcn_bytes_str("broker");
    scripted_say(s, frame->peer, &wire);
}

static void take_upload(scripted *s, const scripted_frame *frame, rig *r)
{
    tcn_bytes bytes = frame->wire.upload.bytes;
    tcn_err err = TCN_OK;
    r->uploads++;
    if (r->busy_at > 0 && r->have >= r->busy_at) {
        r->busy_at = 0;
        err = TCN_BUSY;
    } else if (frame->wire.upload.offset != r->have || bytes.len > r->body_len - r->have) {
        r->late_pieces++;
        err = TCN_CONFLICT;
    } else {
        memcpy(r->body + r->have, bytes.ptr, bytes.len);
        r->have += bytes.len;
    }
    if (r->cut_at > 0 && r->have >= r->cut_at) {
        r->cut_at = 0;
        scripted_cut(s, frame->peer);
        return;
    }
    answer(s, frame, frame->wire.upload.req, err, r);
}

static void take_hello(scripted *s, const scripted_frame *frame, rig *r)
{
    r->hellos++;
    if (r->mute)
        return;
    if (r->hello_error != TCN_OK) {
        const tcn_wire wire = {.op = TCN_OP_ERROR,
                               .error = {r->hello_error, tcn_bytes_str("too old")}};
        scripted_say(s, frame->peer, &wire);
        return;
    }
    scripted_welcome(s, frame, r->trust_version);
    if (r->trust_version > frame->wire.hello.trust_version)
        scripted_trust(s, frame->peer, r->bundle, r->trust_version, 0, r->piece);
}

/* A page of two alerts after the other, and no more. */
static void take_query(scripted *s, const scripted_frame *frame)
{
    static const uint8_t first[] = {0x01}, row[] = {0xa3, 0x01, 0x61, 0x61, 0x02, 0xf5, 0x03, 0x60};
    uint8_t raw[3 * sizeof(row)];
    bool more = frame->wire.query.after.len == 0;
    size_t count = more ? 3 : 1;
    for (size_t i = 0; i < count; i++)
        memcpy(raw + i * sizeof(row), row, sizeof(row));
    const tcn_wire wire = {.op = TCN_OP_RESULT,
                           .result = {.req = frame->wire.query.req,
                                      .items = {count, tcn_bytes_of(raw, count * sizeof(row))},
                                      .next = tcn_bytes_of(first, more ? 1 : 0)}};
    scripted_say(s, frame->peer, &wire);
}

static void script(scripted *s, const scripted_frame *frame, void *arg)
{
    rig *r = arg;
    switch (frame->wire.op) {
    case TCN_OP_HELLO: take_hello(s, frame, r); break;
    case TCN_OP_PING: {
        /* The card comes before the answer to what was asked after it. */
        if (r->card.len > 0)
            scripted_say(s, frame->peer, &(tcn_wire){.op = TCN_OP_CARD, .envelope = r->card});
        scripted_say(s, frame->peer, &(tcn_wire){.op = TCN_OP_PONG});
        break;
    }
    case TCN_OP_TRUST_GET:
        scripted_trust(s, frame->peer, r->bundle, r->trust_version,
                       (size_t)frame->wire.trust_get.offset, r->piece);
        break;
    case TCN_OP_SUBMIT:
        r->submits++;
        r->submit_endpoint = frame->endpoint;
        if (r->cut_first_submit && r->submits == 1)
            scripted_cut(s, frame->peer);
        else if (!r->mute_submit)
            answer(s, frame, frame->wire.submit.req, r->submit_error, r);
        break;
    case TCN_OP_UPLOAD: take_upload(s, frame, r); break;
    case TCN_OP_QUERY: take_query(s, frame); break;
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
    r->trust_version = world_bundle(scripted_world(r->broker))->version;
    r->piece = TCN_MAX_CHUNK_BYTES;
    (void)temp_dir_join(&r->dir, "home", r->home);
    *state = r;
    return 0;
}

static int teardown(void **state)
{
    rig *r = *state;
    tocsin_client_close(&r->client);
    if (r->broker != NULL)
        scripted_stop(&r->broker);
    temp_dir_fini(&r->dir);
    free(r->body);
    free(r);
    return 0;
}

#define RIG_TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

static void open_client(rig *r, const char *member, uint32_t timeout_ms)
{
    tocsin_client_options options;
    scripted_home(r->broker, member, r->home);
    tocsin_client_options_init(&options);
    options.home = r->home;
    options.connect_timeout_ms = options.request_timeout_ms = timeout_ms;
    assert_int_equal(tocsin_client_open(&options, &r->client, &r->error), TOCSIN_OK);
}

static const tocsin_text title = {"en", "A title", ""};

static tocsin_draft make_draft(const void *body, size_t size)
{
    tocsin_draft draft;
    tocsin_draft_init(&draft);
    draft.topic = "advisory.test";
    draft.tlp = TOCSIN_TLP_GREEN;
    draft.texts = &title;
    draft.text_count = 1;
    draft.body = body;
    draft.body_size = size;
    return draft;
}

static tocsin_prepared *prepare(rig *r)
{
    tocsin_draft draft = make_draft("body\n", 5);
    tocsin_prepared *prepared = NULL;
    assert_int_equal(tocsin_prepare(r->client, &draft, &prepared, &r->error), TOCSIN_OK);
    return prepared;
}

static bool is_saved(rig *r, const tocsin_alert *alert, const char *what)
{
    char id[TOCSIN_ID_TEXT_SIZE], path[2 * TEMP_DIR_SIZE + 64];
    tocsin_id_text(&alert->id, id);
    snprintf(path, sizeof(path), "%s/outgoing/%s.%s", r->home, id, what);
    return access(path, F_OK) == 0;
}

/* ---- connecting ---- */

static void test_welcome(void **state)
{
    rig *r = *state;
    tocsin_client_info info;
    open_client(r, "vendor", 5000);
    assert_int_equal(tocsin_client_connect(r->client, TOCSIN_LANE_BULK, &r->error), TOCSIN_OK);
    tocsin_client_get_info(r->client, &info, sizeof(info));
    assert_string_equal(info.broker, "broker");
    assert_string_equal(info.member, "vendor");
    assert_int_equal(info.connected, 1);
    assert_string_equal(info.notice, "");
    assert_int_equal(tocsin_client_connect(r->client, TOCSIN_LANE_BULK, &r->error), TOCSIN_OK);
    assert_int_equal(r->hellos, 1);
}

static void expect_connect_error(rig *r, int32_t code, int32_t stage)
{
    assert_int_equal(tocsin_client_connect(r->client, TOCSIN_LANE_BULK, &r->error), code);
    assert_int_equal(r->error.code, code);
    assert_int_equal(r->error.stage, stage);
    assert_int_equal(r->error.sent, 0);
    assert_true(r->error.text[0] != '\0');
}

static void test_nobody_listens(void **state)
{
    rig *r = *state;
    world *w = scripted_world(r->broker);
    snprintf(world_broker_edit(w, "broker")->session[0], TCN_ENDPOINT_CHARS, "127.0.0.1:%u",
             scripted_closed_port());
    world_sign(w);
    open_client(r, "vendor", 3000);
    expect_connect_error(r, TOCSIN_E_UNREACHABLE, TOCSIN_STAGE_CONNECT);
}

static void test_another_server_key(void **state)
{
    rig *r = *state;
    world *w = scripted_world(r->broker);
    world_broker_edit(w, "broker")->server_key = world_publics(w, "south").transport;
    world_sign(w);
    open_client(r, "vendor", 3000);
    expect_connect_error(r, TOCSIN_E_UNREACHABLE, TOCSIN_STAGE_HANDSHAKE);
    assert_int_equal(r->hellos, 0);
}

static void test_a_key_that_the_broker_refuses(void **state)
{
    rig *r = *state;
    world *w = scripted_world(r->broker);
    open_client(r, "vendor", 3000);
    world_member_revoke(w, "vendor", TCN_MEMBER_RETIRED, world_now(w));
    world_sign(w);
    scripted_let_in(r->broker, world_roster(w));
    expect_connect_error(r, TOCSIN_E_UNKNOWN_KEY, TOCSIN_STAGE_HANDSHAKE);
}

static void test_no_welcome(void **state)
{
    rig *r = *state;
    r->mute = true;
    open_client(r, "vendor", 300);
    expect_connect_error(r, TOCSIN_E_TIMEOUT, TOCSIN_STAGE_WELCOME);
    assert_int_equal(r->hellos, 1);
}

static void test_error_instead_of_welcome(void **state)
{
    rig *r = *state;
    r->hello_error = TCN_STALE;
    open_client(r, "vendor", 3000);
    expect_connect_error(r, TOCSIN_E_STALE, TOCSIN_STAGE_WELCOME);
    assert_non_null(strstr(r->error.text, "too old"));
}

/* A newer bundle comes in pieces, a newer card after it; both are in force and in the home. */
static void test_newer_trust(void **state)
{
    rig *r = *state;
    world *w = scripted_world(r->broker);
    tocsin_client_info info;
    open_client(r, "vendor", 5000);
    world_card_edit(w, "vendor")->roles |= TCN_ROLE_OPERATOR;
    world_sign(w);
    r->bundle = world_bundle_envelope(w);
    r->card = world_card_envelope(w, "vendor");
    r->trust_version = world_bundle(w)->version;
    r->piece = 300;
    assert_int_equal(tocsin_client_connect(r->client, TOCSIN_LANE_BULK, &r->error), TOCSIN_OK);
    tocsin_client_get_info(r->client, &info, sizeof(info));
    assert_string_equal(info.notice, "");
    assert_int_equal(info.trust_version, r->trust_version);
    assert_int_equal(info.roles & TOCSIN_ROLE_OPERATOR, TOCSIN_ROLE_OPERATOR);
    tocsin_client_close(&r->client);
    tocsin_client_options options;
    tocsin_client_options_init(&options);
    options.home = r->home;
    assert_int_equal(tocsin_client_open(&options, &r->client, &r->error), TOCSIN_OK);
    tocsin_client_get_info(r->client, &info, sizeof(info));
    assert_int_equal(info.trust_version, r->trust_version);
    assert_int_equal(info.roles & TOCSIN_ROLE_OPERATOR, TOCSIN_ROLE_OPERATOR);
}

/* Trust that another authority signed is not taken, and we go on with our own. */
static void test_forged_trust(void **state)
{
    rig *r = *state;
    world *w = scripted_world(r->broker);
    tocsin_client_info info;
    uint64_t held = r->trust_version;
    open_client(r, "vendor", 5000);
    world_sign(w);
    r->bundle = world_card_envelope(w, "vendor"); /* signed, but no bundle */
    r->trust_version = held + 1;
    assert_int_equal(tocsin_client_connect(r->client, TOCSIN_LANE_BULK, &r->error), TOCSIN_OK);
    tocsin_client_get_info(r->client, &info, sizeof(info));
    assert_int_equal(info.trust_version, held);
    assert_true(info.notice[0] != '\0');
}

/* ---- submitting ---- */

static void test_submit(void **state)
{
    rig *r = *state;
    tocsin_answer got;
    open_client(r, "vendor", 5000);
    tocsin_prepared *prepared = prepare(r);
    const tocsin_alert *alert = tocsin_prepared_alert(prepared);
    assert_memory_equal(alert->handle, "VENDOR-20", 9);
    assert_string_equal(alert->publisher, "vendor");
    assert_int_equal(tocsin_submit(r->client, prepared, NULL, NULL, &got, &r->error), TOCSIN_OK);
    assert_int_equal(got.accepted, 1);
    assert_int_equal(got.seq, 42);
    assert_int_equal(got.entitled, 3);
    assert_string_equal(got.handle, "VENDOR-1");
    assert_int_equal(r->submit_endpoint, TCN_LANE_BULK);
    assert_false(is_saved(r, alert, "envelope"));
    tocsin_prepared_destroy(&prepared);
}

static void test_submit_refused(void **state)
{
    rig *r = *state;
    tocsin_answer got;
    r->submit_error = TCN_TOPIC_DENIED;
    open_client(r, "vendor", 5000);
    tocsin_prepared *prepared = prepare(r);
    assert_int_equal(tocsin_submit(r->client, prepared, NULL, NULL, &got, &r->error),
                     TOCSIN_E_TOPIC_DENIED);
    assert_int_equal(r->error.stage, TOCSIN_STAGE_ANSWER);
    assert_string_equal(r->error.word, "topic-denied");
    assert_null(strchr(r->error.text, '\x1b'));
    assert_false(is_saved(r, tocsin_prepared_alert(prepared), "envelope"));
    tocsin_prepared_destroy(&prepared);
}

/* No answer in time: says that it was sent, keeps it, and the same bytes go out again later. */
static void test_submit_times_out_and_is_resumed(void **state)
{
    rig *r = *state;
    tocsin_answer got;
    r->mute_submit = true;
    open_client(r, "vendor", 1000);
    tocsin_prepared *prepared = prepare(r), *again = NULL;
    const tocsin_alert *alert = tocsin_prepared_alert(prepared);
    assert_int_equal(tocsin_submit(r->client, prepared, NULL, NULL, &got, &r->error),
                     TOCSIN_E_TIMEOUT);
    assert_int_equal(r->error.sent, 1);
    assert_true(is_saved(r, alert, "envelope"));
    r->mute_submit = false;
    assert_int_equal(tocsin_prepared_open(r->client, &alert->id, &again, &r->error), TOCSIN_OK);
    const tocsin_alert *same = tocsin_prepared_alert(again);
    assert_int_equal(same->envelope_size, alert->envelope_size);
    assert_memory_equal(same->envelope, alert->envelope, (size_t)alert->envelope_size);
    assert_int_equal(tocsin_submit(r->client, again, NULL, NULL, &got, &r->error), TOCSIN_OK);
    assert_false(is_saved(r, alert, "envelope"));
    tocsin_prepared_destroy(&again);
    assert_int_equal(tocsin_prepared_open(r->client, &alert->id, &again, &r->error),
                     TOCSIN_E_NOT_FOUND);
    tocsin_prepared_destroy(&prepared);
}

static void test_submit_survives_a_lost_connection(void **state)
{
    rig *r = *state;
    tocsin_answer got;
    r->cut_first_submit = true;
    open_client(r, "vendor", 5000);
    tocsin_prepared *prepared = prepare(r);
    assert_int_equal(tocsin_submit(r->client, prepared, NULL, NULL, &got, &r->error), TOCSIN_OK);
    assert_int_equal(r->submits, 2);
    assert_int_equal(r->hellos, 2);
    tocsin_prepared_destroy(&prepared);
}

static void test_emergencies_have_their_endpoint(void **state)
{
    rig *r = *state;
    tocsin_answer got;
    tocsin_draft draft = make_draft("body\n", 5);
    tocsin_prepared *prepared = NULL;
    draft.lane = TOCSIN_LANE_EMERGENCY;
    open_client(r, "vendor", 5000);
    assert_int_equal(tocsin_prepare(r->client, &draft, &prepared, &r->error), TOCSIN_OK);
    const tocsin_alert *alert = tocsin_prepared_alert(prepared);
    assert_int_equal(alert->approvals, 1);
    assert_int_equal(alert->approvals_needed, 2);
    assert_int_equal(tocsin_submit(r->client, prepared, NULL, NULL, &got, &r->error), TOCSIN_OK);
    assert_int_equal(r->submit_endpoint, TCN_LANE_EMERGENCY);
    tocsin_prepared_destroy(&prepared);
}

static void test_emergency_over_session_when_its_endpoint_is_away(void **state)
{
    rig *r = *state;
    world *w = scripted_world(r->broker);
    tocsin_answer got;
    tocsin_draft draft = make_draft("body\n", 5);
    tocsin_prepared *prepared = NULL;
    tocsin_client_info info;
    snprintf(world_broker_edit(w, "broker")->emergency[0], TCN_ENDPOINT_CHARS, "127.0.0.1:%u",
             scripted_closed_port());
    world_sign(w);
    r->trust_version = world_bundle(w)->version;
    draft.lane = TOCSIN_LANE_EMERGENCY;
    open_client(r, "vendor", 5000);
    assert_int_equal(tocsin_prepare(r->client, &draft, &prepared, &r->error), TOCSIN_OK);
    assert_int_equal(tocsin_submit(r->client, prepared, NULL, NULL, &got, &r->error), TOCSIN_OK);
    assert_int_equal(r->submit_endpoint, TCN_LANE_BULK);
    tocsin_client_get_info(r->client, &info, sizeof(info));
    assert_non_null(strstr(info.notice, "emergency"));
    tocsin_prepared_destroy(&prepared);
}

static void test_refused_before_it_is_sent(void **state)
{
    rig *r = *state;
    tocsin_prepared *prepared = NULL;
    uint8_t *random = malloc(100000);
    assert_non_null(random);
    randombytes_buf(random, 100000);
    tocsin_draft draft = make_draft(random, 100000);
    open_client(r, "north", 5000);
    assert_int_equal(tocsin_prepare(r->client, &draft, &prepared, &r->error), TOCSIN_E_WRONG_ROLE);
    tocsin_client_close(&r->client);
    (void)temp_dir_join(&r->dir, "other", r->home);
    open_client(r, "vendor", 5000);
    draft.lane = TOCSIN_LANE_EMERGENCY;
    assert_int_equal(tocsin_prepare(r->client, &draft, &prepared, &r->error), TOCSIN_E_TOO_LARGE);
    draft = make_draft("x", 1);
    draft.tlp = TOCSIN_TLP_RED;
    assert_int_equal(tocsin_prepare(r->client, &draft, &prepared, &r->error), TOCSIN_E_INVALID);
    draft = make_draft("x", 1);
    draft.topic = "Not A Topic";
    assert_int_equal(tocsin_prepare(r->client, &draft, &prepared, &r->error), TOCSIN_E_INVALID);
    draft = make_draft("x", 1);
    draft.expires = 1000;
    assert_int_not_equal(tocsin_prepare(r->client, &draft, &prepared, &r->error), TOCSIN_OK);
    assert_null(prepared);
    assert_int_equal(r->hellos, 0);
    free(random);
}

/* ---- uploads ---- */

typedef struct {
    uint64_t last, calls;
} progress_seen;

static void see_progress(void *arg, uint64_t done, uint64_t total)
{
    progress_seen *seen = arg;
    assert_true(done <= total);
    assert_true(done >= seen->last);
    seen->last = done;
    seen->calls++;
}

static void upload(rig *r, size_t size)
{
    uint8_t *body = malloc(size);
    tocsin_answer got;
    tocsin_prepared *prepared = NULL;
    progress_seen seen = {0};
    assert_non_null(body);
    randombytes_buf(body, size); /* does not compress */
    tocsin_draft draft = make_draft(body, size);
    r->body = calloc(1, size);
    r->body_len = size;
    open_client(r, "vendor", 5000);
    assert_int_equal(tocsin_prepare(r->client, &draft, &prepared, &r->error), TOCSIN_OK);
    assert_int_equal(tocsin_prepared_alert(prepared)->external, 1);
    assert_int_equal(tocsin_submit(r->client, prepared, see_progress, &seen, &got, &r->error),
                     TOCSIN_OK);
    assert_int_equal(got.accepted, 1);
    assert_int_equal(seen.last, size);
    assert_int_equal(r->have, size);
    assert_memory_equal(r->body, body, size);
    assert_false(is_saved(r, tocsin_prepared_alert(prepared), "body"));
    tocsin_prepared_destroy(&prepared);
    free(body);
}

static void test_upload(void **state)
{
    rig *r = *state;
    upload(r, 2000000);
    assert_int_equal(r->uploads, (2000000 + TCN_MAX_CHUNK_BYTES - 1) / TCN_MAX_CHUNK_BYTES);
    assert_int_equal(r->submits, 1);
}

static void test_upload_goes_on_after_a_lost_connection(void **state)
{
    rig *r = *state;
    r->cut_at = 600000;
    upload(r, 2000000);
    assert_int_equal(r->submits, 2);
    assert_int_equal(r->hellos, 2);
    assert_int_equal(r->late_pieces, 0);
}

static void test_upload_to_a_busy_broker(void **state)
{
    rig *r = *state;
    r->busy_at = 300000;
    upload(r, 2000000);
    assert_int_equal(r->submits, 2);
    assert_true(r->late_pieces > 0); /* the rest of the window, not taken either */
}

/* ---- asking ---- */

static void test_pages(void **state)
{
    rig *r = *state;
    tocsin_items *items = NULL;
    const tocsin_explain_item *item = NULL;
    const tocsin_id id = {{1}};
    unsigned count = 0;
    open_client(r, "watch", 5000);
    assert_int_equal(tocsin_list_explain(r->client, &id, "north", &items, &r->error), TOCSIN_OK);
    for (;;) {
        assert_int_equal(tocsin_next_explain_item(items, &item, &r->error), TOCSIN_OK);
        if (item == NULL)
            break;
        assert_string_equal(item->term, "a");
        assert_int_equal(item->holds, 1);
        count++;
    }
    assert_int_equal(count, 4);
    tocsin_items_close(&items);
    /* The same items are no board. */
    const tocsin_board_item *board = NULL;
    assert_int_equal(tocsin_list_board(r->client, &id, &items, &r->error), TOCSIN_OK);
    assert_int_equal(tocsin_next_board_item(items, &board, &r->error), TOCSIN_E_MALFORMED);
    assert_null(board);
    tocsin_items_close(&items);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        RIG_TEST(test_welcome),
        RIG_TEST(test_nobody_listens),
        RIG_TEST(test_another_server_key),
        RIG_TEST(test_a_key_that_the_broker_refuses),
        RIG_TEST(test_no_welcome),
        RIG_TEST(test_error_instead_of_welcome),
        RIG_TEST(test_newer_trust),
        RIG_TEST(test_forged_trust),
        RIG_TEST(test_submit),
        RIG_TEST(test_submit_refused),
        RIG_TEST(test_submit_times_out_and_is_resumed),
        RIG_TEST(test_submit_survives_a_lost_connection),
        RIG_TEST(test_emergencies_have_their_endpoint),
        RIG_TEST(test_emergency_over_session_when_its_endpoint_is_away),
        RIG_TEST(test_refused_before_it_is_sent),
        RIG_TEST(test_upload),
        RIG_TEST(test_upload_goes_on_after_a_lost_connection),
        RIG_TEST(test_upload_to_a_busy_broker),
        RIG_TEST(test_pages),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
