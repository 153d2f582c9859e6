/* SPDX-License-Identifier: Apache-2.0 */
/* db.c - see db.h. */
#include "db.h"

#include "state.h"

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
    tcn_alarm(b, TCN_EVENT_RECORD_DAMAGED, "%c record %.64s: restore the store from a backup",
              key->b[0], hex);
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
