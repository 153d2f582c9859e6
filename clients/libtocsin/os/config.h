/* SPDX-License-Identifier: Apache-2.0 */
/* config.h - strict config files: one table of options makes the parsing, the checks, the defaults
 * and the documented file that is printed. The syntax is libconfuse's, less what it lets pass:
 * unknown or repeated names, characters that it drops, an end that is missing, ${ENVIRONMENT}.
 * Every error says FILE:LINE, what is wrong and what to do. */
#ifndef TCN_OS_CONFIG_H
#define TCN_OS_CONFIG_H

#include <stdio.h>

#include "libtocsin/bytes.h"

#define TCN_CONFIG_MAX_BYTES 1048576u /* of a file */
#define TCN_CONFIG_MAX_STRING 1023    /* of a string, if its row says nothing else */

/* What the field at offset is. */
typedef enum {
    TCN_CONFIG_STRING,   /* char *, malloc'd, never NULL; min..max are its length in bytes */
    TCN_CONFIG_INT,      /* int64_t */
    TCN_CONFIG_BOOL,     /* bool: true, yes, on; false, no, off */
    TCN_CONFIG_DURATION, /* int64_t, ms: "90s", "15m"; min..max in ms */
    TCN_CONFIG_SIZE,     /* uint64_t: "512M" (K, M, G, T by 1024); min..max in bytes */
    TCN_CONFIG_CHOICE,   /* unsigned, the place in choices */
    TCN_CONFIG_LIST,     /* tcn_config_list of strings; min..max are how many */
    TCN_CONFIG_TITLE,    /* char *: what follows the name of its section, `sink NAME {` */
    TCN_CONFIG_SECTIONS  /* tcn_config_sections of section's table; min..max are how many */
} tcn_config_type;

typedef struct {
    char **items;
    size_t count;
} tcn_config_list;

typedef struct {
    void *items; /* an array of structs as the section's table describes them */
    size_t count;
} tcn_config_sections;

typedef struct tcn_config_table tcn_config_table;

typedef struct {
    const char *name;
    tcn_config_type type;
    size_t offset; /* in the struct that is filled */
    /* As it would be written, a list as {"a", "b"}; NULL: it must be in the file. */
    const char *preset;
    int64_t min, max;    /* both 0: unbounded */
    const char *unit;    /* for people: "nodes"; NULL if the type says it */
    const char *what;    /* one sentence */
    const char *choices; /* "error|warning|notice" */
    /* Further judgment of a string, or of each item of a list; a fault without file and line. */
    tcn_err (*check)(const char *text, tcn_fault *fault);
    const tcn_config_table *section;
} tcn_config_option;

struct tcn_config_table {
    const tcn_config_option *options;
    size_t count;
    size_t size; /* of the struct */
};

/* Fills *ret_config, a struct of table->size, which need not be initialised. TCN_INVALID: fault is
 * "FILE:LINE: what: remedy"; TCN_PERMISSIONS (also if others can write it), TCN_NOT_FOUND, TCN_IO,
 * TCN_TOO_LARGE, TCN_NO_MEMORY. One thread at a time. */
TCN_CHECKED tcn_err tcn_config_read(const char *path, const tcn_config_table *table,
                                    void *ret_config, tcn_fault *fault);
/* The same from text; path is for the errors only. */
TCN_CHECKED tcn_err tcn_config_parse(const char *path, tcn_bytes text,
                                     const tcn_config_table *table, void *ret_config,
                                     tcn_fault *fault);
/* All presets, as if the file were empty; TCN_INVALID if an option has none. */
TCN_CHECKED tcn_err tcn_config_defaults(const tcn_config_table *table, void *ret_config,
                                        tcn_fault *fault);
/* Frees what the struct holds; zeroed and twice are fine. */
void tcn_config_fini(const tcn_config_table *table, void *config);

/* A config file that says what each option means, with the presets commented out. */
void tcn_config_print_defaults(FILE *out, const tcn_config_table *table);

#endif
