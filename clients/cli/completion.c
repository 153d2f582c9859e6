/* SPDX-License-Identifier: Apache-2.0 */
/* completion.c - tocsin completion: scripts for shells, written from the table of commands. */
#include <string.h>

#include "command.h"
#include "out.h"

static bool is_path(const char *arg)
{
    return arg != NULL && (strstr(arg, "FILE") != NULL || strstr(arg, "DIR") != NULL);
}

static size_t first_word(const char *name)
{
    return strcspn(name, " ");
}

/* Is this the first command with its first word? */
static bool is_first(const tcn_command *const *all, unsigned i)
{
    size_t len = first_word(all[i]->name);
    for (unsigned j = 0; j < i; j++)
        if (first_word(all[j]->name) == len && memcmp(all[j]->name, all[i]->name, len) == 0)
            return false;
    return true;
}

static void print_options(const tcn_option *options)
{
    for (; options != NULL && options->name != NULL; options++)
        (void)printf(" --%s", options->name);
}

/* "  --clearance) words='clear green' ;;" for each option that has something to say. */
static void print_bash_values(const tcn_option *options)
{
    for (; options != NULL && options->name != NULL; options++) {
        if (options->arg == NULL)
            continue;
        (void)printf("            --%s) ", options->name);
        if (options->words != NULL)
            (void)printf("words='%s' ;;\n", options->words);
        else
            (void)printf("words=%s ;;\n", is_path(options->arg) ? "@path" : "@none");
    }
}

static const char bash_begin[] =
    "# bash completion of tocsin; put it where bash-completion looks, or source it\n"
    "_tocsin() {\n"
    "    local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]}\n"
    "    local words='' name='' word i\n"
    "    COMPREPLY=()\n"
    "    for ((i = 1; i < COMP_CWORD; i++)); do\n"
    "        word=${COMP_WORDS[i]}\n"
    "        case $word in\n"
    "        -H | --home) ((i++)) ;;\n"
    "        -*) ;;\n"
    "        *)\n"
    "            name=${name:+$name }$word\n"
    "            case \" $_tocsin_nouns \" in *\" $name \"*) ;; *) break ;; esac\n"
    "            ;;\n"
    "        esac\n"
    "    done\n"
    "    case $name in\n";

static const char bash_end[] =
    "    esac\n"
    "    case $prev in -H | --home) words=@path ;; esac\n"
    "    case $words in\n"
    "    @path) compopt -o filenames 2>/dev/null; mapfile -t COMPREPLY < <(compgen -f -- \"$cur\") "
    ";;\n"
    "    @none) ;;\n"
    "    *@path*)\n"
    "        mapfile -t COMPREPLY < <(compgen -W \"${words//@path/}\" -- \"$cur\")\n"
    "        [[ $cur == -* ]] || mapfile -t -O ${#COMPREPLY[@]} COMPREPLY < <(compgen -f -- "
    "\"$cur\")\n"
    "        ;;\n"
    "    *) mapfile -t COMPREPLY < <(compgen -W \"$words\" -- \"$cur\") ;;\n"
    "    esac\n"
    "}\n"
    "complete -F _tocsin tocsin\n";

/* The words that may follow: the first words of commands, or the second ones of a noun. */
static void print_bash_nouns(const tcn_command *const *all, unsigned count)
{
    (void)printf("    '') words='");
    for (unsigned i = 0; i < count; i++)
        if (is_first(all, i))
            (void)printf("%s%.*s", i > 0 ? " " : "", (int)first_word(all[i]->name), all[i]->name);
    (void)printf(" --home --json --help --version' ;;\n");
    for (unsigned i = 0; i < count; i++) {
        size_t len = first_word(all[i]->name);
        if (all[i]->name[len] == '\0' || !is_first(all, i))
            continue;
        (void)printf("    %.*s) words='", (int)len, all[i]->name);
        for (unsigned j = i; j < count; j++)
            if (first_word(all[j]->name) == len && memcmp(all[j]->name, all[i]->name, len) == 0)
                (void)printf("%s%s", j > i ? " " : "", all[j]->name + len + 1);
        (void)printf("' ;;\n");
    }
}

static void print_bash(const tcn_command *const *all, unsigned count)
{
    (void)printf("_tocsin_nouns='");
    for (unsigned i = 0; i < count; i++)
        if (is_first(all, i) && strchr(all[i]->name, ' ') != NULL)
            (void)printf("%.*s ", (int)first_word(all[i]->name), all[i]->name);
    (void)printf("'\n%s", bash_begin);
    print_bash_nouns(all, count);
    for (unsigned i = 0; i < count; i++) {
        const tcn_command *c = all[i];
        (void)printf("    '%s')\n        case $prev in\n", c->name);
        print_bash_values(c->options);
        (void)printf("            *) words='");
        if (is_path(c->operand_words))
            (void)printf("@path");
        else if (c->operand_words != NULL)
            (void)printf("%s", c->operand_words);
        print_options(c->options);
        print_options(tcn_global_options);
        (void)printf("' ;;\n        esac\n        ;;\n");
    }
    (void)fputs(bash_end, stdout);
}

