"""The engine over real sockets: HTTP/2 by ALPN, streams that are reset, connections that are not poisoned."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from typing import TYPE_CHECKING

import h2.config
import h2.connection
import h2.events
import h2.exceptions
import httpx
import pytest
import trustme

from http_util.client import build_async_client, build_client
from http_util.config import HttpConfig
from http_util.transport_errors import Phase, classify_transport_error

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

pytestmark = pytest.mark.integration

CHUNK = b"data: tick\n\n"


class Http2Server:
    """
    Speaks HTTP/2 over TLS on loopback.

    ``/stream`` sends a tick now and then until the stream is reset; every other path answers ``ok``.
    """

    def __init__(self, alpn: tuple[str, ...] = ("h2",)) -> None:
        self.alpn = alpn
        self.connections = 0
        self.streaming: set[tuple[int, int]] = set()
        self.resets: list[int] = []
        self.tasks: set[asyncio.Task[None]] = set()

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        number = self.connections
        state = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False))
        state.initiate_connection()
        writer.write(state.data_to_send())
        with contextlib.suppress(ConnectionError, ssl.SSLError):
            while data := await reader.read(65_536):
                for event in state.receive_data(data):
                    # one read may bring a request and its reset
                    with contextlib.suppress(h2.exceptions.StreamClosedError):
                        self.handle(event, state, writer, number)
                writer.write(state.data_to_send())
        self.streaming = {key for key in self.streaming if key[0] != number}
        writer.close()

    def handle(
        self, event: h2.events.Event, state: h2.connection.H2Connection, writer: asyncio.StreamWriter, number: int
    ) -> None:
        """Answer one event."""
        if isinstance(event, h2.events.RequestReceived):
            path = dict(event.headers)[b":path"]
            if path == b"/silent":
                return
            state.send_headers(event.stream_id, [(":status", "200")])
            if path == b"/stream":
                self.streaming.add((number, event.stream_id))
                task = asyncio.ensure_future(self.tick(state, writer, (number, event.stream_id)))
                self.tasks.add(task)
                task.add_done_callback(self.tasks.discard)
            else:
                state.send_data(event.stream_id, b"ok", end_stream=True)
        elif isinstance(event, h2.events.StreamReset):
            self.resets.append(event.stream_id)
            self.streaming.discard((number, event.stream_id))

    async def tick(self, state: h2.connection.H2Connection, writer: asyncio.StreamWriter, key: tuple[int, int]) -> None:
        """Generate for as long as somebody seems to read."""
        with contextlib.suppress(Exception):
            while key in self.streaming:
                state.send_data(key[1], CHUNK)
                writer.write(state.data_to_send())
                await asyncio.sleep(0.001)


@pytest.fixture
def authority(tmp_path: Path) -> tuple[trustme.CA, Path]:
    """Make a certificate authority and write down its certificate."""
    ca = trustme.CA()
    ca_file = tmp_path / "ca.pem"
    ca.cert_pem.write_to_path(str(ca_file))
    return ca, ca_file


@contextlib.asynccontextmanager
async def serving(handler: object, ca: trustme.CA, alpn: tuple[str, ...]) -> AsyncIterator[str]:
    """Serve *handler* over TLS and yield the base URL."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ca.issue_cert("localhost", "127.0.0.1").configure_cert(context)
    context.set_alpn_protocols(list(alpn))
    server = await asyncio.start_server(handler, "127.0.0.1", 0, ssl=context)
    try:
        yield f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()
        await asyncio.sleep(0.05)


async def until(condition: Callable[[], bool]) -> None:
    """Wait at most a second for something to become true."""
    async with asyncio.timeout(1):
        # a poll, because the other side of a socket has no event to wait for
        while not condition():
            await asyncio.sleep(0.002)


@pytest.mark.slow
@pytest.mark.requirement("HTU-02", "HTU-1001")
async def test_http2_is_negotiated_and_one_connection_serves_many_calls(authority: tuple[trustme.CA, Path]) -> None:
    """Forty calls at once share one connection when the server offers HTTP/2."""
    ca, ca_file = authority
    server = Http2Server()
    async with (
        serving(server, ca, ("h2", "http/1.1")) as url,
        build_async_client(HttpConfig(base_url=url, ca_file=ca_file)) as client,
    ):
        answers = await asyncio.gather(*(client.get(f"{url}/ok") for _ in range(40)))
    assert {answer.http_version for answer in answers} == {"HTTP/2"}
    assert server.connections == 1


