/* SPDX-License-Identifier: Apache-2.0 */
/* config.c - see config.h. */
#include "config.h"

#include <confuse.h>
#include <libintl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "config_scan.h"
#include "config_value.h"
#include "libtocsin/file.h"

#define SHOWN_PATH 100 /* of a path in an error, so that there is room for the rest */
#define DEPTH 3

/* libconfuse gives its callbacks no argument of ours: what is being read is here meanwhile. */
static struct {
    const char *path;
    const tcn_config_table *table;
    tcn_fault *fault;
    bool has_failed;
} now;

static void complain_at(int line, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The first complaint stays. */
static void complain_at(int line, const char *format, ...)
{
    char text[sizeof now.fault->text], number[16] = "";
    if (now.has_failed) {
        return;
    }
    va_list args;
    va_start(args, format);
    (void)vsnprintf(text, sizeof text, format, args);
    va_end(args);
    size_t len = strlen(now.path);
    bool is_long = len > SHOWN_PATH;
    if (line > 0) {
        (void)snprintf(number, sizeof number, ":%d", line);
    }
    now.has_failed = true;
    (void)tcn_fault_set(now.fault, TCN_INVALID, "%s%s%s: %s", is_long ? "…" : "",
                        is_long ? now.path + len - SHOWN_PATH : now.path, number, text);
}

static const tcn_config_option *option_of(const tcn_config_table *table, const char *name)
{
    for (size_t i = 0; i < table->count; i++) {
        if (table->options[i].type != TCN_CONFIG_TITLE &&
            strcmp(table->options[i].name, name) == 0) {
            return &table->options[i];
        }
    }
    return NULL;
}

static const tcn_config_option *title_of(const tcn_config_table *table)
{
    for (size_t i = 0; i < table->count; i++) {
        if (table->options[i].type == TCN_CONFIG_TITLE) {
            return &table->options[i];
        }
    }
    return NULL;
}

/* The table of a section by its name; names of sections are the same at any depth. */
static const tcn_config_table *table_of(const tcn_config_table *table, const char *section)
{
    const tcn_config_option *option = option_of(table, section);
    if (option && option->section) {
        return option->section;
    }
    for (size_t i = 0; i < table->count; i++) {
        const tcn_config_table *found =
            table->options[i].section ? table_of(table->options[i].section, section) : NULL;
        if (found) {
            return found;
        }
    }
    return NULL;
}

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* Insertions, deletions and changes between two short names (Levenshtein). */
static size_t distance(const char *a, const char *b)
{
    size_t row[64], b_len = strlen(b);
    if (strlen(a) >= 64 || b_len >= 64) {
        return SIZE_MAX;
    }
    for (size_t j = 0; j <= b_len; j++) {
        row[j] = j;
    }
    for (size_t i = 1; a[i - 1] != '\0'; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= b_len; j++) {
            size_t changed = diagonal + (a[i - 1] != b[j - 1]);
            diagonal = row[j];
            row[j] = least(least(row[j], row[j - 1]) + 1, changed);
        }
    }
    return row[b_len];
}

static void complain_of_unknown(const cfg_t *cfg, const char *name)
{
    const tcn_config_table *table = table_of(now.table, cfg->name);
    const char *closest = NULL;
    size_t best = strlen(name) / 3 + 2; /* further away it would be a guess */
    table = table ? table : now.table;
    for (size_t i = 0; i < table->count; i++) {
        size_t far = distance(name, table->options[i].name);
        if (table->options[i].type != TCN_CONFIG_TITLE && far < best) {
            best = far;
            closest = table->options[i].name;
        }
    }
    if (closest) {
        complain_at(cfg->line, "there is no option %.60s: did you mean %s?", name, closest);
    } else {
        complain_at(cfg->line, "there is no option %.60s: take it out, or see --print-config",
                    name);
    }
}

static void on_error(cfg_t *cfg, const char *format, va_list args)
    __attribute__((format(printf, 2, 0)));

