/* SPDX-License-Identifier: Apache-2.0 */
/* Any text is a config or refused with a place and a remedy; nothing leaks either way. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "libtocsin/os/config.h"

typedef struct {
    char *name, *path;
    tcn_config_list topics;
} sink;

typedef struct {
    char *listen;
    int64_t port, flush_ms;
    uint64_t store_bytes;
    bool is_open;
    unsigned level;
    tcn_config_sections sinks;
} config;

#define FIELD(type, field) offsetof(type, field)

static const tcn_config_option sink_options[] = {
    {"name", TCN_CONFIG_TITLE, FIELD(sink, name), NULL, 1, 8, NULL, "", NULL, NULL, NULL},
    {"path", TCN_CONFIG_STRING, FIELD(sink, path), NULL, 0, 0, NULL, "", NULL, NULL, NULL},
    {"topics", TCN_CONFIG_LIST, FIELD(sink, topics), "{}", 0, 2, NULL, "", NULL, NULL, NULL},
};
static const tcn_config_table sink_table = {sink_options, 3, sizeof(sink)};
static const tcn_config_option options[] = {
    {"listen", TCN_CONFIG_STRING, FIELD(config, listen), "", 0, 9, NULL, "", NULL, NULL, NULL},
    {"port", TCN_CONFIG_INT, FIELD(config, port), "1", 1, 99, NULL, "", NULL, NULL, NULL},
    {"flush", TCN_CONFIG_DURATION, FIELD(config, flush_ms), "1s", 0, 0, NULL, "", NULL, NULL, NULL},
    {"size", TCN_CONFIG_SIZE, FIELD(config, store_bytes), "1", 0, 0, NULL, "", NULL, NULL, NULL},
    {"open", TCN_CONFIG_BOOL, FIELD(config, is_open), "no", 0, 0, NULL, "", NULL, NULL, NULL},
    {"level", TCN_CONFIG_CHOICE, FIELD(config, level), "a", 0, 0, NULL, "", "a|b", NULL, NULL},
    {"sink", TCN_CONFIG_SECTIONS, FIELD(config, sinks), NULL, 0, 3, NULL, "", NULL, NULL,
     &sink_table},
};
static const tcn_config_table table = {options, sizeof options / sizeof *options, sizeof(config)};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    config c;
    tcn_fault fault = {.text = ""};
    tcn_err err = tcn_config_parse("f", tcn_bytes_of(data, size), &table, &c, &fault);
    if (err == TCN_OK) {
        if (c.port < 1 || c.port > 99 || strlen(c.listen) > 9 || c.level > 1 || c.sinks.count > 3) {
            abort();
        }
        tcn_config_fini(&table, &c);
    } else if (strncmp(fault.text, "f:", 2) != 0) {
        abort();
    }
    return 0;
}
