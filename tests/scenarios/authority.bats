#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# The authority's commands, offline: a program, its members, their homes, and everything refused.
load common

# refused CODE PATTERN COMMAND...: exit code and what is said, on stderr and not on stdout
refused() {
    local code=$1 pattern=$2
    shift 2
    run --separate-stderr "$@"
    echo "$* -> $status"
    echo "$output"
    # shellcheck disable=SC2154 # run sets it
    echo "$stderr"
    [ "$status" -eq "$code" ]
    [ -z "$output" ]
    [[ "$stderr" =~ $pattern ]]
}

mode() { stat -c %a "$1"; }
modes() { # MODE FILE...
    local want=$1 file
    shift
    for file in "$@"; do
        [ "$(mode "$file")" = "$want" ] || { echo "$file has mode $(mode "$file")"; return 1; }
    done
}
trust_version() { tocsin -H "${1:-$P}" roster show --json | jget 'o["version"]'; }
member_field() { tocsin -H "$P" member show "$1" --json | jget "o[\"$2\"]"; }
fingerprint() { tocsin -H "$P" verify "$P/authority.pub" --json | jget 'o["authority"]'; }

bats_require_minimum_version 1.5.0

# ---- init ----

@test "init makes a program and a complete broker's home, with secrets kept secret" {
    program
    modes 700 "$P" "$P/broker" "$P/members"
    modes 600 "$P/authority.key" "$P/trust" "$P/broker/member.keys" "$P/broker/trust"
    modes 644 "$P/authority.pub" "$P/program.conf" "$P/broker/authority.pub" "$P/broker/broker.conf"
    cmp "$P/trust" "$P/broker/trust"
    cmp "$P/authority.pub" "$P/broker/authority.pub"
    grep -q "$PORT" "$P/broker/broker.conf"
    grep -q "$((PORT + 1))" "$P/broker/broker.conf"
    [ "$(trust_version)" = 1 ]
    [ "$(member_field broker roles)" = "['broker']" ]
    tocsin -H "$P/broker" verify "$P/broker/trust"
    # what it says: the fingerprint, and what to do next
    grep -q "$(fingerprint)" "$T/init.log"
    grep -q 'tocsin-broker --home' "$T/init.log"
    grep -q 'member add' "$T/init.log"
}

@test "init: JSON" {
    tocsin init "$P" --name energy --advertise tocsin.example.org --json >"$T/o"
    [ "$(wc -l <"$T/o")" = 1 ]
    jget 'sorted(o)' <"$T/o" | grep -q "'authority'.*'broker'.*'emergency'.*'expires'.*'home'.*'name'.*'program'.*'session'.*'version'"
    [ "$(jget 'o["session"]' <"$T/o")" = tocsin.example.org:7430 ]
    [ "$(jget 'o["emergency"]' <"$T/o")" = tocsin.example.org:7431 ]
    [ "$(jget 'o["version"]' <"$T/o")" = 1 ]
    # who advertises a name listens on all addresses
    grep -q '\*:7430' "$P/broker/broker.conf"
}

@test "init: IPv6 addresses are written with brackets" {
    tocsin init "$P" --name six --listen ::1 --base-port 9000
    grep -q '\[::1\]:9000' "$P/broker/broker.conf"
    grep -q '\[::1\]:9001' "$P/program.conf"
}

@test "init: an empty directory will do, another will not" {
    mkdir -m 755 "$P"
    tocsin init "$P" --name one
    modes 700 "$P"
    before=$(sha256sum "$P/authority.key" "$P/trust")
    refused 1 'not empty' tocsin init "$P" --name two
    [ "$(sha256sum "$P/authority.key" "$P/trust")" = "$before" ]
    mkdir "$T/other"
    touch "$T/other/file"
    refused 1 'not empty' tocsin init "$T/other" --name two
    [ "$(ls "$T/other")" = file ]
}

