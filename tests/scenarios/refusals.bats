#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Each bad input a person can make: the cause and the remedy in words, a non-zero exit, no crash.
load common

# refused CODE PATTERN COMMAND...: exits with CODE and says PATTERN on stderr.
refused() {
    local code=$1 pattern=$2
    shift 2
    run "$@"
    echo "[$status] $output"
    [ "$status" -eq "$code" ]
    [[ ${output,,} =~ $pattern ]]
}

small() { echo hello >"$T/b"; }

@test "a publisher: wrong role, topic not granted, TLP above the grant, no emergency grant" {
    program
    small
    member vendor --roles publisher --clearance amber --publish 'advisory.vendor.>'
    member north --roles node --clearance red
    broker
    refused 1 'role|publisher' as north publish --topic advisory.vendor.x --tlp green --title T "$T/b"
    refused 1 'may not publish on' as vendor publish --topic advisory.other --tlp green --title T "$T/b"
    refused 1 'tlp|clearance' as vendor publish --topic advisory.vendor.x --tlp red --to north --title T "$T/b"
    refused 1 'emergenc' as vendor publish --emergency --topic advisory.vendor.x --tlp green --title T "$T/b"
    refused 2 'topic' as vendor publish --topic 'Advisory..x' --tlp green --title T "$T/b"
    refused 2 'tlp' as vendor publish --topic advisory.vendor.x --tlp purple --title T "$T/b"
    refused 2 'zone|rfc 3339|time' as vendor publish --topic advisory.vendor.x --tlp green --expires '2030-01-01T00:00:00' --title T "$T/b"
    refused 1 'no such|not found|cannot' as vendor publish --topic advisory.vendor.x --tlp green --title T "$T/nofile"
    refused 2 'topic' as vendor publish --tlp green --title T "$T/b"
    refused 2 'unknown|unrecognized' as vendor publish --topci a --tlp green "$T/b"
}

@test "nobody entitled is refused unless told otherwise" {
    program
    cast
    small
    broker
    refused 1 'nobody|no node' as vendor publish --topic a.b --tlp green --title T "$T/b"
    as vendor publish --topic a.b --tlp green --title T --allow-nobody "$T/b"
}

@test "the broker is down, or is not the one in the bundle" {
    program
    cast
    small
    refused 3 'answers|reach|listen' as vendor publish --topic a.b --tlp green --title T "$T/b"
    refused 3 'answers|reach|listen' as watch status
    # another program's broker on the same ports
    mkdir "$T/other"
    tocsin init "$T/other/program" --name other --listen 127.0.0.1 --advertise 127.0.0.1 --base-port "$PORT" >"$T/other.log"
    spawn impostor tocsin-broker --home "$T/other/program/broker" && ready impostor
    refused 3 'key|handshake|curve' as vendor publish --topic a.b --tlp green --title T "$T/b"
}

@test "a revoked member and an unknown key are refused at the handshake" {
    program
    cast
    small
    member late --roles publisher --clearance red --publish '>'
    cp -a "$(home late)" "$T/copy"
    broker
    tocsin -H "$P" member revoke late
    until_true refused 1 'does not accept our key.*revoked' tocsin -H "$T/copy" publish --topic a.b --tlp green --title T "$T/b"
}

@test "homes: not there, of another kind, keys that others can read" {
    program
    cast
    small
    refused 1 'no such|not.*directory|not found' tocsin -H "$T/nowhere" status
    refused 1 'no such|not.*directory|not found' tocsin-agent --home "$T/nowhere"
    refused 1 'no such|not.*directory|not found' tocsin-broker --home "$T/nowhere"
    chmod 644 "$(home vendor)/member.keys"
    refused 1 'chmod 600' as vendor publish --topic a.b --tlp green --title T "$T/b"
    chmod 644 "$P/broker/member.keys"
    refused 1 'chmod 600' tocsin-broker --home "$P/broker"
}

@test "a second agent on the same home, a second broker too" {
    program
    cast north
    broker
    agent north
    refused 1 'has this home|in use' tocsin-agent --home "$(home north)"
    refused 1 'has this home|in use' tocsin-broker --home "$P/broker"
}

@test "config typos: file, line, and what was meant" {
    program
    cast north
    echo 'listen-sesion = "127.0.0.1:1"' >>"$P/broker/broker.conf"
    line=$(wc -l <"$P/broker/broker.conf")
    refused 1 "broker.conf:$line.*listen-session" tocsin-broker --home "$P/broker" --check
    refused 1 "broker.conf:$line" tocsin-broker --home "$P/broker"
    echo 'subscribed = {"a"}' >>"$(home north)/agent.conf"
    line=$(wc -l <"$(home north)/agent.conf")
    refused 1 "agent.conf:$line.*subscribe" tocsin-agent --home "$(home north)" --check
}