static void on_error(cfg_t *cfg, const char *format, va_list args)
{
    static const char unknown[] = "no such option '%s'";
    char text[160];
    if (strcmp(format, unknown) == 0 || strcmp(format, dgettext("confuse", unknown)) == 0) {
        complain_of_unknown(cfg, va_arg(args, const char *));
        return;
    }
    (void)vsnprintf(text, sizeof text, format, args);
    complain_at(cfg->line, "%s: write NAME = VALUE, lists as {\"A\", \"B\"}", text);
}

static bool is_too_many(const cfg_t *cfg, const tcn_config_option *option, unsigned count)
{
    if ((option->min == 0 && option->max == 0) || (int64_t)count <= option->max) {
        return false;
    }
    complain_at(cfg->line, "there are too many %s: give %lld at most", option->name,
                (long long)option->max);
    return true;
}

/* Called by libconfuse after each value, while it still knows the line. */
static int on_value(cfg_t *cfg, cfg_opt_t *opt)
{
    char why[TCN_CONFIG_WHY_SIZE];
    const tcn_config_table *table = table_of(now.table, cfg->name);
    const tcn_config_option *option = option_of(table ? table : now.table, opt->name);
    unsigned count = cfg_opt_size(opt);
    if (!option || count == 0) {
        return 0;
    }
    if (!tcn_config_value_is_good(option, cfg_opt_getnstr(opt, count - 1), why)) {
        complain_at(cfg->line, "%s", why);
        return -1;
    }
    return option->type == TCN_CONFIG_LIST && is_too_many(cfg, option, count) ? -1 : 0;
}

/* The end of a section: its title, and whether all is there that must be. */
static int on_section(cfg_t *cfg, cfg_opt_t *opt)
{
    char why[TCN_CONFIG_WHY_SIZE];
    const cfg_t *section = cfg_opt_getnsec(opt, cfg_opt_size(opt) - 1);
    const tcn_config_table *table = table_of(now.table, opt->name);
    const tcn_config_option *title = title_of(table);
    if (title && !tcn_config_value_is_good(title, section->title, why)) {
        complain_at(cfg->line, "%s", why);
        return -1;
    }
    for (size_t i = 0; i < table->count; i++) {
        const tcn_config_option *option = &table->options[i];
        if (!option->preset && option != title && option->type != TCN_CONFIG_SECTIONS &&
            !(cfg_getopt((cfg_t *)(uintptr_t)section, option->name)->flags & CFGF_MODIFIED)) {
            complain_at(cfg->line, "%s %s ends without %s: add it", opt->name,
                        title ? section->title : "", option->name);
            return -1;
        }
    }
    const tcn_config_table *around = table_of(now.table, cfg->name);
    const tcn_config_option *sections = option_of(around ? around : now.table, opt->name);
    return is_too_many(cfg, sections, cfg_opt_size(opt)) ? -1 : 0;
}

/* libconfuse's own table, one row more for its end; NULL when out of memory. Rows of sections hold
 * pointers to further ones. */
static cfg_opt_t *make_opts(const tcn_config_table *table);

static void free_opts(const tcn_config_table *table, cfg_opt_t *opts)
{
    size_t row = 0;
    for (size_t i = 0; opts && i < table->count; i++) {
        if (table->options[i].type == TCN_CONFIG_SECTIONS) {
            free_opts(table->options[i].section, opts[row].subopts);
        }
        row += table->options[i].type != TCN_CONFIG_TITLE;
    }
    free(opts);
}

static cfg_opt_t *make_opts(const tcn_config_table *table)
{
    cfg_opt_t *opts = calloc(table->count + 1, sizeof *opts);
    size_t row = 0;
    for (size_t i = 0; opts && i < table->count; i++) {
        const tcn_config_option *o = &table->options[i];
        if (o->type == TCN_CONFIG_TITLE) {
            continue;
        }
        if (o->type == TCN_CONFIG_SECTIONS) {
            cfg_opt_t *sub = make_opts(o->section);
            cfg_flag_t titled = title_of(o->section) ? CFGF_TITLE | CFGF_NO_TITLE_DUPES : 0;
            cfg_opt_t section = CFG_SEC(o->name, sub, CFGF_MULTI | titled);
            opts[row++] = section;
            if (!sub) {
                free_opts(table, opts);
                return NULL;
            }
        } else if (o->type == TCN_CONFIG_LIST) {
            cfg_opt_t list = CFG_STR_LIST(o->name, NULL, CFGF_NONE);
            opts[row++] = list;
        } else {
            cfg_opt_t text = CFG_STR(o->name, NULL, CFGF_NONE);
            opts[row++] = text;
        }
    }
    if (opts) {
        cfg_opt_t end = CFG_END();
        opts[row] = end;
    }
    return opts;
}

