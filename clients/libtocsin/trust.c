/* SPDX-License-Identifier: Apache-2.0 */
/* trust.c - the rules of docs/protocol.md §2 and §3 on who may have signed what, one function a
 * rule. What a broker accepts every agent with the same bundle must accept, so `accepting` only
 * ever adds a check, never takes one away. */
#include "trust.h"

#include "grants.h"

#define DAY_MS (INT64_C(24) * 60 * 60 * 1000)

/* An alert under examination. */
typedef struct {
    const tcn_trust_view *view;
    tcn_cose cose;
    tcn_alert alert;
    const tcn_issuer *issuer[TCN_MAX_SIGNATURES]; /* of each signer */
    unsigned key[TCN_MAX_SIGNATURES];
    unsigned author; /* index of the author's signature */
    unsigned marks;
    tcn_fault *fault;
} exam;

static bool has_role(const tcn_issuer *issuer, tcn_role role)
{
    return (issuer->roles & role) != 0;
}

/* ---- structure ---- */

static tcn_err read_envelope(exam *x, tcn_bytes envelope)
{
    if (envelope.len > TCN_MAX_ENVELOPE_BYTES)
        return tcn_fault_set(x->fault, TCN_TOO_LARGE, "alert: the envelope is over %d bytes",
                             TCN_MAX_ENVELOPE_BYTES);
    tcn_err err = tcn_cose_decode(envelope, TCN_OBJECT_ALERT, &x->cose);
    if (err != TCN_OK)
        return tcn_fault_set(x->fault, err, "alert: not a signed alert: %s", tcn_err_text(err));
    err = tcn_alert_decode(x->cose.payload, &x->alert, x->fault);
    if (err != TCN_OK)
        return err;
    if (!tcn_id_equal(&x->alert.meta.program, &x->view->bundle->program))
        return tcn_fault_set(x->fault, TCN_WRONG_PROGRAM, "alert: belongs to another program");
    return TCN_OK;
}

/* ---- signatures ---- */

static tcn_err unknown_kid(const tcn_trust_view *view, const tcn_id *kid, tcn_fault *fault)
{
    char text[2 * sizeof(kid->b) + 1];
    tcn_hex(kid->b, sizeof(kid->b), text);
    /* An agent may simply not have the newer bundle yet. */
    return tcn_fault_set(fault, view->accepting ? TCN_UNKNOWN_KEY : TCN_CANNOT_YET,
                         "alert: signed with key %s, which trust version %llu does not have", text,
                         (unsigned long long)view->bundle->version);
}

/* Every signature is by a member the bundle knows, verifies, and is that member's only one. */
static tcn_err check_signatures(exam *x)
{
    const tcn_bundle *bundle = x->view->bundle;
    for (unsigned i = 0; i < x->cose.signers; i++) {
        const tcn_cose_signer *signer = &x->cose.signer[i];
        x->issuer[i] = tcn_bundle_signer(bundle, &signer->kid, &x->key[i]);
        if (x->issuer[i] == NULL)
            return unknown_kid(x->view, &signer->kid, x->fault);
        const tcn_sign_public *key = &x->issuer[i]->key[x->key[i]].public_key;
        if (!tcn_cose_verify(&x->cose, i, &bundle->program, key))
            return tcn_fault_set(x->fault, TCN_BAD_SIGNATURE,
                                 "alert: the signature of %s does not verify", x->issuer[i]->name);
        for (unsigned j = 0; j < i; j++)
            if (x->issuer[i] == x->issuer[j])
                return tcn_fault_set(x->fault, TCN_MALFORMED,
                                     "alert: %s signed twice; one signature a member counts",
                                     x->issuer[i]->name);
    }
    return TCN_OK;
}

/* May this signer, as the member that `publisher` names, be the author? */
static bool signs_as_author(const exam *x, unsigned i)
{
    tcn_role role = x->cose.signer[i].role;
    return role == TCN_ROLE_PUBLISHER ||
           (role == TCN_ROLE_APPROVER && x->alert.meta.kind == TCN_KIND_CANCEL);
}

