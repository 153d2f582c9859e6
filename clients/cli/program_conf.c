/* SPDX-License-Identifier: Apache-2.0 */
/* program_conf.c - reads program.conf with libconfuse and checks every value; writes the first. */
#include "program_conf.h"

#include <confuse.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "libtocsin/curve.h"
#include "libtocsin/file.h"
#include "libtocsin/text.h"
#include "libtocsin/when.h"

#define FILE_BYTES 65536
#define DAY_MS (INT64_C(24) * 3600 * 1000)

/* libconfuse hands its errors to a function without an argument of ours; tocsin has one thread. */
static char parse_error[200];

static void keep_error(cfg_t *cfg, const char *format, va_list args)
    __attribute__((format(printf, 2, 0)));

static void keep_error(cfg_t *cfg, const char *format, va_list args)
{
    char text[160];
    (void)vsnprintf(text, sizeof(text), format, args);
    if (parse_error[0] == '\0')
        (void)snprintf(parse_error, sizeof(parse_error), "%d: %s", cfg->line, text);
}

typedef struct {
    cfg_t *cfg;
    const char *path;
    tcn_fault *fault;
} source;

static tcn_err wrong(const source *from, const char *what, const char *should)
{
    return tcn_fault_set(from->fault, TCN_INVALID, "%s: %s %s", from->path, what, should);
}

/* A duration between two bounds, both included. */
static tcn_err get_duration(const source *from, const char *key, int64_t max_days, uint64_t *ret_ms)
{
    int64_t ms;
    const char *text = cfg_getstr(from->cfg, key);
    if (text == NULL || tcn_duration_parse(text, &ms) != TCN_OK || ms <= 0 ||
        ms > max_days * DAY_MS)
        return tcn_fault_set(from->fault, TCN_INVALID,
                             "%s: %s must be a duration of at most %" PRId64
                             " days, such as \"30d\" or \"12h\"",
                             from->path, key, max_days);
    *ret_ms = (uint64_t)ms;
    return TCN_OK;
}

static tcn_err get_policy(const source *from, tcn_policy *ret_policy)
{
    long approvals = cfg_getint(from->cfg, "approvals");
    long body = cfg_getint(from->cfg, "max-body-bytes");
    if (approvals < 1 || approvals > TCN_MAX_SIGNATURES)
        return wrong(from, "approvals", "must be 1 to 8");
    if (body < 1 || body > TCN_MAX_BODY_BYTES_MAX)
        return wrong(from, "max-body-bytes", "must be 1 to 157286400");
    ret_policy->approvals = (unsigned)approvals;
    ret_policy->max_body_bytes = (uint64_t)body;
    tcn_err err =
        get_duration(from, "max-validity", TCN_MAX_EXPIRES_DAYS, &ret_policy->max_validity_ms);
    if (err == TCN_OK)
        err = get_duration(from, "grace", 366, &ret_policy->grace_ms);
    return err != TCN_OK ? err : get_duration(from, "lifetime", 3660, &ret_policy->lifetime_ms);
}

static tcn_err get_endpoints(const source *from, cfg_t *section, const char *key,
                             char (*ret_rows)[TCN_ENDPOINT_CHARS + 1], unsigned *ret_count)
{
    unsigned count = cfg_size(section, key);
    if (count < 1 || count > TCN_ENDPOINTS)
        return tcn_fault_set(from->fault, TCN_INVALID,
                             "%s: broker %s: %s must list 1 to %d addresses, such as "
                             "{\"tocsin.example.org:7430\"}",
                             from->path, cfg_title(section), key, TCN_ENDPOINTS);
    for (unsigned i = 0; i < count; i++) {
        const char *text = cfg_getnstr(section, key, i);
        tcn_host_port ignored;
        if (text == NULL || strlen(text) > TCN_ENDPOINT_CHARS ||
            tcn_host_port_parse(text, &ignored, NULL) != TCN_OK || ignored.port == 0 ||
            ignored.host[0] == '*')
            return tcn_fault_set(from->fault, TCN_INVALID,
                                 "%s: broker %s: %s \"%s\" is not host:port", from->path,
                                 cfg_title(section), key, text != NULL ? text : "");
        memcpy(ret_rows[i], text, strlen(text) + 1);
    }
    *ret_count = count;
    return TCN_OK;
}

static tcn_err get_brokers(const source *from, tcn_program_conf *ret_conf)
{
    unsigned count = cfg_size(from->cfg, "broker");
    if (count < 1 || count > TCN_MAX_BROKERS)
        return wrong(from, "broker", "sections: there must be 1 to 8");
    for (unsigned i = 0; i < count; i++) {
        cfg_t *section = cfg_getnsec(from->cfg, "broker", i);
        tcn_broker_entry *entry = &ret_conf->broker[i];
        const char *title = cfg_title(section);
        if (title == NULL || !tcn_name_is_valid(tcn_bytes_str(title)))
            return wrong(from, "broker", "must be titled with its member name");
        memcpy(entry->name, title, strlen(title) + 1);
        tcn_err err = get_endpoints(from, section, "session", entry->session, &entry->sessions);
        if (err == TCN_OK)
            err = get_endpoints(from, section, "emergency", entry->emergency, &entry->emergencies);
        if (err != TCN_OK)
            return err;
    }
    ret_conf->brokers = count;
    return TCN_OK;
}