static void set_callbacks(cfg_t *cfg, const tcn_config_table *table, const char *above)
{
    for (size_t i = 0; i < table->count; i++) {
        const tcn_config_option *o = &table->options[i];
        char name[DEPTH * 64];
        int len = snprintf(name, sizeof name, "%s%s%s", above, *above ? "|" : "", o->name);
        TCN_REQUIRE(len > 0 && (size_t)len < sizeof name);
        if (o->type == TCN_CONFIG_SECTIONS) {
            set_callbacks(cfg, o->section, name);
            (void)cfg_set_validate_func(cfg, name, on_section);
        } else if (o->type != TCN_CONFIG_TITLE) {
            (void)cfg_set_validate_func(cfg, name, on_value);
        }
    }
}

static tcn_err convert(cfg_t *cfg, const tcn_config_table *table, void *config);

static tcn_err convert_sections(cfg_opt_t *opt, const tcn_config_option *o, void *config)
{
    tcn_config_sections *sections = (void *)((char *)config + o->offset);
    unsigned count = cfg_opt_size(opt);
    if (count == 0) {
        return TCN_OK;
    }
    sections->items = calloc(count, o->section->size);
    if (!sections->items) {
        return TCN_NO_MEMORY;
    }
    for (unsigned i = 0; i < count; i++) {
        void *item = (char *)sections->items + i * o->section->size;
        sections->count++;
        tcn_err err = convert(cfg_opt_getnsec(opt, i), o->section, item);
        if (err != TCN_OK) {
            return err;
        }
    }
    return TCN_OK;
}

static tcn_err convert_values(cfg_opt_t *opt, const tcn_config_option *o, void *config)
{
    if (!(opt->flags & CFGF_MODIFIED)) {
        if (o->preset) {
            return tcn_config_value_preset(o, config);
        }
        complain_at(0, "%s is missing: add it", o->name);
        return TCN_INVALID;
    }
    for (unsigned i = 0; i < cfg_opt_size(opt); i++) {
        tcn_err err = tcn_config_value_set(o, cfg_opt_getnstr(opt, i), config);
        if (err != TCN_OK) {
            return err;
        }
    }
    return TCN_OK;
}

static bool is_counted(const tcn_config_option *o)
{
    return o->type == TCN_CONFIG_LIST || o->type == TCN_CONFIG_SECTIONS;
}

/* The most was checked where the line was known; what is not there has no line. */
static tcn_err check_count(const tcn_config_option *o, const void *config)
{
    const void *field = (const char *)config + o->offset;
    size_t count = o->type == TCN_CONFIG_LIST ? ((const tcn_config_list *)field)->count
                                              : ((const tcn_config_sections *)field)->count;
    if ((int64_t)count >= o->min) {
        return TCN_OK;
    }
    complain_at(0, "there are too few %s: give %lld at least", o->name, (long long)o->min);
    return TCN_INVALID;
}

/* From libconfuse's texts, which are all good, into the struct. */
static tcn_err convert(cfg_t *cfg, const tcn_config_table *table, void *config)
{
    for (size_t i = 0; i < table->count; i++) {
        const tcn_config_option *o = &table->options[i];
        tcn_err err;
        if (o->type == TCN_CONFIG_TITLE) {
            err = tcn_config_value_set(o, cfg->title, config);
        } else {
            cfg_opt_t *opt = cfg_getopt(cfg, o->name);
            err = o->type == TCN_CONFIG_SECTIONS ? convert_sections(opt, o, config)
                                                 : convert_values(opt, o, config);
        }
        if (err == TCN_OK && is_counted(o)) {
            err = check_count(o, config);
        }
        if (err != TCN_OK) {
            return err;
        }
    }
    return TCN_OK;
}

