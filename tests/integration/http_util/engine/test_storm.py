"""Thousands of cancelled requests, then a thousand that must succeed, on real servers."""

from __future__ import annotations

import asyncio
import random
from typing import TYPE_CHECKING

import pytest

from http_util.transport_errors import Phase, classify_transport_error
from tests.integration.http_util.engine.measure import tasks, told, turns, until
from tests.process import open_sockets

if TYPE_CHECKING:
    from collections.abc import Callable

    import httpx

    from tests.integration.http_util.engine.conftest import Clients
    from tests.integration.http_util.engine.real_servers import RealServer

pytestmark = [pytest.mark.integration, pytest.mark.slow, pytest.mark.requirement("ENG-01", "HTU-14", "HTU-18")]

AT_ONCE = 50
AFTERWARDS = 1_000


async def storm(http: httpx.AsyncClient, prefix: str, cancels: int) -> None:
    """Cancel *cancels* requests, fifty at a time, each at a moment of its own."""
    chance = random.Random(prefix)
    left = cancels
    number = 0

    async def one(name: str) -> None:
        path = chance.choice(("stream", "stream", "silent", "size"))
        async with http.stream("GET", f"/{path}?id={name}&n=50000&pause=0.02") as answer:
            async for _ in answer.aiter_raw():
                await turns(chance.randrange(3))

    async def worker() -> None:
        nonlocal left, number
        while left > 0:
            number += 1
            task = asyncio.ensure_future(one(f"{prefix}-{number}"))
            await turns(chance.randrange(30))
            task.cancel()
            await asyncio.wait((task,))
            if task.cancelled():
                left -= 1
            elif (error := task.exception()) is not None:
                # servers defend themselves against peers that open and reset (CVE-2023-44487): they hang up
                assert classify_transport_error(error, Phase.SENDING).reason == "reset"

    await asyncio.gather(*(worker() for _ in range(AT_ONCE)))


async def all_succeed(http: httpx.AsyncClient, prefix: str) -> None:
    """Send a thousand requests, fifty at a time."""

    async def worker(first: int) -> None:
        for number in range(first, AFTERWARDS, AT_ONCE):
            answer = await http.get(f"/count?id={prefix}-{number}")
            assert answer.status_code == 200

    await asyncio.gather(*(worker(first) for first in range(AT_ONCE)))


@pytest.mark.timeout(120)
@pytest.mark.parametrize(
    ("name", "cancels"), [pytest.param("granian", 10_000, marks=pytest.mark.unmeasured), ("hypercorn", 500)]
)
async def test_after_a_storm_of_cancelled_http2_requests_a_thousand_succeed(
    name: str, cancels: int, start: Callable[..., RealServer], client: Clients
) -> None:
    """None of them fails, nothing is left open upstream, no task and no socket is left here."""
    server, prefix = start(name), f"storm-{name}-{random.randrange(10**9)}"
    before = (tasks(), open_sockets())
    async with client(server.url, pool_timeout=60) as http:
        await storm(http, prefix, cancels)
        await all_succeed(http, f"{prefix}-after")
        await told(lambda: server.totals(prefix)["open"] == 0)
        counts = await asyncio.to_thread(server.totals, f"{prefix}-after")
    assert (counts["ids"], counts["most"]) == (AFTERWARDS, 1)
    await until(lambda: (tasks(), open_sockets()) == before)


@pytest.mark.timeout(120)
async def test_after_a_storm_of_cancelled_http11_requests_a_thousand_succeed(
    start: Callable[..., RealServer], client: Clients
) -> None:
    """The same over HTTP/1.1, where each cancel closes a connection."""
    server, prefix = start("hypercorn"), f"storm-plain-{random.randrange(10**9)}"
    before = (tasks(), open_sockets())
    async with client(f"http://127.0.0.1:{server.plain_port}", pool_timeout=60) as http:
        await storm(http, prefix, 500)
        await all_succeed(http, f"{prefix}-after")
        await told(lambda: server.totals(prefix)["open"] == 0)
        counts = await asyncio.to_thread(server.totals, f"{prefix}-after")
    assert (counts["ids"], counts["most"]) == (AFTERWARDS, 1)
    await until(lambda: (tasks(), open_sockets()) == before)
