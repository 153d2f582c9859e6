/* SPDX-License-Identifier: Apache-2.0 */
/* roster.c - tocsin roster show, sign, export and import. */
#include <inttypes.h>
#include <stdlib.h>

#include "fingerprint.h"
#include "libtocsin/file.h"
#include "membership.h"
#include "out.h"
#include "place.h"
#include "roster_put.h"

/* ---- show ---- */

typedef struct {
    size_t members, nodes, publishers, approvers, operators, revoked, expired;
    tcn_wall next_expiry; /* of an active card */
} tally;

static tally count_members(const tcn_roster *roster, tcn_wall now)
{
    tally sum = {.members = tcn_roster_members(roster)};
    for (size_t i = 0; i < sum.members; i++) {
        const tcn_card *card = tcn_roster_member(roster, i);
        if (card->state != TCN_MEMBER_ACTIVE) {
            sum.revoked++;
            continue;
        }
        sum.expired += !tcn_card_is_valid(card, now);
        sum.nodes += (card->roles & TCN_ROLE_NODE) != 0;
        sum.publishers += (card->roles & TCN_ROLE_PUBLISHER) != 0;
        sum.approvers += (card->roles & TCN_ROLE_APPROVER) != 0;
        sum.operators += (card->roles & TCN_ROLE_OPERATOR) != 0;
        if (sum.next_expiry.unix_ms == 0 || card->expires.unix_ms < sum.next_expiry.unix_ms)
            sum.next_expiry = card->expires;
    }
    return sum;
}

static void show_people(const tcn_cli *cli, const tcn_program *program, const tally *sum)
{
    const tcn_bundle *bundle = tcn_roster_bundle(program->roster);
    const tcn_policy *policy = &bundle->policy;
    char print[TCN_FINGERPRINT_SIZE], text[TCN_WALL_TEXT_SIZE];
    bool over = tcn_roster_expires(program->roster).unix_ms <= tcn_cli_now().unix_ms;
    if (cli->json)
        return;
    tcn_fingerprint(&program->id, print);
    tcn_out_say(cli, "%s", bundle->program_name);
    tcn_field(cli, "authority", TCN_PLAIN, "%s", print);
    tcn_wall_local(tcn_roster_issued(program->roster), text);
    tcn_field(cli, "trust", TCN_PLAIN, "version %" PRIu64 ", signed %s",
              tcn_roster_version(program->roster), text);
    tcn_wall_local(tcn_roster_expires(program->roster), text);
    tcn_field(cli, over ? "EXPIRED" : "valid until", over ? TCN_BAD : TCN_PLAIN, "%s%s", text,
              over ? "; sign it anew: tocsin roster sign" : "");
    tcn_wall_local(sum->next_expiry, text);
    tcn_field(cli, "first card ends", TCN_PLAIN, "%s", sum->next_expiry.unix_ms > 0 ? text : "-");
    tcn_field(cli, "members", TCN_PLAIN,
              "%zu: %zu node%s, %zu publisher%s, %zu approver%s, %zu operator%s, %zu revoked, %zu "
              "expired",
              sum->members, sum->nodes, sum->nodes == 1 ? "" : "s", sum->publishers,
              sum->publishers == 1 ? "" : "s", sum->approvers, sum->approvers == 1 ? "" : "s",
              sum->operators, sum->operators == 1 ? "" : "s", sum->revoked, sum->expired);
    for (unsigned i = 0; i < bundle->brokers; i++)
        tcn_field(cli, "broker", TCN_PLAIN, "%s at %s, emergencies at %s", bundle->broker[i].name,
                  bundle->broker[i].session[0], bundle->broker[i].emergency[0]);
    tcn_field(cli, "an emergency", sum->approvers < policy->approvals ? TCN_WARN : TCN_PLAIN,
              "needs %u approver%s%s", policy->approvals, policy->approvals == 1 ? "" : "s",
              sum->approvers < policy->approvals ? "; there are fewer" : "");
}

static json_t *brokers_json(const tcn_bundle *bundle)
{
    json_t *list = json_array();
    for (unsigned i = 0; list != NULL && i < bundle->brokers; i++) {
        const tcn_broker_entry *broker = &bundle->broker[i];
        json_t *row = json_pack("{s:s, s:s, s:s}", "name", broker->name, "session",
                                broker->session[0], "emergency", broker->emergency[0]);
        if (json_array_append_new(list, row) != 0) {
            json_decref(list);
            return NULL;
        }
    }
    return list;
}

