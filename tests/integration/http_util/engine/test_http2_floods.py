"""HTTP/2 peers that send too much of what costs them nothing: bounded work, bounded memory, a typed error."""

from __future__ import annotations

import asyncio
import struct
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from hyperframe import frame as frames

from http_util.transport_errors import Phase, classify_transport_error
from tests.integration.http_util.engine.attacks import GROWTH, ends_in_a_protocol_error
from tests.integration.http_util.engine.measure import until
from tests.integration.http_util.engine.scripted_http2 import (
    FRAME,
    INTERNAL_ERROR,
    Http2Connection,
    Http2Server,
    paths,
    tick,
)
from tests.process import resident

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable

    from tests.integration.http_util.engine.conftest import Clients
    from tests.integration.http_util.engine.scripted_http2 import Stream

pytestmark = [pytest.mark.integration, pytest.mark.requirement("ENG-07", "ERR-09")]

LARGEST = 6_000_000
"""Bytes of headers, undone, that one small block stands for."""


def flood(*begin: Callable[[Stream], Any], with_: Callable[[Stream], bytes]) -> Any:
    """Return the script that attacks without end whoever asks for it, and answers everybody else."""

    async def script(stream: Stream) -> None:
        if stream.path != "/attack":
            await paths(stream)
            return
        for step in begin:
            step(stream)
        while not stream.connection.gone.is_set():
            stream.connection.raw(with_(stream))
            await stream.connection.drain()

    return script


def unfinished_headers(stream: Stream) -> None:
    """Begin a head and do not end it."""
    stream.connection.send(frames.HeadersFrame(stream.number, stream.connection.block([(":status", "200")])))


def continuation(data: bytes) -> Callable[[Stream], bytes]:
    """Return what makes CONTINUATION frames without end."""
    return lambda stream: frames.ContinuationFrame(stream.number, data).serialize() * 50


def interim(stream: Stream) -> bytes:
    """Write early hints down."""
    data = stream.connection.block([(":status", "103"), ("link", "</evil>")])
    return frames.HeadersFrame(stream.number, data, flags=["END_HEADERS"]).serialize()


LITERAL = b"\x00\x01a\x7f\x81\x07" + b"e" * 262
"""One header, not indexed: a name of one byte and a value of 262."""

