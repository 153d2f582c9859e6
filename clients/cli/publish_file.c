/* SPDX-License-Identifier: Apache-2.0 */
/* publish_file.c - see publish_file.h. */
#include "publish_file.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "libtocsin/cbor.h"
#include "libtocsin/file.h"
#include "libtocsin/limits.h"

#define LOOK_BYTES 4096 /* at the beginning of a document */

static tcn_err read_stdin(uint8_t **ret_bytes, size_t *ret_len, tcn_fault *fault)
{
    tcn_buf buf;
    tcn_err err = TCN_OK;
    uint8_t piece[16384];
    tcn_buf_init(&buf, TCN_MAX_BODY_BYTES_MAX);
    for (size_t len = 1; err == TCN_OK && len > 0;) {
        len = fread(piece, 1, sizeof(piece), stdin);
        err = tcn_buf_append(&buf, tcn_bytes_of(piece, len));
    }
    if (err == TCN_OK && ferror(stdin))
        err = TCN_IO;
    if (err == TCN_OK)
        err = tcn_bytes_copy(tcn_buf_bytes(&buf), ret_bytes);
    *ret_len = buf.len;
    tcn_buf_fini(&buf);
    return err == TCN_OK ? TCN_OK
                         : tcn_fault_set(fault, err, "standard input: %s", tcn_err_text(err));
}

tcn_err tcn_publish_read(const char *path, uint8_t **ret_bytes, size_t *ret_len, tcn_fault *fault)
{
    if (strcmp(path, "-") == 0)
        return read_stdin(ret_bytes, ret_len, fault);
    return tcn_file_read(path, TCN_MAX_BODY_BYTES_MAX, ret_bytes, ret_len, fault);
}

typedef struct {
    const char *extension, *type;
} by_extension;

static const by_extension types[] = {
    {"json", "application/json"}, {"txt", "text/plain"},        {"md", "text/markdown"},
    {"html", "text/html"},        {"htm", "text/html"},         {"pdf", "application/pdf"},
    {"csv", "text/csv"},          {"yaml", "application/yaml"}, {"yml", "application/yaml"},
    {"eml", "message/rfc822"},    {"zip", "application/zip"},
};

static const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash != NULL ? slash + 1 : path;
}

static bool holds(tcn_bytes content, const char *what)
{
    char look[LOOK_BYTES + 1];
    size_t len = content.len < LOOK_BYTES ? content.len : LOOK_BYTES;
    memcpy(look, content.ptr, len);
    look[len] = '\0'; /* a NUL before it ends the search early, and is no XML */
    return strstr(look, what) != NULL;
}

/* By the first character that is not white space; a byte order mark is none, either. */
static const char *by_beginning(tcn_bytes content)
{
    size_t at = content.len >= 3 && memcmp(content.ptr, "\xef\xbb\xbf", 3) == 0 ? 3 : 0;
    while (at < content.len && strchr(" \t\r\n", content.ptr[at]) != NULL)
        at++;
    if (at < content.len && content.ptr[at] == '<')
        return holds(content, "urn:oasis:names:tc:emergency:cap") ? "application/cap+xml"
                                                                  : "application/xml";
    if (at < content.len && (content.ptr[at] == '{' || content.ptr[at] == '['))
        return "application/json";
    if (content.len >= 4 && memcmp(content.ptr, "%PDF", 4) == 0)
        return "application/pdf";
    return tcn_utf8_is_valid(content) ? "text/plain" : "application/octet-stream";
}

const char *tcn_publish_content_type(const char *path, tcn_bytes content)
{
    const char *dot = strrchr(base_name(path), '.');
    for (size_t i = 0; dot != NULL && i < sizeof(types) / sizeof(types[0]); i++)
        if (strcasecmp(dot + 1, types[i].extension) == 0)
            return types[i].type;
    return by_beginning(content);
}

void tcn_publish_title(const char *path, char *ret_title, size_t size)
{
    const char *name = strcmp(path, "-") == 0 ? "untitled" : base_name(path);
    const char *dot = strrchr(name, '.');
    size_t len = dot != NULL && dot != name ? (size_t)(dot - name) : strlen(name);
    (void)snprintf(ret_title, size, "%.*s", (int)len, name);
}
