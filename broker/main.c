/* SPDX-License-Identifier: Apache-2.0 */
/* main.c - tocsin-broker: arguments, and the order in which a daemon gets on its feet. */
#include <getopt.h>
#include <stdio.h>
#include <unistd.h>

#include "check.h"
#include "core/log_events.h"
#include "libtocsin/home.h"
#include "libtocsin/os/lockfile.h"
#include "libtocsin/os/process.h"
#include "server.h"
#include "tocsin/version.h"

enum { EXIT_OK, EXIT_FAILED, EXIT_USAGE };

static const char usage[] =
    "usage: tocsin-broker [--home DIR] [--check]\n"
    "\n"
    "  -H, --home DIR        the broker's home (default: $TOCSIN_HOME, else ~/.config/tocsin)\n"
    "      --check           look for what would keep it from starting, and end\n"
    "      --print-config    print broker.conf with each setting explained, and end\n"
    "      --print-events    print every line that it logs, what it means and what to do, and end\n"
    "      --version\n"
    "      --help\n"
    "\n"
    "SIGTERM ends it, SIGHUP makes it read broker.conf and the trust file again.\n"
    "It watches the trust file: a newer one is in force within a second.\n";

typedef struct {
    const char *home;
    bool check;
    int code; /* what to end with; -1: go on */
} arguments;

static void print_events(void)
{
    size_t count;
    const tcn_log_event *events = tcn_events(&count);
    tcn_log_events_print(stdout, events, count);
}

static arguments read_arguments(int argc, char **argv)
{
    enum { CHECK = 256, PRINT, EVENTS, VERSION, HELP };
    static const struct option options[] = {{"home", required_argument, NULL, 'H'},
                                            {"check", no_argument, NULL, CHECK},
                                            {"print-config", no_argument, NULL, PRINT},
                                            {"print-events", no_argument, NULL, EVENTS},
                                            {"version", no_argument, NULL, VERSION},
                                            {"help", no_argument, NULL, HELP},
                                            {NULL, 0, NULL, 0}};
    arguments args = {.code = -1};
    int option;
    while (args.code < 0 && (option = getopt_long(argc, argv, "H:h", options, NULL)) != -1) {
        switch (option) {
        case 'H': args.home = optarg; break;
        case CHECK: args.check = true; break;
        case PRINT:
            tcn_config_print_defaults(stdout, &tcn_broker_config_table);
            args.code = EXIT_OK;
            break;
        case EVENTS:
            print_events();
            args.code = EXIT_OK;
            break;
        case VERSION:
            (void)puts("tocsin-broker " TOCSIN_VERSION);
            args.code = EXIT_OK;
            break;
        case 'h':
        case HELP:
            (void)fputs(usage, stdout);
            args.code = EXIT_OK;
            break;
        default: (void)fputs(usage, stderr); args.code = EXIT_USAGE;
        }
    }
    if (args.code < 0 && optind < argc) {
        (void)fprintf(stderr, "tocsin-broker: %s: not an option\n%s", argv[optind], usage);
        args.code = EXIT_USAGE;
    }
    return args;
}

static tcn_err serve(tcn_broker_server_options *options, tcn_fault *fault)
{
    tcn_broker_server *server = NULL;
    tcn_err err = tcn_broker_server_new(options, &server, fault);
    if (err == TCN_OK)
        err = tcn_broker_server_run(server, fault);
    tcn_broker_server_destroy(&server);
    return err;
}

static tcn_err run(const char *home, tcn_fault *fault)
{
    tcn_notify notify;
    tcn_lockfile lock = {.fd = -1};
    tcn_broker_settings settings;
    tcn_log_out log;
    tcn_broker_server_options options = {
        .home = home, .settings = &settings, .log = &log, .notify = &notify};
    tcn_notify_init(&notify);
    tcn_err err = tcn_process_harden(fault);
    if (err == TCN_OK)
        err = tcn_broker_settings_read(home, &settings, fault);
    if (err != TCN_OK) {
        tcn_notify_fini(&notify);
        return err;
    }
    tcn_log_out_init(&log, STDERR_FILENO, (tcn_level)settings.log_level);
    err = tcn_lockfile_take(home, &lock, fault);
    if (err == TCN_IN_USE) {
        tcn_fault who = *fault;
        err = tcn_fault_set(fault, err, "another broker uses this home already: %s", who.text);
    }
    if (err == TCN_OK)
        err = tcn_process_signals(&options.signal_fd, fault);
    if (err == TCN_OK) {
        err = serve(&options, fault);
        (void)close(options.signal_fd);
    }
    tcn_lockfile_fini(&lock);
    tcn_broker_settings_fini(&settings);
    tcn_notify_fini(&notify);
    return err;
}

int main(int argc, char **argv)
{
    arguments args = read_arguments(argc, argv);
    if (args.code >= 0)
        return args.code;
    char home[TCN_HOME_PATH_SIZE];
    tcn_fault fault = {.err = TCN_OK};
    tcn_err err = tcn_keys_init();
    if (err != TCN_OK)
        (void)tcn_fault_set(&fault, err, "libsodium does not start");
    if (err == TCN_OK)
        err = tcn_home_resolve(args.home, home, &fault);
    if (err == TCN_OK && args.check)
        return tcn_broker_check(home, stdout) == 0 ? EXIT_OK : EXIT_FAILED;
    if (err == TCN_OK)
        err = run(home, &fault);
    if (err == TCN_OK)
        return EXIT_OK;
    (void)fprintf(stderr, "tocsin-broker: %s\n", fault.text);
    return EXIT_FAILED;
}
