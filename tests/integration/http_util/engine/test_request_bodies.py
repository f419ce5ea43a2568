"""Bodies of every size and kind on their way to slow, early and refusing upstreams."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from adapter_api.outcome import Outcome
from http_util.transport_errors import Phase, classify_transport_error
from tests.integration.http_util.engine.measure import Watch, until
from tests.integration.http_util.engine.scripted_http1 import GOOD, Http1Connection, Http1Server
from tests.integration.http_util.engine.scripted_http2 import NO_ERROR, Http2Server

if TYPE_CHECKING:
    import ssl
    from collections.abc import AsyncIterator

    from tests.integration.http_util.engine.conftest import Clients
    from tests.integration.http_util.engine.real_servers import RealServer
    from tests.integration.http_util.engine.scripted_http2 import Stream

pytestmark = [pytest.mark.integration, pytest.mark.requirement("HTU-1001")]

BIG = bytes(range(256)) * 40_000
"""Ten megabytes."""
REFUSAL = b"HTTP/1.1 413 Content Too Large\r\ncontent-length: 7\r\n\r\nrefused"


async def in_pieces(*pieces: bytes) -> AsyncIterator[bytes]:
    """A body whose length nobody knows beforehand."""
    for piece in pieces:
        await asyncio.sleep(0)
        yield piece


@pytest.mark.slow
async def test_a_large_body_arrives_whole(server: RealServer, http2: bool, client: Clients) -> None:
    """Ten megabytes there and back, byte for byte."""
    async with client(server.url, http2=http2) as http:
        assert (await http.post("/echo", content=BIG)).content == BIG


async def test_a_body_of_unknown_length_arrives_whole(server: RealServer, http2: bool, client: Clients) -> None:
    """Pieces of all sizes, empty ones among them, and none at all."""
    pieces = [b"first", b"", b"x" * 100_000, b"y", b""]
    async with client(server.url, http2=http2) as http:
        assert (await http.post("/echo", content=in_pieces(*pieces))).content == b"".join(pieces)
        assert (await http.post("/echo", content=in_pieces())).content == b""
        assert (await http.post("/echo", content=b"")).content == b""
        assert (await http.post("/echo")).content == b""


async def test_bodies_at_once_do_not_mix(server: RealServer, http2: bool, client: Clients) -> None:
    """Twenty uploads on the same connection come back each to its own."""
    async with client(server.url, http2=http2, pool_timeout=30) as http:
        contents = [bytes([number]) * (number * 7_000 + 1) for number in range(20)]
        answers = await asyncio.gather(*(http.post("/echo", content=content) for content in contents))
    assert [answer.content for answer in answers] == contents


async def test_a_body_waits_for_a_reader_that_is_slow(client: Clients, h2: ssl.SSLContext, http2: bool) -> None:
    """The upstream takes 64 KiB and pauses, again and again; everything arrives."""

    async def slow_stream(stream: Stream) -> None:
        taken = 0
        while not stream.ended.is_set() or taken < len(stream.body):
            await until(lambda taken=taken: len(stream.body) > taken or stream.ended.is_set())
            size, taken = len(stream.body) - taken, len(stream.body)
            await asyncio.sleep(0.001)
            if size:
                stream.connection.give(size)
                stream.connection.give(size, stream.number)
        stream.head()
        stream.data(b"%d" % len(stream.body), end=True)

    async def slow_connection(connection: Http1Connection) -> None:
        await connection.request(with_body=False)
        taken = 0
        while taken < size:
            taken += len(await connection.reader.read(65_536))
            await asyncio.sleep(0.001)
        await connection.send(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%d" % (len(str(size)), size))

    size = 5_000_000
    server = Http2Server(slow_stream, gives_credit=False) if http2 else Http1Server(slow_connection)
    async with server.at(h2 if http2 else None) as url, client(url) as http:
        assert (await http.post("/", content=bytes(size))).text == str(size)


@pytest.mark.slow
@pytest.mark.requirement("HTU-14")
async def test_a_body_that_is_not_taken_runs_into_the_write_timeout(
    client: Clients, h2: ssl.SSLContext, http2: bool
) -> None:
    """The upstream stops reading: WriteTimeout, of which nobody knows the outcome, and the client goes on working."""

    async def deaf(connection: Http1Connection) -> None:
        if connection.number == 0:
            await done.wait()
        else:
            await connection.request()
            await connection.send(GOOD)

    done = asyncio.Event()
    server = Http2Server(gives_credit=False) if http2 else Http1Server(deaf)
    async with server.at(h2 if http2 else None) as url, client(url, write_timeout=0.2) as http:
        watch = Watch()
        with pytest.raises(httpx.WriteTimeout) as caught:
            await http.post("/silent", content=bytes(30_000_000))
        assert 0.19 < watch.seconds < 2
        failure = classify_transport_error(caught.value, Phase.SENDING)
        assert (failure.reason, failure.outcome) == ("write_timeout", Outcome.UNKNOWN)
        assert (await http.get("/ok")).text == "ok"
        done.set()


async def test_an_early_refusal_is_the_answer_although_the_body_is_not_sent(
    client: Clients, h2: ssl.SSLContext, http2: bool
) -> None:
    """413 comes while ten megabytes are on their way: it is what the caller gets, not a broken pipe."""

    async def refuse_stream(stream: Stream) -> None:
        await until(lambda: len(stream.body) > 10_000)
        stream.answer(b"refused", 413)
        stream.reset(NO_ERROR)

    async def refuse(connection: Http1Connection) -> None:
        await connection.request(with_body=False)
        await connection.send(REFUSAL)
        # a server that closes at once would destroy its own answer; it reads on for a while instead
        await connection.until_gone()

    server = Http2Server(refuse_stream) if http2 else Http1Server(refuse)
    async with server.at(h2 if http2 else None) as url, client(url) as http:
        for _ in range(5):
            answer = await http.post("/", content=BIG)
            assert (answer.status_code, answer.text) == (413, "refused")


async def test_an_early_refusal_ends_a_body_that_goes_on_for_ever(
    client: Clients, h2: ssl.SSLContext, http2: bool
) -> None:
    """Nothing is drawn from the iterator of the body once nobody wants it any more."""
    drawn = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal drawn
        with contextlib.suppress(asyncio.CancelledError):
            while True:
                drawn += 1
                yield bytes(1000)
                await asyncio.sleep(0.001)

    async def refuse_stream(stream: Stream) -> None:
        await until(lambda: len(stream.body) > 2_000)
        stream.answer(b"refused", 413)

    async def refuse(connection: Http1Connection) -> None:
        await connection.request(with_body=False)
        await connection.send(REFUSAL)
        await connection.until_gone()

    server = Http2Server(refuse_stream) if http2 else Http1Server(refuse)
    async with server.at(h2 if http2 else None) as url, client(url) as http:
        answer = await http.post("/", content=endless())
        assert (answer.status_code, answer.text) == (413, "refused")
        before = drawn
        await asyncio.sleep(0.02)
        assert drawn <= before + 1


async def test_a_refusal_followed_by_a_closed_connection_is_still_the_answer(client: Clients) -> None:
    """HTTP/1.1, the rude way: the answer comes, then FIN, while the body is still being written."""

    async def refuse(connection: Http1Connection) -> None:
        await connection.request(with_body=False)
        await connection.send(REFUSAL)
        connection.writer.write_eof()
        await connection.until_gone()

    server = Http1Server(refuse)
    async with server.at() as url, client(url) as http:
        for _ in range(5):
            answer = await http.post("/", content=BIG)
            assert (answer.status_code, answer.text) == (413, "refused")


async def test_an_early_answer_does_not_make_the_connection_serve_the_rest_of_the_body_as_a_request(
    client: Clients,
) -> None:
    """HTTP/1.1: after an early answer the connection is closed; the rest of the body would be read as a request."""

    async def early(connection: Http1Connection) -> None:
        await connection.request(with_body=False)
        await connection.send(GOOD)
        await connection.until_gone()

    server = Http1Server(early)

    async def slow() -> AsyncIterator[bytes]:
        yield b"first"
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(asyncio.Event().wait(), 0.05)
        yield b"second"

    async with server.at() as url, client(url) as http:
        for _ in range(2):
            assert (await http.post("/", content=slow())).text == "ok"
        assert len(server.connections) == 2


async def test_a_body_whose_iterator_fails_fails_the_call_with_that_error(
    client: Clients, h2: ssl.SSLContext, http2: bool
) -> None:
    """The upstream does not take half a body for a whole one; the client goes on working."""

    class Broken(Exception):
        """What the caller's own code raises."""

    async def breaking() -> AsyncIterator[bytes]:
        yield b"half"
        await asyncio.sleep(0.01)
        raise Broken

    whole: list[Any] = []

    async def script(stream: Stream) -> None:
        await stream.ended.wait()
        whole.append(stream.path)
        stream.answer()

    async def script_of_connection(connection: Http1Connection) -> None:
        while True:
            head = await connection.request()
            whole.append(head.split(b" ")[1].decode())
            await connection.send(GOOD)

    server = Http2Server(script) if http2 else Http1Server(script_of_connection)
    async with server.at(h2 if http2 else None) as url, client(url) as http:
        with pytest.raises(Broken):
            await http.post("/half", content=breaking())
        assert (await http.get("/ok")).text == "ok"
        assert whole == ["/ok"]


