/* SPDX-License-Identifier: Apache-2.0 */
/* rng.h - random decisions of the simulator: splitmix64. Each concern draws from a stream of its
 * own, so that a change in one leaves the others as they were. */
#ifndef TOCSIN_SIM_RNG_H
#define TOCSIN_SIM_RNG_H

#include <stdbool.h>
#include <stdint.h>

typedef struct {
    uint64_t state;
} sim_rng;

static inline uint64_t sim_next(sim_rng *rng)
{
    uint64_t z = (rng->state += 0x9E3779B97F4A7C15u);
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return z ^ (z >> 31);
}

/* 0 to n - 1; 0 if n is 0. */
static inline uint64_t sim_below(sim_rng *rng, uint64_t n)
{
    return n > 0 ? sim_next(rng) % n : 0;
}

static inline uint64_t sim_between(sim_rng *rng, uint64_t low, uint64_t high)
{
    return low + sim_below(rng, high - low + 1);
}

/* Once in n times. */
static inline bool sim_once_in(sim_rng *rng, uint64_t n)
{
    return sim_below(rng, n) == 0;
}

/* One of the bits of set; 0 if it is empty. */
static inline unsigned sim_bit_of(sim_rng *rng, unsigned set)
{
    unsigned count = (unsigned)__builtin_popcount(set);
    for (unsigned skip = (unsigned)sim_below(rng, count); skip > 0; skip--)
        set &= set - 1;
    return set & -set;
}

#endif
