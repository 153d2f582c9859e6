/* SPDX-License-Identifier: Apache-2.0 */
/* The broker's trust file on disk, replaced while it is watched. */
#include "broker/trust_watch.h"

#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "libtocsin/file.h"
#include "tests/support/mem_ports.h"
#include "tests/support/temp_dir.h"
#include "tests/support/world.h"

enum { LIMIT_MS = 20000 };

typedef struct {
    temp_dir dir;
    world *world;
    tcn_broker_home home;
    tcn_trust_watch *watch;
    tcn_fault fault;
} fixture;

static void place(const fixture *f, tcn_bytes file)
{
    tcn_fault fault;
    assert_int_equal(tcn_file_write(TEMP_PATH(&f->dir, TCN_HOME_TRUST), file, 0600, &fault),
                     TCN_OK);
}

static int setup(void **state)
{
    fixture *f = test_calloc(1, sizeof(*f));
    temp_dir_init(&f->dir);
    f->world = world_new((tcn_wall){MEM_WALL_START_MS});
    world_sign(f->world);
    snprintf(f->home.path, sizeof(f->home.path), "%s", f->dir.path);
    f->home.authority = *world_authority(f->world);
    f->home.program = *world_program(f->world);
    place(f, world_trust_file(f->world));
    uint64_t version = tcn_roster_version(world_roster(f->world));
    assert_int_equal(tcn_trust_watch_open(&f->home, version, &f->watch, &f->fault), TCN_OK);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    fixture *f = *state;
    tcn_trust_watch_close(&f->watch);
    tcn_trust_watch_close(&f->watch);
    world_free(&f->world);
    temp_dir_fini(&f->dir);
    test_free(f);
    return 0;
}

static void wait_word(const fixture *f)
{
    struct pollfd item = {.fd = tcn_trust_watch_fd(f->watch), .events = POLLIN};
    assert_int_equal(poll(&item, 1, LIMIT_MS), 1);
}

/* The next roster's version, or 0 with f->fault. */
static uint64_t next(fixture *f)
{
    for (;;) {
        tcn_roster *roster = NULL;
        wait_word(f);
        tcn_err err = tcn_trust_watch_take(f->watch, &roster, &f->fault);
        if (err == TCN_NOT_FOUND)
            continue;
        uint64_t version = err == TCN_OK ? tcn_roster_version(roster) : 0;
        tcn_roster_unref(&roster);
        return version;
    }
}

static tcn_err next_import(fixture *f)
{
    for (;;) {
        if (tcn_trust_watch_take_import(f->watch, &f->fault))
            return f->fault.err;
        tcn_roster *roster = NULL;
        wait_word(f);
        tcn_err err = tcn_trust_watch_take(f->watch, &roster, &f->fault);
        assert_int_equal(err, TCN_NOT_FOUND);
    }
}

static uint64_t sign(const fixture *f)
{
    world_sign(f->world);
    return tcn_roster_version(world_roster(f->world));
}

static void test_a_newer_file_is_taken(void **state)
{
    fixture *f = *state;
    for (int i = 0; i < 3; i++) {
        uint64_t version = sign(f);
        place(f, world_trust_file(f->world));
        assert_int_equal(next(f), version);
    }
}

static void test_a_bad_file_is_refused_and_a_good_one_taken_after(void **state)
{
    fixture *f = *state;
    place(f, tcn_bytes_str("not a trust file"));
    assert_int_equal(next(f), 0);
    assert_int_not_equal(f->fault.err, TCN_OK);
    assert_true(f->fault.text[0] != '\0');
    world *other = world_new((tcn_wall){MEM_WALL_START_MS});
    world_sign(other);
    world_sign(other);
    uint8_t *spoiled;
    tcn_bytes file = world_trust_file(other);
    assert_int_equal(tcn_bytes_copy(file, &spoiled), TCN_OK);
    spoiled[file.len / 2] ^= 1;
    place(f, tcn_bytes_of(spoiled, file.len));
    assert_int_equal(next(f), 0);
    free(spoiled);
    world_free(&other);
    uint64_t version = sign(f), taken;
    place(f, world_trust_file(f->world));
    while ((taken = next(f)) == 0) /* a bad file may have been looked at twice */
        assert_int_not_equal(f->fault.err, TCN_OK);
    assert_int_equal(taken, version);
}

