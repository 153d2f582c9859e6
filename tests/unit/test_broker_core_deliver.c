/* SPDX-License-Identifier: Apache-2.0 */
/* The straight way: a submit, its answer after the commit, ALERTS, receipts, cursors, windows. */
#include "tests/support/broker_test.h"

static world_alert bulk(broker_rig *rig)
{
    return world_alert_make(rig->w, &(world_options){.publisher = "pub"});
}

static void test_submit_to_receipt(void **state)
{
    broker_rig *rig = *state;
    tcn_wire_welcome welcome;
    brig_alerts got;
    tcn_peer pub = brig_client(rig, "pub");
    tcn_peer node = brig_node(rig, &(brig_hello){.member = "node-a"}, &welcome);
    assert_int_equal(welcome.generation, 1);
    assert_true(welcome.has_start[TCN_LANE_BULK] && welcome.has_start[TCN_LANE_EMERGENCY]);

    world_alert alert = bulk(rig);
    tcn_wire_answer answer = brig_submit(rig, pub, &alert);
    assert_int_equal(answer.error, TCN_OK);
    assert_true(answer.accepted && answer.has_seq);
    assert_int_equal(answer.seq, 1);
    assert_int_equal(answer.entitled, 3);
    assert_true(brig_take_alerts(rig, node, TCN_LANE_BULK, &got));
    assert_int_equal(got.count, 1);
    assert_int_equal(got.at.seq, 1);
    assert_true(same_id(&got.id[0], &alert));
    brig_receipt(rig, node, TCN_LANE_BULK, got.at, &welcome.epoch);

    tcn_broker_stats stats;
    tcn_broker_stats_get(rig->broker, &stats);
    assert_int_equal(stats.receipts, 1);
    assert_int_equal(stats.deliveries, 1);
    assert_int_equal(stats.nodes_connected, 1);
    assert_int_equal(stats.clients_connected, 1);
    assert_false(brig_take_alerts(rig, node, TCN_LANE_BULK, &got));
}

static void test_a_batch_is_one_frame_and_each_lane_counts_for_itself(void **state)
{
    broker_rig *rig = *state;
    brig_alerts got;
    tcn_peer pub = brig_client(rig, "pub");
    tcn_peer node = brig_node(rig, &(brig_hello){.member = "node-a"}, NULL);
    world_alert one = bulk(rig), two = bulk(rig);
    world_alert test = world_alert_make(rig->w, &(world_options){.publisher = "pub",
                                                                 .lane = TCN_LANE_EMERGENCY,
                                                                 .status = TCN_STATUS_TEST});
    brig_queue_submit(rig, pub, one.envelope);
    brig_queue_submit(rig, pub, two.envelope);
    brig_queue_submit(rig, pub, test.envelope);
    brig_turn(rig);

    /* The emergency lane speaks first. */
    tcn_wire first;
    brig_expect(rig, node, TCN_OP_ALERTS, &first);
    assert_int_equal(first.alerts.lane, TCN_LANE_EMERGENCY);
    assert_int_equal(first.alerts.complete_to.seq, 1);
    uint64_t tag = first.alerts.complete_to.tag;
    assert_true(brig_take_alerts(rig, node, TCN_LANE_BULK, &got));
    assert_int_equal(got.count, 2);
    assert_int_equal(got.at.seq, 2);
    assert_int_equal(got.at.tag, tag); /* one commit, one tag */
    assert_true(got.seq[0] == 1 && got.seq[1] == 2);
}

static void test_the_same_submit_again_has_the_same_answer(void **state)
{
    broker_rig *rig = *state;
    tcn_peer pub = brig_client(rig, "pub");
    world_alert alert = bulk(rig);
    tcn_wire_answer first = brig_submit(rig, pub, &alert);
    uint64_t seq = first.seq;
    tcn_wire_answer again = brig_submit(rig, pub, &alert);
    assert_int_equal(again.error, TCN_OK);
    assert_int_equal(again.seq, seq);
    brig_restart(rig);
    pub = brig_client(rig, "pub");
    again = brig_submit(rig, pub, &alert);
    assert_int_equal(again.seq, seq);
    tcn_broker_stats stats;
    tcn_broker_stats_get(rig->broker, &stats);
    assert_int_equal(stats.seq[TCN_LANE_BULK], 1);
}