@test "init: what it refuses leaves nothing" {
    refused 2 '--name NAME' tocsin init "$P"
    refused 2 'no name' tocsin init "$P" --name 'Energy'
    refused 2 'no name' tocsin init "$P" --name ''
    refused 2 'base-port' tocsin init "$P" --name x --base-port 65535
    refused 2 'base-port' tocsin init "$P" --name x --base-port 0
    refused 2 'base-port' tocsin init "$P" --name x --base-port 74x
    refused 2 'listen' tocsin init "$P" --name x --listen 'a b'
    refused 2 'listen' tocsin init "$P" --name x --listen 127.0.0.1:7430
    refused 2 'advertise' tocsin init "$P" --name x --advertise '*'
    refused 2 'argument is missing' tocsin init --name x
    refused 2 'too many' tocsin init "$P" "$P" --name x
    [ ! -e "$P" ]
}

@test "init: a failure half-way leaves nothing" {
    # every write fails from the first byte on
    run bash -c 'ulimit -f 0; trap "" XFSZ; exec tocsin init "$1" --name x' _ "$P"
    echo "$output"
    [ "$status" = 1 ]
    [ ! -e "$P" ]
}

# ---- member add ----

@test "member add --generate-keys makes a complete home" {
    program
    tocsin -H "$P" member add north --roles node --generate-keys
    h=$(home north)
    modes 700 "$h"
    modes 600 "$h/member.keys" "$h/card"
    modes 644 "$h/authority.pub" "$h/bundle" "$h/agent.conf"
    tocsin -H "$h" verify "$h/card"
    tocsin -H "$h" verify "$h/bundle"
    [ "$(member_field north roles)" = "['node']" ]
    [ "$(member_field north clearance)" = green ]
    [ "$(member_field north receive)" = "['>']" ]
    [ "$(member_field north publish)" = "[]" ]
    [ "$(member_field north emergency)" = False ]
    [ "$(member_field north state)" = active ]
    [ "$(trust_version)" = 2 ]
    cmp "$P/trust" "$P/broker/trust"
}

@test "member add: every option is on the card" {
    program
    tocsin -H "$P" member add vendor --roles publisher,approver,node --clearance TLP:AMBER+STRICT \
        --receive 'advisory.>, emergency.*' --publish advisory.vendor.x --emergency \
        --communities rail,energy,rail --generate-keys --json >"$T/o"
    [ "$(jget 'o["trust_version"]' <"$T/o")" = 2 ]
    [ "$(jget 'o["home"]' <"$T/o")" = "$(home vendor)" ]
    [ "$(member_field vendor roles)" = "['publisher', 'approver', 'node']" ]
    [ "$(member_field vendor clearance)" = amber+strict ]
    [ "$(member_field vendor receive)" = "['advisory.>', 'emergency.*']" ]
    [ "$(member_field vendor publish)" = "['advisory.vendor.x']" ]
    [ "$(member_field vendor emergency)" = True ]
    [ "$(member_field vendor communities)" = "['energy', 'rail']" ]
}

@test "member add: what it refuses changes nothing" {
    program
    member north --roles node
    before=$(sha256sum "$P/trust")
    add() { tocsin -H "$P" member add "$@"; }
    refused 2 'no name' add North --roles node --generate-keys
    refused 2 'no name' add --roles node --generate-keys -- -north
    refused 2 'no name' add '../evil' --roles node --generate-keys
    refused 2 'did you mean node' add x --roles nod --generate-keys
    refused 2 '--roles' add x --roles '' --generate-keys
    refused 2 'authority' add x --roles authority --generate-keys
    refused 2 'tocsin init' add x --roles broker --generate-keys
    refused 2 '--roles LIST' add x --generate-keys
    refused 2 '--request FILE' add x --roles node
    refused 2 'either' add x --roles node --generate-keys --request f
    refused 2 'did you mean amber' add x --roles node --clearance ambr --generate-keys
    refused 2 'no pattern' add x --roles node --receive 'a..b' --generate-keys
    refused 2 'no pattern' add x --roles node --receive '>.a' --generate-keys
    refused 2 'no pattern' add x --roles node --receive 'Advisory' --generate-keys
    refused 2 'role publisher' add x --roles node --publish 'a.>' --generate-keys
    refused 2 'no name' add x --roles node --communities 'a b' --generate-keys
    refused 2 'did you mean --clearance' add x --roles node --clearence red --generate-keys
    refused 1 'already' add north --roles node --generate-keys
    refused 1 'already' add broker --roles node --generate-keys
    refused 1 'No such file|not found|cannot read' add x --roles node --request "$T/none"
    [ "$(sha256sum "$P/trust")" = "$before" ]
    [ "$(ls "$P/members")" = north ]
}

