/* SPDX-License-Identifier: Apache-2.0 */
/* External bodies: fetched in a window, resumed from the disk, told to the broker till it knows. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/support/agent_rig.h"

#define PIECE ((size_t)TCN_MAX_CHUNK_BYTES)
#define BODY_BYTES (40 * PIECE + 123)

static int setup(void **state)
{
    static agent_rig rig;
    rig_init(&rig, 3);
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

static world_alert with_body(agent_rig *rig, size_t size, bool zstd)
{
    char *body = malloc(size + 1);
    assert_non_null(body);
    body[size] = '\0';
    uint32_t x = 12345;
    for (size_t i = 0; i < size; i++) {
        x = x * 1664525 + 1013904223;
        body[i] = (char)(zstd ? 'a' + (x >> 28) : x >> 24);
    }
    world_alert alert = world_alert_make(
        rig->w,
        &(world_options){
            .publisher = "pub", .body = body, .body_bytes = size, .zstd = zstd, .external = true});
    free(body);
    return alert;
}

static bool is_to_come(agent_rig *rig, const world_alert *alert)
{
    tcn_local_reply reply = rig_show(rig, &alert->id);
    return (rig_number(&reply, 0, 15) & TCN_MARK_BODY_TO_COME) != 0;
}

static void confirm_bodies(agent_rig *rig, const tcn_id *id)
{
    uint8_t raw[32];
    tcn_cbor_writer w;
    tcn_bytes written;
    tcn_cbor_writer_init(&w, raw, sizeof raw);
    tcn_cbor_put_id(&w, id);
    assert_int_equal(tcn_cbor_writer_done(&w, &written), TCN_OK);
    rig_frame(rig, RIG_SESSION,
              &(tcn_wire){.op = TCN_OP_BODIES_OK, .ids = {.count = 1, .raw = written}});
}

static bool says_bodies(agent_rig *rig, const tcn_id *id)
{
    tcn_wire wire;
    if (!rig_take(rig, RIG_SESSION, TCN_OP_BODIES, &wire))
        return false;
    tcn_cbor_reader r;
    tcn_cbor_reader_init(&r, wire.ids.raw);
    tcn_id said = tcn_cbor_get_id(&r);
    return wire.ids.count == 1 && tcn_id_equal(&said, id);
}

/* Reads the decoded body through the local socket's pieces. */
static uint8_t *read_body(agent_rig *rig, const tcn_id *id, size_t *ret_len)
{
    uint8_t *body = NULL, memory[64];
    size_t len = 0, total = 1;
    while (len < total) {
        tcn_cbor_writer w;
        tcn_cbor_writer_init(&w, memory, sizeof memory);
        tcn_cbor_put_map(&w, 3);
        tcn_cbor_put_uint(&w, 1);
        tcn_cbor_put_id(&w, id);
        tcn_cbor_put_uint(&w, 2);
        tcn_cbor_put_uint(&w, len);
        tcn_cbor_put_uint(&w, 3);
        tcn_cbor_put_uint(&w, 1000000);
        tcn_local_reply reply = rig_ask(rig, TCN_LOCAL_BODY, &w);
        assert_int_equal(reply.error, TCN_OK);
        tcn_bytes part = rig_value(&reply, 0, 1);
        total = rig_number(&reply, 0, 2);
        assert_true(part.len > 0 && part.len <= total - len);
        body = realloc(body, total);
        assert_non_null(body);
        memcpy(body + len, part.ptr, part.len);
        len += part.len;
    }
    *ret_len = len;
    return body;
}

