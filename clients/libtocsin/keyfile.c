/* SPDX-License-Identifier: Apache-2.0 */
/* keyfile.c - key files as short text. No fault ever quotes a line: it may be a secret.
 *
 *   first line      KIND 1
 *   then, in any order, each once: WORD SPACE VALUE
 *   anywhere        '#' comment, empty line; lines end in LF or CR LF */
#include "keyfile.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "file.h"
#include "text.h"

#define FILE_BYTES 4096 /* far more than any key file has */
#define PROOF_PREFIX "tocsin/1/request"
#define SEED_BYTES 32

enum { SECRET_MODE = 0600, PUBLIC_MODE = 0644 };

#define KIND_KEYS "tocsin-keys"
#define KIND_AUTHORITY "tocsin-authority"
#define KIND_AUTHORITY_PUBLIC "tocsin-authority-public"
#define KIND_REQUEST "tocsin-request"

static const char *const kinds[] = {KIND_KEYS, KIND_AUTHORITY, KIND_AUTHORITY_PUBLIC, KIND_REQUEST};

/* One word of a file: len bytes in hex, or, where len is 0, a name. */
typedef struct {
    const char *word;
    uint8_t *bytes;
    size_t len;
    char *name; /* NAME_CHARS and NUL */
    bool seen;
} field;

#define MOST_FIELDS 5

typedef struct {
    const char *path, *kind;
    tcn_fault *fault;
    field fields[MOST_FIELDS];
    unsigned count, line;
} document;

static void add_name(document *d, char *name)
{
    TCN_REQUIRE(d->count < MOST_FIELDS);
    d->fields[d->count++] = (field){.word = "name", .name = name};
}

static void add_hex(document *d, const char *word, uint8_t *bytes, size_t len)
{
    TCN_REQUIRE(d->count < MOST_FIELDS);
    d->fields[d->count++] = (field){.word = word, .bytes = bytes, .len = len};
}

/* ---- reading ---- */

static tcn_err malformed(const document *d, const char *what)
{
    return tcn_fault_set(d->fault, TCN_MALFORMED, "%s:%u: %s", d->path, d->line, what);
}

static tcn_err read_kind(const document *d, const char *line)
{
    size_t len = strcspn(line, " ");
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        if (strlen(kinds[i]) != len || memcmp(kinds[i], line, len) != 0)
            continue;
        if (strcmp(kinds[i], d->kind) != 0)
            return tcn_fault_set(d->fault, TCN_MALFORMED, "%s:%u: this is a %s file, not a %s file",
                                 d->path, d->line, kinds[i], d->kind);
        if (strcmp(line + len, " 1") != 0)
            return malformed(d, "this version of the file is not known; a newer tocsin wrote it");
        return TCN_OK;
    }
    return tcn_fault_set(d->fault, TCN_MALFORMED, "%s:%u: the first line must be: %s 1", d->path,
                         d->line, d->kind);
}

static tcn_err read_value(const document *d, field *f, const char *value)
{
    if (f->len > 0) {
        if (tcn_unhex(value, f->bytes, f->len) == TCN_OK)
            return TCN_OK;
        return tcn_fault_set(d->fault, TCN_MALFORMED, "%s:%u: %s needs exactly %zu hex digits",
                             d->path, d->line, f->word, 2 * f->len);
    }
    if (!tcn_name_is_valid(tcn_bytes_str(value)))
        return malformed(d, "a name has 1 to 63 of a-z, 0-9 and inner '-'");
    memcpy(f->name, value, strlen(value) + 1);
    return TCN_OK;
}

static tcn_err read_field(document *d, const char *line)
{
    size_t len = strcspn(line, " ");
    for (unsigned i = 0; i < d->count; i++) {
        field *f = &d->fields[i];
        if (strlen(f->word) != len || memcmp(f->word, line, len) != 0)
            continue;
        if (f->seen)
            return tcn_fault_set(d->fault, TCN_MALFORMED, "%s:%u: %s stands here twice", d->path,
                                 d->line, f->word);
        f->seen = true;
        return read_value(d, f, line[len] == ' ' ? line + len + 1 : "");
    }
    return tcn_fault_set(d->fault, TCN_MALFORMED, "%s:%u: a %s file has no such line", d->path,
                         d->line, d->kind);
}

static tcn_err read_lines(document *d, char *text, size_t len)
{
    bool has_kind = false;
    if (memchr(text, '\0', len) != NULL || len == 0)
        return malformed(d, "this is not a text file");
    for (char *line = text, *next; line != NULL; line = next) {
        next = strchr(line, '\n');
        if (next != NULL)
            *next++ = '\0';
        d->line++;
        size_t end = strlen(line);
        /* Requests travel by e-mail, which may give them CR LF. */
        if (end > 0 && line[end - 1] == '\r')
            line[--end] = '\0';
        if (end == 0 || line[0] == '#')
            continue;
        tcn_err err = has_kind ? read_field(d, line) : read_kind(d, line);
        if (err != TCN_OK)
            return err;
        has_kind = true;
    }
    for (unsigned i = 0; i < d->count; i++)
        if (!d->fields[i].seen)
            return tcn_fault_set(d->fault, TCN_MALFORMED, "%s: there is no line \"%s\"", d->path,
                                 d->fields[i].word);
    return has_kind ? TCN_OK : malformed(d, "there is nothing in this file");
}

