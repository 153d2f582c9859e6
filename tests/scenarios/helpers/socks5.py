#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""socks5.py - a SOCKS5 proxy (RFC 1928) on loopback: no authentication, CONNECT to names only.

usage: socks5.py PORT NAME=ADDRESS [NAME=ADDRESS...] [--rate BYTES]

Only it knows what the NAMEs are, so that who reaches one has gone through it. It prints "ready" and
then a line for each request: "connect NAME:PORT", or "refused ..." with the reply's number. --rate
is how many bytes a second a client may send on each connection.
"""
import asyncio, sys

VERSION, NO_AUTHENTICATION, CONNECT, BY_NAME = 5, 0, 1, 3
GRANTED, HOST_UNREACHABLE, REFUSED, NOT_SUPPORTED, WRONG_ADDRESS_TYPE = 0, 4, 5, 7, 8

def reply(code):
    return bytes([VERSION, code, 0, 1, 0, 0, 0, 0, 0, 0])

async def read_request(reader, writer):
    """The asked name and port, or the number of the refusal."""
    version, count = await reader.readexactly(2)
    if version != VERSION or NO_AUTHENTICATION not in await reader.readexactly(count):
        writer.write(bytes([VERSION, 0xFF]))
        raise ValueError("greeting")
    writer.write(bytes([VERSION, NO_AUTHENTICATION]))
    version, command, _, kind = await reader.readexactly(4)
    if kind != BY_NAME:
        return None, WRONG_ADDRESS_TYPE
    name = (await reader.readexactly((await reader.readexactly(1))[0])).decode("ascii")
    port = int.from_bytes(await reader.readexactly(2), "big")
    return (name, port), GRANTED if command == CONNECT else NOT_SUPPORTED

async def pump(reader, writer, rate):
    try:
        while data := await reader.read(max(512, rate // 20) if rate else 65536):
            writer.write(data)
            await writer.drain()
            if rate:
                await asyncio.sleep(len(data) / rate)
    except (ConnectionError, OSError):
        pass
    finally:
        writer.transport.abort()

async def serve(names, rate, reader, writer):
    try:
        asked, code = await read_request(reader, writer)
        if code == GRANTED and asked[0] not in names:
            code = HOST_UNREACHABLE
        if code == GRANTED:
            try:
                there, back = await asyncio.open_connection(names[asked[0]], asked[1])
            except OSError:
                code = REFUSED
        writer.write(reply(code))
        where = "%s:%d" % asked if asked else "an address"
        print(f"connect {where}" if code == GRANTED else f"refused {where} {code}", flush=True)
        if code == GRANTED:
            await asyncio.gather(pump(reader, back, rate), pump(there, writer, 0))
        else:
            await writer.drain()
    except (ValueError, ConnectionError, asyncio.IncompleteReadError):
        pass
    finally:
        writer.transport.close()

async def main():
    words, rate = sys.argv[1:], 0
    if "--rate" in words:
        at = words.index("--rate")
        rate = int(words[at + 1])
        del words[at:at + 2]
    names = dict(word.split("=", 1) for word in words[1:])
    await asyncio.start_server(lambda r, w: serve(names, rate, r, w), "127.0.0.1", int(words[0]))
    print("ready", flush=True)
    await asyncio.Event().wait()

asyncio.run(main())
