#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# The checks themselves: each must pass a clean tree and fail on the fault it is for.

setup() {
    check="$BATS_TEST_DIRNAME"
    tree="$BATS_TEST_TMPDIR/tree"
    mkdir -p "$tree"/{include/tocsin,clients/{libtocsin/os,agent/core,cli},broker/core,plugins/a}
    echo '#include <stdint.h>' >"$tree/include/tocsin/api.h"
    echo '#include "tocsin/api.h"' >"$tree/clients/libtocsin/bytes.h"
    echo '#include "libtocsin/bytes.h"' >"$tree/clients/libtocsin/os/disk.h"
    echo '#include "libtocsin/bytes.h"' >"$tree/broker/core/turn.h"
    printf '#include "core/turn.h"\n#include "libtocsin/os/disk.h"\n#include <time.h>\n' >"$tree/broker/main.c"
    echo '#include "libtocsin/bytes.h"' >"$tree/clients/agent/core/link.h"
    echo '#include "core/link.h"' >"$tree/clients/agent/main.c"
    echo '#include "libtocsin/bytes.h"' >"$tree/clients/cli/main.c"
    echo '#include <tocsin/api.h>' >"$tree/plugins/a/a.c"
}

# write FILE LINE... : a file of the tree
write() {
    local file="$tree/$1"
    shift
    printf '%s\n' "$@" >"$file"
}

refused() {
    run "$check/includes" --root "$tree"
    echo "$output"
    [ "$status" -eq 1 ]
    [[ "$output" == *"$1"* ]]
}

@test "includes: a clean tree passes" {
    run "$check/includes" --root "$tree"
    echo "$output"
    [ "$status" -eq 0 ]
}

@test "includes: an empty tree does not pass" {
    mkdir "$tree/empty"
    run "$check/includes" --root "$tree/empty"
    [ "$status" -eq 1 ]
}

@test "includes: the installed headers see nothing else" {
    write include/tocsin/api.h '#include "../../clients/libtocsin/bytes.h"'
    refused 'include/tocsin/api.h:1:'
}

@test "includes: libtocsin knows nothing of who links it" {
    write clients/libtocsin/bytes.c '' '#include "agent/core/link.h"'
    refused 'clients/libtocsin/bytes.c:2: clients/libtocsin must not include'
}

@test "includes: libtocsin does not see its own os/" {
    write clients/libtocsin/bytes.c '#include "os/disk.h"'
    refused 'clients/libtocsin must not include'
}

@test "includes: broker does not include agent" {
    write broker/main.c '#include "agent/core/link.h"'
    refused 'broker must not include'
}

@test "includes: agent does not include broker" {
    write clients/agent/main.c '#include "../../broker/core/turn.h"'
    refused 'clients/agent must not include'
}

@test "includes: cli includes neither" {
    write clients/cli/main.c '#include "broker/core/turn.h"' '#include "agent/core/link.h"'
    refused 'clients/cli/main.c:2:'
    [[ "$output" == *'clients/cli/main.c:1:'* ]]
}

@test "includes: a core does not see the program around it" {
    write broker/server.h '#include <stdint.h>'
    write broker/core/turn.h '#include "broker/server.h"'
    refused 'broker/core must not include'
}

@test "includes: a core does not see os/" {
    write clients/agent/core/link.h '#include "libtocsin/os/disk.h"'
    refused 'clients/agent/core must not include'
}

@test "includes: a core sees neither zmq, czmq, lmdb, time nor unistd" {
    for header in zmq.h czmq.h zsock.h lmdb.h time.h sys/time.h unistd.h; do
        write broker/core/turn.h "#include <$header>"
        refused "a core must not see <$header>"
        write broker/core/turn.h '#include <stdint.h>'
        write clients/agent/core/link.c "#  include <$header>"
        refused "a core must not see <$header>"
        rm "$tree/clients/agent/core/link.c"
    done
}

@test "includes: a core does not see them through a header either" {
    write clients/libtocsin/client.h '#include <zmq.h>'
    write broker/core/turn.h '#include "libtocsin/client.h"'
    refused 'a core must not see "libtocsin/client.h" -> <zmq.h>'
}

@test "includes: libtocsin's own modules are pure but for those about the world" {
    write clients/libtocsin/when.c '#include <time.h>'
    write clients/libtocsin/keyfile.c '#include <unistd.h>'
    write clients/libtocsin/client_session.c '#include <zmq.h>' '#include <unistd.h>'
    run "$check/includes" --root "$tree"
    [ "$status" -eq 0 ]
    write clients/libtocsin/topic.c '#include <time.h>'
    refused 'clients/libtocsin/topic.c:1: this part of libtocsin must not see <time.h>'
    write clients/libtocsin/topic.c '#include <stdint.h>'
    write clients/libtocsin/when.c '#include <unistd.h>'
    refused 'clients/libtocsin/when.c:1:'
}

