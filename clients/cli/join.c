/* SPDX-License-Identifier: Apache-2.0 */
/* join.c - tocsin join: installs the authority's invite in the home where the keys were made. Who
 * the authority is, is decided here once and pinned: hence the fingerprint. */
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include "fingerprint.h"
#include "invite.h"
#include "libtocsin/file.h"
#include "member_home.h"
#include "out.h"

/* The pinned authority; found: whether there is one. */
static tcn_err pinned(const char *home, tcn_sign_public *ret_key, bool *ret_found, tcn_fault *fault)
{
    char path[TCN_HOME_PATH_SIZE];
    if (tcn_path_join(home, TCN_HOME_AUTHORITY_PUB, path, sizeof(path)) != TCN_OK)
        return tcn_fault_set(fault, TCN_TOO_LARGE, "%s: the path is too long", home);
    tcn_err err = tcn_authority_public_read(path, ret_key, fault);
    *ret_found = err == TCN_OK;
    return err == TCN_NOT_FOUND ? TCN_OK : err;
}

/* The answer of a person at a terminal. */
static bool person_agrees(const char *print)
{
    char answer[16] = "";
    (void)fprintf(stderr,
                  "The authority's fingerprint in this invite is\n\n    %s\n\n"
                  "Is that what the authority told you on another channel? [y/N] ",
                  print);
    (void)fflush(stderr);
    return fgets(answer, sizeof(answer), stdin) != NULL && (answer[0] == 'y' || answer[0] == 'Y');
}

/* Does whoever joins trust this authority? Asked once for a home. */
static int confirm(const tcn_cli *cli, const tcn_args *args, const char *home,
                   const tcn_invite *invite)
{
    tcn_sign_public held;
    bool found = false;
    char print[TCN_FINGERPRINT_SIZE];
    tcn_fault fault = {0};
    tcn_id kid = tcn_kid(&invite->authority);
    const char *given = tcn_args_get(args, "fingerprint");
    if (pinned(home, &held, &found, &fault) != TCN_OK)
        return tcn_cli_fail(cli, &fault);
    tcn_fingerprint(&kid, print);
    if (given != NULL && !tcn_fingerprint_is(&kid, given))
        return tcn_cli_refuse(cli, TCN_UNKNOWN_KEY,
                              "the invite is of authority %s, not of the one you named; nothing is "
                              "installed",
                              print);
    if (found && memcmp(held.b, invite->authority.b, sizeof(held.b)) != 0)
        return tcn_cli_refuse(cli, TCN_WRONG_PROGRAM,
                              "this home belongs to another authority; a member of two programs "
                              "has two homes");
    if (found || given != NULL)
        return TCN_EXIT_DONE;
    if (!isatty(STDIN_FILENO) || cli->json)
        return tcn_cli_usage(cli,
                             "give the authority's fingerprint, as it told you on another channel: "
                             "--fingerprint \"%s\", if that is it",
                             print);
    return person_agrees(print)
               ? TCN_EXIT_DONE
               : tcn_cli_refuse(cli, TCN_DENIED, "not confirmed; nothing is installed");
}

/* The home as it was made by keygen, with what is needed to store through it. */
static tcn_err open_half(const char *home, const tcn_invite *invite, tcn_member_home *ret_home,
                         tcn_fault *fault)
{
    char path[TCN_HOME_PATH_SIZE];
    tcn_member_home half = {.authority = invite->authority};
    if (strlen(home) >= sizeof(half.path) ||
        tcn_path_join(home, TCN_HOME_MEMBER_KEYS, path, sizeof(path)) != TCN_OK)
        return tcn_fault_set(fault, TCN_TOO_LARGE, "%s: the path is too long", home);
    memcpy(half.path, home, strlen(home) + 1);
    tcn_err err = tcn_member_keys_read(path, &half.keys, fault);
    if (err == TCN_NOT_FOUND)
        return tcn_fault_set(fault, err,
                             "%s is not there; the home must be the one where tocsin keygen made "
                             "the keys: --home DIR",
                             path);
    if (err == TCN_OK)
        *ret_home = half;
    return err;
}

/* Everything was verified before; authority.pub last, for it makes the home one of this program. */
static tcn_err install(const tcn_member_home *home, const tcn_invite *invite, tcn_fault *fault)
{
    char path[TCN_HOME_PATH_SIZE];
    tcn_err err = tcn_member_home_save_card(home, invite->card_envelope, fault);
    if (err == TCN_OK)
        err = tcn_member_home_save_bundle(home, invite->bundle_envelope, fault);
    if (err == TCN_OK)
        err = tcn_agent_conf_write(home->path, fault);
    if (err != TCN_OK)
        return err;
    if (tcn_path_join(home->path, TCN_HOME_AUTHORITY_PUB, path, sizeof(path)) != TCN_OK)
        return tcn_fault_set(fault, TCN_TOO_LARGE, "%s: the path is too long", home->path);
    return tcn_authority_public_write(path, &invite->authority, fault);
}