static void check_body(agent_rig *rig, const world_alert *alert)
{
    tcn_local_reply reply = rig_show(rig, &alert->id);
    tcn_cose cose;
    tcn_alert decoded;
    tcn_fault fault;
    assert_int_equal(tcn_cose_decode(alert->envelope, TCN_OBJECT_ALERT, &cose), TCN_OK);
    assert_int_equal(tcn_alert_decode(cose.payload, &decoded, &fault), TCN_OK);
    uint8_t *wanted;
    size_t len, size = (size_t)decoded.meta.decoded_size;
    assert_int_equal(rig_number(&reply, 0, 18), size);
    assert_int_equal(
        tcn_body_decode(alert->body, decoded.meta.encoding, size, TCN_MAX_BODY_BYTES, &wanted),
        TCN_OK);
    uint8_t *body = read_body(rig, &alert->id, &len);
    assert_int_equal(len, size);
    assert_memory_equal(body, wanted, len);
    free(body);
    free(wanted);
}

static void test_a_body_is_fetched_after_its_receipt(void **state)
{
    agent_rig *rig = *state;
    tcn_wire wire;
    world_alert alert = with_body(rig, BODY_BYTES, false);
    rig_forget(rig);
    rig_alert(rig, 1, &alert, TCN_LANE_BULK);
    assert_int_equal(mem_net_pending_for(rig->ports.net, RIG_SESSION), 1 + TCN_MAX_FETCH_WINDOW);
    rig_expect(rig, RIG_SESSION, TCN_OP_RECEIPT, &wire);
    assert_true(is_to_come(rig, &alert));
    assert_int_equal(rig_send_body(rig, RIG_SESSION, &alert, 0), BODY_BYTES);
    assert_false(is_to_come(rig, &alert));
    tcn_local_reply reply = rig_status(rig);
    assert_int_equal(rig_number(&reply, 0, 8), 0);
    assert_int_equal(rig_number(&reply, 0, 17), 0);
    check_body(rig, &alert);
}

static void test_a_compressed_body_is_read_decoded(void **state)
{
    agent_rig *rig = *state;
    world_alert alert = with_body(rig, 300000, true);
    assert_true(alert.body.len < 200000);
    rig_forget(rig);
    rig_alert(rig, 1, &alert, TCN_LANE_BULK);
    assert_int_equal(rig_send_body(rig, RIG_SESSION, &alert, 0), alert.body.len);
    check_body(rig, &alert);
    check_body(rig, &alert);
    tcn_agent_input gone = {.kind = TCN_AGENT_LOCAL_GONE, .peer = RIG_CLIENT};
    rig_input(rig, &gone);
    check_body(rig, &alert);
}

static void test_an_inline_body_is_read_decoded(void **state)
{
    agent_rig *rig = *state;
    static char text[20001];
    memset(text, 'x', sizeof text - 1);
    for (int zstd = 0; zstd < 2; zstd++) {
        world_alert alert = world_alert_make(
            rig->w, &(world_options){.publisher = "pub", .body = text, .zstd = zstd != 0});
        rig_alert(rig, 1 + (uint64_t)zstd, &alert, TCN_LANE_BULK);
        size_t len;
        uint8_t *body = read_body(rig, &alert.id, &len);
        assert_int_equal(len, 20000);
        assert_memory_equal(body, text, len);
        free(body);
    }
}

static void test_a_body_to_come_cannot_be_read_yet(void **state)
{
    agent_rig *rig = *state;
    uint8_t memory[64];
    tcn_cbor_writer w;
    world_alert alert = with_body(rig, BODY_BYTES, false);
    rig_alert(rig, 1, &alert, TCN_LANE_BULK);
    tcn_cbor_writer_init(&w, memory, sizeof memory);
    tcn_cbor_put_map(&w, 3);
    tcn_cbor_put_uint(&w, 1);
    tcn_cbor_put_id(&w, &alert.id);
    tcn_cbor_put_uint(&w, 2);
    tcn_cbor_put_uint(&w, 0);
    tcn_cbor_put_uint(&w, 3);
    tcn_cbor_put_uint(&w, 10);
    assert_int_equal(rig_ask(rig, TCN_LOCAL_BODY, &w).error, TCN_CANNOT_YET);
}

