/* SPDX-License-Identifier: Apache-2.0 */
/* membership.h - the options that say what a member may do, checked and put on a card. */
#ifndef TCN_CLI_MEMBERSHIP_H
#define TCN_CLI_MEMBERSHIP_H

#include <jansson.h>

#include "command.h"
#include "program_home.h"

#define TCN_ROLE_WORDS "publisher approver node operator"
#define TCN_TLP_WORDS "clear green amber amber+strict red"
/* Rows of an option table, for member add and member set; each says what it is without them. */
#define TCN_MEMBERSHIP_OPTIONS(no_clearance, no_receive)                                           \
    {.name = "clearance",                                                                          \
     .arg = "TLP",                                                                                 \
     .help = "the highest TLP it may receive and publish" no_clearance,                            \
     .words = TCN_TLP_WORDS},                                                                      \
        {.name = "receive",                                                                        \
         .arg = "PATTERNS",                                                                        \
         .help = "topics it may receive, as \"advisory.>,emergency.*\"" no_receive},               \
        {.name = "publish",                                                                        \
         .arg = "PATTERNS",                                                                        \
         .help = "topics it may publish (a publisher needs some)"},                                \
        {.name = "emergency", .help = "it may publish emergencies"},                               \
    {                                                                                              \
        .name = "communities", .arg = "LIST",                                                      \
        .help = "communities it belongs to, as \"energy,rail\""                                    \
    }

/* Puts what the options say on the card and leaves the rest. What is wrong is told, with a remedy,
 * and gives TCN_EXIT_USAGE; else TCN_EXIT_DONE. card's rows are malloc'd: tcn_card_fini. */
TCN_CHECKED int tcn_membership_apply(const tcn_cli *cli, const tcn_args *args, tcn_card *card);
/* Remarks on a card that is valid, but does not do what one may think. */
void tcn_membership_remarks(const tcn_cli *cli, const tcn_card *card);
/* Warns when the program has fewer active approvers than an actual emergency needs, unless it had
 * before: changed is about to be in the roster. */
void tcn_membership_check_approvers(const tcn_cli *cli, const tcn_program *program,
                                    const tcn_card *changed);

/* A name for a member; tells what is wrong with it and gives TCN_EXIT_USAGE. */
TCN_CHECKED int tcn_membership_check_name(const tcn_cli *cli, const char *name);

/* A new card with three keys that begin now, but for grants: the name, the program, an audience id,
 * valid for the program's lifetime. */
void tcn_membership_new_card(const tcn_program *program, const char *name,
                             const tcn_publics *publics, tcn_card *ret_card);
/* Three other keys of a card made by tcn_membership_new_card, with the validity they had. */
void tcn_membership_set_keys(tcn_card *card, const tcn_publics *publics);
/* Lets it receive every topic. TCN_EXIT_DONE, or 1 out of memory. */
TCN_CHECKED int tcn_membership_receive_all(const tcn_cli *cli, tcn_card *card);
/* Makes an existing card, and its keys that have not ended, valid for the lifetime from now. */
void tcn_membership_renew(const tcn_program *program, tcn_card *card);

/* A card as JSON. */
json_t *tcn_card_json(const tcn_card *card);
/* "advisory.>, emergency.*", "none"; cut to size. */
void tcn_patterns_text(unsigned count, char (*rows)[TCN_MAX_TOPIC_CHARS + 1], char *ret_text,
                       size_t size);
void tcn_communities_text(const tcn_card *card, char *ret_text, size_t size);

#endif
