# Written by scripts/unasync.py from http_util/_async/body.py; do not edit.
"""
The body of one answer: decompressed pieces, each waited for under the idle timer, bounded.

Spec: HTU-13, HTU-14, ADP-33
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final

from adapter_api.outcome import Outcome
from http_util.decompress import Decompressor
from http_util.engine import BODY_EXTENSION
from http_util.errors import ProtocolFailure
from http_util.transport_errors import TRANSPORT_ERRORS, Phase, classify_transport_error, safe_cause

if TYPE_CHECKING:
    import httpx

    from http_util.clock import SyncClock
    from http_util.passage import Passage
    from http_util.watch import Watch


SLICE_BYTES: Final = 64 * 1024
"""Most bytes of an unfolded piece that are handed on at once: as many as an engine reads at once."""


class StreamPieces:
    """The stream of any transport's response, in the manner of our engine's: what came is taken without waiting."""

    __slots__ = ("_failure", "_piece", "_pieces")

    def __init__(self, response: httpx.Response) -> None:
        """Read the stream of *response*."""
        # the transport's colour is ours, so its stream's is too
        stream: Any = response.stream
        self._pieces = stream.__iter__()
        self._piece: bytes | None = b""
        self._failure: Exception | None = None

    def take(self) -> bytes | None:
        """The piece that was fetched; empty when it was taken, None at the end."""
        if self._failure is not None:
            raise self._failure
        piece = self._piece
        if piece:
            self._piece = b""
        return piece

    def fetch(self) -> None:
        """Wait for the next piece; what the transport raises is raised when the piece is taken."""
        try:
            self._piece = next(self._pieces, None)
        except TRANSPORT_ERRORS as error:
            self._failure = error


class Body:
    """
    An unread or half-read body. Its reader closes it.

    `next_piece` waits. Who reads thousands of pieces a second does the same without a coroutine for each: it takes, and
    while that gives nothing, awaits `news` and takes again.
    """

    __slots__ = ("_clock", "_idle", "_is_engines", "_response", "_source", "_status", "delivered", "passage", "watch")

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
        self.passage: Passage | None = None
        """What the attempt holds of breaker and limiter; whoever knows how the answer ended settles it."""
        engines = response.extensions.get(BODY_EXTENSION)
        self._response = response
        self._source: Any = engines if engines is not None else StreamPieces(response)
        self._is_engines = engines is not None
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

    def next_piece(self, timer: str = "", at: float = math.inf) -> bytes | None:
        """
        The next piece, never empty, or None at the end of the body.

        Args:
            timer: The reason of the failure when *at* comes before a piece does.
            at: A monotonic moment beside the idle timer; by default only that one counts.

        Raises:
            HttpFailure: The connection broke, a timer ran out, the call was broken off, or the encoding is broken.
        """
        piece = self.take()
        if piece == b"":
            now = self._clock.monotonic()
            while piece == b"":
                self.news(timer, at, now)
                piece = self.take()
        return piece

    def take(self) -> bytes | None:
        """
        What has come since the last time, without waiting; empty when nothing has, None at the end of the body.

        Raises:
            HttpFailure: The connection broke, the call was broken off or is late, or the encoding is broken.
        """
        self.watch.settle()
        try:
            piece: bytes | None = self._source.take()
        except TRANSPORT_ERRORS as error:
            phase = Phase.STREAMING if self.delivered else Phase.HEAD_RECEIVED
            raise classify_transport_error(error, phase, http_status=self._status) from safe_cause(error)
        return piece

    def news(self, timer: str, at: float, now: float) -> Any:
        """
        Return what to before `take` is tried again.

        Args:
            timer: As for `next_piece`.
            at: As there.
            now: The monotonic moment from which the idle timer runs.

        Raises:
            HttpFailure: The call is over; raised here or by what is awaited.
        """
        idle_at = now + self._idle
        if idle_at < at:
            timer, at = "idle_timeout", idle_at
        if self._is_engines:
            return self.watch.news(self._source, timer, at)
        return self.watch.guard(self._source.fetch(), timer=timer, at=at)

    def read_all(self, most: int) -> bytes:
        """
        The whole body.

        Raises:
            ProtocolFailure: It is larger than *most* bytes.
            HttpFailure: As `next_piece`.
        """
        pieces, size = [], 0
        while (piece := self.next_piece()) is not None:
            size += len(piece)
            if size > most:
                raise ProtocolFailure(
                    f"the answer is larger than max_response_bytes ({most})",
                    reason="protocol",
                    outcome=Outcome.UNKNOWN,
                    http_status=self._status,
                )
            pieces.append(piece)
        return b"".join(pieces)

    def read_some(self, most: int) -> bytes:
        """The beginning of the body, at most *most* bytes. Raises as `next_piece`."""
        content = bytearray()
        while len(content) < most:
            piece = self.next_piece()
            if piece is None:
                break
            content += piece
        return bytes(content[:most])

    def abandon(self) -> None:
        """Let an engine of ours stop the upstream at once; any other transport does so when the body is closed."""
        if self._is_engines:
            self._source.leave()

    def drop(self) -> None:
        """As `abandon`, for any thread and soon: its reader was dropped with the body unread."""
        if self._is_engines:
            self._source.drop()

    def close(self) -> None:
        """Give the connection back, or close it when the body was not read to its end. Safe to call twice."""
        if self.passage is not None:
            self.passage.abandon()
        self._response.close()


class EncodedBody(Body):
    """A body whose content-encoding is undone on the way."""

    __slots__ = ("_decompressor", "_encoding", "_is_pausing", "_unfolded")

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
        # others get a turn between two slices
        self._is_pausing = False

    def take(self) -> bytes | None:
        """What the body unfolds to; as `Body.take`."""
        if self._unfolded and not self._is_pausing:
            self.watch.settle()
            return self._next_slice()
        if self._is_pausing:
            return b""
        piece = super().take()
        if not piece and piece is not None:
            return piece
        if self._encoding is not None:
            # not before it is read: an error answer stands for its status, whatever its body is
            self._decompressor = Decompressor.for_encoding(self._encoding)
            self._encoding = None
        if self._decompressor is None:
            return piece
        if piece is None:
            self._decompressor.finish()
            return None
        self._unfolded = memoryview(self._decompressor.feed(piece))
        return self._next_slice()

    def news(self, timer: str, at: float, now: float) -> Any:
        """As `Body.news`."""
        if self._is_pausing:
            self._is_pausing = False
            return self.watch.guard(self._clock.sleep(0), timer=timer, at=at)
        return super().news(timer, at, now)

    def _next_slice(self) -> bytes:
        """The beginning of what a piece has unfolded to: as much as may be worked on without a pause."""
        part, self._unfolded = self._unfolded[:SLICE_BYTES], self._unfolded[SLICE_BYTES:]
        self._is_pausing = bool(self._unfolded)
        return bytes(part)
