"""Calls whose bodies are read while they are sent: early answers, broken connections, slow peers, in both colours."""

from __future__ import annotations

import asyncio
import math
import os
import threading
from random import Random
from typing import TYPE_CHECKING, Any

import pytest

from adapter_api.outcome import Outcome
from http_util import AVAILABLE, AsyncExchange, Deadline, DeadlineExceeded, Exchange, HttpCall, HttpConfig, Timeouts
from http_util.clock import SystemClock, SystemSyncClock
from http_util.engine import async_transport, sync_transport
from http_util.errors import HttpFailure, StatusFailure, TimeoutFailure
from http_util.resilience import Resilience
from http_util.retry import Stop
from http_util.streamed_body import StreamedBody
from tests.integration.http_util.engine.measure import Watch, until
from tests.integration.http_util.engine.scripted_http1 import GOOD, Http1Server, left_unread
from tests.integration.http_util.engine.scripted_http2 import NO_ERROR, Http2Server

if TYPE_CHECKING:
    import ssl
    from collections.abc import AsyncIterator, Callable, Iterator

    from tests.integration.http_util.engine.scripted_http1 import Http1Connection
    from tests.integration.http_util.engine.scripted_http2 import Stream

pytestmark = [pytest.mark.integration, pytest.mark.requirement("HTU-19")]

BIG = bytes(range(256)) * 40_000
"""Ten megabytes."""
REFUSAL = b"HTTP/1.1 413 Content Too Large\r\ncontent-length: 7\r\n\r\nrefused"


class Recorder:
    """Hears why a call was given up."""

    def __init__(self) -> None:
        self.stops: list[Stop] = []

    def on_exhausted(self, record: Any) -> None:
        self.stops.append(record.stop)


class Body:
    """A body that counts how often it was begun and let go of."""

    def __init__(self, content: bytes = BIG, *, can_rewind: bool = True, has_length: bool = True) -> None:
        self.begun = self.closed = 0
        self.told: list[int] = []
        self._content = content
        length = len(content) if has_length else None
        self.body = StreamedBody(
            self._pieces, length=length, can_rewind=can_rewind, on_progress=lambda sent, _: self.told.append(sent)
        )

    def _pieces(self) -> Iterator[bytes]:
        self.begun += 1
        try:
            for at in range(0, len(self._content), 200_000):
                yield self._content[at : at + 200_000]
        finally:
            self.closed += 1


class Sender:
    """An exchange of one colour over the engine."""

    def __init__(self, colour: str, url: str, context: ssl.SSLContext, **settings: Any) -> None:
        self.hooks = Recorder()
        self.colour = colour
        config = HttpConfig(base_url=url, **settings)
        bounds: dict[str, Any] = {"max_response_bytes": 1_000_000, "max_event_bytes": 1000, "rng": Random(1)}
        more = {"resilience": Resilience(hooks=(self.hooks,)), **bounds}
        if colour == "async":
            self.transport: Any = async_transport(config, context)
            self.exchange: Any = AsyncExchange(self.transport, clock=SystemClock(), **more)
        else:
            self.transport = sync_transport(config, context)
            self.exchange = Exchange(self.transport, clock=SystemSyncClock(), **more)
        self.url = url

    async def send(self, body: Body, **given: Any) -> Any:
        """Make a call; blocking code has a thread of its own."""
        call = HttpCall(method="POST", url=f"{self.url}/silent", content=body.body, **{"replay_safe": True, **given})
        if self.colour == "async":
            return await self.exchange.send(call)
        return await asyncio.to_thread(self.exchange.send, call)

    async def close(self) -> None:
        if self.colour == "async":
            await self.transport.aclose()
        else:
            await asyncio.to_thread(self.transport.close)


@pytest.fixture(params=["sync", "async"])
async def sender(
    request: pytest.FixtureRequest, trust: Callable[[bool], ssl.SSLContext]
) -> AsyncIterator[Callable[..., Sender]]:
    """Make senders of one colour."""
    made: list[Sender] = []

    def make(url: str, **settings: Any) -> Sender:
        made.append(Sender(request.param, url, trust(True), **settings))
        return made[-1]

    yield make
    for one in made:
        await one.close()


