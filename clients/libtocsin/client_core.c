/* SPDX-License-Identifier: Apache-2.0 */
/* client_core.c - connecting, and one question at a time with its answer. */
#include "client_core.h"

#include <stdio.h>
#include <string.h>

#include "text.h"

enum {
    RECONNECTS = 3,               /* within one request */
    EMERGENCY_MS = 5000,          /* for that endpoint: session can do it, too */
    NO_EMERGENCY_MS = 60000,      /* before that endpoint is tried again */
    IDLE_MS = TCN_MAX_DEAD_MS / 2 /* a session that was quiet so long may be gone: ask first */
};

tcn_mono tcn_client_until(uint32_t timeout_ms)
{
    return (tcn_mono){tcn_now_mono().ms + timeout_ms};
}

tcn_wall tcn_client_time(const tocsin_client *client, bool *ret_suspect)
{
    return tcn_trust_time(&client->home, client->clock_offset_ms, ret_suspect);
}

static tcn_lane lane_of(const tocsin_client *client, const tcn_link *link)
{
    return link == &client->link[TCN_LANE_EMERGENCY] ? TCN_LANE_EMERGENCY : TCN_LANE_BULK;
}

/* Waits for anything on the link, at most until then. */
static void wait_for(const tcn_link *link, tcn_mono until, bool to_send)
{
    tcn_mono now = tcn_now_mono(), deadline = tcn_link_deadline(link);
    if (deadline.ms > until.ms)
        deadline = until;
    long timeout = deadline.ms > now.ms ? (long)(deadline.ms - now.ms) : 0;
    zmq_pollitem_t items[] = {
        {.socket = link->socket, .events = (short)(ZMQ_POLLIN | (to_send ? ZMQ_POLLOUT : 0))},
        {.socket = tcn_monitor_socket(link->monitor), .events = ZMQ_POLLIN},
    };
    (void)zmq_poll(items, 2, timeout);
}

static void note(tocsin_client *client, const char *what, const tcn_fault *fault)
{
    (void)snprintf(client->notice, sizeof(client->notice), "%s: %s", what, fault->text);
}

/* ---- frames that come by themselves ---- */

static void take_trust(tocsin_client *client, tcn_link *link, const tcn_wire *wire)
{
    tcn_fault fault = {.err = TCN_OK};
    tcn_fed fed;
    bool suspect;
    tcn_wall now = tcn_client_time(client, &suspect);
    tcn_err err = tcn_trust_feed_take(&client->feed, &client->home, wire, now, &fed, &fault);
    if (err != TCN_OK) {
        note(client, "newer trust was not adopted", &fault);
        tcn_trust_feed_reset(&client->feed);
    } else if (fed == TCN_FED_ADOPTED) {
        if (tcn_trust_home_save_bundle(&client->home, &fault) != TCN_OK)
            note(client, "newer trust is in use but was not saved", &fault);
    } else if (fed == TCN_FED_MORE) {
        const tcn_wire get = {
            .op = TCN_OP_TRUST_GET,
            .trust_get = {.version = client->feed.version, .offset = client->feed.buf.len}};
        if (tcn_client_send(client, link, &get, tcn_client_until(client->request_timeout_ms)) !=
            TCN_OK)
            tcn_trust_feed_reset(&client->feed);
    }
}

static void take_card(tocsin_client *client, tcn_bytes envelope)
{
    tcn_fault fault = {.err = TCN_OK};
    uint64_t held = client->home.card.version;
    tcn_err err = tcn_trust_take_card(&client->home, envelope, &fault);
    if (err != TCN_OK)
        note(client, "our newer card was not adopted", &fault);
    else if (client->home.card.version > held &&
             tcn_trust_home_save_card(&client->home, &fault) != TCN_OK)
        note(client, "our newer card is in use but was not saved", &fault);
}

static void take_error(tocsin_client *client, tcn_link *link, const tcn_wire *wire)
{
    char text[200];
    tcn_fault fault;
    (void)tcn_text_line(wire->error.text, text, sizeof(text));
    (void)tcn_fault_set(&fault, wire->error.error, "the broker says: %s%s%s",
                        tcn_err_text(wire->error.error), text[0] != '\0' ? ": " : "", text);
    bool open = client->is_open[lane_of(client, link)];
    tcn_link_fail(link, open ? TOCSIN_STAGE_ANSWER : TOCSIN_STAGE_WELCOME, &fault);
}

/* True if the frame was one of those. */
static bool take_unasked(tocsin_client *client, tcn_link *link, const tcn_wire *wire)
{
    switch (wire->op) {
    case TCN_OP_TRUST: take_trust(client, link, wire); return true;
    case TCN_OP_CARD: take_card(client, wire->envelope); return true;
    case TCN_OP_ERROR: take_error(client, link, wire); return true;
    default: return false;
    }
}

