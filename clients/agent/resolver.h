/* SPDX-License-Identifier: Apache-2.0 */
/* resolver.h - names to addresses without making the loop wait: one lookup after the other on a
 * thread of its own. Numeric addresses never get there.
 * Threads: all calls from the loop; the lookups on the resolver's thread. */
#ifndef TCN_RESOLVER_H
#define TCN_RESOLVER_H

#include "libtocsin/curve.h"

typedef struct tcn_resolver tcn_resolver;

/* The thread starts with the first lookup. */
TCN_CHECKED tcn_err tcn_resolver_new(tcn_resolver **ret_resolver, tcn_fault *fault);
/* Does not wait for a lookup under way: its thread frees what is left when it ends. */
void tcn_resolver_destroy(tcn_resolver **resolver);

/* Starts the lookup of "host:port". TCN_BUSY: too many are under way. TCN_IO, TCN_NO_MEMORY. */
TCN_CHECKED tcn_err tcn_resolver_ask(tcn_resolver *resolver, const char *host_port,
                                     uint64_t *ret_lookup);

typedef struct {
    uint64_t lookup;
    size_t addresses; /* 0: the name could not be resolved */
    tcn_address address[TCN_ADDRESSES];
    char why[160];
} tcn_resolver_answer;

/* Readable while answers wait. */
int tcn_resolver_fd(const tcn_resolver *resolver);
/* TCN_NOT_FOUND: none waits. */
TCN_CHECKED tcn_err tcn_resolver_next(tcn_resolver *resolver, tcn_resolver_answer *ret_answer);

/* Is the host of "host:port" a numeric address, so that tcn_curve_resolve does not wait? */
bool tcn_resolver_is_numeric(const char *host_port);

#endif
