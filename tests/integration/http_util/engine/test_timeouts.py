"""httpx's four timers, each with its own exception, on both protocols; and that nothing else makes them run."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

import httpx
import pytest

from adapter_api.outcome import Outcome
from http_util.transport_errors import Phase, classify_transport_error
from tests.integration.http_util.engine.measure import Watch, until
from tests.integration.http_util.engine.scripted_http1 import CHUNKED, Http1Connection, Http1Server, by_path
from tests.integration.http_util.engine.scripted_http2 import Http2Server, paths

if TYPE_CHECKING:
    import ssl

    from tests.integration.http_util.engine.conftest import BlockingClients, Clients
    from tests.integration.http_util.engine.real_servers import RealServer
    from tests.integration.http_util.engine.scripted_http2 import Stream

pytestmark = [pytest.mark.integration, pytest.mark.requirement("HTU-14")]

BOUND = 0.15
LATEST = 1.5


async def test_a_handshake_that_does_not_end_runs_into_the_connect_timeout(client: Clients) -> None:
    """The port accepts and says nothing: ConnectTimeout, NOT_SENT."""

    async def mute(connection: Http1Connection) -> None:
        await connection.until_gone()

    server = Http1Server(mute)
    async with server.at() as url, client(url.replace("http:", "https:"), connect_timeout=BOUND) as http:
        watch = Watch()
        with pytest.raises(httpx.ConnectTimeout) as caught:
            await http.get("/")
        assert BOUND * 0.9 < watch.seconds < LATEST
        failure = classify_transport_error(caught.value, Phase.SENDING)
        assert (failure.reason, failure.outcome) == ("connect_timeout", Outcome.NOT_SENT)
        await until(lambda: server.open == 0)


async def test_an_answer_that_does_not_come_runs_into_the_read_timeout(
    server: RealServer, http2: bool, client: Clients
) -> None:
    """The upstream is silent: ReadTimeout, its work is ended, and the connection of others is not harmed."""
    name = f"timeout-{http2}"
    async with client(server.url, http2=http2, first_byte_timeout=BOUND) as http:
        watch = Watch()
        with pytest.raises(httpx.ReadTimeout) as caught:
            await http.post(f"/silent?id={name}", content=b"{}")
        assert BOUND * 0.9 < watch.seconds < LATEST
        failure = classify_transport_error(caught.value, Phase.SENDING)
        assert (failure.reason, failure.outcome) == ("first_byte_timeout", Outcome.UNKNOWN)
        assert (await http.get("/count", timeout=5)).status_code == 200
    async with asyncio.timeout(5):
        while not (await asyncio.to_thread(server.memory, name))["ended"]:
            await asyncio.sleep(0.01)


@pytest.mark.slow
async def test_a_body_that_stops_runs_into_the_read_timeout(client: Clients, h2: ssl.SSLContext, http2: bool) -> None:
    """Each wait for a byte is bounded, and a stream that goes on is not."""
    bound, pause = 1.2, 0.12

    async def script(stream: Stream) -> None:
        stream.head()
        for _ in range(8):
            stream.data(b"token")
            await asyncio.sleep(pause)

    async def chunks(connection: Http1Connection) -> None:
        await connection.request()
        await connection.send(CHUNKED)
        for _ in range(8):
            await connection.send(b"5\r\ntoken\r\n")
            await asyncio.sleep(pause)
        await connection.until_gone()

    server = Http2Server(script) if http2 else Http1Server(chunks)
    async with server.at(h2 if http2 else None) as url, client(url, first_byte_timeout=bound) as http:
        received: list[bytes] = []
        watch = Watch()
        with pytest.raises(httpx.ReadTimeout):
            await collect(http, received)
        assert b"".join(received) == b"token" * 8
        assert 7 * pause + bound < watch.seconds < LATEST + 8 * pause + bound
        if http2:
            await until(server.streams[0].gone.is_set)
            assert len(server.connections) == 1
        else:
            await until(lambda: server.open == 0)


async def collect(http: httpx.AsyncClient, received: list[bytes]) -> None:
    """Read an answer; what came stands in *received* also when it fails."""
    async with http.stream("GET", "/") as answer:
        async for piece in answer.aiter_raw():
            received += [piece]


async def test_a_consumer_that_is_slow_does_not_run_into_the_read_timeout(
    client: Clients, h2: ssl.SSLContext, http2: bool
) -> None:
    """The timer runs while somebody waits for bytes, not while they lie here."""

    async def script(stream: Stream) -> None:
        stream.head()
        await stream.pour(bytes(3_000_000))

    async def length(connection: Http1Connection) -> None:
        await connection.request()
        await connection.send(b"HTTP/1.1 200 OK\r\ncontent-length: 3000000\r\n\r\n", bytes(3_000_000))

    server = Http2Server(script) if http2 else Http1Server(length)
    async with server.at(h2 if http2 else None) as url, client(url, first_byte_timeout=BOUND) as http:
        async with http.stream("GET", "/") as answer:
            pieces = answer.aiter_raw()
            received = len(await anext(pieces))
            await asyncio.sleep(2 * BOUND)
            async for piece in pieces:
                received += len(piece)
        assert received == 3_000_000


async def pausing_stream(stream: Stream) -> None:
    """Send a token, be silent for longer than the read timeout, send the rest."""
    stream.head()
    stream.data(b"one")
    await asyncio.sleep(1.6 * BOUND)
    stream.data(b"two", end=True)


async def pausing_chunks(connection: Http1Connection) -> None:
    """Send a token, be silent for longer than the read timeout, send the rest."""
    await connection.request()
    await connection.send(b"HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\none")
    await asyncio.sleep(1.6 * BOUND)
    await connection.send(b"two")
    await connection.until_gone()


async def test_silence_while_nobody_reads_is_not_a_read_timeout(
    client: Clients, h2: ssl.SSLContext, http2: bool
) -> None:
    """The consumer is busy with the first piece for longer than the upstream is silent: it never waited."""
    server = Http2Server(pausing_stream) if http2 else Http1Server(pausing_chunks)
    async with (
        server.at(h2 if http2 else None) as url,
        client(url, first_byte_timeout=BOUND) as http,
        http.stream("GET", "/") as answer,
    ):
        pieces = answer.aiter_raw()
        assert await anext(pieces) == b"one"
        await asyncio.sleep(3 * BOUND)
        assert await anext(pieces) == b"two"


async def test_silence_while_a_thread_does_not_read_is_not_a_read_timeout(
    blocking_client: BlockingClients, h2: ssl.SSLContext, http2: bool
) -> None:
    """The same for the blocking client: its timer, too, runs only while somebody waits."""

    def scenario(url: str) -> list[bytes]:
        with blocking_client(url, first_byte_timeout=BOUND) as http, http.stream("GET", "/") as answer:
            pieces = answer.iter_raw()
            first = next(pieces)
            time.sleep(3 * BOUND)
            return [first, next(pieces)]

    server = Http2Server(pausing_stream) if http2 else Http1Server(pausing_chunks)
    async with server.at(h2 if http2 else None) as url:
        assert await asyncio.to_thread(scenario, url) == [b"one", b"two"]


async def test_interim_answers_do_not_hold_a_call_for_ever(client: Clients, h2: ssl.SSLContext, http2: bool) -> None:
    """Early hints that drip faster than the read timeout: the head is due all the same."""

    async def hints(stream: Stream) -> None:
        while not stream.gone.is_set():
            stream.head(103, ("link", "</a>"))
            await asyncio.sleep(BOUND / 3)

    async def hint_lines(connection: Http1Connection) -> None:
        await connection.request()
        while True:
            await connection.send(b"HTTP/1.1 103 Early Hints\r\n\r\n")
            await asyncio.sleep(BOUND / 3)

    server = Http2Server(hints) if http2 else Http1Server(hint_lines)
    async with server.at(h2 if http2 else None) as url, client(url, first_byte_timeout=BOUND) as http:
        watch = Watch()
        with pytest.raises((httpx.ReadTimeout, httpx.RemoteProtocolError)):
            await http.get("/")
        assert watch.seconds < LATEST


async def test_the_time_of_a_long_upload_is_not_the_time_of_the_answer(
    client: Clients, h2: ssl.SSLContext, http2: bool
) -> None:
    """The read timeout begins to run when the request is sent, not while it is being sent."""

    async def slow() -> object:
        for _ in range(6):
            yield b"piece"
            await asyncio.sleep(BOUND / 2)

    server = Http2Server() if http2 else Http1Server(whole)
    async with server.at(h2 if http2 else None) as url, client(url, first_byte_timeout=BOUND) as http:
        assert (await http.post("/echo", content=slow())).content == b"piece" * 6


async def whole(connection: Http1Connection) -> None:
    """Echo."""
    await connection.request()
    body = connection.body
    await connection.send(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % len(body) + body)


@pytest.mark.slow
async def test_a_call_without_timeouts_waits(client: Clients, h2: ssl.SSLContext, http2: bool) -> None:
    """None means that nobody looks at the clock."""

    async def late(stream: Stream) -> None:
        await asyncio.sleep(0.3)
        await paths(stream)

    async def late_answer(connection: Http1Connection) -> None:
        await asyncio.sleep(0.3)
        await by_path(connection)

    server = Http2Server(late) if http2 else Http1Server(late_answer)
    async with server.at(h2 if http2 else None) as url, client(url, first_byte_timeout=0.05) as http:
        assert (await http.get("/ok", timeout=None)).text == "ok"


async def test_a_port_where_nobody_listens_is_a_connect_error(client: Clients, refused: object) -> None:
    """At once, and not a timeout."""
    async with client(refused()) as http:
        watch = Watch()
        with pytest.raises(httpx.ConnectError):
            await http.get("/")
        assert watch.seconds < LATEST


async def test_timers_leave_nothing_behind(client: Clients, h2: ssl.SSLContext, http2: bool) -> None:
    """A hundred calls with long timeouts: the loop holds no timer of theirs afterwards."""
    loop = asyncio.get_running_loop()
    server = Http2Server() if http2 else Http1Server(by_path)
    async with server.at(h2 if http2 else None) as url:
        async with client(url) as http:
            await asyncio.gather(*(http.get("/ok") for _ in range(100)))
        # the loop's own list, of which cancelled ones are swept out in bulk
        left = [handle for handle in getattr(loop, "_scheduled", ()) if not handle.cancelled()]
        assert len(left) <= 2
