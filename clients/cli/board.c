/* SPDX-License-Identifier: Apache-2.0 */
/* board.c - tocsin board: who has an alert, and who answered what. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "net.h"

#define WATCH_MS 1000

/* One look at the board: the counts, the rows for people, the nodes for programs. */
typedef struct {
    uint64_t entitled, received, acked, rejected;
    tcn_table *table;
    json_t *nodes;
} view;

static const tcn_column columns[] = {
    {"NODE", false, false},   {"STATE", false, false},  {"RECEIVED", false, false},
    {"LATENCY", true, false}, {"ANSWER", false, false}, {"AT", false, false},
    {"BY", false, false},     {"NOTE", false, true},
};

static tcn_tone tone_of(uint32_t state)
{
    switch (state) {
    case TOCSIN_NODE_ACKED: return TCN_GOOD;
    case TOCSIN_NODE_PENDING: return TCN_WARN;
    case TOCSIN_NODE_REJECTED:
    case TOCSIN_NODE_REVOKED: return TCN_BAD;
    default: return TCN_PLAIN;
    }
}

static void cell_text(tcn_table *table, const char *text)
{
    char line[1024];
    (void)tocsin_text_line(text, line, sizeof(line));
    tcn_table_cell(table, TCN_PLAIN, "%s", line[0] != '\0' ? line : "-");
}

static void add_row(tcn_table *table, const tocsin_board_item *item)
{
    char when[TCN_WALL_TEXT_SIZE];
    cell_text(table, item->node);
    tcn_table_cell(table, tone_of(item->state), "%s%s%s", tcn_node_state_text(item->state),
                   item->rejected_known ? ": " : "",
                   item->rejected_known ? tocsin_error_word(item->rejected) : "");
    tcn_table_cell(table, TCN_PLAIN, "%s", tcn_net_local(item->received, when));
    if (item->latency_known)
        tcn_table_cell(table, TCN_PLAIN, "%" PRIu64 " ms", item->latency_ms);
    else
        tcn_table_cell(table, TCN_PLAIN, "-");
    tcn_table_cell(table,
                   item->answer == TOCSIN_ANSWER_HELP && item->ack_known ? TCN_BAD : TCN_PLAIN,
                   "%s%s", item->ack_known ? tcn_answer_word_of(item->answer) : "-",
                   item->ack_known && item->by_rule ? " (rule)" : "");
    tcn_table_cell(table, TCN_PLAIN, "%s", tcn_net_local(item->acked, when));
    cell_text(table, item->ack_by);
    cell_text(table, item->note);
}

static json_t *text_or_null(const char *text)
{
    return text[0] != '\0' ? tcn_net_json_text(text) : json_null();
}

static json_t *node_json(const tocsin_board_item *item)
{
    json_t *object = json_pack(
        "{s:o, s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:b}", "node", tcn_net_json_text(item->node),
        "state", tcn_node_state_text(item->state), "received_at", tcn_net_json_ms(item->received),
        "latency_ms",
        item->latency_known ? json_integer((json_int_t)item->latency_ms) : json_null(), "ack",
        item->ack_known ? json_string(tcn_answer_word_of(item->answer)) : json_null(), "ack_at",
        tcn_net_json_ms(item->acked), "ack_by", text_or_null(item->ack_by), "note",
        text_or_null(item->note), "ack_by_rule", (int)item->by_rule);
    if (object != NULL && item->rejected_known &&
        json_object_set_new(object, "rejected", json_string(tocsin_error_word(item->rejected))) !=
            0) {
        json_decref(object);
        return NULL;
    }
    return object;
}

/* received counts everyone who has it, so also those who answered. */
static void count(view *v, const tocsin_board_item *item)
{
    v->entitled += item->state != TOCSIN_NODE_REVOKED;
    v->received += item->state == TOCSIN_NODE_RECEIVED || item->state == TOCSIN_NODE_ACKED;
    v->acked += item->state == TOCSIN_NODE_ACKED;
    v->rejected += item->state == TOCSIN_NODE_REJECTED;
}

static int look(const tcn_cli *cli, tocsin_client *client, const tocsin_id *id, view *v)
{
    tocsin_items *items = NULL;
    tocsin_error error;
    const tocsin_board_item *item = NULL;
    *v = (view){.nodes = json_array(),
                .table = tcn_table_new(columns, sizeof(columns) / sizeof(columns[0]))};
    if (v->nodes == NULL)
        return tcn_cli_refuse(cli, TCN_NO_MEMORY, "out of memory");
    int32_t code = tocsin_list_board(client, id, &items, &error);
    while (code == TOCSIN_OK) {
        code = tocsin_next_board_item(items, &item, &error);
        if (code != TOCSIN_OK || item == NULL)
            break;
        count(v, item);
        add_row(v->table, item);
        if (json_array_append_new(v->nodes, node_json(item)) != 0) {
            tocsin_items_close(&items);
            return tcn_cli_refuse(cli, TCN_NO_MEMORY, "out of memory");
        }
    }
    tocsin_items_close(&items);
    return code == TOCSIN_OK ? TCN_EXIT_DONE : tcn_net_fail(cli, &error);
}

