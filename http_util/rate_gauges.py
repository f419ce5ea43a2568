"""
Two ways to count what has started: a bucket for a steady pace, a sliding window for a budget. Pure.

Both promise that a limit is never exceeded, and both answer one question, from which everything else follows: *at which
moment* may so much more start? It is an absolute moment, so asking again when it has come gives the same answer and not
one that is a rounding error later.

=======  =============================================================================================
gauge    promise, for the starts that were taken and not given back
=======  =============================================================================================
Bucket   in every interval of *t* seconds, at most ``limit + rate * t``
Window   in every interval of *seconds* seconds (its beginning included, its end not), at most ``limit``
=======  =============================================================================================

A window remembers starts in slices of a 600th of its length, so its memory is bounded whatever the limit is. A slice is
as young as its youngest start: what started is counted for its whole window, and for a 600th of it more at most.

Spec: RL-01, RL-02
"""

from __future__ import annotations

import heapq
import math
from collections import deque
from operator import attrgetter
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

SLICES: Final = 600
"""Into how many slices a window is cut: a minute into tenths of a second, a day into 144 seconds."""

# pauses by which a float may miss a whole number of them
_ROUNDING: Final = 1e-9

_BY_LAST: Final = attrgetter("last")


class Entry:
    """What a gauge remembers of starts that it counts together. Only its gauge looks inside."""

    __slots__ = ("amount", "first", "is_over", "last")

    def __init__(self, at: float, amount: int) -> None:
        """Remember a start of *amount* units at the moment *at*."""
        self.first = self.last = at
        self.amount = amount
        self.is_over = False


class Bucket:
    """
    A token bucket that starts full: *limit* requests may start at once, and then one every ``1 / rate`` seconds.

    It is full again a number of pauses after the start that last found it full. The moment and the number are kept
    apart, so that a million starts add up no rounding errors. The starts themselves are kept while one of them may
    still be given back: that makes the bucket exactly what it were without it.

    >>> bucket = Bucket(rate=10.0, limit=2)
    >>> _ = bucket.take(1, now=0.0), bucket.take(1, now=0.0)
    >>> bucket.free_at(1, now=0.0)
    0.1
    """

    __slots__ = ("_level", "_level_before", "_pause", "_starts", "limit", "seconds")

    def __init__(self, *, rate: float, limit: int) -> None:
        """Let *rate* requests a second start, and *limit* at once."""
        self.limit = limit
        self.seconds = limit / rate
        """Seconds in which an empty bucket gets full."""
        self._pause = 1.0 / rate
        # (since, missing): full at since + missing pauses
        self._level = self._level_before = (-math.inf, 0)
        self._starts: deque[Entry] = deque()

    def free_at(self, amount: int, now: float) -> float:
        """
        Return the moment, *now* at the earliest, at which the last of *amount* requests may start.

        They start one after the other, each as early as it may; they can be more than *limit*.
        """
        since, missing = self._level if self._full_at > now else (now, 0)
        return max(now, since + (missing + amount - self.limit) * self._pause)

    def take(self, amount: int, now: float) -> Entry:
        """Count a start; *amount* is 1."""
        self._forget(now)
        start = Entry(now, amount)
        self._starts.append(start)
        self._level = self._after(self._level, start)
        return start

    def change(self, start: Entry, amount: int) -> None:
        """Give a start back, which *amount* -1 means; nothing when it is too long ago to matter."""
        if start.is_over or amount >= 0:
            return
        self._starts.remove(start)
        start.is_over = True
        self._level = self._level_before
        for kept in self._starts:
            self._level = self._after(self._level, kept)

    def used(self, now: float) -> int:
        """Return how many requests the bucket lacks to be full."""
        return math.ceil(max(0.0, self._full_at - now) / self._pause - _ROUNDING)

    @property
    def _full_at(self) -> float:
        since, missing = self._level
        return since + missing * self._pause

    def _after(self, level: tuple[float, int], start: Entry) -> tuple[float, int]:
        """Return what *level* becomes by a start."""
        since, missing = level
        return (since, missing + 1) if since + missing * self._pause > start.first else (start.first, 1)

    def _forget(self, now: float) -> None:
        """Forget the starts of more than two fillings ago, and all of them when the bucket is full."""
        horizon = math.inf if self._full_at <= now else now - 2 * self.seconds
        while self._starts and self._starts[0].first < horizon:
            start = self._starts.popleft()
            start.is_over = True
            self._level_before = self._after(self._level_before, start)

    def __repr__(self) -> str:
        """Show the settings."""
        return f"Bucket(rate={1 / self._pause:g}, limit={self.limit})"


