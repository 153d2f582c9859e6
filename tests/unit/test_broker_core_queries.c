/* SPDX-License-Identifier: Apache-2.0 */
/* What the broker tells, and to whom. */
#include "tests/support/broker_test.h"

static tcn_bytes args_text(const char *text)
{
    static uint8_t memory[128];
    tcn_cbor_writer w;
    tcn_bytes args;
    tcn_cbor_writer_init(&w, memory, sizeof(memory));
    tcn_cbor_put_map(&w, 1);
    tcn_cbor_put_uint(&w, 1);
    tcn_cbor_put_text(&w, text);
    assert_int_equal(tcn_cbor_writer_done(&w, &args), TCN_OK);
    return args;
}

static tcn_bytes args_bytes(tcn_bytes bytes)
{
    static uint8_t memory[TCN_MAX_META_BYTES + 32];
    tcn_cbor_writer w;
    tcn_bytes args;
    tcn_cbor_writer_init(&w, memory, sizeof(memory));
    tcn_cbor_put_map(&w, 1);
    tcn_cbor_put_uint(&w, 1);
    tcn_cbor_put_bytes(&w, bytes);
    assert_int_equal(tcn_cbor_writer_done(&w, &args), TCN_OK);
    return args;
}

#define ALL tcn_bytes_of("\xa1\x01\x01", 3)
#define NONE tcn_bytes_of("\xa0", 1)

/* The encoded value under a key of the nth item; it must be there. */
static tcn_cbor_reader field(const brig_result *result, size_t nth, uint64_t key)
{
    tcn_cbor_reader r, item;
    tcn_cbor_reader_init(&r, result->items);
    for (size_t i = 0; i < nth; i++)
        (void)tcn_cbor_get_item(&r);
    tcn_cbor_reader_init(&item, tcn_cbor_get_item(&r));
    uint64_t previous = UINT64_MAX;
    size_t pairs = tcn_cbor_get_map(&item, 32);
    for (size_t i = 0; i < pairs; i++) {
        uint64_t at = tcn_cbor_get_key(&item, &previous);
        tcn_bytes value = tcn_cbor_get_item(&item);
        tcn_cbor_reader_init(&r, value);
        if (at == key)
            return r;
    }
    fail_msg("no key %u in item %zu", (unsigned)key, nth);
    return r;
}

static uint64_t number(const brig_result *result, size_t nth, uint64_t key)
{
    tcn_cbor_reader r = field(result, nth, key);
    uint64_t value = tcn_cbor_get_uint(&r);
    assert_int_equal(tcn_cbor_reader_done(&r), TCN_OK);
    return value;
}

static bool is_id(const brig_result *result, size_t nth, const tcn_id *id)
{
    tcn_cbor_reader r = field(result, nth, 1);
    tcn_id found = tcn_cbor_get_id(&r);
    assert_int_equal(tcn_cbor_reader_done(&r), TCN_OK);
    return tcn_id_equal(&found, id);
}

static world_alert held(broker_rig *rig)
{
    return world_alert_make(rig->w,
                            &(world_options){.publisher = "pub", .lane = TCN_LANE_EMERGENCY});
}

static world_alert plain(broker_rig *rig, const char *publisher)
{
    return world_alert_make(rig->w, &(world_options){.publisher = publisher});
}

static void test_status_is_for_everybody(void **state)
{
    broker_rig *rig = *state;
    tcn_peer pub = brig_client(rig, "pub"), app = brig_client(rig, "app");
    (void)brig_node(rig, &(brig_hello){.member = "node-a"}, NULL);
    world_alert one = plain(rig, "pub"), two = held(rig);
    (void)brig_submit(rig, pub, &one);
    (void)brig_submit(rig, pub, &two);
    mem_ports_pass(&rig->ports, 1234);
    brig_result status = brig_query(rig, app, TCN_QUERY_STATUS, NONE);
    assert_int_equal(status.error, TCN_OK);
    assert_int_equal(status.count, 1);
    assert_int_equal(number(&status, 0, 3), 1);
    assert_int_equal(number(&status, 0, 6), 1);
    assert_int_equal(number(&status, 0, 7), 3);
    assert_int_equal(number(&status, 0, 9), 1);
    assert_int_equal(number(&status, 0, 12), 1234);
    assert_int_equal(number(&status, 0, 14), 2);
    tcn_cbor_reader seqs = field(&status, 0, 8);
    assert_int_equal(tcn_cbor_get_array(&seqs, 2), 2);
    assert_int_equal(tcn_cbor_get_uint(&seqs), 1);
    assert_int_equal(tcn_cbor_get_uint(&seqs), 0);
}

