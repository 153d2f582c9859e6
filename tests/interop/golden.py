#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""golden - makes the golden test vectors of docs/protocol.md §9; everything in them is fixed.

usage: golden.py --write | --check
       of tests/data/golden/vectors.json, and of those that the document shows
"""
import json
import os
import sys

import nacl.bindings
import nacl.signing

from tocsin_wire import *  # noqa: F403 - the whole protocol is used

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
VECTORS = os.path.join(ROOT, "tests", "data", "golden", "vectors.json")
DOCUMENT = os.path.join(ROOT, "docs", "protocol.md")
NOW = 1767225600000  # 2026-01-01T00:00:00Z
HOUR, DAY = 3_600_000, 86_400_000
TEXT = "text/plain"


class Member:
    """Keys of a member: its Ed25519 seed is one byte, 32 times; transport and seal follow."""

    def __init__(self, name, byte):
        self.name, self.seed = name, bytes([byte]) * 32
        self.sign = nacl.signing.SigningKey(self.seed)
        self.public = bytes(self.sign.verify_key)
        self.transport, self.seal = bytes([byte + 0x10]) * 32, bytes([byte + 0x20]) * 32
        self.transport_public = nacl.bindings.crypto_scalarmult_base(self.transport)
        self.seal_public = nacl.bindings.crypto_scalarmult_base(self.seal)
        self.audience_id = bytes([byte + 0x30]) * 16


AUTHORITY_KEY = Member("authority", 0x01)
VENDOR, CERT, NORTH, HUB = (Member(name, byte) for name, byte in
                            (("vendor", 2), ("cert", 3), ("north", 4), ("hub", 5)))
PROGRAM = kid(AUTHORITY_KEY.public)
EPOCH, INSTANCE = bytes([0xE0]) * 16, bytes([0xA0]) * 16


def alert_id(number):
    """UUIDv7 of NOW with fixed random bits."""
    return NOW.to_bytes(6, "big") + bytes.fromhex("7000800000000000") + number.to_bytes(2, "big")


def card(member, roles, receive=(), publish=(), emergency=False, communities=(), clearance=4):
    until = NOW + 366 * DAY
    keys = [[1, 0, member.transport_public, NOW, until], [2, -8, member.public, NOW, until],
            [3, 0, member.seal_public, NOW, until]]
    return encode({1: PROGRAM, 2: member.name, 3: 7, 4: roles, 5: keys, 6: clearance,
                   7: list(receive), 8: list(publish), 9: emergency, 10: list(communities),
                   11: member.audience_id, 12: NOW, 13: until, 14: [0]})


def issuer(member, roles, publish=(), emergency=False):
    return {1: member.name, 2: roles, 3: [[member.public, NOW, NOW + 366 * DAY]],
            4: list(publish), 5: 4, 6: emergency, 7: [0]}


def by_authority(word, payload):
    return seal(word, PROGRAM, payload, (AUTHORITY_KEY.sign, AUTHORITY))


def meta(number, **more):
    """Metadata with what every alert here has; more by the names of M."""
    fields = {M.ID: alert_id(number), M.PROGRAM: PROGRAM, M.LANE: BULK, M.URGENCY: 0, M.TLP: 1,
              M.STATUS: 0, M.KIND: 0, M.CREATED: NOW, M.EXPIRES: NOW + 30 * DAY,
              M.CONTENT_TYPE: TEXT, M.ENCODING: 0}
    fields.update({M[name.upper()]: value for name, value in more.items()})
    return fields


def payload_of(fields, body):
    fields[M.DECODED_SIZE] = len(body) if isinstance(body, bytes) else body[1]
    payload = encode([fields, body])
    Alert(payload)
    return payload


def objects():
    """Name → bytes of every signed object and of what it is made of."""
    made = {"card-payload": card(NORTH, NODE, [">"], communities=["energy", "water"])}
    cards = {
        "cert": card(CERT, PUBLISHER | APPROVER, publish=[">"], emergency=True),
        "hub": card(HUB, BROKER),
        "north": made["card-payload"],
        "vendor": card(VENDOR, PUBLISHER | APPROVER, publish=["advisory.*", "emergency.>"]),
    }
    envelopes = {name: by_authority("card", payload) for name, payload in cards.items()}
    made["card"] = envelopes["north"]
    made["roster-payload"] = encode({
        1: PROGRAM, 2: "golden", 3: 7, 4: NOW, 5: NOW + 366 * DAY,
        6: [[name, sha256(payload)] for name, payload in sorted(cards.items())]})
    made["roster"] = by_authority("roster", made["roster-payload"])
    made["bundle-payload"] = encode({
        1: PROGRAM, 2: "golden", 3: 7, 4: NOW, 5: NOW + 366 * DAY,
        6: [issuer(CERT, PUBLISHER | APPROVER, [">"], True), issuer(HUB, BROKER),
            issuer(VENDOR, PUBLISHER | APPROVER, ["advisory.*", "emergency.>"])],
        7: [{1: "hub", 2: HUB.transport_public, 3: ["hub.example:7700"],
             4: ["hub.example:7701", "[2001:db8::1]:7701"]}],
        8: {1: 2, 2: 366 * DAY, 3: 30 * DAY, 4: 33554432, 5: 366 * DAY}})
    made["bundle"] = by_authority("bundle", made["bundle-payload"])
    made["trust-file"] = encode([made["roster"], made["bundle"],
                                 [envelopes[name] for name in sorted(envelopes)]])
    made["invite"] = encode([AUTHORITY_KEY.public, made["bundle"], made["card"]])
    made.update(alerts())
    return made


def alerts():
    made = {}
    made["alert-bulk-payload"] = payload_of(
        meta(1, handle="VENDOR-2026-001", publisher="vendor", topic="advisory.x", tlp=4,
             texts=[["en", "A flaw in X", "Update to 1.2."], ["de", "Ein Fehler in X", ""]],
             ask="Update X.", not_before=NOW + HOUR, ack_by=NOW + DAY, communities=["energy"],
             audience=[audience_mark(alert_id(1), NORTH.audience_id)]),
        b"X before 1.2 lets anybody in.\n")
    made["alert-bulk"] = seal("alert", PROGRAM, made["alert-bulk-payload"],
                              (VENDOR.sign, PUBLISHER))
    made["alert-external-payload"] = payload_of(
        meta(2, handle="VENDOR-2026-002", publisher="vendor", topic="advisory.x",
             texts=[["en", "A large document", ""]]),
        [sha256(bytes(100000)), 100000])
    made["alert-external"] = seal("alert", PROGRAM, made["alert-external-payload"],
                                  (VENDOR.sign, PUBLISHER))
    emergency = {"lane": EMERGENCY, "topic": "emergency.flood", "tlp": 0, "publisher": "cert"}
    made["alert-emergency-payload"] = payload_of(
        meta(3, handle="CERT-2026-001", urgency=1, texts=[["en", "Flood", "The dam broke."]],
             ask="Leave the lower town.", **emergency), b"Leave now.\n")
    made["alert-emergency"] = seal("alert", PROGRAM, made["alert-emergency-payload"],
                                   (CERT.sign, PUBLISHER), (VENDOR.sign, APPROVER))
    made["cancel-payload"] = payload_of(
        meta(4, handle="CERT-2026-002", kind=2, references=[alert_id(3)], reason=1,
             texts=[["en", "Flood: all clear", ""]], cancel_words="The water is back in its bed.",
             **emergency), b"")
    made["cancel"] = seal("alert", PROGRAM, made["cancel-payload"], (CERT.sign, PUBLISHER))
    made["ack-payload"] = encode({1: alert_id(3), 2: sha256(made["alert-emergency-payload"]),
                                  3: "north", 4: 2, 5: 1, 6: "Ann Duty", 7: "on it",
                                  8: NOW + HOUR, 9: False})
    made["ack"] = seal("ack", PROGRAM, made["ack-payload"], (NORTH.sign, NODE))
    return made


def parts(made):
    """The pieces that objects and signatures are made of."""
    payload = made["alert-emergency-payload"]
    return {
        "kid": PROGRAM,
        "audience-mark": audience_mark(alert_id(1), NORTH.audience_id),
        "payload-hash": sha256(payload),
        "external-aad-alert": external_aad("alert", PROGRAM),
        "external-aad-approval": external_aad("approval", PROGRAM),
        "body-header": body_header("alert"),
        "signer-header": signer_header(kid(VENDOR.public), APPROVER),
        "sig-structure": sig_structure("alert", PROGRAM, kid(VENDOR.public), APPROVER, payload),
        "approval-signature": encode(signature("alert", PROGRAM, payload, VENDOR.sign, APPROVER)),
    }


def frames(made, pieces):
    """Op → one frame of each."""
    one, three, piece = alert_id(1), alert_id(3), bytes(range(16))
    return {
        Op.HELLO: hello(1, INSTANCE, 7, subscriptions=["advisory.>", "emergency.>"], epoch=EPOCH,
                        generation=3, cursors=[[0, 41, 2**63 + 1], [1, 5, 0xFFFFFFFF]], lanes=3),
        Op.PING: [2],
        Op.SUBMIT: [3, 1, made["alert-bulk"]],
        Op.APPROVE: [4, 2, three, pieces["payload-hash"], pieces["approval-signature"]],
        Op.UPLOAD: [5, 3, alert_id(2), 49152, piece],
        Op.RECEIPT: [6, 1, EPOCH, 6, 2**64 - 1],
        Op.BODIES: [7, [alert_id(2)]],
        Op.REJECTED: [8, [[one, 5]]],
        Op.ACK: [9, made["ack"]],
        Op.FETCH: [10, alert_id(2), 49152],
        Op.METRICS: [11, {1: 41, 2: 5, 5: -1500, 6: "1.0"}],
        Op.QUERY: [12, 4, 6, {1: three, 2: "north"}, None, 256],
        Op.TRUST_GET: [13, 7, 49152],
        Op.ROSTER_PUT: [14, 5, 100000, 49152, piece],
        Op.WELCOME: [32, {1: 1, 2: EPOCH, 3: 3, 4: 7, 5: NOW, 6: "hub", 7: 15000,
                          8: [[0, 41], [1, 5]], 9: 33554432, 10: 262144}],
        Op.TRUST: [33, 7, len(made["bundle"]), 0, made["bundle"]],
        Op.CARD: [34, made["card"]],
        Op.ALERTS: [35, 1, 7, 6, 0xFFFFFFFF, [[5, made["alert-emergency"]], [6, made["cancel"]]]],
        Op.ANSWER: [36, 1, 0, {1: one, 2: 1, 3: 42, 4: "VENDOR-2026-001", 5: 1, 8: "hub"}],
        Op.BODIES_OK: [37, [alert_id(2)]],
        Op.ACK_OK: [38, three, 2, 0],
        Op.BODY: [39, alert_id(2), 49152, 100000, piece],
        Op.BODY_GONE: [40, alert_id(2), 3],
        Op.RESULT: [41, 4, 0, [{1: "grant", 2: True, 3: "emergency.flood is in >"}], None, ""],
        Op.PONG: [42],
        Op.GENERATION: [43, 4],
        Op.ERROR: [44, 1, "not a frame"],
        Op.REJECTED_OK: [45, [one]],
    }


def vectors():
    made = objects()
    pieces = parts(made)
    keys = {m.name: {"seed": m.seed.hex(), "public": m.public.hex(), "kid": kid(m.public).hex(),
                     "transport": m.transport.hex(),
                     "transport-public": m.transport_public.hex()}
            for m in (AUTHORITY_KEY, VENDOR, CERT, NORTH, HUB)}
    sent = {op.name.lower().replace("_", "-"): encode(frame).hex()
            for op, frame in frames(made, pieces).items()}
    for op in FROM_BROKER:
        read_frame(bytes.fromhex(sent[op.name.lower().replace("_", "-")]))
    trust = Trust(AUTHORITY_KEY.public, made["bundle"])
    for name in ("alert-bulk", "alert-external", "alert-emergency", "cancel"):
        trust.alert(made[name])
    return {"about": "Golden test vectors of docs/protocol.md, section 9; hex. Made by "
                     "tests/interop/golden.py, checked by tests/unit/test_golden.c.",
            "keys": keys,
            "parts": {name: value.hex() for name, value in pieces.items()},
            "objects": {name: value.hex() for name, value in made.items()},
            "frames": sent}


# ---- what the document shows of them -------------------------------------------------------------

SHOWN = (
    ("parts", "kid", "the program id: kid of the authority's key"),
    ("parts", "audience-mark", "north's mark in `alert-bulk`"),
    ("parts", "body-header", "protected header of an alert"),
    ("parts", "signer-header", "protected header of vendor, signing as approver"),
    ("parts", "external-aad-alert", "external_aad of an alert's author"),
    ("parts", "external-aad-approval", "external_aad of an approver"),
    ("objects", "alert-emergency-payload", "payload of an emergency by cert"),
    ("parts", "payload-hash", "its SHA-256"),
    ("parts", "sig-structure", "what vendor signs to approve it"),
    ("parts", "approval-signature", "the signature that APPROVE carries"),
    ("objects", "alert-emergency", "the envelope with both signatures"),
    ("objects", "ack-payload", "payload of north's acknowledgment"),
    ("frames", "hello", "HELLO"),
    ("frames", "welcome", "WELCOME"),
    ("frames", "receipt", "RECEIPT"),
    ("frames", "answer", "ANSWER"),
)
BEGIN, END = "<!-- golden.py writes from here -->", "<!-- to here -->"


def section(made):
    """Markdown: the shorter vectors."""
    lines = [BEGIN, ""]
    for group, name, what in SHOWN:
        value = made[group][name]
        lines += [f"`{name}`: {what}", "", "```"]
        lines += [value[i:i + 100] for i in range(0, len(value), 100)]
        lines += ["```", ""]
    return "\n".join(lines + [END])


def main():
    if sys.argv[1:] not in (["--write"], ["--check"]):
        sys.exit(__doc__)
    made = vectors()
    with open(DOCUMENT, encoding="utf-8") as file:
        document = file.read()
    before, after = document.split(BEGIN)[0], document.split(END)[1]
    wanted = ((VECTORS, json.dumps(made, indent=1) + "\n"),
              (DOCUMENT, before + section(made) + after))
    for path, text in wanted:
        if sys.argv[1] == "--write":
            with open(path, "w", encoding="utf-8") as file:
                file.write(text)
            continue
        with open(path, encoding="utf-8") as file:
            if file.read() != text:
                sys.exit(f"{path} is not what golden.py makes")


if __name__ == "__main__":
    main()
