/* SPDX-License-Identifier: Apache-2.0 */
/* entitlement.h - may this node have this alert? Pure: terms and metadata in, a yes or no for each
 * term out. Fan-out, receipts, counts and the EXPLAIN query ask the same function. */
#ifndef TCN_ENTITLEMENT_H
#define TCN_ENTITLEMENT_H

#include "libtocsin/card.h"

/* What of a node decides, beside its own validity and its audience id. Nodes with equal terms are
 * one class. Patterns and communities are in memcmp order: equal terms have equal encodings.
 *   encoded: clearance u8 · n u8 · n × str · has subscriptions u8 · n u8 · n × str · n u8 · n × str
 *             (receive grants, subscriptions, communities; str = length u8 and bytes) */
typedef struct {
    tcn_tlp clearance;
    unsigned receives, subscriptions, communities;
    bool has_subscriptions; /* false: all that is granted */
    tcn_bytes receive[TCN_MAX_PATTERNS], subscription[TCN_MAX_PATTERNS];
    tcn_bytes community[TCN_MAX_COMMUNITIES];
} tcn_terms;

#define TCN_TERMS_BYTES                                                                            \
    (5 + 2 * TCN_MAX_PATTERNS * (TCN_MAX_TOPIC_CHARS + 1) +                                        \
     TCN_MAX_COMMUNITIES * (TCN_MAX_NAME_CHARS + 1))

/* The card's terms with these subscriptions (of terms; NULL: none asked for). Views into card. */
void tcn_terms_of_card(const tcn_card *card, const tcn_terms *subscriptions, tcn_terms *ret_terms);
void tcn_terms_encode(const tcn_terms *terms, uint8_t ret_bytes[static TCN_TERMS_BYTES],
                      size_t *ret_len);
/* TCN_MALFORMED. Views into encoded. */
TCN_CHECKED tcn_err tcn_terms_decode(tcn_bytes encoded, tcn_terms *ret_terms);
/* Could there be an alert that a gets and b does not? (May say yes where unions of patterns would
 * show no.) */
bool tcn_terms_exceed(const tcn_terms *a, const tcn_terms *b);

/* X(NAME, bit, word): the terms of entitlement, as EXPLAIN lists them. */
#define TCN_TERM_TABLE(X)                                                                          \
    X(ROLE, 1, "role")                                                                             \
    X(CARD, 2, "card")                                                                             \
    X(SUBSCRIPTION, 4, "subscription")                                                             \
    X(GRANT, 8, "grant")                                                                           \
    X(CLEARANCE, 16, "clearance")                                                                  \
    X(COMMUNITY, 32, "community")                                                                  \
    X(AUDIENCE, 64, "audience")

enum {
#define X(name, bit, word) TCN_TERM_##name = bit,
    TCN_TERM_TABLE(X)
#undef X
        TCN_TERMS_ALL = 127
};

typedef struct {
    const tcn_terms *terms;
    bool has_role;             /* node */
    bool card_valid;           /* active, not expired */
    const tcn_id *audience_id; /* NULL: of any node of a class */
} tcn_subject;

/* The bits of the terms that hold. Entitled: all of them. */
unsigned tcn_entitlement_explain(const tcn_subject *subject, const tcn_alert_meta *meta);

static inline bool tcn_entitlement_holds(const tcn_subject *subject, const tcn_alert_meta *meta)
{
    return tcn_entitlement_explain(subject, meta) == TCN_TERMS_ALL;
}

#endif
