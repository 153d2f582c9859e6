/* SPDX-License-Identifier: Apache-2.0 */
/* publish_file.h - the document that is published: read bounded, and what kind of thing it is. */
#ifndef TCN_CLI_PUBLISH_FILE_H
#define TCN_CLI_PUBLISH_FILE_H

#include "libtocsin/bytes.h"

/* Reads FILE, or standard input for "-"; *ret_bytes is malloc'd. At most BODY_BYTES_MAX. */
TCN_CHECKED tcn_err tcn_publish_read(const char *path, uint8_t **ret_bytes, size_t *ret_len,
                                     tcn_fault *fault);
/* The content type by the extension, and where that is not enough by how it begins; static. */
const char *tcn_publish_content_type(const char *path, tcn_bytes content);
/* "bulletin-7" of "/tmp/bulletin-7.json"; the title when none is given. */
void tcn_publish_title(const char *path, char *ret_title, size_t size);

#endif
