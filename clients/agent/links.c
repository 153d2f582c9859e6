/* SPDX-License-Identifier: Apache-2.0 */
/* links.c - each link: waiting → (resolving →) connecting → up → waiting. */
#include "links.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zmq.h>

#include "libtocsin/monitor.h"
#include "libtocsin/socks.h"
#include "resolver.h"

enum {
    LINKS = TCN_MAX_BROKERS * TCN_LANES,
    FRAMES = TCN_LANES * TCN_MAX_TURN_FRAMES,
    INPUTS = FRAMES + 2 * LINKS,
    ATTEMPT_MS = 10000,    /* connect and handshake, one address */
    PAUSE_MIN_MS = 250,    /* doubled after each round of all addresses, up to */
    PAUSE_MAX_MS = 15000,  /* this; each pause is drawn from its half to its whole */
    SPREAD_MS = 1000,      /* after a connection was lost: not all nodes at once */
    NAME_LIMIT_MS = 60000, /* a name service that says nothing */
    WHY_BYTES = 256
};

typedef enum { OFF, WAITING, RESOLVING, CONNECTING, UP } link_state;

typedef struct {
    /* what the bundle says */
    char name[TCN_MAX_NAME_CHARS + 1];
    tcn_box_public server_key;
    unsigned targets;
    char target[TCN_ENDPOINTS][TCN_ENDPOINT_CHARS + 1];
    /* where it stands */
    link_state state;
    uint64_t until_ms; /* of the state */
    unsigned at_target;
    tcn_address address[TCN_ADDRESSES]; /* of that target */
    size_t addresses, at_address;
    uint64_t lookup;
    unsigned rounds; /* of all addresses in vain; 0 once a frame came */
    void *socket;
    tcn_monitor *monitor;
    tcn_socks *way; /* through the proxy; NULL without one */
    bool ending;    /* the transport says it is down; frames may still wait */
    bool tell_up, tell_down;
    char why[WHY_BYTES];
} link;

struct tcn_links {
    void *context;
    tcn_links_config config;
    tcn_resolver *resolver;
    link link[LINKS]; /* by tcn_agent_link_peer */
    zmq_msg_t msg[FRAMES];
    size_t frames;
    tcn_agent_input input[INPUTS];
    size_t inputs;
};

static uint64_t now_ms(const tcn_links *links)
{
    return links->config.clock->mono(links->config.clock->self).ms;
}

/* From 0 to span - 1. */
static uint64_t draw(const tcn_links *links, uint64_t span)
{
    uint64_t value;
    links->config.random->fill(links->config.random->self, &value, sizeof(value));
    return value % span;
}

static void say(link *one, const char *where, const char *what)
{
    (void)snprintf(one->why, sizeof(one->why), "%s: %s",
                   strncmp(where, "tcp://", 6) == 0 ? where + 6 : where, what);
}

/* ---- dialling ---- */

static void hang_up(link *one)
{
    tcn_monitor_close(&one->monitor);
    tcn_curve_close(&one->socket);
    tcn_socks_close(&one->way);
    one->ending = false;
}

static void wait_until(link *one, uint64_t until_ms)
{
    hang_up(one);
    one->state = WAITING;
    one->until_ms = until_ms;
    one->at_target = 0;
    one->addresses = one->at_address = 0;
}

/* All addresses were tried. */
static void end_round(tcn_links *links, link *one)
{
    uint64_t pause_ms = PAUSE_MAX_MS;
    if (one->rounds < 6)
        pause_ms = (uint64_t)PAUSE_MIN_MS << one->rounds;
    one->rounds++;
    one->tell_down = true;
    wait_until(one, now_ms(links) + pause_ms / 2 + draw(links, pause_ms / 2));
}

static bool connect_to(tcn_links *links, link *one, const tcn_address *address)
{
    const tcn_curve_client_options options = {.secret = links->config.secret,
                                              .server_key = &one->server_key,
                                              .socks_proxy = links->config.socks_proxy,
                                              .queue_while_waiting = true};
    tcn_fault fault = {.err = TCN_OK};
    if (tcn_curve_client(links->context, &options, &one->socket, &fault) != TCN_OK ||
        tcn_monitor_open(links->context, one->socket, &one->monitor, &fault) != TCN_OK ||
        tcn_socks_connect(one->socket, options.socks_proxy, address, &one->way, &fault) != TCN_OK) {
        say(one, address->text, fault.text);
        return false;
    }
    one->state = CONNECTING;
    one->until_ms = now_ms(links) + ATTEMPT_MS;
    return true;
}

