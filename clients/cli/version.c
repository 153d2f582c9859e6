/* SPDX-License-Identifier: Apache-2.0 */
/* version.c - tocsin version: which Tocsin this is, and its limits. */
#include <inttypes.h>
#include <tocsin/version.h>

#include "libtocsin/limits.h"
#include "libtocsin/wire.h"
#include "out.h"

static int print_limits(const tcn_cli *cli)
{
    static const tcn_column columns[] = {{"LIMIT", false, false},
                                         {"VALUE", true, false},
                                         {"UNIT", false, false},
                                         {"WHY", false, true}};
    unsigned count;
    const tcn_limit *limits = tcn_limits(&count);
    tcn_table *table = tcn_table_new(columns, 4);
    tcn_err err = TCN_OK;
    for (unsigned i = 0; i < count && err == TCN_OK; i++) {
        const tcn_limit *limit = &limits[i];
        tcn_table_cell(table, TCN_PLAIN, "%s", limit->name);
        tcn_table_cell(table, TCN_PLAIN, "%" PRIu64, limit->value);
        tcn_table_cell(table, TCN_PLAIN, "%s", limit->unit);
        tcn_table_cell(table, TCN_PLAIN, "%s", limit->reason);
        json_t *row =
            json_pack("{s:s, s:I, s:s, s:s}", "limit", limit->name, "value",
                      (json_int_t)limit->value, "unit", limit->unit, "reason", limit->reason);
        err = tcn_json_out(cli, row);
    }
    tcn_err printed = tcn_table_print(cli, &table, "");
    return tcn_finish(cli, err == TCN_OK ? printed : err);
}

static int run_version(tcn_cli *cli, const tcn_args *args)
{
    if (tcn_args_has(args, "limits"))
        return print_limits(cli);
    tcn_out_say(cli, "tocsin %s (protocol %d)", tocsin_version(), TCN_PROTOCOL_VERSION);
    return tcn_done(cli, json_pack("{s:s, s:i}", "version", tocsin_version(), "protocol",
                                   TCN_PROTOCOL_VERSION));
}

static const tcn_option options[] = {
    {.name = "limits", .help = "print every limit that a peer can push against, and why it is"},
    {0}};

const tcn_command tcn_command_version = {
    .name = "version",
    .group = TCN_GROUP_ANYONE,
    .summary = "which Tocsin this is; --limits: what it accepts at most",
    .usage = "[--limits]",
    .help = "Prints the version of the programs and of the protocol that they speak.",
    .example = "  tocsin version --limits",
    .options = options,
    .run = run_version,
};
