/* SPDX-License-Identifier: Apache-2.0 */
/* The agent's links against the broker's sockets, in one thread. */
#include "agent/links.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zmq.h>

#include <cmocka.h>

#include "libtocsin/limits.h"
#include "libtocsin/os/sys_clock.h"
#include "libtocsin/os/sys_random.h"
#include "tests/support/net_rig.h"

enum { LIMIT_MS = 20000, STEP_MS = 5, INPUTS = 256 };

typedef struct {
    tcn_agent_input_kind kind;
    tcn_peer peer;
    char text[256]; /* LINK_DOWN: why; FRAME: itself */
} noted;

typedef struct {
    net_rig *rig;
    tcn_clock clock;
    tcn_random random;
    tcn_links *links;
    tcn_bundle bundle;
    tcn_broker_entry broker[TCN_MAX_BROKERS];
    noted input[INPUTS];
    size_t inputs;
} fixture;

static const char *host_port_of(const fixture *f, tcn_lane endpoint)
{
    return f->rig->address[endpoint] + strlen("tcp://");
}

static void set_endpoints(fixture *f, unsigned broker, const char *session, const char *emergency)
{
    tcn_broker_entry *entry = &f->broker[broker];
    snprintf(entry->name, sizeof(entry->name), "broker-%u", broker);
    entry->server_key = world_publics(f->rig->world, "broker").transport;
    entry->sessions = session == NULL ? 0 : 1;
    entry->emergencies = emergency == NULL ? 0 : 1;
    if (session != NULL)
        snprintf(entry->session[0], sizeof(entry->session[0]), "%s", session);
    if (emergency != NULL)
        snprintf(entry->emergency[0], sizeof(entry->emergency[0]), "%s", emergency);
    if (f->bundle.brokers <= broker)
        f->bundle.brokers = broker + 1;
}

static int setup(void **state)
{
    fixture *f = test_calloc(1, sizeof(*f));
    tcn_fault fault;
    f->rig = net_rig_new();
    net_rig_listen(f->rig);
    f->clock = tcn_sys_clock();
    assert_int_equal(tcn_sys_random(&f->random), TCN_OK);
    f->bundle.broker = f->broker;
    const tcn_links_config config = {.secret = &world_secrets(f->rig->world, "alice")->transport,
                                     .clock = &f->clock,
                                     .random = &f->random};
    assert_int_equal(tcn_links_new(f->rig->client_context, &config, &f->links, &fault), TCN_OK);
    set_endpoints(f, 0, host_port_of(f, TCN_LANE_BULK), host_port_of(f, TCN_LANE_EMERGENCY));
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    fixture *f = *state;
    tcn_links_destroy(&f->links);
    tcn_links_destroy(&f->links);
    net_rig_free(&f->rig);
    test_free(f);
    return 0;
}

static void note(fixture *f, const tcn_agent_input *input)
{
    assert_true(f->inputs < INPUTS);
    noted *at = &f->input[f->inputs++];
    *at = (noted){.kind = input->kind, .peer = input->peer};
    if (input->kind == TCN_AGENT_FRAME)
        snprintf(at->text, sizeof(at->text), "%.*s", (int)input->frame.len,
                 (const char *)input->frame.ptr);
    else if (input->kind == TCN_AGENT_LINK_DOWN)
        snprintf(at->text, sizeof(at->text), "%s", input->text);
}

static bool turn(fixture *f)
{
    const tcn_agent_input *inputs;
    bool more;
    size_t count = tcn_links_read(f->links, &inputs, &more);
    for (size_t i = 0; i < count; i++)
        note(f, &inputs[i]);
    net_rig_turn(f->rig, more ? 0 : STEP_MS);
    return count > 0;
}

static uint64_t now_ms(const fixture *f)
{
    return f->clock.mono(f->clock.self).ms;
}

/* The next input of this kind from this peer, at or after *from, which moves behind it. */
static const noted *wait_for(fixture *f, tcn_agent_input_kind kind, tcn_peer peer, size_t *from)
{
    for (uint64_t end = now_ms(f) + LIMIT_MS; now_ms(f) < end;) {
        for (; *from < f->inputs; (*from)++)
            if (f->input[*from].kind == kind && f->input[*from].peer == peer)
                return &f->input[(*from)++];
        (void)turn(f);
    }
    fail_msg("input %d of peer %d did not come", (int)kind, (int)peer);
    return NULL;
}

