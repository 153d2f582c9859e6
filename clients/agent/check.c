/* SPDX-License-Identifier: Apache-2.0 */
/* check.c - see check.h. */
#include "check.h"

#include <grp.h>
#include <inttypes.h>
#include <stdarg.h>
#include <string.h>

#include "config.h"
#include "libtocsin/curve.h"
#include "libtocsin/home.h"
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

static void check_trust(report *r, const tcn_member_home *home, tcn_wall now)
{
    const tcn_bundle *bundle = &home->bundle;
    char text[TCN_WALL_TEXT_SIZE];
    tcn_wall_local(bundle->expires, text);
    if (bundle->expires.unix_ms <= now.unix_ms)
        say(r, "warning",
            "the trust bundle of version %" PRIu64 " expired at %s; a broker may have a newer one",
            bundle->version, text);
    else
        say(r, bundle->expires.unix_ms - now.unix_ms < 30 * TCN_DAY_MS ? "warning" : "ok",
            "program %s, trust version %" PRIu64 ", until %s", bundle->program_name,
            bundle->version, text);
    if ((home->card.roles & TCN_ROLE_NODE) == 0)
        say(r, "problem", "%s does not have the role node, so there is nothing to receive",
            home->card.name);
    else if (!tcn_card_is_valid(&home->card, now))
        say(r, "problem", "the card of %s is %s or expired; ask the authority", home->card.name,
            tcn_member_state_text(home->card.state));
    else
        say(r, "ok", "we are %s", home->card.name);
}

static void check_brokers(report *r, const tcn_member_home *home,
                          const tcn_agent_settings *settings)
{
    const tcn_agent_route *routes = settings->routes.items;
    for (size_t i = 0; i < settings->routes.count; i++) {
        bool known = false;
        for (unsigned j = 0; j < home->bundle.brokers; j++)
            known = known || strcmp(routes[i].name, home->bundle.broker[j].name) == 0;
        if (!known)
            say(r, "problem", "route %s: the trust bundle names no such broker", routes[i].name);
    }
    if (settings->socks_proxy[0] != '\0')
        return; /* it resolves names by itself */
    for (unsigned i = 0; i < home->bundle.brokers; i++) {
        const tcn_broker_entry *broker = &home->bundle.broker[i];
        if (tcn_agent_settings_route(settings, broker->name) != NULL)
            continue;
        for (unsigned j = 0; j < broker->sessions; j++) {
            tcn_address address[TCN_ADDRESSES];
            size_t count;
            tcn_fault fault;
            if (tcn_curve_resolve(broker->session[j], address, &count, &fault) == TCN_OK)
                say(r, "ok", "broker %s at %s, %zu address%s", broker->name, broker->session[j],
                    count, count == 1 ? "" : "es");
            else
                say(r, "warning", "broker %s: %s", broker->name, fault.text);
        }
    }
}

unsigned tcn_agent_check(const char *home, FILE *out)
{
    report r = {.out = out};
    tcn_fault fault;
    tcn_agent_settings settings;
    tcn_member_home opened;
    tcn_clock clock = tcn_sys_clock();
    bool has_settings = tcn_agent_settings_read(home, &settings, &fault) == TCN_OK;
    if (!has_settings)
        say(&r, "problem", "%s", fault.text);
    else if (settings.local_group[0] != '\0' && getgrnam(settings.local_group) == NULL)
        say(&r, "problem", "local-group: there is no group %s", settings.local_group);
    else
        say(&r, "ok", "%s", TCN_HOME_AGENT_CONF);

    if (tcn_member_home_open(home, &opened, &fault) == TCN_OK) {
        check_trust(&r, &opened, clock.wall(clock.self));
        if (has_settings)
            check_brokers(&r, &opened, &settings);
        tcn_member_home_fini(&opened);
    } else {
        say(&r, "problem", "%s", fault.text);
    }
    if (has_settings)
        tcn_agent_settings_fini(&settings);
    return r.problems;
}
