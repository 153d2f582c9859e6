/* SPDX-License-Identifier: Apache-2.0 */
#include "libtocsin/home.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <sys/stat.h>
#include <unistd.h>

#include "libtocsin/file.h"
#include "tests/support/temp_dir.h"
#include "tests/support/world.h"

static const tcn_wall begin = {INT64_C(1767225600000)};

typedef struct {
    temp_dir dir;
    world *w;
} fixture;

static void put(const fixture *f, const char *name, tcn_bytes content, unsigned mode)
{
    assert_int_equal(tcn_file_write(TEMP_PATH(&f->dir, name), content, mode, NULL), TCN_OK);
}

static void put_keys(const fixture *f, const char *name)
{
    tcn_member_keys keys = {.secrets = *world_secrets(f->w, name)};
    tcn_fault fault = {0};
    memcpy(keys.name, name, strlen(name) + 1);
    (void)unlink(TEMP_PATH(&f->dir, TCN_HOME_MEMBER_KEYS));
    assert_int_equal(tcn_member_keys_write(TEMP_PATH(&f->dir, TCN_HOME_MEMBER_KEYS), &keys, &fault),
                     TCN_OK);
    assert_int_equal(tcn_authority_public_write(TEMP_PATH(&f->dir, TCN_HOME_AUTHORITY_PUB),
                                                world_authority(f->w), &fault),
                     TCN_OK);
    tcn_member_keys_fini(&keys);
}

static void sign(fixture *f)
{
    world_set_now(f->w, (tcn_wall){world_now(f->w).unix_ms + 1000});
    world_sign(f->w);
}

static int setup(void **state)
{
    fixture *f = calloc(1, sizeof(*f));
    assert_non_null(f);
    temp_dir_init(&f->dir);
    f->w = world_new(begin);
    world_member_set(f->w, &(world_member){.name = "north", .roles = TCN_ROLE_NODE});
    world_member_set(f->w, &(world_member){.name = "south", .roles = TCN_ROLE_NODE});
    sign(f);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    fixture *f = *state;
    world_free(&f->w);
    temp_dir_fini(&f->dir);
    free(f);
    return 0;
}

/* A complete home of north. */
static void make_member(const fixture *f)
{
    put_keys(f, "north");
    put(f, TCN_HOME_BUNDLE, world_bundle_envelope(f->w), 0644);
    put(f, TCN_HOME_CARD, world_card_envelope(f->w, "north"), 0600);
}

static void make_broker(const fixture *f)
{
    put_keys(f, "broker");
    put(f, TCN_HOME_TRUST, world_trust_file(f->w), 0600);
    put(f, TCN_HOME_BROKER_CONF, tcn_bytes_str(""), 0644);
}

/* ---- finding ---- */

static void test_path_is_given_or_from_the_environment(void **state)
{
    (void)state;
    char home[TCN_HOME_PATH_SIZE];
    (void)setenv("HOME", "/nowhere/user", 1);
    (void)unsetenv("TOCSIN_HOME");
    assert_int_equal(tcn_home_path(NULL, home, NULL), TCN_OK);
    assert_string_equal(home, "/nowhere/user/.config/tocsin");
    (void)setenv("TOCSIN_HOME", "/nowhere/env/", 1);
    assert_int_equal(tcn_home_path(NULL, home, NULL), TCN_OK);
    assert_string_equal(home, "/nowhere/env");
    assert_int_equal(tcn_home_path("given", home, NULL), TCN_OK);
    assert_string_equal(home, "given");
    assert_int_equal(tcn_home_path("/", home, NULL), TCN_OK);
    assert_string_equal(home, "/");
    (void)unsetenv("TOCSIN_HOME");
}

static void test_path_too_long_is_refused(void **state)
{
    (void)state;
    char home[TCN_HOME_PATH_SIZE], given[TCN_HOME_PATH_SIZE + 1];
    memset(given, 'x', sizeof(given) - 1);
    given[sizeof(given) - 1] = '\0';
    assert_int_equal(tcn_home_path(given, home, NULL), TCN_TOO_LARGE);
}

