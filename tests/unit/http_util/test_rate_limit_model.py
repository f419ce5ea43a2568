"""
A million arrivals in virtual time, watched by judges that share no code with what they judge.

Each judge keeps the exact log of one limit, slow and simple: every start with its moment and what it is known to have
cost. It looks at each start, at the moment of the start. Arrivals, costs, limits, cancellations, corrections and
what is given back are drawn from a seed.
"""

from __future__ import annotations

from collections import Counter, deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest

from http_util.rate_limit import LimitType, Permit, RateLimits
from http_util.rate_line import Line, Ticket
from http_util.testing import seeded_random

if TYPE_CHECKING:
    from random import Random

ARRIVALS = 1_000_000
SCENARIOS = 8


@dataclass(slots=True)
class Start:
    """A request that has started, as a judge sees it."""

    at: float
    tokens: int
    counts: bool = True


@dataclass(slots=True)
class WindowJudge:
    """Adds up what started in the last *seconds*, the oldest moment not included."""

    seconds: float
    limit: int
    of_tokens: bool
    log: deque[Start] = field(default_factory=deque)
    total: int = 0
    peak: int = 0

    def see(self, start: Start) -> None:
        """Look at a start."""
        while self.log and self.log[0].at + self.seconds <= start.at:
            self.total -= self.worth(self.log.popleft())
        self.log.append(start)
        self.total += self.worth(start)
        self.peak = max(self.peak, self.total)
        assert self.total <= self.limit

    def worth(self, start: Start) -> int:
        """What *start* counts for."""
        return (start.tokens if self.of_tokens else 1) if start.counts else 0

    def change(self, start: Start, *, tokens: int, counts: bool) -> None:
        """Learn what a start really was."""
        if self.log and start.at >= self.log[0].at:
            after = Start(start.at, tokens, counts)
            self.total += self.worth(after) - self.worth(start)


@dataclass(slots=True)
class PaceJudge:
    """Sees in the end whether some interval held more than a burst and what the rate adds."""

    rate: float
    burst: int
    starts: list[Start] = field(default_factory=list)

    def see(self, start: Start) -> None:
        """Note a start."""
        self.starts.append(start)

    def decide(self) -> None:
        """
        Look at every interval at once.

        For starts i <= j the interval holds j - i + 1, which must not be above burst + rate * (at[j] - at[i]). So for
        each j the worst i is the one with the highest rate * at[i] - i.
        """
        worst = float("-inf")
        for number, start in enumerate(start for start in self.starts if start.counts):
            worst = max(worst, self.rate * start.at - number)
            assert number + 1 - self.rate * start.at + worst <= self.burst + 1e-6


