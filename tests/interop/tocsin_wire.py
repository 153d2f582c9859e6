# SPDX-License-Identifier: Apache-2.0
"""tocsin_wire - signed objects, trust and the session, from docs/protocol.md alone.

Written to prove that the document is enough: it shares nothing with the C library. The checks
follow the CDDL of the document line by line; a name here is the name there.
"""
import hashlib
import os
import time
from enum import IntEnum

import cbor2
import nacl.bindings
import nacl.exceptions
import nacl.signing
import zmq
from zmq.utils.monitor import recv_monitor_message

from tocsin_cbor import (ERRORS, Refused, anything, array, bool_, bstr, decode, either, encode,
                         int_, malformed, many, null, table, tstr, uint)

PUBLISHER, APPROVER, NODE, OPERATOR, BROKER, AUTHORITY = 1, 2, 4, 8, 16, 32
BULK, EMERGENCY = 0, 1
INLINE_MAX, META_MAX, ENVELOPE_MAX, BODY_MAX = 32768, 12288, 48000, 157286400
FRAME_MAX, PIECE_MAX = 65536, 49152


def now_ms():
    return time.time_ns() // 1_000_000


def sha256(data):
    return hashlib.sha256(data).digest()


def text_order(value):
    return value.encode()


TIME_MAX = 253402300799999  # the end of the year 9999
ID, HASH, KEY, MS, UINT = bstr(16, 16), bstr(32, 32), bstr(32, 32), uint(0, TIME_MAX), uint()
NAME = tstr(63, r"[a-z0-9]([a-z0-9-]*[a-z0-9])?")
_TOKEN = "[a-z0-9_-]+"
TOPIC = tstr(128, rf"{_TOKEN}(\.{_TOKEN}){{0,15}}")
PATTERN = tstr(128, rf"(({_TOKEN}|\*)\.){{0,15}}({_TOKEN}|\*|>)")
TLP, LANE, ROLES = uint(0, 4), uint(0, 1), uint(0, 31)
PATTERNS = many(PATTERN, 0, 64)
ENVELOPE = bstr(1, ENVELOPE_MAX)


def ALERT_ID(value):
    """UUIDv7, RFC 9562 §5.7."""
    ID(value)
    if value[6] >> 4 != 7 or value[8] >> 6 != 2:
        malformed("an alert's id is a UUIDv7")


def some(high):
    """Text that is not empty."""
    return tstr(high, r"(?s).+")


def matches(pattern, topic):
    want, have = pattern.split("."), topic.split(".")
    if want[-1] == ">":
        want.pop()
        if len(have) <= len(want):
            return False
        have = have[:len(want)]
    return len(want) == len(have) and all(w in ("*", h) for w, h in zip(want, have))


# ---- §1 signed objects --------------------------------------------------------------------------

SIGNED = array(bstr(), table({}), bstr(), many(array(bstr(), table({}), bstr(64, 64)), 1, 8))


def kid(public):
    return sha256(bytes(public))[:16]


def external_aad(word, program):
    return b"tocsin/1/" + word.encode() + program


def body_header(word):
    return encode({2: [16], 3: "application/cbor", 16: "tocsin/" + word})


def signer_header(key_id, role):
    return encode({1: -8, 2: [-65537], 4: key_id, -65537: role})


def sig_structure(word, program, key_id, role, payload):
    """What a signer in that role on an object of that type signs."""
    aad_word = "approval" if word == "alert" and role == APPROVER else word
    return encode(["Signature", body_header(word), signer_header(key_id, role),
                   external_aad(aad_word, program), payload])


def signature(word, program, payload, key, role):
    """[protected, {}, signature] of one nacl SigningKey."""
    key_id = kid(key.verify_key)
    signed = key.sign(sig_structure(word, program, key_id, role, payload)).signature
    return [signer_header(key_id, role), {}, signed]


def signer_of(one):
    """(kid, role) of one signature, its header checked."""
    header = decode(one[0])
    if type(header) is not dict or sorted(header) != [-65537, 1, 2, 4]:
        malformed("a signer's header")
    ID(header[4])
    key_id, role = header[4], header[-65537]
    if role not in (1, 2, 4, 8, 16, 32) or one[0] != signer_header(key_id, role):
        malformed("a signer's header")
    return key_id, role


def envelope_of(word, payload, signatures):
    ordered = sorted(signatures, key=lambda one: signer_of(one)[0])
    return encode(cbor2.CBORTag(98, [body_header(word), {}, payload, ordered]))


