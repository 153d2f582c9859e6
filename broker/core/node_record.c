/* SPDX-License-Identifier: Apache-2.0 */
/* node_record.c - see node_record.h. */
#include "node_record.h"

#include <string.h>

tcn_err tcn_node_record_terms(tcn_broker *b, const char *name, tcn_terms *ret_terms)
{
    tcn_key key = tcn_key_name('D', name);
    tcn_bytes value;
    tcn_node_record record;
    tcn_err err = tcn_db_get(b, &key, &value);
    if (err != TCN_OK)
        return err;
    if (tcn_node_unpack(value, &record) != TCN_OK ||
        tcn_terms_decode(record.terms, ret_terms) != TCN_OK)
        return tcn_db_damaged(b, &key);
    return TCN_OK;
}

/* Room for one more row: an older one of the same terms goes, for the new one says all that it
 * says; else, when there are too many, the oldest. *ret_next is the new one's number. */
static tcn_err past_room(tcn_broker *b, const char *name, tcn_bytes terms, uint64_t *ret_next)
{
    tcn_key prefix = tcn_key_name0('d', name), from = prefix, gone = {.len = 0};
    tcn_bytes key, value;
    unsigned rows = 0;
    bool same = false;
    *ret_next = 0;
    tcn_err err;
    while ((err = tcn_db_seek(b, &prefix, &from, &key, &value)) == TCN_OK) {
        uint64_t n = tcn_key_u64_at(key, prefix.len);
        tcn_unpack u;
        from = tcn_key_after(key);
        *ret_next = n + 1;
        (void)tcn_unpack_open(&u, value);
        for (int i = 0; i < TCN_LANES + 1; i++)
            (void)tcn_unpack_u64(&u);
        bool equal = tcn_bytes_equal(tcn_unpack_rest(&u), terms) && !u.bad;
        if (equal || rows == 0)
            gone = tcn_key_past(name, n);
        same |= equal;
        rows++;
    }
    if (err == TCN_NOT_FOUND)
        err = TCN_OK;
    if (err == TCN_OK && (same || rows >= TCN_PAST_TERMS))
        err = tcn_db_del(b, &gone);
    return err;
}

/* Keeps the terms under which things were sent: for cancels of them if the node has less now, and
 * to know what an old checkpoint spoke of. */
static tcn_err past_add(tcn_broker *b, const char *name, tcn_bytes terms, bool narrowed)
{
    tcn_bytes record;
    uint64_t next = 0;
    tcn_err err = past_room(b, name, terms, &next);
    if (err != TCN_OK)
        return err;

    tcn_pack p;
    tcn_pack_init(&p, b->record, sizeof(b->record));
    for (int lane = 0; lane < TCN_LANES; lane++) {
        tcn_key head_key = tcn_key_head((tcn_lane)lane);
        uint64_t head = 0;
        err = tcn_db_u64s(b, &head_key, &head, 1);
        if (err != TCN_OK && err != TCN_NOT_FOUND)
            return err;
        tcn_pack_u64(&p, head);
    }
    tcn_pack_u64(&p, narrowed);
    tcn_pack_raw(&p, terms);
    err = tcn_pack_seal(&p, &record);
    tcn_key at = tcn_key_past(name, next);
    return err == TCN_OK ? tcn_db_put(b, &at, record) : err;
}

bool tcn_past_next(tcn_broker *b, const char *name, tcn_key *from, tcn_past *ret_past)
{
    tcn_key prefix = tcn_key_name0('d', name);
    tcn_bytes key, value;
    if (from->len == 0)
        *from = prefix;
    while (tcn_db_seek(b, &prefix, from, &key, &value) == TCN_OK) {
        tcn_unpack u;
        *from = tcn_key_after(key);
        (void)tcn_unpack_open(&u, value);
        for (int lane = 0; lane < TCN_LANES; lane++)
            ret_past->through[lane] = tcn_unpack_u64(&u);
        ret_past->narrowed = tcn_unpack_u64(&u) != 0;
        tcn_bytes encoded = tcn_unpack_rest(&u);
        if (!u.bad && tcn_terms_decode(encoded, &ret_past->terms) == TCN_OK)
            return true;
    }
    return false;
}

static tcn_err record_put(tcn_broker *b, const char *name, const tcn_node_record *record)
{
    tcn_pack p;
    tcn_bytes packed;
    tcn_key key = tcn_key_name('D', name);
    tcn_pack_init(&p, b->record, sizeof(b->record));
    tcn_err err = tcn_node_pack(record, &p, &packed);
    return err == TCN_OK ? tcn_db_put(b, &key, packed) : err;
}

tcn_err tcn_node_record_change(tcn_broker *b, const tcn_node_change *change,
                               tcn_node_changed *ret_changed)
{
    uint8_t encoded[TCN_TERMS_BYTES], old_bytes[TCN_TERMS_BYTES];
    size_t len = 0;
    tcn_key key = tcn_key_name('D', change->name);
    tcn_bytes value;
    tcn_node_record record = {.generation = 0};
    tcn_terms old;
    *ret_changed = (tcn_node_changed){.generation = 0};
    tcn_terms_encode(change->terms, encoded, &len);
    tcn_err err = tcn_db_get(b, &key, &value);
    if (err == TCN_OK &&
        (tcn_node_unpack(value, &record) != TCN_OK || record.terms.len > sizeof(old_bytes)))
        err = tcn_db_damaged(b, &key);
    if (tcn_spoils(err) || (err == TCN_NOT_FOUND && !change->found))
        return err == TCN_NOT_FOUND ? TCN_OK : err;

    bool known = err == TCN_OK;
    if (known) {
        memcpy(old_bytes, record.terms.ptr, record.terms.len);
        record.terms.ptr = old_bytes; /* the view dies with the next put */
        known = tcn_terms_decode(record.terms, &old) == TCN_OK;
    }
    if (known) {
        ret_changed->widened =
            tcn_terms_exceed(change->terms, &old) || (change->active && !record.active);
        /* One whose card does not count any more has less, too: nothing. */
        ret_changed->narrowed =
            tcn_terms_exceed(&old, change->terms) || (record.active && !change->active);
        /* What was passed over because it was superseded by something that the node may not have
         * any more, is in force for it again: everything comes anew, too. */
        ret_changed->widened |= ret_changed->narrowed;
    } else {
        /* New: it starts from the floor. If only its record is damaged, its generation must not be
         * one that it had. */
        record.generation = 0;
        if (err != TCN_NOT_FOUND) {
            b->ports.random.fill(b->ports.random.self, &record.generation, 4);
            record.generation = (record.generation & UINT32_MAX) + (1u << 20);
        }
        ret_changed->widened = true;
    }
    bool same = known && record.active == change->active &&
                (change->instance == NULL || tcn_id_equal(change->instance, &record.instance)) &&
                tcn_bytes_equal(record.terms, tcn_bytes_of(encoded, len));
    ret_changed->generation = record.generation;
    if (same)
        return TCN_OK;
    /* While its card did not count, nothing was sent by these terms. */
    if (known && record.active && (ret_changed->narrowed || ret_changed->widened)) {
        err = past_add(b, change->name, record.terms, ret_changed->narrowed);
        if (err != TCN_OK)
            return err;
    }
    record.generation += ret_changed->widened;
    record.active = change->active;
    if (change->instance != NULL)
        record.instance = *change->instance;
    record.terms = tcn_bytes_of(encoded, len);
    ret_changed->generation = record.generation;
    return record_put(b, change->name, &record);
}
