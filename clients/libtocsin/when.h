/* SPDX-License-Identifier: Apache-2.0 */
/* when.h - two clocks that cannot be mixed up, and times as people and JSON write them.
 * Wall time is Unix milliseconds (UTC, may jump); monotonic time never goes back and means nothing
 * outside of this process. */
#ifndef TCN_WHEN_H
#define TCN_WHEN_H

#include <stdbool.h>

#include "err.h"

typedef struct {
    int64_t unix_ms;
} tcn_wall;

typedef struct {
    uint64_t ms;
} tcn_mono;

#define TCN_WALL_TEXT_SIZE 40
#define TCN_DAY_MS INT64_C(86400000)

/* RFC 3339 with milliseconds, UTC: "2026-01-31T12:00:00.000Z". Out of years 0001..9999: clamped. */
void tcn_wall_utc(tcn_wall at, char ret_text[static TCN_WALL_TEXT_SIZE]);
/* The same in the local zone with its offset, "2026-01-31 13:00:00+01:00", for people. */
void tcn_wall_local(tcn_wall at, char ret_text[static TCN_WALL_TEXT_SIZE]);
/* RFC 3339; a time without zone is TCN_INVALID. */
TCN_CHECKED tcn_err tcn_wall_parse(const char *text, tcn_wall *ret_at);
/* "90s", "15m", "24h", "7d", "500ms" → milliseconds. TCN_INVALID otherwise. */
TCN_CHECKED tcn_err tcn_duration_parse(const char *text, int64_t *ret_ms);
/* A duration, or an RFC 3339 time: from now on in the first case. */
TCN_CHECKED tcn_err tcn_deadline_parse(const char *text, tcn_wall now, tcn_wall *ret_at);

#endif
