"""
One stream: a request and its answer (RFC 9113, 5.1; sections in brackets). Pure.

The rules are a table, `TRANSITIONS`: what happens x state -> state, or why that is refused. The RFC's states are split
by how far the answer is, because that decides what a header block is and whether data may come:

    IDLE        the id was not used yet                             RFC: idle
    ASKING      the request is being sent, no answer yet            RFC: open
    TALKING     the request is being sent, the answer's head came   RFC: open
    WAITING     the request is complete, no answer yet              RFC: half-closed (local)
    READING     the request is complete, the answer's head came     RFC: half-closed (local)
    ANSWERED    the answer is complete, the request is not          RFC: half-closed (remote)
    CLOSED      both are, or somebody reset the stream              RFC: closed

The RFC's reserved states do not come up, for we allow no pushes. What is not in the table:

- Frames that belong to no stream, and PUSH_PROMISE and CONTINUATION, are judged by the connection.
- Windows and content-length are numbers, not states; a frame may pass here and fail there.
- Nothing is kept about streams that are IDLE or CLOSED: an odd id below the next one that is not in the
  connection's list is CLOSED, any other is IDLE. Late frames of closed streams are dropped (5.1 allows it for all of
  them), but counted, so that nobody can send them for ever.
- ANSWERED lasts for one call: who has the whole answer sends no more of the request (8.1), and the stream is reset with
  NO_ERROR.

Spec: HTU-02
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Final, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping

    from http_util.engine.faults import StreamFault
    from http_util.engine.http2_hpack import Field


class State(StrEnum):
    """Where a stream stands; see the module's text."""

    IDLE = "idle"
    ASKING = "asking"
    TALKING = "talking"
    WAITING = "waiting"
    READING = "reading"
    ANSWERED = "answered"
    CLOSED = "closed"


class Happening(StrEnum):
    """What can happen to a stream. ``..._END`` is the same frame with the flag END_STREAM."""

    SEND_HEAD = "we send HEADERS"
    SEND_HEAD_END = "we send HEADERS, END_STREAM"
    SEND_DATA = "we send DATA"
    SEND_DATA_END = "we send DATA, END_STREAM"
    SEND_RESET = "we send RST_STREAM"
    INTERIM = "HEADERS, status 1xx"
    INTERIM_END = "HEADERS, status 1xx, END_STREAM"
    HEAD = "HEADERS, final status"
    HEAD_END = "HEADERS, final status, END_STREAM"
    TRAILERS = "HEADERS, no status"
    TRAILERS_END = "HEADERS, no status, END_STREAM"
    DATA = "DATA"
    DATA_END = "DATA, END_STREAM"
    RESET = "RST_STREAM"
    WINDOW_UPDATE = "WINDOW_UPDATE"
    PRIORITY = "PRIORITY"


class Refusal(StrEnum):
    """Why something may not happen."""

    UNUSED = "connection error PROTOCOL_ERROR"
    """The stream was never opened (5.1, idle)."""
    MALFORMED = "stream error PROTOCOL_ERROR"
    """The answer is out of order (8.1)."""
    OVER = "stream error STREAM_CLOSED"
    """The peer had ended the stream (5.1, half-closed remote)."""
    MISUSE = "our mistake"
    """We may not send that. Nothing that a peer does leads here."""


_I, _A, _T, _W = State.IDLE, State.ASKING, State.TALKING, State.WAITING
_R, _D, _C = State.READING, State.ANSWERED, State.CLOSED
_UNUSED, _BAD, _OVER, _OURS = Refusal.UNUSED, Refusal.MALFORMED, Refusal.OVER, Refusal.MISUSE

_STATES: Final = (_I, _A, _T, _W, _R, _D, _C)

