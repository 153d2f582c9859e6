/* SPDX-License-Identifier: Apache-2.0 */
#include "libtocsin/bytes.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/support/hex.h"

static const tcn_bytes nothing = {NULL, 0};

static void test_compare_and_equal(void **state)
{
    (void)state;
    tcn_bytes abc = tcn_bytes_str("abc"), abd = tcn_bytes_str("abd"), ab = tcn_bytes_str("ab");
    tcn_bytes high = HEX("ff");
    assert_true(tcn_bytes_equal(abc, tcn_bytes_of("abc", 3)));
    assert_false(tcn_bytes_equal(abc, abd));
    assert_false(tcn_bytes_equal(abc, ab));
    assert_true(tcn_bytes_equal(nothing, tcn_bytes_str("")));
    assert_true(tcn_bytes_compare(abc, abd) < 0);
    assert_true(tcn_bytes_compare(abd, abc) > 0);
    assert_true(tcn_bytes_compare(ab, abc) < 0);
    assert_true(tcn_bytes_compare(abc, ab) > 0);
    assert_int_equal(tcn_bytes_compare(abc, abc), 0);
    assert_true(tcn_bytes_compare(nothing, ab) < 0);
    assert_int_equal(tcn_bytes_compare(nothing, nothing), 0);
    assert_true(tcn_bytes_compare(abc, high) < 0); /* unsigned, as memcmp */
}

static void test_prefixes_of_ids(void **state)
{
    (void)state;
    tcn_id id;
    tcn_id_prefix prefix;
    assert_int_equal(tcn_id_parse("01234567-89ab-cdef-0011-223344556677", &id), TCN_OK);
    const char *const good[] = {
        "0", "0123", "012", "01234567-89AB-C", "01234567-89ab-cdef-0011-223344556677", "0-1-2-3"};
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        assert_int_equal(tcn_id_prefix_parse(tcn_bytes_str(good[i]), &prefix), TCN_OK);
        assert_true(tcn_id_has_prefix(&id, &prefix));
    }
    assert_int_equal(tcn_id_prefix_parse(tcn_bytes_str("012"), &prefix), TCN_OK);
    assert_int_equal(prefix.digits, 3);
    assert_int_equal(prefix.id.b[1], 0x20);
    const char *const other[] = {"1", "02", "013", "0122", "01234567-89ab-d"};
    for (size_t i = 0; i < sizeof(other) / sizeof(other[0]); i++) {
        assert_int_equal(tcn_id_prefix_parse(tcn_bytes_str(other[i]), &prefix), TCN_OK);
        assert_false(tcn_id_has_prefix(&id, &prefix));
    }
    const char *const bad[] = {
        "", "-", "xyz", "01g", "01234567-89ab-cdef-0011-2233445566770", "MSRC-2026-014"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_int_equal(tcn_id_prefix_parse(tcn_bytes_str(bad[i]), &prefix), TCN_MALFORMED);
}

static void test_ids(void **state)
{
    (void)state;
    tcn_id zero = {{0}}, id = {{0}}, last = {{0}};
    id.b[0] = 1;
    last.b[15] = 1;
    assert_true(tcn_id_is_zero(&zero));
    assert_false(tcn_id_is_zero(&id));
    assert_false(tcn_id_is_zero(&last));
    assert_true(tcn_id_equal(&id, &id));
    assert_false(tcn_id_equal(&id, &last));
}

static void test_id_text_both_ways(void **state)
{
    (void)state;
    /* RFC 9562, appendix A.6: the UUIDv7 example. */
    const char *text = "017f22e2-79b0-7cc3-98c4-dc0c0c07398f";
    tcn_id id, again;
    char shown[TCN_ID_TEXT_SIZE];
    assert_int_equal(tcn_id_parse(text, &id), TCN_OK);
    assert_true(tcn_bytes_equal(tcn_bytes_of(id.b, 16), HEX("017f22e279b07cc398c4dc0c0c07398f")));
    tcn_id_text(&id, shown);
    assert_string_equal(shown, text);
    assert_int_equal(tcn_id_parse("017F22E2-79B0-7CC3-98C4-DC0C0C07398F", &again), TCN_OK);
    assert_true(tcn_id_equal(&id, &again));
}

static void test_id_parse_refuses(void **state)
{
    (void)state;
    const char *bad[] = {
        "",
        "017f22e2",
        "017f22e279b07cc398c4dc0c0c07398f",
        "017f22e2-79b0-7cc3-98c4-dc0c0c07398",
        "017f22e2-79b0-7cc3-98c4-dc0c0c07398f0",
        "017f22e2-79b0-7cc3-98c4-dc0c0c07398f ",
        " 017f22e2-79b0-7cc3-98c4-dc0c0c07398f",
        "017f22e2 79b0-7cc3-98c4-dc0c0c07398f",
        "017f22e2-79b0-7cc3-98c4-dc0c0c07398g",
        "017f22e27-9b0-7cc3-98c4-dc0c0c07398f",
        "{17f22e2-79b0-7cc3-98c4-dc0c0c07398}",
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        tcn_id id = {{7}};
        assert_int_equal(tcn_id_parse(bad[i], &id), TCN_MALFORMED);
        assert_int_equal(id.b[0], 7); /* written only on success */
    }
}

