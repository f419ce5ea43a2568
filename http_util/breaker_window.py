"""
The last minute of a breaker: how many calls there were, and how many of them failed. Pure, and of bounded size.

Failures are known to the moment, because a threshold is a promise: the moments of the last few are kept, as many as
the threshold has. Calls may be any number, so for the rate they are counted in slices of time. A slice leaves as a
whole when its oldest moment leaves the window; so no call counts that is older than the window, and the rate may miss
the calls of up to one slice (a sixtieth of the window) at its far end.

Spec: CB-01
"""

from __future__ import annotations

from collections import deque
from typing import Final

SLICES: Final = 60
"""Slices in a window: one a second for the usual minute, as resilience4j's time-based window has it."""


class _Slice:
    """The calls of a sixtieth of the window."""

    __slots__ = ("began", "calls", "failures")

    def __init__(self, began: float) -> None:
        """Begin at the monotonic moment *began*, empty."""
        self.began = began
        self.calls = 0
        self.failures = 0


class CallWindow:
    """
    The calls of the last *span* seconds.

    >>> window = CallWindow(60.0, most_failures=5)
    >>> for now in (0.0, 10.0, 65.0):
    ...     window.note(now, failed=True)
    >>> window.note(66.0, failed=False)
    >>> window.failures(66.0), window.calls(66.0)
    (2, (2, 3))
    """

    __slots__ = ("_failed_at", "_slices", "_span")

    def __init__(self, span: float, *, most_failures: int) -> None:
        """
        Begin empty.

        Args:
            span: Length of the window in seconds, above zero.
            most_failures: Failures that are told apart; of more of them, the latest are known.
        """
        self._span = span
        self._failed_at: deque[float] = deque(maxlen=most_failures)
        self._slices: deque[_Slice] = deque()

    def note(self, now: float, *, failed: bool) -> None:
        """Count a call that ended at the monotonic moment *now*."""
        self._forget_old(now)
        if failed:
            self._failed_at.append(now)
        if not self._slices or now - self._slices[-1].began >= self._span / SLICES:
            self._slices.append(_Slice(now))
        self._slices[-1].calls += 1
        self._slices[-1].failures += failed

    def failures(self, now: float) -> int:
        """Return the failures that are at most the span old at *now*; exact up to ``most_failures``."""
        self._forget_old(now)
        return len(self._failed_at)

    def calls(self, now: float) -> tuple[int, int]:
        """Return how many of the window's calls failed, and how many there were; exact to one slice."""
        self._forget_old(now)
        return sum(part.failures for part in self._slices), sum(part.calls for part in self._slices)

    def clear(self) -> None:
        """Forget all calls."""
        self._failed_at.clear()
        self._slices.clear()

    def _forget_old(self, now: float) -> None:
        """Drop what is older than the window."""
        # Threads report out of turn, so a moment may stand behind one a little later; it leaves with that one.
        while self._failed_at and now - self._failed_at[0] > self._span:
            self._failed_at.popleft()
        while self._slices and now - self._slices[0].began > self._span:
            self._slices.popleft()