@pytest.mark.parametrize("has_length", [True, False])
async def test_a_body_arrives_whole_with_and_without_a_length(
    sender: Callable[..., Sender], h2: ssl.SSLContext, http2: bool, has_length: bool
) -> None:
    """Content-Length or chunks, DATA frames or bytes; progress is told up to the end; the source is let go of."""
    got: list[Any] = []

    async def stream(stream: Stream) -> None:
        await stream.ended.wait()
        got.append((bytes(stream.body), dict(stream.headers).get("content-length")))
        stream.answer()

    async def connection(connection: Http1Connection) -> None:
        head = await connection.request()
        got.append((connection.body, str(len(BIG)) if b"content-length" in head.lower() else None))
        await connection.send(GOOD)

    server = Http2Server(stream) if http2 else Http1Server(connection)
    body = Body(has_length=has_length)
    async with server.at(h2 if http2 else None) as url:
        reply = await sender(url).send(body)
    assert reply.body == b"ok"
    assert got == [(BIG, str(len(BIG)) if has_length else None)]
    assert (body.begun, body.closed) == (1, 1)
    assert body.told[-1] == len(BIG)
    assert body.told == sorted(set(body.told))
    assert len(body.told) <= len(BIG) / 65_536 + 1


async def test_an_early_refusal_is_the_failure(sender: Callable[..., Sender], h2: ssl.SSLContext, http2: bool) -> None:
    """413 comes while ten megabytes are on their way: it is what the caller gets, and the rest is not drawn."""

    async def refuse_stream(stream: Stream) -> None:
        await until(lambda: len(stream.body) > 10_000)
        stream.answer(b"refused", 413)
        stream.reset(NO_ERROR)

    async def refuse(connection: Http1Connection) -> None:
        await connection.request(with_body=False)
        await connection.send(REFUSAL)
        await connection.until_gone()

    server = Http2Server(refuse_stream) if http2 else Http1Server(refuse)
    async with server.at(h2 if http2 else None) as url:
        one = sender(url)
        for _ in range(5):
            body = Body()
            with pytest.raises(StatusFailure) as caught:
                await one.send(body)
            assert (caught.value.http_status, caught.value.body, caught.value.outcome) == (
                413,
                b"refused",
                Outcome.REJECTED,
            )
            # a thread that was just reading lets go a moment later; a refusal may come before anything was drawn
            await until(lambda body=body: body.closed == body.begun)


@pytest.mark.parametrize("secure", [False, True])
async def test_a_refusal_is_not_lost_when_the_connection_is_torn_down_behind_it(
    sender: Callable[..., Sender], h1: ssl.SSLContext, secure: bool
) -> None:
    """HTTP/1.1, the rudest way: what was sent lies unread, so the kernel answers it with a reset."""

    async def refuse(connection: Http1Connection) -> None:
        await connection.request(with_body=False)
        await connection.send(REFUSAL)
        connection.close()

    server = Http1Server(refuse)
    async with server.at(h1 if secure else None) as url:
        one = sender(url)
        statuses = []
        for _ in range(20):
            with pytest.raises(HttpFailure) as caught:
                await one.send(Body())
            statuses.append(caught.value.http_status)
    assert statuses == [413] * 20


async def test_a_body_that_can_be_rewound_is_sent_again_from_its_beginning(
    sender: Callable[..., Sender], h2: ssl.SSLContext, http2: bool
) -> None:
    """The first attempt breaks in the middle; the second one is whole, and progress begins at zero again."""
    got: list[bytes] = []
    breaks = [True]

    async def stream(stream: Stream) -> None:
        if breaks.pop() if breaks else False:
            await until(lambda: len(stream.body) > 1_000_000)
            stream.reset()
            return
        await stream.ended.wait()
        got.append(bytes(stream.body))
        stream.answer()

    async def connection(connection: Http1Connection) -> None:
        await connection.request(with_body=not breaks)
        if breaks.pop() if breaks else False:
            await connection.reader.readexactly(1_000_000)
            connection.reset()
            return
        got.append(connection.body)
        await connection.send(GOOD)

    server = Http2Server(stream) if http2 else Http1Server(connection)
    body = Body()
    async with server.at(h2 if http2 else None) as url:
        reply = await sender(url).send(body, retry=AVAILABLE)
    assert got == [BIG]
    assert [line.outcome for line in reply.head.attempts] == [Outcome.UNKNOWN, None]
    assert (body.begun, body.closed) == (2, 2)
    assert body.told != sorted(body.told)


