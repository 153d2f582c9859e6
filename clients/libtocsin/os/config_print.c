/* SPDX-License-Identifier: Apache-2.0 */
/* config_print.c - the documented file that a config table makes (config.h). */
#include <string.h>

#include "config.h"

#define WIDTH 78

/* Words as lines that begin with lead. */
static void print_wrapped(FILE *out, const char *lead, const char *text)
{
    size_t column = 0;
    while (*text != '\0') {
        size_t word = strcspn(text, " ");
        if (column > 0 && column + 1 + word > WIDTH) {
            (void)fputc('\n', out);
            column = 0;
        }
        int printed = fprintf(out, "%s%.*s", column == 0 ? lead : " ", (int)word, text);
        column += printed > 0 ? (size_t)printed : 1;
        text += word;
        text += strspn(text, " ");
    }
    (void)fputc('\n', out);
}

static void describe_bounds(const tcn_config_option *o, char *ret_text, size_t size)
{
    const char *of = o->type == TCN_CONFIG_DURATION                                ? "ms"
                     : o->type == TCN_CONFIG_SIZE                                  ? "bytes"
                     : o->type == TCN_CONFIG_STRING || o->type == TCN_CONFIG_TITLE ? "bytes long"
                     : o->type == TCN_CONFIG_LIST                                  ? "items"
                     : o->unit                                                     ? o->unit
                                                                                   : "";
    if (o->min == 0 && o->max == 0) {
        (void)snprintf(ret_text, size, "%s%s", o->unit ? ", in " : "", o->unit ? o->unit : "");
    } else {
        (void)snprintf(ret_text, size, ", %lld to %lld%s%s", (long long)o->min, (long long)o->max,
                       *of ? " " : "", of);
    }
}

static const char *type_word(const tcn_config_option *o)
{
    switch (o->type) {
    case TCN_CONFIG_STRING: return "text";
    case TCN_CONFIG_INT: return "number";
    case TCN_CONFIG_BOOL: return "true or false";
    case TCN_CONFIG_DURATION: return "duration such as 500ms, 90s, 15m, 24h, 7d";
    case TCN_CONFIG_SIZE: return "size such as 64K, 512M, 2G";
    case TCN_CONFIG_CHOICE: return o->choices;
    case TCN_CONFIG_LIST: return "list of texts";
    case TCN_CONFIG_TITLE: return "name";
    case TCN_CONFIG_SECTIONS: break;
    }
    return "section";
}

/* Digits and letters need no quotes. */
static bool needs_quotes(const tcn_config_option *o)
{
    return o->type == TCN_CONFIG_STRING;
}

static void print_table(FILE *out, const tcn_config_table *table, const char *indent);

static void print_section(FILE *out, const tcn_config_option *o, const char *indent)
{
    char lead[16], inner[16];
    const char *title = "";
    for (size_t i = 0; i < o->section->count; i++) {
        title = o->section->options[i].type == TCN_CONFIG_TITLE ? " NAME" : title;
    }
    (void)snprintf(lead, sizeof lead, "# %s", indent);
    (void)snprintf(inner, sizeof inner, "%s    ", indent);
    print_wrapped(out, lead, o->what);
    (void)fprintf(out, "#%s%s%s {\n", indent, o->name, title);
    print_table(out, o->section, inner);
    (void)fprintf(out, "#%s}\n", indent);
}

static void print_option(FILE *out, const tcn_config_option *o, const char *indent)
{
    char lead[16], text[512], bounds[96];
    (void)snprintf(lead, sizeof lead, "# %s", indent);
    describe_bounds(o, bounds, sizeof bounds);
    (void)snprintf(text, sizeof text, "%s (%s%s%s)", o->what, type_word(o), bounds,
                   o->preset || o->type == TCN_CONFIG_TITLE ? "" : "; must be given");
    print_wrapped(out, lead, text);
    if (o->type != TCN_CONFIG_TITLE) {
        const char *quote = needs_quotes(o) ? "\"" : "";
        (void)fprintf(out, "#%s%s = %s%s%s\n", indent, o->name, quote, o->preset ? o->preset : "",
                      quote);
    }
}

static void print_table(FILE *out, const tcn_config_table *table, const char *indent)
{
    for (size_t i = 0; i < table->count; i++) {
        if (i > 0) {
            (void)fprintf(out, "%s\n", *indent ? "#" : "");
        }
        if (table->options[i].type == TCN_CONFIG_SECTIONS) {
            print_section(out, &table->options[i], indent);
        } else {
            print_option(out, &table->options[i], indent);
        }
    }
}

void tcn_config_print_defaults(FILE *out, const tcn_config_table *table)
{
    print_table(out, table, "");
}
