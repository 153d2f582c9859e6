/* SPDX-License-Identifier: Apache-2.0 */
#include "libtocsin/cose.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "libtocsin/cbor.h"
#include "tests/support/hex.h"
#include "tests/support/shared_data.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* Two members, always the same: by kid, the first sorts before the second. */
static tcn_sign_secret secret[TCN_MAX_SIGNATURES + 1];
static tcn_sign_public public[TCN_MAX_SIGNATURES + 1];
static tcn_id program = {{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15}};
static const tcn_bytes payload = {(const uint8_t[]){0x82, 0xa1, 1, 2, 0x44, 'b', 'o', 'd', 'y'}, 9};

static int make_keys(void **state)
{
    (void)state;
    if (tcn_keys_init() != TCN_OK)
        return -1;
    for (size_t i = 0; i < COUNT(secret); i++) {
        uint8_t seed[32];
        memset(seed, (int)i + 1, sizeof(seed));
        tcn_sign_from_seed(seed, &secret[i]);
        tcn_sign_public_of(&secret[i], &public[i]);
    }
    return 0;
}

/* The envelope of an independent implementation (Python, its own CBOR and OpenSSL's Ed25519) for
 * payload: an alert signed by secret[0] as publisher and approved by secret[1]. */
static const char golden[] =
    "d862845824a302811003706170706c69636174696f6e2f63626f72106c746f6373696e2f616c6572"
    "74a04982a1010244626f647982835822a4012702813a00010000045034750f98bd59fcfc946da45a"
    "aabe933b3a0001000001a05840a8035b98f7e1113396d554b2c8a8ca41516dfcd440e1f595c2421c"
    "92974592820e616607469057db1a7227f8b6919cdc3a903be96f6e7180679cf0d90619070e835822"
    "a4012702813a0001000004506a3803d5f059902a1c6dafbc9ba472923a0001000002a058407ee349"
    "78599ca379f0b7e5172d2712ccbaf309d94836a6acacac082c8b0fdfb2cb64968683a29577dd5d9e"
    "de4e78101af3c7636199b4023e222a361f895caa0a";

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

static envelope sealed(tcn_object type, tcn_role role)
{
    envelope e;
    assert_int_equal(
        tcn_cose_seal(type, &program, payload, role, &secret[0], e.b, sizeof(e.b), &e.len), TCN_OK);
    return e;
}

static tcn_err decode_alert(const envelope *e)
{
    tcn_cose cose;
    return tcn_cose_decode(bytes_of(e), TCN_OBJECT_ALERT, &cose);
}

/* ---- against others ---- */

static void test_golden(void **state)
{
    (void)state;
    tcn_cose cose;
    envelope expected = from_hex(golden), e;
    tcn_cose_signer signers[2];
    uint8_t header[2][64];
    /* Given in the wrong order: sorted on the way. */
    tcn_cose_sign(TCN_OBJECT_ALERT, &program, payload, TCN_ROLE_APPROVER, &secret[1], &signers[0],
                  header[0]);
    tcn_cose_sign(TCN_OBJECT_ALERT, &program, payload, TCN_ROLE_PUBLISHER, &secret[0], &signers[1],
                  header[1]);
    assert_int_equal(
        tcn_cose_encode(TCN_OBJECT_ALERT, payload, signers, 2, e.b, sizeof(e.b), &e.len), TCN_OK);
    assert_true(tcn_bytes_equal(bytes_of(&e), bytes_of(&expected)));

    assert_int_equal(tcn_cose_decode(bytes_of(&expected), TCN_OBJECT_ALERT, &cose), TCN_OK);
    assert_int_equal(cose.type, TCN_OBJECT_ALERT);
    assert_true(tcn_bytes_equal(cose.payload, payload));
    assert_int_equal(cose.signers, 2);
    for (unsigned i = 0; i < 2; i++) {
        tcn_id kid = tcn_kid(&public[i]);
        assert_true(tcn_id_equal(&cose.signer[i].kid, &kid));
        assert_int_equal(cose.signer[i].role, i == 0 ? TCN_ROLE_PUBLISHER : TCN_ROLE_APPROVER);
        assert_int_equal(tcn_cose_check(&cose, i, &program, &public[i]), TCN_OK);
        assert_int_equal(tcn_cose_check(&cose, i, &program, &public[1 - i]), TCN_BAD_SIGNATURE);
    }
}

