#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Who is not entitled gets nothing: not a byte, an id or a title. Shown at the node and on the wire.
load common

acked() { [ "$(as "$1" board "$2" --json | jget 'o["acked"]')" -ge "$3" ]; }
received() { [ "$(as "$1" board "$2" --json | jget 'o["received"]')" -ge "$3" ]; }

@test "no clearance, grant, community or audience: nothing, on the wire either" {
    proxied_program
    cast north
    member low --roles node --clearance green
    member narrow --roles node --clearance red --receive 'other.>'
    member alone --roles node --clearance red --communities island
    member plain --roles node --clearance red
    broker
    proxy
    agent north
    # the four that must get nothing come through the proxy; north too, but it is started alone
    # first so that what it carries is known not to be theirs
    stop north
    agent low
    agent narrow
    agent alone
    agent plain
    until_true connected 4
    head -c 20000 /dev/urandom | base64 >"$T/body"
    # quiet state: what four idle sessions carry
    before=$(ctl count)
    secret=$(publish vendor --topic advisory.secret --tlp red --title Topsecrettitle --to north "$T/body")
    mainland=$(publish vendor --topic advisory.secret --tlp amber --title Topsecrettitle --to north "$T/body")
    after=$(ctl count)
    # the publisher's own two uploads go up, its small answers down: nothing near the body's size comes down
    down=$(("$(jget 'o["total_down"]' <<<"$after")" - "$(jget 'o["total_down"]' <<<"$before")"))
    echo "down while two 27 kB alerts were published: $down"
    [ "$down" -lt 20000 ]
    # then something all of them may have: it arrives, so what was to come before it did not come
    all=$(publish vendor --topic other.news --tlp clear --title News "$T/body")
    until_true has plain "$all"
    until_true has low "$all"
    until_true has narrow "$all"
    for node in low narrow plain alone; do
        not has "$node" "$secret"
        not has "$node" "$mainland"
        not grep -aq Topsecrettitle "$(home "$node")/state/data.mdb"
    done
    # and the broker says why
    as watch explain "$secret" low --json | grep clearance | grep -q false
    as watch explain "$secret" narrow --json | grep grant | grep -q false
    as watch explain "$secret" plain --json | grep audience | grep -q false
    # the one that is entitled has both
    agent north 2
    until_true has north "$secret"
    until_true has north "$mainland"
}

@test "communities: only members of it" {
    program
    cast
    member in --roles node --clearance red --communities energy
    member out --roles node --clearance red --communities water
    broker
    agent in
    agent out
    echo x >"$T/b"
    id=$(publish vendor --topic a.b --tlp green --title Energy --community energy "$T/b")
    all=$(publish vendor --topic a.b --tlp green --title All "$T/b")
    until_true has in "$id"
    until_true has out "$all"
    not has out "$id"
    as watch explain "$id" out --json | grep community | grep -q false
}

@test "a raised clearance brings what is in force, once; a lowered one nothing more" {
    program
    cast
    member node --roles node --clearance green
    broker
    agent node
    echo x >"$T/b"
    green=$(publish vendor --topic a.b --tlp green --title Green "$T/b")
    amber=$(publish vendor --topic a.b --tlp amber --title Amber --allow-nobody "$T/b")
    gone=$(publish vendor --topic a.b --tlp amber --title Gone --allow-nobody "$T/b")
    as vendor retract "$gone" --reason wrong
    until_true has node "$green"
    not has node "$amber"
    tocsin -H "$P" member set node --clearance red
    until_true has node "$amber"
    not has node "$gone"
    [ "$(as node inbox --json | grep -c "\"$green\"")" = 1 ]
    [ "$(inbox_count node)" = 2 ]
    until_true received vendor "$amber" 1
    tocsin -H "$P" member set node --clearance green
    until_true trust_version_is node "$(tocsin -H "$P" roster show --json | jget 'o["version"]')"
    later=$(publish vendor --topic a.b --tlp amber --title Later --allow-nobody "$T/b")
    marker=$(publish vendor --topic a.b --tlp green --title Marker "$T/b")
    until_true has node "$marker"
    not has node "$later"
}
trust_version_is() { [ "$(as "$1" status --json | jget 'o["trust_version"]')" -ge "$2" ]; }

@test "a revoked node is cut off and stays out" {
    program
    cast
    member node --roles node --clearance red
    member other --roles node --clearance red
    broker
    agent node
    agent other
    until_true connected 2
    tocsin -H "$P" member revoke node
    until_true disconnected_to 1
    echo x >"$T/b"
    id=$(publish vendor --topic a.b --tlp green --title After "$T/b")
    until_true has other "$id"
    not has node "$id"
}
disconnected_to() { [ "$(as watch status --json | jget 'o["nodes_connected"]')" -le "$1" ]; }
