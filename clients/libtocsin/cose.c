/* SPDX-License-Identifier: Apache-2.0 */
/* cose.c - COSE_Sign in Tocsin's one shape. The profile leaves a header no freedom, so headers are
 * not interpreted but made again and compared: what differs in one bit is not Tocsin's. */
#include "cose.h"

#include <stdlib.h>
#include <string.h>

#include "cbor.h"

enum {
    LABEL_ALG = 1,
    LABEL_CRIT = 2,
    LABEL_CONTENT_TYPE = 3,
    LABEL_KID = 4,
    LABEL_TYP = 16,
    LABEL_ROLE = -65537, /* RFC 9052 §1.4: below -65536 is for private use */
    ALG_EDDSA = -8,
    TAG_COSE_SIGN = 98
};

#define CONTENT_TYPE "application/cbor"
#define TYP_PREFIX "tocsin/"
#define AAD_PREFIX "tocsin/1/"
#define HEADER_BYTES 64
#define AAD_BYTES 64

/* Beyond this a Sig_structure is on the heap: only rosters and bundles are that large. */
#define TBS_STACK_BYTES (TCN_MAX_ENVELOPE_BYTES + 512)

const char *tcn_object_word(tcn_object type)
{
    switch (type) {
#define X(name, number, word)                                                                      \
    case TCN_OBJECT_##name: return word;
        TCN_OBJECT_TABLE(X)
#undef X
    }
    return NULL;
}

/* ---- roles ---- */

const char *tcn_role_word(unsigned role)
{
    switch (role) {
#define X(name, bit, word)                                                                         \
    case bit: return word;
        TCN_ROLE_TABLE(X)
#undef X
    default: return NULL;
    }
}

static unsigned role_of_word(tcn_bytes word)
{
#define X(name, bit, text)                                                                         \
    if (tcn_bytes_equal(word, tcn_bytes_str(text)))                                                \
        return bit;
    TCN_ROLE_TABLE(X)
#undef X
    return 0;
}

tcn_err tcn_roles_parse(const char *list, unsigned *ret_roles)
{
    unsigned roles = 0;
    for (;;) {
        size_t len = strcspn(list, ",");
        unsigned role = role_of_word(tcn_bytes_of(list, len));
        if (role == 0)
            return TCN_INVALID;
        roles |= role;
        if (list[len] == '\0')
            break;
        list += len + 1;
    }
    *ret_roles = roles;
    return TCN_OK;
}

void tcn_roles_text(unsigned roles, char *ret_text, size_t size)
{
    size_t len = 0;
    TCN_REQUIRE(size > 0);
    for (unsigned bit = 1; bit != 0 && bit <= roles; bit <<= 1) {
        const char *word = (roles & bit) != 0 ? tcn_role_word(bit) : NULL;
        if (word == NULL)
            continue;
        size_t comma = len > 0, word_len = strlen(word);
        if (len + comma + word_len >= size)
            break;
        if (comma)
            ret_text[len++] = ',';
        memcpy(ret_text + len, word, word_len);
        len += word_len;
    }
    ret_text[len] = '\0';
}

/* ---- headers ---- */

static size_t written(const tcn_cbor_writer *w)
{
    tcn_bytes all = {NULL, 0};
    tcn_err err = tcn_cbor_writer_done(w, &all);
    TCN_REQUIRE(err == TCN_OK); /* fixed content in memory of a fixed, sufficient size */
    return all.len;
}

static size_t body_header(tcn_object type, uint8_t ret_header[static HEADER_BYTES])
{
    char typ[32] = TYP_PREFIX;
    const char *word = tcn_object_word(type);
    TCN_REQUIRE(word != NULL && strlen(TYP_PREFIX) + strlen(word) < sizeof(typ));
    memcpy(typ + strlen(TYP_PREFIX), word, strlen(word) + 1);

    tcn_cbor_writer w;
    tcn_cbor_writer_init(&w, ret_header, HEADER_BYTES);
    tcn_cbor_put_map(&w, 3);
    tcn_cbor_put_uint(&w, LABEL_CRIT);
    tcn_cbor_put_array(&w, 1);
    tcn_cbor_put_uint(&w, LABEL_TYP);
    tcn_cbor_put_uint(&w, LABEL_CONTENT_TYPE);
    tcn_cbor_put_text(&w, CONTENT_TYPE);
    tcn_cbor_put_uint(&w, LABEL_TYP);
    tcn_cbor_put_text(&w, typ);
    return written(&w);
}

