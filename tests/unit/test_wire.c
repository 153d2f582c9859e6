/* SPDX-License-Identifier: Apache-2.0 */
/* test_wire.c - every frame there and back, the bytes of some by hand, and what is no frame. */
#include "libtocsin/wire.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "libtocsin/cbor.h"
#include "tests/support/hex.h"
#include "tests/support/mem.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define BYTES(text)                                                                                \
    {                                                                                              \
        (const uint8_t *)(text), sizeof(text) - 1                                                  \
    }

#define ID                                                                                         \
    {                                                                                              \
        {                                                                                          \
            1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16                                  \
        }                                                                                          \
    }

/* Two ids, and [id, 5], as list items; two envelopes; two maps. */
static const uint8_t two_ids[] = {0x50, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16,
                                  0x50, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 17};
static const uint8_t one_rejected[] = {0x82, 0x50, 1,  2,  3,  4,  5,  6,  7, 8,
                                       9,    10,   11, 12, 13, 14, 15, 16, 5};
static const uint8_t two_alerts[] = {0x82, 7, 0x43, 'a', 'b', 'c', 0x82, 0x18, 100, 0x41, 'd'};
static const uint8_t two_maps[] = {0xa1, 1, 0x61, 'x', 0xa0};
static const uint8_t a_map[] = {0xa2, 1, 0x18, 200, 5, 0x38, 40};

#define RAW(array)                                                                                 \
    {                                                                                              \
        array, sizeof(array)                                                                       \
    }
#define LIST(n, array)                                                                             \
    {                                                                                              \
        n, RAW(array)                                                                              \
    }

/* Every op, mostly twice: with everything there and with as little as possible. */
static const tcn_wire samples[] = {
    {.op = TCN_OP_HELLO,
     .hello = {.versions = 2,
               .version = {1, UINT64_MAX},
               .mode = TCN_MODE_NODE,
               .instance = ID,
               .trust_version = 7,
               .has_subscriptions = true,
               .subscriptions = 2,
               .subscription = {BYTES("advisory.>"), BYTES("*.x")},
               .epoch = ID,
               .generation = 3,
               .has_cursor = {true, true},
               .cursor = {{5, UINT64_MAX}, {0, 1}},
               .lanes = 3,
               .software = BYTES("tocsin-agent 0.1.0")}},
    {.op = TCN_OP_HELLO,
     .hello = {.versions = 1, .version = {1}, .instance = ID, .software = BYTES("x")}},
    {.op = TCN_OP_HELLO,
     .hello = {.versions = 1,
               .version = {1},
               .mode = TCN_MODE_NODE,
               .instance = ID,
               .has_subscriptions = true, /* nothing at all */
               .has_cursor = {false, true},
               .cursor = {{0, 0}, {9, 9}},
               .software = BYTES("x")}},
    {.op = TCN_OP_PING},
    {.op = TCN_OP_SUBMIT, .submit = {1, BYTES("envelope")}},
    {.op = TCN_OP_APPROVE, .approve = {2, ID, {{0xaa, 0xbb}}, BYTES("signature")}},
    {.op = TCN_OP_UPLOAD, .upload = {3, ID, 49152, BYTES("piece")}},
    {.op = TCN_OP_RECEIPT, .receipt = {TCN_LANE_EMERGENCY, ID, {77, 88}}},
    {.op = TCN_OP_BODIES, .ids = LIST(2, two_ids)},
    {.op = TCN_OP_REJECTED, .rejected = LIST(1, one_rejected)},
    {.op = TCN_OP_ACK, .envelope = BYTES("ack")},
    {.op = TCN_OP_FETCH, .fetch = {ID, 49152}},
    {.op = TCN_OP_METRICS, .map = RAW(a_map)},
    {.op = TCN_OP_METRICS},
    {.op = TCN_OP_QUERY, .query = {5, TCN_QUERY_BOARD, RAW(a_map), BYTES("place"), 100}},
    {.op = TCN_OP_QUERY, .query = {.req = 5, .what = TCN_QUERY_STATUS}},
    {.op = TCN_OP_TRUST_GET, .trust_get = {12, 49152}},
    {.op = TCN_OP_ROSTER_PUT, .roster_put = {6, 100000, 49152, BYTES("piece")}},
    {.op = TCN_OP_WELCOME,
     .welcome = {.version = 1,
                 .epoch = ID,
                 .generation = 4,
                 .trust_version = 9,
                 .time = {1790000000000},
                 .broker = BYTES("broker-1"),
                 .heartbeat_ms = 15000,
                 .has_start = {true, true},
                 .start = {10, 20},
                 .max_body_bytes = 33554432,
                 .window_bytes = 262144}},
    {.op = TCN_OP_WELCOME, .welcome = {.version = 1, .epoch = ID, .broker = BYTES("b")}},
    {.op = TCN_OP_TRUST, .trust = {9, 5, 0, BYTES("piece")}},
    {.op = TCN_OP_CARD, .envelope = BYTES("card")},
    {.op = TCN_OP_ALERTS, .alerts = {TCN_LANE_BULK, 9, {100, UINT64_MAX}, LIST(2, two_alerts)}},
    {.op = TCN_OP_ALERTS, .alerts = {.lane = TCN_LANE_EMERGENCY}},
    {.op = TCN_OP_ANSWER,
     .answer = {.req = 1,
                .error = TCN_OK,
                .has_id = true,
                .id = ID,
                .has_state = true,
                .accepted = true,
                .has_seq = true,
                .seq = 0,
                .handle = BYTES("MSRC-2026-014"),
                .has_entitled = true,
                .entitled = 40,
                .has_missing = true,
                .has_offset = true,
                .offset = 123456,
                .broker = BYTES("broker-1"),
                .text = BYTES("fine")}},
    {.op = TCN_OP_ANSWER, .answer = {.req = 1, .error = TCN_TOPIC_DENIED}},
    {.op = TCN_OP_BODIES_OK, .ids = LIST(2, two_ids)},
    {.op = TCN_OP_ACK_OK, .ack_ok = {ID, 3, TCN_CONFLICT}},
    {.op = TCN_OP_BODY, .body = {ID, 0, 5, BYTES("piece")}},
    {.op = TCN_OP_BODY_GONE, .body_gone = {ID, TCN_NOT_FOUND}},
    {.op = TCN_OP_RESULT,
     .result = {7, TCN_OK, LIST(2, two_maps), BYTES("next"), BYTES("two of them")}},
    {.op = TCN_OP_RESULT, .result = {.req = 7, .error = TCN_DENIED}},
    {.op = TCN_OP_PONG},
    {.op = TCN_OP_GENERATION, .generation = 5},
    {.op = TCN_OP_ERROR, .error = {TCN_STALE, BYTES("trust version 3 is too old")}},
    {.op = TCN_OP_REJECTED_OK, .ids = LIST(2, two_ids)},
};