static void test_status_tells_alarms(void **state)
{
    broker_rig *rig = *state;
    tcn_peer pub = brig_client(rig, "pub");
    for (uint8_t i = 0; i < 3; i++)
        (void)brig_node(rig, &(brig_hello){.member = "node-a", .instance = (uint8_t)(1 + i % 2)},
                        NULL);
    brig_result status = brig_query(rig, pub, TCN_QUERY_STATUS, NONE);
    tcn_cbor_reader alarms = field(&status, 0, 13);
    assert_int_equal(tcn_cbor_get_array(&alarms, 16), 1);
    tcn_bytes text = tcn_cbor_get_text(&alarms, 200);
    assert_true(text.len > 15 && memcmp(text.ptr, "clone-suspected", 15) == 0);
}

static void test_pending_by_role(void **state)
{
    broker_rig *rig = *state;
    tcn_peer pub = brig_client(rig, "pub"), pub2 = brig_client(rig, "pub-2"),
             app = brig_client(rig, "app"), op = brig_client(rig, "op"),
             node = brig_node(rig, &(brig_hello){.member = "node-a"}, NULL);
    world_alert urgent = held(rig);
    world_alert later = world_alert_make(
        rig->w,
        &(world_options){.publisher = "pub-2", .not_before = {rig->ports.wall.unix_ms + 100000}});
    (void)brig_submit(rig, pub, &urgent);
    (void)brig_submit(rig, pub2, &later);
    brig_result mine = brig_query(rig, pub, TCN_QUERY_PENDING, NONE);
    assert_int_equal(mine.count, 1);
    assert_true(is_id(&mine, 0, &urgent.id));
    assert_int_equal(number(&mine, 0, 11), 0);
    assert_int_equal(number(&mine, 0, 15), 2);
    assert_int_equal(number(&mine, 0, 17), 1);
    tcn_cbor_reader seq = field(&mine, 0, 3);
    assert_true(tcn_cbor_take_null(&seq));
    tcn_cbor_reader approvers = field(&mine, 0, 16);
    assert_int_equal(tcn_cbor_get_array(&approvers, 8), 1);
    assert_true(tcn_bytes_equal(tcn_cbor_get_text(&approvers, 63), tcn_bytes_str("pub")));
    brig_result theirs = brig_query(rig, pub2, TCN_QUERY_PENDING, NONE);
    assert_int_equal(theirs.count, 1);
    assert_true(is_id(&theirs, 0, &later.id));
    assert_int_equal(number(&theirs, 0, 17), 4);
    brig_result emergencies = brig_query(rig, app, TCN_QUERY_PENDING, NONE);
    assert_int_equal(emergencies.count, 1);
    assert_true(is_id(&emergencies, 0, &urgent.id));
    assert_int_equal(brig_query(rig, op, TCN_QUERY_PENDING, NONE).count, 2);
    assert_int_equal(brig_query(rig, node, TCN_QUERY_PENDING, NONE).error, TCN_DENIED);
}

static void test_alerts_newest_first_in_pages(void **state)
{
    broker_rig *rig = *state;
    enum { MANY = 600 };
    tcn_peer pub = brig_client(rig, "pub"), pub2 = brig_client(rig, "pub-2"),
             op = brig_client(rig, "op");
    world_alert last = plain(rig, "pub");
    for (unsigned i = 0; i < MANY; i++) {
        mem_ports_pass(&rig->ports, 1);
        world_alert alert = plain(rig, i % 3 == 0 ? "pub-2" : "pub");
        brig_queue_submit(rig, i % 3 == 0 ? pub2 : pub, alert.envelope);
        if (i % 100 == 99)
            brig_turn(rig);
    }
    mem_ports_pass(&rig->ports, 1);
    (void)brig_submit(rig, pub, &last);
    brig_result all = brig_query(rig, op, TCN_QUERY_ALERTS, NONE);
    assert_int_equal(all.error, TCN_OK);
    assert_int_equal(all.count, MANY + 1);
    assert_true(all.pages >= 3);
    assert_int_equal(brig_query(rig, pub2, TCN_QUERY_ALERTS, NONE).count, MANY / 3);
    brig_result first = brig_query(rig, pub, TCN_QUERY_RESOLVE, args_text("last"));
    assert_true(is_id(&first, 0, &last.id));

    world_alert cancel = world_alert_make(
        rig->w,
        &(world_options){.publisher = "pub", .kind = TCN_KIND_CANCEL, .references = {&last.id}});
    (void)brig_submit(rig, pub, &cancel);
    assert_int_equal(brig_query(rig, op, TCN_QUERY_ALERTS, NONE).count, MANY + 1);
    assert_int_equal(brig_query(rig, op, TCN_QUERY_ALERTS, ALL).count, MANY + 2);
}