# a table is read by columns
# fmt: off
_ROWS: Final[Mapping[Happening, tuple[State | Refusal, ...]]] = {
    # from state:             IDLE     ASKING   TALKING  WAITING  READING  ANSWERED  CLOSED
    Happening.SEND_HEAD:      (_A,      _OURS,   _OURS,   _OURS,   _OURS,   _OURS,    _OURS),
    Happening.SEND_HEAD_END:  (_W,      _OURS,   _OURS,   _OURS,   _OURS,   _OURS,    _OURS),
    Happening.SEND_DATA:      (_OURS,   _A,      _T,      _OURS,   _OURS,   _D,       _OURS),
    Happening.SEND_DATA_END:  (_OURS,   _W,      _R,      _OURS,   _OURS,   _C,       _OURS),
    Happening.SEND_RESET:     (_OURS,   _C,      _C,      _C,      _C,      _C,       _OURS),
    Happening.INTERIM:        (_UNUSED, _A,      _BAD,    _W,      _BAD,    _OVER,    _C),
    Happening.INTERIM_END:    (_UNUSED, _BAD,    _BAD,    _BAD,    _BAD,    _OVER,    _C),
    Happening.HEAD:           (_UNUSED, _T,      _BAD,    _R,      _BAD,    _OVER,    _C),
    Happening.HEAD_END:       (_UNUSED, _D,      _BAD,    _C,      _BAD,    _OVER,    _C),
    Happening.TRAILERS:       (_UNUSED, _BAD,    _BAD,    _BAD,    _BAD,    _OVER,    _C),
    Happening.TRAILERS_END:   (_UNUSED, _BAD,    _D,      _BAD,    _C,      _OVER,    _C),
    Happening.DATA:           (_UNUSED, _BAD,    _T,      _BAD,    _R,      _OVER,    _C),
    Happening.DATA_END:       (_UNUSED, _BAD,    _D,      _BAD,    _C,      _OVER,    _C),
    Happening.RESET:          (_UNUSED, _C,      _C,      _C,      _C,      _C,       _C),
    Happening.WINDOW_UPDATE:  (_UNUSED, _A,      _T,      _W,      _R,      _D,       _C),
    Happening.PRIORITY:       (_I,      _A,      _T,      _W,      _R,      _D,       _C),
}
# fmt: on

TRANSITIONS: Final[Mapping[State, Mapping[Happening, State | Refusal]]] = {
    state: {happening: row[column] for happening, row in _ROWS.items()} for column, state in enumerate(_STATES)
}
"""Every cell of the table: state x what happens -> the next state, or why not."""


class StreamReceiver(Protocol):
    """
    Who gets an answer. Called from inside `Http2State.receive` and `Http2State.lost`, and must not raise.

    The order is `on_head`, `on_data` any number of times, `on_end`. `on_fault` may come at any point instead of the
    rest. After `on_end`, `on_fault` or a reset of ours, nothing comes. From inside these calls, everything of
    `Http2State` may be called but `receive`.
    """

    def on_head(self, status: int, headers: list[Field]) -> None:
        """Take the final head: fields in their order, names in lower case, without pseudo-header fields."""

    def on_data(self, piece: bytes) -> None:
        """Take a piece of the body, never empty."""

    def on_end(self) -> None:
        """The answer is complete. What is unsent of the request is not wanted any more."""

    def on_fault(self, fault: StreamFault) -> None:
        """The answer is over before its end."""

    def on_room(self) -> None:
        """There is room for the request's body again, where there was none."""


class Stream:
    """One open stream: its state, its windows, and what its answer still owes."""

    __slots__ = (
        "answers_head",
        "due",
        "interim_count",
        "receive_room",
        "receiver",
        "send_room",
        "state",
        "stream_id",
        "taken",
        "takes_data",
    )

    def __init__(
        self, stream_id: int, receiver: StreamReceiver, *, send_room: int, receive_room: int, answers_head: bool
    ) -> None:
        """
        Begin as IDLE.

        Args:
            stream_id: Its id, odd.
            receiver: Who gets the answer.
            send_room: The peer's window.
            receive_room: Our window.
            answers_head: Whether the request is a HEAD.
        """
        self.stream_id = stream_id
        self.receiver = receiver
        self.state = State.IDLE
        self.takes_data = False
        """Whether DATA may come now."""
        self.send_room = send_room
        """Bytes that the peer takes; below zero when it has made its window smaller (6.9.2)."""
        self.receive_room = receive_room
        """Bytes that the peer may send."""
        self.taken = 0
        """Bytes that the receiver's reader has taken, and the peer was not told of."""
        self.due: int | None = None
        """Bytes of content that must still come; None when nobody knows."""
        self.interim_count = 0
        """Interim heads that came."""
        self.answers_head = answers_head

    def move(self, happening: Happening) -> Refusal | None:
        """Go where the table says, or stay and return why not."""
        target = TRANSITIONS[self.state][happening]
        if isinstance(target, Refusal):
            return target
        self.state = target
        self.takes_data = target is State.READING or target is State.TALKING
        return None

    @property
    def is_untouched(self) -> bool:
        """Whether the peer has shown no sign of having begun with the request."""
        return self.state in {State.ASKING, State.WAITING} and not self.interim_count

    def __repr__(self) -> str:
        """Show the state and the windows."""
        return (
            f"Stream({self.stream_id}, {self.state.value}, room to send {self.send_room}, to get {self.receive_room})"
        )
