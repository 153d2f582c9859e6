/* SPDX-License-Identifier: Apache-2.0 */
/* world.c - see world.h. */
#include "tests/support/world.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/mem.h"

#define MOST_MEMBERS 20000
#define FIRST_PORT 7001

typedef struct {
    tcn_secrets secrets;
    tcn_publics publics;
} keys;

struct world {
    tcn_wall now;
    tcn_sign_secret authority_secret;
    tcn_sign_public authority;
    tcn_id program;
    tcn_policy policy;
    unsigned members;
    tcn_card *card; /* the draft */
    keys *key;
    unsigned brokers;
    tcn_broker_entry broker[TCN_MAX_BROKERS];
    uint64_t version; /* of the last world_sign */
    tcn_bytes file;
    tcn_roster **roster; /* of each version, from 1 */
    unsigned alerts;
    /* All that was handed out. */
    size_t blocks;
    void **block;
};

/* ---- memory and failure ---- */

static void expect(tcn_err err, const tcn_fault *fault, const char *what)
{
    if (err == TCN_OK)
        return;
    fprintf(stderr, "world: %s: %s: %s\n", what, tcn_err_word(err),
            fault != NULL ? fault->text : "");
    abort();
}

static void *keep(world *w, void *block)
{
    w->block = mem_grown(w->block, (w->blocks + 1) * sizeof(*w->block));
    w->block[w->blocks++] = block;
    return block;
}

static tcn_bytes keep_copy(world *w, const uint8_t *bytes, size_t len)
{
    return tcn_bytes_of(keep(w, mem_copy(tcn_bytes_of(bytes, len))), len);
}

/* ---- the world ---- */

/* A 32-byte secret that follows from two words. */
static void derive(const char *name, const char *use, uint8_t ret_secret[static 32])
{
    char text[128];
    snprintf(text, sizeof(text), "tocsin test %s %s", name, use);
    tcn_hash hash = tcn_hash_of(tcn_bytes_str(text));
    memcpy(ret_secret, hash.b, sizeof(hash.b));
}

world *world_new(tcn_wall now)
{
    uint8_t seed[32];
    world *w = mem_zeroed(sizeof(*w));
    expect(tcn_keys_init(), NULL, "keys");
    w->now = now;
    derive("authority", "sign", seed);
    tcn_sign_from_seed(seed, &w->authority_secret);
    tcn_sign_public_of(&w->authority_secret, &w->authority);
    w->program = tcn_kid(&w->authority);
    tcn_policy_default(&w->policy);
    world_member_set(w, &(world_member){.name = "broker", .roles = TCN_ROLE_BROKER});
    return w;
}

void world_free(world **taken)
{
    world *w = *taken;
    *taken = NULL;
    if (w == NULL)
        return;
    for (uint64_t i = 0; i < w->version; i++)
        tcn_roster_unref(&w->roster[i]);
    free(w->roster);
    for (unsigned i = 0; i < w->members; i++)
        tcn_card_fini(&w->card[i]);
    for (size_t i = 0; i < w->blocks; i++)
        free(w->block[i]);
    free(w->block);
    free(w->card);
    free(w->key);
    free(w);
}

tcn_wall world_now(const world *w)
{
    return w->now;
}

void world_set_now(world *w, tcn_wall now)
{
    w->now = now;
}

const tcn_sign_secret *world_authority_secret(const world *w)
{
    return &w->authority_secret;
}

const tcn_sign_public *world_authority(const world *w)
{
    return &w->authority;
}

const tcn_id *world_program(const world *w)
{
    return &w->program;
}

tcn_policy *world_policy(world *w)
{
    return &w->policy;
}

/* ---- members ---- */

static unsigned find(const world *w, const char *name)
{
    unsigned at = 0;
    while (at < w->members && strcmp(w->card[at].name, name) != 0)
        at++;
    return at;
}

static unsigned member_of(const world *w, const char *name)
{
    unsigned at = find(w, name);
    expect(at < w->members ? TCN_OK : TCN_NOT_FOUND, NULL, name);
    return at;
}

static void make_keys(const char *name, keys *ret_keys)
{
    uint8_t seed[32];
    derive(name, "sign", seed);
    tcn_sign_from_seed(seed, &ret_keys->secrets.sign);
    derive(name, "transport", ret_keys->secrets.transport.b);
    derive(name, "seal", ret_keys->secrets.seal.b);
    tcn_secrets_publics(&ret_keys->secrets, &ret_keys->publics);
}

static void put_key(tcn_card *card, tcn_key_use use, const uint8_t public_bytes[static 32])
{
    tcn_card_key *key = &card->key[card->keys++];
    key->use = use;
    memcpy(key->public_bytes, public_bytes, sizeof(key->public_bytes));
    key->from.unix_ms = card->issued.unix_ms - WORLD_DAY_MS;
    key->until = card->expires;
}