/* One author, everybody else an approver; and each has the role in which it signed. */
static tcn_err check_roles(exam *x)
{
    bool found = false;
    for (unsigned i = 0; i < x->cose.signers; i++) {
        const tcn_issuer *issuer = x->issuer[i];
        tcn_role role = x->cose.signer[i].role;
        bool named = tcn_bytes_equal(tcn_bytes_str(issuer->name), x->alert.meta.publisher);
        if (named && !signs_as_author(x, i))
            return tcn_fault_set(x->fault, TCN_WRONG_ROLE,
                                 "alert: %s is its publisher, but signed as %s", issuer->name,
                                 tcn_role_word(role));
        if (!named && role != TCN_ROLE_APPROVER)
            return tcn_fault_set(x->fault, TCN_WRONG_ROLE,
                                 "alert: %s signed as %s, but is not its publisher", issuer->name,
                                 tcn_role_word(role));
        if (!has_role(issuer, role))
            return tcn_fault_set(x->fault, TCN_WRONG_ROLE, "alert: %s does not have the role %s",
                                 issuer->name, tcn_role_word(role));
        if (named) {
            x->author = i;
            found = true;
        }
    }
    if (!found)
        return tcn_fault_set(x->fault, TCN_BAD_SIGNATURE,
                             "alert: the publisher it names has not signed it");
    return TCN_OK;
}

/* ---- validity and revocation of a signer ---- */

static tcn_err check_state(const exam *x, const tcn_issuer *issuer, unsigned *marks)
{
    if (issuer->state == TCN_MEMBER_ACTIVE)
        return TCN_OK;
    const char *state = tcn_member_state_text(issuer->state);
    if (x->view->accepting)
        return tcn_fault_set(x->fault, TCN_REVOKED, "alert: %s is %s", issuer->name, state);
    bool before = x->alert.meta.created.unix_ms < issuer->since.unix_ms;
    if (issuer->state == TCN_MEMBER_COMPROMISED && before)
        *marks |= TCN_MARK_PUBLISHER_COMPROMISED;
    if (before)
        return TCN_OK;
    return tcn_fault_set(x->fault,
                         issuer->state == TCN_MEMBER_COMPROMISED ? TCN_VOIDED : TCN_REVOKED,
                         "alert: created after %s was %s", issuer->name, state);
}

static tcn_err outside(const exam *x, const tcn_issuer *issuer, bool early, const char *when)
{
    return tcn_fault_set(x->fault, early ? TCN_TOO_EARLY : TCN_EXPIRED,
                         "alert: the key of %s was %s valid %s; renew its card or keys",
                         issuer->name, early ? "not yet" : "no longer", when);
}

/* Emergencies outlive an expired bundle by its grace, and so do the keys that signed them. */
static int64_t key_time(const exam *x, tcn_wall at)
{
    if (x->alert.meta.lane != TCN_LANE_EMERGENCY)
        return at.unix_ms;
    return tcn_bundle_trust_time(x->view->bundle, at).unix_ms;
}

/* The author's key was valid when it wrote created. An approver signs later, at a time that nobody
 * else knows: its key must have been valid at some time in the alert's life. */
static tcn_err check_key(const exam *x, const tcn_issuer *issuer, unsigned key, bool is_author)
{
    const tcn_alert_meta *meta = &x->alert.meta;
    int64_t from = issuer->key[key].from.unix_ms, until = issuer->key[key].until.unix_ms;
    int64_t created = key_time(x, meta->created);
    int64_t latest_from = is_author ? created : meta->expires.unix_ms - 1;
    if (until <= created)
        return outside(x, issuer, false, "when the alert was created");
    if (from > latest_from)
        return outside(x, issuer, true, is_author ? "when the alert was created" : "in its time");
    int64_t now = key_time(x, x->view->now);
    if (x->view->accepting && (now < from || now >= until))
        return outside(x, issuer, now < from, "now");
    return TCN_OK;
}

