/* SPDX-License-Identifier: Apache-2.0 */
/* test_alert_body.c - bodies there and back, and the zstd frames that are refused: bombs, wide
 * windows, several frames, and headers that lie. */
#include "libtocsin/alert.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <zstd.h>

#include "tests/support/mem.h"
#include "tests/support/shared_data.h"

#define MIB ((size_t)1 << 20)
#define TEXT(text) tcn_bytes_of(text, sizeof(text) - 1)

/* Lines like an advisory's: compressible, but not beyond the ratio. */
static uint8_t *lines(size_t len)
{
    uint8_t *bytes = mem_zeroed(len + 1);
    uint32_t seed = 3;
    for (size_t i = 0; i < len; i++) {
        seed = seed * 1664525U + 1013904223U;
        bytes[i] = (uint8_t) "abcdefgh advisory"[(seed >> 9) % 17];
    }
    return bytes;
}

/* A frame made with other parameters than ours. */
static tcn_bytes frame_of(const uint8_t *bytes, size_t len, int window_log, bool content_size,
                          bool checksum)
{
    size_t cap = ZSTD_compressBound(len);
    uint8_t *frame = mem_zeroed(cap);
    ZSTD_CCtx *zstd = ZSTD_createCCtx();
    ZSTD_outBuffer out = {frame, cap, 0};
    ZSTD_inBuffer in = {bytes, len, 0};
    assert_non_null(zstd);
    ZSTD_CCtx_setParameter(zstd, ZSTD_c_windowLog, window_log);
    ZSTD_CCtx_setParameter(zstd, ZSTD_c_contentSizeFlag, content_size);
    ZSTD_CCtx_setParameter(zstd, ZSTD_c_checksumFlag, checksum);
    if (content_size)
        ZSTD_CCtx_setPledgedSrcSize(zstd, len);
    assert_int_equal(ZSTD_compressStream2(zstd, &out, &in, ZSTD_e_continue), 0);
    size_t left = ZSTD_compressStream2(zstd, &out, &in, ZSTD_e_end);
    assert_int_equal(left, 0);
    ZSTD_freeCCtx(zstd);
    return tcn_bytes_of(frame, out.pos);
}

static tcn_err decode(tcn_bytes encoded, uint64_t size, uint8_t **ret_bytes)
{
    return tcn_body_decode(encoded, TCN_ENCODING_ZSTD, size, TCN_MAX_BODY_BYTES, ret_bytes);
}

static void refused(tcn_bytes encoded, uint64_t size, tcn_err expected)
{
    uint8_t *bytes = NULL;
    assert_int_equal(decode(encoded, size, &bytes), expected);
    assert_null(bytes);
}

static void test_round_trip(void **state)
{
    (void)state;
    static const size_t sizes[] = {64, 1000, 32768, MIB - 1, MIB, MIB + 1, 5 * MIB};
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        uint8_t *bytes = lines(sizes[i]), *encoded = NULL, *decoded = NULL;
        size_t len = 0;
        tcn_encoding encoding = TCN_ENCODING_IDENTITY;
        assert_int_equal(
            tcn_body_encode(tcn_bytes_of(bytes, sizes[i]), 3, &encoding, &encoded, &len), TCN_OK);
        assert_int_equal(encoding, sizes[i] > 64 ? TCN_ENCODING_ZSTD : encoding);
        /* The frame tells its size, so that nobody has to guess. */
        if (encoding == TCN_ENCODING_ZSTD)
            assert_true(ZSTD_getFrameContentSize(encoded, len) == sizes[i]);
        assert_int_equal(tcn_body_decode(tcn_bytes_of(encoded, len), encoding, sizes[i],
                                         TCN_MAX_BODY_BYTES, &decoded),
                         TCN_OK);
        assert_memory_equal(decoded, bytes, sizes[i]);
        free(bytes);
        free(encoded);
        free(decoded);
    }
}

/* Advisories as vendors publish them: none may look like a bomb, all come back to the byte. */
static void test_real_advisories(void **state)
{
    (void)state;
    SHARED_DATA_OR_SKIP();
    shared_data_files files = {0};
    assert_true(shared_data_list("csaf", ".json", &files));
    for (size_t i = 0; i < files.count; i++) {
        uint8_t *bytes = NULL, *encoded = NULL, *decoded = NULL;
        size_t size = 0, len = 0;
        tcn_encoding encoding = TCN_ENCODING_IDENTITY;
        assert_true(shared_data_read(files.path[i], &bytes, &size));
        assert_int_equal(tcn_body_encode(tcn_bytes_of(bytes, size), 3, &encoding, &encoded, &len),
                         TCN_OK);
        /* All but a stub of a few bytes are text that compresses. */
        assert_int_equal(encoding, size > 100 ? TCN_ENCODING_ZSTD : TCN_ENCODING_IDENTITY);
        assert_int_equal(tcn_body_decode(tcn_bytes_of(encoded, len), encoding, size,
                                         TCN_MAX_BODY_BYTES, &decoded),
                         TCN_OK);
        assert_memory_equal(decoded, bytes, size);
        free(bytes);
        free(encoded);
        free(decoded);
    }
    shared_data_files_fini(&files);
}

