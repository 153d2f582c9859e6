/* SPDX-License-Identifier: Apache-2.0 */
/* outbox.c - see outbox.h. What is not confirmed is said again: after WELCOME, and now and then. */
#include "outbox.h"

#include <stdlib.h>
#include <string.h>

#include "agent_time.h"
#include "cache.h"
#include "link.h"

#define ACKS_PER_PUMP 32u
#define ACKS_AGAIN_MS 60000u
#define ACK_BYTES 2048u
#define REPORTS_MAX 4096u /* a broker that sends more false alerts than this is only counted */
#define REJECTED_PER_FRAME 256u
#define BODIES_PER_FRAME 1024u

/* ---- acks ---- */

static tcn_err put_ack(tcn_agent *a, const tcn_agent_record *record, const tcn_id *alert,
                       uint64_t counter, tcn_bytes envelope)
{
    uint8_t bytes[TCN_AGENT_ACK_HEAD + ACK_BYTES];
    memcpy(bytes, alert->b, sizeof alert->b);
    tcn_agent_put_u64(bytes + 16, counter);
    bytes[24] = (uint8_t)record->lane;
    memcpy(bytes + TCN_AGENT_ACK_HEAD, envelope.ptr, envelope.len);
    tcn_agent_key key = tcn_agent_key_number('O', record->outbox);
    return tcn_agent_put(a, &key, tcn_bytes_of(bytes, TCN_AGENT_ACK_HEAD + envelope.len));
}

static tcn_err take_out(tcn_agent *a, uint64_t serial)
{
    if (serial == 0)
        return TCN_OK;
    tcn_agent_key key = tcn_agent_key_number('O', serial);
    a->next.counts.outbox--;
    return tcn_agent_del(a, &key);
}

tcn_err tcn_agent_outbox_ack(tcn_agent *a, const tcn_id *alert, tcn_ack *ack, tcn_err *ret_refused,
                             tcn_fault *fault)
{
    tcn_agent_record before, after;
    uint8_t envelope[ACK_BYTES];
    size_t len;
    tcn_err err = tcn_agent_record_load(a, alert, &before);
    if (err != TCN_OK)
        return err;
    unsigned most = a->config.outbox != 0 ? a->config.outbox : TCN_MAX_OUTBOX;
    if (before.outbox == 0 && a->next.counts.outbox >= most) {
        *ret_refused =
            tcn_fault_set(fault, TCN_FULL, "%u acknowledgments wait for a broker already", most);
        return TCN_OK;
    }
    after = before;
    ack->alert = *alert;
    ack->payload_hash = before.payload_hash;
    ack->member = tcn_bytes_str(a->member);
    ack->at = tcn_agent_time(a);
    /* From the time, so that a node that lost its disk does not begin below what it said before. */
    ack->counter = (uint64_t)ack->at.unix_ms;
    if (ack->counter <= before.counter)
        ack->counter = before.counter + 1;
    err = tcn_ack_seal(ack, &a->program, &a->secrets.sign, envelope, sizeof envelope, &len);
    if (err == TCN_NO_MEMORY)
        return err;
    if (err != TCN_OK) {
        *ret_refused = tcn_fault_set(fault, err, "the acknowledgment cannot be written: %s",
                                     tcn_err_text(err));
        return TCN_OK;
    }
    after.answer = (unsigned)ack->answer;
    after.counter = ack->counter;
    after.flags &= ~(unsigned)(TCN_RECORD_CONFIRMED | TCN_RECORD_REFUSED);
    after.outbox = ++a->next.counts.outbox_serial;
    a->next.counts.outbox++;
    err = take_out(a, before.outbox);
    if (err == TCN_OK)
        err = put_ack(a, &after, alert, ack->counter, tcn_bytes_of(envelope, len));
    if (err == TCN_OK)
        err = tcn_agent_record_save(a, alert, &before, &after);
    return err;
}

/* May another try, or another broker, fare better? */
static bool is_passing(tcn_err error)
{
    switch (error) {
    case TCN_FULL:
    case TCN_BUSY:
    case TCN_IO:
    case TCN_NO_MEMORY:
    case TCN_STALE:
    case TCN_CANNOT_YET:
    case TCN_TIMEOUT: return true;
    default: return false;
    }
}

/* An ack whose alert has been removed: found by walking the outbox, which such acks leave soon. */
static tcn_err take_out_orphan(tcn_agent *a, const tcn_id *id, uint64_t counter)
{
    tcn_agent_key table = tcn_agent_key_of('O'), key;
    tcn_bytes value;
    tcn_err err = tcn_agent_first(a, &table, NULL, &key, &value);
    for (; err == TCN_OK; err = tcn_agent_first(a, &table, &key, &key, &value)) {
        if (value.len < TCN_AGENT_ACK_HEAD || memcmp(value.ptr, id->b, sizeof id->b) != 0 ||
            tcn_agent_get_u64(value.ptr + 16) != counter)
            continue;
        a->next.counts.outbox--;
        return tcn_agent_del(a, &key);
    }
    return err == TCN_NOT_FOUND ? TCN_OK : err;
}

