/* SPDX-License-Identifier: Apache-2.0 */
/* command.h - what a command of tocsin is, and what it may use. How to add one:
 *   1. clients/cli/NOUN.c defines `const tcn_command tcn_command_NAME = {...};` and its options;
 *   2. commands.h gets a row X(NAME) where the help shall list it.
 * main.c then parses, answers --help, checks operands and required options, calls run, and turns
 * what run returns into the exit code. Help, `tocsin help` and completions come from the row. */
#ifndef TCN_CLI_COMMAND_H
#define TCN_CLI_COMMAND_H

#include <stdbool.h>
#include <stdio.h>

#include "libtocsin/home.h"
#include "options.h"

typedef enum {
    TCN_EXIT_DONE = 0,
    TCN_EXIT_REFUSED = 1, /* or not found, or invalid */
    TCN_EXIT_USAGE = 2,
    TCN_EXIT_UNREACHABLE = 3,
    TCN_EXIT_TIMEOUT = 4
} tcn_exit;

/* X(NAME, heading in help) */
#define TCN_GROUP_TABLE(X)                                                                         \
    X(AUTHORITY, "The authority, offline, in the program's home")                                  \
    X(NEWCOMER, "A new member")                                                                    \
    X(PUBLISHER, "A publisher or approver")                                                        \
    X(NODE, "A node, beside its running agent")                                                    \
    X(OPERATOR, "An operator")                                                                     \
    X(ANYONE, "Anyone")

typedef enum {
#define X(name, heading) TCN_GROUP_##name,
    TCN_GROUP_TABLE(X)
#undef X
} tcn_group;

typedef struct tcn_command tcn_command;

/* One run of the program. */
typedef struct {
    const tcn_command *command;
    const char *home_given; /* --home; NULL: not given */
    bool json;              /* --json: results as JSON, nothing else on stdout */
    bool colour;            /* stdout is a terminal, and NO_COLOR and TERM allow it */
} tcn_cli;

struct tcn_command {
    const char *name; /* "publish", "member add" */
    tcn_group group;
    const char *summary;       /* one line, lower case, no full stop */
    const char *usage;         /* what follows the name: "ID [--body]" */
    const char *help;          /* what it does, in sentences; lines of at most 80 columns */
    const char *example;       /* whole command lines, two spaces in front of each */
    const char *next;          /* what to do next; NULL: nothing */
    const tcn_option *options; /* beside the global ones; NULL: none */
    unsigned min_operands, max_operands;
    const char *operand_words; /* completion: "bash zsh fish", "FILE", "DIR"; NULL: nothing */
    int (*run)(tcn_cli *cli, const tcn_args *args); /* returns a tcn_exit */
};

/* Says why on stderr (with --json as {"error","message"}) and returns the exit code for it: 3 for
 * TCN_UNREACHABLE, 4 for TCN_TIMEOUT, else 1. A fault without text says the error's sentence. */
int tcn_cli_fail(const tcn_cli *cli, const tcn_fault *fault);
/* The same for one error and a text of one's own. */
int tcn_cli_refuse(const tcn_cli *cli, tcn_err err, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* An argument is not acceptable: says why and how it should be, returns 2. */
int tcn_cli_usage(const tcn_cli *cli, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* A remark on stderr that does not change the exit code ("warning: ..."). */
void tcn_cli_warn(const tcn_cli *cli, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* The home of this run: --home, $TOCSIN_HOME, ~/.config/tocsin; it must be a directory. */
TCN_CHECKED tcn_err tcn_cli_home(const tcn_cli *cli, char ret_home[static TCN_HOME_PATH_SIZE],
                                 tcn_fault *fault);
/* The home, which must be of this kind; else a fault that says what it is and what to name. */
TCN_CHECKED tcn_err tcn_cli_home_kind(const tcn_cli *cli, tcn_home_kind kind,
                                      char ret_home[static TCN_HOME_PATH_SIZE], tcn_fault *fault);
/* Wall clock. */
tcn_wall tcn_cli_now(void);

/* All commands in the order of help; *ret_count of them. */
const tcn_command *const *tcn_commands(unsigned *ret_count);
/* Options that every command has. */
extern const tcn_option tcn_global_options[];
/* "usage: tocsin NAME ...", wrapped (help.c). */
void tcn_help_usage(FILE *out, const tcn_command *command);
/* The help of one command on stdout (help.c). */
void tcn_help_command(const tcn_command *command);
/* The list of all commands; of those whose first word is noun if it is not NULL. */
void tcn_help_overview(FILE *out, const char *noun);

#endif
