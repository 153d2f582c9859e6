/* SPDX-License-Identifier: Apache-2.0 */
/* card.c - the table of a card's payload (docs/protocol.md §3) and what a card allows. */
#include "card.h"

#include <stdlib.h>
#include <string.h>

#include "authority.h"
#include "fields.h"
#include "grants.h"

#define ALG_EDDSA (-8)

const char *tcn_member_state_text(tcn_member_state state)
{
    switch (state) {
    case TCN_MEMBER_ACTIVE: return "active";
    case TCN_MEMBER_SUSPENDED: return "suspended";
    case TCN_MEMBER_RETIRED: return "retired";
    case TCN_MEMBER_COMPROMISED: return "compromised";
    }
    return "unknown";
}

/* ---- kinds of this module ---- */

static int64_t alg_of(tcn_key_use use)
{
    return use == TCN_KEY_SIGN ? ALG_EDDSA : 0;
}

/* [use, alg, public, from, until] */
static void get_key(tcn_cbor_reader *r, tcn_card_key *key)
{
    tcn_fields_get_tuple(r, 5);
    key->use = (tcn_key_use)tcn_cbor_get_uint_max(r, TCN_KEY_SEAL);
    if (key->use == 0 || tcn_cbor_get_int(r) != alg_of(key->use))
        tcn_cbor_fail(r, TCN_MALFORMED);
    tcn_hash public_bytes = tcn_cbor_get_hash(r);
    memcpy(key->public_bytes, public_bytes.b, sizeof(key->public_bytes));
    tcn_validity_get(r, &key->from, &key->until);
}

static bool same_key(const tcn_card_key *a, const tcn_card_key *b)
{
    return memcmp(a->public_bytes, b->public_bytes, sizeof(a->public_bytes)) == 0;
}

static void get_keys(const tcn_field_in *in)
{
    tcn_card *card = in->value;
    card->keys = (unsigned)tcn_cbor_get_array(in->r, TCN_MAX_KEYS_PER_MEMBER);
    if (card->keys == 0)
        tcn_cbor_fail(in->r, TCN_MALFORMED);
    for (unsigned i = 0; i < card->keys; i++) {
        get_key(in->r, &card->key[i]);
        for (unsigned j = 0; j < i; j++)
            if (same_key(&card->key[i], &card->key[j]))
                tcn_cbor_fail(in->r, TCN_MALFORMED);
    }
}

static void put_keys(const tcn_field_out *out)
{
    const tcn_card *card = out->value;
    tcn_cbor_put_array(out->w, card->keys);
    for (unsigned i = 0; i < card->keys; i++) {
        const tcn_card_key *key = &card->key[i];
        tcn_cbor_put_array(out->w, 5);
        tcn_cbor_put_uint(out->w, key->use);
        tcn_cbor_put_int(out->w, alg_of(key->use));
        tcn_cbor_put_bytes(out->w, tcn_bytes_of(key->public_bytes, sizeof(key->public_bytes)));
        tcn_validity_put(out->w, key->from, key->until);
    }
}

static void get_receive(const tcn_field_in *in)
{
    tcn_card *card = in->value;
    tcn_patterns_get(in->r, &card->receives, &card->receive);
}

static void put_receive(const tcn_field_out *out)
{
    const tcn_card *card = out->value;
    tcn_patterns_put(out->w, card->receives, (const tcn_pattern_row *)card->receive);
}

static void get_publish(const tcn_field_in *in)
{
    tcn_card *card = in->value;
    tcn_patterns_get(in->r, &card->publishes, &card->publish);
}

static void put_publish(const tcn_field_out *out)
{
    const tcn_card *card = out->value;
    tcn_patterns_put(out->w, card->publishes, (const tcn_pattern_row *)card->publish);
}

static void get_communities(const tcn_field_in *in)
{
    tcn_card *card = in->value;
    tcn_bytes previous = {NULL, 0};
    unsigned count = (unsigned)tcn_cbor_get_array(in->r, TCN_MAX_COMMUNITIES);
    for (unsigned i = 0; i < count; i++) {
        tcn_bytes name = tcn_fields_get_name(in->r, &previous);
        if (name.len > 0)
            memcpy(card->community[i], name.ptr, name.len);
    }
    card->communities = count;
}

static void put_communities(const tcn_field_out *out)
{
    const tcn_card *card = out->value;
    tcn_cbor_put_array(out->w, card->communities);
    for (unsigned i = 0; i < card->communities; i++)
        tcn_cbor_put_text(out->w, card->community[i]);
}

static void get_state(const tcn_field_in *in)
{
    tcn_card *card = in->value;
    tcn_state_get(in->r, &card->state, &card->since);
}

static void put_state(const tcn_field_out *out)
{
    const tcn_card *card = out->value;
    tcn_state_put(out->w, card->state, card->since);
}

static const tcn_field_kind kind_keys = {
    get_keys, put_keys, NULL,
    "1 to 8 [use, its algorithm, 32 bytes, from, a later until], each key once"};
static const tcn_field_kind kind_receive = {get_receive, put_receive, NULL,
                                            "at most 64 topic patterns"};
static const tcn_field_kind kind_publish = {get_publish, put_publish, NULL,
                                            "at most 64 topic patterns"};
static const tcn_field_kind kind_communities = {get_communities, put_communities, NULL,
                                                "at most 16 names, ascending"};
static const tcn_field_kind kind_state = {get_state, put_state, NULL, "[0] or [1..3, since]"};

/* ---- the card ---- */

#define C(key, name, kind, member, max)                                                            \
    TCN_FIELD(tcn_card, key, name, TCN_REQUIRED, kind, member, max)
