"""
The floor: chat streams read by a bare asyncio protocol, HTTP/1.1, chunked, partial decode. No checks, no timers.

It does the same work for its user as an adapter does (every token's text in order, finish reason, usage, connections
used again) and nothing more.
"""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, cast
from urllib.parse import urlsplit

from benchmarks.answers import API_KEY
from benchmarks.clients.chat_events import ChatEvents

if TYPE_CHECKING:
    import ssl

    from benchmarks.answers import Ask
    from benchmarks.readings import Reading


class Connection(asyncio.Protocol):
    """One connection; one stream at a time."""

    def __init__(self) -> None:
        """Before it is open."""
        self.reads = 0
        self.is_open = True
        self._wire = b""
        self._has_head = False
        self._events: ChatEvents | None = None
        self._over: asyncio.Future[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        self.transport = cast("asyncio.Transport", transport)

    def read(self, request: bytes, reading: Reading) -> asyncio.Future[None]:
        """Send *request*; done when its stream has ended, failed when it broke off."""
        self._wire = b""
        self._has_head = False
        self._events = ChatEvents(reading)
        self._over = asyncio.get_running_loop().create_future()
        self.transport.write(request)
        return self._over

    def data_received(self, data: bytes) -> None:
        """Take in one read: the head once, then whole chunks."""
        self.reads += 1
        wire = self._wire + data if self._wire else data
        at = 0
        if not self._has_head:
            at = wire.find(b"\r\n\r\n")
            if at < 0:
                self._wire = wire
                return
            at += 4
            self._has_head = True
        pieces = []
        size = -1
        while (line := wire.find(b"\r\n", at)) > 0:
            size = int(wire[at:line], 16)
            end = line + 4 + size
            if len(wire) < end:
                break
            pieces.append(wire[line + 2 : end - 2])
            at = end
            if size == 0:
                break
        self._wire = wire[at:]
        events = self._events
        events.feed(pieces[0] if len(pieces) == 1 else b"".join(pieces))
        if size == 0 and events.is_done:
            self._over.set_result(None)

    def connection_lost(self, exc: Exception | None) -> None:
        """Fail unless the end was seen."""
        self.is_open = False
        if self._over is not None and not self._over.done():
            self._over.set_exception(exc or ConnectionError("the stream stopped"))


class RawHttp1:
    """A client: as many connections as streams at once, each used again."""

    def __init__(self, base_url: str, context: ssl.SSLContext | None) -> None:
        """Open nothing yet."""
        target = urlsplit(base_url)
        self._address = target.hostname, target.port
        self._context = context
        self._head = (
            f"POST {target.path}/chat/completions HTTP/1.1\r\nHost: {target.netloc}\r\n"
            f"Content-Type: application/json\r\nAccept: text/event-stream\r\nAuthorization: Bearer {API_KEY}\r\n"
            "Content-Length: "
        ).encode()
        self._idle: list[Connection] = []
        self._all: list[Connection] = []

    @property
    def reads(self) -> int:
        """Reads of all connections so far."""
        return sum(connection.reads for connection in self._all)

    async def read(self, ask: Ask, reading: Reading) -> None:
        """See `Client`."""
        content = json.dumps(ask.body()).encode()
        connection = await self._connection()
        await connection.read(b"%b%d\r\n\r\n%b" % (self._head, len(content), content), reading)
        self._idle.append(connection)

    async def aclose(self) -> None:
        """See `Client`."""
        for connection in self._all:
            connection.transport.close()

    async def _connection(self) -> Connection:
        while self._idle:
            connection = self._idle.pop()
            if connection.is_open:
                return connection
        host, port = self._address
        loop = asyncio.get_running_loop()
        _, connection = await loop.create_connection(Connection, host, port, ssl=self._context)
        self._all.append(connection)
        return connection
