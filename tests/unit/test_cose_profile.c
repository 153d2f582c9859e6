/* SPDX-License-Identifier: Apache-2.0 */
/* What is good COSE, correctly signed by its signer, and still not Tocsin's profile of cose.h. */
#include "libtocsin/cose.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "libtocsin/cbor.h"
#include "tests/support/hex.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static tcn_sign_secret secret;
static tcn_sign_public public;
static const tcn_id program = {{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15}};
static const tcn_bytes payload = {(const uint8_t[]){0x82, 0xa1, 1, 2, 0x44, 'b', 'o', 'd', 'y'}, 9};

static int make_key(void **state)
{
    (void)state;
    uint8_t seed[32];
    memset(seed, 1, sizeof(seed));
    if (tcn_keys_init() != TCN_OK)
        return -1;
    tcn_sign_from_seed(seed, &secret);
    tcn_sign_public_of(&secret, &public);
    return 0;
}

typedef struct {
    uint8_t b[1024];
    size_t len;
} envelope;

static tcn_bytes bytes_of(const envelope *e)
{
    return tcn_bytes_of(e->b, e->len);
}

static envelope from_hex(const char *text)
{
    envelope e;
    e.len = hex_bytes(text, e.b, sizeof(e.b)).len;
    return e;
}

static tcn_err decode_alert(const envelope *e)
{
    tcn_cose cose;
    return tcn_cose_decode(bytes_of(e), TCN_OBJECT_ALERT, &cose);
}

#define BODY "a3 0281 10 0370 6170706c69636174696f6e2f63626f72 10 6c 746f6373696e2f616c657274"
#define KID "34750f98bd59fcfc946da45aaabe933b"
#define SIGNER "a4 0127 02813a00010000 0450" KID "3a00010000 01"

/* Parts of an envelope with one signer, as hex of encoded CBOR; headers without their bstr. */
typedef struct {
    const char *before, *body, *unprotected, *signer, *signer_unprotected;
} parts;

static const parts usual = {"d862 84", BODY, "a0", SIGNER, "a0"};

/* Signs what the parts say: only the shape can be wrong. */
static envelope built(const parts *p)
{
    envelope e, tbs, aad, body = from_hex(p->body), signer = from_hex(p->signer), raw;
    tcn_signature signature;
    tcn_cbor_writer w;
    tcn_bytes all;
    aad = from_hex("746f6373696e2f312f 616c657274 000102030405060708090a0b0c0d0e0f");
    assert_int_equal(tcn_cose_tbs(bytes_of(&body), bytes_of(&signer), bytes_of(&aad), payload,
                                  tbs.b, sizeof(tbs.b), &tbs.len),
                     TCN_OK);
    tcn_sign(&secret, bytes_of(&tbs), &signature);
    tcn_cbor_writer_init(&w, e.b, sizeof(e.b));
    raw = from_hex(p->before);
    tcn_cbor_put_raw(&w, bytes_of(&raw));
    tcn_cbor_put_bytes(&w, bytes_of(&body));
    raw = from_hex(p->unprotected);
    tcn_cbor_put_raw(&w, bytes_of(&raw));
    tcn_cbor_put_bytes(&w, payload);
    tcn_cbor_put_array(&w, 1);
    tcn_cbor_put_array(&w, 3);
    tcn_cbor_put_bytes(&w, bytes_of(&signer));
    raw = from_hex(p->signer_unprotected);
    tcn_cbor_put_raw(&w, bytes_of(&raw));
    tcn_cbor_put_bytes(&w, tcn_bytes_of(signature.b, sizeof(signature.b)));
    assert_int_equal(tcn_cbor_writer_done(&w, &all), TCN_OK);
    e.len = all.len;
    return e;
}

static void test_built_as_usual_is_good(void **state)
{
    (void)state;
    tcn_cose cose;
    envelope e = built(&usual), same;
    assert_int_equal(tcn_cose_seal(TCN_OBJECT_ALERT, &program, payload, TCN_ROLE_PUBLISHER, &secret,
                                   same.b, sizeof(same.b), &same.len),
                     TCN_OK);
    assert_true(tcn_bytes_equal(bytes_of(&e), bytes_of(&same)));
    assert_int_equal(tcn_cose_decode(bytes_of(&e), TCN_OBJECT_ALERT, &cose), TCN_OK);
    assert_true(tcn_cose_verify(&cose, 0, &program, &public));
}

static void refuse(const char *what, const parts *p)
{
    envelope e = built(p);
    if (decode_alert(&e) != TCN_MALFORMED)
        fail_msg("accepted: %s", what);
}

static void test_other_tags_and_arrays(void **state)
{
    (void)state;
    const char *before[] = {"84",           "d2 84",     "d861 84",   "d862 85",   "d862 83",
                            "d862 d862 84", "d90062 84", "d862 9804", "c0 d862 84"};
    for (size_t i = 0; i < COUNT(before); i++) {
        parts p = usual;
        p.before = before[i];
        refuse(before[i], &p);
    }
}