static void test_other_content_under_a_known_id_is_a_conflict_and_audited(void **state)
{
    broker_rig *rig = *state;
    tcn_peer pub = brig_client(rig, "pub");
    world_alert alert = bulk(rig);
    world_alert other = world_alert_make(
        rig->w, &(world_options){.publisher = "pub", .id = alert.id, .body = "another\n"});
    assert_int_equal(brig_submit(rig, pub, &alert).error, TCN_OK);
    assert_int_equal(brig_submit(rig, pub, &other).error, TCN_CONFLICT);
    assert_int_equal(mem_ports_line_count(&rig->ports, "audit"), 1);
}

static void test_a_handle_names_one_alert(void **state)
{
    broker_rig *rig = *state;
    tcn_peer pub = brig_client(rig, "pub"), other = brig_client(rig, "pub-2");
    world_alert first =
        world_alert_make(rig->w, &(world_options){.publisher = "pub", .handle = "X-1"});
    world_alert second =
        world_alert_make(rig->w, &(world_options){.publisher = "pub", .handle = "X-1"});
    world_alert theirs =
        world_alert_make(rig->w, &(world_options){.publisher = "pub-2", .handle = "X-1"});
    char id[TCN_ID_TEXT_SIZE], text[256];
    tcn_id_text(&first.id, id);
    assert_int_equal(brig_submit(rig, pub, &first).error, TCN_OK);
    tcn_wire_answer refused = brig_submit(rig, pub, &second);
    assert_int_equal(refused.error, TCN_CONFLICT);
    assert_true(refused.text.len < sizeof(text));
    memcpy(text, refused.text.ptr, refused.text.len);
    text[refused.text.len] = '\0';
    assert_non_null(strstr(text, id));
    assert_int_equal(brig_submit(rig, other, &theirs).error, TCN_OK);
}

static void test_only_the_author_submits(void **state)
{
    broker_rig *rig = *state;
    tcn_peer other = brig_client(rig, "pub-2");
    world_alert alert = bulk(rig);
    assert_int_equal(brig_submit(rig, other, &alert).error, TCN_DENIED);
}

static void test_a_node_goes_on_from_its_cursor(void **state)
{
    broker_rig *rig = *state;
    tcn_wire_welcome welcome;
    brig_alerts got;
    tcn_peer pub = brig_client(rig, "pub");
    tcn_peer node = brig_node(rig, &(brig_hello){.member = "node-a"}, &welcome);
    world_alert one = bulk(rig), two = bulk(rig), three = bulk(rig);
    (void)brig_submit(rig, pub, &one);
    assert_int_equal(receive_all(rig, node, TCN_LANE_BULK, &welcome.epoch, &got), 1);
    brig_gone(rig, node);
    (void)brig_submit(rig, pub, &two);
    brig_restart(rig);
    pub = brig_client(rig, "pub");
    (void)brig_submit(rig, pub, &three);

    node = brig_node(rig,
                     &(brig_hello){.member = "node-a",
                                   .epoch = welcome.epoch,
                                   .generation = welcome.generation,
                                   .cursor = {[TCN_LANE_BULK] = got.at}},
                     &welcome);
    assert_int_equal(welcome.start[TCN_LANE_BULK], 1);
    assert_int_equal(receive_all(rig, node, TCN_LANE_BULK, &welcome.epoch, &got), 2);
    assert_true(same_id(&got.id[0], &two) && same_id(&got.id[1], &three));
    assert_int_equal(got.at.seq, 3);
    assert_int_equal(mem_ports_line_count(&rig->ports, "restored-from-backup"), 0);
}

static void test_another_epoch_or_generation_starts_at_the_floor(void **state)
{
    broker_rig *rig = *state;
    tcn_wire_welcome welcome, again;
    brig_alerts got;
    tcn_peer pub = brig_client(rig, "pub");
    tcn_peer node = brig_node(rig, &(brig_hello){.member = "node-a"}, &welcome);
    world_alert one = bulk(rig);
    (void)brig_submit(rig, pub, &one);
    (void)receive_all(rig, node, TCN_LANE_BULK, &welcome.epoch, &got);
    brig_hello hello = {.member = "node-a",
                        .epoch = {{0x77}},
                        .generation = welcome.generation,
                        .cursor = {[TCN_LANE_BULK] = got.at}};
    node = brig_node(rig, &hello, &again);
    assert_int_equal(again.start[TCN_LANE_BULK], 0);
    assert_memory_equal(again.epoch.b, welcome.epoch.b, sizeof(again.epoch.b));
    assert_int_equal(receive_all(rig, node, TCN_LANE_BULK, &again.epoch, &got), 1);
    hello.epoch = welcome.epoch;
    hello.generation = welcome.generation + 1;
    (void)brig_node(rig, &hello, &again);
    assert_int_equal(again.start[TCN_LANE_BULK], 0);
}