@test "member add: a publisher without topics is told, and made" {
    program
    run --separate-stderr tocsin -H "$P" member add vendor --roles publisher --generate-keys
    [ "$status" = 0 ]
    [[ "$stderr" == *'member set vendor --publish'* ]]
}

@test "member add: a left-over home is not overwritten" {
    program
    mkdir "$(home north)"
    refused 1 'move it away' tocsin -H "$P" member add north --roles node --generate-keys
    rmdir "$(home north)"
    tocsin -H "$P" member add north --roles node --generate-keys
}

@test "a change reaches every home at hand: bundles of all, the card of the one" {
    program
    member north --roles node
    member south --roles node
    card=$(sha256sum "$(home south)/card")
    tocsin -H "$P" member set north --clearance red
    for who in north south; do
        [ "$(tocsin -H "$(home $who)" verify "$(home $who)/bundle" --json | jget 'o["version"]')" = 4 ]
    done
    [ "$(tocsin -H "$(home north)" verify "$(home north)/card" --json | jget 'o["clearance"]')" = red ]
    [ "$(sha256sum "$(home south)/card")" = "$card" ]
    [ "$(trust_version "$P/broker")" = 4 ]
}

@test "a broker's home that was moved away is told of, and is no error" {
    program
    mv "$P/broker" "$T/elsewhere"
    run tocsin -H "$P" member add north --roles node --generate-keys
    [ "$status" = 0 ]
    [[ "$output" == *'roster export'* ]]
    [ ! -e "$P/broker" ]
}

@test "two at once: both are members afterwards" {
    program
    for n in 1 2 3 4 5 6; do
        spawn "add$n" tocsin -H "$P" member add "node$n" --roles node --generate-keys
    done
    for n in 1 2 3 4 5 6; do
        wait "${PID[add$n]}"
        unset "PID[add$n]"
    done
    [ "$(tocsin -H "$P" member list --json | wc -l)" = 7 ]
    [ "$(trust_version)" = 7 ]
    tocsin -H "$P" verify "$P/trust"
}

# ---- keygen, request, join ----

@test "keygen, request, member add, join: the secret keys never leave the member" {
    program
    m=$T/north
    tocsin -H "$m" keygen --name north >"$T/keygen.log"
    modes 700 "$m"
    modes 600 "$m/member.keys"
    tocsin verify "$m/north.request"
    key=$(tocsin verify "$m/north.request" --json | jget 'o["key"]')
    grep -q "$key" "$T/keygen.log"
    # the authority has the request alone
    cp "$m/north.request" "$T/"
    tocsin -H "$P" member add north --roles node --request "$T/north.request" >"$T/add.log"
    grep -q "$key" "$T/add.log"
    [ ! -e "$(home north)" ]
    modes 600 "$P/members/north.invite"
    tocsin verify "$P/members/north.invite"
    cp "$P/members/north.invite" "$T/"
    tocsin -H "$m" join "$T/north.invite" --fingerprint "$(fingerprint)" --json >"$T/o"
    [ "$(jget 'o["name"], o["version"]' <"$T/o")" = "north 2" ]
    modes 600 "$m/card"
    cmp "$m/authority.pub" "$P/authority.pub"
    tocsin -H "$m" verify "$m/card"
    # again, and with a newer invite: no question is asked any more
    tocsin -H "$P" member set north --clearance red
    tocsin -H "$m" join "$P/members/north.invite" </dev/null
    [ "$(tocsin -H "$m" verify "$m/card" --json | jget 'o["clearance"]')" = red ]
    # and an old one takes nothing back
    tocsin -H "$m" join "$T/north.invite"
    [ "$(tocsin -H "$m" verify "$m/card" --json | jget 'o["clearance"]')" = red ]
}

