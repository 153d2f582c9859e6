/* SPDX-License-Identifier: Apache-2.0 */
/* options.c - the parser of command lines, and the guess at what was meant. */
#include "options.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#define WORD_MAX 64

static const tcn_option *find_in(const tcn_option *table, const char *name, size_t len)
{
    for (; table != NULL && table->name != NULL; table++)
        if (strlen(table->name) == len && memcmp(table->name, name, len) == 0)
            return table;
    return NULL;
}

static const tcn_option *find(const tcn_args *args, const char *name, size_t len)
{
    const tcn_option *found = find_in(args->options, name, len);
    return found != NULL ? found : find_in(args->globals, name, len);
}

static const tcn_option *find_letter(const tcn_args *args, char letter)
{
    const tcn_option *tables[] = {args->options, args->globals};
    for (unsigned i = 0; i < 2; i++)
        for (const tcn_option *o = tables[i]; o != NULL && o->name != NULL; o++)
            if (o->letter == letter)
                return o;
    return NULL;
}

/* Levenshtein distance of two short words; a large number for long ones. */
static unsigned distance(const char *a, const char *b)
{
    size_t m = strlen(a), n = strlen(b);
    unsigned row[WORD_MAX + 1];
    if (m > WORD_MAX || n > WORD_MAX)
        return 2 * WORD_MAX;
    for (unsigned j = 0; j <= n; j++)
        row[j] = j;
    for (unsigned i = 1; i <= m; i++) {
        unsigned diagonal = row[0];
        row[0] = i;
        for (unsigned j = 1; j <= n; j++) {
            unsigned above = row[j], best = diagonal + (a[i - 1] != b[j - 1]);
            best = best < above + 1 ? best : above + 1;
            best = best < row[j - 1] + 1 ? best : row[j - 1] + 1;
            row[j] = best;
            diagonal = above;
        }
    }
    return row[n];
}

const char *tcn_closest(const char *typed, const char *const *words, unsigned count)
{
    const char *closest = NULL;
    size_t len = strlen(typed);
    unsigned best = len < 4 ? 1 : len < 8 ? 2 : 3; /* further away is no guess */
    for (unsigned i = 0; i < count; i++) {
        /* What was begun right is near, however much is missing. */
        unsigned d = len >= 3 && strncmp(words[i], typed, len) == 0 ? 1 : distance(typed, words[i]);
        if (d < best || (d == best && closest == NULL)) {
            best = d;
            closest = words[i];
        }
    }
    return closest;
}

static tcn_err unknown(const tcn_args *args, const char *typed, size_t len, tcn_fault *fault)
{
    const char *names[2 * WORD_MAX];
    unsigned count = 0;
    char word[WORD_MAX + 1] = "";
    const tcn_option *tables[] = {args->options, args->globals};
    for (unsigned i = 0; i < 2; i++)
        for (const tcn_option *o = tables[i]; o != NULL && o->name != NULL; o++)
            if (count < 2 * WORD_MAX)
                names[count++] = o->name;
    if (len <= WORD_MAX)
        memcpy(word, typed, len);
    const char *near = word[0] != '\0' ? tcn_closest(word, names, count) : NULL;
    return tcn_fault_set(fault, TCN_INVALID, "unknown option --%.*s%s%s%s", (int)len, typed,
                         near != NULL ? "; did you mean --" : "", near != NULL ? near : "",
                         near != NULL ? "?" : "");
}

typedef struct {
    int argc, at;
    char **argv;
} words;

static tcn_err add(tcn_args *args, words *line, const tcn_option *option, const char *value,
                   tcn_fault *fault)
{
    if (option->arg == NULL) {
        if (value != NULL)
            return tcn_fault_set(fault, TCN_INVALID, "--%s takes no value", option->name);
        value = "";
    } else if (value == NULL) {
        if (line->at + 1 >= line->argc)
            return tcn_fault_set(fault, TCN_INVALID, "--%s needs a value: --%s %s", option->name,
                                 option->name, option->arg);
        value = line->argv[++line->at];
    }
    if ((option->flags & TCN_OPTION_MANY) == 0)
        for (unsigned i = 0; i < args->given_count; i++)
            if (args->given[i].option == option && option->arg != NULL)
                return tcn_fault_set(fault, TCN_INVALID, "--%s is given twice", option->name);
    args->given[args->given_count++] = (tcn_given){option, value};
    return TCN_OK;
}

