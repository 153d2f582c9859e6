/* SPDX-License-Identifier: Apache-2.0 */
/* cache.c - see cache.h. What refers to an alert that is not here is kept as a mention, should it
 * still come. */
#include "cache.h"

#include <string.h>

#include "libtocsin/cose.h"
#include "link.h"

/* A target is at most EXPIRES_DAYS old when it still counts; a day for clocks that differ. */
#define MENTION_MS ((TCN_MAX_EXPIRES_DAYS + 1) * TCN_DAY_MS)

static const uint8_t present = 1;

/* ---- records ---- */

tcn_err tcn_agent_record_load(tcn_agent *a, const tcn_id *id, tcn_agent_record *ret_record)
{
    tcn_agent_key key = tcn_agent_key_id('A', id);
    tcn_bytes value;
    tcn_err err = tcn_agent_get(a, &key, &value);
    if (err == TCN_OK && tcn_agent_record_decode(value, ret_record) != TCN_OK)
        err = TCN_NOT_FOUND;
    return err;
}

bool tcn_agent_is_unacked(const tcn_agent_record *record)
{
    return record->kind != TCN_KIND_CANCEL && record->answer == TCN_NO_ANSWER &&
           !(record->flags & (TCN_RECORD_CANCELLED | TCN_RECORD_SUPERSEDED | TCN_RECORD_EXPIRED));
}

tcn_err tcn_agent_record_save(tcn_agent *a, const tcn_id *id, const tcn_agent_record *before,
                              const tcn_agent_record *after)
{
    uint8_t bytes[TCN_AGENT_RECORD_SIZE];
    tcn_agent_key key = tcn_agent_key_id('A', id);
    size_t len = tcn_agent_record_encode(after, bytes);
    tcn_err err = tcn_agent_put(a, &key, tcn_bytes_of(bytes, len));
    if (err != TCN_OK)
        return err;
    if (before && tcn_agent_is_unacked(before))
        a->next.counts.unacked--;
    if (tcn_agent_is_unacked(after))
        a->next.counts.unacked++;
    return TCN_OK;
}

tcn_err tcn_agent_item_load(tcn_agent *a, const tcn_id *id, tcn_agent_item *ret_item)
{
    tcn_cose cose;
    tcn_fault fault;
    ret_item->id = *id;
    tcn_err err = tcn_agent_record_load(a, id, &ret_item->record);
    if (err != TCN_OK)
        return err;
    tcn_agent_key key = tcn_agent_key_id('V', id);
    err = tcn_agent_get(a, &key, &ret_item->envelope);
    if (err != TCN_OK)
        return err;
    if (tcn_cose_decode(ret_item->envelope, TCN_OBJECT_ALERT, &cose) != TCN_OK ||
        tcn_alert_decode(cose.payload, &ret_item->alert, &fault) != TCN_OK)
        return TCN_NOT_FOUND; /* the disk changed it */
    return TCN_OK;
}

/* ---- references ---- */

static void mark_target(tcn_agent_record *target, tcn_kind kind, tcn_reason reason)
{
    if (kind == TCN_KIND_UPDATE) {
        target->flags |= TCN_RECORD_SUPERSEDED;
    } else {
        target->flags |= TCN_RECORD_CANCELLED;
        if (reason == TCN_REASON_ALL_CLEAR)
            target->marks |= TCN_MARK_ALL_CLEAR;
    }
}

/* Each alert referred to that is held must be one this alert may refer to. */
static tcn_err check_references(tcn_agent *a, const tcn_trust_view *view,
                                const tcn_alert_meta *meta, tcn_err *ret_refused, tcn_fault *fault)
{
    tcn_agent_item target;
    for (unsigned i = 0; i < meta->references && *ret_refused == TCN_OK; i++) {
        tcn_err err = tcn_agent_item_load(a, &meta->reference[i], &target);
        if (err == TCN_OK)
            *ret_refused = tcn_trust_check_reference(view, meta, &target.alert.meta, fault);
        else if (err != TCN_NOT_FOUND)
            return err;
    }
    return TCN_OK;
}

/* The target is not here: what was said of it waits, should it still come. */
static tcn_err mention(tcn_agent *a, const tcn_alert_meta *meta, const tcn_id *target)
{
    tcn_agent_mention said = {
        .lane = meta->lane, .status = meta->status, .kind = meta->kind, .reason = meta->reason};
    if (meta->publisher.len > TCN_MAX_NAME_CHARS)
        return TCN_OK;
    memcpy(said.publisher, meta->publisher.ptr, meta->publisher.len);
    uint8_t bytes[TCN_AGENT_MENTION_SIZE];
    size_t len = tcn_agent_mention_encode(&said, bytes);
    tcn_agent_key key = tcn_agent_key_mention(target, &meta->id);
    tcn_err err = tcn_agent_put(a, &key, tcn_bytes_of(bytes, len));
    if (err != TCN_OK)
        return err;
    tcn_wall until = {meta->created.unix_ms + MENTION_MS};
    key = tcn_agent_key_due(until, TCN_DUE_MENTION, target, &meta->id);
    return tcn_agent_put(a, &key, tcn_bytes_of(&present, 1));
}

