/* SPDX-License-Identifier: Apache-2.0 */
/* Who has it and what they said: receipts, the board, acknowledgments, rejections, bodies. */
#include "tests/support/broker_test.h"

typedef struct {
    char node[TCN_MAX_NAME_CHARS + 1];
    uint64_t state, received, latency, answer, error;
    bool has_received, has_answer, by_rule;
    char by[64], note[64];
} line;

static void copy_text(char *to, size_t size, tcn_bytes from)
{
    assert_true(from.len < size);
    memcpy(to, from.ptr, from.len);
    to[from.len] = '\0';
}

/* The board of an alert as op sees it, by name. */
static size_t board(broker_rig *rig, const tcn_id *id, line *ret_lines, size_t most)
{
    tcn_peer op = brig_client(rig, "op");
    brig_result result = brig_query(rig, op, TCN_QUERY_BOARD, brig_args_id(id, NULL));
    tcn_cbor_reader r;
    assert_int_equal(result.error, TCN_OK);
    assert_true(result.count <= most);
    tcn_cbor_reader_init(&r, result.items);
    memset(ret_lines, 0, most * sizeof(*ret_lines));
    for (size_t i = 0; i < result.count; i++) {
        uint64_t previous = UINT64_MAX;
        line *l = &ret_lines[i];
        size_t pairs = tcn_cbor_get_map(&r, 16);
        for (size_t k = 0; k < pairs; k++) {
            switch (tcn_cbor_get_key(&r, &previous)) {
            case 1: copy_text(l->node, sizeof(l->node), tcn_cbor_get_text(&r, 63)); break;
            case 2: l->state = tcn_cbor_get_uint(&r); break;
            case 3:
                l->received = tcn_cbor_get_uint(&r);
                l->has_received = true;
                break;
            case 4: l->latency = tcn_cbor_get_uint(&r); break;
            case 5:
                l->answer = tcn_cbor_get_uint(&r);
                l->has_answer = true;
                break;
            case 6: (void)tcn_cbor_get_uint(&r); break;
            case 7: copy_text(l->by, sizeof(l->by), tcn_cbor_get_text(&r, 63)); break;
            case 8: copy_text(l->note, sizeof(l->note), tcn_cbor_get_text(&r, 63)); break;
            case 9: l->error = tcn_cbor_get_uint(&r); break;
            case 10: l->by_rule = tcn_cbor_get_bool(&r); break;
            default: fail();
            }
        }
    }
    assert_int_equal(tcn_cbor_reader_done(&r), TCN_OK);
    return result.count;
}

enum { PENDING, RECEIVED, ACKED, REJECTED, REVOKED };

/* An alert that counts receipts node by node (a test, so that one signature suffices). */
static world_alert urgent(broker_rig *rig)
{
    return world_alert_make(rig->w, &(world_options){.publisher = "pub",
                                                     .lane = TCN_LANE_EMERGENCY,
                                                     .status = TCN_STATUS_TEST});
}

static void receive(broker_rig *rig, tcn_peer node, tcn_lane lane, const tcn_id *epoch)
{
    brig_alerts got;
    assert_true(receive_all(rig, node, lane, epoch, &got) > 0);
}

static void test_emergency_receipts_are_rows(void **state)
{
    broker_rig *rig = *state;
    line l[3];
    tcn_wire_welcome welcome;
    tcn_peer pub = brig_client(rig, "pub");
    tcn_peer node = brig_node(rig, &(brig_hello){.member = "node-a"}, &welcome);
    world_alert alert = urgent(rig);
    (void)brig_submit(rig, pub, &alert);
    assert_int_equal(board(rig, &alert.id, l, 3), 3);
    assert_int_equal(l[0].state, PENDING);
    mem_ports_pass(&rig->ports, 40);
    receive(rig, node, TCN_LANE_EMERGENCY, &welcome.epoch);
    for (int pass = 0; pass < 2; pass++) {
        assert_int_equal(board(rig, &alert.id, l, 3), 3);
        assert_string_equal(l[0].node, "node-a");
        assert_int_equal(l[0].state, RECEIVED);
        assert_true(l[0].has_received);
        assert_int_equal(l[0].latency, 40);
        assert_int_equal(l[1].state, PENDING);
        brig_restart(rig); /* nothing of it was only in memory */
    }
}

