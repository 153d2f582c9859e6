/* SPDX-License-Identifier: Apache-2.0 */
/* cancel.c - tocsin retract: it was wrong; tocsin all-clear: it is over. */
#include "publish.h"

static int cancel(const tcn_cli *cli, const tcn_args *args, tocsin_client *client, uint32_t reason)
{
    tocsin_error error;
    tocsin_id id;
    tocsin_prepared *prepared = NULL;
    int code = tcn_net_resolve(cli, client, args->operand[0], &id);
    if (code != TCN_EXIT_DONE)
        return code;
    if (tocsin_prepare_cancel(client, &id, reason, tcn_args_get(args, "reason"), &prepared,
                              &error) != TOCSIN_OK)
        return tcn_net_fail(cli, &error);
    code = tcn_publish_send(cli, client, prepared);
    tocsin_prepared_destroy(&prepared);
    return code;
}

static int run(const tcn_cli *cli, const tcn_args *args, uint32_t reason)
{
    tocsin_client *client = NULL;
    int code = tcn_net_open(cli, args, &client);
    if (code == TCN_EXIT_DONE)
        code = cancel(cli, args, client, reason);
    tcn_net_close(cli, &client);
    return code;
}

static int run_retract(tcn_cli *cli, const tcn_args *args)
{
    return run(cli, args, TOCSIN_REASON_RETRACT);
}

static int run_all_clear(tcn_cli *cli, const tcn_args *args)
{
    return run(cli, args, TOCSIN_REASON_ALL_CLEAR);
}

static const tcn_option retract_options[] = {
    {.name = "reason", .arg = "S", .help = "why, for every reader", .flags = TCN_OPTION_REQUIRED},
    TCN_NET_OPTIONS,
    {0}};

static const tcn_option clear_options[] = {
    {.name = "reason", .arg = "S", .help = "a sentence for every reader"}, TCN_NET_OPTIONS, {0}};

const tcn_command tcn_command_retract = {
    .name = "retract",
    .group = TCN_GROUP_PUBLISHER,
    .summary = "take an alert back: it was wrong",
    .usage = "ID --reason S",
    .help = "Publishes a cancel that reaches everyone who got the alert. The author may, and any\n"
            "approver. ID is an id, a unique prefix of one, a handle, or \"last\".",
    .example = "  tocsin retract VENDOR-2026-7K3M9Q --reason 'Sent to the wrong topic'",
    .next = "  tocsin board ID        who has it, who answered",
    .options = retract_options,
    .min_operands = 1,
    .max_operands = 1,
    .run = run_retract,
};

const tcn_command tcn_command_all_clear = {
    .name = "all-clear",
    .group = TCN_GROUP_PUBLISHER,
    .summary = "end an alert: it is over",
    .usage = "ID [--reason S]",
    .help = "Publishes a cancel that reaches everyone who got the alert. The author may, and any\n"
            "approver. ID is an id, a unique prefix of one, a handle, or \"last\".",
    .example = "  tocsin all-clear CERT-2026-7K3M9Q --reason 'The water has gone down'",
    .next = "  tocsin board ID        who has it, who answered",
    .options = clear_options,
    .min_operands = 1,
    .max_operands = 1,
    .run = run_all_clear,
};