static int tell(const tcn_cli *cli, const char *home, const tcn_invite *invite)
{
    char roles[64], print[TCN_FINGERPRINT_SIZE];
    const tcn_card *card = &invite->card;
    tcn_id kid = tcn_kid(&invite->authority);
    tcn_fingerprint(&kid, print);
    tcn_roles_text(card->roles, roles, sizeof(roles));
    tcn_out_say(cli, "%s is a member of %s: %s, cleared for %s.", card->name,
                invite->bundle.program_name, roles, tcn_tlp_label(card->clearance));
    tcn_field(cli, "authority", TCN_PLAIN, "%s", print);
    tcn_field(cli, "trust", TCN_PLAIN, "version %" PRIu64, invite->bundle.version);
    for (unsigned i = 0; i < invite->bundle.brokers; i++)
        tcn_field(cli, "broker", TCN_PLAIN, "%s at %s", invite->bundle.broker[i].name,
                  invite->bundle.broker[i].session[0]);
    if ((card->roles & TCN_ROLE_NODE) != 0)
        tcn_out_say(cli,
                    "\nNext\n  Start the agent, or restart it if it runs: tocsin-agent --home %s",
                    home);
    else
        tcn_out_say(cli, "\nNext\n  tocsin -H %s status", home);
    return tcn_done(cli, json_pack("{s:s, s:s, s:o, s:s, s:I, s:s}", "name", card->name, "program",
                                   invite->bundle.program_name, "program_id",
                                   tcn_json_id(&card->program), "authority", print, "version",
                                   (json_int_t)invite->bundle.version, "home", home));
}

static int join(const tcn_cli *cli, const tcn_args *args, const char *home,
                const tcn_invite *invite)
{
    tcn_member_home half;
    tcn_fault fault = {0};
    if (open_half(home, invite, &half, &fault) != TCN_OK)
        return tcn_cli_fail(cli, &fault);
    int code = TCN_EXIT_DONE;
    if (strcmp(half.keys.name, invite->card.name) != 0)
        code =
            tcn_cli_refuse(cli, TCN_CONFLICT, "the invite is for %s, and the keys in %s are of %s",
                           invite->card.name, home, half.keys.name);
    if (code == TCN_EXIT_DONE)
        code = confirm(cli, args, home, invite);
    if (code == TCN_EXIT_DONE && install(&half, invite, &fault) != TCN_OK)
        code = tcn_cli_fail(cli, &fault);
    tcn_member_home_fini(&half);
    return code == TCN_EXIT_DONE ? tell(cli, home, invite) : code;
}

static int run_join(tcn_cli *cli, const tcn_args *args)
{
    char home[TCN_HOME_PATH_SIZE];
    tcn_invite invite;
    tcn_fault fault = {0};
    if (tcn_cli_home(cli, home, &fault) != TCN_OK ||
        tcn_invite_read(args->operand[0], &invite, &fault) != TCN_OK)
        return tcn_cli_fail(cli, &fault);
    int code = join(cli, args, home, &invite);
    tcn_invite_fini(&invite);
    return code;
}

static const tcn_option options[] = {
    {.name = "fingerprint",
     .arg = "HEX",
     .help = "the authority's fingerprint, as it told you; without it you are asked"},
    {0}};

const tcn_command tcn_command_join = {
    .name = "join",
    .group = TCN_GROUP_NEWCOMER,
    .summary = "install the authority's invite beside your keys",
    .usage = "INVITE-FILE [--fingerprint HEX]",
    .help =
        "Takes the invite that the authority made of your request, checks that it is signed by\n"
        "the authority whose fingerprint you know and made for the keys in this home, and\n"
        "installs it: authority.pub, bundle, card. From then on the home believes this\n"
        "authority and no other. A newer invite of the same authority may be joined again.",
    .example = "  tocsin -H /etc/tocsin/cert-north join cert-north.invite \\\n"
               "      --fingerprint '9af5 90c2 800d df73 a27c f7de 2d0c 8ead'",
    .next = "  A node: tocsin-agent --home DIR. Others: tocsin status",
    .options = options,
    .min_operands = 1,
    .max_operands = 1,
    .operand_words = "FILE",
    .run = run_join,
};