def seal(word, program, payload, *signers):
    """The envelope of payload, signed by (SigningKey, role) each."""
    return envelope_of(word, payload,
                       [signature(word, program, payload, key, role) for key, role in signers])


def split(envelope, word):
    """payload and [(kid, role, signature bytes)] of an envelope; nothing is verified yet."""
    outer = decode(envelope, tag=98)
    SIGNED(outer)
    protected, _, payload, signatures = outer
    if protected != body_header(word):
        raise Refused("wrong-type")
    signers = [signer_of(one) + (one[2],) for one in signatures]
    kids = [one[0] for one in signers]
    if any(a >= b for a, b in zip(kids, kids[1:])):
        malformed("signatures are not ascending by kid")
    return payload, signers


def verify(word, program, payload, signer, public):
    key_id, role, signed = signer
    try:
        nacl.signing.VerifyKey(public).verify(
            sig_structure(word, program, key_id, role, payload), signed)
    except nacl.exceptions.BadSignatureError:
        raise Refused("bad-signature") from None


def open_by_authority(envelope, word, authority):
    """The payload of a card, roster or bundle: one signature, by the pinned key."""
    payload, signers = split(envelope, word)
    if len(signers) != 1 or signers[0][0] != kid(authority):
        raise Refused("unknown-key")
    if signers[0][1] != AUTHORITY:
        raise Refused("wrong-role")
    verify(word, kid(authority), payload, signers[0], authority)
    return payload


# ---- §2 alerts ----------------------------------------------------------------------------------

class M(IntEnum):
    """Keys of an alert's metadata."""
    ID, HANDLE, PROGRAM, PUBLISHER, TOPIC, LANE, URGENCY, TLP, STATUS, KIND = range(1, 11)
    REFERENCES, REASON, TEXTS, ASK, CREATED, NOT_BEFORE, EXPIRES, ACK_BY = range(11, 19)
    COMMUNITIES, AUDIENCE, CONTENT_TYPE, ENCODING, DECODED_SIZE, CANCEL_WORDS = range(19, 25)


LANG = tstr(35, r"[A-Za-z]{1,8}(-[A-Za-z0-9]{1,8})*")
CONTENT_TYPE = tstr(127, r"[A-Za-z0-9][A-Za-z0-9!#$&^_.+-]*/[A-Za-z0-9][A-Za-z0-9!#$&^_.+-]*")
METADATA = table(
    {M.ID: ALERT_ID, M.HANDLE: tstr(32, r"[A-Za-z0-9._-]+"), M.PROGRAM: ID, M.PUBLISHER: NAME,
     M.TOPIC: TOPIC, M.LANE: LANE, M.URGENCY: uint(0, 4), M.TLP: TLP, M.STATUS: uint(0, 2),
     M.KIND: uint(0, 2), M.TEXTS: many(array(LANG, some(256), tstr(2048)), 1, 8), M.CREATED: MS,
     M.EXPIRES: MS, M.CONTENT_TYPE: CONTENT_TYPE, M.ENCODING: uint(0, 1),
     M.DECODED_SIZE: uint(0, BODY_MAX)},
    {M.REFERENCES: many(ALERT_ID, 1, 16), M.REASON: uint(0, 1), M.ASK: some(512),
     M.NOT_BEFORE: uint(1, TIME_MAX), M.ACK_BY: uint(1, TIME_MAX),
     M.COMMUNITIES: many(NAME, 1, 16, text_order), M.AUDIENCE: many(ID, 1, 256, bytes),
     M.CANCEL_WORDS: some(512)})
BODY = either(bstr(0, INLINE_MAX), array(HASH, UINT))


def audience_mark(alert_id, audience_id):
    return hashlib.blake2b(alert_id + audience_id, digest_size=16).digest()


