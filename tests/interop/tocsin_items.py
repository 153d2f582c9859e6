# SPDX-License-Identifier: Apache-2.0
"""tocsin_items - what queries (§6), metrics (§7) and the agent's local socket (§8) answer with."""
import os
import socket
import struct

from tocsin_wire import *  # noqa: F403 - the whole protocol is used

OR_NULL = {"uint": either(UINT, null), "ms": either(MS, null)}
STATUS_ITEM = table({
    1: NAME, 2: tstr(), 3: UINT, 4: MS, 5: ID, 6: UINT, 7: UINT, 8: array(UINT, UINT), 9: UINT,
    10: UINT, 11: UINT, 12: UINT, 13: many(tstr(), 0, 64), 14: UINT})
ALERT_ITEM = table({
    1: ID, 2: tstr(32), 3: OR_NULL["uint"], 4: LANE, 5: TOPIC, 6: TLP, 7: uint(0, 2), 8: tstr(256),
    9: NAME, 10: MS, 11: uint(0, 6), 12: uint(0, 2), 13: MS, 14: MS, 15: UINT,
    16: many(NAME, 0, 8), 17: uint(0, 7), 18: OR_NULL["ms"], 19: UINT, 20: UINT, 21: HASH})
ENVELOPE_ITEM = table({1: ENVELOPE})
BOARD_ITEM = table({1: NAME, 2: uint(0, 4)},
                   {3: MS, 4: UINT, 5: uint(0, 5), 6: MS, 7: tstr(), 8: tstr(), 9: UINT, 10: bool_})
TERMS = ["role", "card", "subscription", "grant", "clearance", "community", "audience", "in-force",
         "verdict"]
EXPLAIN_ITEM = table({1: tstr(pattern="|".join(TERMS)), 2: bool_, 3: tstr()})


def metrics(value):
    table({}, {key: either(int_, tstr()) for key in range(1, 15)})(value)


METRICS_ITEM = table({1: NAME, 2: MS, 3: metrics})
CARD_ITEM = table({1: bstr()})
COUNT_ITEM = table({1: UINT})
RESOLVE_ITEM = table({1: ID})
# By the query's number.
QUERY_ITEMS = [None, STATUS_ITEM, ALERT_ITEM, ENVELOPE_ITEM, ALERT_ITEM, BOARD_ITEM, EXPLAIN_ITEM,
               METRICS_ITEM, CARD_ITEM, COUNT_ITEM, RESOLVE_ITEM]

LINK = table({1: NAME, 2: bool_, 3: bool_, 4: MS, 5: tstr(), 6: UINT, 7: UINT})
AGENT_STATUS = table({
    1: NAME, 2: tstr(), 3: UINT, 4: MS, 5: many(LINK, 0, 8), 6: UINT, 7: UINT, 8: UINT, 9: UINT,
    10: UINT, 11: UINT, 12: int_, 13: uint(0, 127), 14: UINT, 15: UINT, 16: tstr(), 17: UINT})
INBOX_ITEM = table({
    1: ID, 2: tstr(32), 3: UINT, 4: LANE, 5: TOPIC, 6: TLP, 7: uint(0, 2), 8: tstr(256), 9: NAME,
    10: MS, 11: MS, 12: uint(0, 4), 13: uint(0, 2), 14: array(either(uint(0, 5), null), bool_),
    15: uint(0, 127), 17: MS, 18: UINT, 19: tstr(), 21: uint(0, 4), 22: tstr(), 23: NAME},
    {16: ENVELOPE, 20: MS})
LOCAL_ITEMS = [None, AGENT_STATUS, INBOX_ITEM, INBOX_ITEM, table({1: bstr(), 2: UINT}),
               table({1: ID, 2: UINT, 3: tstr(32)}), table({1: ID})]
LOCAL_REPLY = array(UINT, ERROR_NR, many(table({}, {key: anything for key in range(64)}), 0, 2**20),
                    bool_, tstr())


def local_request(home, op, seconds=20, **args):
    """Items of one request to a real agent's socket, checked; args as k1=..., k2=..."""
    items, more = [], True
    with socket.socket(socket.AF_UNIX) as sock:
        sock.settimeout(seconds)
        sock.connect(os.path.join(home, "run", "agent.sock"))
        request = encode([op, 7, {int(key[1:]): value for key, value in args.items()}])
        sock.sendall(struct.pack(">I", len(request)) + request)
        file = sock.makefile("rb")
        while more:
            reply = decode(file.read(struct.unpack(">I", file.read(4))[0]))
            LOCAL_REPLY(reply)
            req, error, some_items, more, text = reply
            if error:
                raise Refused(ERRORS[error], text)
            if req != 7:
                malformed("an answer to another request")
            items += some_items
    for item in items:
        LOCAL_ITEMS[op](item)
    return items
