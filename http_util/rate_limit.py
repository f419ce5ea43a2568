"""
How much may start, and when: the budgets of one kind of operation, as a table. Pure: the time is an argument.

====================  ========  ==============================  ===============================
budget                counts    kept by                         never more than
====================  ========  ==============================  ===============================
requests_per_second   requests  `Bucket`                        ``burst + rate * t`` in any *t*
requests_per_minute   requests  `Window` of 60 s                the limit in any 60 s
tokens_per_minute     tokens    `Window` of 60 s                the limit in any 60 s
requests_per_day      requests  `Window` of 86,400 s            the limit in any 86,400 s
tokens_per_day        tokens    `Window` of 86,400 s            the limit in any 86,400 s
server_enforced       requests  a moment that an upstream told  none before it
====================  ========  ==============================  ===============================

Each budget holds by itself, and together they hold because a request starts only when all of them let it. The tokens of
a request are reserved at its start by an estimate and corrected when its usage is known; the promise about tokens is
about what is known when something starts.

Spec: RL-01, RL-02, RL-06
"""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from enum import IntEnum, StrEnum
from typing import TYPE_CHECKING, Final, NamedTuple

from http_util.rate_gauges import Bucket, Window

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from http_util.rate_gauges import Entry
    from http_util.rate_headers import Allowance, RateHeaders

_MINUTE: Final = 60.0
_DAY: Final = 86_400.0
_HOUR: Final = 3_600.0


class LimitType(StrEnum):
    """
    Which limit stands in the way.

    Spec: RL-04
    """

    REQUESTS_PER_SECOND = "requests_per_second"
    REQUESTS_PER_MINUTE = "requests_per_minute"
    TOKENS_PER_MINUTE = "tokens_per_minute"
    REQUESTS_PER_DAY = "requests_per_day"
    TOKENS_PER_DAY = "tokens_per_day"
    SERVER_ENFORCED = "server_enforced"
    """The upstream refused (429) and said for how long."""


class Cost(NamedTuple):
    """What is to start, in the units that are counted."""

    requests: int
    tokens: int


class Unit(IntEnum):
    """What a budget counts: a place in `Cost`."""

    REQUESTS = 0
    TOKENS = 1


class Row(NamedTuple):
    """One budget of the table."""

    limit_type: LimitType
    unit: Unit
    gauge: Bucket | Window


