/* SPDX-License-Identifier: Apache-2.0 */
/* A disk that is full, broken or damaged: nothing is said that is not durable, memory and disk
 * agree, emergencies pass; and equal inputs make equal states. */
#include "tests/support/broker_test.h"

static world_alert bulk(broker_rig *rig)
{
    return world_alert_make(rig->w, &(world_options){.publisher = "pub"});
}

static world_alert urgent(broker_rig *rig)
{
    return world_alert_make(
        rig->w,
        &(world_options){.publisher = "pub", .lane = TCN_LANE_EMERGENCY, .approvers = {"app"}});
}

static tcn_broker_stats stats_of(const broker_rig *rig)
{
    tcn_broker_stats stats;
    tcn_broker_stats_get(rig->broker, &stats);
    return stats;
}

/* ANSWERs of a turn, in the order they were sent. */
static size_t answers(broker_rig *rig, tcn_peer peer, tcn_err *ret_errors, size_t most)
{
    tcn_wire wire;
    size_t count = 0;
    while (count < most && brig_take(rig, peer, TCN_OP_ANSWER, &wire))
        ret_errors[count++] = wire.answer.error;
    return count;
}

/* What the core says of itself before and after a restart from its disk. */
static void assert_memory_is_disk(broker_rig *rig)
{
    tcn_broker_stats before = stats_of(rig);
    brig_restart(rig);
    tcn_broker_stats after = stats_of(rig);
    assert_int_equal(before.seq[TCN_LANE_BULK], after.seq[TCN_LANE_BULK]);
    assert_int_equal(before.seq[TCN_LANE_EMERGENCY], after.seq[TCN_LANE_EMERGENCY]);
    assert_int_equal(before.held, after.held);
}

static void test_full_in_the_middle_of_a_batch(void **state)
{
    broker_rig *rig = *state;
    brig_alerts got;
    tcn_err error[3];
    tcn_peer pub = brig_client(rig, "pub");
    tcn_wire_welcome welcome;
    tcn_peer node = brig_node(rig, &(brig_hello){.member = "node-a"}, &welcome);
    world_alert one = bulk(rig), two = urgent(rig), three = bulk(rig);
    /* The batch fails somewhere in its second alert; replayed singly, all of it fits. */
    mem_store_fail_write(rig->ports.store, 12, TCN_FULL);
    brig_queue_submit(rig, pub, one.envelope);
    brig_queue_submit(rig, pub, two.envelope);
    brig_queue_submit(rig, pub, three.envelope);
    brig_turn(rig);
    assert_int_equal(stats_of(rig).replays, 1);
    assert_int_equal(answers(rig, pub, error, 3), 3);
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(error[i], TCN_OK);
    /* Each once, and the emergency first. */
    tcn_wire wire;
    brig_expect(rig, node, TCN_OP_ALERTS, &wire);
    assert_int_equal(wire.alerts.lane, TCN_LANE_EMERGENCY);
    assert_true(brig_take_alerts(rig, node, TCN_LANE_BULK, &got) && got.at.seq == 1);
    brig_receipt(rig, node, TCN_LANE_BULK, got.at, &welcome.epoch);
    assert_true(brig_take_alerts(rig, node, TCN_LANE_BULK, &got) && got.at.seq == 2);
    assert_memory_is_disk(rig);
}

