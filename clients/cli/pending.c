/* SPDX-License-Identifier: Apache-2.0 */
/* pending.c - tocsin pending: what the broker holds, and what for. */
#include <inttypes.h>

#include "alert_json.h"

static json_t *approvers_json(const tocsin_alert_item *item)
{
    json_t *list = json_array();
    for (uint32_t i = 0; list != NULL && i < item->approver_count; i++)
        if (json_array_append_new(list, tcn_net_json_text(item->approvers[i])) != 0) {
            json_decref(list);
            return NULL;
        }
    return list;
}

static json_t *waits_json(const tocsin_alert_item *item)
{
    static const struct {
        uint32_t bit;
        const char *word;
    } words[] = {{TOCSIN_WAITS_APPROVAL, "approval"},
                 {TOCSIN_WAITS_BODY, "body"},
                 {TOCSIN_WAITS_NOT_BEFORE, "not-before"}};
    json_t *list = json_array();
    for (unsigned i = 0; list != NULL && i < 3; i++)
        if ((item->waiting & words[i].bit) != 0 &&
            json_array_append_new(list, json_string(words[i].word)) != 0) {
            json_decref(list);
            return NULL;
        }
    return list;
}

json_t *tcn_alert_item_json(const tocsin_alert_item *item)
{
    json_t *seq = item->seq_known ? json_integer((json_int_t)item->seq) : json_null();
    json_t *object = json_pack(
        "{s:o, s:o, s:o, s:s, s:o, s:s, s:s, s:o, s:o, s:o, s:s, s:s, s:o, s:o}", "id",
        tcn_net_json_id(&item->id), "handle", tcn_net_json_text(item->handle), "seq", seq, "lane",
        tcn_lane_text((tcn_lane)item->lane), "topic", tcn_net_json_text(item->topic), "tlp",
        tcn_tlp_text((tcn_tlp)item->tlp), "status", tcn_status_text((tcn_status)item->status),
        "title", tcn_net_json_text(item->title), "publisher", tcn_net_json_text(item->publisher),
        "created", tcn_net_json_ms(item->created), "state", tcn_state_text(item->state), "kind",
        tcn_kind_text((tcn_kind)item->kind), "accepted", tcn_net_json_ms(item->accepted), "expires",
        tcn_net_json_ms(item->expires));
    if (object == NULL || item->state != TOCSIN_ALERT_HELD)
        return object;
    json_t *held =
        json_pack("{s:o, s:i, s:o, s:o, s:I, s:I}", "waiting", waits_json(item), "approvals_needed",
                  (int)item->approvals_needed, "approved_by", approvers_json(item), "not_before",
                  tcn_net_json_ms(item->not_before), "body_have", (json_int_t)item->body_have,
                  "body_size", (json_int_t)item->body_size);
    if (held == NULL || json_object_update(object, held) != 0) {
        json_decref(held);
        json_decref(object);
        return NULL;
    }
    json_decref(held);
    return object;
}

static const tcn_column columns[] = {{"HANDLE", false, false}, {"PUBLISHER", false, false},
                                     {"TITLE", false, true},   {"TLP", false, false},
                                     {"LANE", false, false},   {"WAITS FOR", false, false},
                                     {"CREATED", false, false}};

static void add_row(tcn_table *table, const tocsin_alert_item *item)
{
    char text[1024], when[TCN_WALL_TEXT_SIZE];
    (void)tocsin_text_line(item->handle, text, sizeof(text));
    tcn_table_cell(table, TCN_PLAIN, "%s", text);
    (void)tocsin_text_line(item->publisher, text, sizeof(text));
    tcn_table_cell(table, TCN_PLAIN, "%s", text);
    (void)tocsin_text_line(item->title, text, sizeof(text));
    tcn_table_cell(table, TCN_PLAIN, "%s", text);
    tcn_table_cell(table, TCN_PLAIN, "%s", tcn_tlp_label((tcn_tlp)item->tlp));
    tcn_table_cell(table, item->lane == TOCSIN_LANE_EMERGENCY ? TCN_BAD : TCN_PLAIN, "%s",
                   tcn_lane_text((tcn_lane)item->lane));
    tcn_waits_text(item, text, sizeof(text));
    tcn_table_cell(table, TCN_WARN, "%s", text);
    tcn_table_cell(table, TCN_PLAIN, "%s", tcn_net_local(item->created, when));
}

static int list(const tcn_cli *cli, tocsin_client *client)
{
    tocsin_items *items = NULL;
    tocsin_error error;
    const tocsin_alert_item *item = NULL;
    if (tocsin_list_pending(client, &items, &error) != TOCSIN_OK)
        return tcn_net_fail(cli, &error);
    tcn_table *table = tcn_table_new(columns, sizeof(columns) / sizeof(columns[0]));
    int code = TCN_EXIT_DONE;
    for (;;) {
        if (tocsin_next_alert_item(items, &item, &error) != TOCSIN_OK)
            code = tcn_net_fail(cli, &error);
        if (code != TCN_EXIT_DONE || item == NULL)
            break;
        add_row(table, item);
        if (cli->json && tcn_json_out(cli, tcn_alert_item_json(item)) != TCN_OK)
            code = TCN_EXIT_REFUSED;
    }
    tocsin_items_close(&items);
    if (tcn_table_print(cli, &table, "nothing is held") != TCN_OK)
        return tcn_cli_refuse(cli, TCN_NO_MEMORY, "out of memory");
    return code;
}

static int run_pending(tcn_cli *cli, const tcn_args *args)
{
    tocsin_client *client = NULL;
    int code = tcn_net_open(cli, args, &client);
    if (code == TCN_EXIT_DONE)
        code = list(cli, client);
    tcn_net_close(cli, &client);
    return code;
}

static const tcn_option options[] = {TCN_NET_OPTIONS, {0}};

const tcn_command tcn_command_pending = {
    .name = "pending",
    .group = TCN_GROUP_PUBLISHER,
    .summary = "alerts that the broker holds, and what they wait for",
    .usage = "",
    .help = "A publisher sees its own, an approver all emergencies, an operator all.",
    .example = "  tocsin pending",
    .next = "  tocsin approve ID",
    .options = options,
    .run = run_pending,
};
