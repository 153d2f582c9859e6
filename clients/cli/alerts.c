/* SPDX-License-Identifier: Apache-2.0 */
/* alerts.c - tocsin alerts: what was published, newest first. */
#include <inttypes.h>

#include "alert_json.h"

static const tcn_column columns[] = {{"HANDLE", false, false}, {"TITLE", false, true},
                                     {"TOPIC", false, false},  {"TLP", false, false},
                                     {"LANE", false, false},   {"STATE", false, false},
                                     {"SEQ", true, false},     {"CREATED", false, false}};

static tcn_tone tone_of(uint32_t state)
{
    switch (state) {
    case TOCSIN_ALERT_IN_FORCE: return TCN_GOOD;
    case TOCSIN_ALERT_HELD: return TCN_WARN;
    case TOCSIN_ALERT_VOIDED: return TCN_BAD;
    default: return TCN_DIM;
    }
}

static void cell_text(tcn_table *table, const char *text)
{
    char line[1024];
    (void)tocsin_text_line(text, line, sizeof(line));
    tcn_table_cell(table, TCN_PLAIN, "%s", line);
}

static void add_row(tcn_table *table, const tocsin_alert_item *item)
{
    char when[TCN_WALL_TEXT_SIZE];
    cell_text(table, item->handle);
    cell_text(table, item->title);
    cell_text(table, item->topic);
    tcn_table_cell(table, TCN_PLAIN, "%s", tcn_tlp_label((tcn_tlp)item->tlp));
    tcn_table_cell(table, item->lane == TOCSIN_LANE_EMERGENCY ? TCN_BAD : TCN_PLAIN, "%s",
                   tcn_lane_text((tcn_lane)item->lane));
    tcn_table_cell(table, tone_of(item->state), "%s", tcn_state_text(item->state));
    if (item->seq_known)
        tcn_table_cell(table, TCN_PLAIN, "%" PRIu64, item->seq);
    else
        tcn_table_cell(table, TCN_PLAIN, "-");
    tcn_table_cell(table, TCN_PLAIN, "%s", tcn_net_local(item->created, when));
}

static int list(const tcn_cli *cli, const tcn_args *args, tocsin_client *client)
{
    tocsin_items *items = NULL;
    tocsin_error error;
    const tocsin_alert_item *item = NULL;
    if (tocsin_list_alerts(client, tcn_args_has(args, "all"), &items, &error) != TOCSIN_OK)
        return tcn_net_fail(cli, &error);
    tcn_table *table = tcn_table_new(columns, sizeof(columns) / sizeof(columns[0]));
    int code = TCN_EXIT_DONE;
    for (;;) {
        if (tocsin_next_alert_item(items, &item, &error) != TOCSIN_OK)
            code = tcn_net_fail(cli, &error);
        if (code != TCN_EXIT_DONE || item == NULL)
            break;
        if (!cli->json)
            add_row(table, item);
        else if (tcn_json_out(cli, tcn_alert_item_json(item)) != TCN_OK)
            code = TCN_EXIT_REFUSED;
    }
    tocsin_items_close(&items);
    if (tcn_table_print(cli, &table, "no alerts") != TCN_OK)
        return tcn_cli_refuse(cli, TCN_NO_MEMORY, "out of memory");
    return code;
}

static int run_alerts(tcn_cli *cli, const tcn_args *args)
{
    tocsin_client *client = NULL;
    int code = tcn_net_open(cli, args, &client);
    if (code == TCN_EXIT_DONE)
        code = list(cli, args, client);
    tcn_net_close(cli, &client);
    return code;
}

static const tcn_option options[] = {
    {.name = "all", .help = "also those no longer in force"}, TCN_NET_OPTIONS, {0}};

const tcn_command tcn_command_alerts = {
    .name = "alerts",
    .group = TCN_GROUP_OPERATOR,
    .summary = "what was published, newest first",
    .usage = "[--all]",
    .help = "A publisher sees its own alerts, an operator all of them.",
    .example = "  tocsin alerts --all --json | jq -r .handle",
    .next = "  tocsin board ID        who has it, who answered",
    .options = options,
    .run = run_alerts,
};
