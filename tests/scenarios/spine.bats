#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# The main job: an advisory and an emergency, from publisher to nodes and back.
load common

@test "the quickstart runs through, and harbour never gets the amber advisory" {
    run "$REPO/deploy/quickstart" --bin "$TOCSIN_BIN" --dir "$T" --base-port "$(free_ports 2)"
    echo "$output"
    [ "$status" -eq 0 ]
    [[ $output == *"leave the lower town"* ]]
    # harbour's inbox is the fourth command's second table: only the emergency.
    not grep -aq 'authentication bypass' "$P/members/harbour/state/data.mdb"
    grep -aq 'authentication bypass' "$P/members/north/state/data.mdb"
}

@test "the quickstart's dry run does nothing" {
    run "$REPO/deploy/quickstart" --dry-run
    [ "$status" -eq 0 ]
    [[ $output == *"tocsin-broker --home"* ]]
    [ -z "$(ls -A "$T")" ]
}

@test "an advisory: published, received, read back byte by byte, acknowledged, on the board" {
    program
    cast north
    broker
    agent north
    printf 'line one\nline two\0three\n' >"$T/body"
    run as vendor publish --json --topic advisory.vendor.x --tlp green --title 'A title' "$T/body"
    [ "$status" -eq 0 ]
    id=$(jget 'o["id"]' <<<"$output")
    [ "$(jget 'o["state"]' <<<"$output")" = accepted ]
    [ "$(jget 'o["seq"]' <<<"$output")" = 1 ]
    until_true has north "$id"
    as north show "$id" --body >"$T/back"
    cmp "$T/body" "$T/back"
    line=$(as north inbox --json)
    [ "$(jget 'o["title"]' <<<"$line")" = 'A title' ]
    [ "$(jget 'sorted(set(["id","handle","seq","lane","topic","tlp","status","title","publisher","created","received","state"])-set(o))' <<<"$line")" = '[]' ]
    run as north ack "$id" acting --by 'Ann Duty' --note 'on it'
    [ "$status" -eq 0 ]
    until_true acked vendor "$id" 1
    board=$(as vendor board "$id" --json)
    [ "$(jget 'o["nodes"][0]["ack"]' <<<"$board")" = acting ]
    [ "$(jget 'o["nodes"][0]["ack_by"]' <<<"$board")" = 'Ann Duty' ]
    [ "$(jget 'o["nodes"][0]["note"]' <<<"$board")" = 'on it' ]
    [ "$(jget '0 <= o["nodes"][0]["latency_ms"] < 60000' <<<"$board")" = True ]
}

acked() { [ "$(as "$1" board "$2" --json | jget 'o["acked"]')" -ge "$3" ]; }

@test "an actual emergency waits for the second person, then rings at once" {
    program
    cast north
    broker
    agent north
    echo 'Leave now.' >"$T/body"
    run as cert publish --json --emergency --topic emergency.flood --tlp clear --title Flood --ack-by 15m "$T/body"
    [ "$status" -eq 0 ]
    [ "$(jget 'o["state"]' <<<"$output")" = pending ]
    [ "$(jget 'o["seq"]' <<<"$output")" = None ]
    id=$(jget 'o["id"]' <<<"$output")
    [ "$(as vendor pending --json | jget 'o["id"]')" = "$id" ]
    not has north "$id"
    # the publisher cannot be the second person
    run as cert approve "$id"
    [ "$status" -eq 1 ]
    run as vendor approve "$id" --json
    [ "$status" -eq 0 ]
    until_true has north "$id"
    [ "$(as north inbox --json | jget 'o["lane"]')" = emergency ]
    # all clear: over, marked, out of the list of what is in force
    run as cert all-clear "$id"
    echo "$output"
    [ "$status" -eq 0 ]
    until_true gone_from_inbox north "$id"
    as north inbox --all --json | grep "$id" | grep -q cancelled
}
gone_from_inbox() { ! as "$1" inbox --json | grep "\"$2\"" | grep -q '"in-force"'; }

@test "retract by the publisher, update by the publisher, neither by anybody else" {
    program
    cast north
    broker
    agent north
    echo one >"$T/a"; echo two >"$T/b"
    first=$(publish vendor --topic advisory.x --tlp green --title One "$T/a")
    until_true has north "$first"
    run as cert publish --topic advisory.x --tlp green --title Two --update "$first" "$T/b"
    [ "$status" -eq 1 ]
    second=$(publish vendor --topic advisory.x --tlp green --title Two --update "$first" "$T/b")
    until_true has north "$second"
    as north inbox --all --json | grep "\"$first\"" | grep -q superseded
    [ "$(inbox_count north)" = 1 ]
    as vendor retract "$second" --reason 'it was wrong'
    until_true gone_from_inbox north "$second"
}
