/* SPDX-License-Identifier: Apache-2.0 */
/* trust_keep.c - see trust_keep.h. The store has a bundle in pieces: it can exceed one value. */
#include "trust_keep.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "agent_time.h"
#include "libtocsin/card.h"
#include "link.h"

#define ASK_AGAIN_MS 5000u
#define ASK_ANEW_MS 60000u /* what came then was no use */

void tcn_agent_bundle_drop(tcn_bundle **bundle)
{
    if (*bundle) {
        tcn_bundle_fini(*bundle);
        free(*bundle);
        *bundle = NULL;
    }
}

static tcn_err open_bundle(const tcn_agent *a, tcn_bytes envelope, tcn_bundle **ret_bundle,
                           tcn_fault *fault)
{
    tcn_bundle *bundle = calloc(1, sizeof *bundle);
    if (!bundle)
        return tcn_fault_set(fault, TCN_NO_MEMORY, "out of memory");
    tcn_err err = tcn_bundle_open(envelope, &a->authority, bundle, fault);
    if (err == TCN_OK && !tcn_id_equal(&bundle->program, &a->program)) {
        tcn_bundle_fini(bundle);
        err = tcn_fault_set(fault, TCN_WRONG_PROGRAM, "the trust bundle is of another program");
    }
    if (err == TCN_OK)
        *ret_bundle = bundle;
    else
        free(bundle);
    return err;
}

/* ---- in the store ---- */

static tcn_agent_key piece_key(unsigned piece)
{
    tcn_agent_key key = tcn_agent_key_of('B');
    key.b[1] = (uint8_t)(piece >> 8);
    key.b[2] = (uint8_t)piece;
    key.len = 3;
    return key;
}

static tcn_err save(tcn_agent *a, tcn_bytes envelope, uint64_t version)
{
    tcn_agent_key table = tcn_agent_key_of('B'), key;
    tcn_bytes value;
    tcn_err err;
    while ((err = tcn_agent_first(a, &table, NULL, &key, &value)) == TCN_OK)
        if ((err = tcn_agent_del(a, &key)) != TCN_OK)
            return err;
    if (err != TCN_NOT_FOUND)
        return err;
    uint8_t head[16];
    tcn_agent_put_u64(head, version);
    tcn_agent_put_u64(head + 8, envelope.len);
    key = tcn_agent_key_of('b');
    err = tcn_agent_put(a, &key, tcn_bytes_of(head, sizeof head));
    unsigned piece = 0;
    for (size_t at = 0; err == TCN_OK && at < envelope.len; at += TCN_MAX_CHUNK_BYTES) {
        size_t len = envelope.len - at;
        key = piece_key(piece++);
        err = tcn_agent_put(
            a, &key,
            tcn_bytes_of(envelope.ptr + at, len < TCN_MAX_CHUNK_BYTES ? len : TCN_MAX_CHUNK_BYTES));
    }
    return err;
}

/* TCN_NOT_FOUND: none, or not what was written. */
static tcn_err load(tcn_agent *a, tcn_bundle **ret_bundle)
{
    tcn_agent_key key = tcn_agent_key_of('b');
    tcn_bytes value;
    tcn_err err = tcn_agent_get(a, &key, &value);
    if (err != TCN_OK)
        return err;
    uint64_t size = value.len == 16 ? tcn_agent_get_u64(value.ptr + 8) : 0;
    if (size == 0 || size > TCN_MAX_BUNDLE_BYTES)
        return TCN_NOT_FOUND;
    uint8_t *envelope = malloc((size_t)size);
    if (!envelope)
        return TCN_NO_MEMORY;
    size_t len = 0;
    for (unsigned piece = 0; err == TCN_OK && len < size; piece++) {
        key = piece_key(piece);
        err = tcn_agent_get(a, &key, &value);
        if (err == TCN_OK && (value.len == 0 || value.len > size - len))
            err = TCN_NOT_FOUND;
        if (err == TCN_OK) {
            memcpy(envelope + len, value.ptr, value.len);
            len += value.len;
        }
    }
    tcn_fault fault;
    if (err == TCN_OK) {
        err = open_bundle(a, tcn_bytes_of(envelope, len), ret_bundle, &fault);
        if (err != TCN_OK && err != TCN_NO_MEMORY)
            err = TCN_NOT_FOUND;
    }
    free(envelope);
    return err;
}

