/* SPDX-License-Identifier: Apache-2.0 */
/* tcn_cbor_check: what it takes for deterministic and what not, of any kind of item; and UTF-8. */
#include "libtocsin/cbor.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "tests/support/hex.h"

#define DEPTH 64
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static void check_all(const char *const *items, size_t count, tcn_err expected)
{
    for (size_t i = 0; i < count; i++) {
        uint8_t memory[64];
        tcn_err err = tcn_cbor_check(hex_bytes(items[i], memory, sizeof(memory)), DEPTH);
        if (err != expected)
            fail_msg("%s: %s, should be %s", items[i], tcn_err_word(err), tcn_err_word(expected));
    }
}

static void test_check_refuses(void **state)
{
    (void)state;
    const char *bad[] = {
        /* nothing, and less than a head says */
        "", "18", "19 01", "1a 010000", "1b 01000000000000", "41", "62 61", "81", "a1", "a1 01",
        "c0", "f8", "f9 00", "fb 0000000000", "9b 00000000",
        /* integers, lengths, counts and tags in more bytes than needed, at each width */
        "18 00", "18 17", "19 0000", "19 00ff", "1a 0000ffff", "1b 00000000ffffffff", "38 17",
        "39 00ff", "3a 0000ffff", "3b 00000000ffffffff", "58 01 61", "59 0001 61", "78 01 61",
        "7a 00000001 61", "98 01 01", "9b 0000000000000001 01", "b8 01 01 01", "b9 0001 01 01",
        "d8 00 01", "d9 0062 80",
        /* indefinite lengths, and a break by itself */
        "5f 41 01 ff", "7f 61 61 ff", "9f ff", "bf ff", "ff", "81 ff", "df 01",
        /* reserved */
        "1c", "1d", "1e", "3c", "5d", "9e", "bc", "dd", "fc", "fd", "fe",
        /* simple values in two bytes that have one */
        "f8 00", "f8 14", "f8 18", "f8 1f",
        /* map keys twice or not ascending in their encodings */
        "a2 01 00 01 00", "a2 02 00 01 00", "a2 61 61 00 61 61 00", "a2 61 62 00 61 61 00",
        "a2 62 6161 00 61 62 00", "a2 20 00 01 00", "a2 61 61 00 01 00", "a2 18 18 00 01 00",
        "a2 f6 00 80 00", "a2 81 02 00 81 01 00", "a2 a1 01 02 00 a1 01 02 00", "81 a2 01 00 01 00",
        "a1 a2 02 00 01 00 00",
        /* text that is not UTF-8 */
        "61 80", "61 ff", "62 c0 80", "62 c3 28", "63 e0 80 80", "63 ed a0 80", "64 f0 80 80 80",
        "64 f4 90 80 80", "64 f5 80 80 80", "62 e6 b0", "61 c3",
        /* more than one item */
        "00 00", "80 80", "a0 00", "f6 f6",
        /* bignums that an integer can say, or with leading zeros */
        "c2 40", "c2 41 01", "c2 48 ffffffffffffffff", "c3 41 00", "c2 49 00ffffffffffffffff",
        "81 c2 41 01"};
    check_all(bad, COUNT(bad), TCN_MALFORMED);
    assert_int_equal(tcn_cbor_check((tcn_bytes){NULL, 0}, DEPTH), TCN_MALFORMED);
}

static void test_check_accepts(void **state)
{
    (void)state;
    const char *good[] = {
        "18 18", "19 0100", "1a 00010000", "1b 0000000100000000", "3b ffffffffffffffff", "60", "40",
        "61 00", /* a NUL is UTF-8; only Tocsin's own texts have none */
        "e0", "f3", "f7", "f8 20", "f8 ff", "d9 0100 00", "db 0000000100000000 00",
        /* keys of each type ascend bytewise */
        "a8 0a 00 18 64 00 20 00 61 7a 00 62 6161 00 81 18 64 00 81 20 00 f4 00",
        "a2 a1 01 02 00 a1 01 03 00", "a2 40 00 60 00", "a2 00 a1 00 00 01 a1 00 00",
        "c2 49 01ffffffffffffffff", "c2 60", "81 c3 49 010000000000000000", "c1 41 01"};
    check_all(good, COUNT(good), TCN_OK);
}