static json_t *load(const char *name)
{
    uint8_t *text;
    size_t len;
    char *path = shared_data_path(name);
    assert_true(shared_data_read(path, &text, &len));
    free(path);
    json_t *json = json_loadb((char *)text, len, JSON_REJECT_DUPLICATES, NULL);
    free(text);
    assert_non_null(json);
    return json;
}

static tcn_bytes hex_at(const json_t *json, const char *key, envelope *memory)
{
    const char *text = json_string_value(json_object_get(json, key));
    assert_non_null(text);
    *memory = from_hex(text);
    return bytes_of(memory);
}

/* cose-wg's COSE_Sign example: another profile (kid unprotected, no typ), the same algorithm. */
static void test_foreign_cose_sign(void **state)
{
    (void)state;
    SHARED_DATA_OR_SKIP();
    json_t *example = load("cose/eddsa-01.json");
    envelope whole, published, key_memory, tbs;
    const json_t *intermediates = json_object_get(example, "intermediates");
    const json_t *sign = json_object_get(json_object_get(example, "input"), "sign");
    const json_t *to_be_signed = json_array_get(json_object_get(intermediates, "signers"), 0);
    const json_t *key_json =
        json_object_get(json_array_get(json_object_get(sign, "signers"), 0), "key");
    tcn_bytes input = hex_at(json_object_get(example, "output"), "cbor", &whole);
    (void)hex_at(to_be_signed, "ToBeSign_hex", &published);
    tcn_bytes key_bytes = hex_at(key_json, "x_hex", &key_memory);

    tcn_cbor_reader r;
    tcn_cbor_reader_init(&r, input);
    assert_int_equal(tcn_cbor_get_tag(&r), 98);
    assert_int_equal(tcn_cbor_get_array(&r, 4), 4);
    tcn_bytes body = tcn_cbor_get_bytes(&r, 64);
    assert_int_equal(tcn_cbor_get_map(&r, 0), 0);
    tcn_bytes content = tcn_cbor_get_bytes(&r, 64);
    assert_int_equal(tcn_cbor_get_array(&r, 1), 1);
    assert_int_equal(tcn_cbor_get_array(&r, 3), 3);
    tcn_bytes signer = tcn_cbor_get_bytes(&r, 64);
    (void)tcn_cbor_get_item(&r);
    tcn_bytes signature_bytes = tcn_cbor_get_bytes(&r, 64);
    assert_int_equal(tcn_cbor_reader_done(&r), TCN_OK);
    assert_int_equal(signature_bytes.len, 64);

    assert_int_equal(
        tcn_cose_tbs(body, signer, (tcn_bytes){NULL, 0}, content, tbs.b, sizeof(tbs.b), &tbs.len),
        TCN_OK);
    assert_true(tcn_bytes_equal(bytes_of(&tbs), bytes_of(&published)));
    tcn_sign_public key;
    tcn_signature signature;
    memcpy(key.b, key_bytes.ptr, sizeof(key.b));
    memcpy(signature.b, signature_bytes.ptr, sizeof(signature.b));
    assert_true(tcn_verify(&key, bytes_of(&tbs), &signature));
    tbs.b[tbs.len - 1] ^= 1;
    assert_false(tcn_verify(&key, bytes_of(&tbs), &signature));

    /* As an envelope of ours it is nothing. */
    assert_int_equal(decode_alert(&whole), TCN_MALFORMED);
    json_decref(example);
}

