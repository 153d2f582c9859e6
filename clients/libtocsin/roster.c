/* SPDX-License-Identifier: Apache-2.0 */
/* roster.c - opens a trust file into an immutable snapshot. Signing one is in roster_sign.c.
 *
 *   trust file  [ roster envelope, bundle envelope, [ card envelope... ] ]   cards in roster order
 *   roster      { 1: program, 2: its name, 3: version, 4: issued, 5: expires,
 *                 6: [ [ name, SHA-256 of the card's payload ]... ] } */
#include "roster.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "authority.h"
#include "fields.h"
#include "grants.h"

#define ENTRY_LEAST_BYTES 37 /* [ name of one character, hash ] */

/* A slot of the hash table over every public key of every member. */
typedef struct {
    uint32_t member_plus_1; /* 0: empty */
    uint32_t key;
} key_slot;

struct tcn_roster {
    atomic_uint references;
    bool by_hash;  /* cards count by their hash alone */
    uint8_t *file; /* everything below views it or was decoded from it */
    tcn_bytes bundle_envelope;
    tcn_id program;
    char program_name[TCN_MAX_NAME_CHARS + 1];
    uint64_t version;
    tcn_wall issued, expires;
    tcn_bundle bundle;
    size_t entries; /* in the roster, before the cards are read */
    tcn_bytes entry_bytes;
    size_t members;
    tcn_card *card;
    tcn_bytes *card_envelope;
    size_t slots; /* a power of two, at least twice the keys */
    key_slot *slot;
};

/* ---- lifetime ---- */

static void roster_free(tcn_roster *roster)
{
    for (size_t i = 0; i < roster->members; i++)
        tcn_card_fini(&roster->card[i]);
    tcn_bundle_fini(&roster->bundle);
    free(roster->card);
    free(roster->card_envelope);
    free(roster->slot);
    free(roster->file);
    free(roster);
}

tcn_roster *tcn_roster_ref(tcn_roster *roster)
{
    atomic_fetch_add_explicit(&roster->references, 1, memory_order_relaxed);
    return roster;
}

void tcn_roster_unref(tcn_roster **roster)
{
    /* Who drops the last reference must see what every other thread did before dropping its own. */
    if (*roster != NULL &&
        atomic_fetch_sub_explicit(&(*roster)->references, 1, memory_order_acq_rel) == 1)
        roster_free(*roster);
    *roster = NULL;
}

/* ---- the roster's payload ---- */

/* Entries stay encoded; each is compared with its card when the cards are read. */
static void get_entries(const tcn_field_in *in)
{
    tcn_roster *roster = in->value;
    tcn_cbor_reader *r = in->r;
    tcn_bytes previous = {NULL, 0};
    size_t most = (r->len - r->pos) / ENTRY_LEAST_BYTES;
    roster->entries = tcn_cbor_get_array(r, most < TCN_MAX_MEMBERS ? most : TCN_MAX_MEMBERS);
    size_t from = r->pos;
    for (size_t i = 0; i < roster->entries && r->err == TCN_OK; i++) {
        tcn_fields_get_tuple(r, 2);
        (void)tcn_fields_get_name(r, &previous);
        (void)tcn_cbor_get_hash(r);
    }
    if (r->err == TCN_OK)
        roster->entry_bytes = tcn_bytes_of(r->ptr + from, r->pos - from);
}

static const tcn_field_kind kind_entries = {get_entries, NULL, NULL,
                                            "[name, hash] pairs, names ascending"};

#define R(key, name, kind, member, max)                                                            \
    TCN_FIELD(tcn_roster, key, name, TCN_REQUIRED, kind, member, max)
static const tcn_field roster_table[] = {
    R(1, "program", tcn_as_id, program, 0),
    R(2, "program's name", tcn_as_str, program_name, TCN_MAX_NAME_CHARS),
    R(3, "version", tcn_as_uint, version, UINT64_MAX),
    R(4, "issued", tcn_as_wall, issued, 0),
    R(5, "expires", tcn_as_wall, expires, 0),
    TCN_FIELD_ALL(6, "members", TCN_REQUIRED, kind_entries, 0),
};
static const tcn_fields roster_fields = TCN_FIELDS("roster", roster_table);