@test "keygen never overwrites keys" {
    tocsin -H "$T/m" keygen --name north
    before=$(sha256sum "$T/m/member.keys")
    refused 1 'already' tocsin -H "$T/m" keygen --name north
    refused 1 'already' tocsin -H "$T/m" keygen --name south
    [ "$(sha256sum "$T/m/member.keys")" = "$before" ]
    refused 2 'no name' tocsin -H "$T/n" keygen --name 'No Name'
    refused 2 '--name NAME' tocsin -H "$T/n" keygen
    [ ! -e "$T/n" ]
}

@test "keygen: JSON" {
    tocsin -H "$T/m" keygen --name north --json | jget 'o["name"], o["request"], o["keys"]' >"$T/o"
    [ "$(cat "$T/o")" = "north $T/m/north.request $T/m/member.keys" ]
}

@test "a request proves its name and keys" {
    program
    tocsin -H "$T/m" keygen --name north
    r=$T/m/north.request
    refused 1 'request of north' tocsin -H "$P" member add south --roles node --request "$r"
    # another name, or another's key, breaks the proof
    sed 's/^name north/name south/' "$r" >"$T/forged"
    refused 1 'proof|signature|verif' tocsin -H "$P" member add south --roles node --request "$T/forged"
    run tocsin verify "$T/forged"
    [ "$status" = 1 ]
    tocsin -H "$P" member add north --roles node --request "$r"
    # the same keys under another name, with a proof that is right
    "$PYTHON" - "$T/m/member.keys" "$r" "$T/west.request" <<'PY'
import sys, nacl.signing
words = lambda f: dict(l.split(None, 1) for l in open(f).read().splitlines() if l and l[0] != "#")
keys, request = words(sys.argv[1]), words(sys.argv[2])
public = bytes.fromhex(request["sign"] + request["transport"] + request["seal"])
seed = bytes.fromhex(keys["sign"])[:32]
proof = nacl.signing.SigningKey(seed).sign(b"tocsin/1/request" + b"west" + public).signature.hex()
text = open(sys.argv[2]).read().replace("name north", "name west").replace(request["proof"], proof)
open(sys.argv[3], "w").write(text)
PY
    tocsin verify "$T/west.request"
    refused 1 'key of west is already the key of north' \
        tocsin -H "$P" member add west --roles node --request "$T/west.request"
    [ "$(trust_version)" = 2 ]
}

@test "join asks for the fingerprint, and installs nothing without" {
    program
    m=$T/north
    tocsin -H "$m" keygen --name north
    tocsin -H "$P" member add north --roles node --request "$m/north.request"
    invite=$P/members/north.invite
    refused 2 "$(fingerprint)" tocsin -H "$m" join "$invite" </dev/null
    refused 1 'not of the one you named' tocsin -H "$m" join "$invite" --fingerprint 0000
    [ ! -e "$m/card" ]
    [ ! -e "$m/authority.pub" ]
    # by hand, at a terminal
    "$PYTHON" - "$m" "$invite" <<'PY'
import os, pty, sys
def answer(word):
    pid, fd = pty.fork()
    if pid == 0:
        os.execvp("tocsin", ["tocsin", "-H", sys.argv[1], "join", sys.argv[2]])
    seen = b""
    while b"[y/N]" not in seen:
        seen += os.read(fd, 4096)
    os.write(fd, word)
    try:
        while os.read(fd, 4096): pass
    except OSError:
        pass
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
assert answer(b"n\n") == 1
assert not os.path.exists(sys.argv[1] + "/card")
assert answer(b"y\n") == 0
assert os.path.exists(sys.argv[1] + "/card")
PY
}