/* COSE_Sign1 is no part of the profile; its example still says what EdDSA is. */
static void test_foreign_cose_sign1(void **state)
{
    (void)state;
    SHARED_DATA_OR_SKIP();
    json_t *example = load("cose/eddsa-sig-01.json");
    const json_t *input = json_object_get(json_object_get(example, "input"), "sign0");
    envelope whole, tbs, seed, key_memory;
    tcn_sign_secret signer;
    tcn_sign_public key;
    tcn_signature signature;
    (void)hex_at(json_object_get(example, "output"), "cbor", &whole);
    (void)hex_at(json_object_get(example, "intermediates"), "ToBeSign_hex", &tbs);
    (void)hex_at(json_object_get(input, "key"), "d_hex", &seed);
    (void)hex_at(json_object_get(input, "key"), "x_hex", &key_memory);
    tcn_sign_from_seed(seed.b, &signer);
    tcn_sign_public_of(&signer, &key);
    assert_memory_equal(key.b, key_memory.b, sizeof(key.b));
    tcn_sign(&signer, bytes_of(&tbs), &signature);
    assert_memory_equal(whole.b + whole.len - 64, signature.b, 64);
    assert_int_equal(decode_alert(&whole), TCN_MALFORMED);
    json_decref(example);
}

/* ---- what a signature binds ---- */

static void test_every_type_and_role(void **state)
{
    (void)state;
    static const tcn_object types[] = {
#define X(name, number, word) TCN_OBJECT_##name,
        TCN_OBJECT_TABLE(X)
#undef X
    };
    static const tcn_role roles[] = {
#define X(name, bit, word) TCN_ROLE_##name,
        TCN_ROLE_TABLE(X)
#undef X
    };
    for (size_t t = 0; t < COUNT(types); t++) {
        for (size_t r = 0; r < COUNT(roles); r++) {
            tcn_cose cose;
            tcn_object type;
            envelope e = sealed(types[t], roles[r]);
            assert_int_equal(tcn_cose_type(bytes_of(&e), &type), TCN_OK);
            assert_int_equal(type, types[t]);
            for (size_t other = 0; other < COUNT(types); other++)
                assert_int_equal(tcn_cose_decode(bytes_of(&e), types[other], &cose),
                                 other == t ? TCN_OK : TCN_WRONG_TYPE);
            assert_int_equal(tcn_cose_decode(bytes_of(&e), types[t], &cose), TCN_OK);
            assert_int_equal(cose.signer[0].role, roles[r]);
            assert_true(tcn_cose_verify(&cose, 0, &program, &public[0]));
            assert_int_equal(tcn_cbor_check(bytes_of(&e), 8), TCN_OK);
        }
    }
}

static void test_another_program(void **state)
{
    (void)state;
    tcn_cose cose;
    envelope e = sealed(TCN_OBJECT_ALERT, TCN_ROLE_PUBLISHER);
    tcn_id other = program;
    other.b[15] ^= 1;
    assert_int_equal(tcn_cose_decode(bytes_of(&e), TCN_OBJECT_ALERT, &cose), TCN_OK);
    assert_true(tcn_cose_verify(&cose, 0, &program, &public[0]));
    assert_false(tcn_cose_verify(&cose, 0, &other, &public[0]));
}

/* A signature made for one type, role or payload under the headers of another. */
static void test_a_signature_moved_elsewhere(void **state)
{
    (void)state;
    const struct {
        tcn_object type;
        tcn_role role;
    } made[] = {{TCN_OBJECT_ALERT, TCN_ROLE_APPROVER},
                {TCN_OBJECT_APPROVAL, TCN_ROLE_PUBLISHER},
                {TCN_OBJECT_ACK, TCN_ROLE_PUBLISHER},
                {TCN_OBJECT_ALERT, TCN_ROLE_NODE}};
    for (size_t i = 0; i < COUNT(made); i++) {
        tcn_cose cose, from;
        envelope to = sealed(TCN_OBJECT_ALERT, TCN_ROLE_PUBLISHER);
        envelope e = sealed(made[i].type, made[i].role);
        assert_int_equal(tcn_cose_decode(bytes_of(&to), TCN_OBJECT_ALERT, &cose), TCN_OK);
        assert_int_equal(tcn_cose_decode(bytes_of(&e), made[i].type, &from), TCN_OK);
        assert_true(tcn_cose_verify(&from, 0, &program, &public[0]));
        assert_true(tcn_cose_verify(&cose, 0, &program, &public[0]));
        cose.signer[0].signature = from.signer[0].signature;
        assert_false(tcn_cose_verify(&cose, 0, &program, &public[0]));
    }
}