/* One node alone may lie: it starts anew. Two say the truth. */
static void test_wrong_tags_of_our_epoch_are_a_new_epoch(void **state)
{
    broker_rig *rig = *state;
    tcn_wire_welcome welcome, again, other;
    brig_alerts got;
    tcn_peer pub = brig_client(rig, "pub");
    tcn_peer node = brig_node(rig, &(brig_hello){.member = "node-a"}, &welcome);
    tcn_peer second = brig_node(rig, &(brig_hello){.member = "node-b"}, NULL);
    world_alert one = bulk(rig);
    (void)brig_submit(rig, pub, &one);
    (void)receive_all(rig, node, TCN_LANE_BULK, &welcome.epoch, &got);
    got.at.tag ^= 1;
    brig_hello hello = {.member = "node-a",
                        .epoch = welcome.epoch,
                        .generation = welcome.generation,
                        .cursor = {[TCN_LANE_BULK] = got.at}};
    for (int i = 0; i < 2; i++) { /* twice the same is still one */
        brig_gone(rig, node);
        node = brig_node(rig, &hello, &again);
        assert_int_equal(again.start[TCN_LANE_BULK], 0);
        assert_memory_equal(again.epoch.b, welcome.epoch.b, sizeof(again.epoch.b));
        assert_false(mem_net_is_closed(rig->ports.net, second));
    }
    assert_int_equal(mem_ports_line_count(&rig->ports, "restored-from-backup"), 1);
    hello.member = "node-c";
    hello.generation = 0;
    tcn_peer third = brig_node(rig, &hello, &again);
    brig_gone(rig, third);
    hello.generation = again.generation;
    node = brig_node(rig, &hello, &again);
    assert_int_equal(again.start[TCN_LANE_BULK], 0);
    assert_memory_not_equal(again.epoch.b, welcome.epoch.b, sizeof(again.epoch.b));
    assert_int_equal(mem_ports_line_count(&rig->ports, "restored-from-backup"), 2);
    assert_true(mem_net_is_closed(rig->ports.net, second)); /* its cursors are of the old one */
    assert_int_equal(receive_all(rig, node, TCN_LANE_BULK, &again.epoch, &got), 1);

    /* Durable; and a second wrong one founds no third. */
    brig_gone(rig, node);
    got.at.tag ^= 1;
    hello.epoch = again.epoch;
    hello.cursor[TCN_LANE_BULK] = got.at;
    (void)brig_node(rig, &hello, &other);
    assert_memory_equal(other.epoch.b, again.epoch.b, sizeof(other.epoch.b));
    assert_int_equal(other.start[TCN_LANE_BULK], 0);
    brig_restart(rig);
    (void)brig_node(rig, &(brig_hello){.member = "node-b"}, &other);
    assert_memory_equal(other.epoch.b, again.epoch.b, sizeof(other.epoch.b));
}

static void test_cursors_beyond_the_head_are_a_new_epoch(void **state)
{
    broker_rig *rig = *state;
    tcn_wire_welcome welcome, again;
    const char *nodes[] = {"node-a", "node-b"};
    for (size_t i = 0; i < 2; i++) {
        (void)brig_node(rig, &(brig_hello){.member = nodes[i]}, &welcome);
        (void)brig_node(rig,
                        &(brig_hello){.member = nodes[i],
                                      .epoch = welcome.epoch,
                                      .generation = welcome.generation,
                                      .cursor = {[TCN_LANE_EMERGENCY] = {.seq = 9, .tag = 1}}},
                        &again);
        assert_int_equal(again.start[TCN_LANE_EMERGENCY], 0);
    }
    assert_memory_not_equal(again.epoch.b, welcome.epoch.b, sizeof(again.epoch.b));
}

static void test_the_window_holds_back_and_a_receipt_opens_it(void **state)
{
    broker_rig *rig = *state;
    static uint8_t body[30000];
    tcn_wire_welcome welcome;
    brig_alerts got;
    tcn_peer pub = brig_client(rig, "pub");
    tcn_peer node = brig_node(rig, &(brig_hello){.member = "node-a"}, &welcome);
    for (size_t i = 0; i < 20; i++) {
        for (size_t k = 0; k < sizeof(body); k++)
            body[k] = (uint8_t)(k * 31 + i);
        world_alert alert = world_alert_make(rig->w, &(world_options){.publisher = "pub",
                                                                      .body = (const char *)body,
                                                                      .body_bytes = sizeof(body)});
        assert_int_equal(brig_submit(rig, pub, &alert).error, TCN_OK);
    }
    size_t frames = mem_net_pending_for(rig->ports.net, node);
    assert_true(frames > 0 && frames * sizeof(body) <= rig->config.window_bytes);
    assert_true((frames + 1) * (sizeof(body) + 1000) > rig->config.window_bytes);
    assert_true(brig_take_alerts(rig, node, TCN_LANE_BULK, &got));
    brig_receipt(rig, node, TCN_LANE_BULK, got.at, &welcome.epoch);
    assert_int_equal(mem_net_pending_for(rig->ports.net, node), frames);
    size_t rest = receive_all(rig, node, TCN_LANE_BULK, &welcome.epoch, &got);
    assert_int_equal(rest + 1, 20);
}

