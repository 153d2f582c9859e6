/* SPDX-License-Identifier: Apache-2.0 */
/* spread.c - writes a new version of the trust: to the program's home, to its broker's, and to the
 * members' homes and invites at hand. Thousands of homes must not take minutes: their bundles are
 * links to one file. */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "libtocsin/file.h"
#include "place.h"
#include "program_home.h"

static bool exists(const char *path)
{
    struct stat st;
    return lstat(path, &st) == 0;
}

static tcn_err member_path(const tcn_program *program, const char *name,
                           char ret_path[static TCN_HOME_PATH_SIZE])
{
    char members[TCN_HOME_PATH_SIZE];
    tcn_err err = tcn_path_join(program->path, TCN_PROGRAM_MEMBERS, members, sizeof(members));
    return err != TCN_OK ? err : tcn_path_join(members, name, ret_path, TCN_HOME_PATH_SIZE);
}

/* Gives a member's home the bundle, by a link to the program's copy where that can be. */
static tcn_err give_bundle(const char *shared, const char *home, tcn_bytes bundle, tcn_fault *fault)
{
    tcn_err err = tcn_place_link(shared, home, TCN_HOME_BUNDLE);
    return err != TCN_BUSY ? err : tcn_place(home, TCN_HOME_BUNDLE, bundle, 0644, false, fault);
}

/* Every directory in members/ that holds a card is a home. */
static void spread_bundle(const tcn_cli *cli, const char *members, const char *shared,
                          tcn_bytes bundle)
{
    DIR *dir = opendir(members);
    if (dir == NULL) {
        if (errno != ENOENT)
            tcn_cli_warn(cli, "%s: %s", members, strerror(errno));
        return;
    }
    for (struct dirent *entry; (entry = readdir(dir)) != NULL;) {
        char home[TCN_HOME_PATH_SIZE], card[TCN_HOME_PATH_SIZE];
        tcn_fault fault = {0};
        if (entry->d_name[0] == '.' ||
            tcn_path_join(members, entry->d_name, home, sizeof(home)) != TCN_OK ||
            tcn_path_join(home, TCN_HOME_CARD, card, sizeof(card)) != TCN_OK || !exists(card))
            continue;
        tcn_err err = give_bundle(shared, home, bundle, &fault);
        if (err != TCN_OK)
            tcn_cli_warn(cli, "%s keeps its older bundle: %s", home,
                         fault.text[0] != '\0' ? fault.text : tcn_err_text(err));
    }
    (void)closedir(dir);
}

typedef struct {
    const tcn_cli *cli;
    const tcn_program *program;
    const tcn_signed *trust;
} spreading;

/* So many cards that one sync of the file system is cheaper than one for each file. */
static bool many(const tcn_signed *trust)
{
    return trust->changed > 16;
}

/* A new card into its member's home and invite, where there are such. */
static void spread_card(void *arg, const tcn_card *card, tcn_bytes envelope)
{
    const spreading *s = arg;
    char home[TCN_HOME_PATH_SIZE], path[TCN_HOME_PATH_SIZE + 16];
    tcn_fault fault = {0};
    tcn_err err = TCN_OK;
    if (member_path(s->program, card->name, home) != TCN_OK)
        return;
    (void)snprintf(path, sizeof(path), "%s/%s", home, TCN_HOME_CARD);
    if (exists(path))
        err = tcn_place(home, TCN_HOME_CARD, envelope, 0600, !many(s->trust), &fault);
    (void)snprintf(path, sizeof(path), "%s.invite", home);
    if (err == TCN_OK && exists(path))
        err = tcn_invite_write(s->program, s->trust, card->name, envelope, &fault);
    if (err != TCN_OK)
        tcn_cli_warn(s->cli, "%s keeps its older card: %s", home, fault.text);
}

