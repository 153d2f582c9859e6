/* SPDX-License-Identifier: Apache-2.0 */
/* home.h - what lies where in a home, and reading it.
 *   program home   authority.key authority.pub trust program.conf broker/ members/NAME/
 *   broker home    member.keys authority.pub trust broker.conf state/ run/lock
 *   member home    member.keys authority.pub bundle card agent.conf state/ run/{lock,agent.sock}
 * trust is a trust file, bundle and card are envelopes (docs/protocol.md §3). */
#ifndef TCN_HOME_H
#define TCN_HOME_H

#include "keyfile.h"
#include "roster.h"

#define TCN_HOME_PATH_SIZE 1024

#define TCN_HOME_AUTHORITY_KEY "authority.key"
#define TCN_HOME_AUTHORITY_PUB "authority.pub"
#define TCN_HOME_MEMBER_KEYS "member.keys"
#define TCN_HOME_TRUST "trust"
#define TCN_HOME_BUNDLE "bundle"
#define TCN_HOME_CARD "card"
#define TCN_HOME_PROGRAM_CONF "program.conf"
#define TCN_HOME_BROKER_CONF "broker.conf"
#define TCN_HOME_AGENT_CONF "agent.conf"
#define TCN_HOME_STATE "state"
#define TCN_HOME_RUN "run"
#define TCN_HOME_SOCKET "run/agent.sock"

/* The home to use: given (may be NULL), else $TOCSIN_HOME, else ~/.config/tocsin. TCN_NOT_FOUND,
 * with what to do, if it is not a directory. */
TCN_CHECKED tcn_err tcn_home_resolve(const char *given, char ret_home[static TCN_HOME_PATH_SIZE],
                                     tcn_fault *fault);

/* The same path, whether or not anything is there (for what makes a home). */
TCN_CHECKED tcn_err tcn_home_path(const char *given, char ret_home[static TCN_HOME_PATH_SIZE],
                                  tcn_fault *fault);

typedef enum { TCN_HOME_NONE, TCN_HOME_PROGRAM, TCN_HOME_BROKER, TCN_HOME_MEMBER } tcn_home_kind;
tcn_home_kind tcn_home_kind_of(const char *home);
const char *tcn_home_kind_text(tcn_home_kind kind);

/* Everything a member's process needs, verified against the pinned authority key. */
typedef struct {
    char path[TCN_HOME_PATH_SIZE];
    tcn_member_keys keys;
    tcn_sign_public authority;
    tcn_id program;
    uint8_t *bundle_envelope, *card_envelope; /* malloc'd */
    size_t bundle_len, card_len;
    tcn_bundle bundle;
    tcn_card card;
} tcn_member_home;

/* TCN_NOT_FOUND, TCN_PERMISSIONS, TCN_BAD_SIGNATURE, TCN_CONFLICT (the card is not of these keys)…
 * each with file and remedy in fault. Expiry is not judged. */
TCN_CHECKED tcn_err tcn_member_home_open(const char *home, tcn_member_home *ret_home,
                                         tcn_fault *fault);
void tcn_member_home_fini(tcn_member_home *home);
/* Stores a newer bundle or card, verified here against the home's authority (a card also against
 * the home's keys: TCN_CONFLICT); a version not above the one on disk is TCN_OK and nothing
 * done. */
TCN_CHECKED tcn_err tcn_member_home_save_bundle(const tcn_member_home *home, tcn_bytes envelope,
                                                tcn_fault *fault);
TCN_CHECKED tcn_err tcn_member_home_save_card(const tcn_member_home *home, tcn_bytes envelope,
                                              tcn_fault *fault);

/* A broker's: keys, pinned authority, and its trust file opened. */
typedef struct {
    char path[TCN_HOME_PATH_SIZE];
    tcn_member_keys keys;
    tcn_sign_public authority;
    tcn_id program;
    tcn_roster *roster;
} tcn_broker_home;

TCN_CHECKED tcn_err tcn_broker_home_open(const char *home, tcn_broker_home *ret_home,
                                         tcn_fault *fault);
/* Reads and verifies the trust file again (after a change). The caller unrefs. */
TCN_CHECKED tcn_err tcn_broker_home_reload(const tcn_broker_home *home, tcn_roster **ret_roster,
                                           tcn_fault *fault);
void tcn_broker_home_fini(tcn_broker_home *home);

#endif