static tcn_err apply_references(tcn_agent *a, const tcn_alert_meta *meta)
{
    tcn_agent_record before, after;
    for (unsigned i = 0; i < meta->references; i++) {
        const tcn_id *target = &meta->reference[i];
        tcn_err err = tcn_agent_record_load(a, target, &before);
        if (err == TCN_OK) {
            after = before;
            mark_target(&after, meta->kind, meta->reason);
            err = tcn_agent_record_save(a, target, &before, &after);
        } else if (err == TCN_NOT_FOUND) {
            err = mention(a, meta, target);
        }
        if (err != TCN_OK)
            return err;
    }
    return TCN_OK;
}

/* What came before it and was entitled to, takes effect. */
static tcn_err apply_mentions(tcn_agent *a, const tcn_trust_view *view, const tcn_alert_meta *meta,
                              tcn_agent_record *record)
{
    tcn_agent_key table = tcn_agent_key_mention(&meta->id, NULL), key;
    tcn_bytes value;
    tcn_agent_mention said;
    tcn_fault fault;
    tcn_err err = tcn_agent_first(a, &table, NULL, &key, &value);
    for (; err == TCN_OK; err = tcn_agent_first(a, &table, &key, &key, &value)) {
        if (tcn_agent_mention_decode(value, &said) != TCN_OK)
            continue;
        tcn_alert_meta by = {.program = a->program,
                             .publisher = tcn_bytes_str(said.publisher),
                             .topic = meta->topic,
                             .lane = said.lane,
                             .status = said.status,
                             .kind = said.kind,
                             .reason = said.reason,
                             .references = 1,
                             .reference = {meta->id}};
        (void)tcn_agent_key_last_id(tcn_agent_key_bytes(&key), &by.id);
        if (tcn_trust_check_reference(view, &by, meta, &fault) == TCN_OK)
            mark_target(record, said.kind, said.reason);
    }
    return err == TCN_NOT_FOUND ? TCN_OK : err;
}

/* ---- adding ---- */

static tcn_err put_present(tcn_agent *a, tcn_agent_key key)
{
    return tcn_agent_put(a, &key, tcn_bytes_of(&present, 1));
}

static tcn_err want_body(tcn_agent *a, const tcn_verified *verified, const char *broker)
{
    const tcn_alert *alert = &verified->alert;
    tcn_agent_fetch fetch = {.size = alert->body_size, .hash = alert->body_hash};
    uint8_t bytes[TCN_AGENT_FETCH_SIZE];
    tcn_agent_fetch_encode(&fetch, bytes);
    tcn_agent_key key = tcn_agent_key_id('F', &alert->meta.id);
    tcn_err err = tcn_agent_put(a, &key, tcn_bytes_of(bytes, sizeof bytes));
    if (err == TCN_OK)
        err = put_present(a, tcn_agent_key_at_broker('S', broker, &alert->meta.id));
    a->next.counts.to_fetch++;
    a->next.counts.fetch_bytes += alert->body_size;
    return err;
}

/* An alert that is held comes from one more broker, or again. */
static tcn_err known(tcn_agent *a, const tcn_id *id, const tcn_agent_record *record, unsigned link)
{
    const char *broker = a->next.broker[tcn_agent_link_broker(link)].name;
    if (!(record->flags & TCN_RECORD_EXTERNAL))
        return TCN_OK;
    if (record->marks & TCN_MARK_BODY_TO_COME)
        return put_present(a, tcn_agent_key_at_broker('S', broker, id));
    a->next.link[tcn_agent_session(link)].bodies_due = true;
    return put_present(a, tcn_agent_key_at_broker('D', broker, id));
}