/* Why the address at hand did not work: what the proxy did, else what libzmq saw. */
static void say_failed(link *one, const char *what)
{
    char proxy[TCN_SOCKS_WHY_SIZE];
    tcn_socks_why(one->way, proxy);
    say(one, one->address[one->at_address].text, proxy[0] != '\0' ? proxy : what);
}

/* Finds the addresses of the target at hand. False: there are none, why is said. */
static bool look_up(tcn_links *links, link *one)
{
    const char *target = one->target[one->at_target];
    const char *proxy = links->config.socks_proxy;
    tcn_fault fault = {.err = TCN_OK};
    tcn_err err;
    one->addresses = one->at_address = 0;
    if (proxy != NULL && proxy[0] != '\0') {
        err = tcn_curve_unresolved(target, &one->address[0], &fault);
        one->addresses = err == TCN_OK ? 1 : 0;
    } else if (tcn_resolver_is_numeric(target)) {
        err = tcn_curve_resolve(target, one->address, &one->addresses, &fault);
    } else {
        err = tcn_resolver_ask(links->resolver, target, &one->lookup);
        if (err != TCN_OK)
            (void)tcn_fault_set(&fault, err, "cannot resolve: %s", tcn_err_text(err));
        one->state = RESOLVING;
        one->until_ms = now_ms(links) + NAME_LIMIT_MS;
    }
    if (err != TCN_OK)
        say(one, target, fault.text);
    return err == TCN_OK;
}

/* Goes on with the next address, target or round until something is under way. */
static void dial(tcn_links *links, link *one)
{
    hang_up(one);
    for (;;) {
        for (; one->at_address < one->addresses; one->at_address++) {
            if (connect_to(links, one, &one->address[one->at_address]))
                return;
            hang_up(one);
        }
        if (one->addresses > 0)
            one->at_target++;
        one->addresses = one->at_address = 0;
        for (; one->at_target < one->targets; one->at_target++)
            if (look_up(links, one))
                break;
        if (one->at_target >= one->targets) {
            end_round(links, one);
            return;
        }
        if (one->addresses == 0)
            return; /* the resolver will answer */
    }
}

static void try_next(tcn_links *links, link *one)
{
    one->at_address++;
    dial(links, one);
}

static void start_round(tcn_links *links, link *one)
{
    one->at_target = 0;
    one->addresses = one->at_address = 0;
    dial(links, one);
}

static void lost(tcn_links *links, link *one)
{
    /* A broker that lets us in and throws us out again is not asked ever faster. */
    if (one->rounds > 0) {
        end_round(links, one);
        return;
    }
    one->rounds = 1;
    one->tell_down = true;
    wait_until(one, now_ms(links) + draw(links, SPREAD_MS));
}

/* ---- following the bundle ---- */

static bool is_as_before(const link *one, const link *wanted)
{
    bool same = one->state != OFF && one->targets == wanted->targets &&
                strcmp(one->name, wanted->name) == 0 &&
                memcmp(&one->server_key, &wanted->server_key, sizeof(one->server_key)) == 0;
    for (unsigned i = 0; same && i < wanted->targets; i++)
        same = strcmp(one->target[i], wanted->target[i]) == 0;
    return same;
}

static void follow(tcn_links *links, link *one, const tcn_broker_entry *entry, tcn_lane endpoint)
{
    link wanted = {.state = OFF};
    if (entry != NULL) {
        bool urgent = endpoint == TCN_LANE_EMERGENCY;
        (void)snprintf(wanted.name, sizeof(wanted.name), "%s", entry->name);
        wanted.server_key = entry->server_key;
        wanted.targets = urgent ? entry->emergencies : entry->sessions;
        for (unsigned i = 0; i < wanted.targets && i < TCN_ENDPOINTS; i++)
            (void)snprintf(wanted.target[i], sizeof(wanted.target[i]), "%s",
                           urgent ? entry->emergency[i] : entry->session[i]);
    }
    if (wanted.targets == 0 ? one->state == OFF : is_as_before(one, &wanted))
        return;
    bool was_up = one->state == UP;
    bool is_first = one->state == OFF;
    hang_up(one);
    if (was_up)
        (void)snprintf(wanted.why, sizeof(wanted.why), "the trust bundle names other addresses");
    wanted.tell_down = was_up;
    *one = wanted;
    if (wanted.targets > 0)
        wait_until(one, now_ms(links) + (is_first ? 0 : draw(links, SPREAD_MS)));
}

