"""Real servers see at once that a request was stopped, and go on serving the others on the same connection."""

from __future__ import annotations

import asyncio
import statistics
import time
from typing import TYPE_CHECKING, Any

import pytest

from tests.integration.http_util.engine.measure import told
from tests.integration.http_util.engine.stopping import WAYS, anyio_scope, task_cancel

if TYPE_CHECKING:
    import httpx

    from tests.integration.http_util.engine.conftest import Clients
    from tests.integration.http_util.engine.real_servers import RealServer

pytestmark = [pytest.mark.integration, pytest.mark.slow, pytest.mark.requirement("ENG-01", "HTU-14")]

PROMPT = 0.1
"""Seconds within which an upstream sees that a request was stopped."""
SHARE = 4
"""Streams stopped in each way."""


async def ends(server: RealServer, name: str) -> float:
    """Wait until the server has seen the end of a stream; the moment at which it did."""
    async with asyncio.timeout(5):
        while not (ended := (await asyncio.to_thread(server.memory, name))["ended"]):
            await asyncio.sleep(0.01)
    return float(ended)


async def stop_streams(server: RealServer, http: httpx.AsyncClient, prefix: str) -> dict[str, float]:
    """Stop streams in the middle, in each way and by closing them; the moment of each."""
    left: dict[str, float] = {}
    for way in WAYS:
        for number in range(SHARE):
            name = f"{prefix}-{way.__name__}-{number}"
            begun = asyncio.Event()

            async def read(name: str = name, begun: asyncio.Event = begun) -> None:
                async with http.stream("GET", f"/stream?id={name}") as answer:
                    async for _ in answer.aiter_raw():
                        begun.set()

            async def moment(name: str = name, begun: asyncio.Event = begun) -> None:
                await asyncio.wait_for(begun.wait(), 5)
                left[name] = time.monotonic()

            await way(read(), moment)
    for number in range(SHARE):
        name = f"{prefix}-close-{number}"
        async with http.stream("GET", f"/stream?id={name}") as answer:
            await anext(answer.aiter_raw())
            left[name] = time.monotonic()
    return left


async def test_the_upstream_sees_within_100_ms_that_a_stream_was_stopped(
    server: RealServer, http2: bool, client: Clients
) -> None:
    """However a stream is stopped: the upstream's work ends within 100 ms, on one connection where that is shared."""
    prefix = f"seen-{http2}"
    async with client(server.url, http2=http2) as http:
        before = (await http.get("/count")).json()["port"]
        left = await stop_streams(server, http, prefix)
        late = [await ends(server, name) - moment for name, moment in left.items()]
        after = (await http.get("/count")).json()["port"]
    assert len(late) == SHARE * (len(WAYS) + 1)
    # the median keeps the promise; one that a busy machine delays does not break it
    assert statistics.median(late) < PROMPT
    assert max(late) < 1
    assert (before == after) or not http2


async def test_a_request_stopped_before_its_answer_ends_upstream_too(
    server: RealServer, http2: bool, client: Clients
) -> None:
    """The upstream is still thinking: it sees the end within 100 ms all the same."""
    late = []
    async with client(server.url, http2=http2) as http:
        for way in (task_cancel, anyio_scope):
            for number in range(3):
                name = f"silent-{http2}-{way.__name__}-{number}"

                async def begun(name: str = name) -> None:
                    await told(lambda: server.memory(name)["started"] > 0)

                await way(http.post(f"/silent?id={name}", content=b"{}"), begun)
                left = time.monotonic()
                late.append(await ends(server, name) - left)
    assert statistics.median(late) < PROMPT
    assert max(late) < 1


async def test_an_upload_stopped_in_the_middle_ends_upstream(server: RealServer, http2: bool, client: Clients) -> None:
    """A body that comes to a stop is given up with its request; the connection's neighbours do not notice."""
    name = f"upload-{http2}"

    async def endless() -> Any:
        while True:
            yield bytes(1000)
            await asyncio.sleep(0.001)

    async def begun() -> None:
        await told(lambda: server.memory(name)["started"] > 0)

    async with (
        client(server.url, http2=http2) as http,
        http.stream("GET", f"/stream?id={name}-neighbour") as neighbour,
    ):
        pieces = neighbour.aiter_raw()
        await task_cancel(http.post(f"/silent?id={name}", content=endless()), begun)
        left = time.monotonic()
        assert await ends(server, name) - left < 1
        assert await anext(pieces)


async def test_a_hundred_closed_downloads_leave_room_for_a_large_one(
    server: RealServer, http2: bool, client: Clients
) -> None:
    """Each brings up to a window of data that nobody reads; all of a large download arrives afterwards."""
    async with client(server.url, http2=http2) as http:
        for _ in range(100 if http2 else 10):
            async with http.stream("GET", "/size?n=600000") as answer:
                await anext(answer.aiter_raw())
        assert len((await http.get("/size?n=20000000")).content) == 20_000_000


async def test_a_neighbour_misses_nothing_while_others_are_stopped(server: RealServer, client: Clients) -> None:
    """Sixty requests are stopped beside a stream on the same HTTP/2 connection; its bytes come without a gap."""
    async with client(server.url) as http:
        download = asyncio.ensure_future(http.get("/size?n=30000000"))
        for number in range(60):

            async def moment(number: int = number) -> None:
                await asyncio.sleep(0.0005 * (number % 12))

            path = ("/stream", "/silent", "/size?n=500000")[number % 3]
            await task_cancel(http.get(path), moment)
        assert len((await download).content) == 30_000_000
        assert (await http.get("/count")).status_code == 200
