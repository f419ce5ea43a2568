"""An HTTP/1.1 server that sends exactly the bytes that it is told to, also when they are wrong."""

from __future__ import annotations

import asyncio
import socket
import struct
from typing import TYPE_CHECKING

from tests.integration.http_util.engine.listening import listening

if TYPE_CHECKING:
    import ssl
    from collections.abc import Awaitable, Callable
    from contextlib import AbstractAsyncContextManager

    Script = Callable[["Http1Connection"], Awaitable[None]]

GOOD = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"
CHUNKED = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"


class Http1Connection:
    """One connection that a client opened."""

    def __init__(self, number: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.number = number
        self.reader = reader
        self.writer = writer
        self.requests: list[bytes] = []
        """The heads of the requests so far."""
        self.body = b""
        """The body of the last request, when its length was given."""
        self.gone = asyncio.Event()
        """The client has closed the connection; set when a script has read to the end."""

    async def request(self, *, with_body: bool = True) -> bytes:
        """Read one request and return its head; `asyncio.IncompleteReadError` when the client has gone instead."""
        head = await self.reader.readuntil(b"\r\n\r\n")
        self.requests.append(head)
        lines = head.lower().split(b"\r\n")
        length = next((int(line[15:]) for line in lines if line.startswith(b"content-length:")), 0)
        if with_body:
            self.body = await self.reader.readexactly(length)
            if b"transfer-encoding: chunked" in lines:
                self.body = await self.chunks()
        return head

    async def chunks(self) -> bytes:
        """Read a chunked body."""
        body = b""
        while size := int((await self.reader.readuntil(b"\r\n")), 16):
            body += await self.reader.readexactly(size)
            assert await self.reader.readexactly(2) == b"\r\n"
        assert await self.reader.readexactly(2) == b"\r\n"
        return body

    async def send(self, *pieces: bytes) -> None:
        """Send bytes, and wait while the client does not take them."""
        for piece in pieces:
            self.writer.write(piece)
            await self.writer.drain()

    async def until_gone(self) -> None:
        """Read until the client has closed its side."""
        while await self.reader.read(65_536):
            pass

    def close(self) -> None:
        """Close the connection in order (FIN)."""
        self.writer.close()

    def reset(self) -> None:
        """Close the connection with RST."""
        sock = self.writer.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()


class Http1Server:
    """
    Runs one script for every connection.

    Example:
        ``async with Http1Server(answering(GOOD)).at() as url``
    """

    def __init__(self, script: Script) -> None:
        self.script = script
        self.connections: list[Http1Connection] = []

    def at(self, context: ssl.SSLContext | None = None) -> AbstractAsyncContextManager[str]:
        """Listen; yields the base URL."""
        return listening(self, context)

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection."""
        connection = Http1Connection(len(self.connections), reader, writer)
        self.connections.append(connection)
        try:
            await self.script(connection)
        finally:
            connection.gone.set()

    @property
    def open(self) -> int:
        """How many connections are open, as far as their scripts know."""
        return sum(1 for connection in self.connections if not connection.gone.is_set())

    @property
    def requests(self) -> int:
        """How many requests came on all connections together."""
        return sum(len(connection.requests) for connection in self.connections)


def answering(*answers: bytes, then: Script | None = None) -> Script:
    """
    Return the script that answers request n, counted over all connections, with answer n, and all later ones with OK.

    Args:
        answers: Exact bytes, each sent in one piece.
        then: What to do on a connection instead of waiting for its next request, after any answer but OK.
    """
    left = list(answers)

    async def script(connection: Http1Connection) -> None:
        while True:
            await connection.request()
            answer = left.pop(0) if left else GOOD
            await connection.send(answer)
            if then is not None and answer is not GOOD:
                await then(connection)
                return

    return script


async def hang_up(connection: Http1Connection) -> None:
    """Close the connection."""
    connection.close()


async def by_path(connection: Http1Connection) -> None:
    """Answer by path: ``/ok``, ``/stream`` (until the client has gone), ``/silent`` and ``/deaf`` (never)."""
    while True:
        head = await connection.reader.readuntil(b"\r\n\r\n")
        connection.requests.append(head)
        match head.split(b" ")[1]:
            case b"/stream":
                await tick(connection)
                return
            case b"/silent":
                await connection.until_gone()
                return
            case b"/deaf":
                # not even the body of the request is read
                await left_unread(connection)
                return
            case _:
                await connection.send(GOOD)


async def tick(connection: Http1Connection, pause: float = 0.001) -> None:
    """Send tokens until the client has gone."""
    leaving = asyncio.ensure_future(connection.until_gone())
    try:
        await connection.send(CHUNKED)
        while not (leaving.done() or connection.writer.is_closing()):
            connection.writer.write(b"c\r\ndata: tick\n\n\r\n")
            await asyncio.wait((leaving,), timeout=pause)
    finally:
        leaving.cancel()
        await asyncio.wait((leaving,))


async def left_unread(connection: Http1Connection) -> None:
    """Leave what the client sends in the socket until the connection breaks or the test ends."""
    while not connection.writer.is_closing():
        await asyncio.sleep(0.005)
