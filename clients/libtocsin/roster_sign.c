/* SPDX-License-Identifier: Apache-2.0 */
/* roster_sign.c - the authority's side of roster.h: signs cards, roster and bundle anew and puts
 * them into a trust file. What did not change keeps its bytes. */
#include <stdlib.h>
#include <string.h>

#include "authority.h"
#include "roster.h"

#define ISSUER_ROLES (TCN_ROLE_PUBLISHER | TCN_ROLE_APPROVER | TCN_ROLE_BROKER)
#define ENTRY_BYTES (1 + 2 + TCN_MAX_NAME_CHARS + 2 + 32)
#define HEADER_BYTES 256 /* the rest of a roster's payload */

/* One signing under way. Cards are sorted by name. */
typedef struct {
    const tcn_roster_draft *draft;
    const tcn_sign_secret *authority;
    const tcn_roster *previous;
    tcn_id program;
    const tcn_card **card;
    tcn_buf cards;   /* encoded items of the trust file's third array */
    tcn_buf entries; /* encoded items of the roster's key 6 */
    tcn_fault *fault;
} signing;

static tcn_err out_of_memory(const signing *s)
{
    return tcn_fault_set(s->fault, TCN_NO_MEMORY, "trust file: out of memory");
}

static int compare_cards(const void *a, const void *b)
{
    return strcmp((*(const tcn_card *const *)a)->name, (*(const tcn_card *const *)b)->name);
}

static tcn_err sort_cards(signing *s)
{
    const tcn_roster_draft *draft = s->draft;
    if (draft->cards > TCN_MAX_MEMBERS)
        return tcn_fault_set(s->fault, TCN_TOO_LARGE, "roster: over %d members", TCN_MAX_MEMBERS);
    s->card = calloc(draft->cards + 1, sizeof(const tcn_card *));
    if (s->card == NULL)
        return out_of_memory(s);
    for (size_t i = 0; i < draft->cards; i++)
        s->card[i] = &draft->card[i];
    qsort(s->card, draft->cards, sizeof(const tcn_card *), compare_cards);
    for (size_t i = 1; i < draft->cards; i++)
        if (compare_cards(&s->card[i - 1], &s->card[i]) == 0)
            return tcn_fault_set(s->fault, TCN_CONFLICT, "roster: two members are named %s",
                                 s->card[i]->name);
    return TCN_OK;
}

/* ---- cards ---- */

/* The envelope that a card of the same version already has; empty if there is none. */
static tcn_err signed_before(const signing *s, const tcn_card *card, tcn_bytes payload,
                             tcn_bytes *ret_envelope)
{
    size_t at = s->previous != NULL ? tcn_roster_find(s->previous, card->name) : SIZE_MAX;
    *ret_envelope = tcn_bytes_of(NULL, 0);
    if (at == SIZE_MAX || tcn_roster_member(s->previous, at)->version != card->version)
        return TCN_OK;
    uint8_t bytes[TCN_MAX_CARD_BYTES];
    size_t len;
    tcn_err err =
        tcn_card_encode(tcn_roster_member(s->previous, at), bytes, sizeof(bytes), &len, s->fault);
    if (err != TCN_OK)
        return err;
    if (!tcn_bytes_equal(tcn_bytes_of(bytes, len), payload))
        return tcn_fault_set(s->fault, TCN_CONFLICT,
                             "card of %s: changed, but its version is still %llu", card->name,
                             (unsigned long long)card->version);
    *ret_envelope = tcn_roster_card_envelope(s->previous, at);
    return TCN_OK;
}

static tcn_err append_card(signing *s, const tcn_card *card, tcn_bytes envelope)
{
    uint8_t item[TCN_MAX_CARD_BYTES + 8], entry[ENTRY_BYTES];
    tcn_cose cose;
    tcn_bytes item_bytes, entry_bytes;
    tcn_err err = tcn_cose_decode(envelope, TCN_OBJECT_CARD, &cose);
    if (err != TCN_OK)
        return tcn_fault_set(s->fault, err, "card of %s: %s", card->name, tcn_err_text(err));
    tcn_hash hash = tcn_hash_of(cose.payload);
    tcn_cbor_writer w;
    tcn_cbor_writer_init(&w, item, sizeof(item));
    tcn_cbor_put_bytes(&w, envelope);
    err = tcn_cbor_writer_done(&w, &item_bytes);
    tcn_cbor_writer_init(&w, entry, sizeof(entry));
    tcn_cbor_put_array(&w, 2);
    tcn_cbor_put_text(&w, card->name);
    tcn_cbor_put_hash(&w, &hash);
    if (err == TCN_OK)
        err = tcn_cbor_writer_done(&w, &entry_bytes);
    if (err == TCN_OK)
        err = tcn_buf_append(&s->cards, item_bytes);
    if (err == TCN_OK)
        err = tcn_buf_append(&s->entries, entry_bytes);
    if (err != TCN_OK)
        return tcn_fault_set(s->fault, err, "card of %s: %s", card->name, tcn_err_text(err));
    return TCN_OK;
}

