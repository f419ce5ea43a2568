"""A request stopped at any moment, in any way, harms nobody: on scripted servers, turn by turn of the event loop."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from tests.integration.http_util.engine.measure import Watch, tasks, turns, until
from tests.integration.http_util.engine.scripted_http1 import Http1Server, by_path
from tests.integration.http_util.engine.scripted_http2 import CANCEL, FRAME, Http2Server, paths
from tests.integration.http_util.engine.stopping import WAYS, task_cancel
from tests.lateness import in_time, late_only_once
from tests.process import open_sockets

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable

    from tests.integration.http_util.engine.conftest import Clients
    from tests.integration.http_util.engine.scripted_http2 import Stream

pytestmark = [pytest.mark.integration, pytest.mark.requirement("ENG-01", "HTU-14")]

Way = Any
TURNS = 40
"""A request on an open connection has its answer after fewer turns than this."""
BIG = bytes(300_000)


async def read_all(client: httpx.AsyncClient, method: str, path: str, content: bytes | None = None) -> None:
    """Send a request and read its answer to the end."""
    async with client.stream(method, path, content=content) as answer:
        async for _ in answer.aiter_raw():
            pass


def requests(client: httpx.AsyncClient) -> list[Callable[[], Any]]:
    """Return what is stopped: a stream, a request that is never answered, an upload, a short call."""
    return [
        lambda: read_all(client, "GET", "/stream"),
        lambda: read_all(client, "GET", "/silent"),
        lambda: read_all(client, "POST", "/silent", BIG),
        lambda: read_all(client, "GET", "/ok"),
    ]


@pytest.mark.slow
@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
async def test_an_http2_stream_stopped_at_any_turn_is_reset_and_its_neighbour_goes_on(
    way: Way, client: Clients, h2: ssl.SSLContext
) -> None:
    """Whatever stops a request and whenever, its stream is reset; the connection and its other stream carry on."""
    server = Http2Server(gives_credit=False)
    async with server.at(h2) as url, client(url) as http:
        async with http.stream("GET", "/stream") as neighbour:
            pieces = neighbour.aiter_raw()
            for count in range(TURNS):
                request = requests(http)[count % 4]
                await way(request(), lambda count=count: turns(count))
                assert await anext(pieces)
            await until(lambda: len(server.connections[0].open) <= 1 + answered(server))
        assert (await http.get("/ok")).text == "ok"
        assert len(server.connections) == 1
        assert server.connections[0].goaway_code is None
        codes = {stream.reset_code for stream in server.streams if stream.path != "/ok"}
        await until(lambda: all(stream.gone.is_set() for stream in server.streams if stream.path != "/ok"))
        assert codes <= {CANCEL, None}


def answered(server: Http2Server) -> int:
    """Count the streams that were answered in full, which nobody resets."""
    return sum(1 for stream in server.streams if stream.path == "/ok" and not stream.gone.is_set())


@pytest.mark.slow
@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
async def test_an_http11_request_stopped_at_any_turn_closes_its_connection(way: Way, client: Clients) -> None:
    """Whatever stops a request and whenever, its connection is closed, and the next request has a clean one."""
    server = Http1Server(by_path)
    async with server.at() as url, client(url) as http:
        for count in range(TURNS):
            await http.get("/ok")
            request = requests(http)[count % 4]
            await way(request(), lambda count=count: turns(count))
            assert (await http.get("/ok")).text == "ok"
        await until(lambda: server.open == 1)


@pytest.mark.slow
async def test_a_request_stopped_while_it_connects_leaves_a_client_that_works(
    client: Clients, h2: ssl.SSLContext, h1: ssl.SSLContext
) -> None:
    """On a client without connections a request is stopped after each number of turns; the next one succeeds."""
    for server, context, offered in ((Http2Server(), h2, True), (Http1Server(by_path), h1, False)):
        async with server.at(context) as url:
            for count in range(0, 120, 2):
                async with client(url, http2=offered) as http:
                    await task_cancel(http.get("/ok"), lambda count=count: turns(count))
                    assert (await http.get("/ok")).text == "ok"
            await until(lambda server=server: server.open == 0)


async def test_of_requests_that_wait_for_the_same_connection_only_the_stopped_one_ends(
    client: Clients, h2: ssl.SSLContext
) -> None:
    """Ten requests begin on a new client; the one that opens the connection is stopped, the nine are answered."""
    server = Http2Server()
    for count in range(0, 60, 3):
        async with server.at(h2) as url, client(url) as http:
            first = asyncio.ensure_future(http.get("/ok"))
            await asyncio.sleep(0)
            others = [asyncio.ensure_future(http.get("/ok")) for _ in range(9)]
            await turns(count)
            first.cancel()
            answers = await asyncio.gather(*others)
            await asyncio.wait((first,))
            assert [answer.text for answer in answers] == ["ok"] * 9


async def leave_at_once(response: httpx.Response) -> None:
    """Close an answer of which nothing was read."""
    await response.aclose()


async def leave_in_the_middle(response: httpx.Response) -> None:
    """Close an answer after its first piece."""
    await anext(response.aiter_raw())
    await response.aclose()


async def leave_twice(response: httpx.Response) -> None:
    """Close an answer twice."""
    await response.aclose()
    await response.aclose()


async def leave_by_iterator(response: httpx.Response) -> None:
    """Close the iterator of the body, then the answer."""
    pieces = response.aiter_raw()
    await anext(pieces)
    await pieces.aclose()
    await response.aclose()


@pytest.mark.parametrize("leave", [leave_at_once, leave_in_the_middle, leave_twice, leave_by_iterator])
async def test_an_answer_that_is_closed_early_ends_upstream(
    leave: Callable[[httpx.Response], Any], client: Clients, h2: ssl.SSLContext
) -> None:
    """HTTP/2: RST_STREAM with CANCEL on a connection that stays. HTTP/1.1: the connection is closed."""
    two, one = Http2Server(), Http1Server(by_path)
    async with two.at(h2) as secure, one.at() as plain, client(secure) as over_two, client(plain) as over_one:
        # more than a server takes at once, so that each must really be given back
        for _ in range(150):
            await leave(await over_two.send(over_two.build_request("GET", "/stream"), stream=True))
        for _ in range(5):
            await leave(await over_one.send(over_one.build_request("GET", "/stream"), stream=True))
        await until(lambda: [stream.reset_code for stream in two.streams] == [CANCEL] * 150)
        await until(lambda: one.open == 0)
        assert len(two.connections) == 1
        assert len(one.connections) == 5


async def test_an_answer_that_is_read_to_its_end_is_not_reset(client: Clients, h2: ssl.SSLContext) -> None:
    """Closing what has ended says nothing to the upstream."""
    server = Http2Server()
    async with server.at(h2) as url, client(url) as http:
        for _ in range(3):
            await http.get("/ok")
        await http.get("/ok")
        assert server.connections[0].seen["RST_STREAM"] == 0


async def test_closing_an_answer_that_another_task_reads_ends_the_reader(
    client: Clients, h2: ssl.SSLContext, http2: bool
) -> None:
    """A reader that waits for the next piece does not wait for ever when somebody else closes the answer."""

    async def one_token(stream: Stream) -> None:
        stream.head()
        stream.data(b"only")

    async def one_chunk(connection: Any) -> None:
        await connection.request()
        await connection.send(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\nonly\r\n")
        await connection.until_gone()

    server = Http2Server(one_token) if http2 else Http1Server(one_chunk)
    async with server.at(h2 if http2 else None) as url, client(url) as http:
        response = await http.send(http.build_request("GET", "/"), stream=True)
        pieces = response.aiter_raw()
        assert await anext(pieces) == b"only"
        reader = asyncio.ensure_future(anext(pieces, b"end"))
        await turns(3)
        await response.aclose()
        done, _ = await asyncio.wait((reader,), timeout=1)
        assert done
        assert isinstance(reader.exception(), httpx.TransportError | httpx.StreamError | None)


async def test_a_read_that_is_stopped_may_be_repeated_and_loses_no_byte(
    client: Clients, h2: ssl.SSLContext, http2: bool
) -> None:
    """The engine's own reader belongs to who calls it: a stopped `next_piece` has read nothing."""
    go_on = asyncio.Event()

    async def two_tokens(stream: Stream) -> None:
        stream.head()
        stream.data(b"one")
        await go_on.wait()
        stream.data(b"two")
        stream.data(b"three", end=True)

    async def two_chunks(connection: Any) -> None:
        while True:
            await connection.request()
            await connection.send(b"HTTP/1.1 200 OK\r\ncontent-length: 11\r\n\r\none")
            await go_on.wait()
            await connection.send(b"two", b"three")

    server = Http2Server(two_tokens) if http2 else Http1Server(two_chunks)
    async with server.at(h2 if http2 else None) as url, client(url) as http:
        for count in range(12):
            go_on.clear()
            response = await http.send(http.build_request("GET", "/"), stream=True)
            body = response.extensions["http_util.body"]
            assert await body.next_piece() == b"one"
            for way in WAYS:
                await way(body.next_piece(), lambda: turns(1))
            reading = asyncio.ensure_future(body.next_piece())
            await turns(1)
            go_on.set()
            # the bytes are on their way to a reader that is stopped
            await turns(count)
            reading.cancel()
            await asyncio.wait((reading,))
            received = b"" if reading.cancelled() else reading.result()
            while piece := await body.next_piece():
                received += piece
            assert received == b"twothree"
            await response.aclose()


