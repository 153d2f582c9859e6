#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# A node's people: what they read of the inbox, what they answer, what the agent says of itself.
load common
bats_require_minimum_version 1.5.0

# A broker, a node north, and two alerts: an advisory $A and an emergency $E, approved.
network() {
    program
    cast north
    broker
    agent north
    until_true connected 1
    printf 'line one\nline two\n' >"$T/advisory"
    printf '\000\001binary\377' >"$T/emergency"
    A=$(publish vendor --topic advisory.vendor.x --tlp amber --title 'Gateway bypass' \
        --ask 'Update' --summary 'What it is about.' --content-type text/plain "$T/advisory")
    E=$(publish cert --emergency --topic emergency.flood --tlp clear --urgency immediate \
        --title 'Dam failure' --ack-by 15m "$T/emergency")
    as vendor approve --yes "$E" >/dev/null
    until_true has north "$A"
    until_true has north "$E"
}
ids() { as north inbox "$@" --json | "$PYTHON" -c 'import json,sys; print(*sorted(json.loads(l)["id"] for l in sys.stdin))'; }
both() { printf '%s\n' "$A" "$E" | sort | paste -sd' '; }

@test "inbox: JSON lines with the contract's keys, times in UTC" {
    network
    as north inbox --json >"$T/lines"
    [ "$(wc -l <"$T/lines")" = 2 ]
    grep "$E" "$T/lines" >"$T/e"
    for key in id handle seq lane topic tlp status title publisher created received state; do
        jget "o['$key']" <"$T/e" >/dev/null
    done
    [ "$(jget 'o["lane"], o["tlp"], o["status"], o["state"], o["publisher"], o["seq"]' <"$T/e")" = \
        'emergency clear actual in-force cert 1' ]
    jget 'o["received"]' <"$T/e" | grep -qE '^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:]{8}\.[0-9]{3}Z$'
    [ "$(jget 'o["ack"], o["ack_confirmed"]' <"$T/e")" = 'None False' ]
}

@test "inbox: for people a table, the emergency loud, an answer wanted, local time with offset" {
    network
    TZ=Asia/Kathmandu as north inbox >"$T/o"
    grep -q '^RECEIVED .*HANDLE .*TLP .*TITLE' "$T/o"
    grep -q '+05:45 .*TLP:CLEAR .*WANTED .*EMERGENCY .*Dam failure' "$T/o"
    grep -q 'TLP:AMBER .*Gateway bypass' "$T/o"
}

@test "inbox: filters" {
    network
    [ "$(ids)" = "$(both)" ]
    [ "$(ids --topic 'emergency.>')" = "$E" ]
    [ "$(ids --topic 'advisory.*.x')" = "$A" ]
    [ -z "$(ids --topic nothing.here)" ]
    [ "$(ids --since 1h)" = "$(both)" ]
    [ -z "$(ids --since 2999-01-01T00:00:00Z)" ]
    as north ack "$A" seen
    [ "$(ids --unacked)" = "$E" ]
    as cert retract "$E" --reason 'An error'
    until_true bash -c '! tocsin -H "$1" inbox --json | grep -q "\"id\": *\"$2\""' _ "$(home north)" "$E"
    ids --all | grep -q "$E"
    as north inbox --all --json | grep "$E" | head -n 1 | grep -q cancelled
    for bad in '--topic a..b' '--since yesterday' '--since 2026-01-01T00:00:00'; do
        # shellcheck disable=SC2086 # two words
        run as north inbox $bad
        [ "$status" = 2 ]
    done
}

@test "inbox --follow prints what is there, and what comes, as it comes" {
    network
    spawn follow tocsin -H "$(home north)" inbox --follow --json
    until_true grep -q "$E" "$T/follow.log"
    B=$(publish vendor --topic advisory.more --tlp green --title More "$T/advisory")
    until_true grep -q "$B" "$T/follow.log"
    [ "$(wc -l <"$T/follow.log")" = 3 ]
    # when the agent ends, so does it, and says so
    stop north
    code=0
    wait "${PID[follow]}" || code=$?
    unset 'PID[follow]'
    [ "$code" = 3 ]
    grep -q 'hung up' "$T/follow.log"
}

