/* SPDX-License-Identifier: Apache-2.0 */
/* broker_status.c - see broker_status.h. */
#include "broker_status.h"

#include <inttypes.h>

static json_t *alarms_json(const tocsin_status *status)
{
    json_t *list = json_array();
    for (uint32_t i = 0; list != NULL && i < status->alarm_count; i++)
        if (json_array_append_new(list, tcn_net_json_text(status->alarms[i])) != 0) {
            json_decref(list);
            return NULL;
        }
    return list;
}

static void print(const tcn_cli *cli, const tocsin_status *status)
{
    char text[1024], when[TCN_WALL_TEXT_SIZE];
    (void)tocsin_text_line(status->broker, text, sizeof(text));
    tcn_out_say(cli, "broker %s", text);
    (void)tocsin_text_line(status->version, text, sizeof(text));
    tcn_field(cli, "version", TCN_PLAIN, "%s, up %" PRIu64 " s", text, status->uptime_ms / 1000);
    tcn_field(cli, "nodes", status->nodes_connected < status->nodes ? TCN_WARN : TCN_GOOD,
              "%" PRIu64 " of %" PRIu64 " connected", status->nodes_connected, status->nodes);
    tcn_field(cli, "clients", TCN_PLAIN, "%" PRIu64, status->clients);
    tcn_field(cli, "trust", TCN_PLAIN, "version %" PRIu64 ", until %s", status->trust_version,
              tcn_net_local(status->trust_expires, when));
    tcn_field(cli, "last bulk", TCN_PLAIN, "%" PRIu64, status->bulk_seq);
    tcn_field(cli, "last emergency", TCN_PLAIN, "%" PRIu64, status->emergency_seq);
    tcn_field(cli, "held", status->held > 0 ? TCN_WARN : TCN_PLAIN, "%" PRIu64, status->held);
    tcn_field(cli, "store", TCN_PLAIN, "%" PRIu64 " of %" PRIu64 " MiB free",
              status->store_free >> 20, status->store_total >> 20);
    for (uint32_t i = 0; i < status->alarm_count; i++) {
        (void)tocsin_text_line(status->alarms[i], text, sizeof(text));
        tcn_field(cli, "ALARM", TCN_BAD, "%s", text);
    }
}

static json_t *status_json(const tocsin_client *client, const tocsin_status *status)
{
    tocsin_client_info info;
    tocsin_client_get_info(client, &info, sizeof(info));
    return json_pack(
        "{s:o, s:o, s:I, s:o, s:o, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:o, s:s, s:I}",
        "broker", tcn_net_json_text(status->broker), "version", tcn_net_json_text(status->version),
        "trust_version", (json_int_t)status->trust_version, "trust_expires",
        tcn_net_json_ms(status->trust_expires), "epoch", tcn_net_json_id(&status->epoch),
        "nodes_connected", (json_int_t)status->nodes_connected, "nodes", (json_int_t)status->nodes,
        "clients", (json_int_t)status->clients, "bulk_seq", (json_int_t)status->bulk_seq,
        "emergency_seq", (json_int_t)status->emergency_seq, "held", (json_int_t)status->held,
        "store_free", (json_int_t)status->store_free, "store_total",
        (json_int_t)status->store_total, "uptime_ms", (json_int_t)status->uptime_ms, "alarms",
        alarms_json(status), "member", info.member, "clock_offset_ms",
        (json_int_t)info.clock_offset_ms);
}

int tcn_broker_status(const tcn_cli *cli, const tcn_args *args)
{
    tocsin_client *client = NULL;
    tocsin_status *status = NULL;
    tocsin_error error;
    int code = tcn_net_open(cli, args, &client);
    if (code == TCN_EXIT_DONE) {
        if (tocsin_get_status(client, &status, &error) != TOCSIN_OK) {
            code = tcn_net_fail(cli, &error);
        } else {
            print(cli, status);
            code = tcn_done(cli, status_json(client, status));
        }
    }
    tocsin_free(status);
    tcn_net_close(cli, &client);
    return code;
}