/* The broker watches for the rename. */
static void spread_to_broker(const tcn_cli *cli, const tcn_program *program, tcn_bytes file)
{
    char home[TCN_HOME_PATH_SIZE], conf[TCN_HOME_PATH_SIZE];
    tcn_fault fault = {0};
    if (tcn_path_join(program->path, TCN_PROGRAM_BROKER, home, sizeof(home)) != TCN_OK ||
        tcn_path_join(home, TCN_HOME_BROKER_CONF, conf, sizeof(conf)) != TCN_OK || !exists(conf))
        return; /* it was moved to another machine: roster export and import carry the trust */
    tcn_err err = tcn_place(home, TCN_HOME_TRUST, file, 0600, true, &fault);
    if (err != TCN_OK)
        tcn_cli_warn(cli, "the broker at %s keeps its older trust: %s", home, fault.text);
}

tcn_err tcn_program_publish(const tcn_cli *cli, const tcn_program *program,
                            const tcn_signed *signed_trust, tcn_fault *fault)
{
    char path[TCN_HOME_PATH_SIZE], shared[TCN_HOME_PATH_SIZE], members[TCN_HOME_PATH_SIZE];
    tcn_bytes file = tcn_bytes_of(signed_trust->file, signed_trust->len);
    if (tcn_path_join(program->path, TCN_HOME_TRUST, path, sizeof(path)) != TCN_OK ||
        tcn_path_join(program->path, TCN_HOME_BUNDLE, shared, sizeof(shared)) != TCN_OK ||
        tcn_path_join(program->path, TCN_PROGRAM_MEMBERS, members, sizeof(members)) != TCN_OK)
        return tcn_fault_set(fault, TCN_TOO_LARGE, "%s: the path is too long", program->path);
    /* Once trust is written it counts, and nothing after it may fail the change. */
    tcn_err err = tcn_file_write(shared, signed_trust->bundle, 0644, fault);
    if (err == TCN_OK)
        err = tcn_file_write(path, file, 0600, fault);
    if (err != TCN_OK)
        return err;
    spread_to_broker(cli, program, file);
    tcn_signed_each_new(signed_trust, spread_card, &(spreading){cli, program, signed_trust});
    spread_bundle(cli, members, shared, signed_trust->bundle);
    tcn_fault unsynced = {0};
    if (many(signed_trust) && tcn_place_sync(program->path, &unsynced) != TCN_OK)
        tcn_cli_warn(cli, "members' cards may be lost in a power failure: %s", unsynced.text);
    return TCN_OK;
}

tcn_err tcn_invite_write(const tcn_program *program, const tcn_signed *signed_trust,
                         const char *name, tcn_bytes card, tcn_fault *fault)
{
    char members[TCN_HOME_PATH_SIZE], file[TCN_MAX_NAME_CHARS + 16];
    tcn_buf invite;
    if (tcn_path_join(program->path, TCN_PROGRAM_MEMBERS, members, sizeof(members)) != TCN_OK)
        return tcn_fault_set(fault, TCN_TOO_LARGE, "%s: the path is too long", program->path);
    (void)snprintf(file, sizeof(file), "%s.invite", name);
    size_t size = 64 + sizeof(program->authority.b) + signed_trust->bundle.len + card.len;
    tcn_buf_init(&invite, size);
    tcn_err err = tcn_buf_reserve(&invite, size);
    if (err != TCN_OK)
        return tcn_fault_set(fault, err, "out of memory");
    tcn_cbor_writer w;
    tcn_bytes written;
    tcn_cbor_writer_init(&w, invite.ptr, size);
    tcn_cbor_put_array(&w, 3);
    tcn_cbor_put_bytes(&w, tcn_bytes_of(program->authority.b, sizeof(program->authority.b)));
    tcn_cbor_put_bytes(&w, signed_trust->bundle);
    tcn_cbor_put_bytes(&w, card);
    err = tcn_cbor_writer_done(&w, &written);
    if (err == TCN_OK)
        err = tcn_place(members, file, written, 0600, !many(signed_trust), fault);
    tcn_buf_fini(&invite);
    return err;
}
