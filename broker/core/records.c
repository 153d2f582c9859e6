/* SPDX-License-Identifier: Apache-2.0 */
/* records.c - the layouts of records.h, field by field in their order. */
#include "records.h"

static void put_wall(tcn_pack *p, tcn_wall at)
{
    tcn_pack_u64(p, (uint64_t)at.unix_ms);
}

static tcn_wall get_wall(tcn_unpack *u)
{
    return (tcn_wall){(int64_t)tcn_unpack_u64(u)};
}

static tcn_err done(const tcn_unpack *u)
{
    return u->bad || u->pos != u->len ? TCN_MALFORMED : TCN_OK;
}

tcn_err tcn_meta_pack(const tcn_meta *meta, tcn_pack *p, tcn_bytes *ret_record)
{
    tcn_pack_u16(p, meta->layout);
    tcn_pack_id(p, &meta->program);
    tcn_pack_id(p, &meta->epoch);
    tcn_pack_u64(p, meta->trust_version);
    tcn_pack_u64(p, meta->audits);
    put_wall(p, meta->founded);
    return tcn_pack_seal(p, ret_record);
}

tcn_err tcn_meta_unpack(tcn_bytes record, tcn_meta *ret_meta)
{
    tcn_unpack u;
    if (!tcn_unpack_open(&u, record))
        return TCN_MALFORMED;
    ret_meta->layout = tcn_unpack_u16(&u);
    if (ret_meta->layout > TCN_STORE_LAYOUT)
        return TCN_VERSION; /* the rest may look otherwise */
    ret_meta->program = tcn_unpack_id(&u);
    ret_meta->epoch = tcn_unpack_id(&u);
    ret_meta->trust_version = tcn_unpack_u64(&u);
    ret_meta->audits = tcn_unpack_u64(&u);
    ret_meta->founded = get_wall(&u);
    return done(&u);
}

tcn_err tcn_index_pack(const tcn_index *index, tcn_pack *p, tcn_bytes *ret_record)
{
    tcn_pack_u8(p, index->state);
    tcn_pack_u8(p, index->lane);
    tcn_pack_u8(p, index->kind);
    tcn_pack_u8(p, index->status);
    tcn_pack_u8(p, index->tlp);
    tcn_pack_u8(p, index->flags);
    tcn_pack_u8(p, index->needed);
    tcn_pack_u64(p, index->seq);
    tcn_pack_hash(p, &index->payload_hash);
    put_wall(p, index->created);
    put_wall(p, index->accepted);
    put_wall(p, index->not_before);
    put_wall(p, index->expires);
    put_wall(p, index->until);
    tcn_pack_u64(p, index->body_size);
    tcn_pack_hash(p, &index->body_hash);
    tcn_pack_id(p, &index->cancelled_by);
    tcn_pack_id(p, &index->superseded_by);
    tcn_pack_u64(p, index->superseded_at);
    tcn_pack_str(p, tcn_bytes_str(index->publisher));
    tcn_pack_str(p, tcn_bytes_str(index->author));
    tcn_pack_str(p, tcn_bytes_str(index->handle));
    return tcn_pack_seal(p, ret_record);
}

static unsigned get_most(tcn_unpack *u, unsigned most)
{
    unsigned value = tcn_unpack_u8(u);
    if (value > most) {
        u->bad = true;
        return 0;
    }
    return value;
}

