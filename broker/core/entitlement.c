/* SPDX-License-Identifier: Apache-2.0 */
/* entitlement.c - see entitlement.h. */
#include "entitlement.h"

#include <stdlib.h>
#include <string.h>

#include "libtocsin/keys.h"
#include "libtocsin/topic.h"

/* ---- terms ---- */

static int compare(const void *a, const void *b)
{
    return tcn_bytes_compare(*(const tcn_bytes *)a, *(const tcn_bytes *)b);
}

static void sort(tcn_bytes *list, unsigned count)
{
    if (count > 1)
        qsort(list, count, sizeof(*list), compare);
}

void tcn_terms_of_card(const tcn_card *card, const tcn_terms *subscriptions, tcn_terms *ret_terms)
{
    tcn_terms *t = ret_terms;
    t->clearance = card->clearance;
    t->receives = card->receives;
    for (unsigned i = 0; i < t->receives; i++)
        t->receive[i] = tcn_bytes_str(card->receive[i]);
    t->communities = card->communities;
    for (unsigned i = 0; i < t->communities; i++)
        t->community[i] = tcn_bytes_str(card->community[i]);
    t->has_subscriptions = subscriptions != NULL && subscriptions->has_subscriptions;
    t->subscriptions = t->has_subscriptions ? subscriptions->subscriptions : 0;
    for (unsigned i = 0; i < t->subscriptions; i++)
        t->subscription[i] = subscriptions->subscription[i];
    sort(t->receive, t->receives);
    sort(t->subscription, t->subscriptions);
    sort(t->community, t->communities);
}

static size_t put_list(uint8_t *at, const tcn_bytes *list, unsigned count)
{
    size_t len = 0;
    at[len++] = (uint8_t)count;
    for (unsigned i = 0; i < count; i++) {
        at[len++] = (uint8_t)list[i].len;
        if (list[i].len > 0)
            memcpy(at + len, list[i].ptr, list[i].len);
        len += list[i].len;
    }
    return len;
}

void tcn_terms_encode(const tcn_terms *terms, uint8_t ret_bytes[static TCN_TERMS_BYTES],
                      size_t *ret_len)
{
    size_t len = 0;
    ret_bytes[len++] = (uint8_t)terms->clearance;
    len += put_list(ret_bytes + len, terms->receive, terms->receives);
    ret_bytes[len++] = terms->has_subscriptions;
    len += put_list(ret_bytes + len, terms->subscription, terms->subscriptions);
    len += put_list(ret_bytes + len, terms->community, terms->communities);
    *ret_len = len;
}

/* False if the list is cut short or longer than most. */
static bool get_list(tcn_bytes *rest, tcn_bytes *ret_list, unsigned most, unsigned *ret_count)
{
    if (rest->len < 1 || rest->ptr[0] > most)
        return false;
    unsigned count = rest->ptr[0];
    *rest = tcn_bytes_of(rest->ptr + 1, rest->len - 1);
    for (unsigned i = 0; i < count; i++) {
        if (rest->len < 1 || rest->len - 1 < rest->ptr[0])
            return false;
        ret_list[i] = tcn_bytes_of(rest->ptr + 1, rest->ptr[0]);
        *rest = tcn_bytes_of(rest->ptr + 1 + ret_list[i].len, rest->len - 1 - ret_list[i].len);
    }
    *ret_count = count;
    return true;
}

tcn_err tcn_terms_decode(tcn_bytes encoded, tcn_terms *ret_terms)
{
    tcn_terms *t = ret_terms;
    tcn_bytes rest = encoded;
    if (rest.len < 1 || rest.ptr[0] > TCN_TLP_RED)
        return TCN_MALFORMED;
    t->clearance = (tcn_tlp)rest.ptr[0];
    rest = tcn_bytes_of(rest.ptr + 1, rest.len - 1);
    if (!get_list(&rest, t->receive, TCN_MAX_PATTERNS, &t->receives) || rest.len < 1)
        return TCN_MALFORMED;
    t->has_subscriptions = rest.ptr[0] != 0;
    rest = tcn_bytes_of(rest.ptr + 1, rest.len - 1);
    if (!get_list(&rest, t->subscription, TCN_MAX_PATTERNS, &t->subscriptions) ||
        !get_list(&rest, t->community, TCN_MAX_COMMUNITIES, &t->communities) || rest.len != 0)
        return TCN_MALFORMED;
    return TCN_OK;
}

/* ---- wider and narrower ---- */

static bool any_covers(const tcn_bytes *outer, unsigned count, tcn_bytes inner)
{
    for (unsigned i = 0; i < count; i++)
        if (tcn_pattern_covers(outer[i], inner))
            return true;
    return false;
}

static bool subscriptions_exceed(const tcn_terms *a, const tcn_terms *b)
{
    if (!b->has_subscriptions)
        return false;
    if (!a->has_subscriptions)
        return !any_covers(b->subscription, b->subscriptions, tcn_bytes_str(">"));
    for (unsigned i = 0; i < a->subscriptions; i++)
        if (!any_covers(b->subscription, b->subscriptions, a->subscription[i]))
            return true;
    return false;
}

static bool has_community(const tcn_terms *terms, tcn_bytes community)
{
    for (unsigned i = 0; i < terms->communities; i++)
        if (tcn_bytes_equal(terms->community[i], community))
            return true;
    return false;
}

bool tcn_terms_exceed(const tcn_terms *a, const tcn_terms *b)
{
    if (a->clearance > b->clearance || subscriptions_exceed(a, b))
        return true;
    for (unsigned i = 0; i < a->receives; i++)
        if (!any_covers(b->receive, b->receives, a->receive[i]))
            return true;
    for (unsigned i = 0; i < a->communities; i++)
        if (!has_community(b, a->community[i]))
            return true;
    return false;
}

/* ---- the decision ---- */

static bool any_matches(const tcn_bytes *patterns, unsigned count, tcn_bytes topic)
{
    for (unsigned i = 0; i < count; i++)
        if (tcn_pattern_matches(patterns[i], topic))
            return true;
    return false;
}

static bool community_holds(const tcn_terms *terms, const tcn_alert_meta *meta)
{
    if (meta->communities == 0)
        return true;
    for (unsigned i = 0; i < terms->communities; i++)
        if (tcn_alert_has_community(meta, terms->community[i]))
            return true;
    return false;
}

static bool audience_holds(const tcn_id *audience_id, const tcn_alert_meta *meta)
{
    if (meta->audiences == 0)
        return true;
    if (audience_id == NULL)
        return false;
    tcn_id mark = tcn_audience_mark(&meta->id, audience_id);
    return tcn_alert_has_audience_mark(meta, &mark);
}

unsigned tcn_entitlement_explain(const tcn_subject *subject, const tcn_alert_meta *meta)
{
    const tcn_terms *t = subject->terms;
    unsigned held = 0;
    held |= subject->has_role ? TCN_TERM_ROLE : 0;
    held |= subject->card_valid ? TCN_TERM_CARD : 0;
    held |= !t->has_subscriptions || any_matches(t->subscription, t->subscriptions, meta->topic)
                ? TCN_TERM_SUBSCRIPTION
                : 0;
    held |= any_matches(t->receive, t->receives, meta->topic) ? TCN_TERM_GRANT : 0;
    held |= t->clearance >= meta->tlp ? TCN_TERM_CLEARANCE : 0;
    held |= community_holds(t, meta) ? TCN_TERM_COMMUNITY : 0;
    held |= audience_holds(subject->audience_id, meta) ? TCN_TERM_AUDIENCE : 0;
    return held;
}
