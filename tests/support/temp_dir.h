/* SPDX-License-Identifier: Apache-2.0 */
/* temp_dir.h - a directory of its own for a test, below $TMPDIR, gone afterwards. */
#ifndef TOCSIN_TEST_TEMP_DIR_H
#define TOCSIN_TEST_TEMP_DIR_H

#define TEMP_DIR_SIZE 512

typedef struct {
    char path[TEMP_DIR_SIZE];
} temp_dir;

/* Both end the test program with a word if it cannot be done. */
void temp_dir_init(temp_dir *dir);
void temp_dir_fini(temp_dir *dir); /* with all that is in it */

/* "path/name", in memory that lives as long as the block around it. */
#define TEMP_PATH(dir, name) temp_dir_join(dir, name, (char[2 * TEMP_DIR_SIZE]){0})
char *temp_dir_join(const temp_dir *dir, const char *name, char memory[static 2 * TEMP_DIR_SIZE]);

/* For a cmocka test: state is a temp_dir. */
int temp_dir_setup(void **state);
int temp_dir_teardown(void **state);
/* As cmocka_unit_test, with these two. */
#define TEMP_DIR_TEST(fn) cmocka_unit_test_setup_teardown(fn, temp_dir_setup, temp_dir_teardown)

#endif
