# Written by scripts/unasync.py from http_util/_async/event_stream.py; do not edit.
"""
An open answer as server-sent events.

Spec: HTU-08, HTU-10, HTU-1003, CLI-10
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Self

from adapter_api.outcome import Outcome
from http_util.errors import HttpFailure
from http_util.sse import SseDecoder, as_events

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from types import TracebackType

    from http_util._sync.body import Body
    from http_util.call import ReplyHead
    from http_util.sse import Frame, ServerSentEvent, SseTail
    from http_util.watch import Watch


class EventStream:
    """
    The events of one answer, for one reader. A context manager: leaving it closes the connection or gives it back.

    Spec: CLI-10
    """

    __slots__ = ("_body", "_clock", "_decoder", "head", "news", "tail")

    def __init__(self, head: ReplyHead, body: Body, *, max_event_bytes: int) -> None:
        """
        Stream *body*.

        Args:
            head: The head of the answer.
            body: Its body, unread; owned by the stream from here.
            max_event_bytes: Bound of one event.
        """
        self.head = head
        """Status, headers, protocol, attempts and the upstream's id of the request."""
        self.tail: SseTail | None = None
        """What was left when the body ended; None before. A tail that is true: the body stopped inside an event."""
        self.news = body.news
        """Returns what to before `take_frames` is tried again; as `Body.news`."""
        self._body = body
        self._clock = body.watch.clock
        self._decoder = SseDecoder(max_event_bytes=max_event_bytes)

    @property
    def watch(self) -> Watch:
        """By which the stream may be broken off."""
        return self._body.watch

    @property
    def byte_count(self) -> int:
        """Bytes of events received so far, after decompression."""
        return self._decoder.byte_count

    def next_events(self, *, timer: str = "", at: float = math.inf) -> list[ServerSentEvent]:
        """
        The events of the next read that completes one, in order; empty at the end of the body.

        Args:
            timer: The reason of the failure when *at* comes before an event does.
            at: A monotonic moment by which an event must have come, beside the idle timer between any two bytes.

        Raises:
            HttpFailure: The connection broke, a timer ran out, the call was broken off, or an event is malformed. It
                has the ledger of the call, and its outcome is PARTIAL once events have been returned.
        """
        return as_events(self.next_frames(timer, at))

    def next_frames(self, timer: str = "", at: float = math.inf) -> Sequence[Frame]:
        """
        The same as `next_events` in the cheapest form.

        Args:
            timer: As there.
            at: As there.

        Raises:
            HttpFailure: As there.
        """
        try:
            while (frames := self.take_frames()) is not None and not frames:
                self.news(timer, at, self._clock.monotonic())
        except HttpFailure as failure:
            told = self.told(failure)
            self.settle(told)
            raise told from failure.__cause__
        return frames or ()

    def take_frames(self) -> Sequence[Frame] | None:
        """
        The events that have come, without waiting; empty when none is complete, None at the end of the body.

        Raises:
            HttpFailure: As `next_events`, but without what `told` adds.
        """
        body = self._body
        piece = body.take()
        if piece:
            frames = self._decoder.feed_frames(piece)
            if frames:
                body.delivered = True
            return frames
        if piece is not None:
            return ()
        self.tail = self._decoder.finish()
        return None

    def settle(self, failure: HttpFailure | None, tokens: int | None = None) -> None:
        """
        Say how the stream ended: a breaker and a limiter learn it from here. Only the first word counts.

        Args:
            failure: What broke it; None when it ended well.
            tokens: What the call really used; None when nobody knows.
        """
        if self._body.passage is not None:
            self._body.passage.settle(failure, tokens)

    def drop(self) -> None:
        """Nobody will read on, or close: let an engine of ours stop the upstream soon. For any thread."""
        self._body.drop()

    def told(self, failure: HttpFailure) -> HttpFailure:
        """*failure* with what the stream knows: the status, the ledger, and PARTIAL once events were handed out."""
        outcome = Outcome.PARTIAL if self._body.delivered else failure.outcome
        return failure.replace(outcome=outcome, **self._facts())

    def _facts(self) -> dict[str, Any]:
        """What a failure of the stream is told of the answer."""
        return {
            "http_status": self.head.status,
            "upstream_request_id": self.head.upstream_request_id,
            "attempts": self.head.attempts,
        }

    def __iter__(self) -> Iterator[ServerSentEvent]:
        """Event after event, until the body ends."""
        while events := self.next_events():
            for event in events:
                yield event
            # this frame is shown with whatever breaks the stream off
            del event, events

    def __enter__(self) -> Self:
        """The stream."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Close."""
        self.close()

    def close(self) -> None:
        """Close the connection, or give it back when the body was read to its end. Safe to call twice."""
        self._body.watch.stop()
        self._body.close()