class World:
    """One line, those who wait in it, and the judges around it."""

    def __init__(self, limits: RateLimits, rng: Random) -> None:
        self.rng = rng
        self.clock = 0.0
        self.line = Line(limits, room=20)
        self.waiting: deque[Ticket] = deque()
        self.running: deque[tuple[Permit, Start]] = deque()
        self.pace = PaceJudge(limits.requests_per_second or 0.0, limits.burst_size or 0)
        minute, day = 60.0, 86_400.0
        self.judges = {
            LimitType.REQUESTS_PER_MINUTE: WindowJudge(minute, limits.requests_per_minute or 0, of_tokens=False),
            LimitType.TOKENS_PER_MINUTE: WindowJudge(minute, limits.tokens_per_minute or 0, of_tokens=True),
            LimitType.REQUESTS_PER_DAY: WindowJudge(day, limits.requests_per_day or 0, of_tokens=False),
            LimitType.TOKENS_PER_DAY: WindowJudge(day, limits.tokens_per_day or 0, of_tokens=True),
        }
        self.in_the_way: Counter[LimitType] = Counter()
        self.counts = {"started": 0, "refused": 0, "cancelled": 0, "given back": 0, "corrected": 0}

    def arrive(self, now: float, tokens: int) -> None:
        """Let somebody come who starts, waits, or is refused."""
        self.serve(now)
        answer = self.line.ask(None, tokens, now)
        if isinstance(answer, Permit):
            self.start(answer, tokens, now)
            return
        self.in_the_way[answer.limit_type] += 1
        if self.rng.random() < 0.3 and self.line.join(ticket := Ticket(tokens)):
            self.waiting.append(ticket)
        else:
            self.counts["refused"] += 1

    def serve(self, now: float) -> None:
        """Let those start whose turn came until *now*, each at its moment, and some give up before it."""
        while self.waiting:
            ticket = self.waiting[0]
            answer = self.line.ask(ticket, ticket.tokens, self.clock)
            if isinstance(answer, Permit):
                self.start(answer, self.waiting.popleft().tokens, self.clock)
            elif self.rng.random() < 0.1:
                gone = self.rng.choice(self.waiting)
                self.waiting.remove(gone)
                self.line.leave(gone)
                self.counts["cancelled"] += 1
            elif answer.at <= now:
                self.clock = answer.at
            else:
                break
        self.clock = now

    def start(self, permit: Permit, tokens: int, now: float) -> None:
        """Let the judges see a start; an earlier request ends."""
        start = Start(now, tokens)
        for judge in self.judges.values():
            judge.see(start)
        self.pace.see(start)
        self.counts["started"] += 1
        self.running.append((permit, start))
        if len(self.running) > 5:
            self.end(*self.running.popleft())

    def end(self, permit: Permit, start: Start) -> None:
        """Learn what a request has used: it never left, or took less or a little more, or nobody knows."""
        fate = self.rng.random()
        if fate < 0.1:
            self.line.budgets.give_back(permit)
            self.learn(start, tokens=start.tokens, counts=False)
            self.counts["given back"] += 1
        elif fate < 0.9:
            used = int(start.tokens * self.rng.uniform(0.2, 1.1))
            self.line.budgets.correct(permit, used)
            self.learn(start, tokens=used, counts=True)
            self.counts["corrected"] += 1
        else:
            self.line.budgets.correct(permit, None)

    def learn(self, start: Start, **known: Any) -> None:
        """Tell the judges."""
        for judge in self.judges.values():
            judge.change(start, **known)
        start.tokens, start.counts = known["tokens"], known["counts"]


def _limits(rng: Random, *, tokens_are_scarce: bool) -> RateLimits:
    """Limits of which each is in the way at some time; of those of the day, the scarce one."""
    per_minute = rng.randint(60, 240)
    per_day = per_minute * rng.randint(40, 80)
    return RateLimits(
        requests_per_second=per_minute / 60 * rng.uniform(1.5, 4.0),
        burst_size=rng.randint(1, 12),
        requests_per_minute=per_minute,
        tokens_per_minute=per_minute * rng.randint(500, 700) + 5_000,
        requests_per_day=per_day,
        tokens_per_day=per_day * (350 if tokens_are_scarce else 1000),
    )


@pytest.mark.slow
@pytest.mark.requirement("RL-01", "RL-02", "RL-03")
@pytest.mark.parametrize("seed", [0, *(pytest.param(n, marks=pytest.mark.unmeasured) for n in range(1, SCENARIOS))])
def test_never_above_any_limit_in_any_window(seed: int) -> None:
    """Rushes and lulls over days; every limit is reached, none is passed."""
    rng = seeded_random(seed)
    tokens_are_scarce = seed % 2 == 1
    world = World(_limits(rng, tokens_are_scarce=tokens_are_scarce), rng)
    now = 0.0
    for number in range(ARRIVALS // SCENARIOS):
        # rushes of a minute, and lulls in which buckets and windows recover
        mean = 0.05 if (number // 1000) % 3 else 6.0
        now += rng.expovariate(1 / mean)
        # requests are small for a while, and then large
        world.arrive(now, tokens=int(rng.expovariate(1 / (300 if (number // 3000) % 2 else 1600))) % 5_000)
    world.pace.decide()
    assert min(world.counts.values()) > 0, world.counts
    idle = LimitType.REQUESTS_PER_DAY if tokens_are_scarce else LimitType.TOKENS_PER_DAY
    assert set(world.in_the_way) | {idle, LimitType.SERVER_ENFORCED} == set(LimitType)
    for limit_type, judge in world.judges.items():
        assert judge.peak > 0.9 * judge.limit or limit_type is idle, judge
