/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/shared_data.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static char own_root[] = "/tmp/tocsin-shared-XXXXXX";

static void write_own(const char *name, const char *text)
{
    char path[128];
    (void)snprintf(path, sizeof path, "%s/%s", own_root, name);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

static void remove_own(const char *name)
{
    char path[128];
    (void)snprintf(path, sizeof path, "%s/%s", own_root, name);
    assert_int_equal(remove(path), 0);
}

static void test_absent_folder_is_not_here(void **state)
{
    (void)state;
    shared_data_files files = {0};
    const char *outside = getenv("TOCSIN_SHARED");
    char *kept = outside ? strdup(outside) : NULL;
    assert_int_equal(setenv("TOCSIN_SHARED", "/nonexistent/tocsin", 1), 0);
    assert_false(shared_data_is_here());
    assert_false(shared_data_list("cose", "", &files));
    assert_int_equal(kept ? setenv("TOCSIN_SHARED", kept, 1) : unsetenv("TOCSIN_SHARED"), 0);
    free(kept);
}

static void test_lists_and_reads_by_name(void **state)
{
    (void)state;
    shared_data_files files = {0};
    uint8_t *bytes = NULL;
    size_t len = 0;
    char folder[128];
    const char *outside = getenv("TOCSIN_SHARED");
    char *kept = outside ? strdup(outside) : NULL;
    assert_non_null(mkdtemp(own_root));
    (void)snprintf(folder, sizeof folder, "%s/d", own_root);
    assert_int_equal(mkdir(folder, 0700), 0);
    write_own("d/b.json", "bb");
    write_own("d/a.json", "");
    write_own("d/c.txt", "c");

    assert_int_equal(setenv("TOCSIN_SHARED", own_root, 1), 0);
    assert_true(shared_data_is_here());
    assert_true(shared_data_list("d", ".json", &files));
    assert_int_equal(files.count, 2);
    assert_non_null(strstr(files.path[0], "/d/a.json"));
    assert_true(shared_data_read(files.path[1], &bytes, &len));
    assert_int_equal(len, 2);
    assert_string_equal((const char *)bytes, "bb");
    free(bytes);
    shared_data_files_fini(&files);
    assert_false(shared_data_list("d", ".xml", &files));
    assert_false(shared_data_read(folder, &bytes, &len));

    assert_int_equal(kept ? setenv("TOCSIN_SHARED", kept, 1) : unsetenv("TOCSIN_SHARED"), 0);
    free(kept);
    remove_own("d/a.json");
    remove_own("d/b.json");
    remove_own("d/c.txt");
    remove_own("d");
    assert_int_equal(rmdir(own_root), 0);
}

static void test_the_real_documents_are_there(void **state)
{
    (void)state;
    SHARED_DATA_OR_SKIP();
    shared_data_files files = {0};
    char *path = shared_data_path("SOURCES.md");
    uint8_t *bytes = NULL;
    size_t len = 0;
    assert_non_null(path);
    assert_true(shared_data_read(path, &bytes, &len));
    assert_true(len > 0);
    free(bytes);
    free(path);
    assert_true(shared_data_list("csaf", ".json", &files));
    shared_data_files_fini(&files);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_absent_folder_is_not_here),
        cmocka_unit_test(test_lists_and_reads_by_name),
        cmocka_unit_test(test_the_real_documents_are_there),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
