"""
One answer as it arrives: its head, its pieces, its end.

The protocol's state machine writes into an `Answer` from the event loop's callbacks; one task reads it. Both sides meet
in one future, so a read that finds something there does not wait, and one that waits costs one wake-up, however many
pieces came meanwhile.

Bytes that nobody reads stay bounded: the connection is told what the reader took, and stops the peer before more than
its window lies here.

Spec: HTU-1001, HTU-10, HTU-14
"""

from __future__ import annotations

import math
from asyncio import get_running_loop
from contextlib import suppress
from typing import TYPE_CHECKING, Final, Protocol

import httpx

from http_util.engine.errors import Disconnected, Elsewhere, Unprocessed
from http_util.engine.faults import FaultKind
from http_util.engine.pieces import Pieces

if TYPE_CHECKING:
    import asyncio
    from collections.abc import AsyncIterator

    from http_util.engine.faults import StreamFault

Headers = list[tuple[bytes, bytes]]
"""Fields in the order in which they came; names in lower case."""

_EXCEPTIONS: dict[FaultKind, type[httpx.RemoteProtocolError]] = {
    FaultKind.UNPROCESSED: Unprocessed,
    FaultKind.RESET: Disconnected,
    FaultKind.PROTOCOL: httpx.RemoteProtocolError,
    FaultKind.TOO_LARGE: httpx.RemoteProtocolError,
}

_LATE: dict[type[httpx.TimeoutException], str] = {
    httpx.ReadTimeout: "nothing of the answer came within the read timeout",
    httpx.WriteTimeout: "the upstream took nothing of the request within the write timeout",
}

_FIRST_REFUSAL: Final = 300

_TELLING_BYTES: Final = 16 * 1024
"""Bytes that a reader takes before the connection hears of it: a small part of any window, and many tokens."""


class AnswerSource(Protocol):
    """The connection's side of an answer: what a reader's doings mean to it."""

    def taken(self, size: int) -> None:
        """The reader took *size* bytes since it last said so: the peer may send as many more."""

    def abandon(self) -> asyncio.Future[None] | None:
        """
        Nobody reads the rest: close the connection (HTTP/1.1) or reset the stream (HTTP/2), at once.

        Returns:
            What is done when the peer can know of it; None when it is already.
        """


