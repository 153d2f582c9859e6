/* SPDX-License-Identifier: Apache-2.0 */
/* program_home.c - opening a program's home, and signing the next version of its trust. */
#include "program_home.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "libtocsin/file.h"

static tcn_err too_long(const char *path, tcn_fault *fault)
{
    return tcn_fault_set(fault, TCN_TOO_LARGE, "%s: the path is too long", path);
}

/* The lock goes with the process: a killed one leaves none behind. */
static tcn_err take_lock(const tcn_cli *cli, tcn_program *program, tcn_fault *fault)
{
    char path[TCN_HOME_PATH_SIZE];
    if (tcn_path_join(program->path, TCN_PROGRAM_LOCK, path, sizeof(path)) != TCN_OK)
        return too_long(program->path, fault);
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return tcn_fault_set(fault, errno == EACCES ? TCN_PERMISSIONS : TCN_IO,
                             "cannot lock %s: %s", path, strerror(errno));
    if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
        tcn_cli_warn(cli, "another tocsin is changing this program; waiting until it is done");
        while (flock(fd, LOCK_EX) != 0) {
            if (errno == EINTR)
                continue;
            int why = errno;
            (void)close(fd);
            return tcn_fault_set(fault, TCN_IO, "cannot lock %s: %s", path, strerror(why));
        }
    }
    program->lock_fd = fd;
    return TCN_OK;
}

/* To change it, the roster's own signature and its hashes of the cards suffice: what we sign next
 * is what we signed before. Who only looks checks everything. */
static tcn_err read_trust(tcn_program *program, bool to_change, tcn_fault *fault)
{
    char path[TCN_HOME_PATH_SIZE];
    uint8_t *file = NULL;
    size_t len = 0;
    tcn_fault inner = {0};
    if (tcn_path_join(program->path, TCN_HOME_AUTHORITY_PUB, path, sizeof(path)) != TCN_OK)
        return too_long(program->path, fault);
    tcn_err err = tcn_authority_public_read(path, &program->authority, fault);
    if (err != TCN_OK)
        return err;
    program->id = tcn_kid(&program->authority);
    if (tcn_path_join(program->path, TCN_HOME_TRUST, path, sizeof(path)) != TCN_OK)
        return too_long(program->path, fault);
    err = tcn_file_read(path, TCN_MAX_ROSTER_BYTES, &file, &len, fault);
    if (err != TCN_OK)
        return err;
    err = to_change ? tcn_roster_open_own(tcn_bytes_of(file, len), &program->authority,
                                          &program->roster, &inner)
                    : tcn_roster_open(tcn_bytes_of(file, len), &program->authority,
                                      &program->roster, &inner);
    free(file);
    return err == TCN_OK ? TCN_OK : tcn_fault_set(fault, err, "%s: %s", path, inner.text);
}

tcn_err tcn_program_open(const tcn_cli *cli, tcn_program *ret_program, tcn_fault *fault)
{
    tcn_program program = {.lock_fd = -1};
    tcn_err err = tcn_cli_home(cli, program.path, fault);
    if (err != TCN_OK)
        return err;
    tcn_home_kind kind = tcn_home_kind_of(program.path);
    if (kind != TCN_HOME_PROGRAM && kind != TCN_HOME_BROKER)
        return tcn_fault_set(fault, TCN_NOT_FOUND,
                             "%s is %s; this command needs the program's (or a broker's): name it "
                             "with --home DIR",
                             program.path, tcn_home_kind_text(kind));
    err = read_trust(&program, false, fault);
    if (err != TCN_OK) {
        tcn_program_fini(&program);
        return err;
    }
    *ret_program = program;
    return TCN_OK;
}

static tcn_err read_authority(tcn_program *program, tcn_fault *fault)
{
    char path[TCN_HOME_PATH_SIZE];
    tcn_sign_public public_key;
    if (tcn_path_join(program->path, TCN_HOME_AUTHORITY_KEY, path, sizeof(path)) != TCN_OK)
        return too_long(program->path, fault);
    tcn_err err = tcn_authority_read(path, &program->secret, fault);
    if (err == TCN_NOT_FOUND)
        return tcn_fault_set(fault, err,
                             "%s is not there: only where the authority's key is can membership "
                             "change",
                             path);
    if (err != TCN_OK)
        return err;
    tcn_sign_public_of(&program->secret, &public_key);
    if (memcmp(public_key.b, program->authority.b, sizeof(public_key.b)) != 0)
        return tcn_fault_set(fault, TCN_CONFLICT, "%s is not the key that %s shows", path,
                             TCN_HOME_AUTHORITY_PUB);
    if (tcn_path_join(program->path, TCN_HOME_PROGRAM_CONF, path, sizeof(path)) != TCN_OK)
        return too_long(program->path, fault);
    return tcn_program_conf_read(path, &program->conf, fault);
}

