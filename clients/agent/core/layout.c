/* SPDX-License-Identifier: Apache-2.0 */
/* layout.c - the bytes of keys and records.
 *
 *   record   flags u8, marks u8, lane u8, kind u8, answer u8, layout u8 = 1, reserved u16 = 0,
 *            serial u64, seq u64, counter u64, outbox u64, body size u64,
 *            received u64, created u64, expires u64, payload hash 32, n+broker
 *   mention  lane u8, status u8, kind u8, reason u8, n+publisher */
#include "layout.h"

#include <string.h>

void tcn_agent_put_u64(uint8_t *ret_bytes, uint64_t value)
{
    for (int i = 7; i >= 0; i--) {
        ret_bytes[i] = (uint8_t)value;
        value >>= 8;
    }
}

uint64_t tcn_agent_get_u64(const uint8_t *bytes)
{
    uint64_t value = 0;
    for (int i = 0; i < 8; i++)
        value = value << 8 | bytes[i];
    return value;
}

/* ---- keys ---- */

static void add(tcn_agent_key *key, const void *ptr, size_t len)
{
    TCN_REQUIRE(len <= sizeof key->b - key->len);
    memcpy(key->b + key->len, ptr, len);
    key->len += len;
}

tcn_bytes tcn_agent_key_bytes(const tcn_agent_key *key)
{
    return tcn_bytes_of(key->b, key->len);
}

tcn_agent_key tcn_agent_key_of(char table)
{
    return (tcn_agent_key){.b = {(uint8_t)table}, .len = 1};
}

tcn_agent_key tcn_agent_key_id(char table, const tcn_id *id)
{
    tcn_agent_key key = tcn_agent_key_of(table);
    add(&key, id->b, sizeof id->b);
    return key;
}

tcn_agent_key tcn_agent_key_number(char table, uint64_t number)
{
    tcn_agent_key key = tcn_agent_key_of(table);
    tcn_agent_put_u64(key.b + 1, number);
    key.len += 8;
    return key;
}

tcn_agent_key tcn_agent_key_broker(const char *broker)
{
    tcn_agent_key key = tcn_agent_key_of('k');
    add(&key, broker, strnlen(broker, TCN_MAX_NAME_CHARS));
    return key;
}

static tcn_agent_key text_then_id(char table, tcn_bytes text, const tcn_id *id)
{
    tcn_agent_key key = tcn_agent_key_of(table);
    if (text.len > 0)
        add(&key, text.ptr, text.len);
    add(&key, "", 1);
    if (id)
        add(&key, id->b, sizeof id->b);
    return key;
}

tcn_agent_key tcn_agent_key_at_broker(char table, const char *broker, const tcn_id *id)
{
    return text_then_id(table, tcn_bytes_of(broker, strnlen(broker, TCN_MAX_NAME_CHARS)), id);
}

tcn_agent_key tcn_agent_key_handle(tcn_bytes handle, const tcn_id *id)
{
    if (handle.len > TCN_MAX_HANDLE_CHARS)
        handle.len = TCN_MAX_HANDLE_CHARS;
    return text_then_id('H', handle, id);
}

tcn_agent_key tcn_agent_key_mention(const tcn_id *target, const tcn_id *by)
{
    tcn_agent_key key = tcn_agent_key_id('T', target);
    if (by)
        add(&key, by->b, sizeof by->b);
    return key;
}

bool tcn_agent_key_last_id(tcn_bytes key, tcn_id *ret_id)
{
    if (key.len < 1 + sizeof ret_id->b)
        return false;
    memcpy(ret_id->b, key.ptr + key.len - sizeof ret_id->b, sizeof ret_id->b);
    return true;
}

tcn_agent_key tcn_agent_key_due(tcn_wall at, tcn_agent_due kind, const tcn_id *id,
                                const tcn_id *second)
{
    tcn_agent_key key = tcn_agent_key_number('E', at.unix_ms < 0 ? 0 : (uint64_t)at.unix_ms);
    uint8_t byte = (uint8_t)kind;
    add(&key, &byte, 1);
    add(&key, id->b, sizeof id->b);
    if (second)
        add(&key, second->b, sizeof second->b);
    return key;
}