static tcn_bytes encode(const tcn_wire *wire, uint8_t *frame)
{
    size_t len = 0;
    assert_int_equal(tcn_wire_encode(wire, frame, TCN_MAX_FRAME_BYTES, &len), TCN_OK);
    return tcn_bytes_of(frame, len);
}

static void test_round_trip(void **state)
{
    (void)state;
    static uint8_t frame[TCN_MAX_FRAME_BYTES], again[TCN_MAX_FRAME_BYTES];
    for (size_t i = 0; i < COUNT(samples); i++) {
        tcn_wire wire;
        tcn_bytes first = encode(&samples[i], frame);
        assert_int_equal(tcn_cbor_check(first, TCN_MAX_CBOR_DEPTH), TCN_OK);
        assert_int_equal(tcn_wire_decode(first, &wire), TCN_OK);
        assert_int_equal(wire.op, samples[i].op);
        tcn_bytes second = encode(&wire, again);
        assert_true(tcn_bytes_equal(first, second));
    }
}

static void test_every_op_has_a_sample(void **state)
{
    (void)state;
#define X(name, number, word)                                                                      \
    do {                                                                                           \
        bool found = false;                                                                        \
        for (size_t i = 0; i < COUNT(samples); i++)                                                \
            found = found || samples[i].op == TCN_OP_##name;                                       \
        assert_true(found);                                                                        \
        assert_string_equal(tcn_op_word(number), word);                                            \
    } while (0);
    TCN_OP_TABLE(X)
#undef X
    assert_string_equal(tcn_op_word(0), "unknown");
    assert_string_equal(tcn_op_word(46), "unknown");
}