static void view_fini(const tcn_cli *cli, view *v)
{
    tcn_cli quiet = *cli;
    quiet.json = true; /* destroys without printing */
    (void)!tcn_table_print(&quiet, &v->table, "");
    json_decref(v->nodes);
    v->nodes = NULL;
}

static int print(const tcn_cli *cli, const tocsin_id *id, const char *handle, view *v)
{
    tcn_out_say(cli, "%s: %" PRIu64 " entitled, %" PRIu64 " received, %" PRIu64 " acked%s", handle,
                v->entitled, v->received, v->acked, v->rejected > 0 ? ", some rejected" : "");
    if (tcn_table_print(cli, &v->table, "no node is entitled") != TCN_OK)
        return tcn_cli_refuse(cli, TCN_NO_MEMORY, "out of memory");
    json_t *nodes = v->nodes;
    v->nodes = NULL;
    return tcn_done(cli, json_pack("{s:o, s:o, s:I, s:I, s:I, s:o}", "id", tcn_net_json_id(id),
                                   "handle", tcn_net_json_text(handle), "entitled",
                                   (json_int_t)v->entitled, "received", (json_int_t)v->received,
                                   "acked", (json_int_t)v->acked, "nodes", nodes));
}

/* The handle by which people know it; its id where we may not fetch the alert. */
static void name_of(tocsin_client *client, const tocsin_id *id, char *ret_name, size_t size)
{
    char text[TOCSIN_ID_TEXT_SIZE];
    tocsin_alert *alert = NULL;
    tocsin_id_text(id, text);
    (void)snprintf(ret_name, size, "%s", text);
    if (tocsin_fetch_alert(client, id, &alert, NULL) == TOCSIN_OK)
        (void)tocsin_text_line(alert->handle, ret_name, size);
    tocsin_alert_destroy(&alert);
}

/* Prints whenever something changed, until everyone answered or the person has seen enough. */
static int watch(const tcn_cli *cli, tocsin_client *client, const tocsin_id *id, const char *name)
{
    char *before = NULL;
    int code = TCN_EXIT_DONE;
    bool complete = false;
    while (code == TCN_EXIT_DONE && !complete) {
        view v;
        code = look(cli, client, id, &v);
        char *now = code == TCN_EXIT_DONE ? json_dumps(v.nodes, JSON_COMPACT) : NULL;
        complete = v.entitled > 0 && v.acked == v.entitled;
        if (now != NULL && (before == NULL || strcmp(before, now) != 0)) {
            if (cli->colour)
                (void)fputs("\033[H\033[2J", stdout);
            code = print(cli, id, name, &v);
        }
        view_fini(cli, &v);
        free(before);
        before = now;
        const struct timespec pause = {.tv_sec = WATCH_MS / 1000};
        if (code == TCN_EXIT_DONE && !complete)
            (void)nanosleep(&pause, NULL);
    }
    free(before);
    return code;
}

static int board(const tcn_cli *cli, const tcn_args *args, tocsin_client *client)
{
    tocsin_id id;
    char name[64];
    view v;
    int code = tcn_net_resolve(cli, client, args->operand[0], &id);
    if (code != TCN_EXIT_DONE)
        return code;
    name_of(client, &id, name, sizeof(name));
    if (tcn_args_has(args, "watch"))
        return watch(cli, client, &id, name);
    code = look(cli, client, &id, &v);
    if (code == TCN_EXIT_DONE)
        code = print(cli, &id, name, &v);
    view_fini(cli, &v);
    return code;
}

static int run_board(tcn_cli *cli, const tcn_args *args)
{
    tocsin_client *client = NULL;
    int code = tcn_net_open(cli, args, &client);
    if (code == TCN_EXIT_DONE)
        code = board(cli, args, client);
    tcn_net_close(cli, &client);
    return code;
}

static const tcn_option options[] = {
    {.name = "watch", .help = "print again when something changes, until all have answered"},
    TCN_NET_OPTIONS,
    {0}};

const tcn_command tcn_command_board = {
    .name = "board",
    .group = TCN_GROUP_OPERATOR,
    .summary = "who has an alert, and who answered what",
    .usage = "ID [--watch]",
    .help = "One line for every node that is entitled to the alert. Its author and operators may\n"
            "see it. ID is an id, a unique prefix of one, a handle, or \"last\".",
    .example = "  tocsin board last --watch",
    .next = "  tocsin explain ID NODE  why a node does or does not get it",
    .options = options,
    .min_operands = 1,
    .max_operands = 1,
    .run = run_board,
};