@test "show: who, what, until when, what is asked; and how we answered" {
    network
    as north show "$A" >"$T/o"
    for what in 'Gateway bypass' "$A" 'TLP:AMBER' vendor advisory.vendor.x Update 'valid until' \
        'none yet' '18 bytes of text/plain' '\[en\] Gateway bypass' 'What it is about.'; do
        grep -q -- "$what" "$T/o" || { echo "no $what in:"; cat "$T/o"; false; }
    done
    as north ack "$A" acting --by 'Duty officer'
    as north show "$A" | grep -q 'acting'
    until_true bash -c 'tocsin -H "$1" show "$2" | grep -q "confirmed by a broker"' _ "$(home north)" "$A"
    as north show "$A" --json >"$T/o"
    [ "$(jget 'o["texts"][0]["lang"], o["texts"][0]["summary"], o["ask"], o["ack"]' <"$T/o")" = \
        'en What it is about. Update acting' ]
    as north show "$E" | grep -q '^EMERGENCY: Dam failure'
}

@test "show: by id, prefix, handle and last; unknown and ambiguous ones are refused" {
    network
    handle=$(as north show "$A" --json | jget 'o["handle"]')
    for name in "$A" "${A:0:35}" "$handle"; do
        [ "$(as north show "$name" --json | jget 'o["id"]')" = "$A" ]
    done
    [ "$(as north show last --json | jget 'o["id"]')" = "$E" ]
    for name in nothing 00000000-0000-7000-8000-000000000000 ''; do
        run as north show "$name"
        [ "$status" = 1 ]
    done
}

@test "show --body: every byte, and nothing else" {
    network
    as north show "$A" --body | cmp - "$T/advisory"
    as north show "$E" --body | cmp - "$T/emergency"
    as north show "$E" --body --json | cmp - "$T/emergency"
    run bash -c 'tocsin -H "$1" show "$2" --body >/dev/full' _ "$(home north)" "$A"
    [ "$status" = 1 ]
    # a large one comes in pieces
    "$PYTHON" -c 'import random,sys; random.seed(1); sys.stdout.buffer.write(random.randbytes(3_000_000))' >"$T/large"
    L=$(publish vendor --topic advisory.large --tlp green --title Large "$T/large")
    until_true as north show "$L" --body
    as north show "$L" --body | cmp - "$T/large"
}

@test "ack: every answer, by whom and why, in JSON; the newest counts" {
    network
    for answer in seen acting done not-applicable declined help; do
        as north ack "$E" "$answer" --json >"$T/o"
        [ "$(jget 'o["id"], o["answer"]' <"$T/o")" = "$E $answer" ]
        [ "$(as north show "$E" --json | jget 'o["ack"]')" = "$answer" ]
    done
    as north ack last done --by 'Ünïcode Officer' --note 'gateways patched'
    board_says() { as cert board "$E" --json | jget 'o["nodes"][0]["ack"], o["nodes"][0]["ack_by"], o["nodes"][0]["note"]' | grep -qx "$1"; }
    until_true board_says 'done Ünïcode Officer gateways patched'
    run as north ack "$E" sen
    [ "$status" = 2 ]
    [[ "$output" == *'did you mean seen'* ]]
    run as north ack "$E" seen --note "$(head -c 600 /dev/zero | tr '\0' x)"
    [ "$status" = 2 ]
    run as north ack "$E" seen --by "$(printf 'bad\377')"
    [ "$status" = 2 ]
    run as north ack nothing seen
    [ "$status" = 1 ]
}

@test "status of the agent, for people and as JSON" {
    network
    as north status --json >"$T/o"
    [ "$(jget 'o["member"], o["held"], o["unacked"], o["rejected"], o["brokers"][0]["session"]' <"$T/o")" = \
        'north 2 2 0 True' ]
    as north status | grep -q 'session up, emergency up'
    stop broker
    until_true bash -c 'tocsin -H "$1" status | grep -q DOWN' _ "$(home north)"
}

@test "without an agent: exit 3, and how to start it" {
    program
    cast north
    for command in inbox 'show last' 'ack last seen'; do
        # shellcheck disable=SC2086 # two words
        run --separate-stderr as north $command
        [ "$status" = 3 ]
        [[ "$stderr" == *tocsin-agent* ]]
    done
    run --separate-stderr as north inbox --json
    [ "$(jget 'o["error"]' <<<"$stderr")" = unreachable ]
}
