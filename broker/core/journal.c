/* SPDX-License-Identifier: Apache-2.0 */
/* journal.c - see journal.h. The tail is a ring of the newest entries, without a gap up to the
 * head; whatever is older comes from the store. */
#include "journal.h"

#include <stdlib.h>
#include <string.h>

tcn_err tcn_envelope_alert(tcn_bytes envelope, tcn_alert *ret_alert)
{
    tcn_cose cose;
    tcn_err err = tcn_cose_decode(envelope, TCN_OBJECT_ALERT, &cose);
    return err == TCN_OK ? tcn_alert_decode(cose.payload, ret_alert, NULL) : err;
}

/* ---- appending ---- */

typedef struct {
    tcn_lane lane;
    uint64_t seq, tag, trust_version;
    tcn_wall accepted, until;
    unsigned flags;
    char author[TCN_MAX_NAME_CHARS + 1];
} appended;

static void tail_drop_oldest(tcn_lane_state *lane)
{
    tcn_entry **slot = &lane->tail[(lane->head - lane->tail_len + 1) % lane->tail_cap];
    lane->tail_bytes -= sizeof(tcn_entry) + (*slot)->envelope.len;
    free(*slot);
    *slot = NULL;
    lane->tail_len--;
}

static void tail_clear(tcn_lane_state *lane)
{
    while (lane->tail_len > 0)
        tail_drop_oldest(lane);
}

/* Room for one more slot. The ring is keyed by seq, so growing moves everybody. */
static bool tail_grow(tcn_lane_state *lane)
{
    if (lane->tail_len < lane->tail_cap)
        return true;
    size_t cap = lane->tail_cap == 0 ? 64 : lane->tail_cap * 2;
    tcn_entry **tail = calloc(cap, sizeof(tcn_entry *));
    if (tail == NULL)
        return false;
    for (size_t i = 0; i < lane->tail_len; i++) {
        uint64_t seq = lane->head - i;
        tail[seq % cap] = lane->tail[seq % lane->tail_cap];
    }
    free(lane->tail);
    lane->tail = tail;
    lane->tail_cap = cap;
    return true;
}

/* One block: the entry and behind it its envelope. NULL: no memory, or not readable. */
static tcn_entry *entry_new(const appended *a, tcn_bytes envelope)
{
    tcn_entry *e = calloc(1, sizeof(*e) + envelope.len);
    if (e == NULL)
        return NULL;
    uint8_t *bytes = (uint8_t *)(e + 1);
    memcpy(bytes, envelope.ptr, envelope.len);
    e->envelope = tcn_bytes_of(bytes, envelope.len);
    e->seq = a->seq;
    e->tag = a->tag;
    e->accepted = a->accepted;
    e->until = a->until;
    e->trust_version = a->trust_version;
    e->flags = a->flags;
    memcpy(e->author, a->author, sizeof(e->author));
    if (tcn_envelope_alert(e->envelope, &e->alert) != TCN_OK) {
        free(e);
        return NULL;
    }
    return e;
}

static void append_effect(tcn_broker *b, const void *data, tcn_bytes tail)
{
    const appended *a = data;
    tcn_lane_state *lane = &b->lane[a->lane];
    tcn_entry *e = tail_grow(lane) ? entry_new(a, tail) : NULL;
    if (e == NULL)
        tail_clear(lane); /* without a gap: from here on the store is read again */
    lane->head = a->seq;
    lane->grew = true;
    b->stats.seq[a->lane] = a->seq;
    if (e == NULL)
        return;
    lane->end += tail.len;
    e->end = lane->end;
    lane->tail[a->seq % lane->tail_cap] = e;
    lane->tail_len++;
    lane->tail_bytes += sizeof(*e) + tail.len;
    while (lane->tail_len > 1 && lane->tail_bytes > TCN_TAIL_BYTES)
        tail_drop_oldest(lane);
}

static uint64_t turn_tag(tcn_broker *b)
{
    while (b->turn.tag == 0)
        b->ports.random.fill(b->ports.random.self, &b->turn.tag, sizeof(b->turn.tag));
    return b->turn.tag;
}

tcn_err tcn_journal_append(tcn_broker *b, const tcn_id *id, tcn_index *index, tcn_bytes envelope)
{
    tcn_key head_key = tcn_key_head(index->lane);
    uint64_t head = 0;
    tcn_err err = tcn_db_u64s(b, &head_key, &head, 1);
    if (err == TCN_NOT_FOUND)
        err = TCN_OK;
    if (err != TCN_OK)
        return err;
    head++;
    appended a = {.lane = index->lane,
                  .seq = head,
                  .tag = turn_tag(b),
                  .trust_version = tcn_roster_version(b->roster),
                  .accepted = index->accepted,
                  .until = index->until,
                  .flags = index->flags};
    memcpy(a.author, index->author, sizeof(a.author));
    tcn_journal_record record = {.tag = a.tag,
                                 .accepted = a.accepted,
                                 .until = a.until,
                                 .trust_version = a.trust_version,
                                 .flags = a.flags,
                                 .envelope = envelope};
    memcpy(record.author, a.author, sizeof(record.author));

    tcn_pack p;
    tcn_bytes packed;
    tcn_pack_init(&p, b->record, sizeof(b->record));
    err = tcn_journal_pack(&record, &p, &packed);
    tcn_key key = tcn_key_seq('J', index->lane, head);
    if (err == TCN_OK)
        err = tcn_db_put(b, &key, packed);
    if (err == TCN_OK)
        err = tcn_db_put_u64s(b, &head_key, &head, 1);
    if (err == TCN_OK && (index->flags & TCN_FLAG_TRACKED) != 0) {
        tcn_key tracked = tcn_key_seq('Q', index->lane, head);
        err = tcn_db_put_raw(b, &tracked, tcn_bytes_of(id->b, sizeof(id->b)));
    }
    if (err == TCN_OK)
        err = tcn_effect_add(b, TCN_RANK_MEMORY, append_effect, TCN_EFFECT_DATA(a), envelope);
    index->seq = head;
    return err;
}

