/* SPDX-License-Identifier: Apache-2.0 */
/* program.c - tocsin init: a new program with its authority's key and one broker. */
#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fingerprint.h"
#include "libtocsin/curve.h"
#include "libtocsin/file.h"
#include "member_home.h"
#include "membership.h"
#include "out.h"

#define BROKER_NAME "broker"
#define DEFAULT_PORT 7430
#define LOOPBACK "127.0.0.1"

typedef struct {
    const char *dir, *name;
    char listen[TCN_HOST_CHARS + 3], advertise[TCN_HOST_CHARS + 3]; /* with brackets for IPv6 */
    unsigned base_port;
} plan;

/* A host as it stands in "host:port". */
static bool write_host(const char *host, char ret_text[static TCN_HOST_CHARS + 3])
{
    size_t len = strlen(host);
    struct in6_addr ignored_v6;
    bool bare_v6 = inet_pton(AF_INET6, host, &ignored_v6) == 1;
    if (len == 0 || len > TCN_HOST_CHARS)
        return false;
    (void)snprintf(ret_text, TCN_HOST_CHARS + 3, bare_v6 ? "[%s]" : "%s", host);
    char with_port[TCN_HOST_CHARS + 16];
    tcn_host_port ignored;
    (void)snprintf(with_port, sizeof(with_port), "%s:1", ret_text);
    return tcn_host_port_parse(with_port, &ignored, NULL) == TCN_OK;
}

static bool is_any(const char *host)
{
    return strcmp(host, "*") == 0 || strcmp(host, "0.0.0.0") == 0 || strcmp(host, "[::]") == 0;
}

static int read_port(const tcn_cli *cli, const char *text, unsigned *ret_port)
{
    char *end;
    errno = 0;
    unsigned long port = strtoul(text, &end, 10);
    if (errno != 0 || *end != '\0' || text[0] < '0' || text[0] > '9' || port < 1 || port > 65534)
        return tcn_cli_usage(cli,
                             "--base-port %s: a number from 1 to 65534; the next port is used, "
                             "too",
                             text);
    *ret_port = (unsigned)port;
    return TCN_EXIT_DONE;
}

/* Who gives neither address gets a program on this machine only; who gives one gets the other by
 * it. */
static int read_addresses(const tcn_cli *cli, const tcn_args *args, plan *ret_plan)
{
    const char *listen = tcn_args_get(args, "listen");
    const char *advertise = tcn_args_get(args, "advertise");
    char host[TCN_HOST_CHARS + 1] = "";
    if (listen == NULL)
        listen = advertise != NULL ? "*" : LOOPBACK;
    if (!write_host(listen, ret_plan->listen))
        return tcn_cli_usage(cli,
                             "--listen %s: an address of this machine without a port, or * "
                             "for all",
                             listen);
    if (advertise == NULL && is_any(ret_plan->listen)) {
        if (gethostname(host, sizeof(host) - 1) != 0)
            return tcn_cli_usage(cli, "--advertise HOST is needed: this machine has no name");
        advertise = host;
    } else if (advertise == NULL) {
        advertise = listen;
    }
    if (!write_host(advertise, ret_plan->advertise) || is_any(ret_plan->advertise))
        return tcn_cli_usage(cli,
                             "--advertise %s: the name or address by which members reach the "
                             "broker, without a port",
                             advertise);
    return TCN_EXIT_DONE;
}

static int make_plan(const tcn_cli *cli, const tcn_args *args, plan *ret_plan)
{
    const char *port = tcn_args_get(args, "base-port");
    *ret_plan = (plan){
        .dir = args->operand[0], .name = tcn_args_get(args, "name"), .base_port = DEFAULT_PORT};
    int code = tcn_membership_check_name(cli, ret_plan->name);
    if (code == TCN_EXIT_DONE && port != NULL)
        code = read_port(cli, port, &ret_plan->base_port);
    return code == TCN_EXIT_DONE ? read_addresses(cli, args, ret_plan) : code;
}

/* The directory, empty and ours alone. *ret_made: it was not there. */
static tcn_err make_dir(const char *dir, bool *ret_made, tcn_fault *fault)
{
    DIR *found = opendir(dir);
    unsigned entries = 0;
    *ret_made = found == NULL;
    if (found == NULL && errno != ENOENT)
        return tcn_fault_set(fault, TCN_IO, "%s: %s", dir, strerror(errno));
    while (found != NULL && readdir(found) != NULL)
        entries++;
    if (found != NULL)
        (void)closedir(found);
    if (entries > 2)
        return tcn_fault_set(fault, TCN_CONFLICT,
                             "%s is not empty; a program needs a directory of its own", dir);
    tcn_err err = tcn_dir_make(dir, 0700, fault);
    if (err == TCN_OK && chmod(dir, 0700) != 0)
        err = tcn_fault_set(fault, TCN_PERMISSIONS, "%s: %s", dir, strerror(errno));
    return err;
}

