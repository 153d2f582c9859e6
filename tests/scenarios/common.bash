# SPDX-License-Identifier: Apache-2.0
# common.bash - what scenarios share: a program, daemons that are waited for, conditions that are
# awaited, and the agents' view of a broker through a proxy that counts and cuts.
# Each test has its own directory $T; teardown ends what it started.

: "${TOCSIN_BIN:?the folder of the programs; run tests/run --stage scenarios}"
PATH=$TOCSIN_BIN:$PATH
SCENARIOS=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
REPO=$(cd "$SCENARIOS/../.." && pwd)
SHARED=${TOCSIN_SHARED:-$REPO/../shared/data}
PYTHON=${PYTHON:-/usr/bin/python3}

setup() {
    T=$BATS_TEST_TMPDIR
    P=$T/program
    declare -gA PID=()
}

teardown() {
    local name
    for name in "${!PID[@]}"; do kill -KILL "${PID[$name]}" 2>/dev/null; done
    for name in "${!PID[@]}"; do wait "${PID[$name]}" 2>/dev/null; done # not bats' own timer
    [ -z "${MOUNTED:-}" ] || umount -l "$MOUNTED"
    if [ -z "${BATS_TEST_COMPLETED:-}" ]; then
        for log in "$T"/*.log; do
            [ -e "$log" ] && { echo "--- ${log##*/}"; tail -n 15 "$log"; }
        done
    fi
    return 0
}

# Two free neighbouring ports on loopback, now; printed as the first one.
free_ports() {
    "$PYTHON" - "${1:-2}" <<'PY'
import random, socket, sys
n = int(sys.argv[1])
for _ in range(1000):
    base, held = random.randrange(20000, 32000), []
    try:
        for port in range(base, base + n):
            s = socket.socket(); held.append(s); s.bind(("127.0.0.1", port))
        print(base); break
    except OSError:
        pass
    finally:
        for s in held: s.close()
else:
    sys.exit("no free ports")
PY
}

# Fails if the command succeeds. (A line that begins with "!" never fails a test.)
not() {
    if "$@"; then
        echo "unexpectedly true: $*" >&2
        return 1
    fi
}

# Waits (bounded) until a command succeeds. WAIT seconds at most, default 30.
until_true() {
    local deadline=$((SECONDS + ${WAIT:-30}))
    until "$@" >/dev/null 2>&1; do
        if [ $SECONDS -ge $deadline ]; then
            echo "waited ${WAIT:-30} s in vain for: $*" >&2
            "$@" >&2 || true
            return 1
        fi
        read -rt 0.02 <> <(:) || true
    done
}

# A program "test" in $P whose broker listens and is advertised on $PORT, $PORT+1.
program() {
    PORT=$(free_ports 2)
    tocsin init "$P" --name test --listen 127.0.0.1 --advertise 127.0.0.1 --base-port "$PORT" "$@" >"$T/init.log"
}

home() { printf '%s/members/%s' "$P" "$1"; }
member() { tocsin -H "$P" member add "$@" --generate-keys >>"$T/member.log"; }

# The usual cast: two publisher-approvers, an operator, nodes by name.
cast() {
    member vendor --roles publisher,approver --clearance red --publish '>' --emergency
    member cert --roles publisher,approver --clearance red --publish '>' --emergency
    member watch --roles operator
    local node
    for node in "$@"; do member "$node" --roles node --clearance red; done
}

# Starts a daemon in the background; it is PID[NAME], its output $T/NAME.log.
spawn() {
    local name=$1
    shift
    "$@" >>"$T/$name.log" 2>&1 3>&- &
    PID[$name]=$!
}
# ... and waits for its ready line (the n-th, after n-1 restarts).
ready() {
    local name=$1 n=${2:-1}
    until_true ready_or_dead "$name" "$n"
    [ "$(grep -c '\bready\b' "$T/$name.log")" -ge "$n" ] || { cat "$T/$name.log" >&2; return 1; }
}
ready_or_dead() {
    [ "$(grep -c '\bready\b' "$T/$1.log")" -ge "$2" ] || ! kill -0 "${PID[$1]}" 2>/dev/null
}
broker() { spawn broker tocsin-broker --home "$P/broker" && ready broker "${1:-1}"; }
agent() { spawn "$1" tocsin-agent --home "$(home "$1")" && ready "$1" "${2:-1}"; }
# Ends one: stop NAME [SIGNAL].
stop() {
    kill "-${2:-TERM}" "${PID[$1]}" 2>/dev/null
    local code=0
    wait "${PID[$1]}" 2>/dev/null || code=$?
    unset "PID[$1]"
    [ "${2:-TERM}" != TERM ] || [ "$code" = 0 ]
}

as() { local who=$1; shift; tocsin -H "$(home "$who")" "$@"; }
# One field of a JSON object on stdin: jget PATH (python expression on o).
jget() { "$PYTHON" -c 'import json,sys; o=json.load(sys.stdin); print('"$1"')'; }
# publish as WHO, print the id.
publish() {
    local who=$1
    shift
    as "$who" publish --json "$@" | jget 'o["id"]'
}
# Has WHO's inbox alert ID?
has() { as "$1" inbox --all --json | grep -q "\"$2\""; }
inbox_count() { as "$1" inbox --json | wc -l; }
connected() { [ "$(as watch status --json | jget 'o["nodes_connected"]')" -ge "$1" ]; }

shared_or_skip() {
    [ -d "$SHARED" ] && return
    echo "!!! no shared documents at $SHARED: this test proves nothing here" >&3
    skip "no shared documents"
}

# The advertised ports become a proxy's, in front of the broker: proxied_program, then
# broker, then proxy. ctl COMMAND... speaks to it.
proxied_program() {
    local real
    PORT=$(free_ports 4)
    real=$((PORT + 2))
    tocsin init "$P" --name test --listen 127.0.0.1 --advertise 127.0.0.1 --base-port "$PORT" "$@" >"$T/init.log"
    sed -i "s/:$PORT\b/:$real/; s/:$((PORT + 1))\b/:$((real + 1))/" "$P/broker/broker.conf"
    REAL=$real
}
proxy() {
    spawn proxy "$PYTHON" "$SCENARIOS/helpers/proxy.py" "$T/ctl" "$PORT=$REAL" "$((PORT + 1))=$((REAL + 1))"
    ready proxy
}
ctl() {
    "$PYTHON" - "$T/ctl" "$*" <<'PY'
import socket, sys
s = socket.socket(socket.AF_UNIX); s.connect(sys.argv[1])
s.sendall((sys.argv[2] + "\n").encode())
print(s.makefile().readline(), end="")
PY
}