static void test_states_of_alerts(void **state)
{
    broker_rig *rig = *state;
    tcn_peer pub = brig_client(rig, "pub");
    world_alert cancelled = plain(rig, "pub");
    (void)brig_submit(rig, pub, &cancelled);
    mem_ports_pass(&rig->ports, 1);
    world_alert updated = plain(rig, "pub");
    (void)brig_submit(rig, pub, &updated);
    mem_ports_pass(&rig->ports, 1);
    world_alert brief = world_alert_make(
        rig->w, &(world_options){.publisher = "pub", .expires = {rig->ports.wall.unix_ms + 10}});
    (void)brig_submit(rig, pub, &brief);
    mem_ports_pass(&rig->ports, 20);
    world_alert cancel = world_alert_make(rig->w, &(world_options){.publisher = "pub",
                                                                   .kind = TCN_KIND_CANCEL,
                                                                   .references = {&cancelled.id}});
    world_alert update = world_alert_make(
        rig->w,
        &(world_options){.publisher = "pub", .kind = TCN_KIND_UPDATE, .references = {&updated.id}});
    (void)brig_submit(rig, pub, &cancel);
    (void)brig_submit(rig, pub, &update);
    brig_result all = brig_query(rig, pub, TCN_QUERY_ALERTS, ALL);
    assert_int_equal(all.count, 5);
    assert_true(is_id(&all, 4, &cancelled.id) && is_id(&all, 2, &brief.id));
    assert_int_equal(number(&all, 4, 11), 2);
    assert_int_equal(number(&all, 3, 11), 3);
    assert_int_equal(number(&all, 2, 11), 4);
    assert_int_equal(number(&all, 1, 11), 1);
    assert_int_equal(brig_query(rig, pub, TCN_QUERY_ALERTS, NONE).count, 2);
}

static void test_envelopes_for_author_approver_operator(void **state)
{
    broker_rig *rig = *state;
    tcn_peer pub = brig_client(rig, "pub"), other = brig_client(rig, "pub-2"),
             app = brig_client(rig, "app"), op = brig_client(rig, "op");
    world_alert urgent = held(rig), logged = plain(rig, "pub"), unknown = held(rig);
    (void)brig_submit(rig, pub, &urgent);
    (void)brig_submit(rig, pub, &logged);
    tcn_peer may[] = {pub, app, op};
    for (size_t i = 0; i < 3; i++) {
        brig_result one =
            brig_query(rig, may[i], TCN_QUERY_ENVELOPE, brig_args_id(&urgent.id, NULL));
        tcn_cbor_reader r = field(&one, 0, 1);
        assert_true(
            tcn_bytes_equal(tcn_cbor_get_bytes(&r, TCN_MAX_ENVELOPE_BYTES), urgent.envelope));
        one = brig_query(rig, may[i], TCN_QUERY_ENVELOPE, brig_args_id(&logged.id, NULL));
        assert_int_equal(one.count, 1);
    }
    brig_result denied = brig_query(rig, other, TCN_QUERY_ENVELOPE, brig_args_id(&urgent.id, NULL));
    brig_result missing =
        brig_query(rig, other, TCN_QUERY_ENVELOPE, brig_args_id(&unknown.id, NULL));
    assert_int_equal(denied.error, TCN_NOT_FOUND);
    assert_int_equal(denied.error, missing.error);
    assert_string_equal(denied.text, missing.text);
    assert_int_equal(brig_query(rig, other, TCN_QUERY_BOARD, brig_args_id(&urgent.id, NULL)).error,
                     TCN_NOT_FOUND);
}

static void test_resolve(void **state)
{
    broker_rig *rig = *state;
    char text[TCN_ID_TEXT_SIZE];
    tcn_peer pub = brig_client(rig, "pub"), other = brig_client(rig, "pub-2");
    world_alert one =
        world_alert_make(rig->w, &(world_options){.publisher = "pub", .handle = "MSRC-1"});
    (void)brig_submit(rig, pub, &one);
    tcn_id_text(&one.id, text);
    brig_result full = brig_query(rig, pub, TCN_QUERY_RESOLVE, args_text(text));
    assert_true(full.count == 1 && is_id(&full, 0, &one.id));
    text[11] = '\0';
    brig_result prefix = brig_query(rig, pub, TCN_QUERY_RESOLVE, args_text(text));
    assert_true(prefix.count == 1 && is_id(&prefix, 0, &one.id));
    text[3] = '\0';
    assert_int_equal(brig_query(rig, pub, TCN_QUERY_RESOLVE, args_text(text)).error, TCN_NOT_FOUND);
    brig_result handle = brig_query(rig, pub, TCN_QUERY_RESOLVE, args_text("MSRC-1"));
    assert_true(handle.count == 1 && is_id(&handle, 0, &one.id));
    assert_int_equal(brig_query(rig, other, TCN_QUERY_RESOLVE, args_text("MSRC-1")).error,
                     TCN_NOT_FOUND);
    assert_int_equal(brig_query(rig, other, TCN_QUERY_RESOLVE, args_text("last")).error,
                     TCN_NOT_FOUND);
}

