/* SPDX-License-Identifier: Apache-2.0 */
/* bundle.c - the tables of a bundle's payload (docs/protocol.md §3), and signers found by kid. */
#include "bundle.h"

#include <stdlib.h>
#include <string.h>

#include "authority.h"
#include "fields.h"
#include "grants.h"

#define ISSUER_LEAST_BYTES 48 /* an encoded issuer is longer: bounds what a count can allocate */
#define ISSUER_ROLES (TCN_ROLE_PUBLISHER | TCN_ROLE_APPROVER | TCN_ROLE_BROKER)

void tcn_policy_default(tcn_policy *ret_policy)
{
    *ret_policy = (tcn_policy){.approvals = 2,
                               .max_validity_ms = 366 * TCN_DAY_MS,
                               .grace_ms = 30 * TCN_DAY_MS,
                               .max_body_bytes = TCN_MAX_BODY_BYTES,
                               .lifetime_ms = 366 * TCN_DAY_MS};
}

/* ---- issuers ---- */

static void get_issuer_roles(const tcn_field_in *in)
{
    unsigned *roles = in->value;
    *roles = (unsigned)tcn_cbor_get_uint_max(in->r, ISSUER_ROLES);
    if (*roles == 0 || (*roles & ~(unsigned)ISSUER_ROLES) != 0)
        tcn_cbor_fail(in->r, TCN_MALFORMED);
}

static void put_issuer_roles(const tcn_field_out *out)
{
    tcn_cbor_put_uint(out->w, *(const unsigned *)out->value);
}

static void get_issuer_keys(const tcn_field_in *in)
{
    tcn_issuer *issuer = in->value;
    issuer->keys = (unsigned)tcn_cbor_get_array(in->r, TCN_MAX_KEYS_PER_MEMBER);
    if (issuer->keys == 0)
        tcn_cbor_fail(in->r, TCN_MALFORMED);
    for (unsigned i = 0; i < issuer->keys; i++) {
        tcn_fields_get_tuple(in->r, 3);
        tcn_hash public_key = tcn_cbor_get_hash(in->r);
        memcpy(issuer->key[i].public_key.b, public_key.b, sizeof(public_key.b));
        issuer->key[i].kid = tcn_kid(&issuer->key[i].public_key);
        tcn_validity_get(in->r, &issuer->key[i].from, &issuer->key[i].until);
    }
}

static void put_issuer_keys(const tcn_field_out *out)
{
    const tcn_issuer *issuer = out->value;
    tcn_cbor_put_array(out->w, issuer->keys);
    for (unsigned i = 0; i < issuer->keys; i++) {
        tcn_cbor_put_array(out->w, 3);
        tcn_cbor_put_bytes(out->w, tcn_bytes_of(issuer->key[i].public_key.b, 32));
        tcn_validity_put(out->w, issuer->key[i].from, issuer->key[i].until);
    }
}

static void get_publish(const tcn_field_in *in)
{
    tcn_issuer *issuer = in->value;
    tcn_patterns_get(in->r, &issuer->publishes, &issuer->publish);
}

static void put_publish(const tcn_field_out *out)
{
    const tcn_issuer *issuer = out->value;
    tcn_patterns_put(out->w, issuer->publishes, (const tcn_pattern_row *)issuer->publish);
}

static void get_state(const tcn_field_in *in)
{
    tcn_issuer *issuer = in->value;
    tcn_state_get(in->r, &issuer->state, &issuer->since);
}

static void put_state(const tcn_field_out *out)
{
    const tcn_issuer *issuer = out->value;
    tcn_state_put(out->w, issuer->state, issuer->since);
}

static const tcn_field_kind kind_issuer_roles = {get_issuer_roles, put_issuer_roles, NULL,
                                                 "publisher, approver or broker"};
static const tcn_field_kind kind_issuer_keys = {get_issuer_keys, put_issuer_keys, NULL,
                                                "1 to 8 [32 bytes, from, a later until]"};
static const tcn_field_kind kind_publish = {get_publish, put_publish, NULL,
                                            "at most 64 topic patterns"};
static const tcn_field_kind kind_state = {get_state, put_state, NULL, "[0] or [1..3, since]"};