@pytest.mark.requirement("HTU-1001")
async def test_http11_is_the_fallback_when_the_server_offers_nothing_else(authority: tuple[trustme.CA, Path]) -> None:
    """A client that offers HTTP/2 speaks HTTP/1.1 with a server that does not."""
    ca, ca_file = authority

    async def plain(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok")
        await writer.drain()
        await reader.read()
        writer.close()

    async with (
        serving(plain, ca, ("http/1.1",)) as url,
        build_async_client(HttpConfig(base_url=url, ca_file=ca_file)) as client,
    ):
        answer = await client.get(f"{url}/ok")
    assert answer.http_version == "HTTP/1.1"


@pytest.mark.slow
async def test_closing_http2_streams_early_stops_the_upstream_and_keeps_the_connection_usable(
    authority: tuple[trustme.CA, Path],
) -> None:
    """150 streams are closed early on one connection: each is reset upstream, and the connection goes on serving."""
    ca, ca_file = authority
    server = Http2Server()
    async with (
        serving(server, ca, ("h2",)) as url,
        build_async_client(HttpConfig(base_url=url, ca_file=ca_file)) as client,
    ):
        for _ in range(150):
            async with client.stream("POST", f"{url}/stream", content=b"{}") as answer:
                await anext(aiter(answer.stream))
        await until(lambda: not server.streaming)
        assert (await client.get(f"{url}/ok")).text == "ok"
        assert server.connections == 1
        assert len(server.resets) == 150


@pytest.mark.slow
async def test_cancelling_http2_requests_at_any_point_harms_no_other_request(
    authority: tuple[trustme.CA, Path],
) -> None:
    """Requests cancelled while connecting, waiting or streaming are reset upstream; a neighbour's stream goes on."""
    ca, ca_file = authority
    server = Http2Server()

    async def read_for_ever(client: httpx.AsyncClient, url: str) -> None:
        async with client.stream("POST", url, content=b"{}") as answer:
            async for _ in answer.stream:
                pass

    async with (
        serving(server, ca, ("h2",)) as url,
        build_async_client(HttpConfig(base_url=url, ca_file=ca_file)) as client,
    ):
        await client.get(f"{url}/ok")
        async with client.stream("GET", f"{url}/stream") as neighbour:
            pieces = aiter(neighbour.stream)
            for step in range(60):
                path = "/silent" if step % 3 == 0 else "/stream"
                task = asyncio.create_task(read_for_ever(client, url + path))
                await asyncio.sleep(0.0004 * (step % 12))
                task.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await task
                assert await anext(pieces)
        await until(lambda: not server.streaming)
        assert (await client.get(f"{url}/ok")).text == "ok"
        assert server.connections == 1


def test_closing_an_http2_stream_early_resets_it_from_a_thread_too(authority: tuple[trustme.CA, Path]) -> None:
    """The blocking client resets the stream as well."""
    ca, ca_file = authority
    server = Http2Server()

    def read_one(url: str) -> str:
        with build_client(HttpConfig(base_url=url, ca_file=ca_file)) as client:
            for _ in range(3):
                with client.stream("POST", f"{url}/stream", content=b"{}") as answer:
                    next(iter(answer.stream))
            return client.get(f"{url}/ok").text

    async def scenario() -> None:
        async with serving(server, ca, ("h2",)) as url:
            assert await asyncio.to_thread(read_one, url) == "ok"
            assert len(server.resets) == 3

    asyncio.run(scenario())


@contextlib.asynccontextmanager
async def plain_server(*answers: bytes) -> AsyncIterator[tuple[str, list[int]]]:
    """
    Serve HTTP/1.1 in clear; request n of any connection gets answer n, all of it at once.

    Yields the base URL and, for each connection, how many requests it brought, or CLOSED.
    """
    connections: list[int] = []
    left = list(answers)

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        number = len(connections)
        connections.append(0)
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                await reader.readuntil(b"\r\n\r\n")
                connections[number] += 1
                writer.write(left.pop(0))
                await writer.drain()
        connections[number] = CLOSED
        writer.close()

    server = await asyncio.start_server(handle, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", connections
    finally:
        server.close()
        await asyncio.sleep(0.02)


CLOSED = -1

GOOD = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"
POISON = b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nevil"


async def test_bytes_behind_an_answer_never_become_the_next_answer() -> None:
    """An upstream sends two answers to one request: the second is dropped with its connection."""
    async with (
        plain_server(GOOD + POISON, GOOD) as (url, connections),
        build_async_client(HttpConfig(base_url=url)) as client,
    ):
        first = await client.get(f"{url}/a")
        second = await client.get(f"{url}/b")
    assert [first.text, second.text] == ["ok", "ok"]
    assert len(connections) == 2


async def test_bytes_behind_an_answer_never_become_the_next_answer_in_a_thread() -> None:
    """The blocking client drops such a connection too."""
    async with plain_server(GOOD + POISON, GOOD) as (url, connections):

        def both() -> list[str]:
            with build_client(HttpConfig(base_url=url)) as client:
                return [client.get(f"{url}/a").text, client.get(f"{url}/b").text]

        assert await asyncio.to_thread(both) == ["ok", "ok"]
    assert len(connections) == 2


async def test_a_connection_is_kept_and_used_again() -> None:
    """Three calls one after another share one connection."""
    async with (
        plain_server(GOOD, GOOD, GOOD) as (url, connections),
        build_async_client(HttpConfig(base_url=url)) as client,
    ):
        for _ in range(3):
            await client.get(f"{url}/a")
        assert connections == [3]


@pytest.mark.requirement("HTU-01")
async def test_no_more_unused_connections_are_kept_than_configured() -> None:
    """Of twelve connections used at once two stay open, as configured, and serve the next two calls."""
    async with plain_server(*[GOOD] * 14) as (url, connections):
        config = HttpConfig(base_url=url, max_idle_connections=2)
        async with build_async_client(config) as client:
            await asyncio.gather(*(client.get(f"{url}/a") for _ in range(12)))
            opened = len(connections)
            await until(lambda: connections.count(CLOSED) == opened - 2)
            await asyncio.gather(*(client.get(f"{url}/a") for _ in range(2)))
            assert len(connections) == opened > 2


async def test_a_request_beyond_the_limit_waits_and_a_cancelled_waiter_leaves_its_place() -> None:
    """With one place taken the next request times out in the pool; cancelled waiters do not use places up."""
    head = b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n"
    async with plain_server(head, GOOD) as (url, _):
        config = HttpConfig(base_url=url, max_connections=1, pool_timeout=0.02)
        async with build_async_client(config) as client:
            async with client.stream("GET", f"{url}/a"):
                with pytest.raises(httpx.PoolTimeout):
                    await client.get(f"{url}/b")
                for _ in range(5):
                    waiter = asyncio.create_task(client.get(f"{url}/b", timeout=5))
                    await asyncio.sleep(0)
                    waiter.cancel()
                    with contextlib.suppress(asyncio.CancelledError):
                        await waiter
            assert (await client.get(f"{url}/b")).text == "ok"


@pytest.mark.slow
@pytest.mark.requirement("HTU-14")
async def test_a_storm_of_cancelled_requests_leaves_a_client_that_still_works() -> None:
    """Eighty requests cancelled at different moments, under contention for places, use nothing up."""
    async with (
        plain_server(*[GOOD] * 500) as (url, _),
        build_async_client(HttpConfig(base_url=url, max_connections=4)) as client,
    ):
        for offset in range(80):
            tasks = [asyncio.create_task(client.get(f"{url}/a")) for _ in range(6)]
            for _ in range(offset % 16):
                await asyncio.sleep(0)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        answers = await asyncio.gather(*(client.get(f"{url}/a") for _ in range(12)))
    assert {answer.text for answer in answers} == {"ok"}


async def reason_of_failure(url: str, **settings: object) -> tuple[str, str]:
    """Return reason and outcome of a call that cannot connect."""
    async with build_async_client(HttpConfig(base_url=url, **settings)) as client:
        with pytest.raises(httpx.ConnectError) as caught:
            await client.get(url)
    failure = classify_transport_error(caught.value, Phase.SENDING)
    return failure.reason, failure.outcome.value


@pytest.mark.requirement("HTU-1001", "SEC-09", "ERR-09")
async def test_an_unknown_authority_and_a_wrong_name_are_tls_failures(authority: tuple[trustme.CA, Path]) -> None:
    """Neither is a connection failure that might heal."""
    ca, ca_file = authority
    async with serving(Http2Server(), ca, ("h2",)) as url:
        assert await reason_of_failure(url) == ("tls_failed", "NOT_SENT")
        other_name = url.replace("127.0.0.1", "[::ffff:127.0.0.1]")
        assert await reason_of_failure(other_name, ca_file=ca_file) == ("tls_failed", "NOT_SENT")


@pytest.mark.requirement("ERR-09")
async def test_a_closed_port_and_a_handshake_that_is_cut_are_connection_failures() -> None:
    """Both may heal, so both may be repeated."""

    async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.close()

    server = await asyncio.start_server(hang_up, "127.0.0.1", 0)
    url = f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    assert await reason_of_failure(url) == ("connection_failed", "NOT_SENT")
    server.close()
    await server.wait_closed()
    assert await reason_of_failure(url) == ("connection_failed", "NOT_SENT")


@pytest.mark.requirement("ERR-09")
async def test_a_server_that_does_not_speak_tls_is_a_tls_failure() -> None:
    """The URL says https and the port does not."""

    async def plain(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(100)
        writer.write(b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n")
        await reader.read()
        writer.close()

    server = await asyncio.start_server(plain, "127.0.0.1", 0)
    url = f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    assert await reason_of_failure(url) == ("tls_failed", "NOT_SENT")
    server.close()
    await server.wait_closed()