static tcn_err open_roster(tcn_roster *roster, tcn_bytes envelope, const tcn_sign_public *authority,
                           tcn_fault *fault)
{
    tcn_bytes payload;
    tcn_err err = tcn_authority_open(TCN_OBJECT_ROSTER, envelope, TCN_MAX_ROSTER_BYTES, authority,
                                     &payload, fault);
    if (err != TCN_OK)
        return err;
    tcn_cbor_reader r;
    tcn_fields_begin(&r, payload, fault);
    tcn_fields_get_map(&r, &roster_fields, roster, fault);
    if (roster->version == 0)
        tcn_fields_fail(&r, fault, TCN_MALFORMED, "roster: versions begin with 1");
    if (roster->expires.unix_ms <= roster->issued.unix_ms)
        tcn_fields_fail(&r, fault, TCN_MALFORMED, "roster: expires must be after issued");
    err = tcn_fields_done(&r, "roster", fault);
    if (err == TCN_OK)
        err = tcn_authority_check_program(&roster->program, authority, "roster", fault);
    return err;
}

static tcn_err open_bundle(tcn_roster *roster, tcn_bytes envelope, const tcn_sign_public *authority,
                           tcn_fault *fault)
{
    tcn_err err = tcn_bundle_open(envelope, authority, &roster->bundle, fault);
    if (err != TCN_OK)
        return err;
    roster->bundle_envelope = envelope;
    if (roster->bundle.version != roster->version)
        return tcn_fault_set(
            fault, TCN_MALFORMED,
            "trust file: roster and bundle have different versions; export it anew");
    if (strcmp(roster->bundle.program_name, roster->program_name) != 0)
        return tcn_fault_set(fault, TCN_MALFORMED,
                             "trust file: roster and bundle have different program names");
    return TCN_OK;
}

/* ---- cards ---- */

/* The payload of a card's envelope; what is not checked here is checked by the roster's hash. */
static tcn_err open_envelope(const tcn_roster *roster, tcn_bytes envelope,
                             const tcn_sign_public *authority, tcn_bytes *ret_payload,
                             tcn_fault *fault)
{
    tcn_cose cose;
    if (!roster->by_hash)
        return tcn_authority_open(TCN_OBJECT_CARD, envelope, TCN_MAX_CARD_BYTES, authority,
                                  ret_payload, fault);
    tcn_err err = tcn_cose_decode(envelope, TCN_OBJECT_CARD, &cose);
    if (err != TCN_OK)
        return tcn_fault_set(fault, err, "card: %s", tcn_err_text(err));
    *ret_payload = cose.payload;
    return TCN_OK;
}

/* Opens the next card and compares it with the roster's next entry. */
static tcn_err open_card(tcn_roster *roster, tcn_bytes envelope, tcn_cbor_reader *entries,
                         const tcn_sign_public *authority, tcn_fault *fault)
{
    tcn_fields_get_tuple(entries, 2);
    tcn_bytes name = tcn_cbor_get_text(entries, TCN_MAX_NAME_CHARS);
    tcn_hash expected = tcn_cbor_get_hash(entries), hash;
    tcn_card *card = &roster->card[roster->members];
    tcn_bytes payload;
    tcn_err err = open_envelope(roster, envelope, authority, &payload, fault);
    if (err == TCN_OK)
        err = tcn_card_decode(payload, card, fault);
    if (err != TCN_OK)
        return err;
    roster->card_envelope[roster->members++] = envelope;
    hash = tcn_hash_of(payload);
    if (!tcn_bytes_equal(tcn_bytes_str(card->name), name))
        return tcn_fault_set(fault, TCN_MALFORMED,
                             "trust file: the card of %s stands where the roster has %.*s",
                             card->name, (int)name.len, (const char *)name.ptr);
    if (!tcn_hash_equal(&hash, &expected))
        return tcn_fault_set(fault, TCN_HASH_MISMATCH,
                             "trust file: the card of %s is not the one in the roster", card->name);
    return tcn_authority_check_program(&card->program, authority, "card", fault);
}

