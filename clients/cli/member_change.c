/* SPDX-License-Identifier: Apache-2.0 */
/* member_change.c - tocsin member add, set and revoke: one card changed, and all signed anew. */
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>

#include "fingerprint.h"
#include "member_home.h"
#include "membership.h"
#include "out.h"

static tcn_err members_path(const tcn_program *program, const char *name, const char *suffix,
                            char ret_path[static TCN_HOME_PATH_SIZE], tcn_fault *fault)
{
    int len = snprintf(ret_path, TCN_HOME_PATH_SIZE, "%s/%s/%s%s", program->path,
                       TCN_PROGRAM_MEMBERS, name, suffix);
    if (len > 0 && len < TCN_HOME_PATH_SIZE)
        return TCN_OK;
    return tcn_fault_set(fault, TCN_TOO_LARGE, "%s: the path is too long", program->path);
}

static const char *plural(size_t count)
{
    return count == 1 ? "" : "s";
}

/* What every change says at its end. object: what the JSON has beside the version; consumed. */
static int tell_version(const tcn_cli *cli, const tcn_program *program, const tcn_signed *trust,
                        json_t *object)
{
    char path[TCN_HOME_PATH_SIZE + 32];
    struct stat st;
    (void)snprintf(path, sizeof(path), "%s/%s/%s", program->path, TCN_PROGRAM_BROKER,
                   TCN_HOME_BROKER_CONF);
    tcn_field(cli, "trust", TCN_PLAIN, "version %" PRIu64 ", signed", trust->version);
    if (stat(path, &st) == 0)
        tcn_field(cli, "broker", TCN_PLAIN, "has it; a running one takes it within a second");
    else
        tcn_field(cli, "broker", TCN_PLAIN,
                  "is elsewhere: tocsin roster export FILE, and there tocsin roster import FILE");
    if (object != NULL && json_object_set_new(object, "trust_version",
                                              json_integer((json_int_t)trust->version)) != 0) {
        json_decref(object);
        object = NULL;
    }
    return tcn_done(cli, object);
}

/* ---- add ---- */

typedef struct {
    const char *name, *request; /* request: NULL to generate keys */
    char home[TCN_HOME_PATH_SIZE];
    char invite[TCN_HOME_PATH_SIZE];
} addition;

/* The new member's public keys: from its request, or just made in its home. */
static tcn_err get_publics(const tcn_program *program, const addition *what,
                           tcn_publics *ret_publics, tcn_fault *fault)
{
    tcn_member_keys keys;
    tcn_request request;
    tcn_err err;
    if (what->request == NULL) {
        err = tcn_member_home_make(what->home, what->name, &program->authority, &keys, fault);
        if (err == TCN_OK) {
            tcn_secrets_publics(&keys.secrets, ret_publics);
            tcn_member_keys_fini(&keys);
        }
        return err;
    }
    err = tcn_request_read(what->request, &request, fault);
    if (err != TCN_OK)
        return err;
    if (strcmp(request.name, what->name) != 0)
        return tcn_fault_set(fault, TCN_CONFLICT,
                             "%s is the request of %s, not of %s: names are part of what it proves",
                             what->request, request.name, what->name);
    *ret_publics = request.publics;
    return TCN_OK;
}

/* Signs, hands the new member what it needs, and only then makes it a member: a crash in between
 * leaves at worst a home of nobody. */
static tcn_err add_card(const tcn_cli *cli, const tcn_program *program, const addition *what,
                        tcn_card *card, tcn_signed *ret_signed, tcn_fault *fault)
{
    tcn_signed trust = {0};
    tcn_bytes envelope;
    tcn_err err = tcn_program_sign(program, card, 1, &trust, fault);
    if (err != TCN_OK)
        return err;
    err = tcn_signed_card(&trust, what->name, &envelope, fault);
    if (err == TCN_OK && what->request == NULL)
        err = tcn_member_home_complete(what->home, trust.bundle, envelope, fault);
    else if (err == TCN_OK)
        err = tcn_invite_write(program, &trust, what->name, envelope, fault);
    if (err == TCN_OK)
        err = tcn_program_publish(cli, program, &trust, fault);
    if (err != TCN_OK)
        tcn_signed_fini(&trust);
    else
        *ret_signed = trust;
    return err;
}

