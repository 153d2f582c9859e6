/* SPDX-License-Identifier: Apache-2.0 */
/* config.h - broker.conf: one table makes the parsing, the defaults and the example file. */
#ifndef TCN_BROKER_CONFIG_H
#define TCN_BROKER_CONFIG_H

#include "core/broker.h"
#include "libtocsin/os/config.h"

typedef struct {
    tcn_config_list listen_session, listen_emergency; /* "host:port", one at least */
    uint64_t store_bytes, ballast_bytes, reserve_bytes, body_reserve_bytes, window_bytes;
    int64_t keep_ms, io_threads;
    unsigned log_level; /* a tcn_level */
} tcn_broker_settings;

extern const tcn_config_table tcn_broker_config_table;

/* HOME/broker.conf; each error says file, line and remedy. */
TCN_CHECKED tcn_err tcn_broker_settings_read(const char *home, tcn_broker_settings *ret_settings,
                                             tcn_fault *fault);
void tcn_broker_settings_fini(tcn_broker_settings *settings);
/* What the core is told; name and version are the caller's. */
void tcn_broker_settings_core(const tcn_broker_settings *settings, tcn_broker_config *ret_config);

#endif
