/* SPDX-License-Identifier: Apache-2.0 */
/* membership.c - roles, clearance, patterns and communities from options onto a card. */
#include "membership.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "libtocsin/text.h"
#include "libtocsin/topic.h"
#include "out.h"

typedef char pattern_row[TCN_MAX_TOPIC_CHARS + 1];

static const char *const role_words[] = {"publisher", "approver", "node", "operator"};
static const char *const tlp_words[] = {"clear", "green", "amber", "amber+strict", "red"};

int tcn_membership_check_name(const tcn_cli *cli, const char *name)
{
    if (tcn_name_is_valid(tcn_bytes_str(name)))
        return TCN_EXIT_DONE;
    return tcn_cli_usage(cli,
                         "\"%s\" is no name: 1 to %d of a-z, 0-9 and inner hyphens, such as "
                         "cert-north",
                         name, TCN_MAX_NAME_CHARS);
}

static int apply_roles(const tcn_cli *cli, const char *text, tcn_card *card)
{
    char **words;
    unsigned count, roles = 0;
    if (tcn_list_split(text, &words, &count) != TCN_OK)
        return tcn_cli_usage(cli, "--roles needs a list, such as publisher,approver");
    int code = TCN_EXIT_DONE;
    if (count == 0)
        code = tcn_cli_usage(cli, "--roles needs at least one role, such as node");
    for (unsigned i = 0; i < count && code == TCN_EXIT_DONE; i++) {
        unsigned role;
        const char *near = tcn_closest(words[i], role_words, 4);
        if (tcn_roles_parse(words[i], &role) != TCN_OK)
            code = tcn_cli_usage(cli,
                                 "there is no role %s%s%s%s; roles are publisher, approver, "
                                 "node, operator",
                                 words[i], near != NULL ? " (did you mean " : "",
                                 near != NULL ? near : "", near != NULL ? "?)" : "");
        else if (role == TCN_ROLE_AUTHORITY)
            code = tcn_cli_usage(cli, "authority is no member's role: it is the key in the "
                                      "program's home");
        else if (role == TCN_ROLE_BROKER)
            code = tcn_cli_usage(cli, "a program's broker is made by tocsin init, not as a member");
        else
            roles |= role;
    }
    free(words);
    if (code == TCN_EXIT_DONE)
        card->roles = roles;
    return code;
}

