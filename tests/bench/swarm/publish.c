/* SPDX-License-Identifier: Apache-2.0 */
/* publish.c - alerts signed ahead, submitted, recognised when they arrive, and their board. */
#define _GNU_SOURCE
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "swarm.h"

enum { BOARD_REQ = 1 << 30, BOARD_PATIENCE_MS = 10000 };

static int64_t unix_ms(void)
{
    struct timespec now = {0};
    (void)clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void forget_done(swarm *s)
{
    if (s->done != s->made || s->measuring != 0)
        return;
    for (size_t i = 0; i < s->made; i++) {
        free((void *)(uintptr_t)s->alert[i].envelope.ptr);
        s->alert[i].envelope = tcn_bytes_of(NULL, 0);
    }
}

void swarm_make_alerts(swarm *s, tcn_lane lane, size_t count, unsigned publishers)
{
    forget_done(s);
    s->alert = realloc(s->alert, (s->made + count) * sizeof(*s->alert));
    if (s->alert == NULL)
        bench_die("alerts", "out of memory");
    for (size_t i = 0; i < count; i++) {
        bench_alert wanted = {.publisher = (unsigned)(s->made % publishers),
                              .number = (unsigned)s->made,
                              .lane = lane,
                              .body_bytes = s->options.body_bytes};
        s->alert[s->made++] = (swarm_alert){.envelope = bench_cast_alert(&s->cast, &wanted),
                                            .lane = lane,
                                            .publisher = wanted.publisher};
    }
}

void swarm_drop_unpublished(swarm *s)
{
    while (s->made > s->published)
        free((void *)(uintptr_t)s->alert[--s->made].envelope.ptr);
}

bool swarm_publish(swarm *s, bool flush)
{
    if (s->published == s->made)
        return false;
    swarm_alert *alert = &s->alert[s->published];
    swarm_member *from = &s->publisher[alert->publisher];
    tcn_lane endpoint = alert->lane;
    tcn_wire wire = {.op = TCN_OP_SUBMIT};
    wire.submit.req = s->published++;
    wire.submit.envelope = alert->envelope;
    alert->at_unix_ms = unix_ms();
    alert->at_ns = bench_now_ns();
    from->under_way++;
    swarm_say(from, endpoint, &wire);
    if (flush)
        bench_link_flush(&from->link[endpoint]);
    return true;
}

static void advance(swarm *s)
{
    while (s->done < s->published && s->alert[s->done].copies >= s->audience &&
           s->alert[s->done].answered)
        s->done++;
}

void swarm_answered(swarm *s, swarm_member *publisher, const tcn_wire_answer *answer)
{
    if (answer->req >= s->published)
        bench_die("answer", "to what was not asked");
    swarm_alert *alert = &s->alert[answer->req];
    publisher->under_way--;
    alert->answered = true;
    alert->answered_ns = bench_now_ns();
    alert->id = answer->id;
    s->answers += answer->error == TCN_OK;
    s->refusals += answer->error != TCN_OK;
    if (answer->error != TCN_OK)
        bench_die("a submit was refused", tcn_err_text(answer->error));
    advance(s);
}

void swarm_arrived(swarm *s, uint32_t number, uint64_t at_ns)
{
    swarm_alert *alert = &s->alert[number];
    alert->copies++;
    alert->last_ns = at_ns;
    s->deliveries++;
    if ((s->measuring & 1u << alert->lane) != 0)
        bench_column_add(&s->arrival, at_ns - alert->at_ns);
    advance(s);
}

uint32_t swarm_recognise(swarm *s, tcn_bytes envelope)
{
    tcn_verified verified;
    tcn_fault fault = {.err = TCN_OK};
    tcn_trust_view view = {.bundle = tcn_roster_bundle(s->cast.roster), .now = {unix_ms()}};
    tcn_cose cose;
    tcn_alert read;
    if (tcn_cose_decode(envelope, TCN_OBJECT_ALERT, &cose) != TCN_OK ||
        tcn_alert_decode(cose.payload, &read, &fault) != TCN_OK || read.meta.handle.len < 3)
        bench_die("an alert arrived broken", fault.text);
    unsigned long number = strtoul((const char *)read.meta.handle.ptr + 2, NULL, 10);
    if (number >= s->published)
        return UINT32_MAX;
    swarm_alert *alert = &s->alert[number];
    if (alert->envelope.ptr == NULL)
        return UINT32_MAX; /* of an earlier phase, sent again */
    if (!alert->verified) {
        if (tcn_trust_verify_alert(&view, envelope, &verified, &fault) != TCN_OK)
            bench_die("an alert does not verify", fault.text);
        alert->verified = true;
    }
    if (!tcn_bytes_equal(envelope, alert->envelope))
        bench_die("an alert", "arrived other than it was published");
    return (uint32_t)number;
}

/* ---- the board ---- */

static void read_item(swarm *s, tcn_cbor_reader *r)
{
    size_t pairs = tcn_cbor_get_map(r, 64);
    s->board_rows++;
    for (size_t i = 0; i < pairs; i++) {
        uint64_t key = tcn_cbor_get_uint(r);
        if (key == 3) {
            int64_t at = tcn_cbor_get_int(r);
            s->board_received++;
            if (at > s->board_last_ms)
                s->board_last_ms = at;
        } else {
            (void)tcn_cbor_get_item(r);
        }
    }
}

void swarm_board_page(swarm *s, const tcn_wire *wire)
{
    tcn_cbor_reader r;
    if (wire->result.error != TCN_OK)
        bench_die("board", tcn_err_text(wire->result.error));
    tcn_cbor_reader_init(&r, wire->result.items.raw);
    for (size_t i = 0; i < wire->result.items.count; i++)
        read_item(s, &r);
    tcn_buf_clear(&s->board_next);
    if (tcn_buf_append(&s->board_next, wire->result.next) != TCN_OK)
        bench_die("board", "out of memory");
    s->board_more = wire->result.next.len > 0;
    s->board_answered = true;
}

double swarm_board(swarm *s, const swarm_alert *alert, unsigned *ret_received)
{
    uint8_t args[32];
    tcn_cbor_writer w;
    tcn_bytes encoded;
    tcn_cbor_writer_init(&w, args, sizeof(args));
    tcn_cbor_put_map(&w, 1);
    tcn_cbor_put_uint(&w, 1);
    tcn_cbor_put_id(&w, &alert->id);
    if (tcn_cbor_writer_done(&w, &encoded) != TCN_OK)
        bench_die("board", "args");
    swarm_member *from = &s->publisher[alert->publisher];
    s->board_rows = s->board_received = 0;
    s->board_last_ms = 0;
    tcn_buf_clear(&s->board_next);
    do {
        tcn_wire wire = {.op = TCN_OP_QUERY};
        wire.query.req = BOARD_REQ;
        wire.query.what = TCN_QUERY_BOARD;
        wire.query.args = encoded;
        wire.query.after = tcn_buf_bytes(&s->board_next);
        wire.query.max = TCN_MAX_PAGE_ITEMS;
        s->board_answered = s->board_more = false;
        swarm_say(from, TCN_LANE_BULK, &wire);
        bench_link_flush(&from->link[TCN_LANE_BULK]);
        uint64_t begin = bench_now_ns();
        while (!s->board_answered) {
            swarm_pump(s, 100);
            if (bench_now_ns() - begin > BOARD_PATIENCE_MS * UINT64_C(1000000))
                bench_die("board", "no answer");
        }
    } while (s->board_more);
    *ret_received = s->board_received;
    return (double)(s->board_last_ms - alert->at_unix_ms);
}
