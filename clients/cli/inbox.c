/* SPDX-License-Identifier: Apache-2.0 */
/* inbox.c - tocsin inbox: what the agent beside has received and verified. */

#include "libtocsin/text.h"
#include "libtocsin/topic.h"
#include "local_items.h"

#define TITLE_BYTES (TCN_MAX_TITLE_BYTES * 3 + 1)

/* Since when: a time, or how long ago. */
static int read_since(const tcn_cli *cli, const char *text, tcn_wall *ret_since)
{
    int64_t ago_ms;
    tcn_wall now = tcn_cli_now();
    if (tcn_duration_parse(text, &ago_ms) == TCN_OK) {
        ret_since->unix_ms = ago_ms < now.unix_ms ? now.unix_ms - ago_ms : 0;
        return TCN_EXIT_DONE;
    }
    if (tcn_wall_parse(text, ret_since) == TCN_OK && ret_since->unix_ms >= 0)
        return TCN_EXIT_DONE;
    return tcn_cli_usage(cli,
                         "--since %s: a time with its zone, such as 2026-01-31T12:00:00Z, or "
                         "how long ago, such as 24h",
                         text);
}

/* The request's map, keys ascending. */
static int write_request(const tcn_cli *cli, const tcn_args *args, tcn_cbor_writer *w)
{
    const char *topic = tcn_args_get(args, "topic"), *since_text = tcn_args_get(args, "since");
    bool all = tcn_args_has(args, "all"), unacked = tcn_args_has(args, "unacked");
    bool follow = tcn_args_has(args, "follow");
    tcn_wall since = {0};
    if (topic != NULL && tcn_pattern_check(tcn_bytes_str(topic)) != TCN_OK)
        return tcn_cli_usage(cli, "--topic \"%s\" is no pattern, such as advisory.> or *.vendor.*",
                             topic);
    int code = since_text != NULL ? read_since(cli, since_text, &since) : TCN_EXIT_DONE;
    if (code != TCN_EXIT_DONE)
        return code;
    tcn_cbor_put_map(w, (uint64_t)all + unacked + (topic != NULL) + (since_text != NULL) + follow);
    if (all) {
        tcn_cbor_put_uint(w, 1);
        tcn_cbor_put_bool(w, true);
    }
    if (unacked) {
        tcn_cbor_put_uint(w, 2);
        tcn_cbor_put_bool(w, true);
    }
    if (topic != NULL) {
        tcn_cbor_put_uint(w, 3);
        tcn_cbor_put_text(w, topic);
    }
    if (since_text != NULL) {
        tcn_cbor_put_uint(w, 4);
        tcn_cbor_put_uint(w, (uint64_t)since.unix_ms);
    }
    if (follow) {
        tcn_cbor_put_uint(w, 5);
        tcn_cbor_put_bool(w, true);
    }
    return TCN_EXIT_DONE;
}

/* What a person must see first: "EMERGENCY", "exercise", "cancelled", marks. */
static void notice(const tcn_inbox_item *item, char *ret_text, size_t size)
{
    unsigned at = 0;
    size_t len = (size_t)snprintf(
        ret_text, size, "%s%s%s", item->lane == TCN_LANE_EMERGENCY ? "EMERGENCY " : "",
        item->status != TCN_STATUS_ACTUAL ? tcn_status_text(item->status) : "",
        item->status != TCN_STATUS_ACTUAL ? " " : "");
    if (item->kind != TCN_KIND_ALERT && len < size)
        len += (size_t)snprintf(ret_text + len, size - len, "%s ", tcn_kind_text(item->kind));
    if (item->state != TCN_INBOX_IN_FORCE && len < size)
        len +=
            (size_t)snprintf(ret_text + len, size - len, "%s ", tcn_inbox_state_text(item->state));
    for (const tcn_mark_text *mark; len < size && (mark = tcn_marks_next(item->marks, &at));)
        len += (size_t)snprintf(ret_text + len, size - len, "%s ", mark->word);
    if (len > 0 && len < size)
        ret_text[len - 1] = '\0';
}

static tcn_tone tone_of(const tcn_inbox_item *item)
{
    if (item->state != TCN_INBOX_IN_FORCE)
        return TCN_DIM;
    if (item->lane == TCN_LANE_EMERGENCY && item->status == TCN_STATUS_ACTUAL)
        return TCN_BAD;
    return item->marks != 0 ? TCN_WARN : TCN_PLAIN;
}

static const char *answer_of(const tcn_inbox_item *item)
{
    if (!item->answered)
        return item->ack_by.unix_ms > 0 && item->state == TCN_INBOX_IN_FORCE ? "WANTED" : "-";
    return tcn_answer_text(item->answer);
}

/* One item for people: a row of the table, or when following a line of its own. */
static void print_item(const tcn_cli *cli, tcn_table *table, const tcn_inbox_item *item)
{
    char received[TCN_WALL_TEXT_SIZE], handle[128], title[TITLE_BYTES], note[256] = "";
    tcn_wall_local(item->received, received);
    tcn_text_line(item->handle, handle, sizeof(handle));
    tcn_text_line(item->title, title, sizeof(title));
    notice(item, note, sizeof(note));
    if (table == NULL) {
        tcn_out_say(cli, "%s  %-20s  %-16s  %s%s%s", received, handle, tcn_tlp_label(item->tlp),
                    note, note[0] != '\0' ? "  " : "", title);
        return;
    }
    tcn_table_cell(table, TCN_PLAIN, "%s", received);
    tcn_table_cell(table, TCN_BOLD, "%s", handle);
    tcn_table_cell(table, TCN_PLAIN, "%s", tcn_tlp_label(item->tlp));
    tcn_table_cell(table, TCN_PLAIN, "%s", answer_of(item));
    tcn_table_cell(table, tone_of(item), "%s", note[0] != '\0' ? note : "-");
    tcn_table_cell(table, TCN_PLAIN, "%s", title);
}