/* No room for bulk by real size: bulk is refused, the emergency of the same batch accepted. */
static void test_a_full_store_takes_emergencies_only(void **state)
{
    broker_rig *rig = *state;
    static uint8_t body[30000];
    tcn_err error[3];
    tcn_peer pub = brig_client(rig, "pub");
    uint64_t free_bytes = 0, total = 0;
    tcn_store store = mem_store_port(rig->ports.store);
    for (size_t i = 0; i < sizeof(body); i++)
        body[i] = (uint8_t)(i * 131 + i / 7);
    world_options large = {
        .publisher = "pub", .body = (const char *)body, .body_bytes = sizeof(body)};
    world_alert one = world_alert_make(rig->w, &large), two = world_alert_make(rig->w, &large);
    world_alert small = urgent(rig);
    store.ops->space(store.self, &free_bytes, &total);
    mem_store_set_capacity(rig->ports.store, total - free_bytes + 20000);
    rig->config.reserve_bytes = 0; /* the reserve does not help: the disk is smaller than it says */
    brig_restart(rig);
    pub = brig_client(rig, "pub");
    brig_queue_submit(rig, pub, one.envelope);
    brig_queue_submit(rig, pub, small.envelope);
    brig_queue_submit(rig, pub, two.envelope);
    brig_turn(rig);
    assert_int_equal(answers(rig, pub, error, 3), 3);
    assert_int_equal(error[0], TCN_OK); /* the emergency, replayed first */
    assert_int_equal(error[1], TCN_FULL);
    assert_int_equal(error[2], TCN_FULL);
    assert_int_equal(stats_of(rig).seq[TCN_LANE_EMERGENCY], 1);
    assert_int_equal(stats_of(rig).seq[TCN_LANE_BULK], 0);
    assert_memory_is_disk(rig);
}

static void test_bulk_is_refused_below_the_reserve(void **state)
{
    broker_rig *rig = *state;
    char text[256];
    uint64_t free_bytes = 0, total = 0;
    tcn_store store = mem_store_port(rig->ports.store);
    rig->config.reserve_bytes = 1u << 20;
    store.ops->space(store.self, &free_bytes, &total);
    mem_store_set_capacity(rig->ports.store, total - free_bytes + (1u << 19));
    brig_restart(rig);
    tcn_peer pub = brig_client(rig, "pub");
    world_alert no = bulk(rig), yes = urgent(rig);
    tcn_wire_answer answer = brig_submit(rig, pub, &no);
    assert_int_equal(answer.error, TCN_FULL);
    assert_true(answer.text.len < sizeof(text));
    memcpy(text, answer.text.ptr, answer.text.len);
    text[answer.text.len] = '\0';
    assert_non_null(strstr(text, "emergencies still pass"));
    assert_int_equal(brig_submit(rig, pub, &yes).error, TCN_OK);
    /* Nor do the exercises of one publisher use up what actual emergencies need. */
    world_alert exercise = world_alert_make(
        rig->w, &(world_options){
                    .publisher = "pub", .lane = TCN_LANE_EMERGENCY, .status = TCN_STATUS_EXERCISE});
    assert_int_equal(brig_submit(rig, pub, &exercise).error, TCN_FULL);
    mem_store_set_capacity(rig->ports.store, UINT64_C(1) << 30);
    assert_int_equal(brig_submit(rig, pub, &no).error, TCN_OK);
}

static void test_bodies_need_room_of_their_own(void **state)
{
    broker_rig *rig = *state;
    tcn_peer pub = brig_client(rig, "pub");
    world_alert alert = world_alert_make(
        rig->w, &(world_options){.publisher = "pub", .external = true, .body = "far away\n"});
    mem_blob_set_capacity(rig->ports.blob, rig->config.body_reserve_bytes);
    assert_int_equal(brig_submit(rig, pub, &alert).error, TCN_FULL);
}

/* Every write of a turn is let fail once: said is only what the disk has. */
static void test_a_full_disk_at_any_write(void **state)
{
    (void)state;
    for (uint64_t nth = 1; nth < 60; nth++) {
        broker_rig *rig = malloc(sizeof(*rig));
        assert_non_null(rig);
        tcn_err error[4];
        brig_init(rig, nth);
        brig_start(rig);
        tcn_peer pub = brig_client(rig, "pub");
        world_alert one = bulk(rig), two = urgent(rig);
        world_alert cancel = world_alert_make(
            rig->w,
            &(world_options){.publisher = "pub", .kind = TCN_KIND_CANCEL, .references = {&one.id}});
        mem_store_fail_write(rig->ports.store, nth, TCN_FULL);
        brig_queue_submit(rig, pub, one.envelope);
        brig_queue_submit(rig, pub, two.envelope);
        brig_queue_submit(rig, pub, cancel.envelope);
        brig_turn(rig);
        size_t count = answers(rig, pub, error, 4), accepted = 0;
        assert_int_equal(count, 3);
        for (size_t i = 0; i < count; i++)
            accepted += error[i] == TCN_OK;
        tcn_broker_stats stats = stats_of(rig);
        assert_int_equal(stats.seq[0] + stats.seq[1], accepted);
        assert_memory_is_disk(rig);
        brig_fini(rig);
        free(rig);
    }
}

