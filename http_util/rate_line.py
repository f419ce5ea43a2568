"""
The line before one kind of operation: its budgets, and who waits for them, first come, first served. Pure.

Whoever is first in the line asks the budgets; nobody else may, newcomers included. So a large request is not overtaken
for ever by small ones, and there is one place where waiting is decided. A line does not wake anybody: who waits gives
its ticket a bell, and who changes the line rings the bell of the first.

Spec: RL-03
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

from http_util.rate_limit import Budgets, Cost, Limited, LimitType, Permit

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from http_util.call import LimitedCall
    from http_util.rate_limit import RateLimits

MOST_LINES: Final = 1024
"""Lines above which those are forgotten that have nothing to remember."""


class Ticket:
    """A place in a line."""

    __slots__ = ("ring", "tokens")

    def __init__(self, tokens: int, ring: Callable[[], None] | None = None) -> None:
        """
        Ask for a place.

        Args:
            tokens: What the request will cost.
            ring: Called when the ticket may have something to gain from asking again; None for who looks itself.
        """
        self.tokens = tokens
        self.ring = ring


@dataclass(frozen=True, slots=True)
class Usage:
    """What of one budget is used."""

    used: int
    """Units that count now."""
    limit: int
    """Units that may count at once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LineStats:
    """Numbers about one line."""

    endpoint: str
    """`scheme://host:port`."""
    family: str
    """The kind of operation; empty for all that have no limits of their own."""
    started: int
    """Requests that were let through since the line was made, those that were given back included."""
    refused: int
    """Requests that were refused."""
    waiting: int
    """Requests that wait in the line."""
    held_for: float
    """Seconds for which the upstream wants no request; 0.0 when it does not mind."""
    budgets: Mapping[LimitType, Usage]
    """Each budget that there is."""


class Line:
    """
    One kind of operation at one endpoint.

    >>> from http_util.rate_limit import RateLimits
    >>> line = Line(RateLimits(requests_per_second=2.0, burst_size=1), room=10)
    >>> permit, ticket = line.ask(None, 0, now=0.0), Ticket(0)
    >>> line.join(ticket), line.ask(ticket, 0, now=0.2).at
    (True, 0.5)
    """

    def __init__(self, limits: RateLimits, *, room: int, endpoint: str = "", family: str = "") -> None:
        """Begin empty; *room* tickets may wait at once."""
        self.endpoint = endpoint
        self.family = family
        self.budgets = Budgets(limits)
        """What lets requests start."""
        self.manner: Literal["queue", "reject"] | None = None
        """What happens to who comes while the upstream wants no request; None for what happens always."""
        self.started = self.refused = 0
        self._room = room
        self._tickets: deque[Ticket] = deque()
        # what the first of the line waits for
        self._in_the_way = LimitType.REQUESTS_PER_SECOND

    @property
    def first(self) -> Ticket | None:
        """The ticket that may ask the budgets; None when nobody waits."""
        return self._tickets[0] if self._tickets else None

    @property
    def waiting(self) -> int:
        """How many tickets wait."""
        return len(self._tickets)

    def ask(self, ticket: Ticket | None, tokens: int, now: float) -> Permit | Limited:
        """
        Let a request start, if nobody is before it and the budgets let it; or tell when it may, at the earliest.

        Args:
            ticket: Its place in the line, which it leaves when it may start; None for a newcomer.
            tokens: What it will cost.
            now: Monotonic seconds.
        """
        return self.behind(ticket, tokens, now) or self.answered(ticket, self.budgets.ask(Cost(1, tokens), now))

    def behind(self, ticket: Ticket | None, tokens: int, now: float) -> Limited | None:
        """Tell when a request may start that is not its turn; None when nobody is before it."""
        if self.first is ticket:
            return None
        place = len(self._tickets) if ticket is None else self._tickets.index(ticket)
        ahead = sum(self._tickets[number].tokens for number in range(place))
        limited = self.budgets.when(Cost(place + 1, ahead + tokens), now)
        # all of them may start in this moment, where nothing limits the first any more
        return limited or Limited(self._in_the_way, now)

    def answered(self, ticket: Ticket | None, answer: Permit | Limited) -> Permit | Limited:
        """Note what whoever counts has answered to the request whose turn it is, and return it."""
        if isinstance(answer, Limited):
            self._in_the_way = answer.limit_type
        else:
            self.started += 1
            if ticket is not None:
                self.leave(ticket)
        return answer

    def join(self, ticket: Ticket) -> bool:
        """Take *ticket* as the last of the line, if there is room, and tell whether there was."""
        if len(self._tickets) >= self._room:
            return False
        self._tickets.append(ticket)
        return True

    def leave(self, ticket: Ticket) -> None:
        """Take *ticket* out of the line, if it is still there; those behind it move up."""
        if ticket in self._tickets:
            self._tickets.remove(ticket)

    def stats(self, now: float) -> LineStats:
        """Return the line's numbers at the monotonic moment *now*."""
        return LineStats(
            endpoint=self.endpoint,
            family=self.family,
            started=self.started,
            refused=self.refused,
            waiting=self.waiting,
            held_for=max(0.0, self.budgets.held_until - now),
            budgets={row.limit_type: Usage(row.gauge.used(now), row.gauge.limit) for row in self.budgets.rows},
        )

    def is_idle(self, now: float) -> bool:
        """Tell whether a new line would do as well: nobody waits, and nothing that has started counts any more."""
        return not self._tickets and self.budgets.is_unused(now)


class Lines:
    """
    The lines of one limiter: one for each endpoint and each family that has limits of its own.

    All other families share one line at each endpoint.

    Spec: RL-07
    """

    def __init__(self, limits: RateLimits, families: Mapping[str, RateLimits], *, room: int) -> None:
        """Make lines by *families*, or else by *limits*, when they are first asked for; *room* may wait in each."""
        self._limits = limits
        self._families = families
        self._room = room
        self._lines: dict[tuple[str, str], Line] = {}

    def of(self, ask: LimitedCall, now: float) -> Line:
        """Return the line of *ask*, always the same one while it has something to remember."""
        family = ask.family if ask.family in self._families else ""
        line = self._lines.get((ask.endpoint, family))
        if line is None:
            if len(self._lines) >= MOST_LINES:
                self._lines = {name: kept for name, kept in self._lines.items() if not kept.is_idle(now)}
            limits = self._families.get(family, self._limits)
            line = Line(limits, room=self._room, endpoint=ask.endpoint, family=family)
            self._lines[ask.endpoint, family] = line
        return line

    def __iter__(self) -> Iterator[Line]:
        """Iterate over the lines that there are."""
        return iter(tuple(self._lines.values()))

    def __repr__(self) -> str:
        """Show how many lines there are, and how many calls wait in them."""
        return f"<{len(self._lines)} lines, {sum(line.waiting for line in self)} waiting>"