static int tell_added(const tcn_cli *cli, const tcn_program *program, const addition *what,
                      const tcn_card *card, const tcn_signed *trust)
{
    char roles[64], print[TCN_FINGERPRINT_SIZE];
    tcn_sign_public sign_key;
    memcpy(sign_key.b, tcn_card_key_at(card, TCN_KEY_SIGN, tcn_cli_now())->public_bytes,
           sizeof(sign_key.b));
    tcn_id kid = tcn_kid(&sign_key);
    tcn_fingerprint(&kid, print);
    tcn_roles_text(card->roles, roles, sizeof(roles));
    tcn_out_say(cli, "%s is a member: %s, cleared for %s.", what->name, roles,
                tcn_tlp_label(card->clearance));
    if (what->request == NULL)
        tcn_field(cli, "home", TCN_PLAIN, "%s (with its secret keys: move it over a safe channel)",
                  what->home);
    else
        tcn_field(cli, "invite", TCN_PLAIN, "%s (hand it over; there: tocsin join FILE)",
                  what->invite);
    tcn_field(cli, "signing key", TCN_PLAIN, "%s%s", print,
              what->request != NULL ? " (the member must name the same)" : "");
    json_t *object = tcn_card_json(card);
    const char *key = what->request == NULL ? "home" : "invite";
    json_t *path = json_string(what->request == NULL ? what->home : what->invite);
    if (object != NULL && json_object_set_new(object, key, path) != 0) {
        json_decref(object);
        object = NULL;
    }
    return tell_version(cli, program, trust, object);
}

static tcn_err check_new(const tcn_program *program, const addition *what, tcn_fault *fault)
{
    struct stat st;
    size_t index = tcn_roster_find(program->roster, what->name);
    size_t members = tcn_roster_members(program->roster);
    if (index != SIZE_MAX) {
        const tcn_card *card = tcn_roster_member(program->roster, index);
        if (card->state == TCN_MEMBER_ACTIVE)
            return tcn_fault_set(fault, TCN_CONFLICT,
                                 "%s is a member already; change it with tocsin member set %s",
                                 what->name, what->name);
        return tcn_fault_set(fault, TCN_CONFLICT,
                             "%s was a member and is %s; its name stays with what it signed: take "
                             "another, such as %s-2",
                             what->name, tcn_member_state_text(card->state), what->name);
    }
    if (members >= TCN_MAX_MEMBERS)
        return tcn_fault_set(fault, TCN_FULL, "the roster has %zu member%s, the most there can be",
                             members, plural(members));
    if (what->request == NULL && lstat(what->home, &st) == 0)
        return tcn_fault_set(fault, TCN_CONFLICT,
                             "%s is there, but %s is no member (was an add interrupted?); move it "
                             "away first",
                             what->home, what->name);
    return TCN_OK;
}