/* The verdict of EXPLAIN, and the first term that says no. */
static bool explain(broker_rig *rig, tcn_peer op, const tcn_id *id, const char *node,
                    const char *no)
{
    brig_result rows = brig_query(rig, op, TCN_QUERY_EXPLAIN, brig_args_id(id, node));
    bool holds = false, said = false;
    assert_int_equal(rows.error, TCN_OK);
    assert_int_equal(rows.count, 9);
    for (size_t i = 0; i < rows.count; i++) {
        tcn_cbor_reader word = field(&rows, i, 1), value = field(&rows, i, 2);
        tcn_bytes term = tcn_cbor_get_text(&word, 32);
        holds = tcn_cbor_get_bool(&value);
        if (!holds && !said && no != NULL) {
            assert_true(tcn_bytes_equal(term, tcn_bytes_str(no)));
            said = true;
        }
        if (i == rows.count - 1)
            assert_true(tcn_bytes_equal(term, tcn_bytes_str("verdict")));
    }
    assert_int_equal(said, no != NULL);
    return holds;
}

static void test_explain_says_which_term(void **state)
{
    broker_rig *rig = *state;
    world_member_set(rig->w, &(world_member){.name = "node-b",
                                             .roles = TCN_ROLE_NODE,
                                             .clearance = TCN_TLP_GREEN,
                                             .receive = {">"}});
    world_member_revoke(rig->w, "node-c", TCN_MEMBER_RETIRED, rig->ports.wall);
    brig_trust(rig);
    tcn_peer pub = brig_client(rig, "pub"), op = brig_client(rig, "op");
    (void)brig_node(rig, &(brig_hello){.member = "node-a"}, NULL);
    world_alert amber =
        world_alert_make(rig->w, &(world_options){.publisher = "pub", .tlp = TCN_TLP_AMBER});
    world_alert waits = held(rig);
    (void)brig_submit(rig, pub, &amber);
    (void)brig_submit(rig, pub, &waits);
    assert_true(explain(rig, op, &amber.id, "node-a", NULL));
    assert_false(explain(rig, op, &amber.id, "node-b", "clearance"));
    assert_false(explain(rig, op, &amber.id, "node-c", "card"));
    assert_false(explain(rig, op, &waits.id, "node-a", "in-force"));
    assert_int_equal(
        brig_query(rig, op, TCN_QUERY_EXPLAIN, brig_args_id(&amber.id, "nobody")).error,
        TCN_NOT_FOUND);
    (void)brig_node(rig, &(brig_hello){.member = "node-a", .subscribe = {"weather.>"}}, NULL);
    assert_false(explain(rig, op, &amber.id, "node-a", "subscription"));
}

static void test_count_before_publishing(void **state)
{
    broker_rig *rig = *state;
    tcn_alert alert;
    tcn_peer pub = brig_client(rig, "pub"), app = brig_client(rig, "app");
    world_alert named = world_alert_make(
        rig->w, &(world_options){.publisher = "pub", .tlp = TCN_TLP_RED, .to = {"node-b"}});
    assert_int_equal(tcn_alert_decode(named.payload, &alert, NULL), TCN_OK);
    brig_result count = brig_query(rig, pub, TCN_QUERY_COUNT, args_bytes(alert.meta_bytes));
    assert_int_equal(count.error, TCN_OK);
    assert_int_equal(number(&count, 0, 1), 1);
    assert_int_equal(brig_query(rig, app, TCN_QUERY_COUNT, args_bytes(alert.meta_bytes)).error,
                     TCN_DENIED);
    assert_int_equal(brig_query(rig, pub, TCN_QUERY_COUNT, args_bytes(tcn_bytes_str("x"))).error,
                     TCN_MALFORMED);
}

