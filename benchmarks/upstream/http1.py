"""HTTP/1.1 as far as a benchmark needs it: requests one after the other, each with a length; answers in chunks."""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING, Any, Final

from benchmarks.answers import MIDDLE_SIZE, asked

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from benchmarks.upstream.desk import Desk

HEAD: Final = (
    b"HTTP/1.1 200 OK\r\nDate: Mon, 02 Nov 2026 10:00:00 GMT\r\nContent-Type: text/event-stream; charset=utf-8\r\n"
    b"Transfer-Encoding: chunked\r\nConnection: keep-alive\r\nCache-Control: no-cache\r\nServer: benchmark\r\n"
    b"openai-processing-ms: 12\r\nopenai-version: 2020-10-01\r\n"
    b"x-request-id: req_4b1d7dd04c7d4e0d9f3e6a1f2c5b8a90\r\n\r\n"
)
REFUSAL: Final = b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"
_LENGTH: Final = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)


class Answer:
    """One streamed answer."""

    def __init__(self, connection: Http1) -> None:
        """Write to *connection*, the head first."""
        self.connection = connection
        self._head = HEAD

    def write(self, events: Sequence[bytes], *, is_last: bool = False) -> None:
        """Send *events*, each as a chunk, in one write."""
        parts = [b"%x\r\n%b\r\n" % (len(event), event) for event in events]
        if is_last:
            parts.append(b"0\r\n\r\n")
        if self._head:
            parts.insert(0, self._head)
            self._head = b""
        self.connection.transport.write(b"".join(parts))
        if is_last:
            self.connection.answer = None

    def paced(self, before: bytes, after: bytes) -> Callable[[bytes], None]:
        """See `Outlet`."""
        write = self.connection.transport.write
        before = b"%x\r\n%b" % (len(before) + MIDDLE_SIZE + len(after), before)
        after += b"\r\n"
        return lambda middle: write(before + middle + after)


class Http1(asyncio.Protocol):
    """One connection."""

    transport: Any

    def __init__(self, desk: Desk) -> None:
        """Wait for a request."""
        self.answer: Answer | None = None
        self._desk = desk
        self._received = bytearray()

    def connection_made(self, transport: Any) -> None:
        """Keep the transport."""
        self.transport = transport
        self._desk.board.connections += 1

    def connection_lost(self, _exc: Exception | None) -> None:
        """Stop the answer that was being told."""
        self._desk.board.connections -= 1
        if self.answer is not None:
            self._desk.cut(self.answer)

    def data_received(self, data: bytes) -> None:
        """Take in a piece of a request; answer when it is whole."""
        received = self._received
        received += data
        end = received.find(b"\r\n\r\n")
        if end < 0:
            return
        end += 4
        length = _LENGTH.search(received, 0, end)
        size = end + (int(length[1]) if length else 0)
        if len(received) < size:
            return
        ask = asked(bytes(received[end:size]))
        del received[:size]
        if ask is None:
            self.transport.write(REFUSAL)
            return
        self.answer = Answer(self)
        self._desk.begin(ask, self.answer)
