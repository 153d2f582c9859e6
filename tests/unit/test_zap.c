/* SPDX-License-Identifier: Apache-2.0 */
#include "broker/auth/zap.h"

#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <zmq.h>

#include <cmocka.h>

#include "libtocsin/curve.h"
#include "tests/support/mem_ports.h"
#include "tests/support/world.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define NOW ((tcn_wall){MEM_WALL_START_MS})
#define LIMIT_MS 10000
#define MOST_FRAMES 12

typedef struct {
    world *world;
    mem_ports ports;
    tcn_ports all;
    void *context, *client;
    tcn_zap *zap;
} fixture;

static void add(world *w, const char *name)
{
    world_member_set(w, &(world_member){.name = name, .roles = TCN_ROLE_NODE});
}

static tcn_card_key *transport_of(world *w, const char *name)
{
    tcn_card *card = world_card_edit(w, name);
    for (unsigned i = 0; i < card->keys; i++)
        if (card->key[i].use == TCN_KEY_TRANSPORT)
            return &card->key[i];
    abort();
}

static int setup(void **state)
{
    fixture *f = test_calloc(1, sizeof(*f));
    mem_ports_init(&f->ports, 1);
    f->all = mem_ports_all(&f->ports);
    f->world = world_new(NOW);
    static const char *const names[] = {"cert-fr", "suspended",   "retired", "compromised",
                                        "expired", "key-to-come", "key-over"};
    for (size_t i = 0; i < COUNT(names); i++)
        add(f->world, names[i]);
    const tcn_wall yesterday = {NOW.unix_ms - WORLD_DAY_MS},
                   tomorrow = {NOW.unix_ms + WORLD_DAY_MS};
    world_member_revoke(f->world, "suspended", TCN_MEMBER_SUSPENDED, yesterday);
    world_member_revoke(f->world, "retired", TCN_MEMBER_RETIRED, yesterday);
    world_member_revoke(f->world, "compromised", TCN_MEMBER_COMPROMISED, yesterday);
    tcn_card *card = world_card_edit(f->world, "expired");
    card->issued = (tcn_wall){NOW.unix_ms - 2 * WORLD_DAY_MS};
    card->expires = yesterday;
    transport_of(f->world, "key-to-come")->from = tomorrow;
    tcn_card_key *over = transport_of(f->world, "key-over");
    over->from = (tcn_wall){NOW.unix_ms - 2 * WORLD_DAY_MS};
    over->until = yesterday;
    world_sign(f->world);

    tcn_fault fault;
    assert_int_equal(tcn_curve_context(1, &f->context, &fault), TCN_OK);
    assert_int_equal(
        tcn_zap_start(f->context, world_roster(f->world), &f->all.clock, &f->zap, &fault), TCN_OK);
    f->client = zmq_socket(f->context, ZMQ_REQ);
    int limit_ms = LIMIT_MS;
    assert_int_equal(zmq_setsockopt(f->client, ZMQ_RCVTIMEO, &limit_ms, sizeof(limit_ms)), 0);
    assert_int_equal(zmq_connect(f->client, TCN_ZAP_ENDPOINT), 0);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    fixture *f = *state;
    tcn_curve_close(&f->client);
    tcn_zap_stop(&f->zap);
    tcn_zap_stop(&f->zap);
    assert_int_equal(zmq_ctx_term(f->context), 0);
    world_free(&f->world);
    mem_ports_fini(&f->ports);
    test_free(f);
    return 0;
}

typedef struct {
    size_t count;
    tcn_bytes frame[MOST_FRAMES];
} message;

static message good_request(const fixture *f, const char *member, tcn_publics *keep)
{
    *keep = world_publics(f->world, member);
    return (message){.count = 7,
                     .frame = {tcn_bytes_str("1.0"), tcn_bytes_str("77"),
                               tcn_bytes_str(TCN_ZAP_DOMAIN), tcn_bytes_str("192.0.2.7"),
                               tcn_bytes_str(""), tcn_bytes_str("CURVE"),
                               tcn_bytes_of(keep->transport.b, sizeof(keep->transport.b))}};
}

typedef struct {
    char version[8], request[512], status[8], text[128], member[128];
    size_t metadata;
} reply;

static void take_frame(void *socket, char *ret_text, size_t size, bool is_last)
{
    char text[1024];
    int len = zmq_recv(socket, text, sizeof(text), 0);
    assert_true(len >= 0 && (size_t)len < size);
    memcpy(ret_text, text, (size_t)len);
    ret_text[len] = '\0';
    int more;
    size_t more_size = sizeof(more);
    assert_int_equal(zmq_getsockopt(socket, ZMQ_RCVMORE, &more, &more_size), 0);
    assert_int_equal(more != 0, !is_last);
}

