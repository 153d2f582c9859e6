/* SPDX-License-Identifier: Apache-2.0 */
/* client_prepare.c - from a draft to a signed envelope (docs/protocol.md §2). */
#include "client_prepare.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "topic.h"

enum { ZSTD_LEVEL = 9, HANDLE_NAME_CHARS = 20, DEFAULT_DAYS = 7 };

void tocsin_draft_init(tocsin_draft *ret_draft)
{
    *ret_draft = (tocsin_draft){.struct_size = sizeof(*ret_draft), .tlp = TOCSIN_TLP_AMBER};
}

/* ---- id and handle ---- */

static tcn_id make_id(tcn_wall now)
{
    uint8_t random[10];
    randombytes_buf(random, sizeof(random));
    return tcn_alert_id_make(now, random);
}

/* NAME-YEAR-XXXXXX: 30 random bits of the id in Crockford's base 32, which is hard to mishear. */
static void make_handle(const char *name, const tcn_id *id, tcn_wall now,
                        char ret_handle[static TCN_MAX_HANDLE_CHARS + 1])
{
    static const char digits[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
    char upper[HANDLE_NAME_CHARS + 1] = "", code[7] = "";
    for (size_t i = 0; i < HANDLE_NAME_CHARS && name[i] != '\0'; i++)
        upper[i] = name[i] >= 'a' && name[i] <= 'z' ? (char)(name[i] - 'a' + 'A') : name[i];
    uint64_t bits = 0;
    for (size_t i = 11; i < 16; i++)
        bits = bits << 8 | id->b[i];
    for (size_t i = 0; i < 6; i++)
        code[i] = digits[bits >> (5 * i) & 31];
    time_t seconds = (time_t)(now.unix_ms / 1000);
    struct tm utc = {.tm_year = 70};
    (void)gmtime_r(&seconds, &utc);
    (void)snprintf(ret_handle, TCN_MAX_HANDLE_CHARS + 1, "%s-%u-%s", upper,
                   (unsigned)(utc.tm_year + 1900) % 10000, code);
}

/* ---- signing ---- */

static int32_t check_ourselves(const tocsin_client *client, const tcn_manuscript *script,
                               tocsin_error *error)
{
    const tcn_card *card = &client->home.card;
    bool suspect;
    tcn_wall now = tcn_client_time(client, &suspect);
    if (script->meta.lane == TCN_LANE_EMERGENCY)
        now = tcn_bundle_trust_time(&client->home.bundle, now);
    if (!tcn_card_is_valid(card, now)) {
        bool active = card->state == TCN_MEMBER_ACTIVE;
        return tcn_error_say(error, TOCSIN_STAGE_LOCAL, active ? TCN_EXPIRED : TCN_REVOKED,
                             "the card of %s %s; ask the authority to renew it", card->name,
                             active ? "has expired" : tcn_member_state_text(card->state));
    }
    if ((card->roles & (unsigned)script->role) == 0)
        return tcn_error_say(error, TOCSIN_STAGE_LOCAL, TCN_WRONG_ROLE,
                             "%s does not have the role %s; the authority can grant it", card->name,
                             tcn_role_word(script->role));
    return TOCSIN_OK;
}

static int32_t body_too_large(const tcn_manuscript *script, size_t encoded_len, uint64_t most,
                              tocsin_error *error)
{
    if (script->meta.lane == TCN_LANE_EMERGENCY && encoded_len > TCN_MAX_INLINE_BODY_BYTES)
        return tcn_error_say(error, TOCSIN_STAGE_LOCAL, TCN_TOO_LARGE,
                             "an emergency travels with its body, which is %zu bytes after "
                             "compression and may be %d: send a short one, and the long text as "
                             "an alert of its own",
                             encoded_len, TCN_MAX_INLINE_BODY_BYTES);
    return tcn_error_say(error, TOCSIN_STAGE_LOCAL, TCN_TOO_LARGE,
                         "the body is %zu bytes; this program allows %llu", script->body.len,
                         (unsigned long long)most);
}

/* The encoded body; the alert's body fields follow it. */
static int32_t encode_body(const tocsin_client *client, const tcn_manuscript *script,
                           tcn_alert *alert, uint8_t **ret_body, tocsin_error *error)
{
    uint64_t most = client->home.bundle.policy.max_body_bytes;
    if (script->body.len > most)
        return body_too_large(script, 0, most, error);
    size_t len = 0;
    tcn_err err = tcn_body_encode(script->body, ZSTD_LEVEL, &alert->meta.encoding, ret_body, &len);
    if (err != TCN_OK)
        return tcn_error_set(error, TOCSIN_STAGE_LOCAL, err, NULL);
    alert->meta.decoded_size = script->body.len;
    alert->body = tcn_bytes_of(*ret_body, len);
    alert->body_size = len;
    alert->external = len > TCN_MAX_INLINE_BODY_BYTES;
    alert->body_hash = tcn_hash_of(alert->body);
    if (alert->external && script->meta.lane == TCN_LANE_EMERGENCY)
        return body_too_large(script, len, most, error);
    if (client->max_body_bytes > 0 && len > client->max_body_bytes)
        return body_too_large(script, len, client->max_body_bytes, error);
    return TOCSIN_OK;
}

/* What to do about a refusal; "" if its text says so. */
static const char *remedy_of(tcn_err err)
{
    switch (err) {
    case TCN_TOPIC_DENIED: return "; the authority can grant the topic";
    case TCN_TLP_DENIED: return "; the authority can raise the clearance";
    case TCN_UNKNOWN_KEY: return "; connect to get newer trust, or ask the authority";
    default: return "";
    }
}

static int32_t not_verified(tcn_err err, const tcn_fault *fault, tocsin_error *error)
{
    static const char prefix[] = "alert: ";
    const char *text = fault->text[0] != '\0' ? fault->text : tcn_err_text(err);
    if (strncmp(text, prefix, strlen(prefix)) == 0)
        text += strlen(prefix);
    return tcn_error_say(error, TOCSIN_STAGE_LOCAL, err, "%s%s", text, remedy_of(err));
}

int32_t tcn_client_verify(tocsin_client *client, tcn_bytes envelope, bool accepting,
                          tocsin_alert **ret_alert, tocsin_error *error)
{
    tcn_fault fault = {.err = TCN_OK};
    tcn_verified verified;
    bool suspect;
    tcn_trust_view view = {.bundle = &client->home.bundle,
                           .now = tcn_client_time(client, &suspect),
                           .accepting = accepting};
    tcn_err err = tcn_trust_verify_alert(&view, envelope, &verified, &fault);
    if (err == TCN_OK && suspect)
        verified.marks |= TCN_MARK_CLOCK_SUSPECT;
    if (err == TCN_OK && verified.alert.external)
        verified.marks |= TCN_MARK_BODY_TO_COME;
    if (err == TCN_OK)
        err = tcn_alert_view_new(&verified, &client->home.bundle, ret_alert);
    return err == TCN_OK ? TOCSIN_OK : not_verified(err, &fault, error);
}

/* payload and envelope: ENVELOPE_BYTES each. */
static int32_t seal(tocsin_client *client, const tcn_manuscript *script, const tcn_alert *alert,
                    uint8_t *memory, tocsin_alert **ret_alert, tocsin_error *error)
{
    uint8_t *payload = memory, *envelope = memory + TCN_MAX_ENVELOPE_BYTES;
    size_t payload_len = 0, envelope_len = 0;
    tcn_fault fault = {.err = TCN_OK};
    tcn_err err = tcn_alert_encode(alert, payload, TCN_MAX_ENVELOPE_BYTES, &payload_len, &fault);
    if (err == TCN_OK)
        err = tcn_cose_seal(TCN_OBJECT_ALERT, &client->home.program,
                            tcn_bytes_of(payload, payload_len), script->role,
                            &client->home.keys.secrets.sign, envelope, TCN_MAX_ENVELOPE_BYTES,
                            &envelope_len);
    if (err != TCN_OK)
        return tcn_error_set(error, TOCSIN_STAGE_LOCAL, err == TCN_MALFORMED ? TCN_INVALID : err,
                             &fault);
    return tcn_client_verify(client, tcn_bytes_of(envelope, envelope_len), true, ret_alert, error);
}

static int32_t fill_in(tocsin_client *client, tcn_manuscript *script, char *handle,
                       uint8_t *audience, tocsin_error *error)
{
    bool suspect;
    tcn_wall now = tcn_client_time(client, &suspect);
    tcn_alert_meta *meta = &script->meta;
    meta->id = make_id(now);
    meta->program = client->home.program;
    meta->publisher = tcn_bytes_str(client->home.card.name);
    meta->created = now;
    if (meta->expires.unix_ms == 0)
        meta->expires.unix_ms = now.unix_ms + DEFAULT_DAYS * TCN_DAY_MS;
    if (meta->handle.len == 0) {
        make_handle(client->home.card.name, &meta->id, now, handle);
        meta->handle = tcn_bytes_str(handle);
    }
    return tcn_audience_fill(client, script, audience, error);
}

int32_t tcn_manuscript_sign(tocsin_client *client, tcn_manuscript *script,
                            tocsin_prepared **ret_prepared, tocsin_error *error)
{
    char handle[TCN_MAX_HANDLE_CHARS + 1];
    uint8_t *body = NULL;
    uint8_t *memory = malloc(2 * TCN_MAX_ENVELOPE_BYTES + TCN_MAX_AUDIENCE * 17);
    tocsin_prepared *prepared = calloc(1, sizeof(*prepared));
    int32_t code = TOCSIN_OK;
    tcn_alert alert = {.external = false};
    if (memory == NULL || prepared == NULL)
        code = tcn_error_set(error, TOCSIN_STAGE_LOCAL, TCN_NO_MEMORY, NULL);
    if (code == TOCSIN_OK)
        code = check_ourselves(client, script, error);
    if (code == TOCSIN_OK)
        code = fill_in(client, script, handle, memory + 2 * TCN_MAX_ENVELOPE_BYTES, error);
    if (code == TOCSIN_OK) {
        alert.meta = script->meta;
        code = encode_body(client, script, &alert, &body, error);
    }
    if (code == TOCSIN_OK)
        code = seal(client, script, &alert, memory, &prepared->alert, error);
    if (code == TOCSIN_OK && alert.external) {
        prepared->body = body;
        prepared->body_len = alert.body.len;
        body = NULL;
    }
    free(body);
    free(memory);
    if (code != TOCSIN_OK) {
        tocsin_prepared_destroy(&prepared);
        return code;
    }
    *ret_prepared = prepared;
    return TOCSIN_OK;
}

/* ---- from a draft ---- */

static tcn_bytes bytes_or_none(const char *text)
{
    return text != NULL ? tcn_bytes_str(text) : tcn_bytes_of(NULL, 0);
}

static int compare_names(const void *a, const void *b)
{
    return tcn_bytes_compare(*(const tcn_bytes *)a, *(const tcn_bytes *)b);
}

/* Counts and choices that the encoder would take as something else, or not see at all. */
static int32_t check_draft(const tocsin_draft *draft, tocsin_error *error)
{
    const char *wrong = NULL;
    if (draft->topic == NULL || tcn_topic_check(tcn_bytes_str(draft->topic)) != TCN_OK)
        wrong = "a topic is lower-case words joined by dots, like advisory.vendor.example";
    else if (draft->text_count == 0 || draft->text_count > TCN_MAX_LANGUAGES)
        wrong = "a title is wanted, in one to eight languages";
    else if (draft->kind > TOCSIN_KIND_UPDATE)
        wrong = "a draft is an alert or an update; cancel with tocsin_prepare_cancel";
    else if (draft->kind == TOCSIN_KIND_UPDATE && draft->reference_count == 0)
        wrong = "an update names the alerts that it supersedes";
    else if (draft->kind == TOCSIN_KIND_ALERT && draft->reference_count > 0)
        wrong = "only an update refers to other alerts";
    else if (draft->reference_count > TCN_MAX_REFERENCES)
        wrong = "an update refers to 16 alerts at most";
    else if (draft->community_count > TCN_MAX_COMMUNITIES)
        wrong = "an alert is for 16 communities at most";
    else if (draft->tlp == TOCSIN_TLP_RED && draft->to_count == 0)
        wrong = "TLP:RED is for named recipients: say to whom";
    else if (draft->lane > TOCSIN_LANE_EMERGENCY || draft->urgency > TOCSIN_URGENCY_PAST ||
             draft->tlp > TOCSIN_TLP_RED || draft->status > TOCSIN_STATUS_TEST)
        wrong = "lane, urgency, TLP or status is out of range";
    return wrong == NULL ? TOCSIN_OK
                         : tcn_error_say(error, TOCSIN_STAGE_LOCAL, TCN_INVALID, "%s", wrong);
}

static void fill_lists(const tocsin_draft *draft, tcn_alert_meta *meta)
{
    meta->texts = draft->text_count;
    for (uint32_t i = 0; i < draft->text_count; i++)
        meta->text[i] = (tcn_alert_text){.lang = bytes_or_none(draft->texts[i].lang),
                                         .title = bytes_or_none(draft->texts[i].title),
                                         .summary = bytes_or_none(draft->texts[i].summary)};
    meta->references = draft->reference_count;
    for (uint32_t i = 0; i < draft->reference_count; i++)
        memcpy(meta->reference[i].b, draft->references[i].bytes, sizeof(meta->reference[i].b));
    meta->communities = draft->community_count;
    for (uint32_t i = 0; i < draft->community_count; i++)
        meta->community[i] = bytes_or_none(draft->communities[i]);
    if (meta->communities > 1)
        qsort(meta->community, meta->communities, sizeof(meta->community[0]), compare_names);
}

int32_t tocsin_prepare(tocsin_client *client, const tocsin_draft *draft,
                       tocsin_prepared **ret_prepared, tocsin_error *error)
{
    if (draft->struct_size < sizeof(draft->struct_size) || draft->struct_size > sizeof(*draft))
        return tcn_error_say(error, TOCSIN_STAGE_LOCAL, TCN_INVALID,
                             "the draft is not of this library: use tocsin_draft_init");
    tocsin_draft known;
    tocsin_draft_init(&known);
    memcpy(&known, draft, draft->struct_size);
    int32_t code = check_draft(&known, error);
    if (code != TOCSIN_OK)
        return code;
    tcn_manuscript script = {
        .meta = {.handle = bytes_or_none(known.handle),
                 .topic = tcn_bytes_str(known.topic),
                 .lane = (tcn_lane)known.lane,
                 .urgency = (tcn_urgency)known.urgency,
                 .tlp = (tcn_tlp)known.tlp,
                 .status = (tcn_status)known.status,
                 .kind = (tcn_kind)known.kind,
                 .ask = bytes_or_none(known.ask),
                 .not_before = {known.not_before},
                 .expires = {known.expires},
                 .ack_by = {known.ack_by},
                 .content_type =
                     tcn_bytes_str(known.content_type != NULL ? known.content_type : "text/plain")},
        .body = tcn_bytes_of(known.body, (size_t)known.body_size),
        .role = TCN_ROLE_PUBLISHER,
        .to = known.to,
        .to_count = known.to_count,
    };
    fill_lists(&known, &script.meta);
    return tcn_manuscript_sign(client, &script, ret_prepared, error);
}

void tocsin_prepared_destroy(tocsin_prepared **prepared)
{
    if (*prepared == NULL)
        return;
    tcn_alert_view_free((*prepared)->alert);
    free((*prepared)->body);
    free(*prepared);
    *prepared = NULL;
}

const tocsin_alert *tocsin_prepared_alert(const tocsin_prepared *prepared)
{
    return prepared->alert;
}
