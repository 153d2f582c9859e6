/* SPDX-License-Identifier: Apache-2.0 */
#include "evil.h"

#include <stdlib.h>
#include <string.h>

#include "members.h"
#include "tests/support/mem.h"

/* Alerts as somebody could sign them who has some keys, but not those that it takes. */
static void choose(sim *s, world_options *o)
{
    *o = (world_options){.publisher = "pub-1", .topic = "alert.cyber", .body = "forged\n"};
    o->created.unix_ms = SIM_START + (int64_t)s->now;
    switch (sim_below(&s->faults, 5)) {
    case 0: /* one person alone */ o->lane = TCN_LANE_EMERGENCY; break;
    case 1: /* two who approve, by nobody who publishes; or one who may not submit emergencies */
        o->publisher = s->draft[sim_member_find(s, "pub-3")].emergency ? "op" : "pub-3";
        o->lane = TCN_LANE_EMERGENCY;
        o->approvers[0] = "app-1";
        o->approvers[1] = "app-2";
        break;
    case 2: /* no publisher at all */ o->publisher = "app-1"; break;
    case 3: /* not signed by who it says */
        o->no_author = true;
        o->approvers[0] = "app-1";
        break;
    default: /* a cancel by a node */
        o->publisher = "node-1";
        o->kind = TCN_KIND_CANCEL;
        o->author_role = TCN_ROLE_APPROVER;
        o->references[0] = &s->alert[sim_below(&s->faults, s->alerts)].made.id;
        break;
    }
}

static const sim_alert *forge(sim *s)
{
    world_options o;
    if (s->alerts == 0 || s->alerts >= SIM_ALERTS - 1)
        return NULL;
    choose(s, &o);
    sim_alert *a = &s->alert[s->alerts];
    memset(a, 0, sizeof *a);
    a->worth = SIM_BAD;
    a->forged = true;
    a->publisher = a->author = sim_member_find(s, o.publisher);
    a->lane = o.lane;
    a->created = o.created.unix_ms;
    a->expires = a->created + WORLD_DAY_MS;
    a->made = world_alert_make(s->w, &o);
    sim_trace(s, "a%u is forged", s->alerts);
    s->alerts++;
    return a;
}

static sim_packet *with_alert(const sim_packet *packet, tcn_wire *wire, const sim_alert *a)
{
    uint8_t *raw = mem_zeroed(2u * TCN_MAX_FRAME_BYTES);
    sim_packet *changed = mem_zeroed(sizeof *changed + TCN_MAX_FRAME_BYTES);
    tcn_cbor_writer w;
    tcn_cbor_writer_init(&w, raw, 2u * TCN_MAX_FRAME_BYTES);
    tcn_cbor_put_raw(&w, wire->alerts.alerts.raw);
    tcn_wire_put_alert(&w, wire->alerts.complete_to.seq, a->made.envelope);
    TCN_REQUIRE(tcn_cbor_writer_done(&w, &wire->alerts.alerts.raw) == TCN_OK);
    wire->alerts.alerts.count++;
    changed->due = packet->due;
    tcn_err err = tcn_wire_encode(wire, changed->bytes, TCN_MAX_FRAME_BYTES, &changed->len);
    free(raw);
    if (err == TCN_OK) /* its end is that of the block */
        return mem_grown(changed, sizeof *changed + changed->len);
    free(changed);
    return NULL;
}

sim_packet *sim_evil_touch(sim *s, sim_packet *packet)
{
    tcn_wire wire;
    if (tcn_wire_decode(tcn_bytes_of(packet->bytes, packet->len), &wire) != TCN_OK ||
        wire.op != TCN_OP_ALERTS || !sim_once_in(&s->faults, 4))
        return packet;
    const sim_alert *a = forge(s);
    sim_packet *changed = a != NULL ? with_alert(packet, &wire, a) : NULL;
    if (changed == NULL)
        return packet;
    free(packet);
    return changed;
}