static void test_an_older_file_is_refused_the_same_is_silent(void **state)
{
    fixture *f = *state;
    tcn_bytes first = world_trust_file(f->world);
    uint64_t version = sign(f);
    place(f, world_trust_file(f->world));
    assert_int_equal(next(f), version);
    place(f, world_trust_file(f->world)); /* the same again */
    place(f, first);
    assert_int_equal(next(f), 0);
    assert_int_equal(f->fault.err, TCN_STALE);
}

static void test_what_changed_before_the_watch_is_seen(void **state)
{
    fixture *f = *state;
    tcn_trust_watch_close(&f->watch);
    uint64_t version = sign(f);
    place(f, world_trust_file(f->world));
    assert_int_equal(tcn_trust_watch_open(&f->home, version - 1, &f->watch, &f->fault), TCN_OK);
    assert_int_equal(next(f), version);
}

static void test_a_file_that_is_gone_is_told_when_asked(void **state)
{
    fixture *f = *state;
    assert_int_equal(remove(TEMP_PATH(&f->dir, TCN_HOME_TRUST)), 0);
    tcn_trust_watch_look(f->watch);
    assert_int_equal(next(f), 0);
    assert_int_equal(f->fault.err, TCN_IO);
    assert_non_null(strstr(f->fault.text, TCN_HOME_TRUST));
}

static void test_an_import_is_saved_and_taken(void **state)
{
    fixture *f = *state;
    uint64_t version = sign(f);
    assert_false(tcn_trust_watch_take_import(f->watch, &f->fault));
    assert_int_equal(tcn_trust_watch_import(f->watch, world_trust_file(f->world)), TCN_OK);
    assert_int_equal(next(f), version);
    assert_int_equal(next_import(f), TCN_OK);
    assert_false(tcn_trust_watch_take_import(f->watch, &f->fault));
    uint8_t *saved;
    size_t len;
    assert_int_equal(tcn_file_read(TEMP_PATH(&f->dir, TCN_HOME_TRUST), TCN_MAX_ROSTER_BYTES, &saved,
                                   &len, &f->fault),
                     TCN_OK);
    assert_true(tcn_bytes_equal(tcn_bytes_of(saved, len), world_trust_file(f->world)));
    free(saved);
    /* The same once more is fine, and changes nothing. */
    assert_int_equal(tcn_trust_watch_import(f->watch, world_trust_file(f->world)), TCN_OK);
    assert_int_equal(next_import(f), TCN_OK);
}

static void test_a_bad_import_changes_nothing(void **state)
{
    fixture *f = *state;
    tcn_bytes old = world_trust_file(f->world);
    assert_int_equal(tcn_trust_watch_import(f->watch, tcn_bytes_str("x")), TCN_OK);
    assert_int_not_equal(next_import(f), TCN_OK);
    assert_true(f->fault.text[0] != '\0');
    uint64_t version = sign(f);
    place(f, world_trust_file(f->world));
    assert_int_equal(next(f), version);
    assert_int_equal(tcn_trust_watch_import(f->watch, old), TCN_OK);
    assert_int_equal(next_import(f), TCN_STALE);
}

static void test_no_home_no_watch(void **state)
{
    fixture *f = *state;
    tcn_trust_watch *watch = NULL;
    tcn_broker_home nowhere = f->home;
    snprintf(nowhere.path, sizeof(nowhere.path), "/nonexistent/home");
    assert_int_equal(tcn_trust_watch_open(&nowhere, 1, &watch, &f->fault), TCN_NOT_FOUND);
    assert_null(watch);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_a_newer_file_is_taken),
        TEST(test_a_bad_file_is_refused_and_a_good_one_taken_after),
        TEST(test_an_older_file_is_refused_the_same_is_silent),
        TEST(test_what_changed_before_the_watch_is_seen),
        TEST(test_a_file_that_is_gone_is_told_when_asked),
        TEST(test_an_import_is_saved_and_taken),
        TEST(test_a_bad_import_changes_nothing),
        TEST(test_no_home_no_watch),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
