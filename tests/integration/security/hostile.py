"""An upstream that sends too much of everything, over both protocols, as fast as it is let."""

from __future__ import annotations

import asyncio
import json
import zlib
from functools import cache
from itertools import chain, repeat
from typing import TYPE_CHECKING, Final

from hyperframe import frame as frames

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from tests.integration.http_util.engine.scripted_http1 import Http1Connection
    from tests.integration.http_util.engine.scripted_http2 import Stream

GIB: Final = 1024**3
_PIECE: Final = 64 * 1024

_CHUNK: Final = json.dumps(
    {
        "id": "c-1",
        "object": "chat.completion.chunk",
        "created": 1,
        "model": "m",
        "choices": [{"index": 0, "delta": {"role": "assistant", "content": "sea "}, "finish_reason": None}],
    }
)
_WHOLE: Final = json.dumps(
    {
        "id": "c-1",
        "object": "chat.completion",
        "created": 1,
        "model": "m",
        "choices": [{"index": 0, "message": {"role": "assistant", "content": "sea"}, "finish_reason": "stop"}],
    }
)
_EVENT: Final = f"data: {_CHUNK}\n\n".encode()
_COMMENTS: Final = b": keep-alive\n\n"


def _filled(pattern: bytes) -> bytes:
    """Return a piece full of *pattern*."""
    return pattern * (_PIECE // len(pattern))


@cache
def _folded(start: bytes, pattern: bytes) -> bytes:
    """Return a gzip body of *start* and a gigabyte of *pattern*, which is some thousand times smaller."""
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    head = packer.compress(start) + packer.flush(zlib.Z_FULL_FLUSH)
    # behind a full flush a block stands by itself, so one may be sent again and again
    mib = packer.compress(pattern * (1024 * 1024 // len(pattern))) + packer.flush(zlib.Z_FULL_FLUSH)
    return head + mib * 1024


def body_of(fault: str) -> tuple[str, str, Iterable[bytes]]:
    """Return content type, content-encoding and body of an answer; bodies may have no end."""
    stream, whole = "text/event-stream", "application/json"
    bodies: dict[str, tuple[str, str, Callable[[], Iterable[bytes]]]] = {
        "large": (whole, "", lambda: repeat(b" " * _PIECE, GIB // _PIECE)),
        "folded": (whole, "gzip", lambda: [_folded(b'"', b" ")]),
        "endless events": (stream, "", lambda: repeat(_filled(_EVENT))),
        "endless comments": (stream, "", lambda: chain([_EVENT], repeat(_filled(_COMMENTS)))),
        "comments only": (stream, "", lambda: repeat(_filled(_COMMENTS))),
        "endless line": (stream, "", lambda: chain([_EVENT, b"data: "], repeat(b"x" * _PIECE))),
        "endless blank lines": (stream, "", lambda: chain([_EVENT], repeat(b"\n" * _PIECE))),
        "endless event of short lines": (stream, "", lambda: chain([_EVENT], repeat(_filled(b"data: x\n")))),
        "folded events": (stream, "gzip", lambda: [_folded(_EVENT, _EVENT)]),
        "folded comments": (stream, "gzip", lambda: [_folded(_EVENT, _COMMENTS)]),
        "folded line": (stream, "gzip", lambda: [_folded(_EVENT + b"data: ", b"x")]),
    }
    kind, encoding, body = bodies[fault]
    return kind, encoding, body()


def _heads() -> Iterator[bytes]:
    """Yield header lines for ever."""
    yield b"HTTP/1.1 200 OK\r\n"
    yield from repeat(b"x-header: " + b"x" * 1000 + b"\r\n")


async def http1(connection: Http1Connection) -> None:
    """Answer by the first part of the path."""
    head = await connection.request()
    fault = head.split(b" ")[1].split(b"/")[1].decode().replace("-", " ")
    if fault == "good":
        is_stream = b'"stream":true' in connection.body.replace(b" ", b"")
        body = _EVENT + b"data: [DONE]\n\n" if is_stream else _WHOLE.encode()
        kind = "text/event-stream" if is_stream else "application/json"
        await connection.send(f"HTTP/1.1 200 OK\r\ncontent-type: {kind}\r\nconnection: close\r\n\r\n".encode() + body)
        connection.close()
        return
    if fault == "endless headers":
        for line in _heads():
            await connection.send(line)
    if fault == "endless interim answers":
        while True:
            await connection.send(b"HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n")
    status, kind, encoding, body = _answer(fault)
    lines = [f"HTTP/1.1 {status} X", f"content-type: {kind}", "transfer-encoding: chunked"]
    lines += [f"content-encoding: {encoding}"] if encoding else []
    await connection.send("\r\n".join([*lines, "", ""]).encode())
    for piece in body:
        await connection.send(b"%x\r\n" % len(piece), piece, b"\r\n")
    await connection.send(b"0\r\n\r\n")


async def http2(stream: Stream) -> None:
    """The same over HTTP/2."""
    await stream.ended.wait()
    fault = stream.path.split("/")[1].replace("-", " ")
    if fault == "good":
        is_stream = b'"stream":true' in bytes(stream.body).replace(b" ", b"")
        stream.head(200, ("content-type", "text/event-stream" if is_stream else "application/json"))
        await stream.pour(_EVENT + b"data: [DONE]\n\n" if is_stream else _WHOLE.encode())
        return
    if fault == "endless headers":
        await _endless_headers(stream)
    if fault == "endless interim answers":
        while not stream.gone.is_set():
            stream.head(103, ("link", "</a>"))
            await stream.connection.drain()
        return
    if fault == "folded headers":
        _folded_headers(stream)
        return
    status, kind, encoding, body = _answer(fault)
    stream.head(status, ("content-type", kind), *([("content-encoding", encoding)] if encoding else []))
    for piece in body:
        await stream.pour(piece, end=False)
        await asyncio.sleep(0)
        if stream.gone.is_set():
            return
    stream.data(b"", end=True)


def _answer(fault: str) -> tuple[int, str, str, Iterable[bytes]]:
    """Return the answer of an upstream: with an error status where the fault says so."""
    status, _, rest = fault.rpartition(" as ")
    return (int(status) if status else 200, *body_of(rest))


async def _endless_headers(stream: Stream) -> None:
    """Send a header block that does not end."""
    connection = stream.connection
    connection.send(frames.HeadersFrame(stream.number, connection.block([(":status", "200")])))
    while not stream.gone.is_set():
        block = connection.block([(f"x-{number}", "x" * 1000) for number in range(10)])
        connection.send(frames.ContinuationFrame(stream.number, block))
        await connection.drain()


def _folded_headers(stream: Stream) -> None:
    """Send a small header block that names one large field four thousand times: it would unfold to 16 MiB."""
    connection = stream.connection
    block = connection.block([(":status", "200"), ("x-large", "x" * 3900)])
    connection.send(frames.HeadersFrame(stream.number, block + b"\xbe" * 4000, flags=["END_HEADERS"]))
