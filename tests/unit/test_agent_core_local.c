/* SPDX-License-Identifier: Apache-2.0 */
/* The local socket's requests: lists and pages, followers, resolving, acks and their way out. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "libtocsin/ack.h"
#include "tests/support/agent_rig.h"

static int setup(void **state)
{
    static agent_rig rig;
    rig_init(&rig, 5);
    rig_start(&rig);
    rig_serve(&rig);
    *state = &rig;
    return 0;
}

static int teardown(void **state)
{
    rig_fini(*state);
    return 0;
}

static world_alert give(agent_rig *rig, uint64_t seq, const world_options *options)
{
    world_alert alert = world_alert_make(rig->w, options);
    rig_alert(rig, seq, &alert, options->lane);
    return alert;
}

/* ---- lists ---- */

typedef struct {
    bool unacked, follow;
    const char *topic;
    uint64_t since;
} ask;

static void put_ask(const ask *asked, tcn_cbor_writer *w)
{
    tcn_cbor_put_map(w, 2u + (asked->topic != NULL) + (asked->since > 0));
    tcn_cbor_put_uint(w, 2);
    tcn_cbor_put_bool(w, asked->unacked);
    if (asked->topic) {
        tcn_cbor_put_uint(w, 3);
        tcn_cbor_put_text(w, asked->topic);
    }
    if (asked->since > 0) {
        tcn_cbor_put_uint(w, 4);
        tcn_cbor_put_uint(w, asked->since);
    }
    tcn_cbor_put_uint(w, 5);
    tcn_cbor_put_bool(w, asked->follow);
}

static tcn_local_reply inbox(agent_rig *rig, const ask *asked)
{
    uint8_t memory[256];
    tcn_cbor_writer w;
    tcn_cbor_writer_init(&w, memory, sizeof memory);
    put_ask(asked, &w);
    return rig_ask(rig, TCN_LOCAL_INBOX, &w);
}

static void test_the_inbox_is_filtered(void **state)
{
    agent_rig *rig = *state;
    (void)give(rig, 1, &(world_options){.publisher = "pub", .topic = "advisory.one"});
    mem_ports_pass(&rig->ports, 1000);
    uint64_t since = (uint64_t)rig->ports.wall.unix_ms;
    (void)give(rig, 2, &(world_options){.publisher = "pub", .topic = "advisory.two"});
    assert_int_equal(inbox(rig, &(ask){.unacked = false}).items, 2);
    tcn_local_reply reply = inbox(rig, &(ask){.topic = "*.one"});
    assert_int_equal(reply.items, 1);
    assert_true(tcn_bytes_equal(rig_value(&reply, 0, 5), tcn_bytes_str("advisory.one")));
    reply = inbox(rig, &(ask){.since = since});
    assert_int_equal(reply.items, 1);
    assert_true(tcn_bytes_equal(rig_value(&reply, 0, 5), tcn_bytes_str("advisory.two")));
    assert_int_equal(rig_ack(rig, "last", TCN_ANSWER_SEEN).error, TCN_OK);
    reply = inbox(rig, &(ask){.unacked = true});
    assert_int_equal(reply.items, 1);
    assert_true(tcn_bytes_equal(rig_value(&reply, 0, 5), tcn_bytes_str("advisory.one")));
    assert_int_equal(inbox(rig, &(ask){.topic = "not a pattern"}).error, TCN_INVALID);
}

static void test_a_long_inbox_comes_in_pages(void **state)
{
    enum { MANY = 700 };
    agent_rig *rig = *state;
    for (unsigned i = 0; i < MANY; i++)
        (void)give(rig, 1 + i, &(world_options){.publisher = "pub"});
    tcn_local_reply reply = inbox(rig, &(ask){.unacked = false});
    size_t items = reply.items, pages = 1;
    uint64_t last = rig_number(&reply, reply.items - 1, 3);
    assert_true(reply.more);
    while (reply.more) {
        rig_pass(rig, 0);
        assert_true(rig_take_reply(rig, RIG_CLIENT, &reply));
        assert_int_equal(reply.req, rig->req);
        if (reply.items > 0)
            assert_int_equal(rig_number(&reply, 0, 3), last + 1);
        if (reply.items > 0)
            last = rig_number(&reply, reply.items - 1, 3);
        items += reply.items;
        pages++;
    }
    assert_int_equal(items, MANY);
    assert_true(pages > 2);
    assert_false(rig_take_reply(rig, RIG_CLIENT, &reply));
}