static tcn_err sign_card(signing *s, const tcn_card *card)
{
    uint8_t bytes[TCN_MAX_CARD_BYTES];
    size_t len;
    tcn_bytes envelope;
    if (!tcn_id_equal(&card->program, &s->program))
        return tcn_fault_set(s->fault, TCN_WRONG_PROGRAM,
                             "card of %s: belongs to another program than the authority's key",
                             card->name);
    tcn_err err = tcn_card_encode(card, bytes, sizeof(bytes), &len, s->fault);
    if (err == TCN_OK)
        err = signed_before(s, card, tcn_bytes_of(bytes, len), &envelope);
    if (err != TCN_OK)
        return err;
    if (envelope.len > 0)
        return append_card(s, card, envelope);
    uint8_t *fresh = NULL;
    size_t fresh_len = 0;
    err = tcn_authority_seal(TCN_OBJECT_CARD, tcn_bytes_of(bytes, len), TCN_MAX_CARD_BYTES,
                             s->authority, &fresh, &fresh_len);
    if (err != TCN_OK)
        return tcn_fault_set(s->fault, err, "card of %s: %s", card->name, tcn_err_text(err));
    err = append_card(s, card, tcn_bytes_of(fresh, fresh_len));
    free(fresh);
    return err;
}

/* ---- roster ---- */

static tcn_err sign_roster(signing *s, uint8_t **ret_envelope, size_t *ret_len)
{
    const tcn_roster_draft *draft = s->draft;
    tcn_bytes entries = tcn_buf_bytes(&s->entries), payload;
    size_t cap = entries.len + HEADER_BYTES;
    uint8_t *bytes = malloc(cap);
    if (bytes == NULL)
        return out_of_memory(s);
    tcn_cbor_writer w;
    tcn_cbor_writer_init(&w, bytes, cap);
    tcn_cbor_put_map(&w, 6);
    tcn_cbor_put_uint(&w, 1);
    tcn_cbor_put_id(&w, &s->program);
    tcn_cbor_put_uint(&w, 2);
    tcn_cbor_put_text(&w, draft->program_name);
    tcn_cbor_put_uint(&w, 3);
    tcn_cbor_put_uint(&w, draft->version);
    tcn_cbor_put_uint(&w, 4);
    tcn_cbor_put_int(&w, draft->issued.unix_ms);
    tcn_cbor_put_uint(&w, 5);
    tcn_cbor_put_int(&w, draft->expires.unix_ms);
    tcn_cbor_put_uint(&w, 6);
    tcn_cbor_put_array(&w, draft->cards);
    tcn_cbor_put_raw(&w, entries);
    tcn_err err = tcn_cbor_writer_done(&w, &payload);
    if (err == TCN_OK)
        err = tcn_authority_seal(TCN_OBJECT_ROSTER, payload, TCN_MAX_ROSTER_BYTES, s->authority,
                                 ret_envelope, ret_len);
    free(bytes);
    if (err != TCN_OK)
        tcn_fault_set(s->fault, err, "roster: %s", tcn_err_text(err));
    return err;
}

/* ---- bundle ---- */

/* The issuer borrows the card's patterns. */
static tcn_err issuer_of(const signing *s, const tcn_card *card, tcn_issuer *ret_issuer)
{
    tcn_issuer issuer = {.roles = card->roles & ISSUER_ROLES,
                         .publishes = card->publishes,
                         .publish = card->publish,
                         .max_tlp = card->clearance,
                         .emergency = card->emergency,
                         .state = card->state,
                         .since = card->since};
    memcpy(issuer.name, card->name, sizeof(issuer.name));
    for (unsigned i = 0; i < card->keys; i++) {
        const tcn_card_key *key = &card->key[i];
        if (key->use != TCN_KEY_SIGN)
            continue;
        memcpy(issuer.key[issuer.keys].public_key.b, key->public_bytes, sizeof(key->public_bytes));
        issuer.key[issuer.keys].from = key->from;
        issuer.key[issuer.keys].until = key->until;
        issuer.keys++;
    }
    if (issuer.keys == 0)
        return tcn_fault_set(s->fault, TCN_INVALID,
                             "card of %s: its roles need a key to sign with; add one", card->name);
    *ret_issuer = issuer;
    return TCN_OK;
}

/* Members that may issue something, whatever their state: what they signed before must verify. */
static tcn_err collect_issuers(const signing *s, tcn_bundle *bundle)
{
    bundle->issuer = calloc(s->draft->cards + 1, sizeof(*bundle->issuer));
    if (bundle->issuer == NULL)
        return out_of_memory(s);
    for (size_t i = 0; i < s->draft->cards; i++) {
        if ((s->card[i]->roles & ISSUER_ROLES) == 0)
            continue;
        tcn_err err = issuer_of(s, s->card[i], &bundle->issuer[bundle->issuers]);
        if (err != TCN_OK)
            return err;
        bundle->issuers++;
    }
    return TCN_OK;
}