static unsigned add(world *w, const char *name)
{
    unsigned at = w->members++;
    expect(at < MOST_MEMBERS ? TCN_OK : TCN_FULL, NULL, name);
    w->card = mem_grown(w->card, w->members * sizeof(*w->card));
    w->key = mem_grown(w->key, w->members * sizeof(*w->key));
    make_keys(name, &w->key[at]);
    tcn_card card = {.program = w->program, .issued = w->now};
    snprintf(card.name, sizeof(card.name), "%s", name);
    card.expires.unix_ms = w->now.unix_ms + (int64_t)w->policy.lifetime_ms;
    uint8_t audience[32];
    derive(name, "audience", audience);
    memcpy(card.audience_id.b, audience, sizeof(card.audience_id.b));
    put_key(&card, TCN_KEY_TRANSPORT, w->key[at].publics.transport.b);
    put_key(&card, TCN_KEY_SIGN, w->key[at].publics.sign.b);
    put_key(&card, TCN_KEY_SEAL, w->key[at].publics.seal.b);
    w->card[at] = card;
    return at;
}

static unsigned copy_patterns(char (**ret_rows)[TCN_MAX_TOPIC_CHARS + 1], const char *const *list)
{
    unsigned count = 0;
    free(*ret_rows);
    *ret_rows = NULL;
    while (list[count] != NULL)
        count++;
    if (count > 0)
        *ret_rows = mem_zeroed(count * sizeof(**ret_rows));
    for (unsigned i = 0; i < count; i++)
        snprintf((*ret_rows)[i], sizeof((*ret_rows)[i]), "%s", list[i]);
    return count;
}

static int compare_rows(const void *a, const void *b)
{
    return strcmp(a, b);
}

static void broker_add(world *w, const char *name, const tcn_box_public *key)
{
    for (unsigned i = 0; i < w->brokers; i++)
        if (strcmp(w->broker[i].name, name) == 0)
            return;
    expect(w->brokers < TCN_MAX_BROKERS ? TCN_OK : TCN_FULL, NULL, name);
    unsigned port = FIRST_PORT + 2 * w->brokers;
    tcn_broker_entry *entry = &w->broker[w->brokers++];
    *entry = (tcn_broker_entry){.server_key = *key, .sessions = 1, .emergencies = 1};
    snprintf(entry->name, sizeof(entry->name), "%s", name);
    snprintf(entry->session[0], sizeof(entry->session[0]), "127.0.0.1:%u", port);
    snprintf(entry->emergency[0], sizeof(entry->emergency[0]), "127.0.0.1:%u", port + 1);
}

void world_member_set(world *w, const world_member *member)
{
    unsigned at = find(w, member->name);
    if (at == w->members)
        at = add(w, member->name);
    tcn_card *card = &w->card[at];
    card->version++;
    card->roles = member->roles;
    card->clearance = member->clearance;
    card->emergency = member->emergency;
    card->receives = copy_patterns(&card->receive, member->receive);
    card->publishes = copy_patterns(&card->publish, member->publish);
    memset(card->community, 0, sizeof(card->community));
    card->communities = 0;
    for (; member->communities[card->communities] != NULL; card->communities++)
        snprintf(card->community[card->communities], sizeof(card->community[0]), "%s",
                 member->communities[card->communities]);
    qsort(card->community, card->communities, sizeof(card->community[0]), compare_rows);
    if ((member->roles & TCN_ROLE_BROKER) != 0)
        broker_add(w, member->name, &w->key[at].publics.transport);
}

tcn_card *world_card_edit(world *w, const char *name)
{
    tcn_card *card = &w->card[member_of(w, name)];
    card->version++;
    return card;
}

void world_member_revoke(world *w, const char *name, tcn_member_state state, tcn_wall since)
{
    tcn_card *card = world_card_edit(w, name);
    card->state = state;
    card->since = since;
}

tcn_broker_entry *world_broker_edit(world *w, const char *name)
{
    unsigned at = 0;
    while (at < w->brokers && strcmp(w->broker[at].name, name) != 0)
        at++;
    expect(at < w->brokers ? TCN_OK : TCN_NOT_FOUND, NULL, name);
    return &w->broker[at];
}

const tcn_secrets *world_secrets(const world *w, const char *name)
{
    return &w->key[member_of(w, name)].secrets;
}

tcn_publics world_publics(const world *w, const char *name)
{
    return w->key[member_of(w, name)].publics;
}

/* ---- trust ---- */