/* ---- marks ---- */

typedef struct {
    tcn_lane lane;
    uint64_t seq, superseded_at;
} marked;

bool tcn_journal_in_tail(const tcn_broker *b, tcn_lane lane, uint64_t seq)
{
    const tcn_lane_state *l = &b->lane[lane];
    return seq <= l->head && l->head - seq < l->tail_len;
}

uint64_t tcn_journal_bytes_behind(const tcn_broker *b, tcn_lane lane, uint64_t behind)
{
    const tcn_lane_state *l = &b->lane[lane];
    if (behind >= l->head)
        return 0;
    if (!tcn_journal_in_tail(b, lane, behind + 1))
        return UINT64_MAX;
    const tcn_entry *next = l->tail[(behind + 1) % l->tail_cap];
    return l->end - next->end + next->envelope.len;
}

static void mark_effect(tcn_broker *b, const void *data, tcn_bytes tail)
{
    const marked *m = data;
    (void)tail;
    b->revision++;
    if (!tcn_journal_in_tail(b, m->lane, m->seq))
        return;
    tcn_entry *e = b->lane[m->lane].tail[m->seq % b->lane[m->lane].tail_cap];
    if (m->superseded_at == 0)
        e->cancelled = true;
    else
        e->superseded_at = m->superseded_at;
}

tcn_err tcn_journal_mark(tcn_broker *b, tcn_lane lane, uint64_t seq, uint64_t superseded_at)
{
    marked m = {.lane = lane, .seq = seq, .superseded_at = superseded_at};
    return tcn_effect_add(b, TCN_RANK_MEMORY, mark_effect, TCN_EFFECT_DATA(m), TCN_NO_TAIL);
}

/* ---- reading ---- */

static tcn_err entry_read(tcn_broker *b, tcn_bytes record, tcn_entry *e)
{
    tcn_journal_record r;
    tcn_index index;
    tcn_err err = tcn_journal_unpack(record, &r);
    if (err == TCN_OK)
        err = tcn_envelope_alert(r.envelope, &e->alert);
    if (err != TCN_OK)
        return TCN_MALFORMED;
    e->tag = r.tag;
    e->accepted = r.accepted;
    e->until = r.until;
    e->trust_version = r.trust_version;
    e->flags = r.flags;
    e->envelope = r.envelope;
    memcpy(e->author, r.author, sizeof(e->author));
    err = tcn_db_index(b, &e->alert.meta.id, &index);
    if (err != TCN_OK)
        return err == TCN_NOT_FOUND ? TCN_MALFORMED : err;
    e->cancelled = index.state == TCN_STATE_CANCELLED;
    e->superseded_at = index.superseded_at;
    return TCN_OK;
}

tcn_err tcn_journal_next(tcn_broker *b, tcn_lane lane, uint64_t seq, tcn_entry *scratch,
                         const tcn_entry **ret_entry)
{
    tcn_key prefix = tcn_key_lane('J', lane);
    while (!tcn_journal_in_tail(b, lane, seq)) {
        tcn_key from = tcn_key_seq('J', lane, seq);
        tcn_bytes found, value;
        tcn_err err = tcn_db_seek(b, &prefix, &from, &found, &value);
        if (err != TCN_OK)
            return err;
        scratch->seq = tcn_key_u64_at(found, 2);
        err = entry_read(b, value, scratch);
        if (err == TCN_OK)
            *ret_entry = scratch;
        if (err != TCN_MALFORMED)
            return err;
        tcn_key damaged = tcn_key_seq('J', lane, scratch->seq);
        tcn_db_damaged(b, &damaged);
        seq = scratch->seq + 1;
    }
    *ret_entry = b->lane[lane].tail[seq % b->lane[lane].tail_cap];
    return TCN_OK;
}

tcn_err tcn_journal_at(tcn_broker *b, tcn_lane lane, uint64_t seq, tcn_entry *scratch,
                       const tcn_entry **ret_entry)
{
    tcn_err err = seq > 0 ? tcn_journal_next(b, lane, seq, scratch, ret_entry) : TCN_NOT_FOUND;
    return err == TCN_OK && (*ret_entry)->seq != seq ? TCN_NOT_FOUND : err;
}

tcn_err tcn_journal_tag(tcn_broker *b, tcn_lane lane, uint64_t seq, uint64_t *ret_tag)
{
    if (tcn_journal_in_tail(b, lane, seq)) {
        *ret_tag = b->lane[lane].tail[seq % b->lane[lane].tail_cap]->tag;
        return TCN_OK;
    }
    tcn_key key = tcn_key_seq('J', lane, seq);
    tcn_bytes value;
    tcn_journal_record record;
    tcn_err err = tcn_db_get(b, &key, &value);
    if (err != TCN_OK)
        return err;
    if (tcn_journal_unpack(value, &record) != TCN_OK)
        return tcn_db_damaged(b, &key);
    *ret_tag = record.tag;
    return TCN_OK;
}

void tcn_journal_free(tcn_broker *b)
{
    for (int lane = 0; lane < TCN_LANES; lane++) {
        tail_clear(&b->lane[lane]);
        free(b->lane[lane].tail);
        b->lane[lane].tail = NULL;
        b->lane[lane].tail_cap = 0;
    }
}
