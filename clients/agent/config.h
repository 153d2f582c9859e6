/* SPDX-License-Identifier: Apache-2.0 */
/* config.h - agent.conf: one table makes the parsing, the defaults and the example file. */
#ifndef TCN_AGENT_CONFIG_H
#define TCN_AGENT_CONFIG_H

#include "core/agent.h"
#include "libtocsin/os/config.h"

/* Where a broker of the bundle is reached from here, if not where the bundle says. */
typedef struct {
    char *name;
    tcn_config_list session, emergency; /* "host:port"; empty: as the bundle says */
} tcn_agent_route;

typedef struct {
    tcn_config_list subscribe;
    char *socks_proxy, *local_group; /* empty: none */
    uint64_t store_bytes, ballast_bytes, fetch_reserve_bytes;
    int64_t keep_ms;
    unsigned log_level;         /* a tcn_level */
    tcn_config_sections routes; /* of tcn_agent_route */
} tcn_agent_settings;

extern const tcn_config_table tcn_agent_config_table;

/* HOME/agent.conf, or the defaults if it is not there; each error says file, line and remedy. */
TCN_CHECKED tcn_err tcn_agent_settings_read(const char *home, tcn_agent_settings *ret_settings,
                                            tcn_fault *fault);
void tcn_agent_settings_fini(tcn_agent_settings *settings);
/* What the core is told. *ret_rows is malloc'd and holds the subscriptions. */
TCN_CHECKED tcn_err tcn_agent_settings_core(const tcn_agent_settings *settings,
                                            tcn_agent_config *ret_config,
                                            char (**ret_rows)[TCN_MAX_TOPIC_CHARS + 1]);
/* The route of that broker, or NULL. */
const tcn_agent_route *tcn_agent_settings_route(const tcn_agent_settings *settings,
                                                const char *broker);

#endif
