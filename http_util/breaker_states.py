"""
The breaker's states, what can happen to it, and the table that leads from one to the next.

Spec: CB-01
"""

from __future__ import annotations

from enum import Enum, StrEnum
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping


class State(StrEnum):
    """What the breaker does with calls."""

    CLOSED = "closed"
    """All pass."""
    OPEN = "open"
    """None pass."""
    HALF_OPEN = "half_open"
    """Probes pass, a few at a time."""


class Signal(Enum):
    """What can happen to a breaker."""

    SUCCESS = "success"
    """A call that shows that the upstream is well."""
    FAILURE = "failure"
    """A call that speaks against the upstream."""
    SUCCESSES_REACHED = "successes_reached"
    """The success that completes the series of probes."""
    FAILURES_REACHED = "failures_reached"
    """The failure that fills the window."""
    ABANDONED = "abandoned"
    """A call that says nothing about the upstream: cancelled, or refused on this side."""
    RECOVERY_DUE = "recovery_due"
    """The recovery time is over; noticed when somebody asks."""


TRANSITIONS: Final[Mapping[State, Mapping[Signal, State]]] = {
    State.CLOSED: {
        Signal.SUCCESS: State.CLOSED,
        Signal.FAILURE: State.CLOSED,
        Signal.SUCCESSES_REACHED: State.CLOSED,
        Signal.FAILURES_REACHED: State.OPEN,
        Signal.ABANDONED: State.CLOSED,
        Signal.RECOVERY_DUE: State.CLOSED,
    },
    State.OPEN: {
        Signal.SUCCESS: State.OPEN,
        Signal.FAILURE: State.OPEN,
        Signal.SUCCESSES_REACHED: State.OPEN,
        Signal.FAILURES_REACHED: State.OPEN,
        Signal.ABANDONED: State.OPEN,
        Signal.RECOVERY_DUE: State.HALF_OPEN,
    },
    State.HALF_OPEN: {
        Signal.SUCCESS: State.HALF_OPEN,
        Signal.FAILURE: State.OPEN,
        Signal.SUCCESSES_REACHED: State.CLOSED,
        Signal.FAILURES_REACHED: State.OPEN,
        Signal.ABANDONED: State.HALF_OPEN,
        Signal.RECOVERY_DUE: State.HALF_OPEN,
    },
}
"""Every cell of the table; nothing happens that is not in it."""
