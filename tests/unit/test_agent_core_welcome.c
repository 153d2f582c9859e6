/* SPDX-License-Identifier: Apache-2.0 */
/* WELCOME answers the HELLO that was sent, while alerts go on arriving on the same link. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "tests/support/agent_rig.h"

static int setup(void **state)
{
    static agent_rig rig;
    rig_init(&rig, 5);
    *state = &rig;
    return 0;
}

static int teardown(void **state)
{
    rig_fini(*state);
    return 0;
}

static tcn_wire welcome_wire(const agent_rig *rig, uint64_t start)
{
    return (tcn_wire){.op = TCN_OP_WELCOME,
                      .welcome = {.version = 1,
                                  .epoch = rig->epoch,
                                  .generation = rig->generation,
                                  .trust_version = world_bundle(rig->w)->version,
                                  .time = rig->ports.wall,
                                  .broker = tcn_bytes_str("broker"),
                                  .heartbeat_ms = TCN_MAX_HEARTBEAT_MS,
                                  .has_start = {true, true},
                                  .start = {[TCN_LANE_BULK] = start},
                                  .max_body_bytes = TCN_MAX_BODY_BYTES,
                                  .window_bytes = TCN_MAX_WINDOW_BYTES}};
}

static void welcome_on(agent_rig *rig, tcn_peer link, uint64_t start)
{
    tcn_wire wire = welcome_wire(rig, start);
    rig_frame(rig, link, &wire);
}

static void welcome_from(agent_rig *rig, uint64_t start)
{
    welcome_on(rig, RIG_SESSION, start);
}

static void take_alert(agent_rig *rig, uint64_t seq)
{
    world_alert alert = world_alert_make(rig->w, &(world_options){.publisher = "pub"});
    rig_alert(rig, seq, &alert, TCN_LANE_BULK);
}

/* The emergency endpoint stays away, so session says HELLO again, with the cursor at 3. */
static void say_hello_again(agent_rig *rig)
{
    tcn_wire wire;
    rig_start(rig);
    rig_open(rig, RIG_SESSION);
    take_alert(rig, 3);
    rig_pass(rig, 6000);
    rig_expect(rig, RIG_SESSION, TCN_OP_HELLO, &wire);
    assert_int_equal(wire.hello.cursor[TCN_LANE_BULK].seq, 3);
}

static tcn_mark next_cursor(agent_rig *rig)
{
    tcn_wire wire;
    rig_down(rig, RIG_SESSION);
    rig_up(rig, RIG_SESSION);
    rig_expect(rig, RIG_SESSION, TCN_OP_HELLO, &wire);
    return wire.hello.cursor[TCN_LANE_BULK];
}

static void test_what_came_since_hello_is_kept(void **state)
{
    agent_rig *rig = *state;
    say_hello_again(rig);
    take_alert(rig, 4);
    welcome_from(rig, 3);
    assert_int_equal(next_cursor(rig).seq, 4);
}

static void test_a_broker_that_begins_below_hello_has_another_past(void **state)
{
    agent_rig *rig = *state;
    say_hello_again(rig);
    take_alert(rig, 4);
    welcome_from(rig, 2);
    assert_int_equal(next_cursor(rig).seq, 0);
}

/* Two answers cross: that of the emergency link is of a newer generation, though it comes first. */
static void test_an_older_answer_does_not_bring_an_older_generation_back(void **state)
{
    agent_rig *rig = *state;
    tcn_wire wire;
    rig_start(rig);
    rig_serve(rig);
    take_alert(rig, 3);
    rig_down(rig, RIG_SESSION);
    rig_down(rig, RIG_EMERGENCY);
    rig_up(rig, RIG_SESSION);
    rig_up(rig, RIG_EMERGENCY);
    rig->generation = 3;
    welcome_on(rig, RIG_EMERGENCY, 0);
    rig->generation = 2;
    welcome_on(rig, RIG_SESSION, 0);
    rig_forget(rig);
    rig_pass(rig, 3000);
    rig_expect(rig, RIG_SESSION, TCN_OP_HELLO, &wire); /* it asks where it stands */
    assert_int_equal(wire.hello.generation, 3);
    wire = (tcn_wire){.op = TCN_OP_GENERATION, .generation = 2};
    rig_frame(rig, RIG_EMERGENCY, &wire);
    rig_forget(rig);
    rig_pass(rig, 3000);
    rig_expect(rig, RIG_EMERGENCY, TCN_OP_HELLO, &wire);
    assert_int_equal(wire.hello.generation, 3);
}

/* A broker restored from a backup has the same epoch and a lower generation: it is believed. */
static void test_a_lower_generation_is_believed_when_it_answers_us(void **state)
{
    agent_rig *rig = *state;
    tcn_wire wire;
    rig->generation = 5;
    rig_start(rig);
    rig_open(rig, RIG_SESSION);
    take_alert(rig, 3);
    rig_down(rig, RIG_SESSION);
    rig_up(rig, RIG_SESSION);
    rig->generation = 4;
    welcome_on(rig, RIG_SESSION, 0);
    rig_down(rig, RIG_SESSION);
    rig_up(rig, RIG_SESSION);
    rig_forget(rig);
    rig_up(rig, RIG_SESSION);
    rig_expect(rig, RIG_SESSION, TCN_OP_HELLO, &wire);
    assert_int_equal(wire.hello.generation, 4);
    assert_int_equal(wire.hello.cursor[TCN_LANE_BULK].seq, 0);
}

/* Nobody says twice that a link is up. */
static void test_a_link_that_comes_up_while_nothing_can_be_stored_is_redone(void **state)
{
    agent_rig *rig = *state;
    tcn_peer link;
    rig_start(rig);
    mem_store_fail_commit(rig->ports.store, 1, TCN_FULL, false);
    rig_up(rig, RIG_SESSION);
    assert_true(rig_reconnect(rig, &link));
    assert_int_equal(link, RIG_SESSION);
}

/* The emergency link takes its lane back from session in the same turn: what session brought is
 * still taken once. */
static void test_a_replay_takes_each_input_once(void **state)
{
    agent_rig *rig = *state;
    uint8_t frame[256];
    size_t len;
    say_hello_again(rig);
    tcn_wire wire = welcome_wire(rig, 3);
    assert_int_equal(tcn_wire_encode(&wire, frame, sizeof frame, &len), TCN_OK);
    const tcn_agent_input inputs[] = {
        {.kind = TCN_AGENT_LINK_UP, .peer = RIG_EMERGENCY},
        {.kind = TCN_AGENT_FRAME, .peer = RIG_SESSION, .frame = tcn_bytes_of(frame, len)}};
    mem_store_fail_commit(rig->ports.store, 1, TCN_FULL, false);
    assert_int_equal(tcn_agent_turn(rig->agent, inputs, 2), TCN_OK);
    assert_int_equal(mem_ports_line_count(&rig->ports, "welcome-refused"), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_what_came_since_hello_is_kept, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_broker_that_begins_below_hello_has_another_past,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_an_older_answer_does_not_bring_an_older_generation_back, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_lower_generation_is_believed_when_it_answers_us,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_a_link_that_comes_up_while_nothing_can_be_stored_is_redone, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_replay_takes_each_input_once, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