class Alert:
    """An alert's payload, its form checked; trust is Trust.alert's."""

    def __init__(self, payload):
        top = decode(payload)
        array(anything, BODY)(top)
        self.payload, (self.meta, self.body) = payload, top
        meta = self.meta
        METADATA(meta)
        if len(encode(meta)) > META_MAX:
            raise Refused("too-large", "metadata")
        kind = meta[M.KIND]
        if (kind == 0) == (M.REFERENCES in meta) or (kind == 2) != (M.REASON in meta):
            malformed("references or reason do not go with the kind")
        if M.CANCEL_WORDS in meta and kind != 2:
            malformed("cancel's words without a cancel")
        references = meta.get(M.REFERENCES, [])
        if len(set(references)) != len(references) or meta[M.ID] in references:
            malformed("a reference twice, or to itself")
        langs = [one[0].lower() for one in meta[M.TEXTS]]
        if len(set(langs)) != len(langs):
            malformed("a language twice")
        if meta[M.EXPIRES] <= meta[M.CREATED]:
            malformed("expires before it was created")
        if meta.get(M.NOT_BEFORE, 0) >= meta[M.EXPIRES]:
            malformed("not before is no time before it expires")
        if meta.get(M.ACK_BY, TIME_MAX) <= meta[M.CREATED]:
            malformed("to be acknowledged before it was created")
        if meta[M.TLP] == 4 and M.AUDIENCE not in meta:
            malformed("TLP red without an audience")
        if meta[M.LANE] == EMERGENCY and not self.inline:
            malformed("an emergency's body is not inline")
        if meta[M.ENCODING] == 0 and self.size != meta[M.DECODED_SIZE]:
            malformed("sizes differ without encoding")
        if meta[M.DECODED_SIZE] > 512 * self.size:
            raise Refused("too-large", "decoded size")

    @property
    def inline(self):
        return type(self.body) is bytes

    @property
    def size(self):
        return len(self.body) if self.inline else self.body[1]

    @property
    def id(self):
        return self.meta[M.ID]

    @property
    def hash(self):
        return sha256(self.payload)

    def approvals_needed(self, policy):
        if self.meta[M.LANE] != EMERGENCY or self.meta[M.STATUS] != 0:
            return 0
        return 1 if self.meta[M.KIND] == 2 else policy[1]


# ---- §3 membership ------------------------------------------------------------------------------

STATE = either(array(uint(0, 0)), array(uint(1, 3), MS))
CARD = table({
    1: ID, 2: NAME, 3: UINT, 4: ROLES,
    5: many(array(uint(1, 3), int_, KEY, MS, MS), 1, 8), 6: TLP, 7: PATTERNS, 8: PATTERNS,
    9: bool_, 10: many(NAME, 0, 16, text_order), 11: ID, 12: MS, 13: MS, 14: STATE})
ROSTER = table({1: ID, 2: tstr(), 3: UINT, 4: MS, 5: MS,
                6: many(array(NAME, HASH), 0, 100000, lambda one: text_order(one[0]))})
ISSUER = table({1: NAME, 2: ROLES, 3: many(array(KEY, MS, MS), 1, 8), 4: PATTERNS, 5: TLP,
                6: bool_, 7: STATE})
BROKER_ENTRY = table({1: NAME, 2: KEY, 3: many(tstr(), 1, 4), 4: many(tstr(), 1, 4)})
POLICY = table({1: uint(1, 8), 2: UINT, 3: UINT, 4: UINT, 5: UINT})
BUNDLE = table({1: ID, 2: tstr(), 3: UINT, 4: MS, 5: MS,
                6: many(ISSUER, 0, 100000, lambda one: text_order(one[1])),
                7: many(BROKER_ENTRY, 1, 8), 8: POLICY})
TRUST_FILE = array(bstr(), bstr(), many(bstr(), 0, 100000))
INVITE = array(KEY, bstr(), bstr())
ACK = table({1: ID, 2: HASH, 3: NAME, 4: UINT, 5: uint(0, 5), 8: MS, 9: bool_},
            {6: tstr(), 7: tstr()})
ANSWERS = ["seen", "acting", "done", "not-applicable", "declined", "help"]


def open_object(envelope, word, check, authority):
    """A card, roster or bundle of the pinned authority and its program, as a map."""
    value = decode(open_by_authority(envelope, word, authority))
    check(value)
    if value[1] != kid(authority):
        raise Refused("wrong-program")
    return value


