/* SPDX-License-Identifier: Apache-2.0 */
#include "people.h"

#include <stdlib.h>
#include <string.h>

#include "members.h"
#include "model.h"
#include "tests/support/mem.h"

#define PATIENCE_MS 20000u
#define AGAIN_MS 2000u

void sim_people_init(sim *s)
{
    for (unsigned m = 0; m < s->members; m++) {
        if (!(s->draft[m].roles & (TCN_ROLE_PUBLISHER | TCN_ROLE_APPROVER)))
            continue;
        TCN_REQUIRE(s->people < SIM_PEOPLE);
        s->person[s->people++] = (sim_person){.member = m, .trust_version = 1};
    }
}

sim_person *sim_person_of(sim *s, unsigned member)
{
    for (unsigned i = 0; i < s->people; i++)
        if (s->person[i].member == member)
            return &s->person[i];
    return NULL;
}

bool sim_person_add(sim *s, sim_person *person, sim_op_kind kind, unsigned alert, uint64_t due)
{
    if (person->ops == SIM_OPS)
        return false;
    person->op[person->ops++] =
        (sim_op){.kind = kind, .alert = alert, .due = due, .give_up_at = s->now + 3600000};
    return true;
}

void sim_person_drop(sim *s, sim_person *person)
{
    if (person->conn == NULL)
        return;
    sim_conn_peer_close(s, person->conn);
    person->conn = NULL;
    person->greeted = person->welcomed = false;
    person->attempt_at = s->now + sim_below(&s->wires, 2000);
    for (unsigned i = 0; i < person->ops; i++) {
        person->op[i].req = 0;
        person->op[i].uploading = false;
    }
}

/* ---- saying ---- */

static bool say(sim *s, sim_person *person, const tcn_wire *wire)
{
    uint8_t *frame = mem_zeroed(TCN_MAX_FRAME_BYTES);
    size_t len = 0;
    TCN_REQUIRE(tcn_wire_encode(wire, frame, TCN_MAX_FRAME_BYTES, &len) == TCN_OK);
    tcn_send_result sent = sim_conn_send_up(s, person->conn, tcn_bytes_of(frame, len));
    free(frame);
    return sent == TCN_SENT;
}

static bool greet(sim *s, sim_person *person)
{
    tcn_wire wire = {.op = TCN_OP_HELLO};
    wire.hello = (tcn_wire_hello){.versions = 1,
                                  .version = {TCN_PROTOCOL_VERSION},
                                  .mode = TCN_MODE_CLIENT,
                                  .instance = {{1, (uint8_t)person->member}},
                                  .trust_version = person->trust_version,
                                  .software = tcn_bytes_str("sim")};
    return say(s, person, &wire);
}

static bool say_submit(sim *s, sim_person *person, sim_op *op, const sim_alert *a)
{
    tcn_wire wire = {.op = TCN_OP_SUBMIT};
    wire.submit.req = op->req;
    wire.submit.envelope = a->made.envelope;
    return say(s, person, &wire);
}

static bool say_piece(sim *s, sim_person *person, const sim_op *op, const sim_alert *a)
{
    tcn_wire wire = {.op = TCN_OP_UPLOAD};
    size_t left = a->made.body.len - (size_t)op->offset;
    size_t len = sim_between(&s->work, 1, TCN_MAX_CHUNK_BYTES);
    wire.upload.req = op->req;
    wire.upload.id = a->made.id;
    wire.upload.offset = op->offset;
    wire.upload.bytes = tcn_bytes_of(a->made.body.ptr + op->offset, len < left ? len : left);
    return say(s, person, &wire);
}

static bool say_approval(sim *s, sim_person *person, sim_op *op, sim_alert *a)
{
    const char *name = s->draft[person->member].name;
    tcn_wire wire = {.op = TCN_OP_APPROVE};
    wire.approve.req = op->req;
    wire.approve.id = a->made.id;
    wire.approve.payload_hash = a->made.payload_hash;
    wire.approve.signature = world_approval(s->w, a->made.payload, name);
    a->approvals |= 1u << person->member;
    return say(s, person, &wire);
}

static void say_op(sim *s, sim_person *person, sim_op *op)
{
    sim_alert *a = &s->alert[op->alert];
    op->req = ++s->req;
    bool said = op->kind == SIM_APPROVE ? say_approval(s, person, op, a)
                : op->uploading         ? say_piece(s, person, op, a)
                                        : say_submit(s, person, op, a);
    if (!said) {
        op->req = 0;
        op->due = s->now + 100;
    }
}

/* ---- hearing ---- */

static void forget_op(sim_person *person, sim_op *op)
{
    *op = person->op[--person->ops];
}

static void later(sim *s, sim_op *op)
{
    op->req = 0;
    op->uploading = false;
    op->due = s->now + (sim_between(&s->work, AGAIN_MS / 4, AGAIN_MS) << op->tries);
    op->tries += op->tries < 6;
}

