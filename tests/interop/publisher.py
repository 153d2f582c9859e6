#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""publisher - a publisher and approver in Python: submits, uploads, approves, cancels, asks.

usage: publisher.py --home HOME publish --topic T --tlp 0..4 --title S [--emergency] [--external]
                    [--to AUDIENCE_ID] FILE
       publisher.py --home HOME approve ID
       publisher.py --home HOME cancel ID --reason 0|1
       publisher.py --home HOME query NUMBER

Prints the broker's last answer as one JSON object; exit status 1 if it is a refusal.
"""
import argparse
import json
import sys

from tocsin_wire import *  # noqa: F403 - the whole protocol is used

UPLOAD_WINDOW = 4
HOUR = 3_600_000


def new_id():
    """UUIDv7, RFC 9562 §5.7."""
    random = bytearray(os.urandom(10))
    random[0], random[2] = 0x70 | random[0] & 0x0F, 0x80 | random[2] & 0x3F
    return now_ms().to_bytes(6, "big") + bytes(random)


class Publisher:
    def __init__(self, home):
        self.home, self.req, self.sessions = home, 0, {}

    def session(self, lane):
        """Emergencies and approvals on one endpoint, everything else on the other."""
        if lane not in self.sessions:
            session = self.sessions[lane] = self.home.session(lane)
            session.send(*hello(0, os.urandom(16), self.home.trust.version))
            session.expect(Op.WELCOME)
        return self.sessions[lane]

    def request(self, lane, op, *fields):
        self.req += 1
        self.session(lane).send(op, self.req, *fields)
        return self.req

    def answer(self, lane, req):
        while True:
            _, rest = self.session(lane).expect(Op.ANSWER)
            if rest[0] == req:
                return rest[1], rest[2]

    def alert_payload(self, body, **more):
        """[metadata, body]; more by the names of M."""
        created = now_ms()
        fields = {M.ID: new_id(), M.HANDLE: f"PY-{os.urandom(4).hex()}",
                  M.PROGRAM: self.home.program, M.PUBLISHER: self.home.name, M.LANE: BULK,
                  M.URGENCY: 0, M.TLP: 1, M.STATUS: 0, M.KIND: 0, M.CREATED: created,
                  M.EXPIRES: created + 24 * HOUR, M.CONTENT_TYPE: "application/octet-stream",
                  M.ENCODING: 0,
                  M.DECODED_SIZE: body[1] if isinstance(body, list) else len(body)}
        fields.update({M[name.upper()]: value for name, value in more.items()})
        return encode([fields, body])

    def submit(self, payload, role=PUBLISHER):
        lane = Alert(payload).meta[M.LANE]
        envelope = seal("alert", self.home.program, payload, (self.home.sign, role))
        return self.answer(lane, self.request(lane, Op.SUBMIT, envelope))

    def upload(self, alert_id, data, offset):
        """From the offset that the answer gave, some pieces under way; the last answer."""
        waiting = []
        while True:
            while offset < len(data) and len(waiting) < UPLOAD_WINDOW:
                piece = data[offset:offset + PIECE_MAX]
                waiting.append(self.request(BULK, Op.UPLOAD, alert_id, offset, piece))
                offset += len(piece)
            error, fields = self.answer(BULK, waiting.pop(0))
            if error or not waiting:
                return error, fields

    def publish(self, data, external, **more):
        external = external or len(data) > INLINE_MAX
        payload = self.alert_payload([sha256(data), len(data)] if external else data, **more)
        error, fields = self.submit(payload)
        if external and not error:
            error, fields = self.upload(Alert(payload).id, data, fields.get(7, 0))
        return error, fields

    def query(self, what, page=256, **args):
        """All items, page by page; args as k1=..., k2=..."""
        items, after, args = [], None, {int(k[1:]): v for k, v in args.items()}
        while True:
            req = self.request(BULK, Op.QUERY, what, args, after, page)
            _, rest = self.session(BULK).expect(Op.RESULT)
            if rest[0] != req:
                continue
            if rest[1]:
                raise Refused(ERRORS[rest[1]], rest[4])
            items += rest[2]
            after = rest[3]
            if after is None:
                return items

    def held(self, alert_id):
        """The envelope of an alert, its author's signature verified."""
        envelope = self.query(3, k1=alert_id)[0][1]
        payload, _ = split(envelope, "alert")
        alert = Alert(payload)
        if alert.id != alert_id:
            raise Refused("conflict", "another alert than was asked for")
        try:
            self.home.trust.alert(envelope)
        except Refused as error:
            if error.error != "not-deliverable":  # it waits for us
                raise
        return alert

    def approve(self, alert_id):
        alert = self.held(alert_id)
        return self.hand_in(alert_id, alert.hash, signature(
            "alert", self.home.program, alert.payload, self.home.sign, APPROVER))

    def hand_in(self, alert_id, digest, signed):
        return self.answer(EMERGENCY, self.request(EMERGENCY, Op.APPROVE, alert_id, digest,
                                                   encode(signed)))

    def cancel(self, alert_id, reason):
        """As its publisher, or, of others' alerts, as an approver."""
        meta = self.held(alert_id).meta
        role = PUBLISHER if meta[M.PUBLISHER] == self.home.name else APPROVER
        return self.submit(self.alert_payload(
            b"", kind=2, references=[alert_id], reason=reason, topic=meta[M.TOPIC],
            lane=meta[M.LANE], tlp=meta[M.TLP], status=meta[M.STATUS],
            cancel_words="It is over.",
            texts=[["en", "Cancelled: " + meta[M.TEXTS][0][1], ""]]), role)


def printable(value):
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, dict):
        return {str(key): printable(item) for key, item in value.items()}
    return [printable(item) for item in value] if isinstance(value, list) else value


def arguments():
    parser = argparse.ArgumentParser(description="a Tocsin publisher")
    parser.add_argument("--home", required=True)
    commands = parser.add_subparsers(dest="command", required=True)
    publish = commands.add_parser("publish")
    publish.add_argument("--topic", required=True)
    publish.add_argument("--tlp", type=int, required=True)
    publish.add_argument("--title", required=True)
    publish.add_argument("--emergency", action="store_true")
    publish.add_argument("--external", action="store_true")
    publish.add_argument("--to", help="audience id of a card, hex")
    publish.add_argument("file")
    commands.add_parser("approve").add_argument("id")
    cancel = commands.add_parser("cancel")
    cancel.add_argument("id")
    cancel.add_argument("--reason", type=int, required=True)
    commands.add_parser("query").add_argument("number", type=int)
    return parser.parse_args()


def run(options):
    publisher = Publisher(Home(options.home))
    if options.command == "query":
        return 0, publisher.query(options.number)
    if options.command == "publish":
        with open(options.file, "rb") as file:
            data = file.read()
        more = {"topic": options.topic, "tlp": options.tlp,
                "texts": [["en", options.title, ""]]}
        if options.emergency:
            more.update(lane=EMERGENCY, urgency=1)
        if options.to:
            alert_id = new_id()
            mark = audience_mark(alert_id, bytes.fromhex(options.to))
            more.update(id=alert_id, audience=[mark])
        return publisher.publish(data, options.external, **more)
    alert_id = bytes.fromhex(options.id.replace("-", ""))
    if options.command == "approve":
        return publisher.approve(alert_id)
    return publisher.cancel(alert_id, options.reason)


def main():
    error, fields = run(arguments())
    print(json.dumps({"error": ERRORS[error], "fields": printable(fields)}))
    sys.exit(error != 0)


if __name__ == "__main__":
    main()
