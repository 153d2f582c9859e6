/* SPDX-License-Identifier: Apache-2.0 */
/* mem.h - memory for test support: never NULL, the program ends instead. */
#ifndef TOCSIN_TEST_MEM_H
#define TOCSIN_TEST_MEM_H

#include <stddef.h>
#include <stdint.h>

#include "libtocsin/bytes.h"

void *mem_zeroed(size_t size);
void *mem_grown(void *old, size_t size);
/* A copy in a block of exactly its size, so that the sanitizers see one byte too far. */
uint8_t *mem_copy(tcn_bytes bytes);
char *mem_text(const char *text);

#endif
