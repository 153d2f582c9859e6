/* SPDX-License-Identifier: Apache-2.0 */
#include "libtocsin/keys.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "tests/support/hex.h"
#include "tests/support/shared_data.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static int init(void **state)
{
    (void)state;
    return tcn_keys_init() == TCN_OK ? 0 : -1;
}

static void test_init_twice(void **state)
{
    (void)state;
    assert_int_equal(tcn_keys_init(), TCN_OK);
}

/* ---- Ed25519 ---- */

/* RFC 8032 §7.1, tests 1 to 3. */
static const struct {
    const char *seed, *key, *message, *signature;
} rfc8032[] = {
    {"9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
     "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a", "",
     "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b"
     "4"
     "6bd25bf5f0595bbe24655141438e7a100b"},
    {"4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
     "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c", "72",
     "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11"
     "d"
     "8c387b2eaeb4302aeeb00d291612bb0c00"},
    {"c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
     "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025", "af82",
     "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc"
     "6"
     "594a7c15e9716ed28dc027beceea1ec40a"},
};

static void test_rfc8032(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(rfc8032); i++) {
        uint8_t seed[32], message[4];
        tcn_sign_secret secret;
        tcn_sign_public key, expected_key;
        tcn_signature signature, expected;
        (void)hex_bytes(rfc8032[i].seed, seed, sizeof(seed));
        (void)hex_bytes(rfc8032[i].key, expected_key.b, sizeof(expected_key.b));
        (void)hex_bytes(rfc8032[i].signature, expected.b, sizeof(expected.b));
        tcn_bytes text = hex_bytes(rfc8032[i].message, message, sizeof(message));

        tcn_sign_from_seed(seed, &secret);
        tcn_sign_public_of(&secret, &key);
        assert_memory_equal(key.b, expected_key.b, sizeof(key.b));
        tcn_sign(&secret, text, &signature);
        assert_memory_equal(signature.b, expected.b, sizeof(signature.b));
        assert_true(tcn_verify(&key, text, &signature));
    }
}

