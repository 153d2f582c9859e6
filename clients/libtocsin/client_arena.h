/* SPDX-License-Identifier: Apache-2.0 */
/* client_arena.h - memory that is freed at once: the strings and lists behind a struct of the
 * public API. Running out is remembered, so that a decoder asks once at its end. */
#ifndef TCN_CLIENT_ARENA_H
#define TCN_CLIENT_ARENA_H

#include "bytes.h"

typedef struct tcn_arena_block tcn_arena_block;

typedef struct {
    tcn_arena_block *blocks;
    bool failed; /* memory ran out */
} tcn_arena;

/* Zeroed memory for any type, or NULL. */
void *tcn_arena_take(tcn_arena *arena, size_t size);
/* A copy with NUL; "" when memory ran out. */
const char *tcn_arena_text(tcn_arena *arena, tcn_bytes text);
/* A copy, or NULL. */
const uint8_t *tcn_arena_bytes(tcn_arena *arena, tcn_bytes bytes);
/* Frees everything; the arena can be used again. */
void tcn_arena_fini(tcn_arena *arena);

#endif
