# SPDX-License-Identifier: Apache-2.0
"""rubbish - a member that turned hostile, with valid keys, on both endpoints.

usage: rubbish.py HOME FRAMES        sends so many frames, most of them well-formed and wrong
       rubbish.py HOME --questions   asks for dear counts without end; prints "ready"

Exits 1 if the broker sends a frame that the document does not allow.
"""
import os
import random
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../interop"))
from tocsin_wire import *  # noqa: E402,F403 - the whole protocol is used

CONNECTIONS = 12
rnd = random.Random(1)


def number():
    return rnd.choice([0, 1, 2, 3, 16, 255, 49152, 65536, 2**32, 2**53, 2**63 - 1])


def some(most):
    return rnd.randbytes(rnd.randrange(most))


def alert_id():
    return rnd.choice([bytes(16), rnd.randbytes(16), b"\x01\x90" + rnd.randbytes(14)])


def question():
    what = rnd.choice([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11])
    args = {1: alert_id()} if what in (3, 5, 6) else {}
    if what == 6:
        args[2] = rnd.choice(["evil", "north", "x" * 63])
    if what in (7, 10):
        args[1] = rnd.choice(["last", "0190", "T-1", "-" * 60, "a" * 63])
    if what == 9:
        args[1] = some(200)
    place = rnd.choice([None, b"A", b"H", b"O" + bytes(24), b"Pvendor\0", b"\xff" * 60, some(80) or b"x"])
    return [12, number(), what, args, place, number()]


def hello_again():
    return hello(rnd.randrange(2), rnd.choice([bytes(16), b"\1" * 16]), rnd.choice([0, 1]),
                 subscriptions=rnd.choice([None, [], [">"], ["a.*", "b.>"]]),
                 epoch=rnd.choice([None, bytes(16)]), generation=rnd.choice([None, 1, 2]),
                 cursors=rnd.choice([None, [[0, 1, 1]], [[0, number(), 1], [1, number(), 2]]]),
                 lanes=rnd.choice([None, 1, 2, 3]))


FRAMES = (
    hello_again,
    lambda: [2],
    lambda: [3, number(), some(400)],
    lambda: [4, number(), alert_id(), bytes(32), some(200)],
    lambda: [5, number(), alert_id(), number(), some(2000)],
    lambda: [6, rnd.randrange(2), bytes(16), number(), number()],
    lambda: [7, [alert_id() for _ in range(rnd.choice([1, 1024]))]],
    lambda: [8, [[alert_id(), rnd.choice([5, 99])] for _ in range(rnd.choice([1, 256]))]],
    lambda: [9, some(500)],
    lambda: [10, alert_id(), number()],
    lambda: [11, {key: rnd.choice([1, -1, "x" * 500]) for key in range(rnd.randrange(20))}],
    question, question, question, question,
    lambda: [13, number(), number()],
    lambda: [14, number(), number(), number(), some(500)],
    lambda: [rnd.randrange(60), number()],
)


def opened(home, mode=None):
    session = home.session(rnd.randrange(2))
    session.send(*hello(rnd.randrange(2) if mode is None else mode, bytes([rnd.randrange(3)]) * 16,
                        home.trust.version, lanes=3))
    return session


def damaged(data):
    data = bytearray(data)
    data[rnd.randrange(len(data))] ^= 1 << rnd.randrange(8)
    return bytes(data[:rnd.randrange(1, len(data) + 1)])


def exchange(session, data):
    """False once the connection is over."""
    try:
        session.socket.send(data, zmq.DONTWAIT)
    except zmq.Again:
        return False  # the broker reads no more of it
    while session.socket.poll(0):
        read_frame(session.socket.recv())  # Refused: the broker's fault
    return session.is_open()


def rubbish(home, count):
    sessions = []
    for _ in range(count):
        while len(sessions) < CONNECTIONS:
            sessions.append(opened(home))
        data = encode(rnd.choice(FRAMES)())
        session = rnd.choice(sessions)
        if not exchange(session, damaged(data) if rnd.random() < 0.02 else data):
            session.close()
            sessions.remove(session)


def questions(home):
    now = now_ms()
    meta = {1: b"\x01\x90" + bytes(4) + b"\x70\x00\x80" + bytes(7), 2: "H-1", 3: home.program,
            4: home.name, 5: "a.b", 6: 0, 7: 0, 8: 4, 9: 0, 10: 0, 13: [["en", "T", ""]], 15: now,
            17: now + 3_600_000, 20: sorted(os.urandom(16) for _ in range(256)),
            21: "text/plain", 22: 0, 23: 5}
    asked = encode([12, 1, 9, {1: encode(meta)}, None, 1])
    sessions = [opened(home, mode=0) for _ in range(CONNECTIONS)]
    for session in sessions:
        session.expect(Op.WELCOME)
    under_way = [0] * CONNECTIONS
    print("ready", flush=True)
    while True:
        for at, session in enumerate(sessions):
            while under_way[at] < 60:
                session.socket.send(asked)
                under_way[at] += 1
            while session.socket.poll(0):
                op, _ = read_frame(session.socket.recv())
                under_way[at] -= op == Op.RESULT
            if not session.is_open():
                sys.exit("closed")


if __name__ == "__main__":
    member = Home(sys.argv[1])
    if sys.argv[2] == "--questions":
        questions(member)
    rubbish(member, int(sys.argv[2]))