#define I(key, name, kind, member, max)                                                            \
    TCN_FIELD(tcn_issuer, key, name, TCN_REQUIRED, kind, member, max)
static const tcn_field issuer_table[] = {
    I(1, "name", tcn_as_name_str, name, 0),
    I(2, "roles", kind_issuer_roles, roles, 0),
    TCN_FIELD_ALL(3, "keys", TCN_REQUIRED, kind_issuer_keys, 0),
    TCN_FIELD_ALL(4, "publish grants", TCN_REQUIRED, kind_publish, 0),
    I(5, "highest TLP", tcn_as_choice, max_tlp, TCN_TLP_RED),
    I(6, "emergency grant", tcn_as_bool, emergency, 0),
    TCN_FIELD_ALL(7, "state", TCN_REQUIRED, kind_state, 0),
};
static const tcn_fields issuer_fields = TCN_FIELDS("bundle's issuer", issuer_table);

static void get_issuers(const tcn_field_in *in)
{
    tcn_bundle *bundle = in->value;
    tcn_cbor_reader *r = in->r;
    size_t count = tcn_cbor_get_array(r, (r->len - r->pos) / ISSUER_LEAST_BYTES);
    if (count == 0)
        return;
    bundle->issuer = calloc(count, sizeof(*bundle->issuer));
    if (bundle->issuer == NULL) {
        tcn_cbor_fail(r, TCN_NO_MEMORY);
        return;
    }
    bundle->issuers = count;
    for (size_t i = 0; i < count && r->err == TCN_OK; i++) {
        tcn_fields_get_map(r, &issuer_fields, &bundle->issuer[i], in->fault);
        if (i > 0 && strcmp(bundle->issuer[i - 1].name, bundle->issuer[i].name) >= 0)
            tcn_fields_fail(r, in->fault, TCN_MALFORMED, "bundle: issuers are not in name order");
    }
}

static void put_issuers(const tcn_field_out *out)
{
    const tcn_bundle *bundle = out->value;
    tcn_cbor_put_array(out->w, bundle->issuers);
    for (size_t i = 0; i < bundle->issuers; i++)
        tcn_fields_put_map(out->w, &issuer_fields, &bundle->issuer[i]);
}

/* ---- brokers ---- */

static bool is_port(tcn_bytes text)
{
    unsigned port = 0;
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] < '0' || text.ptr[i] > '9' || i >= 5)
            return false;
        port = port * 10 + (unsigned)(text.ptr[i] - '0');
    }
    return text.len > 0 && text.ptr[0] != '0' && port <= 65535;
}

