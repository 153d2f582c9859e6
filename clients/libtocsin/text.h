/* SPDX-License-Identifier: Apache-2.0 */
/* text.h - text from the wire, made safe to show: terminal escapes, control characters and
 * bidirectional overrides (Unicode UTR 36, CVE-2021-42574) become U+FFFD. */
#ifndef TCN_TEXT_H
#define TCN_TEXT_H

#include "bytes.h"

/* Writes text neutralised and NUL-terminated, cut at a character boundary to fit size (≥ 4).
 * Newlines and tabs become one space. Returns the length written. Invalid UTF-8 becomes U+FFFD. */
size_t tcn_text_line(tcn_bytes text, char *ret_text, size_t size);
/* The same, but newlines and tabs stay: for bodies shown as paragraphs. */
size_t tcn_text_block(tcn_bytes text, char *ret_text, size_t size);
/* Columns that a terminal needs for valid UTF-8 text (wide characters count two). */
size_t tcn_text_width(const char *text);
/* A member, broker or community name: [a-z0-9]([a-z0-9-]*[a-z0-9])?, at most NAME_CHARS. */
bool tcn_name_is_valid(tcn_bytes name);

#endif