static void test_a_restart_goes_on_from_the_disk(void **state)
{
    agent_rig *rig = *state;
    world_alert alert = with_body(rig, BODY_BYTES, false);
    rig_forget(rig);
    rig_alert(rig, 1, &alert, TCN_LANE_BULK);
    assert_int_equal(rig_send_body(rig, RIG_SESSION, &alert, 25), 25 * PIECE);
    mem_blob_sync(rig->ports.blob);
    rig_restart(rig);
    rig_serve(rig);
    assert_int_equal(rig_send_body(rig, RIG_SESSION, &alert, 0), BODY_BYTES - 25 * PIECE);
    assert_false(is_to_come(rig, &alert));
    check_body(rig, &alert);
}

static void test_a_lost_link_goes_on_where_it_was(void **state)
{
    agent_rig *rig = *state;
    world_alert alert = with_body(rig, BODY_BYTES, false);
    rig_forget(rig);
    rig_alert(rig, 1, &alert, TCN_LANE_BULK);
    assert_int_equal(rig_send_body(rig, RIG_SESSION, &alert, 10), 10 * PIECE);
    rig_down(rig, RIG_SESSION);
    rig_forget(rig);
    rig_open(rig, RIG_SESSION);
    assert_int_equal(rig_send_body(rig, RIG_SESSION, &alert, 0), BODY_BYTES - 10 * PIECE);
    check_body(rig, &alert);
}

static void test_a_body_that_was_whole_before_the_crash_is_found(void **state)
{
    agent_rig *rig = *state;
    world_alert alert = with_body(rig, PIECE + 7, false);
    rig_forget(rig);
    rig_alert(rig, 1, &alert, TCN_LANE_BULK);
    tcn_blob blob = mem_blob_port(rig->ports.blob);
    assert_int_equal(blob.append(blob.self, &alert.id, 0, alert.body), TCN_OK);
    tcn_hash hash = tcn_hash_of(alert.body);
    assert_int_equal(blob.finish(blob.self, &alert.id, alert.body.len, &hash), TCN_OK);
    tcn_blob_done done;
    while (mem_blob_take(rig->ports.blob, &done)) /* the file is there, nobody was told */
        assert_int_equal(done.err, TCN_OK);
    rig_restart(rig);
    rig_serve(rig);
    tcn_wire wire;
    assert_false(rig_take(rig, RIG_SESSION, TCN_OP_FETCH, &wire));
    assert_false(is_to_come(rig, &alert));
    check_body(rig, &alert);
}

static void test_the_broker_is_told_until_it_knows(void **state)
{
    agent_rig *rig = *state;
    world_alert alert = with_body(rig, 1000, false);
    rig_forget(rig);
    rig_alert(rig, 1, &alert, TCN_LANE_BULK);
    assert_int_equal(rig_send_body(rig, RIG_SESSION, &alert, 1), 1000);
    assert_true(says_bodies(rig, &alert.id));
    rig_forget(rig);
    rig_pass(rig, TCN_MAX_METRICS_MS + 1);
    assert_true(says_bodies(rig, &alert.id));
    rig_restart(rig);
    rig_serve(rig);
    assert_true(says_bodies(rig, &alert.id));
    confirm_bodies(rig, &alert.id);
    rig_forget(rig);
    rig_pass(rig, TCN_MAX_METRICS_MS + 1);
    assert_false(says_bodies(rig, &alert.id));
    /* The broker sends the alert again, having forgotten: it is told again. */
    rig_alert(rig, 2, &alert, TCN_LANE_BULK);
    assert_true(says_bodies(rig, &alert.id));
}

