# SPDX-License-Identifier: Apache-2.0
"""stranger - somebody without a key at a broker's port.

usage: stranger.py PORT WHAT COUNT     holds COUNT connections that each do WHAT, until the broker
has ended all of them; prints "ended COUNT". Exits 1 if one is still open after 20 s.

WHAT: mute      nothing at all
      garbage   bytes that are no ZMTP
      null      a whole ZMTP 3.1 greeting with mechanism NULL, then READY and a frame
      plain     the same with PLAIN
      huge      a CURVE greeting, then the head of a frame of 4 GiB and bytes of it
"""
import os
import select
import socket
import sys
import time


def greeting(mechanism):
    return b"\xff" + bytes(8) + b"\x7f" + b"\x03\x01" + mechanism.ljust(20, b"\0") + bytes(32)


def command(name, body=b""):
    content = bytes([len(name)]) + name + body
    return b"\x04" + bytes([len(content)]) + content


SAID = {
    "mute": b"",
    "garbage": os.urandom(512),
    "null": greeting(b"NULL") + command(b"READY", b"\x0bSocket-Type\0\0\0\x06DEALER")
            + b"\0\x02\x81\x02",
    "plain": greeting(b"PLAIN") + command(b"HELLO", b"\x05alice\x06secret") + b"\0\x02\x81\x02",
    "huge": greeting(b"CURVE") + b"\x02" + (1 << 32).to_bytes(8, "big") + bytes(1 << 20),
}


def main():
    port, what, count = int(sys.argv[1]), sys.argv[2], int(sys.argv[3])
    held = {}
    for _ in range(count):
        one = socket.create_connection(("127.0.0.1", port))
        one.setblocking(False)
        held[one] = SAID[what]
    until = time.monotonic() + 20
    while held and time.monotonic() < until:
        writers = [one for one, left in held.items() if left]
        readable, writable, _ = select.select(list(held), writers, [], 0.5)
        for one in writable:
            try:
                held[one] = held[one][one.send(held[one]):]
            except OSError:
                held[one] = b""
        for one in readable:
            try:
                ended = one.recv(65536) == b""
            except BlockingIOError:
                continue
            except OSError:
                ended = True
            if ended:
                one.close()
                del held[one]
    if held:
        sys.exit(f"{len(held)} of {count} are still open")
    print("ended", count)


main()