static size_t signer_header(const tcn_id *kid, unsigned role,
                            uint8_t ret_header[static HEADER_BYTES])
{
    tcn_cbor_writer w;
    tcn_cbor_writer_init(&w, ret_header, HEADER_BYTES);
    tcn_cbor_put_map(&w, 4);
    tcn_cbor_put_uint(&w, LABEL_ALG);
    tcn_cbor_put_int(&w, ALG_EDDSA);
    tcn_cbor_put_uint(&w, LABEL_CRIT);
    tcn_cbor_put_array(&w, 1);
    tcn_cbor_put_int(&w, LABEL_ROLE);
    tcn_cbor_put_uint(&w, LABEL_KID);
    tcn_cbor_put_id(&w, kid);
    tcn_cbor_put_int(&w, LABEL_ROLE);
    tcn_cbor_put_uint(&w, role);
    return written(&w);
}

/* The type whose body header these bytes are. */
static bool body_header_type(tcn_bytes encoded, tcn_object *ret_type)
{
    static const tcn_object types[] = {
#define X(name, number, word) TCN_OBJECT_##name,
        TCN_OBJECT_TABLE(X)
#undef X
    };
    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
        uint8_t header[HEADER_BYTES];
        size_t len = body_header(types[i], header);
        if (tcn_bytes_equal(encoded, tcn_bytes_of(header, len))) {
            *ret_type = types[i];
            return true;
        }
    }
    return false;
}

/* Takes kid and role out of a signer's header that must be exactly signer_header of the two. */
static bool signer_header_read(tcn_bytes encoded, tcn_id *ret_kid, tcn_role *ret_role)
{
    tcn_cbor_reader r;
    tcn_cbor_reader_init(&r, encoded);
    tcn_cbor_get_map(&r, 4);
    tcn_cbor_get_uint(&r);
    tcn_cbor_get_int(&r);
    tcn_cbor_get_uint(&r);
    tcn_cbor_get_array(&r, 1);
    tcn_cbor_get_int(&r);
    tcn_cbor_get_uint(&r);
    tcn_id kid = tcn_cbor_get_id(&r);
    tcn_cbor_get_int(&r);
    uint64_t role = tcn_cbor_get_uint_max(&r, TCN_ROLE_AUTHORITY);
    if (tcn_cbor_reader_done(&r) != TCN_OK || tcn_role_word((unsigned)role) == NULL)
        return false;

    uint8_t header[HEADER_BYTES];
    size_t len = signer_header(&kid, (unsigned)role, header);
    if (!tcn_bytes_equal(encoded, tcn_bytes_of(header, len)))
        return false;
    *ret_kid = kid;
    *ret_role = (tcn_role)role;
    return true;
}

/* ---- decoding ---- */

static void get_empty_map(tcn_cbor_reader *r)
{
    /* Even one pair is not Tocsin's, however small: malformed rather than too large. */
    if (tcn_cbor_get_map(r, SIZE_MAX) != 0)
        tcn_cbor_fail(r, TCN_MALFORMED);
}

static void get_items(tcn_cbor_reader *r, size_t items)
{
    if (tcn_cbor_get_array(r, SIZE_MAX) != items)
        tcn_cbor_fail(r, TCN_MALFORMED);
}

static void get_signer(tcn_cbor_reader *r, const tcn_cose_signer *previous,
                       tcn_cose_signer *ret_signer)
{
    get_items(r, 3);
    ret_signer->protected_header = tcn_cbor_get_bytes(r, SIZE_MAX);
    get_empty_map(r);
    tcn_bytes signature = tcn_cbor_get_bytes(r, SIZE_MAX);
    if (r->err != TCN_OK)
        return;
    if (signature.len != sizeof(ret_signer->signature.b) ||
        !signer_header_read(ret_signer->protected_header, &ret_signer->kid, &ret_signer->role) ||
        (previous != NULL && memcmp(previous->kid.b, ret_signer->kid.b, sizeof(tcn_id)) >= 0)) {
        tcn_cbor_fail(r, TCN_MALFORMED);
        return;
    }
    memcpy(ret_signer->signature.b, signature.ptr, signature.len);
}