static void test_resolve_wants_a_directory(void **state)
{
    const fixture *f = *state;
    char home[TCN_HOME_PATH_SIZE] = "untouched";
    tcn_fault fault = {0};
    assert_int_equal(tcn_home_resolve(TEMP_PATH(&f->dir, "gone"), home, &fault), TCN_NOT_FOUND);
    assert_non_null(strstr(fault.text, "--home"));
    assert_string_equal(home, "untouched");
    put(f, "file", tcn_bytes_str("x"), 0644);
    assert_int_equal(tcn_home_resolve(TEMP_PATH(&f->dir, "file"), home, &fault), TCN_NOT_FOUND);
    assert_int_equal(tcn_home_resolve(f->dir.path, home, &fault), TCN_OK);
    assert_string_equal(home, f->dir.path);
}

static void test_kinds(void **state)
{
    const fixture *f = *state;
    assert_int_equal(tcn_home_kind_of(f->dir.path), TCN_HOME_NONE);
    put(f, TCN_HOME_MEMBER_KEYS, tcn_bytes_str(""), 0600);
    assert_int_equal(tcn_home_kind_of(f->dir.path), TCN_HOME_MEMBER);
    put(f, TCN_HOME_BROKER_CONF, tcn_bytes_str(""), 0644);
    assert_int_equal(tcn_home_kind_of(f->dir.path), TCN_HOME_BROKER);
    put(f, TCN_HOME_PROGRAM_CONF, tcn_bytes_str(""), 0644);
    assert_int_equal(tcn_home_kind_of(f->dir.path), TCN_HOME_PROGRAM);
    assert_string_equal(tcn_home_kind_text(TCN_HOME_BROKER), "a broker's home");
}

/* ---- a member's ---- */

static void test_member_home_opens(void **state)
{
    const fixture *f = *state;
    tcn_member_home home;
    tcn_fault fault = {0};
    make_member(f);
    assert_int_equal(tcn_member_home_open(f->dir.path, &home, &fault), TCN_OK);
    assert_string_equal(home.keys.name, "north");
    assert_string_equal(home.card.name, "north");
    assert_true(tcn_id_equal(&home.program, world_program(f->w)));
    assert_int_equal(home.bundle.version, 1);
    assert_true(tcn_bytes_equal(tcn_bytes_of(home.bundle_envelope, home.bundle_len),
                                world_bundle_envelope(f->w)));
    assert_true(tcn_bytes_equal(tcn_bytes_of(home.card_envelope, home.card_len),
                                world_card_envelope(f->w, "north")));
    assert_memory_equal(&home.keys.secrets, world_secrets(f->w, "north"), sizeof(tcn_secrets));
    tcn_member_home_fini(&home);
    tcn_member_home_fini(&home); /* twice is fine */
}

/* Each file that is not there is named, with what brings it. */
static void test_member_home_names_what_is_missing(void **state)
{
    static const struct {
        const char *file, *remedy;
    } cases[] = {{TCN_HOME_MEMBER_KEYS, "keygen"},
                 {TCN_HOME_AUTHORITY_PUB, "join"},
                 {TCN_HOME_BUNDLE, "join"},
                 {TCN_HOME_CARD, "join"}};
    const fixture *f = *state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        tcn_member_home home;
        tcn_fault fault = {0};
        make_member(f);
        assert_int_equal(unlink(TEMP_PATH(&f->dir, cases[i].file)), 0);
        assert_int_equal(tcn_member_home_open(f->dir.path, &home, &fault), TCN_NOT_FOUND);
        assert_non_null(strstr(fault.text, cases[i].file));
        assert_non_null(strstr(fault.text, cases[i].remedy));
    }
}

static void test_member_home_refuses_keys_that_others_can_read(void **state)
{
    const fixture *f = *state;
    tcn_member_home home;
    tcn_fault fault = {0};
    make_member(f);
    assert_int_equal(chmod(TEMP_PATH(&f->dir, TCN_HOME_MEMBER_KEYS), 0644), 0);
    assert_int_equal(tcn_member_home_open(f->dir.path, &home, &fault), TCN_PERMISSIONS);
    assert_non_null(strstr(fault.text, "chmod 600"));
}