async def test_a_header_that_cannot_be_written_is_refused_before_anything_is_sent(
    client: Clients, h2: ssl.SSLContext, http2: bool
) -> None:
    """A line break in a value, a name with a space: LocalProtocolError, NOT_SENT, and the value is not quoted."""
    server = Http2Server() if http2 else Http1Server(lambda _: asyncio.sleep(0))
    async with server.at(h2 if http2 else None) as url, client(url) as http:
        for name, value in (("authorization", "Bearer sk-secret\r\nx: y"), ("a b", "sk-secret"), ("x", "sk-secret\0")):
            with pytest.raises(httpx.LocalProtocolError) as caught:
                await http.get("/ok", headers={name: value})
            assert "sk-secret" not in str(caught.value)
            failure = classify_transport_error(caught.value, Phase.SENDING)
            assert failure.outcome is Outcome.NOT_SENT
    assert not getattr(server, "streams", [])


async def test_a_body_that_does_not_keep_to_its_length_is_refused(
    client: Clients, h2: ssl.SSLContext, http2: bool
) -> None:
    """More or less than content-length says: an error here, never a request upstream that lies."""

    async def closing(connection: Http1Connection) -> None:
        await connection.request()
        await connection.send(GOOD)

    server = Http2Server() if http2 else Http1Server(closing)
    for size in ("3", "9"):
        async with server.at(h2 if http2 else None) as url, client(url, first_byte_timeout=1.0) as http:
            with pytest.raises(httpx.LocalProtocolError):
                await http.post("/silent", content=in_pieces(b"12345"), headers={"content-length": size})
