# SPDX-License-Identifier: Apache-2.0
"""hostile - what a broker must refuse, sent to a real one; each function fails by an exception."""
import nacl.signing

from publisher import Publisher
from tocsin_wire import *  # noqa: F403 - the whole protocol is used

HOUR = 3_600_000


def need(got, wanted, what):
    if got != wanted:
        raise AssertionError(f"{what}: got {got!r}, wanted {wanted!r}")


def opened(home, lane=BULK, mode=0):
    session = home.session(lane)
    session.send(*hello(mode, os.urandom(16), home.trust.version))
    session.expect(Op.WELCOME)
    return session


# ---- frames -------------------------------------------------------------------------------------

def nested(depth):
    value = 0
    for _ in range(depth):
        value = [value]
    return value


# Each is answered with ERROR malformed, and the connection is closed.
MALFORMED = {
    "nothing": b"",
    "a number, no array": b"\x02",
    "an empty array": b"\x80",
    "an op in two bytes": b"\x81\x18\x02",
    "an array of no definite length": b"\x9f\x02\xff",
    "an op as a float": b"\x81\xf9\x40\x00",
    "something behind": b"\x81\x02\x00",
    "a tag": b"\xc0\x81\x02",
    "a cut array": b"\x82\x02",
    "a field too many": encode([2, 0]),
    "an op that nobody knows": encode([99]),
    "a broker's op": encode([42]),
    "a request without its number": encode([3, b"x"]),
    "a lane that is none": encode([6, 2, bytes(16), 1, 1]),
    "a piece too large": encode([5, 1, bytes(16), 0, bytes(PIECE_MAX + 1)]),
    "an id of 15 bytes": encode([10, bytes(15), 0]),
    "an envelope too large": encode([3, 1, bytes(ENVELOPE_MAX + 1)]),
    "a key twice": b"\x86\x0c\x01\x01\xa2\x01\x00\x01\x00\xf6\x01",
    "keys that fall": b"\x86\x0c\x01\x01\xa2\x02\x00\x01\x00\xf6\x01",
    "a text for a key": encode([12, 1, 1, {"a": 1}, None, 1]),
    "text that is no UTF-8": b"\x86\x0c\x01\x0a\xa1\x01\x62\xc3\x28\xf6\x01",
    "text with a NUL": encode([1, {1: [1], 2: 0, 3: bytes(16), 4: 1, 10: "x\0"}]),
    "too deep": encode([12, 1, 1, {1: nested(9)}, None, 1]),
    "an empty list": encode([7, []]),
    "an unknown key in HELLO": encode([1, {1: [1], 2: 0, 3: bytes(16), 4: 1, 10: "x", 40: 1}]),
    "HELLO without its instance": encode([1, {1: [1], 2: 0, 4: 1, 10: "x"}]),
}


def expect_error(session, error, what):
    op, rest = session.receive(10) or (None, None)
    need((op, rest and ERRORS[rest[0]]), (Op.ERROR, error), what)
    return what, session


def expect_ends(refused):
    for what, session in refused:
        need(session.ended(), "closed", what)
        session.close()


def malformed_frames(home):
    refused = []
    for what, data in MALFORMED.items():
        session = opened(home)
        session.send_bytes(data)
        refused.append(expect_error(session, "malformed", what))
    expect_ends(refused)


def skipped_key(home):
    """A key from 64 up is room for later: skipped."""
    session = home.session(BULK)
    frame = hello(0, os.urandom(16), home.trust.version)
    frame[1][64] = "later"
    session.send(*frame)
    session.expect(Op.WELCOME)
    session.close()


def oversized(home):
    session = opened(home)
    session.send_bytes(bytes(FRAME_MAX + 1))
    need(session.ended(), "closed", "a frame over 65536 bytes")
    need(session.receive(0), None, "a frame over 65536 bytes")
    session.close()


def two_parts(home):
    """Dropped."""
    session = opened(home)
    session.socket.send_multipart([encode([2]), encode([2])])
    session.send(Op.QUERY, 1, 1, {}, None, 1)
    need((session.receive(10) or [None])[0], Op.RESULT, "after a message of two parts")
    session.close()


def before_hello(home):
    """Dropped, not answered: the first thing said is WELCOME."""
    session = home.session(BULK)
    session.send(Op.PING)
    session.send(Op.QUERY, 1, 1, {}, None, 1)
    session.send(*hello(0, os.urandom(16), home.trust.version))
    need((session.receive(10) or [None])[0], Op.WELCOME, "before HELLO")
    session.send(Op.PING)
    need((session.receive(10) or [None])[0], Op.PONG, "after HELLO")
    session.close()


def bad_hello(home):
    """home is of no node."""
    refused = []
    for what, error, frame in (
            ("a version that nobody speaks", "version",
             [1, {1: [99], 2: 0, 3: bytes(16), 4: 1, 10: "x"}]),
            ("a node without the role", "wrong-role",
             hello(1, os.urandom(16), home.trust.version))):
        session = home.session(BULK)
        session.send(*frame)
        refused.append(expect_error(session, error, what))
    expect_ends(refused)


