/* SPDX-License-Identifier: Apache-2.0 */
/* program_home.h - the authority's home: opened (locked, if it is to change), changed by signing a
 * new version of the trust, and the new version written to every home at hand.
 * Durable: what publish wrote survives power loss; trust in the program's home is the truth, all
 * else is made from it again by any later change. */
#ifndef TCN_CLI_PROGRAM_HOME_H
#define TCN_CLI_PROGRAM_HOME_H

#include "command.h"
#include "program_conf.h"

#define TCN_PROGRAM_LOCK ".lock"
#define TCN_PROGRAM_BROKER "broker"
#define TCN_PROGRAM_MEMBERS "members"

typedef struct {
    char path[TCN_HOME_PATH_SIZE];
    int lock_fd;            /* -1: only reading */
    tcn_program_conf conf;  /* to change only */
    tcn_sign_secret secret; /* to change only */
    tcn_sign_public authority;
    tcn_id id;
    tcn_roster *roster; /* NULL while the program is being made */
} tcn_program;

/* Opens to read: a program's home, or a broker's, which holds the same trust. */
TCN_CHECKED tcn_err tcn_program_open(const tcn_cli *cli, tcn_program *ret_program,
                                     tcn_fault *fault);
/* Opens to change: takes the lock (waiting, and saying so), reads key and program.conf. */
TCN_CHECKED tcn_err tcn_program_open_to_change(const tcn_cli *cli, tcn_program *ret_program,
                                               tcn_fault *fault);
void tcn_program_fini(tcn_program *program);

/* A new version, signed and not yet written. */
typedef struct {
    uint8_t *file; /* the trust file */
    size_t len;
    tcn_bytes bundle; /* within file */
    uint64_t version;
    tcn_wall issued, expires;
    size_t changed; /* cards that are new in it */
} tcn_signed;

/* Signs the next version with these cards added or put in the place of those with their names; each
 * gets the new version and issued. Checks that no key is another member's (TCN_CONFLICT). */
TCN_CHECKED tcn_err tcn_program_sign(const tcn_program *program, tcn_card *changed, size_t count,
                                     tcn_signed *ret_signed, tcn_fault *fault);
void tcn_signed_fini(tcn_signed *signed_trust);
/* The card of a member within the file. */
TCN_CHECKED tcn_err tcn_signed_card(const tcn_signed *signed_trust, const char *name,
                                    tcn_bytes *ret_envelope, tcn_fault *fault);
/* Visits each card of this version, that is, those that are new. fn borrows. */
typedef void tcn_signed_fn(void *arg, const tcn_card *card, tcn_bytes envelope);
void tcn_signed_each_new(const tcn_signed *signed_trust, tcn_signed_fn *fn, void *arg);
/* Writes it: the program's trust, then the broker's, then members' bundles, new cards and invites.
 * Homes that cannot be written are warned of; only the program's own trust fails it. */
TCN_CHECKED tcn_err tcn_program_publish(const tcn_cli *cli, const tcn_program *program,
                                        const tcn_signed *signed_trust, tcn_fault *fault);

/* The invite file of a member: authority's key, bundle, card. */
TCN_CHECKED tcn_err tcn_invite_write(const tcn_program *program, const tcn_signed *signed_trust,
                                     const char *name, tcn_bytes card, tcn_fault *fault);

/* Validity of what is signed now: issued, and lifetime later. Keys begin a day before: clocks
 * differ. */
#define TCN_CLOCK_SLACK_MS (INT64_C(24) * 3600 * 1000)

#endif
