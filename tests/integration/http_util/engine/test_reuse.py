"""Connections are kept, found dead before they are used, and not kept for longer or in greater number than asked."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import httpx
import pytest

from adapter_api.outcome import Outcome
from http_util.client import build_async_client
from http_util.config import HttpConfig
from http_util.transport_errors import Phase, classify_transport_error
from tests.integration.http_util.engine.measure import Watch, turns, until
from tests.integration.http_util.engine.scripted_http1 import GOOD, Http1Connection, Http1Server, answering, hang_up
from tests.integration.http_util.engine.scripted_http2 import Http2Server

if TYPE_CHECKING:
    import ssl

    from tests.integration.http_util.engine.conftest import Clients
    from tests.integration.http_util.engine.real_servers import Papers, RealServer

pytestmark = [pytest.mark.integration, pytest.mark.requirement("ENG-05")]

POISON = b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nevil"


@pytest.mark.requirement("HTU-02", "HTU-1001")
async def test_calls_one_after_another_share_a_connection(server: RealServer, http2: bool, client: Clients) -> None:
    """The protocol is the one that was offered, and the upstream sees one port."""
    async with client(server.url, http2=http2) as http:
        answers = [await http.get("/count") for _ in range(20)]
    assert {answer.http_version for answer in answers} == {"HTTP/2" if http2 else "HTTP/1.1"}
    assert len({answer.json()["port"] for answer in answers}) == 1


@pytest.mark.requirement("HTU-02")
async def test_http2_calls_at_once_share_a_connection(server: RealServer, client: Clients) -> None:
    """Forty at a time, on a client without connections: one connection is opened for all of them."""
    async with client(server.url) as http:
        answers = await asyncio.gather(*(http.get("/count") for _ in range(40)))
    assert {answer.http_version for answer in answers} == {"HTTP/2"}
    assert len({answer.json()["port"] for answer in answers}) == 1


@pytest.mark.requirement("HTU-1001")
async def test_http11_is_the_fallback_when_the_server_offers_nothing_else(papers: Papers, h1: ssl.SSLContext) -> None:
    """A client that offers HTTP/2 speaks HTTP/1.1 with a server that does not."""
    server = Http1Server(answering())
    async with (
        server.at(h1) as url,
        build_async_client(HttpConfig(base_url=url, ca_file=papers.ca_file)) as http,
    ):
        answers = [await http.get(f"{url}/ok") for _ in range(3)]
    assert {answer.http_version for answer in answers} == {"HTTP/1.1"}
    assert len(server.connections) == 1


async def test_a_server_that_names_no_protocol_is_spoken_to_in_http11(client: Clients, papers: Papers) -> None:
    """A TLS server without ALPN, as old proxies are."""
    from tests.integration.http_util.engine.listening import server_context

    server = Http1Server(answering())
    async with server.at(server_context(papers)) as url, client(url) as http:
        assert (await http.get("/ok")).http_version == "HTTP/1.1"


@pytest.mark.requirement("HTU-1001")
async def test_a_connection_is_kept_and_used_again(client: Clients) -> None:
    """Three calls one after another share one connection."""
    server = Http1Server(answering())
    async with server.at() as url, client(url) as http:
        for _ in range(3):
            await http.get("/a")
        assert [len(connection.requests) for connection in server.connections] == [3]


@pytest.mark.parametrize(
    "head",
    [
        b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nConnection: Keep-Alive, CLOSE\r\n\r\n",
        b"HTTP/1.0 200 OK\r\ncontent-length: 2\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n\r\n",
    ],
    ids=["close", "close among others", "HTTP/1.0", "no length"],
)
async def test_a_connection_that_the_upstream_does_not_keep_is_not_used_again(head: bytes, client: Clients) -> None:
    """It says close, is of an older version, or ends its answer by closing: the next call has a new one."""

    async def closing(connection: Http1Connection) -> None:
        await connection.request()
        await connection.send(head + b"ok")
        if b"content-length" in head:
            await connection.until_gone()
        connection.close()

    server = Http1Server(closing)
    async with server.at() as url, client(url) as http:
        for _ in range(3):
            assert (await http.get("/a")).text == "ok"
        assert [len(connection.requests) for connection in server.connections] == [1, 1, 1]


async def test_a_connection_of_http10_that_says_keep_alive_may_be_used_again(client: Clients) -> None:
    """Whether it is kept or not, three calls are answered."""
    server = Http1Server(answering(*[b"HTTP/1.0 200 OK\r\nconnection: keep-alive\r\ncontent-length: 2\r\n\r\nok"] * 3))
    async with server.at() as url, client(url) as http:
        assert [(await http.get("/a")).text for _ in range(3)] == ["ok"] * 3


async def test_bytes_behind_an_answer_never_become_the_next_answer(client: Clients) -> None:
    """An upstream sends two answers to one request: the second is dropped with its connection."""
    server = Http1Server(answering(GOOD + POISON))
    async with server.at() as url, client(url) as http:
        assert [(await http.get("/a")).text for _ in range(2)] == ["ok", "ok"]
        assert len(server.connections) == 2


async def test_bytes_that_come_between_two_requests_never_become_an_answer(client: Clients) -> None:
    """An upstream speaks without being asked, on a connection that lies unused."""

    async def chatty(connection: Http1Connection) -> None:
        while True:
            await connection.request()
            await connection.send(GOOD)
            await asyncio.sleep(0.01)
            await connection.send(POISON)
            spoken.set()

    server = Http1Server(chatty)
    spoken = asyncio.Event()
    async with server.at() as url, client(url) as http:
        for _ in range(3):
            spoken.clear()
            assert (await http.get("/a")).text == "ok"
            await asyncio.wait_for(spoken.wait(), 2)
        assert len(server.connections) == 3


@pytest.mark.slow
@pytest.mark.parametrize("secure", [False, True], ids=["plain", "TLS"])
async def test_a_connection_closed_right_behind_its_answer_is_never_used_again(
    secure: bool, client: Clients, h1: ssl.SSLContext
) -> None:
    """The upstream closes without saying so; two hundred POSTs in a row are all answered, each sent once."""
    server = Http1Server(answering(*[GOOD[:-1] + b"k"] * 200, then=hang_up))
    async with server.at(h1 if secure else None) as url, client(url) as http:
        for number in range(200):
            assert (await http.post("/a", content=b"%d" % number)).text == "ok"
        assert server.requests == 200


async def test_a_connection_closed_while_it_lay_unused_is_not_used_again(
    client: Clients, h2: ssl.SSLContext, http2: bool
) -> None:
    """The upstream closes between two calls; the second has a new connection and does not fail."""
    two, one = Http2Server(), Http1Server(answering())
    server = two if http2 else one
    async with server.at(h2 if http2 else None) as url, client(url) as http:
        for _ in range(10):
            assert (await http.post("/ok", content=b"x")).text == "ok"
            server.connections[-1].close()
            # the server's loop, which is ours, closes the socket in its next turn
            await turns(1)
        assert len(server.connections) == 10


async def test_a_connection_that_dies_under_a_request_is_a_failure_of_which_nobody_knows(client: Clients) -> None:
    """The upstream reads a second request on a kept connection and hangs up: that one is not sent again."""

    async def once(connection: Http1Connection) -> None:
        await connection.request()
        await connection.send(GOOD)
        await connection.request()
        connection.close()

    server = Http1Server(once)
    async with server.at() as url, client(url) as http:
        await http.get("/a")
        with pytest.raises(httpx.TransportError) as caught:
            await http.post("/a", content=b"x")
        failure = classify_transport_error(caught.value, Phase.SENDING)
        assert (failure.reason, failure.outcome) == ("reset", Outcome.UNKNOWN)
        assert server.requests == 2
        assert (await http.get("/a")).text == "ok"


async def test_an_unused_connection_makes_place_for_another_upstream(client: Clients) -> None:
    """One place and two upstreams, asked in turn: nobody waits for the expiry of the other's connection."""
    one, two = Http1Server(answering()), Http1Server(answering())
    async with one.at() as first, two.at() as second, client(first, max_connections=1, pool_timeout=1) as http:
        for _ in range(5):
            assert (await http.get(f"{first}/a")).text == "ok"
            assert (await http.get(f"{second}/a")).text == "ok"
        assert (one.requests, two.requests) == (5, 5)
        await until(lambda: one.open + two.open == 1)


