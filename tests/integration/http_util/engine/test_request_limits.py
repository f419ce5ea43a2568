"""Servers that serve a connection a hundred requests and then send it away: none is lost, none comes twice."""

from __future__ import annotations

import asyncio
import uuid
from typing import TYPE_CHECKING

import pytest

from tests.integration.http_util.engine.conftest import REAL
from tests.integration.http_util.engine.real_servers import LIMIT
from tests.integration.http_util.engine.scripted_http2 import Http2Server

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable

    import httpx

    from tests.integration.http_util.engine.conftest import Clients
    from tests.integration.http_util.engine.real_servers import RealServer
    from tests.integration.http_util.engine.scripted_http2 import Stream

pytestmark = [pytest.mark.integration, pytest.mark.slow, pytest.mark.requirement("ENG-03", "HTU-1001")]

MANY, SOME = 3_500, 1_000
AT_ONCE = 50


async def send_all(http: httpx.AsyncClient, prefix: str, requests: int) -> None:
    """Send every request once, fifty at a time, every third with a body; all must be answered."""

    async def worker(first: int) -> None:
        for number in range(first, requests, AT_ONCE):
            content = b"x" * 1000 if number % 3 == 0 else None
            answer = await http.request("POST" if content else "GET", f"/count?id={prefix}-{number}", content=content)
            assert answer.status_code == 200
            assert answer.json()["bytes"] == len(content or b"")

    await asyncio.gather(*(worker(first) for first in range(AT_ONCE)))


# hypercorn over HTTP/2 is not here: behind its GOAWAY it answers none of the streams that it accepted
LIMITED = [("hypercorn", False, MANY), ("nginx", True, MANY), ("nginx", False, SOME), ("node", True, SOME)]


@pytest.mark.parametrize(("name", "http2", "requests"), [limited for limited in LIMITED if limited[0] in REAL])
async def test_no_request_is_lost_or_repeated_across_the_limits_of_real_servers(
    name: str, http2: bool, requests: int, start: Callable[..., RealServer], client: Clients
) -> None:
    """Thousands of requests over connections that end after a hundred: each is answered, each was counted once."""
    server, prefix = start(name, LIMIT), uuid.uuid4().hex
    async with client(server.url, http2=http2) as http:
        await send_all(http, prefix, requests)
    counts = await asyncio.to_thread(server.totals, prefix)
    assert (counts["ids"], counts["most"]) == (requests, 1)


@pytest.mark.parametrize(("closes", "requests"), [(True, MANY), (False, SOME)], ids=["closes", "stays open"])
async def test_no_request_is_lost_or_repeated_across_the_limits_of_a_scripted_server(
    closes: bool, requests: int, client: Clients, h2: ssl.SSLContext
) -> None:
    """Every hundredth stream brings GOAWAY; what came after it was not processed and is counted elsewhere."""
    counted: dict[str, int] = {}

    async def script(stream: Stream) -> None:
        connection = stream.connection
        served = stream.number // 2 + 1
        if served > LIMIT:
            return
        await stream.ended.wait()
        counted[stream.path] = counted.get(stream.path, 0) + 1
        if served == LIMIT:
            connection.goaway(stream.number)
        await asyncio.sleep(0)
        stream.answer(b'{"bytes": %d}' % len(stream.body))
        if served == LIMIT and closes:
            # those below are answered by now, or will be before the transport has written all
            await asyncio.sleep(0.01)
            connection.close()

    server = Http2Server(script)
    async with server.at(h2) as url, client(url) as http:
        await send_all(http, "scripted", requests)
    assert len(counted) == requests
    assert set(counted.values()) == {1}
    assert len(server.connections) >= requests // LIMIT
