"""
The floor of HTTP/2: a bare asyncio protocol, frames by hand, TLS, one connection for all streams. No checks, no timers.

Windows are opened wide at the start and topped up, so that flow control costs next to nothing. The header block of an
answer is not decoded: its first byte says 200.
"""

from __future__ import annotations

import asyncio
import json
import struct
from typing import TYPE_CHECKING, Final, cast
from urllib.parse import urlsplit

from benchmarks.answers import API_KEY
from benchmarks.clients.chat_events import ChatEvents
from benchmarks.frames import (
    ACK,
    DATA,
    DEFAULT_WINDOW,
    END_HEADERS,
    END_STREAM,
    GOAWAY,
    HEADERS,
    INITIAL_WINDOW_SIZE,
    LARGEST_WINDOW,
    PING,
    PREFACE,
    RST_STREAM,
    SETTINGS,
    frame,
    literal,
    window_update,
)

if TYPE_CHECKING:
    import ssl

    from benchmarks.answers import Ask
    from benchmarks.readings import Reading

TOP_UP: Final = 1 << 29
STATUS_200: Final = 0x88


class Connection(asyncio.Protocol):
    """The connection and its streams."""

    def __init__(self) -> None:
        """Before it is open."""
        self.reads = 0
        self._wire = b""
        self._taken = 0
        self._next_id = 1
        self._streams: dict[int, tuple[ChatEvents, asyncio.Future[None]]] = {}

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Open the windows."""
        self.transport = cast("asyncio.Transport", transport)
        settings = frame(SETTINGS, 0, 0, struct.pack(">HL", INITIAL_WINDOW_SIZE, LARGEST_WINDOW))
        self.transport.write(PREFACE + settings + window_update(0, LARGEST_WINDOW - DEFAULT_WINDOW))

    def read(self, headers: bytes, content: bytes, reading: Reading) -> asyncio.Future[None]:
        """Send a request; done when its stream has ended, failed when it broke off."""
        stream_id = self._next_id
        self._next_id += 2
        over = asyncio.get_running_loop().create_future()
        self._streams[stream_id] = ChatEvents(reading), over
        self.transport.write(
            frame(HEADERS, END_HEADERS, stream_id, headers) + frame(DATA, END_STREAM, stream_id, content)
        )
        return over

    def data_received(self, data: bytes) -> None:
        """Take in whole frames."""
        self.reads += 1
        wire = self._wire + data if self._wire else data
        at, length = 0, len(wire)
        while at + 9 <= length:
            end = at + 9 + int.from_bytes(wire[at : at + 3], "big")
            if end > length:
                break
            kind = wire[at + 3]
            if kind == DATA:
                events, over = self._streams[int.from_bytes(wire[at + 5 : at + 9], "big")]
                self._taken += end - at - 9
                if end > at + 9:
                    events.feed(wire[at + 9 : end])
                if wire[at + 4] & END_STREAM:
                    self._end(int.from_bytes(wire[at + 5 : at + 9], "big"), over, is_whole=events.is_done)
            else:
                self._on_other(kind, wire[at:end])
            at = end
        self._wire = wire[at:]
        if self._taken > TOP_UP:
            self.transport.write(window_update(0, self._taken))
            self._taken = 0

    def connection_lost(self, exc: Exception | None) -> None:
        """Fail what was under way."""
        for _, over in self._streams.values():
            over.set_exception(exc or ConnectionError("the connection stopped"))

    def _end(self, stream_id: int, over: asyncio.Future[None], *, is_whole: bool) -> None:
        del self._streams[stream_id]
        if is_whole:
            over.set_result(None)
        else:
            over.set_exception(ConnectionError("the stream stopped"))

    def _on_other(self, kind: int, whole: bytes) -> None:
        if kind == SETTINGS and not whole[4] & ACK:
            self.transport.write(frame(SETTINGS, ACK, 0))
        elif kind == PING and not whole[4] & ACK:
            self.transport.write(frame(PING, ACK, 0, whole[9:]))
        elif (kind == HEADERS and whole[9] != STATUS_200) or kind in (RST_STREAM, GOAWAY):
            self.transport.abort()


class RawHttp2:
    """A client of one connection."""

    def __init__(self, base_url: str, context: ssl.SSLContext | None) -> None:
        """Open nothing yet."""
        target = urlsplit(base_url)
        self._address = target.hostname, target.port
        self._context = context
        self._headers = b"\x83\x87" + b"".join(
            literal(name.encode(), value.encode())
            for name, value in (
                (":authority", target.netloc),
                (":path", f"{target.path}/chat/completions"),
                ("content-type", "application/json"),
                ("accept", "text/event-stream"),
                ("authorization", f"Bearer {API_KEY}"),
            )
        )  # the two octets before: POST and https
        self._connection: Connection | None = None
        self._connecting = asyncio.Lock()

    @property
    def reads(self) -> int:
        """Reads so far."""
        return self._connection.reads if self._connection else 0

    async def read(self, ask: Ask, reading: Reading) -> None:
        """See `Client`."""
        if self._connection is None:
            await self._connect()
        await self._connection.read(self._headers, json.dumps(ask.body()).encode(), reading)

    async def aclose(self) -> None:
        """See `Client`."""
        if self._connection is not None:
            self._connection.transport.close()

    async def _connect(self) -> None:
        async with self._connecting:
            if self._connection is None:
                host, port = self._address
                loop = asyncio.get_running_loop()
                _, self._connection = await loop.create_connection(Connection, host, port, ssl=self._context)