tcn_err tcn_cose_signer_decode(tcn_bytes encoded, tcn_cose_signer *ret_signer)
{
    tcn_cbor_reader r;
    tcn_cose_signer signer;
    tcn_cbor_reader_init(&r, encoded);
    get_signer(&r, NULL, &signer);
    tcn_err err = tcn_cbor_reader_done(&r);
    if (err == TCN_OK)
        *ret_signer = signer;
    return err;
}

static tcn_err decode_any(tcn_bytes envelope, tcn_cose *ret_cose)
{
    tcn_cbor_reader r;
    tcn_cbor_reader_init(&r, envelope);
    if (tcn_cbor_get_tag(&r) != TAG_COSE_SIGN)
        tcn_cbor_fail(&r, TCN_MALFORMED);
    get_items(&r, 4);
    ret_cose->protected_header = tcn_cbor_get_bytes(&r, SIZE_MAX);
    if (!body_header_type(ret_cose->protected_header, &ret_cose->type))
        tcn_cbor_fail(&r, TCN_MALFORMED);
    get_empty_map(&r);
    ret_cose->payload = tcn_cbor_get_bytes(&r, SIZE_MAX);
    ret_cose->signers = (unsigned)tcn_cbor_get_array(&r, TCN_MAX_SIGNATURES);
    if (ret_cose->signers == 0)
        tcn_cbor_fail(&r, TCN_MALFORMED);
    for (unsigned i = 0; i < ret_cose->signers && r.err == TCN_OK; i++)
        get_signer(&r, i > 0 ? &ret_cose->signer[i - 1] : NULL, &ret_cose->signer[i]);
    return tcn_cbor_reader_done(&r);
}

tcn_err tcn_cose_decode(tcn_bytes envelope, tcn_object expected, tcn_cose *ret_cose)
{
    tcn_cose cose;
    tcn_err err = decode_any(envelope, &cose);
    if (err != TCN_OK)
        return err;
    if (cose.type != expected)
        return TCN_WRONG_TYPE;
    *ret_cose = cose;
    return TCN_OK;
}

tcn_err tcn_cose_type(tcn_bytes envelope, tcn_object *ret_type)
{
    tcn_cose cose;
    tcn_err err = decode_any(envelope, &cose);
    if (err == TCN_OK)
        *ret_type = cose.type;
    return err;
}

/* ---- what is signed ---- */

tcn_err tcn_cose_tbs(tcn_bytes body_protected, tcn_bytes sign_protected, tcn_bytes aad,
                     tcn_bytes payload, uint8_t *ret_tbs, size_t cap, size_t *ret_len)
{
    tcn_cbor_writer w;
    tcn_bytes all;
    tcn_cbor_writer_init(&w, ret_tbs, cap);
    tcn_cbor_put_array(&w, 5);
    tcn_cbor_put_text(&w, "Signature");
    tcn_cbor_put_bytes(&w, body_protected);
    tcn_cbor_put_bytes(&w, sign_protected);
    tcn_cbor_put_bytes(&w, aad);
    tcn_cbor_put_bytes(&w, payload);
    tcn_err err = tcn_cbor_writer_done(&w, &all);
    if (err == TCN_OK)
        *ret_len = all.len;
    return err;
}

/* "tocsin/1/" ‖ TYPE' ‖ program id. No word is the beginning of another, so the parts are clear. */
static size_t external_aad(tcn_object type, tcn_role role, const tcn_id *program,
                           uint8_t ret_aad[static AAD_BYTES])
{
    bool approval = type == TCN_OBJECT_ALERT && role == TCN_ROLE_APPROVER;
    const char *word = tcn_object_word(approval ? TCN_OBJECT_APPROVAL : type);
    size_t prefix_len = strlen(AAD_PREFIX), word_len = word != NULL ? strlen(word) : 0;
    TCN_REQUIRE(word != NULL && prefix_len + word_len + sizeof(program->b) <= AAD_BYTES);
    memcpy(ret_aad, AAD_PREFIX, prefix_len);
    memcpy(ret_aad + prefix_len, word, word_len);
    memcpy(ret_aad + prefix_len + word_len, program->b, sizeof(program->b));
    return prefix_len + word_len + sizeof(program->b);
}

