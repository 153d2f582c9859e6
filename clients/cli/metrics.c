/* SPDX-License-Identifier: Apache-2.0 */
/* metrics.c - tocsin metrics: what nodes last said of their health. */
#include <inttypes.h>

#include "net.h"

static const tcn_column columns[] = {
    {"NODE", false, false}, {"AT", false, false}, {"METRIC", false, false}, {"VALUE", true, true}};

static const char *name_of(const tocsin_metric *metric, char memory[static 16])
{
    const char *name = tocsin_metric_name(metric->key);
    if (name != NULL)
        return name;
    (void)snprintf(memory, 16, "%" PRIu32, metric->key);
    return memory;
}

static void add_rows(tcn_table *table, const tocsin_metrics_item *item)
{
    char node[256], when[TCN_WALL_TEXT_SIZE], number[16], text[512];
    (void)tocsin_text_line(item->node, node, sizeof(node));
    for (uint32_t i = 0; i < item->metric_count; i++) {
        const tocsin_metric *metric = &item->metrics[i];
        tcn_table_cell(table, TCN_PLAIN, "%s", i == 0 ? node : "");
        tcn_table_cell(table, TCN_PLAIN, "%s", i == 0 ? tcn_net_local(item->at, when) : "");
        tcn_table_cell(table, TCN_PLAIN, "%s", name_of(metric, number));
        if (metric->text != NULL)
            (void)tocsin_text_line(metric->text, text, sizeof(text));
        else
            (void)snprintf(text, sizeof(text), "%" PRId64, metric->number);
        tcn_table_cell(table, TCN_PLAIN, "%s", text);
    }
}

static json_t *item_json(const tocsin_metrics_item *item)
{
    char number[16];
    json_t *metrics = json_object();
    for (uint32_t i = 0; i < item->metric_count && metrics != NULL; i++) {
        const tocsin_metric *metric = &item->metrics[i];
        json_t *value =
            metric->text != NULL ? tcn_net_json_text(metric->text) : json_integer(metric->number);
        if (json_object_set_new(metrics, name_of(metric, number), value) != 0) {
            json_decref(metrics);
            return NULL;
        }
    }
    return json_pack("{s:o, s:o, s:o}", "node", tcn_net_json_text(item->node), "at",
                     tcn_net_json_ms(item->at), "metrics", metrics);
}

static int list(const tcn_cli *cli, const tcn_args *args, tocsin_client *client)
{
    tocsin_items *items = NULL;
    tocsin_error error;
    const tocsin_metrics_item *item = NULL;
    if (tocsin_list_metrics(client, args->operand[0], &items, &error) != TOCSIN_OK)
        return tcn_net_fail(cli, &error);
    tcn_table *table = tcn_table_new(columns, sizeof(columns) / sizeof(columns[0]));
    int code = TCN_EXIT_DONE;
    for (;;) {
        if (tocsin_next_metrics_item(items, &item, &error) != TOCSIN_OK)
            code = tcn_net_fail(cli, &error);
        if (code != TCN_EXIT_DONE || item == NULL)
            break;
        if (!cli->json)
            add_rows(table, item);
        else if (tcn_json_out(cli, item_json(item)) != TCN_OK)
            code = TCN_EXIT_REFUSED;
    }
    tocsin_items_close(&items);
    if (tcn_table_print(cli, &table, "no node has sent metrics yet") != TCN_OK)
        return tcn_cli_refuse(cli, TCN_NO_MEMORY, "out of memory");
    return code;
}

static int run_metrics(tcn_cli *cli, const tcn_args *args)
{
    tocsin_client *client = NULL;
    int code = tcn_net_open(cli, args, &client);
    if (code == TCN_EXIT_DONE)
        code = list(cli, args, client);
    tcn_net_close(cli, &client);
    return code;
}

static const tcn_option options[] = {TCN_NET_OPTIONS, {0}};

const tcn_command tcn_command_metrics = {
    .name = "metrics",
    .group = TCN_GROUP_OPERATOR,
    .summary = "what nodes last said of their health",
    .usage = "[NODE]",
    .help = "Cursors, queues, disk, clock and version of each node's agent, for operators.",
    .example = "  tocsin metrics north",
    .options = options,
    .max_operands = 1,
    .run = run_metrics,
};
