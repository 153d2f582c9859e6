/* SPDX-License-Identifier: Apache-2.0 */
/* options.h - a command's options as a table: it makes the parser, the help and the completions.
 * --name VALUE, --name=VALUE, --flag; options and operands in any order; "--" ends the options.
 * Names are never abbreviated: a new option must not change what an old script means. */
#ifndef TCN_CLI_OPTIONS_H
#define TCN_CLI_OPTIONS_H

#include "libtocsin/err.h"

#include <stdbool.h>

/* flags of an option */
enum {
    TCN_OPTION_REQUIRED = 1,
    TCN_OPTION_MANY = 2 /* may be given more than once */
};

typedef struct {
    const char *name; /* "clearance", without dashes; NULL ends the table */
    const char *arg;  /* "TLP" in help; NULL: a flag. FILE and DIR complete as such */
    const char *help; /* one line, without a full stop */
    unsigned flags;
    const char *words; /* "clear green": what it may be, for completion; NULL: anything */
    char letter;       /* 'H': also -H; 0: none */
} tcn_option;

typedef struct {
    const tcn_option *option;
    const char *value; /* "" for a flag */
} tcn_given;

/* Points into argv and into the tables; both must outlive it. */
typedef struct {
    const tcn_option *options, *globals;
    unsigned given_count, operands;
    tcn_given *given;     /* in the order of the command line */
    const char **operand; /* operand[operands] is NULL */
} tcn_args;

/* Parses argv[0..argc), which does not hold the program's and the command's name. Options are those
 * of both tables (either may be NULL). TCN_INVALID with what is wrong, for an unknown option with
 * the closest name. stop_at_operand: what follows the first operand stays operands. */
TCN_CHECKED tcn_err tcn_args_parse(int argc, char **argv, const tcn_option *options,
                                   const tcn_option *globals, bool stop_at_operand,
                                   tcn_args *ret_args, tcn_fault *fault);
void tcn_args_fini(tcn_args *args);

/* TCN_INVALID, naming the first required option that is not given. */
TCN_CHECKED tcn_err tcn_args_check_required(const tcn_args *args, tcn_fault *fault);
/* The last value given; NULL if it was not. The name must be in one of the tables. */
const char *tcn_args_get(const tcn_args *args, const char *name);
bool tcn_args_has(const tcn_args *args, const char *name);
/* The values of an option that may be given more than once: start with *at = 0; NULL at the end. */
const char *tcn_args_next(const tcn_args *args, const char *name, unsigned *at);

/* The word of words[0..count) that a person most likely meant; NULL if none is near. */
const char *tcn_closest(const char *typed, const char *const *words, unsigned count);

/* "a,b , c" into malloc'd, NULL-terminated rows in one block: free(*ret_list). Empty items are
 * TCN_INVALID; an empty text is an empty list. */
TCN_CHECKED tcn_err tcn_list_split(const char *text, char ***ret_list, unsigned *ret_count);

#endif
