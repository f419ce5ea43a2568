"""
WebSocket frames (RFC 6455), the server's side: what a client's handshake is answered with, frames in, frames out. Pure.
"""

from __future__ import annotations

import base64
import hashlib
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

CONTINUATION: Final = 0
TEXT: Final = 1
BINARY: Final = 2
CLOSE: Final = 8
PING: Final = 9
PONG: Final = 10

_GUID: Final = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_KNOWN: Final = frozenset({CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG})
_FINAL: Final = 0x80
_MASKED: Final = 0x80
_SHORT: Final = 125
_MEDIUM: Final = 126
_LARGEST_MEDIUM: Final = 0xFFFF
_MAX_MESSAGE: Final = 16 << 20


class WebSocketError(Exception):
    """
    The client breaks the protocol; the arguments are the code to close with and why.
    """


class Message(NamedTuple):
    """
    A whole message, or a control frame.
    """

    opcode: int
    data: bytes


def accept_of(key: str) -> str:
    """
    Give the value of `sec-websocket-accept` for a client's key.
    """
    return base64.b64encode(hashlib.sha1(f"{key}{_GUID}".encode(), usedforsecurity=False).digest()).decode()


def frame(opcode: int, data: bytes) -> bytes:
    """
    Give one whole frame, unmasked as servers send them.
    """
    size = len(data)
    if size <= _SHORT:
        length = bytes([size])
    elif size <= _LARGEST_MEDIUM:
        length = bytes([_MEDIUM]) + size.to_bytes(2, "big")
    else:
        length = bytes([_MEDIUM + 1]) + size.to_bytes(8, "big")
    return bytes([_FINAL | opcode]) + length + data


class MessageReader:
    """
    Puts messages together from bytes that may be cut anywhere.
    """

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._parts = bytearray()
        self._kind: int | None = None

    def feed(self, data: bytes) -> Iterator[Message]:
        """
        Take bytes and give the messages that they complete.

        Raises:
            WebSocketError: A frame is not masked, unknown, too large, or out of order.
        """
        self._buffer += data
        while (found := self._next()) is not None:
            message = self._put_together(*found)
            if message is not None:
                yield message

    def _next(self) -> tuple[bool, int, bytes] | None:
        """
        Take one frame off the buffer: whether it is the last of its message, its opcode, its bytes.
        """
        if len(self._buffer) < 2:  # noqa: PLR2004 - the fixed part
            return None
        first, second = self._buffer[0], self._buffer[1]
        opcode, size = first & 0x0F, second & 0x7F
        if first & 0x70 or opcode not in _KNOWN:
            raise WebSocketError(1002, "unknown frame")
        if not second & _MASKED:
            raise WebSocketError(1002, "a client's frames are masked")
        start = 2
        if size >= _MEDIUM:
            start += 2 if size == _MEDIUM else 8
            if len(self._buffer) < start:
                return None
            size = int.from_bytes(self._buffer[2:start], "big")
        if size + len(self._parts) > _MAX_MESSAGE:
            raise WebSocketError(1009, f"messages may have {_MAX_MESSAGE} bytes")
        end = start + 4 + size
        if len(self._buffer) < end:
            return None
        mask = bytes(self._buffer[start : start + 4])
        data = _unmasked(bytes(self._buffer[start + 4 : end]), mask)
        del self._buffer[:end]
        return bool(first & _FINAL), opcode, data

    def _put_together(self, is_last: bool, opcode: int, data: bytes) -> Message | None:  # noqa: FBT001 - of one frame
        """
        Give the message that a frame completes.
        """
        if opcode >= CLOSE:
            if not is_last or len(data) > _SHORT:
                raise WebSocketError(1002, "a control frame is one frame of at most 125 bytes")
            return Message(opcode, data)
        if (opcode == CONTINUATION) != (self._kind is not None):
            raise WebSocketError(1002, "a continuation follows a beginning, and nothing else does")
        self._kind = opcode if self._kind is None else self._kind
        self._parts += data
        if not is_last:
            return None
        message = Message(self._kind, bytes(self._parts))
        self._kind = None
        self._parts.clear()
        return message


def _unmasked(data: bytes, mask: bytes) -> bytes:
    """
    Give what was masked: one large number is faster than many small ones.
    """
    if not data:
        return data
    repeated = mask * (len(data) // 4 + 1)
    number = int.from_bytes(data, "big") ^ int.from_bytes(repeated[: len(data)], "big")
    return number.to_bytes(len(data), "big")
