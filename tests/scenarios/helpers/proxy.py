#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""proxy.py - a TCP proxy on loopback that counts, cuts, stalls and slows.

usage: proxy.py CONTROL LISTEN=TARGET [LISTEN=TARGET...]

CONTROL is a Unix socket; each connection to it says one command and gets one JSON line:
  count          bytes and connections per listening port, both ways
  cut            closes every connection (new ones are accepted)
  refuse         closes every connection, and every new one at once
  accept         the end of refuse
  stall / flow   stop and go on reading in both directions
  rate BYTES     bytes a second towards the client, each connection; 0: no limit
  after BYTES    cuts all once so many more bytes went to clients (and says "armed")
"""
import asyncio, json, os, sys

class Proxy:
    def __init__(self):
        self.up, self.down, self.opened = {}, {}, {}
        self.writers, self.refusing, self.rate, self.after = set(), False, 0, None
        self.flowing = asyncio.Event(); self.flowing.set()

    def cut(self):
        for w in list(self.writers):
            w.transport.abort()

    async def pump(self, reader, writer, tally, port, to_client):
        try:
            while True:
                await self.flowing.wait()
                size = min(65536, max(512, self.rate // 20)) if self.rate and to_client else 65536
                data = await reader.read(size)
                if not data:
                    break
                tally[port] += len(data)
                writer.write(data)
                await writer.drain()
                if to_client and self.after is not None:
                    self.after -= len(data)
                    if self.after <= 0:
                        self.after = None
                        self.cut()
                if self.rate and to_client:
                    await asyncio.sleep(len(data) / self.rate)
        except (ConnectionError, OSError):
            pass
        finally:
            writer.transport.abort()

    async def serve(self, port, target, reader, writer):
        self.opened[port] += 1
        if self.refusing:
            writer.transport.abort()
            return
        try:
            there, back = await asyncio.open_connection("127.0.0.1", target)
        except OSError:
            writer.transport.abort()
            return
        pair = {writer, back}
        self.writers |= pair
        await asyncio.gather(self.pump(reader, back, self.up, port, False),
                             self.pump(there, writer, self.down, port, True))
        self.writers -= pair

    async def control(self, reader, writer):
        words = (await reader.readline()).decode().split()
        answer = {"done": words[0] if words else ""}
        if words[:1] == ["count"]:
            answer = {"up": self.up, "down": self.down, "opened": self.opened,
                      "total_up": sum(self.up.values()), "total_down": sum(self.down.values())}
        elif words[:1] == ["cut"]:
            self.cut()
        elif words[:1] == ["refuse"]:
            self.refusing = True; self.cut()
        elif words[:1] == ["accept"]:
            self.refusing = False
        elif words[:1] == ["stall"]:
            self.flowing.clear()
        elif words[:1] == ["flow"]:
            self.flowing.set()
        elif words[:1] == ["rate"]:
            self.rate = int(words[1])
        elif words[:1] == ["after"]:
            self.after = int(words[1])
        else:
            answer = {"error": "unknown command"}
        writer.write((json.dumps(answer) + "\n").encode())
        await writer.drain()
        writer.close()

async def main():
    control, routes = sys.argv[1], [a.split("=") for a in sys.argv[2:]]
    proxy = Proxy()
    for listen, target in routes:
        port = int(listen)
        proxy.up[port] = proxy.down[port] = proxy.opened[port] = 0
        await asyncio.start_server(
            lambda r, w, port=port, target=int(target): proxy.serve(port, target, r, w),
            "127.0.0.1", port)
    await asyncio.start_unix_server(proxy.control, control)
    print("ready", flush=True)
    await asyncio.Event().wait()

asyncio.run(main())