static void test_bulk_waits_for_a_receipt_to_share_a_frame(void **state)
{
    broker_rig *rig = *state;
    tcn_wire_welcome welcome;
    brig_alerts got;
    tcn_peer pub = brig_client(rig, "pub");
    tcn_peer node = brig_node(rig, &(brig_hello){.member = "node-a"}, &welcome);
    for (size_t i = 0; i < 4; i++) {
        world_alert alert = bulk(rig);
        assert_int_equal(brig_submit(rig, pub, &alert).error, TCN_OK);
    }
    assert_true(brig_take_alerts(rig, node, TCN_LANE_BULK, &got));
    assert_int_equal(got.count, 1); /* nothing was under way: at once */
    assert_false(brig_take_alerts(rig, node, TCN_LANE_BULK, &got));
    world_alert urgent =
        world_alert_make(rig->w, &(world_options){.publisher = "pub", .lane = TCN_LANE_EMERGENCY});
    tcn_peer app = brig_client(rig, "app");
    (void)brig_submit(rig, pub, &urgent);
    (void)brig_approve(rig, app, "app", &urgent);
    brig_alerts at_once;
    assert_true(brig_take_alerts(rig, node, TCN_LANE_EMERGENCY, &at_once));
    brig_receipt(rig, node, TCN_LANE_BULK, got.at, &welcome.epoch);
    assert_true(brig_take_alerts(rig, node, TCN_LANE_BULK, &got));
    assert_int_equal(got.count, 3);
    /* Without a receipt: not for long. */
    world_alert last = bulk(rig);
    assert_int_equal(brig_submit(rig, pub, &last).error, TCN_OK);
    assert_false(brig_take_alerts(rig, node, TCN_LANE_BULK, &got));
    brig_pass(rig, 100);
    assert_true(brig_take_alerts(rig, node, TCN_LANE_BULK, &got));
    assert_true(got.count == 1 && same_id(&got.id[0], &last));
}

static void test_a_receipt_ahead_of_what_was_sent_changes_nothing(void **state)
{
    broker_rig *rig = *state;
    tcn_wire_welcome welcome;
    tcn_peer node = brig_node(rig, &(brig_hello){.member = "node-a"}, &welcome);
    brig_receipt(rig, node, TCN_LANE_BULK, (tcn_mark){.seq = 5, .tag = 1}, &welcome.epoch);
    tcn_broker_stats stats;
    tcn_broker_stats_get(rig->broker, &stats);
    assert_int_equal(stats.receipts, 0);
    assert_int_equal(mem_ports_line_count(&rig->ports, "receipt-ahead"), 1);
}

static void test_a_full_peer_is_tried_again_and_slows_nobody(void **state)
{
    broker_rig *rig = *state;
    brig_alerts got;
    tcn_peer pub = brig_client(rig, "pub");
    tcn_peer slow = brig_node(rig, &(brig_hello){.member = "node-a"}, NULL);
    tcn_peer fast = brig_node(rig, &(brig_hello){.member = "node-b"}, NULL);
    mem_net_set_peer(rig->ports.net, slow, MEM_PEER_FULL);
    world_alert alert = bulk(rig);
    (void)brig_submit(rig, pub, &alert);
    assert_true(brig_take_alerts(rig, fast, TCN_LANE_BULK, &got));
    assert_false(brig_take_alerts(rig, slow, TCN_LANE_BULK, &got));
    assert_true(tcn_broker_deadline(rig->broker).ms <= rig->ports.mono.ms + 100);
    brig_pass(rig, 100);
    assert_false(brig_take_alerts(rig, slow, TCN_LANE_BULK, &got));
    mem_net_set_peer(rig->ports.net, slow, MEM_PEER_OPEN);
    brig_pass(rig, 100);
    assert_true(brig_take_alerts(rig, slow, TCN_LANE_BULK, &got));
    assert_int_equal(got.count, 1);
}