#define SESSION tcn_agent_link_peer(0, TCN_LANE_BULK)
#define EMERGENCY tcn_agent_link_peer(0, TCN_LANE_EMERGENCY)

static void wait_up(fixture *f, tcn_peer peer)
{
    size_t from = 0;
    (void)wait_for(f, TCN_AGENT_LINK_UP, peer, &from);
}

static tcn_peer say_hello(fixture *f, tcn_peer link)
{
    size_t before = f->rig->frames;
    assert_int_equal(tcn_links_send(f->links, link, tcn_bytes_str("hello")), TCN_SENT);
    net_rig_wait_frames(f->rig, before + 1);
    return f->rig->frame[before].peer;
}

/* ---- tests ---- */

static void test_both_endpoints_come_up_and_carry(void **state)
{
    fixture *f = *state;
    unsigned up, wanted;
    assert_int_equal(tcn_links_send(f->links, SESSION, tcn_bytes_str("x")), TCN_SEND_GONE);
    tcn_links_follow(f->links, &f->bundle);
    wait_up(f, SESSION);
    wait_up(f, EMERGENCY);
    tcn_links_count(f->links, &up, &wanted);
    assert_int_equal(up, 2);
    assert_int_equal(wanted, 2);
    assert_int_equal(tcn_links_deadline(f->links).ms, UINT64_MAX);
    tcn_peer session = say_hello(f, SESSION), emergency = say_hello(f, EMERGENCY);
    assert_int_equal(f->rig->frame[0].endpoint, TCN_LANE_BULK);
    assert_int_equal(f->rig->frame[1].endpoint, TCN_LANE_EMERGENCY);
    assert_string_equal(f->rig->frame[0].member, "alice");
    tcn_net *port = &f->rig->port;
    assert_int_equal(port->send(port->self, session, tcn_bytes_str("welcome s")), TCN_SENT);
    assert_int_equal(port->send(port->self, emergency, tcn_bytes_str("welcome e")), TCN_SENT);
    size_t from = 0;
    assert_string_equal(wait_for(f, TCN_AGENT_FRAME, SESSION, &from)->text, "welcome s");
    from = 0;
    assert_string_equal(wait_for(f, TCN_AGENT_FRAME, EMERGENCY, &from)->text, "welcome e");
    assert_int_equal(tcn_links_send(f->links, SESSION + 2, tcn_bytes_str("x")), TCN_SEND_GONE);
    assert_int_equal(tcn_links_send(f->links, 999, tcn_bytes_str("x")), TCN_SEND_GONE);
}

/* Until so many of the links' sockets have something to read, and nothing is read. */
static void wait_readable(fixture *f, size_t wanted)
{
    void *socket[TCN_LINKS_SOCKETS];
    size_t sockets = tcn_links_sockets(f->links, socket), readable = 0;
    for (uint64_t end = now_ms(f) + LIMIT_MS; readable < wanted;) {
        assert_true(now_ms(f) < end);
        readable = 0;
        for (size_t i = 0; i < sockets; i++) {
            zmq_pollitem_t item = {.socket = socket[i], .events = ZMQ_POLLIN};
            readable += zmq_poll(&item, 1, 1) == 1;
        }
    }
}

static void test_emergencies_come_first(void **state)
{
    fixture *f = *state;
    tcn_links_follow(f->links, &f->bundle);
    wait_up(f, SESSION);
    wait_up(f, EMERGENCY);
    tcn_peer session = say_hello(f, SESSION), emergency = say_hello(f, EMERGENCY);
    tcn_net *port = &f->rig->port;
    for (int i = 0; i < 10; i++)
        assert_int_equal(port->send(port->self, session, tcn_bytes_str("bulk")), TCN_SENT);
    assert_int_equal(port->send(port->self, emergency, tcn_bytes_str("ring")), TCN_SENT);
    wait_readable(f, 2);
    size_t before = f->inputs;
    assert_true(turn(f));
    assert_string_equal(f->input[before].text, "ring");
}

