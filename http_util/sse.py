"""
Server-sent events: bytes in, events out, whatever way the network cut the bytes.

The decoder follows the WHATWG text (https://html.spec.whatwg.org/multipage/server-sent-events.html): lines end with
CR, LF or CRLF and nothing else, one leading byte-order mark is dropped, comments are ignored, several ``data`` lines
are joined by LF, an event without a blank line behind it is not an event. It differs in two points: it is bounded,
and bytes that are not UTF-8 are an error instead of a replacement character.

How it is fast: nearly every frame on the token path is one ``data: ...`` line. A piece of such frames is cut by a
single split, whose parts are the data itself; everything else takes the slower, complete path.

Spec: HTU-08, HTU-10, HTU-1003
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from adapter_api.outcome import Outcome
from http_util.errors import ProtocolFailure

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

MAX_EVENT_BYTES: Final = 1024 * 1024
"""Default bound of one event, in bytes, framing included."""

_BOM: Final = b"\xef\xbb\xbf"
_BLANK: Final = b"\n\n"
_DATA: Final = b"data: "
_EVENT: Final = b"event: "


class ServerSentEvent(msgspec.Struct, frozen=True, gc=False):
    """One event as it was framed; its data is not interpreted."""

    event: str = "message"
    """The event's type, ``message`` when the upstream named none."""
    data: bytes = b""
    """The data lines joined by LF, valid UTF-8."""
    id: str | None = None
    """The last event id the stream named so far, None when it named none."""


Frame = bytes | ServerSentEvent
"""An event in its cheapest form: the data alone of a ``message`` without an id, which nearly all of them are."""


class SseTail(msgspec.Struct, frozen=True):
    """What was left when the bytes ended. An empty tail is false: the stream ended between two events."""

    unread: bytes = b""
    """The bytes of the frame that was never finished, line ends as LF."""
    event: ServerSentEvent | None = None
    """
    What the unfinished frame would have been, when its last line was complete and only the blank line behind it was
    missing. The standard discards it; a dialect may know better (some servers end with ``data: [DONE]`` and one LF).
    """

    def __bool__(self) -> bool:
        """Tell whether the stream stopped inside a frame."""
        return bool(self.unread)