tcn_err tcn_index_unpack(tcn_bytes record, tcn_index *ret_index)
{
    tcn_unpack u;
    if (!tcn_unpack_open(&u, record))
        return TCN_MALFORMED;
    tcn_index *x = ret_index;
    x->state = (tcn_state)get_most(&u, TCN_STATE_LAPSED);
    x->lane = (tcn_lane)get_most(&u, TCN_LANES - 1);
    x->kind = (tcn_kind)get_most(&u, TCN_KIND_CANCEL);
    x->status = (tcn_status)get_most(&u, TCN_STATUS_TEST);
    x->tlp = (tcn_tlp)get_most(&u, TCN_TLP_RED);
    x->flags = tcn_unpack_u8(&u);
    x->needed = tcn_unpack_u8(&u);
    x->seq = tcn_unpack_u64(&u);
    x->payload_hash = tcn_unpack_hash(&u);
    x->created = get_wall(&u);
    x->accepted = get_wall(&u);
    x->not_before = get_wall(&u);
    x->expires = get_wall(&u);
    x->until = get_wall(&u);
    x->body_size = tcn_unpack_u64(&u);
    x->body_hash = tcn_unpack_hash(&u);
    x->cancelled_by = tcn_unpack_id(&u);
    x->superseded_by = tcn_unpack_id(&u);
    x->superseded_at = tcn_unpack_u64(&u);
    tcn_unpack_name(&u, x->publisher, sizeof(x->publisher));
    tcn_unpack_name(&u, x->author, sizeof(x->author));
    tcn_unpack_name(&u, x->handle, sizeof(x->handle));
    return done(&u);
}

tcn_err tcn_journal_pack(const tcn_journal_record *entry, tcn_pack *p, tcn_bytes *ret_record)
{
    tcn_pack_u64(p, entry->tag);
    put_wall(p, entry->accepted);
    put_wall(p, entry->until);
    tcn_pack_u64(p, entry->trust_version);
    tcn_pack_u8(p, entry->flags);
    tcn_pack_str(p, tcn_bytes_str(entry->author));
    tcn_pack_raw(p, entry->envelope);
    return tcn_pack_seal(p, ret_record);
}

tcn_err tcn_journal_unpack(tcn_bytes record, tcn_journal_record *ret_entry)
{
    tcn_unpack u;
    if (!tcn_unpack_open(&u, record))
        return TCN_MALFORMED;
    ret_entry->tag = tcn_unpack_u64(&u);
    ret_entry->accepted = get_wall(&u);
    ret_entry->until = get_wall(&u);
    ret_entry->trust_version = tcn_unpack_u64(&u);
    ret_entry->flags = tcn_unpack_u8(&u);
    tcn_unpack_name(&u, ret_entry->author, sizeof(ret_entry->author));
    ret_entry->envelope = tcn_unpack_rest(&u);
    return done(&u);
}

tcn_err tcn_node_pack(const tcn_node_record *node, tcn_pack *p, tcn_bytes *ret_record)
{
    tcn_pack_u64(p, node->generation);
    tcn_pack_u8(p, node->active);
    tcn_pack_id(p, &node->instance);
    tcn_pack_raw(p, node->terms);
    return tcn_pack_seal(p, ret_record);
}

tcn_err tcn_node_unpack(tcn_bytes record, tcn_node_record *ret_node)
{
    tcn_unpack u;
    if (!tcn_unpack_open(&u, record))
        return TCN_MALFORMED;
    ret_node->generation = tcn_unpack_u64(&u);
    ret_node->active = tcn_unpack_u8(&u) != 0;
    ret_node->instance = tcn_unpack_id(&u);
    ret_node->terms = tcn_unpack_rest(&u);
    return done(&u);
}

tcn_err tcn_ack_pack(const tcn_ack_record *ack, tcn_pack *p, tcn_bytes *ret_record)
{
    tcn_pack_u64(p, ack->counter);
    tcn_pack_u8(p, ack->answer);
    tcn_pack_u8(p, ack->by_rule);
    put_wall(p, ack->at);
    tcn_pack_str(p, ack->by);
    tcn_pack_str(p, ack->note);
    tcn_pack_raw(p, ack->envelope);
    return tcn_pack_seal(p, ret_record);
}

tcn_err tcn_ack_unpack(tcn_bytes record, tcn_ack_record *ret_ack)
{
    tcn_unpack u;
    if (!tcn_unpack_open(&u, record))
        return TCN_MALFORMED;
    ret_ack->counter = tcn_unpack_u64(&u);
    ret_ack->answer = (tcn_answer)get_most(&u, TCN_ANSWER_HELP);
    ret_ack->by_rule = tcn_unpack_u8(&u) != 0;
    ret_ack->at = get_wall(&u);
    ret_ack->by = tcn_unpack_str(&u);
    ret_ack->note = tcn_unpack_str(&u);
    ret_ack->envelope = tcn_unpack_rest(&u);
    return done(&u);
}