static reply ask(const fixture *f, const message *request)
{
    for (size_t i = 0; i < request->count; i++)
        assert_true(zmq_send(f->client, request->frame[i].ptr, request->frame[i].len,
                             i + 1 < request->count ? ZMQ_SNDMORE : 0) >= 0);
    reply r;
    char metadata[8];
    take_frame(f->client, r.version, sizeof(r.version), false);
    take_frame(f->client, r.request, sizeof(r.request), false);
    take_frame(f->client, r.status, sizeof(r.status), false);
    take_frame(f->client, r.text, sizeof(r.text), false);
    take_frame(f->client, r.member, sizeof(r.member), false);
    take_frame(f->client, metadata, sizeof(metadata), true);
    assert_string_equal(r.version, "1.0");
    assert_string_equal(metadata, "");
    return r;
}

static void expect_refused(const fixture *f, const message *request, const char *why)
{
    tcn_zap_refusals before, after;
    tcn_zap_take_refusals(f->zap, &before);
    reply r = ask(f, request);
    assert_string_equal(r.status, "400");
    assert_string_equal(r.text, why);
    assert_string_equal(r.member, "");
    tcn_zap_take_refusals(f->zap, &after);
    assert_int_equal(after.count, 1);
    assert_int_equal(after.total, before.total + 1);
    assert_string_equal(after.why, why);
    /* The handler is as good as before. */
    tcn_publics keep;
    message good = good_request(f, "cert-fr", &keep);
    assert_string_equal(ask(f, &good).status, "200");
}

static void test_valid_key_gets_the_members_name(void **state)
{
    const fixture *f = *state;
    tcn_publics keep;
    message request = good_request(f, "cert-fr", &keep);
    reply r = ask(f, &request);
    assert_string_equal(r.status, "200");
    assert_string_equal(r.request, "77");
    assert_string_equal(r.member, "cert-fr");
    tcn_zap_refusals refusals;
    tcn_zap_take_refusals(f->zap, &refusals);
    assert_int_equal(refusals.total, 0);
}