class Trust:
    """A bundle and the judgment of alerts by it."""

    def __init__(self, authority, envelope):
        self.authority, self.program, self.envelope = authority, kid(authority), envelope
        self.bundle = open_object(envelope, "bundle", BUNDLE, authority)
        self.version, self.policy = self.bundle[3], self.bundle[8]
        self.by_kid = {kid(key[0]): (issuer, key)
                       for issuer in self.bundle[6] for key in issuer[3]}

    def adopt(self, envelope):
        """The Trust of a newer bundle, or Refused."""
        newer = Trust(self.authority, envelope)
        if newer.version <= self.version:
            raise Refused("stale")
        if newer.bundle[5] <= max(now_ms(), self.bundle[4]):
            raise Refused("expired")
        return newer

    def broker(self):
        return self.bundle[7][0]

    def _signer(self, alert, signer):
        """The issuer that made this signature; it is verified."""
        if signer[0] not in self.by_kid:
            raise Refused("unknown-key")
        issuer, (public, valid_from, valid_until) = self.by_kid[signer[0]]
        created = alert.meta[M.CREATED]
        if not issuer[2] & signer[1]:
            raise Refused("wrong-role")
        # The author signed when it was created, an approver some time before it expires.
        is_author = issuer[1] == alert.meta[M.PUBLISHER]
        if valid_until <= created or valid_from > (
                created if is_author else alert.meta[M.EXPIRES] - 1):
            raise Refused("expired", "the key")
        if issuer[7][0] != 0 and created >= issuer[7][1]:
            raise Refused("voided" if issuer[7][0] == 3 else "revoked")
        verify("alert", self.program, alert.payload, signer, public)
        return issuer

    def alert(self, envelope):
        """The Alert of an envelope, everything verified, and the names of who signed."""
        if len(envelope) > ENVELOPE_MAX:
            raise Refused("too-large")
        payload, signers = split(envelope, "alert")
        alert = Alert(payload)
        meta = alert.meta
        if meta[M.PROGRAM] != self.program:
            raise Refused("wrong-program")
        issuers = [self._signer(alert, one) for one in signers]
        names = [issuer[1] for issuer in issuers]
        if len(set(names)) != len(names):
            raise Refused("malformed", "a member signed twice")
        self._author(meta, list(zip(issuers, signers)))
        approvers = sum(1 for issuer in issuers if issuer[2] & APPROVER)
        if approvers < alert.approvals_needed(self.policy):
            raise Refused("not-deliverable", "approvals are missing")
        return alert, names

    def _author(self, meta, signed):
        authors = [(i, s) for i, s in signed if i[1] == meta[M.PUBLISHER]]
        if len(authors) != 1:
            raise Refused("wrong-role", "the publisher did not sign")
        issuer, signer = authors[0]
        if signer[1] != PUBLISHER and not (meta[M.KIND] == 2 and signer[1] == APPROVER):
            raise Refused("wrong-role")
        if any(s[1] != APPROVER for i, s in signed if i is not issuer):
            raise Refused("wrong-role", "two authors")
        if meta[M.TLP] > issuer[5]:
            raise Refused("tlp-denied")
        if signer[1] == PUBLISHER:
            if not any(matches(pattern, meta[M.TOPIC]) for pattern in issuer[4]):
                raise Refused("topic-denied")
            if meta[M.LANE] == EMERGENCY and not issuer[6]:
                raise Refused("denied", "no emergencies")


class Home:
    """A member's home, as the document says what lies there."""

    def __init__(self, path):
        words = self._words(os.path.join(path, "member.keys"), "tocsin-keys 1")
        pinned = self._words(os.path.join(path, "authority.pub"), "tocsin-authority-public 1")
        self.name, self.authority = words["name"], bytes.fromhex(pinned["sign"])
        self.program = kid(self.authority)
        self.sign = nacl.signing.SigningKey(bytes.fromhex(words["sign"]))
        self.transport = bytes.fromhex(words["transport"])
        self.transport_public = nacl.bindings.crypto_scalarmult_base(self.transport)
        with open(os.path.join(path, "bundle"), "rb") as file:
            self.trust = Trust(self.authority, file.read())
        with open(os.path.join(path, "card"), "rb") as file:
            self.card = open_object(file.read(), "card", CARD, self.authority)
        mine = [key[2] for key in self.card[5]]
        if self.transport_public not in mine or bytes(self.sign.verify_key) not in mine:
            raise Refused("conflict", "the card is not of these keys")

    @staticmethod
    def _words(path, kind):
        with open(path, encoding="ascii") as file:
            lines = [line.rstrip("\r\n") for line in file]
        lines = [line for line in lines if line and not line.startswith("#")]
        if lines[0] != kind:
            malformed(f"{path} does not begin with {kind}")
        return dict(line.split(" ", 1) for line in lines[1:])

    def session(self, lane):
        """A connection to the first endpoint of the first broker for that lane."""
        broker = self.trust.broker()
        return Session(broker[4 if lane == EMERGENCY else 3][0], broker[2],
                       self.transport_public, self.transport)


# ---- §4 transport, §5 session -------------------------------------------------------------------

class Op(IntEnum):
    HELLO, PING, SUBMIT, APPROVE, UPLOAD, RECEIPT, BODIES = range(1, 8)
    REJECTED, ACK, FETCH, METRICS, QUERY, TRUST_GET, ROSTER_PUT = range(8, 15)
    WELCOME, TRUST, CARD, ALERTS, ANSWER, BODIES_OK, ACK_OK = range(32, 39)
    BODY, BODY_GONE, RESULT, PONG, GENERATION, ERROR, REJECTED_OK = range(39, 46)