@test "join refuses what is not for these keys or of this authority" {
    program
    tocsin init "$T/other" --name other
    for who in north south; do
        tocsin -H "$T/$who" keygen --name $who
        tocsin -H "$P" member add $who --roles node --request "$T/$who/$who.request"
    done
    tocsin -H "$T/other" member add north --roles node --request "$T/north/north.request"
    f=$(fingerprint)
    refused 1 'for south' tocsin -H "$T/north" join "$P/members/south.invite" --fingerprint "$f"
    tocsin -H "$T/north" join "$P/members/north.invite" --fingerprint "$f"
    refused 1 'another authority' tocsin -H "$T/north" join "$T/other/members/north.invite"
    head -c 300 "$P/members/north.invite" >"$T/cut"
    refused 1 'no invite' tocsin -H "$T/north" join "$T/cut" --fingerprint "$f"
    mkdir "$T/empty"
    refused 1 'keygen' tocsin -H "$T/empty" join "$P/members/north.invite" --fingerprint "$f"
    # other keys of the same name
    tocsin -H "$T/impostor" keygen --name north
    refused 1 'keys' tocsin -H "$T/impostor" join "$P/members/north.invite" --fingerprint "$f"
    [ ! -e "$T/impostor/authority.pub" ]
}

# ---- set, revoke, list, show ----

@test "member set changes what is named and leaves the rest" {
    program
    member vendor --roles publisher --clearance red --publish 'a.>' --emergency --communities x
    tocsin -H "$P" member set vendor --clearance amber
    [ "$(member_field vendor clearance)" = amber ]
    [ "$(member_field vendor publish)" = "['a.>']" ]
    [ "$(member_field vendor emergency)" = True ]
    [ "$(member_field vendor communities)" = "['x']" ]
    tocsin -H "$P" member set vendor --no-emergency --communities '' --publish 'b,c.*'
    [ "$(member_field vendor emergency)" = False ]
    [ "$(member_field vendor communities)" = "[]" ]
    [ "$(member_field vendor publish)" = "['b', 'c.*']" ]
    refused 2 'nothing to change' tocsin -H "$P" member set vendor
    refused 2 'contradict' tocsin -H "$P" member set vendor --emergency --no-emergency
    refused 2 'role publisher' tocsin -H "$P" member set vendor --roles node
    refused 1 'no member nobody' tocsin -H "$P" member set nobody --clearance red
    refused 1 "program's broker" tocsin -H "$P" member set broker --clearance red
    [ "$(trust_version)" = 4 ]
}

@test "member revoke: retired, compromised, and never back" {
    program
    cast
    member extra --roles node
    tocsin -H "$P" member revoke extra --json >"$T/o"
    [ "$(jget 'o["state"]' <"$T/o")" = retired ]
    refused 1 'already' tocsin -H "$P" member revoke extra
    refused 1 'stays so' tocsin -H "$P" member set extra --clearance red
    refused 1 'take another' tocsin -H "$P" member add extra --roles node --generate-keys
    # what was merely retired can turn out to have been compromised
    tocsin -H "$P" member revoke extra --compromised-since 2026-01-31T12:00:00Z
    [ "$(member_field extra state)" = compromised ]
    [ "$(member_field extra since)" = 2026-01-31T12:00:00.000Z ]
    # too few approvers are left: told, not forbidden
    run --separate-stderr tocsin -H "$P" member revoke vendor --compromised-since 1h
    [ "$status" = 0 ]
    [[ "$stderr" == *'1 active approver is left'*'needs 2'* ]]
    refused 2 'zone' tocsin -H "$P" member revoke cert --compromised-since 2026-01-31T12:00:00
    refused 2 'past' tocsin -H "$P" member revoke cert --compromised-since 2999-01-01T00:00:00Z
    refused 1 'no member nobody' tocsin -H "$P" member revoke nobody
    refused 1 "program's broker" tocsin -H "$P" member revoke broker
}

