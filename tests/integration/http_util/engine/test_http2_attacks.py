"""Hostile and broken HTTP/2 peers, frame by frame: each ends in a typed error, and the next call is answered."""

from __future__ import annotations

import asyncio
import struct
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from tests.integration.http_util.engine.attacks import ends_in_a_protocol_error
from tests.integration.http_util.engine.measure import until
from tests.integration.http_util.engine.scripted_http2 import FRAME, Http2Connection, Http2Server, greet, paths

if TYPE_CHECKING:
    import ssl
    from collections.abc import Awaitable, Callable

    from tests.integration.http_util.engine.conftest import Clients
    from tests.integration.http_util.engine.scripted_http2 import Stream

    Attack = Callable[[Stream], Awaitable[None]]

pytestmark = [pytest.mark.integration, pytest.mark.requirement("ENG-07", "ERR-09")]


def raw(kind: int, flags: int, number: int, payload: bytes = b"", *, length: int | None = None) -> bytes:
    """Write a frame down, with any length, type, flags and payload."""
    size = len(payload) if length is None else length
    return struct.pack(">I", size)[1:] + struct.pack(">BBI", kind, flags, number) + payload


DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PUSH_PROMISE, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = range(10)
END_STREAM, ACK, END_HEADERS, PADDED = 0x1, 0x1, 0x4, 0x8
PADDED_HEADERS = PADDED | END_HEADERS


def block(stream: Stream, *headers: tuple[str, str]) -> bytes:
    """Compress headers, behind a good status unless they bring their own."""
    status = [] if any(name == ":status" for name, _ in headers) else [(":status", "200")]
    return stream.connection.block([*status, *headers])


def sends(*make: Callable[[Stream], bytes]) -> Attack:
    """Return the attack that sends some bytes in answer to a request, and then nothing more."""

    async def attack(stream: Stream) -> None:
        for piece in make:
            stream.connection.raw(piece(stream))

    return attack


def head(stream: Stream) -> bytes:
    """The head of a good answer."""
    return raw(HEADERS, END_HEADERS, stream.number, block(stream))


def with_headers(*headers: tuple[str, str]) -> Attack:
    """Return the attack that answers with a head."""
    return sends(lambda s: raw(HEADERS, END_HEADERS | END_STREAM, s.number, s.connection.block(list(headers))))


