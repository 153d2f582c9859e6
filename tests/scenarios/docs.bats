#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# The documents say what the programs say.
load common

@test "limits, alarms and log events in docs/operations.md are those of the programs" {
    "$PYTHON" "$REPO/docs/update" --check "$TOCSIN_BIN"
}

@test "the daemons log nothing but what their tables have" {
    local calls
    calls=$(grep -rnE '(->|\.)line\(' "$REPO/broker" "$REPO/clients/agent" "$REPO/clients/libtocsin" \
        --include='*.c' | grep -vE '/(log_event|log_limit)\.c:' || true)
    echo "$calls"
    [ -z "$calls" ]
    tocsin-broker --print-events | grep -q "^alarm	clone-suspected	."
    tocsin-agent --print-events | grep -q "^notice	link-up	."
}

@test "the links of README.md and docs lead somewhere" {
    local page link
    for page in "$REPO"/README.md "$REPO"/docs/*.md; do
        for link in $(grep -oE '\]\([A-Za-z0-9_./-]+(\.[a-z]+|/)\)' "$page" | sed 's/^](//; s/)$//'); do
            [ -e "$(dirname "$page")/$link" ] || { echo "${page##*/}: $link"; return 1; }
        done
    done
}
