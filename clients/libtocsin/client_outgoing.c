/* SPDX-License-Identifier: Apache-2.0 */
/* client_outgoing.c - what was signed and may not have arrived yet, kept in the home so that the
 * very same bytes can be sent again. */
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "client_prepare.h"
#include "file.h"

#define FOLDER "outgoing"
#define LEFTOVER_S 3600 /* saving takes moments; what is half there after so long stays so */

static tcn_err path_of(const tocsin_client *client, const tocsin_id *id, const char *what,
                       char ret_path[static TCN_HOME_PATH_SIZE])
{
    char text[TOCSIN_ID_TEXT_SIZE];
    tocsin_id_text(id, text);
    int len = snprintf(ret_path, TCN_HOME_PATH_SIZE, "%s/" FOLDER "/%s.%s", client->home.path, text,
                       what);
    return len > 0 && len < TCN_HOME_PATH_SIZE ? TCN_OK : TCN_TOO_LARGE;
}

static tcn_err save(const tocsin_client *client, const tocsin_id *id, const char *what,
                    tcn_bytes content, tcn_fault *fault)
{
    char path[TCN_HOME_PATH_SIZE];
    tcn_err err = path_of(client, id, what, path);
    return err == TCN_OK ? tcn_file_write(path, content, 0600, fault) : err;
}

/* Does the name belong to something half there: a temporary file, or a body without envelope? */
static bool is_half(int folder, const char *name)
{
    char envelope[TOCSIN_ID_TEXT_SIZE + sizeof(".envelope")];
    const char *dot = strrchr(name, '.');
    if (strncmp(name, ".tocsin-", strlen(".tocsin-")) == 0)
        return true;
    if (dot == NULL || dot - name != TOCSIN_ID_TEXT_SIZE - 1 || strcmp(dot, ".body") != 0)
        return false;
    (void)snprintf(envelope, sizeof(envelope), "%.*s.envelope", (int)(dot - name), name);
    return faccessat(folder, envelope, F_OK, 0) != 0;
}

/* Removes what runs left that were killed while they saved. */
static void sweep(const char *path)
{
    struct stat about;
    time_t now = time(NULL);
    DIR *dir = opendir(path);
    for (struct dirent *e = dir != NULL ? readdir(dir) : NULL; e != NULL; e = readdir(dir))
        if (is_half(dirfd(dir), e->d_name) &&
            fstatat(dirfd(dir), e->d_name, &about, AT_SYMLINK_NOFOLLOW) == 0 &&
            S_ISREG(about.st_mode) && now - about.st_mtime > LEFTOVER_S)
            (void)unlinkat(dirfd(dir), e->d_name, 0);
    if (dir != NULL)
        (void)closedir(dir);
}

tcn_err tcn_outgoing_save(const tocsin_client *client, const tocsin_prepared *prepared,
                          tcn_fault *fault)
{
    char folder[TCN_HOME_PATH_SIZE];
    const tocsin_alert *alert = prepared->alert;
    tcn_err err = tcn_path_join(client->home.path, FOLDER, folder, sizeof(folder));
    if (err == TCN_OK)
        err = tcn_dir_make(folder, 0700, fault);
    if (err == TCN_OK)
        sweep(folder);
    /* The body first: an envelope that is there has its body. */
    if (err == TCN_OK && prepared->body != NULL)
        err = save(client, &alert->id, "body", tcn_bytes_of(prepared->body, prepared->body_len),
                   fault);
    if (err == TCN_OK)
        err = save(client, &alert->id, "envelope",
                   tcn_bytes_of(alert->envelope, (size_t)alert->envelope_size), fault);
    return err;
}

void tcn_outgoing_remove(const tocsin_client *client, const tocsin_id *id)
{
    char path[TCN_HOME_PATH_SIZE];
    if (path_of(client, id, "envelope", path) == TCN_OK)
        (void)unlink(path);
    if (path_of(client, id, "body", path) == TCN_OK)
        (void)unlink(path);
}

static tcn_err load_body(const tocsin_client *client, tocsin_prepared *prepared, tcn_fault *fault)
{
    char path[TCN_HOME_PATH_SIZE];
    tcn_err err = path_of(client, &prepared->alert->id, "body", path);
    if (err == TCN_OK)
        err = tcn_file_read(path, TCN_MAX_BODY_BYTES_MAX, &prepared->body, &prepared->body_len,
                            fault);
    if (err != TCN_OK)
        return err;
    tcn_hash hash = tcn_hash_of(tcn_bytes_of(prepared->body, prepared->body_len));
    if (prepared->body_len != prepared->alert->encoded_size ||
        memcmp(hash.b, prepared->alert->body_hash, sizeof(hash.b)) != 0)
        return tcn_fault_set(fault, TCN_HASH_MISMATCH,
                             "%s is not the body that was signed; publish it anew", path);
    return TCN_OK;
}

int32_t tocsin_prepared_open(tocsin_client *client, const tocsin_id *id,
                             tocsin_prepared **ret_prepared, tocsin_error *error)
{
    char path[TCN_HOME_PATH_SIZE];
    tcn_fault fault = {.err = TCN_OK};
    uint8_t *envelope = NULL;
    size_t len = 0;
    tcn_err err = path_of(client, id, "envelope", path);
    if (err == TCN_OK)
        err = tcn_file_read(path, TCN_MAX_ENVELOPE_BYTES, &envelope, &len, &fault);
    if (err == TCN_NOT_FOUND)
        return tcn_error_say(error, TOCSIN_STAGE_LOCAL, err,
                             "nothing of that id waits to be sent again: it was answered, or was "
                             "never begun from this home");
    tocsin_prepared *prepared = err == TCN_OK ? calloc(1, sizeof(*prepared)) : NULL;
    if (prepared == NULL) {
        free(envelope);
        return tcn_error_set(error, TOCSIN_STAGE_LOCAL, err == TCN_OK ? TCN_NO_MEMORY : err,
                             &fault);
    }
    /* A reader's check: it may have expired since, which is for the broker to say. */
    int32_t code =
        tcn_client_verify(client, tcn_bytes_of(envelope, len), false, &prepared->alert, error);
    free(envelope);
    if (code == TOCSIN_OK && prepared->alert->external) {
        err = load_body(client, prepared, &fault);
        if (err != TCN_OK)
            code = tcn_error_set(error, TOCSIN_STAGE_LOCAL, err, &fault);
    }
    if (code != TOCSIN_OK) {
        tocsin_prepared_destroy(&prepared);
        return code;
    }
    *ret_prepared = prepared;
    return TOCSIN_OK;
}