CONNECTION_ERRORS: dict[str, Attack] = {
    "DATA on stream 0": sends(lambda s: raw(DATA, 0, 0, b"evil")),
    "DATA on a stream that nobody opened": sends(lambda s: raw(DATA, 0, s.number + 2, b"evil")),
    "DATA with more padding than data": sends(head, lambda s: raw(DATA, PADDED, s.number, b"\xffevil")),
    "DATA padded without a length": sends(head, lambda s: raw(DATA, PADDED, s.number, b"")),
    "HEADERS on stream 0": sends(lambda s: raw(HEADERS, END_HEADERS, 0, block(s))),
    "HEADERS on a stream that nobody opened": sends(lambda s: raw(HEADERS, END_HEADERS, s.number + 2, block(s))),
    "HEADERS on a stream of the server's": sends(lambda s: raw(HEADERS, END_HEADERS, 2, block(s))),
    "HEADERS with more padding than data": sends(lambda s: raw(HEADERS, PADDED_HEADERS, s.number, b"\xff" + block(s))),
    "HEADERS with a broken index": sends(lambda s: raw(HEADERS, END_HEADERS, s.number, b"\xff\xff\xff\xff\x7f")),
    "HEADERS with index 0": sends(lambda s: raw(HEADERS, END_HEADERS, s.number, b"\x80")),
    "HEADERS with an integer without end": sends(
        lambda s: raw(HEADERS, END_HEADERS, s.number, b"\x7f" + b"\xff" * 200)
    ),
    "HEADERS with a text that is cut": sends(lambda s: raw(HEADERS, END_HEADERS, s.number, b"\x40\x7fevil")),
    "HEADERS with a broken Huffman code": sends(
        lambda s: raw(HEADERS, END_HEADERS, s.number, b"\x88\x40\x81\xff\x84\xff\xff\xff\xff")
    ),
    "HEADERS with a table above the limit": sends(
        lambda s: raw(HEADERS, END_HEADERS, s.number, b"\x3f\xe1\xff\xff\x7f\x88")
    ),
    "HEADERS interrupted by DATA": sends(
        lambda s: raw(HEADERS, 0, s.number, block(s)), lambda s: raw(DATA, 0, s.number, b"evil")
    ),
    "HEADERS interrupted by PING": sends(
        lambda s: raw(HEADERS, 0, s.number, block(s)), lambda s: raw(PING, 0, 0, bytes(8))
    ),
    "HEADERS interrupted by an unknown frame": sends(
        lambda s: raw(HEADERS, 0, s.number, block(s)), lambda s: raw(0xEE, 0, s.number, b"evil")
    ),
    "HEADERS continued on another stream": sends(
        lambda s: raw(HEADERS, 0, s.number, block(s)), lambda s: raw(CONTINUATION, END_HEADERS, s.number + 2, b"")
    ),
    "CONTINUATION of nothing": sends(lambda s: raw(CONTINUATION, END_HEADERS, s.number, block(s))),
    "PRIORITY on stream 0": sends(lambda s: raw(PRIORITY, 0, 0, bytes(5))),
    "PRIORITY of a wrong size": sends(lambda s: raw(PRIORITY, 0, s.number, bytes(4))),
    "RST_STREAM on stream 0": sends(lambda s: raw(RST_STREAM, 0, 0, bytes(4))),
    "RST_STREAM on a stream that nobody opened": sends(lambda s: raw(RST_STREAM, 0, s.number + 2, bytes(4))),
    "RST_STREAM of a wrong size": sends(lambda s: raw(RST_STREAM, 0, s.number, bytes(5))),
    "SETTINGS on a stream": sends(lambda s: raw(SETTINGS, 0, s.number, b"")),
    "SETTINGS of a wrong size": sends(lambda s: raw(SETTINGS, 0, 0, bytes(5))),
    "SETTINGS acknowledged with a payload": sends(lambda s: raw(SETTINGS, ACK, 0, bytes(6))),
    "SETTINGS that enable push": sends(lambda s: raw(SETTINGS, 0, 0, struct.pack(">HI", 2, 1))),
    "SETTINGS with a window too large": sends(lambda s: raw(SETTINGS, 0, 0, struct.pack(">HI", 4, 2**31))),
    "SETTINGS with a frame too small": sends(lambda s: raw(SETTINGS, 0, 0, struct.pack(">HI", 5, 16_383))),
    "SETTINGS with a frame too large": sends(lambda s: raw(SETTINGS, 0, 0, struct.pack(">HI", 5, 2**24))),
    "SETTINGS with a window that overflows a stream's": sends(
        lambda s: raw(WINDOW_UPDATE, 0, s.number, struct.pack(">I", 2**31 - 1 - 65_535)),
        lambda s: raw(SETTINGS, 0, 0, struct.pack(">HI", 4, 2**31 - 1)),
    ),
    "PUSH_PROMISE": sends(lambda s: raw(PUSH_PROMISE, END_HEADERS, s.number, struct.pack(">I", 2) + block(s))),
    "PING of a wrong size": sends(lambda s: raw(PING, 0, 0, bytes(7))),
    "PING on a stream": sends(lambda s: raw(PING, 0, s.number, bytes(8))),
    "GOAWAY of a wrong size": sends(lambda s: raw(GOAWAY, 0, 0, bytes(7))),
    "GOAWAY on a stream": sends(lambda s: raw(GOAWAY, 0, s.number, bytes(8))),
    "WINDOW_UPDATE of a wrong size": sends(lambda s: raw(WINDOW_UPDATE, 0, 0, bytes(3))),
    "WINDOW_UPDATE by nothing": sends(lambda s: raw(WINDOW_UPDATE, 0, 0, bytes(4))),
    "WINDOW_UPDATE that overflows": sends(lambda s: raw(WINDOW_UPDATE, 0, 0, struct.pack(">I", 2**31 - 1)) * 2),
    "WINDOW_UPDATE on a stream that nobody opened": sends(
        lambda s: raw(WINDOW_UPDATE, 0, s.number + 2, struct.pack(">I", 1))
    ),
    "a frame above the limit": sends(head, lambda s: raw(DATA, 0, s.number, bytes(FRAME + 1))),
    "a frame of 16 MiB announced": sends(head, lambda s: raw(DATA, 0, s.number, b"evil", length=2**24 - 1)),
    "an unknown frame above the limit": sends(lambda s: raw(0xEE, 0, 0, bytes(FRAME + 1))),
    "garbage": sends(lambda s: b"evil " * 1000),
    "an HTTP/1.1 answer": sends(lambda s: b"HTTP/1.1 400 Bad Request\r\ncontent-length: 4\r\n\r\nevil"),
}