static int add(const tcn_cli *cli, const tcn_args *args, const tcn_program *program,
               const addition *what)
{
    tcn_fault fault = {0};
    tcn_publics none = {0}, publics = {0};
    tcn_card card;
    tcn_signed trust = {0};
    if (check_new(program, what, &fault) != TCN_OK)
        return tcn_cli_fail(cli, &fault);
    /* All options are looked at before the first key is made. */
    tcn_membership_new_card(program, what->name, &none, &card);
    int code = tcn_membership_apply(cli, args, &card);
    if (code == TCN_EXIT_DONE && (card.roles & TCN_ROLE_NODE) != 0 &&
        !tcn_args_has(args, "receive"))
        code = tcn_membership_receive_all(cli, &card);
    if (code == TCN_EXIT_DONE) {
        tcn_err err = get_publics(program, what, &publics, &fault);
        if (err == TCN_OK) {
            tcn_membership_set_keys(&card, &publics);
            err = add_card(cli, program, what, &card, &trust, &fault);
            if (err != TCN_OK && what->request == NULL)
                tcn_member_home_remove(what->home);
        }
        code = err == TCN_OK ? tell_added(cli, program, what, &card, &trust)
                             : tcn_cli_fail(cli, &fault);
        if (err == TCN_OK)
            tcn_membership_remarks(cli, &card);
    }
    tcn_signed_fini(&trust);
    tcn_card_fini(&card);
    return code;
}

static int run_add(tcn_cli *cli, const tcn_args *args)
{
    tcn_program program;
    tcn_fault fault = {0};
    addition what = {.name = args->operand[0], .request = tcn_args_get(args, "request")};
    int code = tcn_membership_check_name(cli, what.name);
    if (code != TCN_EXIT_DONE)
        return code;
    if ((what.request != NULL) == tcn_args_has(args, "generate-keys"))
        return tcn_cli_usage(cli, "give either --request FILE (the member made its own keys: the "
                                  "better way) or --generate-keys");
    tcn_err err = tcn_program_open_to_change(cli, &program, &fault);
    if (err != TCN_OK)
        return tcn_cli_fail(cli, &fault);
    err = members_path(&program, what.name, "", what.home, &fault);
    if (err == TCN_OK)
        err = members_path(&program, what.name, ".invite", what.invite, &fault);
    code = err == TCN_OK ? add(cli, args, &program, &what) : tcn_cli_fail(cli, &fault);
    tcn_program_fini(&program);
    return code;
}

static const tcn_option add_options[] = {
    {.name = "roles",
     .arg = "LIST",
     .help = "publisher, approver, node, operator: one or more, with commas",
     .flags = TCN_OPTION_REQUIRED,
     .words = TCN_ROLE_WORDS},
    {.name = "request", .arg = "FILE", .help = "the member's request, from tocsin keygen"},
    {.name = "generate-keys", .help = "make its keys here, and a complete home"},
    TCN_MEMBERSHIP_OPTIONS(" (default green)", " (default for a node: \">\")"),
    {0}};

const tcn_command tcn_command_member_add = {
    .name = "member add",
    .group = TCN_GROUP_AUTHORITY,
    .summary = "add a member",
    .usage = "NAME --roles LIST (--request FILE | --generate-keys) [--clearance TLP] "
             "[--receive PATTERNS] [--publish PATTERNS] [--emergency] [--communities "
             "LIST]",
    .help = "Adds a member and signs the next version of the trust. With --request the member's\n"
            "secret keys never leave it: check with it, on another channel, that the request is\n"
            "its own, and hand back members/NAME.invite. With --generate-keys its complete home\n"
            "is made in members/NAME. A broker whose home is at hand takes it within a second.",
    .example = "  tocsin member add cert-north --roles node --request cert-north.request\n"
               "  tocsin member add vendor --roles publisher,approver --clearance red \\\n"
               "      --publish 'advisory.>' --emergency --generate-keys",
    .next = "  tocsin member show NAME shows it; tocsin member set NAME changes it.",
    .options = add_options,
    .min_operands = 1,
    .max_operands = 1,
    .run = run_add,
};

/* ---- set and revoke: an existing card ---- */

