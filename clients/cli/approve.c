/* SPDX-License-Identifier: Apache-2.0 */
/* approve.c - tocsin approve: a second person puts a name to an emergency. */
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include "libtocsin/text.h"
#include "net.h"

static void show_line(const tcn_cli *cli, const char *label, const char *text)
{
    char line[2048];
    (void)tocsin_text_line(text, line, sizeof(line));
    tcn_field(cli, label, TCN_PLAIN, "%s", line);
}

/* What is about to be signed. */
static void show(const tcn_cli *cli, const tocsin_alert *alert)
{
    char when[TCN_WALL_TEXT_SIZE];
    tcn_out_say(cli, "%s", alert->handle);
    for (uint32_t i = 0; i < alert->text_count; i++)
        show_line(cli, i == 0 ? "title" : alert->texts[i].lang, alert->texts[i].title);
    show_line(cli, "publisher", alert->publisher);
    show_line(cli, "topic", alert->topic);
    tcn_field(cli, "TLP", TCN_PLAIN, "%s", tcn_tlp_label((tcn_tlp)alert->tlp));
    tcn_field(cli, "kind", TCN_PLAIN, "%s, %s, lane %s", tcn_kind_text((tcn_kind)alert->kind),
              tcn_status_text((tcn_status)alert->status), tcn_lane_text((tcn_lane)alert->lane));
    for (uint32_t i = 0; i < alert->text_count; i++)
        if (alert->texts[i].summary[0] != '\0')
            show_line(cli, "summary", alert->texts[i].summary);
    if (alert->kind != TOCSIN_KIND_CANCEL)
        tcn_field(cli, "urgency", TCN_PLAIN, "%s", tcn_urgency_text((tcn_urgency)alert->urgency));
    for (uint32_t i = 0; i < alert->community_count; i++)
        show_line(cli, "community", alert->communities[i]);
    if (alert->audience_count > 0)
        tcn_field(cli, "recipients", TCN_PLAIN, "%" PRIu32 " by name", alert->audience_count);
    if (alert->ask[0] != '\0')
        show_line(cli, "ask", alert->ask);
    if (alert->reason_text[0] != '\0')
        show_line(cli, "reason", alert->reason_text);
    tcn_field(cli, "created", TCN_PLAIN, "%s", tcn_net_local(alert->created, when));
    if (alert->not_before != 0)
        tcn_field(cli, "not before", TCN_PLAIN, "%s", tcn_net_local(alert->not_before, when));
    tcn_field(cli, "expires", TCN_PLAIN, "%s", tcn_net_local(alert->expires, when));
    if (alert->ack_by != 0)
        tcn_field(cli, "answer by", TCN_PLAIN, "%s", tcn_net_local(alert->ack_by, when));
    tcn_field(cli, "body", TCN_PLAIN, "%s, %" PRIu64 " bytes", alert->content_type,
              alert->decoded_size);
    for (uint32_t i = 0; i < alert->signer_count; i++)
        tcn_field(cli, "signed by", TCN_PLAIN, "%s as %s", alert->signers[i].member,
                  tcn_role_word(alert->signers[i].role));
}

/* The body, for who wants to read it before signing. */
static int show_body(const tcn_cli *cli, const tocsin_alert *alert)
{
    tocsin_error error;
    uint8_t *bytes = NULL;
    if (alert->external)
        return tcn_cli_refuse(cli, TCN_INVALID, "the body travels apart and cannot be shown here");
    if (tocsin_body_decode(alert, alert->body, alert->encoded_size, &bytes, &error) != TOCSIN_OK)
        return tcn_net_fail(cli, &error);
    size_t size = 3 * (size_t)alert->decoded_size + 4;
    char *text = malloc(size);
    if (text != NULL) {
        (void)tcn_text_block(tcn_bytes_of(bytes, (size_t)alert->decoded_size), text, size);
        tcn_out_say(cli, "\n%s\n", text);
    }
    bool shown = text != NULL;
    free(text);
    tocsin_free(bytes);
    return shown ? TCN_EXIT_DONE : tcn_cli_refuse(cli, TCN_NO_MEMORY, "out of memory");
}