static tcn_err insert(tcn_agent *a, const tcn_trust_view *view, const tcn_verified *verified,
                      const tcn_agent_origin *origin)
{
    const tcn_alert_meta *meta = &verified->alert.meta;
    const char *broker = a->next.broker[tcn_agent_link_broker(origin->link)].name;
    tcn_agent_record record = {.marks = verified->marks,
                               .lane = meta->lane,
                               .kind = meta->kind,
                               .answer = TCN_NO_ANSWER,
                               .serial = ++a->next.counts.serial,
                               .seq = origin->seq,
                               .body_size = verified->alert.body_size,
                               .received = view->now,
                               .created = meta->created,
                               .expires = meta->expires,
                               .payload_hash = verified->payload_hash};
    memcpy(record.broker, broker, sizeof record.broker);
    if (verified->alert.external) {
        record.flags |= TCN_RECORD_EXTERNAL;
        record.marks |= TCN_MARK_BODY_TO_COME;
    }
    a->next.counts.held++;
    tcn_err err = apply_mentions(a, view, meta, &record);
    if (err == TCN_OK)
        err = tcn_agent_record_save(a, &meta->id, NULL, &record);
    tcn_agent_key key = tcn_agent_key_id('V', &meta->id);
    if (err == TCN_OK)
        err = tcn_agent_put(a, &key, verified->envelope);
    key = tcn_agent_key_number('I', record.serial);
    if (err == TCN_OK)
        err = tcn_agent_put(a, &key, tcn_bytes_of(meta->id.b, sizeof meta->id.b));
    if (err == TCN_OK)
        err = put_present(a, tcn_agent_key_handle(meta->handle, &meta->id));
    if (err == TCN_OK)
        err = put_present(a, tcn_agent_key_due(meta->expires, TCN_DUE_EXPIRE, &meta->id, NULL));
    if (err == TCN_OK && verified->alert.external)
        err = want_body(a, verified, broker);
    return err;
}

/* TCN_NOT_FOUND: it is new. */
static tcn_err find_known(tcn_agent *a, const tcn_verified *verified, unsigned link,
                          tcn_err *ret_refused, tcn_fault *fault)
{
    const tcn_id *id = &verified->alert.meta.id;
    tcn_agent_record record;
    tcn_bytes gone;
    tcn_err err = tcn_agent_record_load(a, id, &record);
    bool is_same = err == TCN_OK && tcn_hash_equal(&record.payload_hash, &verified->payload_hash);
    if (is_same)
        return known(a, id, &record, link);
    if (err == TCN_NOT_FOUND) {
        tcn_agent_key key = tcn_agent_key_id('G', id);
        err = tcn_agent_get(a, &key, &gone);
        is_same =
            err == TCN_OK && tcn_bytes_equal(gone, tcn_bytes_of(verified->payload_hash.b,
                                                                sizeof verified->payload_hash.b));
    }
    if (err == TCN_OK && !is_same)
        *ret_refused = tcn_fault_set(fault, TCN_CONFLICT, "an alert of this id has other content");
    return err;
}

tcn_err tcn_agent_cache_add(tcn_agent *a, const tcn_trust_view *view, const tcn_verified *verified,
                            const tcn_agent_origin *origin, tcn_err *ret_refused, tcn_fault *fault)
{
    const tcn_alert_meta *meta = &verified->alert.meta;
    char id[TCN_ID_TEXT_SIZE];
    *ret_refused = TCN_OK;
    tcn_err err = find_known(a, verified, origin->link, ret_refused, fault);
    if (err != TCN_NOT_FOUND)
        return err;
    err = check_references(a, view, meta, ret_refused, fault);
    if (err != TCN_OK || *ret_refused != TCN_OK)
        return err;
    err = insert(a, view, verified, origin);
    if (err == TCN_OK)
        err = apply_references(a, meta);
    tcn_id_text(&meta->id, id);
    tcn_agent_log(a,
                  meta->lane == TCN_LANE_EMERGENCY ? TCN_AGENT_EVENT_EMERGENCY_CACHED
                                                   : TCN_AGENT_EVENT_ALERT_CACHED,
                  "%s %.*s by %.*s", id, (int)meta->handle.len, (const char *)meta->handle.ptr,
                  (int)meta->publisher.len, (const char *)meta->publisher.ptr);
    return err;
}

/* ---- bodies ---- */

static void remove_blob(tcn_agent *a, tcn_agent_effect *effect)
{
    a->ports.blob.remove(a->ports.blob.self, &effect->id);
}

static tcn_err remove_blob_later(tcn_agent *a, const tcn_id *id)
{
    tcn_agent_effect *effect = tcn_agent_later(a, remove_blob, tcn_bytes_of(NULL, 0));
    if (!effect)
        return TCN_NO_MEMORY;
    effect->id = *id;
    return TCN_OK;
}

/* Off the fetch list. */
static tcn_err forget_fetch(tcn_agent *a, const tcn_id *id)
{
    tcn_agent_key key = tcn_agent_key_id('F', id);
    tcn_bytes value;
    tcn_agent_fetch fetch;
    tcn_err err = tcn_agent_get(a, &key, &value);
    if (err != TCN_OK)
        return err == TCN_NOT_FOUND ? TCN_OK : err;
    if (tcn_agent_fetch_decode(value, &fetch) == TCN_OK) {
        a->next.counts.to_fetch--;
        a->next.counts.fetch_bytes -= fetch.size;
    }
    return tcn_agent_del(a, &key);
}