static void test_the_first_receipt_counts(void **state)
{
    broker_rig *rig = *state;
    line l[3];
    tcn_wire_welcome welcome;
    tcn_peer pub = brig_client(rig, "pub");
    tcn_peer node = brig_node(rig, &(brig_hello){.member = "node-a"}, &welcome);
    world_alert alert = urgent(rig);
    (void)brig_submit(rig, pub, &alert);
    mem_ports_pass(&rig->ports, 40);
    receive(rig, node, TCN_LANE_EMERGENCY, &welcome.epoch);
    mem_ports_pass(&rig->ports, 5000);
    node = brig_node(rig, &(brig_hello){.member = "node-a"}, &welcome); /* it lost its cursor */
    receive(rig, node, TCN_LANE_EMERGENCY, &welcome.epoch);
    assert_int_equal(board(rig, &alert.id, l, 3), 3);
    assert_int_equal(l[0].latency, 40);
}

static void test_bulk_receipts_are_places_with_their_times(void **state)
{
    broker_rig *rig = *state;
    line l[3];
    tcn_wire_welcome welcome;
    tcn_peer pub = brig_client(rig, "pub");
    tcn_peer node = brig_node(rig, &(brig_hello){.member = "node-a"}, &welcome);
    world_alert first = world_alert_make(rig->w, &(world_options){.publisher = "pub"});
    (void)brig_submit(rig, pub, &first);
    mem_ports_pass(&rig->ports, 7);
    receive(rig, node, TCN_LANE_BULK, &welcome.epoch);
    world_alert second = world_alert_make(rig->w, &(world_options){.publisher = "pub"});
    (void)brig_submit(rig, pub, &second);
    mem_ports_pass(&rig->ports, 9);
    receive(rig, node, TCN_LANE_BULK, &welcome.epoch);
    uint64_t commits = mem_store_commits(rig->ports.store);
    size_t entries = mem_store_count(rig->ports.store);
    for (int pass = 0; pass < 2; pass++) {
        assert_int_equal(board(rig, &first.id, l, 3), 3);
        assert_int_equal(l[0].state, RECEIVED);
        assert_int_equal(l[0].latency, 7);
        assert_int_equal(board(rig, &second.id, l, 3), 3);
        assert_int_equal(l[0].latency, 9);
        if (pass == 0) {
            assert_int_equal(mem_store_count(rig->ports.store), entries);
            brig_pass(rig, 1000);
            assert_true(mem_store_count(rig->ports.store) > entries); /* within a second */
            brig_restart(rig);
        }
    }
    assert_true(mem_store_commits(rig->ports.store) > commits);
}

static void test_what_hello_says_makes_up_for_a_lost_receipt(void **state)
{
    broker_rig *rig = *state;
    line l[3];
    brig_alerts got;
    tcn_wire_welcome welcome;
    tcn_peer pub = brig_client(rig, "pub");
    tcn_peer node = brig_node(rig, &(brig_hello){.member = "node-a"}, &welcome);
    world_alert alert = urgent(rig);
    (void)brig_submit(rig, pub, &alert);
    assert_true(brig_take_alerts(rig, node, TCN_LANE_EMERGENCY, &got));
    brig_restart(rig);
    (void)brig_node(rig,
                    &(brig_hello){.member = "node-a",
                                  .epoch = welcome.epoch,
                                  .generation = welcome.generation,
                                  .cursor = {[TCN_LANE_EMERGENCY] = got.at}},
                    &welcome);
    assert_int_equal(welcome.start[TCN_LANE_EMERGENCY], 1);
    assert_int_equal(board(rig, &alert.id, l, 3), 3);
    assert_int_equal(l[0].state, RECEIVED);
}