/* An approval says "approval" where a publisher's signature says "alert", so that neither role nor
 * header alone keeps them apart. */
static void test_approval_signs_its_own_aad(void **state)
{
    (void)state;
    tcn_cose cose;
    envelope e = from_hex(golden), tbs;
    uint8_t aad[64];
    const struct {
        const char *word;
        bool publisher, approver;
    } words[] = {{"alert", true, false}, {"approval", false, true}};
    assert_int_equal(tcn_cose_decode(bytes_of(&e), TCN_OBJECT_ALERT, &cose), TCN_OK);
    for (size_t i = 0; i < COUNT(words); i++) {
        tcn_buf buf;
        tcn_buf_init(&buf, sizeof(aad));
        assert_int_equal(tcn_buf_append(&buf, tcn_bytes_str("tocsin/1/")), TCN_OK);
        assert_int_equal(tcn_buf_append(&buf, tcn_bytes_str(words[i].word)), TCN_OK);
        assert_int_equal(tcn_buf_append(&buf, tcn_bytes_of(program.b, 16)), TCN_OK);
        for (unsigned s = 0; s < 2; s++) {
            assert_int_equal(tcn_cose_tbs(cose.protected_header, cose.signer[s].protected_header,
                                          tcn_buf_bytes(&buf), payload, tbs.b, sizeof(tbs.b),
                                          &tbs.len),
                             TCN_OK);
            assert_int_equal(tcn_verify(&public[s], bytes_of(&tbs), &cose.signer[s].signature),
                             s == 0 ? words[i].publisher : words[i].approver);
        }
        tcn_buf_fini(&buf);
    }
}