static tcn_err get_all(const source *from, tcn_program_conf *ret_conf)
{
    const char *name = cfg_getstr(from->cfg, "name");
    if (name == NULL || !tcn_name_is_valid(tcn_bytes_str(name)))
        return wrong(from, "name", "must be a-z, 0-9 and inner hyphens, at most 63 characters");
    memcpy(ret_conf->name, name, strlen(name) + 1);
    tcn_err err = get_policy(from, &ret_conf->policy);
    return err != TCN_OK ? err : get_brokers(from, ret_conf);
}

static cfg_t *make_parser(void)
{
    static cfg_opt_t broker[] = {CFG_STR_LIST("session", NULL, CFGF_NODEFAULT),
                                 CFG_STR_LIST("emergency", NULL, CFGF_NODEFAULT), CFG_END()};
    static cfg_opt_t options[] = {
        CFG_STR("name", NULL, CFGF_NODEFAULT),
        CFG_INT("approvals", 2, CFGF_NONE),
        CFG_STR("max-validity", "366d", CFGF_NONE),
        CFG_STR("grace", "30d", CFGF_NONE),
        CFG_STR("lifetime", "366d", CFGF_NONE),
        CFG_INT("max-body-bytes", TCN_MAX_BODY_BYTES, CFGF_NONE),
        CFG_SEC("broker", broker, CFGF_MULTI | CFGF_TITLE | CFGF_NO_TITLE_DUPES),
        CFG_END()};
    return cfg_init(options, CFGF_NONE);
}

tcn_err tcn_program_conf_read(const char *path, tcn_program_conf *ret_conf, tcn_fault *fault)
{
    uint8_t *text = NULL;
    size_t len = 0;
    tcn_program_conf conf = {0};
    tcn_err err = tcn_file_read(path, FILE_BYTES, &text, &len, fault);
    if (err != TCN_OK)
        return err;
    source from = {make_parser(), path, fault};
    if (from.cfg == NULL) {
        free(text);
        return tcn_fault_set(fault, TCN_NO_MEMORY, "out of memory");
    }
    parse_error[0] = '\0';
    (void)cfg_set_error_function(from.cfg, keep_error);
    if (cfg_parse_buf(from.cfg, (const char *)text) != CFG_SUCCESS)
        err = tcn_fault_set(fault, TCN_INVALID, "%s:%s", path,
                            parse_error[0] != '\0' ? parse_error : " not a configuration file");
    else
        err = get_all(&from, &conf);
    (void)cfg_free(from.cfg);
    free(text);
    if (err == TCN_OK)
        *ret_conf = conf;
    return err;
}

static const char file_template[] =
    "# The program %s: its policy and its brokers. After a change: tocsin roster sign\n"
    "# (which signs it into the trust that every broker and agent holds).\n"
    "\n"
    "name = \"%s\"\n"
    "\n"
    "# How many members with the role approver must sign an actual emergency (1 to 8).\n"
    "approvals = %u\n"
    "\n"
    "# The longest that an alert may stay in force (at most 366d).\n"
    "max-validity = \"%" PRIu64 "d\"\n"
    "\n"
    "# How long a node whose trust has run out still verifies emergencies with it, loudly marked.\n"
    "grace = \"%" PRIu64 "d\"\n"
    "\n"
    "# How long cards, roster and bundle are valid once signed. Sign again before it is over.\n"
    "lifetime = \"%" PRIu64 "d\"\n"
    "\n"
    "# The largest body of an alert, decompressed, in bytes (at most 157286400).\n"
    "max-body-bytes = %" PRIu64 "\n"
    "\n"
    "# Where members reach the broker, as host:port, at most four each. The broker's own\n"
    "# broker.conf says where it listens.\n"
    "broker \"%s\" {\n"
    "    session = {\"%s\"}\n"
    "    emergency = {\"%s\"}\n"
    "}\n";

tcn_err tcn_program_conf_write(const char *path, const tcn_program_conf *conf, tcn_fault *fault)
{
    char text[sizeof(file_template) + 4 * TCN_ENDPOINT_CHARS];
    const tcn_policy *policy = &conf->policy;
    int len = snprintf(text, sizeof(text), file_template, conf->name, conf->name, policy->approvals,
                       policy->max_validity_ms / DAY_MS, policy->grace_ms / DAY_MS,
                       policy->lifetime_ms / DAY_MS, policy->max_body_bytes, conf->broker[0].name,
                       conf->broker[0].session[0], conf->broker[0].emergency[0]);
    if (len < 0 || (size_t)len >= sizeof(text))
        return tcn_fault_set(fault, TCN_TOO_LARGE, "%s: a name in it is too long", path);
    return tcn_file_create(path, tcn_bytes_of(text, (size_t)len), 0644, fault);
}