async def test_an_iteration_that_is_stopped_gives_the_answer_up(
    client: Clients, h2: ssl.SSLContext, http2: bool
) -> None:
    """httpx's iterators cannot be continued: the upstream is told at once, also when nobody closes the answer."""
    server = Http2Server() if http2 else Http1Server(by_path)
    async with server.at(h2 if http2 else None) as url, client(url) as http:
        for way in WAYS:
            response = await http.send(http.build_request("GET", "/stream"), stream=True)
            await way(read_on(response), lambda: turns(8))
            await until(lambda: all(one.gone.is_set() for one in (server.streams if http2 else server.connections)))
            await response.aclose()


async def read_on(response: httpx.Response) -> None:
    """Read until somebody stops it."""
    async for _ in response.aiter_raw():
        pass


@pytest.mark.slow
async def test_what_cancelled_streams_did_not_deliver_is_given_back_to_the_window(
    client: Clients, h2: ssl.SSLContext
) -> None:
    """More than two windows full of data are sent to streams that nobody reads; a large download works afterwards."""

    async def fill(stream: Stream) -> None:
        if stream.path != "/fill":
            await paths(stream)
            return
        stream.head()
        while not stream.gone.is_set():
            if min(stream.window, stream.connection.window) >= FRAME:
                stream.data(bytes(FRAME))
                poured.append(FRAME)
                await stream.connection.drain()
            else:
                full.set()
                await stream.gone.wait()

    server = Http2Server(fill)
    poured: list[int] = []
    full = asyncio.Event()
    async with server.at(h2) as url, client(url) as http:
        await http.get("/ok")
        connection = server.connections[0]
        initial = connection.window
        while sum(poured) < 2 * initial + 1_000_000:
            full.clear()
            async with http.stream("GET", "/fill"):
                await asyncio.wait_for(full.wait(), 5)
            await until(lambda: connection.window > initial // 3)
        assert len((await http.get("/size/3000000")).content) == 3_000_000
        assert len(server.connections) == 1


@pytest.mark.slow
async def test_stopped_requests_leave_no_task_and_no_socket(client: Clients, h2: ssl.SSLContext, http2: bool) -> None:
    """After sixty requests stopped at different moments, tasks and open sockets are as before."""
    server = Http2Server() if http2 else Http1Server(by_path)
    async with server.at(h2 if http2 else None) as url:
        before = (tasks(), open_sockets())
        async with client(url) as http:
            for count in range(60):
                await task_cancel(requests(http)[count % 4](), lambda count=count: turns(count % 30))
        await until(lambda: (tasks(), open_sockets()) == before)


@late_only_once
async def test_a_stop_returns_at_once_although_the_upstream_reads_nothing(
    client: Clients, h2: ssl.SSLContext, http2: bool
) -> None:
    """A cancelled upload to a peer that takes nothing does not wait for the peer."""

    async def unread(connection: Any) -> None:
        await connection.gone.wait()

    server = Http2Server(gives_credit=False) if http2 else Http1Server(unread)
    async with server.at(h2 if http2 else None) as url, client(url) as http:
        upload = asyncio.ensure_future(http.post("/silent", content=bytes(30_000_000)))
        await asyncio.sleep(0.2)
        watch = Watch()
        upload.cancel()
        with pytest.raises(asyncio.CancelledError):
            await upload
        in_time(watch.seconds, 0.5, "the stop")
