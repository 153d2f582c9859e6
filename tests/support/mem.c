/* SPDX-License-Identifier: Apache-2.0 */
#include "mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void *or_end(void *memory)
{
    if (!memory) {
        (void)fprintf(stderr, "test support: out of memory\n");
        abort();
    }
    return memory;
}

void *mem_zeroed(size_t size)
{
    return or_end(calloc(1, size ? size : 1));
}

void *mem_grown(void *old, size_t size)
{
    return or_end(realloc(old, size ? size : 1));
}

uint8_t *mem_copy(tcn_bytes bytes)
{
    uint8_t *copy = or_end(malloc(bytes.len ? bytes.len : 1));
    if (bytes.len) {
        memcpy(copy, bytes.ptr, bytes.len);
    }
    return copy;
}

char *mem_text(const char *text)
{
    return or_end(strdup(text));
}
