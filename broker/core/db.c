/* SPDX-License-Identifier: Apache-2.0 */
/* db.c - reading and writing records in the open transaction, and the alarm about damaged ones. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "libtocsin/text.h"
#include "state.h"

/* ---- log and alarms ---- */

void tcn_log_line(tcn_broker *b, tcn_level level, const char *event, const char *format, ...)
{
    char raw[512], line[512];
    va_list args;
    va_start(args, format);
    int wanted = vsnprintf(raw, sizeof(raw), format, args);
    va_end(args);
    size_t len = wanted < 0 ? 0 : (size_t)wanted;
    tcn_text_line(tcn_bytes_of(raw, len < sizeof(raw) ? len : sizeof(raw) - 1), line, sizeof(line));
    b->ports.log.line(b->ports.log.self, level, event, line);
}

/* Forgets the oldest alarm: of the kind that text begins with, if that has its share; of all. */
static void make_room(tcn_broker *b, const char *kind, size_t kind_len)
{
    unsigned of_kind = 0, oldest = 0;
    for (unsigned i = b->alarms; i-- > 0;) {
        if (strncmp(b->alarm[i], kind, kind_len) != 0)
            continue;
        of_kind++;
        oldest = i;
    }
    if (of_kind < TCN_ALARMS_A_KIND) {
        if (b->alarms < TCN_ALARMS)
            return;
        oldest = 0;
    }
    b->alarms--;
    memmove(b->alarm[oldest], b->alarm[oldest + 1], sizeof(b->alarm[0]) * (b->alarms - oldest));
}

void tcn_alarm(tcn_broker *b, const char *event, const char *format, ...)
{
    char raw[TCN_ALARM_CHARS], text[TCN_ALARM_CHARS];
    int head = snprintf(raw, sizeof(raw), "%s: ", event);
    va_list args;
    va_start(args, format);
    (void)vsnprintf(raw + head, sizeof(raw) - (size_t)head, format, args);
    va_end(args);
    tcn_text_line(tcn_bytes_str(raw), text, sizeof(text));
    for (unsigned i = 0; i < b->alarms; i++)
        if (strcmp(b->alarm[i], text) == 0)
            return;
    make_room(b, text, (size_t)head);
    memcpy(b->alarm[b->alarms++], text, sizeof(text));
    b->stats.alarms++;
    b->ports.log.line(b->ports.log.self, TCN_LOG_WARNING, event, text + head);
}

/* ---- raw ---- */

tcn_err tcn_db_get(tcn_broker *b, const tcn_key *key, tcn_bytes *ret_value)
{
    return b->ports.store.ops->get(b->ports.store.self, tcn_key_bytes(key), ret_value);
}

tcn_err tcn_db_put(tcn_broker *b, const tcn_key *key, tcn_bytes value)
{
    return b->ports.store.ops->put(b->ports.store.self, tcn_key_bytes(key), value);
}

tcn_err tcn_db_mark(tcn_broker *b, const tcn_key *key)
{
    static const uint8_t zero = 0;
    return tcn_db_put(b, key, tcn_bytes_of(&zero, 1));
}

tcn_err tcn_db_del(tcn_broker *b, const tcn_key *key)
{
    return b->ports.store.ops->del(b->ports.store.self, tcn_key_bytes(key));
}

tcn_err tcn_db_seek(tcn_broker *b, const tcn_key *prefix, const tcn_key *from, tcn_bytes *ret_key,
                    tcn_bytes *ret_value)
{
    return b->ports.store.ops->seek(b->ports.store.self, tcn_key_bytes(prefix), tcn_key_bytes(from),
                                    false, ret_key, ret_value);
}

tcn_err tcn_db_seek_back(tcn_broker *b, const tcn_key *prefix, const tcn_key *from,
                         tcn_bytes *ret_key, tcn_bytes *ret_value)
{
    return b->ports.store.ops->seek(b->ports.store.self, tcn_key_bytes(prefix), tcn_key_bytes(from),
                                    true, ret_key, ret_value);
}

tcn_err tcn_db_damaged(tcn_broker *b, const tcn_key *key)
{
    char hex[2 * sizeof(key->b) + 1];
    tcn_hex(key->b, key->len, hex);
    tcn_alarm(b, "record-damaged", "%c record %.64s: restore the store from a backup", key->b[0],
              hex);
    return TCN_MALFORMED;
}

/* ---- records ---- */

tcn_err tcn_db_meta(tcn_broker *b, tcn_meta *ret_meta)
{
    tcn_key key = tcn_key_plain('M');
    tcn_bytes value;
    tcn_err err = tcn_db_get(b, &key, &value);
    if (err != TCN_OK)
        return err;
    err = tcn_meta_unpack(value, ret_meta);
    return err == TCN_MALFORMED ? tcn_db_damaged(b, &key) : err;
}

