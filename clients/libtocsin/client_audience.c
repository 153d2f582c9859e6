/* SPDX-License-Identifier: Apache-2.0 */
/* client_audience.c - recipients by name, as marks that only they recognise (DESIGN §5), and a
 * cancel, which goes to whom its alert went. */
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client_prepare.h"
#include "client_query.h"

enum { TITLE_PREFIX_CHARS = 16 };

typedef struct {
    const tcn_manuscript *script;
    bool *found; /* of script->to */
    tcn_id *marks;
    unsigned count;
} audience;

/* Is this member one of the recipients? */
static bool is_wanted(audience *a, const tcn_card *card)
{
    for (uint32_t i = 0; i < a->script->to_count; i++) {
        if (strcmp(a->script->to[i], card->name) == 0) {
            bool again = a->found[i];
            a->found[i] = true;
            return !again;
        }
    }
    if (a->script->same_audience == NULL)
        return false;
    tcn_id old = tcn_audience_mark(&a->script->same_audience->id, &card->audience_id);
    return tcn_alert_has_audience_mark(a->script->same_audience, &old);
}

static int32_t walk_directory(tocsin_client *client, audience *a, tocsin_error *error)
{
    tocsin_items *items = NULL;
    int32_t code = tocsin_list_directory(client, &items, error);
    bool end = false;
    while (code == TOCSIN_OK) {
        tcn_card card;
        code = tcn_next_directory_card(items, &card, &end, error);
        if (code != TOCSIN_OK || end)
            break;
        if (is_wanted(a, &card) && a->count < TCN_MAX_AUDIENCE)
            a->marks[a->count++] = tcn_audience_mark(&a->script->meta.id, &card.audience_id);
        tcn_card_fini(&card);
    }
    tocsin_items_close(&items);
    return code;
}

/* A name that is given twice counts as found with its first place. */
static int32_t check_found(const audience *a, tocsin_error *error)
{
    for (uint32_t i = 0; i < a->script->to_count; i++) {
        bool found = a->found[i];
        for (uint32_t j = 0; j < i && !found; j++)
            found = strcmp(a->script->to[i], a->script->to[j]) == 0;
        if (!found)
            return tcn_error_say(error, TOCSIN_STAGE_ANSWER, TCN_NOT_FOUND,
                                 "there is no active node \"%s\" that we may address",
                                 a->script->to[i]);
    }
    return TOCSIN_OK;
}

/* An approver that is no publisher has no directory. Its cancel reaches those who got the alert
 * all the same; the mark, of nobody, only says that it is for named recipients. */
static void nobodys_mark(audience *a)
{
    randombytes_buf(a->marks[0].b, sizeof(a->marks[0].b));
    a->count = 1;
}

int32_t tcn_audience_fill(tocsin_client *client, tcn_manuscript *script, uint8_t *memory,
                          tocsin_error *error)
{
    if (script->to_count == 0 && script->same_audience == NULL)
        return TOCSIN_OK;
    if (script->to_count > TCN_MAX_AUDIENCE)
        return tcn_error_say(error, TOCSIN_STAGE_LOCAL, TCN_TOO_LARGE,
                             "an alert names %d recipients at most; use a community",
                             TCN_MAX_AUDIENCE);
    audience a = {.script = script,
                  .found = calloc(script->to_count + 1, sizeof(bool)),
                  .marks = calloc(TCN_MAX_AUDIENCE, sizeof(tcn_id))};
    int32_t code = TOCSIN_OK;
    bool publisher = (client->home.card.roles & TCN_ROLE_PUBLISHER) != 0;
    if (a.found == NULL || a.marks == NULL)
        code = tcn_error_set(error, TOCSIN_STAGE_LOCAL, TCN_NO_MEMORY, NULL);
    else if (publisher)
        code = walk_directory(client, &a, error);
    if (code == TOCSIN_OK)
        code = check_found(&a, error);
    if (code == TOCSIN_OK && a.count == 0)
        nobodys_mark(&a);
    if (code == TOCSIN_OK) {
        tcn_audience_encode(a.marks, a.count, memory);
        script->meta.audiences = a.count;
        script->meta.audience = tcn_bytes_of(memory, (size_t)a.count * 17);
    }
    free(a.found);
    free(a.marks);
    return code;
}

/* ---- cancels ---- */

/* "Retracted: TITLE", cut at a character. */
static void cancel_title(tcn_reason reason, tcn_bytes title, char *ret_text, size_t size)
{
    const char *prefix = reason == TCN_REASON_RETRACT ? "Retracted: " : "All clear: ";
    size_t room = size - 1 - strlen(prefix);
    size_t len = title.len < room ? title.len : room;
    while (len < title.len && len > 0 && (title.ptr[len] & 0xc0) == 0x80)
        len--;
    (void)snprintf(ret_text, size, "%s%.*s", prefix, (int)len, (const char *)title.ptr);
}