/* A place that no checkpoint speaks for: received, but nobody wrote down when. */
static void test_a_place_without_a_time(void **state)
{
    broker_rig *rig = *state;
    line l[3];
    brig_alerts got;
    tcn_wire_welcome welcome;
    tcn_peer pub = brig_client(rig, "pub");
    tcn_peer node = brig_node(rig, &(brig_hello){.member = "node-a"}, &welcome);
    world_alert first = world_alert_make(rig->w, &(world_options){.publisher = "pub"});
    world_alert second = world_alert_make(rig->w, &(world_options){.publisher = "pub"});
    (void)brig_submit(rig, pub, &first);
    assert_true(brig_take_alerts(rig, node, TCN_LANE_BULK, &got));
    brig_restart(rig); /* its receipt was lost */
    node = brig_node(rig,
                     &(brig_hello){.member = "node-a",
                                   .epoch = welcome.epoch,
                                   .generation = welcome.generation,
                                   .cursor = {[TCN_LANE_BULK] = got.at}},
                     &welcome);
    assert_int_equal(board(rig, &first.id, l, 3), 3);
    assert_int_equal(l[0].state, RECEIVED);
    assert_false(l[0].has_received);
    pub = brig_client(rig, "pub");
    (void)brig_submit(rig, pub, &second);
    receive(rig, node, TCN_LANE_BULK, &welcome.epoch);
    brig_pass(rig, 2000);
    brig_restart(rig);
    assert_int_equal(board(rig, &second.id, l, 3), 3);
    assert_int_equal(l[0].state, RECEIVED);
    assert_true(l[0].has_received);
    assert_int_equal(mem_ports_line_count(&rig->ports, "record-damaged"), 0);
}

/* What a node skipped because it was cancelled before it came, it has not received. */
static void test_what_was_skipped_was_not_received(void **state)
{
    broker_rig *rig = *state;
    line l[3];
    tcn_wire_welcome welcome;
    tcn_peer pub = brig_client(rig, "pub");
    world_alert alert = urgent(rig);
    (void)brig_submit(rig, pub, &alert);
    world_alert cancel = world_alert_make(rig->w, &(world_options){.publisher = "pub",
                                                                   .lane = TCN_LANE_EMERGENCY,
                                                                   .status = TCN_STATUS_TEST,
                                                                   .kind = TCN_KIND_CANCEL,
                                                                   .references = {&alert.id}});
    assert_int_equal(brig_submit(rig, pub, &cancel).error, TCN_OK);
    tcn_peer node = brig_node(rig, &(brig_hello){.member = "node-a"}, &welcome);
    receive(rig, node, TCN_LANE_EMERGENCY, &welcome.epoch);
    assert_int_equal(board(rig, &alert.id, l, 3), 3);
    assert_int_equal(l[0].state, PENDING);
    assert_int_equal(board(rig, &cancel.id, l, 3), 3);
    assert_int_equal(l[0].state, RECEIVED);
}

/* A checkpoint of before does not speak for what a node may only have since. */
static void test_widening_does_not_backdate_receipts(void **state)
{
    broker_rig *rig = *state;
    line l[3];
    tcn_wire_welcome welcome;
    world_member member = {
        .name = "node-a", .roles = TCN_ROLE_NODE, .clearance = TCN_TLP_GREEN, .receive = {">"}};
    world_member_set(rig->w, &member);
    brig_trust(rig);
    tcn_peer pub = brig_client(rig, "pub");
    tcn_peer node = brig_node(rig, &(brig_hello){.member = "node-a"}, &welcome);
    world_alert amber =
        world_alert_make(rig->w, &(world_options){.publisher = "pub", .tlp = TCN_TLP_AMBER});
    world_alert green = world_alert_make(rig->w, &(world_options){.publisher = "pub"});
    (void)brig_submit(rig, pub, &amber);
    (void)brig_submit(rig, pub, &green);
    receive(rig, node, TCN_LANE_BULK, &welcome.epoch);
    brig_pass(rig, 2000);
    member.clearance = TCN_TLP_AMBER;
    world_member_set(rig->w, &member);
    brig_trust(rig);
    assert_int_equal(board(rig, &amber.id, l, 3), 3);
    assert_int_equal(l[0].state, PENDING);
    assert_int_equal(board(rig, &green.id, l, 3), 3);
    assert_int_equal(l[0].state, RECEIVED);
    assert_int_equal(l[0].latency, 0);
    receive(rig, node, TCN_LANE_BULK, &welcome.epoch);
    brig_pass(rig, 2000);
    assert_int_equal(board(rig, &amber.id, l, 3), 3);
    assert_int_equal(l[0].state, RECEIVED);
    assert_int_equal(l[0].latency, 2000);
    assert_int_equal(board(rig, &green.id, l, 3), 3);
    assert_int_equal(l[0].latency, 0);
}

