"""HTTP/2 frames, written by hand: for the upstream and for the floor."""

from __future__ import annotations

import struct
from typing import Final

PREFACE: Final = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA: Final = 0x0
HEADERS: Final = 0x1
RST_STREAM: Final = 0x3
SETTINGS: Final = 0x4
PING: Final = 0x6
GOAWAY: Final = 0x7
WINDOW_UPDATE: Final = 0x8
CONTINUATION: Final = 0x9

ACK: Final = 0x1
END_STREAM: Final = 0x1
END_HEADERS: Final = 0x4
PADDED: Final = 0x8
PRIORITIZED: Final = 0x20

MAX_CONCURRENT_STREAMS: Final = 0x3
INITIAL_WINDOW_SIZE: Final = 0x4

HEAD_SIZE: Final = 9
DEFAULT_WINDOW: Final = 65_535
LARGEST_FRAME: Final = 16_384
LARGEST_WINDOW: Final = (1 << 31) - 1


def frame(kind: int, flags: int, stream_id: int, payload: bytes = b"") -> bytes:
    """One frame."""
    return struct.pack(">BHBBL", len(payload) >> 16, len(payload) & 0xFFFF, kind, flags, stream_id) + payload


def window_update(stream_id: int, more: int) -> bytes:
    """The frame that says that *more* octets may be sent; stream 0 is the connection."""
    return frame(WINDOW_UPDATE, 0, stream_id, struct.pack(">L", more))


def literal(name: bytes, value: bytes) -> bytes:
    """A header that no table remembers (RFC 7541, 6.2.2), short enough for lengths of one octet."""
    return b"\0" + bytes([len(name)]) + name + bytes([len(value)]) + value
