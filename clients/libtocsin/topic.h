/* SPDX-License-Identifier: Apache-2.0 */
/* topic.h - dot-separated lower-case topics and the patterns that grant or ask for them.
 * Topic: tokens of [a-z0-9_-]+ joined by '.'. Pattern: a token may be '*' (exactly one token); the
 * last may be '>' (one or more tokens). ">" alone matches every topic. */
#ifndef TCN_TOPIC_H
#define TCN_TOPIC_H

#include "bytes.h"

TCN_CHECKED tcn_err tcn_topic_check(tcn_bytes topic);     /* TCN_INVALID, TCN_TOO_LARGE */
TCN_CHECKED tcn_err tcn_pattern_check(tcn_bytes pattern); /* TCN_INVALID, TCN_TOO_LARGE */
/* Both must have passed their check. */
bool tcn_pattern_matches(tcn_bytes pattern, tcn_bytes topic);
/* Does every topic that inner matches also match outer? (A subscription within a grant.) */
bool tcn_pattern_covers(tcn_bytes outer, tcn_bytes inner);

#endif
