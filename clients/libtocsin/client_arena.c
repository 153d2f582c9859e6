/* SPDX-License-Identifier: Apache-2.0 */
/* client_arena.c - a list of blocks, each a single piece or filled from the front. */
#include "client_arena.h"

#include <stdalign.h>
#include <stdlib.h>
#include <string.h>

enum { BLOCK_BYTES = 4000 };

struct tcn_arena_block {
    tcn_arena_block *next;
    size_t used, size;
    alignas(max_align_t) uint8_t bytes[];
};

static tcn_arena_block *block_new(tcn_arena *arena, size_t size)
{
    tcn_arena_block *block = calloc(1, sizeof(*block) + size);
    if (block == NULL) {
        arena->failed = true;
        return NULL;
    }
    block->size = size;
    block->next = arena->blocks;
    arena->blocks = block;
    return block;
}

void *tcn_arena_take(tcn_arena *arena, size_t size)
{
    if (size > SIZE_MAX / 2) {
        arena->failed = true;
        return NULL;
    }
    size_t step = alignof(max_align_t);
    size = (size + step - 1) / step * step;
    tcn_arena_block *block = arena->blocks;
    if (block == NULL || block->size - block->used < size)
        block = block_new(arena, size > BLOCK_BYTES ? size : BLOCK_BYTES);
    if (block == NULL)
        return NULL;
    void *taken = block->bytes + block->used;
    block->used += size;
    return taken;
}

const char *tcn_arena_text(tcn_arena *arena, tcn_bytes text)
{
    char *copy = text.len > 0 ? tcn_arena_take(arena, text.len + 1) : NULL;
    if (copy == NULL)
        return "";
    memcpy(copy, text.ptr, text.len);
    return copy;
}

const uint8_t *tcn_arena_bytes(tcn_arena *arena, tcn_bytes bytes)
{
    uint8_t *copy = tcn_arena_take(arena, bytes.len);
    if (copy != NULL && bytes.len > 0)
        memcpy(copy, bytes.ptr, bytes.len);
    return copy;
}

void tcn_arena_fini(tcn_arena *arena)
{
    while (arena->blocks != NULL) {
        tcn_arena_block *next = arena->blocks->next;
        free(arena->blocks);
        arena->blocks = next;
    }
    arena->failed = false;
}
