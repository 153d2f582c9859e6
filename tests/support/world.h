/* SPDX-License-Identifier: Apache-2.0 */
/* world.h - a small program for tests: an authority, members with cards and secrets, signed trust
 * files, and alerts and acks as members would sign them. Keys and ids follow from names and order
 * alone, so that a run can be repeated. What goes wrong in here ends the test with the fault.
 * Everything handed out lives as long as the world. */
#ifndef TOCSIN_TEST_WORLD_H
#define TOCSIN_TEST_WORLD_H

#include "libtocsin/ack.h"
#include "libtocsin/roster.h"
#include "libtocsin/trust.h"

#define WORLD_LIST 9 /* eight, and the NULL at the end of a list */
#define WORLD_DAY_MS (INT64_C(24) * 60 * 60 * 1000)

typedef struct world world;

/* Lists end with NULL. Zero means none; clearance zero is TLP:CLEAR. */
typedef struct {
    const char *name;
    unsigned roles; /* TCN_ROLE_* */
    tcn_tlp clearance;
    const char *receive[WORLD_LIST], *publish[WORLD_LIST];
    bool emergency;
    const char *communities[WORLD_LIST];
} world_member;

/* A program "test" at this time, with the default policy and one member, "broker", that brokers at
 * 127.0.0.1:7001 (session) and :7002 (emergency). Nothing is signed yet. */
world *world_new(tcn_wall now);
void world_free(world **w);
tcn_wall world_now(const world *w);
void world_set_now(world *w, tcn_wall now);
const tcn_sign_secret *world_authority_secret(const world *w);
const tcn_sign_public *world_authority(const world *w);
const tcn_id *world_program(const world *w);
/* For the next world_sign. */
tcn_policy *world_policy(world *w);

/* Adds a member, or changes it to exactly this with the next card version; keys stay. A member with
 * role broker gets an entry in the bundle, at the next two ports. */
void world_member_set(world *w, const world_member *member);
/* The member's card in the draft, with its version raised, for any other change. */
tcn_card *world_card_edit(world *w, const char *name);
void world_member_revoke(world *w, const char *name, tcn_member_state state, tcn_wall since);
/* The member's entry in the draft's bundle, for other endpoints or another key. */
tcn_broker_entry *world_broker_edit(world *w, const char *name);
const tcn_secrets *world_secrets(const world *w, const char *name);
tcn_publics world_publics(const world *w, const char *name);

/* Signs the draft at world_now as the next trust version. What earlier ones handed out stays. */
void world_sign(world *w);
/* Of the last world_sign. */
tcn_bytes world_trust_file(const world *w);
tcn_roster *world_roster(const world *w);
const tcn_bundle *world_bundle(const world *w);
tcn_bytes world_bundle_envelope(const world *w);
tcn_bytes world_card_envelope(const world *w, const char *name);

/* An alert; what is zero has the default in the comment. */
typedef struct {
    const char *publisher; /* required */
    const char *topic;     /* "advisory.test" */
    const char *title;     /* "Test" */
    const char *handle;    /* "T-1", "T-2"… */
    tcn_id id;             /* made from created */
    tcn_lane lane;         /* bulk */
    tcn_urgency urgency;
    tcn_tlp tlp; /* clear */
    tcn_status status;
    tcn_kind kind;
    tcn_reason reason;
    const tcn_id *references[WORLD_LIST];
    tcn_wall created, not_before, expires, ack_by; /* now, none, created + 1 day, none */
    const char *communities[WORLD_LIST];
    const char *to[WORLD_LIST];        /* members, as audience marks */
    const char *approvers[WORLD_LIST]; /* sign as well, beside the publisher */
    tcn_role author_role;              /* publisher */
    bool no_author;                    /* the publisher does not sign */
    const char *body; /* "body\n"; NUL-terminated, or with body_bytes set that many */
    size_t body_bytes;
    bool zstd;     /* compress the body if that saves something */
    bool external; /* only hash and size in the envelope; the body is in world_alert.body */
} world_options;

typedef struct {
    tcn_id id;
    tcn_hash payload_hash;
    tcn_bytes envelope, payload;
    tcn_bytes body; /* encoded */
} world_alert;

world_alert world_alert_make(world *w, const world_options *options);
/* The envelope of any payload with these signers, "name" in role. */
tcn_bytes world_sign_alert(world *w, tcn_bytes payload, const char *const *names,
                           const tcn_role *roles, unsigned count);
/* What APPROVE carries, and the envelope with that signature added. */
tcn_bytes world_approval(world *w, tcn_bytes payload, const char *approver);
tcn_bytes world_approved(world *w, tcn_bytes envelope, const char *approver);
/* An ack of this member, sealed; at world_now. */
tcn_bytes world_ack(world *w, const char *name, const world_alert *alert, uint64_t counter,
                    tcn_answer answer);
/* A view for tcn_trust_*: the last signed bundle at world_now. */
tcn_trust_view world_view(const world *w, bool accepting);

#endif
