"""
The order of a stream, as a table, and the guard that holds every stream to it.

Rules of the stream: `started` once and first; then tokens, whose index starts at 0 and rises by one, and metrics; then
one `end` or one `error`, and nothing after it.

    state      started    token      metrics    end        error
    NEW        RUNNING    -          -          -          -
    RUNNING    -          RUNNING    RUNNING    ENDED      ENDED
    ENDED      -          -          -          -          -

A cell without a state is a violation. There are no exceptions beside the table; the index is checked with it, and that
the last event says what it must: an `end` without its evidence is none.

Spec: ADP-20, ADP-23, WA-INT-3001, OC-CTRL-2029
"""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from adapter_api.token_event import Kind, TokenEvent


class OrderState(Enum):
    """Where a stream stands."""

    NEW = "new"
    RUNNING = "running"
    ENDED = "ended"


TRANSITIONS: Final[Mapping[OrderState, Mapping[Kind, OrderState]]] = {
    OrderState.NEW: {"started": OrderState.RUNNING},
    OrderState.RUNNING: {
        "token": OrderState.RUNNING,
        "metrics": OrderState.RUNNING,
        "end": OrderState.ENDED,
        "error": OrderState.ENDED,
    },
    OrderState.ENDED: {},
}
"""What may come next: state x kind -> state."""


REQUIRED_FIELDS: Final[Mapping[Kind, tuple[str, ...]]] = {
    "end": ("tokens_out", "decode_ms", "finish_reason", "evidence", "usage"),
    "error": ("code", "reason", "message", "retriable"),
}
"""What the last event of a stream holds, whoever makes it."""


class OrderViolation(Exception):
    """
    An adapter broke the order of its stream, or its last event lacks what it must hold.

    Names the adapter; the stream ends with one `error` event.
    """


class OrderGuard:
    """
    Checks every event of one stream, in under a microsecond each.

    Example:
        >>> from adapter_api.token_event import TokenEvent, token
        >>> guard = OrderGuard("openai-http")
        >>> guard.check([TokenEvent("started", {}), token("a", 0)])
        >>> guard.check([token("b", 2)])
        Traceback (most recent call last):
        ...
        adapter_api.token_order.OrderViolation: openai-http: expected token 1, got token 2
    """

    __slots__ = ("_next_index", "_origin", "_row", "state")

    def __init__(self, origin: str) -> None:
        """
        Guard a new stream.

        Args:
            origin: Who makes the stream; named in the violation.
        """
        self.state = OrderState.NEW
        """Where the stream stands. For reading: `check` moves it."""
        self._origin = origin
        # looked up when the state changes only: the hash of an Enum costs more than a check
        self._row = TRANSITIONS[OrderState.NEW]
        self._next_index = 0

    @classmethod
    def ended(cls, origin: str, *, tokens: int) -> OrderGuard:
        """A guard that lets nothing more pass, for a stream that was ended from outside after *tokens* tokens."""
        guard = cls(origin)
        guard.state = OrderState.ENDED
        guard._row = TRANSITIONS[OrderState.ENDED]
        guard._next_index = tokens
        return guard

    def __repr__(self) -> str:
        """The state and the next index."""
        return f"OrderGuard({self._origin!r}, {self.state.value}, next_index={self._next_index})"

    @property
    def tokens(self) -> int:
        """How many tokens have passed."""
        return self._next_index

    def check(self, events: Sequence[TokenEvent]) -> None:
        """
        Let *events* pass, or say which one is out of order.

        Raises:
            OrderViolation: An event may not come here, or the last one lacks a field. The guard is then of no further
                use.
        """
        state, row = self.state, self._row
        next_index = self._next_index
        for event in events:
            kind = event.kind
            after = row.get(kind)
            if after is not state:
                if after is None:
                    raise OrderViolation(f"{self._origin}: {kind} is out of order in a stream that is {state.value}")
                if kind in REQUIRED_FIELDS:
                    self._require_fields(event)
                state, row = after, TRANSITIONS[after]
            if kind == "token":
                if event.data.get("i") != next_index:
                    raise OrderViolation(f"{self._origin}: expected token {next_index}, got token {event.index}")
                next_index += 1
        self.state, self._row = state, row
        self._next_index = next_index

    def _require_fields(self, event: TokenEvent) -> None:
        """
        Make sure that the last event says what it must, and an `end` on what evidence it is given.

        Spec: ADP-20, ADP-23
        """
        kind, data = event.kind, event.data
        missing = [name for name in REQUIRED_FIELDS[kind] if name not in data]
        if missing:
            raise OrderViolation(f"{self._origin}: {kind} lacks {', '.join(missing)}")
        if kind == "end" and not (isinstance(evidence := data["evidence"], str) and evidence):
            raise OrderViolation(f"{self._origin}: evidence of the end must be a text that names it")