static void test_a_body_of_another_hash_is_fetched_anew(void **state)
{
    agent_rig *rig = *state;
    world_alert alert = with_body(rig, 3 * PIECE, false), bad = alert;
    uint8_t *changed = malloc(alert.body.len);
    assert_non_null(changed);
    memcpy(changed, alert.body.ptr, alert.body.len);
    changed[PIECE + 1] ^= 1;
    bad.body = tcn_bytes_of(changed, alert.body.len);
    rig_forget(rig);
    rig_alert(rig, 1, &alert, TCN_LANE_BULK);
    assert_int_equal(rig_send_body(rig, RIG_SESSION, &bad, 0), 3 * PIECE);
    assert_true(is_to_come(rig, &alert));
    assert_int_equal(mem_ports_line_count(&rig->ports, "body-missing"), 1);
    rig_pass(rig, 30000);
    assert_int_equal(rig_send_body(rig, RIG_SESSION, &alert, 0), 3 * PIECE);
    check_body(rig, &alert);
    free(changed);
}

/* Time passes, and the broker answers. */
static void pass_alive(agent_rig *rig, uint64_t ms)
{
    for (uint64_t passed = 0; passed < ms; passed += 20000) {
        rig_pass(rig, 20000);
        rig_frame(rig, RIG_SESSION, &(tcn_wire){.op = TCN_OP_PONG});
    }
}

static void test_a_body_that_is_gone_is_tried_again_and_reported(void **state)
{
    agent_rig *rig = *state;
    tcn_wire wire;
    world_alert alert = with_body(rig, 1000, false);
    rig_forget(rig);
    rig_alert(rig, 1, &alert, TCN_LANE_BULK);
    for (unsigned try = 0; try < 4; try++) {
        rig_expect(rig, RIG_SESSION, TCN_OP_FETCH, &wire);
        rig_forget(rig);
        rig_frame(rig, RIG_SESSION,
                  &(tcn_wire){.op = TCN_OP_BODY_GONE,
                              .body_gone = {.id = alert.id, .error = TCN_NOT_FOUND}});
        assert_int_equal(rig_take(rig, RIG_SESSION, TCN_OP_REJECTED, &wire), try == 3);
        assert_false(rig_take(rig, RIG_SESSION, TCN_OP_FETCH, &wire));
        pass_alive(rig, UINT64_C(20000) << try);
    }
    pass_alive(rig, 3600000);
    rig_forget(rig);
    pass_alive(rig, 40000); /* it is asked for again and again, as nobody answers */
    assert_int_equal(rig_send_body(rig, RIG_SESSION, &alert, 1), 1000);
    check_body(rig, &alert);
}

static void test_a_full_disk_queue_is_waited_for(void **state)
{
    agent_rig *rig = *state;
    world_alert alert = with_body(rig, BODY_BYTES, false);
    mem_blob_set_queue(rig->ports.blob, 2 * PIECE);
    rig_forget(rig);
    rig_alert(rig, 1, &alert, TCN_LANE_BULK);
    tcn_wire fetch;
    unsigned given = 0;
    /* A whole window comes before the disk does anything. */
    while (given < TCN_MAX_FETCH_WINDOW && rig_take(rig, RIG_SESSION, TCN_OP_FETCH, &fetch)) {
        rig_frame(rig, RIG_SESSION,
                  &(tcn_wire){
                      .op = TCN_OP_BODY,
                      .body = {.id = alert.id,
                               .offset = fetch.fetch.offset,
                               .total = alert.body.len,
                               .bytes = tcn_bytes_of(alert.body.ptr + fetch.fetch.offset, PIECE)}});
        given++;
    }
    assert_int_equal(given, TCN_MAX_FETCH_WINDOW);
    rig_blobs(rig);
    rig_pass(rig, 1000);
    uint64_t sent = rig_send_body(rig, RIG_SESSION, &alert, 0);
    assert_int_equal(sent, BODY_BYTES - 2 * PIECE);
    assert_false(is_to_come(rig, &alert));
    check_body(rig, &alert);
}