/* ---- adopting ---- */

/* The brokers of a bundle get their places; links whose broker is another one now are cut. */
static tcn_err take_brokers(tcn_agent *a, const tcn_bundle *bundle)
{
    tcn_agent_broker before[TCN_MAX_BROKERS];
    memcpy(before, a->next.broker, sizeof before);
    for (unsigned i = 0; i < TCN_MAX_BROKERS; i++) {
        tcn_agent_broker *broker = &a->next.broker[i];
        const char *name = i < bundle->brokers ? bundle->broker[i].name : "";
        if (strcmp(name, before[i].name) == 0)
            continue;
        for (unsigned lane = 0; lane < TCN_LANES; lane++)
            if (before[i].name[0] != '\0')
                tcn_agent_link_cut_now(a, i * TCN_LANES + lane);
        memset(broker, 0, sizeof *broker);
        memcpy(broker->name, name, strlen(name) + 1);
        bool is_known = name[0] == '\0';
        for (unsigned j = 0; j < TCN_MAX_BROKERS && !is_known; j++)
            if (strcmp(before[j].name, name) == 0) {
                *broker = before[j];
                is_known = true;
            }
        if (is_known)
            continue;
        tcn_agent_key key = tcn_agent_key_broker(name);
        tcn_bytes value;
        tcn_err err = tcn_agent_get(a, &key, &value);
        if (err != TCN_OK && err != TCN_NOT_FOUND)
            return err;
        if (err == TCN_OK && tcn_agent_place_decode(value, &broker->place) != TCN_OK)
            memset(&broker->place, 0, sizeof broker->place);
    }
    return TCN_OK;
}

/* TCN_OK also if it was not adopted; errors are the store's. */
static tcn_err adopt(tcn_agent *a, tcn_bytes envelope, tcn_bundle *bundle)
{
    tcn_err err = save(a, envelope, bundle->version);
    if (err == TCN_OK)
        err = take_brokers(a, bundle);
    if (err != TCN_OK) {
        tcn_agent_bundle_drop(&bundle);
        return err;
    }
    tcn_agent_bundle_drop(&a->bundle_next);
    a->bundle_next = bundle;
    a->next.error[0] = '\0';
    tcn_agent_log(a, TCN_AGENT_EVENT_TRUST_ADOPTED, "trust version %" PRIu64, bundle->version);
    return TCN_OK;
}

static tcn_err consider(tcn_agent *a, tcn_bytes envelope)
{
    tcn_fault fault;
    tcn_bundle *bundle = NULL;
    tcn_err err = open_bundle(a, envelope, &bundle, &fault);
    if (err == TCN_NO_MEMORY)
        return err;
    if (err == TCN_OK && bundle->version <= tcn_agent_trust(a)->version) {
        tcn_agent_bundle_drop(&bundle);
        return TCN_OK;
    }
    if (err == TCN_OK && bundle->expires.unix_ms <= tcn_agent_time(a).unix_ms)
        err = tcn_fault_set(&fault, TCN_EXPIRED, "it has expired");
    if (err != TCN_OK) {
        tcn_agent_bundle_drop(&bundle);
        tcn_agent_note(a->next.error, "a trust bundle was not adopted: %s", fault.text);
        tcn_agent_log(a, TCN_AGENT_EVENT_TRUST_REFUSED, "%s: %s", tcn_err_word(err), fault.text);
        return TCN_OK;
    }
    return adopt(a, envelope, bundle);
}

/* ---- pieces ---- */

static tcn_err begin_pieces(tcn_agent *a, unsigned link, const tcn_wire *wire)
{
    if (wire->trust.total > a->pieces_cap) {
        uint8_t *grown = realloc(a->pieces, (size_t)wire->trust.total);
        if (!grown)
            return TCN_NO_MEMORY;
        a->pieces = grown;
        a->pieces_cap = (size_t)wire->trust.total;
    }
    a->next.pieces = (tcn_agent_pieces){
        .version = wire->trust.version, .total = (size_t)wire->trust.total, .link = link};
    return TCN_OK;
}

