"""
A deadline: the one moment after which a call is over, wherever it is.

A deadline is absolute and monotonic, so it can be handed down through every layer and nothing resets it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from http_util.clock import Clock, SyncClock


@dataclass(frozen=True, slots=True, order=True)
class Deadline:
    """The monotonic moment *at* which a call ends. Deadlines order by time: ``min(a, b)`` is the stricter one."""

    at: float
    """Seconds on the clock's monotonic scale."""

    def __post_init__(self) -> None:
        """
        Refuse a moment that cannot be compared.

        Raises:
            ValueError: *at* is not a number.
        """
        if math.isnan(self.at):
            raise ValueError(f"Deadline.at must be a moment in seconds, not {self.at!r}")

    @classmethod
    def after(cls, seconds: float, clock: Clock | SyncClock) -> Self:
        """
        Return the deadline *seconds* from now.

        Args:
            seconds: Zero or more.
            clock: Says what now is.

        Raises:
            ValueError: *seconds* is negative or not a number.
        """
        if not seconds >= 0:
            raise ValueError(f"seconds must be zero or more, not {seconds!r}")
        return cls(clock.monotonic() + seconds)

    def remaining(self, now: float) -> float:
        """Return the seconds left at the monotonic moment *now*, zero when it has passed."""
        return max(0.0, self.at - now)
