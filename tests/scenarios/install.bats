#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# What `cmake --install` puts down works from there.
load common

installed() { # DESTDIR WORDS...
    DESTDIR=$1 cmake --install "$(dirname "$TOCSIN_BIN")" "${@:2}" >"$T/install.log"
}

@test "with a prefix: programs, library, example, units and pages are at home there" {
    installed '' --prefix "$T/usr"
    [ "$("$T/usr/bin/tocsin" version --json | jget 'o["version"]')" != '' ]
    "$T/usr/bin/tocsin-broker" --help >/dev/null
    "$T/usr/bin/tocsin-agent" --help >/dev/null

    export PKG_CONFIG_PATH
    PKG_CONFIG_PATH=$(dirname "$(find "$T/usr" -name tocsin.pc)")
    read -ra flags <<<"$(pkg-config --cflags --libs tocsin)"
    "${CC:-gcc}" -Wall -Wextra -Werror -o "$T/node" "$T/usr/share/doc/tocsin/examples/node.c" "${flags[@]}"
    program
    cast gate
    broker
    publish vendor --topic advisory.x --tlp green --title Hello "$REPO/README.md" >"$T/id"
    LD_LIBRARY_PATH=$PKG_CONFIG_PATH/.. timeout 60 "$T/node" "$(home gate)" "$T/cursor" 1 >"$T/out"
    grep -q Hello "$T/out"

    for unit in "$T"/usr/lib/systemd/system/tocsin-*.service; do
        exec=$(sed -n 's/^ExecStart=\([^ ]*\).*/\1/p' "$unit")
        [ "$(dirname "$exec")" = "$T/usr/bin" ]
        [ -x "$exec" ]
    done
    mandoc -T lint -W warning "$T"/usr/share/man/man*/*
    for link in $(grep -oE '\]\(docs/[A-Za-z0-9_.-]+\)' "$T/usr/share/doc/tocsin/README.md" | tr -d ']()'); do
        [ -e "$T/usr/share/doc/tocsin/$link" ]
    done
}

@test "with DESTDIR, as a package is made: nothing names the staging directory" {
    installed "$T/stage"
    [ -n "$(find "$T/stage" -name tocsin-broker -type f)" ]
    not grep -rIl "$T" "$T/stage"
    for unit in $(find "$T/stage" -name 'tocsin-*.service'); do
        exec=$(sed -n 's/^ExecStart=\([^ ]*\).*/\1/p' "$unit")
        [ -x "$T/stage$exec" ]
    done
}