static json_t *show_json(const tcn_program *program, const tally *sum)
{
    const tcn_bundle *bundle = tcn_roster_bundle(program->roster);
    const tcn_policy *policy = &bundle->policy;
    return json_pack("{s:s, s:o, s:I, s:o, s:o, s:o, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:o, "
                     "s:{s:i, s:I, s:I, s:I, s:I}}",
                     "name", bundle->program_name, "program", tcn_json_id(&program->id), "version",
                     (json_int_t)tcn_roster_version(program->roster), "issued",
                     tcn_json_wall(tcn_roster_issued(program->roster)), "expires",
                     tcn_json_wall(tcn_roster_expires(program->roster)), "next_expiry",
                     tcn_json_wall(sum->next_expiry), "members", (json_int_t)sum->members, "nodes",
                     (json_int_t)sum->nodes, "publishers", (json_int_t)sum->publishers, "approvers",
                     (json_int_t)sum->approvers, "operators", (json_int_t)sum->operators, "revoked",
                     (json_int_t)sum->revoked, "expired", (json_int_t)sum->expired, "brokers",
                     brokers_json(bundle), "policy", "approvals", (int)policy->approvals,
                     "max_validity_ms", (json_int_t)policy->max_validity_ms, "grace_ms",
                     (json_int_t)policy->grace_ms, "max_body_bytes",
                     (json_int_t)policy->max_body_bytes, "lifetime_ms",
                     (json_int_t)policy->lifetime_ms);
}

static int run_show(tcn_cli *cli, const tcn_args *args)
{
    tcn_program program;
    tcn_fault fault = {0};
    (void)args;
    if (tcn_program_open(cli, &program, &fault) != TCN_OK)
        return tcn_cli_fail(cli, &fault);
    tally sum = count_members(program.roster, tcn_cli_now());
    show_people(cli, &program, &sum);
    int code = tcn_done(cli, show_json(&program, &sum));
    tcn_program_fini(&program);
    return code;
}

const tcn_command tcn_command_roster_show = {
    .name = "roster show",
    .group = TCN_GROUP_AUTHORITY,
    .summary = "the trust in force: version, validity, members, policy",
    .usage = "",
    .help = "Checks every signature in the trust file and says what it holds; also in a broker's\n"
            "home.",
    .example = "  tocsin -H /srv/energy roster show",
    .next = "  Before it runs out: tocsin roster sign",
    .run = run_show,
};

/* ---- sign ---- */

/* Copies of the cards of all that are not revoked, each renewed. */
static tcn_err renew_all(const tcn_program *program, tcn_card **ret_cards, size_t *ret_count)
{
    size_t members = tcn_roster_members(program->roster), count = 0;
    tcn_card *cards = calloc(members + 1, sizeof(*cards));
    if (cards == NULL)
        return TCN_NO_MEMORY;
    for (size_t i = 0; i < members; i++) {
        const tcn_card *card = tcn_roster_member(program->roster, i);
        if (card->state != TCN_MEMBER_ACTIVE)
            continue;
        cards[count] = *card; /* rows are borrowed, and nothing here changes them */
        tcn_membership_renew(program, &cards[count++]);
    }
    *ret_cards = cards;
    *ret_count = count;
    return TCN_OK;
}

static int run_sign(tcn_cli *cli, const tcn_args *args)
{
    tcn_program program;
    tcn_signed trust = {0};
    tcn_card *cards = NULL;
    size_t count = 0;
    char until[TCN_WALL_TEXT_SIZE];
    tcn_fault fault = {0};
    (void)args;
    if (tcn_program_open_to_change(cli, &program, &fault) != TCN_OK)
        return tcn_cli_fail(cli, &fault);
    tcn_err err = renew_all(&program, &cards, &count);
    if (err != TCN_OK)
        tcn_fault_set(&fault, err, "out of memory");
    if (err == TCN_OK)
        err = tcn_program_sign(&program, cards, count, &trust, &fault);
    if (err == TCN_OK)
        err = tcn_program_publish(cli, &program, &trust, &fault);
    int code;
    if (err != TCN_OK) {
        code = tcn_cli_fail(cli, &fault);
    } else {
        tcn_wall_local(trust.expires, until);
        tcn_out_say(cli, "Version %" PRIu64 " is signed: %zu card%s, valid until %s.",
                    trust.version, count, count == 1 ? "" : "s", until);
        code = tcn_done(cli,
                        json_pack("{s:I, s:I, s:o, s:o}", "version", (json_int_t)trust.version,
                                  "cards", (json_int_t)count, "issued", tcn_json_wall(trust.issued),
                                  "expires", tcn_json_wall(trust.expires)));
    }
    free(cards);
    tcn_signed_fini(&trust);
    tcn_program_fini(&program);
    return code;
}

