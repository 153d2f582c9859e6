/* SPDX-License-Identifier: Apache-2.0 */
/* ack.c - the table of an ack's payload (docs/protocol.md §3); who may have signed it. */
#include "ack.h"

#include <string.h>

#include "fields.h"
#include "grants.h"

#define PAYLOAD_BYTES 1536 /* the largest ack that the limits of by and note allow is smaller */

const char *tcn_answer_text(tcn_answer answer)
{
    switch (answer) {
#define X(name, number, word)                                                                      \
    case TCN_ANSWER_##name: return word;
        TCN_ANSWER_TABLE(X)
#undef X
    }
    return "unknown";
}

tcn_err tcn_answer_parse(const char *word, tcn_answer *ret_answer)
{
#define X(name, number, text)                                                                      \
    if (strcmp(word, text) == 0) {                                                                 \
        *ret_answer = TCN_ANSWER_##name;                                                           \
        return TCN_OK;                                                                             \
    }
    TCN_ANSWER_TABLE(X)
#undef X
    return TCN_INVALID;
}

#define A(key, name, kind, member, max)                                                            \
    TCN_FIELD(tcn_ack, key, name, TCN_REQUIRED, kind, member, max)
#define A_OPT(key, name, kind, member, max)                                                        \
    TCN_FIELD(tcn_ack, key, name, TCN_OPTIONAL, kind, member, max)

static const tcn_field ack_table[] = {
    A(1, "alert", tcn_as_id, alert, 0),
    A(2, "payload hash", tcn_as_hash, payload_hash, 0),
    A(3, "member", tcn_as_name, member, 0),
    A(4, "counter", tcn_as_uint, counter, UINT64_MAX),
    A(5, "answer", tcn_as_choice, answer, TCN_ANSWER_HELP),
    A_OPT(6, "by", tcn_as_text, by, TCN_MAX_TITLE_BYTES),
    A_OPT(7, "note", tcn_as_text, note, TCN_MAX_NOTE_BYTES),
    A(8, "time", tcn_as_wall, at, 0),
    A(9, "by rule", tcn_as_bool, by_rule, 0),
};
static const tcn_fields ack_fields = TCN_FIELDS("ack", ack_table);

static tcn_err decode(tcn_bytes payload, tcn_ack *ret_ack, tcn_fault *fault)
{
    tcn_ack ack = {.by_rule = false};
    tcn_cbor_reader r;
    tcn_fields_begin(&r, payload, fault);
    if (payload.len > PAYLOAD_BYTES)
        return tcn_fault_set(fault, TCN_TOO_LARGE, "ack: over %d bytes", PAYLOAD_BYTES);
    tcn_fields_get_map(&r, &ack_fields, &ack, fault);
    tcn_err err = tcn_fields_done(&r, "ack", fault);
    if (err == TCN_OK)
        *ret_ack = ack;
    return err;
}

tcn_err tcn_ack_seal(const tcn_ack *ack, const tcn_id *program, const tcn_sign_secret *secret,
                     uint8_t *ret_envelope, size_t cap, size_t *ret_len)
{
    uint8_t bytes[PAYLOAD_BYTES];
    tcn_cbor_writer w;
    tcn_bytes payload;
    tcn_ack again;
    tcn_cbor_writer_init(&w, bytes, sizeof(bytes));
    tcn_fields_put_map(&w, &ack_fields, ack);
    tcn_err err = tcn_cbor_writer_done(&w, &payload);
    if (err == TCN_OK)
        err = decode(payload, &again, NULL); /* what is written is always read */
    if (err == TCN_OK)
        err = tcn_cose_seal(TCN_OBJECT_ACK, program, payload, TCN_ROLE_NODE, secret, ret_envelope,
                            cap, ret_len);
    return err;
}

tcn_err tcn_ack_peek(tcn_bytes envelope, tcn_ack *ret_ack)
{
    tcn_cose cose;
    tcn_err err = tcn_cose_decode(envelope, TCN_OBJECT_ACK, &cose);
    return err == TCN_OK ? decode(cose.payload, ret_ack, NULL) : err;
}

/* The card's key that this kid names; NULL if it has none such. */
static const tcn_card_key *key_of(const tcn_card *card, const tcn_id *kid,
                                  tcn_sign_public *ret_public)
{
    for (unsigned i = 0; i < card->keys; i++) {
        if (card->key[i].use != TCN_KEY_SIGN)
            continue;
        memcpy(ret_public->b, card->key[i].public_bytes, sizeof(ret_public->b));
        tcn_id own = tcn_kid(ret_public);
        if (tcn_id_equal(&own, kid))
            return &card->key[i];
    }
    return NULL;
}

static tcn_err check_member(const tcn_card *card, tcn_wall now, tcn_fault *fault)
{
    if ((card->roles & TCN_ROLE_NODE) == 0)
        return tcn_fault_set(fault, TCN_WRONG_ROLE, "ack: %s does not have the role node",
                             card->name);
    if (card->state != TCN_MEMBER_ACTIVE)
        return tcn_fault_set(fault, TCN_REVOKED, "ack: %s is %s", card->name,
                             tcn_member_state_text(card->state));
    if (!tcn_card_is_valid(card, now))
        return tcn_fault_set(fault, TCN_EXPIRED, "ack: the card of %s is expired; renew it",
                             card->name);
    return TCN_OK;
}

tcn_err tcn_ack_open(tcn_bytes envelope, const tcn_card *card, tcn_wall now, tcn_ack *ret_ack,
                     tcn_fault *fault)
{
    tcn_cose cose;
    tcn_ack ack;
    tcn_sign_public public_key;
    tcn_err err = check_member(card, now, fault);
    if (err != TCN_OK)
        return err;
    err = tcn_cose_decode(envelope, TCN_OBJECT_ACK, &cose);
    if (err != TCN_OK)
        return tcn_fault_set(fault, err, "ack: not a signed ack: %s", tcn_err_text(err));
    if (cose.signers != 1 || cose.signer[0].role != TCN_ROLE_NODE)
        return tcn_fault_set(fault, TCN_WRONG_ROLE, "ack: wants one signature, in role node");
    const tcn_card_key *key = key_of(card, &cose.signer[0].kid, &public_key);
    if (key == NULL)
        return tcn_fault_set(fault, TCN_UNKNOWN_KEY, "ack: signed with a key that %s does not have",
                             card->name);
    if (!tcn_cose_verify(&cose, 0, &card->program, &public_key))
        return tcn_fault_set(fault, TCN_BAD_SIGNATURE, "ack: the signature does not verify");
    err = decode(cose.payload, &ack, fault);
    if (err != TCN_OK)
        return err;
    if (!tcn_bytes_equal(ack.member, tcn_bytes_str(card->name)))
        return tcn_fault_set(fault, TCN_DENIED, "ack: %s answers for another member", card->name);
    /* It may have waited in an outbox while keys changed, or come from a node without a clock. */
    if (!tcn_validity_has(key->from, key->until, ack.at) &&
        !tcn_validity_has(key->from, key->until, now))
        return tcn_fault_set(fault, TCN_EXPIRED, "ack: the key of %s is not valid", card->name);
    *ret_ack = ack;
    return TCN_OK;
}
