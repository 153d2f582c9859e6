/* SPDX-License-Identifier: Apache-2.0 */
/* client_alert.c - from views into an envelope to a struct that owns what it shows. */
#include "client_alert.h"

#include <stdlib.h>
#include <string.h>

#include "client_error.h"

typedef struct {
    tocsin_alert shown; /* first: the public pointer is ours */
    tcn_arena arena;
} owned_alert;

static void show_lists(owned_alert *owned, const tcn_alert_meta *meta)
{
    tcn_arena *arena = &owned->arena;
    tocsin_text *texts = tcn_arena_take(arena, meta->texts * sizeof(*texts));
    tocsin_id *references = tcn_arena_take(arena, meta->references * sizeof(*references));
    const char **communities = tcn_arena_take(arena, meta->communities * sizeof(*communities));
    if (arena->failed)
        return;
    for (unsigned i = 0; i < meta->texts; i++)
        texts[i] = (tocsin_text){.lang = tcn_arena_text(arena, meta->text[i].lang),
                                 .title = tcn_arena_text(arena, meta->text[i].title),
                                 .summary = tcn_arena_text(arena, meta->text[i].summary)};
    for (unsigned i = 0; i < meta->references; i++)
        memcpy(references[i].bytes, meta->reference[i].b, sizeof(references[i].bytes));
    for (unsigned i = 0; i < meta->communities; i++)
        communities[i] = tcn_arena_text(arena, meta->community[i]);
    owned->shown.texts = texts;
    owned->shown.text_count = meta->texts;
    owned->shown.references = references;
    owned->shown.reference_count = meta->references;
    owned->shown.communities = communities;
    owned->shown.community_count = meta->communities;
}

static void show_signers(owned_alert *owned, const tcn_cose *cose, const tcn_bundle *bundle)
{
    tocsin_signer *signers = tcn_arena_take(&owned->arena, cose->signers * sizeof(*signers));
    if (signers == NULL)
        return;
    for (unsigned i = 0; i < cose->signers; i++) {
        unsigned key;
        const tcn_issuer *issuer = tcn_bundle_signer(bundle, &cose->signer[i].kid, &key);
        signers[i].role = (uint32_t)cose->signer[i].role;
        signers[i].member =
            issuer == NULL ? "" : tcn_arena_text(&owned->arena, tcn_bytes_str(issuer->name));
    }
    owned->shown.signers = signers;
    owned->shown.signer_count = cose->signers;
}

static void show(owned_alert *owned, const tcn_verified *verified)
{
    tcn_arena *arena = &owned->arena;
    const tcn_alert *alert = &verified->alert;
    const tcn_alert_meta *meta = &alert->meta;
    owned->shown = (tocsin_alert){
        .handle = tcn_arena_text(arena, meta->handle),
        .publisher = tcn_arena_text(arena, meta->publisher),
        .topic = tcn_arena_text(arena, meta->topic),
        .lane = meta->lane,
        .urgency = meta->urgency,
        .tlp = meta->tlp,
        .status = meta->status,
        .kind = meta->kind,
        .reason = meta->reason,
        .created = meta->created.unix_ms,
        .not_before = meta->not_before.unix_ms,
        .expires = meta->expires.unix_ms,
        .ack_by = meta->ack_by.unix_ms,
        .ask = tcn_arena_text(arena, meta->ask),
        .reason_text = tcn_arena_text(arena, meta->reason_text),
        .audience_count = meta->audiences,
        .approvals = verified->approvals,
        .approvals_needed = verified->approvals_needed,
        .marks = verified->marks,
        .content_type = tcn_arena_text(arena, meta->content_type),
        .encoding = meta->encoding,
        .external = alert->external,
        .decoded_size = meta->decoded_size,
        .encoded_size = alert->body_size,
        .envelope = tcn_arena_bytes(arena, verified->envelope),
        .envelope_size = verified->envelope.len,
    };
    memcpy(owned->shown.id.bytes, meta->id.b, sizeof(meta->id.b));
    memcpy(owned->shown.payload_hash, verified->payload_hash.b, sizeof(verified->payload_hash.b));
    tcn_hash body_hash = alert->body_hash;
    if (!alert->external) {
        owned->shown.body = tcn_arena_bytes(arena, alert->body);
        body_hash = tcn_hash_of(alert->body);
    }
    memcpy(owned->shown.body_hash, body_hash.b, sizeof(body_hash.b));
}

tcn_err tcn_alert_view_new(const tcn_verified *verified, const tcn_bundle *bundle,
                           tocsin_alert **ret_alert)
{
    owned_alert *owned = calloc(1, sizeof(*owned));
    if (owned == NULL)
        return TCN_NO_MEMORY;
    show(owned, verified);
    show_lists(owned, &verified->alert.meta);
    show_signers(owned, &verified->cose, bundle);
    if (owned->arena.failed) {
        tcn_alert_view_free(&owned->shown);
        return TCN_NO_MEMORY;
    }
    *ret_alert = &owned->shown;
    return TCN_OK;
}

void tcn_alert_view_free(tocsin_alert *alert)
{
    owned_alert *owned = (owned_alert *)(void *)alert;
    if (owned == NULL)
        return;
    tcn_arena_fini(&owned->arena);
    free(owned);
}

int32_t tocsin_body_decode(const tocsin_alert *alert, const void *encoded, uint64_t encoded_size,
                           uint8_t **ret_bytes, tocsin_error *error)
{
    tcn_bytes bytes = tcn_bytes_of(encoded, (size_t)encoded_size);
    tcn_hash hash = tcn_hash_of(bytes);
    if (encoded_size != alert->encoded_size ||
        memcmp(hash.b, alert->body_hash, sizeof(hash.b)) != 0)
        return tcn_error_say(error, TOCSIN_STAGE_LOCAL, TCN_HASH_MISMATCH,
                             "these are not the bytes that were signed; fetch the body again");
    tcn_err err = tcn_body_decode(bytes, (tcn_encoding)alert->encoding, alert->decoded_size,
                                  TCN_MAX_BODY_BYTES_MAX, ret_bytes);
    return err == TCN_OK ? TOCSIN_OK : tcn_error_set(error, TOCSIN_STAGE_LOCAL, err, NULL);
}
