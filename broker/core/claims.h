/* SPDX-License-Identifier: Apache-2.0 */
/* claims.h - what members say against the broker and cannot prove: that its trust is old, that its
 * store lacks what it had. A few may lie, and must not silence it for all; so it acts once a part
 * of the nodes says the same. */
#ifndef TCN_BROKER_CLAIMS_H
#define TCN_BROKER_CLAIMS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "libtocsin/limits.h"

enum { TCN_CLAIMS = 64 };

typedef struct {
    struct {
        char member[TCN_MAX_NAME_CHARS + 1];
        uint64_t version;
    } claim[TCN_CLAIMS];
    unsigned count; /* each member once */
} tcn_claims;

/* More than an eighth of the nodes; 2 at least, TCN_CLAIMS at most. */
size_t tcn_claims_needed(size_t nodes);

/* A member's later claim replaces its earlier one. Those beyond TCN_CLAIMS change nothing. */
void tcn_claims_add(tcn_claims *claims, const char *member, uint64_t version);
bool tcn_claims_suffice(const tcn_claims *claims, size_t nodes);
/* Would they, with this member's? */
bool tcn_claims_suffice_with(const tcn_claims *claims, const char *member, size_t nodes);
/* Forgets claims of versions up to this one. */
void tcn_claims_drop(tcn_claims *claims, uint64_t version);

#endif
