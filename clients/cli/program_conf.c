/* SPDX-License-Identifier: Apache-2.0 */
/* program_conf.c - the table of program.conf. */
#include "program_conf.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "libtocsin/curve.h"
#include "libtocsin/file.h"
#include "libtocsin/os/config.h"
#include "libtocsin/text.h"

#define TEXT_BYTES 8192

typedef struct {
    char *name;
    tcn_config_list session, emergency;
} broker_section;

typedef struct {
    char *name;
    int64_t approvals, max_validity_ms, grace_ms, lifetime_ms;
    uint64_t max_body_bytes;
    tcn_config_sections brokers;
} settings;

static tcn_err check_name(const char *text, tcn_fault *fault)
{
    if (tcn_name_is_valid(tcn_bytes_str(text)))
        return TCN_OK;
    return tcn_fault_set(fault, TCN_INVALID,
                         "\"%s\" is no name: a-z, 0-9 and inner hyphens, at most %d characters",
                         text, TCN_MAX_NAME_CHARS);
}

/* Where others reach it: a port, and no "*". */
static tcn_err check_endpoint(const char *text, tcn_fault *fault)
{
    tcn_host_port parsed;
    tcn_err err = tcn_host_port_parse(text, &parsed, fault);
    if (err == TCN_OK &&
        (strlen(text) > TCN_ENDPOINT_CHARS || parsed.port == 0 || strcmp(parsed.host, "*") == 0))
        return tcn_fault_set(fault, TCN_INVALID,
                             "\"%s\" is not where members reach a broker: host:port", text);
    return err;
}

static const tcn_config_option broker_options[] = {
    {.name = "name",
     .type = TCN_CONFIG_TITLE,
     .offset = offsetof(broker_section, name),
     .what = "Its member name.",
     .check = check_name},
    {.name = "session",
     .type = TCN_CONFIG_LIST,
     .offset = offsetof(broker_section, session),
     .min = 1,
     .max = TCN_ENDPOINTS,
     .what = "Its session endpoints, \"host:port\".",
     .check = check_endpoint},
    {.name = "emergency",
     .type = TCN_CONFIG_LIST,
     .offset = offsetof(broker_section, emergency),
     .min = 1,
     .max = TCN_ENDPOINTS,
     .what = "Its emergency endpoints, \"host:port\".",
     .check = check_endpoint},
};

static const tcn_config_table broker_table = {
    .options = broker_options,
    .count = sizeof(broker_options) / sizeof(broker_options[0]),
    .size = sizeof(broker_section),
};

#define FIELD(member) offsetof(settings, member)

static const tcn_config_option options[] = {
    {.name = "name",
     .type = TCN_CONFIG_STRING,
     .offset = FIELD(name),
     .what = "The program's name.",
     .check = check_name},
    {.name = "approvals",
     .type = TCN_CONFIG_INT,
     .offset = FIELD(approvals),
     .preset = "2",
     .min = 1,
     .max = TCN_MAX_SIGNATURES,
     .unit = "approvers",
     .what = "How many members with the role approver must sign an actual emergency."},
    {.name = "max-validity",
     .type = TCN_CONFIG_DURATION,
     .offset = FIELD(max_validity_ms),
     .preset = "366d",
     .min = 60 * 1000,
     .max = TCN_MAX_EXPIRES_DAYS * TCN_DAY_MS,
     .what = "The longest that an alert may stay in force."},
    {.name = "grace",
     .type = TCN_CONFIG_DURATION,
     .offset = FIELD(grace_ms),
     .preset = "30d",
     .min = 1,
     .max = 3660 * TCN_DAY_MS,
     .what = "How long a node whose trust ran out still verifies emergencies, loudly marked."},
    {.name = "lifetime",
     .type = TCN_CONFIG_DURATION,
     .offset = FIELD(lifetime_ms),
     .preset = "366d",
     .min = 1,
     .max = 3660 * TCN_DAY_MS,
     .what = "How long cards, roster and bundle are valid once signed; sign again before."},
    {.name = "max-body",
     .type = TCN_CONFIG_SIZE,
     .offset = FIELD(max_body_bytes),
     .preset = "32M",
     .min = 1,
     .max = TCN_MAX_BODY_BYTES_MAX,
     .what = "The largest body of an alert, decompressed."},
    {.name = "broker",
     .type = TCN_CONFIG_SECTIONS,
     .offset = FIELD(brokers),
     .min = 1,
     .max = TCN_MAX_BROKERS,
     .what = "Where members reach a broker; its own broker.conf says where it listens.",
     .section = &broker_table},
};