tcn_err tcn_agent_trust_piece(tcn_agent *a, unsigned link, const tcn_wire *wire)
{
    tcn_agent_pieces *pieces = &a->next.pieces;
    tcn_bytes bytes = wire->trust.bytes;
    uint64_t total = wire->trust.total, offset = wire->trust.offset;
    if (wire->trust.version <= tcn_agent_trust(a)->version)
        return TCN_OK;
    if (bytes.len == 0 || total > TCN_MAX_BUNDLE_BYTES || offset > total ||
        bytes.len > total - offset) {
        tcn_agent_log(a, TCN_AGENT_EVENT_TRUST_REFUSED, "a piece beyond the bundle's size");
        return TCN_OK;
    }
    if (offset == 0 && bytes.len == total) {
        if (pieces->version <= wire->trust.version)
            *pieces = (tcn_agent_pieces){.version = 0, .asked = pieces->asked};
        return consider(a, bytes);
    }
    tcn_err err = TCN_OK;
    if (offset == 0 && (pieces->version != wire->trust.version || pieces->total != total))
        err = begin_pieces(a, link, wire);
    if (err != TCN_OK)
        return err;
    if (pieces->version != wire->trust.version || pieces->total != total || pieces->len != offset)
        return TCN_OK; /* a piece of an older bundle, or one that came twice */
    memcpy(a->pieces + offset, bytes.ptr, bytes.len);
    pieces->len += bytes.len;
    pieces->link = link;
    pieces->ask = true;
    if (pieces->len < pieces->total)
        return TCN_OK;
    tcn_bytes whole = tcn_bytes_of(a->pieces, pieces->total);
    *pieces = (tcn_agent_pieces){.version = 0, .asked = pieces->asked};
    return consider(a, whole);
}

static unsigned served_link(const tcn_agent *a, unsigned wanted)
{
    for (unsigned i = 0; i < TCN_AGENT_LINKS; i++) {
        unsigned link = (wanted + i) % TCN_AGENT_LINKS;
        if (a->now.link[link].state == TCN_LINK_SERVED)
            return link;
    }
    return TCN_AGENT_LINKS;
}

static void ask(tcn_agent *a, unsigned link, uint64_t version, uint64_t offset)
{
    tcn_agent_pieces *pieces = &a->now.pieces;
    tcn_wire wire = {.op = TCN_OP_TRUST_GET, .trust_get = {.version = version, .offset = offset}};
    if (!tcn_agent_link_send(a, link, &wire))
        return;
    pieces->ask = false;
    pieces->link = link;
    pieces->asked = a->mono;
    tcn_agent_wake_in(a, ASK_AGAIN_MS);
}

/* A frame waits for trust that should have come before it, and none is on its way. */
static void ask_for_parked(tcn_agent *a)
{
    const tcn_agent_effect *parked = a->parked;
    if (!parked || parked->number <= a->bundle->version || parked->number == UINT64_MAX)
        return;
    tcn_mono since = {parked->total}, asked = a->now.pieces.asked, due = {since.ms + ASK_AGAIN_MS};
    if (asked.ms != 0 && asked.ms + ASK_ANEW_MS > due.ms)
        due.ms = asked.ms + ASK_ANEW_MS;
    if (a->mono.ms >= due.ms)
        ask(a, parked->link, parked->number, 0);
    else
        tcn_agent_wake_at(a, due);
}

void tcn_agent_trust_pump(tcn_agent *a)
{
    tcn_agent_pieces *pieces = &a->now.pieces;
    if (pieces->version == 0) {
        free(a->pieces);
        a->pieces = NULL;
        a->pieces_cap = 0;
        ask_for_parked(a);
        return;
    }
    if (!pieces->ask && a->mono.ms < pieces->asked.ms + ASK_AGAIN_MS) {
        tcn_agent_wake_at(a, (tcn_mono){pieces->asked.ms + ASK_AGAIN_MS});
        return;
    }
    /* Unanswered: the next link that is served is asked. */
    unsigned link = served_link(a, pieces->ask ? pieces->link : pieces->link + 1);
    if (link < TCN_AGENT_LINKS)
        ask(a, link, pieces->version, pieces->len);
}