static void test_a_peer_that_is_gone_ends_its_session(void **state)
{
    broker_rig *rig = *state;
    tcn_broker_stats stats;
    tcn_peer pub = brig_client(rig, "pub");
    tcn_peer node = brig_node(rig, &(brig_hello){.member = "node-a"}, NULL);
    mem_net_set_peer(rig->ports.net, node, MEM_PEER_GONE);
    world_alert alert = bulk(rig);
    (void)brig_submit(rig, pub, &alert);
    tcn_broker_stats_get(rig->broker, &stats);
    assert_int_equal(stats.sessions, 1);
}

static void test_who_is_entitled_to_nothing_gets_no_frame(void **state)
{
    broker_rig *rig = *state;
    brig_alerts got;
    tcn_peer pub = brig_client(rig, "pub");
    tcn_peer node =
        brig_node(rig, &(brig_hello){.member = "node-a", .subscribe = {"weather.>"}}, NULL);
    world_alert no = bulk(rig);
    world_alert yes =
        world_alert_make(rig->w, &(world_options){.publisher = "pub", .topic = "weather.storm"});
    assert_int_equal(brig_submit(rig, pub, &no).entitled, 2);
    assert_int_equal(mem_net_pending_for(rig->ports.net, node), 0);
    assert_int_equal(brig_submit(rig, pub, &yes).entitled, 3);
    assert_true(brig_take_alerts(rig, node, TCN_LANE_BULK, &got));
    assert_int_equal(got.count, 1);
    assert_int_equal(got.at.seq, 2); /* and that is all there was for it */
}

static void test_one_class_is_asked_once(void **state)
{
    broker_rig *rig = *state;
    tcn_broker_stats before, after;
    tcn_peer pub = brig_client(rig, "pub");
    (void)brig_node(rig, &(brig_hello){.member = "node-a"}, NULL);
    (void)brig_node(rig, &(brig_hello){.member = "node-b"}, NULL);
    (void)brig_node(rig, &(brig_hello){.member = "node-c"}, NULL);
    world_alert alert = bulk(rig);
    tcn_broker_stats_get(rig->broker, &before);
    (void)brig_submit(rig, pub, &alert);
    tcn_broker_stats_get(rig->broker, &after);
    assert_int_equal(after.deliveries - before.deliveries, 3);
    assert_int_equal(after.evaluations - before.evaluations, 2); /* the count and the frame */
}

static void test_an_old_store_is_read_in_parts_until_the_end(void **state)
{
    broker_rig *rig = *state;
    tcn_wire_welcome welcome;
    brig_alerts got;
    tcn_peer pub = brig_client(rig, "pub");
    enum { MANY = 700 };
    for (unsigned i = 0; i < MANY; i++) {
        world_alert alert = bulk(rig);
        brig_queue_submit(rig, pub, alert.envelope);
        if (rig->inputs == 350)
            brig_turn(rig);
    }
    brig_restart(rig);
    tcn_peer node = brig_node(rig, &(brig_hello){.member = "node-a"}, &welcome);
    size_t received = 0;
    while (brig_take_alerts(rig, node, TCN_LANE_BULK, &got)) {
        received += got.count;
        brig_receipt(rig, node, TCN_LANE_BULK, got.at, &welcome.epoch);
    }
    assert_int_equal(received, MANY);
    assert_int_equal(got.at.seq, MANY);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        RIG_TEST(test_submit_to_receipt),
        RIG_TEST(test_a_batch_is_one_frame_and_each_lane_counts_for_itself),
        RIG_TEST(test_the_same_submit_again_has_the_same_answer),
        RIG_TEST(test_other_content_under_a_known_id_is_a_conflict_and_audited),
        RIG_TEST(test_a_handle_names_one_alert),
        RIG_TEST(test_only_the_author_submits),
        RIG_TEST(test_a_node_goes_on_from_its_cursor),
        RIG_TEST(test_another_epoch_or_generation_starts_at_the_floor),
        RIG_TEST(test_wrong_tags_of_our_epoch_are_a_new_epoch),
        RIG_TEST(test_cursors_beyond_the_head_are_a_new_epoch),
        RIG_TEST(test_the_window_holds_back_and_a_receipt_opens_it),
        RIG_TEST(test_bulk_waits_for_a_receipt_to_share_a_frame),
        RIG_TEST(test_a_receipt_ahead_of_what_was_sent_changes_nothing),
        RIG_TEST(test_a_full_peer_is_tried_again_and_slows_nobody),
        RIG_TEST(test_a_peer_that_is_gone_ends_its_session),
        RIG_TEST(test_who_is_entitled_to_nothing_gets_no_frame),
        RIG_TEST(test_one_class_is_asked_once),
        RIG_TEST(test_an_old_store_is_read_in_parts_until_the_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