static void test_values_survive(void **state)
{
    (void)state;
    static uint8_t frame[TCN_MAX_FRAME_BYTES];
    tcn_wire wire;
    assert_int_equal(tcn_wire_decode(encode(&samples[0], frame), &wire), TCN_OK);
    assert_int_equal(wire.hello.versions, 2);
    assert_true(wire.hello.version[1] == UINT64_MAX);
    assert_int_equal(wire.hello.mode, TCN_MODE_NODE);
    assert_int_equal(wire.hello.subscriptions, 2);
    assert_true(tcn_bytes_equal(wire.hello.subscription[1], tcn_bytes_str("*.x")));
    assert_true(wire.hello.has_cursor[TCN_LANE_BULK]);
    assert_true(wire.hello.cursor[TCN_LANE_BULK].seq == 5);
    assert_true(wire.hello.cursor[TCN_LANE_EMERGENCY].tag == 1);
    assert_int_equal(wire.hello.lanes, 3);
    assert_true(tcn_id_equal(&wire.hello.epoch, &(tcn_id)ID));
    assert_int_equal(tcn_wire_decode(encode(&samples[1], frame), &wire), TCN_OK);
    assert_false(wire.hello.has_subscriptions);
    assert_false(wire.hello.has_cursor[0] || wire.hello.has_cursor[1]);
    assert_true(tcn_id_is_zero(&wire.hello.epoch));
    assert_int_equal(tcn_wire_decode(encode(&samples[2], frame), &wire), TCN_OK);
    assert_true(wire.hello.has_subscriptions);
    assert_int_equal(wire.hello.subscriptions, 0);
    assert_true(wire.hello.has_cursor[1] && !wire.hello.has_cursor[0]);
}

static void test_answers_and_lists(void **state)
{
    (void)state;
    static uint8_t frame[TCN_MAX_FRAME_BYTES];
    tcn_wire wire, answer = {.op = TCN_OP_ANSWER,
                             .answer = {.req = 9, .has_seq = true, .seq = 0, .has_state = true}};
    assert_int_equal(tcn_wire_decode(encode(&answer, frame), &wire), TCN_OK);
    assert_true(wire.answer.has_seq && wire.answer.has_state);
    assert_false(wire.answer.accepted);
    assert_false(wire.answer.has_id || wire.answer.has_entitled || wire.answer.has_missing ||
                 wire.answer.has_offset);
    assert_int_equal(wire.answer.handle.len, 0);

    tcn_wire bodies = {.op = TCN_OP_BODIES, .ids = LIST(2, two_ids)};
    assert_int_equal(tcn_wire_decode(encode(&bodies, frame), &wire), TCN_OK);
    assert_int_equal(wire.ids.count, 2);
    tcn_cbor_reader r;
    tcn_cbor_reader_init(&r, wire.ids.raw);
    tcn_id first = tcn_cbor_get_id(&r), second = tcn_cbor_get_id(&r);
    assert_int_equal(tcn_cbor_reader_done(&r), TCN_OK);
    assert_true(tcn_id_equal(&first, &(tcn_id)ID));
    assert_int_equal(second.b[15], 17);
}

static void test_bytes_by_hand(void **state)
{
    (void)state;
    static uint8_t frame[TCN_MAX_FRAME_BYTES];
    tcn_wire receipt = {.op = TCN_OP_RECEIPT, .receipt = {TCN_LANE_EMERGENCY, ID, {300, 7}}};
    assert_true(tcn_bytes_equal(encode(&receipt, frame),
                                HEX("85 06 01 50 0102030405060708090a0b0c0d0e0f10 19012c 07")));
    tcn_wire ping = {.op = TCN_OP_PING};
    assert_true(tcn_bytes_equal(encode(&ping, frame), HEX("81 02")));
    tcn_wire query = {.op = TCN_OP_QUERY, .query = {.req = 1, .what = 1, .max = 256}};
    assert_true(tcn_bytes_equal(encode(&query, frame), HEX("86 0c 01 01 a0 f6 190100")));
    tcn_wire fine = {.op = TCN_OP_ANSWER, .answer = {.req = 24, .has_state = true}};
    assert_true(tcn_bytes_equal(encode(&fine, frame), HEX("84 1824 1818 00 a1 02 00")));
}

static void test_skips_and_refuses_keys(void **state)
{
    (void)state;
    tcn_wire wire;
    /* ANSWER with key 64 of a newer peer, with key 10, with a key twice, with keys descending. */
    assert_int_equal(tcn_wire_decode(HEX("84 1824 01 00 a2 0301 1840 83010203"), &wire), TCN_OK);
    assert_true(wire.answer.has_seq);
    assert_int_equal(tcn_wire_decode(HEX("84 1824 01 00 a2 0301 0a01"), &wire), TCN_MALFORMED);
    assert_int_equal(tcn_wire_decode(HEX("84 1824 01 00 a2 0301 183f01"), &wire), TCN_MALFORMED);
    assert_int_equal(tcn_wire_decode(HEX("84 1824 01 00 a2 0301 0301"), &wire), TCN_MALFORMED);
    assert_int_equal(tcn_wire_decode(HEX("84 1824 01 00 a2 0501 0301"), &wire), TCN_MALFORMED);
    /* An error number from the future is an error nevertheless. */
    assert_int_equal(tcn_wire_decode(HEX("84 1824 01 18c8 a0"), &wire), TCN_OK);
    assert_int_equal(wire.answer.error, TCN_MALFORMED);
}