static void test_a_client_that_reads_slowly_gets_every_page(void **state)
{
    enum { MANY = 600 };
    agent_rig *rig = *state;
    for (unsigned i = 0; i < MANY; i++)
        (void)give(rig, 1 + i, &(world_options){.publisher = "pub"});
    mem_net_set_high_water(rig->ports.net, 1);
    tcn_local_reply reply = inbox(rig, &(ask){.unacked = false});
    size_t items = reply.items;
    for (unsigned i = 0; i < 100 && reply.more; i++) {
        rig_pass(rig, 250);
        rig_pass(rig, 250); /* nothing is lost when it does not read at once */
        assert_true(rig_take_reply(rig, RIG_CLIENT, &reply));
        items += reply.items;
    }
    assert_false(reply.more);
    assert_int_equal(items, MANY);
}

static void test_a_follower_is_told_of_what_comes(void **state)
{
    agent_rig *rig = *state;
    tcn_local_reply reply;
    world_alert first = give(rig, 1, &(world_options){.publisher = "pub"});
    reply = inbox(rig, &(ask){.follow = true});
    assert_int_equal(reply.items, 1);
    assert_true(reply.more);
    assert_false(rig_take_reply(rig, RIG_CLIENT, &reply));
    world_alert second = give(rig, 2, &(world_options){.publisher = "pub", .title = "new"});
    assert_true(rig_take_reply(rig, RIG_CLIENT, &reply));
    assert_int_equal(reply.items, 1);
    assert_true(reply.more);
    assert_true(tcn_bytes_equal(rig_value(&reply, 0, 8), tcn_bytes_str("new")));
    rig_alert(rig, 3, &second, TCN_LANE_BULK); /* known */
    assert_false(rig_take_reply(rig, RIG_CLIENT, &reply));
    (void)give(
        rig, 4,
        &(world_options){.publisher = "pub", .kind = TCN_KIND_CANCEL, .references = {&first.id}});
    assert_true(rig_take_reply(rig, RIG_CLIENT, &reply));
    assert_int_equal(rig_number(&reply, 0, 13), TCN_KIND_CANCEL);
    tcn_agent_input gone = {.kind = TCN_AGENT_LOCAL_GONE, .peer = RIG_CLIENT};
    rig_input(rig, &gone);
    (void)give(rig, 5, &(world_options){.publisher = "pub"});
    assert_false(rig_take_reply(rig, RIG_CLIENT, &reply));
}

static void test_clients_are_bounded(void **state)
{
    agent_rig *rig = *state;
    uint8_t memory[64];
    size_t len;
    tcn_local_request request = {.op = TCN_LOCAL_STATUS, .req = 1};
    assert_int_equal(tcn_local_request_encode(&request, memory, sizeof memory, &len), TCN_OK);
    for (unsigned i = 0; i <= TCN_MAX_LOCAL_CLIENTS; i++) {
        tcn_agent_input input = {
            .kind = TCN_AGENT_LOCAL, .peer = RIG_CLIENT + i, .frame = tcn_bytes_of(memory, len)};
        rig_input(rig, &input);
        assert_int_equal(mem_net_is_closed(rig->ports.net, RIG_CLIENT + i),
                         i == TCN_MAX_LOCAL_CLIENTS);
    }
}

static void test_bad_requests_are_refused(void **state)
{
    agent_rig *rig = *state;
    uint8_t memory[64];
    tcn_cbor_writer w;
    assert_int_equal(rig_ask(rig, (tcn_local_op)77, NULL).error, TCN_INVALID);
    assert_int_equal(rig_ask(rig, TCN_LOCAL_SHOW, NULL).error, TCN_MALFORMED);
    tcn_cbor_writer_init(&w, memory, sizeof memory);
    tcn_cbor_put_map(&w, 1);
    tcn_cbor_put_uint(&w, 9);
    tcn_cbor_put_uint(&w, 9);
    assert_int_equal(rig_ask(rig, TCN_LOCAL_INBOX, &w).error, TCN_MALFORMED);
    tcn_cbor_writer_init(&w, memory, sizeof memory);
    tcn_cbor_put_map(&w, 1);
    tcn_cbor_put_uint(&w, 64); /* for later */
    tcn_cbor_put_uint(&w, 9);
    assert_int_equal(rig_ask(rig, TCN_LOCAL_INBOX, &w).error, TCN_OK);
    tcn_agent_input input = {
        .kind = TCN_AGENT_LOCAL, .peer = RIG_CLIENT + 1, .frame = tcn_bytes_str("no CBOR at all")};
    rig_input(rig, &input);
    assert_true(mem_net_is_closed(rig->ports.net, RIG_CLIENT + 1));
}

/* ---- resolving ---- */

