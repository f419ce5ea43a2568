"""
Upstreams that fail in one way each, and repeat what they were told whenever they say anything.

Each fault is played twice, as the bytes of HTTP/1.1 and as the frames of HTTP/2.
"""

from __future__ import annotations

import json
from base64 import b64decode
from typing import TYPE_CHECKING, Final, NamedTuple
from urllib.parse import unquote

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from tests.integration.http_util.engine.scripted_http1 import Http1Connection
    from tests.integration.http_util.engine.scripted_http2 import Stream

_TELLING: Final = ("authorization", "api-key", "x-gateway-token", "proxy-authorization")


class Said(NamedTuple):
    """What an upstream answers, whatever the protocol."""

    status: int
    content_type: str
    body: bytes
    headers: tuple[tuple[str, str], ...] = ()
    then: str = "end"
    """`end`, `cut` (in the middle) or `hold` (nothing more, for ever)."""


class Told(NamedTuple):
    """What an upstream was told, and may repeat."""

    key: str
    everything: str

    @classmethod
    def by(cls, target: str, headers: Mapping[str, str]) -> Told:
        """Take it from a request; names of headers in lower case."""
        values = [headers[name].removeprefix("Bearer ") for name in _TELLING if name in headers] or ["nobody"]
        plain = [b64decode(value.removeprefix("Basic ")).decode() for value in values if value.startswith("Basic ")]
        query = target.partition("?")[2]
        return cls(values[0], " ".join([*values, *plain, query, unquote(query)]).strip())

    def answer(self, fault: str) -> Said:
        """Return the answer of an upstream with this *fault*; a good one when it is none of them."""
        chunk = _chunk(self.key, {"role": "assistant", "content": "Sea"})
        said = {"message": f"No such key: {self.everything}", "type": self.key, "code": self.key, "param": "a"}
        error = json.dumps({"error": said})
        text = self.everything.encode()
        half = _events(chunk) + b"data: " + text
        return {
            "denied": Said(401, "application/json", error.encode()),
            "failed": Said(500, "text/plain", text),
            "redirected": Said(307, "text/plain", text, (("location", f"https://127.0.0.1/{self.key}"),)),
            "a page": Said(200, f"text/{self.key}", text),
            "an error at once": Said(200, _STREAM, _events(error)),
            "an error in the stream": Said(200, _STREAM, _events(chunk, error)),
            "no chunk": Said(200, _STREAM, _events(chunk, f'{{"choices": "{self.everything}')),
            "an unknown encoding": Said(200, _STREAM, text, (("content-encoding", self.key),)),
            "a broken encoding": Said(200, _STREAM, text, (("content-encoding", "gzip"),)),
            "a line too long": Said(200, _STREAM, b"data: " + text * 100),
            "cut": Said(200, _STREAM, half, then="cut"),
            "held": Said(200, _STREAM, half, then="hold"),
            "no end": Said(200, _STREAM, _events(chunk)),
        }.get(fault, Said(200, _STREAM, _events(chunk, _chunk(self.key, {}, "stop"), "[DONE]")))

    def bytes_of(self, fault: str) -> bytes | None:
        """Return what an HTTP/1.1 upstream with this *fault* sends in place of an answer, None when it sends one."""
        match fault:
            case "junk":
                return f"HTTP/{self.everything}\r\n{self.everything}\r\n\r\n".encode()
            case "a junk header":
                return f"HTTP/1.1 200 OK\r\nx a: {self.everything}\r\n\r\n".encode()
            case "too large a head":
                return f"HTTP/1.1 200 OK\r\nx-a: {self.key * 4000}\r\n\r\n".encode()
            case _:
                return None

    @property
    def headers(self) -> tuple[tuple[str, str], ...]:
        """The headers of every answer."""
        return (("x-request-id", self.key), ("server", self.everything), ("openai-organization", self.key))


FAULTS: Final = (
    "refused",
    "closed",
    "reset",
    "silent",
    "junk",
    "a junk header",
    "too large a head",
    "denied",
    "failed",
    "redirected",
    "a page",
    "an error at once",
    "an error in the stream",
    "no chunk",
    "an unknown encoding",
    "a broken encoding",
    "a line too long",
    "cut",
    "held",
    "no end",
    "none",
)
"""Every way to fail, and at last the good answer that repeats what it was told."""

_STREAM: Final = "text/event-stream"


def _events(*data: str) -> bytes:
    return "".join(f"data: {line}\n\n" for line in data).encode()


def _chunk(key: str, delta: dict[str, str], finish: str | None = None) -> str:
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    return json.dumps(
        {
            "id": key,
            "object": "chat.completion.chunk",
            "created": 1,
            "model": key,
            "system_fingerprint": key,
            "choices": [choice],
        }
    )


def http1(fault: str) -> Callable[[Http1Connection], Awaitable[None]]:
    """Return the script of *fault* for an HTTP/1.1 server."""

    async def script(connection: Http1Connection) -> None:
        first, *lines = (await connection.request()).decode().split("\r\n")
        fields = (line.partition(": ") for line in lines)
        told = Told.by(first.split(" ")[1], {name.lower(): value for name, _, value in fields})
        if fault == "reset":
            connection.reset()
        elif fault == "silent":
            await connection.until_gone()
        elif (sent := told.bytes_of(fault)) is not None:
            await connection.send(sent)
        elif fault != "closed":
            await _answer_http1(connection, told, told.answer(fault))
        connection.close()

    return script


async def _answer_http1(connection: Http1Connection, told: Told, said: Said) -> None:
    length = len(said.body) + (0 if said.then == "end" else 100)
    fields = (("content-type", said.content_type), ("content-length", str(length)), *told.headers, *said.headers)
    headers = "".join(f"{name}: {value}\r\n" for name, value in fields)
    await connection.send(f"HTTP/1.1 {said.status} {told.key}\r\n{headers}\r\n".encode() + said.body)
    if said.then == "hold":
        await connection.until_gone()


def http2(fault: str) -> Callable[[Stream], Awaitable[None]]:
    """Return the script of *fault* for an HTTP/2 server."""

    async def script(stream: Stream) -> None:
        await stream.ended.wait()
        told = Told.by(stream.path, stream.headers)
        match fault:
            case "closed":
                stream.connection.close()
            case "reset":
                stream.connection.writer.transport.abort()
            case "silent":
                pass
            case "junk":
                stream.connection.raw(told.everything.encode() * 10)
            case "a junk header":
                stream.head(200, ("x a", told.everything))
            case "too large a head":
                stream.head(200, ("x-a", told.key * 4000))
            case _:
                await _answer_http2(stream, told, told.answer(fault))

    return script


async def _answer_http2(stream: Stream, told: Told, said: Said) -> None:
    stream.head(said.status, ("content-type", said.content_type), *told.headers, *said.headers)
    await stream.pour(said.body, end=said.then == "end")
    if said.then == "cut":
        stream.reset()