void world_sign(world *w)
{
    tcn_fault fault = {.err = TCN_OK};
    tcn_roster_draft draft = {
        .program_name = "test",
        .version = w->version + 1,
        .issued = w->now,
        .expires = {w->now.unix_ms + (int64_t)w->policy.lifetime_ms},
        .policy = w->policy,
        .brokers = w->brokers,
        .broker = w->broker,
        .cards = w->members,
        .card = w->card,
    };
    uint8_t *file = NULL;
    size_t len = 0;
    const tcn_roster *previous = w->version > 0 ? world_roster(w) : NULL;
    expect(tcn_roster_sign(&draft, &w->authority_secret, previous, &file, &len, &fault), &fault,
           "sign");
    w->file = tcn_bytes_of(keep(w, file), len);
    w->roster = mem_grown(w->roster, (w->version + 1) * sizeof(tcn_roster *));
    expect(tcn_roster_open(w->file, &w->authority, &w->roster[w->version], &fault), &fault, "open");
    w->version++;
}

tcn_bytes world_trust_file(const world *w)
{
    return w->file;
}

tcn_roster *world_roster(const world *w)
{
    expect(w->version > 0 ? TCN_OK : TCN_NOT_FOUND, NULL, "nothing is signed yet");
    return w->roster[w->version - 1];
}

const tcn_bundle *world_bundle(const world *w)
{
    return tcn_roster_bundle(world_roster(w));
}

tcn_bytes world_bundle_envelope(const world *w)
{
    return tcn_roster_bundle_envelope(world_roster(w));
}

tcn_bytes world_card_envelope(const world *w, const char *name)
{
    const tcn_roster *roster = world_roster(w);
    return tcn_roster_card_envelope(roster, tcn_roster_find(roster, name));
}

tcn_trust_view world_view(const world *w, bool accepting)
{
    return (tcn_trust_view){.bundle = world_bundle(w), .now = w->now, .accepting = accepting};
}

/* ---- alerts ---- */

static void fill_lists(world *w, const world_options *o, tcn_alert_meta *meta)
{
    for (; o->references[meta->references] != NULL; meta->references++)
        meta->reference[meta->references] = *o->references[meta->references];
    for (; o->communities[meta->communities] != NULL; meta->communities++)
        meta->community[meta->communities] = tcn_bytes_str(o->communities[meta->communities]);
    tcn_id marks[WORLD_LIST];
    for (; o->to[meta->audiences] != NULL; meta->audiences++)
        marks[meta->audiences] = tcn_audience_mark(
            &meta->id, &w->card[member_of(w, o->to[meta->audiences])].audience_id);
    uint8_t *encoded = keep(w, mem_zeroed(17 * WORLD_LIST));
    tcn_audience_encode(marks, meta->audiences, encoded);
    meta->audience = tcn_bytes_of(encoded, (size_t)17 * meta->audiences);
}

static void fill_body(world *w, const world_options *o, tcn_alert *alert, tcn_bytes *ret_body)
{
    tcn_bytes body = tcn_bytes_str(o->body != NULL ? o->body : "body\n");
    if (o->body_bytes > 0)
        body.len = o->body_bytes;
    alert->meta.decoded_size = body.len;
    if (o->zstd) {
        uint8_t *encoded = NULL;
        size_t len = 0;
        expect(tcn_body_encode(body, 3, &alert->meta.encoding, &encoded, &len), NULL, "body");
        body = tcn_bytes_of(keep(w, encoded), len);
    } else {
        body = keep_copy(w, body.ptr, body.len);
    }
    alert->external = o->external;
    alert->body = body;
    alert->body_hash = tcn_hash_of(body);
    alert->body_size = body.len;
    *ret_body = body;
}

static void fill_meta(world *w, const world_options *o, tcn_alert_meta *meta, const char *handle)
{
    tcn_wall created = o->created.unix_ms != 0 ? o->created : w->now;
    uint8_t random[10] = {[6] = (uint8_t)(w->alerts >> 24),
                          (uint8_t)(w->alerts >> 16),
                          (uint8_t)(w->alerts >> 8),
                          (uint8_t)w->alerts};
    *meta = (tcn_alert_meta){
        .id = tcn_id_is_zero(&o->id) ? tcn_alert_id_make(created, random) : o->id,
        .handle = tcn_bytes_str(handle),
        .program = w->program,
        .publisher = tcn_bytes_str(o->publisher),
        .topic = tcn_bytes_str(o->topic != NULL ? o->topic : "advisory.test"),
        .lane = o->lane,
        .urgency = o->urgency,
        .tlp = o->tlp,
        .status = o->status,
        .kind = o->kind,
        .reason = o->reason,
        .texts = 1,
        .text = {{tcn_bytes_str("en"), tcn_bytes_str(o->title != NULL ? o->title : "Test"),
                  tcn_bytes_str("")}},
        .created = created,
        .not_before = o->not_before,
        .expires =
            o->expires.unix_ms != 0 ? o->expires : (tcn_wall){created.unix_ms + WORLD_DAY_MS},
        .ack_by = o->ack_by,
        .content_type = tcn_bytes_str("text/plain"),
    };
    fill_lists(w, o, meta);
}

