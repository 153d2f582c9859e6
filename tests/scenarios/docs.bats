#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# The documents say what the programs say.
load common

@test "the table of limits in docs/operations.md is that of the programs" {
    "$PYTHON" "$REPO/docs/update" --check "$TOCSIN_BIN"
}

@test "every alarm of the broker is explained in docs/operations.md" {
    local alarm n=0
    for alarm in $(grep -rhoE 'tcn_alarm\([^,]+, "[a-z-]+"' "$REPO/broker/core" | grep -oE '"[a-z-]+"' | tr -d '"' | sort -u); do
        grep -q "\`$alarm\`" "$REPO/docs/operations.md" || { echo "not explained: $alarm"; return 1; }
        n=$((n + 1))
    done
    [ "$n" -ge 5 ]
}

@test "the links of README.md and docs lead somewhere" {
    local page link
    for page in "$REPO"/README.md "$REPO"/docs/*.md; do
        for link in $(grep -oE '\]\([A-Za-z0-9_./-]+(\.[a-z]+|/)\)' "$page" | sed 's/^](//; s/)$//'); do
            [ -e "$(dirname "$page")/$link" ] || { echo "${page##*/}: $link"; return 1; }
        done
    done
}