static const tcn_config_table table = {
    .options = options,
    .count = sizeof(options) / sizeof(options[0]),
    .size = sizeof(settings),
};

/* Every item passed check_endpoint, so that it fits. */
static unsigned copy_endpoints(const tcn_config_list *from,
                               char (*ret_rows)[TCN_ENDPOINT_CHARS + 1])
{
    for (size_t i = 0; i < from->count; i++)
        memcpy(ret_rows[i], from->items[i], strlen(from->items[i]) + 1);
    return (unsigned)from->count;
}

tcn_err tcn_program_conf_read(const char *path, tcn_program_conf *ret_conf, tcn_fault *fault)
{
    settings read = {.name = NULL};
    tcn_program_conf conf = {0};
    tcn_err err = tcn_config_read(path, &table, &read, fault);
    if (err != TCN_OK)
        return err;
    memcpy(conf.name, read.name, strlen(read.name) + 1);
    conf.policy = (tcn_policy){.approvals = (unsigned)read.approvals,
                               .max_validity_ms = (uint64_t)read.max_validity_ms,
                               .grace_ms = (uint64_t)read.grace_ms,
                               .max_body_bytes = read.max_body_bytes,
                               .lifetime_ms = (uint64_t)read.lifetime_ms};
    conf.brokers = (unsigned)read.brokers.count;
    for (unsigned i = 0; i < conf.brokers; i++) {
        const broker_section *section = (const broker_section *)read.brokers.items + i;
        tcn_broker_entry *entry = &conf.broker[i];
        memcpy(entry->name, section->name, strlen(section->name) + 1);
        entry->sessions = copy_endpoints(&section->session, entry->session);
        entry->emergencies = copy_endpoints(&section->emergency, entry->emergency);
    }
    tcn_config_fini(&table, &read);
    *ret_conf = conf;
    return TCN_OK;
}

/* The value that a new program's file has, as it is written. */
static void value_of(const tcn_program_conf *conf, const tcn_config_option *option, char *ret_text,
                     size_t size)
{
    if (option->type == TCN_CONFIG_SECTIONS)
        (void)snprintf(ret_text, size,
                       "broker \"%s\" {\n    session = {\"%s\"}\n    emergency = {\"%s\"}\n}\n",
                       conf->broker[0].name, conf->broker[0].session[0],
                       conf->broker[0].emergency[0]);
    else if (option->type == TCN_CONFIG_INT)
        (void)snprintf(ret_text, size, "%s = %s\n", option->name, option->preset);
    else
        (void)snprintf(ret_text, size, "%s = \"%s\"\n", option->name,
                       option->preset != NULL ? option->preset : conf->name);
}

tcn_err tcn_program_conf_write(const char *path, const tcn_program_conf *conf, tcn_fault *fault)
{
    char text[TEXT_BYTES], value[3 * TCN_ENDPOINT_CHARS];
    size_t len = (size_t)snprintf(text, sizeof(text),
                                  "# The program %s: its policy and its brokers.\n"
                                  "# After a change: tocsin roster sign, which signs it into the "
                                  "trust that all hold.\n",
                                  conf->name);
    for (size_t i = 0; i < table.count && len < sizeof(text); i++) {
        value_of(conf, &table.options[i], value, sizeof(value));
        len += (size_t)snprintf(text + len, sizeof(text) - len, "\n# %s\n%s", table.options[i].what,
                                value);
    }
    if (len >= sizeof(text))
        return tcn_fault_set(fault, TCN_TOO_LARGE, "%s: a name in it is too long", path);
    return tcn_file_create(path, tcn_bytes_of(text, len), 0644, fault);
}
