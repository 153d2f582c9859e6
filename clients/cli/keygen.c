/* SPDX-License-Identifier: Apache-2.0 */
/* keygen.c - tocsin keygen: a new member's keys, and the request that it hands to the authority. */
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fingerprint.h"
#include "libtocsin/file.h"
#include "membership.h"
#include "out.h"

typedef struct {
    const char *name;
    char home[TCN_HOME_PATH_SIZE];
    char keys[TCN_HOME_PATH_SIZE + 80], request[TCN_HOME_PATH_SIZE + 80];
} paths;

static int tell(const tcn_cli *cli, const paths *where, const tcn_publics *publics)
{
    char print[TCN_FINGERPRINT_SIZE];
    tcn_id kid = tcn_kid(&publics->sign);
    tcn_fingerprint(&kid, print);
    tcn_out_say(cli, "Keys of %s are made.", where->name);
    tcn_field(cli, "secret keys", TCN_PLAIN, "%s (they never leave this home)", where->keys);
    tcn_field(cli, "request", TCN_PLAIN, "%s", where->request);
    tcn_field(cli, "signing key", TCN_BOLD, "%s", print);
    tcn_out_say(
        cli,
        "\nNext\n"
        "  1. Send the request to the authority, and read the signing key to it on another\n"
        "     channel; ask for the authority's fingerprint.\n"
        "  2. With the invite that comes back: tocsin -H %s join %s.invite",
        where->home, where->name);
    return tcn_done(cli, json_pack("{s:s, s:s, s:s, s:s}", "name", where->name, "keys", where->keys,
                                   "request", where->request, "fingerprint", print));
}

/* Makes both files, or leaves neither. */
static tcn_err make(const paths *where, tcn_publics *ret_publics, tcn_fault *fault)
{
    struct stat st;
    tcn_member_keys keys = {0};
    tcn_err err = tcn_dir_make(where->home, 0700, fault);
    if (err != TCN_OK)
        return err;
    if (lstat(where->keys, &st) == 0)
        return tcn_fault_set(fault, TCN_CONFLICT,
                             "%s is there already and stays as it is; another member needs another "
                             "home",
                             where->keys);
    memcpy(keys.name, where->name, strlen(where->name) + 1);
    tcn_secrets_generate(&keys.secrets);
    err = tcn_member_keys_write(where->keys, &keys, fault);
    if (err == TCN_OK) {
        err = tcn_request_write(where->request, &keys, fault);
        if (err != TCN_OK)
            (void)unlink(where->keys);
    }
    tcn_secrets_publics(&keys.secrets, ret_publics);
    tcn_member_keys_fini(&keys);
    return err;
}

static int run_keygen(tcn_cli *cli, const tcn_args *args)
{
    paths where = {.name = tcn_args_get(args, "name")};
    tcn_publics publics;
    tcn_fault fault = {0};
    int code = tcn_membership_check_name(cli, where.name);
    if (code != TCN_EXIT_DONE)
        return code;
    tcn_err err = tcn_home_path(cli->home_given, where.home, &fault);
    if (err == TCN_OK) {
        (void)snprintf(where.keys, sizeof(where.keys), "%s/%s", where.home, TCN_HOME_MEMBER_KEYS);
        (void)snprintf(where.request, sizeof(where.request), "%s/%s.request", where.home,
                       where.name);
        err = make(&where, &publics, &fault);
    }
    return err == TCN_OK ? tell(cli, &where, &publics) : tcn_cli_fail(cli, &fault);
}

static const tcn_option options[] = {{.name = "name",
                                      .arg = "NAME",
                                      .help = "the member's name: a-z, 0-9 and inner hyphens",
                                      .flags = TCN_OPTION_REQUIRED},
                                     {0}};

const tcn_command tcn_command_keygen = {
    .name = "keygen",
    .group = TCN_GROUP_NEWCOMER,
    .summary = "make your own keys, and a request to join a program",
    .usage = "--name NAME",
    .help =
        "Makes a signing, a transport and a sealing key. The secret halves go to member.keys in\n"
        "the home, which is made if it is not there; the public ones to NAME.request beside\n"
        "it, with a proof that you hold the secrets. A key that exists is never overwritten.",
    .example = "  tocsin -H /etc/tocsin/cert-north keygen --name cert-north",
    .next = "  Hand NAME.request to the authority; install what comes back: tocsin help join",
    .options = options,
    .run = run_keygen,
};