@pytest.mark.slow
@pytest.mark.requirement("HTU-01")
async def test_an_unused_connection_is_closed_after_its_time(client: Clients, h2: ssl.SSLContext, http2: bool) -> None:
    """Nothing is asked of the client meanwhile: it closes by itself, and not before."""
    server = Http2Server() if http2 else Http1Server(answering())
    async with server.at(h2 if http2 else None) as url, client(url, keepalive_expiry=0.3) as http:
        await http.get("/ok")
        watch = Watch()
        await until(lambda: server.open == 0, 3)
        assert 0.2 < watch.seconds < 1.5
        assert (await http.get("/ok")).text == "ok"


@pytest.mark.slow
@pytest.mark.requirement("HTU-01")
async def test_a_connection_in_use_does_not_expire(client: Clients, h2: ssl.SSLContext, http2: bool) -> None:
    """Only unused time counts: an answer that takes longer than the expiry arrives."""

    async def slow_stream(stream: object) -> None:
        await asyncio.sleep(0.4)
        stream.answer()

    async def slow_answer(connection: Http1Connection) -> None:
        await connection.request()
        await asyncio.sleep(0.4)
        await connection.send(GOOD)

    server = Http2Server(slow_stream) if http2 else Http1Server(slow_answer)
    async with server.at(h2 if http2 else None) as url, client(url, keepalive_expiry=0.1) as http:
        assert (await http.get("/ok")).text == "ok"


@pytest.mark.slow
@pytest.mark.requirement("HTU-01")
async def test_no_more_unused_connections_are_kept_than_configured(client: Clients) -> None:
    """Of twelve connections used at once two stay open, and serve the next two calls."""

    async def slow(connection: Http1Connection) -> None:
        while True:
            await connection.request()
            await until(lambda: server.requests >= 12, 5)
            await connection.send(GOOD)

    server = Http1Server(slow)
    async with server.at() as url, client(url, max_idle_connections=2) as http:
        await asyncio.gather(*(http.get("/a") for _ in range(12)))
        assert len(server.connections) == 12
        await until(lambda: server.open == 2, 5)
        await asyncio.gather(*(http.get("/a") for _ in range(2)))
        assert (len(server.connections), server.open) == (12, 2)