static void test_any_changed_bit_is_refused(void **state)
{
    (void)state;
    uint8_t message[] = "all clear";
    tcn_sign_secret secret;
    tcn_sign_public key;
    tcn_signature signature;
    tcn_sign_generate(&secret);
    tcn_sign_public_of(&secret, &key);
    tcn_bytes text = tcn_bytes_of(message, sizeof(message));
    tcn_sign(&secret, text, &signature);
    assert_true(tcn_verify(&key, text, &signature));
    for (size_t bit = 0; bit < 8 * sizeof(signature.b); bit++) {
        signature.b[bit / 8] ^= (uint8_t)(1u << bit % 8);
        assert_false(tcn_verify(&key, text, &signature));
        signature.b[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    for (size_t bit = 0; bit < 8 * sizeof(message); bit++) {
        message[bit / 8] ^= (uint8_t)(1u << bit % 8);
        assert_false(tcn_verify(&key, text, &signature));
        message[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    for (size_t bit = 0; bit < 8 * sizeof(key.b); bit++) {
        key.b[bit / 8] ^= (uint8_t)(1u << bit % 8);
        assert_false(tcn_verify(&key, text, &signature));
        key.b[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    assert_false(tcn_verify(&key, tcn_bytes_of(message, sizeof(message) - 1), &signature));
    assert_true(tcn_verify(&key, text, &signature));
}

/* S and S + L satisfy the same equation; only S < L is a signature (RFC 8032 §5.1.7). */
static void test_s_beyond_the_order_is_refused(void **state)
{
    (void)state;
    static const uint8_t order[32] = {0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58,       0xd6,
                                      0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14, [31] = 0x10};
    tcn_sign_secret secret;
    tcn_sign_public key;
    tcn_signature signature;
    tcn_sign_generate(&secret);
    tcn_sign_public_of(&secret, &key);
    tcn_sign(&secret, tcn_bytes_str("x"), &signature);
    unsigned carry = 0;
    for (size_t i = 0; i < 32; i++) {
        carry += (unsigned)signature.b[32 + i] + order[i];
        signature.b[32 + i] = (uint8_t)carry;
        carry >>= 8;
    }
    assert_int_equal(carry, 0);
    assert_false(tcn_verify(&key, tcn_bytes_str("x"), &signature));
}

/* C2SP/CCTV's edge cases: every combination of unusual points, with a signature made for it. The
 * flags say what is unusual. What libsodium makes of them, and so what Tocsin does:
 *
 *   low_order_A           refused  A is of order 1, 2, 4 or 8: with such a key one signature is
 *                                  good for many messages, and it binds its signer to nothing
 *   low_order_R           refused  by choice; nobody who signs honestly makes one
 *   non_canonical_A, _R   refused  y ≥ p: the same point in other bytes. A is checked, R is
 *                                  compared with the canonical bytes of what is computed
 *   reencoded_k           refused  good only for who hashes re-encoded points; RFC 8032 hashes the
 *                                  bytes as they came
 *   low_order_residue     refused  [S]B - [k]A - R is a point of low order but not zero: good only
 *                                  for who multiplies by the cofactor 8; libsodium does not
 *   low_order_component_A,
 *   low_order_component_R accepted alone: A or R have a part of low order, and the equation holds
 *                                  without the cofactor all the same
 *
 * Accepted keys with a low order part cost Tocsin nothing: whoever makes such a key only gives
 * itself several signatures for one message, and identity is the payload's hash, never the
 * envelope's (DESIGN §5). */
static const char *const refused_flags[] = {"low_order_A",     "low_order_R", "non_canonical_A",
                                            "non_canonical_R", "reencoded_k", "low_order_residue"};

static bool is_refused(const json_t *flags)
{
    size_t index;
    const json_t *flag;
    json_array_foreach(flags, index, flag)
    {
        for (size_t i = 0; i < COUNT(refused_flags); i++)
            if (strcmp(json_string_value(flag), refused_flags[i]) == 0)
                return true;
    }
    return false;
}

static void test_edge_case_vectors(void **state)
{
    (void)state;
    SHARED_DATA_OR_SKIP();
    uint8_t *text;
    size_t len, index, accepted = 0;
    json_t *vector;
    char *path = shared_data_path("ed25519/ed25519vectors.json");
    assert_true(shared_data_read(path, &text, &len));
    free(path);
    json_t *vectors = json_loadb((char *)text, len, 0, NULL);
    free(text);
    assert_int_equal(json_array_size(vectors), 914);
    json_array_foreach(vectors, index, vector)
    {
        tcn_sign_public key;
        tcn_signature signature;
        const char *message = json_string_value(json_object_get(vector, "msg"));
        bool refused = is_refused(json_object_get(vector, "flags"));
        assert_int_equal(
            tcn_unhex(json_string_value(json_object_get(vector, "key")), key.b, sizeof(key.b)),
            TCN_OK);
        assert_int_equal(tcn_unhex(json_string_value(json_object_get(vector, "sig")), signature.b,
                                   sizeof(signature.b)),
                         TCN_OK);
        bool good = tcn_verify(&key, tcn_bytes_str(message), &signature);
        if (good == refused)
            fail_msg("vector %zu is %s", index, good ? "accepted" : "refused");
        accepted += good;
    }
    json_decref(vectors);
    /* One without any flag, 7 with a part of low order in A, 35 with one in A and R. */
    assert_int_equal(accepted, 1 + 7 + 35);
}

/* ---- making and wiping ---- */

static bool is_zero(const void *memory, size_t size)
{
    const uint8_t *bytes = memory;
    for (size_t i = 0; i < size; i++)
        if (bytes[i] != 0)
            return false;
    return true;
}

static void test_generated_keys_differ_and_work(void **state)
{
    (void)state;
    tcn_secrets a, b;
    tcn_publics a_public, b_public;
    tcn_signature signature;
    tcn_secrets_generate(&a);
    tcn_secrets_generate(&b);
    tcn_secrets_publics(&a, &a_public);
    tcn_secrets_publics(&b, &b_public);
    assert_memory_not_equal(&a, &b, sizeof(a));
    assert_memory_not_equal(&a_public, &b_public, sizeof(a_public));
    assert_memory_not_equal(a.transport.b, a.seal.b, 32);
    assert_memory_not_equal(a_public.transport.b, a_public.seal.b, 32);
    tcn_sign(&a.sign, tcn_bytes_str("m"), &signature);
    assert_true(tcn_verify(&a_public.sign, tcn_bytes_str("m"), &signature));
    assert_false(tcn_verify(&b_public.sign, tcn_bytes_str("m"), &signature));
    assert_true(tcn_box_public_is_usable(&a_public.transport));
    tcn_secrets_fini(&a);
    tcn_secrets_fini(&b);
}

static void test_secrets_are_wiped(void **state)
{
    (void)state;
    tcn_secrets secrets;
    tcn_sign_secret sign;
    tcn_secrets_generate(&secrets);
    tcn_sign_generate(&sign);
    assert_false(is_zero(&secrets.sign, sizeof(secrets.sign)));
    assert_false(is_zero(&secrets.transport, sizeof(secrets.transport)));
    assert_false(is_zero(&secrets.seal, sizeof(secrets.seal)));
    assert_false(is_zero(&sign, sizeof(sign)));
    tcn_secrets_fini(&secrets);
    tcn_sign_fini(&sign);
    assert_true(is_zero(&secrets, sizeof(secrets)));
    assert_true(is_zero(&sign, sizeof(sign)));
    tcn_secrets_fini(NULL);
    tcn_sign_fini(NULL);
}

/* RFC 7748 §6.1, Bob's key pair. */
static void test_box_publics_are_x25519(void **state)
{
    (void)state;
    tcn_secrets secrets;
    tcn_publics publics;
    tcn_bytes expected = HEX("de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f");
    tcn_secrets_generate(&secrets);
    (void)hex_bytes("5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb",
                    secrets.seal.b, 32);
    secrets.transport = secrets.seal;
    tcn_secrets_publics(&secrets, &publics);
    assert_memory_equal(publics.seal.b, expected.ptr, 32);
    assert_memory_equal(publics.transport.b, expected.ptr, 32);
    tcn_secrets_fini(&secrets);
}

static void test_unusable_box_keys(void **state)
{
    (void)state;
    /* The points of order 1, 2, 4 and 8 as bytes, and two of them not reduced. */
    const char *small[] = {
        "0000000000000000000000000000000000000000000000000000000000000000",
        "0100000000000000000000000000000000000000000000000000000000000000",
        "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
        "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    };
    for (size_t i = 0; i < COUNT(small); i++) {
        tcn_box_public key;
        assert_int_equal(tcn_unhex(small[i], key.b, sizeof(key.b)), TCN_OK);
        assert_false(tcn_box_public_is_usable(&key));
    }
}

/* ---- names ---- */

static void test_kid(void **state)
{
    (void)state;
    tcn_sign_public key;
    (void)hex_bytes(rfc8032[0].key, key.b, sizeof(key.b));
    tcn_id kid = tcn_kid(&key);
    /* sha256sum of the 32 bytes. */
    assert_true(tcn_bytes_equal(tcn_bytes_of(kid.b, 16), HEX("21fe31dfa154a261626bf854046fd227")));
}

static void test_audience_mark(void **state)
{
    (void)state;
    tcn_id alert, audience;
    for (uint8_t i = 0; i < 16; i++) {
        alert.b[i] = i;
        audience.b[i] = (uint8_t)(0xf0 + i);
    }
    /* b2sum -l 128 of the 32 bytes. */
    tcn_id mark = tcn_audience_mark(&alert, &audience);
    assert_true(tcn_bytes_equal(tcn_bytes_of(mark.b, 16), HEX("b9356b11f72b7503298501be3ecc2464")));
    tcn_id swapped = tcn_audience_mark(&audience, &alert);
    assert_false(tcn_id_equal(&mark, &swapped));
}

static void test_z85(void **state)
{
    (void)state;
    char text[41];
    tcn_box_public key;
    /* RFC 32's test case is 8 bytes: four of them are a key. */
    for (size_t i = 0; i < 32; i += 8)
        (void)hex_bytes("864fd26fb559f75b", key.b + i, 8);
    tcn_z85(&key, text);
    assert_string_equal(text, "HelloWorldHelloWorldHelloWorldHelloWorld");
    /* The client and server keys of libzmq's zmq_curve(7). */
    (void)hex_bytes("bb88471d65e2659b30c55a5321cebb5aab2b70a398645c26dca2b2fcb43fc518", key.b, 32);
    tcn_z85(&key, text);
    assert_string_equal(text, "Yne@$w-vo<fVvi]a<NY6T1ed:M$fCG*[IaLV{hID");
    (void)hex_bytes("54fcba24e93249969316fb617c872bb0c1d1ff14800427c594cbfacf1bc2d652", key.b, 32);
    tcn_z85(&key, text);
    assert_string_equal(text, "rq:rM>}U?@Lns47E1%kR.o@n%FcmmsL/@{H8]yf7");
    memset(key.b, 0, sizeof(key.b));
    tcn_z85(&key, text);
    assert_string_equal(text, "0000000000000000000000000000000000000000");
    memset(key.b, 0xff, sizeof(key.b));
    tcn_z85(&key, text);
    assert_string_equal(text, "%nSc0%nSc0%nSc0%nSc0%nSc0%nSc0%nSc0%nSc0");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_init_twice),
        cmocka_unit_test(test_rfc8032),
        cmocka_unit_test(test_any_changed_bit_is_refused),
        cmocka_unit_test(test_s_beyond_the_order_is_refused),
        cmocka_unit_test(test_edge_case_vectors),
        cmocka_unit_test(test_generated_keys_differ_and_work),
        cmocka_unit_test(test_secrets_are_wiped),
        cmocka_unit_test(test_box_publics_are_x25519),
        cmocka_unit_test(test_unusable_box_keys),
        cmocka_unit_test(test_kid),
        cmocka_unit_test(test_audience_mark),
        cmocka_unit_test(test_z85),
    };
    return cmocka_run_group_tests(tests, init, NULL);
}
