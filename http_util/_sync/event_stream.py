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

    __slots__ = ("_body", "_decoder", "head", "tail")

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
        self._body = body
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
        return as_events(self.next_frames(timer=timer, at=at))

    def next_frames(self, timer: str = "", at: float = math.inf, now: float | None = None) -> Sequence[Frame]:
        """
        The same as `next_events` in the cheapest form, for who reads thousands of them a second.

        Args:
            timer: As there.
            at: As there.
            now: The current moment, when the caller has just looked at the clock.

        Raises:
            HttpFailure: As there.
        """
        body = self._body
        try:
            while (piece := body.next_piece(timer, at, now)) is not None:
                if frames := self._decoder.feed_frames(piece):
                    body.delivered = True
                    return frames
                now = None
            self.tail = self._decoder.finish()
        except HttpFailure as failure:
            outcome = Outcome.PARTIAL if body.delivered else failure.outcome
            raise failure.replace(outcome=outcome, **self._facts()) from failure.__cause__
        return []

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