/* ---- frames in and out ---- */

tcn_err tcn_client_send(tocsin_client *client, tcn_link *link, const tcn_wire *wire, tcn_mono until)
{
    size_t len = 0;
    tcn_err err = tcn_wire_encode(wire, client->out, TCN_MAX_FRAME_BYTES, &len);
    if (err != TCN_OK) {
        tcn_fault fault;
        (void)tcn_fault_set(&fault, err, "a %s does not fit a frame", tcn_op_word(wire->op));
        tcn_link_fail(link, TOCSIN_STAGE_LOCAL, &fault);
        return err;
    }
    for (;;) {
        tcn_mono now = tcn_now_mono();
        tcn_link_turn(link, now);
        if (link->state == TCN_LINK_FAILED)
            return link->why.err;
        if (tcn_link_send(link, tcn_bytes_of(client->out, len), now) == TCN_OK)
            return TCN_OK;
        if (now.ms >= until.ms)
            return TCN_TIMEOUT;
        wait_for(link, until, true);
    }
}

static tcn_err next_frame(tocsin_client *client, tcn_link *link, tcn_wire *ret_wire, bool *ret_got)
{
    tcn_bytes frame;
    *ret_got = false;
    tcn_err err = tcn_link_receive(link, &frame, tcn_now_mono());
    if (err == TCN_NOT_FOUND)
        return TCN_OK;
    if (err == TCN_OK)
        err = tcn_wire_decode(frame, ret_wire);
    if (err != TCN_OK) {
        tcn_fault fault;
        (void)tcn_fault_set(&fault, TCN_MALFORMED,
                            "broker %s sent a frame that is not of protocol version %d",
                            client->broker, TCN_PROTOCOL_VERSION);
        tcn_link_fail(link, TOCSIN_STAGE_ANSWER, &fault);
        return TCN_MALFORMED;
    }
    *ret_got = true;
    return TCN_OK;
}

tcn_err tcn_client_receive(tocsin_client *client, tcn_link *link, tcn_mono until,
                           tcn_wire *ret_wire)
{
    for (;;) {
        bool got;
        /* What came before the connection broke still counts: read first. */
        tcn_err err = next_frame(client, link, ret_wire, &got);
        if (err != TCN_OK)
            return err;
        if (got) {
            if (!take_unasked(client, link, ret_wire))
                return TCN_OK;
            if (link->state == TCN_LINK_FAILED)
                return link->why.err;
            continue;
        }
        tcn_mono now = tcn_now_mono();
        tcn_link_turn(link, now);
        if (link->state == TCN_LINK_FAILED) {
            /* The event may have overtaken the last frames. */
            if (link->socket == NULL || (link->stage == TOCSIN_STAGE_ANSWER &&
                                         next_frame(client, link, ret_wire, &got) != TCN_OK))
                return link->why.err;
            if (!got)
                return link->why.err;
            if (!take_unasked(client, link, ret_wire))
                return TCN_OK;
            continue;
        }
        if (now.ms >= until.ms)
            return TCN_TIMEOUT;
        wait_for(link, until, false);
    }
}

/* ---- opening a session ---- */

static tcn_err encode_hello(tocsin_client *client, uint8_t *ret_hello, size_t cap, size_t *ret_len)
{
    const tcn_wire hello = {
        .op = TCN_OP_HELLO,
        .hello = {.versions = 1,
                  .version = {TCN_PROTOCOL_VERSION},
                  .mode = TCN_MODE_CLIENT,
                  .instance = client->instance,
                  .trust_version = client->brings_trust ? 0 : client->home.bundle.version,
                  .software = tcn_bytes_str(client->software)}};
    return tcn_wire_encode(&hello, ret_hello, cap, ret_len);
}

static void take_welcome(tocsin_client *client, const tcn_wire_welcome *welcome)
{
    (void)snprintf(client->broker, sizeof(client->broker), "%.*s", (int)welcome->broker.len,
                   (const char *)welcome->broker.ptr);
    client->clock_offset_ms = tcn_now_wall().unix_ms - welcome->time.unix_ms;
    client->max_body_bytes = welcome->max_body_bytes;
}

/* After WELCOME with a newer trust: it and our card come before anything else, and PONG after
 * them. Without either we go on with what we hold. */