/* Is it worth another try? */
static bool is_passing(const sim_op *op, tcn_err error)
{
    switch (error) {
    case TCN_FULL:
    case TCN_BUSY:
    case TCN_IO:
    case TCN_STALE:
    case TCN_TIMEOUT:
    case TCN_NO_MEMORY: return true;
    case TCN_CONFLICT:
    case TCN_HASH_MISMATCH: return op->uploading; /* the offset; a body that must begin again */
    case TCN_NOT_FOUND: return op->uploading || (op->kind == SIM_APPROVE && op->tries < 5);
    default: return false;
    }
}

static void heard_ok(sim *s, sim_person *person, sim_op *op, const tcn_wire_answer *answer)
{
    sim_alert *a = &s->alert[op->alert];
    if (op->kind == SIM_APPROVE) {
        a->approved |= 1u << person->member;
        forget_op(person, op);
        return;
    }
    a->promised = true;
    bool needs_body = a->external && answer->has_offset && answer->offset < a->made.body.len;
    if (needs_body && !(answer->has_state && answer->accepted)) {
        op->uploading = true;
        op->offset = answer->offset;
        op->req = 0;
        op->due = s->now + sim_below(&s->work, 30);
        return;
    }
    a->body_whole |= a->external;
    forget_op(person, op);
}

static void heard_answer(sim *s, sim_person *person, const tcn_wire_answer *answer)
{
    for (unsigned i = 0; i < person->ops; i++) {
        sim_op *op = &person->op[i];
        if (op->req != answer->req)
            continue;
        if (answer->error == TCN_OK) {
            heard_ok(s, person, op, answer);
        } else if (is_passing(op, answer->error) && s->now < op->give_up_at) {
            later(s, op);
        } else {
            if (op->kind == SIM_SUBMIT)
                s->alert[op->alert].refused = answer->error;
            forget_op(person, op);
        }
        return;
    }
}

static void hear(sim *s, sim_person *person, tcn_bytes frame)
{
    tcn_wire wire;
    person->patience_at = s->now + PATIENCE_MS;
    if (tcn_wire_decode(frame, &wire) != TCN_OK)
        return; /* told where it was sent */
    switch (wire.op) {
    case TCN_OP_WELCOME: person->welcomed = true; break;
    case TCN_OP_TRUST:
        if (wire.trust.version > person->trust_version)
            person->trust_version = wire.trust.version;
        break;
    case TCN_OP_ANSWER: heard_answer(s, person, &wire.answer); break;
    default: break;
    }
}

/* ---- acting ---- */

static void connect(sim *s, sim_person *person)
{
    tcn_lane endpoint = sim_once_in(&s->wires, 3) ? TCN_LANE_EMERGENCY : TCN_LANE_BULK;
    person->conn = sim_conn_open(s, person->member, endpoint);
    person->attempt_at = s->now + sim_between(&s->wires, 500, 3000);
    if (person->conn == NULL)
        return;
    person->conn->person = (unsigned)(person - s->person);
    person->greeted = person->welcomed = false;
    person->patience_at = s->now + PATIENCE_MS;
}

static bool is_busy(const sim *s, const sim_person *person)
{
    for (unsigned i = 0; i < person->ops; i++)
        if (person->op[i].req != 0 || person->op[i].due <= s->now)
            return true;
    return false;
}

void sim_person_act(sim *s, sim_person *person)
{
    sim_packet *packet;
    if (person->conn == NULL) {
        if (is_busy(s, person) && person->attempt_at <= s->now)
            connect(s, person);
        if (person->conn == NULL)
            return;
    }
    while (person->conn != NULL && (packet = sim_conn_take_down(s, person->conn)) != NULL) {
        hear(s, person, tcn_bytes_of(packet->bytes, packet->len));
        free(packet);
    }
    if (person->conn->peer_hears_at <= s->now || person->patience_at <= s->now) {
        sim_person_drop(s, person);
        return;
    }
    if (!person->greeted)
        person->greeted = greet(s, person);
    /* As some clients do: not waiting for WELCOME. */
    if (!person->greeted || (!person->welcomed && person->member % 2 == 0))
        return;
    for (unsigned i = 0; i < person->ops; i++)
        if (person->op[i].req == 0 && person->op[i].due <= s->now)
            say_op(s, person, &person->op[i]);
}

uint64_t sim_person_due(const sim *s, const sim_person *person)
{
    uint64_t due = SIM_NEVER;
    if (person->conn == NULL) {
        for (unsigned i = 0; i < person->ops; i++)
            if (person->op[i].due < due)
                due = person->op[i].due;
        return due > person->attempt_at || due == SIM_NEVER ? due : person->attempt_at;
    }
    due = sim_conn_down_due(person->conn);
    if (person->patience_at < due)
        due = person->patience_at;
    bool waits = !person->welcomed && person->member % 2 == 0;
    for (unsigned i = 0; i < person->ops && !waits; i++)
        if (person->op[i].req == 0 && person->op[i].due < due)
            due = person->op[i].due;
    return due < s->now ? s->now : due;
}
