/* SPDX-License-Identifier: Apache-2.0 */
/* roster_put.c - see roster_put.h. */
#include "roster_put.h"

#include <inttypes.h>
#include <stdlib.h>

#include "libtocsin/file.h"
#include "progress.h"

static void show_progress(void *arg, uint64_t done, uint64_t total)
{
    tcn_progress *progress = arg;
    progress->total = total;
    tcn_progress_at(progress, done);
}

/* The version in a file that verifies against the home's authority. */
static tcn_err check_file(const tcn_cli *cli, tcn_bytes file, uint64_t *ret_version,
                          tcn_fault *fault)
{
    char home[TCN_HOME_PATH_SIZE];
    tcn_member_home member;
    tcn_roster *roster = NULL;
    tcn_err err = tcn_cli_home(cli, home, fault);
    if (err == TCN_OK)
        err = tcn_member_home_open(home, &member, fault);
    if (err != TCN_OK)
        return err;
    err = tcn_roster_open(file, &member.authority, &roster, fault);
    tcn_member_home_fini(&member);
    if (err != TCN_OK)
        return err;
    *ret_version = tcn_roster_version(roster);
    tcn_roster_unref(&roster);
    return TCN_OK;
}

static int put(const tcn_cli *cli, const tcn_args *args, tcn_bytes file, uint64_t version)
{
    tocsin_client *client = NULL;
    tocsin_client_info info;
    tocsin_error error;
    tcn_progress progress;
    int code = tcn_net_open(cli, args, &client);
    if (code != TCN_EXIT_DONE)
        return code;
    tcn_progress_begin(cli, &progress, "roster", file.len);
    int32_t result =
        tocsin_put_roster(client, file.ptr, file.len, show_progress, &progress, &error);
    tcn_progress_end(&progress);
    if (result != TOCSIN_OK) {
        code = tcn_net_fail(cli, &error);
    } else {
        tocsin_client_get_info(client, &info, sizeof(info));
        tcn_out_say(cli, "Broker %s has version %" PRIu64 " now.", info.broker, version);
        code = tcn_done(
            cli, json_pack("{s:I, s:s}", "version", (json_int_t)version, "broker", info.broker));
    }
    tcn_net_close(cli, &client);
    return code;
}

int tcn_roster_put(const tcn_cli *cli, const tcn_args *args)
{
    tcn_fault fault = {0}, inner = {0};
    uint8_t *file = NULL;
    size_t len = 0;
    uint64_t version = 0;
    tcn_err err = tcn_file_read(args->operand[0], TCN_MAX_ROSTER_BYTES, &file, &len, &fault);
    if (err == TCN_OK)
        err = check_file(cli, tcn_bytes_of(file, len), &version, &inner);
    if (err != TCN_OK && inner.err != TCN_OK)
        tcn_fault_set(&fault, err, "%s: %s", args->operand[0], inner.text);
    int code = err == TCN_OK ? put(cli, args, tcn_bytes_of(file, len), version)
                             : tcn_cli_fail(cli, &fault);
    free(file);
    return code;
}
