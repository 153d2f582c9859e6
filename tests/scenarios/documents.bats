#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Every valid document of the shared collection, published and read back byte by byte.
load common

# The files of a folder that SOURCES.md does not call invalid.
valid_files() {
    "$PYTHON" - "$SHARED" "$@" <<'PY'
import os, re, sys
shared, folders = sys.argv[1], sys.argv[2:]
bad = set()
for line in open(os.path.join(shared, "SOURCES.md"), encoding="utf-8"):
    m = re.match(r"\| ([^|]+?) \|.*\|([^|]*)\|\s*$", line)
    if m and re.search(r"INVALID|must be rejected", m.group(2)):
        bad.add(m.group(1).strip())
for folder in folders:
    for name in sorted(os.listdir(os.path.join(shared, folder))):
        path = folder + "/" + name
        if path not in bad and os.path.isfile(os.path.join(shared, path)):
            print(path)
PY
}

roundtrip() {
    shared_or_skip
    program
    cast north
    broker
    agent north
    local file id n=0
    while read -r file; do
        id=$(publish vendor --topic documents.all --tlp green --title "$file" "$SHARED/$file") || { echo "refused: $file"; return 1; }
        echo "$id $file" >>"$T/ids"
        n=$((n + 1))
    done < <(valid_files "$@")
    [ "$n" -gt 0 ]
    while read -r id file; do
        until_true readable north "$id" || { echo "never came: $file"; return 1; }
        as north show "$id" --body | cmp - "$SHARED/$file" || { echo "differs: $file"; return 1; }
    done <"$T/ids"
    echo "# $n documents of $*" >&3
}
readable() { as "$1" show "$2" --body; }

@test "CSAF 2.0 documents come back byte-identical" { roundtrip csaf csaf-oasis-tests; }
@test "CSAF 2.1 documents come back byte-identical" { roundtrip csaf-2.1; }
@test "CAP documents come back byte-identical" { roundtrip cap; }
@test "STIX, MISP and CVE documents come back byte-identical" { roundtrip stix misp cve; }

@test "CAP emergencies come back byte-identical after two approvals" {
    shared_or_skip
    program
    cast north
    broker
    agent north
    local file id
    for file in "$SHARED"/cap/v1dot2_appendix_adot1.xml "$SHARED"/cap/gdacs-cap_1001150.xml "$SHARED"/cap/canada_signed.cap; do
        id=$(publish cert --emergency --topic emergency.cap --tlp clear --title "${file##*/}" "$file")
        as vendor approve "$id"
        until_true has north "$id"
        as north show "$id" --body | cmp - "$file"
    done
}