static void test_not_worth_it(void **state)
{
    (void)state;
    uint8_t noise[4096], *zeros = mem_zeroed(MIB), *encoded = NULL;
    uint32_t seed = 5;
    for (size_t i = 0; i < sizeof(noise); i++) {
        seed = seed * 1664525U + 1013904223U;
        noise[i] = (uint8_t)(seed >> 16);
    }
    const tcn_bytes bodies[] = {
        TEXT(""),
        TEXT("x"),
        TEXT("Shut it off. Now."),
        tcn_bytes_of(noise, sizeof(noise)),
        tcn_bytes_of(zeros, MIB), /* would be taken for a bomb */
    };
    for (size_t i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++) {
        tcn_encoding encoding = TCN_ENCODING_ZSTD;
        size_t len = 0;
        uint8_t *decoded = NULL;
        assert_int_equal(tcn_body_encode(bodies[i], 3, &encoding, &encoded, &len), TCN_OK);
        assert_int_equal(encoding, TCN_ENCODING_IDENTITY);
        assert_true(tcn_bytes_equal(tcn_bytes_of(encoded, len), bodies[i]));
        assert_int_equal(tcn_body_decode(bodies[i], encoding, len, len, &decoded), TCN_OK);
        assert_non_null(decoded);
        free(encoded);
        free(decoded);
    }
    free(zeros);
    tcn_encoding encoding;
    size_t len;
    assert_int_equal(tcn_body_encode(tcn_bytes_of(noise, (size_t)TCN_MAX_BODY_BYTES_MAX + 1), 3,
                                     &encoding, &encoded, &len),
                     TCN_TOO_LARGE);
}

static void test_identity(void **state)
{
    (void)state;
    uint8_t *bytes = NULL;
    assert_int_equal(tcn_body_decode(TEXT("abc"), TCN_ENCODING_IDENTITY, 2, 100, &bytes),
                     TCN_MALFORMED);
    assert_int_equal(tcn_body_decode(TEXT("abc"), TCN_ENCODING_IDENTITY, 4, 100, &bytes),
                     TCN_MALFORMED);
    assert_int_equal(tcn_body_decode(TEXT("abc"), TCN_ENCODING_IDENTITY, 3, 2, &bytes),
                     TCN_TOO_LARGE);
    assert_int_equal(tcn_body_decode(TEXT("abc"), (tcn_encoding)2, 3, 100, &bytes), TCN_MALFORMED);
    assert_null(bytes);
}

static void test_sizes_that_lie(void **state)
{
    (void)state;
    uint8_t *bytes = lines(10000), *out = NULL;
    for (int content_size = 0; content_size <= 1; content_size++) {
        tcn_bytes frame = frame_of(bytes, 10000, 20, content_size == 1, true);
        assert_int_equal(decode(frame, 10000, &out), TCN_OK);
        assert_memory_equal(out, bytes, 10000);
        free(out);
        out = NULL;
        refused(frame, 9999, TCN_MALFORMED);
        refused(frame, 10001, TCN_MALFORMED);
        refused(frame, 0, TCN_MALFORMED);
        free((void *)frame.ptr);
    }
    /* The header says 9999 (two bytes, minus 256, RFC 8878 §3.1.1.1.4), the blocks hold 10000. */
    tcn_bytes frame = frame_of(bytes, 10000, 20, true, false);
    uint8_t *forged = (uint8_t *)frame.ptr;
    assert_int_equal(forged[4] >> 5, 3); /* two bytes of content size, single segment */
    assert_int_equal(forged[5] | forged[6] << 8, 10000 - 256);
    forged[5]--;
    refused(frame, 9999, TCN_MALFORMED);
    refused(frame, 10000, TCN_MALFORMED);
    free(forged);
    free(bytes);
}