static tcn_err check_signers(exam *x)
{
    for (unsigned i = 0; i < x->cose.signers; i++) {
        tcn_err err = check_state(x, x->issuer[i], &x->marks);
        if (err == TCN_OK)
            err = check_key(x, x->issuer[i], x->key[i], i == x->author);
        if (err != TCN_OK)
            return err;
    }
    return TCN_OK;
}

/* ---- grants ---- */

static tcn_err check_grants(const exam *x)
{
    const tcn_alert_meta *meta = &x->alert.meta;
    const tcn_issuer *author = x->issuer[x->author];
    if (meta->tlp > author->max_tlp)
        return tcn_fault_set(
            x->fault, TCN_TLP_DENIED, "alert: %s is above %s, the highest that %s may publish",
            tcn_tlp_label(meta->tlp), tcn_tlp_label(author->max_tlp), author->name);
    /* An approver cancels what others published: its own grants to publish do not matter. */
    if (x->cose.signer[x->author].role == TCN_ROLE_APPROVER)
        return TCN_OK;
    if (!tcn_patterns_match(author->publishes, (const tcn_pattern_row *)author->publish,
                            meta->topic))
        return tcn_fault_set(x->fault, TCN_TOPIC_DENIED, "alert: %s may not publish on %.*s",
                             author->name, (int)meta->topic.len, (const char *)meta->topic.ptr);
    if (meta->lane == TCN_LANE_EMERGENCY && !author->emergency)
        return tcn_fault_set(x->fault, TCN_DENIED,
                             "alert: %s may not submit emergencies; the authority can grant it",
                             author->name);
    return TCN_OK;
}

/* ---- time and size ---- */

static tcn_err check_bundle_age(exam *x)
{
    const tcn_bundle *bundle = x->view->bundle;
    int64_t over = x->view->now.unix_ms - bundle->expires.unix_ms;
    if (over < 0)
        return TCN_OK;
    bool emergency = x->alert.meta.lane == TCN_LANE_EMERGENCY;
    if (!emergency || over > (int64_t)bundle->policy.grace_ms)
        return tcn_fault_set(x->fault, TCN_STALE,
                             "alert: trust version %llu is expired; the authority must sign anew",
                             (unsigned long long)bundle->version);
    x->marks |= TCN_MARK_STALE_TRUST;
    return TCN_OK;
}

/* A broker refuses; an agent, whose clock may be wrong, marks. */
static tcn_err check_times(exam *x)
{
    const tcn_alert_meta *meta = &x->alert.meta;
    const tcn_policy *policy = &x->view->bundle->policy;
    int64_t now = x->view->now.unix_ms;
    bool expired = now >= meta->expires.unix_ms;
    bool early = meta->created.unix_ms > now + DAY_MS;
    if (!x->view->accepting) {
        x->marks |= expired ? TCN_MARK_EXPIRED_BY_OUR_CLOCK : 0U;
        x->marks |= early ? TCN_MARK_TOO_EARLY : 0U;
        return TCN_OK;
    }
    if (expired)
        return tcn_fault_set(x->fault, TCN_EXPIRED, "alert: already expired; check the clocks");
    if (early)
        return tcn_fault_set(x->fault, TCN_TOO_EARLY,
                             "alert: created more than a day from now; check the clocks");
    if ((uint64_t)(meta->expires.unix_ms - meta->created.unix_ms) > policy->max_validity_ms)
        return tcn_fault_set(
            x->fault, TCN_TOO_LARGE,
            "alert: valid for longer than the policy's %.4g days: expire it earlier",
            (double)policy->max_validity_ms / 86400000.0);
    if (meta->decoded_size > policy->max_body_bytes)
        return tcn_fault_set(x->fault, TCN_TOO_LARGE,
                             "alert: the body is over the policy's %llu bytes",
                             (unsigned long long)policy->max_body_bytes);
    return TCN_OK;
}