tcn_err tcn_program_open_to_change(const tcn_cli *cli, tcn_program *ret_program, tcn_fault *fault)
{
    tcn_program program = {.lock_fd = -1};
    tcn_err err = tcn_cli_home_kind(cli, TCN_HOME_PROGRAM, program.path, fault);
    if (err == TCN_OK)
        err = take_lock(cli, &program, fault);
    if (err == TCN_OK)
        err = read_trust(&program, true, fault);
    if (err == TCN_OK)
        err = read_authority(&program, fault);
    if (err != TCN_OK) {
        tcn_program_fini(&program);
        return err;
    }
    *ret_program = program;
    tcn_sign_fini(&program.secret);
    return TCN_OK;
}

void tcn_program_fini(tcn_program *program)
{
    tcn_sign_fini(&program->secret);
    tcn_roster_unref(&program->roster);
    if (program->lock_fd >= 0)
        (void)close(program->lock_fd);
    program->lock_fd = -1;
}

/* ---- signing ---- */

/* All cards of the next version: those of the roster, with the changed ones in their places and the
 * new ones behind. The rows borrow. */
static tcn_err collect(const tcn_program *program, const tcn_card *changed, size_t count,
                       tcn_card **ret_cards, size_t *ret_count)
{
    size_t old = program->roster != NULL ? tcn_roster_members(program->roster) : 0, used = old;
    tcn_card *cards = calloc(old + count + 1, sizeof(*cards));
    if (cards == NULL)
        return TCN_NO_MEMORY;
    for (size_t i = 0; i < old; i++)
        cards[i] = *tcn_roster_member(program->roster, i);
    for (size_t i = 0; i < count; i++) {
        size_t at = old > 0 ? tcn_roster_find(program->roster, changed[i].name) : SIZE_MAX;
        cards[at != SIZE_MAX ? at : used++] = changed[i];
    }
    *ret_cards = cards;
    *ret_count = used;
    return TCN_OK;
}

static const tcn_card *holder(const tcn_card *cards, size_t count, const tcn_card_key *key,
                              const char *except)
{
    for (size_t i = 0; i < count; i++)
        for (unsigned k = 0; k < cards[i].keys; k++)
            if (memcmp(cards[i].key[k].public_bytes, key->public_bytes, 32) == 0 &&
                strcmp(cards[i].name, except) != 0)
                return &cards[i];
    return NULL;
}

static tcn_err check_keys(const tcn_card *cards, size_t count, const tcn_card *changed,
                          tcn_fault *fault)
{
    for (unsigned k = 0; k < changed->keys; k++) {
        const tcn_card *other = holder(cards, count, &changed->key[k], changed->name);
        if (other != NULL)
            return tcn_fault_set(fault, TCN_CONFLICT,
                                 "a key of %s is already the key of %s; each member makes its own: "
                                 "tocsin keygen",
                                 changed->name, other->name);
    }
    return TCN_OK;
}

/* The brokers' endpoints from program.conf with the server keys of their cards. */
static tcn_err fill_brokers(const tcn_program *program, const tcn_card *cards, size_t count,
                            tcn_broker_entry *ret_broker, tcn_fault *fault)
{
    for (unsigned b = 0; b < program->conf.brokers; b++) {
        const tcn_card *card = NULL;
        ret_broker[b] = program->conf.broker[b];
        for (size_t i = 0; i < count && card == NULL; i++)
            if (strcmp(cards[i].name, ret_broker[b].name) == 0)
                card = &cards[i];
        const tcn_card_key *key =
            card != NULL ? tcn_card_key_at(card, TCN_KEY_TRANSPORT, card->issued) : NULL;
        if (key == NULL || (card->roles & TCN_ROLE_BROKER) == 0)
            return tcn_fault_set(fault, TCN_INVALID,
                                 "%s/%s: broker %s is not a member with the role broker",
                                 program->path, TCN_HOME_PROGRAM_CONF, ret_broker[b].name);
        memcpy(ret_broker[b].server_key.b, key->public_bytes, sizeof(key->public_bytes));
    }
    return TCN_OK;
}

/* The bundle's envelope within a trust file that we have just signed. */
static tcn_err find_bundle(tcn_signed *trust)
{
    tcn_cbor_reader r;
    tcn_cbor_reader_init(&r, tcn_bytes_of(trust->file, trust->len));
    (void)tcn_cbor_get_array(&r, 3);
    (void)tcn_cbor_get_bytes(&r, TCN_MAX_ROSTER_BYTES);
    trust->bundle = tcn_cbor_get_bytes(&r, TCN_MAX_BUNDLE_BYTES);
    return r.err;
}