/* One signature: what it is about, and what to do with the bytes to be signed. */
typedef struct {
    tcn_object type;
    tcn_role role;
    const tcn_id *program;
    tcn_bytes body_protected, sign_protected, payload;
    const tcn_sign_public *verify_with; /* either: is signature good? */
    const tcn_sign_secret *sign_with;   /* or: make it */
    tcn_signature *signature;
} task;

static tcn_err task_do(const task *t, uint8_t *tbs, size_t cap)
{
    uint8_t aad[AAD_BYTES];
    size_t aad_len = external_aad(t->type, t->role, t->program, aad), len = 0;
    tcn_err err = tcn_cose_tbs(t->body_protected, t->sign_protected, tcn_bytes_of(aad, aad_len),
                               t->payload, tbs, cap, &len);
    if (err != TCN_OK)
        return err;
    if (t->sign_with != NULL) {
        tcn_sign(t->sign_with, tcn_bytes_of(tbs, len), t->signature);
        return TCN_OK;
    }
    bool good = tcn_verify(t->verify_with, tcn_bytes_of(tbs, len), t->signature);
    return good ? TCN_OK : TCN_BAD_SIGNATURE;
}

/* Ed25519 hashes its message twice, so the whole Sig_structure must be in one piece. */
static tcn_err task_run_large(const task *t)
{
    /* The two headers, the aad and the heads of five strings. */
    size_t cap = t->payload.len + t->body_protected.len + t->sign_protected.len + 256;
    uint8_t *tbs = malloc(cap);
    if (tbs == NULL)
        return TCN_NO_MEMORY;
    tcn_err err = task_do(t, tbs, cap);
    free(tbs);
    return err;
}

static tcn_err task_run(const task *t)
{
    if (t->payload.len > TCN_MAX_ENVELOPE_BYTES)
        return task_run_large(t);
    uint8_t tbs[TBS_STACK_BYTES];
    return task_do(t, tbs, sizeof(tbs));
}

/* ---- verifying and signing ---- */

tcn_err tcn_cose_check(const tcn_cose *cose, unsigned i, const tcn_id *program,
                       const tcn_sign_public *key)
{
    TCN_REQUIRE(i < cose->signers);
    tcn_signature signature = cose->signer[i].signature;
    task t = {
        .type = cose->type,
        .role = cose->signer[i].role,
        .program = program,
        .body_protected = cose->protected_header,
        .sign_protected = cose->signer[i].protected_header,
        .payload = cose->payload,
        .verify_with = key,
        .signature = &signature,
    };
    return task_run(&t);
}

bool tcn_cose_verify(const tcn_cose *cose, unsigned i, const tcn_id *program,
                     const tcn_sign_public *key)
{
    return tcn_cose_check(cose, i, program, key) == TCN_OK;
}

/* ret_signer's header and signature are complete only when TCN_OK. */
static tcn_err sign_with(const task *about, const tcn_sign_secret *secret,
                         tcn_cose_signer *ret_signer, uint8_t ret_protected[static HEADER_BYTES])
{
    uint8_t body[HEADER_BYTES];
    tcn_sign_public public;
    tcn_sign_public_of(secret, &public);
    *ret_signer = (tcn_cose_signer){.kid = tcn_kid(&public), .role = about->role};
    size_t len = signer_header(&ret_signer->kid, (unsigned)about->role, ret_protected);
    ret_signer->protected_header = tcn_bytes_of(ret_protected, len);

    task t = *about;
    t.body_protected = tcn_bytes_of(body, body_header(about->type, body));
    t.sign_protected = ret_signer->protected_header;
    t.sign_with = secret;
    t.signature = &ret_signer->signature;
    return task_run(&t);
}