@test "member list and show, for people and as JSON" {
    program
    cast north
    tocsin -H "$P" member list >"$T/list"
    grep -q '^MEMBER .*ROLES .*CLEARANCE' "$T/list"
    grep -q '^vendor .*publisher,approver .*TLP:RED .*active' "$T/list"
    tocsin -H "$P" member list --json >"$T/lines"
    [ "$(wc -l <"$T/lines")" = 5 ]
    head -n 1 "$T/lines" | jget 'sorted(o)' | grep -q "'clearance'.*'communities'.*'emergency'.*'expires'.*'issued'.*'name'.*'publish'.*'receive'.*'roles'.*'since'.*'state'.*'version'"
    tocsin -H "$P" member show vendor | grep -q 'also emergencies'
    refused 1 'member list' tocsin -H "$P" member show nobody
    # a broker's home has the same trust
    [ "$(tocsin -H "$P/broker" member list --json | wc -l)" = 5 ]
    refused 1 "member's home" tocsin -H "$(home north)" member list
}

# ---- roster ----

@test "roster sign renews everything and takes program.conf in" {
    program
    member north --roles node
    sed -i 's/^approvals = .*/approvals = 3/; s/^lifetime = .*/lifetime = "10d"/' "$P/program.conf"
    tocsin -H "$P" roster sign --json >"$T/o"
    [ "$(jget 'o["version"], o["cards"]' <"$T/o")" = "3 2" ]
    [ "$(tocsin -H "$P" roster show --json | jget 'o["policy"]["approvals"]')" = 3 ]
    [ "$(tocsin -H "$P" roster show --json | jget 'o["policy"]["lifetime_ms"]')" = 864000000 ]
    [ "$(tocsin -H "$(home north)" verify "$(home north)/card" --json | jget 'o["version"]')" = 3 ]
}

@test "program.conf: what is wrong is told with file and line" {
    program
    cp "$P/program.conf" "$T/good"
    wrong() { # SED PATTERN
        sed "$1" "$T/good" >"$P/program.conf"
        refused 1 "$2" tocsin -H "$P" roster sign
    }
    wrong 's/^approvals = .*/approvals = 9/' 'program.conf:[0-9]+: approvals .*1 to 8'
    wrong 's/^approvals = .*/approvals = many/' 'program.conf:[0-9]+:'
    wrong 's/^approvals/approvers/' 'did you mean approvals'
    wrong 's/^lifetime = .*/lifetime = "long"/' 'program.conf:[0-9]+: lifetime .*7d'
    wrong 's/^max-validity = .*/max-validity = "367d"/' 'max-validity is out of its bounds'
    wrong 's/^max-body = .*/max-body = "151M"/' 'max-body .*157286400'
    wrong 's/session = .*/session = {"nowhere"}/' '"nowhere" is not host:port'
    wrong 's/session = .*/session = {"*:7430"}/' 'not where members reach a broker'
    wrong 's/^broker "broker"/broker "other"/' 'other is not a member'
    wrong '/session =/d' 'without session'
    wrong '/^name/d' 'name is missing'
    cp "$T/good" "$P/program.conf"
    tocsin -H "$P" roster sign
}

@test "roster export and import carry it to a broker elsewhere, never backwards" {
    program
    cp -a "$P/broker" "$T/elsewhere"
    tocsin -H "$P" roster export "$T/one"
    modes 600 "$T/one"
    member north --roles node
    tocsin -H "$P" roster export "$T/two" --json | jget 'o["version"], o["file"]' >"$T/o"
    [ "$(cat "$T/o")" = "2 $T/two" ]
    tocsin -H "$T/elsewhere" roster import "$T/two" --json >"$T/o"
    [ "$(jget 'o["version"], o["previous"], o["changed"]' <"$T/o")" = "2 1 True" ]
    cmp "$T/two" "$T/elsewhere/trust"
    modes 600 "$T/elsewhere/trust"
    tocsin -H "$T/elsewhere" roster import "$T/two"
    refused 1 'never goes back' tocsin -H "$T/elsewhere" roster import "$T/one"
    tocsin init "$T/other" --name other
    refused 1 'another authority' tocsin -H "$T/elsewhere" roster import "$T/other/trust"
    head -c 500 "$T/two" >"$T/cut"
    refused 1 'trust file' tocsin -H "$T/elsewhere" roster import "$T/cut"
    cmp "$T/two" "$T/elsewhere/trust"
    # a damaged one in place is replaced
    echo damaged >"$T/elsewhere/trust"
    tocsin -H "$T/elsewhere" roster import "$T/two"
    cmp "$T/two" "$T/elsewhere/trust"
}