class Window:
    """
    A sliding window: *limit* units in any *seconds*. Units are requests or tokens.

    >>> window = Window(seconds=60.0, limit=100)
    >>> start = window.take(70, now=1.0)
    >>> window.free_at(30, now=2.0), window.free_at(31, now=2.0)
    (2.0, 61.0)
    >>> window.change(start, -20)
    >>> window.free_at(50, now=2.0)
    2.0
    """

    __slots__ = ("_others", "_slices", "_used", "_width", "limit", "seconds")

    def __init__(self, *, seconds: float, limit: int) -> None:
        """Let *limit* units start in any *seconds*."""
        self.limit = limit
        self.seconds = seconds
        self._width = seconds / SLICES
        self._slices: deque[Entry] = deque()
        self._others: Entry | None = None
        self._used = 0

    def free_at(self, amount: int, now: float) -> float:
        """
        Return the moment, *now* at the earliest, at which the last of *amount* units may start.

        They start one after the other, each as early as it may. Up to *limit* this is exact; of more, each further
        *limit* cannot start before another window has passed.
        """
        self._forget(now)
        rounds = 0
        if amount > self.limit:
            rounds, rest = divmod(amount - 1, self.limit)
            amount = rest + 1
        excess = self._used + amount - self.limit
        at = now
        if excess > 0:
            for part in self._oldest_first():
                excess -= part.amount
                if excess <= 0:
                    at = part.last + self.seconds
                    break
        return at + rounds * self.seconds

    def take(self, amount: int, now: float) -> Entry:
        """Count a start of *amount* units."""
        self._forget(now)
        self._used += amount
        if self._slices and now - self._slices[-1].first < self._width:
            part = self._slices[-1]
            part.last = max(part.last, now)
            part.amount += amount
        else:
            part = Entry(now, amount)
            self._slices.append(part)
        return part

    def change(self, part: Entry, amount: int) -> None:
        """Correct a start by *amount* units, up or down; nothing when its window has passed."""
        if not part.is_over:
            part.amount += amount
            self._used += amount

    def adapt(self, limit: int, remaining: int | None, reset: float | None, now: float) -> None:
        """
        Take over what the upstream says of this budget.

        Args:
            limit: Its new limit, 1 or more.
            remaining: Units that are left at the upstream. What is missing here was used by others with the same
                account; it counts until *reset*.
            reset: Seconds; the whole window when the upstream does not say.
            now: Monotonic seconds.
        """
        self.limit = limit
        self._forget(now)
        if self._others is not None:
            self._used -= self._others.amount
            self._others = None
        if remaining is not None and (missing := limit - remaining - self._used) > 0:
            left = self.seconds if reset is None else min(reset, self.seconds)
            self._others = Entry(now + left - self.seconds, missing)
            self._used += missing

    def used(self, now: float) -> int:
        """Return the units that count at the moment *now*."""
        self._forget(now)
        return self._used

    def _forget(self, now: float) -> None:
        """Let go of what started a whole window ago."""
        while self._slices and self._slices[0].last + self.seconds <= now:
            part = self._slices.popleft()
            part.is_over = True
            self._used -= part.amount
        if self._others is not None and self._others.last + self.seconds <= now:
            self._used -= self._others.amount
            self._others = None

    def _oldest_first(self) -> Iterable[Entry]:
        """Return what counts, in the order in which it will cease to."""
        if self._others is None:
            return self._slices
        return heapq.merge(self._slices, (self._others,), key=_BY_LAST)

    def __repr__(self) -> str:
        """Show the settings."""
        return f"Window(seconds={self.seconds:g}, limit={self.limit})"
