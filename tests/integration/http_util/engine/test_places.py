"""Who waits for a place: in order, for a bounded time, and without keeping a place when it gives up."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from adapter_api.outcome import Outcome
from http_util.transport_errors import Phase, classify_transport_error
from tests.integration.http_util.engine.measure import Watch, turns, until
from tests.integration.http_util.engine.scripted_http1 import GOOD, Http1Connection, Http1Server, answering
from tests.integration.http_util.engine.scripted_http2 import (
    INITIAL_WINDOW_SIZE,
    MAX_CONCURRENT_STREAMS,
    REFUSED_STREAM,
    Http2Server,
    greeting,
)

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable

    from tests.integration.http_util.engine.conftest import Clients
    from tests.integration.http_util.engine.real_servers import RealServer
    from tests.integration.http_util.engine.scripted_http2 import Stream

pytestmark = [pytest.mark.integration, pytest.mark.requirement("ENG-06", "HTU-14")]


class Gate:
    """A server of which every answer waits to be let through, in either protocol."""

    def __init__(self, *, http2: bool, streams: int = 1) -> None:
        self.waiting: list[tuple[str, asyncio.Event, asyncio.Event]] = []
        self.asked: list[str] = []
        self.most = 0
        self.server: Any = (
            Http2Server(self.stream, greeting=greeting({MAX_CONCURRENT_STREAMS: streams}))
            if http2
            else Http1Server(self.connection)
        )

    async def enter(self, path: str, gone: asyncio.Event) -> None:
        """Wait to be let through; *gone* tells that the client has given up meanwhile."""
        event = asyncio.Event()
        self.asked.append(path)
        self.waiting.append((path, event, gone))
        self.most = max(self.most, sum(1 for *_, gone in self.waiting if not gone.is_set()))
        await event.wait()

    def let_one_through(self) -> str:
        """Answer the request that came first."""
        path, event, _ = self.waiting.pop(0)
        event.set()
        return path

    async def stream(self, stream: Stream) -> None:
        """Answer a stream when it is let through."""
        await self.enter(stream.path, stream.gone)
        stream.answer()

    async def connection(self, connection: Http1Connection) -> None:
        """Answer each request when it is let through."""
        while True:
            head = await connection.request()
            await self.enter(head.split(b" ")[1].decode(), connection.gone)
            await connection.send(GOOD)


async def test_requests_beyond_the_limit_wait_in_the_order_in_which_they_came(
    client: Clients, h2: ssl.SSLContext, http2: bool
) -> None:
    """One connection, one request at a time: ten of them are served first come, first served."""
    gate = Gate(http2=http2)
    async with gate.server.at(h2 if http2 else None) as url, client(url, max_connections=1) as http:
        calls = []
        for number in range(10):
            calls.append(asyncio.ensure_future(http.get(f"/{number}")))
            await turns(2)
        for number in range(10):
            await until(lambda: bool(gate.waiting))
            assert gate.let_one_through() == f"/{number}"
        assert [answer.text for answer in await asyncio.gather(*calls)] == ["ok"] * 10
        assert gate.asked == [f"/{number}" for number in range(10)]
        assert gate.most == 1


async def test_a_wait_for_a_place_is_bounded_and_has_its_own_error(
    client: Clients, h2: ssl.SSLContext, http2: bool
) -> None:
    """The place is taken: PoolTimeout after the pool timeout, NOT_SENT, and nothing reaches the upstream."""
    gate = Gate(http2=http2)
    async with gate.server.at(h2 if http2 else None) as url, client(url, max_connections=1, pool_timeout=0.1) as http:
        first = asyncio.ensure_future(http.get("/first"))
        await until(lambda: gate.asked == ["/first"])
        watch = Watch()
        with pytest.raises(httpx.PoolTimeout) as caught:
            await http.get("/second")
        assert 0.09 < watch.seconds < 1
        failure = classify_transport_error(caught.value, Phase.SENDING)
        assert (failure.reason, failure.outcome) == ("pool_timeout", Outcome.NOT_SENT)
        gate.let_one_through()
        assert (await first).text == "ok"
        assert gate.asked == ["/first"]


@pytest.mark.slow
async def test_a_cancelled_waiter_leaves_its_place_to_the_next(
    client: Clients, h2: ssl.SSLContext, http2: bool
) -> None:
    """Waiters are cancelled at every turn, before and after they were called; those behind them are served."""
    gate = Gate(http2=http2)
    async with gate.server.at(h2 if http2 else None) as url, client(url, max_connections=1) as http:
        for count in range(16):
            gate.asked.clear()
            first = asyncio.ensure_future(http.get("/first"))
            await until(lambda: gate.asked == ["/first"])
            waiters = [asyncio.ensure_future(http.get(f"/{number}")) for number in range(4)]
            await turns(3)
            gate.let_one_through()
            await turns(count)
            for waiter in waiters[:3]:
                waiter.cancel()
            while not waiters[3].done():
                await asyncio.sleep(0.001)
                while gate.waiting:
                    gate.let_one_through()
            assert waiters[3].result().text == "ok"
            assert (await first).text == "ok"
            await asyncio.gather(*waiters, return_exceptions=True)
        assert gate.most == 1 or not http2


async def test_an_upstream_that_takes_one_stream_gets_one_and_further_connections(
    client: Clients, h2: ssl.SSLContext
) -> None:
    """MAX_CONCURRENT_STREAMS is 1: three calls at once use three connections, each never more than one stream."""
    gate = Gate(http2=True)
    async with gate.server.at(h2) as url, client(url) as http:
        calls = [asyncio.ensure_future(http.get(f"/{number}")) for number in range(3)]
        await until(lambda: len(gate.waiting) == 3)
        assert [len(connection.streams) for connection in gate.server.connections] == [1, 1, 1]
        for _ in range(3):
            gate.let_one_through()
        assert [answer.text for answer in await asyncio.gather(*calls)] == ["ok"] * 3


@pytest.mark.parametrize("allowed", [1, 2, 7])
async def test_an_upstream_never_has_more_streams_than_it_allows(
    allowed: int, client: Clients, h2: ssl.SSLContext
) -> None:
    """Thirty calls over one connection: as many at once as it takes, the others wait."""
    gate = Gate(http2=True, streams=allowed)
    async with gate.server.at(h2) as url, client(url, max_connections=1) as http:
        calls = [asyncio.ensure_future(http.get(f"/{number}")) for number in range(30)]
        for _ in range(30):
            await until(lambda: bool(gate.waiting))
            gate.let_one_through()
        assert {answer.text for answer in await asyncio.gather(*calls)} == {"ok"}
        assert gate.most <= allowed
        assert len(gate.server.connections) == 1


async def test_a_limit_that_is_lowered_holds_for_the_next_streams(client: Clients, h2: ssl.SSLContext) -> None:
    """From ten to one in the middle: those under way finish, the next ones come one at a time."""
    gate = Gate(http2=True, streams=10)
    async with gate.server.at(h2) as url, client(url, max_connections=1) as http:
        first = [asyncio.ensure_future(http.get(f"/{number}")) for number in range(10)]
        await until(lambda: len(gate.waiting) == 10)
        connection = gate.server.connections[0]
        connection.set({MAX_CONCURRENT_STREAMS: 1})
        await until(lambda: connection.seen["SETTINGS ACK"] == 2)
        second = [asyncio.ensure_future(http.get(f"/{number}")) for number in range(10, 15)]
        for _ in range(10):
            gate.let_one_through()
        await asyncio.gather(*first)
        gate.most = 0
        for _ in range(5):
            await until(lambda: bool(gate.waiting))
            await asyncio.sleep(0.005)
            gate.let_one_through()
        assert {answer.text for answer in await asyncio.gather(*second)} == {"ok"}
        assert gate.most == 1


async def test_a_limit_of_zero_holds_new_streams_back_until_it_is_raised(client: Clients, h2: ssl.SSLContext) -> None:
    """The upstream pauses: a call waits, and is served when the upstream goes on."""
    server = Http2Server()
    async with server.at(h2) as url, client(url, max_connections=1) as http:
        await http.get("/ok")
        connection = server.connections[0]
        connection.set({MAX_CONCURRENT_STREAMS: 0})
        await until(lambda: connection.seen["SETTINGS ACK"] == 2)
        waiting = asyncio.ensure_future(http.get("/ok"))
        await asyncio.sleep(0.05)
        assert len(server.streams) == 1
        connection.set({MAX_CONCURRENT_STREAMS: 5})
        assert (await waiting).text == "ok"


async def test_who_comes_before_the_settings_waits_for_them_and_not_for_another_connection(
    client: Clients, h2: ssl.SSLContext
) -> None:
    """The first request is under way, and all that is missing is the upstream's word for the others."""

    async def say_nothing(_: object) -> None:
        pass

    async def greet_late(stream: Stream) -> None:
        if stream.number == 1:
            await asyncio.sleep(0.1)
            stream.connection.set({MAX_CONCURRENT_STREAMS: 100})
        stream.answer()

    server = Http2Server(greet_late, greeting=say_nothing, acknowledges=False, gives_credit=False)
    async with server.at(h2) as url, client(url) as http:
        first = asyncio.ensure_future(http.get("/"))
        await until(lambda: server.streams)
        others = await asyncio.gather(*(http.get("/") for _ in range(5)))
        assert [answer.status_code for answer in (await first, *others)] == [200] * 6
        assert len(server.connections) == 1