/* ---- the two-person rule ---- */

static unsigned count_approvals(const exam *x)
{
    unsigned count = 0;
    for (unsigned i = 0; i < x->cose.signers; i++)
        count += has_role(x->issuer[i], TCN_ROLE_APPROVER);
    return count;
}

static unsigned approvals_needed(const exam *x)
{
    const tcn_alert_meta *meta = &x->alert.meta;
    if (meta->lane != TCN_LANE_EMERGENCY || meta->status != TCN_STATUS_ACTUAL)
        return 0;
    return meta->kind == TCN_KIND_CANCEL ? 1 : x->view->bundle->policy.approvals;
}

/* ---- the whole ---- */

/* Cheap and fatal first; nothing is said about grants before the signatures verify. What an expired
 * bundle says of keys and grants is no last word: it is stale, and newer trust decides. */
static tcn_err examine(exam *x, tcn_bytes envelope)
{
    tcn_err err = read_envelope(x, envelope);
    if (err == TCN_OK)
        err = check_signatures(x);
    if (err == TCN_OK)
        err = check_roles(x);
    if (err == TCN_OK)
        err = check_bundle_age(x);
    if (err == TCN_OK)
        err = check_signers(x);
    if (err == TCN_OK)
        err = check_grants(x);
    if (err == TCN_OK)
        err = check_times(x);
    return err;
}

tcn_err tcn_trust_verify_alert(const tcn_trust_view *view, tcn_bytes envelope,
                               tcn_verified *ret_verified, tcn_fault *fault)
{
    exam x = {.view = view, .fault = fault};
    tcn_err err = examine(&x, envelope);
    if (err != TCN_OK)
        return err;
    const tcn_alert_meta *meta = &x.alert.meta;
    if (meta->kind == TCN_KIND_CANCEL && meta->reason == TCN_REASON_ALL_CLEAR)
        x.marks |= TCN_MARK_ALL_CLEAR;
    *ret_verified = (tcn_verified){.envelope = envelope,
                                   .cose = x.cose,
                                   .alert = x.alert,
                                   .payload_hash = tcn_hash_of(x.cose.payload),
                                   .approvals = count_approvals(&x),
                                   .approvals_needed = approvals_needed(&x),
                                   .marks = x.marks};
    return TCN_OK;
}

tcn_err tcn_trust_check_reference(const tcn_trust_view *view, const tcn_alert_meta *alert,
                                  const tcn_alert_meta *target, tcn_fault *fault)
{
    const char *kind = tcn_kind_text(alert->kind), *why = NULL;
    if (alert->kind == TCN_KIND_ALERT)
        why = "only updates and cancels refer to others";
    else if (target->kind == TCN_KIND_CANCEL)
        why = "a cancel cannot be updated or cancelled";
    else if (!tcn_id_equal(&alert->program, &target->program))
        why = "it refers to an alert of another program";
    else if (alert->lane != target->lane)
        why = "it refers to an alert in the other lane";
    else if (alert->status != target->status)
        why = "it refers to an alert of another status (actual, exercise, test)";
    if (why == NULL && !tcn_bytes_equal(alert->publisher, target->publisher)) {
        const tcn_issuer *author = tcn_bundle_issuer(view->bundle, alert->publisher);
        if (alert->kind == TCN_KIND_UPDATE)
            why = "only the publisher of an alert updates it";
        else if (author == NULL || !has_role(author, TCN_ROLE_APPROVER))
            why = "only the publisher of an alert or an approver cancels it";
    }
    return why == NULL ? TCN_OK : tcn_fault_set(fault, TCN_DENIED, "%s: %s", kind, why);
}

/* ---- approvals ---- */