ERROR_NR = uint(0, len(ERRORS) - 1)
ANSWER = table({}, {1: ID, 2: uint(0, 1), 3: UINT, 4: tstr(), 5: UINT, 6: UINT, 7: UINT, 8: NAME,
                    9: tstr()})
# What a broker may send; what follows the op.
FROM_BROKER = {
    Op.WELCOME: array(table({1: UINT, 2: ID, 3: UINT, 4: UINT, 5: MS, 6: NAME, 7: UINT,
                             8: many(array(LANE, UINT), 0, 2), 9: UINT, 10: UINT})),
    Op.TRUST: array(UINT, UINT, UINT, bstr()),
    Op.CARD: array(bstr()),
    Op.ALERTS: array(LANE, UINT, UINT, UINT, many(array(UINT, ENVELOPE), 0, 1024)),
    Op.ANSWER: array(UINT, ERROR_NR, ANSWER),
    Op.BODIES_OK: array(many(ID, 1, 1024)),
    Op.ACK_OK: array(ID, UINT, ERROR_NR),
    Op.BODY: array(ID, UINT, UINT, bstr(0, PIECE_MAX)),
    Op.BODY_GONE: array(ID, ERROR_NR),
    Op.RESULT: array(UINT, ERROR_NR, many(table({}, {k: anything for k in range(64)}), 0, 256),
                     either(bstr(), null), tstr()),
    Op.PONG: array(),
    Op.GENERATION: array(UINT),
    Op.ERROR: array(ERROR_NR, tstr()),
    Op.REJECTED_OK: array(many(ID, 1, 256)),
}


def read_frame(data):
    """(op, rest) of a broker's frame."""
    if len(data) > FRAME_MAX:
        raise Refused("too-large")
    frame = decode(data)
    if type(frame) is not list or not frame or frame[0] not in FROM_BROKER:
        malformed("no frame of a broker")
    FROM_BROKER[frame[0]](frame[1:])
    return Op(frame[0]), frame[1:]


class Session:
    """One DEALER to one endpoint of the broker."""

    def __init__(self, endpoint, server_key, public, secret, context=None):
        self.socket = (context or zmq.Context.instance()).socket(zmq.DEALER)
        self.socket.curve_serverkey = server_key
        self.socket.curve_publickey = public
        self.socket.curve_secretkey = secret
        self.socket.maxmsgsize = FRAME_MAX
        self.socket.linger = 0
        self.socket.ipv6 = True
        self.socket.reconnect_ivl = -1  # one connection; who wants another makes another Session
        self.events = self.socket.get_monitor_socket(
            zmq.EVENT_CLOSED | zmq.EVENT_DISCONNECTED | zmq.EVENT_HANDSHAKE_FAILED_AUTH
            | zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL)
        self.events.linger = 0
        self.socket.connect("tcp://" + endpoint)

    def send(self, *frame):
        self.send_bytes(encode(list(frame)))

    def send_bytes(self, data):
        self.socket.send(data)

    def receive(self, seconds):
        """The next frame, or None after that time."""
        if not self.socket.poll(int(seconds * 1000)):
            return None
        return read_frame(self.socket.recv())

    def expect(self, *ops, seconds=20):
        """The next frame of one of these ops; others are passed over, ERROR raises."""
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0:
            got = self.receive(left)
            if got is None:
                break
            if got[0] in ops:
                return got
            if got[0] == Op.ERROR:
                raise Refused(ERRORS[got[1][0]], got[1][1])
        raise TimeoutError(f"no {'/'.join(op.name for op in ops)} in {seconds} s")

    def ended(self, seconds=10):
        """How the connection ended; TimeoutError if it did not."""
        if not self.events.poll(int(seconds * 1000)):
            raise TimeoutError(f"still connected after {seconds} s")
        event = recv_monitor_message(self.events)["event"]
        return "refused" if event == zmq.EVENT_HANDSHAKE_FAILED_AUTH else "closed"

    def is_open(self):
        return not self.events.poll(0)

    def close(self):
        self.socket.disable_monitor()
        self.socket.close()


def hello(mode, instance, trust_version, **more):
    """A HELLO frame; more: subscriptions, epoch, generation, cursors, lanes."""
    fields = {1: [1], 2: mode, 3: instance, 4: trust_version, 10: "interop 1"}
    for key, name in enumerate(("subscriptions", "epoch", "generation", "cursors", "lanes"), 5):
        if more.get(name) is not None:
            fields[key] = more[name]
    return [int(Op.HELLO), fields]
