/* SPDX-License-Identifier: Apache-2.0 */
/* grants.c - see grants.h. */
#include "grants.h"

#include <stdlib.h>
#include <string.h>

#include "topic.h"

void tcn_patterns_get(tcn_cbor_reader *r, unsigned *ret_count, tcn_pattern_row **ret_rows)
{
    unsigned count = (unsigned)tcn_cbor_get_array(r, TCN_MAX_PATTERNS);
    if (count == 0)
        return;
    tcn_pattern_row *rows = malloc(count * sizeof(*rows));
    if (rows == NULL) {
        tcn_cbor_fail(r, TCN_NO_MEMORY);
        return;
    }
    for (unsigned i = 0; i < count; i++) {
        tcn_cbor_get_str(r, rows[i], sizeof(rows[i]));
        if (tcn_pattern_check(tcn_bytes_str(rows[i])) != TCN_OK)
            tcn_cbor_fail(r, TCN_MALFORMED);
    }
    *ret_count = count;
    *ret_rows = rows;
}

void tcn_patterns_put(tcn_cbor_writer *w, unsigned count, const tcn_pattern_row *rows)
{
    tcn_cbor_put_array(w, count);
    for (unsigned i = 0; i < count; i++)
        tcn_cbor_put_text(w, rows[i]);
}

tcn_err tcn_patterns_copy(unsigned count, const tcn_pattern_row *rows, tcn_pattern_row **ret_rows)
{
    tcn_pattern_row *copy = NULL;
    if (count > 0) {
        copy = malloc(count * sizeof(*copy));
        if (copy == NULL)
            return TCN_NO_MEMORY;
        memcpy(copy, rows, count * sizeof(*copy));
    }
    *ret_rows = copy;
    return TCN_OK;
}

bool tcn_patterns_match(unsigned count, const tcn_pattern_row *rows, tcn_bytes topic)
{
    for (unsigned i = 0; i < count; i++)
        if (tcn_pattern_matches(tcn_bytes_str(rows[i]), topic))
            return true;
    return false;
}

void tcn_state_get(tcn_cbor_reader *r, tcn_member_state *ret_state, tcn_wall *ret_since)
{
    size_t items = tcn_cbor_get_array(r, 2);
    *ret_state = (tcn_member_state)tcn_cbor_get_uint_max(r, TCN_MEMBER_COMPROMISED);
    bool active = *ret_state == TCN_MEMBER_ACTIVE;
    if (items != (active ? 1 : 2))
        tcn_cbor_fail(r, TCN_MALFORMED);
    if (!active)
        ret_since->unix_ms = (int64_t)tcn_cbor_get_uint_max(r, TCN_WALL_MAX_MS);
}

void tcn_state_put(tcn_cbor_writer *w, tcn_member_state state, tcn_wall since)
{
    tcn_cbor_put_array(w, state == TCN_MEMBER_ACTIVE ? 1 : 2);
    tcn_cbor_put_uint(w, state);
    if (state != TCN_MEMBER_ACTIVE)
        tcn_cbor_put_int(w, since.unix_ms);
}

void tcn_validity_get(tcn_cbor_reader *r, tcn_wall *ret_from, tcn_wall *ret_until)
{
    ret_from->unix_ms = (int64_t)tcn_cbor_get_uint_max(r, TCN_WALL_MAX_MS);
    ret_until->unix_ms = (int64_t)tcn_cbor_get_uint_max(r, TCN_WALL_MAX_MS);
    if (ret_until->unix_ms <= ret_from->unix_ms)
        tcn_cbor_fail(r, TCN_MALFORMED);
}

void tcn_validity_put(tcn_cbor_writer *w, tcn_wall from, tcn_wall until)
{
    tcn_cbor_put_int(w, from.unix_ms);
    tcn_cbor_put_int(w, until.unix_ms);
}

bool tcn_validity_has(tcn_wall from, tcn_wall until, tcn_wall at)
{
    return from.unix_ms <= at.unix_ms && at.unix_ms < until.unix_ms;
}