static void undo(const tcn_program *program, bool made_dir)
{
    static const char *const made[] = {TCN_HOME_AUTHORITY_KEY, TCN_HOME_AUTHORITY_PUB,
                                       TCN_HOME_PROGRAM_CONF,  TCN_HOME_TRUST,
                                       TCN_HOME_BUNDLE,        TCN_PROGRAM_LOCK};
    char path[TCN_HOME_PATH_SIZE];
    if (tcn_path_join(program->path, TCN_PROGRAM_BROKER, path, sizeof(path)) == TCN_OK)
        tcn_member_home_remove(path);
    if (tcn_path_join(program->path, TCN_PROGRAM_MEMBERS, path, sizeof(path)) == TCN_OK)
        (void)rmdir(path);
    for (size_t i = 0; i < sizeof(made) / sizeof(made[0]); i++)
        if (tcn_path_join(program->path, made[i], path, sizeof(path)) == TCN_OK)
            (void)unlink(path);
    if (made_dir)
        (void)rmdir(program->path);
}

static void write_endpoint(const char *host, unsigned port,
                           char ret_text[static TCN_ENDPOINT_CHARS + 1])
{
    (void)snprintf(ret_text, TCN_ENDPOINT_CHARS + 1, "%.*s:%u", TCN_ENDPOINT_CHARS - 6, host,
                   port & 0xffff);
}

static tcn_err make_authority(tcn_program *program, const plan *what, tcn_fault *fault)
{
    char path[TCN_HOME_PATH_SIZE + 32];
    tcn_sign_generate(&program->secret);
    tcn_sign_public_of(&program->secret, &program->authority);
    program->id = tcn_kid(&program->authority);
    (void)snprintf(path, sizeof(path), "%s/%s", program->path, TCN_HOME_AUTHORITY_KEY);
    tcn_err err = tcn_authority_write(path, &program->secret, fault);
    (void)snprintf(path, sizeof(path), "%s/%s", program->path, TCN_HOME_AUTHORITY_PUB);
    if (err == TCN_OK)
        err = tcn_authority_public_write(path, &program->authority, fault);
    tcn_program_conf *conf = &program->conf;
    tcn_broker_entry *broker = &conf->broker[0];
    memcpy(conf->name, what->name, strlen(what->name) + 1);
    conf->brokers = broker->sessions = broker->emergencies = 1;
    memcpy(broker->name, BROKER_NAME, sizeof(BROKER_NAME));
    write_endpoint(what->advertise, what->base_port, broker->session[0]);
    write_endpoint(what->advertise, what->base_port + 1, broker->emergency[0]);
    (void)snprintf(path, sizeof(path), "%s/%s", program->path, TCN_HOME_PROGRAM_CONF);
    if (err == TCN_OK)
        err = tcn_program_conf_write(path, conf, fault);
    if (err == TCN_OK)
        err = tcn_program_conf_read(path, conf, fault); /* and what it says counts */
    (void)snprintf(path, sizeof(path), "%s/%s", program->path, TCN_PROGRAM_MEMBERS);
    return err == TCN_OK ? tcn_dir_make(path, 0700, fault) : err;
}

/* The broker's keys and home, and the first version of the trust with its card. */
static tcn_err make_broker(const tcn_cli *cli, tcn_program *program, const plan *what,
                           tcn_signed *ret_signed, tcn_fault *fault)
{
    char home[TCN_HOME_PATH_SIZE];
    tcn_member_keys keys;
    tcn_publics publics;
    tcn_card card;
    if (tcn_path_join(program->path, TCN_PROGRAM_BROKER, home, sizeof(home)) != TCN_OK)
        return tcn_fault_set(fault, TCN_TOO_LARGE, "%s: the path is too long", program->path);
    tcn_err err = tcn_member_home_make(home, BROKER_NAME, &program->authority, &keys, fault);
    if (err != TCN_OK)
        return err;
    tcn_secrets_publics(&keys.secrets, &publics);
    tcn_member_keys_fini(&keys);
    tcn_membership_new_card(program, BROKER_NAME, &publics, &card);
    card.roles = TCN_ROLE_BROKER;
    card.clearance = TCN_TLP_RED;
    err = tcn_broker_conf_write(home, what->listen, what->base_port, fault);
    if (err == TCN_OK)
        err = tcn_program_sign(program, &card, 1, ret_signed, fault);
    tcn_card_fini(&card);
    return err == TCN_OK ? tcn_program_publish(cli, program, ret_signed, fault) : err;
}

