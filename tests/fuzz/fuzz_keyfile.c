/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as each kind of key file. The readers take a path, so one file is written over and
 * over; put TMPDIR on a tmpfs. */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "libtocsin/cbor.h"
#include "libtocsin/keyfile.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char path[PATH_MAX];
static int fd = -1;

static void remove_file(void)
{
    (void)unlink(path);
}

static void open_file(void)
{
    const char *base = getenv("TMPDIR");
    (void)snprintf(path, sizeof(path), "%s/fuzz-keyfile-XXXXXX", base != NULL ? base : "/tmp");
    fd = mkstemp(path); /* mode 0600: as a secret it is acceptable */
    if (fd < 0 || tcn_keys_init() != TCN_OK || atexit(remove_file) != 0)
        abort();
}

/* A fault is told in any case of failure: one line of UTF-8. */
static void check_told(tcn_err err, const tcn_fault *fault)
{
    if (err == TCN_OK)
        return;
    tcn_bytes text = tcn_bytes_str(fault->text);
    if (fault->err != err || text.len == 0 || !tcn_utf8_is_valid(text) ||
        strchr(fault->text, '\n') != NULL)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    tcn_fault fault = {0};
    tcn_member_keys keys;
    tcn_sign_secret secret;
    tcn_sign_public public;
    tcn_request request;
    if (fd < 0)
        open_file();
    if (ftruncate(fd, 0) != 0 || pwrite(fd, data, size, 0) != (ssize_t)size)
        abort();
    check_told(tcn_member_keys_read(path, &keys, &fault), &fault);
    check_told(tcn_authority_read(path, &secret, &fault), &fault);
    check_told(tcn_authority_public_read(path, &public, &fault), &fault);
    check_told(tcn_request_read(path, &request, &fault), &fault);
    return 0;
}