static int32_t check_cancel(uint32_t reason, const char *reason_text, tocsin_error *error)
{
    bool told = reason_text != NULL && reason_text[0] != '\0';
    if (reason > TOCSIN_REASON_ALL_CLEAR)
        return tcn_error_say(error, TOCSIN_STAGE_LOCAL, TCN_INVALID, "no such reason");
    if (reason == TOCSIN_REASON_RETRACT && !told)
        return tcn_error_say(error, TOCSIN_STAGE_LOCAL, TCN_INVALID,
                             "who retracts says why: give a reason in words");
    if (told && strlen(reason_text) > TCN_MAX_NOTE_BYTES)
        return tcn_error_say(error, TOCSIN_STAGE_LOCAL, TCN_TOO_LARGE,
                             "the reason is at most %d bytes", TCN_MAX_NOTE_BYTES);
    return TOCSIN_OK;
}

static int32_t write_cancel(tocsin_client *client, const tcn_alert_meta *target,
                            const tcn_manuscript *given, tocsin_prepared **ret_prepared,
                            tocsin_error *error)
{
    char title[TCN_MAX_TITLE_BYTES + 1];
    tcn_manuscript script = *given;
    tcn_alert_meta *meta = &script.meta;
    if (target->kind == TCN_KIND_CANCEL)
        return tcn_error_say(error, TOCSIN_STAGE_LOCAL, TCN_DENIED,
                             "it is a cancel itself, and cannot be cancelled");
    bool ours = tcn_bytes_equal(target->publisher, tcn_bytes_str(client->home.card.name));
    script.role = ours ? TCN_ROLE_PUBLISHER : TCN_ROLE_APPROVER;
    meta->topic = target->topic;
    meta->lane = target->lane;
    meta->urgency = target->urgency;
    meta->tlp = target->tlp;
    meta->status = target->status;
    meta->references = 1;
    meta->reference[0] = target->id;
    cancel_title(meta->reason, target->text[0].title, title, sizeof(title));
    meta->texts = 1;
    meta->text[0] = (tcn_alert_text){.lang = target->text[0].lang, .title = tcn_bytes_str(title)};
    meta->communities = target->communities;
    memcpy(meta->community, target->community, sizeof(meta->community));
    meta->content_type = tcn_bytes_str("text/plain");
    /* It stays in force as long as what it cancels might be met. */
    meta->expires = target->expires;
    bool suspect;
    if (meta->expires.unix_ms <= tcn_client_time(client, &suspect).unix_ms)
        meta->expires.unix_ms = 0;
    script.body = meta->reason_text;
    script.same_audience = target->audiences > 0 ? target : NULL;
    return tcn_manuscript_sign(client, &script, ret_prepared, error);
}

int32_t tocsin_prepare_cancel(tocsin_client *client, const tocsin_id *id, uint32_t reason,
                              const char *reason_text, tocsin_prepared **ret_prepared,
                              tocsin_error *error)
{
    tcn_bytes fetched;
    uint8_t *envelope = NULL;
    tcn_cose cose;
    tcn_alert target;
    tcn_fault fault = {.err = TCN_OK};
    int32_t code = check_cancel(reason, reason_text, error);
    if (code == TOCSIN_OK)
        code = tcn_query_envelope(client, id, &fetched, error);
    if (code != TOCSIN_OK)
        return code;
    /* The view dies with the next question (the directory). */
    tcn_err err = tcn_bytes_copy(fetched, &envelope);
    if (err == TCN_OK)
        err = tcn_cose_decode(tcn_bytes_of(envelope, fetched.len), TCN_OBJECT_ALERT, &cose);
    if (err == TCN_OK)
        err = tcn_alert_decode(cose.payload, &target, &fault);
    if (err == TCN_OK && memcmp(target.meta.id.b, id->bytes, sizeof(id->bytes)) != 0)
        err = tcn_fault_set(&fault, TCN_MALFORMED, "broker %s sent another alert", client->broker);
    if (err == TCN_OK) {
        const char *words = reason_text != NULL ? reason_text : "";
        const tcn_manuscript script = {.meta = {.kind = TCN_KIND_CANCEL,
                                                .reason = (tcn_reason)reason,
                                                .reason_text = tcn_bytes_str(words)}};
        code = write_cancel(client, &target.meta, &script, ret_prepared, error);
    } else {
        code = tcn_error_set(error, TOCSIN_STAGE_ANSWER, err, &fault);
    }
    free(envelope);
    return code;
}