static tcn_err parse_with(char *text, cfg_opt_t *opts, void *ret_config)
{
    cfg_t *cfg = cfg_init(opts, CFGF_NONE);
    if (!cfg) {
        return TCN_NO_MEMORY;
    }
    (void)cfg_set_error_function(cfg, on_error);
    set_callbacks(cfg, now.table, "");
    tcn_err err = TCN_OK;
    /* libconfuse takes an empty text for an error. */
    if (text[strspn(text, " \t\r\n")] != '\0' && cfg_parse_buf(cfg, text) != CFG_SUCCESS) {
        complain_at(0, "it cannot be read: see --print-config");
        err = TCN_INVALID;
    }
    if (err == TCN_OK) {
        err = convert(cfg, now.table, ret_config);
    }
    (void)cfg_free(cfg);
    return err;
}

static tcn_err parse(char *text, const tcn_config_table *table, void *ret_config)
{
    tcn_config_trouble trouble = {0};
    if (!tcn_config_scan(text, &trouble)) {
        const char *mark = strstr(trouble.what, "%s");
        int before = mark ? (int)(mark - trouble.what) : (int)strlen(trouble.what);
        complain_at(trouble.line, "%.*s%s%s", before, trouble.what, trouble.name,
                    mark ? mark + 2 : "");
        return TCN_INVALID;
    }
    cfg_opt_t *opts = make_opts(table);
    if (!opts) {
        return TCN_NO_MEMORY;
    }
    tcn_err err = parse_with(text, opts, ret_config);
    free_opts(table, opts);
    return err;
}

tcn_err tcn_config_parse(const char *path, tcn_bytes text, const tcn_config_table *table,
                         void *ret_config, tcn_fault *fault)
{
    tcn_fault own;
    memset(ret_config, 0, table->size);
    now.path = path;
    now.table = table;
    now.fault = fault ? fault : &own;
    now.has_failed = false;
    if (text.len > 0 && memchr(text.ptr, 0, text.len)) {
        complain_at(0, "it has a NUL byte: it is no text file");
        return TCN_INVALID;
    }
    char *copy = malloc(text.len + 1);
    tcn_err err = TCN_NO_MEMORY;
    if (copy) {
        if (text.len > 0) {
            memcpy(copy, text.ptr, text.len);
        }
        copy[text.len] = '\0';
        err = parse(copy, table, ret_config);
        free(copy);
    }
    if (err != TCN_OK) {
        tcn_config_fini(table, ret_config);
        if (!now.has_failed) {
            (void)tcn_fault_set(fault, err, "%s: %s", path, tcn_err_text(err));
        }
    }
    return err;
}

tcn_err tcn_config_read(const char *path, const tcn_config_table *table, void *ret_config,
                        tcn_fault *fault)
{
    struct stat st;
    uint8_t *bytes;
    size_t len;
    memset(ret_config, 0, table->size);
    if (stat(path, &st) == 0 && (st.st_mode & (S_IWGRP | S_IWOTH))) {
        return tcn_fault_set(fault, TCN_PERMISSIONS, "%s: others can write it: chmod go-w it",
                             path);
    }
    tcn_err err = tcn_file_read(path, TCN_CONFIG_MAX_BYTES, &bytes, &len, fault);
    if (err == TCN_OK) {
        err = tcn_config_parse(path, tcn_bytes_of(bytes, len), table, ret_config, fault);
        free(bytes);
    }
    return err;
}

tcn_err tcn_config_defaults(const tcn_config_table *table, void *ret_config, tcn_fault *fault)
{
    return tcn_config_parse("the defaults", tcn_bytes_str(""), table, ret_config, fault);
}

void tcn_config_fini(const tcn_config_table *table, void *config)
{
    for (size_t i = 0; i < table->count; i++) {
        const tcn_config_option *o = &table->options[i];
        if (o->type == TCN_CONFIG_SECTIONS) {
            const tcn_config_sections *sections = (void *)((char *)config + o->offset);
            for (size_t j = 0; j < sections->count; j++) {
                tcn_config_fini(o->section, (char *)sections->items + j * o->section->size);
            }
        }
        tcn_config_value_drop(o, config);
    }
}
