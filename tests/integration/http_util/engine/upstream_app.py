"""
The application behind the real servers: it answers, and it remembers what happened to whom.

Times are of the monotonic clock, which all processes of a machine share, so that a test can compare them with its own.
Every path takes its settings from the query; ``id`` names what is remembered.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections import defaultdict
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable


@dataclass
class Memory:
    """What is remembered of one id."""

    count: int = 0
    started: float = 0.0
    ended: float = 0.0
    sent: int = 0
    received: int = 0


MEMORIES: defaultdict[str, Memory] = defaultdict(Memory)

PIECE = 16 * 1024


class Call:
    """One request, and what it takes to answer it."""

    def __init__(self, scope: dict[str, Any], receive: Callable[[], Awaitable[Any]], send: Callable[..., Any]) -> None:
        self.settings = dict(parse_qsl(scope["query_string"].decode()))
        # a proxy in front tells whose connection it was
        self.port = int(dict(scope["headers"]).get(b"x-client-port", scope["client"][1]))
        self.memory = MEMORIES[self.settings["id"]] if "id" in self.settings else Memory()
        self._receive = receive
        self._send = send

    async def head(self, status: int = 200, *headers: tuple[bytes, bytes]) -> None:
        """Send the head of the answer."""
        await self._send({"type": "http.response.start", "status": status, "headers": list(headers)})

    async def piece(self, data: bytes, *, more: bool = True) -> None:
        """Send a piece of the body."""
        await self._send({"type": "http.response.body", "body": data, "more_body": more})

    async def whole(self, data: bytes, *headers: tuple[bytes, bytes]) -> None:
        """Send all of an answer."""
        await self.head(200, (b"content-length", b"%d" % len(data)), *headers)
        await self.piece(data, more=False)

    async def body(self) -> bytes:
        """Read the request to its end."""
        pieces = []
        while True:
            event = await self._receive()
            pieces.append(event.get("body", b""))
            self.memory.received += len(pieces[-1])
            if not event.get("more_body", False):
                return b"".join(pieces)

    async def until_gone(self) -> None:
        """Wait until the client has gone; what it still sends is read and dropped."""
        while (await self._receive())["type"] != "http.disconnect":
            pass


async def count(call: Call) -> None:
    """Count the request; the answer is the port that its connection comes from, and how many bytes it brought."""
    call.memory.count += 1
    data = await call.body()
    await call.whole(json.dumps({"port": call.port, "bytes": len(data)}).encode())


async def echo(call: Call) -> None:
    """Send the body back."""
    await call.whole(await call.body())


async def size(call: Call) -> None:
    """Send ``n`` bytes in pieces."""
    left = int(call.settings["n"])
    await call.head(200, (b"content-length", b"%d" % left))
    while left:
        data = bytes(min(PIECE, left))
        left -= len(data)
        await call.piece(data, more=bool(left))
        call.memory.sent += len(data)


async def stream(call: Call) -> None:
    """Send a token each ``pause`` seconds until the client has gone."""
    call.memory.started = time.monotonic()
    pause = float(call.settings.get("pause", "0.005"))
    gone = asyncio.ensure_future(call.until_gone())
    await call.head(200, (b"content-type", b"text/event-stream"))
    while not gone.done():
        await call.piece(b"data: tick\n\n")
        await asyncio.wait((gone,), timeout=pause)
    call.memory.ended = time.monotonic()


async def silent(call: Call) -> None:
    """Never answer; remember when the client has gone."""
    call.memory.started = time.monotonic()
    await call.until_gone()
    call.memory.ended = time.monotonic()


async def memory(call: Call) -> None:
    """Tell what is remembered of one id."""
    await call.whole(json.dumps(asdict(call.memory)).encode())


async def totals(call: Call) -> None:
    """Tell how many ids with a prefix there are, how often the most frequent came, and how many are still served."""
    found = [memory for name, memory in MEMORIES.items() if name.startswith(call.settings["prefix"])]
    told = {
        "ids": len(found),
        "most": max((memory.count for memory in found), default=0),
        "open": sum(1 for memory in found if memory.started and not memory.ended),
    }
    await call.whole(json.dumps(told).encode())


PATHS = {f"/{answer.__name__}": answer for answer in (count, echo, size, stream, silent, memory, totals)}


async def application(scope: dict[str, Any], receive: Callable[[], Awaitable[Any]], send: Callable[..., Any]) -> None:
    """Answer one request."""
    if scope["type"] == "lifespan":
        while True:
            event = (await receive())["type"]
            await send({"type": f"{event}.complete"})
            if event == "lifespan.shutdown":
                return
    await PATHS[scope["path"]](Call(scope, receive, send))