static tcn_err await_trust(tocsin_client *client, tcn_link *link, uint64_t version, tcn_mono until)
{
    client->notice[0] = '\0';
    const tcn_wire ping = {.op = TCN_OP_PING};
    bool asked = false;
    for (;;) {
        bool done = client->home.bundle.version >= version || client->notice[0] != '\0';
        if (done && !asked) {
            asked = true;
            tcn_err err = tcn_client_send(client, link, &ping, until);
            if (err != TCN_OK)
                return err;
        }
        tcn_bytes frame;
        tcn_wire wire;
        tcn_err err = tcn_link_receive(link, &frame, tcn_now_mono());
        if (err == TCN_OK && tcn_wire_decode(frame, &wire) == TCN_OK) {
            if (!take_unasked(client, link, &wire) && wire.op == TCN_OP_PONG)
                return TCN_OK;
        } else if (err == TCN_NOT_FOUND) {
            if (tcn_now_mono().ms >= until.ms)
                return TCN_OK;
            wait_for(link, until, false);
            tcn_link_turn(link, tcn_now_mono());
        }
        if (link->state == TCN_LINK_FAILED)
            return link->why.err;
    }
}

static tcn_err open_session(tocsin_client *client, const tcn_broker_entry *broker, tcn_lane lane)
{
    tcn_link *link = &client->link[lane];
    uint8_t hello[256];
    size_t len = 0;
    uint32_t timeout_ms = client->connect_timeout_ms;
    if (lane == TCN_LANE_EMERGENCY && timeout_ms > EMERGENCY_MS)
        timeout_ms = EMERGENCY_MS;
    client->is_open[lane] = false;
    tcn_trust_feed_reset(&client->feed);
    tcn_err err = encode_hello(client, hello, sizeof(hello), &len);
    if (err != TCN_OK)
        return err;
    const tcn_link_options options = {
        .context = client->context,
        .broker = broker,
        .endpoint = lane,
        .secret = &client->home.keys.secrets.transport,
        .socks_proxy = client->proxy[0] != '\0' ? client->proxy : NULL,
        .hello = tcn_bytes_of(hello, len),
        .timeout_ms = timeout_ms,
    };
    tcn_mono until = tcn_client_until(timeout_ms);
    err = tcn_link_start(link, &options, tcn_now_mono());
    tcn_wire wire = {.op = TCN_OP_PONG};
    while (err == TCN_OK && wire.op != TCN_OP_WELCOME)
        err = tcn_client_receive(client, link, until, &wire);
    if (err != TCN_OK) {
        bool up = link->state == TCN_LINK_UP;
        tcn_fault fault;
        if (err == TCN_TIMEOUT && link->state != TCN_LINK_FAILED) {
            (void)tcn_fault_set(&fault, err, "broker %s opened no session within %u ms",
                                broker->name, timeout_ms);
            tcn_link_fail(link, up ? TOCSIN_STAGE_WELCOME : TOCSIN_STAGE_HANDSHAKE, &fault);
        }
        if (link->stage == TOCSIN_STAGE_ANSWER)
            link->stage = TOCSIN_STAGE_WELCOME;
        return err;
    }
    uint64_t version = wire.welcome.trust_version;
    take_welcome(client, &wire.welcome);
    client->is_open[lane] = true;
    return version > client->home.bundle.version ? await_trust(client, link, version, until)
                                                 : TCN_OK;
}

/* The brokers in their order, but first the one that answered before: what we asked it about is
 * there. */
static tcn_err open_any(tocsin_client *client, tcn_lane lane)
{
    /* Adopting trust replaces the bundle under our hands: go by name. */
    char first[sizeof(client->broker)];
    memcpy(first, client->broker, sizeof(first));
    tcn_fault why = {.err = TCN_UNREACHABLE};
    int32_t stage = TOCSIN_STAGE_LOCAL;
    (void)tcn_fault_set(&why, TCN_UNREACHABLE, "the trust bundle names no broker");
    for (unsigned round = 0; round < 2; round++) {
        for (unsigned i = 0; i < client->home.bundle.brokers; i++) {
            tcn_broker_entry broker = client->home.bundle.broker[i];
            if ((strcmp(broker.name, first) == 0) != (round == 0))
                continue;
            tcn_err err = open_session(client, &broker, lane);
            if (err == TCN_OK)
                return TCN_OK;
            if (client->link[lane].stage >= stage) {
                why = client->link[lane].why;
                stage = client->link[lane].stage;
            }
        }
    }
    tcn_link_fail(&client->link[lane], stage, &why);
    return why.err;
}

/* Is the session still there? Its connection may have gone while nobody looked. */
static bool is_alive(tocsin_client *client, tcn_lane lane)
{
    tcn_link *link = &client->link[lane];
    if (!client->is_open[lane])
        return false;
    tcn_mono now = tcn_now_mono();
    tcn_link_turn(link, now);
    uint64_t heard = link->heard_at.ms > link->sent_at.ms ? link->heard_at.ms : link->sent_at.ms;
    return link->state == TCN_LINK_UP && now.ms - heard < IDLE_MS;
}