static void test_hash(void **state)
{
    (void)state;
    /* FIPS 180-4 examples: "abc" and the empty message. */
    char text[TCN_HASH_TEXT_SIZE];
    tcn_hash abc = tcn_hash_of(tcn_bytes_str("abc")), none = tcn_hash_of(nothing);
    tcn_hash_text(&abc, text);
    assert_string_equal(text, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    tcn_hash_text(&none, text);
    assert_string_equal(text, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    assert_true(tcn_hash_equal(&abc, &abc));
    assert_false(tcn_hash_equal(&abc, &none));
}

static void test_hex(void **state)
{
    (void)state;
    uint8_t bytes[4] = {9, 9, 9, 9};
    char text[9];
    assert_int_equal(tcn_unhex("00fFA57e", bytes, 4), TCN_OK);
    tcn_hex(bytes, 4, text);
    assert_string_equal(text, "00ffa57e");
    assert_int_equal(tcn_unhex("", bytes, 0), TCN_OK);
    tcn_hex(bytes, 0, text);
    assert_string_equal(text, "");
    const char *bad[] = {"",         "00ffa57",  "00ffa57e0", "00ffa57e00",
                         "00ffa57x", "0 ffa57e", "0x00ffa5"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        uint8_t untouched[4] = {9, 9, 9, 9};
        assert_int_equal(tcn_unhex(bad[i], untouched, 4), TCN_MALFORMED);
        assert_int_equal(untouched[0], 9);
    }
}

static void test_buf_grows_up_to_its_maximum(void **state)
{
    (void)state;
    tcn_buf buf;
    tcn_buf_init(&buf, 1000);
    for (size_t i = 0; i < 100; i++) {
        assert_int_equal(tcn_buf_append(&buf, tcn_bytes_str("0123456789")), TCN_OK);
        assert_int_equal(buf.len, 10 * (i + 1));
        assert_true(buf.cap <= 1000);
    }
    assert_int_equal(tcn_buf_append(&buf, tcn_bytes_str("x")), TCN_TOO_LARGE);
    assert_int_equal(buf.len, 1000);
    assert_memory_equal(buf.ptr + 990, "0123456789", 10);
    assert_int_equal(tcn_buf_append(&buf, nothing), TCN_OK);
    uint8_t *kept = buf.ptr;
    tcn_buf_clear(&buf);
    assert_int_equal(tcn_buf_bytes(&buf).len, 0);
    assert_int_equal(tcn_buf_reserve(&buf, 1000), TCN_OK);
    assert_ptr_equal(buf.ptr, kept);
    assert_int_equal(tcn_buf_reserve(&buf, 1001), TCN_TOO_LARGE);
    assert_int_equal(tcn_buf_reserve(&buf, SIZE_MAX), TCN_TOO_LARGE);
    tcn_buf_fini(&buf);
    tcn_buf_fini(&buf);
    tcn_buf_fini(NULL);
    assert_null(buf.ptr);
}

static void test_buf_of_any_small_maximum(void **state)
{
    (void)state;
    for (size_t max = 0; max < 600; max += 7) {
        tcn_buf buf;
        tcn_buf_init(&buf, max);
        assert_int_equal(tcn_buf_reserve(&buf, max), TCN_OK);
        assert_true(buf.cap >= max && buf.cap <= max);
        assert_int_equal(tcn_buf_reserve(&buf, max + 1), TCN_TOO_LARGE);
        tcn_buf_fini(&buf);
    }
}

static void test_copy(void **state)
{
    (void)state;
    uint8_t *copy = NULL;
    assert_int_equal(tcn_bytes_copy(tcn_bytes_str("tocsin"), &copy), TCN_OK);
    assert_memory_equal(copy, "tocsin", 6);
    free(copy);
    copy = NULL;
    assert_int_equal(tcn_bytes_copy(nothing, &copy), TCN_OK);
    assert_non_null(copy);
    free(copy);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_compare_and_equal),
        cmocka_unit_test(test_prefixes_of_ids),
        cmocka_unit_test(test_ids),
        cmocka_unit_test(test_id_text_both_ways),
        cmocka_unit_test(test_id_parse_refuses),
        cmocka_unit_test(test_hash),
        cmocka_unit_test(test_hex),
        cmocka_unit_test(test_buf_grows_up_to_its_maximum),
        cmocka_unit_test(test_buf_of_any_small_maximum),
        cmocka_unit_test(test_copy),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