@test "an expired export is not imported" {
    program
    sed -i 's/^lifetime = .*/lifetime = "1ms"/' "$P/program.conf"
    tocsin -H "$P" roster sign
    tocsin -H "$P" roster export "$T/f"
    refused 1 'expired' tocsin -H "$P/broker" roster import "$T/f"
    run tocsin -H "$P" verify "$T/f"
    [ "$status" = 1 ]
    [[ "$output" == *'NOT VALID'*'over'* ]]
}

# ---- secrets, homes, damage ----

@test "an authority's key that others can read is refused, with the remedy" {
    program
    chmod 644 "$P/authority.key"
    refused 1 'chmod 600' tocsin -H "$P" member add x --roles node --generate-keys
    [ ! -e "$(home x)" ]
    chmod 600 "$P/authority.key"
    tocsin -H "$P" member add x --roles node --generate-keys
    # to look at it needs no key
    mv "$P/authority.key" "$T/"
    tocsin -H "$P" member list >/dev/null
    refused 1 "authority's key" tocsin -H "$P" member set x --clearance red
}

@test "the wrong home is named, with what it is" {
    program
    member north --roles node
    refused 1 "member's home" tocsin -H "$(home north)" member add x --roles node --generate-keys
    refused 1 "broker's home" tocsin -H "$P/broker" member add x --roles node --generate-keys
    refused 1 'not a directory' tocsin -H "$T/none" member list
    refused 1 'not a Tocsin home' tocsin -H "$T" member list
    # the environment names one, too, and the option wins
    TOCSIN_HOME=$P tocsin member list >/dev/null
    TOCSIN_HOME=$T tocsin -H "$P" member list >/dev/null
    tocsin member list -H "$P" >/dev/null
}

@test "a trust file that was tampered with is refused by every command" {
    program
    member north --roles node
    "$PYTHON" - "$P/trust" <<'PY'
import sys
b = bytearray(open(sys.argv[1], "rb").read())
i = b.find(b"north")
b[i:i + 5] = b"mouth"
open(sys.argv[1], "wb").write(b)
PY
    refused 1 "trust" tocsin -H "$P" member list
    refused 1 "trust" tocsin -H "$P" member set north --clearance red
    refused 1 "trust" tocsin -H "$P" roster sign
}

# ---- verify ----

@test "verify says what each file is, and refuses to call it valid without an authority" {
    program
    member north --roles node
    for file in trust bundle "members/north/card" "members/north/bundle"; do
        tocsin -H "$P" verify "$P/$file" --json >"$T/o"
        [ "$(jget 'o["valid"]' <"$T/o")" = True ]
        run tocsin verify "$P/$file" -H "$T/nowhere"
        [ "$status" = 1 ]
        [[ "$output" == *'no authority'* ]]
        tocsin verify "$P/$file" -H "$T/nowhere" --authority "$P/authority.pub"
    done
    run tocsin -H "$P" verify "$P/authority.key"
    [ "$status" = 1 ]
    secret=$(grep -o '[0-9a-f]\{64\}' "$P/authority.key" | head -n 1)
    [ -n "$secret" ]
    [[ "$output" != *"$secret"* ]]
    run tocsin -H "$P" verify "$P/program.conf"
    [ "$status" = 1 ]
    [[ "$output" == *'nothing that Tocsin signs'* ]]
    printf 'x' >"$T/x"
    run tocsin -H "$P" verify "$T/x" --json
    [ "$status" = 1 ]
    [ "$(jget 'o["valid"], o["error"]' <<<"$output")" = "False malformed" ]
}

# ---- help, usage, completion, version ----