async def test_a_connection_that_never_allowed_a_request_is_closed_like_any_unused_one(
    client: Clients, h2: ssl.SSLContext
) -> None:
    """Its settings came late, long after the last look at what is unused; it would be in the way for ever."""

    async def refuse_late(stream: Stream) -> None:
        await asyncio.sleep(0.1)
        stream.connection.set({MAX_CONCURRENT_STREAMS: 0})
        stream.reset(REFUSED_STREAM)

    async def say_nothing(_: object) -> None:
        pass

    server = Http2Server(refuse_late, greeting=say_nothing, acknowledges=False, gives_credit=False)
    settings = {"max_connections": 1, "pool_timeout": 0.1, "keepalive_expiry": 0.05}
    async with server.at(h2) as url, client(url, **settings) as http:
        with pytest.raises(httpx.PoolTimeout):
            await http.get("/")
        await until(lambda: not server.open)
        assert len(server.connections) == 1


async def test_an_upstream_that_sends_no_settings_fails_within_the_timeouts(
    client: Clients, h2: ssl.SSLContext
) -> None:
    """SETTINGS must come first; a server that only listens is given up, and a later one is served."""

    async def nothing(connection: object) -> None:
        if connection.number == 0:
            await asyncio.sleep(60)
        connection.set({})

    server = Http2Server(greeting=nothing)
    async with server.at(h2) as url, client(url, connect_timeout=0.3, first_byte_timeout=0.3) as http:
        with pytest.raises(httpx.TransportError):
            await http.get("/ok")
        assert (await http.get("/ok")).text == "ok"