static void test_floats_are_the_shortest(void **state)
{
    (void)state;
    const char *shortest[] = {/* zeros, least and greatest half, infinities, the one NaN */
                              "f9 0000",
                              "f9 8000",
                              "f9 0001",
                              "f9 7bff",
                              "f9 7c00",
                              "f9 fc00",
                              "f9 7e00",
                              "fa 477ff000",
                              "fa 47800000", /* 65520, 65536: beyond half */
                              "fa 3f801000", /* 11 bits of mantissa */
                              "fa 387fe000", /* one bit more than a subnormal half has */
                              "fa 33800001",
                              "fa 33c00000", /* next to 2^-24; 1.5 * 2^-24 */
                              "fa 33000000", /* 2^-25 */
                              "fa 00000001",
                              "fa 007fffff",         /* subnormal single */
                              "fb 3ff0000010000000", /* 24 bits of mantissa */
                              "fb 47f0000000000000", /* 2^128: beyond single */
                              "fb 3690000000000000", /* 2^-150 */
                              "fb 36a8000000000000", /* 1.5 * 2^-149 */
                              "fb 0000000000000001",
                              "fb 3ff199999999999a"};
    const char *longer[] = {"f9 7e01",
                            "f9 fe00",
                            "f9 7c01",
                            "f9 7dff", /* other NaNs */
                            "fa 00000000",
                            "fa 80000000", /* zeros */
                            "fa 7f800000",
                            "fa ff800000", /* infinities */
                            "fa 7fc00000",
                            "fa 7fc00001",
                            "fa 7f800001", /* NaNs */
                            "fa 3f800000",
                            "fa 477fe000", /* 1.0, 65504 */
                            "fa 3f802000", /* 10 bits of mantissa */
                            "fa 38800000",
                            "fa 387fc000", /* 2^-14; a subnormal half */
                            "fa 33800000",
                            "fa 34400000", /* 2^-24; 3 * 2^-24 */
                            "fb 0000000000000000",
                            "fb 7ff0000000000000", /* zero, infinity */
                            "fb 7ff8000000000000",
                            "fb 7ff8000000000001", /* NaNs */
                            "fb 3ff0000000000000",
                            "fb 3ff0000020000000", /* 1.0; 23 bits of mantissa */
                            "fb 47efffffe0000000",
                            "fb 3810000000000000", /* FLT_MAX, FLT_MIN */
                            "fb 36a0000000000000",
                            "fb 36b8000000000000" /* 2^-149, 3 * 2^-149 */};
    check_all(shortest, COUNT(shortest), TCN_OK);
    check_all(longer, COUNT(longer), TCN_MALFORMED);
}

/* Every half as a single, and every half and many singles as a double: all have a shorter form. */
static void test_widened_floats_are_refused(void **state)
{
    (void)state;
    for (uint32_t half = 0; half < 0x10000; half++) {
        if ((half & 0x7c00) == 0x7c00)
            continue; /* infinity and NaN: see above */
        double value = (double)(half & 0x3ff);
        int exponent = (int)(half >> 10 & 31);
        if (exponent > 0)
            value += 1024;
        for (int e = exponent > 0 ? exponent : 1; e < 25; e++)
            value /= 2;
        for (int e = 25; e < exponent; e++)
            value *= 2;
        float single = (float)(half & 0x8000 ? -value : value);
        double twice = (double)single;
        uint32_t single_bits;
        uint64_t double_bits;
        memcpy(&single_bits, &single, 4);
        memcpy(&double_bits, &twice, 8);
        uint8_t as_single[5] = {0xfa}, as_double[9] = {0xfb};
        for (int i = 0; i < 4; i++)
            as_single[1 + i] = (uint8_t)(single_bits >> (24 - 8 * i));
        for (int i = 0; i < 8; i++)
            as_double[1 + i] = (uint8_t)(double_bits >> (56 - 8 * i));
        if (tcn_cbor_check(tcn_bytes_of(as_single, 5), DEPTH) != TCN_MALFORMED ||
            tcn_cbor_check(tcn_bytes_of(as_double, 9), DEPTH) != TCN_MALFORMED)
            fail_msg("half %04x accepted in a longer form", half);
    }
}