def stranger(home):
    """A CURVE key that is on no card."""
    broker = home.trust.broker()
    public, secret = zmq.curve_keypair()
    session = Session(broker[3][0], broker[2], public, secret)
    session.send(*hello(0, os.urandom(16), 0))
    need(session.ended(), "refused", "a stranger's key")
    session.close()


# ---- submits ------------------------------------------------------------------------------------

def _changed(envelope, at, value):
    """The envelope with one element of its array replaced."""
    array_of = decode(envelope, tag=98)
    array_of[at] = value
    return encode(cbor2.CBORTag(98, array_of))


class Submits:
    """One session of a publisher with few grants, and alerts that each have one defect."""

    def __init__(self, home, other):
        self.home, self.other = home, other
        self.publisher = Publisher(home)

    def payload(self, **more):
        body = more.pop("body", b"x")
        more = {"topic": "rogue.x", "texts": [["en", "Rogue", ""]], **more}
        return self.publisher.alert_payload(body, **more)

    def sealed(self, payload, key=None, role=PUBLISHER, word="alert", program=None):
        return seal(word, program or self.home.program, payload, (key or self.home.sign, role))

    def answer(self, envelope):
        publisher = self.publisher
        error, fields = publisher.answer(BULK, publisher.request(BULK, Op.SUBMIT, envelope))
        return ERRORS[error], fields

    def defects(self):
        """(what, error, envelope)."""
        good, sealed = self.payload, self.sealed
        fine = sealed(good())
        fields, body = decode(good())
        stranger_key = nacl.signing.SigningKey.generate()
        other = os.urandom(16)
        signed = decode(fine, tag=98)[3]
        header = decode(decode(fine, tag=98)[0])
        now = now_ms()
        return [
            ("a bit of the signature", "bad-signature", fine[:-1] + bytes([fine[-1] ^ 1])),
            ("a bit of the body", "bad-signature", _changed(fine, 2, good())),
            ("signed for another program", "bad-signature", sealed(good(), program=other)),
            ("another program", "wrong-program", sealed(good(program=other))),
            ("a key that nobody knows", "unknown-key", sealed(good(), key=stranger_key)),
            ("an ack's type", "wrong-type", sealed(good(), word="ack")),
            ("a role it does not have", "wrong-role", sealed(good(), role=APPROVER)),
            ("another's alert", "denied",
             sealed(good(publisher=self.other.name), key=self.other.sign)),
            ("a topic not granted", "topic-denied", sealed(good(topic="advisory.x"))),
            ("a TLP not granted", "tlp-denied", sealed(good(tlp=3))),
            ("an emergency not granted", "denied", sealed(good(lane=1))),
            ("expired", "expired", sealed(good(created=now - 2 * HOUR, expires=now - HOUR))),
            ("from the day after tomorrow", "too-early",
             sealed(good(created=now + 25 * HOUR, expires=now + 26 * HOUR))),
            ("in force for two years", "too-large",
             sealed(good(expires=now + 2 * 366 * 24 * HOUR))),
            ("an unknown key", "malformed", sealed(encode([{**fields, 40: 1}, body]))),
            ("a missing key", "malformed",
             sealed(encode([{k: v for k, v in fields.items() if k != M.TOPIC}, body]))),
            ("no UUIDv7", "malformed", sealed(good(id=bytes(16)))),
            ("a handle with a space", "malformed", sealed(good(handle="A B"))),
            ("no title", "malformed", sealed(good(texts=[["en", "", ""]]))),
            ("a language twice", "malformed",
             sealed(good(texts=[["en", "A", ""], ["EN", "B", ""]]))),
            ("red without audience", "malformed", sealed(good(tlp=4))),
            ("expires before it is created", "malformed", sealed(good(expires=1))),
            ("marks that fall", "malformed", sealed(good(audience=[b"\2" * 16, b"\1" * 16]))),
            ("an empty list", "malformed", sealed(good(audience=[]))),
            ("a reference in a first alert", "malformed", sealed(good(references=[fields[1]]))),
            ("a cancel without reason", "malformed",
             sealed(good(kind=2, references=[self.publisher_id()]))),
            ("sizes that differ", "malformed", sealed(good(decoded_size=2))),
            ("a body too large to be inside", "too-large", sealed(good(body=bytes(32769)))),
            ("a bomb", "too-large", sealed(good(encoding=1, decoded_size=513))),
            ("an external emergency", "malformed", sealed(good(lane=1, body=[bytes(32), 9]))),
            ("an unprotected header", "malformed", _changed(fine, 1, {4: b"kid"})),
            ("no signature", "malformed", _changed(fine, 3, [])),
            ("the same signature twice", "malformed", _changed(fine, 3, signed * 2)),
            ("a content type of its own", "malformed",
             _changed(fine, 0, encode({**header, 3: "x/y"}))),
            ("another tag", "malformed", encode(cbor2.CBORTag(97, decode(fine, tag=98)))),
            ("a payload not deterministic", "malformed",
             sealed(b"\x9f" + good()[1:] + b"\xff")),
            ("a reference to nothing", "not-found",
             sealed(good(kind=1, references=[self.publisher_id()]))),
        ]

    def publisher_id(self):
        return decode(self.payload())[0][M.ID]

    def refused(self):
        for what, error, envelope in self.defects():
            need(self.answer(envelope)[0], error, what)

    def accepted(self):
        """A key from 64 up is skipped; the same again is answered the same, other content not."""
        fields, body = decode(self.payload())
        envelope = self.sealed(encode([{**fields, 64: "later"}, body]))
        first, again = self.answer(envelope), self.answer(envelope)
        need(first[0], "ok", "a key from 64 up")
        need(again, first, "the same again")
        need(self.answer(self.sealed(encode([fields, body])))[0], "conflict", "another content")
        need(self.answer(self.sealed(self.payload(handle=fields[M.HANDLE])))[0], "conflict",
             "a handle twice")
        return fields[M.ID]