@test "every command explains itself, with an example" {
    tocsin help --json >"$T/commands"
    [ "$(wc -l <"$T/commands")" -ge 20 ]
    tocsin help >"$T/help"
    while IFS= read -r line; do
        name=$(jget 'o["command"]' <<<"$line")
        grep -q "^  $name " "$T/help"
        # shellcheck disable=SC2086 # two words are two words
        tocsin help $name >"$T/one"
        # shellcheck disable=SC2086
        tocsin $name --help | cmp - "$T/one"
        grep -q '^usage: tocsin ' "$T/one"
        grep -q '^Example' "$T/one"
        [ "$(wc -L <"$T/one")" -le 92 ] || { echo "help $name is too wide"; false; }
        # an unknown option is a usage error everywhere
        # shellcheck disable=SC2086
        refused 2 'unknown option --xyzzy' tocsin $name --xyzzy
    done <"$T/commands"
}

@test "usage errors: exit 2, on stderr, with the nearest guess" {
    refused 2 'usage: tocsin' tocsin
    refused 2 'did you mean member add' tocsin member ad
    refused 2 'did you mean member revoke' tocsin revoke
    refused 2 'did you mean status' tocsin statsu
    refused 2 'no command xyzzy' tocsin xyzzy
    refused 2 'member add' tocsin member
    refused 2 'unknown option --xyzzy' tocsin --xyzzy
    refused 2 '"error": ?"usage"|"error":"usage"' tocsin --json member add
    tocsin --help | grep -q '^  member add'
    tocsin member --help | grep -q '^  member add'
    tocsin -h | grep -q '^  member add'
}

@test "the manual pages are what the programs say" {
    "$PYTHON" "$REPO/deploy/man/update" --check "$TOCSIN_BIN"
}

@test "version and its limits" {
    tocsin --version | grep -qE '^tocsin [0-9]+\.[0-9]+\.[0-9]+$'
    tocsin version --json | jget 'o["protocol"]' | grep -qx 1
    tocsin version --limits | grep -q '^FRAME_BYTES .*65536'
    tocsin version --limits --json | head -n 1 | jget 'sorted(o)' | grep -q "\['limit', 'reason', 'unit', 'value'\]"
}

@test "completion prints scripts that the shells accept" {
    tocsin completion bash >"$T/bash"
    bash -n "$T/bash"
    complete_line() { # WORDS...: what bash would offer for the last one
        bash -c 'source "$1"; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _tocsin; printf "%s\n" "${COMPREPLY[@]}"' _ "$T/bash" "$@"
    }
    complete_line tocsin mem | grep -qx member
    complete_line tocsin member '' | grep -qx revoke
    complete_line tocsin -H /x member add n --cl | grep -qx -- --clearance
    complete_line tocsin member add n --clearance am | grep -qx amber
    complete_line tocsin ack last see | grep -qx seen
    tocsin completion fish | grep -q "complete -c tocsin .*clearance"
    tocsin completion zsh | grep -q '^#compdef tocsin'
    if command -v zsh >/dev/null; then tocsin completion zsh | zsh -n /dev/stdin; fi
    if command -v fish >/dev/null; then tocsin completion fish | fish -n /dev/stdin; fi
    refused 2 'bash, zsh or fish' tocsin completion csh
}

@test "no colour codes unless at a terminal, and none with NO_COLOR" {
    program
    member north --roles node
    tocsin -H "$P" member revoke north
    run tocsin -H "$P" member list
    [[ "$output" != *$'\e'* ]]
    at_terminal() { script -qec "$*" /dev/null; }
    TERM=xterm at_terminal tocsin -H "$P" member list | grep -q $'\e\[31m'
    run env NO_COLOR=1 TERM=xterm script -qec "tocsin -H $P member list" /dev/null
    [[ "$output" != *$'\e'* ]]
}

@test "a full disk under the output is an error" {
    program
    run bash -c 'tocsin -H "$1" member list >/dev/full' _ "$P"
    [ "$status" = 1 ]
    run bash -c 'tocsin -H "$1" roster show --json >/dev/full' _ "$P"
    [ "$status" = 1 ]
}