/* Text within single quotes of fish. */
static void print_fish_text(const char *text)
{
    for (; *text != '\0'; text++) {
        if (*text == '\'' || *text == '\\')
            (void)fputc('\\', stdout);
        (void)fputc(*text, stdout);
    }
}

/* zsh's _arguments also wants brackets and colons escaped. */
static void print_zsh_text(const char *text)
{
    for (; *text != '\0'; text++) {
        if (strchr("[]:\\", *text) != NULL)
            (void)fputc('\\', stdout);
        if (*text == '\'')
            (void)fputs("'\\''", stdout);
        else
            (void)fputc(*text, stdout);
    }
}

static void print_zsh_options(const tcn_option *options)
{
    for (const tcn_option *o = options; o != NULL && o->name != NULL; o++) {
        (void)printf(" \\\n            '%s--%s[", (o->flags & TCN_OPTION_MANY) != 0 ? "*" : "",
                     o->name);
        print_zsh_text(o->help);
        (void)fputc(']', stdout);
        if (o->words != NULL)
            (void)printf(":%s:(%s)", o->arg, o->words);
        else if (o->arg != NULL)
            (void)printf(":%s:%s", o->arg, is_path(o->arg) ? "_files" : "");
        (void)fputc('\'', stdout);
    }
}

static void print_zsh_word(const char *word, int len, const char *what)
{
    (void)printf(" \\\n            '%.*s:", len, word);
    print_zsh_text(what);
    (void)fputc('\'', stdout);
}

/* What may follow: the first words of commands, or the second ones of a noun. */
static void print_zsh_words(const tcn_command *const *all, unsigned count)
{
    (void)printf("    '') choices=(");
    for (unsigned i = 0; i < count; i++)
        if (is_first(all, i))
            print_zsh_word(all[i]->name, (int)first_word(all[i]->name),
                           strchr(all[i]->name, ' ') == NULL ? all[i]->summary : "");
    (void)printf("); _describe command choices ;;\n");
    for (unsigned i = 0; i < count; i++) {
        size_t len = first_word(all[i]->name);
        if (all[i]->name[len] == '\0' || !is_first(all, i))
            continue;
        (void)printf("    %.*s) choices=(", (int)len, all[i]->name);
        for (unsigned j = i; j < count; j++)
            if (first_word(all[j]->name) == len && memcmp(all[j]->name, all[i]->name, len) == 0)
                print_zsh_word(all[j]->name + len + 1, (int)strlen(all[j]->name + len + 1),
                               all[j]->summary);
        (void)printf("); _describe command choices ;;\n");
    }
}

static const char zsh_begin[] = "#compdef tocsin\n"
                                "_tocsin() {\n"
                                "    local -a choices\n"
                                "    local name='' i=2\n"
                                "    while (( i < CURRENT )); do\n"
                                "        case $words[i] in\n"
                                "        -H|--home) (( i += 2 )); continue ;;\n"
                                "        -*) (( i++ )); continue ;;\n"
                                "        esac\n"
                                "        name=\"${name:+$name }$words[i]\"\n"
                                "        (( i++ ))\n"
                                "        case $name in\n"
                                "        ";

/* Past the name _arguments sees a command line of its own. */
static const char zsh_shift[] = "'') ;;\n"
                                "        *) break ;;\n"
                                "        esac\n"
                                "    done\n"
                                "    (( CURRENT = CURRENT - i + 2 ))\n"
                                "    words=(tocsin \"${(@)words[i,-1]}\")\n"
                                "    case $name in\n";

static void print_zsh(const tcn_command *const *all, unsigned count)
{
    (void)fputs(zsh_begin, stdout);
    for (unsigned i = 0; i < count; i++)
        if (is_first(all, i) && strchr(all[i]->name, ' ') != NULL)
            (void)printf("%.*s|", (int)first_word(all[i]->name), all[i]->name);
    (void)fputs(zsh_shift, stdout);
    print_zsh_words(all, count);
    for (unsigned i = 0; i < count; i++) {
        (void)printf("    '%s') _arguments", all[i]->name);
        print_zsh_options(all[i]->options);
        print_zsh_options(tcn_global_options);
        if (is_path(all[i]->operand_words))
            (void)printf(" \\\n            '*:file:_files'");
        else if (all[i]->operand_words != NULL)
            (void)printf(" \\\n            '*:argument:(%s)'", all[i]->operand_words);
        else
            (void)printf(" \\\n            '*:argument:'");
        (void)printf(" ;;\n");
    }
    (void)printf("    esac\n}\n_tocsin \"$@\"\n");
}

