#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# A broker whose name only a SOCKS5 proxy can resolve.
load common

# A program advertised as broker.invalid; the proxy's port is $SOCKS.
hidden_program() {
    PORT=$(free_ports 3)
    SOCKS=$((PORT + 2))
    tocsin init "$P" --name test --listen 127.0.0.1 --advertise broker.invalid --base-port "$PORT" >"$T/init.log"
    cast north
    echo "socks-proxy = \"127.0.0.1:$SOCKS\"" >>"$(home north)/agent.conf"
    printf 'the document\n' >"$T/b"
}

socks() {
    spawn socks "$PYTHON" "$SCENARIOS/helpers/socks5.py" "$SOCKS" broker.invalid=127.0.0.1 "$@"
    ready socks
}

link_is() { # session|emergency True|False
    [ "$(as north status --json | jget 'o["brokers"][0]["'"$1"'"]')" = "$2" ]
}

acked() { [ "$(as vendor board "$1" --json | jget 'o["acked"]')" = 1 ]; }

@test "an advisory and an emergency through a SOCKS5 proxy, and the answers back" {
    hidden_program
    broker
    socks
    agent north
    until_true link_is session True
    until_true link_is emergency True
    grep -qx "connect broker.invalid:$PORT" "$T/socks.log"
    grep -qx "connect broker.invalid:$((PORT + 1))" "$T/socks.log"

    export TOCSIN_PROXY=127.0.0.1:$SOCKS
    id=$(publish vendor --topic advisory.x --tlp green --title 'By proxy' "$T/b")
    until_true has north "$id"
    as north show "$id" --body >"$T/back"
    cmp "$T/b" "$T/back"
    as north ack "$id" done --by 'Ann Duty'
    until_true acked "$id"

    id=$(publish cert --emergency --topic emergency.x --tlp clear --title 'Dam' "$T/b")
    as vendor approve "$id" --yes
    until_true has north "$id"
    as north ack "$id" acting
    as cert board "$id" --json | jget 'o["entitled"]'

    # The option says the same as the variable, and wins.
    unset TOCSIN_PROXY
    as watch status --proxy "127.0.0.1:$SOCKS" --json | jget 'o["nodes_connected"]' >"$T/n"
    [ "$(cat "$T/n")" = 1 ]
    TOCSIN_PROXY=127.0.0.1:1 as watch status --proxy "127.0.0.1:$SOCKS" >/dev/null
}

@test "a body that is uploaded and fetched in pieces goes through the proxy, too" {
    hidden_program
    broker
    socks
    agent north
    head -c 3000000 /dev/urandom >"$T/large"
    id=$(TOCSIN_PROXY=127.0.0.1:$SOCKS publish vendor --topic a.b --tlp green --allow-nobody "$T/large")
    until_true has north "$id"
    until_true as north show "$id" --body
    as north show "$id" --body >"$T/back"
    cmp "$T/large" "$T/back"
}

@test "the proxy comes back, and so do the links" {
    hidden_program
    broker
    socks
    agent north
    until_true link_is session True
    stop socks KILL
    until_true link_is session False
    socks_log=$(wc -l <"$T/socks.log")
    spawn socks "$PYTHON" "$SCENARIOS/helpers/socks5.py" "$SOCKS" broker.invalid=127.0.0.1
    ready socks 2
    until_true link_is session True
    [ "$(wc -l <"$T/socks.log")" -gt "$socks_log" ]
}

@test "without the proxy: cannot be reached, exit 3, and what is in the way is named" {
    hidden_program
    broker
    run as watch status
    [ "$status" -eq 3 ]
    [[ $output == *broker.invalid* ]]

    run as watch status --proxy "127.0.0.1:$SOCKS" --timeout 5s
    echo "$output"
    [ "$status" -eq 3 ]
    [[ $output == *"proxy 127.0.0.1:$SOCKS"* ]]

    agent north
    until_true eval "as north status | grep -q 'proxy 127.0.0.1:$SOCKS'"
}

@test "a proxy that does not know the broker's name: exit 3, and the proxy is named" {
    hidden_program
    broker
    spawn socks "$PYTHON" "$SCENARIOS/helpers/socks5.py" "$SOCKS" other.invalid=127.0.0.1
    ready socks
    run as watch status --proxy "127.0.0.1:$SOCKS" --timeout 5s
    echo "$output"
    [ "$status" -eq 3 ]
    [[ $output == *broker.invalid* && $output == *"proxy 127.0.0.1:$SOCKS"* ]]
    grep -q "^refused broker.invalid" "$T/socks.log"
}
