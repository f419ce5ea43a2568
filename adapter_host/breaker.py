"""
The breaker of a pool: after bounded failures, submits fail at once until a trial shows that the pool is back.

    state        a failure                     a success                    recovery_timeout is over
    CLOSED       counts; OPEN at the threshold  -                           -
    OPEN         (late, ignored)               (late, ignored)              HALF_OPEN, at the next submit
    HALF_OPEN    OPEN                          counts; CLOSED at threshold  -

Only failures within the window count. In HALF_OPEN one trial runs at a time; one that is cancelled gives its place back
and counts as nothing. What was admitted before the last change of state no longer counts.

Pure: the time is an argument.

Spec: ORCH-3602
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple


class BreakerState(StrEnum):
    """Where a breaker stands."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half-open"


@dataclass(frozen=True, slots=True, kw_only=True)
class BreakerPolicy:
    """
    When a breaker opens and how it closes.

    Spec: ORCH-3602
    """

    failure_threshold: int = 5
    """Failures within the window that open it; 1 or more."""
    success_threshold: int = 3
    """Trials in a row that must end well to close it; 1 or more."""
    failure_window: float = 60.0
    """Seconds for which a failure counts."""
    recovery_timeout: float = 30.0
    """Seconds from opening to the first trial."""


class Permit(NamedTuple):
    """Admission of one call; hand it back with its result."""

    epoch: int
    """Changes of state before the call was admitted."""
    is_trial: bool


class Breaker:
    """
    Admits calls while their results are good enough.

    Example:
        >>> breaker = Breaker(BreakerPolicy(failure_threshold=1, recovery_timeout=30.0))
        >>> breaker.failed(breaker.admit(now=0.0), now=0.0)
        >>> breaker.admit(now=10.0), breaker.retry_after(now=10.0)
        (None, 20.0)
        >>> breaker.admit(now=30.0).is_trial
        True
    """

    __slots__ = ("_epoch", "_failures", "_opened_at", "_policy", "_state", "_successes", "_trial_runs")

    def __init__(self, policy: BreakerPolicy) -> None:
        """Start closed."""
        self._policy = policy
        self._state = BreakerState.CLOSED
        self._epoch = 0
        self._failures: deque[float] = deque()
        self._successes = 0
        self._opened_at = 0.0
        self._trial_runs = False

    def __repr__(self) -> str:
        """The state and the failures counted."""
        return f"Breaker({self._state.value}, {len(self._failures)} failures)"

    @property
    def state(self) -> BreakerState:
        """Where it stands; `OPEN` also when the next submit would be a trial."""
        return self._state

    def admit(self, now: float) -> Permit | None:
        """A permit, or None when the call must fail at once. Give every permit back, exactly once."""
        if self._state is BreakerState.OPEN and now >= self._opened_at + self._policy.recovery_timeout:
            self._become(BreakerState.HALF_OPEN)
        if self._state is BreakerState.OPEN or (self._state is BreakerState.HALF_OPEN and self._trial_runs):
            return None
        self._trial_runs = self._state is BreakerState.HALF_OPEN
        return Permit(self._epoch, self._trial_runs)

    def retry_after(self, now: float) -> float:
        """Seconds until a trial is due; 0.0 when one may run, or runs already."""
        if self._state is not BreakerState.OPEN:
            return 0.0
        return max(0.0, self._opened_at + self._policy.recovery_timeout - now)

    def succeeded(self, permit: Permit) -> None:
        """Note that the call of *permit* ended well."""
        if not self._counts(permit) or not permit.is_trial:
            return
        self._trial_runs = False
        self._successes += 1
        if self._successes >= self._policy.success_threshold:
            self._become(BreakerState.CLOSED)

    def failed(self, permit: Permit, now: float) -> None:
        """Note that the call of *permit* failed in a way that speaks against the pool."""
        if not self._counts(permit):
            return
        self._failures.append(now)
        while self._failures[0] <= now - self._policy.failure_window:
            self._failures.popleft()
        if permit.is_trial or len(self._failures) >= self._policy.failure_threshold:
            self._become(BreakerState.OPEN)
            self._opened_at = now

    def abandoned(self, permit: Permit) -> None:
        """Note that the call of *permit* says nothing of the pool: cancelled, or the caller's own fault."""
        if self._counts(permit) and permit.is_trial:
            self._trial_runs = False

    def _counts(self, permit: Permit) -> bool:
        return permit.epoch == self._epoch

    def _become(self, state: BreakerState) -> None:
        self._state = state
        self._epoch += 1
        self._failures.clear()
        self._successes = 0
        self._trial_runs = False