@test "includes: a plugin sees only the installed headers" {
    write plugins/a/a.c '#include "libtocsin/bytes.h"'
    refused 'plugins/a must not include'
}

@test "includes: plugins do not see each other" {
    mkdir "$tree/plugins/b"
    write plugins/b/b.h '#include <stdint.h>'
    write plugins/a/a.c '#include "../b/b.h"'
    refused 'plugins/a must not include'
}

@test "includes: a header that does not exist is named" {
    write broker/main.c '#include "gone.h"'
    refused 'names no header of this project'
}

@test "includes: a comment is not an include" {
    write broker/core/turn.h '/*' '#include <time.h>' '*/'
    run "$check/includes" --root "$tree"
    [ "$status" -eq 0 ]
}

@test "headers: one that needs another before it fails" {
    write clients/libtocsin/bytes.h '#ifndef B' '#define B' '#include <stddef.h>' 'size_t b(void);' '#endif'
    run "$check/headers" --root "$tree"
    echo "$output"
    [ "$status" -eq 0 ]
    write clients/libtocsin/bytes.h 'size_t b(void);'
    run "$check/headers" --root "$tree"
    [ "$status" -eq 1 ]
    [[ "$output" == *'clients/libtocsin/bytes.h does not compile alone'* ]]
}

@test "format: layout, width, SPDX line and what the file is" {
    good='/* SPDX-License-Identifier: Apache-2.0 */'
    printf '%s\nint a;\n' "$good" >"$tree/a.c"
    run "$check/format" "$tree/a.c"
    echo "$output"
    [ "$status" -eq 0 ]
    printf '%s\nint  a;\n' "$good" >"$tree/a.c"
    run "$check/format" "$tree/a.c"
    [ "$status" -eq 1 ]
    printf '%s\n/* %s */\nint a;\n' "$good" "$(printf '%096d' 0)" >"$tree/a.c"
    run "$check/format" "$tree/a.c"
    [ "$status" -eq 1 ]
    [[ "$output" == *'102 columns'* ]]
    printf 'int a;\n' >"$tree/a.c"
    run "$check/format" "$tree/a.c"
    [ "$status" -eq 1 ]
    [[ "$output" == *'SPDX'* ]]
    printf '%s\n/* a.c - what it is. */\nint a;\n' "$good" >"$tree/broker/core/a.c"
    run "$check/format" "$tree/broker/core/a.c"
    [ "$status" -eq 0 ]
    printf '%s\nint a;\n' "$good" >"$tree/broker/core/a.c"
    run "$check/format" "$tree/broker/core/a.c"
    [ "$status" -eq 1 ]
    [[ "$output" == *'a.c:2: the second line does not say what the file is'* ]]
}

@test "exports: only tocsin_*, and at least one" {
    cd "$tree"
    build() { printf '%s\n' "$1" | cc -shared -fPIC -o lib.so -x c -; }
    build 'int tocsin_a(void); int tocsin_a(void) { return 1; }'
    run "$check/exports" lib.so
    [ "$status" -eq 0 ]
    build 'int tocsin_a; int tcn_b;'
    run "$check/exports" lib.so
    [ "$status" -eq 1 ]
    [[ "$output" == *tcn_b* ]]
    build 'static int a; int *b(void) __attribute__((visibility("hidden"))); int *b(void) { return &a; }'
    run "$check/exports" lib.so
    [ "$status" -ne 0 ]
}

@test "deps: no package stands twice in the table" {
    run "$check/../../deploy/deps" --list build test run
    [ "$status" -eq 0 ]
    [ "${#lines[@]}" -gt 20 ]
    [ -z "$(cut -d'|' -f2 <<<"$output" | sort | uniq -d)" ]
}

@test "deps: --check names what is missing, and only that" {
    mkdir "$tree/bin"
    cat >"$tree/bin/dpkg-query" <<'TEXT'
#!/bin/sh
for name; do
    case "$name" in
    -*|*'$'*) ;;
    bats) echo "bats config-files" ;;
    cmake) ;;
    *) echo "$name installed" ;;
    esac
done
TEXT
    chmod +x "$tree/bin/dpkg-query"
    PATH="$tree/bin:$PATH" run "$check/../../deploy/deps" --check
    [ "$status" -eq 1 ]
    [ "$output" = "missing: cmake bats" ]
    PATH="$tree/bin:$PATH" run "$check/../../deploy/deps" --check run
    [ "$status" -eq 0 ]
    [ -z "$output" ]
}

@test "deps: what it does not know is a usage error" {
    run "$check/../../deploy/deps" --nonsense
    [ "$status" -eq 2 ]
}