class SseDecoder:
    r"""
    Turn the bytes of one stream into events.

    Feed it every piece as it comes and call `finish` at the end. The events do not depend on where the pieces were cut.
    A decoder is for one stream and one task.

    >>> decoder = SseDecoder()
    >>> decoder.feed(b"data: {}")
    []
    >>> decoder.feed(b"\n\n")
    [ServerSentEvent(event='message', data=b'{}', id=None)]

    Spec: HTU-08, HTU-10
    """

    __slots__ = (
        "_after_cr",
        "_failure",
        "_is_at_start",
        "_max_event_bytes",
        "_pending",
        "_start",
        "byte_count",
        "comment_count",
        "last_event_id",
        "retry_ms",
    )

    def __init__(self, *, max_event_bytes: int = MAX_EVENT_BYTES) -> None:
        """
        Start at the beginning of a stream.

        Args:
            max_event_bytes: Bound of one event in bytes, framing included, at least 1. Memory stays below twice this
                bound plus one piece.

        Raises:
            ValueError: *max_event_bytes* is below 1.
        """
        if max_event_bytes < 1:
            raise ValueError(f"max_event_bytes must be 1 or more, not {max_event_bytes!r}")
        self.byte_count: int = 0
        """Bytes received so far. It grows with every piece, comments and partial lines included."""
        self.comment_count: int = 0
        """Comment lines in the frames finished so far; servers send them to keep a connection open."""
        self.retry_ms: int | None = None
        """The reconnection time that the stream named last, in milliseconds."""
        self.last_event_id: str | None = None
        """The event id that the stream named last."""
        self._max_event_bytes = max_event_bytes
        self._pending = bytearray()
        # the first bytes, until it is clear whether they are a byte-order mark; None from then on
        self._start: bytes | None = b""
        # a CR ended the last piece: an LF at the beginning of the next one belongs to it
        self._after_cr = False
        # the next byte begins a frame, and nothing of the four above has to be thought of
        self._is_at_start = False
        self._failure: ProtocolFailure | None = None

    def feed(self, chunk: bytes) -> list[ServerSentEvent]:
        """
        Take the next piece and return the events that it completed, oldest first, often none.

        Events in front of a broken one are returned first; the next call, `finish` included, then raises.

        Raises:
            ProtocolFailure: An event is larger than the bound (``protocol``) or is not UTF-8 (``decode``). The outcome
                says UNKNOWN: whoever handed out events before knows better and replaces it. The decoder stays broken.

        Spec: HTU-08, HTU-10
        """
        return as_events(self.feed_frames(chunk))

    def feed_frames(self, chunk: bytes) -> Sequence[Frame]:
        """
        Take the next piece, as `feed`, and return its events in their cheapest form.

        Raises:
            ProtocolFailure: As `feed`.
        """
        size = len(chunk)
        self.byte_count += size
        # a busy adapter sees whole frames of one line in nearly every piece, and most often a single one
        if self._is_at_start and size <= self._max_event_bytes and chunk.endswith(_BLANK):
            if chunk.find(b"\n") == size - 2 and chunk.find(b"\r") < 0 and chunk.isascii() and chunk.startswith(_DATA):
                return [chunk[6:-2]]
            if (plain := self._plain(chunk)) is not None:
                return plain
        if self._failure is not None:
            raise self._failure
        frames = self._cut(chunk)
        self._is_at_start = not (
            self._pending
            or self._after_cr
            or self._start is not None
            or self.last_event_id is not None
            or self._failure is not None
        )
        return frames

    def _plain(self, chunk: bytes) -> list[bytes] | None:
        """
        Return the data of each event in a piece of whole frames, when all of them are one ``data: ...`` line.

        Cut at the blank lines in front of a ``data: ``, such a piece has no line end left in it; a piece within the
        bound holds no frame beyond it; and a frame ends in ASCII, so the frames are UTF-8 when the piece is.
        """
        if not chunk.startswith(_DATA) or len(chunk) > self._max_event_bytes:
            return None
        datas = chunk[6:-2].split(_BETWEEN)
        # searched in one go for a line end that was no cut; joining costs less than counting, and `find` than `in`
        joined = b"".join(datas)
        if joined.find(b"\n") >= 0 or joined.find(b"\r") >= 0 or not (chunk.isascii() or _is_utf8(chunk)):
            return None
        return datas

    def _cut(self, chunk: bytes) -> Sequence[Frame]:
        """Return the events that *chunk* completed, whatever their form."""
        if self._start is not None:
            chunk = self._without_bom(chunk)
        if b"\r" in chunk or self._after_cr:
            chunk = self._with_lf(chunk)
        if self._pending:
            pending = self._pending
            searched = len(pending) - 1
            pending += chunk
            if pending.find(_BLANK, searched) < 0:
                return self._check_pending([])
            chunk = bytes(pending)
            pending.clear()
        end = chunk.rfind(_BLANK) + len(_BLANK)
        events: Sequence[Frame] | None = None if self.last_event_id is not None else self._plain(chunk[:end])
        if events is not None:
            rest = chunk[end:]
        else:
            frames = chunk.split(_BLANK)
            rest = frames.pop()
            events = self._events(frames, rest, chunk)
        if rest:
            self._pending += rest
        if len(rest) > self._max_event_bytes and self._failure is None:
            return self._check_pending(events)
        return events

    def finish(self) -> SseTail:
        """
        Report what was left when the bytes ended; a tail that is true means that the stream stopped inside a frame.

        Raises:
            ProtocolFailure: As `feed`, for a broken event that was still to be reported.
        """
        if self._failure is not None:
            raise self._failure
        unread = bytes(self._pending) + (self._start or b"")
        self._pending.clear()
        self._start = None
        if not unread.strip(b"\n"):
            return SseTail()
        whole = unread.endswith(b"\n") and _is_utf8(unread)
        return SseTail(unread, self._parsed(unread) if whole else None)

    def _events(self, frames: list[bytes], rest: bytes, chunk: bytes) -> Sequence[Frame]:
        """Return the events of complete *frames*; they and *rest* were cut from *chunk*."""
        events: list[Frame] = []
        last_id = self.last_event_id
        # frames cut from a piece that is no larger than the bound cannot break it, and ASCII is UTF-8
        suspicious = len(chunk) > self._max_event_bytes or not chunk.isascii()
        # one search of the whole piece in place of one in each frame
        one_line_each = chunk.count(b"\n") == len(_BLANK) * len(frames) + rest.count(b"\n")
        for frame in frames:
            if suspicious and (failure := self._problem(frame)) is not None:
                return self._failed(failure, events)
            if frame.startswith(_DATA) and (one_line_each or b"\n" not in frame):
                data = frame[6:]
                events.append(data if last_id is None else ServerSentEvent("message", data, last_id))
            elif frame:
                event = self._named(frame) or self._parsed(frame)
                last_id = self.last_event_id
                if event is not None:
                    events.append(event)
        return events

    def _named(self, frame: bytes) -> ServerSentEvent | None:
        """Return the event of a frame that is an ``event: ...`` line and a ``data: ...`` line; None for another one."""
        if not frame.startswith(_EVENT) or frame.count(b"\n") != 1:
            return None
        kind, _, data = frame.partition(b"\n")
        if not data.startswith(_DATA) or len(kind) == len(_EVENT):
            return None
        return ServerSentEvent(kind[7:].decode(), data[6:], self.last_event_id)

    def _parsed(self, frame: bytes) -> ServerSentEvent | None:
        """Return the event of one frame, line by line; None when the frame has no data line."""
        kind = ""
        data: list[bytes] = []
        for line in frame.split(b"\n"):
            name, colon, value = line.partition(b":")
            if not name:
                self.comment_count += bool(colon)
                continue
            value = value.removeprefix(b" ")
            if name == b"data":
                data.append(value)
            elif name == b"event":
                kind = value.decode()
            elif name == b"id" and b"\0" not in value:
                self.last_event_id = value.decode()
            elif name == b"retry" and value.isdigit() and len(value) <= _RETRY_DIGITS:
                self.retry_ms = int(value)
        return ServerSentEvent(kind or "message", b"\n".join(data), self.last_event_id) if data else None

    def _without_bom(self, chunk: bytes) -> bytes:
        """Return the piece without the stream's byte-order mark; nothing while that cannot be told."""
        start = (self._start or b"") + chunk
        if len(start) < len(_BOM) and _BOM.startswith(start):
            self._start = start
            return b""
        self._start = None
        return start.removeprefix(_BOM)

    def _with_lf(self, chunk: bytes) -> bytes:
        """Return the piece with every line end as LF, also when a CRLF was cut in two."""
        if not chunk:
            return chunk
        if self._after_cr and chunk.startswith(b"\n"):
            chunk = chunk[1:]
            self._after_cr = False
            if not chunk:
                return chunk
        self._after_cr = chunk.endswith(b"\r")
        return chunk.replace(b"\r\n", b"\n").replace(b"\r", b"\n")

    def _check_pending(self, events: Sequence[Frame]) -> Sequence[Frame]:
        """Keep the unfinished frame within its bound and return *events*."""
        # one LF at the end may be the first half of the blank line
        size = len(self._pending) - self._pending.endswith(b"\n")
        return self._failed(self._too_large(), events) if size > self._max_event_bytes else events

    def _problem(self, frame: bytes) -> ProtocolFailure | None:
        """Return what is wrong with a complete frame, or None."""
        if len(frame) > self._max_event_bytes:
            return self._too_large()
        if not _is_utf8(frame):
            return ProtocolFailure("an event of the stream is not UTF-8", reason="decode", outcome=Outcome.UNKNOWN)
        return None

    def _failed(self, failure: ProtocolFailure, events: Sequence[Frame]) -> Sequence[Frame]:
        """Keep *failure* for the next call when there are events to hand out first, else raise it."""
        self._failure = failure
        self._pending.clear()
        if not events:
            raise failure
        return events

    def _too_large(self) -> ProtocolFailure:
        """Return the failure of an event that is larger than the bound."""
        return ProtocolFailure(
            f"an event of the stream is larger than max_event_bytes ({self._max_event_bytes})",
            reason="protocol",
            outcome=Outcome.UNKNOWN,
        )


def as_events(frames: Iterable[Frame]) -> list[ServerSentEvent]:
    """Return the events that *frames* stand for."""
    return [ServerSentEvent("message", frame) if isinstance(frame, bytes) else frame for frame in frames]


_BETWEEN: Final = _BLANK + _DATA

# Ten digits of milliseconds are over three months; more are a mistake, and int() of a million digits is an attack.
_RETRY_DIGITS: Final = 10


def _is_utf8(frame: bytes) -> bool:
    """Tell whether *frame* is valid UTF-8."""
    try:
        frame.decode()
    except UnicodeDecodeError:
        return False
    return True
