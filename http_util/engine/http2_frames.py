"""
The frames of HTTP/2: their names and numbers, how they are written, and where one ends.

A frame is nine bytes of head (length, type, flags, stream) and a payload. What the frames mean is not known here: see
`http_util.engine.http2_state`. Numbers in brackets are sections of RFC 9113. Pure.

Spec: HTU-02
"""

from __future__ import annotations

import struct
from enum import IntEnum
from typing import Final

PREFACE: Final = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
"""What a client sends before its first frame (3.4)."""

HEAD_BYTES: Final = 9
"""Size of a frame's head (4.1)."""

MAX_FRAME_BYTES: Final = 16 * 1024
"""Largest payload that we take. It is the protocol's initial value, and we never offer more (6.5.2)."""

MAX_STREAM_ID: Final = 2**31 - 1
"""Largest stream id, and the largest window (5.1.1, 6.9.1)."""


class FrameType(IntEnum):
    """The types that the protocol defines (6); frames of other types are ignored (4.1)."""

    DATA = 0
    HEADERS = 1
    PRIORITY = 2
    RST_STREAM = 3
    SETTINGS = 4
    PUSH_PROMISE = 5
    PING = 6
    GOAWAY = 7
    WINDOW_UPDATE = 8
    CONTINUATION = 9


class ErrorCode(IntEnum):
    """Why a stream or a connection ends (7)."""

    NO_ERROR = 0
    PROTOCOL_ERROR = 1
    INTERNAL_ERROR = 2
    FLOW_CONTROL_ERROR = 3
    SETTINGS_TIMEOUT = 4
    STREAM_CLOSED = 5
    FRAME_SIZE_ERROR = 6
    REFUSED_STREAM = 7
    CANCEL = 8
    COMPRESSION_ERROR = 9
    CONNECT_ERROR = 10
    ENHANCE_YOUR_CALM = 11
    INADEQUATE_SECURITY = 12
    HTTP_1_1_REQUIRED = 13


# Flags. The same bit means another thing on another type.
ACK: Final = 0x1
END_STREAM: Final = 0x1
END_HEADERS: Final = 0x4
PADDED: Final = 0x8
PRIORITY: Final = 0x20

HEAD: Final = struct.Struct(">IBI")
"""A frame's head: length and type in one number (``length << 8 | type``), flags, stream id."""

WORD: Final = struct.Struct(">I")
"""A number of four bytes."""

GOAWAY_HEAD: Final = struct.Struct(">II")
"""How a GOAWAY begins: last stream id, error code (6.8)."""


class ConnectionFault(Exception):
    """The connection cannot go on (5.4.1). It is the peer's fault."""

    def __init__(self, error_code: ErrorCode, message: str) -> None:
        """Say with *message* what the peer did; it quotes nothing of the peer's."""
        super().__init__(message)
        self.error_code = error_code
        """What our GOAWAY says."""
        self.message = message
        """Our own sentence."""


def code_name(error_code: int) -> str:
    """
    Return the name of an error code, for messages.

    >>> code_name(8), code_name(99)
    ('CANCEL', 'error code 99')
    """
    try:
        return ErrorCode(error_code).name
    except ValueError:
        return f"error code {error_code}"


def frame(kind: FrameType, flags: int, stream_id: int, payload: bytes = b"") -> bytes:
    r"""
    Return one frame.

    >>> frame(FrameType.PING, ACK, 0, b"12345678")
    b'\x00\x00\x08\x06\x01\x00\x00\x00\x0012345678'
    """
    return HEAD.pack(len(payload) << 8 | kind, flags, stream_id) + payload


def window_update(stream_id: int, size: int) -> bytes:
    """Return the frame that lets the peer send *size* bytes more (6.9)."""
    return frame(FrameType.WINDOW_UPDATE, 0, stream_id, WORD.pack(size))


def rst_stream(stream_id: int, error_code: int) -> bytes:
    """Return the frame that ends a stream at once (6.4)."""
    return frame(FrameType.RST_STREAM, 0, stream_id, WORD.pack(error_code))


def goaway(error_code: int) -> bytes:
    """Return the frame that ends the connection (6.8). We take no streams from the peer, so the last one is 0."""
    return frame(FrameType.GOAWAY, 0, 0, GOAWAY_HEAD.pack(0, error_code))


def header_frames(stream_id: int, block: bytes, max_frame: int, *, end_stream: bool) -> bytes:
    """Return a header block as a HEADERS frame, and as many CONTINUATION frames as *max_frame* asks for (6.2, 6.10)."""
    flags = END_STREAM if end_stream else 0
    if len(block) <= max_frame:
        return frame(FrameType.HEADERS, flags | END_HEADERS, stream_id, block)
    pieces = [block[start : start + max_frame] for start in range(0, len(block), max_frame)]
    first, *middle, last = pieces
    frames = [frame(FrameType.HEADERS, flags, stream_id, first)]
    frames += [frame(FrameType.CONTINUATION, 0, stream_id, piece) for piece in middle]
    frames.append(frame(FrameType.CONTINUATION, END_HEADERS, stream_id, last))
    return b"".join(frames)


def unpadded(flags: int, payload: bytes) -> bytes:
    """
    Return the payload of a DATA or HEADERS frame without its padding (6.1, 6.2).

    Raises:
        ConnectionFault: There is more padding than payload.
    """
    if not flags & PADDED:
        return payload
    if not payload or payload[0] >= len(payload):
        raise ConnectionFault(
            ErrorCode.PROTOCOL_ERROR, "the upstream sent a frame with more padding than payload (6.1)"
        )
    return payload[1 : len(payload) - payload[0]]


def check_size(kind: FrameType, payload: bytes, size: int) -> None:
    """
    Check a frame whose payload has one size only.

    Raises:
        ConnectionFault: It has another (4.2).
    """
    if len(payload) != size:
        said = f"the upstream sent a {kind.name} frame of {len(payload)} bytes instead of {size} (4.2)"
        raise ConnectionFault(ErrorCode.FRAME_SIZE_ERROR, said)


class FrameBuffer:
    r"""
    Holds a frame that has come in part, until the rest is there.

    No byte is copied more than twice, however small the pieces are in which a frame comes.

    >>> buffer = FrameBuffer()
    >>> whole = frame(FrameType.PING, 0, 0, b"12345678")
    >>> buffer.keep(whole[:10])
    >>> buffer.joined(whole[10:12])
    b''
    >>> buffer.joined(whole[12:]) == whole
    True
    """

    __slots__ = ("_kept", "_wanted")

    def __init__(self) -> None:
        self._kept = bytearray()
        self._wanted = HEAD_BYTES

    def joined(self, data: bytes) -> bytes:
        """Return *data* behind what was kept, or nothing as long as that makes no frame, and no head of one."""
        if not self._kept:
            return data
        self._kept += data
        if len(self._kept) < self._wanted:
            return b""
        data = bytes(self._kept)
        self._kept.clear()
        return data

    def keep(self, data: bytes) -> None:
        """Keep the beginning of a frame for the next call of `joined`; nothing else may be kept at the time."""
        self._kept += data
        self._wanted = HEAD_BYTES
        if len(data) >= HEAD_BYTES:
            self._wanted += HEAD.unpack_from(data)[0] >> 8
