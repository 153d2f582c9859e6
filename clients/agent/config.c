/* SPDX-License-Identifier: Apache-2.0 */
/* config.c - the table of agent.conf. */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "libtocsin/curve.h"
#include "libtocsin/file.h"
#include "libtocsin/home.h"
#include "libtocsin/limits.h"
#include "libtocsin/text.h"
#include "libtocsin/topic.h"

#define MIB (INT64_C(1) << 20)
#define GIB (INT64_C(1) << 30)

static tcn_err check_pattern(const char *text, tcn_fault *fault)
{
    tcn_err err = tcn_pattern_check(tcn_bytes_str(text));
    return err == TCN_OK ? TCN_OK
                         : tcn_fault_set(fault, err,
                                         "\"%s\" is not a topic pattern; write \"advisory.>\" or "
                                         "\"advisory.*.linux\"",
                                         text);
}

static tcn_err check_endpoint(const char *text, tcn_fault *fault)
{
    tcn_host_port parsed;
    return text[0] == '\0' ? TCN_OK : tcn_host_port_parse(text, &parsed, fault);
}

static tcn_err check_name(const char *text, tcn_fault *fault)
{
    return tcn_name_is_valid(tcn_bytes_str(text))
               ? TCN_OK
               : tcn_fault_set(fault, TCN_INVALID, "\"%s\" is not the name of a broker", text);
}

static const tcn_config_option route_options[] = {
    {.name = "name",
     .type = TCN_CONFIG_TITLE,
     .offset = offsetof(tcn_agent_route, name),
     .what = "The broker's name in the trust bundle.",
     .check = check_name},
    {.name = "session",
     .type = TCN_CONFIG_LIST,
     .offset = offsetof(tcn_agent_route, session),
     .preset = "{}",
     .min = 0,
     .max = TCN_ENDPOINTS,
     .what = "Its session endpoints, \"host:port\".",
     .check = check_endpoint},
    {.name = "emergency",
     .type = TCN_CONFIG_LIST,
     .offset = offsetof(tcn_agent_route, emergency),
     .preset = "{}",
     .min = 0,
     .max = TCN_ENDPOINTS,
     .what = "Its emergency endpoints, \"host:port\".",
     .check = check_endpoint},
};

static const tcn_config_table route_table = {
    .options = route_options,
    .count = sizeof(route_options) / sizeof(route_options[0]),
    .size = sizeof(tcn_agent_route),
};

#define FIELD(name) offsetof(tcn_agent_settings, name)

static const tcn_config_option options[] = {
    {.name = "subscribe",
     .type = TCN_CONFIG_LIST,
     .offset = FIELD(subscribe),
     .preset = "{}",
     .min = 0,
     .max = TCN_MAX_PATTERNS,
     .what = "Topics to ask for, as patterns; empty: everything that the card grants.",
     .check = check_pattern},
    {.name = "socks-proxy",
     .type = TCN_CONFIG_STRING,
     .offset = FIELD(socks_proxy),
     .preset = "",
     .what = "\"host:port\" of a SOCKS5 proxy on the way to the brokers; it resolves their names.",
     .check = check_endpoint},
    {.name = "store-size",
     .type = TCN_CONFIG_SIZE,
     .offset = FIELD(store_bytes),
     .preset = "1G",
     .min = 16 * MIB,
     .max = 1024 * GIB,
     .what = "The most that state/data.mdb may grow to; bodies above 32 KiB lie beside it."},
    {.name = "ballast",
     .type = TCN_CONFIG_SIZE,
     .offset = FIELD(ballast_bytes),
     .preset = "8M",
     .min = 0,
     .max = GIB,
     .what =
         "A file of that size is given up when the disk is full, so that emergencies have room."},
    {.name = "fetch-reserve",
     .type = TCN_CONFIG_SIZE,
     .offset = FIELD(fetch_reserve_bytes),
     .preset = "256M",
     .min = 0,
     .max = 1024 * GIB,
     .what = "So much of the disk stays free: bodies are fetched later when less is left."},
    {.name = "keep",
     .type = TCN_CONFIG_DURATION,
     .offset = FIELD(keep_ms),
     .preset = "90d",
     .min = TCN_DAY_MS,
     .max = 3660 * TCN_DAY_MS,
     .what = "How long alerts stay after they expired."},
    {.name = "local-group",
     .type = TCN_CONFIG_STRING,
     .offset = FIELD(local_group),
     .preset = "",
     .what = "A group whose members may use the agent's socket, beside its own user and root."},
    {.name = "log-level",
     .type = TCN_CONFIG_CHOICE,
     .offset = FIELD(log_level),
     .preset = "info",
     .choices = "error|warning|notice|info|debug",
     .what = "Less important events are not logged. SIGHUP reads it again."},
    {.name = "route",
     .type = TCN_CONFIG_SECTIONS,
     .offset = FIELD(routes),
     .preset = "",
     .min = 0,
     .max = TCN_MAX_BROKERS,
     .what = "Where a broker is reached from here, if not where the trust bundle says.",
     .section = &route_table},
};

const tcn_config_table tcn_agent_config_table = {
    .options = options,
    .count = sizeof(options) / sizeof(options[0]),
    .size = sizeof(tcn_agent_settings),
};

tcn_err tcn_agent_settings_read(const char *home, tcn_agent_settings *ret_settings,
                                tcn_fault *fault)
{
    char path[TCN_HOME_PATH_SIZE];
    if (tcn_path_join(home, TCN_HOME_AGENT_CONF, path, sizeof(path)) != TCN_OK)
        return tcn_fault_set(fault, TCN_TOO_LARGE, "%s: the path is too long", home);
    tcn_err err = tcn_config_read(path, &tcn_agent_config_table, ret_settings, fault);
    if (err == TCN_NOT_FOUND)
        err = tcn_config_defaults(&tcn_agent_config_table, ret_settings, fault);
    return err;
}

void tcn_agent_settings_fini(tcn_agent_settings *settings)
{
    tcn_config_fini(&tcn_agent_config_table, settings);
}

tcn_err tcn_agent_settings_core(const tcn_agent_settings *settings, tcn_agent_config *ret_config,
                                char (**ret_rows)[TCN_MAX_TOPIC_CHARS + 1])
{
    size_t count = settings->subscribe.count;
    char(*rows)[TCN_MAX_TOPIC_CHARS + 1] = calloc(count + 1, sizeof(*rows));
    if (rows == NULL)
        return TCN_NO_MEMORY;
    for (size_t i = 0; i < count; i++)
        (void)snprintf(rows[i], sizeof(rows[i]), "%s", settings->subscribe.items[i]);
    ret_config->subscriptions = (unsigned)count;
    ret_config->subscribe = rows;
    ret_config->keep_ms = (uint64_t)settings->keep_ms;
    ret_config->fetch_reserve_bytes = settings->fetch_reserve_bytes;
    *ret_rows = rows;
    return TCN_OK;
}

const tcn_agent_route *tcn_agent_settings_route(const tcn_agent_settings *settings,
                                                const char *broker)
{
    const tcn_agent_route *routes = settings->routes.items;
    for (size_t i = 0; i < settings->routes.count; i++)
        if (strcmp(routes[i].name, broker) == 0)
            return &routes[i];
    return NULL;
}