void tcn_links_follow(tcn_links *links, const tcn_bundle *bundle)
{
    for (unsigned i = 0; i < TCN_MAX_BROKERS; i++)
        for (unsigned endpoint = 0; endpoint < TCN_LANES; endpoint++)
            follow(links, &links->link[tcn_agent_link_peer(i, (tcn_lane)endpoint)],
                   i < bundle->brokers ? &bundle->broker[i] : NULL, (tcn_lane)endpoint);
}

static link *link_of(tcn_links *links, tcn_peer peer)
{
    return peer < LINKS && links->link[peer].state != OFF ? &links->link[peer] : NULL;
}

void tcn_links_redo(tcn_links *links, tcn_peer peer, const char *why)
{
    link *one = link_of(links, peer);
    if (one == NULL || one->state != UP)
        return;
    (void)snprintf(one->why, sizeof(one->why), "%s", why);
    lost(links, one);
}

/* ---- reading ---- */

static void put_input(tcn_links *links, const link *one, tcn_agent_input_kind kind, tcn_bytes frame)
{
    links->input[links->inputs++] =
        (tcn_agent_input){.kind = kind,
                          .peer = (tcn_peer)(one - links->link),
                          .frame = frame,
                          .text = kind == TCN_AGENT_LINK_DOWN ? one->why : NULL};
}

static void read_answers(tcn_links *links)
{
    tcn_resolver_answer answer;
    while (tcn_resolver_next(links->resolver, &answer) == TCN_OK) {
        for (size_t i = 0; i < LINKS; i++) {
            link *one = &links->link[i];
            if (one->state != RESOLVING || one->lookup != answer.lookup)
                continue;
            memcpy(one->address, answer.address, sizeof(one->address));
            one->addresses = answer.addresses;
            one->at_address = 0;
            if (answer.addresses == 0) {
                say(one, one->target[one->at_target], answer.why);
                one->at_target++;
            }
            dial(links, one);
        }
    }
}

static void read_events(tcn_links *links, link *one)
{
    tcn_monitor_event event;
    while (one->monitor != NULL && tcn_monitor_next(one->monitor, &event) == TCN_OK) {
        bool ends = event.kind == TCN_MONITOR_DOWN || event.kind == TCN_MONITOR_CONNECT_FAILED ||
                    event.kind == TCN_MONITOR_REFUSED || event.kind == TCN_MONITOR_HANDSHAKE;
        if (one->state == CONNECTING && event.kind == TCN_MONITOR_UP) {
            one->state = UP;
            one->tell_up = true;
        } else if (one->state == CONNECTING && ends) {
            say_failed(one, tcn_monitor_text(&event));
            try_next(links, one);
        } else if (one->state == UP && ends && !one->ending) {
            say(one, one->address[one->at_address].text, tcn_monitor_text(&event));
            one->ending = true;
        }
    }
}

static void check_time(tcn_links *links, link *one)
{
    if (one->state == OFF || one->state == UP || now_ms(links) < one->until_ms)
        return;
    switch (one->state) {
    case WAITING: start_round(links, one); break;
    case RESOLVING:
        say(one, one->target[one->at_target], "the name service does not answer");
        one->at_target++;
        dial(links, one);
        break;
    case CONNECTING:
        say_failed(one, "no answer in time");
        try_next(links, one);
        break;
    case OFF:
    case UP: break;
    }
}

/* One message into the turn; false: none waits. Messages that are not one frame are dropped. */
static bool read_message(tcn_links *links, link *one)
{
    zmq_msg_t *msg = &links->msg[links->frames];
    (void)zmq_msg_init(msg);
    if (zmq_msg_recv(msg, one->socket, ZMQ_DONTWAIT) < 0) {
        (void)zmq_msg_close(msg);
        return false;
    }
    bool single = true;
    while (zmq_msg_more(msg) != 0 && zmq_msg_recv(msg, one->socket, ZMQ_DONTWAIT) >= 0)
        single = false;
    if (!single) {
        (void)zmq_msg_close(msg);
        return true;
    }
    links->frames++;
    one->rounds = 0;
    put_input(links, one, TCN_AGENT_FRAME, tcn_bytes_of(zmq_msg_data(msg), zmq_msg_size(msg)));
    return true;
}