async def test_an_upstream_with_a_window_of_zero_is_sent_the_body_when_it_opens_the_window(
    client: Clients, h2: ssl.SSLContext
) -> None:
    """INITIAL_WINDOW_SIZE 0, and then raised by SETTINGS: the body waits, and arrives whole."""

    async def script(stream: Stream) -> None:
        if stream.path == "/ok":
            stream.answer()
            return
        await asyncio.sleep(0.02)
        assert not stream.body
        stream.connection.set({INITIAL_WINDOW_SIZE: 100_000})
        await stream.ended.wait()
        stream.head()
        stream.data(b"%d" % len(stream.body), end=True)

    server = Http2Server(script, greeting=greeting({INITIAL_WINDOW_SIZE: 0}))
    async with server.at(h2) as url, client(url) as http:
        # before the upstream's settings have come, the usual window may be used
        await http.get("/ok")
        assert (await http.post("/", content=bytes(50_000))).text == "50000"


async def test_a_window_that_is_lowered_below_what_is_sent_is_respected(client: Clients, h2: ssl.SSLContext) -> None:
    """The stream's window becomes negative (RFC 9113, 6.9.2): nothing is sent until it is positive again."""

    async def script(stream: Stream) -> None:
        connection = stream.connection
        await until(lambda: len(stream.body) >= 10_000)
        connection.set({INITIAL_WINDOW_SIZE: 100})
        await until(lambda: connection.seen["SETTINGS ACK"] == 2)
        held = len(stream.body)
        connection.give(1_000, stream.number)
        await asyncio.sleep(0.02)
        assert len(stream.body) == held
        connection.give(1_000_000, stream.number)
        connection.give(1_000_000)
        await stream.ended.wait()
        stream.head()
        stream.data(b"%d" % len(stream.body), end=True)

    server = Http2Server(script, greeting=greeting({INITIAL_WINDOW_SIZE: 10_000}), gives_credit=False)
    async with server.at(h2) as url, client(url) as http:
        assert (await http.post("/", content=bytes(200_000))).text == "200000"


@pytest.mark.slow
@pytest.mark.requirement("HTU-PERF-1301")
async def test_two_hundred_calls_at_once_are_all_answered(server: RealServer, http2: bool, client: Clients) -> None:
    """More than any server takes on one connection, and more than the client may open."""
    async with client(server.url, http2=http2, max_connections=20, pool_timeout=30) as http:
        answers = await asyncio.gather(*(http.get("/count") for _ in range(200)))
    assert [answer.status_code for answer in answers] == [200] * 200
    assert len({answer.json()["port"] for answer in answers}) <= 20


@pytest.mark.slow
async def test_a_storm_under_contention_for_places_leaves_a_client_that_still_works(client: Clients) -> None:
    """Hundreds of requests cancelled at different moments, with four places between them, use nothing up."""
    server = Http1Server(answering())
    async with server.at() as url, client(url, max_connections=4) as http:
        for offset in range(80):
            tasks = [asyncio.create_task(http.get("/a")) for _ in range(6)]
            await turns(offset % 16)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        answers = await asyncio.gather(*(http.get("/a") for _ in range(12)))
    assert {answer.text for answer in answers} == {"ok"}


async def test_a_connection_that_fails_does_not_keep_its_place(client: Clients, refused: Callable[[], str]) -> None:
    """The only place is tried twenty times against a closed port; the limit is not used up by failures."""
    async with client(refused(), max_connections=1, pool_timeout=1) as http:
        for _ in range(20):
            with pytest.raises(httpx.ConnectError):
                await http.get("/")
