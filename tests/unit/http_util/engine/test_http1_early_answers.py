"""An answer that comes while the request is still being sent is read before anything can destroy it."""

from __future__ import annotations

import asyncio
import socket
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from http_util.engine.http1 import Http1Connection
from http_util.engine.request import EngineRequest
from http_util.urls import Origin

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

pytestmark = [pytest.mark.requirement("HTU-19")]

REFUSAL = b"HTTP/1.1 413 Content Too Large\r\ncontent-length: 7\r\n\r\nrefused"


class Owner:
    """A pool that does nothing."""

    def changed(self, connection: Any) -> None: ...
    def lost(self, connection: Any) -> None: ...


class Transport:
    """A transport over one end of a pair of sockets; what is written is counted, and may have consequences."""

    def __init__(self, sock: socket.socket, on_write: Callable[[int], None]) -> None:
        self.writes = 0
        self._sock = sock
        self._on_write = on_write

    def write(self, data: bytes) -> None:
        self.writes += 1
        self._on_write(self.writes)

    def get_extra_info(self, name: str) -> Any:
        return self._sock if name == "socket" else None

    def is_closing(self) -> bool:
        return False

    def close(self) -> None: ...
    def abort(self) -> None: ...


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    """Two ends of a connection."""
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    with ours, theirs:
        yield ours, theirs


def connected(transport: Any) -> Http1Connection:
    """Return a connection over *transport*, with a place taken."""
    connection = Http1Connection(
        Origin("http", "localhost", 80), Owner(), buffer=memoryview(bytearray(1000)), max_header_bytes=1000
    )
    connection.connection_made(transport)
    connection.reserve()
    return connection


def request(stream: Any, framing: tuple[bytes, bytes]) -> EngineRequest:
    """Return a request with a body."""
    return EngineRequest(b"POST", (b"http", b"localhost", 80), b"/", [framing], stream, {})


async def test_what_lies_in_the_socket_is_read_before_more_is_written(
    pair: tuple[socket.socket, socket.socket],
) -> None:
    """The refusal is there when the first piece is out: the other nine are not written."""
    ours, theirs = pair

    def refuse(writes: int) -> None:
        if writes == 2:
            theirs.send(REFUSAL)

    transport = Transport(ours, refuse)
    connection = connected(transport)
    asyncio.get_running_loop().add_reader(ours, lambda: connection.data_received(ours.recv(1000)))
    try:
        body = bytes(640 * 1024)
        answer = await connection.send(request(httpx.ByteStream(body), (b"content-length", b"%d" % len(body))), {})
    finally:
        asyncio.get_running_loop().remove_reader(ours)
    assert (answer.status, await answer.next_piece()) == (413, b"refused")
    assert transport.writes == 2


async def test_what_lies_in_a_socket_that_broke_is_the_answer(pair: tuple[socket.socket, socket.socket]) -> None:
    """The write fails, because the peer has closed; why it did stands in the socket."""
    ours, theirs = pair

    async def pieces() -> AsyncIterator[bytes]:
        yield b"half"
        theirs.send(REFUSAL)
        connection.connection_lost(BrokenPipeError())
        yield b"of it"

    connection = connected(Transport(ours, lambda _: None))
    answer = await connection.send(request(pieces(), (b"transfer-encoding", b"chunked")), {})
    assert (answer.status, await answer.next_piece()) == (413, b"refused")


async def test_a_socket_that_broke_and_holds_nothing_is_a_broken_connection(
    pair: tuple[socket.socket, socket.socket],
) -> None:
    """No answer is made up."""
    ours, _ = pair

    async def pieces() -> AsyncIterator[bytes]:
        yield b"half"
        connection.connection_lost(BrokenPipeError())
        yield b"of it"

    connection = connected(Transport(ours, lambda _: None))
    with pytest.raises(httpx.TransportError):
        await connection.send(request(pieces(), (b"transfer-encoding", b"chunked")), {})
