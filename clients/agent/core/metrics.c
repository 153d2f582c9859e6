/* SPDX-License-Identifier: Apache-2.0 */
/* metrics.c - see metrics.h. */
#include "metrics.h"

#include "agent_time.h"
#include "link.h"

enum { FLAG_CLOCK_SUSPECT = 1, FLAG_STALE_TRUST = 2, FLAG_NO_EMERGENCY = 4 };

unsigned tcn_agent_marks(const tcn_agent *a)
{
    unsigned marks = 0;
    if (a->bundle->expires.unix_ms <= tcn_agent_time(a).unix_ms)
        marks |= TCN_MARK_STALE_TRUST;
    if (tcn_agent_clock_is_suspect(a))
        marks |= TCN_MARK_CLOCK_SUSPECT;
    return marks;
}

bool tcn_agent_metrics_send(tcn_agent *a, unsigned link)
{
    const tcn_agent_counts *counts = &a->now.counts;
    const tcn_agent_place *place = &a->now.broker[tcn_agent_link_broker(link)].place;
    uint64_t disk, left, total;
    unsigned marks = tcn_agent_marks(a);
    uint64_t flags = (marks & TCN_MARK_CLOCK_SUSPECT ? FLAG_CLOCK_SUSPECT : 0u) |
                     (marks & TCN_MARK_STALE_TRUST ? FLAG_STALE_TRUST : 0u) |
                     (tcn_agent_has_emergency_endpoint(a) ? 0u : FLAG_NO_EMERGENCY);
    a->ports.blob.space(a->ports.blob.self, &disk);
    a->ports.store.ops->space(a->ports.store.self, &left, &total);
    const uint64_t before[] = {place->cursor[TCN_LANE_BULK].seq,
                               place->cursor[TCN_LANE_EMERGENCY].seq, counts->to_fetch, disk};
    const uint64_t after[] = {counts->rejected,
                              a->now.parked_alerts,
                              counts->outbox,
                              a->mono.ms - a->started.ms,
                              a->bundle->version,
                              counts->held,
                              total > left ? total - left : 0,
                              flags};
    uint8_t map[256];
    tcn_cbor_writer w;
    tcn_bytes written;
    uint64_t key = 1;
    tcn_cbor_writer_init(&w, map, sizeof map);
    tcn_cbor_put_map(&w, 14);
    for (size_t i = 0; i < sizeof before / sizeof before[0]; i++) {
        tcn_cbor_put_uint(&w, key++);
        tcn_cbor_put_uint(&w, before[i]);
    }
    tcn_cbor_put_uint(&w, key++);
    tcn_cbor_put_int(&w, tcn_agent_clock_offset(a));
    tcn_cbor_put_uint(&w, key++);
    tcn_cbor_put_text(&w, a->config.version);
    for (size_t i = 0; i < sizeof after / sizeof after[0]; i++) {
        tcn_cbor_put_uint(&w, key++);
        tcn_cbor_put_uint(&w, after[i]);
    }
    if (tcn_cbor_writer_done(&w, &written) != TCN_OK)
        return true; /* a version text that does not fit: none is sent */
    tcn_wire wire = {.op = TCN_OP_METRICS, .map = written};
    return tcn_agent_link_send(a, link, &wire);
}