/* A copy of the member's card, to change. */
static tcn_err take_card(const tcn_program *program, const char *name, tcn_card *ret_card,
                         tcn_fault *fault)
{
    size_t index = tcn_roster_find(program->roster, name);
    if (index == SIZE_MAX)
        return tcn_fault_set(fault, TCN_NOT_FOUND,
                             "the roster has no member %s; tocsin member list names them", name);
    const tcn_card *card = tcn_roster_member(program->roster, index);
    if ((card->roles & TCN_ROLE_BROKER) != 0)
        return tcn_fault_set(fault, TCN_DENIED,
                             "%s is the program's broker; what it is stands in program.conf", name);
    tcn_err err = tcn_card_copy(card, ret_card);
    return err == TCN_OK ? TCN_OK : tcn_fault_set(fault, err, "out of memory");
}

static int change(const tcn_cli *cli, const tcn_program *program, tcn_card *card, const char *done)
{
    tcn_signed trust = {0};
    tcn_fault fault = {0};
    tcn_err err = tcn_program_sign(program, card, 1, &trust, &fault);
    if (err == TCN_OK)
        err = tcn_program_publish(cli, program, &trust, &fault);
    int code;
    if (err == TCN_OK) {
        tcn_out_say(cli, "%s %s.", card->name, done);
        code = tell_version(cli, program, &trust, tcn_card_json(card));
        tcn_membership_check_approvers(cli, program, card);
    } else {
        code = tcn_cli_fail(cli, &fault);
    }
    tcn_signed_fini(&trust);
    return code;
}