static int apply_patterns(const tcn_cli *cli, const char *option, const char *text,
                          unsigned *ret_count, pattern_row **ret_rows)
{
    char **words;
    unsigned count;
    if (tcn_list_split(text, &words, &count) != TCN_OK)
        return tcn_cli_usage(cli, "--%s needs patterns, such as \"advisory.>,emergency.*\"",
                             option);
    if (count > TCN_MAX_PATTERNS) {
        free(words);
        return tcn_cli_usage(cli, "--%s: at most %d patterns", option, TCN_MAX_PATTERNS);
    }
    pattern_row *rows = calloc(count + 1, sizeof(*rows));
    int code = rows != NULL ? TCN_EXIT_DONE : tcn_cli_refuse(cli, TCN_NO_MEMORY, "out of memory");
    for (unsigned i = 0; i < count && code == TCN_EXIT_DONE; i++) {
        if (tcn_pattern_check(tcn_bytes_str(words[i])) != TCN_OK)
            code =
                tcn_cli_usage(cli,
                              "--%s: \"%s\" is no pattern: tokens of a-z, 0-9, _ and - with dots "
                              "between, * for one token, > at the end for the rest",
                              option, words[i]);
        else
            memcpy(rows[i], words[i], strlen(words[i]) + 1);
    }
    free(words);
    if (code != TCN_EXIT_DONE || count == 0) {
        free(rows);
        rows = NULL;
    }
    if (code == TCN_EXIT_DONE) {
        free(*ret_rows);
        *ret_rows = rows;
        *ret_count = count;
    }
    return code;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static int apply_communities(const tcn_cli *cli, const char *text, tcn_card *card)
{
    char **words;
    unsigned count, kept = 0;
    if (tcn_list_split(text, &words, &count) != TCN_OK)
        return tcn_cli_usage(cli, "--communities needs names, such as energy,rail");
    qsort(words, count, sizeof(*words), by_name);
    int code = TCN_EXIT_DONE;
    for (unsigned i = 0; i < count && code == TCN_EXIT_DONE; i++) {
        if (i > 0 && strcmp(words[i], words[i - 1]) == 0)
            continue;
        code = tcn_membership_check_name(cli, words[i]);
        if (code == TCN_EXIT_DONE && kept == TCN_MAX_COMMUNITIES)
            code = tcn_cli_usage(cli, "--communities: at most %d", TCN_MAX_COMMUNITIES);
        if (code == TCN_EXIT_DONE)
            memcpy(card->community[kept++], words[i], strlen(words[i]) + 1);
    }
    free(words);
    card->communities = kept;
    return code;
}

static int apply_clearance(const tcn_cli *cli, const char *text, tcn_card *card)
{
    const char *near = tcn_closest(text, tlp_words, 5);
    if (tcn_tlp_parse(text, &card->clearance) == TCN_OK)
        return TCN_EXIT_DONE;
    return tcn_cli_usage(cli,
                         "there is no TLP %s%s%s%s; it is clear, green, amber, amber+strict "
                         "or red",
                         text, near != NULL ? " (did you mean " : "", near != NULL ? near : "",
                         near != NULL ? "?)" : "");
}

/* What does not go together. */
static int check_card(const tcn_cli *cli, const tcn_card *card)
{
    bool publisher = (card->roles & TCN_ROLE_PUBLISHER) != 0;
    if (!publisher && card->publishes > 0)
        return tcn_cli_usage(cli,
                             "%s may publish nothing without the role publisher: add it to "
                             "--roles, or give it none: --publish ''",
                             card->name);
    return TCN_EXIT_DONE;
}

int tcn_membership_apply(const tcn_cli *cli, const tcn_args *args, tcn_card *card)
{
    const char *roles = tcn_args_get(args, "roles"), *clearance = tcn_args_get(args, "clearance");
    const char *receive = tcn_args_get(args, "receive"), *publish = tcn_args_get(args, "publish");
    const char *communities = tcn_args_get(args, "communities");
    int code = roles != NULL ? apply_roles(cli, roles, card) : TCN_EXIT_DONE;
    if (code == TCN_EXIT_DONE && clearance != NULL)
        code = apply_clearance(cli, clearance, card);
    if (code == TCN_EXIT_DONE && receive != NULL)
        code = apply_patterns(cli, "receive", receive, &card->receives, &card->receive);
    if (code == TCN_EXIT_DONE && publish != NULL)
        code = apply_patterns(cli, "publish", publish, &card->publishes, &card->publish);
    if (code == TCN_EXIT_DONE && communities != NULL)
        code = apply_communities(cli, communities, card);
    if (tcn_args_has(args, "emergency"))
        card->emergency = true;
    return code == TCN_EXIT_DONE ? check_card(cli, card) : code;
}

void tcn_membership_remarks(const tcn_cli *cli, const tcn_card *card)
{
    if ((card->roles & TCN_ROLE_PUBLISHER) != 0 && card->publishes == 0)
        tcn_cli_warn(cli, "%s may publish no topic yet: tocsin member set %s --publish PATTERNS",
                     card->name, card->name);
    if ((card->roles & TCN_ROLE_PUBLISHER) == 0 && card->emergency)
        tcn_cli_warn(cli, "%s publishes no emergencies without the role publisher", card->name);
    if ((card->roles & TCN_ROLE_NODE) != 0 && card->receives == 0)
        tcn_cli_warn(cli, "%s may receive no topic: tocsin member set %s --receive PATTERNS",
                     card->name, card->name);
    if ((card->roles & TCN_ROLE_NODE) == 0 && card->receives > 0)
        tcn_cli_warn(cli, "%s receives nothing without the role node", card->name);
}

static bool approves(const tcn_card *card)
{
    return (card->roles & TCN_ROLE_APPROVER) != 0 && card->state == TCN_MEMBER_ACTIVE;
}

void tcn_membership_check_approvers(const tcn_cli *cli, const tcn_program *program,
                                    const tcn_card *changed)
{
    unsigned before = 0, after = approves(changed) ? 1 : 0, needed = program->conf.policy.approvals;
    for (size_t i = 0; i < tcn_roster_members(program->roster); i++) {
        const tcn_card *card = tcn_roster_member(program->roster, i);
        before += approves(card);
        after += approves(card) && strcmp(card->name, changed->name) != 0;
    }
    if (after < before && after < needed)
        tcn_cli_warn(cli,
                     "%u active approver%s left, and an actual emergency needs %u: add one before "
                     "it is needed",
                     after, after == 1 ? " is" : "s are", needed);
}

static void new_key(tcn_card *card, tcn_key_use use, const uint8_t *public_bytes, tcn_wall until)
{
    tcn_card_key *key = &card->key[card->keys++];
    key->use = use;
    memcpy(key->public_bytes, public_bytes, sizeof(key->public_bytes));
    key->from.unix_ms = tcn_cli_now().unix_ms - TCN_CLOCK_SLACK_MS;
    key->until = until;
}

void tcn_membership_new_card(const tcn_program *program, const char *name,
                             const tcn_publics *publics, tcn_card *ret_card)
{
    tcn_card card = {.program = program->id, .clearance = TCN_TLP_GREEN};
    memcpy(card.name, name, strlen(name) + 1);
    randombytes_buf(card.audience_id.b, sizeof(card.audience_id.b));
    card.expires.unix_ms = tcn_cli_now().unix_ms + (int64_t)program->conf.policy.lifetime_ms;
    new_key(&card, TCN_KEY_TRANSPORT, publics->transport.b, card.expires);
    new_key(&card, TCN_KEY_SIGN, publics->sign.b, card.expires);
    new_key(&card, TCN_KEY_SEAL, publics->seal.b, card.expires);
    *ret_card = card;
}

void tcn_membership_set_keys(tcn_card *card, const tcn_publics *publics)
{
    TCN_REQUIRE(card->keys == 3);
    memcpy(card->key[0].public_bytes, publics->transport.b, sizeof(card->key[0].public_bytes));
    memcpy(card->key[1].public_bytes, publics->sign.b, sizeof(card->key[1].public_bytes));
    memcpy(card->key[2].public_bytes, publics->seal.b, sizeof(card->key[2].public_bytes));
}

int tcn_membership_receive_all(const tcn_cli *cli, tcn_card *card)
{
    return apply_patterns(cli, "receive", ">", &card->receives, &card->receive);
}

void tcn_membership_renew(const tcn_program *program, tcn_card *card)
{
    tcn_wall now = tcn_cli_now();
    tcn_wall expires = {now.unix_ms + (int64_t)program->conf.policy.lifetime_ms};
    for (unsigned i = 0; i < card->keys; i++)
        if (card->key[i].until.unix_ms >= card->expires.unix_ms)
            card->key[i].until = expires;
    card->expires = expires;
}

/* ---- showing ---- */

void tcn_patterns_text(unsigned count, char (*rows)[TCN_MAX_TOPIC_CHARS + 1], char *ret_text,
                       size_t size)
{
    size_t len = 0;
    (void)snprintf(ret_text, size, "none");
    for (unsigned i = 0; i < count && len < size; i++)
        len += (size_t)snprintf(ret_text + len, size - len, "%s%s", i > 0 ? ", " : "", rows[i]);
}

void tcn_communities_text(const tcn_card *card, char *ret_text, size_t size)
{
    size_t len = 0;
    (void)snprintf(ret_text, size, "none");
    for (unsigned i = 0; i < card->communities && len < size; i++)
        len += (size_t)snprintf(ret_text + len, size - len, "%s%s", i > 0 ? ", " : "",
                                card->community[i]);
}

static json_t *roles_json(unsigned roles)
{
    json_t *list = json_array();
    for (unsigned bit = 1; list != NULL && bit <= TCN_ROLE_AUTHORITY; bit <<= 1)
        if ((roles & bit) != 0 &&
            json_array_append_new(list, json_string(tcn_role_word(bit))) != 0) {
            json_decref(list);
            return NULL;
        }
    return list;
}

/* Strings at a fixed distance in memory. */
static json_t *strings_json(unsigned count, const char *first, size_t stride)
{
    json_t *list = json_array();
    for (unsigned i = 0; list != NULL && i < count; i++)
        if (json_array_append_new(list, json_string(first + i * stride)) != 0) {
            json_decref(list);
            return NULL;
        }
    return list;
}

json_t *tcn_card_json(const tcn_card *card)
{
    return json_pack(
        "{s:s, s:o, s:s, s:o, s:o, s:b, s:o, s:s, s:o, s:o, s:o, s:I}", "name", card->name, "roles",
        roles_json(card->roles), "clearance", tcn_tlp_text(card->clearance), "receive",
        strings_json(card->receives, (const char *)card->receive, sizeof(pattern_row)), "publish",
        strings_json(card->publishes, (const char *)card->publish, sizeof(pattern_row)),
        "emergency", card->emergency, "communities",
        strings_json(card->communities, (const char *)card->community, sizeof(card->community[0])),
        "state", tcn_member_state_text(card->state), "since", tcn_json_wall(card->since), "issued",
        tcn_json_wall(card->issued), "expires", tcn_json_wall(card->expires), "version",
        (json_int_t)card->version);
}
