"""A consumer that stops reading stops its upstream at bounded memory, and nobody else."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from tests.integration.http_util.engine.measure import MIB, Watch, until
from tests.process import resident

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable

    from tests.integration.http_util.engine.conftest import Clients
    from tests.integration.http_util.engine.real_servers import RealServer
    from tests.integration.http_util.engine.scripted_http2 import Stream

pytestmark = [pytest.mark.integration, pytest.mark.slow, pytest.mark.requirement("ENG-02", "HTU-1001")]

LARGE = 200_000_000
GROWTH = 32 * MIB
"""Bytes that a stalled answer may hold here: its window, and what lies in buffers."""


async def stalled_at(server: RealServer, name: str) -> int:
    """Wait until the upstream has come to a stop; the bytes that it has sent."""
    before = -1
    async with asyncio.timeout(10):
        while (sent := (await asyncio.to_thread(server.memory, name))["sent"]) != before:
            before = sent
            await asyncio.sleep(0.1)
    return before


@pytest.mark.parametrize("name", ["granian", "hypercorn"])
async def test_an_answer_that_nobody_reads_is_not_held_in_memory(
    name: str, http2: bool, start: Callable[..., RealServer], client: Clients
) -> None:
    """200 MB stop at the window or the socket; reading again gets every byte."""
    server = start(name)
    async with client(server.url, http2=http2) as http:
        before = resident()
        async with http.stream("GET", f"/size?n={LARGE}&id=stall-{http2}") as answer:
            pieces = answer.aiter_raw()
            received = len(await anext(pieces))
            sent = await stalled_at(server, f"stall-{http2}")
            assert resident() - before < GROWTH
            # granian takes everything from the application and keeps it; hypercorn makes the application wait
            assert sent < LARGE or name == "granian"
            async for piece in pieces:
                received += len(piece)
        assert received == LARGE
        assert resident() - before < GROWTH


@pytest.mark.parametrize("name", ["granian", "hypercorn"])
async def test_a_stalled_stream_does_not_slow_its_neighbour(
    name: str, start: Callable[..., RealServer], client: Clients
) -> None:
    """On the same HTTP/2 connection a neighbour runs at full speed beside five answers that nobody reads."""
    server = start(name)
    async with client(server.url) as http:
        port = (await http.get("/count")).json()["port"]
        watch = Watch()
        await http.get("/size?n=20000000")
        alone = watch.seconds
        async with asyncio.TaskGroup() as group:
            done = asyncio.Event()
            stalled = [asyncio.Event() for _ in range(5)]

            async def stall(begun: asyncio.Event) -> None:
                async with http.stream("GET", f"/size?n={LARGE}") as answer:
                    await anext(answer.aiter_raw())
                    begun.set()
                    await done.wait()

            for begun in stalled:
                group.create_task(stall(begun))
            for begun in stalled:
                await asyncio.wait_for(begun.wait(), 5)
            await asyncio.sleep(0.3)
            watch = Watch()
            assert len((await http.get("/size?n=20000000")).content) == 20_000_000
            beside = watch.seconds
            assert (await http.get("/count")).json()["port"] == port
            done.set()
        assert beside < 5 * alone + 0.5


async def test_the_window_of_a_stream_that_nobody_reads_stays_closed(client: Clients, h2: ssl.SSLContext) -> None:
    """The peer is given no more than the first window until somebody reads; then it is given more."""
    from tests.integration.http_util.engine.scripted_http2 import Http2Server

    async def script(stream: Stream) -> None:
        streams.append(stream)
        stream.head()
        await stream.pour(bytes(40_000_000))

    streams: list[Stream] = []
    server = Http2Server(script)
    async with server.at(h2) as url, client(url) as http, http.stream("GET", "/") as answer:
        await until(lambda: bool(streams) and streams[0].window == 0)
        initial = streams[0].connection.initial_window
        await asyncio.sleep(0.1)
        assert streams[0].window == 0
        assert initial < GROWTH
        received = 0
        async for piece in answer.aiter_raw():
            received += len(piece)
        assert received == 40_000_000


@pytest.mark.parametrize("secure", [False, True], ids=["plain", "TLS"])
async def test_the_socket_of_an_http11_answer_that_nobody_reads_fills(
    secure: bool, client: Clients, h1: ssl.SSLContext
) -> None:
    """The server's writes come to a stop, and go on when somebody reads."""
    from tests.integration.http_util.engine.scripted_http1 import Http1Connection, Http1Server

    sent = 0
    total = 64 * MIB

    async def script(connection: Http1Connection) -> None:
        nonlocal sent
        await connection.request()
        await connection.send(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % total)
        while sent < total:
            await connection.send(bytes(64 * 1024))
            sent += 64 * 1024

    server = Http1Server(script)
    async with server.at(h1 if secure else None) as url, client(url) as http, http.stream("GET", "/") as answer:
        before = -1
        while sent != before:
            before = sent
            await asyncio.sleep(0.05)
        assert sent < GROWTH
        assert sum([len(piece) async for piece in answer.aiter_raw()]) == total


async def test_a_slow_reader_holds_little_at_any_time(
    http2: bool, start: Callable[..., RealServer], client: Clients
) -> None:
    """A consumer that pauses between reads gets everything, at bounded memory."""
    server = start("granian")
    async with client(server.url, http2=http2) as http:
        before = resident()
        most = received = 0
        async with http.stream("GET", "/size?n=30000000") as answer:
            async for piece in answer.aiter_raw():
                received += len(piece)
                if received // 3_000_000 != (received - len(piece)) // 3_000_000:
                    await asyncio.sleep(0.02)
                    most = max(most, resident() - before)
        assert received == 30_000_000
        assert most < GROWTH