void tcn_cose_sign(tcn_object type, const tcn_id *program, tcn_bytes payload, tcn_role role,
                   const tcn_sign_secret *secret, tcn_cose_signer *ret_signer,
                   uint8_t ret_protected[static 64])
{
    task about = {.type = type, .role = role, .program = program, .payload = payload};
    /* Without memory the signature stays zero, which verifies under no key. */
    (void)!sign_with(&about, secret, ret_signer, ret_protected);
}

/* ---- encoding ---- */

/* Indices of the signers by ascending kid. */
static tcn_err signers_sort(const tcn_cose_signer *signers, unsigned count,
                            unsigned ret_order[static TCN_MAX_SIGNATURES])
{
    for (unsigned i = 0; i < count; i++) {
        unsigned at = i;
        for (; at > 0; at--) {
            int order = memcmp(signers[ret_order[at - 1]].kid.b, signers[i].kid.b, sizeof(tcn_id));
            if (order == 0)
                return TCN_CONFLICT;
            if (order < 0)
                break;
            ret_order[at] = ret_order[at - 1];
        }
        ret_order[at] = i;
    }
    return TCN_OK;
}

static tcn_err put_signer(tcn_cbor_writer *w, const tcn_cose_signer *s)
{
    tcn_id kid;
    tcn_role role;
    /* Nothing leaves that tcn_cose_decode would not read back as it was given. */
    if (!signer_header_read(s->protected_header, &kid, &role) || !tcn_id_equal(&kid, &s->kid) ||
        role != s->role)
        return TCN_INVALID;
    tcn_cbor_put_array(w, 3);
    tcn_cbor_put_bytes(w, s->protected_header);
    tcn_cbor_put_map(w, 0);
    tcn_cbor_put_bytes(w, tcn_bytes_of(s->signature.b, sizeof(s->signature.b)));
    return TCN_OK;
}

tcn_err tcn_cose_signer_encode(const tcn_cose_signer *signer, uint8_t *ret_encoded, size_t cap,
                               size_t *ret_len)
{
    tcn_cbor_writer w;
    tcn_bytes all;
    tcn_cbor_writer_init(&w, ret_encoded, cap);
    tcn_err err = put_signer(&w, signer);
    if (err == TCN_OK)
        err = tcn_cbor_writer_done(&w, &all);
    if (err == TCN_OK)
        *ret_len = all.len;
    return err;
}

tcn_err tcn_cose_encode(tcn_object type, tcn_bytes payload, const tcn_cose_signer *signers,
                        unsigned count, uint8_t *ret_envelope, size_t cap, size_t *ret_len)
{
    if (count == 0)
        return TCN_INVALID;
    if (count > TCN_MAX_SIGNATURES)
        return TCN_TOO_LARGE;
    unsigned order[TCN_MAX_SIGNATURES];
    tcn_err err = signers_sort(signers, count, order);
    if (err != TCN_OK)
        return err;

    uint8_t body[HEADER_BYTES];
    tcn_cbor_writer w;
    tcn_cbor_writer_init(&w, ret_envelope, cap);
    tcn_cbor_put_tag(&w, TAG_COSE_SIGN);
    tcn_cbor_put_array(&w, 4);
    tcn_cbor_put_bytes(&w, tcn_bytes_of(body, body_header(type, body)));
    tcn_cbor_put_map(&w, 0);
    tcn_cbor_put_bytes(&w, payload);
    tcn_cbor_put_array(&w, count);
    for (unsigned i = 0; i < count; i++) {
        err = put_signer(&w, &signers[order[i]]);
        if (err != TCN_OK)
            return err;
    }
    tcn_bytes all;
    err = tcn_cbor_writer_done(&w, &all);
    if (err == TCN_OK)
        *ret_len = all.len;
    return err;
}

tcn_err tcn_cose_seal(tcn_object type, const tcn_id *program, tcn_bytes payload, tcn_role role,
                      const tcn_sign_secret *secret, uint8_t *ret_envelope, size_t cap,
                      size_t *ret_len)
{
    tcn_cose_signer signer;
    uint8_t header[HEADER_BYTES];
    task about = {.type = type, .role = role, .program = program, .payload = payload};
    tcn_err err = sign_with(&about, secret, &signer, header);
    if (err != TCN_OK)
        return err;
    return tcn_cose_encode(type, payload, &signer, 1, ret_envelope, cap, ret_len);
}
