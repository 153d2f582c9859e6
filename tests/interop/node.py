#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""node - a node in Python: receives, verifies, keeps, receipts, fetches bodies, acknowledges.

usage: node.py --home HOME --state DIR

Says what happens as one JSON object a line on stdout. Takes commands as JSON lines on stdin:
{"ack": ID, "answer": 0..5, "by": NAME, "note": TEXT}, {"quit": true}.
"""
import argparse
import json
import os
import sys
import time

import zmq

from tocsin_wire import *  # noqa: F403 - the whole protocol is used
from tocsin_zstd import decode_body

LANE_BIT = {BULK: 1, EMERGENCY: 2}
FETCH_WINDOW, METRICS_SECONDS = 16, 30


class Store:
    """What must survive: one file, replaced in one step; and bodies, a file each."""

    def __init__(self, folder):
        self.folder, self.path = folder, os.path.join(folder, "state")
        os.makedirs(folder, mode=0o700, exist_ok=True)
        self.instance, self.epoch, self.generation = os.urandom(16), None, 0
        self.cursors, self.alerts = {}, {}  # lane → (seq, tag); id → envelope
        self.bodies_due, self.counters, self.bundle = [], {}, None
        if os.path.exists(self.path):
            with open(self.path, "rb") as file:
                (self.instance, self.epoch, self.generation, cursors, self.alerts,
                 self.bodies_due, self.counters, self.bundle) = cbor2.loads(file.read())
            self.cursors = {lane: tuple(cursor) for lane, cursor in cursors.items()}

    def commit(self):
        self.write(self.path, cbor2.dumps(
            [self.instance, self.epoch, self.generation, self.cursors, self.alerts,
             self.bodies_due, self.counters, self.bundle]))

    def write(self, path, data):
        with open(path + ".new", "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.rename(path + ".new", path)
        folder = os.open(self.folder, os.O_RDONLY)
        os.fsync(folder)
        os.close(folder)

    def body_path(self, alert_id):
        return os.path.join(self.folder, alert_id.hex())


class Fetch:
    """An external body on its way: pieces of PIECE_MAX, several under way."""

    def __init__(self, alert):
        self.alert, self.total = alert, alert.size
        self.pieces, self.asked = {}, 0

    def more(self):
        """Offsets to ask for now."""
        while self.asked < self.total and self.asked - self.got() < FETCH_WINDOW * PIECE_MAX:
            yield self.asked
            self.asked += PIECE_MAX

    def got(self):
        return sum(len(piece) for piece in self.pieces.values())

    def whole(self):
        """The body, checked; None while pieces are missing."""
        if self.got() < self.total:
            return None
        data = b"".join(self.pieces[offset] for offset in sorted(self.pieces))
        if len(data) != self.total or sha256(data) != self.alert.body[0]:
            raise Refused("hash-mismatch")
        return data


class Node:
    def __init__(self, home, store):
        self.home, self.store, self.trust, self.card = home, store, home.trust, home.card
        if store.bundle:
            held = Trust(home.authority, store.bundle)
            self.trust = max(self.trust, held, key=lambda trust: trust.version)
        self.parked, self.fetches, self.to_send, self.bundle_pieces = [], {}, [], {}
        self.typed = b""
        self.heartbeat, self.said, self.started = 15.0, time.monotonic(), time.monotonic()
        self.metrics_at, self.rejected, self.offset = self.started + METRICS_SECONDS, 0, 0
        self.sessions, self.again_at, self.failures = {}, {}, {}
        self.poller = zmq.Poller()
        self.poller.register(sys.stdin.fileno(), zmq.POLLIN)
        for lane in (BULK, EMERGENCY):
            self.connect(lane)

    def say(self, event, **more):
        print(json.dumps({"event": event, **more}), flush=True)

    def send(self, lane, *frame):
        """After the next commit."""
        self.to_send.append((lane, frame))

    def connect(self, lane):
        session = self.sessions[lane] = self.home.session(lane)
        self.poller.register(session.socket, zmq.POLLIN)
        self.poller.register(session.events, zmq.POLLIN)
        self.again_at.pop(lane, None)
        self.greet(lane)

    def lost(self, lane):
        """The connection ended; the next one a little later each time, until WELCOME."""
        session = self.sessions.pop(lane)
        self.poller.unregister(session.socket)
        self.poller.unregister(session.events)
        session.close()
        failures = self.failures[lane] = self.failures.get(lane, 0) + 1
        self.again_at[lane] = time.monotonic() + min(0.05 * 2**failures, 10)
        self.parked = [frame for frame in self.parked if frame[0] != lane]
        if lane == BULK:
            self.fetches = {}
        self.say("lost", lane=lane)

    def greet(self, lane):
        store, cursor = self.store, self.store.cursors.get(lane)
        self.sessions[lane].send(*hello(
            1, store.instance, self.trust.version, epoch=store.epoch,
            generation=store.generation if store.epoch else None, lanes=LANE_BIT[lane],
            cursors=[[lane, *cursor]] if store.epoch and cursor else None))

    # ---- frames ---------------------------------------------------------------------------------

    def welcome(self, lane, fields):
        if fields[1] != 1:
            raise Refused("version")
        if (fields[2], fields[3]) != (self.store.epoch, self.store.generation):
            self.store.epoch, self.store.generation, self.store.cursors = fields[2], fields[3], {}
        for of_lane, start in fields[8]:
            if start < self.store.cursors.get(of_lane, (0, 0))[0]:
                del self.store.cursors[of_lane]
        self.failures[lane] = 0
        self.heartbeat, self.offset = fields[7] / 1000, now_ms() - fields[5]
        if lane == BULK:
            self.metrics_at = time.monotonic()
        self.say("welcome", lane=lane, starts=fields[8], trust=fields[4], generation=fields[3])
        if lane == BULK:
            for alert_id in self.store.bodies_due:
                self.fetch(self.trust.alert(self.store.alerts[alert_id])[0])

    def on_trust(self, lane, version, total, offset, data):
        pieces = self.bundle_pieces.get(lane, b"") if offset else b""
        if version <= self.trust.version or offset != len(pieces):
            return
        self.bundle_pieces[lane] = pieces + data
        if len(pieces + data) < total:
            self.send(lane, Op.TRUST_GET, version, len(pieces + data))
            return
        self.trust = self.trust.adopt(pieces + data)
        self.store.bundle = pieces + data
        self.say("trust", version=self.trust.version)
        parked, self.parked = self.parked, []
        for frame in parked:
            self.alerts(*frame)

    def on_card(self, envelope):
        card = open_object(envelope, "card", CARD, self.home.authority)
        if card[2] != self.home.name or card[3] < self.card[3]:
            raise Refused("conflict", "not our card, or an old one")
        self.card = card
        self.say("card", version=card[3])

    def alerts(self, lane, need, complete_to, tag, items):
        if need > self.trust.version:
            self.parked.append((lane, need, complete_to, tag, items))
            self.say("parked", need=need)
            return
        for seq, envelope in items:
            try:
                self.alert(*self.trust.alert(envelope), envelope, seq)
            except Refused as error:
                alert_id = Alert(split(envelope, "alert")[0]).id
                self.send(lane, Op.REJECTED, [[alert_id, ERRORS.index(error.error)]])
                self.rejected += 1
                self.say("rejected", id=alert_id.hex(), error=error.error)
        self.store.cursors[lane] = (complete_to, tag)
        self.send(lane, Op.RECEIPT, lane, self.store.epoch, complete_to, tag)
        self.say("receipt", lane=lane, seq=complete_to)

    def alert(self, alert, signers, envelope, seq):
        held = self.store.alerts.get(alert.id)
        if held is not None:
            if split(held, "alert")[0] != alert.payload:
                raise Refused("conflict")
            self.say("again", id=alert.id.hex())
            return
        self.store.alerts[alert.id] = envelope
        meta = alert.meta
        self.say("alert", id=alert.id.hex(), lane=meta[M.LANE], seq=seq,
                 title=meta[M.TEXTS][0][1], publisher=meta[M.PUBLISHER],
                 signers=sorted(signers), inline=alert.inline,
                 kind=meta[M.KIND], references=[one.hex() for one in meta.get(M.REFERENCES, [])],
                 for_us=audience_mark(alert.id, self.card[11]) in meta.get(M.AUDIENCE, []),
                 approvals_needed=alert.approvals_needed(self.trust.policy))
        if alert.inline:
            self.keep_body(alert, alert.body)
        else:
            self.store.bodies_due.append(alert.id)
            self.fetch(alert)

    def keep_body(self, alert, encoded):
        decoded = decode_body(encoded, alert.meta[M.ENCODING], alert.meta[M.DECODED_SIZE])
        self.store.write(self.store.body_path(alert.id), decoded)
        self.say("body", id=alert.id.hex(), sha256=sha256(decoded).hex(),
                 encoding=alert.meta[M.ENCODING])

    def fetch(self, alert):
        self.fetches[alert.id] = Fetch(alert)
        self.ask(self.fetches[alert.id])

    def ask(self, fetch):
        for offset in fetch.more():
            self.send(BULK, Op.FETCH, fetch.alert.id, offset)

    def body(self, alert_id, offset, total, data):
        fetch = self.fetches.get(alert_id)
        if fetch is None or total != fetch.total or not data:
            return
        fetch.pieces[offset] = data
        self.ask(fetch)
        whole = fetch.whole()
        if whole is not None:
            del self.fetches[alert_id]
            self.keep_body(fetch.alert, whole)
            self.send(BULK, Op.BODIES, [alert_id])

    def frame(self, lane, op, rest):
        if op == Op.WELCOME:
            self.welcome(lane, *rest)
        elif op == Op.TRUST:
            self.on_trust(lane, *rest)
        elif op == Op.CARD:
            self.on_card(*rest)
        elif op == Op.ALERTS:
            self.alerts(*rest)
        elif op == Op.BODY:
            self.body(*rest)
        elif op == Op.BODIES_OK:
            self.store.bodies_due = [one for one in self.store.bodies_due if one not in rest[0]]
            self.say("bodies-ok", ids=[one.hex() for one in rest[0]])
        elif op == Op.GENERATION and rest[0] > self.store.generation:
            self.store.generation, self.store.cursors = rest[0], {}
            self.say("generation", generation=rest[0])
        elif op == Op.ACK_OK:
            self.say("ack-ok", id=rest[0].hex(), counter=rest[1], error=ERRORS[rest[2]])
        elif op in (Op.BODY_GONE, Op.ERROR):
            self.say(op.name.lower().replace("_", "-"), what=str(rest))

    def metrics(self):
        """§7."""
        store, disk = self.store, os.statvfs(self.store.folder)
        seqs = [store.cursors.get(lane, (0, 0))[0] for lane in (BULK, EMERGENCY)]
        self.send(BULK, Op.METRICS, {
            1: seqs[BULK], 2: seqs[EMERGENCY], 3: len(self.fetches),
            4: disk.f_bavail * disk.f_frsize, 5: self.offset, 6: "interop 1", 7: self.rejected,
            8: len(self.parked), 10: int((time.monotonic() - self.started) * 1000),
            11: self.trust.version, 12: len(store.alerts), 14: 0})
        self.metrics_at = time.monotonic() + METRICS_SECONDS

    # ---- commands -------------------------------------------------------------------------------

    def ack(self, command):
        alert_id = bytes.fromhex(command["ack"].replace("-", ""))
        payload = split(self.store.alerts[alert_id], "alert")[0]
        counter = self.store.counters[alert_id] = self.store.counters.get(alert_id, 0) + 1
        fields = {1: alert_id, 2: sha256(payload), 3: self.home.name, 4: counter,
                  5: command["answer"], 8: now_ms(), 9: False}
        fields.update({key: command[word] for key, word in ((6, "by"), (7, "note"))
                       if command.get(word)})
        ACK(fields)
        lane = Alert(payload).meta[M.LANE]
        self.send(lane, Op.ACK, seal("ack", self.home.program, encode(fields),
                                     (self.home.sign, NODE)))

    def turn(self):
        """Commit, then speak."""
        self.store.commit()
        to_send, self.to_send = self.to_send, []
        for lane, frame in to_send:
            if lane in self.sessions:
                self.sessions[lane].send(*frame)
            if lane == BULK:
                self.said = time.monotonic()

    def commands(self, data):
        """False: the end."""
        *lines, self.typed = (self.typed + data).split(b"\n")
        commands = [json.loads(line) for line in lines]
        for command in commands:
            if "ack" in command:
                self.ack(command)
        return data and not any("quit" in command for command in commands)

    def clock(self):
        """What is due now."""
        now = time.monotonic()
        for lane in [lane for lane, at in self.again_at.items() if at <= now]:
            self.connect(lane)
        if now >= self.metrics_at:
            self.metrics()
        elif now >= self.said + self.heartbeat:
            self.send(BULK, Op.PING)
            self.said = now

    def run(self):
        stdin, going = sys.stdin.fileno(), True
        while going:
            due = min(self.said + self.heartbeat, self.metrics_at, *self.again_at.values())
            ready = dict(self.poller.poll(max(0.0, due - time.monotonic()) * 1000))
            self.clock()
            for lane in (EMERGENCY, BULK):
                session = self.sessions.get(lane)
                if session and session.socket in ready:
                    self.frame(lane, *session.receive(0))
                elif session and session.events in ready:
                    self.lost(lane)
            if stdin in ready:
                going = self.commands(os.read(stdin, 65536))
            self.turn()


def main():
    parser = argparse.ArgumentParser(description="a Tocsin node")
    parser.add_argument("--home", required=True)
    parser.add_argument("--state", required=True)
    options = parser.parse_args()
    Node(Home(options.home), Store(options.state)).run()


if __name__ == "__main__":
    main()