bool tcn_agent_key_due_read(tcn_bytes key, tcn_wall *ret_at, tcn_agent_due *ret_kind,
                            tcn_id *ret_id, tcn_id *ret_second)
{
    size_t ids = key.len < 10 ? 0 : (key.len - 10) / sizeof ret_id->b;
    if (ids < 1 || ids > 2 || key.len != 10 + ids * sizeof ret_id->b ||
        key.ptr[9] > TCN_DUE_MENTION)
        return false;
    ret_at->unix_ms = (int64_t)tcn_agent_get_u64(key.ptr + 1);
    *ret_kind = (tcn_agent_due)key.ptr[9];
    memcpy(ret_id->b, key.ptr + 10, sizeof ret_id->b);
    memset(ret_second->b, 0, sizeof ret_second->b);
    if (ids == 2)
        memcpy(ret_second->b, key.ptr + 26, sizeof ret_second->b);
    return (ids == 2) == (*ret_kind == TCN_DUE_MENTION);
}

/* ---- records ---- */

static size_t put_name(uint8_t *ret_bytes, const char *name)
{
    size_t len = strnlen(name, TCN_MAX_NAME_CHARS);
    ret_bytes[0] = (uint8_t)len;
    memcpy(ret_bytes + 1, name, len);
    return 1 + len;
}

/* bytes is exactly one n+text. */
static tcn_err get_name(tcn_bytes bytes, char ret_name[static TCN_MAX_NAME_CHARS + 1])
{
    if (bytes.len < 1 || bytes.ptr[0] > TCN_MAX_NAME_CHARS || bytes.len != 1u + bytes.ptr[0])
        return TCN_MALFORMED;
    memcpy(ret_name, bytes.ptr + 1, bytes.ptr[0]);
    ret_name[bytes.ptr[0]] = '\0';
    return TCN_OK;
}

static tcn_bytes rest(tcn_bytes bytes, size_t from)
{
    return tcn_bytes_of(bytes.ptr + from, bytes.len - from);
}

size_t tcn_agent_record_encode(const tcn_agent_record *record,
                               uint8_t ret_bytes[static TCN_AGENT_RECORD_SIZE])
{
    const uint64_t numbers[] = {record->serial,
                                record->seq,
                                record->counter,
                                record->outbox,
                                record->body_size,
                                (uint64_t)record->received.unix_ms,
                                (uint64_t)record->created.unix_ms,
                                (uint64_t)record->expires.unix_ms};
    const uint8_t head[8] = {(uint8_t)record->flags,
                             (uint8_t)record->marks,
                             (uint8_t)record->lane,
                             (uint8_t)record->kind,
                             (uint8_t)record->answer,
                             TCN_AGENT_LAYOUT,
                             0,
                             0};
    size_t at = sizeof head;
    memcpy(ret_bytes, head, sizeof head);
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++, at += 8)
        tcn_agent_put_u64(ret_bytes + at, numbers[i]);
    memcpy(ret_bytes + at, record->payload_hash.b, sizeof record->payload_hash.b);
    at += sizeof record->payload_hash.b;
    return at + put_name(ret_bytes + at, record->broker);
}

tcn_err tcn_agent_record_decode(tcn_bytes bytes, tcn_agent_record *ret_record)
{
    const size_t fixed = 8 + 8 * 8 + 32;
    tcn_agent_record record = {.flags = 0};
    if (bytes.len <= fixed || bytes.ptr[5] != TCN_AGENT_LAYOUT ||
        bytes.ptr[2] > TCN_LANE_EMERGENCY || bytes.ptr[3] > TCN_KIND_CANCEL)
        return TCN_MALFORMED;
    record.flags = bytes.ptr[0];
    record.marks = bytes.ptr[1];
    record.lane = (tcn_lane)bytes.ptr[2];
    record.kind = (tcn_kind)bytes.ptr[3];
    record.answer = bytes.ptr[4];
    uint64_t *const numbers[] = {&record.serial, &record.seq, &record.counter, &record.outbox,
                                 &record.body_size};
    tcn_wall *const times[] = {&record.received, &record.created, &record.expires};
    const uint8_t *at = bytes.ptr + 8;
    for (size_t i = 0; i < 5; i++, at += 8)
        *numbers[i] = tcn_agent_get_u64(at);
    for (size_t i = 0; i < 3; i++, at += 8)
        times[i]->unix_ms = (int64_t)tcn_agent_get_u64(at);
    memcpy(record.payload_hash.b, at, sizeof record.payload_hash.b);
    tcn_err err = get_name(rest(bytes, fixed), record.broker);
    if (err == TCN_OK)
        *ret_record = record;
    return err;
}