/* May this member approve now what x holds? */
static tcn_err check_approver(exam *x, const tcn_cose_signer *signer, const tcn_issuer *issuer)
{
    if (signer->role != TCN_ROLE_APPROVER || !has_role(issuer, TCN_ROLE_APPROVER))
        return tcn_fault_set(x->fault, TCN_WRONG_ROLE, "approval: %s does not have the role %s",
                             issuer->name, tcn_role_word(TCN_ROLE_APPROVER));
    for (unsigned i = 0; i < x->cose.signers; i++) {
        unsigned key;
        if (tcn_bundle_signer(x->view->bundle, &x->cose.signer[i].kid, &key) == issuer)
            return tcn_fault_set(x->fault, TCN_CONFLICT,
                                 "approval: %s has signed already; another member must approve",
                                 issuer->name);
    }
    if (x->cose.signers == TCN_MAX_SIGNATURES)
        return tcn_fault_set(x->fault, TCN_FULL, "approval: there are %d signatures already",
                             TCN_MAX_SIGNATURES);
    return TCN_OK;
}

tcn_err tcn_trust_verify_approval(const tcn_trust_view *view, tcn_bytes envelope,
                                  tcn_bytes signature, tcn_cose_signer *ret_signer,
                                  tcn_fault *fault)
{
    /* An approval happens now, so the approver's key and state count strictly. */
    tcn_trust_view now = *view;
    now.accepting = true;
    exam x = {.view = &now, .fault = fault};
    tcn_cose_signer signer;
    unsigned key;
    tcn_err err = read_envelope(&x, envelope);
    if (err != TCN_OK)
        return err;
    if (tcn_cose_signer_decode(signature, &signer) != TCN_OK)
        return tcn_fault_set(fault, TCN_MALFORMED, "approval: not a COSE signature");
    const tcn_issuer *issuer = tcn_bundle_signer(view->bundle, &signer.kid, &key);
    if (issuer == NULL)
        return unknown_kid(&now, &signer.kid, fault);
    tcn_cose alone = x.cose;
    alone.signers = 1;
    alone.signer[0] = signer;
    if (!tcn_cose_verify(&alone, 0, &view->bundle->program, &issuer->key[key].public_key))
        return tcn_fault_set(fault, TCN_BAD_SIGNATURE,
                             "approval: the signature of %s does not verify", issuer->name);
    err = check_approver(&x, &signer, issuer);
    if (err == TCN_OK)
        err = check_state(&x, issuer, &x.marks);
    if (err == TCN_OK)
        err = check_key(&x, issuer, key, false);
    if (err == TCN_OK)
        *ret_signer = signer;
    return err;
}

tcn_err tcn_trust_add_signer(tcn_bytes envelope, const tcn_cose_signer *signer,
                             uint8_t *ret_envelope, size_t cap, size_t *ret_len)
{
    tcn_cose cose;
    tcn_err err = tcn_cose_decode(envelope, TCN_OBJECT_ALERT, &cose);
    if (err != TCN_OK)
        return err;
    if (cose.signers == TCN_MAX_SIGNATURES)
        return TCN_FULL;
    cose.signer[cose.signers++] = *signer;
    return tcn_cose_encode(TCN_OBJECT_ALERT, cose.payload, cose.signer, cose.signers, ret_envelope,
                           cap < TCN_MAX_ENVELOPE_BYTES ? cap : TCN_MAX_ENVELOPE_BYTES, ret_len);
}

tcn_err tcn_trust_approve(const tcn_id *program, tcn_bytes payload, const tcn_sign_secret *secret,
                          uint8_t *ret_signature, size_t cap, size_t *ret_len)
{
    tcn_cose_signer signer;
    uint8_t header[64];
    if (payload.len > TCN_MAX_ENVELOPE_BYTES)
        return TCN_TOO_LARGE;
    tcn_cose_sign(TCN_OBJECT_ALERT, program, payload, TCN_ROLE_APPROVER, secret, &signer, header);
    return tcn_cose_signer_encode(&signer, ret_signature, cap, ret_len);
}