static bool changes_something(const tcn_args *args)
{
    static const char *const names[] = {"roles",     "clearance",    "receive",    "publish",
                                        "emergency", "no-emergency", "communities"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (tcn_args_has(args, names[i]))
            return true;
    return false;
}

static int set(const tcn_cli *cli, const tcn_args *args, const tcn_program *program)
{
    tcn_card card = {0};
    tcn_fault fault = {0};
    if (take_card(program, args->operand[0], &card, &fault) != TCN_OK)
        return tcn_cli_fail(cli, &fault);
    if (card.state != TCN_MEMBER_ACTIVE) {
        int code = tcn_cli_refuse(cli, TCN_REVOKED, "%s is %s and stays so", card.name,
                                  tcn_member_state_text(card.state));
        tcn_card_fini(&card);
        return code;
    }
    if (tcn_args_has(args, "no-emergency"))
        card.emergency = false;
    int code = tcn_membership_apply(cli, args, &card);
    if (code == TCN_EXIT_DONE) {
        tcn_membership_renew(program, &card);
        code = change(cli, program, &card, "is changed");
        if (code == TCN_EXIT_DONE)
            tcn_membership_remarks(cli, &card);
    }
    tcn_card_fini(&card);
    return code;
}

static int run_set(tcn_cli *cli, const tcn_args *args)
{
    tcn_program program;
    tcn_fault fault = {0};
    if (!changes_something(args))
        return tcn_cli_usage(cli, "nothing to change: give one of the options");
    if (tcn_args_has(args, "emergency") && tcn_args_has(args, "no-emergency"))
        return tcn_cli_usage(cli, "--emergency and --no-emergency contradict each other");
    if (tcn_program_open_to_change(cli, &program, &fault) != TCN_OK)
        return tcn_cli_fail(cli, &fault);
    int code = set(cli, args, &program);
    tcn_program_fini(&program);
    return code;
}

static const tcn_option set_options[] = {
    {.name = "roles",
     .arg = "LIST",
     .help = "publisher, approver, node, operator: all that it shall have",
     .words = TCN_ROLE_WORDS},
    TCN_MEMBERSHIP_OPTIONS("", ""),
    {.name = "no-emergency", .help = "it may not publish emergencies any more"},
    {0}};

const tcn_command tcn_command_member_set = {
    .name = "member set",
    .group = TCN_GROUP_AUTHORITY,
    .summary = "change what a member may do",
    .usage = "NAME [--roles LIST] [--clearance TLP] [--receive PATTERNS] [--publish PATTERNS] "
             "[--emergency | --no-emergency] [--communities LIST]",
    .help = "Replaces what the options name and leaves the rest; a list is replaced whole, and\n"
            "\"\" empties it. The card is valid for the program's lifetime again. A member that\n"
            "may receive more than before is sent what is in force; one that may receive less is\n"
            "cut off from it at once.",
    .example = "  tocsin -H /srv/energy member set cert-north --clearance amber\n"
               "  tocsin -H /srv/energy member set vendor --publish '' --no-emergency",
    .options = set_options,
    .min_operands = 1,
    .max_operands = 1,
    .run = run_set,
};

/* A time, or how long ago. */
static tcn_err parse_since(const char *text, tcn_wall now, tcn_wall *ret_since)
{
    int64_t ago_ms;
    if (tcn_duration_parse(text, &ago_ms) == TCN_OK) {
        ret_since->unix_ms = now.unix_ms - ago_ms;
        return TCN_OK;
    }
    return tcn_wall_parse(text, ret_since);
}

static int revoke(const tcn_cli *cli, const tcn_program *program, const char *name,
                  tcn_member_state state, tcn_wall since)
{
    tcn_card card = {0};
    tcn_fault fault = {0};
    if (take_card(program, name, &card, &fault) != TCN_OK)
        return tcn_cli_fail(cli, &fault);
    int code;
    if (card.state == TCN_MEMBER_COMPROMISED ||
        (card.state == TCN_MEMBER_RETIRED && state == TCN_MEMBER_RETIRED)) {
        char when[TCN_WALL_TEXT_SIZE];
        tcn_wall_local(card.since, when);
        code = tcn_cli_refuse(cli, TCN_REVOKED, "%s is %s since %s already", name,
                              tcn_member_state_text(card.state), when);
    } else {
        card.state = state;
        card.since = since;
        code = change(cli, program, &card,
                      state == TCN_MEMBER_RETIRED
                          ? "is retired: what it signed before stays valid"
                          : "is marked compromised: what came after that time is void");
    }
    tcn_card_fini(&card);
    return code;
}

static int run_revoke(tcn_cli *cli, const tcn_args *args)
{
    tcn_program program;
    tcn_fault fault = {0};
    const char *compromised = tcn_args_get(args, "compromised-since");
    tcn_wall now = tcn_cli_now(), since = now;
    if (compromised != NULL && parse_since(compromised, now, &since) != TCN_OK)
        return tcn_cli_usage(cli,
                             "--compromised-since %s: a time with its zone, such as "
                             "2026-01-31T12:00:00Z, or how long ago, such as 36h",
                             compromised);
    if (since.unix_ms > now.unix_ms || since.unix_ms < 1)
        return tcn_cli_usage(cli, "--compromised-since %s is not in the past", compromised);
    if (tcn_program_open_to_change(cli, &program, &fault) != TCN_OK)
        return tcn_cli_fail(cli, &fault);
    int code = revoke(cli, &program, args->operand[0],
                      compromised != NULL ? TCN_MEMBER_COMPROMISED : TCN_MEMBER_RETIRED, since);
    tcn_program_fini(&program);
    return code;
}

static const tcn_option revoke_options[] = {
    {.name = "compromised-since",
     .arg = "T",
     .help = "its keys were in other hands from then on: a time, or how long ago"},
    {0}};

const tcn_command tcn_command_member_revoke = {
    .name = "member revoke",
    .group = TCN_GROUP_AUTHORITY,
    .summary = "end a membership, for good",
    .usage = "NAME [--compromised-since T]",
    .help = "Without an option the member is retired: its connections are closed and it may do\n"
            "nothing any more; what it published before stays valid. With --compromised-since\n"
            "what came from its keys after T is void: brokers stop sending it, and agents that\n"
            "have it mark it. Neither can be undone; the name is not given again.",
    .example = "  tocsin -H /srv/energy member revoke vendor --compromised-since "
               "2026-01-31T12:00:00Z",
    .options = revoke_options,
    .min_operands = 1,
    .max_operands = 1,
    .run = run_revoke,
};
