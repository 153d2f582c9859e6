/* SPDX-License-Identifier: Apache-2.0 */
/* command.c - the table of commands, and what all of them share: errors, exit codes, the home. */
#include "command.h"

#include <jansson.h>
#include <stdarg.h>
#include <time.h>

#include "commands.h"
#include "libtocsin/text.h"

const tcn_option tcn_global_options[] = {
    {.name = "home",
     .arg = "DIR",
     .help = "the home to use (default: $TOCSIN_HOME, else ~/.config/tocsin)",
     .letter = 'H'},
    {.name = "json", .help = "print JSON: one object, or one a line for lists"},
    {.name = "help", .help = "explain this command", .letter = 'h'},
    {0}};

const tcn_command *const *tcn_commands(unsigned *ret_count)
{
    static const tcn_command *const all[] = {
#define X(name) &tcn_command_##name,
        TCN_COMMAND_TABLE(X)
#undef X
    };
    *ret_count = sizeof(all) / sizeof(all[0]);
    return all;
}

/* One line on stderr, or with --json one object. error: the word for programs. */
static void complain(const tcn_cli *cli, const char *error, const char *raw)
{
    char text[1024];
    tcn_text_line(tcn_bytes_str(raw), text, sizeof(text));
    if (cli->json) {
        json_t *object = json_pack("{s:s, s:s}", "error", error, "message", text);
        if (object != NULL && json_dumpf(object, stderr, JSON_COMPACT) == 0)
            (void)fputc('\n', stderr);
        json_decref(object);
        return;
    }
    (void)fflush(stdout);
    if (cli->command != NULL)
        (void)fprintf(stderr, "tocsin %s: %s\n", cli->command->name, text);
    else
        (void)fprintf(stderr, "tocsin: %s\n", text);
}

static int exit_code(tcn_err err)
{
    switch (err) {
    case TCN_UNREACHABLE: return TCN_EXIT_UNREACHABLE;
    case TCN_TIMEOUT: return TCN_EXIT_TIMEOUT;
    default: return TCN_EXIT_REFUSED;
    }
}

int tcn_cli_fail(const tcn_cli *cli, const tcn_fault *fault)
{
    complain(cli, tcn_err_word(fault->err),
             fault->text[0] != '\0' ? fault->text : tcn_err_text(fault->err));
    return exit_code(fault->err);
}

int tcn_cli_refuse(const tcn_cli *cli, tcn_err err, const char *format, ...)
{
    char text[1024];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    complain(cli, tcn_err_word(err), text);
    return exit_code(err);
}

int tcn_cli_usage(const tcn_cli *cli, const char *format, ...)
{
    char text[1024];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    complain(cli, "usage", text);
    if (cli->json)
        return TCN_EXIT_USAGE;
    if (cli->command != NULL)
        tcn_help_usage(stderr, cli->command);
    (void)fprintf(stderr, "More: tocsin help%s%s\n", cli->command != NULL ? " " : "",
                  cli->command != NULL ? cli->command->name : "");
    return TCN_EXIT_USAGE;
}

void tcn_cli_warn(const tcn_cli *cli, const char *format, ...)
{
    char raw[1024], text[1024];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(raw, sizeof(raw), format, args);
    va_end(args);
    tcn_text_line(tcn_bytes_str(raw), text, sizeof(text));
    (void)fflush(stdout);
    (void)fprintf(stderr, "tocsin %s: warning: %s\n",
                  cli->command != NULL ? cli->command->name : "", text);
}

tcn_err tcn_cli_home(const tcn_cli *cli, char ret_home[static TCN_HOME_PATH_SIZE], tcn_fault *fault)
{
    return tcn_home_resolve(cli->home_given, ret_home, fault);
}

tcn_err tcn_cli_home_kind(const tcn_cli *cli, tcn_home_kind kind,
                          char ret_home[static TCN_HOME_PATH_SIZE], tcn_fault *fault)
{
    char home[TCN_HOME_PATH_SIZE];
    tcn_err err = tcn_cli_home(cli, home, fault);
    if (err != TCN_OK)
        return err;
    tcn_home_kind found = tcn_home_kind_of(home);
    if (found != kind)
        return tcn_fault_set(fault, TCN_NOT_FOUND, "%s is %s; this command needs %s: --home DIR",
                             home, tcn_home_kind_text(found), tcn_home_kind_text(kind));
    for (size_t i = 0; i < sizeof(home); i++)
        ret_home[i] = home[i];
    return TCN_OK;
}

tcn_wall tcn_cli_now(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_REALTIME, &now);
    return (tcn_wall){(int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000};
}