static tcn_err document_read(document *d, bool is_secret)
{
    uint8_t *text;
    size_t len;
    tcn_err err = is_secret ? tcn_file_read_secret(d->path, FILE_BYTES, &text, &len, d->fault)
                            : tcn_file_read(d->path, FILE_BYTES, &text, &len, d->fault);
    if (err != TCN_OK)
        return err;
    err = read_lines(d, (char *)text, len);
    sodium_memzero(text, len);
    free(text);
    return err;
}

/* ---- writing ---- */

static tcn_err document_write(const document *d, bool is_secret)
{
    char text[FILE_BYTES];
    size_t len = (size_t)snprintf(text, sizeof(text), "%s 1\n", d->kind);
    for (unsigned i = 0; i < d->count; i++) {
        const field *f = &d->fields[i];
        len += (size_t)snprintf(text + len, sizeof(text) - len, "%s ", f->word);
        TCN_REQUIRE(len + 2 * f->len + TCN_MAX_NAME_CHARS + 2 < sizeof(text));
        if (f->len > 0) {
            tcn_hex(f->bytes, f->len, text + len);
            len += 2 * f->len;
            text[len++] = '\n';
        } else {
            len += (size_t)snprintf(text + len, sizeof(text) - len, "%s\n", f->name);
        }
    }
    tcn_bytes content = tcn_bytes_of(text, len);
    tcn_err err = is_secret ? tcn_file_create(d->path, content, SECRET_MODE, d->fault)
                            : tcn_file_write(d->path, content, PUBLIC_MODE, d->fault);
    sodium_memzero(text, sizeof(text));
    return err;
}

static tcn_err check_name(const char *path, const char *name, tcn_fault *fault)
{
    if (tcn_name_is_valid(tcn_bytes_str(name)))
        return TCN_OK;
    return tcn_fault_set(
        fault, TCN_INVALID,
        "%s was not written: \"%s\" is not a name (1 to 63 of a-z, 0-9, inner '-')", path, name);
}

/* ---- member.keys ---- */

/* member.keys as it is on disk; the signing key as its seed. */
typedef struct {
    char name[TCN_MAX_NAME_CHARS + 1];
    uint8_t sign_seed[SEED_BYTES];
    tcn_box_secret transport, seal;
} member_file;

static document member_document(const char *path, member_file *m, tcn_fault *fault)
{
    document d = {.path = path, .kind = KIND_KEYS, .fault = fault};
    add_name(&d, m->name);
    add_hex(&d, "sign", m->sign_seed, sizeof(m->sign_seed));
    add_hex(&d, "transport", m->transport.b, sizeof(m->transport.b));
    add_hex(&d, "seal", m->seal.b, sizeof(m->seal.b));
    return d;
}

tcn_err tcn_member_keys_write(const char *path, const tcn_member_keys *keys, tcn_fault *fault)
{
    tcn_err err = check_name(path, keys->name, fault);
    if (err != TCN_OK)
        return err;
    member_file m = {.transport = keys->secrets.transport, .seal = keys->secrets.seal};
    memcpy(m.name, keys->name, sizeof(m.name));
    memcpy(m.sign_seed, keys->secrets.sign.b, sizeof(m.sign_seed));
    document d = member_document(path, &m, fault);
    err = document_write(&d, true);
    sodium_memzero(&m, sizeof(m));
    return err;
}

tcn_err tcn_member_keys_read(const char *path, tcn_member_keys *ret_keys, tcn_fault *fault)
{
    member_file m = {0};
    document d = member_document(path, &m, fault);
    tcn_err err = document_read(&d, true);
    if (err == TCN_OK) {
        memcpy(ret_keys->name, m.name, sizeof(m.name));
        tcn_sign_from_seed(m.sign_seed, &ret_keys->secrets.sign);
        ret_keys->secrets.transport = m.transport;
        ret_keys->secrets.seal = m.seal;
    }
    sodium_memzero(&m, sizeof(m));
    return err;
}

void tcn_member_keys_fini(tcn_member_keys *keys)
{
    if (keys != NULL)
        sodium_memzero(keys, sizeof(*keys));
}

/* ---- authority.key, authority.pub ---- */

/* One key of 32 bytes: a seed or a public key. */
static document sign_document(const char *path, const char *kind, uint8_t key[static SEED_BYTES],
                              tcn_fault *fault)
{
    document d = {.path = path, .kind = kind, .fault = fault};
    add_hex(&d, "sign", key, SEED_BYTES);
    return d;
}

