/* SPDX-License-Identifier: Apache-2.0 */
/* config_value.c - see config_value.h. */
#include "config_value.h"

#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "libtocsin/when.h"

typedef union {
    int64_t number; /* INT, DURATION */
    uint64_t size;
    bool is_on;
    unsigned choice;
} scalar;

static bool why(char *ret_why, const char *format, ...) __attribute__((format(printf, 2, 3)));

static bool why(char *ret_why, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    (void)vsnprintf(ret_why, TCN_CONFIG_WHY_SIZE, format, args);
    va_end(args);
    return false;
}

static bool parse_int(const char *text, int64_t *ret)
{
    char *end;
    errno = 0;
    long long value = strtoll(text, &end, 10);
    if (errno != 0 || end == text || *end != '\0' || isspace((unsigned char)*text)) {
        return false;
    }
    *ret = value;
    return true;
}

static bool parse_size(const char *text, uint64_t *ret)
{
    static const char units[] = "KMGT";
    char *end;
    errno = 0;
    unsigned long long value = strtoull(text, &end, 10);
    if (errno != 0 || !isdigit((unsigned char)*text)) {
        return false;
    }
    unsigned shift = 0;
    if (*end != '\0') {
        const char *unit = strchr(units, toupper((unsigned char)*end));
        if (!unit || end[1] != '\0') {
            return false;
        }
        shift = 10 * (unsigned)(unit - units + 1);
    }
    if (value > UINT64_MAX >> shift) {
        return false;
    }
    *ret = (uint64_t)value << shift;
    return true;
}

static bool parse_bool(const char *text, bool *ret)
{
    static const char *const words[] = {"false", "true", "no", "yes", "off", "on"};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        if (strcmp(text, words[i]) == 0) {
            *ret = i % 2 == 1;
            return true;
        }
    }
    return false;
}

static bool parse_choice(const char *choices, const char *text, unsigned *ret)
{
    size_t len = strlen(text);
    for (unsigned place = 0;; place++) {
        size_t choice = strcspn(choices, "|");
        if (len == choice && memcmp(choices, text, len) == 0) {
            *ret = place;
            return true;
        }
        if (choices[choice] == '\0') {
            return false;
        }
        choices += choice + 1;
    }
}

static bool is_bounded(const tcn_config_option *option)
{
    return option->min != 0 || option->max != 0;
}

static bool check_number(const tcn_config_option *option, int64_t value, char *ret_why)
{
    if (!is_bounded(option) || (value >= option->min && value <= option->max)) {
        return true;
    }
    const char *unit = option->type == TCN_CONFIG_DURATION ? "ms"
                       : option->type == TCN_CONFIG_SIZE   ? "bytes"
                       : option->unit                      ? option->unit
                                                           : "";
    return why(ret_why, "%s is out of its bounds: choose %lld to %lld%s%s", option->name,
               (long long)option->min, (long long)option->max, *unit ? " " : "", unit);
}

static bool check_string(const tcn_config_option *option, const char *text, char *ret_why)
{
    bool has_bounds = option->type != TCN_CONFIG_LIST && is_bounded(option);
    size_t len = strlen(text);
    size_t min = has_bounds ? (size_t)option->min : 0;
    size_t max = has_bounds ? (size_t)option->max : TCN_CONFIG_MAX_STRING;
    tcn_fault fault = {.text = ""};
    for (const char *c = text; *c; c++) {
        if (iscntrl((unsigned char)*c)) {
            return why(ret_why, "%s has a control character: take it out", option->name);
        }
    }
    if (len < min) {
        return why(ret_why, "%s is too short: give %zu bytes at least", option->name, min);
    }
    if (len > max) {
        return why(ret_why, "%s is too long: give %zu bytes at most", option->name, max);
    }
    if (option->check && option->check(text, &fault) != TCN_OK) {
        return why(ret_why, "%s: %s", option->name, *fault.text ? fault.text : "choose another");
    }
    return true;
}