static void read_frames(tcn_links *links, tcn_lane endpoint, bool *ret_more)
{
    size_t left = TCN_MAX_TURN_FRAMES;
    for (unsigned i = 0; i < TCN_MAX_BROKERS; i++) {
        link *one = &links->link[tcn_agent_link_peer(i, endpoint)];
        if (one->tell_up)
            put_input(links, one, TCN_AGENT_LINK_UP, tcn_bytes_of(NULL, 0));
        one->tell_up = false;
        bool any = one->state == UP;
        while (any && left > 0) {
            any = read_message(links, one);
            left -= any ? 1 : 0;
        }
        if (any)
            *ret_more = true;
        else if (one->ending)
            lost(links, one);
        if (one->tell_down)
            put_input(links, one, TCN_AGENT_LINK_DOWN, tcn_bytes_of(NULL, 0));
        one->tell_down = false;
    }
}

static void release_frames(tcn_links *links)
{
    for (size_t i = 0; i < links->frames; i++)
        (void)zmq_msg_close(&links->msg[i]);
    links->frames = 0;
}

size_t tcn_links_read(tcn_links *links, const tcn_agent_input **ret_inputs, bool *ret_more)
{
    release_frames(links);
    links->inputs = 0;
    *ret_more = false;
    read_answers(links);
    for (size_t i = 0; i < LINKS; i++) {
        read_events(links, &links->link[i]);
        check_time(links, &links->link[i]);
    }
    read_frames(links, TCN_LANE_EMERGENCY, ret_more);
    read_frames(links, TCN_LANE_BULK, ret_more);
    *ret_inputs = links->input;
    return links->inputs;
}

tcn_mono tcn_links_deadline(const tcn_links *links)
{
    tcn_mono deadline = {.ms = UINT64_MAX};
    for (size_t i = 0; i < LINKS; i++) {
        const link *one = &links->link[i];
        if (one->tell_up || one->tell_down)
            deadline.ms = 0;
        else if (one->state != OFF && one->state != UP && one->until_ms < deadline.ms)
            deadline.ms = one->until_ms;
    }
    return deadline;
}

size_t tcn_links_sockets(const tcn_links *links, void *ret_socket[static TCN_LINKS_SOCKETS])
{
    size_t count = 0;
    for (size_t i = 0; i < LINKS; i++) {
        const link *one = &links->link[i];
        if (one->socket != NULL)
            ret_socket[count++] = one->socket;
        if (one->monitor != NULL)
            ret_socket[count++] = tcn_monitor_socket(one->monitor);
    }
    return count;
}

int tcn_links_fd(const tcn_links *links)
{
    return tcn_resolver_fd(links->resolver);
}

/* ---- sending ---- */

tcn_send_result tcn_links_send(tcn_links *links, tcn_peer peer, tcn_bytes frame)
{
    const link *one = link_of(links, peer);
    if (one == NULL || one->state != UP || one->ending)
        return TCN_SEND_GONE;
    int sent = zmq_send(one->socket, frame.ptr, frame.len, ZMQ_DONTWAIT);
    return sent >= 0 ? TCN_SENT : TCN_SEND_FULL;
}

void tcn_links_count(const tcn_links *links, unsigned *ret_up, unsigned *ret_wanted)
{
    *ret_up = *ret_wanted = 0;
    for (size_t i = 0; i < LINKS; i++) {
        *ret_up += links->link[i].state == UP;
        *ret_wanted += links->link[i].state != OFF;
    }
}

/* ---- life ---- */

tcn_err tcn_links_new(void *context, const tcn_links_config *config, tcn_links **ret_links,
                      tcn_fault *fault)
{
    tcn_links *links = calloc(1, sizeof(*links));
    if (links == NULL)
        return tcn_fault_set(fault, TCN_NO_MEMORY, "out of memory");
    links->context = context;
    links->config = *config;
    tcn_err err = tcn_resolver_new(&links->resolver, fault);
    if (err != TCN_OK) {
        tcn_links_destroy(&links);
        return err;
    }
    *ret_links = links;
    return TCN_OK;
}

void tcn_links_destroy(tcn_links **links_ref)
{
    tcn_links *links = *links_ref;
    if (links == NULL)
        return;
    release_frames(links);
    for (size_t i = 0; i < LINKS; i++)
        hang_up(&links->link[i]);
    tcn_resolver_destroy(&links->resolver);
    free(links);
    *links_ref = NULL;
}