static tcn_local_reply resolve(agent_rig *rig, const char *text)
{
    return rig_ask_text(rig, TCN_LOCAL_RESOLVE, text);
}

static bool is_id(const tcn_local_reply *reply, const tcn_id *id)
{
    return reply->error == TCN_OK &&
           tcn_bytes_equal(rig_value(reply, 0, 1), tcn_bytes_of(id->b, sizeof id->b));
}

static void test_alerts_are_found_as_people_name_them(void **state)
{
    agent_rig *rig = *state;
    tcn_id id_a = {.b = {0xab, 0xcd, 0x12, 0x34, 0, 0, 0x70, 1, 0x80, 9}}, id_b = id_a;
    id_b.b[2] = 0x13;
    world_alert a = give(rig, 1, &(world_options){.publisher = "pub", .id = id_a, .handle = "P-1"});
    world_alert b =
        give(rig, 2, &(world_options){.publisher = "pub-two", .id = id_b, .handle = "P-2"});
    char text[TCN_ID_TEXT_SIZE];
    tcn_id_text(&a.id, text);
    tcn_local_reply reply = resolve(rig, text);
    assert_true(is_id(&reply, &a.id));
    reply = resolve(rig, "P-2");
    assert_true(is_id(&reply, &b.id));
    reply = resolve(rig, "abcd13");
    assert_true(is_id(&reply, &b.id));
    reply = resolve(rig, "ABCD1234-0");
    assert_true(is_id(&reply, &a.id));
    reply = resolve(rig, "last");
    assert_true(is_id(&reply, &b.id));
    reply = resolve(rig, "abcd1");
    assert_int_equal(reply.error, TCN_INVALID);
    char said[256];
    (void)snprintf(said, sizeof said, "%.*s", (int)reply.text.len, (const char *)reply.text.ptr);
    assert_non_null(strstr(said, "P-1"));
    assert_non_null(strstr(said, "P-2"));
    assert_int_equal(resolve(rig, "abc").error, TCN_INVALID);
    assert_int_equal(resolve(rig, "abce").error, TCN_NOT_FOUND);
    assert_int_equal(resolve(rig, "P-3").error, TCN_NOT_FOUND);
    assert_int_equal(resolve(rig, "").error, TCN_NOT_FOUND);
    /* The same handle of another publisher. */
    (void)give(rig, 3, &(world_options){.publisher = "pub-two", .handle = "P-1"});
    assert_int_equal(resolve(rig, "P-1").error, TCN_INVALID);
    /* A cancel is not what people mean by the last. */
    (void)give(
        rig, 4,
        &(world_options){.publisher = "pub-two", .kind = TCN_KIND_CANCEL, .references = {&b.id}});
    reply = rig_ask_text(rig, TCN_LOCAL_SHOW, "last");
    assert_true(tcn_bytes_equal(rig_value(&reply, 0, 2), tcn_bytes_str("P-1")));
}

static void test_last_of_nothing_is_nothing(void **state)
{
    assert_int_equal(resolve(*state, "last").error, TCN_NOT_FOUND);
}

/* ---- acks ---- */

/* Takes the next ACK and checks it with the member's card. */
static tcn_ack take_ack(agent_rig *rig, tcn_peer link, const world_alert *alert)
{
    tcn_wire wire;
    tcn_ack ack;
    tcn_fault fault;
    tcn_card card;
    rig_expect(rig, link, TCN_OP_ACK, &wire);
    assert_int_equal(tcn_card_open(world_card_envelope(rig->w, "node-a"), world_authority(rig->w),
                                   &card, &fault),
                     TCN_OK);
    assert_int_equal(tcn_ack_open(wire.envelope, &card, rig->ports.wall, &ack, &fault), TCN_OK);
    tcn_card_fini(&card);
    assert_true(tcn_id_equal(&ack.alert, &alert->id));
    assert_true(tcn_hash_equal(&ack.payload_hash, &alert->payload_hash));
    assert_true(tcn_bytes_equal(ack.member, tcn_bytes_str("node-a")));
    return ack;
}

static void confirm(agent_rig *rig, tcn_peer link, const tcn_id *id, uint64_t counter, tcn_err err)
{
    rig_frame(
        rig, link,
        &(tcn_wire){.op = TCN_OP_ACK_OK, .ack_ok = {.id = *id, .counter = counter, .error = err}});
}

/* [answer, confirmed] of show. */
static void check_answer(agent_rig *rig, const tcn_id *id, unsigned answer, bool confirmed)
{
    tcn_local_reply reply = rig_show(rig, id);
    tcn_cbor_reader r;
    tcn_cbor_reader_init(&r, rig_value(&reply, 0, 14));
    assert_int_equal(tcn_cbor_get_array(&r, 2), 2);
    assert_int_equal(tcn_cbor_get_uint(&r), answer);
    assert_int_equal(tcn_cbor_get_bool(&r), confirmed);
    assert_int_equal(tcn_cbor_reader_done(&r), TCN_OK);
}