static void test_the_disk_reserve_is_respected(void **state)
{
    agent_rig *rig = *state;
    tcn_wire wire;
    tcn_agent_destroy(&rig->agent);
    rig->config.fetch_reserve_bytes = 1000000;
    mem_blob_set_capacity(rig->ports.blob, 1000000 + 3 * PIECE - 1);
    rig_start(rig);
    rig_serve(rig);
    world_alert alert = with_body(rig, 3 * PIECE, false);
    rig_forget(rig);
    rig_alert(rig, 1, &alert, TCN_LANE_BULK);
    assert_false(rig_take(rig, RIG_SESSION, TCN_OP_FETCH, &wire));
    mem_blob_set_capacity(rig->ports.blob, 1000000 + 3 * PIECE);
    tcn_agent_input input = {.kind = TCN_AGENT_DISK};
    rig_input(rig, &input);
    assert_int_equal(rig_send_body(rig, RIG_SESSION, &alert, 0), 3 * PIECE);
}

static void test_many_bodies_are_all_fetched(void **state)
{
    enum { MANY = 30 };
    agent_rig *rig = *state;
    world_alert alert[MANY];
    rig_forget(rig);
    for (unsigned i = 0; i < MANY; i++) {
        alert[i] = with_body(rig, 100 + i, false);
        rig_alert(rig, 1 + i, &alert[i], TCN_LANE_BULK);
    }
    tcn_wire fetch;
    while (rig_take(rig, RIG_SESSION, TCN_OP_FETCH, &fetch)) {
        const world_alert *found = NULL;
        for (unsigned i = 0; i < MANY; i++)
            if (tcn_id_equal(&alert[i].id, &fetch.fetch.id))
                found = &alert[i];
        assert_non_null(found);
        rig_frame(
            rig, RIG_SESSION,
            &(tcn_wire){.op = TCN_OP_BODY,
                        .body = {.id = found->id, .total = found->body.len, .bytes = found->body}});
        rig_blobs(rig);
    }
    tcn_local_reply reply = rig_status(rig);
    assert_int_equal(rig_number(&reply, 0, 8), 0);
    for (unsigned i = 0; i < MANY; i++)
        assert_false(is_to_come(rig, &alert[i]));
}

static void test_another_broker_is_asked_when_one_is_gone(void **state)
{
    agent_rig *rig = *state;
    world_member_set(rig->w, &(world_member){.name = "broker-two", .roles = TCN_ROLE_BROKER});
    world_sign(rig->w);
    rig_trust(rig, RIG_SESSION);
    tcn_peer other = tcn_agent_link_peer(1, TCN_LANE_BULK);
    rig_open(rig, other);
    world_alert alert = with_body(rig, BODY_BYTES, false);
    rig_forget(rig);
    rig_alert(rig, 1, &alert, TCN_LANE_BULK);
    rig_alerts(rig,
               &(rig_batch){.link = other, .seq = 4, .count = 1, .envelopes = &alert.envelope});
    assert_int_equal(rig_send_body(rig, RIG_SESSION, &alert, 5), 5 * PIECE);
    rig_forget(rig);
    rig_down(rig, RIG_SESSION);
    assert_int_equal(rig_send_body(rig, other, &alert, 0), BODY_BYTES - 5 * PIECE);
    check_body(rig, &alert);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(test_a_body_is_fetched_after_its_receipt),
        T(test_a_compressed_body_is_read_decoded),
        T(test_an_inline_body_is_read_decoded),
        T(test_a_body_to_come_cannot_be_read_yet),
        T(test_a_restart_goes_on_from_the_disk),
        T(test_a_lost_link_goes_on_where_it_was),
        T(test_a_body_that_was_whole_before_the_crash_is_found),
        T(test_the_broker_is_told_until_it_knows),
        T(test_a_body_of_another_hash_is_fetched_anew),
        T(test_a_body_that_is_gone_is_tried_again_and_reported),
        T(test_a_full_disk_queue_is_waited_for),
        T(test_the_disk_reserve_is_respected),
        T(test_many_bodies_are_all_fetched),
        T(test_another_broker_is_asked_when_one_is_gone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