static tcn_err open_cards(tcn_roster *roster, tcn_cbor_reader *r, const tcn_sign_public *authority,
                          tcn_fault *fault)
{
    size_t cards = tcn_cbor_get_array(r, TCN_MAX_MEMBERS);
    if (r->err == TCN_OK && cards != roster->entries)
        return tcn_fault_set(fault, TCN_MALFORMED,
                             "trust file: %zu cards for the roster's %zu members; export it anew",
                             cards, roster->entries);
    roster->card = calloc(cards + 1, sizeof(*roster->card));
    roster->card_envelope = calloc(cards + 1, sizeof(*roster->card_envelope));
    if (roster->card == NULL || roster->card_envelope == NULL)
        return tcn_fault_set(fault, TCN_NO_MEMORY, "trust file: out of memory");
    tcn_cbor_reader entries;
    tcn_cbor_reader_init(&entries, roster->entry_bytes);
    for (size_t i = 0; i < cards && r->err == TCN_OK; i++) {
        tcn_bytes envelope = tcn_cbor_get_bytes(r, TCN_MAX_CARD_BYTES);
        if (r->err != TCN_OK)
            break;
        tcn_err err = open_card(roster, envelope, &entries, authority, fault);
        if (err != TCN_OK)
            return err;
    }
    return tcn_fields_done(r, "trust file", fault);
}

/* ---- the index of keys ---- */

static const tcn_card_key *key_in(const tcn_roster *roster, const key_slot *slot)
{
    return &roster->card[slot->member_plus_1 - 1].key[slot->key];
}

/* The slot that has this key, or the empty one where it belongs. A key is 32 bytes that only its
 * holder can have chosen, and at most 8 of a member are signed: no need for a secret hash. */
static key_slot *slot_for(const tcn_roster *roster, const uint8_t key[static 32])
{
    uint64_t hash;
    memcpy(&hash, key, sizeof(hash));
    for (size_t i = (size_t)hash & (roster->slots - 1);; i = (i + 1) & (roster->slots - 1)) {
        key_slot *slot = &roster->slot[i];
        if (slot->member_plus_1 == 0 || memcmp(key_in(roster, slot)->public_bytes, key, 32) == 0)
            return slot;
    }
}

static tcn_err index_keys(tcn_roster *roster, tcn_fault *fault)
{
    size_t keys = 0;
    for (size_t i = 0; i < roster->members; i++)
        keys += roster->card[i].keys;
    for (roster->slots = 16; roster->slots < 2 * keys; roster->slots *= 2)
        ;
    roster->slot = calloc(roster->slots, sizeof(*roster->slot));
    if (roster->slot == NULL)
        return tcn_fault_set(fault, TCN_NO_MEMORY, "trust file: out of memory");
    for (size_t i = 0; i < roster->members; i++) {
        for (unsigned k = 0; k < roster->card[i].keys; k++) {
            key_slot *slot = slot_for(roster, roster->card[i].key[k].public_bytes);
            if (slot->member_plus_1 != 0)
                return tcn_fault_set(fault, TCN_CONFLICT,
                                     "trust file: %s and %s have the same key; one needs another",
                                     roster->card[slot->member_plus_1 - 1].name,
                                     roster->card[i].name);
            *slot = (key_slot){(uint32_t)i + 1, k};
        }
    }
    return TCN_OK;
}

/* ---- opening ---- */