tcn_err tcn_agent_outbox_ack_ok(tcn_agent *a, unsigned link, const tcn_id *id, uint64_t counter,
                                tcn_err error)
{
    tcn_agent_record before, after;
    const char *broker = a->next.broker[tcn_agent_link_broker(link)].name;
    if (is_passing(error))
        return TCN_OK; /* it stays and is said again */
    tcn_err err = tcn_agent_record_load(a, id, &before);
    if (err == TCN_NOT_FOUND)
        return take_out_orphan(a, id, counter);
    if (err != TCN_OK)
        return err;
    if (before.outbox == 0 || before.counter != counter)
        return TCN_OK; /* of one that a later answer has replaced, or confirmed already */
    if (error != TCN_OK && strcmp(broker, before.broker) != 0)
        return TCN_OK; /* another broker than the one that sent it cannot say no */
    after = before;
    after.outbox = 0;
    after.flags |= error == TCN_OK ? TCN_RECORD_CONFIRMED : TCN_RECORD_REFUSED;
    err = take_out(a, before.outbox);
    if (err == TCN_OK)
        err = tcn_agent_record_save(a, id, &before, &after);
    if (error != TCN_OK) {
        char text[TCN_ID_TEXT_SIZE];
        tcn_id_text(id, text);
        tcn_agent_note(a->next.error, "%s refused the acknowledgment of %s: %s", broker, text,
                       tcn_err_word(error));
        tcn_agent_log(a, TCN_AGENT_EVENT_ACK_REFUSED, "%s", a->next.error);
    }
    return err;
}

/* ---- rejected, bodies ---- */

tcn_err tcn_agent_outbox_reject(tcn_agent *a, const char *broker, const tcn_id *id, tcn_err error)
{
    tcn_agent_key key = tcn_agent_key_at_broker('J', broker, id);
    tcn_bytes value;
    tcn_err err = tcn_agent_get(a, &key, &value);
    if (err != TCN_OK && err != TCN_NOT_FOUND)
        return err;
    for (unsigned b = 0; b < TCN_MAX_BROKERS; b++)
        if (strcmp(a->next.broker[b].name, broker) == 0)
            for (unsigned lane = 0; lane < TCN_LANES; lane++)
                a->next.link[b * TCN_LANES + lane].rejected_due = true;
    if (err == TCN_OK || a->next.counts.reports >= REPORTS_MAX)
        return TCN_OK;
    uint8_t number = (uint8_t)error;
    a->next.counts.reports++;
    return tcn_agent_put(a, &key, tcn_bytes_of(&number, 1));
}

/* Deletes one row per id; counts those that were there. */
static tcn_err confirm(tcn_agent *a, unsigned link, char table, const tcn_list *ids,
                       uint64_t *count)
{
    const char *broker = a->next.broker[tcn_agent_link_broker(link)].name;
    tcn_cbor_reader r;
    tcn_cbor_reader_init(&r, ids->raw);
    tcn_err err = TCN_OK;
    for (size_t i = 0; i < ids->count && err == TCN_OK; i++) {
        tcn_id id = tcn_cbor_get_id(&r);
        tcn_agent_key key = tcn_agent_key_at_broker(table, broker, &id);
        tcn_bytes value;
        err = tcn_agent_get(a, &key, &value);
        if (err == TCN_OK) {
            err = tcn_agent_del(a, &key);
            ++*count;
        } else if (err == TCN_NOT_FOUND) {
            err = TCN_OK;
        }
    }
    return err;
}

tcn_err tcn_agent_outbox_bodies_ok(tcn_agent *a, unsigned link, const tcn_list *ids)
{
    uint64_t count = 0;
    a->next.link[link].bodies_due = true; /* the next ones, if there are more */
    return confirm(a, link, 'D', ids, &count);
}

tcn_err tcn_agent_outbox_rejected_ok(tcn_agent *a, unsigned link, const tcn_list *ids)
{
    uint64_t count = 0;
    a->next.link[link].rejected_due = true;
    tcn_err err = confirm(a, link, 'J', ids, &count);
    a->next.counts.reports -= count;
    return err;
}

/* ---- saying it ---- */

/* Sends the first entries of a broker's table as one frame. *ret_sent: nothing was to say, or it
 * was said. */
