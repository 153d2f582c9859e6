/* SPDX-License-Identifier: Apache-2.0 */
/* May this node have this alert? Each term alone decides no; terms that are wider or narrower. */
#include "broker/core/entitlement.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "libtocsin/keys.h"

static tcn_terms terms_of(const char *receive, const char *subscribe, tcn_tlp clearance,
                          const char *community)
{
    tcn_terms t = {.clearance = clearance};
    if (receive != NULL)
        t.receive[t.receives++] = tcn_bytes_str(receive);
    t.has_subscriptions = subscribe != NULL;
    if (subscribe != NULL && subscribe[0] != '\0')
        t.subscription[t.subscriptions++] = tcn_bytes_str(subscribe);
    if (community != NULL)
        t.community[t.communities++] = tcn_bytes_str(community);
    return t;
}

static tcn_alert_meta meta_of(const char *topic, tcn_tlp tlp, const char *community)
{
    tcn_alert_meta m = {.topic = tcn_bytes_str(topic), .tlp = tlp, .id = {{7}}};
    if (community != NULL)
        m.community[m.communities++] = tcn_bytes_str(community);
    return m;
}

static void test_each_term_alone_decides(void **state)
{
    (void)state;
    static const tcn_id audience_id = {{1, 2, 3}}, other_id = {{9}};
    tcn_terms t = terms_of("advisory.>", "advisory.vendor.>", TCN_TLP_AMBER, "banks");
    tcn_subject s = {
        .terms = &t, .has_role = true, .card_valid = true, .audience_id = &audience_id};
    tcn_alert_meta m = meta_of("advisory.vendor.x", TCN_TLP_AMBER, "banks");
    assert_int_equal(tcn_entitlement_explain(&s, &m), TCN_TERMS_ALL);
    assert_true(tcn_entitlement_holds(&s, &m));

    s.has_role = false;
    assert_int_equal(tcn_entitlement_explain(&s, &m), TCN_TERMS_ALL & ~TCN_TERM_ROLE);
    s.has_role = true;
    s.card_valid = false;
    assert_int_equal(tcn_entitlement_explain(&s, &m), TCN_TERMS_ALL & ~TCN_TERM_CARD);
    s.card_valid = true;

    m = meta_of("advisory.other", TCN_TLP_AMBER, "banks");
    assert_int_equal(tcn_entitlement_explain(&s, &m), TCN_TERMS_ALL & ~TCN_TERM_SUBSCRIPTION);
    t = terms_of("weather.>", NULL, TCN_TLP_AMBER, "banks");
    assert_int_equal(tcn_entitlement_explain(&s, &m), TCN_TERMS_ALL & ~TCN_TERM_GRANT);
    t = terms_of("advisory.>", NULL, TCN_TLP_GREEN, "banks");
    assert_int_equal(tcn_entitlement_explain(&s, &m), TCN_TERMS_ALL & ~TCN_TERM_CLEARANCE);
    t = terms_of("advisory.>", NULL, TCN_TLP_AMBER, "rail");
    assert_int_equal(tcn_entitlement_explain(&s, &m), TCN_TERMS_ALL & ~TCN_TERM_COMMUNITY);
    m = meta_of("advisory.other", TCN_TLP_AMBER, NULL);
    assert_true(tcn_entitlement_holds(&s, &m));

    uint8_t marks[17];
    tcn_id mark = tcn_audience_mark(&m.id, &audience_id);
    tcn_audience_encode(&mark, 1, marks);
    m.audiences = 1;
    m.audience = tcn_bytes_of(marks, sizeof(marks));
    assert_true(tcn_entitlement_holds(&s, &m));
    s.audience_id = &other_id;
    assert_int_equal(tcn_entitlement_explain(&s, &m), TCN_TERMS_ALL & ~TCN_TERM_AUDIENCE);
    s.audience_id = NULL; /* a class is never named */
    assert_int_equal(tcn_entitlement_explain(&s, &m), TCN_TERMS_ALL & ~TCN_TERM_AUDIENCE);
}

static void test_no_grants_are_nothing_and_no_subscriptions_are_all(void **state)
{
    (void)state;
    tcn_alert_meta m = meta_of("advisory.x", TCN_TLP_CLEAR, NULL);
    tcn_terms none = terms_of(NULL, NULL, TCN_TLP_RED, NULL);
    tcn_terms all = terms_of(">", NULL, TCN_TLP_RED, NULL);
    tcn_terms empty = terms_of(">", "", TCN_TLP_RED, NULL);
    tcn_subject s = {.terms = &none, .has_role = true, .card_valid = true};
    assert_false(tcn_entitlement_holds(&s, &m));
    s.terms = &all;
    assert_true(tcn_entitlement_holds(&s, &m));
    s.terms = &empty;
    assert_false(tcn_entitlement_holds(&s, &m));
}