static tcn_err ack(broker_rig *rig, tcn_peer peer, tcn_bytes envelope, uint64_t counter)
{
    tcn_wire wire = {.op = TCN_OP_ACK, .envelope = envelope};
    brig_say(rig, peer, &wire);
    brig_expect(rig, peer, TCN_OP_ACK_OK, &wire);
    assert_int_equal(wire.ack_ok.counter, counter);
    return wire.ack_ok.error;
}

static void test_the_highest_counter_of_an_ack_wins(void **state)
{
    broker_rig *rig = *state;
    line l[3];
    tcn_wire_welcome welcome;
    tcn_peer pub = brig_client(rig, "pub");
    tcn_peer node = brig_node(rig, &(brig_hello){.member = "node-a"}, &welcome);
    world_alert alert = urgent(rig);
    (void)brig_submit(rig, pub, &alert);
    receive(rig, node, TCN_LANE_EMERGENCY, &welcome.epoch);
    tcn_bytes one = world_ack(rig->w, "node-a", &alert, 1, TCN_ANSWER_SEEN);
    tcn_bytes two = world_ack(rig->w, "node-a", &alert, 2, TCN_ANSWER_DONE);
    assert_int_equal(ack(rig, node, two, 2), TCN_OK);
    assert_int_equal(ack(rig, node, one, 1), TCN_OK); /* late: confirmed, and no more */
    brig_restart(rig);
    assert_int_equal(board(rig, &alert.id, l, 3), 3);
    assert_int_equal(l[0].state, ACKED);
    assert_int_equal(l[0].answer, TCN_ANSWER_DONE);
    assert_true(l[0].has_received);
}

static void test_acks_that_do_not_count(void **state)
{
    broker_rig *rig = *state;
    tcn_wire_welcome welcome;
    tcn_peer pub = brig_client(rig, "pub");
    tcn_peer node = brig_node(rig, &(brig_hello){.member = "node-a"}, &welcome);
    world_alert alert = urgent(rig), unknown = urgent(rig);
    (void)brig_submit(rig, pub, &alert);
    tcn_bytes theirs = world_ack(rig->w, "node-b", &alert, 1, TCN_ANSWER_SEEN);
    assert_int_not_equal(ack(rig, node, theirs, 1), TCN_OK);
    tcn_bytes nothing = world_ack(rig->w, "node-a", &unknown, 1, TCN_ANSWER_SEEN);
    assert_int_equal(ack(rig, node, nothing, 1), TCN_NOT_FOUND);
    world_alert other = alert;
    other.payload_hash.b[3] ^= 1;
    tcn_bytes mismatched = world_ack(rig->w, "node-a", &other, 1, TCN_ANSWER_SEEN);
    assert_int_equal(ack(rig, node, mismatched, 1), TCN_HASH_MISMATCH);
    tcn_wire wire = {.op = TCN_OP_ACK, .envelope = tcn_bytes_str("x")};
    brig_say(rig, node, &wire);
    brig_expect(rig, node, TCN_OP_ERROR, &wire);
}

static void test_rejections_are_kept_and_alarm(void **state)
{
    broker_rig *rig = *state;
    line l[3];
    uint8_t memory[64];
    tcn_cbor_writer w;
    tcn_bytes rows;
    tcn_peer pub = brig_client(rig, "pub");
    tcn_peer node = brig_node(rig, &(brig_hello){.member = "node-a"}, NULL);
    world_alert alert = urgent(rig);
    (void)brig_submit(rig, pub, &alert);
    tcn_cbor_writer_init(&w, memory, sizeof(memory));
    tcn_cbor_put_array(&w, 2);
    tcn_cbor_put_id(&w, &alert.id);
    tcn_cbor_put_uint(&w, TCN_BAD_SIGNATURE);
    assert_int_equal(tcn_cbor_writer_done(&w, &rows), TCN_OK);
    tcn_wire wire = {.op = TCN_OP_REJECTED, .rejected = {.count = 1, .raw = rows}};
    brig_say(rig, node, &wire);
    brig_expect(rig, node, TCN_OP_REJECTED_OK, &wire);
    assert_int_equal(wire.ids.count, 1);
    assert_int_equal(mem_ports_line_count(&rig->ports, "rejected"), 1);
    assert_int_equal(board(rig, &alert.id, l, 3), 3);
    assert_int_equal(l[0].state, REJECTED);
    assert_int_equal(l[0].error, TCN_BAD_SIGNATURE);
}