static tcn_err sign_bundle(const signing *s, uint8_t **ret_envelope, size_t *ret_len)
{
    const tcn_roster_draft *draft = s->draft;
    tcn_bundle bundle = {.program = s->program,
                         .version = draft->version,
                         .issued = draft->issued,
                         .expires = draft->expires,
                         .brokers = draft->brokers,
                         .policy = draft->policy};
    if (strlen(draft->program_name) > TCN_MAX_NAME_CHARS)
        return tcn_fault_set(s->fault, TCN_TOO_LARGE, "roster: the program's name is over %d bytes",
                             TCN_MAX_NAME_CHARS);
    memcpy(bundle.program_name, draft->program_name, strlen(draft->program_name) + 1);
    uint8_t *payload = NULL;
    size_t len = 0;
    tcn_err err = collect_issuers(s, &bundle);
    if (err == TCN_OK) {
        bundle.broker = (tcn_broker_entry *)draft->broker; /* borrowed, read only */
        err = tcn_bundle_encode(&bundle, &payload, &len, s->fault);
    }
    free(bundle.issuer);
    if (err != TCN_OK)
        return err;
    err = tcn_authority_seal(TCN_OBJECT_BUNDLE, tcn_bytes_of(payload, len), TCN_MAX_BUNDLE_BYTES,
                             s->authority, ret_envelope, ret_len);
    free(payload);
    if (err != TCN_OK)
        tcn_fault_set(s->fault, err, "bundle: %s", tcn_err_text(err));
    return err;
}

/* ---- the file ---- */

static tcn_err write_file(const signing *s, tcn_bytes roster, tcn_bytes bundle, uint8_t **ret_file,
                          size_t *ret_len)
{
    tcn_bytes cards = tcn_buf_bytes(&s->cards), file;
    size_t cap = roster.len + bundle.len + cards.len + 64;
    uint8_t *bytes = malloc(cap);
    if (bytes == NULL)
        return out_of_memory(s);
    tcn_cbor_writer w;
    tcn_cbor_writer_init(&w, bytes, cap);
    tcn_cbor_put_array(&w, 3);
    tcn_cbor_put_bytes(&w, roster);
    tcn_cbor_put_bytes(&w, bundle);
    tcn_cbor_put_array(&w, s->draft->cards);
    tcn_cbor_put_raw(&w, cards);
    tcn_err err = tcn_cbor_writer_done(&w, &file);
    if (err == TCN_OK && file.len > TCN_MAX_ROSTER_BYTES)
        err = TCN_TOO_LARGE;
    if (err != TCN_OK) {
        free(bytes);
        return tcn_fault_set(s->fault, err, "trust file: %s", tcn_err_text(err));
    }
    *ret_file = bytes;
    *ret_len = file.len;
    return TCN_OK;
}

static tcn_err sign_all(signing *s, uint8_t **ret_file, size_t *ret_len)
{
    uint8_t *roster = NULL, *bundle = NULL;
    size_t roster_len = 0, bundle_len = 0;
    tcn_err err = sort_cards(s);
    for (size_t i = 0; i < s->draft->cards && err == TCN_OK; i++)
        err = sign_card(s, s->card[i]);
    if (err == TCN_OK)
        err = sign_bundle(s, &bundle, &bundle_len);
    if (err == TCN_OK)
        err = sign_roster(s, &roster, &roster_len);
    if (err == TCN_OK)
        err = write_file(s, tcn_bytes_of(roster, roster_len), tcn_bytes_of(bundle, bundle_len),
                         ret_file, ret_len);
    free(roster);
    free(bundle);
    return err;
}

tcn_err tcn_roster_sign(const tcn_roster_draft *draft, const tcn_sign_secret *authority,
                        const tcn_roster *previous, uint8_t **ret_file, size_t *ret_len,
                        tcn_fault *fault)
{
    signing s = {.draft = draft, .authority = authority, .previous = previous, .fault = fault};
    tcn_sign_public public_key;
    tcn_sign_public_of(authority, &public_key);
    s.program = tcn_kid(&public_key);
    tcn_buf_init(&s.cards, TCN_MAX_ROSTER_BYTES);
    tcn_buf_init(&s.entries, TCN_MAX_ROSTER_BYTES);
    uint8_t *file = NULL;
    size_t len = 0;
    tcn_roster *again = NULL;
    tcn_err err = sign_all(&s, &file, &len);
    /* Nobody must be handed what no broker opens: two members with one key, for instance. */
    if (err == TCN_OK)
        err = tcn_roster_open_own(tcn_bytes_of(file, len), &public_key, &again, fault);
    tcn_roster_unref(&again);
    free(s.card);
    tcn_buf_fini(&s.cards);
    tcn_buf_fini(&s.entries);
    if (err != TCN_OK) {
        free(file);
        return err;
    }
    *ret_file = file;
    *ret_len = len;
    return TCN_OK;
}