static void test_an_ack_is_said_until_the_broker_has_it(void **state)
{
    agent_rig *rig = *state;
    tcn_wire wire;
    world_alert alert = give(rig, 1, &(world_options){.publisher = "pub"});
    tcn_local_reply reply = rig_ack(rig, "last", TCN_ANSWER_ACTING);
    assert_int_equal(reply.error, TCN_OK);
    uint64_t counter = rig_number(&reply, 0, 2);
    tcn_ack ack = take_ack(rig, RIG_SESSION, &alert);
    assert_int_equal(ack.counter, counter);
    assert_int_equal(ack.answer, TCN_ANSWER_ACTING);
    assert_true(tcn_bytes_equal(ack.by, tcn_bytes_str("Ada")));
    assert_false(ack.by_rule);
    check_answer(rig, &alert.id, TCN_ANSWER_ACTING, false);
    rig_restart(rig);
    rig_serve(rig);
    assert_int_equal(take_ack(rig, RIG_SESSION, &alert).counter, counter);
    confirm(rig, RIG_SESSION, &alert.id, counter, TCN_BUSY); /* not now */
    rig_pass(rig, 20000);
    rig_frame(rig, RIG_SESSION, &(tcn_wire){.op = TCN_OP_PONG});
    rig_pass(rig, 20000);
    rig_frame(rig, RIG_SESSION, &(tcn_wire){.op = TCN_OP_PONG});
    rig_pass(rig, 21000);
    assert_int_equal(take_ack(rig, RIG_SESSION, &alert).counter, counter);
    confirm(rig, RIG_SESSION, &alert.id, counter, TCN_OK);
    check_answer(rig, &alert.id, TCN_ANSWER_ACTING, true);
    rig_restart(rig);
    rig_serve(rig);
    assert_false(rig_take(rig, RIG_SESSION, TCN_OP_ACK, &wire));
    check_answer(rig, &alert.id, TCN_ANSWER_ACTING, true);
}

static void test_the_counter_rises_and_the_last_answer_counts(void **state)
{
    agent_rig *rig = *state;
    tcn_wire wire;
    world_alert alert = give(rig, 1, &(world_options){.publisher = "pub"});
    tcn_local_reply reply = rig_ack(rig, "last", TCN_ANSWER_SEEN);
    uint64_t first = rig_number(&reply, 0, 2);
    reply = rig_ack(rig, "last", TCN_ANSWER_DONE);
    uint64_t second = rig_number(&reply, 0, 2);
    assert_true(second > first);
    rig->ports.wall.unix_ms -= 3600000; /* the clock goes back, the counter does not */
    reply = rig_ack(rig, "last", TCN_ANSWER_HELP);
    assert_true(rig_number(&reply, 0, 2) > second);
    rig->ports.wall.unix_ms += 3600000;
    rig_restart(rig);
    reply = rig_ack(rig, "last", TCN_ANSWER_DONE);
    uint64_t last = rig_number(&reply, 0, 2);
    assert_true(last > second + 1);
    rig_serve(rig);
    assert_int_equal(take_ack(rig, RIG_SESSION, &alert).counter, last);
    assert_false(rig_take(rig, RIG_SESSION, TCN_OP_ACK, &wire)); /* only the last */
    confirm(rig, RIG_SESSION, &alert.id, second, TCN_OK);        /* of an earlier one */
    check_answer(rig, &alert.id, TCN_ANSWER_DONE, false);
    reply = rig_status(rig);
    assert_int_equal(rig_number(&reply, 0, 10), 1);
    confirm(rig, RIG_SESSION, &alert.id, last, TCN_OK);
    reply = rig_status(rig);
    assert_int_equal(rig_number(&reply, 0, 10), 0);
    assert_int_equal(rig_number(&reply, 0, 7), 0);
}

static void test_an_emergencys_ack_goes_by_its_link(void **state)
{
    agent_rig *rig = *state;
    tcn_wire wire;
    world_alert alert = give(
        rig, 1,
        &(world_options){.publisher = "pub", .lane = TCN_LANE_EMERGENCY, .approvers = {"app-a"}});
    rig_forget(rig);
    (void)rig_ack(rig, "last", TCN_ANSWER_SEEN);
    assert_false(rig_take(rig, RIG_SESSION, TCN_OP_ACK, &wire));
    (void)take_ack(rig, RIG_EMERGENCY, &alert);
    /* Unconfirmed when that link is lost: session says it. */
    rig_down(rig, RIG_EMERGENCY);
    (void)take_ack(rig, RIG_SESSION, &alert);
}