void tcn_client_hang_up(tocsin_client *client)
{
    for (unsigned lane = 0; lane < TCN_LANES; lane++) {
        tcn_link_stop(&client->link[lane]);
        client->is_open[lane] = false;
    }
}

int32_t tcn_client_ready(tocsin_client *client, tcn_lane lane, tcn_link **ret_link,
                         tocsin_error *error)
{
    if (lane == TCN_LANE_EMERGENCY && tcn_now_mono().ms < client->no_emergency_until.ms)
        lane = TCN_LANE_BULK;
    tcn_err err = is_alive(client, lane) ? TCN_OK : open_any(client, lane);
    if (err != TCN_OK && lane == TCN_LANE_EMERGENCY &&
        (err == TCN_UNREACHABLE || err == TCN_TIMEOUT)) {
        client->no_emergency_until = tcn_client_until(NO_EMERGENCY_MS);
        (void)snprintf(client->notice, sizeof(client->notice),
                       "the emergency endpoint cannot be reached; using session");
        lane = TCN_LANE_BULK;
        err = is_alive(client, lane) ? TCN_OK : open_any(client, lane);
    }
    *ret_link = &client->link[lane];
    return err == TCN_OK ? TOCSIN_OK : tcn_client_lost(*ret_link, err, false, error);
}

/* ---- one question, one answer ---- */

int32_t tcn_client_lost(const tcn_link *link, tcn_err err, bool sent, tocsin_error *error)
{
    bool failed = link->state == TCN_LINK_FAILED;
    tcn_err why = failed ? link->why.err : err;
    const char *after = sent                 ? "; the request was sent, and may have been taken"
                        : why == TCN_TIMEOUT ? "; nothing was sent"
                                             : "";
    int32_t code = tcn_error_say(error, failed ? link->stage : TOCSIN_STAGE_ANSWER, why, "%s%s",
                                 failed ? link->why.text : tcn_err_text(err), after);
    if (error != NULL)
        error->sent = sent;
    return code;
}

int32_t tcn_client_refused(const tocsin_client *client, const tcn_wire *reply, tocsin_error *error)
{
    bool answer = reply->op == TCN_OP_ANSWER;
    tcn_err err = answer ? reply->answer.error : reply->result.error;
    tcn_bytes said = answer ? reply->answer.text : reply->result.text;
    char text[TCN_MAX_NOTE_BYTES + 1];
    (void)tcn_text_line(said, text, sizeof(text));
    return tcn_error_say(error, TOCSIN_STAGE_ANSWER, err, "broker %s: %s", client->broker,
                         text[0] != '\0' ? text : tcn_err_text(err));
}

static void set_req(tcn_wire *wire, uint64_t req)
{
    switch (wire->op) {
    case TCN_OP_SUBMIT: wire->submit.req = req; break;
    case TCN_OP_APPROVE: wire->approve.req = req; break;
    case TCN_OP_UPLOAD: wire->upload.req = req; break;
    case TCN_OP_QUERY: wire->query.req = req; break;
    case TCN_OP_ROSTER_PUT: wire->roster_put.req = req; break;
    default: break;
    }
}

static bool is_reply(const tcn_wire *wire, uint64_t req)
{
    return (wire->op == TCN_OP_ANSWER && wire->answer.req == req) ||
           (wire->op == TCN_OP_RESULT && wire->result.req == req);
}

int32_t tcn_client_ask(tocsin_client *client, tcn_lane lane, tcn_wire *request, tcn_wire *ret_reply,
                       tocsin_error *error)
{
    bool sent = false;
    for (unsigned tries = 0;; tries++) {
        tcn_link *link = NULL;
        int32_t code = tcn_client_ready(client, lane, &link, error);
        if (code != TOCSIN_OK) {
            if (error != NULL && sent)
                error->sent = 1;
            return code;
        }
        uint64_t req = ++client->req;
        tcn_mono until = tcn_client_until(client->request_timeout_ms);
        set_req(request, req);
        tcn_err err = tcn_client_send(client, link, request, until);
        sent = sent || err == TCN_OK;
        while (err == TCN_OK) {
            err = tcn_client_receive(client, link, until, ret_reply);
            if (err == TCN_OK && is_reply(ret_reply, req))
                return TOCSIN_OK;
        }
        client->is_open[lane_of(client, link)] = false;
        if (err != TCN_UNREACHABLE || tries >= RECONNECTS)
            return tcn_client_lost(link, err, sent, error);
    }
}
