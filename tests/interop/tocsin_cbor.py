# SPDX-License-Identifier: Apache-2.0
"""tocsin_cbor - deterministic CBOR and checks that read like CDDL, from docs/protocol.md alone."""
import re

import cbor2

# docs/protocol.md, the table of error numbers.
ERRORS = """ok malformed too-large not-found denied bad-signature unknown-key expired too-early
conflict stale wrong-program wrong-type wrong-role topic-denied tlp-denied revoked hash-mismatch
full busy io no-memory timeout unreachable invalid permissions in-use not-deliverable version
cannot-yet voided nobody""".split()


class Refused(Exception):
    """What the document says to refuse; error is a word of ERRORS."""

    def __init__(self, error, why=""):
        super().__init__(f"{error}: {why}" if why else error)
        self.error = error


def malformed(why):
    raise Refused("malformed", why)


# ---- deterministic CBOR -------------------------------------------------------------------------

def encode(value):
    return cbor2.dumps(value, canonical=True)


def _plain(value, depth, tag):
    """Refuses what has no place in a Tocsin object, and what cbor2 would quietly take for it."""
    kind = type(value)
    if depth > 8 and kind in (list, dict, cbor2.CBORTag):
        malformed("too deep")
    if kind is int:
        if not -2**64 <= value < 2**64:
            malformed("a bignum")
    elif kind is str:
        if "\0" in value:
            malformed("a NUL in text")
    elif kind is list:
        for item in value:
            _plain(item, depth + 1, None)
    elif kind is dict:
        for key, item in value.items():
            if type(key) is not int:
                malformed("a map key that is no integer")
            _plain(item, depth + 1, None)
    elif kind is cbor2.CBORTag:
        if tag is None or value.tag != tag:
            malformed("a tag")
        _plain(value.value, depth + 1, None)
    elif kind not in (bytes, bool, type(None)):
        malformed(f"a {kind.__name__}")


def decode(data, tag=None):
    """The one item that data is, if it is deterministic; with tag, the item in that tag."""
    try:
        value = cbor2.loads(data)
    except Exception as error:  # cbor2 raises many kinds
        raise Refused("malformed", str(error)) from None
    _plain(value, 1, tag)
    if encode(value) != data:
        malformed("not deterministic, or something follows")
    if tag is None:
        return value
    return value.value if isinstance(value, cbor2.CBORTag) else malformed("no tag")


# ---- checks that read like CDDL ------------------------------------------------------------------

def uint(low=0, high=2**64 - 1):
    def check(value):
        if type(value) is not int or not low <= value <= high:
            malformed(f"{value!r} is not in {low}..{high}")
    return check


def int_(value):
    if type(value) is not int:
        malformed("not an integer")


def bool_(value):
    if type(value) is not bool:
        malformed("not a boolean")


def null(value):
    if value is not None:
        malformed("not null")


def bstr(low=0, high=2**32):
    def check(value):
        if type(value) is not bytes or not low <= len(value) <= high:
            malformed("bytes missing, or of a wrong length")
    return check


def tstr(high=2**16, pattern=None):
    def check(value):
        if type(value) is not str or len(value.encode()) > high:
            malformed("text missing or too long")
        if pattern and not re.fullmatch(pattern, value):
            malformed(f"{value!r} is not as it must be")
    return check


def either(*checks):
    def check(value):
        for one in checks:
            try:
                return one(value)
            except Refused as error:
                last = error
        raise last
    return check


def array(*checks):
    def check(value):
        if type(value) is not list or len(value) != len(checks):
            malformed("an array of another length")
        for one, item in zip(checks, value):
            one(item)
    return check


def many(one, low, high, ascending=None):
    """[low*high one]; ascending gives the key that must rise."""
    def check(value):
        if type(value) is not list or not low <= len(value) <= high:
            malformed("an array of another length")
        for item in value:
            one(item)
        if ascending:
            keys = [ascending(item) for item in value]
            if any(a >= b for a, b in zip(keys, keys[1:])):
                malformed("not ascending")
    return check


def table(required, optional=None):
    """A map; unknown keys below 64 are refused, from 64 up skipped."""
    optional = optional or {}

    def check(value):
        if type(value) is not dict or any(key < 0 for key in value):
            malformed("not a map")
        for key, one in required.items():
            if key not in value:
                malformed(f"key {key} is missing")
            one(value[key])
        for key, item in value.items():
            if key in optional:
                optional[key](item)
            elif key not in required and key < 64:
                malformed(f"unknown key {key}")
    return check


def anything(_value):
    pass