static void test_a_broken_disk_says_nothing(void **state)
{
    broker_rig *rig = *state;
    tcn_peer pub = brig_client(rig, "pub");
    tcn_peer node = brig_node(rig, &(brig_hello){.member = "node-a"}, NULL);
    world_alert alert = bulk(rig);
    brig_forget(rig);
    mem_store_fail_commit(rig->ports.store, 1, TCN_IO, false);
    brig_queue_submit(rig, pub, alert.envelope);
    assert_int_equal(brig_try_turn(rig), TCN_IO);
    assert_int_equal(mem_net_pending(rig->ports.net), 0);
    (void)node;
    brig_restart(rig);
    assert_int_equal(stats_of(rig).seq[TCN_LANE_BULK], 0);
    pub = brig_client(rig, "pub");
    assert_int_equal(brig_submit(rig, pub, &alert).seq, 1);
}

/* The commit fails, but it landed: the publisher asks again and learns of it. */
static void test_a_commit_that_landed_all_the_same(void **state)
{
    broker_rig *rig = *state;
    tcn_peer pub = brig_client(rig, "pub");
    world_alert alert = bulk(rig);
    mem_store_fail_commit(rig->ports.store, 1, TCN_IO, true);
    brig_queue_submit(rig, pub, alert.envelope);
    assert_int_equal(brig_try_turn(rig), TCN_IO);
    brig_restart(rig);
    pub = brig_client(rig, "pub");
    tcn_wire_answer answer = brig_submit(rig, pub, &alert);
    assert_true(answer.error == TCN_OK && answer.seq == 1);
    assert_int_equal(stats_of(rig).seq[TCN_LANE_BULK], 1);
}

/* A commit that fails as full: nothing was said of the batch, then each on its own. */
static void test_nothing_is_sent_before_the_commit(void **state)
{
    broker_rig *rig = *state;
    tcn_err error[2];
    tcn_peer pub = brig_client(rig, "pub");
    tcn_peer node = brig_node(rig, &(brig_hello){.member = "node-a"}, NULL);
    world_alert one = bulk(rig), two = bulk(rig);
    brig_forget(rig);
    mem_store_fail_commit(rig->ports.store, 2, TCN_FULL, false);
    brig_queue_submit(rig, pub, one.envelope);
    brig_turn(rig);
    assert_int_equal(mem_net_pending_for(rig->ports.net, node), 1);
    brig_forget(rig);
    brig_queue_submit(rig, pub, two.envelope);
    brig_turn(rig);
    assert_int_equal(answers(rig, pub, error, 2), 1);
    assert_int_equal(error[0], TCN_FULL);
    assert_int_equal(mem_net_pending_for(rig->ports.net, node), 0);
    assert_memory_is_disk(rig);
}

typedef struct {
    uint8_t prefix, b[511];
    size_t len;
} key_copy;

static bool first_of(void *arg, tcn_bytes key, tcn_bytes value)
{
    key_copy *found = arg;
    (void)value;
    if (key.ptr[0] != found->prefix || found->len > 0)
        return true;
    memcpy(found->b, key.ptr, key.len);
    found->len = key.len;
    return true;
}

/* A record that does not have its checksum is an alarm; all others go on. */
static void damage(broker_rig *rig, uint8_t prefix)
{
    key_copy found = {.prefix = prefix};
    tcn_store store = mem_store_port(rig->ports.store);
    tcn_bytes value;
    uint8_t copy[TCN_MAX_FRAME_BYTES];
    mem_store_each(rig->ports.store, first_of, &found);
    assert_true(found.len > 0);
    tcn_bytes key = tcn_bytes_of(found.b, found.len);
    assert_int_equal(store.ops->begin(store.self, TCN_TXN_WRITE), TCN_OK);
    assert_int_equal(store.ops->get(store.self, key, &value), TCN_OK);
    memcpy(copy, value.ptr, value.len);
    copy[value.len / 2] ^= 0x40;
    assert_int_equal(store.ops->put(store.self, key, tcn_bytes_of(copy, value.len)), TCN_OK);
    assert_int_equal(store.ops->commit(store.self), TCN_OK);
}

