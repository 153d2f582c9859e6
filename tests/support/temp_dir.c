/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE /* nftw */
#include "temp_dir.h"

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "mem.h"

static void end(const char *what, const char *path)
{
    perror(what);
    (void)fprintf(stderr, "temporary directory %s\n", path);
    abort();
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *walk)
{
    (void)st;
    (void)type;
    (void)walk;
    return remove(path);
}

void temp_dir_init(temp_dir *dir)
{
    const char *above = getenv("TMPDIR");
    int len =
        snprintf(dir->path, sizeof dir->path, "%s/tocsin-XXXXXX", above && *above ? above : "/tmp");
    if (len < 0 || (size_t)len >= sizeof dir->path || !mkdtemp(dir->path)) {
        end("mkdtemp", dir->path);
    }
}

void temp_dir_fini(temp_dir *dir)
{
    if (nftw(dir->path, remove_one, 8, FTW_DEPTH | FTW_PHYS) != 0) {
        end("remove", dir->path);
    }
}

char *temp_dir_join(const temp_dir *dir, const char *name, char memory[static 2 * TEMP_DIR_SIZE])
{
    int len = snprintf(memory, 2 * TEMP_DIR_SIZE, "%s/%s", dir->path, name);
    if (len < 0 || len >= 2 * TEMP_DIR_SIZE) {
        end(name, dir->path);
    }
    return memory;
}

int temp_dir_setup(void **state)
{
    temp_dir *dir = mem_zeroed(sizeof *dir);
    temp_dir_init(dir);
    *state = dir;
    return 0;
}

int temp_dir_teardown(void **state)
{
    temp_dir_fini(*state);
    free(*state);
    return 0;
}