async def test_a_body_that_cannot_be_rewound_is_not_sent_again(
    sender: Callable[..., Sender], h2: ssl.SSLContext, http2: bool
) -> None:
    """The ledger has one attempt, and the hooks are told why there is no other."""

    async def stream(stream: Stream) -> None:
        await until(lambda: len(stream.body) > 1_000_000)
        stream.reset()

    async def connection(connection: Http1Connection) -> None:
        await connection.request(with_body=False)
        await connection.reader.readexactly(1_000_000)
        connection.reset()

    server = Http2Server(stream) if http2 else Http1Server(connection)
    body = Body(can_rewind=False)
    async with server.at(h2 if http2 else None) as url:
        one = sender(url)
        with pytest.raises(HttpFailure) as caught:
            await one.send(body, retry=AVAILABLE)
    assert [line.number for line in caught.value.attempts] == [1]
    assert one.hooks.stops == [Stop.BODY_USED]
    assert (body.begun, body.closed) == (1, 1)


async def test_a_body_that_nothing_was_drawn_from_is_sent_by_another_attempt(
    sender: Callable[..., Sender], refused: Callable[[], str]
) -> None:
    """Nobody listens: all attempts are made, though the body cannot be rewound."""
    body = Body(can_rewind=False)
    one = sender(refused())
    with pytest.raises(HttpFailure) as caught:
        await one.send(body, retry=AVAILABLE)
    assert len(caught.value.attempts) == AVAILABLE.max_attempts
    assert body.begun == 0


async def test_an_upstream_that_moves_a_request_gets_the_body_on_another_connection(
    sender: Callable[..., Sender], h2: ssl.SSLContext
) -> None:
    """HTTP/2: a refused stream was not processed; the engine moves it, where its body can be rewound."""
    refusals = [True, True]
    refused_stream = 7

    async def stream(stream: Stream) -> None:
        if refusals and refusals.pop():
            await until(lambda: len(stream.body) > 10_000)
            stream.reset(refused_stream)
            return
        await stream.ended.wait()
        stream.answer(b"%d" % len(stream.body))

    async with Http2Server(stream).at(h2) as url:
        body = Body()
        assert (await sender(url).send(body)).body == b"%d" % len(BIG)
        assert body.begun == 3
        refusals.append(True)
        with pytest.raises(HttpFailure) as caught:
            await sender(url).send(Body(can_rewind=False))
        assert caught.value.outcome is Outcome.NOT_SENT


async def test_the_write_timer_bounds_each_piece(
    sender: Callable[..., Sender], h2: ssl.SSLContext, http2: bool
) -> None:
    """An upstream that takes nothing more: the call ends by the write timer, and the source is let go of."""

    async def deaf(connection: Http1Connection) -> None:
        await left_unread(connection)

    server = Http2Server(gives_credit=False) if http2 else Http1Server(deaf)
    async with server.at(h2 if http2 else None) as url:
        watch, body = Watch(), Body(bytes(30_000_000))
        with pytest.raises(TimeoutFailure) as caught:
            await sender(url).send(body, timeouts=Timeouts(write=0.2))
        assert caught.value.reason == "write_timeout"
        assert 0.19 < watch.seconds < 3
        await until(lambda: body.closed == 1)


async def test_the_deadline_acts_in_the_middle_of_a_body(
    sender: Callable[..., Sender], h2: ssl.SSLContext, http2: bool
) -> None:
    """An upstream that takes nothing more, and a write timer that would wait for long."""

    async def deaf(connection: Http1Connection) -> None:
        await left_unread(connection)

    server = Http2Server(gives_credit=False) if http2 else Http1Server(deaf)
    async with server.at(h2 if http2 else None) as url:
        watch, body = Watch(), Body(bytes(30_000_000))
        with pytest.raises(DeadlineExceeded):
            await sender(url).send(body, deadline=Deadline(SystemClock().monotonic() + 0.3))
        assert 0.29 < watch.seconds < 3
        await until(lambda: body.closed == 1)