static void test_what_is_no_frame(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",
        "80",                                                 /* no op */
        "82 02 00",                                           /* PING with something more */
        "81 02 00",                                           /* bytes after it */
        "81 00",                                              /* op unknown */
        "81 0f",                                              /* op unknown */
        "81 182e",                                            /* op unknown */
        "81 1802",                                            /* op not in its shortest form */
        "9f 02 ff",                                           /* indefinite length */
        "a1 02 00",                                           /* a map */
        "82 1903e8 00",                                       /* op far outside */
        "82 182b 20",                                         /* generation negative */
        "82 07 80",                                           /* BODIES without ids */
        "82 07 81 4f 0102030405060708090a0b0c0d0e0f",         /* an id of 15 bytes */
        "82 08 81 81 50 0102030405060708090a0b0c0d0e0f10",    /* rejected without error */
        "85 06 02 50 0102030405060708090a0b0c0d0e0f10 00 00", /* lane 2 */
        "82 0b 80",                                           /* metrics no map */
        "82 0b a1 01 f5",                                     /* a metric that is a bool */
        "82 0b a1 20 01",                                     /* a key that is negative */
        "86 0c 01 01 a0 40 01",                               /* a place of no bytes */
        "86 0c 01 01 80 f6 01",                               /* args no map */
        "86 0c 01 01 a1 6161 01 f6 01",                       /* args with a text key */
        "86 1829 01 00 81 80 f6 60",                          /* an item that is no map */
        "83 182c 01 61ff",                                    /* text not UTF-8 */
    };
    for (size_t i = 0; i < COUNT(bad); i++) {
        uint8_t memory[128];
        tcn_wire wire = {.op = TCN_OP_PONG};
        assert_int_equal(tcn_wire_decode(hex_bytes(bad[i], memory, sizeof(memory)), &wire),
                         TCN_MALFORMED);
        assert_int_equal(wire.op, TCN_OP_PONG); /* untouched */
    }
}

static void refuse_hello(tcn_wire *hello)
{
    static uint8_t frame[TCN_MAX_FRAME_BYTES];
    tcn_wire wire;
    assert_int_equal(tcn_wire_decode(encode(hello, frame), &wire), TCN_MALFORMED);
}

static void test_hello_limits(void **state)
{
    (void)state;
    const tcn_wire good = {.op = TCN_OP_HELLO,
                           .hello = {.versions = 1, .version = {1}, .software = BYTES("x")}};
    tcn_wire bad = good;
    bad.hello.versions = 0;
    refuse_hello(&bad);
    bad = good;
    bad.hello.mode = (tcn_mode)2;
    refuse_hello(&bad);
    bad = good;
    bad.hello.has_subscriptions = true;
    bad.hello.subscriptions = 1;
    bad.hello.subscription[0] = (tcn_bytes)BYTES("Not A Pattern");
    refuse_hello(&bad);
    bad = good;
    bad.hello.lanes = 4;
    refuse_hello(&bad);
    /* Both cursors for one lane; 65 subscriptions; 9 versions. */
    uint8_t memory[512];
    tcn_wire wire;
    const char *head = "82 01 a6 01 81 01 02 01 03 50 000102030405060708090a0b0c0d0e0f 04 00";
    char text[512];
    snprintf(text, sizeof(text), "%s 08 82 83 00 01 01 83 01 01 01 0a 61 78", head);
    assert_int_equal(tcn_wire_decode(hex_bytes(text, memory, sizeof(memory)), &wire), TCN_OK);
    snprintf(text, sizeof(text), "%s 08 82 83 00 01 01 83 00 01 01 0a 61 78", head);
    assert_int_equal(tcn_wire_decode(hex_bytes(text, memory, sizeof(memory)), &wire),
                     TCN_MALFORMED);
    /* An empty list of cursors is as good as none. */
    snprintf(text, sizeof(text), "%s 08 80 0a 61 78", head);
    assert_int_equal(tcn_wire_decode(hex_bytes(text, memory, sizeof(memory)), &wire), TCN_OK);
}

