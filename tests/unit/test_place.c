/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/place.h"

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

static struct stat status_of(const char *path)
{
    struct stat st;
    assert_int_equal(lstat(path, &st), 0);
    return st;
}

static void assert_content(const char *path, const char *text)
{
    uint8_t *bytes;
    size_t len;
    assert_int_equal(tcn_file_read(path, 1024, &bytes, &len, NULL), TCN_OK);
    assert_string_equal((char *)bytes, text);
    free(bytes);
}

static void test_a_file_is_placed_and_replaced(void **state)
{
    const temp_dir *dir = *state;
    tcn_fault fault = {0};
    assert_int_equal(tcn_place(dir->path, "f", tcn_bytes_str("one"), 0600, true, &fault), TCN_OK);
    assert_content(TEMP_PATH(dir, "f"), "one");
    assert_int_equal(status_of(TEMP_PATH(dir, "f")).st_mode & 0777, 0600);
    ino_t before = status_of(TEMP_PATH(dir, "f")).st_ino;
    /* A run that was killed left this. */
    assert_int_equal(tcn_file_write(TEMP_PATH(dir, ".tocsin-new"), tcn_bytes_str("x"), 0600, NULL),
                     TCN_OK);
    assert_int_equal(tcn_place(dir->path, "f", tcn_bytes_str("two"), 0644, false, &fault), TCN_OK);
    assert_content(TEMP_PATH(dir, "f"), "two");
    assert_int_equal(status_of(TEMP_PATH(dir, "f")).st_mode & 0777, 0644);
    assert_true(status_of(TEMP_PATH(dir, "f")).st_ino != before);
    assert_int_equal(access(TEMP_PATH(dir, ".tocsin-new"), F_OK), -1);
    assert_int_equal(tcn_place_sync(dir->path, &fault), TCN_OK);
}

static void test_without_its_directory_it_is_not_found(void **state)
{
    const temp_dir *dir = *state;
    tcn_fault fault = {0};
    assert_int_equal(tcn_place(TEMP_PATH(dir, "gone"), "f", tcn_bytes_str("x"), 0600, true, &fault),
                     TCN_NOT_FOUND);
    assert_non_null(strstr(fault.text, "gone"));
    assert_int_equal(tcn_place_sync(TEMP_PATH(dir, "gone"), &fault), TCN_NOT_FOUND);
    assert_int_equal(tcn_place_link("/dev/null", TEMP_PATH(dir, "gone"), "f"), TCN_NOT_FOUND);
}

static void test_a_symbolic_link_in_the_way_is_replaced_not_followed(void **state)
{
    const temp_dir *dir = *state;
    assert_int_equal(tcn_file_write(TEMP_PATH(dir, "victim"), tcn_bytes_str("v"), 0600, NULL),
                     TCN_OK);
    assert_int_equal(symlink("victim", TEMP_PATH(dir, "f")), 0);
    assert_int_equal(symlink("victim", TEMP_PATH(dir, ".tocsin-new")), 0);
    assert_int_equal(tcn_place(dir->path, "f", tcn_bytes_str("new"), 0600, true, NULL), TCN_OK);
    assert_content(TEMP_PATH(dir, "victim"), "v");
    assert_content(TEMP_PATH(dir, "f"), "new");
    assert_true(S_ISREG(status_of(TEMP_PATH(dir, "f")).st_mode));
}

static void test_a_link_is_the_same_file_until_either_is_replaced(void **state)
{
    const temp_dir *dir = *state;
    char *shared = TEMP_PATH(dir, "shared");
    assert_int_equal(tcn_file_write(shared, tcn_bytes_str("one"), 0644, NULL), TCN_OK);
    assert_int_equal(tcn_place(dir->path, "f", tcn_bytes_str("old"), 0600, true, NULL), TCN_OK);
    assert_int_equal(tcn_place_link(shared, dir->path, "f"), TCN_OK);
    assert_int_equal(tcn_place_link(shared, dir->path, "f"), TCN_OK); /* again */
    assert_content(TEMP_PATH(dir, "f"), "one");
    assert_int_equal(status_of(shared).st_nlink, 2);
    assert_int_equal(access(TEMP_PATH(dir, ".tocsin-new"), F_OK), -1);
    /* What its owner stores there does not change the others'. */
    assert_int_equal(tcn_file_write(TEMP_PATH(dir, "f"), tcn_bytes_str("own"), 0644, NULL), TCN_OK);
    assert_content(shared, "one");
}

static void test_a_link_that_cannot_be_asks_for_a_copy(void **state)
{
    const temp_dir *dir = *state;
    assert_int_equal(tcn_place_link("/proc/self/status", dir->path, "f"), TCN_BUSY);
    assert_int_equal(access(TEMP_PATH(dir, "f"), F_OK), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEMP_DIR_TEST(test_a_file_is_placed_and_replaced),
        TEMP_DIR_TEST(test_without_its_directory_it_is_not_found),
        TEMP_DIR_TEST(test_a_symbolic_link_in_the_way_is_replaced_not_followed),
        TEMP_DIR_TEST(test_a_link_is_the_same_file_until_either_is_replaced),
        TEMP_DIR_TEST(test_a_link_that_cannot_be_asks_for_a_copy),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
