/* SPDX-License-Identifier: Apache-2.0 */
/* check.c - see check.h. */
#include "check.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <string.h>
#include <unistd.h>
#include <zmq.h>

#include "config.h"
#include "libtocsin/curve.h"
#include "libtocsin/file.h"
#include "libtocsin/home.h"
#include "libtocsin/os/lockfile.h"
#include "libtocsin/os/sys_clock.h"

typedef struct {
    FILE *out;
    unsigned problems;
} report;

static void say(report *r, const char *word, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static void say(report *r, const char *word, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    (void)fprintf(r->out, "%-8s ", word);
    (void)vfprintf(r->out, format, args);
    (void)fputc('\n', r->out);
    va_end(args);
    if (strcmp(word, "problem") == 0)
        r->problems++;
}

/* Nobody may listen there already. A running broker of this home does, and that is no problem. */
static void check_place(report *r, void *context, const char *name, const char *place)
{
    tcn_host_port local;
    tcn_fault fault;
    if (tcn_host_port_parse(place, &local, &fault) != TCN_OK) {
        say(r, "problem", "%s: %s", name, fault.text);
        return;
    }
    char address[TCN_ADDRESS_SIZE];
    (void)snprintf(address, sizeof(address),
                   strchr(local.host, ':') ? "tcp://[%s]:%u" : "tcp://%s:%u", local.host,
                   local.port);
    int on = 1;
    void *socket = zmq_socket(context, ZMQ_ROUTER);
    if (socket == NULL || zmq_setsockopt(socket, ZMQ_IPV6, &on, sizeof(on)) != 0 ||
        zmq_bind(socket, address) != 0) {
        int why = zmq_errno();
        say(r, "problem", "%s: cannot listen on %s: %s; %s", name, place, zmq_strerror(why),
            why == EADDRINUSE ? "choose another port or end the process that has it"
                              : "choose an address of this machine");
    } else {
        (void)zmq_unbind(socket, address);
        say(r, "ok", "%s: %s is free", name, place);
    }
    tcn_curve_close(&socket);
}

/* TCN_OK also if nobody ever ran here: then there is no lock to take, and none must be made, for
 * the one who checks may be another user than the one who runs. */
static tcn_err take_lock(const char *home, tcn_lockfile *ret_lock, tcn_fault *fault)
{
    char path[TCN_HOME_PATH_SIZE];
    ret_lock->fd = -1;
    if (tcn_path_join(home, TCN_HOME_RUN "/lock", path, sizeof(path)) != TCN_OK ||
        access(path, F_OK) != 0)
        return TCN_OK;
    return tcn_lockfile_take(home, ret_lock, fault);
}

static void check_places(report *r, const char *home, const tcn_broker_settings *settings)
{
    tcn_lockfile lock;
    tcn_fault fault;
    tcn_err err = take_lock(home, &lock, &fault);
    if (err == TCN_IN_USE) {
        say(r, "ok", "a broker runs in this home; its ports are not tried");
        return;
    }
    if (err != TCN_OK) {
        say(r, "problem", "%s", fault.text);
        return;
    }
    void *context = NULL;
    if (tcn_curve_context(1, &context, &fault) != TCN_OK) {
        say(r, "problem", "%s", fault.text);
    } else {
        for (size_t i = 0; i < settings->listen_session.count; i++)
            check_place(r, context, "listen-session", settings->listen_session.items[i]);
        for (size_t i = 0; i < settings->listen_emergency.count; i++)
            check_place(r, context, "listen-emergency", settings->listen_emergency.items[i]);
        (void)zmq_ctx_term(context);
    }
    tcn_lockfile_fini(&lock);
}

static void check_roster(report *r, const tcn_broker_home *home)
{
    tcn_clock clock = tcn_sys_clock();
    tcn_wall now = clock.wall(clock.self), expires = tcn_roster_expires(home->roster);
    char text[TCN_WALL_TEXT_SIZE];
    tcn_wall_local(expires, text);
    if (expires.unix_ms <= now.unix_ms)
        say(r, "problem",
            "the trust of version %" PRIu64 " expired at %s; sign it anew: tocsin roster sign",
            tcn_roster_version(home->roster), text);
    else
        say(r, expires.unix_ms - now.unix_ms < 30 * TCN_DAY_MS ? "warning" : "ok",
            "trust version %" PRIu64 " with %zu members, until %s",
            tcn_roster_version(home->roster), tcn_roster_members(home->roster), text);
    size_t at = tcn_roster_find(home->roster, home->keys.name);
    const tcn_card *card = at == SIZE_MAX ? NULL : tcn_roster_member(home->roster, at);
    if (card == NULL)
        say(r, "problem", "the roster has no card of %s, whose keys are here", home->keys.name);
    else if ((card->roles & TCN_ROLE_BROKER) == 0)
        say(r, "problem", "%s does not have the role broker", home->keys.name);
    else if (!tcn_card_is_valid(card, now))
        say(r, "problem", "the card of %s is %s or expired; renew it: tocsin member renew %s",
            home->keys.name, tcn_member_state_text(card->state), home->keys.name);
    else
        say(r, "ok", "we are %s", home->keys.name);
}

unsigned tcn_broker_check(const char *home, FILE *out)
{
    report r = {.out = out};
    tcn_fault fault;
    tcn_broker_settings settings;
    bool has_settings = tcn_broker_settings_read(home, &settings, &fault) == TCN_OK;
    if (has_settings)
        say(&r, "ok", "%s", TCN_HOME_BROKER_CONF);
    else
        say(&r, "problem", "%s", fault.text);

    tcn_broker_home opened;
    if (tcn_broker_home_open(home, &opened, &fault) == TCN_OK) {
        check_roster(&r, &opened);
        tcn_broker_home_fini(&opened);
    } else {
        say(&r, "problem", "%s", fault.text);
    }

    if (has_settings) {
        check_places(&r, home, &settings);
        tcn_broker_settings_fini(&settings);
    }
    return r.problems;
}
