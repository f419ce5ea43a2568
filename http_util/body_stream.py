"""
One attempt at sending a body that is read while it is sent, in the form in which transports of both colours take it.

Reading a file blocks: on a cold disk or a network drive for long. So an event loop has each piece read in a thread, and
only sleeps (`http_util.source_thread`); pieces of files are larger than those that a transport is given, because a hop
to a thread costs more than reading 64 KiB. Blocking code is not in an event loop, and reads where it is.

Spec: HTU-19
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

import httpx

from adapter_api.outcome import Outcome
from http_util.errors import HttpFailure
from http_util.source_thread import SourceThread
from http_util.streamed_body import STEP_BYTES, Progress

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

    from http_util.streamed_body import StreamedBody


class BodyStream(httpx.AsyncByteStream, httpx.SyncByteStream):
    """The pieces of one body, for one transport. It may be begun again where the body can be rewound."""

    def __init__(self, body: StreamedBody, *, check: Callable[[], object], on_end: Callable[[], object]) -> None:
        """
        Send *body*.

        Args:
            body: What to send.
            check: Called before each piece; raises when the call is over.
            on_end: Called when the transport has taken the last piece.
        """
        self.failure: Exception | None = None
        """What the body's source or its progress callback raised: the caller's own error, and not a transport's."""
        self._body = body
        self._check = check
        self._on_end = on_end
        self._pieces: Iterator[bytes] | None = None
        self._thread: SourceThread | None = None
        self._progress = Progress(None, None)
        self._handed = 0
        """Bytes of the part that a transport has been given, until it asks for the next one."""

    @property
    def can_begin(self) -> bool:
        """Whether the body can be sent from its beginning; engines ask before they try another connection."""
        return self._body.can_begin

    def __iter__(self) -> Iterator[bytes]:
        """Piece after piece, read where this is called."""
        pieces = self._begin()
        try:
            for piece in pieces:
                for part in _parts(piece):
                    self._check()
                    self._handed = len(part)
                    yield part
                    self._tell()
            self._progress.end()
        except Exception as error:
            self.failure = self._told(error)
            raise
        self._on_end()

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """Piece after piece, each read in a thread; progress is told here."""
        self._thread = source = SourceThread(self._begin())
        try:
            while (piece := await source.next_piece()) is not None:
                for part in _parts(piece):
                    self._handed = len(part)
                    yield part
                    self._tell()
            self._progress.end()
        except Exception as error:
            self.failure = self._told(error)
            raise
        self._on_end()

    def close(self) -> None:
        """
        Let go of the source. A thread that is just reading from it does so when it has read.

        A transport whose answer came at once does not ask what is behind the last part, or does not wait to hear it:
        the end is told here, if it was not.
        """
        if self._progress.count + self._handed == self._body.length:
            # the call is over, so there is nothing left that an error could end
            with suppress(Exception):
                self._tell()
                self._progress.end()
        if self._thread is not None:
            self._thread.close()
        pieces, self._pieces, self._thread = self._pieces, None, None
        close = getattr(pieces, "close", None)
        if close is not None:
            # the error of a generator that runs: it is closed when its thread drops it
            with suppress(ValueError):
                close()

    def _begin(self) -> Iterator[bytes]:
        self.close()
        self._pieces = pieces = self._body.begin()
        self._progress, self._handed = Progress(self._body.on_progress, self._body.length), 0
        return pieces

    def _told(self, error: Exception) -> Exception:
        """Return *error*, of which a source that knows nothing of the wire may say that nothing was sent."""
        if isinstance(error, HttpFailure) and error.outcome is Outcome.NOT_SENT and self._progress.count:
            return error.replace(outcome=Outcome.UNKNOWN).with_traceback(error.__traceback__)
        return error

    def _tell(self) -> None:
        size, self._handed = self._handed, 0
        self._progress.add(size)


def _parts(piece: bytes) -> Iterator[bytes]:
    """Cut *piece* into parts of at most `STEP_BYTES`; none of them is empty."""
    if len(piece) <= STEP_BYTES:
        return iter((piece,) if piece else ())
    return (piece[at : at + STEP_BYTES] for at in range(0, len(piece), STEP_BYTES))