/* Whoever could write there could pin another authority. */
static void test_homes_that_others_can_write_are_refused(void **state)
{
    const fixture *f = *state;
    tcn_member_home home;
    tcn_fault fault = {0};
    const struct {
        const char *name;
        mode_t mode;
        tcn_err expected;
    } row[] = {
        {".", 0707, TCN_PERMISSIONS},
        {".", 0702, TCN_PERMISSIONS},
        {".", 0770, TCN_OK},
        {TCN_HOME_AUTHORITY_PUB, 0646, TCN_PERMISSIONS},
        {TCN_HOME_AUTHORITY_PUB, 0664, TCN_PERMISSIONS},
    };
    make_member(f);
    for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
        char path[TCN_HOME_PATH_SIZE];
        strcpy(path, TEMP_PATH(&f->dir, row[i].name));
        struct stat before;
        assert_int_equal(stat(path, &before), 0);
        assert_int_equal(chmod(path, row[i].mode), 0);
        assert_int_equal(tcn_member_home_open(f->dir.path, &home, &fault), row[i].expected);
        if (row[i].expected == TCN_OK)
            tcn_member_home_fini(&home);
        else
            assert_non_null(strstr(fault.text, "chmod go-w"));
        assert_int_equal(chmod(path, before.st_mode & 07777), 0);
    }
}

static void test_member_home_refuses_the_card_of_another(void **state)
{
    const fixture *f = *state;
    tcn_member_home home;
    tcn_fault fault = {0};
    make_member(f);
    put(f, TCN_HOME_CARD, world_card_envelope(f->w, "south"), 0600);
    assert_int_equal(tcn_member_home_open(f->dir.path, &home, &fault), TCN_CONFLICT);
    assert_non_null(strstr(fault.text, "south"));
}

static void test_member_home_refuses_a_card_without_its_keys(void **state)
{
    const fixture *f = *state;
    tcn_member_home home;
    tcn_fault fault = {0};
    make_member(f);
    tcn_member_keys keys = {.name = "north"};
    tcn_secrets_generate(&keys.secrets);
    assert_int_equal(unlink(TEMP_PATH(&f->dir, TCN_HOME_MEMBER_KEYS)), 0);
    assert_int_equal(tcn_member_keys_write(TEMP_PATH(&f->dir, TCN_HOME_MEMBER_KEYS), &keys, &fault),
                     TCN_OK);
    assert_int_equal(tcn_member_home_open(f->dir.path, &home, &fault), TCN_CONFLICT);
    tcn_member_keys_fini(&keys);
}

static void test_member_home_refuses_what_another_authority_signed(void **state)
{
    const fixture *f = *state;
    tcn_member_home home;
    tcn_fault fault = {0};
    tcn_sign_secret other;
    tcn_sign_public other_public;
    make_member(f);
    tcn_sign_generate(&other);
    tcn_sign_public_of(&other, &other_public);
    assert_int_equal(tcn_authority_public_write(TEMP_PATH(&f->dir, TCN_HOME_AUTHORITY_PUB),
                                                &other_public, &fault),
                     TCN_OK);
    assert_int_not_equal(tcn_member_home_open(f->dir.path, &home, &fault), TCN_OK);
    assert_non_null(strstr(fault.text, TCN_HOME_BUNDLE));
    tcn_sign_fini(&other);
}

static void test_member_home_refuses_damage(void **state)
{
    static const char *const files[] = {TCN_HOME_BUNDLE, TCN_HOME_CARD};
    const fixture *f = *state;
    for (size_t i = 0; i < 2; i++) {
        tcn_member_home home;
        tcn_fault fault = {0};
        uint8_t *bytes;
        size_t len;
        make_member(f);
        assert_int_equal(tcn_file_read(TEMP_PATH(&f->dir, files[i]), 1 << 20, &bytes, &len, &fault),
                         TCN_OK);
        bytes[len / 2] ^= 1;
        put(f, files[i], tcn_bytes_of(bytes, len), 0600);
        free(bytes);
        assert_int_not_equal(tcn_member_home_open(f->dir.path, &home, &fault), TCN_OK);
        assert_non_null(strstr(fault.text, files[i]));
        put(f, files[i], tcn_bytes_str(""), 0600);
        assert_int_not_equal(tcn_member_home_open(f->dir.path, &home, &fault), TCN_OK);
    }
}

