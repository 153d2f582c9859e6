/* SPDX-License-Identifier: Apache-2.0 */
/* shared_data.h - finds the real documents that tests read where they lie: in the folder that
 * $TOCSIN_SHARED names, else in ../shared/data beside the repository. They are no part of the
 * project; where they are absent a test skips, and says so on stderr. */
#ifndef TOCSIN_TEST_SHARED_DATA_H
#define TOCSIN_TEST_SHARED_DATA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Is it there? If not, says loudly what is not tested. */
bool shared_data_is_here(void);

/* For a cmocka test, as its first statement (include cmocka.h before). */
#define SHARED_DATA_OR_SKIP()                                                                      \
    do {                                                                                           \
        if (!shared_data_is_here()) {                                                              \
            skip();                                                                                \
        }                                                                                          \
    } while (0)

typedef struct {
    char **path; /* absolute or relative to the working directory, in strcmp order */
    size_t count;
} shared_data_files;

/* The regular files of a folder, e.g. "cose/sign-tests", not below it, whose names end with
 * suffix ("" takes all). False if the folder cannot be read or has none: a test that reads
 * nothing must not pass. Free with shared_data_files_fini. */
bool shared_data_list(const char *folder, const char *suffix, shared_data_files *ret_files);
void shared_data_files_fini(shared_data_files *files);

/* The whole of one file, malloc'd with a NUL behind the last byte; path from shared_data_list, or
 * from shared_data_path. False with a word on stderr if it cannot be read. */
bool shared_data_read(const char *path, uint8_t **ret_bytes, size_t *ret_len);

/* The path of one file by its name below the shared folder, malloc'd; NULL when out of memory. */
char *shared_data_path(const char *name);

#endif