static void test_a_lost_connection_is_made_again(void **state)
{
    fixture *f = *state;
    tcn_links_follow(f->links, &f->bundle);
    wait_up(f, SESSION);
    tcn_peer first = say_hello(f, SESSION);
    f->rig->port.close(f->rig->port.self, first);
    size_t from = 0;
    const noted *down = wait_for(f, TCN_AGENT_LINK_DOWN, SESSION, &from);
    assert_non_null(strstr(down->text, "closed"));
    (void)wait_for(f, TCN_AGENT_LINK_UP, SESSION, &from);
    assert_true(say_hello(f, SESSION) != first);
}

static void test_what_came_before_the_end_is_read(void **state)
{
    fixture *f = *state;
    set_endpoints(f, 0, host_port_of(f, TCN_LANE_BULK), NULL);
    tcn_links_follow(f->links, &f->bundle);
    wait_up(f, SESSION);
    tcn_peer peer = say_hello(f, SESSION);
    tcn_net *port = &f->rig->port;
    assert_int_equal(port->send(port->self, peer, tcn_bytes_str("last words")), TCN_SENT);
    wait_readable(f, 1);
    port->close(port->self, peer);
    wait_readable(f, 2); /* the words, and the monitor's event */
    size_t from = 0, before = f->inputs;
    (void)wait_for(f, TCN_AGENT_LINK_DOWN, SESSION, &from);
    assert_int_equal(f->inputs, before + 2);
    assert_string_equal(f->input[before].text, "last words");
}

static void test_a_refused_key_says_so(void **state)
{
    fixture *f = *state;
    world_member_revoke(f->rig->world, "alice", TCN_MEMBER_SUSPENDED, world_now(f->rig->world));
    world_sign(f->rig->world);
    tcn_zap_set_roster(f->rig->zap, world_roster(f->rig->world));
    tcn_links_follow(f->links, &f->bundle);
    size_t from = 0;
    const noted *down = wait_for(f, TCN_AGENT_LINK_DOWN, SESSION, &from);
    assert_non_null(strstr(down->text, "does not accept our key"));
    assert_non_null(strstr(down->text, host_port_of(f, TCN_LANE_BULK)));
    /* It goes on trying, at growing intervals. */
    (void)wait_for(f, TCN_AGENT_LINK_DOWN, SESSION, &from);
    for (size_t i = 0; i < f->inputs; i++)
        assert_int_equal(f->input[i].kind, TCN_AGENT_LINK_DOWN);
}

static void test_the_next_address_is_tried(void **state)
{
    fixture *f = *state;
    tcn_broker_entry *entry = &f->broker[0];
    entry->sessions = 3;
    snprintf(entry->session[2], sizeof(entry->session[2]), "%s", host_port_of(f, TCN_LANE_BULK));
    snprintf(entry->session[0], sizeof(entry->session[0]), "127.0.0.1:1");
    snprintf(entry->session[1], sizeof(entry->session[1]), "[::1]:1");
    tcn_links_follow(f->links, &f->bundle);
    wait_up(f, SESSION);
    for (size_t i = 0; i < f->inputs; i++)
        assert_int_equal(f->input[i].kind, TCN_AGENT_LINK_UP);
}

static void test_names_are_resolved(void **state)
{
    fixture *f = *state;
    char name[64];
    snprintf(name, sizeof(name), "localhost%s", strrchr(host_port_of(f, TCN_LANE_BULK), ':'));
    set_endpoints(f, 0, name, NULL);
    tcn_links_follow(f->links, &f->bundle);
    wait_up(f, SESSION);
}

static void test_a_name_that_is_none_says_so(void **state)
{
    fixture *f = *state;
    char name[80];
    memset(name, 'x', 70); /* a label has at most 63 */
    snprintf(name + 70, sizeof(name) - 70, ":7000");
    set_endpoints(f, 0, name, NULL);
    tcn_links_follow(f->links, &f->bundle);
    size_t from = 0;
    const noted *down = wait_for(f, TCN_AGENT_LINK_DOWN, SESSION, &from);
    assert_non_null(strstr(down->text, "cannot resolve"));
}

