/* SPDX-License-Identifier: Apache-2.0 */
/* cast.c - see cast.h. */
#define _GNU_SOURCE
#include "cast.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "libtocsin/file.h"
#include "libtocsin/home.h"
#include "measure.h"

enum { PATTERNS = 2, PUBLISHER_ROLES = TCN_ROLE_PUBLISHER | TCN_ROLE_APPROVER };
#define DAY_MS INT64_C(86400000)

static void expect(tcn_err err, const tcn_fault *fault, const char *what)
{
    if (err != TCN_OK)
        bench_die(what, fault != NULL && fault->text[0] != '\0' ? fault->text : tcn_err_text(err));
}

static void *memory(size_t bytes)
{
    void *ptr = calloc(1, bytes);
    if (ptr == NULL)
        bench_die("cast", "out of memory");
    return ptr;
}

static tcn_wall wall_now(void)
{
    struct timespec now = {0};
    (void)clock_gettime(CLOCK_REALTIME, &now);
    return (tcn_wall){(int64_t)now.tv_sec * 1000 + (int64_t)now.tv_nsec / 1000000};
}

void bench_cast_node_name(unsigned index, char ret_name[static TCN_MAX_NAME_CHARS + 1])
{
    (void)snprintf(ret_name, TCN_MAX_NAME_CHARS + 1, "node-%05u", index);
}

void bench_cast_publisher_name(unsigned index, char ret_name[static TCN_MAX_NAME_CHARS + 1])
{
    (void)snprintf(ret_name, TCN_MAX_NAME_CHARS + 1, "pub-%03u", index);
}

static void derive(const bench_cast *cast, const char *name, const char *use,
                   uint8_t ret_secret[static 32])
{
    char text[TCN_MAX_NAME_CHARS + 16];
    (void)snprintf(text, sizeof(text), "%s %s", name, use);
    (void)crypto_generichash(ret_secret, 32, (const uint8_t *)text, strlen(text), cast->seed,
                             sizeof(cast->seed));
}

void bench_cast_secrets(const bench_cast *cast, const char *name, tcn_secrets *ret_secrets)
{
    uint8_t seed[32];
    derive(cast, name, "sign", seed);
    tcn_sign_from_seed(seed, &ret_secrets->sign);
    derive(cast, name, "transport", ret_secrets->transport.b);
    derive(cast, name, "seal", ret_secrets->seal.b);
}

/* ---- cards ---- */

static void put_key(tcn_card *card, tcn_key_use use, const uint8_t public_bytes[static 32])
{
    tcn_card_key *key = &card->key[card->keys++];
    key->use = use;
    memcpy(key->public_bytes, public_bytes, sizeof(key->public_bytes));
    key->from = card->issued;
    key->until = card->expires;
}

static void fill_card(const bench_cast *cast, const char *name, unsigned roles, tcn_wall now,
                      tcn_card *card)
{
    tcn_secrets secrets;
    tcn_publics publics;
    uint8_t audience[32];
    *card = (tcn_card){.program = cast->program,
                       .version = 1,
                       .roles = roles,
                       .clearance = TCN_TLP_AMBER,
                       .emergency = (roles & TCN_ROLE_PUBLISHER) != 0,
                       .issued = {now.unix_ms - 60000},
                       .expires = {now.unix_ms + 30 * DAY_MS}};
    (void)snprintf(card->name, sizeof(card->name), "%s", name);
    bench_cast_secrets(cast, name, &secrets);
    tcn_secrets_publics(&secrets, &publics);
    derive(cast, name, "audience", audience);
    memcpy(card->audience_id.b, audience, sizeof(card->audience_id.b));
    put_key(card, TCN_KEY_TRANSPORT, publics.transport.b);
    put_key(card, TCN_KEY_SIGN, publics.sign.b);
    put_key(card, TCN_KEY_SEAL, publics.seal.b);
}

static void fill_node(const bench_cast *cast, unsigned index, unsigned classes, tcn_wall now,
                      tcn_card *card)
{
    char name[TCN_MAX_NAME_CHARS + 1];
    bench_cast_node_name(index, name);
    fill_card(cast, name, TCN_ROLE_NODE, now, card);
    card->receive = memory((size_t)PATTERNS * sizeof(*card->receive));
    card->receives = PATTERNS;
    (void)snprintf(card->receive[0], sizeof(card->receive[0]), "bench.>");
    (void)snprintf(card->receive[1], sizeof(card->receive[1]), "class.k%u",
                   classes > 0 ? index % classes : 0);
}

