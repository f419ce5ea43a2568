"""A peer that dies under many requests: nothing is written to it any more, so asyncio has nothing to complain of."""

from __future__ import annotations

import asyncio
import socket
import struct
from typing import TYPE_CHECKING, Final

import httpx
import pytest

from tests.integration.http_util.engine.measure import MIB, turns, until
from tests.integration.http_util.engine.scripted_http1 import Http1Server
from tests.integration.http_util.engine.scripted_http2 import Http2Server

if TYPE_CHECKING:
    import ssl
    from collections.abc import AsyncIterator

    from tests.integration.http_util.engine.conftest import Clients
    from tests.integration.http_util.engine.scripted_http1 import Http1Connection

pytestmark = [pytest.mark.integration, pytest.mark.requirement("ENG-01", "HTU-18")]

STREAMS: Final = 90
"""asyncio complains from the fifth write to a lost connection on."""
RESET_ON_CLOSE: Final = struct.pack("ii", 1, 0)


def die(writer: asyncio.StreamWriter) -> None:
    """Reset a connection, in the turn of the event loop that comes next."""
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_ON_CLOSE)
    writer.transport.abort()


def said(caplog: pytest.LogCaptureFixture) -> list[str]:
    """What asyncio has logged."""
    return [record.getMessage() for record in caplog.records if record.name == "asyncio"]


async def test_many_streams_that_are_left_when_their_connection_is_dead_say_nothing(
    client: Clients, h2: ssl.SSLContext, caplog: pytest.LogCaptureFixture
) -> None:
    """All are cancelled in the turn in which the peer dies: the first reset meets the dead socket, the others stay."""

    async def read(http: httpx.AsyncClient) -> None:
        async with http.stream("GET", "/stream") as answer:
            async for _ in answer.aiter_raw():
                pass

    server = Http2Server()
    async with server.at(h2) as url, client(url) as http:
        reading = [asyncio.ensure_future(read(http)) for _ in range(STREAMS)]
        await until(lambda: len(server.streams) == STREAMS)
        for connection in server.connections:
            die(connection.writer)
        for task in reading:
            task.cancel()
        await asyncio.wait(reading)
        await until(lambda: not server.open)
        assert all(task.cancelled() for task in reading)
        assert (await http.get("/ok")).text == "ok"
    assert said(caplog) == []


async def test_a_large_body_is_not_written_to_a_dead_connection(
    client: Clients, h1: ssl.SSLContext, caplog: pytest.LogCaptureFixture
) -> None:
    """A piece of it is cut into many, which are written one behind the other; then the request fails."""

    async def body() -> AsyncIterator[bytes]:
        yield b"-"
        await until(lambda: server.connections)
        server.connections[0].reset()
        # in the next turn it is dead, and the event loop has not looked at the sockets since
        await turns(1)
        yield bytes(8 * MIB)

    async def read_on(connection: Http1Connection) -> None:
        await connection.until_gone()

    server = Http1Server(read_on)
    async with server.at(h1) as url, client(url, http2=False) as http:
        with pytest.raises((httpx.RemoteProtocolError, httpx.WriteError, httpx.ReadError)):
            await http.post("/", content=body())
    assert said(caplog) == []
