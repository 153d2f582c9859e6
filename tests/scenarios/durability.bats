#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# What was accepted is never lost: kills in the middle, long absence, large bodies cut and resumed.
load common

acked() { [ "$(as "$1" board "$2" --json | jget 'o["acked"]')" -ge "$3" ]; }

@test "kill -9 of the broker in the middle of 1,000 publishes: every accepted alert everywhere, once, same seq" {
    program
    cast north south
    broker
    agent north
    agent south
    spawn pub "$TOCSIN_HELPERS/publish_many" "$(home vendor)" 1000 "$T/accepted"
    until_true accepted_lines 300
    stop broker KILL
    broker 2
    BATS_TEST_TIMEOUT=110 WAIT=90 until_true accepted_lines 1000
    wait "${PID[pub]}"; unset 'PID[pub]'
    for node in north south; do
        WAIT=60 until_true inbox_holds "$node" "$T/accepted"
        as "$node" inbox --all --json | "$PYTHON" -c '
import json, sys, collections
rows = [json.loads(l) for l in sys.stdin]
accepted = dict(l.split()[:2] for l in open(sys.argv[1]))
count = collections.Counter(r["id"] for r in rows)
assert max(count.values()) == 1, "twice in the inbox"
got = {r["id"]: str(r["seq"]) for r in rows}
for id, seq in accepted.items():
    assert got.get(id) == seq, (id, seq, got.get(id))
assert len(set(got.values())) == len(got), "a seq given twice"
' "$T/accepted"
    done
}
accepted_lines() { [ "$(wc -l <"$T/accepted")" -ge "$1" ]; }
inbox_holds() {
    as "$1" inbox --all --json | "$PYTHON" -c '
import json, sys
got = {json.loads(l)["id"] for l in sys.stdin}
want = {l.split()[0] for l in open(sys.argv[1])}
sys.exit(0 if want <= got else 1)' "$2"
}

@test "kill -9 of an agent in the middle: once in its inbox, nothing lost" {
    program
    cast north
    broker
    agent north
    spawn pub "$TOCSIN_HELPERS/publish_many" "$(home vendor)" 600 "$T/accepted"
    local n
    for n in 1 2 3; do
        until_true accepted_lines $((n * 150))
        stop north KILL
        agent north $((n + 1))
    done
    WAIT=60 until_true accepted_lines 600
    wait "${PID[pub]}"; unset 'PID[pub]'
    WAIT=60 until_true inbox_holds north "$T/accepted"
    [ "$(as north inbox --all --json | jget_lines 'o["id"]' | sort | uniq -d | wc -l)" = 0 ]
}
jget_lines() { "$PYTHON" -c 'import json,sys
for l in sys.stdin:
    o=json.loads(l); print('"$1"')'; }

@test "offline during 500 publishes, one cancelled and one superseded: exactly those in force" {
    program
    cast north
    broker
    agent north
    echo x >"$T/b"
    first=$(publish vendor --topic a.b --tlp green --title Before "$T/b")
    until_true has north "$first"
    stop north
    "$TOCSIN_HELPERS/publish_many" "$(home vendor)" 500 "$T/accepted"
    wrong=$(sed -n 100p "$T/accepted" | cut -d' ' -f1)
    old=$(sed -n 200p "$T/accepted" | cut -d' ' -f1)
    as vendor retract "$wrong" --reason wrong
    new=$(publish vendor --topic a.b --tlp green --title New --update "$old" "$T/b")
    agent north 2
    until_true has north "$new"
    WAIT=60 until_true count_is north 500
    as north inbox --json | jget_lines 'o["id"]' | sort >"$T/got"
    { grep -v -e "$wrong" -e "$old" "$T/accepted" | cut -d' ' -f1; echo "$first"; echo "$new"; } | sort >"$T/want"
    diff "$T/want" "$T/got"
    # and the retracted one never travelled
    not has north "$wrong"
}
count_is() { [ "$(inbox_count "$1")" = "$2" ]; }

@test "a 25 MB body, the agent killed and the connection cut in the middle: resumed, not restarted" {
    proxied_program
    cast north
    broker
    proxy
    head -c 25000000 /dev/urandom >"$T/body"
    answer=$(as vendor publish --json --topic a.b --tlp green --title Large "$T/body")
    id=$(jget 'o["id"]' <<<"$answer")
    [[ $(jget 'o["handle"]' <<<"$answer") == VENDOR-* ]]
    [ "$(jget 'o["state"], o["seq"], o["broker"]' <<<"$answer")" = 'accepted 1 broker' ]
    base=$(ctl count | jget 'o["total_down"]')
    ctl rate 6000000
    ctl after 8000000
    agent north
    until_true carried $((base + 8000000))
    until_true carried $((base + 14000000))
    stop north KILL
    ctl rate 0
    agent north 2
    until_true body_is_whole north "$id"
    as north show "$id" --body | cmp - "$T/body"
    total=$(($(ctl count | jget 'o["total_down"]') - base))
    echo "# carried $total bytes for a body of 25000000" >&3
    [ "$total" -lt 30000000 ]
}
carried() { [ "$(ctl count | jget 'o["total_down"]')" -ge "$1" ]; }
body_is_whole() { as "$1" show "$2" --body >/dev/null; }

@test "an upload that is cut is resumed with --resume" {
    proxied_program
    cast north
    broker
    proxy
    head -c 12000000 /dev/urandom >"$T/body"
    # cut upwards: the broker is killed once part of it is there
    spawn pub tocsin -H "$(home vendor)" publish --topic a.b --tlp green --title Large --allow-nobody "$T/body"
    until_true uploaded 3000000
    stop broker KILL
    wait "${PID[pub]}" && first=0 || first=$?
    unset 'PID[pub]'
    broker 2
    id=$(grep -oE '[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}' "$T/pub.log" | head -n 1)
    [ -n "$id" ]
    if [ "$first" != 0 ]; then as vendor publish --resume "$id"; fi
    agent north
    until_true body_is_whole north "$id"
    as north show "$id" --body | cmp - "$T/body"
}
uploaded() { [ "$(ctl count | jget 'o["total_up"]')" -ge "$1" ]; }
