"""
The body of a request, framed for HTTP/1.1 or cut for HTTP/2: whole when it is there whole, else piece by piece.

Spec: HTU-17
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Protocol, Self

import httpx

from http_util.engine.errors import Curtailed, Unwritable

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Iterable

    from http_util.engine.request import EngineRequest

SLICE_BYTES: Final = 64 * 1024
"""Most bytes of a body that are handed to a socket at once: what a kernel buffer takes, and what a cancel waits for."""


def is_whole(stream: Any) -> bool:
    """Tell whether a body is there whole."""
    return isinstance(stream, httpx.ByteStream)


def is_repeatable(stream: Any) -> bool:
    """Tell whether a body may be sent from its beginning: it is whole, or says so; not an iterator that was used up."""
    return is_whole(stream) or bool(getattr(stream, "can_begin", False))


class Listener(Protocol):
    """What a body is sent against: an answer that may come before the request is sent."""

    @property
    def ends_sending(self) -> bool:
        """Whether the rest of the request is not wanted."""

    def on_room(self) -> None:
        """Let go on who waits."""

    def change(self) -> Awaitable[None]:
        """Return what is done when something has changed; await it at once."""


def _cut(content: bytes) -> Iterable[bytes | memoryview]:
    """Cut *content* without copying it."""
    if len(content) <= SLICE_BYTES:
        return [content] if content else []
    view = memoryview(content)
    return [view[at : at + SLICE_BYTES] for at in range(0, len(content), SLICE_BYTES)]


async def _drawn(stream: Any, listener: Listener) -> AsyncIterator[bytes]:
    """
    Yield what an iterator gives, until it ends or *listener* wants no more.

    Each piece is drawn in a task of its own: an answer, or the end of the connection, must not wait for an iterator
    that has nothing to give.
    """
    iterator = aiter(stream)
    while not listener.ends_sending:
        drawing = asyncio.ensure_future(_next(iterator))
        drawing.add_done_callback(lambda _: listener.on_room())
        try:
            while not (drawing.done() or listener.ends_sending):
                await listener.change()
        finally:
            if not drawing.done():
                drawing.cancel()
                await asyncio.wait((drawing,))
            if not drawing.cancelled():
                # whoever is cancelled here does not look at what it raised; the event loop would complain of that
                drawing.exception()
        if drawing.cancelled() or (part := drawing.result()) is None:
            return
        yield part


async def _next(iterator: AsyncIterator[bytes]) -> bytes | None:
    """Return the next piece, None when there is none."""
    return await anext(iterator, None)


@dataclass(frozen=True, slots=True)
class Framing:
    """How HTTP/1.1 tells where the body of one request ends."""

    stream: Any
    is_chunked: bool
    length: int | None
    """What content-length says, None without one."""
    whole: bytes = field(repr=False)
    """The body, when it is short enough to be sent together with the head; else empty."""
    is_short: bool

    @classmethod
    def of(cls, request: EngineRequest) -> Self:
        """
        Return the framing that the headers of *request* announce.

        Raises:
            Unwritable: They announce two, or another length than the body has: the rest of it would be read as a
                request of its own.
        """
        length, is_chunked = None, False
        for name, value in request.headers:
            if len(name) == _LENGTH_NAME_SIZE and name.lower() == b"content-length":
                length = _number(value, length)
            elif len(name) == _ENCODING_NAME_SIZE and name.lower() == b"transfer-encoding":
                is_chunked = True
        if is_chunked and length is not None:
            raise Unwritable("the request has both a content-length and a transfer-encoding")
        stream: Any = request.stream
        if is_chunked or not is_whole(stream):
            return cls(stream, is_chunked, length, b"", is_short=False)
        whole: bytes = b"".join(stream)
        if len(whole) != (length or 0):
            raise Unwritable(_OTHER_LENGTH)
        is_short = len(whole) <= SLICE_BYTES
        return cls(stream, is_chunked, length, whole if is_short else b"", is_short)

    async def pieces(self, listener: Listener) -> AsyncGenerator[bytes | memoryview]:
        """
        Yield the body in pieces of at most `SLICE_BYTES`, none of them empty, as long as *listener* wants them.

        Raises:
            Unwritable: It turned out to be of another length than its header says, before any of it was sent.
            Curtailed: The same, later.
        """
        sent = 0
        if is_whole(self.stream):
            for piece in _cut(b"".join(self.stream)):
                yield piece
            return
        async for part in _drawn(self.stream, listener):
            if not self.is_chunked and sent + len(part) > (self.length or 0):
                raise _other_length(sent)
            sent += len(part)
            for piece in _cut(part):
                yield piece
        if not (self.is_chunked or listener.ends_sending) and sent != (self.length or 0):
            raise _other_length(sent)

    async def frames(self, listener: Listener) -> AsyncGenerator[bytes | memoryview]:
        """Yield what goes over the wire behind an HTTP/1.1 head. Raises as `pieces`."""
        if not self.is_chunked:
            async for piece in self.pieces(listener):
                yield piece
            return
        async for piece in self.pieces(listener):
            yield b"".join((b"%x\r\n" % len(piece), piece, b"\r\n"))
        if not listener.ends_sending:
            yield b"0\r\n\r\n"


_OTHER_LENGTH: Final = "the request's content-length is not the length of its body"
_LENGTH_NAME_SIZE: Final = len("content-length")
_ENCODING_NAME_SIZE: Final = len("transfer-encoding")


def _other_length(sent: int) -> httpx.LocalProtocolError:
    """Return the failure of a body of which *sent* bytes were handed on when its length turned out to be another."""
    return Curtailed(f"{_OTHER_LENGTH}, and a part of it was sent") if sent else Unwritable(_OTHER_LENGTH)


def _number(value: bytes, before: int | None) -> int:
    """Return what a content-length says; *before* is what another one said."""
    if before is not None or not value.isdigit():
        raise Unwritable("the request's content-length is not one number")
    return int(value)