size_t tcn_agent_mention_encode(const tcn_agent_mention *mention,
                                uint8_t ret_bytes[static TCN_AGENT_MENTION_SIZE])
{
    ret_bytes[0] = (uint8_t)mention->lane;
    ret_bytes[1] = (uint8_t)mention->status;
    ret_bytes[2] = (uint8_t)mention->kind;
    ret_bytes[3] = (uint8_t)mention->reason;
    return 4 + put_name(ret_bytes + 4, mention->publisher);
}

tcn_err tcn_agent_mention_decode(tcn_bytes bytes, tcn_agent_mention *ret_mention)
{
    tcn_agent_mention mention;
    if (bytes.len < 5 || bytes.ptr[0] > TCN_LANE_EMERGENCY || bytes.ptr[1] > TCN_STATUS_TEST ||
        bytes.ptr[2] > TCN_KIND_CANCEL || bytes.ptr[3] > TCN_REASON_ALL_CLEAR)
        return TCN_MALFORMED;
    mention.lane = (tcn_lane)bytes.ptr[0];
    mention.status = (tcn_status)bytes.ptr[1];
    mention.kind = (tcn_kind)bytes.ptr[2];
    mention.reason = (tcn_reason)bytes.ptr[3];
    tcn_err err = get_name(rest(bytes, 4), mention.publisher);
    if (err == TCN_OK)
        *ret_mention = mention;
    return err;
}

void tcn_agent_fetch_encode(const tcn_agent_fetch *fetch,
                            uint8_t ret_bytes[static TCN_AGENT_FETCH_SIZE])
{
    tcn_agent_put_u64(ret_bytes, fetch->size);
    memcpy(ret_bytes + 8, fetch->hash.b, sizeof fetch->hash.b);
    ret_bytes[40] = (uint8_t)fetch->tries;
    tcn_agent_put_u64(ret_bytes + 41, (uint64_t)fetch->retry_at.unix_ms);
}

tcn_err tcn_agent_fetch_decode(tcn_bytes bytes, tcn_agent_fetch *ret_fetch)
{
    if (bytes.len != TCN_AGENT_FETCH_SIZE)
        return TCN_MALFORMED;
    ret_fetch->size = tcn_agent_get_u64(bytes.ptr);
    memcpy(ret_fetch->hash.b, bytes.ptr + 8, sizeof ret_fetch->hash.b);
    ret_fetch->tries = bytes.ptr[40];
    ret_fetch->retry_at.unix_ms = (int64_t)tcn_agent_get_u64(bytes.ptr + 41);
    return TCN_OK;
}

void tcn_agent_place_encode(const tcn_agent_place *place,
                            uint8_t ret_bytes[static TCN_AGENT_PLACE_SIZE])
{
    memcpy(ret_bytes, place->epoch.b, sizeof place->epoch.b);
    tcn_agent_put_u64(ret_bytes + 16, place->generation);
    uint8_t *at = ret_bytes + 24;
    for (unsigned lane = 0; lane < TCN_LANES; lane++, at += 17) {
        at[0] = place->has_cursor[lane];
        tcn_agent_put_u64(at + 1, place->cursor[lane].seq);
        tcn_agent_put_u64(at + 9, place->cursor[lane].tag);
    }
}

tcn_err tcn_agent_place_decode(tcn_bytes bytes, tcn_agent_place *ret_place)
{
    if (bytes.len != TCN_AGENT_PLACE_SIZE)
        return TCN_MALFORMED;
    memcpy(ret_place->epoch.b, bytes.ptr, sizeof ret_place->epoch.b);
    ret_place->generation = tcn_agent_get_u64(bytes.ptr + 16);
    const uint8_t *at = bytes.ptr + 24;
    for (unsigned lane = 0; lane < TCN_LANES; lane++, at += 17) {
        ret_place->has_cursor[lane] = at[0] != 0;
        ret_place->cursor[lane].seq = tcn_agent_get_u64(at + 1);
        ret_place->cursor[lane].tag = tcn_agent_get_u64(at + 9);
    }
    return TCN_OK;
}
