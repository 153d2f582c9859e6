/* SPDX-License-Identifier: Apache-2.0 */
/* explain.c - tocsin explain: why a node does or does not get an alert, term by term. */
#include <string.h>

#include "net.h"

static const tcn_column columns[] = {
    {"TERM", false, false}, {"HOLDS", false, false}, {"WHY", false, true}};

static void add_row(tcn_table *table, const tocsin_explain_item *item)
{
    char text[1024];
    (void)tocsin_text_line(item->term, text, sizeof(text));
    tcn_table_cell(table, TCN_PLAIN, "%s", text);
    tcn_table_cell(table, item->holds ? TCN_GOOD : TCN_BAD, "%s", item->holds ? "yes" : "no");
    (void)tocsin_text_line(item->why, text, sizeof(text));
    tcn_table_cell(table, TCN_PLAIN, "%s", text);
}

static json_t *term_json(const tocsin_explain_item *item)
{
    return json_pack("{s:o, s:b, s:o}", "term", tcn_net_json_text(item->term), "holds",
                     (int)item->holds, "why", tcn_net_json_text(item->why));
}

/* Reads the terms; *ret_verdict is the last word. */
static int read_terms(const tcn_cli *cli, tocsin_items *items, tcn_table *table, json_t *terms,
                      bool *ret_verdict)
{
    tocsin_error error;
    const tocsin_explain_item *item = NULL;
    for (;;) {
        if (tocsin_next_explain_item(items, &item, &error) != TOCSIN_OK)
            return tcn_net_fail(cli, &error);
        if (item == NULL)
            return TCN_EXIT_DONE;
        add_row(table, item);
        if (strcmp(item->term, "verdict") == 0)
            *ret_verdict = item->holds != 0;
        if (json_array_append_new(terms, term_json(item)) != 0)
            return tcn_cli_refuse(cli, TCN_NO_MEMORY, "out of memory");
    }
}

static int explain(const tcn_cli *cli, const tcn_args *args, tocsin_client *client)
{
    tocsin_error error;
    tocsin_items *items = NULL;
    tocsin_id id;
    bool verdict = false;
    const char *node = args->operand[1];
    int code = tcn_net_resolve(cli, client, args->operand[0], &id);
    if (code != TCN_EXIT_DONE)
        return code;
    if (tocsin_list_explain(client, &id, node, &items, &error) != TOCSIN_OK)
        return tcn_net_fail(cli, &error);
    tcn_table *table = tcn_table_new(columns, sizeof(columns) / sizeof(columns[0]));
    json_t *terms = json_array();
    code = read_terms(cli, items, table, terms, &verdict);
    tocsin_items_close(&items);
    if (tcn_table_print(cli, &table, "nothing to explain") != TCN_OK && code == TCN_EXIT_DONE)
        code = tcn_cli_refuse(cli, TCN_NO_MEMORY, "out of memory");
    if (code == TCN_EXIT_DONE)
        return tcn_done(cli, json_pack("{s:o, s:s, s:b, s:o}", "id", tcn_net_json_id(&id), "node",
                                       node, "entitled", (int)verdict, "terms", terms));
    json_decref(terms);
    return code;
}

static int run_explain(tcn_cli *cli, const tcn_args *args)
{
    tocsin_client *client = NULL;
    int code = tcn_net_open(cli, args, &client);
    if (code == TCN_EXIT_DONE)
        code = explain(cli, args, client);
    tcn_net_close(cli, &client);
    return code;
}

static const tcn_option options[] = {TCN_NET_OPTIONS, {0}};

const tcn_command tcn_command_explain = {
    .name = "explain",
    .group = TCN_GROUP_OPERATOR,
    .summary = "why a node does or does not get an alert",
    .usage = "ID NODE",
    .help = "Every term of entitlement with yes or no: role, card, subscription, grant,\n"
            "clearance, community, audience. The alert's author and operators may ask.",
    .example = "  tocsin explain VENDOR-2026-7K3M9Q harbour",
    .options = options,
    .min_operands = 2,
    .max_operands = 2,
    .run = run_explain,
};
