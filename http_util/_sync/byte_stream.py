# Written by scripts/unasync.py from http_util/_async/byte_stream.py; do not edit.
"""
An open answer as bytes, of any size: for files that are fetched.

Spec: HTU-20
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from adapter_api.outcome import Outcome
from http_util.errors import HttpFailure, ProtocolFailure, TransportFailure

if TYPE_CHECKING:
    from collections.abc import Callable

    from http_util._sync.body import Body
    from http_util.call import ReplyHead
    from http_util.watch import Watch


class ByteStream:
    """
    The bytes of one answer, for one reader, who closes it.

    An answer that stops before its end is a failure, also where the transport does not notice.

    Spec: HTU-20
    """

    __slots__ = ("_body", "_max_whole_bytes", "byte_count", "head", "length")

    def __init__(self, head: ReplyHead, body: Body, *, max_whole_bytes: int) -> None:
        """
        Stream *body*.

        Args:
            head: The head of the answer.
            body: Its body, unread; owned by the stream from here.
            max_whole_bytes: Bound of `read_all`.
        """
        self.head = head
        """Status, headers, protocol, attempts and the upstream's id of the request."""
        self.byte_count = 0
        """Bytes handed out so far."""
        self.length = _length(head)
        """Bytes in all, as the head says; None when it does not, or when the bytes are encoded."""
        self._body = body
        self._max_whole_bytes = max_whole_bytes

    @property
    def watch(self) -> Watch:
        """By which the stream may be broken off."""
        return self._body.watch

    def next_piece(self) -> bytes | None:
        """
        The next piece, never empty; None at the end.

        Raises:
            HttpFailure: The answer broke off, a timer ran out, the call was broken off, or the encoding is broken. It
                has the ledger of the call, and its outcome is PARTIAL once pieces have been returned.
        """
        try:
            piece = self._body.next_piece()
            self._check_length(piece)
        except HttpFailure as failure:
            told = self._told(failure)
            self.settle(told)
            raise told from failure.__cause__
        if piece is None:
            self.settle(None)
            return None
        self._body.delivered = True
        self.byte_count += len(piece)
        return piece

    def read_all(self, on_piece: Callable[[int], object] | None = None) -> bytes:
        """
        What is left of the answer, as a whole.

        Args:
            on_piece: Told the size of each piece that has come.

        Raises:
            HttpFailure: As `next_piece`, or the rest is larger than `max_response_bytes`.
        """
        pieces, size = [], 0
        while (piece := self.next_piece()) is not None:
            size += len(piece)
            if size > self._max_whole_bytes:
                failure = self._told(_too_large(self._max_whole_bytes))
                self.settle(failure)
                raise failure
            pieces.append(piece)
            if on_piece is not None:
                on_piece(len(piece))
        return b"".join(pieces)

    def settle(self, failure: HttpFailure | None) -> None:
        """Say how the answer ended: a breaker and a limiter learn it from here. Only the first word counts."""
        if self._body.passage is not None:
            self._body.passage.settle(failure)

    def drop(self) -> None:
        """Nobody will read on, or close: let an engine of ours stop the upstream soon. For any thread."""
        self._body.drop()

    def close(self) -> None:
        """Close the connection, or give it back when the answer was read to its end. Safe to call twice."""
        self._body.watch.stop()
        self._body.close()

    def _check_length(self, piece: bytes | None) -> None:
        """Refuse an end that comes too early; engines do so themselves, other transports may not."""
        if piece is None and self.length is not None and self.byte_count != self.length:
            raise TransportFailure(
                f"the answer has {self.byte_count} bytes where its head says {self.length}",
                reason="reset",
                outcome=Outcome.UNKNOWN,
            )

    def _told(self, failure: HttpFailure) -> HttpFailure:
        """*failure* with what the stream knows: the status, the ledger, and PARTIAL once pieces were handed out."""
        return failure.replace(
            outcome=Outcome.PARTIAL if self._body.delivered else failure.outcome,
            http_status=self.head.status,
            upstream_request_id=self.head.upstream_request_id,
            attempts=self.head.attempts,
        )


def _length(head: ReplyHead) -> int | None:
    """Return what the head says of the size of the bytes that are handed out."""
    said = head.headers.get("content-length", "")
    is_plain = head.headers.get("content-encoding", "identity").lower() == "identity"
    return int(said) if said.isdigit() and is_plain else None


def _too_large(most: int) -> ProtocolFailure:
    return ProtocolFailure(
        f"the answer is larger than max_response_bytes ({most}); write it to a file, or read it piece by piece",
        reason="protocol",
        outcome=Outcome.UNKNOWN,
    )
