/* SPDX-License-Identifier: Apache-2.0 */
/* claims.c - see claims.h. */
#include "claims.h"

#include <string.h>

size_t tcn_claims_needed(size_t nodes)
{
    size_t needed = nodes / 8 + 1;
    if (needed < 2)
        return 2;
    return needed < TCN_CLAIMS ? needed : TCN_CLAIMS;
}

/* Its place, or that of the next one. */
static unsigned place_of(const tcn_claims *claims, const char *member)
{
    unsigned i = 0;
    while (i < claims->count && strcmp(claims->claim[i].member, member) != 0)
        i++;
    return i;
}

void tcn_claims_add(tcn_claims *claims, const char *member, uint64_t version)
{
    unsigned at = place_of(claims, member);
    if (at == TCN_CLAIMS || strlen(member) > TCN_MAX_NAME_CHARS)
        return;
    memcpy(claims->claim[at].member, member, strlen(member) + 1);
    claims->claim[at].version = version;
    if (at == claims->count)
        claims->count++;
}

bool tcn_claims_suffice(const tcn_claims *claims, size_t nodes)
{
    return claims->count >= tcn_claims_needed(nodes);
}

bool tcn_claims_suffice_with(const tcn_claims *claims, const char *member, size_t nodes)
{
    size_t count = claims->count + (place_of(claims, member) == claims->count);
    return count >= tcn_claims_needed(nodes);
}

void tcn_claims_drop(tcn_claims *claims, uint64_t version)
{
    unsigned kept = 0;
    for (unsigned i = 0; i < claims->count; i++)
        if (claims->claim[i].version > version)
            claims->claim[kept++] = claims->claim[i];
    claims->count = kept;
}