static void test_sizes(void **state)
{
    (void)state;
    static uint8_t large[TCN_MAX_FRAME_BYTES + 1], frame[TCN_MAX_FRAME_BYTES];
    tcn_wire wire, submit = {.op = TCN_OP_SUBMIT, .submit = {1, {large, TCN_MAX_ENVELOPE_BYTES}}};
    size_t len;
    assert_int_equal(tcn_wire_decode(encode(&submit, frame), &wire), TCN_OK);
    submit.submit.envelope.len++;
    assert_int_equal(tcn_wire_decode(encode(&submit, frame), &wire), TCN_MALFORMED);
    tcn_wire upload = {.op = TCN_OP_UPLOAD, .upload = {1, ID, 0, {large, TCN_MAX_CHUNK_BYTES}}};
    assert_int_equal(tcn_wire_decode(encode(&upload, frame), &wire), TCN_OK);
    upload.upload.bytes.len++;
    assert_int_equal(tcn_wire_decode(encode(&upload, frame), &wire), TCN_MALFORMED);
    /* Larger than a frame: neither written nor read. */
    tcn_wire trust = {.op = TCN_OP_TRUST, .trust = {1, 1, 0, {large, TCN_MAX_FRAME_BYTES - 9}}};
    tcn_bytes whole = encode(&trust, frame);
    assert_int_equal(whole.len, TCN_MAX_FRAME_BYTES);
    assert_int_equal(tcn_wire_decode(whole, &wire), TCN_OK);
    trust.trust.bytes.len++;
    assert_int_equal(tcn_wire_encode(&trust, frame, sizeof(frame), &len), TCN_TOO_LARGE);
    assert_int_equal(tcn_wire_encode(&trust, large, sizeof(large), &len), TCN_TOO_LARGE);
    memset(large, 0, sizeof(large));
    assert_int_equal(tcn_wire_decode(tcn_bytes_of(large, sizeof(large)), &wire), TCN_MALFORMED);
    assert_int_equal(tcn_wire_encode(&(tcn_wire){.op = (tcn_op)99}, frame, sizeof(frame), &len),
                     TCN_INVALID);
}

static void test_truncated_anywhere(void **state)
{
    (void)state;
    static uint8_t frame[TCN_MAX_FRAME_BYTES];
    for (size_t i = 0; i < COUNT(samples); i++) {
        tcn_bytes whole = encode(&samples[i], frame);
        for (size_t len = 0; len < whole.len; len++) {
            tcn_wire wire;
            uint8_t *copy = mem_copy(tcn_bytes_of(whole.ptr, len));
            assert_int_equal(tcn_wire_decode(tcn_bytes_of(copy, len), &wire), TCN_MALFORMED);
            free(copy);
        }
    }
}

/* A small generator, so that a failure comes again. */
static uint32_t next_random(uint32_t *seed)
{
    *seed = *seed * 1664525U + 1013904223U;
    return *seed >> 8;
}

static void test_mutated(void **state)
{
    (void)state;
    static uint8_t frame[TCN_MAX_FRAME_BYTES];
    uint32_t seed = 1;
    size_t taken = 0;
    for (unsigned round = 0; round < 60000; round++) {
        tcn_bytes whole = encode(&samples[round % COUNT(samples)], frame);
        uint8_t *copy = mem_copy(whole);
        for (unsigned hits = 1 + next_random(&seed) % 3; hits > 0; hits--)
            copy[next_random(&seed) % whole.len] = (uint8_t)next_random(&seed);
        tcn_wire wire;
        tcn_bytes mutant = tcn_bytes_of(copy, whole.len);
        if (tcn_wire_decode(mutant, &wire) == TCN_OK) {
            taken++;
            assert_int_equal(tcn_cbor_check(mutant, 64), TCN_OK);
        }
        free(copy);
    }
    assert_true(taken > 0); /* flipped content is still a frame */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_every_op_has_a_sample),
        cmocka_unit_test(test_values_survive),
        cmocka_unit_test(test_answers_and_lists),
        cmocka_unit_test(test_bytes_by_hand),
        cmocka_unit_test(test_skips_and_refuses_keys),
        cmocka_unit_test(test_what_is_no_frame),
        cmocka_unit_test(test_hello_limits),
        cmocka_unit_test(test_sizes),
        cmocka_unit_test(test_truncated_anywhere),
        cmocka_unit_test(test_mutated),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