@pytest.mark.requirement("HTU-18")
async def test_sources_that_block_for_good_take_nothing_from_other_calls_and_hold_up_no_closing(
    sender: Callable[..., Sender],
) -> None:
    """As many as an executor has threads: names are still resolved, and the end of the client does not wait."""
    let_go = threading.Event()

    class Pipe(Body):
        def _pieces(self) -> Iterator[bytes]:
            yield b"begun"
            let_go.wait(30)
            self.closed += 1

    async def connection(connection: Http1Connection) -> None:
        head = await connection.request(with_body=False)
        if b"chunked" in head:
            await connection.until_gone()
        else:
            await connection.send(GOOD)

    count = min(32, (os.cpu_count() or 1) + 4)
    pipes = [Pipe(has_length=False) for _ in range(count)]
    try:
        async with Http1Server(connection).at() as url:
            one = sender(url.replace("127.0.0.1", "localhost"))
            calls = (one.send(pipe, deadline=Deadline(SystemClock().monotonic() + 0.5)) for pipe in pipes)
            ends = await asyncio.gather(*calls, return_exceptions=True)
            assert [type(end) for end in ends] == [DeadlineExceeded] * count
            assert (await one.send(Body(b""), timeouts=Timeouts(connect=2))).body == b"ok"
            watch = Watch()
            await one.close()
            assert watch.seconds < 2
        assert [pipe.closed for pipe in pipes] == [0] * count
    finally:
        let_go.set()
    await until(lambda: [pipe.closed for pipe in pipes] == [1] * count)


@pytest.mark.requirement("ERR-09")
async def test_a_source_that_falls_short_is_not_said_to_have_sent_nothing(
    sender: Callable[..., Sender], h2: ssl.SSLContext, http2: bool
) -> None:
    """A part of the body has left: what the upstream did with it nobody knows, and it is not the upstream's fault."""

    class Short(Body):
        def _pieces(self) -> Iterator[bytes]:
            yield b"half"

    async def stream(stream: Stream) -> None:
        await stream.ended.wait()
        stream.answer()

    async def connection(connection: Http1Connection) -> None:
        await connection.request()
        await connection.send(GOOD)
        await connection.until_gone()

    server = Http2Server(stream) if http2 else Http1Server(connection)
    async with server.at(h2 if http2 else None) as url:
        one = sender(url)
        # so that the connection is not given up in its handshake
        await one.send(Body(b"a whole one"))
        with pytest.raises(HttpFailure) as caught:
            await one.send(Short(b"a whole one"), retry=AVAILABLE)
        assert (caught.value.reason, caught.value.outcome) == ("serialization", Outcome.UNKNOWN)
        assert len(caught.value.attempts) == 1


async def test_the_wait_for_the_head_begins_when_the_body_is_sent(
    sender: Callable[..., Sender], h2: ssl.SSLContext, http2: bool
) -> None:
    """A body that takes longer than the first-byte timer is no failure; an upstream that then says nothing is one."""

    class Slow(Body):
        def _pieces(self) -> Iterator[bytes]:
            import time

            for _ in range(5):
                time.sleep(0.1)
                yield b"tide"
            self.closed += 1

    async def stream(stream: Stream) -> None:
        await stream.ended.wait()
        if stream.number == 1:
            stream.answer()

    async def connection(connection: Http1Connection) -> None:
        await connection.request()
        if connection.number == 0:
            await connection.send(GOOD.replace(b"\r\n\r\n", b"\r\nconnection: close\r\n\r\n"))
        else:
            await connection.until_gone()

    server = Http2Server(stream) if http2 else Http1Server(connection)
    async with server.at(h2 if http2 else None) as url:
        one = sender(url)
        short = Timeouts(first_byte=0.3)
        assert (await one.send(Slow(b"tide" * 5), timeouts=short)).body == b"ok"
        watch = Watch()
        with pytest.raises(TimeoutFailure) as caught:
            await one.send(Slow(b"tide" * 5), timeouts=short)
        assert caught.value.reason == "first_byte_timeout"
        assert 0.75 < watch.seconds < 3


async def test_what_the_source_raises_comes_out_as_it_is(
    sender: Callable[..., Sender], h2: ssl.SSLContext, http2: bool
) -> None:
    """Also an error that a transport could have raised; nothing is sent again."""

    class Broken(Body):
        def _pieces(self) -> Iterator[bytes]:
            self.begun += 1
            yield b"half"
            raise ConnectionResetError("of the caller's own")

    async def stream(stream: Stream) -> None:
        await asyncio.sleep(math.inf)

    async def connection(connection: Http1Connection) -> None:
        await connection.until_gone()

    server = Http2Server() if http2 else Http1Server(connection)
    async with server.at(h2 if http2 else None) as url:
        body = Broken()
        with pytest.raises(ConnectionResetError, match="of the caller's own"):
            await sender(url).send(body, retry=AVAILABLE)
        assert body.begun == 1
