/* SPDX-License-Identifier: Apache-2.0 */
/* client.c - opening and closing a client of the public API (tocsin/client.h). */
#include <tocsin/client.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "client_core.h"

enum { CONNECT_MS = 10000, REQUEST_MS = 20000, LEAST_MS = 100 };

void tocsin_client_options_init(tocsin_client_options *ret_options)
{
    *ret_options = (tocsin_client_options){.struct_size = sizeof(*ret_options),
                                           .connect_timeout_ms = CONNECT_MS,
                                           .request_timeout_ms = REQUEST_MS};
}

static uint32_t or_default(uint32_t timeout_ms, uint32_t when_zero)
{
    if (timeout_ms == 0)
        return when_zero;
    return timeout_ms < LEAST_MS ? LEAST_MS : timeout_ms;
}

static tcn_err set_up(tocsin_client *client, const tocsin_client_options *options, tcn_fault *fault)
{
    const char *software =
        options->software != NULL ? options->software : "libtocsin " TOCSIN_VERSION;
    const char *proxy = options->socks_proxy != NULL ? options->socks_proxy : "";
    if (strlen(software) >= sizeof(client->software) || strlen(proxy) >= sizeof(client->proxy))
        return tcn_fault_set(fault, TCN_INVALID, "software or socks_proxy is too long");
    (void)snprintf(client->software, sizeof(client->software), "%s", software);
    (void)snprintf(client->proxy, sizeof(client->proxy), "%s", proxy);
    client->connect_timeout_ms = or_default(options->connect_timeout_ms, CONNECT_MS);
    client->request_timeout_ms = or_default(options->request_timeout_ms, REQUEST_MS);
    client->out = malloc(TCN_MAX_FRAME_BYTES);
    if (client->out == NULL)
        return tcn_fault_set(fault, TCN_NO_MEMORY, "out of memory");
    tcn_err err = tcn_keys_init();
    if (err != TCN_OK)
        return tcn_fault_set(fault, err, "libsodium cannot be used");
    randombytes_buf(client->instance.b, sizeof(client->instance.b));
    err = tcn_trust_home_open(options->home, &client->home, fault);
    if (err != TCN_OK)
        return err;
    client->has_home = true;
    return tcn_client_context_ref(&client->context, fault);
}

int32_t tocsin_client_open(const tocsin_client_options *options, tocsin_client **ret_client,
                           tocsin_error *error)
{
    tcn_fault fault = {.err = TCN_OK};
    if (options->struct_size < sizeof(options->struct_size) ||
        options->struct_size > sizeof(*options))
        return tcn_error_say(error, TOCSIN_STAGE_LOCAL, TCN_INVALID,
                             "options are not of this library: use tocsin_client_options_init");
    /* A program built against an older header has fewer of them. */
    tocsin_client_options known;
    tocsin_client_options_init(&known);
    memcpy(&known, options, options->struct_size);
    tocsin_client *client = calloc(1, sizeof(*client));
    if (client == NULL)
        return tcn_error_set(error, TOCSIN_STAGE_LOCAL, TCN_NO_MEMORY, NULL);
    tcn_trust_feed_init(&client->feed);
    tcn_err err = set_up(client, &known, &fault);
    if (err != TCN_OK) {
        tocsin_client_close(&client);
        return tcn_error_set(error, TOCSIN_STAGE_LOCAL, err, &fault);
    }
    *ret_client = client;
    return TOCSIN_OK;
}

void tocsin_client_close(tocsin_client **client)
{
    tocsin_client *c = *client;
    if (c == NULL)
        return;
    for (unsigned lane = 0; lane < TCN_LANES; lane++)
        tcn_link_stop(&c->link[lane]);
    tcn_client_context_unref(&c->context);
    tcn_trust_feed_fini(&c->feed);
    if (c->has_home)
        tcn_member_home_fini(&c->home);
    free(c->out);
    free(c);
    *client = NULL;
}

int32_t tocsin_client_connect(tocsin_client *client, uint32_t lane, tocsin_error *error)
{
    tcn_link *link = NULL;
    return tcn_client_ready(
        client, lane == TOCSIN_LANE_EMERGENCY ? TCN_LANE_EMERGENCY : TCN_LANE_BULK, &link, error);
}

void tocsin_client_get_info(const tocsin_client *client, tocsin_client_info *ret_info,
                            size_t ret_info_size)
{
    const tocsin_client_info info = {
        .member = client->home.card.name,
        .program = client->home.bundle.program_name,
        .home = client->home.path,
        .roles = client->home.card.roles,
        .connected = client->is_open[TCN_LANE_BULK] || client->is_open[TCN_LANE_EMERGENCY],
        .broker = client->broker,
        .trust_version = client->home.bundle.version,
        .trust_expires = client->home.bundle.expires.unix_ms,
        .card_expires = client->home.card.expires.unix_ms,
        .clock_offset_ms = client->clock_offset_ms,
        .notice = client->notice,
    };
    memcpy(ret_info, &info, ret_info_size < sizeof(info) ? ret_info_size : sizeof(info));
}