static uint64_t stored_bundle_version(const fixture *f)
{
    tcn_member_home home;
    assert_int_equal(tcn_member_home_open(f->dir.path, &home, NULL), TCN_OK);
    uint64_t version = home.bundle.version;
    tcn_member_home_fini(&home);
    return version;
}

static void test_only_a_newer_bundle_is_stored(void **state)
{
    fixture *f = *state;
    tcn_member_home home;
    tcn_fault fault = {0};
    make_member(f);
    tcn_bytes first = world_bundle_envelope(f->w);
    sign(f);
    tcn_bytes second = world_bundle_envelope(f->w);
    assert_int_equal(tcn_member_home_open(f->dir.path, &home, &fault), TCN_OK);
    assert_int_equal(tcn_member_home_save_bundle(&home, second, &fault), TCN_OK);
    assert_int_equal(stored_bundle_version(f), 2);
    /* The home as it was opened still says 1: what counts is what lies on disk. */
    assert_int_equal(tcn_member_home_save_bundle(&home, first, &fault), TCN_OK);
    assert_int_equal(stored_bundle_version(f), 2);
    tcn_member_home_fini(&home);
}

static void test_a_damaged_bundle_is_replaced(void **state)
{
    fixture *f = *state;
    tcn_member_home home;
    tcn_fault fault = {0};
    make_member(f);
    assert_int_equal(tcn_member_home_open(f->dir.path, &home, &fault), TCN_OK);
    put(f, TCN_HOME_BUNDLE, tcn_bytes_str("damaged"), 0644);
    assert_int_equal(tcn_member_home_save_bundle(&home, world_bundle_envelope(f->w), &fault),
                     TCN_OK);
    assert_int_equal(stored_bundle_version(f), 1);
    tcn_member_home_fini(&home);
}

static void test_a_bundle_that_does_not_verify_is_not_stored(void **state)
{
    fixture *f = *state;
    tcn_member_home home;
    tcn_fault fault = {0};
    make_member(f);
    assert_int_equal(tcn_member_home_open(f->dir.path, &home, &fault), TCN_OK);
    assert_int_not_equal(
        tcn_member_home_save_bundle(&home, world_card_envelope(f->w, "north"), &fault), TCN_OK);
    assert_int_equal(stored_bundle_version(f), 1);
    tcn_member_home_fini(&home);
}