static tcn_err print_reply(const tcn_cli *cli, const tcn_local_reply *reply, tcn_table *table,
                           tcn_fault *fault)
{
    tcn_cbor_reader r;
    tcn_cbor_reader_init(&r, reply->raw);
    for (size_t i = 0; i < reply->items; i++) {
        tcn_inbox_item item;
        tcn_inbox_item_get(&r, &item);
        if (r.err != TCN_OK)
            return tcn_fault_set(fault, r.err, "the agent's answer: %s", tcn_err_text(r.err));
        if (!cli->json) {
            print_item(cli, table, &item);
            continue;
        }
        tcn_err err = tcn_json_out(cli, tcn_inbox_item_json(&item));
        if (err != TCN_OK)
            return tcn_fault_set(fault, err, "%s", tcn_err_text(err));
    }
    if (fflush(stdout) != 0)
        return tcn_fault_set(fault, TCN_IO, "the output could not be written");
    return TCN_OK;
}

/* Replies until the last one; when following there is none. */
static tcn_err print_replies(const tcn_cli *cli, tcn_local *local, bool follow, tcn_table *table,
                             tcn_fault *fault)
{
    tcn_local_reply reply = {.more = true};
    while (reply.more || follow) {
        tcn_err err = tcn_local_receive(local, follow ? -1 : TCN_LOCAL_TIMEOUT_MS, &reply, fault);
        if (err == TCN_BUSY)
            continue;
        if (err == TCN_OK)
            err = print_reply(cli, &reply, table, fault);
        if (err != TCN_OK)
            return err;
    }
    return TCN_OK;
}

static int list(const tcn_cli *cli, tcn_local *local, bool follow, tcn_bytes request)
{
    static const tcn_column columns[] = {{"RECEIVED", false, false}, {"HANDLE", false, false},
                                         {"TLP", false, false},      {"ANSWER", false, false},
                                         {"NOTICE", false, false},   {"TITLE", false, true}};
    tcn_fault fault = {0};
    tcn_table *table = follow ? NULL : tcn_table_new(columns, 6);
    tcn_err err = tcn_local_send(local, TCN_LOCAL_INBOX, request, &fault);
    if (err == TCN_OK)
        err = print_replies(cli, local, follow, table, &fault);
    if (!follow && tcn_table_print(cli, &table, err == TCN_OK ? "nothing" : "") != TCN_OK &&
        err == TCN_OK)
        err = tcn_fault_set(&fault, TCN_NO_MEMORY, "out of memory");
    return err == TCN_OK ? tcn_finish(cli, TCN_OK) : tcn_cli_fail(cli, &fault);
}

static int run_inbox(tcn_cli *cli, const tcn_args *args)
{
    uint8_t bytes[TCN_MAX_TOPIC_CHARS + 64];
    tcn_cbor_writer w;
    tcn_bytes request;
    tcn_local *local;
    tcn_cbor_writer_init(&w, bytes, sizeof(bytes));
    int code = write_request(cli, args, &w);
    if (code != TCN_EXIT_DONE)
        return code;
    if (tcn_cbor_writer_done(&w, &request) != TCN_OK)
        return tcn_cli_usage(cli, "--topic is too long");
    code = tcn_agent_connect(cli, &local);
    if (code != TCN_EXIT_DONE)
        return code;
    code = list(cli, local, tcn_args_has(args, "follow"), request);
    tcn_local_close(&local);
    return code;
}

static const tcn_option options[] = {
    {.name = "all", .help = "also what is no longer in force"},
    {.name = "unacked", .help = "only what nobody here has answered"},
    {.name = "topic", .arg = "PATTERN", .help = "only topics like advisory.>"},
    {.name = "since", .arg = "T", .help = "only received since a time, or 24h ago"},
    {.name = "follow", .help = "stay, and print each alert as it comes"},
    {0}};

const tcn_command tcn_command_inbox = {
    .name = "inbox",
    .group = TCN_GROUP_NODE,
    .summary = "the alerts that this node has received",
    .usage = "[--all] [--unacked] [--topic PATTERN] [--since T] [--follow]",
    .help = "Lists the alerts in force, oldest first, as the agent has verified and stored them;\n"
            "what was retracted, replaced or is over, and the notices that say so, with --all.\n"
            "NOTICE says what is unusual: an emergency, an exercise, a cancelled alert, a mark;\n"
            "tocsin show explains them. ANSWER is WANTED where the publisher set a time to\n"
            "answer by.",
    .example = "  tocsin inbox --unacked\n"
               "  tocsin inbox --follow --json | while read -r line; do ...; done",
    .next = "  Read one: tocsin show ID. Answer it: tocsin ack ID acting",
    .options = options,
    .run = run_inbox,
};
