/* SPDX-License-Identifier: Apache-2.0 */
/* member.c - tocsin member list and show. */
#include <inttypes.h>
#include <string.h>

#include "fingerprint.h"
#include "membership.h"
#include "out.h"

static tcn_tone state_tone(const tcn_card *card)
{
    if (card->state == TCN_MEMBER_ACTIVE)
        return tcn_card_is_valid(card, tcn_cli_now()) ? TCN_PLAIN : TCN_WARN;
    return TCN_BAD;
}

/* "active", and "expired" for one that is nothing worse. */
static const char *state_word(const tcn_card *card)
{
    if (card->state == TCN_MEMBER_ACTIVE && !tcn_card_is_valid(card, tcn_cli_now()))
        return "expired";
    return tcn_member_state_text(card->state);
}

static int list(const tcn_cli *cli, const tcn_program *program)
{
    static const tcn_column columns[] = {{"MEMBER", false, false},
                                         {"ROLES", false, false},
                                         {"CLEARANCE", false, false},
                                         {"STATE", false, false},
                                         {"EXPIRES", false, false}};
    tcn_table *table = tcn_table_new(columns, 5);
    tcn_err err = TCN_OK;
    for (size_t i = 0; i < tcn_roster_members(program->roster) && err == TCN_OK; i++) {
        const tcn_card *card = tcn_roster_member(program->roster, i);
        if (cli->json) {
            err = tcn_json_out(cli, tcn_card_json(card));
            continue;
        }
        char roles[64], expires[TCN_WALL_TEXT_SIZE];
        tcn_roles_text(card->roles, roles, sizeof(roles));
        tcn_wall_local(card->expires, expires);
        tcn_table_cell(table, TCN_PLAIN, "%s", card->name);
        tcn_table_cell(table, TCN_PLAIN, "%s", roles);
        tcn_table_cell(table, TCN_PLAIN, "%s", tcn_tlp_label(card->clearance));
        tcn_table_cell(table, state_tone(card), "%s", state_word(card));
        tcn_table_cell(table, TCN_PLAIN, "%s", expires);
    }
    tcn_err printed = tcn_table_print(cli, &table, "no members");
    return tcn_finish(cli, err == TCN_OK ? printed : err);
}

static int run_list(tcn_cli *cli, const tcn_args *args)
{
    tcn_program program;
    tcn_fault fault = {0};
    (void)args;
    if (tcn_program_open(cli, &program, &fault) != TCN_OK)
        return tcn_cli_fail(cli, &fault);
    int code = list(cli, &program);
    tcn_program_fini(&program);
    return code;
}

const tcn_command tcn_command_member_list = {
    .name = "member list",
    .group = TCN_GROUP_AUTHORITY,
    .summary = "the members with their roles and state",
    .usage = "",
    .help = "Lists every member of the roster, by name; also in a broker's home.",
    .example =
        "  tocsin -H /srv/energy member list\n"
        "  tocsin -H /srv/energy member list --json | jq -r 'select(.state!=\"active\").name'",
    .run = run_list,
};

/* ---- show ---- */

static void show_keys(const tcn_cli *cli, const tcn_card *card)
{
    static const char *const use[] = {"", "transport key", "signing key", "sealing key"};
    for (unsigned i = 0; i < card->keys; i++) {
        const tcn_card_key *key = &card->key[i];
        tcn_sign_public public_key;
        char print[TCN_FINGERPRINT_SIZE], until[TCN_WALL_TEXT_SIZE];
        memcpy(public_key.b, key->public_bytes, sizeof(public_key.b));
        tcn_id kid = tcn_kid(&public_key);
        tcn_fingerprint(&kid, print);
        tcn_wall_local(key->until, until);
        tcn_field(cli, use[key->use], TCN_PLAIN, "%s, until %s", print, until);
    }
}

static json_t *keys_json(const tcn_card *card)
{
    static const char *const use[] = {"", "transport", "sign", "seal"};
    json_t *list_of = json_array();
    for (unsigned i = 0; list_of != NULL && i < card->keys; i++) {
        const tcn_card_key *key = &card->key[i];
        tcn_sign_public public_key;
        char print[TCN_FINGERPRINT_SIZE], hex[65];
        memcpy(public_key.b, key->public_bytes, sizeof(public_key.b));
        tcn_id kid = tcn_kid(&public_key);
        tcn_fingerprint(&kid, print);
        tcn_hex(key->public_bytes, sizeof(key->public_bytes), hex);
        json_t *row = json_pack("{s:s, s:s, s:s, s:o, s:o}", "use", use[key->use], "fingerprint",
                                print, "public", hex, "from", tcn_json_wall(key->from), "until",
                                tcn_json_wall(key->until));
        if (json_array_append_new(list_of, row) != 0) {
            json_decref(list_of);
            return NULL;
        }
    }
    return list_of;
}

static int show(const tcn_cli *cli, const tcn_card *card)
{
    char text[2048], since[TCN_WALL_TEXT_SIZE];
    tcn_out_say(cli, "%s", card->name);
    tcn_roles_text(card->roles, text, sizeof(text));
    tcn_field(cli, "roles", TCN_PLAIN, "%s", text);
    tcn_wall_local(card->since, since);
    tcn_field(cli, "state", state_tone(card), "%s%s%s", state_word(card),
              card->state != TCN_MEMBER_ACTIVE ? " since " : "",
              card->state != TCN_MEMBER_ACTIVE ? since : "");
    tcn_field(cli, "clearance", TCN_PLAIN, "%s", tcn_tlp_label(card->clearance));
    tcn_patterns_text(card->receives, card->receive, text, sizeof(text));
    tcn_field(cli, "may receive", TCN_PLAIN, "%s", text);
    tcn_patterns_text(card->publishes, card->publish, text, sizeof(text));
    tcn_field(cli, "may publish", TCN_PLAIN, "%s%s", text,
              card->emergency ? "; also emergencies" : "");
    tcn_communities_text(card, text, sizeof(text));
    tcn_field(cli, "communities", TCN_PLAIN, "%s", text);
    tcn_wall_local(card->expires, since);
    tcn_field(cli, "card", TCN_PLAIN, "version %" PRIu64 ", valid until %s", card->version, since);
    show_keys(cli, card);
    json_t *object = tcn_card_json(card);
    if (object != NULL && json_object_set_new(object, "keys", keys_json(card)) != 0) {
        json_decref(object);
        object = NULL;
    }
    return tcn_done(cli, object);
}

static int run_show(tcn_cli *cli, const tcn_args *args)
{
    tcn_program program;
    tcn_fault fault = {0};
    if (tcn_program_open(cli, &program, &fault) != TCN_OK)
        return tcn_cli_fail(cli, &fault);
    size_t index = tcn_roster_find(program.roster, args->operand[0]);
    int code = index == SIZE_MAX
                   ? tcn_cli_refuse(cli, TCN_NOT_FOUND,
                                    "the roster has no member %s; tocsin member list names them",
                                    args->operand[0])
                   : show(cli, tcn_roster_member(program.roster, index));
    tcn_program_fini(&program);
    return code;
}

const tcn_command tcn_command_member_show = {
    .name = "member show",
    .group = TCN_GROUP_AUTHORITY,
    .summary = "one member: what it may do, its keys, its state",
    .usage = "NAME",
    .help = "Shows a member's card as it is in force; also in a broker's home.",
    .example = "  tocsin -H /srv/energy member show cert-north",
    .min_operands = 1,
    .max_operands = 1,
    .run = run_show,
};