tcn_err tcn_authority_write(const char *path, const tcn_sign_secret *secret, tcn_fault *fault)
{
    uint8_t seed[SEED_BYTES];
    memcpy(seed, secret->b, sizeof(seed));
    document d = sign_document(path, KIND_AUTHORITY, seed, fault);
    tcn_err err = document_write(&d, true);
    sodium_memzero(seed, sizeof(seed));
    return err;
}

tcn_err tcn_authority_read(const char *path, tcn_sign_secret *ret_secret, tcn_fault *fault)
{
    uint8_t seed[SEED_BYTES];
    document d = sign_document(path, KIND_AUTHORITY, seed, fault);
    tcn_err err = document_read(&d, true);
    if (err == TCN_OK)
        tcn_sign_from_seed(seed, ret_secret);
    sodium_memzero(seed, sizeof(seed));
    return err;
}

tcn_err tcn_authority_public_write(const char *path, const tcn_sign_public *key, tcn_fault *fault)
{
    tcn_sign_public copy = *key;
    document d = sign_document(path, KIND_AUTHORITY_PUBLIC, copy.b, fault);
    return document_write(&d, false);
}

tcn_err tcn_authority_public_read(const char *path, tcn_sign_public *ret_key, tcn_fault *fault)
{
    tcn_sign_public key;
    document d = sign_document(path, KIND_AUTHORITY_PUBLIC, key.b, fault);
    tcn_err err = document_read(&d, false);
    if (err == TCN_OK)
        *ret_key = key;
    return err;
}

/* ---- NAME.request ---- */

typedef struct {
    tcn_request request;
    tcn_signature proof;
} request_file;

static document request_document(const char *path, request_file *r, tcn_fault *fault)
{
    tcn_publics *publics = &r->request.publics;
    document d = {.path = path, .kind = KIND_REQUEST, .fault = fault};
    add_name(&d, r->request.name);
    add_hex(&d, "sign", publics->sign.b, sizeof(publics->sign.b));
    add_hex(&d, "transport", publics->transport.b, sizeof(publics->transport.b));
    add_hex(&d, "seal", publics->seal.b, sizeof(publics->seal.b));
    add_hex(&d, "proof", r->proof.b, sizeof(r->proof.b));
    return d;
}

/* "tocsin/1/request" ‖ name ‖ sign ‖ transport ‖ seal. The last 96 bytes are the keys, so that
 * the name needs no length. */
static tcn_bytes proof_message(const tcn_request *r, uint8_t *memory, size_t size)
{
    const tcn_bytes parts[] = {
        tcn_bytes_str(PROOF_PREFIX),
        tcn_bytes_str(r->name),
        tcn_bytes_of(r->publics.sign.b, sizeof(r->publics.sign.b)),
        tcn_bytes_of(r->publics.transport.b, sizeof(r->publics.transport.b)),
        tcn_bytes_of(r->publics.seal.b, sizeof(r->publics.seal.b)),
    };
    size_t len = 0;
    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
        TCN_REQUIRE(parts[i].len <= size - len);
        memcpy(memory + len, parts[i].ptr, parts[i].len);
        len += parts[i].len;
    }
    return tcn_bytes_of(memory, len);
}

tcn_err tcn_request_write(const char *path, const tcn_member_keys *keys, tcn_fault *fault)
{
    tcn_err err = check_name(path, keys->name, fault);
    if (err != TCN_OK)
        return err;
    request_file r = {0};
    uint8_t memory[256];
    memcpy(r.request.name, keys->name, sizeof(r.request.name));
    tcn_secrets_publics(&keys->secrets, &r.request.publics);
    tcn_sign(&keys->secrets.sign, proof_message(&r.request, memory, sizeof(memory)), &r.proof);
    document d = request_document(path, &r, fault);
    return document_write(&d, false);
}

tcn_err tcn_request_read(const char *path, tcn_request *ret_request, tcn_fault *fault)
{
    request_file r = {0};
    uint8_t memory[256];
    document d = request_document(path, &r, fault);
    tcn_err err = document_read(&d, false);
    if (err != TCN_OK)
        return err;
    if (!tcn_verify(&r.request.publics.sign, proof_message(&r.request, memory, sizeof(memory)),
                    &r.proof))
        return tcn_fault_set(fault, TCN_BAD_SIGNATURE,
                             "%s: the proof does not verify: it was changed on its way, or its "
                             "sender does not have the key; ask for it again",
                             path);
    if (!tcn_box_public_is_usable(&r.request.publics.transport) ||
        !tcn_box_public_is_usable(&r.request.publics.seal))
        return tcn_fault_set(fault, TCN_MALFORMED,
                             "%s: a public key is one that protects nothing; ask for new keys",
                             path);
    *ret_request = r.request;
    return TCN_OK;
}