static int tell(const tcn_cli *cli, const tcn_program *program, const plan *what,
                const tcn_signed *trust)
{
    char print[TCN_FINGERPRINT_SIZE], until[TCN_WALL_TEXT_SIZE];
    const tcn_broker_entry *broker = &program->conf.broker[0];
    tcn_fingerprint(&program->id, print);
    tcn_wall_local(trust->expires, until);
    tcn_out_say(cli, "Program %s is made in %s.", what->name, program->path);
    tcn_field(cli, "authority", TCN_BOLD, "%s", print);
    tcn_field(cli, "trust", TCN_PLAIN, "version 1, valid until %s", until);
    tcn_field(cli, "broker", TCN_PLAIN, "%s/%s", program->path, TCN_PROGRAM_BROKER);
    tcn_field(cli, "listens on", TCN_PLAIN, "%s, ports %u (session) and %u (emergency)",
              what->listen, what->base_port, what->base_port + 1);
    tcn_field(cli, "reached at", TCN_PLAIN, "%s and %s", broker->session[0], broker->emergency[0]);
    tcn_out_say(
        cli,
        "\nNext\n"
        "  1. Start the broker:    tocsin-broker --home %s/%s\n"
        "  2. Add members:         tocsin -H %s member add NAME --roles node --generate-keys\n"
        "  3. Keep authority.key safe and offline, with a copy: whoever has it decides who is\n"
        "     a member, and without it nobody can. Tell members the authority's fingerprint.",
        program->path, TCN_PROGRAM_BROKER, program->path);
    if (strcmp(what->advertise, LOOPBACK) == 0)
        tcn_out_say(cli,
                    "This program is for this machine only; others need --listen and --advertise.");
    return tcn_done(
        cli, json_pack("{s:s, s:o, s:s, s:s, s:s+, s:s, s:s, s:I, s:o}", "name", what->name,
                       "program", tcn_json_id(&program->id), "authority", print, "home",
                       program->path, "broker", program->path, "/" TCN_PROGRAM_BROKER, "session",
                       broker->session[0], "emergency", broker->emergency[0], "version",
                       (json_int_t)trust->version, "expires", tcn_json_wall(trust->expires)));
}

static int run_init(tcn_cli *cli, const tcn_args *args)
{
    plan what;
    tcn_program program = {.lock_fd = -1};
    tcn_signed trust = {0};
    tcn_fault fault = {0};
    bool made_dir = false;
    int code = make_plan(cli, args, &what);
    if (code != TCN_EXIT_DONE)
        return code;
    tcn_err err = tcn_home_path(what.dir, program.path, &fault);
    if (err == TCN_OK)
        err = make_dir(program.path, &made_dir, &fault);
    if (err != TCN_OK)
        return tcn_cli_fail(cli, &fault);
    err = make_authority(&program, &what, &fault);
    if (err == TCN_OK)
        err = make_broker(cli, &program, &what, &trust, &fault);
    if (err != TCN_OK) {
        undo(&program, made_dir);
        code = tcn_cli_fail(cli, &fault);
    } else {
        code = tell(cli, &program, &what, &trust);
    }
    tcn_signed_fini(&trust);
    tcn_program_fini(&program);
    return code;
}

static const tcn_option options[] = {
    {.name = "name", .arg = "NAME", .help = "the program's name", .flags = TCN_OPTION_REQUIRED},
    {.name = "listen",
     .arg = "ADDR",
     .help = "where the broker listens (default: 127.0.0.1; with --advertise: *, all)"},
    {.name = "advertise",
     .arg = "HOST",
     .help = "where members reach it (default: --listen, or this machine's name)"},
    {.name = "base-port",
     .arg = "N",
     .help = "its session port (default 7430); emergencies use the next one"},
    {0}};

const tcn_command tcn_command_init = {
    .name = "init",
    .group = TCN_GROUP_AUTHORITY,
    .summary = "make a new program: its authority's key and its broker",
    .usage = "DIR --name NAME [--listen ADDR] [--advertise HOST] [--base-port N]",
    .help = "Makes the program's home DIR: the authority's key, program.conf with the policy, the\n"
            "complete home of a broker in DIR/broker, and version 1 of the signed trust. DIR must\n"
            "be new or empty. Nothing is sent anywhere; the home may live on an offline machine.",
    .example = "  tocsin init /srv/energy --name energy --listen 192.0.2.7 \\\n"
               "      --advertise tocsin.example.org",
    .next = "  Start the broker on DIR/broker, and add members: tocsin help member add",
    .options = options,
    .min_operands = 1,
    .max_operands = 1,
    .operand_words = "DIR",
    .run = run_init,
};
