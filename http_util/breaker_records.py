"""
What a breaker tells: its numbers, and the frozen records that hooks get.

Spec: CB-02, CB-03
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from adapter_api.outcome import Outcome
from http_util.breaker_states import State
from http_util.errors import PolicyFailure

if TYPE_CHECKING:
    from collections.abc import Mapping

    from http_util.breaker_states import Signal


@dataclass(frozen=True, slots=True, kw_only=True)
class BreakerStats:
    """
    Numbers about one breaker.

    Spec: CB-03
    """

    failure_count: int
    """Counted failures since the breaker was made."""
    success_count: int
    """Successes since the breaker was made."""
    total_requests: int
    """Calls that asked, the refused ones included."""
    last_failure: float | None
    """Monotonic moment of the last counted failure."""
    last_reason: str | None
    """What that failure was, a key of `adapter_api.reasons.REASONS`; None when nobody said."""
    state_changed_at: float | None
    """Monotonic moment of the last change; None when there was none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StateChanged:
    """What hooks get in ``on_state_change``."""

    endpoint: str
    """Whose breaker."""
    old: State
    """The state it left."""
    new: State
    """The state it is in."""
    stats: BreakerStats
    """Its numbers at that moment."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rejected:
    """What hooks get in ``on_rejected``."""

    endpoint: str
    """Whose breaker."""
    request_id: str | None
    """The caller's id of the request."""
    state: State
    """OPEN, or HALF_OPEN when there are as many probes as may be."""
    last_reason: str | None
    """What the upstream failed with the last time; None when nobody said."""
    retry_after: float
    """Seconds until it makes sense to ask again."""

    def as_failure(self) -> PolicyFailure:
        """
        Return the failure of the call that was not let through; it names what the upstream failed with.

        Spec: CB-07, REL-05
        """
        where = f" for {self.endpoint}" if self.endpoint else ""
        last = f", the last time with {self.last_reason}" if self.last_reason else ""
        when = f"is due in {self.retry_after:.3g} s" if self.state is State.OPEN else "is under way"
        return PolicyFailure(
            f"the circuit breaker{where} is {self.state.value}: the upstream failed too often just now{last}; "
            f"a probe {when}",
            reason="circuit_open",
            outcome=Outcome.NOT_SENT,
            retry_after=self.retry_after,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class CallSettled:
    """What hooks get in ``on_outcome``."""

    endpoint: str
    """Whose breaker."""
    signal: Signal
    """SUCCESS, FAILURE or ABANDONED."""


HOOKS: Final[Mapping[type, str]] = {
    CallSettled: "on_outcome",
    Rejected: "on_rejected",
    StateChanged: "on_state_change",
}
"""The method of a hook that takes a record, by the record's class."""