const tcn_command tcn_command_roster_sign = {
    .name = "roster sign",
    .group = TCN_GROUP_AUTHORITY,
    .summary = "sign everything anew: validity, and what program.conf says",
    .usage = "",
    .help = "Signs the next version with every active member's card, each valid for the program's\n"
            "lifetime from now, and with the policy and brokers of program.conf as it is now.\n"
            "Membership commands sign by themselves; this is for renewal and for program.conf.",
    .example = "  tocsin -H /srv/energy roster sign",
    .next = "  A broker elsewhere needs it: tocsin help roster export",
    .run = run_sign,
};

/* ---- export ---- */

static int run_export(tcn_cli *cli, const tcn_args *args)
{
    tcn_program program;
    char path[TCN_HOME_PATH_SIZE];
    uint8_t *file = NULL;
    size_t len = 0;
    tcn_fault fault = {0};
    /* Opening checks it: what is exported can be imported. */
    if (tcn_program_open(cli, &program, &fault) != TCN_OK)
        return tcn_cli_fail(cli, &fault);
    uint64_t version = tcn_roster_version(program.roster);
    tcn_err err = tcn_path_join(program.path, TCN_HOME_TRUST, path, sizeof(path));
    if (err == TCN_OK)
        err = tcn_file_read(path, TCN_MAX_ROSTER_BYTES, &file, &len, &fault);
    /* It holds the members' secret audience ids. */
    if (err == TCN_OK)
        err = tcn_file_write(args->operand[0], tcn_bytes_of(file, len), 0600, &fault);
    free(file);
    tcn_program_fini(&program);
    if (err != TCN_OK)
        return tcn_cli_fail(cli, &fault);
    tcn_out_say(cli,
                "Version %" PRIu64 " is in %s. At the broker: tocsin -H DIR roster import FILE",
                version, args->operand[0]);
    return tcn_done(cli, json_pack("{s:I, s:s, s:I}", "version", (json_int_t)version, "file",
                                   args->operand[0], "bytes", (json_int_t)len));
}

const tcn_command tcn_command_roster_export = {
    .name = "roster export",
    .group = TCN_GROUP_AUTHORITY,
    .summary = "write the signed trust to a file, for a broker elsewhere",
    .usage = "FILE",
    .help = "Writes roster, bundle and all cards to FILE (0600: it holds the members' audience\n"
            "ids). It is signed: no one who carries it can change it.",
    .example = "  tocsin -H /srv/energy roster export energy.trust",
    .next = "  At the broker: tocsin -H BROKER-HOME roster import energy.trust",
    .min_operands = 1,
    .max_operands = 1,
    .operand_words = "FILE",
    .run = run_export,
};

/* ---- import ---- */

/* Is the file newer than what the broker's home holds? *ret_held: the version held, 0 if none. */
static tcn_err check_newer(const char *home, const tcn_sign_public *authority, uint64_t version,
                           uint64_t *ret_held, tcn_fault *fault)
{
    char path[TCN_HOME_PATH_SIZE];
    uint8_t *file = NULL;
    size_t len = 0;
    tcn_roster *held = NULL;
    *ret_held = 0;
    if (tcn_path_join(home, TCN_HOME_TRUST, path, sizeof(path)) != TCN_OK)
        return tcn_fault_set(fault, TCN_TOO_LARGE, "%s: the path is too long", home);
    tcn_err err = tcn_file_read(path, TCN_MAX_ROSTER_BYTES, &file, &len, fault);
    if (err == TCN_NOT_FOUND)
        return TCN_OK;
    if (err != TCN_OK)
        return err;
    /* One that does not open is replaced: that is what the import is for, then. */
    if (tcn_roster_open_own(tcn_bytes_of(file, len), authority, &held, NULL) == TCN_OK)
        *ret_held = tcn_roster_version(held);
    free(file);
    tcn_roster_unref(&held);
    if (*ret_held > version)
        return tcn_fault_set(fault, TCN_STALE,
                             "the file has version %" PRIu64 " and %s holds %" PRIu64
                             "; trust never goes back",
                             version, home, *ret_held);
    return TCN_OK;
}

