"""Connections that cannot be made, seen by a caller: what is wrong for good is told from what may heal."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import httpx
import pytest

from http_util.client import build_async_client, build_client
from http_util.config import HttpConfig
from http_util.transport_errors import Phase, classify_transport_error
from tests.integration.http_util.engine.scripted_http1 import Http1Connection, Http1Server
from tests.integration.http_util.engine.scripted_http2 import Http2Server

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable

    from tests.integration.http_util.engine.real_servers import Papers, RealServer

pytestmark = [pytest.mark.integration, pytest.mark.requirement("ERR-09")]


def told(error: Exception) -> tuple[str, str]:
    """Return reason and outcome of a failure."""
    failure = classify_transport_error(error, Phase.SENDING)
    return failure.reason, failure.outcome.value


async def failure_of(url: str, **settings: object) -> tuple[str, str]:
    """Return reason and outcome of a call that cannot connect."""
    async with build_async_client(HttpConfig(base_url=url, **settings)) as http:
        with pytest.raises(httpx.ConnectError) as caught:
            await http.get(url)
    return told(caught.value)


@pytest.mark.requirement("HTU-1001", "SEC-09")
async def test_an_unknown_authority_and_a_wrong_name_are_tls_failures(papers: Papers, h2: ssl.SSLContext) -> None:
    """Neither is a connection failure that might heal."""
    async with Http2Server().at(h2) as url:
        assert await failure_of(url) == ("tls_failed", "NOT_SENT")
        other_name = url.replace("127.0.0.1", "[::ffff:127.0.0.1]")
        assert await failure_of(other_name, ca_file=papers.ca_file) == ("tls_failed", "NOT_SENT")


@pytest.mark.requirement("HTU-1001", "SEC-09")
async def test_the_certificates_of_real_servers_are_checked(server: RealServer) -> None:
    """A server whose authority nobody trusts is not called."""
    assert await failure_of(server.url) == ("tls_failed", "NOT_SENT")


async def test_a_closed_port_and_a_handshake_that_is_cut_are_connection_failures(refused: Callable[[], str]) -> None:
    """Both may heal, so both may be repeated."""

    async def hang_up(connection: Http1Connection) -> None:
        await connection.reader.read(1)
        connection.close()

    async with Http1Server(hang_up).at() as url:
        assert await failure_of(url.replace("http:", "https:")) == ("connection_failed", "NOT_SENT")
    assert await failure_of(refused()) == ("connection_failed", "NOT_SENT")


async def test_a_server_that_does_not_speak_tls_is_a_tls_failure() -> None:
    """The URL says https and the port does not."""

    async def plain(connection: Http1Connection) -> None:
        await connection.reader.read(100)
        await connection.send(b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n")
        await connection.until_gone()

    async with Http1Server(plain).at() as url:
        assert await failure_of(url.replace("http:", "https:")) == ("tls_failed", "NOT_SENT")


async def test_threads_are_told_the_same(h2: ssl.SSLContext, refused: Callable[[], str]) -> None:
    """The blocking client: an unknown authority, a closed port."""

    def failure(url: str) -> tuple[str, str]:
        with build_client(HttpConfig(base_url=url)) as http:
            with pytest.raises(httpx.ConnectError) as caught:
                http.get(url)
            return told(caught.value)

    async with Http2Server().at(h2) as url:
        assert await asyncio.to_thread(failure, url) == ("tls_failed", "NOT_SENT")
    assert await asyncio.to_thread(failure, refused()) == ("connection_failed", "NOT_SENT")


async def test_a_failure_to_connect_reaches_all_who_wait_for_the_connection(papers: Papers, h2: ssl.SSLContext) -> None:
    """Ten calls at once on a client without connections fail together; ten later calls try again."""
    async with Http2Server().at(h2) as url, build_async_client(HttpConfig(base_url=url)) as http:
        for _ in range(2):
            ends = await asyncio.gather(*(http.get(url) for _ in range(10)), return_exceptions=True)
            assert {told(end) for end in ends} == {("tls_failed", "NOT_SENT")}