def approvals(author, approver, other, nobody):
    """Of one emergency that the author submitted; other is an approver, too, nobody is none."""
    publisher = Publisher(author)
    payload = publisher.alert_payload(b"x", lane=EMERGENCY, topic="emergency.a",
                                      texts=[["en", "To be approved", ""]])
    alert = Alert(payload)
    need(publisher.submit(payload)[1][6], 1, "approvals that are missing")

    def signed(home, role=APPROVER, word="alert"):
        return signature(word, home.program, payload, home.sign, role)

    mine = Publisher(approver)
    flipped = signed(approver)
    flipped[2] = flipped[2][:-1] + bytes([flipped[2][-1] ^ 1])
    as_publisher = signed(approver, PUBLISHER)
    mixed = [signed(approver)[0], {}, as_publisher[2]]
    for what, error, by, alert_id, digest, one in (
            ("a bit of the approval", "bad-signature", mine, alert.id, alert.hash, flipped),
            ("a publisher's signature", "wrong-role", mine, alert.id, alert.hash, as_publisher),
            ("a publisher's as approver", "bad-signature", mine, alert.id, alert.hash, mixed),
            ("another content", "conflict", mine, alert.id, bytes(32), signed(approver)),
            ("nothing", "not-found", mine, os.urandom(16), alert.hash, signed(approver)),
            ("another's approval", "denied", mine, alert.id, alert.hash, signed(other)),
            ("without the role", "wrong-role", Publisher(nobody), alert.id, alert.hash,
             signed(nobody)),
            ("no signature", "malformed", mine, alert.id, alert.hash, [b"", {}, bytes(64)])):
        need(ERRORS[by.hand_in(alert_id, digest, one)[0]], error, what)
    # Who signed already adds nothing, and is answered as before.
    error, fields = publisher.hand_in(alert.id, alert.hash, signed(author))
    need((error, fields[2], fields[6]), (0, 0, 1), "the author's own approval")
    for _ in range(2):
        error, fields = mine.hand_in(alert.id, alert.hash, signed(approver))
        need((error, fields[2], fields[6]), (0, 1, 0), "a good approval, and again")


# ---- a node's -----------------------------------------------------------------------------------

def acks_and_fetches(home, known):
    """known: the id and payload hash of an alert that this node got."""
    session = opened(home, mode=1)
    alert_id, digest = known
    other = os.urandom(16)

    def ack(**more):
        fields = {1: alert_id, 2: digest, 3: home.name, 4: 9, 5: 0, 8: now_ms(), 9: True}
        fields.update({int(key[1:]): value for key, value in more.items()})
        return encode(fields)

    def sealed(payload, key=home.sign, program=home.program):
        return seal("ack", program, payload, (key, NODE))

    for what, error, envelope in (
            ("an ack of nothing", "not-found", sealed(ack(k1=other))),
            ("an ack of another content", "hash-mismatch", sealed(ack(k2=bytes(32)))),
            ("an ack for another", "denied", sealed(ack(k3="somebody"))),
            ("an ack by nobody", "unknown-key", sealed(ack(), nacl.signing.SigningKey.generate())),
            ("an ack for another program", "bad-signature", sealed(ack(), program=other))):
        session.send(Op.ACK, envelope)
        _, rest = session.expect(Op.ACK_OK)
        need(ERRORS[rest[2]], error, what)
    session.send(Op.FETCH, other, 0)
    need(session.expect(Op.BODY_GONE)[1], [other, ERRORS.index("not-found")], "a body of nothing")
    session.send(Op.REJECTED, [[other, 5]])
    need(session.expect(Op.REJECTED_OK)[1], [[other]], "a rejection of nothing")
    session.send(Op.QUERY, 7, 5, {1: alert_id}, None, 1)
    _, rest = session.expect(Op.RESULT)
    need(rest[0], 7, "a board not ours")
    if rest[1] == 0:
        raise AssertionError("a node was shown a board")
    session.close()
