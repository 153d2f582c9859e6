/* SPDX-License-Identifier: Apache-2.0 */
/* home.c - finding a home and opening what lies in it, with a remedy for all that can be missing.
 * Everything read here is verified against the home's own authority.pub. */
#include "home.h"

#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "file.h"

static bool is_dir(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

static bool has_file(const char *home, const char *name)
{
    char path[TCN_HOME_PATH_SIZE];
    struct stat st;
    return tcn_path_join(home, name, path, sizeof(path)) == TCN_OK && lstat(path, &st) == 0;
}

static tcn_err default_home(char *ret_home, tcn_fault *fault)
{
    const char *user = getenv("HOME");
    if (user == NULL || user[0] == '\0') {
        struct passwd *entry = getpwuid(getuid());
        user = entry != NULL ? entry->pw_dir : NULL;
    }
    if (user == NULL)
        return tcn_fault_set(fault, TCN_NOT_FOUND,
                             "no home directory is known; name one with --home DIR");
    if (tcn_path_join(user, ".config/tocsin", ret_home, TCN_HOME_PATH_SIZE) != TCN_OK)
        return tcn_fault_set(fault, TCN_TOO_LARGE, "%s: the path is too long", user);
    return TCN_OK;
}

tcn_err tcn_home_path(const char *given, char ret_home[static TCN_HOME_PATH_SIZE], tcn_fault *fault)
{
    if (given == NULL || given[0] == '\0')
        given = getenv("TOCSIN_HOME");
    if (given == NULL || given[0] == '\0')
        return default_home(ret_home, fault);
    size_t len = strlen(given);
    while (len > 1 && given[len - 1] == '/')
        len--;
    if (len >= TCN_HOME_PATH_SIZE)
        return tcn_fault_set(fault, TCN_TOO_LARGE, "the path of the home is too long");
    memcpy(ret_home, given, len);
    ret_home[len] = '\0';
    return TCN_OK;
}

tcn_err tcn_home_resolve(const char *given, char ret_home[static TCN_HOME_PATH_SIZE],
                         tcn_fault *fault)
{
    char home[TCN_HOME_PATH_SIZE];
    tcn_err err = tcn_home_path(given, home, fault);
    if (err != TCN_OK)
        return err;
    if (!is_dir(home))
        return tcn_fault_set(fault, TCN_NOT_FOUND,
                             "%s is not a directory; name the home with --home DIR or TOCSIN_HOME",
                             home);
    memcpy(ret_home, home, sizeof(home));
    return TCN_OK;
}

tcn_home_kind tcn_home_kind_of(const char *home)
{
    if (has_file(home, TCN_HOME_PROGRAM_CONF) || has_file(home, TCN_HOME_AUTHORITY_KEY))
        return TCN_HOME_PROGRAM;
    if (has_file(home, TCN_HOME_BROKER_CONF))
        return TCN_HOME_BROKER;
    return has_file(home, TCN_HOME_MEMBER_KEYS) ? TCN_HOME_MEMBER : TCN_HOME_NONE;
}

const char *tcn_home_kind_text(tcn_home_kind kind)
{
    switch (kind) {
    case TCN_HOME_NONE: return "not a Tocsin home";
    case TCN_HOME_PROGRAM: return "a program's home";
    case TCN_HOME_BROKER: return "a broker's home";
    case TCN_HOME_MEMBER: return "a member's home";
    }
    return "not a Tocsin home";
}

/* Puts the file in front of what its reader found wrong. */
static tcn_err at_file(tcn_fault *fault, const char *home, const char *name, const tcn_fault *inner,
                       tcn_err err)
{
    const char *remedy = strcmp(name, TCN_HOME_TRUST) == 0
                             ? "install the authority's with tocsin roster import FILE"
                             : "install the authority's invite with tocsin join FILE";
    const char *what = inner->text[0] != '\0' ? inner->text : tcn_err_text(err);
    return tcn_fault_set(fault, err, "%s/%s: %s; %s", home, name, what, remedy);
}

/* A file of the home, bounded. missing: what to do if it is not there. */
static tcn_err read_file(const char *home, const char *name, size_t max_bytes, const char *missing,
                         uint8_t **ret_ptr, size_t *ret_len, tcn_fault *fault)
{
    char path[TCN_HOME_PATH_SIZE];
    if (tcn_path_join(home, name, path, sizeof(path)) != TCN_OK)
        return tcn_fault_set(fault, TCN_TOO_LARGE, "%s: the path is too long", home);
    tcn_err err = tcn_file_read(path, max_bytes, ret_ptr, ret_len, fault);
    if (err == TCN_NOT_FOUND)
        return tcn_fault_set(fault, err, "%s is not there; %s", path, missing);
    return err;
}

/* Who can write it can make us trust another authority, and so anything. Group-writable directories
 * are what umask 002 makes, with a group of one: they pass. */
static tcn_err check_guarded(const char *path, unsigned not_allowed, tcn_fault *fault)
{
    struct stat st;
    if (stat(path, &st) != 0 || (st.st_mode & not_allowed) == 0)
        return TCN_OK; /* what is not there is told by who reads it */
    return tcn_fault_set(fault, TCN_PERMISSIONS,
                         "%s can be written by others (mode %04o), who could make us trust another "
                         "authority: run chmod go-w %s",
                         path, (unsigned)(st.st_mode & 07777), path);
}

static tcn_err read_keys(const char *home, tcn_member_keys *ret_keys, tcn_sign_public *ret_public,
                         tcn_fault *fault)
{
    char path[TCN_HOME_PATH_SIZE];
    if (tcn_path_join(home, TCN_HOME_MEMBER_KEYS, path, sizeof(path)) != TCN_OK)
        return tcn_fault_set(fault, TCN_TOO_LARGE, "%s: the path is too long", home);
    tcn_err err = tcn_member_keys_read(path, ret_keys, fault);
    if (err == TCN_NOT_FOUND)
        return tcn_fault_set(fault, err,
                             "%s is not there; make keys with tocsin keygen --name NAME", path);
    if (err != TCN_OK)
        return err;
    if (tcn_path_join(home, TCN_HOME_AUTHORITY_PUB, path, sizeof(path)) != TCN_OK)
        return tcn_fault_set(fault, TCN_TOO_LARGE, "%s: the path is too long", home);
    err = check_guarded(home, S_IWOTH, fault);
    if (err == TCN_OK)
        err = check_guarded(path, S_IWGRP | S_IWOTH, fault);
    if (err == TCN_OK)
        err = tcn_authority_public_read(path, ret_public, fault);
    if (err == TCN_NOT_FOUND)
        tcn_fault_set(fault, err,
                      "%s is not there; hand the request to the authority, then tocsin join with "
                      "the invite that comes back",
                      path);
    if (err != TCN_OK)
        tcn_member_keys_fini(ret_keys);
    return err;
}

/* Has the card these keys? Any validity: that is judged where it matters. */
static bool card_has_key(const tcn_card *card, tcn_key_use use, const uint8_t *public_bytes)
{
    for (unsigned i = 0; i < card->keys; i++)
        if (card->key[i].use == use && memcmp(card->key[i].public_bytes, public_bytes, 32) == 0)
            return true;
    return false;
}

static tcn_err check_card(const tcn_card *card, const tcn_member_keys *keys, const char *path,
                          tcn_fault *fault)
{
    tcn_publics publics;
    if (strcmp(card->name, keys->name) != 0)
        return tcn_fault_set(fault, TCN_CONFLICT, "%s is the card of %s, but the keys are of %s",
                             path, card->name, keys->name);
    tcn_secrets_publics(&keys->secrets, &publics);
    if (!card_has_key(card, TCN_KEY_SIGN, publics.sign.b) ||
        !card_has_key(card, TCN_KEY_TRANSPORT, publics.transport.b))
        return tcn_fault_set(fault, TCN_CONFLICT,
                             "%s does not name the keys in %s; ask the authority for a card for "
                             "these keys",
                             path, TCN_HOME_MEMBER_KEYS);
    return TCN_OK;
}

static tcn_err open_bundle(tcn_member_home *home, tcn_fault *fault)
{
    tcn_fault inner = {0};
    tcn_err err = read_file(home->path, TCN_HOME_BUNDLE, TCN_MAX_BUNDLE_BYTES,
                            "tocsin join installs it from the authority's invite",
                            &home->bundle_envelope, &home->bundle_len, fault);
    if (err != TCN_OK)
        return err;
    err = tcn_bundle_open(tcn_bytes_of(home->bundle_envelope, home->bundle_len), &home->authority,
                          &home->bundle, &inner);
    return err == TCN_OK ? TCN_OK : at_file(fault, home->path, TCN_HOME_BUNDLE, &inner, err);
}

static tcn_err open_card(tcn_member_home *home, tcn_fault *fault)
{
    tcn_fault inner = {0};
    tcn_err err = read_file(home->path, TCN_HOME_CARD, TCN_MAX_CARD_BYTES,
                            "tocsin join installs it from the authority's invite",
                            &home->card_envelope, &home->card_len, fault);
    if (err != TCN_OK)
        return err;
    err = tcn_card_open(tcn_bytes_of(home->card_envelope, home->card_len), &home->authority,
                        &home->card, &inner);
    if (err != TCN_OK)
        return at_file(fault, home->path, TCN_HOME_CARD, &inner, err);
    return check_card(&home->card, &home->keys, TCN_HOME_CARD, fault);
}

static tcn_err set_path(char ret_path[static TCN_HOME_PATH_SIZE], const char *home,
                        tcn_fault *fault)
{
    size_t len = strlen(home);
    if (len >= TCN_HOME_PATH_SIZE)
        return tcn_fault_set(fault, TCN_TOO_LARGE, "the path of the home is too long");
    memcpy(ret_path, home, len + 1);
    return TCN_OK;
}

tcn_err tcn_member_home_open(const char *home, tcn_member_home *ret_home, tcn_fault *fault)
{
    tcn_member_home opened = {0};
    tcn_err err = set_path(opened.path, home, fault);
    if (err == TCN_OK)
        err = read_keys(home, &opened.keys, &opened.authority, fault);
    if (err == TCN_OK) {
        opened.program = tcn_kid(&opened.authority);
        err = open_bundle(&opened, fault);
    }
    if (err == TCN_OK)
        err = open_card(&opened, fault);
    if (err != TCN_OK) {
        tcn_member_home_fini(&opened);
        return err;
    }
    *ret_home = opened;
    tcn_secrets_fini(&opened.keys.secrets);
    return TCN_OK;
}

void tcn_member_home_fini(tcn_member_home *home)
{
    tcn_member_keys_fini(&home->keys);
    tcn_bundle_fini(&home->bundle);
    tcn_card_fini(&home->card);
    free(home->bundle_envelope);
    free(home->card_envelope);
    memset(home, 0, sizeof(*home));
}

/* The version of the envelope that lies on disk; 0 if there is none that verifies. The file is
 * asked and not the home as it was opened: another process may have stored a newer one since. */
static uint64_t version_on_disk(const tcn_member_home *home, const char *name)
{
    bool is_card = strcmp(name, TCN_HOME_CARD) == 0;
    uint8_t *bytes = NULL;
    size_t len = 0;
    uint64_t version = 0;
    tcn_fault ignored;
    if (read_file(home->path, name, is_card ? TCN_MAX_CARD_BYTES : TCN_MAX_BUNDLE_BYTES, "", &bytes,
                  &len, &ignored) != TCN_OK)
        return 0;
    if (is_card) {
        tcn_card card = {0};
        if (tcn_card_open(tcn_bytes_of(bytes, len), &home->authority, &card, NULL) == TCN_OK) {
            version = card.version;
            tcn_card_fini(&card);
        }
    } else {
        tcn_bundle bundle = {0};
        if (tcn_bundle_open(tcn_bytes_of(bytes, len), &home->authority, &bundle, NULL) == TCN_OK) {
            version = bundle.version;
            tcn_bundle_fini(&bundle);
        }
    }
    free(bytes);
    return version;
}

static tcn_err save(const tcn_member_home *home, const char *name, uint64_t version,
                    tcn_bytes envelope, tcn_fault *fault)
{
    char path[TCN_HOME_PATH_SIZE];
    if (version <= version_on_disk(home, name))
        return TCN_OK;
    if (tcn_path_join(home->path, name, path, sizeof(path)) != TCN_OK)
        return tcn_fault_set(fault, TCN_TOO_LARGE, "%s: the path is too long", home->path);
    /* A card holds the secret audience id. */
    unsigned mode = strcmp(name, TCN_HOME_CARD) == 0 ? 0600 : 0644;
    return tcn_file_write(path, envelope, mode, fault);
}

tcn_err tcn_member_home_save_bundle(const tcn_member_home *home, tcn_bytes envelope,
                                    tcn_fault *fault)
{
    tcn_bundle bundle = {0};
    tcn_err err = tcn_bundle_open(envelope, &home->authority, &bundle, fault);
    if (err != TCN_OK)
        return err;
    uint64_t version = bundle.version;
    tcn_bundle_fini(&bundle);
    return save(home, TCN_HOME_BUNDLE, version, envelope, fault);
}

tcn_err tcn_member_home_save_card(const tcn_member_home *home, tcn_bytes envelope, tcn_fault *fault)
{
    tcn_card card = {0};
    tcn_err err = tcn_card_open(envelope, &home->authority, &card, fault);
    if (err != TCN_OK)
        return err;
    uint64_t version = card.version;
    err = check_card(&card, &home->keys, "the new card", fault);
    tcn_card_fini(&card);
    return err != TCN_OK ? err : save(home, TCN_HOME_CARD, version, envelope, fault);
}

/* ---- a broker's ---- */

tcn_err tcn_broker_home_reload(const tcn_broker_home *home, tcn_roster **ret_roster,
                               tcn_fault *fault)
{
    uint8_t *file = NULL;
    size_t len = 0;
    tcn_fault inner = {0};
    tcn_err err = read_file(home->path, TCN_HOME_TRUST, TCN_MAX_ROSTER_BYTES,
                            "the authority writes it: tocsin roster export, then roster import",
                            &file, &len, fault);
    if (err != TCN_OK)
        return err;
    err = tcn_roster_open(tcn_bytes_of(file, len), &home->authority, ret_roster, &inner);
    free(file);
    return err == TCN_OK ? TCN_OK : at_file(fault, home->path, TCN_HOME_TRUST, &inner, err);
}

/* Is this broker the one that the roster and the bundle speak of? */
static tcn_err check_broker(const tcn_broker_home *home, tcn_fault *fault)
{
    size_t index = tcn_roster_find(home->roster, home->keys.name);
    if (index == SIZE_MAX)
        return tcn_fault_set(fault, TCN_CONFLICT, "%s: the roster has no member %s", TCN_HOME_TRUST,
                             home->keys.name);
    const tcn_card *card = tcn_roster_member(home->roster, index);
    if ((card->roles & TCN_ROLE_BROKER) == 0)
        return tcn_fault_set(fault, TCN_WRONG_ROLE, "%s: %s is a member, but no broker",
                             TCN_HOME_TRUST, home->keys.name);
    return check_card(card, &home->keys, TCN_HOME_TRUST, fault);
}

tcn_err tcn_broker_home_open(const char *home, tcn_broker_home *ret_home, tcn_fault *fault)
{
    tcn_broker_home opened = {0};
    tcn_err err = set_path(opened.path, home, fault);
    if (err == TCN_OK)
        err = read_keys(home, &opened.keys, &opened.authority, fault);
    if (err == TCN_OK) {
        opened.program = tcn_kid(&opened.authority);
        err = tcn_broker_home_reload(&opened, &opened.roster, fault);
    }
    if (err == TCN_OK)
        err = check_broker(&opened, fault);
    if (err != TCN_OK) {
        tcn_broker_home_fini(&opened);
        return err;
    }
    *ret_home = opened;
    tcn_secrets_fini(&opened.keys.secrets);
    return TCN_OK;
}

void tcn_broker_home_fini(tcn_broker_home *home)
{
    tcn_member_keys_fini(&home->keys);
    tcn_roster_unref(&home->roster);
    memset(home, 0, sizeof(*home));
}