static void test_other_body_headers(void **state)
{
    (void)state;
    const struct {
        const char *what, *hex;
    } bodies[] = {
        {"empty", ""},
        {"empty map", "a0"},
        {"no crit", "a2 0370 6170706c69636174696f6e2f63626f72 106c 746f6373696e2f616c657274"},
        {"crit of another label",
         "a3 028103 0370 6170706c69636174696f6e2f63626f72 106c 746f6373696e2f616c657274"},
        {"crit with one more",
         "a3 02821003 0370 6170706c69636174696f6e2f63626f72 106c 746f6373696e2f616c657274"},
        {"empty crit",
         "a3 0280 0370 6170706c69636174696f6e2f63626f72 106c 746f6373696e2f616c657274"},
        {"no content type", "a2 028110 106c 746f6373696e2f616c657274"},
        {"another content type", "a3 028110 0378 6170706c69636174696f6e2f6a736f6e31 106c "
                                 "746f6373696e2f616c657274"},
        {"content type as a number", "a3 028110 03183c 106c 746f6373696e2f616c657274"},
        {"no typ", "a2 028110 0370 6170706c69636174696f6e2f63626f72"},
        {"an unknown typ",
         "a3 028110 0370 6170706c69636174696f6e2f63626f72 106c 746f6373696e2f616c657278"},
        {"another scheme",
         "a3 028110 0370 6170706c69636174696f6e2f63626f72 106c 746f6373786e2f616c657274"},
        {"a typ in capitals",
         "a3 028110 0370 6170706c69636174696f6e2f63626f72 106c 746f6373696e2f416c657274"},
        {"a further label",
         "a4 028110 0370 6170706c69636174696f6e2f63626f72 106c 746f6373696e2f616c657274 1100"},
        {"labels unsorted",
         "a3 0370 6170706c69636174696f6e2f63626f72 028110 106c 746f6373696e2f616c657274"},
        {"a label twice",
         "a4 028110 028110 0370 6170706c69636174696f6e2f63626f72 106c 746f6373696e2f616c657274"},
        {"a long form",
         "a3 028110 0370 6170706c69636174696f6e2f63626f72 10780c 746f6373696e2f616c657274"},
        {"trailing bytes", BODY "00"},
    };
    for (size_t i = 0; i < COUNT(bodies); i++) {
        parts p = usual;
        p.body = bodies[i].hex;
        refuse(bodies[i].what, &p);
    }
}

static void test_other_signer_headers(void **state)
{
    (void)state;
    const struct {
        const char *what, *hex;
    } signers[] = {
        {"empty", ""},
        {"alg ES256", "a4 0126 02813a00010000 0450" KID "3a00010000 01"},
        {"alg Ed25519 of RFC 9864", "a4 0132 02813a00010000 0450" KID "3a00010000 01"},
        {"no alg", "a3 02813a00010000 0450" KID "3a00010000 01"},
        {"no crit", "a3 0127 0450" KID "3a00010000 01"},
        {"crit of alg", "a4 0127 028101 0450" KID "3a00010000 01"},
        {"no kid", "a3 0127 02813a00010000 3a00010000 01"},
        {"a short kid", "a4 0127 02813a00010000 044f34750f98bd59fcfc946da45aaabe93 3a00010000 01"},
        {"a long kid", "a4 0127 02813a00010000 0451" KID "00 3a00010000 01"},
        {"kid as text",
         "a4 0127 02813a00010000 0470 61616161616161616161616161616161 3a00010000 01"},
        {"no role", "a3 0127 02813a00010000 0450" KID},
        {"no role and no crit", "a2 0127 0450" KID},
        {"role 0", "a4 0127 02813a00010000 0450" KID "3a00010000 00"},
        {"two roles", "a4 0127 02813a00010000 0450" KID "3a00010000 03"},
        {"role 64", "a4 0127 02813a00010000 0450" KID "3a00010000 1840"},
        {"role 2^32 + 1", "a4 0127 02813a00010000 0450" KID "3a00010000 1b0000000100000001"},
        {"role -2", "a4 0127 02813a00010000 0450" KID "3a00010000 21"},
        {"role in a long form", "a4 0127 02813a00010000 0450" KID "3a00010000 1801"},
        {"another role label", "a4 0127 02813a00010001 0450" KID "3a00010001 01"},
        {"a further label", "a5 0127 02813a00010000 0450" KID "0500 3a00010000 01"},
        {"labels unsorted", "a4 0450" KID "0127 02813a00010000 3a00010000 01"},
        {"trailing bytes", SIGNER "00"},
    };
    for (size_t i = 0; i < COUNT(signers); i++) {
        parts p = usual;
        p.signer = signers[i].hex;
        refuse(signers[i].what, &p);
    }
}

static void test_unprotected_maps_are_empty(void **state)
{
    (void)state;
    const char *maps[] = {"a1 00 00", "a1 04 42 3131", "80", "f6", "b800", "40", "bfff"};
    for (size_t i = 0; i < COUNT(maps); i++) {
        parts body = usual, signer = usual;
        body.unprotected = signer.signer_unprotected = maps[i];
        refuse("unprotected of the body", &body);
        refuse("unprotected of the signer", &signer);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_built_as_usual_is_good),
        cmocka_unit_test(test_other_tags_and_arrays),
        cmocka_unit_test(test_other_body_headers),
        cmocka_unit_test(test_other_signer_headers),
        cmocka_unit_test(test_unprotected_maps_are_empty),
    };
    return cmocka_run_group_tests(tests, make_key, NULL);
}
