/* SPDX-License-Identifier: Apache-2.0 */
/* hex.h - bytes of a test written as hex, with spaces where they help the reader. */
#ifndef TOCSIN_TEST_HEX_H
#define TOCSIN_TEST_HEX_H

#include "libtocsin/bytes.h"

/* The bytes, in memory; ends the test program with a word if text is not hex or does not fit. */
tcn_bytes hex_bytes(const char *text, uint8_t *memory, size_t size);

/* A view of the bytes of a literal that lives as long as the block around it. */
#define HEX(text) hex_bytes(text, (uint8_t[sizeof(text)]){0}, sizeof(text))

#endif
