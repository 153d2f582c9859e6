/* SPDX-License-Identifier: Apache-2.0 */
/* alerts.c - see alerts.h. An envelope is verified, refused for good and reported, or cannot be
 * judged yet; only the last keeps the cursor where it is. */
#include "alerts.h"

#include <inttypes.h>

#include "agent_time.h"
#include "cache.h"
#include "link.h"
#include "outbox.h"
#include "park.h"

#define STALE_MS 600000u            /* the clock may have been the reason: the frames come again */
#define RESERVE_MOST_BYTES 4194304u /* of the store, kept for emergencies */
#define RESERVE_PART 16u

/* Bulk leaves room for emergencies. */
static bool is_short(const tcn_agent *a)
{
    uint64_t left, total;
    a->ports.store.ops->space(a->ports.store.self, &left, &total);
    uint64_t reserve = total / RESERVE_PART;
    return left < (reserve < RESERVE_MOST_BYTES ? reserve : RESERVE_MOST_BYTES);
}

/* Is the error a statement about the envelope, or about us? */
static bool is_ours(tcn_err err)
{
    return err == TCN_FULL || err == TCN_IO || err == TCN_NO_MEMORY;
}

/* Verified false: the id if there is one is reported until the broker knows. */
static tcn_err reject(tcn_agent *a, unsigned link, tcn_bytes envelope, tcn_err err,
                      const char *text)
{
    tcn_cose cose;
    tcn_alert alert;
    tcn_fault fault;
    tcn_err stored = TCN_OK;
    char id[TCN_ID_TEXT_SIZE] = "without id";
    const char *broker = a->next.broker[tcn_agent_link_broker(link)].name;
    a->next.counts.rejected++;
    if (tcn_cose_decode(envelope, TCN_OBJECT_ALERT, &cose) == TCN_OK &&
        tcn_alert_decode(cose.payload, &alert, &fault) == TCN_OK) {
        tcn_id_text(&alert.meta.id, id);
        stored = tcn_agent_outbox_reject(a, broker, &alert.meta.id, err);
    }
    tcn_agent_log(a, TCN_AGENT_EVENT_ALERT_REJECTED, "%s from %s: %s: %s", id, broker,
                  tcn_err_word(err), text);
    return stored;
}

/* TCN_STALE: it cannot be said yet. Other errors are the store's. */
static tcn_err take_one(tcn_agent *a, unsigned link, const tcn_wire *wire, uint64_t seq,
                        tcn_bytes envelope)
{
    tcn_trust_view view = {.bundle = tcn_agent_trust(a), .now = tcn_agent_time(a)};
    tcn_verified verified;
    tcn_fault fault = {.err = TCN_OK};
    tcn_err err = tcn_trust_verify_alert(&view, envelope, &verified, &fault);
    if (err == TCN_STALE || is_ours(err))
        return err;
    if (err == TCN_CANNOT_YET) /* the frame says that this bundle suffices */
        err = TCN_UNKNOWN_KEY;
    if (err == TCN_OK && verified.approvals < verified.approvals_needed)
        err = tcn_fault_set(&fault, TCN_NOT_DELIVERABLE, "%u of %u approvals", verified.approvals,
                            verified.approvals_needed);
    if (err == TCN_OK && verified.alert.meta.lane != wire->alerts.lane)
        err = tcn_fault_set(&fault, TCN_INVALID, "it came in another lane than its own");
    if (err != TCN_OK)
        return reject(a, link, envelope, err, fault.text);
    if (tcn_agent_clock_is_suspect(a))
        verified.marks |= TCN_MARK_CLOCK_SUSPECT;
    tcn_agent_origin origin = {.link = link, .seq = seq};
    tcn_err refused = TCN_OK;
    err = tcn_agent_cache_add(a, &view, &verified, &origin, &refused, &fault);
    if (err == TCN_OK && refused != TCN_OK)
        err = reject(a, link, envelope, refused, fault.text);
    return err;
}

static tcn_err move_cursor(tcn_agent *a, unsigned link, const tcn_wire *wire)
{
    unsigned b = tcn_agent_link_broker(link);
    tcn_agent_link *l = &a->next.link[link];
    tcn_agent_place *place = &a->next.broker[b].place;
    tcn_lane lane = wire->alerts.lane;
    if (!tcn_id_equal(&l->epoch, &place->epoch) || l->generation != place->generation)
        return TCN_OK; /* said of another past */
    l->receipt_due[lane] = true;
    if (wire->alerts.alerts.count > 0)
        a->next.error[0] = '\0'; /* whatever was short, it is not now */
    if (place->has_cursor[lane] && wire->alerts.complete_to.seq < place->cursor[lane].seq)
        return TCN_OK;
    if (place->has_cursor[lane] && wire->alerts.complete_to.seq == place->cursor[lane].seq &&
        wire->alerts.complete_to.tag == place->cursor[lane].tag)
        return TCN_OK;
    place->has_cursor[lane] = true;
    place->cursor[lane] = wire->alerts.complete_to;
    return tcn_agent_place_save(a, b);
}

tcn_err tcn_agent_alerts_again(tcn_agent *a, unsigned link, const tcn_wire *wire,
                               uint64_t *ret_need)
{
    uint64_t version = tcn_agent_trust(a)->version;
    if (wire->alerts.need > version) {
        *ret_need = wire->alerts.need;
        return TCN_CANNOT_YET;
    }
    tcn_cbor_reader r;
    tcn_cbor_reader_init(&r, wire->alerts.alerts.raw);
    for (size_t i = 0; i < wire->alerts.alerts.count; i++) {
        uint64_t seq;
        tcn_bytes envelope = tcn_wire_get_alert(&r, &seq);
        tcn_err err = take_one(a, link, wire, seq, envelope);
        if (err == TCN_STALE) {
            /* Those before it are stored, which does no harm: they will be known. */
            tcn_agent_note(a->next.error,
                           "the trust bundle has expired: alerts wait for a new one");
            tcn_agent_link *l = &a->next.link[link];
            if (l->cut_at.ms == 0)
                l->cut_at.ms = a->mono.ms + STALE_MS;
            *ret_need = version + 1;
            return TCN_CANNOT_YET;
        }
        if (err != TCN_OK)
            return err;
    }
    return move_cursor(a, link, wire);
}

tcn_err tcn_agent_alerts_take(tcn_agent *a, unsigned link, const tcn_wire *wire, tcn_bytes frame)
{
    tcn_agent_link *l = &a->next.link[link];
    tcn_lane lane = wire->alerts.lane;
    if (l->gap[lane])
        return TCN_OK;
    if (lane == TCN_LANE_BULK && wire->alerts.alerts.count > 0 && is_short(a)) {
        tcn_agent_note(a->next.error, "the store is full: bulk alerts wait at the broker");
        tcn_agent_link_gap(a, link, lane, TCN_AGENT_FULL_MS);
        return TCN_OK;
    }
    uint64_t need = wire->alerts.need;
    if (l->parked[lane] > 0) /* behind those that wait */
        return tcn_agent_park(a, link, wire, need, frame);
    tcn_err err = tcn_agent_alerts_again(a, link, wire, &need);
    return err == TCN_CANNOT_YET ? tcn_agent_park(a, link, wire, need, frame) : err;
}