static void test_only_our_own_newer_card_is_stored(void **state)
{
    fixture *f = *state;
    tcn_member_home home, again;
    tcn_fault fault = {0};
    struct stat st;
    make_member(f);
    assert_int_equal(tcn_member_home_open(f->dir.path, &home, &fault), TCN_OK);
    assert_int_equal(tcn_member_home_save_card(&home, world_card_envelope(f->w, "south"), &fault),
                     TCN_CONFLICT);
    tcn_bytes first = world_card_envelope(f->w, "north");
    world_member_set(
        f->w, &(world_member){.name = "north", .roles = TCN_ROLE_NODE, .clearance = TCN_TLP_RED});
    sign(f);
    assert_int_equal(tcn_member_home_save_card(&home, world_card_envelope(f->w, "north"), &fault),
                     TCN_OK);
    assert_int_equal(tcn_member_home_save_card(&home, first, &fault), TCN_OK);
    tcn_member_home_fini(&home);
    assert_int_equal(tcn_member_home_open(f->dir.path, &again, &fault), TCN_OK);
    assert_int_equal(again.card.clearance, TCN_TLP_RED);
    tcn_member_home_fini(&again);
    /* It holds the secret audience id. */
    assert_int_equal(stat(TEMP_PATH(&f->dir, TCN_HOME_CARD), &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
}

/* ---- a broker's ---- */

static void test_broker_home_opens_and_reloads(void **state)
{
    fixture *f = *state;
    tcn_broker_home home;
    tcn_roster *newer = NULL;
    tcn_fault fault = {0};
    make_broker(f);
    assert_int_equal(tcn_broker_home_open(f->dir.path, &home, &fault), TCN_OK);
    assert_string_equal(home.keys.name, "broker");
    assert_int_equal(tcn_roster_version(home.roster), 1);
    assert_true(tcn_id_equal(&home.program, world_program(f->w)));
    sign(f);
    put(f, TCN_HOME_TRUST, world_trust_file(f->w), 0600);
    assert_int_equal(tcn_broker_home_reload(&home, &newer, &fault), TCN_OK);
    assert_int_equal(tcn_roster_version(newer), 2);
    assert_int_equal(tcn_roster_version(home.roster), 1);
    tcn_roster_unref(&newer);
    tcn_broker_home_fini(&home);
}

static void test_broker_home_refuses(void **state)
{
    fixture *f = *state;
    tcn_broker_home home;
    tcn_roster *newer = NULL;
    tcn_fault fault = {0};
    make_broker(f);
    assert_int_equal(tcn_broker_home_open(f->dir.path, &home, &fault), TCN_OK);
    put(f, TCN_HOME_TRUST, tcn_bytes_str("damaged"), 0600);
    assert_int_not_equal(tcn_broker_home_reload(&home, &newer, &fault), TCN_OK);
    assert_non_null(strstr(fault.text, TCN_HOME_TRUST));
    assert_int_equal(unlink(TEMP_PATH(&f->dir, TCN_HOME_TRUST)), 0);
    assert_int_equal(tcn_broker_home_reload(&home, &newer, &fault), TCN_NOT_FOUND);
    assert_non_null(strstr(fault.text, "roster export"));
    assert_null(newer);
    tcn_broker_home_fini(&home);
}

static void test_broker_home_wants_a_broker(void **state)
{
    fixture *f = *state;
    tcn_broker_home home;
    tcn_fault fault = {0};
    make_broker(f);
    put_keys(f, "north");
    assert_int_equal(tcn_broker_home_open(f->dir.path, &home, &fault), TCN_WRONG_ROLE);
    tcn_member_keys stranger = {.name = "stranger"};
    tcn_secrets_generate(&stranger.secrets);
    assert_int_equal(unlink(TEMP_PATH(&f->dir, TCN_HOME_MEMBER_KEYS)), 0);
    assert_int_equal(
        tcn_member_keys_write(TEMP_PATH(&f->dir, TCN_HOME_MEMBER_KEYS), &stranger, &fault), TCN_OK);
    assert_int_equal(tcn_broker_home_open(f->dir.path, &home, &fault), TCN_CONFLICT);
    tcn_member_keys_fini(&stranger);
}

#define HOME_TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_path_is_given_or_from_the_environment),
        cmocka_unit_test(test_path_too_long_is_refused),
        HOME_TEST(test_resolve_wants_a_directory),
        HOME_TEST(test_kinds),
        HOME_TEST(test_member_home_opens),
        HOME_TEST(test_member_home_names_what_is_missing),
        HOME_TEST(test_member_home_refuses_keys_that_others_can_read),
        HOME_TEST(test_homes_that_others_can_write_are_refused),
        HOME_TEST(test_member_home_refuses_the_card_of_another),
        HOME_TEST(test_member_home_refuses_a_card_without_its_keys),
        HOME_TEST(test_member_home_refuses_what_another_authority_signed),
        HOME_TEST(test_member_home_refuses_damage),
        HOME_TEST(test_only_a_newer_bundle_is_stored),
        HOME_TEST(test_a_damaged_bundle_is_replaced),
        HOME_TEST(test_a_bundle_that_does_not_verify_is_not_stored),
        HOME_TEST(test_only_our_own_newer_card_is_stored),
        HOME_TEST(test_broker_home_opens_and_reloads),
        HOME_TEST(test_broker_home_refuses),
        HOME_TEST(test_broker_home_wants_a_broker),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
