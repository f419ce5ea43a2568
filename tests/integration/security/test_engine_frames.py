"""No frame of the engine that waits or fails holds a credential: what it raises goes through foreign hands, too."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from http_util.config import HttpConfig
from http_util.engine import BODY_EXTENSION, async_transport, sync_transport
from http_util.tls import build_ssl_context
from tests.integration.http_util.engine.listening import server_context
from tests.integration.http_util.engine.scripted_http1 import Http1Server, answering
from tests.integration.http_util.engine.scripted_http2 import Http2Server
from tests.integration.security import upstreams
from tests.integration.security.canary import BEARER, sightings
from tests.shown_errors import chain

if TYPE_CHECKING:
    from contextlib import AbstractAsyncContextManager

    from tests.integration.http_util.engine.real_servers import Papers

pytestmark = [pytest.mark.integration, pytest.mark.slow, pytest.mark.requirement("SEC-01", "SEC-16")]

FAULTS = ("closed", "reset", "junk", "too large a head", "cut", "silent")


def engine_locals(error: BaseException) -> list[tuple[str, str]]:
    """Return the local variables of every frame of the engine in the chain of *error*."""
    found = []
    for link in chain(error):
        entry = link.__traceback__
        while entry is not None:
            code = entry.tb_frame.f_code
            if "/http_util/engine/" in code.co_filename:
                found += [(f"{code.co_name}.{name}", repr(value)) for name, value in entry.tb_frame.f_locals.items()]
            entry = entry.tb_next
    return found


def upstream(papers: Papers, protocol: str, fault: str) -> AbstractAsyncContextManager[str]:
    """Run an upstream with one fault."""
    if protocol == "h2":
        return Http2Server(upstreams.http2(fault)).at(server_context(papers, "h2"))
    return Http1Server(upstreams.http1(fault)).at(server_context(papers, "http/1.1"))


def settings(url: str, papers: Papers) -> tuple[HttpConfig, Any]:
    """Return the settings of a client, and its TLS context."""
    return HttpConfig(base_url=url, ca_file=papers.ca_file), build_ssl_context(ca_file=papers.ca_file)


def request(url: str, **headers: str) -> httpx.Request:
    """Return a request with a credential; the timer of its read is short."""
    return httpx.Request(
        "POST",
        url,
        headers={"authorization": f"Bearer {BEARER}", **headers},
        content=b"{}",
        extensions={"timeout": {"connect": 20.0, "pool": 20.0, "write": 20.0, "read": 0.5}},
    )


async def sent(url: str, papers: Papers, **headers: str) -> None:
    """Send a request and read its answer."""
    transport = async_transport(*settings(url, papers))
    try:
        response = await transport.handle_async_request(request(url, **headers))
        while await response.extensions[BODY_EXTENSION].next_piece() is not None:
            pass
    finally:
        await transport.aclose()


def sent_blocking(url: str, papers: Papers, **headers: str) -> None:
    """The same for a thread."""
    transport = sync_transport(*settings(url, papers))
    try:
        response = transport.handle_request(request(url, **headers))
        for _ in response.stream:
            pass
    finally:
        transport.close()


@pytest.fixture(params=["async", "blocking"])
def send(request: pytest.FixtureRequest) -> Any:
    """Both colours, one after the other."""
    if request.param == "async":
        return sent
    return lambda *args, **kwargs: asyncio.to_thread(sent_blocking, *args, **kwargs)


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("protocol", ["http/1.1", "h2"])
async def test_a_request_that_fails_leaves_no_credential_in_a_frame(
    papers: Papers, send: Any, protocol: str, fault: str
) -> None:
    """Whatever the upstream does, and although it repeats the key."""
    async with upstream(papers, protocol, fault) as url:
        with pytest.raises(httpx.TransportError) as caught:
            await send(url, papers)
    shown = engine_locals(caught.value)
    assert shown
    assert sightings(shown) == []


@pytest.mark.parametrize("protocol", ["http/1.1", "h2"])
async def test_a_request_that_cannot_be_written_leaves_none_either(papers: Papers, send: Any, protocol: str) -> None:
    """What refuses a header has all of them in its hands."""
    async with upstream(papers, protocol, "none") as url:
        for headers in ({"x-note": "a\nb"}, {"x note": "a"}, {"content-length": "9"}):
            with pytest.raises(httpx.LocalProtocolError) as caught:
                await send(url, papers, **headers)
            shown = engine_locals(caught.value)
            assert shown
            assert sightings(shown) == []


@pytest.mark.parametrize("protocol", ["http/1.1", "h2"])
async def test_a_connection_is_of_use_after_a_request_that_could_not_be_written(papers: Papers, protocol: str) -> None:
    """Nothing of it was sent, so the next one goes over the same connection."""
    server: Any = Http2Server() if protocol == "h2" else Http1Server(answering())
    async with server.at(server_context(papers, "h2" if protocol == "h2" else "http/1.1")) as url:
        transport = async_transport(*settings(url, papers))
        try:
            for _ in range(2):
                response = await transport.handle_async_request(request(f"{url}/ok"))
                while await response.extensions[BODY_EXTENSION].next_piece() is not None:
                    pass
                with pytest.raises(httpx.LocalProtocolError):
                    await transport.handle_async_request(request(f"{url}/ok", **{"x-note": "a\nb"}))
        finally:
            await transport.aclose()
    assert len(server.connections) == 1


@pytest.mark.parametrize("protocol", ["http/1.1", "h2"])
async def test_a_request_that_is_cancelled_leaves_none_either(papers: Papers, protocol: str) -> None:
    """The cancellation goes through every frame that waits for the answer."""
    async with upstream(papers, protocol, "silent") as url:
        sending = asyncio.ensure_future(sent(url, papers))
        await asyncio.sleep(0.1)
        sending.cancel()
        with pytest.raises(asyncio.CancelledError) as caught:
            await sending
    shown = engine_locals(caught.value)
    assert shown
    assert sightings(shown) == []