static void fill_publisher(const bench_cast *cast, unsigned index, tcn_wall now, tcn_card *card)
{
    char name[TCN_MAX_NAME_CHARS + 1];
    bench_cast_publisher_name(index, name);
    fill_card(cast, name, PUBLISHER_ROLES, now, card);
    card->publish = memory(sizeof(*card->publish));
    card->publishes = 1;
    (void)snprintf(card->publish[0], sizeof(card->publish[0]), ">");
}

/* ---- homes ---- */

static void write_at(const char *dir, const char *name, tcn_bytes content, unsigned mode)
{
    char path[1024];
    tcn_fault fault = {.err = TCN_OK};
    expect(tcn_path_join(dir, name, path, sizeof(path)), NULL, dir);
    expect(tcn_file_write(path, content, mode, &fault), &fault, path);
}

static void write_broker(const bench_cast *cast, const bench_cast_options *options,
                         const tcn_sign_public *authority)
{
    char path[1024], conf[4096];
    tcn_fault fault = {.err = TCN_OK};
    tcn_member_keys keys = {.name = "broker"};
    expect(tcn_dir_make(cast->home, 0700, &fault), &fault, cast->home);
    bench_cast_secrets(cast, "broker", &keys.secrets);
    expect(tcn_path_join(cast->home, TCN_HOME_MEMBER_KEYS, path, sizeof(path)), NULL, path);
    expect(tcn_member_keys_write(path, &keys, &fault), &fault, path);
    expect(tcn_path_join(cast->home, TCN_HOME_AUTHORITY_PUB, path, sizeof(path)), NULL, path);
    expect(tcn_authority_public_write(path, authority, &fault), &fault, path);
    (void)snprintf(conf, sizeof(conf),
                   "listen-session = {\"127.0.0.1:0\"}\nlisten-emergency = {\"127.0.0.1:0\"}\n%s",
                   options->settings != NULL ? options->settings : "");
    write_at(cast->home, TCN_HOME_BROKER_CONF, tcn_bytes_str(conf), 0600);
}

static void sign_all(bench_cast *cast, const tcn_card *card, size_t cards, tcn_wall now)
{
    tcn_fault fault = {.err = TCN_OK};
    uint8_t seed[32], *file = NULL;
    size_t len = 0;
    tcn_sign_secret authority;
    tcn_sign_public public_key;
    tcn_broker_entry entry = {.name = "broker",
                              .sessions = 1,
                              .emergencies = 1,
                              .session = {"127.0.0.1:7430"},
                              .emergency = {"127.0.0.1:7431"}};
    derive(cast, "authority", "sign", seed);
    tcn_sign_from_seed(seed, &authority);
    tcn_sign_public_of(&authority, &public_key);
    entry.server_key = cast->broker_key;
    tcn_roster_draft draft = {.program_name = "bench",
                              .version = 1,
                              .issued = {now.unix_ms - 60000},
                              .expires = {now.unix_ms + 30 * DAY_MS},
                              .brokers = 1,
                              .broker = &entry,
                              .cards = cards,
                              .card = card};
    tcn_policy_default(&draft.policy);
    expect(tcn_roster_sign(&draft, &authority, NULL, &file, &len, &fault), &fault, "signing");
    write_at(cast->home, TCN_HOME_TRUST, tcn_bytes_of(file, len), 0600);
    expect(tcn_roster_open(tcn_bytes_of(file, len), &public_key, &cast->roster, &fault), &fault,
           "opening the trust file");
    free(file);
}

