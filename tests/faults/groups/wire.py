"""Answers byte by byte, for upstreams that are told exactly what to send."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from tests.integration.http_util.engine.scripted_http1 import Http1Connection, Script

HEAD: Final = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n"
DONE: Final = b"data: [DONE]\n\n"


def chunk(delta: object, finish: str | None = None, **more: object) -> bytes:
    """One chunk of a chat stream, as an event."""
    document: dict[str, Any] = {"model": "m", "choices": [{"index": 0, "delta": delta, "finish_reason": finish}]}
    return f"data: {json.dumps({**document, **more})}\n\n".encode()


def tokens(count: int) -> bytes:
    """Chunks with *count* tokens."""
    return b"".join(chunk({"content": f"word{number} "}) for number in range(count))


def stream(count: int = 3) -> bytes:
    """A whole chat stream of *count* tokens."""
    return tokens(count) + chunk({}, "stop") + DONE


def chunked(body: bytes) -> bytes:
    """A body as one HTTP chunk, and the end."""
    return b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)


def answer(body: bytes, *fields: bytes, status: bytes = b"200 OK") -> bytes:
    """A whole answer with a length."""
    lines = [b"HTTP/1.1 " + status, b"content-type: text/event-stream", b"content-length: %d" % len(body), *fields]
    return b"\r\n".join([*lines, b"", b""]) + body


WHOLE: Final = HEAD + b"transfer-encoding: chunked\r\n\r\n" + chunked(stream())
"""A good answer: three tokens and their end."""


def replying(*answers: bytes, ends: bool = False) -> Script:
    """
    Return the script that answers request n of all connections with answer n, and the rest with the last one.

    Args:
        answers: Exact bytes, each sent in one piece.
        ends: Close behind each answer, whatever it announced.
    """
    left = list(answers)

    async def script(connection: Http1Connection) -> None:
        while True:
            await connection.request()
            await connection.send(left.pop(0) if len(left) > 1 else left[0])
            if ends:
                connection.close()
                return

    return script


def falling_silent(body: bytes) -> Script:
    """Return the script that begins a stream with *body*, and then says nothing until the client has gone."""

    async def script(connection: Http1Connection) -> None:
        await connection.request()
        await connection.send(HEAD + b"transfer-encoding: chunked\r\n\r\n", b"%x\r\n%b\r\n" % (len(body), body))
        await connection.until_gone()

    return script