#define C_ALL(key, name, kind) TCN_FIELD_ALL(key, name, TCN_REQUIRED, kind, 0)
#define ALL_MEMBER_ROLES                                                                           \
    (TCN_ROLE_PUBLISHER | TCN_ROLE_APPROVER | TCN_ROLE_NODE | TCN_ROLE_OPERATOR | TCN_ROLE_BROKER)

static const tcn_field card_table[] = {
    C(1, "program", tcn_as_id, program, 0),
    C(2, "member", tcn_as_name_str, name, 0),
    C(3, "version", tcn_as_uint, version, UINT64_MAX),
    C(4, "roles", tcn_as_choice, roles, ALL_MEMBER_ROLES),
    C_ALL(5, "keys", kind_keys),
    C(6, "clearance", tcn_as_choice, clearance, TCN_TLP_RED),
    C_ALL(7, "receive grants", kind_receive),
    C_ALL(8, "publish grants", kind_publish),
    C(9, "emergency grant", tcn_as_bool, emergency, 0),
    C_ALL(10, "communities", kind_communities),
    C(11, "audience id", tcn_as_id, audience_id, 0),
    C(12, "issued", tcn_as_wall, issued, 0),
    C(13, "expires", tcn_as_wall, expires, 0),
    C_ALL(14, "state", kind_state),
};

static const tcn_fields card_fields = TCN_FIELDS("card", card_table);

void tcn_card_fini(tcn_card *card)
{
    free(card->receive);
    free(card->publish);
    *card = (tcn_card){.receive = NULL};
}

tcn_err tcn_card_copy(const tcn_card *card, tcn_card *ret_card)
{
    tcn_card copy = *card;
    copy.receive = copy.publish = NULL;
    tcn_err err =
        tcn_patterns_copy(card->receives, (const tcn_pattern_row *)card->receive, &copy.receive);
    if (err == TCN_OK)
        err = tcn_patterns_copy(card->publishes, (const tcn_pattern_row *)card->publish,
                                &copy.publish);
    if (err != TCN_OK) {
        tcn_card_fini(&copy);
        return err;
    }
    *ret_card = copy;
    return TCN_OK;
}

tcn_err tcn_card_decode(tcn_bytes payload, tcn_card *ret_card, tcn_fault *fault)
{
    tcn_card card = {.receive = NULL};
    tcn_cbor_reader r;
    tcn_fields_begin(&r, payload, fault);
    if (payload.len > TCN_MAX_CARD_BYTES)
        return tcn_fault_set(fault, TCN_TOO_LARGE, "card: over %d bytes", TCN_MAX_CARD_BYTES);
    tcn_fields_get_map(&r, &card_fields, &card, fault);
    if (card.expires.unix_ms <= card.issued.unix_ms)
        tcn_fields_fail(&r, fault, TCN_MALFORMED, "card: expires must be after issued");
    tcn_err err = tcn_fields_done(&r, "card", fault);
    if (err != TCN_OK) {
        tcn_card_fini(&card);
        return err;
    }
    *ret_card = card;
    return TCN_OK;
}

tcn_err tcn_card_encode(const tcn_card *card, uint8_t *ret_payload, size_t cap, size_t *ret_len,
                        tcn_fault *fault)
{
    tcn_cbor_writer w;
    tcn_bytes payload;
    tcn_cbor_writer_init(&w, ret_payload, cap);
    tcn_fields_put_map(&w, &card_fields, card);
    tcn_err err = tcn_cbor_writer_done(&w, &payload);
    if (err != TCN_OK)
        return tcn_fault_set(fault, err, "card of %s: %s", card->name, tcn_err_text(err));
    tcn_card again;
    err = tcn_card_decode(payload, &again, fault);
    if (err != TCN_OK)
        return err;
    tcn_card_fini(&again);
    *ret_len = payload.len;
    return TCN_OK;
}

tcn_err tcn_card_open(tcn_bytes envelope, const tcn_sign_public *authority, tcn_card *ret_card,
                      tcn_fault *fault)
{
    tcn_bytes payload;
    tcn_card card;
    tcn_err err = tcn_authority_open(TCN_OBJECT_CARD, envelope, TCN_MAX_CARD_BYTES, authority,
                                     &payload, fault);
    if (err == TCN_OK)
        err = tcn_card_decode(payload, &card, fault);
    if (err != TCN_OK)
        return err;
    err = tcn_authority_check_program(&card.program, authority, "card", fault);
    if (err != TCN_OK) {
        tcn_card_fini(&card);
        return err;
    }
    *ret_card = card;
    return TCN_OK;
}

/* ---- what a card allows ---- */

const tcn_card_key *tcn_card_key_at(const tcn_card *card, tcn_key_use use, tcn_wall at)
{
    const tcn_card_key *best = NULL;
    for (unsigned i = 0; i < card->keys; i++) {
        const tcn_card_key *key = &card->key[i];
        if (key->use == use && tcn_validity_has(key->from, key->until, at) &&
            (best == NULL || key->until.unix_ms > best->until.unix_ms))
            best = key;
    }
    return best;
}

bool tcn_card_is_valid(const tcn_card *card, tcn_wall at)
{
    return card->state == TCN_MEMBER_ACTIVE && at.unix_ms < card->expires.unix_ms;
}

bool tcn_card_may_receive(const tcn_card *card, tcn_bytes topic)
{
    return tcn_patterns_match(card->receives, (const tcn_pattern_row *)card->receive, topic);
}

bool tcn_card_may_publish(const tcn_card *card, tcn_bytes topic)
{
    return tcn_patterns_match(card->publishes, (const tcn_pattern_row *)card->publish, topic);
}

bool tcn_card_has_community(const tcn_card *card, tcn_bytes community)
{
    for (unsigned i = 0; i < card->communities; i++)
        if (tcn_bytes_equal(tcn_bytes_str(card->community[i]), community))
            return true;
    return false;
}
