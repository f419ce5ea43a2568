"""A dead HTTP/2 peer is noticed by PING, within interval and timeout, and not by the read timeout of each call."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

import httpx
import pytest

from adapter_api.outcome import Outcome
from http_util.transport_errors import Phase, classify_transport_error
from tests.integration.http_util.engine.measure import Watch, until
from tests.integration.http_util.engine.scripted_http2 import Http2Server, paths

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable

    from tests.integration.http_util.engine.conftest import Clients
    from tests.integration.http_util.engine.real_servers import RealServer
    from tests.integration.http_util.engine.scripted_http2 import Stream

pytestmark = [pytest.mark.integration, pytest.mark.slow, pytest.mark.requirement("ENG-04", "HTU-1001")]

INTERVAL, TIMEOUT = 0.15, 0.15
PATIENT = {"http2_ping_interval": INTERVAL, "http2_ping_timeout": TIMEOUT, "first_byte_timeout": 30.0}
LATEST = 2.0
"""Seconds; far below the read timeout, and far above interval and timeout on a machine that is busy."""


async def test_silence_before_the_answer_of_a_dead_peer_is_cut_short(client: Clients, h2: ssl.SSLContext) -> None:
    """The peer neither answers nor acknowledges: the call fails as a reset of which nobody knows the outcome."""
    server = Http2Server(answers_pings=False)
    async with server.at(h2) as url, client(url, **PATIENT) as http:
        watch = Watch()
        with pytest.raises(httpx.RemoteProtocolError) as caught:
            await http.get("/silent")
        assert TIMEOUT < watch.seconds < LATEST
        failure = classify_transport_error(caught.value, Phase.SENDING)
        assert (failure.reason, failure.outcome) == ("reset", Outcome.UNKNOWN)
        assert server.connections[0].seen["PING"] == 1
        # later calls have a connection of their own
        assert (await http.get("/ok")).text == "ok"
        assert len(server.connections) == 2


async def test_silence_in_the_middle_of_an_answer_is_cut_short_too(client: Clients, h2: ssl.SSLContext) -> None:
    """The stream had begun; all the streams of the dead connection fail together."""

    async def one_piece(stream: Stream) -> None:
        stream.head()
        stream.data(b"piece")

    server = Http2Server(one_piece, answers_pings=False)

    async def read(http: httpx.AsyncClient, path: str) -> None:
        async with http.stream("GET", path) as answer:
            async for _ in answer.aiter_raw():
                pass

    async with server.at(h2) as url, client(url, **PATIENT) as http:
        watch = Watch()
        ends = await asyncio.gather(*(read(http, f"/{number}") for number in range(5)), return_exceptions=True)
        assert watch.seconds < LATEST
        # each has an error of its own, which knows its request
        assert [end.request.url.path for end in ends] == [f"/{number}" for number in range(5)]
        assert {type(end) for end in ends} <= {httpx.RemoteProtocolError, *httpx.RemoteProtocolError.__subclasses__()}
        assert len(server.connections) == 1


async def test_calls_that_wait_on_a_dead_connection_each_get_an_error_of_their_own(
    client: Clients, h2: ssl.SSLContext
) -> None:
    """Five at once, before their answers begin."""
    server = Http2Server(answers_pings=False)
    async with server.at(h2) as url, client(url, **PATIENT) as http:
        calls = (http.get("/silent", params={"number": number}) for number in range(5))
        ends = await asyncio.gather(*calls, return_exceptions=True)
        assert [end.request.url.params["number"] for end in ends] == [str(number) for number in range(5)]
        assert {classify_transport_error(end, Phase.SENDING).reason for end in ends} == {"reset"}


async def test_a_peer_that_answers_ping_may_be_silent_for_as_long_as_the_read_timeout(
    client: Clients, h2: ssl.SSLContext
) -> None:
    """A model that loads for long is not a dead peer."""

    async def late(stream: Stream) -> None:
        await until(lambda: stream.connection.seen["PING"] >= 4, 10)
        stream.answer()

    server = Http2Server(late)
    async with server.at(h2) as url, client(url, **PATIENT) as http:
        assert (await http.get("/")).text == "ok"


async def test_a_peer_that_goes_on_sending_is_not_asked(client: Clients, h2: ssl.SSLContext) -> None:
    """Tokens are a sign of life themselves."""
    server = Http2Server(answers_pings=False)
    async with server.at(h2) as url, client(url, **PATIENT) as http, http.stream("GET", "/stream") as answer:
        watch = Watch()
        async for _ in answer.aiter_raw():
            if watch.seconds > 3 * (INTERVAL + TIMEOUT):
                break
        assert server.connections[0].seen["PING"] == 0


async def test_an_unused_connection_is_asked_and_closed_when_it_is_dead(client: Clients, h2: ssl.SSLContext) -> None:
    """The next request does not run into it."""
    server = Http2Server(answers_pings=False)
    async with server.at(h2) as url, client(url, **PATIENT) as http:
        await http.get("/ok")
        watch = Watch()
        await until(lambda: server.open == 0)
        assert watch.seconds < LATEST
        assert (await http.get("/ok")).text == "ok"


async def test_an_unused_connection_that_answers_stays(client: Clients, h2: ssl.SSLContext) -> None:
    """It is asked again and again, and used in the end."""
    server = Http2Server()
    async with server.at(h2) as url, client(url, **PATIENT) as http:
        await http.get("/ok")
        await until(lambda: server.connections[0].seen["PING"] >= 3, 5)
        assert (await http.get("/ok")).text == "ok"
        assert len(server.connections) == 1


async def test_without_an_interval_nobody_is_asked(client: Clients, h2: ssl.SSLContext) -> None:
    """None turns it off."""

    async def late(stream: Stream) -> None:
        await asyncio.sleep(0.5)
        await paths(stream)

    server = Http2Server(late, answers_pings=False)
    async with server.at(h2) as url, client(url, http2_ping_interval=None, http2_ping_timeout=TIMEOUT) as http:
        assert (await http.get("/ok")).text == "ok"
        assert server.connections[0].seen["PING"] == 0


async def test_a_ping_of_the_peer_is_answered(client: Clients, h2: ssl.SSLContext) -> None:
    """With the same eight bytes, also while a request is under way."""
    from hyperframe.frame import PingFrame

    async def asks(stream: Stream) -> None:
        stream.connection.send(*(PingFrame(opaque_data=bytes([number] * 8)) for number in range(3)))
        await until(lambda: stream.connection.seen["PING ACK"] == 3)
        stream.answer()

    async with (server := Http2Server(asks)).at(h2) as url, client(url) as http:
        assert (await http.get("/")).text == "ok"
        assert server.connections[0].seen["PING ACK"] == 3


async def test_a_consumer_that_does_not_read_is_not_taken_for_a_dead_peer(client: Clients, h2: ssl.SSLContext) -> None:
    """An answer that nobody reads fills its window; PING is answered all the same, and the rest arrives."""
    server = Http2Server()
    async with server.at(h2) as url, client(url, **PATIENT) as http, http.stream("GET", "/size/30000000") as answer:
        await until(lambda: server.connections[0].seen["PING"] >= 3, 10)
        assert sum([len(piece) async for piece in answer.aiter_raw()]) == 30_000_000


async def test_real_servers_answer_ping(server: RealServer, client: Clients) -> None:
    """A connection to each of them lives through many intervals of silence."""
    async with client(server.url, **PATIENT) as http:
        before = (await http.get("/count")).json()["port"]
        silent = asyncio.ensure_future(http.get("/silent", timeout=0.5))
        with pytest.raises(httpx.ReadTimeout):
            await silent
        assert (await http.get("/count")).json()["port"] == before


async def test_a_program_that_was_busy_does_not_take_its_peer_for_dead(
    start: Callable[..., RealServer], client: Clients
) -> None:
    """The answer to PING lies in the socket while the event loop is blocked for longer than it may take."""
    server = start("granian")
    async with client(server.url, **PATIENT) as http, http.stream("GET", "/stream?pause=0.2") as answer:
        pieces = answer.aiter_raw()
        for _ in range(3):
            assert await anext(pieces)
            await asyncio.sleep(INTERVAL * 1.1)
            time.sleep(TIMEOUT * 2)  # noqa: ASYNC251 - what a program should not do, and does
        assert await anext(pieces)