tcn_err tcn_db_put_meta(tcn_broker *b, const tcn_meta *meta)
{
    uint8_t memory[128];
    tcn_pack p;
    tcn_bytes record;
    tcn_key key = tcn_key_plain('M');
    tcn_pack_init(&p, memory, sizeof(memory));
    tcn_err err = tcn_meta_pack(meta, &p, &record);
    return err == TCN_OK ? tcn_db_put(b, &key, record) : err;
}

tcn_err tcn_db_index(tcn_broker *b, const tcn_id *id, tcn_index *ret_index)
{
    tcn_key key = tcn_key_id('A', id);
    tcn_bytes value;
    tcn_err err = tcn_db_get(b, &key, &value);
    if (err != TCN_OK)
        return err;
    err = tcn_index_unpack(value, ret_index);
    return err == TCN_MALFORMED ? tcn_db_damaged(b, &key) : err;
}

tcn_err tcn_db_put_index(tcn_broker *b, const tcn_id *id, const tcn_index *index)
{
    uint8_t memory[TCN_INDEX_BYTES];
    tcn_pack p;
    tcn_bytes record;
    tcn_key key = tcn_key_id('A', id);
    tcn_pack_init(&p, memory, sizeof(memory));
    tcn_err err = tcn_index_pack(index, &p, &record);
    return err == TCN_OK ? tcn_db_put(b, &key, record) : err;
}

tcn_err tcn_db_u64s(tcn_broker *b, const tcn_key *key, uint64_t *ret_values, unsigned count)
{
    tcn_bytes value;
    tcn_unpack u;
    for (unsigned i = 0; i < count; i++)
        ret_values[i] = 0;
    tcn_err err = tcn_db_get(b, key, &value);
    if (err != TCN_OK)
        return err;
    (void)tcn_unpack_open(&u, value);
    for (unsigned i = 0; i < count; i++)
        ret_values[i] = tcn_unpack_u64(&u);
    return u.bad || u.pos != u.len ? tcn_db_damaged(b, key) : TCN_OK;
}

tcn_err tcn_db_put_u64s(tcn_broker *b, const tcn_key *key, const uint64_t *values, unsigned count)
{
    uint8_t memory[TCN_PACK_CHECKSUM + 4 * 8];
    tcn_pack p;
    tcn_bytes record;
    tcn_pack_init(&p, memory, sizeof(memory));
    for (unsigned i = 0; i < count; i++)
        tcn_pack_u64(&p, values[i]);
    tcn_err err = tcn_pack_seal(&p, &record);
    return err == TCN_OK ? tcn_db_put(b, key, record) : err;
}

tcn_err tcn_db_raw(tcn_broker *b, const tcn_key *key, tcn_bytes *ret_bytes)
{
    tcn_bytes value;
    tcn_unpack u;
    tcn_err err = tcn_db_get(b, key, &value);
    if (err != TCN_OK)
        return err;
    if (!tcn_unpack_open(&u, value))
        return tcn_db_damaged(b, key);
    *ret_bytes = tcn_unpack_rest(&u);
    return TCN_OK;
}

tcn_err tcn_db_put_raw(tcn_broker *b, const tcn_key *key, tcn_bytes bytes)
{
    tcn_pack p;
    tcn_bytes record;
    tcn_pack_init(&p, b->record, sizeof(b->record));
    tcn_pack_raw(&p, bytes);
    tcn_err err = tcn_pack_seal(&p, &record);
    return err == TCN_OK ? tcn_db_put(b, key, record) : err;
}

tcn_err tcn_db_id(tcn_broker *b, const tcn_key *key, tcn_id *ret_id)
{
    tcn_bytes bytes;
    tcn_err err = tcn_db_raw(b, key, &bytes);
    if (err == TCN_OK && !tcn_key_id_at(bytes, 0, ret_id))
        err = tcn_db_damaged(b, key);
    return err;
}

tcn_err tcn_audit(tcn_broker *b, const char *format, ...)
{
    char text[400];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    tcn_log_line(b, TCN_LOG_NOTICE, "audit", "%s", text);

    tcn_meta meta;
    tcn_err err = tcn_db_meta(b, &meta);
    if (err != TCN_OK)
        return err;
    uint8_t memory[512];
    tcn_pack p;
    tcn_bytes record;
    tcn_key key = tcn_key_number('U', meta.audits);
    tcn_pack_init(&p, memory, sizeof(memory));
    tcn_pack_u64(&p, (uint64_t)b->now.unix_ms);
    tcn_pack_str(&p, tcn_bytes_str(text));
    err = tcn_pack_seal(&p, &record);
    if (err == TCN_OK)
        err = tcn_db_put(b, &key, record);
    if (err == TCN_OK && meta.audits >= TCN_AUDIT_ROWS) {
        tcn_key old = tcn_key_number('U', meta.audits - TCN_AUDIT_ROWS);
        err = tcn_db_del(b, &old);
    }
    meta.audits++;
    return err == TCN_OK ? tcn_db_put_meta(b, &meta) : err;
}
