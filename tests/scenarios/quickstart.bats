#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# What deploy/quickstart says and does when something is in its way.
load common

quickstart() { run "$REPO/deploy/quickstart" "$@"; echo "$output"; }

# Holds a port on loopback until teardown.
hold() {
    spawn holder "$PYTHON" -c '
import signal, socket, sys
s = socket.socket(); s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
s.bind(("127.0.0.1", int(sys.argv[1]))); s.listen(); print("ready", flush=True)
signal.pause()' "$1"
    ready holder
}

@test "what the quickstart would install, deploy/deps knows" {
    quickstart --dry-run
    [ "$status" -eq 0 ]
    line=$(grep -o 'deploy/deps.*' <<<"$output")
    read -ra words <<<"$line"
    run "$REPO/deploy/deps" --list "${words[@]:1}"
    [ "$status" -eq 0 ]
    [[ $output == *"ninja-build"* && $output == *"libzmq5"* ]]
}

@test "the quickstart refuses wrong options before it does anything" {
    export TMPDIR=$T
    for words in '--bogus' 'extra' '--dir' '--base-port abc' '--base-port 65535' '--base-port 0' "--bin $T"; do
        quickstart $words
        [ "$status" -eq 2 ]
        [[ $output == "quickstart: "* ]]
    done
    [ -z "$(ls -A "$T")" ]
}

@test "the quickstart names a port that is in use, and leaves nothing behind" {
    port=$(free_ports 2)
    hold $((port + 1))
    mkdir "$T/tmp"
    TMPDIR=$T/tmp quickstart --bin "$TOCSIN_BIN" --base-port "$port"
    [ "$status" -eq 1 ]
    [[ $output == *"in use"* && $output == *"--base-port"* ]]
    [ -z "$(ls -A "$T/tmp")" ]
}

@test "the quickstart does not write into another program's directory" {
    program
    before=$(sha256sum "$P/authority.key" "$P/trust")
    quickstart --bin "$TOCSIN_BIN" --dir "$T" --base-port "$(free_ports 2)"
    [ "$status" -eq 1 ]
    [[ $output == *"a program in $T already"* ]]
    [ "$(sha256sum "$P/authority.key" "$P/trust")" = "$before" ]
}