typedef struct {
    char home[TCN_HOME_PATH_SIZE];
    tcn_sign_public authority;
    uint8_t *file;
    size_t len;
    tcn_roster *roster;
} incoming;

static tcn_err open_import(const tcn_cli *cli, const char *path, incoming *ret, tcn_fault *fault)
{
    char pub[TCN_HOME_PATH_SIZE];
    tcn_fault inner = {0};
    tcn_err err = tcn_cli_home_kind(cli, TCN_HOME_BROKER, ret->home, fault);
    if (err == TCN_OK &&
        tcn_path_join(ret->home, TCN_HOME_AUTHORITY_PUB, pub, sizeof(pub)) != TCN_OK)
        err = tcn_fault_set(fault, TCN_TOO_LARGE, "%s: the path is too long", ret->home);
    if (err == TCN_OK)
        err = tcn_authority_public_read(pub, &ret->authority, fault);
    if (err == TCN_OK)
        err = tcn_file_read(path, TCN_MAX_ROSTER_BYTES, &ret->file, &ret->len, fault);
    if (err != TCN_OK)
        return err;
    err = tcn_roster_open(tcn_bytes_of(ret->file, ret->len), &ret->authority, &ret->roster, &inner);
    if (err != TCN_OK)
        return tcn_fault_set(fault, err, "%s: %s", path, inner.text);
    if (tcn_roster_expires(ret->roster).unix_ms <= tcn_cli_now().unix_ms)
        return tcn_fault_set(fault, TCN_EXPIRED,
                             "%s: it has expired; the authority signs it anew with tocsin roster "
                             "sign",
                             path);
    return TCN_OK;
}

/* An operator's home: over the network. */
static bool is_member_home(const tcn_cli *cli)
{
    char home[TCN_HOME_PATH_SIZE];
    return tcn_cli_home(cli, home, NULL) == TCN_OK && tcn_home_kind_of(home) == TCN_HOME_MEMBER;
}

static int run_import(tcn_cli *cli, const tcn_args *args)
{
    if (is_member_home(cli))
        return tcn_roster_put(cli, args);
    incoming what = {0};
    uint64_t held = 0, version = 0;
    tcn_fault fault = {0};
    tcn_err err = open_import(cli, args->operand[0], &what, &fault);
    if (err == TCN_OK) {
        version = tcn_roster_version(what.roster);
        err = check_newer(what.home, &what.authority, version, &held, &fault);
    }
    if (err == TCN_OK && held < version)
        err = tcn_place(what.home, TCN_HOME_TRUST, tcn_bytes_of(what.file, what.len), 0600, true,
                        &fault);
    if (err == TCN_OK && held < version)
        err = tcn_place_sync(what.home, &fault);
    free(what.file);
    tcn_roster_unref(&what.roster);
    if (err != TCN_OK)
        return tcn_cli_fail(cli, &fault);
    if (held == version)
        tcn_out_say(cli, "%s holds version %" PRIu64 " already.", what.home, version);
    else
        tcn_out_say(cli,
                    "%s holds version %" PRIu64 " now; a running broker takes it within a second.",
                    what.home, version);
    return tcn_done(cli, json_pack("{s:I, s:I, s:b}", "version", (json_int_t)version, "previous",
                                   (json_int_t)held, "changed", held < version));
}

static const tcn_option import_options[] = {TCN_NET_OPTIONS, {0}};

const tcn_command tcn_command_roster_import = {
    .name = "roster import",
    .group = TCN_GROUP_OPERATOR,
    .summary = "give a broker's home the trust that the authority exported",
    .usage = "FILE",
    .help = "Checks every signature against the authority that the broker's home has pinned,\n"
            "refuses an older or expired version, and puts it in place in one step. A running\n"
            "broker takes it within a second. In an operator's home it goes to the broker over\n"
            "the network.",
    .example = "  tocsin -H /var/lib/tocsin/broker roster import energy.trust",
    .options = import_options,
    .min_operands = 1,
    .max_operands = 1,
    .operand_words = "FILE",
    .run = run_import,
};
