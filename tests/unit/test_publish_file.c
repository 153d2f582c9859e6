/* SPDX-License-Identifier: Apache-2.0 */
/* test_publish_file.c - what kind of document it is, and its title. */
#include "clients/cli/publish_file.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "libtocsin/file.h"
#include "tests/support/temp_dir.h"

static void expect_type(const char *path, const char *content, const char *type)
{
    assert_string_equal(tcn_publish_content_type(path, tcn_bytes_str(content)), type);
}

static void test_type_by_extension(void **state)
{
    (void)state;
    expect_type("a/b.json", "<xml/>", "application/json");
    expect_type("B.PDF", "", "application/pdf");
    expect_type("x.md", "{}", "text/markdown");
}

static void test_type_by_beginning(void **state)
{
    (void)state;
    expect_type("x", " \n{\"a\": 1}", "application/json");
    expect_type("x", "\xef\xbb\xbf[1]", "application/json");
    expect_type("x.xml", "<alert xmlns=\"urn:oasis:names:tc:emergency:cap:1.2\">",
                "application/cap+xml");
    expect_type("x.xml", "<other/>", "application/xml");
    expect_type("x", "%PDF-1.7", "application/pdf");
    expect_type("x",
                "Gr\xc3\xbc\xc3\x9f"
                "e",
                "text/plain");
    expect_type("x", "\xff\xfe", "application/octet-stream");
    expect_type("x", "", "text/plain");
    expect_type("a.json/file", "plain", "text/plain"); /* a folder's extension is none */
}

static void test_title(void **state)
{
    (void)state;
    char title[16];
    tcn_publish_title("/some/where/bulletin-7.json", title, sizeof(title));
    assert_string_equal(title, "bulletin-7");
    tcn_publish_title(".hidden", title, sizeof(title));
    assert_string_equal(title, ".hidden");
    tcn_publish_title("-", title, sizeof(title));
    assert_string_equal(title, "untitled");
    tcn_publish_title("a-name-that-is-too-long.txt", title, sizeof(title));
    assert_int_equal(strlen(title), sizeof(title) - 1);
}

static void test_read(void **state)
{
    const temp_dir *dir = *state;
    uint8_t *bytes = NULL;
    size_t len = 0;
    tcn_fault fault = {.err = TCN_OK};
    assert_int_equal(tcn_file_write(TEMP_PATH(dir, "f"), tcn_bytes_str("text"), 0600, &fault),
                     TCN_OK);
    assert_int_equal(tcn_publish_read(TEMP_PATH(dir, "f"), &bytes, &len, &fault), TCN_OK);
    assert_int_equal(len, 4);
    assert_memory_equal(bytes, "text", 4);
    free(bytes);
    assert_int_equal(tcn_publish_read(TEMP_PATH(dir, "none"), &bytes, &len, &fault), TCN_NOT_FOUND);
    assert_int_equal(tcn_publish_read(dir->path, &bytes, &len, &fault), TCN_INVALID);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_type_by_extension),
        cmocka_unit_test(test_type_by_beginning),
        cmocka_unit_test(test_title),
        TEMP_DIR_TEST(test_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