static void test_a_damaged_record_is_an_alarm(void **state)
{
    broker_rig *rig = *state;
    tcn_wire_welcome welcome;
    brig_alerts got;
    tcn_peer pub = brig_client(rig, "pub");
    (void)brig_node(rig, &(brig_hello){.member = "node-a"}, &welcome);
    world_alert one = bulk(rig), two = bulk(rig);
    (void)brig_submit(rig, pub, &one);
    (void)brig_submit(rig, pub, &two);
    damage(rig, 'J');
    damage(rig, 'D');
    brig_restart(rig);
    tcn_peer node = brig_node(
        rig,
        &(brig_hello){.member = "node-a", .epoch = welcome.epoch, .generation = welcome.generation},
        &welcome);
    assert_true(welcome.generation > 1);
    assert_int_equal(receive_all(rig, node, TCN_LANE_BULK, &welcome.epoch, &got), 1);
    assert_true(same_id(&got.id[0], &two));
    assert_true(mem_ports_line_count(&rig->ports, "record-damaged") >= 2);
    damage(rig, 'A');
    pub = brig_client(rig, "pub");
    world_alert *damaged = memcmp(one.id.b, two.id.b, 16) < 0 ? &one : &two;
    assert_int_equal(brig_submit(rig, pub, damaged).error, TCN_IO);
}

static void test_stores_that_cannot_be_used(void **state)
{
    broker_rig *rig = *state;
    tcn_fault fault;
    tcn_broker_destroy(&rig->broker);
    damage(rig, 'M');
    assert_int_equal(brig_try_start(rig, &fault), TCN_MALFORMED);
    assert_null(rig->broker);
}

/* ---- equal inputs, equal states ---- */

static tcn_hash run_of(uint64_t seed, bool last)
{
    broker_rig *rig = malloc(sizeof(*rig));
    assert_non_null(rig);
    tcn_wire_welcome welcome;
    brig_alerts got;
    tcn_hash digest;
    brig_init(rig, seed);
    brig_start(rig);
    tcn_peer pub = brig_client(rig, "pub");
    tcn_peer node = brig_node(rig, &(brig_hello){.member = "node-a"}, &welcome);
    (void)brig_node(rig, &(brig_hello){.member = "node-b", .subscribe = {"advisory.>"}}, NULL);
    world_alert one = bulk(rig), two = urgent(rig), three = bulk(rig);
    mem_store_fail_write(rig->ports.store, 12, TCN_FULL);
    brig_queue_submit(rig, pub, one.envelope);
    brig_queue_submit(rig, pub, two.envelope);
    brig_turn(rig);
    (void)receive_all(rig, node, TCN_LANE_BULK, &welcome.epoch, &got);
    brig_pass(rig, 5000);
    if (last)
        (void)brig_submit(rig, pub, &three);
    tcn_broker_digest(rig->broker, &digest);
    brig_fini(rig);
    free(rig);
    return digest;
}

static void test_equal_runs_have_equal_digests(void **state)
{
    (void)state;
    tcn_hash a = run_of(7, true), b = run_of(7, true), c = run_of(7, false), d = run_of(8, true);
    assert_memory_equal(a.b, b.b, sizeof(a.b));
    assert_memory_not_equal(a.b, c.b, sizeof(a.b));
    assert_memory_not_equal(a.b, d.b, sizeof(a.b));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        RIG_TEST(test_full_in_the_middle_of_a_batch),
        RIG_TEST(test_a_full_store_takes_emergencies_only),
        RIG_TEST(test_bulk_is_refused_below_the_reserve),
        RIG_TEST(test_bodies_need_room_of_their_own),
        cmocka_unit_test(test_a_full_disk_at_any_write),
        RIG_TEST(test_a_broken_disk_says_nothing),
        RIG_TEST(test_a_commit_that_landed_all_the_same),
        RIG_TEST(test_nothing_is_sent_before_the_commit),
        RIG_TEST(test_a_damaged_record_is_an_alarm),
        RIG_TEST(test_stores_that_cannot_be_used),
        cmocka_unit_test(test_equal_runs_have_equal_digests),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
