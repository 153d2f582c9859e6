/* SPDX-License-Identifier: Apache-2.0 */
/* card.h - a member card: the authority-signed record of one member (docs/protocol.md §3). */
#ifndef TCN_CARD_H
#define TCN_CARD_H

#include "alert.h"
#include "cose.h"

typedef enum { TCN_KEY_TRANSPORT = 1, TCN_KEY_SIGN = 2, TCN_KEY_SEAL = 3 } tcn_key_use;

typedef struct {
    tcn_key_use use;
    uint8_t public_bytes[32];
    tcn_wall from, until;
} tcn_card_key;

typedef enum {
    TCN_MEMBER_ACTIVE = 0,
    TCN_MEMBER_SUSPENDED = 1,
    TCN_MEMBER_RETIRED = 2,
    TCN_MEMBER_COMPROMISED = 3
} tcn_member_state;

const char *tcn_member_state_text(tcn_member_state state);

/* A value: owns all it holds, so that it can outlive the bytes it came from. */
typedef struct {
    tcn_id program;
    char name[TCN_MAX_NAME_CHARS + 1];
    uint64_t version;
    unsigned roles; /* bits of tcn_role */
    unsigned keys;
    tcn_card_key key[TCN_MAX_KEYS_PER_MEMBER];
    tcn_tlp clearance;
    unsigned receives, publishes;
    char (*receive)[TCN_MAX_TOPIC_CHARS + 1]; /* malloc'd rows; NULL when none */
    char (*publish)[TCN_MAX_TOPIC_CHARS + 1];
    bool emergency;
    unsigned communities;
    char community[TCN_MAX_COMMUNITIES][TCN_MAX_NAME_CHARS + 1];
    tcn_id audience_id;
    tcn_wall issued, expires;
    tcn_member_state state;
    tcn_wall since; /* of the state; 0 when active */
} tcn_card;

void tcn_card_fini(tcn_card *card);
TCN_CHECKED tcn_err tcn_card_copy(const tcn_card *card, tcn_card *ret_card);
/* Payload bytes into the caller's memory (CARD_BYTES suffices). Checks what it writes. */
TCN_CHECKED tcn_err tcn_card_encode(const tcn_card *card, uint8_t *ret_payload, size_t cap,
                                    size_t *ret_len, tcn_fault *fault);
TCN_CHECKED tcn_err tcn_card_decode(tcn_bytes payload, tcn_card *ret_card, tcn_fault *fault);
/* Decodes an envelope and verifies the authority's signature and the program. */
TCN_CHECKED tcn_err tcn_card_open(tcn_bytes envelope, const tcn_sign_public *authority,
                                  tcn_card *ret_card, tcn_fault *fault);
/* The key of this use valid at that time, the one that ends last; NULL if none. */
const tcn_card_key *tcn_card_key_at(const tcn_card *card, tcn_key_use use, tcn_wall at);
/* Active and not expired at that time. */
bool tcn_card_is_valid(const tcn_card *card, tcn_wall at);
bool tcn_card_may_receive(const tcn_card *card, tcn_bytes topic);
bool tcn_card_may_publish(const tcn_card *card, tcn_bytes topic);
bool tcn_card_has_community(const tcn_card *card, tcn_bytes community);

#endif