/* "host:port" or "[v6]:port". Whether the host exists is for who connects to find out. */
static bool is_endpoint(const char *text)
{
    const char *colon = strrchr(text, ':');
    if (colon == NULL || !is_port(tcn_bytes_str(colon + 1)))
        return false;
    size_t host_len = (size_t)(colon - text);
    static const char name_chars[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_";
    if (text[0] != '[')
        return host_len > 0 && strspn(text, name_chars) == host_len;
    size_t inside = strspn(text + 1, "0123456789abcdefABCDEF:.");
    return inside >= 2 && text[1 + inside] == ']' && host_len == inside + 2;
}

static void get_endpoints(tcn_cbor_reader *r, unsigned *ret_count,
                          char rows[static TCN_ENDPOINTS][TCN_ENDPOINT_CHARS + 1])
{
    *ret_count = (unsigned)tcn_cbor_get_array(r, TCN_ENDPOINTS);
    if (*ret_count == 0)
        tcn_cbor_fail(r, TCN_MALFORMED);
    for (unsigned i = 0; i < *ret_count; i++) {
        tcn_cbor_get_str(r, rows[i], sizeof(rows[i]));
        if (!is_endpoint(rows[i]))
            tcn_cbor_fail(r, TCN_MALFORMED);
    }
}

static void put_endpoints(tcn_cbor_writer *w, unsigned count,
                          const char rows[static TCN_ENDPOINTS][TCN_ENDPOINT_CHARS + 1])
{
    tcn_cbor_put_array(w, count);
    for (unsigned i = 0; i < count; i++)
        tcn_cbor_put_text(w, rows[i]);
}

static void get_sessions(const tcn_field_in *in)
{
    tcn_broker_entry *broker = in->value;
    get_endpoints(in->r, &broker->sessions, broker->session);
}

static void put_sessions(const tcn_field_out *out)
{
    const tcn_broker_entry *broker = out->value;
    put_endpoints(out->w, broker->sessions, broker->session);
}

static void get_emergencies(const tcn_field_in *in)
{
    tcn_broker_entry *broker = in->value;
    get_endpoints(in->r, &broker->emergencies, broker->emergency);
}

static void put_emergencies(const tcn_field_out *out)
{
    const tcn_broker_entry *broker = out->value;
    put_endpoints(out->w, broker->emergencies, broker->emergency);
}

static const tcn_field_kind kind_sessions = {get_sessions, put_sessions, NULL,
                                             "1 to 4 \"host:port\" or \"[v6]:port\""};
static const tcn_field_kind kind_emergencies = {get_emergencies, put_emergencies, NULL,
                                                "1 to 4 \"host:port\" or \"[v6]:port\""};

#define E(key, name, kind, member)                                                                 \
    TCN_FIELD(tcn_broker_entry, key, name, TCN_REQUIRED, kind, member, 0)
static const tcn_field broker_table[] = {
    E(1, "name", tcn_as_name_str, name),
    E(2, "server key", tcn_as_key, server_key),
    TCN_FIELD_ALL(3, "session endpoints", TCN_REQUIRED, kind_sessions, 0),
    TCN_FIELD_ALL(4, "emergency endpoints", TCN_REQUIRED, kind_emergencies, 0),
};
static const tcn_fields broker_fields = TCN_FIELDS("bundle's broker", broker_table);

static void get_brokers(const tcn_field_in *in)
{
    tcn_bundle *bundle = in->value;
    size_t count = tcn_cbor_get_array(in->r, TCN_MAX_BROKERS);
    if (count == 0) {
        tcn_cbor_fail(in->r, TCN_MALFORMED);
        return;
    }
    bundle->broker = calloc(count, sizeof(*bundle->broker));
    if (bundle->broker == NULL) {
        tcn_cbor_fail(in->r, TCN_NO_MEMORY);
        return;
    }
    bundle->brokers = (unsigned)count;
    for (unsigned i = 0; i < count; i++) {
        tcn_fields_get_map(in->r, &broker_fields, &bundle->broker[i], in->fault);
        for (unsigned j = 0; j < i; j++)
            if (strcmp(bundle->broker[i].name, bundle->broker[j].name) == 0)
                tcn_fields_fail(in->r, in->fault, TCN_MALFORMED, "bundle: broker %s is there twice",
                                bundle->broker[i].name);
    }
}

static void put_brokers(const tcn_field_out *out)
{
    const tcn_bundle *bundle = out->value;
    tcn_cbor_put_array(out->w, bundle->brokers);
    for (unsigned i = 0; i < bundle->brokers; i++)
        tcn_fields_put_map(out->w, &broker_fields, &bundle->broker[i]);
}

/* ---- policy ---- */

#define P(key, name, kind, member, max)                                                            \
    TCN_FIELD(tcn_policy, key, name, TCN_REQUIRED, kind, member, max)
static const tcn_field policy_table[] = {
    P(1, "approvers", tcn_as_choice, approvals, TCN_MAX_SIGNATURES),
    P(2, "longest validity", tcn_as_uint, max_validity_ms, TCN_MAX_EXPIRES_DAYS *TCN_DAY_MS),
    P(3, "grace", tcn_as_uint, grace_ms, TCN_WALL_MAX_MS),
    P(4, "largest body", tcn_as_uint, max_body_bytes, TCN_MAX_BODY_BYTES_MAX),
    P(5, "lifetime", tcn_as_uint, lifetime_ms, TCN_WALL_MAX_MS),
};
static const tcn_fields policy_fields = TCN_FIELDS("bundle's policy", policy_table);

static void get_policy(const tcn_field_in *in)
{
    tcn_policy *policy = in->value;
    tcn_fields_get_map(in->r, &policy_fields, policy, in->fault);
    if (policy->approvals == 0 || policy->max_validity_ms == 0 || policy->lifetime_ms == 0)
        tcn_fields_fail(in->r, in->fault, TCN_MALFORMED,
                        "bundle's policy: approvers, longest validity and lifetime are at least 1");
}

static void put_policy(const tcn_field_out *out)
{
    tcn_fields_put_map(out->w, &policy_fields, out->value);
}

static const tcn_field_kind kind_issuers = {get_issuers, put_issuers, NULL, "issuers"};
static const tcn_field_kind kind_brokers = {get_brokers, put_brokers, NULL, "1 to 8 brokers"};
static const tcn_field_kind kind_policy = {get_policy, put_policy, NULL, "a policy"};

/* ---- the bundle ---- */

#define B(key, name, kind, member, max)                                                            \
    TCN_FIELD(tcn_bundle, key, name, TCN_REQUIRED, kind, member, max)
static const tcn_field bundle_table[] = {
    B(1, "program", tcn_as_id, program, 0),
    B(2, "program's name", tcn_as_str, program_name, TCN_MAX_NAME_CHARS),
    B(3, "version", tcn_as_uint, version, UINT64_MAX),
    B(4, "issued", tcn_as_wall, issued, 0),
    B(5, "expires", tcn_as_wall, expires, 0),
    TCN_FIELD_ALL(6, "issuers", TCN_REQUIRED, kind_issuers, 0),
    TCN_FIELD_ALL(7, "brokers", TCN_REQUIRED, kind_brokers, 0),
    B(8, "policy", kind_policy, policy, 0),
};
static const tcn_fields bundle_fields = TCN_FIELDS("bundle", bundle_table);

void tcn_bundle_fini(tcn_bundle *bundle)
{
    for (size_t i = 0; i < bundle->issuers; i++)
        free(bundle->issuer[i].publish);
    free(bundle->issuer);
    free(bundle->broker);
    free(bundle->kid);
    *bundle = (tcn_bundle){.issuer = NULL};
}

static int compare_kids(const void *a, const void *b)
{
    const tcn_bundle_kid *x = a, *y = b;
    return memcmp(x->kid.b, y->kid.b, sizeof(x->kid.b));
}

/* Sorts all kids; no key may be found twice. */
static tcn_err index_kids(tcn_bundle *bundle, tcn_fault *fault)
{
    size_t kids = 0;
    for (size_t i = 0; i < bundle->issuers; i++)
        kids += bundle->issuer[i].keys;
    bundle->kid = calloc(kids + 1, sizeof(*bundle->kid));
    if (bundle->kid == NULL)
        return tcn_fault_set(fault, TCN_NO_MEMORY, "bundle: out of memory");
    for (size_t i = 0; i < bundle->issuers; i++)
        for (unsigned k = 0; k < bundle->issuer[i].keys; k++)
            bundle->kid[bundle->kids++] =
                (tcn_bundle_kid){bundle->issuer[i].key[k].kid, (uint32_t)i, k};
    qsort(bundle->kid, kids, sizeof(*bundle->kid), compare_kids);
    for (size_t i = 1; i < kids; i++)
        if (compare_kids(&bundle->kid[i - 1], &bundle->kid[i]) == 0)
            return tcn_fault_set(fault, TCN_MALFORMED, "bundle: %s has a key that is there twice",
                                 bundle->issuer[bundle->kid[i].issuer].name);
    return TCN_OK;
}

tcn_err tcn_bundle_decode(tcn_bytes payload, tcn_bundle *ret_bundle, tcn_fault *fault)
{
    tcn_bundle bundle = {.issuer = NULL};
    tcn_cbor_reader r;
    tcn_fields_begin(&r, payload, fault);
    if (payload.len > TCN_MAX_BUNDLE_BYTES)
        return tcn_fault_set(fault, TCN_TOO_LARGE, "bundle: over %d bytes", TCN_MAX_BUNDLE_BYTES);
    tcn_fields_get_map(&r, &bundle_fields, &bundle, fault);
    if (bundle.version == 0)
        tcn_fields_fail(&r, fault, TCN_MALFORMED, "bundle: versions begin with 1");
    if (bundle.expires.unix_ms <= bundle.issued.unix_ms)
        tcn_fields_fail(&r, fault, TCN_MALFORMED, "bundle: expires must be after issued");
    tcn_err err = tcn_fields_done(&r, "bundle", fault);
    if (err == TCN_OK)
        err = index_kids(&bundle, fault);
    if (err != TCN_OK) {
        tcn_bundle_fini(&bundle);
        return err;
    }
    *ret_bundle = bundle;
    return TCN_OK;
}

tcn_err tcn_bundle_encode(const tcn_bundle *bundle, uint8_t **ret_payload, size_t *ret_len,
                          tcn_fault *fault)
{
    uint8_t *bytes = malloc(TCN_MAX_BUNDLE_BYTES);
    if (bytes == NULL)
        return tcn_fault_set(fault, TCN_NO_MEMORY, "bundle: out of memory");
    tcn_cbor_writer w;
    tcn_bytes payload;
    tcn_bundle again = {.issuer = NULL};
    tcn_cbor_writer_init(&w, bytes, TCN_MAX_BUNDLE_BYTES);
    tcn_fields_put_map(&w, &bundle_fields, bundle);
    tcn_err err = tcn_cbor_writer_done(&w, &payload);
    if (err != TCN_OK)
        tcn_fault_set(fault, err, "bundle: %s", tcn_err_text(err));
    else
        err = tcn_bundle_decode(payload, &again, fault);
    tcn_bundle_fini(&again);
    if (err != TCN_OK) {
        free(bytes);
        return err;
    }
    *ret_payload = bytes;
    *ret_len = payload.len;
    return TCN_OK;
}

tcn_err tcn_bundle_open(tcn_bytes envelope, const tcn_sign_public *authority,
                        tcn_bundle *ret_bundle, tcn_fault *fault)
{
    tcn_bytes payload;
    tcn_bundle bundle;
    tcn_err err = tcn_authority_open(TCN_OBJECT_BUNDLE, envelope, TCN_MAX_BUNDLE_BYTES, authority,
                                     &payload, fault);
    if (err == TCN_OK)
        err = tcn_bundle_decode(payload, &bundle, fault);
    if (err != TCN_OK)
        return err;
    err = tcn_authority_check_program(&bundle.program, authority, "bundle", fault);
    if (err != TCN_OK) {
        tcn_bundle_fini(&bundle);
        return err;
    }
    *ret_bundle = bundle;
    return TCN_OK;
}

/* ---- finding ---- */

static int compare_name(const void *name, const void *issuer)
{
    return tcn_bytes_compare(*(const tcn_bytes *)name,
                             tcn_bytes_str(((const tcn_issuer *)issuer)->name));
}

const tcn_issuer *tcn_bundle_issuer(const tcn_bundle *bundle, tcn_bytes name)
{
    if (bundle->issuers == 0)
        return NULL;
    return bsearch(&name, bundle->issuer, bundle->issuers, sizeof(*bundle->issuer), compare_name);
}

const tcn_issuer *tcn_bundle_signer(const tcn_bundle *bundle, const tcn_id *kid, unsigned *ret_key)
{
    if (bundle->kid != NULL) {
        tcn_bundle_kid sought = {.kid = *kid};
        const tcn_bundle_kid *found =
            bsearch(&sought, bundle->kid, bundle->kids, sizeof(sought), compare_kids);
        if (found == NULL)
            return NULL;
        *ret_key = found->key;
        return &bundle->issuer[found->issuer];
    }
    for (size_t i = 0; i < bundle->issuers; i++)
        for (unsigned k = 0; k < bundle->issuer[i].keys; k++)
            if (tcn_id_equal(&bundle->issuer[i].key[k].kid, kid)) {
                *ret_key = k;
                return &bundle->issuer[i];
            }
    return NULL;
}

bool tcn_bundle_is_stale(const tcn_bundle *bundle, tcn_wall now)
{
    return now.unix_ms >= bundle->expires.unix_ms;
}

tcn_wall tcn_bundle_trust_time(const tcn_bundle *bundle, tcn_wall now)
{
    int64_t over = now.unix_ms - bundle->expires.unix_ms;
    if (over < 0 || over > (int64_t)bundle->policy.grace_ms)
        return now;
    return (tcn_wall){bundle->expires.unix_ms - 1};
}