STREAM_ERRORS: dict[str, Attack] = {
    "DATA before the head": sends(lambda s: raw(DATA, END_STREAM, s.number, b"evil")),
    "DATA of more than the length": sends(
        lambda s: raw(HEADERS, END_HEADERS, s.number, block(s, ("content-length", "2"))),
        lambda s: raw(DATA, END_STREAM, s.number, b"evil"),
    ),
    "DATA of less than the length": sends(
        lambda s: raw(HEADERS, END_HEADERS, s.number, block(s, ("content-length", "5"))),
        lambda s: raw(DATA, END_STREAM, s.number, b"evil"),
    ),
    "an end without the DATA of the length": sends(
        lambda s: raw(HEADERS, END_HEADERS | END_STREAM, s.number, block(s, ("content-length", "5")))
    ),
    "two lengths": with_headers((":status", "200"), ("content-length", "4"), ("content-length", "5")),
    "a length that is none": with_headers((":status", "200"), ("content-length", "evil")),
    "a negative length": with_headers((":status", "200"), ("content-length", "-1")),
    "no status": with_headers(("x-evil", "1")),
    "an empty status": with_headers((":status", "")),
    "two states": with_headers((":status", "200"), (":status", "200")),
    "a status that is none": with_headers((":status", "evil")),
    "a status of two digits": with_headers((":status", "99")),
    "a switch of protocols": with_headers((":status", "101")),
    "an interim answer that ends": with_headers((":status", "103")),
    "an unknown pseudo-header": with_headers((":status", "200"), (":evil", "1")),
    "a request's pseudo-header": with_headers((":status", "200"), (":path", "/evil")),
    "a pseudo-header behind the others": with_headers(("x-evil", "1"), (":status", "200")),
    "an upper-case name": with_headers((":status", "200"), ("X-Evil", "1")),
    "an empty name": with_headers((":status", "200"), ("", "evil")),
    "a name with a space": with_headers((":status", "200"), ("x evil", "1")),
    "a name with a colon": with_headers((":status", "200"), ("x:evil", "1")),
    "a value with a line break": with_headers((":status", "200"), ("x", "a\r\nx-evil: b")),
    "a value with NUL": with_headers((":status", "200"), ("x", "evil\0")),
    "connection": with_headers((":status", "200"), ("connection", "evil")),
    "transfer-encoding": with_headers((":status", "200"), ("transfer-encoding", "chunked")),
    "trailers that do not end": sends(
        head, lambda s: raw(HEADERS, END_HEADERS, s.number, s.connection.block([("x", "evil")]))
    ),
    "trailers with a status": sends(
        head, lambda s: raw(HEADERS, END_HEADERS | END_STREAM, s.number, s.connection.block([(":status", "200")]))
    ),
    "WINDOW_UPDATE of a stream by nothing": sends(lambda s: raw(WINDOW_UPDATE, 0, s.number, bytes(4))),
    "WINDOW_UPDATE of a stream that overflows": sends(
        lambda s: raw(WINDOW_UPDATE, 0, s.number, struct.pack(">I", 2**31 - 1)) * 2
    ),
}


def on_attack(attack: Attack) -> Attack:
    """Return the script that attacks whoever asks for it, and answers everybody else."""

    async def script(stream: Stream) -> None:
        await (attack(stream) if stream.path == "/attack" else paths(stream))

    return script


@pytest.mark.parametrize("attack", CONNECTION_ERRORS.values(), ids=CONNECTION_ERRORS.keys())
async def test_a_connection_that_breaks_the_rules_is_given_up(
    attack: Attack, client: Clients, h2: ssl.SSLContext
) -> None:
    """The call fails, the peer is told why by GOAWAY, the next call has a new connection."""
    server = Http2Server(on_attack(attack))
    async with server.at(h2) as url, client(url) as http:
        await ends_in_a_protocol_error(http, "/attack")
        await until(server.connections[0].gone.is_set)
        assert len(server.connections) == 2
        assert server.connections[0].goaway_code not in {None, 0}


@pytest.mark.parametrize("attack", STREAM_ERRORS.values(), ids=STREAM_ERRORS.keys())
async def test_a_malformed_answer_fails_its_call(attack: Attack, client: Clients, h2: ssl.SSLContext) -> None:
    """RFC 9113 treats it as an error of the stream; whether the connection stays is the client's to choose."""
    server = Http2Server(on_attack(attack))
    async with server.at(h2) as url, client(url) as http:
        failure = await ends_in_a_protocol_error(http, "/attack")
        assert failure.reason == "protocol"


FIRST_WORDS = {
    "nothing but garbage": b"evil " * 20,
    "HTTP/1.1": b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nevil",
    "PING first": raw(PING, 0, 0, bytes(8)),
    "SETTINGS acknowledged first": raw(SETTINGS, ACK, 0),
    "GOAWAY first": raw(GOAWAY, 0, 0, struct.pack(">II", 0, 2)),
    "a SETTINGS frame without its end": raw(SETTINGS, 0, 0, b"evil", length=6_000_000),
}


@pytest.mark.parametrize("words", FIRST_WORDS.values(), ids=FIRST_WORDS.keys())
async def test_a_peer_that_begins_wrongly_is_given_up(words: bytes, client: Clients, h2: ssl.SSLContext) -> None:
    """The very first bytes of the connection are not what HTTP/2 asks for; a later connection is served."""

    async def begin(connection: Http2Connection) -> None:
        if connection.number == 0:
            connection.raw(words)
        else:
            await greet(connection)

    async def script(stream: Stream) -> None:
        if stream.connection.number:
            await paths(stream)

    server = Http2Server(script, greeting=begin)
    async with server.at(h2) as url, client(url) as http:
        await fails_or_is_served(http, server)


async def fails_or_is_served(http: Any, server: Http2Server) -> None:
    """A peer that never took the request may be replaced without a word; if not, the failure is a protocol error."""
    async with asyncio.timeout(2):
        try:
            answer = await http.get("/ok")
        except httpx.RemoteProtocolError:
            answer = await http.get("/ok")
    assert answer.text == "ok"
    assert len(server.connections) == 2
