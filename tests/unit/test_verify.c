/* SPDX-License-Identifier: Apache-2.0 */
/* tocsin verify on files that no command writes: alerts and acknowledgments, good and bad. What it
 * says of trust files, cards, invites and requests is in tests/scenarios/authority.bats. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <unistd.h>

#include "cli/commands.h"
#include "libtocsin/file.h"
#include "tests/support/temp_dir.h"
#include "tests/support/world.h"

typedef struct {
    temp_dir member, broker; /* homes: what they hold of the trust */
    world *w;
    char said[4096];
} fixture;

static int setup(void **state)
{
    fixture *f = calloc(1, sizeof(*f));
    assert_non_null(f);
    temp_dir_init(&f->member);
    temp_dir_init(&f->broker);
    f->w = world_new(tcn_cli_now());
    world_member_set(f->w, &(world_member){.name = "vendor",
                                           .roles = TCN_ROLE_PUBLISHER | TCN_ROLE_APPROVER,
                                           .clearance = TCN_TLP_RED,
                                           .publish = {">"},
                                           .emergency = true});
    world_member_set(
        f->w,
        &(world_member){.name = "cert", .roles = TCN_ROLE_APPROVER, .clearance = TCN_TLP_RED});
    world_member_set(f->w, &(world_member){.name = "north", .roles = TCN_ROLE_NODE});
    world_sign(f->w);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    fixture *f = *state;
    world_free(&f->w);
    temp_dir_fini(&f->member);
    temp_dir_fini(&f->broker);
    free(f);
    return 0;
}

static void put(const temp_dir *dir, const char *name, tcn_bytes content)
{
    assert_int_equal(tcn_file_write(TEMP_PATH(dir, name), content, 0600, NULL), TCN_OK);
}

/* Homes with the trust as it was last signed; no secret is needed to verify. */
static void make_homes(const fixture *f)
{
    const temp_dir *dirs[] = {&f->member, &f->broker};
    for (size_t i = 0; i < 2; i++)
        assert_int_equal(tcn_authority_public_write(TEMP_PATH(dirs[i], TCN_HOME_AUTHORITY_PUB),
                                                    world_authority(f->w), NULL),
                         TCN_OK);
    put(&f->member, TCN_HOME_MEMBER_KEYS, tcn_bytes_str(""));
    put(&f->member, TCN_HOME_BUNDLE, world_bundle_envelope(f->w));
    put(&f->member, TCN_HOME_CARD, world_card_envelope(f->w, "north"));
    put(&f->broker, TCN_HOME_BROKER_CONF, tcn_bytes_str(""));
    put(&f->broker, TCN_HOME_TRUST, world_trust_file(f->w));
}

/* Runs the command in a home on these bytes; what it said is in f->said. */
static int verify(fixture *f, const temp_dir *home, tcn_bytes bytes)
{
    tcn_cli cli = {.command = &tcn_command_verify, .home_given = home->path, .json = true};
    tcn_args args;
    char *words[] = {TEMP_PATH(&f->member, "subject"), NULL};
    put(&f->member, "subject", bytes);
    assert_int_equal(tcn_args_parse(1, words, tcn_command_verify.options, tcn_global_options, false,
                                    &args, NULL),
                     TCN_OK);
    (void)fflush(stdout);
    FILE *captured = tmpfile();
    int real = dup(STDOUT_FILENO);
    assert_true(captured != NULL && real >= 0 && dup2(fileno(captured), STDOUT_FILENO) >= 0);
    int code = tcn_command_verify.run(&cli, &args);
    (void)fflush(stdout);
    assert_true(dup2(real, STDOUT_FILENO) >= 0);
    (void)close(real);
    rewind(captured);
    size_t len = fread(f->said, 1, sizeof(f->said) - 1, captured);
    f->said[len] = '\0';
    (void)fclose(captured);
    tcn_args_fini(&args);
    return code;
}

static void assert_said(const fixture *f, const char *what)
{
    if (strstr(f->said, what) == NULL)
        fail_msg("%s is not in %s", what, f->said);
}

static void test_an_advisory(void **state)
{
    fixture *f = *state;
    world_alert alert =
        world_alert_make(f->w, &(world_options){.publisher = "vendor", .title = "Hello"});
    make_homes(f);
    const temp_dir *homes[] = {&f->member, &f->broker};
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(verify(f, homes[i], alert.envelope), TCN_EXIT_DONE);
        assert_said(f, "\"type\": \"alert\"");
        assert_said(f, "\"title\": \"Hello\"");
        assert_said(f, "\"publisher\": \"vendor\"");
        assert_said(f, "\"name\": \"vendor\", \"role\": \"publisher\"");
        assert_said(f, "\"valid\": true");
    }
}

