#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# The client API and the commands on top of it, beyond the spine: examples, time-outs, cancels by
# others, named recipients, rosters over the network, frames that are none.
load common

small() { echo hello >"$T/b"; }
is_state() { [ "$(as "$1" alerts --all --json | jget_lines "$2" state)" = "$3" ]; }
# Waits for a process of spawn to end by itself.
ended() { wait "${PID[$1]}" && unset "PID[$1]"; }
jget_lines() { "$PYTHON" -c 'import json,sys
for line in sys.stdin:
    o = json.loads(line)
    if o["id"] == sys.argv[1]: print(o[sys.argv[2]])' "$1" "$2"; }
# raw HOME 'COMMANDS': frames as they are.
raw() { printf '%s\n' "$2" | "$TOCSIN_HELPERS/raw_peer" "$(home "$1")"; }

@test "the examples: a publisher and a node, each a page on the installed headers" {
    program
    cast north
    small
    broker
    spawn node "$TOCSIN_HELPERS/example_node" "$(home north)" "$T/cursor" 2
    until_true connected 1
    "$TOCSIN_HELPERS/example_publisher" "$(home vendor)" a.b 'The first' "$T/b"
    "$TOCSIN_HELPERS/example_publisher" "$(home vendor)" a.b 'The second' "$T/b"
    ended node
    grep -q 'The first' "$T/node.log" && grep -q 'The second' "$T/node.log"
    # Its cursor is kept: the next one is all that comes.
    "$TOCSIN_HELPERS/example_publisher" "$(home vendor)" a.b 'The third' "$T/b"
    "$TOCSIN_HELPERS/example_node" "$(home north)" "$T/cursor" 1 >"$T/again.log"
    grep -q 'The third' "$T/again.log" && ! grep -q 'The first' "$T/again.log"
    run "$TOCSIN_HELPERS/example_publisher" "$(home north)" a.b T "$T/b"
    [ "$status" = 1 ]
    [[ $output == *role* ]]
}

@test "a broker that says nothing: exit 4, and nothing was sent" {
    program
    cast north
    small
    broker
    kill -STOP "${PID[broker]}"
    run as vendor publish --timeout 1s --topic a.b --tlp green "$T/b"
    kill -CONT "${PID[broker]}"
    echo "$output"
    [ "$status" = 4 ]
    [[ $output == *"nothing was sent"* ]]
}

@test "publish: title, type and expiry by default; JSON as the contract has it" {
    program
    cast north
    broker
    agent north
    echo '{"a": 1}' >"$T/bulletin-7.json"
    as vendor publish --json --topic a.b --tlp green "$T/bulletin-7.json" >"$T/o"
    [ "$(jget '" ".join(sorted(o))' <"$T/o")" = "broker entitled handle id missing seq state" ]
    [ "$(jget 'o["state"]' <"$T/o")" = accepted ]
    [ "$(jget 'o["seq"]' <"$T/o")" = 1 ]
    id=$(jget 'o["id"]' <"$T/o")
    until_true has north "$id"
    as north inbox --json | grep -q '"bulletin-7"'
    as north show "$id" | grep -q 'application/json'
    # standard input, in two languages
    id=$(echo text | publish vendor --topic a.b --tlp green --title Flood --lang en --title Hochwasser --lang de -)
    until_true has north "$id"
}

@test "--dry-run counts and sends nothing" {
    program
    cast north south
    small
    broker
    as vendor publish --dry-run --json --topic a.b --tlp green "$T/b" >"$T/o"
    [ "$(jget 'o["entitled"]' <"$T/o")" = 2 ]
    [ "$(jget 'o["state"]' <"$T/o")" = dry-run ]
    [ -z "$(as vendor alerts --all --json)" ]
}

@test "TLP:RED to named nodes; its retraction reaches them and nobody else" {
    program
    cast north south
    small
    broker
    agent north
    agent south
    run as vendor publish --topic a.b --tlp red "$T/b"
    [ "$status" = 2 ]
    [[ $output == *recipients* ]]
    run as vendor publish --topic a.b --tlp red --to nowhere "$T/b"
    [ "$status" = 1 ]
    [[ $output == *nowhere* ]]
    id=$(publish vendor --topic a.b --tlp red --to north "$T/b")
    [ "$(as vendor board "$id" --json | jget '[n["node"] for n in o["nodes"]]')" = "['north']" ]
    until_true has north "$id"
    as vendor retract "$id" --reason 'Sent too early' --json >"$T/o"
    cancel=$(jget 'o["id"]' <"$T/o")
    until_true has north "$cancel"
    is_state vendor "$id" cancelled
    green=$(publish vendor --topic a.b --tlp green "$T/b")
    until_true has south "$green"
    not has south "$id" && ! has south "$cancel"
}

@test "pending and approve: what waits, the newest by name, twice refused; all-clear by an approver" {
    program
    cast north
    small
    broker
    agent north
    member second --roles approver --clearance red
    first=$(publish cert --emergency --topic e.f --tlp clear --title One "$T/b")
    id=$(publish cert --emergency --topic e.f --tlp clear --title Two "$T/b")
    [ "$(as second pending --json | wc -l)" = 2 ]
    [ "$(as second pending --json | jget_lines "$id" waiting)" = "['approval']" ]
    [ "$(as second pending --json | jget_lines "$id" approved_by)" = "['cert']" ]
    run as cert approve "$id"
    [ "$status" = 1 ]
    [[ $output == *"signed already"* ]]
    [ "$(as second approve last --json | jget 'o["id"]')" = "$id" ]
    run as second approve "$id"
    [ "$status" = 1 ]
    as second approve "$first"
    run as second approve last
    [ "$status" = 1 ]
    [[ $output == *"nothing waits"* ]]
    until_true has north "$id"
    as second all-clear "$id" --reason 'It is over'
    until_true is_state cert "$id" cancelled
}

@test "board --watch ends when everyone has answered" {
    program
    cast north
    small
    broker
    agent north
    id=$(publish vendor --topic a.b --tlp green "$T/b")
    spawn watching tocsin -H "$(home vendor)" board "$id" --watch --json
    until_true has north "$id"
    as north ack "$id" done --by Ann
    ended watching
    [ "$(tail -n 1 "$T/watching.log" | jget 'o["acked"]')" = 1 ]
    [ "$(tail -n 1 "$T/watching.log" | jget 'o["nodes"][0]["ack_by"]')" = Ann ]
}

@test "an operator hands a roster over the network to a broker that is behind" {
    program
    cast
    cp "$P/broker/trust" "$T/old"
    member late --roles node
    tocsin -H "$P" roster export "$T/new" >/dev/null
    cp "$T/old" "$P/broker/trust"
    broker
    # The others' homes are ahead of the broker, which serves none of them.
    run as vendor status
    [ "$status" = 1 ]
    [[ $output == *newer* ]]
    run as vendor roster import "$T/new"
    [ "$status" = 1 ]
    [[ $output == *operator* ]]
    as watch roster import "$T/new"
    [ "$(as watch status --json | jget 'o["nodes"]')" = 1 ]
    run as watch roster import "$T/old"
    [ "$status" = 1 ]
    [[ $output == *older* ]]
}

@test "metrics are for operators" {
    program
    cast north
    broker
    agent north
    until_true eval 'as watch metrics north --json | grep -q "\"trust\""'
    run as vendor metrics
    [ "$status" = 1 ]
    [[ $output == *operator* ]]
}

@test "frames that are none: answered with an error, then closed; the broker goes on" {
    program
    cast
    broker
    raw vendor $'hello\nexpect welcome\nping\nexpect pong'
    raw vendor $'send ff\nexpect error\nexpect-closed'
    raw vendor $'hello\nexpect welcome\nsend 8102ff\nexpect error\nexpect-closed'
    raw vendor $'hello\nexpect welcome\nzeros 70000\nexpect-closed'
    raw vendor $'hello-node\nexpect error'
    raw vendor $'hello\nexpect welcome\nsend 83030141ff\nexpect answer'
    as watch status
}

@test "what a killed publish left half saved goes with the next one; what can be resumed stays" {
    program
    cast north
    small
    out=$(home vendor)/outgoing
    mkdir -m 700 "$out"
    id=01900000-0000-7000-8000-00000000000
    touch -d '2 hours ago' "$out/.tocsin-99-0" "$out/${id}1.body" "$out/${id}2.body" "$out/${id}2.envelope"
    touch "$out/.tocsin-99-1" "$out/${id}3.body"
    broker
    publish vendor --topic a.b --tlp green --title T "$T/b"
    [ "$(ls -A "$out" | tr '\n' ' ')" = ".tocsin-99-1 ${id}2.body ${id}2.envelope ${id}3.body " ]
}