FLOODS = {
    "CONTINUATION": flood(unfinished_headers, with_=continuation(LITERAL * 60)),
    "small CONTINUATION": flood(unfinished_headers, with_=continuation(b"\x88")),
    "empty CONTINUATION": flood(unfinished_headers, with_=continuation(b"")),
    "SETTINGS": flood(with_=lambda _: frames.SettingsFrame(settings={4: 65_535}).serialize() * 200),
    "empty SETTINGS": flood(with_=lambda _: frames.SettingsFrame().serialize() * 500),
    "large SETTINGS": flood(
        with_=lambda _: b"\0\x3f\xfc\x04\0\0\0\0\0" + struct.pack(">HI", 4, 65_535) * (16_380 // 6)
    ),
    "SETTINGS acknowledged unasked": flood(with_=lambda _: frames.SettingsFrame(flags=["ACK"]).serialize() * 500),
    "PING": flood(with_=lambda _: frames.PingFrame(opaque_data=bytes(8)).serialize() * 300),
    "PING acknowledged unasked": flood(
        with_=lambda _: frames.PingFrame(opaque_data=bytes(8), flags=["ACK"]).serialize() * 300
    ),
    "empty DATA": flood(lambda s: s.head(), with_=lambda s: frames.DataFrame(s.number).serialize() * 500),
    "padding": flood(
        lambda s: s.head(),
        with_=lambda s: frames.DataFrame(s.number, b"", pad_length=250, flags=["PADDED"]).serialize() * 50,
    ),
    "early hints": flood(with_=interim),
    "PRIORITY": flood(with_=lambda s: frames.PriorityFrame(s.number, depends_on=0).serialize() * 300),
    "unknown frames": flood(with_=lambda s: (b"\0\0\x04\xee\0" + struct.pack(">I", s.number) + b"evil") * 300),
    "WINDOW_UPDATE": flood(with_=lambda s: frames.WindowUpdateFrame(s.number, window_increment=1).serialize() * 300),
    "RST_STREAM of streams that are over": flood(
        with_=lambda s: frames.RstStreamFrame(s.number, error_code=INTERNAL_ERROR).serialize() * 300
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("script", FLOODS.values(), ids=FLOODS.keys())
async def test_a_flood_of_frames_that_cost_nothing_ends_the_connection(
    script: Any, client: Clients, h2: ssl.SSLContext
) -> None:
    """The call fails soon, at bounded memory; the next call is answered."""
    server = Http2Server(script, acknowledges=False)
    async with server.at(h2) as url, client(url) as http:
        await ends_in_a_protocol_error(http, "/attack")


@pytest.mark.slow
async def test_a_flood_that_nobody_reads_the_answers_of_is_bounded(client: Clients, h2: ssl.SSLContext) -> None:
    """The peer sends PING after PING and reads nothing: the acknowledgements do not pile up here."""

    async def deaf(connection: Http2Connection) -> None:
        connection.set({})
        if connection.number == 0:
            await asyncio.sleep(0.05)
            ping = frames.PingFrame(opaque_data=bytes(8)).serialize() * 1000
            while not connection.writer.is_closing():
                connection.raw(ping)
                await connection.drain()

    server = Http2Server(greeting=deaf)
    before = resident()
    async with server.at(h2) as url, client(url, first_byte_timeout=3.0) as http:
        with pytest.raises(httpx.TransportError):
            await http.get("/ok")
        assert resident() - before < GROWTH
        assert (await http.get("/ok")).text == "ok"


def bomb(size: int) -> Any:
    """Return the script whose head is small on the wire: one long value, then references to it."""

    async def script(stream: Stream) -> None:
        if stream.path != "/attack":
            await paths(stream)
            return
        value = b"e" * 4_000
        # 0x40: literal with indexing; 0xbe: the newest entry of the dynamic table
        data = b"\x88\x40\x01a" + b"\x7f" + b"\xa1\x1e" + value + b"\xbe" * (size // len(value))
        stream.connection.send(*in_frames(stream, data))

    return script


def in_frames(stream: Stream, block: bytes) -> list[frames.Frame]:
    """Cut a header block into frames; the answer ends with it."""
    pieces = [block[at : at + FRAME] for at in range(0, len(block), FRAME)]
    sent: list[frames.Frame] = [frames.HeadersFrame(stream.number, pieces[0], flags=["END_STREAM"])]
    sent += [frames.ContinuationFrame(stream.number, piece) for piece in pieces[1:]]
    sent[-1].flags.add("END_HEADERS")
    return sent


@pytest.mark.parametrize("size", [200_000, LARGEST, 60_000_000])
async def test_headers_that_grow_when_they_are_undone_are_refused(
    size: int, client: Clients, h2: ssl.SSLContext
) -> None:
    """A few kilobytes stand for megabytes: they are never held."""
    server = Http2Server(bomb(size))
    async with server.at(h2) as url, client(url) as http:
        assert (await ends_in_a_protocol_error(http, "/attack")).reason == "protocol"


async def test_a_small_bomb_is_just_headers(client: Clients, h2: ssl.SSLContext) -> None:
    """The same shape within the limit is taken, so that the refusals above are about the size."""
    server = Http2Server(bomb(20_000))
    async with server.at(h2) as url, client(url) as http:
        answer = await http.get("/attack")
        assert (answer.status_code, len(answer.headers.get_list("a"))) == (200, 6)


async def test_headers_of_a_mebibyte_are_refused(client: Clients, h2: ssl.SSLContext) -> None:
    """Honestly sent, over many CONTINUATION frames."""

    async def script(stream: Stream) -> None:
        if stream.path == "/attack":
            # literal without indexing, a name of one byte, a length of 2^20 in seven bits a byte
            stream.connection.send(*in_frames(stream, b"\x88\x00\x01x\x7f\x81\xff\x3f" + b"e" * 1_048_576))
        else:
            await paths(stream)

    server = Http2Server(script)
    async with server.at(h2) as url, client(url) as http:
        assert (await ends_in_a_protocol_error(http, "/attack")).reason == "protocol"


async def test_headers_of_a_reasonable_size_are_taken(client: Clients, h2: ssl.SSLContext) -> None:
    """Thirty-two kibibytes in a hundred headers, over several frames."""

    async def script(stream: Stream) -> None:
        many = [(f"x-{number}", chr(97 + number % 26) * 150) for number in range(100)]
        stream.head(200, *many, ("y", "v" * 16_000))
        stream.data(b"ok", end=True)

    server = Http2Server(script)
    async with server.at(h2) as url, client(url) as http:
        for _ in range(3):
            answer = await http.get("/")
            assert (answer.text, len(answer.headers["y"]), answer.headers["x-99"]) == ("ok", 16_000, "v" * 150)
        assert len(server.connections) == 1


async def test_data_beyond_the_window_ends_the_connection(client: Clients, h2: ssl.SSLContext) -> None:
    """The peer ignores the window of a stream that nobody reads."""

    async def script(stream: Stream) -> None:
        if stream.path == "/ok":
            stream.answer()
            return
        stream.head()
        while stream.window > -1_000_000 and not stream.connection.gone.is_set():
            stream.data(bytes(FRAME))
            await stream.connection.drain()

    server = Http2Server(script)
    before = resident()
    async with server.at(h2) as url, client(url) as http:
        answer = await http.send(http.build_request("GET", "/full"), stream=True)
        await until(server.connections[0].gone.is_set)
        with pytest.raises(httpx.RemoteProtocolError) as caught:
            async for _ in answer.aiter_raw():
                pass
        await answer.aclose()
        assert classify_transport_error(caught.value, Phase.HEAD_RECEIVED).reason in {"protocol", "reset"}
        assert (await http.get("/ok")).text == "ok"
        assert len(server.connections) == 2
    assert resident() - before < GROWTH


async def test_a_peer_that_resets_every_stream_at_once_breaks_nothing_else(client: Clients, h2: ssl.SSLContext) -> None:
    """Two hundred calls are reset as soon as they arrive; a neighbour's stream and the next call are well."""

    async def script(stream: Stream) -> None:
        if stream.path == "/reset":
            stream.reset(INTERNAL_ERROR)
        else:
            await paths(stream)

    server = Http2Server(script)
    async with server.at(h2) as url, client(url) as http, http.stream("GET", "/stream") as neighbour:
        pieces = neighbour.aiter_raw()
        for _ in range(5):
            ends = await asyncio.gather(*(http.get("/reset") for _ in range(40)), return_exceptions=True)
            assert all(isinstance(end, httpx.RemoteProtocolError) for end in ends)
            assert await anext(pieces)
        assert (await http.get("/ok")).text == "ok"


async def test_what_arrives_on_a_stream_after_it_was_reset_is_dropped_and_given_back(
    client: Clients, h2: ssl.SSLContext
) -> None:
    """The peer had more on the way: the connection stays, and its window does not shrink."""

    async def script(stream: Stream) -> None:
        if stream.path != "/late":
            await paths(stream)
            return
        stream.head()
        await stream.gone.wait()
        connection = stream.connection
        while stream.window > FRAME and connection.window > FRAME:
            stream.data(bytes(FRAME))
        connection.send(frames.WindowUpdateFrame(stream.number, window_increment=1))
        stream.trailers(("x", "late"))
        late.set()

    server = Http2Server(script)
    late = asyncio.Event()
    async with server.at(h2) as url, client(url) as http:
        await http.get("/ok")
        connection = server.connections[0]
        window = connection.window
        for _ in range(3):
            late.clear()
            async with http.stream("GET", "/late"):
                pass
            await asyncio.wait_for(late.wait(), 2)
            await until(lambda: connection.window > window // 2)
        assert len((await http.get("/size/2000000")).content) == 2_000_000
        assert len(server.connections) == 1


async def test_frames_of_unknown_types_and_settings_are_ignored(client: Clients, h2: ssl.SSLContext) -> None:
    """Extensions, a reserved bit, padding, PRIORITY, ALTSVC, an id of settings that nobody knows."""

    async def script(stream: Stream) -> None:
        connection, number = stream.connection, struct.pack(">I", stream.number)
        connection.raw(b"\0\0\x04\xee\xff" + number + b"abcd" + b"\0\0\0\xef\0\0\0\0\0")
        connection.set({0xFEDC: 7, 8: 1})
        connection.send(
            frames.AltSvcFrame(0, origin=b"https://other", field=b'h3=":1"'),
            frames.PriorityFrame(stream.number, depends_on=0, stream_weight=200),
            frames.PriorityFrame(stream.number + 200, depends_on=0),
            frames.HeadersFrame(
                stream.number,
                connection.block([(":status", "200")]),
                flags=["END_HEADERS", "PADDED", "PRIORITY"],
                pad_length=20,
                depends_on=0,
            ),
            frames.DataFrame(stream.number, b"o", flags=["PADDED"], pad_length=30),
            frames.DataFrame(stream.number, b"", flags=[]),
        )
        # the reserved bit of the stream number is set
        connection.raw(b"\0\0\x01\0\x01" + struct.pack(">I", stream.number | 1 << 31) + b"k")

    server = Http2Server(script)
    async with server.at(h2) as url, client(url) as http:
        for _ in range(3):
            assert (await http.get("/")).text == "ok"
        assert len(server.connections) == 1


@pytest.mark.slow
@pytest.mark.parametrize("cut", range(0, 120, 3))
async def test_a_connection_cut_at_any_byte_is_a_reset(cut: int, client: Clients, h2: ssl.SSLContext) -> None:
    """In the middle of a frame or between two: never a short answer that looks whole, never another exception."""

    async def script(stream: Stream) -> None:
        if stream.path == "/ok":
            stream.answer()
            return
        connection = stream.connection
        data = connection.block([(":status", "200"), ("x", "a value of some length")])
        whole = frames.HeadersFrame(stream.number, data, flags=["END_HEADERS"]).serialize()
        whole += frames.DataFrame(stream.number, b"0123456789" * 6, flags=["END_STREAM"]).serialize()
        connection.raw(whole[: min(cut, len(whole) - 1)])
        connection.close()

    server = Http2Server(script)
    async with server.at(h2) as url, client(url) as http:
        with pytest.raises(httpx.RemoteProtocolError) as caught:
            await http.get("/cut")
        assert classify_transport_error(caught.value, Phase.SENDING).reason == "reset"
        assert len(server.streams) == 1
        assert (await http.get("/ok")).text == "ok"


async def test_an_answer_in_a_thousand_tiny_frames_is_the_same_answer(client: Clients, h2: ssl.SSLContext) -> None:
    """One byte a frame, some of them padded, with tokens of a neighbour in between."""

    async def script(stream: Stream) -> None:
        if stream.path == "/stream":
            await tick(stream)
            return
        stream.head()
        for number in range(1000):
            flags, padding = (["PADDED"], number % 7) if number % 3 == 0 else ([], 0)
            frame = frames.DataFrame(stream.number, b"%d" % (number % 10), flags=flags, pad_length=padding)
            stream.connection.send(frame)
            if number % 50 == 0:
                await stream.connection.drain()
        stream.data(b"", end=True)

    server = Http2Server(script)
    async with server.at(h2) as url, client(url) as http, http.stream("GET", "/stream"):
        assert (await http.get("/tiny")).text == "0123456789" * 100
