# Written by scripts/unasync.py from http_util/_async/body.py; do not edit.
"""
The body of one answer: decompressed pieces, each waited for under the idle timer, bounded.

Spec: HTU-13, HTU-14, ADP-33
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final, Protocol

from adapter_api.outcome import Outcome
from http_util.decompress import Decompressor
from http_util.engine import BODY_EXTENSION
from http_util.errors import ProtocolFailure
from http_util.transport_errors import TRANSPORT_ERRORS, Phase, classify_transport_error, safe_cause

if TYPE_CHECKING:
    import httpx

    from http_util.clock import SyncClock
    from http_util.watch import Watch


SLICE_BYTES: Final = 64 * 1024
"""Most bytes of an unfolded piece that are handed on at once: as many as an engine reads at once."""


class Pieces(Protocol):
    """
    A body as an engine hands it out.

    One that has an attribute `is_over` says by it that nothing more will come: what is there is read without waiting.
    """

    def next_piece(self) -> bytes | None:
        """Everything that came since the last read, as one piece; None at the end. Never empty."""


class StreamPieces:
    """The same of any other transport's response."""

    __slots__ = ("_pieces",)

    def __init__(self, response: httpx.Response) -> None:
        """Read the stream of *response*."""
        # the transport's colour is ours, so its stream's is too
        stream: Any = response.stream
        self._pieces = stream.__iter__()

    def next_piece(self) -> bytes | None:
        """The next piece, possibly empty."""
        piece: bytes | None = next(self._pieces, None)
        return piece


class Body:
    """An unread or half-read body. Its reader closes it."""

    __slots__ = ("_clock", "_idle", "_knows_end", "_response", "_source", "_status", "delivered", "watch")

    def __init__(self, response: httpx.Response, watch: Watch, clock: SyncClock, *, idle: float | None) -> None:
        """
        Take over the body of *response*.

        Args:
            response: With its body unread.
            watch: Guards every read.
            clock: Tells the time of the idle timer.
            idle: Seconds that a piece may take to come; None for no bound.
        """
        self.watch = watch
        """The watch of the call; whoever streams the body may be broken off by it."""
        self.delivered = False
        """Whether a part of the answer has been handed out: a failure is then PARTIAL."""
        engines: Pieces | None = response.extensions.get(BODY_EXTENSION)
        self._response = response
        self._source: Any = engines if engines is not None else StreamPieces(response)
        self._knows_end = hasattr(engines, "is_over")
        self._status = response.status_code
        self._clock = clock
        self._idle = idle if idle is not None else math.inf

    @classmethod
    def of(
        cls, response: httpx.Response, watch: Watch, clock: SyncClock, *, idle: float | None, encoding: str
    ) -> Body:
        """The body of *response*, its content-encoding undone if it has one; the rest is as above."""
        if not encoding:
            return cls(response, watch, clock, idle=idle)
        return EncodedBody(response, watch, clock, idle=idle, encoding=encoding)

    def next_piece(self, timer: str = "", at: float = math.inf, now: float | None = None) -> bytes | None:
        """
        The next piece, possibly empty, or None at the end of the body.

        Args:
            timer: The reason of the failure when *at* comes before a piece does.
            at: A monotonic moment beside the idle timer; by default only that one counts.
            now: The current moment, when the caller has just looked at the clock.

        Raises:
            HttpFailure: The connection broke, a timer ran out, the call was broken off, or the encoding is broken.
        """
        watch, source = self.watch, self._source
        if self._knows_end and source.is_over:
            # an engine that has the end already lets nobody wait: no timer is set for it
            at = math.inf
        else:
            idle_at = (self._clock.monotonic() if now is None else now) + self._idle
            if idle_at < at:
                timer, at = "idle_timeout", idle_at
        # as `watch.guard` does it, without a coroutine of its own for each piece
        watch.enter(timer, at)
        try:
            piece: bytes | None = source.next_piece()
        except BaseException as error:
            if (failure := watch.leave(error)) is not None:
                raise failure from None
            if not isinstance(error, TRANSPORT_ERRORS):
                raise
            phase = Phase.STREAMING if self.delivered else Phase.HEAD_RECEIVED
            raise classify_transport_error(error, phase, http_status=self._status) from safe_cause(error)
        if (failure := watch.leave()) is not None:
            raise failure
        return piece

    def read_all(self, most: int) -> bytes:
        """
        The whole body.

        Raises:
            ProtocolFailure: It is larger than *most* bytes.
            HttpFailure: As `next_piece`.
        """
        content = self.read_some(most + 1)
        if len(content) > most:
            raise ProtocolFailure(
                f"the answer is larger than max_response_bytes ({most})",
                reason="protocol",
                outcome=Outcome.UNKNOWN,
                http_status=self._status,
            )
        return content

    def read_some(self, most: int) -> bytes:
        """The beginning of the body, at most *most* bytes. Raises as `next_piece`."""
        content = bytearray()
        while len(content) < most:
            piece = self.next_piece()
            if piece is None:
                break
            content += piece
        return bytes(content[:most])

    def close(self) -> None:
        """Give the connection back, or close it when the body was not read to its end. Safe to call twice."""
        self._response.close()


class EncodedBody(Body):
    """A body whose content-encoding is undone on the way."""

    __slots__ = ("_decompressor", "_encoding", "_unfolded")

    def __init__(
        self, response: httpx.Response, watch: Watch, clock: SyncClock, *, idle: float | None, encoding: str
    ) -> None:
        """
        Take over the body of *response*; the rest is as for `Body`.

        Args:
            response: With its body unread.
            watch: Guards every read.
            clock: Tells the time of the idle timer.
            idle: Seconds that a piece may take to come.
            encoding: What the answer's content-encoding says.
        """
        super().__init__(response, watch, clock, idle=idle)
        self._encoding: str | None = encoding
        self._decompressor: Decompressor | None = None
        self._unfolded = memoryview(b"")

    def next_piece(self, timer: str = "", at: float = math.inf, now: float | None = None) -> bytes | None:
        """The next piece of what the body unfolds to; as `Body.next_piece`."""
        if self._unfolded:
            # others get a turn between two slices, and the watch looks at the deadline
            self.watch.guard(self._clock.sleep(0), timer=timer, at=at)
            return self._next_slice()
        if self._encoding is not None:
            # not before it is read: an error answer stands for its status, whatever its body is
            self._decompressor = Decompressor.for_encoding(self._encoding)
            self._encoding = None
        piece = super().next_piece(timer, at, now)
        if self._decompressor is None:
            return piece
        if piece is None:
            self._decompressor.finish()
            return None
        self._unfolded = memoryview(self._decompressor.feed(piece))
        return self._next_slice()

    def _next_slice(self) -> bytes:
        """The beginning of what a piece has unfolded to: as much as may be worked on without a pause."""
        part, self._unfolded = self._unfolded[:SLICE_BYTES], self._unfolded[SLICE_BYTES:]
        return bytes(part)