static bool confirmed(const tcn_cli *cli, const tcn_args *args)
{
    char line[16] = "";
    if (tcn_args_has(args, "yes") || cli->json || !isatty(STDIN_FILENO))
        return true;
    (void)fflush(stdout);
    (void)fprintf(stderr, "Approve this? [y/N] ");
    return fgets(line, sizeof(line), stdin) != NULL && (line[0] == 'y' || line[0] == 'Y');
}

static bool is_approver(const tocsin_alert_item *item, const char *member)
{
    for (uint32_t i = 0; i < item->approver_count; i++)
        if (strcmp(item->approvers[i], member) == 0)
            return true;
    return false;
}

/* "last" to approve is the newest that waits for an approval of ours. */
static int find_last(const tcn_cli *cli, tocsin_client *client, tocsin_id *ret_id)
{
    tocsin_client_info info;
    tocsin_items *items = NULL;
    tocsin_error error;
    const tocsin_alert_item *item = NULL;
    int64_t newest = INT64_MIN;
    tocsin_client_get_info(client, &info, sizeof(info));
    int32_t code = tocsin_list_pending(client, &items, &error);
    while (code == TOCSIN_OK) {
        code = tocsin_next_alert_item(items, &item, &error);
        if (code != TOCSIN_OK || item == NULL)
            break;
        if ((item->waiting & TOCSIN_WAITS_APPROVAL) != 0 && !is_approver(item, info.member) &&
            item->created > newest) {
            newest = item->created;
            *ret_id = item->id;
        }
    }
    tocsin_items_close(&items);
    if (code != TOCSIN_OK)
        return tcn_net_fail(cli, &error);
    if (newest == INT64_MIN)
        return tcn_cli_refuse(cli, TCN_NOT_FOUND, "nothing waits for an approval of %s",
                              info.member);
    return TCN_EXIT_DONE;
}

static int approve(const tcn_cli *cli, const tcn_args *args, tocsin_client *client)
{
    tocsin_error error;
    tocsin_id id;
    tocsin_alert *alert = NULL;
    tocsin_answer answer;
    const char *name = args->operand[0];
    int code = strcmp(name, "last") == 0 ? find_last(cli, client, &id)
                                         : tcn_net_resolve(cli, client, name, &id);
    if (code != TCN_EXIT_DONE)
        return code;
    if (tocsin_fetch_alert(client, &id, &alert, &error) != TOCSIN_OK)
        return tcn_net_fail(cli, &error);
    show(cli, alert);
    if (tcn_args_has(args, "body"))
        code = show_body(cli, alert);
    if (code == TCN_EXIT_DONE && !confirmed(cli, args))
        code = tcn_cli_refuse(cli, TCN_DENIED, "not approved");
    if (code == TCN_EXIT_DONE) {
        if (tocsin_approve(client, alert, &answer, &error) == TOCSIN_OK) {
            tcn_out_say(cli, "Approved.");
            code = tcn_net_answer(cli, &answer);
        } else {
            code = tcn_net_fail(cli, &error);
        }
    }
    tocsin_alert_destroy(&alert);
    return code;
}

static int run_approve(tcn_cli *cli, const tcn_args *args)
{
    tocsin_client *client = NULL;
    int code = tcn_net_open(cli, args, &client);
    if (code == TCN_EXIT_DONE)
        code = approve(cli, args, client);
    tcn_net_close(cli, &client);
    return code;
}

static const tcn_option options[] = {{.name = "yes", .help = "do not ask"},
                                     {.name = "body", .help = "show the document, too"},
                                     TCN_NET_OPTIONS,
                                     {0}};

const tcn_command tcn_command_approve = {
    .name = "approve",
    .group = TCN_GROUP_PUBLISHER,
    .summary = "sign an alert that waits for approval",
    .usage = "ID [--yes] [--body]",
    .help = "Fetches the alert, verifies its signatures, shows what is to be signed, asks, and\n"
            "signs exactly that. ID is an id, a unique prefix of one, a handle, or \"last\": the\n"
            "newest that waits for your approval.\n"
            "Asks only on a terminal.",
    .example = "  tocsin approve CERT-2026-7K3M9Q",
    .next = "  tocsin board ID        who has it, who answered",
    .options = options,
    .min_operands = 1,
    .max_operands = 1,
    .run = run_approve,
};