_WINDOWS: Final[Mapping[LimitType, tuple[Unit, float]]] = {
    LimitType.REQUESTS_PER_MINUTE: (Unit.REQUESTS, _MINUTE),
    LimitType.TOKENS_PER_MINUTE: (Unit.TOKENS, _MINUTE),
    LimitType.REQUESTS_PER_DAY: (Unit.REQUESTS, _DAY),
    LimitType.TOKENS_PER_DAY: (Unit.TOKENS, _DAY),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class RateLimits:
    """
    The limits of one kind of operation; None means that there is none. Immutable, compares by value, pickles.

    >>> RateLimits(requests_per_second=10.0, burst_size=20, tokens_per_minute=150_000)
    RateLimits(requests_per_second=10.0, burst_size=20, tokens_per_minute=150000)

    Spec: RL-01, RL-02
    """

    requests_per_second: float | None = None
    """The steady pace; above zero."""
    burst_size: int | None = None
    """How many requests may start at once; 1 or more. A second's worth if unset, but at least 1."""
    requests_per_minute: int | None = None
    tokens_per_minute: int | None = None
    requests_per_day: int | None = None
    tokens_per_day: int | None = None

    def __post_init__(self) -> None:
        """
        Refuse limits that make no sense.

        Raises:
            ValueError: A field is out of its range; the text names it.
        """
        rate = self.requests_per_second
        if rate is not None and not (_is_number(rate) and 0 < rate < math.inf):
            raise ValueError(f"requests_per_second must be a number above zero, or None, not {rate!r}")
        for name in ("burst_size", *_WINDOWS):
            limit = getattr(self, name)
            if limit is not None and not (isinstance(limit, int) and _is_number(limit) and limit >= 1):
                raise ValueError(f"{name} must be a whole number, 1 or more, or None, not {limit!r}")
        if self.burst_size is not None and rate is None:
            raise ValueError("burst_size needs requests_per_second: set both, or neither")

    def __repr__(self) -> str:
        """Show the limits that there are."""
        there = ((field.name, getattr(self, field.name)) for field in fields(self))
        return f"RateLimits({', '.join(f'{name}={limit!r}' for name, limit in there if limit is not None)})"

    def rows(self) -> Iterator[Row]:
        """Return the table: a new, unused gauge for each limit that there is."""
        if self.requests_per_second is not None:
            burst = self.burst_size or max(1, int(self.requests_per_second))
            bucket = Bucket(rate=self.requests_per_second, limit=burst)
            yield Row(LimitType.REQUESTS_PER_SECOND, Unit.REQUESTS, bucket)
        for limit_type, (unit, seconds) in _WINDOWS.items():
            limit = getattr(self, limit_type)
            if limit is not None:
                yield Row(limit_type, unit, Window(seconds=seconds, limit=limit))


def _is_number(value: object) -> bool:
    """Tell a number from a bool, which is one too."""
    return isinstance(value, int | float) and not isinstance(value, bool)


@dataclass(frozen=True, slots=True)
class Limited:
    """The answer to who cannot start now."""

    limit_type: LimitType
    """What stands in the way the longest."""
    at: float
    """The monotonic moment at which it may start, if nobody else does before."""


class Permit:
    """The leave to start once, and what was counted for it. Close it once: correct it, or give it back."""

    __slots__ = ("entries", "is_closed", "tokens")

    def __init__(self, entries: tuple[tuple[Row, Entry], ...], tokens: int) -> None:
        """Note where *tokens* and the request were counted."""
        self.entries = entries
        self.tokens = tokens
        self.is_closed = False


class Budgets:
    """
    The budgets of one kind of operation, and what they have let start.

    >>> budgets = Budgets(RateLimits(requests_per_minute=1, tokens_per_minute=1000))
    >>> permit = budgets.ask(Cost(1, 800), now=0.0)
    >>> budgets.ask(Cost(1, 800), now=12.0)
    Limited(limit_type=<LimitType.REQUESTS_PER_MINUTE: 'requests_per_minute'>, at=60.0)

    Spec: RL-01, RL-02
    """

    def __init__(self, limits: RateLimits) -> None:
        """Begin with nothing used."""
        self._limits = limits
        self._told_at = -math.inf
        self.rows: tuple[Row, ...] = tuple(limits.rows())
        """The table."""
        self.held_until = -math.inf
        """The monotonic moment before which the upstream wants no request."""

    def ask(self, cost: Cost, now: float) -> Permit | Limited:
        """Let a request of *cost* start, and count it; or tell when it may."""
        return self.when(cost, now) or self.take(cost, now)

    def when(self, cost: Cost, now: float) -> Limited | None:
        """
        Tell when the last request of *cost* may start, at the earliest; None for now.

        Args:
            cost: Of one request, or of several that start one after the other.
            now: Monotonic seconds.
        """
        limited = self.held(now)
        for row in self.rows:
            at = row.gauge.free_at(cost[row.unit], now)
            if at > (now if limited is None else limited.at):
                limited = Limited(row.limit_type, at)
        return limited

    def held(self, now: float) -> Limited | None:
        """Tell until when the upstream wants no request; None when it does not mind."""
        return Limited(LimitType.SERVER_ENFORCED, self.held_until) if self.held_until > now else None

    def take(self, cost: Cost, now: float) -> Permit:
        """Count a request of *cost* that starts now."""
        return Permit(tuple((row, row.gauge.take(cost[row.unit], now)) for row in self.rows), cost.tokens)

    def too_small(self, tokens: int, now: float) -> Row | None:
        """
        Return the budget that could not hold *tokens* if it were unused; None when all could.

        A limit that only the upstream has named, who has said nothing more for a minute, is widened to hold them:
        without a call there is no answer that could take the word back.
        """
        for row in self.rows:
            if row.unit is not Unit.TOKENS or row.gauge.limit >= tokens:
                continue
            own: int | None = getattr(self._limits, row.limit_type)
            if now < self._told_at + _MINUTE or (own is not None and own < tokens):
                return row
            row.gauge.limit = tokens
        return None

    def correct(self, permit: Permit, tokens: int | None) -> None:
        """
        Count what a request has really used in place of its estimate; None leaves that. The first word counts.

        Spec: RL-02
        """
        if not _close(permit) or tokens is None:
            return
        for row, entry in permit.entries:
            if row.unit is Unit.TOKENS:
                row.gauge.change(entry, max(0, tokens) - permit.tokens)

    def give_back(self, permit: Permit) -> None:
        """Uncount a request that has not started. The first word counts."""
        if not _close(permit):
            return
        for row, entry in permit.entries:
            row.gauge.change(entry, -1 if row.unit is Unit.REQUESTS else -permit.tokens)

    def hold(self, until: float) -> None:
        """Let nothing start before the monotonic moment *until*; of several, the latest counts."""
        self.held_until = max(self.held_until, until)

    def adapt(self, told: RateHeaders, now: float) -> None:
        """
        Take over the limits that the upstream names, higher or lower, and what others have used of them.

        Where there was no limit, there is one now. An answer speaks of the minute or of the day, see `speaks_of_day`.

        Spec: RL-06
        """
        self._told_at = now
        of_requests = LimitType.REQUESTS_PER_MINUTE, LimitType.REQUESTS_PER_DAY
        of_tokens = LimitType.TOKENS_PER_MINUTE, LimitType.TOKENS_PER_DAY
        for allowance, (minute, day) in ((told.requests, of_requests), (told.tokens, of_tokens)):
            if allowance.limit:
                window = self._window(day if speaks_of_day(allowance) else minute, allowance.limit)
                window.adapt(allowance.limit, allowance.remaining, allowance.reset, now)

    def is_unused(self, now: float) -> bool:
        """Tell whether nothing counts at the moment *now*: there is nothing to remember."""
        return self.held_until <= now and not any(row.gauge.used(now) for row in self.rows)

    def _window(self, limit_type: LimitType, limit: int) -> Window:
        """Return the window of *limit_type*, a new one where there was none."""
        for row in self.rows:
            if row.limit_type is limit_type and isinstance(row.gauge, Window):
                return row.gauge
        unit, seconds = _WINDOWS[limit_type]
        window = Window(seconds=seconds, limit=limit)
        self.rows = (*self.rows, Row(limit_type, unit, window))
        return window

    def __repr__(self) -> str:
        """Show the table."""
        return f"Budgets({', '.join(f'{row.limit_type}={row.gauge!r}' for row in self.rows)})"


def _close(permit: Permit) -> bool:
    """Close *permit* and tell whether it was open."""
    was_open, permit.is_closed = not permit.is_closed, True
    return was_open


def speaks_of_day(said: Allowance) -> bool:
    """
    Tell whether an upstream speaks of its limit of the day; otherwise it speaks of the minute's.

    The headers do not say. A window that is whole again in more than an hour is a day's. So is one that fills evenly
    and would take about a day to fill from empty: 8.64 s for one request of 10,000.

    Spec: RL-06
    """
    if said.reset is None or said.limit is None:
        return False
    if said.reset > _HOUR:
        return True
    used = said.limit - (said.limit if said.remaining is None else said.remaining)
    return used > 0 and abs(said.reset * said.limit / used - _DAY) < _DAY / 10
