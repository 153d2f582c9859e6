#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# People who mean harm, against the real programs: strangers at the ports, members that turned
# hostile, others on the same machine. What is refused by words alone is in refusals.bats.
load common

small() { echo hello >"$T/b"; }
# raw HOME 'COMMANDS': frames as they are.
raw() { printf '%s\n' "$2" | "$TOCSIN_HELPERS/raw_peer" "$(home "$1")"; }
# stranger PORT WHAT COUNT: all its connections are ended by the broker.
stranger() { "$PYTHON" "$SCENARIOS/helpers/stranger.py" "$@"; }
# Waits for a process to end by itself, well.
ended() { wait "${PID[$1]}" && unset "PID[$1]"; }
rss_kib() { awk '/VmRSS/ { print $2 }' "/proc/${PID[$1]}/status"; }
descriptors() { find "/proc/${PID[$1]}/fd" | wc -l; }
few_descriptors() { [ "$(descriptors "$1")" -le "$2" ]; }

@test "strangers: no byte gets in, nothing is kept, members are served meanwhile" {
    program
    cast north
    small
    broker
    agent north
    local before what kib
    before=$(descriptors broker)
    kib=$(rss_kib broker)
    for what in mute garbage null plain huge; do
        for port in "$PORT" $((PORT + 1)); do
            stranger "$port" "$what" 40 >"$T/stranger.$what.$port" 2>&1 &
            PID[stranger.$what.$port]=$!
        done
    done
    id=$(publish vendor --topic a.b --tlp green --title T "$T/b")
    until_true has north "$id"
    for what in mute garbage null plain huge; do
        for port in "$PORT" $((PORT + 1)); do
            ended "stranger.$what.$port"
            grep -q 'ended 40' "$T/stranger.$what.$port"
        done
    done
    until_true few_descriptors broker $((before + 8))
    # 80 of them pushed a megabyte each
    [ "$(rss_kib broker)" -lt $((kib + 40000)) ]
}

@test "a broker out of descriptors goes on as soon as there are some" {
    program
    cast
    small
    spawn broker bash -c 'ulimit -n 96; exec tocsin-broker --home "$1"' bash "$P/broker"
    ready broker
    stranger "$PORT" mute 110
    as vendor publish --topic a.b --tlp green --title T --allow-nobody "$T/b"
}

@test "a member that turned hostile: rubbish of every kind, and the broker goes on" {
    program
    cast north
    small
    member evil --roles publisher,node --clearance green --publish 'evil.>'
    broker
    agent north
    "$PYTHON" "$SCENARIOS/helpers/rubbish.py" "$(home evil)" 20000
    kill -0 "${PID[broker]}"
    id=$(publish vendor --topic a.b --tlp green --title T "$T/b")
    until_true has north "$id"
    [ "$(rss_kib broker)" -lt 400000 ]
}

@test "a flood of dear questions: an emergency still rings within a second" {
    program
    cast north
    small
    member evil --roles publisher --clearance red --publish '>'
    broker
    agent north
    spawn flood "$PYTHON" "$SCENARIOS/helpers/rubbish.py" "$(home evil)" --questions
    ready flood
    e=$(publish cert --emergency --topic a.b --tlp green --title E "$T/b")
    as vendor approve "$e"
    until_true has north "$e"
    kill -0 "${PID[flood]}"
    [ "$(as cert board "$e" --json | jget 'int(o["nodes"][0]["latency_ms"] < 1000)')" = 1 ]
}

@test "two lying members do not stop a broker of many" {
    program
    local n
    cast north
    small
    for n in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15; do member "n$n" --roles node --clearance red; done
    broker
    agent north
    for n in n1 n2; do
        # HELLO with the highest trust version there is
        raw "$n" $'send 8201a50181010201035001020300000000000000000000000000041bffffffffffffffff0a6178\nexpect error'
    done
    as watch status --json | grep -q trust-behind
    id=$(publish vendor --topic a.b --tlp green --title T "$T/b")
    until_true has north "$id"
}