static void test_directory_by_community(void **state)
{
    broker_rig *rig = *state;
    world_member_set(
        rig->w,
        &(world_member){.name = "pub-2", .roles = TCN_ROLE_PUBLISHER, .communities = {"banks"}});
    world_member_set(rig->w, &(world_member){.name = "node-b",
                                             .roles = TCN_ROLE_NODE,
                                             .communities = {"banks", "rail"}});
    world_member_revoke(rig->w, "node-c", TCN_MEMBER_SUSPENDED, rig->ports.wall);
    brig_trust(rig);
    tcn_peer pub = brig_client(rig, "pub"), banks = brig_client(rig, "pub-2"),
             op = brig_client(rig, "op");
    assert_int_equal(brig_query(rig, pub, TCN_QUERY_DIRECTORY, NONE).count, 2);
    brig_result theirs = brig_query(rig, banks, TCN_QUERY_DIRECTORY, NONE);
    assert_int_equal(theirs.count, 1);
    tcn_cbor_reader r = field(&theirs, 0, 1);
    assert_true(tcn_bytes_equal(tcn_cbor_get_bytes(&r, TCN_MAX_CARD_BYTES),
                                world_card_envelope(rig->w, "node-b")));
    assert_int_equal(brig_query(rig, op, TCN_QUERY_DIRECTORY, NONE).error, TCN_DENIED);
}

static void test_metrics_are_the_latest_of_each_node(void **state)
{
    broker_rig *rig = *state;
    tcn_peer op = brig_client(rig, "op"), pub = brig_client(rig, "pub");
    tcn_peer a = brig_node(rig, &(brig_hello){.member = "node-a"}, NULL);
    tcn_peer b = brig_node(rig, &(brig_hello){.member = "node-b"}, NULL);
    tcn_wire wire = {.op = TCN_OP_METRICS, .map = tcn_bytes_of("\xa1\x01\x05", 3)};
    brig_say(rig, a, &wire);
    wire.map = tcn_bytes_of("\xa1\x01\x06", 3);
    brig_say(rig, a, &wire);
    brig_say(rig, b, &wire);
    brig_result all = brig_query(rig, op, TCN_QUERY_METRICS, NONE);
    assert_int_equal(all.count, 2);
    tcn_cbor_reader r = field(&all, 0, 3);
    assert_int_equal(tcn_cbor_get_map(&r, 8), 1);
    assert_int_equal(tcn_cbor_get_uint(&r), 1);
    assert_int_equal(tcn_cbor_get_uint(&r), 6);
    assert_int_equal(brig_query(rig, op, TCN_QUERY_METRICS, args_text("node-b")).count, 1);
    /* One that is too large is dropped; the one before it stays. */
    uint8_t large[TCN_MAX_METRICS_BYTES + 1] = {0xa1, 0x01, 0x59, 0x03, 0xfc}; /* {1: 1020 bytes} */
    assert_int_equal(5 + 0x3fc, sizeof(large));
    wire.map = tcn_bytes_of(large, sizeof(large));
    brig_say(rig, a, &wire);
    all = brig_query(rig, op, TCN_QUERY_METRICS, NONE);
    assert_int_equal(all.count, 2);
    r = field(&all, 0, 3);
    assert_int_equal(tcn_cbor_get_map(&r, 8), 1);
    assert_int_equal(tcn_cbor_get_uint(&r), 1);
    assert_int_equal(tcn_cbor_get_uint(&r), 6);
    assert_int_equal(brig_query(rig, pub, TCN_QUERY_METRICS, NONE).error, TCN_DENIED);
}

static void test_questions_that_are_none(void **state)
{
    broker_rig *rig = *state;
    tcn_peer op = brig_client(rig, "op");
    assert_int_equal(brig_query(rig, op, (tcn_query)99, NONE).error, TCN_INVALID);
    assert_int_equal(brig_query(rig, op, TCN_QUERY_BOARD, NONE).error, TCN_INVALID);
    assert_int_equal(brig_query(rig, op, TCN_QUERY_BOARD, args_text("x")).error, TCN_MALFORMED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        RIG_TEST(test_status_is_for_everybody),
        RIG_TEST(test_status_tells_alarms),
        RIG_TEST(test_pending_by_role),
        RIG_TEST(test_alerts_newest_first_in_pages),
        RIG_TEST(test_states_of_alerts),
        RIG_TEST(test_envelopes_for_author_approver_operator),
        RIG_TEST(test_resolve),
        RIG_TEST(test_explain_says_which_term),
        RIG_TEST(test_count_before_publishing),
        RIG_TEST(test_directory_by_community),
        RIG_TEST(test_metrics_are_the_latest_of_each_node),
        RIG_TEST(test_questions_that_are_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
