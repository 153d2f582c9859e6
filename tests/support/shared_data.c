/* SPDX-License-Identifier: Apache-2.0 */
#include "shared_data.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static const char *shared_root(void)
{
    const char *named = getenv("TOCSIN_SHARED");
    return (named && *named) ? named : TOCSIN_SHARED_DEFAULT;
}

bool shared_data_is_here(void)
{
    struct stat st;
    if (stat(shared_root(), &st) == 0 && S_ISDIR(st.st_mode)) {
        return true;
    }
    (void)fprintf(
        stderr,
        "SKIPPED: no folder %s (TOCSIN_SHARED names another): real documents are not tested\n",
        shared_root());
    return false;
}

static char *joined(const char *folder, const char *name)
{
    size_t size = strlen(folder) + 1 + strlen(name) + 1;
    char *path = malloc(size);
    if (path) {
        (void)snprintf(path, size, "%s/%s", folder, name);
    }
    return path;
}

char *shared_data_path(const char *name)
{
    return joined(shared_root(), name);
}

static bool ends_with(const char *name, const char *suffix)
{
    size_t n = strlen(name), s = strlen(suffix);
    return n >= s && strcmp(name + n - s, suffix) == 0;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Takes path. */
static bool add(shared_data_files *files, char *path)
{
    char **grown = realloc(files->path, (files->count + 1) * sizeof *grown);
    if (!grown) {
        free(path);
        return false;
    }
    grown[files->count++] = path;
    files->path = grown;
    return true;
}

static bool add_matching(DIR *dir, const char *folder, const char *suffix, shared_data_files *files)
{
    const struct dirent *entry;
    while ((entry = readdir(dir))) {
        struct stat st;
        if (entry->d_name[0] == '.' || !ends_with(entry->d_name, suffix)) {
            continue;
        }
        char *path = joined(folder, entry->d_name);
        if (!path) {
            return false;
        }
        if (stat(path, &st) != 0 || !S_ISREG(st.st_mode)) {
            free(path);
        } else if (!add(files, path)) {
            return false;
        }
    }
    return true;
}

bool shared_data_list(const char *folder, const char *suffix, shared_data_files *ret_files)
{
    shared_data_files files = {0};
    char *path = shared_data_path(folder);
    DIR *dir = path ? opendir(path) : NULL;
    bool ok = dir && add_matching(dir, path, suffix, &files) && files.count > 0;
    if (ok) {
        qsort(files.path, files.count, sizeof *files.path, by_name);
        *ret_files = files;
    } else {
        (void)fprintf(stderr, "no files *%s in %s\n", suffix, path ? path : folder);
        shared_data_files_fini(&files);
    }
    if (dir) {
        (void)closedir(dir);
    }
    free(path);
    return ok;
}

void shared_data_files_fini(shared_data_files *files)
{
    for (size_t i = 0; i < files->count; i++) {
        free(files->path[i]);
    }
    free(files->path);
    *files = (shared_data_files){0};
}

bool shared_data_read(const char *path, uint8_t **ret_bytes, size_t *ret_len)
{
    struct stat st;
    uint8_t *bytes = NULL;
    bool ok = false;
    FILE *file = fopen(path, "rb");
    if (file && fstat(fileno(file), &st) == 0 && S_ISREG(st.st_mode)) {
        size_t len = (size_t)st.st_size;
        bytes = malloc(len + 1);
        ok = bytes && fread(bytes, 1, len, file) == len;
        if (ok) {
            bytes[len] = 0;
            *ret_bytes = bytes;
            *ret_len = len;
        }
    }
    if (!ok) {
        (void)fprintf(stderr, "cannot read %s: %s\n", path, strerror(errno));
        free(bytes);
    }
    if (file) {
        (void)fclose(file);
    }
    return ok;
}