static void test_wrong_frames_are_refused(void **state)
{
    const fixture *f = *state;
    static const char too_long[256] = {'x'};
    static const struct {
        size_t frame; /* 0 to 6: replace; 7: none */
        size_t count;
        tcn_bytes with;
        const char *why;
    } cases[] = {
        {0, 7, {(const uint8_t *)"1.1", 3}, "not ZAP 1.0"},
        {0, 7, {(const uint8_t *)"", 0}, "not ZAP 1.0"},
        {0, 7, {(const uint8_t *)"1.0\0", 4}, "not ZAP 1.0"},
        {1, 7, {(const uint8_t *)too_long, 256}, "a frame of the ZAP request is too long"},
        {3, 7, {(const uint8_t *)too_long, 256}, "a frame of the ZAP request is too long"},
        {4, 7, {(const uint8_t *)too_long, 256}, "a frame of the ZAP request is too long"},
        {2, 7, {(const uint8_t *)"", 0}, "not our ZAP domain"},
        {2, 7, {(const uint8_t *)"global", 6}, "not our ZAP domain"},
        {2, 7, {(const uint8_t *)"tocsin.", 7}, "not our ZAP domain"},
        {5, 7, {(const uint8_t *)"NULL", 4}, "only CURVE is accepted"},
        {5, 7, {(const uint8_t *)"PLAIN", 5}, "only CURVE is accepted"},
        {5, 7, {(const uint8_t *)"curve", 5}, "only CURVE is accepted"},
        {5, 7, {(const uint8_t *)"", 0}, "only CURVE is accepted"},
        {6, 7, {(const uint8_t *)too_long, 31}, "not a CURVE key"},
        {6, 7, {(const uint8_t *)too_long, 33}, "not a CURVE key"},
        {6, 7, {(const uint8_t *)"", 0}, "not a CURVE key"},
        {6, 7, {(const uint8_t *)too_long, 32}, "no valid card has this key"},
        {7, 1, {NULL, 0}, "not a ZAP request of CURVE"},
        {7, 2, {NULL, 0}, "not a ZAP request of CURVE"},
        {7, 5, {NULL, 0}, "not a ZAP request of CURVE"},
        {7, 6, {NULL, 0}, "not a ZAP request of CURVE"},
        {7, 8, {NULL, 0}, "not a ZAP request of CURVE"},
        {7, 12, {NULL, 0}, "not a ZAP request of CURVE"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        tcn_publics keep;
        message request = good_request(f, "cert-fr", &keep);
        request.count = cases[i].count;
        if (cases[i].frame < 7)
            request.frame[cases[i].frame] = cases[i].with;
        expect_refused(f, &request, cases[i].why);
    }
}

static void test_request_id_is_echoed_or_left_out(void **state)
{
    const fixture *f = *state;
    tcn_publics keep;
    char id[256];
    memset(id, 'i', sizeof(id));
    message request = good_request(f, "cert-fr", &keep);
    request.frame[1] = tcn_bytes_of(id, 255);
    reply r = ask(f, &request);
    assert_string_equal(r.status, "200");
    assert_int_equal(strlen(r.request), 255);
    request.frame[1] = tcn_bytes_of(id, 256);
    r = ask(f, &request);
    assert_string_equal(r.status, "400");
    assert_string_equal(r.request, "");
}

static void test_only_valid_cards_get_in(void **state)
{
    const fixture *f = *state;
    static const char *const names[] = {"suspended", "retired",     "compromised",
                                        "expired",   "key-to-come", "key-over"};
    for (size_t i = 0; i < COUNT(names); i++) {
        tcn_publics keep;
        message request = good_request(f, names[i], &keep);
        expect_refused(f, &request, "no valid card has this key");
    }
}

static void test_sign_key_is_no_transport_key(void **state)
{
    const fixture *f = *state;
    tcn_publics keep;
    message request = good_request(f, "cert-fr", &keep);
    request.frame[6] = tcn_bytes_of(keep.sign.b, sizeof(keep.sign.b));
    expect_refused(f, &request, "no valid card has this key");
    request.frame[6] = tcn_bytes_of(keep.seal.b, sizeof(keep.seal.b));
    expect_refused(f, &request, "no valid card has this key");
}

static void test_a_new_roster_counts_from_the_next_request(void **state)
{
    fixture *f = *state;
    tcn_publics keep;
    message request = good_request(f, "cert-fr", &keep);
    assert_string_equal(ask(f, &request).status, "200");
    world_member_revoke(f->world, "cert-fr", TCN_MEMBER_SUSPENDED, NOW);
    add(f->world, "cert-de");
    world_sign(f->world);
    tcn_zap_set_roster(f->zap, world_roster(f->world));
    assert_string_equal(ask(f, &request).status, "400");
    request = good_request(f, "cert-de", &keep);
    assert_string_equal(ask(f, &request).member, "cert-de");
}

static void test_refusals_say_who_and_why(void **state)
{
    const fixture *f = *state;
    tcn_publics keep;
    message request = good_request(f, "retired", &keep);
    (void)ask(f, &request);
    (void)ask(f, &request);
    tcn_zap_refusals refusals;
    tcn_zap_take_refusals(f->zap, &refusals);
    assert_int_equal(refusals.count, 2);
    assert_int_equal(refusals.total, 2);
    assert_string_equal(refusals.address, "192.0.2.7");
    assert_true(refusals.has_key);
    assert_memory_equal(refusals.key.b, keep.transport.b, sizeof(refusals.key.b));
    request.frame[3] = tcn_bytes_str("::ffff:198.51.100.1");
    (void)ask(f, &request);
    tcn_zap_take_refusals(f->zap, &refusals);
    assert_string_equal(refusals.address, "198.51.100.1");
    request.frame[3] = tcn_bytes_str("::ffff:1");
    (void)ask(f, &request);
    tcn_zap_take_refusals(f->zap, &refusals);
    assert_string_equal(refusals.address, "::ffff:1");
    request.frame[3] = tcn_bytes_str("\x1b[31mred");
    (void)ask(f, &request);
    tcn_zap_take_refusals(f->zap, &refusals);
    assert_int_equal(refusals.count, 1);
    assert_int_equal(refusals.total, 5);
    assert_null(strchr(refusals.address, 0x1b));
}

static void test_without_roster_it_fails(void **state)
{
    const fixture *f = *state;
    tcn_publics keep;
    message request = good_request(f, "cert-fr", &keep);
    tcn_zap_verdict verdict;
    tcn_zap_judge(request.frame, request.count, NULL, NOW, &verdict);
    assert_int_equal(verdict.status, TCN_ZAP_FAILED);
    assert_string_equal(verdict.member, "");
}

static void test_a_second_handler_is_refused(void **state)
{
    const fixture *f = *state;
    tcn_zap *second = NULL;
    tcn_fault fault;
    assert_int_equal(
        tcn_zap_start(f->context, world_roster(f->world), &f->all.clock, &second, &fault),
        TCN_IN_USE);
    assert_null(second);
}

static void test_the_end_of_the_thread_shows(void **state)
{
    fixture *f = *state;
    struct pollfd alive = {.fd = tcn_zap_fd(f->zap), .events = POLLIN};
    assert_int_equal(poll(&alive, 1, 0), 0);
    tcn_curve_close(&f->client);
    assert_int_equal(zmq_ctx_shutdown(f->context), 0);
    assert_int_equal(poll(&alive, 1, LIMIT_MS), 1);
    assert_int_not_equal(alive.revents & (POLLIN | POLLHUP), 0);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_valid_key_gets_the_members_name),
        TEST(test_wrong_frames_are_refused),
        TEST(test_request_id_is_echoed_or_left_out),
        TEST(test_only_valid_cards_get_in),
        TEST(test_sign_key_is_no_transport_key),
        TEST(test_a_new_roster_counts_from_the_next_request),
        TEST(test_refusals_say_who_and_why),
        TEST(test_without_roster_it_fails),
        TEST(test_a_second_handler_is_refused),
        TEST(test_the_end_of_the_thread_shows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