static void test_links_follow_the_bundle(void **state)
{
    fixture *f = *state;
    tcn_links_follow(f->links, &f->bundle);
    wait_up(f, SESSION);
    wait_up(f, EMERGENCY);
    tcn_peer peer = say_hello(f, SESSION);
    /* The same again changes nothing. */
    size_t before = f->inputs;
    tcn_links_follow(f->links, &f->bundle);
    (void)turn(f);
    assert_int_equal(f->inputs, before);
    assert_int_equal(tcn_links_send(f->links, SESSION, tcn_bytes_str("x")), TCN_SENT);
    /* Another address for one endpoint: only that link is made anew. */
    char name[64];
    snprintf(name, sizeof(name), "localhost%s", strrchr(host_port_of(f, TCN_LANE_BULK), ':'));
    set_endpoints(f, 0, name, host_port_of(f, TCN_LANE_EMERGENCY));
    tcn_links_follow(f->links, &f->bundle);
    size_t from = before;
    (void)wait_for(f, TCN_AGENT_LINK_DOWN, SESSION, &from);
    (void)wait_for(f, TCN_AGENT_LINK_UP, SESSION, &from);
    net_rig_wait_gones(f->rig, 1);
    assert_int_equal(f->rig->gone[0], peer);
    for (size_t i = before; i < f->inputs; i++)
        assert_int_equal(f->input[i].peer, SESSION);
    /* No emergency endpoint, and a second broker. */
    set_endpoints(f, 0, name, NULL);
    set_endpoints(f, 1, host_port_of(f, TCN_LANE_BULK), NULL);
    tcn_links_follow(f->links, &f->bundle);
    (void)wait_for(f, TCN_AGENT_LINK_DOWN, EMERGENCY, &from);
    from = before;
    (void)wait_for(f, TCN_AGENT_LINK_UP, tcn_agent_link_peer(1, TCN_LANE_BULK), &from);
    /* No broker at all. */
    f->bundle.brokers = 0;
    tcn_links_follow(f->links, &f->bundle);
    (void)turn(f);
    unsigned up, wanted;
    tcn_links_count(f->links, &up, &wanted);
    assert_int_equal(wanted, 0);
    void *socket[TCN_LINKS_SOCKETS];
    assert_int_equal(tcn_links_sockets(f->links, socket), 0);
}

static void test_redo_cuts_and_connects_again(void **state)
{
    fixture *f = *state;
    tcn_links_follow(f->links, &f->bundle);
    wait_up(f, EMERGENCY);
    tcn_peer peer = say_hello(f, EMERGENCY);
    size_t from = f->inputs;
    tcn_links_redo(f->links, EMERGENCY, "silent");
    tcn_links_redo(f->links, EMERGENCY, "silent");
    assert_int_equal(tcn_links_send(f->links, EMERGENCY, tcn_bytes_str("x")), TCN_SEND_GONE);
    assert_int_equal(tcn_links_deadline(f->links).ms, 0);
    assert_string_equal(wait_for(f, TCN_AGENT_LINK_DOWN, EMERGENCY, &from)->text, "silent");
    (void)wait_for(f, TCN_AGENT_LINK_UP, EMERGENCY, &from);
    net_rig_wait_gones(f->rig, 1);
    assert_int_equal(f->rig->gone[0], peer);
}

static void test_another_key_is_not_our_broker(void **state)
{
    fixture *f = *state;
    f->broker[0].server_key = world_publics(f->rig->world, "bob").transport;
    tcn_links_follow(f->links, &f->bundle);
    size_t from = 0;
    const noted *down = wait_for(f, TCN_AGENT_LINK_DOWN, SESSION, &from);
    assert_non_null(strstr(down->text, "not the one of our trust bundle"));
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_both_endpoints_come_up_and_carry),
        TEST(test_emergencies_come_first),
        TEST(test_a_lost_connection_is_made_again),
        TEST(test_what_came_before_the_end_is_read),
        TEST(test_a_refused_key_says_so),
        TEST(test_the_next_address_is_tried),
        TEST(test_names_are_resolved),
        TEST(test_a_name_that_is_none_says_so),
        TEST(test_links_follow_the_bundle),
        TEST(test_redo_cuts_and_connects_again),
        TEST(test_another_key_is_not_our_broker),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
