/* SPDX-License-Identifier: Apache-2.0 */
/* pace.h - how many frames of an endpoint the next turn may read. Some frames cost a thousand times
 * what others do (a count over all nodes, a thousand receipts in one); an emergency behind a turn
 * full of them would wait for all. So a turn's processor time is held near a budget: fewer frames
 * after a dear turn, more after a cheap one that left some. Time asleep in fsync does not count. */
#ifndef TCN_BROKER_PACE_H
#define TCN_BROKER_PACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "libtocsin/limits.h"

enum {
    TCN_PACE_FIRST = 128, /* frames */
    TCN_PACE_LEAST = 8,
    TCN_PACE_BUDGET_US = 50000
};

typedef struct {
    size_t frames; /* of each endpoint, in the next turn; TURN_FRAMES at most */
} tcn_pace;

void tcn_pace_init(tcn_pace *pace);
/* After a turn that read this many and took so long; left: there was more to read. */
void tcn_pace_turn(tcn_pace *pace, size_t frames, uint64_t cpu_us, bool left);

#endif