static void test_depth(void **state)
{
    (void)state;
    uint8_t arrays[80];
    memset(arrays, 0x81, sizeof(arrays));
    arrays[64] = 0x00;
    assert_int_equal(tcn_cbor_check(tcn_bytes_of(arrays, 65), 64), TCN_OK);
    assert_int_equal(tcn_cbor_check(tcn_bytes_of(arrays, 65), 63), TCN_TOO_LARGE);
    arrays[64] = 0x81;
    arrays[65] = 0x00;
    /* 64 is all that is ever followed, whatever the caller allows. */
    assert_int_equal(tcn_cbor_check(tcn_bytes_of(arrays, 66), 1000), TCN_TOO_LARGE);
    assert_int_equal(tcn_cbor_check(HEX("00"), 0), TCN_OK);
    assert_int_equal(tcn_cbor_check(HEX("80"), 0), TCN_TOO_LARGE);
    assert_int_equal(tcn_cbor_check(HEX("c0 00"), 0), TCN_TOO_LARGE);
    assert_int_equal(tcn_cbor_check(HEX("a1 00 c0 80"), 3), TCN_OK);
    assert_int_equal(tcn_cbor_check(HEX("a1 00 c0 80"), 2), TCN_TOO_LARGE);
    /* Siblings do not add up. */
    assert_int_equal(tcn_cbor_check(HEX("83 81 00 81 80 80"), 3), TCN_OK);
}

/* ---- UTF-8, every code point ---- */

static void test_utf8_of_every_code_point(void **state)
{
    (void)state;
    for (uint32_t c = 0; c < 0x110000; c++) {
        uint8_t text[4];
        size_t len = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
        text[0] = (uint8_t)(len == 1 ? c : (0xf00u >> len & 0xff) | c >> 6 * (len - 1));
        for (size_t i = 1; i < len; i++)
            text[i] = (uint8_t)(0x80 | (c >> 6 * (len - 1 - i) & 0x3f));
        bool surrogate = c >= 0xd800 && c < 0xe000;
        if (tcn_utf8_is_valid(tcn_bytes_of(text, len)) == surrogate)
            fail_msg("U+%04X", c);
        if (len > 1 && tcn_utf8_is_valid(tcn_bytes_of(text, len - 1)))
            fail_msg("U+%04X cut", c);
    }
    assert_true(tcn_utf8_is_valid((tcn_bytes){NULL, 0}));
    assert_false(tcn_utf8_is_valid(HEX("c1bf")));       /* overlong */
    assert_false(tcn_utf8_is_valid(HEX("e09fbf")));     /* overlong */
    assert_false(tcn_utf8_is_valid(HEX("f08fbfbf")));   /* overlong */
    assert_false(tcn_utf8_is_valid(HEX("f4908080")));   /* U+110000 */
    assert_false(tcn_utf8_is_valid(HEX("f888808080"))); /* five bytes */
    assert_false(tcn_utf8_is_valid(HEX("80")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_check_refuses),
        cmocka_unit_test(test_check_accepts),
        cmocka_unit_test(test_floats_are_the_shortest),
        cmocka_unit_test(test_widened_floats_are_refused),
        cmocka_unit_test(test_depth),
        cmocka_unit_test(test_utf8_of_every_code_point),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