static void test_bombs(void **state)
{
    (void)state;
    uint8_t *zeros = mem_zeroed(8 * MIB), *out = NULL;
    tcn_bytes frame = frame_of(zeros, 8 * MIB, 20, true, false);
    assert_true(8 * MIB > TCN_MAX_BODY_RATIO * frame.len);
    refused(frame, 8 * MIB, TCN_TOO_LARGE);
    /* It says less than it holds: decoding stops at what it said. */
    tcn_bytes silent = frame_of(zeros, 8 * MIB, 20, false, false);
    refused(silent, TCN_MAX_BODY_RATIO * silent.len, TCN_MALFORMED);
    refused(silent, 1, TCN_MALFORMED);
    /* Above what the caller takes, and above what anybody takes: no memory is asked for. */
    assert_int_equal(tcn_body_decode(frame, TCN_ENCODING_ZSTD, 4001, 4000, &out), TCN_TOO_LARGE);
    assert_int_equal(tcn_body_decode(frame, TCN_ENCODING_ZSTD, UINT64_MAX, UINT64_MAX, &out),
                     TCN_TOO_LARGE);
    free((void *)frame.ptr);
    free((void *)silent.ptr);
    free(zeros);
}

static void test_windows(void **state)
{
    (void)state;
    uint8_t *bytes = lines(3 * MIB), *out = NULL;
    for (int log = 19; log <= 22; log++) {
        tcn_bytes frame = frame_of(bytes, 3 * MIB, log, false, false);
        tcn_err err = decode(frame, 3 * MIB, &out);
        assert_int_equal(err, log <= TCN_MAX_ZSTD_WINDOW_LOG ? TCN_OK : TCN_TOO_LARGE);
        free(out);
        out = NULL;
        free((void *)frame.ptr);
    }
    /* One segment of more than a window: its content is the window. */
    tcn_bytes frame = frame_of(bytes, 3 * MIB, 22, true, false);
    assert_true((frame.ptr[4] & 1 << 5) != 0);
    refused(frame, 3 * MIB, TCN_TOO_LARGE);
    free((void *)frame.ptr);
    free(bytes);
}

static void test_more_or_less_than_one_frame(void **state)
{
    (void)state;
    uint8_t *bytes = lines(2000), *twice = mem_zeroed(8192);
    tcn_bytes frame = frame_of(bytes, 1000, 20, true, true);
    memcpy(twice, frame.ptr, frame.len);
    memcpy(twice + frame.len, frame.ptr, frame.len);
    refused(tcn_bytes_of(twice, 2 * frame.len), 2000, TCN_MALFORMED);
    refused(tcn_bytes_of(twice, 2 * frame.len), 1000, TCN_MALFORMED);
    refused(tcn_bytes_of(twice, frame.len + 1), 1000, TCN_MALFORMED);
    for (size_t len = 0; len < frame.len; len++)
        if (1000 <= TCN_MAX_BODY_RATIO * len)
            refused(tcn_bytes_of(twice, len), 1000, TCN_MALFORMED);
    /* A skippable frame, alone and before a good one; and a frame of zstd 0.7. */
    static const uint8_t skippable[] = {0x50, 0x2a, 0x4d, 0x18, 2, 0, 0, 0, 'h', 'i'};
    static const uint8_t legacy[] = {0x27, 0xb5, 0x2f, 0xfd, 0, 0, 0, 0, 0, 0};
    refused(tcn_bytes_of(skippable, sizeof(skippable)), 0, TCN_MALFORMED);
    refused(tcn_bytes_of(legacy, sizeof(legacy)), 0, TCN_MALFORMED);
    memcpy(twice, skippable, sizeof(skippable));
    memcpy(twice + sizeof(skippable), frame.ptr, frame.len);
    refused(tcn_bytes_of(twice, sizeof(skippable) + frame.len), 1000, TCN_MALFORMED);
    free((void *)frame.ptr);
    free(twice);
    free(bytes);
}

static void test_mutated(void **state)
{
    (void)state;
    uint8_t *bytes = lines(3000);
    uint32_t seed = 11;
    tcn_bytes frame = frame_of(bytes, 3000, 20, true, false);
    for (unsigned round = 0; round < 5000; round++) {
        uint8_t *copy = mem_copy(frame), *out = NULL;
        seed = seed * 1664525U + 1013904223U;
        copy[(seed >> 8) % frame.len] = (uint8_t)(seed >> 3);
        /* What decodes has the size that was signed; the content is the signature's matter. */
        if (decode(tcn_bytes_of(copy, frame.len), 3000, &out) == TCN_OK)
            assert_non_null(out);
        free(out);
        free(copy);
    }
    free((void *)frame.ptr);
    free(bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip),     cmocka_unit_test(test_real_advisories),
        cmocka_unit_test(test_not_worth_it),   cmocka_unit_test(test_identity),
        cmocka_unit_test(test_sizes_that_lie), cmocka_unit_test(test_bombs),
        cmocka_unit_test(test_windows),        cmocka_unit_test(test_more_or_less_than_one_frame),
        cmocka_unit_test(test_mutated),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
