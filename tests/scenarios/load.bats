#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Many nodes at once, and stores that are full.
load common

@test "an emergency to 200 nodes in one process: all receipts back within a second" {
    program
    cast
    local i
    for i in $(seq 1 200); do member "node-$i" --roles node; done
    broker
    spawn swarm "$TOCSIN_HELPERS/swarm_nodes" "$P"/members/node-*
    WAIT=60 ready swarm
    until_true connected 200
    echo Alarm >"$T/b"
    id=$(publish cert --emergency --topic emergency.x --tlp clear --title Alarm "$T/b")
    as vendor approve "$id"
    until_true received_all cert "$id" 200
    worst=$(as cert board "$id" --json | jget 'max(n["latency_ms"] for n in o["nodes"])')
    echo "# 200 receipts, the last after $worst ms" >&3
    [ "$worst" -le 1000 ]
}
received_all() { [ "$(as "$1" board "$2" --json | jget 'o["received"]')" -ge "$3" ]; }

@test "a full store: bulk is refused with a clear error, emergencies pass, and it recovers" {
    program
    cast north
    printf 'store-size = "16M"\nreserve = "8M"\n' >>"$P/broker/broker.conf"
    broker
    agent north
    head -c 32000 /dev/urandom >"$T/b"
    local n ids=() full=0
    for n in $(seq 1 600); do
        if id=$(publish vendor --topic a.b --tlp green --title "T$n" "$T/b" 2>"$T/err"); then
            ids+=("$id")
        else
            full=1
            break
        fi
    done
    cat "$T/err"
    [ "$full" = 1 ]
    [ "${#ids[@]}" -gt 10 ]
    grep -qi 'full' "$T/err"
    e=$(publish cert --emergency --topic a.b --tlp green --title E "$T/b")
    as vendor approve "$e"
    until_true has north "$e"
    until_true has north "${ids[-1]}"
    # the same after a restart
    stop broker
    sed -i 's/^store-size *=.*/store-size = "64M"/' "$P/broker/broker.conf"
    broker 2
    id=$(publish vendor --topic a.b --tlp green --title More "$T/b")
    until_true has north "$id"
}

@test "a full disk: bulk is refused, emergencies pass, and room made later is used without a restart" {
    program
    cast north
    mkdir -p "$P/broker/state"
    if ! mount -t tmpfs -o size=40m tocsin-test "$P/broker/state" 2>"$T/mount.err"; then
        echo "!!! cannot mount a tmpfs ($(cat "$T/mount.err")): a full disk is not tested" >&3
        skip 'no right to mount'
    fi
    MOUNTED=$P/broker/state
    printf 'store-size = "1G"\nballast = "4M"\nreserve = "1M"\nbody-reserve = "0"\n' >>"$P/broker/broker.conf"
    broker
    agent north
    echo before >"$T/b"
    before=$(publish vendor --topic a.b --tlp green --title Before "$T/b")
    until_true has north "$before"
    # everything but a few pages is taken by somebody else
    head -c 64000000 /dev/zero >"$P/broker/state/filler" 2>/dev/null || true
    head -c 32000 /dev/urandom >"$T/large"
    full=0
    for n in $(seq 1 40); do
        if ! as vendor publish --json --topic a.b --tlp green --title "T$n" "$T/large" >"$T/out" 2>"$T/err"; then
            full=1
            break
        fi
    done
    cat "$T/err"
    [ "$full" = 1 ]
    grep -qi full "$T/err"
    kill -0 "${PID[broker]}"
    for n in 1 2 3; do
        e=$(publish cert --emergency --topic a.b --tlp green --title "E$n" "$T/b")
        as vendor approve "$e"
        until_true has north "$e"
    done
    rm "$P/broker/state/filler"
    until_true as vendor publish --topic a.b --tlp green --title After "$T/large"
    kill -0 "${PID[broker]}"
    stop broker
}