/* ---- the card ---- */

static tcn_err keep_card(tcn_agent *a, tcn_bytes envelope, tcn_fault *fault)
{
    tcn_card card;
    tcn_err err = tcn_card_open(envelope, &a->authority, &card, fault);
    if (err != TCN_OK)
        return err;
    if (strcmp(card.name, a->member) != 0)
        err =
            tcn_fault_set(fault, TCN_CONFLICT, "the card is %s's, not %s's", card.name, a->member);
    else if (!tcn_id_equal(&card.program, &a->program))
        err = tcn_fault_set(fault, TCN_WRONG_PROGRAM, "the card is of another program");
    uint64_t version = card.version;
    tcn_card_fini(&card);
    if (err != TCN_OK || version <= a->next.card_version)
        return err;
    tcn_agent_key key = tcn_agent_key_of('c');
    err = tcn_agent_put(a, &key, envelope);
    if (err == TCN_OK)
        a->next.card_version = version;
    return err;
}

tcn_err tcn_agent_card_take(tcn_agent *a, tcn_bytes envelope)
{
    tcn_fault fault;
    uint64_t before = a->next.card_version;
    tcn_err err = keep_card(a, envelope, &fault);
    switch (err) {
    case TCN_FULL:
    case TCN_IO:
    case TCN_NO_MEMORY: return err;
    case TCN_OK:
        if (a->next.card_version != before)
            tcn_agent_log(a, TCN_AGENT_EVENT_CARD_ADOPTED, "card version %" PRIu64,
                          a->next.card_version);
        return TCN_OK;
    default:
        tcn_agent_log(a, TCN_AGENT_EVENT_CARD_REFUSED, "%s: %s", tcn_err_word(err), fault.text);
        return TCN_OK;
    }
}

/* ---- at the start ---- */

static tcn_err load_card(tcn_agent *a, tcn_bytes from_home, tcn_fault *fault)
{
    tcn_agent_key key = tcn_agent_key_of('c');
    tcn_bytes value;
    tcn_card card;
    tcn_fault ignored;
    tcn_err err = tcn_agent_get(a, &key, &value);
    if (err == TCN_OK && tcn_card_open(value, &a->authority, &card, &ignored) == TCN_OK) {
        a->next.card_version = card.version;
        tcn_card_fini(&card);
    } else if (err != TCN_OK && err != TCN_NOT_FOUND) {
        return tcn_fault_set(fault, err, "the store cannot be read");
    }
    return keep_card(a, from_home, fault);
}

tcn_err tcn_agent_trust_load(tcn_agent *a, const tcn_agent_identity *identity, tcn_fault *fault)
{
    tcn_bundle *held = NULL, *home = NULL;
    tcn_err err = load(a, &held);
    if (err != TCN_OK && err != TCN_NOT_FOUND)
        return tcn_fault_set(fault, err, "the trust bundle in the store cannot be read");
    a->bundle = held;
    tcn_err home_err = open_bundle(a, identity->bundle, &home, fault);
    if (home_err != TCN_OK && !held)
        return home_err;
    bool is_newer = home && (!held || (home->version > held->version &&
                                       home->expires.unix_ms > tcn_agent_time(a).unix_ms));
    err = TCN_OK;
    if (is_newer)
        err = save(a, identity->bundle, home->version);
    if (err != TCN_OK) {
        tcn_agent_bundle_drop(&home);
        return tcn_fault_set(fault, err, "the trust bundle cannot be stored");
    }
    if (is_newer) {
        tcn_agent_bundle_drop(&a->bundle);
        a->bundle = home;
    } else {
        tcn_agent_bundle_drop(&home);
    }
    err = take_brokers(a, a->bundle);
    if (err != TCN_OK)
        return tcn_fault_set(fault, err, "the store cannot be read");
    return load_card(a, identity->card, fault);
}
