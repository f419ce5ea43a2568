"""
The floor: a chat stream read by a bare asyncio protocol, HTTP/1.1, chunked, partial decode. No checks, no timers.

It does the same work for its user as an adapter does (every token's text in order, the finish reason) and nothing more.
"""

from __future__ import annotations

import asyncio
import json
from typing import Final, cast
from urllib.parse import urlsplit

import msgspec

DONE: Final = b"[DONE]"


class Delta(msgspec.Struct):
    """What the token path needs of a delta."""

    content: str | None = None


class Choice(msgspec.Struct):
    """What it needs of a choice."""

    delta: Delta
    finish_reason: str | None = None


class Chunk(msgspec.Struct):
    """What it needs of a chunk."""

    choices: list[Choice] = []


decode_chunk = msgspec.json.Decoder(Chunk).decode


class RawStream(asyncio.Protocol):
    """One request, one streamed answer, one connection."""

    def __init__(self, request: bytes) -> None:
        self._request = request
        self._wire = bytearray()
        self._events = bytearray()
        self._has_head = False
        self.texts: list[str] = []
        self.finish_reason: str | None = None
        self.over: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        """Done when the stream has ended; fails when it broke off."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Send the request."""
        self._transport = cast("asyncio.Transport", transport)
        self._transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        """Take in one read: the head once, then whole chunks, then whole events."""
        wire = self._wire
        wire += data
        if not self._has_head:
            end = wire.find(b"\r\n\r\n")
            if end < 0:
                return
            del wire[: end + 4]
            self._has_head = True
        while (line := wire.find(b"\r\n")) > 0:
            size = int(wire[:line], 16)
            if len(wire) < line + size + 4:
                break
            self._events += wire[line + 2 : line + 2 + size]
            del wire[: line + size + 4]
        self._take_events()

    def connection_lost(self, exc: Exception | None) -> None:
        """Fail unless the end was seen."""
        if not self.over.done():
            self.over.set_exception(exc or ConnectionError("the stream stopped"))

    def _take_events(self) -> None:
        *events, rest = bytes(self._events).split(b"\n\n")
        self._events[:] = rest
        for event in events:
            data = event.removeprefix(b"data: ")
            if data == DONE:
                self.over.set_result(None)
                self._transport.close()
                return
            for choice in decode_chunk(data).choices:
                if choice.delta.content:
                    self.texts.append(choice.delta.content)
                self.finish_reason = choice.finish_reason or self.finish_reason


async def read_raw(base_url: str, body: dict[str, object]) -> tuple[str, int, str | None]:
    """The whole text, the number of tokens and the finish reason of one chat stream."""
    target = urlsplit(base_url)
    content = json.dumps(body).encode()
    head = (
        f"POST {target.path}/chat/completions HTTP/1.1\r\nHost: {target.netloc}\r\nContent-Type: application/json\r\n"
        f"Accept: text/event-stream\r\nContent-Length: {len(content)}\r\n\r\n"
    )
    loop = asyncio.get_running_loop()
    host, port = target.hostname or "", target.port or 80
    _, stream = await loop.create_connection(lambda: RawStream(head.encode() + content), host, port)
    await stream.over
    return "".join(stream.texts), len(stream.texts), stream.finish_reason