static tcn_err take(tcn_args *args, words *line, tcn_fault *fault)
{
    const char *word = line->argv[line->at];
    const tcn_option *option;
    if (word[1] != '-') { /* -H DIR, -HDIR, -h */
        option = find_letter(args, word[1]);
        if (option == NULL)
            return tcn_fault_set(fault, TCN_INVALID, "unknown option -%c", word[1]);
        return add(args, line, option, word[2] != '\0' ? word + 2 : NULL, fault);
    }
    const char *name = word + 2, *equals = strchr(name, '=');
    size_t len = equals != NULL ? (size_t)(equals - name) : strlen(name);
    option = find(args, name, len);
    if (option == NULL)
        return unknown(args, name, len, fault);
    return add(args, line, option, equals != NULL ? equals + 1 : NULL, fault);
}

tcn_err tcn_args_parse(int argc, char **argv, const tcn_option *options, const tcn_option *globals,
                       bool stop_at_operand, tcn_args *ret_args, tcn_fault *fault)
{
    tcn_args args = {.options = options, .globals = globals};
    words line = {.argc = argc, .argv = argv};
    bool only_operands = false;
    size_t room = (size_t)argc + 1;
    args.given = calloc(room, sizeof(*args.given));
    args.operand = calloc(room, sizeof(*args.operand));
    tcn_err err = TCN_OK;
    if (args.given == NULL || args.operand == NULL)
        err = tcn_fault_set(fault, TCN_NO_MEMORY, "out of memory");
    for (; err == TCN_OK && line.at < argc; line.at++) {
        const char *word = argv[line.at];
        if (!only_operands && strcmp(word, "--") == 0) {
            only_operands = true;
        } else if (!only_operands && word[0] == '-' && word[1] != '\0') {
            err = take(&args, &line, fault);
        } else {
            args.operand[args.operands++] = word;
            only_operands = only_operands || stop_at_operand;
        }
    }
    if (err != TCN_OK) {
        tcn_args_fini(&args);
        return err;
    }
    *ret_args = args;
    return TCN_OK;
}

void tcn_args_fini(tcn_args *args)
{
    free(args->given);
    free(args->operand);
    memset(args, 0, sizeof(*args));
}

tcn_err tcn_args_check_required(const tcn_args *args, tcn_fault *fault)
{
    for (const tcn_option *o = args->options; o != NULL && o->name != NULL; o++)
        if ((o->flags & TCN_OPTION_REQUIRED) != 0 && !tcn_args_has(args, o->name))
            return tcn_fault_set(fault, TCN_INVALID, "--%s %s is missing: %s", o->name,
                                 o->arg != NULL ? o->arg : "", o->help);
    return TCN_OK;
}

const char *tcn_args_get(const tcn_args *args, const char *name)
{
    const tcn_option *option = find(args, name, strlen(name));
    TCN_REQUIRE(option != NULL);
    for (unsigned i = args->given_count; i > 0; i--)
        if (args->given[i - 1].option == option)
            return args->given[i - 1].value;
    return NULL;
}

bool tcn_args_has(const tcn_args *args, const char *name)
{
    return tcn_args_get(args, name) != NULL;
}

const char *tcn_args_next(const tcn_args *args, const char *name, unsigned *at)
{
    const tcn_option *option = find(args, name, strlen(name));
    TCN_REQUIRE(option != NULL);
    while (*at < args->given_count) {
        const tcn_given *given = &args->given[(*at)++];
        if (given->option == option)
            return given->value;
    }
    return NULL;
}

tcn_err tcn_list_split(const char *text, char ***ret_list, unsigned *ret_count)
{
    size_t len = strlen(text), room = 2;
    for (const char *c = text; *c != '\0'; c++)
        room += *c == ',';
    /* Pointers first, then the text that they point into. */
    char **list = calloc(1, room * sizeof(char *) + len + 1);
    if (list == NULL)
        return TCN_NO_MEMORY;
    char *copy = (char *)(list + room);
    unsigned count = 0;
    memcpy(copy, text, len + 1);
    while (len > 0 && copy != NULL) {
        char *item = copy, *comma = strchr(copy, ',');
        if (comma != NULL)
            *comma = '\0';
        copy = comma != NULL ? comma + 1 : NULL;
        item += strspn(item, " \t");
        for (size_t end = strlen(item); end > 0 && isspace((unsigned char)item[end - 1]); end--)
            item[end - 1] = '\0';
        if (item[0] == '\0') {
            free(list);
            return TCN_INVALID;
        }
        list[count++] = item;
    }
    *ret_list = list;
    *ret_count = count;
    return TCN_OK;
}
