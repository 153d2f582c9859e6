/* SPDX-License-Identifier: Apache-2.0 */
/* help.c - the list of commands, and one command explained: all from the table. */
#include <string.h>

#include "command.h"
#include "out.h"

#define LINE_COLUMNS 84
#define USAGE_INDENT 11
#define OPTION_INDENT 27

static const char *const headings[] = {
#define X(name, heading) heading,
    TCN_GROUP_TABLE(X)
#undef X
};

static bool is_of(const tcn_command *command, const char *noun)
{
    size_t len = noun != NULL ? strlen(noun) : 0;
    return noun == NULL || (strncmp(command->name, noun, len) == 0 &&
                            (command->name[len] == ' ' || command->name[len] == '\0'));
}

void tcn_help_overview(FILE *out, const char *noun)
{
    unsigned count;
    const tcn_command *const *all = tcn_commands(&count);
    if (noun == NULL)
        (void)fprintf(out, "tocsin - security advisories and emergency alerts, pushed\n\n"
                           "usage: tocsin [--home DIR] COMMAND [ARGUMENT...]\n");
    for (unsigned group = 0; group < sizeof(headings) / sizeof(headings[0]); group++) {
        bool begun = false;
        for (unsigned i = 0; i < count; i++) {
            if ((unsigned)all[i]->group != group || !is_of(all[i], noun))
                continue;
            if (!begun)
                (void)fprintf(out, "%s%s\n", noun == NULL ? "\n" : "", headings[group]);
            begun = true;
            (void)fprintf(out, "  %-14s %s\n", all[i]->name, all[i]->summary);
        }
    }
    (void)fprintf(out, "\nOne of them explained, with an example: tocsin help COMMAND\n");
}

/* Prints words from a column on, going on at indent in the next line. With whole_groups what stands
 * in brackets is one word. */
static void wrap(FILE *out, const char *text, size_t column, size_t indent, bool whole_groups)
{
    bool first = true;
    while (text[strspn(text, " \n")] != '\0') {
        text += strspn(text, " \n");
        size_t len = 0;
        for (int depth = 0; text[len] != '\0' && (depth > 0 || strchr(" \n", text[len]) == NULL);
             len++)
            if (whole_groups)
                depth += (strchr("([", text[len]) != NULL) - (strchr(")]", text[len]) != NULL);
        if (!first && column + 1 + len > LINE_COLUMNS) {
            (void)fprintf(out, "\n%*s", (int)indent, "");
            column = indent;
        } else if (!first) {
            (void)fputc(' ', out);
            column++;
        }
        (void)fprintf(out, "%.*s", (int)len, text);
        column += len;
        text += len;
        first = false;
    }
    (void)fputc('\n', out);
}

void tcn_help_usage(FILE *out, const tcn_command *command)
{
    int column = fprintf(out, "usage: tocsin %s%s", command->name, command->usage[0] ? " " : "");
    wrap(out, command->usage, column > 0 ? (size_t)column : 0, USAGE_INDENT, true);
}

static void print_options(const char *heading, const tcn_option *options)
{
    if (options == NULL || options->name == NULL)
        return;
    (void)printf("\n%s\n", heading);
    for (const tcn_option *o = options; o->name != NULL; o++) {
        char left[64], letter[8] = "", text[512];
        if (o->letter != 0)
            (void)snprintf(letter, sizeof(letter), "-%c, ", o->letter);
        (void)snprintf(left, sizeof(left), "%s--%s%s%s", letter, o->name, o->arg != NULL ? " " : "",
                       o->arg != NULL ? o->arg : "");
        (void)snprintf(text, sizeof(text), "%s%s", o->help,
                       (o->flags & TCN_OPTION_MANY) != 0 ? " (may be repeated)" : "");
        (void)printf("  %-24s ", left);
        wrap(stdout, text, OPTION_INDENT, OPTION_INDENT, false);
    }
}

void tcn_help_command(const tcn_command *command)
{
    (void)printf("tocsin %s - %s\n\n", command->name, command->summary);
    tcn_help_usage(stdout, command);
    (void)printf("\n%s\n", command->help);
    print_options("Options", command->options);
    print_options("Options of every command", tcn_global_options);
    (void)printf("\nExample\n%s\n", command->example);
    if (command->next != NULL)
        (void)printf("\nNext\n%s\n", command->next);
}

static json_t *options_json(const tcn_option *options)
{
    json_t *list = json_array();
    for (const tcn_option *o = options; list != NULL && o != NULL && o->name != NULL; o++) {
        json_t *row = json_pack("{s:s, s:s?, s:s, s:b, s:b}", "name", o->name, "arg", o->arg,
                                "help", o->help, "many", (o->flags & TCN_OPTION_MANY) != 0,
                                "required", (o->flags & TCN_OPTION_REQUIRED) != 0);
        if (json_array_append_new(list, row) != 0) {
            json_decref(list);
            return NULL;
        }
    }
    return list;
}

static int list_json(const tcn_cli *cli)
{
    unsigned count;
    const tcn_command *const *all = tcn_commands(&count);
    for (unsigned i = 0; i < count; i++) {
        const tcn_command *c = all[i];
        json_t *row =
            json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s?, s:o}", "command", c->name, "who",
                      headings[c->group], "summary", c->summary, "usage", c->usage, "help", c->help,
                      "example", c->example, "next", c->next, "options", options_json(c->options));
        tcn_err err = tcn_json_out(cli, row);
        if (err != TCN_OK)
            return tcn_finish(cli, err);
    }
    return tcn_finish(cli, TCN_OK);
}

static int run_help(tcn_cli *cli, const tcn_args *args)
{
    unsigned count;
    const tcn_command *const *all = tcn_commands(&count);
    const char *names[256];
    char wanted[160];
    bool is_noun = false;
    if (args->operands == 0) {
        if (cli->json)
            return list_json(cli);
        tcn_help_overview(stdout, NULL);
        return TCN_EXIT_DONE;
    }
    (void)snprintf(wanted, sizeof(wanted), "%s%s%s", args->operand[0],
                   args->operands > 1 ? " " : "", args->operands > 1 ? args->operand[1] : "");
    for (unsigned i = 0; i < count; i++) {
        if (strcmp(all[i]->name, wanted) == 0) {
            tcn_help_command(all[i]);
            return TCN_EXIT_DONE;
        }
        is_noun = is_noun || is_of(all[i], wanted);
        if (i < sizeof(names) / sizeof(names[0]))
            names[i] = all[i]->name;
    }
    if (is_noun) {
        tcn_help_overview(stdout, wanted);
        return TCN_EXIT_DONE;
    }
    const char *near = tcn_closest(wanted, names, count < 256 ? count : 256);
    return tcn_cli_usage(cli, "there is no command %s%s%s%s", wanted,
                         near != NULL ? "; did you mean " : "", near != NULL ? near : "",
                         near != NULL ? "?" : "");
}

const tcn_command tcn_command_help = {
    .name = "help",
    .group = TCN_GROUP_ANYONE,
    .summary = "list the commands, or explain one",
    .usage = "[COMMAND]",
    .help = "Without an argument: all commands, by who uses them. With one: what it does, its\n"
            "options, an example and what to do next; tocsin COMMAND --help says the same.",
    .example = "  tocsin help member add",
    .max_operands = 2,
    .run = run_help,
};