/* Time does not go back from one version to the next, whatever the clock says. */
static tcn_wall issue_time(const tcn_program *program)
{
    tcn_wall now = tcn_cli_now();
    if (program->roster != NULL && tcn_roster_issued(program->roster).unix_ms > now.unix_ms)
        return tcn_roster_issued(program->roster);
    return now;
}

tcn_err tcn_program_sign(const tcn_program *program, tcn_card *changed, size_t count,
                         tcn_signed *ret_signed, tcn_fault *fault)
{
    tcn_broker_entry broker[TCN_MAX_BROKERS];
    tcn_card *cards = NULL;
    tcn_signed made = {.issued = issue_time(program), .changed = count};
    made.version = program->roster != NULL ? tcn_roster_version(program->roster) + 1 : 1;
    made.expires.unix_ms = made.issued.unix_ms + (int64_t)program->conf.policy.lifetime_ms;
    for (size_t i = 0; i < count; i++) {
        changed[i].version = made.version;
        changed[i].issued = made.issued;
    }
    tcn_roster_draft draft = {.program_name = program->conf.name,
                              .version = made.version,
                              .issued = made.issued,
                              .expires = made.expires,
                              .policy = program->conf.policy,
                              .brokers = program->conf.brokers,
                              .broker = broker};
    tcn_err err = collect(program, changed, count, &cards, &draft.cards);
    if (err != TCN_OK)
        return tcn_fault_set(fault, err, "out of memory");
    draft.card = cards;
    /* When all are signed anew, no key is new. */
    for (size_t i = 0; i < count && count < draft.cards && err == TCN_OK; i++)
        err = check_keys(cards, draft.cards, &changed[i], fault);
    if (err == TCN_OK)
        err = fill_brokers(program, cards, draft.cards, broker, fault);
    if (err == TCN_OK)
        err = tcn_roster_sign(&draft, &program->secret, program->roster, &made.file, &made.len,
                              fault);
    free(cards);
    if (err != TCN_OK)
        return err;
    err = find_bundle(&made);
    if (err != TCN_OK) {
        tcn_signed_fini(&made);
        return tcn_fault_set(fault, err, "the signed trust does not read back");
    }
    *ret_signed = made;
    return TCN_OK;
}

void tcn_signed_fini(tcn_signed *signed_trust)
{
    free(signed_trust->file);
    memset(signed_trust, 0, sizeof(*signed_trust));
}

/* Reads the cards of the file one by one; false at the end. */
typedef struct {
    tcn_cbor_reader r;
    size_t left;
} card_reader;

static void cards_begin(card_reader *cards, const tcn_signed *trust)
{
    tcn_cbor_reader_init(&cards->r, tcn_bytes_of(trust->file, trust->len));
    (void)tcn_cbor_get_array(&cards->r, 3);
    (void)tcn_cbor_get_bytes(&cards->r, TCN_MAX_ROSTER_BYTES);
    (void)tcn_cbor_get_bytes(&cards->r, TCN_MAX_BUNDLE_BYTES);
    cards->left = tcn_cbor_get_array(&cards->r, TCN_MAX_MEMBERS);
}

static bool cards_next(card_reader *cards, tcn_bytes *ret_envelope, tcn_card *ret_card)
{
    tcn_cose cose;
    if (cards->r.err != TCN_OK || cards->left-- == 0)
        return false;
    *ret_envelope = tcn_cbor_get_bytes(&cards->r, TCN_MAX_CARD_BYTES);
    return tcn_cose_decode(*ret_envelope, TCN_OBJECT_CARD, &cose) == TCN_OK &&
           tcn_card_decode(cose.payload, ret_card, NULL) == TCN_OK;
}

tcn_err tcn_signed_card(const tcn_signed *signed_trust, const char *name, tcn_bytes *ret_envelope,
                        tcn_fault *fault)
{
    card_reader cards;
    tcn_bytes envelope;
    tcn_card card = {0};
    cards_begin(&cards, signed_trust);
    while (cards_next(&cards, &envelope, &card)) {
        bool found = strcmp(card.name, name) == 0;
        tcn_card_fini(&card);
        if (found) {
            *ret_envelope = envelope;
            return TCN_OK;
        }
    }
    return tcn_fault_set(fault, TCN_NOT_FOUND, "the signed trust has no card of %s", name);
}

void tcn_signed_each_new(const tcn_signed *signed_trust, tcn_signed_fn *fn, void *arg)
{
    card_reader cards;
    tcn_bytes envelope;
    tcn_card card = {0};
    cards_begin(&cards, signed_trust);
    while (cards_next(&cards, &envelope, &card)) {
        if (card.version == signed_trust->version)
            fn(arg, &card, envelope);
        tcn_card_fini(&card);
    }
}
