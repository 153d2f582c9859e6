/* SPDX-License-Identifier: Apache-2.0 */
/* net.h - a command's session with the broker, through the public client API, and the words in
 * which commands speak of alerts. Functions that return an exit code have said why on stderr. */
#ifndef TCN_CLI_NET_H
#define TCN_CLI_NET_H

#include <tocsin/client.h>

#include "libtocsin/states.h"
#include "out.h"

/* Rows for the options of every command that uses the network. */
#define TCN_NET_OPTIONS                                                                            \
    {.name = "timeout",                                                                            \
     .arg = "TIME",                                                                                \
     .help = "give up when the broker is silent for so long (default: 15s)"},                      \
    {                                                                                              \
        .name = "proxy", .arg = "HOST:PORT",                                                       \
        .help = "go through this SOCKS5 proxy (default: $TOCSIN_PROXY)"                            \
    }

/* Opens the home; connects when first asked. */
int tcn_net_open(const tcn_cli *cli, const tcn_args *args, tocsin_client **ret_client);
/* Tells what a person should know (trust not saved, ...) and closes. */
void tcn_net_close(const tcn_cli *cli, tocsin_client **client);
/* Says why and gives the exit code: 3 cannot reach, 4 timed out, else 1. */
int tcn_net_fail(const tcn_cli *cli, const tocsin_error *error);
/* An alert by id, prefix, handle or "last". */
int tcn_net_resolve(const tcn_cli *cli, tocsin_client *client, const char *name, tocsin_id *ret_id);

/* What came back from a submit or an approval, for people or as JSON; returns the exit code. */
int tcn_net_answer(const tcn_cli *cli, const tocsin_answer *answer);

/* Text from the wire as JSON. */
json_t *tcn_net_json_text(const char *text);
json_t *tcn_net_json_id(const tocsin_id *id);
json_t *tcn_net_json_ms(int64_t unix_ms);
/* Local time for people; "-" for 0. */
const char *tcn_net_local(int64_t unix_ms, char text[static TCN_WALL_TEXT_SIZE]);

const char *tcn_answer_word_of(uint32_t answer); /* "acting" */
/* "2 approvals, the body" into memory. */
void tcn_waits_text(const tocsin_alert_item *item, char *ret_text, size_t size);

#endif
