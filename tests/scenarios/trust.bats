#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Trust that changes while everything runs, trust that is old, and clocks that are wrong.
load common

rejected() { as "$1" status --json | jget 'o["rejected"]'; }

emergency() { # as cert, approved by vendor; prints the id
    local id
    echo "$1" >"$T/e"
    id=$(publish cert --emergency --topic emergency.x --tlp clear --title "$1" "$T/e")
    as vendor approve "$id" >/dev/null
    echo "$id"
}

@test "a publisher added while agents run publishes at once, and nobody rejects anything" {
    program
    cast north south
    broker
    agent north
    agent south
    until_true connected 2
    local n id
    echo x >"$T/b"
    for n in 1 2 3 4 5; do
        member "late$n" --roles publisher --clearance red --publish '>'
        until_true as "late$n" publish --json --topic a.b --tlp green --title "From $n" "$T/b"
        id=$(as "late$n" alerts --json | jget 'o["id"]')
        until_true has north "$id"
        until_true has south "$id"
    done
    [ "$(rejected north)" = 0 ]
    [ "$(rejected south)" = 0 ]
}

faked() { # NAME TIME: the agent under another clock
    local lib
    lib=$(ls /usr/lib/*/faketime/libfaketime.so.1 2>/dev/null | head -n 1)
    [ -n "$lib" ] || { echo '!!! libfaketime is missing: clocks are not tested' >&3; skip 'no libfaketime'; }
    spawn "$1" env LD_PRELOAD="$lib" FAKETIME="$2" FAKETIME_DONT_FAKE_MONOTONIC=1 FAKETIME_NO_CACHE=1 \
        tocsin-agent --home "$(home "$1")"
    ready "$1" "${3:-1}"
}

@test "a clock at 1970: an emergency still reaches the inbox, marked" {
    program
    cast north
    broker
    faked north '@1970-01-02 00:00:00'
    id=$(emergency Flood)
    until_true has north "$id"
    as north inbox --json | grep "$id" | grep -q clock-suspect
}

@test "a clock ten years ahead: an emergency still reaches the inbox, marked" {
    program
    cast north
    broker
    faked north '+3650d'
    id=$(emergency Flood)
    until_true has north "$id"
    as north inbox --json | grep "$id" | grep -q clock-suspect
}

@test "an expired bundle: bulk is refused, an emergency still reaches the inbox, marked" {
    program
    cast north
    # the authority signs for some seconds, and then falls silent
    sed -i 's/^#\? *lifetime *=.*/lifetime = 15s/' "$P/program.conf"
    tocsin -H "$P" roster sign
    broker
    agent north
    until_true connected 1
    until_true expired_bundle north
    echo x >"$T/b"
    run as vendor publish --topic a.b --tlp green --title Bulk "$T/b"
    echo "$output"
    [ "$status" -eq 1 ]
    [[ $output == *expired* ]]
    id=$(emergency Flood)
    until_true has north "$id"
    as north inbox --json | grep "$id" | grep -q stale-trust
}
expired_bundle() { as "$1" status --json | "$PYTHON" -c '
import json, sys, datetime
o = json.load(sys.stdin)
t = datetime.datetime.fromisoformat(o["trust_expires"].replace("Z", "+00:00"))
sys.exit(0 if t < datetime.datetime.now(datetime.timezone.utc) else 1)'; }