static tcn_bytes sign_as_asked(world *w, const world_options *o, tcn_bytes payload)
{
    const char *names[TCN_MAX_SIGNATURES];
    tcn_role roles[TCN_MAX_SIGNATURES];
    unsigned count = 0;
    if (!o->no_author) {
        names[count] = o->publisher;
        roles[count++] = o->author_role != 0 ? o->author_role : TCN_ROLE_PUBLISHER;
    }
    for (unsigned i = 0; o->approvers[i] != NULL && count < TCN_MAX_SIGNATURES; i++) {
        names[count] = o->approvers[i];
        roles[count++] = TCN_ROLE_APPROVER;
    }
    return world_sign_alert(w, payload, names, roles, count);
}

world_alert world_alert_make(world *w, const world_options *options)
{
    tcn_fault fault = {.err = TCN_OK};
    tcn_alert alert = {.external = false};
    world_alert made = {.envelope = {NULL, 0}};
    char handle[TCN_MAX_HANDLE_CHARS + 1];
    w->alerts++;
    snprintf(handle, sizeof(handle), "T-%u", w->alerts);
    fill_meta(w, options, &alert.meta, options->handle != NULL ? options->handle : handle);
    fill_body(w, options, &alert, &made.body);
    uint8_t payload[TCN_MAX_ENVELOPE_BYTES];
    size_t len = 0;
    expect(tcn_alert_encode(&alert, payload, sizeof(payload), &len, &fault), &fault, "alert");
    made.id = alert.meta.id;
    made.payload = keep_copy(w, payload, len);
    made.payload_hash = tcn_hash_of(made.payload);
    made.envelope = sign_as_asked(w, options, made.payload);
    return made;
}

tcn_bytes world_sign_alert(world *w, tcn_bytes payload, const char *const *names,
                           const tcn_role *roles, unsigned count)
{
    tcn_cose_signer signer[TCN_MAX_SIGNATURES];
    uint8_t header[TCN_MAX_SIGNATURES][64], envelope[TCN_MAX_FRAME_BYTES];
    size_t len = 0;
    for (unsigned i = 0; i < count && i < TCN_MAX_SIGNATURES; i++)
        tcn_cose_sign(TCN_OBJECT_ALERT, &w->program, payload, roles[i],
                      &world_secrets(w, names[i])->sign, &signer[i], header[i]);
    expect(
        tcn_cose_encode(TCN_OBJECT_ALERT, payload, signer, count, envelope, sizeof(envelope), &len),
        NULL, "envelope");
    return keep_copy(w, envelope, len);
}

tcn_bytes world_approval(world *w, tcn_bytes payload, const char *approver)
{
    uint8_t signature[256];
    size_t len = 0;
    expect(tcn_trust_approve(&w->program, payload, &world_secrets(w, approver)->sign, signature,
                             sizeof(signature), &len),
           NULL, "approval");
    return keep_copy(w, signature, len);
}

tcn_bytes world_approved(world *w, tcn_bytes envelope, const char *approver)
{
    tcn_cose cose;
    tcn_cose_signer signer;
    uint8_t more[TCN_MAX_ENVELOPE_BYTES];
    size_t len = 0;
    expect(tcn_cose_decode(envelope, TCN_OBJECT_ALERT, &cose), NULL, "envelope");
    tcn_bytes signature = world_approval(w, cose.payload, approver);
    expect(tcn_cose_signer_decode(signature, &signer), NULL, "signature");
    expect(tcn_trust_add_signer(envelope, &signer, more, sizeof(more), &len), NULL, "add signer");
    return keep_copy(w, more, len);
}

tcn_bytes world_ack(world *w, const char *name, const world_alert *alert, uint64_t counter,
                    tcn_answer answer)
{
    tcn_ack ack = {.alert = alert->id,
                   .payload_hash = alert->payload_hash,
                   .member = tcn_bytes_str(name),
                   .counter = counter,
                   .answer = answer,
                   .at = w->now};
    uint8_t envelope[2048];
    size_t len = 0;
    expect(tcn_ack_seal(&ack, &w->program, &world_secrets(w, name)->sign, envelope,
                        sizeof(envelope), &len),
           NULL, "ack");
    return keep_copy(w, envelope, len);
}