class Answer(httpx.AsyncByteStream):
    """An answer for one reader. Also the body of an httpx response, and a receiver for the state machines."""

    __slots__ = (
        "_due",
        "_failure",
        "_has_head",
        "_late",
        "_loop",
        "_more",
        "_piece",
        "_source",
        "_timer",
        "_waiter",
        "headers",
        "is_over",
        "read_timeout",
        "status",
        "untold",
    )

    def __init__(self, loop: asyncio.AbstractEventLoop, source: AnswerSource, *, read_timeout: float | None) -> None:
        """
        Expect an answer.

        Args:
            loop: Where it arrives and is read.
            source: The connection that it comes from.
            read_timeout: Seconds without a byte, before the head and between two pieces; None leaves the time to the
                reader.
        """
        self.status = 0
        """The status; 0 before the head is there."""
        self.headers: Headers = []
        self.read_timeout = read_timeout
        self.untold = 0
        """Bytes that came and of which the source does not know yet that they were taken."""
        self._loop = loop
        self._source = source
        # what came and was not taken: most often one piece
        self._piece = b""
        self._more = Pieces()
        self._has_head = False
        self.is_over = False
        """Whether nothing follows: it is complete, has failed, or was abandoned."""
        self._failure: Exception | None = None
        self._waiter: asyncio.Future[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._due = math.inf
        self._late: type[httpx.TimeoutException] = httpx.ReadTimeout

    # what arrives

    def on_head(self, status: int, headers: Headers) -> None:
        """Take the final head."""
        self.status = status
        self.headers = headers
        self._has_head = True
        self._wake()

    def on_data(self, piece: bytes) -> None:
        """Take a piece of the body; never empty."""
        if self._piece:
            self._more.append(piece)
        else:
            self._piece = piece
        self.untold += len(piece)
        if (waiter := self._waiter) is not None:
            self._waiter = None
            if not waiter.done():
                waiter.set_result(None)

    def on_end(self) -> None:
        """The answer is complete."""
        self.is_over = True
        self._wake()

    def on_fault(self, fault: StreamFault) -> None:
        """The answer is over before its end."""
        self.fail(_EXCEPTIONS[fault.kind](fault.message))

    def on_room(self) -> None:
        """More of the request may be sent; the sender waits here for that, or for an early answer."""
        self._wake()

    def fail(self, failure: Exception) -> None:
        """End the answer with *failure*, which its reader meets behind the pieces that came before."""
        if not self.is_over:
            self.is_over = True
            self._failure = failure
            self._wake()

    # who sends, and reads

    @property
    def ends_sending(self) -> bool:
        """
        Whether the rest of the request is not wanted: the answer is over, or refuses before all was sent.

        A good answer that begins early is another thing: its sender may still be read.
        """
        return self.is_over or self.status >= _FIRST_REFUSAL

    async def head(self, seconds: float | None) -> None:
        """
        Wait for the head.

        Args:
            seconds: Bound of the wait, begun anew with everything that comes; None for none.

        Raises:
            httpx.ReadTimeout: It did not come in time; the answer is abandoned.
            httpx.RemoteProtocolError: It broke the protocol, or never came.
        """
        while not self._has_head:
            if self.is_over:
                raise self._failure or Disconnected("the answer ended before its head")
            await self.change(seconds)

    async def next_piece(self) -> bytes | None:
        """
        Everything that came since the last read, as one piece; None at the end. Never empty.

        A read that is cancelled has read nothing and may be repeated; whoever does not want to closes the answer.

        Raises:
            httpx.ReadTimeout: Nothing came in time; the answer is abandoned.
            httpx.RemoteProtocolError: The answer broke the protocol, or stopped before its end.
            Elsewhere: It comes in another event loop.
        """
        while (piece := self.take()) is not None and not piece:
            await self.change(self.read_timeout)
        return piece

    def take(self) -> bytes | None:
        """
        Everything that came since the last read, as one piece, without waiting; None at the end.

        Empty when nothing has come: `news` tells when that changes.

        Raises:
            httpx.RemoteProtocolError: As `next_piece`.
            Elsewhere: So much has come in another event loop that its connection would have to be told.
        """
        piece = self._piece
        if not piece:
            if self.is_over:
                self._end_reading()
                return None
            return piece
        is_told = self.untold >= _TELLING_BYTES
        if is_told and get_running_loop() is not self._loop:
            # the connection is for one thread; what is there already is for any
            raise _elsewhere()
        self._piece = b""
        if self._more:
            piece = self._more.take(piece)
        if is_told:
            size, self.untold = self.untold, 0
            self._source.taken(size)
        return piece

    def news(self) -> asyncio.Future[None]:
        """Return what is done when `take` has something to give; await it at once."""
        news = self.change()
        if self._piece or self.is_over:
            self._wake()
        return news

    def change(
        self, seconds: float | None = None, late: type[httpx.TimeoutException] = httpx.ReadTimeout
    ) -> asyncio.Future[None]:
        """
        Return what is done when something else arrives or the request may go on; await it at once.

        Args:
            seconds: Bound of the wait; None for none. When it is passed, the answer is abandoned.
            late: What is raised then.

        Raises:
            Elsewhere: The answer comes in another event loop.
        """
        if get_running_loop() is not self._loop:
            raise _elsewhere()
        if self._waiter is not None and not self._waiter.done():
            raise RuntimeError("an answer has one reader, and a read of it is under way")
        waiter = self._waiter = self._loop.create_future()
        self._due = math.inf
        if seconds is not None:
            self._set_timer(seconds, late)
        return waiter

    def leave(self) -> asyncio.Future[None] | None:
        """Abandon what is left of the answer; nothing when it is over. Does not wait, and may be called twice."""
        self._cancel_timer()
        self._piece = b""
        self._more.clear()
        if self.is_over:
            return None
        self.is_over = True
        self._failure = httpx.StreamClosed()
        # another task may be reading
        self._wake()
        return self._source.abandon()

    def drop(self) -> None:
        """Abandon what is left, soon; for any thread, and for a loop that may be closed."""
        with suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self.leave)

    async def aclose(self) -> None:
        """
        Abandon what is left, and return when the peer can know. Safe to call twice.

        In another event loop than the answer's it is abandoned soon, and not waited for.
        """
        if get_running_loop() is not self._loop:
            self.drop()
        elif (told := self.leave()) is not None:
            await told

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """Piece after piece, until the end. Whoever is cancelled here has abandoned the answer."""
        try:
            while (piece := await self.next_piece()) is not None:
                yield piece
                # this frame is shown with whatever breaks the answer off
                del piece
        finally:
            self.leave()

    def _end_reading(self) -> None:
        """Nothing is left to read. A failure is raised, once and again."""
        self._cancel_timer()
        if self._failure is not None:
            raise self._failure

    def _wake(self) -> None:
        """Let the reader go on, if one waits."""
        if (waiter := self._waiter) is not None:
            self._waiter = None
            if not waiter.done():
                waiter.set_result(None)

    # one timer per answer, however many waits it has; it looks at the time when it rings

    def _set_timer(self, seconds: float, late: type[httpx.TimeoutException]) -> None:
        """Bound the wait that begins now."""
        self._due = self._loop.time() + seconds
        self._late = late
        if self._timer is not None and self._timer.when() > self._due:
            self._cancel_timer()
        if self._timer is None:
            self._timer = self._loop.call_at(self._due, self._ring)

    def _ring(self) -> None:
        """End the wait that is overdue; else look again when the current one will be."""
        self._timer = None
        waiter = self._waiter
        if waiter is None or waiter.done():
            return
        if self._loop.time() < self._due:
            if self._due < math.inf:
                self._timer = self._loop.call_at(self._due, self._ring)
        else:
            self._waiter = None
            waiter.set_exception(self._late(_LATE[self._late]))
            self.leave()

    def _cancel_timer(self) -> None:
        """Take the timer away: nobody waits any more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


def _elsewhere() -> Elsewhere:
    """Return the failure of a read in another event loop: what it waits for would happen in the answer's own."""
    return Elsewhere("the answer came in another event loop, and can be read in that one only")