@test "--check says yes to a good home" {
    program
    cast north
    tocsin-broker --home "$P/broker" --check
    tocsin-agent --home "$(home north)" --check
}

@test "node commands without an agent say how to start it" {
    program
    cast north
    refused 3 'tocsin-agent' as north inbox
    refused 3 'tocsin-agent' as north ack last seen
}

@test "acks: unknown alert, unknown answer" {
    program
    cast north
    broker
    agent north
    refused 1 'no alert|not found|no such|empty' as north ack 0190aaaa seen
    refused 2 'seen' as north ack last maybe
}

@test "somebody else's alert: not retracted, not approved by a non-approver, not on another's board" {
    program
    cast north
    small
    member lone --roles publisher --clearance red --publish '>' --emergency
    broker
    agent north
    id=$(publish vendor --topic a.b --tlp green --title T "$T/b")
    refused 1 '.' as lone retract "$id" --reason x
    refused 1 '.' as lone board "$id"
    e=$(publish vendor --emergency --topic a.b --tlp green --title T "$T/b")
    refused 1 '.' as lone approve "$e"
    refused 1 '.' as vendor approve "$e"
    # what does not exist looks just like what is not yours
    as lone board "$id" 2>"$T/one" || true
    as lone board 01900000-0000-7000-8000-000000000000 2>"$T/two" || true
    [ "$(sed "s/[0-9a-f-]\{36\}//g" "$T/one")" = "$(sed "s/[0-9a-f-]\{36\}//g" "$T/two")" ]
}

@test "an emergency too large for one frame is refused with the remedy" {
    program
    cast north
    broker
    head -c 60000 /dev/urandom >"$T/b"
    refused 1 'emergenc.*(large|32)|(large|32).*emergenc' as vendor publish --emergency --topic a.b --tlp green --title T "$T/b"
}

@test "terminal escapes in a title are neutralised" {
    program
    cast north
    small
    broker
    agent north
    id=$(publish vendor --topic a.b --tlp green --title $'Evil\e[31mred\u202etxt' "$T/b")
    until_true has north "$id"
    as north inbox | tee "$T/out"
    not grep -q $'\e\\[31m' "$T/out"
    not grep -q $'\u202e' "$T/out"
    as north show "$id" >"$T/out"
    not grep -q $'\e\\[31m' "$T/out"
}

@test "what is wrong on the line is said before anything is sent, with exit 2" {
    program
    cast north
    broker
    echo x >"$T/b"
    local line=(as vendor publish --topic a.b "$T/b")
    refused 2 'in the future' "${line[@]}" --tlp green --expires 2020-01-01T00:00:00Z
    refused 2 'zone' "${line[@]}" --tlp green --expires 2099-01-01T00:00:00
    refused 2 'later than --expires' "${line[@]}" --tlp green --expires 1h --ack-by 2h
    refused 2 'not before --expires' "${line[@]}" --tlp green --expires 1h --not-before 2h
    refused 2 'add --to node' "${line[@]}" --tlp red
    refused 2 'amber.strict or red' "${line[@]}" --tlp orange
    refused 2 'title is 300 bytes' "${line[@]}" --tlp green --title "$(printf '%300s' x)"
    refused 2 'ask is 600 bytes' "${line[@]}" --tlp green --ask "$(printf '%600s' x)"
    [ -z "$(as vendor alerts --all --json)" ]
}

@test "an empty document is a mistake, unless it is meant" {
    program
    cast north
    broker
    agent north
    : >"$T/empty"
    run as vendor publish --topic a.b --tlp green --title T "$T/empty"
    [ "$status" -eq 1 ]
    [[ $output == *"nothing was sent"*"is empty"*--allow-empty* ]]
    run as vendor publish --topic a.b --tlp green --title T - </dev/null
    [ "$status" -eq 1 ]
    id=$(publish vendor --topic a.b --tlp green --title T --allow-empty "$T/empty")
    until_true has north "$id"
    as north show "$id" --body >"$T/back"
    cmp "$T/empty" "$T/back"
}

@test "nobody there: exit 3, and whether something was sent; the agent's home in the remedy" {
    program
    cast north
    echo x >"$T/b"
    run as vendor publish --topic a.b --tlp green --title T --timeout 2s "$T/b"
    [ "$status" -eq 3 ]
    [[ $output == *"nothing was sent: cannot reach"* ]]
    [ -z "$(ls -A "$(home vendor)/outgoing" 2>/dev/null)" ]
    run as north inbox
    [ "$status" -eq 3 ]
    [[ $output == *"tocsin-agent --home $(home north)" ]]
}
