/* SPDX-License-Identifier: Apache-2.0 */
/* states.c - see states.h. */
#include "states.h"

#define WORD_OF(name, number, word)                                                                \
    case number: return word;

const char *tcn_state_text(uint64_t state)
{
    switch (state) {
        TCN_STATE_TABLE(WORD_OF)
    default: return "unknown";
    }
}

const char *tcn_node_state_text(uint64_t state)
{
    switch (state) {
        TCN_NODE_STATE_TABLE(WORD_OF)
    default: return "unknown";
    }
}

const char *tcn_inbox_state_text(uint64_t state)
{
    switch (state) {
        TCN_INBOX_STATE_TABLE(WORD_OF)
    default: return "unknown";
    }
}