static tcn_err say_list(tcn_agent *a, unsigned link, char table, bool *ret_sent)
{
    const char *broker = a->now.broker[tcn_agent_link_broker(link)].name;
    bool is_rejected = table == 'J';
    size_t most = is_rejected ? REJECTED_PER_FRAME : BODIES_PER_FRAME, count = 0;
    size_t cap = most * 24;
    uint8_t *raw = malloc(cap);
    if (!raw)
        return TCN_NO_MEMORY;
    tcn_cbor_writer w;
    tcn_cbor_writer_init(&w, raw, cap);
    tcn_agent_key prefix = tcn_agent_key_at_broker(table, broker, NULL), key;
    tcn_bytes value, written;
    tcn_err err = tcn_agent_first(a, &prefix, NULL, &key, &value);
    for (; err == TCN_OK && count < most; err = tcn_agent_first(a, &prefix, &key, &key, &value)) {
        tcn_id id;
        if (!tcn_agent_key_last_id(tcn_agent_key_bytes(&key), &id))
            continue;
        if (is_rejected)
            tcn_cbor_put_array(&w, 2);
        tcn_cbor_put_id(&w, &id);
        if (is_rejected)
            tcn_cbor_put_uint(&w, value.len > 0 ? value.ptr[0] : TCN_INVALID);
        count++;
    }
    if (err == TCN_OK || err == TCN_NOT_FOUND)
        err = tcn_cbor_writer_done(&w, &written);
    *ret_sent = true;
    if (err == TCN_OK && count > 0) {
        tcn_wire wire = {.op = is_rejected ? TCN_OP_REJECTED : TCN_OP_BODIES};
        tcn_list *list = is_rejected ? &wire.rejected : &wire.ids;
        *list = (tcn_list){.count = count, .raw = written};
        *ret_sent = tcn_agent_link_send(a, link, &wire);
    }
    free(raw);
    return err;
}

/* Acks behind ack_sent that this link carries, some at a time. */
static tcn_err say_acks(tcn_agent *a, unsigned link, bool *ret_sent)
{
    tcn_agent_link *l = &a->now.link[link];
    tcn_agent_key table = tcn_agent_key_of('O'), key = tcn_agent_key_number('O', l->ack_sent);
    tcn_bytes value;
    unsigned said = 0;
    tcn_err err = tcn_agent_first(a, &table, &key, &key, &value);
    for (; err == TCN_OK; err = tcn_agent_first(a, &table, &key, &key, &value)) {
        if (said == ACKS_PER_PUMP) {
            tcn_agent_wake_at(a, a->mono);
            return TCN_OK;
        }
        bool is_whole = key.len == 9 && value.len > TCN_AGENT_ACK_HEAD;
        if (is_whole && tcn_agent_link_carries(a, link, (tcn_lane)(value.ptr[24] != 0))) {
            tcn_wire wire = {.op = TCN_OP_ACK,
                             .envelope = tcn_bytes_of(value.ptr + TCN_AGENT_ACK_HEAD,
                                                      value.len - TCN_AGENT_ACK_HEAD)};
            if (!tcn_agent_link_send(a, link, &wire)) {
                *ret_sent = false;
                return TCN_OK;
            }
            said++;
            l->acks_at = a->mono;
        }
        if (key.len == 9)
            l->ack_sent = tcn_agent_get_u64(key.b + 1);
    }
    return err == TCN_NOT_FOUND ? TCN_OK : err;
}

bool tcn_agent_outbox_pump(tcn_agent *a, unsigned link)
{
    tcn_agent_link *l = &a->now.link[link];
    bool is_session = link % TCN_LANES == TCN_LANE_BULK, sent = true;
    if (a->now.counts.outbox > 0 && l->ack_sent >= a->now.counts.outbox_serial) {
        if (a->mono.ms >= l->acks_at.ms + ACKS_AGAIN_MS)
            l->ack_sent = 0; /* not confirmed for long: said again */
        else
            tcn_agent_wake_at(a, (tcn_mono){l->acks_at.ms + ACKS_AGAIN_MS});
    }
    bool acks = a->now.counts.outbox > 0 && l->ack_sent < a->now.counts.outbox_serial;
    bool rejected = is_session && l->rejected_due, bodies = is_session && l->bodies_due;
    if ((!acks && !rejected && !bodies) || tcn_agent_begin_read(a) != TCN_OK)
        return true;
    tcn_err err = TCN_OK;
    if (acks)
        err = say_acks(a, link, &sent);
    if (rejected && err == TCN_OK && sent && (err = say_list(a, link, 'J', &sent)) == TCN_OK)
        l->rejected_due = !sent;
    if (bodies && err == TCN_OK && sent && (err = say_list(a, link, 'D', &sent)) == TCN_OK)
        l->bodies_due = !sent;
    tcn_agent_end_read(a);
    return sent;
}
