/* SPDX-License-Identifier: Apache-2.0 */
/* config.c - the table of broker.conf. */
#include "config.h"

#include "libtocsin/curve.h"
#include "libtocsin/file.h"
#include "libtocsin/home.h"
#include "libtocsin/limits.h"

#define MIB (INT64_C(1) << 20)
#define GIB (INT64_C(1) << 30)
#define ENDPOINTS 4

static tcn_err check_endpoint(const char *text, tcn_fault *fault)
{
    tcn_host_port parsed;
    return tcn_host_port_parse(text, &parsed, fault);
}

#define FIELD(name) offsetof(tcn_broker_settings, name)

static const tcn_config_option options[] = {
    {.name = "listen-session",
     .type = TCN_CONFIG_LIST,
     .offset = FIELD(listen_session),
     .preset = "{\"*:7430\"}",
     .min = 1,
     .max = ENDPOINTS,
     .what = "Where to listen for everything but emergencies; * is all addresses of the machine.",
     .check = check_endpoint},
    {.name = "listen-emergency",
     .type = TCN_CONFIG_LIST,
     .offset = FIELD(listen_emergency),
     .preset = "{\"*:7431\"}",
     .min = 1,
     .max = ENDPOINTS,
     .what = "Where to listen for emergencies, both ways.",
     .check = check_endpoint},
    {.name = "store-size",
     .type = TCN_CONFIG_SIZE,
     .offset = FIELD(store_bytes),
     .preset = "4G",
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
    {.name = "reserve",
     .type = TCN_CONFIG_SIZE,
     .offset = FIELD(reserve_bytes),
     .preset = "32M",
     .min = MIB,
     .max = 64 * GIB,
     .what = "So much of the store is for emergencies only: bulk is refused when less is left."},
    {.name = "body-reserve",
     .type = TCN_CONFIG_SIZE,
     .offset = FIELD(body_reserve_bytes),
     .preset = "256M",
     .min = 0,
     .max = 1024 * GIB,
     .what = "So much of the disk stays free of bodies."},
    {.name = "window",
     .type = TCN_CONFIG_SIZE,
     .offset = FIELD(window_bytes),
     .preset = "256K",
     .min = TCN_MAX_FRAME_BYTES,
     .max = 16 * MIB,
     .what = "Alerts on their way to one node in one lane before its receipt."},
    {.name = "keep",
     .type = TCN_CONFIG_DURATION,
     .offset = FIELD(keep_ms),
     .preset = "90d",
     .min = TCN_DAY_MS,
     .max = 3660 * TCN_DAY_MS,
     .what = "How long alerts stay after they expired, and with them who received them."},
    {.name = "io-threads",
     .type = TCN_CONFIG_INT,
     .offset = FIELD(io_threads),
     .preset = "2",
     .min = 1,
     .max = 16,
     .unit = "threads",
     .what = "Threads that encrypt and move frames; one carries about a thousand nodes."},
    {.name = "log-level",
     .type = TCN_CONFIG_CHOICE,
     .offset = FIELD(log_level),
     .preset = "info",
     .choices = "error|warning|notice|info|debug",
     .what = "Less important events are not logged. SIGHUP reads it again."},
};

const tcn_config_table tcn_broker_config_table = {
    .options = options,
    .count = sizeof(options) / sizeof(options[0]),
    .size = sizeof(tcn_broker_settings),
};

tcn_err tcn_broker_settings_read(const char *home, tcn_broker_settings *ret_settings,
                                 tcn_fault *fault)
{
    char path[TCN_HOME_PATH_SIZE];
    if (tcn_path_join(home, TCN_HOME_BROKER_CONF, path, sizeof(path)) != TCN_OK)
        return tcn_fault_set(fault, TCN_TOO_LARGE, "%s: the path is too long", home);
    tcn_broker_settings settings;
    tcn_err err = tcn_config_read(path, &tcn_broker_config_table, &settings, fault);
    if (err != TCN_OK)
        return err;
    if (settings.reserve_bytes >= settings.store_bytes) {
        tcn_broker_settings_fini(&settings);
        return tcn_fault_set(fault, TCN_INVALID,
                             "%s: reserve leaves nothing of store-size for bulk: make it smaller",
                             path);
    }
    *ret_settings = settings;
    return TCN_OK;
}

void tcn_broker_settings_fini(tcn_broker_settings *settings)
{
    tcn_config_fini(&tcn_broker_config_table, settings);
}

void tcn_broker_settings_core(const tcn_broker_settings *settings, tcn_broker_config *ret_config)
{
    tcn_broker_config_default(ret_config);
    ret_config->reserve_bytes = settings->reserve_bytes;
    ret_config->body_reserve_bytes = settings->body_reserve_bytes;
    ret_config->window_bytes = settings->window_bytes;
    ret_config->keep_ms = (uint64_t)settings->keep_ms;
}