@test "one person: no approval by two keys of one, none of another's, none for other content" {
    program
    cast north
    small
    broker
    agent north
    e=$(publish cert --emergency --topic a.b --tlp green --title E "$T/b")
    run as cert approve "$e"
    echo "$output"
    not has north "$e"
    as cert pending --json | grep -q "$e"
    # an exercise needs nobody, and does not become actual by an update
    x=$(publish cert --emergency --status exercise --topic a.b --tlp green --title X "$T/b")
    until_true has north "$x"
    run as cert publish --emergency --status actual --update "$x" --topic a.b --tlp green --title Y "$T/b"
    [ "$status" = 1 ]
    [[ $output == *status* ]]
    # one cancel is enough, and there is only one
    as vendor approve "$e"
    until_true has north "$e"
    as vendor all-clear "$e"
    run as vendor all-clear "$e"
    [ "$status" = 1 ]
    [[ $output == *"cancelled already"* ]]
}

@test "homes: symbolic links, pipes, directories, and what others can write" {
    program
    cast north
    local keys
    keys=$(home vendor)/member.keys
    mv "$keys" "$T/keys"
    ln -s "$T/keys" "$keys"
    run as vendor status
    [ "$status" = 1 ]
    [[ $output == *"symbolic link"* ]]
    rm "$keys"
    mkfifo -m 600 "$keys"
    run as vendor status
    [ "$status" = 1 ]
    [[ $output == *"not a regular file"* ]]
    chmod 777 "$(home north)"
    run tocsin-agent --home "$(home north)"
    [ "$status" = 1 ]
    [[ $output == *"chmod go-w"* ]]
    chmod 700 "$(home north)"
    chmod 666 "$P/broker/authority.pub"
    run tocsin-broker --home "$P/broker"
    [ "$status" = 1 ]
    [[ $output == *"chmod go-w"* ]]
}

# The trust file is replaced under a running broker by what it must not take.
refuses_trust() {
    local refused
    refused=$(grep -c trust-refused "$T/broker.log" || true)
    mv -T "$T/trust.new" "$P/broker/trust"
    until_true more_refused "$refused"
}
more_refused() { [ "$(grep -c trust-refused "$T/broker.log")" -gt "$1" ]; }

@test "the trust file: older, tampered with, a pipe, endless, gone; the broker keeps what it has" {
    program
    cast north
    small
    cp "$P/broker/trust" "$T/old"
    member late --roles node --clearance red
    cp "$P/broker/trust" "$T/good"
    broker
    agent north
    cp "$T/old" "$T/trust.new"
    refuses_trust
    head -c -1 "$T/good" >"$T/trust.new"
    refuses_trust
    mkfifo "$T/trust.new"
    refuses_trust
    ln -s /dev/zero "$T/trust.new"
    refuses_trust
    truncate -s 70000000 "$T/trust.new"
    refuses_trust
    cp "$T/good" "$T/trust.new"
    mv "$T/trust.new" "$P/broker/trust"
    id=$(publish vendor --topic a.b --tlp green --title T "$T/b")
    until_true has north "$id"
    stop broker
}

@test "the local socket: rubbish ends only its own connection; so many and no more" {
    program
    cast north
    small
    broker
    agent north
    id=$(publish vendor --topic a.b --tlp green --title T "$T/b")
    until_true has north "$id"
    "$PYTHON" - "$(home north)/run/agent.sock" <<'PY'
import os, select, socket, sys
def connect():
    s = socket.socket(socket.AF_UNIX); s.connect(sys.argv[1]); s.settimeout(10); return s
for said in (b"\xff\xff\xff\xff", b"\x00\x00\x00\x00", b"\x00\x00\x00\x01\xff", b"\x00\x10\x00\x01" + bytes(8),
             b"\x00\x00\x00\x08" + os.urandom(8), b"\x00\x00\x00\x04\x83\x01\x01\x80"):
    s = connect(); s.sendall(said)
    assert s.recv(4096) == b"" , said
idle = [connect() for _ in range(40)]
# what is over the limit is ended
ended = 0
while ended < 8:
    readable, _, _ = select.select(idle, [], [], 20)
    assert readable, ended
    for s in readable:
        assert s.recv(1) == b""
        idle.remove(s)
        ended += 1
PY
    has north "$id"
}
