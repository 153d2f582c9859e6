/* SPDX-License-Identifier: Apache-2.0 */
/* net.c - see net.h. */
#include "net.h"

#include <inttypes.h>
#include <stdlib.h>

#include "libtocsin/ack.h"

#define TIMEOUT_MS 15000

int tcn_net_open(const tcn_cli *cli, const tcn_args *args, tocsin_client **ret_client)
{
    char home[TCN_HOME_PATH_SIZE];
    tcn_fault fault = {0};
    tocsin_error error;
    tocsin_client_options options;
    const char *timeout = tcn_args_get(args, "timeout"), *proxy = tcn_args_get(args, "proxy");
    int64_t timeout_ms = TIMEOUT_MS;
    if (timeout != NULL && (tcn_duration_parse(timeout, &timeout_ms) != TCN_OK ||
                            timeout_ms < 100 || timeout_ms > TCN_DAY_MS))
        return tcn_cli_usage(cli, "--timeout is a duration like 10s or 2m, not \"%s\"", timeout);
    if (tcn_cli_home(cli, home, &fault) != TCN_OK)
        return tcn_cli_fail(cli, &fault);
    if (tcn_home_kind_of(home) == TCN_HOME_PROGRAM)
        return tcn_cli_refuse(cli, TCN_INVALID,
                              "%s is the authority's home, which stays off the network; name a "
                              "member's: --home %s/members/NAME",
                              home, home);
    tocsin_client_options_init(&options);
    options.home = home;
    options.software = "tocsin " TOCSIN_VERSION;
    options.connect_timeout_ms = options.request_timeout_ms = (uint32_t)timeout_ms;
    options.socks_proxy = proxy != NULL ? proxy : getenv("TOCSIN_PROXY");
    if (tocsin_client_open(&options, ret_client, &error) != TOCSIN_OK)
        return tcn_net_fail(cli, &error);
    return TCN_EXIT_DONE;
}

void tcn_net_close(const tcn_cli *cli, tocsin_client **client)
{
    tocsin_client_info info;
    if (*client == NULL)
        return;
    tocsin_client_get_info(*client, &info, sizeof(info));
    if (info.notice[0] != '\0')
        tcn_cli_warn(cli, "%s", info.notice);
    tocsin_client_close(client);
}

int tcn_net_fail(const tcn_cli *cli, const tocsin_error *error)
{
    return tcn_cli_refuse(cli, (tcn_err)error->code, "%s", error->text);
}

int tcn_net_resolve(const tcn_cli *cli, tocsin_client *client, const char *name, tocsin_id *ret_id)
{
    tocsin_error error;
    if (tocsin_resolve(client, name, ret_id, &error) == TOCSIN_OK)
        return TCN_EXIT_DONE;
    if (error.code == TOCSIN_E_NOT_FOUND)
        return tcn_cli_refuse(cli, TCN_NOT_FOUND,
                              "there is no alert \"%s\", or it is not yours to see", name);
    return tcn_net_fail(cli, &error);
}

int tcn_net_answer(const tcn_cli *cli, const tocsin_answer *answer)
{
    char id[TOCSIN_ID_TEXT_SIZE];
    tocsin_id_text(&answer->id, id);
    tcn_field(cli, "state", answer->accepted ? TCN_GOOD : TCN_WARN, "%s",
              answer->accepted ? "accepted" : "pending");
    if (answer->missing > 0)
        tcn_field(cli, "waits for", TCN_WARN, "%" PRIu32 " more approval%s: tocsin approve %s",
                  answer->missing, answer->missing == 1 ? "" : "s",
                  answer->handle[0] != '\0' ? answer->handle : id);
    if (answer->entitled_known)
        tcn_field(cli, "entitled", TCN_PLAIN, "%" PRIu64 " node%s", answer->entitled,
                  answer->entitled == 1 ? "" : "s");
    if (answer->seq_known)
        tcn_field(cli, "seq", TCN_PLAIN, "%" PRIu64, answer->seq);
    tcn_field(cli, "broker", TCN_PLAIN, "%s", answer->broker);
    json_t *seq = answer->seq_known ? json_integer((json_int_t)answer->seq) : json_null();
    json_t *entitled =
        answer->entitled_known ? json_integer((json_int_t)answer->entitled) : json_null();
    return tcn_done(cli, json_pack("{s:s, s:o, s:o, s:s, s:o, s:o, s:i}", "id", id, "handle",
                                   tcn_net_json_text(answer->handle), "seq", seq, "state",
                                   answer->accepted ? "accepted" : "pending", "broker",
                                   tcn_net_json_text(answer->broker), "entitled", entitled,
                                   "missing", (int)answer->missing));
}

json_t *tcn_net_json_text(const char *text)
{
    return tcn_json_text(text != NULL ? tcn_bytes_str(text) : tcn_bytes_of(NULL, 0));
}

json_t *tcn_net_json_id(const tocsin_id *id)
{
    char text[TOCSIN_ID_TEXT_SIZE];
    tocsin_id_text(id, text);
    return json_string(text);
}

json_t *tcn_net_json_ms(int64_t unix_ms)
{
    return tcn_json_wall((tcn_wall){unix_ms});
}

const char *tcn_net_local(int64_t unix_ms, char text[static TCN_WALL_TEXT_SIZE])
{
    if (unix_ms == 0)
        return "-";
    tcn_wall_local((tcn_wall){unix_ms}, text);
    return text;
}

const char *tcn_answer_word_of(uint32_t answer)
{
    return answer <= TCN_ANSWER_HELP ? tcn_answer_text((tcn_answer)answer) : "unknown";
}

void tcn_waits_text(const tocsin_alert_item *item, char *ret_text, size_t size)
{
    char when[TCN_WALL_TEXT_SIZE], approvals[64] = "", body[64] = "", time[64] = "";
    if ((item->waiting & TOCSIN_WAITS_APPROVAL) != 0)
        (void)snprintf(approvals, sizeof(approvals), "approvals (%" PRIu32 " of %" PRIu32 ")",
                       item->approver_count, item->approvals_needed);
    if ((item->waiting & TOCSIN_WAITS_BODY) != 0)
        (void)snprintf(body, sizeof(body), "%sits body (%" PRIu64 " %%)",
                       approvals[0] != '\0' ? ", " : "",
                       item->body_size > 0 ? item->body_have * 100 / item->body_size : 0);
    if ((item->waiting & TOCSIN_WAITS_NOT_BEFORE) != 0)
        (void)snprintf(time, sizeof(time), "%s%s",
                       approvals[0] != '\0' || body[0] != '\0' ? ", " : "",
                       tcn_net_local(item->not_before, when));
    (void)snprintf(ret_text, size, "%s%s%s", approvals, body, time);
}
