"""GOAWAY and refused streams: what was not processed moves to another connection, what was accepted is answered."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from adapter_api.outcome import Outcome
from http_util.transport_errors import Phase, classify_transport_error
from tests.integration.http_util.engine.measure import until
from tests.integration.http_util.engine.scripted_http2 import (
    CANCEL,
    ENHANCE_YOUR_CALM,
    INTERNAL_ERROR,
    NO_ERROR,
    PROTOCOL_ERROR,
    REFUSED_STREAM,
    Http2Server,
)

if TYPE_CHECKING:
    import ssl

    from tests.integration.http_util.engine.conftest import Clients
    from tests.integration.http_util.engine.scripted_http2 import Stream

pytestmark = [pytest.mark.integration, pytest.mark.requirement("ENG-03", "HTU-1001", "ERR-09")]

MANY_MOVES = 10
"""More connections than this for one request would be a loop."""
LAST_POSSIBLE = 2**31 - 1


async def test_a_request_above_the_last_stream_id_is_answered_on_a_new_connection(
    client: Clients, h2: ssl.SSLContext
) -> None:
    """The first connection takes nothing and says GOAWAY; nobody who called notices."""

    async def script(stream: Stream) -> None:
        if stream.connection.number == 0:
            stream.connection.goaway(0)
        else:
            stream.answer()

    server = Http2Server(script)
    async with server.at(h2) as url, client(url) as http:
        assert (await http.get("/ok")).text == "ok"
        assert len(server.connections) == 2


@pytest.mark.parametrize("code", [NO_ERROR, ENHANCE_YOUR_CALM, INTERNAL_ERROR])
async def test_goaway_in_the_middle_lets_the_streams_below_finish_and_moves_those_above(
    code: int, client: Clients, h2: ssl.SSLContext
) -> None:
    """Of six streams the first three are answered where they are, the others elsewhere, each exactly once."""

    async def script(stream: Stream) -> None:
        if stream.connection.number:
            stream.answer(f"moved {stream.path}".encode())
            return
        if stream.number < 11:
            return
        numbers = list(stream.connection.streams)
        stream.connection.goaway(numbers[2], code)
        await asyncio.sleep(0.02)
        for number in numbers[:3]:
            staying = stream.connection.streams[number]
            staying.answer(f"stayed {staying.path}".encode())

    server = Http2Server(script)
    async with server.at(h2) as url, client(url) as http:
        answers = await asyncio.gather(*(http.get(f"/{number}") for number in range(6)))
        words = [answer.text.split() for answer in answers]
        assert [path for _, path in words] == [f"/{number}" for number in range(6)]
        assert sorted(word for word, _ in words) == ["moved"] * 3 + ["stayed"] * 3
        assert len(server.connections) == 2
        assert len(server.connections[1].streams) == 3
        await until(server.connections[0].gone.is_set)


async def test_a_body_goes_on_after_goaway(client: Clients, h2: ssl.SSLContext) -> None:
    """A stream whose answer has begun is read to its end, while the next request opens a new connection."""
    go_on = asyncio.Event()

    async def script(stream: Stream) -> None:
        if stream.path != "/long":
            stream.answer()
            return
        stream.head()
        stream.data(b"before ")
        stream.connection.goaway(stream.number)
        await go_on.wait()
        stream.data(b"after", end=True)

    server = Http2Server(script)
    async with server.at(h2) as url, client(url) as http, http.stream("GET", "/long") as answer:
        pieces = answer.aiter_raw()
        assert await anext(pieces) == b"before "
        assert (await http.get("/ok")).text == "ok"
        go_on.set()
        assert await anext(pieces) == b"after"
        assert [piece async for piece in pieces] == []
        assert [len(connection.streams) for connection in server.connections] == [1, 1]


async def test_a_goaway_in_two_steps_loses_nothing(client: Clients, h2: ssl.SSLContext) -> None:
    """A warning with the highest id, then the real last id, as RFC 9113 recommends for a graceful end."""

    async def script(stream: Stream) -> None:
        connection = stream.connection
        if connection.number == 0 and stream.number == 9:
            connection.goaway(LAST_POSSIBLE)
            await asyncio.sleep(0.01)
            connection.goaway(stream.number)
            await asyncio.sleep(0.01)
            for waiting in connection.streams.values():
                waiting.answer(waiting.path.encode())
            await asyncio.sleep(0.01)
            connection.close()
        elif connection.number:
            stream.answer(stream.path.encode())

    server = Http2Server(script)
    async with server.at(h2) as url, client(url) as http:
        first = [asyncio.ensure_future(http.get(f"/{number}")) for number in range(5)]
        await until(lambda: len(server.streams) == 5)
        await asyncio.sleep(0.005)
        second = [asyncio.ensure_future(http.get(f"/{number}")) for number in range(5, 10)]
        answers = await asyncio.gather(*first, *second)
        assert [answer.text for answer in answers] == [f"/{number}" for number in range(10)]
        assert len(server.streams) == 10


async def test_an_upstream_that_always_says_goaway_is_given_up_after_a_few_moves(
    client: Clients, h2: ssl.SSLContext
) -> None:
    """The failure says that nothing was processed, so whoever retries may."""

    async def script(stream: Stream) -> None:
        stream.connection.goaway(0)

    server = Http2Server(script)
    async with server.at(h2) as url, client(url) as http:
        with pytest.raises(httpx.RemoteProtocolError) as caught:
            await http.get("/ok")
        assert classify_transport_error(caught.value, Phase.SENDING).outcome is Outcome.NOT_SENT
        assert 1 < len(server.connections) <= MANY_MOVES


async def test_a_refused_stream_is_sent_again(client: Clients, h2: ssl.SSLContext) -> None:
    """REFUSED_STREAM means that nothing was processed: the request is answered at the second try."""
    refusals = 1

    async def script(stream: Stream) -> None:
        nonlocal refusals
        if refusals:
            refusals -= 1
            stream.reset(REFUSED_STREAM)
        else:
            await stream.ended.wait()
            stream.answer(bytes(stream.body))

    server = Http2Server(script)
    async with server.at(h2) as url, client(url) as http:
        assert (await http.post("/ok", content=b"the body")).text == "the body"
        assert len(server.streams) == 2


async def test_an_upstream_that_always_refuses_is_given_up_after_a_few_tries(
    client: Clients, h2: ssl.SSLContext
) -> None:
    """The failure is NOT_SENT, and the client stays usable."""

    async def script(stream: Stream) -> None:
        if stream.path == "/ok":
            stream.answer()
        else:
            stream.reset(REFUSED_STREAM)

    server = Http2Server(script)
    async with server.at(h2) as url, client(url) as http:
        with pytest.raises(httpx.RemoteProtocolError) as caught:
            await http.get("/refused")
        assert classify_transport_error(caught.value, Phase.SENDING).outcome is Outcome.NOT_SENT
        assert 1 < len(server.streams) <= MANY_MOVES
        assert (await http.get("/ok")).text == "ok"


@pytest.mark.parametrize("size", [0, 1, 500_000])
async def test_a_request_with_a_body_moves_with_all_of_it(size: int, client: Clients, h2: ssl.SSLContext) -> None:
    """GOAWAY comes while the body is on its way; the second connection gets the whole body."""
    content = bytes(range(256)) * (size // 256) + bytes(size % 256)

    async def script(stream: Stream) -> None:
        if stream.connection.number == 0:
            stream.connection.goaway(0)
            return
        await stream.ended.wait()
        stream.head()
        stream.data(b"%d" % len(stream.body), end=True)
        assert bytes(stream.body) == content

    server = Http2Server(script)
    async with server.at(h2) as url, client(url) as http:
        assert (await http.post("/", content=content)).text == str(size)
        assert len(server.connections) == 2


async def test_a_body_that_can_be_read_only_once_does_not_move(client: Clients, h2: ssl.SSLContext) -> None:
    """An iterator that was begun cannot be sent again: the call fails as NOT_SENT instead of sending half a body."""

    async def pieces() -> Any:
        yield b"first"
        await asyncio.sleep(0.05)
        yield b"second"

    async def script(stream: Stream) -> None:
        await until(lambda: bool(stream.body))
        stream.connection.goaway(0)

    server = Http2Server(script)
    async with server.at(h2) as url, client(url) as http:
        with pytest.raises(httpx.RemoteProtocolError) as caught:
            await http.post("/", content=pieces())
        assert classify_transport_error(caught.value, Phase.SENDING).outcome is Outcome.NOT_SENT
        assert len(server.streams) == 1


async def test_streams_below_fail_when_the_connection_closes_before_they_end(
    client: Clients, h2: ssl.SSLContext
) -> None:
    """They were accepted, so nobody knows what was done: reset, UNKNOWN, and sent only once."""

    async def script(stream: Stream) -> None:
        stream.connection.goaway(stream.number)
        await asyncio.sleep(0.01)
        stream.connection.close()

    server = Http2Server(script)
    async with server.at(h2) as url, client(url) as http:
        with pytest.raises(httpx.RemoteProtocolError) as caught:
            await http.get("/ok")
        failure = classify_transport_error(caught.value, Phase.SENDING)
        assert (failure.reason, failure.outcome) == ("reset", Outcome.UNKNOWN)
        assert len(server.streams) == 1


@pytest.mark.parametrize("code", [NO_ERROR, PROTOCOL_ERROR, INTERNAL_ERROR, CANCEL, ENHANCE_YOUR_CALM, 0x7FFF])
@pytest.mark.parametrize("begun", [False, True], ids=["before the head", "in the body"])
async def test_a_stream_that_the_upstream_resets_fails_alone(
    code: int, begun: bool, client: Clients, h2: ssl.SSLContext
) -> None:
    """Whatever the code, the call fails as a reset, is not sent again, and its neighbour on the connection is well."""

    async def script(stream: Stream) -> None:
        if stream.path == "/slow":
            await resets.wait()
            stream.answer()
            return
        if begun:
            stream.head()
            stream.data(b"piece")
        stream.reset(code)
        resets.set()

    server = Http2Server(script)
    resets = asyncio.Event()
    async with server.at(h2) as url, client(url) as http:
        slow = asyncio.ensure_future(http.get("/slow"))
        await until(lambda: len(server.streams) == 1)
        with pytest.raises(httpx.RemoteProtocolError) as caught:
            await http.get("/reset")
        phase, outcome = (Phase.STREAMING, Outcome.PARTIAL) if begun else (Phase.SENDING, Outcome.UNKNOWN)
        failure = classify_transport_error(caught.value, phase)
        assert (failure.reason, failure.outcome) == ("reset", outcome)
        assert (await slow).text == "ok"
        assert len(server.streams) == 2
        assert len(server.connections) == 1


async def test_an_idle_connection_that_says_goaway_is_not_used_again(client: Clients, h2: ssl.SSLContext) -> None:
    """GOAWAY comes between two requests: the second has a connection of its own, and nothing fails."""
    server = Http2Server()
    async with server.at(h2) as url, client(url) as http:
        for number in range(5):
            assert (await http.get("/ok")).text == "ok"
            connection = server.connections[number]
            connection.goaway(1)
            await until(lambda connection=connection: connection.gone.is_set())
        assert len(server.connections) == 5


async def test_a_goaway_that_arrives_with_the_next_request_costs_nothing(client: Clients, h2: ssl.SSLContext) -> None:
    """Fifty times the upstream says goodbye right behind its answer; no request in a row of POSTs fails or is lost."""

    async def script(stream: Stream) -> None:
        await stream.ended.wait()
        stream.answer(bytes(stream.body))
        stream.connection.goaway(stream.number)

    server = Http2Server(script)
    async with server.at(h2) as url, client(url) as http:
        for number in range(50):
            assert (await http.post("/", content=b"%d" % number)).text == str(number)
        assert [len(connection.streams) for connection in server.connections] == [1] * 50


async def test_a_goaway_that_lies_unread_when_a_write_fails_still_counts(client: Clients, h2: ssl.SSLContext) -> None:
    """The peer says GOAWAY and closes in the moment in which new requests are written: they were not processed."""

    async def script(stream: Stream) -> None:
        if stream.path == "/ok":
            stream.answer()

    server = Http2Server(script)
    async with server.at(h2) as url, client(url) as http:
        accepted = [asyncio.ensure_future(http.get("/silent")) for _ in range(2)]
        await until(lambda: len(server.streams) == 2)
        server.connections[0].goaway(server.streams[-1].number)
        server.connections[0].writer.transport.abort()
        answers = await asyncio.gather(*(http.post("/ok", content=b"x" * 1000) for _ in range(5)))
        assert [answer.text for answer in answers] == ["ok"] * 5
        ends = await asyncio.gather(*accepted, return_exceptions=True)
        assert all(isinstance(end, httpx.RemoteProtocolError) for end in ends)
        assert len(server.streams) == 7
