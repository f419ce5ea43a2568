"""Both ends of a session: servers that we wrote and one that we did not, and a session in either colour."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hashlib
import json
import logging
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Self

from websockets.asyncio.server import serve

from openai_client import AsyncClient, Client
from tests.integration.http_util.engine.connect.peers import listening

if TYPE_CHECKING:
    import ssl
    from collections.abc import AsyncIterator, Callable, Coroutine

    from websockets.asyncio.server import ServerConnection

    Handler = Callable[[ServerConnection], Coroutine[Any, Any, None]]
    RawHandler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Coroutine[Any, Any, None]]

KEY = "sk-realtime-0123456789abcdef"
DELTA = {
    "type": "response.output_text.delta",
    "response_id": "r",
    "item_id": "i",
    "output_index": 0,
    "content_index": 0,
}
CREATED = {
    "type": "session.created",
    "event_id": "event_1",
    "session": {"id": "s", "type": "realtime", "model": "m", "expires_at": 1},
}

_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


@contextlib.asynccontextmanager
async def serving(handler: Handler, tls: ssl.SSLContext | None = None, **settings: Any) -> AsyncIterator[str]:
    """Run a server of the library's; yield the base URL for clients of it."""
    quiet = logging.getLogger("tests.realtime.peer")
    quiet.setLevel(logging.CRITICAL + 1)
    async with serve(handler, "127.0.0.1", 0, ssl=tls, logger=quiet, close_timeout=1, **settings) as server:
        port = server.sockets[0].getsockname()[1]
        yield f"{'http' if tls is None else 'https'}://127.0.0.1:{port}/v1"


@contextlib.asynccontextmanager
async def raw_peer(handle: RawHandler, tls: ssl.SSLContext | None = None) -> AsyncIterator[str]:
    """Run a peer that says what it wants, byte by byte; yield the base URL for clients of it."""
    async with listening(handle, tls) as port:
        yield f"{'http' if tls is None else 'https'}://127.0.0.1:{port}/v1"


async def head_of(reader: asyncio.StreamReader) -> bytes:
    """Return the handshake of a client."""
    return await reader.readuntil(b"\r\n\r\n")


async def agree(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes:
    """Shake hands by hand; return what the client asked."""
    head = await head_of(reader)
    key = next(line.split(b": ")[1] for line in head.split(b"\r\n") if line.lower().startswith(b"sec-websocket-key"))
    accept = base64.b64encode(hashlib.sha1(key + _GUID).digest())
    writer.write(
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Accept: " + accept + b"\r\nx-request-id: req_1\r\n\r\n"
    )
    return head


def frame(opcode: int, payload: bytes, *, announced: int | None = None) -> bytes:
    """Return an unmasked frame of up to 65535 bytes, which may announce more than it holds."""
    size = len(payload) if announced is None else announced
    length = bytes([size]) if size < 126 else b"\x7e" + size.to_bytes(2, "big")
    return bytes([0x80 | opcode]) + length + payload


def answering(answer: bytes) -> RawHandler:
    """Return a peer that answers the handshake with these bytes and hangs up."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await head_of(reader)
        writer.write(answer)
        await writer.drain()
        writer.write_eof()
        await reader.read(-1)

    return handle


def refusing(status: str, body: dict[str, Any] | None = None, *headers: str) -> RawHandler:
    """Return a peer that answers the handshake with a status."""
    content = b"" if body is None else json.dumps(body).encode()
    lines = [f"HTTP/1.1 {status}", f"content-length: {len(content)}", *headers]
    return answering("\r\n".join(lines).encode() + b"\r\n\r\n" + content)


class Session:
    """A session of either colour. Blocking ones are driven from other threads, so that a server here can answer."""

    def __init__(self, client: Any, connect: str, **arguments: Any) -> None:
        self.client = client
        self.is_async = isinstance(client, AsyncClient)
        self.connection = attrgetter(connect)(client)(**arguments)

    async def do(self, name: str, *args: Any, **kwargs: Any) -> Any:
        """Call a method of the session, such as `response.create`."""
        method = attrgetter(name)(self.connection)
        if self.is_async:
            return await method(*args, **kwargs)
        return await asyncio.to_thread(method, *args, **kwargs)

    async def rest(self) -> list[Any]:
        """Read to the end."""
        if self.is_async:
            return [event async for event in self.connection]
        return await asyncio.to_thread(list, self.connection)

    async def __aenter__(self) -> Self:
        await self.do("open")
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.do("close")


class Connecting:
    """Makes sessions of one colour, and closes their clients at the end."""

    def __init__(self, colour: str, stack: contextlib.AsyncExitStack) -> None:
        self.colour = colour
        self._stack = stack

    def client(self, base_url: str, **settings: Any) -> Any:
        """Return a client."""
        settings = {"base_url": base_url, "api_key": KEY, **settings}
        if self.colour == "async":
            made: Any = AsyncClient(**settings)
            self._stack.push_async_callback(made.aclose)
        else:
            made = Client(**settings)
            self._stack.push_async_callback(asyncio.to_thread, made.close)
        return made

    def __call__(
        self, base_url: str, *, to: str = "realtime.connect", settings: dict[str, Any] | None = None, **arguments: Any
    ) -> Session:
        """Return a session of a client of its own, not yet open."""
        return Session(self.client(base_url, **(settings or {})), to, **({"model": "m"} | arguments))