static void test_a_refused_ack_is_not_said_forever(void **state)
{
    agent_rig *rig = *state;
    tcn_wire wire;
    world_alert alert = give(rig, 1, &(world_options){.publisher = "pub"});
    tcn_local_reply reply = rig_ack(rig, "last", TCN_ANSWER_SEEN);
    confirm(rig, RIG_SESSION, &alert.id, rig_number(&reply, 0, 2), TCN_DENIED);
    rig_restart(rig);
    rig_serve(rig);
    assert_false(rig_take(rig, RIG_SESSION, TCN_OP_ACK, &wire));
    check_answer(rig, &alert.id, TCN_ANSWER_SEEN, false);
    assert_non_null(mem_ports_line(&rig->ports, "ack-refused", 0));
}

static void test_an_ack_without_disk_is_no_ack(void **state)
{
    agent_rig *rig = *state;
    tcn_wire wire;
    world_alert alert = give(rig, 1, &(world_options){.publisher = "pub"});
    rig_forget(rig);
    mem_store_fail_write(rig->ports.store, 1, TCN_FULL);
    tcn_local_reply reply = rig_ack(rig, "last", TCN_ANSWER_SEEN);
    assert_int_equal(reply.error, TCN_FULL);
    assert_false(rig_take(rig, RIG_SESSION, TCN_OP_ACK, &wire));
    reply = rig_status(rig);
    assert_int_equal(rig_number(&reply, 0, 7), 1);
    reply = rig_ack(rig, "last", TCN_ANSWER_SEEN);
    assert_int_equal(reply.error, TCN_OK);
    (void)take_ack(rig, RIG_SESSION, &alert);
}

static void test_many_acks_all_get_out(void **state)
{
    enum { MANY = 100 };
    agent_rig *rig = *state;
    tcn_wire wire;
    rig_down(rig, RIG_SESSION);
    rig_down(rig, RIG_EMERGENCY);
    rig_serve(rig);
    for (unsigned i = 0; i < MANY; i++) {
        (void)give(rig, 1 + i, &(world_options){.publisher = "pub"});
        if (i == 0) /* nobody is there while they are given */
            mem_net_set_peer(rig->ports.net, RIG_SESSION, MEM_PEER_FULL);
        assert_int_equal(rig_ack(rig, "last", TCN_ANSWER_SEEN).error, TCN_OK);
    }
    mem_net_set_peer(rig->ports.net, RIG_SESSION, MEM_PEER_OPEN);
    rig_pass(rig, 1000);
    unsigned count = 0;
    while (rig_take(rig, RIG_SESSION, TCN_OP_ACK, &wire))
        count++;
    assert_int_equal(count, MANY);
}

/* TCN_MAX_OUTBOX of them by default; a few here, for time. */
static void test_the_outbox_is_bounded(void **state)
{
    enum { MOST = 5 };
    agent_rig *rig = *state;
    rig->config.outbox = MOST;
    rig_restart(rig);
    rig_serve(rig);
    for (unsigned i = 0; i <= MOST; i++) {
        (void)give(rig, 1 + i, &(world_options){.publisher = "pub"});
        if (i == 0) /* no ack gets out */
            mem_net_set_peer(rig->ports.net, RIG_SESSION, MEM_PEER_FULL);
        tcn_err expected = i < MOST ? TCN_OK : TCN_FULL;
        assert_int_equal(rig_ack(rig, "last", TCN_ANSWER_SEEN).error, expected);
    }
    tcn_local_reply reply = rig_status(rig);
    assert_int_equal(rig_number(&reply, 0, 10), MOST);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(test_the_inbox_is_filtered),
        T(test_a_long_inbox_comes_in_pages),
        T(test_a_client_that_reads_slowly_gets_every_page),
        T(test_a_follower_is_told_of_what_comes),
        T(test_clients_are_bounded),
        T(test_bad_requests_are_refused),
        T(test_alerts_are_found_as_people_name_them),
        T(test_last_of_nothing_is_nothing),
        T(test_an_ack_is_said_until_the_broker_has_it),
        T(test_the_counter_rises_and_the_last_answer_counts),
        T(test_an_emergencys_ack_goes_by_its_link),
        T(test_a_refused_ack_is_not_said_forever),
        T(test_an_ack_without_disk_is_no_ack),
        T(test_many_acks_all_get_out),
        T(test_the_outbox_is_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