void bench_cast_make(const char *dir, const bench_cast_options *options, bench_cast *ret_cast)
{
    bench_cast cast = {.roster = NULL};
    tcn_fault fault = {.err = TCN_OK};
    tcn_wall now = wall_now();
    uint8_t seed[32];
    tcn_sign_secret authority;
    tcn_sign_public public_key;
    (void)snprintf(cast.dir, sizeof(cast.dir), "%s", dir);
    (void)snprintf(cast.home, sizeof(cast.home), "%s/broker", dir);
    expect(tcn_dir_make(dir, 0700, &fault), &fault, dir);
    randombytes_buf(cast.seed, sizeof(cast.seed));
    write_at(dir, "seed", tcn_bytes_of(cast.seed, sizeof(cast.seed)), 0600);
    derive(&cast, "authority", "sign", seed);
    tcn_sign_from_seed(seed, &authority);
    tcn_sign_public_of(&authority, &public_key);
    cast.program = tcn_kid(&public_key);
    size_t cards = (size_t)options->nodes + options->publishers + 2;
    tcn_card *card = memory(cards * sizeof(*card));
    fill_card(&cast, "broker", TCN_ROLE_BROKER, now, &card[0]);
    memcpy(cast.broker_key.b, card[0].key[0].public_bytes, sizeof(cast.broker_key.b));
    fill_card(&cast, "ops", TCN_ROLE_OPERATOR, now, &card[1]);
    for (unsigned i = 0; i < options->publishers; i++)
        fill_publisher(&cast, i, now, &card[2 + i]);
    for (unsigned i = 0; i < options->nodes; i++)
        fill_node(&cast, i, options->classes, now, &card[2 + options->publishers + i]);
    write_broker(&cast, options, &public_key);
    sign_all(&cast, card, cards, now);
    for (size_t i = 0; i < cards; i++)
        tcn_card_fini(&card[i]);
    cast.publishers = options->publishers;
    cast.publisher = memory(options->publishers * sizeof(*cast.publisher));
    for (unsigned i = 0; i < options->publishers; i++) {
        char name[TCN_MAX_NAME_CHARS + 1];
        tcn_secrets secrets;
        bench_cast_publisher_name(i, name);
        bench_cast_secrets(&cast, name, &secrets);
        cast.publisher[i] = secrets.sign;
    }
    free(card);
    *ret_cast = cast;
}

void bench_cast_fini(bench_cast *cast)
{
    tcn_roster_unref(&cast->roster);
    free(cast->publisher);
    cast->publisher = NULL;
    sodium_memzero(cast->seed, sizeof(cast->seed));
}

/* ---- alerts ---- */

static size_t sign_payload(const bench_cast *cast, const bench_alert *wanted, tcn_bytes payload,
                           uint8_t *ret_envelope, size_t cap)
{
    tcn_cose_signer signer[2];
    uint8_t header[2][64];
    unsigned signers = wanted->lane == TCN_LANE_EMERGENCY ? 2 : 1;
    size_t len = 0;
    for (unsigned i = 0; i < signers; i++) {
        tcn_cose_sign(TCN_OBJECT_ALERT, &cast->program, payload,
                      i == 0 ? TCN_ROLE_PUBLISHER : TCN_ROLE_APPROVER,
                      &cast->publisher[(wanted->publisher + i) % cast->publishers], &signer[i],
                      header[i]);
    }
    expect(tcn_cose_encode(TCN_OBJECT_ALERT, payload, signer, signers, ret_envelope, cap, &len),
           NULL, "envelope");
    return len;
}

tcn_bytes bench_cast_alert(const bench_cast *cast, const bench_alert *wanted)
{
    static uint8_t payload[TCN_MAX_ENVELOPE_BYTES], envelope[TCN_MAX_ENVELOPE_BYTES];
    static uint8_t body[TCN_MAX_INLINE_BODY_BYTES];
    char handle[TCN_MAX_HANDLE_CHARS + 1], publisher[TCN_MAX_NAME_CHARS + 1];
    uint8_t random[10], *copy = NULL;
    tcn_fault fault = {.err = TCN_OK};
    tcn_wall now = wall_now();
    size_t len = 0;
    if (wanted->body_bytes > sizeof(body))
        bench_die("alert", "the body is too large to be inline");
    randombytes_buf(random, sizeof(random));
    randombytes_buf(body, wanted->body_bytes);
    (void)snprintf(handle, sizeof(handle), "B-%u", wanted->number);
    bench_cast_publisher_name(wanted->publisher, publisher);
    tcn_alert alert = {.body = tcn_bytes_of(body, wanted->body_bytes),
                       .body_size = wanted->body_bytes};
    alert.meta = (tcn_alert_meta){
        .id = tcn_alert_id_make(now, random),
        .handle = tcn_bytes_str(handle),
        .program = cast->program,
        .publisher = tcn_bytes_str(publisher),
        .topic = tcn_bytes_str("bench.load"),
        .lane = wanted->lane,
        .tlp = TCN_TLP_GREEN,
        .texts = 1,
        .text = {{tcn_bytes_str("en"), tcn_bytes_str("Measured"), tcn_bytes_str("")}},
        .created = now,
        .expires = {now.unix_ms + DAY_MS},
        .content_type = tcn_bytes_str("application/octet-stream"),
        .decoded_size = wanted->body_bytes};
    expect(tcn_alert_encode(&alert, payload, sizeof(payload), &len, &fault), &fault, "alert");
    len = sign_payload(cast, wanted, tcn_bytes_of(payload, len), envelope, sizeof(envelope));
    expect(tcn_bytes_copy(tcn_bytes_of(envelope, len), &copy), NULL, "alert");
    return tcn_bytes_of(copy, len);
}