static void test_wider_and_narrower(void **state)
{
    (void)state;
    const tcn_terms base = terms_of("advisory.>", "advisory.vendor.>", TCN_TLP_AMBER, "banks");
    const struct {
        tcn_terms other;
        bool wider, narrower;
    } rows[] = {
        {terms_of("advisory.>", "advisory.vendor.>", TCN_TLP_AMBER, "banks"), false, false},
        {terms_of("advisory.>", "advisory.vendor.>", TCN_TLP_RED, "banks"), true, false},
        {terms_of("advisory.>", "advisory.vendor.>", TCN_TLP_CLEAR, "banks"), false, true},
        {terms_of(">", "advisory.vendor.>", TCN_TLP_AMBER, "banks"), true, false},
        {terms_of("advisory.vendor.>", "advisory.vendor.>", TCN_TLP_AMBER, "banks"), false, true},
        {terms_of("weather.>", "advisory.vendor.>", TCN_TLP_AMBER, "banks"), true, true},
        {terms_of("advisory.>", NULL, TCN_TLP_AMBER, "banks"), true, false},
        {terms_of("advisory.>", "", TCN_TLP_AMBER, "banks"), false, true},
        {terms_of("advisory.>", "advisory.vendor.>", TCN_TLP_AMBER, NULL), false, true},
        {terms_of("advisory.>", "advisory.vendor.>", TCN_TLP_AMBER, "rail"), true, true},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        assert_int_equal(tcn_terms_exceed(&rows[i].other, &base), rows[i].wider);
        assert_int_equal(tcn_terms_exceed(&base, &rows[i].other), rows[i].narrower);
    }
    /* Everything by pattern is the same as no list. */
    const tcn_terms all = terms_of("advisory.>", ">", TCN_TLP_AMBER, "banks");
    const tcn_terms absent = terms_of("advisory.>", NULL, TCN_TLP_AMBER, "banks");
    assert_false(tcn_terms_exceed(&all, &absent) || tcn_terms_exceed(&absent, &all));
}

static void test_terms_survive_encoding(void **state)
{
    (void)state;
    uint8_t bytes[TCN_TERMS_BYTES], again[TCN_TERMS_BYTES];
    size_t len = 0, len_again = 0;
    tcn_terms t = terms_of("advisory.>", "a.b", TCN_TLP_RED, "banks"), back;
    t.receive[t.receives++] = tcn_bytes_str("weather.*");
    tcn_terms_encode(&t, bytes, &len);
    assert_int_equal(tcn_terms_decode(tcn_bytes_of(bytes, len), &back), TCN_OK);
    tcn_terms_encode(&back, again, &len_again);
    assert_int_equal(len, len_again);
    assert_memory_equal(bytes, again, len);
    for (size_t cut = 0; cut < len; cut++)
        assert_int_equal(tcn_terms_decode(tcn_bytes_of(bytes, cut), &back), TCN_MALFORMED);
    bytes[0] = 5;
    assert_int_equal(tcn_terms_decode(tcn_bytes_of(bytes, len), &back), TCN_MALFORMED);
    bytes[0] = 4;
    bytes[1] = 65;
    assert_int_equal(tcn_terms_decode(tcn_bytes_of(bytes, len), &back), TCN_MALFORMED);
}

/* The order on the card does not matter: equal terms are one class. */
static void test_terms_of_a_card_are_in_order(void **state)
{
    (void)state;
    char one[2][TCN_MAX_TOPIC_CHARS + 1] = {"b.>", "a.>"};
    char two[2][TCN_MAX_TOPIC_CHARS + 1] = {"a.>", "b.>"};
    uint8_t bytes[TCN_TERMS_BYTES], again[TCN_TERMS_BYTES];
    size_t len = 0, len_again = 0;
    tcn_card card = {.receives = 2, .receive = one, .clearance = TCN_TLP_GREEN};
    tcn_terms t;
    tcn_terms_of_card(&card, NULL, &t);
    tcn_terms_encode(&t, bytes, &len);
    card.receive = two;
    tcn_terms_of_card(&card, NULL, &t);
    tcn_terms_encode(&t, again, &len_again);
    assert_int_equal(len, len_again);
    assert_memory_equal(bytes, again, len);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_term_alone_decides),
        cmocka_unit_test(test_no_grants_are_nothing_and_no_subscriptions_are_all),
        cmocka_unit_test(test_wider_and_narrower),
        cmocka_unit_test(test_terms_survive_encoding),
        cmocka_unit_test(test_terms_of_a_card_are_in_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
