# SPDX-License-Identifier: Apache-2.0
"""tocsin_zstd - an alert's encoded body decoded, as docs/protocol.md §2 limits it."""
import ctypes

from tocsin_cbor import Refused, malformed

WINDOW_MAX, RATIO_MAX = 1 << 20, 512
_zstd = ctypes.CDLL("libzstd.so.1")
_zstd.ZSTD_decompress.restype = ctypes.c_size_t
_zstd.ZSTD_decompress.argtypes = [ctypes.c_char_p, ctypes.c_size_t] * 2
_zstd.ZSTD_findFrameCompressedSize.restype = ctypes.c_size_t
_zstd.ZSTD_findFrameCompressedSize.argtypes = [ctypes.c_char_p, ctypes.c_size_t]


def _window(frame, size):
    """RFC 8878 §3.1.1.1: bytes; a single segment's window is its content."""
    if frame[4] & 0x20:
        return size
    base = 1 << (10 + (frame[5] >> 3))
    return base + base // 8 * (frame[5] & 7)


def decode_body(encoded, encoding, size):
    """Exactly size bytes, or Refused."""
    if size > RATIO_MAX * len(encoded):
        raise Refused("too-large", "a decompression bomb")
    if encoding == 0:
        return encoded if len(encoded) == size else malformed("the body has another size")
    if len(encoded) < 6 or encoded[:4] != b"\x28\xb5\x2f\xfd":
        malformed("the body is no zstd frame")
    if _zstd.ZSTD_findFrameCompressedSize(encoded, len(encoded)) != len(encoded):
        malformed("the body is not one zstd frame")
    if _window(encoded, size) > WINDOW_MAX:
        raise Refused("too-large", "the window")
    out = ctypes.create_string_buffer(max(size, 1))
    if _zstd.ZSTD_decompress(out, size, encoded, len(encoded)) != size:
        malformed("the body does not decode to its size")
    return out.raw[:size]
