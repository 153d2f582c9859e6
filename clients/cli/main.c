/* SPDX-License-Identifier: Apache-2.0 */
/* main.c - tocsin: finds the command in the table, reads its options, runs it.
 * Exit codes: 0 done, 1 refused or not found, 2 usage, 3 cannot reach, 4 timed out. */
#include <stdlib.h>
#include <string.h>
#include <tocsin/version.h>
#include <unistd.h>

#include "command.h"
#include "commands.h"

static const tcn_option top_options[] = {{.name = "version", .help = "print the version"}, {0}};

/* The rest of the command line after the command's name. */
typedef struct {
    int argc;
    char **argv;
} rest;

static bool wants_colour(void)
{
    const char *no = getenv("NO_COLOR"), *term = getenv("TERM");
    return isatty(STDOUT_FILENO) && (no == NULL || no[0] == '\0') &&
           (term == NULL || strcmp(term, "dumb") != 0);
}

static bool is_noun(const char *word)
{
    unsigned count;
    const tcn_command *const *all = tcn_commands(&count);
    size_t len = strlen(word);
    for (unsigned i = 0; i < count; i++)
        if (strncmp(all[i]->name, word, len) == 0 && all[i]->name[len] == ' ')
            return true;
    return false;
}

/* The command that argv begins with; the rest is what follows its name. */
static const tcn_command *find_command(int argc, char **argv, rest *ret_rest)
{
    unsigned count;
    const tcn_command *const *all = tcn_commands(&count);
    for (unsigned i = 0; i < count; i++) {
        const char *second = strchr(all[i]->name, ' ');
        size_t len = second != NULL ? (size_t)(second - all[i]->name) : strlen(all[i]->name);
        if (strlen(argv[0]) != len || memcmp(all[i]->name, argv[0], len) != 0)
            continue;
        if (second == NULL) {
            *ret_rest = (rest){argc - 1, argv + 1};
            return all[i];
        }
        if (argc > 1 && strcmp(second + 1, argv[1]) == 0) {
            *ret_rest = (rest){argc - 2, argv + 2};
            return all[i];
        }
    }
    return NULL;
}

static int unknown_command(const tcn_cli *cli, int argc, char **argv)
{
    const char *names[256];
    unsigned count, nouns = 0;
    const tcn_command *const *all = tcn_commands(&count);
    char typed[160];
    bool noun = is_noun(argv[0]);
    if (noun && (argc < 2 || argv[1][0] == '-')) {
        bool asks = argc > 1 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0);
        tcn_help_overview(asks ? stdout : stderr, argv[0]);
        return asks ? TCN_EXIT_DONE : TCN_EXIT_USAGE;
    }
    for (unsigned i = 0; i < count && nouns < 256; i++)
        names[nouns++] = all[i]->name;
    (void)snprintf(typed, sizeof(typed), "%s%s%s", argv[0], noun ? " " : "", noun ? argv[1] : "");
    const char *near = tcn_closest(typed, names, nouns);
    for (unsigned i = 0; i < nouns && near == NULL; i++) {
        const char *verb = strchr(names[i], ' '); /* "revoke" for "member revoke" */
        if (verb != NULL && strcmp(verb + 1, typed) == 0)
            near = names[i];
    }
    return tcn_cli_usage(cli, "there is no command %s%s%s%s", typed,
                         near != NULL ? "; did you mean " : "", near != NULL ? near : "",
                         near != NULL ? "?" : "");
}

static int check_and_run(tcn_cli *cli, const tcn_args *args)
{
    const tcn_command *command = cli->command;
    tcn_fault fault = {0};
    if (tcn_args_check_required(args, &fault) != TCN_OK)
        return tcn_cli_usage(cli, "%s", fault.text);
    if (args->operands < command->min_operands)
        return tcn_cli_usage(cli, "an argument is missing");
    if (args->operands > command->max_operands)
        return tcn_cli_usage(cli, "one argument too many: %s",
                             args->operand[command->max_operands]);
    return command->run(cli, args);
}

static int run_command(tcn_cli *cli, const rest *line)
{
    tcn_args args;
    tcn_fault fault = {0};
    tcn_err err = tcn_args_parse(line->argc, line->argv, cli->command->options, tcn_global_options,
                                 false, &args, &fault);
    if (err == TCN_NO_MEMORY)
        return tcn_cli_fail(cli, &fault);
    if (err != TCN_OK)
        return tcn_cli_usage(cli, "%s", fault.text);
    cli->json = cli->json || tcn_args_has(&args, "json");
    if (tcn_args_has(&args, "home"))
        cli->home_given = tcn_args_get(&args, "home");
    int code = TCN_EXIT_DONE;
    if (tcn_args_has(&args, "help"))
        tcn_help_command(cli->command);
    else
        code = check_and_run(cli, &args);
    tcn_args_fini(&args);
    return code;
}

/* What stands before the command. */
static int run_line(tcn_cli *cli, int argc, char **argv, const tcn_args *top)
{
    rest line;
    cli->json = tcn_args_has(top, "json");
    cli->home_given = tcn_args_get(top, "home");
    if (tcn_args_has(top, "version")) {
        (void)printf("tocsin %s\n", tocsin_version());
        return TCN_EXIT_DONE;
    }
    bool asks = tcn_args_has(top, "help");
    if (top->operands == 0) {
        tcn_help_overview(asks ? stdout : stderr, NULL);
        return asks ? TCN_EXIT_DONE : TCN_EXIT_USAGE;
    }
    int first = argc - (int)top->operands;
    cli->command = find_command((int)top->operands, argv + first, &line);
    if (cli->command == NULL)
        return unknown_command(cli, (int)top->operands, argv + first);
    if (asks) {
        tcn_help_command(cli->command);
        return TCN_EXIT_DONE;
    }
    return run_command(cli, &line);
}

int main(int argc, char **argv)
{
    tcn_cli cli = {.colour = wants_colour()};
    tcn_args top;
    tcn_fault fault = {0};
    if (tcn_keys_init() != TCN_OK)
        return tcn_cli_refuse(&cli, TCN_IO, "the random number generator does not start");
    tcn_err err =
        tcn_args_parse(argc - 1, argv + 1, top_options, tcn_global_options, true, &top, &fault);
    if (err == TCN_NO_MEMORY)
        return tcn_cli_fail(&cli, &fault);
    if (err != TCN_OK)
        return tcn_cli_usage(&cli, "%s", fault.text);
    int code = run_line(&cli, argc - 1, argv + 1, &top);
    tcn_args_fini(&top);
    if (fflush(stdout) != 0 && code == TCN_EXIT_DONE)
        return tcn_cli_refuse(&cli, TCN_IO, "the output could not be written");
    return code;
}