static const char fish_begin[] = "# fish completion of tocsin\n"
                                 "function __tocsin_words\n"
                                 "    set -l tokens (commandline -opc)\n"
                                 "    set -l skip 1\n"
                                 "    set -l words\n"
                                 "    for token in $tokens\n"
                                 "        if test $skip = 1\n"
                                 "            set skip 0\n"
                                 "            continue\n"
                                 "        end\n"
                                 "        switch $token\n"
                                 "            case -H --home\n"
                                 "                set skip 1\n"
                                 "            case '-*'\n"
                                 "            case '*'\n"
                                 "                set -a words $token\n"
                                 "        end\n"
                                 "    end\n"
                                 "    string join ' ' -- $words\n"
                                 "end\n"
                                 "function __tocsin_at\n"
                                 "    set -l words (__tocsin_words)\n"
                                 "    test \"$words\" = \"$argv[1]\"\n"
                                 "end\n"
                                 "function __tocsin_in\n"
                                 "    set -l words (__tocsin_words)\n"
                                 "    string match -q -- \"$argv[1] *\" \"$words \"\n"
                                 "end\n"
                                 "complete -c tocsin -f\n";

static void print_fish_option(const char *condition, const tcn_option *o)
{
    (void)printf("complete -c tocsin%s -l %s", condition, o->name);
    if (o->letter != 0)
        (void)printf(" -s %c", o->letter);
    (void)printf(" -d '");
    print_fish_text(o->help);
    (void)fputc('\'', stdout);
    if (o->words != NULL)
        (void)printf(" -x -a '%s'", o->words);
    else if (o->arg != NULL)
        (void)printf(is_path(o->arg) ? " -r -F" : " -x");
    (void)fputc('\n', stdout);
}

/* A word that may follow those in place. */
static void print_fish_word(const char *place, int place_len, const char *word, int len,
                            const char *what)
{
    (void)printf("complete -c tocsin -n \"__tocsin_at '%.*s'\" -a %.*s -d '", place_len, place, len,
                 word);
    print_fish_text(what);
    (void)printf("'\n");
}

static void print_fish(const tcn_command *const *all, unsigned count)
{
    (void)fputs(fish_begin, stdout);
    for (const tcn_option *o = tcn_global_options; o->name != NULL; o++)
        print_fish_option("", o);
    for (unsigned i = 0; i < count; i++) {
        const tcn_command *c = all[i];
        int len = (int)first_word(c->name);
        const char *second = c->name[len] == ' ' ? c->name + len + 1 : NULL;
        char condition[256];
        if (is_first(all, i))
            print_fish_word("", 0, c->name, len, second == NULL ? c->summary : "");
        if (second != NULL)
            print_fish_word(c->name, len, second, (int)strlen(second), c->summary);
        (void)snprintf(condition, sizeof(condition), " -n \"__tocsin_in '%s'\"", c->name);
        for (const tcn_option *o = c->options; o != NULL && o->name != NULL; o++)
            print_fish_option(condition, o);
        if (is_path(c->operand_words))
            (void)printf("complete -c tocsin%s -F\n", condition);
        else if (c->operand_words != NULL)
            (void)printf("complete -c tocsin%s -a '%s'\n", condition, c->operand_words);
    }
}

static int run_completion(tcn_cli *cli, const tcn_args *args)
{
    unsigned count;
    const tcn_command *const *all = tcn_commands(&count);
    const char *shell = args->operand[0];
    if (strcmp(shell, "bash") == 0)
        print_bash(all, count);
    else if (strcmp(shell, "zsh") == 0)
        print_zsh(all, count);
    else if (strcmp(shell, "fish") == 0)
        print_fish(all, count);
    else
        return tcn_cli_usage(cli, "there is no completion for %s; it is bash, zsh or fish", shell);
    return tcn_finish(cli, TCN_OK);
}

const tcn_command tcn_command_completion = {
    .name = "completion",
    .group = TCN_GROUP_ANYONE,
    .summary = "print completions for a shell",
    .usage = "bash|zsh|fish",
    .help = "Prints a script that lets the shell complete commands, options and their values.",
    .example = "  tocsin completion bash > ~/.local/share/bash-completion/completions/tocsin\n"
               "  tocsin completion zsh > ~/.zfunc/_tocsin\n"
               "  tocsin completion fish > ~/.config/fish/completions/tocsin.fish",
    .min_operands = 1,
    .max_operands = 1,
    .operand_words = "bash zsh fish",
    .run = run_completion,
};