static bool judge(const tcn_config_option *option, const char *text, scalar *ret, char *ret_why)
{
    switch (option->type) {
    case TCN_CONFIG_INT:
        return parse_int(text, &ret->number)
                   ? check_number(option, ret->number, ret_why)
                   : why(ret_why, "%s is not a whole number: write digits", option->name);
    case TCN_CONFIG_DURATION:
        return tcn_duration_parse(text, &ret->number) == TCN_OK
                   ? check_number(option, ret->number, ret_why)
                   : why(ret_why, "%s is not a duration: write 500ms, 90s, 15m, 24h or 7d",
                         option->name);
    case TCN_CONFIG_SIZE:
        return parse_size(text, &ret->size) && ret->size <= INT64_MAX
                   ? check_number(option, (int64_t)ret->size, ret_why)
                   : why(ret_why, "%s is not a size: write bytes, or 64K, 512M, 2G", option->name);
    case TCN_CONFIG_BOOL:
        return parse_bool(text, &ret->is_on) ||
               why(ret_why, "%s is neither true nor false: write one of them", option->name);
    case TCN_CONFIG_CHOICE:
        return parse_choice(option->choices, text, &ret->choice) ||
               why(ret_why, "%s is none of its values: choose %s", option->name, option->choices);
    case TCN_CONFIG_STRING:
    case TCN_CONFIG_LIST:
    case TCN_CONFIG_TITLE: return check_string(option, text, ret_why);
    case TCN_CONFIG_SECTIONS: break;
    }
    return true;
}

bool tcn_config_value_is_good(const tcn_config_option *option, const char *text,
                              char ret_why[static TCN_CONFIG_WHY_SIZE])
{
    scalar unused;
    return judge(option, text, &unused, ret_why);
}

static tcn_err add_item(tcn_config_list *list, const char *text)
{
    char **items = realloc(list->items, (list->count + 1) * sizeof *items);
    if (!items) {
        return TCN_NO_MEMORY;
    }
    list->items = items;
    items[list->count] = strdup(text);
    if (!items[list->count]) {
        return TCN_NO_MEMORY;
    }
    list->count++;
    return TCN_OK;
}

static tcn_err set_string(char **field, const char *text)
{
    char *copy = strdup(text);
    if (!copy) {
        return TCN_NO_MEMORY;
    }
    free(*field);
    *field = copy;
    return TCN_OK;
}

tcn_err tcn_config_value_set(const tcn_config_option *option, const char *text, void *config)
{
    scalar value;
    char reason[TCN_CONFIG_WHY_SIZE];
    void *field = (char *)config + option->offset;
    TCN_REQUIRE(judge(option, text, &value, reason));
    switch (option->type) {
    case TCN_CONFIG_INT:
    case TCN_CONFIG_DURATION: *(int64_t *)field = value.number; break;
    case TCN_CONFIG_SIZE: *(uint64_t *)field = value.size; break;
    case TCN_CONFIG_BOOL: *(bool *)field = value.is_on; break;
    case TCN_CONFIG_CHOICE: *(unsigned *)field = value.choice; break;
    case TCN_CONFIG_STRING:
    case TCN_CONFIG_TITLE: return set_string(field, text);
    case TCN_CONFIG_LIST: return add_item(field, text);
    case TCN_CONFIG_SECTIONS: break;
    }
    return TCN_OK;
}

/* {"a", "b"}: items are what is between quotes. */
static tcn_err preset_list(const tcn_config_option *option, void *config)
{
    char item[TCN_CONFIG_MAX_STRING + 1];
    const char *at = option->preset;
    while ((at = strchr(at, '"'))) {
        size_t len = strcspn(at + 1, "\"");
        TCN_REQUIRE(at[1 + len] == '"' && len < sizeof item);
        memcpy(item, at + 1, len);
        item[len] = '\0';
        tcn_err err = tcn_config_value_set(option, item, config);
        if (err != TCN_OK) {
            return err;
        }
        at += len + 2;
    }
    return TCN_OK;
}

tcn_err tcn_config_value_preset(const tcn_config_option *option, void *config)
{
    TCN_REQUIRE(option->preset);
    return option->type == TCN_CONFIG_LIST ? preset_list(option, config)
                                           : tcn_config_value_set(option, option->preset, config);
}

void tcn_config_value_drop(const tcn_config_option *option, void *config)
{
    void *field = (char *)config + option->offset;
    if (option->type == TCN_CONFIG_STRING || option->type == TCN_CONFIG_TITLE) {
        char **text = field;
        free(*text);
        *text = NULL;
    } else if (option->type == TCN_CONFIG_LIST) {
        tcn_config_list *list = field;
        for (size_t i = 0; i < list->count; i++) {
            free(list->items[i]);
        }
        free(list->items);
        *list = (tcn_config_list){0};
    } else if (option->type == TCN_CONFIG_SECTIONS) {
        tcn_config_sections *sections = field;
        free(sections->items);
        *sections = (tcn_config_sections){0};
    }
}