static void test_every_bit_of_an_envelope_counts(void **state)
{
    (void)state;
    envelope e = from_hex(golden);
    for (size_t bit = 0; bit < 8 * e.len; bit++) {
        tcn_cose cose;
        e.b[bit / 8] ^= (uint8_t)(1u << bit % 8);
        bool good = tcn_cose_decode(bytes_of(&e), TCN_OBJECT_ALERT, &cose) == TCN_OK;
        for (unsigned i = 0; good && i < cose.signers; i++)
            good = tcn_cose_verify(&cose, i, &program, &public[i]);
        if (good)
            fail_msg("bit %zu of byte %zu may change", bit % 8, bit / 8);
        e.b[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    assert_int_equal(decode_alert(&e), TCN_OK);
}

static void test_truncated_and_trailing(void **state)
{
    (void)state;
    envelope e = from_hex(golden);
    for (size_t len = 0; len < e.len; len++) {
        tcn_cose cose;
        uint8_t *copy;
        assert_int_equal(tcn_bytes_copy(tcn_bytes_of(e.b, len), &copy), TCN_OK);
        assert_int_equal(tcn_cose_decode(tcn_bytes_of(copy, len), TCN_OBJECT_ALERT, &cose),
                         TCN_MALFORMED);
        free(copy);
    }
    e.b[e.len++] = 0;
    assert_int_equal(decode_alert(&e), TCN_MALFORMED);
}

/* ---- payload and signers ---- */

/* The places in golden where the parts begin. */
#define PAYLOAD_AT 42
#define SIGNERS_AT 52
#define SIGNER_BYTES 104

static void test_payload_must_be_there(void **state)
{
    (void)state;
    envelope e = from_hex(golden);
    assert_int_equal(e.b[PAYLOAD_AT], 0x49);
    e.b[PAYLOAD_AT] = 0xf6; /* detached: null */
    memmove(e.b + PAYLOAD_AT + 1, e.b + SIGNERS_AT, e.len - SIGNERS_AT);
    e.len -= SIGNERS_AT - PAYLOAD_AT - 1;
    assert_int_equal(decode_alert(&e), TCN_MALFORMED);
    e = from_hex(golden);
    e.b[PAYLOAD_AT] = 0x69; /* a text */
    assert_int_equal(decode_alert(&e), TCN_MALFORMED);
}

/* count signers of golden, the i-th of which is golden's which[i]. */
static envelope with_signers(const unsigned *which, unsigned count)
{
    static envelope from;
    envelope e;
    from = from_hex(golden);
    assert_int_equal(from.b[SIGNERS_AT], 0x82);
    assert_int_equal(from.len, SIGNERS_AT + 1 + 2 * SIGNER_BYTES);
    memcpy(e.b, from.b, SIGNERS_AT);
    e.b[SIGNERS_AT] = (uint8_t)(0x80 + count);
    e.len = SIGNERS_AT + 1;
    for (unsigned i = 0; i < count && e.len + SIGNER_BYTES <= sizeof(e.b); i++) {
        memcpy(e.b + e.len, from.b + SIGNERS_AT + 1 + SIGNER_BYTES * which[i], SIGNER_BYTES);
        e.len += SIGNER_BYTES;
    }
    return e;
}

static void test_signers_are_sorted_and_unique(void **state)
{
    (void)state;
    envelope e = with_signers((const unsigned[]){0, 1}, 2);
    assert_int_equal(decode_alert(&e), TCN_OK);
    e = with_signers((const unsigned[]){1}, 1);
    assert_int_equal(decode_alert(&e), TCN_OK);
    e = with_signers((const unsigned[]){1, 0}, 2);
    assert_int_equal(decode_alert(&e), TCN_MALFORMED);
    e = with_signers((const unsigned[]){0, 0}, 2);
    assert_int_equal(decode_alert(&e), TCN_MALFORMED);
    e = with_signers((const unsigned[]){0, 1, 1}, 3);
    assert_int_equal(decode_alert(&e), TCN_MALFORMED);
    e = with_signers(NULL, 0);
    assert_int_equal(decode_alert(&e), TCN_MALFORMED);
    /* One kid in two roles is still one member. */
    tcn_cose_signer signers[2];
    uint8_t header[2][64];
    tcn_cose_sign(TCN_OBJECT_ALERT, &program, payload, TCN_ROLE_PUBLISHER, &secret[0], &signers[0],
                  header[0]);
    tcn_cose_sign(TCN_OBJECT_ALERT, &program, payload, TCN_ROLE_APPROVER, &secret[0], &signers[1],
                  header[1]);
    assert_int_equal(
        tcn_cose_encode(TCN_OBJECT_ALERT, payload, signers, 2, e.b, sizeof(e.b), &e.len),
        TCN_CONFLICT);
}

static void test_number_of_signatures(void **state)
{
    (void)state;
    static uint8_t memory[4096];
    tcn_cose cose;
    tcn_cose_signer signers[TCN_MAX_SIGNATURES + 1];
    uint8_t header[TCN_MAX_SIGNATURES + 1][64];
    size_t len = 0;
    for (size_t i = 0; i < COUNT(signers); i++)
        tcn_cose_sign(TCN_OBJECT_ALERT, &program, payload, TCN_ROLE_APPROVER, &secret[i],
                      &signers[i], header[i]);
    assert_int_equal(tcn_cose_encode(TCN_OBJECT_ALERT, payload, signers, TCN_MAX_SIGNATURES, memory,
                                     sizeof(memory), &len),
                     TCN_OK);
    assert_int_equal(tcn_cose_decode(tcn_bytes_of(memory, len), TCN_OBJECT_ALERT, &cose), TCN_OK);
    assert_int_equal(cose.signers, TCN_MAX_SIGNATURES);
    for (unsigned i = 1; i < cose.signers; i++)
        assert_true(memcmp(cose.signer[i - 1].kid.b, cose.signer[i].kid.b, 16) < 0);
    assert_int_equal(tcn_cose_encode(TCN_OBJECT_ALERT, payload, signers, TCN_MAX_SIGNATURES + 1,
                                     memory, sizeof(memory), &len),
                     TCN_TOO_LARGE);
    assert_int_equal(
        tcn_cose_encode(TCN_OBJECT_ALERT, payload, signers, 0, memory, sizeof(memory), &len),
        TCN_INVALID);
    /* Nine on the wire: the count alone is refused. */
    envelope e = with_signers((const unsigned[]){0, 1, 1, 1, 1, 1, 1, 1, 1}, 9);
    assert_int_equal(decode_alert(&e), TCN_TOO_LARGE);
}

/* ---- encoding ---- */

static void test_decoded_encodes_to_the_same(void **state)
{
    (void)state;
    tcn_cose cose;
    envelope e = from_hex(golden), again;
    assert_int_equal(tcn_cose_decode(bytes_of(&e), TCN_OBJECT_ALERT, &cose), TCN_OK);
    assert_int_equal(tcn_cose_encode(cose.type, cose.payload, cose.signer, cose.signers, again.b,
                                     sizeof(again.b), &again.len),
                     TCN_OK);
    assert_true(tcn_bytes_equal(bytes_of(&e), bytes_of(&again)));
    for (size_t cap = 0; cap < e.len; cap++)
        assert_int_equal(tcn_cose_encode(cose.type, cose.payload, cose.signer, cose.signers,
                                         again.b, cap, &again.len),
                         TCN_TOO_LARGE);
    assert_int_equal(again.len, e.len); /* written only on success */
}

static void test_a_signer_on_its_own(void **state)
{
    (void)state;
    tcn_cose_signer signer, read;
    uint8_t header[64];
    envelope e;
    tcn_cose_sign(TCN_OBJECT_ALERT, &program, payload, TCN_ROLE_APPROVER, &secret[1], &signer,
                  header);
    assert_int_equal(tcn_cose_signer_encode(&signer, e.b, sizeof(e.b), &e.len), TCN_OK);
    assert_int_equal(e.len, SIGNER_BYTES);
    assert_int_equal(tcn_cose_signer_decode(bytes_of(&e), &read), TCN_OK);
    assert_true(tcn_id_equal(&read.kid, &signer.kid));
    assert_int_equal(read.role, TCN_ROLE_APPROVER);
    assert_memory_equal(read.signature.b, signer.signature.b, 64);
    assert_true(tcn_bytes_equal(read.protected_header, signer.protected_header));
    for (size_t len = 0; len < e.len; len++) {
        uint8_t *copy;
        size_t unused;
        assert_int_equal(tcn_bytes_copy(tcn_bytes_of(e.b, len), &copy), TCN_OK);
        assert_int_equal(tcn_cose_signer_decode(tcn_bytes_of(copy, len), &read), TCN_MALFORMED);
        assert_int_equal(tcn_cose_signer_encode(&signer, copy, len, &unused), TCN_TOO_LARGE);
        free(copy);
    }
    e.b[e.len++] = 0;
    assert_int_equal(tcn_cose_signer_decode(bytes_of(&e), &read), TCN_MALFORMED);
    signer.role = TCN_ROLE_PUBLISHER;
    assert_int_equal(tcn_cose_signer_encode(&signer, e.b, sizeof(e.b), &e.len), TCN_INVALID);
}

static void test_encode_refuses_what_decode_would(void **state)
{
    (void)state;
    tcn_cose cose;
    envelope e = from_hex(golden), again;
    assert_int_equal(tcn_cose_decode(bytes_of(&e), TCN_OBJECT_ALERT, &cose), TCN_OK);
    tcn_cose_signer wrong[] = {cose.signer[0], cose.signer[0], cose.signer[0]};
    wrong[0].role = TCN_ROLE_OPERATOR;
    wrong[1].kid.b[0] ^= 1;
    wrong[2].protected_header = HEX("a0");
    for (size_t i = 0; i < COUNT(wrong); i++)
        assert_int_equal(tcn_cose_encode(TCN_OBJECT_ALERT, payload, &wrong[i], 1, again.b,
                                         sizeof(again.b), &again.len),
                         TCN_INVALID);
}

static void test_payloads_of_any_size(void **state)
{
    (void)state;
    /* Around what fits the stack, and a bundle's. */
    const size_t sizes[] = {0, 1, TCN_MAX_ENVELOPE_BYTES, TCN_MAX_ENVELOPE_BYTES + 1,
                            TCN_MAX_BUNDLE_BYTES};
    uint8_t *content = calloc(1, TCN_MAX_BUNDLE_BYTES);
    uint8_t *memory = malloc(TCN_MAX_BUNDLE_BYTES + 1024);
    assert_true(content != NULL && memory != NULL);
    for (size_t i = 0; i < COUNT(sizes); i++) {
        tcn_cose cose;
        size_t len = 0;
        assert_int_equal(tcn_cose_seal(TCN_OBJECT_BUNDLE, &program, tcn_bytes_of(content, sizes[i]),
                                       TCN_ROLE_AUTHORITY, &secret[0], memory,
                                       TCN_MAX_BUNDLE_BYTES + 1024, &len),
                         TCN_OK);
        assert_int_equal(tcn_cose_decode(tcn_bytes_of(memory, len), TCN_OBJECT_BUNDLE, &cose),
                         TCN_OK);
        assert_int_equal(cose.payload.len, sizes[i]);
        assert_int_equal(tcn_cose_check(&cose, 0, &program, &public[0]), TCN_OK);
        if (sizes[i] > 0) {
            memory[len / 2 < sizes[i] ? len / 2 : 60] ^= 1;
            assert_int_equal(tcn_cose_check(&cose, 0, &program, &public[0]), TCN_BAD_SIGNATURE);
        }
    }
    free(content);
    free(memory);
}

/* ---- roles ---- */

static void test_roles(void **state)
{
    (void)state;
    char text[64];
    unsigned roles = 0;
    assert_int_equal(tcn_roles_parse("publisher,approver", &roles), TCN_OK);
    assert_int_equal(roles, TCN_ROLE_PUBLISHER | TCN_ROLE_APPROVER);
    assert_int_equal(tcn_roles_parse("node", &roles), TCN_OK);
    assert_int_equal(roles, TCN_ROLE_NODE);
    assert_int_equal(tcn_roles_parse("node,node", &roles), TCN_OK);
    const char *bad[] = {"", ",", "node,", ",node", "node,,broker", "Node", "node ", "nodes", "x"};
    for (size_t i = 0; i < COUNT(bad); i++) {
        roles = 77;
        assert_int_equal(tcn_roles_parse(bad[i], &roles), TCN_INVALID);
        assert_int_equal(roles, 77);
    }
    tcn_roles_text(0x3f, text, sizeof(text));
    assert_string_equal(text, "publisher,approver,node,operator,broker,authority");
    assert_int_equal(tcn_roles_parse(text, &roles), TCN_OK);
    assert_int_equal(roles, 0x3f);
    tcn_roles_text(TCN_ROLE_NODE | 0x80000000u, text, sizeof(text));
    assert_string_equal(text, "node");
    tcn_roles_text(0, text, sizeof(text));
    assert_string_equal(text, "");
    tcn_roles_text(3, text, 12);
    assert_string_equal(text, "publisher");
    assert_string_equal(tcn_role_word(TCN_ROLE_BROKER), "broker");
    assert_null(tcn_role_word(0));
    assert_null(tcn_role_word(3));
    assert_null(tcn_role_word(64));
    assert_string_equal(tcn_object_word(TCN_OBJECT_KEY_RELEASE), "key-release");
    assert_null(tcn_object_word((tcn_object)0));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_golden),
        cmocka_unit_test(test_foreign_cose_sign),
        cmocka_unit_test(test_foreign_cose_sign1),
        cmocka_unit_test(test_every_type_and_role),
        cmocka_unit_test(test_another_program),
        cmocka_unit_test(test_a_signature_moved_elsewhere),
        cmocka_unit_test(test_approval_signs_its_own_aad),
        cmocka_unit_test(test_every_bit_of_an_envelope_counts),
        cmocka_unit_test(test_truncated_and_trailing),
        cmocka_unit_test(test_payload_must_be_there),
        cmocka_unit_test(test_signers_are_sorted_and_unique),
        cmocka_unit_test(test_number_of_signatures),
        cmocka_unit_test(test_decoded_encodes_to_the_same),
        cmocka_unit_test(test_a_signer_on_its_own),
        cmocka_unit_test(test_encode_refuses_what_decode_would),
        cmocka_unit_test(test_payloads_of_any_size),
        cmocka_unit_test(test_roles),
    };
    return cmocka_run_group_tests(tests, make_keys, NULL);
}
