/* SPDX-License-Identifier: Apache-2.0 */
/* pace.c - see pace.h. Halved or doubled at most: one dear turn may have been a large fan-out, and
 * one cheap turn says little of what waits. */
#include "pace.h"

void tcn_pace_init(tcn_pace *pace)
{
    pace->frames = TCN_PACE_FIRST;
}

void tcn_pace_turn(tcn_pace *pace, size_t frames, uint64_t cpu_us, bool left)
{
    if (cpu_us > TCN_PACE_BUDGET_US && frames > 0)
        pace->frames /= 2;
    else if (left && cpu_us < TCN_PACE_BUDGET_US / 2)
        pace->frames *= 2;
    else if (!left && pace->frames > TCN_PACE_FIRST)
        pace->frames /= 2; /* idle again: what comes next may be of another kind */
    else if (!left && pace->frames < TCN_PACE_FIRST)
        pace->frames *= 2;
    if (pace->frames < TCN_PACE_LEAST)
        pace->frames = TCN_PACE_LEAST;
    if (pace->frames > TCN_MAX_TURN_FRAMES)
        pace->frames = TCN_MAX_TURN_FRAMES;
}
