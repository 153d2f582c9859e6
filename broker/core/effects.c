/* SPDX-License-Identifier: Apache-2.0 */
/* effects.c - the queue of effects: headers, data and tails one behind the other in one block that
 * is kept from turn to turn. */
#include "effects.h"

#include <stdlib.h>
#include <string.h>

#include "session.h"
#include "state.h"

typedef struct {
    tcn_effect_fn *fn;
    size_t data_len, tail_len;
    tcn_rank rank;
} header;

#define ALIGN _Alignof(max_align_t)

static size_t aligned(size_t len)
{
    return (len + ALIGN - 1) / ALIGN * ALIGN;
}

void tcn_effects_fini(tcn_effects *effects)
{
    free(effects->arena);
    *effects = (tcn_effects){.arena = NULL};
}

void tcn_effects_clear(tcn_effects *effects)
{
    /* One large turn must not keep its memory for good. */
    if (effects->cap > (8u << 20)) {
        tcn_effects_fini(effects);
        return;
    }
    effects->len = 0;
    memset(effects->count, 0, sizeof(effects->count));
}

static bool reserve(tcn_effects *e, size_t more)
{
    if (more <= e->cap - e->len)
        return true;
    size_t cap = e->cap < 4096 ? 4096 : e->cap;
    while (cap - e->len < more) {
        if (cap > SIZE_MAX / 2)
            return false;
        cap *= 2;
    }
    uint8_t *arena = realloc(e->arena, cap);
    if (arena == NULL)
        return false;
    e->arena = arena;
    e->cap = cap;
    return true;
}

tcn_err tcn_effect_add(tcn_broker *b, tcn_rank rank, tcn_effect_fn *fn, tcn_bytes data,
                       tcn_bytes tail)
{
    tcn_effects *e = &b->effects;
    header head = {.fn = fn, .data_len = data.len, .tail_len = tail.len, .rank = rank};
    size_t size = aligned(sizeof(head)) + aligned(data.len) + aligned(tail.len);
    if (!reserve(e, size))
        return TCN_NO_MEMORY;
    uint8_t *at = e->arena + e->len;
    memcpy(at, &head, sizeof(head));
    at += aligned(sizeof(head));
    if (data.len > 0)
        memcpy(at, data.ptr, data.len);
    at += aligned(data.len);
    if (tail.len > 0)
        memcpy(at, tail.ptr, tail.len);
    e->len += size;
    e->count[rank]++;
    return TCN_OK;
}

void tcn_effects_run(tcn_broker *b, tcn_rank rank)
{
    tcn_effects *e = &b->effects;
    unsigned left = e->count[rank];
    for (size_t pos = 0; left > 0 && pos < e->len;) {
        const header *head = (const header *)(const void *)(e->arena + pos);
        const uint8_t *data = e->arena + pos + aligned(sizeof(*head));
        const uint8_t *tail = data + aligned(head->data_len);
        if (head->rank == rank) {
            head->fn(b, data, tcn_bytes_of(tail, head->tail_len));
            left--;
        }
        pos += aligned(sizeof(*head)) + aligned(head->data_len) + aligned(head->tail_len);
    }
    e->count[rank] = 0;
}

/* ---- speaking ---- */

static bool speak(tcn_broker *b, tcn_peer peer, tcn_bytes frame)
{
    tcn_net *net = &b->ports.net;
    tcn_send_result result = net->send(net->self, peer, frame);
    if (result == TCN_SENT)
        return true;
    if (result == TCN_SEND_FULL) {
        tcn_log_line(b, TCN_EVENT_PEER_FULL, "peer %llu takes no more answers: closed",
                     (unsigned long long)peer);
        net->close(net->self, peer);
    }
    tcn_session_end(b, peer);
    return false;
}

static void speak_effect(tcn_broker *b, const void *data, tcn_bytes tail)
{
    tcn_peer peer;
    memcpy(&peer, data, sizeof(peer));
    (void)speak(b, peer, tail);
}

static void close_effect(tcn_broker *b, const void *data, tcn_bytes tail)
{
    tcn_peer peer;
    (void)tail;
    memcpy(&peer, data, sizeof(peer));
    tcn_session_doom(b, peer);
}

tcn_err tcn_say(tcn_broker *b, tcn_rank rank, tcn_peer peer, const tcn_wire *wire)
{
    size_t len = 0;
    tcn_err err = tcn_wire_encode(wire, b->frame, sizeof(b->frame), &len);
    if (err == TCN_OK)
        err = tcn_effect_add(b, rank, speak_effect, TCN_EFFECT_DATA(peer),
                             tcn_bytes_of(b->frame, len));
    if (err != TCN_OK && !tcn_spoils(err)) {
        tcn_log_line(b, TCN_EVENT_FRAME_UNMADE, "%s frame: %s", tcn_op_word(wire->op),
                     tcn_err_text(err));
        err = TCN_OK;
    }
    return err;
}

bool tcn_say_now(tcn_broker *b, tcn_peer peer, const tcn_wire *wire)
{
    size_t len = 0;
    if (tcn_wire_encode(wire, b->frame, sizeof(b->frame), &len) != TCN_OK) {
        tcn_log_line(b, TCN_EVENT_FRAME_UNMADE, "%s frame", tcn_op_word(wire->op));
        return true;
    }
    return speak(b, peer, tcn_bytes_of(b->frame, len));
}

tcn_err tcn_hang_up(tcn_broker *b, tcn_peer peer)
{
    return tcn_effect_add(b, TCN_RANK_SPEECH, close_effect, TCN_EFFECT_DATA(peer), TCN_NO_TAIL);
}

tcn_err tcn_say_error(tcn_broker *b, tcn_peer peer, tcn_err error, const char *text)
{
    tcn_wire wire = {.op = TCN_OP_ERROR};
    wire.error.error = error;
    wire.error.text = tcn_bytes_str(text);
    tcn_err err = tcn_say(b, TCN_RANK_SPEECH, peer, &wire);
    return err == TCN_OK ? tcn_hang_up(b, peer) : err;
}