static void test_the_receipt_of_an_external_body_follows_the_body(void **state)
{
    broker_rig *rig = *state;
    line l[3];
    uint8_t memory[32];
    tcn_cbor_writer w;
    tcn_bytes ids;
    tcn_wire_welcome welcome;
    tcn_peer pub = brig_client(rig, "pub");
    tcn_peer node = brig_node(rig, &(brig_hello){.member = "node-a"}, &welcome);
    world_alert alert = world_alert_make(
        rig->w, &(world_options){.publisher = "pub", .external = true, .body = "far away\n"});
    (void)brig_submit(rig, pub, &alert);
    tcn_wire upload = {.op = TCN_OP_UPLOAD};
    upload.upload.id = alert.id;
    upload.upload.bytes = alert.body;
    brig_say(rig, pub, &upload);
    brig_blobs(rig);
    receive(rig, node, TCN_LANE_BULK, &welcome.epoch);
    assert_int_equal(board(rig, &alert.id, l, 3), 3);
    assert_int_equal(l[0].state, PENDING);
    tcn_cbor_writer_init(&w, memory, sizeof(memory));
    tcn_cbor_put_id(&w, &alert.id);
    assert_int_equal(tcn_cbor_writer_done(&w, &ids), TCN_OK);
    tcn_wire wire = {.op = TCN_OP_BODIES, .ids = {.count = 1, .raw = ids}};
    brig_say(rig, node, &wire);
    brig_expect(rig, node, TCN_OP_BODIES_OK, &wire);
    assert_int_equal(wire.ids.count, 1);
    assert_int_equal(board(rig, &alert.id, l, 3), 3);
    assert_int_equal(l[0].state, RECEIVED);
}

static void test_the_board_keeps_a_revoked_node_that_answered(void **state)
{
    broker_rig *rig = *state;
    line l[3];
    tcn_wire_welcome welcome;
    tcn_peer pub = brig_client(rig, "pub");
    tcn_peer node = brig_node(rig, &(brig_hello){.member = "node-b"}, &welcome);
    world_alert alert = urgent(rig);
    (void)brig_submit(rig, pub, &alert);
    receive(rig, node, TCN_LANE_EMERGENCY, &welcome.epoch);
    world_member_revoke(rig->w, "node-b", TCN_MEMBER_RETIRED, rig->ports.wall);
    world_member_revoke(rig->w, "node-c", TCN_MEMBER_RETIRED, rig->ports.wall);
    brig_trust(rig);
    assert_int_equal(board(rig, &alert.id, l, 3), 2);
    assert_string_equal(l[0].node, "node-a");
    assert_string_equal(l[1].node, "node-b");
    assert_int_equal(l[1].state, REVOKED);
    assert_true(l[1].has_received);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        RIG_TEST(test_emergency_receipts_are_rows),
        RIG_TEST(test_the_first_receipt_counts),
        RIG_TEST(test_bulk_receipts_are_places_with_their_times),
        RIG_TEST(test_what_hello_says_makes_up_for_a_lost_receipt),
        RIG_TEST(test_a_place_without_a_time),
        RIG_TEST(test_what_was_skipped_was_not_received),
        RIG_TEST(test_widening_does_not_backdate_receipts),
        RIG_TEST(test_the_highest_counter_of_an_ack_wins),
        RIG_TEST(test_acks_that_do_not_count),
        RIG_TEST(test_rejections_are_kept_and_alarm),
        RIG_TEST(test_the_receipt_of_an_external_body_follows_the_body),
        RIG_TEST(test_the_board_keeps_a_revoked_node_that_answered),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