/* What brokers are said to have; tell: they are to be told that we have it, too. */
static tcn_err forget_sources(tcn_agent *a, const tcn_id *id, bool tell)
{
    tcn_err err = TCN_OK;
    for (unsigned b = 0; b < TCN_MAX_BROKERS && err == TCN_OK; b++) {
        const char *broker = a->next.broker[b].name;
        tcn_agent_key key = tcn_agent_key_at_broker('S', broker, id);
        tcn_bytes value;
        if (broker[0] == '\0')
            continue;
        err = tcn_agent_get(a, &key, &value);
        if (err == TCN_OK) {
            err = tcn_agent_del(a, &key);
            a->next.link[b * TCN_LANES].bodies_due = true;
            if (err == TCN_OK && tell)
                err = put_present(a, tcn_agent_key_at_broker('D', broker, id));
        } else if (err == TCN_NOT_FOUND) {
            err = TCN_OK;
        }
    }
    return err;
}

tcn_err tcn_agent_cache_body_here(tcn_agent *a, const tcn_id *id)
{
    tcn_agent_record before, after;
    tcn_err err = tcn_agent_record_load(a, id, &before);
    if (err != TCN_OK && err != TCN_NOT_FOUND)
        return err;
    bool is_held = err == TCN_OK;
    err = forget_fetch(a, id);
    if (err == TCN_OK)
        err = forget_sources(a, id, is_held);
    if (err != TCN_OK)
        return err;
    if (!is_held)
        return remove_blob_later(a, id);
    after = before;
    after.marks &= ~(unsigned)TCN_MARK_BODY_TO_COME;
    return tcn_agent_record_save(a, id, &before, &after);
}

/* ---- the end of an alert ---- */

tcn_err tcn_agent_cache_expire(tcn_agent *a, const tcn_id *id)
{
    tcn_agent_record before, after;
    tcn_err err = tcn_agent_record_load(a, id, &before);
    if (err != TCN_OK)
        return err == TCN_NOT_FOUND ? TCN_OK : err;
    after = before;
    after.flags |= TCN_RECORD_EXPIRED;
    err = tcn_agent_record_save(a, id, &before, &after);
    tcn_wall at = {before.expires.unix_ms + (int64_t)a->config.keep_ms};
    return err == TCN_OK ? put_present(a, tcn_agent_key_due(at, TCN_DUE_REMOVE, id, NULL)) : err;
}

static tcn_err del_all(tcn_agent *a, const tcn_agent_key *keys, size_t count)
{
    tcn_err err = TCN_OK;
    for (size_t i = 0; i < count && err == TCN_OK; i++)
        err = tcn_agent_del(a, &keys[i]);
    return err;
}

tcn_err tcn_agent_cache_remove(tcn_agent *a, const tcn_id *id)
{
    tcn_agent_item item;
    tcn_agent_record record;
    tcn_err err = tcn_agent_record_load(a, id, &record);
    if (err != TCN_OK)
        return err == TCN_NOT_FOUND ? TCN_OK : err;
    tcn_agent_key handle = {.len = 0};
    if (tcn_agent_item_load(a, id, &item) == TCN_OK)
        handle = tcn_agent_key_handle(item.alert.meta.handle, id);
    const tcn_agent_key keys[] = {tcn_agent_key_id('A', id), tcn_agent_key_id('V', id),
                                  tcn_agent_key_number('I', record.serial)};
    err = del_all(a, keys, sizeof keys / sizeof keys[0]);
    if (err == TCN_OK && handle.len > 0)
        err = tcn_agent_del(a, &handle);
    if (err == TCN_OK)
        err = forget_fetch(a, id);
    if (err == TCN_OK)
        err = forget_sources(a, id, false);
    tcn_agent_key tombstone = tcn_agent_key_id('G', id);
    if (err == TCN_OK)
        err = tcn_agent_put(a, &tombstone,
                            tcn_bytes_of(record.payload_hash.b, sizeof record.payload_hash.b));
    tcn_wall until = {record.expires.unix_ms + (int64_t)a->config.keep_ms + MENTION_MS};
    if (err == TCN_OK)
        err = put_present(a, tcn_agent_key_due(until, TCN_DUE_FORGET, id, NULL));
    if (err != TCN_OK)
        return err;
    a->next.counts.held--;
    if (tcn_agent_is_unacked(&record))
        a->next.counts.unacked--;
    return record.flags & TCN_RECORD_EXTERNAL ? remove_blob_later(a, id) : TCN_OK;
}
