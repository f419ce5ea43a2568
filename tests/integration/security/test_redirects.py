"""A redirect is an answer and no order: whoever is named in it never hears of us."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from http_util.clock import SystemClock, SystemSyncClock
from openai_client import AsyncHttpTransport, HttpTransport
from tests.integration.http_util.engine.listening import listening, server_context
from tests.integration.http_util.engine.scripted_http1 import Http1Server
from tests.integration.http_util.engine.scripted_http2 import Http2Server
from tests.integration.security.callers import CALLERS, AsyncClientCaller, BlockingClientCaller, Where

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.integration.http_util.engine.real_servers import Papers
    from tests.integration.http_util.engine.scripted_http1 import Http1Connection
    from tests.integration.http_util.engine.scripted_http2 import Stream

pytestmark = [pytest.mark.integration, pytest.mark.slow, pytest.mark.requirement("HTU-12", "SEC-11")]

STATUSES = range(300, 309)


class Elsewhere:
    """Somebody who is named in redirects; counts who comes."""

    def __init__(self) -> None:
        self.connections = 0
        self.url = ""

    async def serve(self, _reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
        """Count a connection."""
        self.connections += 1


@contextlib.asynccontextmanager
async def redirecting(papers: Papers, protocol: str, status: int) -> AsyncIterator[tuple[str, Elsewhere]]:
    """Run an upstream that redirects everything, and the one it names."""
    elsewhere = Elsewhere()

    async def http1(connection: Http1Connection) -> None:
        await connection.request()
        body = b"" if status == 304 else b"moved"
        head = f"HTTP/1.1 {status} Moved\r\nlocation: {elsewhere.url}/v1\r\ncontent-length: {len(body)}\r\n\r\n"
        await connection.send(head.encode() + body)

    async def http2(stream: Stream) -> None:
        await stream.ended.wait()
        stream.head(status, ("location", f"{elsewhere.url}/v1"), end=True)

    is_http2 = protocol == "h2"
    context = server_context(papers, "h2") if is_http2 else None
    server: Any = Http2Server(http2) if is_http2 else Http1Server(http1)
    async with listening(elsewhere.serve) as elsewhere.url, server.at(context) as url:
        yield url, elsewhere


async def refused(caller: Any, elsewhere: Elsewhere) -> None:
    """Call, and see that the redirect is the failure and that nobody went there."""
    with pytest.raises(Exception, match=r"upstream answered 3\d\d") as caught:
        await caller.call()
    await caller.close()
    # a connection that was opened would be seen within these turns
    for _ in range(10):
        await asyncio.sleep(0.002)
    assert (caught.value.reason, len(caught.value.attempts)) == ("redirect", 1)
    assert elsewhere.connections == 0


@pytest.mark.parametrize("status", STATUSES)
@pytest.mark.parametrize("protocol", ["http", "h2"])
@pytest.mark.parametrize("who", CALLERS)
async def test_every_redirect_is_a_typed_error_and_is_not_followed(
    papers: Papers, who: str, protocol: str, status: int
) -> None:
    """From 300 to 308, whatever the method would become; the target sees no connection."""
    async with redirecting(papers, protocol, status) as (url, elsewhere):
        where = Where(url, ca_file=papers.ca_file, http2=protocol == "h2")
        await refused(CALLERS[who](where, patience=20.0, retry="available"), elsewhere)


@pytest.mark.parametrize("status", [301, 302, 307, 308])
@pytest.mark.parametrize("who", CALLERS)
async def test_the_other_engine_follows_none_either(papers: Papers, who: str, status: int) -> None:
    """httpx's own, which knows how to."""
    async with redirecting(papers, "http", status) as (url, elsewhere):
        await refused(CALLERS[who](Where(url, http2=False, engine="httpx"), patience=20.0), elsewhere)


@pytest.mark.parametrize("status", [301, 302, 307, 308])
async def test_a_client_that_was_brought_follows_none_either(papers: Papers, status: int) -> None:
    """Although its owner has told it to, in both colours."""
    async with redirecting(papers, "http", status) as (url, elsewhere):
        where = Where(url, http2=False)
        async with httpx.AsyncClient(follow_redirects=True) as brought:
            caller = AsyncClientCaller(where, patience=20.0)
            await refused(caller.through(AsyncHttpTransport, SystemClock(), brought), elsewhere)
        with httpx.Client(follow_redirects=True) as blocking:
            caller = BlockingClientCaller(where, patience=20.0)
            await refused(caller.through(HttpTransport, SystemSyncClock(), blocking), elsewhere)