static void test_an_emergency_without_its_second_approver(void **state)
{
    fixture *f = *state;
    world_options options = {.publisher = "vendor", .lane = TCN_LANE_EMERGENCY};
    world_alert alone = world_alert_make(f->w, &options);
    options.approvers[0] = "cert";
    world_alert approved = world_alert_make(f->w, &options);
    make_homes(f);
    assert_int_equal(verify(f, &f->member, alone.envelope), TCN_EXIT_REFUSED);
    assert_said(f, "\"error\": \"not-deliverable\"");
    assert_said(f, "1 of 2 approvals");
    assert_int_equal(verify(f, &f->member, approved.envelope), TCN_EXIT_DONE);
    assert_said(f, "\"role\": \"approver\"");
}

static void test_an_alert_that_was_changed(void **state)
{
    fixture *f = *state;
    world_alert alert = world_alert_make(f->w, &(world_options){.publisher = "vendor"});
    uint8_t *copy;
    make_homes(f);
    assert_int_equal(tcn_bytes_copy(alert.envelope, &copy), TCN_OK);
    copy[alert.envelope.len - 1] ^= 1; /* in the signature */
    assert_int_equal(verify(f, &f->member, tcn_bytes_of(copy, alert.envelope.len)),
                     TCN_EXIT_REFUSED);
    assert_said(f, "\"error\": \"bad-signature\"");
    free(copy);
}

static void test_an_alert_that_is_over(void **state)
{
    fixture *f = *state;
    tcn_wall now = world_now(f->w);
    world_alert alert = world_alert_make(f->w, &(world_options){.publisher = "vendor",
                                                                .created = {now.unix_ms - 2000},
                                                                .expires = {now.unix_ms - 1000}});
    make_homes(f);
    assert_int_equal(verify(f, &f->member, alert.envelope), TCN_EXIT_REFUSED);
    assert_said(f, "\"error\": \"expired\"");
}

static void test_an_alert_of_somebody_unknown(void **state)
{
    fixture *f = *state;
    make_homes(f); /* before the stranger is a member */
    world_member_set(f->w, &(world_member){.name = "stranger",
                                           .roles = TCN_ROLE_PUBLISHER,
                                           .clearance = TCN_TLP_RED,
                                           .publish = {">"}});
    world_alert alert = world_alert_make(f->w, &(world_options){.publisher = "stranger"});
    assert_int_equal(verify(f, &f->member, alert.envelope), TCN_EXIT_REFUSED);
    assert_said(f, "\"name\": null");
    assert_said(f, "\"valid\": false");
}

static void test_an_acknowledgment(void **state)
{
    fixture *f = *state;
    world_alert alert = world_alert_make(f->w, &(world_options){.publisher = "vendor"});
    tcn_bytes ack = world_ack(f->w, "north", &alert, 1, TCN_ANSWER_ACTING);
    make_homes(f);
    assert_int_equal(verify(f, &f->broker, ack), TCN_EXIT_DONE);
    assert_said(f, "\"type\": \"ack\"");
    assert_said(f, "\"answer\": \"acting\"");
    assert_said(f, "\"name\": \"north\"");
    /* In its own member's home its card is there; in another's it is not. */
    assert_int_equal(verify(f, &f->member, ack), TCN_EXIT_DONE);
    put(&f->member, TCN_HOME_CARD, world_card_envelope(f->w, "cert"));
    assert_int_equal(verify(f, &f->member, ack), TCN_EXIT_REFUSED);
    assert_said(f, "\"error\": \"unknown-key\"");
}

static void test_a_roster_alone(void **state)
{
    fixture *f = *state;
    tcn_cbor_reader r;
    make_homes(f);
    tcn_cbor_reader_init(&r, world_trust_file(f->w));
    (void)tcn_cbor_get_array(&r, 3);
    tcn_bytes roster = tcn_cbor_get_bytes(&r, TCN_MAX_ROSTER_BYTES);
    assert_int_equal(verify(f, &f->member, roster), TCN_EXIT_DONE);
    assert_said(f, "\"type\": \"roster\"");
    assert_said(f, "authority's signature is right");
}

#define VERIFY_TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        VERIFY_TEST(test_an_advisory),
        VERIFY_TEST(test_an_emergency_without_its_second_approver),
        VERIFY_TEST(test_an_alert_that_was_changed),
        VERIFY_TEST(test_an_alert_that_is_over),
        VERIFY_TEST(test_an_alert_of_somebody_unknown),
        VERIFY_TEST(test_an_acknowledgment),
        VERIFY_TEST(test_a_roster_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