static tcn_err open_file(tcn_roster *roster, tcn_bytes file, const tcn_sign_public *authority,
                         tcn_fault *fault)
{
    tcn_cbor_reader r;
    tcn_fields_begin(&r, file, fault);
    tcn_fields_get_tuple(&r, 3);
    tcn_bytes roster_envelope = tcn_cbor_get_bytes(&r, TCN_MAX_ROSTER_BYTES);
    tcn_bytes bundle_envelope = tcn_cbor_get_bytes(&r, TCN_MAX_BUNDLE_BYTES);
    if (r.err != TCN_OK)
        return tcn_fields_done(&r, "trust file", fault);
    tcn_err err = open_roster(roster, roster_envelope, authority, fault);
    if (err == TCN_OK)
        err = open_bundle(roster, bundle_envelope, authority, fault);
    if (err == TCN_OK)
        err = open_cards(roster, &r, authority, fault);
    if (err == TCN_OK)
        err = index_keys(roster, fault);
    return err;
}

static tcn_err open_any(tcn_bytes file, const tcn_sign_public *authority, bool by_hash,
                        tcn_roster **ret_roster, tcn_fault *fault)
{
    if (file.len > TCN_MAX_ROSTER_BYTES)
        return tcn_fault_set(fault, TCN_TOO_LARGE, "trust file: over %d bytes",
                             TCN_MAX_ROSTER_BYTES);
    tcn_roster *roster = calloc(1, sizeof(*roster));
    if (roster == NULL || tcn_bytes_copy(file, &roster->file) != TCN_OK) {
        free(roster);
        return tcn_fault_set(fault, TCN_NO_MEMORY, "trust file: out of memory");
    }
    atomic_init(&roster->references, 1);
    roster->by_hash = by_hash;
    tcn_err err = open_file(roster, tcn_bytes_of(roster->file, file.len), authority, fault);
    if (err != TCN_OK) {
        roster_free(roster);
        return err;
    }
    *ret_roster = roster;
    return TCN_OK;
}

tcn_err tcn_roster_open(tcn_bytes file, const tcn_sign_public *authority, tcn_roster **ret_roster,
                        tcn_fault *fault)
{
    return open_any(file, authority, false, ret_roster, fault);
}

tcn_err tcn_roster_open_own(tcn_bytes file, const tcn_sign_public *authority,
                            tcn_roster **ret_roster, tcn_fault *fault)
{
    return open_any(file, authority, true, ret_roster, fault);
}

/* ---- reading ---- */

uint64_t tcn_roster_version(const tcn_roster *roster)
{
    return roster->version;
}

tcn_wall tcn_roster_issued(const tcn_roster *roster)
{
    return roster->issued;
}

tcn_wall tcn_roster_expires(const tcn_roster *roster)
{
    return roster->expires;
}

const tcn_bundle *tcn_roster_bundle(const tcn_roster *roster)
{
    return &roster->bundle;
}

tcn_bytes tcn_roster_bundle_envelope(const tcn_roster *roster)
{
    return roster->bundle_envelope;
}

size_t tcn_roster_members(const tcn_roster *roster)
{
    return roster->members;
}

const tcn_card *tcn_roster_member(const tcn_roster *roster, size_t index)
{
    TCN_REQUIRE(index < roster->members);
    return &roster->card[index];
}

tcn_bytes tcn_roster_card_envelope(const tcn_roster *roster, size_t index)
{
    TCN_REQUIRE(index < roster->members);
    return roster->card_envelope[index];
}

size_t tcn_roster_find(const tcn_roster *roster, const char *name)
{
    size_t low = 0, high = roster->members;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = strcmp(roster->card[middle].name, name);
        if (order == 0)
            return middle;
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return SIZE_MAX;
}

size_t tcn_roster_find_transport(const tcn_roster *roster, const tcn_box_public *key, tcn_wall at)
{
    const key_slot *slot = slot_for(roster, key->b);
    if (slot->member_plus_1 == 0)
        return SIZE_MAX;
    const tcn_card_key *found = key_in(roster, slot);
    size_t index = slot->member_plus_1 - 1;
    bool valid = found->use == TCN_KEY_TRANSPORT &&
                 tcn_validity_has(found->from, found->until, at) &&
                 tcn_card_is_valid(&roster->card[index], at);
    return valid ? index : SIZE_MAX;
}
